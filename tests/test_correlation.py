"""Correlations: pair by pair against scipy, the published figures, and draws against enumeration and scipy."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nofcore import correlation, framework, release
from nofcore.errors import InputError

ACUTE, AMBULANCE, MENTAL = "Acute trust", "Ambulance trust", "Mental health and community trust"
RULES = framework.for_quarter("Q1 2025/26")
SCIPY = {"spearman": stats.spearmanr, "kendall": stats.kendalltau, "pearson": stats.pearsonr}
METHODS = correlation.METHODS


@pytest.fixture(scope="module")
def first():
    return release.embedded().release("Q1 2025/26")


def table(rows: int, columns: int, seed: int, gaps: float = 0.2, decimals: int = 1) -> np.ndarray:
    """Random figures with gaps, and with ties where few decimals are kept."""
    random = np.random.default_rng(seed)
    found = np.round(random.normal(0, 1, (rows, columns)) + random.normal(0, 0.7, (rows, 1)), decimals)
    found[random.random(found.shape) < gaps] = np.nan
    return found


def pairs_of(columns: int) -> np.ndarray:
    return np.array(list(combinations(range(columns), 2)))


# --- published figures ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "coefficient", "n"),
    [("OF0013", "OF0023", 0.23, 123), ("OF0013", "OF0010", 0.16, 118), ("OF0023", "OF0010", 0.30, 118)],
)
def test_the_kings_fund_claim_against_the_methodology(first, a, b, coefficient, n):
    """Section 9 of the rules: four-hour A&E, 18-week and 28-day cancer in Q1 2025/26."""
    found = correlation.correlations(first, RULES, ACUTE, draws=10, metrics=[a, b]).pairs.iloc[0]
    assert (round(found["coefficient"], 2), found["n"]) == (coefficient, n)


def test_cancer_waits_go_together_on_values_and_on_scores(first):
    """62-day with 28-day: 0.48 on values, 0.46 on scores."""
    on = {
        name: correlation.correlations(first, RULES, ACUTE, on=name, draws=10, metrics=["OF0010", "OF0011"]).pairs
        for name in correlation.ON
    }
    assert round(on["values"]["coefficient"].iat[0], 2) == 0.48
    assert round(on["scores"]["coefficient"].iat[0], 2) == 0.46
    assert on["values"]["n"].iat[0] == on["scores"]["n"].iat[0] == 118


@pytest.mark.parametrize(
    ("method", "on"), [("spearman", "values"), ("kendall", "values"), ("pearson", "values"), ("spearman", "scores")]
)
def test_every_pair_against_scipy(first, method, on):
    found = correlation.correlations(first, RULES, ACUTE, method, on, draws=3)
    values, compared = found.aligned.values, 0
    for (a, b), row in found.pairs.iterrows():
        both = values[[a, b]].dropna()
        assert row["n"] == len(both)
        if not np.isnan(row["coefficient"]):
            assert row["coefficient"] == pytest.approx(SCIPY[method](both[a], both[b]).statistic, abs=1e-12)
            compared += 1
    assert compared == {"values": 190, "scores": 231}[on]


def test_acute_trusts_have_24_metrics_with_values(first):
    found = correlation.aligned(first, RULES, ACUTE)
    assert len(found.metrics) == 24
    assert found.metrics["n"].max() == 134
    assert "Inpatient survey" in " ".join(found.notes)  # of which only the score is published


# --- coefficients on arrays -----------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(METHODS), st.integers(0, 2))
def test_coefficients_against_scipy(seed, method, decimals):
    values = table(14, 4, seed, decimals=decimals)
    found = correlation.coefficients(values, pairs_of(4), method)[0]
    for (a, b), mine in zip(pairs_of(4), found, strict=True):
        both = values[:, [a, b]][~np.isnan(values[:, [a, b]]).any(axis=1)]
        if len(both) > 1 and (both != both[0]).any(axis=0).all():
            assert mine == pytest.approx(SCIPY[method](*both.T).statistic, abs=1e-12)
        else:
            assert np.isnan(mine)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(METHODS))
def test_a_weight_is_a_repeated_row(seed, method):
    values = table(12, 3, seed, decimals=0 if method == "kendall" else 1)
    weights = np.random.default_rng(seed).integers(0, 4, (12, 5))
    kind = float if method == "pearson" else np.float32
    found = correlation.coefficients(values, pairs_of(3), method, weights.astype(kind))
    for draw in range(5):
        repeated = np.repeat(values, weights[:, draw], axis=0)
        expected = correlation.coefficients(repeated, pairs_of(3), method)[0]
        assert found[draw] == pytest.approx(expected, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("method", METHODS)
def test_a_change_of_unit_changes_nothing(method):
    values = table(30, 3, 7)
    once = correlation.coefficients(values, pairs_of(3), method)
    again = correlation.coefficients(values * [1e-9, 1e9, 3] + [0, 5e9, -2], pairs_of(3), method)
    assert again == pytest.approx(once, abs=1e-6)


def test_midranks_share_the_mean_rank():
    ranks = correlation.midranks(np.array([3.0, 1.0, 3.0, 2.0]), np.ones((4, 1)))
    assert ranks[:, 0].tolist() == [3.5, 1.0, 3.5, 2.0]


# --- permutations and resamples -------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_permutations_against_every_order_there_is(method):
    """Six trusts, of which five have the second metric: all 720 orders hold each order of the five six times."""
    values = np.array([[1, 2], [2, 1], [3, 3], [3, 5], [5, 4], [4, np.nan]], dtype=float)
    orders = np.array(list(permutations(range(6))))
    both = values[:5]
    observed = abs(SCIPY[method](*both.T).statistic)
    shuffled = [abs(SCIPY[method](both[:, 0], both[list(order), 1]).statistic) for order in permutations(range(5))]
    expected = 6 * sum(value >= observed - 1e-9 for value in shuffled)
    assert correlation._as_far(values, np.array([[0, 1]]), method, orders).tolist() == [expected]
    assert 0 < expected < 720


@pytest.mark.parametrize("method", METHODS)
def test_p_values_against_scipys_permutation_test(method):
    values = table(30, 2, 3, gaps=0.1)
    both = values[~np.isnan(values).any(axis=1)]
    found = correlation.correlate(pd.DataFrame(values, columns=["a", "b"]), method=method, draws=4_000, seed=1).iloc[0]
    expected = stats.permutation_test(
        (both[:, 0],), lambda x: SCIPY[method](x, both[:, 1]).statistic, permutation_type="pairings",
        n_resamples=2_000, rng=5,
    ).pvalue  # fmt: skip
    assert 0.001 < found["p"] < 0.5
    assert found["p"] == pytest.approx(expected, abs=4 * np.sqrt(expected / 2_000))


@pytest.mark.parametrize("method", METHODS)
def test_intervals_against_scipys_bootstrap(method):
    values = table(60, 2, 11, gaps=0)
    found = correlation.correlate(pd.DataFrame(values, columns=["a", "b"]), method=method, draws=4_000, seed=1).iloc[0]
    expected = stats.bootstrap(
        tuple(values.T), lambda x, y: SCIPY[method](x, y).statistic, paired=True, vectorized=False, method="percentile",
        n_resamples=2_000, rng=5,
    ).confidence_interval  # fmt: skip
    assert (found["low"], found["high"]) == pytest.approx(tuple(expected), abs=0.04)
    assert found["low"] < found["coefficient"] < found["high"]
    assert 0 < found["low_error"] < 0.05


def test_draws_depend_on_the_seed_and_nothing_else():
    columns = pd.DataFrame(table(40, 4, 5), columns=list("abcd"))
    every = correlation.correlate(columns, draws=2_500, seed=9)
    alone = correlation.correlate(columns, [("c", "a")], draws=2_500, seed=9)
    figures = ["n", "coefficient", "low", "high", "low_error", "high_error", "p", "p_error", "undefined"]
    assert alone.loc[("c", "a"), figures].tolist() == every.loc[("a", "c"), figures].tolist()
    with ThreadPoolExecutor(2) as executor:
        spread = correlation.correlate(columns, draws=2_500, seed=9, executor=executor)
    pd.testing.assert_frame_equal(spread, every)
    assert not every[figures].equals(correlation.correlate(columns, draws=2_500, seed=10)[figures])


def test_resamples_hold_as_many_trusts_each():
    weights = correlation.trust_weights(np.random.default_rng(1), 500, 20)
    assert weights.shape == (20, 500)
    assert (weights.sum(axis=0) == 20).all()
    assert weights.mean() == 1


def test_quantiles_of_draws_by_hand():
    """Of 1 to 200, 2.5 % is the fifth and 97.5 % the 195th; of 1 to 190 the fifth (4.75) and the 186th (185.25)."""
    drawn = np.arange(1.0, 201)[:, None]
    found = correlation.percentile_interval(drawn)
    assert (found.low[0], found.high[0], found.undefined[0]) == (5, 195, 0)
    gone = np.where(drawn > 190, np.nan, drawn)
    found = correlation.percentile_interval(gone)
    assert (found.low[0], found.high[0], found.undefined[0]) == (5, 186, 0.05)
    assert np.isnan(correlation.percentile_interval(drawn[:99]).low[0])  # too few draws
    none = correlation.percentile_interval(np.where(drawn > 189, np.nan, drawn))
    assert np.isnan([none.low[0], none.high[0], none.low_error[0]]).all()
    with pytest.raises(InputError, match="level must lie between 0 and 1"):
        correlation.percentile_interval(drawn, 95)


def test_p_values_are_never_0():
    p, error = correlation.p_values(np.array([0, 99, 999]), 999)
    assert p.tolist() == [0.001, 0.1, 1.0]
    assert error[2] == 0


def test_adjustment_against_benjamini_and_hochberg_1995():
    """The 15 p-values of the paper's example, of which four are found at 0.05."""
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1.0,
    ]
    found = correlation.adjusted(np.array([*p, np.nan]))
    assert (found[:15] <= 0.05).sum() == 4
    assert found[0] == pytest.approx(0.0015)
    assert np.isnan(found[15])


