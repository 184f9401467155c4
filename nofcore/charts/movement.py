"""Charts of who moved between two quarters."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from nofcore.change_ranges import CANNOT_TELL, ChangeRanges
from nofcore.charts.base import MISSING, NAMED_IN_PLOT, SEGMENT_COLOURS, STYLE, Chart, make_axes, spots
from nofcore.decomposition import Decomposition
from nofcore.league import LeagueTable
from nofcore.movement import LARGEST, Movement, largest
from nofcore.tables.movement import parts_shown
from nofcore.wording import Text, plural, signed, singular

RISE, FALL = SEGMENT_COLOURS[1], SEGMENT_COLOURS[4]
INK = "#212b32"


def short_name(name: str) -> str:
    """A trust's name without the words that nearly all end in."""
    for ending in (" NHS Foundation Trust", " NHS Trust"):
        name = name.removesuffix(ending)
    return name


def rank_flow(path: Sequence[LeagueTable], movement: Movement, trust: str | None = None) -> Chart:
    """Ranks over the quarters from the earlier to the later one, with the largest movers named at the right."""
    ranks = pd.DataFrame({one.quarter: one.of(movement.trust_type)["rank"] for one in path})
    ranks = ranks.reindex(movement.trusts.index)
    gained = movement.trusts["gained"]
    named = list(ranks.index) if len(ranks) <= NAMED_IN_PLOT else largest(movement, trust=trust)
    picked = largest(movement, min(LARGEST, max(len(ranks) // 4, 1)), trust)
    size = max(len(one.of(movement.trust_type)) for one in path)
    figure, axes = make_axes(9, 3.6 if size <= NAMED_IN_PLOT else 6.4)
    places = np.arange(len(path))
    with plt.style.context(STYLE):
        for code, row in ranks.iterrows():
            if code not in picked:
                axes.plot(places, row, color=MISSING, linewidth=0.7, alpha=0.55, zorder=1)
        for code in picked:
            colour, style = _way(gained[code])
            axes.plot(
                places, ranks.loc[code], color=colour, linestyle=style, linewidth=2, marker="o", markersize=4, zorder=3
            )
        last, names = ranks[path[-1].quarter], movement.trusts["trust_name"].map(short_name)
        across = places[-1] + 0.05 * max(len(path) - 1, 1)
        for code, height in spaced(last[named], size * (0.075 if size <= NAMED_IN_PLOT else 0.036)).items():
            axes.annotate(
                f"{last[code]:.0f}  {names[code]} ({signed(gained[code], 0)})", (places[-1], last[code]),
                xytext=(across, height), textcoords="data", va="center", fontsize=8, annotation_clip=False,
                color=_way(gained[code])[0] if code in picked else "#4c555b",
                arrowprops={"arrowstyle": "-", "color": "#b0b7bc", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 4},
            )  # fmt: skip
        axes.set_xticks(places, [one.quarter for one in path])
        axes.set(ylabel="Rank (1 = best)", ylim=(size + 1, 0), xlim=(-0.05, places[-1] * 1.72))
        axes.set_yticks([1, *range(10, size + 1, 10)] if size > NAMED_IN_PLOT else range(1, size + 1))
        axes.spines["bottom"].set_visible(False)
        axes.grid(axis="x", visible=True)
    rose, fell = (gained[codes] for codes in (gained.index[gained > 0], gained.index[gained < 0]))
    return Chart(
        figure,
        f"Ranks of {len(ranks)} {plural(movement.trust_type)} from {path[0].quarter} to {path[-1].quarter}, a line "
        f"each; {len(rose)} rose, "
        f"{len(fell)} fell. {_largest_said(movement)}",
        spots(last.index, np.full(len(last), places[-1]), last),
    )  # fmt: skip


def _way(gained: int) -> tuple[str, str]:
    """Colour and line of a rise, a fall and neither."""
    return (RISE, "solid") if gained > 0 else (FALL, "dashed") if gained < 0 else (INK, "dotted")


def _largest_said(movement: Movement) -> str:
    gained = movement.trusts["gained"]
    said = []
    for code, word in ((gained.idxmax(), "rise"), (gained.idxmin(), "fall")):
        if (gained[code] > 0) == (word == "rise") and gained[code]:
            row = movement.trusts.loc[code]
            said.append(
                f"The largest {word} is that of {row['trust_name']}, from {row['rank_before']:.0f} to "
                f"{row['rank_after']:.0f}."
            )
    return " ".join(said)


def spaced(heights: pd.Series, gap: float) -> pd.Series:
    """The heights in the same order, moved as little as needed to lie at least ``gap`` apart."""
    ordered = heights.sort_values(kind="stable")
    wanted = ordered.to_numpy(dtype=float) - gap * np.arange(len(ordered))
    blocks: list[list[float]] = []  # least squares under monotony: pool neighbours that are out of order
    for value in wanted:
        blocks.append([value, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (low, few), (high, many) = blocks[-2:]
            blocks[-2:] = [[(low * few + high * many) / (few + many), few + many]]
    flat = np.repeat([value for value, _ in blocks], [int(count) for _, count in blocks])
    return pd.Series(flat + gap * np.arange(len(ordered)), index=ordered.index)


def average_changes(movement: Movement, ranges: ChangeRanges | str) -> Chart | Text:
    """Changes of the average in order, each with its range over the choice of metrics."""
    if isinstance(ranges, str):
        return Text(())
    rows = ranges.table().sort_values("shared_change", kind="stable")
    places = np.arange(1, len(rows) + 1)
    figure, axes = make_axes(9, 4.6)
    with plt.style.context(STYLE):
        axes.axhline(0, color=INK, linewidth=1)
        for verdict, colour, marker, label in VERDICTS:
            mine = (rows["verdict"] == verdict).to_numpy()
            axes.vlines(
                places[mine], rows.loc[mine, "change_low"], rows.loc[mine, "change_high"], color=colour,
                linewidth=min(9.0, 300 / len(rows)), alpha=0.5,
            )  # fmt: skip
            axes.scatter(
                places[mine], rows.loc[mine, "shared_change"], s=30, marker=marker, zorder=3, linewidth=1.1,
                edgecolor=colour,
                facecolor="white" if verdict == CANNOT_TELL else colour, label=f"{label} ({mine.sum()})",
            )  # fmt: skip
        for place, (code, row) in zip(places, rows.iterrows(), strict=True):
            if row["verdict"] != CANNOT_TELL or len(rows) <= NAMED_IN_PLOT:
                axes.annotate(
                    code, (place, row["change_high"]), xytext=(0, 3), textcoords="offset points", ha="center",
                    va="bottom",
                    rotation=90 if len(rows) > NAMED_IN_PLOT else 0, fontsize=7,
                )  # fmt: skip
        axes.set_xticks([])
        axes.set(
            xlabel="Trusts (codes as in the table of movers) by the change of their average on shared metrics, best first",
            ylabel="Change of average (points; below 0 is better)", xlim=(0, len(rows) + 1),
        )  # fmt: skip
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(VERDICTS))
    counts = rows["verdict"].value_counts()
    return Chart(
        figure,
        f"Changes of the average of {len(rows)} {plural(movement.trust_type)} on the metrics of both quarters, in "
        "order, each with its 95 % range "
        f"over the choice of metrics: {counts.get('better', 0)} better, {counts.get('worse', 0)} worse, "
        f"{counts.get(CANNOT_TELL, 0)} "
        "cannot be told from no change. The same figures are in the table of movers.",
    )  # fmt: skip


VERDICTS = (
    ("better", RISE, "o", "Better"),
    (CANNOT_TELL, "#616a72", "s", "Cannot tell"),
    ("worse", FALL, "^", "Worse"),
)
PART_STYLES = {
    "own": ("#0b4f9e", ""),
    "others": ("#8fc1ec", "...."),
    "cut_offs": ("#4c555b", "----"),
    "override": ("#a63f00", "xxxx"),
    "metrics": ("#f2a33a", "////"),
    "field": ("#d8dde0", "++++"),
}


def rank_parts(movement: Movement, split: Decomposition | str, trust: str | None = None) -> Chart | Text:
    """The places gained by the largest movers, split into parts: bars to the right are places gained."""
    if isinstance(split, str):
        return Text(())
    codes = largest(movement, trust=trust)
    if not codes:
        return Text((f"No {singular(movement.trust_type)} changed its rank.",))
    shown = parts_shown(split)
    parts = split.parts().loc[codes, list(shown)]
    places = np.arange(len(codes))
    figure, axes = make_axes(9, 1.5 + 0.46 * len(codes))
    with plt.style.context(STYLE):
        for sign in (1, -1):
            start = np.zeros(len(codes))
            for name, label in shown.items():
                width = parts[name].clip(lower=0) if sign > 0 else parts[name].clip(upper=0)
                colour, hatch = PART_STYLES[name]
                axes.barh(
                    places, width, left=start, height=0.62, color=colour, hatch=hatch, edgecolor="white", linewidth=0.3,
                    label=label if sign > 0 else None,
                )  # fmt: skip
                start += width.to_numpy()
        gained = movement.trusts.loc[codes, "gained"]
        axes.scatter(
            gained,
            places,
            marker="D",
            s=44,
            color="white",
            edgecolor=INK,
            linewidth=1.4,
            zorder=4,
            label="Places gained",
        )
        axes.axvline(0, color=INK, linewidth=1)
        rows = movement.trusts.loc[codes]
        labels = [
            "\n".join(
                [*wrap(short_name(row["trust_name"]), 26), f"{row['rank_before']:.0f} to {row['rank_after']:.0f}"]
            )
            for _, row in rows.iterrows()
        ]
        axes.set_yticks(places, labels, fontsize=8)
        axes.set(xlabel="Places gained (right) or lost (left)", ylim=(len(codes) - 0.4, -0.6))
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", visible=True)
        axes.legend(loc="lower center", bbox_to_anchor=(0.35, 1.0), ncols=4, columnspacing=1.1, handletextpad=0.4)
    return Chart(figure, _parts_alt(movement, parts, shown))


def _parts_alt(movement: Movement, parts: pd.DataFrame, shown: dict[str, str]) -> str:
    said = []
    for code, row in parts.iterrows():
        main = row.abs().idxmax()
        said.append(
            f"{short_name(movement.trusts.at[code, 'trust_name'])} {signed(movement.trusts.at[code, 'gained'], 0)}, "
            f"mostly {shown[main].lower()} ({signed(row[main], 1)})"
        )
    return (
        f"Places gained by the largest movers among {plural(movement.trust_type)}, split into parts: {'; '.join(said)}."
    )
