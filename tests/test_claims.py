"""A claim put to the test: quartiles and their counts against pandas and scipy."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nofcore import claims, correlation, framework, release
from nofcore.errors import InputError

ACUTE, AMBULANCE = "Acute trust", "Ambulance trust"
RULES = framework.for_quarter("Q1 2025/26")
TEXT = (framework.FOLDER / "2025-26.toml").read_text("utf-8")


@pytest.fixture(scope="module")
def first():
    return release.embedded().release("Q1 2025/26")


@pytest.fixture(scope="module")
def tested(first):
    return claims.put_to_the_test(first, RULES, ACUTE, draws=400, seed=3)[0]


def test_the_kings_fund_claim_in_the_rules(tested):
    """The figures of section 9 of the rules, in the order of the claim."""
    rows = tested.correlations.pairs
    assert rows["coefficient"].round(2).tolist() == [0.23, 0.16, 0.30]
    assert rows["n"].tolist() == [123, 118, 118]
    assert tested.claim.who == "The King's Fund, September 2025"
    assert tested.left_out == ()


def test_quartiles_by_hand():
    """Of seven: 1, 2 | 3, 4 | 5, 6 | 7; tied trusts are in the better quartile of the two."""
    assert claims.quartiles(np.arange(1, 8)).tolist() == [1, 1, 2, 2, 3, 3, 4]
    assert claims.quartiles(np.array([1, 2, 2, 2, 5, 6, 6, 8])).tolist() == [1, 1, 1, 1, 3, 3, 3, 4]


def test_counts_by_quartile_against_the_published_values(first, tested):
    """With pandas alone, on the values and ranks as published."""
    rows = first.observations[first.observations["trust_code"].map(first.trusts["trust_type"]) == ACUTE]
    wide = rows.pivot(index="trust_code", columns="metric_id", values=["value", "rank"])
    for table, (a, b) in zip(
        tested.tables, [("OF0013", "OF0023"), ("OF0013", "OF0010"), ("OF0023", "OF0010")], strict=True
    ):
        both = wide[[("value", a), ("value", b), ("rank", a), ("rank", b)]].dropna()
        quartile = {}
        for metric in (a, b):  # high is good for all three; equal values in the order of their published rank
            keys = list(zip(-both["value", metric], both["rank", metric], strict=True))
            place = [1 + sum(other < key for other in keys) for key in keys]
            quartile[metric] = [1 + (4 * (p - 1)) // len(keys) for p in place]
        expected = pd.crosstab(np.array(quartile[a]), np.array(quartile[b]))
        assert table.counts.tolist() == expected.to_numpy().tolist()
        assert table.counts.sum() == table.n
    assert tested.tables[0].counts[0].tolist() == [9, 9, 7, 6]


def test_expected_counts_and_statistic_against_scipy(tested):
    for table in tested.tables:
        found = stats.chi2_contingency(table.counts, correction=False)
        assert table.expected == pytest.approx(found.expected_freq)
        assert claims.chi_squared(table.counts, table.expected) == pytest.approx(found.statistic)
        assert table.p == pytest.approx(found.pvalue, abs=0.1)
        corner = [
            [table.counts[0, 0], table.counts[0, 1:].sum()],
            [table.counts[1:, 0].sum(), table.counts[1:, 1:].sum()],
        ]
        assert table.p_best == pytest.approx(stats.fisher_exact(corner, alternative="greater").pvalue)


@settings(max_examples=25, deadline=None)
@given(st.integers(4, 40), st.integers(0, 1_000))
def test_cross_counts_against_pandas(n, seed):
    random = np.random.default_rng(seed)
    one, draws = random.integers(1, 5, n), random.integers(1, 5, (3, n))
    found = claims.cross_counts(one, draws)
    for other, counts in zip(draws, found, strict=True):
        expected = pd.crosstab(one, other).reindex(index=range(1, 5), columns=range(1, 5), fill_value=0)
        assert counts.tolist() == expected.to_numpy().tolist()


def test_the_same_ranking_twice_and_no_relation():
    one = claims.quartiles(np.arange(1, 41))
    p, error = claims.unrelated_p(one, one, 999, 1)
    assert p == 0.001
    assert error < 0.01
    even = np.tile([1, 2, 3, 4], 10)
    assert claims.unrelated_p(np.repeat([1, 2, 3, 4], 10), even, 200, 1)[0] > 0.5


def test_trusts_far_apart_are_a_quarter_of_the_ranking_apart(tested):
    for table in tested.tables:
        far = table.apart()
        assert 0 < len(far) <= 6
        assert (far["difference"].abs() * 4 >= table.n).all()
        assert far["difference"].abs().min() >= table.ranks.drop(index=far.index)["difference"].abs().max()
        assert (table.ranks["rank_a"].min(), table.ranks["rank_b"].min()) == (1, 1)


def test_metrics_that_a_type_lacks(first):
    found = claims.put_to_the_test(first, RULES, AMBULANCE, draws=10)[0]
    assert found.tables == ()
    assert found.correlations.pairs["reason"].str.contains("none of the ambulance trusts has a value of").all()
    assert claims.by_subtype(found, first).empty


def test_means_of_subtypes_taken_out(first, tested):
    """The pooled correlation within subtypes, from ranks with pandas alone."""
    rows = claims.by_subtype(tested, first)
    pooled = rows[rows["subtype"] == claims.LIKE_WITH_LIKE].set_index(["metric_a", "metric_b"])
    for table in tested.tables:
        pair = [table.metric_a, table.metric_b]
        both = tested.correlations.aligned.values[pair].dropna().rank()
        kinds = first.trusts["trust_subtype"].reindex(both.index)
        left = both - both.groupby(kinds).transform("mean")
        left = left[kinds.groupby(kinds).transform("size") > 1]
        assert pooled.loc[tuple(pair), "coefficient"] == pytest.approx(left[pair[0]].corr(left[pair[1]]), abs=1e-12)
    single = rows[rows["subtype"] != claims.LIKE_WITH_LIKE].groupby(["metric_a", "metric_b"])["n"].sum()
    assert single.max() == 123
    assert rows["p_adjusted"].ge(rows["p"]).where(rows["p"].notna(), True).all()


# --- claims in a framework file -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'metrics = ["OF1013", "OF1023", "OF1010"]',
            'metrics = ["OF1013", "OF9999"]',
            "metric 'OF9999' is not defined",
        ),
        (
            'metrics = ["OF1013", "OF1023", "OF1010"]',
            'metrics = ["OF1013", "OF1013"]',
            "metric 'OF1013' is given twice",
        ),
        ('metrics = ["OF1013", "OF1023", "OF1010"]', 'metrics = ["OF1013"]', "claim[1].metrics"),
        ('who = "The King', 'whom = "The King', "claim[1].whom: unknown key"),
    ],
)
def test_a_wrong_claim_is_named(tmp_path, old, new, said):
    assert old in TEXT
    path = tmp_path / "own.toml"
    path.write_text(TEXT.replace(old, new, 1), "utf-8")
    with pytest.raises(InputError, match=re.escape(said)):
        framework.load(path)


def test_rules_without_claims(first, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(re.sub(r"\[\[claim\]\]\n(?:.+\n)+", "", TEXT), "utf-8")
    assert claims.put_to_the_test(first, framework.load(path), ACUTE, draws=10) == ()


def test_two_metrics_without_a_common_trust(first):
    made = correlation.aligned(first, RULES, ACUTE, metrics=["OF0016", "OF0013"])
    made.values["OF0016"] = np.nan
    with pytest.raises(ValueError, match="no trust has both"):
        claims.cross_table(made, "OF0016", "OF0013", 10)
