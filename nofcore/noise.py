"""How much a rank depends on the measurements: draw the values, score every pool again, rank again.

Behind a percentage stand a number of patients and the number of them who did well. Another three
months of the same care would have given other numbers. Here the values of the metrics whose counts
are at hand are drawn (`draw_percentages`), each metric drawn is scored again in its whole pool
(`rescore`), and averages, segments and ranks follow; all other scores stay as published.

What this measures is chance in the counts of those metrics and nothing else: no change in what is
counted, no error in the records, no metric without counts. Values are drawn around the published
ones, which hold noise already, so a trust at the end of a table drifts inwards.

First the arithmetic on arrays, then `Rescoring`, which takes drawn values of any metrics to
averages, then the functions on a release.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from nofcore import bootstrap, league, official, release, scoring
from nofcore.bootstrap import DRAWS, LEVEL, SEED, Counts, RankUncertainty, Rules
from nofcore.errors import InputError, Problem
from nofcore.framework import Combined, Framework, Lookup, Metric
from nofcore.league import LeagueTable
from nofcore.randomness import Block, tally
from nofcore.release import Release
from nofcore.scoring import Spread, to_hundredths

COLUMNS = ["quarter", "trust_code", "metric_id", "numerator", "denominator"]
TOLERANCE = 0.06
"""How far, in percentage points, a ratio of counts may lie from the published value: counts and values
come from different publications, and another release of the counts differs by this much."""
KINDS = ("items", "noise", "both")
"""What is drawn: which metrics were chosen; the measurements; the measurements, then the metrics."""
_AT_A_TIME = 250
"""Draws scored together: few enough for the processor's cache, which makes it twice as fast."""


# --- drawing --------------------------------------------------------------------------------------


def trials(denominators: np.ndarray) -> np.ndarray:
    """Whole numbers of patients: denominators rounded half up, at least 1.

    Counts may hold fractions, where trusts share a patient or a site. Only the number drawn is
    rounded; the share drawn around is the unrounded numerator / denominator.
    """
    return np.maximum(np.floor(np.asarray(denominators, dtype=float) + 0.5), 1).astype(np.int64)


def draw_percentages(
    n: np.ndarray, share: np.ndarray, phi: float, size: int, random: np.random.Generator
) -> np.ndarray:
    """Drawn percentages, (size, trusts).

    ``n``: (trusts,) whole numbers of patients; ``share``: of each trust, 0 to 1; ``phi``: variance
    as a multiple of the binomial one. phi = 1 draws binomial counts; above it, beta-binomial counts
    of the same mean and phi times the variance: each draw has a share of its own, from a beta
    distribution of correlation (phi - 1) / (n - 1). Shares of 0 and 1 are drawn as they are. Raises
    ValueError unless 1 <= phi < n (phi = 1 where n = 1).
    """
    if not phi >= 1 or (phi > 1 and (n <= phi).any()):
        raise ValueError(f"phi must be at least 1 and below every n, not {phi:g}")
    drawn = np.empty((len(n), size))
    for place, (patients, p) in enumerate(zip(n.tolist(), share.tolist(), strict=True)):
        if phi > 1 and 0 < p < 1:
            both = (patients - phi) / (phi - 1)
            p = random.beta(p * both, (1 - p) * both, size)
        # Times 100 first: the one rounding of the division then keeps equal percentages equal.
        drawn[place] = 100.0 * random.binomial(patients, p, size) / patients
    return drawn.T


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
        return _rounded(scoring.look_up(values, metric.lookup), decimals)
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


def _rounded(figures: np.ndarray, decimals: int | None) -> np.ndarray:
    return figures if decimals is None else to_hundredths(figures, decimals) / 10.0**decimals


