"""Make a set of pages: hand them to workers, publish what is whole, report what failed."""

import contextlib
import multiprocessing
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from .index import index_html
from .page import Outcome, Page

CELL_TIMEOUT = 1800  # seconds
LEAVE_TIMEOUT = 10  # seconds that an interrupted worker has to end its kernel


@dataclass(frozen=True)
class Job:
    """All that a worker needs for one page; `stage` is where it writes."""

    page: Page
    stage: Path
    working_folder: Path
    provenance: Mapping
    cell_timeout: int


@dataclass(frozen=True)
class Result:
    """What a worker hands back: the outcome, and the names of the files in `stage` to publish, in order."""

    outcome: Outcome
    files: tuple[str, ...]


def make_pages(
    pages: Iterable[Page],
    out: Path,
    provenance: Mapping,
    workers: int = 2,
    executor: Executor | None = None,
    cell_timeout: int = CELL_TIMEOUT,
) -> list[Outcome]:
    """Make the pages and their index in the folder `out`; the outcomes come in the order of the pages.

    provenance: as `nofcore.report.provenance.collect` gives it.
    workers: processes to run, unless an executor is given. An executor on other machines needs `out` and the
        notebooks under the same paths there.
    cell_timeout: seconds allowed to one cell of a notebook.

    A page that fails does not stop the others: its outcome says why, the notebook is kept as
    `<slug>.failed.ipynb` and an earlier page of the name stays. Files appear in `out` only when they are
    whole, and a run that is interrupted leaves the pages that were finished and nothing else.
    Raises ValueError before anything runs if two pages share a name or a parameter is not declared.
    """
    pages = list(pages)
    _refuse_repeated(pages)
    out = Path(out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    with _stage(out) as stage:
        jobs = [Job(page, stage / page.slug, Path.cwd(), provenance, cell_timeout) for page in pages]
        with _workers(min(workers, len(pages)), executor) as pool:
            _refuse_undeclared(pool, pages)
            futures = {pool.submit(make_page, job): job for job in jobs}
            results = {done: _publish(done, futures[done], out) for done in as_completed(futures)}
        outcomes = [results[future] for future in futures]
        (stage / "index.html").write_text(index_html(outcomes, out, provenance), encoding="utf-8")
        (stage / "index.html").replace(out / "index.html")
    return outcomes


@contextlib.contextmanager
def _stage(out: Path) -> Iterator[Path]:
    """A folder beside the pages, gone afterwards. After an interruption a kernel may still be writing to it for
    a moment, so that removing it can take more than one try."""
    folder = Path(tempfile.mkdtemp(dir=out, prefix=".making-"))
    try:
        yield folder
    finally:
        for _ in range(50):
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break
            time.sleep(0.1)


def _refuse_repeated(pages: list[Page]) -> None:
    slugs = [page.slug for page in pages]
    repeated = sorted({slug for slug in slugs if slugs.count(slug) > 1})
    if repeated:
        raise ValueError(f"several pages are called {', '.join(repeated)}")


def _refuse_undeclared(pool: Executor, pages: list[Page]) -> None:
    """Papermill only logs a misspelt parameter and runs on with the default; here it is an error."""
    asked = [pool.submit(undeclared_parameters, page.notebook.resolve(), list(page.parameters)) for page in pages]
    for page, future in zip(pages, asked, strict=True):
        unknown, declared = future.result()
        if unknown:
            raise ValueError(
                f"page {page.slug}: {page.notebook.name} has no parameter {', '.join(unknown)}; "
                f"it declares {', '.join(declared) or 'none'}"
            )


def undeclared_parameters(notebook: Path, names: list[str]) -> tuple[list[str], list[str]]:
    """In a worker: see `execute.undeclared`. Papermill is imported here so that the caller need not."""
    from .execute import undeclared

    return undeclared(notebook, names)


def make_page(job: Job) -> Result:
    """In a worker: execute and convert one page into its stage folder. A failure is returned, not raised."""
    from .execute import one_line

    start = time.perf_counter()
    job.stage.mkdir()
    try:
        headline, files = _make(job)
    except SystemExit:  # see _leave: everything is cleaned up, and the pool must not go on to the next job
        os._exit(1)
    except Exception as error:
        kept = _keep_failed(job)
        line = one_line(error) + (f"; see {kept[0]}" if kept else "")
        return Result(Outcome(job.page, False, time.perf_counter() - start, line), kept)
    return Result(Outcome(job.page, True, time.perf_counter() - start, None, headline), files)


def _make(job: Job) -> tuple[dict | None, tuple[str, ...]]:
    from .convert import convert
    from .execute import execute
    from .headline import read_headline

    slug = job.page.slug
    executed = job.stage / f"{slug}.ipynb"
    notebook = execute(
        job.page.notebook.resolve(),
        executed,
        job.page.parameters,
        working_folder=job.working_folder,
        cell_timeout=job.cell_timeout,
    )
    _forget_paths(notebook, executed)
    headline = read_headline(notebook)
    downloads = tuple(headline["facts"].get("downloads", ())) if headline else ()
    _check_downloads(downloads, job)
    html = convert(notebook, job.page, headline, job.provenance)
    (job.stage / f"{slug}.html").write_text(html, encoding="utf-8")
    return headline, (*downloads, executed.name, f"{slug}.html")


def _check_downloads(downloads: tuple[str, ...], job: Job) -> None:
    """The files must be there, and be named after their page so that no two pages write the same one."""
    for name in downloads:
        if not name.startswith((f"{job.page.slug}-", f"{job.page.slug}.")):
            raise ValueError(f"download {name}: the name must begin with {job.page.slug}")
        if not (job.stage / name).is_file():
            raise FileNotFoundError(f"download {name}: the notebook has not written it")


def _forget_paths(notebook, executed: Path) -> None:
    """Papermill notes the folders of this machine in the notebook; readers get the names alone."""
    import nbformat

    for key in ("input_path", "output_path"):
        notebook.metadata.papermill[key] = Path(notebook.metadata.papermill[key]).name
    nbformat.write(notebook, executed)


def _keep_failed(job: Job) -> tuple[str, ...]:
    executed = job.stage / f"{job.page.slug}.ipynb"
    kept = f"{job.page.slug}.failed.ipynb"
    if not executed.exists():
        return ()
    executed.replace(job.stage / kept)
    return (kept,)


def _publish(future: Future, job: Job, out: Path) -> Outcome:
    """Move the files of a finished page to their place; the HTML comes last, as it links to the others."""
    try:
        result = future.result()
    except Exception as error:  # the worker itself died, for example for want of memory
        return Outcome(job.page, False, 0.0, f"{type(error).__name__}: {error}")
    for name in result.files:
        (job.stage / name).replace(out / name)
    if result.outcome.ok:
        (out / f"{job.page.slug}.failed.ipynb").unlink(missing_ok=True)
    return result.outcome


@contextlib.contextmanager
def _workers(count: int, executor: Executor | None) -> Iterator[Executor]:
    """The executor given, or a pool of processes that ends with the block, at once if that is interrupted."""
    if executor is not None:
        yield executor
        return
    context = _start_method()
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(max(count, 1), context, initializer=_obey_the_parent)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        ours = set(multiprocessing.active_children()) - others
        for process in ours:
            process.terminate()
        for process in ours:
            process.join(LEAVE_TIMEOUT)
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_method() -> multiprocessing.context.BaseContext:
    """Workers forked from a server that has imported papermill and nbconvert; else fresh ones."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"{__package__}.execute", f"{__package__}.convert"])
    return context


def _obey_the_parent() -> None:
    """In a worker: leave Ctrl-C to the parent, and let its signal to end run the clean-up of the kernel."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)


def _leave(*_: object) -> None:
    raise SystemExit(1)
