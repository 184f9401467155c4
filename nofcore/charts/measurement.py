"""Charts of errors of measurement and of funnels."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.ticker import LogLocator, NullLocator

from nofcore.charts.base import MISSING, SEGMENT_COLOURS, SEGMENT_MARKERS, STYLE, Chart, Charts, make_axes, spots
from nofcore.funnel import AverageFunnel, Funnel
from nofcore.wording import counted, plural

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
        axes.set(xlabel="Number of items averaged", ylabel="Average metric score (lower is better)")
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
        f"Funnel of the averages of {len(rows)} {plural(found.trust_type)} against their numbers of items, "
        f"{rows['n_items'].min()} to {rows['n_items'].max()}. The limits narrow as items grow in number. Beyond 2 standard deviations: {counted(beyond, 'trust')}.",
        spots(rows.index, rows["n_items"], rows["average"]),
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
        _name_points(axes, rows[outside])
        low, high = rows["percent"].min(), rows["percent"].max()
        room = 0.12 * max(high - low, 1)
        axes.set(
            xscale="log", ylim=(max(low - room, -room), min(high + room, 100 + room)),
            xlabel="Cases counted (denominator, logarithmic scale)", ylabel=f"{found.metric.short} (%)",
        )  # fmt: skip
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, columnspacing=1.0, handletextpad=0.3)
    here = spots(rows.index, rows["denominator"], rows["percent"])
    return Chart(figure, _funnel_alt(found, rows[outside]), here)


FUNNEL_SIDES = (("better", SEGMENT_COLOURS[1], "o"), ("worse", SEGMENT_COLOURS[4], "^"))


def _funnel_limits(axes, limits: pd.DataFrame, found: Funnel) -> None:
    axes.axhline(found.target, color="#212b32", linewidth=1)
    lines = (
        ("2_overdispersed", (0, (4, 3)), "2 SD, widened"),
        ("3_overdispersed", "solid", "3 SD, widened"),
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


def _name_points(axes, rows: pd.DataFrame) -> None:
    """Codes beside their points: to the right, or to the left or above of what stands close by."""
    at = np.column_stack([np.log(rows["denominator"]), rows["percent"]])
    near = np.array([0.09 * np.ptp(np.log(axes.dataLim.intervalx)), 0.05 * np.ptp(axes.dataLim.intervaly)])
    for place, code in enumerate(rows.index):
        apart = at - at[place]
        close = (np.abs(apart) < near).all(axis=1)
        right, same = (
            (close & (apart[:, 0] > 0)).any(),
            (close & (apart[:, 0] == 0) & (np.arange(len(at)) < place)).any(),
        )
        offset, side = ((-5, 3), "right") if right or same else ((5, 3), "left")
        axes.annotate(
            code, rows.loc[code, ["denominator", "percent"]], xytext=offset, ha=side, textcoords="offset points", fontsize=8,
            zorder=4,
        )  # fmt: skip


def _funnel_alt(found: Funnel, outside: pd.DataFrame) -> str:
    exact = int((found.table()["outside"].abs() >= 3).sum())
    parts = []
    for side, _, _ in FUNNEL_SIDES:
        codes = list(outside.index[outside["better"] == side])
        parts.append(f"{side}: {', '.join(codes) if codes else 'none'}")
    good = "higher is better" if found.metric.better == "high" else "lower is better"
    return (
        f"Funnel plot of {found.metric.short}, {good}: {len(found.table())} trusts around {found.target:.1f} %. Beyond 2 "
        f"standard deviations, allowing for overdispersion: {'; '.join(parts)}. Beyond 3 standard "
        f"deviations of chance in the numbers of cases alone: {counted(exact, 'trust')}."
    )
