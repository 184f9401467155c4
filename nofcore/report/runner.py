"""Make a set of pages: keep what is up to date, hand the rest to workers, publish what is whole, tell the rest."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Executor, Future, as_completed
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from nofcore.errors import InputError, one_line

from . import pool, warm
from .index import index_html
from .page import Outcome, Page
from .publish import open_folder, publish, write_index
from .uptodate import made_from, note, noted
from .worker import Job, declared_parameters, make_page

CELL_TIMEOUT = 1800  # seconds

Tell = Callable[[Outcome], None]
Progress = Callable[[int], AbstractContextManager[Tell]]


class NoIndexError(Exception):
    """The pages are done, but their index could not be written. `outcomes`: what `make_pages` would have returned."""

    def __init__(self, out: Path, outcomes: list[Outcome], error: OSError):
        super().__init__(f"{out}: the index cannot be written ({error.strerror or type(error).__name__})")
        self.outcomes = outcomes


@contextlib.contextmanager
def silent(_: int) -> Iterator[Tell]:
    """Shows no progress."""
    yield lambda outcome: None


def make_pages(
    pages: Iterable[Page],
    out: Path,
    provenance: Mapping,
    workers: int = 2,
    executor: Executor | None = None,
    cell_timeout: int = CELL_TIMEOUT,
    *,
    force: bool = False,
    cold: bool = False,
    progress: Progress = silent,
    prepare: Callable[[list[Page]], None] | None = None,
) -> list[Outcome]:
    """Make the pages and their index in the folder `out`; the outcomes come in the order of the pages.

    provenance: as `nofcore.report.provenance.collect` gives it.
    workers: processes to run, unless an executor is given. The workers of an executor need the kit, the notebooks
        and the files that parameters name under the same paths; they hand back the pages as bytes.
    cell_timeout: seconds allowed to one cell of a notebook.
    force: make pages that are up to date, too; see `nofcore.report.uptodate`.
    cold: start every kernel afresh instead of forking it, which takes longer; see `nofcore.report.warm`.
    progress: called with the number of pages to make; what it gives is called with the outcome of each.
    prepare: called with the pages to make, if there are any, before the first of them.

    A page that fails does not stop the others: its outcome says why, the notebook is kept as
    `<slug>.failed.ipynb` and an earlier page of the name stays. A page appears in `out` only when it is
    whole, and a run that is interrupted leaves the pages that were finished and nothing else.
    Raises InputError before anything runs if two pages share a name or nothing can be written in `out`, ValueError
    if a parameter is not declared, and NoIndexError at the end if the index cannot be written.
    """
    pages = list(pages)
    _refuse_repeated(pages)
    out = open_folder(Path(out))
    origins = {page.slug: made_from(page, provenance) for page in pages}
    outcomes = {} if force else _kept(pages, origins, out)
    jobs = [
        Job(
            page,
            Path.cwd(),
            provenance,
            cell_timeout,
            warm=not cold,
            origin=origins[page.slug] if executor is not None else None,
        )
        for page in pages
        if page.slug not in outcomes
    ]
    with _signals_raise(), progress(len(jobs)) as tell:

        def finish(page: Page, result: Future) -> None:
            outcomes[page.slug] = _publish(page, result, origins[page.slug], out)
            tell(outcomes[page.slug])

        if jobs:
            if prepare:
                prepare([job.page for job in jobs])
            _run(jobs, workers, executor, finish)
        done = [outcomes[page.slug] for page in pages]
        try:
            write_index(index_html(done, out, provenance), out)
        except OSError as error:
            raise NoIndexError(out, done, error) from error
    return done


def _refuse_repeated(pages: list[Page]) -> None:
    slugs = [page.slug for page in pages]
    repeated = sorted({slug for slug in slugs if slugs.count(slug) > 1})
    if repeated:
        raise InputError(f"several pages are called {', '.join(repeated)}; name each page and each trust once")


def _kept(pages: list[Page], origins: Mapping[str, Mapping], out: Path) -> dict[str, Outcome]:
    """The outcomes of the pages that are up to date, by slug."""
    found = {page.slug: noted(page, origins[page.slug], out) for page in pages}
    return {
        page.slug: Outcome(page, True, 0.0, None, found[page.slug]["headline"], kept=True)
        for page in pages
        if found[page.slug]
    }


def _run(jobs: list[Job], workers: int, executor: Executor | None, finish: Callable[[Page, Future], None]) -> None:
    """Have the jobs done; `finish` gets each page as soon as it is made or has failed."""
    with contextlib.ExitStack() as stack:
        if executor is None:
            server = stack.enter_context(warm.serving()) if jobs[0].warm else None
            jobs = [replace(job, server=server, warm=server is not None) for job in jobs]
            executor = stack.enter_context(pool.local(min(workers, len(jobs))))
        _refuse_undeclared(executor, [job.page for job in jobs])
        futures = {executor.submit(make_page, job): job.page for job in jobs}
        for result in as_completed(futures):
            finish(futures.pop(result), result)  # and forget it: the results of all pages together are large


@contextlib.contextmanager
def _signals_raise() -> Iterator[None]:
    """A signal to end, or a terminal that is closed, ends the run in order, as Ctrl-C does; a second one changes nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _: object) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    usual = (signal.SIG_DFL, signal.default_int_handler)
    before = {number: handler for number in numbers if (handler := signal.getsignal(number)) in usual}
    for number in before:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _refuse_undeclared(executor: Executor, pages: list[Page]) -> None:
    """Papermill only logs a misspelt parameter and runs on with the default; here it is an error."""
    books = {notebook: _declared(executor, notebook) for notebook in {page.notebook for page in pages}}
    for page in pages:
        declared = books[page.notebook]
        unknown = [name for name in page.parameters if declared is not None and name not in declared]
        if unknown:
            raise ValueError(
                f"page {page.slug}: {page.notebook.name} has no parameter {', '.join(unknown)}; "
                f"it declares {', '.join(declared) or 'none'}"
            )


def _declared(executor: Executor, notebook: Path) -> list[str] | None:
    """The names in a parameters cell; None if they cannot be read, which the pages of the notebook will say."""
    for _ in range(2):  # the first worker may have died
        with contextlib.suppress(Exception):
            return executor.submit(declared_parameters, notebook.resolve()).result()
    return None


def _publish(page: Page, result: Future, origin: Mapping, out: Path) -> Outcome:
    """Put the files of a page that is done in their place."""
    try:
        made = result.result()
        outcome = made.outcome
        publish(made.files, out, note(page, origin, outcome.headline, made.files) if outcome.ok else None)
    except CancelledError:
        return Outcome(
            page, False, 0.0, "not made, because the workers have gone; start them and run the command again"
        )
    except Exception as error:  # the worker itself died, or the files cannot be written
        return Outcome(page, False, 0.0, f"{type(error).__name__}: {one_line(str(error))}")
    if outcome.ok:
        with contextlib.suppress(OSError):
            (out / f"{page.slug}.failed.ipynb").unlink()
    return outcome
