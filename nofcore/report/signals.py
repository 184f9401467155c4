"""Signals that end a command are raised as exceptions, so that what was begun is ended in order."""

import contextlib
import signal
import threading
from collections.abc import Iterator

_came: list[int] = []  # the signal that has been raised


class Ended(SystemExit):
    """The command was told to end, or its terminal was closed; `code` is what a shell makes of the signal."""


@contextlib.contextmanager
def raising(for_good: bool = False) -> Iterator[None]:
    """A signal to end, or a terminal that is closed, ends the block in order, as Ctrl-C does; a second one changes
    nothing.

    for_good: nor does it after the block, where the process has only to end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    usual = (signal.SIG_DFL, signal.default_int_handler)
    before = {number: handler for number in numbers if (handler := signal.getsignal(number)) in usual}
    for number in before:
        signal.signal(number, _leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if for_good and _came else handler)
        if before:
            _came.clear()


def again() -> None:
    """Raise what a signal has raised before, should that have been lost: Python drops an exception that comes while it
    takes an object apart."""
    if _came:
        raise KeyboardInterrupt if _came[0] == signal.SIGINT else Ended(128 + _came[0])


def _leave(number: int, _: object) -> None:
    if not _came:
        _came.append(number)
        again()
