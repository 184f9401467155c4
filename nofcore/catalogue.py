"""Where NHS England's releases are: a catalogue as data, which users extend by a file of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urljoin, urlsplit

from pydantic import AfterValidator, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass as checked_dataclass

from nofcore import framework as rules
from nofcore.errors import InputError

FILE = Path(__file__).with_name("data") / "catalogue.toml"
UNKNOWN = "unknown"
"""How a catalogue marks a folder or file names that are not known."""

_NAME = re.compile(r"[a-z0-9][a-z0-9 ._()-]{0,195}\.csv", re.IGNORECASE | re.ASCII)
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def check_address(text: str) -> str:
    """The text, if it is an address on the web. Raises ValueError."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in {"http", "https"} or port == 0:
        raise ValueError(f"{text!r} is not an address that begins with https:// or http://")
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        raise ValueError(f"{text!r} holds blanks or other characters that no address holds; copy it from the page")
    if "@" in parts.netloc:
        raise ValueError("an address with a user name or password is not used")
    if "YYYY" in text or "MM" in parts.path.split("/"):
        raise ValueError(f"{text!r} still holds YYYY or MM; copy the folder from the links on the page")
    return text


def _check_folder(text: str) -> str:
    check_address(text)
    if "?" in text or "#" in text:
        raise ValueError(f"{text!r} is not a folder; end it with the / before the names of the files")
    return text if text.endswith("/") else f"{text}/"


def _check_entry(text: str) -> str:
    if "://" in text:
        check_address(text)
    name = name_of(text)
    if not _NAME.fullmatch(name) or _DEVICES.fullmatch(name):
        raise ValueError(
            f"{name!r} is not the name of a CSV file: letters, digits, blanks and . _ - ( ), ending in .csv; no folders"
        )
    return text


def name_of(entry: str) -> str:
    """The name under which a file is kept: the last part of its address, or the entry itself."""
    return unquote(urlsplit(entry).path.rsplit("/", 1)[-1]) if "://" in entry else entry


Address = Annotated[rules.Text, AfterValidator(check_address)]
Folder = Annotated[rules.Text, AfterValidator(_check_folder)]
Entry = Annotated[rules.Text, AfterValidator(_check_entry)]


