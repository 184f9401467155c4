"""What `check` finds: nothing in NHS England's figures, and one changed figure at the place where it stands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import tomllib
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nofcore import check, cli, csvfile, framework, release, weights
from nofcore.checks import unusual
from nofcore.checks.order import impossible, one_rank_out, opponents, out_of_order, uncounted
from nofcore.errors import InputError
from tests import makers
from tests.makers import ACUTE, AMBULANCE, COMMUNITY, Q1, Q2, Q3, Q4

Q1_NEXT = "Q1 2026/27"
BOTH = (AMBULANCE, COMMUNITY)


def checked(folder, quarters, types=makers.TYPES, change=None, league=True):
    """The finding of a folder with the data files and league tables of some quarters. ``change``: of the data rows."""
    folder.mkdir(exist_ok=True)
    rows = makers.data_rows(quarters, types)
    makers.write(folder / "data.csv", change(rows) if change else rows)
    if league:
        makers.write(folder / "league.csv", makers.league_rows(quarters, types))
    return check.check(folder).findings[0]


def changing(code, metric_id, column, new):
    """A change of one cell; ``new``: a text, or None to leave the row out."""

    def change(rows):
        (place,) = (i for i, row in enumerate(rows) if (row["Trust_code"], row["Metric_ID"]) == (code, metric_id))
        rows = list(rows)
        if new is None:
            del rows[place]
        else:
            assert float(rows[place][column]) != float(new)
            rows[place] = rows[place] | {column: new}
        change.row = place + 2
        return rows

    return change


# --- nothing is wrong with what NHS England published -------------------------------------------------------


def test_no_false_alarm_on_the_embedded_quarters(tmp_path):
    found = checked(tmp_path / "figures", (Q1, Q2, Q3, Q4, Q1_NEXT))
    assert found.problems == ()
    exact = {entry.quantity: (entry.agree, entry.open) for entry in found.rederived if entry.quarter == Q1}
    # 3,240 scores of METHOD section 2, the 205 combined ones apart: 33 open by ties.
    assert (exact["metric score"], exact["combined score"]) == ((3002, 33), (205, 0))
    assert exact["average metric score"] == exact["league rank"] == (205, 0)


def test_combined_scores_are_made_again_from_their_parts_where_values_do_not_give_them(tmp_path):
    """Finance and temporary staffing of ten ambulance trusts in 2026/27, as METHOD has them."""
    found = checked(tmp_path / "next", [Q1_NEXT], [AMBULANCE])
    (entry,) = (entry for entry in found.rederived if entry.quantity == "combined score")
    assert (entry.start, entry.compared, entry.agree) == ("published scores of its two parts", 20, 20)


def test_what_a_missing_flag_keeps_from_being_checked_is_said(tmp_path):
    rows = [row | {"Trust_in_financial_deficit": ""} for row in makers.league_rows([Q1_NEXT], [AMBULANCE])]
    said = check.check(makers.write(tmp_path / "league.csv", rows)).findings[0].not_rederived
    above = sum(float(row["Average_score"]) <= 2.32 for row in rows)  # in segment 1 or 2 before the override
    assert any(f"Ambulance trust: not segmented, as the override flags of {above} trusts" in note for note in said)


@pytest.mark.parametrize("quarter", [Q1, Q2, Q4, Q1_NEXT])
@pytest.mark.parametrize("types", [(ACUTE,), (AMBULANCE,), (COMMUNITY,)], ids=["acute", "ambulance", "community"])
def test_no_false_alarm_on_one_type(tmp_path, quarter, types):
    if makers.data_rows([quarter], types):
        assert checked(tmp_path / "both", [quarter], types).problems == ()
    else:
        makers.write(tmp_path / "league.csv", makers.league_rows([quarter], types))
        assert check.check(tmp_path / "league.csv").ok


def test_what_one_file_does_not_tell_is_said(tmp_path):
    found = checked(tmp_path / "one", [Q2], BOTH, league=False)
    said = " ".join(found.not_rederived)
    assert (
        "not scored again from values, as trusts of other types that share their pools are not at hand: OF1005" in said
    )
    assert "domain segments were not recomputed; they need the domain scores of all trusts" in said


# --- one changed figure is named, and nothing else ----------------------------------------------------------


@pytest.mark.parametrize(
    ("quarter", "code", "metric_id", "column", "new", "said"),
    [
        (Q1, "RX6", "OF1082", "Value", "1.50", "the score 1.5 does not follow from the value"),
        (Q1, "R0A", "OF1003", "Value", "1.00", "the score 1 does not follow from the value"),
        (Q1, "RJ1", "OF0023", "Value", "12.5", "value 12.5 and rank"),
        (Q1, "RJ1", "OF1080", "Value", "4", "the score 4 does not follow from its two parts"),
        (Q2, "RYA", "OF1080", "Value", "3", "the score 3 does not follow from its two parts"),
        (Q1, "RJ1", "OF4000", "Value", "1.01", "the domain score 1.01 does not follow"),
        (Q1, "RJ1", "OF4100", "Value", "4", "the domain segment 4 does not follow"),
        (Q1, "RJ1", "OF5002", "Value", "1.99", "the average score 1.99 does not follow from the metric scores"),
        (Q2, "RX6", "OF5003", "Value", "1", "the unadjusted segment 1 does not follow"),
        (Q1, "RJ1", "OF5000", "Value", "4", "the segment 4 does not follow"),
        (Q1, "RJ1", "OF5000", "Rank", "3", "the league rank 3 does not follow from segments and averages"),
        (Q1, "RJ1", "OF5002", "Rank", "3", "the rank on the average 3 does not follow from the averages"),
        (Q1, "RJ1", "OF0082", "Rank", "1", "and rank 1 contradict each other"),
        (Q2, "RX8", "OF1082", "Value", "3.95", "no trust can have this score"),
        (Q1_NEXT, "RYD", "OF2108", "Value", "4", "the score 4 does not follow from OF2207 1 (row"),
        (Q1_NEXT, "RYA", "OF2080", "Value", "2", "the score 2 does not follow from OF2079 1 (row"),
        (Q1_NEXT, "RX9", "OF2208", "Value", "1.30", "the score 1.3 is no whole step"),
        (Q1_NEXT, "RYA", "OF4209", "Value", "2.21", "the domain score 2.21 does not follow"),  # of one score, 2.20
        (Q1_NEXT, "RX6", "OF5202", "Value", "3.99", "the average score 3.99 does not follow from the metric scores"),
    ],
)
def test_one_changed_figure_is_named_with_its_place(tmp_path, quarter, code, metric_id, column, new, said):
    change = changing(code, metric_id, column, new)
    types = makers.TYPES if quarter in (Q1, Q1_NEXT) else BOTH
    found = checked(tmp_path / "changed", [quarter], types, change, league=False)
    (problem,) = found.problems
    assert (problem.file, problem.row) == ("data.csv", change.row)
    assert problem.column == ("Rank" if column == "Rank" and metric_id.startswith("OF5") else "Value")
    assert said in problem.message
    assert code in problem.message


def test_a_changed_flag_is_named_where_the_rank_bears_the_segment_out(tmp_path):
    """North West came first of the ambulance trusts, in segment 1, so it has no flag."""
    code = min((row for row in makers.league_rows([Q1], [AMBULANCE])), key=lambda row: float(row["Average_score"]))[
        "Trust_code"
    ]
    change = changing(code, "OF5004", "Value", "1")
    found = checked(tmp_path / "flag", [Q1], [AMBULANCE], change, league=False)
    (problem,) = found.problems
    assert (problem.row, problem.column) == (change.row, "Value")
    assert "by this deficit flag the segment would be 3" in problem.message


def test_a_missing_row_is_missed(tmp_path):
    found = checked(tmp_path / "dropped", [Q1], makers.TYPES, changing("RJ1", "OF1082", "Value", None), league=False)
    assert found.problems
    assert any("RJ1" in problem.message for problem in found.problems)


def test_a_truncated_file_is_seen(tmp_path):
    found = checked(tmp_path / "cut", [Q1], makers.TYPES, lambda rows: rows[: len(rows) * 2 // 3], league=False)
    assert found.problems


def test_a_league_table_alone(tmp_path):
    rows = makers.league_rows([Q4], [COMMUNITY])
    place = next(i for i, row in enumerate(rows) if float(row["Rank"]) == 15)
    rows[place] |= {"Rank": "31"}
    makers.write(tmp_path / "league.csv", rows)
    (problem,) = check.check(tmp_path / "league.csv").problems
    assert (problem.row, problem.column) == (place + 2, "Rank")


# --- order of figures and ranks -----------------------------------------------------------------------------


def fits(figures, ranks):
    """Whether no rank contradicts a figure, pair by pair."""
    pairs = [(f, g, r, s) for f, r in zip(figures, ranks, strict=True) for g, s in zip(figures, ranks, strict=True)]
    return all(not (r < s and f > g) and not (r == s and f != g) for f, g, r, s in pairs)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 6)), max_size=7))
def test_as_few_as_possible_are_out_of_order(entries):
    figures, ranks = [f for f, _ in entries], [r for _, r in entries]
    outside = out_of_order(figures, ranks)
    kept = [i for i in range(len(entries)) if not outside[i]]
    assert fits([figures[i] for i in kept], [ranks[i] for i in kept])
    sizes = [bin(mask).count("1") for mask in range(2 ** len(entries)) if fits(
        [f for i, f in enumerate(figures) if mask >> i & 1], [r for i, r in enumerate(ranks) if mask >> i & 1]
    )]  # fmt: skip
    assert len(kept) == max(sizes, default=0)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=5))
def test_every_order_of_equal_figures_is_possible(figures):
    """Minimum ranks of figures whose ties are broken in any way, counted one by one."""
    for order in permutations(range(len(figures))):
        exact = [(figure, order[i]) for i, figure in enumerate(figures)]
        ranks = [1 + sum(other < mine for other in exact) for mine in exact]
        assert not impossible(figures, ranks).any()
    assert impossible(figures, np.full(len(figures), len(figures) + 1.0)).all()


# --- what is unusual ----------------------------------------------------------------------------------------


def kinds(found):
    return {entry.kind: entry.count for entry in found.unusual}


def test_unusual_things_are_counted_and_do_not_fail(tmp_path):
    rows = makers.data_rows([Q1], [AMBULANCE])
    rows = [dict(row) for row in rows]
    for row in rows:
        row |= {"Trust_code": "RZZ", "Trust_name": "A new trust"} if row["Trust_code"] == "RX6" else {}
        row |= {"Reporting_date": "Jan-20"} if (row["Trust_code"], row["Metric_ID"]) == ("RYA", "OF0082") else {}
        row |= {"Value": "*"} if (row["Trust_code"], row["Metric_ID"]) == ("RYA", "OF0101") else {}
    rows.append(rows[0] | {"Metric_ID": "OF0999", "Rank": ""})
    path = makers.write(tmp_path / "new.csv", rows, north_east="North East")
    found = check.check(path).findings[0]
    assert found.ok
    counts = kinds(found)
    assert {
        "new trusts": 1,
        "vanished trusts": 1,
        "metric without a rule": 1,
        "older period": 1,
    }.items() <= counts.items()
    assert counts["region spelt differently"] == sum(row["Region"] == "North East and Yorkshire" for row in rows)
    assert set(counts) <= set(unusual.KINDS)
    said = str(found)
    assert "RZZ (A new trust)" in said
    assert "'Jan-20'" in said
    assert cli.main(["check", str(path)]) == 0


def test_mergers_of_2026_27_are_told(tmp_path):
    found = checked(tmp_path / "merged", [Q4, Q1_NEXT], [COMMUNITY])
    (gone,) = (entry for entry in found.unusual if entry.kind == "vanished trusts")
    assert (gone.count, gone.quarter) == (3, Q1_NEXT)


# --- the shape of the answer --------------------------------------------------------------------------------


def test_the_shape_of_json(tmp_path, capsys):
    path = makers.write(tmp_path / "one.csv", makers.data_rows([Q1], [AMBULANCE]))
    assert cli.main(["check", "--json", str(path), str(tmp_path / "none.toml")]) == 1
    found, absent = json.loads(capsys.readouterr().out)
    keys = {"path", "ok", "problems", "unusual", "summary", "rederived", "not_rederived"}
    assert set(found) == set(absent) == keys
    assert (found["ok"], found["problems"], absent["ok"], len(absent["problems"])) == (True, [], False, 1)
    assert set(absent["problems"][0]) == {"file", "row", "column", "message"}
    assert all(
        set(entry) == {"quarter", "quantity", "from", "compared", "agree", "open"} for entry in found["rederived"]
    )
    assert all(entry["compared"] == entry["agree"] + entry["open"] for entry in found["rederived"])
    assert all(set(entry) == {"kind", "count", "message", "file", "quarter"} for entry in found["unusual"])
    assert all(isinstance(line, str) for line in (*found["summary"], *found["not_rederived"]))


def test_several_paths_in_their_order(tmp_path):
    path = makers.write(tmp_path / "one.csv", makers.league_rows([Q1], [AMBULANCE]))
    report = check.check([path, framework.FOLDER / "2025-26.toml", tmp_path / "none"])
    assert [finding.ok for finding in report.findings] == [True, True, False]
    assert (report.ok, len(report.problems)) == (False, 1)


def test_bad_files_do_not_hide_each_other(tmp_path):
    makers.write(tmp_path / "one.csv", [row | {"Value": "x"} for row in makers.data_rows([Q1], [AMBULANCE])[:2]])
    rows = makers.data_rows([Q1], [COMMUNITY])
    makers.write(tmp_path / "two.csv", [*rows, rows[0]])
    found = check.check(tmp_path).findings[0]
    assert {problem.file for problem in found.problems} == {"one.csv", "two.csv"}
    assert "put right what is wrong first" in found.not_rederived[0]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[weights]\naccess = -1\n", 2, "must be 0 or more"),
        ("[weights]\nacces = 1\n", 2, "nearest: access"),
        (
            '[[scenario]]\nkey = "a"\nname = "A"\nquestion = "?"\n[scenario.changes]\nweights = { acces = 2 }\n',
            6,
            "nearest: access",
        ),
        ('[[release]]\nquarter = "Q1 2026/27"\nfolder = "ftp://x"\nfiles = []\n', 3, "not an address"),
        ("year = 2025\n", 1, "must be text in quotes"),
    ],
    ids=["weights", "weights that name nothing", "scenario", "catalogue", "framework"],
)
def test_files_of_rules_are_told_apart(tmp_path, text, line, said):
    (tmp_path / "own.toml").write_text(text, "utf-8")
    problems = check.check(tmp_path / "own.toml").problems
    assert any(problem.row == line and said in problem.message for problem in problems)


def test_the_kit_s_own_rules_are_sound():
    paths = [
        path for path in framework.FOLDER.parent.rglob("*.toml") if path.parent.name in ("frameworks", "scenarios")
    ]
    assert check.check([*paths, framework.FOLDER.parent / "data" / "catalogue.toml"]).ok


# --- files that can be read only once -----------------------------------------------------------------------


def written_to(path, content):
    """Write to a named pipe as soon as somebody reads it; a second reader gets nothing and waits."""
    threading.Thread(target=path.write_bytes, args=(content,), daemon=True).start()


def through_a_pipe(path, descriptor=None):
    """What `check --json` says of a path, run in a process that may be ended if it waits for ever."""
    fds = () if descriptor is None else (descriptor,)
    command = [sys.executable, "-m", "nofcore", "check", "--json", str(path)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60, pass_fds=fds, check=False)
    assert made.stderr == ""
    (found,) = json.loads(made.stdout)
    return made.returncode, found


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.parametrize("kind", ["named", "descriptor"])
def test_a_pipe_is_checked_like_the_file(tmp_path, kind):
    rows = [row | {"Region": "Utopia"} for row in makers.league_rows([Q1], [AMBULANCE])]
    rows[3] |= {"Segment": "*"}
    path = makers.write(tmp_path / "league.csv", rows, north_east="North East")
    expected = check.check(path).findings[0]
    assert {"new region", "suppressed"} <= set(kinds(expected))
    if kind == "named":
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        written_to(pipe, path.read_bytes())
        code, found = through_a_pipe(pipe)
    else:
        source, end = os.pipe()  # a table of ten trusts is less than a pipe holds
        os.write(end, path.read_bytes())
        os.close(end)
        pipe = Path(f"/dev/fd/{source}")
        code, found = through_a_pipe(pipe, source)
        os.close(source)
    assert code == (0 if expected.ok else 1)
    mine = [entry["message"].replace(f"{pipe.name}: ", "") for entry in found["unusual"]]
    theirs = [entry.message.replace("league.csv: ", "") for entry in expected.unusual]
    assert mine == theirs
    assert [entry["agree"] for entry in found["rederived"]] == [entry.agree for entry in expected.rederived]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_rules_in_a_pipe_are_refused_at_once(tmp_path):
    pipe = tmp_path / "own.toml"
    os.mkfifo(pipe)
    written_to(pipe, b"[weights]\naccess = 1\n")
    code, found = through_a_pipe(pipe)
    (problem,) = found["problems"]
    assert (code, problem["message"]) == (1, "is a pipe or a device; save it as a file and check that")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_framework_in_a_pipe_tells_what_is_wrong_without_its_line(tmp_path):
    pipe = tmp_path / "own.toml"
    os.mkfifo(pipe)
    written_to(pipe, b"year = 2025\n")
    command = [sys.executable, "-m", "nofcore", "check", "--framework", str(pipe), str(tmp_path)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (made.returncode, made.stdout, len(made.stderr.splitlines())) == (2, "", 1)
    assert "own.toml: key year: must be text in quotes" in made.stderr


@pytest.mark.parametrize("later", [None, b"", b"not the same\n"], ids=["gone", "empty", "other"])
def test_a_file_that_changes_once_it_is_read_is_judged_as_it_was_read(tmp_path, monkeypatch, later):
    path = makers.write(tmp_path / "league.csv", makers.league_rows([Q1], [AMBULANCE]), north_east="North East")
    expected = check.check(path)

    def read_and_lost(path, real=csvfile.content_of):
        content = real(path)
        path.unlink() if later is None else path.write_bytes(later)
        return content

    monkeypatch.setattr(csvfile, "content_of", read_and_lost)
    assert check.check(path) == expected


def test_rules_that_are_broken_while_they_are_judged_keep_their_problem(tmp_path, monkeypatch):
    """The line of a key is sought in the file as it is by then."""
    path = tmp_path / "own.toml"
    path.write_text("[weights]\nacces = 2\n", "utf-8")

    def judged_and_broken(path, real=weights.load):
        try:
            return real(path)
        finally:
            path.write_text("[weights\n\n= [", "utf-8")

    monkeypatch.setattr(weights, "load", judged_and_broken)
    (problem,) = check.check(path).problems
    assert (problem.row, "nearest: access" in problem.message) == (None, True)


# --- figures that are missing altogether, and columns that are swapped ---------------------------------------


@pytest.mark.parametrize("mark", ["", "*"])
def test_a_file_without_one_figure_is_a_problem(tmp_path, mark):
    path = makers.write(tmp_path / "empty.csv", [row | {"Value": mark} for row in makers.data_rows([Q1], [AMBULANCE])])
    (problem,) = check.check(path).problems
    assert (problem.file, problem.column) == ("empty.csv", "Value")
    assert f"not one figure in {len(makers.data_rows([Q1], [AMBULANCE])):,} rows" in problem.message
    rows = [row | {"Average_score": mark} for row in makers.league_rows([Q1], [AMBULANCE])]
    (problem,) = check.check(makers.write(tmp_path / "league.csv", rows)).problems
    assert (problem.file, problem.column) == ("league.csv", "Average_score")


@pytest.mark.parametrize(
    ("column", "ids", "said"),
    [
        ("Value", framework.for_quarter(Q1).score_ids, "not one metric score is given"),
        ("Value", [m.value for m in framework.for_quarter(Q1).metric if m.value], "not one metric value is given"),
        ("Rank", None, "not one rank of a metric is given"),
    ],
    ids=["scores", "values", "ranks"],
)
def test_figures_of_one_kind_that_are_all_missing_are_told(tmp_path, column, ids, said):
    rows = [
        row | ({column: ""} if ids is None or row["Metric_ID"] in ids else {})
        for row in makers.data_rows([Q1], [AMBULANCE])
    ]
    found = check.check(makers.write(tmp_path / "some.csv", rows)).findings[0]
    assert found.ok
    (entry,) = (entry for entry in found.unusual if entry.kind == "no figures" and said in entry.message)
    assert entry.count == sum(ids is None or row["Metric_ID"] in ids for row in rows)


@pytest.mark.parametrize("column", ["Segment", "Rank"])
def test_a_league_table_without_segments_or_ranks_is_told(tmp_path, column):
    rows = [row | {column: ""} for row in makers.league_rows([Q1], [AMBULANCE])]
    found = check.check(makers.write(tmp_path / "league.csv", rows)).findings[0]
    assert kinds(found)["no figures"] == 10


def not_given(path, own=None):
    """How many figures of each kind a path has a place for, and gives none of."""
    found = check.check(path, own).findings[0].unusual
    told = [entry for entry in found if entry.kind == "no figures"]
    return {entry.message.split("not one ")[1].split(" is given")[0]: entry.count for entry in told}


def without_results(metric_id):
    """The rows of a data file with one kind of NHS England's own results suppressed."""
    rows = makers.data_rows([Q1], [AMBULANCE])
    return [row | ({"Value": "*"} if row["Metric_ID"] == metric_id else {}) for row in rows]


