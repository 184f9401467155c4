"""Funnel plots: limits by hand, by scipy and against what the league table shows."""

from functools import lru_cache
from math import comb, sqrt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nofcore import activity, framework, funnel, league, release
from nofcore.errors import InputError

Q1, ACUTE = "Q1 2025/26", "Acute trust"
RULES = framework.for_quarter(Q1)
METRICS = {metric.value: metric for metric in RULES.metric if metric.value}
HIGH, LOW = METRICS["OF0023"], METRICS["OF0014"]
# Deaths and operations on children's hearts in 12 hospitals: example "Surgical" of the BUGS manual, volume 1.
DEATHS = np.array([0, 18, 8, 46, 8, 13, 9, 31, 14, 8, 29, 24])
OPERATIONS = np.array([47, 148, 119, 810, 211, 196, 148, 215, 207, 97, 256, 360])


@lru_cache
def rebuilt() -> league.LeagueTable:
    return league.build(release.embedded().release(Q1), RULES)


@lru_cache
def embedded(method: str = "multiplicative") -> dict[str, funnel.Funnel]:
    return funnel.funnels(release.embedded().release(Q1), RULES, method=method)


def surgical(metric=LOW, method="multiplicative") -> funnel.Funnel:
    codes = list("ABCDEFGHIJKL")
    return funnel.funnel(pd.Series(DEATHS, codes), pd.Series(OPERATIONS, codes), metric, method)


# --- arrays ---------------------------------------------------------------------------------------


def test_binomial_limit_by_hand():
    """Ten coins, tail 2.5 %: P(R <= 1) = 11/1024, P(R <= 2) = 56/1024, so r = 2 and
    a = (56/1024 - 0.025) / (45/1024) = 0.67556; the limit is (2 - a) / 10 = 0.13244."""
    found = funnel.binomial_limits(np.array([10]), 0.5, stats.norm.ppf(0.975))
    assert found[0][0] == pytest.approx(0.132444, abs=1e-6)


def slow_limit(n: int, target: float, tail: float) -> float:
    """The appendix of Spiegelhalter (2005), count by count."""
    below = 0.0
    for r in range(n + 1):
        here = comb(n, r) * target**r * (1 - target) ** (n - r)
        if below + here >= tail:
            return (r - (below + here - tail) / here) / n
        below += here
    return 1.0


@given(st.integers(1, 300), st.floats(0.02, 0.98), st.sampled_from([2, 3]))
@settings(max_examples=80, deadline=None)
def test_binomial_limits_equal_a_count_by_count_sum(n, target, sd):
    low, high = funnel.binomial_limits(np.array([n]), target, sd)
    # A tail that falls on a whole count may be told either way; the interpolated limit is the same up to its error.
    assert low[0] == pytest.approx(slow_limit(n, target, stats.norm.cdf(-sd)), abs=1e-6 + 1e-9 * n)
    assert high[0] == pytest.approx(slow_limit(n, target, stats.norm.cdf(sd)), abs=1e-6 + 1e-9 * n)


def test_exact_limits_approach_the_normal_ones():
    n, target = np.array([200_000]), 0.3
    exact, normal = funnel.binomial_limits(n, target, 3), funnel.normal_limits(target * (1 - target) / n, target, 3)
    np.testing.assert_allclose(exact, normal, rtol=0, atol=2 / 200_000)


def test_few_trusts_lie_outside_by_chance():
    """Shares drawn from one and the same chance: about 4.6 % beyond 2 and 0.3 % beyond 3 standard deviations."""
    random = np.random.default_rng(1)
    n = random.integers(500, 5_000, 20_000)
    drawn = random.binomial(n, 0.2) / n
    for sd, expected in ((2, 2 * stats.norm.cdf(-2)), (3, 2 * stats.norm.cdf(-3))):
        low, high = funnel.binomial_limits(n, 0.2, sd)
        assert ((drawn < low) | (drawn > high)).mean() == pytest.approx(expected, rel=0.25)
    assert funnel.dispersion((drawn - 0.2) / np.sqrt(0.16 / n), 0) == pytest.approx(1, abs=0.05)


