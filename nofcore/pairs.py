"""Trusts against one another: which can be told apart, and how much of the spread is real.

The probabilities come from the bootstrap over items (`nofcore.bootstrap`, with ``pairs``), so they
speak of the choice of metrics, not of errors of measurement.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from nofcore.bootstrap import LEVEL, RankUncertainty
from nofcore.errors import InputError
from nofcore.league import LeagueTable

# --- on arrays ------------------------------------------------------------------------------------


def apart(ahead: np.ndarray, level: float) -> np.ndarray:
    """(trusts, trusts): whether two trusts can be told apart at a level, from the probabilities that the row
    ranks strictly above the column: one of the two is above the other in all but (1 - level)/2 of the draws.

    Draws in which the two share a rank count for neither.
    """
    sure = 1 - (1 - level) / 2
    above = ahead >= sure
    return above | above.T


def between_variance(estimates: np.ndarray, variances: np.ndarray) -> float:
    """Variance between units by DerSimonian and Laird (1986), from estimates and their variances; not below 0.

    Raises ValueError for fewer than two units or a variance that is not positive.
    """
    if len(estimates) < 2 or not (np.asarray(variances) > 0).all():
        raise ValueError("needs at least two estimates, each with a positive variance")
    weights = 1 / np.asarray(variances)
    mean = np.average(estimates, weights=weights)
    spread = (weights * (estimates - mean) ** 2).sum()
    scale = weights.sum() - (weights**2).sum() / weights.sum()
    return max(0.0, float((spread - (len(estimates) - 1)) / scale))


def rankability(estimates: np.ndarray, variances: np.ndarray) -> float:
    """Share of the variation in estimates that lies between units, 0 to 1 (Lingsma et al. 2009).

    tau² / (tau² + median variance): near 0, ranks are noise; near 1, they are real. Errors as
    `between_variance`.
    """
    between = between_variance(estimates, variances)
    return between / (between + float(np.median(variances)))


# --- on a league table ----------------------------------------------------------------------------


def probabilities(uncertainty: RankUncertainty) -> pd.DataFrame:
    """Probability that the row's trust ranks strictly above the column's, within type; NaN across types."""
    counts = uncertainty.counts
    if counts.ahead is None:
        raise InputError("the bootstrap was run without pairs")
    types = uncertainty.trusts["trust_type"].to_numpy()
    shares = np.where(types[:, None] == types, counts.ahead / counts.draws, np.nan)
    np.fill_diagonal(shares, np.nan)
    index = uncertainty.trusts.index
    return pd.DataFrame(shares, index=index, columns=index)


def not_told_apart(uncertainty: RankUncertainty, level: float = LEVEL) -> pd.DataFrame:
    """For each trust the number of others of its type, and of those it cannot be told apart from."""
    shares = probabilities(uncertainty).to_numpy()
    rivals = ~np.isnan(shares)
    told = apart(np.nan_to_num(shares), level) & rivals
    table = uncertainty.trusts[["trust_type", "trust_name", "rank"]].copy()
    table["others"] = rivals.sum(axis=1)
    table["not_told_apart"] = rivals.sum(axis=1) - told.sum(axis=1)
    return table


def neighbours(uncertainty: RankUncertainty, trust_type: str, level: float = LEVEL) -> pd.DataFrame:
    """Trusts next to each other in the league table: ahead, behind, p_ahead (probability that the first ranks
    strictly above the second), p_behind, told_apart."""
    shares = probabilities(uncertainty)
    codes = uncertainty.trusts.index[uncertainty.trusts["trust_type"] == trust_type]
    table = pd.DataFrame({"ahead": codes[:-1], "behind": codes[1:]})
    pairs = list(zip(table["ahead"], table["behind"], strict=True))
    table["p_ahead"] = [shares.at[first, second] for first, second in pairs]
    table["p_behind"] = [shares.at[second, first] for first, second in pairs]
    sure = 1 - (1 - level) / 2
    table["told_apart"] = (table["p_ahead"] >= sure) | (table["p_behind"] >= sure)
    return table


def item_variances(rebuilt: LeagueTable, trust_type: str) -> pd.DataFrame:
    """average (unrounded), variance (of that average, from the spread of the trust's items) and n_items.

    Trusts with fewer than two items, or whose items are all equal, have no variance: NaN.
    """
    codes = rebuilt.of(trust_type).index.intersection(rebuilt.items.values.index)
    values = rebuilt.items.values.loc[codes]
    count = values.notna().sum(axis=1)
    variance = values.var(axis=1, ddof=1) / count
    return pd.DataFrame({"average": values.mean(axis=1), "variance": variance.where(variance > 0), "n_items": count})


def rankability_of(rebuilt: LeagueTable, trust_type: str) -> tuple[float, int]:
    """(rankability of the averages of a type, number of trusts it rests on). InputError for fewer than two."""
    known = item_variances(rebuilt, trust_type).dropna()
    if len(known) < 2:
        raise InputError(f"{rebuilt.quarter}, {trust_type}: rankability needs two trusts with two or more items each")
    return rankability(known["average"].to_numpy(), known["variance"].to_numpy()), len(known)
