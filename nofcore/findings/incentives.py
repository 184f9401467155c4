"""Sentences on what improvements are worth, and on what that invites, made from the numbers."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from nofcore import improvement, incentives, relative, tables
from nofcore.errors import InputError
from nofcore.improvement import Standing
from nofcore.incentives import HELD, IN_BEST, NONE_CAN, OPEN, CliffEdges, NextSegment
from nofcore.league import LeagueTable
from nofcore.relative import SHARE, SHARES, Alone, Together
from nofcore.release import Release
from nofcore.wording import Bullets, Text, counted, plural


@dataclass(frozen=True, eq=False)
class Incentives:
    """What improvements are worth in a quarter, worked out once for a page."""

    standing: Standing
    edges: CliffEdges
    next_segment: NextSegment
    together: Together
    alone: Alone


@dataclass(frozen=True)
class Unknown:
    """Why improvements cannot be followed."""

    reason: str


def study(rebuilt: LeagueTable, figures: Release, share: float = SHARE) -> Incentives | Unknown:
    """Work out what improvements are worth. ``share``: of the distance to the best, in %, that trusts close.

    Where the figures do not allow it (no metric rows, rules of an unknown year) the reason is given
    instead. Raises InputError for a share that makes no sense.
    """
    shares = sorted({*SHARES, share})
    relative.checked(share)
    if rebuilt.framework is None:
        return Unknown(f"{rebuilt.quarter}: the kit has no rules for this year")
    try:
        standing = improvement.prepare(rebuilt, figures, rebuilt.framework)
    except InputError as error:
        return Unknown(str(error))
    return Incentives(
        standing, incentives.cliff_edges(standing), incentives.next_segment(standing),
        relative.together(standing, shares), relative.alone(standing, share),
    )  # fmt: skip


def _untold(found: Incentives | Unknown, trust_type: str) -> str | None:
    """Why nothing can be said of a type, or None where something can."""
    if isinstance(found, Unknown):
        return f"Not available, because no change of a value can be followed: {found.reason}"
    if found.edges.table("unit", trust_type).empty:
        return (
            f"Not available for {plural(trust_type)}, because none of their metrics has values that can be changed and scored "
            "again in a whole pool."
        )
    return None


def headline(found: Incentives | Unknown, trust_type: str) -> str:
    """The findings in one paragraph."""
    if reason := _untold(found, trust_type):
        return reason
    steps, ways = found.edges.best_by_trust("unit", trust_type), found.next_segment.table(trust_type)
    most, open_ways = steps.loc[steps["places_won"].idxmax()], ways[ways["status"] == OPEN]
    none = int((open_ways["answer"] == NONE_CAN).sum())
    largest = (
        f"at most {counted(int(most['places_won']), 'place')} ({most['trust_name']}, {most['name']})"
        if most["places_won"] > 0
        else "no place for any"
    )
    return (
        f"One unit of improvement in the metric where it pays most wins a trust {_places(steps['places_won'].median())} in the "
        f"middle, and {largest}. {_near(found, trust_type)} For {none} of the {len(open_ways)} {plural(trust_type)} that could enter a "
        f"better segment by their average, no single metric can bring it. {_relative_line(found, trust_type)} "
        f"{_reach(found, trust_type)}"
    )


def _near(found: Incentives, trust_type: str) -> str:
    """How many trusts are just short of a target, standards apart from brackets."""
    rows = found.edges.just_short(1, trust_type)
    kinds = {"standard": "a standard", "floor": "a floor", "lookup": "a better bracket"}
    groups = ((what, rows[rows["model"] == model]) for model, what in kinds.items())
    parts = [
        f"of {what}, {counted(mine['trust_code'].nunique(), 'trust')} ({counted(len(mine), 'case')})"
        for what, mine in groups
        if len(mine)
    ]
    if not parts:
        return "No trust is within one unit of a standard, a floor or a better bracket."
    return f"Within one unit {'; '.join(parts)}."


def _places(number: float) -> str:
    return f"{number:g} place{'' if number == 1 else 's'}"


def _reach(found: Incentives, trust_type: str) -> str:
    """How many scores can be changed at all."""
    cases, left = found.edges.cases, found.standing.left_out
    cases = cases[cases["trust_type"] == trust_type].drop_duplicates(["trust_code", "metric_id"])
    kept = found.edges.left_out
    stay = int(((left["trust_type"] == trust_type) & (left["trust_code"] != "")).sum())
    held = kept[(kept["trust_type"] == trust_type) & (kept["move"] != "")].drop_duplicates(["trust_code", "metric_id"])
    pairs = pd.concat([cases, held])[["trust_code", "metric_id"]].drop_duplicates()
    return (
        f"All this is about {len(pairs):,} of their {len(pairs) + stay:,} metric scores; the others stay as published."
    )


def _relative_line(found: Incentives, trust_type: str) -> str:
    share = found.alone.share
    all_improve, alone = _row(found.together, share, "all", trust_type), found.alone.table(trust_type)
    return (
        f"A trust that alone closes {share:g} % of its distance to the best wins {_places(alone['places_won'].median())} in the "
        f"middle; if all do, {counted(int(all_improve['ranks_changed']), 'rank')} of {all_improve['trusts']} change, by "
        f"{all_improve['mean_places']:.1f} places on average."
    )


def _row(found: Together, share: float, kind: str, trust_type: str | None, cutoffs: str | None = None) -> pd.Series:
    """One row of the table of everyone's improvement; by default with the cut-offs that NHS England would use."""
    rows = found.table(trust_type)
    cutoffs = cutoffs or ("recomputed" if "recomputed" in set(rows["cutoffs"]) else "published")
    chosen = rows[(rows["share"] == share) & (rows["kind"] == kind) & (rows["cutoffs"] == cutoffs)]
    return chosen.iloc[0]


