"""Make a set of pages: keep what is up to date, hand the rest to workers, publish what is whole, tell the rest."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Executor, Future, as_completed
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from nofcore.errors import InputError, one_line
from nofcore.wording import counted

from . import pool, signals, warm
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
    run = _Run(list(pages), Path(out), provenance, force)
    jobs = run.jobs(cell_timeout, cold, elsewhere=executor is not None)
    with signals.raising(), progress(len(jobs)) as tell, run.indexed():
        if jobs:
            if prepare:
                prepare([job.page for job in jobs])
            _have_done(jobs, workers, executor, lambda page, result: tell(run.publish(page, result)))
    return run.done


class _Run:
    """The pages of a run, and what has become of them so far."""

    def __init__(self, pages: list[Page], out: Path, provenance: Mapping, force: bool):
        _refuse_repeated(pages)
        self._pages, self._provenance = pages, provenance
        self._out = open_folder(out)
        self._origins = {page.slug: made_from(page, provenance) for page in pages}
        self._outcomes = {} if force else _kept(pages, self._origins, self._out)

    def jobs(self, cell_timeout: int, cold: bool, elsewhere: bool) -> list[Job]:
        """What is to be made. elsewhere: by workers that may have other files and software."""
        return [
            Job(
                page,
                Path.cwd(),
                self._provenance,
                cell_timeout,
                warm=not cold,
                origin=self._origins[page.slug] if elsewhere else None,
            )
            for page in self._pages
            if page.slug not in self._outcomes
        ]

    def publish(self, page: Page, result: Future) -> Outcome:
        """Put the files of a page that is done in their place."""
        self._outcomes[page.slug] = outcome = _publish(page, result, self._origins[page.slug], self._out)
        return outcome

    @property
    def done(self) -> list[Outcome]:
        """The outcomes so far, in the order of the pages."""
        return [self._outcomes[page.slug] for page in self._pages if page.slug in self._outcomes]

    @contextlib.contextmanager
    def indexed(self) -> Iterator[None]:
        """Write the index at the end of the block; if that is cut short, of what is there, as every page links to it."""
        try:
            yield
            self._write_index()
        except NoIndexError:
            raise
        except BaseException as stop:
            if isinstance(stop, KeyboardInterrupt | SystemExit):
                stop.add_note(self._finished())
            with contextlib.suppress(Exception):
                if self._outcomes:
                    self._write_index()
            raise

    def _write_index(self) -> None:
        try:
            write_index(index_html(self.done, self._out, self._provenance), self._out)
        except OSError as error:
            raise NoIndexError(self._out, self.done, error) from error

    def _finished(self) -> str:
        whole, asked = sum(outcome.ok for outcome in self.done), len(self._pages)
        rest = ", the next run makes the rest" if whole < asked else ""
        return f"{whole} of {counted(asked, 'page')} finished{rest}"


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


def _have_done(
    jobs: list[Job], workers: int, executor: Executor | None, finish: Callable[[Page, Future], None]
) -> None:
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
            signals.again()


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
