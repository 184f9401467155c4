"""What the page on one trust says: nothing that the ranges do not allow."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nofcore import cache, charts, exhibits, findings, profile, release, tables
from nofcore.learning import BY_CHANCE, NOT_KNOWN, TOLD
from nofcore.metric_standing import BETTER, CANNOT_TELL, UNKNOWN, WORSE
from nofcore.report.plan import Request, names
from nofcore.tables.profile import metric_frame, place_of, value_of
from tests import makers
from tests.figures import profiles_of, uncached_profiles_of
from tests.makers import ACUTE, Q1, Q2, Q4

PAGE = findings.profile
CODES = ["RXF", "RX7", "RGD", "RP6", "R1F", "RYG", "RRU"]
ABOUT = (
    PAGE.about_rank, PAGE.about_path, PAGE.about_domains, PAGE.about_metrics, PAGE.about_ends, PAGE.about_segment, PAGE.about_method,
    PAGE.limitations,
)  # fmt: skip

RANKS = ["rank", "rank_without", "rank_with"]
"""Of a path: as published, without the flag and with it."""


@pytest.fixture(scope="module", autouse=True)
def own_folder(tmp_path_factory):
    """A cache of this test's own."""
    place = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "folder", lambda: place)
        yield


@pytest.fixture(scope="module")
def first(own_folder):
    return profiles_of(Q1)


@pytest.fixture(scope="module")
def second(own_folder):
    return profiles_of(Q2)


@pytest.fixture(scope="module")
def fourth(own_folder):
    return profiles_of(Q4)


