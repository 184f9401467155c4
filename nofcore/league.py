"""Scores to averages, segments and ranks: the one place where each of them is computed.

The kernel works on plain arrays whose last axis is trusts; axes before it are draws, scenarios or
whatever is repeated. Averages are whole numbers of hundredths, so that comparisons with cut-offs
and with one another are exact. `build` puts a release through it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from nofcore import periods, scoring, wording
from nofcore import release as releases
from nofcore.errors import InputError
from nofcore.framework import Combined, Framework, Metric, Override, Scale, Segments, newest
from nofcore.notes import NO_RANKS, NO_SEGMENTS, NOT_MADE, ROUTINE, Note
from nofcore.ranking import minimum_ranks, place_type
from nofcore.release import Release
from nofcore.scoring import EXACT, to_hundredths

TABLE_COLUMNS = [
    "quarter", "trust_type", "trust_subtype", "region", "trust_code", "trust_name", "average_score",
    "score_low", "score_high", "unadjusted_segment", "in_deficit", "segment", "rank", "rank_low", "rank_high",
]  # fmt: skip
WHOLE_COLUMNS = ["unadjusted_segment", "in_deficit", "segment", "rank", "rank_low", "rank_high"]


# --- the kernel -----------------------------------------------------------------------------------


def averages(
    items: np.ndarray, weights: np.ndarray | None = None, decimals: int = 2, how: str = "arithmetic"
) -> np.ndarray:
    """Average score of each trust, in whole hundredths, rounded half up.

    ``items``: (..., trusts, items) unrounded scores, NaN where a trust has none; ``weights``:
    (items,) or broadcastable, equal where None. ``how``: arithmetic or geometric mean, or median (the
    middle by weight; the mean of the two middle scores where the weight falls into halves between
    them). A missing item leaves the average. Raises ValueError if a trust has no item of positive
    weight.
    """
    present = ~np.isnan(items)
    weight = present if weights is None else present * weights
    total = weight.sum(axis=-1)
    if not (total > 0).all():
        raise ValueError("a trust has no item of positive weight")
    if how == "median":
        return to_hundredths(_medians(items, weight, total), decimals)
    filled = np.where(present, items, 1)
    mean = ((np.log(filled) if how == "geometric" else filled) * weight).sum(axis=-1) / total
    return to_hundredths(np.exp(mean) if how == "geometric" else mean, decimals)


def _medians(items: np.ndarray, weight: np.ndarray, total: np.ndarray) -> np.ndarray:
    items = np.broadcast_to(items, weight.shape)
    order = np.argsort(items, axis=-1)  # missing ones come last, and weigh nothing
    reached = np.take_along_axis(weight, order, axis=-1).cumsum(axis=-1) / total[..., None]
    ordered = np.take_along_axis(items, order, axis=-1)
    middle = [
        np.take_along_axis(ordered, beyond.argmax(axis=-1)[..., None], axis=-1)[..., 0]
        for beyond in (reached > 0.5 - EXACT, reached > 0.5 + EXACT)
    ]
    return (middle[0] + middle[1]) / 2


def averages_by_draw(items: np.ndarray, weights: np.ndarray, decimals: int = 2, how: str = "arithmetic") -> np.ndarray:
    """`averages` of the same items under many weightings, (draws, trusts), in whole hundredths.

    ``items``: (trusts, items); ``weights``: (draws, items). Means are matrix products: the same as
    one draw at a time, much faster. Raises ValueError as `averages`.
    """
    if how == "median":
        found = [
            averages(items, some[:, None, :], decimals, how) for some in np.array_split(weights, len(weights) // 50 + 1)
        ]
        return np.concatenate(found)
    present = (~np.isnan(items)).astype(float)
    filled = np.where(present, items, 1 if how == "geometric" else 0)
    if how == "geometric":
        filled = np.log(filled)
    mean = np.empty((len(weights), len(items)))
    # Small products stay on one core: larger ones are spread over all, which takes longer than it saves.
    for start in range(0, len(weights), 40):
        some = weights[start : start + 40]
        total = some @ present.T
        if not (total > 0).all():
            raise ValueError("a trust has no item of positive weight")
        np.divide(some @ filled.T, total, out=mean[start : start + 40])
    return to_hundredths(np.exp(mean) if how == "geometric" else mean, decimals)


def shared_weights(items: np.ndarray, domains: np.ndarray, by_item: np.ndarray, by_domain: np.ndarray) -> np.ndarray:
    """Weights of items, as ``items`` (..., trusts, items), under which each domain weighs ``by_domain``.

    ``domains``: (items,) codes. A domain's weight is shared out by ``by_item`` over the items that a
    trust has in it; a domain without items leaves the average.
    """
    weight = ~np.isnan(items) * by_item
    for code, of_domain in enumerate(by_domain):
        mine = domains == code
        total = weight[..., mine].sum(axis=-1, keepdims=True)
        weight[..., mine] *= np.divide(of_domain, total, out=np.zeros_like(total), where=total > 0)
    return weight


def cut_offs(hundredths: np.ndarray, percentiles: tuple[float, ...]) -> np.ndarray:
    """(..., len(percentiles)) linear-interpolated percentiles of the averages over trusts, unrounded."""
    if hundredths.size and hundredths.min() >= 0 and hundredths.max() <= np.iinfo(np.int16).max:
        hundredths = hundredths.astype(np.int16)  # numpy finds their places several times faster
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


def override(
    segment: np.ndarray, flags: np.ndarray, no_higher_than: int | None, segments_down: int = 0, worst: int = 0
) -> np.ndarray:
    """Segments after the financial override.

    A flagged trust is placed no higher than the given segment; where that is None, ``segments_down``
    segments down, but not below ``worst``.
    """
    if no_higher_than is None:
        lower = np.minimum(segment + segments_down, np.maximum(segment, worst))
    else:
        lower = np.maximum(segment, no_higher_than)
    return np.where(flags, lower, segment).astype(np.int8)


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


def rank_trusts(
    hundredths, cuts, flags, types, no_higher_than: int | None, segments_down: int = 0, by: str = "segment"
) -> Ranking:
    """Segments, override and league ranks from averages.

    ``hundredths``: (..., trusts); ``cuts``: in hundredths, unrounded, see `segments`; ``flags``:
    (trusts,) override flags; ``types``: (trusts,) codes; ``no_higher_than``, ``segments_down``: see
    `override`, None and 0 for no override; ``by``: "segment" or "average".
    Tie rule: within a type by segment, then by average, or by the average alone; equal trusts share the
    best rank (1, 2, 2, 4).
    """
    cuts = np.asarray(cuts)
    unadjusted = segments(hundredths, cuts)
    segment = unadjusted
    if no_higher_than is not None or segments_down:
        segment = override(unadjusted, flags, no_higher_than, segments_down, cuts.shape[-1] + 1)
    keys = hundredths if by == "average" else league_keys(segment, hundredths)
    return Ranking(unadjusted, segment, ranks_within(keys, types))


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


def weights_of(made: Items, framework: Framework, values: np.ndarray | None = None) -> np.ndarray | None:
    """Weights of the items, for `averages`: None where all are equal, (items,), or as the items themselves.

    ``values``: items to weigh in place of those of ``made``, (..., trusts, items).
    """
    rule = framework.average
    if rule.weigh == "items" and not framework.weights:
        return None
    domains = [domain.key for domain in framework.domain]
    codes = np.array([domains.index(made.domains[name]) for name in made.values], dtype=int)
    by_item = np.array([framework.item_weights[name] for name in made.values])
    by_domain = np.array([framework.domain_weights[key] for key in domains])
    if rule.weigh == "items":
        return by_item * by_domain[codes]
    return shared_weights(made.values.to_numpy() if values is None else values, codes, by_item, by_domain)


def require_plain_average(framework: Framework, what: str) -> None:
    """Raise InputError unless the rules average as the official ones do. ``what``: cannot be done with others."""
    if not framework.plain_average:
        rule = framework.average
        message = (
            f"{what} with these rules: it takes the arithmetic mean of equal items, rounded to 2 decimals, and theirs "
            f"is {rule.how}, weighed by {rule.weigh}{' and by name' if framework.weights else ''}, {rule.decimals} decimals"
        )
        raise InputError(message)


def _is_item(entry: Metric | Combined) -> bool:
    return isinstance(entry, Combined) or (entry.averaged and entry.group is None)


def scores_to_average(
    release: Release, framework: Framework, start: str, notes: list[str] | None = None
) -> pd.DataFrame:
    """The scores that enter the averages: trust_code, metric_id, score.

    ``start`` "scores": recovered from the published ones, rounded first where the framework says so
    for this quarter; those that its rules make anew come from the values. "values": recomputed from
    the values and not rounded; scores that cannot be (`Framework.only_published`) are the published ones. Figures that
    the rules count as too old are left out. What a reader should know is added to ``notes``.
    """
    notes = [] if notes is None else notes
    published = scoring.published_scores(release, framework)
    columns = ["trust_code", "metric_id", "score"]
    if start == "scores":
        notes += _not_recovered(published, release.quarter)
        first = published["metric_id"].isin(framework.rounded_first.get(release.quarter, ()))
        scores = published.assign(score=published["score"].where(~first, published["published_score"]))[columns]
        if scoring.scored_anew(framework):
            scores = pd.concat([scores, _scores_anew(release, framework, scores, notes)], ignore_index=True)
    else:
        recomputed = scoring.scores_from_values(release, framework)
        notes += scoring.pool_notes(release, framework)
        rest = published[published["metric_id"].isin(framework.only_published)]
        scores = pd.concat([recomputed, rest], ignore_index=True)[columns]
    return _fresh(scores, release, framework, notes) if framework.freshness else scores


def _scores_anew(release: Release, framework: Framework, published: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Scores made from the values because the rules differ from those published under, rounded first as published."""
    scores = scoring.scores_anew(release, framework, published)
    first = scores["metric_id"].isin(framework.rounded_first.get(release.quarter, ()))
    rounded = to_hundredths(scores["score"], framework.scale.decimals) / 10**framework.scale.decimals
    anew = scoring.scored_anew(framework)
    listed = ", ".join(score for score in framework.score_ids if score in anew)
    how = "again from the values, by rules other than the published"
    if scoring.observed(release, anew).empty:
        how = "from the values, as no scores of these are published"
    text = f"{release.quarter}: scored {how}: {listed}"
    notes.append(Note(text, ROUTINE))
    lost = scoring.observed(release, anew).merge(scores[["trust_code", "metric_id"]], how="left", indicator=True)
    if count := int((lost["_merge"] == "left_only").sum()):
        notes.append(
            f"{release.quarter}: {wording.counted(count, 'score')} of these left the averages, as no value is published"
        )
    return scores.assign(score=scores["score"].where(~first, rounded))


