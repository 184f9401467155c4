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

from benchmarks import noise, ranksets
from benchmarks.timing import RUNS, show, timed
from nofcore import bootstrap, framework, league, release


def main() -> None:
    """Print a line per bar: what, best and median of the runs, the bar."""
    kernel()
    bootstrap_over_items()
    ranksets.run(show)
    noise.main()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        command("import nofcore", 0.5, "-c", "import nofcore")
        command("python -m nofcore table", 2, "-m", "nofcore", "table", "--out", str(out / "table.csv"))
        pages = ("--out", str(out / "reports"))
        command("report league_table, three types", 30, "-m", "nofcore", "report", "league_table", *pages, runs=3)
        command("report, every page of three types", 30, "-m", "nofcore", "report", *pages, runs=3)


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


def bootstrap_over_items(draws: int = 10_000, sample: int = 20) -> None:
    """Drawing, averaging and ranking 134 trusts; the plain way is a pandas group-by over a sample of the draws.

    The plain loop gets the drawn averages of its own draws into the kit's counting, which must agree with it.
    """
    figures = release.embedded().release("Q1 2025/26")
    rebuilt = league.build(figures, framework.for_quarter(figures.quarter))
    acute = rebuilt.of("Acute trust")
    values = rebuilt.items.values.loc[acute.index].to_numpy()
    samplers = [bootstrap.ItemSampler(row[~np.isnan(row)]) for row in values]
    flags, types = acute["in_deficit"].to_numpy() == 1, np.zeros(len(acute), dtype=int)
    cuts = np.array(rebuilt.cut_offs[""])
    rules = bootstrap.Rules(flags, types, 3, cuts=cuts)
    fast = timed(lambda: bootstrap.bootstrap(samplers, rules, draws, 1))
    long = rebuilt.items.values.loc[acute.index].stack()
    start = time.perf_counter()
    drawn, ranks = plain_bootstrap(long, cuts, flags, sample)
    slow = (time.perf_counter() - start) * draws / sample
    counted = bootstrap.count(drawn, rules).ranks
    assert (counted == [np.bincount(one - 1, minlength=len(acute)) for one in ranks.T]).all(), "they differ"
    show(f"bootstrap over items, {draws:,} draws x {len(acute)} trusts", fast, 0.3)
    print(f"{'':55} {slow / fast[0]:.0f} times as fast as a pandas loop ({slow:.0f} s, from {sample} draws)")
    more = timed(lambda: bootstrap.bootstrap(samplers, rules, 10 * draws, 1), 1)
    print(f"{'':55} {more[0] / fast[0]:.1f} times as long for ten times the draws")


def plain_bootstrap(long: pd.Series, cuts: np.ndarray, flags: np.ndarray, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """(drawn averages in hundredths, league ranks) draw by draw, with a pandas group-by."""
    order = long.index.get_level_values(0).unique()
    drawn = []
    for seed in range(draws):
        averages = long.groupby(level=0).sample(frac=1, replace=True, random_state=seed).groupby(level=0).mean()
        drawn.append(np.floor(averages.reindex(order).to_numpy() * 100 + 0.5 + 1e-9).astype(int))
    return np.array(drawn), plain(np.array(drawn), cuts, flags)


def plain(hundredths: np.ndarray, cuts: np.ndarray, flags: np.ndarray) -> np.ndarray:
    """League ranks draw by draw with pandas."""
    ranks = []
    for draw in hundredths:
        table = pd.DataFrame({"average": draw, "flag": flags})
        table["segment"] = table["average"].map(lambda average: 1 + sum(average > cut for cut in cuts))
        table.loc[table["flag"], "segment"] = table.loc[table["flag"], "segment"].clip(lower=3)
        key = pd.Series(list(zip(table["segment"], table["average"], strict=True)))
        ranks.append(key.rank(method="min").to_numpy(dtype=int))
    return np.array(ranks)


if __name__ == "__main__":
    main()
