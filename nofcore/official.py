"""NHS England's published files: reading them as they are, quirks and all.

Two kinds of CSV file exist for each trust type, told apart by their columns: the *data file* (one
row per quarter, trust and metric) and the *league-table file* (one row per quarter and trust).
The first release has no Quarter column; later files are cumulative; files are re-issued ("-v2").
What is read here becomes plain tidy tables with the place (file, row) of each row, and is judged
in `nofcore.release`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from nofcore.errors import InputError, Problem

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
SHOWN = {
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
_VERSION = re.compile(r"-v(\d+)$", re.IGNORECASE)


@dataclass(frozen=True)
class OfficialFile:
    """One file as read: ``kind`` is "data" or "league table"; ``rows`` is tidy, with file and row."""

    path: Path
    sha256: str
    kind: str
    rows: pd.DataFrame
    suppressed: int

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


def slug(trust_type: str) -> str:
    """The short name of a trust type on the command line: lower case, hyphens, without "trust"."""
    words = "".join(c if c.isalnum() else " " for c in trust_type.lower()).split()
    return "-".join(word for word in words if word not in {"trust", "trusts"}) or "trust"


def csv_files(folder: Path) -> list[Path]:
    """The CSV files of a folder, in the order of their names."""
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "no such folder"
        raise InputError(Problem(str(folder), None, None, f"{what}; --data takes a folder of CSV files"))
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv" and path.is_file())
    except OSError as error:
        raise InputError(Problem(str(folder), None, None, f"cannot be read ({error.strerror})")) from None
    if not files:
        raise InputError(
            Problem(str(folder), None, None, "holds no CSV file; put NHS England's data files (.csv) into it")
        )
    return files


def read_file(path: Path) -> OfficialFile:
    """Read one published file. Raises InputError with every problem of the file."""
    content = _bytes(path)
    text = _text(content, path)
    header, lines, numbers = _lines(text, path)
    kind, columns = _kind(header, path)
    frame = _frame(header, lines, numbers, columns, path)
    problems: list[Problem] = []
    frame["quarter"] = _quarters(frame, header, path, problems)
    suppressed = _READERS[kind](frame, problems)
    if problems:
        raise InputError(sorted(problems, key=lambda problem: (problem.row or 0, problem.column or "")))
    return OfficialFile(path, hashlib.sha256(content).hexdigest(), kind, frame, suppressed)


def read_cells(path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """Header, rows and their line numbers of any CSV file: UTF-8, as many cells a row as in the header.

    Raises InputError with every problem.
    """
    return _lines(_text(_bytes(path), path), path)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(Problem(path.name, None, None, f"cannot be read ({error.strerror})")) from None


def _text(content: bytes, path: Path) -> str:
    """The file's text; what is not CSV text is named for what it is."""

    def fail(message: str, row: int | None = None):
        raise InputError(Problem(path.name, row, None, message))

    start = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:512]
    if not start:
        fail("is empty; download it again")
    if start[:4] == b"PK\x03\x04" or start[:4] == b"\xd0\xcf\x11\xe0":
        fail("is a workbook, not a CSV file; open it in a spreadsheet and save it as CSV (UTF-8)")
    if re.match(rb"<(!doctype|html|\?xml|head|body)", start, re.IGNORECASE):
        fail("is a web page, not a CSV file; download the file itself from NHS England's page")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        fail("is not UTF-8 text; save it as CSV (UTF-8)", content.count(b"\n", 0, error.start) + 1)
    if "\0" in text:
        fail(
            "holds NUL bytes; download it again, or save it as CSV (UTF-8)",
            text.count("\n", 0, text.index("\0")) + 1,
        )
    return text


