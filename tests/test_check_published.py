"""What `check` finds of figures that no table rests on, of flags, of marks and of names: one change, one problem."""

from __future__ import annotations

import tomllib

import pytest

from nofcore import check, framework
from nofcore.errors import InputError
from tests import makers
from tests.makers import ACUTE, AMBULANCE, COMMUNITY, Q1, Q2, Q4
from tests.test_check import changing, checked


def table_rows(change):
    return [row | change(row) for row in makers.league_rows([Q4], [COMMUNITY])]


def test_final_segments_against_the_published_figures(tmp_path):
    """Q1 2025/26: 205 of 205, 18 of them 5; Q2: 71 of 71, 3 of them 5."""
    found = checked(tmp_path / "sound", (Q1, Q2))
    exact = {
        entry.quarter: (entry.compared, entry.agree) for entry in found.rederived if entry.quantity == "final segment"
    }
    assert exact == {Q1: (205, 205), Q2: (71, 71)}
    fives = {q: sum(float(r["Value"]) == 5 for r in makers.data_rows([q], metrics=["OF5005"])) for q in (Q1, Q2)}
    assert fives == {Q1: 18, Q2: 3}


@pytest.mark.parametrize(
    ("code", "metric_id", "new", "said"),
    [
        ("RJ1", "OF5005", "77", "the final segment 77 does not follow from the segment 1 and OF5007 0 (row"),
        ("RJ1", "OF5005", "1.5", "the final segment 1.5 does not follow"),
        ("RJ1", "OF5007", "9", "does not follow from the segment 1 and OF5007 9 (row"),
        ("RJ1", "OF5007", "1", "the final segment 1 does not follow"),
        ("RVR", "OF1069", "1.99", "the score 1.99 is no whole step"),
        ("RD8", "OF0048", "1", "and rank"),
    ],
)
def test_one_changed_figure_of_these_is_named(tmp_path, code, metric_id, new, said):
    change = changing(code, metric_id, "Value", new)
    found = checked(tmp_path / "changed", [Q1], change=change, league=False)
    messages = [problem.message for problem in found.problems]
    assert any(said in message and code in message for message in messages), messages


@pytest.mark.parametrize(
    ("code", "metric_id", "rank"), [("RD8", "OF0048", "96"), ("RD8", "OF0048", "900"), ("RK5", "OF0088", "103")]
)
def test_a_changed_rank_of_an_infection_rate_is_named(tmp_path, code, metric_id, rank):
    """The count rows of these metrics have ranks among the rates that no value gives; the rates are in order."""
    change = changing(code, metric_id, "Rank", rank)
    found = checked(tmp_path / "changed", [Q1], change=change, league=False)
    assert any((problem.row == change.row or f"row {change.row}" in problem.message) for problem in found.problems)
    assert any(metric_id in problem.message and rank in problem.message for problem in found.problems)


def test_a_changed_segment_is_not_told_of_the_final_segment_again(tmp_path):
    found = checked(tmp_path / "changed", [Q1], change=changing("RJ1", "OF5000", "Value", "4"), league=False)
    assert not any("OF5005" in problem.message for problem in found.problems)


@pytest.mark.parametrize("new", ["", "*", None])
def test_a_missing_flag_without_which_no_table_is_made_is_a_problem(tmp_path, new):
    def change(rows):
        if new is None:
            return [row for row in rows if (row["Trust_code"], row["Metric_ID"]) != ("RJ1", "OF5004")]
        return [
            row | ({"Value": new} if (row["Trust_code"], row["Metric_ID"]) == ("RJ1", "OF5004") else {}) for row in rows
        ]

    found = checked(tmp_path / "flag", [Q1], [ACUTE], change, league=False)
    assert any("RJ1" in p.message and "no override flag (OF5004) is given" in p.message for p in found.problems)
    assert checked(tmp_path / "table", [Q1], [ACUTE], change).problems == ()  # the league table gives it


def test_a_likely_range_beyond_the_last_place_is_a_problem(tmp_path):
    path = tmp_path / "league.csv"
    makers.write(
        path, table_rows(lambda row: {"Likely_range_of_rank": "9 to 900"} if row["Trust_code"] == "RP1" else {})
    )
    (problem,) = check.check(path).problems
    assert problem.column == "Likely_range_of_rank"
    assert "RP1" in problem.message
    assert "ends at 900, of 61 mental health and community trusts" in problem.message.lower()
    makers.write(path, table_rows(lambda row: {}))
    found = check.check(path).findings[0]
    assert found.ok
    assert any("61 likely ranges of ranks" in note and "not made again" in note for note in found.not_rederived)


@pytest.mark.parametrize(
    "column", ["Segment", "Rank", "Average_score", "Trust_in_financial_deficit", "Likely_range_of_rank"]
)
def test_marks_in_every_column_of_a_league_table_are_told(tmp_path, column):
    rows = table_rows(lambda row: {column: "*"} if row["Trust_code"] == "RP1" else {})
    makers.write(tmp_path / "league.csv", rows)
    told = [
        entry.message
        for entry in check.check(tmp_path / "league.csv").findings[0].unusual
        if entry.kind == "suppressed"
    ]
    assert told == [f"league.csv: 1 figure missing or suppressed in {column} (1 '*')"]


def test_marks_among_the_ranks_of_a_data_file_are_told(tmp_path):
    change = changing("RX6", "OF0082", "Value", "5")  # only for its row

    def marked(rows):
        change(rows)
        return [row | ({"Rank": "<5"} if place == change.row - 2 else {}) for place, row in enumerate(rows)]

    found = checked(tmp_path / "ranks", [Q1], [AMBULANCE], marked, league=False)
    told = [entry.message for entry in found.unusual if entry.kind == "suppressed"]
    assert told == ["data.csv: 1 figure missing or suppressed in Rank (1 '<5')"]


def test_names_of_other_trusts_are_told(tmp_path):
    """Trust_name sorted by itself: every name is that of another code."""
    rows = makers.league_rows([Q4], [COMMUNITY])
    names = sorted(row["Trust_name"] for row in rows)
    makers.write(tmp_path / "league.csv", [row | {"Trust_name": name} for row, name in zip(rows, names, strict=True)])
    told = [
        e for e in check.check(tmp_path / "league.csv").findings[0].unusual if "the name that another has" in e.message
    ]
    moved = sum(row["Trust_name"] != name for row, name in zip(rows, names, strict=True))
    assert [entry.count for entry in told] == [moved]


def test_final_segment_and_recovery_flag_go_together():
    rules = tomllib.loads((framework.FOLDER / "2025-26.toml").read_text("utf-8"))
    del rules["identifiers"]["recovery_flag"]
    with pytest.raises(InputError, match="final_segment and recovery_flag go together"):
        framework.parse(rules, "own.toml")
