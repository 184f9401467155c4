"""Sentences on how sure a rank is, made from the numbers."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from nofcore import bootstrap, league, pairs, ranksets, release, tables
from nofcore.bootstrap import RankUncertainty
from nofcore.errors import InputError
from nofcore.league import LeagueTable
from nofcore.wording import Bullets, Text, counted, plural

SURE = 0.95
"""A trust is said to be in a segment for sure from this share of the draws."""
TAIL = 10
"""How many places at either end of a league table the pages speak of, at most half of it."""
ENOUGH = 1_000
"""With fewer draws a page says that its figures are rough."""


def headline(uncertainty: RankUncertainty, trust_type: str) -> str:
    """The findings of a page on rank uncertainty in one paragraph."""
    rows = _drawn(uncertainty, trust_type)
    if len(rows) < 2:
        few = "no metric scores are at hand" if rows.empty else "only one trust has scores that differ"
        return f"No ranges can be drawn for {plural(trust_type)} in {uncertainty.quarter}: {few}."
    width = (rows["rank_high"] - rows["rank_low"]).median()
    draws = uncertainty.counts.draws
    rough = f" {counted(draws, 'draw')} leave these figures rough; take {ENOUGH:,} or more." if draws < ENOUGH else ""
    return (
        f"If other metrics of the same kind had been chosen, half of the {len(rows)} {plural(trust_type)} could have come out "
        f"anywhere within {counted(round(width), 'place')} or more (95 % range of the rank). "
        f"{_apart(uncertainty, rows, trust_type)} {_surely_placed(rows)}{rough}"
    )


def _apart(uncertainty: RankUncertainty, rows: pd.DataFrame, trust_type: str) -> str:
    beside = pairs.neighbours(uncertainty, trust_type)
    others = pairs.not_told_apart(uncertainty).loc[rows.index]
    told = int(beside["told_apart"].sum())
    neighbours = (
        f"{'none' if told == 0 else f'{told:,}'} of the {len(beside)} pairs of neighbours in the table can be told apart, and "
        if len(beside) > 1
        else ""
    )
    return (
        f"By the spread of their scores over metrics, {neighbours}half of the trusts cannot be told apart from {others['not_told_apart'].median():.0f} or "
        f"more of the other {others['others'].iat[0]}."
    )


def _sure(rows: pd.DataFrame) -> tuple[int, int]:
    """How many trusts stay in one segment, and how many of these because the override holds them there."""
    sure = rows[[name for name in rows if name.startswith("p_segment_")]].max(axis=1) >= SURE
    return int(sure.sum()), int((sure & (rows["unadjusted_segment"] < rows["segment"])).sum())


def _surely_placed(rows: pd.DataFrame) -> str:
    sure, capped = _sure(rows)
    verb = "is" if sure == 1 else "are"
    them = "it" if capped == 1 else "them"
    whose = "" if capped == sure else f"{capped} of them "
    why = f", {whose}because the override holds {them} there" if capped else ""
    return f"{counted(sure, 'trust')} of {len(rows)} {verb} in the same segment in at least {SURE * 100:.0f} % of the draws{why}."


def facts(uncertainty: RankUncertainty, trust_type: str) -> dict[str, str]:
    """The figures behind the headline, for the index."""
    rows = _drawn(uncertainty, trust_type)
    if len(rows) < 2:
        return {"Trusts with a range": str(len(rows))}
    beside = pairs.neighbours(uncertainty, trust_type)
    return {
        "Trusts with a range": str(len(rows)),
        "Middle width of a rank range": counted(round((rows["rank_high"] - rows["rank_low"]).median()), "place"),
        "Neighbours told apart": f"{int(beside['told_apart'].sum())} of {len(beside)}",
        "Draws": f"{uncertainty.counts.draws:,}",
        "Seed": str(uncertainty.seed),
    }


def _drawn(uncertainty: RankUncertainty, trust_type: str) -> pd.DataFrame:
    rows = uncertainty.table().join(uncertainty.trusts["unadjusted_segment"])
    return rows[rows["trust_type"] == trust_type].dropna(subset="rank_low")


def about_segments(uncertainty: RankUncertainty, trust_type: str) -> Text:
    """How to read the shares of draws by segment."""
    sure, capped = _sure(_drawn(uncertainty, trust_type))
    override = (
        f" Of the trusts that stay in one segment ({sure}), the financial override holds {capped} there: whatever metrics were "
        "chosen, the rule would hold them. That is no evidence on their performance."
        if capped
        else ""
    )
    return Text(
        (
            "Each column is a trust, in league order. A column of one colour is a trust whose segment does not depend on which "
            f"metrics were chosen; a column of several is one whose segment does.{override}",
        )
    )


def how_not_to_read(uncertainty: RankUncertainty) -> Bullets:
    """What a range does and does not mean."""
    humps = (
        (
            "Ranks jump at the borders of segments.",
            "A draw that moves a trust into another segment moves it past every trust that the override keeps there, so the "
            "likely ranks can form two humps. Read the shares by segment too.",
        ),
    )
    return Bullets(
        (
            (
                "A range over metrics is not a margin of error.",
                "It shows how far a trust's own scores disagree, as if other metrics of the same kind had been picked. It says "
                "nothing of errors in the measurements; those have a section of their own.",
            ),
            (
                "A narrow range is not praise.",
                "It means that a trust's scores are alike, good or bad.",
            ),
            (
                "Overlapping ranges are not a test.",
                "Two trusts may be told apart although their ranges overlap. Use the column of the table that counts them.",
            ),
            *(humps if _any_held(uncertainty) else ()),
        )
    )


def _any_held(uncertainty: RankUncertainty) -> bool:
    """Whether an override acts on any trust; rules may have none."""
    return bool(uncertainty.trusts["flagged"].any())


def about_ranges(uncertainty: RankUncertainty) -> Text:
    """How the ranges are made, and how sure their ends are."""
    override = "the override as published and " if _any_held(uncertainty) else ""
    return Text(
        (
            f"Each of {uncertainty.counts.draws:,} draws picks, for every trust, as many of its own items as it has, with "
            f"replacement, and ranks all trusts anew, with {override}the segment cut-offs "
            f"{'held as published' if uncertainty.cutoffs == 'published' else 'taken anew'}. A range runs from the 2.5th to "
            "the 97.5th percentile. NHS England prints likely ranges without saying how; this is our inference of the "
            "method, checked below.",
            "Two trusts are told apart here where one ranks above the other in at least 97.5 % of the draws.",
        )
    )


def about_rankability(rebuilt: LeagueTable, trust_type: str) -> Text:
    """How much of the spread in averages lies between trusts."""
    try:
        found = pairs.rankability_of(rebuilt, trust_type)
    except InputError as error:
        return Text((f"Rankability is not known: {error}.",))
    return Text(
        (
            f"Rankability is {found.share:.2f} ({found.level * 100:.0f} % interval {found.low:.2f} to {found.high:.2f}): about "
            f"{found.share * 100:.0f} % of the variation in the averages of {found.n} {plural(trust_type)} lies between trusts; the "
            "rest is what choosing other metrics would change (Lingsma et al. 2009). It takes the items of all trusts of the type "
            "to spread alike; variance between trusts by DerSimonian and Laird, its interval by the Q-profile method.",
        )
    )


@dataclass(frozen=True)
class Sets:
    """Confidence sets for ranks on the average, and the trusts left out as they have no items."""

    sets: ranksets.RankSets
    left_out: tuple[str, ...]


def rank_sets(rebuilt: LeagueTable, trust_type: str, draws: int, seed: int) -> Sets | None:
    """Simultaneous 95 % sets of a type from the unrounded averages and the variance of items within trusts.

    Trusts count as independent. None where fewer than two trusts have items, or their variance is not known.
    """
    try:
        known = pairs.item_variances(rebuilt, trust_type)
    except InputError:
        return None
    if len(known) < 2:
        return None
    found = ranksets.rank_sets(
        known["average"], known["variance"], kind="simultaneous", best="low", draws=draws, seed=seed
    )
    return Sets(found, tuple(rebuilt.of(trust_type).index.difference(known.index)))


def about_sets(found: Sets | None, rebuilt: LeagueTable, trust_type: str) -> Text:
    """What the confidence sets say of both ends of the table."""
    if found is None:
        return Text((f"No confidence sets: fewer than two {plural(trust_type)} have scores that differ.",))
    trusts = len(found.sets.trusts)
    n = min(TAIL, trusts // 2)
    best, worst = len(found.sets.tau_best(n)), len(found.sets.tau_worst(n))
    left = (
        f" Left out, as they have no metric scores: {counted(len(found.left_out), 'trust')}." if found.left_out else ""
    )
    return Text(
        (
            f"With 95 % confidence for all {trusts} trusts at once, {best} of them could be among the {n} best on the average, "
            f"and {worst} among the {n} worst. These sets (Mogstad, Romano, Shaikh and Wilhelm 2024) hold their level where "
            "averages lie close together, as ranges of drawn ranks need not. They speak of the average alone, without the "
            "override, and take the items of all trusts of the type to spread alike and trusts to be independent of one "
            f"another.{left}",
        )
    )


@dataclass(frozen=True)
class Check:
    """Drawn ranges beside NHS England's likely ranges of a quarter."""

    quarter: str
    differences: pd.DataFrame