def test_winsorised_dispersion_by_hand():
    """z = -5 ... 5: the 10 % quantiles are -4 and 4, the squares 16 16 9 4 1 0 1 4 9 16 16 add up to 92."""
    z = np.arange(-5, 6, dtype=float)
    assert funnel.winsorise(z).tolist() == [-4, -4, -3, -2, -1, 0, 1, 2, 3, 4, 4]
    assert funnel.dispersion(z) == pytest.approx(92 / 11)


def test_between_variance_by_hand():
    """Three equal variances v: (3 phi - 2) / (3/v - 1/v) = v (3 phi - 2) / 2, and none for phi up to 2/3."""
    assert funnel.between_variance(3 * 4.0, np.full(3, 0.5)) == pytest.approx(0.5 * 10 / 2)
    assert funnel.between_variance(3 * 2 / 3, np.full(3, 0.5)) == 0


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=60))
def test_winsorising_draws_in_the_ends_and_nothing_else(z):
    z = np.array(z)
    found = funnel.winsorise(z)
    assert found.min() >= z.min() and found.max() <= z.max()
    moved = found != z
    assert (found[moved & (z > np.median(z))] < z[moved & (z > np.median(z))]).all()
    assert moved.sum() <= 2 * np.ceil(0.1 * (len(z) - 1))
    assert (funnel.winsorise(z, 0.0) == z).all()


# --- the funnel of a metric -----------------------------------------------------------------------


def test_funnel_of_the_surgical_example():
    """208 deaths in 2,814 operations: hospital H (31 of 215) lies beyond 3 standard deviations, B and K beyond 2."""
    found = surgical()
    table = found.table()
    assert found.target == pytest.approx(100 * 208 / 2814)
    p = 208 / 2814
    assert table.loc["H", "z"] == pytest.approx((31 / 215 - p) / sqrt(p * (1 - p) / 215))
    assert table["outside"].to_dict() == dict.fromkeys("ACDEFGIJL", 0) | {"B": 2, "K": 2, "H": 3}
    assert table["outside"].to_dict() == {code: int(slow_outside(code)) for code in "ABCDEFGHIJKL"}
    assert table.loc["H", "better"] == "worse" and surgical(HIGH).table().loc["H", "better"] == "better"


def slow_outside(code: str) -> int:
    """By the binomial distribution summed count by count."""
    place = "ABCDEFGHIJKL".index(code)
    n, share, p = int(OPERATIONS[place]), DEATHS[place] / OPERATIONS[place], 208 / 2814
    found = 0
    for sd in (2, 3):
        if share < slow_limit(n, p, stats.norm.cdf(-sd)):
            found = -sd
        if share > slow_limit(n, p, stats.norm.cdf(sd)):
            found = sd
    return found


@pytest.mark.parametrize("method", funnel.METHODS)
def test_overdispersion_widens_the_limits_and_leaves_fewer_outside(method):
    for found in (*embedded(method).values(), surgical(method=method)):
        table = found.table()
        assert (table["outside_overdispersed"].abs() <= table["outside"].abs()).all()
        assert (table["z_overdispersed"].abs() <= table["z"].abs() + 1e-12).all()
        assert found.phi > 1 and table.notna().all(axis=None)


def test_without_overdispersion_the_exact_limits_stay():
    """Shares nearer to each other than chance would have them: phi below 1."""
    codes = list("ABCD")
    found = funnel.funnel(pd.Series([50, 51, 49, 50], codes), pd.Series([100] * 4, codes), HIGH)
    table = found.table()
    assert found.phi < 1 and (table["high_3"] == table["high_3_overdispersed"]).all()
    assert not table["outside"].any()


def test_limits_to_draw_equal_those_of_the_trusts():
    found = embedded()["OF0011"]
    table = found.table()
    drawn = found.limits(table["denominator"])
    assert drawn.index.tolist() == activity.trials(table["denominator"]).tolist()
    assert (drawn.to_numpy() == table[drawn.columns].to_numpy()).all()


