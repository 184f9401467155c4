"""Confidence sets for ranks: against published sets, a slow implementation, their own logic, and simulated data."""

from itertools import pairwise, permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nofcore import ranksets
from nofcore.errors import InputError
from nofcore.ranksets import rank_bounds, rank_sets, tau_best, tau_worst

POINTS, VARIANCES = np.linspace(1, 3, 10), np.full(10, 0.2**2)


def same(one: ranksets.Bounds, other: ranksets.Bounds) -> bool:
    return all((getattr(one, end) == getattr(other, end)).all() for end in ("rank", "lower", "upper"))


def inside(one: ranksets.Bounds, other: ranksets.Bounds) -> bool:
    """Is every set of the one a part of the other's?"""
    return bool((one.lower >= other.lower).all() and (one.upper <= other.upper).all())


# --- published sets -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_marginal_sets_of_ten_points_against_published(seed):
    found = rank_bounds(POINTS, VARIANCES, best="high", seed=seed)
    assert found.lower.tolist() == [7, 6, 5, 4, 3, 2, 1, 1, 1, 1]
    assert found.upper.tolist() == [10, 10, 10, 10, 9, 8, 7, 6, 5, 4]
    assert found.rank.tolist() == list(range(10, 0, -1))


def test_stepdown_on_absolute_differences_would_give_other_sets():
    normal = np.random.default_rng(3).standard_normal((20_000, 10)) * 0.2
    directed = [slow_marginal_set(POINTS, VARIANCES, normal, unit, both_ways=False) for unit in range(10)]
    absolute = [slow_marginal_set(POINTS, VARIANCES, normal, unit, both_ways=True) for unit in range(10)]
    found = rank_bounds(POINTS, VARIANCES, best="high")
    assert directed == list(zip(found.lower, found.upper, strict=True))
    assert absolute != directed


def slow_marginal_set(estimates, variances, normal, unit, both_ways):
    """One unit's set with high best, stepping down one direction at a time or both directions of a pair."""
    others = [k for k in range(len(estimates)) if k != unit]
    error = {k: np.sqrt(variances[unit] + variances[k]) for k in others}
    statistic, drawn = {}, {}
    for k in others:
        for first, second in ((unit, k), (k, unit)):
            statistic[first, second] = (estimates[first] - estimates[second]) / error[k]
            drawn[first, second] = (normal[:, first] - normal[:, second]) / error[k]
    left, rejected = set(statistic), set()
    while left:
        critical = np.quantile(np.max([drawn[pair] for pair in sorted(left)], axis=0), 0.95)
        new = {pair for pair in left if statistic[pair] > critical}
        rejected |= new
        left -= new | ({pair[::-1] for pair in new} if both_ways else set())
        if not new:
            break
    better = sum(first != unit for first, _ in rejected)
    worse = sum(first == unit for first, _ in rejected)
    return 1 + better, len(estimates) - worse


# --- a slow implementation ------------------------------------------------------------------------


def problem(seed: int, units: int = 7):
    """Estimates and a full covariance."""
    random = np.random.default_rng(seed)
    factor = random.normal(size=(units, units + 2)) * 0.3
    return random.normal(size=units), factor @ factor.T


@pytest.mark.parametrize("seed", range(4))
def test_single_step_simultaneous_sets_against_plain_loops(seed):
    """Own draws; the fast sets must lie between the slow ones at four Monte Carlo errors either way."""
    estimates, covariance = problem(seed)
    units, draws = len(estimates), 4_000
    random = np.random.default_rng(100 + seed)
    largest = []
    for draw in random.multivariate_normal(np.zeros(units), covariance, draws).tolist():
        highest = 0.0
        for j in range(units):
            for k in range(units):
                if j != k:
                    variance = covariance[j, j] + covariance[k, k] - 2 * covariance[j, k]
                    highest = max(highest, (draw[j] - draw[k]) / variance**0.5)
        largest.append(highest)
    largest.sort()
    slip = 4 * (0.05 * 0.95 * (1 / draws + 1 / 10_000)) ** 0.5 * draws
    narrow, wide = (largest[int(0.95 * draws + sign * slip)] for sign in (-1, 1))
    found = rank_bounds(estimates, covariance, kind="simultaneous", stepdown=False, best="low")
    assert inside(slow_sets(estimates, covariance, narrow), found)
    assert inside(found, slow_sets(estimates, covariance, wide))


