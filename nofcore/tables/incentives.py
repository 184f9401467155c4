"""Tables of what improvements are worth: everyone's, one trust's, the next segment, cliff edges."""

from __future__ import annotations

import pandas as pd

from nofcore.incentives import FLAG_UNKNOWN, HELD, IN_BEST, CliffEdges, NextSegment
from nofcore.measures import say
from nofcore.relative import Alone, Together
from nofcore.tables.base import Table
from nofcore.wording import as_given, capital, plural

KINDS = {
    "all": "All with values",
    "by rank": "Those scored by rank alone",
    "absolute": "Those with a standard, floor or brackets",
}
CUT_OFFS = {"published": "held as they are", "recomputed": "taken anew"}


def all_improve(found: Together, trust_type: str) -> Table:
    """What changes when every trust closes the same share of its distance to the best."""
    rows = found.table(trust_type)
    still = rows[(rows["kind"] == "by rank") & (rows["averages_changed"] == 0) & (rows["ranks_changed"] == 0)]
    if len(still) == (rows["kind"] == "by rank").sum():  # then the others move as if all did
        rows = rows[rows["kind"] == "all"]
    kinds = rows["kind"].nunique() > 1
    frame = pd.DataFrame(
        {
            "Distance closed": [f"{share:g} %" for share in rows["share"]],
            **({"Metrics": [f"{KINDS[kind]} ({len(found.metrics[kind])})" for kind in rows["kind"]]} if kinds else {}),
            "Cut-offs": rows["cutoffs"].map(CUT_OFFS),
            "Averages changed": rows["averages_changed"],
            "Mean change": rows["average_change"],
            "Better segment": rows["better_segment"],
            "Worse segment": rows["worse_segment"],
            "Ranks changed": rows["ranks_changed"],
            "Mean places": rows["mean_places"],
            "Most places": rows["most_places"],
        }
    )
    none = "" if kinds else " Improving on the metrics scored by rank alone would change nothing."
    caption = (
        f"If every trust closed the same share of its distance to the best value: {plural(trust_type)}, {found.quarter}. Mean "
        f"change of the average in points, negative is better. Mean and most places: up or down, over all trusts of the type.{none}"
    )
    return Table("all-improve", frame, caption, "Distance closed", {"Mean change": 3, "Mean places": 1})


def one_improves(found: Alone, trust_type: str) -> Table:
    """What each trust would gain alone, and who would pay, to sort and search."""
    rows = found.table(trust_type)
    names = found.trusts.set_index("trust_code")["trust_name"]
    frame = pd.DataFrame(
        {
            "Trust": rows["trust_name"],
            "Rank": rows["rank_before"],
            "Rank then": rows["rank_after"],
            "Places won": rows["places_won"],
            "Segment": rows["segment_before"],
            "Segment then": rows["segment_after"],
            "Average": rows["average_before"],
            "Average then": rows["average_after"],
            "Trusts that lose": rows["losers"],
            "Places they lose": rows["places_lost"],
            "Most by one": rows["most_lost"],
            "By whom": rows["most_lost_by"].map(names),
            "Trusts that gain too": rows["gainers"],
        }
    )
    caption = (
        f"If one trust alone closed {found.share:g} % of its distance to the best on all its metrics with values: "
        f"{plural(trust_type)}, {found.quarter}, cut-offs {CUT_OFFS[found.cutoffs]}. Averages in points. By whom: the "
        "first in the league of those that lose most."
    )
    return Table("one-improves", frame, caption, "Trust", {"Average": 2, "Average then": 2}, sortable=True)


def next_segment(found: NextSegment, trust_type: str) -> Table:
    """How far each trust is from the next better segment, to sort and search."""
    rows = found.table(trust_type)
    shut = rows["status"].isin([HELD, IN_BEST, FLAG_UNKNOWN])
    answers = [
        _change(row) if pd.notna(row.metric_id) else row.status if closed else row.answer
        for row, closed in zip(rows.itertuples(), shut, strict=True)
    ]
    frame = pd.DataFrame(
        {
            "Trust": rows["trust_name"],
            "Rank": rows["rank"],
            "Segment": rows["segment"],
            "Average": rows["average"],
            "Fall needed": rows["fall"],
            "Metrics that can": rows["able"].mask(shut).astype("Int64"),
            "Of": rows["metrics"].mask(shut).astype("Int64"),
            "Smallest change of one metric": answers,
            "Pool places": rows["pool_places"].astype("Int64"),
            "Rank then": rows["rank_after"].astype("Int64"),
        }
    )
    caption = (
        f"The way to the next better segment, {plural(trust_type)}, {found.quarter}. Fall needed: in the average, points, cut-offs "
        f"held as they are. One metric: all else unchanged, its pool scored again, cut-offs {CUT_OFFS[found.cutoffs]}; the "
        "smallest is the one with the fewest places to win in its pool."
    )
    return Table("next-segment", frame, caption, "Trust", {"Average": 2, "Fall needed": 2}, sortable=True)


