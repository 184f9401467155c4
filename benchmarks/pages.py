"""Measure profiles of trusts: ``python -m benchmarks.pages [PAGES]``, 20 pages by default, at most one for each trust.

One profile alone, where nothing is at hand and where what profiles share is; a batch, warm (kernels forked from a
server that has imported everything) and the plain way, a process a page whose kernel starts cold, as many at a time;
the batch once more with nothing changed. All is done by the command, as a user would, in folders of its own. The time for all
trusts is that of one profile, plus what each further one in the batch has taken.
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

import psutil

QUARTER, FIRST, WORKERS = "Q1 2025/26", "RJ1", 2
MINUTES, GIGABYTES, AGAIN, ALONE = 6, 1.5, 5, 8
"""The bars: minutes and memory of all processes for all trusts; seconds when nothing has changed, and for one page."""

PLAIN = """
import sys
from pathlib import Path
from nofcore import release
from nofcore.report import plan
from nofcore.report.worker import Job, make_page

quarter, trust = sys.argv[1:]
figures = release.embedded().release(quarter)
request = plan.Request((plan.PROFILE,), figures, "all", None, None, Path("reports"), 1, trusts=(trust,))
(page,) = plan.PAGES[plan.PROFILE](request)
result = make_page(Job(page, Path.cwd(), plan.provenance(request), 600, warm=False))
assert result.outcome.ok, result.outcome.error
"""


def main(count: int = 20) -> None:
    """Print a line for each figure, with its bar."""
    from nofcore import release

    every = [str(code) for code in release.embedded().release(QUARTER).trusts.index]
    trusts = [FIRST, *(code for code in every if code != FIRST)][:count]
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        first, _ = report(folder, [FIRST])
        alone, _ = report(folder, [FIRST], "--force")
        batch, most = report(folder, trusts, "--force")
        again, _ = report(folder, trusts)
        each = (batch - alone) / (len(trusts) - 1)
        slow = plain(folder, trusts[: max(count // 4, 2 * WORKERS)])
    print(f"load of the machine after: {os.getloadavg()[0]:.1f}")
    total = (first + each * (len(every) - 1)) / 60
    line("one profile alone, nothing at hand", f"{first:.1f} s", f"{ALONE} s")
    line("  what profiles share at hand", f"{alone:.1f} s", f"{ALONE} s")
    line(f"{len(every)} profiles, {WORKERS} workers, from {len(trusts)}", f"{total:.1f} minutes", f"{MINUTES} minutes")
    line("  each further one", f"{each:.2f} s")
    line("  the plain way, each", f"{slow:.2f} s, {slow / each:.1f} times as long")
    line("memory of all processes at most", f"{most / 1e9:.2f} GB", f"{GIGABYTES} GB")
    line(f"nothing changed, {len(trusts)} profiles", f"{again:.2f} s", f"{AGAIN} s for {len(every)}")


def line(what: str, found: str, bar: str = "") -> None:
    print(f"{what:45} {found}{f'  bar {bar}' if bar else ''}")


def report(folder: str, trusts: list[str], *options: str) -> tuple[float, int]:
    """Seconds that the command takes for the profiles of these trusts, and bytes of all its processes at most."""
    named = [part for code in trusts for part in ("--trust", code)]
    command = [sys.executable, "-m", "nofcore", "report", "trust_profile", "--quarter", QUARTER, *named]
    command += ["--workers", str(WORKERS), "--out", str(Path(folder) / "reports"), *options]
    start = time.perf_counter()
    unseen = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env=os.environ | {"TMPDIR": folder}, **unseen)
    with Memory(process.pid) as memory:
        code = process.wait()
    assert code == 0, f"{' '.join(command)}: exit code {code}"
    return time.perf_counter() - start, memory.most


def plain(folder: str, trusts: list[str]) -> float:
    """Seconds a page in a process of its own, with a kernel that starts cold; what profiles share is at hand."""

    def make(trust: str) -> None:
        command = [sys.executable, "-c", PLAIN, QUARTER, trust]
        subprocess.run(command, env=os.environ | {"TMPDIR": folder}, check=True, capture_output=True)

    start = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(make, trusts))
    return (time.perf_counter() - start) / len(trusts)


class Memory:
    """Looks at a process and all that come of it: shared memory is counted once (PSS)."""

    def __init__(self, process: int):
        self.most, self._process, self._stop = 0, process, threading.Event()

    def __enter__(self):
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.5):
            try:
                top = psutil.Process(self._process)
                self.most = max(self.most, sum(map(proportional, [top, *top.children(recursive=True)])))
            except psutil.Error:  # it has just ended
                return


def proportional(process: psutil.Process) -> int:
    try:
        return process.memory_full_info().pss
    except psutil.Error:
        return 0


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
