"""Sentences on how steady a league table is, who stays in the worst segment, and what the metrics themselves did."""

from __future__ import annotations

import numpy as np

from nofcore.decomposition import kept_by_old_flags, other_segments_by_cut_offs
from nofcore.metric_changes import BETTER, WORSE
from nofcore.movement_study import OWN_AVERAGE, Study
from nofcore.scoring import EXACT
from nofcore.stability import Stability
from nofcore.wording import Text, counted, decimal, shares

SURE = 0.95
"""A trust is said to belong in a segment surely from this probability."""


def about_segments(found: Study) -> Text:
    """How many trusts changed segment, and for how many the override began or ceased to act."""
    moved = found.movement.trusts
    changed = moved[moved["segment_changed"]]
    known = changed["override_began_or_ceased"].dropna()
    said = [f"{len(changed)} of {len(moved)} {found.who} changed segment."]
    if len(known) == len(changed) and len(changed):
        count = int(known.sum())
        said.append(
            f"For {count} of these the financial override began or ceased to act: in one of the two quarters, and not in the "
            f"other, the trust is in a worse segment than its average alone would give.{_by_flag_alone(found, count)}"
            if count
            else "For none of these did the financial override begin or cease to act."
        )
    if found.movement.rules_changed:
        said += _by_rules_alone(found)
    row = found.stability.table().loc["new_segment"]
    if found.stability.noise is not None:
        said.append(
            f"In two tables of {found.stability.noise_quarter}, each with metrics drawn anew, {row['noise']:.0f} of "
            f"{found.stability.size} would differ in segment (95 % of draws {row['noise_low']:.0f} to {row['noise_high']:.0f})."
        )
    if found.stability.exchanged is not None:
        said.append(
            f"If only chance had set which way each metric moved, {row['exchanged']:.0f} would have changed "
            f"(95 % range {row['exchanged_low']:.0f} to {row['exchanged_high']:.0f})."
        )
    return Text((" ".join(said),))


def _by_flag_alone(found: Study, count: int) -> str:
    """How many of the ``count`` trusts that the override holds in one quarter alone changed segment by the flag alone."""
    counts = None if found.movement.rules_changed else kept_by_old_flags(found.movement)
    if counts is None:
        return ""
    least, most = count - counts[1], count - counts[0]
    changed = f"have changed segment{' all the same, by the average or the cut-offs' if most else ''}"
    if count == 1 and least == most:
        return f" With its flag of {found.quarters[0]}, it would {changed if most else 'not have changed segment'}."
    many = (
        "all" if least == count else f"{least} to {most} (not all flags are known)" if least < most else most or "none"
    )
    return f" With the flags of {found.quarters[0]}, {many} of these would {changed}."


def _by_rules_alone(found: Study) -> list[str]:
    counts = other_segments_by_cut_offs(found.movement)
    old, new = found.quarters
    if counts is None:
        return ["How many would have changed by the new cut-offs alone is not known."]
    fewest, most = counts
    many = f"{fewest} to {most} (not all flags are known)" if fewest < most else most or "none"
    return [
        f"With their averages and flags of {old}, {many} would be in another segment by the cut-offs of {new} "
        "alone: that is the rules, not performance."
    ]


def about_stability(found: Study) -> Text:
    """How far two quarters agree, beside noise alone."""
    steady = found.stability
    if np.isnan(steady.observed.spearman[0]):
        return Text(
            (f"With {counted(len(found.movement.trusts), 'trust')} in both tables their ranks have no correlation.",)
        )
    if steady.noise is None:
        return Text((f"How far noise alone would move the ranks is not known: {_no_noise(found)}.",))
    shared = "Real quarters share most of their metrics, so if nothing changed they would agree more than that."
    if found.movement.rules_changed:
        shared = "These two quarters follow different rules, and only part of their metrics are the same."
    said = [
        f"Other metrics: two independent draws of {steady.noise_quarter}, two tables of the same trusts at the same time, "
        f"each as if other metrics of the same kind had been chosen. {shared} It is a yardstick, not a test. "
        f"{_apart(steady)}",
    ]
    if steady.exchanged is not None:
        said.append(
            "Chance directions: the same two quarters, with the old and the new score of each metric of each trust "
            "exchanged at random, those from one survey together. Every metric moves as far as it did, and those without a new figure stay; only which way "
            f"is left to chance. {_directed(steady)}"
        )
    return Text(tuple(said))


def _no_noise(found: Study) -> str:
    if found.own_average:
        return OWN_AVERAGE
    return f"no quarter of the two has metric rows of all {found.who}"


