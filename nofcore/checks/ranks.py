"""Published ranks of metrics against the values beside them, within each trust type."""

from __future__ import annotations

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
    rows = rows.reset_index(drop=True)
    ids = rows["metric_id"].to_numpy(dtype=object)
    signs = np.array([1 if better[metric_id] == "low" else -1 for metric_id in ids])
    figures, ranks = signs * rows["value"].to_numpy(dtype=float), rows["rank"].to_numpy(dtype=float)
    known = ~np.isnan(figures) & ~np.isnan(ranks)
    outside = np.zeros(len(rows), dtype=bool)
    gaps = []
    for (metric_id, trust_type), group in rows.groupby(["metric_id", "trust_type"], sort=False).indices.items():
        mine = group[known[group]]
        outside[mine] = out_of_order(figures[mine], ranks[mine])
        mine = mine[~outside[mine]]
        # Figures that are missing or out of order may stand anywhere.
        wrong = mine[impossible(figures[mine], ranks[mine], slack=len(group) - len(mine))]
        if len(wrong):
            worst = wrong[ranks[wrong].argmax()]
            code = rows["trust_code"].iat[worst]
            gaps.append((metric_id, trust_type, len(group), len(wrong), code, ranks[worst]))
    columns = ["trust_code", "metric_id", "trust_type", "value", "rank"]
    names = ["metric_id", "trust_type", "rows", "wrong", "trust_code", "rank"]
    found = rows.loc[outside, columns].reset_index(drop=True)
    return RankCheck(int(known.sum()), found, pd.DataFrame(gaps, columns=names))
