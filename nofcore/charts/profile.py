"""Charts of one trust."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from nofcore.charts.base import HEAT, SEGMENT_COLOURS, SEGMENT_MARKERS, STYLE, Chart, make_axes
from nofcore.framework import Scale, year_of
from nofcore.profile import Profile
from nofcore.tables.profile import place_of
from nofcore.wording import Text, counted, plural

INK = "#212b32"
GREY = "#8b949a"


def rank_shares(profile: Profile) -> Chart | Text:
    """How often the trust holds each rank over the draws."""
    if profile.shares is None:
        return Text(())
    shares = profile.shares.to_numpy(dtype=float)[: profile.of] * 100
    rank, low, high = (
        int(value) for value in (profile.standing["rank"], profile.range["rank_low"], profile.range["rank_high"])
    )
    places = np.arange(1, len(shares) + 1)
    inside = (places >= low) & (places <= high)
    figure, axes = make_axes(9, 2.7)
    with plt.style.context(STYLE):
        colour = SEGMENT_COLOURS[int(profile.standing["segment"])]
        edges = np.arange(len(shares) + 1) + 0.5
        axes.stairs(np.where(inside, shares, 0), edges, fill=True, color=colour, label="ranks of the 95 % range")
        axes.stairs(shares, edges, color=INK, linewidth=0.7, label="ranks in all draws")
        axes.axvline(rank, color=INK, linewidth=1.2, linestyle=(0, (4, 3)), label=f"published rank {rank}")
        axes.set(
            xlabel=f"Rank among {plural(profile.trust_type)} (1 = best)",
            ylabel="Share of draws (%)",
            xlim=(0.5, len(shares) + 0.5),
            xticks=_rank_ticks(len(shares)),
        )
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=9)
    likely = int(shares.argmax()) + 1
    return Chart(
        figure,
        f"Share of draws in which {profile.name}, rank {rank} of {profile.of}, holds each rank. 95 % of them lie between {low} and {high}; "
        f"the most frequent is rank {likely}, in {shares.max():.0f} % of the draws.",
    )


def rank_path(profile: Profile) -> Chart:
    """Rank over the quarters, with ranges where they can be drawn."""
    rows = profile.path
    known = rows["rank"].notna()
    size = int(rows["of"].max()) if known.any() else profile.of
    places = np.arange(len(rows))
    years = rows["quarter"].map(year_of)
    figure, axes = make_axes(9, 3.2)
    with plt.style.context(STYLE):
        for _, part in rows[known].groupby(years[known], sort=False):
            axes.plot(part.index, part["rank"], color=GREY, linewidth=1.2, zorder=2)
        axes.vlines(places, rows["rank_low"], rows["rank_high"], color=GREY, linewidth=9, alpha=0.4, zorder=1)
        for place, row in rows[known].iterrows():
            segment = int(row["segment"])
            axes.scatter(
                place, row["rank"], s=62, color=SEGMENT_COLOURS[segment], marker=SEGMENT_MARKERS[segment], edgecolor="white",
                linewidth=0.5, zorder=3,
            )  # fmt: skip
            axes.annotate(
                f"{row['rank']:.0f} (segment {segment})", (place, row["rank"]), xytext=(0, 11), textcoords="offset points", ha="center",
                va="center", fontsize=9,
            )  # fmt: skip
        for place in places[1:][years.to_numpy()[1:] != years.to_numpy()[:-1]]:
            axes.axvline(place - 0.5, color=INK, linewidth=0.8, linestyle=(0, (2, 3)))
            axes.annotate(
                "new rules", (place - 0.48, 1.02), xycoords=("data", "axes fraction"), fontsize=8, color="#4c555b"
            )
        axes.set_xticks(places, rows["quarter"])
        axes.set(ylabel="Rank (1 = best)", xlim=(-0.45, len(rows) - 0.55))
        axes.set_ylim(size * 1.03 + 0.5, -0.08 * size)
        axes.set_yticks(_rank_ticks(size))
    return Chart(figure, _path_said(profile, rows[known]))


def _rank_ticks(size: int) -> list[int]:
    step = 20 if size > 70 else 10 if size > 20 else 5 if size > 10 else 1
    return sorted({1, *range(step, size + 1, step)})


def _path_said(profile: Profile, rows: pd.DataFrame) -> str:
    listed = "; ".join(
        f"{row.quarter}: {row.rank:.0f} of {row.of:.0f}, segment {row.segment:.0f}"
        + ("" if np.isnan(row.rank_low) else f", 95 % range {row.rank_low:.0f} to {row.rank_high:.0f}")
        for row in rows.itertuples()
    )
    return f"Rank of {profile.name} over {counted(len(rows), 'quarter')}. {listed}."


def metric_places(profile: Profile) -> Chart | Text:
    """Where the trust stands in the pool of every metric, domain by domain, coloured by its score."""
    rows = profile.metrics[profile.metrics["rank"].notna() & profile.metrics["score"].notna()]
    if rows.empty:
        return Text(())
    names = {domain.key: domain.name for domain in profile.study.rebuilt.framework.domain}
    rows, heads = _lines_of(rows, names)
    figure, axes = make_axes(9, max(2.6, 1.1 + 0.25 * (len(rows) + len(heads))))
    with plt.style.context(STYLE):
        _draw_places(axes, rows, profile.study.rebuilt.scale)
        _label_lines(axes, rows, heads)
        _label_scores(axes, rows, profile.study.rebuilt.scale)
        axes.set_xticks([0, 25, 50, 75, 100], ["first", "25 %", "middle", "75 %", "last"])
        axes.set(
            xlabel="Place among the trusts of its pool (grey bar: places that it shares or that stay open)",
            xlim=(-2, 102),
        )
        axes.grid(False)
    return Chart(figure, _places_said(profile, rows, names))


def _lines_of(rows: pd.DataFrame, names: Mapping[str, str]) -> tuple[pd.DataFrame, dict[float, str]]:
    """The metrics with their line of the chart, the first at the top, and the lines that name the domains above theirs."""
    domain = (rows["domain"] != rows["domain"].shift()).cumsum()
    down = np.arange(len(rows)) + domain
    rows = rows.assign(line=down.max() - down)
    tops = rows.groupby(domain, sort=False).first()
    return rows, {line + 1: names[key] for line, key in zip(tops["line"], tops["domain"], strict=True)}


def _draw_places(axes, rows: pd.DataFrame, scale: Scale) -> None:
    share, last = (100 * (rows[place] - 1) / (rows["of"] - 1).clip(lower=1) for place in ("rank", "rank_last"))
    middle = (share + last) / 2
    for quarter in (25, 50, 75):
        axes.axvline(quarter, color="#b9c0c5", linewidth=0.8, zorder=0)
    axes.hlines(rows["line"], 0, middle, color="#c9ced2", linewidth=1, zorder=1)
    axes.hlines(rows["line"], share, last, color=GREY, linewidth=5, alpha=0.55, zorder=2)
    axes.scatter(
        middle, rows["line"], c=rows["score"], cmap=_colours(), vmin=scale.best, vmax=scale.worst, s=48, edgecolor=INK, linewidth=0.6,
        zorder=3,
    )  # fmt: skip


def _label_lines(axes, rows: pd.DataFrame, heads: Mapping[float, str]) -> None:
    axes.set_yticks([*rows["line"], *heads], [*rows["name"], *heads.values()], fontsize=9)
    for label in axes.get_yticklabels()[len(rows) :]:
        label.set_fontweight("bold")
    axes.set_ylim(-0.7, max(heads) + 0.6)
    axes.tick_params(axis="y", length=0)


def _label_scores(axes, rows: pd.DataFrame, scale: Scale) -> None:
    right = axes.secondary_yaxis("right")
    right.set_yticks(rows["line"], [f"{score:.2f}" for score in rows["score"]], fontsize=8)
    right.tick_params(length=0)
    right.set_ylabel(f"Score ({scale.ends})", labelpad=10)
    right.spines["right"].set_visible(False)


def _places_said(profile: Profile, rows: pd.DataFrame, names: Mapping[str, str]) -> str:
    parts = []
    for key, mine in rows.groupby("domain", sort=False):
        listed = ", ".join(f"{row['name']} {place_of(row)}" for _, row in mine.iterrows())
        parts.append(f"{names[key]}: {listed}")
    return f"Place of {profile.name} in the pool of each of {len(rows)} metrics, rank 1 best. {'; '.join(parts)}."


def _colours():
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("scores", HEAT)
