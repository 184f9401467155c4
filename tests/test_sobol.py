"""Sobol indices: against analytic ones, scipy's bootstrap, and tables built one by one."""

import math
from functools import lru_cache
from itertools import product

import numpy as np
import pytest
from scipy import stats

from nofcore import framework, league, release, scenarios, sobol
from nofcore.errors import InputError
from nofcore.scenarios import Factor
from tests.figures import rebuilt_of

ACUTE, AMBULANCE, MENTAL = "Acute trust", "Ambulance trust", "Mental health and community trust"
Q1, Q2 = "Q1 2025/26", "Q2 2025/26"
RULES = framework.for_quarter(Q1)
SHIPPED = {scenario.key: scenario for scenario in scenarios.shipped()}


@lru_cache
def rebuilt(quarter: str) -> league.LeagueTable:
    return rebuilt_of(quarter)


@lru_cache
def of_weights() -> sobol.Indices:
    return sobol.weights(rebuilt(Q1), "acute", n=64, seed=3)


@lru_cache
def of_methods() -> sobol.Indices:
    return sobol.methods(sobol.cross(release.embedded().release(Q1), RULES), ACUTE, n=512, seed=3)


# --- known models ---------------------------------------------------------------------------------


def test_an_additive_model_against_the_analytic_indices():
    """y = x1 + 2 x2 + 3 x3, uniform and independent: each explains its squared coefficient over 14, alone and in all."""
    coefficients = np.array([1.0, 2.0, 3.0])
    found = sobol.estimate(lambda x: coefficients @ x, [stats.uniform()] * 3, 1_024, 1)
    analytic = coefficients**2 / (coefficients**2).sum()
    assert (found.first_low[0] <= analytic).all() and (analytic <= found.first_high[0]).all()
    assert (found.total_low[0] <= analytic).all() and (analytic <= found.total_high[0]).all()
    assert found.first[0] == pytest.approx(analytic, abs=0.02)
    assert (found.first_high - found.first_low < 0.25).all()


def test_the_ishigami_function_against_its_analytic_indices():
    """With a = 7, b = 0.1: first order 0.3139, 0.4424, 0; total 0.5576, 0.4424, 0.2437 (Ishigami and Homma 1990)."""

    def model(x):
        return np.sin(x[0]) + 7 * np.sin(x[1]) ** 2 + 0.1 * x[2] ** 4 * np.sin(x[0])

    found = sobol.estimate(model, [stats.uniform(-math.pi, 2 * math.pi)] * 3, 4_096, 2)
    assert found.first[0] == pytest.approx([0.3139, 0.4424, 0], abs=0.02)
    assert found.total[0] == pytest.approx([0.5576, 0.4424, 0.2437], abs=0.02)


def test_intervals_against_scipy():
    """The percentile intervals here beside the bias-corrected ones of scipy's own bootstrap, on the same model."""

    def model(x):
        return x[0] + x[1] * x[2] + 0.3 * x[2]

    found = sobol.estimate(model, [stats.uniform()] * 3, 512, 5)
    scipy = stats.sobol_indices(func=model, n=512, dists=[stats.uniform()] * 3, rng=5).bootstrap()
    for ours, theirs in (
        (found.first_high - found.first_low, scipy.first_order.confidence_interval),
        (found.total_high - found.total_low, scipy.total_order.confidence_interval),
    ):
        assert ours[0] == pytest.approx(theirs.high - theirs.low, rel=0.3)


def test_several_outputs_and_one_that_never_varies():
    found = sobol.estimate(lambda x: np.stack([x[0], x[1], 0 * x[0] + 7]), [stats.uniform()] * 2, 256, 1, intervals=3)
    assert found.total[:2] == pytest.approx(np.eye(2), abs=0.02)
    assert np.isnan(found.total[2]).all() and np.isnan(found.first_low[2]).all()
    assert found.first_low.shape == (3, 2)
    one = sobol.estimate(lambda x: x[0], [stats.uniform()], 256, 1)
    assert one.first[0] == pytest.approx([1], abs=0.02)


def test_all_draws_are_kept_in_the_order_in_which_they_were_made():
    """Two base samples, and for each draw of the first one with each factor from the second."""
    found = sobol.estimate(lambda x: x[0] + x[1], [stats.uniform()] * 2, 8, 1)
    assert found.inputs.shape == (2, 8 * 4) and found.outputs.shape == (1, 8 * 4)
    assert found.outputs[0] == pytest.approx(found.inputs.sum(axis=0))
    first, second, swapped = found.inputs[:, :8], found.inputs[:, 8:16], found.inputs[:, 16:]
    assert swapped[0, 0::2].tolist() == second[0].tolist() and swapped[1, 0::2].tolist() == first[1].tolist()
    assert swapped[1, 1::2].tolist() == second[1].tolist() and swapped[0, 1::2].tolist() == first[0].tolist()


