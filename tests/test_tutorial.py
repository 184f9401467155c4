"""The tutorial notebook, run as a reader runs it, and the kernel that JupyterLab gives the notebooks."""

import ast
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from nofcore import dictionary

ROOT = Path(__file__).parents[1]
TUTORIAL = ROOT / "notebooks" / "tutorial.ipynb"


@pytest.fixture(scope="module")
def written():
    return nbformat.read(TUTORIAL, as_version=4).cells


RUN = """
import sys, nbclient, nbformat
notebook = nbformat.read(sys.argv[1], 4)
dump = "import json; json.dump({n: json.loads(r.to_json(orient='split')) if hasattr(r, 'to_json') else r"
dump += " for n, r in Out.items()}, open('shown.json', 'w'))"
notebook.cells.append(nbformat.v4.new_code_cell(dump))
nbclient.NotebookClient(notebook, timeout=240).execute()
nbformat.write(notebook, 'run.ipynb')
"""
"""Run a notebook as JupyterLab does, in its folder, and keep what each cell shows."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder that holds the tutorial alone, after it was run there."""
    found = tmp_path_factory.mktemp("notebooks")
    (found / TUTORIAL.name).write_bytes(TUTORIAL.read_bytes())
    command = [sys.executable, "-c", RUN, TUTORIAL.name]
    done = subprocess.run(command, cwd=found, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return found


@pytest.fixture(scope="module")
def shown(folder):
    return {int(number): what for number, what in json.loads((folder / "shown.json").read_text()).items()}


def frame(shown: dict, number: int) -> pd.DataFrame:
    return pd.DataFrame(**shown[number])


def test_ten_short_cells_with_a_sentence_before_each(written):
    code = [cell for cell in written if cell.cell_type == "code"]
    assert len(code) == 10
    for number, cell in enumerate(code, start=1):
        before = written[written.index(cell) - 1]
        assert before.cell_type == "markdown" and before.source.startswith(f"**{number}. ")
        assert len(cell.source.splitlines()) <= 9
        assert not cell.outputs and cell.execution_count is None
        kinds = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While)
        assert not any(isinstance(node, kinds) for node in ast.walk(ast.parse(cell.source)))
    assert [cell for cell in code if "parameters" in cell.metadata.get("tags", [])] == code[:1]
    assert [cell.id for cell in written] == [f"cell-{place:02d}" for place in range(len(written))]


def test_the_league_table_against_nhs_england(shown):
    table = frame(shown, 4)
    assert table["trust_code"].tolist()[:3] == ["RP6", "RAN", "RBV"]
    assert table["average_score"].tolist()[:3] == [1.39, 1.48, 1.51]
    northumbria = table[table["trust_code"] == "RTF"]
    assert northumbria[["rank", "average_score"]].to_numpy().tolist() == [[9, 1.74]]


def test_what_is_rebuilt_against_nhs_england(shown):
    """205 published ranks of Q1 2025/26."""
    table = frame(shown, 5).set_index(["start", "quantity"])
    ranks = table.loc[("published metric scores", "league rank")]
    assert (ranks["exact"], ranks["compared"]) == (205, 205)


def test_correlations_against_the_method_notes(shown):
    """Spearman 0.23 (n = 123), 0.16 (118) and 0.30 (118) between three waits in Q1 2025/26."""
    table = frame(shown, 8)
    found = {frozenset((row.name_a, row.name_b)): (row.n, round(row.coefficient, 2)) for row in table.itertuples()}
    assert found == {
        frozenset(("Four-hour A&E", "18-week elective waits")): (123, 0.23),
        frozenset(("Four-hour A&E", "28-day cancer diagnosis")): (118, 0.16),
        frozenset(("18-week elective waits", "28-day cancer diagnosis")): (118, 0.30),
    }


