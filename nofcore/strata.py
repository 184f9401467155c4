"""Like with like: correlation of two figures within groups, the means of the groups taken out of both."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nofcore.correlation import FIGURES, LEAST, RESAMPLED, UNDEFINED, p_values, percentile_interval, trust_weights
from nofcore.randomness import blocks

_NEVER = 1e-9
"""A sum of squares at or below this share of the whole is no variation."""


def within(first: np.ndarray, second: np.ndarray, strata: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(draws,) Pearson's correlation of two figures less the means of their strata; NaN where one does not vary.

    ``first``, ``second``, ``strata``: (trusts,); ``weights``: (trusts, draws) how often each trust is in a
    draw. The means are those of the draw.
    """
    member = (strata[None] == np.unique(strata)[:, None]).astype(float)
    size = member @ weights

    def centred(figure: np.ndarray) -> np.ndarray:
        means = (member @ (weights * figure[:, None])) / np.maximum(size, 1)
        return figure[:, None] - member.T @ means

    a, b = centred(first), centred(second)
    squares = [(weights * one**2).sum(axis=0) for one in (a, b)]
    least = [_NEVER * (one**2).sum() for one in (first - first.mean(), second - second.mean())]
    varies = (squares[0] > least[0]) & (squares[1] > least[1])
    scale = np.sqrt(np.where(varies, squares[0], 1) * np.where(varies, squares[1], 1))
    return np.where(varies, np.clip((weights * a * b).sum(axis=0) / scale, -1, 1), np.nan)


def shuffled_within(strata: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """(draws, trusts) orders in which trusts change places with those of their own stratum alone."""
    codes = np.unique(strata, return_inverse=True)[1]
    orders = np.empty((size, len(codes)), dtype=np.intp)
    orders[:, np.argsort(codes, kind="stable")] = np.argsort(codes + random.random((size, len(codes))), axis=1)
    return orders


def correlate_within(first: pd.Series, second: pd.Series, strata: pd.Series, draws: int, seed: int) -> pd.Series:
    """The figures of `nofcore.correlation.FIGURES` (p_adjusted left open) for two figures within strata.

    Interval: trusts are resampled and the means of the strata taken anew in each draw. p: the second
    figure is permuted among the trusts of a stratum, two-sided. Trusts without both figures, and those alone in
    their stratum, are left out.
    """
    table = pd.DataFrame({"first": first, "second": second, "stratum": strata}).dropna()
    table = table[table["stratum"].map(table["stratum"].value_counts()) > 1]
    found = dict.fromkeys(FIGURES, np.nan) | {"n": len(table), "reason": ""}
    x, y, groups = table["first"].to_numpy(float), table["second"].to_numpy(float), table["stratum"].to_numpy()
    if len(table) < LEAST:
        return pd.Series(found | {"reason": f"not available, because only {len(table)} have both ({LEAST} are needed)"})
    coefficient = within(x, y, groups, np.ones((len(table), 1)))[0]
    if np.isnan(coefficient):
        return pd.Series(found | {"reason": "not available, because one of the two is the same for all of a group"})
    drawn, as_far = [], 0
    residual = y - pd.Series(y).groupby(groups).transform("mean").to_numpy()
    for block in blocks(draws, seed):
        random = block.generator()
        drawn.append(within(x, y, groups, trust_weights(random, block.size, len(table)).astype(float)))
        as_far += _as_far(x, residual, groups, coefficient, shuffled_within(groups, block.size, random))
    (p,), (p_error,) = p_values(np.array([as_far]), draws)
    found |= {"coefficient": coefficient, "p": p, "p_error": p_error}
    interval = percentile_interval(np.concatenate(drawn)[:, None])
    found["undefined"] = interval.undefined[0]
    if len(table) < RESAMPLED or interval.undefined[0] > UNDEFINED:
        return pd.Series(
            found | {"reason": f"interval not available, because {len(table)} trusts are too few to resample"}
        )
    return pd.Series(found | {name: getattr(interval, name)[0] for name in ("low", "high", "low_error", "high_error")})


def _as_far(x: np.ndarray, residual: np.ndarray, groups: np.ndarray, coefficient: float, orders: np.ndarray) -> int:
    """Orders under which the coefficient is at least as far from 0. Means of groups are the same in all of them."""
    first = x - pd.Series(x).groupby(groups).transform("mean").to_numpy()
    scale = np.sqrt((first**2).sum() * (residual**2).sum())
    return int((np.abs(residual[orders] @ first / scale) >= abs(coefficient) - 1e-9).sum())
