"""The index of an output folder: what this run made, what failed, and what earlier runs left there."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from .page import SLUG, Outcome
from .render import render
from .uptodate import FOLDER

# Every page carries this near its top; other HTML files in the folder are none of our business.
MADE = re.compile(r'<title>(?P<title>.*?)</title>\s*<meta name="nofcore-made" content="(?P<time>[^"]*)">', re.DOTALL)
TOP = 4000  # characters in which the mark is looked for
QUARTER = re.compile(r"Q([1-4]) (\d{4})/")


@dataclass(frozen=True)
class Entry:
    """A page on the index.

    ``made``: the time at which a page of an earlier run was made, None for one of this run; ``trust``: the code of
    the trust that the page is on alone; ``failed``: why this run could not make it, though it may be there from an earlier
    one (then ``made`` is its time); ``notebook``: the name of its source, by which pages are ordered; ``kept``: up to
    date, so not made again.
    """

    slug: str
    title: str
    notebook: str = ""
    group: str = ""
    kind: str = ""
    text: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)
    trusts: Mapping[str, str] = field(default_factory=dict)
    trust: str | None = None
    workbook: str | None = None
    executed: bool = False
    made: str | None = None
    failed: str | None = None
    kept: bool = False


@dataclass(frozen=True)
class Trust:
    """A line of the list of trusts. ``profiles``: the pages on it alone; ``pages``: those of its type, with its code."""

    code: str
    name: str
    kind: str
    profiles: tuple[Entry, ...]
    pages: tuple[Entry, ...]


def index_html(outcomes: Sequence[Outcome], out: Path, provenance: Mapping) -> str:
    """The text of `index.html` for the outcomes of a run whose pages are in `out`."""
    made = [_of_outcome(outcome, out) for outcome in outcomes]
    failed = {entry.slug: entry.failed for entry in made if entry.failed}
    earlier = [
        replace(entry, failed=failed.get(entry.slug))
        for entry in earlier_pages(out, {entry.slug for entry in made if not entry.failed})
    ]
    there = sorted([entry for entry in made if not entry.failed] + earlier, key=_place)
    cards = [entry for entry in there if not entry.trust and entry.group]
    return render(
        "index.html.j2",
        groups=_grouped(cards),
        failed=[entry for entry in made if entry.failed],
        made=sum(not entry.failed and not entry.kept for entry in made),
        up_to_date=sum(entry.kept for entry in made),
        earlier=len([entry for entry in earlier if entry.group and not entry.failed]),
        unknown=[entry for entry in earlier if not entry.group],
        trusts=_trusts(there),
        kept={entry.slug for entry in made if entry.failed and (out / f"{entry.slug}.failed.ipynb").exists()},
        provenance=provenance,
    )


def earlier_pages(out: Path, made: set[str]) -> list[Entry]:
    """Pages in the folder that this run did not make, by name; with what their notes say, where there are notes."""
    found = []
    for path in sorted(out.glob("*.html")):
        if path.stem in made or path.stem == "index" or not SLUG.fullmatch(path.stem):
            continue
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                mark = MADE.search(file.read(TOP))
        except OSError:  # another run has just taken it away, or it is a folder
            continue
        if mark and _is_time(mark["time"]):
            title, time = html.unescape(mark["title"]), html.unescape(mark["time"])
            found.append(_noted(path.stem, out, time) or Entry(path.stem, title, made=time))
    return found


def _is_time(text: str) -> bool:
    try:
        return bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def _place(entry: Entry) -> tuple:
    """Where a page stands, whichever run made it: by quarter, then by notebook; what is of no quarter comes last."""
    quarter = QUARTER.match(entry.group)
    return (not quarter, quarter[2] + quarter[1] if quarter else entry.group, entry.notebook, entry.slug)


def _of_outcome(outcome: Outcome, out: Path) -> Entry:
    page, headline = outcome.page, outcome.headline or {}
    return Entry(
        page.slug,
        page.title,
        page.notebook.name,
        page.group,
        page.kind,
        headline.get("text", ""),
        _facts(headline),
        page.trusts,
        _alone(page.trusts, page.parameters),
        *_files(page.slug, out),
        failed=None if outcome.ok else outcome.error or "no reason is known",
        kept=outcome.kept,
    )


def _noted(slug: str, out: Path, time: str) -> Entry | None:
    try:
        note = json.loads((out / FOLDER / f"{slug}.json").read_bytes())
        origin, headline = note["made_from"], note["headline"] or {}
        return Entry(
            slug,
            origin["title"],
            origin["notebook"][0],
            origin["group"],
            origin["kind"],
            headline.get("text", ""),
            _facts(headline),
            origin["trusts"],
            _alone(origin["trusts"], origin["parameters"]),
            *_files(slug, out),
            made=time,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # there is no note, or not one of ours


def _facts(headline: Mapping) -> dict[str, object]:
    return {name: value for name, value in headline.get("facts", {}).items() if name != "downloads"}


def _alone(trusts: Mapping[str, str], parameters: Mapping[str, object]) -> str | None:
    """The code of the trust that a page is on alone."""
    return next(iter(trusts)) if len(trusts) == 1 and parameters.get("trust") in trusts else None


def _files(slug: str, out: Path) -> tuple[str | None, bool]:
    workbook = f"{slug}/{slug}.xlsx"
    return (workbook if (out / workbook).is_file() else None), (out / f"{slug}.ipynb").is_file()


def _grouped(entries: Iterable[Entry]) -> dict[str, dict[str, list[Entry]]]:
    """Pages by group and kind, in the order in which they come."""
    groups: dict[str, dict[str, list[Entry]]] = {}
    for entry in entries:
        groups.setdefault(entry.group, {}).setdefault(entry.kind, []).append(entry)
    return groups


def _trusts(entries: Sequence[Entry]) -> list[Trust]:
    """Every trust that a page is about, by name."""
    names, kinds = {}, {}
    profiles: dict[str, list[Entry]] = {}
    pages: dict[str, list[Entry]] = {}
    for entry in entries:
        for code, name in entry.trusts.items():
            names.setdefault(code, name)
            kinds.setdefault(code, entry.kind)
            (profiles if entry.trust else pages).setdefault(code, []).append(entry)
    return [
        Trust(
            code,
            names[code],
            kinds[code],
            tuple(profiles.get(code, ())),
            tuple(pages.get(code, ())),
        )
        for code in sorted(names, key=lambda code: (names[code].lower(), code))
    ]
