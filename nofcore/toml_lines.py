"""In which line of a TOML file a key stands, for errors; `tomllib` does not say."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence

Path = tuple[str | int, ...]
"""Keys and places in lists (from 0) on the way to a value, such as ("metric", 5, "standard")."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_PART = re.compile(r"""[ \t]*([A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')[ \t]*""")
_STRING = re.compile(r'''"""(?:[^"\\]|\\.|"(?!""))*"{3,5}|\'{3}.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*\'''', re.DOTALL)
_PLAIN = re.compile(r"[^,\]}\n#]+")


def lines(text: str) -> dict[Path, int]:
    """The line of every key, table and entry of a list in a TOML text, from 1. ValueError if it is none, as a file may
    change after it was judged."""
    tomllib.loads(text)
    return _Scanner(text.replace("\r\n", "\n")).run()


def line_of(found: dict[Path, int], path: Sequence[str | int]) -> int | None:
    """The line of a key; of the nearest table or list around it where it is not in the text."""
    for length in range(len(path), 0, -1):
        if tuple(path[:length]) in found:
            return found[tuple(path[:length])]
    return None


class _Scanner:
    """Walks through a text statement by statement. `tomllib` has judged it already, so nothing is checked."""

    def __init__(self, text: str):
        self.text, self.place = text, 0
        self.counted, self.counted_to = 1, 0
        self.found: dict[Path, int] = {}
        self.lists: dict[Path, int] = {}

    def run(self) -> dict[Path, int]:
        table: Path = ()
        while self._skip():
            line = self._line()
            if self.text[self.place] == "[":
                table = self._header(line)
            else:
                self._pair(table, line)
        return self.found

    def _line(self) -> int:
        self.counted += self.text.count("\n", self.counted_to, self.place)
        self.counted_to = self.place
        return self.counted

    def _skip(self) -> bool:
        self.place = _BLANK.match(self.text, self.place).end()
        return self.place < len(self.text)

    def _note(self, path: Path, line: int):
        for length in range(1, len(path) + 1):
            self.found.setdefault(path[:length], line)

    def _header(self, line: int) -> Path:
        several = self.text.startswith("[[", self.place)
        self.place += 1 + several
        parts = self._key()
        self.place += 1 + several
        path: Path = ()
        for depth, part in enumerate(parts, start=1):
            path = (*path, part)
            if depth == len(parts) and several:
                self.lists[path] = self.lists.get(path, -1) + 1
            if path in self.lists:
                self._note(path, line)
                path = (*path, self.lists[path])
        self._note(path, line)
        return path

    def _key(self) -> list[str]:
        parts = []
        while True:
            found = _PART.match(self.text, self.place)
            written, self.place = found[1], found.end()
            parts.append(next(iter(tomllib.loads(f"{written} = 0"))))
            if not self.text.startswith(".", self.place):
                return parts
            self.place += 1

    def _pair(self, table: Path, line: int):
        path = (*table, *self._key())
        self._note(path, line)
        self.place += 1  # the sign of equality
        self._value(path)

    def _value(self, path: Path):
        self._skip()
        if found := _STRING.match(self.text, self.place):
            self.place = found.end()
        elif self.text[self.place] == "[":
            self._entries(path, "]", lambda place: self._entry((*path, place)))
        elif self.text[self.place] == "{":
            self._entries(path, "}", lambda place: self._pair(path, self._line()))
        else:
            self.place = _PLAIN.match(self.text, self.place).end()

    def _entry(self, path: Path):
        self._note(path, self._line())
        self._value(path)

    def _entries(self, path: Path, end: str, read):
        self.place += 1
        place = 0
        while self._skip() and self.text[self.place] != end:
            if self.text[self.place] == ",":
                self.place += 1
            else:
                read(place)
                place += 1
        self.place += 1
