"""Workers behind the interface of `concurrent.futures.Executor`: processes here, or a Dask cluster."""

import asyncio
import contextlib
import multiprocessing
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial

from nofcore.errors import InputError, one_line
from nofcore.wording import counted

from .worker import LEAVE_TIMEOUT, obediently, obey_the_parent

CONNECT_TIMEOUT = 10  # seconds
WORKERS_TIMEOUT = 5  # seconds that the first worker of a cluster may take to come


ALL_GONE = "all workers have gone; waiting for others, which go on with what is left; Ctrl-C ends it"


class Workers(Executor):
    """Processes that are each replaced if they die, for example for want of memory: only the task at hand fails.

    (A `ProcessPoolExecutor` gives up on all that are waiting, so there is one for each process.)
    folder: for their temporary files.
    """

    def __init__(self, count: int, folder: str):
        self._folder = folder
        self._context = _start_method()
        self._here = threading.local()
        self._lock = threading.Lock()
        self._stopped = False
        self._pools: set[ProcessPoolExecutor] = set()
        self._threads = ThreadPoolExecutor(count)
        self._others = set(multiprocessing.active_children())

    def submit(self, function: Callable, /, *arguments, **options) -> Future:
        return self._threads.submit(self._run, function, arguments, options)

    def _run(self, function: Callable, arguments: tuple, options: dict):
        call = partial(obediently, function, *arguments, **options)
        try:
            future = self._hand_over(call)
        except BrokenExecutor:  # its process has died while it had nothing to do
            self._here.pool = None
            future = self._hand_over(call)
        try:
            return future.result()
        except BrokenExecutor:
            self._here.pool = None
            raise

    def _hand_over(self, call: Callable) -> Future:
        """Submit a call to the process of this thread, which is started if there is none."""
        with self._lock:
            if self._stopped:
                raise CancelledError
            if getattr(self._here, "pool", None) is None:
                self._here.pool = ProcessPoolExecutor(1, self._context, obey_the_parent, (self._folder,))
                self._pools.add(self._here.pool)
            return self._here.pool.submit(call)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        for pool in list(self._pools):
            pool.shutdown(wait=wait, cancel_futures=cancel_futures)

    def stop(self) -> None:
        """End the workers in the midst of what they do."""
        with self._lock:
            self._stopped = True
        self.shutdown(wait=False, cancel_futures=True)
        ours = set(multiprocessing.active_children()) - self._others
        for process in ours:
            process.terminate()
        for process in ours:
            process.join(LEAVE_TIMEOUT)
            process.kill()


def ahead() -> None:
    """Have the process start that `local` forks its workers from, so that it imports meanwhile."""
    _start_method()


@contextlib.contextmanager
def local(count: int) -> Iterator[Executor]:
    """Worker processes on this machine, which end with the block, at once if that is interrupted."""
    with tempfile.TemporaryDirectory(prefix="nof-", ignore_cleanup_errors=True) as folder:
        workers = Workers(count, folder)
        try:
            yield workers
        except BaseException:
            workers.stop()
            raise
        finally:
            workers.shutdown()


def _start_method() -> multiprocessing.context.BaseContext:
    """Workers forked from a server that has imported papermill and nbconvert; else fresh ones."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver, resource_tracker

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"{__package__}.execute", f"{__package__}.convert"])
    with _deaf_to_interruption():
        resource_tracker.ensure_running()  # else the next starts it; both let signals through
    with _deaf_to_interruption():
        forkserver.ensure_running()
    return context


@contextlib.contextmanager
def _deaf_to_interruption() -> Iterator[None]:
    """Ctrl-C and the end of the terminal are for the parent: a process started in this block inherits that they are
    blocked until it says otherwise, as `obey_the_parent` does.

    Here, one that comes meanwhile is put off to the end of the block, also if another thread, such as those of numpy,
    is given it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came = []
    numbers = (signal.SIGINT, signal.SIGHUP)
    handlers = {number: signal.signal(number, lambda number, _: came.append(number)) for number in numbers}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in came[:1]:
            signal.raise_signal(number)


@contextlib.contextmanager
def cluster(address: str, tell: Callable[[str], object] = lambda line: None) -> Iterator[Executor]:
    """The workers of the Dask cluster whose scheduler has this address, such as tcp://10.0.0.1:8786.

    tell: called with how many they are, and where all of them go while the scheduler stays.
    InputError if the package is not installed, no scheduler answers or it has no workers.
    """
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise InputError(
            "--scheduler needs the package distributed; install it with: pip install 'nofcore[cluster]'"
        ) from None
    try:
        _reach(address)
        with ThreadPoolExecutor(1) as thread:  # where a loop of events may run already, as in a notebook
            thread.submit(lambda: asyncio.run(_greet(address))).result()
        client = Client(address, timeout=CONNECT_TIMEOUT, set_as_default=False)
    except Exception as error:  # each kind of address has errors of its own
        reason = one_line(str(error)) or "no answer in time"
        raise InputError(f"--scheduler {address}: no Dask scheduler answers there ({reason})") from None
    with client:
        tell(f"--scheduler {address}: {counted(_count_workers(client, address), 'worker')}")
        with _watched(client, lambda: tell(f"--scheduler {address}: {ALL_GONE}")):
            yield client.get_executor(pure=False)  # the same job twice is done twice


@contextlib.contextmanager
def _watched(client, tell: Callable[[], object]) -> Iterator[None]:
    """Tell, once each time, that a scheduler has no workers left: it waits for others without a word and without end."""
    done = threading.Event()

    def watch() -> None:
        had = True
        while not done.wait(WORKERS_TIMEOUT):
            try:
                has = bool(client.nthreads())
            except Exception:  # the scheduler itself has gone, which the pages tell
                return
            if had and not has:
                tell()
            had = has

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(WORKERS_TIMEOUT)


def _reach(address: str) -> None:
    """OSError or ValueError unless something listens there: a client tries for long."""
    from distributed.comm.addressing import parse_address, parse_host_port

    host, port = parse_host_port(parse_address(address)[1])
    socket.create_connection((host, port), CONNECT_TIMEOUT).close()


async def _greet(address: str) -> None:
    """An error of any kind unless a scheduler answers in the way of the address: a client that fails on it writes of its
    own end, 20 s later."""
    from distributed import Security
    from distributed.comm import connect
    from distributed.core import send_recv

    async with asyncio.timeout(CONNECT_TIMEOUT):
        there = await connect(address, **Security().get_connection_args("client"))
        try:
            kind = (await send_recv(there, op="identity", reply=True))["type"]
        finally:
            await there.close()  # which an rpc of distributed leaves to a loop that has ended by then
    if kind != "Scheduler":
        raise ValueError(f"but a {kind.lower()}")


def _count_workers(client, address: str) -> int:
    """How many workers a scheduler has, some of which may still be about to come."""
    with contextlib.suppress(TimeoutError):
        client.wait_for_workers(1, WORKERS_TIMEOUT)
    count = len(client.nthreads())
    if not count:
        raise InputError(f"--scheduler {address}: it has no workers; start some with: dask worker {address}")
    return count
