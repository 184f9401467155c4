"""What the page on movement says, shows and is made for."""

import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nofcore import bootstrap, charts, cli, findings, framework, movement, movement_study, release, tables, wording
from nofcore.charts.movement import short_name, spaced
from nofcore.errors import InputError
from nofcore.movement import largest
from nofcore.report import plan
from nofcore.wording import signed
from tests import makers
from tests.makers import ACUTE, AMBULANCE, COMMUNITY, Q1, Q2, Q3, Q4

NEXT_YEAR = "Q1 2026/27"
# Words that claim a change for the better or the worse of a trust.
CLAIMS = re.compile(r"\b(improved|improvement|got better|got worse|deteriorated|declined|: better|: worse)\b")


@lru_cache
def study(first, second, trust_type, draws=1_000):
    return movement_study.study(release.embedded(), first, second, trust_type, None, draws, 5)


@pytest.fixture(scope="module")
def community():
    return study(Q1, Q4, COMMUNITY)


@pytest.fixture(scope="module")
def acute():
    return study(Q1, Q3, ACUTE)


@pytest.fixture(scope="module")
def without_rules():
    """Q4 2025/26 to Q1 2026/27 as it is for whoever has no rules of the second year."""
    known = release.framework_for

    def unknown(quarter, own=None):
        return None if quarter == NEXT_YEAR else known(quarter, own)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(release, "framework_for", unknown)
        return {kind: study(Q4, NEXT_YEAR, kind) for kind in (AMBULANCE, COMMUNITY)}


def everything(found):
    """All sentences of a page but the list of what not to read into it."""
    said = [findings.movement.headline(found)]
    for about in (
        findings.movement.about_movers, findings.movement.about_ranges, findings.decomposition.about_decomposition,
        findings.stability.about_segments, findings.stability.about_stability, findings.stability.about_regression,
        findings.stability.about_persistence, findings.stability.about_metrics, findings.movement.limitations,
    ):  # fmt: skip
        said += about(found).paragraphs
    said += [" ".join(point) for point in findings.movement.movers(found).points]
    return said


# --- sentences ------------------------------------------------------------------------------------


def test_headline_against_the_published_ranks(community):
    said = findings.movement.headline(community)
    assert said.startswith(
        "Between Q1 2025/26 and Q4 2025/26, 28 of 61 mental health and community trusts rose in the league table, 29 "
        "fell and 4 "
        "kept their rank; half moved 8 places or more."
    )
    assert "Spearman correlation of 0.73" in said
    facts = findings.movement.facts(community)
    assert facts["Spearman correlation"] == "0.731"
    assert facts["Changed segment"] == "28 of 61"
    assert facts["Rank changes split exactly"] == "61 of 61"


def test_headline_counts_the_ranges_and_what_chance_would_give(community):
    rows = community.ranges.table()
    told, chance = rows["change_told"].sum(), rows["by_chance"].sum()
    said = findings.movement.headline(community)
    assert f"{told} of 61 changes of average look like more than noise; about {chance:.0f} would by chance." in said
    assert "For the rest one cannot tell." in said


@pytest.mark.parametrize("code", ["RGD", "RNK", "RXG", "RYX"])
def test_no_claim_where_the_ranges_cannot_tell(community, code):
    """Leeds and York fell 33 places, and its range holds no change."""
    assert community.ranges.table().at[code, "verdict"] == "cannot tell"
    said = " ".join(findings.movement.about_trust(community, code))
    assert "one cannot tell whether it got better or worse" in said
    assert not CLAIMS.search(said.replace("one cannot tell whether it got better or worse", ""))


def test_every_trust_gets_the_words_that_its_range_allows(community):
    verdicts = community.ranges.table()["verdict"]
    for code, verdict in verdicts.items():
        said = findings.movement.about_trust(community, code)[1]
        assert ("cannot tell" in said) == (verdict == "cannot tell")
        assert ("): better." in said) == (verdict == "better")
        assert ("): worse." in said) == (verdict == "worse")


