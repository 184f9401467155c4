"""Measure what better values are worth: ``python -m benchmarks.incentives``.

The cliff-edge table changes one value at a time, for every trust, metric with values and move, scores
the pool again and ranks all trusts again. The plain way edits the value in the release, scores every
metric from the values with the kit's slow path, averages and ranks; it is timed on a sample of the
same cases and must give the same averages, segments and ranks.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pandas as pd

from benchmarks.timing import show, timed
from nofcore import framework, improvement, incentives, league, relative, release, scoring
from nofcore.framework import Framework
from nofcore.release import Release

BAR_SECONDS = 10


def main(sample: int = 5) -> None:
    """Print a line per bar."""
    figures = release.embedded().release("Q1 2025/26")
    rules = framework.for_quarter(figures.quarter)
    rebuilt = league.build(figures, rules)
    standing = improvement.prepare(rebuilt, figures, rules)
    show("prepare to follow changed values", timed(lambda: improvement.prepare(rebuilt, figures, rules), 3), 2)
    fast = timed(lambda: incentives.cliff_edges(standing), 3)
    cases = incentives.cliff_edges(standing).table()
    trusts, metrics = cases["trust_code"].nunique(), cases["metric_id"].nunique()
    show(f"cliff edges, {trusts} trusts, {metrics} metrics, {len(cases):,} cases", fast, BAR_SECONDS)
    slow = compare(cases.sample(sample, random_state=1), figures, rules, rebuilt.trusts, rebuilt.cut_offs[""])
    seconds = slow * len(cases) / sample
    print(f"{'':55} {seconds / fast[0]:.0f} times as fast as editing values ({seconds:.0f} s, from {sample} cases)")
    for cutoffs in ("published", "recomputed"):
        run = timed(lambda cutoffs=cutoffs: incentives.next_segment(standing, cutoffs), 3)
        show(f"the next segment, {metrics} metrics, cut-offs {cutoffs}", run, BAR_SECONDS)
    show("everyone improves, four shares", timed(lambda: relative.together(standing), 3), 1)
    show("one trust alone improves, each of them", timed(lambda: relative.alone(standing), 3), 1)


def compare(cases: pd.DataFrame, figures: Release, rules: Framework, ranked: pd.DataFrame, cuts) -> float:
    """Seconds of the plain way for some cases, which must come out the same."""
    ordered = in_published_order(figures, rules)
    start = league.scores_to_average(figures, rules, "scores").set_index(["metric_id", "trust_code"])["score"]
    before = from_values(ordered, rules)
    began = time.perf_counter()
    for case in cases.itertuples():
        changed = (from_values(edited(ordered, rules, case), rules) - before).reindex(start.index).fillna(0)
        made = league.items((start + changed).rename("score").reset_index(), rules).values.reindex(ranked.index)
        average = made.mean(axis=1).map(lambda score: int(scoring.to_hundredths(score)))
        segment = average.map(lambda score: 1 + sum(score > cut for cut in cuts))
        segment = segment.where(ranked["in_deficit"] == 0, segment.clip(lower=rules.override.no_higher_than))
        rank = (segment * 1000 + average).groupby(ranked["trust_type"]).rank(method="min")
        found = [figure[case.trust_code] for figure in (average / 100, segment, rank)]
        assert found == [case.average_after, case.segment_after, case.rank_after], "the two implementations differ"
    return time.perf_counter() - began


def in_published_order(figures: Release, rules: Framework) -> Release:
    """The figures with the published scores in place of the Ranks that order equal values."""
    rows = figures.observations
    scores = rows.set_index(["trust_code", "metric_id"])["value"]
    names = rows["metric_id"].map({metric.value: metric.score for metric in rules.metric if metric.value})
    rank = scores.reindex(pd.MultiIndex.from_arrays([rows["trust_code"], names])).to_numpy()
    return replace(figures, observations=rows.assign(rank=rank))


def edited(figures: Release, rules: Framework, case) -> Release:
    """The figures with one value changed; it shares the best place among those that it equals."""
    rows = figures.observations.copy()
    metric = next(metric for metric in rules.metric if metric.value == case.metric_id)
    mine = (rows["metric_id"] == case.metric_id) & (rows["trust_code"] == case.trust_code)
    same_pool = rows["metric_id"] == case.metric_id
    if metric.pool == "type":
        same_pool &= rows["trust_code"].map(figures.trusts["trust_type"]) == case.trust_type
    equals = rows.loc[same_pool & ~mine & np.isclose(rows["value"], case.new_value), "rank"]
    rows.loc[mine, ["value", "rank"]] = case.new_value, equals.min() if len(equals) else 0.0
    return replace(figures, observations=rows)


def from_values(figures: Release, rules: Framework) -> pd.Series:
    """All scores from values, rounded first where they enter the averages so."""
    found = scoring.scores_from_values(figures, rules).set_index(["metric_id", "trust_code"])["score"]
    first = found.index.get_level_values(0).isin(rules.rounded_first.get(figures.quarter, ()))
    return found.where(~first, scoring.to_hundredths(found) / 10**rules.scale.decimals)


if __name__ == "__main__":
    main()
