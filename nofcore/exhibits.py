"""What tables and charts hand on, beside what a reader sees, while a notebook is made into a page.

A page offers each table as CSV and each chart as SVG and PNG. Their contents travel in the outputs of the
notebook, under types that no browser shows, and are taken out of it when the page is made.
"""

from __future__ import annotations

import math
import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the process that converts a notebook need not wait for it
    import pandas as pd

FOLDER, NAME = "NOFCORE_PAGE_FOLDER", "NOFCORE_PAGE_NAME"
"""Environment variables of a notebook that is made into a page."""
TABLES = "application/vnd.nofcore.tables+json"
"""The type of an output that holds tables: a list of what `table` gives."""
PRINT_DPI = 300
"""Dots an inch of a chart for print."""
FIGURE = re.compile("[-\N{MINUS SIGN}]?(0|[1-9][0-9]{0,14})([.][0-9]{1,9})?")


def wanted() -> bool:
    """Whether this notebook is made into a page; run by hand it shows its outputs and no more."""
    return bool(os.environ.get(FOLDER) and os.environ.get(NAME))


def table(
    name: str, caption: str, frame: pd.DataFrame, decimals: dict[str, int], figures: tuple[str, ...] = ()
) -> dict:
    """A table in plain types: numbers unrounded, None where there is none.

    ``decimals``: places shown, by column; ``figures``: columns of text some of whose cells are numbers, see `figure`.
    """
    return {
        "name": name,
        "caption": caption,
        "columns": [str(column) for column in frame.columns],
        "decimals": decimals,
        "figures": list(figures),
        "rows": [list(row) for row in zip(*(_plain(frame[column]) for column in frame), strict=True)],
    }


def figure(cell: object) -> str | None:
    """A text that is a number and no more, with a plain minus sign; None for any other cell.

    >>> figure("\N{MINUS SIGN}0.50"), figure("0.1 to 0.2"), figure("007")
    ('-0.50', None, None)
    """
    return cell.replace("\N{MINUS SIGN}", "-") if isinstance(cell, str) and FIGURE.fullmatch(cell) else None


def _plain(column: pd.Series) -> list:
    """Cells as Python's own types; whole numbers that pandas holds as floats beside gaps are whole again."""
    known = column.dropna()
    whole = column.dtype.kind == "f" and all(map(float.is_integer, map(float, known)))
    cells = column.astype(object).where(column.notna(), None)
    return [cell if cell is None or isinstance(cell, str) else int(cell) if whole else _number(cell) for cell in cells]


def _number(cell: object) -> object:
    found = cell.item() if hasattr(cell, "item") else cell
    fit = isinstance(found, int) or (isinstance(found, float) and math.isfinite(found))
    return found if fit else str(found)
