"""Putting files in the folder of the pages so that no reader, and no later run, finds half of a page."""

import secrets
import time
from collections.abc import Mapping
from pathlib import Path

from .uptodate import FOLDER

STALE = 3600  # seconds after which an unfinished file is taken to be left by a run that was killed


def publish(files: Mapping[str, bytes], out: Path, note: tuple[str, bytes] | None = None) -> None:
    """Write a page's files: all beside their places first, then all moved, the HTML last, as it links to the others.

    An earlier page is taken away before the files behind it change. note: see `uptodate.note`.
    ValueError for a name that is not that of a file in the folder.
    """
    aside = out / FOLDER
    aside.mkdir(exist_ok=True)
    written = []
    try:
        for name, content in files.items():
            if Path(name).name != name or name in {".", ".."}:
                raise ValueError(f"{name!r} is not the name of a file in the folder of the pages")
            written.append((_write(aside, content), out / name))
        if note:
            written.append((_write(aside, note[1]), aside / note[0]))
        for _, place in written:
            if place.suffix == ".html":
                place.unlink(missing_ok=True)
        for part, place in written:
            part.replace(place)
    finally:
        for part, _ in written:
            part.unlink(missing_ok=True)


def write_index(html: str, out: Path) -> None:
    """Put the index of a folder in its place."""
    (out / FOLDER).mkdir(exist_ok=True)
    _write(out / FOLDER, html.encode()).replace(out / "index.html")


def _write(folder: Path, content: bytes) -> Path:
    part = folder / f"{secrets.token_hex(8)}.part"
    try:
        part.write_bytes(content)
    except BaseException:  # for example a full disk
        part.unlink(missing_ok=True)
        raise
    return part


def remove_stale(out: Path) -> None:
    """Take away what a killed run may have left; not what another run may be writing just now."""
    for part in (out / FOLDER).glob("*.part"):
        try:
            if time.time() - part.stat().st_mtime > STALE:
                part.unlink()
        except FileNotFoundError:
            continue
