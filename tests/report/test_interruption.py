"""However a run ends: finished pages are whole, the others absent, and no process or temporary file is left."""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from nofcore.report import pool, signals
from nofcore.report.worker import LEAVE_TIMEOUT

from .conftest import write_notebook
from .processes import ROOT, Run, command, parent, soon

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes as Linux shows them")

LONG = """
import sys
from pathlib import Path
from nofcore.report import Page, make_pages
from nofcore.report.provenance import collect

if __name__ == "__main__":
    quick, long, out, note = map(Path, sys.argv[1:5])
    pages = [Page(f"quick-{n}", quick, "T", "G") for n in (1, 2)]
    pages.insert(1, Page("long", long, "T", "G", {"note": str(note)}))
    for outcome in make_pages(pages, out, collect(), cold="cold" in sys.argv):
        print(outcome.page.slug, outcome.ok, outcome.error)
"""
WAITS = """
import os, subprocess, time
started = subprocess.Popen(["sleep", "600"])
with open(note + ".part", "w") as file:
    file.write(str(os.getpid()))
os.replace(note + ".part", note)
time.sleep(600)
"""
QUICK = ["quick-1.html", "quick-1.ipynb", "quick-2.html", "quick-2.ipynb"]


@pytest.fixture
def run(tmp_path, request):
    """A run of two quick pages and one that notes the number of its kernel and never ends; "cold" as its parameter."""
    temporary = Path(tempfile.mkdtemp(dir="/tmp"))  # a short path: it will hold sockets
    script = tmp_path / "script.py"
    script.write_text(LONG)
    quick = write_notebook(tmp_path / "quick.ipynb", "print('done')")
    long = write_notebook(tmp_path / "long.ipynb", WAITS, parameters="note = ''")
    run = Run(
        script, quick, long, tmp_path / "out", tmp_path / "note", getattr(request, "param", ""), temporary=temporary
    )
    yield run
    for process in run.processes():
        os.kill(process, signal.SIGKILL)
    run.process.communicate()
    shutil.rmtree(temporary)


def pages(out: Path) -> list[str]:
    """The names of the files that are not hidden."""
    return sorted(path.name for path in out.glob("[!.]*"))


def wait_for_the_long_page(folder: Path) -> None:
    ready = soon(lambda: (folder / "note").exists() and pages(folder / "out") == QUICK, 60)
    assert ready, pages(folder / "out")


HOW = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL]


@pytest.mark.parametrize(("how", "run"), [*((how, "") for how in HOW), (signal.SIGTERM, "cold")], indirect=["run"])
def test_an_interruption_leaves_finished_pages_their_index_and_nothing_else(how, run, tmp_path):
    wait_for_the_long_page(tmp_path)
    if how == signal.SIGKILL:
        run.process.send_signal(how)
    else:  # Ctrl-C goes to all that the terminal has in the foreground, as do the ends of a terminal and of a service
        os.killpg(run.process.pid, how)
    _, errors = run.process.communicate(timeout=LEAVE_TIMEOUT - 1)  # no process had to be killed
    assert run.process.returncode == (-how if how in (signal.SIGINT, signal.SIGKILL) else 128 + how)
    assert run.left() == []
    assert pages(tmp_path / "out") == ([] if how == signal.SIGKILL else ["index.html"]) + QUICK
    assert errors.count("Traceback") == (how == signal.SIGINT), errors  # of the script itself: KeyboardInterrupt
    if how == signal.SIGINT:
        assert errors.endswith("KeyboardInterrupt\n2 of 3 pages finished, the next run makes the rest\n")
    elif how != signal.SIGKILL:
        assert errors == ""
    if how != signal.SIGKILL:
        index = (tmp_path / "out" / "index.html").read_text()
        assert 'href="quick-1.html"' in index and 'href="quick-2.html"' in index


TOLD = """
from nofcore.report import worker

worker._be_told_to_leave()
print("hands back its result", flush=True)
worker.obediently(print, "makes a page")
"""