def _lines(text: str, path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """Header, rows and their line numbers. Every row must have as many cells as the header."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines, numbers, problems = [], [], []
    first = 1
    try:
        header = []
        for cells in reader:
            if not any(map(str.strip, cells)):
                pass  # a blank line holds nothing
            elif not header:
                header = cells
            elif len(cells) == len(header):
                lines.append(cells)
                numbers.append(first)
            else:
                message = f"has {len(cells)} cells where the header has {len(header)}; mend or remove the row"
                problems.append(Problem(path.name, first, None, message))
            first = reader.line_num + 1
    except csv.Error as error:
        problems.append(Problem(path.name, first, None, f"is not well-formed CSV from here on ({error})"))
    if problems:
        raise InputError(problems)
    return [name.strip() for name in header], lines, numbers


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
        if len(header) == 1 and ";" in header[0]:
            message = "is separated by semicolons; save it as CSV with commas"
        raise InputError(Problem(path.name, 1, None, message))
    if absent:
        raise InputError(
            Problem(path.name, 1, name, f"this column of a {kind} file is missing; restore it") for name in absent
        )
    return kind, kinds[kind]


def _frame(header, lines, numbers, columns, path) -> pd.DataFrame:
    if not lines:
        raise InputError(Problem(path.name, 1, None, "has a header but no rows; download it again"))
    cells = dict(zip(header, zip(*lines, strict=True), strict=True))
    # A league-table file may give its quarter as a reporting date.
    wanted = {**columns, "Quarter": "quarter", "Reporting_date": "period"}
    frame = {name: _clean(cells[column], name) for column, name in wanted.items() if column in cells}
    if "unit" in frame:  # rules look units up by name
        frame["unit"] = [unit.lower() for unit in frame["unit"]]
    return pd.DataFrame({**frame, "file": path.name, "row": np.array(numbers)})


def _clean(cells: tuple[str, ...], name: str) -> list[str]:
    """Cells without outer and doubled blanks (no-break spaces among them), in their one spelling."""
    spellings, key = _ONE_SPELLING.get(name, {}), slug if name == "trust_type" else str.casefold
    clean = {}
    for cell in set(cells):
        text = " ".join(cell.split())
        clean[cell] = spellings.get(key(text), text)
    return [clean[cell] for cell in cells]


def _quarters(frame: pd.DataFrame, header: list[str], path: Path, problems: list[Problem]) -> list[str]:
    if "Quarter" not in header:
        return [_quarter_of_file(frame, path)] * len(frame)
    labels = {text: quarter_label(text) for text in frame["quarter"].unique()}
    for row, text in _where(frame, "quarter", lambda text: labels[text] is None):
        problems.append(
            Problem(path.name, row, "Quarter", f"{text!r} is not a quarter; write it like {FIRST_QUARTER!r}")
        )
    return [labels[text] or "" for text in frame["quarter"]]


def _quarter_of_file(frame: pd.DataFrame, path: Path) -> str:
    """The quarter of a file without a Quarter column: from its name, else the first release.

    The rows of NHS England's own results carry the quarter as their reporting date; where they do,
    it must be the same one.
    """

    def fail(message: str):
        raise InputError(Problem(path.name, None, "Quarter", f"is missing, and {message}; add the column"))

    found = _QUARTER.search(path.stem)
    named = quarter_label(found[0]) if found else None
    if found and not named:
        fail(f"{found[0]!r} in the name of the file is not a quarter")
    dated = _dated(frame)
    if len(dated) > 1 or (named and dated and dated != {named}):
        fail(f"the rows are of {', '.join(sorted(dated))}{f', the name says {named}' if named else ''}")
    return named or (dated.pop() if dated else FIRST_QUARTER)


def _dated(frame: pd.DataFrame) -> set[str]:
    """The quarters that stand as reporting dates beside NHS England's own results."""
    if "period" not in frame:
        return set()
    results = frame[frame["unit"] == "segment"] if "unit" in frame else frame
    return {label for text in results["period"].unique() if (label := quarter_label(text))}


def _where(frame: pd.DataFrame, column: str, wrong: Callable[[str], bool]) -> list[tuple[int, str]]:
    """(row, text) of the cells of a column that are wrong; each different text is judged once."""
    texts = {text for text in frame[column].unique() if wrong(text)}
    bad = frame.loc[frame[column].isin(texts), ["row", column]] if texts else frame.iloc[:0][["row", column]]
    return list(bad.itertuples(index=False, name=None))


def _numbers(frame: pd.DataFrame, name: str, column: str, problems: list[Problem]) -> int:
    """Turn a text column into numbers in place; returns how many cells hold a mark of suppression."""
    bad = _where(frame, name, lambda text: not is_mark(text) and number_in(text) is None)
    for row, text in bad:
        known = "'*', '-', 'n/a', '<5' or a blank"
        message = f"{text!r} is not a number; correct it, or mark a missing figure with {known}"
        problems.append(Problem(frame["file"].iat[0], row, column, message))
    marks = int(frame[name].map(is_mark).sum() - (frame[name] == "").sum())
    frame[name] = frame[name].map({text: number_in(text) for text in frame[name].unique()}).astype(float)
    return marks


def is_mark(text: str) -> bool:
    """Whether a cell is blank or holds a mark of suppression."""
    return text.casefold() in SUPPRESSED


def number_in(text: str) -> float | None:
    """The finite number that a cell holds; None where it holds none."""
    number = float(text) if _NUMBER.fullmatch(text) else math.inf
    return number if math.isfinite(number) else None


def _read_data(frame: pd.DataFrame, problems: list[Problem]) -> int:
    blank = int((frame["value"] == "").sum())
    marks = _numbers(frame, "value", "Value", problems)
    _numbers(frame, "rank", "Rank", problems)
    return marks + blank


def _read_league(frame: pd.DataFrame, problems: list[Problem]) -> int:
    for name, column in _RANGES.items():
        _split_range(frame, name, column, problems)
    flags = {"yes": 1.0, "no": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0, **dict.fromkeys(SUPPRESSED, np.nan)}
    for row, text in _where(frame, "in_deficit", lambda text: text.casefold() not in flags):
        message = f"{text!r} is neither 'Yes' nor 'No'; correct it"
        problems.append(Problem(frame["file"].iat[0], row, "Trust_in_financial_deficit", message))
    frame["in_deficit"] = [flags.get(text.casefold(), np.nan) for text in frame["in_deficit"]]
    columns = (("average_score", "Average_score"), ("segment", "Segment"), ("rank", "Rank"))
    return sum(_numbers(frame, name, column, problems) for name, column in columns)


def _split_range(frame: pd.DataFrame, name: str, column: str, problems: list[Problem]) -> None:
    """ "1.72 to 2.73" into two number columns, such as score_low and score_high."""
    texts = frame.pop(f"{name}_range")
    frame[f"{name}_low"] = texts
    for row, text in _where(frame, f"{name}_low", lambda text: not is_mark(text) and not _is_range(text)):
        message = f"{text!r} is not a range; write it like '6 to 49', the lower limit first"
        problems.append(Problem(frame["file"].iat[0], row, column, message))
    for end, group in (("low", 1), ("high", 2)):
        limits = {text: float(_RANGE.fullmatch(text)[group]) for text in texts.unique() if _is_range(text)}
        frame[f"{name}_{end}"] = texts.map(limits).astype(float)


def _is_range(text: str) -> bool:
    found = _RANGE.fullmatch(text)
    low, high = (number_in(found[1]), number_in(found[2])) if found else (None, None)
    return low is not None and high is not None and low <= high


_READERS = {"data": _read_data, "league table": _read_league}
