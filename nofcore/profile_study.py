"""All that the profiles of a quarter's trusts share, worked out once for the whole batch (`study`).

It is kept on disk (`nofcore.cache`) in parts, so that other draws or another seed make only the ranges again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from nofcore import (
    activity,
    bootstrap,
    cache,
    improvement,
    incentives,
    league,
    metric_standing,
    pairs,
    release,
    sensitivity,
)
from nofcore.bootstrap import LEVEL, RankUncertainty
from nofcore.defaults import DRAWS, SEED
from nofcore.errors import InputError
from nofcore.flags import before_override, override_flags, ranks_in
from nofcore.framework import Framework
from nofcore.incentives import NextSegment
from nofcore.league import LeagueTable
from nofcore.release import Archive
from nofcore.wording import plural


@dataclass(frozen=True, eq=False)
class Ranges:
    """The bootstrap over items, of all quarters.

    ``path``: a row per quarter and trust ranked in it: quarter, trust_code, trust_type, rank, of (ranked trusts of the type),
    average, segment, unadjusted, flagged, if_flagged (of `nofcore.flags.before_override`), rank_without, rank_with (without and with the
    flag, all others as they are), rank_low, rank_high (NaN where nothing can be drawn); ``left_out``: quarters that are not in it, and why; ``table``: of `RankUncertainty.table` for the quarter shown, None with ``why_not``;
    ``shares``: trusts by rank, share of draws; ``told``: a row per trust: others of its type, ahead and behind (that it can be
    told apart from) and unsure (verdicts that another seed may change).
    """

    path: pd.DataFrame
    left_out: tuple[str, ...]
    table: pd.DataFrame | None
    shares: pd.DataFrame | None
    told: pd.DataFrame | None
    why_not: str


@dataclass(frozen=True, eq=False)
class Method:
    """Scenarios of the kit, for the trusts of one type.

    ``ranks``, ``segments``: trusts by scenario key, the official rules first; ``ranges``: of `Sensitivity.ranges`; ``table``:
    of `Sensitivity.table`.
    """

    ranks: pd.DataFrame
    segments: pd.DataFrame
    ranges: pd.DataFrame
    table: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Study:
    """What the profiles of a quarter share.

    ``rebuilt``: the league tables; ``metrics``, ``domains``: of `nofcore.metric_standing`; ``method``: by trust type;
    ``ways``: to the next segment, or why there are none; ``counts``: of `nofcore.activity.read`, empty where there are none;
    ``quarters``: all that are at hand, oldest first.
    """

    rebuilt: LeagueTable
    ranges: Ranges
    metrics: pd.DataFrame
    domains: pd.DataFrame
    method: Mapping[str, Method]
    ways: NextSegment | str
    counts: pd.DataFrame
    quarters: tuple[str, ...]
    draws: int
    seed: int

    @property
    def quarter(self) -> str:
        return self.rebuilt.quarter

    @cached_property
    def flags(self) -> Mapping[str, str]:
        """How the override flag of each ranked trust is known (`nofcore.flags`); empty without rules and cut-offs."""
        if self.rebuilt.framework is None or not self.rebuilt.cut_offs:
            return {}
        ranked = self.rebuilt.trusts.dropna(subset="rank")
        return override_flags(self.rebuilt, ranked)["basis"].to_dict()


def study(archive: Archive, quarter: str, own: Framework | None = None, draws: int = DRAWS, seed: int = SEED) -> Study:
    """Work out, or read from the cache, what the profiles of a quarter share. ``own``: the user's rules, for their year."""
    figures = archive.release(quarter)
    framework = release.framework_for(figures.quarter, own)
    made_from = f"{figures.quarter} {archive.source} {archive.inputs} {own}"
    by_method = ("profile-method", made_from, lambda: _method(figures, framework))
    up = ("profile-ways", made_from, lambda: _ways(league.build(figures, framework), figures, framework))
    with cache.meanwhile(*by_method), cache.meanwhile(*up):
        rebuilt, metrics, domains, counts = cache.remember(
            "profile-standing", made_from, lambda: _standing(figures, framework)
        )
        ranges = cache.remember(
            "profile-ranges", f"{made_from} {draws} {seed}", lambda: _ranges(archive, rebuilt, own, draws, seed)
        )
    ways, method = cache.remember(*up), cache.remember(*by_method)
    return Study(rebuilt, ranges, metrics, domains, method, ways, counts, archive.quarters, draws, seed)


