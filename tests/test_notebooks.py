"""Every notebook: well formed, and run from end to end on the embedded data."""

import ast
import json
import os
import re
from pathlib import Path

import nbformat
import pytest

from nofcore import cli

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
PAGES = {
    "00_methods": ("methods", "methods-q1-2025-26"),
    "01_league_table": ("league_table", "league-table-ambulance-q1-2025-26"),
    "02_rank_uncertainty": ("rank_uncertainty", "rank-uncertainty-ambulance-q1-2025-26"),
    "03_metric_correlation": ("metric_correlation", "metric-correlation-ambulance-q1-2025-26"),
    "04_method_sensitivity": ("method_sensitivity", "method-sensitivity-ambulance-q1-2025-26"),
    "05_movement": ("movement", "movement-ambulance-q1-2025-26-to-q4-2025-26"),
    "06_trust_profile": ("trust_profile", "trust-profile-rx7-q1-2025-26"),
}
OPTIONS = {"trust_profile": ["--trust", "RX7"]}
"""What a page must be asked for with."""


def code_cells(path: Path) -> list:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_thin(path):
    """No stored outputs, no definitions, no loops, one parameters cell."""
    cells = code_cells(path)
    assert not any(cell.outputs or cell.execution_count for cell in cells)
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in cells) == 1
    kinds = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While)
    for cell in cells:
        assert not any(isinstance(node, kinds) for node in ast.walk(ast.parse(cell.source))), cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run_from_end_to_end(path, tmp_path, capsys):
    """On ambulance trusts; or, where NOFCORE_REPORT names a report, the page of that kind in it."""
    name, slug = PAGES[path.stem]
    if report := os.environ.get("NOFCORE_REPORT"):
        out = Path(report)
        slug = min(out.glob(f"{name.replace('_', '-')}-*.ipynb")).stem
    else:
        out = tmp_path
        options = [*OPTIONS.get(name, []), "--trust-type", "ambulance"]
        assert cli.main(["report", name, *options, "--out", str(out)]) == 0
        assert "pages made 1, failed 0" in capsys.readouterr().out
    page = (out / f"{slug}.html").read_text("utf-8")
    assert "<h1" in page
    assert f'href="{slug}.html"' in (out / "index.html").read_text("utf-8")
    executed = json.loads((out / f"{slug}.ipynb").read_text("utf-8"))
    source = nbformat.read(path, as_version=4)
    code = [cell["source"] for cell in source.cells if cell["cell_type"] == "code"]
    ran = [cell for cell in executed["cells"] if cell["cell_type"] == "code" and cell.get("execution_count")]
    assert len(ran) == len(code) + 1  # that with the parameters is added
    assert "".join(ran[-1]["source"]) == code[-1]


def test_every_notebook_has_a_page():
    assert {path.stem for path in NOTEBOOKS} == set(PAGES)


def test_no_metric_identifier_in_python():
    """Which metric follows which rule stands in the framework files alone."""
    found = [path.name for path in (ROOT / "nofcore").rglob("*.py") if re.search(r"OF\d{4}", path.read_text("utf-8"))]
    assert found == []
