"""What better values are worth: change one value or many, score the pools again, rank all trusts again.

The start is the league table as published. A changed value is scored in its whole pool by
`nofcore.rescoring`, and so are the values as they stand; the *difference* of the two is added to
the published scores, so that no change has no effect, whatever the rules leave open.

Override flags are held as published, whatever is changed, the financial plan among it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from nofcore import bootstrap, league, pools, rescoring, scoring
from nofcore.bootstrap import Rules
from nofcore.errors import InputError
from nofcore.flags import override_flags
from nofcore.framework import Framework
from nofcore.league import LeagueTable, Ranking
from nofcore.pools import PLACES, Pooled
from nofcore.release import Release
from nofcore.rescoring import Rescoring

_AT_A_TIME = 1_000
"""Cases worked on together."""


# --- on a league table ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcomes:
    """What becomes of one trust in each case, all (cases,).

    ``hundredths``: its average; ``unadjusted``, ``segment``, ``rank``; ``losers``: how many others of
    its type rank worse than at the start.
    """

    hundredths: np.ndarray
    unadjusted: np.ndarray
    segment: np.ndarray
    rank: np.ndarray
    losers: np.ndarray


@dataclass(frozen=True, eq=False)
class Standing:
    """Where every trust stands before anything changes; `prepare` makes one.

    ``trusts``: ranked rows of the league table, in its order, the last axis of all results;
    ``hundredths``: their averages; ``plan``: adds what changed scores change to the published ones;
    ``metrics``: `Pooled` by metric_id of the value; ``differences``: scores that the rules do not give back as
    published (trust_code, metric_id, published, rescored; effects are differences, so they do not enter them);
    ``left_out``: what cannot be changed and why (trust_code, trust_type, metric_id, name, reason).
    """

    quarter: str
    framework: Framework
    rebuilt: LeagueTable
    trusts: pd.DataFrame
    hundredths: np.ndarray
    plan: Rescoring
    metrics: Mapping[str, Pooled]
    differences: pd.DataFrame
    left_out: pd.DataFrame

    @cached_property
    def at(self) -> np.ndarray:
        """Columns of the plan for the trusts, -1 for those held at their published averages."""
        return self.plan.codes.get_indexer(self.trusts.index)

    def place(self, metric_id: str) -> np.ndarray:
        """The place among ``trusts`` of each column of a metric."""
        return self.trusts.index.get_indexer(self.metrics[metric_id].rescorer.codes)

    def averages(self, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        """Averages in hundredths, (cases, trusts), from `Pooled.changed` rows of some metrics."""
        found = self.plan.averages(rows)[:, self.at]
        return np.where(self.at < 0, self.hundredths, found)

    def rules(self, cutoffs: str = "published") -> Rules:
        """``cutoffs``: "published" holds the segment cut-offs, "recomputed" takes them anew in each case."""
        return bootstrap.ranking_rules(self.rebuilt, self.trusts, cutoffs)

    @cached_property
    def flags(self) -> pd.DataFrame:
        """Override flags of the trusts, and how they are known: see `nofcore.flags`."""
        return override_flags(self.rebuilt, self.trusts)

    def start(self, rules: Rules) -> Ranking:
        """Segments and ranks before any change, each (trusts,)."""
        found = rules.rank(self.hundredths[None])
        return Ranking(found.unadjusted[0], found.segment[0], found.rank[0])

    def outcomes(self, metric_id: str, columns: np.ndarray, new: np.ndarray, rules: Rules) -> Outcomes:
        """What becomes of a trust when its value of one metric is a new one, all else as published.

        ``columns``, ``new``: (cases,) the trust, as a column of the metric, and its new value.
        """
        parts = [part for part in self._outcomes(metric_id, columns, new, rules)]
        joined = (np.concatenate([getattr(part, name) for part in parts]) for name in Outcomes.__dataclass_fields__)
        return Outcomes(*joined)

    def _outcomes(self, metric_id, columns, new, rules: Rules) -> Iterator[Outcomes]:
        one, place, start = self.metrics[metric_id], self.place(metric_id), self.start(rules)
        for first in range(0, max(len(columns), 1), _AT_A_TIME):
            some = slice(first, first + _AT_A_TIME)
            own = place[columns[some]]
            hundredths = self.averages({metric_id: one.changed(columns[some], new[some])})
            found = rules.rank(hundredths)
            case = np.arange(len(own))
            worse = (found.rank > start.rank) & (rules.types == rules.types[own][:, None])
            worse[case, own] = False
            yield Outcomes(
                hundredths[case, own], found.unadjusted[case, own], found.segment[case, own], found.rank[case, own],
                worse.sum(axis=1),
            )  # fmt: skip

    def scores(self, metric_id: str, columns: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(score, place in the pool by value) of the trust that is changed, as `outcomes`."""
        one, case = self.metrics[metric_id], np.arange(len(columns))
        rows = one.changed(columns, new)
        return one.rescorer.scores(rows)[case, columns], one.places(rows)[case, columns].astype(np.int64)