def test_a_verdict_says_how_often_chance_alone_gives_it(community):
    rows = community.ranges.table()
    code = rows.index[rows["verdict"] == "worse"][0]
    said = findings.movement.about_trust(community, code)[1]
    assert f"Chance alone would give as large a change in {100 * rows.at[code, 'p_value']:.1f} % of cases" in said


def test_a_range_that_excludes_no_change_is_not_enough(community):
    """Some ranges of few metrics lie beyond 0 though chance alone gives as large a change too often."""
    rows = community.ranges.table()
    code = rows.index[(rows["change_low"] > 0) & (rows["p_value"] > 0.05)][0]
    said = findings.movement.about_trust(community, code)[1]
    share = f"in {100 * rows.at[code, 'p_value']:.1f} % of cases"
    assert (
        f"one cannot tell whether it got better or worse. The range excludes no change, but over so few metrics chance alone would give as large a change {share}."
        in said
    )


def test_no_trust_is_praised_or_blamed_without_metric_rows(acute):
    for code in acute.movement.trusts.index:
        said = " ".join(findings.movement.about_trust(acute, code))
        assert "one cannot tell whether that is more than noise" in said
        assert not CLAIMS.search(said)
    assert "Which of these moves are more than noise cannot be said" in findings.movement.headline(acute)


def test_parts_in_words_are_those_of_the_table(community):
    """South West Yorkshire Partnership rose 23 places because its flag ended: published flag Yes, then No."""
    said = findings.movement.about_trust(community, "RXG")[1]
    part = community.decomposition.parts().at["RXG", "override"]
    assert part > 20
    assert f"Places gained by part: the override +{part:.1f}" in said
    frame = tables.rank_split(community.movement, community.decomposition).frame.set_index("Code")
    assert frame.at["RXG", "Own flag"] == "yes, then no"
    assert frame.at["RXG", "Override"] == part
    assert "South West Yorkshire Partnership" in str(findings.decomposition.about_decomposition(community))


def test_no_more_than_chance_gives_is_said_of_the_page_and_of_each_trust(community):
    """Q1 to Q2 2025/26: hardly more changes are told than chance gives; Q1 to Q4: four times as many."""
    early = study(Q1, Q2, COMMUNITY)
    rows = early.ranges.table()
    assert 0 < rows["change_told"].sum() < rows["by_chance"].sum() + 2
    assert "too few more to tell of any one trust" in findings.movement.headline(early)
    assert "none of them is singled out" in str(findings.movement.about_ranges(early))
    assert (rows["verdict"] == "cannot tell").all()
    assert set(tables.movers_table(early.movement, early.ranges).frame["Average is"]) == {"cannot tell"}
    code = rows.index[rows["change_told"]][0]
    assert "no more trusts do than chance alone gives" in findings.movement.about_trust(early, code)[1]
    assert community.ranges.table()["change_told"].sum() > 3 * community.ranges.table()["by_chance"].sum()
    assert "So some of these trusts changed; which of them is not certain." in str(
        findings.movement.about_ranges(community)
    )
    code = community.ranges.table().query("verdict == 'worse'").index[0]
    assert "no more trusts" not in findings.movement.about_trust(community, code)[1]


def test_trusts_of_which_nothing_could_be_told_are_counted():
    """Staff survey scores count as one. Fewer than six changed scores: 2 of 2 to the 5th exchanges are 6 %."""
    early = study(Q1, Q2, COMMUNITY)
    survey = {"OF1047", "OF1061", "OF1084"}
    items = movement.paired_items(early.movement)
    few = 0
    for code in items.before.index:
        changed = (items.after.loc[code] - items.before.loc[code]).dropna()
        changed = {"survey" if name in survey else name for name in changed.index[changed.abs() > 1e-9]}
        few += len(changed) < 6
    assert few > 20
    assert f"For {few} of 61 no change could have been told" in findings.movement.headline(early)
    ambulance = study(Q1, Q2, AMBULANCE)
    assert "The scores of no trust changed on six metrics" in findings.movement.headline(ambulance)


