"""How probably a trust truly belongs in the worst segment: its average, allowing for luck with the metrics.

The share of bootstrap draws in which a trust is in a segment scatters about its published average. But a trust that is
found at the end of a table owes that partly to luck, so the share of draws is too sure: of acute trusts in the worst
quarter by a random half of the metrics of Q1 2025/26, 54 % are there by the other half too, and the share
of draws says 77 % (see the tests). Here each average is drawn towards the mean of its type by as much as it is
unreliable (empirical Bayes, after Efron and Morris 1975). The method is ours. It assumes that

* a score is the mean of the metric, plus what is the trust's own, plus a rest that is independent from metric to metric
  and equally wide for all trusts of the type;
* what is the trust's own is normally distributed over the trusts of the type;
* cut-offs and override flags stay as they were, and the two widths are known: they are estimated from the same scores,
  by analysis of variance (trusts by metrics) and by moments, and with ten trusts only roughly.

"Truly" then means: on average over all metrics of the same kinds, of the same quarter. Errors of measurement are in it
only as far as they make a trust's scores differ from one another, and that care is poor is not what it says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from nofcore import league
from nofcore.league import LeagueTable
from nofcore.movement import cuts_of

# --- on arrays ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shrunk:
    """Averages of trusts, drawn towards their mean, each (trusts,): ``expected`` and ``error`` (standard deviation)
    of what they would be over all metrics of the kind, ``reliability`` (0 to 1: how much of the difference from the
    mean is kept). ``between``, ``rest``: standard deviations of what is the trusts' own, and of the rest of a score."""

    expected: np.ndarray
    error: np.ndarray
    reliability: np.ndarray
    between: float
    rest: float


def shrink(scores: np.ndarray) -> Shrunk | None:
    """Shrink the averages of (trusts, items) scores, NaN where a trust has none; every trust has some.

    None where trusts differ no more than chance would make them, or where there are too few scores to tell.
    """
    scores = scores[:, ~np.isnan(scores).all(axis=0)]
    known = ~np.isnan(scores)
    counts, filled = known.sum(axis=1), np.where(known, scores, 0.0)
    levels, rank = _levels(filled, known)
    free = known.sum() - len(scores) - rank
    if free <= 0 or len(scores) < 3:
        return None
    own = (filled - known * levels).sum(axis=1) / counts
    rest = float((((filled - own[:, None] - levels) * known) ** 2).sum() / free)
    own -= own.mean()
    between = own.var(ddof=1) - (rest / counts).mean()
    if between <= 0:
        return None
    means = np.nanmean(scores, axis=1) - own  # of the metrics that each trust has
    reliability = between / (between + rest / counts)
    error = np.sqrt(reliability * rest / counts)
    return Shrunk(means + reliability * own, error, reliability, float(between**0.5), rest**0.5)


def _levels(filled: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, int]:
    """Least squares means of the items beside trusts, up to a constant, and how many of them are free.

    The normal equations of trusts and items, with the trusts eliminated.
    """
    share = known / known.sum(axis=1, keepdims=True)
    left = np.diag(known.sum(axis=0).astype(float)) - known.T @ share
    right = filled.sum(axis=0) - filled.sum(axis=1) @ share
    levels, _, rank, _ = np.linalg.lstsq(left, right, rcond=1e-9)
    return levels, int(rank)


def segment_probabilities(expected: np.ndarray, error: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """(trusts, segments) before the override, from averages in points that are rounded half up; ``cuts`` in hundredths.

    An average is in the better segment up to the last hundredth that does not exceed the cut-off.
    """
    ends = (np.floor(np.asarray(cuts) + 1e-9) + 0.5) / 100
    reached = norm.cdf((ends - expected[:, None]) / np.maximum(error, 1e-12)[:, None])
    padded = np.hstack([np.zeros((len(expected), 1)), reached, np.ones((len(expected), 1))])
    return np.diff(padded, axis=1)


# --- on a league table ----------------------------------------------------------------------------


def belonging(rebuilt: LeagueTable, trust_type: str, segment: int) -> pd.Series:
    """The probability that each ranked trust of a type truly belongs in a segment, after the override.

    For tables in which every ranked trust has items. NaN where `shrink` gives none.
    """
    rows = rebuilt.of(trust_type).dropna(subset="rank")
    found = shrink(rebuilt.items.values.loc[rows.index].to_numpy())
    if found is None:
        return pd.Series(np.nan, rows.index)
    cuts = cuts_of(rebuilt, trust_type)
    shares = segment_probabilities(found.expected, found.error, cuts)
    rule = rebuilt.framework.override
    start = np.arange(1, len(cuts) + 2, dtype=np.int8)
    flags = rows["flagged"].to_numpy(dtype=bool)[:, None]
    after = np.repeat(start[None], len(rows), axis=0)
    if rule:
        after = league.override(after, flags, rule.no_higher_than, rule.segments_down or 0, len(start))
    return pd.Series((shares * (after == segment)).sum(axis=1), rows.index)
