"""The values of one metric as they are ranked in its pools, and the better values that matter there.

Equal values: published figures are rounded, and NHS England ranks what lies behind them. Trusts that
are not changed keep the order in which their published scores put equal values. A changed value
that equals others has no published order and shares the best place among them (our convention, after
the official rule that tied trusts take the best score).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from nofcore import league, rescoring, scoring
from nofcore.framework import Lookup
from nofcore.measures import Measure, measure
from nofcore.release import Release
from nofcore.rescoring import Rescorer

PLACES = 6
"""Decimals to which values are told apart; published ones have 2 at most."""
_NUDGE = 1e-9
"""Keeps equal values in order: less than half of the last of `PLACES` even for the largest pools."""


def order_of_equals(values: np.ndarray, pools: np.ndarray, scores: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Place among equal values of one pool, counted from 0 for the worst; (trusts,).

    By published score, the only figure that orders trusts of different types; where one of the
    equal trusts has no score, by published Rank; where one has no Rank either, all share the best
    place. Equal scores share a place too.
    """
    found = np.zeros(len(values), dtype=np.int64)
    _, cluster = np.unique(np.column_stack([pools, values]), axis=0, return_inverse=True)
    for number in np.flatnonzero(np.bincount(cluster) > 1):
        mine = np.flatnonzero(cluster == number)
        by = next(
            (figures[mine] for figures in (scores, ranks) if not np.isnan(figures[mine]).any()), np.zeros(len(mine))
        )
        found[mine] = np.unique(-by, return_inverse=True)[1]
    return found


@dataclass(frozen=True, eq=False)
class Pooled:
    """The values of one metric as they are ranked in its pools.

    All arrays are (trusts,), the columns of ``rescorer``: ``values``, rounded to `PLACES`; ``pools``:
    codes of those ranked together; ``order``: of `order_of_equals`, 0 where a lookup makes the score;
    ``grid``: the last digit published; ``steps``, ``best``: of the measure, ``best`` NaN where values
    have no end; ``measures``: a measure each.
    """

    rescorer: Rescorer
    values: np.ndarray
    pools: np.ndarray
    order: np.ndarray
    grid: np.ndarray
    steps: np.ndarray
    best: np.ndarray
    measures: tuple[Measure, ...]

    @property
    def sign(self) -> int:
        """1 where high values are better, -1 where low ones are."""
        return 1 if self.rescorer.metric.better == "high" else -1

    @cached_property
    def row(self) -> np.ndarray:
        """(trusts,) values that stand in the published order, equal ones among them."""
        return self._nudged(self.values, self.order)

    def all_changed(self, new: np.ndarray) -> np.ndarray:
        """The same for new values of all trusts, whose order is kept among those that were and are equal."""
        return self._nudged(np.round(new, PLACES), self.order)

    def changed(self, columns: np.ndarray, new: np.ndarray) -> np.ndarray:
        """(cases, trusts): in each case one trust, its column given, has a new value."""
        new = np.round(new, PLACES)
        rows = np.tile(self.row, (len(columns), 1))
        # A trust whose value stays keeps its own place among its equals.
        order = np.where(new == self.values[columns], self.order[columns], self.best_order(columns, new))
        rows[np.arange(len(columns)), columns] = self._nudged(new, order)
        return rows

    def _nudged(self, values: np.ndarray, order: np.ndarray) -> np.ndarray:
        return values + self.sign * _NUDGE * order

    @cached_property
    def _clusters(self) -> tuple[np.ndarray, np.ndarray]:
        """(pool and value as one number, the best order at it), ascending."""
        keys, cluster = np.unique(_keys(self.pools, self.values), return_inverse=True)
        best = np.zeros(len(keys), dtype=np.int64)
        np.maximum.at(best, cluster, self.order)
        return keys, best

    def best_order(self, columns: np.ndarray, values: np.ndarray) -> np.ndarray:
        """The best order among the trusts at some values, in the pools of some columns; 0 where there is none."""
        keys, best = self._clusters
        wanted = _keys(self.pools[columns], values)
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[at] == wanted, best[at], 0)

    def places(self, rows: np.ndarray) -> np.ndarray:
        """Places in the pool by value, best first, of rows of `changed`; equal trusts share the best."""
        keys = np.rint(rows / _NUDGE).astype(np.int64) * -self.sign
        return league.ranks_within(keys, self.pools)

    def possible(self, columns: np.ndarray, new: np.ndarray) -> np.ndarray:
        """Whether new values are not beyond the best there can be."""
        return ~(self.sign * (self.best[columns] - new) < 0)


def _keys(pools: np.ndarray, values: np.ndarray) -> np.ndarray:
    return pools * 2**50 + np.rint(values * 10**PLACES).astype(np.int64)


