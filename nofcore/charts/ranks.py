"""Charts of how sure a rank is."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.ticker import LogLocator, NullLocator

from nofcore.bootstrap import LEVEL, RankUncertainty
from nofcore.charts.base import (
    MISSING,
    NAMED_IN_PLOT,
    SEGMENT_COLOURS,
    SEGMENT_HATCHES,
    SEGMENT_MARKERS,
    STYLE,
    Chart,
    Charts,
    make_axes,
)  # fmt: skip
from nofcore.funnel import AverageFunnel, Funnel
from nofcore.wording import Text, plural


def rank_ranges(uncertainty: RankUncertainty, trust_type: str, level: float = LEVEL) -> Chart | Text:
    """Rank of each trust in league order with its range over the choice of metrics, coloured by segment."""
    rows = _drawn(uncertainty, trust_type, level)
    if rows.empty:
        return _nothing_drawn(uncertainty, trust_type)
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
        axes.set_ylim(len(rows) + 1, 0)
        axes.set_yticks([1, *range(20, len(rows) + 1, 20)] if len(rows) > NAMED_IN_PLOT else range(1, len(rows) + 1))
        axes.set(
            xlabel="Place in the league table (1 = best)",
            ylabel=f"Rank, with its {level:.0%} range",
            xlim=(0, len(rows) + 1),
        )
        _name_places(axes, rows)
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(handles, [f"Segment {label}" for label in labels], loc="lower left", ncols=1)
    width = rows["rank_high"] - rows["rank_low"]
    widest = rows.loc[width.idxmax()]
    return Chart(
        figure,
        f"Rank of {len(rows)} {plural(trust_type)} in league order with {level:.0%} ranges over the choice of metrics. "
        f"The ranges span {width.median():.0f} places in the middle case and at most {width.max():.0f} "
        f"({widest['trust_name']}, rank {widest['rank']:.0f}, range {widest['rank_low']:.0f} to {widest['rank_high']:.0f}).",
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
            xlabel="Place in the league table (1 = best)", ylabel="Share of draws (%)", xlim=(0.4, len(rows) + 0.6)
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
            f"No ranges: no metric scores are at hand for {plural(trust_type)} in {uncertainty.quarter}, so nothing can be drawn.",
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


KIND_LABELS = {
    "items": "Which metrics were chosen",
    "noise": "Measurement (counted metrics only)",
    "both": "Both together",
}


def kinds_of_uncertainty(side_by_side: pd.DataFrame, trust_type: str) -> Chart:
    """Widths of the rank ranges of a type under each kind of uncertainty. ``side_by_side``: of `nofcore.noise`."""
    rows = side_by_side[side_by_side["trust_type"] == trust_type]
    long = pd.concat(
        [pd.DataFrame({"kind": label, "width": rows[f"{kind}_rank_width"]}) for kind, label in KIND_LABELS.items()],
        ignore_index=True,
    ).dropna()
    figure, axes = make_axes(9, 2.6)
    with plt.style.context(STYLE):
        sns.stripplot(long, x="width", y="kind", color=SEGMENT_COLOURS[2], size=4, jitter=False, alpha=0.35, ax=axes)
        for place, label in enumerate(KIND_LABELS.values()):
            median = long.loc[long["kind"] == label, "width"].median()
            axes.plot([median], [place], marker="|", markersize=26, markeredgewidth=2, color="#212b32", zorder=4)
            axes.annotate(f"{median:.0f}", (median, place - 0.36), ha="center", va="bottom", fontsize=9)
        axes.set(
            xlabel="Width of the 95 % range of the rank (places); the bar is the middle trust",
            ylabel="", ylim=(len(KIND_LABELS) - 0.5, -0.75),
        )  # fmt: skip
    middle = long.groupby("kind")["width"].median()
    said = "; ".join(f"{label[:1].lower()}{label[1:]} {middle[label]:.0f}" for label in KIND_LABELS.values())
    return Chart(
        figure,
        f"Widths of the rank ranges of {len(rows)} {plural(trust_type)}, in places, middle value for each kind: {said}.",
    )


def average_funnel(found: AverageFunnel, segments: pd.Series) -> Chart:
    """Averages of a trust type against their number of items, with the limits of 2 and 3 standard deviations.

    ``segments``: by trust code.
    """
    rows = found.table().assign(segment=segments.reindex(found.table().index)).dropna(subset="segment")
    rows = rows.assign(segment=rows["segment"].astype(int))
    sizes = np.arange(max(int(rows["n_items"].min()) - 1, 1), int(rows["n_items"].max()) + 2)
    limits = found.limits(sizes)
    figure, axes = make_axes(9, 4.2)
    with plt.style.context(STYLE):
        axes.axhline(found.target, color="#212b32", linewidth=1)
        for sd, style in ((2, (0, (4, 3))), (3, "solid")):
            for end in ("low", "high"):
                axes.plot(sizes, limits[f"{end}_{sd}"], color="#616a72", linewidth=0.9, linestyle=style)
            axes.annotate(
                f"{sd} SD", (sizes[-1], limits[f"high_{sd}"].iloc[-1]), fontsize=8, color="#4c555b", va="center"
            )
        sns.scatterplot(
            rows, x="n_items", y="average", hue="segment", style="segment", palette=SEGMENT_COLOURS,
            markers=SEGMENT_MARKERS, s=40, edgecolor="white", linewidth=0.4, ax=axes, zorder=3,
        )  # fmt: skip
        axes.set(xlabel="Number of items averaged", ylabel="Average metric score (1 = best, 4 = worst)")
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(
            handles,
            [f"Segment {label}" for label in labels],
            loc="lower center",
            bbox_to_anchor=(0.5, 1.0),
            ncols=len(labels),
        )
    beyond = int((rows["outside"].abs() >= 2).sum())
    return Chart(
        figure,
        f"Funnel of the averages of {len(rows)} {plural(found.trust_type)} against their numbers of items, {sizes[0] + 1} to "
        f"{sizes[-1] - 1}. The limits narrow as items grow in number; {beyond} trusts lie beyond 2 standard deviations.",
    )


def funnels(found: Mapping[str, Funnel], shown: str | None = None) -> Charts:
    """The funnel of each metric. ``shown``: code of a trust that is named wherever it lies."""
    return Charts(tuple(_funnel(one, shown) for one in found.values()))


def _funnel(found: Funnel, shown: str | None) -> Chart:
    """Percentages of a metric against their denominators; trusts beyond 2 standard deviations, with overdispersion
    allowed for, are named by code."""
    rows = found.table()
    outside = rows["outside_overdispersed"].abs() >= 2
    sizes = np.unique(np.geomspace(rows["denominator"].min() * 0.9, rows["denominator"].max() * 1.05, 200).astype(int))
    sizes = sizes[sizes > 0]
    figure, axes = make_axes(9, 4.2)
    with plt.style.context(STYLE):
        _funnel_limits(axes, found.limits(sizes), found)
        axes.scatter(rows.loc[~outside, "denominator"], rows.loc[~outside, "percent"], s=16, color=MISSING, zorder=2)
        for (side, colour, marker), far in product(FUNNEL_SIDES, (True, False)):
            mine = rows[outside & (rows["better"] == side) & ((rows["outside_overdispersed"].abs() >= 3) == far)]
            axes.scatter(
                mine["denominator"], mine["percent"], s=44, marker=marker, edgecolor=colour, linewidth=1.4, zorder=3,
                facecolor=colour if far else "white", label=f"{side.capitalize()}, beyond {3 if far else 2} SD",
            )  # fmt: skip
        if shown in rows.index:
            mine = rows.loc[[shown]]
            axes.scatter(
                mine["denominator"],
                mine["percent"],
                s=110,
                facecolor="none",
                edgecolor="#212b32",
                label=shown,
                zorder=4,
            )
        named = rows[outside]
        for code, size, percent in named[["denominator", "percent"]].itertuples():
            axes.annotate(code, (size, percent), xytext=(5, 3), textcoords="offset points", fontsize=8, zorder=4)
        low, high = rows["percent"].min(), rows["percent"].max()
        room = 0.12 * max(high - low, 1)
        axes.set(
            xscale="log", ylim=(max(low - room, -room), min(high + room, 100 + room)),
            xlabel="Patients counted (denominator, logarithmic scale)", ylabel=f"{found.metric.short} (%)",
        )  # fmt: skip
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, columnspacing=1.0, handletextpad=0.3)
    return Chart(figure, _funnel_alt(found, rows[outside]))


FUNNEL_SIDES = (("better", SEGMENT_COLOURS[1], "o"), ("worse", SEGMENT_COLOURS[4], "^"))


def _funnel_limits(axes, limits: pd.DataFrame, found: Funnel) -> None:
    axes.axhline(found.target, color="#212b32", linewidth=1)
    lines = (
        ("2_overdispersed", (0, (4, 3)), "Limit of 2 SD"),
        ("3_overdispersed", "solid", "Limit of 3 SD"),
        ("3", (0, (1, 2)), "3 SD of chance alone"),
    )
    for kind, style, label in lines:
        for end, name in (("low", None), ("high", label)):
            axes.plot(
                limits.index,
                limits[f"{end}_{kind}"],
                color="#616a72",
                linewidth=0.9,
                linestyle=style,
                zorder=1,
                label=name,
            )


def _funnel_alt(found: Funnel, outside: pd.DataFrame) -> str:
    exact = int((found.table()["outside"].abs() >= 3).sum())
    parts = []
    for side, _, _ in FUNNEL_SIDES:
        codes = list(outside.index[outside["better"] == side])
        parts.append(f"{side}: {', '.join(codes) if codes else 'none'}")
    good = "higher is better" if found.metric.better == "high" else "lower is better"
    return (
        f"Funnel plot of {found.metric.short}, {good}: {len(found.table())} trusts around {found.target:.1f} %. Beyond 2 "
        f"standard deviations, allowing for overdispersion: {'; '.join(parts)}. {exact} trusts lie beyond 3 standard "
        "deviations of chance in patient numbers alone."
    )
