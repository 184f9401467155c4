"""What cannot be told to the last digit, because unrounded scores are in doubt."""

from __future__ import annotations

from functools import cached_property

import pandas as pd

from nofcore import scoring
from nofcore.checks.case import Case, differs
from nofcore.reproduce import CLOSE

FEW = 30
"""Fewer scores of a pool that is not whole may fit a smaller number of trusts than the true one, so that averages
made from them can be out by the last digit: with 10 scores it happens, with 61 it does not."""


class Doubts:
    """Which trusts and domains have a score that may be another than the unrounded one."""

    def __init__(self, case: Case):
        self.case = case

    def beyond(self, rows: pd.DataFrame) -> pd.DataFrame:
        """What differs, but for trusts of which a score is known to be wrong, and by more than the last digit where
        unrounded scores are in doubt."""
        wrong = {code for code, _ in self.case.bad_scores}
        doubted = rows["trust_code"].isin(self.case.unrecovered)
        for domain, codes in self._of_few.items():
            doubted |= rows["item"].isin([domain, ""]) & rows["trust_code"].isin(codes)
        doubted &= ~pd.MultiIndex.from_frame(rows[["trust_code", "item"]]).isin(self._copied)
        loose = doubted & ((rows["rebuilt"] - rows["published"]).abs() < CLOSE * 1.5)
        return rows[differs(rows) & ~rows["trust_code"].isin(wrong) & ~loose]

    @cached_property
    def _copied(self) -> pd.MultiIndex:
        """(trust, domain score) of domains in which a trust has one score alone, which the domain score must equal."""
        averaged = [entry for entry in self.case.framework.by_score.values() if getattr(entry, "averaged", True)]
        key = {domain.key: domain.score for domain in self.case.framework.domain}
        of_score = {entry.score: key[entry.domain] for entry in averaged}
        rows = scoring.observed(self.case.release, of_score)
        counts = rows.groupby(["trust_code", rows["metric_id"].map(of_score)]).size()
        return counts.index[counts == 1]

    @cached_property
    def _of_few(self) -> dict[str, set[str]]:
        """Trusts with a score of a metric of which few scores are at hand and not the whole pool, by domain score."""
        seen = scoring.observed(self.case.release, self.case.framework.score_ids)
        have, of_metric = set(seen["trust_type"].unique()), seen.groupby("metric_id")["trust_code"]
        scores = {domain.key: domain.score for domain in self.case.framework.domain}
        counts = of_metric.size()
        found: dict[str, set[str]] = {}
        for metric in self.case.framework.metric:
            whole = metric.pool == "type" or set(metric.trust_types) <= have
            few = 0 < counts.get(metric.score, 0) < FEW
            if few and not whole and scoring.spread_of(metric, self.case.framework):
                found.setdefault(scores[metric.domain], set()).update(of_metric.get_group(metric.score))
        return found
