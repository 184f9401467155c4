"""What all tables share: captions, units and row headers; the long ones can be sorted and searched.

Cells are text, never HTML: a trust's name is shown as it is, whatever it holds.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pandas as pd
from great_tables import GT

from nofcore import exhibits

# What great_tables says of every cell that the row's and the column's headings say already; half a page otherwise.
SAID_TWICE = re.compile(r' (?:headers|id|rowspan="1" colspan|data-quarto-[a-z-]+)="[^"]*"')
SENTENCE, NAME = 45, 80
"""A column of texts of more characters than this, or that of the rows' names, gets a breadth of its own."""
CLASSES = re.compile(r' class="([^"]*)"')


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

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        return bundle((self,))

    def _repr_html_(self) -> str:
        if self.frame.empty:
            return ""
        table = GT(self.frame, id=self.name, rowname_col=self.header).tab_stubhead(label=self.header)
        for column, places in self.shown_decimals.items():
            table = table.fmt_number(column, decimals=places)
        if self.right:
            table = table.cols_align("right", list(self.right))
        text = table.sub_missing(missing_text="–").as_raw_html()
        # The page has one style sheet for all tables; a real caption serves readers of every kind.
        text = re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
        start, end = text.index("<table"), text.index("</table>")
        sortable = " data-sortable" if self.sortable else ""
        caption = f"<caption><span>{html.escape(self.caption)}</span></caption>"
        slim = re.sub(r"<table[^>]*>", lambda _: f'<table class="gt_table"{sortable}>{caption}', _slim(text[start:end]))
        return f"{text[:start]}{self._with_room(slim)}{text[end:]}"

    def _with_room(self, text: str) -> str:
        """The table with room for columns of sentences, which a browser would squeeze to a word a line."""
        columns = iter([self.header, *(column for column in self.frame if column != self.header)])
        longest = {
            column: self.frame[column].map(lambda cell: len(cell) if isinstance(cell, str) else 0).max()
            for column in self.frame
        }
        texts = {name for name, most in longest.items() if most > (NAME if name == self.header else SENTENCE)}

        def heading(found: re.Match) -> str:
            return '<th class="wide" scope="col">' if next(columns, None) in texts else found[0]

        return re.sub(r'<th (?:class="[^"]*" )?scope="col">', heading, text)

    @property
    def shown_decimals(self) -> dict[str, int]:
        """Places of every number column."""
        return {column: self.decimals.get(column, 0) for column in self.frame.select_dtypes("number").columns}


@dataclass(frozen=True)
class Tables:
    """Several tables, shown one below the other."""

    tables: tuple[Table, ...]

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        return bundle(self.tables)

    def _repr_html_(self) -> str:
        return "".join(table._repr_html_() for table in self.tables)


def bundle(tables: Iterable[Table]) -> dict:
    """The contents of tables for the files beside a page; their HTML is another matter."""
    shown = [table for table in tables if not table.frame.empty]
    if not shown or not exhibits.wanted():
        return {}
    return {exhibits.TABLES: [exhibits.table(t.name, t.caption, t.frame, t.shown_decimals, t.right) for t in shown]}


def _slim(table: str) -> str:
    """The HTML of a table without what a browser does not need: of the classes the page styles one."""
    table = CLASSES.sub(lambda found: ' class="gt_right"' if "gt_right" in found[1].split() else "", table)
    return re.sub(r">\s+<", "><", SAID_TWICE.sub("", table))