def test_exact_indices_of_choices_by_hand():
    """y = a + 10 b + 100 a b over a, b in {0, 1}: variance of 0, 1, 10, 111; a alone 0.0 or 5 on average, ..."""
    table = np.array([[[0.0], [10.0]], [[1.0], [111.0]]])
    first, total = sobol.exact(table)
    variance = np.var([0, 10, 1, 111])
    by_a, by_b = np.var([5, 56]), np.var([0.5, 60.5])
    assert first[0] == pytest.approx([by_a / variance, by_b / variance])
    assert total[0] == pytest.approx([1 - by_b / variance, 1 - by_a / variance])


def test_sampled_choices_agree_with_the_exact_ones():
    table = np.random.default_rng(1).normal(size=(3, 2, 4, 1))
    first, total = sobol.exact(table)
    found = sobol.estimate(lambda x: table[tuple(x.astype(int))].T, [sobol.Choice(k) for k in (3, 2, 4)], 4_096, 1)
    assert found.first[0] == pytest.approx(first[0], abs=0.03)
    assert found.total[0] == pytest.approx(total[0], abs=0.03)


def test_choices_are_equally_likely():
    shares = (np.arange(1_200) + 0.5) / 1_200
    assert np.bincount(sobol.Choice(3).ppf(shares).astype(int)).tolist() == [400, 400, 400]
    assert sobol.Choice(3).ppf(np.array([0.0, 1.0])).tolist() == [0, 2]


@pytest.mark.parametrize("n", [0, 1, 3, 1_000])
def test_samples_must_be_a_power_of_2(n):
    with pytest.raises(InputError, match="must be a power of 2"):
        sobol.weights(rebuilt(Q1), ACUTE, n=n)


# --- weights --------------------------------------------------------------------------------------


def test_acute_trusts_have_25_weights():
    found = of_weights()
    assert len(found.factors) == 25
    assert found.draws.shape == (64 * 27, 25 + 1 + 134)
    low, high = found.draws[list(found.factors)].min().min(), found.draws[list(found.factors)].max().max()
    assert 0.5 <= low < 0.52 and 1.48 < high <= 1.5
    assert "each weight drawn evenly within ± 50 % of the official one" in found.notes[0]


def test_ranks_of_the_draws_against_tables_built_by_weight():
    found = of_weights()
    figures = release.embedded().release(Q1)
    codes = list(found.trusts.index)
    for _, row in found.draws.iloc[[0, 70, 500, 1_700]].iterrows():
        weights = {name: float(row[name]) for name in found.factors}
        own = scenarios.Scenario(key="own", name="o", question="?", changes=scenarios.Changes(weights=weights))
        ranks = league.build(figures, scenarios.apply(RULES, own)).trusts["rank"].reindex(codes)
        assert (ranks == row[codes].astype(int)).all()
        assert row["mean_change"] == pytest.approx((ranks - found.trusts["rank"]).abs().mean())


def test_tables_of_indices():
    table = of_weights().table()
    assert len(table) == 25
    assert table["total_order"].is_monotonic_decreasing
    assert (table["total_order_low"] <= table["total_order_high"]).all()
    trusts = of_weights().trust_table()
    assert len(trusts) == 134
    ranks = of_weights().draws[list(trusts.index)]
    assert (trusts["best_rank"] == ranks.min()).all() and (trusts["worst_rank"] == ranks.max()).all()
    shares = trusts[list(of_weights().factors)]
    assert shares.loc["RCX"].isna().all() == (ranks["RCX"].nunique() == 1)


def test_weights_of_a_type_are_those_of_its_items():
    found = sobol.weights(rebuilt(Q1), "ambulance", n=16)
    items = rebuilt(Q1).items.values.loc[found.trusts.index]
    assert set(found.factors) == set(items.columns[items.notna().any()])


@pytest.mark.parametrize("within", [0, -1, 101])
def test_bad_ranges_of_weights(within):
    with pytest.raises(InputError, match="from above 0 to 100"):
        sobol.weights(rebuilt(Q1), ACUTE, within=within, n=16)


def test_a_type_without_metric_rows_is_refused():
    with pytest.raises(InputError, match="Acute trust: no metric scores are at hand"):
        sobol.weights(rebuilt(Q2), ACUTE, n=16)
    with pytest.raises(InputError, match="no trust type 'dental'"):
        sobol.weights(rebuilt(Q2), "dental", n=16)


