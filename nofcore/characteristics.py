"""An analyst's own table by trust: deprivation, funding, beds, ratings, whatever is to be set beside the averages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from nofcore import csvfile, official
from nofcore.errors import InputError, Problem
from nofcore.release import Release

KEY = "trust_code"
QUARTER = "quarter"
LABELS = ("trust_name", "trust_type", "trust_subtype", "region")
"""Columns that may stand beside the figures and are not read; the kit has them."""


@dataclass(frozen=True)
class Characteristics:
    """``values``: figures by trust code, NaN where a cell is blank or marked as missing; ``unmatched``: codes of the
    table that are no trust of the quarter; ``notes``: what else was not taken; ``name``: of the file."""

    name: str
    values: pd.DataFrame
    unmatched: tuple[str, ...]
    notes: tuple[str, ...]


def read(path: Path | str, figures: Release) -> Characteristics:
    """Read a CSV file with a column ``trust_code`` and columns of numbers, a row a trust.

    Codes are read in capitals. Blank cells and the marks of NHS statistics (``*``, ``-``, ``n/a``, ``<5``) are
    missing figures. With a column ``quarter``, rows of other quarters are left out and counted. Raises InputError
    with every problem, each with its row and column: no column ``trust_code``, none of figures, two of one name, a
    cell that is no number, a blank code, a second row for a trust; and if no code is a trust of the quarter."""
    path = Path(path)
    header, lines, numbers = csvfile.read(path)
    _check_header(header, path.name)
    cells = pd.DataFrame([[" ".join(cell.split()) for cell in line] for line in lines], columns=header, dtype=str)
    cells.index = pd.Index(numbers, name="row")
    notes: list[str] = []
    cells = _of_quarter(cells, figures.quarter, path.name, notes)
    cells[KEY] = cells[KEY].str.upper()
    columns = [name for name in header if name not in (KEY, QUARTER, *LABELS)]
    if problems := [Problem(path.name, *problem) for problem in _problems(cells, columns)]:
        raise InputError(sorted(problems, key=lambda problem: problem.row))
    if cells.empty:
        raise InputError(Problem(path.name, None, None, f"holds no row of {figures.quarter}; add rows"))
    known = cells[KEY].isin(figures.trusts.index)
    if not known.any():
        message = (
            f"none of the {len(cells)} codes is a trust of {figures.quarter} (the first is {cells[KEY].iat[0]!r}); "
            "codes look like RJ1"
        )
        raise InputError(Problem(path.name, None, KEY, message))
    values = cells[known].set_index(KEY)[columns].map(official.number_in).astype(float)
    return Characteristics(path.name, values, tuple(cells.loc[~known, KEY]), tuple(notes))


def _check_header(header: list[str], name: str) -> None:
    figures = [column for column in header if column not in (KEY, QUARTER, *LABELS)]
    doubled = sorted({column for column in header if header.count(column) > 1})
    if len(header) == 1 and ";" in header[0]:
        raise InputError(Problem(name, 1, None, "is separated by semicolons; save it as CSV with commas"))
    if KEY not in header:
        found = ", ".join(header) or "none"
        raise InputError(
            Problem(name, 1, KEY, f"no such column; add it, with codes such as RJ1 (columns found: {found})")
        )
    if doubled:
        raise InputError(Problem(name, 1, doubled[0] or None, "stands twice in the header; remove or rename one"))
    if "" in header:
        raise InputError(Problem(name, 1, None, f"column {header.index('') + 1} has no name; name or remove it"))
    if not figures:
        raise InputError(Problem(name, 1, None, f"holds no column of figures beside {', '.join(header)}; add one"))


def _of_quarter(cells: pd.DataFrame, quarter: str, name: str, notes: list[str]) -> pd.DataFrame:
    """The rows of a quarter, where the table says which quarter a row is of."""
    if QUARTER not in cells:
        return cells
    labels = {text: official.quarter_label(text) for text in cells[QUARTER].unique()}
    wrong = cells[cells[QUARTER].map(labels).isna()]
    if len(wrong):
        raise InputError(
            Problem(name, row, QUARTER, f"{text!r} is not a quarter; write it like {official.FIRST_QUARTER!r}")
            for row, text in wrong[QUARTER].items()
        )
    mine = cells[QUARTER].map(labels) == quarter
    if not mine.all():
        notes.append(f"{name}: {int((~mine).sum())} rows of other quarters than {quarter} left out")
    return cells[mine].copy()


def _problems(cells: pd.DataFrame, columns: list[str]) -> Iterator[tuple[int, str, str]]:
    """(row, column, message) of all that is wrong."""
    first_row: dict[str, int] = {}
    for row, code in cells[KEY].items():
        if not code:
            yield row, KEY, "is empty; give the code of the trust, or remove the row"
        elif code in first_row:
            yield row, KEY, f"a second row for {code} (the first is row {first_row[code]}); remove one of the two"
        first_row.setdefault(code, row)
    for column in columns:
        for row, text in cells[column].items():
            if not official.is_mark(text) and official.number_in(text) is None:
                message = (
                    f"{text!r} is not a number; write ratings as numbers and no thousands separators or signs such as "
                    "%, or leave the cell empty"
                )
                yield row, column, message