# --- what has no figure ---------------------------------------------------------------------------


def test_what_cannot_be_judged_says_why():
    columns = pd.DataFrame(
        {
            "full": np.arange(12.0),
            "constant": np.ones(12),
            "few": [1, 2, 3, 4, *[np.nan] * 8],
            "five": [1, 2, 4, 3, 5, *[np.nan] * 7],
            "none": np.full(12, np.nan),
            "once": [1, *[0] * 11],
        }
    )
    names = {"constant": "beds", "none": "rates"}
    found = correlation.correlate(columns, method="spearman", draws=200, seed=1, names=names, whose="ambulance trusts")
    said = found["reason"]
    assert (
        said["full", "constant"]
        == "not available, because beds is the same for all 12 of the ambulance trusts that have both"
    )
    assert said["full", "few"] == "not available, because only 4 of the ambulance trusts have both (5 are needed)"
    assert said["full", "none"] == "not available, because none of the ambulance trusts has a figure of rates"
    assert said["full", "five"] == "interval not available, because 5 trusts are too few to resample (10 are needed)"
    assert said["full", "once"].startswith("interval not available, because 3")  # (11/12)^12 of the resamples lack it
    blank = found["coefficient"].isna()
    assert found.loc[blank, "reason"].str.startswith("not available, because ").all()
    assert found.loc[blank, ["low", "high", "p", "p_adjusted"]].isna().all(axis=None)
    assert found.loc[~blank, ["coefficient", "p", "p_adjusted"]].notna().all(axis=None)
    assert found.loc[found["low"].isna(), "reason"].ne("").all()


