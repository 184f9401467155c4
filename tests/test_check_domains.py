"""Domain scores and segments: one changed figure is named alone, with all types at hand or not."""

from __future__ import annotations

import pytest

from tests import makers
from tests.makers import ACUTE, AMBULANCE, Q1, Q2, Q4
from tests.test_check import BOTH, Q1_NEXT, changing, checked
from tests.test_check_many import together


def figures(quarter, types, metric_id):
    return {row["Trust_code"]: row for row in makers.data_rows([quarter], types, metrics=[metric_id])}


# --- segments without all types ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quarter", "types", "score", "segment"),
    [
        (Q2, BOTH, "OF4000", "OF4100"),
        (Q2, BOTH, "OF4003", "OF4103"),
        (Q1, (ACUTE,), "OF4002", "OF4102"),
        (Q1_NEXT, (AMBULANCE,), "OF4204", "OF4304"),
    ],
)
@pytest.mark.parametrize("worse", [True, False], ids=["worse", "better"])
def test_a_changed_domain_segment_is_named_where_a_type_is_missing(tmp_path, quarter, types, score, segment, worse):
    """The worst of the trusts in segment 4, put into 1, or the best, put into 4: the cut-offs are not known."""
    scores = {code: float(row["Value"]) for code, row in figures(quarter, types, score).items()}
    code = (min if worse else max)(scores, key=scores.get)
    new = "4" if worse else "1"
    change = changing(code, segment, "Value", new)
    (problem,) = checked(tmp_path / "changed", [quarter], types, change, league=False).problems
    assert (problem.row, problem.column) == (change.row, "Value")
    said = f"the domain segment {new} contradicts the order of the domain scores ({scores[code]:.2f} here"
    assert code in problem.message and said in problem.message
    assert ("is our inference" in problem.message) == (quarter == Q1_NEXT)


def test_domain_segments_in_another_order_altogether_are_one_problem(tmp_path):
    """Segments of one domain turned round, 1 for 4 and 2 for 3."""

    def change(rows):
        return [
            row | ({"Value": f"{5 - float(row['Value']):g}"} if row["Metric_ID"] == "OF4104" else {}) for row in rows
        ]

    (problem,) = checked(tmp_path / "turned", [Q2], BOTH, change, league=False).problems
    assert "OF4104:" in problem.message and "domain segments contradict the order" in problem.message


def test_that_domain_segments_are_judged_by_order_alone_is_said(tmp_path):
    found = checked(tmp_path / "sound", [Q2], BOTH)
    assert found.problems == ()
    assert any("judged by the order of the domain scores alone" in note for note in found.not_rederived)
    found = checked(tmp_path / "whole", [Q1])
    assert not any("judged by the order" in note for note in found.not_rederived)


@pytest.mark.parametrize(("code", "new"), [("RX6", "3.20"), ("RYA", "2.45"), ("RYA", "2.41")])
def test_what_the_printed_scores_rule_out_is_named_though_their_pool_is_not_whole(tmp_path, code, new):
    """(3.76 + 2.67) / 2 = 3.215 gives 3.21 or 3.22, and (1.87 + 3.00) / 2 = 2.435 gives 2.43 or 2.44, however the scores
    were rounded; published are 3.22 and 2.43."""
    change = changing(code, "OF4004", "Value", new)
    (problem,) = checked(tmp_path / "changed", [Q1], (AMBULANCE,), change, league=False).problems
    assert (problem.row, problem.column) == (change.row, "Value")
    assert f"the domain score {new} does not follow from its metric scores" in problem.message


@pytest.mark.parametrize(
    ("quarter", "code", "score", "new", "gives"),
    [
        (Q1, "RYA", "OF4004", "2.45", "2.43 to 2.44"),
        (Q4, "RX8", "OF4005", "2.21", "2.20"),
        (Q4, "RX8", "OF4005", "2.19", "2.20"),
    ],
)
def test_what_rounding_leaves_open_is_said_and_no_more(tmp_path, quarter, code, score, new, gives):
    """1.865 to below 1.875 and a whole 3.00 give 2.4325 to below 2.4375; 3.395 to below 3.405 and 1.00 to below 1.005 give
    2.1975 to below 2.205: 2.20 alone."""
    change = changing(code, score, "Value", new)
    (problem,) = checked(tmp_path / "changed", [quarter], (AMBULANCE,), change, league=False).problems
    assert (problem.row, problem.column) == (change.row, "Value")
    assert f"which give {gives};" in problem.message


@pytest.mark.parametrize(
    ("types", "score", "new"),
    [(makers.TYPES, "OF4004", "2.44"), ((AMBULANCE,), "OF4002", "2.18"), ((AMBULANCE,), "OF4004", "2.45")],
)
def test_a_wrong_combined_score_hides_no_score_of_another_domain(tmp_path, types, score, new):
    """OF1080 enters finance alone."""
    one, two = changing("RYA", score, "Value", new), changing("RYA", "OF1080", "Value", "4")
    found = checked(tmp_path / "changed", [Q1], types, together(one, two), league=False)
    assert {problem.row for problem in found.problems} == {one.row, two.row}


# --- scores that are equal -----------------------------------------------------------------------------------------


def tied(quarter, types, metric_id):
    """Two trusts of a type with one domain score and one rank."""
    rows = list(figures(quarter, types, metric_id).values())
    return next(
        (one, other)
        for i, one in enumerate(rows)
        for other in rows[i + 1 :]
        if all(one[name] == other[name] for name in ("Trust_type", "Value", "Rank"))
    )


@pytest.mark.parametrize("shift", [-0.02, 0.5])
@pytest.mark.parametrize(
    ("quarter", "types", "metric_id"),
    [(Q1, makers.TYPES, "OF4000"), (Q2, BOTH, "OF4000"), (Q2, BOTH, "OF4003")],
)
@pytest.mark.parametrize("which", [0, 1])
def test_a_changed_domain_score_does_not_accuse_its_tie_partner(tmp_path, quarter, types, metric_id, shift, which):
    pair = tied(quarter, types, metric_id)
    new = min(max(float(pair[which]["Value"]) + shift, 1), 4)
    change = changing(pair[which]["Trust_code"], metric_id, "Value", f"{new:.2f}")
    (problem,) = checked(tmp_path / "changed", [quarter], types, change, league=False).problems
    assert problem.row == change.row
    assert f"{metric_id} of {pair[which]['Trust_code']} (" in problem.message
    assert "does not follow from its metric scores" in problem.message


def test_domain_scores_whose_segments_are_all_of_other_trusts_are_not_judged(tmp_path):
    """No trust with both was a traceback."""
    codes = sorted({row["Trust_code"] for row in makers.data_rows([Q1], [AMBULANCE])})

    def halved(rows):
        lost = {"OF4004": codes[::2], "OF4104": codes[1::2]}
        return [row for row in rows if row["Trust_code"] not in lost.get(row["Metric_ID"], ())]

    found = checked(tmp_path / "figures", [Q1], [AMBULANCE], halved, league=False)
    assert {entry.quantity for entry in found.rederived} >= {"domain score", "segment"}
