"""What the kit says of itself: how to cite it, and what changed. Both stand at the top of the project."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from nofcore.errors import InputError, Problem

ROOT = Path(__file__).parents[1]
CITATION, CHANGES = ROOT / "CITATION.cff", ROOT / "CHANGELOG.md"


@dataclass(frozen=True)
class Citation:
    """Who made the kit, and which version this is."""

    authors: tuple[str, ...]
    title: str
    version: str
    licence: str

    def __str__(self) -> str:
        return f"{', '.join(self.authors)}. {self.title}, version {self.version} [software]. Licence: {self.licence}."


def citation(path: Path = CITATION) -> Citation | None:
    """From a CITATION.cff; None where the file is not at hand. InputError if it lacks what a citation needs."""
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
        authors = tuple(author["name"] for author in found["authors"])
        return Citation(authors, found["title"], str(found["version"]), found["license"])
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        message = (
            f"needs the keys authors (each with a name), title, version and license ({type(error).__name__}: {error})"
        )
        raise InputError(Problem(path.name, None, None, " ".join(message.split()))) from None


@dataclass(frozen=True)
class Changes:
    """The newest section of a list of changes: its heading, and its lines in Markdown."""

    heading: str
    lines: tuple[str, ...]


def newest_changes(path: Path = CHANGES) -> Changes | None:
    """The newest section of a CHANGELOG.md; None where the file is not at hand or has no section."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    parts = re.split(r"^## +(.+?)\s*$", text, flags=re.MULTILINE)
    if len(parts) < 3:
        return None
    items = re.split(r"^[*-] +", parts[2], flags=re.MULTILINE)[1:]
    return Changes(parts[1], tuple(" ".join(item.split()) for item in items))
