"""Files beside a page: what the notebook showed, in forms that other programs read."""

import base64
import csv
import json
import re

import nbformat
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from openpyxl import load_workbook

from nofcore import exhibits
from nofcore.charts.base import Chart, make_axes, spots
from nofcore.report import Page
from nofcore.report.convert import chart_name
from nofcore.report.files import write_files
from nofcore.report.provenance import collect
from nofcore.report.publish import publish
from nofcore.report.svg import address, lean
from nofcore.report.workbook import sheet_names

PNG = base64.b64encode(b"a picture").decode()
SVG = '<svg xmlns="http://www.w3.org/2000/svg"><path d="M 1.23456 2 L 3 4.56789"/></svg>'
FRAME = pd.DataFrame(
    {
        "Trust": ["=1+1", "Ärzte, \"B\" & 'C'", None],
        "Average": [2.345678901234567, 1.0, None],
        "Rank": [1.0, 2.0, None],
        "Capped": [True, False, True],
    }
)


@pytest.fixture
def book():
    table = exhibits.table("league-table", "Averages\x07 in points", FRAME, {"Average": 2, "Rank": 0})
    show = [
        new_output("display_data", {exhibits.TABLES: [table, table], "text/html": "<table></table>"}),
        new_output("display_data", {"image/svg+xml": SVG, "image/png": PNG}, metadata={"image/svg+xml": {"alt": "A"}}),
        new_output("display_data", {"image/svg+xml": SVG}, metadata={"image/svg+xml": {"alt": "B"}}),
    ]
    return new_notebook(
        cells=[
            new_markdown_cell("Words\n\n## Ranks & ranges"),
            new_code_cell("show()", outputs=show),
            new_code_cell("x"),
        ]
    )


@pytest.fixture
def made(book, tmp_path):
    page = Page("the-page", tmp_path / "book.ipynb", "A = title", "Q1 2025/26", {"trust": None, "draws": 7})
    provenance = collect([__file__], reproduced="5 of 5 ranks")
    headline = {"text": "Words first.", "facts": {"Trusts": 3, "downloads": ["the-page-league-table-2.csv"]}}
    return write_files(book, page, headline, provenance, tmp_path), tmp_path


def test_tables_and_charts_are_named_after_themselves_and_their_section_and_never_share_a_name(made):
    files, folder = made
    assert files.names == (
        "the-page.xlsx",
        "the-page-league-table.csv",
        "the-page-league-table-3.csv",  # the notebook has written a file with the number 2 itself
        "the-page-ranks-ranges.svg",
        "the-page-ranks-ranges.png",
        "the-page-ranks-ranges-2.svg",
        "the-page-league-table-2.csv",
    )
    assert all((folder / name).is_file() for name in files.names[:-1])
    assert (folder / "the-page-ranks-ranges.png").read_bytes() == b"a picture"
    assert (folder / "the-page-ranks-ranges.svg").read_text() == SVG


def test_a_csv_holds_all_digits_whole_numbers_and_no_formula(made):
    with (made[1] / "the-page-league-table.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["Trust", "Average", "Rank", "Capped"],
        ["'=1+1", "2.345678901234567", "1", "True"],
        ["Ärzte, \"B\" & 'C'", "1.0", "2", "False"],
        ["", "", "", "True"],
    ]


def test_the_workbook_opens_with_notes_and_shows_the_digits_of_the_page(made):
    found = load_workbook(made[1] / "the-page.xlsx")
    assert found.sheetnames == ["Notes", "league-table", "league-table 2"]
    notes = {row[0].value: row[1].value if len(row) > 1 else None for row in found["Notes"].iter_rows()}
    assert {"A = title", "Q1 2025/26", "Words first.", "Where these figures come from"} <= notes.keys()
    assert notes["Published table"] == "5 of 5 ranks"
    assert notes["Parameter draws"] == "7"
    assert notes["Trusts"] == "3"
    assert notes["Data"].startswith("test_files.py, SHA-256 ")
    assert "Open Government Licence v3.0" in notes["Licence"]
    sheet = found["league-table"]
    assert sheet["A1"].value == "Averages  in points"
    assert [cell.value for cell in sheet[3]] == list(FRAME)
    assert (sheet["A4"].value, sheet["A4"].data_type) == ("=1+1", "s")
    assert (sheet["B4"].value, sheet["B4"].number_format) == (2.345678901234567, "0.00")
    assert (sheet["C4"].value, sheet["C4"].number_format) == (1, "0")
    assert sheet["B6"].value is None


