"""Measure correlations between all metrics of acute trusts: ``python -m benchmarks.correlation``.

All pairs of the 24 metrics with values, with as many resamples of trusts and as many permutations. The
plain way is a loop over pairs and draws with scipy; it is timed on a few of the same draws and must give the
same coefficients.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from scipy import stats

from benchmarks import timing as bench
from nofcore import correlation, drivers, framework, league, randomness, release
from nofcore.correlation import trust_weights

DRAWS, SEED, BAR = 2_000, 20250909, 5
SLOW_BAR = 10
SAMPLE = 4
ACUTE = "Acute trust"
SCIPY = {"spearman": stats.spearmanr, "kendall": stats.kendalltau, "pearson": stats.pearsonr}


def run(show: Callable[[str, list[float], float], None] = bench.show) -> None:
    """Print a line per method."""
    figures = release.embedded().release("Q1 2025/26")
    rules = framework.for_quarter(figures.quarter)
    for method in correlation.METHODS:
        call = lambda method=method: correlation.correlations(  # noqa: E731
            figures, rules, ACUTE, method, draws=DRAWS, seed=SEED
        )
        fast = bench.timed(call, 3)
        found = call()
        pairs = int(found.pairs["coefficient"].notna().sum())
        show(
            f"{method}, {pairs} pairs, {DRAWS:,} resamples, permutations",
            fast,
            SLOW_BAR if method == "kendall" else BAR,
        )
        slow = plain(found, method) * DRAWS / SAMPLE
        print(f"{'':55} {slow / fast[0]:.0f} times as fast as a scipy loop ({slow:.0f} s, from {SAMPLE} draws)")
    rebuilt = league.build(figures, rules)
    show(
        f"what drives the average, {DRAWS:,} draws",
        bench.timed(lambda: drivers.drivers(rebuilt, ACUTE, draws=DRAWS), 3),
        BAR,
    )


def plain(found: correlation.Correlations, method: str) -> float:
    """Seconds of `SAMPLE` draws, one pair and one draw at a time."""
    block = next(randomness.blocks(DRAWS, SEED))
    random, trusts = block.generator(), len(found.aligned.values)
    weights = trust_weights(random, block.size, trusts)[:, :SAMPLE]
    orders = random.permuted(np.tile(np.arange(trusts), (block.size, 1)), axis=1)[:SAMPLE]
    known = found.pairs[found.pairs["coefficient"].notna()]
    values = found.aligned.values
    places = np.array([values.columns.get_indexer(sorted(pair)) for pair in known.index])
    fast = correlation.coefficients(values.to_numpy(), places, method, weights.astype(float))
    start = time.perf_counter()
    for place, pair in enumerate(map(sorted, known.index)):
        both = values[pair].to_numpy()
        both = both[~np.isnan(both).any(axis=1)]
        for draw in range(SAMPLE):
            resampled = np.repeat(values[pair].to_numpy(), weights[:, draw], axis=0)
            resampled = resampled[~np.isnan(resampled).any(axis=1)]
            if len(resampled) > 2 and (resampled != resampled[0]).any(axis=0).all():
                slow = SCIPY[method](*resampled.T).statistic
                assert abs(slow - fast[draw, place]) < 1e-9, "the two implementations differ"
            SCIPY[method](both[:, 0], both[np.argsort(orders[draw][: len(both)]), 1])
    return time.perf_counter() - start


if __name__ == "__main__":
    run()
