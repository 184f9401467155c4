"""The index of an output folder: what this run made, what failed, and what an earlier run left there."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .page import Outcome
from .render import render

# Every page carries this near its top; other HTML files in the folder are none of our business.
MADE = re.compile(r'<title>(?P<title>.*?)</title>\s*<meta name="nofcore-made" content="(?P<time>[^"]*)">', re.DOTALL)
TOP = 4000  # characters in which the mark is looked for


@dataclass(frozen=True)
class Earlier:
    """A page of an earlier run."""

    name: str
    title: str
    time: str


def index_html(outcomes: Sequence[Outcome], out: Path, provenance: Mapping) -> str:
    """The text of `index.html` for the outcomes of a run whose pages are in `out`."""
    groups: dict[str, list[Outcome]] = {}  # in the order in which the plan first names them
    for outcome in outcomes:
        groups.setdefault(outcome.page.group, []).append(outcome)
    return render(
        "index.html.j2",
        groups=groups,
        failed=[outcome for outcome in outcomes if not outcome.ok],
        made=sum(outcome.ok and not outcome.kept for outcome in outcomes),
        up_to_date=sum(outcome.kept for outcome in outcomes),
        earlier=earlier_pages(out, {outcome.page.slug for outcome in outcomes if outcome.ok}),
        kept={o.page.slug for o in outcomes if not o.ok and (out / f"{o.page.slug}.failed.ipynb").exists()},
        provenance=provenance,
    )


def earlier_pages(out: Path, made: set[str]) -> list[Earlier]:
    """Pages in the folder that this run did not make, by name."""
    found = []
    for path in sorted(out.glob("*.html")):
        if path.stem in made or path.stem == "index":
            continue
        with path.open(encoding="utf-8", errors="replace") as file:
            mark = MADE.search(file.read(TOP))
        if mark:
            found.append(Earlier(path.name, html.unescape(mark["title"]), html.unescape(mark["time"])))
    return found
