"""Small notebooks, written where a test wants them, and one run that several tests look at."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from nofcore.report import Page, make_pages
from nofcore.report.provenance import collect

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
DOT = f'"image/png": "{PNG}"'
HOSTILE = "A & B <script>alert(1)</script>"


def write_notebook(path: Path, *cells: str, parameters: str | None = None) -> Path:
    """A notebook of code cells; a cell that starts with `md:` is Markdown."""
    notebook = new_notebook(metadata=KERNEL)
    if parameters is not None:
        notebook.cells.append(new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    for cell in cells:
        markdown = cell.startswith("md:")
        notebook.cells.append(new_markdown_cell(cell[3:]) if markdown else new_code_cell(cell))
    nbformat.write(notebook, path)
    return path


ARTICLE = (
    "md:# The title of the notebook",
    "import os, sys\nfrom pathlib import Path\nfrom IPython.display import HTML, Markdown, display\n"
    "from nofcore.report import Headline\n"
    "(Path(os.environ['NOFCORE_PAGE_FOLDER']) / 'good-table.csv').write_text('a,b');",
    "Headline(f'Trust {name} leads & is <first>.', {'trusts': 134, 'downloads': ['good-table.csv']})",
    "md:Opening words.\n\n## First part\n\n### A detail\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n## First part",
    "print('types:', [type(v).__name__ for v in (name, count, share, flag, nothing, codes, weights)])\n"
    "print('values:', name, count, share, flag, nothing, codes, weights)\n"
    "print('secret warning', file=sys.stderr)\n"
    "print('python:', sys.executable)",
    f"display({{{DOT}}}, raw=True, metadata={{'image/png': {{'alt': 'One \"dot\" & no more'}}}})",
    "display({'image/svg+xml': '<svg xmlns=\"http://www.w3.org/2000/svg\"/>'}, raw=True, "
    "metadata={'image/svg+xml': {'alt': 'An empty drawing'}})",
    "display(HTML('<table><caption>Trusts</caption><tr><td>RAA</td></tr></table>'))",
    "display(Markdown('## Made by code\\n\\n<b>' + name + '</b>'))",
    "Path.cwd().name",
)
DECLARED = (
    "name = 'x'\ncount: int = 0\nshare: float = 0.0\nflag: bool = True\nnothing = 1\n"
    "codes: list = []\nweights: dict = {}"
)
PARAMETERS = {
    "name": HOSTILE,
    "count": 5,
    "share": 0.25,
    "flag": False,
    "nothing": None,
    "codes": ["RAA", "007"],
    "weights": {"a": 1.5, "b": [1, 2]},
}


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """One run of five pages, of which two are good: (outcomes by slug, output folder)."""
    folder = tmp_path_factory.mktemp("report")
    out = folder / "out"
    out.mkdir()
    (out / "broken.html").write_text(
        '<title>Broken &amp; old</title>\n<meta name="nofcore-made" content="2025-01-02T03:04:05Z">'
    )
    (out / "other.html").write_text("<title>Not ours</title>")
    (out / "good.failed.ipynb").write_text("{}")
    show = f"from IPython.display import display\ndisplay({{{DOT}}}, raw=True)"
    books = {
        "good": write_notebook(folder / "good.ipynb", *ARTICLE, parameters=DECLARED),
        "plain": write_notebook(folder / "plain.ipynb", "md:Only words."),
        "broken": write_notebook(folder / "broken.ipynb", "1 + 1", "rate = 1 / 0  # of trusts"),
        "unseen": write_notebook(folder / "unseen.ipynb", "1 + 1", show),
        "slow": write_notebook(folder / "slow.ipynb", "import time; time.sleep(60)"),
    }
    pages = [
        Page(
            slug,
            book,
            HOSTILE if slug == "good" else f"The {slug} page",
            "Q1 2025/26" if slug == "good" else "Tests & trials",
            PARAMETERS if slug == "good" else {},
        )
        for slug, book in books.items()
    ]
    outcomes = make_pages(pages, out, collect([books["good"]]), cell_timeout=4)
    return {outcome.page.slug: outcome for outcome in outcomes}, out
