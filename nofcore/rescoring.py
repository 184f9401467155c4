"""Score drawn values again: from drawn values of any metrics to scores, items and averages.

First the arithmetic on arrays (`rescore`), then `Rescoring`, which takes drawn values of any metrics
to averages, and `prepare`, which makes one for a release.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pandas as pd

from nofcore import league, scoring
from nofcore.errors import InputError
from nofcore.framework import Combined, Framework, Lookup, Metric
from nofcore.release import Release
from nofcore.scoring import Spread, to_hundredths

_AT_A_TIME = 250
"""Draws scored together: few enough for the processor's cache, which makes it twice as fast."""


# --- scoring many draws of a pool -----------------------------------------------------------------


def rescore(values: np.ndarray, metric: Metric, part: Spread | None, decimals: int | None = None) -> np.ndarray:
    """Scores of one pool in every draw: `nofcore.scoring.score_pool` for many draws at a time.

    ``values``: (draws, trusts), the whole pool; ``part``: `nofcore.scoring.spread_of` the metric,
    None for a lookup; ``decimals``: round the scores half up to so many places, not at all where
    None. Tie rule: equal values share the best rank; drawn values have no published Rank to order
    them. The number of trusts in the spread part is that of the draw; a spread part of one scores
    best. Raises ValueError if a value is missing or infinite.
    """
    values = np.asarray(values, dtype=float)
    if not np.isfinite(values).all():
        raise ValueError("values of a pool must be finite numbers")
    if part is None:
        return rounded(scoring.look_up(values, metric.lookup), decimals)
    draws, trusts = values.shape
    if trusts == 0:
        return values.copy()
    table = _scores_by_place(trusts, part, decimals)
    # Trusts by draws in memory, draws by trusts to look at: what follows works trust by trust.
    scores = np.empty((trusts, draws))
    for start in range(0, draws, _AT_A_TIME):
        some = slice(start, start + _AT_A_TIME)
        scores[:, some] = _rescore(values[some], metric, table)
    return scores.T


def _rescore(values: np.ndarray, metric: Metric, table: np.ndarray) -> np.ndarray:
    """Scores of a few draws, (trusts, draws)."""
    ascending = values + 0.0 if metric.better == "low" else 0.0 - values  # and no -0.0, which sorts below 0.0
    n = np.full(len(values), values.shape[1])
    if metric.threshold is not None:
        fixed = scoring.is_fixed(values, metric)
        np.putmask(ascending, fixed, np.inf)
        n -= np.count_nonzero(fixed, axis=1)
    return _score_by_order(ascending, n, table)


def rounded(figures: np.ndarray, decimals: int | None) -> np.ndarray:
    return figures if decimals is None else to_hundredths(figures, decimals) / 10.0**decimals


@lru_cache(maxsize=128)
def _scores_by_place(size: int, part: Spread, decimals: int | None) -> np.ndarray:
    """Row n: the scores in order from the best where n of ``size`` trusts are in the spread part."""
    table = np.full((size + 1, size), part.fixed if part.fixed is not None else np.nan)
    for n in range(1, size + 1):
        table[n, :n] = scoring.spread(np.arange(1, n + 1), n, part.best, part.worst)
    return rounded(table, decimals)


