"""Shares of a change of rank: against plain enumeration of orders in exact fractions, and cases known by hand."""

from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nofcore import decomposition, framework, league, movement, release
from nofcore.decomposition import PLAYERS, decompose, shapley
from nofcore.errors import InputError
from tests import makers, reference
from tests.figures import rebuilt_of
from tests.makers import ACUTE, AMBULANCE, COMMUNITY, Q1, Q2, Q3, Q4

CUTS = {Q1: (205, 232, 260), Q4: (202, 230, 257)}
"""Cut-offs in hundredths, as published figures give them."""


@lru_cache
def table(quarter):
    return rebuilt_of(quarter)


@lru_cache
def split(first, second, trust_type):
    return decompose(movement.between(table(first), table(second), trust_type))


def published_ranks(quarter, trust_type):
    rows = makers.table("league_tables")
    return {
        row["trust_code"]: int(float(row["rank"]))
        for row in rows
        if row["quarter"] == quarter and row["trust_type"] == trust_type
    }


# --- Shapley values -------------------------------------------------------------------------------


def by_permutations(worth, players):
    """The mean marginal contribution of each player over every order, in fractions."""
    orders = list(permutations(range(players)))
    total = [Fraction(0)] * players
    for order in orders:
        inside = [0] * players
        for player in order:
            before = worth(tuple(inside))
            inside[player] = 1
            total[player] += worth(tuple(inside)) - before
    return [one / len(orders) for one in total]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5).flatmap(lambda n: arrays.arrays(np.int64, (2,) * n + (3,), elements=st.integers(-150, 150))))
def test_shapley_values_against_every_order(values):
    """Three games at a time, up to five players, whole numbers."""
    players = values.ndim - 1
    found = shapley(values)
    size = int(np.prod(range(1, players + 1)))
    for game in range(3):
        slow = by_permutations(lambda inside, game=game: int(values[inside][game]), players)
        assert [Fraction(int(one), size) for one in found[:, game]] == slow
        assert found[:, game].sum() == size * (values[(1,) * players][game] - values[(0,) * players][game])


def test_shapley_values_of_the_glove_game():
    """One left glove, two right gloves, a pair is worth 1: 2/3, 1/6, 1/6 (Shapley's textbook example)."""
    values = np.zeros((2, 2, 2, 1), dtype=int)
    values[1, 1, 0] = values[1, 0, 1] = values[1, 1, 1] = 1
    assert shapley(values)[:, 0].tolist() == [4, 1, 1]


def test_whole_numbers_of_any_width_do_not_overflow():
    """Ranks come as 16-bit numbers; 6! times a rank does not fit into those."""
    values = np.zeros((2,) * 6 + (1,), dtype=np.int16)
    values[(1,) * 6] = 134
    assert shapley(values).sum() == 720 * 134


# --- every trust and pair of quarters -------------------------------------------------------------

PAIRS = list(combinations((Q1, Q2, Q3, Q4), 2))


@pytest.mark.parametrize("trust_type", [COMMUNITY, AMBULANCE, ACUTE])
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_parts_add_up_to_the_published_change_of_rank_exactly(first, second, trust_type):
    """In whole numbers over 6!, and so in floats rounded to a millionth of a place."""
    found = split(first, second, trust_type)
    old, new = (published_ranks(quarter, trust_type) for quarter in (first, second))
    assert found.denominator == 720
    assert set(found.numerators.index) == set(old) & set(new)
    for code in found.numerators.index:
        assert sum(found.exact(code).values()) == old[code] - new[code]
    assert found.adds_up()
    assert np.array_equal(found.parts().sum(axis=1).round(6), found.trusts["gained"])


