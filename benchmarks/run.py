"""Measure the speed bars: ``make bench``.

Times of a shared machine drift, so what can be is given as a ratio to a plain implementation that
is timed in the same run on the same draws and must give the same answer.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from nofcore import framework, league, release

RUNS = 5


def main() -> None:
    """Print a line per bar: what, best and median of the runs, the bar."""
    kernel()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        command("import nofcore", 0.5, "-c", "import nofcore")
        command("python -m nofcore table", 2, "-m", "nofcore", "table", "--out", str(out / "table.csv"))
        report = ("-m", "nofcore", "report", "--out", str(out / "reports"))
        command("python -m nofcore report, three types", 30, *report, runs=2)


def timed(function: Callable[[], object], runs: int = RUNS) -> list[float]:
    """Wall seconds of some runs, sorted."""
    found = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        found.append(time.perf_counter() - start)
    return sorted(found)


def show(what: str, seconds: list[float], bar: float) -> None:
    print(f"{what:55} best {seconds[0]:7.3f} s  median {seconds[len(seconds) // 2]:7.3f} s  bar {bar:g} s")


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