def test_ranks_outside_the_range_of_the_first_quarter_against_counting(acute):
    """What can be said of acute trusts after Q1 2025/26: the later rank against the range of the first."""
    drawn = bootstrap.rank_uncertainty(acute.movement.before, 1_000, 5).table()
    published = {
        row["trust_code"]: float(row["rank"])
        for row in makers.table("league_tables")
        if row["quarter"] == Q3 and row["trust_type"] == ACUTE
    }
    outside = [
        code
        for code, rank in published.items()
        if not drawn.at[code, "rank_low"] <= rank <= drawn.at[code, "rank_high"]
    ]
    assert sorted(acute.rank_ranges.index[acute.rank_ranges["outside"]]) == sorted(outside)
    assert acute.rank_ranges["by_chance"].max() <= 0.05
    said = str(findings.movement.about_ranges(acute))
    assert (
        f"{len(outside)} of 134 acute trusts have a rank in Q3 2025/26 outside the 95 % range of their rank in Q1 "
        "2025/26." in said
    )
    frame = tables.rank_change_table(acute.movement, acute.rank_ranges, acute.ranges).frame
    assert list(frame.columns) == ["Trust", "Code", "Rank Q1", "Range Q1", "Rank Q3", "Places gained"]


def test_shares_of_draws_outside_a_range_against_the_counts(community):
    drawn = bootstrap.rank_uncertainty(community.movement.before, 1_000, 5)
    place = drawn.trusts.index.get_loc("RYX")
    low, high = community.rank_ranges.loc["RYX", ["rank_low_before", "rank_high_before"]].astype(int)
    inside = drawn.counts.ranks[place, low - 1 : high].sum()
    assert community.rank_ranges.at["RYX", "by_chance"] == pytest.approx(1 - inside / 1_000)


@pytest.mark.parametrize(("number", "text"), [(1.25, "+1.25"), (-0.1, "−0.10"), (0.001, "0.00"), (-0.001, "0.00")])
def test_signed_numbers(number, text):
    assert signed(number) == text


def test_a_change_of_rules_is_said_before_anything_else(without_rules):
    for found in without_rules.values():
        reason = "the rules changed between Q4 2025/26 and Q1 2026/27, and the kit has no rules for Q1 2026/27"
        assert found.not_comparable == reason
        assert f"cannot be compared as performance: {reason}" in findings.movement.headline(found)
        assert findings.movement.about_movers(found).paragraphs[0].startswith("Not comparable: the rules changed")
        assert findings.movement.how_not_to_read(found).points[0][0] == "Two years of rules are not one scale."
        for said in everything(found):
            assert not CLAIMS.search(said.replace("it does not say who got better", "").replace("care gets better", ""))
        assert "not one of performance alone" in tables.movers_table(found.movement, found.ranges).caption


def test_trusts_that_left_are_named(without_rules):
    found = without_rules[COMMUNITY]
    said = str(findings.movement.about_movers(found))
    for name in ("Tavistock and Portman", "Bridgewater Community Healthcare", "Cambridgeshire Community Services"):
        assert name in said
    assert len(tables.left_or_joined(found.movement).frame) == 3
    assert "The figures do not say why" in said


def test_who_belongs_in_segment_4_allows_for_luck(community):
    """Nine trusts stay; the probability of each is below its share of draws, and the table is in its order."""
    frame = tables.persistence_table(community.persistence, community.trust_type).frame.set_index("Code")
    belongs, shares = community.persistence.belongs, community.persistence.trusts[list(community.persistence.drawn)]
    assert (belongs < shares).all(axis=None)
    code = frame.index[0]
    assert (
        frame.at[code, "Belongs there (%)"]
        == f"{100 * belongs.loc[code].min():.0f} to {100 * belongs.loc[code].max():.0f}"
    )
    assert belongs.min(axis=1).idxmax() == code
    said = str(findings.stability.about_persistence(community))
    assert "the probability with luck allowed for, 25 to 87 % in these trusts and quarters" in said
    unknown = replace(community.persistence, belongs=belongs * np.nan)
    assert "not available, because" in str(
        findings.stability.about_persistence(replace(community, persistence=unknown))
    )
    assert "Belongs there (%)" not in tables.persistence_table(unknown, community.trust_type).frame