def check_ranges(figures: release.Release, uncertainty: RankUncertainty, own_rules: str | None = None) -> Check:
    """Compare with the likely ranges of the quarter; where none is published, with those that the kit holds.

    The embedded league tables hold one set of likely ranges; it is drawn with the same number and seed,
    and with the kit's own rules. So is it under ``own_rules``: ranges under a user's rules need not agree.
    """
    mine = bootstrap.against_published(uncertainty, figures.league)
    if len(mine) and own_rules is None:
        return Check(figures.quarter, mine)
    held = release.embedded()
    quarter = next(q for q in held.quarters if held.release(q).league["rank_low"].notna().any())
    other = held.release(quarter)
    rebuilt = league.build(other, release.framework_for(quarter))
    drawn = bootstrap.rank_uncertainty(rebuilt, uncertainty.counts.draws, uncertainty.seed)
    return Check(quarter, bootstrap.against_published(drawn, other.league))


def about_check(check: Check) -> Text:
    """How near the drawn ranges come to the published ones."""
    size = check.differences["difference"].abs()
    rank = check.differences["limit"].str.startswith("rank")
    return Text(
        (
            f"NHS England published likely ranges for {check.differences['trust_code'].nunique()} trusts in {check.quarter} that "
            f"the kit holds. The limits drawn here differ from them by {size[~rank].mean():.4f} points and "
            f"{size[rank].mean():.2f} places on average, and by at most {size[~rank].max():.2f} points and "
            f"{counted(int(size[rank].max()), 'place')}. That the published ranges are made this way is our inference.",
        )
    )


