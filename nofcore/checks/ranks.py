"""Published ranks of metrics against the values beside them, within each trust type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from nofcore.checks.order import impossible, out_of_order
from nofcore.framework import Framework
from nofcore.release import Release


@dataclass(frozen=True)
class RankCheck:
    """What the published ranks of a quarter say of the values beside them.

    ``compared``: ranks judged; ``outside``: rows (trust_code, metric_id, trust_type, value, rank) whose value and
    rank contradict each other, each with those of all others of its type in order; ``gaps``: a row per metric and
    type whose ranks do not count the rows (metric_id, trust_type, rows, wrong, and trust_code and rank of
    the highest that cannot be).
    """

    compared: int
    outside: pd.DataFrame
    gaps: pd.DataFrame


def check(release: Release, framework: Framework) -> RankCheck:
    """Judge the ranks of values, metric scores and domain scores. League ranks are judged with the league table."""
    better = {metric.value: metric.better for metric in framework.metric if metric.value}
    better |= dict.fromkeys([*framework.score_ids, *(domain.score for domain in framework.domain)], "low")
    rows = release.observations
    for metric in framework.metric:
        if metric.unit:  # figures in two units are not ranked by value: all that meet the standard share rank 1
            del better[metric.value]
    rows = rows[rows["metric_id"].isin(better)]
    rows = rows.assign(trust_type=rows["trust_code"].map(release.trusts["trust_type"]))
    outside, gaps, compared = [], [], 0
    for (metric_id, _), group in rows.groupby(["metric_id", "trust_type"], sort=False):
        known = group["value"].notna() & group["rank"].notna()
        compared += int(known.sum())
        mine = group[known]
        sign = 1 if better[metric_id] == "low" else -1
        out = out_of_order(sign * mine["value"], mine["rank"])
        if out.any():
            outside.append(mine[out])
        gaps += _gaps(group, mine[~out], sign)
    columns = ["trust_code", "metric_id", "trust_type", "value", "rank"]
    found = pd.concat(outside)[columns] if outside else pd.DataFrame(columns=columns)
    names = ["metric_id", "trust_type", "rows", "wrong", "trust_code", "rank"]
    return RankCheck(compared, found.reset_index(drop=True), pd.DataFrame(gaps, columns=names))


def _gaps(group: pd.DataFrame, mine: pd.DataFrame, sign: int) -> Iterator[tuple]:
    """A rank that cannot count the rows at hand, beyond what figures that are missing or out of order explain."""
    figures = sign * mine["value"].to_numpy()
    wrong = mine[impossible(figures, mine["rank"].to_numpy(dtype=float), slack=len(group) - len(mine))]
    if len(wrong):
        worst = wrong.loc[wrong["rank"].idxmax()]
        yield worst["metric_id"], worst["trust_type"], len(group), len(wrong), worst["trust_code"], worst["rank"]