def _fresh(scores: pd.DataFrame, release: Release, framework: Framework, notes: list[str]) -> pd.DataFrame:
    """The scores without those of periods that ended too long ago; what cannot be dated stays and is named."""
    rule = framework.freshness
    judged = {m.score for m in framework.metric if m.survey} if rule.surveys_only else set(framework.score_ids)
    ends = scoring.period_ends(release, framework)
    ends = ends[ends["metric_id"].isin(judged & set(scores["metric_id"]))]
    undated = ends["ends"].isna()
    last = periods.end_of_quarter(release.quarter)
    oldest = periods.months_before(last, rule.months)
    old = ends[~undated & (ends["ends"].where(~undated, oldest) < oldest)]
    what = "surveys" if rule.surveys_only else "figures"
    when = f"{rule.months} months before {last.day} {last:%B %Y}"
    notes.append(
        f"{release.quarter}: {what} that ended more than {when} leave the averages: {_with_periods(old) or 'none'}"
    )
    if undated.any():
        notes.append(
            f"{release.quarter}: periods that are not understood, so these stay: {_with_periods(ends[undated])}"
        )
    gone = pd.MultiIndex.from_frame(old[["trust_code", "metric_id"]])
    return scores[~pd.MultiIndex.from_frame(scores[["trust_code", "metric_id"]]).isin(gone)]


