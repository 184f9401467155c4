"""What a better value is worth: cliff edges and the way to the next segment, beside slow exact fractions."""

from bisect import bisect_right
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nofcore import framework, improvement, incentives, league, measures, pools, release, scoring
from nofcore.errors import InputError
from tests import reference
from tests.figures import rebuilt_of, standing_of
from tests.makers import ACUTE, AMBULANCE, COMMUNITY, Q1
from tests.test_reference import RULES, invented_release, rows_of, with_published_scores
from tests.whatif import CUTS, LOOKED_UP, WhatIf, first_quarter, published


@lru_cache
def figures() -> release.Release:
    return release.embedded().release(Q1)


def standing() -> improvement.Standing:
    return standing_of(Q1)


@lru_cache
def edges() -> incentives.CliffEdges:
    return incentives.cliff_edges(standing())


@lru_cache
def ways() -> incentives.NextSegment:
    return incentives.next_segment(standing())


def fraction(value: float) -> Fraction:
    return Fraction(f"{value:.6f}")


# --- measures -------------------------------------------------------------------------------------


def test_every_value_of_the_shipped_frameworks_has_a_measure():
    for path in framework.shipped().values():
        for metric in framework.load(path).metric:
            for unit in ("", *metric.unit) if metric.scorable else ():
                assert measures.measure(metric.value, unit) is not measures.UNKNOWN, metric.value


def test_no_published_value_is_better_than_the_best_there_can_be():
    """Percentages end at 0 or 100, survey scores at 10; surpluses and differences have no end."""
    for name, one in standing().metrics.items():
        assert one.possible(np.arange(len(one.values)), one.values).all(), name
        wrong_end = {"high": 0, "low": 100}[one.rescorer.metric.better]
        assert not (one.best == wrong_end).any(), name
        if (one.values < 0).any():
            assert np.isnan(one.best).all(), name


def test_a_metric_without_a_measure_counts_in_ones_without_an_end():
    assert measures.measure("nothing") == measures.Measure("unit", "units", 1, None)
    assert measures.say(1, "percentage points") == "1 percentage point"
    assert measures.say(0.1, "days") == "0.1 days"


# --- where everyone stands ------------------------------------------------------------------------


def test_values_as_they_are_give_every_score_as_published_against_nhs_england():
    """3,035 scores from values and 205 combined ones: with equal values in the order of their published scores, all."""
    assert standing().differences.empty
    plan = standing().plan
    count = sum(np.isfinite(found).sum() for _, found in plan.scores(as_it_is(standing())))
    assert count == 3035 + 205


def as_it_is(here: improvement.Standing) -> dict[str, np.ndarray]:
    return {name: one.row[None] for name, one in here.metrics.items()}


def test_scores_without_values_stay_as_published():
    """The four score-only metrics with the numbers of trusts in NHS England's figures for Q1 2025/26."""
    left = standing().left_out
    assert left.groupby(["metric_id", "trust_type"]).size().to_dict() == {
        ("OF1035", ACUTE): 2, ("OF1035", COMMUNITY): 47, ("OF1046", ACUTE): 118, ("OF1067", ACUTE): 15,
        ("OF1067", AMBULANCE): 1, ("OF1067", COMMUNITY): 6, ("OF1069", ACUTE): 130,
    }  # fmt: skip
    assert set(left["reason"]) == {improvement.ONLY_SCORE}


def test_every_trust_and_metric_is_a_case_or_left_out_with_a_reason():
    """3,035 trusts and metrics with values, three moves each."""
    cases, left = edges().cases, edges().left_out[edges().left_out["move"] != ""]
    keys = pd.concat([frame[["trust_code", "metric_id", "move"]] for frame in (cases, left)])
    assert len(keys) == len(keys.drop_duplicates()) == 3 * 3035
    assert left["reason"].ne("").all() and left["trust_type"].notna().all()


