"""Averages, segments and ranks: against NHS England's published figures, and the kernel against brute force."""

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nofcore import framework, league, ranking, release
from nofcore.errors import InputError

ALL_QUARTERS = ["Q1 2025/26", "Q2 2025/26", "Q3 2025/26", "Q4 2025/26", "Q1 2026/27"]
QUARTERS = ALL_QUARTERS[:4]


def build(quarter: str, start: str = "scores") -> tuple[league.LeagueTable, release.Release]:
    figures = release.embedded().release(quarter)
    return league.build(figures, framework.for_quarter(quarter), start), figures


def without(figures: release.Release, *trust_types: str) -> release.Release:
    """The same release as if the files of some trust types were not there."""
    kept = figures.trusts[~figures.trusts["trust_type"].isin(trust_types)]
    rows = figures.observations[figures.observations["trust_code"].isin(kept.index)]
    return replace(figures, observations=rows, trusts=kept, league=figures.league.loc[kept.index])


# --- published figures ----------------------------------------------------------------------------


@pytest.mark.parametrize(("quarter", "held"), list(zip(QUARTERS, [205, 71, 71, 71], strict=True)))
def test_averages_and_segments_from_scores_against_nhs_england(quarter, held):
    rebuilt, figures = build(quarter)
    trusts = rebuilt.trusts[rebuilt.trusts["recomputed"]]
    published = figures.league.loc[trusts.index]
    assert len(trusts) == held
    assert (trusts["average_score"] == published["average_score"]).sum() == held
    assert (trusts["unadjusted_segment"] == published["unadjusted_segment"]).sum() == held
    assert (trusts["segment"] == published["segment"]).sum() == held


@pytest.mark.parametrize(("quarter", "held"), list(zip(QUARTERS, [1017, 351, 352, 352], strict=True)))
def test_domain_scores_against_nhs_england(quarter, held):
    rebuilt, figures = build(quarter)
    published = figures.observations.set_index(["metric_id", "trust_code"])["value"]
    exact = [
        rebuilt.domain_scores.at[code, domain.key] == published[domain.score, code]
        for domain in rebuilt.framework.domain
        for code in published[domain.score].index
    ]
    assert (len(exact), sum(exact)) == (held, held)


def test_domain_segments_against_nhs_england():
    rebuilt, figures = build("Q1 2025/26")
    published = figures.observations.set_index(["metric_id", "trust_code"])["value"]
    exact = [
        rebuilt.domain_segments.at[code, domain.key] == published[domain.segment, code]
        for domain in rebuilt.framework.domain
        for code in published[domain.segment].index
    ]
    assert (len(exact), sum(exact)) == (1017, 1017)


@pytest.mark.parametrize(("quarter", "n"), list(zip(ALL_QUARTERS, [205, 205, 205, 205, 202], strict=True)))
def test_league_ranks_of_all_trusts_against_nhs_england(quarter, n):
    rebuilt, figures = build(quarter)
    published = figures.league.loc[rebuilt.trusts.index]
    assert (rebuilt.trusts["rank"] == published["rank"]).sum() == n
    assert (rebuilt.trusts["score_rank"] == published["score_rank"]).sum() == n


def test_q1_from_values_against_nhs_england():
    rebuilt, figures = build("Q1 2025/26", "values")
    published = figures.league.loc[rebuilt.trusts.index]
    off = (rebuilt.trusts["average_score"] - published["average_score"]).abs()
    assert (off < 0.005).sum() == 197
    assert off.max() < 0.045
    assert (rebuilt.trusts["unadjusted_segment"] == published["unadjusted_segment"]).all()
    assert (rebuilt.trusts["segment"] == published["segment"]).all()
    places = (rebuilt.trusts["rank"] - published["rank"]).abs()
    assert ((places == 0).sum(), places.max()) == (202, 2)


def test_q1_segment_counts_against_nhs_england():
    trusts = build("Q1 2025/26")[0].trusts
    assert trusts["unadjusted_segment"].value_counts().sort_index().tolist() == [53, 50, 51, 51]
    assert trusts["segment"].value_counts().sort_index().tolist() == [32, 25, 97, 51]
    by_type = trusts.groupby("trust_type")["segment"].value_counts().unstack()
    assert by_type.loc["Acute trust"].tolist() == [16, 11, 76, 31]
    assert by_type.loc["Mental health and community trust"].tolist() == [13, 12, 19, 17]
    assert by_type.loc["Ambulance trust"].tolist() == [3, 2, 2, 3]


