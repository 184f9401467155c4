"""Confidence sets for ranks: which places a unit could hold, given the errors of the estimates.

Method of Mogstad, Romano, Shaikh and Wilhelm (2024), "Inference for Ranks with Applications to
Mobility across Neighbourhoods and Academic Achievement across Countries", Review of Economic
Studies 91(1). Every directed hypothesis "unit j is not better than unit k" is tested with the
studentised difference of the two estimates; critical values are quantiles of the largest of these
statistics under the Gaussian bootstrap, optionally with stepdown (Romano and Wolf 2005). A unit's
rank is at least 1 + the number of units found better and at most the number not found worse. The
sets hold their level whatever the true ranks are, ties included, as far as the covariance is known: a variance
estimated from a handful of figures makes them promise more than they keep.

Why not bootstrap the ranks? A rank jumps where two units pass one another. Near a tie it is decided
by noise, and redrawing around estimates that noise has already pulled apart repeats the order of
the estimates as if it were the truth: the percentiles of bootstrapped ranks then cover the true rank
far less often than stated, and more data do not help while units stay within noise of one another.
Differences of estimates have no such jump, so the sets are built from them.

Tie rule: a rank is 1 + the number of units strictly better (1, 2, 2, 4). A set always contains the
rank of the estimates, ties among them included.

Monte Carlo: critical values come from ``draws`` random draws. With 10,000 draws and 134 units their
standard deviation over seeds is about 0.012 (of about 3.3 marginal, 4.4 simultaneous): another seed
leaves most bounds as they are and moves the others, mostly by a place. Random numbers come in the
blocks of `nofcore.randomness`; ``memory_mb`` never changes a result.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from nofcore.errors import InputError
from nofcore.randomness import BLOCK, blocks

TOLERANCE = 1e-10
"""How far a covariance may be from symmetric (times its largest entry) and from positive semi-definite
(times its largest eigenvalue)."""
NO_VARIANCE = 1e-13
"""A difference is known exactly if its variance is at most this share of the two units' variances together."""
SINGLE = 1e-4
"""Draws are in single precision, which is twice as fast, unless a difference has a standard error below this
share of the largest standard error."""

KINDS = ("marginal", "simultaneous")
SIDES = ("two-sided", "lower", "upper")
BEST = ("low", "high")


# --- arrays ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bounds:
    """Ranks of the estimates and the ends of their confidence sets, each (units,), whole numbers from 1."""

    rank: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


def rank_bounds(
    estimates: np.ndarray,
    covariance: np.ndarray,
    *,
    kind: str = "marginal",
    side: str = "two-sided",
    best: str = "low",
    level: float = 0.95,
    stepdown: bool = True,
    draws: int = 10_000,
    seed: int = 0,
    memory_mb: float = 64,
) -> Bounds:
    """Confidence sets for the ranks of units, rank 1 being the best.

    ``estimates``: (units,) in any unit of measurement; ``covariance``: of the estimates (not of the
    data behind them), (units, units), or (units,) variances of independent estimates, in that unit
    squared. ``best``: "low" if a small estimate is good, as in the league tables, or "high".

    ``kind``: "marginal", each set covers its own unit's rank with probability ``level``;
    "simultaneous", all sets cover at once. ``side``: "two-sided"; "lower", only the lower end (the
    best place that a unit could hold) is of interest and the upper one is the number of units;
    "upper", the other way round. One-sided marginal bounds are at least as tight as the ends of the
    two-sided set; simultaneous ones are equal to them, since both ask about every pair in both
    directions.

    ``stepdown``: test again without the hypotheses already rejected until no more are. They are
    directed, as in the paper: when j is found better than k, "k is not better than j" stays in.
    Never wider than the single step, at the same level.

    A difference without variance (two exactly known units, or perfectly correlated ones) is known:
    unequal estimates are told apart with certainty, equal ones never. A critical value below 0,
    possible at low levels only, counts as 0, so that a set always contains the rank of the estimates.
    With fewer than level / (1 - level) draws (19 at 0.95) no other pair can be told apart.

    Estimates are ordered from worst to best before the draws, so the order of the units does not
    matter unless estimates and variances are equal; then by Monte Carlo error at most. ``memory_mb``
    bounds the draws kept (beyond it they are made anew at every step) and the maxima kept for marginal
    sets (at least one unit is done at a time); it never changes a result.

    Raises ValueError for fewer than two units, wrong shapes, values that are not finite, a covariance
    that is not symmetric or not positive semi-definite (within `TOLERANCE`), a level outside (0, 1),
    fewer than one draw, or an unknown word.
    """
    _one_of("kind", kind, KINDS)
    _one_of("side", side, SIDES)
    _one_of("best", best, BEST)
    if not memory_mb > 0:
        raise ValueError(f"memory_mb must be positive, not {memory_mb!r}")
    bootstrap = _keep(_bootstrap(estimates, covariance, best, level, draws, seed), memory_mb)
    units = len(bootstrap.order)
    size = _units_at_once(bootstrap.draws, bootstrap.scale.itemsize, memory_mb)
    families = [_all_pairs(units)] if kind == "simultaneous" else [_own_pairs(units, j, side) for j in range(units)]
    groups = [families[i : i + size] for i in range(0, len(families), size)]
    critical = np.concatenate([_critical_values(bootstrap, group, level, stepdown) for group in groups])
    apart = (bootstrap.statistic > critical[:, None]) | np.isinf(bootstrap.statistic)
    return _count(bootstrap, apart, side)