def test_part_of_the_pools_is_enough_for_the_other_metrics():
    """In Q4 2025/26 no acute values are at hand: four metrics have whole pools, the others are named."""
    later = release.embedded().release("Q4 2025/26")
    here = improvement.prepare(rebuilt_of("Q4 2025/26"), later, RULES)
    assert sorted(here.metrics) == ["OF0047", "OF0061", "OF0084", "OF0086"]
    assert here.differences.empty
    rest = here.left_out[here.left_out["metric_id"] == "OF0082"]
    assert len(rest) == 71 and set(rest["reason"]) == {"its pool is not whole: no metric rows of Acute trust"}
    found = incentives.next_segment(here).table(ACUTE)
    assert set(found.loc[found["status"] == incentives.OPEN, "answer"]) == {incentives.NONE_CAN}


def test_figures_that_cannot_be_followed_are_errors():
    with pytest.raises(InputError, match="no metric scores are at hand"):
        bare = replace(rebuilt_of(Q1), items=None)
        improvement.prepare(bare, figures(), RULES)
    with pytest.raises(InputError, match="not rebuilt from the published scores"):
        improvement.prepare(league.build(figures(), RULES, "values"), figures(), RULES)
    no_values = figures().observations[~figures().observations["metric_id"].isin(standing().metrics)]
    with pytest.raises(InputError, match="holds no metric values"):
        improvement.prepare(rebuilt_of(Q1), replace(figures(), observations=no_values), RULES)


def test_a_suppressed_value_and_one_without_a_score_are_listed():
    rows = figures().observations
    hidden = (rows["metric_id"] == "OF0013") & (rows["trust_code"] == "RDE")
    scoreless = (rows["metric_id"] == "OF1023") & (rows["trust_code"] == "RXF")
    changed = replace(figures(), observations=rows.assign(value=rows["value"].mask(hidden))[~scoreless])
    here = improvement.prepare(league.build(changed, RULES), changed, RULES)
    left = here.left_out.set_index(["trust_code", "metric_id"])["reason"]
    assert left["RDE", "OF0013"] == improvement.SUPPRESSED
    assert left["RXF", "OF0023"] == improvement.NO_SCORE
    cases = incentives.cliff_edges(here).table(trust="RXF")
    assert len(cases) and "OF0023" not in set(cases["metric_id"])


def test_a_combined_score_without_one_of_its_parts_stays_as_published():
    rows = figures().observations
    gone = rows["metric_id"].isin(["OF0081", "OF1081"]) & (rows["trust_code"] == "RDE")
    changed = replace(figures(), observations=rows[~gone])
    here = improvement.prepare(league.build(changed, RULES), changed, RULES)
    assert here.left_out.set_index(["trust_code", "metric_id"])["reason"]["RDE", "OF0079"] == improvement.NO_SCORE
    one = here.metrics["OF0079"]
    column = np.array([one.rescorer.codes.get_loc("RDE")])
    found = here.outcomes("OF0079", column, np.array([3.0]), here.rules())
    assert found.hundredths == round(float(published()["RDE"]["average_score"]) * 100)


# --- no change, no effect -------------------------------------------------------------------------


@pytest.mark.parametrize("cutoffs", ["published", "recomputed"])
def test_no_change_has_no_effect(cutoffs):
    rules = standing().rules(cutoffs)
    start = standing().start(rules)
    for name, one in standing().metrics.items():
        columns = np.arange(len(one.values))
        found = standing().outcomes(name, columns, one.values, rules)
        own = standing().place(name)
        assert (found.hundredths == standing().hundredths[own]).all()
        assert (found.segment == start.segment[own]).all() and (found.rank == start.rank[own]).all()
        assert not found.losers.any()


def test_a_score_that_the_rules_do_not_give_back_is_named_and_changes_nothing():
    """A published score of the variance to plan of 4, where its value scores otherwise: the other part changes alone."""
    rows = figures().observations
    odd = (rows["metric_id"] == "OF1081") & (rows["trust_code"] == "RDE")
    changed = replace(figures(), observations=rows.assign(value=rows["value"].mask(odd, 4.0)))
    here = improvement.prepare(league.build(changed, RULES), changed, RULES)
    assert here.differences[["trust_code", "metric_id", "published"]].to_numpy().tolist() == [["RDE", "OF1081", 4.0]]
    one, start = here.metrics["OF0079"], here.start(here.rules())
    columns = np.arange(len(one.values))
    found = here.outcomes("OF0079", columns, one.values, here.rules())
    assert (found.hundredths == here.hundredths[here.place("OF0079")]).all()
    assert (found.rank == start.rank[here.place("OF0079")]).all()