def test_what_only_the_files_need_is_no_longer_in_the_notebook(book, made):
    text = nbformat.writes(book)
    assert exhibits.TABLES not in text
    assert PNG not in text
    assert "image/svg+xml" in text


def test_a_notebook_run_by_hand_carries_no_files(monkeypatch):
    from nofcore.tables import Table

    monkeypatch.delenv(exhibits.FOLDER, raising=False)
    table = Table("t", FRAME, "c", "Trust")
    assert table._repr_mimebundle_() == {}
    monkeypatch.setenv(exhibits.FOLDER, "x")
    monkeypatch.setenv(exhibits.NAME, "y")
    assert [one["name"] for one in table._repr_mimebundle_()[exhibits.TABLES]] == ["t"]


def test_a_table_keeps_its_cells_when_its_html_is_slimmed():
    from nofcore.tables import Table

    frame = pd.DataFrame({"Trust": ['<b> headers="x" class="y"', "B"], "Rank": [1, 2], "Text": ["a  b", "> <"]})
    text = Table("t", frame, "A caption", "Trust", sortable=True)._repr_html_()
    assert "&lt;b&gt; headers=" in text
    assert text.count("<td") == 4
    assert text.count('scope="row"') == 2
    assert text.count('scope="col"') == 3
    assert text.count("gt_right") == 3
    assert "<caption><span>A caption</span></caption>" in text


@given(st.lists(st.text(min_size=1, max_size=60), max_size=8))
def test_sheet_names_are_what_a_spreadsheet_takes(names):
    found = sheet_names(names)
    assert len(found) == len(names)
    assert len({name.lower() for name in found} | {"notes"}) == len(names) + 1
    assert all(1 <= len(name) <= 31 and not set(name) & set("[]:*?/\\") for name in found)


@given(st.data())
def test_a_table_travels_whole(data):
    cells = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**53), 2**53))
    column = data.draw(st.lists(cells, min_size=1, max_size=6))
    frame = pd.DataFrame({"x": pd.Series(column, dtype="float64"), "t": ["a"] * len(column)})
    content = json.loads(json.dumps(exhibits.table("n", "c", frame, {})))
    assert [row[0] for row in content["rows"]] == [None if cell is None else float(cell) for cell in column]


def test_a_lean_drawing_keeps_scales_texts_and_colours():
    drawing = (
        '<?xml version="1.0"?><!DOCTYPE svg><svg><!-- 1.23456 --><g transform="translate(1.98765 2) scale(0.015625)">'
        '<path d="M 1.23456 2&#10;L 3 4.5" style="stroke-width: 0.8125"/><text>0.98765 %  #</text></g>\n</svg>'
    )
    found = lean(drawing)
    assert "scale(0.015625)" in found
    assert "translate(1.98 2)" in found
    assert "stroke-width: 0.8125" in found
    assert "<text>0.98765 %  #</text>" in found
    assert "<!--" not in found
    sent = address(drawing)
    assert sent.startswith("data:image/svg+xml,%3Csvg")
    assert not set(sent) & set('<>"#\n')
    assert "0.98765 %25  %23" in sent


