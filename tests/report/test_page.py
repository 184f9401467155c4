"""What a page accepts."""

from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from nofcore.report import Headline, Page
from nofcore.report.headline import read_headline

BOOK = Path("book.ipynb")


@pytest.mark.parametrize("slug", ["../x", "a/b", "", "A", "-a", ".a", "a.b", "a b", "a\n", "index"])
def test_a_name_that_could_leave_the_folder_is_refused(slug):
    with pytest.raises(ValueError, match="page name"):
        Page(slug, BOOK, "Title", "Group")


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (np.int64(5), "draws is numpy.int64"),
        (np.float64(0.5), "draws is numpy.float64"),
        (np.bool_(True), "draws is numpy.bool"),
        ([1, np.int64(5)], r"draws\[1\] is numpy.int64"),
        ({"a": (1, 2)}, r"draws\['a'\] is builtins.tuple"),
        ({1: "a"}, "draws: key 1 is int"),
        (Path("x"), "draws is pathlib"),
    ],
)
def test_a_parameter_that_would_arrive_changed_is_refused(value, place):
    with pytest.raises(TypeError, match=f"page p: parameter {place}"):
        Page("p", BOOK, "Title", "Group", {"draws": value})


def test_a_headline_with_files_and_what_they_hold_comes_back_from_a_notebook():
    headline = Headline("Text", {"n": 1, "downloads": {"p-a.csv": "All of a"}})
    output = new_output("display_data", headline._repr_mimebundle_())
    book = nbformat.reads(nbformat.writes(new_notebook(cells=[new_code_cell("x", outputs=[output])])), 4)
    assert read_headline(book) == {"text": "Text", "facts": {"n": 1, "downloads": {"p-a.csv": "All of a"}}}


def test_a_headline_takes_plain_facts_and_safe_downloads_only():
    with pytest.raises(TypeError, match=r"headline facts\['n'\] is numpy.int64"):
        Headline("Text", {"n": np.int64(1)})
    with pytest.raises(ValueError, match="without folders"):
        Headline("Text", {"downloads": ["../../etc/passwd"]})
    assert '<p class="lead">a &lt;b&gt; &amp; c</p>' in Headline("a <b> & c")._repr_mimebundle_()["text/html"]