def _with_periods(rows: pd.DataFrame) -> str:
    counted = rows.groupby(["metric_id", "period"]).size()
    return ", ".join(f"{score} ({period!r}, {wording.counted(n, 'trust')})" for (score, period), n in counted.items())


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
    score_rank (rank on the average alone), hundredths (the average as a whole number of its last decimal), n_items,
    flagged (by the override rule) and recomputed (False: published average and segment, since there are no metric
    rows). Averages have 2 decimals; ranks are within type, equal trusts sharing the best. ``domain_scores`` and ``domain_segments``: trusts by domain key, NaN
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

    @property
    def scale(self) -> Scale:
        """The scale of its scores; of a year without rules that of the newest ones, which has not changed so far."""
        return (self.framework or newest()).scale

    def capped(self, trust_type: str) -> pd.DataFrame:
        """Rows of the trusts of a type whose segment the override changes, in league order."""
        rows = self.of(trust_type)
        return rows[rows["unadjusted_segment"] < rows["segment"]]


def build(
    release: Release, framework: Framework | None, start: str = "scores", scores: pd.DataFrame | None = None
) -> LeagueTable:
    """Rebuild the league tables of a release from its metric ``start``: "scores" or "values".

    Trusts without metric rows keep their published average and segment and are ranked again. ``scores``:
    those that `scores_to_average` gives, where they are known already. Raises InputError where a figure
    that the rules need is missing.
    """
    if start not in ("scores", "values"):
        raise ValueError(f"start must be 'scores' or 'values', not {start!r}")
    trusts = _start_table(release, framework.average.decimals if framework else 2)
    if framework is None and start == "values":
        raise InputError(f"{release.quarter}: the kit has no rules for this year; give a framework file of your own")
    notes: list[str] = []
    made, cuts = None, {}
    if framework and _has_scores(release, framework, start):
        known = scores_to_average(release, framework, start, notes) if scores is None else scores
        made = items(known, framework)
        cuts = _recompute(trusts, made, release, framework, notes)
        notes += _without_figures(trusts, release, framework)
        if framework.average.decimals == framework.scale.decimals:
            notes += _unlike_published(trusts, release)
    elif framework:
        notes += _values_alone(release, framework)
    _note_published(trusts, release, framework, notes)
    if framework and framework.published == "averages":
        cuts = cuts or _cut_offs(trusts, release, framework, notes)
        _segment_published(trusts, framework, cuts, notes)
    elif framework:
        notes += _cut_at_thresholds(trusts, release, framework)
    _rank(trusts, notes, framework.ranking if framework else "segment")
    # A scenario's rules are shown beside the official ones, which say it.
    if framework and not framework.left_out and not scoring.scored_anew(framework):
        notes += filter(None, [not_known(release, framework)])
    domain_scores, domain_segments = _domains(made, trusts, framework, notes)
    trusts = trusts.sort_values(["trust_type", "rank", "trust_code"])
    return LeagueTable(
        release.quarter, trusts, domain_scores.reindex(trusts.index), domain_segments.reindex(trusts.index),
        made, cuts, tuple(notes), framework,
    )  # fmt: skip


