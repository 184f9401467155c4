"""One trust: who is meant, where it stands, who to learn from; and what profiles share, kept on disk."""

import os
import threading
from contextlib import nullcontext
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from nofcore import bootstrap, cache, cli, flags, framework, league, learning, profile, profile_study, release, trusts
from nofcore.at_best import averages_at_best
from nofcore.errors import InputError
from nofcore.metric_standing import BETTER, CANNOT_TELL, UNKNOWN, WORSE
from tests import makers
from tests.figures import profiles_of
from tests.makers import ACUTE, AMBULANCE, COMMUNITY, Q1, Q4

REAL_FOLDER = cache.folder


@pytest.fixture(scope="module", autouse=True)
def own_folder(tmp_path_factory):
    """A cache of this test's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "folder", cached_folder(tmp_path_factory.mktemp("kept")))
        yield


def cached_folder(path):
    return lambda: path


@pytest.fixture(scope="module")
def study(own_folder):
    return profiles_of(Q1)


@pytest.fixture(scope="module")
def first():
    return release.embedded().release(Q1)


# --- which trust ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ("RX7", "RX7"),
        (" rx7 ", "RX7"),
        ("The Christie NHS Foundation Trust", "RBV"),
        ("christie", "RBV"),
        ("Tees, Esk & Wear Valleys", "RX3"),
        ("north west ambulance", "RX7"),
        ("Guy’s and St Thomas’", "RJ1"),
    ],
)
def test_a_trust_by_code_or_by_a_name_that_is_unique(first, wanted, code):
    assert trusts.find(first, wanted) == code


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("Leeds", r"3 trusts of Q1 2025/26 are meant by 'Leeds': RGD .*, RR8 .*, RY6 .*; give the code"),
        ("Cristie", r"no trust 'Cristie' in Q1 2025/26; the nearest: RBV \(The Christie"),
        ("RX77", r"the nearest: RX7 \(North West Ambulance"),
        ("../../x", r"no trust '../../x' in Q1 2025/26; give a code"),
        ("a/b", "no trust 'a/b'"),
        ("mid yorks", r"the nearest: RXF \(Mid Yorkshire"),
        ("the", "no trust 'the' in Q1 2025/26; give a code"),
        ("", "no trust ''"),
        ("trust", "no trust 'trust'"),
    ],
)
def test_what_is_no_trust_or_more_than_one_is_refused_with_suggestions(first, wanted, said):
    with pytest.raises(InputError, match=said):
        trusts.find(first, wanted)


def test_the_whole_name_of_one_trust_may_be_part_of_another(first):
    """Moon stands in both names; as a whole name it is that of one."""
    names = first.trusts["trust_name"].copy()
    names.loc[["RX7", "RX6"]] = ["Moon NHS Trust", "Moon and Mars NHS Trust"]
    figures = replace(first, trusts=first.trusts.assign(trust_name=names))
    assert trusts.find(figures, "moon") == "RX7"
    assert trusts.find(figures, "mars moon") == "RX6"


def test_a_trust_of_other_quarters_alone_says_so():
    archive = release.embedded()
    gone = sorted(set(archive.release(Q1).trusts.index) - set(archive.release("Q1 2026/27").trusts.index))
    name = archive.release(Q1).trusts.at[gone[0], "trust_name"]
    for wanted in (gone[0], gone[0].lower(), name):
        with pytest.raises(
            InputError, match=f"{gone[0]} .* is only in Q1 2025/26, Q2 2025/26, Q3 2025/26, Q4 2025/26$"
        ):
            trusts.find(archive.release("Q1 2026/27"), wanted, archive)


def test_every_full_name_means_its_trust(first):
    for code, name in first.trusts["trust_name"].items():
        assert trusts.find(first, name) == code


def test_all_trusts_each_once(first):
    assert len(trusts.find_all(first, ["RX7", "all"])) == 205
    assert trusts.find_all(first, ["RX7", "RXF", "rx7"]) == ("RX7", "RXF")


# --- standing -------------------------------------------------------------------------------------


def rows_of(metric_id):
    return [
        (r["trust_code"], float(r["value"]))
        for r in makers.table("observations")
        if r["quarter"] == Q1 and r["metric_id"] == metric_id and r["value"]
    ]


@pytest.mark.parametrize(("value_id", "score_id", "better"), [("OF0013", "OF1013", 1), ("OF0003", "OF1003", -1)])
def test_the_rank_in_the_pool_counts_trusts_with_better_values(study, value_id, score_id, better):
    """Counted one by one from the embedded file; equal values may be ordered by the published Rank."""
    values = dict(rows_of(value_id))
    mine = study.metrics[study.metrics["metric_id"] == score_id].set_index("trust_code")
    assert len(mine) == len(values)
    for code, value in values.items():
        ahead = sum(better * other > better * value for other in values.values())
        equal = sum(other == value for other in values.values())
        assert ahead + 1 <= mine.at[code, "rank"] <= ahead + equal
        assert mine.at[code, "of"] == len(values)


def test_quartiles_follow_ranks(study):
    known = study.metrics.dropna(subset="rank")
    ends = [1 + np.floor(4 * (known[place] - 1) / known["of"]) for place in ("rank", "rank_last")]
    assert known["quartile"].equals(ends[0].where(ends[0] == ends[1]))
    assert known["quartile"].isna().any()


def test_a_quartile_is_not_claimed_for_a_tie_that_fills_several(study):
    """Hospital mortality, Q1 2025/26: of 118 trusts the embedded file scores 9 with 1, 100 with 2 and 9 with 3."""
    scores = [row for row in rows_of("OF1046")]
    count = {score: sum(value == score for _, value in scores) for score in (1, 2, 3)}
    mine = study.metrics[study.metrics["metric_id"] == "OF1046"].set_index("trust_code")
    middle = mine[mine["score"] == 2]
    assert len(scores) == 118
    assert count[2] > 59
    assert (middle["rank"] == count[1] + 1).all()
    assert (middle["rank_last"] == count[1] + count[2]).all()
    assert middle["quartile"].isna().all()
    assert (mine.loc[mine["score"] == 1, "quartile"] == 1).all()


def test_places_of_a_tie_are_those_counted_by_a_loop(study):
    """Trusts with the same rank in a pool, one by one."""
    rows = study.metrics[(study.metrics["metric_id"] == "OF1020")]
    for _, row in rows.iterrows():
        assert row["rank_last"] == row["rank"] + sum(rows["rank"] == row["rank"]) - 1


def places_by_hand(metric_id, code):
    """First and last place that the figures leave open, best value first: among equal values of its own type those with a
    better published Rank are before a trust and those with a worse one behind it; those of other types may be either."""
    types = {row["trust_code"]: row["trust_type"] for row in makers.table("trusts") if row["quarter"] == Q1}
    rows = [r for r in makers.table("observations") if (r["quarter"], r["metric_id"]) == (Q1, metric_id) and r["value"]]
    mine = next(row for row in rows if row["trust_code"] == code)
    ahead = sum(float(row["value"]) > float(mine["value"]) for row in rows)
    equal = [row for row in rows if float(row["value"]) == float(mine["value"])]
    own = [row for row in equal if types[row["trust_code"]] == types[code]]
    if any(not row["rank"] for row in equal):
        return ahead + 1, ahead + len(equal), len(rows)
    before = sum(float(row["rank"]) < float(mine["rank"]) for row in own)
    behind = sum(float(row["rank"]) > float(mine["rank"]) for row in own)
    return ahead + 1 + before, ahead + len(equal) - behind, len(rows)


@pytest.mark.parametrize("metric_id", ["OF0079", "OF0081"])
def test_places_of_equal_values_of_two_types_stay_open(study, metric_id):
    """Finance plan and variance are higher for better, in one pool of all types (METHOD, section 3)."""
    mine = study.metrics[study.metrics["value_id"] == metric_id].set_index("trust_code")
    assert len(mine) == 205
    for code, row in mine.iterrows():
        assert (row["rank"], row["rank_last"], row["of"]) == places_by_hand(metric_id, code), code
    assert (mine["rank_last"] > mine["rank"]).sum() > 50


def test_no_place_is_claimed_among_79_equal_plans(study):
    """Q1 2025/26: 79 trusts of three types planned 0 %, at places 27 to 105. No quarter of an ambulance trust is known."""
    values = dict(rows_of("OF0079"))
    assert sum(value == 0 for value in values.values()) == 79
    assert sum(value > 0 for value in values.values()) == 26
    rows = study.metrics[(study.metrics["value_id"] == "OF0079") & (study.metrics["value"] == 0)].set_index(
        "trust_code"
    )
    ambulance = rows[rows.index.isin(study.rebuilt.of(AMBULANCE).index)]
    assert len(ambulance) > 1
    assert (ambulance["rank"] < 36).all() and (ambulance["rank_last"] > 96).all()
    assert ambulance["quartile"].isna().all()


def test_staff_survey_is_ranked_within_type(study):
    """METHOD, section 2: two staff survey scores have a pool for each type: 134, 61 and 10 trusts."""
    mine = study.metrics[study.metrics["metric_id"] == "OF1061"]
    assert sorted(mine["of"].unique()) == [10, 61, 134]


def test_counts_in_a_pool_of_rates_have_no_rank(study):
    counts = study.metrics[(study.metrics["metric_id"] == "OF1048") & (study.metrics["unit"] == "count")]
    assert len(counts)
    assert counts["rank"].isna().all()
    assert (counts["model"] == "lookup").all()
    assert counts["target"].isna().all()


def test_domain_scores_stand_against_the_median_counted_by_hand(study):
    row = study.domains[(study.domains["trust_code"] == "RX7") & (study.domains["domain"] == "people")].iloc[0]
    scores = study.rebuilt.domain_scores.loc[study.rebuilt.of(AMBULANCE).index, "people"]
    assert row["median_type"] == np.median(scores)
    assert row["rank_type"] == 1 + sum(score < row["score"] - 1e-9 for score in scores)
    assert row["n_type"] == 10


def test_the_margin_is_that_of_items_around_the_mean_of_their_trust_and_domain(study):
    """Residuals pooled by a loop over trusts and domains; 2.5758 leaves 1 % outside, a fifth of 5 %."""
    items = study.rebuilt.items
    codes = study.rebuilt.of(AMBULANCE).index
    squares, spare = 0.0, 0
    for code in codes:
        for key in set(items.domains.values()):
            mine = [items.values.at[code, name] for name in items.values if items.domains[name] == key]
            mine = [value for value in mine if not np.isnan(value)]
            if mine:
                squares += sum((value - np.mean(mine)) ** 2 for value in mine)
                spare += len(mine) - 1
    row = study.domains[study.domains["trust_code"] == codes[0]].iloc[0]
    assert row["margin"] == pytest.approx(2.575829 * (squares / spare) ** 0.5 / row["items"] ** 0.5)


def test_verdicts_do_not_reach_further_than_the_margin(study):
    rows = study.domains
    for which in ("type", "subtype"):
        above, verdict = rows["score"] - rows[f"median_{which}"], rows[f"verdict_{which}"]
        assert (above[verdict == BETTER] < -rows["margin"][verdict == BETTER]).all()
        assert (above[verdict == WORSE] > rows["margin"][verdict == WORSE]).all()
        assert (above.abs()[verdict == CANNOT_TELL] <= rows["margin"][verdict == CANNOT_TELL]).all()
        assert ((verdict == UNKNOWN) == (rows[f"n_{which}"] < 5)).all()
        assert {BETTER, WORSE, CANNOT_TELL} <= set(verdict)


@pytest.mark.parametrize(("quarter", "count"), [("Q2 2025/26", 71), ("Q1 2026/27", 10)])
def test_domain_segments_are_those_published_where_the_rules_give_none(quarter, count):
    """Domain scores of acute trusts are not at hand, or it is not known how they are cut; NHS England publishes the segments."""
    first = {"access": "OF4000", "effectiveness": "OF4005", "safety": "OF4002", "people": "OF4004", "finance": "OF4003"}
    second = {
        "access": "OF4200",
        "effectiveness": "OF4209",
        "experience": "OF4205",
        "safety": "OF4202",
        "people": "OF4204",
        "finance": "OF4203",
    }
    ids = {
        key: f"{name[:3]}{int(name[3]) + 1}{name[4:]}" for key, name in (first if "2025" in quarter else second).items()
    }
    published = {
        (row["trust_code"], row["metric_id"]): float(row["value"])
        for row in makers.table("observations")
        if row["quarter"] == quarter and row["metric_id"] in ids.values() and row["value"]
    }
    rows = profiles_of(quarter).domains
    assert rows["trust_code"].nunique() == count
    assert rows["published"].all()
    for row in rows.itertuples():
        assert row.segment == published[row.trust_code, ids[row.domain]]


def test_domain_segments_that_the_rules_give_are_not_called_published(study):
    assert not study.domains["published"].any()
    assert study.domains["segment"].notna().all()


# --- best, worst and the rest of a profile --------------------------------------------------------


@pytest.mark.parametrize("code", ["RXF", "RX7", "RGD", "RP6", "R1F"])
def test_best_and_worst_are_the_ends_of_its_own_scores(study, code):
    """METHOD, section 4: the combined finance score stands for the plan and the variance."""
    found = profile.profile(study, code)
    assert not {"OF1079", "OF1081"} & {*found.best["metric_id"], *found.worst["metric_id"]}
    counting = found.metrics[
        (found.metrics["enters"] != "not") & ~found.metrics["metric_id"].isin(["OF1079", "OF1081"])
    ]
    scores = sorted(counting["score"].dropna().round(2))
    count = min(3, len(scores) // 2)
    assert sorted(found.best["score"].round(2)) == scores[:count]
    assert sorted(found.worst["score"].round(2)) == scores[-count:]
    assert not set(found.best["metric_id"]) & set(found.worst["metric_id"])


def test_a_combined_score_is_among_the_ends_as_one_item(study):
    """R1F, Q1 2025/26: the plan scores 4 and the variance 1, which by the matrix (METHOD, section 3) is 2 for both."""
    found = profile.profile(study, "R1F")
    scores = found.metrics.set_index("metric_id")["score"]
    assert (scores["OF1079"], scores["OF1081"], scores["OF1080"]) == (4, 1, 2)
    assert not {"OF1079", "OF1080"} & set(found.worst["metric_id"])
    last = found.metrics.assign(score=found.metrics["score"].where(found.metrics["metric_id"] != "OF1080", 4.5))
    assert profile.ends(last)[1]["metric_id"].iat[0] == "OF1080"


def test_a_segment_that_is_not_published_is_that_of_the_cut_offs():
    """Isle of Wight, Q2 2025/26: average 2.17, between 2.06 and 2.34 (METHOD, section 4), segment 3 all the same."""
    found = profile.profile(profiles_of("Q2 2025/26"), "R1F")
    assert np.isnan(found.standing["unadjusted_segment"])
    assert (found.unadjusted, found.flag) == (2, flags.DEDUCED)
    first = profile.profile(profiles_of(Q1), "R1F")
    assert (first.unadjusted, first.flag) == (3, flags.GIVEN)


def test_what_each_metric_could_bring_at_its_best_score():
    """Four metrics, two of them in a group and two in a table: averages worked out by hand.

    Item scores: A 4, group (3 + 2)/2 = 2.5, table row 4 column 1 = 2; mean 8.5/3 = 2.83. With A at 1: 5.5/3 = 1.83. With the
    first of the group at 1: (4 + 1.5 + 2)/3 = 2.50; the second: (4 + 2 + 2)/3 = 2.67. Row at 1: (4 + 2.5 + 1)/3 = 2.50; the
    column is at 1 already.
    """
    scores = pd.Series({"OF1005": 4.0, "OF1020": 3.0, "OF1048": 2.0, "OF1079": 4.0, "OF1081": 1.0, "OF1080": 2.0})
    found = averages_at_best(scores, framework.for_quarter(Q1))
    assert found.to_dict() == {"OF1005": 183, "OF1020": 250, "OF1048": 267, "OF1079": 250, "OF1081": 283}


def made_up(scores) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "trust_code": "X", "metric_id": [f"M{n}" for n in range(len(scores))], "score": scores, "rank": np.nan, "rank_last": np.nan, "of": np.nan,
            "whole": True, "enters": "by itself", "model": "rank", "averaged": True,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("scores", "count"), [([], 0), ([2.0], 0), ([1.0, 2.0], 1), ([1, 2, 3, 4.0], 2), ([1.0] * 9, 3)]
)
def test_a_trust_with_few_metrics_has_few_best_and_worst(scores, count):
    best, worst = profile.ends(made_up(scores))
    assert len(best) == len(worst) == count
    assert not set(best["metric_id"]) & set(worst["metric_id"])


@pytest.mark.parametrize("code", ["RXF", "RX7", "RGD"])
def test_the_margin_is_the_smallest_rise_that_worsens_the_segment(study, code):
    """Cut-offs of Q1: 2.05, 2.32 and 2.60 (NHS England's published segments); a trust on one is in the better segment."""
    found = profile.profile(study, code)
    average = round(found.standing["average_score"] * 100)
    segment = int(found.standing["segment"])
    cut = (205, 232, 260)[segment - 1]
    assert found.margin == pytest.approx((cut - average + 1) / 100)


def test_ranges_over_the_quarters_are_those_of_all_trusts_drawn_together(study):
    """Whatever is left out to save time: the ranges of a quarter are those that its own page shows."""
    last = release.embedded().release(Q4)
    whole = bootstrap.rank_uncertainty(league.build(last, release.framework_for(Q4)), study.draws, study.seed).table()
    path = study.ranges.path.loc[study.ranges.path["quarter"] == Q4].set_index("trust_code")
    assert path["rank_low"].notna().sum() == 61 + 10  # mental health and community, ambulance
    wanted = whole.loc[path.index, ["rank_low", "rank_high"]]
    pd.testing.assert_frame_equal(path[["rank_low", "rank_high"]], wanted, check_names=False)


def test_the_path_holds_every_quarter_with_the_published_ranks(study):
    found = profile.profile(study, "RXF").path.set_index("quarter")
    published = {
        row["quarter"]: int(float(row["rank"])) for row in makers.table("league_tables") if row["trust_code"] == "RXF"
    }
    assert found["rank"].astype(int).to_dict() == published
    assert found["rank_low"].notna().to_dict() == {quarter: quarter == Q1 for quarter in published}


def test_a_trust_that_vanished_keeps_a_row_for_every_quarter():
    archive = release.embedded()
    gone = sorted(set(archive.release(Q1).trusts.index) - set(archive.release("Q1 2026/27").trusts.index))[0]
    path = profile.profile(profiles_of(Q1), gone).path
    assert list(path["quarter"]) == list(archive.quarters)
    assert path["rank"].isna().tolist() == [False, False, False, False, True]


def test_told_apart_are_those_above_and_below(study):
    """Added up over the trusts of a type, those told to be above are as many as those told to be below."""
    told = study.ranges.told.loc[study.rebuilt.of(COMMUNITY).index]
    assert told["ahead"].sum() == told["behind"].sum() > 0
    assert (told["ahead"] + told["behind"] <= told["others"]).all()


@pytest.mark.parametrize(("code", "trust_type"), [("RXF", ACUTE), ("RX7", AMBULANCE), ("RGD", COMMUNITY)])
def test_rules_and_their_ends(study, code, trust_type):
    found = profile.profile(study, code)
    assert found.trust_type == trust_type
    ranks = [found.standing["rank"], *found.method["rank"]]
    assert (found.method_range["best_rank"], found.method_range["worst_rank"]) == (min(ranks), max(ranks))


# --- who to learn from ----------------------------------------------------------------------------


@given(arrays(float, (5, 6), elements=st.sampled_from([1.0, 1.5, 2.0, 3.0, 4.0, np.nan])))
def test_distance_is_the_mean_difference_over_shared_items(items):
    found, shared = learning.distances(items, items[0])
    for row, distance, count in zip(items, found, shared, strict=True):
        both = [abs(a - b) for a, b in zip(row, items[0], strict=True) if not (np.isnan(a) or np.isnan(b))]
        assert count == len(both)
        assert (np.isnan(distance)) if not both else distance == pytest.approx(sum(both) / len(both))


@given(arrays(float, (6, 4), elements=st.sampled_from([1.0, 1.5, 2.0, 3.0, 4.0, np.nan])))
def test_what_likeness_says_is_the_mean_correlation_over_items(items):
    """Pair by pair and item by item, with scipy.stats.pearsonr."""
    found = []
    for item in range(items.shape[1]):
        rest, here = [], []
        for one, other in combinations(items, 2):
            apart = [abs(a - b) for a, b in zip(one, other, strict=True)]
            others = [value for place, value in enumerate(apart) if place != item and not np.isnan(value)]
            if others and not np.isnan(apart[item]):
                rest.append(np.mean(others))
                here.append(apart[item])
        if len(here) > 1 and np.ptp(rest) > 1e-9 and np.ptp(here) > 1e-9:
            found.append(stats.pearsonr(rest, here)[0])
    assert learning.foretold(items) == pytest.approx(np.mean(found) if found else np.nan, nan_ok=True)


def test_over_few_trusts_it_is_not_said_what_likeness_says():
    assert np.isnan(learning.foretold(np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 1.0], [1.0, 1.0]])))


