"""What is up to date is kept; whatever changes behind a page, it is made again."""

import contextlib
import json
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from nofcore.report import Page, make_pages, publish, uptodate
from nofcore.report.provenance import sha256
from nofcore.report.worker import make_page

from .printer import Printer

EARLIER, LATER = "2025-01-02T03:04:05Z", "2026-02-03T04:05:06Z"
PROVENANCE = {
    "inputs": [{"name": "scores.csv", "sha256": "12"}],
    "framework": {"name": "2025-26.toml", "sha256": "34"},
    "packages": {"numpy": "2.4", "nofcore": "0.1"},
    "python": "3.11.7",
    "git": {"commit": "ab", "changed": False},
    "time": EARLIER,
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with two pages, `a` and `b`, made earlier."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.ipynb").write_text("a notebook")
    (tmp_path / "weights.csv").write_text("1,2")
    assert run(tmp_path).made == ["a", "b"]
    return tmp_path


def run(folder, provenance=PROVENANCE, title="T", force=False, **parameters) -> Printer:
    """Ask for the pages; the executor tells which were made."""
    parameters = {"trust": "RJ1", "files": ["weights.csv", "x" * 5000]} | parameters
    pages = [Page(slug, folder / "book.ipynb", title, "G", parameters) for slug in "ab"]
    printer = Printer(word=provenance["time"])
    outcomes = make_pages(pages, folder / "out", provenance, executor=printer, force=force)
    assert [outcome.page.slug for outcome in outcomes] == ["a", "b"]
    assert [outcome.page.slug for outcome in outcomes if not outcome.kept] == printer.made
    assert all(outcome.ok for outcome in outcomes)
    return printer


def test_nothing_is_made_again_when_nothing_has_changed(folder):
    files = [path for path in (folder / "out").iterdir() if path.is_file() and path.stem != "index"]
    before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}
    assert run(folder).made == []
    assert len(before) == 6
    assert {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files} == before


def test_the_index_lists_what_was_kept_with_its_headline(folder):
    (folder / "out" / "b.html").unlink()
    run(folder, PROVENANCE | {"time": LATER})
    index = " ".join((folder / "out" / "index.html").read_text().split())
    assert "1 page made on" in index
    assert "; 1 kept from earlier runs, as nothing behind it has changed." in index
    for slug in "ab":
        assert f'<a href="{slug}.html">' in index
        assert f"All about {slug}." in index
        assert f'<a href="{slug}.html#files"' in index
    assert "From an earlier run" not in index


@pytest.mark.parametrize(
    "change",
    [
        {"trust": "RAA"},
        {"trust": None},
        {"trust": 1},
        {"trust": 1.0},
        {"trust": True},
        {"title": "Another"},
        {"provenance": PROVENANCE | {"inputs": [{"name": "scores.csv", "sha256": "13"}]}},
        {"provenance": PROVENANCE | {"framework": None}},
        {"provenance": PROVENANCE | {"packages": {"numpy": "2.5", "nofcore": "0.1"}}},
        {"provenance": PROVENANCE | {"python": "3.12.1"}},
        {"force": True},
    ],
)
def test_a_change_in_what_is_asked_for_makes_the_pages_again(change, folder):
    assert run(folder, **change).made == ["a", "b"]
    if "force" not in change:
        assert run(folder, **change).made == []
        assert run(folder).made == ["a", "b"]


@pytest.mark.parametrize("name", ["book.ipynb", "weights.csv"])
def test_a_change_in_a_file_behind_the_pages_makes_them_again(name, folder):
    (folder / name).write_text("other")
    assert run(folder).made == ["a", "b"]
    assert run(folder).made == []


def test_a_change_in_the_kit_makes_the_pages_again(folder, monkeypatch):
    monkeypatch.setattr(uptodate, "sources", lambda: "other")
    assert run(folder).made == ["a", "b"]