def test_segments_and_override(community):
    assert "28 of 61 mental health and community trusts changed segment." in str(
        findings.stability.about_segments(community)
    )
    total = sum(int(study(Q1, Q2, kind).movement.trusts["segment_changed"].sum()) for kind in (AMBULANCE, COMMUNITY))
    assert total == 17  # of the 38 of all types


def test_what_is_missing_is_said(acute):
    said = "\n".join(everything(acute))
    assert "No range can be drawn, as no metric rows of acute trusts are at hand for Q3 2025/26." in said
    assert "own scores and its set of metrics cannot be told apart" in said
    assert (
        "The metrics cannot be compared: no values that the rules know are at hand for acute trusts in Q3 2025/26."
        in said
    )
    assert "No draws for Q2 2025/26 and Q3 2025/26, as metric rows are not at hand." in said
    assert "override flags of 70 trusts are not known" in said
    assert charts.average_changes(acute.movement, acute.ranges)._repr_html_() == ""
    assert tables.metric_change_table(acute.metrics, acute.movement)._repr_html_() == ""


def test_no_sentence_holds_a_missing_number_or_a_broken_end(community, acute, without_rules):
    for found in (community, acute, *without_rules.values(), study(Q1, Q2, AMBULANCE)):
        for said in everything(found):
            assert not re.search(r"\bnan\b|None |  |\.\.|\{|\}", said), said
            assert said.endswith("."), said


def test_a_quarter_that_cannot_be_rebuilt_is_left_out_and_named(tmp_path):
    """The flags of Q2 are missing from the files: Q1 to Q4 can be shown all the same, Q2 as an end cannot."""
    rows = [
        row
        for row in makers.data_rows((Q1, Q2, Q4), (COMMUNITY,))
        if row["Metric_ID"] != "OF5004" or row["Quarter"] != Q2
    ]
    makers.write(tmp_path / "community-data.csv", rows)
    archive = release.read(tmp_path)
    found = movement_study.study(archive, Q1, Q4, COMMUNITY, None, 50, 1)
    assert [one.quarter for one in found.path] == [Q1, Q4]
    assert len(found.left_out) == 1
    said = str(findings.movement.limitations(found))
    assert (
        "Left out of the chart of ranks and of the trusts that stay in a segment: Q2 2025/26: no financial-override "
        "flag" in said
    )
    with pytest.raises(InputError, match="no financial-override flag"):
        movement_study.study(archive, Q2, Q4, COMMUNITY, None, 50, 1)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.35, 0.9954, "35 to more than 99"), (1, 1, "100"), (0.002, 0.5, "fewer than 1 to 50"), (0, 0, "0")],
)
def test_a_share_that_is_not_all_is_not_shown_as_100(low, high, said):
    assert wording.shares(low, high) == said


@pytest.mark.parametrize(("types", "known"), [((ACUTE,), False), ((ACUTE, AMBULANCE, COMMUNITY), True)])
def test_league_tables_alone_make_a_page(tmp_path, types, known):
    """Averages, segments and ranks without a metric row. Of one type the cut-offs, percentiles of the averages of all
    trusts, are not known, so moves cannot be split; of all types they follow: 2.06, 2.35 and 2.70 in Q3 2025/26."""
    makers.write(tmp_path / "tables.csv", makers.league_rows((Q2, Q3), types))
    found = movement_study.study(release.read(tmp_path), Q2, Q3, ACUTE, None, 50, 1)
    assert found.not_comparable is None
    assert "no metric rows of acute trusts are at hand" in findings.movement.headline(found)
    said = str(findings.decomposition.about_decomposition(found))
    if known:
        assert movement.cuts_of(found.movement.after, ACUTE) == pytest.approx([206, 235, 270])
        assert found.decomposition.adds_up()
        assert "other trusts' averages" in " ".join(findings.movement.about_trust(found, "RJ1"))
    else:
        assert "cannot be split: the cut-offs between segments are not known for Q2 2025/26 and Q3 2025/26" in said
    for text in everything(found):
        assert not re.search(r"\bnan\b|None |  ", text), text