@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 400), st.integers(0, 400))
def test_two_proportions_as_scipy_has_it(n, own_n, successes, own_successes):
    """The square of z is Pearson's chi-squared without correction (scipy.stats.chi2_contingency)."""
    successes, own_successes = min(successes, n), min(own_successes, own_n)
    z = learning.proportions_z(np.array([successes]), np.array([n]), own_successes, own_n)[0]
    table = np.array([[successes, n - successes], [own_successes, own_n - own_successes]])
    if (table.sum(axis=0) == 0).any():
        assert z == 0
    else:
        assert z**2 == pytest.approx(stats.chi2_contingency(table, correction=False).statistic, abs=1e-9)
        assert np.sign(round(z, 9)) == np.sign(round(successes / n - own_successes / own_n, 9))


def small_world(values, counts=None):
    """Four trusts of one subtype with items A, B and C; the first is last on C."""
    rules = framework.for_quarter(Q1)
    ids = [name for name, domain in rules.item_domains.items() if domain == "access"][:3]
    metric = rules.by_score[ids[2]]
    codes = list("PQRS")
    scores = pd.DataFrame(
        {ids[0]: [2.0, 2.0, 3.0, 4.0], ids[1]: [2.0, 2.2, 3.0, np.nan], ids[2]: values[0]}, index=codes
    )
    metrics = pd.DataFrame(
        {
            "trust_code": codes, "metric_id": ids[2], "value_id": metric.value, "name": "C", "better": metric.better, "unit": "%",
            "value": values[1], "score": values[0], "quartile": 1.0, "rank": 1.0, "of": 4.0,
        }
    )  # fmt: skip
    known = pd.DataFrame(counts or [], columns=["trust_code", "metric_id", "numerator", "denominator"])
    table = pd.DataFrame({"trust_name": codes, "trust_type": "T", "trust_subtype": "S"}, index=codes)
    return learning.lesson(metrics.iloc[0], metrics, scores, table, known.assign(metric_id=metric.value), rules), metric


