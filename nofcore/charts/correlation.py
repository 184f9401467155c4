"""Charts of how metrics go together and of what drives the average."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from nofcore.charts.base import HEAT, MISSING, SEGMENT_COLOURS, STYLE, Chart, Charts, make_axes, ring, spots
from nofcore.claims import PARTS, QUARTILES, CrossTable
from nofcore.consistency import History
from nofcore.correlation import SMALL, Correlations
from nofcore.drivers import Clusters, Drivers
from nofcore.wording import Text, decimal, plural

SURE = 0.05
"""Coefficients with an adjusted p of at most this are bold in the heat map."""
INK = "#212b32"


def correlation_heat_map(found: Correlations, groups: Clusters) -> Chart | Text:
    """Coefficients between metrics, those that go together side by side; grey where a pair has none."""
    matrix = found.matrix()
    order = [*groups.order, *(name for name in groups.left_out if matrix[name].notna().sum() > 1)]
    if len(order) < 2:
        return Text(("No chart: no two metrics can be set against each other.",))
    square = matrix.loc[order, order]
    short = found.aligned.metrics["short"]
    figure, axes = make_axes(9, 1.9 + 0.32 * len(order))
    with plt.style.context(STYLE):
        axes.set_facecolor(MISSING)
        axes.grid(False)
        sns.heatmap(
            square, ax=axes, mask=np.triu(np.ones(square.shape, dtype=bool)), vmin=-1, vmax=1,
            cmap=sns.blend_palette(HEAT[::-1], as_cmap=True), xticklabels=list(short[order]),
            yticklabels=list(short[order]), linewidths=0.6,
            cbar_kws={"label": "1: good with good. −1: good with bad", "shrink": 0.6, "pad": 0.01},
        )  # fmt: skip
        _print_coefficients(axes, found, square)
        _blank_upper(axes, len(order))
        _frame_clusters(axes, groups)
        axes.tick_params(axis="x", labelrotation=90, labelsize=9, length=0)
        axes.tick_params(axis="y", labelrotation=0, labelsize=9, length=0)
        axes.set(xlabel="", ylabel="", xlim=(0, len(order) - 1), ylim=(len(order), 1))
    return Chart(figure, _heat_alt(found, groups, order))


def _print_coefficients(axes, found: Correlations, square: pd.DataFrame) -> None:
    """Every coefficient in its cell, without the leading zero; bold where it is beyond chance."""
    place = {name: number for number, name in enumerate(square.index)}
    for (a, b), row in found.pairs.dropna(subset="coefficient").iterrows():
        if a in place and b in place:
            value, low, high = row["coefficient"], *sorted((place[a], place[b]))
            text = axes.text(
                low + 0.5, high + 0.5, decimal(value).replace("0.", "."), ha="center", va="center", fontsize=7.5,
                zorder=2, color="white" if abs(value) > 0.45 else INK,
                fontweight="bold" if row["p_adjusted"] <= SURE else "normal",
            )  # fmt: skip
            text.set_in_layout(False)  # inside the axes anyway; hundreds of them would slow the layout


def _blank_upper(axes, count: int) -> None:
    """White over the upper half and the diagonal: grey stands for a pair without a coefficient alone."""
    for row in range(count):
        axes.add_patch(Rectangle((row, row), count - row, 1, facecolor="white", edgecolor="none", zorder=1.5))


def _frame_clusters(axes, groups: Clusters) -> None:
    """A frame around the metrics of one cluster."""
    sizes = groups.groups.value_counts(sort=False)
    for number, size in sizes[sizes > 1].items():
        start = int(np.flatnonzero(groups.groups == number)[0])
        end = start + size - 1
        # Down the left, along the bottom, and up the stairs of the half that is shown.
        stairs = [corner for row in range(end, start, -1) for corner in ((row, row + 1), (row, row))]
        corners = [(start, start + 1), (start, end + 1), *stairs, (start, start + 1)]
        axes.plot(*zip(*corners, strict=True), color=INK, linewidth=1.8, zorder=3, clip_on=False)


def _heat_alt(found: Correlations, groups: Clusters, order: list[str]) -> str:
    known = found.table().dropna(subset="coefficient")
    beyond = known[known["p_adjusted"] <= SURE]
    ends = known.sort_values("coefficient")

    def said(row) -> str:
        return f"{row.name_a} with {row.name_b} {decimal(row.coefficient)}"

    highest = "; ".join(said(row) for row in ends.iloc[::-1].head(3).itertuples())
    lowest = "; ".join(said(row) for row in ends.head(3).itertuples())
    return (
        f"Heat map of the correlations between {len(order)} metrics of {plural(found.trust_type)}, {found.quarter}, "
        f"those that go together side by side. {len(known)} pairs have a coefficient, from "
        f"{decimal(ends['coefficient'].min())} to {decimal(ends['coefficient'].max())}; those beyond chance are bold, "
        f"{len(beyond)} of them. Highest: {highest}. Lowest: {lowest}."
    )


# --- two rankings ---------------------------------------------------------------------------------


def rank_scatters(
    found: Sequence[CrossTable], trust_type: str, coefficients: pd.Series, shown: str | None = None
) -> Charts:
    """Ranks on two metrics against each other, with the counts by quarters beside them. ``coefficients``: by pair;
    ``shown``: code of a trust to mark."""
    return Charts(
        tuple(_rank_scatter(one, trust_type, coefficients[(one.metric_a, one.metric_b)], shown) for one in found)
    )


def _rank_scatter(found: CrossTable, trust_type: str, coefficient: float, shown: str | None) -> Chart:
    """With fewer than `SMALL` trusts without quartiles: there is next to nobody in each."""
    far = found.apart()
    with plt.style.context(STYLE):
        if found.n < SMALL:
            figure, left = plt.subplots(figsize=(9, 4.5))
        else:
            figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.5), width_ratios=(1.15, 1))
            _quartile_counts(right, found)
        _ranks(left, found, far)
        left.set_title(f"{found.n} {plural(trust_type)}: {decimal(coefficient)}")
        here = spots(found.ranks.index, found.ranks["rank_a"], found.ranks["rank_b"])
        ring(left, here, shown)
    return Chart(figure, _scatter_alt(found, far, trust_type, coefficient), here)


def _ranks(axes, found: CrossTable, far: pd.DataFrame) -> None:
    near = found.ranks.drop(index=far.index)
    if found.n >= SMALL:
        for line in np.arange(1, PARTS) * found.n / PARTS + 0.5:
            axes.axvline(line, color="#c9d3dc", linewidth=0.8, zorder=1)
            axes.axhline(line, color="#c9d3dc", linewidth=0.8, zorder=1)
    axes.scatter(near["rank_a"], near["rank_b"], s=18, color=MISSING, edgecolor="white", linewidth=0.3, zorder=2)
    axes.scatter(far["rank_a"], far["rank_b"], s=34, color=SEGMENT_COLOURS[4], marker="D", zorder=5)
    named = found.ranks if found.n < SMALL else far
    for code, a, b in named[["rank_a", "rank_b"]].itertuples():
        axes.annotate(
            code, (a, b), xytext=(7, 0), textcoords="offset points", fontsize=9, va="center", zorder=4,
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )  # fmt: skip
    axes.grid(False)
    axes.set(
        xlabel=f"Rank on {found.name_a} (1 = best)", ylabel=f"Rank on {found.name_b} (1 = best)", xlim=(0, found.n + 1),
        ylim=(found.n + 1, 0), xticks=_ticks(found.n), yticks=_ticks(found.n), box_aspect=1,
    )  # fmt: skip


def _ticks(n: int) -> list[int]:
    step = 20 if n > 50 else 10 if n > 20 else 2
    return [1, *range(step, n + 1, step)]


def _quartile_counts(axes, found: CrossTable) -> None:
    """Trusts by quartile, darker where there are more; in brackets the number expected without a relation."""
    text = np.array(
        [
            [f"{count}\n({expected:.1f})" for count, expected in zip(*rows, strict=True)]
            for rows in zip(found.counts, found.expected, strict=True)
        ]
    )
    sns.heatmap(
        found.counts.T, ax=axes, annot=text.T, fmt="", cbar=False, square=True, linewidths=1.5, vmin=0,
        vmax=1.6 * max(found.counts.max(), 1), cmap=sns.blend_palette(["#ffffff", SEGMENT_COLOURS[1]], as_cmap=True),
        annot_kws={"fontsize": 10, "color": INK}, xticklabels=QUARTILES, yticklabels=QUARTILES,
    )  # fmt: skip
    axes.tick_params(length=0, labelrotation=0)
    axes.set_title("Trusts by quartile (expected)")
    axes.set_xlabel(f"Quartile on {found.name_a}")
    axes.set_ylabel(f"Quartile on {found.name_b}")


def _scatter_alt(found: CrossTable, far: pd.DataFrame, trust_type: str, coefficient: float) -> str:
    said = (
        f"Ranks of {found.n} {plural(trust_type)} on {found.name_a} and {found.name_b}, "
        f"correlation {decimal(coefficient)}."
    )
    if found.n >= SMALL:
        first = ", ".join(f"{count} in the {name}" for name, count in zip(QUARTILES, found.counts[0], strict=True))
        said += (
            f" Of the {found.counts[0].sum()} in the best quartile on {found.name_a}, on {found.name_b} {first} "
            f"quartile; about {found.expected[0].mean():.1f} would be in each if the two had nothing to do with each "
            "other."
        )
    named = "; ".join(f"{code} {a} and {b}" for code, a, b in far[["rank_a", "rank_b"]].itertuples())
    apart = f"Furthest apart, with both ranks: {named}." if named else "No trust is a quarter of the ranking apart."
    return f"{said} {apart}"


# --- what drives the average ----------------------------------------------------------------------


def influence_bars(found: Drivers) -> Chart:
    """Influence of each item on the average with its interval, beside its weight."""
    rows = found.table()
    rows = rows[(rows["weight"] >= 0.005) | (rows["influence"].abs() >= 0.005) | (rows["item"] == "")].iloc[::-1]
    places = np.arange(len(rows))
    figure, axes = make_axes(9, 1.3 + 0.3 * len(rows))
    with plt.style.context(STYLE):
        axes.barh(places, rows["influence"] * 100, height=0.62, color=SEGMENT_COLOURS[2], label="Influence", zorder=2)
        axes.hlines(
            places, rows["influence_low"] * 100, rows["influence_high"] * 100, color=INK, linewidth=1.1, zorder=3,
            label="its 95 % interval",
        )  # fmt: skip
        axes.scatter(
            rows["weight"] * 100, places, marker="D", s=34, color=SEGMENT_COLOURS[4], edgecolor="white", linewidth=0.6,
            zorder=4, label="Weight by the rules",
        )  # fmt: skip
        axes.axvline(0, color="#616a72", linewidth=0.8)
        axes.set_yticks(places, rows["name"])
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", visible=True)
        axes.set(xlabel="Share of the average or of its variance (%)", ylim=(-0.7, len(rows) - 0.3))
        handles, labels = axes.get_legend_handles_labels()
        order = [labels.index(label) for label in ("Influence", "its 95 % interval", "Weight by the rules")]
        axes.legend(
            [handles[i] for i in order], [labels[i] for i in order], loc="lower right", frameon=True, facecolor="white",
            edgecolor="none", framealpha=0.9,
        )  # fmt: skip
    most, least = rows.iloc[::-1].head(3), rows[rows["item"] != ""].head(3)
    return Chart(
        figure,
        f"Influence of each item on the average score of {found.trusts} {plural(found.trust_type)}, {found.quarter}, "
        f"beside its weight. Most: {_shares(most)}. Least: {_shares(least)}. The same figures are in the table below.",
    )


def _shares(rows: pd.DataFrame) -> str:
    return "; ".join(
        f"{row.name} {row.influence * 100:.1f} % (weight {row.weight * 100:.1f} %)"
        for row in rows.itertuples(index=False)
    )


def components(found: Drivers) -> Chart | Text:
    """Eigenvalues of the items' correlations beside those of random tables."""
    if found.structure is None:
        return Text(())
    rows = found.structure.components
    figure, axes = make_axes(9, 3.2)
    with plt.style.context(STYLE):
        axes.plot(
            rows["component"], rows["eigenvalue"], marker="o", color=SEGMENT_COLOURS[1], label="These figures", zorder=3
        )
        axes.plot(
            rows["component"], rows["random"], marker="^", color=SEGMENT_COLOURS[4], linestyle=(0, (4, 3)),
            label="Random tables, 95th percentile",
        )  # fmt: skip
        axes.set(xlabel="Component", ylabel="Eigenvalue", xticks=rows["component"])
        axes.legend(loc="upper right")
    count = int(rows["counts"].sum())
    return Chart(
        figure,
        f"Eigenvalues of {len(rows)} components, falling from {decimal(rows['eigenvalue'].max())} to "
        f"{decimal(rows['eigenvalue'].min())}. {count} {'stands' if count == 1 else 'stand'} above the 95th percentile of "
        f"random tables, which falls from {decimal(rows['random'].max())} to {decimal(rows['random'].min())}.",
    )


