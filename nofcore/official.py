"""NHS England's published files: reading them as they are, quirks and all.

Two kinds of CSV file exist for each trust type, told apart by their columns: the *data file* (one
row per quarter, trust and metric) and the *league-table file* (one row per quarter and trust).
The first release has no Quarter column; later files are cumulative; files are re-issued ("-v2").
What is read here becomes plain tidy tables with the place (file, row) of each row, and is judged
in `nofcore.release`.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from nofcore import csvfile
from nofcore.csvfile import Column
from nofcore.errors import InputError, Problem
from nofcore.wording import slug

FIRST_QUARTER = "Q1 2025/26"
"""The release whose files carry neither a Quarter column nor a quarter in their names."""

SUPPRESSED = frozenset({"", "*", "-", "n/a", "<5"})
"""Marks, in lower case, that stand for a missing figure in NHS statistics. Any other text in a number is an error."""

DATA_COLUMNS = {
    "Region": "region",
    "Trust_type": "trust_type",
    "Trust_subtype": "trust_subtype",
    "Trust_code": "trust_code",
    "Trust_name": "trust_name",
    "Metric_ID": "metric_id",
    "Reporting_date": "period",
    "Units": "unit",
    "Value": "value",
    "Rank": "rank",
}
LEAGUE_COLUMNS = {
    "Region": "region",
    "Trust_type": "trust_type",
    "Trust_subtype": "trust_subtype",
    "Trust_code": "trust_code",
    "Trust_name": "trust_name",
    "Average_score": "average_score",
    "Likely_range_of_average_score": "score_range",
    "Segment": "segment",
    "Trust_in_financial_deficit": "in_deficit",
    "Rank": "rank",
    "Likely_range_of_rank": "rank_range",
}
_RANGES = {"score": "Likely_range_of_average_score", "rank": "Likely_range_of_rank"}
ATTRIBUTES = ["trust_name", "trust_type", "trust_subtype", "region"]
"""What each row says again of its trust."""
_TEXT = ["trust_code", "metric_id", "period", "unit"]
SHOWN = {
    "quarter": "Quarter",
    **{name: column for columns in (LEAGUE_COLUMNS, DATA_COLUMNS) for column, name in columns.items()},
    **{f"{name}_{end}": column for name, column in _RANGES.items() for end in ("low", "high")},
}
"""What a tidy column is called in the files."""

_ONE_SPELLING = {
    "region": {"north east": "North East and Yorkshire"},
    "trust_type": {
        "acute": "Acute trust",
        "ambulance": "Ambulance trust",
        "mental-health-and-community": "Mental health and community trust",
        "non-acute-hospital": "Mental health and community trust",
    },
    "unit": {"percent": "%", "per cent": "%"},
}
_QUARTER = re.compile(r"Q(\d)[ _-]*(?:20)?(\d\d)[/_-](?:20)?(\d\d)(?!\d)", re.IGNORECASE | re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", re.IGNORECASE | re.ASCII)
_RANGE = re.compile(r"(\S+) to (\S+)")
_FLAGS = {"yes": 1.0, "no": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0, **dict.fromkeys(SUPPRESSED, math.nan)}
_NONE = (math.nan, math.nan)
_VERSION = re.compile(r"-v(\d+)$", re.IGNORECASE)


@dataclass(frozen=True)
class OfficialFile:
    """One file as read: ``kind`` is "data" or "league table"; ``rows`` is tidy, with file and row; ``marks``: how often each
    mark of a missing figure stands in each column, by the column's name in the file; ``regions``: in how many rows each
    region is written in which way, by the region that it is read as.

    It tells all that is asked of a file later, which may be gone by then, or be a pipe that is read only once."""

    path: Path
    sha256: str
    kind: str
    rows: pd.DataFrame
    marks: Mapping[str, Mapping[str, int]]
    regions: Mapping[str, Mapping[str, int]]

    @property
    def suppressed(self) -> int:
        """How many figures are missing or suppressed."""
        return sum(sum(counts.values()) for counts in self.marks.values())

    @property
    def version(self) -> int:
        """2 for a name that ends in "-v2", 1 where it does not say."""
        found = _VERSION.search(self.path.stem)
        return int(found[1]) if found else 1


def quarter_label(text: str) -> str | None:
    """A quarter in its one spelling, "Q3 2025/26", from "q3-25-26" or "Q3 25/26"; None if it is none."""
    found = _QUARTER.fullmatch(text.strip())
    if not found or found[1] not in "1234" or (int(found[2]) + 1) % 100 != int(found[3]):
        return None
    return f"Q{found[1]} 20{found[2]}/{found[3]}"


def one_trust_type(text: str) -> str:
    """A trust type in its one spelling; any other text as it is."""
    return _ONE_SPELLING["trust_type"].get(slug(text), text)


def csv_files(folder: Path) -> list[Path]:
    """The CSV files of a folder, in the order of their names."""

    def fail(message: str):
        raise InputError(Problem(str(folder), None, None, message)) from None

    try:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv" and path.is_file())
    except FileNotFoundError:
        fail("no such folder; --data takes a folder of CSV files")
    except NotADirectoryError:
        fail("is not a folder; --data takes a folder of CSV files")
    except OSError as error:
        fail(f"cannot be read ({error.strerror})")
    if not files:
        fail("holds no CSV file; put NHS England's data files (.csv) into it")
    return files


def read_file(path: Path) -> OfficialFile:
    """Read one published file. Raises InputError with every problem of the file."""
    content = csvfile.content_of(path)
    header, rows = csvfile.header_and_rows(content, path)
    kind, wanted = _kind(header, path)
    table = _table(header, rows, wanted, path)
    quarters = _quarters(table)
    figures, marks = _READERS[kind](table)
    if table.problems:
        raise InputError(sorted(table.problems, key=lambda problem: (problem.row or 0, problem.column or "")))
    columns = table.columns
    texts = {
        name: pd.array(columns[name].texts, dtype="str").take(columns[name].places) for name in _TEXT if name in columns
    }
    # As categories, for a quick look at which rows say the same of a trust.
    attributes = {name: pd.Categorical(columns[name].texts).take(columns[name].places) for name in ATTRIBUTES}
    places = {"quarter": quarters, "file": path.name, "row": table.lines}
    frame = pd.DataFrame({**attributes, **texts, **figures, **places}, copy=False)
    return OfficialFile(path, hashlib.sha256(content).hexdigest(), kind, frame, marks, table.regions)


def quarters_of(path: Path) -> set[str]:
    """The quarters that a published file holds; its figures are not judged. Raises InputError if it is no such file."""
    header, rows = csvfile.header_and_rows(csvfile.content_of(path), path)
    quarters = _quarters(_table(header, rows, _kind(header, path)[1], path))
    return {quarters} if isinstance(quarters, str) else {*quarters} - {None}


def _kind(header: list[str], path: Path) -> tuple[str, Mapping[str, str]]:
    doubled = sorted({name for name in header if name and header.count(name) > 1})
    if doubled:
        raise InputError(Problem(path.name, 1, doubled[0], "stands twice in the header; remove one"))
    kinds = {"data": DATA_COLUMNS, "league table": LEAGUE_COLUMNS}
    missing = {kind: [name for name in columns if name not in header] for kind, columns in kinds.items()}
    kind = min(missing, key=lambda kind: len(missing[kind]) / len(kinds[kind]))
    absent = missing[kind]
    if len(absent) > len(kinds[kind]) / 2:
        message = "has not the columns of a data file or a league-table file of NHS England; remove it from the folder"
        for separator, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
            if len(header) == 1 and separator in header[0]:
                message = f"is separated by {name}; save it as CSV with commas"
        raise InputError(Problem(path.name, 1, None, message))
    if absent:
        raise InputError(
            Problem(path.name, 1, name, f"this column of a {kind} file is missing; restore it") for name in absent
        )
    return kind, kinds[kind]


@dataclass(frozen=True)
class _Table:
    """The wanted columns of a file, cleaned, by their tidy names; the line of each row; what is wrong; regions as written."""

    path: Path
    columns: dict[str, Column]
    lines: np.ndarray
    problems: list[Problem]
    regions: dict[str, dict[str, int]]

    def require(self, name: str, good: Callable[[str], object], message: str) -> None:
        """A problem for each cell of a column that is not good."""
        column = self.columns[name]
        bad = np.flatnonzero(~column.each(good, bool))
        for line, place in zip(self.lines[bad].tolist(), column.places[bad].tolist(), strict=True):
            text = f"{column.texts[place]!r} {message}"
            self.problems.append(Problem(self.path.name, line, SHOWN[name], text))


def _table(header: list[str], rows: Iterable[list[csvfile.Row]], columns: Mapping[str, str], path: Path) -> _Table:
    # A league-table file may give its quarter as a reporting date.
    wanted = {**columns, "Quarter": "quarter", "Reporting_date": "period"}
    names = {wanted[column]: header.index(column) for column in wanted if column in header}
    found, lines = csvfile.columns(rows, list(names.values()))
    if not len(lines):
        raise InputError(Problem(path.name, 1, None, "has a header but no rows; download it again"))
    cleaned = {
        name: Column(_clean(column.texts, name), column.places) for name, column in zip(names, found, strict=True)
    }
    written = found[list(names).index("region")]
    return _Table(path, cleaned, lines, [], _spellings(written, cleaned["region"].texts))


def _spellings(column: Column, read_as: list[str]) -> dict[str, dict[str, int]]:
    """In how many rows each text of a column stands, by what it is read as."""
    found: dict[str, dict[str, int]] = {}
    for text, read, count in zip(column.texts, read_as, column.counts(), strict=True):
        found.setdefault(read, {})[text] = count
    return found


def _clean(texts: list[str], name: str) -> list[str]:
    """Texts without outer and doubled blanks (no-break spaces among them), in their one spelling."""
    spellings, key = _ONE_SPELLING.get(name, {}), slug if name == "trust_type" else str.casefold
    plain = [" ".join(text.split()) for text in texts]
    clean = [spellings.get(key(text), text) for text in plain] if spellings else plain
    if name == "unit":  # rules look units up by name
        clean = [unit.lower() for unit in clean]
    return clean


def _quarters(table: _Table) -> np.ndarray | str:
    """The quarter of each row, or of all."""
    if "quarter" not in table.columns:
        return _quarter_of_file(table)
    table.require("quarter", quarter_label, f"is not a quarter; write it like {FIRST_QUARTER!r}")
    return table.columns["quarter"].each(quarter_label, object)


def _quarter_of_file(table: _Table) -> str:
    """The quarter of a file without a Quarter column: from its name, else the first release.

    The rows of NHS England's own results carry the quarter as their reporting date; where they do,
    it must be the same one.
    """

    def fail(message: str):
        raise InputError(Problem(table.path.name, None, "Quarter", f"is missing, and {message}; add the column"))

    found = _QUARTER.search(table.path.stem)
    named = quarter_label(found[0]) if found else None
    if found and not named:
        fail(f"{found[0]!r} in the name of the file is not a quarter")
    dated = _dated(table.columns)
    if len(dated) > 1 or (named and dated and dated != {named}):
        fail(f"the rows are of {', '.join(sorted(dated))}{f', the name says {named}' if named else ''}")
    return named or (dated.pop() if dated else FIRST_QUARTER)


def _dated(columns: Mapping[str, Column]) -> set[str]:
    """The quarters that stand as reporting dates beside NHS England's own results."""
    if "period" not in columns:
        return set()
    period = columns["period"]
    results = columns["unit"].each("segment".__eq__, bool) if "unit" in columns else slice(None)
    texts = (period.texts[place] for place in np.unique(period.places[results]))
    return {label for text in texts if (label := quarter_label(text))}