def pooled(figures: Release, rescorer: Rescorer, published: pd.DataFrame) -> Pooled:
    """The values behind a rescorer. ``published``: scores, trusts by metric_id, NaN where there is none."""
    metric = rescorer.metric
    rows = scoring.observed(figures, [metric.value]).set_index("trust_code").loc[rescorer.codes]
    values = np.round(rescorer.values, PLACES)
    pools, by_place = np.zeros(len(values), dtype=np.int64), np.zeros(len(values), dtype=bool)
    parts = [*rescorer.pools, *((columns, None) for columns, _ in rescorer.lookups)]
    grid = np.empty(len(values))
    for code, (columns, part) in enumerate(parts):
        pools[columns], by_place[columns] = code, part is not None
        shown = rescoring.decimals_shown(values[columns])
        grid[columns] = 10.0 ** -(PLACES if shown is None else min(shown, PLACES))
    scores = published.reindex(index=rescorer.codes, columns=[metric.score])[metric.score].to_numpy(dtype=float)
    order = order_of_equals(values, pools, scores, rows["rank"].to_numpy(dtype=float))
    known = tuple(measure(metric.value, unit) for unit in rows["unit"])
    return Pooled(
        rescorer, values, pools, np.where(by_place, order, 0), grid,
        np.array([one.step for one in known], dtype=float),
        np.array([np.nan if one.best is None else one.best for one in known], dtype=float), known,
    )  # fmt: skip


# --- better values -------------------------------------------------------------------------------


def one_unit(one: Pooled) -> np.ndarray:
    """Values one unit better, at most the best possible; NaN where there is no better one."""
    new = one.values + one.sign * one.steps
    new = np.round(np.fmin(new, one.best) if one.sign > 0 else np.fmax(new, one.best), PLACES)
    return np.where(one.sign * (new - one.values) > 0, new, np.nan)


def one_place(one: Pooled) -> np.ndarray:
    """The nearest values, with as many decimals as published, that gain a place in the pool; NaN where none does.

    A trust behind others of its own published value passes them with one more of the last digit
    published. Any other trust draws level with the next better value, and so shares its best place.
    """
    new = np.full(len(one.values), np.nan)
    for pool in np.unique(one.pools):
        mine = np.flatnonzero(one.pools == pool)
        ascending, cluster = np.unique(one.sign * one.values[mine], return_inverse=True)
        new[mine] = one.sign * np.append(ascending, np.nan)[cluster + 1]
    behind = one.order < one.best_order(np.arange(len(new)), one.values)
    passing = np.round(one.values + one.sign * one.grid, PLACES)
    new = np.where(behind, passing, new)
    return np.where(one.possible(np.arange(len(new)), new), new, np.nan)


def targets(one: Pooled) -> np.ndarray:
    """The next better value that meets a standard, passes a floor or enters a better bracket; NaN where none does."""
    new = np.full(len(one.values), np.nan)
    for mine, points in zip(_members(one), edges(one), strict=True):
        if not len(points):
            continue
        values, level = one.values[mine][:, None], _level(one, mine[0])
        gap = one.sign * (points - values)
        nearer = (gap > 0) & (level(points) < level(values))
        gap = np.where(nearer, gap, np.inf)
        nearest = gap.argmin(axis=1)
        new[mine] = np.where(np.isfinite(gap.min(axis=1)), points[nearest], np.nan)
    return np.where(one.possible(np.arange(len(new)), new), new, np.nan)


def _members(one: Pooled) -> list[np.ndarray]:
    return [np.flatnonzero(one.pools == pool) for pool in np.unique(one.pools)]


def scored_by_place(one: Pooled) -> bool:
    """Whether a place in the pool makes every score, and no lookup does."""
    return all(_lookup(one, mine[0]) is None for mine in _members(one))


def _lookup(one: Pooled, column: int) -> Lookup | None:
    """The lookup that scores a column: of its unit, or of the metric."""
    for columns, lookup in one.rescorer.lookups:
        if columns.start <= column < columns.stop:
            return lookup
    return one.rescorer.metric.lookup if one.rescorer.metric.model == "lookup" else None


def _level(one: Pooled, column: int):
    """What the absolute part of a rule makes of values: lower is better."""
    if lookup := _lookup(one, column):
        return lambda values: scoring.look_up(values, lookup)
    metric = one.rescorer.metric
    return lambda values: scoring.is_fixed(values, metric) != (metric.model == "standard")


def edges(one: Pooled) -> list[np.ndarray]:
    """For each pool the values, with as many decimals as published, at and beside its standard, floor or brackets."""
    found = []
    for mine in _members(one):
        lookup, threshold, grid = _lookup(one, mine[0]), one.rescorer.metric.threshold, one.grid[mine[0]]
        bounds = [threshold] if threshold is not None else []
        if lookup:
            bounds = [b for x in lookup.brackets for b in (x.at_least, x.above, x.at_most, x.below) if b is not None]
        whole = np.round(np.array(bounds, dtype=float) / grid, PLACES)
        near = [np.floor(whole) - 1, np.floor(whole), np.ceil(whole), np.ceil(whole) + 1]
        found.append(np.unique(np.round(np.concatenate(near) * grid, PLACES)) + 0.0)
    return found


def outcomes_beyond(one: Pooled) -> list[np.ndarray]:
    """For each pool all values, in order of improvement, at which anything can change for a trust that improves.

    Between two of them nothing does: at another trust's value, just past it, and at and beside a
    standard, floor or bracket bound. "Just past" is one more of the last digit published. Where a
    lookup scores, other trusts' values do not matter.
    """
    found = []
    for mine, points in zip(_members(one), edges(one), strict=True):
        if not _lookup(one, mine[0]):
            values = one.values[mine]
            points = np.concatenate([values, values + one.sign * one.grid[mine], points])
        found.append(one.sign * np.unique(one.sign * np.round(points, PLACES)))
    return found