def what_happens(
    standing: Standing, metric_id: str, columns: np.ndarray, new: np.ndarray, rules: Rules
) -> pd.DataFrame:
    """A row per case: one trust's value of one metric becomes a new one."""
    one, start = standing.metrics[metric_id], standing.start(rules)
    own, found = standing.place(metric_id)[columns], standing.outcomes(metric_id, columns, new, rules)
    before, place_before = standing.scores(metric_id, columns, one.values[columns])
    after, place_after = standing.scores(metric_id, columns, new)
    trusts, change = standing.trusts.iloc[own], np.round(np.abs(new - one.values[columns]), PLACES)
    hundredths = standing.hundredths[own]
    rank = start.rank[own].astype(np.int64)
    return pd.DataFrame(
        {
            "trust_code": trusts.index, "trust_type": trusts["trust_type"].to_numpy(),
            "trust_name": trusts["trust_name"].to_numpy(), "metric_id": metric_id, "name": one.rescorer.metric.short,
            "better": one.rescorer.metric.better, "unit": [one.measures[column].many for column in columns],
            "value": one.values[columns], "new_value": new, "change": change, "steps": change / one.steps[columns],
            "pool_place_before": place_before, "pool_place_after": place_after,
            "pool_places": place_before - place_after, "score_before": before, "score_after": after,
            "score_change": after - before, "average_before": hundredths / 100, "average_after": found.hundredths / 100,
            "average_change": (found.hundredths - hundredths) / 100, "segment_before": start.segment[own],
            "segment_after": found.segment, "rank_before": rank, "rank_after": found.rank.astype(np.int64),
            "places_won": rank - found.rank, "losers": found.losers,
        }
    )  # fmt: skip


def prepare(rebuilt: LeagueTable, figures: Release, framework: Framework) -> Standing:
    """Where every trust stands, ready for changes.

    ``rebuilt``: from the published scores. Metrics of which part of a pool is not at hand are left
    out. Raises InputError where that is all of them, or where ``rebuilt`` is not from these scores.
    """
    if rebuilt.items is None:
        raise InputError(f"{rebuilt.quarter}: no metric scores are at hand, so no change of a value can be followed")
    figures = scoring.within(figures, framework)
    broken = _broken_pools(figures, framework)
    wanted = [metric.value for metric in framework.metric if metric.scorable and metric.value not in broken]
    wanted = [name for name in wanted if len(scoring.observed(figures, [name]))]
    if not wanted:
        scoring.require_whole_pools(figures, framework)
        raise InputError(f"{rebuilt.quarter}: {figures.source} holds no value of a metric that the framework scores")
    plan = rescoring.prepare(figures, framework, wanted)
    scores = league.scores_to_average(figures, framework, "scores")
    wide = scores.pivot(index="trust_code", columns="metric_id", values="score")
    metrics = {name: pools.pooled(figures, one, wide) for name, one in plan.metrics.items()}
    plan, differences = _from_what_is(plan, metrics, wide)
    trusts = rebuilt.trusts.dropna(subset="rank")
    left_out = _left_out(figures, framework, plan, metrics, broken, trusts)
    standing = Standing(
        rebuilt.quarter, framework, rebuilt, trusts, trusts["hundredths"].to_numpy(dtype=np.int64), plan, metrics,
        differences, left_out,
    )  # fmt: skip
    rows = {name: one.row[None] for name, one in metrics.items()}
    if (standing.averages(rows)[0] != standing.hundredths).any():
        raise InputError(
            f"{rebuilt.quarter}: the league table was not rebuilt from the published scores of these figures"
        )
    return standing