@pytest.mark.parametrize(
    "provenance",
    [
        PROVENANCE | {"time": LATER},
        PROVENANCE | {"git": None},
        PROVENANCE | {"git": {"commit": "cd", "changed": True}},
    ],
)
def test_neither_time_nor_commit_make_a_page_again_and_it_keeps_its_own(provenance, folder):
    assert run(folder, provenance).made == []
    assert EARLIER in (folder / "out" / "a.html").read_text()


@pytest.mark.parametrize("name", ["a.html", "a.ipynb", "a-table.csv", ".made/a.json"])
@pytest.mark.parametrize("spoil", ["remove", "append", "empty"])
def test_a_page_whose_files_are_not_as_they_were_written_is_made_again(name, spoil, folder):
    path = folder / "out" / name
    whole = path.read_bytes()
    if spoil == "remove":
        path.unlink()
    else:
        path.write_bytes(whole + b"{" if spoil == "append" else b"")
    assert run(folder).made == ["a"]
    assert path.read_bytes() == whole


@pytest.mark.parametrize("note", ["[]", "1", '{"made_from": 1}', '{"files": []}', "null"])
def test_a_note_that_is_not_ours_is_no_error(note, folder):
    (folder / "out" / ".made" / "a.json").write_text(note)
    assert run(folder).made == ["a"]


@pytest.mark.parametrize("change", [{"files": {}}, {"headline": None}])
def test_a_note_that_does_not_name_the_page_or_its_headline_keeps_nothing(change, folder):
    path = folder / "out" / ".made" / "a.json"
    note = json.loads(path.read_text()) | change
    if "headline" in change:
        del note["headline"]
    path.write_text(json.dumps(note))
    assert run(folder).made == ["a"]


@pytest.mark.parametrize("package", ["great-tables", "jinja2", "python"])
def test_another_version_of_any_package_of_the_kit_makes_the_pages_again(package, folder, monkeypatch):
    software = uptodate.software()
    assert package in software
    monkeypatch.setattr(uptodate, "software", lambda: software | {package: "0"})
    assert run(folder).made == ["a", "b"]


def test_a_worker_elsewhere_with_another_notebook_makes_no_page(folder):
    class Elsewhere(Printer):
        """Its notebook is another."""

        def submit(self, function, job):
            if function is not make_page:
                return super().submit(function, job)
            (folder / "book.ipynb").write_text("another notebook")
            future = Future()
            future.set_result(function(job))
            return future

    page = Page("c", folder / "book.ipynb", "T", "G")
    (outcome,) = make_pages([page], folder / "out", PROVENANCE, executor=Elsewhere(), cold=True)
    assert outcome.error == (
        "RuntimeError: this worker has another notebook; install the same there and restart the workers"
    )


def test_an_earlier_page_of_other_parameters_gives_way(folder):
    run(folder, PROVENANCE | {"time": LATER}, trust="RAA")
    assert LATER in (folder / "out" / "a.html").read_text()
    assert json.loads((folder / "out" / ".made" / "a.json").read_text())["made_from"]["parameters"]["trust"] == "RAA"


