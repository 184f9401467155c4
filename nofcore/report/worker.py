"""What a worker does: execute and convert one page in a folder of its own, and hand back the files."""

import multiprocessing.connection
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from . import leaving, warm
from .page import Outcome, Page
from .uptodate import surroundings

LEAVE_TIMEOUT = 10  # seconds that a worker has to end its kernel when the run is interrupted


@dataclass(frozen=True)
class Job:
    """All that a worker needs for one page.

    warm: have the kernel forked, by the `warm.Server` with the address `server`; None: one of the worker's own.
    origin: what the page is to be made from (`uptodate.made_from`), which the worker must have as well; None where it
        cannot but have it.
    """

    page: Page
    working_folder: Path
    provenance: Mapping
    cell_timeout: int
    warm: bool = True
    server: str | None = None
    origin: Mapping | None = None


@dataclass(frozen=True)
class Result:
    """What a worker hands back: the outcome, and the files to publish with their contents, in order."""

    outcome: Outcome
    files: Mapping[str, bytes] = field(default_factory=dict)


def declared_parameters(notebook: Path) -> list[str]:
    """The names in the notebook's parameters cell. Papermill is imported here so that the caller need not."""
    from .execute import declared

    return declared(notebook)


def make_page(job: Job) -> Result:
    """Execute and convert one page. A failure is returned, not raised."""
    from .execute import one_line

    start = time.perf_counter()
    server = (job.server or warm.own()) if job.warm else None
    where = warm.folder_of(server)
    with tempfile.TemporaryDirectory(prefix="nof-", dir=where, ignore_cleanup_errors=True) as folder:
        stage = Path(folder)
        try:
            headline, names = _make(job, stage, server)
            outcome = Outcome(job.page, True, time.perf_counter() - start, None, headline)
        except Exception as error:
            names = _keep_failed(job, stage)
            line = one_line(error) + (f"; see {names[0]}" if names else "")
            outcome = Outcome(job.page, False, time.perf_counter() - start, line)
        return Result(outcome, {place: (stage / Path(place).name).read_bytes() for place in names})


def _make(job: Job, stage: Path, server: str | None) -> tuple[dict | None, tuple[str, ...]]:
    from .convert import convert
    from .execute import execute
    from .files import write_files
    from .headline import read_headline

    _check_origin(job)
    slug = job.page.slug
    executed = stage / f"{slug}.ipynb"
    notebook = execute(
        job.page.notebook.resolve(),
        executed,
        job.page.parameters,
        working_folder=job.working_folder,
        cell_timeout=job.cell_timeout,
        server=server,
    )
    headline = read_headline(notebook)
    downloads = tuple(headline["facts"].get("downloads", ())) if headline else ()
    _check_downloads(downloads, slug, stage)
    files = write_files(notebook, job.page, headline, job.provenance, stage)
    _forget_paths(notebook, executed)
    html = convert(notebook, job.page, headline, job.provenance, files)
    (stage / f"{slug}.html").write_text(html, encoding="utf-8")
    return headline, (*(f"{slug}/{name}" for name in files.names), executed.name, f"{slug}.html")


def _check_origin(job: Job) -> None:
    """A page from other files or software would pass for what it is not, and for up to date."""
    if job.origin is None:
        return
    here = surroundings(job.page)
    if other := [name for name in here if here[name] != job.origin[name]]:
        raise RuntimeError(
            f"this worker has another {', '.join(other)}; install the same there and restart the workers"
        )


def _check_downloads(downloads: tuple[str, ...], slug: str, stage: Path) -> None:
    """The files must be there, and be named after their page so that no two pages write the same one."""
    for name in downloads:
        if not name.startswith((f"{slug}-", f"{slug}.")):
            raise ValueError(f"download {name}: the name must begin with {slug}")
        if not (stage / name).is_file():
            raise FileNotFoundError(f"download {name}: the notebook has not written it")


def _forget_paths(notebook, executed: Path) -> None:
    """Papermill notes the folders of this machine in the notebook; readers get the names alone."""
    import nbformat

    for key in ("input_path", "output_path"):
        notebook.metadata.papermill[key] = Path(notebook.metadata.papermill[key]).name
    nbformat.write(notebook, executed)


def _keep_failed(job: Job, stage: Path) -> tuple[str, ...]:
    executed = stage / f"{job.page.slug}.ipynb"
    kept = f"{job.page.slug}.failed.ipynb"
    if not executed.exists():
        return ()
    executed.replace(stage / kept)
    return (kept,)


def obey_the_parent(folder: str) -> None:
    """At the start of a worker process of ours: leave Ctrl-C and the end of the terminal to the parent; leave in order,
    with an end to the kernel, when the parent says so or has gone.

    folder: for temporary files, which the parent removes.
    """
    tempfile.tempdir = folder
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.signal(signal.SIGHUP, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT, signal.SIGHUP])
    threading.Thread(target=_watch_the_parent, daemon=True).start()
    signal.signal(signal.SIGTERM, _be_told_to_leave)


class _Orders:
    """Whether the process is in the midst of a call, and whether it was told to leave."""

    busy = told = False


def obediently(function: Callable, *arguments, **options):
    """Call the function in such a process, which leaves at once if it is told to.

    Between calls it does not: the parent would wait for ever for the rest of a result that is being handed back, and
    ends a process that has nothing to do without a signal.
    """
    _Orders.busy = True
    try:
        if _Orders.told:
            leaving.leave()
        return function(*arguments, **options)
    finally:
        _Orders.busy = False


def _be_told_to_leave(*_: object) -> None:
    _Orders.told = True
    if _Orders.busy:
        leaving.leave()


def _watch_the_parent() -> None:
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    leaving.leave(orphaned=True)