def test_summary_counts_trusts_by_direction():
    table = funnel.summary(embedded())
    assert table["trusts"].to_dict() == {
        "OF0003": 131, "OF0023": 131, "OF0010": 118, "OF0011": 118, "OF0013": 123, "OF0014": 98,
    }  # fmt: skip
    rows = embedded()["OF0014"].table()  # long waits: low is better
    assert table.loc["OF0014", "better_3"] == (rows["outside"] == -3).sum()
    assert table.loc["OF0014", "worse_3"] == (rows["outside"] == 3).sum()
    assert (table["better_2"] >= table["better_3"]).all()
    # Counts this large leave hardly a trust inside the limits of chance alone, and overdispersed ones few outside.
    assert ((table["better_2"] + table["worse_2"]) / table["trusts"] > 0.7).all()
    assert ((table["better_2_overdispersed"] + table["worse_2_overdispersed"]) / table["trusts"] < 0.15).all()


@pytest.mark.parametrize("share", [0, 40, 100])
def test_equal_shares_are_a_funnel_with_nobody_outside(share):
    codes = ["A", "B", "C"]
    found = funnel.funnel(pd.Series([share, 2 * share, 3 * share], codes), pd.Series([100, 200, 300], codes), LOW)
    table = found.table()
    assert not table["outside"].any() and not table["z"].any() and (table["better"] == "").all()
    assert table.notna().all(axis=None)


@pytest.mark.parametrize(
    ("numerators", "denominators", "message"),
    [
        ([1], [2], "needs two trusts"),
        ([1, 0], [2, 0], "above zero"),
        ([1, 3], [2, 2], "above zero and numerators within"),
        ([1, np.nan], [2, 2], "above zero"),
    ],
)
def test_counts_that_make_no_sense_are_errors(numerators, denominators, message):
    codes = list("AB")[: len(numerators)]
    with pytest.raises(InputError, match=message):
        funnel.funnel(pd.Series(numerators, codes), pd.Series(denominators, codes), LOW)
    with pytest.raises(InputError, match="method must be"):
        surgical(method="other")


# --- the funnel of the average --------------------------------------------------------------------


def test_eight_of_the_acute_top_ten_have_few_items():
    found = funnel.average_funnel(rebuilt(), ACUTE)
    table = found.table()
    top = table[table["rank"] <= 10]
    assert (len(top), int(top["n_items"].between(8, 12).sum()), table["n_items"].median()) == (10, 8, 17)
    assert top["n_items"].median() == 11


def slow_within_sd(items) -> float:
    squares, spare = 0.0, 0
    for row in items:
        present = [x for x in row if not np.isnan(x)]
        if present:
            squares += sum((x - sum(present) / len(present)) ** 2 for x in present)
            spare += len(present) - 1
    return sqrt(squares / spare)


def test_average_funnel_equals_plain_loops():
    found = funnel.average_funnel(rebuilt(), ACUTE)
    table = found.table()
    items = rebuilt().items.values.loc[table.index].to_numpy()
    assert found.item_sd == pytest.approx(slow_within_sd(items))
    every = [x for row in items for x in row if not np.isnan(x)]
    assert found.target == pytest.approx(sum(every) / len(every))
    for row, (_, trust) in zip(items, table.iterrows(), strict=True):
        mine = [x for x in row if not np.isnan(x)]
        expected = slow_within_sd(items) / sqrt(len(mine))
        assert trust["z"] == pytest.approx((sum(mine) / len(mine) - found.target) / expected)
    limits = found.limits(table["n_items"])
    assert (limits.to_numpy() == table[limits.columns].to_numpy()).all()


def test_items_drawn_at_random_stay_within_the_funnel():
    """Averages of items drawn from one heap spread as the funnel expects, whatever their number."""
    random = np.random.default_rng(2)
    items = random.uniform(1, 4, (4_000, 20))
    items[np.arange(20) >= random.integers(5, 21, 4_000)[:, None]] = np.nan
    sd = funnel.within_sd(items)
    assert sd == pytest.approx(3 / sqrt(12), rel=0.01)
    z = (np.nanmean(items, axis=1) - 2.5) / (sd / np.sqrt((~np.isnan(items)).sum(axis=1)))
    assert z.std() == pytest.approx(1, abs=0.03)


def test_too_few_items_are_errors():
    with pytest.raises(ValueError, match="two items"):
        funnel.within_sd(np.array([[1.0, np.nan], [np.nan, 2.0]]))
    with pytest.raises(InputError, match="needs two trusts with items, not 0"):
        funnel.average_funnel(league.build(release.embedded().release("Q4 2025/26"), RULES), ACUTE)
