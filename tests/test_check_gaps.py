"""Figures that are not given: told as not checked, and nobody is accused for the lack of them."""

from __future__ import annotations

import pytest

from nofcore import check, reproduce
from nofcore.notes import NOT_MADE, Note
from tests import makers
from tests.makers import ACUTE, AMBULANCE, COMMUNITY, Q1, Q2, Q4
from tests.test_check import BOTH, Q1_NEXT, changing, checked
from tests.test_check_many import together

MARKS = ["", "*"]


def marking(code, metric_id, mark="*", column="Value"):
    """A change that suppresses one cell of a data file."""

    def change(rows):
        marked = [
            row | ({column: mark} if (row["Trust_code"], row["Metric_ID"]) == (code, metric_id) else {}) for row in rows
        ]
        assert sum(one != other for one, other in zip(rows, marked, strict=True)) == 1
        return marked

    return change


def told(found, *parts):
    return [note for note in found.not_rederived if all(part in note for part in parts)]


# --- a league table --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize(
    ("column", "called"),
    [
        ("Average_score", "average score"),
        ("Segment", "segment"),
        ("Rank", "league rank"),
        ("Trust_in_financial_deficit", "deficit flag"),
    ],
)
@pytest.mark.parametrize("quarter", [Q4, Q1, Q1_NEXT])
def test_a_suppressed_figure_of_a_league_table_is_told_and_no_false_alarm(tmp_path, quarter, column, called, mark):
    rows = makers.league_rows([quarter], [COMMUNITY] if quarter == Q4 else makers.TYPES)
    community = [row for row in rows if row["Trust_type"] == COMMUNITY]
    row = min(community, key=lambda row: abs(float(row["Rank"]) - 12))
    row[column] = mark
    found = check.check(makers.write(tmp_path / "league.csv", rows)).findings[0]
    assert found.problems == ()
    assert len(told(found, f"the {called} of {row['Trust_code']} (", "which is not given")) == 1


def test_a_changed_figure_is_found_beside_a_suppressed_one(tmp_path):
    """The rank of another trust is judged all the same."""
    rows = makers.league_rows([Q4], [COMMUNITY])
    rows[10]["Average_score"] = "*"
    place = next(i for i, row in enumerate(rows) if float(row["Rank"]) == 40)
    rows[place]["Rank"] = "55"
    (problem,) = check.check(makers.write(tmp_path / "league.csv", rows)).problems
    assert (problem.row, problem.column) == (place + 2, "Rank")


# --- scores ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize(
    ("quarter", "types", "code", "metric_id", "parts"),
    [
        (Q1, makers.TYPES, "RJ1", "OF1013", ("the average and OF4000 of RJ1 (", "no figure is given of OF1013")),
        (Q1, makers.TYPES, "RJ1", "OF1061", ("the average and OF4002 of RJ1 (", "no figure is given of OF1061")),
        (Q1, (ACUTE,), "RJ1", "OF1082", ("the average and OF4004 of RJ1 (", "no figure is given of OF1082")),
        (Q2, BOTH, "RP1", "OF1080", ("the average and OF4003 of RP1 (", "no figure is given of OF1080")),
        (Q1_NEXT, (AMBULANCE,), "RYD", "OF2079", ("OF2079, nor OF2080 from it, of RYD (", "which is not given")),
        (Q1, makers.TYPES, "RJ1", "OF4000", ("OF4000 of RJ1 (", "which is not given")),
        (Q2, BOTH, "RP1", "OF4104", ("OF4104 of RP1 (", "which is not given")),
        (Q1, makers.TYPES, "RJ1", "OF5002", ("the average score of RJ1 (", "which is not given")),
        (Q2, BOTH, "RP1", "OF5003", ("the unadjusted segment of RP1 (", "which is not given")),
        (Q2, BOTH, "RP1", "OF5000", ("the segment of RP1 (", "which is not given")),
    ],
)  # fmt: skip
def test_a_suppressed_figure_of_a_data_file_is_told_and_no_false_alarm(
    tmp_path, quarter, types, code, metric_id, parts, mark
):
    found = checked(tmp_path / "marked", [quarter], types, marking(code, metric_id, mark), league=False)
    assert found.problems == ()
    assert len(told(found, *parts)) == 1, found.not_rederived


