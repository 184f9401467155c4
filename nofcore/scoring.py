"""Metric values to metric scores, and published scores back to unrounded ones.

Scores run from 1 (best) to 4 (worst). The rules come from the framework; here stand the kinds of
rule (NHS England's methodology manual, step 1). First the arithmetic on plain arrays, then the
functions on a `Release`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from nofcore import periods
from nofcore.errors import InputError, Problem
from nofcore.framework import Bracket, Combined, Condition, Framework, Lookup, Metric, Spreading
from nofcore.ranking import minimum_ranks
from nofcore.release import Release

LARGEST_POOL = 300
"""Pools above this are not recovered: the steps between scores approach the published rounding."""

EXACT = 1e-9
"""Slack for halves that binary floats cannot hold (hundredths); far below any real difference."""


def to_hundredths(score, decimals: int = 2) -> np.ndarray:
    """Round half up to ``decimals`` places, as integers of the last place (1.385 -> 139). NaN -> 0.

    Exact for halves: the slack of `EXACT` makes up for binary floats, which hold 1.385 as 1.38499...
    """
    scaled = np.nan_to_num(np.asarray(score, dtype=float)) * 10.0**decimals
    return np.floor(scaled + 0.5 + EXACT).astype(np.int64)


def spread(rank: np.ndarray, n: int, best: float, worst: float) -> np.ndarray:
    """Scores spread evenly over ranks 1 to n: rank 1 scores ``best``, rank n ``worst``.

    A pool of one scores ``best``: our definition, since the manual gives none.
    """
    if n <= 1:
        return np.full(np.shape(rank), float(best))
    return best + (worst - best) * (np.asarray(rank) - 1) / (n - 1)


def holds(values: np.ndarray, bounded: Bracket | Condition) -> np.ndarray:
    """Whether each value is within the one bound of a bracket or condition; not where it is NaN."""
    compare = {"at_least": np.greater_equal, "above": np.greater, "at_most": np.less_equal, "below": np.less}
    name = next(name for name in compare if getattr(bounded, name) is not None)
    return compare[name](values, getattr(bounded, name))


def look_up(values: np.ndarray, lookup: Lookup) -> np.ndarray:
    """The score of the first bracket that holds for each value, else ``otherwise``."""
    held = [holds(values, bracket) for bracket in lookup.brackets]
    return np.select(held, [bracket.score for bracket in lookup.brackets], default=lookup.otherwise)


@dataclass(frozen=True)
class Spread:
    """How a metric's model treats the trusts of one pool.

    ``best``, ``worst``: ends of the spread part; ``fixed``: the score of those outside it.
    """

    best: float
    worst: float
    fixed: float | None = None


def spread_of(metric: Metric, framework: Framework) -> Spread | None:
    """The spread of a metric's model; None for lookups and scores that are only published."""
    best, worst = framework.scale.best, framework.scale.worst
    return {
        "rank": Spread(best, worst),
        "standard": Spread(best + 1, worst, best),
        "floor": Spread(best, worst - 1, worst),
    }.get(metric.model)


def distance(values: np.ndarray, spreading: Spreading, better: str) -> np.ndarray:
    """How far each value lies from the best end (0) to the worst end (1) of the spread part, clipped to 0 and 1.

    "min-max": the ends are the best and the worst value, or percentiles ``trim`` and 100 - ``trim``
    (linear interpolation). "z-score": the mean is in the middle, ``sd`` standard deviations (of the
    values at hand, not of a sample) from it are the ends. Equal values share their place, and where
    all are equal that is the best end, as with ranks.
    """
    worse = values if better == "low" else -values
    if spreading.by == "z-score":
        middle, half = worse.mean(), spreading.sd * worse.std()
        low, high = middle - half, middle + half
    else:
        low, high = np.percentile(worse, [spreading.trim, 100 - spreading.trim])
    if not high - low > EXACT * max(1, np.abs(worse).max()):
        return np.zeros(len(values))
    return np.clip((worse - low) / (high - low), 0, 1)


def is_fixed(values: np.ndarray, metric: Metric) -> np.ndarray:
    """Which values get the fixed score: those that meet the standard, or miss the floor."""
    if metric.model not in ("standard", "floor"):
        return np.zeros(len(values), dtype=bool)
    if metric.threshold is None:
        raise ValueError(f"the {metric.model} of {metric.value} is not known")
    meets = values <= metric.threshold if metric.better == "low" else values >= metric.threshold
    return meets if metric.model == "standard" else ~meets


