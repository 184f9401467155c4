"""Scenarios beside the official rules, metrics and domains left out, and what the override does."""

import math
from dataclasses import replace
from functools import lru_cache
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nofcore import deficit, framework, league, release, scenarios, sensitivity
from nofcore.errors import InputError

ACUTE, AMBULANCE, MENTAL = "Acute trust", "Ambulance trust", "Mental health and community trust"
TYPES = (ACUTE, AMBULANCE, MENTAL)
QUARTERS = ("Q1 2025/26", "Q2 2025/26", "Q3 2025/26", "Q4 2025/26", "Q1 2026/27")
Q1, Q2, NEXT = QUARTERS[0], QUARTERS[1], QUARTERS[4]
RULES = framework.for_quarter(Q1)
SHIPPED = {scenario.key: scenario for scenario in scenarios.shipped()}


def figures(quarter: str = Q1) -> release.Release:
    return _figures(quarter)


@lru_cache
def _figures(quarter: str) -> release.Release:
    return release.embedded().release(quarter)


def compared(quarter: str = Q1) -> sensitivity.Sensitivity:
    return _compared(quarter)


@lru_cache
def _compared(quarter: str) -> sensitivity.Sensitivity:
    return sensitivity.compare(figures(quarter), framework.for_quarter(quarter))


def table_of(trust_type: str, quarter: str = Q1):
    return _table_of(trust_type, quarter)


@lru_cache
def _table_of(trust_type: str, quarter: str):
    return compared(quarter).table(trust_type)


@lru_cache
def ranked_alone(quarter: str) -> sensitivity.Sensitivity:
    wanted = [SHIPPED["no-override"], SHIPPED["average-alone"]]
    return sensitivity.compare(figures(quarter), framework.for_quarter(quarter), wanted)


def overrides(quarter: str = Q1) -> deficit.Overrides:
    return _overrides(quarter)


@lru_cache
def _overrides(quarter: str) -> deficit.Overrides:
    return deficit.compare(figures(quarter), framework.for_quarter(quarter))


def own(key: str = "own", **changes) -> scenarios.Scenario:
    return scenarios.Scenario(key=key, name=key, question="What if?", changes=scenarios.Changes(**changes))


# --- comparing ranks ------------------------------------------------------------------------------


def plain_tau(before, after) -> float:
    """Kendall's tau-b by counting pairs."""
    pairs = list(combinations(range(len(before)), 2))
    signs = [(np.sign(before[i] - before[j]), np.sign(after[i] - after[j])) for i, j in pairs]
    score = sum(int(a * b) for a, b in signs)
    apart = [sum(1 for sign in signs if sign[side]) for side in (0, 1)]
    return score / math.sqrt(apart[0] * apart[1])


@given(st.data())
def test_rank_changes_by_counting(data):
    size = data.draw(st.integers(2, 26))
    before, after = (data.draw(st.lists(st.integers(1, size), min_size=size, max_size=size)) for _ in range(2))
    found = sensitivity.compare_ranks(np.array(before), np.array(after))
    changes = [abs(a - b) for a, b in zip(after, before, strict=True)]
    assert found.mean == pytest.approx(sum(changes) / size)
    assert found.largest == max(changes)
    if len(set(before)) > 1 and len(set(after)) > 1:
        assert found.tau == pytest.approx(plain_tau(before, after))
    else:
        assert math.isnan(found.tau)
    if size <= 20:
        assert found.top is None and found.bottom is None
    else:
        assert found.top == sum(a <= 10 and b <= 10 for a, b in zip(after, before, strict=True))
        assert found.bottom == sum(a > size - 10 and b > size - 10 for a, b in zip(after, before, strict=True))


# --- scenarios ------------------------------------------------------------------------------------


@pytest.mark.parametrize("quarter", [Q1, Q2, NEXT])
def test_every_scenario_is_in_the_result_with_a_reason_where_it_says_nothing(quarter):
    for trust_type in figures(quarter).trust_types:
        table = table_of(trust_type, quarter)
        assert list(table.index) == list(SHIPPED)
        said_nothing = table["status"] != sensitivity.APPLIED
        assert set(table["status"]) <= {"applied", "changes nothing", "not applicable"}
        assert (table.loc[said_nothing, "reason"].str.len() > 10).all()
        assert table.loc[~said_nothing, "n"].notna().all()
        assert (table.loc[table["status"] == "changes nothing", "max_change"] == 0).all()


