"""Variances within and between trusts, by hand and by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nofcore import variances


def test_between_variance_by_hand():
    """DerSimonian and Laird on 1, 2, 5 with weights 1, 1, 0.5: mean 2.2, Q = 1.44 + 0.04 + 0.5 * 7.84 = 5.4,
    C = 2.5 - 2.25 / 2.5 = 1.6, tau2 = (5.4 - 2) / 1.6 = 2.125."""
    estimates, errors = np.array([1.0, 2.0, 5.0]), np.array([1.0, 1.0, 2.0])
    assert variances.weighted_squares(estimates, errors) == pytest.approx(5.4)
    assert variances.between_variance(5.4, errors) == pytest.approx(2.125)


@given(st.floats(0.01, 5))
def test_equal_estimates_have_no_variance_between_them(variance):
    errors = np.full(4, variance)
    assert variances.between_variance(variances.weighted_squares(np.full(4, 2.0), errors), errors) == 0
    assert variances.between_interval(np.full(4, 2.0), errors, 0.95) == (0, 0)


@pytest.mark.parametrize("bad", [[1.0, 0.0], [1.0, -1.0], [1.0]])
def test_bad_variances(bad):
    with pytest.raises(ValueError, match="at least two estimates, each with a positive variance"):
        variances.between_variance(1.0, np.array(bad))


def test_intervals_of_the_variance_between_hold_their_level():
    """Viechtbauer (2007): the Q-profile interval is exact for normal estimates. 400 samples of 15, variance 0.5."""
    random, inside = np.random.default_rng(4), 0
    errors = random.uniform(0.2, 2, 15)
    for _ in range(400):
        low, high = variances.between_interval(random.normal(0, np.sqrt(0.5 + errors)), errors, 0.9)
        inside += low <= 0.5 <= high
    assert 0.86 <= inside / 400 <= 0.94


def test_within_sd_by_hand():
    """1, 3 and 2, 2, 5: squares 2 and 6 over 1 + 2 degrees of freedom; a single item adds nothing."""
    items = np.array([[1, 3, np.nan], [2, 2, 5], [9, np.nan, np.nan]], dtype=float)
    assert variances.within_sd(items) == pytest.approx((8 / 3) ** 0.5)
    with pytest.raises(ValueError, match="two items"):
        variances.within_sd(np.array([[1.0, np.nan], [np.nan, 2.0]]))
