"""Everyone improves, or one trust alone: beside exact fractions on the figures of Q1 2025/26."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nofcore import relative
from nofcore.errors import InputError
from tests import reference
from tests.figures import standing_of
from tests.makers import ACUTE, COMMUNITY, Q1
from tests.whatif import first_quarter

NO_END = ("OF0041", "OF0079", "OF0081", "OF0085", "OF0086", "OF0106")
OUT_OF_TEN = ("OF0047", "OF0061", "OF0084")


@pytest.fixture(scope="module")
def all_improve():
    return relative.together(standing_of(Q1), (0, 10))


@pytest.fixture(scope="module")
def one_improves():
    return relative.alone(standing_of(Q1))


def tenth_closer(value_id: str, row: dict) -> Fraction:
    """A tenth of the way to the best possible value, or to the best of the pool where there is no end."""
    metric, high = reference.METRICS[value_id[3:]], reference.METRICS[value_id[3:]].better == "high"
    if value_id in NO_END:
        values = [r["value"] for r in first_quarter().rows[value_id] if metric.pool == "all"]
        best = max(values) if high else min(values)
    else:
        best = 10 if value_id in OUT_OF_TEN else 100 if high else 0
    return row["value"] + (best - row["value"]) / 10


def of(found, share, kind, cutoffs):
    rows = found.trusts
    return rows[(rows["share"] == share) & (rows["kind"] == kind) & (rows["cutoffs"] == cutoffs)].set_index(
        "trust_code"
    )


def test_all_improving_by_a_tenth_against_exact_fractions(all_improve):
    """Averages, segments and ranks of 205 trusts, with cut-offs held and taken anew."""
    base = first_quarter()
    changes = {
        value_id: {row["trust_code"]: tenth_closer(value_id, row) for row in rows}
        for value_id, rows in base.rows.items()
    }
    averages, segments, ranks, _ = base(changes, together=True)
    found = of(all_improve, 10, "all", "published")
    assert found["average_after"].to_dict() == {code: average / 100 for code, average in averages.items()}
    assert found["segment_after"].to_dict() == segments and found["rank_after"].to_dict() == ranks
    segments, ranks = base.league(averages, reference.quartiles(list(averages.values())))
    found = of(all_improve, 10, "all", "recomputed")
    assert found["segment_after"].to_dict() == segments and found["rank_after"].to_dict() == ranks


def test_no_improvement_changes_nothing(all_improve):
    rows = all_improve.table().query("share == 0")
    assert len(rows) == 6 and not rows[["averages_changed", "segments_changed", "ranks_changed"]].any(axis=None)


@settings(max_examples=15, deadline=None)
@given(st.floats(0, 99))
def test_metrics_scored_by_rank_alone_move_nobody(share):
    """The same share keeps everyone's order, whatever the share: no score changes at all."""
    here = standing_of(Q1)
    for name, one in here.metrics.items():
        if not relative.is_absolute(one):
            rows = one.all_changed(relative.improved(one, share))[None]
            assert (one.rescorer.scores(rows) == one.rescorer.scores(one.row[None])).all(), name


def test_kinds_of_metrics_by_the_framework(all_improve):
    """Fourteen metrics by rank; seven standards, a floor, three infections and two finance metrics, less none counted twice."""
    models = {value_id: reference.METRICS[value_id[3:]].model for value_id in first_quarter().rows}
    assert set(all_improve.metrics["by rank"]) == {name for name, model in models.items() if model == "rank"}
    assert set(all_improve.metrics["absolute"]) == {name for name, model in models.items() if model != "rank"}
    absolute, everything = (of(all_improve, 10, kind, "recomputed")["rank_after"] for kind in ("absolute", "all"))
    assert (absolute == everything).all()


def test_trusts_may_fall_a_segment_although_everyone_improves(all_improve):
    """Mental health and community trusts have few standards to reach: cut-offs taken anew pass them by."""
    rows = all_improve.table(COMMUNITY).query("share == 10 and kind == 'all'").set_index("cutoffs")
    assert rows.at["recomputed", "worse_segment"] > 0 and rows.at["published", "worse_segment"] == 0


@pytest.mark.parametrize("code", ["RDE", "RXP", "RX7", "RV5"])
def test_one_trust_alone_against_exact_fractions(code, one_improves):
    base = first_quarter()
    changes = {}
    for value_id, rows in base.rows.items():
        if mine := [row for row in rows if row["trust_code"] == code]:
            changes[value_id] = {code: tenth_closer(value_id, mine[0])}
    averages, segments, ranks, _ = base(changes)
    row = one_improves.table().set_index("trust_code").loc[code]
    assert (round(row["average_after"] * 100), row["segment_after"], row["rank_after"]) == (
        averages[code], segments[code], ranks[code],
    )  # fmt: skip
    same = [other for other in ranks if base.types[other] == base.types[code] and other != code]
    lost = {other: ranks[other] - base.ranks[other] for other in same if ranks[other] > base.ranks[other]}
    found = one_improves.losses(code).set_index("trust_code")["lost"].to_dict()
    assert found == lost and row["losers"] == len(lost) and row["places_lost"] == sum(lost.values())
    assert row["most_lost"] == max(lost.values()) == lost[row["most_lost_by"]]
    assert row["gainers"] == sum(ranks[other] < base.ranks[other] for other in same)


def test_alone_covers_every_trust_and_says_what_stays(one_improves):
    """134 acute trusts; 265 of their scores are published without a value: 2, 118, 15 and 130 of four metrics."""
    rows = one_improves.table(ACUTE)
    assert len(rows) == 134 and rows["as_published"].sum() == 2 + 118 + 15 + 130
    assert (rows["average_change"] <= 0).all() and (rows["places_won"] >= 0).all()


def test_one_trust_alone_with_cut_offs_taken_anew():
    base = first_quarter()
    found = relative.alone(standing_of(Q1), 10, "recomputed").table().set_index("trust_code").loc["RDE"]
    changes = {
        value_id: {"RDE": tenth_closer(value_id, row)}
        for value_id, rows in base.rows.items()
        for row in rows
        if row["trust_code"] == "RDE"
    }
    averages, *_ = base(changes)
    segments, ranks = base.league(averages, reference.quartiles(list(averages.values())))
    assert (found["segment_after"], found["rank_after"]) == (segments["RDE"], ranks["RDE"])


def test_marks_are_the_best_possible_or_the_best_of_the_pool():
    one = standing_of(Q1).metrics["OF0013"]
    assert (relative.marks(one) == 100).all() and relative.improved(one, 50).max() == pytest.approx(
        50 + one.values.max() / 2
    )
    plan = standing_of(Q1).metrics["OF0079"]
    assert (relative.marks(plan) == 3.69).all()  # the largest planned surplus of Q1 2025/26, in %


@pytest.mark.parametrize("share", [-1, 100, np.nan, "ten", None])
def test_shares_that_make_no_sense_are_errors(share):
    with pytest.raises(InputError, match="a percentage from 0 to below 100"):
        relative.together(standing_of(Q1), [share])
    with pytest.raises(InputError, match="a percentage from 0 to below 100"):
        relative.alone(standing_of(Q1), share)


def test_a_quarter_with_some_pools_only():
    """In Q4 2025/26 only metrics by rank can be followed: everyone's improvement moves nobody."""
    here = standing_of("Q4 2025/26")
    found = relative.together(here, [20])
    assert found.metrics["absolute"] == () and not found.table()["ranks_changed"].any()
    assert len(here.trusts) == 205  # acute trusts too, held as published
