"""Scores to averages, segments and ranks: the one place where each of them is computed.

The kernel works on plain arrays whose last axis is trusts; axes before it are draws, scenarios or
whatever is repeated. Averages are whole numbers of hundredths, so that comparisons with cut-offs
and with one another are exact. `build` puts a release through it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nofcore import release as releases
from nofcore import scoring, wording
from nofcore.errors import InputError
from nofcore.framework import Combined, Framework, Metric
from nofcore.ranking import minimum_ranks, place_type
from nofcore.release import Release
from nofcore.scoring import to_hundredths

TABLE_COLUMNS = [
    "quarter", "trust_type", "trust_subtype", "region", "trust_code", "trust_name", "average_score",
    "score_low", "score_high", "unadjusted_segment", "in_deficit", "segment", "rank", "rank_low", "rank_high",
]  # fmt: skip
WHOLE_COLUMNS = ["unadjusted_segment", "in_deficit", "segment", "rank", "rank_low", "rank_high"]


# --- the kernel -----------------------------------------------------------------------------------


def averages(items: np.ndarray, weights: np.ndarray | None = None, decimals: int = 2) -> np.ndarray:
    """Average score of each trust, in whole hundredths, rounded half up.

    ``items``: (..., trusts, items) unrounded scores, NaN where a trust has none; ``weights``:
    (items,) or broadcastable, equal where None. A missing item leaves the average. Raises
    ValueError if a trust has no item of positive weight.
    """
    present = ~np.isnan(items)
    weight = present if weights is None else present * weights
    total = weight.sum(axis=-1)
    if not (total > 0).all():
        raise ValueError("a trust has no item of positive weight")
    return to_hundredths((np.where(present, items, 0) * weight).sum(axis=-1) / total, decimals)


def cut_offs(hundredths: np.ndarray, percentiles: tuple[float, ...]) -> np.ndarray:
    """(..., len(percentiles)) linear-interpolated percentiles of the averages over trusts, unrounded."""
    return np.moveaxis(np.percentile(hundredths, percentiles, axis=-1), 0, -1)


def segments(hundredths: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Segment from 1: one more than the number of cut-offs that the average exceeds.

    ``cuts``: the last axis is cut-offs, and the axes before it broadcast against ``hundredths``: (k,) for
    all trusts, (trusts, k) for each, (draws, 1, k) for each draw.
    """
    cuts = np.asarray(cuts)
    found = np.ones(np.broadcast_shapes(hundredths.shape, cuts.shape[:-1]), dtype=np.int8)
    for i in range(cuts.shape[-1]):
        found += hundredths > cuts[..., i]
    return found


def override(segment: np.ndarray, flags: np.ndarray, no_higher_than: int) -> np.ndarray:
    """Segments after the financial override: a flagged trust is placed no higher than the given one."""
    return np.where(flags, np.maximum(segment, no_higher_than), segment).astype(np.int8)


def ranks_within(keys: np.ndarray, types: np.ndarray) -> np.ndarray:
    """Minimum ranks of the keys within each trust type. ``types``: (trusts,) codes."""
    codes = np.unique(types)
    if len(codes) == 1:
        return minimum_ranks(keys)
    found = np.empty(keys.shape, dtype=place_type(keys.shape[-1]))
    for code in codes:
        mine = np.flatnonzero(types == code)
        found[..., mine] = minimum_ranks(keys[..., mine])
    return found


def league_keys(segment: np.ndarray, hundredths: np.ndarray) -> np.ndarray:
    """Whole numbers that order trusts by segment, then by average."""
    lowest = int(hundredths.min(initial=0))
    width = int(hundredths.max(initial=0)) - lowest + 1
    return segment.astype(np.int64) * width + (hundredths - lowest)


@dataclass(frozen=True)
class Ranking:
    """Results of `rank_trusts`, each (..., trusts): segments before and after the override, league rank."""

    unadjusted: np.ndarray
    segment: np.ndarray
    rank: np.ndarray


