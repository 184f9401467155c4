"""Two quarters side by side: against the published tables, and against slow plain-Python counting."""

import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from nofcore import bootstrap, change_ranges, framework, league, metric_changes, movement, release, stability
from nofcore.errors import InputError
from nofcore.randomness import Block
from tests import makers
from tests.figures import rebuilt_of
from tests.makers import ACUTE, AMBULANCE, COMMUNITY, Q1, Q2, Q3, Q4, TYPES

NEXT_YEAR = "Q1 2026/27"


@lru_cache
def table(quarter):
    return league.build(release.embedded().release(quarter), None) if quarter == NEXT_YEAR else rebuilt_of(quarter)


@lru_cache
def moved(first, second, trust_type):
    return movement.between(table(first), table(second), trust_type)


@lru_cache
def ranges(first, second, trust_type, draws=2_000):
    return change_ranges.paired_bootstrap(moved(first, second, trust_type), draws, seed=5).table()


def published(column, quarter, trust_type=None):
    return {
        row["trust_code"]: Fraction(row[column])
        for row in makers.table("league_tables")
        if row["quarter"] == quarter and trust_type in (None, row["trust_type"])
    }


# --- who moved ------------------------------------------------------------------------------------


@pytest.mark.parametrize("trust_type", TYPES)
@pytest.mark.parametrize(("first", "second"), [(Q1, Q2), (Q1, Q4), (Q3, Q4), (Q4, NEXT_YEAR)])
def test_changes_against_the_published_tables(first, second, trust_type):
    rows = moved(first, second, trust_type).trusts
    for name, column in (("rank", "rank"), ("average", "average_score"), ("segment", "segment")):
        old, new = published(column, first, trust_type), published(column, second, trust_type)
        assert set(rows.index) == set(old) & set(new)
        for code in rows.index:
            assert rows.at[code, f"{name}_before"] == float(old[code])
            assert rows.at[code, f"{name}_after"] == float(new[code])
            if name == "rank":
                assert rows.at[code, "gained"] == old[code] - new[code]
            if name == "average":
                assert rows.at[code, "average_change"] == float(new[code] - old[code])


@pytest.mark.parametrize(
    ("first", "second", "trust_type", "expected"),
    [(Q1, Q3, ACUTE, 0.840), (Q1, Q4, COMMUNITY, 0.731)],
)
def test_spearman_of_league_ranks_against_published_tables(first, second, trust_type, expected):
    found = stability.stability(moved(first, second, trust_type), 10, 1).observed.spearman[0]
    assert round(found, 3) == expected


def test_segments_changed_in_q2_against_the_published_figures():
    """38 trusts changed segment from Q1 to Q2 2025/26, 6 of them because the override began or ceased to act: the
    segment was worse than average and cut-offs give in one of the quarters and not in the other."""
    rows = pd.concat(moved(Q1, Q2, trust_type).trusts for trust_type in TYPES)
    changed = rows[rows["segment_changed"]]
    assert len(rows) == 205
    assert len(changed) == 38
    assert changed["override_began_or_ceased"].sum() == 6


def test_trusts_that_left_are_listed():
    """61 mental health and community trusts in Q4 2025/26, 58 in the next quarter; the figures do not say why."""
    found = moved(Q4, NEXT_YEAR, COMMUNITY)
    assert len(found.trusts) == 58
    assert found.others["what"].to_dict() == dict.fromkeys(
        ("RNK", "RY2", "RYV"), f"left: not in the figures of {NEXT_YEAR}"
    )
    assert found.others.at["RY2", "rank"] == 61
    assert moved(Q1, Q4, COMMUNITY).others.empty


def test_trusts_that_joined_changed_their_type_or_are_not_ranked_are_listed():
    old, new = table(Q1), table(Q2)
    rows = new.trusts.copy()
    rows.loc["RYX", "trust_type"] = ACUTE
    rows.loc["RYY", ["rank", "average_score"]] = np.nan
    rows.loc["NEW"] = rows.loc["RX2"]
    found = movement.between(old, replace(new, trusts=rows), COMMUNITY)
    assert found.others["what"].to_dict() == {
        "NEW": "joined: not in the figures of Q1 2025/26",
        "RYX": "left: listed as acute trust in Q2 2025/26",
        "RYY": "not ranked in Q2 2025/26",
    }
    assert len(found.trusts) == 59