def test_changes_against_tables_built_one_by_one():
    official = league.build(figures(), RULES).trusts
    for key in ("no-standards", "median", "three-infections", "one-segment-down"):
        rebuilt = league.build(figures(), scenarios.apply(RULES, SHIPPED[key])).trusts.loc[official.index]
        for trust_type in TYPES:
            mine = official["trust_type"] == trust_type
            change = (rebuilt["rank"] - official["rank"])[mine].abs()
            row = table_of(trust_type).loc[key]
            assert row["mean_change"] == pytest.approx(change.mean())
            assert row["max_change"] == change.max()
            if change.max():
                assert set(row["max_trusts"].split(", ")) == set(change.index[change == change.max()])
            assert row["segments_changed"] == (rebuilt["segment"] != official["segment"])[mine].sum()
            assert row["n"] == mine.sum()


def test_no_override_coincides_with_the_average_alone_and_says_so():
    for quarter in QUARTERS:
        for trust_type in figures(quarter).trust_types:
            same = ranked_alone(quarter).table(trust_type)["same_ranks"]
            assert "Rank on the average alone" in same["no-override"].split("; ")
            assert "No override" in same["average-alone"].split("; ")


def test_no_override_against_nhs_england():
    """Rank on the average alone as published: 1,022 of 1,022 over five quarters."""
    equal = 0
    for quarter in QUARTERS:
        for trust_type in figures(quarter).trust_types:
            ranks = ranked_alone(quarter).ranks(trust_type)
            published = figures(quarter).league.loc[ranks.index]
            assert (ranks["official"] == published["rank"]).all()
            equal += int((ranks["no-override"] == published["score_rank"]).sum())
    assert equal == 1_022


def test_what_changes_segments_and_no_rank_says_so():
    """The thresholds of 2026/27 and the cut-offs of Q1 2025/26 share 2.32, which alone decides about the override."""
    row = table_of(ACUTE).loc["fixed-thresholds"]
    assert (row["max_change"], row["averages_changed"], row["same_ranks"]) == (0, 0, "Official rules")
    assert row["segments_changed"] > 10
    assert row["reason"] == "segments differ, but no average and no rank"


def test_what_changes_nothing_says_so():
    row = table_of(AMBULANCE).loc["no-floor"]
    assert (row["status"], row["reason"]) == ("changes nothing", "no average, segment or rank of the type differs")
    same = sensitivity.compare(figures(), RULES, [own(ranking="segment")])
    assert same.table(ACUTE).loc["own", "status"] == "changes nothing"


def test_what_needs_values_that_are_not_at_hand_says_so():
    """In Q2 the kit holds no metric rows of acute trusts, with whom the pools are shared."""
    table = table_of(MENTAL, Q2)
    assert table.loc["z-scores", "status"] == "not applicable"
    assert "without the metric rows of Acute trust" in table.loc["z-scores", "reason"]
    # Pools within type are whole.
    assert table.loc["own-type", "status"] == "applied"
    assert table.loc["median", "reason"].startswith("in part: averages of acute trusts are as published")
    acute = table_of(ACUTE, Q2)
    assert acute.loc["median", "reason"] == "no metric scores of acute trusts are at hand, and it changes averages"


def test_flags_that_are_not_published_are_inferred_or_said_to_be_unknown():
    """Q2: 134 acute trusts without flags, 40 of them in a segment worse than that of their average (hand count below)."""
    cuts = league.build(figures(Q2), RULES).cut_offs[""]
    published = figures(Q2).league[figures(Q2).trusts["trust_type"] == ACUTE]
    unadjusted = 1 + sum((published["average_score"] * 100 > cut + 1e-6).astype(int) for cut in cuts)
    moved = int((published["segment"] > unadjusted).sum())
    sure = int(((published["segment"] == unadjusted) & (unadjusted < 3)).sum())
    (note,) = [note for note in compared(Q2).notes if "override flag is not published" in note]
    assert f"{moved} flagged, {sure} not, {134 - moved - sure} not known" in note
    row = table_of(ACUTE, Q2).loc["one-segment-down"]
    assert row["status"] == "not applicable"
    assert "flags of 36 trusts are not known" in row["reason"]
    assert table_of(MENTAL, Q2).loc["one-segment-down", "status"] == "applied"
    assert table_of(ACUTE, Q2).loc["cap-at-2", "status"] == "applied"


