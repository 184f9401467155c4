"""How probably a trust truly belongs in a segment: against a slow fit in plain Python, simulation, and halves of the
published metrics."""

import math
from dataclasses import replace

import numpy as np
import pytest

from nofcore import bootstrap, league, release
from nofcore.belonging import belonging, segment_probabilities, shrink
from tests.figures import rebuilt_of
from tests.makers import ACUTE, AMBULANCE, COMMUNITY, Q1, Q4, TYPES


def items_of(quarter, trust_type):
    rebuilt = rebuilt_of(quarter)
    values = rebuilt.items.values.loc[rebuilt.of(trust_type).index]
    return values.loc[:, values.notna().any()]


def below(limit, mean, deviation):
    return 0.5 * math.erfc((mean - limit) / deviation / 2**0.5)


def slow_fit(scores):
    """{trust: (expected, error)} by fitting trusts and metrics in turns, with plain loops."""
    known = {(t, m): v for t, row in scores.iterrows() for m, v in row.items() if v == v}
    trusts, metrics = list(scores.index), list(scores.columns)
    own, level = dict.fromkeys(trusts, 0.0), dict.fromkeys(metrics, 0.0)
    for _ in range(400):
        for one in metrics:
            mine = [v - own[t] for (t, m), v in known.items() if m == one]
            level[one] = sum(mine) / len(mine)
        for one in trusts:
            mine = [v - level[m] for (t, m), v in known.items() if t == one]
            own[one] = sum(mine) / len(mine)
    middle = sum(own.values()) / len(own)
    own = {t: one - middle for t, one in own.items()}
    counts = {t: sum(1 for key in known if key[0] == t) for t in trusts}
    rest = sum((v - own[t] - middle - level[m]) ** 2 for (t, m), v in known.items())
    rest /= len(known) - len(trusts) - len(metrics) + 1
    between = sum(one**2 for one in own.values()) / (len(own) - 1) - sum(rest / n for n in counts.values()) / len(own)
    found = {}
    for t in trusts:
        keep = between / (between + rest / counts[t])
        mine = [v for key, v in known.items() if key[0] == t]
        found[t] = (sum(mine) / len(mine) - own[t] + keep * own[t], (keep * rest / counts[t]) ** 0.5)
    return found


@pytest.mark.parametrize("trust_type", [AMBULANCE, COMMUNITY])
def test_probabilities_against_a_slow_fit(trust_type):
    """Segment 4 is beyond the third cut-off of Q4 2025/26, 2.57: an average of 2.575 rounds to 2.58."""
    slow = slow_fit(items_of(Q4, trust_type))
    found = belonging(rebuilt_of(Q4), trust_type, 4)
    assert set(found.index) == set(slow)
    for code, (mean, deviation) in slow.items():
        assert found[code] == pytest.approx(1 - below(2.575, mean, deviation), abs=1e-6)


def test_segment_probabilities_by_hand():
    shares = segment_probabilities(np.array([2.0, 3.0]), np.array([0.5, 0.0]), np.array([205.0, 232.5, 260.0]))
    first = [below(cut, 2.0, 0.5) for cut in (2.055, 2.325, 2.605)]
    assert shares[0] == pytest.approx([first[0], first[1] - first[0], first[2] - first[1], 1 - first[2]])
    assert shares[1] == pytest.approx([0, 0, 0, 1])


def test_a_flag_moves_the_probability_of_the_better_segments_to_the_third():
    rebuilt = rebuilt_of(Q1)
    flags = rebuilt.of(AMBULANCE)["flagged"]
    shares = {segment: belonging(rebuilt, AMBULANCE, segment) for segment in (1, 2, 3, 4)}
    assert sum(shares.values()).to_numpy() == pytest.approx(np.ones(len(flags)))
    assert (shares[1][flags] == 0).all() and (shares[2][flags] == 0).all()
    assert (shares[1][~flags] > 0).all()


def test_trusts_that_differ_by_chance_alone_have_none():
    scores = np.random.default_rng(1).normal(2.5, 0.8, (10, 9))
    scores -= scores.mean(axis=1, keepdims=True) - 2.5
    assert shrink(scores) is None
    assert shrink(np.array([[1.0, 2.0]] * 2)) is None  # two trusts
    rebuilt = rebuilt_of(Q1)
    alike = rebuilt.items.values.copy()
    alike.loc[rebuilt.of(AMBULANCE).index] = np.nan
    alike.loc[rebuilt.of(AMBULANCE).index, alike.columns[:9]] = scores
    same = replace(rebuilt, items=replace(rebuilt.items, values=alike))
    assert belonging(same, AMBULANCE, 4).isna().all()


