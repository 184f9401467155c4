"""NHS England's files from the web into a folder that `--data` reads.

A file is written aside, checked to be what it should be, and only then moved to its name; so nothing
half-downloaded is ever read, whatever stops the download. Its SHA-256 is noted when it is first seen
(`ledger.RECORD`, in the same folder). A file that differs later is a re-issue: the earlier one is kept under
a name that ends in `ledger.SUPERSEDED`, which `--data` does not read.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from nofcore import download, ledger
from nofcore.catalogue import Catalogue, Listed
from nofcore.download import PATIENCE, Patience, Trouble
from nofcore.errors import InputError, Problem
from nofcore.wording import counted


@dataclass(frozen=True)
class Fetched:
    """What became of one file: ``outcome`` is "new", "unchanged", "re-issued", "replaced", "by hand" or "kept"
    (at hand, but the server could not be asked)."""

    name: str
    outcome: str
    said: str

    def __str__(self) -> str:
        return f"{self.name}: {self.said}"


# --- a release ------------------------------------------------------------------------------------


def cache_folder(quarter: str) -> Path:
    """The folder of a quarter in the platform's place for caches."""
    import pooch

    return Path(pooch.os_cache("nofcore")) / quarter.lower().replace(" ", "-").replace("/", "-")


def fetch(
    listed: Listed, page: str, folder: Path, *, patience: Patience | None = None,
    tell: Callable[[str], None] = print, warn: Callable[[str], None] | None = None,
) -> list[Fetched]:  # fmt: skip
    """Bring the files of a release into a folder, which is made where there is none.

    Where the names of its files are not known, those that hold figures of its quarter serve: they were put into the
    folder by hand. ``tell`` is given a line for each file that is there, ``warn`` (default: ``tell``) one for each new
    try, each redirect to another host and each file that is the same as another or of another quarter. Raises
    InputError at the end if any file is not there: what failed, the ``page`` to download it from by hand and the folder
    to put it into. The files that did arrive stay.
    """
    patience, warn = patience or PATIENCE, warn or tell
    folder = _prepared(folder)
    done, missing, offline = [], {}, {}
    addresses = listed.addresses or dict.fromkeys(_of_quarter(folder, listed.quarter))
    for name, address in addresses.items():
        try:
            found = _bring(folder, name, address, offline, patience, warn)
        except Trouble as trouble:
            missing[name] = trouble
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _unusable(folder, error) from None
        else:
            done.append(found)
            tell(str(found))
    if missing or not done:
        raise _incomplete(listed, page, folder, missing)
    _warn_of_copies(folder, done, warn)
    if listed.files:
        _warn_of_other_quarters(folder, listed.quarter, done, warn)
    else:
        warn(f"{listed.quarter}: the names of its files are not known; see on {page} whether these are all")
    return done


def _of_quarter(folder: Path, quarter: str) -> list[str]:
    """The names of the files in a folder that hold figures of a quarter."""
    try:
        names = sorted(path.name for path in folder.iterdir() if path.suffix.lower() == ".csv" and path.is_file())
    except OSError as error:
        raise _unusable(folder, error) from None
    return [name for name in names if quarter in _quarters_of(folder / name)]


def _quarters_of(path: Path) -> set[str]:
    """The quarters that a file holds; none where it does not say, which is for `check` to tell."""
    from nofcore import official  # imports pandas, which a fetch that fails does not need

    try:
        return official.quarters_of(path)
    except InputError:
        return set()


def _warn_of_other_quarters(folder: Path, quarter: str, done: list[Fetched], warn: Callable[[str], None]) -> None:
    """An entry of a catalogue may have been copied from that of another quarter."""
    for found in done:
        held = _quarters_of(folder / found.name)
        if held and quarter not in held:
            warn(f"{found.name}: holds {', '.join(sorted(held))}, and nothing of {quarter}; compare it with the page")


def _warn_of_copies(folder: Path, done: list[Fetched], warn: Callable[[str], None]) -> None:
    """Two files of a release are never the same; a server or a hand that mixed them up would leave one out."""
    noted, first = ledger.record(folder), {}
    for found in done:
        other = first.setdefault(noted[found.name].sha256, found.name)
        if other != found.name:
            warn(f"{found.name}: is byte for byte {other}; compare both with those on the page")


