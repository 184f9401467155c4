"""Sentences made from the numbers, in plain English. They claim what the figures show and no more."""

from __future__ import annotations

from nofcore.framework import Framework
from nofcore.league import LeagueTable
from nofcore.reproduce import FROM_SCORES, FROM_VALUES, Reproduction
from nofcore.wording import Text, plural


def league_headline(league: LeagueTable, reproduction: Reproduction, trust_type: str) -> str:
    """The findings of a league-table page in one paragraph."""
    rows = league.of(trust_type).dropna(subset="rank")
    first, last = rows.iloc[0], rows.iloc[-1]
    return " ".join(
        [
            _rebuilt(league, reproduction, trust_type),
            f"{first['trust_name']} is first with an average of {first['average_score']:.2f}; "
            f"{last['trust_name']} is last with {last['average_score']:.2f}.",
            *_moved(league, trust_type),
            *_shared(rows),
        ]
    )


def _rebuilt(league: LeagueTable, reproduction: Reproduction, trust_type: str) -> str:
    who = f"the {len(league.of(trust_type))} {plural(trust_type)} in {league.quarter}"
    quantities = ("average metric score", "unadjusted segment", "segment", "league rank")
    agreed = [reproduction.agreement(FROM_SCORES, quantity, trust_type) for quantity in quantities]
    (averages, of), (ranks, compared) = agreed[0], agreed[-1]
    if not compared:
        return f"No metric scores are at hand for {who}: published averages and segments are shown, ranked again."
    if all(exact == all_of_them for exact, all_of_them in agreed):
        return f"Every average, segment and rank of {who} can be rebuilt from the published metric scores, to the last digit."
    return (
        f"From the published metric scores of {who}, {averages} of {of} averages and {ranks} of {compared} league ranks "
        "are rebuilt exactly."
    )


def _moved(league: LeagueTable, trust_type: str) -> list[str]:
    rows = league.capped(trust_type)
    if not len(rows):
        return []
    lost = (rows["rank"] - rows["score_rank"]).max()
    held = "One trust is" if len(rows) == 1 else f"{len(rows)} trusts are"
    most = "losing" if len(rows) == 1 else "losing up to"
    return [f"{held} held at segment {int(rows['segment'].min())} by the financial override, {most} {_places(lost)}."]


def _shared(rows) -> list[str]:
    """How finely the averages are divided: trusts at the same rank, and the typical step between neighbours."""
    gaps = rows.sort_values("average_score")["average_score"].diff().dropna()
    if len(gaps) < 5:
        return []
    close = int((gaps.round(2) <= 0.01).sum())
    differ = "none differs" if not close else "one differs" if close == 1 else f"{close} differ"
    return [f"Of the {len(gaps)} pairs of trusts next to each other in average score, {differ} by 0.01 or less."]


def _places(count: float) -> str:
    return "1 place" if count == 1 else f"{count:.0f} places"


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
        return Text(reproduction.notes)
    scores = table.loc[(FROM_VALUES, "metric score")]
    averages = table.loc[(FROM_VALUES, "average metric score")]
    rest = int(scores["within"] + scores["rest"])
    said = [
        f"From the metric values, {scores['exact']:,.0f} of {scores['compared']:,.0f} metric scores are rebuilt to the "
        f"last digit. {scores['tied']:.0f} are tied at published precision: NHS England ranks unrounded values, the files "
        "show two decimals, and the published rank orders equal values within a trust type only. Between types their order "
        "cannot be known from the files. "
        + (f"{rest} differ for other reasons." if rest else "None differs for another reason.")
    ]
    if averages["exact"] < averages["compared"]:
        said.append(
            f"Averages of recomputed scores agree in {averages['exact']:.0f} of {averages['compared']:.0f} cases and "
            f"are never more than {averages['largest']:.2f} off. {_why_averages_differ(reproduction.quarter, framework)}"
        )
    return Text(tuple(said))


def _why_averages_differ(quarter: str, framework: Framework | None) -> str:
    """Recomputed scores are averaged unrounded, whatever NHS England did in the quarter."""
    first = framework.rounded_first.get(quarter, ()) if framework else ()
    if not first:
        return "The tied scores explain this."
    return (
        f"Two things explain this: the tied scores, and {len(first)} metric scores that NHS England rounded in "
        f"{quarter} before it averaged them, while recomputed scores are averaged unrounded."
    )
