"""Agreement of rankings against scipy's own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nofcore.ranking import kendall_tau


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=2, max_size=40))
def test_kendall_s_tau_b_is_that_of_scipy_with_ties_or_without(pairs):
    first, second = np.array(pairs).T
    found, wanted = kendall_tau(first, second), stats.kendalltau(first, second, variant="b").statistic
    assert found == pytest.approx(wanted, abs=1e-12, nan_ok=True)


def test_kendall_s_tau_b_by_hand():
    """Of six pairs four in the same order, one in the opposite one, one tied in the second: 3 / sqrt(6 x 5)."""
    assert kendall_tau(np.array([1, 2, 3, 4]), np.array([1, 3, 2, 3])) == pytest.approx(3 / 30**0.5)


def test_a_ranking_that_tells_none_apart_agrees_with_none():
    assert np.isnan(kendall_tau(np.array([1, 1, 1]), np.array([1, 2, 3])))
