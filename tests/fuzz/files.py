"""Whole and sound folders of files in the official format, which the mutations start from."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from tests import makers
from tests.makers import AMBULANCE, COMMUNITY, Q1, Q2, Q4

OFFICIAL = Path(__file__).parents[3] / "shared" / "data" / "official"
DATA, TABLE = "ambulance-trust-data", "ambulance-trust-league-table"


@dataclass
class File:
    """A CSV file, cell by cell, and how it is spelt in bytes."""

    header: list[str]
    rows: list[list[str]]
    newlines: list[str] = field(default_factory=lambda: ["\r\n"])
    bom: bool = True
    quote_all: bool = False
    delimiter: str = ","
    last_newline: bool = True

    @property
    def is_data(self) -> bool:
        return "Metric_ID" in map(str.strip, self.header)

    def place(self, column: str) -> int:
        return self.header.index(column)

    def copy(self) -> File:
        return replace(self, header=list(self.header), rows=[list(row) for row in self.rows])

    def render(self) -> bytes:
        """The bytes of the file; of several line ends each serves in turn."""
        lines = []
        quoting = csv.QUOTE_ALL if self.quote_all else csv.QUOTE_MINIMAL
        for number, cells in enumerate([self.header, *self.rows]):
            text = io.StringIO()
            end = self.newlines[number % len(self.newlines)]
            if len(self.rows) == number and not self.last_newline:
                end = ""
            csv.writer(text, delimiter=self.delimiter, quoting=quoting, lineterminator="\r\n").writerow(cells)
            lines.append(text.getvalue().removesuffix("\r\n") + end)
        return (b"\xef\xbb\xbf" if self.bom else b"") + "".join(lines).encode()


@dataclass(frozen=True)
class Base:
    """A folder of sound files and the quarter and trust type whose table is asked for."""

    name: str
    quarter: str
    trust_type: str
    make: Callable[[], dict[str, File]]

    @lru_cache  # noqa: B019 - there are four of them
    def files(self) -> dict[str, File]:
        return self.make()

    def copy(self) -> dict[str, File]:
        return {name: file.copy() for name, file in self.files().items()}


def parsed(content: bytes) -> File:
    """A sound file as cells."""
    header, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    return File(header, rows)


def first_release() -> dict[str, File]:
    """One data file without a Quarter column."""
    rows = makers.data_rows([Q1], [AMBULANCE])
    return {f"{DATA}.csv": parsed(makers.content(rows, quarter_column=False, percent="percent", decimal_ranks=True))}


def with_league_table() -> dict[str, File]:
    """The data of a quarter and its league table."""
    data, table = makers.data_rows([Q4], [AMBULANCE]), makers.league_rows([Q4], [AMBULANCE])
    names = f"{DATA}-q4-25-26.csv", f"{TABLE}-q4-25-26.csv"
    return dict(zip(names, (parsed(makers.content(rows)) for rows in (data, table)), strict=True))


def cumulative() -> dict[str, File]:
    """Two quarters in one data file, of the trust type in which few metrics are scored."""
    return {f"{DATA}-q2-25-26-v2.csv": parsed(makers.content(makers.data_rows([Q1, Q2], [AMBULANCE])))}


def league_table_alone() -> dict[str, File]:
    """A league table with likely ranges."""
    rows = makers.league_rows([Q4], [COMMUNITY])
    return {
        "mental-health-and-community-trust-league-table-q4-25-26.csv": parsed(makers.content(rows, decimal_ranks=True))
    }


def of_nhs_england(name: str) -> dict[str, File]:
    """One of NHS England's own files."""
    path = next(OFFICIAL.glob(f"*{name}*.csv"))
    return {path.name: parsed(path.read_bytes())}


MADE = (
    Base("first release", Q1, "ambulance", first_release),
    Base("data and league table", Q4, "ambulance", with_league_table),
    Base("two quarters, re-issued", Q2, "ambulance", cumulative),
    Base("league table alone", Q4, "mental-health-and-community", league_table_alone),
)
"""Folders made from the embedded tables."""

PUBLISHED = (
    Base("NHS England, acute", Q1, "acute", lambda: of_nhs_england("acute-trust-data")),
    Base("NHS England, ambulance", Q4, "ambulance", lambda: of_nhs_england("ambulance-trust-data")),
    Base("NHS England, league table", Q4, "mental-health-and-community", lambda: of_nhs_england("league-table")),
)
"""NHS England's own files, which are not part of the repository."""
