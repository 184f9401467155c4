"""Measure drawing values and scoring every pool again: ``python -m benchmarks.noise``.

All metrics that are scored from a value are drawn at once, for all trusts of all types. The plain
way is a pandas loop over a few of the same draws, which must give the same ranks.
"""

from __future__ import annotations

import tracemalloc
from functools import partial

import numpy as np
import pandas as pd

from benchmarks.timing import show, timed
from nofcore import bootstrap, framework, league, noise, randomness, release, rescoring, scoring
from nofcore.bootstrap import Counts, Rules
from nofcore.framework import Framework
from nofcore.randomness import Block

DRAWS, SEED, BAR_SECONDS, BAR_MEGABYTES = 10_000, 20250909, 2.5, 200


def main(draws: int = DRAWS, sample: int = 5) -> None:
    figures = release.embedded().release("Q1 2025/26")
    rules = framework.for_quarter(figures.quarter)
    rebuilt = league.build(figures, rules)
    ranked = rebuilt.trusts
    ranking = bootstrap.ranking_rules(rebuilt, ranked, "published")
    show("prepare to score all metrics again", timed(lambda: rescoring.prepare(figures, rules), 3), 1)
    plan = rescoring.prepare(figures, rules)
    work = partial(count_block, plan=plan, order=plan.codes.get_indexer(ranked.index), rules=ranking)
    fast = timed(lambda: randomness.tally(work, Counts.__add__, draws, SEED, None))
    what = f"{len(plan.metrics)} metrics, {draws:,} draws x {len(ranked)} trusts, to ranks"
    show(what, fast, BAR_SECONDS)
    scoring_only = timed(lambda: [rescore_block(block, plan) for block in randomness.blocks(draws, SEED)], 3)
    show("    of which drawing and scoring the pools", scoring_only, BAR_SECONDS)

    block = Block(sample, next(randomness.blocks(draws, SEED)).seed)
    drawn = draw(plan, block)
    slow = timed(lambda: plain(drawn, plan, figures, rules, ranked, ranking), 1)[0] * draws / sample
    averages = plan.averages(drawn)[:, plan.codes.get_indexer(ranked.index)]
    found = league.rank_trusts(averages, ranking.cuts, ranking.flags, ranking.types, ranking.no_higher_than).rank
    assert (found == plain(drawn, plan, figures, rules, ranked, ranking)).all(), "the two implementations differ"
    print(f"{'':55} {slow / fast[0]:.0f} times as fast as a pandas loop ({slow:.0f} s, from {sample} draws)")

    tracemalloc.start()
    randomness.tally(work, Counts.__add__, draws, SEED, None)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    print(f"{'peak memory of the same, above what was there before':55} {peak:.0f} MB  bar {BAR_MEGABYTES} MB")
    for kind in noise.KINDS:
        run = partial(noise.measurement_noise, rebuilt, figures, rules, kind, draws, SEED)
        show(f"embedded counts, {draws:,} draws, {kind}", timed(run, 3), BAR_SECONDS)


def draw(plan: rescoring.Rescoring, block: Block) -> dict[str, np.ndarray]:
    """Values of every metric, evenly spread above the published ones; whole numbers stay whole, so that they tie."""
    random = block.generator()
    drawn = {}
    for name, rescorer in plan.metrics.items():
        values = random.random((block.size, len(rescorer.values)))
        values *= rescorer.values.std() / 2
        values += rescorer.values
        whole = (rescorer.values % 1 == 0).all()
        drawn[name] = np.rint(values) if whole else values
    return drawn


def rescore_block(block: Block, plan: rescoring.Rescoring) -> None:
    for _ in plan.scores(draw(plan, block)):
        pass


def count_block(block: Block, plan: rescoring.Rescoring, order: np.ndarray, rules: Rules) -> Counts:
    return bootstrap.count(plan.averages(draw(plan, block))[:, order], rules)


def plain(
    drawn, plan: rescoring.Rescoring, figures, rules: Framework, ranked: pd.DataFrame, ranking: Rules
) -> np.ndarray:
    """League ranks draw by draw with pandas: replace the values, score, average and rank them."""
    values = figures.observations.set_index(["metric_id", "trust_code"])["unit"]
    types = figures.trusts["trust_type"]
    published = league.scores_to_average(figures, rules, "scores")
    rounded = rules.rounded_first.get(figures.quarter, ())
    flags = pd.Series(ranking.flags, ranked.index)
    ranks = []
    for number in range(len(next(iter(drawn.values())))):
        found = {}
        for name, rescorer in plan.metrics.items():
            metric = rescorer.metric
            table = pd.DataFrame({"value": drawn[name][number]}, index=rescorer.codes)
            table["unit"] = values[name].reindex(table.index)
            table["pool"] = types.reindex(table.index) if metric.pool == "type" else ""
            in_pool = ~table["unit"].isin(list(metric.unit))
            scores = table[in_pool].groupby("pool")["value"].transform(lambda pool, m=metric: plain_scores(pool, m))
            for unit, lookup in metric.unit.items():
                mine = table.loc[table["unit"] == unit, "value"]
                scores = pd.concat([scores, mine.map(lambda value, table=lookup: plain_lookup(value, table))])
            rounds = metric.score in rounded
            found[metric.score] = scores.map(lambda score: scoring.to_hundredths(score) / 100) if rounds else scores
        for combined in rules.combined:
            both = pd.DataFrame({key: found[getattr(combined, key)] for key in ("rows", "columns")}).dropna()
            scores = [combined.matrix[int(row) - 1][int(column) - 1] for row, column in both.to_numpy()]
            found[combined.score] = pd.Series(scores, both.index)
        long = pd.concat(found, names=["metric_id", "trust_code"]).rename("score").reset_index()
        rest = published[~published["metric_id"].isin(found)]
        made = league.items(pd.concat([long, rest], ignore_index=True), rules).values.reindex(ranked.index)
        average = made.mean(axis=1).map(lambda score: int(scoring.to_hundredths(score)))
        segment = average.map(lambda score: 1 + sum(score > cut for cut in ranking.cuts[0]))
        segment = segment.where(~flags, segment.clip(lower=ranking.no_higher_than))
        ranks.append((segment * 1000 + average).groupby(ranked["trust_type"]).rank(method="min").to_numpy(dtype=int))
    return np.array(ranks)


def plain_scores(values: pd.Series, metric) -> pd.Series:
    if metric.model == "lookup":
        return values.map(lambda value: plain_lookup(value, metric.lookup))
    low, high, same = {"rank": (1, 4, None), "standard": (2, 4, 1.0), "floor": (1, 3, 4.0)}[metric.model]
    rest = values
    if metric.threshold is not None:
        meets = values <= metric.threshold if metric.better == "low" else values >= metric.threshold
        rest = values[~meets if metric.model == "standard" else meets]
    rank = rest.rank(method="min", ascending=metric.better == "low")
    spread = low + (high - low) * (rank - 1) / max(len(rest) - 1, 1)
    return spread.reindex(values.index) if same is None else spread.reindex(values.index).fillna(same)


def plain_lookup(value: float, lookup) -> float:
    for bracket in lookup.brackets:
        if (
            (bracket.at_least is not None and value >= bracket.at_least)
            or (bracket.above is not None and value > bracket.above)
            or (bracket.at_most is not None and value <= bracket.at_most)
            or (bracket.below is not None and value < bracket.below)
        ):
            return bracket.score
    return lookup.otherwise


if __name__ == "__main__":
    main()
