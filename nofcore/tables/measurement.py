"""Tables of errors of measurement and of funnels."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from nofcore.funnel import Funnel
from nofcore.tables.base import Table
from nofcore.tables.ranks import ranges
from nofcore.wording import plural

KIND_LABELS = {"items": "Choice of metrics", "noise": "Measurement", "both": "Both"}
METHOD_LABELS = {"multiplicative": "in proportion", "additive": "same variance added"}


def kinds_of_uncertainty(side_by_side: pd.DataFrame, quarter: str, trust_type: str) -> Table:
    """Rank ranges of each trust under each kind of uncertainty. ``side_by_side``: of `nofcore.noise`, one type."""
    rows = side_by_side.sort_values(["rank", "trust_name"])
    frame = pd.DataFrame(
        {
            "Trust": rows["trust_name"],
            "Rank": rows["rank"],
            "Metrics counted": rows["n_drawn"],
            **{label: ranges(rows, f"{kind}_rank", 0) for kind, label in KIND_LABELS.items()},
        }
    )
    caption = (
        f"95 % ranges of the rank under each kind of uncertainty, {plural(trust_type)}, {quarter}. ~ marks an end that another "
        "seed may print differently; – a trust of which nothing is drawn."
    )
    return Table("kinds-of-uncertainty", frame, caption, "Trust", sortable=True)


def funnels(summaries: Mapping[str, pd.DataFrame], quarter: str) -> Table:
    """How many trusts lie outside the funnel of each metric. ``summaries``: of `nofcore.funnel.summary`, by method."""
    summary = next(iter(summaries.values()))
    frame = pd.DataFrame(
        {
            "Metric": summary["name"],
            "Trusts": summary["trusts"],
            "Pooled (%)": summary["target"],
            "Beyond 2 SD of chance": summary["better_2"] + summary["worse_2"],
            "Overdispersion": summary["phi"],
        }
    )
    for how, one in summaries.items():
        for side in ("better", "worse"):
            frame[f"{side.capitalize()}, {METHOD_LABELS[how]}"] = one[f"{side}_2_overdispersed"]
    caption = (
        f"Funnel plots of the metrics with counts, {quarter}: trusts beyond 2 standard deviations (SD) of the pooled share. "
        "Overdispersion: variance between trusts as a multiple of chance in the counts. Better, worse: outside limits widened for "
        "it, all in proportion or by the same variance added for each trust."
    )
    return Table("funnels", frame, caption, "Metric", {"Pooled (%)": 1})


def outside_funnels(found: Mapping[str, Mapping[str, Funnel]], trusts: pd.DataFrame, quarter: str) -> Table:
    """Every trust beyond 2 standard deviations of a funnel under either method, overdispersion allowed for.

    ``found``: funnels by method, then by metric; ``trusts``: of a league table.
    """
    methods = list(found)
    parts = []
    for metric_id, one in found[methods[0]].items():
        beyond = pd.DataFrame({how: found[how][metric_id].table()["outside_overdispersed"].abs() for how in methods})
        rows = one.table()[(beyond >= 2).any(axis=1)]
        about = trusts.reindex(rows.index)
        part = {
            "Trust": about["trust_name"], "Code": rows.index, "Rank": about["rank"], "Segment": about["segment"],
            "Metric": one.metric.short, "Than the pooled share": rows["better"], "Value (%)": rows["percent"],
            "Pooled (%)": one.target, "Cases": rows["denominator"],
        }  # fmt: skip
        part |= {
            f"Beyond, {METHOD_LABELS[how]} (SD)": beyond.loc[rows.index, how].where(beyond[how] >= 2) for how in methods
        }
        parts.append(pd.DataFrame(part).sort_values(["Than the pooled share", "Value (%)"]))
    frame = pd.concat(parts, ignore_index=True)
    caption = (
        f"Trusts outside the funnel of a metric, {quarter}: beyond 2 or 3 standard deviations (SD) of the pooled share, with limits "
        "widened for overdispersion all in proportion, or by the same variance added for each trust; – within those limits."
    )
    return Table("outside-funnels", frame, caption, "Trust", {"Value (%)": 1, "Pooled (%)": 1}, sortable=True)
