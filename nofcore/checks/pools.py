"""Scores whose values are not given, and what they keep from being scored again: one place too few moves all others."""

from __future__ import annotations

import pandas as pd

from nofcore import scoring
from nofcore.checks.case import Case
from nofcore.framework import Metric
from nofcore.release import Release
from nofcore.reproduce import CLOSE

FEW_OFF = 0.1
"""Share of the scores between the ends of a pool up to which those that do not follow are wrong by themselves. A place too
few moves more of them: the steps of a pool of 134 or 205 differ then by enough for about a third to be rounded otherwise."""


def of_whole_pools(case: Case, made: pd.DataFrame) -> pd.DataFrame:
    """Scores made from values, but for those of pools in which a trust has, or may have, a place and no value. Notes what is left
    out.

    ``made``: trust_code, metric_id, score, published_score, ...
    """
    released = scoring.within(case.release, case.framework)
    scored = scoring.observed(released, case.framework.score_ids)
    valued = scoring.observed(released, [metric.value for metric in case.framework.metric if metric.value])
    types, said, lost = made["trust_code"].map(case.release.trusts["trust_type"]), [], set()
    keep = pd.Series(True, made.index)
    for metric in (metric for metric in case.framework.metric if metric.scorable):
        mine = scored[scored["metric_id"] == metric.score]
        with_value = valued.loc[valued["metric_id"] == metric.value, "trust_code"]
        mine = pd.concat([mine, _suppressed(case, released, metric, mine, made[made["metric_id"] == metric.score])])
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


def _suppressed(case: Case, release: Release, metric: Metric, scored: pd.DataFrame, made: pd.DataFrame) -> pd.DataFrame:
    """Rows of a metric without a figure, of trusts without a score, that may have a place: the scores of their pool do
    not follow from the other values."""
    rows, types = release.observations, release.trusts["trust_type"]
    rows = rows[rows["metric_id"].isin([metric.score, metric.value]) & rows["value"].isna()]
    rows = rows[~rows["trust_code"].isin(scored["trust_code"])].drop_duplicates("trust_code")
    rows = rows.assign(trust_type=rows["trust_code"].map(types), metric_id=metric.score)
    off = _off(case, metric, made)
    if metric.pool != "type":
        return rows if len(off) and off.mean() > FEW_OFF else rows.iloc[:0]
    of_type = off.groupby(made["trust_code"].map(types)).mean()
    return rows[rows["trust_type"].map(of_type).fillna(0) > FEW_OFF]


def _off(case: Case, metric: Metric, made: pd.DataFrame) -> pd.Series:
    """Which scores made from values are not as published, of those that a place more or less would move: the ends of the
    pool and the fixed score stay."""
    decimals, part = case.framework.scale.decimals, scoring.spread_of(metric, case.framework)
    made = made[~made["score"].isin([part.best, part.worst, part.fixed])] if part is not None else made.iloc[:0]
    scores = scoring.to_hundredths(made["score"], decimals) / 10**decimals
    return (made["published_score"] - scores).abs() >= CLOSE / 2


def _placed(case: Case, metric: Metric, without: pd.DataFrame) -> pd.DataFrame:
    """Of scores without values, those in the spread part of the pool: not at the fixed score, nor in a unit of their
    own."""
    part = scoring.spread_of(metric, case.framework)
    if part is None:
        return without.iloc[:0]
    rows = case.release.observations
    outside = rows.loc[(rows["metric_id"] == metric.value) & rows["unit"].isin(list(metric.unit)), "trust_code"]
    return without[(without["value"] != part.fixed) & ~without["trust_code"].isin(outside)]
