"""Kernels forked from a server that has imported everything: the same pages, apart from each other."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from nofcore.report import Page, make_pages, runner, warm
from nofcore.report.plan import NOTEBOOKS
from nofcore.report.provenance import collect

from .conftest import write_notebook
from .processes import ROOT, command

pytestmark = pytest.mark.skipif(not warm.available(), reason="kernels cannot be forked on this system")

TIMES = re.compile(r'"(start_time|end_time|iopub[.a-z_]*|shell[.a-z_]*|duration)": [^,}]*|"id": "[^"]*"')

CURIOUS = (
    "import os, sys, signal, warnings, logging, threading\nfrom pathlib import Path\nimport numpy as np\n"
    "print(__name__, sys.argv[1:2], Path(sys.argv[0]).name, sys.path, Path.cwd(), sys.stdin, os.getpgrp() == os.getpid())",
    "hidden = {'JPY_PARENT_PID', 'IPYTHONDIR', 'NOFCORE_PAGE_FOLDER'}\n"
    "print(sorted((k, v) for k, v in os.environ.items() if k not in hidden), sorted(hidden - set(os.environ)))",
    "print([signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGCHLD)], signal.getsignal(signal.SIGINT).__name__)\n"
    "print(signal.set_wakeup_fd(-1) >= 0, signal.pthread_sigmask(signal.SIG_BLOCK, []), sys.flags)",
    "print(sorted(thread.name.split('-')[0] for thread in threading.enumerate()))",
    "os.write(1, b'written past Python\\n');",
    "print(sys.stdin.read() if sys.stdin else None, os.read(0, 1))",
    "values = np.random.default_rng(1).normal(size=(400, 400))\n"
    "print((values @ values).sum().hex(), np.linalg.svd(values)[1][-1].hex(), hash(np.linalg.inv(values).tobytes()) != 0)",
    "import hashlib; hashlib.sha256(np.linalg.inv(values @ values).tobytes()).hexdigest()",
    "warnings.warn('look out')\nlogging.getLogger('x').warning('and here')",
    "import pandas as pd\nprint([pd.get_option(f'display.{name}') for name in ('width', 'max_columns')])\n"
    "print(pd.DataFrame([range(40)]))\npd.DataFrame({'a': [1.5, None], 'b': ['x', 'y']})",
    "import matplotlib.pyplot as plt\nprint(plt.get_backend(), plt.isinteractive(), len(plt.rcParams))\nplt.plot([1, 2]);",
    "print('after the open figure', plt.get_fignums())",
    "from nofcore import release\nprint(len(release.embedded().trusts))",
    "import time\nfor part in ('sent ', 'in ', 'parts'):\n    print(part, end='', flush=True)\n    time.sleep(0.3)",
)
"""Whatever could tell a forked kernel from a fresh one. An open figure shows itself as an image."""


def outputs(path: Path) -> str:
    """An executed notebook without times and random cell ids."""
    return TIMES.sub("", path.read_text())


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The folders of the same pages made warm and cold."""
    folder = tmp_path_factory.mktemp("both")
    curious = write_notebook(folder / "curious.ipynb", *CURIOUS)
    league = NOTEBOOKS / "01_league_table.ipynb"
    pages = [
        Page("curious", curious, "T", "G"),
        Page("league", league, "T", "G", {"trust_type": "ambulance"}),
    ]
    provenance = collect()
    for name, cold in (("warm", False), ("cold", True)):
        for outcome in make_pages(pages, folder / name, provenance, cold=cold):
            # The open figure has no text alternative, so that this page fails, but not before it is done.
            assert outcome.ok or "cell 11: an image without a text alternative" in outcome.error, outcome.error
    return folder / "warm", folder / "cold"


def test_a_kernel_cannot_be_told_warm_from_cold(both):
    read = [re.sub(r"ipykernel_\d+", "ipykernel", (path / "curious.failed.ipynb").read_text()) for path in both]
    warm_one, cold_one = (json.loads(text)["cells"] for text in read)
    assert len(warm_one) == len(CURIOUS)
    for ours, theirs in zip(warm_one, cold_one, strict=True):
        assert ours["outputs"] == theirs["outputs"], ours["source"]


def test_what_a_cell_prints_is_one_output_however_often_it_is_sent(both):
    for path in both:
        last = json.loads((path / "curious.failed.ipynb").read_text())["cells"][-1]
        assert [(output["name"], "".join(output["text"])) for output in last["outputs"]] == [
            ("stdout", "sent in parts")
        ]


def test_a_page_made_warm_is_the_page_made_cold(both):
    warm_one, cold_one = both
    assert (warm_one / "league.html").read_bytes() == (cold_one / "league.html").read_bytes()
    assert outputs(warm_one / "league.ipynb") == outputs(cold_one / "league.ipynb")