def rank_trusts(hundredths, cuts, flags, types, no_higher_than: int | None) -> Ranking:
    """Segments, override and league ranks from averages.

    ``hundredths``: (..., trusts); ``cuts``: in hundredths, unrounded, see `segments`; ``flags``:
    (trusts,) override flags; ``types``: (trusts,) codes; ``no_higher_than``: None for no override.
    Tie rule: within a type by segment, then by average; equal trusts share the best rank (1, 2, 2, 4).
    """
    unadjusted = segments(hundredths, cuts)
    segment = unadjusted if no_higher_than is None else override(unadjusted, flags, no_higher_than)
    return Ranking(unadjusted, segment, ranks_within(league_keys(segment, hundredths), types))


# --- items ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Items:
    """What is averaged: ``values`` is trusts by items, unrounded scores, NaN where a trust has none.

    An item is a metric score, or the mean of a group's scores under the group's key; ``domains``
    gives the domain of each item by name.
    """

    values: pd.DataFrame
    domains: Mapping[str, str]


def items(scores: pd.DataFrame, framework: Framework) -> Items:
    """Items from scores (columns trust_code, metric_id, score). A group's item is the mean of those present."""
    wide = scores.pivot(index="trust_code", columns="metric_id", values="score")
    columns, domains = {}, {}
    for entry in (*framework.metric, *framework.combined):
        if entry.score in wide and _is_item(entry):
            columns[entry.score], domains[entry.score] = wide[entry.score], entry.domain
    for group in framework.group:
        members = [m.score for m in framework.metric if m.group == group.key and m.averaged and m.score in wide]
        if members:
            columns[group.key], domains[group.key] = wide[members].mean(axis=1), group.domain
    values = pd.DataFrame(columns, index=wide.index).dropna(how="all")
    return Items(values, domains)


def _is_item(entry: Metric | Combined) -> bool:
    return isinstance(entry, Combined) or (entry.averaged and entry.group is None)


def scores_to_average(
    release: Release, framework: Framework, start: str, notes: list[str] | None = None
) -> pd.DataFrame:
    """The scores that enter the averages: trust_code, metric_id, score.

    ``start`` "scores": recovered from the published ones, rounded first where the framework says so
    for this quarter. "values": recomputed from the values and not rounded; scores that are only
    published are taken as they are. What a reader should know is added to ``notes``.
    """
    notes = [] if notes is None else notes
    published = scoring.published_scores(release, framework)
    if start == "scores":
        notes += _not_recovered(published, release.quarter)
        first = published["metric_id"].isin(framework.rounded_first.get(release.quarter, ()))
        score = published["score"].where(~first, published["published_score"])
        return published.assign(score=score)[["trust_code", "metric_id", "score"]]
    recomputed = scoring.scores_from_values(release, framework)
    notes += scoring.pool_notes(release, framework)
    only = {metric.score for metric in framework.metric if metric.model == "published"}
    rest = published[published["metric_id"].isin(only)]
    return pd.concat([recomputed, rest], ignore_index=True)[["trust_code", "metric_id", "score"]]


def _not_recovered(published: pd.DataFrame, quarter: str) -> list[str]:
    """Scores of which the published, rounded value had to be averaged."""
    kept = published.loc[~published["recovered"], "metric_id"].value_counts().sort_index()
    if kept.empty:
        return []
    listed = ", ".join(f"{metric_id} ({count})" for metric_id, count in kept.items())
    return [
        f"{quarter}: the unrounded scores of {listed} could not be recovered, as the published ones fit no one number of "
        "trusts; they were averaged as published"
    ]


# --- a release's league tables --------------------------------------------------------------------


