"""NHS England's files from the web into a folder that `--data` reads.

A file is written aside, checked to be what it should be, and only then moved to its name; so nothing
half-downloaded is ever read, whatever stops the download. Its SHA-256 is noted when it is first seen
(`RECORD`, in the same folder). A file that differs later is a re-issue: the earlier one is kept under
a name that ends in `SUPERSEDED`, which `--data` does not read.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from nofcore import __version__
from nofcore.catalogue import Catalogue, Listed
from nofcore.errors import InputError, Problem, one_line
from nofcore.wording import counted

# pooch, requests and tqdm are imported by the functions that use them, and pandas with nofcore.official.

RECORD = "fetched.json"
SUPERSEDED = ".superseded"
LARGEST = 500_000_000
"""Bytes. The official files have one to three million; what is larger than this is no such file."""

_CHUNK = 65_536
_ASIDE, _PART = ".nofcore-fetch-", ".part"
_STALE = 86_400
"""Seconds after which a part that a killed run left behind is removed."""


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds: for a connection, for data to go on, and before each new try."""

    connect: float = 10.0
    no_data: float = 30.0
    pauses: tuple[float, ...] = (1.0, 3.0, 9.0)


PATIENCE = Patience()


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


@dataclass(frozen=True)
class Fetched:
    """What became of one file: ``outcome`` is "new", "unchanged", "re-issued", "replaced", "by hand" or "kept"
    (at hand, but the server could not be asked)."""

    name: str
    outcome: str
    said: str

    def __str__(self) -> str:
        return f"{self.name}: {self.said}"


class Trouble(Exception):  # noqa: N818 - turned into a Problem before anyone sees it
    """A download that did not work. ``passing``: it may work a little later; ``offline``: there was no connection."""

    def __init__(self, said: str, passing: bool = False, offline: bool = False):
        super().__init__(said)
        self.passing, self.offline = passing, offline


