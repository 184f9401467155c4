"""Where every trust stands on every metric of a quarter, and how trusts compare within domains.

Ranks on a metric are within its pool: all trusts that report it, or those of the type where the rules say so, from the
published values, best first; equal values of one type are ordered by the published Rank as `nofcore.scoring.rank_in_pool` does, and trusts that are
still equal share the best rank. Between types the order of equal values stays open: the places of a trust are then all that it
would hold with those of the other types before it, behind it or between. Where only a score is published the rank is that of the
score. Quartile = 1 + 4 (rank - 1) // n, where all places that a trust may hold are in the same one.

**Domain scores against a median**: a domain score is the mean of a few items. As if other metrics of the same kind had
been chosen, it has a standard error of s / sqrt(items), s being the pooled standard deviation of items around the mean of
their own trust and domain, over the trusts of the type. It is told apart where it is further from the median than z of these,
z being the normal quantile at which all domains of the trust together have 95 % (Bonferroni): with one line for
each, one trust in four that is like the middle in all of five domains would be told apart in one. The median counts as
known, which it is not with fewer than `FEWEST` trusts. That items of all trusts and domains spread alike is our assumption.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pandas as pd

from nofcore import league, scoring
from nofcore.framework import Combined, Framework, Metric, is_own
from nofcore.league import LeagueTable
from nofcore.ranking import minimum_ranks
from nofcore.release import Release
from nofcore.scoring import to_hundredths
from nofcore.variances import within_sd

LEVEL = 0.95
FEWEST = 5
"""Trusts whose median a domain score is held against, at least."""
PARTS = 4
BETTER, WORSE, CANNOT_TELL, UNKNOWN = "better", "worse", "cannot be told apart", "not known"
COLUMNS = [
    "trust_code", "metric_id", "value_id", "name", "domain", "better", "model", "target", "unit", "value", "period",
    "score", "rank", "rank_last", "of", "whole", "quartile", "pool", "enters", "averaged",
]  # fmt: skip


# --- metrics --------------------------------------------------------------------------------------


def metric_standing(figures: Release, framework: Framework) -> pd.DataFrame:
    """A row per trust and metric with a score or a value, in the order of the framework.

    trust_code, metric_id (of the score), value_id ("" for a score without values), name, domain (key), better ("low",
    "high" or "" for a score alone), model, target (standard or floor, NaN for none), unit, value (NaN where there is none or
    it is suppressed), period, score (as it enters the average, NaN where there is none), rank, rank_last (the last of the
    places that equal trusts share, or that stay open to it) and of (in the pool; missing for counts in a pool of rates, which brackets score),
    whole (False where types of the pool have no metric rows at hand: the rank is then among the others alone),
    quartile (missing where a tie lies in several, or the pool is not whole), pool ("all" or "type"), enters: how it enters the average ("by itself",
    "as part of ...", "not"), averaged (whether it is averaged, by itself or in a group: False where a combined score stands for it).
    """
    figures = scoring.within(figures, framework)
    scores = league.scores_to_average(figures, framework, "scores").set_index(["metric_id", "trust_code"])["score"]
    types = figures.trusts["trust_type"]
    have = set(scoring.observed(figures, framework.scored_rows)["trust_type"].unique())
    frames = []
    for entry in (*framework.metric, *framework.combined):
        standing = _standing(entry, figures, framework, scores, types)
        whole = _type_alone(entry) or set(getattr(entry, "trust_types", framework.trust_types)) <= have
        frames.append(standing.assign(whole=whole, quartile=standing["quartile"] if whole else np.nan)[COLUMNS])
    frames = [frame for frame in frames if len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=COLUMNS)


def _standing(entry: Metric | Combined, figures: Release, framework: Framework, scores, types) -> pd.DataFrame:
    known = scores.xs(entry.score) if entry.score in scores.index.get_level_values(0) else pd.Series(dtype=float)
    value_id = getattr(entry, "value", None)
    rows = figures.observations
    rows = rows[rows["metric_id"] == (value_id or entry.score)].set_index("trust_code")
    codes = rows.index.union(known.index)
    rows = rows.reindex(codes)
    found = pd.DataFrame({"score": known.reindex(codes), "period": rows["period"]}, index=codes)
    found["unit"] = rows["unit"] if value_id else ""
    found["value"] = rows["value"] if value_id else np.nan
    found = found.join(_ranks(entry, found, rows["rank"], types.reindex(codes)))
    threshold = getattr(entry, "threshold", None)
    found = found.assign(
        metric_id=entry.score, value_id=value_id or "", name=entry.short, domain=entry.domain,
        better=getattr(entry, "better", None) or "", model=getattr(entry, "model", "combined"),
        target=np.nan if threshold is None else threshold, pool=getattr(entry, "pool", "all"),
        enters=_enters(entry, framework), averaged=getattr(entry, "averaged", True),
    )  # fmt: skip
    by_bracket = found["unit"].isin(list(getattr(entry, "unit", ())))
    found.loc[by_bracket, "model"], found.loc[by_bracket, "target"] = "lookup", np.nan
    found = found[found["score"].notna() | found["value"].notna()]
    return found.rename_axis("trust_code").reset_index()


def _type_alone(entry: Metric | Combined) -> bool:
    """Whether trusts are ranked within their own type."""
    return getattr(entry, "pool", "all") == "type"


def _ranks(entry: Metric | Combined, found: pd.DataFrame, published: pd.Series, types: pd.Series) -> pd.DataFrame:
    """rank, rank_last, of and quartile in the pool, missing for trusts outside it."""
    by_value = bool(getattr(entry, "value", None))
    known = found["value" if by_value else "score"].notna()
    if by_value:
        known &= ~found["unit"].isin(list(entry.unit))
    ranks = pd.DataFrame(np.nan, found.index, ["rank", "rank_last", "of", "quartile"])
    groups = types[known].unique() if _type_alone(entry) else [None]
    for group in groups:
        mine = found.index[known & (True if group is None else types == group)]
        if not len(mine):
            continue
        if by_value:
            values, places = found.loc[mine, "value"].to_numpy(float), published[mine].to_numpy(float)
            rank, last = places_open(values, places, types[mine].to_numpy(), entry.better)
        else:
            rank = minimum_ranks(to_hundredths(found.loc[mine, "score"]))
            last = rank + _sharing(rank) - 1
        first_part, last_part = quartile(rank, len(mine)), quartile(last, len(mine))
        parts = np.where(first_part == last_part, first_part, np.nan)
        for column, given in (("rank", rank), ("rank_last", last), ("of", len(mine)), ("quartile", parts)):
            ranks.loc[mine, column] = given
    return ranks


def places_open(
    values: np.ndarray, published: np.ndarray, types: np.ndarray, better: str
) -> tuple[np.ndarray, np.ndarray]:
    """First and last of the places in a pool that each trust shares with its equals or that the figures leave open to it.

    ``published``: the Rank within type, NaN where blank. See the head of this module.
    """
    codes = pd.factorize(types)[0]
    rank = scoring.rank_in_pool(values, published, codes, better)[0]
    last = rank + _sharing(rank) - 1
    rows = pd.DataFrame({"value": values, "type": codes, "rank": rank, "last": last})
    equal = rows.groupby("value")
    of_type = rows.groupby(["value", "type"])
    several = (equal["type"].transform("nunique") > 1).to_numpy()
    first_of_all, last_of_all = equal["rank"].transform("min"), equal["last"].transform("max")
    before = of_type["rank"].rank(method="min") - 1
    behind = of_type["rank"].transform("size") - of_type["rank"].rank(method="max")
    return (
        np.where(several, first_of_all + before, rank).astype(int),
        np.where(several, last_of_all - behind, last).astype(int),
    )


def _sharing(rank: np.ndarray) -> np.ndarray:
    """How many trusts have the same rank, for each."""
    _, place, shared = np.unique(rank, return_inverse=True, return_counts=True)
    return shared[place]


def quartile(rank, n):
    """Quarter, 1 (best) to 4, of places among n; of arrays as well."""
    return 1 + PARTS * (rank - 1) // n


def _enters(entry: Metric | Combined, framework: Framework) -> str:
    if isinstance(entry, Combined):
        return "by itself"
    if entry.group:
        group = next(group for group in framework.group if group.key == entry.group)
        return f"as part of {group.name}" if entry.averaged else "not"
    if entry.averaged:
        return "by itself"
    through = [one.short for one in framework.combined if entry.score in (one.rows, one.columns)]
    return f"as part of {through[0]}" if through else "not"


# --- domains --------------------------------------------------------------------------------------


def domain_standing(rebuilt: LeagueTable, figures: Release) -> pd.DataFrame:
    """A row per trust with items and domain it has a score in, in the order of the framework.

    trust_code, domain (key), name, items (number), score, segment (by the rules; where these do not give it, as published; NaN where
    it is not published either), published (whether it is the published one), and against the trusts of its
    type and of its subtype, itself among them: median_type, n_type, rank_type, and so on with _subtype (rank 1 best,
    equal scores sharing the best); margin (z standard errors, NaN where the spread is not known); verdict_type,
    verdict_subtype: `BETTER`, `WORSE` or `CANNOT_TELL` than the median, `UNKNOWN` without a margin or with fewer than
    `FEWEST` trusts.
    """
    if rebuilt.items is None or rebuilt.domain_scores.empty:
        return pd.DataFrame(columns=["trust_code", "domain"])
    names = {domain.key: domain.name for domain in rebuilt.framework.domain}
    frames = []
    for trust_type, rows in rebuilt.trusts[rebuilt.trusts["recomputed"]].groupby("trust_type"):
        domains = rebuilt.domain_scores.loc[rows.index].notna().sum(axis=1)
        reach = _spread(rebuilt, rows.index) * domains.map(_z)
        for key, name in names.items():
            frames.append(_domain(rebuilt, rows, key, reach).assign(domain=key, name=name, trust_type=trust_type))
    found = _with_published(pd.concat(frames).rename_axis("trust_code").reset_index(), rebuilt.framework, figures)
    order = found["domain"].map({key: place for place, key in enumerate(names)})
    return found.assign(order=order).sort_values(["trust_code", "order"], ignore_index=True).drop(columns="order")


def _with_published(found: pd.DataFrame, framework: Framework, figures: Release) -> pd.DataFrame:
    """Domain segments as published where the rules give none. Those of other rules than the user's own would not be theirs."""
    if is_own(framework, figures.quarter):
        return found.assign(published=False)
    domains = {domain.segment: domain.key for domain in framework.domain}
    rows = scoring.observed(figures, domains)
    known = rows.assign(domain=rows["metric_id"].map(domains)).set_index(["trust_code", "domain"])["value"]
    segment = known.reindex(pd.MultiIndex.from_frame(found[["trust_code", "domain"]])).to_numpy(dtype=float)
    lacking = found["segment"].isna() & ~np.isnan(segment)
    return found.assign(segment=found["segment"].where(~lacking, segment), published=lacking)