def test_a_year_without_rules_lets_the_override_change_alone():
    table = sensitivity.compare(figures(NEXT), None).table(ACUTE)
    assert table.loc["median", "reason"].endswith("only the override and the ranking can be changed")
    assert table.index[table["status"] == "applied"].tolist() == [
        "no-override",
        "one-segment-down",
        "cap-at-2",
        "average-alone",
    ]
    assert (table.loc["average-alone", "segments_changed"], table.loc["no-override", "segments_changed"]) == (0, 20)


def test_scoring_from_values_alone_moves_next_to_nothing_and_is_said():
    """33 scores are tied at published precision, so the way over the values moves ranks by up to 2 places."""
    table = table_of(ACUTE)
    assert table.loc["z-scores", "by_values_max"] == 2
    assert table.loc["z-scores", "by_values_mean"] < 0.1
    assert table.loc["no-standards", "by_values_max"] == 0
    assert table["by_values_mean"].notna().sum() == 9
    notes = {outcome.scenario.key: " ".join(outcome.notes) for outcome in compared().outcomes}
    assert "scored again from the values, by rules other than the published: OF1057" in notes["no-floor"]
    stay = "by lookup, which spreads nobody (OF1079, OF1081, OF1080, OF1048 in counts, OF1088 in counts)"
    assert stay in notes["z-scores"]
    assert "without a published value (OF1035, OF1046, OF1069, OF1067)" in notes["z-scores"]


def test_ranges_over_scenarios_by_plain_loops():
    ranks, ranges = compared().ranks(ACUTE), compared().ranges(ACUTE)
    names = {"official": "Official rules"} | {key: scenario.name for key, scenario in SHIPPED.items()}
    assert len(ranks.columns) == 31
    for code, row in ranks.iterrows():
        found = ranges.loc[code]
        for end, best in (("best", min(row)), ("worst", max(row))):
            at = [names[key] for key, rank in row.items() if rank == best]
            assert (found[f"{end}_rank"], found[f"{end}_scenario"], found[f"{end}_others"]) == (
                best,
                at[0],
                len(at) - 1,
            )
        assert found["places"] == max(row) - min(row)
    assert set(ranges["scenarios"]) == {30}


def test_a_scenario_of_one_s_own_that_does_not_fit_is_an_error():
    with pytest.raises(InputError, match=r"weights\.acess: no metric, group or domain 'acess'"):
        sensitivity.compare(figures(), RULES, [own(weights={"acess": 2})])
    with pytest.raises(InputError, match="two scenarios have the key 'own'"):
        sensitivity.compare(figures(), RULES, [own(decimals=6), own(weigh="domains")])


def test_the_kit_s_scenarios_under_rules_that_lack_what_they_name():
    rules = scenarios.apply(RULES, own(leave_out=["infections", "access"]))
    table = sensitivity.compare(figures(), rules, [SHIPPED["three-infections"], SHIPPED["no-floor"]]).table(ACUTE)
    assert table.loc["three-infections", "status"] == "not applicable"
    assert "no metric, group or domain 'infections'" in table.loc["three-infections", "reason"]
    assert table.loc["no-floor", "status"] == "applied"


def test_trusts_that_lose_their_rank_are_counted():
    rows = figures().observations
    mine = (rows["trust_code"] == "RX7") & rows["metric_id"].str.match("OF[01]")
    only = replace(figures(), observations=rows[~mine | rows["metric_id"].isin(["OF0082", "OF1082"])])
    found = sensitivity.compare(only, RULES, [SHIPPED["no-sickness"]])
    row = found.table(AMBULANCE).loc["no-sickness"]
    assert (row["not_ranked"], row["n"]) == (1, 9)
    left = sensitivity.leave_out(only, found.baseline)
    assert left.summary(AMBULANCE).loc["OF1082", "not_ranked"] == 1
    direct = found.outcomes[0].table.trusts["rank"].reindex(left.ranks.index)
    assert np.array_equal(left.ranks["OF1082"], direct, equal_nan=True)