def test_the_start_is_the_published_league_table():
    start = standing().start(standing().rules())
    for code, segment, rank in zip(standing().trusts.index, start.segment, start.rank, strict=True):
        assert (segment, rank) == (float(published()[code]["segment"]), float(published()[code]["rank"]))


# --- beside exact fractions -----------------------------------------------------------------------


def sampled(seed: int = 7) -> pd.DataFrame:
    """A case of every metric, and some of those that win most."""
    cases = edges().cases
    some = cases.groupby("metric_id").sample(1, random_state=seed)
    return pd.concat([some, cases.nlargest(3, "places_won")]).drop_duplicates(["trust_code", "metric_id", "move"])


def test_cases_against_exact_fractions():
    """Scores, averages, segments, ranks and who else loses, on the figures of Q1 2025/26."""
    base = first_quarter()
    assert base.averages == {code: round(float(row["average_score"]) * 100) for code, row in published().items()}
    assert all(
        base.baseline[name][code] == base.start[code, "OF1" + name[3:]]
        for name in base.baseline
        for code in base.baseline[name]
    )
    cases = sampled()
    assert cases["metric_id"].nunique() == 26 and set(cases["move"]) == set(incentives.MOVES)
    for case in cases.itertuples():
        key = (case.trust_code, case.metric_id)
        averages, segments, ranks, own = base({case.metric_id: {case.trust_code: fraction(case.new_value)}})
        before = base.baseline[case.metric_id][case.trust_code]
        assert case.score_before == pytest.approx(float(before), abs=1e-12), key
        assert case.score_after == pytest.approx(float(own[key]), abs=1e-12), key
        found = (
            case.average_before,
            case.average_after,
            case.segment_before,
            case.segment_after,
            case.rank_before,
            case.rank_after,
        )
        code = case.trust_code
        assert found == (
            base.averages[code] / 100, averages[code] / 100, base.segments[code], segments[code], base.ranks[code], ranks[code],
        ), key  # fmt: skip
        same = [other for other in ranks if base.types[other] == base.types[code] and other != code]
        assert case.losers == sum(ranks[other] > base.ranks[other] for other in same), key


RELEASES = st.tuples(
    st.integers(0, 2**32),
    st.sampled_from([Q1, "Q2 2025/26"]),
    st.lists(st.integers(2, 9), min_size=3, max_size=3),
    st.booleans(),
)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example((5, "Q2 2025/26", [9, 9, 9], True), 1, False)
@given(RELEASES, st.integers(0, 2**32), st.booleans())
def test_any_change_of_invented_figures_against_exact_fractions(drawn, seed, consistent):
    """Changes for better or worse; with published scores of other figures the effects are the same differences."""
    invented, random = invented_release(*drawn), np.random.default_rng(seed)
    other = invented if consistent else shuffled(invented, random)
    true = {
        key: score
        for key, (score, _) in reference.scores_from_values(
            rows_of(other), other.trusts["trust_type"].to_dict()
        ).items()
    }
    rows = rows_of(invented)
    true |= {(row["trust_code"], row["metric_id"]): row["value"] for row in rows if row["metric_id"] in RULES.score_ids}
    given_figures = with_published_scores(invented, true)
    rebuilt = league.build(given_figures, RULES)
    here = improvement.prepare(rebuilt, given_figures, RULES)
    flags = set(invented.league.index[invented.league["in_deficit"] == 1])
    base = WhatIf(
        rows_of(given_figures), invented.trusts["trust_type"].to_dict(), flags, rebuilt.cut_offs[""], drawn[1]
    )
    rules = here.rules()
    start = here.start(rules)
    for name, one in here.metrics.items():
        columns = random.integers(0, len(one.values), 3)
        new = np.round(random.choice(one.values, 3) + random.integers(-1, 2, 3) / 4, 2)
        if one.rescorer.lookups:
            new = np.where(
                [unit == "infections" for unit in (one.measures[c].many for c in columns)], np.rint(new), new
            )
        found = here.outcomes(name, columns, new, rules)
        for case, (column, value) in enumerate(zip(columns, new, strict=True)):
            code = one.rescorer.codes[column]
            if code not in base.averages:
                continue
            averages, segments, ranks, _ = base({name: {code: fraction(value)}})
            same = [other for other in ranks if base.types[other] == base.types[code] and other != code]
            losers = sum(ranks[other] > base.ranks[other] for other in same)
            assert (found.hundredths[case], found.segment[case], found.rank[case], found.losers[case]) == (
                averages[code], segments[code], ranks[code], losers,
            ), (name, code, value)  # fmt: skip
        still = here.outcomes(name, np.arange(len(one.values)), one.values, rules)
        assert (still.hundredths == here.hundredths[here.place(name)]).all(), name
        assert (still.rank == start.rank[here.place(name)]).all() and not still.losers.any()