def test_every_other_cell_shows_what_its_sentence_says(shown):
    assert 1 not in shown
    assert frame(shown, 2).columns.tolist()[:2] == ["trust_code", "metric_id"]
    assert {"score", "published_score", "tied"} <= set(frame(shown, 3))
    ranges = frame(shown, 6)
    assert (ranges["rank_low"] <= ranges["rank"]).all() and (ranges["rank"] <= ranges["rank_high"]).all()
    assert (frame(shown, 7)["others"] == 133).all()
    scenario = frame(shown, 9)
    assert scenario["n"].tolist() == [134] and 0 < scenario["mean_change"].iloc[0] < scenario["max_change"].iloc[0]


def test_the_saved_table_is_whole_and_in_the_dictionary(folder):
    saved = pd.read_csv(folder / "my_league_table.csv")
    assert len(saved) == 205 and saved["rank_low"].notna().all()
    table = next(file for file in dictionary.files() if file.key == "table")
    assert list(saved.columns) == [column.name for column in table.column]


def test_it_runs_as_it_is_in_any_folder(folder):
    cells = [cell for cell in nbformat.read(folder / "run.ipynb", 4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, 12))
    assert not [output for cell in cells for output in cell.outputs if output.output_type in ("error", "stream")]
    assert {path.name for path in folder.iterdir()} == {TUTORIAL.name, "run.ipynb", "shown.json", "my_league_table.csv"}


def test_papermill_chooses_another_type(tmp_path):
    """Ten ambulance trusts in Q1 2025/26: North West first (1.82), East of England last (3.02)."""
    chosen = ("-p", "trust_type", "ambulance", "-p", "draws", "200")
    command = [sys.executable, "-m", "papermill", TUTORIAL, "mine.ipynb", *chosen]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    cells = nbformat.read(tmp_path / "mine.ipynb", 4).cells

    def rows(source):
        [shown] = [cell.outputs[0].data["text/html"] for cell in cells if source in cell.source]
        body = BeautifulSoup(shown, "html.parser").tbody
        return [[cell.text for cell in row("td")] for row in body("tr")]

    table = rows("table(kind).head")
    assert len(table) == 10
    assert {"RX7", "1.82"} <= set(table[0]) and {"RYC", "3.02"} <= set(table[9])
    assert ["9" in row and "133" not in row for row in rows("not_told_apart")] == [True] * 5


def kernels(home: Path, *arguments: str, **environment: str) -> dict:
    """What the recipe of `make lab` would find, with a program in place of jupyter that lists kernels."""
    programs = home / "bin"
    programs.mkdir()
    (programs / "jupyter").write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -m jupyter_client.kernelspecapp list --json\n'
    )
    (programs / "jupyter").chmod(0o755)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("JUPYTER")}
    made = [
        "make",
        "--silent",
        f"VENV={sys.prefix}",
        f"BIN={programs}",
        "--old-file",
        f"{sys.prefix}/.ready",
        *arguments,
    ]
    done = subprocess.run(
        [*made, "lab"],
        cwd=ROOT,
        env=kept | {"HOME": str(home)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["kernelspecs"]


@pytest.mark.skipif(not (Path(sys.prefix) / ".ready").exists(), reason="needs the environment that make makes")
@pytest.mark.parametrize("path", ["", "other"])
def test_lab_opens_the_kernel_of_the_project(tmp_path, path):
    """Whatever else is called python3: in the user's folder, preferred by a setting, or in a folder of JUPYTER_PATH."""
    for folder in (tmp_path / ".local/share/jupyter", tmp_path / "other"):
        spec = folder / "kernels" / "python3" / "kernel.json"
        spec.parent.mkdir(parents=True)
        spec.write_text(json.dumps({"argv": ["/bin/false"], "display_name": "Another Python", "language": "python"}))
    given = {"JUPYTER_PREFER_ENV_PATH": "0"} | ({"JUPYTER_PATH": str(tmp_path / path)} if path else {})
    found = kernels(tmp_path, **given)["python3"]
    assert Path(found["resource_dir"]) == Path(sysconfig.get_path("data")) / "share/jupyter/kernels/python3"
    assert found["spec"]["argv"][0] in (
        "python",
        "python3",
        sys.executable,
    )  # of a bare name Jupyter starts its own Python


def test_every_notebook_asks_for_that_kernel():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert nbformat.read(path, as_version=4).metadata.kernelspec.name == "python3", path.name
