"""Writing results: nothing half-written, nothing that a spreadsheet would run."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nofcore.errors import InputError, Problem

if TYPE_CHECKING:  # who needs `escape_text` alone need not wait for it
    import pandas as pd

_RISKY = ("=", "+", "-", "@", "\t", "\r")


def escape_text(cell):
    """A text cell as a spreadsheet may safely open it: a leading apostrophe before = + - @, tab or return."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_RISKY) else cell


def escape_cells(table: pd.DataFrame) -> pd.DataFrame:
    """`escape_text` on every text cell and column name; numbers stay as they are."""
    from pandas.api.types import is_numeric_dtype

    text = [name for name in table.columns if not is_numeric_dtype(table[name])]
    escaped = table.assign(**{name: table[name].map(escape_text) for name in text})
    return escaped.rename(columns=escape_text)


def write_csv(table: pd.DataFrame, path: Path | str) -> None:
    """Write a table as UTF-8 CSV; the file appears only when it is whole."""
    ready = escape_cells(table)
    write_aside(Path(path), lambda aside: ready.to_csv(aside, index=False, lineterminator="\n"))


def write_aside(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` make a file beside ``path``, then move it there. InputError if that cannot be done."""

    def fail(reason: str):
        raise InputError(Problem(str(path), None, None, f"cannot be written ({reason}); choose another --out"))

    try:
        target = path.resolve()  # where path is a link, the file behind it
        if target.exists() and not target.is_file():
            fail("is not a file")  # moving onto a device or a pipe would put a file in its place
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".nofcore-{secrets.token_hex(8)}.part")
        try:
            aside.touch(exist_ok=False)
            write(aside)
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        fail(getattr(error, "strerror", None) or str(error))