def test_trusts_of_segment_4_that_vanish_are_counted_and_named(tmp_path):
    """TAJ and RX2 were in segment 4 in Q1 2025/26, and are taken out of Q4: of 17, not of 15."""
    gone = {"TAJ", "RX2"}
    assert all(published_segment(Q1, code) == "4" for code in gone)
    rows = [
        r for r in makers.league_rows((Q1, Q4), (COMMUNITY,)) if not (r["Quarter"] == Q4 and r["Trust_code"] in gone)
    ]
    makers.write(tmp_path / "tables.csv", rows)
    found = movement_study.study(release.read(tmp_path), Q1, Q4, COMMUNITY, None, 50, 1)
    said = str(findings.stability.about_persistence(found))
    assert said.startswith("Of 17 trusts in segment 4 in Q1 2025/26, ")
    assert "Not ranked in every one of these quarters: " in said
    assert "(TAJ)" in said
    assert "(RX2)" in said


def published_segment(quarter, code):
    rows = makers.table("league_tables")
    return next(row["segment"] for row in rows if (row["quarter"], row["trust_code"]) == (quarter, code))


def test_the_reason_under_rules_of_ones_own_is_the_rules():
    """Metric rows are at hand for both quarters, but medians are not drawn."""
    rules = framework.for_quarter(Q1)
    own = replace(rules, average=framework.Average(how="median"))
    found = movement_study.study(release.embedded(), Q1, Q4, AMBULANCE, own, 50, 1)
    for said in everything(found):
        assert "no metric rows" not in said
        assert "has metric rows" not in said
        assert "--data" not in said
    assert "the rules do not average as the official ones do" in findings.movement.headline(found)
    assert "the rules do not average as the official ones do" in str(findings.stability.about_stability(found))


def test_figures_that_are_not_new_are_named():
    """Q1 to Q4 2025/26: both staff surveys were new, the yearly financial plan was not (one trust's was changed)."""
    said = str(findings.stability.about_metrics(study(Q1, Q4, COMMUNITY)))
    assert "the others are the same figures as in Q1 2025/26: Financial plan" in said
    assert "urvey" not in said.split("the same figures as in Q1 2025/26")[1].split(".")[0]


def test_segments_by_new_cut_offs_of_acute_trusts_are_bounded():
    """Not all flags of Q4 2025/26 are known: 22 to 24 trusts would be in another segment by the cut-offs of 2026/27."""
    said = str(findings.stability.about_segments(study(Q4, NEXT_YEAR, ACUTE)))
    assert "22 to 24 (not all flags are known) would be in another segment by the cut-offs of Q1 2026/27 alone" in said


# --- charts and tables ----------------------------------------------------------------------------


def test_charts_carry_text(community, acute, without_rules):
    made = [charts.average_changes(community.movement, community.ranges)]
    for found in (community, acute, without_rules[AMBULANCE]):
        made.append(charts.rank_flow(found.path, found.movement, "RYX"))
        made.append(charts.rank_parts(found.movement, found.decomposition, "RYX"))
    assert made.pop()._repr_html_() == ""  # nothing to split between two years
    for chart in made:
        data, metadata = chart._repr_mimebundle_()
        assert "<svg" in data["image/svg+xml"]
        assert len(metadata["image/svg+xml"]["alt"]) > 60
    assert "from 15 to 48" in made[1].alt


def test_a_trust_is_found_at_its_rank_in_the_last_quarter(community):
    chart = charts.rank_flow(community.path, community.movement)
    ranks = community.path[-1].of(community.movement.trust_type)["rank"]
    assert len(chart.places) == len(community.movement.trusts) > 50
    assert chart.places == {code: (len(community.path) - 1, ranks[code]) for code in community.movement.trusts.index}