def _score_by_order(ascending: np.ndarray, n: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Scores, (trusts, draws), from values of which the first ``n`` of each row, in order, are in the spread part.

    numpy sorts whole numbers several times faster than it finds an order, so the place of a trust
    rides in the last bits of its value. Values that agree in all other bits are looked at again.
    """
    size = ascending.shape[1]
    mask = (1 << (size - 1).bit_length()) - 1
    keys = ascending.view(np.int64)
    keys = keys ^ ((keys >> 63) & np.iinfo(np.int64).max)  # whole numbers in the order of the floats
    keys &= ~mask
    keys |= np.arange(size)
    keys.sort(axis=1)
    near = (keys[:, 1:] ^ keys[:, :-1]).view(np.uint64) <= mask
    near &= np.arange(1, size) < n[:, None]
    order = keys
    order &= mask
    ordered = table[n]
    rows = np.flatnonzero(near.any(axis=1))
    if len(rows):
        order[rows], lead = _order_with_ties(ascending[rows], order[rows])
        ordered[rows] = np.take_along_axis(ordered[rows], lead, axis=1)
    scores = np.empty(ordered.size)
    order *= len(ordered)
    order += np.arange(len(ordered))[:, None]
    scores[order] = ordered
    return scores.reshape(size, len(ordered))


def _order_with_ties(values: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order of each row by the whole value, and at each place the first place of an equal value."""
    ordered = np.take_along_axis(values, order, axis=1)
    wrong = np.flatnonzero((ordered[:, 1:] < ordered[:, :-1]).any(axis=1))
    if len(wrong):
        order[wrong] = np.argsort(values[wrong], axis=1, kind="stable")
        ordered[wrong] = np.take_along_axis(values[wrong], order[wrong], axis=1)
    lead = np.broadcast_to(np.arange(values.shape[1]), values.shape).copy()
    lead[:, 1:][ordered[:, 1:] == ordered[:, :-1]] = 0
    return order, np.maximum.accumulate(lead, axis=1)


# --- from drawn values of any metrics to averages -------------------------------------------------


@dataclass(frozen=True)
class Rescorer:
    """How the values of one metric become scores.

    ``codes``: trusts with a value, the columns of drawn values; ``values``: published; ``pools``:
    (columns, spread) of the trusts scored together; ``lookups``: (columns, lookup) of those outside
    a pool, whose unit has a lookup of its own; ``decimals``: scores enter the average rounded so;
    ``judged``: values are rounded to so many decimals before they are scored, see `judged_decimals`.
    """

    metric: Metric
    codes: pd.Index
    values: np.ndarray
    pools: tuple[tuple[slice, Spread | None], ...]
    lookups: tuple[tuple[slice, Lookup], ...]
    decimals: int | None
    judged: int | None

    def scores(self, values: np.ndarray) -> np.ndarray:
        """Scores of drawn values, both (draws, trusts)."""
        if values.ndim != 2 or values.shape[1] != len(self.codes):
            raise ValueError(f"values of {self.metric.value} must be draws by {len(self.codes)} trusts")
        scores = np.empty(values.shape[::-1]).T
        for columns, part in self.pools:
            scores[:, columns] = rescore(values[:, columns], self.metric, part, self.decimals)
        for columns, lookup in self.lookups:
            scores[:, columns] = rounded(scoring.look_up(values[:, columns], lookup), self.decimals)
        return scores


@dataclass(frozen=True)
class Entries:
    """Where a score enters, one item a trust: its column among the scores, the place of the trust, the row
    of the item, its weight in it and its published value."""

    columns: np.ndarray
    trusts: np.ndarray
    rows: np.ndarray
    weights: np.ndarray
    published: np.ndarray


@dataclass(frozen=True)
class Rescoring:
    """Takes drawn values of some metrics to the items and averages of trusts; `prepare` makes one.

    ``codes``: trusts with items, the columns of the averages; ``metrics``: `Rescorer` by metric_id
    of the value; ``combined``: scores read from two others, of which at least one is drawn;
    ``published``: items as published, one after the other for each trust, those of trust t from
    ``starts[t]`` to ``starts[t + 1]``; ``entries``: where each score drawn enters them;
    ``part_scores``: published scores that combined ones are read from; ``best``: of the scale;
    ``decimals``: of an average.
    """

    codes: pd.Index
    metrics: Mapping[str, Rescorer]
    combined: tuple[Combined, ...]
    published: np.ndarray
    starts: np.ndarray
    entries: Mapping[str, Entries]
    part_scores: pd.DataFrame
    best: float
    decimals: int

    def scores(self, drawn: Mapping[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
        """(metric_id of the score, scores) of each metric drawn, then of the combined scores they enter.

        ``drawn``: (draws, trusts) values by metric_id of the value, for all or some of ``metrics``;
        the columns are the trusts in the metric's ``codes``. The columns of a combined score are all
        ``codes`` of this, NaN where a trust has none.
        """
        parts = {}
        wanted = {part for combined in self.combined for part in (combined.rows, combined.columns)}
        for metric_id, values in drawn.items():
            rescorer = self.metrics[metric_id]
            score = rescorer.metric.score
            found = rescorer.scores(values)
            if score in wanted:
                parts[score] = (rescorer.codes, found)
            yield score, found
        for combined in self.combined:
            if combined.rows in parts or combined.columns in parts:
                yield combined.score, self._combine(combined, parts)

    def _combine(self, combined: Combined, parts: Mapping[str, tuple[pd.Index, np.ndarray]]) -> np.ndarray:
        """The combined score of every trust, (draws, trusts); of a trust without both parts, NaN."""
        both = []
        for part in (combined.rows, combined.columns):
            if part in parts:
                codes, drawn = parts[part]
                both.append((self.codes.get_indexer(codes), drawn.T))
            else:  # the published score, in every draw
                published = self.part_scores[part].dropna()
                both.append((self.codes.get_indexer(published.index), published.to_numpy()[:, None]))
        trusts, *at = np.intersect1d(both[0][0], both[1][0], return_indices=True)
        row, column = (
            (scores[place[trusts >= 0]] - self.best).astype(np.intp)
            for (_, scores), place in zip(both, at, strict=True)
        )
        matrix = np.asarray(combined.matrix, dtype=float)
        result = np.full((len(self.codes), len(next(iter(parts.values()))[1])), np.nan)
        result[trusts[trusts >= 0]] = matrix.take(row * matrix.shape[1] + column)
        return result.T

    def items(self, drawn: Mapping[str, np.ndarray]) -> np.ndarray:
        """Unrounded items, (items of all trusts one after the other, draws). See `scores` for ``drawn``."""
        return self._add_changes(self.published, drawn, lambda enters: (enters.rows, enters.weights))

    def _add_changes(self, published: np.ndarray, drawn, where) -> np.ndarray:
        """(rows, draws): published figures plus what the scores drawn change in them, by weight."""
        draws = len(next(iter(drawn.values()), ()))
        found = np.repeat(published[:, None], draws, axis=1)
        for score, scores in self.scores(drawn):
            enters = self.entries[score]
            if len(enters.rows):
                rows, weights = where(enters)
                change = scores.T[enters.columns]
                change -= enters.published[:, None]
                change *= weights[:, None]
                found[rows] += change
        return found

    def averages(self, drawn: Mapping[str, np.ndarray], random: np.random.Generator | None = None) -> np.ndarray:
        """Averages in whole hundredths, (draws, trusts).

        ``random``: where given, the items of every draw are resampled with replacement before they
        are averaged, as many as a trust has.
        """
        sizes = np.diff(self.starts)
        if random is None:
            means = np.add.reduceat(self.published, self.starts[:-1]) / sizes
            found = self._add_changes(means, drawn, lambda e: (e.trusts, e.weights / sizes[e.trusts]))
        else:
            found = _resampled(self.items(drawn), self.starts, random)
        return np.ascontiguousarray(to_hundredths(found, self.decimals).T)


def _resampled(items: np.ndarray, starts: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Averages of each trust's items drawn with replacement in every draw: (trusts, draws)."""
    found = np.empty((len(starts) - 1, items.shape[1]))
    for trust, (start, stop) in enumerate(pairwise(starts)):
        mine = items[start:stop]
        picks = random.integers(0, len(mine), mine.shape, dtype=np.uint16).astype(np.intp)
        found[trust] = np.take_along_axis(mine, picks, axis=0).mean(axis=0)
    return found


def prepare(figures: Release, framework: Framework, metrics: Iterable[str] | None = None) -> Rescoring:
    """Prepare to score drawn values again.

    ``metrics``: metric_ids of the values that will be drawn; all that are scored from a value where
    None. Scores that are not drawn stay as published, unrounded where they can be recovered. Raises
    InputError for a metric that the framework does not score from a value, where part of a pool is not
    at hand, and for rules that do not average, or spread a wanted metric, as the official ones do.
    """
    league.require_plain_average(framework, f"{figures.quarter}: drawn values cannot be averaged")
    known = {metric.value: metric for metric in framework.metric if metric.scorable}
    wanted = list(known) if metrics is None else list(metrics)
    if strangers := [name for name in wanted if name not in known]:
        raise InputError(f"{', '.join(map(repr, strangers))}: the framework scores no metric from these values")
    if others := [name for name in wanted if known[name].spread.by != "rank"]:
        raise InputError(
            f"{', '.join(others)}: drawn values are scored by rank, and these rules score by distance or ties"
        )
    scoring.require_whole_pools(figures, framework, [known[name] for name in wanted])
    scores = league.scores_to_average(figures, framework, "scores")
    made = league.items(scores, framework).values
    present = made.notna().to_numpy()
    row = np.cumsum(present.ravel()).reshape(present.shape) - 1  # of each item, one trust after the other
    rescorers = {name: _rescorer(figures, framework, known[name]) for name in wanted}
    drawn = {rescorer.metric.score: rescorer.codes for rescorer in rescorers.values()}
    combined = tuple(c for c in framework.combined if c.rows in drawn or c.columns in drawn)
    wide = scores.pivot(index="trust_code", columns="metric_id", values="score").reindex(made.index)
    columns = drawn | {c.score: made.index for c in combined}
    entries = {
        score: _entries(score, codes, weights, row, made.index, wide)
        for (score, codes), weights in zip(columns.items(), item_weights(scores, framework, columns), strict=True)
    }
    parts = [part for c in combined for part in (c.rows, c.columns)]
    return Rescoring(
        made.index, rescorers, combined, made.to_numpy()[present], np.append(0, np.cumsum(present.sum(axis=1))),
        entries, wide.reindex(columns=parts), framework.scale.best, framework.scale.decimals,
    )  # fmt: skip


def item_weights(scores: pd.DataFrame, framework: Framework, wanted: Iterable[str]) -> Iterator[np.ndarray]:
    """How much each of some scores weighs in each item: trusts by items, as in `nofcore.league.items`.

    Items are linear in the scores, so they are asked: the items of a score of 1 where all others are
    0 are its weights (1 for itself, one third in a group of three).
    """
    scores = scores[["trust_code", "metric_id"]].astype("category")  # to be turned into columns many times
    for score in wanted:
        unit = (scores["metric_id"] == score).astype(float)
        yield np.nan_to_num(league.items(scores.assign(score=unit), framework).values.to_numpy())


def _entries(score: str, codes: pd.Index, weights, row, trusts: pd.Index, wide: pd.DataFrame) -> Entries:
    at, item = np.nonzero(weights)
    published = wide[score].to_numpy()[at] if score in wide else np.empty(0)
    column = codes.get_indexer(trusts[at])
    has = column >= 0  # a published score without a value stays as it is
    at, item = at[has], item[has]
    return Entries(column[has], at, row[at, item], weights[at, item], published[has])


def _rescorer(figures: Release, framework: Framework, metric: Metric) -> Rescorer:
    rows = scoring.observed(figures, [metric.value])
    outside = np.where(rows["unit"].isin(list(metric.unit)), rows["unit"], "")
    pool = rows["trust_type"] if metric.pool == "type" else ""
    # Trusts that are scored together stand together, so that a pool is a slice.
    rows = rows.assign(outside=outside, pool=np.where(outside == "", pool, "")).sort_values(["outside", "pool"])
    together = rows.groupby(["outside", "pool"], sort=False).size()
    stops = together.cumsum()
    places = [
        (unit, slice(stop - size, stop)) for (unit, _), size, stop in zip(stops.index, together, stops, strict=True)
    ]
    part = scoring.spread_of(metric, framework)
    rounded = metric.score in framework.rounded_first.get(figures.quarter, ())
    return Rescorer(
        metric,
        pd.Index(rows["trust_code"]),
        rows["value"].to_numpy(dtype=float),
        tuple((columns, part) for unit, columns in places if not unit),
        tuple((columns, metric.unit[unit]) for unit, columns in places if unit),
        framework.scale.decimals if rounded else None,
        judged_decimals(rows),
    )


def judged_decimals(rows: pd.DataFrame) -> int | None:
    """To how many decimals values are rounded before they are scored; None for not at all.

    Our inference: where trusts of a type with equal published values always share a Rank, the
    published values themselves were ranked and held against the standard, with the decimals shown;
    where Rank tells equal values apart, or none are equal, the values behind them were.
    ``rows``: trust_type, value, rank (NaN where blank), a row per trust.
    """
    ranked = rows.dropna(subset=["value", "rank"]).groupby(["trust_type", "value"])["rank"].agg(["size", "nunique"])
    tied = ranked[ranked["size"] > 1]
    if tied.empty or (tied["nunique"] > 1).any():
        return None
    return decimals_shown(rows["value"].dropna().to_numpy())


def decimals_shown(values: np.ndarray) -> int | None:
    """The fewest decimals, up to 8, that show every value in full; None where more are needed."""
    return next((d for d in range(9) if np.allclose(values, values.round(d), rtol=0, atol=1e-9)), None)