def better_values(metric_better):
    return [60.0, 80.0, 90.0, 95.0] if metric_better == "high" else [40.0, 20.0, 10.0, 5.0]


def test_teachers_are_ordered_by_likeness():
    better = framework.for_quarter(Q1)
    name = [key for key, domain in better.item_domains.items() if domain == "access"][2]
    values = better_values(better.by_score[name].better)
    found, _ = small_world(([4.0, 2.0, 1.0, 1.0], values))
    assert found.comparable == 3  # S shares one of two other items: half is enough
    assert list(found.teachers["trust_code"]) == ["Q", "R", "S"]
    assert found.teachers["distance"].tolist() == pytest.approx([0.1, 1.0, 2.0])
    assert set(found.teachers["evidence"]) == {learning.NOT_KNOWN}


def test_those_not_a_point_ahead_or_in_the_worse_half_do_not_count():
    found, metric = small_world(([4.0, 3.1, 2.6, 2.5], better_values("high")))
    values = better_values(metric.better)
    found, _ = small_world(([4.0, 3.1, 2.6, 2.5], values))
    assert list(found.teachers["trust_code"]) == ["S"]


def test_a_trust_in_the_better_half_has_no_teachers():
    _, metric = small_world(([4.0, 1.0, 1.0, 1.0], better_values("high")))
    found, _ = small_world(([2.5, 1.0, 1.0, 1.0], better_values(metric.better)))
    assert found.does_well
    assert found.teachers.empty


