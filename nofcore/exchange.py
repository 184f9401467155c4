"""Whether changes point one way more than chance would have it: the exact test of exchanged signs.

If nothing truly changed, each change is as likely for the better as for the worse: old and new may be exchanged
without a trace (Fisher 1935, the paired randomisation test). The share of all exchanges, item by item, whose total is
at least as far from 0 is exact for any number of items and any sizes of change. Items that are taken from one
source, such as the questions of one survey, move together: they are exchanged as one. It takes the rest as
independent of one another; where they move together too, the share is too small.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nofcore.scoring import EXACT

TOLD = 0.05
"""A total is told from chance where no larger share of the exchanges lies as far from 0."""


def sums_by_source(changes: np.ndarray, sources: Sequence[str]) -> np.ndarray:
    """(sources,) changes that are exchanged as one, summed. ``changes``: (items,); ``sources``: of each."""
    _, places = np.unique(np.asarray(sources, dtype=str), return_inverse=True)
    return np.bincount(places, changes) if len(places) else np.zeros(0)


def exchange_test(changes: np.ndarray, level: float = TOLD) -> tuple[float, float]:
    """(share of exchanges as far from 0 as the total, share of exchanges that are told at ``level``).

    ``changes``: (items,), or sums of items that move together; those that are 0 have no say. The second figure is how often chance alone
    is told: at most ``level``, and less where there are few sums to choose from, such as 0 for five items or fewer.
    Every one of the 2**n exchanges is counted, by sums of either half of the items: fit for up to 40.
    """
    moved = changes[np.abs(changes) > EXACT]
    if not len(moved):
        return 1.0, 0.0
    left, right = (_signed_sums(half) for half in (moved[: len(moved) // 2], moved[len(moved) // 2 :]))
    right.sort()

    def beyond(least: float) -> float:
        if least <= EXACT:
            return 1.0
        reached = len(right) - np.searchsorted(right, least - EXACT - left)
        return 2 * float(reached.sum()) / (len(left) * len(right))  # as many lie as far below 0

    low, high = 0.0, float(np.abs(moved).sum()) + 1.0  # the smallest total that is told lies between
    while high - low > EXACT:
        middle = (low + high) / 2
        low, high = (low, middle) if beyond(middle) <= level else (middle, high)
    return beyond(abs(float(moved.sum()))), beyond(high)


def _signed_sums(changes: np.ndarray) -> np.ndarray:
    """(2**n,) sums under every choice of signs."""
    sums = np.zeros(1)
    for change in changes:
        sums = np.concatenate([sums + change, sums - change])
    return sums
