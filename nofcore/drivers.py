"""What drives the average: which items move it, and how far they say the same thing.

An item is what is averaged: a metric score, or the mean of a group's scores (`nofcore.league.items`).
Scores are turned so that high is good. All that follows describes the trusts of one type in one quarter;
the averages are unrounded and without the override.

**Influence.** The variance of the average is taken apart exactly. With x the score of trust t on item i, n the
number of items of the trust and m the item's mean over the trusts that have it, the average is

    A(t) = sum over the trust's items of (x - m) / n   +   sum over the trust's items of m / n.

The first sum has a term for each item, 0 for a trust without it; the second depends only on which items a trust
has. The variance of A is the sum of the covariances of these terms with A. An item's influence is its
covariance as a share of that variance; that of the second sum is the share of "which metrics apply". With all of
them the shares add to 1. Without missing items that share is 0 and an item's influence is
cov(x, A) / (n var(A)). Weight is what the rules give: the mean over trusts of 1/n, 0 for those without the item.
An item of influence above its weight sets trusts apart more than its weight says; below 0 it works
against the average. Centring each item on its own mean is our choice: it keeps "has this item" apart from "does
well on it".

**Cronbach's alpha** (1951): k / (k - 1) (1 - sum of the variances / sum of all covariances), each
covariance over the trusts that have both. 1 if items measure one thing, near 0 if they have nothing in common.

**Components.** Eigenvalues of the correlation matrix beside those of random tables with the same gaps
(parallel analysis, Horn 1965): a component counts while its eigenvalue is above the 95th percentile of the random ones.

**Effective number of items**: (sum of eigenvalues)² / sum of squared eigenvalues. k for items with nothing in
common, 1 if they all say the same. Chance correlations lower it, so that of random tables stands beside it.

Alpha, components, effective number and domains take the items that at least half of the trusts have: with
fewer, a matrix is pieced together from groups of trusts that hardly overlap. Those left out are named.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from nofcore.correlation import (
    LEAST,
    check_method,
    coefficients,
    correlate,
    p_values,
    percentile_interval,
    trust_weights,
)
from nofcore.defaults import CORRELATION_DRAWS, SEED
from nofcore.errors import InputError
from nofcore.framework import Framework
from nofcore.league import Items, LeagueTable, require_plain_average
from nofcore.randomness import Block, blocks, tally
from nofcore.wording import plural

SHARE = 0.5
"""Least share of the trusts that must have an item for it to enter alpha, components and domains."""
RANDOM_TABLES = 500
"""Random tables behind the parallel analysis."""
ABOVE = 95
"""Percentile of the random eigenvalues that a component must exceed."""
TOGETHER = 0.5
"""Metrics are one cluster while groups join at an average coefficient of at least this."""
MIX = "which metrics apply"


# --- the variance of the average ------------------------------------------------------------------


def influence(items: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Share of each item in the variance of the average, (draws, items + 1); the last is "which metrics apply".

    ``items``: (trusts, items), NaN where a trust has none; ``weights``: (trusts, draws) how often each trust
    is in each draw, once each where None. Shares add to 1; NaN in a draw whose averages are all the same.
    Raises ValueError if a trust has no item.
    """
    weights = np.ones((len(items), 1)) if weights is None else weights
    present, average = ~np.isnan(items), _averages(items)
    filled = np.where(present, items, 0)
    share_of = present / present.sum(axis=1, keepdims=True)
    total = weights.sum(axis=0)
    means = (filled.T @ weights) / np.maximum(present.T @ weights, 1)
    centred = average[:, None] - (average @ weights) / total

    def with_average(terms: np.ndarray) -> np.ndarray:
        return terms.T @ (weights * centred)

    ofs = with_average(share_of)
    own = with_average(filled * share_of) - means * ofs
    mix = (means * ofs).sum(axis=0)
    variance = (weights * centred**2).sum(axis=0)
    flat = variance <= 1e-12 * total
    shares = np.vstack([own, mix]) / np.where(flat, np.nan, variance)
    return shares.T


def _averages(items: np.ndarray) -> np.ndarray:
    """(trusts,) unrounded averages of the items that each trust has."""
    present = ~np.isnan(items)
    if not present.any(axis=1).all():
        raise ValueError("a trust has no item")
    return np.where(present, items, 0).sum(axis=1) / present.sum(axis=1)


def nominal_weights(items: np.ndarray) -> np.ndarray:
    """(items,) mean over trusts of each item's weight in the average; they add to 1."""
    present = ~np.isnan(items)
    return (present / present.sum(axis=1, keepdims=True)).mean(axis=0)