def _change(row) -> str:
    return f"{row.name}: {as_given(row.value)} to {as_given(row.new_value)} ({say(row.change, row.unit)})"


def ways_up(found: NextSegment, trust_code: str) -> Table:
    """What each single metric of one trust would have to do to bring it the next segment."""
    rows = found.ways(trust_code)
    able = rows["able"]
    frame = pd.DataFrame(
        {
            "Metric": rows["name"],
            "Value": rows["value"].map(as_given),
            "Needed": rows["new_value"].map(as_given).where(able),
            "Change": [say(row.change, row.unit) if row.able else None for row in rows.itertuples()],
            "Pool places": rows["pool_places"].where(able).astype("Int64"),
            "Average then": rows["average_after"],
            "Rank then": rows["rank_after"],
            "If not, why": rows["reason"].where(~able),
        }
    )
    name = found.trusts.set_index("trust_code").at[trust_code, "trust_name"]
    caption = (
        f"{name}, {found.quarter}: the smallest change of each metric alone that brings the next better segment. Pool places: to win "
        "among all trusts scored together. Where it is not enough: average and rank with the best score."
    )
    return Table("ways", frame, caption, "Metric", {"Average then": 2}, right=("Value", "Needed", "Change"))


def cliff_metrics(edges: CliffEdges, trust_type: str) -> Table:
    """Where one unit of improvement, and the last step to a target, pay most."""
    unit, last = edges.by_metric("unit", trust_type), edges.by_metric("target", trust_type)
    key = ["metric_id", "unit"]
    near = edges.just_short(1, trust_type).groupby(key).size().rename("near")
    both = unit.merge(last[[*key, "trusts", "mean", "largest"]], "left", on=key, suffixes=("", "_last"))
    both = both.join(near, on=key)
    cases = edges.table("unit", trust_type)
    steps = cases.assign(step=(cases["change"] / cases["steps"]).round(6)).groupby(key)["step"].first()
    both = both.join(steps, on=key)
    frame = pd.DataFrame(
        {
            "Metric": both["name"],
            "One unit": [say(step, many) for step, many in both[["step", "unit"]].itertuples(index=False)],
            "Trusts": both["trusts"],
            "Mean pool places": both["pool_places"],
            "Mean places": both["mean"],
            "Most places": both["largest"],
            "Short of a target": both["trusts_last"].astype("Int64"),
            "Within a unit": both["near"].fillna(0).astype(int).where(both["trusts_last"].notna()).astype("Int64"),
            "Mean places of reaching it": both["mean_last"],
            "Most places of reaching it": both["largest_last"].astype("Int64"),
        }
    )
    caption = (
        f"League places won by one unit of improvement in one metric, {plural(trust_type)}, {edges.quarter}, most first. Pool places: "
        "passed among all trusts scored together, so that units can be compared. Target: the next standard, floor or bracket; "
        "reaching it counts the whole way there. Trusts that have no better value are not counted."
    )
    decimals = {"Mean pool places": 1, "Mean places": 1, "Mean places of reaching it": 1}
    return Table("cliff-metrics", frame, caption, "Metric", decimals, right=("One unit",))


