"""NHS England's files as they are: spellings, quarters, marks, and what is no such file at all."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nofcore import official, release
from nofcore.errors import InputError
from nofcore.official import quarter_label, read_file
from nofcore.wording import slug
from tests import makers
from tests.makers import AMBULANCE, COMMUNITY, Q1, Q2, Q3

ROWS = makers.data_rows(types=[AMBULANCE])
LEAGUE = makers.league_rows(types=[AMBULANCE])
NAME = "figures.csv"


def edited(rows, place, **cells):
    """The rows with some cells of one of them changed. Row ``place`` is line ``place + 2`` of a file."""
    return [row | cells if number == place else row for number, row in enumerate(rows)]


def read(tmp_path, content, name=NAME):
    path = tmp_path / name
    path.write_bytes(content)
    return read_file(path)


def problems(tmp_path, content, name=NAME):
    with pytest.raises(InputError) as caught:
        read(tmp_path, content, name)
    return caught.value.problems


def only_problem(tmp_path, content, name=NAME):
    found = problems(tmp_path, content, name)
    assert len(found) == 1
    return found[0]


# --- what is read ---------------------------------------------------------------------------------


def test_a_data_file_keeps_every_cell(tmp_path):
    file = read(tmp_path, makers.content(ROWS))
    assert file.kind == "data"
    assert len(file.rows) == len(ROWS)
    pairs = {"quarter": "Quarter", "trust_code": "Trust_code", "metric_id": "Metric_ID", "unit": "Units"}
    for tidy, column in pairs.items():
        assert list(file.rows[tidy]) == [row[column] for row in ROWS]
    assert list(file.rows["value"]) == [float(row["Value"]) for row in ROWS]
    assert [None if np.isnan(rank) else rank for rank in file.rows["rank"]] == [
        float(row["Rank"]) if row["Rank"] else None for row in ROWS
    ]
    assert list(file.rows["row"]) == list(range(2, len(ROWS) + 2))


def test_a_league_table_file_keeps_every_cell(tmp_path):
    rows = makers.league_rows(["Q4 2025/26"], [COMMUNITY])
    file = read(tmp_path, makers.content(rows, decimal_ranks=True))
    assert file.kind == "league table"
    for tidy, column in {"average_score": "Average_score", "segment": "Segment", "rank": "Rank"}.items():
        assert list(file.rows[tidy]) == [float(row[column]) for row in rows]
    assert list(file.rows["in_deficit"]) == [row["Trust_in_financial_deficit"] == "Yes" for row in rows]
    for name, column in {"score": "Likely_range_of_average_score", "rank": "Likely_range_of_rank"}.items():
        limits = [row[column].split(" to ") for row in rows]
        assert list(zip(file.rows[f"{name}_low"], file.rows[f"{name}_high"], strict=True)) == [
            (float(low), float(high)) for low, high in limits
        ]


@pytest.mark.parametrize(
    "options",
    [
        {"bom": False},
        {"newline": "\n"},
        {"newline": "\r"},
        {"percent": "percent"},
        {"percent": "Percent"},
        {"north_east": "North East"},
        {"decimal_ranks": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("rows", [ROWS, LEAGUE], ids=["data", "league table"])
def test_spelling_never_changes_what_is_read(tmp_path, rows, options):
    plain, spelt = read(tmp_path, makers.content(rows)), read(tmp_path, makers.content(rows, **options))
    assert makers.content(rows, **options) != makers.content(rows) or rows is LEAGUE
    assert spelt.rows.equals(plain.rows)


def test_blank_lines_before_between_and_after_rows_are_nothing(tmp_path):
    lines = makers.content(ROWS, bom=False, newline="\n").split(b"\n")
    content = b"\n" * 600 + b"\n\n".join(lines[:3]) + b"\n" + b"," * 16 + b"\n" + b"\n".join(lines[3:]) + b"\n\n"
    file = read(tmp_path, content)
    assert len(file.rows) == len(ROWS)
    assert list(file.rows["row"][:3]) == [603, 605, 607]  # lines of the file, as an editor counts them


def test_columns_in_another_order_and_columns_of_no_use_are_fine(tmp_path):
    header = [*reversed(makers.DATA_HEADER), "Note"]
    file = read(tmp_path, makers.content(ROWS, header))
    assert file.rows[["trust_code", "value"]].equals(read(tmp_path, makers.content(ROWS)).rows[["trust_code", "value"]])


@pytest.mark.parametrize("written", ["Non-acute hospital", "non-acute hospital trust", "MENTAL HEALTH AND COMMUNITY"])
def test_the_first_release_calls_mental_health_and_community_trusts_otherwise(tmp_path, written):
    rows = [row | {"Trust_type": written} for row in ROWS[:3]]
    assert set(read(tmp_path, makers.content(rows)).rows["trust_type"]) == {COMMUNITY}


def test_an_unknown_trust_type_is_kept_as_it_is(tmp_path):
    rows = [row | {"Trust_type": "Integrated care board (ICB)"} for row in ROWS[:3]]
    assert set(read(tmp_path, makers.content(rows)).rows["trust_type"]) == {"Integrated care board (ICB)"}


def test_a_version_is_read_from_the_end_of_a_name(tmp_path):
    names = {"a.csv": 1, "a-v2.csv": 2, "a-V13.csv": 13, "a-v2-q3.csv": 1}
    assert {name: read(tmp_path, makers.content(ROWS[:1]), name).version for name in names} == names


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Q3 2025/26", "Q3 2025/26"),
        ("q3-25-26", "Q3 2025/26"),
        ("Q3_25_26", "Q3 2025/26"),
        ("Q3 25/2026", "Q3 2025/26"),
        ("Q1 2099/00", "Q1 2099/00"),
        ("Q0 2025/26", None),
        ("Q5 2025/26", None),
        ("Q1 2025/27", None),
        ("Q1 2025/261", None),
        ("Q1 ٢٥/٢٦", None),
        ("2025/26", None),
        ("", None),
    ],
)
def test_quarter_labels(text, label):
    assert quarter_label(text) == label


@pytest.mark.parametrize(
    ("trust_type", "short"),
    [
        (makers.ACUTE, "acute"),
        (AMBULANCE, "ambulance"),
        (COMMUNITY, "mental-health-and-community"),
        ("Integrated care board (ICB)", "integrated-care-board-icb"),
        ("Trust", "trust"),
    ],
)
def test_slugs(trust_type, short):
    assert slug(trust_type) == short


# --- the quarter of a file without a Quarter column ------------------------------------------------


def undated(rows):
    return [row | {"Reporting_date": "Jun-25"} for row in rows]


@pytest.mark.parametrize(
    ("rows", "name", "quarter"),
    [
        (ROWS, NAME, Q1),
        (makers.data_rows([Q3], [AMBULANCE]), NAME, Q3),  # the reporting dates of the segments say so
        (undated(ROWS), "nhs-oversight-framework-ambulance-trust-data-q3-25-26-v2.csv", Q3),
        (undated(ROWS), "ambulance_Q3_2025_26.csv", Q3),
        (undated(ROWS), NAME, Q1),
        (makers.data_rows([Q3], [AMBULANCE]), "ambulance-q3-25-26.csv", Q3),
        (LEAGUE, "ambulance-league-table-q3-25-26.csv", Q3),
        (LEAGUE, NAME, Q1),
    ],
)
def test_a_file_without_quarter_column_has_a_quarter(tmp_path, rows, name, quarter):
    assert set(read(tmp_path, makers.content(rows, quarter_column=False), name).rows["quarter"]) == {quarter}


def test_a_league_table_without_quarter_column_may_have_a_reporting_date(tmp_path):
    header = [*makers.LEAGUE_HEADER[1:], "Reporting_date"]
    rows = [row | {"Reporting_date": Q2} for row in LEAGUE]
    assert set(read(tmp_path, makers.content(rows, header)).rows["quarter"]) == {Q2}
    problem = only_problem(tmp_path, makers.content(rows, header), "league-q3-25-26.csv")
    assert problem.column == "Quarter"


@pytest.mark.parametrize(
    ("rows", "name", "said"),
    [
        (ROWS, "ambulance-q3-25-26.csv", "Q1 2025/26, the name says Q3 2025/26"),
        (makers.data_rows([Q1, Q2], [AMBULANCE]), NAME, "Q1 2025/26, Q2 2025/26"),
        (undated(ROWS), "ambulance-q3-25-27.csv", "'q3-25-27'"),
        (undated(ROWS), "ambulance-q5-25-26.csv", "'q5-25-26'"),
    ],
)
def test_a_contradiction_about_the_quarter_is_an_error(tmp_path, rows, name, said):
    problem = only_problem(tmp_path, makers.content(rows, quarter_column=False), name)
    assert (problem.file, problem.column) == (name, "Quarter")
    assert said in problem.message
    assert "add the column" in problem.message


# --- numbers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["*", "-", "n/a", "N/A", "N/a", "<5", "", "  ", "\N{NO-BREAK SPACE}*"])
def test_a_mark_of_suppression_is_missing_and_counted(tmp_path, mark):
    file = read(tmp_path, makers.content(edited(edited(ROWS, 4, Value=mark), 9, Value=mark)))
    assert list(file.rows.index[file.rows["value"].isna()]) == [4, 9]
    assert file.suppressed == 2


def test_suppressed_figures_are_told(tmp_path):
    path = makers.write(tmp_path / NAME, edited(ROWS, 4, Value="*"))
    assert release.read_files([path], NAME).notes == (f"{NAME}: 1 figure is missing or suppressed",)


def test_marks_in_other_columns_are_missing_too(tmp_path):
    data = read(tmp_path, makers.content(edited(ROWS, 4, Rank="*")))
    assert np.isnan(data.rows["rank"][4])
    assert data.suppressed == 1
    marks = {"Average_score": "*", "Trust_in_financial_deficit": "n/a", "Likely_range_of_rank": "-"}
    league = read(tmp_path, makers.content(edited(LEAGUE, 4, **marks)))
    assert league.suppressed - read(tmp_path, makers.content(LEAGUE)).suppressed == len(marks)
    row = league.rows.loc[4]
    assert row[["average_score", "in_deficit", "rank_low", "rank_high"]].isna().all()


@pytest.mark.parametrize("text", ["12.5", "-3", "+3", ".5", "7.", "1e2", "0"])
def test_numbers_as_they_may_be_written(tmp_path, text):
    assert read(tmp_path, makers.content(edited(ROWS, 4, Value=text))).rows["value"][4] == float(text)


@pytest.mark.parametrize(
    "text",
    ["abc", "12 %", "1,234", "1 234", "1_000", "nan", "inf", "-inf", "1e999", "9" * 400, "٣", "<6", "0x1F", "−1"],
)
@pytest.mark.parametrize("column", ["Value", "Rank"])
def test_other_text_in_a_number_is_an_error(tmp_path, column, text):
    problem = only_problem(tmp_path, makers.content(edited(ROWS, 4, **{column: text})))
    assert (problem.file, problem.row, problem.column) == (NAME, 6, column)
    assert repr(text) in problem.message
    assert "correct it" in problem.message


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("Average_score", "low"),
        ("Segment", "two"),
        ("Rank", "1st"),
        ("Trust_in_financial_deficit", "2"),
        ("Trust_in_financial_deficit", "Maybe"),
        ("Likely_range_of_rank", "6"),
        ("Likely_range_of_rank", "6-49"),
        ("Likely_range_of_rank", "49 to 6"),
        ("Likely_range_of_rank", "6 to many"),
        ("Likely_range_of_average_score", "1.72 to"),
    ],
)
def test_text_in_a_league_table_is_an_error(tmp_path, column, text):
    problem = only_problem(tmp_path, makers.content(edited(LEAGUE, 4, **{column: text})))
    assert (problem.file, problem.row, problem.column) == (NAME, 6, column)
    assert repr(text) in problem.message


@pytest.mark.parametrize("text", ["", "Q5 2025/26", "Q1 2025/27", "2025"])
def test_a_cell_that_is_no_quarter_is_an_error(tmp_path, text):
    problem = only_problem(tmp_path, makers.content(edited(ROWS, 4, Quarter=text)))
    assert (problem.row, problem.column) == (6, "Quarter")


def test_all_problems_of_a_file_are_found_at_once_in_order(tmp_path):
    rows = edited(edited(edited(ROWS, 9, Rank="x"), 4, Value="x"), 4, Quarter="x")
    found = [(problem.row, problem.column) for problem in problems(tmp_path, makers.content(rows))]
    assert found == [(6, "Quarter"), (6, "Value"), (11, "Rank")]


# --- what is not such a file --------------------------------------------------------------------------


@pytest.mark.parametrize("column", list(official.DATA_COLUMNS))
def test_a_missing_column_of_a_data_file(tmp_path, column):
    header = [name for name in makers.DATA_HEADER if name != column]
    problem = only_problem(tmp_path, makers.content(ROWS, header))
    assert (problem.file, problem.row, problem.column) == (NAME, 1, column)
    assert "missing" in problem.message


@pytest.mark.parametrize("column", list(official.LEAGUE_COLUMNS))
def test_a_missing_column_of_a_league_table_file(tmp_path, column):
    header = [name for name in makers.LEAGUE_HEADER if name != column]
    problem = only_problem(tmp_path, makers.content(LEAGUE, header))
    assert (problem.row, problem.column) == (1, column)


def test_a_doubled_column(tmp_path):
    lines = makers.content(ROWS, newline="\n").decode("utf-8-sig").splitlines()
    content = "\n".join([f"{lines[0]},Value", *(f"{line},1" for line in lines[1:])])
    problem = only_problem(tmp_path, content.encode())
    assert (problem.row, problem.column) == (1, "Value")
    assert "twice" in problem.message


@pytest.mark.parametrize(
    ("change", "cells"), [(lambda line: line + b",x", 18), (lambda line: line[: line.rindex(b",")], 16)]
)
def test_a_row_of_another_length(tmp_path, change, cells):
    lines = makers.content(ROWS, newline="\n").splitlines()
    lines[5] = change(lines[5])
    problem = only_problem(tmp_path, b"\n".join(lines))
    assert (problem.file, problem.row) == (NAME, 6)
    assert f"{cells} cells" in problem.message


def test_a_stray_quote_is_told_where_it_opens(tmp_path):
    lines = makers.content(ROWS, newline="\n").splitlines()
    lines[5] = b'"' + lines[5]
    problem = only_problem(tmp_path, b"\n".join(lines))
    assert problem.row == 6
    assert "well-formed" in problem.message


def test_a_stray_quote_in_a_large_file_is_told_where_it_opens(tmp_path):
    lines = makers.content(ROWS * 20, newline="\n").splitlines()
    lines[5] = b'"' + lines[5].replace(b'"', b"")
    assert (
        only_problem(
            tmp_path, b"\n".join(line.replace(b'"', b"") if n > 5 else line for n, line in enumerate(lines))
        ).row
        == 6
    )


def test_rows_before_a_stray_quote_are_told_too(tmp_path):
    lines = makers.content(ROWS, newline="\n").splitlines()
    lines[3] += b",x"
    lines[5] = b'"' + lines[5]
    assert [problem.row for problem in problems(tmp_path, b"\n".join(lines))] == [4, 6]


@pytest.mark.parametrize("end", [b"", b" "])
def test_a_header_that_comes_again_in_other_words_is_still_a_header(tmp_path, end):
    lines = makers.content(ROWS, bom=False, newline="\n").splitlines()
    lines.insert(5, lines[0] + end)
    problem = only_problem(tmp_path, b"\n".join(lines))
    assert problem.row == 6
    assert "header once more" in problem.message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b" \r\n\t\n", "empty"),
        (makers.content(ROWS).replace(b"RX7", b"R\0X", 1), "NUL"),
        (makers.content(ROWS).decode("utf-8-sig").encode("utf-16"), "not UTF-8"),
        (makers.content(LEAGUE).decode("utf-8-sig").encode("utf-16-le"), "NUL"),
        (makers.content(ROWS).decode("utf-8-sig").encode("latin-1"), "not UTF-8"),
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "web page"),
        (b"\n  <html lang='en'></html>", "web page"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>", "web page"),
        (b"PK\x03\x04\x14\x00\x06\x00" + bytes(100), "workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "workbook"),
        (makers.content(ROWS).splitlines()[0], "no rows"),
        (b",,,\n,,\n", "nothing but blanks"),
        (b'""\n', "nothing but blanks"),
        ("\N{NO-BREAK SPACE},\x0b\n".encode(), "nothing but blanks"),
        (b"a,b,c\n1,2,3\n", "not the columns"),
        (makers.content(ROWS).replace(b",", b";"), "separated by semicolons"),
    ],
)
def test_what_is_no_csv_file_of_nhs_england_is_named_for_what_it_is(tmp_path, content, said):
    problem = only_problem(tmp_path, content)
    assert problem.file == NAME
    assert said in problem.message


def test_the_row_of_a_wrong_byte_is_told(tmp_path):
    lines = makers.content(ROWS, newline="\n").splitlines()
    lines[5] = lines[5].replace(b"Trust", b"Tr\xfcst", 1)
    assert only_problem(tmp_path, b"\n".join(lines)).row == 6


def test_a_file_that_cannot_be_read(tmp_path, monkeypatch):
    path = makers.write(tmp_path / NAME, ROWS)

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "read_bytes", refuse)
    with pytest.raises(InputError, match=rf"^{NAME}: cannot be read \(Permission denied\)$"):
        read_file(path)


def test_a_folder_that_cannot_be_read(tmp_path, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "iterdir", refuse)
    with pytest.raises(InputError, match=r"cannot be read \(Permission denied\)"):
        official.csv_files(tmp_path)


def test_the_csv_files_of_a_folder(tmp_path):
    for name in ("b.csv", "A.CSV", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.csv").mkdir()
    assert [path.name for path in official.csv_files(tmp_path)] == ["A.CSV", "b.csv"]


@pytest.mark.parametrize(
    ("name", "said"), [("empty", "no CSV file"), ("absent", "no such folder"), ("file", "not a folder")]
)
def test_a_folder_of_no_use(tmp_path, name, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=said):
        official.csv_files(tmp_path / name)


# --- anything at all ----------------------------------------------------------------------------------

SMALL = [
    makers.content(makers.data_rows(types=[AMBULANCE], codes=["RX7", "RYA"])[:24], newline="\n"),
    makers.content(makers.league_rows(["Q4 2025/26"], [COMMUNITY])[:6]),
]
PIECES = [
    b'"',
    b",",
    b"\n",
    b"\r",
    b"\xef\xbb\xbf",
    b"e9",
    b"*",
    b".",
    b"-",
    b"5",
    b"999",
    b"Q2",
    b" ",
    b"\xc2\xa0",
    b"A",
]
BYTES = st.sampled_from([b"", b"", b"", *PIECES, *PIECES, b"\0", b"\xff", b"<"])


@st.composite
def damaged(draw):
    """A small file of either kind with up to three pieces cut out, put in or replaced, or its end lost."""
    content = draw(st.sampled_from(SMALL))
    for _ in range(draw(st.sampled_from([1, 1, 2, 3]))):
        start = draw(st.integers(0, len(content)))
        length = draw(st.sampled_from([0, 0, 1, 1, 2, 4, len(content)]))
        content = content[:start] + draw(BYTES) + content[start + length :]
    return content


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged())
def test_a_damaged_file_is_read_or_refused_and_never_a_crash(tmp_path, content):
    path = tmp_path / NAME
    path.write_bytes(content)
    try:
        found = release.read_files([path], NAME)
    except InputError as error:
        assert error.problems
        assert all(problem.file == NAME for problem in error.problems)
        assert len(str(error).splitlines()) == 1
    else:
        assert isinstance(found, release.Archive)


def test_units_are_told_apart_without_regard_to_case(tmp_path):
    row = makers.data_rows([Q1], [makers.ACUTE], metrics=["OF0048"])[0] | {"Units": "Count"}
    makers.write(tmp_path / NAME, [row])
    assert official.read_file(tmp_path / NAME).rows["unit"].tolist() == ["count"]