@lru_cache(maxsize=128)
def _scores_by_place(size: int, part: Spread, decimals: int | None) -> np.ndarray:
    """Row n: the scores in order from the best where n of ``size`` trusts are in the spread part."""
    table = np.full((size + 1, size), part.fixed if part.fixed is not None else np.nan)
    for n in range(1, size + 1):
        table[n, :n] = scoring.spread(np.arange(1, n + 1), n, part.best, part.worst)
    return _rounded(table, decimals)


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
            scores[:, columns] = _rounded(scoring.look_up(values[:, columns], lookup), self.decimals)
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
    """Takes drawn values of some metrics to the items and averages of trusts; `rescoring` makes one.

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


def rescoring(figures: Release, framework: Framework, metrics: Iterable[str] | None = None) -> Rescoring:
    """Prepare to score drawn values again.

    ``metrics``: metric_ids of the values that will be drawn; all that are scored from a value where
    None. Scores that are not drawn stay as published, unrounded where they can be recovered. Raises
    InputError for a metric that the framework does not score from a value, and where part of a pool
    is not at hand.
    """
    known = {metric.value: metric for metric in framework.metric if metric.value}
    wanted = list(known) if metrics is None else list(metrics)
    if strangers := [name for name in wanted if name not in known]:
        raise InputError(f"{', '.join(map(repr, strangers))}: the framework scores no metric from these values")
    scoring.require_whole_pools(figures, framework)
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
    rows = scoring._rows(figures, [metric.value])
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
    values = rows["value"].dropna().to_numpy()
    return next((d for d in range(9) if np.allclose(values, values.round(d), rtol=0, atol=1e-9)), None)


# --- counts behind the values ---------------------------------------------------------------------


def activity(figures: Release, framework: Framework, path: Path | str | pd.DataFrame | None = None) -> pd.DataFrame:
    """Numerators and denominators of a quarter: trust_code, metric_id, numerator, denominator, checked.

    ``path``: a CSV file or a table with the columns of `COLUMNS`, of which the rows of the quarter
    count; the embedded table where None. Counts may hold fractions, see `trials`. Raises InputError
    with every problem: a missing column, text, a denominator not above zero, a numerator outside 0
    to its denominator, a second row for a trust and metric, an unknown trust, a metric that the
    framework does not score from a value, a percentage further than `TOLERANCE` from the published
    value; and where there are no counts for the quarter. A table's rows are numbered as in a file.
    """
    rows, name = _read(path)
    if absent := [column for column in COLUMNS if column not in rows]:
        raise InputError(Problem(name, 1, column, "no such column; add it") for column in absent)
    rows = rows[COLUMNS].assign(row=np.arange(len(rows)) + 2)
    rows = rows[(rows[COLUMNS] != "").any(axis=1)]
    labels = rows["quarter"].map(official.quarter_label)
    problems = [
        Problem(name, int(row), "quarter", f"{text!r} is not a quarter; write it like {official.FIRST_QUARTER!r}")
        for row, text in rows.loc[labels.isna(), ["row", "quarter"]].itertuples(index=False)
    ]
    mine = rows[labels == figures.quarter]
    numbers = mine.assign(**{column: _numbers(mine[column]) for column in ("numerator", "denominator")})
    problems += [Problem(name, row, *what) for row, *what in _problems(mine, numbers, figures, framework)]
    if problems:
        raise InputError(sorted(problems, key=lambda problem: problem.row))
    if mine.empty:
        held = ", ".join(sorted(labels.unique(), key=release.quarter_order)) or "none"
        message = f"no numerators and denominators for {figures.quarter} (quarters held: {held}); pass a table of them"
        raise InputError(Problem(name, None, None, message))
    return numbers[COLUMNS[1:]].sort_values(["metric_id", "trust_code"], ignore_index=True)


def _read(path: Path | str | pd.DataFrame | None) -> tuple[pd.DataFrame, str]:
    """The table as stripped text, and what to call it."""
    if path is None:
        table, name = release.embedded_table("activity"), "activity.csv"
    elif isinstance(path, pd.DataFrame):
        table, name = path, "the activity table"
    else:
        name = Path(path).name
        try:
            table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skip_blank_lines=False)
        except FileNotFoundError:
            raise InputError(Problem(name, None, None, "no such file")) from None
        except (OSError, UnicodeDecodeError, pd.errors.EmptyDataError, pd.errors.ParserError) as error:
            raise InputError(Problem(name, None, None, f"cannot be read as CSV in UTF-8 ({error})")) from None
    return table.map(lambda cell: "" if pd.isna(cell) else str(cell).strip()).reset_index(drop=True), name


def _numbers(column: pd.Series) -> pd.Series:
    """Finite numbers; NaN for anything else."""
    found = pd.to_numeric(column, errors="coerce").astype(float)
    return found.where(np.isfinite(found))


def _problems(text: pd.DataFrame, rows: pd.DataFrame, figures: Release, framework: Framework) -> Iterator[tuple]:
    """(row, column, message) of all that is wrong with the rows of the quarter."""
    scored = {metric.value for metric in framework.metric if metric.value}
    published = figures.observations.set_index(["trust_code", "metric_id"])["value"].dropna()
    doubled = rows.duplicated(["trust_code", "metric_id"])
    for cells, row, again in zip(text.itertuples(index=False), rows.itertuples(index=False), doubled, strict=True):
        key = (row.trust_code, row.metric_id)
        about = f"{row.metric_id} of {row.trust_code}"
        known = row.trust_code in figures.trusts.index and row.metric_id in scored
        if row.trust_code not in figures.trusts.index:
            yield row.row, "trust_code", f"{row.trust_code!r} is no trust of {figures.quarter}; correct it"
        if row.metric_id not in scored:
            yield row.row, "metric_id", f"{row.metric_id!r} is not scored from a value by the framework; remove the row"
        if known and key not in published.index:
            yield row.row, "metric_id", f"{about} has no published value; remove the row"
        if again:
            yield row.row, None, f"a second row for {about}; remove one of the two"
        for column in ("numerator", "denominator"):
            if np.isnan(getattr(row, column)):
                yield row.row, column, f"{getattr(cells, column)!r} ({about}) is not a number; correct it"
        if row.denominator <= 0:
            yield row.row, "denominator", f"{row.denominator:g} ({about}) is not above zero; correct it"
        if row.numerator < 0:
            yield row.row, "numerator", f"{row.numerator:g} ({about}) is below zero; correct it"
        if row.numerator > row.denominator > 0:
            yield row.row, "numerator", f"{row.numerator:g} ({about}) is larger than {row.denominator:g}; correct it"
        elif known and key in published.index and row.numerator >= 0 and row.denominator > 0:
            percent = 100 * row.numerator / row.denominator
            if abs(percent - published[key]) > TOLERANCE + 1e-9:
                message = (
                    f"{percent:.2f} % ({about}) differs from the published {published[key]:g} by more than "
                    f"{TOLERANCE} percentage points; correct the counts or remove the row"
                )
                yield row.row, "numerator", message


# --- on a league table ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """Draws the values of one metric: trusts with counts in ``columns``, all others as published.

    ``judged``: decimals to which drawn values are rounded half up, as those published are.
    """

    values: np.ndarray
    columns: np.ndarray
    n: np.ndarray
    share: np.ndarray
    phi: float
    judged: int | None

    def draw(self, size: int, random: np.random.Generator) -> np.ndarray:
        drawn = np.tile(self.values, (size, 1))
        drawn[:, self.columns] = _rounded(draw_percentages(self.n, self.share, self.phi, size, random), self.judged)
        return drawn


@dataclass(frozen=True)
class MeasurementNoise(RankUncertainty):
    """Results over draws, read like those of the bootstrap over items.

    ``kind``: one of `KINDS`; ``metrics``: metric_ids of the values drawn; ``phi``: the variance
    factor of each.
    """

    kind: str
    metrics: tuple[str, ...]
    phi: Mapping[str, float]


def measurement_noise(
    rebuilt: LeagueTable, figures: Release, framework: Framework, kind: str = "noise", draws: int = DRAWS,
    seed: int = SEED, phi: float | Mapping[str, float] = 1, counts: pd.DataFrame | None = None,
    cutoffs: str = "published", pairs: bool = False, executor: Executor | None = None,
) -> MeasurementNoise:  # fmt: skip
    """Draw a quarter's league tables anew, all trusts together.

    ``kind``: "noise" draws the values of the metrics with counts, scores their pools again and ranks
    again; "both" resamples each trust's items after that; "items" only resamples, as
    `nofcore.bootstrap.rank_uncertainty`. "noise" and "both" draw the same values for the same seed.
    ``phi``: variance as a multiple of the binomial, one for all metrics or by metric_id, 1 where not
    named; ``counts``: from `activity`, the embedded ones where None; ``cutoffs``, ``pairs``: see
    `nofcore.bootstrap.rank_uncertainty`. Trusts without items are held at their published averages.
    Raises InputError for a phi below 1 or not below a denominator.
    """
    if kind not in KINDS:
        raise InputError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    if kind == "items":
        made = league.items(league.scores_to_average(figures, framework, "scores"), framework)
        found = bootstrap.rank_uncertainty(replace(rebuilt, items=made), draws, seed, cutoffs, pairs, executor)
        return MeasurementNoise(**vars(found), kind=kind, metrics=(), phi={})
    counts = activity(figures, framework) if counts is None else counts
    metrics = tuple(sorted(counts["metric_id"].unique()))
    factors = _factors(phi, metrics)
    plan = rescoring(figures, framework, metrics)
    sources = {name: _source(plan.metrics[name], counts, factors[name]) for name in metrics}
    ranked = rebuilt.trusts.dropna(subset="rank")
    rules = bootstrap._rules(rebuilt, ranked, cutoffs)
    at = plan.codes.get_indexer(ranked.index)
    work = partial(
        _count_block, plan=plan, sources=sources, at=at, published=ranked["hundredths"].to_numpy(dtype=np.int64),
        rules=rules, resample=kind == "both", pairs=pairs,
    )  # fmt: skip
    found = tally(work, Counts.__add__, draws, seed, executor)
    held = tuple(ranked.index[at < 0])
    return MeasurementNoise(rebuilt.quarter, ranked, found, seed, cutoffs, held, kind, metrics, factors)


def _factors(phi: float | Mapping[str, float], metrics: tuple[str, ...]) -> dict[str, float]:
    """The variance factor of each metric."""
    named = dict(phi) if isinstance(phi, Mapping) else dict.fromkeys(metrics, phi)
    if strangers := sorted(set(named) - set(metrics)):
        raise InputError(f"phi names {', '.join(strangers)}, but there are counts only for {', '.join(metrics)}")
    for name, factor in named.items():
        if not (np.isfinite(factor) and factor >= 1):
            raise InputError(f"phi must be a number from 1, not {factor!r} ({name})")
    return {name: float(named.get(name, 1)) for name in metrics}


def _source(rescorer: Rescorer, counts: pd.DataFrame, phi: float) -> Source:
    mine = counts[counts["metric_id"] == rescorer.metric.value]
    n = trials(mine["denominator"])
    if phi > 1 and (n <= phi).any():
        least = n.argmin()
        about = f"{rescorer.metric.value} of {mine['trust_code'].iat[least]}"
        raise InputError(f"phi {phi:g} is not below the denominator of {about}, {n[least]}; make it smaller")
    share = (mine["numerator"] / mine["denominator"]).to_numpy(dtype=float)
    return Source(rescorer.values, rescorer.codes.get_indexer(mine["trust_code"]), n, share, phi, rescorer.judged)


def _count_block(block: Block, plan: Rescoring, sources, at, published, rules: Rules, resample, pairs) -> Counts:
    random = block.generator()
    drawn = {name: source.draw(block.size, random) for name, source in sources.items()}
    averages = plan.averages(drawn, random if resample else None)
    return bootstrap.count(np.where(at < 0, published, averages[:, at]), rules, pairs)


def compare(
    rebuilt: LeagueTable, figures: Release, framework: Framework, draws: int = DRAWS, seed: int = SEED,
    phi: float | Mapping[str, float] = 1, counts: pd.DataFrame | None = None, level: float = LEVEL,
    executor: Executor | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Ranges of every trust under each of `KINDS`, side by side. See `measurement_noise` and `side_by_side`."""
    counts = activity(figures, framework) if counts is None else counts
    results = [
        measurement_noise(rebuilt, figures, framework, kind, draws, seed, phi, counts, executor=executor)
        for kind in KINDS
    ]
    drawn = counts["trust_code"].value_counts()
    table = side_by_side(results, level)
    table.insert(4, "n_drawn", drawn.reindex(table.index, fill_value=0))
    return table


def side_by_side(results: Iterable[MeasurementNoise], level: float = LEVEL) -> pd.DataFrame:
    """A row per trust: the ranges of several results for the same trusts, by kind.

    Columns ``{kind}_score_low``, ``_high``, ``_width`` (points) and ``{kind}_rank_...`` (places
    within type; a width of 0 is a single place), each with its Monte Carlo error (``_error``); that
    of a width is the sum of those of its ends, on the safe side.
    """
    results = list(results)
    table = results[0].trusts[["trust_type", "trust_name", "average_score", "rank"]].copy()
    for result in results:
        ranges = result.table(level)
        for name in ("score", "rank"):
            low, high = f"{name}_low", f"{name}_high"
            for column in (low, f"{low}_error", high, f"{high}_error"):
                table[f"{result.kind}_{column}"] = ranges[column]
            # Ends of a score are hundredths: a difference of floats would show digits it does not have.
            table[f"{result.kind}_{name}_width"] = (ranges[high] - ranges[low]).round(6)
            table[f"{result.kind}_{name}_width_error"] = ranges[f"{low}_error"] + ranges[f"{high}_error"]
    return table