def rank_in_pool(values, ranks, types, better: str) -> tuple[np.ndarray, np.ndarray]:
    """Rank of each trust in a pool (1 = best), and whether its place is open.

    ``values``: as published; ``ranks``: the published Rank, within type, NaN where blank;
    ``types``: a code for each trust's type. Tie rule: equal values are ordered by the published
    Rank, which is made from the unrounded values; trusts that are equal in both share the best rank.
    Where one of the equal values has no Rank, all of them share the best rank. A place is *open*
    where another trust has the same published value and the figures cannot settle which is better:
    one has no Rank, or they are of two types (Rank runs within type, so between types the order
    given here is a convention). Equal Rank within a type is a true tie, not an open place.
    """
    values = np.asarray(values, dtype=float)
    ascending = values if better == "low" else -values
    _, cluster = np.unique(ascending, return_inverse=True)
    blank = np.isnan(ranks)
    unordered = np.bincount(cluster, weights=blank) > 0
    mixed = np.full(cluster.max() + 1, False)
    first_type = np.full(cluster.max() + 1, -1)
    first_type[cluster] = types
    mixed[cluster[first_type[cluster] != types]] = True
    size = np.bincount(cluster)
    is_open = (size > 1) & (mixed | unordered)
    _, ordered = np.unique(np.where(unordered[cluster], 0, ranks), return_inverse=True)
    return minimum_ranks(cluster * (ordered.max() + 1) + ordered), is_open[cluster]


@dataclass(frozen=True)
class Recovered:
    """Unrounded scores of one pool. Where ``exact`` is False the published score had to be kept."""

    scores: np.ndarray
    exact: np.ndarray
    n: int | None


def recover(published: np.ndarray, seen: int, part: Spread, decimals: int = 2) -> Recovered:
    """Unrounded scores behind the published ones of the spread part of one pool.

    They lie on the grid best + (worst - best) k / (N - 1). N is the smallest number, not below
    ``seen``, for which every published score is a rounded grid value (our inference, exact on all
    published averages). A score that more than one grid value rounds to keeps its published value,
    and so do all where no N up to `LARGEST_POOL` fits (``n`` is then None).
    """
    wanted, position = np.unique(to_hundredths(published, decimals), return_inverse=True)
    for n in range(max(seen, 1), LARGEST_POOL + 1):
        grid = spread(np.arange(1, n + 1), n, part.best, part.worst)
        rounded = to_hundredths(grid, decimals)
        places = np.searchsorted(rounded, wanted)
        if (rounded[np.minimum(places, n - 1)] == wanted).all():
            single = np.searchsorted(rounded, wanted, side="right") - places == 1
            exact = np.where(single, grid[places], wanted / 10.0**decimals)
            return Recovered(exact[position], single[position], n)
    return Recovered(np.asarray(published, dtype=float), np.zeros(len(published), dtype=bool), None)


# --- on a release ---------------------------------------------------------------------------------


def published_scores(release: Release, framework: Framework) -> pd.DataFrame:
    """Published metric scores with the unrounded scores recovered from them, but for those that the rules make anew.

    A row per trust and score: trust_code, metric_id (of the score), published_score, score
    (unrounded), recovered (False where the published value had to be kept).
    """
    release = within(release, framework)
    anew = scored_anew(framework)
    rows = observed(release, set(framework.score_ids) - anew).rename(columns={"value": "published_score"})
    in_pool = ~_in(rows, _outside_pool(release, framework))
    ids, types = rows["metric_id"].to_numpy(dtype=object), rows["trust_type"].to_numpy(dtype=object)
    published = rows["published_score"].to_numpy()
    score, recovered = published.copy(), np.ones(len(rows), dtype=bool)
    for metric in framework.metric:
        part = spread_of(metric, framework)
        if part is None or metric.score in anew:
            continue
        for pool in _pools((ids == metric.score) & in_pool, types, metric):
            # Trusts at the fixed score are exact already.
            spread_part = pool & (published != part.fixed) if part.fixed is not None else pool
            if spread_part.any():
                found = recover(published[spread_part], int(spread_part.sum()), part, framework.scale.decimals)
                score[spread_part], recovered[spread_part] = found.scores, found.exact
    rows = rows.assign(score=score, recovered=recovered)
    return rows[["trust_code", "metric_id", "published_score", "score", "recovered"]].reset_index(drop=True)


def scored_anew(framework: Framework) -> frozenset[str]:
    """Scores whose published figures were made by other rules: they are made from the values."""
    metrics = {metric.score for metric in framework.metric if metric.rescored}
    combined = {entry.score for entry in framework.combined if entry.rescored or {entry.rows, entry.columns} & metrics}
    return frozenset(metrics | combined)