def _has_scores(release: Release, framework: Framework, start: str) -> bool:
    if start == "values":
        scoring.require_whole_pools(release, framework)
        return True
    return bool(release.observations["metric_id"].isin(framework.scored_rows).any())


def _values_alone(release: Release, framework: Framework) -> list[str]:
    """That values could be ranked of which no scores are published."""
    values = [metric.value for metric in framework.metric if metric.scorable]
    if scoring.observed(scoring.within(release, framework), values).empty:
        return []
    return [
        f"{release.quarter}: metric values are at hand and no metric scores; start from the values (--from values), or have "
        "the rules score them always (rescored = true, metric by metric)"
    ]


AS_PUBLISHED = "as published"
"""In place of an override: the published segments stand."""


def from_results(release: Release, rule: Override | str | None, ranking: str = "segment") -> LeagueTable:
    """League tables from published averages and unadjusted segments alone, under another override or ranking.

    For quarters whose other rules the kit does not know. ``rule``: None for no override, `AS_PUBLISHED`
    to leave segments as they are. Raises InputError for a flag that is not published, and where an
    unadjusted segment or a flag that is needed is missing.
    """
    trusts = _start_table(release)
    if rule != AS_PUBLISHED:
        if rule and rule.flag_if:
            raise InputError(f"{release.quarter}: the kit has no rules for this year, so no flag can be derived")
        for column, needed in (("unadjusted_segment", True), ("in_deficit", rule is not None)):
            if needed and (missing := int(trusts[column].isna().sum())):
                raise InputError(f"{release.quarter}: {column} is not known for {wording.counted(missing, 'trust')}")
        unadjusted = trusts["unadjusted_segment"].to_numpy(dtype=np.int8)
        trusts["segment"] = _adjusted(unadjusted, trusts["flagged"].to_numpy(), rule, int(unadjusted.max()))
    notes = [f"{release.quarter}: made from published averages and unadjusted segments, as the kit has no other rules"]
    _rank(trusts, notes, ranking)
    trusts = trusts.sort_values(["trust_type", "rank", "trust_code"])
    empty = pd.DataFrame(index=trusts.index)
    return LeagueTable(release.quarter, trusts, empty, empty, None, {}, tuple(notes), None)


def from_averages(release: Release, framework: Framework) -> LeagueTable:
    """League tables from published averages and override flags alone, segments made by the rules.

    A trust of a type that the rules do not know, or whose average or deciding flag is not published, has no
    segment. Raises InputError where cut-offs need averages that are missing.
    """
    trusts = _start_table(release, framework.average.decimals)
    trusts[["unadjusted_segment", "segment"]] = np.nan
    notes: list[str] = []
    cuts = _cut_offs(trusts, release, framework, [])  # who is in the cut-offs is plain: all who have an average
    _segment_published(trusts, framework, cuts, notes)
    _rank(trusts, [], framework.ranking)
    trusts = trusts.sort_values(["trust_type", "rank", "trust_code"])
    empty = pd.DataFrame(index=trusts.index)
    return LeagueTable(release.quarter, trusts, empty, empty, None, cuts, tuple(notes), framework)