def best_steps(edges: CliffEdges, trust_type: str) -> Table:
    """For each trust the metric in which one unit pays most, to sort and search."""
    rows = edges.best_by_trust("unit", trust_type)
    pays = rows["places_won"] > 0
    frame = pd.DataFrame(
        {
            "Trust": rows["trust_name"],
            "Rank": rows["rank_before"],
            "Places won": rows["places_won"],
            "Metric": rows["name"].where(pays, "no unit wins a place"),
            "Value": rows["value"].map(as_given).where(pays),
            "Then": rows["new_value"].map(as_given).where(pays),
            "Reaches a target": rows["reaches_target"].map({True: "yes", False: "no"}).where(pays),
            "Segment": rows["segment_before"],
            "Segment then": rows["segment_after"],
            "Trusts that lose": rows["losers"].where(pays).astype("Int64"),
        }
    )
    caption = (
        f"Where one unit of improvement in one metric wins each trust most places, {plural(trust_type)}, {edges.quarter}. "
        "Cut-offs and override flags held as they are."
    )
    return Table("best-steps", frame, caption, "Trust", sortable=True, right=("Value", "Then"))


def just_short(edges: CliffEdges, trust_type: str, steps: float = 1) -> Table:
    """Trusts within some units of a standard, floor or bracket, and what the last step is worth."""
    rows = edges.just_short(steps, trust_type).sort_values("places_won", ascending=False, kind="stable")
    frame = pd.DataFrame(
        {
            "Trust": rows["trust_name"],
            "Metric": rows["name"],
            "Value": rows["value"].map(as_given),
            "Target": rows["target"].map(as_given),
            "Short by": [say(gap, many) for gap, many in rows[["gap", "unit"]].itertuples(index=False)],
            "Score change": rows["score_change"],
            "Average change": rows["average_change"],
            "Segment": rows["segment_before"],
            "Segment then": rows["segment_after"],
            "Rank": rows["rank_before"],
            "Places won": rows["places_won"],
        }
    )
    who = "one unit" if steps == 1 else f"{steps:g} units"
    caption = (
        f"{capital(plural(trust_type))} within {who} of a standard, a floor or the next bracket, {edges.quarter}, and what the last "
        "step is worth, most places first. Changes in points, negative is better."
    )
    decimals = {"Score change": 2, "Average change": 2}
    return Table("just-short", frame, caption, "Trust", decimals, sortable=True, right=("Value", "Target", "Short by"))


def cliffs_of(edges: CliffEdges, trust_code: str) -> Table:
    """Everything a small improvement would bring one trust, a row per metric."""
    key, cases = ["metric_id", "name"], edges.table(trust=trust_code)
    wide = {move: cases[cases["move"] == move].set_index(key) for move in ("unit", "place", "target")}
    index = cases.drop_duplicates(key).set_index(key).index
    unit, place, target = (wide[move].reindex(index) for move in ("unit", "place", "target"))
    known = unit["value"].fillna(place["value"])
    frame = pd.DataFrame(
        {
            "Metric": index.get_level_values("name"),
            "Value": known.map(as_given).to_numpy(),
            "One unit": _amounts(unit),
            "Places by a unit": unit["places_won"].astype("Int64").to_numpy(),
            "To pass one trust": _amounts(place),
            "Places by that": place["places_won"].astype("Int64").to_numpy(),
            "To the next target": _amounts(target),
            "Places by reaching it": target["places_won"].astype("Int64").to_numpy(),
        }
    ).sort_values("Places by a unit", ascending=False, kind="stable")
    name = cases["trust_name"].iat[0] if len(cases) else trust_code
    caption = (
        f"{name}, {edges.quarter}: league places won by small improvements of one metric, all else as published. To pass one trust: in "
        "the pool of the metric. Target: standard, floor or bracket; – where there is none, it is met, or no better value is possible."
    )
    right = ("Value", "One unit", "To pass one trust", "To the next target")
    return Table("cliffs-of-trust", frame, caption, "Metric", right=right)


def _amounts(rows: pd.DataFrame) -> list[str | None]:
    return [None if pd.isna(row.change) else say(row.change, row.unit) for row in rows.itertuples()]


def not_changed(rows: pd.DataFrame, trust_type: str, quarter: str) -> Table:
    """Scores that no improvement touches, with the reason. ``rows``: of `nofcore.improvement.Standing.left_out`."""
    mine = rows[(rows["trust_type"] == trust_type) | (rows["trust_code"] == "")]
    counts = mine.assign(one=mine["trust_code"] != "").groupby(["name", "reason"])["one"].sum().reset_index()
    frame = pd.DataFrame({"Metric": counts["name"], "Trusts": counts["one"], "Why": counts["reason"]})
    caption = f"Scores that stay as published in every improvement, {plural(trust_type)}, {quarter}."
    return Table("left-out", frame, caption, "Metric")
