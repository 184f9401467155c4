"""Tables of how sure a rank is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from nofcore.bootstrap import RankUncertainty
from nofcore.funnel import Funnel
from nofcore.ranksets import RankSets
from nofcore.tables.base import Table
from nofcore.wording import plural

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
            "Trust": names.reindex(rows["trust_code"]).to_numpy(),
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


def outside_funnels(found: Mapping[str, Funnel], names: pd.Series, quarter: str) -> Table:
    """Every trust beyond 2 standard deviations of a funnel, overdispersion allowed for. ``names``: by trust code."""
    parts = []
    for one in found.values():
        rows = one.table()
        rows = rows[rows["outside_overdispersed"].abs() >= 2].sort_values("z_overdispersed", key=abs, ascending=False)
        part = {
            "Trust": names.reindex(rows.index), "Code": rows.index, "Metric": one.metric.short,
            "Than the pooled share": rows["better"], "Value (%)": rows["percent"], "Pooled (%)": one.target,
            "Patients": rows["denominator"], "Distance (SD)": rows["z_overdispersed"].abs(),
            "Beyond (SD)": rows["outside_overdispersed"].abs(),
        }  # fmt: skip
        parts.append(pd.DataFrame(part))
    frame = pd.concat(parts, ignore_index=True)
    caption = (
        f"Trusts outside the funnel of a metric, {quarter}: beyond 2 or 3 standard deviations (SD) of the pooled share, "
        "allowing for overdispersion."
    )
    decimals = {"Value (%)": 1, "Pooled (%)": 1, "Distance (SD)": 1}
    return Table("outside-funnels", frame, caption, "Trust", decimals, sortable=True)