def shuffled(invented, random):
    """The same figures with the values of each metric dealt out anew."""
    rows = invented.observations.copy()
    rows["value"] = rows.groupby(["metric_id", "unit"])["value"].transform(lambda v: random.permutation(v.to_numpy()))
    return replace(invented, observations=rows)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(standing().metrics)), st.integers(0, 2**32))
def test_a_better_value_never_makes_a_score_or_an_average_worse(name, seed):
    one, random = standing().metrics[name], np.random.default_rng(seed)
    columns = random.integers(0, len(one.values), 50)
    new = one.values[columns] + one.sign * random.exponential(one.values.std() / 2, 50).round(2)
    score, place = standing().scores(name, columns, new)
    before, place_before = standing().scores(name, columns, one.values[columns])
    assert (score <= before).all() and (place <= place_before).all()
    found = standing().outcomes(name, columns, new, standing().rules())
    assert (found.hundredths <= standing().hundredths[standing().place(name)[columns]]).all()


# --- moves ----------------------------------------------------------------------------------------


def test_moves_are_improvements_within_what_is_possible():
    cases = edges().cases
    better = np.where(cases["better"] == "high", 1, -1)
    assert (better * (cases["new_value"] - cases["value"]) > 0).all()
    percent = cases[cases["unit"] == "percentage points"]
    bounded = percent[~percent["metric_id"].isin(["OF0041", "OF0079", "OF0081", "OF0085", "OF0086", "OF0106"])]
    assert len(bounded) and bounded["new_value"].between(0, 100).all()
    counts = cases[cases["unit"] == "infections"]
    assert (counts["new_value"] % 1 == 0).all() and (counts["new_value"] >= 0).all()
    assert (cases["pool_places"] >= 0).all() and (cases["score_change"] <= 0).all()


def test_one_unit_is_one_percentage_point_one_infection_or_a_tenth():
    cases = edges().table("unit")
    whole = cases[cases["steps"].sub(1).abs() < 1e-6]
    units = whole.groupby("unit")["change"].agg(["min", "max"]).round(6)
    assert units["min"].to_dict() == units["max"].to_dict() == {
        "days": 0.1, "infections": 1, "minutes": 1, "percentage points": 1, "points out of 10": 0.1, "times the threshold": 0.1,
    }  # fmt: skip
    cut_short = cases.drop(whole.index)
    assert len(cut_short) and (cut_short["new_value"] == 0).all()  # less than a unit above none at all


def test_one_place_is_the_nearest_value_that_passes_someone():
    """In the published order of each pool nobody stands between; one more of the last digit at most."""
    base = first_quarter()
    for case in edges().table("place").iloc[::3].itertuples():
        one = standing().metrics[case.metric_id]
        row = next(row for row in base.rows[case.metric_id] if row["trust_code"] == case.trust_code)
        pool = base.pool(case.metric_id, row)
        sign = -1 if case.better == "low" else 1
        others = [
            sign * r["value"]
            for r in base.rows[case.metric_id]
            if base.pool(case.metric_id, r) == pool and r["unit"] == row["unit"]
        ]
        nearest = min((v for v in others if v > sign * row["value"]), default=None)
        new = sign * fraction(case.new_value)
        assert case.pool_places >= 1
        digit = fraction(one.grid[one.rescorer.codes.get_loc(case.trust_code)])
        assert new == nearest or (new == sign * row["value"] + digit and (nearest is None or new < nearest))