def _spread(rebuilt: LeagueTable, codes: pd.Index) -> float:
    """Pooled standard deviation of items around the mean of their trust and domain; NaN where it cannot be had."""
    values = rebuilt.items.values.reindex(codes)
    parts = [
        values.loc[:, [rebuilt.items.domains[name] == key for name in values]]
        for key in set(rebuilt.items.domains.values())
    ]
    wide = max(part.shape[1] for part in parts)
    padded = [np.pad(part.to_numpy(), ((0, 0), (0, wide - part.shape[1])), constant_values=np.nan) for part in parts]
    try:
        return within_sd(np.vstack(padded))
    except ValueError:
        return np.nan


def _z(domains: int) -> float:
    """Standard errors at which so many domains at once have `LEVEL`."""
    return NormalDist().inv_cdf(1 - (1 - LEVEL) / 2 / domains) if domains else np.nan


def _domain(rebuilt: LeagueTable, rows: pd.DataFrame, key: str, reach: pd.Series) -> pd.DataFrame:
    scores = rebuilt.domain_scores.loc[rows.index, key].dropna()
    mine = [name for name in rebuilt.items.values if rebuilt.items.domains[name] == key]
    items = rebuilt.items.values.reindex(scores.index)[mine].notna().sum(axis=1)
    segments = rebuilt.domain_segments
    found = pd.DataFrame({"items": items, "score": scores})
    found["segment"] = segments[key].reindex(scores.index) if key in segments else np.nan
    found["margin"] = (reach.reindex(scores.index) / np.sqrt(items)).where(lambda margin: margin > 0)
    groups = {"type": pd.Series("", scores.index), "subtype": rows["trust_subtype"].reindex(scores.index)}
    for name, group in groups.items():
        by = scores.groupby(group)
        found[f"median_{name}"], found[f"n_{name}"] = by.transform("median"), by.transform("size")
        hundredths = pd.Series(to_hundredths(scores), scores.index)
        found[f"rank_{name}"] = hundredths.groupby(group).transform(lambda one: minimum_ranks(one.to_numpy()))
        found[f"verdict_{name}"] = _verdicts(
            found["score"] - found[f"median_{name}"], found["margin"], found[f"n_{name}"]
        )
    return found


def _verdicts(above: pd.Series, margin: pd.Series, n: pd.Series) -> np.ndarray:
    told = [margin.isna() | (n < FEWEST), above < -margin, above > margin]
    return np.select(told, [UNKNOWN, BETTER, WORSE], CANNOT_TELL)