def slow_parts(first, second, trust_type, codes):
    """The split from the CSV files alone: recovered scores, averages, ranks and 720 orders, in fractions."""
    items, flags, codes_of, published = {}, {}, {}, {}
    for at, quarter in enumerate((first, second)):
        types = reference.read_trust_types(makers.DATA / "trusts.csv", quarter)
        scores = reference.recover_scores(
            reference.read_rows(makers.DATA / "observations.csv", quarter), types, quarter
        )
        codes_of[at] = [code for code, kind in types.items() if kind == trust_type]
        for code in codes_of[at]:
            items[at, code] = {key: value for key, value in scores.items() if key[0] == code}
        for row in makers.table("league_tables"):
            if row["quarter"] == quarter and row["trust_type"] == trust_type:
                flags[at, row["trust_code"]] = float(row["in_deficit"]) == 1
                published[at, row["trust_code"]] = reference.hundredths(Fraction(row["average_score"]))

    @lru_cache
    def average(values, sets, code):
        old, new = items[0, code], items[1, code]
        listed = (old, new)[sets]
        shared = {key: (old, new)[values][key] for key in listed if key in old and key in new}
        return reference.mean_of_items(listed | shared, code)

    everyone = codes_of[0]
    assert everyone == codes_of[1]
    assert all(average(at, at, code) == published[at, code] for at in (0, 1) for code in everyone)

    @lru_cache
    def rank(code, state):
        own, others, cut_offs, override, metrics, _ = state
        averages = {other: average(own if other == code else others, metrics, other) for other in everyone}
        cuts = CUTS[(first, second)[cut_offs]]
        keys = {
            other: (reference.adjusted_segment(reference.segment(mine, cuts), flags[override, other]), mine)
            for other, mine in averages.items()
        }
        return 1 + sum(key < keys[code] for key in keys.values())

    return {code: by_permutations(lambda state, code=code: -rank(code, state), len(PLAYERS)) for code in codes}


@pytest.mark.parametrize(
    ("trust_type", "codes"),
    # Of the second type: the largest fall, a flag that ended, another set of metrics (two), and one that stayed.
    [(AMBULANCE, None), (COMMUNITY, ["RGD", "RXG", "RYY", "RNK", "RYX"])],
)
def test_parts_against_an_independent_slow_split(trust_type, codes):
    found = split(Q1, Q4, trust_type)
    codes = codes or list(found.numerators.index)
    slow = slow_parts(Q1, Q4, trust_type, codes)
    for code in codes:
        assert list(found.exact(code).values()) == slow[code], code


def test_acute_parts_of_published_averages_by_hand():
    """Chelsea and Westminster: flagged in Q1 2025/26 though its average gives segment 1, in segment 1 in Q2."""
    row = split(Q1, Q2, ACUTE).table().loc["RQM"]
    assert row["gained"] == 15  # rank 28 to 13, as published
    assert row["override"] > 0.9 * row["gained"]
    assert row["metrics"] == 0
    assert not split(Q1, Q2, ACUTE).by_items.any()


# --- cases in which one thing changes -------------------------------------------------------------


def changed(figures, **changes):
    """A release one quarter later in which nothing but the given changes is different."""
    return replace(figures, quarter=Q2, **changes)


@pytest.fixture(scope="module")
def q2():
    """Q2 2025/26, whose figures stand for both quarters: nothing changes but what a test changes."""
    return release.embedded().release(Q2)


def parts_between(first, second, trust_type):
    rules = framework.for_quarter(Q2)
    old, new = (league.build(figures, rules) for figures in (first, second))
    # Cut-offs and rules are those of Q2 on both sides; the earlier table is only called Q1.
    return decompose(movement.between(replace(old, quarter=Q1), new, trust_type))


def test_nothing_changes(q2):
    found = parts_between(q2, q2, COMMUNITY)
    assert (found.numerators == 0).all().all()
    assert found.adds_up()