def history_scatter(found: History, names: pd.Series) -> Chart | Text:
    """Coefficients of each pair of metrics in the first quarter and in the last that shares a pair with it. ``names``: of
    metrics by identifier."""
    if found.furthest() is None:
        return Text(())
    first, last = found.furthest()
    pairs = found.pairs()[[first, last]].dropna()
    figure, axes = make_axes(9, 4.6)
    with plt.style.context(STYLE):
        axes.plot([-1, 1], [-1, 1], color="#616a72", linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        for line in (axes.axhline, axes.axvline):
            line(0, color="#c9d3dc", linewidth=0.8, zorder=1)
        axes.scatter(
            pairs[first], pairs[last], s=26, color=SEGMENT_COLOURS[1], edgecolor="white", linewidth=0.4, zorder=3
        )
        axes.grid(False)
        axes.set(
            xlim=(-1, 1), ylim=(-1, 1), box_aspect=1, xlabel=f"Coefficient in {first}", ylabel=f"Coefficient in {last}",
        )  # fmt: skip
    change = (pairs[last] - pairs[first]).abs()
    a, b = change.idxmax()
    return Chart(
        figure,
        f"Each point is one of {len(pairs)} pairs of metrics of {plural(found.trust_type)}: its coefficient in {first} "
        f"and in {last}. The nearer to the dashed diagonal, the less has changed; the middle change is "
        f"{decimal(change.median())}, the largest that of {names.get(a, a)} with {names.get(b, b)}, from "
        f"{decimal(pairs.at[(a, b), first])} to {decimal(pairs.at[(a, b), last])}.",
    )
