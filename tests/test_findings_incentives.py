"""What the page on incentives says, with and without the figures it speaks of."""

import pytest

from nofcore import findings, framework, league, release, tables
from nofcore.errors import InputError
from nofcore.incentives import HELD, NONE_CAN, OPEN
from tests.makers import ACUTE, AMBULANCE, COMMUNITY, Q1

PAGE = findings.incentives
ABOUT = (PAGE.about_together, PAGE.about_alone, PAGE.about_next_segment, PAGE.about_cliffs)
SHOWN = ("all_improve", "one_improves", "next_segment", "cliff_metrics", "best_steps", "just_short")


def studied(quarter: str):
    figures = release.embedded().release(quarter)
    return PAGE.study(league.build(figures, framework.for_quarter(quarter)), figures)


@pytest.fixture(scope="module")
def first():
    return studied(Q1)


@pytest.fixture(scope="module")
def fourth():
    return studied("Q4 2025/26")


def test_the_headline_gives_the_findings(first):
    """NHS England's figures: 134 acute trusts; 2,364 values and 265 scores without one."""
    said = PAGE.headline(first, ACUTE)
    assert said.startswith("One unit of improvement in the metric where it pays most wins a trust")
    assert "no single metric can bring it" in said
    assert said.endswith("All this is about 2,364 of their 2,629 metric scores; the others stay as published.")


def test_everyone_improving_changes_nothing_where_rank_alone_counts(first):
    said = str(PAGE.about_together(first, ACUTE))
    assert said.startswith("On the 14 metrics scored by rank alone, the same improvement by everyone changes no score")
    assert "the 12 metrics with a standard, a floor or brackets, which do not move along" in said
    assert "worse segment although every one of them improved" in said
    assert "This rule is our choice" in said and "never takes a count to zero" in said
    assert "Hospital mortality (118)" in said and "Inpatient survey (130)" in said


def test_it_is_said_plainly_that_targets_invite_gaming(first):
    said = str(PAGE.about_cliffs(first, ACUTE))
    assert "This is where a target invites gaming." in said
    assert "past a standard nothing more is won" in said
    assert "Nothing here says that a trust games its figures." in PAGE.how_not_to_read(first)._repr_html_()


def test_held_trusts_cannot_pass_by_their_average(first):
    """Published: 16 acute trusts in segment 1; 69 in segment 3 with the deficit flag; so 49 are left."""
    said = str(PAGE.about_next_segment(first, ACUTE))
    assert said.startswith("Of 134 acute trusts, 16 are in the best segment. 69 are held by the override")
    assert "The way is open to 49." in said


@pytest.mark.parametrize("trust_type", [ACUTE, AMBULANCE, COMMUNITY])
def test_every_sentence_and_table_of_every_type(first, trust_type):
    for about in (*ABOUT, PAGE.limitations):
        assert "nan" not in str(about(first, trust_type)).lower().replace("finan", "").replace("governan", "")
    for name in SHOWN:
        table = PAGE.shown_table(first, name, trust_type)
        assert table.caption.endswith(".") and Q1 in table.caption
        html = table._repr_html_()
        assert "<caption>" in html and ">nan<" not in html.lower() and "&lt;NA&gt;" not in html
    assert PAGE.facts(first, trust_type)["Trusts and metrics with a better value"] != "0"


def test_tables_have_a_row_for_every_trust(first):
    for name, rows in (("one_improves", 134), ("next_segment", 134), ("best_steps", 134)):
        assert len(PAGE.shown_table(first, name, ACUTE).frame) == rows
    frame = PAGE.shown_table(first, "next_segment", ACUTE).frame
    answers = frame["Smallest change of one metric"]
    assert (answers == HELD).sum() == 69 and (answers == NONE_CAN).sum() == 27
    assert frame.loc[answers == HELD, ["Fall needed", "Metrics that can"]].isna().all(axis=None)


def test_tables_of_one_trust(first):
    rows = first.next_segment.table(ACUTE).set_index("trust_code")
    open_one = rows.index[rows["status"] == OPEN][0]
    frame = PAGE.trust_table(first, "cliffs_of", open_one).frame
    assert len(frame) == first.alone.table().set_index("trust_code").at[open_one, "improved"]
    ways = PAGE.trust_table(first, "ways_up", open_one).frame
    assert (ways["If not, why"].isna() == ways["Needed"].notna()).all()
    held = rows.index[rows["status"] == HELD][0]
    assert "held by the override, so no single metric is looked at" in str(PAGE.trust_table(first, "ways_up", held))


def test_just_short_says_how_far_and_what_it_is_worth(first):
    """77.9 % of four-hour waits: a tenth of a point short, worth a whole point of score."""
    frame = PAGE.shown_table(first, "just_short", ACUTE).frame
    rows = frame[(frame["Metric"] == "Four-hour A&E") & (frame["Value"] == "77.9")]
    assert len(rows) == 3 and set(rows["Target"]) == {"78"} and set(rows["Short by"]) == {"0.1 percentage points"}
    assert set(rows["Score change"]) == {-1.0}


def test_scores_that_stay_are_listed_with_the_reason(first, fourth):
    frame = tables.not_changed(first.standing.left_out, ACUTE, Q1).frame
    assert frame.set_index("Metric")["Trusts"].to_dict() == {
        "CQC safe rating": 15, "Community mental health survey": 2, "Hospital mortality": 118, "Inpatient survey": 130,
    }  # fmt: skip
    later = tables.not_changed(fourth.standing.left_out, AMBULANCE, "Q4 2025/26").frame.set_index("Metric")
    assert later.at["Sickness absence", "Trusts"] == 10
    assert later.at["Sickness absence", "Why"] == "its pool is not whole: no metric rows of Acute trust"


def test_what_cannot_be_said_is_said(fourth):
    for about in ABOUT:
        assert str(about(fourth, ACUTE)).startswith("Not available for acute trusts, because none of their metrics")
    assert PAGE.shown_table(fourth, "just_short", ACUTE)._repr_html_() == ""
    unknown = studied("Q1 2026/27")
    assert "because no change of a value can be followed: Q1 2026/27" in PAGE.headline(unknown, AMBULANCE)
    assert PAGE.facts(unknown, AMBULANCE) == {"Trusts and metrics with values": "0"}
    assert str(PAGE.trust_table(unknown, "cliffs_of", "RX7")).startswith("Not available")
    assert str(PAGE.limitations(unknown, AMBULANCE)) == ""


def test_with_ranked_metrics_only_nothing_is_said_of_targets(fourth):
    said = str(PAGE.about_cliffs(fourth, AMBULANCE))
    assert said.endswith("No trust of this type is within one unit of a standard, a floor or a better bracket.")
    assert "What moves comes from" not in str(PAGE.about_together(fourth, AMBULANCE))


def test_a_share_that_makes_no_sense_is_an_error():
    figures = release.embedded().release(Q1)
    with pytest.raises(InputError, match="a percentage from 0 to below 100"):
        PAGE.study(league.build(figures, framework.for_quarter(Q1)), figures, 100)