def tau_best(estimates: np.ndarray, covariance: np.ndarray, tau: int, **options) -> np.ndarray:
    """(units,) True for the units that could be among the ``tau`` best (true rank at most ``tau``).

    With probability ``level`` the set holds all that are. It is the projection of the simultaneous
    lower bounds: units that fewer than ``tau`` others are found better than. The statement holds for
    all values of ``tau``, and for `tau_worst`, at once. ``options``: best, level, stepdown, draws,
    seed and memory_mb, as in `rank_bounds`. Raises ValueError as there, or if ``tau`` is not in 1 to units.
    """
    return _could_be_best(rank_bounds(estimates, covariance, kind="simultaneous", side="lower", **options), tau)


def tau_worst(estimates: np.ndarray, covariance: np.ndarray, tau: int, **options) -> np.ndarray:
    """(units,) True for the units that could be among the ``tau`` worst: see `tau_best`.

    A unit is among them if fewer than ``tau`` units are strictly worse (ranks counted from the bottom).
    """
    return _could_be_worst(rank_bounds(estimates, covariance, kind="simultaneous", side="upper", **options), tau)


def _could_be_best(bounds: Bounds, tau: int) -> np.ndarray:
    return bounds.lower <= _tau(tau, len(bounds.lower))


def _could_be_worst(bounds: Bounds, tau: int) -> np.ndarray:
    return bounds.upper > len(bounds.upper) - _tau(tau, len(bounds.upper))


def _units_at_once(draws: int, itemsize: int, memory_mb: float) -> int:
    per_unit = draws * 5 * itemsize  # two maxima a draw, and copies while stepping and sorting
    return max(1, int(min(memory_mb * 2**20 / per_unit, 2**31)))


def _count(bootstrap: _Bootstrap, apart: np.ndarray, side: str) -> Bounds:
    """Bounds in the order of the input, from which pairs of the sorted units are told apart."""
    units = len(bootstrap.order)
    better, worse = np.triu(apart).sum(axis=1), np.tril(apart).sum(axis=1)
    lower = np.ones(units, dtype=np.int64) if side == "upper" else 1 + better
    upper = np.full(units, units) if side == "lower" else units - worse
    place = np.argsort(bootstrap.order)
    rank = 1 + units - np.searchsorted(bootstrap.estimates, bootstrap.estimates, side="right")
    return Bounds(rank[place], lower[place], upper[place])