def test_no_pair_of_a_release_is_without_figure_or_reason(first):
    for trust_type, metrics in ((ACUTE, None), (AMBULANCE, ["OF0013", "OF0082", "OF0084"]), (MENTAL, None)):
        found = correlation.correlations(first, RULES, trust_type, draws=20, metrics=metrics).table()
        blank = found["coefficient"].isna()
        assert (found.loc[blank, "reason"].str.startswith("not available, because ")).all()
        assert not (found["coefficient"] == 0).any()
    lacking = correlation.correlations(first, RULES, AMBULANCE, draws=20, metrics=["OF0013", "OF0082"]).table()
    assert "none of the ambulance trusts has a value of Four-hour A&E in Q1 2025/26" in lacking["reason"].iat[0]


def test_a_metric_without_values_is_named(first):
    found = correlation.aligned(first, RULES, ACUTE, metrics=["OF1046", "OF0013"])
    assert found.metrics.at["OF1046", "missing"] == "only the score of Hospital mortality is published, no value"


def test_one_pair_without_figures_is_not_a_test():
    columns = pd.DataFrame({"a": np.arange(20.0), "b": np.arange(20.0)[::-1], "c": np.ones(20)})
    found = correlation.correlate(columns, draws=99, seed=1)
    assert found.loc[("a", "b"), "p_adjusted"] == found.loc[("a", "b"), "p"] == 0.01


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "cosine"}, "the method must be one of spearman, kendall, pearson, not 'cosine'"),
        ({"on": "ranks"}, "on must be one of values, scores, not 'ranks'"),
        ({"metrics": ["OF9999"]}, "no metric 'OF9999' in the rules of 2025/26"),
        ({"draws": 0}, "draws must be at least 1, not 0"),
        ({"seed": -1}, "seed must be a whole number from 0"),
    ],
)
def test_bad_options(first, change, message):
    with pytest.raises(InputError, match=message):
        correlation.correlations(first, RULES, ACUTE, **{"draws": 10, **change})