# --- choices of method ----------------------------------------------------------------------------


def test_every_combination_is_in_the_table_of_draws():
    found = of_methods()
    levels = [len(names) for names in found.levels.values()]
    assert len(found.draws) == math.prod(levels) == 1_728
    names = found.draws[list(found.factors)]
    assert names.drop_duplicates().shape == (1_728, 8)
    official = found.draws[(names == "Official rules").all(axis=1)]
    assert official["mean_change"].tolist() == [0]
    assert (official[list(found.trusts.index)].iloc[0] == found.trusts["rank"]).all()


def test_combinations_against_tables_built_one_by_one():
    """A random dozen of all 1,728: apply the scenarios to the rules and build."""
    found, figures = of_methods(), release.embedded().release(Q1)
    by_name = {scenario.name: scenario for scenario in SHIPPED.values()}
    for _, row in found.draws.sample(12, random_state=1).iterrows():
        chosen = [by_name[name] for name in row[list(found.factors)] if name != "Official rules"]
        ranks = league.build(figures, scenarios.apply(RULES, *chosen)).trusts["rank"].reindex(found.trusts.index)
        assert (ranks == row[list(found.trusts.index)].astype(int)).all()


def test_sampled_indices_agree_with_those_of_all_combinations():
    table = of_methods().table()
    assert (table["first_order"] - table["exact_first_order"]).abs().max() < 0.06
    assert (table["total_order"] - table["exact_total_order"]).abs().max() < 0.06
    inside = (table["total_order_low"] <= table["exact_total_order"]) & (
        table["exact_total_order"] <= table["total_order_high"]
    )
    assert inside.sum() >= 7
    assert table["exact_first_order"].sum() <= 1 + 1e-9 <= table["exact_total_order"].sum() + 2e-9


def test_indices_of_a_trust_by_plain_means():
    """First-order and total indices of one trust's rank from the table of draws, with pandas."""
    found = of_methods()
    code = "RJ2"
    ranks = found.draws[code]
    for kind in ("first", "total"):
        shares = found.trust_table(kind).loc[code]
        for factor in found.factors:
            others = [name for name in found.factors if name != factor]
            names = [found.draws[name] for name in ([factor] if kind == "first" else others)]
            explained = ranks.groupby(names).transform("mean").var(ddof=0)
            expected = explained if kind == "first" else ranks.var(ddof=0) - explained
            assert shares[factor] == pytest.approx(expected / ranks.var(ddof=0))


def test_choices_that_the_figures_do_not_allow_are_named():
    found = sobol.methods(sobol.cross(release.embedded().release(Q2), RULES), MENTAL, n=16)
    assert set(found.factors) == {factor.key for factor in scenarios.factors()} - {"scoring", "standards"}
    said = " ".join(found.notes)
    assert "Spread of scores was left out of the choices: Q2 2025/26: scores cannot be recomputed" in said
    assert "134 trusts without metric rows stand at their published averages" in said


@pytest.mark.parametrize(
    ("factors", "said"),
    [
        ([Factor(key="x", name="X", alternatives=("nought",))], "choice 'x': no scenario 'nought'; there are z-scores"),
        ([Factor(key="x", name="X", alternatives=("median", "no-override"))], "choice 'x' changes aggregation, override: more than one step"),
        ([Factor(key="x", name="X", alternatives=("average-not-rounded",))], "decimals cannot be crossed"),
        ([], "no choice is named"),
        ([Factor(key=f"x{k}", name="X", alternatives=("no-override", "cap-at-2")) for k in range(10)], "59,049 combinations are more than 20,000"),
    ],
)  # fmt: skip
def test_bad_choices(factors, said):
    with pytest.raises(InputError, match=said):
        sobol.cross(release.embedded().release(Q1), RULES, factors)


def test_choices_of_one_s_own():
    own = scenarios.Scenario(key="own", name="Own", question="?", changes=scenarios.Changes(leave_out=("OF1082",)))
    factors = [Factor(key="a", name="A", alternatives=("own",)), Factor(key="b", name="B", alternatives=("median",))]
    crossed = sobol.cross(release.embedded().release(Q1), RULES, factors, [own, SHIPPED["median"]])
    found = sobol.methods(crossed, AMBULANCE, n=16)
    assert [tuple(row) for row in found.draws[["a", "b"]].to_numpy()] == list(
        product(("Official rules", "Own"), ("Official rules", "Median instead of mean"))
    )