def _directed(steady: Stability) -> str:
    """Whether the tables differ more than exchanges of old and new scores do."""
    row = steady.table().loc["spearman"]
    seen = f"The correlation of {decimal(row['observed'])}"
    span = f"({decimal(row['exchanged_low'])} to {decimal(row['exchanged_high'])})"
    share = float((steady.exchanged.spearman <= row["observed"] + EXACT).mean())
    if row["observed"] < row["exchanged_low"]:
        return (
            f"{seen} is below the 95 % range of these {span}: taken together, the metrics of some trusts moved the same way "
            "more than chance would have it if they were independent of one another, so this change is probably not all chance."
        )
    if row["observed"] > row["exchanged_high"]:
        return f"{seen} is above the 95 % range of these {span}: the order changed less than chance would change it."
    return (
        f"{seen} lies in the 95 % range of these {span}, and {100 * share:.1f} % of them agree as little or less: that chance "
        "alone changed the order cannot be ruled out."
    )


def _apart(steady: Stability) -> str:
    row = steady.table().loc["spearman"]
    seen = f"The correlation of {decimal(row['observed'])}"
    if row["observed"] > row["noise_high"]:
        return f"{seen} is above the 95 % range of these: the order changed less than other metrics would change it."
    if row["observed"] < row["noise_low"]:
        return f"{seen} is below the 95 % range of these: the order changed more than other metrics would change it."
    return f"{seen} lies in the 95 % range of these: the order changed about as much as other metrics may change it."


def about_regression(found: Study) -> Text:
    """How far both ends of the table drifted back."""
    steady, moved = found.stability, found.movement.trusts
    top, bottom = (moved["rank_before"] <= steady.ends).sum(), (moved["rank_before"] > steady.size - steady.ends).sum()
    if steady.trusts < 2:
        return Text(())
    table = steady.table()
    said = []
    for name, which, count in (("top_drift", "first", top), ("bottom_drift", "last", bottom)):
        row = table.loc[name]
        text = f"{counted(count, 'trust')} in the {which} {_places(steady.ends)} of {found.quarters[0]} moved {_back(row['observed'])}"
        if steady.noise is not None:
            span = f"95 % of draws {row['noise_low']:.1f} to {row['noise_high']:.1f}"
            text += f"; other metrics would move them back {row['noise']:.1f} ({span})"
        if steady.exchanged is not None:
            low, middle, high = (decimal(row[f"exchanged{end}"], 1) for end in ("_low", "", "_high"))
            text += f", chance directions {middle} (95 % {low} to {high})"
        said.append(f"{text}.")
    return Text(
        (
            f"{' '.join(said)} Trusts at the ends owe their places partly to luck, so some drift back is no sign of "
            "complacency at the "
            "top or of recovery at the bottom (regression to the mean).",
        )
    )


def _places(number: int) -> str:
    return "place" if number == 1 else f"{number} places"


def _back(drift: float) -> str:
    if abs(drift) < 0.05:
        return "neither back nor out on average"
    return f"{abs(drift):.1f} places {'back towards the middle' if drift > 0 else 'further out'} on average"


def about_persistence(found: Study) -> Text:
    """Who stays in the worst segment, and how surely."""
    lasting = found.persistence
    quarters, staying = len(lasting.quarters), len(lasting.trusts)
    span = f"all {quarters} quarters at hand, {lasting.quarters[0]} to {lasting.quarters[-1]}"
    if quarters == 2:
        span = f"both quarters at hand, {lasting.quarters[0]} and {lasting.quarters[-1]}"
    said = [
        f"Of {counted(lasting.started, 'trust')} in segment {lasting.segment} in {lasting.quarters[0]}, "
        f"{staying or 'none'} {'was' if staying == 1 else 'were'} there in {span}."
    ]
    if len(lasting.not_in_all):
        gone = and_list([f"{name} ({code})" for code, name in lasting.not_in_all.items()])
        said[0] += f" Not ranked in every one of these quarters: {gone}."
    if staying and lasting.drawn:
        said += _how_surely(found)
    if found.movement.rules_changed:
        said[0] += " Not all of these quarters follow the same rules."
    return Text(tuple(said))