def _standing(figures, framework: Framework | None) -> tuple[LeagueTable, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    rebuilt = league.build(figures, framework)
    if framework is None or rebuilt.items is None:
        metrics = pd.DataFrame(columns=metric_standing.COLUMNS)
    else:
        metrics = metric_standing.metric_standing(figures, framework)
    return rebuilt, metrics, metric_standing.domain_standing(rebuilt, figures), _counts(figures, framework)


def _counts(figures, framework: Framework | None) -> pd.DataFrame:
    try:
        if framework is not None:
            return activity.read(figures, framework)
    except InputError:  # none for the quarter
        pass
    return pd.DataFrame(columns=activity.COLUMNS[1:])


# --- ranges and quarters --------------------------------------------------------------------------


def _ranges(archive: Archive, shown: LeagueTable, own: Framework | None, draws: int, seed: int) -> Ranges:
    path, left_out, table, shares, told, why_not = [], [], None, None, None, ""
    for quarter in archive.quarters:
        mine = quarter == shown.quarter
        try:
            rebuilt = shown if mine else league.build(archive.release(quarter), release.framework_for(quarter, own))
        except InputError as error:
            left_out.append(f"{quarter}: {error}")
            continue
        try:
            drawn = bootstrap.rank_uncertainty(rebuilt if mine else _varying(rebuilt), draws, seed, pairs=mine)
        except InputError as error:
            drawn, why_not = None, str(error) if mine else why_not
        path.append(_quarter(rebuilt, drawn))
        if mine and drawn is not None:
            table, told = drawn.table(), _told_apart(drawn)
            shares = drawn.rank_probabilities().astype(np.float32)
            shares.loc[list(drawn.without_range)] = np.nan
    return Ranges(pd.concat(path, ignore_index=True), tuple(left_out), table, shares, told, why_not)


def _varying(rebuilt: LeagueTable) -> LeagueTable:
    """The types with trusts that can be drawn: with fixed cut-offs the ranks of the others are the same in each draw."""
    any_drawn = rebuilt.trusts.groupby("trust_type")["recomputed"].transform("any")
    return replace(rebuilt, trusts=rebuilt.trusts[any_drawn])


def _quarter(rebuilt: LeagueTable, drawn: RankUncertainty | None) -> pd.DataFrame:
    rows = rebuilt.trusts.dropna(subset="rank")
    apart = before_override(rebuilt, rows)
    found = pd.DataFrame(
        {
            "quarter": rebuilt.quarter, "trust_type": rows["trust_type"], "rank": rows["rank"].astype(int),
            "of": rows["trust_type"].map(rows["trust_type"].value_counts()), "average": rows["average_score"],
            "segment": rows["segment"].astype(int), "rank_low": np.nan, "rank_high": np.nan, **apart,
            "rank_without": ranks_in(apart["unadjusted"], rows), "rank_with": ranks_in(apart["if_flagged"], rows),
        }
    )  # fmt: skip
    if drawn is not None:
        found[["rank_low", "rank_high"]] = drawn.table()[["rank_low", "rank_high"]]
    return found.rename_axis("trust_code").reset_index()


def _told_apart(drawn: RankUncertainty) -> pd.DataFrame:
    """others, ahead (told to be above the trust), behind and unsure, by trust; see `nofcore.pairs`."""
    found = pairs.not_told_apart(drawn)
    known = ~found.index.isin(drawn.without_range)
    told = pairs.apart(drawn.counts.ahead, drawn.counts.draws, LEVEL) & known & known[:, None]
    above = told & (drawn.counts.ahead > drawn.counts.ahead.T)
    return pd.DataFrame(
        {"others": found["others"], "ahead": above.sum(axis=0), "behind": above.sum(axis=1), "unsure": found["unsure"]},
        index=found.index,
    )


# --- method and segments --------------------------------------------------------------------------


def _method(figures, framework: Framework | None) -> dict[str, Method]:
    found = sensitivity.compare(figures, framework)
    types = found.baseline.trusts.dropna(subset="rank")["trust_type"].unique()
    return {
        name: Method(found.ranks(name), found.segments(name), found.ranges(name), found.table(name)) for name in types
    }


def _ways(rebuilt: LeagueTable, figures, framework: Framework | None) -> NextSegment | str:
    if framework is None:
        return release.no_rules(rebuilt.quarter)
    try:
        found = incentives.next_segment(improvement.prepare(rebuilt, figures, framework))
    except InputError as error:
        return str(error)
    return replace(found, metrics=found.metrics.drop(columns=["trust_name", "trust_type"]))


def without_rows(quarter: str, trust_type: str) -> str:
    """Why a trust of a type has no metrics to show."""
    return f"no metric scores of {plural(trust_type)} are at hand for {quarter}"
