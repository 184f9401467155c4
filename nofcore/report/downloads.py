"""Tables that a notebook offers its readers as files beside the page."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from nofcore import output
from nofcore.exhibits import FOLDER, NAME, wanted


@dataclass(frozen=True)
class Downloads:
    """Files beside a page, shown as links. ``files``: what each holds, by file name; ``folder``: where the page has them."""

    files: Mapping[str, str]
    folder: str = ""

    @property
    def facts(self) -> dict[str, dict[str, str]]:
        """For the facts of a `nofcore.report.Headline`, which has the files moved with the page."""
        return {"downloads": dict(self.files)} if self.files else {}

    def _repr_html_(self) -> str:
        if not self.files:
            return "<p>No file was written: files are written where the notebook is made into a page.</p>"
        items = (
            f'<li><a href="{html.escape(f"{self.folder}/{name}")}" download>{html.escape(text)}</a></li>'
            for name, text in self.files.items()
        )
        return f"<ul>{''.join(items)}</ul>"


def save_tables(tables: Mapping[str, tuple[str, pd.DataFrame]]) -> Downloads:
    """Write tables as CSV files beside the page; nothing where the notebook is run by hand.

    ``tables``: what a table holds, in words for the reader, and the table, by the ending of the file's name.
    """
    if not wanted():
        return Downloads({})
    folder, page = os.environ[FOLDER], os.environ[NAME]
    files = {}
    for ending, (text, table) in tables.items():
        name = f"{page}-{ending}.csv"
        output.write_csv(table, Path(folder) / name)
        files[name] = f"{text} ({len(table):,} rows, CSV)"
    return Downloads(files, page)
