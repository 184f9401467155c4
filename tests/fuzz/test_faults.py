"""Faults that damaged files have brought to light, one by one."""

import codecs
import csv
import json
import tracemalloc

import pytest

from nofcore import official, release
from nofcore.errors import InputError
from tests import makers
from tests.fuzz import oracle
from tests.fuzz.files import MADE, PUBLISHED
from tests.makers import ACUTE, AMBULANCE, Q4

FIRST_RELEASE, WITH_TABLE, *_ = MADE
NAME = "figures.csv"


def refused(tmp_path, content):
    """The problems of a file that must be refused."""
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(InputError) as caught:
        release.read_files([tmp_path / NAME], NAME)
    return caught.value.problems


def changed(content, row, old, new):
    """A file with another text in one of its rows, counted as an editor counts them."""
    lines = content.split(b"\r\n")
    assert old in lines[row - 1]
    lines[row - 1] = lines[row - 1].replace(old, new)
    return b"\r\n".join(lines)


def sound(**options):
    return makers.content(makers.data_rows(types=[AMBULANCE]), quarter_column=False, **options)


def test_a_header_that_comes_again_is_named_once(tmp_path):
    lines = sound().split(b"\r\n")
    (problem,) = refused(tmp_path, b"\r\n".join([*lines[:9], lines[0].removeprefix(codecs.BOM_UTF8), *lines[9:]]))
    assert problem.row == 10
    assert "header once more" in problem.message


def test_two_files_put_behind_each_other_are_told_where_the_second_begins(tmp_path):
    first, second = (
        makers.content(makers.data_rows(types=[kind]), quarter_column=False) for kind in (AMBULANCE, ACUTE)
    )
    (problem,) = refused(tmp_path, first + second)
    assert problem.row == first.count(b"\r\n") + 1
    assert "header once more" in problem.message


@pytest.mark.parametrize(("separator", "name"), [(b";", "semicolons"), (b"\t", "tabs"), (b"|", "bars")])
def test_another_separator_is_named(tmp_path, separator, name):
    (problem,) = refused(tmp_path, sound().replace(b",", separator))
    assert name in problem.message
    assert "commas" in problem.message


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("wrong", [b"\0", b"\xa3"])
def test_the_line_of_a_wrong_byte_is_right_whichever_way_lines_end(tmp_path, newline, wrong):
    lines = sound(newline=newline).split(newline.encode())
    lines[6] = lines[6].replace(b"Trust", b"Tr" + wrong, 1)
    (problem,) = refused(tmp_path, newline.encode().join(lines))
    assert problem.row == 7


def test_of_a_stray_quote_is_told_what_to_do(tmp_path):
    (problem,) = refused(tmp_path, changed(sound(), 9, b"Ambulance trust", b'"Ambulance trust'))
    assert problem.row == 9
    assert "mend the quotes" in problem.message


@pytest.mark.parametrize("hidden", ["\u200b", " ", "\N{NO-BREAK SPACE}", "\u0391"])
def test_a_metric_identifier_with_a_hidden_sign_is_no_other_metric(tmp_path, hidden):
    """A score under such a name left the average in silence."""
    rows = makers.data_rows(types=[AMBULANCE])
    place = next(place for place, row in enumerate(rows) if row["Metric_ID"] == "OF1082")
    rows[place] = rows[place] | {"Metric_ID": f"OF1{hidden}082"}
    (problem,) = refused(tmp_path, makers.content(rows))
    assert (problem.row, problem.column) == (place + 2, "Metric_ID")
    assert "hidden signs" in problem.message


def test_check_of_a_wrong_rank_on_the_average_beside_a_league_table(tmp_path):
    """League-table files give no rank on the average; looking for its row there was a traceback."""
    rows = makers.data_rows([Q4], [AMBULANCE])
    place = next(place for place, row in enumerate(rows) if row["Metric_ID"] == "OF5002" and row["Rank"] == "3")
    rows[place] = rows[place] | {"Rank": "7"}
    makers.write(tmp_path / "ambulance-trust-data-q4-25-26.csv", rows)
    makers.write(tmp_path / "ambulance-trust-league-table-q4-25-26.csv", makers.league_rows([Q4], [AMBULANCE]))
    found = oracle.run("check", tmp_path, "--json")
    assert found.code == 1
    problems = [problem for one in json.loads(found.out) for problem in one["problems"]]
    assert (place + 2, "Rank") in [(problem["row"], problem["column"]) for problem in problems]


def test_marks_are_counted_with_whatever_blanks_stand_about_them(tmp_path):
    """Of the same mark spelt in two ways only one was told."""
    rows = makers.data_rows(types=[AMBULANCE])
    values = [place for place, row in enumerate(rows) if row["Metric_ID"] == "OF0017"]
    for place, mark in zip(values, ["", "\N{NO-BREAK SPACE}", "*", " * "], strict=False):
        rows[place] = rows[place] | {"Value": mark}
    makers.write(tmp_path / NAME, rows)
    found = official.read_file(tmp_path / NAME)
    assert found.marks == {"Value": {"": 2, "*": 2}}
    assert found.suppressed == 4


@pytest.mark.parametrize(
    "spared",
    [
        pytest.param((), id="every score suppressed"),
        pytest.param(("OF1079", "OF1081"), id="all but those not averaged"),
    ],
)
def test_scores_that_make_no_average_for_any_trust(tmp_path, spared):
    """No trust left with an average of its own was a traceback; the published figures are ranked again."""
    rows = [
        row | {"Value": "*"} if row["Metric_ID"].startswith("OF1") and row["Metric_ID"] not in spared else row
        for row in makers.data_rows(types=[AMBULANCE])
    ]
    folder, out = tmp_path / "files", tmp_path / "table.csv"
    folder.mkdir()
    makers.write(folder / NAME, rows)
    made = oracle.run("table", "--data", folder, "--out", out)
    assert (made.code, oracle.run("check", folder).code) == (0, 0)
    suppressed = sum(row["Value"] == "*" for row in rows)
    assert f"{suppressed} figures are missing or suppressed" in made.err
    published = {row["Trust_code"]: row["Rank"] for row in rows if row["Metric_ID"] == "OF5000"}
    assert {row["trust_code"]: row["rank"] for row in csv.DictReader(out.read_text("utf-8").splitlines())} == {
        code: f"{float(rank):.0f}" for code, rank in published.items()
    }


def test_a_large_file_is_read_in_little_memory(tmp_path):
    """At most 4 times the file at the peak: the whole text and lists of all its cells at once were 12."""
    header, *lines = sound(bom=False).split(b"\r\n")[:-1]
    copies = 60
    with (tmp_path / NAME).open("wb") as file:
        file.write(header + b"\r\n")
        for number in range(copies):
            file.writelines(line.replace(b",R", b",R%d" % number, 1) + b"\r\n" for line in lines)
    tracemalloc.start()
    try:
        rows = official.read_file(tmp_path / NAME).rows
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(rows) == copies * len(lines)
    assert peak < 4 * (tmp_path / NAME).stat().st_size


def test_every_base_is_what_its_name_says():
    assert "Quarter" not in FIRST_RELEASE.copy().popitem()[1].header
    assert {file.is_data for file in WITH_TABLE.copy().values()} == {True, False}
    assert len({base.name for base in (*MADE, *PUBLISHED)}) == len(MADE) + len(PUBLISHED)
    assert FIRST_RELEASE.quarter == official.FIRST_QUARTER
