"""What cannot be told to the last digit, because unrounded scores are in doubt."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import numpy as np
import pandas as pd

from nofcore import scoring
from nofcore.checks import again
from nofcore.checks.case import Case, differs
from nofcore.reproduce import CLOSE

EXACT = 1e-6
"""Slack for numbers that are not exact in binary, and for means with `again.UNROUNDED` decimals."""
FEW = 30
"""Fewer scores of a pool that is not whole may fit a smaller number of trusts than the true one, so that averages
made from them can be out by the last digit: with 10 scores it happens, with 61 it does not."""


def _within(rows: pd.DataFrame, places: Iterable[tuple[str, str]]) -> np.ndarray:
    """Which comparisons are of some (trust, domain score), or of the average of such a trust."""
    wanted = {key for code, domain in places for key in ((code, domain), (code, ""))}
    return np.array([key in wanted for key in zip(rows["trust_code"], rows["item"], strict=True)], dtype=bool)


def _rebuilt(comparisons: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """What other comparisons have rebuilt of each figure; NaN where they have not."""
    keys = ["start", "quantity", "trust_code", "item"]
    found = comparisons.drop_duplicates(keys).set_index(keys)["rebuilt"]
    return found.reindex(pd.MultiIndex.from_frame(rows[keys])).to_numpy()


class Doubts:
    """Which trusts and domains have a score that may be another than the unrounded one.

    ``as_published``: comparisons with all scores as they are published.
    """

    def __init__(self, case: Case, as_published: pd.DataFrame):
        self.case = case
        self._as_published = as_published

    def beyond(self, rows: pd.DataFrame) -> pd.DataFrame:
        """What differs, but for what a score that is known to be wrong explains, and by more than the last digit where
        unrounded scores are in doubt. There, what the scores as published rule out is beyond doubt all the same.

        With least and most: the ends of what the scores can give, both as rebuilt where there is no doubt.
        """
        off, doubted = differs(rows), self._doubted(rows)
        loose = doubted & off & ((rows["rebuilt"] - rows["published"]).abs() < CLOSE * 1.5)
        rows = rows.assign(least=rows["rebuilt"], most=rows["rebuilt"])
        if (doubted & off).any():
            least, most = (_rebuilt(made, rows) for made in self._within_rounding)
            most = np.where(most - least > EXACT, most - 2 * EXACT, most)  # which is not reached
            too_low, too_high = (
                rows["published"] <= least - CLOSE / 2 + EXACT,
                rows["published"] > most + CLOSE / 2 + EXACT,
            )
            loose &= self.of_bad_scores(rows) | ~(too_low | too_high)
            for name, end in (("least", least), ("most", most)):
                rows[name] = rows[name].where(~doubted | np.isnan(end), end)
        return rows[off & ~self._explained(rows) & ~loose & ~self.unjudged(rows)]

    def of_bad_scores(self, rows: pd.DataFrame) -> pd.Series:
        """What a score enters that is known to be wrong."""
        return pd.Series(_within(rows, self._entered_by(self.case.bad_scores)), rows.index)

    def _doubted(self, rows: pd.DataFrame) -> pd.Series:
        """What is made of scores of which the unrounded ones are in doubt."""
        doubted = rows["trust_code"].isin(self.case.unrecovered)
        for domain, codes in self._uncertain.items():
            doubted |= rows["item"].isin([domain, ""]) & rows["trust_code"].isin(codes)
        return doubted & ~pd.MultiIndex.from_frame(rows[["trust_code", "item"]]).isin(self._copied)

    def _explained(self, rows: pd.DataFrame) -> pd.Series:
        """What has a score that is wrong and of which nobody knows how it should be, and what follows from a score as it
        is published: its value may be the wrong one."""
        lost = {*(self.case.bad_scores - set(self.case.should)), *self.case.unsure}
        found = pd.Series(_within(rows, self._entered_by(lost)), rows.index)
        mended = self.of_bad_scores(rows)
        if mended.any():
            found |= mended & ((rows["published"] - _rebuilt(self._as_published, rows)).abs() < CLOSE * 1.5)
        return found

    @cached_property
    def _within_rounding(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        return again.within_rounding(self.case)

    def _entered_by(self, scores: set[tuple[str, str]]) -> set[tuple[str, str]]:
        """(trust, domain score) of scores that are averaged, or are parts of combined ones."""
        into = dict(self._averaged)
        for entry in self.case.framework.combined:
            into |= dict.fromkeys((entry.rows, entry.columns), self._averaged.get(entry.score))
        return {(code, into[score]) for code, score in scores if into.get(score)}

    def unjudged(self, rows: pd.DataFrame) -> pd.Series:
        """Which averages and domain scores differ for want of a score that is suppressed, so that nothing can be said of
        them. Rules may average the other scores alone: then they agree."""
        return _within(rows, self.suppressed) & differs(rows)

    def unexplained(self, rows: pd.DataFrame) -> dict[tuple[str, str], list[str]]:
        """`suppressed`, but where the average and domain score follow from the other scores. ``rows``: comparisons with
        the metric scores."""
        return {
            place: gone
            for place, gone in self.suppressed.items()
            if not (mine := _within(rows, [place])).any() or differs(rows[mine]).any()
        }

    @cached_property
    def suppressed(self) -> dict[tuple[str, str], list[str]]:
        """Scores that are averaged and of which a row gives no figure, by trust and domain score."""
        rows = self.case.release.observations
        rows = rows[rows["value"].isna() & rows["metric_id"].isin(self._averaged)]
        found: dict[tuple[str, str], list[str]] = {}
        for row in rows.itertuples(index=False):
            found.setdefault((row.trust_code, self._averaged[row.metric_id]), []).append(row.metric_id)
        return found

    @cached_property
    def _averaged(self) -> dict[str, str]:
        """The domain score that each score enters, of those that are averaged."""
        averaged = [entry for entry in self.case.framework.by_score.values() if getattr(entry, "averaged", True)]
        key = {domain.key: domain.score for domain in self.case.framework.domain}
        return {entry.score: key[entry.domain] for entry in averaged}

    @cached_property
    def _copied(self) -> pd.MultiIndex:
        """(trust, domain score) of domains in which a trust has one score alone, which the domain score must equal."""
        rows = scoring.observed(self.case.release, self._averaged)
        counts = rows.groupby(["trust_code", rows["metric_id"].map(self._averaged)]).size()
        return counts.index[counts == 1]

    @cached_property
    def _uncertain(self) -> dict[str, set[str]]:
        """Trusts with a score of a metric whose number of places is uncertain, by domain score."""
        rows = self.case.release.observations
        seen = scoring.observed(self.case.release, self.case.framework.score_ids)
        have, of_metric = set(seen["trust_type"].unique()), seen.groupby("metric_id")["trust_code"]
        scores = {domain.key: domain.score for domain in self.case.framework.domain}
        found: dict[str, set[str]] = {}
        for metric in self.case.framework.metric:
            if metric.score not in of_metric.groups or not scoring.spread_of(metric, self.case.framework):
                continue
            codes = set(of_metric.get_group(metric.score))
            whole = metric.pool == "type" or set(metric.trust_types) <= have
            # Without units it is not known who is scored outside the pool, and the grid is fitted to their scores too.
            units_unknown = metric.unit and codes - set(rows.loc[rows["metric_id"] == metric.value, "trust_code"])
            if (len(codes) < FEW and not whole) or units_unknown:
                found.setdefault(scores[metric.domain], set()).update(codes)
        return found