@pytest.mark.parametrize(("metric_id", "name"), [("OF5003", "unadjusted segment"), ("OF5004", "override flag")])
def test_data_without_one_unadjusted_segment_or_one_flag_are_told(tmp_path, metric_id, name):
    path = makers.write(tmp_path / "data.csv", without_results(metric_id))
    assert not_given(path) == {name: 10}
    makers.write(tmp_path / "data.csv", makers.data_rows([Q1], [AMBULANCE]))
    assert not_given(path) == {}


def test_a_league_table_without_one_flag_is_told_and_has_no_place_for_an_unadjusted_segment(tmp_path):
    rows = [row | {"Trust_in_financial_deficit": "*"} for row in makers.league_rows([Q1], [AMBULANCE])]
    path = makers.write(tmp_path / "league.csv", rows)
    assert not_given(path) == {"override flag": 10}


def test_data_that_have_no_rows_of_flags_lack_none(tmp_path):
    rows = [row for row in makers.data_rows([Q1], [AMBULANCE]) if row["Metric_ID"] not in ("OF5003", "OF5004")]
    assert not {"override flag", "unadjusted segment"} & {*not_given(makers.write(tmp_path / "d.csv", rows))}


@pytest.mark.parametrize(
    "override",
    [
        None,
        {"no_higher_than": 3, "trust_types": (ACUTE, COMMUNITY)},
        {"no_higher_than": 3, "flag_if": ({"metric": "OF0081", "above": 0},)},
    ],
    ids=["none", "of other types", "derived"],
)
def test_no_flag_is_missed_where_the_rules_ask_for_none(tmp_path, override):
    rules = tomllib.loads((framework.FOLDER / "2025-26.toml").read_text("utf-8"))
    del rules["override"]
    own = framework.parse(rules | ({"override": override} if override else {}), "own.toml")
    rows = [row | {"Trust_in_financial_deficit": "*"} for row in makers.league_rows([Q1], [AMBULANCE])]
    assert not_given(makers.write(tmp_path / "league.csv", rows), own) == {}


