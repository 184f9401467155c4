"""Who carries the override flag: as published, deduced where it is not, and called unknown where nothing tells."""

from dataclasses import replace

import numpy as np
import pytest

from nofcore import bootstrap, flags, framework, improvement, incentives, league, release
from tests.figures import rebuilt_of
from tests.makers import ACUTE, table

Q2, NEW = "Q2 2025/26", "Q1 2026/27"
CUTS = {Q2: (206, 234, 267), NEW: (192, 232, 277)}
"""METHOD, sections 4 and 8."""


def published(quarter):
    return {row["trust_code"]: row for row in table("league_tables") if row["quarter"] == quarter}


def by_average(row, quarter):
    return 1 + sum(round(float(row["average_score"]) * 100) > cut for cut in CUTS[quarter])


def ways(quarter):
    figures, rules = release.embedded().release(quarter), framework.for_quarter(quarter)
    standing = improvement.prepare(league.build(figures, rules), figures, rules)
    return incentives.next_segment(standing).table().set_index("trust_code")


def test_a_published_flag_counts_whether_or_not_metric_rows_are_at_hand():
    """Q1 2026/27: 99 trusts are flagged (METHOD, section 8), of which 21 were moved; metric rows are those of ambulance trusts."""
    rebuilt = rebuilt_of(NEW)
    wanted = {code for code, row in published(NEW).items() if float(row["in_deficit"]) == 1}
    rules = bootstrap.ranking_rules(rebuilt, rebuilt.trusts, "published")
    assert len(wanted) == 99
    assert set(rebuilt.trusts.index[rules.flags]) == wanted
    assert set(flags.override_flags(rebuilt, rebuilt.trusts)["basis"]) == {flags.GIVEN}


def test_no_average_brings_a_flagged_trust_of_segment_3_a_better_one():
    """Manual, and METHOD, section 8: a flagged trust is placed no higher than 3, whatever its average."""
    found, held = ways(NEW), 0
    for code, row in published(NEW).items():
        if float(row["in_deficit"]) == 1 and float(row["segment"]) == 3:
            assert found.at[code, "status"] == incentives.HELD
            assert np.isnan(found.at[code, "fall"])
            held += 1
    assert found.at["RYR", "status"] == incentives.HELD
    assert held >= 61


def test_a_flag_that_is_not_published_is_deduced_where_average_and_segment_tell():
    """Q2 2025/26: no flags of acute trusts are at hand. Who is in segment 3 by the average alone may carry it or not."""
    rebuilt, found = rebuilt_of(Q2), ways(Q2)
    basis = flags.override_flags(rebuilt, rebuilt.trusts)
    counted = dict.fromkeys((incentives.FLAG_UNKNOWN, incentives.HELD), 0)
    for code, row in published(Q2).items():
        if row["trust_type"] != ACUTE:
            continue
        alone, segment = by_average(row, Q2), int(float(row["segment"]))
        assert row["in_deficit"] == ""
        assert basis.at[code, "flagged"] == (segment > alone)
        assert basis.at[code, "basis"] == (flags.DEDUCED if alone < 3 else flags.UNKNOWN)
        wanted = {1: incentives.IN_BEST, 2: incentives.OPEN, 4: incentives.OPEN}.get(
            segment, incentives.HELD if alone < 3 else incentives.FLAG_UNKNOWN
        )
        assert found.at[code, "status"] == wanted, code
        if wanted in counted:
            counted[wanted] += 1
        if wanted == incentives.FLAG_UNKNOWN:
            fall = (round(float(row["average_score"]) * 100) - 234) / 100
            assert found.at[code, "fall"] == pytest.approx(fall)
    assert counted[incentives.FLAG_UNKNOWN] == 36
    assert counted[incentives.HELD] > 20


def test_a_trust_of_a_type_that_the_override_is_not_for_carries_no_flag():
    rebuilt = rebuilt_of(NEW)
    rules = replace(rebuilt.framework, override=replace(rebuilt.framework.override, trust_types=("Ambulance trust",)))
    found = flags.override_flags(replace(rebuilt, framework=rules), rebuilt.trusts)
    assert not found.loc[rebuilt.trusts["trust_type"] == ACUTE, "flagged"].any()


@pytest.mark.parametrize("quarter", [Q2, NEW])
def test_ranks_in_another_segment_against_counting_the_trusts_ahead(quarter):
    """METHOD, section 6: by segment, then by average, equal trusts sharing the best rank; from the published tables."""
    rows = published(quarter)
    ranked = rebuilt_of(quarter).trusts
    for wanted in (1, 3, 4):
        found = flags.ranks_in(ranked["segment"] * 0 + wanted, ranked)
        for code, row in rows.items():
            own = (wanted, float(row["average_score"]))
            ahead = sum(
                (float(other["segment"]), float(other["average_score"])) < own
                for name, other in rows.items()
                if name != code and other["trust_type"] == row["trust_type"]
            )
            assert found[code] == 1 + ahead, (code, wanted)
    assert (flags.ranks_in(ranked["segment"], ranked) == ranked["rank"]).all()


def test_ranks_in_a_segment_that_is_not_known_are_not_known():
    ranked = rebuilt_of(Q2).trusts
    segment = ranked["segment"].astype(float).mask(ranked["trust_type"] == ACUTE)
    found = flags.ranks_in(segment, ranked)
    assert found[ranked["trust_type"] == ACUTE].isna().all()
    assert (found == ranked["rank"])[ranked["trust_type"] != ACUTE].all()