def _start_table(release: Release, decimals: int = 2) -> pd.DataFrame:
    """Every trust with its published figures; what can be recomputed replaces them later."""
    table = release.trusts.join(release.league.drop(columns=["rank", "score_rank"]))
    blank = dict.fromkeys(["score_low", "score_high", "rank_low", "rank_high", "rank", "score_rank"], np.nan)
    return table.assign(
        quarter=release.quarter,
        recomputed=False,
        n_items=0,
        flagged=table["in_deficit"] == 1,
        hundredths=to_hundredths(table["average_score"], decimals),
        **blank,
    )


def _recompute(trusts: pd.DataFrame, made: Items, release: Release, framework: Framework, notes: list[str]) -> dict:
    """Averages and segments of the trusts that have items, in place. Returns the cut-offs by type."""
    rule = framework.average
    values, weights = made.values.to_numpy(), weights_of(made, framework)
    counts = ~np.isnan(values) if weights is None else ~np.isnan(values) & (weights > 0)
    has = counts.any(axis=1)
    codes = made.values.index[has]
    _without_items(trusts, codes, release, framework)
    mine = weights[has] if weights is not None and weights.ndim > 1 else weights
    found = averages(values[has], mine, rule.decimals, rule.how)
    places = trusts.index.get_indexer(codes)
    _put(trusts, places, "hundredths", found)
    _put(trusts, places, "average_score", found / 10**rule.decimals)
    _put(trusts, places, "n_items", counts[has].sum(axis=1))
    _put(trusts, places, "recomputed", True)
    flags = _flags(trusts.iloc[places], release, framework).to_numpy(dtype=bool)
    _put(trusts, places, "flagged", flags)
    cuts = _cut_offs(trusts, release, framework, notes)
    types = trusts["trust_type"].to_numpy(dtype=object)[places]
    own_cuts = np.array([cuts.get(name, cuts.get("")) for name in types])
    unadjusted = segments(found, own_cuts.reshape(len(types), -1 if len(types) else 0))
    _put(trusts, places, "unadjusted_segment", unadjusted)
    _put(trusts, places, "segment", _adjusted(unadjusted, flags, framework.override, framework.segment_count))
    return cuts


def _put(trusts: pd.DataFrame, places: np.ndarray, name: str, values) -> None:
    """Put values into some rows of a column, in place."""
    column = trusts[name].to_numpy(copy=True)
    column[places] = values
    trusts[name] = column


def _adjusted(unadjusted: np.ndarray, flags, rule: Override | None, worst: int) -> np.ndarray:
    return override(unadjusted, flags, rule.no_higher_than, rule.segments_down or 0, worst) if rule else unadjusted


def _without_items(trusts: pd.DataFrame, codes: pd.Index, release: Release, framework: Framework) -> None:
    """A trust whose items these rules all leave out has no average, in place: the published one is not theirs."""
    scored = scoring.observed(release, framework.left_out)["trust_code"].unique()
    if framework.freshness or framework.weights:
        scored = [*scored, *scoring.observed(release, framework.score_ids)["trust_code"].unique()]
    gone = trusts.index.intersection(scored).difference(codes)
    trusts.loc[gone, ["average_score", "unadjusted_segment", "segment"]] = np.nan


def _segment_published(trusts: pd.DataFrame, framework: Framework, cuts: Mapping, notes: list[str]) -> None:
    """Segments by these rules of trusts without metric rows, from their published averages, in place.

    A type in which a flag that is not known would decide a segment has none, and a note says so.
    """
    rule, worst = framework.override, framework.segment_count
    rows = trusts[~trusts["recomputed"] & trusts["average_score"].notna()]
    for trust_type, mine in rows[rows["trust_type"].isin(framework.trust_types)].groupby("trust_type"):
        unadjusted = segments(mine["hundredths"].to_numpy(), np.asarray(cuts.get(trust_type, cuts.get(""))))
        subject = _subject(mine, rule)
        adjusted = _adjusted(unadjusted, (mine["in_deficit"] == 1) & subject, rule, worst)
        trusts.loc[mine.index, "unadjusted_segment"] = unadjusted
        trusts.loc[mine.index, "segment"] = adjusted
        unknown = mine["in_deficit"].isna() | bool(rule and rule.flag_if)
        unknown &= adjusted != _adjusted(unadjusted, subject.to_numpy(), rule, worst)
        if unknown.any():
            trusts.loc[mine.index, "segment"] = np.nan
            text = (
                f"{trust_type}: not segmented, as the override flags of {wording.counted(int(unknown.sum()), 'trust')} "
                "are not known and decide their segments"
            )
            notes.append(Note(text, NO_SEGMENTS, [trust_type]))


