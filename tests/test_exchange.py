"""The exact test of exchanged signs: against all exchanges by plain loops, and how often it is wrong where nothing changes."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nofcore.exchange import exchange_test, sums_by_source

CHANGES = st.sampled_from([0.0, 0.0, 0.25, -0.25, 0.5, 1.0, -1.0, 0.37, -1.13, 2.0, 1 / 3, -1 / 3])


def all_exchanges(changes):
    """(share as far from 0, share that is told) over every choice of signs, in plain Python."""
    sums = [
        abs(math.fsum(a * b for a, b in zip(changes, signs, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(changes))
    ]
    shares = {one: sum(other >= one - 1e-9 for other in sums) / len(sums) for one in {*sums, abs(math.fsum(changes))}}
    return shares[abs(math.fsum(changes))], sum(shares[one] <= 0.05 for one in sums) / len(sums)


@settings(max_examples=60, deadline=None)
@given(st.lists(CHANGES, min_size=1, max_size=9))
def test_shares_against_all_exchanges(changes):
    found = exchange_test(np.array(changes))
    assert found == pytest.approx(all_exchanges(changes))


def test_six_changes_of_one_sign_by_hand():
    """Of 64 exchanges 2 have all six on one side; five changes have too few exchanges to tell anything."""
    assert exchange_test(np.full(6, -0.5)) == (2 / 64, 2 / 64)
    assert exchange_test(np.full(5, 0.5)) == (2 / 32, 0.0)
    assert exchange_test(np.zeros(4)) == (1.0, 0.0)
    assert exchange_test(np.zeros(0)) == (1.0, 0.0)


def test_items_of_one_source_are_one_by_hand():
    found = sums_by_source(np.array([0.5, -0.25, 1.0, 0.25]), ["survey", "waits", "survey", "finance"])
    assert sorted(found) == [-0.25, 0.25, 1.5]
    assert len(sums_by_source(np.zeros(0), [])) == 0


def test_level_where_the_items_of_a_source_move_together():
    """Nine metrics, of which three repeat one figure: taken as nine the test is wrong too often, by sources it is not."""
    random = np.random.default_rng(5)
    changes = random.normal(0, 1, (1_500, 9))
    changes[:, 1:3] = changes[:, :1]
    sources = ["survey"] * 3 + list("abcdef")
    alone = np.mean([exchange_test(one)[0] <= 0.05 for one in changes])
    together = np.mean([exchange_test(sums_by_source(one, sources))[0] <= 0.05 for one in changes])
    assert together <= 0.05 + 2.6 * (0.05 * 0.95 / 1_500) ** 0.5
    assert alone > 0.07


def test_against_scipy():
    """`scipy.stats.permutation_test` of paired samples, exact, on 12 changes."""
    changes = np.random.default_rng(4).normal(0.3, 1, 12)
    theirs = stats.permutation_test(
        (changes, np.zeros(12)), lambda a, b, axis: (a - b).sum(axis=axis), permutation_type="samples",
        n_resamples=np.inf, vectorized=True,
    )  # fmt: skip
    assert exchange_test(changes)[0] == pytest.approx(theirs.pvalue)


def test_many_changes_are_counted_whole():
    """24 changes of one size: a binomial tail; 16 million exchanges need no more than 4,096 sums of either half."""
    share, told = exchange_test(np.array([1.0] * 18 + [-1.0] * 6))
    assert share == pytest.approx(stats.binomtest(18, 24).pvalue)
    assert told == pytest.approx(stats.binomtest(18, 24).pvalue)  # 17 of 24 would have 6.4 %


def _percentile_range_excludes_0(changes, random):
    draws = np.floor(changes[random.integers(0, len(changes), (1_000, len(changes)))].mean(axis=1) * 100 + 0.5)
    low, high = np.quantile(draws, [0.025, 0.975], method="inverted_cdf")
    return low > 0 or high < 0


def test_level_where_nothing_changes():
    """Nine metrics without a true change, noise in both quarters: the percentile range is wrong in about one of eight
    cases, the test in no more than one of twenty."""
    random = np.random.default_rng(11)
    cases = random.normal(0, 0.5, (800, 2, 9))
    changes = cases[:, 1] - cases[:, 0]
    changes[:, :2] = 0  # two without a new figure
    told = np.mean([exchange_test(one)[0] <= 0.05 for one in changes])
    excluded = np.mean([_percentile_range_excludes_0(one, random) for one in changes])
    assert told <= 0.05 + 2.6 * (0.05 * 0.95 / 800) ** 0.5
    assert 0.09 < excluded < 0.17
