"""Counts behind the values: the numerators and denominators of a quarter, embedded or a user's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from nofcore import csvfile, official, release
from nofcore.errors import InputError, Problem
from nofcore.framework import Framework
from nofcore.release import Release

COLUMNS = ["quarter", "trust_code", "metric_id", "numerator", "denominator"]
TOLERANCE = 0.06
"""How far, in percentage points, a ratio of counts may lie from the published value: counts and values
come from different publications, and another release of the counts differs by this much."""


def trials(denominators: np.ndarray) -> np.ndarray:
    """Whole numbers of patients: denominators rounded half up, at least 1.

    Counts may hold fractions, where trusts share a patient or a site. Only the number drawn is
    rounded; the share drawn around is the unrounded numerator / denominator.
    """
    return np.maximum(np.floor(np.asarray(denominators, dtype=float) + 0.5), 1).astype(np.int64)


def read(figures: Release, framework: Framework, path: Path | str | pd.DataFrame | None = None) -> pd.DataFrame:
    """Numerators and denominators of a quarter: trust_code, metric_id, numerator, denominator, checked.

    ``path``: a CSV file or a table with the columns of `COLUMNS`, of which the rows of the quarter
    count; the embedded table where None. Counts may hold fractions, see `trials`. Raises InputError
    with every problem: a missing column, text, a denominator not above zero, a numerator outside 0
    to its denominator, a second row for a trust and metric, an unknown trust, a metric that the
    framework does not score from a value, a percentage further than `TOLERANCE` from the published
    value; and where there are no counts for the quarter. A table's rows are numbered as in a file.
    """
    rows, name = _text(path)
    if absent := [column for column in COLUMNS if column not in rows]:
        raise InputError(Problem(name, 1, column, "no such column; add it") for column in absent)
    rows = rows[(rows[COLUMNS] != "").any(axis=1)]
    labels = rows["quarter"].map(official.quarter_label)
    problems = [
        Problem(name, int(row), "quarter", f"{text!r} is not a quarter; write it like {official.FIRST_QUARTER!r}")
        for row, text in rows.loc[labels.isna(), ["row", "quarter"]].itertuples(index=False)
    ]
    mine = rows[labels == figures.quarter]
    numbers = mine.assign(**{column: _numbers(mine[column]) for column in ("numerator", "denominator")})
    problems += [Problem(name, row, *what) for row, *what in _problems(mine, numbers, figures, framework)]
    if problems:
        raise InputError(sorted(problems, key=lambda problem: problem.row))
    if mine.empty:
        held = ", ".join(sorted(labels.unique(), key=release.quarter_order)) or "none"
        message = f"no numerators and denominators for {figures.quarter} (quarters held: {held}); pass a table of them"
        raise InputError(Problem(name, None, None, message))
    return numbers[COLUMNS[1:]].sort_values(["metric_id", "trust_code"], ignore_index=True)


def _text(path: Path | str | pd.DataFrame | None) -> tuple[pd.DataFrame, str]:
    """The table as stripped text with the row numbers of the file, and what to call it."""
    if path is None or isinstance(path, pd.DataFrame):
        table, name = (
            (release.embedded_table("activity"), "activity.csv") if path is None else (path, "the activity table")
        )
        header, cells = list(table), table.astype(object).where(table.notna(), "").to_numpy().tolist()
        numbers = list(range(2, len(cells) + 2))
    else:
        name = Path(path).name
        header, cells, numbers = csvfile.read(Path(path))
    if doubled := sorted({column for column in COLUMNS if header.count(column) > 1}):
        raise InputError(Problem(name, 1, column, "stands twice in the header; remove one") for column in doubled)
    table = pd.DataFrame([[str(cell).strip() for cell in row] for row in cells], columns=header, dtype=str)
    return table.assign(row=numbers), name


def _numbers(column: pd.Series) -> pd.Series:
    """Finite numbers; NaN for anything else."""
    found = pd.to_numeric(column, errors="coerce").astype(float)
    return found.where(np.isfinite(found))


def _problems(text: pd.DataFrame, rows: pd.DataFrame, figures: Release, framework: Framework) -> Iterator[tuple]:
    """(row, column, message) of all that is wrong with the rows of the quarter."""
    scored = {metric.value for metric in framework.metric if metric.value}
    published = figures.observations.set_index(["trust_code", "metric_id"])["value"].dropna()
    doubled = rows.duplicated(["trust_code", "metric_id"])
    for cells, row, again in zip(text.itertuples(index=False), rows.itertuples(index=False), doubled, strict=True):
        key = (row.trust_code, row.metric_id)
        about = f"{row.metric_id} of {row.trust_code}"
        known = row.trust_code in figures.trusts.index and row.metric_id in scored
        if row.trust_code not in figures.trusts.index:
            yield row.row, "trust_code", f"{row.trust_code!r} is no trust of {figures.quarter}; correct it"
        if row.metric_id not in scored:
            yield row.row, "metric_id", f"{row.metric_id!r} is not scored from a value by the framework; remove the row"
        if known and key not in published.index:
            yield row.row, "metric_id", f"{about} has no published value; remove the row"
        if again:
            yield row.row, None, f"a second row for {about}; remove one of the two"
        for column in ("numerator", "denominator"):
            if np.isnan(getattr(row, column)):
                yield row.row, column, f"{getattr(cells, column)!r} ({about}) is not a number; correct it"
        if row.denominator <= 0:
            yield row.row, "denominator", f"{row.denominator:g} ({about}) is not above zero; correct it"
        if row.numerator < 0:
            yield row.row, "numerator", f"{row.numerator:g} ({about}) is below zero; correct it"
        if row.numerator > row.denominator > 0:
            yield row.row, "numerator", f"{row.numerator:g} ({about}) is larger than {row.denominator:g}; correct it"
        elif known and key in published.index and row.numerator >= 0 and row.denominator > 0:
            percent = 100 * row.numerator / row.denominator
            if abs(percent - published[key]) > TOLERANCE + 1e-9:
                message = (
                    f"{percent:.2f} % ({about}) differs from the published {published[key]:g} by more than "
                    f"{TOLERANCE} percentage points; correct the counts or remove the row"
                )
                yield row.row, "numerator", message
