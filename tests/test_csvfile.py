"""CSV text: the place of what is wrong with it, against Python's own decoder."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nofcore import csvfile
from nofcore.csvfile import Column
from nofcore.errors import InputError

PATH = Path("some.csv")


@given(st.binary(max_size=40) | st.text(max_size=20).map(str.encode), st.integers(1, 7))
def test_the_first_byte_that_is_not_utf8_against_python(content, part):
    try:
        content.decode("utf-8")
        expected = None
    except UnicodeDecodeError as error:
        expected = error.start
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csvfile, "_PART", part)
        assert csvfile._not_utf8(content) == expected


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_rows_and_their_lines_do_not_depend_on_how_many_are_read_at_a_time(monkeypatch, size):
    monkeypatch.setattr(csvfile, "_ROWS_AT_ONCE", size)
    content = b'\n a ,b\n1,2\n\n"3\n",4\n , \n,5\n'
    header, rows = csvfile.header_and_rows(content, PATH)
    assert header == ["a", "b"]
    assert [row for some in rows for row in some] == [(3, ["1", "2"]), (5, ["3\n", "4"]), (8, ["", "5"])]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_every_wrong_row_is_told_in_order_however_many_are_read_at_a_time(monkeypatch, size):
    monkeypatch.setattr(csvfile, "_ROWS_AT_ONCE", size)
    _, rows = csvfile.header_and_rows(b'a,b\n1\n2,3\na,b\n,,\n"', PATH)
    with pytest.raises(InputError) as caught:
        list(rows)
    # Line 5 is blank, whatever its length.
    assert [problem.row for problem in caught.value.problems] == [2, 4, 6]


def test_a_judge_is_asked_once_for_each_text():
    (first, second), lines = csvfile.columns([[(2, ["x", "1"]), (3, ["y", "1"])], [(5, ["x", "1"])]], [0, 1])
    asked = []
    assert list(first.each(lambda text: asked.append(text) or text * 2, object)) == ["xx", "yy", "xx"]
    assert asked == ["x", "y"]
    assert list(lines) == [2, 3, 5]
    assert isinstance(second, Column)
    assert second.texts == ["1"]
