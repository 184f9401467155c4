"""Errors that a user can act on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

SHOWN = 8
"""Problems spelt out in the one-line message; `check` lists them all."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong, where it is and what to do.

    ``row`` is the line in the file as an editor or spreadsheet counts it (the header is 1), or None; that of a key in
    a TOML file is called a line.
    """

    file: str
    row: int | None
    column: str | None
    message: str

    def __str__(self) -> str:
        unit = "line" if self.file.lower().endswith(".toml") else "row"
        place = [self.file or None, self.row and f"{unit} {self.row}", self.column and f"column {self.column}"]
        where = ", ".join(part for part in place if part)
        return one_line(f"{where}: {self.message}" if where else self.message)

    def as_dict(self) -> dict:
        return asdict(self)


def one_line(text: str) -> str:
    """A message on one line and without control characters, which text from a file or a name may hold."""
    line = " ".join(text.split())
    return line if line.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


class InputError(Exception):
    """Input that cannot be used. Holds every problem found; its text is one line."""

    def __init__(self, problems: Problem | str | Iterable[Problem]):
        if isinstance(problems, str):
            problems = [Problem("", None, None, problems)]
        elif isinstance(problems, Problem):
            problems = [problems]
        self.problems = tuple(problems)
        super().__init__(self._line())

    def _line(self) -> str:
        shown = "; ".join(str(problem) for problem in self.problems[:SHOWN])
        rest = len(self.problems) - SHOWN
        return f"{shown}; and {rest} more problem{'s' if rest > 1 else ''}" if rest > 0 else shown

    def __reduce__(self):
        return (type(self), (self.problems,))