# --- leaving out ----------------------------------------------------------------------------------


def left_out(what: str, quarter: str = Q1) -> sensitivity.LeftOut:
    return sensitivity.leave_out(figures(quarter), compared(quarter).baseline, what)


@pytest.mark.parametrize("what", ["metric", "domain"])
def test_leaving_out_equals_building_again_without(what):
    """Every metric and domain, every type: drop it from the framework and build the tables again."""
    found, official = left_out(what), compared().baseline.trusts
    wanted = (
        RULES.domain if what == "domain" else [e for e in (*RULES.metric, *RULES.combined) if getattr(e, "averaged", 1)]
    )
    keys = [entry.key if what == "domain" else entry.score for entry in wanted]
    assert set(keys) <= set(found.names) <= {*keys, "infections"}
    summaries = {trust_type: found.summary(trust_type) for trust_type in TYPES}
    tables = {trust_type: found.table(trust_type) for trust_type in TYPES}
    for key in found.names:
        rebuilt = league.build(figures(), scenarios.apply(RULES, own(leave_out=[key]))).trusts.loc[found.ranks.index]
        assert (found.ranks[key] == rebuilt["rank"]).all()
        assert (found.segments[key] == rebuilt["segment"]).all()
        assert (found.averages[key] == rebuilt["average_score"]).all()
        for trust_type in TYPES:
            mine = official.index[official["trust_type"] == trust_type]
            change = (rebuilt["rank"][mine] - official["rank"][mine]).abs()
            row = summaries[trust_type].loc[key]
            assert (row["mean_change"], row["max_change"]) == (pytest.approx(change.mean()), change.max())
            assert (tables[trust_type][key] == rebuilt["rank"][mine]).all()


def test_leaving_out_where_a_type_has_no_metric_rows():
    found = left_out("metric", Q2)
    assert found.ranks.loc[figures(Q2).trusts["trust_type"] == ACUTE].isna().all(axis=None)
    with pytest.raises(InputError, match="Acute trust: no metric scores are at hand, so nothing can be left out"):
        found.summary(ACUTE)
    for key in ("OF1082", "OF1084", "OF1080"):
        rebuilt = league.build(figures(Q2), scenarios.apply(RULES, own(leave_out=[key]))).trusts
        mine = rebuilt.index[rebuilt["trust_type"] == MENTAL]
        assert (found.ranks.loc[mine, key] == rebuilt.loc[mine, "rank"]).all()


def test_leaving_out_under_rules_that_weigh_by_domain():
    rules = scenarios.apply(RULES, SHIPPED["equal-domains"])
    found = sensitivity.leave_out(figures(), league.build(figures(), rules))
    for key in ("OF1082", "OF1020", "infections"):
        rebuilt = league.build(figures(), scenarios.apply(rules, own(leave_out=[key]))).trusts
        assert (found.ranks[key] == rebuilt["rank"].reindex(found.ranks.index)).all()


def test_leaving_out_with_the_figures_of_one_type():
    """Cut-offs then rest on the published averages of the others too."""
    kept = figures().trusts[figures().trusts["trust_type"] == MENTAL].index
    rows = figures().observations
    one = replace(
        figures(), trusts=figures().trusts.loc[kept], league=figures().league.loc[kept],
        observations=rows[rows["trust_code"].isin(kept)],
    )  # fmt: skip
    found = sensitivity.leave_out(one, league.build(one, RULES))
    rebuilt = league.build(one, scenarios.apply(RULES, own(leave_out=["OF1084"]))).trusts
    assert (found.ranks["OF1084"] == rebuilt["rank"].reindex(found.ranks.index)).all()
    assert (found.segments["OF1084"] == rebuilt["segment"].reindex(found.ranks.index)).all()


