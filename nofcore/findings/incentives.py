"""Sentences on what improvements are worth, and on what that invites, made from the numbers."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from nofcore import charts, improvement, incentives, relative, tables
from nofcore.errors import InputError
from nofcore.improvement import Standing
from nofcore.incentives import FLAG_UNKNOWN, HELD, IN_BEST, NONE_CAN, OPEN, CliffEdges, NextSegment
from nofcore.league import LeagueTable
from nofcore.relative import SHARE, SHARES, Alone, Together
from nofcore.release import Release
from nofcore.wording import Text, as_given, counted, plural

FEW = 5
"""The headline speaks of the last step from this number of cases."""


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


def in_short(found: Incentives | Unknown, trust_type: str) -> str:
    """The findings in two sentences for the headline of a page; empty where nothing can be said."""
    if _untold(found, trust_type):
        return ""
    ways = found.next_segment.table(trust_type)
    open_ways = ways[ways["status"] == OPEN]
    none = int((open_ways["answer"] == NONE_CAN).sum())
    said = []
    if len(open_ways):
        said.append(
            f"For {none} of the {len(open_ways)} trusts that a better average would take to a better segment, no single metric that can be followed can."
        )
    enough = [step for step in _steps(found, trust_type) if len(step[1]) >= FEW and _pays_more(*step[1:])]
    if enough:
        what, last, beside = enough[0]
        said.append(
            f"Small improvements pay unevenly, which invites gaming: the last step to {what}, at most one unit, wins {_mean(last)} on "
            f"average{_beside(beside, ', a whole unit that stays short of it')}."
        )
    return " ".join(said)


def _steps(found: Incentives, trust_type: str) -> list[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Kinds of target of which trusts are within one unit: its name, cases of the last step, and cases of one unit that
    stays short of it. Brackets stand apart: where they are no wider than a unit, every trust in one is near the next."""
    last, short = found.edges.just_short(1, trust_type), _short_of(found, trust_type)
    kinds = (("a standard or floor", ("standard", "floor")), ("a better bracket", ("lookup",)))
    parts = [(what, last[last["model"].isin(models)], short[short["model"].isin(models)]) for what, models in kinds]
    return [part for part in parts if len(part[1])]


def _pays_more(last: pd.DataFrame, beside: pd.DataFrame) -> bool:
    """Whether the last step wins more places on average than a whole unit that stays short of the target."""
    return last["places_won"].mean() > (beside["places_won"].mean() if len(beside) else 0)


def _beside(cases: pd.DataFrame, words: str) -> str:
    return f"{words} {_mean(cases, '')}" if len(cases) else ""


def _mean(cases: pd.DataFrame, noun: str = " places") -> str:
    """The mean number of places won."""
    return f"{cases['places_won'].mean():.1f}{noun}"


def _short_of(found: Incentives, trust_type: str) -> pd.DataFrame:
    """Cases of one unit that do not reach the next standard, floor or bracket."""
    unit = found.edges.table("unit", trust_type)
    return unit[~unit["reaches_target"] & unit["target"].notna()]


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
    return f"Improvements are about {len(pairs):,} of {len(pairs) + stay:,} metric scores of {plural(trust_type)}; the others stay as published."


def _row(found: Together, share: float, kind: str, trust_type: str | None, cutoffs: str | None = None) -> pd.Series:
    """One row of the table of everyone's improvement; by default with the cut-offs that NHS England would use."""
    rows = found.table(trust_type)
    cutoffs = cutoffs or ("recomputed" if "recomputed" in set(rows["cutoffs"]) else "published")
    chosen = rows[(rows["share"] == share) & (rows["kind"] == kind) & (rows["cutoffs"] == cutoffs)]
    return chosen.iloc[0]


def facts(found: Incentives | Unknown, trust_type: str) -> dict[str, str]:
    """The figures behind the headline, for the index."""
    if _untold(found, trust_type):
        return {}
    ways = found.next_segment.table(trust_type)
    return {
        "Cases within one unit of a target": str(len(found.edges.just_short(1, trust_type))),
        "Trusts held by the override": str(int((ways["status"] == HELD).sum())),
        "Trusts whose next segment no single metric brings": str(int((ways["answer"] == NONE_CAN).sum())),
    }


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
        f"{plural(trust_type)} would {_by(both['average_change'])} on average, {both['ranks_changed']} of {both['trusts']} "
        f"would change rank and {both['segments_changed']} segment ({both['better_segment']} better, {both['worse_segment']} worse)"
        f"{_taken_anew(found)}."
    )
    whole = (
        f" Of all {everyone['trusts']} trusts, {everyone['worse_segment']} would be placed in a worse segment although every one "
        "of them improved."
        if everyone["worse_segment"]
        else ""
    )
    return Text((said + whole, _what_a_share_is()))