def _bring(
    folder: Path,
    name: str,
    address: str | None,
    offline: dict[str, Trouble],
    patience: Patience,
    warn: Callable[[str], None],
) -> Fetched:
    """One file of a release. ``offline``: hosts that could not be reached, which are not tried again. Raises Trouble."""
    if address is None:
        return _by_hand(folder, name)
    host = urlsplit(address).netloc
    try:
        if host in offline:
            raise offline[host]
        return _fetch_one(folder, name, address, patience, warn)
    except Trouble as trouble:
        if trouble.offline:
            offline[host] = trouble
        if not trouble.passing:
            raise
        return _at_hand(folder, name, trouble)


def _incomplete(listed: Listed, page: str, folder: Path, missing: dict[str, Trouble]) -> InputError:
    """One line: what is missing and why, the page to open and the folder to put files into."""
    names = ", ".join(missing)
    what = names or "its CSV files"
    note = f"; {listed.note}" if listed.note else ""
    todo = f"open {page} in a browser, download {{}} and put {{}} into {folder}"
    if not any(listed.addresses.values()):
        unknown = "addresses of its files" if listed.files else "names and addresses of its files"
        it = "it" if len(missing) == 1 else "them"
        return InputError(f"{listed.quarter}: the {unknown} are not known; {todo.format(what, it)}{note}")
    if all(trouble.offline for trouble in missing.values()):
        reason = next(iter(missing.values()))
        many = counted(len(missing), "file")
        return InputError(
            f"{listed.quarter}: no network: {reason}; {todo.format(f'the {many}', 'them')} ({names}){note}"
        )
    first = Problem("", None, None, f"{listed.quarter} is not complete: {todo.format('what is missing', 'it')}{note}")
    return InputError([first, *(Problem(name, None, None, str(trouble)) for name, trouble in missing.items())])


def _prepared(folder: Path) -> Path:
    """The folder, made and freed of what killed runs left behind."""
    try:
        folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        ledger.remove_stale_parts(folder)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise _unusable(folder, error) from None
    return folder


def _unusable(folder: Path, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or str(error)
    return InputError(Problem(str(folder), None, None, f"cannot be used ({reason}); choose another folder with --to"))


# --- one file -------------------------------------------------------------------------------------


def _fetch_one(folder: Path, name: str, address: str, patience: Patience, warn: Callable[[str], None]) -> Fetched:
    """Download a file, check it and settle it in the folder. Raises Trouble."""
    known = _intact(folder, name)
    aside = ledger.aside_of(folder)
    try:
        answer = download.download(address, aside, name, known, patience, warn)
        download.warn_of_other_host(name, address, answer.address, warn)
        if known and answer.unchanged:
            return Fetched(name, "unchanged", f"unchanged since {known.day}")
        return _settle(folder, name, address, aside, answer)
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)


def _at_hand(folder: Path, name: str, trouble: Trouble) -> Fetched:
    """A file that is in the folder already, where the server cannot be asked for a newer one. The trouble is raised
    again if it is not there, or not as it was."""
    path = folder / name
    if not path.is_file():
        raise trouble
    with ledger.locked(folder):
        seen = ledger.record(folder).get(name)
    if seen is None:
        said = f"{_by_hand(folder, name).said}; it could not be compared with the published one: {trouble}"
        return Fetched(name, "kept", said)
    if ledger.sha256_of(path) != seen.sha256:
        message = f"{trouble}; the file in the folder was changed here since it was first seen on {seen.day}"
        raise Trouble(message, offline=trouble.offline)
    return Fetched(name, "kept", f"as first seen on {seen.day}; whether it was re-issued is not known: {trouble}")