def test_those_the_counts_cannot_tell_apart_are_counted_and_not_named():
    """Of ten patients 6 and 8 or 9 are no difference (z 0.98 and 1.55); of ten thousand they are."""
    _, metric = small_world(([4.0, 1.0, 1.0, 1.0], better_values("high")))
    values = better_values(metric.better)
    small = [(code, "", value / 10, 10) for code, value in zip("PQR", values, strict=False)]
    found, _ = small_world(([4.0, 2.0, 1.0, 1.0], values), small)
    assert list(found.teachers["trust_code"]) == ["S"]
    assert found.by_chance == 2
    large = [(code, "", value * 100, 10_000) for code, value in zip("PQR", values, strict=False)]
    found, _ = small_world(([4.0, 2.0, 1.0, 1.0], values), large)
    assert found.teachers["evidence"].tolist() == [learning.TOLD, learning.TOLD, learning.NOT_KNOWN]
    assert found.by_chance == 0


@pytest.mark.parametrize("code", ["RXF", "RX7", "RGD", "RWF"])
def test_teachers_of_real_trusts_are_of_the_subtype_and_ahead(study, code):
    """Distances by a loop over shared items, from the league table's items."""
    found = profile.profile(study, code)
    assert found.lessons
    table, items = study.rebuilt.trusts, study.rebuilt.items.values
    for lesson in found.lessons:
        entry = study.rebuilt.framework.by_score[lesson.metric["metric_id"]]
        gone = {lesson.metric["metric_id"], getattr(entry, "group", None)}
        gone |= {c.score for c in study.rebuilt.framework.combined if lesson.metric["metric_id"] in (c.rows, c.columns)}
        for row in lesson.teachers.itertuples():
            assert table.at[row.trust_code, "trust_subtype"] == found.subtype
            assert row.score <= min(lesson.metric["score"] - 1, 2.5) + 1e-9
            shared = [
                abs(items.at[code, name] - items.at[row.trust_code, name])
                for name in items
                if name not in gone and not np.isnan(items.at[code, name] + items.at[row.trust_code, name])
            ]
            assert (row.distance, row.shared) == (pytest.approx(np.mean(shared)), len(shared))
        assert all(a <= b for a, b in pairwise(lesson.teachers["distance"]))