def is_mark(text: str) -> bool:
    """Whether a cell is blank or holds a mark of suppression."""
    return text.casefold() in SUPPRESSED


def number_in(text: str) -> float | None:
    """The finite number that a cell holds; None where it holds none."""
    number = float(text) if _NUMBER.fullmatch(text) else math.inf
    return number if math.isfinite(number) else None


def _numbers(table: _Table, name: str) -> np.ndarray:
    known = "'*', '-', 'n/a', '<5' or a blank"
    message = f"is not a number; correct it, or mark a missing figure with {known}"
    table.require(name, lambda text: is_mark(text) or number_in(text) is not None, message)
    return table.columns[name].each(number_in, float)


def _marks(table: _Table, names: Iterable[str], may_be_blank: Iterable[str]) -> dict[str, dict[str, int]]:
    """How often each mark of suppression stands in each of these columns; a blank is one where a column may not be blank."""
    found = {}
    for name in names:
        column = table.columns[name]
        marks: Counter[str] = Counter()
        # A text comes once for each way of blanks about it.
        for text, count in zip(column.texts, column.counts(), strict=True):
            if is_mark(text) and (text or name not in may_be_blank):
                marks[text] += count
        if marks := +marks:
            found[SHOWN.get(name, name)] = dict(marks)
    return found


