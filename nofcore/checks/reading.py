"""Files read for `check`: what is wrong with each, and where every figure stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import pandas as pd

from nofcore import merge, official, release
from nofcore.errors import InputError, Problem
from nofcore.framework import Framework
from nofcore.merge import FrameworkOf, Merged
from nofcore.official import OfficialFile
from nofcore.release import Archive
from nofcore.wording import counted


@dataclass(frozen=True)
class Gathered:
    """Some files as read. ``archive`` and ``merged`` are None where a problem keeps them from being put together."""

    files: tuple[OfficialFile, ...]
    problems: tuple[Problem, ...]
    merged: Merged | None = None
    archive: Archive | None = None


def gather(paths: Iterable[Path], source: str, own: Framework | None = None) -> Gathered:
    """Read some files, put together those that can be read and judge them: every problem, not the first alone.

    ``own``: rules of the user's own, for figures of their year.
    """
    from nofcore import schemas  # pandera takes half a second to import; framework files do not need it

    files: list[OfficialFile] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            files.append(official.read_file(path))
        except InputError as error:
            problems += error.problems
    problems += [problem for file in files for problem in _all_missing(file)]
    rules = partial(release.framework_for, own=own)
    try:
        merged = merge.merge(files, rules) if files else None
        tables = [merged] if merged else []
    except InputError as error:
        problems += error.problems
        merged, tables = None, _each_alone(files, rules)
    for one in tables:
        problems += schemas.problems(
            one.observations, one.trusts, one.tables, partial(release.published_under, own=own), official.SHOWN
        )
    problems = list(dict.fromkeys(problems))
    if problems or merged is None:
        return Gathered(tuple(files), tuple(problems))
    return Gathered(tuple(files), (), merged, _archive(files, merged, source))


def _all_missing(file: OfficialFile) -> list[Problem]:
    """A file that gives not one of the figures that it is for."""
    figure = "value" if file.kind == "data" else "average_score"
    if file.rows[figure].notna().any():
        return []
    message = f"not one figure in {counted(len(file.rows), 'row')}: all are missing or suppressed; get the file again"
    return [Problem(file.path.name, None, official.SHOWN[figure], message)]


def _each_alone(files: Iterable[OfficialFile], rules: FrameworkOf) -> list[Merged]:
    """Files that contradict each other, each by itself; what is wrong with one alone has been said."""
    found = []
    for file in files:
        try:
            found.append(merge.merge([file], rules))
        except InputError:
            continue
    return found


def _archive(files: Iterable[OfficialFile], merged: Merged, source: str) -> Archive:
    return Archive(
        merged.observations[release.OBSERVATION_COLUMNS],
        merged.trusts[release.TRUST_COLUMNS],
        merged.league[release.LEAGUE_COLUMNS],
        source,
        tuple((file.path.name, file.sha256) for file in files),
        merged.notes,
    )


@dataclass(frozen=True)
class Places:
    """Where the figures of a quarter stand: file and row, and what their column is called."""

    quarter: str
    merged: Merged
    framework: Framework | None

    @cached_property
    def _rows(self) -> pd.DataFrame:
        rows = self.merged.observations
        return rows[rows["quarter"] == self.quarter].set_index(["trust_code", "metric_id"])[["file", "row"]]

    @cached_property
    def _tables(self) -> pd.DataFrame:
        rows = self.merged.tables
        return rows[rows["quarter"] == self.quarter].set_index("trust_code")

    def of_metric(self, trust_code: str, metric_id: str) -> tuple[str, int | None]:
        """File and row of a metric of a trust."""
        if (trust_code, metric_id) not in self._rows.index:
            return "", None
        file, row = self._rows.loc[(trust_code, metric_id)]
        return file, int(row)

    def of_result(self, trust_code: str, figure: str) -> tuple[str, int | None, str | None]:
        """File, row and column of one of the trust's own figures, such as ``rank``: of its row in a league-table
        file where that gives it, else of the row of a data file that holds it."""
        tables = self._tables
        if figure in tables and trust_code in tables.index and pd.notna(tables.at[trust_code, figure]):
            file, row = tables.loc[trust_code, ["file", "row"]]
            return file, int(row), official.SHOWN[figure]
        identifiers = self.framework.identifiers if self.framework else None
        held = {
            "average_score": ("average", "Value"),
            "score_rank": ("average", "Rank"),
            "unadjusted_segment": ("unadjusted_segment", "Value"),
            "segment": ("segment", "Value"),
            "rank": ("segment", "Rank"),
            "in_deficit": ("override_flag", "Value"),
        }
        name, column = held[figure]
        if identifiers is None:
            return "", None, None
        file, row = self.of_metric(trust_code, getattr(identifiers, name))
        return file, row, column if row else None
