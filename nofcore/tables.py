"""Tables for people: captions, units and row headers; the long ones can be sorted and searched.

Cells are text, never HTML: a trust's name is shown as it is, whatever it holds.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from great_tables import GT

from nofcore.framework import Framework
from nofcore.league import LeagueTable
from nofcore.reproduce import Reproduction
from nofcore.wording import plural

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


@dataclass(frozen=True)
class Table:
    """A table that a notebook shows as HTML.

    ``frame``: cells under the headings readers see; ``header``: the column that names each row;
    ``decimals``: places of number columns (0 where not given); ``sortable``: the reader can sort and
    search it in the page.
    """

    name: str
    frame: pd.DataFrame
    caption: str
    header: str
    decimals: Mapping[str, int] = field(default_factory=dict)
    sortable: bool = False

    def _repr_html_(self) -> str:
        if self.frame.empty:
            return f"<p>{html.escape(self.caption)} There are none.</p>"
        numbers = list(self.frame.select_dtypes("number").columns)
        table = GT(self.frame, id=self.name, rowname_col=self.header).tab_stubhead(label=self.header)
        for column in numbers:
            table = table.fmt_number(column, decimals=self.decimals.get(column, 0))
        text = table.sub_missing(missing_text="–").as_raw_html()
        # The page has one style sheet for all tables; a real caption serves readers of every kind.
        text = re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
        sortable = " data-sortable" if self.sortable else ""
        caption = f"<caption><span>{html.escape(self.caption)}</span></caption>"
        return re.sub(
            r"<table([^>]*)>", lambda found: f"<table{found[1]}{sortable}>{caption}", text, count=1
        )  # fmt: skip


def league_table(league: LeagueTable, trust_type: str) -> Table:
    """The league table of a trust type, to sort and search."""
    rows = league.of(trust_type).reset_index()
    frame = rows[list(LEAGUE_LABELS)].rename(columns=LEAGUE_LABELS)
    flags = {1.0: "Yes", 0.0: "No"}
    frame["Deficit"] = [flags.get(flag, "not known") for flag in rows["in_deficit"]]
    caption = (
        f"League table of {plural(trust_type)}, {league.quarter}. Average: average metric score in points, "
        "1 = best, 4 = worst. Before override: segment without the financial override. Items: scores averaged."
    )
    return Table("league-table", frame, caption, "Trust", {"Average": 2}, sortable=True)


def agreement(reproduction: Reproduction, trust_type: str | None, who: str) -> Table:
    """How many published figures the rules rebuild. ``who``: whose figures, for the caption."""
    rows = reproduction.table(trust_type)
    frame = pd.DataFrame(
        {
            "Figure": [f"{what} from {start}" for what, start in zip(rows["quantity"], rows["start"], strict=True)],
            "Compared": rows["compared"],
            "Exact": rows["exact"],
            "Within 0.01": rows["within"],
            "Tied at published precision": rows["tied"],
            "Other": rows["rest"],
            "Largest difference": rows["largest"],
        }
    )
    caption = (
        f"Published figures of {who}, {reproduction.quarter}, rebuilt by the rules. Differences in points or places."
    )
    name = "agreement" if trust_type else "agreement-all-types"
    return Table(name, frame, caption, "Figure", {"Largest difference": 2})


def differences(reproduction: Reproduction, framework: Framework | None, trust_type: str | None, who: str) -> Table:
    """Every figure that is not rebuilt exactly."""
    rows = reproduction.differences(trust_type)
    frame = pd.DataFrame(
        {
            "Trust": rows["trust_name"],
            "Code": rows["trust_code"],
            "Figure": rows["quantity"],
            "Rebuilt from": rows["start"],
            "Metric or domain": [_item_name(item, framework) for item in rows["item"]],
            "Published": rows["published"],
            "Rebuilt": rows["rebuilt"],
            "Difference": rows["difference"],
            "Tied at published precision": np.where(rows["tied"], "yes", "no"),
        }
    )
    caption = f"All {len(frame)} figures of {who}, {reproduction.quarter}, that are not rebuilt to the last digit."
    return Table(
        "differences",
        frame,
        caption,
        "Trust",
        dict.fromkeys(["Published", "Rebuilt", "Difference"], 2),
        sortable=True,
    )


def _item_name(item: str, framework: Framework | None) -> str:
    if not item or framework is None:
        return "–"
    names = {domain.score: domain.name for domain in framework.domain}
    names |= {domain.segment: domain.name for domain in framework.domain}
    return framework.by_score[item].short if item in framework.by_score else names.get(item, item)


def segment_counts(league: LeagueTable, trust_type: str, by: str, label: str) -> Table:
    """Trusts by segment after the override and by ``by`` ("region" or "trust_subtype"), with totals."""
    rows = league.of(trust_type).dropna(subset="segment")
    counts = pd.crosstab(rows[by], rows["segment"].astype(int))
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
    """Trusts that the override moves, with the rank each would hold if no trust were capped.

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
        f"{plural(trust_type).capitalize()} moved by the financial override, {league.quarter}. Average in points, "
        "1 = best. Before override: segment without it. Without override: rank if no trust were capped."
    )
    return Table("capped", frame, caption, "Trust", {"Average": 2}, sortable=len(frame) > 12)


def rules(framework: Framework | None) -> Table:
    """The rules in force, with how sure we are of each."""
    listed = framework.rule if framework else ()
    frame = pd.DataFrame(
        {
            "Rule": [rule.text for rule in listed],
            "How we know": [BASIS[rule.basis] for rule in listed],
            "Evidence": [rule.evidence or None for rule in listed],
        }
    )
    return Table("rules", frame, f"Rules of the {framework.title if framework else 'framework'} as used here.", "Rule")


BASIS = {
    "stated": "Official: stated by NHS England",
    "verified": "Verified on the published figures",
    "inferred": "Our inference",
    "unknown": "Not known",
}
