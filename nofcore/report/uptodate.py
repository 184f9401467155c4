"""Whether a page needs to be made again: what it was made from, noted beside the pages.

A page is up to date if what it would be made from is what it was made from, and its files are as they were
written. The time of the run and the state of git are not part of that: a page made at another commit from the
same files says the same, and goes on naming the time and the commit at which it was made.
"""

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from nofcore.cache import sources

from .page import Page
from .provenance import sha256, versions

FOLDER = ".made"
"""Where the notes are, in the folder of the pages: a JSON file for each page, named after it."""


SOFTWARE = (
    "great-tables", "ipykernel", "itables", "jinja2", "matplotlib", "nbconvert", "nbformat", "numpy", "pandas", "pandera",
    "papermill", "pydantic", "scipy", "seaborn",
)  # fmt: skip
"""What the kit asks for. Not read from its own metadata, of which an environment may hold several, of several ages."""


def made_from(page: Page, provenance: Mapping) -> dict:
    """All that decides what a page says, in plain types: the page and its parameters, the notebook, the files
    that parameters name, data, rules, the kit itself and the versions of packages."""
    return {
        "title": page.title,
        "group": page.group,
        "kind": page.kind,
        "trusts": dict(page.trusts),
        "parameters": dict(page.parameters),
        "inputs": provenance["inputs"],
        "framework": provenance["framework"],
        "packages": provenance["packages"],
        "python": provenance["python"],
        **surroundings(page),
    }


def surroundings(page: Page) -> dict:
    """What a page would be made from by this process: notebook, files that it reads, kit and installed software."""
    return {
        "notebook": [page.notebook.name, sha256(page.notebook)],
        "files": {name: _hash(Path(name)) for name in sorted(set(_files(page.parameters)))}
        | {path.name: _hash(path) for path in page.reads},
        "kit": sources(),
        "software": software(),
    }


@cache
def software() -> dict[str, str]:
    """The versions of Python and of the packages that the kit asks for."""
    return {"python": platform.python_version()} | versions(SOFTWARE)


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
    try:
        return not any((out / FOLDER).glob("*.json"))
    except OSError:  # no folder could have that name
        return False


def noted(page: Page, origin: Mapping, out: Path) -> dict | None:
    """The note on a page in the folder `out`, if the page is up to date."""
    try:
        found = json.loads((out / FOLDER / f"{page.slug}.json").read_bytes())
        same = (
            _text(found["made_from"]) == _text(origin) and "headline" in found and f"{page.slug}.html" in found["files"]
        )
        return found if same and all(sha256(out / name) == was for name, was in found["files"].items()) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # there is no note, or not one of ours


def _text(origin: Mapping) -> str:
    return json.dumps(origin, sort_keys=True)
