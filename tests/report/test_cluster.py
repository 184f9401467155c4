"""The same pages from a Dask cluster of two workers."""

import asyncio
import contextlib
import gc
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

from nofcore import cli
from nofcore.errors import InputError
from nofcore.report import pool

from .conftest import write_notebook
from .processes import ROOT

needs_dask = pytest.mark.skipif(
    find_spec("distributed") is None,
    reason="needs the package distributed: pip install 'nofcore[cluster]'",
)

CLUSTER = """
import sys
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=int(sys.argv[1]), threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""
DISMISS = """
import sys
from distributed import Client

with Client(sys.argv[1]) as client:
    client.retire_workers(close_workers=True, remove=True)
"""
PAGES = """
import sys
from pathlib import Path
from nofcore.report import Page, make_pages, pool
from nofcore.report.provenance import collect

address, out, *books = sys.argv[1:]
pages = [Page(f"{Path(book).stem}-{n}", Path(book), "T", "G") for book in books for n in (1, 2)]
with pool.cluster(address) as executor:
    for outcome in make_pages(pages, Path(out), collect(), executor=executor):
        print(outcome.page.slug, outcome.ok, outcome.error)
"""
MOMENT = re.compile(
    rb"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?|\"duration\": [\d.e-]+|\"id\": \"[\da-f-]+\""
)
MEETS = """
import os, time
from pathlib import Path
met = Path("{folder}", f"met-{{os.getppid()}}")
met.touch()
end = time.time() + 60
while len(list(met.parent.glob("met-*"))) < 2:
    assert time.time() < end, "the other worker makes no page"
    time.sleep(0.05)
"""
"""Two such pages are made only if two workers, each with a server of its own, make one each at the same time."""


@contextlib.contextmanager
def started(workers: int, tmp_path_factory) -> Iterator[str]:
    """The address of a scheduler with so many workers."""
    folder = tempfile.mkdtemp(dir="/tmp")  # a short path: the workers' temporary folders will hold sockets
    script = tmp_path_factory.mktemp("cluster") / "cluster.py"
    script.write_text(CLUSTER)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": folder, "DASK_TEMPORARY_DIRECTORY": folder}
    process = subprocess.Popen(
        [sys.executable, script, str(workers)],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    yield process.stdout.readline().strip()
    process.communicate()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """The address of a scheduler with two workers."""
    with started(2, tmp_path_factory) as address:
        yield address


@pytest.fixture(scope="module")
def idle(tmp_path_factory):
    """The address of a scheduler without workers."""
    with started(0, tmp_path_factory) as address:
        yield address


def call(*command: object) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_dask
@pytest.mark.parametrize(
    "asked",
    [
        ("league_table", "--trust-type", "ambulance"),
        ("trust_profile", "--trust", "RX6", "RRU", "RYA", "--draws", "200"),
    ],
    ids=lambda asked: asked[0],
)
def test_the_command_makes_the_same_pages_on_a_cluster(asked, scheduler, tmp_path):
    command = ("-m", "nofcore", "report", *asked, "--out")
    runs = [(*command, tmp_path / "cluster", "--scheduler", scheduler), (*command, tmp_path / "here")]
    with ThreadPoolExecutor() as both:
        assert all("failed 0, up to date 0" in said for said in both.map(lambda run: call(*run), runs))
    here, there = (contents(tmp_path / name) for name in ("here", "cluster"))
    assert sum(name.endswith(".html") for name in here) == (4 if asked[0] == "trust_profile" else 2)
    assert here.keys() == there.keys()
    assert [name for name in here if here[name] != there[name]] == []


def contents(folder: Path) -> dict[str, bytes]:
    """Every file, also those within workbooks, without the moments that are noted in it. The notes, whose names are
    compared, hold hashes of files with moments."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name in [name for name in found if name.endswith(".xlsx")]:
        with zipfile.ZipFile(folder / name) as book:
            found |= {f"{name}/{part}": book.read(part) for part in book.namelist()} | {name: b""}
    timeless = {name: MOMENT.sub(b"", content) for name, content in found.items()}
    return timeless | {name: b"" for name in found if name.startswith(".made")}


@needs_dask
def test_pages_come_from_both_workers_and_a_failure_stays_alone(scheduler, tmp_path):
    script = tmp_path / "pages.py"
    script.write_text(PAGES)
    good = write_notebook(tmp_path / "good.ipynb", MEETS.format(folder=tmp_path))
    bad = write_notebook(tmp_path / "bad.ipynb", "1 / 0")
    said = call(script, scheduler, tmp_path / "out", bad, good)
    assert said.count("False ZeroDivisionError") == 2
    assert said.count("True None") == 2


ADDRESSES = ("tcp://127.0.0.1:1", "no address", "", "tcp://127.0.0.1", "tcp://127.0.0.1:x", "inproc://x")
WAYS = ("tls", "http", "ws", "wss", "ucx", "inproc", "x")


@needs_dask
def test_an_address_where_no_scheduler_answers_is_one_line(idle, monkeypatch):
    monkeypatch.setattr(pool, "CONNECT_TIMEOUT", 0.5)
    monkeypatch.setattr("distributed.Client", None)  # which would write about its own end, 20 s later
    for address in (*ADDRESSES, *(way + idle.removeprefix("tcp") for way in WAYS)):
        with pytest.raises(InputError, match="no Dask scheduler answers there") as error, pool.cluster(address):
            pass
        assert len(str(error.value).splitlines()) == 1
        assert "NoneType" not in str(error.value)  # it has come to no client
    with warnings.catch_warnings():  # tornado leaves the socket of a ws:// address open that does not answer
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@needs_dask
def test_the_address_of_a_worker_is_refused(scheduler):
    from distributed import Client

    with Client(scheduler, set_as_default=False) as client:
        worker = next(iter(client.nthreads()))
    with pytest.raises(InputError, match=r"no Dask scheduler answers there \(but a worker\)"), pool.cluster(worker):
        pass


@needs_dask
def test_the_workers_of_a_cluster_are_counted_and_none_is_an_error(scheduler, idle, monkeypatch):
    monkeypatch.setattr(pool, "WORKERS_TIMEOUT", 0.5)
    told = []
    with pool.cluster(scheduler, told.append):
        assert told == [f"--scheduler {scheduler}: 2 workers"]
    said = f"it has no workers; start some with: dask worker {idle}"
    with pytest.raises(InputError, match=said), pool.cluster(idle):
        pass


@needs_dask
def test_a_cluster_is_reached_where_a_loop_of_events_runs_already(scheduler):
    """As in a notebook: a second loop in the same thread is refused."""

    async def count():
        said = []
        with pool.cluster(scheduler, said.append):
            return said

    with ThreadPoolExecutor(1) as thread:  # in this one the browser of other tests may have its loop
        assert thread.submit(lambda: asyncio.run(count())).result() == [f"--scheduler {scheduler}: 2 workers"]


@needs_dask
def test_that_all_workers_have_gone_is_told_once(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(pool, "WORKERS_TIMEOUT", 0.2)
    told = []
    with started(1, tmp_path_factory) as address, pool.cluster(address, told.append):
        call("-c", DISMISS, address)
        end = time.monotonic() + 20
        while len(told) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(1)
    assert told == [f"--scheduler {address}: 1 worker", f"--scheduler {address}: {pool.ALL_GONE}"]


def test_without_the_package_the_command_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert cli.main(["report", "--scheduler", "tcp://127.0.0.1:8786", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == (
        "nofcore: error: --scheduler needs the package distributed; install it with: pip install 'nofcore[cluster]'\n"
    )
    assert not (tmp_path / "out").exists()
