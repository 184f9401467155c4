"""A headless browser, and a report to open in it."""

import os
import shutil
from pathlib import Path

import pytest

from nofcore import cli

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TRUST = "RYA"  # an ambulance trust: the quickest type to make
PAGES = (
    "methods",
    "league_table",
    "rank_uncertainty",
    "metric_correlation",
    "method_sensitivity",
    "movement",
    "trust_profile",
)


@pytest.fixture(scope="session")
def report(tmp_path_factory) -> Path:
    """The folder of a report with a page of each kind: that which NOFCORE_REPORT names, or a small one made here."""
    if named := os.environ.get("NOFCORE_REPORT"):
        return Path(named).resolve()
    out = tmp_path_factory.mktemp("report")
    arguments = ["report", *PAGES, "--trust-type", "ambulance", "--trust", TRUST, "--draws", "1000", "--out", str(out)]
    assert cli.main(arguments) == 0
    return out


@pytest.fixture(scope="session")
def browser():
    """Chromium as the system has it; no other is downloaded."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium on this machine: install Debian's package chromium to run these tests")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=[*options, "--disable-sync", "--no-first-run"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def open_page(browser):
    """A function that opens a file; what the page asks for and complains of is in ``requests`` and ``complaints``."""

    def opened(path: Path, width: int = 1280, fragment: str = ""):
        page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
        page.requests, page.complaints = [], []
        page.on("request", lambda request: page.requests.append(request.url))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("console", lambda said: page.complaints.append(said.text) if said.type == "error" else None)
        page.goto(f"{path.as_uri()}{fragment}")
        page.wait_for_load_state("load")
        if page.locator("table[data-sortable]").count():
            page.wait_for_selector(".dt-container")
        return page

    return opened


@pytest.fixture
def visit(open_page):
    """`open_page` for tests that change the page, which is closed after them."""
    pages = []

    def visited(*arguments):
        pages.append(open_page(*arguments))
        return pages[-1]

    yield visited
    for page in pages:
        page.context.close()