def _by(change: float) -> str:
    """A change of an average in words: "fall (improve) by 0.12 points"."""
    if round(change, 2) == 0:
        return "hardly change"
    return f"{'fall (improve)' if change < 0 else 'rise (worsen)'} by {abs(change):.2f} points"


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
    return f"Those that stay, with the number of trusts: {listed}."


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
            f"paid by others: in the middle case the number that lose a place or more without having done worse is "
            f"{rows['losers'].median():g}, and none loses more than {counted(int(rows['most_lost'].max()), 'place')}. Some others gain: they pass those that lose, or "
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
        f"segment. {_held(held)}{_perhaps(int(counts.get(FLAG_UNKNOWN, 0)))} The way is open to {len(open_ways)}."
    ]
    if len(open_ways):
        able = open_ways[open_ways["answer"] != NONE_CAN]
        said.append(
            f"Their averages would have to fall by {open_ways['fall'].median():.2f} points in the middle "
            f"({open_ways['fall'].min():.2f} to {open_ways['fall'].max():.2f}). One metric alone could bring that to {len(able)} of "
            f"them; for {len(open_ways) - len(able)} no single metric that can be followed can, not even at its best value."
        )
    if len(open_ways) and len(able):
        least = able.loc[able["pool_places"].idxmin()]
        said.append(
            f"The smallest change, in places of a pool, is {least['trust_name']}'s: {least['name']} from {as_given(least['value'])} to "
            f"{as_given(least['new_value'])}, {counted(int(least['pool_places']), 'place')}."
        )
    return Text(
        (
            " ".join(said),
            "All else stays as published, the segment cut-offs among it; other trusts in the pool are scored again too.",
        )
    )


def _held(count: int) -> str:
    if not count:
        return "None is held by the override."
    verb, whom = ("is", "it") if count == 1 else ("are", "them")
    return f"{count} {verb} held by the override: while the override flag stands, no average, however good, brings {whom} a better segment."


def _perhaps(count: int) -> str:
    if not count:
        return ""
    return f" {counted(count, 'trust is', 'trusts are')} perhaps held by it: the override flag is neither published nor can it be deduced."


def about_cliffs(found: Incentives | Unknown, trust_type: str) -> Text:
    """Where small improvements pay, and what that invites."""
    if reason := _untold(found, trust_type):
        return Text((reason,))
    unit = found.edges.table("unit", trust_type)
    border = unit[unit["segment_after"] < unit["segment_before"]]
    nothing = int((unit["places_won"] == 0).sum())
    said = [
        f"One unit of improvement in one metric, all else unchanged, wins nothing in {nothing:,} of {len(unit):,} cases "
        f"({nothing / len(unit) * 100:.0f} %) and up to {counted(int(unit['places_won'].max()), 'place')} in others."
    ]
    if len(border):
        inside = unit.drop(border.index)
        said.append(
            f"Most comes from the border of a segment: in {counted(len(border), 'case')} the unit brings a better segment and "
            f"{_mean(border)} on average, in all others {_mean(inside, '')}. Such a trust also passes those with better averages that "
            "the override holds back."
        )
    return Text((_invitation(found, trust_type), " ".join(said), _where_it_pays(found, trust_type)))


def _where_it_pays(found: Incentives, trust_type: str) -> str:
    """In which metrics one unit pays most, and what a unit is."""
    rows = found.edges.by_metric("unit", trust_type)
    paying = rows[(rows["mean"] > 0) & (rows["trusts"] > 1)].head(3)
    first = ", ".join(f"{name} ({mean:.1f})" for name, mean in paying[["name", "mean"]].itertuples(index=False))
    most = f"By metric, one unit wins most places on average in {first}. " if len(paying) else ""
    return (
        f"{most}But units differ: a percentage point of sickness absence is a great deal, one of A&E waits is little. The first table says "
        "what a unit is, and how many trusts it passes in the pool, which can be compared. Others are taken to stand still."
    )


def _invitation(found: Incentives, trust_type: str) -> str:
    """How many trusts are just short of a target, and what the last step is worth."""
    steps = _steps(found, trust_type)
    if not steps:
        return "No trust of this type is within one unit of a standard, a floor or a better bracket."
    said = []
    for what, last, beside in steps:
        crowd, near = last["name"].value_counts(), last["trust_code"].nunique()
        most = f"most in {crowd.index[0]}: {crowd.iloc[0]}" if len(crowd) > 1 else f"in {crowd.index[0]}"
        said.append(
            f"{counted(near, 'trust')} {'is' if near == 1 else 'are'} within one unit of {what} ({counted(len(last), 'case')}, {most}). The last "
            f"step is worth {-last['score_change'].mean():.2f} points of the metric's score and {_mean(last)} on average"
            f"{_beside(beside, '; a whole unit that stays short,')}."
        )
    past = (
        " Past a standard nothing more is won."
        if (found.edges.just_short(1, trust_type)["model"] == "standard").any()
        else ""
    )
    so = (
        "So effort, or a change in how cases are counted, pays most just short of a target, whether or not patients notice."
        if any(_pays_more(last, beside) for _, last, beside in steps)
        else "Here the last step wins no more places than any other unit does."
    )
    return f"This is where a target invites gaming. {' '.join(said)}{past} {so}"


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
            "values. The override flag is held even where the financial plan itself is changed.",
            off,
            *([] if _untold(found, trust_type) else [f"{_reach(found, trust_type)} {_stays(found, trust_type)}"]),
        )
    )


def cliff_chart(found: Incentives | Unknown, trust_type: str) -> charts.Chart | Text:
    """What the last step to a target is worth; nothing where nothing can be said."""
    return Text(()) if _untold(found, trust_type) else charts.last_steps(found.edges, trust_type)


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