# --- the bootstrap --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Bootstrap:
    """Units sorted from worst to best, and what is needed to draw their differences.

    ``order``: positions of the sorted units in the input; ``estimates``: sorted, high is best.
    ``statistic``: (units, units) size of the studentised differences, inf where known exactly.
    ``scale``: (units, units) 1 / standard error of the difference, negative below the diagonal, so
    that (draw[k] - draw[j]) * scale[j, k] is always the better unit's less the worse one's; 0 where
    there is no variance; its type is that of the draws. ``root``: a square root of the covariance, or
    the standard deviations. ``kept``: the blocks, if they are to be made only once.
    """

    order: np.ndarray
    estimates: np.ndarray
    statistic: np.ndarray
    scale: np.ndarray
    root: np.ndarray
    draws: int
    seed: int
    kept: tuple[tuple[slice, np.ndarray], ...] | None = None

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """The place of each block among the draws, and the block, (units, draws).

        The product is always taken over one block, since its last digit may depend on the shape.
        """
        if self.kept is not None:
            yield from self.kept
            return
        start = 0
        for block in blocks(self.draws, self.seed):
            normal = block.generator().standard_normal((block.size, len(self.order)))
            drawn = normal @ self.root if self.root.ndim == 2 else normal * self.root
            yield slice(start, start + block.size), drawn.T.astype(self.scale.dtype, order="C")
            start += block.size


def _keep(bootstrap: _Bootstrap, memory_mb: float) -> _Bootstrap:
    """With the draws in memory for all passes where they fit; otherwise they are made anew in each."""
    size = bootstrap.draws * len(bootstrap.order) * bootstrap.scale.itemsize
    return replace(bootstrap, kept=tuple(bootstrap.blocks())) if size <= memory_mb * 2**20 else bootstrap


def _bootstrap(estimates, covariance, best: str, level: float, draws: int, seed: int) -> _Bootstrap:
    """Check the input, sort the units and standardise their differences."""
    estimates, covariance = _checked(estimates, covariance)
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level!r}")
    good = estimates if best == "high" else -estimates
    variances = covariance if covariance.ndim == 1 else covariance.diagonal()
    order = np.lexsort((variances, good))
    good = good[order]
    covariance = covariance[order] if covariance.ndim == 1 else covariance[np.ix_(order, order)]
    error, root = _errors_and_root(covariance)
    unit = np.abs(root).max() or 1.0  # so that single precision serves any unit of measurement
    statistic, scale = _studentise(good, error, unit)
    return _Bootstrap(order, good, statistic, scale, root / unit, _whole("draws", draws, 1), _whole("seed", seed, 0))


