"""Do figures and ranks contradict each other, and which of them is out of order?"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np


def out_of_order(figures, ranks) -> np.ndarray:
    """Which entries stand outside the longest run in which no rank contradicts a figure.

    ``figures``: the lower the better; ``ranks``: 1 = best. Equal figures may have any ranks among themselves (they
    may differ beyond the published decimals); equal ranks are a true tie, so their figures must be equal. Where one
    figure or one rank has been changed, it alone stands outside.
    """
    figures, ranks = np.asarray(figures, dtype=float), np.asarray(ranks, dtype=float)
    order = np.lexsort((-figures, ranks))
    ends: list[float] = []  # the lowest figure that a run of each length can end with
    last: list[int] = []
    before = np.full(len(order), -1)
    for place, entry in enumerate(order):
        length = bisect_right(ends, figures[entry])
        before[place] = last[length - 1] if length else -1
        if length == len(ends):
            ends.append(figures[entry])
            last.append(place)
        else:
            ends[length], last[length] = figures[entry], place
    outside = np.ones(len(order), dtype=bool)
    place = last[-1] if last else -1
    while place >= 0:
        outside[order[place]] = False
        place = before[place]
    return outside


def impossible(figures, ranks, slack: int = 0) -> np.ndarray:
    """Which ranks cannot be minimum ranks of figures that differ beyond the published decimals alone.

    A rank must exceed the number of better figures, and not the number of others that are better or equal by more
    than 1. ``slack``: so many figures or ranks are not known. A rank that is NaN is not judged.
    """
    figures, ranks = np.asarray(figures, dtype=float), np.asarray(ranks, dtype=float)
    ordered = np.sort(figures)
    lowest = np.searchsorted(ordered, figures, side="left") + 1 - slack
    highest = np.searchsorted(ordered, figures, side="right") + slack
    return ~np.isnan(ranks) & ((ranks < lowest) | (ranks > highest))
