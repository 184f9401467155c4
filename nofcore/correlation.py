"""Do the metrics tell one story? Correlations between metrics, with how sure they are.

Spearman's rho (midranks), Kendall's tau-b and Pearson's r, each over the trusts that have both
metrics (pairwise complete; midranks are taken among these trusts). Everything is turned so that a
positive coefficient always means that good goes with good.

* Intervals: percentiles of a bootstrap over trusts. Trusts are resampled with replacement, all their
  figures together, and ranks are taken anew in each draw. They speak of other trusts like these. The
  trusts of a table are all that there are, so an interval says how much a coefficient rests on a few of
  them and how far chance alone could have made it; it is not a margin of error of the measurements.
  Percentile intervals are too narrow in small samples: `SMALL`.
* p-values: permutation of one metric among the trusts that have both, two-sided, (1 + the draws at
  least as far from 0 as the coefficient) / (1 + draws), so never 0.
* Many pairs: p-values adjusted by Benjamini and Hochberg (1995). Of the pairs with an adjusted p of at most
  0.05, about 5 % at most are expected to be false finds. The method is exact for independent tests; for
  correlations it is known to hold well, not proven.

The arithmetic works on trusts by metrics, NaN where a trust has none. Pairs that cannot be judged
carry a reason in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from nofcore.bootstrap import LEVEL
from nofcore.defaults import CORRELATION_DRAWS, SEED
from nofcore.errors import InputError
from nofcore.framework import Framework, Metric
from nofcore.randomness import Block, tally
from nofcore.release import Release
from nofcore.scoring import observed, published_scores, rank_in_pool
from nofcore.wording import counted, plural

METHODS = ("spearman", "kendall", "pearson")
ON = ("values", "scores")
LEAST = 5
"""A pair of metrics with fewer trusts in common has no coefficient."""
SMALL = 20
"""With fewer trusts than this a page warns: intervals are too narrow, and a few trusts decide."""
RESAMPLED = 10
"""No interval for fewer trusts: too few to resample, the percentiles would promise more than they hold."""
FEWEST = 100
"""No interval from fewer draws: its ends would be the most extreme of them."""
UNDEFINED = 0.05
"""No interval where a larger share of the resamples leaves a metric without any variation."""
_NEVER = 1e-9
"""A sum of squares per trust at or below this is no variation; rank and standardised deviations are far above."""
_AS_FAR = 1e-9
"""Permuted coefficients this near count as equal: the same sum in another order may differ in its last digit."""


# --- coefficients on arrays -----------------------------------------------------------------------


def coefficients(
    values: np.ndarray, pairs: np.ndarray, method: str = "spearman", weights: np.ndarray | None = None
) -> np.ndarray:
    """Coefficients of some pairs of columns, (draws, pairs); NaN where a column does not vary.

    ``values``: (trusts, columns), NaN where missing; ``pairs``: (pairs, 2) columns; ``weights``:
    (trusts, draws) how often each trust is in each draw, once each where None (one draw).
    """
    if weights is None:
        weights = np.ones((len(values), 1))
    found = np.full((weights.shape[1], len(pairs)), np.nan)
    for mask, places in _by_mask(values, pairs):
        if mask.any():
            found[:, places] = _weighted(values[mask], pairs[places], method, weights[mask])
    return found


def midranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(trusts, draws) ranks from 1 in samples that hold each trust ``weights`` times; equal values share the mean
    rank."""
    order = np.argsort(values, kind="stable")
    below = np.zeros((len(values) + 1, weights.shape[1]), weights.dtype)
    np.cumsum(weights[order], axis=0, out=below[1:])
    first, after = (np.searchsorted(values[order], values, side) for side in ("left", "right"))
    return (below[first] + below[after] + 1) / 2


