"""How a worker process leaves in the midst of a page: at once, but for its kernel and its temporary files."""

import contextlib
import os
import signal
import tempfile

from . import kernel_server

_kernels: list = []  # the last one alone may be alive, as a worker makes one page at a time


def started(kernel) -> None:
    """Note a kernel, of `subprocess.Popen` or alike, that must not outlive the process."""
    _kernels[:] = [kernel]


def leave(orphaned: bool = False) -> None:
    """End the process here and now. An exception could be lost where a signal comes, or take long to come through.

    orphaned: its parent, which else removes the folder of temporary files that its workers share, has gone.
    """
    with contextlib.suppress(Exception):
        for kernel in _kernels:
            if kernel.poll() is None:
                kernel_server.send(kernel.pid, signal.SIGKILL)
        if orphaned and tempfile.tempdir:
            kernel_server.remove(tempfile.tempdir)
    os._exit(1)