# --- the cache ------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "folder", cached_folder(tmp_path))
    return tmp_path


def test_a_result_is_made_once(place):
    calls = []
    for _ in range(2):
        assert cache.remember("x", "a", lambda: calls.append(1) or "made") == "made"
    assert len(calls) == 1
    cache.remember("x", "b", lambda: calls.append(1))
    assert len(calls) == 2


@pytest.mark.parametrize("damage", [b"", b"rubbish", None])
def test_a_damaged_result_is_made_again(place, damage):
    cache.remember("x", "a", lambda: "old")
    (path,) = place.glob("*.pickle")
    path.write_bytes(path.read_bytes()[:-1] if damage is None else damage)
    assert cache.remember("x", "a", lambda: "new") == "new"
    assert cache.remember("x", "a", lambda: "newer") == "new"


def test_a_change_of_the_kit_makes_it_again(place, monkeypatch):
    cache.remember("x", "a", lambda: "old")
    monkeypatch.setattr(cache, "sources", lambda: "other")
    assert cache.remember("x", "a", lambda: "new") == "new"


def test_an_error_is_not_kept_and_nothing_is_left_behind(place):
    with pytest.raises(InputError):
        cache.remember("x", "a", lambda: (_ for _ in ()).throw(InputError("no")))
    assert not list(place.iterdir())