def facts(found: Incentives | Unknown, trust_type: str) -> dict[str, str]:
    """The figures behind the headline, for the index."""
    if _untold(found, trust_type):
        return {"Trusts and metrics with values": "0"}
    cases, ways = found.edges.table("unit", trust_type), found.next_segment.table(trust_type)
    return {
        "Trusts and metrics with a better value": f"{len(cases):,}",
        "Cases within one unit of a target": str(len(found.edges.just_short(1, trust_type))),
        "Held by the override": str(int((ways["status"] == HELD).sum())),
        "No single metric can": str(int((ways["answer"] == NONE_CAN).sum())),
    }


def how_not_to_read(found: Incentives | Unknown) -> Bullets:
    """What the figures do not mean."""
    return Bullets(
        (
            (
                "Nothing here says that a trust games its figures.",
                "The page shows where the rules reward a small change out of proportion to what it means for patients. That is "
                "where a target invites gaming, and where those who set and read targets should look.",
            ),
            (
                "Places won are not care improved.",
                "One more percentage point means as many patients just short of a standard as far from it. Only the reward differs.",
            ),
            (
                "Others are taken to stand still.",
                "Each case changes one value of one trust in one quarter. Next quarter everyone's values will differ.",
            ),
            (
                "Units differ between metrics.",
                "A percentage point of sickness absence is a great deal, one of A&E waits is little. The table says what one unit is; "
                "places in the pool can be compared between metrics, units cannot.",
            ),
        )
    )


def about_together(found: Incentives | Unknown, trust_type: str) -> Text:
    """What happens when everyone improves."""
    if reason := _untold(found, trust_type):
        return Text((reason,))
    share, mine = found.alone.share, found.together
    both, ranked = _row(mine, share, "all", trust_type), _row(mine, share, "by rank", trust_type)
    everyone = _row(mine, share, "all", None)
    by_rank, absolute = len(mine.metrics["by rank"]), len(mine.metrics["absolute"])
    if ranked["averages_changed"] == 0:
        nothing = (
            f"On the {counted(by_rank, 'metric')} scored by rank alone, the same improvement by everyone changes no score, no "
            "segment and no rank: there a trust gains only what another loses."
        )
    else:
        nothing = f"On the {counted(by_rank, 'metric')} scored by rank alone, {counted(int(ranked['averages_changed']), 'average')} change."
    moves = (
        f" What moves comes from the {counted(absolute, 'metric')} with a standard, a floor or brackets, which do not move along."
        if absolute
        else ""
    )
    said = (
        f"{nothing}{moves} If every trust closed {share:g} % of its distance to the best on all metrics with values, averages of "
        f"{plural(trust_type)} would change by {both['average_change']:+.2f} on average, {both['ranks_changed']} of {both['trusts']} "
        f"would change rank and {both['segments_changed']} segment ({both['better_segment']} better, {both['worse_segment']} worse)"
        f"{_taken_anew(found)}."
    )
    whole = (
        f" Of all {everyone['trusts']} trusts, {everyone['worse_segment']} would be placed in a worse segment although every one "
        "of them improved."
        if everyone["worse_segment"]
        else ""
    )
    return Text((said + whole, _what_a_share_is(), _stays(found, trust_type)))


