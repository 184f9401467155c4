"""Results that several pages share, kept on disk: worked out once, read by every page of a batch.

The folder is the user's own, in the system's folder for temporary files; a folder that another user owns or may write
to is not used. A result is known by what it is made from and by the files of the kit, so that no change
leaves an old one in use. It is written aside and moved into place when whole; one that is damaged is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import pickle
import platform
import secrets
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TypeVar

ABANDONED = 3600  # seconds after which a file that is not whole is nobody's
KEPT = 24
"""So many results stay in the folder, the last ones used."""
_DIGEST = hashlib.sha256().digest_size

T = TypeVar("T")


def remember(what: str, made_from: str, make: Callable[[], T]) -> T:
    """What ``make`` gives, read from the folder where it is there already.

    ``what``: a short name in small letters; ``made_from``: all that decides the result, as text. Errors of ``make`` go on
    to the caller; where the folder cannot be used the result is made and not kept.
    """
    place = folder()
    if place is None:
        return make()
    path = place / f"{what}-{_key(made_from)}.pickle"
    found = _read(path)
    if found is None:
        found = (make(),)
        with contextlib.suppress(OSError):
            _write(path, found)
            _forget_old(place)
    return found[0]


@contextlib.contextmanager
def meanwhile(what: str, made_from: str, make: Callable[[], object]) -> Iterator[None]:
    """`remember` something in a process of its own while the block runs, where one can be forked safely and it is not there
    yet. Whether that worked does not matter: who needs it afterwards calls `remember`."""
    place = folder()
    alone = hasattr(os, "fork") and sys.platform != "darwin" and threading.active_count() == 1
    if place is None or not alone or (place / f"{what}-{_key(made_from)}.pickle").exists():
        yield
        return

    def work() -> None:
        with contextlib.suppress(Exception):  # who needs it makes it again, and is told what is wrong
            remember(what, made_from, make)

    process = multiprocessing.get_context("fork").Process(target=work, daemon=True)
    process.start()
    try:
        yield
        process.join()
    finally:
        process.kill()
        process.join()


def folder() -> Path | None:
    """The folder of this user, made where it is not there; None where it cannot be used safely."""
    whose = str(os.getuid()) if hasattr(os, "getuid") else "user"
    path = Path(tempfile.gettempdir()) / f"nofcore-{whose}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError:
        return None
    if not stat.S_ISDIR(found.st_mode):
        return None
    if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o022):
        return None
    return path


@cache
def sources(kit: Path = Path(__file__).parent) -> str:
    """A hash of the names and contents of all files of the kit: code, templates, rules and embedded data."""
    digest = hashlib.sha256()
    for path in sorted(kit.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{path.relative_to(kit).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def _key(made_from: str) -> str:
    versions = [metadata.version(name) for name in ("numpy", "pandas", "scipy")]
    return hashlib.sha256("\n".join([made_from, sources(), platform.python_version(), *versions]).encode()).hexdigest()


def _read(path: Path) -> tuple | None:
    """What was written, in a tuple; None where there is nothing, or nothing whole."""
    try:
        content = path.read_bytes()
        if hashlib.sha256(content[_DIGEST:]).digest() != content[:_DIGEST]:
            return None
        found = pickle.loads(content[_DIGEST:])
        os.utime(path)
    except (OSError, pickle.UnpicklingError, EOFError, AttributeError, ImportError, TypeError, ValueError):
        return None
    return found if isinstance(found, tuple) and len(found) == 1 else None


def _write(path: Path, found: tuple) -> None:
    content = pickle.dumps(found, protocol=pickle.HIGHEST_PROTOCOL)
    aside = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        aside.write_bytes(hashlib.sha256(content).digest() + content)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _forget_old(place: Path) -> None:
    """Remove all but the last results used, and what an interrupted process left half written. Another process may
    remove them at the same time."""
    for path in place.glob(".*.part"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > ABANDONED:
                path.unlink()
    dated = []
    for path in place.glob("*.pickle"):
        with contextlib.suppress(OSError):
            dated.append((path.stat().st_mtime, path))
    for _, path in sorted(dated, reverse=True)[KEPT:]:
        with contextlib.suppress(OSError):
            path.unlink()
