"""The command line as users meet it: what it writes, what it says, and what it leaves alone."""

import csv
import json
import os
import subprocess
import sys

import pytest

from nofcore import cli, framework, release
from tests import makers
from tests.makers import ACUTE, AMBULANCE, COMMUNITY, Q1, Q2, TYPES

TOML = (framework.FOLDER / "2025-26.toml").read_text("utf-8")
TABLE_HEADER = (  # DESIGN, the command line
    "quarter,trust_type,trust_subtype,region,trust_code,trust_name,average_score,score_low,score_high,"
    "unadjusted_segment,in_deficit,segment,rank,rank_low,rank_high"
)
SCORES_HEADER = "quarter,trust_code,metric_id,value,score,published_score,tied"
ROWS = makers.data_rows(types=[AMBULANCE])


def run(*arguments) -> int:
    """The exit code of a command, run in this process."""
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return stop.code


def nofcore(*arguments, **options) -> subprocess.CompletedProcess:
    """A command in a process of its own."""
    command = [sys.executable, "-m", "nofcore", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=60, **options)


def written(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture
def refused(tmp_path, capsys):
    """Run a command that must be refused; returns its one line. An earlier --out file must stay as it was."""
    out = tmp_path / "out" / "earlier.csv"
    out.parent.mkdir()
    out.write_bytes(b"earlier")

    def check(*arguments) -> str:
        assert run(*arguments, "--out", out) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("nofcore: error: ")
        assert said.err.endswith("\n")
        assert len(said.err.splitlines()) == 1
        assert "Traceback" not in said.err
        assert [path.name for path in out.parent.iterdir()] == ["earlier.csv"]
        assert out.read_bytes() == b"earlier"
        return said.err

    return check


# --- table and scores -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def q1_table(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "q1.csv"
    assert run("table", "--out", path) == 0
    return path


def test_the_table_of_the_latest_quarter(q1_table):
    rows = written(q1_table)
    assert q1_table.read_text("utf-8").splitlines()[0] == TABLE_HEADER
    assert len(rows) == 205
    assert {row["quarter"] for row in rows} == {Q1}


def test_table_against_nhs_england(q1_table):
    published = {row["trust_code"]: row for row in makers.table("league_tables") if row["quarter"] == Q1}
    for row in written(q1_table):
        official = published.pop(row["trust_code"])
        for name in ("average_score", "unadjusted_segment", "in_deficit", "segment", "rank"):
            assert float(row[name]) == float(official[name])
    assert not published


def test_a_table_is_sorted_by_trust_type_and_rank(q1_table):
    order = [(row["trust_type"], int(row["rank"]), row["trust_code"]) for row in written(q1_table)]
    assert order == sorted(order)
    assert [order[0][0], order[134][0], order[144][0]] == [ACUTE, AMBULANCE, COMMUNITY]


def test_whole_numbers_are_written_whole_and_averages_are_not(q1_table):
    text = q1_table.read_text("utf-8")
    for row in written(q1_table):
        assert all(row[name].isdigit() for name in ("unadjusted_segment", "in_deficit", "segment", "rank"))
        assert "." in row["average_score"]
        assert len(row["average_score"].partition(".")[2]) <= 2
        assert all(row[name] == "" for name in ("score_low", "score_high", "rank_low", "rank_high"))
    assert "\r" not in text
    assert text.isprintable() or set(text) - {c for c in text if c.isprintable()} == {"\n"}


@pytest.mark.parametrize(("slug", "trust_type", "count"), [("acute", ACUTE, 134), ("ambulance", AMBULANCE, 10)])
def test_one_trust_type_is_a_part_of_the_whole_table(q1_table, tmp_path, slug, trust_type, count):
    assert run("table", "--quarter", "q1 25/26", "--trust-type", slug, "--out", tmp_path / "t.csv") == 0
    part = written(tmp_path / "t.csv")
    assert len(part) == count
    assert part == [row for row in written(q1_table) if row["trust_type"] == trust_type]


def test_official_files_and_embedded_data_write_the_same_bytes(q1_table, official_folder, tmp_path):
    assert run("table", "--quarter", Q1, "--data", official_folder, "--out", tmp_path / "t.csv") == 0
    assert (tmp_path / "t.csv").read_bytes() == q1_table.read_bytes()


def test_files_made_from_the_embedded_data_write_the_same_bytes(q1_table, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    makers.write(data / "acute.csv", makers.data_rows(types=[ACUTE]), quarter_column=False, percent="percent")
    makers.write(data / "rest.csv", makers.data_rows(types=[AMBULANCE, COMMUNITY]), shuffle=3, newline="\n", bom=False)
    assert run("table", "--data", data, "--out", tmp_path / "t.csv") == 0
    assert (tmp_path / "t.csv").read_bytes() == q1_table.read_bytes()


def test_names_that_a_spreadsheet_would_run_are_escaped(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    hostile = {"RX7": "=cmd()", "RYA": "@SUM(1)", "RRU": "-1", "RX6": "+1", "RX8": "A & B <script>"}
    rows = [
        row | {"Trust_name": hostile.get(row["Trust_code"], row["Trust_name"])}
        for row in makers.data_rows([Q2], [AMBULANCE])
    ]
    makers.write(data / "a.csv", [*rows, *makers.data_rows([Q2], [COMMUNITY])])
    assert run("table", "--quarter", Q2, "--data", data, "--out", tmp_path / "t.csv") == 0
    names = {row["trust_code"]: row["trust_name"] for row in written(tmp_path / "t.csv")}
    assert {code: names[code] for code in hostile} == {
        code: name if name.startswith("A") else f"'{name}" for code, name in hostile.items()
    }


def test_scores_against_nhs_england(tmp_path):
    assert run("scores", "--quarter", Q1, "--out", tmp_path / "s.csv") == 0
    rows = written(tmp_path / "s.csv")
    assert (tmp_path / "s.csv").read_text("utf-8").splitlines()[0] == SCORES_HEADER
    held = {
        (row["trust_code"], row["metric_id"]): float(row["value"])
        for row in makers.table("observations")
        if row["quarter"] == Q1
    }
    assert len(rows) == 3_240
    near = 0
    for row in rows:
        published = held[row["trust_code"], row["metric_id"]]
        assert float(row["published_score"]) == published
        agrees = abs(float(row["score"]) - published) <= 0.005 + 1e-9
        assert agrees or row["tied"] == "True"
        near += agrees
    assert near == 3_207
    assert any(row["value"].startswith("-") for row in rows)  # negative numbers carry no apostrophe


def test_notes_go_to_standard_error_and_the_result_to_standard_output(tmp_path, capsys):
    out = tmp_path / "t.csv"
    assert run("table", "--quarter", Q2, "--out", out) == 0
    said = capsys.readouterr()
    assert said.out == f"{out}: 205 trusts, {Q2}\n"
    assert "nothing could be recomputed" in said.err
    assert all(line.startswith("note: ") for line in said.err.splitlines())


# --- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["table", "--quarter", "Q1 2019/20"], "Q1 2019/20"),
        (["table", "--quarter", "next"], "'next' is not a quarter"),
        (["table", "--quarter", ""], "'' is not a quarter"),
        (["table", "--trust-type", "hospital"], "acute, ambulance, mental-health-and-community"),
        (["table", "--trust-type", ""], "no trust type ''"),
        (
            ["table", "--trust-type", "acut", "--quarter", "Q4 2025/26"],
            "no trust type 'acut' in Q4 2025/26; the figures hold acute, ",
        ),
        (["table", "--from", "averages"], "scores"),
        (["table", "--data", "absent"], "no such folder"),
        (["table", "--framework", "absent.toml"], "absent.toml: no such framework file"),
        (["table", "--bogus"], "--bogus"),
        (["table", "--two\nlines"], "--two lines"),
        (["scores", "--quarter", Q2], "Acute trust"),
        (["scores", "--quarter", "Q1 2026/27"], "2026/27"),
        (["tables"], "tables"),
        ([], "COMMAND"),
    ],
)
def test_bad_usage(refused, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert said in refused(*arguments)


def edited(place, **cells):
    return [row | cells if number == place else row for number, row in enumerate(ROWS)]


PLACE = {
    name: next(n for n, row in enumerate(ROWS) if row["Metric_ID"] == name) for name in ("OF1017", "OF5000", "OF5004")
}
BAD_FILES = {
    "text": (makers.content(edited(5, Value="abc")), "bad.csv, row 7, column Value: 'abc' is not a number"),
    "rank": (makers.content(edited(5, Rank="abc")), "bad.csv, row 7, column Rank"),
    "score": (makers.content(edited(PLACE["OF1017"], Value="4.5")), "column Value: 4.5 (OF1017"),
    "segment": (makers.content(edited(PLACE["OF5000"], Value="5")), "column Value: 5 (OF5000"),
    "flag": (makers.content(edited(PLACE["OF5004"], Value="2")), "column Value: 2 (OF5004"),
    "twice": (makers.content([*ROWS, ROWS[0]]), f"bad.csv, row {len(ROWS) + 2}: a second row"),
    "two types": (makers.content(edited(20, Trust_type=ACUTE)), "column Trust_type: trust"),
    "no column": (
        makers.content(ROWS, [n for n in makers.DATA_HEADER if n != "Value"]),
        "row 1, column Value: this column",
    ),
    "doubled column": (makers.content(ROWS).replace(b"Median_value", b"Value"), "column Value: stands twice"),
    "short row": (makers.content(ROWS) + b"Q1 2025/26,London\r\n", f"bad.csv, row {len(ROWS) + 2}: has 2 cells"),
    "stray quote": (makers.content(ROWS) + b'"', f"bad.csv, row {len(ROWS) + 2}: is not well-formed"),
    "nul": (makers.content(ROWS).replace(b"London", b"Lon\0on"), "NUL"),
    "utf-16": (makers.content(ROWS).decode("utf-8-sig").encode("utf-16"), "bad.csv, row 1: is not UTF-8"),
    "latin-1": (makers.content(ROWS).decode("utf-8-sig").encode("latin-1"), "is not UTF-8"),
    "web page": (b"<!DOCTYPE html><html></html>", "bad.csv: is a web page"),
    "workbook": (b"PK\x03\x04" + bytes(50), "bad.csv: is a workbook"),
    "empty": (b"", "bad.csv: is empty"),
    "header only": (makers.content(ROWS).splitlines()[0], "has a header but no rows"),
    "quarter": (makers.content(edited(5, Quarter="Q7 2025/26")), "bad.csv, row 7, column Quarter"),
    "control characters": (makers.content(edited(5, Value="\x1b[31m\n\x07")), "bad.csv, row 7, column Value"),
}


@pytest.mark.parametrize(("command", "name"), [*(("table", name) for name in BAD_FILES), ("scores", "text")])
def test_a_bad_file(refused, tmp_path, command, name):
    content, said = BAD_FILES[name]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "bad.csv").write_bytes(content)
    message = refused(command, "--quarter", Q1, "--data", tmp_path / "data")
    assert said in message
    assert message.rstrip("\n").isprintable()


def test_a_contradiction_between_files(refused, tmp_path):
    (tmp_path / "data").mkdir()
    makers.write(tmp_path / "data" / "one.csv", ROWS)
    makers.write(tmp_path / "data" / "two.csv", edited(5, Value="1"))
    message = refused("table", "--data", tmp_path / "data")
    assert "one.csv, row 7, column Value" in message
    assert "two.csv, row 7" in message


@pytest.mark.parametrize("name", ["empty", "file"])
def test_a_folder_of_no_use(refused, tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    assert name in refused("table", "--data", tmp_path / name)


def test_many_problems_are_still_one_line(refused, tmp_path):
    (tmp_path / "data").mkdir()
    makers.write(tmp_path / "data" / "bad.csv", [row | {"Value": "x"} for row in ROWS])
    assert refused("table", "--data", tmp_path / "data").endswith(f"; and {len(ROWS) - 8} more problems\n")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("standard = 75", 'standard = "75"', "key metric[6] (OF1011).standard: must be a number"),
        ("standard = 75", "standrd = 75", "unknown key"),
        ("[25, 50, 75]", "[75, 50, 25]", "percentiles must increase"),
        ("best = 1", "best = ", "is not valid TOML"),
        ('year = "2025/26"', 'year = "2031/32"', "rounded_first: Q1 2025/26 is not in 2031/32"),
    ],
)
def test_a_bad_framework(refused, tmp_path, old, new, said):
    (tmp_path / "own.toml").write_text(TOML.replace(old, new, 1))
    message = refused("table", "--quarter", Q1, "--framework", tmp_path / "own.toml")
    assert "own.toml" in message
    assert said in message


