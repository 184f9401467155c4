"""Trusts against one another: which can be told apart, and how much of the spread is real.

The probabilities come from the bootstrap over items (`nofcore.bootstrap`, with ``pairs``), so they
speak of the choice of metrics, not of errors of measurement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nofcore.bootstrap import LEVEL, RankUncertainty
from nofcore.errors import InputError
from nofcore.league import LeagueTable, require_plain_average
from nofcore.variances import between_interval, between_variance, weighted_squares, within_sd

# --- on arrays ------------------------------------------------------------------------------------


def apart(ahead: np.ndarray, draws: int, level: float) -> np.ndarray:
    """(trusts, trusts): whether two trusts can be told apart at a level, from the number of ``draws`` in which the
    row ranks strictly above the column: one of the two is above the other in all but (1 - level)/2 of them.

    Draws in which the two share a rank count for neither. One draw against is added to those made, so
    that few draws leave doubt and not false certainty.
    """
    above = ahead / (draws + 1) >= 1 - (1 - level) / 2
    return above | above.T


def unsure(ahead: np.ndarray, draws: int, level: float, z: float = 2.576) -> np.ndarray:
    """(trusts, trusts): pairs that another seed may put on the other side of `apart`: the 99 % Monte Carlo
    interval of the larger of the two probabilities holds the limit."""
    limit = 1 - (1 - level) / 2
    larger = np.maximum(ahead, ahead.T) / draws
    return np.abs(larger - limit) <= z * np.sqrt(limit * (1 - limit) / draws)


def rankability(between: float, variances: np.ndarray) -> float:
    """Share of the variation in estimates that lies between units, 0 to 1 (Lingsma et al. 2009).

    tau² / (tau² + median variance), with ``between`` = tau², ``variances``: of the estimates. Near 0,
    ranks are noise; near 1, they are real.
    """
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
    """For each trust the number of others of its type, of those it cannot be told apart from, and how many of
    these verdicts another seed may change (unsure).

    A trust without a range of its own (see `nofcore.bootstrap.RankUncertainty.without_range`) is told
    apart from nobody, since nothing is known of how far it may move.
    """
    shares = probabilities(uncertainty).to_numpy()
    rivals = ~np.isnan(shares)
    ahead, draws = uncertainty.counts.ahead, uncertainty.counts.draws
    known = _known(uncertainty)
    told = apart(ahead, draws, level) & rivals & known
    table = uncertainty.trusts[["trust_type", "trust_name", "rank"]].copy()
    table["others"] = rivals.sum(axis=1)
    table["not_told_apart"] = rivals.sum(axis=1) - told.sum(axis=1)
    table["unsure"] = (unsure(ahead, draws, level) & rivals & known).sum(axis=1)
    return table


def _known(uncertainty: RankUncertainty) -> np.ndarray:
    """(trusts, trusts): pairs of which both have a range."""
    has = ~uncertainty.trusts.index.isin(uncertainty.without_range)
    return has[:, None] & has


def neighbours(uncertainty: RankUncertainty, trust_type: str, level: float = LEVEL) -> pd.DataFrame:
    """Trusts next to each other in the league table, both with a range of their own: ahead, behind, p_ahead
    (probability that the first ranks strictly above the second), p_behind, told_apart (see `apart`)."""
    shares = probabilities(uncertainty).to_numpy()
    told = apart(uncertainty.counts.ahead, uncertainty.counts.draws, level)
    places = np.flatnonzero(uncertainty.trusts["trust_type"] == trust_type)
    first, second = places[:-1], places[1:]
    known = _known(uncertainty)[first, second]
    first, second = first[known], second[known]
    codes = uncertainty.trusts.index
    return pd.DataFrame(
        {
            "ahead": codes[first], "behind": codes[second], "p_ahead": shares[first, second],
            "p_behind": shares[second, first], "told_apart": told[first, second],
        }
    )  # fmt: skip


def item_variances(rebuilt: LeagueTable, trust_type: str) -> pd.DataFrame:
    """average (unrounded), variance (of that average) and n_items of each trust of a type that has items.

    The variance is that of the items within trusts, pooled over the type, over the number of items. A
    trust's own few items would give an estimate of its own, but so rough a one that intervals and
    confidence sets made of it promise far more than they keep. That items of all trusts spread alike is
    our assumption. Raises InputError where no trust has two different items, and for rules that do not
    average as the official ones do.
    """
    require_plain_average(rebuilt.framework, f"{rebuilt.quarter}: the variance of averages cannot be estimated")
    where = f"{rebuilt.quarter}, {trust_type}"
    if rebuilt.items is None:
        raise InputError(f"{where}: no metric scores are at hand, so the variance of averages is not known")
    values = rebuilt.items.values.loc[rebuilt.of(trust_type).index.intersection(rebuilt.items.values.index)]
    try:
        spread = within_sd(values.to_numpy())
    except ValueError:
        spread = 0.0
    if spread == 0:
        raise InputError(f"{where}: no trust has two different items, so the variance of averages is not known")
    count = values.notna().sum(axis=1)
    return pd.DataFrame({"average": values.mean(axis=1), "variance": spread**2 / count, "n_items": count})


@dataclass(frozen=True)
class Rankability:
    """`rankability` of the averages of a type: the share, its interval at ``level`` (from that of the variance
    between trusts, with the variance within taken as known) and the number of trusts."""

    share: float
    low: float
    high: float
    level: float
    n: int


def rankability_of(rebuilt: LeagueTable, trust_type: str, level: float = LEVEL) -> Rankability:
    """Rankability of a type. InputError for fewer than two trusts with items; see `item_variances`."""
    known = item_variances(rebuilt, trust_type)
    if len(known) < 2:
        raise InputError(f"{rebuilt.quarter}, {trust_type}: rankability needs two trusts with items, not {len(known)}")
    estimates, variances = known["average"].to_numpy(), known["variance"].to_numpy()
    between = between_variance(weighted_squares(estimates, variances), variances)
    ends = between_interval(estimates, variances, level)
    share, low, high = (rankability(one, variances) for one in (between, *ends))
    return Rankability(share, low, high, level, len(known))