def test_largest_movers(community):
    gained = community.movement.trusts["gained"]
    codes = largest(community.movement)
    assert sorted(gained[codes[:5]]) == sorted(gained.nlargest(5))
    assert sorted(gained[codes[5:]]) == sorted(gained.nsmallest(5))
    assert codes[-1] == "RGD"
    assert largest(community.movement, trust="RYX")[0] == "RYX"


@given(st.lists(st.integers(1, 130), min_size=1, max_size=12), st.floats(0.5, 5))
def test_labels_are_apart_and_in_order(heights, gap):
    found = spaced(pd.Series(heights, dtype=float), gap)
    ordered = found[pd.Series(heights).sort_values(kind="stable").index]
    assert (np.diff(ordered) >= gap - 1e-9).all()
    assert found.mean() == pytest.approx(np.mean(heights))  # moved as little as needed: not all to one side


def test_short_names():
    assert short_name("Leeds and York Partnership NHS Foundation Trust") == "Leeds and York Partnership"
    assert short_name("West London NHS Trust") == "West London"


def test_movers_table_against_published_figures(community):
    frame = tables.movers_table(community.movement, community.ranges).frame.set_index("Code")
    rows = {(r["quarter"], r["trust_code"]): r for r in makers.table("league_tables")}
    for code in frame.index:
        assert frame.at[code, "Rank Q1"] == float(rows[Q1, code]["rank"])
        assert frame.at[code, "Average Q4"] == float(rows[Q4, code]["average_score"])
    assert set(frame["Average is"]) == {"better", "worse", "cannot tell"}
    assert (
        not tables.rank_change_table(community.movement, community.rank_ranges, community.ranges)
        .frame.isna()
        .any()
        .any()
    )
    unsure = community.ranges.table()["change_unsure"]
    assert (frame["Range of change"].str.startswith("~") == unsure.reindex(frame.index)).all()


def test_changes_in_numbers_are_those_of_the_page(community):
    ((what, frame),) = findings.movement.download_tables(community).values()
    assert what.startswith("Every trust's change in numbers")
    assert len(frame) == 61
    row = frame.set_index("trust_code").loc["TAD"]
    drawn = community.ranges.table().loc["TAD"]
    assert (row["change_low"], row["p_value"]) == (drawn["change_low"], drawn["p_value"])
    assert (row["rank_before"], row["rank_after"], row["gained"]) == (53, 27, 26)
    assert sum(row[f"part_{name}"] for name in community.decomposition.numerators) == pytest.approx(26)
    assert frame["change_low"].dtype.kind == "f"


def test_transition_matrix_has_counts_and_row_shares(community):
    """Published segments of Q1 and Q4 2025/26: 17 trusts in segment 4, of which 10 stayed."""
    frame = tables.transition_matrix(community.movement).frame
    assert frame.iloc[3].tolist() == ["Segment 4", "0 (0 %)", "2 (12 %)", "5 (29 %)", "10 (59 %)", 17, 7]


def test_segments_changed_by_the_flag_alone_are_told_apart():
    """Q1 to Q4 2025/26: seven acute trusts are held in one of the quarters and not in the other. RQM and RQ3 lost the
    flag and RWF got it; RLT and RRK (from segment 4 to 3), RFS and RF4 (from 3 to 4) changed by their averages."""
    said = str(findings.stability.about_segments(study(Q1, Q4, ACUTE)))
    assert "For 7 of these the financial override began or ceased to act" in said
    assert (
        "With the flags of Q1 2025/26, 4 of these would have changed segment all the same, by the average or the cut-offs."
        in said
    )