def test_a_framework_of_a_user_s_own_is_obeyed(tmp_path):
    own = TOML.replace("[25, 50, 75]", "[50]").replace("no_higher_than = 3", "no_higher_than = 2")
    (tmp_path / "own.toml").write_text(own)
    assert run("table", "--framework", tmp_path / "own.toml", "--out", tmp_path / "t.csv") == 0
    assert {row["segment"] for row in written(tmp_path / "t.csv")} == {"1", "2"}


@pytest.mark.parametrize(
    "arguments",
    [
        *(("table", option) for option in ("--out", "--data", "--framework")),
        *(
            ("report", option)
            for option in (
                "--out",
                "--data",
                "--framework",
                "--activity",
                "--characteristics",
                "--weights",
                "--scenario",
            )
        ),
        ("check",),
        ("fetch", "--to"),
        ("fetch", "--catalogue"),
    ],
)
@pytest.mark.parametrize("text", ["", " "])
def test_an_empty_path_is_not_taken_for_the_current_folder(arguments, text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments, text) == 2
    said = capsys.readouterr()
    assert f"{text!r} is not a path" in said.err
    assert len(said.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["folder", "file/out.csv"])
def test_an_out_that_cannot_be_written(tmp_path, capsys, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("earlier")
    assert run("table", "--out", tmp_path / name) == 2
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 1
    assert "choose another --out" in said.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "earlier"


# --- check ------------------------------------------------------------------------------------------------


def test_check_of_a_good_file(tmp_path, capsys):
    path = makers.write(tmp_path / "good.csv", edited(5, Value="*"))
    assert run("check", path) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[:2] == [f"{path}: no problem found", f"  {Q1}: {AMBULANCE}: 10 trusts; {len(ROWS)} metric rows"]
    assert lines[2].startswith(f"  {Q1}, made again: ")
    assert "  unusual: good.csv: 1 figure missing or suppressed in Value (1 '*')" in lines
    assert said.err == ""


def test_check_of_a_folder_and_of_a_framework(tmp_path, capsys):
    makers.write(tmp_path / "data.csv", ROWS)
    makers.write(tmp_path / "league.csv", makers.league_rows(types=[AMBULANCE]))
    assert run("check", tmp_path, framework.FOLDER / "2025-26.toml") == 0
    assert "30 metrics, 5 domains, 3 trust types" in capsys.readouterr().out


def test_check_as_json(tmp_path, capsys):
    makers.write(tmp_path / "good.csv", ROWS)
    makers.write(tmp_path / "bad.csv", [row | {"Trust_name": "Ärzte"} for row in edited(5, Value="ä", Rank="x")])
    makers.write(tmp_path / "scores.csv", edited(PLACE["OF5000"], Value="5"))
    paths = [tmp_path / name for name in ("good.csv", "bad.csv", "scores.csv", "absent.csv")]
    assert run("check", "--json", *paths) == 1
    said = capsys.readouterr()
    assert said.err == ""
    found = json.loads(said.out)
    assert [entry["path"] for entry in found] == [str(path) for path in paths]
    assert [entry["ok"] for entry in found] == [True, False, False, False]
    places = [(p["file"], p["row"], p["column"]) for entry in found for p in entry["problems"]]
    row = PLACE["OF5000"] + 2
    assert places == [
        ("bad.csv", 7, "Rank"),
        ("bad.csv", 7, "Value"),
        ("scores.csv", row, "Value"),
        ("absent.csv", None, None),
    ]
    assert all(set(p) == {"file", "row", "column", "message"} for entry in found for p in entry["problems"])
    assert "'ä' is not a number" in found[1]["problems"][1]["message"]


@pytest.mark.parametrize("name", BAD_FILES)
def test_check_finds_every_bad_file(tmp_path, capsys, name):
    path = tmp_path / "bad.csv"
    path.write_bytes(BAD_FILES[name][0])
    assert run("check", path) == 1
    said = capsys.readouterr()
    assert said.err == ""
    assert BAD_FILES[name][1] in said.out


def test_check_lists_every_problem(tmp_path, capsys):
    path = makers.write(tmp_path / "bad.csv", [row | {"Value": "x"} for row in ROWS])
    assert run("check", path) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{path}: {len(ROWS)} problems"
    assert len(lines) == len(ROWS) + 1


def test_an_unreadable_file_is_a_problem(tmp_path, capsys):
    assert run("check", tmp_path / "absent.csv", tmp_path / "absent.toml", tmp_path / "absent") == 1
    assert capsys.readouterr().out.count("1 problem\n") == 3


def test_check_of_contradicting_files(tmp_path, capsys):
    makers.write(tmp_path / "one.csv", ROWS)
    makers.write(tmp_path / "two.csv", edited(5, Value="1"))
    assert run("check", tmp_path) == 1
    assert "against 1 in two.csv, row 7" in capsys.readouterr().out


# --- as a process -----------------------------------------------------------------------------------------


def test_importing_nofcore_imports_nothing_heavy():
    code = "import sys, nofcore, nofcore.cli; print(sorted({'pandas', 'numpy', 'pydantic', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "[]\n")


def test_a_bad_file_as_a_process(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "bad.csv").write_bytes(BAD_FILES["text"][0])
    done = nofcore("table", "--data", "data", "--out", "t.csv", cwd=tmp_path, text=True)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_names_that_the_terminal_cannot_show(tmp_path):
    name = os.fsencode(tmp_path) + b"/\xe9\xff.csv"
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "nofcore", "check", name, "ä.csv"]
    done = subprocess.run(command, capture_output=True, env=environment, timeout=60)
    assert (done.returncode, done.stderr) == (1, b"")
    assert rb"\xe4.csv: 1 problem" in done.stdout


def test_a_reader_that_goes_away_is_no_crash(tmp_path):
    path = makers.write(tmp_path / "bad.csv", [row | {"Value": "x" * 500} for row in ROWS])
    command = [sys.executable, "-m", "nofcore", "check", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 1


def test_help_and_version_need_no_figures(capsys):
    assert run("--version") == 0
    assert run("table", "--help") == 0
    assert "--quarter" in capsys.readouterr().out
    assert set(TYPES) == set(release.embedded().release(Q1).trust_types)
