"""What a user sees of a run: progress, the table at the end, the exit code."""

import contextlib
import io
import os
import re
import signal
import sys
from dataclasses import replace

import pytest

from nofcore import cli, framework
from nofcore.report import Outcome, Page, make_pages, plan, progress, runner
from nofcore.report.provenance import collect

from .printer import Printer

PAGES = [f"league-table-{slug}-q1-2025-26" for slug in ("acute", "ambulance", "mental-health-and-community")]


def outcome(slug, **what) -> Outcome:
    return Outcome(Page(slug, "book.ipynb", "T", "G"), **({"ok": True, "seconds": 2.34} | what))


FAILED = outcome("bad", ok=False, error="ValueError: no luck")


def test_a_stream_that_is_no_terminal_gets_a_line_a_page():
    stream = io.StringIO()
    with progress.progress(3, stream) as tell:
        tell(outcome("good"))
        assert stream.getvalue() == "1/3 good: 2.3 s\n"  # at once, not at the end
        tell(FAILED)
    assert stream.getvalue() == "1/3 good: 2.3 s\n2/3 bad: FAILED: ValueError: no luck\n"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal as on POSIX")
@pytest.mark.parametrize("columns", [0, 90])
def test_a_terminal_gets_a_bar_with_the_name_and_the_time_left(columns):
    import termios

    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, columns))
    with os.fdopen(slave, "w") as terminal, progress.progress(4, terminal) as tell:
        tell(outcome("the-first-page"))
        tell(FAILED)
        print("END", file=terminal, flush=True)
        shown = b""
        while b"END" not in shown:
            shown += os.read(master, 10_000)
    os.close(master)
    shown = shown.decode().partition("END")[0]
    assert re.search(r"1/4 \|.*\| \d\d:\d\d left  the-first-page", shown), shown
    assert "bad: FAILED: ValueError: no luck\r\n" in shown
    assert re.search(r"2/4 \|.*\| \d\d:\d\d left  bad", shown), shown
    assert max(len(line) for line in re.split("[\r\n]", shown)) <= (columns or progress.WIDTH)


@pytest.mark.parametrize("terminal", [False, True])
def test_nothing_is_shown_where_nothing_is_made(terminal, capsys):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    with progress.progress(0, stream):
        pass
    assert stream.getvalue() == ""


def test_the_table_tells_what_became_of_each_page_failures_last():
    outcomes = [FAILED, outcome("good-page"), outcome("same", seconds=0.0, kept=True)]
    assert progress.table(outcomes).splitlines() == [
        "good-page  made          2.3 s",
        "same       up to date           nothing behind it has changed",
        "bad        FAILED        2.3 s  ValueError: no luck",
    ]
    assert progress.totals(outcomes) == "pages made 1, failed 1, up to date 1"


DECLARED = ("quarter", "trust_type", "trust", "data", "framework")


@pytest.fixture
def report(tmp_path, monkeypatch, capsys):
    """Run `report league_table` with pages that are printed, not made: (exit code, output, errors, pages made)."""

    def run(*options, fails=""):
        printer = Printer(declared=DECLARED)

        def make(pages, out, provenance, workers, executor, **how):
            pages = [replace(page, slug=f"bad-{page.slug}") if page.slug == fails else page for page in pages]
            return make_pages(pages, out, provenance, workers, printer, **how)

        monkeypatch.setattr(plan, "make_pages", make)
        try:
            code = cli.main(["report", "league_table", "--out", str(tmp_path / "out"), *options])
        except SystemExit as stop:
            code = stop.code
        said = capsys.readouterr()
        return code, said.out, said.err, printer.made

    return run


def test_the_command_says_what_was_made_what_failed_and_what_was_kept(report, tmp_path):
    acute, ambulance, community = PAGES
    code, said, errors, made = report(fails=ambulance)
    assert code == 1
    assert made == [acute, f"bad-{ambulance}", community]
    assert len(errors.splitlines()) == 3
    assert f"/3 bad-{ambulance}: FAILED: ValueError: no luck; see bad-{ambulance}.failed.ipynb\n" in errors
    assert said.splitlines()[-2].split()[:2] == [f"bad-{ambulance}", "FAILED"]
    assert said.splitlines()[-1] == f"{tmp_path / 'out' / 'index.html'}: pages made 2, failed 1, up to date 0"
    code, said, errors, made = report()
    assert (code, made) == (0, [ambulance])
    assert errors == f"1/1 {ambulance}: 1.5 s\n"
    assert said.splitlines()[-1].endswith("pages made 1, failed 0, up to date 2")
    code, said, errors, made = report()
    assert (code, made, errors) == (0, [], "")
    code, said, errors, made = report("--force")
    assert (code, made) == (0, PAGES)


