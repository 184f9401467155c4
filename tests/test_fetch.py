"""Downloads, against a server on this machine that behaves in every way a server can. No outside network is used."""

import contextlib
import hashlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nofcore import catalogue, cli, download, fetch, ledger, release
from nofcore.download import Patience
from nofcore.errors import InputError
from tests import makers
from tests.makers import AMBULANCE, Q1, Q2

QUARTER = "Q1 2025/26"
PAGE = "https://example.org/league-tables"
DATA = makers.content(makers.data_rows(types=[AMBULANCE]))
TABLE = makers.content(makers.league_rows(types=[AMBULANCE]))
CHANGED = makers.content(makers.data_rows(types=[AMBULANCE]), shuffle=1)
HTML = b"<!DOCTYPE html><html><body>We are sorry</body></html>"
NAME = "ambulance-data.csv"
HASTY = Patience(connect=1, no_data=0.3, pauses=(0.01, 0.02))


# --- the server -----------------------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked.append((self.path, dict(self.headers)))
        steps = server.steps[self.path]
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        with contextlib.suppress(ConnectionError):
            step(self)

    def log_message(self, *_):
        pass


def send(handler, content, status=200, length=None, **headers):
    handler.send_response(status)
    for name, text in headers.items():
        handler.send_header(name.replace("_", "-"), text)
    handler.send_header("Content-Length", str(len(content) if length is None else length))
    handler.end_headers()
    handler.wfile.write(content)


def ok(content, **headers):
    return lambda handler: send(handler, content, **headers)


def status(number, content=b"no"):
    return lambda handler: send(handler, content, number)


def redirect(to):
    return lambda handler: send(handler, b"", 302, Location=to)


def slow(content, pieces, pause):
    """The whole file, in pieces with a pause before each."""

    def step(handler):
        send(handler, b"", length=len(content))
        size = len(content) // pieces + 1
        for start in range(0, len(content), size):
            time.sleep(pause)
            handler.wfile.write(content[start : start + size])
            handler.wfile.flush()

    return step


def stall(handler):
    """A part of the file, then nothing for longer than anyone waits."""
    send(handler, DATA[:1000], length=len(DATA))
    handler.wfile.flush()
    handler.server.closing.wait(10)


def without_length(content):
    """The end of the connection is the end of the file."""

    def step(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(content)

    return step


def with_header(content, name, text):
    """An answer with one header that says how it ends, spelt as given."""

    def step(handler):
        handler.send_response(200)
        handler.send_header(name, text)
        handler.end_headers()
        handler.wfile.write(content)

    return step


def in_chunks(content, name):
    """The file in one chunk, and the chunk that ends it."""
    step = with_header(b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content), name, "chunked")

    def as_http_1_1(handler):
        handler.protocol_version = "HTTP/1.1"
        step(handler)
        handler.close_connection = True

    return as_http_1_1


def versioned(content, etag):
    """A server that knows whether the file has changed."""

    def step(handler):
        if handler.headers.get("If-None-Match") == etag:
            handler.send_response(304)
            handler.end_headers()
        else:
            send(handler, content, ETag=etag)

    return step


def trickle(handler):
    """A byte now and then, for ever."""
    send(handler, b"", length=len(DATA))
    while not handler.server.closing.wait(0.05):
        handler.wfile.write(b"R")
        handler.wfile.flush()