def _cut_at_thresholds(trusts: pd.DataFrame, release: Release, framework: Framework) -> list[str]:
    """Segments before the override, where none is published, of averages that the rules cut at fixed thresholds, in place.

    They need no other figure. Where the published segment is better, the average was cut otherwise, and there is none.
    """
    if framework.segments.rule != "thresholds":
        return []
    rows = trusts[trusts["unadjusted_segment"].isna() & trusts["average_score"].notna() & trusts["segment"].notna()]
    rows = rows[rows["trust_type"].isin(framework.trust_types)]
    made = segments(rows["hundredths"].to_numpy(), np.asarray(_cut_offs(trusts, release, framework, [])[""]))
    fits = made <= rows["segment"].to_numpy()
    trusts.loc[rows.index[fits], "unadjusted_segment"] = made[fits]
    if not fits.any():
        return []
    who = wording.counted(int(fits.sum()), "trust")
    return [
        f"{release.quarter}: segments before the override of {who} are made from published averages, by the thresholds of the rules"
    ]


def _without_figures(trusts: pd.DataFrame, release: Release, framework: Framework) -> list[str]:
    """Metrics of the types at hand of which nothing is at hand."""
    types = set(trusts.loc[trusts["recomputed"], "trust_type"])
    seen = set(release.observations.loc[release.observations["value"].notna(), "metric_id"].unique())
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
    text = f"{release.quarter}: {count} of {len(off)} rebuilt averages differ from the published ones, by up to {off.max():.2f}"
    return [Note(text, ROUTINE)]


def _flags(trusts: pd.DataFrame, release: Release, framework: Framework) -> pd.Series:
    """Override flags as published; they are derived only where the rules say how. Down for types it is not for."""
    rule = framework.override
    subject = _subject(trusts, rule)
    if rule and rule.flag_if:
        derived = _derived_flags(trusts.index[subject], release, framework)
        return derived.reindex(trusts.index, fill_value=False)
    unknown = trusts.index[trusts["in_deficit"].isna() & subject]
    if rule and len(unknown):
        message = (
            f"{release.quarter}: no financial-override flag ({framework.identifiers.override_flag}) for "
            f"{len(unknown)} trusts ({', '.join(unknown[:5])}{' ...' if len(unknown) > 5 else ''}); "
            "add the rows, or the league-table file"
        )
        raise InputError(message)
    return (trusts["in_deficit"] == 1) & subject


def _subject(trusts: pd.DataFrame, rule: Override | None) -> pd.Series:
    """Which trusts are of a type that the override is for; all where the rules name none."""
    if rule is None or not rule.trust_types:
        return pd.Series(True, trusts.index)
    return trusts["trust_type"].isin(rule.trust_types)


def _derived_flags(codes: pd.Index, release: Release, framework: Framework) -> pd.Series:
    """Whether any condition of the override holds. InputError where that cannot be said for want of a value."""
    held, known = pd.Series(False, codes), pd.Series(True, codes)
    for condition in framework.override.flag_if:
        metric_id = framework.value_of(condition.metric)
        values = scoring.observed(release, [metric_id]).set_index("trust_code")["value"].reindex(codes)
        known &= values.notna()
        held |= scoring.holds(values.to_numpy(), condition) & values.notna()
    if len(unknown := codes[~held & ~known]):
        wanted = ", ".join(framework.value_of(condition.metric) for condition in framework.override.flag_if)
        raise InputError(
            f"{release.quarter}: no flag can be derived for {wording.counted(len(unknown), 'trust')} "
            f"({', '.join(unknown[:5])}{' ...' if len(unknown) > 5 else ''}): values of {wanted} are missing"
        )
    return held


def _cut_offs(trusts, release: Release, framework: Framework, notes: list[str]) -> dict[str, tuple[float, ...]]:
    """Segment cut-offs by type ("" = all types), in hundredths, unrounded."""
    rule = framework.segments
    if rule.rule == "thresholds":
        return _thresholds(framework)
    known = trusts[trusts["average_score"].notna() & trusts["trust_type"].isin(framework.trust_types)]
    strangers = sorted(set(trusts["trust_type"]) - set(framework.trust_types))
    if strangers:
        notes.append(
            f"{release.quarter}: the framework has no rules for {', '.join(strangers)}; left out of pools and cut-offs"
        )
    if rule.pool == "type":
        return _percentiles(known, rule)
    missing = sorted(set(framework.trust_types) - set(known["trust_type"]))
    found = _percentiles(known, rule, averages_elsewhere(known, framework, release.quarter))
    shown = [cut / 10**framework.average.decimals for cut in found[""]]
    notes.append(_cut_off_note(shown, known, missing, release))
    return found


