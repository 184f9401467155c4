"""Running pages: what arrives, what is kept, what is refused."""

import json
import sys
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest

from nofcore.errors import InputError
from nofcore.report import Page, make_pages
from nofcore.report.provenance import collect
from nofcore.report.worker import make_page

from .conftest import PARAMETERS, write_notebook


def test_parameters_arrive_with_value_and_type(run):
    outcomes, out = run
    assert outcomes["good"].ok, outcomes["good"].error
    text = (out / "good.ipynb").read_text()
    assert "types: ['str', 'int', 'float', 'bool', 'NoneType', 'list', 'dict']" in text
    printed = " ".join(str(value) for value in PARAMETERS.values())
    assert json.dumps(f"values: {printed}\n")[1:-1] in text


def test_the_kernel_is_this_interpreter(run):
    assert json.dumps(f"python: {sys.executable}")[1:-1] in (run[1] / "good.ipynb").read_text()


def test_the_outcome_carries_the_headline_and_the_time(run):
    good = run[0]["good"]
    assert good.headline["facts"]["trusts"] == 134
    assert "& is <first>." in good.headline["text"]
    assert good.error is None
    assert 0 < good.seconds < 60


def test_a_failing_page_is_kept_for_inspection_and_harms_no_other(run):
    outcomes, out = run
    assert [slug for slug, outcome in outcomes.items() if outcome.ok] == ["good", "plain"]
    assert outcomes["broken"].error == (
        "ZeroDivisionError: division by zero (cell 2: rate = 1 / 0  # of trusts); see broken.failed.ipynb"
    )
    assert "ZeroDivisionError" in (out / "broken.failed.ipynb").read_text()
    assert "Broken &amp; old" in (out / "broken.html").read_text()
    assert not (out / "broken.ipynb").exists()


def test_an_image_without_a_text_alternative_is_an_error_that_names_the_cell(run):
    outcomes, out = run
    assert "cell 2: an image without a text alternative" in outcomes["unseen"].error
    assert (out / "unseen.failed.ipynb").exists()
    assert not (out / "unseen.html").exists()


def test_a_cell_that_takes_too_long_is_stopped(run):
    assert run[0]["slow"].error.startswith("CellTimeoutError")
    assert run[0]["slow"].seconds < 20


def test_only_finished_files_are_left(run):
    assert sorted(path.name for path in run[1].iterdir()) == [
        ".made",
        "broken.failed.ipynb",
        "broken.html",
        "good",
        "good.html",
        "good.ipynb",
        "index.html",
        "other.html",
        "plain.html",
        "plain.ipynb",
        "slow.failed.ipynb",
        "unseen.failed.ipynb",
    ]
    assert sorted(path.name for path in (run[1] / "good").iterdir()) == ["good-first-part.svg", "good-table.csv"]
    assert sorted(path.name for path in (run[1] / ".made").iterdir()) == ["good.json", "plain.json"]


def test_the_executed_notebook_names_no_folder(run):
    notebook = json.loads((run[1] / "good.ipynb").read_text())
    assert notebook["metadata"]["papermill"]["input_path"] == "good.ipynb"
    assert notebook["metadata"]["papermill"]["output_path"] == "good.ipynb"


def test_a_misspelt_parameter_is_refused_before_anything_runs(tmp_path):
    book = write_notebook(tmp_path / "book.ipynb", "1 / 0", parameters="draws = 1\nseed = 2")
    with pytest.raises(ValueError, match=r"page p: book\.ipynb has no parameter drwas; it declares draws, seed"):
        make_pages([Page("p", book, "T", "G", {"drwas": 5})], tmp_path / "out", collect())
    assert list((tmp_path / "out").iterdir()) == []


def test_a_notebook_that_cannot_be_read_fails_its_pages_alone(tmp_path):
    (tmp_path / "bad.ipynb").write_text("no notebook")
    good = write_notebook(tmp_path / "good.ipynb", "print('done')", parameters="n = 1")
    pages = [Page("bad", tmp_path / "bad.ipynb", "T", "G", {"n": 2}), Page("good", good, "T", "G", {"n": 2})]
    bad, good = make_pages(pages, tmp_path / "out", collect())
    assert "JSON" in bad.error
    assert good.ok, good.error


class Dying(ThreadPoolExecutor):
    """Its first worker dies."""

    died = False

    def submit(self, function, *arguments):
        if not self.died:
            self.died = True
            return super().submit(self.die)
        return super().submit(function, *arguments)

    @staticmethod
    def die():
        raise BrokenProcessPool("killed")


def test_a_first_worker_that_dies_does_not_end_the_run(tmp_path):
    book = write_notebook(tmp_path / "book.ipynb", "1", parameters="draws = 1")
    with Dying(1) as executor, pytest.raises(ValueError, match="no parameter drwas"):
        make_pages([Page("p", book, "T", "G", {"drwas": 5})], tmp_path / "out", collect(), executor=executor)
    assert executor.died


class Deserted(ThreadPoolExecutor):
    """Its workers read a notebook, and go before they have made a page."""

    def submit(self, function, /, *arguments, **options):
        if function is not make_page:
            return super().submit(function, *arguments, **options)
        future = Future()
        future.cancel()
        future.set_running_or_notify_cancel()
        return future


def test_workers_that_go_are_named_as_the_cause(tmp_path):
    page = Page("one", write_notebook(tmp_path / "one.ipynb", "x = 1"), "One", "Group", {})
    with Deserted(1) as executor:
        (outcome,) = make_pages([page], tmp_path / "out", collect(), executor=executor)
    assert outcome.error == "not made, because the workers have gone; start them and run the command again"


def test_two_pages_of_one_name_are_refused(tmp_path):
    page = Page("p", tmp_path / "book.ipynb", "T", "G")
    with pytest.raises(InputError, match="several pages are called p; name each page and each trust once"):
        make_pages([page, page], tmp_path / "out", collect())


def test_any_executor_serves(tmp_path):
    book = write_notebook(tmp_path / "book.ipynb", "print('done')")
    with ProcessPoolExecutor(1) as pool:
        outcomes = make_pages([Page("p", book, "T", "G")], tmp_path / "out", collect(), executor=pool)
    assert outcomes[0].ok, outcomes[0].error


def test_a_download_must_exist_and_bear_the_name_of_its_page(tmp_path):
    cell = "from nofcore.report import Headline\nHeadline('x', {{'downloads': ['{}']}})"
    pages = [
        Page("absent", write_notebook(tmp_path / "a.ipynb", cell.format("absent-table.csv")), "T", "G"),
        Page("foreign", write_notebook(tmp_path / "b.ipynb", cell.format("absent.html")), "T", "G"),
    ]
    absent, foreign = make_pages(pages, tmp_path / "out", collect())
    assert "has not written it" in absent.error
    assert "must begin with foreign" in foreign.error