def test_many_suppressed_scores_are_few_lines(tmp_path):
    def change(rows):
        return [row | ({"Value": "*"} if row["Metric_ID"] in ("OF1005", "OF1013") else {}) for row in rows]

    found = checked(tmp_path / "marked", [Q1], (ACUTE,), change, league=False)
    assert found.problems == ()
    (line,) = told(found, "no figure is given of")
    assert "the average and OF4000 of" in line and line.endswith("OF1005, OF1013") and "more, as" in line


# --- values ------------------------------------------------------------------------------------------------------


def without(*names):
    return lambda rows: [row for row in rows if not row["Metric_ID"].startswith(names)]


@pytest.mark.parametrize(
    ("quarter", "types"),
    [(Q1, makers.TYPES), (Q1, (ACUTE,)), (Q1, (AMBULANCE, COMMUNITY)), (Q2, BOTH), (Q1_NEXT, (AMBULANCE,))],
    ids=["Q1", "Q1 acute", "Q1 others", "Q2", "2026/27"],
)
@pytest.mark.parametrize("names", [("OF0048", "OF0088"), ("OF00", "OF01")], ids=["infections", "all"])
def test_value_rows_that_are_absent_are_no_false_alarm(tmp_path, quarter, types, names):
    """Without the units of infections it is not known who is scored outside the pool of rates."""
    assert checked(tmp_path / "scores", [quarter], types, without(*names), league=False).problems == ()


@pytest.mark.parametrize("metric_id", ["OF0023", "OF0061", "OF0048", "OF0079"])
def test_one_suppressed_value_accuses_no_trust_of_its_pool(tmp_path, metric_id):
    """Who has a score and no value has a place in the pool, and the others cannot be placed without it."""

    def change(rows):
        place = max(
            (i for i, row in enumerate(rows) if row["Metric_ID"] == metric_id and row["Trust_type"] == ACUTE),
            key=lambda i: float(rows[i]["Rank"]),
        )
        return [row | ({"Value": "*", "Rank": "*"} if i == place else {}) for i, row in enumerate(rows)]

    found = checked(tmp_path / "marked", [Q1], makers.TYPES, change, league=False)
    assert found.problems == ()
    count = sum(row["Metric_ID"] == metric_id.replace("OF0", "OF1") for row in makers.data_rows([Q1]))
    assert len(told(found, f"values are not given for: {metric_id.replace('OF0', 'OF1')} (1 of {count} trusts)")) == 1


@pytest.mark.parametrize("column", [("Value",), ("Value", "Rank")], ids=["value", "value and rank"])
@pytest.mark.parametrize(
    ("quarter", "types", "code", "metric", "domain"),
    [
        (Q1, makers.TYPES, "RJ1", "084", "OF4004"),
        (Q1, makers.TYPES, "RJ1", "061", "OF4002"),
        (Q1, makers.TYPES, "RJ1", "023", "OF4000"),
        (Q1, makers.TYPES, "RJ1", "082", "OF4004"),
        (Q4, BOTH, "RX8", "061", "OF4002"),
        (Q4, BOTH, "RXT", "084", "OF4004"),
    ],
)
def test_value_and_score_suppressed_together_accuse_no_trust_of_the_pool(
    tmp_path, quarter, types, code, metric, domain, column
):
    """Metrics ranked within the type and over all, and one with a standard: the trust may have a place among the others."""

    def change(rows):
        both = {f"OF0{metric}", f"OF1{metric}"}
        cells = [(row["Trust_code"] == code and row["Metric_ID"] in both) for row in rows]
        assert sum(cells) == 2
        return [row | (dict.fromkeys(column, "*") if cell else {}) for row, cell in zip(rows, cells, strict=True)]

    found = checked(tmp_path / "marked", [quarter], types, change, league=False)
    assert found.problems == ()
    assert len(told(found, f"the average and {domain} of {code} (")) == 1


def suppressing(code, *metric_ids):
    """A change that suppresses the values of some rows of a trust."""

    def change(rows):
        cells = [row["Trust_code"] == code and row["Metric_ID"] in metric_ids for row in rows]
        assert sum(cells) == len(metric_ids)
        return [row | ({"Value": "*"} if cell else {}) for row, cell in zip(rows, cells, strict=True)]

    return change


@pytest.mark.parametrize("code", ["RYC", "RX9"])
def test_in_a_small_pool_one_score_that_does_not_follow_is_no_small_share(tmp_path, code):
    """OF1017: of ten ambulance trusts only those between the ends of the pool move, if one more has a place."""
    change = suppressing(code, "OF0017", "OF1017")
    assert checked(tmp_path / "marked", [Q1], makers.TYPES, change, league=False).problems == ()


