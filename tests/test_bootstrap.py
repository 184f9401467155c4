"""The bootstrap over items: against NHS England's likely ranges, and against plain loops."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nofcore import bootstrap, framework, league, randomness, release
from nofcore.bootstrap import ItemSampler, Rules
from nofcore.errors import InputError
from tests.figures import rebuilt_of

MENTAL = "Mental health and community trust"


@pytest.fixture(scope="module")
def fourth():
    return rebuilt_of("Q4 2025/26")


def differences(rebuilt, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Absolute differences from the 122 published score limits and the 122 rank limits."""
    published = release.embedded().release("Q4 2025/26").league
    published = published[published["score_low"].notna()]
    table = bootstrap.rank_uncertainty(rebuilt, draws, seed=20250909).table().loc[published.index]
    score, rank = ["score_low", "score_high"], ["rank_low", "rank_high"]
    found = [(table[names] - published[names]).abs().to_numpy().ravel() for names in (score, rank)]
    assert [len(limits) for limits in found] == [122, 122]
    return found[0], found[1]


def test_likely_ranges_of_10_000_draws_against_nhs_england(fourth):
    score, rank = differences(fourth, 10_000)
    assert score.mean() <= 0.010
    assert rank.mean() <= 0.40


def test_likely_ranges_of_100_000_draws_against_nhs_england(fourth):
    score, rank = differences(fourth, 100_000)
    assert score.mean() <= 0.008
    assert rank.mean() <= 0.30
    assert score.max() <= 0.06 + 1e-9
    assert rank.max() <= 2


# --- one seed, whatever the workers ---------------------------------------------------------------


def same(one: bootstrap.Counts, two: bootstrap.Counts) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(two, name)) for name in ("averages", "segments", "ranks", "ahead")
    )


processes = partial(ProcessPoolExecutor, mp_context=multiprocessing.get_context("spawn"))


@pytest.mark.parametrize(("pool", "workers"), [(ThreadPoolExecutor, 1), (ThreadPoolExecutor, 3), (processes, 2)])
def test_results_do_not_depend_on_workers(fourth, pool, workers):
    alone = bootstrap.rank_uncertainty(fourth, 4_500, seed=7, pairs=True).counts
    with pool(workers) as executor:
        together = bootstrap.rank_uncertainty(fourth, 4_500, seed=7, pairs=True, executor=executor).counts
    assert alone.draws == together.draws == 4_500
    assert same(alone, together)


def test_more_draws_begin_with_the_same_draws(fourth):
    """Block b is the same in a longer run: 3,000 draws are 2,000 draws and block 2."""
    rules = bootstrap.ranking_rules(fourth, fourth.trusts, "published")
    samplers = bootstrap._samplers(fourth, fourth.trusts)
    two = bootstrap.bootstrap(samplers, rules, 2_000, 7, pairs=True)
    three = bootstrap.bootstrap(samplers, rules, 3_000, 7, pairs=True)
    third = list(randomness.blocks(3_000, 7))[2]
    assert same(two + bootstrap._count_block(third, samplers, rules, True), three)


def test_another_seed_gives_other_draws(fourth):
    one, two = (bootstrap.rank_uncertainty(fourth, 1_000, seed).counts.ranks for seed in (1, 2))
    assert not np.array_equal(one, two)


def test_range_ends_stay_within_their_stated_monte_carlo_error(fourth):
    """Over 20 seeds at least 95 % of the ends lie within their error of the ends of a run 20 times as long."""
    ends = ["score_low", "score_high", "rank_low", "rank_high"]
    long = bootstrap.rank_uncertainty(fourth, 100_000, seed=99).table()
    held = []
    for seed in range(20):
        table = bootstrap.rank_uncertainty(fourth, 5_000, seed=seed).table()
        table = table[table["trust_type"] == MENTAL]
        for end in ends:
            off = (table[end] - long.loc[table.index, end]).abs()
            held.append((off <= table[f"{end}_error"] + 1e-9).to_numpy())
    assert np.mean(held) >= 0.95


# --- against plain implementations ----------------------------------------------------------------