def _by_mask(values: np.ndarray, pairs: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """(which trusts have both, places among the pairs) for each set of trusts: pairs of one set share work."""
    present = ~np.isnan(values)
    groups: dict[bytes, tuple[np.ndarray, list[int]]] = {}
    for place, (a, b) in enumerate(pairs):
        mask = present[:, a] & present[:, b]
        groups.setdefault(mask.tobytes(), (mask, []))[1].append(place)
    return [(mask, np.array(places)) for mask, places in groups.values()]


def _weighted(values: np.ndarray, pairs: np.ndarray, method: str, weights: np.ndarray) -> np.ndarray:
    """(draws, pairs) coefficients of columns without gaps."""
    total = weights.sum(axis=0)
    if method == "kendall":
        return _weighted_kendall(values, pairs, weights)
    deviations = {}
    for a in np.unique(pairs):
        if method == "spearman":
            deviations[a] = midranks(values[:, a], weights) - (total + 1) / 2
        else:
            column = _standard(values[:, a])
            deviations[a] = column[:, None] - (column @ weights) / np.maximum(total, 1)
    heavy = {a: weights * deviation for a, deviation in deviations.items()}
    squares = {a: np.einsum("td,td->d", heavy[a], deviations[a]) for a in deviations}
    products = np.array([np.einsum("td,td->d", heavy[a], deviations[b]) for a, b in pairs])
    return _ratio(products, squares, pairs, total)


def _weighted_kendall(values: np.ndarray, pairs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    signs = {a: np.sign(values[:, a, None] - values[:, a]).astype(weights.dtype) for a in np.unique(pairs)}

    def form(matrix: np.ndarray) -> np.ndarray:
        return np.einsum("td,td->d", weights, matrix @ weights)

    untied = {a: form(np.abs(sign)) for a, sign in signs.items()}
    return _ratio(np.array([form(signs[a] * signs[b]) for a, b in pairs]), untied, pairs, weights.sum(axis=0))


def _ratio(products: np.ndarray, squares: Mapping[int, np.ndarray], pairs: np.ndarray, total) -> np.ndarray:
    """products / root of the two squares, (draws, pairs); NaN where a square is nothing."""
    first, second = (np.array([squares[a] for a in pairs[:, side]], dtype=float) for side in (0, 1))
    varies = (first > _NEVER * total) & (second > _NEVER * total)
    scale = np.sqrt(np.where(varies, first, 1)) * np.sqrt(np.where(varies, second, 1))
    return np.where(varies, np.clip(products / scale, -1, 1), np.nan).T


def _standard(column: np.ndarray) -> np.ndarray:
    """Mean 0, standard deviation 1, so that any unit of measurement has the same precision; 0 for a constant."""
    if column.min() == column.max():
        return np.zeros(len(column))
    column = column / np.abs(column).max()
    deviation = column - column.mean()
    return deviation / np.sqrt((deviation**2).mean())


# --- resampling and permutation -------------------------------------------------------------------


@dataclass(frozen=True)
class Resampled:
    """What the draws gave: ``bootstrap`` (draws, pairs) coefficients of resampled trusts, NaN where a column did
    not vary; ``as_far`` (pairs,) permutations at least as far from 0 as the coefficient."""

    bootstrap: np.ndarray
    as_far: np.ndarray

    def __add__(self, other: Resampled) -> Resampled:
        return Resampled(np.concatenate([self.bootstrap, other.bootstrap]), self.as_far + other.as_far)


def resample(
    values: np.ndarray, pairs: np.ndarray, method: str, draws: int, seed: int, executor: Executor | None = None
) -> Resampled:
    """Bootstrap over trusts, and permutations, as many of each as ``draws``.

    The draws are of whole trusts and orders of trusts, so the result of a pair does not depend on which other
    pairs are asked for. Every pair must have a coefficient.
    """
    work = partial(_resample_block, values=values, pairs=pairs, method=method)
    return tally(work, Resampled.__add__, draws, seed, executor)


def trust_weights(random: np.random.Generator, draws: int, trusts: int) -> np.ndarray:
    """(trusts, draws) how often each trust is in each bootstrap draw of as many trusts."""
    picked = random.integers(0, trusts, (draws, trusts)) + np.arange(draws)[:, None] * trusts
    counts = np.bincount(picked.ravel(), minlength=draws * trusts).reshape(draws, trusts)
    return np.ascontiguousarray(counts.T)


def _resample_block(block: Block, values: np.ndarray, pairs: np.ndarray, method: str) -> Resampled:
    random, trusts = block.generator(), len(values)
    weights = trust_weights(random, block.size, trusts)
    orders = random.permuted(np.tile(np.arange(trusts), (block.size, 1)), axis=1)
    # Ranks and signs are whole or half numbers: single precision holds their sums exactly and is faster.
    kind = np.float64 if method == "pearson" else np.float32
    drawn = coefficients(values, pairs, method, weights.astype(kind))
    return Resampled(drawn.astype(np.float32), _as_far(values, pairs, method, orders))


def _as_far(values: np.ndarray, pairs: np.ndarray, method: str, orders: np.ndarray) -> np.ndarray:
    """(pairs,) orders under which a coefficient is at least as far from 0 as the one found. ``orders``: (draws,
    trusts)."""
    counts = np.zeros(len(pairs), dtype=np.int64)
    for mask, places in _by_mask(values, pairs):
        # Of a random order of all trusts, those in the mask stand in a random order too.
        within = (np.cumsum(mask) - 1)[orders[mask[orders]]].reshape(len(orders), -1)
        found = np.abs(coefficients(values[mask], pairs[places], method)[0])
        for b in np.unique(pairs[places, 1]):
            mine = places[pairs[places, 1] == b]
            permuted = _PERMUTED[method](values[mask][:, pairs[mine, 0]], values[mask, b], within)
            counts[mine] = (np.abs(permuted) >= found[np.isin(places, mine)] - _AS_FAR).sum(axis=0)
    return counts


def _permuted_products(firsts: np.ndarray, second: np.ndarray, orders: np.ndarray, ranked: bool) -> np.ndarray:
    """(draws, columns) coefficients of the columns ``firsts`` with ``second`` in other orders."""
    ones = np.ones((len(second), 1))
    both = [midranks(column, ones)[:, 0] if ranked else column for column in (*firsts.T, second)]
    unit = np.array([_standard(column) for column in both]) / np.sqrt(len(second))
    return unit[-1][orders] @ unit[:-1].T


def _permuted_kendall(firsts: np.ndarray, second: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """As `_permuted_products`: sums of products of signs, row by row of the pairs of trusts."""
    codes = np.unique(second, return_inverse=True)[1].astype(np.float32)
    permuted = np.ascontiguousarray(codes[orders].T)
    signs = np.sign(firsts.T[:, :, None] - firsts.T[:, None]).astype(np.float32)
    total = np.zeros((firsts.shape[1], len(orders)))
    for i in range(len(second) - 1):
        total += signs[:, i, i + 1 :] @ np.clip(permuted[i] - permuted[i + 1 :], -1, 1)
    untied = np.abs(signs).sum(axis=(1, 2)) / 2
    pairs_of_codes = np.bincount(codes.astype(np.int64))
    untied_second = (len(second) ** 2 - (pairs_of_codes**2).sum()) / 2
    return total.T / np.sqrt(untied * untied_second)


_PERMUTED = {
    "spearman": partial(_permuted_products, ranked=True),
    "pearson": partial(_permuted_products, ranked=False),
    "kendall": _permuted_kendall,
}


@dataclass(frozen=True)
class Interval:
    """Ends of percentile intervals over draws, each (pairs,), with their Monte Carlo errors; NaN where there is none.

    ``undefined``: share of the draws in which a column did not vary; they are left out, and above `UNDEFINED`
    there is no interval; neither is there from fewer than `FEWEST` draws.
    """

    low: np.ndarray
    high: np.ndarray
    low_error: np.ndarray
    high_error: np.ndarray
    undefined: np.ndarray


def percentile_interval(drawn: np.ndarray, level: float = LEVEL, z: float = 2.576) -> Interval:
    """Percentile interval of each column of ``drawn``, (draws, columns), NaN in draws that do not count.

    A quantile is the smallest drawn value at which its share of the draws is reached. Errors: how far
    another seed may move an end, half-width of its 99 % Monte Carlo interval (as in `nofcore.bootstrap`).
    """
    if not 0 < level < 1:
        raise InputError(f"the level must lie between 0 and 1, not {level}")
    ordered = np.sort(drawn, axis=0)  # NaN last
    absent = np.isnan(drawn).sum(axis=0)
    known, undefined = len(drawn) - absent, absent / len(drawn)
    none = (undefined > UNDEFINED) | (known < FEWEST)

    def at(share: np.ndarray) -> np.ndarray:
        place = np.clip(np.ceil(share * known - 1e-9).astype(int) - 1, 0, np.maximum(known - 1, 0))
        return np.where(none, np.nan, np.take_along_axis(ordered, place[None], axis=0)[0])

    ends = []
    for share in ((1 - level) / 2, (1 + level) / 2):
        step = z * np.sqrt(share * (1 - share) / np.maximum(known, 1))
        found = at(np.full(known.shape, share))
        around = at(np.maximum(share - step, 0)), at(np.minimum(share + step, 1))
        ends.append((found, np.maximum(found - around[0], around[1] - found)))
    (low, low_error), (high, high_error) = ends
    return Interval(low, high, low_error, high_error, undefined)


def p_values(as_far: np.ndarray, draws: int, z: float = 2.576) -> tuple[np.ndarray, np.ndarray]:
    """Permutation p-values (1 + as far) / (1 + draws), and how far another seed may move them (99 % Monte Carlo)."""
    p = (1 + np.asarray(as_far)) / (1 + draws)
    return p, z * np.sqrt(p * (1 - p) / draws)


def adjusted(p: np.ndarray) -> np.ndarray:
    """p-values adjusted by Benjamini and Hochberg; NaN stays NaN and does not count as a test."""
    p, found = np.asarray(p, dtype=float), np.full(len(p), np.nan)
    known = ~np.isnan(p)
    if known.any():
        found[known] = stats.false_discovery_control(p[known], method="bh")
    return found


# --- tables of columns ----------------------------------------------------------------------------

FIGURES = [
    "n", "coefficient", "low", "high", "low_error", "high_error", "p", "p_error", "p_adjusted", "undefined", "reason",
]  # fmt: skip


def correlate(
    columns: pd.DataFrame,
    pairs: Iterable[tuple[str, str]] | None = None,
    method: str = "spearman",
    draws: int = CORRELATION_DRAWS,
    seed: int = SEED,
    names: Mapping[str, str] | None = None,
    whose: str = "trusts",
    missing: Mapping[str, str] | None = None,
    executor: Executor | None = None,
) -> pd.DataFrame:
    """Correlations of some pairs of columns, all where None: a row a pair, with the columns of `FIGURES`. A pair's
    figures depend neither on which of the two is named first nor on the other pairs, but for the adjusted p.

    ``columns``: a row a trust, NaN where missing; ``names``: of the columns in words; ``whose``: what the rows
    are; ``missing``: why a column is empty. p-values are adjusted over the pairs asked for. low and high: 95 %
    percentile interval over resampled trusts; ``_error``: how far another seed may move a figure;
    undefined: share of the draws that did not count; reason: "not available, because ..." for a pair without
    a coefficient (its other figures are NaN) or for one without an interval.
    """
    check_method(method)
    pairs = list(combinations(columns.columns, 2) if pairs is None else pairs)
    values = columns.to_numpy(dtype=float)
    if np.isinf(values).any():
        raise InputError("a figure to be correlated is infinite; correct it")
    if unknown := {name for pair in pairs for name in pair} - {*columns.columns}:
        raise KeyError(f"no column {unknown.pop()!r}")
    # The second of a pair is permuted: in a fixed order of names, so that it does not matter which is named first.
    sides = [sorted(pair, key=str) for pair in pairs]
    places = np.array([columns.columns.get_indexer(pair) for pair in sides], dtype=int).reshape(-1, 2)
    present = ~np.isnan(values)
    index = pd.MultiIndex.from_arrays(
        [[pair[side] for pair in pairs] for side in (0, 1)], names=["metric_a", "metric_b"]
    )
    table = pd.DataFrame(index=index, columns=FIGURES)
    table = table.astype(float).astype({"reason": str})
    table["n"] = (present.T.astype(int) @ present.astype(int))[places[:, 0], places[:, 1]]
    words = dict(names or {})
    empty = missing or {}
    reasons = [
        _why_not(values, place, [words.get(name, name) for name in pair], [empty.get(name) for name in pair], whose)
        for place, pair in zip(places, sides, strict=True)
    ]
    table["reason"] = reasons
    known = np.array([not reason for reason in reasons], dtype=bool)
    if known.any():
        _fill(table, known, values, places[known], method, draws, seed, executor)
    return table


def plain(columns: pd.DataFrame, method: str = "spearman") -> pd.DataFrame:
    """Coefficients of all pairs of columns without any draws: columns by columns, 1 on the diagonal, NaN where
    `correlate` would give a reason."""
    values = columns.to_numpy(dtype=float)
    pairs = np.array(list(combinations(range(values.shape[1]), 2)), dtype=int).reshape(-1, 2)
    found = coefficients(values, pairs, method)[0]
    present = (~np.isnan(values)).astype(int)
    found[(present.T @ present)[pairs[:, 0], pairs[:, 1]] < LEAST] = np.nan
    square = np.eye(values.shape[1])
    square[tuple(pairs.T)] = square[tuple(pairs.T[::-1])] = found
    return pd.DataFrame(square, columns.columns, columns.columns)


def _fill(table: pd.DataFrame, known: np.ndarray, values, places, method: str, draws: int, seed: int, executor) -> None:
    drawn = resample(values, places, method, draws, seed, executor)
    interval = percentile_interval(drawn.bootstrap)
    p, p_error = p_values(drawn.as_far, draws)
    few = table.loc[known, "n"].to_numpy() < RESAMPLED
    ends = {name: np.where(few, np.nan, getattr(interval, name)) for name in ("low", "high", "low_error", "high_error")}
    figures = {"coefficient": coefficients(values, places, method)[0], **ends, "undefined": interval.undefined}
    figures |= {"p": p, "p_error": p_error, "p_adjusted": adjusted(p)}
    for name, figure in figures.items():
        table.loc[known, name] = figure
    table.loc[known, "reason"] = [
        _why_no_interval(n, share, draws) for n, share in zip(table.loc[known, "n"], interval.undefined, strict=True)
    ]


def _why_no_interval(n: int, undefined: float, draws: int) -> str:
    if n < RESAMPLED:
        return f"interval not available, because {n} trusts are too few to resample ({RESAMPLED} are needed)"
    if undefined > UNDEFINED:
        return f"interval not available, because {undefined:.0%} of the draws leave one of the two without variation"
    if draws * (1 - undefined) < FEWEST:
        return f"interval not available, because {counted(draws, 'draw')} are too few ({FEWEST} are needed)"
    return ""


def _why_not(
    values: np.ndarray, place: np.ndarray, names: Sequence[str], missing: Sequence[str | None], whose: str
) -> str:
    """Why a pair has no coefficient; "" if it has one."""
    both = values[:, place]
    for side in (0, 1):
        if np.isnan(both[:, side]).all():
            return f"not available, because {missing[side] or f'none of the {whose} has a figure of {names[side]}'}"
    both = both[~np.isnan(both).any(axis=1)]
    if len(both) < LEAST:
        few = f"only {len(both)}" if len(both) else "none"
        verb = "has" if len(both) == 1 else "have"
        return f"not available, because {few} of the {whose} {verb} both ({LEAST} are needed)"
    for side in (0, 1):
        if both[:, side].min() == both[:, side].max():
            return f"not available, because {names[side]} is the same for all {len(both)} of the {whose} that have both"
    return ""


def check_method(method: str) -> None:
    if method not in METHODS:
        raise InputError(f"the method must be one of {', '.join(METHODS)}, not {method!r}")


# --- metrics of a release -------------------------------------------------------------------------


@dataclass(frozen=True)
class Aligned:
    """The metrics of a trust type, turned so that high is good.

    ``values``: trusts by metric, NaN where a trust has none. ``metrics``: by metric_id, name, short, domain,
    better (as published: "low" or "high"), n, missing (why it is empty, else ""). ``method``: what the
    values are made for. ``notes``: what a reader must know.
    """

    quarter: str
    trust_type: str
    on: str
    method: str
    values: pd.DataFrame
    metrics: pd.DataFrame
    notes: tuple[str, ...]


def aligned(
    figures: Release,
    framework: Framework,
    trust_type: str,
    on: str = "values",
    method: str = "spearman",
    metrics: Sequence[str] | None = None,
) -> Aligned:
    """The figures of a trust type's metrics, high always being good.

    ``on`` "values": published values, negated where low is better. They are shown with 2 decimals; for the rank
    methods (Spearman, Kendall) equal ones are ordered by the published Rank, which was made from the unrounded
    values, as everywhere in the kit (`nofcore.scoring.rank_in_pool`). What is given then is the place among the
    trusts of the type, negated: 1 = best becomes the largest. A value in a unit of its own (a count among rates)
    is left out. ``on`` "scores": recovered unrounded metric scores, 1 best to 4 worst, negated.
    Combined scores are left out, as they are made of two others.

    ``metrics``: identifiers of values or scores; those of the type where None. One that the type lacks is
    kept, empty, with the reason. Raises InputError for an unknown identifier or word.
    """
    check_method(method)
    if on not in ON:
        raise InputError(f"on must be one of {', '.join(ON)}, not {on!r}")
    wanted = _wanted(framework, trust_type, on, metrics)
    codes = figures.trusts.index[figures.trusts["trust_type"] == trust_type]
    notes: list[str] = []
    columns = _columns_of(figures, framework, trust_type, on, method, wanted, notes)
    values = pd.DataFrame({id_of(metric, on): columns.get(id_of(metric, on)) for metric in wanted}, index=codes)
    values = values.astype(float)
    if metrics is None:
        notes += _not_on_values(framework, trust_type, on)
    about = pd.DataFrame(
        {
            "name": [metric.name for metric in wanted],
            "short": [metric.short for metric in wanted],
            "domain": [metric.domain for metric in wanted],
            "better": [metric.better if on == "values" else "low" for metric in wanted],
            "n": values.notna().sum().to_numpy(),
            "missing": [
                "" if values[id_of(metric, on)].notna().any() else _why_missing(metric, figures, trust_type, on)
                for metric in wanted
            ],
        },
        index=pd.Index([id_of(metric, on) for metric in wanted], name="metric_id"),
    )
    return Aligned(figures.quarter, trust_type, on, method, values, about, tuple(notes))


def id_of(metric: Metric, on: str) -> str:
    """The identifier of a metric's column; that of its score where it has no value."""
    return metric.value if on == "values" and metric.value else metric.score


def _wanted(framework: Framework, trust_type: str, on: str, metrics: Sequence[str] | None) -> list[Metric]:
    if metrics is None:
        return [m for m in framework.metric if trust_type in m.trust_types and (on == "scores" or m.value)]
    known = {name: metric for metric in framework.metric for name in (metric.value, metric.score) if name}
    if unknown := [name for name in metrics if name not in known]:
        raise InputError(
            f"no metric {unknown[0]!r} in the rules of {framework.year}; they know {', '.join(sorted(known))}"
        )
    return list({known[name].score: known[name] for name in metrics}.values())


def _columns_of(figures, framework, trust_type, on, method, wanted, notes: list[str]) -> dict[str, pd.Series]:
    """Figures by metric identifier, high good."""
    if on == "scores":
        scores = published_scores(figures, framework)
        return {metric_id: -rows.set_index("trust_code")["score"] for metric_id, rows in scores.groupby("metric_id")}
    rows = observed(figures, [metric.value for metric in wanted if metric.value])
    rows = rows[rows["trust_type"] == trust_type]
    columns = {}
    for metric in wanted:
        mine = rows[rows["metric_id"] == metric.value]
        other_unit = mine["unit"].isin(list(metric.unit))
        if other_unit.any():
            notes.append(
                f"{metric.short}: {counted(int(other_unit.sum()), 'trust')} with a {'/'.join(metric.unit)} instead of "
                f"the {'/'.join(mine.loc[~other_unit, 'unit'].unique())} of the others left out"
            )
        mine = mine[~other_unit]
        if len(mine):
            columns[metric.value] = pd.Series(_high_good(mine, metric, method), mine["trust_code"])
    return columns


def _high_good(rows: pd.DataFrame, metric: Metric, method: str) -> np.ndarray:
    values = rows["value"].to_numpy()
    if method == "pearson":
        return values if metric.better == "high" else -values
    ranks, _ = rank_in_pool(values, rows["rank"].to_numpy(), np.zeros(len(rows), dtype=int), metric.better)
    return -ranks.astype(float)


def _not_on_values(framework: Framework, trust_type: str, on: str) -> list[str]:
    if on == "scores":
        return []
    only = [metric.short for metric in framework.metric if trust_type in metric.trust_types and not metric.value]
    return [f"only scores are published of {', '.join(only)}, so these are not correlated on values"] if only else []


def _why_missing(metric: Metric, figures: Release, trust_type: str, on: str) -> str:
    if on == "values" and metric.value is None:
        return f"only the score of {metric.short} is published, no value"
    what = "value" if on == "values" else "score"
    return f"none of the {plural(trust_type)} has a {what} of {metric.short} in {figures.quarter}"


# --- all pairs of a trust type --------------------------------------------------------------------


@dataclass(frozen=True)
class Correlations:
    """Correlations between the metrics of a trust type, good with good.

    ``aligned``: the figures behind them; ``pairs``: of `correlate`, indexed by metric_a and metric_b.
    """

    aligned: Aligned
    pairs: pd.DataFrame
    draws: int
    seed: int

    @property
    def quarter(self) -> str:
        return self.aligned.quarter

    @property
    def trust_type(self) -> str:
        return self.aligned.trust_type

    @property
    def method(self) -> str:
        return self.aligned.method

    def table(self) -> pd.DataFrame:
        """A row a pair, strongest first, those without a coefficient last: metric_a, metric_b, name_a, name_b,
        domain_a, domain_b, and the columns of `FIGURES`."""
        table = self.pairs.reset_index()
        about = self.aligned.metrics
        for side in ("a", "b"):
            for what, column in (("name", "short"), ("domain", "domain")):
                table[f"{what}_{side}"] = table[f"metric_{side}"].map(about[column])
        columns = ["metric_a", "metric_b", "name_a", "name_b", "domain_a", "domain_b", *FIGURES]
        order = table["coefficient"].abs().sort_values(ascending=False, kind="stable", na_position="last").index
        return table.loc[order, columns].reset_index(drop=True)

    def matrix(self) -> pd.DataFrame:
        """Coefficients, metrics by metrics, 1 on the diagonal; NaN for a pair that has none (its reason is in
        `table`)."""
        return self._square("coefficient", 1.0)

    def counts(self) -> pd.DataFrame:
        """Trusts behind each coefficient, metrics by metrics; on the diagonal those that have the metric."""
        return self._square("n", self.aligned.metrics["n"].to_numpy()).astype(int)

    def _square(self, figure: str, diagonal) -> pd.DataFrame:
        names = self.aligned.metrics.index
        rows, columns = (names.get_indexer(self.pairs.index.get_level_values(side)) for side in (0, 1))
        square = np.full((len(names), len(names)), np.nan)
        square[rows, columns] = square[columns, rows] = self.pairs[figure]
        np.fill_diagonal(square, diagonal)
        return pd.DataFrame(square, names, names)


def correlations(
    figures: Release,
    framework: Framework,
    trust_type: str,
    method: str = "spearman",
    on: str = "values",
    draws: int = CORRELATION_DRAWS,
    seed: int = SEED,
    metrics: Sequence[str] | None = None,
    executor: Executor | None = None,
) -> Correlations:
    """Correlations between all metrics of a trust type, or those named. See `aligned` for ``on`` and ``metrics``.

    Raises InputError for an unknown word or metric, or fewer than one draw.
    """
    found = aligned(figures, framework, trust_type, on, method, metrics)
    about = found.metrics
    missing = {name: why for name, why in about["missing"].items() if why}
    pairs = correlate(
        found.values, None, method, draws, seed, about["short"].to_dict(), plural(trust_type), missing, executor
    )
    return Correlations(found, pairs, draws, seed)