def test_every_trust_is_in_both_or_listed():
    for first, second in itertools.combinations((Q1, Q4, NEXT_YEAR), 2):
        for trust_type in TYPES:
            found = moved(first, second, trust_type)
            codes = set(published("rank", first, trust_type)) | set(published("rank", second, trust_type))
            assert codes == set(found.trusts.index) | set(found.others.index)
            assert not set(found.trusts.index) & set(found.others.index)


def test_quarters_out_of_order_or_without_the_type_are_refused():
    with pytest.raises(InputError, match=r"Q2 2025/26 is not before Q1 2025/26"):
        movement.between(table(Q2), table(Q1), ACUTE)
    with pytest.raises(InputError, match="no trust of type Integrated care board is ranked"):
        movement.between(table(Q1), table(Q2), "Integrated care board")
    rules = framework.for_quarter(Q1)
    fine = league.build(release.embedded().release(Q2), replace(rules, average=framework.Average(decimals=6)))
    with pytest.raises(InputError, match="different numbers of decimals"):
        movement.between(table(Q1), fine, ACUTE)


# --- items of both quarters -----------------------------------------------------------------------


def test_items_are_the_same_in_two_years_only_under_the_same_rule():
    rules = framework.for_quarter(Q1)
    metrics = tuple(replace(one, score=one.score.replace("OF1", "OF2", 1)) for one in rules.metric)
    combined = tuple(
        replace(one, **{key: getattr(one, key).replace("OF1", "OF2", 1) for key in ("score", "rows", "columns")})
        for one in rules.combined
    )
    other = replace(rules, year="2026/27", metric=metrics, combined=combined, rounded_first={}, claim=())
    same = movement.identities(other)
    assert set(same.values()) == set(movement.identities(rules).values())
    changes = {
        "OF2017": {"standard": 25},
        "OF2079": {"otherwise": 3},
        "OF2020": {"better": "high"},
        "OF2082": {"short": "x"},
    }
    harder = replace(other, metric=tuple(replace(one, **changes.get(one.score, {})) for one in metrics))
    differ = {name for name, identity in movement.identities(harder).items() if same[name] != identity}
    assert differ == {"OF2017", "OF2080", "infections"}  # a combined score and a group are of their parts


def test_paired_items_against_published_scores():
    """Mental health and community, Q1 to Q4 2025/26: 39 of 61 trusts have the same set of items."""
    items = movement.paired_items(moved(Q1, Q4, COMMUNITY))
    assert len(items.before) == 61
    equal = (items.before.notna() == items.after.notna()).all(axis=1)
    listed = {}
    for row in makers.table("observations"):
        averaged = row["metric_id"].startswith("OF1") and row["metric_id"] not in ("OF1079", "OF1081")
        if row["quarter"] in (Q1, Q4) and row["trust_code"] in items.before.index and averaged and row["value"]:
            listed.setdefault(row["trust_code"], {Q1: set(), Q4: set()})[row["quarter"]].add(row["metric_id"])
    for code, sets in listed.items():
        assert items.shared.loc[code].sum() == len(sets[Q1] & sets[Q4])
        assert equal[code] == (sets[Q1] == sets[Q4])
    assert equal.sum() == 39


def test_no_items_of_acute_trusts_after_the_first_quarter():
    found = moved(Q1, Q3, ACUTE)
    assert movement.paired_items(found).before.empty
    with pytest.raises(InputError, match="no acute trust has items scored by the same rule in both quarters"):
        change_ranges.paired_bootstrap(found, 10, 1)


# --- the paired bootstrap -------------------------------------------------------------------------