def test_probabilities_are_right_where_the_assumptions_hold():
    """150 tables of 60 trusts with 9 of 12 metrics: of those in the worst quarter, as many truly are as is said."""
    random = np.random.default_rng(2)
    said, drawn, true = [], [], []
    for _ in range(150):
        own = random.normal(0, 0.3, 60)
        scores = 2.4 + own[:, None] + random.normal(0, 0.4, 12) + random.normal(0, 0.8, (60, 12))
        level = 2.4 + (scores.mean(axis=0) - scores.mean())
        hidden = random.random(scores.shape).argsort(axis=1) < 3
        scores[hidden] = np.nan
        means = np.array([level[~gone].mean() for gone in hidden])
        found = shrink(scores)
        averages = np.nanmean(scores, axis=1)
        cut = np.quantile(averages, 0.75)
        worst = averages > cut
        said += list(segment_probabilities(found.expected, found.error, np.array([100 * cut]))[worst, 1])
        true += list((means + own > cut)[worst])
        spread = np.array([np.nanstd(row) / 3 for row in scores])
        drawn += [1 - below(cut, *one) for one in zip(averages[worst], spread[worst], strict=True)]
    assert np.mean(said) == pytest.approx(np.mean(true), abs=0.03)
    assert np.mean(drawn) > np.mean(true) + 0.1


def test_random_halves_of_the_published_metrics():
    """Acute trusts, Q1 2025/26: of those in the worst quarter by half of the metrics, about 54 % are there by the other
    half too. The share of draws says 77 %, the probability with luck allowed for 53 %."""
    scores = items_of(Q1, ACUTE).to_numpy()
    random = np.random.default_rng(2)
    there, shrunk, drawn = [], [], []
    for _ in range(40):
        columns = random.permutation(scores.shape[1])
        first, second = (scores[:, half] for half in np.array_split(columns, 2))
        enough = ((~np.isnan(first)).sum(axis=1) >= 3) & ((~np.isnan(second)).sum(axis=1) >= 3)
        first, second = (half[enough][:, (~np.isnan(half[enough])).sum(axis=0) > 3] for half in (first, second))
        found = shrink(first)
        averages, others = np.nanmean(first, axis=1), np.nanmean(second, axis=1)
        cut, cut_of_others = np.quantile(averages, 0.75), np.quantile(others, 0.75)
        worst = averages > cut
        there += list((others > cut_of_others)[worst])
        # What the first half says of the second: the trust's own part, with the error of another half about it.
        level = [_without_own(half) for half in (first, second)]
        expected = level[1] + found.expected - level[0]
        error = (found.error**2 + found.rest**2 / (~np.isnan(second)).sum(axis=1)) ** 0.5
        shrunk += [1 - below(cut_of_others, *one) for one in zip(expected[worst], error[worst], strict=True)]
        for row in first[worst]:
            mine = row[~np.isnan(row)]
            drawn.append((mine[random.integers(0, len(mine), (300, len(mine)))].mean(axis=1) > cut).mean())
    assert np.mean(there) == pytest.approx(0.54, abs=0.04)
    assert np.mean(shrunk) == pytest.approx(np.mean(there), abs=0.08)
    assert np.mean(drawn) > np.mean(there) + 0.15


def _without_own(scores):
    """The average that each trust would have if it were like the others, from the metrics that it has."""
    found = shrink(scores)
    return (found.expected - found.reliability * np.nanmean(scores, axis=1)) / (1 - found.reliability)


@pytest.mark.parametrize("trust_type", TYPES)
def test_the_share_of_draws_is_surer_than_the_probability(trust_type):
    """Q1 2025/26: every trust in segment 4 is there in more draws than it probably belongs there."""
    rebuilt = league.build(release.embedded().release(Q1), release.framework_for(Q1))
    rows = rebuilt.of(trust_type)
    worst = rows.index[rows["segment"] == 4]
    found = belonging(rebuilt, trust_type, 4)
    drawn = bootstrap.rank_uncertainty(rebuilt, 2_000, 1).table()["p_segment_4"]
    assert (found[worst] < drawn[worst]).all()
    assert 0.4 < found[worst].mean() < 0.75
    assert found[worst].mean() > found.mean()