@dataclass(frozen=True)
class LeagueTable:
    """League tables of a quarter as rebuilt.

    ``trusts``: indexed by trust_code, sorted by type, rank and code: the columns of `TABLE_COLUMNS`,
    score_rank (rank on the average alone), hundredths (the average as a whole number), n_items, and
    recomputed (False: published average and segment, since there are no metric rows). Averages have 2 decimals; ranks are within type, equal
    trusts sharing the best. ``domain_scores`` and ``domain_segments``: trusts by domain key, NaN
    where a trust has none. ``cut_offs``: segment cut-offs in hundredths, unrounded, by type ("" = all).
    ``notes``: what a reader must know about how the figures came about.
    """

    quarter: str
    trusts: pd.DataFrame
    domain_scores: pd.DataFrame
    domain_segments: pd.DataFrame
    items: Items | None
    cut_offs: Mapping[str, tuple[float, ...]]
    notes: tuple[str, ...]
    framework: Framework | None

    def table(self, trust_type: str | None = None) -> pd.DataFrame:
        """The table for people, one row a trust; of one trust type, or of all where None."""
        rows = (self.trusts if trust_type is None else self.of(trust_type)).reset_index()[TABLE_COLUMNS]
        return rows.astype(dict.fromkeys(WHOLE_COLUMNS, "Int64"))

    def of(self, trust_type: str) -> pd.DataFrame:
        """Rows of ``trusts`` of one trust type, in league order."""
        return self.trusts[self.trusts["trust_type"] == trust_type]

    def capped(self, trust_type: str) -> pd.DataFrame:
        """Rows of the trusts of a type whose segment the override changes, in league order."""
        rows = self.of(trust_type)
        return rows[rows["unadjusted_segment"] < rows["segment"]]


def build(release: Release, framework: Framework | None, start: str = "scores") -> LeagueTable:
    """Rebuild the league tables of a release from its metric ``start``: "scores" or "values".

    Trusts without metric rows keep their published average and segment and are ranked again. Raises
    InputError where a figure that the rules need is missing.
    """
    if start not in ("scores", "values"):
        raise ValueError(f"start must be 'scores' or 'values', not {start!r}")
    trusts = _start_table(release)
    if framework is None and start == "values":
        raise InputError(f"{release.quarter}: the kit has no rules for this year; give a framework file of your own")
    notes: list[str] = []
    made, cuts = None, {}
    if framework and _has_scores(release, framework, start):
        made = items(scores_to_average(release, framework, start, notes), framework)
        cuts = _recompute(trusts, made, release, framework, notes)
        notes += _without_figures(trusts, release, framework) + _unlike_published(trusts, release)
    _note_published(trusts, release, framework, notes)
    _rank(trusts, notes)
    scores, domain_segments = _domains(made, trusts, framework, notes)
    trusts = trusts.sort_values(["trust_type", "rank", "trust_code"])
    return LeagueTable(
        release.quarter, trusts, scores.reindex(trusts.index), domain_segments.reindex(trusts.index),
        made, cuts, tuple(notes), framework,
    )  # fmt: skip


def _has_scores(release: Release, framework: Framework, start: str) -> bool:
    if start == "values":
        scoring.require_whole_pools(release, framework)
        return True
    return bool(release.observations["metric_id"].isin(framework.score_ids).any())


def _start_table(release: Release) -> pd.DataFrame:
    """Every trust with its published figures; what can be recomputed replaces them later."""
    table = release.trusts.join(release.league.drop(columns=["rank", "score_rank"]))
    blank = dict.fromkeys(["score_low", "score_high", "rank_low", "rank_high", "rank", "score_rank"], np.nan)
    return table.assign(
        quarter=release.quarter,
        recomputed=False,
        n_items=0,
        hundredths=to_hundredths(table["average_score"]),
        **blank,
    )


def _recompute(trusts: pd.DataFrame, made: Items, release: Release, framework: Framework, notes: list[str]) -> dict:
    """Averages and segments of the trusts that have items, in place. Returns the cut-offs by type."""
    codes = made.values.index
    decimals = framework.scale.decimals
    found = averages(made.values.to_numpy(), decimals=decimals)
    trusts.loc[codes, "hundredths"] = found
    trusts.loc[codes, "average_score"] = found / 10**decimals
    trusts.loc[codes, "n_items"] = made.values.notna().sum(axis=1)
    trusts.loc[codes, "recomputed"] = True
    flags = _flags(trusts.loc[codes], release, framework)
    cuts = _cut_offs(trusts, release, framework, notes)
    for trust_type, rows in trusts.loc[codes].groupby("trust_type"):
        unadjusted = segments(rows["hundredths"].to_numpy(), np.asarray(cuts.get(trust_type, cuts.get(""))))
        rule = framework.override
        adjusted = override(unadjusted, flags[rows.index], rule.no_higher_than) if rule else unadjusted
        trusts.loc[rows.index, "unadjusted_segment"] = unadjusted
        trusts.loc[rows.index, "segment"] = adjusted
    return cuts


