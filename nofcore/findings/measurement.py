"""Sentences on errors of measurement and on funnels, made from the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from nofcore import activity as counts_behind
from nofcore import charts, funnel, noise, release, tables
from nofcore.errors import InputError
from nofcore.findings.ranks import TAIL
from nofcore.funnel import Funnel
from nofcore.league import LeagueTable
from nofcore.wording import Text, counted, plural

MAIN = funnel.METHODS[0]
"""The funnels that are drawn."""


@dataclass(frozen=True)
class Measurement:
    """Ranges of a trust type under each kind of uncertainty, and the counts behind the measured ones.

    ``counts``: of the metrics that trusts of the type have counts of; ``phi``: variance of the drawn values as
    a multiple of the binomial one; ``funnels``: by method of `nofcore.funnel.METHODS`, then by metric_id;
    ``too_few``: metrics with counts of one trust alone, which have no funnel.
    """

    counts: pd.DataFrame
    side_by_side: pd.DataFrame
    phi: float
    funnels: Mapping[str, Mapping[str, Funnel]]
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
    mine = counts["trust_code"].map(figures.trusts["trust_type"]) == trust_type
    if not mine.any():
        return _not_known(trust_type, figures.quarter, "the counts at hand are of other types of trust")
    try:
        side_by_side = noise.compare(rebuilt, figures, rebuilt.framework, draws, seed, phi, counts)
    except InputError as error:
        return _not_known(trust_type, figures.quarter, str(error))
    counts = counts[counts["metric_id"].isin(counts.loc[mine, "metric_id"])]
    size = counts["metric_id"].map(counts["metric_id"].value_counts())
    found = {how: funnel.funnels(figures, rebuilt.framework, counts[size > 1], how) for how in funnel.METHODS}
    side_by_side = side_by_side[side_by_side["trust_type"] == trust_type]
    return Measurement(counts, side_by_side, phi, found, tuple(counts.loc[size == 1, "metric_id"]))


def _not_known(trust_type: str, quarter: str, reason: str) -> Text:
    return Text(
        (
            f"Not known for {plural(trust_type)} in {quarter}, as the numbers of cases behind the values are missing or "
            f"cannot be used: {reason}. A table of numerators and denominators can be given with --activity.",
        )
    )


def about_measurement(found: Measurement | Text, trust_type: str) -> Text:
    """How wide ranges are under errors of measurement, beside the choice of metrics."""
    if isinstance(found, Text):
        return found
    rows = found.side_by_side.dropna(subset="noise_rank_width")
    metrics = found.counts["metric_id"].nunique()
    noise_width, items_width = rows["noise_rank_width"].median(), rows["items_rank_width"].median()
    spread = "as if each case were an independent toss of a coin so weighted"
    if found.phi != 1:
        spread += f", with {found.phi:g} times its variance"
    said = (
        f"For {counted(metrics, 'metric')} the numbers of cases are known. Values are drawn anew from those numbers, {spread}; "
        "they are scored in their whole pools, and all trusts ranked again; other metrics stay as published. Half of the "
        f"{len(rows)} {plural(trust_type)} with such counts then have a rank range of {noise_width:.0f} places or more, where the "
        f"choice of metrics gives {items_width:.0f} and both together {rows['both_rank_width'].median():.0f}."
    )
    if found.phi == 1 and noise_width * 2 < items_width:
        said += " Chance in the counted metrics matters far less than which metrics are counted."
    return Text(
        (
            said,
            "Not in this: errors of the other metrics, surveys among them; errors in the records; a metric worked out from a drawn "
            "one, such as performance against plan, which stays as published. Metrics are drawn independently of one another, "
            "even where they count the same people, and a count of none stays none.",
        )
    )


def measurement_chart(found: Measurement | Text, trust_type: str) -> charts.Chart | Text:
    """The kinds of uncertainty side by side; nothing where no counts are at hand."""
    return (
        Text(())
        if isinstance(found, Text)
        else charts.kinds_of_uncertainty(found.side_by_side.dropna(subset="noise_rank_width"), trust_type)
    )


def measurement_table(found: Measurement | Text, quarter: str, trust_type: str) -> tables.Table | Text:
    """The kinds of uncertainty for each trust; nothing where no counts are at hand."""
    return Text(()) if isinstance(found, Text) else tables.kinds_of_uncertainty(found.side_by_side, quarter, trust_type)


def _funnels(found: Measurement | Text) -> Mapping[str, Mapping[str, Funnel]]:
    """Funnels by method; {} where there are none."""
    return {} if isinstance(found, Text) or not found.funnels[MAIN] else found.funnels


def funnel_table(found: Measurement | Text, quarter: str) -> tables.Table | Text:
    """How many trusts lie outside the funnels of the counted metrics; nothing where there are none."""
    if not _funnels(found):
        return Text(())
    return tables.funnels({how: funnel.summary(one) for how, one in _funnels(found).items()}, quarter)


def funnel_charts(found: Measurement | Text, shown: str | None) -> charts.Charts:
    """The funnels of the counted metrics. ``shown``: code of a trust to mark."""
    return charts.funnels(_funnels(found).get(MAIN, {}), shown)


def outside_table(found: Measurement | Text, rebuilt: LeagueTable) -> tables.Table | Text:
    """The trusts outside a funnel, by name; nothing where there are none."""
    return tables.outside_funnels(_funnels(found), rebuilt.trusts, rebuilt.quarter) if _funnels(found) else Text(())


def about_funnels(found: Measurement | Text) -> Text:
    """What funnel plots show that a ranking hides."""
    said = []
    if _funnels(found):
        main, other = (funnel.summary(_funnels(found)[how]) for how in funnel.METHODS)
        beyond = (main["better_2"] + main["worse_2"]) / main["trusts"] * 100
        said.append(
            "A funnel plot asks whether a trust differs from the average by more than chance, instead of ranking it. On each "
            f"metric {_from_to(beyond)} % of trusts lie further from it than 2 standard deviations of chance in the numbers of cases; "
            "by chance alone about 5 % would. But trusts differ for many reasons at once, and limits widened for that "
            f"(overdispersion) leave {_from_to(_outside(main))} trusts a metric outside if all are widened in proportion (drawn "
            f"below), and {_from_to(_outside(other))} if the same variance is added for every trust. The first names large trusts "
            "more readily; who lies outside under both is the safer finding."
        )
    elif isinstance(found, Text):
        said.append("No funnels: the numbers of cases behind the values are not at hand.")
    if isinstance(found, Measurement) and found.too_few:
        said.append(f"No funnel for {', '.join(found.too_few)}: the counts are of one trust alone.")
    return Text(tuple(said))


def _outside(summary: pd.DataFrame) -> pd.Series:
    return summary["better_2_overdispersed"] + summary["worse_2_overdispersed"]


def _from_to(numbers: pd.Series) -> str:
    low, high = f"{numbers.min():.0f}", f"{numbers.max():.0f}"
    return low if low == high else f"{low} to {high}"


def about_average(average: funnel.AverageFunnel | None, trust_type: str) -> Text:
    """Whether few items explain a place at the top of the table."""
    if average is None:
        return Text(())
    rows = average.table().dropna(subset="rank")
    n = min(TAIL, len(rows) // 2)
    first = rows[rows["rank"] <= n]
    few = int((first["n_items"] < rows["n_items"].median()).sum())
    outside, every = (int((part["outside"].abs() >= 2).sum()) for part in (first, rows))
    who = f"of the first {len(first)} {plural(trust_type)} in the table"
    if outside == len(first):
        judged = f"All {outside} lie outside the limits for their numbers of items: few items alone do not explain their places."
    else:
        judged = (
            f"{len(first) - outside} of the {len(first)} lie within the limits for their numbers of items: so far an average may "
            "stray by the choice of items alone."
        )
    return Text(
        (
            f"An average of few items can stray further. {few} {who} have fewer items than the middle trust "
            f"({rows['n_items'].median():.0f}). {judged} Of all {len(rows)} trusts {every} lie outside, where about "
            f"{0.0455 * len(rows):.0f} would by the choice of items alone.",
        )
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
