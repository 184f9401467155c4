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

from nofcore.bootstrap import RankUncertainty
from nofcore.framework import Framework
from nofcore.league import LeagueTable
from nofcore.ranksets import RankSets
from nofcore.reproduce import Reproduction
from nofcore.wording import counted, plural

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
    ``decimals``: places of number columns (0 where not given); ``right``: text columns that hold
    figures; ``sortable``: the reader can sort and search it in the page. A table without rows shows
    nothing: the text before it says so.
    """

    name: str
    frame: pd.DataFrame
    caption: str
    header: str
    decimals: Mapping[str, int] = field(default_factory=dict)
    sortable: bool = False
    right: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        if self.frame.empty:
            return ""
        numbers = list(self.frame.select_dtypes("number").columns)
        table = GT(self.frame, id=self.name, rowname_col=self.header).tab_stubhead(label=self.header)
        for column in numbers:
            table = table.fmt_number(column, decimals=self.decimals.get(column, 0))
        if self.right:
            table = table.cols_align("right", list(self.right))
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
    frame["Items"] = rows["n_items"].where(rows["recomputed"])
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
        f"{plural(trust_type).capitalize()} held back by the financial override, {league.quarter}. Average in points, "
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


LIMITS = {
    "score_low": "Lower limit of the average (points)",
    "score_high": "Upper limit of the average (points)",
    "rank_low": "Lower limit of the rank (places)",
    "rank_high": "Upper limit of the rank (places)",
}


def rank_ranges(uncertainty: RankUncertainty, not_told_apart: pd.DataFrame, trust_type: str) -> Table:
    """Ranges over the choice of metrics, to sort and search. ``not_told_apart``: of `nofcore.pairs`."""
    rows = uncertainty.table()
    rows = rows[rows["trust_type"] == trust_type]
    apart = not_told_apart.loc[rows.index]
    frame = pd.DataFrame(
        {
            "Trust": rows["trust_name"],
            "Rank": rows["rank"],
            "Rank range": _range(rows, "rank", 0),
            "Average": rows["average_score"],
            "Average range": _range(rows, "score", 1),
            "In first ten (%)": rows["p_top_10"] * 100,
            "In last ten (%)": rows["p_bottom_10"] * 100,
            "Not told apart": apart["not_told_apart"].where(rows["rank_low"].notna()),
            "Of": apart["others"],
        }
    )
    caption = (
        f"Ranges of 95 % over the choice of metrics, {plural(trust_type)}, {uncertainty.quarter}, "
        f"{uncertainty.counts.draws:,} draws. ~ marks an end that another seed may move. Not told apart: other trusts "
        "from which the order is not sure at 95 %."
    )
    return Table("rank-ranges", frame, caption, "Trust", {"Average": 2}, sortable=True)


def _range(rows: pd.DataFrame, name: str, decimals: int) -> list[str | None]:
    """Ranges as text; an end that another seed may move by a last digit or more is marked with ~."""

    def end(value: float, error: float) -> str:
        return f"{'~' if error > 10.0**-decimals / 2 else ''}{value:.{decimals}f}"

    columns = [f"{name}_low", f"{name}_low_error", f"{name}_high", f"{name}_high_error"]
    return [
        None if np.isnan(low) else f"{end(low, low_error)} to {end(high, high_error)}"
        for low, low_error, high, high_error in rows[columns].itertuples(index=False)
    ]


def range_agreement(differences: pd.DataFrame, quarter: str) -> Table:
    """How far drawn limits lie from NHS England's. ``differences``: of `nofcore.bootstrap.against_published`."""
    size = differences["difference"].abs()
    groups = size.groupby(differences["limit"], sort=False)
    frame = pd.DataFrame(
        {
            "Limit": [LIMITS[limit] for limit in groups.groups],
            "Compared": groups.size().to_numpy(),
            "Equal": groups.agg(lambda one: (one < 1e-9).sum()).to_numpy(),
            "Mean difference": groups.mean().to_numpy(),
            "Largest difference": groups.max().to_numpy(),
        }
    )
    caption = f"NHS England's likely ranges, {quarter}, beside the ranges drawn here. Absolute differences."
    return Table("range-agreement", frame, caption, "Limit", {"Mean difference": 4, "Largest difference": 2})


def range_differences(differences: pd.DataFrame, quarter: str) -> Table:
    """Every limit that differs from NHS England's."""
    rows = differences[differences["difference"].abs() > 1e-9]
    frame = pd.DataFrame(
        {
            "Trust": rows["trust_name"],
            "Limit": rows["limit"].map(LIMITS),
            "Published": rows["published"],
            "Drawn": rows["drawn"],
            "Difference": rows["difference"],
        }
    )
    caption = f"The {len(frame)} of {len(differences)} limits that differ from NHS England's, {quarter}."
    decimals = dict.fromkeys(["Published", "Drawn", "Difference"], 2)
    return Table("range-differences", frame, caption, "Trust", decimals, sortable=True)


def rank_sets(found: RankSets, names: pd.Series, trust_type: str, quarter: str) -> Table:
    """Confidence sets for the rank on the average. ``names``: trust names by code."""
    rows = found.table()
    frame = pd.DataFrame(
        {
            "Trust": names.reindex(rows["trust"]).to_numpy(),
            "Average": rows["estimate"].to_numpy(),
            "Rank on the average": rows["rank"].to_numpy(),
            "From": rows["lower"].to_numpy(),
            "To": rows["upper"].to_numpy(),
        }
    ).sort_values(["Rank on the average", "Trust"])
    caption = (
        f"Simultaneous 95 % confidence sets for the rank on the average (unrounded, without the override), "
        f"{plural(trust_type)}, {quarter}."
    )
    return Table("rank-sets", frame, caption, "Trust", {"Average": 3}, sortable=True)


def funnels(summary: pd.DataFrame, quarter: str) -> Table:
    """How many trusts lie outside the funnel of each metric. ``summary``: of `nofcore.funnel.summary`."""
    frame = pd.DataFrame(
        {
            "Metric": summary["name"].to_numpy(),
            "Trusts": summary["trusts"].to_numpy(),
            "Pooled (%)": summary["target"].to_numpy(),
            "Beyond 2 SD": (summary["better_2"] + summary["worse_2"]).to_numpy(),
            "Overdispersion": summary["phi"].to_numpy(),
            "Better, allowing for it": summary["better_2_overdispersed"].to_numpy(),
            "Worse, allowing for it": summary["worse_2_overdispersed"].to_numpy(),
        }
    )
    caption = (
        f"Funnel plots of the metrics with counts, {quarter}: trusts beyond 2 standard deviations (SD) of the pooled share, by "
        "chance alone and allowing for overdispersion (variance as a multiple of chance)."
    )
    return Table("funnels", frame, caption, "Metric", {"Pooled (%)": 1})
