"""Ranks of whole-number keys, the one place where a rank is computed; and how far two rankings agree."""

from __future__ import annotations

import numpy as np


def minimum_ranks(keys: np.ndarray) -> np.ndarray:
    """Rank from 1 of each key along the last axis (1 = smallest); equal keys share the best rank (1, 2, 2, 4).

    ``keys``: whole numbers. Raises TypeError for any other type: comparing floats would make ties of luck.
    """
    keys = np.asarray(keys)
    if not np.issubdtype(keys.dtype, np.integer):
        raise TypeError(f"ranks are taken of whole numbers, not of {keys.dtype}")
    keys = keys - keys.min(initial=0)
    if keys.max(initial=0) <= np.iinfo(np.int16).max:
        keys = keys.astype(np.int16)  # numpy sorts 16-bit integers by radix, several times faster
    order = np.argsort(keys, axis=-1, kind="stable")
    ordered = np.take_along_axis(keys, order, axis=-1)
    place = np.arange(1, keys.shape[-1] + 1, dtype=place_type(keys.shape[-1]))
    leads = np.ones(keys.shape, dtype=bool)
    leads[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    shared = np.maximum.accumulate(np.where(leads, place, place.dtype.type(0)), axis=-1)
    ranks = np.empty_like(shared)
    np.put_along_axis(ranks, order, shared, axis=-1)
    return ranks


def place_type(trusts: int) -> type:
    """The smallest whole-number type that holds ranks of so many trusts."""
    return np.int16 if trusts < 2**15 else np.int64


def kendall_tau(first: np.ndarray, second: np.ndarray) -> float:
    """Kendall's tau-b (1945) of two rankings of the same units, (units,) whole numbers.

    Pairs of units in the same order less those in the opposite one, over the geometric mean of the pairs that each
    ranking tells apart. NaN where one of them tells none apart.
    """
    orders = [np.sign(np.subtract.outer(ranks, ranks)) for ranks in (np.asarray(first), np.asarray(second))]
    apart = [np.count_nonzero(order) for order in orders]
    return float((orders[0] * orders[1]).sum() / np.sqrt(apart[0] * apart[1])) if all(apart) else float("nan")
