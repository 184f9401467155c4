"""Tables of one trust."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from nofcore.learning import Lesson
from nofcore.measures import UNKNOWN, measure, say
from nofcore.metric_standing import quartile
from nofcore.profile import Profile
from nofcore.tables.base import Table, Tables
from nofcore.tables.incentives import CUT_OFFS
from nofcore.wording import as_given, given, plural, points

STEPS = 6
"""Single metrics that could bring the next segment, named at most."""
SCENARIOS = 8
"""Scenarios named at most, those that move the trust furthest."""
RIGHT = ("Value", "Rank in pool", "Quartile")
MODELS = {"lookup": "by bracket", "combined": "from two scores", "published": "score alone", "rank": "by rank"}


def trust_path(profile: Profile) -> Table:
    """Rank, average and segment in every quarter."""
    rows = profile.path
    frame = pd.DataFrame(
        {
            "Quarter": rows["quarter"],
            "Rank": rows["rank"].astype("Int64"),
            "Of": rows["of"].astype("Int64"),
            "95 % range": [span(*ends) for ends in rows[["rank_low", "rank_high"]].itertuples(index=False)],
            "Average": rows["average"],
            "Segment": rows["segment"].astype("Int64"),
            "By average alone": rows["unadjusted"].astype("Int64"),
        }
    )
    caption = (
        f"{profile.name} over the quarters, among {plural(profile.trust_type)}. Range: over the choice of metrics, – where no metric scores are at "
        "hand. By average alone: segment before the override, as published or by the cut-offs, – where neither is known."
    )
    return Table("trust-path", frame, caption, "Quarter", {"Average": 2}, right=("95 % range",))


def span(low: float, high: float) -> str | None:
    """A range of whole places; None where there is none."""
    return None if pd.isna(low) else f"{low:.0f} to {high:.0f}"


def trust_domains(profile: Profile) -> Table:
    """Domain scores beside the medians of type and subtype."""
    rows = profile.domains
    if rows.empty:
        return Table("trust-domains", pd.DataFrame(), "", "Domain")
    columns = {
        "Domain": rows["name"], "Score": rows["score"], "Median of type": rows["median_type"].map(points),
        "Against median of type": rows["verdict_type"], "Rank in type": _of(rows, "type"),
    }  # fmt: skip
    within = f" Type: {plural(profile.trust_type)}"
    if profile.has_subtype:
        columns |= {
            "Median of subtype": rows["median_subtype"].map(points), "Against median of subtype": rows["verdict_subtype"],
            "Rank in subtype": _of(rows, "subtype"),
        }  # fmt: skip
        within += f"; subtype: {given(profile.subtype)}"
    columns |= {"Segment": rows["segment"].astype("Int64"), "Items": rows["items"]}
    caption = (
        f"Domain scores of {profile.name}, {profile.quarter}; {profile.study.rebuilt.scale.ends}. {_segment_said(profile)}{within}. Better or worse only where the score is further from the "
        "median than choosing other metrics would explain (95 %, for all domains together)."
    )
    right = [name for name in columns if name.startswith(("Median", "Rank"))]
    return Table("trust-domains", pd.DataFrame(columns), caption, "Domain", {"Score": 2}, right=tuple(right))


def _segment_said(profile: Profile) -> str:
    """Where the segments of the domains come from, or why there are none."""
    rows = profile.domains
    if rows["published"].any():
        return "Segment: of the domain, as published."
    if rows["segment"].notna().any():
        return "Segment: of the domain, by the rule for segments."
    rules = profile.study.rebuilt.framework.segments
    if rules.domains == "unknown":
        return "Segment: – because it is not known how domain scores are cut, and none is published."
    if rules.rule == "thresholds":
        return "Segment: – because the rules cut no domain scores, and none is published."
    return "Segment: – because the domain scores of all types, which are cut together, are not at hand, and none is published."


def _of(rows: pd.DataFrame, which: str) -> list[str]:
    return [f"{rank:.0f} of {n:.0f}" for rank, n in rows[[f"rank_{which}", f"n_{which}"]].itertuples(index=False)]


def trust_metrics(profile: Profile) -> Tables:
    """Every metric with a score or a value, a table for each domain."""
    groups = profile.metrics.groupby("domain", sort=False)
    names = (
        {}
        if profile.study.rebuilt.framework is None
        else {d.key: d.name for d in profile.study.rebuilt.framework.domain}
    )
    return Tables(tuple(_metric_table(rows, names[key], key, profile) for key, rows in groups))


def _metric_table(rows: pd.DataFrame, domain: str, key: str, profile: Profile) -> Table:
    frame = metric_frame(rows)
    frame.insert(len(frame.columns), "In the average", [_entering(text) for text in rows["enters"]])
    return Table(
        f"trust-metrics-{key}", frame, f"{domain}: metrics of {profile.name}, {profile.quarter}.", "Metric", {"Score": 2},
        right=RIGHT,
    )  # fmt: skip


def metric_frame(rows: pd.DataFrame) -> pd.DataFrame:
    """Metrics as readers see them."""
    return pd.DataFrame(
        {
            "Metric": rows["name"].to_numpy(),
            "Value": [value_of(row) for row in rows.itertuples()],
            "Score": rows["score"].to_numpy(),
            "Rank in pool": [place_of(row) for _, row in rows.iterrows()],
            "Quartile": [_quartile(row) for row in rows.itertuples()],
            "Standard": [_target(row) for row in rows.itertuples()],
            "Better if": rows["better"].map({"low": "lower", "high": "higher"}).to_numpy(),
            "Period": rows["period"].to_numpy(),
        }
    )


def value_of(row) -> str | None:
    """A value with its unit."""
    if pd.isna(row.value):
        return "suppressed" if row.value_id else None
    return _with_unit(row.value, row)


SHORT = {
    "minutes": " min", "points out of 10": " / 10", "points out of 100": " / 100", "infections": " cases", "days": " days",
    "times the threshold": " × threshold", "percentage points": " %",
}  # fmt: skip
"""Units behind a number; none behind that of a metric whose measure the kit does not know."""


def _with_unit(value: float, row) -> str:
    """A number with the unit of the metric: labels of units are wrong in places, so the metric decides."""
    unit = SHORT.get(measure(row.value_id, row.unit).many, "")
    if unit == " %" and row.unit == "percentage points":
        unit = " pp"
    if value == 1 and unit in (" days", " cases"):
        unit = unit.removesuffix("s")
    return f"{as_given(value)}{unit}"


def _target(row) -> str | None:
    if row.model in ("standard", "floor") and pd.isna(row.target):
        return f"{row.model}, number not known"
    if row.model == "published" and row.value_id:
        return "rule not known"
    if pd.isna(row.target):
        return MODELS.get(row.model, f"{row.model}, number not known")
    sign = "at most" if row.better == "low" else "at least"
    return f"{'floor: ' if row.model == 'floor' else ''}{sign} {_with_unit(row.target, row)}"


def place_of(row: pd.Series) -> str | None:
    """The place in the pool, or those shared with equal trusts; among the trusts at hand where that is not all of it."""
    if pd.isna(row["rank"]):
        return None
    places = f"{row['rank']:.0f}" if row["rank"] == row["rank_last"] else span(row["rank"], row["rank_last"])
    return f"{places} of {row['of']:.0f}{'' if row['whole'] else ' at hand'}"


def _quartile(row) -> str | None:
    if pd.isna(row.rank) or not row.whole:
        return None
    ends = [quartile(int(place), int(row.of)) for place in (row.rank, row.rank_last)]
    return f"{ends[0]}" if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _entering(text: str) -> str:
    return {"by itself": "yes", "not": "no"}.get(text, text.replace("as part of", "in"))


def trust_ends(profile: Profile) -> Tables:
    """The best and the worst metrics."""
    both = (("best", profile.best), ("worst", profile.worst))
    return Tables(
        tuple(
            Table(
                f"trust-{name}-metrics", metric_frame(rows), f"The {name} scores of {profile.name}, {name} first.", "Metric", {"Score": 2},
                right=RIGHT,
            )
            for name, rows in both
        )
    )  # fmt: skip


def trust_steps(profile: Profile) -> Table:
    """Single metrics that could bring the next segment, the smallest change first."""
    empty = Table("trust-steps", pd.DataFrame(), "", "Metric")
    if isinstance(profile.ways, str):
        return empty
    rows = profile.ways.ways(profile.code)
    rows = rows[rows["able"]].sort_values(["pool_places", "steps"], kind="stable").iloc[:STEPS]
    if rows.empty:
        return empty
    frame = pd.DataFrame(
        {
            "Metric": rows["name"],
            "Value": rows["value"].map(as_given),
            "Needed": rows["new_value"].map(as_given),
            "Change": [say(row.change, row.unit) for row in rows.itertuples()],
            "Trusts to pass": rows["pool_places"],
            "Average then": rows["average_after"],
            "Rank then": rows["rank_after"],
        }
    )
    caption = (
        f"What one metric alone would have to do to bring {profile.name} segment {rows['goal'].iat[0]}, the fewest trusts to pass first, at "
        f"most {STEPS}. All else as published, its pool scored again, cut-offs {CUT_OFFS[profile.ways.cutoffs]}. Trusts to pass: in the pool."
    )
    return Table("trust-steps", frame, caption, "Metric", {"Average then": 2}, right=("Value", "Needed", "Change"))


def trust_method(profile: Profile) -> Table:
    """The scenarios that move the trust furthest."""
    rows = profile.method[profile.method["gained"] != 0]
    rows = rows.loc[rows["gained"].abs().sort_values(ascending=False, kind="stable").index[:SCENARIOS]]
    rows = rows.sort_values("rank", kind="stable")
    if rows.empty:
        return Table("trust-method", pd.DataFrame(), "", "Other rule")
    frame = pd.DataFrame(
        {
            "Other rule": rows["name"], "Rank": rows["rank"], "Places gained": rows["gained"], "Segment": rows["segment"],
            "The question": rows["question"],
        }
    )  # fmt: skip
    moved = int((profile.method["gained"] != 0).sum())
    which = (
        f"the {len(frame)} that move it furthest"
        if moved > len(frame)
        else f"{len(frame)} that {'moves' if moved == 1 else 'move'} it"
    )
    caption = (
        f"Rank of {profile.name} under other rules, {profile.quarter}: {which}, of {len(profile.method)}; its rank "
        f"by the official rules is {profile.standing['rank']:.0f}."
    )
    return Table("trust-method", frame, caption, "Other rule")


def trust_teachers(lesson: Lesson, number: int) -> Table:
    """Trusts to learn from on one metric, the most alike first."""
    rows = lesson.shown
    if rows.empty:
        return Table(f"trust-learn-{number}", pd.DataFrame(), "", "Trust")
    metric = lesson.metric
    values = [] if metric["value_id"] == "" else [("Value", rows["value"].map(as_given))]
    frame = pd.DataFrame(
        dict(
            [
                ("Trust", rows["trust_name"]), *values, ("Score", rows["score"]), ("Code", rows["trust_code"]),
                ("Place by likeness", [f"{place} of {lesson.comparable}" for place in rows["likeness"]]),
                ("Distance", rows["distance"]), ("Shared items", rows["shared"]), ("Evidence", rows["evidence"]),
            ]
        )
    )  # fmt: skip
    unit = f" Value in {_unit(metric)}." if metric["value_id"] else ""
    caption = (
        f"{metric['name']}: trusts of the same subtype that do well. Place by likeness: 1 = most alike.{unit} Distance: mean difference of scores "
        "on the other items that both have, points."
    )
    return Table(
        f"trust-learn-{number}",
        frame,
        caption,
        "Trust",
        {"Score": 2, "Distance": 2},
        right=("Place by likeness",) if metric["value_id"] == "" else ("Value", "Place by likeness"),
    )


def _unit(metric: pd.Series) -> str:
    many = measure(metric["value_id"], metric["unit"]).many
    if many == "percentage points":
        return many if metric["unit"] == many else "%"
    return "the published unit" if many == UNKNOWN.many else many


def trust_lessons(lessons: Iterable[Lesson]) -> list[Table]:
    """A table for each metric."""
    return [trust_teachers(lesson, number) for number, lesson in enumerate(lessons, start=1)]
