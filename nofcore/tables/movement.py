"""Tables of who moved between two quarters."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nofcore.change_ranges import ChangeRanges
from nofcore.decomposition import Decomposition
from nofcore.metric_changes import COMPARED, MetricChanges
from nofcore.movement import Movement
from nofcore.stability import Persistence, Stability, transitions
from nofcore.tables.base import Table
from nofcore.wording import capital, decimal, plural, shares


def movers_table(movement: Movement, ranges: ChangeRanges | str) -> Table:
    """Every trust of both quarters: rank, segment and average in each, and the changes with their ranges."""
    rows = movement.trusts
    old, new = _short(movement)
    frame = pd.DataFrame(
        {
            "Trust": rows["trust_name"],
            "Code": rows.index,
            f"Rank {old}": rows["rank_before"],
            f"Rank {new}": rows["rank_after"],
            "Places gained": rows["gained"],
            "Segment": [_move(*pair) for pair in rows[["segment_before", "segment_after"]].itertuples(index=False)],
        }
    )
    averages = {
        f"Average {old}": rows["average_before"],
        f"Average {new}": rows["average_after"],
        "Change": rows["average_change"],
    }
    said, right = "", ("Segment",)
    if isinstance(ranges, str):
        frame = frame.assign(**averages)
    else:
        drawn = ranges.table().reindex(rows.index)
        # What can be told stands beside the move: the figures behind it may lie beyond the edge of a narrow screen.
        frame["Average is"] = drawn["verdict"]
        frame = frame.assign(**averages)
        frame["Range of change"] = _range(drawn, "change", 2, drawn["change_unsure"])
        frame["By chance (%)"] = drawn["p_value"] * 100
        frame["On shared metrics"] = drawn["shared_change"]
        right = ("Segment", "Range of change")
        said = (
            " Ranges of 95 % over the choice of metrics, of the change on the metrics of both quarters. Better and worse: told "
            "from noise, that is, no more than 5 % of exchanges of old and new scores give as large a change (By chance), and "
            "the range excludes 0."
        )
    ends = movement.after.scale.ends
    better = f"Average in points, {ends}, so a change below 0 is for the better."
    if movement.rules_changed:
        better = f"Average in points, {ends}, by the rules of each year: its change is not one of performance alone."
    caption = f"{capital(plural(movement.trust_type))}, {_span(movement)}. {better}{said}"
    decimals = {f"Average {old}": 2, f"Average {new}": 2, "Change": 2, "On shared metrics": 2, "By chance (%)": 1}
    return Table("movement", frame, caption, "Trust", decimals, True, right)


def _move(before: float, after: float) -> str:
    return f"{after:.0f}" if before == after else f"{before:.0f} to {after:.0f}"


def _short(movement: Movement) -> tuple[str, str]:
    """What to call the two quarters in a heading: "Q1" and "Q3", with their years where those differ."""
    names = movement.before.quarter, movement.after.quarter
    return names if movement.rules_changed else tuple(name.split()[0] for name in names)


def _span(movement: Movement) -> str:
    return f"{movement.before.quarter} to {movement.after.quarter}"


def _range(rows: pd.DataFrame, name: str, decimals: int, unsure: pd.Series) -> list[str | None]:
    return [
        None if np.isnan(low) else f"{'~' * bool(mark)}{decimal(low, decimals)} to {decimal(high, decimals)}"
        for low, high, mark in zip(rows[f"{name}_low"], rows[f"{name}_high"], unsure, strict=True)
    ]


def rank_change_table(movement: Movement, rank_ranges: pd.DataFrame, ranges: ChangeRanges | str) -> Table:
    """Ranges of the ranks of both quarters and of the places gained; nothing where no quarter could be drawn."""
    rows = movement.trusts.join(rank_ranges)
    frame = pd.DataFrame({"Trust": rows["trust_name"], "Code": rows.index})
    right, said = [], ""
    for quarter, name in zip(_short(movement), ("before", "after"), strict=True):
        frame[f"Rank {quarter}"] = rows[f"rank_{name}"]
        if rows[f"rank_low_{name}"].notna().any():
            frame[f"Range {quarter}"] = _span_of(rows[f"rank_low_{name}"], rows[f"rank_high_{name}"])
            right.append(f"Range {quarter}")
    if not right:
        return Table("rank-changes", pd.DataFrame(), "", "Trust")
    frame["Places gained"] = rows["gained"]
    if isinstance(ranges, ChangeRanges):
        drawn = ranges.table().reindex(rows.index)
        frame["Range of places"] = _range(drawn, "gained", 0, drawn["rank_unsure"])
        frame["Rank"] = drawn["rank_verdict"]
        right.append("Range of places")
        said = (
            " Range of places: on the metrics of both quarters, with the cut-offs and the override of each, so that a "
            "rank can rise by "
            "the override alone. Rank: rose or fell where this range excludes no change and the average is told from noise "
            "the same way; ~ marks a trust for which another seed may decide otherwise."
        )
    caption = (
        f"Ranks of {plural(movement.trust_type)}, {_span(movement)}, with ranges of 95 % over the choice of metrics in "
        "each "
        f"quarter.{said}"
    )
    return Table("rank-changes", frame, caption, "Trust", sortable=True, right=tuple(right))


def _span_of(low: pd.Series, high: pd.Series) -> list[str | None]:
    return [None if np.isnan(one) else f"{one:.0f} to {other:.0f}" for one, other in zip(low, high, strict=True)]


def left_or_joined(movement: Movement) -> Table:
    """Trusts that are not in both tables."""
    rows = movement.others
    frame = pd.DataFrame(
        {
            "Trust": rows["trust_name"],
            "Code": rows.index,
            "What the figures say": [text[:1].upper() + text[1:] for text in rows["what"]],
            "Last or first seen": rows["quarter"],
            "Rank then": rows["rank"],
            "Segment then": rows["segment"],
            "Average then": rows["average"],
        }
    )
    caption = f"{capital(plural(movement.trust_type))} that are not ranked in both quarters, {_span(movement)}."
    return Table("others", frame, caption, "Trust", {"Average then": 2})


PARTS = {
    "own": "Own scores",
    "others": "Other trusts",
    "cut_offs": "Cut-offs",
    "override": "Override",
    "metrics": "Set of metrics",
    "field": "Left or joined",
}


def parts_shown(split: Decomposition) -> dict[str, str]:
    """The parts that the figures can tell apart, with their headings."""
    by_items = bool(split.by_items.any())
    shown = {
        name: label
        for name, label in PARTS.items()
        if (name != "metrics" or by_items) and (name != "field" or (split.numerators["field"] != 0).any())
    }
    if split.rules_changed:
        shown["metrics"] = "Metrics and rules"
    return shown if by_items else shown | {"own": "Own average"}


def rank_split(movement: Movement, split: Decomposition | str) -> Table:
    """The places that every trust gained, by part; nothing where they cannot be split."""
    if isinstance(split, str):
        return Table("decomposition", pd.DataFrame(), "", "Trust")
    shown = parts_shown(split)
    rows = split.table()
    flags = movement.trusts[["flagged_before", "flagged_after"]]
    frame = pd.DataFrame({"Trust": rows["trust_name"], "Code": rows.index, "Places gained": rows["gained"]})
    for name, label in shown.items():
        frame[label] = rows[name].to_numpy()
    frame["Own flag"] = [_flag(old, new) for old, new in flags.itertuples(index=False)]
    decimals, said = dict.fromkeys(shown.values(), 1), ""
    if split.rules_changed:
        frame["Change of average"] = movement.trusts["average_change"].to_numpy()
        parts = split.averages.reindex(rows.index)
        frame["By own scores"], frame["By metrics and rules"] = parts["own"].to_numpy(), parts["metrics"].to_numpy()
        decimals |= {"Change of average": 2, "By own scores": 3, "By metrics and rules": 3}
        said = (
            " Own scores: of metrics that both years score by the same rule. Metrics and rules: metrics that are new, gone "
            "or scored by another rule, where rules and performance cannot be split. Cut-offs: rules alone."
        )
    caption = (
        f"Places gained by {plural(movement.trust_type)}, {_span(movement)}, split into parts that add up exactly; "
        "shown to "
        f"one decimal. Own flag: the trust's override flag in the two quarters.{said}"
    )
    return Table("decomposition", frame, caption, "Trust", decimals, sortable=True)


def _flag(old: float, new: float) -> str:
    names = {1.0: "yes", 0.0: "no"}
    before, after = (names.get(flag, "not known") for flag in (old, new))
    return before if before == after else f"{before}, then {after}"


def transition_matrix(movement: Movement) -> Table:
    """Trusts by segment in the two quarters, with the share of each row."""
    counts = transitions(movement)
    total = counts.sum(axis=1)
    old, new = movement.before.quarter, movement.after.quarter
    frame = pd.DataFrame({"From": [f"Segment {segment}" for segment in counts.index]})
    for segment in counts.columns:
        frame[f"To {segment}"] = [
            f"{count} ({100 * count / of:.0f} %)" if of else "–"
            for count, of in zip(counts[segment], total, strict=True)
        ]
    frame["All"] = total.to_numpy()
    frame["Changed"] = (total - np.diag(counts)).to_numpy()
    caption = (
        f"{capital(plural(movement.trust_type))} from segment in {old} (rows) to segment in {new} (columns), after "
        "the override: "
        "number, and share of the row."
    )
    return Table("transitions", frame, caption, "From", right=tuple(f"To {segment}" for segment in counts.columns))


FIGURES = {
    "spearman": ("Spearman correlation of ranks", 2),
    "mean_change": ("Mean move (places)", 1),
    "median_change": ("Median move (places)", 1),
    "new_segment": ("Trusts in another segment", 0),
    "top_drift": ("First {ends} places: drift back (places)", 1),
    "bottom_drift": ("Last {ends} places: drift back (places)", 1),
}


def stability_table(found: Stability, movement: Movement) -> Table:
    """Agreement of the two tables, beside that of two independent draws."""
    rows = found.table()
    quarters = f"{movement.before.quarter} and {movement.after.quarter}"
    records = []
    for name, (label, decimals) in FIGURES.items():
        row = rows.loc[name]
        record = {"Figure": label.format(ends=found.ends), quarters: f"{row['observed']:.{decimals}f}"}
        if found.noise is not None:
            record["Other metrics"] = f"{row['noise']:.{max(decimals, 1)}f}"
            record["95 % of these"] = f"{row['noise_low']:.{decimals}f} to {row['noise_high']:.{decimals}f}"
        if found.exchanged is not None:
            low, high = (decimal(row[f"exchanged_{end}"], decimals) for end in ("low", "high"))
            record["Chance directions"] = decimal(row["exchanged"], max(decimals, 1))
            record["95 % of those"] = f"{low} to {high}"
        records.append(record)
    frame = pd.DataFrame(records)
    said = (
        f" Other metrics: {found.draws:,} pairs of draws of {found.noise_quarter}." if found.noise is not None else ""
    )
    if found.exchanged is not None:
        said += f" Chance directions: {found.draws:,} exchanges of old and new scores."
    caption = f"How far the tables of {found.trusts} {plural(movement.trust_type)} agree.{said}"
    return Table("stability", frame, caption, "Figure", right=tuple(frame.columns[1:]))


def persistence_table(found: Persistence, trust_type: str) -> Table:
    """Trusts in the worst segment in every quarter, with the share of draws there."""
    rows = found.trusts
    frame = pd.DataFrame({"Trust": rows["trust_name"], "Code": rows.index})
    right, said = [], ""
    if found.drawn:
        known = found.belongs.notna().all(axis=1)
        low, high = found.belongs.min(axis=1), found.belongs.max(axis=1)
        spans = [shares(*ends) if told else None for told, *ends in zip(known, low, high, strict=True)]
        if known.any():
            frame["Belongs there (%)"] = spans
            right.append("Belongs there (%)")
            said = " Belongs there: the probability with luck allowed for, lowest to highest of the quarters drawn."
        said += " Quarters: share of draws in that segment, if other metrics of the same kind had been chosen."
    for quarter in found.drawn:
        frame[f"{quarter} (%)"] = rows[quarter].to_numpy() * 100
    if len(found.drawn) > 1:
        frame["In all of these (%)"] = [shares(*ends) for ends in rows[["all_low", "all_high"]].itertuples(index=False)]
        right.append("In all of these (%)")
        said += " In all of these: other metrics in each quarter, to the same in all."
    if found.drawn:
        frame = frame.iloc[np.argsort(-low.fillna(0).to_numpy(), kind="stable")]
    caption = (
        f"{capital(plural(trust_type))} in segment {found.segment} in every quarter from {found.quarters[0]} to "
        f"{found.quarters[-1]}.{said}"
    )
    return Table("persistence", frame, caption, "Trust", right=tuple(right), sortable=len(frame) > 12)


def metric_summary(found: MetricChanges, movement: Movement) -> Table:
    """For how many trusts each metric got better or worse; a dash where none can be compared."""
    rows = found.by_metric()
    if not rows["compared"].any():
        rows = rows.iloc[:0]
    frame = pd.DataFrame(
        {
            "Metric": rows["metric"],
            "Better": rows["better"].where(rows["compared"] > 0),
            "Worse": rows["worse"].where(rows["compared"] > 0),
            "Same": rows["same"].where(rows["compared"] > 0),
            "New figures": rows["new_figures"],
            "Not compared": rows["not_compared"],
        }
    )
    caption = (
        f"Values of the metrics of {plural(movement.trust_type)}, {_span(movement)}: number of trusts. Not compared: a "
        "value in "
        "one quarter only, or only a score is published."
    )
    return Table("metric-summary", frame, caption, "Metric")


def fell_while_better(found: MetricChanges, movement: Movement) -> Table:
    """Trusts whose rank fell though more than half of their new figures are better."""
    rows = found.by_trust().join(movement.trusts[["trust_name", "gained", "average_change"]], how="inner")
    rows = rows[(rows["gained"] < 0) & rows["most_better"]].sort_values("gained", kind="stable")
    frame = pd.DataFrame(
        {
            "Trust": rows["trust_name"],
            "Code": rows.index,
            "Places lost": -rows["gained"],
            "Change of average": rows["average_change"],
            "Better": rows["better"],
            "Worse": rows["worse"],
            "New figures": rows["new_figures"],
        }
    )
    caption = (
        f"{capital(plural(movement.trust_type))} whose rank fell, {_span(movement)}, though more than half of "
        "their metrics with a "
        "new figure got better."
    )
    return Table("fell-while-better", frame, caption, "Trust", {"Change of average": 2}, sortable=len(rows) > 12)


def metric_change_table(found: MetricChanges, movement: Movement) -> Table:
    """Every metric of every trust that has a value in both quarters."""
    rows = found.rows[found.rows["what"].isin(COMPARED)]
    old, new = _short(movement)
    frame = pd.DataFrame(
        {
            "Trust": rows["trust_name"],
            "Metric": rows["metric"],
            "Good is": rows["better"],
            f"Value {old}": rows["value_before"],
            f"Value {new}": rows["value_after"],
            "Value is": [
                what if new_figure else "no new figure"
                for what, new_figure in rows[["what", "new_figure"]].itertuples(index=False)
            ],
            f"Score {old}": rows["score_before"],
            f"Score {new}": rows["score_after"],
            "Change of score": rows["score_change"],
        }
    )
    caption = (
        f"Metrics of {plural(movement.trust_type)} with a value in both quarters, {_span(movement)}. Values in the "
        "units of the "
        f"metric, as published; scores {movement.after.scale.ends}."
    )
    columns = [name for name in frame if str(name).startswith(("Value Q", "Score Q"))] + ["Change of score"]
    return Table("metric-changes", frame, caption, "Trust", dict.fromkeys(columns, 2), sortable=True)