@pytest.mark.parametrize("other", ["Region", "Trust_subtype"])
@pytest.mark.parametrize("types", [(COMMUNITY,), makers.TYPES], ids=["one type", "all"])
def test_swapped_columns_are_told_for_what_they_are(tmp_path, other, types, capsys):
    """Of a league table alone: a table by region would be ranked without a word."""
    rows = [row | {"Trust_type": row[other], other: row["Trust_type"]} for row in makers.league_rows([Q1], types)]
    path = makers.write(tmp_path / "league.csv", rows)
    (problem,) = check.check(path).problems
    assert (problem.file, problem.row, problem.column) == ("league.csv", 2, "Trust_type")
    assert f"in {other} is one" in problem.message and "the columns are swapped" in problem.message
    assert cli.main(["table", "--data", str(tmp_path), "--out", str(tmp_path / "out.csv")]) == 2
    assert "the columns are swapped" in capsys.readouterr().err


def test_a_type_of_its_own_is_not_taken_for_swapped_columns(tmp_path):
    rows = [row | {"Trust_type": "Air rescue"} for row in makers.league_rows([Q1], [AMBULANCE])]
    assert check.check(makers.write(tmp_path / "league.csv", rows)).ok


# --- ranks that do not count their rows ----------------------------------------------------------------------