def observed(release: Release, metric_ids: Iterable[str]) -> pd.DataFrame:
    """Observations of some metrics that have a value, with each trust's type."""
    return release.valued[release.valued["metric_id"].isin(set(metric_ids))]


def _outside_pool(release: Release, framework: Framework) -> pd.MultiIndex:
    """(trust, score) whose value is in a unit with a lookup of its own, outside the pool. The value itself may
    be suppressed: small counts often are."""
    rows = release.observations
    keys = [
        (code, metric.score)
        for metric in framework.metric
        if metric.unit
        for code, unit in rows.loc[rows["metric_id"] == metric.value, ["trust_code", "unit"]].itertuples(index=False)
        if unit in metric.unit
    ]
    return pd.MultiIndex.from_tuples(keys, names=["trust_code", "metric_id"])


def _in(rows: pd.DataFrame, keys: pd.MultiIndex) -> np.ndarray:
    return pd.MultiIndex.from_frame(rows[["trust_code", "metric_id"]]).isin(keys)


def _pools(mine: np.ndarray, types: np.ndarray, metric: Metric) -> list[np.ndarray]:
    """Masks of the pools of a metric: all its trusts, or those of each type."""
    if metric.pool == "all":
        return [mine] if mine.any() else []
    return [mine & (types == trust_type) for trust_type in np.unique(types[mine])]


def scores_from_values(release: Release, framework: Framework, use_rank: bool = True) -> pd.DataFrame:
    """Scores recomputed from the values.

    A row per trust and recomputable score: trust_code, metric_id (of the score), value (NaN for a
    combined score), score (unrounded), published_score (NaN where none is published), tied (its
    place among equal published values is open, see `rank_in_pool`). Scores of
    `Framework.only_published` are not among them. Equal published values are
    ordered by the published Rank unless ``use_rank`` is False. Raises InputError if a trust type of
    a metric's pool has no metric rows at all: part of a pool is never ranked.
    """
    release = within(release, framework)
    require_whole_pools(release, framework)
    return _scores_of(release, framework, [metric for metric in framework.metric if metric.scorable], use_rank)


def scores_at_hand(release: Release, framework: Framework) -> tuple[pd.DataFrame, tuple[Metric, ...]]:
    """As `scores_from_values`, of the metrics alone whose pools are at hand: metric rows of every type that reports them.

    Lookups need no pool. Returns the scores, and the metrics that cannot be scored because part of their pool is missing.
    """
    release = within(release, framework)
    values = observed(release, [metric.value for metric in framework.metric if metric.value])
    have = set(values["trust_type"].unique())
    scorable = [metric for metric in framework.metric if metric.scorable]
    whole = [m for m in scorable if m.model == "lookup" or m.pool == "type" or set(m.trust_types) <= have]
    lacking = tuple(m for m in scorable if m not in whole and (values["metric_id"] == m.value).any())
    return _scores_of(release, framework, whole, use_rank=True), lacking


def _scores_of(release: Release, framework: Framework, metrics: list[Metric], use_rank: bool) -> pd.DataFrame:
    """Scores of some metrics from their values, and the combined scores that these make."""
    scores = _score_metrics(release, framework, metrics, use_rank)
    made = {metric.score for metric in metrics}
    combined = [entry for entry in framework.combined if {entry.rows, entry.columns} <= made]
    scores = pd.concat([scores, *(combine(scores, entry, framework) for entry in combined)], ignore_index=True)
    published = observed(release, framework.score_ids).set_index(["trust_code", "metric_id"])["value"]
    scores = scores.join(published.rename("published_score"), on=["trust_code", "metric_id"])
    columns = ["trust_code", "metric_id", "value", "score", "published_score", "tied"]
    return scores[columns].sort_values(["trust_code", "metric_id"], ignore_index=True)


def tied_bounds(release: Release, framework: Framework) -> pd.DataFrame:
    """Best and worst score that a trust can have, given its value and those of the others to the published decimals.

    A row per trust and score that is spread by place: trust_code, metric_id (of the score), low, high (unrounded; equal
    where no other trust of the pool has the same value). Equal values may stand in any order: the best place of
    theirs is the minimum rank, and the worst as far beyond the middle as the best is before it.
    """
    release = within(release, framework)
    metrics = [m for m in framework.metric if m.scorable and spread_of(m, framework) and m.spread.by == "rank"]
    best = _score_metrics(release, framework, metrics, use_rank=False)
    middle = [replace(metric, spread=Spreading(by="percentile")) for metric in metrics]
    half = _score_metrics(release, framework, middle, use_rank=False)["score"] - best["score"]
    return best[["trust_code", "metric_id"]].assign(low=best["score"], high=best["score"] + 2 * half)


