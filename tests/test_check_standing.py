"""One changed figure of a league table is named, and nobody else is accused of what follows from it."""

from __future__ import annotations

import re
import tomllib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nofcore import check, framework
from nofcore.checks import tables
from nofcore.checks.tables import Mend, Rules, Table
from tests import makers
from tests.makers import ACUTE, COMMUNITY, Q1, Q4
from tests.test_check import Q1_NEXT

NAN = float("nan")


def changed(folder, quarter, types, code, column, new):
    """The finding of a league table with one changed cell, and the row of that."""
    rows = [dict(row) for row in makers.league_rows([quarter], types)]
    (place,) = (i for i, row in enumerate(rows) if row["Trust_code"] == code)
    assert rows[place][column] != new
    rows[place][column] = new
    return check.check(makers.write(folder / "league.csv", rows)).findings[0], place + 2


def published(quarter, code):
    (row,) = (row for row in makers.league_rows([quarter]) if row["Trust_code"] == code)
    return row


def at_rank(quarter, trust_type, rank):
    """A trust at that rank, or next to it where none is there."""
    rows = makers.league_rows([quarter], [trust_type])
    return min(rows, key=lambda row: abs(float(row["Rank"]) - rank))["Trust_code"]


# --- a changed average of a league table ---------------------------------------------------------------------


@pytest.mark.parametrize("shift", [-0.3, 0.4])
@pytest.mark.parametrize("rank", [8, 25, 40, 55])
@pytest.mark.parametrize("quarter", [Q4, Q1_NEXT])
def test_a_changed_average_is_named_and_no_other_trust_is_accused(tmp_path, quarter, rank, shift):
    """Of a league table alone. Moved as far, an average moves the cut-offs of 2025/26, and others' segments with them."""
    code = at_rank(quarter, COMMUNITY, rank)
    new = f"{float(published(quarter, code)['Average_score']) + shift:.2f}"
    found, row = changed(tmp_path, quarter, [COMMUNITY], code, "Average_score", new)
    (problem,) = found.problems
    assert (problem.file, problem.row, problem.column) == ("league.csv", row, "Average_score")
    assert code in problem.message and new in problem.message


@pytest.mark.parametrize(("quarter", "types"), [(Q1, makers.TYPES), (Q4, (COMMUNITY,)), (Q1_NEXT, (ACUTE,))])
def test_where_the_average_alone_can_be_wrong_what_it_must_be_holds_what_nhs_england_published(
    tmp_path, quarter, types
):
    code = at_rank(quarter, types[-1], 30)
    true = float(published(quarter, code)["Average_score"])
    found, _ = changed(tmp_path, quarter, types, code, "Average_score", f"{true + 0.5:.2f}")
    (problem,) = found.problems
    (needed,) = re.findall(r"which need ([\d.]+(?: to [\d.]+)?); correct it$", problem.message)
    ends = [float(end) for end in needed.split(" to ")]
    assert ends[0] <= true <= ends[-1] < true + 0.5


def test_where_either_of_two_averages_may_be_wrong_both_are_named(tmp_path):
    """Of three neighbours in one segment the first is put between the second and the third: were the second raised
    by two hundredths, all would be in order, too."""
    rows = sorted(makers.league_rows([Q1_NEXT], [ACUTE]), key=lambda row: float(row["Rank"]))
    averages = [round(100 * float(row["Average_score"])) for row in rows]
    first = next(
        i
        for i in range(20, len(rows) - 2)
        if rows[i]["Segment"] == rows[i + 2]["Segment"]
        and averages[i - 1] < averages[i] < averages[i + 1] < averages[i + 2] - 2
    )
    new = f"{(averages[first + 1] + 1) / 100:.2f}"
    found, row = changed(tmp_path, Q1_NEXT, [ACUTE], rows[first]["Trust_code"], "Average_score", new)
    (problem,) = found.problems
    assert problem.column == "Average_score"
    assert "one of these is wrong" in problem.message and f"(row {row}, " in problem.message
    named = [f"the average score {new} of {rows[first]['Trust_code']} ("]
    named.append(f"the average score {averages[first + 1] / 100:.2f} of {rows[first + 1]['Trust_code']} (")
    assert all(name in problem.message for name in named)