def test_a_flag_alone_is_the_override(q2):
    """The first mental health and community trust of Q2 gets the flag and falls behind segments 1 and 2."""
    league_rows = q2.league.copy()
    first = q2.trusts.index[(q2.trusts["trust_type"] == COMMUNITY) & (league_rows["rank"] == 1)][0]
    league_rows.loc[first, "in_deficit"] = 1
    found = parts_between(q2, replace(q2, league=league_rows), COMMUNITY)
    fell = found.trusts.at[first, "gained"]
    better = league_rows[(q2.trusts["trust_type"] == COMMUNITY) & (league_rows["segment"] <= 2)]
    assert fell == -(len(better) - 1)
    assert found.exact(first) == dict.fromkeys(PLAYERS, 0) | {"override": fell}
    assert (found.numerators.drop(columns="override") == 0).all().all()


def test_a_trust_that_leaves_alone_is_the_field(q2):
    """Each trust behind it gains exactly one place, for that reason alone."""
    mine = q2.trusts["trust_type"] == COMMUNITY
    gone = q2.trusts.index[mine & (q2.league["rank"] == 8)][0]
    rules = framework.for_quarter(Q2)
    old = league.build(q2, rules)
    after = replace(old, trusts=old.trusts.drop(gone))
    ranks = after.of(COMMUNITY)["rank"]
    after.trusts.loc[ranks.index, "rank"] = ranks.where(ranks < old.trusts.at[gone, "rank"], ranks - 1)
    moved = movement.between(replace(old, quarter=Q1), after, COMMUNITY)
    found = decompose(moved)
    assert moved.others["what"].to_dict() == {gone: f"left: not in the figures of {Q2}"}
    behind = found.trusts["rank_before"] > 8
    assert (found.numerators.loc[behind, "field"] == 720).all()
    assert (found.numerators.loc[~behind] == 0).all().all()
    assert (found.numerators.drop(columns="field") == 0).all().all()
    back = decompose(movement.between(replace(after, quarter=Q1), old, COMMUNITY))
    assert (back.numerators.loc[behind[behind].index, "field"] == -720).all()


def test_an_item_that_is_no_longer_published_is_the_set_of_metrics(q2):
    """A trust loses one score: its own scores have not changed, its average has."""
    code = "RYY"
    drop = (q2.observations["trust_code"] == code) & q2.observations["metric_id"].isin(["OF1080"])
    less = replace(q2, observations=q2.observations[~drop].reset_index(drop=True))
    found = parts_between(q2, less, COMMUNITY)
    row = found.exact(code)
    assert row["metrics"] != 0
    assert row["own"] == row["others"] == row["override"] == 0
    others = found.numerators.drop(code)
    assert (others.drop(columns=["metrics", "cut_offs"]) == 0).all().all()


def test_own_scores_of_one_are_the_scores_of_others_to_the_rest(q2):
    """One trust's score gets better: it rises by its own scores, those that it passes fall by another's."""
    code = "RHA"
    rows = q2.observations.copy()
    mine = (rows["trust_code"] == code) & rows["metric_id"].isin(["OF1080", "OF1086", "OF1057", "OF1005"])
    rows.loc[mine & (rows["value"] > 1), "value"] = 1.0
    found = parts_between(q2, replace(q2, observations=rows), COMMUNITY)
    assert found.trusts.at[code, "gained"] > 0
    assert found.numerators.at[code, "own"] > 0
    assert found.numerators.at[code, "others"] == 0
    rest = found.numerators.drop(code)
    assert (rest["own"] == 0).all()
    assert (rest["others"] < 0).any()


def test_segments_that_do_not_follow_from_the_figures_are_refused(q2):
    """A published segment of an acute trust that neither average nor flag explains."""
    league_rows = q2.league.copy()
    first = q2.trusts.index[(q2.trusts["trust_type"] == ACUTE) & (league_rows["rank"] == 1)][0]
    league_rows.loc[first, "segment"] = 4
    with pytest.raises(InputError, match=r"Q2 2025/26: the segments of \d+ trusts .* do not follow from averages"):
        parts_between(q2, replace(q2, league=league_rows), ACUTE)


