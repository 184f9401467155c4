"""Putting files in the folder of the pages so that no reader, and no later run, finds half of a page."""

import contextlib
import os
import re
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from nofcore.errors import InputError, one_line

from .uptodate import FOLDER

try:
    import fcntl
except ModuleNotFoundError:  # not on Windows
    fcntl = None

PLACE = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9-]*/)?[A-Za-z0-9][A-Za-z0-9._-]*")
STALE = 3600
"""Seconds after which an unfinished file is taken to be left by a run that was killed, where folders cannot be locked."""


def publish(files: Mapping[str, bytes], out: Path, note: tuple[str, bytes] | None = None) -> None:
    """Write a page's files: all beside their places first, then all moved, the HTML last, as it links to the others.

    files: contents by name; the files beside a page are in a folder of its name, so that a name may hold one folder.
    An earlier page is taken away before the files behind it change, and files of it that are no more go with it. note:
    see `uptodate.note`. ValueError for a name that leads elsewhere.
    """
    aside = out / FOLDER
    aside.mkdir(exist_ok=True)
    written = []
    lock = _lock(aside)
    try:
        for name, content in files.items():
            if not PLACE.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of a file in the folder of the pages")
            written.append((_write(aside, content), out / name))
        if note:
            written.append((_write(aside, note[1]), aside / note[0]))
        for _, place in written:
            if place.suffix == ".html":
                place.unlink(missing_ok=True)
        for part, place in written:
            place.parent.mkdir(exist_ok=True)
            part.replace(place)
        _remove_others({place for _, place in written}, out)
    finally:
        for part, _ in written:
            part.unlink(missing_ok=True)
        _unlock(lock)


def _remove_others(places: set[Path], out: Path) -> None:
    """Take files that an earlier page of the same name offered, and this one does not, out of its folder."""
    folders = {out / place.stem for place in places if place.parent == out and place.suffix == ".html"}
    for folder in filter(Path.is_dir, folders):
        for path in folder.iterdir():
            if path not in places and path.name.startswith(folder.name) and not path.is_dir():
                path.unlink(missing_ok=True)


def write_index(html: str, out: Path) -> None:
    """Put the index of a folder in its place."""
    (out / FOLDER).mkdir(exist_ok=True)
    with _locked(out / FOLDER):
        _write(out / FOLDER, html.encode()).replace(out / "index.html")


def _write(folder: Path, content: bytes) -> Path:
    part = folder / f"{secrets.token_hex(8)}.part"
    try:
        part.write_bytes(content)
    except BaseException:  # for example a full disk
        part.unlink(missing_ok=True)
        raise
    return part


def open_folder(out: Path) -> Path:
    """The whole path of a folder for pages, made if need be, without what a killed run may have left.

    InputError if nothing can be written there.
    """
    try:
        out = out.resolve()
        if out.exists() and not out.is_dir():
            raise InputError(f"{out} is a file; --out takes a folder")
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
        remove_stale(out)
    except (OSError, RuntimeError) as error:  # the second: links that lead to each other
        reason = getattr(error, "strerror", None) or one_line(str(error))
        raise InputError(f"{out}: no page can be written there ({reason}); give another folder with --out") from None
    return out


def remove_stale(out: Path) -> None:
    """Take away what a killed run may have left; not what another run may be writing just now."""
    if not (out / FOLDER).is_dir():
        return
    with _locked(out / FOLDER) as alone:
        for part in (out / FOLDER).glob("*.part"):
            with contextlib.suppress(FileNotFoundError):
                if alone or time.time() - part.stat().st_mtime > STALE:
                    part.unlink()


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """No other run publishes in the block; False where the system cannot see to that."""
    lock = _lock(folder)
    try:
        yield lock is not None
    finally:
        _unlock(lock)


def _lock(folder: Path) -> int | None:
    """Wait until no other run publishes here. The lock ends with `_unlock` or with this process, however that ends."""
    if fcntl is None:
        return None
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError:  # a network folder without locks
        os.close(lock)
        return None
    except BaseException:
        os.close(lock)
        raise
    return lock


def _unlock(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)