def test_the_hash_of_the_kit_tells_every_file_but_not_what_python_leaves(tmp_path):
    seen = set()
    for name, text in (("a.py", "1"), ("a.py", "2"), ("b.py", "2"), ("template/x.j2", ""), ("rules/2025.toml", "")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
        seen.add(uptodate.sources.__wrapped__(tmp_path))
    assert len(seen) == 5
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("x")
    (tmp_path / ".a.py.swp").write_text("x")
    assert uptodate.sources.__wrapped__(tmp_path) in seen
    (tmp_path / "b.py").rename(tmp_path / "c.py")
    assert uptodate.sources.__wrapped__(tmp_path) not in seen


def test_failures_are_isolated_told_and_done_again(tmp_path):
    (tmp_path / "book.ipynb").write_text("a notebook")
    pages = [Page(slug, tmp_path / "book.ipynb", "T", "G") for slug in ("bad", "good", "dead")]
    for made in (["bad", "good"], ["bad"]):
        printer = Printer()
        bad, good, dead = make_pages(pages, tmp_path / "out", PROVENANCE, executor=printer)
        assert printer.made == made
        assert bad.error == "ValueError: no luck; see bad.failed.ipynb"
        assert dead.error == "RuntimeError: the worker has gone"
        assert good.ok
        assert sorted(path.name for path in (tmp_path / "out" / ".made").iterdir()) == ["good.json"]


@pytest.mark.parametrize("name", ["../x.html", "a/b/c.csv", "/tmp/x", "..", "."])
def test_nothing_is_published_outside_the_folder(name, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(ValueError, match="is not the name of a file"):
        publish.publish({"a.csv": b"1", name: b"2"}, out)
    assert [path.name for path in tmp_path.rglob("*")] == ["out", ".made"]


def test_a_page_that_cannot_be_written_fails_and_leaves_the_earlier_one(folder, monkeypatch):
    before = sha256(folder / "out" / "a.html")

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publish.Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        publish.publish({"a.html": b"x"}, folder / "out")
    assert sha256(folder / "out" / "a.html") == before
    assert sorted(path.name for path in (folder / "out" / ".made").iterdir()) == ["a.json", "b.json"]


def test_what_a_killed_run_left_is_taken_away_in_the_end(folder):
    part = folder / "out" / ".made" / "0123.part"
    part.write_text("half")
    run(folder)
    assert not part.exists()


def test_where_nothing_can_be_locked_only_what_is_old_is_taken_away(folder, monkeypatch):
    monkeypatch.setattr(publish, "fcntl", None)
    part = folder / "out" / ".made" / "0123.part"
    part.write_text("half")
    run(folder)
    assert part.exists()  # another run may be writing it
    os.utime(part, (0, 0))
    run(folder)
    assert not part.exists()


@pytest.mark.skipif(publish.fcntl is None, reason="folders cannot be locked on this system")
def test_two_runs_do_not_publish_at_the_same_time(folder):
    lock = os.open(folder / "out" / ".made", os.O_RDONLY)
    publish.fcntl.flock(lock, publish.fcntl.LOCK_EX)
    with ThreadPoolExecutor() as thread:
        other = thread.submit(publish.publish, {"a-table.csv": b"theirs", "a.html": b"theirs"}, folder / "out")
        time.sleep(0.2)
        assert not other.done()
        assert (folder / "out" / "a-table.csv").read_text() == EARLIER
        os.close(lock)
        other.result(timeout=20)
    assert (folder / "out" / "a-table.csv").read_text() == "theirs"


class Stopped(BaseException):
    """The process is dead: it does nothing any more."""


@pytest.mark.parametrize("step", range(14))
def test_a_page_is_whole_or_absent_wherever_its_publication_stops(step, tmp_path, monkeypatch):
    names = ("a-table.csv", "a.ipynb", "a.html")
    note = ("a.json", b"{}")
    publish.publish(dict.fromkeys(names, b"old page"), tmp_path, note)
    steps = iter(range(100))

    def dying(name):
        do = getattr(Path, name)

        def call(path, *arguments, **options):
            now = next(steps)
            if now == step and name == "write_bytes":
                do(path, arguments[0][:4])
            if now >= step:
                raise Stopped
            return do(path, *arguments, **options)

        return call

    with monkeypatch.context() as patched, contextlib.suppress(Stopped):
        for name in ("write_bytes", "replace", "unlink"):
            patched.setattr(Path, name, dying(name))
        publish.publish(dict.fromkeys(names, b"new page"), tmp_path, note)
    if (tmp_path / "a.html").exists():
        assert {(tmp_path / name).read_bytes() for name in names} == ({b"old page"} if step <= 4 else {b"new page"})
    else:
        assert step in (5, 6, 7)  # between the removal of the earlier page and the last move