def test_q1_override_against_nhs_england():
    rebuilt, _ = build("Q1 2025/26")
    moved = rebuilt.trusts[rebuilt.trusts["unadjusted_segment"] < rebuilt.trusts["segment"]]
    assert int(rebuilt.trusts["in_deficit"].sum()) == 120
    assert moved["unadjusted_segment"].value_counts().to_dict() == {1: 21, 2: 25}
    assert len(rebuilt.capped("Acute trust")) == 38


@pytest.mark.parametrize(
    ("name", "average", "rank"),
    [
        ("Moorfields", 1.39, 1),
        ("Royal National Orthopaedic", 1.48, 2),
        ("Christie", 1.51, 3),
        ("Northumbria Healthcare", 1.74, 9),
        ("University College London", 1.81, 10),
        ("Queen Elizabeth Hospital, King's Lynn", 3.35, 134),
        ("North West Ambulance", 1.82, 1),
        ("East of England Ambulance", 3.02, 10),
    ],
)
def test_named_trusts_of_q1_against_nhs_england(name, average, rank):
    trusts = build("Q1 2025/26")[0].trusts
    row = trusts[trusts["trust_name"].str.contains(name)]
    assert row[["average_score", "rank"]].to_numpy().tolist() == [[average, rank]]


def test_national_mean_of_q1_against_nhs_england():
    values = build("Q1 2025/26")[0].items.values.to_numpy()
    assert round(float(np.nanmean(values)), 3) == 2.357


@pytest.mark.parametrize(
    ("quarter", "cuts"),
    list(zip(QUARTERS, [(205, 232, 260), (206, 234, 267), (206, 235, 270), (202, 230, 257)], strict=True)),
)
def test_cut_offs_against_nhs_england(quarter, cuts):
    assert build(quarter)[0].cut_offs[""] == cuts


# --- what is missing ------------------------------------------------------------------------------


def test_cut_offs_use_the_embedded_averages_of_absent_types_and_say_so():
    figures = without(release.embedded().release("Q3 2025/26"), "Acute trust", "Ambulance trust")
    rebuilt = league.build(figures, framework.for_quarter(figures.quarter))
    assert rebuilt.cut_offs[""] == (206, 235, 270)
    said = next(note for note in rebuilt.notes if "cut-offs" in note)
    assert said.endswith("from the embedded league tables: Acute trust, Ambulance trust")


def test_cut_offs_without_averages_of_a_type_name_it():
    figures = without(release.embedded().release("Q3 2025/26"), "Acute trust")
    figures = replace(figures, quarter="Q4 2031/32")
    with pytest.raises(InputError, match=r"averages of all trusts; those of Acute trust are missing"):
        league.build(figures, framework.for_quarter("Q1 2025/26"))


def test_published_averages_count_in_the_cut_offs_and_are_ranked_again():
    rebuilt, figures = build("Q2 2025/26")
    acute = rebuilt.of("Acute trust")
    assert not acute["recomputed"].any()
    assert acute["unadjusted_segment"].isna().all()
    assert acute["in_deficit"].isna().all()
    assert (acute["average_score"] == figures.league.loc[acute.index, "average_score"]).all()
    assert any("nothing could be recomputed" in note for note in rebuilt.notes)


def test_from_values_refuses_a_part_of_a_pool():
    with pytest.raises(InputError, match=r"without the metric rows of Acute trust \(for OF\d{4}"):
        build("Q2 2025/26", "values")


def test_from_values_without_rules_is_refused():
    with pytest.raises(InputError, match=r"Q1 2026/27: the kit has no rules for this year"):
        league.build(release.embedded().release("Q1 2026/27"), None, "values")


def test_a_missing_override_flag_names_the_trust():
    figures = release.embedded().release("Q1 2025/26")
    flags = figures.league.copy()
    flags.loc["RXF", "in_deficit"] = np.nan
    with pytest.raises(InputError, match=r"no financial-override flag \(OF5004\) for 1 trusts \(RXF\)"):
        league.build(replace(figures, league=flags), framework.for_quarter(figures.quarter))


