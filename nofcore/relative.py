"""Relative, not absolute: what happens when everyone improves, and when one trust alone does.

**The same share.** A trust that improves by a share of x closes x of the distance between its value
and the best possible one: 100 % where high is good, 0 where low is good (percentages, counts,
rates, minutes, days), 10 for scores out of 10. So an improvement asks as much of a metric in which
high is good as of one in which low is good, and no value becomes impossible; scaling the value itself
would ask little of a trust with 5 % of long waits and the impossible of one with 95 % of short ones.

Its limits. Values without an end (signed ones, differences: see `nofcore.measures`) close the distance to
the best value published in their pool instead, which is no end but the only mark there is. A trust
that holds the best value stays. A count is taken as it comes out, 1.8 infections for 2, so it never
falls to none; whole brackets of counts move late. Zero minutes are not in reach of anyone. A share
of the distance is most for those furthest behind, in units, and it keeps everyone's order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nofcore.errors import InputError
from nofcore.improvement import Standing
from nofcore.pools import PLACES, Pooled

SHARES = (1.0, 5.0, 10.0, 20.0)
"""Shares of the distance, in %, where the user names none."""
SHARE = 10.0
KINDS = ("all", "by rank", "absolute")
"""Which metrics improve: all with values; those scored by rank alone; those with a standard, floor or brackets."""


def closer(values: np.ndarray, share: float, best: np.ndarray) -> np.ndarray:
    """Values that have closed a share (0 to below 1) of their distance to the best, rounded to `PLACES`."""
    return np.round(values + share * (best - values), PLACES)


def marks(one: Pooled) -> np.ndarray:
    """(trusts,) the value that each trust of a metric closes in on: the best possible, or the best of its pool."""
    found = one.best.copy()
    for pool in np.unique(one.pools):
        mine = one.pools == pool
        best = one.values[mine].max() if one.sign > 0 else one.values[mine].min()
        found[mine] = np.where(np.isnan(one.best[mine]), best, one.best[mine])
    return found


def improved(one: Pooled, share: float) -> np.ndarray:
    """(trusts,) values that have closed ``share`` % of the distance to their mark."""
    return closer(one.values, share / 100, marks(one))


def is_absolute(one: Pooled) -> bool:
    """Whether a value can change the score without passing anyone: by a standard, a floor or brackets."""
    metric = one.rescorer.metric
    return metric.model != "rank" or bool(metric.unit)


def checked(share: float) -> float:
    if not (isinstance(share, int | float) and np.isfinite(share) and 0 <= share < 100):
        raise InputError(f"a share must be a percentage from 0 to below 100, not {share!r}")
    return float(share)


# --- everyone improves ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Together:
    """Every trust improves by the same share.

    ``trusts``: a row per share (%), kind of metrics (`KINDS`), cut-offs ("published" held, "recomputed" as
    NHS England would) and trust: average, segment and rank _before and _after. ``metrics``: metric_ids by
    kind; ``left_out``: what stays as published and why.
    """

    quarter: str
    trusts: pd.DataFrame
    metrics: Mapping[str, tuple[str, ...]]
    left_out: pd.DataFrame

    def table(self, trust_type: str | None = None) -> pd.DataFrame:
        """A row per share, kind and cut-offs.

        share, kind, cutoffs, trusts, averages_changed, average_change (mean, points), better_segment,
        worse_segment, segments_changed, ranks_changed, mean_places (mean absolute change of rank), most_places.
        """
        rows = self.trusts if trust_type is None else self.trusts[self.trusts["trust_type"] == trust_type]
        average = (rows["average_after"] - rows["average_before"]).round(2)
        segment, places = rows["segment_after"] - rows["segment_before"], rows["rank_before"] - rows["rank_after"]
        figures = rows[["share", "kind", "cutoffs"]].assign(
            trusts=1, averages_changed=average != 0, average_change=average, better_segment=segment < 0,
            worse_segment=segment > 0, segments_changed=segment != 0, ranks_changed=places != 0,
            mean_places=places.abs(), most_places=places.abs(),
        )  # fmt: skip
        how = dict.fromkeys(figures.columns[3:], "sum")
        how |= {"average_change": "mean", "mean_places": "mean", "most_places": "max"}
        return figures.groupby(["share", "kind", "cutoffs"], sort=False).agg(how).reset_index()


def together(standing: Standing, shares: Sequence[float] = SHARES) -> Together:
    """Every trust closes the same share (%) of its distance on every metric with values; see the module's text.

    Everything else stays as published. Equal values stay equal and in their published order.
    """
    relative = standing.framework.segments.rule == "percentiles"  # fixed thresholds cannot be taken anew
    held = ("published", "recomputed") if relative else ("published",)
    chosen = {
        "all": tuple(standing.metrics),
        "by rank": tuple(name for name, one in standing.metrics.items() if not is_absolute(one)),
        "absolute": tuple(name for name, one in standing.metrics.items() if is_absolute(one)),
    }
    frames = []
    for share in map(checked, shares):
        for kind in KINDS:
            metrics = {name: standing.metrics[name] for name in chosen[kind]}
            rows = {name: one.all_changed(improved(one, share))[None] for name, one in metrics.items()}
            hundredths = standing.averages(rows) if rows else standing.hundredths[None]
            frames += [_after(standing, hundredths, share, kind, cutoffs) for cutoffs in held]
    return Together(standing.quarter, pd.concat(frames, ignore_index=True), chosen, standing.left_out)


def _after(standing: Standing, hundredths: np.ndarray, share: float, kind: str, cutoffs: str) -> pd.DataFrame:
    rules = standing.rules(cutoffs)
    start, found = standing.start(rules), rules.rank(hundredths)
    return pd.DataFrame(
        {
            "share": share, "kind": kind, "cutoffs": cutoffs, "trust_code": standing.trusts.index,
            "trust_type": standing.trusts["trust_type"].to_numpy(),
            "trust_name": standing.trusts["trust_name"].to_numpy(),
            "average_before": standing.hundredths / 100, "average_after": hundredths[0] / 100,
            "segment_before": start.segment.astype(np.int64), "segment_after": found.segment[0].astype(np.int64),
            "rank_before": start.rank.astype(np.int64), "rank_after": found.rank[0].astype(np.int64),
        }
    )  # fmt: skip


# --- one trust alone ------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Alone:
    """Each trust in turn improves by the same share on all its metrics, the others stay.

    ``trusts``: see `table`; ``moved``: (trusts, trusts) places that the column's trust wins when the
    row's trust improves, negative where it loses, 0 across types; ``left_out``: of the standing.
    """

    quarter: str
    share: float
    cutoffs: str
    trusts: pd.DataFrame
    moved: pd.DataFrame
    left_out: pd.DataFrame

    def table(self, trust_type: str | None = None) -> pd.DataFrame:
        """A row per trust.

        trust_code, trust_type, trust_name, improved (metrics), as_published (scores that stay so), average,
        segment and rank _before and _after, average_change, places_won, losers (trusts of the type that rank worse),
        places_lost (by them together), most_lost (by one), most_lost_by (the first of them in the
        league), gainers (others that rank better: the pools they are in are spread anew).
        """
        return self.trusts if trust_type is None else self.trusts[self.trusts["trust_type"] == trust_type]

    def losses(self, trust_code: str) -> pd.DataFrame:
        """Who loses when a trust improves alone, most places first: trust_code, trust_name, rank_before, lost."""
        moved = self.moved.loc[trust_code].drop(trust_code)
        lost = -moved[moved < 0]
        rows = self.trusts.set_index("trust_code").loc[lost.index, ["trust_name", "rank_before"]].assign(lost=lost)
        return rows.sort_values(["lost", "rank_before"], ascending=[False, True], kind="stable").reset_index()


def alone(standing: Standing, share: float = SHARE, cutoffs: str = "published") -> Alone:
    """Each trust in turn closes ``share`` % of its distance on all its metrics with values.

    ``cutoffs``: "published" holds the segment cut-offs; "recomputed" takes them anew in each case.
    """
    share, rules, size = checked(share), standing.rules(cutoffs), len(standing.trusts)
    start, own = standing.start(rules), np.arange(size)
    rows, count = {}, np.zeros(size, dtype=np.int64)
    for name, one in standing.metrics.items():
        place, new = standing.place(name), improved(one, share)
        columns = np.flatnonzero(place >= 0)
        rows[name] = np.tile(one.row, (size, 1))
        rows[name][place[columns]] = one.changed(columns, new[columns])
        count[place[columns]] += new[columns] != one.values[columns]
    hundredths = standing.averages(rows)
    found = rules.rank(hundredths)
    moved = np.where(rules.types[:, None] == rules.types, start.rank - found.rank.astype(np.int64), 0)
    index = standing.trusts.index
    others = np.where(np.eye(size, dtype=bool), 0, moved)
    only = standing.left_out["trust_code"].value_counts().reindex(index, fill_value=0)
    trusts = pd.DataFrame(
        {
            "trust_code": index, "trust_type": standing.trusts["trust_type"].to_numpy(),
            "trust_name": standing.trusts["trust_name"].to_numpy(), "improved": count, "as_published": only.to_numpy(),
            "average_before": standing.hundredths / 100, "average_after": hundredths[own, own] / 100,
            "average_change": (hundredths[own, own] - standing.hundredths) / 100,
            "segment_before": start.segment.astype(np.int64), "segment_after": found.segment[own, own].astype(np.int64),
            "rank_before": start.rank.astype(np.int64), "rank_after": found.rank[own, own].astype(np.int64),
            "places_won": moved[own, own], "losers": (others < 0).sum(axis=1), "places_lost": -np.minimum(others, 0).sum(axis=1),
            "most_lost": -others.min(axis=1, initial=0), "gainers": (others > 0).sum(axis=1),
        }
    )  # fmt: skip
    trusts["most_lost_by"] = np.where(trusts["most_lost"] > 0, index[others.argmin(axis=1)], "")
    return Alone(
        standing.quarter, share, cutoffs, trusts, pd.DataFrame(moved, index=index, columns=index), standing.left_out
    )