@pytest.fixture(scope="module")
def without_rules(own_folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(release, "framework_for", lambda quarter, own=None: None)
        return uncached_profiles_of(release.embedded(), "Q1 2026/27", None, 400)


@pytest.fixture(scope="module")
def next_year(own_folder):
    return profiles_of("Q1 2026/27")


def said_by(found) -> list[str]:
    texts = [PAGE.headline(found), *(text for about in ABOUT for text in about(found).paragraphs)]
    lessons = [PAGE.about_lesson(lesson) for lesson in found.lessons]
    points = [f"{opening} {rest}" for opening, rest in PAGE.how_not_to_read(found).points]
    return [*texts, *lessons, *points]


@pytest.mark.parametrize(
    ("quarter", "step"), [("first", 12), ("second", 1), ("fourth", 12), ("without_rules", 12), ("next_year", 6)]
)
def test_every_sentence_is_whole(quarter, step, request):
    """Of every trust of the second quarter, in which flags and metrics of most are missing, and of some in the others."""
    study = request.getfixturevalue(quarter)
    everyone = list(study.rebuilt.trusts.index)
    codes = study.rebuilt.of(ACUTE).index if step == 1 else {*everyone[::step], *CODES} & {*everyone}
    for code in codes:
        for text in said_by(profile.profile(study, code)):
            assert not re.search(r"\bnan\b|\bNone\b(?! (of|puts))|  |\.\.|\{|\}|<NA>|np\.", text), text
            assert text.endswith("."), text


def test_the_headline_gives_published_figures(first):
    """NHS England: Moorfields (RP6) first of 134 acute trusts, average 1.39; segment 1."""
    said = PAGE.headline(profile.profile(first, "RP6"))
    assert "is at rank 1 of 134 acute trusts in Q1 2025/26, in segment 1, with an average score of 1.39" in said


def test_a_trust_held_back_is_told(first):
    """King's Fund and NHS England: Northumbria (RTF) 9th at 1.74, UCLH (RRV) 10th at 1.81; who is capped ranks behind them."""
    capped = first.rebuilt.trusts.query("unadjusted_segment < segment").index[0]
    assert "the override holds it back." in PAGE.headline(profile.profile(first, capped))
    assert "holds it back" not in PAGE.headline(profile.profile(first, "RTF"))


@pytest.mark.parametrize("code", CODES)
def test_better_and_worse_are_said_of_domains_that_are_told_apart_alone(first, code):
    found = profile.profile(first, code)
    unsure = found.domains.assign(verdict_type=CANNOT_TELL, verdict_subtype=CANNOT_TELL)
    said = PAGE.about_domains(replace(found, domains=unsure)).paragraphs[0]
    assert "cannot be told apart" in said
    assert "better" not in said
    assert "worse" not in said
    told = unsure.assign(verdict_type=[BETTER, WORSE, *[CANNOT_TELL] * (len(unsure) - 2)])
    said = PAGE.about_domains(replace(found, domains=told)).paragraphs[0]
    assert f"better in {unsure['name'].iat[0].lower()} and worse in {unsure['name'].iat[1].lower()}" in said
    nobody = unsure.assign(verdict_type=UNKNOWN, verdict_subtype=UNKNOWN)
    assert "not known" in PAGE.about_domains(replace(found, domains=nobody)).paragraphs[0]


@pytest.mark.parametrize(
    ("ahead", "behind", "said"),
    [
        (0, 0, "It cannot be told apart from any of the 133 others."),
        (1, 0, "Of the 133 others 1 stands clearly above it; from the other 132 it cannot be told apart."),
        (0, 1, "Of the 133 others 1 stands clearly below it; from the other 132 it cannot be told apart."),
        (
            5,
            7,
            "Of the 133 others 5 stand clearly above it and 7 clearly below it; from the other 121 it cannot be told apart.",
        ),
    ],
)
def test_how_many_can_be_told_apart(first, ahead, behind, said):
    found = profile.profile(first, "RXF")
    told = pd.Series({"others": 133, "ahead": ahead, "behind": behind, "unsure": 0})
    assert PAGE.headline(replace(found, told=told)).count(said) == 1


def with_evidence(lesson, *evidence):
    rows = lesson.teachers.iloc[: len(evidence)].assign(evidence=list(evidence))
    return replace(lesson, teachers=rows)


def test_what_is_learnt_is_better_only_where_counts_say_so(first):
    lesson = profile.profile(first, "RXF").lessons[0]
    assert "better" not in PAGE.about_lesson(with_evidence(lesson, NOT_KNOWN, NOT_KNOWN))
    assert "how much of the difference is chance is not known" in PAGE.about_lesson(with_evidence(lesson, NOT_KNOWN))
    assert "Their values are better by more than chance" in PAGE.about_lesson(with_evidence(lesson, TOLD, TOLD))
    assert "Its value is better by more than chance" in PAGE.about_lesson(with_evidence(lesson, TOLD))
    mixed = PAGE.about_lesson(with_evidence(lesson, TOLD, NOT_KNOWN))
    assert "1 of their values is better" in mixed
    assert "No counts behind the values are at hand for the others" in mixed
    hidden = PAGE.about_lesson(replace(lesson, by_chance=2))
    assert BY_CHANCE in hidden


def test_a_metric_with_a_score_alone_has_a_table_too(first):
    """One trust's worst metrics are scores that are published without values."""
    bare = first.metrics[(first.metrics["value_id"] == "") & (first.metrics["model"] != "combined")]
    shown = 0
    for code in bare.loc[bare["score"] == 4, "trust_code"].unique():
        found = profile.profile(first, code)
        for lesson in found.lessons:
            if lesson.metric["value_id"] == "" and len(lesson.teachers):
                assert "<th" in PAGE.who_to_learn_from(found)._repr_html_()
                shown += 1
    assert shown


def test_nobody_to_learn_from_is_said(first):
    lesson = profile.profile(first, "RXF").lessons[0]
    none = replace(lesson, teachers=lesson.teachers.iloc[:0])
    assert "None of the 48 other trusts of its subtype that can be compared does well enough" in PAGE.about_lesson(none)
    assert "No other trust of its subtype can be compared" in PAGE.about_lesson(replace(none, comparable=0))
    assert "nobody to learn from is looked for" in PAGE.about_lesson(replace(none, does_well=True))
    far = replace(lesson, typical=0.0)
    assert "less alike than the middle trust of the subtype" in PAGE.about_lesson(far)
    assert len(far.shown) == 1
    assert PAGE.about_lesson(far).count("NHS") == PAGE.about_lesson(replace(far, teachers=far.shown)).count("NHS") == 1


def test_a_trust_with_hardly_any_metrics(first):
    whole = profile.profile(first, "RX7")
    code, one = whole.code, whole.metrics.iloc[:1]
    few = replace(first, metrics=pd.concat([first.metrics[first.metrics["trust_code"] != code], one]))
    found = profile.profile(few, code)
    assert found.lessons == ()
    assert "fewer than two metrics" in str(PAGE.about_ends(found))
    assert "fewer than two metrics" in PAGE.who_to_learn_from(found)._repr_html_()
    assert tables.trust_ends(found)._repr_html_() == ""
    assert "<svg" in charts.metric_places(found)._repr_mimebundle_()[0]["image/svg+xml"]


def test_what_is_missing_is_said(fourth, without_rules):
    """Metric rows of acute trusts are at hand for Q1 alone; the rules of 2026/27 are not in the kit."""
    acute = profile.profile(fourth, "RXF")
    assert "no metric scores of acute trusts are at hand for Q4 2025/26" in PAGE.headline(acute)
    assert "They are at hand for Q1 2025/26" in str(PAGE.about_metrics(acute))
    assert "95 %" not in str(PAGE.about_rank(acute))
    assert charts.rank_shares(acute)._repr_html_() == charts.metric_places(acute)._repr_html_() == ""
    assert tables.trust_domains(acute)._repr_html_() == tables.trust_metrics(acute)._repr_html_() == ""
    later = profile.profile(without_rules, "RX7")
    assert "the kit has no rules for 2026/27" in str(PAGE.limitations(later))
    assert "the kit has no rules for 2026/27" in str(PAGE.about_segment(later))


def test_a_trust_that_is_not_ranked(first):
    rows = first.rebuilt.trusts.copy()
    rows.loc["RX7", ["rank", "segment", "average_score"]] = np.nan
    path = first.ranges.path[first.ranges.path["trust_code"] != "RX7"]
    lost = replace(
        first, rebuilt=replace(first.rebuilt, trusts=rows), method={},
        ranges=replace(first.ranges, path=path, table=first.ranges.table.drop(index="RX7")),
    )  # fmt: skip
    found = profile.profile(lost, "RX7")
    assert "is not ranked in Q1 2025/26" in PAGE.headline(found)
    assert "no segment to change" in str(PAGE.about_segment(found))
    assert PAGE.facts(found) == {"Rank": "none"}
    assert "No other rules can be applied" in str(PAGE.about_method(found))


def test_segments_that_are_not_sure_are_called_so(first):
    found = profile.profile(first, "RXF")
    shares = {f"p_segment_{n}": share for n, share in enumerate((0, 0, 0.96, 0.04), start=1)}
    sure = replace(found, range=pd.Series({**found.range, **shares}))
    assert "is not sure" not in str(PAGE.about_rank(sure))
    shares |= {"p_segment_3": 0.9, "p_segment_4": 0.1}
    assert "So its published segment, 3, is not sure." in str(
        PAGE.about_rank(replace(found, range=pd.Series({**found.range, **shares})))
    )


def test_a_path_within_the_range_shows_no_change(first):
    found = profile.profile(first, "RXF")
    assert "so the path alone does not show that its place changed" in str(PAGE.about_path(found))
    path = found.path.copy()
    path.loc[2, RANKS] = 1
    assert "its rank in Q3 2025/26; that is a sign of a change, not a test of it" in str(
        PAGE.about_path(replace(found, path=path))
    )


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "RXG",
            "In Q2 2025/26, Q3 2025/26 and Q4 2025/26 the override no longer held it, and its ranks lie outside the range",
        ),
        (
            "RXG",
            "With the flag of Q1 2025/26 it would be at ranks 25, 30 and 30, within that range, so the ranks are no sign",
        ),
        ("RXG", "Its average was 1.77 in Q1 2025/26 and 1.82, 2.01 and 1.73 then."),
        ("RQM", "In Q2 2025/26, Q3 2025/26 and Q4 2025/26 the override no longer held it, and its ranks lie outside"),
        ("RQM", "Its average was 1.68 in Q1 2025/26 and 1.79, 1.71 and 1.60 then."),
    ],
)
def test_a_rank_that_the_override_moved_is_no_sign_of_a_change(first, code, said):
    """Published: RXG in segment 3 with 1.77 and RQM with 1.68, and then both in segment 1."""
    path = str(PAGE.about_path(profile.profile(first, code)))
    assert said in path
    assert "sign of a change" not in path


