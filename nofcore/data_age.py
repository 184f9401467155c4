"""How old the figures of a quarter are: when the period that each metric covers ended.

Which texts name a period stands in the framework file (``periods``). A text that none of its templates fits is not
dated; it is kept and named as published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from nofcore import periods, scoring
from nofcore.framework import Framework
from nofcore.release import Release

YEAR = 12
"""Months; figures that are older than this are counted as old."""
COLUMNS = ["metric_id", "name", "short", "domain", "survey", "period", "ends", "age", "trusts"]


def months_between(ends: Sequence[date | None], last: date) -> np.ndarray:
    """Months of the calendar from the month in which each period ended to that of ``last``; (periods,).

    0 for the month of ``last`` itself, negative for a period that ends later, NaN where the end is not known. Periods and
    quarters end with a month, so whole months say it all.
    """
    months = np.array(ends, dtype="datetime64[D]").astype("datetime64[M]")
    count = (np.datetime64(last, "M") - months).astype(float)
    return np.where(np.isnat(months), np.nan, count)


@dataclass(frozen=True, eq=False)
class DataAges:
    """The ages of all metrics of a quarter at its end.

    ``rows``: a row per metric and period, oldest first, those not dated last: metric_id (of the score), name, short, domain
    (its name), survey, period (as published), ends (last day of the period, None where it is not dated), age
    (months, missing where it is not dated) and trusts (that have a figure of the period). ``absent``: short names of
    metrics of which no figure is at hand.
    """

    quarter: str
    last: date
    rows: pd.DataFrame
    absent: tuple[str, ...]

    def table(self) -> pd.DataFrame:
        """`rows`, with the age in whole months."""
        return self.rows.astype({"age": "Int64"})

    @property
    def metrics(self) -> int:
        """Metrics of which there are figures."""
        return self.rows["metric_id"].nunique()

    def old(self, months: int = YEAR) -> pd.DataFrame:
        """Rows of the metrics whose period ended more than so many months before the quarter did, oldest first."""
        return self.rows[self.rows["age"] > months]

    @property
    def undated(self) -> pd.DataFrame:
        """Rows of the periods that are not dated."""
        return self.rows[self.rows["age"].isna()]

    @property
    def ahead(self) -> pd.DataFrame:
        """Rows of the periods that end after the quarter."""
        return self.rows[self.rows["age"] < 0]


def ages(figures: Release, framework: Framework) -> DataAges:
    """How old every metric of a quarter is. A combined score is not listed beside its parts."""
    last = periods.end_of_quarter(figures.quarter)
    found = scoring.period_ends(figures, framework)
    known = {metric.score: metric for metric in framework.metric}
    found = found[found["metric_id"].isin(list(known))]
    counted = found.groupby(["metric_id", "period"], sort=False).agg(ends=("ends", "first"), trusts=("ends", "size"))
    rows = counted.reset_index()
    domains = {domain.key: domain.name for domain in framework.domain}
    metrics = [known[score] for score in rows["metric_id"]]
    rows = rows.assign(
        name=[metric.name for metric in metrics],
        short=[metric.short for metric in metrics],
        domain=[domains[metric.domain] for metric in metrics],
        survey=[metric.survey for metric in metrics],
        age=months_between([end if isinstance(end, date) else None for end in rows["ends"]], last),
    )
    rows = rows.sort_values(["age", "short", "period"], ascending=[False, True, True], na_position="last")
    absent = tuple(metric.short for metric in framework.metric if metric.score not in set(rows["metric_id"]))
    return DataAges(figures.quarter, last, rows[COLUMNS].reset_index(drop=True), absent)