def test_infinite_figures_and_unknown_columns_are_refused():
    columns = pd.DataFrame({"a": [1.0, np.inf, 2], "b": [1.0, 2, 3]})
    with pytest.raises(InputError, match="infinite"):
        correlation.correlate(columns)
    with pytest.raises(KeyError, match="no column 'z'"):
        correlation.correlate(columns.replace(np.inf, 3), [("a", "z")])


# --- figures turned so that high is good ----------------------------------------------------------


def test_high_is_good_for_every_metric(first):
    """From the largest figure of a metric to the smallest the published rank never falls, whichever way values run.
    (Where there is a standard, all who meet it share rank 1; E. coli and C. difficile rank counts among the
    rates.)"""
    published = first.observations.set_index(["metric_id", "trust_code"])["rank"]
    for method in METHODS:
        found = correlation.aligned(first, RULES, ACUTE, "values", method)
        for metric_id, column in found.values.items():
            if not RULES.find(metric_id).unit:
                ranks = published[metric_id].reindex(column.dropna().sort_values(ascending=False, kind="stable").index)
                assert ranks.groupby(column).min().sort_index(ascending=False).is_monotonic_increasing, metric_id
    better = found.metrics["better"]
    assert set(better) == {"low", "high"}


def test_high_is_good_on_scores(first):
    found = correlation.aligned(first, RULES, ACUTE, "scores").values["OF1013"]
    assert (found.max(), found.min()) == (-1, -4)


def test_equal_values_are_ordered_by_published_rank(first):
    rows = first.observations[first.observations["metric_id"] == "OF0010"]
    rows = rows[rows["trust_code"].map(first.trusts["trust_type"]) == ACUTE]
    equal = rows[rows.duplicated("value", keep=False)].sort_values(["value", "rank"])
    one, other = equal.iloc[0], equal.iloc[1]
    assert one["value"] == other["value"]
    assert one["rank"] < other["rank"]
    column = correlation.aligned(first, RULES, ACUTE).values["OF0010"]
    assert column[one["trust_code"]] > column[other["trust_code"]]
    # Without published ranks the two are a tie.
    blank = replace(first, observations=first.observations.assign(rank=np.nan))
    column = correlation.aligned(blank, RULES, ACUTE).values["OF0010"]
    assert column[one["trust_code"]] == column[other["trust_code"]]


def test_counts_do_not_mix_with_rates(first):
    """Four acute trusts publish E. coli as a count."""
    found = correlation.aligned(first, RULES, ACUTE)
    assert found.metrics.at["OF0048", "n"] == 130
    assert "E. coli: 4 trusts with a count instead of the rate of the others left out" in found.notes
    assert correlation.aligned(first, RULES, ACUTE, "scores").metrics.at["OF1048", "n"] == 134


# --- tables ---------------------------------------------------------------------------------------


def test_table_and_matrix_hold_the_same_figures(first):
    found = correlation.correlations(first, RULES, AMBULANCE, draws=50)
    long, square, counts = found.table(), found.matrix(), found.counts()
    assert list(square) == list(found.aligned.metrics.index)
    assert np.diag(square).tolist() == [1.0] * 9
    for row in long.itertuples():
        assert square.at[row.metric_a, row.metric_b] == square.at[row.metric_b, row.metric_a] == row.coefficient
        assert counts.at[row.metric_a, row.metric_b] == row.n == 10
    assert long["coefficient"].abs().is_monotonic_decreasing
    assert correlation.plain(found.aligned.values).equals(square)
