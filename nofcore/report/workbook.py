"""All tables of a page in one workbook, whose first sheet says what they are and where they come from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter

from nofcore import exhibits

from .page import Page

UNFIT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")  # what a workbook cannot hold
SHEET_NAME = 31  # characters that a spreadsheet allows
NARROWEST, WIDEST = 8, 60  # characters
FIRST = "Notes"
SOURCE = (
    "NHS England, NHS Oversight Framework segmentation and league tables: "
    "https://www.england.nhs.uk/nhs-oversight-framework/segmentation-and-league-tables/"
)
LICENCE = (
    "Contains NHS England data, licensed under the Open Government Licence v3.0: "
    "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/ "
    "This is independent analysis; NHS England has neither made nor endorsed it."
)


def write_workbook(
    tables: Sequence[Mapping], page: Page, headline: Mapping | None, provenance: Mapping, path: Path
) -> None:
    """Write tables (`nofcore.exhibits.table`) to an Excel workbook, a sheet each, after one with notes and provenance.

    Numbers keep all their digits and are shown with those of the page. Text is text, never a formula.
    """
    book = Workbook(write_only=True)
    book.properties.created = book.properties.modified = datetime.fromisoformat(provenance["time"]).replace(tzinfo=None)
    book.properties.title, book.properties.creator = _plain(page.title), "NOF kit"
    names = sheet_names(table["name"] for table in tables)
    _add_notes(book.create_sheet(FIRST), _notes(tables, names, page, headline, provenance))
    for name, table in zip(names, tables, strict=True):
        _add_table(book.create_sheet(name), table)
    book.save(path)


def sheet_names(names: Iterable[str]) -> list[str]:
    """Names that a spreadsheet takes: at most 31 characters, no two alike in any case, none that of the first sheet."""
    found, taken = [], {FIRST.lower()}
    for name in names:
        plain = re.sub(r"[\[\]:*?/\\']", " ", name).strip()[:SHEET_NAME] or "table"
        free, number = plain, 1
        while free.lower() in taken:
            number += 1
            free = f"{plain[: SHEET_NAME - len(f' {number}')]} {number}"
        taken.add(free.lower())
        found.append(free)
    return found


def _notes(tables, names, page: Page, headline, provenance) -> list[tuple[str, ...]]:
    """The rows of the first sheet: a line alone, or a label with its text."""
    framework, git = provenance["framework"], provenance["git"]
    facts = headline["facts"].items() if headline else ()
    return [
        (page.title,),
        (page.group,),
        *([(headline["text"],)] if headline else []),
        (),
        ("Sheets",),
        *((name, table["caption"]) for name, table in zip(names, tables, strict=True)),
        (),
        ("Where these figures come from",),
        *((label[:1].upper() + label[1:], str(value)) for label, value in facts if label != "downloads"),
        ("Notebook", page.notebook.name),
        *((f"Parameter {name}", "none" if value is None else str(value)) for name, value in page.shown_parameters),
        *(("Data", f"{given['name']}, SHA-256 {given['sha256']}") for given in provenance["inputs"]),
        ("Framework", f"{framework['name']}, SHA-256 {framework['sha256']}" if framework else "not recorded"),
        ("Published table", provenance.get("reproduced") or "not compared"),
        ("Time of the run", provenance["time"]),
        ("Git commit", f"{git['commit']}{', with changes' if git['changed'] else ''}" if git else "not recorded"),
        ("Software", f"Python {provenance['python']}, {', '.join(map(' '.join, provenance['packages'].items()))}"),
        ("Source", SOURCE),
        ("Licence", LICENCE),
    ]


def _add_notes(sheet, rows: list[tuple[str, ...]]) -> None:
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 34, 110
    for row in rows:
        cells = [_cell(sheet, part) for part in row]
        for cell in cells[1:]:
            cell.alignment = Alignment(wrap_text=True, vertical="top")
        if len(cells) == 1:
            cells[0].font = Font(bold=True)
        sheet.append(cells)


def _add_table(sheet, table: Mapping) -> None:
    for number, width in enumerate(_widths(table), start=1):
        sheet.column_dimensions[get_column_letter(number)].width = width
    sheet.freeze_panes = "B4"
    sheet.append([_cell(sheet, table["caption"])])
    sheet.append([])
    sheet.append([_cell(sheet, column, bold=True) for column in table["columns"]])
    places = [table["decimals"].get(column, 0) for column in table["columns"]]
    figures = [column in table["figures"] for column in table["columns"]]
    for row in table["rows"]:
        cells = zip(row, places, figures, strict=True)
        sheet.append([(_figure if held else _cell)(sheet, value, count) for value, count, held in cells])


def _figure(sheet, value: object, places: int) -> WriteOnlyCell | None:
    """A cell of a column of texts: those that are numbers and no more are numbers here, too."""
    number = exhibits.figure(value)
    if number is None:
        return _cell(sheet, value, places)
    return _cell(sheet, float(number) if "." in number else int(number), len(number.partition(".")[2]))


def _cell(sheet, value: object, places: int = 0, bold: bool = False) -> WriteOnlyCell | None:
    if value is None:
        return None
    cell = WriteOnlyCell(sheet, _plain(value) if isinstance(value, str) else value)
    if isinstance(value, str):
        cell.data_type = "s"  # else a text that begins with = is taken for a formula
    else:
        cell.number_format = f"0.{'0' * places}" if places else "0"
    if bold:
        cell.font = Font(bold=True)
    return cell


def _plain(text: str) -> str:
    return UNFIT.sub(" ", text)


def _widths(table: Mapping) -> list[int]:
    """Of each column, to fit its heading and its texts."""
    return [
        min(max([NARROWEST, len(name), *(len(row[at]) for row in table["rows"] if isinstance(row[at], str))]), WIDEST)
        for at, name in enumerate(table["columns"])
    ]