@checked_dataclass(frozen=True, config=rules.STRICT)
class Listed:
    """One release. ``folder`` and ``files`` are None where they are marked unknown.

    ``files``: names within the folder, or whole addresses.
    """

    quarter: rules.QuarterLabel
    folder: Folder | None
    files: tuple[Entry, ...] | None
    page: Address | None = None
    note: rules.Text | None = None

    @model_validator(mode="after")
    def _sound(self):
        year = self.quarter[3:]
        if (int(year[2:4]) + 1) % 100 != int(year[5:]):
            raise ValueError(f"quarter: {year!r} is not a financial year; write it like '2025/26'")
        if self.files is not None and not self.files:
            raise ValueError(f'files: name at least one file, or write files = "{UNKNOWN}"')
        names = [name.casefold() for name in self.names]
        if doubled := [name for name in self.names if names.count(name.casefold()) > 1]:
            raise ValueError(f"files: {doubled[0]!r} is named twice")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the files; none where they are unknown."""
        return tuple(name_of(entry) for entry in self.files or ())

    @property
    def addresses(self) -> dict[str, str | None]:
        """The address of every file by its name, None where it is unknown."""
        return {name_of(entry): self._address(entry) for entry in self.files or ()}

    def _address(self, entry: str) -> str | None:
        if "://" in entry:
            return entry
        return urljoin(self.folder, entry.replace(" ", "%20")) if self.folder else None


@checked_dataclass(frozen=True, config=rules.STRICT)
class _Content:
    """A catalogue file."""

    release: tuple[Listed, ...]
    page: Address | None = None

    @model_validator(mode="after")
    def _once(self):
        quarters = [entry.quarter for entry in self.release]
        if doubled := [quarter for quarter in quarters if quarters.count(quarter) > 1]:
            raise ValueError(f"release: {doubled[0]} stands twice; remove one")
        return self


@dataclass(frozen=True)
class Catalogue:
    """Releases by quarter, the oldest first, and the page of each."""

    releases: Mapping[str, Listed]
    pages: Mapping[str, str]
    page: str

    @property
    def latest(self) -> str:
        return list(self.releases)[-1]


def read(own: Path | None = None) -> Catalogue:
    """The kit's catalogue, extended by a file of the user's. InputError names the file and the key that is wrong."""
    kits = _kits()
    mine = _content(own) if own else _Content(())
    page = mine.page or kits.page or ""
    entries = {entry.quarter: (entry, entry.page or kits.page or page) for entry in kits.release}
    entries |= {entry.quarter: (entry, entry.page or page) for entry in mine.release}
    ordered = dict(sorted(entries.items(), key=lambda item: (item[0][3:], item[0])))
    return Catalogue(
        {quarter: entry for quarter, (entry, _) in ordered.items()},
        {quarter: page for quarter, (_, page) in ordered.items()},
        page,
    )


def quarter(text: str) -> str:
    """A quarter in its one spelling, from "q3 25/26". InputError if the text is none."""
    from nofcore.official import quarter_label  # imports pandas, which reading a catalogue does not need

    label = quarter_label(text)
    if label is None:
        raise InputError(f"{text!r} is not a quarter; write it like 'Q1 2025/26'")
    return label


def example(quarter: str) -> str:
    """Four lines that add a release to a catalogue."""
    end = f"{quarter[:2].lower()}-{quarter[5:7]}-{quarter[8:]}.csv"
    return "\n".join(
        (
            "[[release]]",
            f'quarter = "{quarter}"',
            'folder = "https://www.england.nhs.uk/wp-content/uploads/YYYY/MM/"',
            f'files = ["nhs-oversight-framework-acute-trust-data-{end}", "nhs-oversight-framework-acute-trust-league-table-{end}"]',
        )
    )


@lru_cache(maxsize=1)
def _kits() -> _Content:
    return _content(FILE)


def _content(path: Path) -> _Content:
    content = rules.read_toml(path, "catalogue")
    try:
        return TypeAdapter(_Content).validate_python(_with_unknown(rules.as_tuples(content)))
    except ValidationError as error:
        raise InputError(rules.problem(str(path), _labelled(content), entry) for entry in error.errors()) from None


def _with_unknown(content: Any) -> Any:
    """The content with None where a release marks its folder or files as unknown (TOML itself has no such value)."""
    if not isinstance(content, dict) or not isinstance(content.get("release"), tuple):
        return content
    return content | {"release": tuple(_marked(entry) for entry in content["release"])}


def _marked(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    return {key: None if key in {"folder", "files"} and value == UNKNOWN else value for key, value in entry.items()}


def _labelled(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The content with the quarter of a release as its label in errors."""
    releases = content.get("release")
    if not isinstance(releases, list):
        return content
    named = [one | {"key": str(one.get("quarter", ""))} if isinstance(one, dict) else one for one in releases]
    return dict(content) | {"release": named}


def require_known(quarter: str, catalogue: Catalogue, tell: Callable[[str], None]) -> None:
    """Raise InputError where the catalogue does not hold a quarter. Of one that may have been published, ``tell`` is
    given the lines that add it."""
    if quarter in catalogue.releases:
        return
    first = next(iter(catalogue.releases))
    if (quarter[3:], quarter) < (first[3:], first):
        raise InputError(f"{quarter}: the first release is {first}")
    tell(example(quarter))
    raise InputError(
        f"{quarter}: the catalogue does not hold it (its latest is {catalogue.latest}); copy the addresses of the files "
        f"from {catalogue.page} into a file of four lines such as those above, and give it with --catalogue FILE"
    )