def test_a_trust_without_any_score_or_average_is_listed_and_not_ranked():
    figures = release.embedded().release("Q1 2025/26")
    rows = figures.observations[figures.observations["trust_code"] != "RXF"]
    published = figures.league.copy()
    published.loc["RXF"] = np.nan
    rebuilt = league.build(
        replace(figures, observations=rows, league=published), framework.for_quarter(figures.quarter)
    )
    assert rebuilt.trusts.loc["RXF", ["average_score", "segment", "rank"]].isna().all()
    assert rebuilt.notes[-1].endswith("average and segment: RXF")
    assert rebuilt.of("Acute trust")["rank"].max() == 133


def drop(figures: release.Release, *metric_ids: str, trusts=None) -> release.Release:
    rows = figures.observations
    gone = rows["metric_id"].isin(metric_ids)
    if trusts is not None:
        gone &= rows["trust_code"].isin(trusts)
    return replace(figures, observations=rows[~gone])


@pytest.mark.parametrize("start", ["scores", "values"])
def test_a_release_without_any_metric_of_a_domain(start):
    figures = drop(release.embedded().release("Q1 2025/26"), "OF0082", "OF1082", "OF0084", "OF1084")
    rebuilt = league.build(figures, framework.for_quarter(figures.quarter), start)
    assert rebuilt.domain_scores["people"].isna().all()
    assert rebuilt.domain_segments["people"].isna().all()
    assert rebuilt.domain_segments["finance"].notna().all()
    assert rebuilt.trusts["recomputed"].all()


def test_from_values_needs_no_published_scores():
    whole = release.embedded().release("Q1 2025/26")
    rules = framework.for_quarter(whole.quarter)
    scores = [metric.score for metric in rules.metric if metric.value] + ["OF1080"]
    rebuilt = league.build(drop(whole, *scores), rules, "values")
    known = league.build(whole, rules, "values")
    assert (rebuilt.trusts["average_score"] == known.trusts["average_score"]).all()


def test_values_that_are_missing_from_a_pool_are_counted():
    figures = release.embedded().release("Q1 2025/26")
    mental = figures.trusts.index[figures.trusts["trust_type"] == "Mental health and community trust"]
    rebuilt = league.build(drop(figures, "OF0005", trusts=mental), framework.for_quarter(figures.quarter), "values")
    assert any("published score but no value: OF1005 (41)" in note for note in rebuilt.notes)


def test_domain_segments_need_the_domain_scores_of_every_trust():
    figures = release.embedded().release("Q1 2025/26")
    figures = replace(figures, observations=figures.observations[figures.observations["trust_code"] != "RXF"])
    rebuilt = league.build(figures, framework.for_quarter(figures.quarter))
    assert rebuilt.domain_segments.empty
    assert any("domain segments were not recomputed" in note and "Acute trust" in note for note in rebuilt.notes)


def test_scores_that_cannot_be_recovered_are_counted():
    figures = release.embedded().release("Q1 2025/26")
    rows = figures.observations.copy()
    rows.loc[(rows["metric_id"] == "OF1010") & (rows["trust_code"] == "RXF"), "value"] = 1.5
    rebuilt = league.build(replace(figures, observations=rows), framework.for_quarter(figures.quarter))
    # 28 of the 118 trusts score the fixed 1.00 in the published file; RXF is one of them no longer.
    assert any("unrounded scores of OF1010 (91) could not be recovered" in note for note in rebuilt.notes)


def test_suppressed_counts_of_infections_stay_out_of_the_pool_of_rates():
    figures = release.embedded().release("Q1 2025/26")
    rows = figures.observations.copy()
    rows.loc[(rows["metric_id"] == "OF0048") & (rows["unit"] == "count"), "value"] = np.nan
    rules = framework.for_quarter(figures.quarter)
    suppressed, known = (league.build(one, rules) for one in (replace(figures, observations=rows), figures))
    assert (suppressed.items.values["infections"] == known.items.values["infections"]).sum() == 134