def slow_sets(estimates, covariance, critical) -> ranksets.Bounds:
    """Sets with low best, from a critical value."""
    rank, lower, upper = [], [], []
    for j in range(len(estimates)):
        better = worse = above = 0
        for k in range(len(estimates)):
            error = (covariance[j, j] + covariance[k, k] - 2 * covariance[j, k]) ** 0.5
            above += estimates[k] < estimates[j]
            better += estimates[j] - estimates[k] > critical * error
            worse += estimates[k] - estimates[j] > critical * error
        rank.append(1 + above)
        lower.append(1 + better)
        upper.append(len(estimates) - worse)
    return ranksets.Bounds(np.array(rank), np.array(lower), np.array(upper))


@pytest.mark.parametrize("side", ranksets.SIDES)
@pytest.mark.parametrize("kind", ranksets.KINDS)
@pytest.mark.parametrize("level", [0.2, 0.8, 0.95])
def test_stepdown_against_every_step_in_full(kind, side, level):
    """The same draws, but each step looks at all draws and all hypotheses that are left."""
    for seed in range(5):
        estimates, covariance = problem(seed, 9)
        covariance *= 0.1
        options = {"kind": kind, "side": side, "level": level, "draws": 1_500, "seed": seed}
        bootstrap = ranksets._bootstrap(estimates, covariance, "low", level, 1_500, seed)
        assert same(rank_bounds(estimates, covariance, **options), full_steps(bootstrap, kind, side, level))


def full_steps(bootstrap, kind, side, level) -> ranksets.Bounds:
    units = len(bootstrap.order)
    drawn = np.concatenate([block for _, block in bootstrap.blocks()], axis=1)
    # Units are sorted from worst to best, so a pair (k, j) says "k is better than j" where it is rejected.
    better = {j: {(k, j) for k in range(units) if k != j} for j in range(units)}
    worse = {j: {(j, k) for k in range(units) if k != j} for j in range(units)}
    wanted = {"two-sided": (better, worse), "lower": (better,), "upper": (worse,)}[side]
    families = [set().union(*(part[j] for part in wanted)) for j in range(units)]
    if kind == "simultaneous":
        families = [set().union(*families)] * units
    rejected = [steps(bootstrap, drawn, family, level) for family in families]
    order = np.argsort(bootstrap.order)
    lower = np.array([1 + len(rejected[j] & better[j]) if side != "upper" else 1 for j in range(units)])
    upper = np.array([units - len(rejected[j] & worse[j]) if side != "lower" else units for j in range(units)])
    return ranksets.Bounds(units - order, lower[order], upper[order])


def steps(bootstrap, drawn, family, level) -> set:
    left, rejected, new = set(family), set(), {None}
    while left and new:
        studentised = [(drawn[j] - drawn[k]) * np.abs(bootstrap.scale[j, k]) for j, k in sorted(left)]
        highest = np.sort(np.max(studentised, axis=0))
        critical = max(0, highest[int(np.ceil(level * (len(highest) + 1) - 1e-9)) - 1])
        new = {(j, k) for j, k in left if j > k and bootstrap.statistic[j, k] > critical}
        left, rejected = left - new, rejected | new
    return rejected


# --- what always holds ----------------------------------------------------------------------------

numbers = st.integers(-12, 12).map(lambda n: n / 4)