def test_a_rank_that_the_override_began_to_hold_is_no_sign_of_a_change(first):
    """RWF: 1.87 in segment 1, and then, with 1.85 and 1.72, in segment 3."""
    found = profile.profile(first, "RWF")
    path = found.path.copy()
    path.loc[0, ["rank_low", "rank_high"]] = [4, 26]
    said = str(PAGE.about_path(replace(found, path=path)))
    assert "In Q3 2025/26 and Q4 2025/26 the override held it, and its ranks lie outside the range" in said
    assert "Its average was 1.87 in Q1 2025/26 and 1.85 and 1.72 then." in said


def test_ranks_by_the_override_and_by_the_average_are_told_apart(first):
    """A trust that is let go by the override twice, and then falls to segment 4 by its average."""
    found = profile.profile(first, "RXG")
    path = found.path.copy()
    path.loc[3, [*RANKS, "segment", "unadjusted", "if_flagged"]] = [60, 60, 60, 4, 4, 4]
    said = str(PAGE.about_path(replace(found, path=path)))
    assert "In Q2 2025/26 and Q3 2025/26 the override no longer held it" in said
    assert "is its rank in Q4 2025/26; that is a sign of a change" in said


def test_a_rank_outside_the_range_with_the_old_flag_too_is_a_sign_of_a_change(first):
    """RAS: flagged, in segment 4 by an average of 2.62; at rank 17 with 1.93 and no flag. A trust in segment 3 with
    1.93 would be at rank 41, as METHOD orders trusts, and its range of Q1 begins at 59."""
    said = str(PAGE.about_path(profile.profile(first, "RAS")))
    assert "is its rank in Q4 2025/26; that is a sign of a change, not a test of it." in said
    assert "In Q3 2025/26 the override did not hold it" in said
    assert "no longer" not in said