def test_what_can_be_left_out():
    with pytest.raises(InputError, match="must be 'metric' or 'domain', not 'trust'"):
        sensitivity.leave_out(figures(), compared().baseline, "trust")
    with pytest.raises(InputError, match="no metric scores are at hand"):
        sensitivity.leave_out(figures(NEXT), sensitivity.compare(figures(NEXT), None).baseline)


# --- the override ---------------------------------------------------------------------------------


def test_whom_the_override_moves_against_nhs_england():
    """Q1 2025/26: 120 trusts flagged, 46 moved, 38 of them acute."""
    found = [overrides().summary(trust_type).loc["official"] for trust_type in TYPES]
    assert sum(row["flagged"] for row in found) == 120
    assert [row["moved"] for row in found] == [38, 1, 7]
    table = overrides().table(ACUTE)
    published = figures().league.loc[table.index]
    assert (table["rank"] == published["rank"]).all()
    assert (table["rank_without"] == published["score_rank"]).all()
    assert (table["moved"] == (published["segment"] != published["unadjusted_segment"])).all()


def test_places_lost_and_gained_by_plain_loops():
    table = overrides().table(ACUTE)
    for row in table.itertuples():
        ahead = sum(
            o.segment < row.segment or (o.segment == row.segment and o.average_score < row.average_score)
            for o in table.itertuples()
        )
        better = sum(o.average_score < row.average_score for o in table.itertuples())
        assert (row.rank, row.rank_without, row.places_lost) == (ahead + 1, better + 1, ahead - better)
    summary = overrides().summary(ACUTE).loc["official"]
    lost = table.loc[table["moved"], "places_lost"]
    gains = -table.loc[~table["moved"] & (table["places_lost"] < 0), "places_lost"]
    assert (summary["places_lost"], summary["most_lost"]) == (lost.sum(), lost.max())
    assert (summary["gaining"], summary["mean_gain"], summary["most_gained"]) == (len(gains), gains.mean(), gains.max())


@pytest.mark.parametrize(("rule", "allowed"), [("cap-at-2", {(1, 2)}), ("one-segment-down", {(1, 2), (2, 3), (3, 4)})])
def test_other_overrides_move_only_flagged_trusts(rule, allowed):
    for trust_type in TYPES:
        table = overrides().table(trust_type, rule)
        moved = table[table["moved"]]
        assert moved["flagged"].all()
        assert set(zip(moved["unadjusted_segment"], moved["segment"], strict=True)) <= allowed
        flagged = table[table["flagged"] & table["unadjusted_segment"].isin([first for first, _ in allowed])]
        assert flagged["moved"].all()


def test_the_flags_of_the_proxy_rule():
    flags = overrides().flags("proxy-flag")
    assert len(flags) == 10
    assert (flags["published"] != flags["derived"]).all()
    assert overrides().flags("cap-at-2").empty


def test_overrides_of_a_year_without_rules():
    found = deficit.compare(figures(NEXT), None)
    table = found.table(ACUTE)
    published = figures(NEXT).league.loc[table.index]
    assert (table["rank"] == published["rank"]).all()
    assert (table["rank_without"] == published["score_rank"]).all()
    reason = found.summary(ACUTE).loc["proxy-flag", "reason"]
    assert "no flag can be derived" in reason


def test_overrides_where_flags_are_not_published():
    summary = overrides(Q2).summary(ACUTE).loc["official"]
    table = overrides(Q2).table(ACUTE)
    assert summary["moved"] == summary["flagged"] == table["flagged"].sum() == 40
    assert (
        summary["flags_not_known"] == table["flagged"].isna().sum() == 134 - 40 - (~table["flagged"].fillna(True)).sum()
    )
    with pytest.raises(InputError, match="are not known and decide their segments"):
        overrides(Q2).table(ACUTE, "one-segment-down")
    with pytest.raises(InputError, match="no override rule 'nought'; there are official, one-segment-down"):
        overrides(Q2).table(ACUTE, "nought")


def test_only_the_override_may_change():
    with pytest.raises(InputError, match="own: not a scenario that changes the override alone"):
        deficit.compare(figures(), RULES, [own(override="none", decimals=6)])