@st.composite
def problems(draw):
    """Estimates with many ties, and variances or a covariance, possibly without variance in places."""
    units = draw(st.integers(2, 7))
    estimates = np.array(draw(st.lists(numbers, min_size=units, max_size=units)))
    if draw(st.booleans()):
        return estimates, np.array(draw(st.lists(st.sampled_from([0, 0.01, 0.04, 1]), min_size=units, max_size=units)))
    factor = np.array(draw(st.lists(numbers, min_size=units * 3, max_size=units * 3))).reshape(units, 3)
    return estimates, factor @ factor.T * 0.05


options = st.fixed_dictionaries(
    {
        "best": st.sampled_from(ranksets.BEST),
        "level": st.sampled_from([0.1, 0.5, 0.9, 0.95]),
        "draws": st.sampled_from([1, 30, 400]),
        "seed": st.integers(0, 5),
    }
)
few = settings(max_examples=60, deadline=None)


@few
@given(problems(), options, st.sampled_from(ranksets.KINDS), st.sampled_from(ranksets.SIDES), st.booleans())
def test_sets_contain_the_minimum_rank_of_the_estimates(given_, options, kind, side, stepdown):
    estimates, covariance = given_
    found = rank_bounds(estimates, covariance, kind=kind, side=side, stepdown=stepdown, **options)
    better = np.less if options["best"] == "low" else np.greater
    assert found.rank.tolist() == [1 + int(better(estimates, own).sum()) for own in estimates]
    assert (found.lower >= 1).all() and (found.upper <= len(estimates)).all()
    assert (found.lower <= found.rank).all() and (found.rank <= found.upper).all()


@few
@given(problems(), options, st.booleans())
def test_marginal_inside_simultaneous_and_stepdown_inside_single_step(given_, options, stepdown):
    found = {
        (kind, stepdown): rank_bounds(*given_, kind=kind, stepdown=stepdown, **options)
        for kind in ranksets.KINDS
        for stepdown in (True, False)
    }
    assert inside(found["marginal", stepdown], found["simultaneous", stepdown])
    assert all(inside(found[kind, True], found[kind, False]) for kind in ranksets.KINDS)


@few
@given(problems(), options, st.booleans())
def test_one_sided_bounds_are_no_wider_and_equal_where_simultaneous(given_, options, stepdown):
    for kind in ranksets.KINDS:
        both, low, high = (
            rank_bounds(*given_, kind=kind, side=s, stepdown=stepdown, **options) for s in ranksets.SIDES
        )
        one_sided = ranksets.Bounds(both.rank, low.lower, high.upper)
        assert inside(one_sided, both)
        assert kind == "marginal" or inside(both, one_sided)
        assert (low.upper == len(both.rank)).all() and (high.lower == 1).all()


@few
@given(problems(), options)
def test_sets_grow_with_the_level(given_, options):
    for kind in ranksets.KINDS:
        found = [rank_bounds(*given_, kind=kind, **{**options, "level": level}) for level in (0.2, 0.6, 0.95)]
        assert inside(found[0], found[1]) and inside(found[1], found[2])


@few
@given(problems(), options)
def test_tau_best_and_worst_are_nested_and_mirror_one_another(given_, options):
    estimates, covariance = given_
    units = len(estimates)
    best = [tau_best(estimates, covariance, tau, **options) for tau in range(1, units + 1)]
    worst = [tau_worst(estimates, covariance, tau, **options) for tau in range(1, units + 1)]
    for sets in (best, worst):
        assert all((small <= large).all() for small, large in pairwise(sets))
        assert sets[-1].all()
    bounds = rank_bounds(estimates, covariance, kind="simultaneous", **options)
    assert all((chosen >= (bounds.rank <= tau)).all() for tau, chosen in enumerate(best, 1))
    assert all((chosen == (bounds.upper >= units + 1 - tau)).all() for tau, chosen in enumerate(worst, 1))


