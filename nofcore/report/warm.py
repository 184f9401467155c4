"""Kernels that start warm: forked from a process that has imported what every notebook imports.

Importing pandas, seaborn and the rest takes longer than most notebooks need to run. A `Server` imports them
once; each notebook still gets a process, an environment and a folder of its own.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from . import kernel_server

START_TIMEOUT = 60  # seconds for the imports and the fork
STOP_TIMEOUT = 10  # seconds

_lock = threading.Lock()
_own: dict[int, "Server | None"] = {}  # by process: a fork of this one needs its own
_ahead: list["Server"] = []


def available() -> bool:
    """Whether kernels can be forked here. macOS can fork, but its libraries may crash in the child."""
    return hasattr(os, "fork") and hasattr(os, "waitid") and sys.platform != "darwin"


def start(page: str | None = None) -> "Server | None":
    """A new server; None where it cannot be had, and kernels must start cold. ``page``: as for `preload.preload`."""
    if not available():
        return None
    with contextlib.suppress(OSError):
        return Server(page)
    return None


@contextlib.contextmanager
def ahead(page: str | None = None) -> Iterator[None]:
    """Start the server that `serving` will give in this block now, so that it imports meanwhile.

    ``page``: the kind of page, where all are of one, which spares the imports that others need; see `preload.preload`.
    """
    server = start(page)
    if server:
        _ahead.append(server)
    try:
        yield
    finally:
        if server:
            _ahead.remove(server)
            server.stop()


@contextlib.contextmanager
def serving() -> Iterator[str | None]:
    """The address of a server that forks kernels until the end of the block; None: kernels must start cold."""
    if _ahead:
        yield _ahead[-1].address
        return
    server = start()
    try:
        yield server.address if server else None
    finally:
        if server:
            server.stop()


def own() -> str | None:
    """The address of a server that ends with this process, started when first asked for."""
    with _lock:
        if os.getpid() not in _own:
            _own[os.getpid()] = start()
        server = _own[os.getpid()]
    return server.address if server else None


def folder_of(address: str | None) -> Path | None:
    """The folder of a server, which no other user can reach and which goes with it; None where there is no server.

    What a worker that is killed leaves in it is thus not left for long.
    """
    folder = Path(address).parent if address else None
    return folder if folder and folder.is_dir() else None


def import_path() -> str:
    """PYTHONPATH with the folder of this nofcore first."""
    here = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))


class Server:
    """Owns a `kernel_server`, which imports while its owner goes on, and ends with `stop` or with its owner."""

    def __init__(self, page: str | None = None) -> None:
        self._folder = tempfile.mkdtemp(prefix="nof-")  # no other user can reach a socket in it
        self.address = str(Path(self._folder) / "kernels")
        try:
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(self.address)
                listener.listen()
                self._process = self._start(listener.fileno(), page)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def _start(self, listener: int, page: str | None) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", kernel_server.__name__, str(listener), self._folder, *filter(None, [page])],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[listener],
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": import_path()},
        )

    def stop(self) -> None:
        """End the server and its kernels."""
        self._process.stdin.close()
        self._process.terminate()  # it may still be importing, and deaf to the rest
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


class Forked:
    """A kernel forked by the server at an address, with the methods of `subprocess.Popen` that are needed.

    OSError if there is no such server or it does not fork.
    """

    stdin = stdout = stderr = None

    def __init__(self, address: str, command: Sequence[str], env: Mapping[str, str], folder: str | None):
        request = {"command": list(command), "env": dict(env), "folder": folder}
        self.returncode: int | None = None
        self._connection = socket.socket(socket.AF_UNIX)
        try:
            self._connection.settimeout(START_TIMEOUT)
            self._connection.connect(address)
            self._connection.sendall(json.dumps(request).encode() + b"\n")
            pid = self._receive()
            if pid is None:
                raise ConnectionError(f"{address} forks no kernel")
            self.pid = pid
            self._connection.settimeout(None)
        except BaseException:
            self._connection.close()
            raise

    def _receive(self) -> int | None:
        """The next number that the server tells; None if it has gone."""
        try:
            told = self._connection.recv(kernel_server.NUMBER.size, socket.MSG_WAITALL)
        except ConnectionError:
            return None
        return kernel_server.NUMBER.unpack(told)[0] if len(told) == kernel_server.NUMBER.size else None

    def poll(self, timeout: float = 0) -> int | None:
        """The exit code, None if the kernel still runs after so many seconds."""
        if self.returncode is None:
            told = select.poll()
            told.register(self._connection, select.POLLIN)
            if told.poll(timeout * 1000):
                return self.wait()
        return self.returncode

    def wait(self) -> int:
        if self.returncode is None:
            code = self._receive()
            if code is None:  # the server was killed, and its kernels will notice in a second
                code = -signal.SIGKILL
                kernel_server.send(self.pid, signal.SIGKILL)
            self.returncode = code
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Signal the kernel and what it has started."""
        if self.poll() is None:
            kernel_server.send(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
