"""Sentences made from the numbers, in plain English. They claim what the figures show and no more."""

from __future__ import annotations

from pathlib import PurePath

import numpy as np
import pandas as pd

from nofcore.framework import Framework, for_quarter, year_of
from nofcore.league import LeagueTable, segments
from nofcore.release import no_rules
from nofcore.reproduce import FROM_SCORES, FROM_VALUES, Reproduction
from nofcore.wording import Bullets, Text, counted, plural, sentence, singular


def league_headline(
    league: LeagueTable, reproduction: Reproduction, trust_type: str, own_rules: str | None = None
) -> str:
    """The findings of a league-table page in one paragraph. ``own_rules``: the file, where the rules are a user's."""
    rows = league.of(trust_type).dropna(subset="rank")
    if rows.empty:
        return f"No {singular(trust_type)} can be ranked in {league.quarter}: neither scores nor averages are at hand."
    first, last = rows.iloc[0], rows.iloc[-1]
    return " ".join(
        [
            *followed(own_rules, league.quarter, "tables"),
            _rebuilt(league, reproduction, trust_type),
            f"{first['trust_name']} is first with an average of {first['average_score']:.2f}; "
            f"{last['trust_name']} is last with {last['average_score']:.2f}.",
            *_held(league, trust_type),
            *_closeness(rows),
        ]
    )


def followed(own_rules: str | None, quarter: str, what: str) -> list[str]:
    """Whose rules the "tables" or "pages" follow, where they are the user's own. Of a year that the kit knows they
    are a "what if"; of another they may be NHS England's, and the kit cannot say."""
    if own_rules is None:
        return []
    name = PurePath(own_rules).name
    if for_quarter(quarter) is None:
        return [f"These {what} follow the rules in {name}; the kit has none of its own for {year_of(quarter)}."]
    return [f"What if: these {what} follow the rules in {name}, not NHS England's."]


def _rebuilt(league: LeagueTable, reproduction: Reproduction, trust_type: str) -> str:
    rows = league.of(trust_type)
    who = f"the {len(rows)} {plural(trust_type)} in {league.quarter}"
    if not rows["recomputed"].any():
        return f"No metric scores are at hand for {who}: published averages and segments are shown, ranked again."
    quantities = ("average metric score", "unadjusted segment", "segment", "league rank")
    agreed = [reproduction.agreement(FROM_SCORES, quantity, trust_type) for quantity in quantities]
    if all(exact == compared == len(rows) for exact, compared in agreed):
        return f"Every average, segment and rank of {who} can be rebuilt from the published metric scores, to the last digit."
    (averages, of), (ranks, compared) = agreed[0], agreed[-1]
    if not of and not compared:
        return f"The averages and ranks of {who} are rebuilt from metric scores; none is published here to compare them with."
    return (
        f"From the published metric scores of {who}, {averages} of {of} published averages and {ranks} of {compared} "
        "published league ranks are rebuilt exactly."
    )


def _held(league: LeagueTable, trust_type: str) -> list[str]:
    rows = league.capped(trust_type)
    if not len(rows):
        return []
    lost = int((rows["rank"] - rows["score_rank"]).max())
    verb = "is" if len(rows) == 1 else "are"
    most = "losing" if len(rows) == 1 else "losing up to"
    return [
        f"{counted(len(rows), 'trust')} {verb} held at segment {int(rows['segment'].min())} by the financial override, "
        f"{most} {counted(lost, 'place')}."
    ]


def _close_pairs(rows: pd.DataFrame) -> tuple[int, int]:
    """(pairs of trusts next to each other in average that differ by 0.01 or less, all such pairs)."""
    gaps = rows.sort_values("average_score")["average_score"].diff().dropna()
    return int((gaps.round(2) <= 0.01).sum()), len(gaps)


