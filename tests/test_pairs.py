"""Trusts against one another: probabilities by hand, rankability against hand-worked figures."""

from dataclasses import replace

import numpy as np
import pytest

from nofcore import bootstrap, charts, findings, pairs, ranksets, release, tables
from nofcore.errors import InputError
from nofcore.variances import between_variance, weighted_squares, within_sd
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


@pytest.mark.parametrize(
    ("ahead", "draws", "expected"),
    [(975, 999, True), (974, 999, False), (500, 1000, False), (1, 1, False), (38, 38, False), (39, 39, True)],
)
def test_told_apart_at_95_percent(ahead, draws, expected):
    """97.5 % of the draws and one more that speaks against: 39 of 40 is enough, 38 of 39 is not."""
    counts = np.array([[0, ahead], [draws - ahead, 0]])
    assert pairs.apart(counts, draws, 0.95).tolist() == [[False, expected], [expected, False]]


def test_verdicts_near_the_line_are_unsure():
    """At 10,000 draws the 99 % interval around 0.975 reaches 2.576 * sqrt(0.975 * 0.025 / 10,000) = 0.0040."""
    for ahead, expected in ((9_750, True), (9_789, True), (9_795, False), (9_705, False)):
        counts = np.array([[0, ahead], [10_000 - ahead, 0]])
        assert pairs.unsure(counts, 10_000, 0.95)[0, 1] == expected


def test_few_draws_are_no_certainty(first):
    few = bootstrap.rank_uncertainty(first, 30, 1, pairs=True)
    assert not pairs.neighbours(few, ACUTE)["told_apart"].any()
    assert (pairs.not_told_apart(few)["not_told_apart"] == pairs.not_told_apart(few)["others"]).all()
    assert np.isinf(few.table()["rank_low_error"]).all()
    assert "30 draws leave these figures rough" in findings.ranks.headline(few, ACUTE)
    assert tables.rank_ranges(few, pairs.not_told_apart(few), ACUTE).frame["Rank range"].str.match("~.* to ~").all()


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
    sure = ((mine >= 0.9753) | (theirs >= 0.9753)).sum()  # 97.5 % of 4,001
    assert table.at["RTF", "not_told_apart"] == 133 - sure


def test_neighbours_follow_the_league_table(drawn):
    table = pairs.neighbours(drawn, ACUTE)
    assert len(table) == 133
    assert table.loc[0, ["ahead", "behind"]].tolist() == ["RP6", "RAN"]  # first and second of the published table
    assert (table["p_ahead"] + table["p_behind"] <= 1).all()


def test_pairs_must_have_been_asked_for(first):
    with pytest.raises(InputError, match="without pairs"):
        pairs.probabilities(bootstrap.rank_uncertainty(first, 10, 1))


def without_spread(rebuilt, code: str, kept: int):
    """The league table with all but the first ``kept`` items of a trust taken away; 0: all its items made equal."""
    values = rebuilt.items.values.copy()
    mine = values.loc[code].dropna()
    if kept:
        values.loc[code, mine.index[kept:]] = np.nan
    else:
        values.loc[code, mine.index] = 2.0
    return replace(rebuilt, items=replace(rebuilt.items, values=values))


@pytest.mark.parametrize("kept", [0, 1])
def test_a_trust_whose_items_do_not_differ_has_no_range_and_is_told_apart_from_nobody(first, kept):
    """One item, or equal ones, show no spread: that is no certainty."""
    drawn = bootstrap.rank_uncertainty(without_spread(first, "RX7", kept), 500, 1, pairs=True)
    assert drawn.unvarying == ("RX7",)
    assert drawn.table().loc["RX7", ["score_low", "rank_high", "p_segment_1", "expected_rank"]].isna().all()
    assert pairs.not_told_apart(drawn).at["RX7", "not_told_apart"] == 9
    assert not pairs.neighbours(drawn, "Ambulance trust").isin(["RX7"]).any(axis=None)
    assert "for RX7" in str(findings.ranks.limitations(drawn)) and "RX7" in drawn.note()
    assert "RX7" not in charts.rank_ranges(drawn, "Ambulance trust").alt


