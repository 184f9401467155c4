"""Do figures and ranks contradict each other, and which of them is out of order?"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

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


def uncounted(ranks) -> tuple[int, np.ndarray] | None:
    """The first place at which ranks are no minimum ranks, and the entries of which any one, put right, mends them.

    In order every rank is its own place or equals the rank before it, as in 1, 2, 2, 4. None where that holds; there
    are no entries where more than one rank is wrong, or a row is missing.
    """
    ranks = np.asarray(ranks, dtype=float)
    place = _open_place(ranks)
    return None if place is None else (place, np.unique([entry for entry, _ in _mends(ranks)]).astype(int))


def _open_place(ranks: np.ndarray) -> int | None:
    ordered = np.sort(ranks)
    is_open = ordered != np.arange(1, len(ordered) + 1)
    is_open[1:] &= ordered[1:] != ordered[:-1]
    return int(is_open.argmax()) + 1 if is_open.any() else None


def _mends(ranks: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """(entry, ranks as they then are) of every change of one rank that makes the ranks count."""
    if _open_place(ranks) is None:
        return
    for old in np.unique(ranks):
        rest = np.sort(np.delete(ranks, np.argmax(ranks == old)))
        # What is put into the others stands at the first open place of theirs, alone or beside the one before.
        place = _open_place(rest) or len(ranks)
        for new in {place, *rest[place - 2 : place - 1]}:
            if _open_place(np.append(rest, new)) is None:
                yield from ((entry, _with(ranks, entry, new)) for entry in np.flatnonzero(ranks == old))


def _with(ranks: np.ndarray, entry: int, rank: float) -> np.ndarray:
    changed = ranks.copy()
    changed[entry] = rank
    return changed


def one_rank_out(figures, ranks) -> int | None:
    """The one entry whose rank, put right, sets everything in order; None if not one alone does."""
    figures, ranks = np.asarray(figures, dtype=float), np.asarray(ranks, dtype=float)
    found = {int(entry) for entry, mended in _mends(ranks) if not out_of_order(figures, mended).any()}
    return found.pop() if len(found) == 1 else None


def opponents(figures, ranks, entry: int) -> np.ndarray:
    """The other entries that one contradicts: better with a worse rank, the reverse, or unlike with the same rank."""
    figures, ranks = np.asarray(figures, dtype=float), np.asarray(ranks, dtype=float)
    ahead, behind = ranks < ranks[entry], ranks > ranks[entry]
    better, worse = figures < figures[entry], figures > figures[entry]
    return np.flatnonzero((ahead & worse) | (behind & better) | (~ahead & ~behind & (better | worse)))