def _closeness(rows: pd.DataFrame) -> list[str]:
    close, pairs = _close_pairs(rows)
    if pairs < 5:
        return []
    differ = "none differs" if not close else "one differs" if close == 1 else f"{close} differ"
    return [f"Of the {pairs} pairs of trusts next to each other in average score, {differ} by 0.01 or less."]


def how_not_to_read(league: LeagueTable, trust_type: str) -> Bullets:
    """What a league table does not say."""
    close, pairs = _close_pairs(league.of(trust_type).dropna(subset="rank"))
    points = [
        (
            "A rank is not a distance.",
            f"{close} of {pairs} neighbours in the average differ by 0.01 or not at all, and ranks make a step of each. "
            if close
            else "Neighbours may be close together or far apart, and ranks make the same step of each. ",
        ),
        (
            "A high average does not mean poor care in general.",
            "High is worse here. The average covers the metrics in the framework, and trusts differ in how many of them "
            "apply to them.",
        ),
        ("Do not compare ranks between trust types.", "Each type has its own league table."),
    ]
    if (rule := league.framework and league.framework.override) and rule.no_higher_than:
        text = (
            f"A trust with the deficit flag (it reports a deficit or receives deficit support) can be no higher than "
            f"segment {rule.no_higher_than}, however well it scores."
        )
        points.insert(1, ("A segment is partly a financial verdict.", text))
    return Bullets(tuple(points))


def about_averages(league: LeagueTable, trust_type: str) -> Text:
    """How to read the chart of averages."""
    said = "Each mark is a trust. Averages rise from left to right within a segment."
    if len(league.capped(trust_type)):
        said += " They fall back where trusts held by the override begin: these have better averages than trusts above them."
    if league.cut_offs:
        said += " The dashed lines are the cut-offs between segments before the override."
    return Text((said,))


def about_domains(league: LeagueTable, trust_type: str) -> Text:
    """How to read the heat map of domain scores."""
    if not league.of(trust_type)["recomputed"].any():
        return Text(())
    return Text(
        (
            "The average may hide how differently a trust does on the domains. Blue is better, orange is worse, grey means "
            "that no score of the domain is at hand.",
        )
    )


def about_override(league: LeagueTable, trust_type: str) -> Text:
    """Who is held back by the override; or that it is not known."""
    rows, held = league.of(trust_type), league.capped(trust_type)
    if league.framework and league.framework.override is None and rows["recomputed"].all():
        return Text(("The rules in use have no override: segments follow from averages alone.",))
    if rows["unadjusted_segment"].isna().any():
        return Text(
            (
                f"Not known: the figures at hand for {plural(trust_type)} in {league.quarter} do not show the segment before the "
                f"override.{_must_be_held(league, rows)}",
            )
        )
    if not len(held):
        return Text((f"No trust is in a worse segment than its average would give it in {league.quarter}.",))
    return Text(
        (
            f"These {plural(trust_type)} have the deficit flag and would be in a better segment without it. They rank behind "
            "every trust of the better segments. The table shows the rank each would hold if the override held no trust "
            "back; other trusts gain the places that these lose.",
        )
    )


def _must_be_held(league: LeagueTable, rows: pd.DataFrame) -> str:
    """How many trusts stand in a worse segment than their published average gives them."""
    cuts = league.cut_offs.get("")
    known = rows.dropna(subset=["average_score", "segment"])
    if cuts is None or known.empty:
        return ""
    by_average = segments(known["hundredths"].to_numpy(), np.asarray(cuts))
    held = int((known["segment"].to_numpy() > by_average).sum())
    stand = "trust stands" if held == 1 else "trusts stand"
    return (
        f" By the cut-offs of the quarter {held} {stand} in a worse segment than the published average gives; the override "
        "would explain that (our inference)."
    )


def about_agreement(reproduction: Reproduction, trust_type: str) -> Text:
    """What was rebuilt from what."""
    starts = list(reproduction.table(trust_type)["start"].unique())
    said = f"Figures are rebuilt from each starting point at hand: {'; '.join(starts)}."
    if FROM_VALUES in starts:
        said += (
            " Tied at published precision means that two or more trusts show the same value and the files cannot say which "
            "is ahead."
        )
    return Text((said, *map(sentence, reproduction.notes)))