def _without_figures(trusts: pd.DataFrame, release: Release, framework: Framework) -> list[str]:
    """Metrics of the types at hand of which nothing is at hand."""
    types = set(trusts.loc[trusts["recomputed"], "trust_type"])
    seen = set(release.observations.loc[release.observations["value"].notna(), "metric_id"])
    absent = [
        metric
        for metric in framework.metric
        if types & set(metric.trust_types) and metric.averaged and not {metric.score, metric.value} & seen
    ]
    if not absent:
        return []
    grouped = ", and a group is the mean of its other members" if any(metric.group for metric in absent) else ""
    listed = ", ".join(metric.score for metric in absent)
    return [f"{release.quarter}: no figures for {listed} of the framework; averages are of the other metrics{grouped}"]


def _unlike_published(trusts: pd.DataFrame, release: Release) -> list[str]:
    """How many rebuilt averages do not come out as published."""
    rebuilt = trusts.loc[trusts["recomputed"], "average_score"]
    off = (rebuilt - release.league["average_score"].reindex(rebuilt.index)).abs().dropna()
    count = int((off > 0.004).sum())
    if not count:
        return []
    return [
        f"{release.quarter}: {count} of {len(off)} rebuilt averages differ from the published ones, by up to {off.max():.2f}"
    ]


def _flags(trusts: pd.DataFrame, release: Release, framework: Framework) -> pd.Series:
    """Override flags as published; they are read, never derived."""
    unknown = trusts.index[trusts["in_deficit"].isna()]
    if framework.override and len(unknown):
        message = (
            f"{release.quarter}: no financial-override flag ({framework.identifiers.override_flag}) for "
            f"{len(unknown)} trusts ({', '.join(unknown[:5])}{' ...' if len(unknown) > 5 else ''}); "
            "add the rows, or the league-table file"
        )
        raise InputError(message)
    return trusts["in_deficit"] == 1


def _cut_offs(trusts, release: Release, framework: Framework, notes: list[str]) -> dict[str, tuple[float, ...]]:
    """Segment cut-offs by type ("" = all types), in hundredths, unrounded."""
    rule = framework.segments
    if rule.rule == "thresholds":
        # Thresholds such as 2.32 have no exact binary form; in hundredths they are whole.
        return {"": tuple(round(cut * 10**framework.scale.decimals, 6) for cut in rule.thresholds)}
    known = trusts[trusts["average_score"].notna() & trusts["trust_type"].isin(framework.trust_types)]
    strangers = sorted(set(trusts["trust_type"]) - set(framework.trust_types))
    if strangers:
        notes.append(
            f"{release.quarter}: the framework has no rules for {', '.join(strangers)}; left out of pools and cut-offs"
        )
    if rule.pool == "type":
        return {
            name: tuple(cut_offs(rows["hundredths"].to_numpy(), rule.percentiles))
            for name, rows in known.groupby("trust_type")
        }
    missing = sorted(set(framework.trust_types) - set(known["trust_type"]))
    reference = releases.reference_averages(release.quarter, missing)
    absent = sorted(set(missing) - set(reference.index.get_level_values("trust_type")))
    if absent:
        raise InputError(
            f"{release.quarter}: the segment cut-offs need the averages of all trusts; those of {', '.join(absent)} "
            "are missing; add their data files or league-table files"
        )
    pool = np.concatenate([known["hundredths"].to_numpy(), to_hundredths(reference)])
    found = tuple(cut_offs(pool, rule.percentiles))
    notes.append(_cut_off_note([cut / 10**framework.scale.decimals for cut in found], known, missing, release))
    return {"": found}


