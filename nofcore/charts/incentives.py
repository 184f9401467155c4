"""Charts of what small improvements are worth."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from nofcore.charts.base import SEGMENT_COLOURS, STYLE, Chart, make_axes
from nofcore.incentives import CliffEdges
from nofcore.wording import Text, counted, plural

TARGETS = {"standard": "standard", "floor": "floor", "lookup": "better bracket"}
LAST, BESIDE = SEGMENT_COLOURS[1], "#8fc1ec"


def last_steps(edges: CliffEdges, trust_type: str) -> Chart | Text:
    """Mean places won by the last step to a target, of at most one unit, beside one unit that stays short of it.

    A pair of bars for each metric of which trusts are just short, most places first. Nothing where no trust is.
    """
    rows = step_worth(edges, trust_type)
    if rows.empty:
        return Text(())
    places = np.arange(len(rows))
    figure, axes = make_axes(9, 1.5 + 0.5 * len(rows))
    with plt.style.context(STYLE):
        bars = (
            ("last", "Last step to the target", LAST, "", -0.19),
            ("beside", "One unit that stays short", BESIDE, "////", 0.19),
        )
        for name, label, colour, hatch, shift in bars:
            axes.barh(
                places + shift, rows[name].fillna(0), height=0.36, color=colour, hatch=hatch, edgecolor="white", linewidth=0.3,
                label=label,
            )  # fmt: skip
        for place, row in zip(places, rows.itertuples(), strict=True):
            axes.annotate(
                f"most {row.most}", (max(row.last, 0), place - 0.19), xytext=(4, 0), textcoords="offset points",
                va="center", fontsize=8.5,
            )  # fmt: skip
        # The figures stand with the names, where a narrow screen shows them first.
        labels = [
            f"{row.name}  {row.last:.1f}\n{counted(row.trusts, 'trust')}, {TARGETS[row.model]}"
            for row in rows.itertuples(index=False)
        ]
        axes.set_yticks(places, labels, fontsize=9)
        axes.set(
            xlabel="Places won in the league table, mean; “most” is the largest gain of one trust",
            ylim=(len(rows) - 0.4, -0.6), xlim=(min(0, rows["last"].min()), max(rows[["last", "beside"]].max().max() * 1.2, 0.5)),
        )  # fmt: skip
        axes.xaxis.label.set(x=0, ha="left")
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", visible=True)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return Chart(figure, _said(rows, trust_type))


def step_worth(edges: CliffEdges, trust_type: str) -> pd.DataFrame:
    """A row per metric of which trusts are within one unit of the next standard, floor or bracket, most places first.

    name, model, trusts (just short), last (mean places won by the last step), most (of them), beside (mean places won by
    one unit of trusts that stay short; missing where there are none).
    """
    last, unit = edges.just_short(1, trust_type), edges.table("unit", trust_type)
    key = ["metric_id", "unit", "name", "model"]
    rows = last.groupby(key)["places_won"].agg(trusts="size", last="mean", most="max")
    short = unit[~unit["reaches_target"] & unit["target"].notna()]
    rows["beside"] = short.groupby(key)["places_won"].mean()
    rows = rows.reset_index()
    twice = rows["name"].duplicated(keep=False)
    rows["name"] = rows["name"].where(~twice, rows["name"] + " (" + rows["unit"] + ")")
    return rows.sort_values(["last", "most"], ascending=False, kind="stable", ignore_index=True)


def _said(rows: pd.DataFrame, trust_type: str) -> str:
    each = "; ".join(
        f"{row.name} {row.last:.1f}"
        + ("" if np.isnan(row.beside) else f" and {row.beside:.1f}")
        + f" ({counted(row.trusts, 'trust')})"
        for row in rows.itertuples(index=False)
    )
    return (
        f"Mean places that {plural(trust_type)} just short of a standard, a floor or a better bracket would win by the last step, at most one unit, "
        f"and places won by one unit that stays short of it, by metric, with the number of trusts just short: {each}."
    )