def test_old_results_go(place):
    for number in range(cache.KEPT + 5):
        cache.remember("x", str(number), lambda: 1)
    assert len(list(place.iterdir())) == cache.KEPT


def test_what_an_interrupted_process_left_is_cleared_up_and_what_is_being_written_is_not(place):
    old, new = place / ".old.part", place / ".new.part"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    cache.remember("x", "a", lambda: 1)
    assert not old.exists()
    assert new.exists()


def test_a_full_disk_costs_the_keeping_and_not_the_result(place, monkeypatch):
    def full(path, content):
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.Path, "write_bytes", full)
    assert cache.remember("x", "a", lambda: "made") == "made"
    assert not list(place.iterdir())


def test_meanwhile_makes_it_elsewhere(place):
    with cache.meanwhile("x", "a", os.getpid):
        pass
    alone = hasattr(os, "fork") and threading.active_count() == 1  # beside other threads nothing is forked
    assert (cache.remember("x", "a", lambda: -1) not in (os.getpid(), -1)) == alone


def test_what_fails_meanwhile_is_made_again(place):
    with cache.meanwhile("x", "a", lambda: 1 / 0):
        pass
    assert cache.remember("x", "a", lambda: "made") == "made"


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="folders have no owners here")
def test_a_folder_that_others_may_write_to_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path))
    found = REAL_FOLDER()
    assert found.stat().st_mode & 0o077 == 0
    found.chmod(0o777)
    assert REAL_FOLDER() is None
    found.rmdir()
    found.symlink_to(tmp_path)
    assert REAL_FOLDER() is None