@dataclass
class _Answer:
    """A file as it arrived; ``unchanged``: the server said that it still is the one that we have."""

    sha256: str = ""
    size: int = 0
    etag: str | None = None
    modified: str | None = None
    address: str = ""
    unchanged: bool = False
    ends_in_line: bool = True


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

    ``tell`` is given a line for each file that is there, ``warn`` (default: ``tell``) one for each new try and each
    redirect to another host. Raises InputError at the end if any file is not there: what failed, the ``page`` to
    download it from by hand and the folder to put it into. The files that did arrive stay.
    """
    patience, warn = patience or PATIENCE, warn or tell
    folder = _prepared(folder)
    done, missing, offline = [], {}, {}
    for name, address in listed.addresses.items():
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
    if missing or not listed.files:
        raise _incomplete(listed, page, folder, missing)
    return done


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
    if all(address is None for address in listed.addresses.values()):
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
        for path in folder.glob(f"{_ASIDE}*{_PART}"):
            with contextlib.suppress(OSError):
                if time.time() - path.lstat().st_mtime > _STALE:
                    path.unlink()
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
    aside = _aside(folder)
    try:
        answer = _download(address, aside, name, known, patience, warn)
        _warn_of_other_host(name, address, answer.address, warn)
        if known and answer.unchanged:
            return Fetched(name, "unchanged", f"unchanged since {known.day}")
        return _settle(folder, name, address, aside, answer)
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)


def _aside(folder: Path) -> Path:
    """A name of its own for what is not yet whole; no command reads it."""
    return folder / f"{_ASIDE}{secrets.token_hex(8)}{_PART}"


def _at_hand(folder: Path, name: str, trouble: Trouble) -> Fetched:
    """A file that is in the folder already, where the server cannot be asked for a newer one. The trouble is raised
    again if it is not there, or not as it was."""
    path = folder / name
    if not path.is_file():
        raise trouble
    with _locked(folder):
        seen = _record(folder).get(name)
    if seen is None:
        said = f"{_by_hand(folder, name).said}; it could not be compared with the published one: {trouble}"
        return Fetched(name, "kept", said)
    if _sha256(path) != seen.sha256:
        message = f"{trouble}; the file in the folder was changed here since it was first seen on {seen.day}"
        raise Trouble(message, offline=trouble.offline)
    return Fetched(name, "kept", f"as first seen on {seen.day}; whether it was re-issued is not known: {trouble}")


def _by_hand(folder: Path, name: str) -> Fetched:
    """A file that was put into the folder by hand: checked, and noted at first sight. Raises Trouble."""
    path = folder / name
    if not path.is_file():
        raise Trouble("is not in the folder")
    _check_shape(path)
    size, sha256 = path.stat().st_size, _sha256(path)
    with _locked(folder):
        record = _record(folder)
        seen = record.get(name)
        if seen and seen.sha256 == sha256:
            return Fetched(name, "unchanged", f"unchanged since {seen.day}")
        noted = Seen(sha256, size, _time(), superseded=_history(seen, sha256, None, None))
        _write_record(folder, record | {name: noted})
    if seen:
        said = f"RE-ISSUED or changed: differs from the file seen on {seen.day}, which is no longer in the folder"
        return Fetched(name, "re-issued", said)
    return Fetched(name, "by hand", f"found in the folder, {_described(size, sha256)}")


def _intact(folder: Path, name: str) -> Seen | None:
    """What is noted of a file, if the file in the folder still is that one."""
    with _locked(folder):
        seen = _record(folder).get(name)
    try:
        return seen if seen and _sha256(folder / name) == seen.sha256 else None
    except OSError:
        return None


def _settle(folder: Path, name: str, address: str, aside: Path, answer: _Answer) -> Fetched:
    """Move a file that has arrived whole to its name, keep the one that it replaces, and note it."""
    target = folder / name
    if target.exists() and not target.is_file():
        raise InputError(
            Problem(str(target), None, None, "is not a file; remove it, or choose another folder with --to")
        )
    with _locked(folder):
        record = _record(folder)
        seen = record.get(name)
        earlier = _sha256(target) if target.is_file() else None
        kept = None if earlier in (None, answer.sha256) else _keep(target, seen, earlier)
        if earlier != answer.sha256:
            aside.replace(target)
        first_seen = seen.first_seen if seen and seen.sha256 == answer.sha256 else _time()
        noted = Seen(
            answer.sha256, answer.size, first_seen, address, answer.etag, answer.modified,
            _history(seen, answer.sha256, earlier, kept),
        )  # fmt: skip
        _write_record(folder, record | {name: noted})
    return Fetched(name, *_said(answer, earlier, seen, kept))


def _history(seen: Seen | None, sha256: str, earlier: str | None, kept: Path | None) -> tuple[dict[str, str], ...]:
    """The versions before the one with this SHA-256: those noted, and the one that was just replaced."""
    history = seen.superseded if seen else ()
    if seen and seen.sha256 not in (sha256, earlier):
        history = (*history, {"sha256": seen.sha256, "first_seen": seen.first_seen})
    if kept:
        noted = {"first_seen": seen.first_seen} if seen and seen.sha256 == earlier else {}
        history = (*history, {"sha256": earlier, **noted, "file": kept.name})
    return history


def _said(answer: _Answer, earlier: str | None, seen: Seen | None, kept: Path | None) -> tuple[str, str]:
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


def _keep(target: Path, seen: Seen | None, sha256: str) -> Path:
    """Copy a file that is about to be replaced to a name with a date and its hash, which no command reads."""
    since = seen.day if seen and seen.sha256 == sha256 else _time()[:10]
    kept = target.with_name(f"{target.stem}-{since}-{sha256[:8]}{target.suffix}{SUPERSEDED}")
    aside = _aside(target.parent)
    try:
        shutil.copyfile(target, aside)
        aside.replace(kept)
    finally:
        aside.unlink(missing_ok=True)
    return kept


# --- the download ---------------------------------------------------------------------------------


def _download(
    address: str, aside: Path, name: str, known: Seen | None, patience: Patience, warn: Callable[[str], None]
) -> _Answer:
    """The file at an address, written to ``aside`` and checked; new tries with growing pauses. Raises Trouble."""
    tries = len(patience.pauses) + 1
    for number, pause in enumerate((*patience.pauses, None), 1):
        try:
            answer = _try(address, aside, name, known, patience)
            if not answer.unchanged:
                _check_shape(aside)
                if not answer.ends_in_line:
                    warn(f"{name}: its last row does not end in a line break; check that it is whole")
            return answer
        except Trouble as trouble:
            if not trouble.passing:
                raise
            if pause is None:
                tried = f" (tried {counted(tries, 'time')})" if tries > 1 else ""
                raise Trouble(f"{trouble}{tried}", True, trouble.offline) from None
            warn(f"{name}: {trouble}; trying again in {pause:g} s ({number} of {tries - 1})")
            time.sleep(pause)
    raise AssertionError("the last try returns or raises")


def _try(address: str, aside: Path, name: str, known: Seen | None, patience: Patience) -> _Answer:
    import pooch
    import requests
    from tqdm import tqdm

    # The size can be checked only if the file is sent as it is.
    headers = {
        "User-Agent": f"nofcore/{__version__}",
        "Accept-Encoding": "identity",
        **_asking_for_newer(known, address),
    }
    responses: list[requests.Response] = []
    downloader = pooch.HTTPDownloader(
        chunk_size=_CHUNK,
        timeout=(patience.connect, patience.no_data),
        headers=headers,
        hooks={"response": lambda response, *_, **__: responses.append(response)},
    )
    # On a terminal a bar; elsewhere the line for each finished file is enough.
    bar = tqdm(
        desc=name[-40:], unit="B", unit_scale=True, leave=False, disable=not sys.stderr.isatty(), file=sys.stderr
    )
    try:
        with aside.open("wb") as file:
            sink = _Sink(file, bar, responses)
            downloader(address, sink, None)
            file.flush()
            os.fsync(file.fileno())
    except (requests.RequestException, ValueError) as error:
        raise _trouble(error, address, responses, patience) from None
    finally:
        bar.close()
        for response in responses:
            response.close()
    return _judged(responses[-1], sink, known)


@dataclass
class _Sink:
    """Where the downloader writes: a file, its SHA-256 and the bar that shows how far it is."""

    file: BinaryIO
    bar: Any
    responses: list
    size: int = 0
    end: bytes = b""
    sha256: Any = field(default_factory=hashlib.sha256)

    def write(self, chunk: bytes) -> None:
        if not self.size:
            self.bar.total = _length(self.responses[-1])
        self.size += len(chunk)
        self.end = chunk[-1:]
        if self.size > LARGEST:
            raise Trouble(f"is larger than {LARGEST:,} bytes, so it is none of the official files")
        self.sha256.update(chunk)
        self.file.write(chunk)
        self.bar.update(len(chunk))

    def flush(self) -> None:
        """The file is flushed once, when it is whole."""


def _asking_for_newer(known: Seen | None, address: str) -> dict[str, str]:
    """Headers that let the server answer "not modified"."""
    if known is None or known.address != address:
        return {}
    asked = {"If-None-Match": known.etag, "If-Modified-Since": known.modified}
    return {name: text for name, text in asked.items() if text}


def _length(response) -> int | None:
    """The size that the server announces, where it means the file as we get it."""
    text = response.headers.get("Content-Length", "")
    plain = response.headers.get("Content-Encoding", "identity").strip().lower() in {"", "identity"}
    return int(text) if plain and text.isascii() and text.isdecimal() else None


def _judged(response, sink: _Sink, known: Seen | None) -> _Answer:
    """The answer, if by its status and size it is a whole file, or one that we have. Raises Trouble."""
    headers, status = response.headers, response.status_code
    answer = _Answer(
        sink.sha256.hexdigest(), sink.size, headers.get("ETag"), headers.get("Last-Modified"), response.url,
        unchanged=known is not None and status == HTTPStatus.NOT_MODIFIED, ends_in_line=sink.end in {b"\n", b"\r"},
    )  # fmt: skip
    if answer.unchanged:
        return answer
    if status != HTTPStatus.OK:
        raise Trouble(f"the server answers {status}, which is no file")
    if not sink.size:
        raise Trouble("arrived empty", passing=True)
    length = _length(response)
    if length is not None and sink.size < length:
        raise Trouble(f"was cut off after {sink.size:,} of {length:,} bytes", passing=True)
    # Without a length the end of the connection is the end of the file, whether all was sent or not.
    if not {"Content-Length", "Transfer-Encoding"} & {*headers} and not answer.ends_in_line:
        raise Trouble(f"was cut off after {sink.size:,} bytes, within a row", passing=True)
    return answer


def _trouble(error: Exception, address: str, responses: list, patience: Patience) -> Trouble:
    """What went wrong, in words, and whether it may pass."""
    import requests
    from urllib3 import exceptions as urllib3

    host = urlsplit(responses[-1].url if responses else address).netloc
    if isinstance(error, requests.HTTPError):
        return _refused(responses[-1].status_code, host)
    if isinstance(error, requests.exceptions.SSLError):
        return Trouble(f"the certificate of {host} cannot be trusted, or the secure connection failed")
    if isinstance(error, requests.TooManyRedirects):
        return Trouble(f"{host} redirects in a circle")
    if isinstance(error, requests.exceptions.InvalidSchema | requests.exceptions.InvalidURL):
        return Trouble(f"{host} redirects to an address that is neither https:// nor http://")
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    if isinstance(reason, urllib3.NameResolutionError):
        return Trouble(f"no connection to {host} (its name is not found)", True, True)
    if isinstance(error, requests.ConnectTimeout):
        return Trouble(f"no connection to {host} within {patience.connect:g} s", True, True)
    if isinstance(reason, urllib3.NewConnectionError | urllib3.ProxyError):
        return Trouble(f"no connection to {host}", True, True)
    if isinstance(error, requests.Timeout) or isinstance(reason, urllib3.ReadTimeoutError):
        return Trouble(f"{host} sent nothing for {patience.no_data:g} s", True)
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return Trouble("the connection was cut off", True)
    return Trouble(f"{host} sends an answer that cannot be read")


def _refused(status: int, host: str) -> Trouble:
    try:
        phrase = f"{status} ({HTTPStatus(status).phrase})"
    except ValueError:
        phrase = str(status)
    later = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
    return Trouble(f"{host} answers {phrase}", passing=status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in later)


def _warn_of_other_host(name: str, address: str, final: str, warn: Callable[[str], None]) -> None:
    asked, came = (urlsplit(one) for one in (address, final))
    if (asked.scheme, asked.netloc) != (came.scheme, came.netloc):
        warn(one_line(f"{name}: {asked.netloc} redirects to {came.scheme}://{came.netloc}, where the file came from"))


def _check_shape(path: Path) -> None:
    """Trouble if a file is not one of the official CSV files by its header and rows. Its figures are not judged."""
    from nofcore import csvfile, official

    try:
        header, rows, _ = csvfile.read(path)
    except InputError as error:
        first = error.problems[0]
        row = f"row {first.row}: " if first.row else ""
        raise Trouble(f"{row}{first.message}") from None
    kinds = (official.DATA_COLUMNS, official.LEAGUE_COLUMNS)
    missing = min(([column for column in kind if column not in header] for kind in kinds), key=len)
    if missing:
        raise Trouble(f"is not one of the official files: its header lacks {', '.join(missing[:3])}")
    if not rows:
        raise Trouble("has a header but no rows")


# --- what is noted --------------------------------------------------------------------------------


def _record(folder: Path) -> dict[str, Seen]:
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


def _write_record(folder: Path, record: dict[str, Seen]) -> None:
    text = json.dumps({name: asdict(seen) for name, seen in sorted(record.items())}, indent=2)
    aside = _aside(folder)
    try:
        aside.write_text(f"{text}\n", "utf-8")
        aside.replace(folder / RECORD)
    finally:
        aside.unlink(missing_ok=True)


def _time() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _sha256(path: Path) -> str:
    import pooch

    return pooch.file_hash(str(path), alg="sha256")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
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


# --- for the command line -------------------------------------------------------------------------


def listing(catalogue: Catalogue, folder_of: Callable[[str], Path]) -> list[str]:
    """A line for each release of a catalogue: what is known of it, and what is at hand."""
    lines = []
    for quarter, listed in catalogue.releases.items():
        folder = folder_of(quarter)
        names = listed.names
        there = sum((folder / name).is_file() for name in names)
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
