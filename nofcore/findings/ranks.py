"""Sentences on how sure a rank is, made from the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nofcore import activity as counts_behind
from nofcore import bootstrap, charts, funnel, league, noise, pairs, ranksets, release, tables
from nofcore.bootstrap import RankUncertainty
from nofcore.errors import InputError
from nofcore.league import LeagueTable
from nofcore.wording import Bullets, Text, counted, plural

SURE = 0.95
"""A trust is said to be in a segment for sure from this share of the draws."""
TAIL = 10
"""How many places at either end of a league table the pages speak of."""


def headline(uncertainty: RankUncertainty, trust_type: str) -> str:
    """The findings of a page on rank uncertainty in one paragraph."""
    rows = _drawn(uncertainty, trust_type)
    if rows.empty:
        return (
            f"No ranges can be drawn for {plural(trust_type)} in {uncertainty.quarter}: no metric scores are at hand."
        )
    width = rows["rank_high"] - rows["rank_low"]
    beside = pairs.neighbours(uncertainty, trust_type)
    others = pairs.not_told_apart(uncertainty).loc[rows.index, "not_told_apart"]
    told = int(beside["told_apart"].sum())
    return (
        f"If other metrics of the same kind had been chosen, half of the {len(rows)} {plural(trust_type)} could have come out "
        f"anywhere within {width.median():.0f} places or more (95 % range of the rank). "
        f"{_none_or(told)} of the {len(beside)} pairs of neighbours in the table can be told apart, and half of the trusts "
        f"cannot be told apart from {others.median():.0f} or more of the other {len(rows) - 1}. {_surely_placed(rows)}"
    )


def _none_or(count: int) -> str:
    return "None" if count == 0 else f"{count:,}"


def _surely_placed(rows: pd.DataFrame) -> str:
    shares = rows[[name for name in rows if name.startswith("p_segment_")]]
    sure = int((shares.max(axis=1) >= SURE).sum())
    verb = "is" if sure == 1 else "are"
    return f"{counted(sure, 'trust')} of {len(rows)} {verb} in the same segment in at least {SURE:.0%} of the draws."


def facts(uncertainty: RankUncertainty, trust_type: str) -> dict[str, str]:
    """The figures behind the headline, for the index."""
    rows = _drawn(uncertainty, trust_type)
    if rows.empty:
        return {"Trusts with a range": "0"}
    beside = pairs.neighbours(uncertainty, trust_type)
    return {
        "Trusts with a range": str(len(rows)),
        "Middle width of a rank range": f"{(rows['rank_high'] - rows['rank_low']).median():.0f} places",
        "Neighbours told apart": f"{int(beside['told_apart'].sum())} of {len(beside)}",
        "Draws": f"{uncertainty.counts.draws:,}",
        "Seed": str(uncertainty.seed),
    }


def _drawn(uncertainty: RankUncertainty, trust_type: str) -> pd.DataFrame:
    rows = uncertainty.table()
    return rows[rows["trust_type"] == trust_type].dropna(subset="rank_low")


def how_not_to_read(uncertainty: RankUncertainty) -> Bullets:
    """What a range does and does not mean."""
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
            (
                "Ranks jump at the borders of segments.",
                "A draw that moves a trust into another segment moves it past every trust held there, so the likely ranks can "
                "form two humps. Read the shares by segment too.",
            ),
        )
    )


def about_ranges(uncertainty: RankUncertainty) -> Text:
    """How the ranges are made, and how sure their ends are."""
    return Text(
        (
            f"Each of {uncertainty.counts.draws:,} draws picks, for every trust, as many of its own items as it has, with "
            "replacement, and ranks all trusts anew, with the override as published and the segment cut-offs "
            f"{'held as published' if uncertainty.cutoffs == 'published' else 'taken anew'}. A range runs from the 2.5th to "
            "the 97.5th percentile. NHS England prints likely ranges without saying how; this is our inference of the "
            "method, checked below.",
        )
    )


def about_rankability(rebuilt: LeagueTable, trust_type: str) -> Text:
    """How much of the spread in averages lies between trusts."""
    try:
        share, count = pairs.rankability_of(rebuilt, trust_type)
    except InputError as error:
        return Text((str(error),))
    return Text(
        (
            f"Rankability is {share:.2f}: by the spread of each trust's own items, about {share:.0%} of the variation in the "
            f"averages of {count} {plural(trust_type)} lies between trusts; the rest is what choosing other metrics would "
            "change (Lingsma et al. 2009; between-trust variance by DerSimonian and Laird).",
        )
    )


@dataclass(frozen=True)
class Sets:
    """Confidence sets for ranks on the average, and the trusts left out for want of a spread of items."""

    sets: ranksets.RankSets
    left_out: tuple[str, ...]


def rank_sets(rebuilt: LeagueTable, trust_type: str, draws: int, seed: int) -> Sets | None:
    """Simultaneous 95 % sets of a type from the unrounded averages and the variances that their items give.

    Trusts count as independent. None where fewer than two trusts have such a variance.
    """
    known = pairs.item_variances(rebuilt, trust_type) if rebuilt.items else pd.DataFrame({"variance": []})
    usable = known.dropna()
    if len(usable) < 2:
        return None
    found = ranksets.rank_sets(
        usable["average"], usable["variance"], kind="simultaneous", best="low", draws=draws, seed=seed
    )
    return Sets(found, tuple(known.index.difference(usable.index)))


def about_sets(found: Sets | None, rebuilt: LeagueTable, trust_type: str) -> Text:
    """What the confidence sets say of both ends of the table."""
    if found is None:
        return Text((f"No confidence sets: fewer than two {plural(trust_type)} have two or more different items.",))
    trusts, n = len(found.sets.trusts), min(TAIL, len(found.sets.trusts))
    best, worst = len(found.sets.tau_best(n)), len(found.sets.tau_worst(n))
    left = f" Left out, as their items do not differ: {', '.join(found.left_out)}." if found.left_out else ""
    return Text(
        (
            f"With 95 % confidence for all {trusts} trusts at once, {best} of them could be among the {n} best on the average, "
            f"and {worst} among the {n} worst. These sets (Mogstad, Romano, Shaikh and Wilhelm 2024) keep their promise where "
            "averages lie close together; ranges of drawn ranks do not. They speak of the average alone, without the override, "
            f"and rest on the spread of each trust's items, taken as independent between trusts.{left}",
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
    held = (
        f"No range is given for {counted(len(uncertainty.held), 'trust')} without metric rows; they are held at their "
        "published averages while others move.",
    )
    return Text(
        (
            "A trust's items stand for other metrics only as far as they are a fair sample of them, and items of one domain "
            "tend to go together. Trusts with few items have lumpy ranges.",
            f"{uncertainty.counts.draws:,} draws leave the ends marked ~ unsure by a last digit or more.",
            *(held if uncertainty.held else ()),
        )
    )


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


@dataclass(frozen=True)
class Measurement:
    """Ranges under each kind of uncertainty, and the counts behind the measured ones.

    ``phi``: variance of the drawn values as a multiple of the binomial one; ``funnels``: by metric_id;
    ``too_few``: metrics with counts of one trust alone, which have no funnel.
    """

    counts: pd.DataFrame
    side_by_side: pd.DataFrame
    phi: float
    funnels: Mapping[str, funnel.Funnel]
    too_few: tuple[str, ...]


def measurement(
    rebuilt: LeagueTable, figures: release.Release, trust_type: str, draws: int, seed: int, activity: str | None = None,
    phi: float = 1,
) -> Measurement | Text:  # fmt: skip
    """Draw values from their counts and rank anew; the reason why not, where they cannot be drawn for the type.

    ``activity``: a user's file of counts, in which every problem is an error; None for the embedded counts.
    ``phi``: see `nofcore.noise.measurement_noise`.
    """
    try:
        counts = counts_behind.read(figures, rebuilt.framework, activity)
    except InputError as error:
        if activity is not None:
            raise
        return _not_known(trust_type, figures.quarter, str(error))
    if not counts["trust_code"].map(figures.trusts["trust_type"]).eq(trust_type).any():
        return _not_known(trust_type, figures.quarter, "the counts at hand are of other types of trust")
    try:
        side_by_side = noise.compare(rebuilt, figures, rebuilt.framework, draws, seed, phi, counts)
    except InputError as error:
        return _not_known(trust_type, figures.quarter, str(error))
    size = counts["metric_id"].map(counts["metric_id"].value_counts())
    found = funnel.funnels(figures, rebuilt.framework, counts[size > 1])
    return Measurement(counts, side_by_side, phi, found, tuple(counts.loc[size == 1, "metric_id"]))


def _not_known(trust_type: str, quarter: str, reason: str) -> Text:
    return Text(
        (
            f"Not known for {plural(trust_type)} in {quarter}, as the numbers of patients behind the values are missing or "
            f"cannot be used: {reason}. A table of numerators and denominators can be given with --activity.",
        )
    )


def about_measurement(found: Measurement | Text, trust_type: str) -> Text:
    """How wide ranges are under errors of measurement, beside the choice of metrics."""
    if isinstance(found, Text):
        return found
    rows = found.side_by_side[found.side_by_side["trust_type"] == trust_type].dropna(subset="noise_rank_width")
    metrics = found.counts["metric_id"].nunique()
    noise_width, items_width = rows["noise_rank_width"].median(), rows["items_rank_width"].median()
    spread = "binomial" if found.phi == 1 else f"{found.phi:g} times the binomial variance"
    said = (
        f"For {counted(metrics, 'metric')} the numbers of patients are known. Values are drawn anew from those numbers "
        f"({spread}), scored in their whole pools, and all trusts ranked again; other metrics stay as published. Half of the "
        f"{len(rows)} {plural(trust_type)} then have a rank range of {noise_width:.0f} places or more, where the choice of "
        f"metrics gives {items_width:.0f} and both together {rows['both_rank_width'].median():.0f}."
    )
    if noise_width * 2 < items_width:
        said += " Chance in the counted metrics matters far less than which metrics are counted."
    return Text((f"{said} Errors of the other metrics, surveys among them, are not in this.",))


def measurement_chart(found: Measurement | Text, trust_type: str) -> charts.Chart | Text:
    """The kinds of uncertainty side by side; nothing where no counts are at hand."""
    return Text(()) if isinstance(found, Text) else charts.kinds_of_uncertainty(found.side_by_side, trust_type)


def _funnels(found: Measurement | Text) -> Mapping[str, funnel.Funnel]:
    return {} if isinstance(found, Text) else found.funnels


def funnel_table(found: Measurement | Text, quarter: str) -> tables.Table | Text:
    """How many trusts lie outside the funnels of the counted metrics; nothing where there are none."""
    return tables.funnels(funnel.summary(_funnels(found)), quarter) if _funnels(found) else Text(())


def funnel_charts(found: Measurement | Text, shown: str | None) -> charts.Charts:
    """The funnels of the counted metrics. ``shown``: code of a trust to name."""
    return charts.funnels(_funnels(found), shown)


def outside_table(found: Measurement | Text, figures: release.Release) -> tables.Table | Text:
    """The trusts outside a funnel, by name; nothing where there are none."""
    if not _funnels(found):
        return Text(())
    return tables.outside_funnels(_funnels(found), figures.trusts["trust_name"], figures.quarter)


def about_funnels(found: Measurement | Text, average: funnel.AverageFunnel | None, trust_type: str) -> Text:
    """What funnel plots show that a ranking hides."""
    said = []
    if _funnels(found):
        summary = funnel.summary(_funnels(found))
        outside = summary["better_2_overdispersed"] + summary["worse_2_overdispersed"]
        beyond = (summary["better_2"] + summary["worse_2"]) / summary["trusts"]
        said.append(
            "A funnel plot asks whether a trust differs from the average by more than chance, instead of ranking it. By chance "
            f"in patient numbers alone {beyond.min():.0%} to {beyond.max():.0%} of trusts lie beyond 2 standard deviations on a "
            "metric; but trusts differ for many reasons at once, and allowing for that spread "
            f"{outside.min():.0f} to {outside.max():.0f} trusts a metric do. They are named below."
        )
    if isinstance(found, Measurement) and found.too_few:
        said.append(f"No funnel for {', '.join(found.too_few)}: the counts are of one trust alone.")
    if average is not None:
        said.append(f"Averages of few items spread more. {_items_of_the_first(average, trust_type)}")
    return Text(tuple(said))


def _items_of_the_first(average: funnel.AverageFunnel, trust_type: str) -> str:
    rows = average.table().dropna(subset="rank")
    leads = rows["rank"] <= TAIL
    middle, most = rows["n_items"].median(), np.quantile(rows.loc[leads, "n_items"], 0.8, method="inverted_cdf")
    first, others = (int((rows.loc[which, "n_items"] <= most).sum()) for which in (leads, ~leads))
    if most >= middle:
        return (
            f"But the first {int(leads.sum())} {plural(trust_type)} in the table have about as many items as the rest (the middle "
            f"number of all {len(rows)} is {middle:.0f})."
        )
    return (
        f"{first} of the first {int(leads.sum())} {plural(trust_type)} in the table have {most:.0f} items or fewer, and only "
        f"{others} of the other {int((~leads).sum())}; the middle number of all {len(rows)} is {middle:.0f}."
    )


def average_funnel(rebuilt: LeagueTable, trust_type: str) -> funnel.AverageFunnel | None:
    """The funnel of the averages of a type; None where it cannot be drawn."""
    try:
        return funnel.average_funnel(rebuilt, trust_type)
    except InputError:
        return None


def average_chart(average: funnel.AverageFunnel | None, rebuilt: LeagueTable) -> charts.Chart | Text:
    """The funnel of the averages as a chart; nothing where there is none."""
    return Text(()) if average is None else charts.average_funnel(average, rebuilt.trusts["segment"])