def _by_hand(folder: Path, name: str) -> Fetched:
    """A file that was put into the folder by hand: checked, and noted at first sight. Raises Trouble."""
    path = folder / name
    if not path.is_file():
        raise Trouble("is not in the folder")
    download.check_shape(path)
    size, sha256 = path.stat().st_size, ledger.sha256_of(path)
    with ledger.locked(folder):
        record = ledger.record(folder)
        seen = record.get(name)
        if seen and seen.sha256 == sha256:
            return Fetched(name, "unchanged", f"unchanged since {seen.day}")
        noted = ledger.Seen(sha256, size, ledger.now(), superseded=ledger.history(seen, sha256, None, None))
        ledger.write(folder, record | {name: noted})
    if seen:
        said = f"RE-ISSUED or changed: differs from the file seen on {seen.day}, which is no longer in the folder"
        return Fetched(name, "re-issued", said)
    return Fetched(name, "by hand", f"found in the folder, {_described(size, sha256)}")


def _intact(folder: Path, name: str) -> ledger.Seen | None:
    """What is noted of a file, if the file in the folder still is that one."""
    with ledger.locked(folder):
        seen = ledger.record(folder).get(name)
    try:
        return seen if seen and ledger.sha256_of(folder / name) == seen.sha256 else None
    except OSError:
        return None


def _settle(folder: Path, name: str, address: str, aside: Path, answer: download.Answer) -> Fetched:
    """Move a file that has arrived whole to its name, keep the one that it replaces, and note it."""
    target = folder / name
    if target.exists() and not target.is_file():
        raise InputError(
            Problem(str(target), None, None, "is not a file; remove it, or choose another folder with --to")
        )
    with ledger.locked(folder):
        record = ledger.record(folder)
        seen = record.get(name)
        earlier = ledger.sha256_of(target) if target.is_file() else None
        kept = None if earlier in (None, answer.sha256) else ledger.keep(target, seen, earlier)
        if earlier != answer.sha256:
            aside.replace(target)
        first_seen = seen.first_seen if seen and seen.sha256 == answer.sha256 else ledger.now()
        noted = ledger.Seen(
            answer.sha256, answer.size, first_seen, address, answer.etag, answer.modified,
            ledger.history(seen, answer.sha256, earlier, kept),
        )  # fmt: skip
        ledger.write(folder, record | {name: noted})
    return Fetched(name, *_said(answer, earlier, seen, kept))


def _said(answer: download.Answer, earlier: str | None, seen: ledger.Seen | None, kept: Path | None) -> tuple[str, str]:
    """Outcome and words, from what arrived, what lay in the folder and what was noted."""
    what = _described(answer.size, answer.sha256)
    where = f"; the earlier file is kept as {kept.name}" if kept else ""
    if seen and seen.sha256 != answer.sha256 and earlier != answer.sha256:
        lost = "" if earlier else ", which is no longer in the folder"
        changed = "; that had been changed here" if earlier and earlier != seen.sha256 else ""
        return "re-issued", f"RE-ISSUED: differs from the file first seen on {seen.day}{lost}{where}{changed}; {what}"
    if earlier == answer.sha256:
        return "unchanged", f"unchanged since {seen.day}" if seen and seen.sha256 == earlier else f"unchanged, {what}"
    if kept and seen:
        return "replaced", f"had been changed here; it is again as first seen on {seen.day}{where}"
    if kept:
        return "replaced", f"differs from the file that was in the folder{where}; {what}"
    return "new", what


def _described(size: int, sha256: str) -> str:
    return f"{size:,} bytes, SHA-256 {sha256[:16]}"


# --- for the command line -------------------------------------------------------------------------


def listing(catalogue: Catalogue, folder_of: Callable[[str], Path]) -> list[str]:
    """A line for each release of a catalogue: what is known of it, and what is at hand."""
    lines = []
    for quarter, listed in catalogue.releases.items():
        folder = folder_of(quarter)
        names = listed.names
        there = sum(os.path.isfile(folder / name) for name in names)  # noqa: PTH113 - Path.is_file raises where none may look
        if not names:
            what = "file names and addresses unknown"
        else:
            known = sum(address is not None for address in listed.addresses.values())
            addresses = {len(names): "addresses known", 0: "addresses unknown"}.get(
                known, f"addresses of {known} known"
            )
            what = f"{counted(len(names), 'file')}, {addresses}"
        at_hand = f"; {there} of {len(names)} in {folder}" if there else ""
        lines.append(f"{quarter}  {what}{at_hand}{f'; {listed.note}' if listed.note else ''}")
    return lines
