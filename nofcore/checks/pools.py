"""Scores whose values are not given, and what they keep from being scored again: one place too few moves all others."""

from __future__ import annotations

import pandas as pd

from nofcore import scoring
from nofcore.checks.case import Case
from nofcore.framework import Metric
from nofcore.release import Release


def of_whole_pools(case: Case, made: pd.DataFrame) -> pd.DataFrame:
    """Scores made from values, but for those of pools in which a trust has, or may have, a place and no value. Notes what is left
    out.

    ``made``: trust_code, metric_id, ...
    """
    released = scoring.within(case.release, case.framework)
    scored = scoring.observed(released, case.framework.score_ids)
    valued = scoring.observed(released, [metric.value for metric in case.framework.metric if metric.value])
    types, said, lost = made["trust_code"].map(case.release.trusts["trust_type"]), [], set()
    keep = pd.Series(True, made.index)
    for metric in (metric for metric in case.framework.metric if metric.scorable):
        mine = scored[scored["metric_id"] == metric.score]
        with_value = valued.loc[valued["metric_id"] == metric.value, "trust_code"]
        mine = pd.concat([mine, _suppressed(released, metric, mine)])
        without = mine[~mine["trust_code"].isin(with_value)]
        if without.empty:
            continue
        said.append(f"{metric.score} ({len(without)} of {len(mine)} trusts)")
        placed = _placed(case, metric, without)
        of_pool = placed["trust_type"].unique() if metric.pool == "type" else types.unique() if len(placed) else ()
        keep &= ~(made["metric_id"].eq(metric.score) & types.isin(of_pool))
        lost |= {metric.score} if len(of_pool) else set()
    if said:
        case.note(f"not all scored again from values, as values are not given for: {', '.join(said)}")
    combined = {entry.score for entry in case.framework.combined if {entry.rows, entry.columns} & lost}
    return made[keep & ~made["metric_id"].isin(combined)]


def _suppressed(release: Release, metric: Metric, scored: pd.DataFrame) -> pd.DataFrame:
    """Rows of a metric without a figure, of trusts without a score: they may have a place in the pool."""
    rows = release.observations
    rows = rows[rows["metric_id"].isin([metric.score, metric.value]) & rows["value"].isna()]
    rows = rows[~rows["trust_code"].isin(scored["trust_code"])].drop_duplicates("trust_code")
    return rows.assign(trust_type=rows["trust_code"].map(release.trusts["trust_type"]), metric_id=metric.score)


def _placed(case: Case, metric: Metric, without: pd.DataFrame) -> pd.DataFrame:
    """Of scores without values, those in the spread part of the pool: not at the fixed score, nor in a unit of their
    own."""
    part = scoring.spread_of(metric, case.framework)
    if part is None:
        return without.iloc[:0]
    rows = case.release.observations
    outside = rows.loc[(rows["metric_id"] == metric.value) & rows["unit"].isin(list(metric.unit)), "trust_code"]
    return without[(without["value"] != part.fixed) & ~without["trust_code"].isin(outside)]