def test_a_flag_that_is_no_longer_shown_has_not_ended(q2):
    """A held acute trust gets so much worse that its flag makes no difference, and is no longer to be seen; or the
    other way round. That is no part of the override."""
    rows = movement.between(table(Q1), table(Q2), ACUTE).trusts
    held = rows.index[rows["held_after"]][0]
    league_rows = q2.league.copy()
    league_rows.loc[held, ["average_score", "segment"]] = [3.99, 4]
    worse = replace(q2, league=league_rows)
    for first, second in ((q2, worse), (worse, q2)):
        found = parts_between(first, second, ACUTE)
        assert abs(found.trusts.at[held, "gained"]) > 20
        assert found.exact(held)["override"] == 0
        assert found.exact(held)["own"] != 0


def test_flags_that_make_no_difference_are_carried_over_and_said():
    """Acute flags of Q3 2025/26 are shown only where they move a segment: by 64 segments of 134."""
    found = split(Q1, Q3, ACUTE)
    assert len(found.notes) == 1
    assert found.notes[0].startswith("Q3 2025/26: the override flags of 70 trusts are not known")
    assert "70 are taken to be as in the other quarter" in found.notes[0]


def test_flags_that_no_quarter_of_two_shows_are_those_of_the_nearest_that_does():
    """Q3 to Q4 2025/26, acute: the flags of Q1 are published for all; 61 of the 69 trusts whose flag made no difference
    then had it. Without Q1 they are taken to be up, never down; a note says how far the split hangs on them."""
    moved = movement.between(table(Q3), table(Q4), ACUTE)
    flags = movement.nearest_flags([table(Q1), table(Q2), table(Q3), table(Q4)], moved)
    shown = {r["trust_code"]: float(r["in_deficit"]) for r in makers.table("league_tables") if r["quarter"] == Q1}
    hidden = moved.trusts.index[moved.trusts["flagged_before"].isna() & moved.trusts["flagged_after"].isna()]
    assert len(hidden) > 50
    later = {
        code for code in hidden if movement.between(table(Q2), table(Q3), ACUTE).trusts["flagged_before"].notna()[code]
    }
    assert all(flags[code] == shown[code] for code in hidden if code not in later)
    found = decompose(moved, flags)
    assert found.adds_up()
    assert "as in the nearest quarter that shows them" in found.notes[0]
    assert "up, as no quarter shows them" not in " ".join(found.notes)
    assert found.notes[-1].startswith(f"Were the {len(hidden)} flags that neither quarter shows the other way")
    alone = decompose(moved)
    assert f"{len(hidden)} are taken to be up, as no quarter shows them" in alone.notes[0]
    assert alone.parts()["cut_offs"].abs().mean() < 1  # 0.54 with all of them up, 1.87 with all down
    # Liverpool Women's: -18.2 places by cut-offs if its flag is down, which in Q1 was up.
    assert shown["REP"] == 1
    assert abs(found.parts().at["REP", "cut_offs"]) < 1


# --- other rules ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"weights": {"finance": 2.0, "OF1082": 0.5}},
        {"average": framework.Average(how="geometric")},
        {"average": framework.Average(weigh="domains")},
        {"average": framework.Average(decimals=6)},
        {"override": framework.Override(segments_down=1)},
        {"override": None},
        {"ranking": "average"},
    ],
    ids=lambda change: str(next(iter(change.values()))),
)
def test_parts_add_up_under_a_users_rules(change):
    rules = replace(framework.for_quarter(Q1), **change)
    old, new = (league.build(release.embedded().release(quarter), rules) for quarter in (Q1, Q4))
    found = decompose(movement.between(old, new, COMMUNITY))
    assert found.adds_up()
    if change.get("override", 1) is None or "ranking" in change:
        assert (found.numerators["override"] == 0).all()