def _how_surely(found: Study) -> list[str]:
    """The share of draws of those who stay, and the probability that they truly belong there."""
    lasting = found.persistence
    missing = [quarter for quarter in lasting.quarters if quarter not in lasting.drawn]
    quarters = "every quarter" if not missing else and_list(lasting.drawn)
    sure = int((lasting.trusts[list(lasting.drawn)] >= SURE).all(axis=1).sum())
    said = [
        "The share of draws says how often a trust would be in the segment if other metrics of the same kind had been "
        f"chosen: {sure or 'none'} of these {'is' if sure == 1 else 'are'} there in at least 95 % of the draws of {quarters}."
        + (f" No draws for {and_list(missing)}, as metric rows are not at hand." if missing else "")
        + " But draws scatter about the published average, and whoever is last owes some of that to luck with the metrics, "
        "so the share is too sure."
    ]
    return [*said, _belonging(found, quarters)]


def _belonging(found: Study, quarters: str) -> str:
    belongs = found.persistence.belongs
    if belongs.isna().all(axis=None):
        return (
            "How probably they truly belong there is not available, because the trusts of this type do not differ more "
            "than chance would make them."
        )
    low, high = float(belongs.min(axis=None)), float(belongs.max(axis=None))
    sure = int((belongs >= SURE).all(axis=1).sum())
    return (
        f"Belongs there: the probability with luck allowed for, {shares(low, high)} % in these trusts and quarters; for "
        f"{sure or 'none'} it is 95 % or more in {quarters}. It is the probability that the average over all metrics of "
        "the kind would put the trust there, if scores are independent from metric to metric and trusts of the type differ "
        "as a normal distribution does (empirical Bayes; the method is ours). It is not the probability that care is poor, "
        "and errors of measurement are hardly in it."
    )


def and_list(names) -> str:
    """ "Q1, Q2 and Q3"."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


# --- the metrics themselves -----------------------------------------------------------------------


def about_metrics(found: Study) -> Text:
    """How many trusts fell though most of their metrics improved."""
    trusts = found.metrics.by_trust()
    trusts = trusts[trusts["new_figures"] > 0]
    new = found.quarters[1]
    if trusts.empty:
        return Text((f"The metrics cannot be compared: {_no_metrics(found)}.",))
    rows = trusts.join(found.movement.trusts[["gained"]])
    fell = rows[rows["gained"] < 0]
    rose = rows[rows["gained"] > 0]
    good = int(fell["most_better"].sum())
    bad = int((rose[WORSE] * 2 > rose["new_figures"]).sum())
    return Text(
        (
            f"A score is a place among trusts, so a rank can fall while care gets better. Of {len(fell)} {found.who} "
            "whose rank fell, "
            f"{good or 'none'} did better than before on more than half of the metrics that have a new figure; of "
            f"{len(rose)} that "
            f"rose, {bad or 'none'} did worse on more than half.",
            _same_way(found),
            f"Compared are metrics with a value in both quarters: {int(trusts['compared'].sum()):,} figures, of which "
            f"{int(trusts['new_figures'].sum()):,} are new in {new}; {_not_new(found)} "
            "Better and worse are by the values as published, in the direction that the rules give, however small the "
            "difference.",
        )
    )


def _not_new(found: Study) -> str:
    """Which metrics have the figures of the earlier quarter still."""
    table = found.metrics.by_metric()
    stale = table[table["new_figures"] < table["compared"]]
    if stale.empty:
        return "none is a figure of the earlier quarter again."
    listed = and_list(
        [
            row["metric"] + f" ({row['compared'] - row['new_figures']})" * bool(row["new_figures"])
            for _, row in stale.iterrows()
        ]
    )
    return f"the others are the same figures as in {found.quarters[0]}: {listed}."


def _no_metrics(found: Study) -> str:
    sides = (("value_before", found.quarters[0]), ("value_after", found.quarters[1]))
    missing = [quarter for column, quarter in sides if not found.metrics.rows[column].notna().any()]
    if missing:
        return f"no values that the rules know are at hand for {found.who} in {' and '.join(missing)}"
    return "no metric has a value in both quarters"


def _same_way(found: Study) -> str:
    """The metrics that nearly all trusts moved the same way on: a season, or a trend of all."""
    table = found.metrics.by_metric()
    table = table[table["new_figures"] >= 5]
    said = []
    for what in (BETTER, WORSE):
        near_all = table[table[what] >= 0.9 * table["new_figures"]]
        said += [f"{row['metric']} {what} in {row[what]} of {row['new_figures']}" for _, row in near_all.iterrows()]
    if not said:
        return "No metric moved the same way in nine trusts of ten."
    return f"Nearly all trusts moved the same way on: {'; '.join(said)}. That may be the season or a trend of all."
