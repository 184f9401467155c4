"""Cliff edges: what one small improvement of one metric is worth to one trust, and what a better segment would take.

Scores follow ranks, so a small improvement may pass many trusts or none, and a standard is worth a
whole point in one step. Where improvement pays is also where a target invites gaming.

Every case changes one value of one trust (`nofcore.improvement`): its pool is scored again, all
trusts are ranked again, everything else stays as published, the override flags among it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nofcore import flags
from nofcore.bootstrap import Rules
from nofcore.improvement import Standing, what_happens
from nofcore.pools import PLACES, Pooled, edges, one_place, one_unit, outcomes_beyond, scored_by_place, targets

MOVES = ("unit", "place", "target")
"""One unit of the metric (`nofcore.measures`); the smallest change that gains a place in the pool; the
change to the next standard, floor or bracket."""

BEST_VALUE = "its value is the best there can be"
FIRST = "it is first in its pool"
NO_ROOM = "only trusts with the same published value are ahead, and there is no better one"
NO_TARGET = "the metric has no standard, floor or bracket"
MET = "it meets the standard already, is above the floor or in the best bracket"


# --- cliff edges ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class CliffEdges:
    """What each small improvement is worth.

    ``cases``: a row per trust, metric and move, see `table`; ``left_out``: trust_code, trust_type,
    metric_id, name, move ("" for all), reason; ``cutoffs``: "published" or "recomputed".
    """

    quarter: str
    cutoffs: str
    cases: pd.DataFrame
    left_out: pd.DataFrame

    def table(self, move: str | None = None, trust_type: str | None = None, trust: str | None = None) -> pd.DataFrame:
        """Cases of one move, trust type or trust, or all.

        trust_code, trust_type, trust_name, metric_id, name, better, model, move, unit, value, target
        (the next standard, floor or bracket), gap (how far short of it), new_value, change, steps
        (change in units of improvement), reaches_target; pool_place_before, _after, pool_places (won in the order of
        values of the pool); score, average (points), segment and rank _before and _after, score_change,
        average_change, places_won (in the league table; negative: lost); losers (trusts of the type that rank worse).
        """
        rows = self.cases
        for column, wanted in (("move", move), ("trust_type", trust_type), ("trust_code", trust)):
            rows = rows if wanted is None else rows[rows[column] == wanted]
        return rows.reset_index(drop=True)

    def best_by_trust(self, move: str = "unit", trust_type: str | None = None) -> pd.DataFrame:
        """For each trust the metric in which a move pays most: most places, then the largest fall in the
        average, then the order of the framework. A row for every trust that can make the move, with 0 places where
        none pays."""
        rows = self.table(move, trust_type)
        order = rows.assign(fall=-rows["average_change"], at=np.arange(len(rows)))
        order = order.sort_values(["places_won", "fall", "at"], ascending=[False, False, True], kind="stable")
        return (
            order.drop_duplicates("trust_code").sort_values(["trust_type", "rank_before"]).drop(columns=["fall", "at"])
        )

    def by_metric(self, move: str = "unit", trust_type: str | None = None) -> pd.DataFrame:
        """A row per metric, most places first: metric_id, name, unit, trusts, mean, median and largest places won,
        won_any (trusts that gain a place), pool_places (won in the pool, mean: how large the move is beside those of
        other metrics), best_for (the trust that gains most, the first in the league of equal ones)."""
        rows = self.table(move, trust_type)
        rows = rows.sort_values("rank_before", kind="stable")
        by_metric = rows.groupby(["metric_id", "name", "unit"])
        groups = by_metric["places_won"]
        found = groups.agg(
            trusts="size", mean="mean", median="median", largest="max", won_any=lambda won: (won > 0).sum()
        )
        found["pool_places"] = by_metric["pool_places"].mean()
        found["best_for"] = rows.loc[groups.idxmax(), "trust_code"].to_numpy()
        return found.reset_index().sort_values(["mean", "largest"], ascending=False, kind="stable", ignore_index=True)

    def just_short(self, steps: float = 1, trust_type: str | None = None) -> pd.DataFrame:
        """Cases of the last step to a standard, floor or bracket of at most so many units, nearest first."""
        rows = self.table("target", trust_type)
        return rows[rows["steps"] <= steps + 1e-9].sort_values(["metric_id", "steps"], kind="stable", ignore_index=True)


def cliff_edges(standing: Standing, cutoffs: str = "published") -> CliffEdges:
    """What one unit, one place in the pool and the step to the next target are worth, for every trust and metric.

    ``cutoffs``: "published" holds the segment cut-offs; "recomputed" takes them anew in each case.
    """
    rules, frames, left = standing.rules(cutoffs), [], [standing.left_out.assign(move="")]
    for metric_id, one in standing.metrics.items():
        entering = _entering(standing, metric_id)
        moved = {"unit": one_unit(one), "place": one_place(one), "target": targets(one)}
        for move, new in moved.items():
            frames.append(_cases(standing, metric_id, move, entering & ~np.isnan(new), new, moved["target"], rules))
        left.append(_not_moved(standing, metric_id, entering, moved))
    return CliffEdges(
        standing.quarter, cutoffs, pd.concat(frames, ignore_index=True), pd.concat(left, ignore_index=True)
    )


def _entering(standing: Standing, metric_id: str) -> np.ndarray:
    """Whether each column of a metric can be changed: what cannot is listed in ``standing.left_out``."""
    out = standing.left_out
    codes = standing.metrics[metric_id].rescorer.codes
    return ~codes.isin(out.loc[out["metric_id"] == metric_id, "trust_code"])


def _not_moved(standing: Standing, metric_id: str, entering: np.ndarray, moved) -> pd.DataFrame:
    one = standing.metrics[metric_id]
    behind = one.order < one.best_order(np.arange(len(one.values)), one.values)
    absolute = np.array([len(points) > 0 for points in edges(one)])[np.unique(one.pools, return_inverse=True)[1]]
    reasons = {
        "unit": np.full(len(behind), BEST_VALUE),
        "place": np.where(behind, NO_ROOM, FIRST),
        "target": np.where(absolute, MET, NO_TARGET),
    }
    frames = []
    for move, new in moved.items():
        where = entering & np.isnan(new)
        codes = one.rescorer.codes[where]
        frames.append(
            pd.DataFrame(
                {
                    "trust_code": codes, "trust_type": standing.trusts["trust_type"].reindex(codes).to_numpy(),
                    "metric_id": metric_id, "name": one.rescorer.metric.short, "reason": reasons[move][where], "move": move,
                }
            )
        )  # fmt: skip
    return pd.concat(frames)


def _cases(standing: Standing, metric_id: str, move: str, where, new, target, rules: Rules) -> pd.DataFrame:
    """Rows of `CliffEdges.cases` for the columns of a metric where a move is possible."""
    one, columns = standing.metrics[metric_id], np.flatnonzero(where)
    frame = what_happens(standing, metric_id, columns, new[columns], rules)
    frame.insert(6, "model", one.rescorer.metric.model)
    frame.insert(7, "move", move)
    frame.insert(10, "target", target[columns])
    frame.insert(11, "gap", np.round(np.abs(target - one.values)[columns], PLACES))
    reached = one.sign * (new - target)[columns] >= 0
    frame.insert(15, "reaches_target", reached)
    return frame


# --- the way to the next segment ------------------------------------------------------------------

OPEN = "open"
IN_BEST = "in the best segment"
HELD = "held by the override"
FLAG_UNKNOWN = "perhaps held by the override"
NONE_CAN = "no single metric can"
TOP = "it is at the top already"
NOT_ENOUGH = "even its best score is not enough"


@dataclass(frozen=True, eq=False)
class NextSegment:
    """What it would take to enter the next better segment. ``cutoffs`` as for `cliff_edges`.

    ``trusts``: a row per ranked trust, see `table`; ``metrics``: a row per trust and metric with a
    value, of trusts whose way is open: see `ways`; ``left_out``: of the standing.
    """

    quarter: str
    cutoffs: str
    trusts: pd.DataFrame
    metrics: pd.DataFrame
    left_out: pd.DataFrame

    def table(self, trust_type: str | None = None) -> pd.DataFrame:
        """A row per trust.

        trust_code, trust_type, trust_name, rank, average, segment, status (`OPEN`; `IN_BEST`; `HELD`: its
        average cannot bring a better segment while it is flagged; `FLAG_UNKNOWN`: so it is if it carries the flag, which is
        neither published nor can be deduced; goal and fall are then those without it), flag (how it is known, see
        `nofcore.flags`), goal (the next segment), fall (in
        the average, points, with the cut-offs of the quarter held), items (what the unrounded scores must fall by in all, so that their
        rounded mean falls that far: points on one item; NaN without items, or where the rules do not average as the official ones do),
        metrics (that could be changed), able (of them that can bring it alone), and of the smallest such change, in
        places of the pool: metric_id, name, unit, value, new_value, change, steps, pool_places,
        average_after, rank_after, places_won. answer: `NONE_CAN` where no metric can.
        """
        return self.trusts if trust_type is None else self.trusts[self.trusts["trust_type"] == trust_type]

    def ways(self, trust_code: str | None = None) -> pd.DataFrame:
        """The smallest change of each single metric that brings the next segment, all else as published.

        The columns of `CliffEdges.table`, with goal, able and reason (why it is not able).
        """
        rows = self.metrics
        return rows if trust_code is None else rows[rows["trust_code"] == trust_code].reset_index(drop=True)


def next_segment(standing: Standing, cutoffs: str = "published") -> NextSegment:
    """The fall in the average and the smallest change of a single metric that bring the next better segment.

    Found among the finite set of values at which anything changes (`outcomes_beyond`), so exact to
    the last digit published. A tie for the smallest goes to the fewer units, then to the framework's order.
    """
    rules = standing.rules(cutoffs)
    trusts = _goals(standing, rules)
    goals = trusts["goal"].where(trusts["status"] == OPEN, 0).fillna(0).to_numpy(dtype=np.int64)
    metrics = pd.concat([_ways(standing, name, goals, rules) for name in standing.metrics], ignore_index=True)
    able = metrics[metrics["able"]].sort_values(["pool_places", "steps"], kind="stable").drop_duplicates("trust_code")
    best = ["metric_id", "name", "unit", "value", "new_value", "change", "steps", "pool_places", "average_after"]
    best = [*best, "rank_after", "places_won"]
    counts = metrics.groupby("trust_code")["able"].agg(metrics="size", able="sum").reindex(trusts.index)
    trusts = trusts.join(counts).join(able.set_index("trust_code")[best])
    none = (trusts["status"] == OPEN) & ~(trusts["able"] > 0)
    trusts["answer"] = np.where(none, NONE_CAN, trusts["name"].fillna(""))
    order = ["trust_type", "trust_code", "metric_id"]
    metrics = metrics.sort_values(order, kind="stable", ignore_index=True)
    return NextSegment(standing.quarter, cutoffs, trusts.reset_index(), metrics, standing.left_out)


def _goals(standing: Standing, rules: Rules) -> pd.DataFrame:
    """How far each trust is from the next better segment, by the published cut-offs."""
    start, cuts = standing.start(rules), standing.rules("published").cuts
    segment, basis = start.segment.astype(np.int64), standing.flags["basis"].to_numpy()
    # The worst segment before the override that is good enough: 0 where none is.
    levels = np.arange(1, rules.segments + 1, dtype=np.int8)
    free = (levels < segment[:, None]).sum(axis=1)
    held = (flags.if_flagged(levels, standing.rebuilt) < segment[:, None]).sum(axis=1)
    enough = np.where(rules.flags, held, free)
    unclear = (basis == flags.UNKNOWN) & (held != free)
    status = np.select([segment == 1, unclear, enough == 0], [IN_BEST, FLAG_UNKNOWN, HELD], OPEN)
    is_open = np.isin(status, [OPEN, FLAG_UNKNOWN])
    cut = np.floor(np.take_along_axis(cuts, np.maximum(enough, 1)[:, None] - 1, axis=1)[:, 0])
    trusts = standing.trusts[["trust_type", "trust_name", "average_score", "n_items"]]
    trusts = trusts.rename(columns={"average_score": "average"}).assign(
        rank=start.rank.astype(np.int64), segment=segment, status=status, flag=basis,
        goal=pd.array(segment - 1, dtype="Int64"), fall=np.where(is_open, (standing.hundredths - cut) / 100, np.nan),
    )  # fmt: skip
    trusts["goal"] = trusts["goal"].where(is_open)
    trusts["items"] = np.where(is_open, _points_needed(standing, cut), np.nan)
    return trusts.drop(columns="n_items")


def _points_needed(standing: Standing, cut: np.ndarray) -> np.ndarray:
    """How far the sum of each trust's items is above the largest of which the mean rounds to the cut-off, in hundredths."""
    if not standing.framework.plain_average:
        return np.full(len(cut), np.nan)
    items = standing.rebuilt.items.values.reindex(standing.trusts.index)
    count = items.notna().sum(axis=1).to_numpy()
    # Half up: a mean of just below half a hundredth more still rounds down to the cut-off.
    return np.where(count > 0, items.sum(axis=1).to_numpy() - count * (cut + 0.5) / 100, np.nan)