def other_year(**change):
    """Rules of 2026/27 as far as the ambulance trusts need them, typed in from what was found in the figures."""

    def metric(key, model, **more):
        given = {"score": f"OF2{key}", "name": key, "short": key, "domain": "all", "model": model, "pool": "all"}
        if model != "published":
            given["value"] = f"OF0{key}"
        return given | {"trust_types": (AMBULANCE,)} | more

    metrics = [
        metric("082", "rank", better="low", trust_types=(ACUTE, COMMUNITY, AMBULANCE)),
        metric("061", "rank", better="high", pool="type"),
        metric("084", "rank", better="high", pool="type"),
        metric("047", "rank", better="high"),
        metric("017", "standard", better="low", standard=24),
        metric("086", "standard", better="low", standard=100),
        metric("015", "rank", better="high"),
        metric("101", "rank", better="high"),
        metric("102", "rank", better="high"),
        metric("120", "rank", better="high", pool="type"),
        *(metric(key, "published") for key in ("004", "080", "094", "096", "108")),
    ]
    rules = {
        "year": "2026/27",
        "title": "test",
        "source": "test",
        "trust_types": [ACUTE, COMMUNITY, AMBULANCE],
        "scale": {"best": 1, "worst": 4, "decimals": 2},
        "identifiers": {
            "average": "OF5202",
            "unadjusted_segment": "OF5203",
            "segment": "OF5200",
            "override_flag": "OF5204",
        },
        "segments": {"rule": "thresholds", "thresholds": [1.92, 2.32, 2.77]},
        "override": {"no_higher_than": 3},
        "domain": [{"key": "all", "name": "All", "score": "OF4200", "segment": "OF4300"}],
        "metric": metrics,
    }
    return framework.parse(rules | change, "test")


@pytest.fixture(scope="module")
def across():
    """Ambulance trusts from Q4 2025/26 to Q1 2026/27, each by its own rules."""
    new = league.build(release.embedded().release("Q1 2026/27"), other_year())
    return movement.between(table(Q4), new, AMBULANCE)


def test_two_years_of_rules_are_split_exactly(across):
    """Published ranks on both sides; the four metrics of the same rule are own scores, all else is the rules."""
    found = decompose(across)
    old, new = published_ranks(Q4, AMBULANCE), published_ranks("Q1 2026/27", AMBULANCE)
    for code in found.numerators.index:
        assert sum(found.exact(code).values()) == old[code] - new[code]
    shared = movement.paired_items(across).shared.all()
    assert set(shared.index[shared]) == {"OF2082", "OF2061", "OF2084", "OF2047"}
    assert (found.numerators["metrics"] != 0).any()


SAME_RULE = {"OF1082": "OF2082", "OF1061": "OF2061", "OF1084": "OF2084", "OF1047": "OF2047"}
"""Ambulance scores of 2025/26 and 2026/27 made by the same rule: by rank over all trusts, or within type."""
NEXT_CUTS = (192, 232, 277)