def _studentise(good: np.ndarray, error: np.ndarray, unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Statistic and scale of `_Bootstrap`, from sorted estimates, errors of differences and the unit of the draws."""
    gap, known = np.abs(good[:, None] - good), error == 0
    divisor = np.where(known, 1, error)
    with np.errstate(over="ignore"):  # what is infinitely many standard errors apart is certain
        statistic = np.where(known, np.where(gap > 0, np.inf, 0), gap / divisor)
    above = np.triu(np.ones_like(error), 1)
    scale = np.where(known, 0, (above - above.T) * (unit / divisor))
    return statistic, scale.astype(np.float32 if np.abs(scale).max() < 1 / SINGLE else np.float64)


def _errors_and_root(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(units, units) standard errors of the differences, 0 where exactly known, and the root for drawing."""
    if covariance.ndim == 1:
        return np.sqrt(_off_diagonal(covariance[:, None] + covariance)), np.sqrt(covariance)
    both = covariance.diagonal()[:, None] + covariance.diagonal()
    # What all units share cancels in every difference. It is taken out, lest its digits swamp the rest.
    own = covariance - covariance.mean(axis=0)
    own = own - own.mean(axis=1, keepdims=True)
    own = (own + own.T) / 2
    difference = own.diagonal()[:, None] + own.diagonal() - 2 * own
    difference = _off_diagonal(np.where(difference <= NO_VARIANCE * both, 0, difference))
    # The symmetric root, unlike a triangular one, exists for any positive semi-definite matrix.
    values, vectors = np.linalg.eigh(own)
    return np.sqrt(difference), (vectors * np.sqrt(values.clip(min=0))) @ vectors.T


def _off_diagonal(matrix: np.ndarray) -> np.ndarray:
    np.fill_diagonal(matrix, 0)
    return matrix


# --- critical values ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Comparisons:
    """One unit against others. A list of them is a family: hypotheses that are tested together.

    Of the two hypotheses of a pair only the one that the estimates speak against can be rejected.
    ``tested``: the units for which the family holds that one; ``held``: those for which it holds
    the other, which stays in at every step.
    """

    unit: int
    tested: slice
    held: slice


def _all_pairs(units: int) -> list[_Comparisons]:
    """The family of every pair in both directions: the same for one-sided and two-sided sets."""
    above = [slice(unit + 1, units) for unit in range(units)]
    return [_Comparisons(unit, above[unit], above[unit]) for unit in range(units - 1)]


def _own_pairs(units: int, unit: int, side: str) -> list[_Comparisons]:
    """The family of one unit. The lower end of its set asks which units are better, the upper end which are worse."""
    every, worse, better = slice(0, units), slice(0, unit), slice(unit + 1, units)
    tested, held = {"two-sided": (every, every), "lower": (better, worse), "upper": (worse, better)}[side]
    return [_Comparisons(unit, tested, held)]


def _critical_values(
    bootstrap: _Bootstrap, families: list[list[_Comparisons]], level: float, stepdown: bool
) -> np.ndarray:
    """(families,) critical values: those of the first step, or of the last one that rejects anything.

    A later step needs little work. Hypotheses that are never rejected set a floor under all critical
    values, so only draws whose largest statistic exceeds the floor matter, and a family is done
    when no statistic lies between the floor and its critical value.
    """
    statistics = [np.concatenate([bootstrap.statistic[c.unit, c.tested] for c in family]) for family in families]
    largest, held = _first_maxima(bootstrap, families)
    critical, floor = _quantile(largest, level), _quantile(held, level)
    previous = np.full(len(families), np.finfo(float).max)  # known differences are no news
    active = range(len(families)) if stepdown else ()
    while active := [f for f in active if _goes_on(statistics[f], previous[f], critical[f], floor[f])]:
        matters = largest[active] > floor[active, None]
        left = [families[f] for f in active]
        largest[active] = _later_maxima(bootstrap, left, critical[active], matters, held[active])
        previous = critical.copy()
        critical[active] = np.maximum(_quantile(largest[active], level), floor[active])
    return critical


def _goes_on(statistics: np.ndarray, previous: float, critical: float, floor: float) -> bool:
    """Did the last step reject anything new, and is there anything left that a later one could reject?"""
    newly = (statistics > critical) & (statistics <= previous)
    could = (statistics > floor) & (statistics <= critical)
    return bool(newly.any() and could.any())


def _quantile(maxima: np.ndarray, level: float) -> np.ndarray:
    """Critical values of (families, draws) maxima: the smallest that holds the level with the estimates
    themselves counted as one more draw, so that few draws make wide sets and not false ones."""
    draws = maxima.shape[-1]
    place = math.ceil(level * (draws + 1) - 1e-9)  # 0.95 * 20 is to be 19 on any machine
    if place > draws:
        return np.full(len(maxima), np.inf)
    return np.partition(maxima, place - 1, axis=-1)[:, place - 1]


def _first_maxima(bootstrap: _Bootstrap, families: list[list[_Comparisons]]) -> tuple[np.ndarray, np.ndarray]:
    """(families, draws) largest statistic of all hypotheses of a family, and of those that are held; at least 0."""
    largest, held = np.zeros((2, len(families), bootstrap.draws), dtype=bootstrap.scale.dtype)
    room = np.empty((len(bootstrap.order), BLOCK), dtype=bootstrap.scale.dtype)
    for part, drawn in bootstrap.blocks():
        for family, top, low in zip(families, largest[:, part], held[:, part], strict=True):
            for pairs in family:
                found = _differences(drawn, pairs.unit, pairs.tested, bootstrap.scale[pairs.unit], room)
                np.maximum(top, found.max(axis=0, initial=0), out=top)
                if pairs.held != pairs.tested:
                    found = _differences(drawn, pairs.unit, pairs.held, bootstrap.scale[pairs.unit], room)
                np.maximum(low, -found.min(axis=0, initial=0), out=low)
    return np.maximum(largest, held, out=largest), held


def _later_maxima(bootstrap: _Bootstrap, families, critical: np.ndarray, matters: np.ndarray, maxima: np.ndarray):
    """``maxima`` raised to the statistics of the tested hypotheses not yet rejected, in the draws that matter.

    ``critical``: (families,) of the step before; ``matters`` and ``maxima``: (families, draws).
    """
    room = np.empty((len(bootstrap.order), BLOCK), dtype=bootstrap.scale.dtype)
    for part, block in bootstrap.blocks():
        for family, limit, these, top in zip(families, critical, matters[:, part], maxima[:, part], strict=True):
            drawn = block[:, these]
            found = np.zeros(drawn.shape[1], dtype=bootstrap.scale.dtype)
            for pairs in family:
                left = np.where(bootstrap.statistic[pairs.unit] <= limit, bootstrap.scale[pairs.unit], 0)
                rows = _differences(drawn, pairs.unit, pairs.tested, left, room)
                np.maximum(found, rows.max(axis=0, initial=0), out=found)
            top[these] = np.maximum(top[these], found)
    return maxima


def _differences(drawn: np.ndarray, unit: int, others: slice, scale: np.ndarray, room: np.ndarray) -> np.ndarray:
    """(others, draws) studentised differences from a unit, with its row of the scale; overwritten by the next call."""
    out = room[others, : drawn.shape[1]]
    np.subtract(drawn[others], drawn[unit], out=out)
    return np.multiply(out, scale[others, None], out=out)


# --- checks ---------------------------------------------------------------------------------------


def _checked(estimates, covariance) -> tuple[np.ndarray, np.ndarray]:
    """Estimates and covariance as arrays of floats, or ValueError."""
    estimates, covariance = np.asarray(estimates, dtype=float), np.asarray(covariance, dtype=float)
    if estimates.ndim != 1:
        raise ValueError(f"estimates must be one-dimensional, not of shape {estimates.shape}")
    units = len(estimates)
    if units < 2:
        raise ValueError(f"ranks need at least two units, not {units}")
    if covariance.shape not in ((units,), (units, units)):
        raise ValueError(
            f"covariance must be of shape ({units},) or ({units}, {units}) for {units} estimates, not {covariance.shape}"
        )
    for name, values in (("estimates", estimates), ("covariance", covariance)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name}: {np.count_nonzero(~np.isfinite(values))} values are missing or infinite")
    if covariance.ndim == 1:
        if (covariance < 0).any():
            raise ValueError(f"a variance is negative: {covariance.min():.6g}")
        return estimates, covariance
    return estimates, _checked_matrix(covariance)


def _checked_matrix(covariance: np.ndarray) -> np.ndarray:
    apart = np.abs(covariance - covariance.T).max()
    if apart > TOLERANCE * np.abs(covariance).max():
        raise ValueError(f"covariance is not symmetric: entries across the diagonal differ by up to {apart:.6g}")
    covariance = (covariance + covariance.T) / 2
    values = np.linalg.eigvalsh(covariance)
    if values[0] < -TOLERANCE * values[-1]:
        raise ValueError(
            f"covariance is not positive semi-definite: its smallest eigenvalue is {values[0]:.6g}, "
            f"its largest {values[-1]:.6g}"
        )
    return covariance


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, not {value!r}")


def _whole(name: str, value: int, least: int) -> int:
    """The value as an int; ValueError if it is not a whole number of at least ``least``."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")
    return number


def _tau(tau: int, units: int) -> int:
    number = _whole("tau", tau, 1)
    if number > units:
        raise ValueError(f"tau must be at most the number of units, {units}, not {tau!r}")
    return number


# --- trusts ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RankSets:
    """Confidence sets for the ranks of trusts, and how they were made.

    ``trusts``: indexed by trust code, sorted by rank and code: estimate, rank (1 = best; equal
    estimates share the best rank), lower and upper (the best and the worst place in the set).
    The other fields are the arguments of `rank_bounds`.
    """

    trusts: pd.DataFrame
    kind: str
    side: str
    best: str
    level: float
    stepdown: bool
    draws: int
    seed: int

    def table(self) -> pd.DataFrame:
        """One row a trust, in rank order: trust_code, estimate, rank, lower, upper."""
        return self.trusts.rename_axis("trust_code").reset_index()

    def tau_best(self, tau: int) -> list[str]:
        """Codes of the trusts that could be among the ``tau`` best, in rank order: see `tau_best`."""
        return list(self.trusts.index[_could_be_best(self._all_at_once("lower"), tau)])

    def tau_worst(self, tau: int) -> list[str]:
        """Codes of the trusts that could be among the ``tau`` worst, in rank order: see `tau_worst`."""
        return list(self.trusts.index[_could_be_worst(self._all_at_once("upper"), tau)])

    def _all_at_once(self, side: str) -> Bounds:
        if self.kind != "simultaneous" or self.side not in ("two-sided", side):
            raise ValueError(f"this needs simultaneous sets, two-sided or {side}, not {self.kind} {self.side} ones")
        return Bounds(*(self.trusts[name].to_numpy() for name in ("rank", "lower", "upper")))


def rank_sets(
    estimates: pd.Series,
    covariance: pd.DataFrame | pd.Series,
    *,
    kind: str = "marginal",
    side: str = "two-sided",
    best: str = "low",
    level: float = 0.95,
    stepdown: bool = True,
    draws: int = 10_000,
    seed: int = 0,
) -> RankSets:
    """Confidence sets for the ranks of trusts: `rank_bounds` with names.

    ``estimates``: indexed by trust code; ``covariance``: a DataFrame with the codes as index and
    columns, or a Series of variances of independent estimates. They are matched by code, and the order
    of the rows does not matter. Raises InputError where `rank_bounds` raises ValueError, and, naming the
    trusts concerned, where a value is missing, a code occurs twice or the codes differ.
    """
    try:
        estimates, covariance = _matched(estimates, covariance)
        bounds = rank_bounds(
            estimates.to_numpy(), covariance.to_numpy(),
            kind=kind, side=side, best=best, level=level, stepdown=stepdown, draws=draws, seed=seed,
        )  # fmt: skip
    except ValueError as error:
        raise InputError(f"rank sets: {error}") from None
    trusts = pd.DataFrame(
        {"estimate": estimates, "rank": bounds.rank, "lower": bounds.lower, "upper": bounds.upper}
    ).sort_values("rank", kind="stable")
    return RankSets(trusts, kind, side, best, level, stepdown, draws, seed)


def _matched(estimates: pd.Series, covariance: pd.DataFrame | pd.Series):
    """Both as floats, in the order of the trust codes."""
    if not isinstance(estimates, pd.Series) or not isinstance(covariance, pd.DataFrame | pd.Series):
        raise ValueError("estimates must be a Series and covariance a DataFrame or a Series, labelled by trust code")
    codes = estimates.index
    for name, labels in [("estimates", codes), *((f"covariance, axis {i}", a) for i, a in enumerate(covariance.axes))]:
        _no_codes(f"{name}: more than one entry for", labels[labels.duplicated()].unique())
        _no_codes(f"{name}: nothing for", codes.difference(labels))
        _no_codes("no estimate for", labels.difference(codes))
    estimates = estimates.sort_index().astype(float)
    covariance = covariance.reindex(estimates.index).astype(float)
    _no_codes("estimates: missing for", estimates.index[estimates.isna()])
    if isinstance(covariance, pd.Series):
        _no_codes("variances: missing for", covariance.index[covariance.isna()])
        return estimates, covariance
    covariance = covariance.reindex(columns=estimates.index)
    _no_codes("covariance: missing for", covariance.index[covariance.isna().any(axis=1)])
    return estimates, covariance


def _no_codes(problem: str, codes: pd.Index) -> None:
    if len(codes):
        shown = ", ".join(map(str, codes[:5])) + (" ..." if len(codes) > 5 else "")
        raise ValueError(f"{problem} {shown}")
