"""Measure the speed bars: ``make bench``.

Times of a shared machine drift, so what can be is given as a ratio to a plain implementation that
is timed in the same run on the same draws and must give the same answer.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import correlation, incentives, noise, ranksets, sensitivity
from benchmarks.timing import RUNS, show, timed
from nofcore import bootstrap, framework, league, randomness, release
from nofcore.scoring import to_hundredths


def main() -> None:
    """Print a line per bar: what, best and median of the runs, the bar."""
    kernel()
    bootstrap_over_items()
    ranksets.run(show)
    noise.main()
    incentives.main()
    sensitivity.main()
    correlation.run(show)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        command("import nofcore", 0.5, "-c", "import nofcore")
        command("python -m nofcore table", 2, "-m", "nofcore", "table", "--out", str(out / "table.csv"))
        pages = ("--force", "--out", str(out / "reports"))
        command("report league_table, three types", 30, "-m", "nofcore", "report", "league_table", *pages, runs=3)
        command("report, every page of three types", 30, "-m", "nofcore", "report", *pages, runs=3)
    subprocess.run([sys.executable, "-m", "benchmarks.pages"], check=True)


def command(what: str, bar: float, *arguments: str, runs: int = RUNS) -> None:
    run = [sys.executable, *arguments]
    show(what, timed(lambda: subprocess.run(run, check=True, capture_output=True), runs), bar)


def kernel(draws: int = 10_000, sample: int = 100) -> None:
    """Segments, override and ranks of 134 trusts; the plain way is a pandas loop over a sample of the draws."""
    figures = release.embedded().release("Q1 2025/26")
    rebuilt = league.build(figures, framework.for_quarter(figures.quarter))
    trusts = rebuilt.of("Acute trust")
    random = np.random.default_rng(20250909)
    noise = random.integers(-30, 31, (draws, len(trusts)))
    hundredths = np.rint(trusts["average_score"].to_numpy() * 100).astype(np.int64) + noise
    flags, types = trusts["in_deficit"].to_numpy() == 1, np.zeros(len(trusts), dtype=int)
    cuts = np.array(rebuilt.cut_offs[""])
    fast = timed(lambda: league.rank_trusts(hundredths, cuts, flags, types, 3))
    slow = timed(lambda: plain(hundredths[:sample], cuts, flags), 1)[0] * draws / sample
    found = league.rank_trusts(hundredths[:sample], cuts, flags, types, 3).rank
    assert (found == plain(hundredths[:sample], cuts, flags)).all(), "the two implementations differ"
    show(f"kernel, {draws:,} draws x {len(trusts)} trusts", fast, 0.1)
    print(f"{'':55} {slow / fast[0]:.0f} times as fast as a pandas loop ({slow:.1f} s, from {sample} draws)")


def bootstrap_over_items(draws: int = 10_000, sample: int = 200) -> None:
    """Drawing, averaging and ranking 134 trusts; the plain way is a pandas group-by over a sample of the same draws,
    which must give the same averages and ranks."""
    figures = release.embedded().release("Q1 2025/26")
    rebuilt = league.build(figures, framework.for_quarter(figures.quarter))
    acute = rebuilt.of("Acute trust")
    values = rebuilt.items.values.loc[acute.index].to_numpy()
    samplers = [bootstrap.ItemSampler(row[~np.isnan(row)]) for row in values]
    flags, types = acute["in_deficit"].to_numpy() == 1, np.zeros(len(acute), dtype=int)
    cuts = np.array(rebuilt.cut_offs[""])
    rules = bootstrap.Rules(flags, types, 3, cuts=cuts)
    fast = timed(lambda: bootstrap.bootstrap(samplers, rules, draws, 1))
    start = time.perf_counter()
    drawn, ranks = plain_bootstrap(values, picks_of(samplers, draws, 1, sample), cuts, flags)
    slow = (time.perf_counter() - start) * draws / sample
    block = next(randomness.blocks(draws, 1))
    random = block.generator()
    kit = np.array([sampler.averages(block.size, random)[:sample] for sampler in samplers]).T
    assert (to_hundredths(kit) == drawn).all(), "the drawn averages differ"
    assert (rules.rank(drawn).rank == ranks).all(), "the ranks differ"
    show(f"bootstrap over items, {draws:,} draws x {len(acute)} trusts", fast, 0.3)
    print(f"{'':55} {slow / fast[0]:.0f} times as fast as a pandas loop ({slow:.0f} s, from {sample} draws)")
    more = timed(lambda: bootstrap.bootstrap(samplers, rules, 10 * draws, 1), 1)
    print(f"{'':55} {more[0] / fast[0]:.1f} times as long for ten times the draws")


def picks_of(samplers: list[bootstrap.ItemSampler], draws: int, seed: int, sample: int) -> list[np.ndarray]:
    """Which items of each trust the kit picks in the first ``sample`` draws: (picks, sample) places.

    The kit draws sums of several items at once; the digits of such a number say which items.
    """
    block = next(randomness.blocks(draws, seed))
    random, found = block.generator(), []
    for sampler in samplers:
        places, m = [], sampler.count
        for picks, sums in sampler._parts:
            number = random.integers(0, len(sums), (picks, block.size), dtype=np.uint16)[:, :sample].astype(int)
            together = round(np.log(len(sums)) / np.log(m)) if m > 1 else 1
            places += [number // m**power % m for power in range(together)]
        found.append(np.concatenate(places))
    return found


def plain_bootstrap(values: np.ndarray, picks: list[np.ndarray], cuts, flags) -> tuple[np.ndarray, np.ndarray]:
    """(averages in hundredths, league ranks) draw by draw, with a pandas group-by."""
    items = [row[~np.isnan(row)] for row in values]
    drawn = []
    for draw in range(picks[0].shape[1]):
        long = pd.DataFrame(
            {
                "trust": np.repeat(np.arange(len(items)), [len(one) for one in picks]),
                "score": np.concatenate([mine[one[:, draw]] for mine, one in zip(items, picks, strict=True)]),
            }
        )
        averages = long.groupby("trust")["score"].mean()
        drawn.append(np.floor(averages.to_numpy() * 100 + 0.5 + 1e-9).astype(int))
    return np.array(drawn), plain(np.array(drawn), cuts, flags)


def plain(hundredths: np.ndarray, cuts: np.ndarray, flags: np.ndarray) -> np.ndarray:
    """League ranks draw by draw with pandas."""
    ranks = []
    for draw in hundredths:
        average = pd.Series(draw)
        segment = 1 + sum((average > cut).astype(int) for cut in cuts)
        segment = segment.mask(flags, segment.clip(lower=3))
        ranks.append((segment * 1000 + average).rank(method="min").to_numpy(dtype=int))
    return np.array(ranks)


if __name__ == "__main__":
    main()
