"""Measure scenarios, random weights and Sobol indices: ``python -m benchmarks.sensitivity``.

The plain way to rank under random weights is a pandas loop over a few of the same draws, and the plain
way to leave metrics out is to build the tables again without them; both must give the same ranks.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from benchmarks.timing import show, timed
from nofcore import framework, league, randomness, release, reranking, scenarios, sensitivity, sobol, weights
from nofcore.league import LeagueTable
from nofcore.reranking import Reranking
from nofcore.scenarios import Changes, Scenario

DRAWS, SEED = 10_000, 20250909


def main(draws: int = DRAWS, sample: int = 10) -> None:
    figures = release.embedded().release("Q1 2025/26")
    rules = framework.for_quarter(figures.quarter)
    rebuilt = league.build(figures, rules)

    def every_scenario() -> None:
        found = sensitivity.compare(figures, rules)
        for trust_type in figures.trust_types:
            found.table(trust_type), found.ranges(trust_type)

    show(
        f"{len(scenarios.shipped())} scenarios, {len(rebuilt.trusts)} trusts, with tables", timed(every_scenario, 3), 5
    )
    leaving_out(figures, rules, rebuilt)
    weightings(rebuilt, draws, sample)
    indices = timed(lambda: sobol.weights(rebuilt, "acute", n=1_024, seed=SEED), 3)
    factors = len(sobol.weights(rebuilt, "acute", n=2, seed=SEED).factors)
    show(f"Sobol, {factors} weights, n = 1,024, with intervals", indices, 2)
    show(
        "Sobol, choices of method, every combination",
        timed(lambda: sobol.methods(sobol.cross(figures, rules), "acute"), 3),
        5,
    )


def leaving_out(figures, rules, rebuilt: LeagueTable, sample: int = 5) -> None:
    """Every metric left out; the plain way builds the tables again for a sample of them."""
    fast = timed(lambda: sensitivity.leave_out(figures, rebuilt))
    found = sensitivity.leave_out(figures, rebuilt).ranks
    some = list(found)[::-1][:sample]
    start = time.perf_counter()
    for key in some:
        own = Scenario(key="own", name="own", question="?", changes=Changes(leave_out=(key,)))
        ranks = league.build(figures, scenarios.apply(rules, own)).trusts["rank"].reindex(found.index)
        assert (ranks == found[key]).all(), "the two implementations differ"
    slow = (time.perf_counter() - start) * len(found.columns) / sample
    show(f"{len(found.columns)} metrics left out, all types", fast, 0.5)
    print(f"{'':55} {slow / fast[0]:.0f} times as fast as building again ({slow:.1f} s, from {sample} metrics)")


def weightings(rebuilt: LeagueTable, draws: int, sample: int) -> None:
    """Random weights; the plain way is a pandas loop over a sample of the draws."""
    fast = timed(lambda: weights.acceptability(rebuilt, draws=draws, seed=SEED))
    plan = reranking.prepare(rebuilt)
    random = next(randomness.blocks(draws, SEED)).generator()
    drawn = weights.simplex(len(plan.items), sample, random)
    start = time.perf_counter()
    ranks = plain(drawn, plan, rebuilt)
    slow = (time.perf_counter() - start) * draws / sample
    assert (plan.rank(plan.averages(drawn)).rank == ranks).all(), "the two implementations differ"
    show(f"{draws:,} weightings, {len(plan.trusts)} trusts, to shares", fast, 1)
    print(f"{'':55} {slow / fast[0]:.0f} times as fast as a pandas loop ({slow:.0f} s, from {sample} draws)")


def plain(drawn: np.ndarray, plan: Reranking, rebuilt: LeagueTable) -> np.ndarray:
    """League ranks draw by draw with pandas, cut-offs taken anew."""
    values = pd.DataFrame(plan.values, plan.trusts.index)
    flags, cap = plan.trusts["in_deficit"] == 1, rebuilt.framework.override.no_higher_than
    ranks = []
    for weight in drawn:
        table = values.mul(weight, axis=1).sum(axis=1) / values.notna().mul(weight, axis=1).sum(axis=1)
        average = table.map(lambda score: int(np.floor(score * 100 + 0.5 + 1e-9)))
        cuts = average.quantile([0.25, 0.5, 0.75])
        segment = average.map(lambda score: 1 + sum(score > cut for cut in cuts))  # noqa: B023
        segment = segment.where(~flags, segment.clip(lower=cap))
        key = segment * 1_000 + average
        ranks.append(key.groupby(plan.trusts["trust_type"]).rank(method="min").to_numpy(dtype=int))
    return np.array(ranks)


if __name__ == "__main__":
    main()