def _cut_off_note(cuts, known: pd.DataFrame, missing: list[str], release: Release) -> str:
    held = releases.embedded_table("trusts")
    held = held[held["quarter"] == release.quarter]["trust_type"].value_counts()

    def counted(rows: pd.DataFrame) -> list[str]:
        """Types with their numbers of trusts, and how many the kit knows of where that is more."""
        counts = rows["trust_type"].value_counts().sort_index()
        return [f"{name} ({n} of {held[name]})" if held.get(name, n) > n else name for name, n in counts.items()]

    parts = {
        "recomputed here": counted(known[known["recomputed"]]),
        f"published, from {release.source}": counted(known[~known["recomputed"]]),
        "published, from the embedded league tables": missing,
    }
    sources = "; ".join(f"{how}: {', '.join(types)}" for how, types in parts.items() if types)
    return f"{release.quarter}: segment cut-offs {' / '.join(map(wording.points, cuts))} from averages {sources}"


def _note_published(trusts, release: Release, framework: Framework | None, notes: list[str]) -> None:
    if framework is None:
        notes.append(releases.no_rules(release.quarter))
        return
    for trust_type, rows in trusts.groupby("trust_type"):
        held = rows.index[~rows["recomputed"] & rows["average_score"].notna()]
        if len(held):
            listed = f"{', '.join(held[:5])}{' ...' if len(held) > 5 else ''}"
            who = f"any of the {len(held)} trusts" if len(held) == len(rows) else f"{len(held)} trusts ({listed})"
            notes.append(
                f"{release.quarter}, {trust_type}: no metric scores that the rules know for {who}, so nothing could be "
                "recomputed for them; published averages and segments, ranked again"
            )


def _rank(trusts: pd.DataFrame, notes: list[str]) -> None:
    """League rank and rank on the average alone, in place; a trust without average or segment has none."""
    known = trusts["average_score"].notna() & trusts["segment"].notna()
    rows = trusts[known]
    types = pd.factorize(rows["trust_type"])[0]
    hundredths = rows["hundredths"].to_numpy()
    keys = league_keys(rows["segment"].to_numpy(dtype=np.int64), hundredths)
    trusts.loc[known, "rank"] = ranks_within(keys, types)
    trusts.loc[known, "score_rank"] = ranks_within(hundredths, types)
    if not known.all():
        notes.append(
            f"not ranked, for want of metric scores or of an average and segment: {', '.join(trusts.index[~known])}"
        )


def _domains(made: Items | None, trusts, framework, notes: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Domain scores, and their segments where trusts of all types have them."""
    empty = pd.DataFrame(index=trusts.index)
    if made is None:
        return empty, empty
    scores = {domain.key: _domain_score(made, domain.key, framework) for domain in framework.domain}
    scores = pd.DataFrame(scores).reindex(trusts.index)
    rule = framework.segments
    ranked = trusts[trusts["trust_type"].isin(framework.trust_types)].dropna(subset="average_score")
    absent = sorted(
        {*framework.trust_types} - {*ranked["trust_type"]} | {*ranked.loc[~ranked["recomputed"], "trust_type"]}
    )
    if rule.rule != "percentiles" or rule.pool != "all":
        return scores, empty
    if absent:
        notes.append(
            f"{trusts['quarter'].iat[0]}: domain segments were not recomputed; they need the domain scores of all trusts, "
            f"and those of {', '.join(absent)} are not all at hand"
        )
        return scores, empty
    return scores, scores.apply(_domain_segments, percentiles=rule.percentiles)


def _domain_segments(scores: pd.Series, percentiles: tuple[float, ...]) -> pd.Series:
    """Segments of one domain's scores by the national percentiles of the domain; NaN where there is no score."""
    known = scores.dropna()
    if known.empty:
        return scores
    hundredths = to_hundredths(known)
    return pd.Series(segments(hundredths, cut_offs(hundredths, percentiles)), index=known.index)


def _domain_score(made: Items, domain: str, framework: Framework) -> pd.Series:
    mine = [name for name, of in made.domains.items() if of == domain]
    rows = made.values[mine].dropna(how="all") if mine else made.values.iloc[:0]
    return pd.Series(
        averages(rows.to_numpy(), decimals=framework.scale.decimals) / 10**framework.scale.decimals,
        rows.index,
    )