def test_a_wrong_score_is_told_beside_a_suppressed_one_that_has_no_place(tmp_path):
    """OF1013 has a standard: who meets it has no place among the others, so they are scored again without that trust."""
    scores = {row["Trust_code"]: row["Value"] for row in makers.data_rows([Q1]) if row["Metric_ID"] == "OF1013"}
    met = next(code for code, score in scores.items() if float(score) == 1)
    wrong = next(code for code, score in scores.items() if 2.4 < float(score) < 3)
    change = changing(wrong, "OF1013", "Value", f"{float(scores[wrong]) + 0.4:.2f}")
    both = together(change, suppressing(met, "OF0013", "OF1013"))
    (problem,) = checked(tmp_path / "marked", [Q1], makers.TYPES, both, league=False).problems
    assert f"OF1013 of {wrong}" in problem.message
    assert f"which gives {float(scores[wrong]):.2f}" in problem.message


@pytest.mark.parametrize(
    ("quarter", "types", "code", "metric_ids"),
    [
        (Q1, makers.TYPES, "RHU", ("OF1025", "OF4005")),
        (Q1, makers.TYPES, "RTF", ("OF1085", "OF4003")),
        (Q1, makers.TYPES, "R0A", ("OF1013", "OF5002")),
        (Q1, makers.TYPES, "RR8", ("OF1010", "OF5000")),
        (Q4, BOTH, "R1L", ("OF1057", "OF5002")),
    ],
)
def test_a_score_and_what_follows_from_it_suppressed_together_accuse_nobody(tmp_path, quarter, types, code, metric_ids):
    """With its domain score, the cut-offs of the domain are open; with its average, its place in the table."""
    change = suppressing(code, *metric_ids)
    assert checked(tmp_path / "marked", [quarter], types, change, league=False).problems == ()


def test_a_changed_domain_segment_is_found_beside_a_suppressed_score_and_domain_score(tmp_path):
    """OF4105 of RJ1, with OF4005 and one of its metric scores suppressed in RHU: a step off is more than they leave open."""
    hide = suppressing("RHU", "OF1025", "OF4005")

    def change(rows):
        (place,) = [i for i, r in enumerate(rows) if (r["Trust_code"], r["Metric_ID"]) == ("RJ1", "OF4105")]
        other = "4" if rows[place]["Value"] == "1" else "1"
        return hide([row | ({"Value": other} if i == place else {}) for i, row in enumerate(rows)])

    (problem,) = checked(tmp_path / "marked", [Q1], makers.TYPES, change, league=False).problems
    assert "OF4105 of RJ1" in problem.message


def test_a_wrong_average_accuses_no_rank_of_a_trust_with_a_suppressed_score(tmp_path):
    """RWE, 2.60: with 2.58 it would pass trusts that are then judged by their metric scores, of which RN5 lacks one."""
    both = together(changing("RWE", "OF5002", "Value", "2.58"), suppressing("RN5", "OF0014", "OF1014"))
    (problem,) = checked(tmp_path / "marked", [Q1], makers.TYPES, both, league=False).problems
    assert "RWE" in problem.message and "which give 2.60" in problem.message


def test_a_value_row_that_is_missing_is_told_by_the_ranks_alone(tmp_path):
    def change(rows):
        return [row for row in rows if (row["Trust_code"], row["Metric_ID"]) != ("RJ1", "OF0061")]

    (problem,) = checked(tmp_path / "dropped", [Q1], makers.TYPES, change, league=False).problems
    assert problem.column == "Rank"
    assert "OF0061" in problem.message and "133 rows of Acute trusts" in problem.message


# --- notes -------------------------------------------------------------------------------------------------------


def test_notes_are_chosen_by_their_kind_and_not_by_words(tmp_path, monkeypatch):
    made = reproduce.reproduce

    def speaking(*given):
        found = made(*given)
        notes = (Note("not recomputed, says a note of another kind"), Note("what could not be made", NOT_MADE))
        return reproduce.Reproduction(found.quarter, found.comparisons, notes)

    monkeypatch.setattr(reproduce, "reproduce", speaking)
    found = checked(tmp_path / "notes", [Q1], [AMBULANCE])
    assert told(found, "what could not be made") == [f"{Q1}: what could not be made"]
    assert told(found, "another kind") == []
