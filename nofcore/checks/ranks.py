"""Published ranks of metrics against the values beside them, within each trust type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nofcore.checks.order import impossible, one_rank_out, opponents, out_of_order, uncounted
from nofcore.framework import Framework, Metric
from nofcore.release import Release


@dataclass(frozen=True)
class RankCheck:
    """What the published ranks of a quarter say of the values beside them.

    ``compared``: ranks judged (not those of figures in a unit of their own); ``outside``: rows (trust_code, metric_id,
    trust_type, value, rank) whose value and rank contradict each other, each with those of all others of its type in
    order, and ``against``, the code of the one trust that it contradicts, "" where there are several; ``gaps``: a row
    per metric and type whose ranks do not count the rows (metric_id, trust_type, rows, wrong, and trust_code and rank
    of the highest that cannot be); ``open``: a row per metric and type, otherwise in order, whose ranks do not follow
    on each other (metric_id, trust_type, rows, the place where, and codes: the trusts one of whose ranks is wrong, ()
    where that cannot be told).
    """

    compared: int
    outside: pd.DataFrame
    gaps: pd.DataFrame
    open: pd.DataFrame


def check(release: Release, framework: Framework) -> RankCheck:
    """Judge the ranks of values, metric scores and domain scores. League ranks are judged with the league table."""
    better = {metric.value: metric.better for metric in framework.metric if metric.value}
    better |= dict.fromkeys([*framework.score_ids, *(domain.score for domain in framework.domain)], "low")
    rows = release.observations
    rows = rows[rows["metric_id"].isin(better)]
    rows = rows.assign(trust_type=rows["trust_code"].map(release.trusts["trust_type"]))
    rows = rows.reset_index(drop=True)
    ids = rows["metric_id"].to_numpy(dtype=object)
    signs = np.array([1 if better[metric_id] == "low" else -1 for metric_id in ids])
    figures, ranks = signs * rows["value"].to_numpy(dtype=float), rows["rank"].to_numpy(dtype=float)
    for metric in framework.metric:
        if metric.unit:
            mine = ids == metric.value
            figures[mine] = _of_two_units(figures[mine], rows["unit"].to_numpy(dtype=object)[mine], metric)
    known = ~np.isnan(figures) & ~np.isnan(ranks)
    against = np.full(len(rows), "", dtype=object)
    outside = np.zeros(len(rows), dtype=bool)
    codes = rows["trust_code"].to_numpy(dtype=object)
    gaps, left_open = [], []
    for (metric_id, trust_type), group in rows.groupby(["metric_id", "trust_type"], sort=False).indices.items():
        mine = group[known[group]]
        whole = len(mine) == len(group)
        outside[mine] = _outside(figures[mine], ranks[mine], whole)
        for entry in np.flatnonzero(outside[mine]):
            others = opponents(figures[mine], ranks[mine], entry)
            against[mine[entry]] = codes[mine[others[0]]] if len(others) == 1 else ""
        mine = mine[~outside[mine]]
        # Figures that are missing or out of order may stand anywhere.
        wrong = mine[impossible(figures[mine], ranks[mine], slack=len(group) - len(mine))]
        if len(wrong):
            worst = wrong[ranks[wrong].argmax()]
            gaps.append((metric_id, trust_type, len(group), len(wrong), codes[worst], ranks[worst]))
        elif len(mine) == len(group) and (found := uncounted(ranks[mine])):
            place, entries = found
            left_open.append((metric_id, trust_type, len(group), place, tuple(codes[mine[entries]])))
    columns = ["trust_code", "metric_id", "trust_type", "value", "rank"]
    names = ["metric_id", "trust_type", "rows", "wrong", "trust_code", "rank"]
    places = ["metric_id", "trust_type", "rows", "place", "codes"]
    return RankCheck(
        int(known.sum()),
        rows.loc[outside, columns].assign(against=against[outside]).reset_index(drop=True),
        pd.DataFrame(gaps, columns=names),
        pd.DataFrame(left_open, columns=places),
    )


def _of_two_units(figures: np.ndarray, units: np.ndarray, metric: Metric) -> np.ndarray:
    """Figures (the lower the better) as they are ranked where some are in a unit of their own: these have places among
    the others that no value gives, so they are taken as not known, and all that meet a standard share rank 1."""
    if metric.standard is not None:
        standard = metric.standard if metric.better == "low" else -metric.standard
        figures = np.maximum(figures, standard)
    return np.where(np.isin(units, list(metric.unit)), np.nan, figures)


def _outside(figures: np.ndarray, ranks: np.ndarray, whole: bool) -> np.ndarray:
    """What is out of order; of two entries that contradict each other alone, the one that leaves its place open."""
    outside = out_of_order(figures, ranks)
    if whole and outside.sum() == 1 and (entry := one_rank_out(figures, ranks)) is not None:
        outside[:] = False
        outside[entry] = True
    return outside
