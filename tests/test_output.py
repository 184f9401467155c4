"""Files that a spreadsheet can open without running them, whole or not at all."""

import os

import numpy as np
import pandas as pd
import pytest

from nofcore import output
from nofcore.errors import InputError


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(start):
    assert output.escape_text(f"{start}1+1") == f"'{start}1+1"


@pytest.mark.parametrize("cell", ["Trust", "", "1-2", " =1", "'=1", -1, -1.5, 0, None, True, np.float64(-2.5), pd.NA])
def test_other_cells_stay_as_they_are(cell):
    assert output.escape_text(cell) is cell


def test_a_written_table(tmp_path):
    table = pd.DataFrame(
        {
            "trust_name": ["=HYPERLINK(1)", "A & B <script>", 'say "hi", so'],
            "value": [-1.5, 2.13, np.nan],
            "rank": pd.array([-3, 2, None], dtype="Int64"),
            "mixed": ["-1", -1, None],
            "@column": ["a", "b", "c"],
        }
    )
    output.write_csv(table, tmp_path / "new" / "folder" / "out.csv")
    assert (tmp_path / "new" / "folder" / "out.csv").read_bytes().decode() == (
        "trust_name,value,rank,mixed,'@column\n"
        "'=HYPERLINK(1),-1.5,-3,'-1,a\n"
        "A & B <script>,2.13,2,-1,b\n"
        '"say ""hi"", so",,,,c\n'
    )
    assert table["trust_name"][0] == "=HYPERLINK(1)"  # the table itself is not touched


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old")

    def stop_half_way(aside):
        aside.write_text("half")
        assert path.read_text() == "old"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        output.write_aside(path, stop_half_way)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.csv"]


def test_a_full_disk_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old")

    def fill(aside):
        aside.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\); choose another --out"):
        output.write_aside(path, fill)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.csv"]


def test_a_folder_or_a_pipe_is_not_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(InputError, match=r"cannot be written \(is not a file\)"):
            output.write_aside(tmp_path / name, lambda aside: aside.write_text("new"))
    assert (tmp_path / "folder").is_dir()
    assert (tmp_path / "pipe").is_fifo()


def test_a_file_stands_in_the_way_of_the_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        output.write_aside(tmp_path / "file" / "out.csv", lambda aside: aside.write_text("new"))


def test_through_a_link_the_file_behind_it_is_written(tmp_path):
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    output.write_aside(tmp_path / "link.csv", lambda aside: aside.write_text("new"))
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "new"


def test_links_in_a_circle(tmp_path):
    (tmp_path / "a.csv").symlink_to("b.csv")
    (tmp_path / "b.csv").symlink_to("a.csv")
    with pytest.raises(InputError, match="cannot be written"):
        output.write_aside(tmp_path / "a.csv", lambda aside: aside.write_text("new"))


def test_a_file_is_as_private_as_the_user_s_other_files(tmp_path):
    before = os.umask(0o077)
    try:
        output.write_aside(tmp_path / "out.csv", lambda aside: aside.write_text("new"))
    finally:
        os.umask(before)
    assert (tmp_path / "out.csv").stat().st_mode & 0o777 == 0o600