LEAVES = (
    "import builtins, os, sys, threading\nfrom nofcore import release\nimport numpy as np",
    "spoilt = builtins.spoilt = np.spoilt = os.environ['SPOILT'] = 'yes'\nos.chdir('/')\nsys.path.insert(0, '/spoilt')\n"
    "release.embedded().trusts.drop(release.embedded().trusts.index, inplace=True)\nrelease.FOLDER = None\n"
    "threading.Thread(target=threading.Event().wait, daemon=True).start()",
)
LOOKS = (
    "import builtins, os, sys\nfrom nofcore import release\nimport numpy as np",
    "print('found', [hasattr(builtins, 'spoilt'), hasattr(np, 'spoilt'), 'spoilt' in globals(), 'SPOILT' in os.environ,"
    " os.getcwd() == '/', '/spoilt' in sys.path, release.embedded().trusts.empty, release.FOLDER is None])",
)
DRAWS = ("import random\nimport numpy as np\nprint('drew', random.random(), np.random.random())",)
STARTS = """
import os, subprocess, time
started = subprocess.Popen(["sleep", "600"])
with open("{note}", "w") as file:
    file.write(f"{{started.pid}} {{os.getpid()}}")
"""


@pytest.fixture(scope="module")
def apart(tmp_path_factory):
    """Pages made one after the other by one worker: (outcomes by slug, folder of the notebooks)."""
    folder = tmp_path_factory.mktemp("apart")
    cells = {
        "leaves": LEAVES,
        "looks": LOOKS,
        "first": DRAWS,
        "second": DRAWS,
        "dies": [STARTS.format(note=folder / "dies"), "os._exit(3)"],
        "hangs": [STARTS.format(note=folder / "hangs"), "time.sleep(600)"],
        "after": LOOKS,
    }
    pages = [Page(slug, write_notebook(folder / f"{slug}.ipynb", *code), "T", "G") for slug, code in cells.items()]
    outcomes = make_pages(pages, folder / "out", collect(), workers=1, cell_timeout=4)
    return {outcome.page.slug: outcome for outcome in outcomes}, folder


def test_no_page_sees_what_another_left(apart):
    outcomes, folder = apart
    assert outcomes["leaves"].ok, outcomes["leaves"].error
    assert json.dumps(f"found {[False] * 8}\n")[1:-1] in (folder / "out" / "looks.ipynb").read_text()


def test_unseeded_numbers_are_not_those_of_another_page(apart):
    texts = [(apart[1] / "out" / f"{name}.ipynb").read_text() for name in ("first", "second")]
    first, second = (re.search(r"drew ([\d.]+) ([\d.]+)", text) for text in texts)
    assert first[1] != second[1]
    assert first[2] != second[2]


@pytest.mark.parametrize(("slug", "error"), [("dies", "DeadKernelError"), ("hangs", "CellTimeoutError")])
def test_a_kernel_that_dies_or_hangs_fails_its_page_alone_and_leaves_no_process(slug, error, apart):
    outcomes, folder = apart
    assert outcomes[slug].error.startswith(error)
    assert (folder / "out" / f"{slug}.failed.ipynb").exists()
    assert [command(int(process)) for process in (folder / slug).read_text().split()] == ["", ""]
    assert [name for name, outcome in outcomes.items() if not outcome.ok] == ["dies", "hangs"]


def test_the_imports_leave_no_thread_and_do_not_choose_how_charts_are_drawn():
    code = (
        "import sys, threading\nfrom nofcore.report.preload import preload\npreload()\n"
        "print(threading.active_count(), 'matplotlib_inline' in sys.modules, 'seaborn' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert said.stdout.split() == ["1", "False", "True"]


@pytest.mark.parametrize("server", ["none", "dead"])
def test_where_nothing_can_be_forked_kernels_start_cold(server, tmp_path, monkeypatch):
    def start():
        if server == "none":
            return None
        dead = warm.Server()
        dead._process.kill()
        dead._process.wait()
        return dead

    monkeypatch.setattr(runner.warm, "start", start)
    book = write_notebook(tmp_path / "book.ipynb", "import sys\nprint('imported:', 'seaborn' in sys.modules)")
    (outcome,) = make_pages([Page("p", book, "T", "G")], tmp_path / "out", collect())
    assert outcome.ok, outcome.error
    assert "imported: False" in (tmp_path / "out" / "p.ipynb").read_text()


def test_there_is_no_server_where_there_is_no_fork_or_no_place_for_its_socket(tmp_path, monkeypatch):
    deep = tmp_path / ("d" * 100)  # a socket's path has at most 108 characters
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    assert warm.start() is None
    assert list(deep.iterdir()) == []
    monkeypatch.setattr(warm.sys, "platform", "darwin")
    assert not warm.available()
    monkeypatch.setattr(warm.sys, "platform", "linux")
    monkeypatch.delattr(os, "fork")
    assert warm.start() is None