def scores_anew(release: Release, framework: Framework, published: pd.DataFrame) -> pd.DataFrame:
    """Scores of `scored_anew` from the values: trust_code, metric_id, score (unrounded).

    ``published``: scores of the other metrics, for combined scores that need one. Raises InputError
    if part of a pool is missing, and where a metric has published scores and no values at all.
    """
    release = within(release, framework)
    metrics = [metric for metric in framework.metric if metric.rescored]
    if metrics:
        require_whole_pools(release, framework, metrics)
    columns = ["trust_code", "metric_id", "score"]
    scores = _score_metrics(release, framework, metrics, use_rank=True)[columns]
    scored = set(scores["metric_id"].unique())
    for metric in metrics:
        if metric.score not in scored and len(observed(release, [metric.score])):
            message = f"{release.quarter}: no values of {metric.value} are at hand, so it cannot be scored again"
            raise InputError(message)
    anew = scored_anew(framework)
    combined = [entry for entry in framework.combined if entry.score in anew]
    parts = pd.concat([published[columns], scores], ignore_index=True) if combined else scores
    frames = [combine(parts, entry, framework)[columns] for entry in combined]
    return pd.concat([scores, *frames], ignore_index=True) if frames else scores


def period_ends(release: Release, framework: Framework) -> pd.DataFrame:
    """When the period of each figure ended: trust_code, metric_id (of the score), period, ends (None where the text
    is not understood). The period is that of the score, or of the value where no score is published."""
    rows = release.observations[["trust_code", "metric_id", "period"]]
    scores = rows[rows["metric_id"].isin(framework.score_ids)]
    of_value = {metric.value: metric.score for metric in framework.metric if metric.value}
    values = rows[rows["metric_id"].isin(of_value)].assign(metric_id=lambda rows: rows["metric_id"].map(of_value))
    both = pd.concat([scores, values], ignore_index=True).drop_duplicates(["trust_code", "metric_id"])
    ends = {text: periods.end(text, framework.periods) for text in both["period"].unique()}
    return both.assign(ends=[ends[text] for text in both["period"]])


def within(release: Release, framework: Framework) -> Release:
    """The release with the metric rows of the framework's trust types alone: others share no pool with them."""
    if set(release.trust_types) <= set(framework.trust_types):
        return release
    types = release.observations["trust_code"].map(release.trusts["trust_type"])
    return replace(release, observations=release.observations[types.isin(framework.trust_types)])


def pool_notes(release: Release, framework: Framework) -> list[str]:
    """What is missing from the pools that scores are recomputed in, so that a reader can judge them."""
    release = within(release, framework)
    scorable = [metric for metric in framework.metric if metric.scorable]
    values = observed(release, [metric.value for metric in scorable])
    present = set(zip(values["metric_id"], values["trust_type"], strict=True))
    absent = [
        f"{metric.value} ({trust_type})"
        for metric in scorable
        if metric.value in set(values["metric_id"])
        for trust_type in metric.trust_types
        if (metric.value, trust_type) not in present
    ]
    notes = []
    if absent:
        notes.append(
            f"{release.quarter}: no trust of a type that the framework lists has a value of {', '.join(absent)}"
        )
    if unknown := [metric.score for metric in framework.metric if metric.value and not metric.scorable]:
        listed = ", ".join(unknown)
        notes.append(f"{release.quarter}: not recomputed, as their rules are not known in full: {listed}")
    return notes + _without_value(release, framework)


def _without_value(release: Release, framework: Framework) -> list[str]:
    """Published scores whose own value is missing: the pool they were ranked in is not whole."""
    counts = {}
    for metric in framework.metric:
        if metric.scorable:
            scored = set(observed(release, [metric.score])["trust_code"])
            missing = scored - set(observed(release, [metric.value])["trust_code"])
            counts |= {metric.score: len(missing)} if missing else {}
    if not counts:
        return []
    listed = ", ".join(f"{metric_id} ({count})" for metric_id, count in counts.items())
    return [
        f"{release.quarter}: trusts with a published score but no value: {listed}; they have no recomputed score, and those "
        "of other trusts are ranked without them"
    ]


