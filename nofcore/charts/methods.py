"""The chart of methods: how old the figures behind each metric are."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from nofcore.charts.base import SEGMENT_COLOURS, STYLE, Chart, make_axes
from nofcore.data_age import YEAR, DataAges
from nofcore.wording import Text, counted, decimal

WIDTH = 4.6
"""Inches: narrow, so that a phone shows all of it."""
KINDS = {False: ("Other metric", "o", SEGMENT_COLOURS[1]), True: ("Survey", "D", SEGMENT_COLOURS[3])}
"""Name, marker and colour of a metric by whether it comes from a survey."""


def data_ages(ages: DataAges | None) -> Chart | Text:
    """Months from the end of each metric's period to the end of the quarter, a line a metric, oldest on top."""
    if ages is None or ages.rows.empty:
        return Text(("No chart: no metric rows are at hand.",))
    rows = ages.rows
    names = list(dict.fromkeys(rows["short"]))
    place = rows["short"].map(names.index).to_numpy()
    dated = rows["age"].notna().to_numpy()
    figure, axes = make_axes(WIDTH, 1.2 + 0.24 * len(names))
    with plt.style.context(STYLE):
        axes.grid(False)
        axes.axvline(YEAR, color="#616a72", linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        axes.axvline(0, color="#616a72", linewidth=0.9, zorder=1)
        axes.hlines(place[dated], 0, rows["age"][dated], color="#aab2b8", linewidth=2, zorder=2)
        for survey, (label, marker, colour) in KINDS.items():
            mine = dated & (rows["survey"].to_numpy() == survey)
            axes.scatter(
                rows["age"][mine], place[mine], marker=marker, s=38, color=colour, edgecolor="#212b32", linewidth=0.6,
                label=label, zorder=3,
            )  # fmt: skip
        _label_ages(axes, rows[dated], place[dated])
        for at in place[~dated]:
            axes.annotate("not dated", (0, at), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9)
        low, high = np.nanmin([0, rows["age"].min()]), np.nanmax([YEAR, rows["age"].max()])
        axes.set(xlim=(low - 4 if low else -1, high + 3), ylim=(len(names) - 0.4, -0.6))
        axes.set_xlabel("Months before the quarter ended\n(dashed: one year)", fontsize=9)
        axes.set_xticks(np.arange(np.ceil(low / 6) * 6, high + 1, 6))
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(axis="y", length=0, labelsize=9)
        axes.tick_params(axis="x", labelsize=9)
        axes.legend(
            loc="lower right",
            bbox_to_anchor=(1, 1),
            ncols=2,
            fontsize=9,
            columnspacing=1,
            handletextpad=0.2,
            borderpad=0,
        )
    return Chart(figure, _alt(ages))


def _label_ages(axes, rows: pd.DataFrame, place: np.ndarray) -> None:
    for age, at in zip(rows["age"], place, strict=True):
        side = -1 if age < 0 else 1
        axes.annotate(
            decimal(age, 0), (age, at), xytext=(5 * side, 0), textcoords="offset points",
            ha="left" if side > 0 else "right", va="center", fontsize=9,
        )  # fmt: skip


def _alt(ages: DataAges) -> str:
    age = ages.rows["age"].dropna()
    steps = (
        ("more than 12 months before it", age > YEAR),
        ("4 to 12 months before it", (age > 3) & (age <= YEAR)),
        ("1 to 3 months before it", (age > 0) & (age <= 3)),
        ("in its last month", age == 0),
        ("after it", age < 0),
    )
    said = "; ".join(f"{when}: {counted(int(mine.sum()), 'metric')}" for when, mine in steps if mine.any())
    first = ages.rows[ages.rows["age"] > 0].head(3)
    top = "; ".join(f"{row.short}, {counted(int(row.age), 'month')}" for row in first.itertuples())
    oldest = f" Oldest: {top}." if top else ""
    undated = f" {counted(len(ages.undated), 'period')} cannot be dated." if len(ages.undated) else ""
    return (
        f"How old the figures of {counted(ages.metrics, 'metric')} are at the end of {ages.quarter}, a line each, oldest on "
        f"top. Their periods ended, compared with the end of the quarter, {said}.{oldest}{undated} The same figures are in the "
        "table below."
    )