def test_quartiles_within_type():
    rules = framework.for_quarter("Q1 2025/26")
    within = replace(rules, segments=replace(rules.segments, pool="type"))
    rebuilt = league.build(release.embedded().release("Q1 2025/26"), within)
    assert sorted(rebuilt.cut_offs) == ["Acute trust", "Ambulance trust", "Mental health and community trust"]
    for trust_type, cuts in rebuilt.cut_offs.items():
        averages = rebuilt.of(trust_type)["average_score"].to_numpy() * 100
        assert np.allclose(cuts, np.percentile(averages, [25, 50, 75]))
    counts = rebuilt.of("Ambulance trust")["unadjusted_segment"].value_counts().sort_index()
    assert counts.tolist() == [3, 2, 2, 3]  # ten trusts without ties: at most a quarter below each cut


def test_a_group_with_a_missing_member_is_the_mean_of_the_rest():
    rules = framework.for_quarter("Q1 2025/26")
    scores = pd.DataFrame(
        [["A", "OF1020", 1.0], ["A", "OF1048", 4.0], ["A", "OF1082", 2.0]],
        columns=["trust_code", "metric_id", "score"],
    )
    assert league.items(scores, rules).values.loc["A"].to_dict() == {"OF1082": 2.0, "infections": 2.5}


# --- the kernel -----------------------------------------------------------------------------------

KEYS = arrays.arrays(np.int64, st.tuples(st.integers(1, 4), st.integers(1, 12)), elements=st.integers(-3, 6))


@given(KEYS)
def test_minimum_ranks_by_counting(keys):
    expected = [[1 + sum(other < key for other in row) for key in row] for row in keys.tolist()]
    assert ranking.minimum_ranks(keys).tolist() == expected


@given(KEYS, st.integers(1, 4))
def test_ranks_within_types_by_counting(keys, count):
    types = np.arange(keys.shape[1]) % count
    expected = [
        [1 + sum(o < k for o, u in zip(row, types, strict=True) if u == t) for k, t in zip(row, types, strict=True)]
        for row in keys.tolist()
    ]
    assert league.ranks_within(keys, types).tolist() == expected


def test_ranks_of_floats_are_refused():
    with pytest.raises(TypeError, match="whole numbers, not of float64"):
        ranking.minimum_ranks(np.array([1.4, 1.2, 1.9]))


def test_minimum_ranks_of_keys_too_large_for_16_bits():
    assert ranking.minimum_ranks(np.array([[10**9, -5, 10**9, 0]])).tolist() == [[3, 1, 3, 2]]


@given(st.lists(st.integers(100, 400), min_size=1, max_size=9), st.lists(st.integers(100, 400), min_size=1, max_size=4))
def test_segments_by_counting(hundredths, cuts):
    expected = [1 + sum(value > cut for cut in cuts) for value in hundredths]
    assert league.segments(np.array(hundredths), np.array(cuts, dtype=float)).tolist() == expected


def test_a_trust_on_an_unrounded_cut_off_is_in_the_better_segment():
    assert league.segments(np.array([193, 194]), np.array([193.5, 194.0, 300.0])).tolist() == [1, 2]


@given(st.integers(1, 25), st.data())
def test_averages_are_rounded_half_up_as_exact_fractions(count, data):
    parts = data.draw(st.lists(st.fractions(1, 4, max_denominator=240), min_size=count, max_size=count))
    exact = sum(parts) / count * 100
    expected = int(exact + Fraction(1, 2))
    assert league.averages(np.array([[float(part) for part in parts]])).tolist() == [expected]


def test_exact_halves_are_rounded_up():
    assert league.averages(np.array([[1.0, 1.01], [1.38, 1.39], [2.0, 2.01]])).tolist() == [101, 139, 201]


def test_weights_and_missing_items():
    items = np.array([[1.0, 4.0, np.nan], [2.0, np.nan, 3.0]])
    assert league.averages(items, np.array([3.0, 1.0, 1.0])).tolist() == [175, 225]
    with pytest.raises(ValueError, match="no item of positive weight"):
        league.averages(items, np.array([0.0, 1.0, 0.0]))