def follows(ranks):
    """Whether ranks are minimum ranks of something: each is 1 + the number of better ones, counted one by one."""
    return all(rank == 1 + sum(other < rank for other in ranks) for rank in ranks)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.data())
def test_one_changed_rank_is_found_where_ranks_no_longer_count(figures, data):
    ranks = [1 + sum(other < mine for other in figures) for mine in figures]
    assert uncounted(ranks) is None
    entry = data.draw(st.integers(0, len(ranks) - 1))
    changed = [*ranks[:entry], data.draw(st.integers(1, len(ranks))), *ranks[entry + 1 :]]
    found = uncounted(changed)
    assert (found is None) == follows(changed)
    if found:
        assert entry in found[1]


@given(st.lists(st.integers(0, 3), min_size=2, max_size=6, unique=True), st.data())
def test_a_changed_rank_of_figures_that_differ_is_the_one_that_is_named(figures, data):
    """All figures differ, so that there is one right order. Ranks that still count show a tie: either may be wrong."""
    ranks = [1 + sum(other < mine for other in figures) for mine in figures]
    entry = data.draw(st.integers(0, len(ranks) - 1))
    changed = [*ranks[:entry], data.draw(st.sampled_from(ranks)), *ranks[entry + 1 :]]
    assert one_rank_out(figures, changed) == (None if follows(changed) else entry)


