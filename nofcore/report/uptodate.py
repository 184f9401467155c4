"""Whether a page needs to be made again: what it was made from, noted beside the pages.

A page is up to date if what it would be made from is what it was made from, and its files are as they were
written. The time of the run and the state of git are not part of that: a page made at another commit from the
same files says the same, and goes on naming the time and the commit at which it was made.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from nofcore.cache import sources

from .page import Page
from .provenance import sha256

FOLDER = ".made"
"""Where the notes are, in the folder of the pages: a JSON file for each page, named after it."""


def made_from(page: Page, provenance: Mapping) -> dict:
    """All that decides what a page says, in plain types: the page and its parameters, the notebook, the files
    that parameters name, data, rules, the kit itself and the versions of packages."""
    return {
        "title": page.title,
        "group": page.group,
        "parameters": dict(page.parameters),
        "notebook": [page.notebook.name, sha256(page.notebook)],
        "files": {name: _hash(Path(name)) for name in sorted(set(_files(page.parameters)))},
        "inputs": provenance["inputs"],
        "framework": provenance["framework"],
        "kit": sources(),
        "packages": provenance["packages"],
        "python": provenance["python"],
    }


def _files(value: object) -> Iterator[str]:
    """The texts in a value, at any depth, that are paths of files."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _files(item)
    elif isinstance(value, str) and _is_file(value):
        yield value


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # too long for a path
        return False


def _hash(path: Path) -> str | None:
    try:
        return sha256(path)
    except OSError:  # the notebook will say so
        return None


def note(page: Page, origin: Mapping, headline: Mapping | None, files: Mapping[str, bytes]) -> tuple[str, bytes]:
    """The name in `FOLDER` and the contents of the note on a page that has been made."""
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    content = {"made_from": origin, "headline": headline, "files": hashes}
    return f"{page.slug}.json", json.dumps(content, indent=1).encode()


def none_noted(out: Path) -> bool:
    """Whether the folder has no notes at all, so that every page must be made."""
    return not any((out / FOLDER).glob("*.json"))


def noted(page: Page, origin: Mapping, out: Path) -> dict | None:
    """The note on a page in the folder `out`, if the page is up to date."""
    try:
        found = json.loads((out / FOLDER / f"{page.slug}.json").read_bytes())
        same = _text(found["made_from"]) == _text(origin)
        return found if same and all(sha256(out / name) == was for name, was in found["files"].items()) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # there is no note, or not one of ours


def _text(origin: Mapping) -> str:
    return json.dumps(origin, sort_keys=True)