def test_where_the_flag_alone_changed_all_segments_no_other_change_is_named():
    """Q1 to Q4 2025/26: RXG, RY4 and RPG left segment 3 as they lost the flag; Q2 to Q3: one trust alone."""
    said = str(findings.stability.about_segments(study(Q1, Q4, COMMUNITY)))
    assert "With the flags of Q1 2025/26, none of these would have changed segment. " in said
    said = str(findings.stability.about_segments(study(Q2, "Q3 2025/26", COMMUNITY)))
    assert "For 1 of these the financial" in said
    assert "With its flag of Q2 2025/26, it would not have changed segment. " in said


@pytest.mark.parametrize(
    ("count", "kept", "said"),
    [
        (1, (1, 1), "With its flag of Q1, it would not have changed segment."),
        (1, (0, 0), "With its flag of Q1, it would have changed segment all the same, by the average or the cut-offs."),
        (
            1,
            (0, 1),
            "With the flags of Q1, 0 to 1 (not all flags are known) of these would have changed segment all the same, by",
        ),
        (2, (0, 0), "With the flags of Q1, all of these would have changed segment all the same, by the average"),
        (3, (1, 2), "With the flags of Q1, 1 to 2 (not all flags are known) of these would have changed segment all"),
    ],
)
def test_what_the_old_flags_would_have_done(monkeypatch, count, kept, said):
    monkeypatch.setattr(findings.stability, "kept_by_old_flags", lambda movement: kept)
    movement = SimpleNamespace(rules_changed=False)
    found = SimpleNamespace(movement=movement, quarters=("Q1", "Q4"))
    assert said in findings.stability._by_flag_alone(found, count)


def test_a_page_without_metric_rows_does_not_speak_of_them():
    bare, whole = (findings.movement.how_not_to_read(study(Q1, Q4, kind))._repr_html_() for kind in (ACUTE, COMMUNITY))
    for text in ("See the metrics themselves below", "More than noise does not mean"):
        assert text in whole
        assert text not in bare
    assert "so the page does not say which changes are more than noise" in bare


def test_a_rank_rose_or_fell_only_where_the_average_is_told(community):
    """RXG rose by the override; ranges alone call the changes of RNU and RP1, whose averages are not told, falls."""
    rows = community.ranges.table()
    told = rows[rows["rank_verdict"] != "cannot tell"]
    assert {"RXG", "RNU", "RP1"} <= set(rows.index[rows["gained_told"]])
    assert not {"RXG", "RNU", "RP1"} & set(told.index)
    assert len(told) and (told["verdict"] == told["rank_verdict"].map({"rose": "better", "fell": "worse"})).all()


def test_a_rank_is_marked_only_where_another_seed_may_change_what_is_said_of_it(community):
    """The range of RV3 ends beside no change, and its average is told; RNU and RP1 may not be said to have moved by any seed,
    as the exact test does not tell their averages."""
    rows = community.ranges.table()
    assert {"RV3", "RNU", "RP1"} <= set(rows.index[rows["gained_unsure"]])
    assert set(rows.index[rows["rank_unsure"]]) == {"RV3"}
    found = community.movement
    frame = tables.movement.rank_change_table(found, community.rank_ranges, community.ranges).frame.set_index("Code")
    assert set(frame.index[frame["Range of places"].str.startswith("~", na=False)]) == {"RV3"}


def test_stability_table_shows_both(community, acute):
    frame = tables.stability_table(community.stability, community.movement).frame
    assert frame.iloc[0, 1] == "0.73"
    assert list(frame.columns) == [
        "Figure", "Q1 2025/26 and Q4 2025/26", "Other metrics", "95 % of these", "Chance directions", "95 % of those",
    ]  # fmt: skip
    said = str(findings.stability.about_stability(community))
    assert "lies in the 95 % range of these (0.73 to 0.85), and " in said
    agree_less = sum(one < 0.7312 for one in community.stability.exchanged.spearman) / 10
    assert 2.5 < agree_less < 5
    assert (
        f" and {agree_less:.1f} % of them agree as little or less: that chance alone changed the order cannot be ruled out."
        in said
    )
    assert len(tables.stability_table(acute.stability, acute.movement).frame.columns) == 4
    none = study(Q2, Q3, ACUTE)
    assert len(tables.stability_table(none.stability, none.movement).frame.columns) == 2


