"""What is noted of the files in a folder, and the moving of files in it: whole files only, one process at a time."""

from __future__ import annotations

import contextlib
import functools
import json
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from nofcore.errors import InputError, Problem

RECORD = "fetched.json"
SUPERSEDED = ".superseded"

_ASIDE, _PART = ".nofcore-fetch-", ".part"
_STALE = 86_400
"""Seconds after which a part that a killed run left behind is removed."""


@dataclass(frozen=True)
class Seen:
    """What is noted of a file: where it came from (None: put there by hand), and when it was first seen (UTC).

    ``etag``, ``modified``: what the server called this version; ``superseded``: earlier versions, the oldest first,
    each with file, sha256 and first_seen.
    """

    sha256: str
    size: int
    first_seen: str
    address: str | None = None
    etag: str | None = None
    modified: str | None = None
    superseded: tuple[dict[str, str], ...] = ()

    @property
    def day(self) -> str:
        return self.first_seen[:10]


def aside_of(folder: Path) -> Path:
    """A name of its own for what is not yet whole; no command reads it."""
    return folder / f"{_ASIDE}{secrets.token_hex(8)}{_PART}"


def remove_stale_parts(folder: Path) -> None:
    """Remove what killed runs left behind."""
    for path in folder.glob(f"{_ASIDE}*{_PART}"):
        with contextlib.suppress(OSError):
            if time.time() - path.lstat().st_mtime > _STALE:
                path.unlink()


def keep(target: Path, seen: Seen | None, sha256: str) -> Path:
    """Copy a file that is about to be replaced to a name with a date and its hash, which no command reads."""
    since = seen.day if seen and seen.sha256 == sha256 else now()[:10]
    kept = target.with_name(f"{target.stem}-{since}-{sha256[:8]}{target.suffix}{SUPERSEDED}")
    aside = aside_of(target.parent)
    try:
        shutil.copyfile(target, aside)
        aside.replace(kept)
    finally:
        aside.unlink(missing_ok=True)
    return kept


def history(seen: Seen | None, sha256: str, earlier: str | None, kept: Path | None) -> tuple[dict[str, str], ...]:
    """The versions before the one with this SHA-256: those noted, and the one that was just replaced."""
    versions = seen.superseded if seen else ()
    if seen and seen.sha256 not in (sha256, earlier):
        versions = (*versions, {"sha256": seen.sha256, "first_seen": seen.first_seen})
    if kept:
        noted = {"first_seen": seen.first_seen} if seen and seen.sha256 == earlier else {}
        versions = (*versions, {"sha256": earlier, **noted, "file": kept.name})
    return versions


def record(folder: Path) -> dict[str, Seen]:
    """What is noted of the files of a folder, by their names. InputError if the record was damaged."""
    path = folder / RECORD
    try:
        return dict(_adapter().validate_json(path.read_bytes()))
    except FileNotFoundError:
        return {}
    except ValidationError:
        message = "is not as fetch writes it; rename it, and the files are noted anew"
    except OSError as error:
        message = f"cannot be read ({error.strerror})"
    raise InputError(Problem(str(path), None, None, message))


@functools.lru_cache(maxsize=1)
def _adapter() -> TypeAdapter:
    return TypeAdapter(dict[str, Seen])


def write(folder: Path, record: dict[str, Seen]) -> None:
    """Note what is known of all files of a folder."""
    text = json.dumps({name: asdict(seen) for name, seen in sorted(record.items())}, indent=2)
    aside = aside_of(folder)
    try:
        aside.write_text(f"{text}\n", "utf-8")
        aside.replace(folder / RECORD)
    finally:
        aside.unlink(missing_ok=True)


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file. OSError if it cannot be read."""
    import pooch

    return pooch.file_hash(str(path), alg="sha256")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time looks at the record and moves files. The lock goes with the process that holds it."""
    with (folder / ".nofcore-fetch.lock").open("a") as handle:
        _lock(handle.fileno())
        yield


def _lock(descriptor: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
