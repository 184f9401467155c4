"""CSV files as text: what is none is named for what it is, and every row keeps its place in the file."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from operator import itemgetter
from pathlib import Path

import numpy as np

from nofcore.errors import InputError, Problem

Row = tuple[int, list[str]]
"""The line in which a row begins, as an editor counts it (the header is 1), and its cells."""

_ROWS_AT_ONCE = 100  # few enough to stay in the cache of a processor
_PART = 1 << 18
_START = re.compile(rb"[\xef\xbb\xbf \t\r\n]*(.{0,512})", re.DOTALL)


@dataclass(frozen=True)
class Column:
    """A column as its different texts and, for each row, the place of its own among them.

    A text is kept once however often it occurs: of a million rows a few thousand texts are different.
    """

    texts: list[str]
    places: np.ndarray

    def each(self, judge: Callable[[str], object], dtype: type) -> np.ndarray:
        """What a judge says of the text of each row, asked once for each different text."""
        return np.array([judge(text) for text in self.texts], dtype=dtype)[self.places]

    def counts(self) -> list[int]:
        """In how many rows each text stands."""
        return np.bincount(self.places, minlength=len(self.texts)).tolist()


def read(path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """Header, rows and their line numbers of any CSV file: UTF-8, as many cells a row as in the header.

    Raises InputError with every problem.
    """
    header, rows = header_and_rows(content_of(path), path)
    found = [row for some in rows for row in some]
    return header, [cells for _, cells in found], [line for line, _ in found]


def content_of(path: Path) -> bytes:
    """The bytes of a file. InputError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(Problem(path.name, None, None, f"cannot be read ({error.strerror})")) from None


def header_and_rows(content: bytes, path: Path) -> tuple[list[str], Iterator[list[Row]]]:
    """The header, and the rows some at a time, as files may be large; blank lines are left out.

    Raises InputError if there is no header, and with every row that is none by its cells, after the last.
    """
    _require_text(content, path)
    problems: list[Problem] = []
    numbered = _numbered(content, path, problems)
    header = next((cells for _, cells in numbered if _filled(cells)), None)
    if header is None:
        nothing = Problem(path.name, None, None, "holds nothing but blanks and commas; download it again")
        raise InputError(problems or nothing)
    header = [name.strip() for name in header]
    return header, _rows(numbered, header, path, problems)


def columns(rows: Iterable[list[Row]], places: list[int]) -> tuple[list[Column], np.ndarray]:
    """The columns at some places, and the line of each row."""
    known = [defaultdict(count().__next__) for _ in places]
    codes, lines = [[] for _ in places], []
    for some in rows:
        numbers, cells = zip(*some, strict=True)
        lines.append(np.array(numbers))
        across = list(zip(*cells, strict=True))
        for texts, parts, place in zip(known, codes, places, strict=True):
            parts.append(np.fromiter(map(texts.__getitem__, across[place]), np.int32, len(some)))
    together = [np.concatenate(parts) if parts else np.array([], int) for parts in (*codes, lines)]
    return [Column(list(texts), parts) for texts, parts in zip(known, together[:-1], strict=True)], together[-1]


def _require_text(content: bytes, path: Path) -> None:
    """What is not CSV text is named for what it is."""

    def fail(message: str, row: int | None = None):
        raise InputError(Problem(path.name, row, None, message))

    start = _START.match(content)[1]
    if not start:
        fail("is empty; download it again")
    if start[:4] == b"PK\x03\x04" or start[:4] == b"\xd0\xcf\x11\xe0":
        fail("is a workbook, not a CSV file; open it in a spreadsheet and save it as CSV (UTF-8)")
    if re.match(rb"<(!doctype|html|\?xml|head|body)", start, re.IGNORECASE):
        fail("is a web page, not a CSV file; download the file itself from NHS England's page")
    wrong = _not_utf8(content)
    if wrong is not None:
        fail("is not UTF-8 text; save it as CSV (UTF-8)", _line_of(content, wrong))
    if b"\0" in content:
        fail("holds NUL bytes; download it again, or save it as CSV (UTF-8)", _line_of(content, content.index(b"\0")))


def _not_utf8(content: bytes) -> int | None:
    """The place of the first byte that is not UTF-8. Sought in parts, as a text takes up to four bytes a character."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(content), _PART):
        pending = len(decoder.getstate()[0])  # the beginning of a character that goes on in this part
        try:
            decoder.decode(content[start : start + _PART], final=start + _PART >= len(content))
        except UnicodeDecodeError as error:
            return start - pending + error.start
    return None


def _line_of(content: bytes, place: int) -> int:
    """The line in which a byte stands, whichever way lines end."""
    before = content[:place]
    return 1 + before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n")


def _numbered(content: bytes, path: Path, problems: list[Problem]) -> Iterator[Row]:
    """Everything that stands in a file, as rows; from where it is no CSV on there is only a problem."""
    # Decoded as it is read: a text of the whole file takes up to four bytes a character.
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline=""), strict=True)
    first = 1
    try:
        for cells in reader:
            yield first, cells
            first = reader.line_num + 1
    except csv.Error as error:
        message = f"is not well-formed CSV from here on ({error}); mend the quotes, or download the file again"
        problems.append(Problem(path.name, first, None, message))


def _rows(numbered: Iterator[Row], header: list[str], path: Path, problems: list[Problem]) -> Iterator[list[Row]]:
    while some := list(islice(numbered, _ROWS_AT_ONCE)):
        if not _plain(some, header):
            some = list(_sound(some, header, path, problems))
        if some:
            yield some
    if problems:
        raise InputError(sorted(problems, key=lambda problem: problem.row))


def _plain(rows: list[Row], header: list[str]) -> bool:
    """Whether a look at both ends tells that each row is sound; so it is of nearly all."""
    cells = [cells for _, cells in rows]
    return (
        {*map(len, cells)} == {len(header)}
        and all(map(str.strip, map(itemgetter(0), cells)))
        and header[-1] not in map(str.strip, map(itemgetter(-1), cells))
    )


def _sound(rows: list[Row], header: list[str], path: Path, problems: list[Problem]) -> Iterator[Row]:
    """The rows that fit the header. A blank line is nothing; what else does not fit becomes a problem."""
    for line, cells in rows:
        if not _filled(cells):
            continue
        if len(cells) != len(header):
            message = f"has {len(cells)} cells where the header has {len(header)}; mend or remove the row"
            problems.append(Problem(path.name, line, None, message))
        elif _names(cells) == header:
            problems.append(Problem(path.name, line, None, "is the header once more; remove the row"))
        else:
            yield line, cells


def _filled(cells: list[str]) -> bool:
    return any(map(str.strip, cells))


def _names(cells: list[str]) -> list[str]:
    """Cells as the names in a header; a file that was put behind another brings its byte-order mark."""
    return [cell.lstrip("\ufeff").strip() for cell in cells]
