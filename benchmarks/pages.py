"""Measure batches of pages: ``python -m benchmarks.pages [PAGES]``, 20 pages by default.

Many small pages, such as one for each trust, are made warm (kernels forked from a server that has imported
everything) and the plain way, a papermill process a page, with as many workers at a time; then once more with
nothing changed. The time for all trusts is what a page takes in the midst of the run times their number, plus
the time before the first.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import psutil
from nbformat.v4 import new_code_cell, new_notebook

from nofcore.report import Page, make_pages
from nofcore.report.provenance import collect

TRUSTS, WORKERS = 205, 2
MINUTES, GIGABYTES, AGAIN = 6, 1.5, 5
"""The bars for all trusts: minutes, memory of all processes together, seconds when nothing has changed."""

CELLS = (
    "trust = 'RX6'",
    "from nofcore import charts, league, release, tables\nfrom nofcore.report import Headline\n\n"
    "figures = release.read().release('Q1 2025/26')\n"
    "rebuilt = league.build(figures, release.framework_for(figures.quarter))\n"
    "row = rebuilt.table().set_index('trust_code').loc[trust]\n"
    "Headline(f'{row.trust_name} has rank {row[\"rank\"]:.0f}.')",
    "charts.domains(rebuilt, 'Ambulance trust')",
    "charts.averages(rebuilt, 'Ambulance trust')",
    "tables.league_table(rebuilt, 'Ambulance trust')",
    "tables.capped(rebuilt, 'Ambulance trust')",
    "tables.segment_counts(rebuilt, row.trust_type, 'region', 'Region')",
)
"""A stand-in for a page on one trust."""

PLAIN = """
import sys
from pathlib import Path
from nofcore.report.page import Page
from nofcore.report.provenance import collect
from nofcore.report.worker import Job, make_page

book, trust = sys.argv[1:]
page = Page(trust.lower(), Path(book), trust, "Trusts", {"trust": trust})
result = make_page(Job(page, Path.cwd(), collect(), 600, warm=False))
assert result.outcome.ok, result.outcome.error
"""


def main(count: int = 20) -> None:
    """Print a line for each figure, with its bar."""
    from nofcore import release  # not above: each worker imports this module, and need not import that

    figures = release.embedded().release("Q1 2025/26")
    trusts = [str(code) for code in figures.trusts.index[:count]]
    with tempfile.TemporaryDirectory() as folder:
        book, out = Path(folder) / "profile.ipynb", Path(folder) / "out"
        write(book)
        pages = [Page(code.lower(), book, code, "Trusts", {"trust": code}) for code in trusts]
        print(f"load of the machine before: {os.getloadavg()[0]:.1f}")
        first, each, most = warm(pages, out)
        again = timed(lambda: make_pages(pages, out, collect()))
        slow = plain(book, trusts[: max(count // 4, 2 * WORKERS)])
        alone = timed(lambda: make_pages(pages[:1], out, collect(), force=True))
        print(f"load of the machine after: {os.getloadavg()[0]:.1f}")
    total = (first + each * TRUSTS) / 60
    line(f"{TRUSTS} pages, {WORKERS} workers, from {count}", f"{total:.1f} minutes", f"{MINUTES} minutes")
    line("  the first page after, and each from then on", f"{first:.1f} s, {each:.2f} s")
    line("  a process a page", f"{slow:.2f} s each, {slow / each:.1f} times as long")
    line("memory of all processes at most", f"{most / 1e9:.2f} GB", f"{GIGABYTES} GB")
    line(f"nothing changed, {count} pages", f"{again:.2f} s", f"{AGAIN} s for {TRUSTS}")
    line("one page alone", f"{alone:.1f} s", "8 s")


def line(what: str, found: str, bar: str = "") -> None:
    print(f"{what:55} {found}{f'  bar {bar}' if bar else ''}")


def write(book: Path) -> None:
    cells = [new_code_cell(cell) for cell in CELLS]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), book)


def timed(function) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def warm(pages: list[Page], out: Path) -> tuple[float, float, int]:
    """Seconds to the first page, seconds a page from then on, and bytes of all processes at most."""
    start, done = time.perf_counter(), []

    class Progress:
        def __init__(self, _):
            pass

        def __enter__(self):
            return lambda outcome: done.append(time.perf_counter() - start)

        def __exit__(self, *_):
            pass

    with Memory() as memory:
        outcomes = make_pages(pages, out, collect(), WORKERS, progress=Progress)
    assert all(outcome.ok for outcome in outcomes), [outcome.error for outcome in outcomes]
    return done[0], (done[-1] - done[0]) / (len(done) - 1), memory.most


def plain(book: Path, trusts: list[str]) -> float:
    """Seconds a page in a process of its own, with a kernel that starts cold."""

    def make(trust: str) -> None:
        subprocess.run([sys.executable, "-c", PLAIN, str(book), trust], check=True, capture_output=True)

    with ThreadPoolExecutor(WORKERS) as pool:
        return timed(lambda: list(pool.map(make, trusts))) / len(trusts)


class Memory:
    """Looks at this process and all that come of it: shared memory is counted once (PSS)."""

    def __enter__(self):
        self.most, self._stop = 0, threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.5):
            here = psutil.Process()
            self.most = max(self.most, sum(map(proportional, [here, *here.children(recursive=True)])))


def proportional(process: psutil.Process) -> int:
    try:
        return process.memory_full_info().pss
    except psutil.Error:
        return 0


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