def rest_averages(items: np.ndarray) -> np.ndarray:
    """(trusts, items) average of a trust's other items; NaN where it lacks the item or has no other."""
    present = ~np.isnan(items)
    others = present.sum(axis=1, keepdims=True) - 1
    total = np.where(present, items, 0).sum(axis=1, keepdims=True)
    return np.where(present & (others > 0), (total - items) / np.maximum(others, 1), np.nan)


# --- do items say the same thing? -----------------------------------------------------------------


def covariances(items: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """(draws, items, items) pairwise-complete covariances, divisor n - 1; NaN with fewer than 2 trusts in common.

    ``items``, ``weights``: as in `influence`.
    """
    weights = np.ones((len(items), 1)) if weights is None else weights
    trusts, count = items.shape
    present = ~np.isnan(items)
    centre = np.where(present, items, 0).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    filled = np.where(present, items - centre, 0)  # near 0, so that squares keep their digits

    def sums(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        products = (left[:, :, None] * right[:, None]).reshape(trusts, -1)
        return (weights.T @ products).reshape(-1, count, count)

    n, first = sums(present, present), sums(filled, present)
    cross = sums(filled, filled) - first * first.swapaxes(1, 2) / np.maximum(n, 1)
    return np.where(n > 1, cross / np.maximum(n - 1, 1), np.nan)


def alpha(covariance: np.ndarray) -> np.ndarray:
    """Cronbach's alpha of (..., items, items) covariances; NaN where they add to nothing."""
    count = covariance.shape[-1]
    total = covariance.sum(axis=(-2, -1))
    total = np.where(np.abs(total) > 1e-12, total, np.nan)
    return count / (count - 1) * (1 - np.trace(covariance, axis1=-2, axis2=-1) / total)


def alpha_without(covariance: np.ndarray) -> np.ndarray:
    """(items,) alpha of the other items; NaN with fewer than two others."""
    keep = [np.delete(np.arange(len(covariance)), i) for i in range(len(covariance))]
    return np.array([alpha(covariance[np.ix_(k, k)]) if len(k) > 1 else np.nan for k in keep])


def square(values: np.ndarray, method: str) -> np.ndarray:
    """(columns, columns) coefficients of all pairs of columns, 1 on the diagonal; see
    `nofcore.correlation.coefficients`."""
    pairs = np.array(list(combinations(range(values.shape[1]), 2)), dtype=int).reshape(-1, 2)
    found = np.eye(values.shape[1])
    found[tuple(pairs.T)] = found[tuple(pairs.T[::-1])] = coefficients(values, pairs, method)[0]
    return found


def random_eigenvalues(present: np.ndarray, method: str, draws: int, seed: int) -> np.ndarray:
    """(draws, columns) eigenvalues, largest first, of tables of independent normal numbers with the same gaps.

    ``present``: (trusts, columns), whether a figure is there.
    """
    found = []
    for block in blocks(draws, seed):
        random = block.generator()
        for _ in range(block.size):
            table = np.where(present, random.standard_normal(present.shape), np.nan)
            found.append(np.linalg.eigvalsh(_square_at_once(table, method))[::-1])
    return np.array(found)


def _square_at_once(values: np.ndarray, method: str) -> np.ndarray:
    """As `square`, by whole matrices: faster for one table of columns that all vary.

    Of the sign of every difference between two trusts: half its sum over the trusts that have both columns is the
    deviation of a midrank from the middle one; its products are those of Kendall.
    """
    columns = np.ascontiguousarray(values.T)
    present = ~np.isnan(columns)
    both = (present[:, None] & present).astype(np.float32)
    if method == "pearson":
        filled = np.where(present, columns, 0)
        mean = (filled @ present.T) / both.sum(axis=-1)
        deviation = (filled[:, None] - mean[..., None]) * both
    else:
        # Comparisons with NaN are false, so a missing figure has the sign 0. Whole numbers: exact in single precision.
        signs = np.subtract(
            columns[:, :, None] > columns[:, None], columns[:, :, None] < columns[:, None], dtype=np.float32
        )
        if method == "kendall":
            flat = signs.reshape(len(signs), -1)
            untied = np.abs(flat) @ (present[:, :, None] & present[:, None]).reshape(len(signs), -1).T.astype(
                np.float32
            )
            return (flat @ flat.T) / np.sqrt(untied * untied.T)
        deviation = (signs @ both.swapaxes(1, 2)).swapaxes(1, 2) * both
    squares = np.einsum("ijt,ijt->ij", deviation, deviation)
    return np.einsum("ijt,jit->ij", deviation, deviation) / np.sqrt(squares * squares.T)


def effective_number(matrix: np.ndarray) -> float:
    """(sum of eigenvalues)² / sum of squared eigenvalues of a correlation matrix."""
    return float(np.trace(matrix) ** 2 / (matrix**2).sum())


def domain_gap(matrix: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean coefficient within labels minus that across, (draws,). ``labels``: (draws, columns) codes.

    NaN where there is no pair within, or none across.
    """
    upper = np.triu_indices(len(matrix), 1)
    found, same = matrix[upper], labels[:, upper[0]] == labels[:, upper[1]]
    within, across = same.sum(axis=1), (~same).sum(axis=1)
    none = (within == 0) | (across == 0)
    gap = (same @ found) / np.maximum(within, 1) - (~same @ found) / np.maximum(across, 1)
    return np.where(none, np.nan, gap)


def domain_p(matrix: np.ndarray, labels: np.ndarray, draws: int, seed: int) -> tuple[float, float]:
    """(p, its Monte Carlo error): how often shuffled labels give a gap at least as far from 0, on either side."""
    observed = domain_gap(matrix, labels[None])[0]
    if np.isnan(observed):
        return np.nan, np.nan

    def count(block: Block) -> int:
        shuffled = block.generator().permuted(np.tile(labels, (block.size, 1)), axis=1)
        return int((np.abs(domain_gap(matrix, shuffled)) >= abs(observed) - 1e-9).sum())

    p, error = p_values(np.array([tally(count, int.__add__, draws, seed, None)]), draws)
    return float(p[0]), float(error[0])


@dataclass(frozen=True)
class Clusters:
    """Average-linkage clusters of metrics on the distance 1 - r.

    ``order``: metrics so that those that go together stand together; ``groups``: by metric, a number from 1 in
    that order; ``left_out``: metrics without a coefficient for some pair, which cannot be placed.
    """

    order: tuple[str, ...]
    groups: pd.Series
    left_out: tuple[str, ...]


def clusters(matrix: pd.DataFrame, together: float = TOGETHER) -> Clusters:
    """Cluster the metrics of a correlation matrix. The distance is 1 - r, not 1 - |r|: metrics that pull against
    each other do not say the same thing. Groups join while the average coefficient between them is at least
    ``together``. The metric with the most missing coefficients is left out until none is missing."""
    kept = matrix
    left_out: list[str] = []
    while kept.isna().any(axis=None):
        worst = kept.isna().sum().sort_values(kind="stable").index[-1]
        left_out.append(worst)
        kept = kept.drop(index=worst, columns=worst)
    if len(kept) < 2:
        return Clusters(tuple(kept), pd.Series(1, kept.index), tuple(left_out))
    distance = squareform(1 - kept.to_numpy(), checks=False)
    tree = hierarchy.linkage(distance, "average", optimal_ordering=True)
    order = kept.index[hierarchy.leaves_list(tree)]
    labels = pd.Series(hierarchy.fcluster(tree, 1 - together + 1e-12, "distance"), kept.index)[order]
    return Clusters(tuple(order), pd.Series(pd.factorize(labels)[0] + 1, order), tuple(left_out))


# --- on a league table ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Structure:
    """How far the items that most trusts have say the same thing.

    ``items``: those taken; ``left_out``: why the others were not, by item. ``alpha`` with its 95 % interval over
    resampled trusts; ``components``: eigenvalue, share (of the variance of all items), random (the 95th percentile of
    random tables), counts (it and all before it are above); ``loadings``: items by component; ``effective``, and
    ``effective_random`` and ``effective_low`` (mean and 5th percentile of random tables); ``within``, ``across``:
    mean coefficients of pairs within and across domains, with their numbers of pairs and a one-sided p; ``domains``:
    the mean within each."""

    items: tuple[str, ...]
    left_out: Mapping[str, str]
    alpha: float
    alpha_low: float
    alpha_high: float
    components: pd.DataFrame
    loadings: pd.DataFrame
    effective: float
    effective_random: float
    effective_low: float
    within: float
    across: float
    pairs_within: int
    pairs_across: int
    p: float
    p_error: float
    domains: pd.DataFrame


@dataclass(frozen=True)
class Drivers:
    """What drives the average of a trust type.

    ``items``: by item: name, domain, n, weight, influence with low and high, the columns of
    `nofcore.correlation.FIGURES` for its correlation with the average of the others, alpha_without; ``mix``: influence,
    low and high of "which metrics apply"; ``structure``: None with a ``reason`` where there is none.
    """

    quarter: str
    trust_type: str
    method: str
    trusts: int
    items: pd.DataFrame
    mix: pd.Series
    structure: Structure | None
    reason: str
    draws: int
    seed: int

    def table(self) -> pd.DataFrame:
        """A row an item, the most influential first, and a last one for which metrics apply: item, name, domain, n,
        weight, influence, influence_low, influence_high (shares, 0 to 1), rest_n, rest_coefficient, rest_low,
        rest_high, rest_p, rest_p_adjusted, alpha_without, reason."""
        rows = self.items.sort_values("influence", ascending=False, kind="stable").reset_index()
        last = pd.DataFrame([{"item": "", "name": MIX.capitalize(), "n": self.trusts, "weight": 0.0, **self.mix}])
        return pd.concat([rows, last], ignore_index=True).fillna({"domain": "", "reason": ""})


def drivers(
    rebuilt: LeagueTable, trust_type: str, method: str = "spearman", draws: int = CORRELATION_DRAWS, seed: int = SEED,
    executor: Executor | None = None,
) -> Drivers:  # fmt: skip
    """What drives the average of a trust type, from the items of its trusts.

    Raises InputError if fewer than `LEAST` trusts have items, if all have the same average, or under rules with another
    average than the arithmetic mean of equal items.
    """
    check_method(method)
    values, names = good_items(rebuilt, trust_type)
    require_plain_average(rebuilt.framework, "influence cannot be worked out")
    table = values.to_numpy()
    if len(values) < LEAST:
        few = f"only {len(values)}" if len(values) else "no"
        raise InputError(f"{rebuilt.quarter}: {few} {plural(trust_type)} have metric scores ({LEAST} are needed)")
    shares = influence(table)[0]
    if np.isnan(shares).any():
        raise InputError(f"{rebuilt.quarter}: all {plural(trust_type)} have the same average, so nothing drives it")
    work = partial(_shares_block, items=table)
    interval = percentile_interval(tally(work, _stack, draws, seed, executor))
    items = pd.DataFrame(
        {
            "name": names, "domain": [rebuilt.items.domains[name] for name in values], "n": values.notna().sum(),
            "weight": nominal_weights(table), "influence": shares[:-1], "influence_low": interval.low[:-1],
            "influence_high": interval.high[:-1],
        },
        index=values.columns.rename("item"),
    )  # fmt: skip
    mix = pd.Series({"influence": shares[-1], "influence_low": interval.low[-1], "influence_high": interval.high[-1]})
    items = items.join(_with_the_rest(values, names, trust_type, method, draws, seed, executor))
    found, reason = _structure(values, rebuilt, trust_type, method, draws, seed, executor)
    items["alpha_without"] = np.nan
    if found is not None:
        items.loc[list(found.items), "alpha_without"] = alpha_without(
            covariances(values[list(found.items)].to_numpy())[0]
        )
    return Drivers(
        rebuilt.quarter, trust_type, method, len(values), items, mix, found, reason, draws, seed
    )  # fmt: skip


def good_items(rebuilt: LeagueTable, trust_type: str) -> tuple[pd.DataFrame, pd.Series]:
    """Items of the trusts of a type, turned so that high is good, and their short names."""
    if rebuilt.items is None:
        raise InputError(f"{rebuilt.quarter}: no metric scores are at hand")
    made: Items = rebuilt.items
    codes = rebuilt.of(trust_type).index.intersection(made.values.index)
    values = -made.values.loc[codes].dropna(axis="columns", how="all")
    return values, pd.Series({name: item_name(name, rebuilt.framework) for name in values}, dtype=str)


def item_name(item: str, framework: Framework) -> str:
    """The short name of an item: that of its metric, or the name of its group."""
    if item in framework.by_score:
        return framework.by_score[item].short
    return next(group.name for group in framework.group if group.key == item)


def _shares_block(block: Block, items: np.ndarray) -> np.ndarray:
    return influence(items, trust_weights(block.generator(), block.size, len(items)).astype(float))


def _alpha_block(block: Block, items: np.ndarray) -> np.ndarray:
    weights = trust_weights(block.generator(), block.size, len(items)).astype(float)
    return alpha(covariances(items, weights))[:, None]


def _stack(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.concatenate([one, other])


def _with_the_rest(values, names, trust_type: str, method: str, draws: int, seed: int, executor) -> pd.DataFrame:
    """Correlation of each item with the average of a trust's other items."""
    rest = pd.DataFrame(rest_averages(values.to_numpy()), values.index, [(name, "rest") for name in values])
    pairs = [(name, (name, "rest")) for name in values]
    both = pd.concat([values, rest], axis=1)
    said = names.to_dict() | {(name, "rest"): "the average of the other items" for name in values}
    found = correlate(both, pairs, method, draws, seed, said, plural(trust_type), executor=executor)
    found.index = values.columns
    return found.add_prefix("rest_").rename(columns={"rest_reason": "reason"})


def _structure(
    values: pd.DataFrame, rebuilt: LeagueTable, trust_type: str, method: str, draws: int, seed: int, executor
) -> tuple[Structure | None, str]:
    kept, left_out = _usable(values, trust_type)
    if len(kept) < 3:
        return (
            None,
            f"not available, because only {len(kept)} items are had by half of the {plural(trust_type)} and differ",
        )
    table = values[kept].to_numpy()
    matrix = square(table, method)
    interval = percentile_interval(tally(partial(_alpha_block, items=table), _stack, draws, seed, executor))
    random = random_eigenvalues(~np.isnan(table), method, RANDOM_TABLES, seed)
    values_of, vectors = np.linalg.eigh(matrix)
    values_of, vectors = values_of[::-1], vectors[:, ::-1]
    line = np.percentile(random, ABOVE, axis=0)
    chance = random.sum(axis=1) ** 2 / (random**2).sum(axis=1)
    components = pd.DataFrame(
        {
            "component": np.arange(1, len(kept) + 1),
            "eigenvalue": values_of,
            "share": values_of / len(kept),
            "random": line,
            "counts": np.logical_and.accumulate(values_of > line),
        }
    )
    loadings = vectors * np.sqrt(np.maximum(values_of, 0)) * np.where(vectors.sum(axis=0) < 0, -1, 1)
    return Structure(
        items=tuple(kept),
        left_out=left_out,
        alpha=float(alpha(covariances(table)[0])),
        alpha_low=float(interval.low[0]),
        alpha_high=float(interval.high[0]),
        components=components,
        loadings=pd.DataFrame(loadings, kept, components["component"]),
        effective=effective_number(matrix),
        effective_random=float(chance.mean()),
        effective_low=float(np.percentile(chance, 100 - ABOVE)),
        **_domains(matrix, [rebuilt.items.domains[name] for name in kept], draws, seed),
    ), ""


def _usable(values: pd.DataFrame, trust_type: str) -> tuple[list[str], dict[str, str]]:
    """Items for the joint analyses, and why the others are not among them. Two items that half of the trusts
    have may still have too few in common; then the one that fewer trusts have goes."""
    left_out: dict[str, str] = {}
    for name, column in values.items():
        if column.notna().sum() < SHARE * len(values):
            left_out[name] = f"only {column.notna().sum()} of {len(values)} {plural(trust_type)} have it"
        elif column.nunique() < 2:
            left_out[name] = f"it is the same for all {column.notna().sum()} {plural(trust_type)} that have it"
    kept = [name for name in values if name not in left_out]
    for one, other in combinations(kept, 2):
        both = values[[one, other]].dropna()
        if not {one, other} & set(left_out) and (len(both) < LEAST or (both.nunique() < 2).any()):
            left_out[min(one, other, key=lambda name: values[name].notna().sum())] = (
                f"too few {plural(trust_type)} have it together with another item, or all of these are the same"
            )
    return [name for name in kept if name not in left_out], left_out


def _domains(matrix: np.ndarray, labels: list[str], draws: int, seed: int) -> dict:
    codes, keys = pd.factorize(np.array(labels))
    upper = np.triu_indices(len(matrix), 1)
    same = codes[upper[0]] == codes[upper[1]]
    found = matrix[upper]
    p, p_error = domain_p(matrix, codes, draws, seed)
    rows = []
    for code, key in enumerate(keys):
        mine = same & (codes[upper[0]] == code)
        rows.append({"domain": key, "items": int((codes == code).sum()), "pairs": int(mine.sum()),
                     "within": found[mine].mean() if mine.any() else np.nan})  # fmt: skip
    return {
        "within": found[same].mean() if same.any() else np.nan,
        "across": found[~same].mean() if (~same).any() else np.nan,
        "pairs_within": int(same.sum()),
        "pairs_across": int((~same).sum()),
        "p": p,
        "p_error": p_error,
        "domains": pd.DataFrame(rows),
    }