def require_whole_pools(release: Release, framework: Framework, metrics: Iterable[Metric] | None = None) -> None:
    """Raise InputError unless every trust type of every pool has metric rows. ``metrics``: all where None."""
    have = set(observed(release, [metric.value for metric in framework.metric if metric.value])["trust_type"].unique())
    needed: dict[str, list[str]] = {}
    for metric in framework.metric if metrics is None else metrics:
        if metric.scorable and metric.pool == "all":
            for trust_type in set(metric.trust_types) - have:
                needed.setdefault(trust_type, []).append(metric.value)
    if needed and have:
        missing = "; ".join(
            f"{name} (for {', '.join(ids[:4])}{' ...' if ids[4:] else ''})" for name, ids in needed.items()
        )
        message = (
            f"{release.quarter}: scores cannot be recomputed from values without the metric rows of {missing}; "
            "add those files, or start from the published scores"
        )
        raise InputError(Problem("", None, None, message))
    if not have:
        raise InputError(f"{release.quarter}: {release.source} holds no metric values; nothing can be recomputed")


def _score_metrics(release: Release, framework: Framework, metrics: list[Metric], use_rank: bool) -> pd.DataFrame:
    """Scores of some metrics from their values: trust_code, metric_id (of the score), value, score, tied."""
    rows = observed(release, [metric.value for metric in metrics])
    values, units = rows["value"].to_numpy(dtype=float), rows["unit"].to_numpy(dtype=object)
    ranks = rows["rank"].to_numpy(dtype=float) if use_rank else np.full(len(rows), np.nan)
    types = pd.factorize(rows["trust_type"])[0]
    score, tied = np.full(len(rows), np.nan), np.zeros(len(rows), dtype=bool)
    places = rows.groupby("metric_id", sort=False).indices
    for metric in metrics:
        mine = places.get(metric.value, np.empty(0, dtype=int))
        found = _score_metric(values[mine], units[mine], ranks[mine], types[mine], framework, metric)
        score[mine], tied[mine] = found
    ids = rows["metric_id"].map({metric.value: metric.score for metric in metrics})
    return rows[["trust_code", "value"]].assign(metric_id=ids, score=score, tied=tied)


def _score_metric(values, units, ranks, types, framework: Framework, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    score, tied = np.full(len(values), np.nan), np.zeros(len(values), dtype=bool)
    in_pool = np.ones(len(values), dtype=bool)
    for unit, lookup in metric.unit.items():
        outside = units == unit
        score[outside] = look_up(values[outside], lookup)
        in_pool &= ~outside
    if metric.model == "lookup":
        score[in_pool] = look_up(values[in_pool], metric.lookup)
        return score, tied
    for pool in _pools(in_pool, types, metric):
        score[pool], tied[pool] = score_pool(
            values[pool], ranks[pool], types[pool], metric, spread_of(metric, framework)
        )
    return score, tied


def score_pool(values, ranks, types, metric: Metric, part: Spread) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the trusts of one pool, and which of them are at an open place."""
    fixed = is_fixed(values, metric)
    score = np.full(len(values), part.fixed if part.fixed is not None else np.nan)
    tied = np.zeros(len(values), dtype=bool)
    rest = ~fixed
    if not rest.any():
        return score, tied
    if metric.spread.by in ("rank", "percentile"):
        place, tied[rest] = rank_in_pool(values[rest], ranks[rest], types[rest], metric.better)
        if metric.spread.by == "percentile":
            place = place + (np.bincount(place)[place] - 1) / 2
        score[rest] = spread(place, len(place), part.best, part.worst)
    else:
        score[rest] = part.best + (part.worst - part.best) * distance(values[rest], metric.spread, metric.better)
    return score, tied


def combine(scores: pd.DataFrame, combined: Combined, framework: Framework) -> pd.DataFrame:
    """A combined score for every trust that has both of its parts, whole steps of the scale.

    ``scores``: trust_code, metric_id, score. Returns trust_code, metric_id, value (NaN), score, tied (never).
    """
    parts = scores[scores["metric_id"].isin([combined.rows, combined.columns])]
    wide = parts.pivot(index="trust_code", columns="metric_id", values="score")
    wide = wide.reindex(columns=[combined.rows, combined.columns]).dropna()
    place = (wide.to_numpy() - framework.scale.best).astype(int)
    score = np.asarray(combined.matrix, dtype=float)[place[:, 0], place[:, 1]]
    return pd.DataFrame(
        {
            "trust_code": wide.index,
            "metric_id": combined.score,
            "value": np.nan,
            "score": score,
            "tied": False,
        }
    )
