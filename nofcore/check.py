"""Everything that is wrong with files, folders or rules of one's own, and what is unusual, in one go.

>>> from pathlib import Path
>>> from nofcore import check, framework
>>> print(check.check([framework.FOLDER / "2025-26.toml"]).findings[0].ok)
True
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nofcore import official
from nofcore.checks import rules
from nofcore.errors import InputError, Problem, one_line
from nofcore.framework import year_of
from nofcore.wording import counted

if TYPE_CHECKING:
    from nofcore.checks.unusual import Unusual
    from nofcore.framework import Framework


@dataclass(frozen=True)
class Rebuilt:
    """Published figures of one kind that were made again: how many agree, and how many ties or rounding leave open."""

    quarter: str
    quantity: str
    start: str
    compared: int
    agree: int
    open: int

    def as_dict(self) -> dict:
        return {
            "quarter": self.quarter,
            "quantity": self.quantity,
            "from": self.start,
            "compared": self.compared,
            "agree": self.agree,
            "open": self.open,
        }


@dataclass(frozen=True)
class Finding:
    """What `check` found of one path.

    ``problems``: what is wrong; ``unusual``: what is acceptable but should be known; ``summary``: what the path
    holds; ``rederived``: published figures that were made again; ``not_rederived``: what could not be, and why.
    """

    path: Path
    problems: tuple[Problem, ...]
    summary: tuple[str, ...] = ()
    unusual: tuple[Unusual, ...] = ()
    rederived: tuple[Rebuilt, ...] = ()
    not_rederived: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong. What is unusual is not wrong."""
        return not self.problems

    def as_dict(self) -> dict:
        """For JSON (``--json`` prints a list of these, one a path); every key is always there.

        ``path``; ``ok``; ``problems``: file, row (from 1, or null), column (or null), message; ``unusual``: kind (one of
        `nofcore.checks.unusual.KINDS`), count, message, file or null, quarter or null; ``summary``: lines of text;
        ``rederived``: quarter, quantity, from, compared, agree, open (compared = agree + open, and what is wrong);
        ``not_rederived``: lines of text.
        """
        return {
            "path": str(self.path),
            "ok": self.ok,
            "problems": [problem.as_dict() for problem in self.problems],
            "unusual": [entry.as_dict() for entry in self.unusual],
            "summary": list(self.summary),
            "rederived": [entry.as_dict() for entry in self.rederived],
            "not_rederived": [one_line(note) for note in self.not_rederived],
        }

    def __str__(self) -> str:
        said = counted(len(self.problems), "problem") if self.problems else "no problem found"
        lines = [f"{one_line(str(self.path))}: {said}"]
        lines += [f"  {problem}" for problem in self.problems]
        lines += [f"  {one_line(line)}" for line in self.summary]
        lines += [f"  {line}" for line in self._made_again()]
        lines += [f"  unusual: {one_line(entry.message)}" for entry in self.unusual]
        lines += [f"  not checked: {one_line(note)}" for note in self.not_rederived]
        return "\n".join(lines)

    def _made_again(self) -> list[str]:
        """One line a quarter: of each kind of figure, the route that starts furthest back."""
        kinds: dict[str, dict[str, Rebuilt]] = {}
        for entry in self.rederived:
            kinds.setdefault(entry.quarter, {}).setdefault(entry.quantity, entry)
        return [
            f"{quarter}, made again: {', '.join(map(_agreement, entries.values()))}"
            for quarter, entries in kinds.items()
        ]


def _agreement(entry: Rebuilt) -> str:
    by_ties = f" ({entry.open:,} within what ties and rounding leave open)" if entry.open else ""
    what = {"rank on the average": "ranks on the average", "rank of a metric": "ranks of metrics"}
    plural = what.get(entry.quantity, f"{entry.quantity}s")
    return f"{entry.agree + entry.open:,} of {entry.compared:,} {plural}{by_ties}"


@dataclass(frozen=True)
class Report:
    """What `check` found of several paths, in their order."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return all(finding.ok for finding in self.findings)

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(problem for finding in self.findings for problem in finding.problems)

    def as_list(self) -> list[dict]:
        """For JSON: one entry a path."""
        return [finding.as_dict() for finding in self.findings]

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings))


def check(paths: Path | str | Iterable[Path | str], own: Framework | None = None) -> Report:
    """Check CSV files, folders of CSV files and TOML files. Each path is judged by itself; a folder as one set of files.

    ``own``: rules of the user's own, by which the figures of their year are made again, in place of the kit's.
    Raises nothing for what a file may hold: an unreadable file is a problem.
    """
    if isinstance(paths, str | Path):
        paths = [paths]
    return Report(tuple(check_path(Path(path), own) for path in paths))


def check_path(path: Path, own: Framework | None = None) -> Finding:
    """Check one CSV file, folder of CSV files or TOML file; see `check`."""
    try:
        if path.suffix.lower() == ".toml":
            return Finding(path, (), (rules.check(path),))
        folder = os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises where none may look
        files = official.csv_files(path) if folder else [path]
    except InputError as error:
        return Finding(path, error.problems)
    return _check_figures(path, files, own)


def _check_figures(path: Path, files: list[Path], own: Framework | None) -> Finding:
    from nofcore import release
    from nofcore.checks import published, reading, rederive, unusual

    gathered = reading.gather(files, path.name, own)
    if gathered.archive is None:
        note = "the published figures were not made again; put right what is wrong first"
        return Finding(path, gathered.problems, not_rederived=(note,) if gathered.files else ())
    archive = gathered.archive
    problems, rebuilt, notes = [], [], []
    for quarter in archive.quarters:
        framework, figures = release.framework_for(quarter, own), archive.release(quarter)
        places = reading.Places(quarter, gathered.merged, framework)
        made = rederive.safely(figures, framework, places)
        rebuilt += [
            Rebuilt(quarter, row.quantity, row.start, int(row.compared), int(row.agree), int(row.open))
            for row in made.compared.itertuples(index=False)
        ]
        problems += made.problems
        notes += made.notes
        if framework:
            judged = published.judge(figures, framework, places, made.problems)
            if judged.compared:
                rebuilt.append(Rebuilt(quarter, published.FINAL, published.FROM_FLAG, judged.compared, judged.agree, 0))
            problems += judged.problems
            notes += judged.notes
    return Finding(
        path,
        tuple(problems),
        (*_about_figures(archive), *archive.notes),
        tuple(unusual.find(gathered.files, archive, own)),
        tuple(rebuilt),
        (*notes, *_of_another_year(own, archive)),
    )


def _of_another_year(own: Framework | None, archive) -> list[str]:
    """What to say of rules of the user's own that none of the figures are judged by."""
    if own is None or own.year in map(year_of, archive.quarters):
        return []
    return [f"the rules given are of {own.year} and judge no figure here, which are of {', '.join(archive.quarters)}"]


def _about_figures(archive) -> list[str]:
    lines = []
    for quarter in archive.quarters:
        figures = archive.release(quarter)
        types = figures.trusts["trust_type"].value_counts().sort_index()
        listed = ", ".join(f"{name}: {count} trusts" for name, count in types.items())
        lines.append(f"{quarter}: {listed}; {len(figures.observations):,} metric rows")
    return lines