def test_the_mark_of_a_trust_stands_where_its_point_is_drawn():
    """Read back from the drawing: places are fractions of its width and height from the upper left corner."""
    x, y = [1.0, 5.0, 9.0, float("nan")], [10.0, 1000.0, 100.0, 10.0]
    figure, axes = make_axes(6, 3)
    axes.plot(x, y, "o", color="#123456")
    axes.set_yscale("log")
    axes.set(xlabel="An axis", title="A title")
    bundle, metadata = Chart(figure, "Dots.", spots("ABCD", x, y))._repr_mimebundle_()
    drawing = bundle["image/svg+xml"]
    width, height = map(float, re.search(r'viewBox="0 0 (\S+) (\S+)"', drawing).groups())
    drawn = [
        tuple(map(float, found)) for found in re.findall(r'<use [^>]*x="(\S+)" y="(\S+)" style="fill: #123456', drawing)
    ]
    places = metadata["image/svg+xml"]["places"]
    assert list(places) == ["A", "B", "C"]
    assert [(a * width, b * height) for a, b in places.values()] == [pytest.approx(spot, abs=0.05) for spot in drawn]


def test_a_chart_is_named_by_whole_words_and_no_broken_character():
    alt = "Rank of Guy's & St Thomas' <b> " * 9
    name = chart_name(alt)
    assert len(name) <= 80
    assert alt.startswith(name.removeprefix("Chart: ").removesuffix(" …"))


def test_files_of_an_earlier_page_that_are_no_more_go_and_others_stay(tmp_path):
    publish({"p/p-a.csv": b"1", "p/p-b.csv": b"2", "p.html": b"<html>"}, tmp_path)
    (tmp_path / "p" / "mine.txt").write_text("of the reader")
    publish({"p/p-b.csv": b"3", "p.html": b"<html>"}, tmp_path)
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == ["mine.txt", "p-b.csv"]
    assert (tmp_path / "p" / "p-b.csv").read_bytes() == b"3"


def test_files_go_too_where_the_page_offers_none_any_more_and_a_folder_of_the_reader_stays(tmp_path):
    publish({"p/p-a.csv": b"1", "p.html": b"<html>"}, tmp_path)
    (tmp_path / "p" / "p-mine").mkdir()
    publish({"p.html": b"<html>"}, tmp_path)
    assert [path.name for path in (tmp_path / "p").iterdir()] == ["p-mine"]


def test_figures_set_as_text_are_numbers_in_the_files_and_no_other_text_is(tmp_path):
    shown = ["\u22120.50", "12", "2.80", "0.1 to 0.2", "-1 point", "007", "\u2013", None, "=1"]
    frame = pd.DataFrame({"Code": ["1"] * len(shown), "Value": shown})
    content = exhibits.table("t", "c", frame, {}, ("Value",))
    book = new_notebook(cells=[new_code_cell("x", outputs=[new_output("display_data", {exhibits.TABLES: [content]})])])
    page = Page("p", tmp_path / "b.ipynb", "P", "Q1 2025/26")
    write_files(book, page, None, collect([]), tmp_path)
    sheet = load_workbook(tmp_path / "p.xlsx")["t"]
    found = [sheet.cell(row, 2).value for row in range(4, 4 + len(shown))]
    assert found == [-0.5, 12, 2.8, "0.1 to 0.2", "-1 point", "007", "\u2013", None, "=1"]
    assert [sheet.cell(row, 2).number_format for row in (4, 5, 6)] == ["0.00", "0", "0.00"]
    assert sheet["A4"].value == "1"
    with (tmp_path / "p-t.csv").open(encoding="utf-8", newline="") as file:
        cells = [row[1] for row in csv.reader(file)][1:]
    assert cells == ["-0.50", "12", "2.80", "0.1 to 0.2", "'-1 point", "007", "\u2013", "", "'=1"]


@pytest.mark.parametrize("name", ["../x.csv", "/x.csv", "a/b/c.csv", "a/../b.csv", ".made/x", "..", "", "a/.b", "a\\b"])
def test_no_name_of_a_file_leads_out_of_the_folder(tmp_path, name):
    with pytest.raises(ValueError, match="is not the name of a file"):
        publish({name: b"x"}, tmp_path)
    assert not list(tmp_path.rglob("*.csv"))