def test_the_kits_rules_of_two_years_against_an_independent_slow_split():
    """Ambulance trusts, Q4 2025/26 to Q1 2026/27, by the kit's own rules: every order of six players, in fractions.

    Scores are those of the two tables; which of them are the same, averages, cut-offs, override and ranks are made here.
    """
    tables = table(Q4), rebuilt_of("Q1 2026/27")
    found = decompose(movement.between(*tables, AMBULANCE))
    codes = list(tables[0].of(AMBULANCE).index)
    items = []
    for at, one in enumerate(tables):
        rows = {}
        for code in codes:
            mine = {
                name: Fraction(v).limit_denominator(10**6) for name, v in one.items.values.loc[code].items() if v == v
            }
            rows[code] = {SAME_RULE.get(name, name): v for name, v in mine.items()} if at == 0 else mine
        items.append(rows)
    flags = [
        {
            row["trust_code"]: row["in_deficit"] == "1"
            for row in makers.table("league_tables")
            if row["quarter"] == quarter
        }
        for quarter in (Q4, "Q1 2026/27")
    ]

    @lru_cache
    def average(values, sets, code):
        listed = dict(items[sets][code])
        listed |= {
            name: items[values][code][name] for name in listed if name in items[0][code] and name in items[1][code]
        }
        return reference.hundredths(sum(listed.values()) / len(listed))

    @lru_cache
    def rank(code, state):
        own, others, cut_offs, override, metrics, _ = state
        keys = {}
        for other in codes:
            mine = average(own if other == code else others, metrics, other)
            segment = 1 + sum(mine > cut for cut in (CUTS[Q4], NEXT_CUTS)[cut_offs])
            keys[other] = (max(segment, 3) if flags[override][other] else segment, mine)
        return 1 + sum(key < keys[code] for key in keys.values())

    for code in codes:
        slow = by_permutations(lambda state, code=code: -rank(code, state), len(PLAYERS))
        assert list(found.exact(code).values()) == slow, code
        corners = [[average(values, sets, code) for sets in (0, 1)] for values in (0, 1)]
        own = Fraction(corners[1][0] - corners[0][0] + corners[1][1] - corners[0][1], 200)
        assert found.averages.at[code, "own"] == pytest.approx(float(own))
        change = found.trusts.at[code, "average_change"]
        assert found.averages.loc[code].sum() == pytest.approx(change)
    shared = movement.paired_items(movement.between(*tables, AMBULANCE)).shared.all()
    assert set(shared.index[shared]) == set(SAME_RULE.values())


def test_segments_by_the_new_cut_offs_alone_against_the_published_figures():
    """Averages and segments of Q4 2025/26 under the thresholds of 2026/27, from the published tables."""
    for trust_type, count in ((AMBULANCE, 0), (COMMUNITY, 13)):
        joined = {row["trust_code"] for row in makers.table("league_tables") if row["quarter"] == "Q1 2026/27"}
        other = 0
        for row in makers.table("league_tables"):
            if row["quarter"] == Q4 and row["trust_type"] == trust_type and row["trust_code"] in joined:
                segment = 1 + sum(reference.hundredths(Fraction(row["average_score"])) > cut for cut in NEXT_CUTS)
                other += (max(segment, 3) if row["in_deficit"] == "1" else segment) != int(float(row["segment"]))
        assert other == count
        moved = movement.between(table(Q4), rebuilt_of("Q1 2026/27"), trust_type)
        assert decomposition.other_segments_by_cut_offs(moved) == (count, count)
    unknown = replace(table(Q4), framework=None)
    assert decomposition.other_segments_by_cut_offs(movement.between(unknown, table("Q1 2026/27"), AMBULANCE)) is None


def test_without_the_rules_of_the_other_year_nothing_is_split():
    new = league.build(release.embedded().release("Q1 2026/27"), None)
    moved = movement.between(table(Q4), new, AMBULANCE)
    reason = "the rules changed between Q4 2025/26 and Q1 2026/27, and the kit has no rules for Q1 2026/27"
    assert decomposition.why_not(moved) == reason
    with pytest.raises(InputError, match=reason):
        decompose(moved)


def test_two_years_of_rules_need_metric_rows():
    rules = other_year(published="averages")
    new = league.build(release.embedded().release("Q1 2026/27"), rules)
    moved = movement.between(table(Q4), new, ACUTE)
    assert "no metric rows of acute trusts are at hand for both" in decomposition.why_not(moved)


def test_every_state_is_a_table_of_its_own():
    """64 states; a player that has nothing to switch changes none of them."""
    moved = movement.between(table(Q1), table(Q4), AMBULANCE)
    _, sides, *_ = decomposition._sides(moved, movement.paired_items(moved), None)
    ranks = sides.all_ranks()
    assert ranks.shape == (2,) * 6 + (10,)
    for state in product((0, 1), repeat=5):
        assert (ranks[(*state, 0)] == ranks[(*state, 1)]).all()  # no trust left or joined
