"""What `check` makes of several wrong figures at once: each is named, what many trusts share is told as one, and
figures that are right are left alone. The changed rows are known, as the tests change them."""

import pytest

from tests import makers
from tests.makers import AMBULANCE, Q1, Q4
from tests.test_check import changing, checked


def rows_of(found):
    """The rows at which problems stand."""
    return [problem.row for problem in found.problems]


def together(*changes):
    def change(rows):
        for one in changes:
            rows = one(rows)
        return rows

    return change


def test_no_traceback_where_a_domain_score_is_suppressed_throughout(tmp_path):
    def suppressed(rows):
        return [row | {"Value": "*"} if row["Metric_ID"] == "OF4000" else row for row in rows]

    found = checked(tmp_path / "figures", [Q1], change=suppressed, league=False)
    assert found.problems == ()
    assert any("OF4000 of " in note and "not given" in note for note in found.not_rederived)


# --- several wrong figures of one trust -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("OF1013", "Value", "1.50"), ("OF5002", "Value", "2.60")),
        (("OF1013", "Value", "1.50"), ("OF4002", "Value", "1.11")),
        (("OF0013", "Value", "40"), ("OF4004", "Value", "3.99")),
        (("OF1082", "Rank", "1"), ("OF5002", "Value", "2.60")),
        (("OF1082", "Rank", "1"), ("OF4004", "Value", "3.99")),
    ],
    ids=lambda cell: cell[0],
)
def test_one_wrong_figure_hides_no_other_of_the_trust(tmp_path, first, second):
    """The ranks of averages would tell a wrong one, too, so they are left out."""
    one, two = changing("RXQ", *first), changing("RXQ", *second)

    def without_ranks(rows):
        return [row | {"Rank": ""} if row["Metric_ID"].startswith("OF4") else row for row in rows]

    found = checked(tmp_path / "figures", [Q1], change=together(one, two, without_ranks), league=False)
    assert one.row in rows_of(found)
    assert two.row in rows_of(found)
    assert len(set(rows_of(found))) == 2


def test_a_wrong_value_hides_no_score_that_a_lookup_makes_of_another(tmp_path):
    value, score = changing("RXQ", "OF0079", "Value", "-40"), changing("RJ1", "OF1079", "Value", "2")

    def without_ranks(rows):
        return [row | {"Rank": ""} if row["Metric_ID"] == "OF1079" else row for row in rows]

    found = checked(tmp_path / "figures", [Q1], change=together(value, score, without_ranks), league=False)
    assert rows_of(found) == [value.row, score.row]


# --- ranks of equal values ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "metric_id", "rank"), [("RM1", "OF0088", "25"), ("RYR", "OF0025", "115")])
def test_a_changed_rank_among_equal_values_is_named_alone(tmp_path, code, metric_id, rank):
    """The order of equal values is published by their ranks alone, so that these were believed and scores accused."""
    change = changing(code, metric_id, "Rank", rank)
    found = checked(tmp_path / "figures", [Q1], change=change, league=False)
    (problem,) = found.problems
    assert problem.column == "Rank"
    assert (
        problem.row == change.row or f"row {change.row};" in problem.message or f"row {change.row})" in problem.message
    )


# --- what many trusts share -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("metric_id", "by"), [("OF1082", 0.3), ("OF1013", 0.3)])
def test_scores_of_a_metric_that_are_all_shifted_are_one_problem(tmp_path, metric_id, by):
    def shifted(rows):
        return [
            row | {"Value": f"{min(4, float(row['Value']) + by):.2f}"} if row["Metric_ID"] == metric_id else row
            for row in rows
        ]

    (problem,) = checked(tmp_path / "figures", [Q1], change=shifted, league=False).problems
    assert problem.message.startswith(f"{Q1}, {metric_id}: ")
    assert "scores do not follow from the values" in problem.message


@pytest.mark.parametrize(
    ("quarter", "types", "metric_id", "domain", "problems"),
    [
        (Q1, makers.TYPES, "OF1082", "OF4004", 3),
        (Q1, makers.TYPES, "OF1080", "OF4003", 3),
        (Q1, makers.TYPES, "OF1048", "OF4002", 1),  # of acute trusts alone
        (Q4, [AMBULANCE], "OF1080", "OF4003", 1),
    ],
)
def test_rows_of_a_metric_that_are_not_there_are_a_problem_for_each_type(
    tmp_path, quarter, types, metric_id, domain, problems
):
    def without(rows):
        return [row for row in rows if row["Metric_ID"] != metric_id]

    found = checked(tmp_path / "figures", [quarter], types, without, league=False)
    assert len(found.problems) == problems
    for problem in found.problems:
        assert f"domain scores {domain} of " in problem.message
        assert f"no row of {metric_id} is at hand" in problem.message


def test_scores_that_enter_no_average_are_not_suspected_of_a_wrong_one(tmp_path):
    """OF1079 and OF1081 enter the averages through OF1080 alone (METHOD section 4)."""
    lacking = changing("RX6", "OF1080", "Value", None)
    found = checked(tmp_path / "figures", [Q4], [AMBULANCE], lacking, league=False)
    said = " ".join(problem.message for problem in found.problems)
    assert "OF4003" in said
    assert "OF1086 (row" in said
    assert "OF1079" not in said
    assert "OF1081" not in said


# --- override flags -----------------------------------------------------------------------------------------------


def test_without_a_flag_averages_and_domain_scores_are_made_again_all_the_same(tmp_path):
    domain, flag = changing("RXQ", "OF4002", "Value", "1.11"), changing("RJ1", "OF5004", "Value", "*")

    def both(rows):
        rows = [
            row | {"Value": "*"} if (row["Trust_code"], row["Metric_ID"]) == ("RJ1", "OF5004") else row for row in rows
        ]
        flag.row = next(
            n for n, row in enumerate(rows, 2) if (row["Trust_code"], row["Metric_ID"]) == ("RJ1", "OF5004")
        )
        return [row | {"Rank": ""} if row["Metric_ID"] == "OF4002" else row for row in domain(rows)]

    found = checked(tmp_path / "figures", [Q1], change=both, league=False)
    assert rows_of(found) == [domain.row, flag.row]
    made = {entry.quantity: entry.compared for entry in found.rederived}
    assert (made["average metric score"], made["domain score"]) == (205, 1017)


def test_flags_that_are_not_there_are_a_problem_for_each_type(tmp_path):
    found = checked(
        tmp_path / "figures", [Q1], change=lambda rows: [r for r in rows if r["Metric_ID"] != "OF5004"], league=False
    )
    assert [problem.message.split(", ")[1].split(" (")[0] for problem in found.problems] == [
        "134 acute trusts", "10 ambulance trusts", "61 mental health and community trusts",
    ]  # fmt: skip
    assert all("no override flag (OF5004) is given" in problem.message for problem in found.problems)
