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
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import numpy as np
import pandas as pd

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
_NONE = (math.nan, math.nan)
_ROWS_AT_ONCE = 500  # few enough to stay in the cache of a processor
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


def one_trust_type(text: str) -> str:
    """A trust type in its one spelling; any other text as it is."""
    return _ONE_SPELLING["trust_type"].get(slug(text), text)


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
    rows = _rows(content, path)
    _, header = next(rows)
    kind, columns = _kind(header, path)
    frame = _frame(header, rows, columns, path)
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
    rows = _rows(_bytes(path), path)
    _, header = next(rows)
    found = list(rows)
    return header, [cells for _, cells in found], [number for number, _ in found]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(Problem(path.name, None, None, f"cannot be read ({error.strerror})")) from None


def _require_text(content: bytes, path: Path) -> None:
    """What is not CSV text is named for what it is."""

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
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        fail("is not UTF-8 text; save it as CSV (UTF-8)", _line_of(content, error.start))
    if b"\0" in content:
        fail("holds NUL bytes; download it again, or save it as CSV (UTF-8)", _line_of(content, content.index(b"\0")))


def _line_of(content: bytes, place: int) -> int:
    """The line in which a byte stands, whichever way lines end."""
    before = content[:place]
    return 1 + before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n")


def _rows(content: bytes, path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of the header and of each row, blank lines left out; a row at a time, as files may be large.

    Raises InputError with every row that has not as many cells as the header, after the last.
    """
    _require_text(content, path)
    # Decoded as it is read: a text of the whole file takes up to four bytes a character.
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline=""), strict=True)
    header, problems = [], []
    first = 1
    try:
        for cells in reader:
            if not any(map(str.strip, cells)):
                pass  # a blank line holds nothing
            elif not header:
                header = [name.strip() for name in cells]
                yield first, header
            elif len(cells) != len(header):
                message = f"has {len(cells)} cells where the header has {len(header)}; mend or remove the row"
                problems.append(Problem(path.name, first, None, message))
            elif cells[-1] == header[-1] and _names(cells) == header:
                problems.append(Problem(path.name, first, None, "is the header once more; remove the row"))
            else:
                yield first, cells
            first = reader.line_num + 1
    except csv.Error as error:
        message = f"is not well-formed CSV from here on ({error}); mend the quotes, or download the file again"
        problems.append(Problem(path.name, first, None, message))
    if not header and not problems:
        problems.append(Problem(path.name, None, None, "holds nothing but blank cells; download it again"))
    if problems:
        raise InputError(problems)


def _names(cells: list[str]) -> list[str]:
    """Cells as the names in a header; a file that was put behind another brings its byte-order mark."""
    return [cell.lstrip("\ufeff").strip() for cell in cells]


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


def _frame(
    header: list[str], rows: Iterator[tuple[int, list[str]]], columns: Mapping[str, str], path: Path
) -> pd.DataFrame:
    """The wanted columns of the rows, cleaned, with the place of each row."""
    # A league-table file may give its quarter as a reporting date.
    wanted = {**columns, "Quarter": "quarter", "Reporting_date": "period"}
    cells, numbers = _columns(rows, [header.index(column) for column in wanted if column in header])
    if not len(numbers):
        raise InputError(Problem(path.name, 1, None, "has a header but no rows; download it again"))
    names = [name for column, name in wanted.items() if column in header]
    frame = {name: _clean(texts, name)[codes] for name, (texts, codes) in zip(names, cells, strict=True)}
    return pd.DataFrame({**frame, "file": path.name, "row": numbers})


def _columns(rows: Iterator[tuple[int, list[str]]], places: list[int]):
    """(different texts, their number in each row) of the columns at some places, and the line of each row.

    A text is kept once however often it occurs: of a million rows a few thousand texts are different.
    """
    known = [defaultdict(count().__next__) for _ in places]
    codes, numbers = [[] for _ in places], []
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        numbers.append(np.fromiter((number for number, _ in some), np.int64, len(some)))
        cells = list(zip(*(row for _, row in some), strict=True))
        for texts, parts, place in zip(known, codes, places, strict=True):
            parts.append(np.fromiter(map(texts.__getitem__, cells[place]), np.int32, len(some)))
    together = [np.concatenate(parts) if parts else np.array([], int) for parts in (*codes, numbers)]
    return list(zip(map(list, known), together[:-1], strict=True)), together[-1]


def _clean(texts: list[str], name: str) -> np.ndarray:
    """Texts without outer and doubled blanks (no-break spaces among them), in their one spelling."""
    spellings, key = _ONE_SPELLING.get(name, {}), slug if name == "trust_type" else str.casefold
    plain = [" ".join(text.split()) for text in texts]
    clean = [spellings.get(key(text), text) for text in plain] if spellings else plain
    if name == "unit":  # rules look units up by name
        clean = [unit.lower() for unit in clean]
    return np.array(clean, dtype=object)


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


def _each(texts: pd.Series, judge: Callable[[str], object], dtype: type) -> np.ndarray:
    """What a judge says of each text of a column, asked once for each different text."""
    codes, different = pd.factorize(texts)
    return np.array([judge(text) for text in different], dtype=dtype)[codes]


def _where(frame: pd.DataFrame, column: str, wrong: Callable[[str], bool]) -> list[tuple[int, str]]:
    """(row, text) of the cells of a column that are wrong."""
    bad = frame.loc[_each(frame[column], wrong, bool), ["row", column]]
    return list(bad.itertuples(index=False, name=None))


def _numbers(frame: pd.DataFrame, name: str, column: str, problems: list[Problem]) -> int:
    """Turn a text column into numbers in place; returns how many cells hold a mark of suppression."""
    texts = frame[name]
    for row, text in _where(frame, name, lambda text: not is_mark(text) and number_in(text) is None):
        known = "'*', '-', 'n/a', '<5' or a blank"
        message = f"{text!r} is not a number; correct it, or mark a missing figure with {known}"
        problems.append(Problem(frame["file"].iat[0], row, column, message))
    frame[name] = _each(texts, number_in, float)
    return int(_each(texts, lambda text: bool(text) and is_mark(text), bool).sum())


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
    frame["in_deficit"] = _each(frame["in_deficit"], lambda text: flags.get(text.casefold(), np.nan), float)
    columns = (("average_score", "Average_score"), ("segment", "Segment"), ("rank", "Rank"))
    return sum(_numbers(frame, name, column, problems) for name, column in columns)


def _split_range(frame: pd.DataFrame, name: str, column: str, problems: list[Problem]) -> None:
    """ "1.72 to 2.73" into two number columns, such as score_low and score_high."""
    texts = frame.pop(f"{name}_range")
    frame[f"{name}_low"] = texts
    for row, text in _where(frame, f"{name}_low", lambda text: not is_mark(text) and _limits(text) is None):
        message = f"{text!r} is not a range; write it like '6 to 49', the lower limit first"
        problems.append(Problem(frame["file"].iat[0], row, column, message))
    for place, end in enumerate(("low", "high")):
        frame[f"{name}_{end}"] = _each(texts, lambda text, place=place: (_limits(text) or _NONE)[place], float)


def _limits(text: str) -> tuple[float, float] | None:
    """The limits of a range such as "6 to 49"; None where it is none."""
    found = _RANGE.fullmatch(text)
    low, high = (number_in(found[1]), number_in(found[2])) if found else (None, None)
    return (low, high) if low is not None and high is not None and low <= high else None


_READERS = {"data": _read_data, "league table": _read_league}