@few
@given(
    problems(),
    options,
    st.sampled_from(ranksets.KINDS),
    st.integers(-40, 40),
    st.sampled_from([2.0**-40, 0.5, 8, 2.0**60]),
)
def test_shift_scale_and_direction_change_nothing(given_, options, kind, shift, scale):
    estimates, covariance = given_
    found = rank_bounds(estimates, covariance, kind=kind, **options)
    assert same(found, rank_bounds(estimates + shift, covariance, kind=kind, **options))
    assert same(found, rank_bounds(estimates * scale, covariance * scale**2, kind=kind, **options))
    turned = {**options, "best": "high" if options["best"] == "low" else "low"}
    assert same(found, rank_bounds(-estimates, covariance, kind=kind, **turned))


@pytest.mark.parametrize("kind", ranksets.KINDS)
def test_order_of_the_units_changes_nothing(kind):
    estimates, covariance = problem(1, 5)
    covariance *= 0.1
    found = rank_bounds(estimates, covariance, kind=kind, draws=500)
    for order in map(list, permutations(range(5))):
        moved = rank_bounds(estimates[order], covariance[np.ix_(order, order)], kind=kind, draws=500)
        assert moved.lower.tolist() == found.lower[order].tolist()
        assert moved.upper.tolist() == found.upper[order].tolist()
        assert moved.rank.tolist() == found.rank[order].tolist()


@pytest.mark.parametrize("kind", ranksets.KINDS)
def test_memory_changes_nothing(kind):
    random = np.random.default_rng(5)
    estimates, covariance = random.normal(size=30), np.diag(random.uniform(0.001, 0.1, 30)) + 0.01
    found = [
        rank_bounds(estimates, covariance, kind=kind, draws=3_500, seed=9, memory_mb=limit)
        for limit in (1e-6, 0.2, 1, 1000)
    ]
    assert all(same(found[0], other) for other in found[1:])


def test_critical_values_are_the_same_for_any_memory():
    estimates, covariance = problem(2, 20)
    bootstrap = ranksets._bootstrap(estimates, covariance, "low", 0.95, 2_300, 4)
    kept = ranksets._keep(bootstrap, 100)
    assert bootstrap.kept is None and kept.kept is not None
    families = [ranksets._own_pairs(20, unit, "two-sided") for unit in range(20)]
    together = ranksets._critical_values(kept, families, 0.95, True)
    alone = [ranksets._critical_values(bootstrap, [family], 0.95, True)[0] for family in families]
    assert together.tolist() == alone


def test_a_thousand_draws_are_the_first_of_two_thousand():
    bootstraps = [ranksets._bootstrap(POINTS, VARIANCES, "low", 0.95, draws, 3) for draws in (1_000, 2_000)]
    short, long = (next(bootstrap.blocks())[1] for bootstrap in bootstraps)
    assert (short == long).all()


# --- certain and unknowable differences -----------------------------------------------------------


@pytest.mark.parametrize("kind", ranksets.KINDS)
@pytest.mark.parametrize("covariance", [np.zeros(4), np.zeros((4, 4)), np.ones((4, 4)) * 0.3, np.full((4, 4), 1e8 / 3)])
@pytest.mark.parametrize("draws", [1, 1_000])
def test_differences_without_variance_are_certain_and_ties_stay_open(kind, covariance, draws):
    found = rank_bounds(np.array([1, 2, 2, 2 + 1e-12]), covariance, kind=kind, draws=draws)
    assert found.rank.tolist() == [1, 2, 2, 4]
    assert found.lower.tolist() == [1, 2, 2, 4]
    assert found.upper.tolist() == [1, 3, 3, 4]


def test_identical_estimates_could_hold_any_rank():
    found = rank_bounds(np.full(6, 2.5), np.full(6, 0.1), kind="marginal", level=0.01)
    assert (found.rank == 1).all() and (found.lower == 1).all() and (found.upper == 6).all()


def test_an_error_that_all_units_share_does_not_matter():
    shared = np.diag(VARIANCES) + 1e9
    found = rank_bounds(POINTS, shared, best="high")
    assert ranksets._bootstrap(POINTS, shared, "high", 0.95, 10, 0).scale.dtype == np.float32
    assert same(found, rank_bounds(POINTS, VARIANCES, best="high"))