def _ways(standing: Standing, metric_id: str, goals: np.ndarray, rules: Rules) -> pd.DataFrame:
    """A row per trust with a goal and a value of one metric: the first value that brings the goal, or the last there is."""
    one = standing.metrics[metric_id]
    wanted = goals[standing.place(metric_id)]
    found = list(_candidates(one, np.flatnonzero(_entering(standing, metric_id) & (wanted > 0))))
    columns = np.array([column for column, _ in found], dtype=np.int64)
    sizes = np.array([len(points) for _, points in found], dtype=np.int64)
    new = np.concatenate([points for _, points in found]) if found else np.empty(0)
    case = np.repeat(columns, sizes)

    def reached(at: np.ndarray) -> np.ndarray:
        return standing.outcomes(metric_id, case[at], new[at], rules).segment <= wanted[case[at]]

    first = sizes.cumsum() - sizes
    search = _first_by_halves if rules.cuts is not None and scored_by_place(one) else _first_of_all
    at = search(reached, first, first + sizes - 1)
    frame = what_happens(standing, metric_id, columns, new[at], rules)
    frame["goal"] = wanted[columns]
    frame["able"] = frame["segment_after"] <= frame["goal"]
    frame["reason"] = np.where(frame["able"], "", np.where(frame["change"] == 0, TOP, NOT_ENOUGH))
    return frame


