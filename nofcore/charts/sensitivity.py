"""Charts of what other rules and other weights do to ranks."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from nofcore.charts.base import (
    MISSING,
    NAMED_IN_PLOT,
    SEGMENT_COLOURS,
    SEGMENT_HATCHES,
    SEGMENT_MARKERS,
    STYLE,
    Chart,
    make_axes,
    ring,
    spots,
)
from nofcore.charts.movement import FALL, INK, RISE, short_name, spaced
from nofcore.sensitivity import APPLIED, OFFICIAL, Outcome, Sensitivity
from nofcore.sobol import Indices
from nofcore.weights import Acceptability
from nofcore.wording import Text, counted, decimal, plural, signed

BAR, LIGHT = SEGMENT_COLOURS[1], "#8fc1ec"
FLOWS = 5
"""Rises and falls that the rank flow names."""


def scenario_changes(found: Sensitivity, trust_type: str) -> Chart | Text:
    """Mean absolute rank change by scenario, largest first, with the largest change of a trust in figures."""
    rows = found.table(trust_type)
    rows = rows[rows["status"] == APPLIED].sort_values("mean_change", ascending=False, kind="stable")
    if rows.empty:
        return Text(("No chart: no scenario changes anything for this type.",))
    places = np.arange(len(rows))
    figure, axes = make_axes(9, 1.2 + 0.29 * len(rows))
    with plt.style.context(STYLE):
        axes.barh(places, rows["mean_change"], height=0.66, color=BAR)
        for place, mean, largest in zip(places, rows["mean_change"], rows["max_change"], strict=True):
            axes.annotate(
                f"most {largest}", (mean, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8.5
            )
        # The figures stand with the names, where a narrow screen shows them first.
        labels = [f"{name}  {_mean(mean)}" for name, mean in rows[["name", "mean_change"]].itertuples(index=False)]
        axes.set_yticks(places, labels, fontsize=9)
        axes.set(
            xlabel="Mean absolute change of rank (places); “most” is the largest of one trust",
            ylim=(len(rows) - 0.4, -0.6), xlim=(0, max(rows["mean_change"].max() * 1.22, 0.1)),
        )  # fmt: skip
        axes.xaxis.label.set(x=0, ha="left")
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", visible=True)
    said = "; ".join(
        f"{row.name_} {_mean(row.mean_change)}" for row in rows.rename(columns={"name": "name_"}).itertuples()
    )
    return Chart(
        figure,
        f"Mean absolute change of rank of {rows['n'].max()} {plural(trust_type)}, in places, under each scenario that changes something: {said}.",
    )  # fmt: skip


def scenario_ranges(found: Sensitivity, trust_type: str, shown: str | None = None) -> Chart:
    """Official rank of each trust in league order, with its range over all scenarios and the middle half of them.

    ``shown``: code of a trust to mark.
    """
    ranks, segments = found.ranks(trust_type), found.segments(trust_type)["official"].astype(int)
    values = ranks.to_numpy(dtype=float)
    low, high = np.nanmin(values, axis=1), np.nanmax(values, axis=1)
    inner = np.nanpercentile(values, [25, 75], axis=1)
    order = np.arange(1, len(ranks) + 1)
    figure, axes = make_axes(9, 5.2)
    width = min(12.0, 400 / len(ranks))
    with plt.style.context(STYLE):
        axes.vlines(order, low, high, color=MISSING, linewidth=width * 0.55, alpha=0.75, label="All scenarios")
        axes.vlines(order, *inner, color=INK, linewidth=width, alpha=0.55, label="Middle half of them")
        for segment in sorted(segments.unique()):
            mine = (segments == segment).to_numpy()
            axes.scatter(
                order[mine], ranks["official"][mine], s=30, color=SEGMENT_COLOURS[segment], marker=SEGMENT_MARKERS[segment],
                edgecolor="white", linewidth=0.4, zorder=3, label=f"Official, segment {segment}",
            )  # fmt: skip
        here = spots(ranks.index, order, ranks["official"])
        ring(axes, here, shown)
        axes.set(
            xlabel="Place in the league table (1 = best)", ylabel="Rank under the scenarios (1 = best)",
            xlim=(0, len(ranks) + 1), ylim=(len(ranks) + 1, 0),
        )  # fmt: skip
        axes.set_yticks(_rank_ticks(len(ranks)))
        _name_places(axes, ranks.index)
        axes.legend(loc="lower left", fontsize=9)
    spans = pd.Series(high - low, ranks.index)
    names = found.baseline.trusts["trust_name"]
    most = spans.idxmax()
    at = ranks.index.get_loc(most)
    return Chart(
        figure,
        f"Official rank of {len(ranks)} {plural(trust_type)} in league order, with the range of ranks over {ranks.shape[1] - 1} scenarios. "
        f"The ranges span {spans.median():.0f} places in the middle case and at most {spans.max():.0f} ({names[most]}, rank "
        f"{ranks['official'][most]}, range {low[at]:.0f} to {high[at]:.0f}).",
        here,
    )  # fmt: skip


def scenario_flow(found: Sensitivity, trust_type: str, outcome: Outcome, shown: str | None = None) -> Chart:
    """Ranks under the official rules and under one scenario, a line for each trust; the largest movers by name."""
    before = found.baseline.of(trust_type).dropna(subset="rank")
    after = outcome.table.trusts["rank"].reindex(before.index)
    ranks = pd.DataFrame({"official": before["rank"], "other": after}).dropna()
    gained = ranks["official"] - ranks["other"]
    picked = _flows(gained, shown)
    size, small = len(before), len(before) <= NAMED_IN_PLOT
    figure, axes = make_axes(9, 3.8 if small else 6.4)
    with plt.style.context(STYLE):
        others = ranks[~ranks.index.isin(picked)].to_numpy(dtype=float)
        axes.plot([0, 1], others.T, color=MISSING, linewidth=0.7, alpha=0.55, zorder=1)
        for code in picked:
            colour, style = _way(gained[code])
            axes.plot(
                [0, 1], ranks.loc[code], color=colour, linestyle=style, linewidth=2, marker="o", markersize=4, zorder=3
            )
        named = list(ranks.index) if small else picked
        ends = ranks.loc[named, "other"]
        for code, height in spaced(ends, size * (0.075 if small else 0.036)).items():
            axes.annotate(
                f"{ends[code]:.0f}  {short_name(before.at[code, 'trust_name'])} ({signed(gained[code], 0)})",
                (1, ends[code]), xytext=(1.04, height), textcoords="data", va="center", fontsize=8.5,
                color=_way(gained[code])[0] if code in picked else "#4c555b", annotation_clip=False,
                arrowprops={"arrowstyle": "-", "color": "#b0b7bc", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 4},
            )  # fmt: skip
        axes.set_xticks([0, 1], [OFFICIAL, _wrapped(outcome.scenario.name)])
        axes.set(ylabel="Rank (1 = best)", ylim=(size + 1, 0), xlim=(-0.04, 1.95))
        axes.set_yticks(_rank_ticks(size, 10))
        axes.spines["bottom"].set_visible(False)
        axes.grid(axis="x", visible=True)
    rose, fell = int((gained > 0).sum()), int((gained < 0).sum())
    return Chart(
        figure,
        f"Ranks of {len(ranks)} {plural(trust_type)} under the official rules and under the scenario {outcome.scenario.name}, a line each: "
        f"{rose} would rank better, {fell} worse. {_flow_ends(ranks, gained, before['trust_name'])}".strip(),
        spots(ranks.index, np.ones(len(ranks)), ranks["other"]),
    )  # fmt: skip


def acceptability(found: Acceptability, trust_type: str) -> Chart:
    """Stacked bars of the share of weightings in each segment, trusts in league order."""
    rows = found.table(trust_type).dropna(subset="p_segment_1")
    names = [name for name in rows if name.startswith("p_segment_") and not name.endswith("error")]
    figure, axes = make_axes(9, 3.8)
    with plt.style.context(STYLE):
        edges, below = np.arange(len(rows) + 1) + 0.5, np.zeros(len(rows))
        for segment, name in enumerate(names, start=1):
            above = below + rows[name].to_numpy() * 100
            axes.stairs(
                above, edges, baseline=below, fill=True, color=SEGMENT_COLOURS[segment], hatch=SEGMENT_HATCHES[segment],
                edgecolor="white", linewidth=0, label=f"Segment {segment}",
            )  # fmt: skip
            below = above
        if len(rows) <= NAMED_IN_PLOT:
            axes.vlines(edges, 0, 100, color="white", linewidth=2)
        axes.set(
            xlabel="Place in the league table (1 = best)",
            ylabel="Share of weightings (%)",
            xlim=(0.4, len(rows) + 0.6),
        )
        axes.set_ylim(0, 100)
        axes.grid(False)
        _name_places(axes, rows.index)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(names), columnspacing=1.2)
    sure = int((rows[names].max(axis=1) >= 0.95).sum())
    unlikely = int((rows["p_official_segment"] < 0.5).sum())
    return Chart(
        figure,
        f"Share of {found.draws:,} weightings in which each of {len(rows)} {plural(trust_type)} is in each segment, in league order. "
        f"{sure} of them {'is' if sure == 1 else 'are'} in one segment under at least 95 % of the weightings; {unlikely} "
        f"{'is' if unlikely == 1 else 'are'} in the official one under fewer than half.",
        spots(rows.index, np.arange(1, len(rows) + 1), np.full(len(rows), 50)),
    )  # fmt: skip


def sobol_bars(found: Indices, what: str) -> Chart:
    """First-order and total indices of each factor for the mean absolute rank change, with intervals.

    Where every combination was computed the bars are exact and the intervals are those of a sample.
    ``what``: the factors, in words.
    """
    rows = found.table()
    exact = "exact_" if found.whole is not None else ""
    places = np.arange(len(rows))
    figure, axes = make_axes(9, 1.3 + 0.44 * len(rows))
    kinds = (
        ("first_order", "Alone (first order)", BAR, "", -0.2),
        ("total_order", "With the others (total)", LIGHT, "////", 0.2),
    )
    with plt.style.context(STYLE):
        for name, label, colour, hatch, shift in kinds:
            axes.barh(
                places + shift, rows[exact + name], height=0.38, color=colour, hatch=hatch, edgecolor="white", linewidth=0.3, label=label
            )  # fmt: skip
            for width, line in ((3.4, "white"), (1.4, INK)):  # cased, to be seen on dark bars
                axes.hlines(
                    places + shift, rows[f"{name}_low"], rows[f"{name}_high"], color=line, linewidth=width, zorder=3
                )
        axes.plot([], [], color=INK, linewidth=1.4, label="95 % interval of a sample")
        axes.axvline(0, color=INK, linewidth=1)
        axes.set_yticks(places, rows["name"], fontsize=9)
        axes.set(xlabel="Share of the variance of the mean rank change", ylim=(len(rows) - 0.4, -0.6))
        axes.xaxis.label.set(x=0, ha="left")
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", visible=True)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    said = "; ".join(
        f"{name} {_share(first)} and {_share(total)}"
        for name, first, total in rows[["name", f"{exact}first_order", f"{exact}total_order"]].itertuples(index=False)
    )
    return Chart(
        figure,
        f"Sobol indices, first-order and total, of {what} for the mean absolute rank change of {len(found.trusts)} "
        f"{plural(found.trust_type)}: {said}.",
    )


# --- what they share ------------------------------------------------------------------------------


def _mean(change: float) -> str:
    """A mean change with one decimal, unless that would make it nothing."""
    return f"{change:.1f}" if change >= 0.05 or not change else "under 0.1"


def _share(index: float) -> str:
    return "not defined" if np.isnan(index) else decimal(index)


def _way(gained: float) -> tuple[str, str]:
    return (RISE, "solid") if gained > 0 else (FALL, "dashed") if gained < 0 else (INK, "dotted")


def _flows(gained: pd.Series, shown: str | None) -> list[str]:
    """Codes of the largest rises, then of the largest falls, and of a trust that is asked for."""
    order = gained.sort_values(ascending=False, kind="stable")
    each = min(FLOWS, max(len(order) // 4, 1))
    rises, falls = order.index[order > 0][:each], order.index[order < 0][-each:]
    picked = [*rises, *falls]
    return [shown, *picked] if shown in order.index and shown not in picked else picked


def _flow_ends(ranks: pd.DataFrame, gained: pd.Series, names: pd.Series) -> str:
    said = []
    for code, word in ((gained.idxmax(), "gain"), (gained.idxmin(), "loss")):
        if (gained[code] > 0) == (word == "gain") and gained[code]:
            size = counted(int(abs(gained[code])), "place")
            said.append(
                f"The largest {word} is that of {names[code]}, {size}, from {ranks.at[code, 'official']:.0f} to {ranks.at[code, 'other']:.0f}."
            )
    return " ".join(said)


def _wrapped(name: str) -> str:
    """A name on two lines where it is long."""
    if len(name) < 28:
        return name
    middle = min((at for at, letter in enumerate(name) if letter == " "), key=lambda at: abs(at - len(name) / 2))
    return f"{name[:middle]}\n{name[middle + 1 :]}"


def _rank_ticks(size: int, step: int = 20) -> list[int]:
    return [1, *range(step, size + 1, step)] if size > NAMED_IN_PLOT else list(range(1, size + 1))


def _name_places(axes, codes: pd.Index) -> None:
    """Codes in place of numbers where there is room for them."""
    if len(codes) <= NAMED_IN_PLOT:
        axes.set_xticks(np.arange(1, len(codes) + 1), codes)
        axes.set_xlabel("Trusts in league order")