def _broken_pools(figures: Release, framework: Framework) -> dict[str, str]:
    """Metrics of which part of a pool is not at hand, with what is missing."""
    valued = [metric for metric in framework.metric if metric.scorable]
    have = set(scoring.observed(figures, [metric.value for metric in valued])["trust_type"])
    return {
        metric.value: ", ".join(sorted(set(metric.trust_types) - have))
        for metric in valued
        if metric.pool == "all" and set(metric.trust_types) - have
    }


def _from_what_is(plan: Rescoring, metrics: Mapping[str, Pooled], wide) -> tuple[Rescoring, pd.DataFrame]:
    """The plan with the rescored values as they are in place of the published scores: what it then adds to an
    average is what a change makes. And where the two differ."""
    codes = {one.rescorer.metric.score: one.rescorer.codes for one in metrics.values()}
    entries, parts, frames = dict(plan.entries), plan.part_scores.copy(), []
    for score, found in plan.scores({name: one.row[None] for name, one in metrics.items()}):
        enters, columns = entries[score], codes.get(score, plan.codes)
        now = pd.Series(found[0], columns)
        known = now.notna().to_numpy()[enters.columns]  # a combined score may lack a part
        kept = replace(enters, **{name: getattr(enters, name)[known] for name in enters.__dataclass_fields__})
        entries[score] = replace(kept, published=found[0][kept.columns])
        if score in parts:
            parts.loc[columns, score] = found[0]
        table = pd.DataFrame({"published": wide[score].reindex(columns) if score in wide else np.nan, "rescored": now})
        frames.append(table.assign(metric_id=score).rename_axis("trust_code").reset_index())
    both = pd.concat(frames, ignore_index=True).dropna()
    differ = both[(both["published"] - both["rescored"]).abs() > scoring.EXACT]
    columns = ["trust_code", "metric_id", "published", "rescored"]
    return replace(plan, entries=entries, part_scores=parts), differ[columns].reset_index(drop=True)


ONLY_SCORE = "only its score is published: it stays as published"
NO_RULE = "its rule is not known in full: it stays as published"
NO_VALUE = "its score is published without a value: it stays as published"
SUPPRESSED = "its value is missing or suppressed"
NO_SCORE = "it enters no average: no score is published, or the rules leave it out"
NOT_RANKED = "the trust is not ranked"


def _left_out(figures, framework: Framework, plan: Rescoring, metrics, broken, trusts) -> pd.DataFrame:
    """Scores and values that cannot be changed, with the reason; trust_code "" where it is the whole metric."""
    rows = []
    enters = {score: set(plan.codes[entry.trusts]) for score, entry in plan.entries.items()}
    for metric in framework.metric:
        scored = set(scoring.observed(figures, [metric.score])["trust_code"])
        listed = figures.observations[figures.observations["metric_id"] == metric.value] if metric.value else None
        if listed is None:
            rows += [(code, metric, ONLY_SCORE) for code in scored]
            continue
        valued = set(listed.loc[listed["value"].notna(), "trust_code"])
        if not metric.scorable:
            rows += [(code, metric, NO_RULE) for code in scored | valued]
            continue
        rows += [(code, metric, SUPPRESSED) for code in set(listed["trust_code"]) - valued]
        rows += [(code, metric, NO_VALUE) for code in scored - set(listed["trust_code"])]
        if metric.value in broken:
            reason = f"its pool is not whole: no metric rows of {broken[metric.value]}"
            rows += [(code, metric, reason) for code in valued or {""}]
        elif not valued:
            rows.append(("", metric, "no values are at hand"))
        else:
            through = [c.score for c in framework.combined if metric.score in (c.rows, c.columns)]
            entered = set().union(*(enters.get(score, set()) for score in (metric.score, *through)))
            rows += [(code, metric, NO_SCORE) for code in valued - entered]
            rows += [(code, metric, NOT_RANKED) for code in valued & entered - set(trusts.index)]
    frame = pd.DataFrame(
        [(code, metric.value or metric.score, metric.short, reason) for code, metric, reason in rows],
        columns=["trust_code", "metric_id", "name", "reason"],
    )
    frame.insert(1, "trust_type", frame["trust_code"].map(figures.trusts["trust_type"]))
    return frame.sort_values(["metric_id", "trust_code"], kind="stable", ignore_index=True)