def _read_data(table: _Table) -> tuple[dict[str, np.ndarray], dict[str, dict[str, int]]]:
    figures = {name: _numbers(table, name) for name in ("value", "rank")}
    return figures, _marks(table, figures, may_be_blank=("rank",))


def _read_league(table: _Table) -> tuple[dict[str, np.ndarray], dict[str, dict[str, int]]]:
    figures = {}
    for name in ("score", "rank"):
        column = table.columns[f"{name}_range"]
        message = "is not a range; write it like '6 to 49', the lower limit first"
        table.require(f"{name}_range", lambda text: is_mark(text) or _limits(text) is not None, message)
        for place, end in enumerate(("low", "high")):
            figures[f"{name}_{end}"] = column.each(lambda text, place=place: (_limits(text) or _NONE)[place], float)
    table.require("in_deficit", lambda text: text.casefold() in _FLAGS, "is neither 'Yes' nor 'No'; correct it")
    figures["in_deficit"] = table.columns["in_deficit"].each(lambda text: _FLAGS.get(text.casefold()), float)
    numbers = ("average_score", "segment", "rank")
    figures |= {name: _numbers(table, name) for name in numbers}
    ranges = ("score_range", "rank_range")  # the first releases gave none
    return figures, _marks(table, (*numbers, "in_deficit", *ranges), may_be_blank=ranges)


def _limits(text: str) -> tuple[float, float] | None:
    """The limits of a range such as "6 to 49"; None where it is none."""
    found = _RANGE.fullmatch(text)
    low, high = (number_in(found[1]), number_in(found[2])) if found else (None, None)
    return (low, high) if low is not None and high is not None and low <= high else None


_READERS = {"data": _read_data, "league table": _read_league}