def test_four_hour_waits_of_77_9_percent_score_1_at_78_against_nhs_england():
    """78.0 % scores 1.00 and 77.9 % scores 2.00: three trusts are a tenth of a point short."""
    short = edges().just_short(0.1).query("metric_id == 'OF0013'")
    assert len(short) == 3 and set(short["value"]) == {77.9}
    assert (
        set(short["new_value"]) == {78.0} and set(short["score_before"]) == {2.0} and set(short["score_after"]) == {1.0}
    )
    assert short["gap"].tolist() == pytest.approx([0.1] * 3)


STANDARDS = {
    "OF0003": (1, -1),
    "OF0106": (0, 1),
    "OF0010": (80, 1),
    "OF0011": (75, 1),
    "OF0013": (78, 1),
    "OF0017": (30, -1),
    "OF0057": (70, 1),
}


def test_trusts_just_short_of_a_standard_are_those_in_the_published_values():
    near = edges().just_short(1)
    for metric_id, (standard, sign) in STANDARDS.items():
        rows = first_quarter().rows[metric_id]
        short = {row["trust_code"]: sign * (standard - row["value"]) for row in rows}
        expected = {code: float(gap) for code, gap in short.items() if 0 < gap <= 1}
        mine = near[near["metric_id"] == metric_id].set_index("trust_code")["gap"]
        assert mine.to_dict() == pytest.approx(expected), metric_id


def test_the_next_bracket_of_the_financial_plan():
    """At least 0 scores 1, above -1 scores 2, above -2 scores 3: just above -2, just above -1, then 0."""
    cases = edges().table("target").query("metric_id == 'OF0079'")
    for case in cases.itertuples():
        expected = -1.99 if case.value <= -2 else -0.99 if case.value <= -1 else 0
        assert case.new_value == expected and case.score_change == -1


def test_the_best_metric_of_a_trust_and_the_best_trust_of_a_metric():
    cases = edges().table("unit", ACUTE)
    best = edges().best_by_trust("unit", ACUTE).set_index("trust_code")["places_won"]
    assert best.to_dict() == cases.groupby("trust_code")["places_won"].max().to_dict() and len(best) == 134
    by_metric = edges().by_metric("unit", ACUTE)
    row = by_metric[by_metric["metric_id"] == "OF0013"].iloc[0]
    won = cases[cases["metric_id"] == "OF0013"].set_index("trust_code")["places_won"]
    assert (row["mean"], row["largest"], row["trusts"]) == (won.mean(), won.max(), 123)
    assert won[row["best_for"]] == won.max()


def test_recomputed_cut_offs_against_exact_fractions():
    """The cases that move most averages, with the quartiles of all 205 averages taken anew."""
    base, again = first_quarter(), incentives.cliff_edges(standing(), "recomputed").cases
    assert (again["average_after"] == edges().cases["average_after"]).all()
    for case in again.nsmallest(4, "average_change").itertuples():
        averages, *_ = base({case.metric_id: {case.trust_code: fraction(case.new_value)}})
        segments, ranks = base.league(averages, reference.quartiles(list(averages.values())))
        assert (case.segment_after, case.rank_after) == (segments[case.trust_code], ranks[case.trust_code])


# --- the next segment -----------------------------------------------------------------------------


def test_the_fall_needed_follows_from_the_published_cut_offs():
    """Cut-offs 2.05, 2.32 and 2.60; flagged trusts in segment 3 are held, those in segment 4 can reach 3."""
    for row in ways().table().itertuples():
        mine = published()[row.trust_code]
        average, segment = round(float(mine["average_score"]) * 100), int(float(mine["segment"]))
        flagged = float(mine["in_deficit"]) == 1
        if segment == 1 or (flagged and segment == 3):
            assert row.status == (incentives.IN_BEST if segment == 1 else incentives.HELD)
            assert np.isnan(row.fall) and row.answer == ""
        else:
            assert row.status == incentives.OPEN and row.goal == segment - 1
            assert row.fall == pytest.approx((average - CUTS[segment - 2]) / 100)


