"""Timing for all benchmarks."""

from __future__ import annotations

import time
from collections.abc import Callable

RUNS = 5


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