def _taken_anew(found: Incentives) -> str:
    relative_cuts = found.standing.framework.segments.rule == "percentiles"
    return ", with the cut-offs taken anew as the rules say" if relative_cuts else ""


def _what_a_share_is() -> str:
    return (
        "Closing a share of the distance means: of the way to 100 % where high is good, to 0 where low is good (percentages, counts, "
        "rates, minutes, days), to 10 for scores out of 10; values without an end, such as a surplus or a change on a plan, go towards "
        "the best value in their pool. This rule is our choice. It keeps everyone's order, asks most of those furthest behind, never "
        "takes a count to zero, and leaves a trust that holds the best value where it is."
    )


def _stays(found: Incentives, trust_type: str) -> str:
    """Which scores no improvement touches."""
    rows = found.standing.left_out
    counts = rows[rows["trust_type"] == trust_type].groupby("name", sort=False).size()
    if counts.empty:
        return "Every score of theirs is made from a value that can be changed."
    listed = ", ".join(f"{name} ({number})" for name, number in counts.items())
    return f"Scores that stay as published in all of this, with the number of {plural(trust_type)}: {listed}."


def about_alone(found: Incentives | Unknown, trust_type: str) -> Text:
    """What one trust gains alone, and who pays."""
    if reason := _untold(found, trust_type):
        return Text((reason,))
    rows, share = found.alone.table(trust_type), found.alone.share
    most, better = rows.loc[rows["places_won"].idxmax()], int((rows["segment_after"] < rows["segment_before"]).sum())
    gain = rows["places_won"]
    return Text(
        (
            f"If one trust alone closes {share:g} % of its distance on all its metrics with values, it wins {_places(gain.median())} "
            f"in the middle of {len(rows)} {plural(trust_type)} (from {gain.min()} to {gain.max()}), and {better} enter a better "
            f"segment. {most['trust_name']} would win most, from rank {most['rank_before']} to {most['rank_after']}. Its gain is "
            f"paid by others: {rows['losers'].median():g} trusts in the middle lose a place or more without having done worse, "
            f"none more than {counted(int(rows['most_lost'].max()), 'place')}. Some others gain: they pass those that lose, or "
            "their pool is spread anew because one trust more meets a standard.",
        )
    )


def about_next_segment(found: Incentives | Unknown, trust_type: str) -> Text:
    """How far trusts are from the next better segment."""
    if reason := _untold(found, trust_type):
        return Text((reason,))
    rows = found.next_segment.table(trust_type)
    counts, open_ways = rows["status"].value_counts(), rows[rows["status"] == OPEN]
    held = int(counts.get(HELD, 0))
    said = [
        f"Of {len(rows)} {plural(trust_type)}, {counts.get(IN_BEST, 0)} {'is' if counts.get(IN_BEST, 0) == 1 else 'are'} in the best "
        f"segment. {_held(held)} The way is open to {len(open_ways)}."
    ]
    if len(open_ways):
        able = open_ways[open_ways["answer"] != NONE_CAN]
        said.append(
            f"Their averages would have to fall by {open_ways['fall'].median():.2f} points in the middle "
            f"({open_ways['fall'].min():.2f} to {open_ways['fall'].max():.2f}). One metric alone could bring that to {len(able)} of "
            f"them; for {len(open_ways) - len(able)} no single metric can, not even at its best score."
        )
    if len(open_ways) and len(able):
        least = able.loc[able["pool_places"].idxmin()]
        said.append(
            f"The smallest change belongs to {least['trust_name']}: {least['name']} from {least['value']:g} to "
            f"{least['new_value']:g}, {counted(int(least['pool_places']), 'place')} in its pool."
        )
    return Text(
        (
            " ".join(said),
            "All else stays as published, the segment cut-offs among it; other trusts in the pool are scored again too. The search "
            "goes through every value at which anything can change, so it is exact to the last digit published.",
        )
    )


def _held(count: int) -> str:
    if not count:
        return "None is held by the override."
    verb, whom = ("is", "it") if count == 1 else ("are", "them")
    return f"{count} {verb} held by the override: while the deficit flag stands, no average, however good, brings {whom} a better segment."


