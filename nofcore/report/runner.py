"""Make a set of pages: keep what is up to date, hand the rest to workers, publish what is whole, tell the rest."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future, as_completed
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from nofcore.errors import one_line

from . import pool, warm
from .index import index_html
from .page import Outcome, Page
from .publish import publish, remove_stale, write_index
from .uptodate import made_from, note, noted, sources
from .worker import Job, declared_parameters, make_page

CELL_TIMEOUT = 1800  # seconds

Tell = Callable[[Outcome], None]
Progress = Callable[[int], AbstractContextManager[Tell]]


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
    Raises ValueError before anything runs if two pages share a name or a parameter is not declared.
    """
    pages = list(pages)
    _refuse_repeated(pages)
    out = Path(out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    remove_stale(out)
    origins = {page.slug: made_from(page, provenance) for page in pages}
    outcomes = {} if force else _kept(pages, origins, out)
    jobs = [
        Job(page, Path.cwd(), provenance, cell_timeout, warm=not cold) for page in pages if page.slug not in outcomes
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
    write_index(index_html(done, out, provenance), out)
    return done


def _refuse_repeated(pages: list[Page]) -> None:
    slugs = [page.slug for page in pages]
    repeated = sorted({slug for slug in slugs if slugs.count(slug) > 1})
    if repeated:
        raise ValueError(f"several pages are called {', '.join(repeated)}")


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
        if executor is not None:
            common = {"sources": sources()}
        else:
            server = stack.enter_context(warm.serving()) if jobs[0].warm else None
            common = {"server": server, "warm": server is not None}
            executor = stack.enter_context(pool.local(min(workers, len(jobs))))
        _refuse_undeclared(executor, [job.page for job in jobs])
        futures = {executor.submit(make_page, replace(job, **common)): job.page for job in jobs}
        for result in as_completed(futures):
            finish(futures.pop(result), result)  # and forget it: the results of all pages together are large


@contextlib.contextmanager
def _signals_raise() -> Iterator[None]:
    """A signal to end, or a terminal that is closed, ends the run in order, as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    default = [number for name in names if signal.getsignal(number := getattr(signal, name)) is signal.SIG_DFL]
    for number in default:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in default:
            signal.signal(number, signal.SIG_DFL)


def _refuse_undeclared(executor: Executor, pages: list[Page]) -> None:
    """Papermill only logs a misspelt parameter and runs on with the default; here it is an error."""
    books = {page.notebook: executor.submit(declared_parameters, page.notebook.resolve()) for page in pages}
    for page in pages:
        declared = books[page.notebook].result()
        unknown = [name for name in page.parameters if name not in declared]
        if unknown:
            raise ValueError(
                f"page {page.slug}: {page.notebook.name} has no parameter {', '.join(unknown)}; "
                f"it declares {', '.join(declared) or 'none'}"
            )


def _publish(page: Page, result: Future, origin: Mapping, out: Path) -> Outcome:
    """Put the files of a page that is done in their place."""
    try:
        made = result.result()
        outcome = made.outcome
        publish(made.files, out, note(page, origin, outcome.headline, made.files) if outcome.ok else None)
    except Exception as error:  # the worker itself died, or the files cannot be written
        return Outcome(page, False, 0.0, f"{type(error).__name__}: {one_line(str(error))}")
    if outcome.ok:
        (out / f"{page.slug}.failed.ipynb").unlink(missing_ok=True)
    return outcome