def limitations(uncertainty: RankUncertainty) -> Text:
    """What the page cannot say."""
    held, same = uncertainty.held, uncertainty.unvarying
    said = [
        "A trust's items stand for other metrics only as far as they are a fair sample of them, and items of one domain tend to "
        "go together. Trusts with few items have lumpy ranges.",
        f"Another run of {uncertainty.counts.draws:,} draws with another seed could print another figure where an end is marked ~.",
    ]
    if held:
        said.append(
            f"No range is given for {counted(len(held), 'trust')} without metric rows, which stand at their published averages "
            "while others move. They count as told apart from nobody."
        )
    if same:
        said.append(
            f"No range is given for {', '.join(same)}: one item, or items that are all equal, show no spread. That is no "
            "certainty; they count as told apart from nobody."
        )
    return Text(tuple(said))


def shown_trust(uncertainty: RankUncertainty, trust_type: str, code: str | None) -> str:
    """The trust that a page shows in particular: the one asked for if it is of the type, else the middle one."""
    codes = list(_drawn(uncertainty, trust_type).index) or list(
        uncertainty.trusts.index[uncertainty.trusts["trust_type"] == trust_type]
    )
    return code if code in codes else codes[len(codes) // 2]


def sets_table(found: Sets | None, rebuilt: LeagueTable, trust_type: str) -> tables.Table | Text:
    """The confidence sets as a table; nothing where there are none."""
    if found is None:
        return Text(())
    return tables.rank_sets(found.sets, rebuilt.trusts["trust_name"], trust_type, rebuilt.quarter)
