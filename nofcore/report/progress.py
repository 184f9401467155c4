"""What a user sees while pages are made, and the table at the end."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

from .page import Outcome

WIDTH = 100
"""Columns of a terminal that does not tell."""


@contextlib.contextmanager
def progress(total: int, stream: TextIO | None = None) -> Iterator[Callable[[Outcome], None]]:
    """Gives a function to call with each page that has been made or has failed, of `total` to be made.

    A terminal shows a bar with the name of the page and the time left; any other stream gets a line a page.
    """
    stream = stream or sys.stderr
    if total and stream.isatty():
        with _bar(total, stream) as tell:
            yield tell
    else:
        yield _lines(total, stream)


@contextlib.contextmanager
def _bar(total: int, stream: TextIO) -> Iterator[Callable[[Outcome], None]]:
    from tqdm import tqdm  # comes with papermill

    form = "{n_fmt}/{total_fmt} |{bar}| {remaining} left  {desc}"
    options = {"dynamic_ncols": True} if os.get_terminal_size(stream.fileno()).columns else {"ncols": WIDTH}
    with tqdm(total=total, file=stream, bar_format=form, smoothing=0, mininterval=0, **options) as bar:

        def tell(outcome: Outcome) -> None:
            if not outcome.ok:
                bar.write(_line(outcome), file=stream)
            bar.set_description_str(outcome.page.slug, refresh=False)
            bar.update()

        yield tell


def _lines(total: int, stream: TextIO) -> Callable[[Outcome], None]:
    done = 0

    def tell(outcome: Outcome) -> None:
        nonlocal done
        done += 1
        print(f"{done}/{total} {_line(outcome)}", file=stream, flush=True)

    return tell


def _line(outcome: Outcome) -> str:
    return f"{outcome.page.slug}: " + (f"{outcome.seconds:.1f} s" if outcome.ok else f"FAILED: {outcome.error}")


def table(outcomes: Sequence[Outcome]) -> str:
    """A line a page: its name, what became of it, seconds, and the reason if it was not made. Failures come last."""
    rows = [(outcome.page.slug, *_result(outcome)) for outcome in sorted(outcomes, key=lambda outcome: not outcome.ok)]
    width = max((len(row[0]) for row in rows), default=0)
    return "\n".join(
        f"{name:{width}}  {result:10}  {seconds:>7}  {reason}".rstrip() for name, result, seconds, reason in rows
    )


def totals(outcomes: Sequence[Outcome]) -> str:
    """How many pages were made, failed and were up to date."""
    kept, failed = sum(outcome.kept for outcome in outcomes), sum(not outcome.ok for outcome in outcomes)
    return f"pages made {len(outcomes) - kept - failed}, failed {failed}, up to date {kept}"


def _result(outcome: Outcome) -> tuple[str, str, str]:
    if not outcome.ok:
        return "FAILED", f"{outcome.seconds:.1f} s", outcome.error
    if outcome.kept:
        return "up to date", "", "nothing behind it has changed"
    return "made", f"{outcome.seconds:.1f} s", ""
