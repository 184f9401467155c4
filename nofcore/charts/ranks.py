"""Charts of how sure a rank is."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from nofcore.bootstrap import LEVEL, RankUncertainty
from nofcore.charts.base import (
    NAMED_IN_PLOT,
    SEGMENT_COLOURS,
    SEGMENT_HATCHES,
    SEGMENT_MARKERS,
    STYLE,
    Chart,
    make_axes,
    ring,
    spots,
)  # fmt: skip
from nofcore.wording import Text, plural


def rank_ranges(
    uncertainty: RankUncertainty, trust_type: str, level: float = LEVEL, shown: str | None = None
) -> Chart | Text:
    """Rank of each trust in league order with its range over the choice of metrics, coloured by segment.

    ``shown``: code of a trust to mark.
    """
    rows = _drawn(uncertainty, trust_type, level)
    if rows.empty:
        return _nothing_drawn(uncertainty, trust_type)
    size = int((uncertainty.trusts["trust_type"] == trust_type).sum())
    figure, axes = make_axes(9, 5.2)
    with plt.style.context(STYLE):
        colours = rows["segment"].map(SEGMENT_COLOURS)
        axes.vlines(
            rows["place"], rows["rank_low"], rows["rank_high"], color=colours, linewidth=_bar(len(rows)), alpha=0.55
        )
        sns.scatterplot(
            rows, x="place", y="rank", hue="segment", style="segment", palette=SEGMENT_COLOURS, markers=SEGMENT_MARKERS,
            s=34, edgecolor="white", linewidth=0.4, ax=axes, zorder=3,
        )  # fmt: skip
        here = spots(rows["trust_code"], rows["place"], rows["rank"])
        ring(axes, here, shown)
        axes.set_ylim(size + 1, 0)
        axes.set_yticks([1, *range(20, size + 1, 20)] if size > NAMED_IN_PLOT else range(1, size + 1))
        axes.set(
            xlabel="Place in the league table (1 = best)",
            ylabel=f"Rank, with its {level * 100:.0f} % range",
            xlim=(0, size + 1),
        )
        _name_places(axes, rows)
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(handles, [f"Segment {label}" for label in labels], loc="lower left", ncols=1)
    width = rows["rank_high"] - rows["rank_low"]
    widest = rows.loc[width.idxmax()]
    return Chart(
        figure,
        f"Rank of {len(rows)} {plural(trust_type)} in league order with {level * 100:.0f} % ranges over the choice of metrics. "
        f"The ranges span {width.median():.0f} places in the middle case and at most {width.max():.0f} "
        f"({widest['trust_name']}, rank {widest['rank']:.0f}, range {widest['rank_low']:.0f} to {widest['rank_high']:.0f}).",
        here,
    )


def segment_probabilities(uncertainty: RankUncertainty, trust_type: str) -> Chart | Text:
    """Stacked bars of the share of draws in each segment, trusts in league order."""
    rows = _drawn(uncertainty, trust_type)
    if rows.empty:
        return _nothing_drawn(uncertainty, trust_type)
    figure, axes = make_axes(9, 3.6)
    shares = rows[[name for name in rows if name.startswith("p_segment_")]]
    with plt.style.context(STYLE):
        below = np.zeros(len(rows))
        for segment, name in enumerate(shares, start=1):
            axes.bar(
                rows["place"], shares[name] * 100, bottom=below, width=0.92, color=SEGMENT_COLOURS[segment],
                hatch=SEGMENT_HATCHES[segment], edgecolor="white", linewidth=0, label=f"Segment {segment}",
            )  # fmt: skip
            below += shares[name].to_numpy() * 100
        axes.set(
            xlabel="Place in the league table (1 = best)",
            ylabel="Share of draws (%)",
            xlim=(0.4, rows["place"].max() + 0.6),
        )
        axes.set_ylim(0, 100)
        axes.grid(False)
        _name_places(axes, rows)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=shares.shape[1])
    sure = int((shares.max(axis=1) >= 0.95).sum())
    return Chart(
        figure,
        f"Share of draws in which each of {len(rows)} {plural(trust_type)} is in each segment, in league order. {sure} of them "
        "are in one segment in at least 95 % of the draws.",
        spots(rows["trust_code"], rows["place"], np.full(len(rows), 50)),
    )


def rank_distribution(uncertainty: RankUncertainty, code: str) -> Chart:
    """How often one trust holds each rank."""
    row = uncertainty.trusts.loc[code]
    shares = uncertainty.rank_probabilities().loc[code].dropna() * 100
    shares = shares[: int((uncertainty.trusts["trust_type"] == row["trust_type"]).sum())]
    figure, axes = make_axes(9, 2.8)
    with plt.style.context(STYLE):
        axes.bar(shares.index, shares, width=0.9, color=SEGMENT_COLOURS[int(row["segment"])])
        axes.axvline(row["rank"], color="#212b32", linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            f"rank {row['rank']:.0f} ",
            (row["rank"], 1),
            xycoords=("data", "axes fraction"),
            ha="right",
            va="top",
            fontsize=9,
        )
        axes.set(
            title=f"{row['trust_name']} ({code})", xlabel="Rank (1 = best)", ylabel="Share of draws (%)",
            xlim=(0, len(shares) + 1),
        )  # fmt: skip
    likely = shares.idxmax()
    return Chart(
        figure,
        f"Share of draws in which {row['trust_name']}, rank {row['rank']:.0f}, holds each rank. The most frequent is rank "
        f"{likely}, in {shares.max():.0f} % of the draws.",
    )


def _drawn(uncertainty: RankUncertainty, trust_type: str, level: float = LEVEL) -> pd.DataFrame:
    """Trusts of a type with their ranges, in league order; without those that have none."""
    rows = uncertainty.table(level)
    rows = rows[rows["trust_type"] == trust_type].reset_index()
    rows = rows.assign(place=np.arange(1, len(rows) + 1), segment=rows["segment"].astype(int))
    return rows.dropna(subset="rank_low")


def _nothing_drawn(uncertainty: RankUncertainty, trust_type: str) -> Text:
    return Text(
        (
            f"No ranges: {plural(trust_type)} have no metric scores that differ in {uncertainty.quarter}, so nothing can be drawn.",
        )
    )


def _bar(trusts: int) -> float:
    """Line width of a range, in points, so that ranges fill about two thirds of the axis."""
    return min(12.0, 400 / trusts)


def _name_places(axes, rows: pd.DataFrame) -> None:
    """Codes in place of numbers where there is room for them."""
    if len(rows) <= NAMED_IN_PLOT:
        axes.set_xticks(rows["place"], rows["trust_code"])
        axes.set_xlabel("Trusts in league order")
