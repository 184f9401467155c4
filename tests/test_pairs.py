"""Trusts against one another: probabilities by hand, rankability against hand-worked figures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nofcore import bootstrap, findings, pairs, release, tables
from nofcore.errors import InputError
from tests.figures import rebuilt_of

ACUTE = "Acute trust"
MENTAL = "Mental health and community trust"


@pytest.fixture(scope="module")
def first():
    return rebuilt_of("Q1 2025/26")


@pytest.fixture(scope="module")
def drawn(first):
    return bootstrap.rank_uncertainty(first, 4_000, seed=11, pairs=True)


def test_probabilities_of_a_pair_and_of_a_tie_add_to_one(drawn):
    """Above, below and equal are all that can happen; equal ranks count for neither."""
    shares = pairs.probabilities(drawn)
    codes = drawn.trusts.index[drawn.trusts["trust_type"] == ACUTE]
    both = shares.loc[codes, codes].to_numpy()
    total = both + both.T
    assert np.nanmax(total) <= 1
    assert np.nanmin(total) > 0.9
    assert shares.loc["RP6", "RCX"] == 1  # first and last of the table


def test_nothing_is_said_across_types(drawn):
    shares = pairs.probabilities(drawn)
    assert np.isnan(shares.loc["RP6", "RX7"])
    assert np.isnan(shares.loc["RP6", "RP6"])


@pytest.mark.parametrize(("ahead", "expected"), [(0.975, True), (0.974, False), (0.5, False)])
def test_told_apart_at_95_percent(ahead, expected):
    shares = np.array([[0, ahead], [1 - ahead, 0]])
    assert pairs.apart(shares, 0.95).tolist() == [[False, expected], [expected, False]]


def test_counts_of_trusts_not_told_apart(drawn):
    table = pairs.not_told_apart(drawn)
    assert table.groupby("trust_type")["others"].unique().map(list).to_dict() == {
        ACUTE: [133],
        "Ambulance trust": [9],
        MENTAL: [60],
    }
    assert (table["not_told_apart"] <= table["others"]).all()
    shares = pairs.probabilities(drawn)
    mine, theirs = shares.loc["RTF"].dropna(), shares["RTF"].dropna()
    sure = ((mine >= 0.975) | (theirs >= 0.975)).sum()
    assert table.at["RTF", "not_told_apart"] == 133 - sure


def test_neighbours_follow_the_league_table(drawn):
    table = pairs.neighbours(drawn, ACUTE)
    assert len(table) == 133
    assert table.loc[0, ["ahead", "behind"]].tolist() == ["RP6", "RAN"]  # first and second of the published table
    assert (table["p_ahead"] + table["p_behind"] <= 1).all()


def test_pairs_must_have_been_asked_for(first):
    with pytest.raises(InputError, match="without pairs"):
        pairs.probabilities(bootstrap.rank_uncertainty(first, 10, 1))


def test_between_variance_by_hand():
    """DerSimonian and Laird on 1, 2, 5 with weights 1, 1, 0.5: mean 2.2, Q = 1.44 + 0.04 + 0.5 * 7.84 = 5.4,
    C = 2.5 - 2.25 / 2.5 = 1.6, tau2 = (5.4 - 2) / 1.6 = 2.125."""
    estimates, variances = np.array([1.0, 2.0, 5.0]), np.array([1.0, 1.0, 2.0])
    assert pairs.between_variance(estimates, variances) == pytest.approx(2.125)
    assert pairs.rankability(estimates, variances) == pytest.approx(2.125 / 3.125)


@given(st.floats(0.01, 5))
def test_equal_estimates_are_not_rankable(variance):
    assert pairs.rankability(np.full(4, 2.0), np.full(4, variance)) == 0


def test_rankability_of_known_shares():
    """Between-trust variance 3, error variance 1: rankability 0.75, within the error of 4,000 trusts."""
    random = np.random.default_rng(3)
    estimates = random.normal(0, np.sqrt(3), 4_000) + random.normal(0, 1, 4_000)
    assert pairs.rankability(estimates, np.ones(4_000)) == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize("variances", [[1.0, 0.0], [1.0, -1.0], [1.0]])
def test_bad_variances(variances):
    with pytest.raises(ValueError, match="at least two estimates, each with a positive variance"):
        pairs.between_variance(np.ones(len(variances)), np.array(variances))


# --- what readers see -----------------------------------------------------------------------------


def test_headline_speaks_of_this_page(drawn):
    said = findings.ranks.headline(drawn, ACUTE)
    assert said.startswith("If other metrics of the same kind had been chosen, half of the 134 acute trusts")
    assert "None of the 133 pairs of neighbours in the table can be told apart" in said


def test_ranges_beside_nhs_england_on_a_page_of_another_quarter(drawn):
    """The kit holds one set of likely ranges: 61 trusts in Q4 2025/26, four limits each."""
    check = findings.ranks.check_ranges(release.embedded().release("Q1 2025/26"), drawn)
    assert check.quarter == "Q4 2025/26"
    assert len(check.differences) == 61 * 4
    frame = tables.range_agreement(check.differences, check.quarter).frame
    assert frame["Compared"].tolist() == [61, 61, 61, 61]
    assert frame["Mean difference"].max() < 0.6
    assert len(tables.range_differences(check.differences, "").frame) == 244 - frame["Equal"].sum()


def test_unsure_ends_are_marked(drawn):
    frame = tables.rank_ranges(drawn, pairs.not_told_apart(drawn), ACUTE).frame
    rows = drawn.table().loc[frame.index]
    unsure = rows["rank_high_error"] >= 1
    marked = frame["Rank range"].str.contains(r"to ~")
    assert (unsure == marked).all()
    assert marked.any()


def test_sets_of_ranks_hold_the_rank(first):
    found = findings.ranks.rank_sets(first, ACUTE, 1_000, 1)
    rows = found.sets.table()
    assert len(rows) == 134
    assert ((rows["lower"] <= rows["rank"]) & (rows["rank"] <= rows["upper"])).all()
    assert "among the 10 best" in str(findings.ranks.about_sets(found, first, ACUTE))


def test_the_trust_shown_is_of_the_page(drawn):
    assert findings.ranks.shown_trust(drawn, ACUTE, "RTF") == "RTF"
    assert findings.ranks.shown_trust(drawn, ACUTE, "RX7") == findings.ranks.shown_trust(drawn, ACUTE, None)