def test_sizes_far_apart_give_no_nan():
    found = rank_bounds(np.array([1.0, 2, 3, 4]), np.array([1, 1e-300, 1e-300, 1e200]))
    assert found.lower.tolist() == [1, 1, 2, 1] and found.upper.tolist() == [4, 3, 4, 4]


def test_too_few_draws_tell_nothing_apart():
    few, enough = (rank_bounds(np.arange(5.0), np.full(5, 1e-6), draws=draws) for draws in (18, 19))
    assert (few.lower == 1).all() and (few.upper == 5).all()
    assert enough.lower.tolist() == enough.upper.tolist() == [1, 2, 3, 4, 5]


def test_two_units():
    """The larger of a difference and its opposite has the two-sided normal critical value, here 1.96 errors."""
    for gap, apart in ((1.90, False), (2.02, True)):
        found = rank_bounds(np.array([0, gap]), np.full(2, 0.5), draws=100_000)
        assert found.upper.tolist() == ([1, 2] if apart else [2, 2])


# --- errors ---------------------------------------------------------------------------------------

GOOD = {"estimates": [1.0, 2, 3], "covariance": np.eye(3)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"estimates": [1.0], "covariance": [1.0]}, "at least two units"),
        ({"estimates": [], "covariance": []}, "at least two units"),
        ({"estimates": [[1.0, 2, 3]]}, "one-dimensional"),
        ({"covariance": np.eye(4)}, "shape"),
        ({"covariance": np.ones(2)}, "shape"),
        ({"estimates": [1, np.nan, 3]}, "estimates: 1 values are missing"),
        ({"covariance": np.full((3, 3), np.inf)}, "covariance: 9 values are missing or infinite"),
        ({"covariance": [1, 1, -1e-9]}, "negative"),
        ({"covariance": [[1, 0.1, 0], [0.2, 1, 0], [0, 0, 1]]}, "not symmetric"),
        ({"covariance": [[1, 2, 0], [2, 1, 0], [0, 0, 1]]}, "not positive semi-definite"),
        ({"covariance": -np.eye(3)}, "not positive semi-definite"),
        ({"level": 0}, "level"),
        ({"level": 1}, "level"),
        ({"level": float("nan")}, "level"),
        ({"draws": 0}, "draws"),
        ({"draws": 10.5}, "draws"),
        ({"seed": -1}, "seed"),
        ({"memory_mb": 0}, "memory_mb"),
        ({"kind": "both"}, "kind"),
        ({"side": "two"}, "side"),
        ({"best": "largest"}, "best"),
    ],
)
def test_bad_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        rank_bounds(**{**GOOD, **change})


@pytest.mark.parametrize("tau", [0, -1, 4, 1.5])
def test_tau_outside_the_units(tau):
    for choose in (tau_best, tau_worst):
        with pytest.raises(ValueError, match="tau"):
            choose(GOOD["estimates"], GOOD["covariance"], tau)


def test_rounding_errors_of_a_covariance_are_forgiven():
    nearly = np.ones((3, 3)) - np.eye(3) * 1e-12
    nearly[0, 1] += 1e-13
    rank_bounds([1.0, 2, 3], nearly)


# --- coverage -------------------------------------------------------------------------------------


def test_simultaneous_sets_cover_true_ranks_with_a_tie():
    """300 data sets; three Monte Carlo errors of a share of 0.95 are allowed below."""
    truth = np.array([0, 0, 0.5, 1, 1.5, 3, 3.1, 5])
    ranks = np.array([1, 1, 3, 4, 5, 6, 7, 8])
    random = np.random.default_rng(20250909)
    factor = random.normal(size=(8, 8)) * 0.2
    covariance = factor @ factor.T + np.eye(8) * 0.1
    data = random.multivariate_normal(truth, covariance, 300)
    found = [rank_bounds(x, covariance, kind="simultaneous", draws=1_000, seed=i) for i, x in enumerate(data)]
    covered = np.mean([((b.lower <= ranks) & (ranks <= b.upper)).all() for b in found])
    assert covered >= 0.95 - 3 * (0.05 * 0.95 / 300) ** 0.5