def test_rankability_of_known_shares():
    """Between-trust variance 3, error variance 1: rankability 0.75, within the error of 4,000 trusts."""
    random = np.random.default_rng(3)
    estimates, variances = random.normal(0, np.sqrt(3), 4_000) + random.normal(0, 1, 4_000), np.ones(4_000)
    between = between_variance(weighted_squares(estimates, variances), variances)
    assert pairs.rankability(between, variances) == pytest.approx(0.75, abs=0.02)


def test_variances_are_pooled_over_the_type(first):
    """The squared deviations of all items from their trust's mean, over items less trusts, over a trust's items."""
    found = pairs.item_variances(first, "Ambulance trust")
    squares, spare = 0.0, 0
    for code in found.index:
        items = first.items.values.loc[code].dropna().tolist()
        squares += sum((x - sum(items) / len(items)) ** 2 for x in items)
        spare += len(items) - 1
    expected = [squares / spare / n for n in found["n_items"]]
    assert found["variance"].tolist() == pytest.approx(expected)


def test_sets_from_pooled_variances_hold_their_level_and_from_own_ones_do_not(first):
    """All averages truly equal: in 95 % of samples nobody may be told apart. 80 samples of the mental health type."""
    values = first.items.values.reindex(first.of(MENTAL).index)
    sizes, spread = values.notna().sum(axis=1).to_numpy(), within_sd(values.to_numpy())
    random, kept = np.random.default_rng(12), {"pooled": 0, "own": 0}
    for sample in range(80):
        items = [random.normal(0, spread, size) for size in sizes]
        means = np.array([one.mean() for one in items])
        wide = np.array([np.pad(one, (0, sizes.max() - len(one)), constant_values=np.nan) for one in items])
        own = np.array([one.var(ddof=1) / len(one) for one in items])
        for name, variances in (("pooled", within_sd(wide) ** 2 / sizes), ("own", own)):
            bounds = ranksets.rank_bounds(means, variances, kind="simultaneous", draws=1_000, seed=sample)
            kept[name] += int((bounds.lower == 1).all() and (bounds.upper == len(sizes)).all())
    assert kept["pooled"] >= 70
    assert kept["own"] <= 60


# --- what readers see -----------------------------------------------------------------------------


def test_headline_speaks_of_this_page(drawn):
    said = findings.ranks.headline(drawn, ACUTE)
    assert said.startswith("If other metrics of the same kind had been chosen, half of the 134 acute trusts")
    assert "none of the 133 pairs of neighbours in the table can be told apart" in said


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


def test_figures_without_a_mark_are_the_same_for_another_seed(first):
    """By their 99 % Monte Carlo error: of unmarked ends at least 97 % read the same with each of three other seeds."""
    texts = []
    for seed in range(4):
        drawn = bootstrap.rank_uncertainty(first, 5_000, seed, pairs=True)
        frame = tables.rank_ranges(drawn, pairs.not_told_apart(drawn), ACUTE).frame
        texts.append(
            [end for name in ("Rank range", "Average range") for text in frame[name] for end in text.split(" to ")]
        )
    for other in texts[1:]:
        same = [one == two.lstrip("~") for one, two in zip(texts[0], other, strict=True) if not one.startswith("~")]
        assert len(same) > 150 and np.mean(same) >= 0.97


def test_sets_of_ranks_hold_the_rank(first):
    found = findings.ranks.rank_sets(first, ACUTE, 1_000, 1)
    rows = found.sets.table()
    assert len(rows) == 134
    assert ((rows["lower"] <= rows["rank"]) & (rows["rank"] <= rows["upper"])).all()
    assert "among the 10 best" in str(findings.ranks.about_sets(found, first, ACUTE))


def test_the_trust_shown_is_of_the_page(drawn):
    assert findings.ranks.shown_trust(drawn, ACUTE, "RTF") == "RTF"
    assert findings.ranks.shown_trust(drawn, ACUTE, "RX7") == findings.ranks.shown_trust(drawn, ACUTE, None)