def test_draws_are_ranked_each_by_itself():
    """A leading axis of draws gives the same as one call a draw."""
    random = np.random.default_rng(20250909)
    hundredths = random.integers(120, 360, (50, 21))
    types, flags = np.arange(21) % 3, random.random(21) < 0.4
    cuts = league.cut_offs(hundredths, (25, 50, 75))
    together = league.rank_trusts(hundredths, cuts[:, None, :], flags, types, 3)
    for draw in range(50):
        alone = league.rank_trusts(hundredths[draw], cuts[draw], flags, types, 3)
        assert (together.unadjusted[draw] == alone.unadjusted).all()
        assert (together.segment[draw] == alone.segment).all()
        assert (together.rank[draw] == alone.rank).all()


def test_a_capped_trust_ranks_behind_every_trust_of_a_better_segment():
    ranking = league.rank_trusts(
        np.array([150, 235, 235, 300]), np.array([205.0, 240.0, 260.0]), np.array([1, 0, 0, 0]) == 1, np.zeros(4), 3
    )
    assert ranking.segment.tolist() == [3, 2, 2, 4]
    assert ranking.rank.tolist() == [3, 1, 1, 4]


def test_no_override():
    ranking = league.rank_trusts(np.array([150, 235]), np.array([205.0]), np.array([True, True]), np.zeros(2), None)
    assert ranking.segment.tolist() == [1, 2]


# --- what a reader is told ------------------------------------------------------------------------


def notes_of(figures: release.Release, start: str = "scores") -> str:
    return "\n".join(league.build(figures, framework.for_quarter(figures.quarter), start).notes)


def test_metrics_that_are_missing_and_averages_that_differ_are_said():
    figures = drop(release.embedded().release("Q1 2025/26"), "OF0020", "OF1020")
    said = notes_of(figures)
    assert "no figures for OF1020 of the framework" in said
    assert "a group is the mean of its other members" in said
    assert re.search(r"\d+ of 205 rebuilt averages differ from the published ones", said)


def test_the_whole_figures_raise_no_such_note():
    said = notes_of(release.embedded().release("Q1 2025/26"))
    assert "no figures for" not in said
    assert "differ from the published" not in said


def test_a_type_that_is_missing_from_one_pool_is_named():
    figures = release.embedded().release("Q1 2025/26")
    acute = figures.trusts.index[figures.trusts["trust_type"] == "Acute trust"]
    said = notes_of(drop(figures, "OF0082", "OF1082", trusts=acute), "values")
    assert "has a value of OF0082 (Acute trust)" in said


def test_a_type_outside_the_framework_shares_no_pool_and_no_cut_off():
    figures = release.embedded().release("Q1 2025/26")
    boards = [f"QB{number}" for number in range(6)]
    trusts = pd.DataFrame(
        {"trust_name": boards, "trust_type": "Integrated care board", "trust_subtype": "", "region": "London"}, boards
    )
    published = pd.DataFrame(
        {"average_score": 3.9, "segment": 4.0, "in_deficit": 0.0}, index=boards, columns=figures.league.columns
    )
    rows = [
        [code, metric, "%", "", value, np.nan] for code in boards for metric, value in (("OF0082", 1), ("OF1082", 1))
    ]
    more = replace(
        figures,
        trusts=pd.concat([figures.trusts, trusts]).rename_axis("trust_code"),
        league=pd.concat([figures.league, published]).rename_axis("trust_code"),
        observations=pd.concat(
            [figures.observations, pd.DataFrame(rows, columns=figures.observations.columns)], ignore_index=True
        ),
    )
    rules = framework.for_quarter(figures.quarter)
    for start in ("scores", "values"):
        alone, together = league.build(figures, rules, start), league.build(more, rules, start)
        assert together.cut_offs == alone.cut_offs
        same = ["average_score", "segment", "rank"]
        pd.testing.assert_frame_equal(
            together.trusts.loc[alone.trusts.index, same], alone.trusts[same], check_dtype=False
        )
        assert together.of("Integrated care board")["rank"].tolist() == [1] * 6
        assert any("no rules for Integrated care board; left out" in note for note in together.notes)


def test_part_of_a_type_is_said_to_be_a_part():
    figures = release.embedded().release("Q1 2025/26")
    few = figures.trusts.groupby("trust_type").head(3).index
    part = replace(
        figures,
        trusts=figures.trusts.loc[few],
        league=figures.league.loc[few],
        observations=figures.observations[figures.observations["trust_code"].isin(few)],
    )
    assert "Acute trust (3 of 134), Ambulance trust (3 of 10)" in notes_of(part)