def test_a_change_of_the_user_s_own_rules_makes_pages_again(report, tmp_path):
    rules = tmp_path / "rules.toml"
    text = (framework.FOLDER / "2025-26.toml").read_text("utf-8")
    rules.write_text(text, "utf-8")
    assert report("--framework", str(rules))[3] == PAGES
    assert report("--framework", str(rules))[3] == []
    rules.write_text(text + "\n# looked at\n", "utf-8")
    assert report("--framework", str(rules))[3] == PAGES


@pytest.mark.parametrize("where", ["file", "file/below", "x" * 300, "linked"])
def test_a_folder_that_cannot_be_written_to_is_refused_in_one_line_before_anything_runs(where, report, tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "linked").symlink_to(tmp_path / "linked")
    code, said, errors, made = report("--out", str(tmp_path / where))
    assert (code, said, made) == (2, "", [])
    assert re.fullmatch(r"nofcore: error: .*(is a file; --out takes a folder|no page can be written there.*)\n", errors)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "linked"]


def test_where_the_index_cannot_be_written_the_table_is_shown_and_the_run_has_failed(report, monkeypatch):
    def full(html, out):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runner, "write_index", full)
    code, said, errors, made = report()
    assert (code, made) == (1, PAGES)
    assert [line.split()[1] for line in said.splitlines()] == ["made"] * 3
    assert errors.splitlines()[-1].endswith("out: the index cannot be written (No space left on device)")


def test_an_empty_address_is_not_taken_for_none(report):
    pytest.importorskip("distributed")
    assert report("--scheduler", "")[0] == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_is_told_in_one_line_with_what_is_finished(number, report, tmp_path, monkeypatch):
    @contextlib.contextmanager
    def progress(total):
        yield lambda outcome: signal.raise_signal(number)

    monkeypatch.setattr(plan, "progress", progress)
    code, said, errors, _ = report()
    assert (code, said) == (128 + number, "")
    assert errors == "nofcore: interrupted; 1 of 3 pages finished, the next run makes the rest\n"
    (made,) = (tmp_path / "out").glob("league-table-*.html")
    assert f'href="{made.name}"' in (tmp_path / "out" / "index.html").read_text()
    assert signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler)


def test_whatever_cuts_a_run_short_there_is_an_index_of_what_is_finished(tmp_path):
    @contextlib.contextmanager
    def gone(total):
        def tell(outcome):
            raise BrokenPipeError

        yield tell

    (tmp_path / "book.ipynb").touch()
    page = Page("one", tmp_path / "book.ipynb", "T", "G")
    with pytest.raises(BrokenPipeError):
        make_pages([page], tmp_path / "out", collect(), executor=Printer(), progress=gone)
    assert 'href="one.html"' in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.parametrize(
    ("options", "notes"),
    [
        (("--trust", "RX6"), []),
        (("--trust", "RX6", "--trust", "RX7", "rru"), [f"{PAGES[1]} marks one trust, RX6, and not RX7, RRU"]),
        (("--trust", "RX6", "RJ1"), []),
        (
            ("--trust-type", "ambulance", "--trust", "RX6", "RJ1"),
            ["of acute trusts no page is asked for that would mark RJ1"],
        ),
        (("--trust", "ALL"), ["--trust all is for trust_profile; other pages mark one trust, and here none"]),
    ],
)
def test_a_trust_that_no_page_shows_is_told(options, notes, report):
    code, _, errors, _ = report(*options)
    assert code == 0
    assert [line for line in errors.splitlines() if "note" in line] == [f"note: {note}" for note in notes]


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", "a/b"])
@pytest.mark.parametrize("option", ["--trust", "--trust-type", "--quarter"])
def test_a_name_with_folders_is_refused_and_nothing_is_written(option, name, report, tmp_path):
    code, said, errors, made = report(option, name)
    assert (code, said, made) == (2, "", [])
    assert len(errors.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