def test_the_fall_needed_by_cut_offs_between_hundredths():
    """It is the least whole number of hundredths that is enough."""
    others = replace(RULES, segments=replace(RULES.segments, percentiles=(11.0, 37.0, 82.0)))
    rebuilt = league.build(figures(), others)
    assert any(cut % 1 for cut in rebuilt.cut_offs[""])
    here = improvement.prepare(rebuilt, figures(), others)
    for row in incentives.next_segment(here).table().dropna(subset="fall").itertuples():
        after = round(row.average * 100) - row.fall * 100
        cut = rebuilt.cut_offs[""][row.goal - 1]
        assert after == pytest.approx(round(after)) and cut - 1 < after <= cut


def first_value_that_does(code: str, value_id: str, goal: int) -> Fraction | None:
    """Step by step of the last published digit, from a trust's value on: the first that brings the segment, or None."""
    base = first_quarter()
    metric = reference.METRICS[value_id[3:]]
    row = next(row for row in base.rows[value_id] if row["trust_code"] == code)
    pool, sign = base.pool(value_id, row), 1 if metric.better == "high" else -1
    others = [
        r for r in base.rows[value_id] if r is not row and base.pool(value_id, r) == pool and r["unit"] == row["unit"]
    ]
    step = fraction(standing().metrics[value_id].grid[standing().metrics[value_id].rescorer.codes.get_loc(code)])
    ends = {"%": {1: 100, -1: 0}, "out of 10": {1: 10}}.get(row["unit"], {-1: 0})
    end = ends.get(sign) if value_id not in ("OF0041", "OF0079", "OF0081", "OF0085", "OF0086", "OF0106") else None
    beyond = max([sign * r["value"] for r in others] + [Fraction(1)]) + 1 if end is None else Fraction(sign * end)
    spread = sorted(sign * r["value"] for r in others if pool and in_spread(metric, r["value"]))
    spread = [int(value / step) for value in spread]
    mark = None if metric.mark is None or pool is None else sign * metric.mark / step
    known = {}
    for place in range(int(sign * row["value"] / step) + 1, int(beyond / step) + 1):
        value = sign * place * step
        key = value if pool is None else (len(spread) - bisect_right(spread, place), mark is not None and place >= mark)
        if key not in known:
            known[key] = reaches(code, value_id, own_score(value_id, metric, pool, len(spread), key, value), goal)
        if known[key]:
            return value
    return None


def in_spread(metric, value) -> bool:
    if metric.mark is None:
        return True
    return reference.meets(metric, value) == (metric.model == "floor")


def own_score(value_id, metric, pool, others, key, value) -> Fraction:
    """The score of a value that ``key[0]`` of ``others`` in the spread part are better than."""
    if pool is None:
        return Fraction(reference.lookup_score(value_id, value))
    if not in_spread(metric, value):
        return Fraction(1 if metric.model == "standard" else 4)
    low, high = reference.spread_limits(metric)
    score = low + Fraction((high - low) * key[0], others) if others else Fraction(low)
    rounds = "OF1" + value_id[3:] in reference.ROUNDED_FIRST[Q1]
    return Fraction(reference.hundredths(score), 100) if rounds else score


def reaches(code, value_id, score, goal) -> bool:
    base = first_quarter()
    scores = dict(base.items[code])
    if value_id in LOOKED_UP:
        both = {name: score if name == value_id else base.baseline[name][code] for name in sorted(LOOKED_UP)}
        plan, variance = (int(both[name]) for name in sorted(LOOKED_UP))
        scores[code, "OF1080"] = Fraction(reference.FINANCE_MATRIX[plan - 1][variance - 1])
    else:
        scores[code, "OF1" + value_id[3:]] = score
    segment = reference.segment(reference.mean_of_items(scores, code), CUTS)
    return reference.adjusted_segment(segment, code in base.flags) <= goal


def test_the_smallest_change_that_brings_the_next_segment_step_by_step():
    """Nine trusts of all types, every metric: walking from the published value by its last digit finds the same."""
    table = ways().table()
    trusts = table[table["status"] == incentives.OPEN].groupby("trust_type").sample(3, random_state=3)
    count = 0
    for code, goal in trusts[["trust_code", "goal"]].itertuples(index=False):
        for way in ways().ways(code).itertuples():
            expected = first_value_that_does(code, way.metric_id, goal)
            assert (fraction(way.new_value) if way.able else None) == expected, (code, way.metric_id)
            count += way.able
    assert count > 20


