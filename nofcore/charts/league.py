"""Charts of a league table."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from nofcore.charts.base import (
    HEAT,
    MISSING,
    NAMED,
    NAMED_IN_PLOT,
    SEGMENT_COLOURS,
    SEGMENT_MARKERS,
    STYLE,
    Chart,
    make_axes,
    ring,
    spots,
)  # fmt: skip
from nofcore.league import LeagueTable
from nofcore.wording import Text, counted, plural, points


def averages(league: LeagueTable, trust_type: str, shown: str | None = None) -> Chart:
    """Average metric score of each trust in league order, coloured by segment, with the segment cut-offs.

    ``shown``: code of a trust to mark.
    """
    rows = _ranked(league, trust_type)
    cuts = league.cut_offs
    figure, axes = make_axes(9, 4.2)
    with plt.style.context(STYLE):
        for number, cut in enumerate(cuts.get(trust_type, cuts.get("", ())), start=1):
            axes.axhline(cut / 100, color="#616a72", linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
            axes.annotate(
                f"segment {number} up to {points(cut / 100)}", (1, cut / 100), xycoords=("axes fraction", "data"),
                ha="right", va="bottom", fontsize=8, color="#4c555b",
            )  # fmt: skip
        sns.scatterplot(
            rows, x="place", y="average_score", hue="segment", style="segment", palette=SEGMENT_COLOURS,
            markers=SEGMENT_MARKERS, s=46, edgecolor="white", linewidth=0.4, ax=axes, zorder=3,
        )  # fmt: skip
        capped = rows[rows["unadjusted_segment"] < rows["segment"]]
        if len(capped):
            axes.scatter(
                capped["place"], capped["average_score"], s=110, facecolor="none", edgecolor="#212b32", linewidth=0.9,
                zorder=2, label="Held back for deficit",
            )  # fmt: skip
        if len(rows) <= NAMED_IN_PLOT:
            for place, average, code in rows[["place", "average_score", "trust_code"]].itertuples(index=False):
                axes.annotate(
                    code, (place, average), xytext=(0, 9), textcoords="offset points", ha="center", fontsize=8
                )
        axes.set(
            xlabel="Place in the league table (1 = best)",
            ylabel=f"Average metric score ({league.scale.ends})",
            xlim=(0, len(rows) + 1),
        )
        handles, labels = axes.get_legend_handles_labels()
        labels = [f"Segment {label}" if label.isdigit() else label for label in labels]
        axes.legend(handles, labels, loc="upper left", ncols=len(labels), columnspacing=1.2, handletextpad=0.3)
        low, high = axes.get_ylim()
        axes.set_ylim(low, high + 0.14 * (high - low))  # room for the legend
        here = spots(rows["trust_code"], rows["place"], rows["average_score"])
        ring(axes, here, shown)
    return Chart(figure, _averages_alt(rows, capped, trust_type), here)


def _averages_alt(rows: pd.DataFrame, capped: pd.DataFrame, trust_type: str) -> str:
    parts = [
        f"segment {segment}: {counted(len(part), 'trust')}, averages {part['average_score'].min():.2f} to "
        f"{part['average_score'].max():.2f}"
        for segment, part in rows.groupby("segment")
    ]
    held = ""
    if len(capped):
        count = f"{len(capped)} trusts are" if len(capped) > 1 else "One trust is"
        held = f" {count} held back for a deficit, marked with a ring."
    return (
        f"Average metric score of {len(rows)} {plural(trust_type)} in league order, lower is better; "
        f"{'; '.join(parts)}.{held} The same figures are in the league table on this page."
    )


def domains(league: LeagueTable, trust_type: str) -> Chart | Text:
    """Heat map of domain scores, domains by trusts in league order; grey where a trust has no score."""
    rows = _ranked(league, trust_type)
    if not rows["recomputed"].any():
        return Text((f"No domain scores: no metric rows are at hand for {plural(trust_type)} in {league.quarter}.",))
    names = {domain.key: domain.name for domain in league.framework.domain}
    table = league.domain_scores.loc[rows["trust_code"], list(names)].rename(columns=names).T
    figure, axes = make_axes(9, 3.0 if len(rows) > NAMED else 3.9)
    with plt.style.context(STYLE):
        axes.set_facecolor(MISSING)
        axes.grid(False)
        labels = rows["place"].astype(str) if len(rows) > NAMED else rows["trust_code"]
        sns.heatmap(
            table, ax=axes, vmin=league.scale.best, vmax=league.scale.worst, cmap=sns.blend_palette(HEAT, as_cmap=True),
            xticklabels=labels if len(rows) <= NAMED else False, yticklabels=True,
            linewidths=0.2 if len(rows) > NAMED else 0.6,
            cbar_kws={"label": league.scale.ends, "shrink": 0.9},
        )  # fmt: skip
        if len(rows) > NAMED:
            tens = np.arange(9, len(rows), 10)
            axes.set_xticks(tens + 0.5, [str(place + 1) for place in tens], rotation=0)
        else:
            axes.tick_params(axis="x", labelrotation=90 if len(rows) > 20 else 0, labelsize=8)
        axes.set(xlabel="Place in the league table" if len(rows) > NAMED else "Trusts in league order", ylabel="")
    columns = spots(rows["trust_code"], np.arange(len(rows)) + 0.5, np.full(len(rows), len(table) / 2))
    return Chart(figure, _domains_alt(table, trust_type, league.scale.ends), columns)


def _domains_alt(table: pd.DataFrame, trust_type: str, ends: str) -> str:
    known = table.notna().sum(axis=1)
    parts = [
        f"{name}: median {row.median():.2f}, from {row.min():.2f} to {row.max():.2f}, {known[name]} trusts"
        for name, row in table.iterrows()
    ]
    return (
        f"Heat map of the domain scores of {table.shape[1]} {plural(trust_type)} in league order, {ends}. "
        f"{'; '.join(parts)}."
    )


def _ranked(league: LeagueTable, trust_type: str) -> pd.DataFrame:
    """Ranked trusts of a type in league order; ``place`` runs from 1, tied trusts one after the other."""
    rows = league.of(trust_type).dropna(subset="rank").reset_index()
    return rows.assign(place=np.arange(1, len(rows) + 1), segment=rows["segment"].astype(int))