def about_rules(league: LeagueTable, own_rules: str | None = None) -> Text:
    """Where the rules come from."""
    if league.framework is None:
        return Text((sentence(no_rules(league.quarter)),))
    if own_rules is not None:
        return Text(
            (
                f"The rules are those of {PurePath(own_rules).name}. What follows is that file's own account of them; evidence "
                "in it that was written for NHS England's rules does not carry over to rules that were changed.",
            )
        )
    return Text(
        (
            "NHS England states some rules and not others. The rest were found by testing rules against the published "
            "figures.",
        )
    )


def limitations(league: LeagueTable, trust_type: str, own_rules: str | None = None) -> Text:
    """What the page cannot say, and how its figures came about."""
    said = ["This page does not say how sure a rank is; the page on rank uncertainty does."]
    if league.of(trust_type)["recomputed"].any():
        said += [
            "The files show values and scores rounded to two decimals. What lies behind the rounding can be recovered for "
            "scores, but not for values.",
        ]
    if league.framework and own_rules is None:
        said.append("Standards were read off published figures; the exact wording of a standard may differ.")
    return Text((*said, *map(sentence, league.notes)))


def facts(league: LeagueTable, reproduction: Reproduction, trust_type: str) -> dict[str, str]:
    """The figures behind the headline, for the index."""
    found = {"Trusts": str(len(league.of(trust_type)))}
    for label, start, quantity in (
        ("League ranks rebuilt", FROM_SCORES, "league rank"),
        ("Averages rebuilt", FROM_SCORES, "average metric score"),
        ("Metric scores rebuilt from values", FROM_VALUES, "metric score"),
    ):
        exact, compared = reproduction.agreement(start, quantity, trust_type)
        if compared:
            found[label] = f"{exact:,} of {compared:,}"
    return found


def explain_differences(reproduction: Reproduction, framework: Framework | None) -> Text:
    """Why some figures of the quarter are not rebuilt to the last digit from the metric values."""
    table = reproduction.table().set_index(["start", "quantity"])
    if (FROM_VALUES, "metric score") not in table.index:
        return Text(())
    scores = table.loc[(FROM_VALUES, "metric score")]
    said = [
        f"From the metric values, {scores['exact']:,.0f} of {scores['compared']:,.0f} metric scores are rebuilt to the last "
        f"digit. {scores['tied']:.0f} are tied at published precision: NHS England ranks unrounded values, the files show "
        "two decimals, and where the published rank is missing, or two trusts are of different types, the files cannot say "
        "which of two equal values is ahead."
    ]
    others = int(scores["within"] + scores["rest"])
    if others:
        said.append(f"{others:,} differ for other reasons, which the kit cannot name; they are in the table below.")
    if (FROM_VALUES, "average metric score") in table.index:
        averages = table.loc[(FROM_VALUES, "average metric score")]
        if averages["exact"] < averages["compared"]:
            why = "" if others else _why_averages_differ(reproduction.quarter, framework)
            said.append(
                f"Averages of recomputed scores agree in {averages['exact']:.0f} of {averages['compared']:.0f} cases and are "
                f"never more than {averages['largest']:.2f} off.{why}"
            )
    return Text(tuple(said))


def _why_averages_differ(quarter: str, framework: Framework | None) -> str:
    """Recomputed scores are averaged unrounded, whatever NHS England did in the quarter."""
    first = framework.rounded_first.get(quarter, ()) if framework else ()
    rounded = (
        f", {len(first)} metric scores that NHS England rounded in {quarter} before it averaged them (recomputed scores are "
        "averaged unrounded)"
        if first
        else ""
    )
    return f" Known causes are the tied scores{rounded}, and any metric that the limitations below name as missing."
