"""What is asked for (a page) and what came of it (an outcome)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

SLUG = re.compile(r"[a-z0-9][a-z0-9-]*")
RESERVED = {"index"}
PLAIN = (type(None), str, bool, int, float)


@dataclass(frozen=True)
class Page:
    """One notebook with its parameters, to be made into `<slug>.html`.

    slug: stem of the output files, in lower-case letters, digits and hyphens, so that a page never writes
        outside the output folder (ValueError otherwise).
    notebook: the source notebook.
    title: the heading of the page, plain text.
    group: the section of the index it stands in, for example a quarter; plain text.
    parameters: values for the notebook's parameters cell. Only None, str, bool, int, float, list and dict
        reach a notebook unharmed (a numpy integer arrives as text), so any other type is a TypeError.
    reads: files outside the package that the notebook reads whatever its parameters; once one of them changes, the
        page is no longer up to date.
    trusts: names by code of the trusts that the page is about, which a reader can look for.
    kind: what pages the index shows it with, for example those of a trust type; plain text.
    """

    slug: str
    notebook: Path
    title: str
    group: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    reads: tuple[Path, ...] = ()
    trusts: Mapping[str, str] = field(default_factory=dict)
    kind: str = ""

    def __post_init__(self) -> None:
        if not SLUG.fullmatch(self.slug) or self.slug in RESERVED:
            raise ValueError(
                f"page name {self.slug!r}: use lower-case letters, digits and hyphens, "
                f"and none of {', '.join(sorted(RESERVED))}"
            )
        for name, value in self.parameters.items():
            check_plain(value, f"page {self.slug}: parameter {name}")

    @property
    def shown_parameters(self) -> list[tuple[str, object]]:
        """The parameters for readers, to whom a path on another machine means nothing: its last part is shown."""
        return [(name, _without_folder(value)) for name, value in self.parameters.items()]


@dataclass(frozen=True)
class Outcome:
    """What became of a page.

    ok: the page is there: it was made, or was up to date and kept.
    seconds: wall time of execution and conversion; 0 for a page that was kept.
    error: None, or one line: what went wrong, in which cell, and which notebook was kept for inspection.
    headline: None, or {"text": str, "facts": dict} as displayed by the notebook.
    """

    page: Page
    ok: bool
    seconds: float
    error: str | None = None
    headline: dict | None = None
    kept: bool = False


def _without_folder(value: object) -> object:
    return PurePath(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def check_plain(value: object, where: str) -> None:
    """Raise TypeError, naming `where`, unless the value is made of plain Python types throughout.

    Types are compared exactly, because numpy's float64 and str_ are subclasses of Python's.
    """
    if type(value) is list:
        for position, item in enumerate(value):
            check_plain(item, f"{where}[{position}]")
    elif type(value) is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise TypeError(f"{where}: key {key!r} is {type(key).__name__}, not str")
            check_plain(item, f"{where}[{key!r}]")
    elif type(value) not in PLAIN:
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        raise TypeError(f"{where} is {kind}; use None, str, bool, int, float, list or dict")