# --- the pages ------------------------------------------------------------------------------------


def request(**given):
    options = {
        "names": ("movement",), "figures": release.embedded().release(Q1), "trust_type": "all", "data": None,
        "framework": None,
        "out": Path("reports"), "workers": 1, "archive": release.embedded(), "quarter_named": False,
    }  # fmt: skip
    return plan.Request(**options | given)


def pair(**given):
    return plan.movement_pair(release.embedded(), request(**given))


def test_quarters_of_the_page():
    """The quarter before the one shown; from the first quarter, to the last one of the same year."""
    third = release.embedded().release(Q3)
    assert pair(figures=third, quarter_named=True) == (Q2, Q3)
    assert pair(figures=third, quarter_named=True, from_quarter="q1 2025/26") == (Q1, Q3)
    assert pair() == (Q1, Q4)
    assert pair(from_quarter=Q2) == (Q2, Q4)
    assert pair(from_quarter=Q4) == (Q4, NEXT_YEAR)
    assert pair(names=(), quarter_named=True) is None


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"quarter_named": True}, "holds no quarter before Q1 2025/26; name a later --quarter"),
        ({"quarter_named": True, "from_quarter": Q2}, "--from-quarter Q2 2025/26 is not before Q1 2025/26"),
        ({"quarter_named": True, "from_quarter": Q1}, "--from-quarter Q1 2025/26 is not before Q1 2025/26"),
        ({"from_quarter": NEXT_YEAR}, "holds no quarter after Q1 2026/27"),
        ({"from_quarter": "Q1 2024/25"}, "holds no figures for Q1 2024/25"),
        ({"from_quarter": "spring"}, "'spring' is not a quarter"),
    ],
)
def test_quarters_that_cannot_be(given_, message):
    with pytest.raises(InputError, match=re.escape(message)):
        pair(**given_)


def test_a_report_of_the_first_quarter_has_no_page_on_movement():
    assert plan.PAGES["movement"](request(names=(), quarter_named=True)) == []
    pages = plan.PAGES["movement"](request(names=(), figures=release.embedded().release(Q2), quarter_named=True))
    assert [page.slug for page in pages] == [
        f"movement-{slug}-q1-2025-26-to-q2-2025-26" for slug in ("acute", "ambulance", "mental-health-and-community")
    ]
    assert all(page.group == Q2 for page in pages)
    assert pages[0].parameters["from_quarter"] == Q1


def test_types_that_are_not_in_both_quarters_have_no_page(tmp_path):
    makers.write(tmp_path / "a.csv", makers.data_rows((Q2,), (AMBULANCE, COMMUNITY)))
    makers.write(tmp_path / "b.csv", makers.data_rows((Q4,), (COMMUNITY,)))
    archive = release.read(tmp_path)
    given_ = {"archive": archive, "data": tmp_path, "figures": archive.release(Q4), "quarter_named": True}
    assert [page.parameters["trust_type"] for page in plan.PAGES["movement"](request(**given_))] == [
        "mental-health-and-community"
    ]


def test_usage_errors_on_the_command_line(tmp_path, capsys):
    out = ["--out", str(tmp_path / "out")]
    assert cli.main(["report", "movement", "--quarter", Q1, *out]) == 2
    assert "holds no quarter before Q1 2025/26" in capsys.readouterr().err
    assert cli.main(["report", "--from-quarter", Q4, "--quarter", Q2, *out]) == 2
    assert "--from-quarter Q4 2025/26 is not before Q2 2025/26" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_users_rules_apply_to_both_quarters_of_their_year():
    rules = replace(framework.for_quarter(Q1), override=None)
    found = movement_study.study(release.embedded(), Q1, Q4, AMBULANCE, rules, 50, 1)
    assert (found.decomposition.numerators["override"] == 0).all()
    assert not found.movement.trusts["held_before"].any()
