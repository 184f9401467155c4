"""How far items and averages spread: within trusts, and between them."""

from __future__ import annotations

import numpy as np


def within_sd(items: np.ndarray) -> float:
    """Pooled standard deviation of items within trusts. ``items``: (trusts, items), NaN where there is none.

    Raises ValueError where no trust has two items.
    """
    present = ~np.isnan(items)
    n = present.sum(axis=1)
    spare = n[n > 0].sum() - (n > 0).sum()
    if spare == 0:
        raise ValueError("no trust has two items")
    means = np.where(present, items, 0).sum(axis=1) / np.maximum(n, 1)
    return float(np.sqrt((np.where(present, items - means[:, None], 0) ** 2).sum() / spare))


def between_variance(weighted_squares: float, variances: np.ndarray) -> float:
    """Variance between units by the method of moments (DerSimonian and Laird 1986); not below 0.

    ``weighted_squares``: sum of the squared deviations of the estimates from their mean, each over its
    variance; ``variances``: of the estimates. Raises ValueError for fewer than two or one not positive.
    """
    variances = np.asarray(variances, dtype=float)
    if len(variances) < 2 or not (variances > 0).all():
        raise ValueError("needs at least two estimates, each with a positive variance")
    weights = 1 / variances
    scale = weights.sum() - (weights**2).sum() / weights.sum()
    return max(0.0, float((weighted_squares - (len(variances) - 1)) / scale))


def weighted_squares(estimates: np.ndarray, variances: np.ndarray) -> float:
    """Sum of squared deviations from the weighted mean, each over its variance (Cochran's Q)."""
    weights = 1 / np.asarray(variances, dtype=float)
    return float((weights * (estimates - np.average(estimates, weights=weights)) ** 2).sum())


def between_interval(estimates: np.ndarray, variances: np.ndarray, level: float) -> tuple[float, float]:
    """Confidence interval of the variance between units: Q-profile (Viechtbauer 2007), cut off at 0.

    The ends are the variances between units under which Cochran's Q would lie at the upper and the
    lower tail of its chi-squared distribution.
    """
    from scipy import special  # slow to import, and few need it

    estimates, variances = np.asarray(estimates, dtype=float), np.asarray(variances, dtype=float)
    tails = special.chdtri(len(estimates) - 1, [(1 - level) / 2, (1 + level) / 2])
    return tuple(_profile(estimates, variances, tail) for tail in tails)


def _profile(estimates: np.ndarray, variances: np.ndarray, wanted: float) -> float:
    from scipy import optimize

    def surplus(between: float) -> float:
        return weighted_squares(estimates, variances + between) - wanted

    if surplus(0) <= 0:
        return 0.0
    high = float(variances.max())
    while surplus(high) > 0:
        high *= 2
    return float(optimize.brentq(surplus, 0, high))
