"""Published ranks of metrics against the values beside them, within each trust type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nofcore.checks.order import impossible, out_of_order
from nofcore.framework import Framework
from nofcore.release import Release


@dataclass(frozen=True)
class RankCheck:
    """What the published ranks of a quarter say of the values beside them.

    ``compared``: ranks judged; ``outside``: rows (trust_code, metric_id, trust_type, value, rank) whose value and
    rank contradict each other, each with those of all others of its type in order; ``gaps``: a row per metric and
    type whose ranks do not count the rows (metric_id, trust_type, rows, wrong, highest).
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
    for (metric_id, trust_type), group in rows.groupby(["metric_id", "trust_type"], sort=False):
        known = group["value"].notna() & group["rank"].notna()
        compared += int(known.sum())
        mine = group[known]
        sign = 1 if better[metric_id] == "low" else -1
        wrong = mine[out_of_order(sign * mine["value"], mine["rank"])]
        if len(wrong):
            outside.append(wrong)
        if len(mine):
            gaps += _gaps(group, mine, sign, len(wrong), metric_id, trust_type)
    columns = ["trust_code", "metric_id", "trust_type", "value", "rank"]
    found = pd.concat(outside)[columns] if outside else pd.DataFrame(columns=columns)
    names = ["metric_id", "trust_type", "rows", "wrong", "highest"]
    return RankCheck(compared, found.reset_index(drop=True), pd.DataFrame(gaps, columns=names))


def _gaps(group: pd.DataFrame, mine: pd.DataFrame, sign: int, outside: int, metric_id, trust_type) -> Iterator[tuple]:
    """A rank that cannot count the rows at hand, beyond what figures that are missing or out of order explain."""
    slack = len(group) - len(mine) + outside
    valued = group[group["value"].notna()]
    ranks = valued["rank"].to_numpy(dtype=float)
    wrong = int(impossible(sign * valued["value"].to_numpy(), ranks, slack).sum())
    if wrong:
        yield metric_id, trust_type, len(group), wrong, int(np.nanmax(ranks))
