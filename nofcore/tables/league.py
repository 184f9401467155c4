"""Tables of a league table and of its rebuilding."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nofcore.framework import Framework
from nofcore.league import LeagueTable
from nofcore.reproduce import Reproduction
from nofcore.tables.base import Table
from nofcore.wording import capital, counted, given, plural

LEAGUE_LABELS = {
    "trust_name": "Trust",
    "trust_code": "Code",
    "rank": "Rank",
    "segment": "Segment",
    "average_score": "Average",
    "unadjusted_segment": "Before override",
    "in_deficit": "Deficit",
    "n_items": "Items",
    "trust_subtype": "Subtype",
    "region": "Region",
}


def league_table(league: LeagueTable, trust_type: str) -> Table:
    """The league table of a trust type, to sort and search."""
    rows = league.of(trust_type).reset_index()
    frame = rows[list(LEAGUE_LABELS)].rename(columns=LEAGUE_LABELS)
    flags = {1.0: "Yes", 0.0: "No"}
    frame["Deficit"] = [flags.get(flag, "not known") for flag in rows["in_deficit"]]
    before = " Before override: segment without the financial override."
    if league.framework and league.framework.override is None:
        frame, before = frame.drop(columns=["Before override", "Deficit"]), ""
    frame["Items"] = rows["n_items"].where(rows["recomputed"])
    caption = (
        f"League table of {plural(trust_type)}, {league.quarter}. Average: average metric score in points, "
        f"{league.scale.ends}.{before} Items: scores averaged."
    )
    return Table("league-table", frame, caption, "Trust", {"Average": 2}, sortable=True)


def agreement(reproduction: Reproduction, trust_type: str | None, who: str) -> Table:
    """How many published figures the rules rebuild. ``who``: whose figures, for the caption."""
    rows = reproduction.table(trust_type)
    frame = pd.DataFrame(
        {
            "Figure": rows["quantity"].str.capitalize(),
            "Rebuilt from": rows["start"],
            "Compared": rows["compared"],
            "Exact": rows["exact"],
            "Within 0.01": rows["within"],
            "Tied at published precision": rows["tied"],
            "Other": rows["rest"],
            "Largest difference": _figures(rows["largest"], rows["quantity"], with_unit=True),
        }
    )
    caption = f"Published figures of {who}, {reproduction.quarter}, and how many the rules rebuild."
    name = "agreement" if trust_type else "agreement-all-types"
    return Table(name, frame, caption, "Figure", right=("Largest difference",))


def differences(reproduction: Reproduction, framework: Framework | None, trust_type: str | None, who: str) -> Table:
    """Every figure that is not rebuilt exactly."""
    rows = reproduction.differences(trust_type)
    frame = pd.DataFrame(
        {
            "Trust": rows["trust_name"],
            "Code": rows["trust_code"],
            "Figure": rows["quantity"].str.capitalize(),
            "Rebuilt from": rows["start"],
            "Metric or domain": [_item_name(item, framework) for item in rows["item"]],
            "Published": _figures(rows["published"], rows["quantity"]),
            "Rebuilt": _figures(rows["rebuilt"], rows["quantity"]),
            "Difference": _figures(rows["difference"], rows["quantity"], with_unit=True, signed=True),
            "Tied": np.where(rows["tied"], "yes", "no"),
        }
    )
    caption = f"{counted(len(frame), 'figure')} of {who}, {reproduction.quarter}, not rebuilt to the last digit."
    return Table("differences", frame, caption, "Trust", sortable=True, right=("Published", "Rebuilt", "Difference"))


def _figures(numbers: pd.Series, quantities: pd.Series, with_unit: bool = False, signed: bool = False) -> list[str]:
    """Scores with 2 decimals, ranks and segments as whole numbers; with their unit if asked."""
    found = []
    for number, quantity in zip(numbers, quantities, strict=True):
        decimals, unit = next(
            (how for word, how in (("score", (2, "points")), ("rank", (0, "places"))) if word in quantity),
            (0, "segments"),
        )
        found.append(f"{number:{'+' if signed else ''}.{decimals}f}{f' {unit}' if with_unit else ''}")
    return found


def _item_name(item: str, framework: Framework | None) -> str:
    if not item or framework is None:
        return "–"
    names = {domain.score: domain.name for domain in framework.domain}
    names |= {domain.segment: domain.name for domain in framework.domain}
    return framework.by_score[item].short if item in framework.by_score else names.get(item, item)


def segment_counts(league: LeagueTable, trust_type: str, by: str, label: str) -> Table:
    """Trusts by segment after the override and by ``by`` ("region" or "trust_subtype"), with totals."""
    rows = league.of(trust_type).dropna(subset="segment")
    counts = pd.crosstab(rows[by].map(given), rows["segment"].astype(int))
    last = league.framework.segment_count if league.framework else int(rows["segment"].max())
    counts = counts.reindex(columns=range(1, last + 1), fill_value=0)
    counts.columns = [f"Segment {segment}" for segment in counts.columns]
    counts.loc["All"] = counts.sum()
    frame = counts.assign(All=counts.sum(axis=1)).rename_axis(label).reset_index()
    caption = (
        f"Number of trusts by {label.lower()} and segment after the override, {plural(trust_type)}, {league.quarter}."
    )
    return Table(f"segments-by-{by.replace('_', '-')}", frame, caption, label)


def capped(league: LeagueTable, trust_type: str) -> Table:
    """Trusts that the override holds back, with the rank each would hold if it held back none.

    That is the rank on the average alone: without the override, segments only cut the averages.
    """
    rows = league.capped(trust_type)
    frame = pd.DataFrame(
        {
            "Trust": rows["trust_name"].to_numpy(),
            "Code": rows.index,
            "Average": rows["average_score"].to_numpy(),
            "Before override": rows["unadjusted_segment"].to_numpy(),
            "Segment": rows["segment"].to_numpy(),
            "Rank": rows["rank"].to_numpy(),
            "Without override": rows["score_rank"].to_numpy(),
            "Places lost": (rows["rank"] - rows["score_rank"]).to_numpy(),
        }
    )
    caption = (
        f"{capital(plural(trust_type))} held back by the financial override, {league.quarter}. Average in points, "
        "1 = best. Before override: segment without it. Without override: rank if no trust were held back."
    )
    return Table("capped", frame, caption, "Trust", {"Average": 2}, sortable=len(frame) > 12)


def rules(framework: Framework | None, own_rules: str | None = None) -> Table:
    """The rules in force, with how sure we are of each; a user's own rules without the evidence for others."""
    listed = framework.rule if framework else ()
    frame = pd.DataFrame({"Rule": [rule.text for rule in listed]})
    if own_rules is None:
        frame["How we know"] = [BASIS[rule.basis] for rule in listed]
        frame["Evidence"] = [rule.evidence or None for rule in listed]
    return Table("rules", frame, f"Rules of the {framework.title if framework else 'framework'}.", "Rule")


BASIS = {
    "stated": "Official: stated by NHS England",
    "verified": "Verified on the published figures",
    "inferred": "Our inference",
    "unknown": "Not known",
}