def about_cliffs(found: Incentives | Unknown, trust_type: str) -> Text:
    """Where small improvements pay, and what that invites."""
    if reason := _untold(found, trust_type):
        return Text((reason,))
    edges = found.edges
    unit = edges.table("unit", trust_type)
    across, short_of = unit[unit["reaches_target"]], unit[~unit["reaches_target"] & unit["target"].notna()]
    border = unit[unit["segment_after"] < unit["segment_before"]]
    nothing = int((unit["places_won"] == 0).sum())
    said = [
        f"One unit of improvement in one metric wins nothing in {nothing:,} of {len(unit):,} cases ({nothing / len(unit):.0%}), and "
        f"up to {counted(int(unit['places_won'].max()), 'place')} in others."
    ]
    if len(across) and len(short_of):
        said.append(
            f"A unit that reaches a standard, floor or better bracket wins {across['places_won'].mean():.1f} places on average "
            f"({len(across)} cases); one that stays short of it {short_of['places_won'].mean():.1f} ({len(short_of)} cases)."
        )
    if len(border):
        inside = unit.drop(border.index)["places_won"].mean()
        said.append(
            f"The largest gains come from the border of a segment: {counted(len(border), 'case')} of a unit that brings a better one "
            f"win {border['places_won'].mean():.1f} places on average, all others {inside:.1f}. Such a trust passes those with "
            "better averages that the override holds back."
        )
    return Text((" ".join(said), _invitation(found, trust_type)))


def _invitation(found: Incentives, trust_type: str) -> str:
    last = found.edges.just_short(1, trust_type)
    if last.empty:
        return "No trust of this type is within one unit of a standard, a floor or a better bracket."
    crowd = last["name"].value_counts()
    crowded = f" The most crowded is {crowd.index[0]} ({crowd.iloc[0]} trusts)." if crowd.iloc[0] > 1 else ""
    return (
        f"This is where a target invites gaming. {_near(found, trust_type)}{crowded} The last step is worth "
        f"{-last['score_change'].mean():.2f} points of the metric's score and {last['places_won'].mean():.1f} places on average, and past a standard nothing more is won. Effort, or a change "
        "in how cases are counted, pays most there, whether or not patients notice. Whether a trust has done so cannot be seen from "
        "these figures."
    )


def limitations(found: Incentives | Unknown, trust_type: str) -> Text:
    """What the figures rest on."""
    if isinstance(found, Unknown):
        return Text(())
    differ = found.standing.differences
    off = (
        "All scores that can be recomputed come out as published before anything is changed."
        if differ.empty
        else (
            f"{counted(len(differ), 'score')} do not come out as published before anything is changed "
            f"({', '.join(f'{name}: {number}' for name, number in differ['metric_id'].value_counts().sort_index().items())}); "
            "effects are differences from the recomputed ones, added to those published."
        )
    )
    return Text(
        (
            "Values are taken as published, to the last digit shown; those behind them are not known. A changed value that equals "
            "another trust's shares the better place, our convention; trusts that are not changed keep the published order of equal "
            "values. The deficit flag is held even where the financial plan itself is changed.",
            off,
            _stays(found, trust_type),
        )
    )


def shown_table(found: Incentives | Unknown, name: str, trust_type: str) -> tables.Table | Text:
    """One of the tables of a trust type by the name of its function; nothing where nothing can be said."""
    if _untold(found, trust_type):
        return Text(())
    whose = {
        "all_improve": (tables.all_improve, found.together),
        "one_improves": (tables.one_improves, found.alone),
        "next_segment": (tables.next_segment, found.next_segment),
        "cliff_metrics": (tables.cliff_metrics, found.edges),
        "best_steps": (tables.best_steps, found.edges),
        "just_short": (tables.just_short, found.edges),
    }
    make, of = whose[name]
    return make(of, trust_type)


def trust_table(found: Incentives | Unknown, name: str, trust_code: str) -> tables.Table | Text:
    """A table of one trust: "cliffs_of" or "ways"; a sentence where it has none."""
    trust_type = "" if isinstance(found, Unknown) else found.standing.trusts["trust_type"].get(trust_code, "")
    if reason := _untold(found, trust_type):
        return Text((reason,))
    if name == "cliffs_of":
        return tables.cliffs_of(found.edges, trust_code)
    rows = found.next_segment.table()
    mine = rows[rows["trust_code"] == trust_code].iloc[0]
    if mine["status"] != OPEN:
        return Text((f"{mine['trust_name']} is {mine['status']}, so no single metric is looked at.",))
    return tables.ways_up(found.next_segment, trust_code)
