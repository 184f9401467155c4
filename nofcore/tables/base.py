"""What all tables share: captions, units and row headers; the long ones can be sorted and searched.

Cells are text, never HTML: a trust's name is shown as it is, whatever it holds.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd
from great_tables import GT


@dataclass(frozen=True)
class Table:
    """A table that a notebook shows as HTML.

    ``frame``: cells under the headings readers see; ``header``: the column that names each row;
    ``decimals``: places of number columns (0 where not given); ``right``: text columns that hold
    figures; ``sortable``: the reader can sort and search it in the page. A table without rows shows
    nothing: the text before it says so.
    """

    name: str
    frame: pd.DataFrame
    caption: str
    header: str
    decimals: Mapping[str, int] = field(default_factory=dict)
    sortable: bool = False
    right: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        if self.frame.empty:
            return ""
        numbers = list(self.frame.select_dtypes("number").columns)
        table = GT(self.frame, id=self.name, rowname_col=self.header).tab_stubhead(label=self.header)
        for column in numbers:
            table = table.fmt_number(column, decimals=self.decimals.get(column, 0))
        if self.right:
            table = table.cols_align("right", list(self.right))
        text = table.sub_missing(missing_text="–").as_raw_html()
        # The page has one style sheet for all tables; a real caption serves readers of every kind.
        text = re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
        sortable = " data-sortable" if self.sortable else ""
        caption = f"<caption><span>{html.escape(self.caption)}</span></caption>"
        return re.sub(
            r"<table([^>]*)>", lambda found: f"<table{found[1]}{sortable}>{caption}", text, count=1
        )  # fmt: skip


@dataclass(frozen=True)
class Tables:
    """Several tables, shown one below the other."""

    tables: tuple[Table, ...]

    def _repr_html_(self) -> str:
        return "".join(table._repr_html_() for table in self.tables)