def test_the_override_is_not_said_to_end_in_an_earlier_quarter(second):
    """RAT: held in Q2 and Q3 2025/26, with 2.07 and 2.08 in segment 3, and not in Q1, with 1.82 in segment 1."""
    said = str(PAGE.about_path(profile.profile(second, "RAT")))
    assert "In Q1 2025/26 and Q4 2025/26 the override did not hold it" in said


def test_a_path_without_known_flags_speaks_of_no_override(first):
    found = profile.profile(first, "RXG")
    path = found.path.assign(flagged=np.nan)
    said = str(PAGE.about_path(replace(found, path=path)))
    assert "that is a sign of a change" in said
    assert "the override" not in said


@pytest.mark.parametrize(("code", "flag"), [("RWF", True), ("RX7", True), ("RXG", False), ("RNK", False)])
def test_a_flag_alone_would_put_a_trust_in_segment_3(first, code, flag):
    """Not one that carries it, nor one in segment 3 already."""
    said = str(PAGE.about_segment(profile.profile(first, code)))
    assert ("The override flag, which it does not carry, would alone put it in segment 3" in said) == flag


def test_the_override_keeps_out_of_better_segments_and_not_of_worse(first):
    assert "The override keeps it out of better ones whatever" in str(PAGE.about_rank(profile.profile(first, "RQM")))


