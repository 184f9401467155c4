"""What is judged of a quarter, and what has been found of it so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from nofcore.checks.reading import Places
from nofcore.errors import Problem
from nofcore.framework import Framework
from nofcore.release import Release
from nofcore.reproduce import CLOSE

ALIKE = 5
"""More contradictions of one kind are one problem, where no one figure can be named that explains them."""


@dataclass
class Case:
    """A quarter under the rules; the steps from values to ranks add what they find.

    ``counts``: quantity, start, compared, agree, open; ``bad_values``, ``bad_scores``: (trust, metric) of figures that
    are known to be wrong; ``bad_domains``: (trust, domain score) of those that do not follow from their metric scores;
    ``of_ranks``: by (trust, metric), the place and message of a value and rank that contradict each other, told at the
    end unless they follow from another figure that is wrong; ``explained``: (trust, metric) of those figures;
    ``bad_averages``: what the average of a trust should be, where one has been told that alone does not follow from the
    metric scores; ``bad_ranks``: (trust, metric) of ranks that have been told, be they wrong or one of several that may be; ``should``:
    what a score of ``bad_scores`` should be, where a value tells; ``unsure``: (trust, score) of scores that differ from
    what is made of their values in many trusts; ``unrecovered``: trusts with a score of which the unrounded one is not
    known.
    """

    release: Release
    framework: Framework
    places: Places
    problems: list[Problem] = field(default_factory=list)
    counts: list[tuple[str, str, int, int, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    bad_values: set[tuple[str, str]] = field(default_factory=set)
    bad_scores: set[tuple[str, str]] = field(default_factory=set)
    bad_domains: set[tuple[str, str]] = field(default_factory=set)
    of_ranks: dict[tuple[str, str], tuple] = field(default_factory=dict)
    explained: set[tuple[str, str]] = field(default_factory=set)
    bad_averages: dict[str, float] = field(default_factory=dict)
    bad_ranks: set[tuple[str, str]] = field(default_factory=set)
    should: dict[tuple[str, str], float] = field(default_factory=dict)
    unsure: set[tuple[str, str]] = field(default_factory=set)
    unrecovered: set[str] = field(default_factory=set)

    def add(self, place: tuple, message: str):
        file, row, column = place
        self.problems.append(Problem(file, row, column, f"{self.release.quarter}, {message}"))

    def note(self, text: str):
        """Add what could not be made again; of this quarter."""
        quarter = self.release.quarter
        self.notes.append(str(text) if quarter in text else f"{quarter}: {text}")

    def who(self, code: str) -> str:
        return f"{code} ({self.release.trusts['trust_name'].get(code, '')})"

    def listed(self, codes: Sequence[str]) -> str:
        """Trusts in words, no more than a few."""
        more = f" and {len(codes) - ALIKE} more" if len(codes) > ALIKE else ""
        return ", ".join(self.who(code) for code in codes[:ALIKE]) + more

    def overridden(self, trust_type: str) -> bool:
        """Whether the override is for a type."""
        rule = self.framework.override
        return rule is not None and (not rule.trust_types or trust_type in rule.trust_types)

    def figure(self, code: str, metric_id: str, figure: str = "value") -> str:
        rows = self.release.observations
        rows = rows[(rows["trust_code"] == code) & (rows["metric_id"] == metric_id)]
        return f"{rows[figure].iat[0]:.15g}" if len(rows) else "?"

    def tally(self, quantity: str, start: str, rows: pd.DataFrame):
        """Count comparisons of which none is open."""
        self.count(quantity, start, len(rows), len(rows) - int(differs(rows).sum()), 0)

    def count(self, quantity: str, start: str, compared: int, agree: int, undecided: int):
        if compared:
            self.counts.append((quantity, start, compared, agree, undecided))


def beside(file: str, row: int, named: str) -> str:
    """A row in a message that stands under the name of a file.

    >>> beside("a.csv", 7, "a.csv"), beside("a.csv", 7, "b.csv")
    ('row 7', 'a.csv, row 7')
    """
    return f"row {row}" if file == named else f"{file}, row {row}"


def differs(rows: pd.DataFrame) -> pd.Series:
    """Whether published and rebuilt figures are apart by a published digit or more."""
    return (rows["rebuilt"] - rows["published"]).abs() >= CLOSE / 2