def test_a_worker_that_is_told_to_leave_hands_back_what_it_has_and_takes_no_more(tmp_path):
    """Half of a result would have the parent wait for the rest for ever."""
    done = subprocess.run(
        [sys.executable, "-c", TOLD],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (1, "hands back its result\n", "")


def test_a_worker_that_dies_while_it_has_nothing_to_do_is_replaced():
    with pool.local(1) as workers:
        process = workers.submit(os.getpid).result()
        os.kill(process, signal.SIGKILL)
        (its,) = workers._pools
        assert soon(lambda: its._broken)
        assert workers.submit(os.getpid).result() != process


def test_ctrl_c_while_the_workers_start(run, tmp_path):
    assert soon(lambda: len(run.processes()) > 2)
    os.killpg(run.process.pid, signal.SIGINT)
    _, errors = run.process.communicate(timeout=20)
    assert run.left() == []
    assert pages(tmp_path / "out") == []
    assert errors.count("Traceback") == 1, errors  # no worker has a word to add


@pytest.mark.parametrize("victim", ["server of the kernels", "workers"])
def test_a_part_that_is_killed_fails_its_page_alone(victim, run, tmp_path):
    wait_for_the_long_page(tmp_path)
    if victim == "workers":
        victims = [process for process in run.processes() if command(parent(process)) == command(process)]
    else:
        victims = [parent(int((tmp_path / "note").read_text()))]
    assert victims
    for process in victims:
        with contextlib.suppress(ProcessLookupError):  # the run has ended with the page of the one before
            os.kill(process, signal.SIGKILL)
    said, errors = run.process.communicate(timeout=30)
    assert re.search(r"long False .*(DeadKernelError|BrokenProcessPool)", said), said + errors
    assert said.count(" True ") == 2
    assert run.left() == []
    assert [name for name in pages(tmp_path / "out") if "failed" not in name] == ["index.html", *QUICK]


def test_a_kernel_ends_though_everything_else_was_killed_at_once(run, tmp_path):
    wait_for_the_long_page(tmp_path)
    kernel = int((tmp_path / "note").read_text())
    for process in set(run.processes()) - {kernel}:
        os.kill(process, signal.SIGKILL)
    assert soon(lambda: not command(kernel), 5)


ORPHAN = """
import os, sys, time
from nofcore.report import kernel_server

server = os.getpid()
if os.fork():
    os._exit(0)  # the server is killed just after the fork
while os.getppid() == server:
    time.sleep(0.01)
command = [sys.executable, "-m", "ipykernel_launcher", "-f", sys.argv[1]]
kernel_server.become_kernel(server, command, dict(os.environ), None)
"""


def test_a_kernel_forked_by_a_server_that_is_killed_meanwhile_does_not_stay(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(ORPHAN)
    run = Run(script, tmp_path / "kernel.json", temporary=tmp_path)
    try:
        run.process.communicate(timeout=60)
        assert soon(lambda: not run.processes(), 60), [command(process) for process in run.processes()]
    finally:
        for process in run.processes():
            os.kill(process, signal.SIGKILL)


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGHUP, signals.Ended)])
def test_a_signal_while_a_process_starts_is_put_off_though_another_thread_is_given_it(number, error):
    leave = threading.Event()
    thread = threading.Thread(target=leave.wait)
    thread.start()
    try:
        with signals.raising(), pytest.raises(error), pool._deaf_to_interruption():
            os.kill(os.getpid(), number)
            time.sleep(0.2)
            leave.set()
        assert leave.is_set()
    finally:
        leave.set()
        thread.join()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_does_not_disturb_the_end_of_a_run(number):
    ended = []
    with pytest.raises((KeyboardInterrupt, SystemExit)), signals.raising():
        try:
            signal.raise_signal(number)
        finally:
            signal.raise_signal(number)
            ended.append(number)
    assert ended == [number]


def test_an_interruption_that_python_has_dropped_is_raised_again():
    with pytest.raises(signals.Ended) as error, signals.raising():
        with contextlib.suppress(signals.Ended):
            signal.raise_signal(signal.SIGTERM)
        signals.again()
    assert error.value.code == 128 + signal.SIGTERM
    signals.again()  # nothing, once the block has ended


MANY = """
import contextlib, sys
from concurrent.futures import Executor, Future
from pathlib import Path
from nofcore.report import Outcome, Page, make_pages
from nofcore.report.worker import Result

class Printer(Executor):
    # Makes pages at once: a table, a notebook and the HTML, each full of the letter of the run.
    def submit(self, function, job):
        future = Future()
        future.set_result([] if function.__name__ == "declared_parameters" else self.result(job.page))
        return future
    def result(self, page):
        content = letter.encode() * SIZE
        names = (f"{page.slug}-table.csv", f"{page.slug}.ipynb", f"{page.slug}.html")
        return Result(Outcome(page, True, 0.1), {name: content for name in names})

@contextlib.contextmanager
def progress(total):
    yield lambda outcome: print("page", flush=True)

letter, out, book, force = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4] == "force"
pages = [Page(f"page-{n}", book, "T", "G") for n in range(COUNT)]
provenance = {"inputs": [], "framework": None, "packages": {}, "python": "3", "git": None, "time": "2026-01-01T00:00:00Z"}
outcomes = make_pages(pages, out, provenance, executor=Printer(), force=force, progress=progress)
print(*(("kept" if outcome.kept else "made") for outcome in outcomes))
"""
COUNT, SIZE = 12, 1_000_000


def test_killed_at_any_moment_a_run_leaves_no_half_page_and_the_next_one_completes_them(tmp_path):
    """Each run writes other pages over those of the runs before and is killed at a moment drawn at random."""
    script, out, book = tmp_path / "script.py", tmp_path / "out", tmp_path / "book.ipynb"
    script.write_text(MANY.replace("COUNT", str(COUNT)).replace("SIZE", str(SIZE)))
    book.write_text("{}")
    moments = random.Random(20250909)
    for letter in "abcdefghij":
        process = start(script, letter, out, book, "force")
        for _ in range(moments.randrange(COUNT - 1)):
            assert process.stdout.readline() == "page\n"
        time.sleep(moments.uniform(0, 0.01))
        process.kill()
        process.communicate()
        before = count_whole_pages(out)
    said, _ = start(script, "z", out, book, "").communicate()
    assert said.count("made") + said.count("kept") == COUNT
    assert abs(said.count("kept") - before) <= 1  # a page may be whole, and the note on it not yet written
    assert count_whole_pages(out) == COUNT
    assert len(pages(out)) == 3 * COUNT + 1


def start(script: Path, *arguments: object) -> subprocess.Popen:
    call = [sys.executable, str(script), *map(str, arguments)]
    return subprocess.Popen(call, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True)


def count_whole_pages(out: Path) -> int:
    """Each page's three files are there, whole, and of one run; files without the page belong to none."""
    found = [path.stem for path in out.glob("*.html") if path.stem != "index"]
    for name in found:
        contents = [path.read_bytes() for path in out.glob(f"{name}[-.]*")]
        assert [len(content) for content in contents] == 3 * [SIZE], name
        assert contents == 3 * [contents[0][:1] * SIZE], name
    return len(found)