def test_metrics_with_a_place_are_counted_without_the_combined_score(first):
    """RYW has eight rows with a rank, one of them combined finance, made of two."""
    found = profile.profile(first, "RYW")
    assert found.metrics["rank"].notna().sum() == 8
    said = "Of 7 metrics with a place in a pool (combined finance, made of others, not counted) it is in the best"
    assert said in str(PAGE.about_metrics(found))


def test_a_combined_score_of_which_a_part_is_at_hand_is_not_said_to_be_left_out(fourth):
    """RY4, Q4 2025/26: figures of acute trusts are not at hand, so the pool of combined finance is not whole either."""
    found = profile.profile(fourth, "RY4")
    combined = found.metrics[found.metrics["model"] == "combined"]
    assert combined["rank"].notna().all() and not combined["whole"].any()
    said = str(PAGE.about_metrics(found))
    assert "with a place in a whole pool it is in the best" in said


def test_changes_that_pass_as_few_trusts_are_all_named(first):
    said = str(PAGE.about_segment(profile.profile(first, "RNK")))
    assert "27 places in its pool; as few with raising concerns)" in said


@pytest.mark.parametrize(
    ("share", "said"), [(0.005, "fewer than 1 %"), (0.0051, "1 %"), (0.995, "more than 99 %"), (0.9949, "99 %")]
)
def test_no_share_is_called_none_or_all(share, said):
    assert PAGE._percent(share) == said


def test_the_way_up_repeats_the_figures(first):
    """RGD: average 2.13 and the cut-off 2.05 (NHS England's published average; METHOD, section 4)."""
    said = str(PAGE.about_segment(profile.profile(first, "RGD")))
    assert "To enter segment 1 its average would have to fall by 0.08 points, from 2.13 to 2.05" in said
    held = str(PAGE.about_segment(profile.profile(first, "RXF")))
    assert "While its override flag stands, no average, however good" in held
    assert "to enter segment 2 its average would also have to fall by 0.23 points, from 2.55 to 2.32" in held
    capped = first.rebuilt.trusts.query("unadjusted_segment == 1 and segment == 3").index[0]
    assert "would place it in segment 1." in str(PAGE.about_segment(profile.profile(first, capped)))
    assert "It is in the best segment" in str(PAGE.about_segment(profile.profile(first, "RP6")))


@pytest.mark.parametrize("code", ["RXF", "RX7", "RGD"])
def test_charts_and_tables_carry_text(first, code):
    found = profile.profile(first, code)
    for chart in (charts.rank_shares(found), charts.rank_path(found), charts.metric_places(found)):
        data, metadata = chart._repr_mimebundle_()
        assert "<svg" in data["image/svg+xml"]
        assert found.name in metadata["image/svg+xml"]["alt"]
    shown = [
        tables.trust_path(found), tables.trust_domains(found), *tables.trust_metrics(found).tables, *tables.trust_ends(found).tables,
        tables.trust_method(found),
    ]  # fmt: skip
    for table in shown:
        assert "<caption" in table._repr_html_()
        assert "nan" not in table._repr_html_().lower().replace("finan", "")
    counted = sum(len(table.frame) for table in tables.trust_metrics(found).tables)
    assert counted == len(found.metrics) > 8
    assert "data-sortable" not in "".join(table._repr_html_() for table in shown)


@pytest.mark.parametrize(
    ("metric", "value", "unit", "said"),
    [
        ("OF0079", -0.3, "%", "−0.3 %"), ("OF0106", 2.9, "percentage points", "2.9 pp"), ("OF0025", 1.0, "days", "1 day"),
        ("OF0025", 1.4, "days", "1.4 days"), ("OF0048", 1, "count", "1 case"), ("OF0048", 1.32, "rate", "1.32 × threshold"),
        ("OF0017", 25.08, "count", "25.08 min"), ("OF0061", 6.15, "%", "6.15 / 10"), ("OF0004", 4, "mins", "4"),
    ],
)  # fmt: skip
def test_values_are_shown_in_the_units_of_their_metric_whatever_the_label(metric, value, unit, said):
    """METHOD, section 1: some labels of 2026/27 are wrong; the identifier decides."""
    assert value_of(pd.Series({"value": value, "unit": unit, "value_id": metric})) == said


