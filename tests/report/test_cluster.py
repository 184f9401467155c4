"""The same pages from a Dask cluster of two workers."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

from nofcore import cli
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
def connected(scheduler, tmp_path_factory):
    """(what is said on connecting, see `connecting`; addresses of schedulers without workers, at the start and later)."""
    with started(0, tmp_path_factory) as idle, started(1, tmp_path_factory) as brief:
        said = call("-m", "tests.report.connecting", scheduler, idle, brief)
    return json.loads(said.splitlines()[-1]), idle, brief


def call(*command: object) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_dask
def test_the_command_makes_the_same_pages_on_a_cluster(scheduler, tmp_path):
    asked = ("trust_profile", "league_table", "--trust-type", "ambulance", "--trust", "RX6", "RRU", "--draws", "200")
    command = ("-m", "nofcore", "report", *asked, "--out")
    runs = [(*command, tmp_path / "cluster", "--scheduler", scheduler), (*command, tmp_path / "here")]
    with ThreadPoolExecutor() as both:
        assert all("made 3, failed 0, up to date 0" in said for said in both.map(lambda run: call(*run), runs))
    here, there = (contents(tmp_path / name) for name in ("here", "cluster"))
    assert sum(name.endswith(".html") for name in here) == 4
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


@needs_dask
def test_an_address_where_no_scheduler_answers_is_one_line(connected):
    said = connected[0]["no scheduler"]
    assert len(said) == 13
    for address, error in said.items():
        assert f"--scheduler {address}: no Dask scheduler answers there" in error
        assert len(error.splitlines()) == 1
        assert "NoneType" not in error  # it has come to no client


@needs_dask
def test_the_address_of_a_worker_is_refused(connected):
    assert "no Dask scheduler answers there (but a worker)" in connected[0]["a worker"]


@needs_dask
@pytest.mark.parametrize("where", ["counted", "counted within a loop"])
def test_the_workers_of_a_cluster_are_counted(where, connected, scheduler):
    """Also where a loop of events runs already, as in a notebook: a second in the same thread is refused."""
    assert connected[0][where] == [f"--scheduler {scheduler}: 2 workers"]


@needs_dask
def test_a_cluster_without_workers_is_an_error_that_says_how_to_start_some(connected):
    said, idle, _ = connected
    assert said["no workers"] == f"--scheduler {idle}: it has no workers; start some with: dask worker {idle}"


@needs_dask
def test_that_all_workers_have_gone_is_told_once(connected):
    said, _, address = connected
    assert said["dismissed"] == [f"--scheduler {address}: 1 worker", f"--scheduler {address}: {pool.ALL_GONE}"]


def test_without_the_package_the_command_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert cli.main(["report", "--scheduler", "tcp://127.0.0.1:8786", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == (
        "nofcore: error: --scheduler needs the package distributed; install it with: pip install 'nofcore[cluster]'\n"
    )
    assert not (tmp_path / "out").exists()