def test_other_draws_make_only_the_ranges_again(place, monkeypatch):
    made = []
    parts = {"_standing": (None,) * 4, "_ranges": None, "_method": None, "_ways": None}
    for part, result in parts.items():
        monkeypatch.setattr(profile_study, part, lambda *_, part=part, result=result: made.append(part) or result)
    monkeypatch.setattr(cache, "meanwhile", lambda *_: nullcontext())
    for draws, seed in ((10, 1), (10, 1), (10, 2), (20, 2)):
        profile_study.study(release.embedded(), Q1, None, draws, seed)
    assert sorted(made) == ["_method", "_ranges", "_ranges", "_ranges", "_standing", "_ways"]
    profile_study.study(release.embedded(), "Q4 2025/26", None, 20, 2)
    assert len(made) == 10


# --- the command line -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        (["--trust", "../../x"], "no trust '../../x'"),
        (["--trust", "RX7", "a/b"], "no trust 'a/b'"),
        (["--trust", "Leeds"], "3 trusts"),
        ([], "needs --trust"),
        (["--trust", "RXF", "--trust-type", "ambulance"], "leave out --trust-type"),
        (["--trust", "RX7", "trust_profile"], "name pages before --trust"),
    ],
)
def test_a_trust_that_is_none_writes_nothing(tmp_path, capsys, given_, said):
    out = tmp_path / "out"
    assert cli.main(["report", "trust_profile", *given_, "--out", str(out)]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_trusts_named_one_by_one_are_all_asked_for(monkeypatch):
    from nofcore.report import plan

    asked = []
    monkeypatch.setattr(plan, "run", lambda request, **_: asked.append(request) or [])
    assert cli.main(["report", "trust_profile", "--trust", "RJ1", "R1H", "--trust", "RX7"]) == 0
    assert asked[0].trusts == ("RJ1", "R1H", "RX7")