def test_places_in_part_of_a_pool_are_called_so(first, fourth):
    assert "No metric figures of acute trusts are at hand for Q4 2025/26" in str(
        PAGE.about_metrics(profile.profile(fourth, "RX7"))
    )
    assert "No metric figures of" not in str(PAGE.about_metrics(profile.profile(first, "RX7")))


def test_a_place_in_a_part_of_a_pool_is_said_to_be_one(next_year):
    """Q1 2026/27: sickness is ranked over 202 trusts, of which 10 ambulance trusts are at hand. East Midlands, 3.88, is
    near the end of all and in the middle of these. The staff survey is ranked within the type, which is whole."""
    mine = next_year.metrics[next_year.metrics["trust_code"] == "RX9"].set_index("metric_id")
    assert place_of(mine.loc["OF2082"]) == "5 of 10 at hand"
    assert np.isnan(mine.at["OF2082", "quartile"]) and not mine.at["OF2082", "whole"]
    assert place_of(mine.loc["OF2061"]) == "6 of 10"
    assert mine.at["OF2061", "quartile"] == 3 and mine.at["OF2061", "whole"]
    shown = profile.profile(next_year, "RX9")
    said = str(PAGE.about_metrics(shown))
    assert "Of 4 metrics with a place in a whole pool" in said
    assert "only a part is at hand, so no quarter is named" in said
    assert "5 of 10 at hand in its pool" in str(PAGE.about_ends(shown))


def test_no_hyphen_stands_for_a_minus(first, fourth):
    for found in (profile.profile(first, code) for code in ("R1F", "G6V2S", "RQM", "RCX")):
        shown = [PAGE.who_to_learn_from(found), tables.trust_steps(found), *tables.trust_metrics(found).tables]
        text = "".join(one._repr_html_() for one in shown) + "".join(said_by(found))
        assert not re.search(r"(?<![\w-])-\d", re.sub(r"<[^>]*>", " ", text))


def test_trusts_to_learn_from_are_alike_or_named_alone(first):
    """Nobody further away than the middle trust of the subtype is called alike."""
    for code in ("R1F", "RNK", "RXF", "RX7", "G6V2S"):
        for lesson in profile.profile(first, code).lessons:
            if len(lesson.shown) > 1:
                assert (lesson.shown["distance"] <= lesson.typical + 1e-9).all()


def test_a_standard_without_a_number_is_called_unknown(first):
    found = profile.profile(first, "RX7")
    rows = found.metrics.assign(target=np.nan)
    shown = metric_frame(rows)["Standard"]
    assert set(shown[rows["model"] == "standard"]) == {"standard, number not known"}
    assert set(shown[rows["model"] == "lookup"]) == {"by bracket"}


def test_downloads_hold_the_figures(first, without_rules):
    found = PAGE.download_tables(profile.profile(first, "RXF"))
    assert set(found) == {"metrics", "quarters", "rules"}
    assert "metrics" not in PAGE.download_tables(profile.profile(without_rules, "RXF"))


def test_profiles_are_made_where_a_trust_is_named():
    options = {
        "names": (),
        "figures": None,
        "trust_type": "all",
        "data": None,
        "framework": None,
        "out": None,
        "workers": 1,
    }
    assert "trust_profile" not in names(Request(**options))
    assert "trust_profile" in names(Request(**options, trusts=("RX7",)))


# --- flags, cut-offs and what is not known --------------------------------------------------------


def test_no_way_is_shown_to_a_trust_that_its_flag_holds(next_year):
    """University Hospitals Sussex (RYR), Q1 2026/27: average 2.66, flag 1, segment 3; nothing above 3 with a flag (METHOD, 8)."""
    row = next(r for r in makers.table("league_tables") if (r["quarter"], r["trust_code"]) == ("Q1 2026/27", "RYR"))
    assert (float(row["average_score"]), float(row["in_deficit"]), float(row["segment"])) == (2.66, 1, 3)
    said = str(PAGE.about_segment(profile.profile(next_year, "RYR")))
    assert "While its override flag stands, no average, however good, brings" in said
    assert "The flag is taken as published." in said
    assert "To enter segment 2" not in said
    assert "whether the first threshold is 1.92 or 1.93" in said
    assert "held as published" not in said