def test_an_average_judged_by_its_scores_is_named_once(tmp_path):
    rows = makers.data_rows([Q4], makers.TYPES)
    code = at_rank(Q4, COMMUNITY, 25)
    for place, row in enumerate(rows):
        if (row["Trust_code"], row["Metric_ID"]) == (code, "OF5002"):
            rows[place], line = row | {"Value": "3.90"}, place + 2
    (problem,) = check.check(makers.write(tmp_path / "data.csv", rows)).problems
    assert problem.row == line
    assert "the average score 3.90 does not follow from the metric scores" in problem.message


@pytest.mark.parametrize("column", ["Segment", "Rank"])
@pytest.mark.parametrize(("quarter", "types"), [(Q1, makers.TYPES), (Q4, (COMMUNITY,)), (Q1_NEXT, makers.TYPES)])
def test_a_changed_segment_or_rank_is_one_problem(tmp_path, quarter, types, column):
    code = at_rank(quarter, COMMUNITY, 20)
    new = {"Segment": "4", "Rank": "43"}[column]
    found, row = changed(tmp_path, quarter, types, code, column, new)
    (problem,) = found.problems
    assert f"row {row}" in f"row {problem.row}: {problem.message}"
    assert code in problem.message


def test_with_no_ranks_at_all_a_changed_segment_takes_no_long_search(tmp_path, monkeypatch):
    """Without ranks an average may be any on the scale, 301 of each of 205 trusts."""
    tried = []
    seek = tables._that_mend
    monkeypatch.setattr(tables, "_that_mend", lambda *given: tried.append(len(given[3])) or seek(*given))
    rows = [row | {"Rank": ""} for row in makers.league_rows([Q1])]
    (place,) = (i for i, row in enumerate(rows) if row["Trust_code"] == at_rank(Q1, ACUTE, 20))
    rows[place]["Segment"] = "4"
    problems = check.check(makers.write(tmp_path / "league.csv", rows)).problems
    assert [problem.row for problem in problems] == [place + 2]
    assert 0 < max(tried) <= 15000


# --- types without an override ---------------------------------------------------------------------------------


def rules_of(text_of_year, **override):
    rules = tomllib.loads((framework.FOLDER / f"{text_of_year}.toml").read_text("utf-8"))
    rules["override"] |= override
    return framework.parse(rules, "own.toml")


def test_no_deficit_flag_is_named_for_types_outside_the_override(tmp_path):
    """By rules with an override for community trusts alone, acute trusts that it has moved do not follow."""
    own = rules_of("2026-27", trust_types=[COMMUNITY])
    rows = makers.league_rows([Q1_NEXT], [ACUTE])
    path = makers.write(tmp_path / "league.csv", rows)
    moved = {row["Trust_code"] for row in rows if float(row["Segment"]) == 3 and float(row["Average_score"]) <= 2.32}
    problems = check.check(path, own).problems
    assert {code for code in moved if any(code in problem.message for problem in problems)} == moved
    assert len(moved) > 5
    segments = [problem.message for problem in problems if problem.column == "Segment"]
    assert len(segments) == len(moved)
    assert all("does not follow from the averages, which give" in message for message in segments)
    assert not any("deficit" in problem.message for problem in problems)


def test_missing_flags_of_types_outside_the_override_are_not_told(tmp_path):
    rows = makers.league_rows([Q1_NEXT], [COMMUNITY])
    rows[0]["Trust_in_financial_deficit"] = "*"
    path = makers.write(tmp_path / "league.csv", rows)
    for types, told in (([COMMUNITY], True), ([ACUTE], False)):
        notes = check.check(path, rules_of("2026-27", trust_types=types)).findings[0].not_rederived
        assert any("the deficit flag of" in note for note in notes) == told


# --- tables as arrays ------------------------------------------------------------------------------------------

THRESHOLDS = Rules(framework.for_quarter(Q1_NEXT), np.empty(0, dtype=np.int64))  # 1.92, 2.32, 2.77


def table(types, averages, flags, segments, ranks):
    """Segments before the override and ranks on the average are not given."""
    unknown = np.full(len(averages), NAN)
    figures = (np.array(column, dtype=float) for column in (averages, flags, segments, ranks))
    averages, flags, segments, ranks = figures
    return Table(np.array(types), averages, unknown, flags, segments, ranks, unknown)