def trickle_of_headers(handler):
    """An answer that never comes to its file."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not handler.server.closing.wait(0.05):
        handler.wfile.write(b"x")
        handler.wfile.flush()


@pytest.fixture
def server():
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.asked, httpd.steps, httpd.closing = [], {}, threading.Event()
    httpd.address = f"http://127.0.0.1:{httpd.server_port}/"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield httpd
    httpd.closing.set()
    httpd.shutdown()
    httpd.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def only_this_machine(monkeypatch, tmp_path):
    """Any other host than this one has no address; the cache is a folder of the test's own."""
    asked = socket.getaddrinfo

    def known(host, *arguments, **options):
        if host not in ("127.0.0.1", "localhost"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return asked(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", known)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def listed(folder, *files, **options):
    return catalogue.Listed(quarter=QUARTER, folder=folder, files=files or (NAME,), **options)


@pytest.fixture
def get(server, tmp_path):
    """Fetch files by the steps of the server; gives what became of them, the lines told and those warned."""

    def run(*steps, files=(NAME,), folder=server.address, to=tmp_path / "to", patience=HASTY, **options):
        if steps:
            server.steps[f"/{NAME}"] = list(steps)
        told, warned = [], []
        try:
            found = fetch.fetch(
                listed(folder, *files, **options), PAGE, to, patience=patience, tell=told.append, warn=warned.append
            )
        finally:
            assert not list(to.glob(".nofcore-fetch-*.part")), "a part is left behind"
        return found, told, warned

    return run


def failed(get, *arguments, **options):
    """The one line of a fetch that cannot be done; it must name the page and the folder."""
    with pytest.raises(InputError) as caught:
        get(*arguments, **options)
    line = str(caught.value)
    assert "\n" not in line
    assert f"open {PAGE}" in line
    return line


def sha(content):
    return hashlib.sha256(content).hexdigest()


def record(folder):
    return json.loads((folder / ledger.RECORD).read_text("utf-8"))


def csv_files(folder):
    return sorted(path.name for path in folder.glob("*.csv"))


# --- what arrives ---------------------------------------------------------------------------------------


def test_a_file_arrives_as_it_was_sent_and_its_hash_is_noted(get, tmp_path):
    (found,), told, warned = get(ok(DATA))
    assert found.outcome == "new"
    assert (tmp_path / "to" / NAME).read_bytes() == DATA
    noted = record(tmp_path / "to")[NAME]
    assert noted["sha256"] == sha(DATA)
    assert noted["size"] == len(DATA)
    assert f"{len(DATA):,} bytes, SHA-256 {sha(DATA)[:16]}" in told[0]
    assert not warned


def test_the_folder_can_be_read_as_data(get, server, tmp_path, archive):
    server.steps["/ambulance-league-table.csv"] = [ok(TABLE)]
    get(ok(DATA), files=(NAME, "ambulance-league-table.csv"))
    figures = release.read(tmp_path / "to").release(Q1)
    assert len(figures.trusts) == 10
    assert len(figures.observations) == len(makers.data_rows(types=[AMBULANCE]))


def test_a_slow_server_is_waited_for_as_long_as_data_go_on(get):
    started = time.monotonic()
    (found,), _, warned = get(slow(DATA, 8, 0.1))  # longer in all than the time-out for no data
    assert time.monotonic() - started > HASTY.no_data
    assert found.outcome == "new"
    assert not warned


@pytest.mark.parametrize(
    "trouble",
    [
        ok(DATA[: len(DATA) // 2], length=len(DATA)),
        stall,
        status(500),
        status(503),
        status(429),
        ok(b""),
        without_length(DATA[:-3]),
        without_length(b""),
        lambda handler: handler.connection.shutdown(socket.SHUT_RDWR),
        lambda handler: handler.wfile.write(b"this is no answer\r\n\r\n"),
    ],
    ids=["cut off", "stalls", "500", "503", "429", "empty", "no length", "nothing", "no answer", "no HTTP"],
)
def test_a_passing_trouble_is_tried_again_with_growing_pauses(get, server, tmp_path, monkeypatch, trouble):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    (found,), _, warned = get(trouble, trouble, ok(DATA))
    assert found.outcome == "new"
    assert (tmp_path / "to" / NAME).read_bytes() == DATA
    assert len(server.asked) == 3
    assert slept == [0.01, 0.02]
    assert ["in 0.01 s (1 of 2)" in warned[0], "in 0.02 s (2 of 2)" in warned[1]] == [True, True]


@pytest.mark.parametrize(
    ("trouble", "said", "tries"),
    [
        (ok(DATA[: len(DATA) // 2], length=len(DATA)), "cut off", 3),
        (stall, "sent nothing for 0.3 s", 3),
        (status(500), "500 (Internal Server Error) (tried 3 times)", 3),
        (ok(b""), "arrived empty", 3),
        (status(404), "404 (Not Found)", 1),
        (status(403), "403 (Forbidden)", 1),
        (status(410), "410 (Gone)", 1),
        (status(304, b""), "answers 304", 1),
        (status(204, b""), "answers 204", 1),
        (ok(HTML), "is a web page, not a CSV file", 1),
        (ok(b"PK\x03\x04 workbook"), "is a workbook", 1),
        (ok(b"a,b\r\n1,2\r\n"), "header lacks", 1),
        (ok(DATA.split(b"\n", 1)[0] + b"\n"), "no rows", 1),
        (ok(DATA, length=len(DATA) // 2), "cells where the header has", 1),
        (lambda handler: send(handler, DATA, length="many"), "cannot be read", 1),
    ],
    ids=[
        "cut off", "stalls", "500", "empty", "404", "403", "410", "304", "204", "page", "workbook", "header", "no rows",
        "short length", "no number",
    ],
)  # fmt: skip
def test_what_is_not_the_file_is_never_put_in_the_folder(get, server, tmp_path, trouble, said, tries):
    line = failed(get, trouble)
    assert said in line
    assert f"{NAME}: " in line
    assert str(tmp_path / "to") in line
    assert len(server.asked) == tries
    assert csv_files(tmp_path / "to") == []
    assert not (tmp_path / "to" / ledger.RECORD).exists()


def test_a_file_with_bad_figures_is_fetched_for_check_to_judge(get, tmp_path):
    bad = DATA.replace(b",score,", b",score,x", 1)
    assert bad != DATA
    get(ok(bad))
    assert (tmp_path / "to" / NAME).read_bytes() == bad


def test_a_last_row_without_a_line_break_is_told(get):
    _, _, warned = get(ok(DATA.rstrip(b"\r\n")))
    assert warned == [f"{NAME}: its last row does not end in a line break; check that it is whole"]


def test_one_file_that_fails_does_not_stop_the_others(get, server, tmp_path):
    server.steps["/gone.csv"] = [status(404)]
    line = failed(get, ok(DATA), files=("gone.csv", NAME), note="it was moved")
    assert "gone.csv: 127.0.0.1" in line
    assert "it was moved" in line
    assert csv_files(tmp_path / "to") == [NAME]


@pytest.mark.parametrize("endless", [trickle, trickle_of_headers])
def test_a_server_that_never_comes_to_an_end_is_not_waited_for(get, tmp_path, endless):
    started = time.monotonic()
    line = failed(get, endless, patience=Patience(connect=1, no_data=1, whole=0.4, pauses=(0.01,)))
    assert "did not send the file within 0.4 s (tried 2 times)" in line
    assert time.monotonic() - started < 5
    assert csv_files(tmp_path / "to") == []


def test_a_file_whose_length_is_not_told_is_taken_with_a_word(get):
    """Cut off between two rows it looks whole."""
    (found,), _, warned = get(without_length(DATA[: DATA.index(b"\n", len(DATA) // 2) + 1]))
    assert found.outcome == "new"
    assert warned == [f"{NAME}: the server does not say how long it is; check that its last rows are there"]


@pytest.mark.parametrize(
    "step",
    [
        with_header(DATA, "content-length", str(len(DATA))),
        with_header(DATA, "CONTENT-LENGTH", str(len(DATA))),
        in_chunks(DATA, "Transfer-Encoding"),
        in_chunks(DATA, "transfer-encoding"),
    ],
    ids=["content-length", "CONTENT-LENGTH", "Transfer-Encoding", "transfer-encoding"],
)
def test_names_of_headers_count_in_any_case(get, step):
    (found,), _, warned = get(step)
    assert found.outcome == "new"
    assert warned == []


def test_a_whole_file_without_a_last_line_break_is_taken_in_any_case_of_headers(get, tmp_path):
    whole = DATA.rstrip(b"\r\n")
    get(with_header(whole, "content-length", str(len(whole))))
    assert (tmp_path / "to" / NAME).read_bytes() == whole


def test_two_files_that_are_the_same_are_told(get, server):
    for name in ("other.csv", "ambulance-league-table.csv"):
        server.steps[f"/{name}"] = [ok(TABLE if "table" in name else DATA)]
    _, _, warned = get(ok(DATA), files=(NAME, "ambulance-league-table.csv", "other.csv"))
    assert warned == [f"other.csv: is byte for byte {NAME}; compare both with those on the page"]


def test_files_of_another_quarter_than_the_catalogue_says_are_told(server, tmp_path):
    """An entry for a new quarter that still has the addresses of an earlier one."""
    server.steps[f"/{NAME}"], warned = [ok(DATA)], []
    entry = catalogue.Listed(quarter="Q3 2025/26", folder=server.address, files=(NAME,))
    fetch.fetch(entry, PAGE, tmp_path, patience=HASTY, warn=warned.append)
    assert warned == [f"{NAME}: holds Q1 2025/26, and nothing of Q3 2025/26; compare it with the page"]


def test_nothing_beyond_the_largest_size_is_taken(get, monkeypatch):
    monkeypatch.setattr(download, "LARGEST", 1000)
    assert "is larger than 1,000 bytes" in failed(get, ok(DATA))


# --- redirects ------------------------------------------------------------------------------------------


def test_a_redirect_to_another_host_is_followed_and_shown(get, server):
    elsewhere = server.address.replace("127.0.0.1", "localhost")
    server.steps["/there.csv"] = [ok(DATA)]
    (found,), _, warned = get(redirect(f"{elsewhere}there.csv"))
    assert found.outcome == "new"
    assert warned == [
        f"{NAME}: 127.0.0.1:{server.server_port} redirects to {elsewhere.rstrip('/')}, where the file came from"
    ]


def test_a_redirect_within_a_host_is_followed(get, server, tmp_path):
    server.steps["/there.csv"] = [ok(DATA)]
    _, _, warned = get(redirect("/there.csv"))
    assert not warned
    assert csv_files(tmp_path / "to") == [NAME]  # by the name of the catalogue, whatever the server calls it


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/x.csv"])
def test_a_redirect_leads_nowhere_but_to_the_web(get, to):
    assert "redirects to an address that is neither https:// nor http://" in failed(get, redirect(to))


def test_a_redirect_in_a_circle_ends(get):
    assert "redirects in a circle" in failed(get, redirect(f"/{NAME}"))


# --- re-issues ------------------------------------------------------------------------------------------


def test_an_unchanged_file_is_asked_for_and_left_alone(get, server, tmp_path):
    get(versioned(DATA, '"1"'))
    before = (tmp_path / "to" / NAME).stat()
    (found,), _, _ = get()
    assert found.outcome == "unchanged"
    assert server.asked[-1][1]["If-None-Match"] == '"1"'
    assert (tmp_path / "to" / NAME).stat() == before


def test_a_server_without_versions_sends_the_file_again_and_it_is_compared(get, tmp_path):
    get(ok(DATA))
    before = (tmp_path / "to" / NAME).stat()
    (found,), _, _ = get()
    assert found.outcome == "unchanged"
    assert (tmp_path / "to" / NAME).stat() == before


def test_another_address_is_not_asked_by_the_version_of_the_first(get, server):
    get(versioned(DATA, '"1"'))
    server.steps[f"/elsewhere/{NAME}"] = [versioned(CHANGED, '"1"')]
    (found,), _, _ = get(folder=f"{server.address}elsewhere/")
    assert found.outcome == "re-issued"


@pytest.mark.parametrize("serve", [ok, lambda content: versioned(content, sha(content))], ids=["plain", "versions"])
def test_a_changed_file_is_a_reissue_and_both_are_kept(get, tmp_path, serve):
    to = tmp_path / "to"
    get(serve(DATA))
    first = record(to)[NAME]
    (found,), told, _ = get(serve(CHANGED))
    kept = f"ambulance-data-{first['first_seen'][:10]}-{sha(DATA)[:8]}.csv.superseded"
    assert found.outcome == "re-issued"
    assert told[0].startswith(f"{NAME}: RE-ISSUED: ")
    assert kept in told[0]
    assert (to / NAME).read_bytes() == CHANGED
    assert (to / kept).read_bytes() == DATA
    noted = record(to)[NAME]
    assert noted["sha256"] == sha(CHANGED)
    assert noted["superseded"] == [{"sha256": sha(DATA), "first_seen": first["first_seen"], "file": kept}]
    assert [name for name, _ in release.read(to).inputs] == [NAME]  # what --data reads


def test_a_file_changed_here_is_kept_and_the_published_one_comes_back(get, server, tmp_path):
    to = tmp_path / "to"
    get(versioned(DATA, '"1"'))
    (to / NAME).write_bytes(CHANGED)
    (found,), told, _ = get()
    assert found.outcome == "replaced"
    assert "had been changed here" in told[0]
    assert "If-None-Match" not in server.asked[-1][1]  # not asked whether it is new: ours is not the one noted
    assert (to / NAME).read_bytes() == DATA
    (kept,) = to.glob(f"*{ledger.SUPERSEDED}")
    assert kept.read_bytes() == CHANGED
    assert record(to)[NAME]["superseded"] == [{"sha256": sha(CHANGED), "file": kept.name}]


def test_a_reissue_of_a_file_that_is_gone_is_told_all_the_same(get, tmp_path):
    to = tmp_path / "to"
    get(ok(DATA))
    (to / NAME).unlink()
    (found,), told, _ = get(ok(CHANGED))
    assert found.outcome == "re-issued"
    assert "which is no longer in the folder" in told[0]
    assert [entry["sha256"] for entry in record(to)[NAME]["superseded"]] == [sha(DATA)]


def test_a_file_put_there_by_hand_is_not_lost(get, tmp_path):
    to = tmp_path / "to"
    to.mkdir()
    (to / NAME).write_bytes(CHANGED)
    (found,), _, _ = get(ok(DATA))
    assert found.outcome == "replaced"
    assert [path.read_bytes() for path in to.glob(f"*{ledger.SUPERSEDED}")] == [CHANGED]


def test_a_page_in_place_of_the_file_leaves_the_earlier_file(get, tmp_path):
    get(ok(DATA))
    assert "is a web page" in failed(get, ok(HTML))
    assert (tmp_path / "to" / NAME).read_bytes() == DATA
    assert record(tmp_path / "to")[NAME]["sha256"] == sha(DATA)


def test_a_damaged_record_is_named(get, tmp_path):
    to = tmp_path / "to"
    to.mkdir()
    for damaged in ("", "[]", '{"x": 1}', '{"x": {"sha256": 1}}'):
        (to / ledger.RECORD).write_text(damaged, "utf-8")
        with pytest.raises(InputError, match=r"fetched\.json: is not as fetch writes it; rename it"):
            get(ok(DATA))


# --- no network -----------------------------------------------------------------------------------------


@pytest.fixture
def closed_port():
    """A port of this machine that nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/"


def test_without_network_one_line_says_what_to_do_by_hand(get, closed_port, tmp_path):
    line = failed(get, folder=closed_port, files=("a.csv", "b.csv", "c.csv"))
    host = closed_port[7:-1]
    assert line == (
        f"{QUARTER}: no network: no connection to {host} (tried 3 times); open {PAGE} in a browser, "
        f"download the 3 files and put them into {tmp_path / 'to'} (a.csv, b.csv, c.csv)"
    )


def test_a_host_that_cannot_be_reached_is_not_tried_again_for_each_file(closed_port, tmp_path):
    warned = []
    with pytest.raises(InputError, match=r"download the 3 files"):
        fetch.fetch(listed(closed_port, "a.csv", "b.csv", "c.csv"), PAGE, tmp_path, patience=HASTY, warn=warned.append)
    assert [line[:6] for line in warned] == ["a.csv:"] * len(HASTY.pauses)


def test_an_unresolvable_name_is_said_to_be_one(get):
    assert "no connection to nowhere.invalid (its name is not found)" in failed(get, folder="http://nowhere.invalid/")


def test_a_proxy_that_cannot_be_reached_is_named_without_its_password(get, closed_port, monkeypatch):
    monkeypatch.delenv("NO_PROXY")
    proxy = closed_port[7:-1]
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://user:secret@{proxy}")
    line = failed(get, folder="http://www.example.org/")
    assert f"no connection to www.example.org through the proxy {proxy} (tried 3 times)" in line
    assert "secret" not in line


def test_without_network_files_that_are_there_serve_and_it_is_said_what_is_not_known(get, server, tmp_path):
    get(ok(DATA))
    (found,), told, _ = get(folder="http://nowhere.invalid/")
    assert found.outcome == "kept"
    assert "whether it was re-issued is not known" in told[0]
    (tmp_path / "to" / NAME).write_bytes(CHANGED)
    assert "was changed here" in failed(get, folder="http://nowhere.invalid/")


def test_without_network_files_put_there_by_hand_serve(get, tmp_path):
    to = tmp_path / "to"
    to.mkdir()
    (to / NAME).write_bytes(DATA)
    (found,), told, _ = get(folder="http://nowhere.invalid/")
    assert found.outcome == "kept"
    assert "could not be compared with the published one" in told[0]
    assert record(to)[NAME]["sha256"] == sha(DATA)


# --- files whose address is unknown ---------------------------------------------------------------------


def test_unknown_addresses_name_the_page_the_files_and_the_folder(get, tmp_path):
    line = failed(get, folder=None, files=("a.csv", NAME), note="a note")
    assert line == (
        f"{QUARTER}: the addresses of its files are not known; open {PAGE} in a browser, download a.csv, {NAME} "
        f"and put them into {tmp_path / 'to'}; a note"
    )


def test_files_put_there_by_hand_are_checked_and_noted(get, tmp_path):
    to = tmp_path / "to"
    to.mkdir()
    (to / NAME).write_bytes(HTML)
    assert NAME in failed(get, folder=None)
    (to / NAME).write_bytes(DATA)
    outcomes = [get(folder=None)[0][0].outcome for _ in range(2)]
    (to / NAME).write_bytes(CHANGED)
    outcomes.append(get(folder=None)[0][0].outcome)
    assert outcomes == ["by hand", "unchanged", "re-issued"]
    assert [entry["sha256"] for entry in record(to)[NAME]["superseded"]] == [sha(DATA)]


def test_where_no_names_are_known_the_files_of_the_quarter_that_are_in_the_folder_serve(tmp_path):
    unknown = catalogue.Listed(quarter="Q2 2025/26", folder=None, files=None)
    told, warned = [], []
    (tmp_path / "mine.csv").write_bytes(makers.content(makers.data_rows([Q1, Q2], [AMBULANCE])))
    (tmp_path / "page.csv").write_bytes(HTML)
    (tmp_path / NAME).write_bytes(DATA)  # of Q1 alone
    (found,) = fetch.fetch(unknown, PAGE, tmp_path, tell=told.append, warn=warned.append)
    assert (found.name, found.outcome) == ("mine.csv", "by hand")
    assert [line[:28] for line in told] == ["mine.csv: found in the folde"]
    assert warned == [f"Q2 2025/26: the names of its files are not known; see on {PAGE} whether these are all"]
    assert [*record(tmp_path)] == ["mine.csv"]


def test_where_no_names_are_known_and_nothing_of_the_quarter_is_there_the_page_is_named(tmp_path):
    unknown = catalogue.Listed(quarter="Q2 2025/26", folder=None, files=None)
    (tmp_path / NAME).write_bytes(DATA)
    with pytest.raises(InputError) as caught:
        fetch.fetch(unknown, PAGE, tmp_path)
    assert str(caught.value) == (
        f"Q2 2025/26: the names and addresses of its files are not known; open {PAGE} in a browser, download its CSV "
        f"files and put them into {tmp_path}"
    )


# --- more than one at once, and stopped ones ------------------------------------------------------------


def test_two_fetches_at_once_end_with_one_whole_file(server, tmp_path):
    both = threading.Barrier(2, timeout=5)

    def step(handler):
        both.wait()  # both downloads are under way
        send(handler, DATA)

    server.steps[f"/{NAME}"] = [step]
    outcomes = []

    def run():
        (found,) = fetch.fetch(listed(server.address), PAGE, tmp_path, patience=HASTY, tell=lambda _: None)
        outcomes.append(found.outcome)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["new", "unchanged"]
    assert (tmp_path / NAME).read_bytes() == DATA
    assert not list(tmp_path.glob("*.part"))
    assert not list(tmp_path.glob(f"*{ledger.SUPERSEDED}"))


def test_only_one_process_moves_files_at_a_time(server, tmp_path):
    server.steps[f"/{NAME}"] = [ok(DATA)]
    running = threading.Thread(
        target=fetch.fetch, args=(listed(server.address), PAGE, tmp_path), kwargs={"patience": HASTY, "tell": str}
    )
    with ledger.locked(tmp_path):
        running.start()
        running.join(0.3)
        assert running.is_alive()
        assert not (tmp_path / NAME).exists()
    running.join(5)
    assert (tmp_path / NAME).read_bytes() == DATA


def test_a_keyboard_interrupt_leaves_nothing_half(server, tmp_path, own_catalogue):
    begun = threading.Event()

    def step(handler):
        send(handler, DATA[:5000], length=len(DATA))
        handler.wfile.flush()
        begun.set()
        handler.server.closing.wait(10)

    server.steps[f"/{NAME}"] = [step]
    to = tmp_path / "to"
    command = [sys.executable, "-m", "nofcore", "fetch", QUARTER, "--catalogue", str(own_catalogue()), "--to", str(to)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert begun.wait(20)
        while not list(to.glob("*.part")) + list(to.glob(".*.part")):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said.splitlines() == ["nofcore: interrupted"]
    assert [path.name for path in to.iterdir()] == [".nofcore-fetch.lock"]


def test_a_failure_while_files_are_moved_leaves_one_of_the_two_whole(get, tmp_path, monkeypatch):
    to = tmp_path / "to"
    get(ok(DATA))
    moved = Path.replace
    for place in range(3):  # the copy of the earlier file, the new file, the record
        calls = iter(range(9))

        def stop(self, target, calls=calls, place=place):
            if next(calls) == place:
                raise KeyboardInterrupt
            return moved(self, target)

        monkeypatch.setattr(Path, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            get(ok(CHANGED))
        monkeypatch.setattr(Path, "replace", moved)
        assert (to / NAME).read_bytes() in (DATA, CHANGED)
        assert csv_files(to) == [NAME]
    (found,), _, _ = get(ok(CHANGED))
    assert found.outcome == "unchanged"
    assert [path.read_bytes() for path in to.glob(f"*{ledger.SUPERSEDED}")] == [DATA]


def test_parts_of_killed_runs_are_removed_after_a_day(get, tmp_path):
    to = tmp_path / "to"
    to.mkdir()
    old, new = to / ".nofcore-fetch-old.part", tmp_path / "elsewhere.part"
    old.write_bytes(b"x")
    new.write_bytes(b"x")
    os.utime(old, (0, 0))
    get(ok(DATA))
    assert not old.exists()
    assert new.exists()


# --- where files may go ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "../x.csv", "/etc/x.csv", "a/b.csv", "a\\b.csv", "..", ".hidden.csv", "x.txt", "x.csv.exe", "con.csv", "x\0.csv",
        "x\n.csv", "C:x.csv", "~x.csv", "https://example.org/", "https://example.org/..%2Fx.csv",
        "https://example.org/%2Fetc%2Fx.csv", "https://example.org/x.csv%00", "https://example.org/..%5Cx.csv", " x.csv",
        "é.csv", f"{'x' * 250}.csv",
    ],
)  # fmt: skip
def test_no_name_in_a_catalogue_leads_out_of_the_folder(tmp_path, own_catalogue, name):
    with pytest.raises(InputError, match=r"own\.toml(?:, line \d+)?: key release\[1\] \(Q1 2025/26\)\.files\[1\]: "):
        catalogue.read(own_catalogue(files=[name]))


def test_the_last_part_of_an_address_is_the_name(own_catalogue):
    path = own_catalogue(files=["https://example.org/2026/A%20(1).csv?x=1"])
    assert catalogue.read(path).releases[QUARTER].names == ("A (1).csv",)


def test_a_link_in_the_folder_is_replaced_not_followed(get, tmp_path):
    outside = tmp_path / "outside.csv"
    outside.write_bytes(TABLE)
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / NAME).symlink_to(outside)
    get(ok(DATA))
    assert outside.read_bytes() == TABLE
    assert (tmp_path / "to" / NAME).read_bytes() == DATA
    assert not (tmp_path / "to" / NAME).is_symlink()


def test_a_folder_that_cannot_be_used_is_named(get, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="choose another folder with --to"):
        fetch.fetch(listed("http://nowhere.invalid/"), PAGE, tmp_path / "file", patience=HASTY)
    (tmp_path / "to" / NAME).mkdir(parents=True)
    with pytest.raises(InputError, match=r"ambulance-data\.csv: is not a file; remove it"):
        get(ok(DATA))


def test_a_full_disk_is_not_taken_for_a_trouble_of_the_network(get, server, monkeypatch):
    opened = Path.open

    class Full(io.BytesIO):
        def write(self, _):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", lambda self, *a, **k: Full() if self.suffix == ".part" else opened(self, *a, **k))
    with pytest.raises(InputError, match="No space left on device"):
        get(ok(DATA))
    assert len(server.asked) == 1


# --- the catalogue --------------------------------------------------------------------------------------


@pytest.fixture
def own_catalogue(server, tmp_path):
    def write(text=None, files=(NAME,), folder=server.address, quarter=QUARTER):
        path = tmp_path / "own.toml"
        names = ", ".join(json.dumps(name) for name in files)
        text = text or f'[[release]]\nquarter = "{quarter}"\nfolder = "{folder}"\nfiles = [{names}]\n'
        path.write_text(text, "utf-8")
        return path

    return write


def test_the_kits_catalogue_knows_what_is_known():
    known = catalogue.read()
    assert list(known.releases) == ["Q1 2025/26", "Q2 2025/26", "Q3 2025/26", "Q4 2025/26", "Q1 2026/27"]
    uploads = "https://www.england.nhs.uk/wp-content/uploads/"
    first = known.releases["Q1 2025/26"].addresses
    assert first["nhs-oversight-framework-acute-trust-data.csv"] == (
        f"{uploads}2025/09/nhs-oversight-framework-acute-trust-data.csv"
    )
    third = known.releases["Q3 2025/26"].addresses
    assert len(third) == len(first) == 6
    assert all(address.startswith(f"{uploads}2026/03/") for address in third.values())
    for quarter in ("Q2 2025/26", "Q4 2025/26", "Q1 2026/27"):
        assert not any(known.releases[quarter].addresses.values())
    assert set(known.pages.values()) == {
        "https://www.england.nhs.uk/nhs-oversight-framework/segmentation-and-league-tables/"
    }


def test_ones_own_catalogue_adds_and_replaces(own_catalogue):
    path = own_catalogue(
        'page = "https://example.org/p"\n[[release]]\nquarter = "Q2 2026/27"\nfolder = "https://example.org/a"\n'
        'files = ["x.csv", "https://example.com/b/y.csv"]\n'
        '[[release]]\nquarter = "Q2 2025/26"\nfolder = "unknown"\nfiles = ["z.csv"]\npage = "https://example.org/q"\n'
    )
    known = catalogue.read(path)
    assert known.latest == "Q2 2026/27"
    assert known.releases["Q2 2026/27"].addresses == {
        "x.csv": "https://example.org/a/x.csv",
        "y.csv": "https://example.com/b/y.csv",
    }
    assert known.releases["Q2 2025/26"].addresses == {"z.csv": None}
    assert known.pages["Q2 2026/27"] == "https://example.org/p"
    assert known.pages["Q2 2025/26"] == "https://example.org/q"
    assert known.pages["Q1 2025/26"] == catalogue.read().pages["Q1 2025/26"]
    assert known.releases["Q1 2025/26"] == catalogue.read().releases["Q1 2025/26"]


RELEASE = '[[release]]\nquarter = "Q2 2026/27"\n'
GOOD = 'folder = "https://example.org/"\nfiles = ["a.csv"]\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x", "is not valid TOML"),
        ("", "key release: is missing"),
        ('release = "x"', "key release: must be a list"),
        ("release = [1]", "key release[1]: must be a table"),
        (f"{RELEASE}{GOOD}x = 1", "key release[1] (Q2 2026/27).x: unknown key"),
        (RELEASE + 'files = ["a.csv"]', "key release[1] (Q2 2026/27).folder: is missing"),
        (RELEASE + 'folder = "unknown"', "key release[1] (Q2 2026/27).files: is missing"),
        (RELEASE + 'folder = "unknown"\nfiles = []', "name at least one file"),
        (RELEASE + 'folder = "unknown"\nfiles = "a.csv"', ".files: must be a list"),
        (RELEASE + 'folder = "unknown"\nfiles = ["a.csv", "A.csv"]', "files: 'a.csv' is named twice"),
        (RELEASE + 'folder = "ftp://example.org/"\nfiles = ["a.csv"]', ".folder: 'ftp://example.org/' is not an address"),
        (RELEASE + 'folder = "file:///etc/"\nfiles = ["a.csv"]', ".folder: 'file:///etc/' is not an address"),
        (RELEASE + 'folder = "https://u:p@example.org/"\nfiles = ["a.csv"]', "user name or password is not used"),
        (RELEASE + 'folder = "https://[::/"\nfiles = ["a.csv"]', ".folder: "),
        (RELEASE + 'folder = "https://a b/"\nfiles = ["a.csv"]', ".folder: "),
        (RELEASE + 'folder = "unknown"\nfiles = ["ftp://example.org/a.csv"]', ".files[1]: "),
        (GOOD.join(['[[release]]\nquarter = "Q5 2026/27"\n', ""]), ".quarter: must be written like"),
        (GOOD.join(['[[release]]\nquarter = "Q1 2026/28"\n', ""]), "'2026/28' is not a financial year"),
        (2 * f"{RELEASE}{GOOD}", "release: Q2 2026/27 stands twice"),
        (f'page = "x"\n{RELEASE}{GOOD}', "key page: 'x' is not an address"),
    ],
)  # fmt: skip
def test_errors_in_a_catalogue_name_file_and_key(own_catalogue, text, said):
    path = own_catalogue(text or "# nothing")
    with pytest.raises(InputError) as caught:
        catalogue.read(path)
    assert str(caught.value).startswith((f"{path}: ", f"{path}, line "))
    assert said in str(caught.value)


# --- the command line -----------------------------------------------------------------------------------


def run(*arguments) -> int:
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return stop.code


def test_fetch_on_the_command_line(server, own_catalogue, tmp_path, capsys):
    server.steps[f"/{NAME}"] = [ok(DATA)]
    assert run("fetch", "q1 25/26", "--catalogue", own_catalogue(), "--to", tmp_path / "to") == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[-1] == f"{QUARTER}: 1 file; read with --data {tmp_path / 'to'}"
    assert said.err == ""
    assert run("check", tmp_path / "to") == 0


def test_without_to_files_go_to_the_cache_of_the_platform(server, own_catalogue, tmp_path, capsys):
    server.steps[f"/{NAME}"] = [ok(DATA)]
    assert run("fetch", QUARTER, "--catalogue", own_catalogue()) == 0
    assert fetch.cache_folder(QUARTER).name == "q1-2025-26"
    assert (fetch.cache_folder(QUARTER) / NAME).read_bytes() == DATA
    assert str(fetch.cache_folder(QUARTER)) in capsys.readouterr().out


def test_without_a_quarter_fetch_lists_what_is_known(own_catalogue, tmp_path, capsys):
    assert run("fetch") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:10] for line in lines[:-1]] == list(catalogue.read().releases)
    assert "6 files, addresses known" in lines[0]
    assert "file names and addresses unknown" in lines[1]
    assert lines[-1] == f"page: {catalogue.read().page}"
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / NAME).write_bytes(DATA)
    assert run("fetch", "--catalogue", own_catalogue(), "--to", tmp_path / "to") == 0
    assert f"1 file, addresses known; 1 of 1 in {tmp_path / 'to'}" in capsys.readouterr().out.splitlines()[0]


def test_a_folder_that_no_system_can_look_into_holds_nothing(own_catalogue, tmp_path, capsys):
    assert run("fetch", "--catalogue", own_catalogue(), "--to", tmp_path / ("x" * 300)) == 0
    assert " of 1 in " not in capsys.readouterr().out


def test_of_a_quarter_before_the_first_release_no_lines_for_a_catalogue_are_printed(capsys):
    assert run("fetch", "Q4 2024/25") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "nofcore: error: Q4 2024/25: the first release is Q1 2025/26\n"


@pytest.mark.parametrize(
    ("quarter", "said"),
    [
        ("Q1 2024/25", "Q1 2024/25: the first release is Q1 2025/26"),
        ("Q5 2025/26", "'Q5 2025/26' is not a quarter"),
        ("Q1 2025/27", "'Q1 2025/27' is not a quarter"),
        ("Q1 2026/27", "the names and addresses of its files are not known; open https://www.england.nhs.uk/"),
        ("Q4 2025/26", "the addresses of its files are not known; open https://www.england.nhs.uk/"),
    ],
)
def test_what_cannot_be_fetched_is_one_line_and_code_2(quarter, said, capsys):
    assert run("fetch", quarter) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_without_network_the_code_is_2(monkeypatch, capsys):
    monkeypatch.setattr(fetch, "PATIENCE", HASTY)
    assert run("fetch", "Q3 2025/26") == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("nofcore: error: Q3 2025/26: no network: no connection to www.england.nhs.uk")
    assert str(fetch.cache_folder("Q3 2025/26")) in last
    assert fetch.cache_folder("Q3 2025/26").is_dir()


def test_a_newer_quarter_comes_with_four_lines_that_work_once_they_are_filled_in(server, tmp_path, capsys):
    assert run("fetch", "Q3 2027/28") == 2
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 1
    assert "--catalogue FILE" in said.err
    assert len(said.out.splitlines()) == 4
    own = tmp_path / "mine.toml"
    own.write_text(said.out, "utf-8")
    with pytest.raises(InputError, match="still holds YYYY or MM"):
        catalogue.read(own)
    own.write_text(
        said.out.replace("https://www.england.nhs.uk/", server.address).replace("YYYY/MM", "2028/02"), "utf-8"
    )
    for name, content in zip(catalogue.read(own).releases["Q3 2027/28"].names, (DATA, TABLE), strict=True):
        server.steps[f"/wp-content/uploads/2028/02/{name}"] = [ok(content)]
    assert run("fetch", "Q3 2027/28", "--catalogue", own, "--to", tmp_path / "to") == 0
    assert len(csv_files(tmp_path / "to")) == 2


def test_a_bar_shows_progress_on_a_terminal_and_nothing_elsewhere(get, monkeypatch, capsys):
    get(ok(DATA))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    get(slow(CHANGED, 8, 0.05))
    assert NAME in capsys.readouterr().err


def test_downloading_costs_other_commands_nothing():
    code = (
        "import sys, nofcore.cli as c; c._parser(); print({'pooch', 'requests', 'tqdm', 'pydantic'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"


def test_the_guide_shows_the_lines_that_fetch_prints():
    guide = (Path(__file__).parent.parent / "docs" / "adding-a-release.md").read_text("utf-8")
    assert f"```toml\n{catalogue.example('Q2 2026/27')}\n```" in guide
