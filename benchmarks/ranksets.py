"""Measure confidence sets for ranks: ``python -m benchmarks.ranksets``.

134 units, 10,000 draws, stepdown. The plain way holds every studentised difference of every draw
and steps down over all of them; it is timed on a tenth of the draws and must give the same sets.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from benchmarks import timing as bench
from nofcore import ranksets

UNITS, DRAWS, SAMPLE, SEED = 134, 10_000, 1_000, 20250909
BARS = {"simultaneous": 1, "marginal": 1.5}
MEGABYTES = 400


def run(show: Callable[[str, list[float], float], None] = bench.show) -> None:
    """Print a line per bar."""
    estimates, variances = example()
    for name, covariance in (("variances", variances), ("covariance", np.diag(variances) + variances.mean() / 5)):
        for kind, bar in BARS.items():
            call = lambda kind=kind, covariance=covariance: ranksets.rank_bounds(  # noqa: E731
                estimates, covariance, kind=kind, draws=DRAWS, seed=SEED
            )
            fast = bench.timed(call)
            show(f"rank sets, {kind}, {name}, {DRAWS:,} draws x {UNITS}", fast, bar)
            print(f"{'':55} peak {peak(call):.0f} MB  bar {MEGABYTES} MB")
            compare(estimates, covariance, kind, fast[0])


def example() -> tuple[np.ndarray, np.ndarray]:
    """Estimates spread three times as wide as their errors."""
    random = np.random.default_rng(SEED)
    return random.normal(2.3, 0.3, UNITS), random.uniform(0.05, 0.15, UNITS) ** 2


def peak(function: Callable[[], object]) -> float:
    """Megabytes at most in use by arrays made in the call."""
    tracemalloc.start()
    function()
    most = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return most


def compare(estimates: np.ndarray, covariance: np.ndarray, kind: str, fast: float) -> None:
    start = time.perf_counter()
    slow = plain(estimates, covariance, kind)
    seconds = (time.perf_counter() - start) * DRAWS / SAMPLE
    found = ranksets.rank_bounds(estimates, covariance, kind=kind, draws=SAMPLE, seed=SEED)
    assert (found.lower == slow[0]).all() and (found.upper == slow[1]).all(), "the two implementations differ"
    print(f"{'':55} {seconds / fast:.0f} times as fast as all differences ({seconds:.1f} s, from {SAMPLE:,} draws)")


def plain(estimates: np.ndarray, covariance: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends of 95 % sets from an array of all differences, on the same draws."""
    bootstrap = ranksets._bootstrap(estimates, covariance, "low", 0.95, SAMPLE, SEED)
    ((_, drawn),) = bootstrap.blocks()
    differences = (drawn[None] - drawn[:, None]) * np.abs(bootstrap.scale)[:, :, None]
    above = np.triu(np.ones((UNITS, UNITS), dtype=bool), 1)
    pairs = above | above.T
    apart = np.zeros_like(pairs)
    for unit in range(UNITS):
        own = np.zeros_like(pairs)
        own[unit], own[:, unit] = pairs[unit], pairs[:, unit]
        family = pairs if kind == "simultaneous" else own
        rejected = plain_steps(differences, bootstrap.statistic, family, above)
        apart[unit] = rejected[unit] | rejected[:, unit]
        if kind == "simultaneous":
            apart = rejected | rejected.T
            break
    place = np.argsort(bootstrap.order)
    return 1 + np.triu(apart).sum(axis=1)[place], UNITS - np.tril(apart).sum(axis=1)[place]


def plain_steps(differences, statistic, family, above) -> np.ndarray:
    """Rejected pairs (worse, better) of one family of directed pairs."""
    left, rejected = family.copy(), np.zeros_like(family)
    while True:
        largest = np.sort(differences[left].max(axis=0))
        new = left & above & (statistic > largest[int(np.ceil(0.95 * (SAMPLE + 1))) - 1])
        if not new.any():
            return rejected
        left, rejected = left & ~new, rejected | new


if __name__ == "__main__":
    run()
