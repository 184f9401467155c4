"""A file from the web, whole and of the official shape, or in words why not."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from nofcore import __version__
from nofcore.errors import InputError, one_line
from nofcore.ledger import Seen
from nofcore.wording import counted

# pooch, requests and tqdm are imported by the functions that use them, and pandas with nofcore.official.

LARGEST = 500_000_000
"""Bytes. The official files have one to three million; what is larger than this is no such file."""

_CHUNK = 65_536


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds: for a connection, for data to go on, for a whole file, and before each new try."""

    connect: float = 10.0
    no_data: float = 30.0
    whole: float = 600.0
    pauses: tuple[float, ...] = (1.0, 3.0, 9.0)


PATIENCE = Patience()


class Trouble(Exception):  # noqa: N818 - turned into a Problem before anyone sees it
    """A download that did not work. ``passing``: it may work a little later; ``offline``: there was no connection."""

    def __init__(self, said: str, passing: bool = False, offline: bool = False):
        super().__init__(said)
        self.passing, self.offline = passing, offline


@dataclass
class Answer:
    """A file as it arrived; ``unchanged``: the server said that it still is the one that we have; ``measured``: it
    said where the file ends."""

    sha256: str = ""
    size: int = 0
    etag: str | None = None
    modified: str | None = None
    address: str = ""
    unchanged: bool = False
    ends_in_line: bool = True
    measured: bool = True


def download(
    address: str, aside: Path, name: str, known: Seen | None, patience: Patience, warn: Callable[[str], None]
) -> Answer:
    """The file at an address, written to ``aside`` and checked; new tries with growing pauses. Raises Trouble."""
    tries = len(patience.pauses) + 1
    for number, pause in enumerate((*patience.pauses, None), 1):
        try:
            answer = _try(address, aside, name, known, patience)
            if not answer.unchanged:
                check_shape(aside)
                if not answer.ends_in_line:
                    warn(f"{name}: its last row does not end in a line break; check that it is whole")
                if not answer.measured:
                    warn(f"{name}: the server does not say how long it is; check that its last rows are there")
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


def _try(address: str, aside: Path, name: str, known: Seen | None, patience: Patience) -> Answer:
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
            _in_time(lambda: downloader(address, sink, None), responses, patience.whole)
            file.flush()
            os.fsync(file.fileno())
    except TimeoutError:
        raise Trouble(f"{urlsplit(address).netloc} did not send the file within {patience.whole:g} s", True) from None
    except (requests.RequestException, ValueError) as error:
        raise _trouble(error, address, responses, patience) from None
    finally:
        bar.close()
    return _judged(responses[-1], sink, known)


def _in_time(download: Callable[[], None], responses: list, seconds: float) -> None:
    """Let a download run for so long. TimeoutError if it does not end.

    A server that sends a byte now and then keeps within every time-out between two of them; so the download has a
    thread of its own, which can be left behind.
    """
    raised: list[BaseException] = []

    def run() -> None:
        try:
            download()
        except BaseException as error:
            raised.append(error)
        finally:
            for response in responses:
                response.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        for response in responses:
            with contextlib.suppress(OSError, ValueError):
                response.raw.shutdown()
        raise TimeoutError
    if raised:
        raise raised[0]


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


def _judged(response, sink: _Sink, known: Seen | None) -> Answer:
    """The answer, if by its status and size it is a whole file, or one that we have. Raises Trouble."""
    headers, status = response.headers, response.status_code
    answer = Answer(
        sink.sha256.hexdigest(), sink.size, headers.get("ETag"), headers.get("Last-Modified"), response.url,
        unchanged=known is not None and status == HTTPStatus.NOT_MODIFIED, ends_in_line=sink.end in {b"\n", b"\r"},
        measured="Content-Length" in headers or "Transfer-Encoding" in headers,  # in whatever case they are sent
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
    if not answer.measured and not answer.ends_in_line:
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
    if isinstance(error, requests.exceptions.ProxyError):
        return Trouble(f"no connection to {host} through the proxy {_proxy_of(address)}", True, True)
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    if isinstance(reason, urllib3.NameResolutionError):
        return Trouble(f"no connection to {host} (its name is not found)", True, True)
    if isinstance(error, requests.ConnectTimeout):
        return Trouble(f"no connection to {host} within {patience.connect:g} s", True, True)
    if isinstance(reason, urllib3.NewConnectionError):
        return Trouble(f"no connection to {host}", True, True)
    if isinstance(error, requests.Timeout) or isinstance(reason, urllib3.ReadTimeoutError):
        return Trouble(f"{host} sent nothing for {patience.no_data:g} s", True)
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return Trouble("the connection was cut off", True)
    return Trouble(f"{host} sends an answer that cannot be read")


def _proxy_of(address: str) -> str:
    """Host and port of the proxy for an address; a name and password before them are never shown."""
    from requests import utils

    proxy = utils.select_proxy(address, utils.get_environ_proxies(address)) or ""
    return urlsplit(proxy if "://" in proxy else f"//{proxy}").netloc.rsplit("@", 1)[-1]


def _refused(status: int, host: str) -> Trouble:
    try:
        phrase = f"{status} ({HTTPStatus(status).phrase})"
    except ValueError:
        phrase = str(status)
    later = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
    return Trouble(f"{host} answers {phrase}", passing=status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in later)


def warn_of_other_host(name: str, address: str, final: str, warn: Callable[[str], None]) -> None:
    asked, came = (urlsplit(one) for one in (address, final))
    if (asked.scheme, asked.netloc) != (came.scheme, came.netloc):
        warn(one_line(f"{name}: {asked.netloc} redirects to {came.scheme}://{came.netloc}, where the file came from"))


def check_shape(path: Path) -> None:
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