@given(st.lists(st.sampled_from([1.0, 1.5, 2.25, 4.0]), min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_sampler_against_every_possible_draw(items):
    """The share of each average equals its share among all m**m equally likely draws, within 5 standard errors."""
    every = [sum(drawn) / len(items) for drawn in product(items, repeat=len(items))]
    expected = pd.Series(np.round(every, 9)).value_counts(normalize=True)
    drawn = ItemSampler(np.array(items)).averages(20_000, np.random.default_rng(5))
    found = pd.Series(np.round(drawn, 9)).value_counts(normalize=True)
    assert set(found.index) <= set(expected.index)
    error = 5 * np.sqrt(expected * (1 - expected) / 20_000) + 1e-12
    assert ((found.reindex(expected.index, fill_value=0) - expected).abs() <= error).all()


@pytest.mark.parametrize("count", [1, 2, 11, 12, 13, 25, 128, 129, 200])
def test_sampler_of_any_number_of_items(count):
    items = np.arange(count) + 1.0
    drawn = ItemSampler(items).averages(4_000, np.random.default_rng(5))
    error = items.std() / np.sqrt(count) / np.sqrt(4_000)
    assert abs(drawn.mean() - items.mean()) <= 5 * error
    assert drawn.std() == pytest.approx(items.std() / np.sqrt(count), rel=0.06, abs=1e-12)


def slow_counts(hundredths, cuts, flags, types) -> dict[str, list]:
    """Ranks, segments and pairs draw by draw in plain Python."""
    trusts = len(flags)
    ranks, segments = [[] for _ in range(trusts)], [[] for _ in range(trusts)]
    ahead = [[0] * trusts for _ in range(trusts)]
    for draw in hundredths.tolist():
        segment = [1 + sum(value > cut for cut in cuts) for value in draw]
        segment = [max(3, one) if flag else one for one, flag in zip(segment, flags, strict=True)]
        keys = list(zip(segment, draw, strict=True))
        for i in range(trusts):
            mine = [j for j in range(trusts) if types[j] == types[i]]
            ranks[i].append(1 + sum(keys[j] < keys[i] for j in mine))
            segments[i].append(segment[i])
            for j in mine:
                ahead[i][j] += keys[i] < keys[j]
    return {"ranks": ranks, "segments": segments, "ahead": ahead}


@given(st.integers(0, 2**32), st.booleans())
@settings(max_examples=20, deadline=None)
def test_counts_and_quantiles_against_plain_loops(seed, recomputed):
    random = np.random.default_rng(seed)
    hundredths = random.integers(100, 401, (40, 9))
    flags, types = random.random(9) < 0.4, np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
    if recomputed:
        rules = Rules(flags, types, 3, percentiles=(25, 50, 75), pools=np.zeros(9, dtype=int))
        slow = [slow_counts(d[None], np.percentile(d, (25, 50, 75)), flags, types) for d in hundredths]
        slow = {
            "ranks": [[one["ranks"][i][0] for one in slow] for i in range(9)],
            "segments": [[one["segments"][i][0] for one in slow] for i in range(9)],
            "ahead": np.sum([one["ahead"] for one in slow], axis=0).tolist(),
        }
    else:
        cuts = np.array([205.0, 232.0, 260.5])
        rules = Rules(flags, types, 3, cuts=cuts)
        slow = slow_counts(hundredths, cuts, flags, types)
    found = bootstrap.count(hundredths, rules, pairs=True)
    assert found.ahead.tolist() == slow["ahead"]
    for i in range(9):
        assert found.ranks[i].tolist() == [slow["ranks"][i].count(rank) for rank in range(1, 5)]
        assert found.segments[i].tolist() == [slow["segments"][i].count(segment) for segment in range(1, 5)]
    for share in (0.025, 0.5, 0.975):
        expected = np.quantile(np.array(slow["ranks"]), share, axis=1, method="inverted_cdf")
        assert (bootstrap.quantile(found.ranks, np.full(9, share)) + 1 == expected).all()
        expected = np.quantile(hundredths, share, axis=0, method="inverted_cdf")
        assert (bootstrap.quantile(found.averages, np.full(9, share)) == expected).all()


# --- what the table says --------------------------------------------------------------------------


def test_table_adds_up(fourth):
    uncertainty = bootstrap.rank_uncertainty(fourth, 2_000, seed=3)
    table = uncertainty.table().drop(index=list(uncertainty.held))
    segments = table[[f"p_segment_{segment}" for segment in range(1, 5)]]
    assert np.allclose(segments.sum(axis=1), 1)
    assert np.allclose(uncertainty.rank_probabilities().sum(axis=1), 1)
    assert (table["rank_low"] <= table["rank_high"]).all()
    wide = uncertainty.table(0.99).loc[table.index]
    assert (wide["rank_low"] <= table["rank_low"]).all()
    assert (wide["score_high"] >= table["score_high"]).all()
    mental = table[table["trust_type"] == MENTAL]
    assert mental["p_top_10"].sum() == pytest.approx(10, abs=0.4)  # ties at the tenth place add a little
    assert mental["p_bottom_10"].sum() == pytest.approx(10, abs=0.4)


def test_trusts_without_items_are_held_and_named(fourth):
    uncertainty = bootstrap.rank_uncertainty(fourth, 1_000, seed=3)
    assert len(uncertainty.held) == 134
    table = uncertainty.table().loc[list(uncertainty.held)]
    assert table[["score_low", "score_high", "rank_low", "rank_high"]].isna().all(axis=None)
    others = uncertainty.table().drop(index=list(uncertainty.held))
    assert others.notna().all(axis=None)


def test_cut_offs_recomputed_in_each_draw_change_segments_not_scores(fourth):
    published, recomputed = (
        bootstrap.rank_uncertainty(fourth, 1_000, seed=3, cutoffs=name).counts for name in ("published", "recomputed")
    )
    assert np.array_equal(published.averages, recomputed.averages)
    assert not np.array_equal(published.segments, recomputed.segments)


def test_a_trust_with_one_item_never_moves():
    drawn = ItemSampler(np.array([2.345])).averages(50, np.random.default_rng(1))
    assert (drawn == 2.345).all()


def test_identical_averages_share_every_rank():
    rules = Rules(np.zeros(2, bool), np.zeros(2, int), None, cuts=np.array([205.0]))
    counts = bootstrap.bootstrap([200, 200], rules, 10, 1, pairs=True)
    assert counts.ranks.tolist() == [[10, 0], [10, 0]]
    assert counts.ahead.tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"draws": 0}, "draws must be at least 1, not 0"),
        ({"draws": -5}, "draws must be at least 1, not -5"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"cutoffs": "guessed"}, "cutoffs must be 'published' or 'recomputed', not 'guessed'"),
    ],
)
def test_bad_options(fourth, change, message):
    with pytest.raises(InputError, match=message):
        bootstrap.rank_uncertainty(fourth, **{"draws": 10, "seed": 1, **change})


@pytest.mark.parametrize("level", [0, 1, -0.2, 95])
def test_bad_level(fourth, level):
    with pytest.raises(InputError, match="level must lie between 0 and 1"):
        bootstrap.rank_uncertainty(fourth, 10, 1).table(level)


def test_nothing_to_draw_from():
    with pytest.raises(InputError, match="Q1 2026/27: the kit has no rules for that year"):
        bootstrap.rank_uncertainty(league.build(release.embedded().release("Q1 2026/27"), None), 10, 1)
    fourth = rebuilt_of("Q4 2025/26")
    with pytest.raises(InputError, match="no metric scores are at hand"):
        bootstrap.rank_uncertainty(replace(fourth, items=None), 10, 1)


def test_fixed_thresholds_cannot_be_recomputed(fourth):
    rules = replace(fourth.framework, segments=framework.Segments(rule="thresholds", thresholds=(1.92, 2.32, 2.77)))
    with pytest.raises(InputError, match="fixed thresholds"):
        bootstrap.rank_uncertainty(replace(fourth, framework=rules), 10, 1, "recomputed")