def test_the_smallest_of_them_has_the_fewest_places_to_win():
    rows = ways().ways()
    for row in ways().table().dropna(subset="metric_id").itertuples():
        mine = rows[(rows["trust_code"] == row.trust_code) & rows["able"]]
        assert row.pool_places == mine["pool_places"].min() and row.able == len(mine)
    none = ways().table()[ways().table()["answer"] == incentives.NONE_CAN]["trust_code"]
    assert len(none) == 35 and not rows[rows["trust_code"].isin(none)]["able"].any()


def test_search_by_halves_finds_what_trying_everything_finds(monkeypatch):
    """One metric of each kind of rule and pool, for every trust whose way is open."""
    monkeypatch.setattr(incentives, "_first_by_halves", incentives._first_of_all)
    rules, goals = standing().rules(), ways().table()["goal"].fillna(0).to_numpy(dtype=np.int64)
    for name in ("OF0082", "OF0013", "OF0057", "OF0061"):
        found = incentives._ways(standing(), name, goals, rules).set_index("trust_code").sort_index()
        expected = ways().ways().query("metric_id == @name").set_index("trust_code").sort_index()
        pd.testing.assert_frame_equal(found, expected)


def test_with_recomputed_cut_offs_against_exact_fractions():
    """The first value that is enough is, and the one before it is not, with the quartiles of all averages taken anew."""
    base, rules = first_quarter(), standing().rules("recomputed")
    goals = ways().table()["goal"].fillna(0).to_numpy(dtype=np.int64)
    found = incentives._ways(standing(), "OF0010", goals, rules)
    one = standing().metrics["OF0010"]
    assert found["able"].sum() > 3
    for way in found[found["able"]].iloc[:4].itertuples():
        column = one.rescorer.codes.get_loc(way.trust_code)
        ((_, points),) = incentives._candidates(one, np.array([column]))
        at = int(np.flatnonzero(points == way.new_value)[0])
        for value, enough in [(points[at], True)] + ([(points[at - 1], False)] if at else []):
            averages, *_ = base({"OF0010": {way.trust_code: fraction(value)}})
            segments, _ = base.league(averages, reference.quartiles(list(averages.values())))
            assert (segments[way.trust_code] <= way.goal) == enough


def test_no_other_override_lets_a_held_trust_pass():
    """One segment down instead of a cap at 3: flagged trusts can pass, but never into segment 1."""
    down = replace(RULES, override=replace(RULES.override, no_higher_than=None, segments_down=1))
    here = improvement.prepare(league.build(figures(), down), figures(), down)
    found = incentives.next_segment(here).table()
    flagged = found["trust_code"].map(lambda code: float(published()[code]["in_deficit"]) == 1)
    assert set(found.loc[flagged & (found["segment"] == 2), "status"]) == {incentives.HELD}
    assert set(found.loc[flagged & (found["segment"] == 3), "status"]) == {incentives.OPEN}


# --- equal values ---------------------------------------------------------------------------------


def test_equal_values_keep_the_order_of_their_scores_and_ranks():
    values, pool = np.array([1.0, 1.0, 1.0, 2.0, 2.0, 1.0]), np.array([0, 0, 0, 0, 0, 1])
    scores, ranks = np.array([2.0, 1.0, 2.0, 3.0, np.nan, 1.0]), np.array([9.0, 9.0, 9.0, 4.0, 5.0, 1.0])
    found = pools.order_of_equals(values, pool, scores, ranks)
    assert found.tolist() == [0, 1, 0, 1, 0, 0]
    unknown = np.full(6, np.nan)
    assert pools.order_of_equals(values, pool, unknown, unknown).tolist() == [0] * 6


def test_a_changed_value_that_equals_others_shares_their_best_place():
    one = standing().metrics["OF0025"]  # 24 different values of 126
    counts = pd.Series(one.values).value_counts()
    crowded = counts.index[0]
    column = int(np.flatnonzero(one.values > crowded)[0])
    place = one.places(one.changed(np.array([column]), np.array([crowded])))[0]
    others = place[one.values == crowded]
    assert place[column] == others.min()


def test_scores_of_lookups_do_not_depend_on_the_order():
    assert not standing().metrics["OF0079"].order.any()
    assert scoring.look_up(np.array([-1.0]), RULES.by_score["OF1079"].lookup).tolist() == [3]
