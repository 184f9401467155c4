"""Correlation within groups, beside numpy and beside every permutation listed out."""

from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest

from nofcore import strata

FIRST = np.array([1.0, 4.0, 2.5, 7.0, 6.0, 9.5])
SECOND = np.array([2.0, 3.0, 1.0, 5.0, 9.0, 8.0])
GROUPS = np.array(["a", "a", "a", "b", "b", "b"])


def by_hand(first, second) -> float:
    """Means of groups subtracted in plain Python, then numpy's correlation."""
    centred = []
    for figure in (first, second):
        means = {group: np.mean([x for x, g in zip(figure, GROUPS, strict=True) if g == group]) for group in "ab"}
        centred.append([x - means[group] for x, group in zip(figure, GROUPS, strict=True)])
    return float(np.corrcoef(*centred)[0, 1])


def series(values) -> pd.Series:
    return pd.Series(values, list("uvwxyz"))


def test_coefficient_against_numpy():
    found = strata.correlate_within(series(FIRST), series(SECOND), series(GROUPS), 200, 1)
    assert found["coefficient"] == pytest.approx(by_hand(FIRST, SECOND))
    assert found["n"] == 6 and "too few to resample" in found["reason"] and np.isnan(found["low"])


def test_p_against_every_order_within_groups():
    """Six orders in each of the two groups, 36 in all."""
    orders = [[*one, *(3 + place for place in two)] for one, two in product(permutations(range(3)), repeat=2)]
    wanted = abs(by_hand(FIRST, SECOND)) - 1e-9
    expected = np.mean([abs(by_hand(FIRST, SECOND[order])) >= wanted for order in orders])
    found = strata.correlate_within(series(FIRST), series(SECOND), series(GROUPS), 20_000, 1)
    assert found["p"] == pytest.approx(expected, abs=0.012)


def test_orders_stay_within_groups():
    codes = np.array([1, 0, 1, 0, 2, 1])
    orders = strata.shuffled_within(codes, 500, np.random.default_rng(1))
    assert (codes[orders] == codes).all()
    assert (np.sort(orders, axis=1) == np.arange(6)).all() and len(np.unique(orders, axis=0)) == 12


def test_means_are_those_of_the_draw():
    """A draw that holds u twice and w not at all, by hand: the same as the table written out so."""
    weights = np.array([2, 1, 0, 1, 1, 1])
    picked = np.repeat(np.arange(6), weights)
    drawn = strata.within(FIRST, SECOND, GROUPS, weights[:, None].astype(float))[0]
    written = strata.within(FIRST[picked], SECOND[picked], GROUPS[picked], np.ones((6, 1)))[0]
    assert drawn == pytest.approx(written)


def test_what_cannot_be_judged_says_why():
    alone = strata.correlate_within(series(FIRST), series(SECOND), series(list("abcdef")), 10, 1)
    assert "only 0 have both" in alone["reason"] and np.isnan(alone["coefficient"])
    same = strata.correlate_within(series(FIRST), series([3.0] * 3 + [5.0] * 3), series(GROUPS), 10, 1)
    assert "the same for all of a group" in same["reason"]
