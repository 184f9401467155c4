"""Tables of how sure a rank is."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nofcore.bootstrap import RankUncertainty
from nofcore.ranksets import RankSets
from nofcore.tables.base import Table
from nofcore.wording import counted, plural

LIMITS = {
    "score_low": "Lower limit of the average (points)",
    "score_high": "Upper limit of the average (points)",
    "rank_low": "Lower limit of the rank (places)",
    "rank_high": "Upper limit of the rank (places)",
}


def rank_ranges(uncertainty: RankUncertainty, not_told_apart: pd.DataFrame, trust_type: str) -> Table:
    """Ranges over the choice of metrics, to sort and search. ``not_told_apart``: of `nofcore.pairs`."""
    rows = uncertainty.table()
    mine = rows["trust_type"] == trust_type
    n = min(10, int(mine.sum()) // 2)
    first, last = (pd.Series(shares, rows.index).where(rows["rank_low"].notna()) for shares in uncertainty.tails(n))
    rows, apart = rows[mine], not_told_apart.loc[rows.index[mine]]
    ends = {f"In first {n} (%)": first[mine] * 100, f"In last {n} (%)": last[mine] * 100} if n else {}
    frame = pd.DataFrame(
        {
            "Trust": rows["trust_name"],
            "Rank": rows["rank"],
            "Rank range": ranges(rows, "rank", 0),
            "Average": rows["average_score"],
            "Average range": ranges(rows, "score", 1),
            **ends,
            "Not told apart": apart["not_told_apart"].where(rows["rank_low"].notna()),
            "Of": apart["others"],
        }
    )
    caption = (
        f"Ranges of 95 % over the choice of metrics, {plural(trust_type)}, {uncertainty.quarter}, "
        f"{counted(uncertainty.counts.draws, 'draw')}. ~ marks an end that another seed may print differently. Not told apart: "
        f"other trusts from which the order is not sure at 95 %; up to {apart['unsure'].max()} of a trust's pairs lie near that line, so another seed may move it by a few."
    )
    return Table("rank-ranges", frame, caption, "Trust", {"Average": 2}, sortable=True)


def ranges(rows: pd.DataFrame, name: str, decimals: int) -> list[str | None]:
    """Ranges as text, from the columns ``{name}_low`` and so on; an end that another seed may print differently,
    by its Monte Carlo error, is marked with ~."""

    def end(value: float, error: float) -> str:
        texts = {f"{found + 1e-9:.{decimals}f}" for found in (value - error, value, value + error)}
        return f"{'~' if len(texts) > 1 else ''}{value + 1e-9:.{decimals}f}"

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
    return Table("range-agreement", frame, caption, "Limit", {"Mean difference": 3, "Largest difference": 2})


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
