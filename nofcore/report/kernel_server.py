"""The process that kernels are forked from: ``python -m nofcore.report.kernel_server LISTENER FOLDER [PAGE]``.

It imports what the notebooks need (see `nofcore.report.preload` for PAGE), then forks a kernel for each connection to LISTENER (the number of a
listening socket that it inherits). The connection carries a request, a line of JSON with the arguments of
`become_kernel`; the answers are the kernel's process id and, once it has ended, its exit code. A kernel ends
with its connection, and all end with the server, which removes FOLDER and ends when its standard input closes.
"""

import contextlib
import gc
import importlib.util
import json
import os
import selectors
import shutil
import signal
import socket
import struct
import sys
import threading
import time
from pathlib import Path

NUMBER = struct.Struct("q")
REQUEST_TIMEOUT = 10  # seconds
THREAD_TIMEOUT = 10  # seconds that a thread started by an import may take to end
LEAVE_TIMEOUT = 15  # seconds after which a worker whose parent has gone has left


def main() -> None:
    """Serve until the owner has gone; in a kernel forked here, be that kernel."""
    listener, folder = socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2])
    server = os.getpid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner
    del sys.path[0]  # a kernel puts the folder that it runs in elsewhere
    before = dict(os.environ)
    if prepare(*sys.argv[3:]):
        request = Server(listener).serve()
    else:
        listener.close()  # kernels must start cold
        sys.stdin.read()  # until the owner has gone
        request = None
    if request is not None:
        # What the imports have set, a kernel that starts cold sets in its turn.
        request["env"] |= {name: value for name, value in os.environ.items() if before.get(name) != value}
        become_kernel(server, **request)
    else:
        remove(folder)
        os._exit(0)  # to take apart what was imported takes longer than a page has to wait


def prepare(page: str | None = None) -> bool:
    """Import what notebooks need. False if that left a thread: in a fork, what the thread had locked stays locked."""
    # As ipykernel sets it before a notebook can import the library of charts.
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    from .preload import preload

    preload(page)
    for thread in set(threading.enumerate()) - {threading.current_thread()}:
        thread.join(THREAD_TIMEOUT)
    gc.collect()
    gc.freeze()  # a kernel that collects what it shares with the others would get a copy of it
    return threading.active_count() == 1


class Server:
    """Forks kernels, tells their owners when they end, and ends those whose owners have gone."""

    def __init__(self, listener: socket.socket):
        self._listener = listener
        self._kernels: dict[int, socket.socket] = {}
        self._signals, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        # Not epoll, whose list of files would be one for the server and its forks.
        self._selector = selectors.PollSelector()
        for file in (sys.stdin, listener, self._signals):
            self._selector.register(file, selectors.EVENT_READ)

    def serve(self) -> dict | None:
        """None when the owner has gone and every kernel has ended; in a new kernel, the request for it."""
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        while True:
            for file in [key.fileobj for key, _ in self._selector.select()]:
                if file is sys.stdin:
                    return self._end()
                if file is self._signals:
                    if signal.SIGTERM in self._signals.recv(4096):
                        return self._end()
                    self._reap()
                elif file is self._listener:
                    request = self._accept()
                    if request is not None:
                        return request
                elif file.fileno() >= 0:  # not closed since it was selected
                    self._forget(file)

    def _accept(self) -> dict | None:
        """Fork a kernel for a new connection. None in the server; in the kernel, the request for it."""
        connection, _ = self._listener.accept()
        try:
            connection.settimeout(REQUEST_TIMEOUT)
            with connection.makefile("rb") as file:
                request = json.loads(file.readline())
            process = os.fork()
        except (OSError, ValueError):
            connection.close()
            return None
        if process == 0:
            self._close(connection)
            return request
        self._kernels[process] = connection
        self._selector.register(connection, selectors.EVENT_READ)
        self._tell(connection, process)
        return None

    def _close(self, connection: socket.socket) -> None:
        """In a new kernel: let go of the server's files, or an owner that goes would not be noticed."""
        signal.set_wakeup_fd(-1)
        for file in (connection, self._listener, self._signals, self._waker, *self._kernels.values()):
            file.close()

    def _reap(self) -> None:
        while self._kernels and (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)):
            send(ended.si_pid, signal.SIGKILL)  # to what it has started; until waited for, the number is its own
            _, status = os.waitpid(ended.si_pid, 0)
            connection = self._kernels.pop(ended.si_pid)
            self._tell(connection, os.waitstatus_to_exitcode(status))
            with contextlib.suppress(KeyError):  # its owner has gone
                self._selector.unregister(connection)
            connection.close()

    @staticmethod
    def _tell(connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):  # its owner has gone
            connection.sendall(NUMBER.pack(number))

    def _forget(self, connection: socket.socket) -> None:
        """The owner of a kernel has gone."""
        self._selector.unregister(connection)
        process = next(process for process, its in self._kernels.items() if its is connection)
        send(process, signal.SIGKILL)

    def _end(self) -> None:
        for process in self._kernels:
            send(process, signal.SIGKILL)
            os.waitpid(process, 0)


def send(kernel: int, number: int) -> None:
    """Signal a kernel and what it has started."""
    for deliver in (os.killpg, os.kill):  # a kernel forked just now leads no group yet
        with contextlib.suppress(ProcessLookupError, PermissionError):
            deliver(kernel, number)
            return


def remove(folder: str | Path) -> None:
    """Remove a folder in which workers may still be busy with leaving."""
    end = time.monotonic() + LEAVE_TIMEOUT
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        if not Path(folder).exists() or time.monotonic() > end:
            return
        time.sleep(0.1)


def become_kernel(server: int, command: list[str], env: dict[str, str], folder: str | None) -> None:
    """Run as the kernel that the command would start, in its environment and folder; returns when it ends.

    server: the process that it was forked from, with which it ends.
    command: [python, "-m", module, arguments ...], of which the arguments count.
    """
    if os.getppid() != server:  # it has gone already, and the kernel would look for the end of whoever took its place
        os._exit(1)
    os.setsid()
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.environ.clear()
    os.environ.update(env, JPY_PARENT_PID=str(server))
    if folder:
        os.chdir(folder)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()  # else the unseeded numbers of all notebooks would be the same
    from ipykernel.kernelapp import IPKernelApp

    sys.argv = [importlib.util.find_spec(command[2]).origin, *command[3:]]
    # ipykernel reads the variable when it is imported, which is before it was set.
    IPKernelApp.launch_instance([*command[3:], f"--IPKernelApp.parent_handle={server}"])


if __name__ == "__main__":
    main()