@pytest.mark.parametrize(
    ("figures", "ranks", "entry", "wanted"),
    [((1, 2, 3), (2, 1, 3), 0, [1]), ((1, 2, 3), (3, 1, 2), 0, [1, 2]), ((1, 1, 3), (1, 2, 3), 0, []), ((1, 2), (1, 1), 0, [1])],
)  # fmt: skip
def test_opponents_by_hand(figures, ranks, entry, wanted):
    assert opponents(figures, ranks, entry).tolist() == wanted


@pytest.mark.parametrize(
    ("code", "metric_id", "column", "new", "others"),
    [
        ("RX8", "OF2081", "Rank", "5", ("RX8", "RYA")),  # all score 1: ranks alone tell
        ("RX6", "OF4200", "Rank", "2", ("RX6",)),
        ("RYD", "OF4204", "Rank", "4", ("RYD",)),
        ("RYD", "OF0101", "Value", "67.68", ("RYA", "those of RYD")),
    ],
)
def test_ranks_that_do_not_count_their_rows(tmp_path, code, metric_id, column, new, others):
    change = changing(code, metric_id, column, new)
    (problem,) = checked(tmp_path / "next", [Q1_NEXT], [AMBULANCE], change, league=False).problems
    assert all(other in problem.message for other in others)
    assert f"row {change.row}" in f"row {problem.row}, {problem.message}"


def test_a_row_left_out_leaves_its_rank_open(tmp_path):
    """All values of the score are equal, so that no other check can miss the row."""
    change = changing("RX8", "OF2081", "Value", None)
    (problem,) = checked(tmp_path / "next", [Q1_NEXT], [AMBULANCE], change, league=False).problems
    assert problem.column == "Rank"
    assert "OF2081: ranks of 9 rows of Ambulance trusts do not follow on each other at place 4" in problem.message
    assert "or a row is missing" in problem.message


@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + ".csv", "absent.csv", "absent"])
def test_a_path_that_cannot_be_looked_at_is_a_problem(tmp_path, name):
    """A name that no system takes was a traceback, as was a folder that one may not enter."""
    (problem,) = check.check(tmp_path / name).problems
    assert "cannot be read" in problem.message
    with pytest.raises(InputError, match=r"no such folder|cannot be read"):
        release.read(tmp_path / name)