def exact_changes(pair):
    """How many of all resamples of the items give each change of the rounded average. ``pair``: in hundredths."""
    size = len(pair[0])
    found = Counter()
    for picks in itertools.product(range(size), repeat=size):
        old, new = ((2 * sum(side[pick] for pick in picks) + size) // (2 * size) for side in pair)  # rounded half up
        found[new - old] += 1
    return found


def told(changes):
    """Whether the 95 % range excludes 0: ends are the smallest change at which 2.5 % and 97.5 % are reached."""
    total, reached, low, high = sum(changes.values()), 0, None, None
    for change in sorted(changes):
        reached += changes[change]
        low = change if low is None and 1000 * reached >= 25 * total else low
        high = change if high is None and 1000 * reached >= 975 * total else high
    return low > 0 or high < 0


STAFF_SURVEY = {"OF1047", "OF1061", "OF1084"}
"""Scores from the one NHS Staff Survey, which are exchanged as one."""
PAIR = ((250, 175, 335, 355, 225), (260, 110, 330, 400, 220))
"""Five old and new scores in hundredths, so chosen that ranges of 90 % and 95 % differ."""


def drawn_counts(pair, draws):
    rules = bootstrap.Rules(np.zeros(1, bool), np.zeros(1, int), None, cuts=np.array([200.0]))
    side = change_ranges.Field(np.array([250]), np.array([0]), rules)
    parts = [
        change_ranges.count_pairs(
            [np.array(pair) / 100], (side, side), Block(1_000, np.random.SeedSequence(3, spawn_key=(n,))), 300
        )
        for n in range(draws // 1_000)
    ]
    return sum(parts[1:], parts[0])


def test_drawn_changes_against_all_resamples():
    """Five items, 3,125 resamples: shares within four standard errors of 40,000 draws."""
    counts = drawn_counts(PAIR, 40_000)
    exact = exact_changes(PAIR)
    assert set(np.flatnonzero(counts.change[0]) - 300) <= set(exact)
    for change, count in exact.items():
        share = count / 3_125
        error = 4 * (share * (1 - share) / 40_000) ** 0.5
        assert counts.change[0, change + 300] / 40_000 == pytest.approx(share, abs=error + 1e-4)


def test_a_change_is_told_by_the_exact_test_beside_the_range():
    """Mental health and community, Q1 to Q4 2025/26: all exchanges of old and new scores, trust by trust."""
    rows = ranges(Q1, Q4, COMMUNITY)
    items = movement.paired_items(moved(Q1, Q4, COMMUNITY))
    for code in ("RGD", "RNK", "RYX", "TAJ", "RNU"):
        changes = dict.fromkeys(["survey", *items.before], 0.0)
        for name, a, b in zip(items.before, items.before.loc[code], items.after.loc[code], strict=True):
            if a == a and b == b:
                changes["survey" if name in STAFF_SURVEY else name] += b - a
        changes = [one for one in changes.values() if abs(one) > 1e-9]
        sums = [
            abs(sum(sign * one for sign, one in zip(signs, changes, strict=True)))
            for signs in itertools.product((1, -1), repeat=len(changes))
        ]
        share = sum(one >= abs(sum(changes)) - 1e-9 for one in sums) / len(sums)
        assert rows.at[code, "p_value"] == pytest.approx(share)
    excluded = (rows["change_low"] > 0) | (rows["change_high"] < 0)
    assert (rows["change_told"] == (excluded & (rows["p_value"] <= 0.05))).all()
    assert excluded.sum() > rows["change_told"].sum() > 0
    assert (rows["by_chance"] <= 0.05).all()


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_ranks_of_drawn_averages_against_counting(data):
    """Trusts that are not drawn stay at their published averages; flagged trusts are no higher than segment 3."""
    size = data.draw(st.integers(2, 8))
    average = st.integers(100, 400)
    held = np.array(data.draw(st.lists(average, min_size=size, max_size=size)))
    flags = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    at = np.array(sorted(data.draw(st.sets(st.integers(0, size - 1), min_size=1))))
    drawn = np.array(data.draw(st.lists(average, min_size=len(at), max_size=len(at))))
    cuts = (205, 232, 260)
    rules = bootstrap.Rules(flags, np.zeros(size, int), 3, cuts=np.array(cuts, dtype=float))
    found = change_ranges.Field(held, at, rules).ranks(drawn[None])[0]
    averages = list(held)
    for place, one in zip(at, drawn, strict=True):
        averages[place] = one
    keys = []
    for one, flag in zip(averages, flags, strict=True):
        segment = 1 + sum(one > cut for cut in cuts)
        keys.append((max(segment, 3) if flag else segment, one))
    assert found.tolist() == [1 + sum(key < keys[place] for key in keys) for place in at]


def test_nothing_changes_nothing_is_told():
    same = movement.between(replace(table(Q2), quarter=Q1), table(Q2), COMMUNITY)
    rows = change_ranges.paired_bootstrap(same, 500, 1).table()
    assert (rows[["change_low", "change_high", "shared_change", "by_chance", "gained"]] == 0).all().all()
    assert (rows["p_value"] == 1).all()
    assert (rows["verdict"] == "cannot tell").all()
    assert (rows["rank_verdict"] == "cannot tell").all()
    assert not rows["change_unsure"].any()


def all_better(codes):
    """Q2 2025/26 beside itself, with all scores of some trusts 0.3 better."""
    new = table(Q2)
    values, rows = new.items.values.copy(), new.trusts.copy()
    values.loc[codes] -= 0.3
    rows.loc[codes, "hundredths"] -= 30
    better = replace(new, items=replace(new.items, values=values), trusts=rows)
    return change_ranges.paired_bootstrap(movement.between(replace(new, quarter=Q1), better, COMMUNITY), 500, 1)


def test_every_metric_better_is_told():
    """Every resample is better by as much, up to rounding. Of 61 trusts one such may be by chance (2 of 2 to the 8th
    exchanges each: a half trust); of ten it is not."""
    row = all_better(["RHA"]).table().loc["RHA"]
    assert (row["change_low"], row["change_high"]) == (pytest.approx(-0.3, abs=0.011), pytest.approx(-0.3, abs=0.011))
    assert row["shared_change"] == pytest.approx(-0.3)
    assert row["change_told"]
    assert row["verdict"] == "cannot tell"
    ten = ["RHA", "RAT", "RDY", "RGD", "RJ8", "RKL", "RNU", "RP1", "RPG", "RRE"]
    rows = all_better(ten).table()
    assert set(rows.index[rows["verdict"] == "better"]) == set(ten)


def test_one_of_few_trusts_is_told_though_no_more_are():
    """Two trusts, of which one is better on ten metrics (2 of 1,024 exchanges): told among two, and among twenty."""
    draws = np.zeros((2, 601), dtype=np.int64)
    draws[0, 280], draws[1, 300] = 100, 100
    rows = pd.DataFrame(
        {"average_change": [-0.2, 0.0], "gained": [1, -1], "p_value": [2 / 1024, 1.0], "by_chance": [0.05, 0.05]},
        ["A", "B"],
    )
    for count, verdict in ((1, "better"), (30, "cannot tell")):
        trusts = pd.concat([rows, *[rows.loc[["B"]]] * (count - 1)])
        every = np.concatenate([draws, np.repeat(draws[1:], count - 1, axis=0)])
        gained = np.zeros((len(trusts), 5), dtype=np.int64)
        gained[:, 2] = 100
        found = change_ranges.ChangeRanges(trusts, change_ranges.PairedCounts(100, every, gained), 1)
        assert found.table()["verdict"].iloc[0] == verdict
        assert not found.beyond_chance()


def test_a_published_change_that_goes_the_other_way_is_not_told():
    """Tavistock and Portman, Q1 to Q4 2025/26: average 2.59 to 2.62 as published, and better on its shared metrics."""
    row = ranges(Q1, Q4, COMMUNITY).loc["RNK"]
    assert row["average_change"] == 0.03
    assert row["shared_change"] < -0.2
    assert row["change_high"] < 0
    assert row["verdict"] == "cannot tell"


def test_verdicts_follow_from_the_ranges():
    rows = ranges(Q1, Q4, COMMUNITY)
    for row in rows.itertuples():
        excluded = row.change_low > 0 or row.change_high < 0
        assert row.change_told == (excluded and row.p_value <= 0.05)
        if row.verdict == "better":
            assert excluded and row.change_high < 0 and row.average_change < 0
        if row.verdict == "worse":
            assert excluded and row.change_low > 0 and row.average_change > 0
        nearest = row.change_low if abs(row.change_low) < abs(row.change_high) else row.change_high
        if abs(nearest) > 0.1:
            assert not row.change_unsure
        assert not row.change_unsure or row.p_value <= 0.05


@pytest.mark.parametrize(
    ("low", "high", "published", "verdict"),
    [(0.1, 0.4, 0.2, "worse"), (0.1, 0.4, -0.2, "cannot tell"), (0.1, 0.4, 0.0, "cannot tell"),
     (-0.1, 0.4, 0.2, "cannot tell"),
     (-0.4, -0.1, -0.2, "better"), (-0.4, -0.1, 0.2, "cannot tell"), (-0.4, 0.0, -0.2, "cannot tell")],
)  # fmt: skip
def test_a_verdict_needs_a_range_beyond_0_and_a_published_change_the_same_way(low, high, published, verdict):
    told = low > 0 or high < 0
    row = pd.DataFrame(
        {"change_low": [low], "change_high": [high], "average_change": [published], "change_told": [told]}
    )
    assert change_ranges._verdict(row.assign(change_told=False), "change", "average_change", ("", "")) == [
        "cannot tell"
    ]
    assert change_ranges._verdict(row, "change", "average_change", ("worse", "better")).tolist() == [verdict]


def test_what_another_seed_decides_otherwise_is_marked():
    """Of 61 trusts and two seeds, some verdicts differ; each of these is marked as unsure under one of them."""
    found = moved(Q1, Q4, COMMUNITY)
    first, second = (change_ranges.paired_bootstrap(found, 300, seed).table() for seed in (1, 2))
    differ = first["gained_told"] != second["gained_told"]
    marked = first["gained_unsure"] | second["gained_unsure"]
    assert differ.any()
    assert marked[differ].all()
    assert first.loc[~first["gained_told"], "gained_unsure"].any()
    assert not marked.all()
    # The exact test does not depend on draws, and tells less than the ranges.
    assert first["p_value"].equals(second["p_value"])
    assert (first["change_told"] == second["change_told"]).all()


def test_ranges_lie_about_the_change_on_shared_metrics():
    rows = ranges(Q1, Q4, COMMUNITY)
    assert (
        (rows["change_low"] - 0.006 <= rows["shared_change"]) & (rows["shared_change"] <= rows["change_high"] + 0.006)
    ).all()
    whole = rows[rows[["only_before", "only_after"]].sum(axis=1) == 0]
    assert len(whole) == 39
    assert (whole["shared_change"] - whole["average_change"]).abs().max() < 0.011


def test_draws_do_not_depend_on_who_runs_them():
    found = moved(Q1, Q4, AMBULANCE)
    alone = change_ranges.paired_bootstrap(found, 2_500, 9)
    with ThreadPoolExecutor(2) as executor:
        shared = change_ranges.paired_bootstrap(found, 2_500, 9, executor)
    assert np.array_equal(alone.counts.change, shared.counts.change)
    assert np.array_equal(alone.counts.gained, shared.counts.gained)
    assert alone.counts.draws == alone.counts.change[0].sum() == 2_500


def test_other_ways_to_average_are_refused():
    rules = replace(framework.for_quarter(Q1), average=framework.Average(how="median"))
    old, new = (league.build(release.embedded().release(quarter), rules) for quarter in (Q1, Q4))
    with pytest.raises(InputError, match="items cannot be drawn with these rules"):
        change_ranges.paired_bootstrap(movement.between(old, new, COMMUNITY), 10, 1)


# --- stability ------------------------------------------------------------------------------------


@given(arrays.arrays(np.int64, st.tuples(st.integers(1, 3), st.integers(2, 12)), elements=st.integers(1, 6)))
def test_mean_ranks_against_scipy(ranks):
    assert np.array_equal(stability.mean_ranks(ranks), stats.rankdata(ranks, axis=-1))


@given(arrays.arrays(np.int64, (2, 9), elements=st.integers(1, 9)))
def test_spearman_against_scipy(ranks):
    found = stability.spearman(ranks[0], ranks[1])
    if len(set(ranks[0])) == 1 or len(set(ranks[1])) == 1:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(stats.spearmanr(ranks[0], ranks[1]).statistic)


def test_agreement_by_hand():
    """Six trusts, two at each end: first 1 and 2 move to 3 and 2, last 5 and 6 to 6 and 1."""
    first, second = np.array([[1, 2, 3, 4, 5, 6]]), np.array([[3, 2, 4, 5, 6, 1]])
    found = stability.agreement(first, second, np.array([[1, 1, 2, 2, 3, 3]]), np.array([[2, 1, 2, 3, 3, 1]]), 2, 6)
    assert found.mean_change[0] == pytest.approx((2 + 0 + 1 + 1 + 1 + 5) / 6)
    assert found.median_change[0] == 1
    assert found.new_segment[0] == 3
    assert found.top_drift[0] == 1  # (2 + 0) / 2
    assert found.bottom_drift[0] == 2  # (-1 + 5) / 2


def test_drift_of_both_ends_against_published_ranks():
    """Mental health and community, Q1 to Q4 2025/26, from the published ranks by plain counting."""
    old, new = published("rank", Q1, COMMUNITY), published("rank", Q4, COMMUNITY)
    found = stability.stability(moved(Q1, Q4, COMMUNITY), 10, 1).observed
    top = [new[code] - old[code] for code in old if old[code] <= 10]
    bottom = [old[code] - new[code] for code in old if old[code] > 51]
    assert found.top_drift[0] == pytest.approx(float(sum(top) / len(top)))
    assert found.bottom_drift[0] == pytest.approx(float(sum(bottom) / len(bottom)))
    sizes = sorted(abs(old[code] - new[code]) for code in old)
    assert found.mean_change[0] == pytest.approx(float(sum(sizes) / 61))
    assert found.median_change[0] == sizes[30]


@pytest.mark.parametrize(("trusts", "ends"), [(134, 10), (58, 10), (40, 10), (20, 5), (10, 2), (3, 1)])
def test_ends_of_short_tables(trusts, ends):
    assert stability.ends_of(trusts) == ends


def test_noise_alone_against_a_slow_bootstrap():
    """Two draws of the ambulance trusts of Q1 2025/26 by plain loops: mean correlation and drift within noise."""
    old = table(Q1)
    rows = old.of(AMBULANCE)
    items = [[v for v in old.items.values.loc[code] if not np.isnan(v)] for code in rows.index]
    random = np.random.default_rng(8)

    def draw():
        keys = []
        for mine, flag in zip(items, rows["in_deficit"], strict=True):
            mean = sum(mine[random.integers(len(mine))] for _ in mine) / len(mine)
            average = int(mean * 100 + 0.5 + 1e-9)
            segment = 1 + sum(average > cut for cut in (205, 232, 260))
            keys.append((max(segment, 3) if flag == 1 else segment, average))
        return [1 + sum(other < key for other in keys) for key in keys]

    pairs = [(draw(), draw()) for _ in range(1_500)]
    rho = [stats.spearmanr(*pair).statistic for pair in pairs]
    top = [np.mean([b - a for a, b in zip(*pair, strict=True) if a <= 2]) for pair in pairs]
    found = stability.stability(moved(Q1, Q4, AMBULANCE), 4_000, 2).table()
    error = 4 * np.std(rho) / 1_500**0.5 * 1.2
    assert found.at["spearman", "noise"] == pytest.approx(np.mean(rho), abs=error)
    assert found.at["top_drift", "noise"] == pytest.approx(np.mean(top), abs=4 * np.std(top) / 1_500**0.5 * 1.2)
    assert found.at["spearman", "noise_low"] == pytest.approx(np.quantile(rho, 0.025), abs=0.08)


def test_exchanges_against_slow_exchanges():
    """Ambulance trusts, Q1 to Q4 2025/26, old and new scores exchanged by plain loops: within noise of one another."""
    tables = table(Q1), table(Q4)
    cuts = (205, 232, 260), (202, 230, 257)
    rows = [one.of(AMBULANCE) for one in tables]
    codes = list(rows[0].index)
    items = [one.items.values.loc[codes].to_dict("index") for one in tables]
    random = np.random.default_rng(3)

    def exchanged():
        keys = [[], []]
        for code in codes:
            pair = [{name: v for name, v in side[code].items() if v == v} for side in items]
            survey = random.random() < 0.5
            for name in set(pair[0]) & set(pair[1]):
                if survey if name in STAFF_SURVEY else random.random() < 0.5:
                    pair[0][name], pair[1][name] = pair[1][name], pair[0][name]
            for at, mine in enumerate(pair):
                average = int(sum(mine.values()) / len(mine) * 100 + 0.5 + 1e-9)
                segment = 1 + sum(average > cut for cut in cuts[at])
                keys[at].append((max(segment, 3) if rows[at].at[code, "in_deficit"] == 1 else segment, average))
        return [[1 + sum(other < key for other in side) for key in side] for side in keys]

    pairs = [exchanged() for _ in range(1_200)]
    rho = [stats.spearmanr(*pair).statistic for pair in pairs]
    mean = [np.mean([abs(a - b) for a, b in zip(*pair, strict=True)]) for pair in pairs]
    found = stability.stability(moved(Q1, Q4, AMBULANCE), 4_000, 2).table()
    for name, slow in (("spearman", rho), ("mean_change", mean)):
        error = 4 * np.std(slow) / 1_200**0.5 * 1.2
        assert found.at[name, "exchanged"] == pytest.approx(np.mean(slow), abs=error)
    assert found.at["spearman", "exchanged_low"] == pytest.approx(np.quantile(rho, 0.025), abs=0.05)


def test_exchanges_of_two_equal_quarters_change_nothing():
    same = movement.between(replace(table(Q2), quarter=Q1), table(Q2), COMMUNITY)
    found = stability.stability(same, 50, 1).table()
    assert found.at["spearman", "exchanged_low"] == pytest.approx(1)
    assert (found.loc[["mean_change", "new_segment"], "exchanged_high"] == 0).all()


def test_nothing_is_exchanged_without_items_in_both_quarters():
    assert stability.stability(moved(Q1, Q3, ACUTE), 10, 1).exchanged is None
    assert stability.stability(moved(Q4, NEXT_YEAR, COMMUNITY), 10, 1).exchanged is None


def test_noise_is_drawn_from_the_quarter_that_has_items():
    assert stability.stability(moved(Q1, Q3, ACUTE), 10, 1).noise_quarter == Q1
    assert stability.stability(moved(Q2, Q3, ACUTE), 10, 1).noise is None
    table_ = stability.stability(moved(Q2, Q3, ACUTE), 10, 1).table()
    assert table_["noise"].isna().all()
    assert table_["observed"].notna().all()


@pytest.mark.parametrize("trust_type", TYPES)
def test_transitions_against_counting(trust_type):
    old, new = published("segment", Q1, trust_type), published("segment", Q4, trust_type)
    counted = Counter((int(old[code]), int(new[code])) for code in old)
    found = stability.transitions(moved(Q1, Q4, trust_type))
    assert {place: n for place, n in found.stack().items() if n} == dict(counted)
    assert found.shape == (4, 4)


def test_trusts_that_stay_in_segment_4_against_the_published_tables():
    quarters = (Q1, Q2, Q3, Q4)
    drawn = {quarter: bootstrap.rank_uncertainty(table(quarter), 500, 1) for quarter in quarters}
    for trust_type, count in ((COMMUNITY, 9), (AMBULANCE, 1)):
        found = stability.persistence([table(quarter) for quarter in quarters], trust_type, drawn)
        there = [{c for c, s in published("segment", quarter, trust_type).items() if s == 4} for quarter in quarters]
        assert set(found.trusts.index) == set.intersection(*there)
        assert len(found.trusts) == count
        assert found.started == len(there[0])
        assert found.segment == 4
        shares = found.trusts[list(quarters)]
        assert np.allclose(found.trusts["all_low"], shares.prod(axis=1))
        assert np.array_equal(found.trusts["all_high"], shares.min(axis=1))
        expected = drawn[Q3].counts.segments[drawn[Q3].trusts.index.get_indexer(found.trusts.index), 3] / 500
        assert np.array_equal(shares[Q3], expected)


def test_persistence_without_draws_of_later_quarters():
    """Acute trusts have metric rows in Q1 2025/26 only: no share of all quarters together is made up."""
    drawn = {quarter: bootstrap.rank_uncertainty(table(quarter), 200, 1) for quarter in (Q1, Q3)}
    found = stability.persistence([table(Q1), table(Q2), table(Q3)], ACUTE, drawn)
    assert found.drawn == (Q1,)
    assert len(found.trusts) == 20
    assert found.trusts[["all_low", "all_high"]].isna().all().all()
    with pytest.raises(InputError, match="two quarters or more"):
        stability.persistence([table(Q1)], ACUTE, {})


# --- the metrics themselves -----------------------------------------------------------------------


def changes(first, second, trust_type):
    figures = [release.embedded().release(quarter) for quarter in (first, second)]
    return metric_changes.metric_changes(moved(first, second, trust_type), *figures)


def observed(metric_id, quarter, column="value"):
    return {
        row["trust_code"]: row[column]
        for row in makers.table("observations")
        if row["quarter"] == quarter and row["metric_id"] == metric_id and row["value"]
    }


@pytest.mark.parametrize(
    ("metric_id", "sign"), [("OF0082", -1), ("OF0063", -1), ("OF0016", 1), ("OF0081", 1), ("OF0061", 1), ("OF0005", -1)]
)
def test_better_and_worse_against_the_published_values(metric_id, sign):
    """Mental health and community, Q1 to Q2 2025/26, by plain counting; ``sign``: 1 where high is better."""
    codes = set(moved(Q1, Q2, COMMUNITY).trusts.index)
    old, new = observed(metric_id, Q1), observed(metric_id, Q2)
    both = codes & set(old) & set(new)
    gains = [sign * (Fraction(new[code]) - Fraction(old[code])) for code in both]
    found = changes(Q1, Q2, COMMUNITY).by_metric().set_index("metric_id").loc[metric_id]
    assert found["better"] == sum(gain > 0 for gain in gains)
    assert found["worse"] == sum(gain < 0 for gain in gains)
    assert found["same"] == sum(gain == 0 for gain in gains)
    assert found["not_compared"] == len(codes & (set(old) ^ set(new)))


def test_trusts_that_fell_while_most_of_their_metrics_improved():
    """Counted from the published values of Q1 and Q2 2025/26: 8 of the 26 that fell."""
    found = changes(Q1, Q2, COMMUNITY)
    rows = found.by_trust().join(moved(Q1, Q2, COMMUNITY).trusts["gained"])
    fell = rows[rows["gained"] < 0]
    assert (len(fell), fell["most_better"].sum()) == (26, 8)
    one = found.rows[found.rows["trust_code"] == fell.index[fell["most_better"]][0]]
    assert (one["what"] == "better").sum() * 2 > one["new_figure"].sum()


def test_a_survey_that_was_not_repeated_is_no_new_figure():
    """The staff survey of 2024 stands in both quarters; the plan is the same plan under another name in Q4."""
    rows = changes(Q1, Q2, COMMUNITY).rows
    survey = rows[rows["metric_id"] == "OF0061"]
    assert (survey["what"] == "same").all()
    assert not survey["new_figure"].any()
    plan = changes(Q1, Q4, COMMUNITY).rows.query("metric_id == 'OF0079' and what == 'same'")
    assert set(plan["period_after"]) == {"2025/26 plan"}
    assert not plan["new_figure"].any()
    assert not changes(Q1, Q4, COMMUNITY).rows.query("metric_id == 'OF0061'")["new_figure"].eq(False).all()


def test_values_that_are_the_same_for_every_trust_are_not_new_under_another_label():
    """Relative cost of ambulance trusts, Q4 2025/26 to Q1 2026/27: ten equal values, "2024/25" and then "2025"."""
    old, new = observed("OF0086", Q4), observed("OF0086", NEXT_YEAR)
    assert len(new) == 10
    assert all(float(old[code]) == float(new[code]) for code in new)
    assert set(observed("OF0086", Q4, "period").values()) != set(observed("OF0086", NEXT_YEAR, "period").values())
    row = changes(Q4, NEXT_YEAR, AMBULANCE).by_metric().set_index("metric_id").loc["OF0086"]
    assert (row["compared"], row["new_figures"]) == (10, 0)


def test_score_changes_are_of_the_published_scores():
    rows = changes(Q1, Q4, COMMUNITY).rows
    old, new = observed("OF1082", Q1), observed("OF1082", Q4)
    mine = rows[rows["metric_id"] == "OF0082"].set_index("trust_code")["score_change"]
    assert len(mine) == 61
    for code, change in mine.items():
        assert change == float(Fraction(new[code]) - Fraction(old[code]))


def test_figures_that_cannot_be_compared_say_why():
    rows = changes(Q1, Q3, ACUTE).rows
    assert set(rows["what"]) == {"in one quarter only", "score only"}
    assert not rows["new_figure"].any()
    assert changes(Q1, Q3, ACUTE).by_metric()["compared"].sum() == 0


def test_values_in_a_unit_that_is_scored_apart_are_not_compared():
    """An infection rate in one quarter and a count in the other are two different things; labels alone are not."""
    figures = release.embedded().release(Q1)
    rows = figures.observations.copy()
    infection = rows["metric_id"] == "OF0048"
    rate = rows["unit"] != "count"
    code = rows.loc[infection & rate, "trust_code"].iloc[0]
    rows.loc[infection & (rows["trust_code"] == code), "unit"] = "count"
    rows.loc[rows["metric_id"] == "OF0082", "unit"] = "mislabelled"
    later = replace(figures, quarter=Q2, observations=rows)
    same = movement.between(table(Q1), replace(table(Q1), quarter=Q2), ACUTE)
    found = metric_changes.metric_changes(same, figures, later).rows.set_index(["metric_id", "trust_code"])["what"]
    assert found["OF0048", code] == "of another kind"
    assert (found["OF0082"] == "same").all()
    assert (found["OF0048"].drop(code) == "same").all()


def test_metrics_of_a_year_whose_rules_are_not_known():
    """Ambulance trusts, Q4 2025/26 to Q1 2026/27: by the directions of 2025/26; Category 2 response got faster in 8."""
    found = changes(Q4, NEXT_YEAR, AMBULANCE).by_metric().set_index("metric_id")
    assert found.loc["OF0017", ["better", "worse"]].tolist() == [8, 2]
    assert found.loc["OF0061", "same"] == 10
    empty = changes(Q4, NEXT_YEAR, ACUTE)
    assert empty.by_metric().empty
    assert empty.by_trust().empty