def test_a_flag_that_is_deduced_is_called_so(second):
    found = profile.profile(second, "R1F")
    assert (
        "By its average alone it would be in segment 2; the override holds it back, as its average and its segment tell."
        in (PAGE.headline(found))
    )
    said = str(PAGE.about_segment(found))
    assert "Without the flag its average of 2.17 would place it in segment 2." in said
    assert "it is deduced from its segment" in said
    assert "taken as published" not in said


def test_where_the_flag_is_not_known_both_cases_are_told(second):
    """Mid Yorkshire (RXF), Q2 2025/26: 2.67, so segment 3 by the average alone (cut-offs 2.06, 2.34, 2.67), no flag published."""
    said = str(PAGE.about_segment(profile.profile(second, "RXF")))
    assert "Whether Mid Yorkshire Teaching NHS Trust carries the override flag is not known" in said
    assert "If it carries the flag, no average brings segment 2." in said
    assert "Otherwise its average would have to fall by 0.33 points, from 2.67 to 2.34" in said


def test_a_metric_that_cannot_be_followed_may_be_enough(first):
    """R1K, Q1 2025/26: 2.21 of 17 items; the inpatient survey from 4 to 1 is 3/17 = 0.18 less, more than the 0.16 to 2.05."""
    found = profile.profile(first, "R1K")
    said = str(PAGE.about_segment(found))
    assert "of 2 others, which cannot be followed, 1 could at its best score (inpatient survey)" in said
    assert "it takes several" not in said
    none = str(PAGE.about_segment(replace(found, at_best=())))
    assert "and none of 2 others at its best score; it takes several" in none


def test_points_of_score_come_from_unrounded_scores(first):
    """R1K: what the sum of its items exceeds the largest of which the mean is below 2.055 and so rounds to 2.05."""
    found = profile.profile(first, "R1K")
    items = first.rebuilt.items.values.loc["R1K"].dropna()
    assert len(items) == 17
    assert f"that is {items.sum() - 17 * 2.055:.2f} points of score" in str(PAGE.about_segment(found))


def test_standards_without_a_number_are_not_left_out_of_the_count(next_year):
    """Ambulance trusts, 2026/27: response, answer time and relative cost (METHOD, section 8); of the first two no number is known."""
    said = str(PAGE.about_metrics(profile.profile(next_year, "RX9")))
    assert "3 standards and floors apply to it; it meets the one whose number is known." in said
    assert "the one standard or floor that applies" not in said


def test_metrics_of_few_trusts_of_a_type_are_not_missed(first):
    """Isle of Wight alone among acute trusts has ambulances (METHOD, section 3)."""
    said = str(PAGE.about_metrics(profile.profile(first, "R1K")))
    missing = said.partition("that have no figure here")[2].partition("Scores run")[0]
    assert "Urgent community response" in missing  # 51 of 134
    assert not re.search("Category 2|onveyance|Crisis|Staff advocacy", missing)


def test_what_is_not_shown_is_not_explained(fourth):
    acute, other = profile.profile(fourth, "RXF"), profile.profile(fourth, "RX7")
    short = " ".join(opening for opening, _ in PAGE.how_not_to_read(acute).points)
    assert "range" not in short and "learn from" not in short and "bad score" not in short
    assert len(PAGE.how_not_to_read(other).points) == 4
    assert "none of its values can be changed" not in str(PAGE.about_segment(acute))


def test_a_place_rests_on_what_the_trust_has(first):
    """Tavistock and Portman (RNK) has five items and no waits; its domains are four."""
    said = PAGE.how_not_to_read(profile.profile(first, "RNK")).points[0][1]
    assert "the mean of 5 scores" in said
    assert "waiting" not in said
    assert "effectiveness" not in said