def cut_offs_of_averages(table: LeagueTable) -> dict[str, tuple[float, ...]]:
    """Segment cut-offs, as `LeagueTable.cut_offs`, by the rules of a table from its averages, published ones among them.

    Empty where the rules are not known, or an average, or those of a whole type, are missing.
    """
    framework, trusts = table.framework, table.trusts
    if framework is None:
        return {}
    if framework.segments.rule == "thresholds":
        return _thresholds(framework)
    rows = trusts[trusts["trust_type"].isin(framework.trust_types)]
    if rows["average_score"].isna().any() or set(rows["trust_type"]) != set(framework.trust_types):
        return {}
    return _percentiles(rows, framework.segments)


def _thresholds(framework: Framework) -> dict[str, tuple[float, ...]]:
    # Thresholds such as 2.32 have no exact binary form; in hundredths they are whole.
    return {"": tuple(round(cut * 10**framework.average.decimals, 6) for cut in framework.segments.thresholds)}


def _percentiles(
    rows: pd.DataFrame, rule: Segments, elsewhere: np.ndarray | None = None
) -> dict[str, tuple[float, ...]]:
    """Cut-offs at the percentiles of these averages and those from ``elsewhere`` (hundredths)."""
    if rule.pool == "type":
        types = rows.groupby("trust_type")["hundredths"]
        return {name: tuple(cut_offs(of_type.to_numpy(), rule.percentiles)) for name, of_type in types}
    pool = rows["hundredths"].to_numpy()
    return {"": tuple(cut_offs(pool if elsewhere is None else np.concatenate([pool, elsewhere]), rule.percentiles))}


def averages_elsewhere(known: pd.DataFrame, framework: Framework, quarter: str) -> np.ndarray:
    """Published averages, in hundredths, of the trust types that have none in ``known`` (trust_type), for cut-offs.

    Raises InputError for a type of which the kit does not hold them.
    """
    missing = sorted(set(framework.trust_types) - set(known["trust_type"]))
    reference = _reference(quarter, tuple(missing))
    absent = sorted(set(missing) - set(reference.index.get_level_values("trust_type")))
    if absent:
        raise InputError(
            f"{quarter}: the segment cut-offs need the averages of all trusts; those of {', '.join(absent)} "
            "are missing; add their data files or league-table files"
        )
    return to_hundredths(reference, framework.average.decimals)


@lru_cache(maxsize=8)
def _reference(quarter: str, missing: tuple[str, ...]) -> pd.Series:
    return releases.reference_averages(quarter, missing)


@lru_cache(maxsize=8)
def _held(quarter: str) -> pd.Series:
    """How many trusts of each type the kit knows of in a quarter."""
    held = releases.embedded_table("trusts")
    return held[held["quarter"] == quarter]["trust_type"].value_counts()


def _cut_off_note(cuts, known: pd.DataFrame, missing: list[str], release: Release) -> str:
    held = _held(release.quarter)

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
    text = f"{release.quarter}: segment cut-offs {' / '.join(map(wording.points, cuts))} from averages {sources}"
    return Note(text, ROUTINE)


def _note_published(trusts, release: Release, framework: Framework | None, notes: list[str]) -> None:
    if framework is None:
        notes.append(releases.no_rules(release.quarter))
        return
    for trust_type, rows in trusts.groupby("trust_type"):
        held = rows.index[~rows["recomputed"] & rows["average_score"].notna()]
        if len(held):
            listed = f"{', '.join(held[:5])}{' ...' if len(held) > 5 else ''}"
            who = f"any of the {len(held)} trusts" if len(held) == len(rows) else f"{len(held)} trusts ({listed})"
            if trust_type not in framework.trust_types:
                notes.append(_no_rules_of_type(release.quarter, trust_type))
                continue
            notes.append(
                f"{release.quarter}, {trust_type}: no metric scores that the rules know for {who}, so nothing could be "
                "recomputed for them; published averages and segments, ranked again"
            )


def _no_rules_of_type(quarter: str, trust_type: str) -> str:
    return (
        f"{quarter}, {trust_type}: the rules do not list this type, so nothing could be recomputed; its league table is of its "
        "published averages and segments, ranked again; for more, give a framework file that lists it"
    )