def by_hand(averages, flags):
    """Segments and ranks of one type by the rules of 2026/27, one trust at a time."""
    made = [sum(average > cut for cut in (192, 232, 277)) + 1 for average in averages]
    segments = [max(segment, 3) if flag else segment for segment, flag in zip(made, flags, strict=True)]
    keys = list(zip(segments, averages, strict=True))
    return segments, [1 + sum(other < mine for other in keys) for mine in keys]


TRUSTS = st.lists(st.tuples(st.integers(100, 400), st.integers(0, 1)), min_size=2, max_size=8)


@given(TRUSTS)
def test_a_table_in_order_contradicts_nothing(trusts):
    averages, flags = zip(*trusts, strict=True)
    segments, ranks = by_hand(averages, flags)
    sound = table([ACUTE] * len(trusts), averages, flags, segments, ranks)
    assert not any(found.any() for found in tables.contradictions(sound, THRESHOLDS).values())
    assert tables.mends(sound, THRESHOLDS, np.zeros(len(trusts), dtype=bool)) == []


@given(TRUSTS, st.data())
def test_a_figure_that_is_not_given_contradicts_nothing(trusts, data):
    averages, flags = zip(*trusts, strict=True)
    columns = [list(averages), list(flags), *by_hand(averages, flags)]
    for column in columns:
        for place in data.draw(st.sets(st.integers(0, len(trusts) - 1))):
            column[place] = NAN
    found = tables.contradictions(table([ACUTE] * len(trusts), *columns), THRESHOLDS)
    assert not any(wrong.any() for wrong in found.values())


@given(TRUSTS, st.data())
def test_what_was_changed_is_among_what_may_be_wrong(trusts, data):
    averages, flags = map(list, zip(*trusts, strict=True))
    columns = {"average_score": averages, "in_deficit": flags}
    columns["segment"], columns["rank"] = by_hand(averages, flags)
    figure, trust = data.draw(st.sampled_from(sorted(columns))), data.draw(st.integers(0, len(trusts) - 1))
    limits = {"average_score": (100, 400), "in_deficit": (0, 1), "segment": (1, 4), "rank": (1, len(trusts))}
    true = columns[figure][trust]
    columns[figure][trust] = data.draw(st.integers(*limits[figure]))
    wrong = table([ACUTE] * len(trusts), averages, flags, columns["segment"], columns["rank"])
    found = tables.mends(wrong, THRESHOLDS, np.zeros(len(trusts), dtype=bool))
    if any(entry.any() for entry in tables.contradictions(wrong, THRESHOLDS).values()):
        assert any((m.figure, m.trust) == (figure, trust) and m.low <= true <= m.high for m in found)
    else:
        assert found == []


def test_what_may_be_wrong_by_hand():
    """Averages 1.50, 2.60 and 3.00 are segments 1, 3 and 4; the second stands third in segment 4 with rank 2: a segment
    or an average, from 2.78 to 3.00, is wrong."""
    wrong = table([ACUTE] * 3, [150, 260, 300], [0, 0, 0], [1, 4, 4], [1, 2, 3])
    found = tables.mends(wrong, THRESHOLDS, np.zeros(3, dtype=bool))
    assert found == [Mend("segment", 1, 3, 3), Mend("average_score", 1, 278, 299)]
    assert tables.mends(wrong, THRESHOLDS, np.array([False, True, False])) == found[:1]


def test_a_flag_of_a_type_outside_the_override_cannot_be_wrong():
    """Segment 3 for an average of 1.50: a flag would explain it, where there is an override."""
    for types, figures in (
        ([ACUTE], {"in_deficit", "segment", "average_score"}),
        ([COMMUNITY], {"segment", "average_score"}),
    ):
        rules = Rules(rules_of("2026-27", trust_types=types), THRESHOLDS.elsewhere)
        wrong = table([ACUTE] * 2, [150, 300], [0, 0], [3, 4], [1, 2])
        found = tables.mends(wrong, rules, np.zeros(2, dtype=bool))
        assert {mend.figure for mend in found} == figures