def test_clearly_is_said_to_mean_something(first):
    said = str(PAGE.about_rank(profile.profile(first, "RXF")))
    assert "in at least 97.5 % of the draws" in said
    assert "nothing is corrected for the 133 comparisons" in said


def test_a_share_that_just_misses_is_not_printed_as_reached(first):
    found = profile.profile(first, "RXF")
    shares = {f"p_segment_{n}": share for n, share in enumerate((0, 0, 0.9497, 0.0503), start=1)}
    said = str(PAGE.about_rank(replace(found, range=pd.Series({**found.range, **shares}))))
    assert "segment 3 in just under 95 %" in said
    assert "is not sure" in said


def test_two_ranks_outside_the_range_are_two(first):
    found = profile.profile(first, "RXF")
    path = found.path.copy()
    path.loc[[2, 3], RANKS] = 1
    assert "are its ranks in Q3 2025/26 and Q4 2025/26" in str(PAGE.about_path(replace(found, path=path)))


def test_why_a_verdict_is_not_known_is_said(first):
    found = profile.profile(first, "RX7")
    bare = found.domains.assign(verdict_type=UNKNOWN, verdict_subtype=UNKNOWN)
    few = str(PAGE.about_domains(replace(found, domains=bare.assign(n_type=4, n_subtype=4))))
    assert "there are fewer than 5 trusts." in few and "spread." not in few
    flat = str(PAGE.about_domains(replace(found, domains=bare.assign(margin=np.nan))))
    assert "too few to judge their spread." in flat and "fewer than" not in flat


def test_counts_of_cases_lack_what_they_are_out_of(first):
    lesson = next(one for one in profile.profile(first, "R1K").lessons if one.metric["value_id"] == "OF0020")
    said = PAGE.about_lesson(lesson)
    assert "The values are counts, and what they are out of (patients or bed days, say) is not at hand" in said
    assert "No counts" not in said


def test_a_subtype_that_is_the_whole_type_has_no_columns(first):
    ambulance, acute = (tables.trust_domains(profile.profile(first, code)).frame for code in ("RX7", "RXF"))
    assert not [name for name in ambulance if "subtype" in name]
    assert [name for name in acute if "subtype" in name] == [
        "Median of subtype", "Against median of subtype", "Rank in subtype",
    ]  # fmt: skip


def test_published_domain_segments_are_called_so(second, first):
    assert "Segment: of the domain, as published." in tables.trust_domains(profile.profile(second, "RX7")).caption
    found = profile.profile(second, "RX7")
    without = replace(found, domains=found.domains.assign(segment=np.nan, published=False))
    assert "of all types, which are cut together, are not at hand" in tables.trust_domains(without).caption
    assert "by the rule for segments" in tables.trust_domains(profile.profile(first, "RX7")).caption


def test_every_table_of_the_page_is_handed_on(first, monkeypatch):
    """The workbook holds what outputs hand on; a table of the page that is not among it would be missing there."""
    monkeypatch.setenv(exhibits.FOLDER, "somewhere")
    monkeypatch.setenv(exhibits.NAME, "page")
    found = profile.profile(first, "RXF")
    names = set()
    for cell in notebook_cells("06_trust_profile.ipynb"):
        if re.fullmatch(r"(tables|findings)[.][a-z_.]+\(found\)", cell):
            shown = eval(cell, {"tables": tables, "findings": findings, "found": found})
            count = shown._repr_html_().count("<table")
            handed = shown._repr_mimebundle_().get(exhibits.TABLES, []) if count else []
            assert len(handed) == count, cell
            names |= {one["name"] for one in handed}
    assert {"trust-learn-1", "trust-path", "trust-method"} <= names


def notebook_cells(name):
    whole = json.loads((Path(__file__).parent.parent / "notebooks" / name).read_text("utf-8"))
    return ["".join(cell["source"]).strip() for cell in whole["cells"] if cell["cell_type"] == "code"]