def not_known(release: Release, framework: Framework | None) -> str:
    """What is not known of the rules, as far as the figures at hand go, in one sentence; "" where all is."""
    if framework is None:
        return ""
    at_hand = set(release.observations.loc[release.observations["value"].notna(), "metric_id"].unique())
    found = framework.not_known(at_hand)
    return f"what is not known about these rules ({framework.year}): {'; '.join(found)}" if found else ""


def _rank(trusts: pd.DataFrame, notes: list[str], ranking: str) -> None:
    """League rank and rank on the average alone, in place; a trust without average or segment has none."""
    known = (trusts["average_score"].notna() & trusts["segment"].notna()).to_numpy()
    places = np.flatnonzero(known)
    types = pd.factorize(trusts["trust_type"])[0][places]
    hundredths = trusts["hundredths"].to_numpy()[places]
    keys = league_keys(trusts["segment"].to_numpy()[places].astype(np.int64), hundredths)
    alone = ranks_within(hundredths, types)
    _put(trusts, places, "score_rank", alone)
    _put(trusts, places, "rank", ranks_within(keys, types) if ranking == "segment" else alone)
    if not known.all():
        codes = trusts.index[~known]
        listed = f"{', '.join(codes[:20])}{' ...' if len(codes) > 20 else ''}"
        text = f"not ranked, for want of metric scores or of an average and segment: {listed}"
        notes.append(Note(text, NO_RANKS, trusts.loc[codes, "trust_type"].unique()))


def _domains(made: Items | None, trusts, framework, notes: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Domain scores, and their segments where all trusts of the pool that segments are cut in have them."""
    empty = pd.DataFrame(index=trusts.index)
    if made is None:
        return empty, empty
    keys = [domain.key for domain in framework.domain]
    found = np.full((len(trusts), len(keys)), np.nan)
    places = trusts.index.get_indexer(made.values.index)
    for column, key in enumerate(keys):
        found[places, column] = _domain_scores(made, key, framework)
    scores = pd.DataFrame(found, trusts.index, keys)
    rule = framework.segments
    ranked = trusts[trusts["trust_type"].isin(framework.trust_types) & trusts["average_score"].notna()]
    absent = sorted(
        {*framework.trust_types} - {*ranked["trust_type"]} | {*ranked.loc[~ranked["recomputed"], "trust_type"]}
    )
    if rule.domains == "unknown":
        text = f"{trusts['quarter'].iat[0]}: domain segments were not recomputed; their rule is not known"
        notes.append(Note(text, NOT_MADE))
    if rule.domains == "unknown" or rule.rule != "percentiles":
        return scores, empty
    if absent:
        whose = "all trusts" if rule.pool == "all" else "all trusts of a type"
        text = (
            f"{trusts['quarter'].iat[0]}: domain segments were not {'' if rule.pool == 'all' else 'all '}recomputed; they need "
            f"the domain scores of {whose}, and those of {', '.join(absent)} are not all at hand"
        )
        notes.append(Note(text, NOT_MADE))
    types = trusts["trust_type"].to_numpy(dtype=object)
    pools = [types == name for name in framework.trust_types if name not in absent]
    if rule.pool == "all":
        pools = [] if absent else [np.ones(len(trusts), dtype=bool)]
    if not pools:
        return scores, empty
    cut = np.full(found.shape, np.nan)
    for pool in pools:
        for column in range(len(keys)):
            cut[pool, column] = _domain_segments(found[pool, column], rule.percentiles, framework.average.decimals)
    return scores, pd.DataFrame(cut, trusts.index, keys)


def _domain_segments(scores: np.ndarray, percentiles: tuple[float, ...], decimals: int) -> np.ndarray:
    """Segments of one domain's scores by the national percentiles of the domain; NaN where there is no score."""
    found, known = np.full(len(scores), np.nan), ~np.isnan(scores)
    if known.any():
        hundredths = to_hundredths(scores[known], decimals)
        found[known] = segments(hundredths, cut_offs(hundredths, percentiles))
    return found


def _domain_scores(made: Items, domain: str, framework: Framework) -> np.ndarray:
    """Scores of one domain of the trusts with items; NaN where a trust has no item of it that weighs."""
    mine = np.array([made.domains[name] == domain for name in made.values], dtype=bool)
    values, names = made.values.to_numpy()[:, mine], made.values.columns[mine]
    weights = np.array([framework.item_weights[name] for name in names])
    has = (~np.isnan(values) & (weights > 0)).any(axis=1)
    found, rule = np.full(len(values), np.nan), framework.average
    if has.any():
        plain = None if not framework.weights else weights
        found[has] = averages(values[has], plain, rule.decimals, rule.how) / 10**rule.decimals
    return found
