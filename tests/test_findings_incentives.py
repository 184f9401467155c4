"""What the page on incentives says, with and without the figures it speaks of."""

from dataclasses import replace

import pytest

from nofcore import findings, framework, league, release, tables
from nofcore.errors import InputError
from nofcore.incentives import FLAG_UNKNOWN, HELD, NONE_CAN, OPEN
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
    """Counted again from the cases: 16 acute trusts are in segment 1 and 69 held, as published, so 49 are left."""
    said = PAGE.in_short(first, ACUTE)
    assert said.startswith(
        "For 27 of the 49 trusts that a better average would take to a better segment, no single metric that can be followed can."
    )
    cases = first.edges.cases[first.edges.cases["trust_type"] == ACUTE]
    cases = cases[cases["model"].isin(["standard", "floor"])]  # brackets apart
    last = cases[(cases["move"] == "target") & (cases["steps"] <= 1 + 1e-9)]
    beside = cases[(cases["move"] == "unit") & cases["target"].notna() & ~cases["reaches_target"]]
    assert f"wins {sum(last['places_won']) / len(last):.1f} places on average" in said
    assert said.endswith(f"stays short of it {sum(beside['places_won']) / len(beside):.1f}.")


def test_everyone_improving_changes_nothing_where_rank_alone_counts(first):
    said = str(PAGE.about_together(first, ACUTE))
    assert said.startswith("On the 14 metrics scored by rank alone, the same improvement by everyone changes no score")
    assert "the 12 metrics with a standard, a floor or brackets, which do not move along" in said
    assert "worse segment although every one of them improved" in said
    assert "This rule is our choice" in said and "never takes a count to zero" in said
    assert "averages of acute trusts would fall (improve) by 0." in said
    limits = str(PAGE.limitations(first, ACUTE))  # 2,364 values and 265 scores without one in NHS England's figures
    assert "Improvements are about 2,364 of 2,629 metric scores of acute trusts" in limits
    assert "Hospital mortality (118)" in limits and "Inpatient survey (130)" in limits


def test_it_is_said_plainly_that_targets_invite_gaming(first):
    said = str(PAGE.about_cliffs(first, ACUTE))
    assert "This is where a target invites gaming." in said
    assert "Past a standard nothing more is won." in said


def test_nothing_is_said_to_pay_that_does_not(first):
    """One ambulance trust is within a minute of 30 for Category 2 calls, one near a bracket: neither would win a place."""
    said = str(PAGE.about_cliffs(first, AMBULANCE))
    assert "1 trust is within one unit of a standard or floor (1 case, in Category 2 response)" in said
    assert "Here the last step wins no more places than any other unit does." in said and "pays most" not in said
    assert "invites gaming" not in PAGE.in_short(first, AMBULANCE)
    assert "a better bracket" in PAGE.in_short(first, COMMUNITY)  # two cases of a floor are too few


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
    assert PAGE.in_short(first, trust_type) and PAGE.facts(first, trust_type)


def test_tables_have_a_row_for_every_trust(first):
    for name, rows in (("one_improves", 134), ("next_segment", 134), ("best_steps", 134)):
        assert len(PAGE.shown_table(first, name, ACUTE).frame) == rows
    frame = PAGE.shown_table(first, "next_segment", ACUTE).frame
    answers = frame["Smallest change of one metric"]
    assert (answers == HELD).sum() == 69 and (answers == NONE_CAN).sum() == 27
    assert frame.loc[answers == HELD, ["Fall needed", "Metrics that can"]].isna().all(axis=None)


def test_trusts_whose_flag_is_not_known_are_counted_apart(first):
    """Such trusts are neither held nor is the way open to them for certain."""
    rows = first.next_segment.trusts
    some = rows.index[(rows["trust_type"] == ACUTE) & (rows["status"] == OPEN)][:2]
    unsure = rows.assign(status=rows["status"].where(~rows.index.isin(some), FLAG_UNKNOWN))
    found = replace(first, next_segment=replace(first.next_segment, trusts=unsure))
    said = str(PAGE.about_next_segment(found, ACUTE))
    assert "69 are held by the override" in said
    assert "2 trusts are perhaps held by it: the override flag is neither published nor can it be deduced." in said
    assert "The way is open to 47." in said
    answers = PAGE.shown_table(found, "next_segment", ACUTE).frame
    assert answers["Metrics that can"].isna().sum() >= 69 + 16 + 2


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


def test_the_chart_of_last_steps_counts_the_cases(first):
    """77.9 % of four-hour waits is one of 14 within a point of 78; counted again from the cases."""
    cases = first.edges.cases[
        (first.edges.cases["trust_type"] == ACUTE) & (first.edges.cases["name"] == "Four-hour A&E")
    ]
    last = cases[(cases["move"] == "target") & (cases["steps"] <= 1)]["places_won"]
    beside = cases[(cases["move"] == "unit") & (cases["gap"] > 1)]["places_won"]
    alt = PAGE.cliff_chart(first, ACUTE).alt
    said = f"Four-hour A&E {sum(last) / len(last):.1f} and {sum(beside) / len(beside):.1f} ({len(last)} trusts)"
    assert len(last) == 14 and said in alt and alt.endswith(".")
    assert "nan" not in alt.replace("Finan", "")


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
    assert str(PAGE.cliff_chart(fourth, ACUTE)) == str(PAGE.cliff_chart(fourth, AMBULANCE)) == ""
    later = release.embedded().release("Q1 2026/27")
    unknown = PAGE.study(league.build(later, None), later)
    assert PAGE.in_short(unknown, AMBULANCE) == "" and PAGE.facts(unknown, AMBULANCE) == {}
    assert str(PAGE.trust_table(unknown, "cliffs_of", "RX7")).startswith("Not available")
    assert str(PAGE.limitations(unknown, AMBULANCE)) == ""


def test_with_ranked_metrics_only_nothing_is_said_of_targets(fourth):
    said = str(PAGE.about_cliffs(fourth, AMBULANCE))
    assert said.startswith("No trust of this type is within one unit of a standard, a floor or a better bracket.")
    assert "What moves comes from" not in str(PAGE.about_together(fourth, AMBULANCE))


def test_a_share_that_makes_no_sense_is_an_error():
    figures = release.embedded().release(Q1)
    with pytest.raises(InputError, match="a percentage from 0 to below 100"):
        PAGE.study(league.build(figures, framework.for_quarter(Q1)), figures, 100)