def _first_by_halves(reached, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """For each stretch of cases, from ``low`` to ``high``, the first that is reached; the last where none is.

    For held cut-offs and scores by place: there a trust's own score, and so its segment, only gets
    better along the way.
    """
    low, high = low.copy(), high.copy()
    while (left := np.flatnonzero(low < high)).size:
        middle = (low[left] + high[left]) // 2
        done = reached(middle)
        high[left] = np.where(done, middle, high[left])
        low[left] = np.where(done, low[left], middle + 1)
    return low


def _first_of_all(reached, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The same by trying every case: recomputed cut-offs may move either way."""
    size = int(high[-1]) + 1 if len(high) else 0
    hits = np.flatnonzero(reached(np.arange(size)))
    at = np.searchsorted(hits, low)
    first = np.append(hits, size)[at]
    return np.where(first <= high, first, high)


def _candidates(one: Pooled, columns: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """(column, values beyond its own at which anything changes, nearest first); its own value where there is none."""
    points = dict(zip(np.unique(one.pools), outcomes_beyond(one), strict=True))
    for column in columns:
        mine = points[one.pools[column]]
        mine = mine[one.sign * (mine - one.values[column]) > 0]
        mine = mine[one.possible(np.full(len(mine), column), mine)]
        yield column, mine if len(mine) else one.values[[column]]