def test_naive_bootstrap_of_ranks_undercovers_near_ties():
    """Eight units within a hundredth of a standard error: percentile ranges of redrawn ranks miss the true best far
    more often than 1 time in 20; the marginal sets on the same data do not."""
    truth = np.arange(8) * 0.01
    random = np.random.default_rng(7)
    data = truth + random.normal(size=(300, 8))
    naive = own = 0
    for seed, x in enumerate(data):
        redrawn = x + random.normal(size=(500, 8))
        ranks = 1 + (redrawn[:, None, :] < redrawn[:, :1, None]).sum(axis=-1)[:, 0]
        low, high = np.quantile(ranks, [0.025, 0.975])
        naive += low <= 1 <= high
        bounds = rank_bounds(x, np.ones(8), draws=1_000, seed=seed)
        own += bounds.lower[0] <= 1 <= bounds.upper[0]
    assert naive / 300 < 0.85
    assert own / 300 >= 0.95 - 3 * (0.05 * 0.95 / 300) ** 0.5


# --- trusts ---------------------------------------------------------------------------------------


@pytest.fixture
def trusts():
    codes = ["RX3", "RX1", "RX2", "RX4"]
    return pd.Series([2.0, 1.5, 2.0, 3.0], codes), pd.Series([0.01, 0.01, 0.01, 0.0001], codes)


def test_table_of_trusts(trusts):
    found = rank_sets(*trusts)
    expected = pd.DataFrame(
        {
            "trust_code": ["RX1", "RX2", "RX3", "RX4"],
            "estimate": [1.5, 2.0, 2.0, 3.0],
            "rank": [1, 2, 2, 4],
            "lower": [1, 2, 2, 4],
            "upper": [1, 3, 3, 4],
        }
    )
    pd.testing.assert_frame_equal(found.table(), expected)
    assert (found.kind, found.level, found.draws, found.seed) == ("marginal", 0.95, 10_000, 0)


def test_trusts_are_matched_by_code(trusts):
    estimates, variances = trusts
    first = rank_sets(estimates, variances).table()
    codes = ["RX2", "RX4", "RX1", "RX3"]
    matrix = pd.DataFrame(np.diag(variances), variances.index, variances.index)
    for other in (variances[codes], matrix.loc[codes, codes[::-1]]):
        pd.testing.assert_frame_equal(rank_sets(estimates[codes[::-1]], other).table(), first)


def test_trusts_that_could_be_best_or_worst(trusts):
    found = rank_sets(*trusts, kind="simultaneous")
    assert found.tau_best(1) == ["RX1"] and found.tau_best(2) == ["RX1", "RX2", "RX3"]
    assert found.tau_worst(1) == ["RX4"] and found.tau_worst(2) == ["RX2", "RX3", "RX4"]
    with pytest.raises(ValueError, match="tau"):
        found.tau_best(5)
    with pytest.raises(ValueError, match="simultaneous"):
        rank_sets(*trusts).tau_best(1)
    with pytest.raises(ValueError, match="lower"):
        rank_sets(*trusts, kind="simultaneous", side="upper").tau_best(1)


def test_bad_tables_name_the_trusts(trusts):
    estimates, variances = trusts
    cases = [
        (estimates.replace(3.0, np.nan), variances, "estimates: missing for RX4"),
        (estimates, variances.replace(0.0001, np.nan), "variances: missing for RX4"),
        (estimates, variances.drop("RX2"), "nothing for RX2"),
        (estimates.drop("RX2"), variances, "no estimate for RX2"),
        (pd.concat([estimates, estimates[:1]]), variances, "more than one entry for RX3"),
        (estimates.to_numpy(), variances, "Series"),
    ]
    for first, second, message in cases:
        with pytest.raises(InputError, match=message):
            rank_sets(first, second)
