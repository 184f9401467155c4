"""The pages as readers have them: in a browser, by keyboard and mouse, on a phone and on paper."""

import re
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

KINDS = (
    "index",
    "methods",
    "league-table",
    "rank-uncertainty",
    "metric-correlation",
    "method-sensitivity",
    "movement",
    "trust-profile",
)
LONG = "league-table"
ROWS = 30  # of a table that axe looks at
LARGEST_PAGE, LARGEST_INDEX = 2_000_000, 300_000  # bytes


@pytest.fixture(scope="module", params=KINDS)
def path(request, report) -> Path:
    """One page of each kind."""
    return _page(report, request.param)


@pytest.fixture(scope="module")
def shown(path, open_page):
    """That page, opened once for all that look at it without changing it, on a screen of 1280 by 900."""
    page = open_page(path)
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    yield page
    page.context.close()


def _page(report: Path, kind: str) -> Path:
    found = sorted(report.glob(f"{kind}*.html"), key=lambda path: -path.stat().st_size)  # the largest of its kind
    assert found, f"the report has no page {kind}"
    return found[0]


def test_axe_finds_nothing_wrong(shown):
    # The rows of a table are alike: those after the thirtieth, and thousands of cells with them, are left out.
    style = shown.add_style_tag(content=f"tbody tr:nth-child(n + {ROWS + 1}) {{ display: none !important; }}")
    shown.evaluate((Path(find_spec("axe_playwright_python").origin).parent / "axe.min.js").read_text("utf-8"))
    found = shown.evaluate("axe.run(document, { resultTypes: ['violations', 'passes'] })")
    style.evaluate("style => style.remove()")
    assert len(found["passes"]) > 10
    assert [(one["id"], one["help"], one["nodes"][0]["html"][:200]) for one in found["violations"]] == []


def test_no_request_leaves_the_page_and_nothing_goes_wrong(path, shown):
    asked = [url for url in shown.requests if not url.startswith(("data:", "blob:"))]
    assert asked == [path.as_uri()]
    assert shown.complaints == []


def test_every_link_and_download_is_there(path, shown):
    for link in shown.eval_on_selector_all("a[href]", "all => all.map(link => link.href)"):
        parts = urlsplit(link)
        if parts.scheme == "https":
            assert parts.netloc.endswith(("nationalarchives.gov.uk", "england.nhs.uk")), link
            continue
        target = Path(unquote(parts.path))
        assert target.is_file(), link
        if target == path and parts.fragment and not parts.fragment.startswith("trust="):
            assert shown.locator(f"[id='{parts.fragment}']").count() == 1, link


def test_no_page_is_too_large(report):
    sizes = {path.name: path.stat().st_size for path in report.glob("*.html")}
    assert {name: size for name, size in sizes.items() if size > LARGEST_PAGE} == {}
    assert sizes["index.html"] <= LARGEST_INDEX


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_cut_off(shown, width):
    """Nothing is wider than the screen but what scrolls in a box of its own."""
    shown.set_viewport_size({"width": width, "height": 900})
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    beyond = shown.evaluate(
        """width => [...document.querySelectorAll('body *')].filter(part => {
            const box = part.getBoundingClientRect();
            return box.width > 0 && box.right > width + 1 && !part.closest('.scroll, pre, .skip, .out-of-sight, datalist');
        }).map(part => part.outerHTML.slice(0, 120))""",
        width,
    )
    assert beyond == []


@pytest.mark.parametrize("kind", ["index", LONG])
def test_the_skip_link_leads_to_the_content(report, visit, kind):
    page = visit(_page(report, kind))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def _names(page) -> list[str]:
    return page.locator("#league-table tbody th").all_text_contents()


def _order(page) -> list[float]:
    column = page.locator("#league-table thead th").all_text_contents().index("Average")
    cells = page.locator(f"#league-table tbody tr > :nth-child({column + 1})").all_text_contents()
    return [float(text) for text in cells]


@pytest.mark.parametrize("by", ["mouse", "Enter", "Space"])
def test_a_table_is_sorted_by_mouse_and_keyboard(report, visit, by):
    page = visit(_page(report, LONG))
    heading = page.locator("#league-table thead th", has_text="Average").get_by_role("button")
    before = _order(page)
    for way, turn in (("ascending", sorted(before)), ("descending", sorted(before, reverse=True))):
        if by == "mouse":
            heading.click()
        else:
            heading.focus()
            page.keyboard.press(by)
        page.wait_for_selector(f"#league-table thead th[aria-sort={way}]")  # it is sorted a moment after the press
        assert _order(page) == turn
    assert page.locator("#league-table thead th[aria-sort=descending]").count() == 1


def test_ranges_are_sorted_by_their_numbers(report, visit):
    """ "~1 to ~9" is less than "2 to 10", though not by its letters."""
    page = visit(_page(report, "rank-uncertainty"))
    table = page.locator("#rank-ranges")
    heads = [text.strip() for text in table.locator("thead th").all_text_contents()]
    cells = table.locator(f"tbody tr > :nth-child({heads.index('Rank range') + 1})")
    before = cells.all_text_contents()
    by_number = sorted(tuple(map(int, re.findall(r"\d+", text))) for text in before)
    assert by_number != [tuple(map(int, re.findall(r"\d+", text))) for text in sorted(before)]  # else nothing is shown
    table.locator("thead th", has_text="Rank range").get_by_role("button").click()
    assert [tuple(map(int, re.findall(r"\d+", text))) for text in cells.all_text_contents()] == by_number


def test_captions_are_whole_on_a_phone(shown):
    shown.set_viewport_size({"width": 360, "height": 900})
    beyond = shown.evaluate(
        """() => [...document.querySelectorAll('.scroll caption span')].filter(text =>
        text.getBoundingClientRect().right > text.closest('.scroll').getBoundingClientRect().right + 1)
        .map(text => text.textContent)"""
    )
    assert beyond == []


def test_a_link_within_the_page_keeps_its_address_while_a_trust_is_marked(report, visit):
    page = visit(_page(report, LONG))
    page.get_by_label("Find a trust").fill(_names(page)[0])
    page.locator("#contents a").first.click()
    page.wait_for_timeout(100)
    assert page.url.endswith(page.locator("#contents a").first.get_attribute("href"))
    assert page.locator(".mark").count() >= 1


def test_a_table_is_searched(report, visit):
    page = visit(_page(report, LONG))
    names = _names(page)
    box = page.locator("#league-table").get_by_label("Find in this table")
    box.focus()
    page.keyboard.type(names[2].upper())
    assert _names(page) == [names[2]]
    assert page.locator("#league-table .dt-info").text_content().strip() == f"1 of {len(names)} rows"
    box.fill("no such trust")
    assert page.locator("#league-table tbody").text_content() == "No row matches"


def test_a_trust_is_found_in_charts_and_tables_by_typing_its_name(report, visit):
    page = visit(_page(report, LONG))
    name = _names(page)[1]
    page.get_by_label("Find a trust").focus()
    page.keyboard.type(name.lower())
    said = page.locator("#find-said").text_content()
    assert re.fullmatch(re.escape(name) + r": marked in \d+ charts? and \d+ tables?\.", said)
    marks = page.locator(".mark")
    assert marks.count() >= 1
    code = marks.first.text_content()
    assert page.url.endswith(f"#trust={code}")
    assert page.locator("#league-table tr.found th").all_text_contents() == [name]
    assert page.locator("#league-table tr.found").first.is_visible()
    for mark in marks.all():  # each within its chart
        spot, chart = mark.bounding_box(), mark.locator("xpath=..").bounding_box()
        assert chart["x"] <= spot["x"] <= chart["x"] + chart["width"]
        assert chart["y"] <= spot["y"] <= chart["y"] + chart["height"]
    page.get_by_label("Find a trust").fill("xyzzy")
    assert page.locator("#find-said").text_content() == "No trust of this page matches."
    assert page.locator(".mark, .found").count() == 0


def test_the_mark_stands_on_the_trusts_own_point(report, visit):
    """Averages rise with the height in the chart, so marks of a better and a worse trust must be in that order."""
    heights = []
    for position in (0, -1):
        page = visit(_page(report, LONG))
        page.get_by_label("Find a trust").fill(_names(page)[position])
        spot, chart = page.locator(".mark").first.bounding_box(), page.locator(".plot").first.bounding_box()
        heights.append(1 - (spot["y"] + spot["height"] / 2 - chart["y"]) / chart["height"])
    averages = _order(page)
    assert averages[0] < averages[-1]
    assert heights[0] < heights[1]


def test_an_address_with_a_code_opens_with_the_trust_marked(report, visit):
    page = visit(_page(report, LONG))
    code = page.locator("#league-table tbody td").first.text_content()
    again = visit(_page(report, LONG), 360, f"#trust={code}")
    assert again.locator(".mark").first.text_content() == code


def test_the_index_finds_a_trust_and_leads_to_its_pages(report, visit):
    page = visit(report / "index.html")
    rows = page.locator("#trusts tbody tr")
    name = rows.first.locator("th").evaluate("cell => cell.firstChild.textContent.trim()")
    page.get_by_label("Name or code of a trust").focus()
    page.keyboard.type(name.upper())
    shown = [row for row in rows.all() if row.is_visible()]
    assert [row.locator("th").text_content().startswith(f"{name} ") for row in shown] == [True]
    assert page.locator("#find-said").text_content() == f"1 of {rows.count()} trusts"
    shown[0].locator("td").nth(1).locator("a").first.click()
    page.wait_for_selector(".mark, .found", state="attached")
    assert name in page.locator("#find-said").text_content()


def test_a_page_on_one_trust_offers_no_search_for_others(report, visit):
    page = visit(next(report.glob("trust-profile-*.html")))
    assert page.locator("h1").count() == 1
    assert page.locator("#find, #trusts").count() == 0


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_the_list_of_trusts_is_seen_whole_in_its_width(report, visit, width):
    page = visit(report / "index.html", width)
    room = page.locator("#trusts .scroll")
    assert room.evaluate("box => box.scrollWidth - box.clientWidth") <= 0


def test_print_shows_whole_tables(shown, tmp_path):
    """On paper nothing scrolls: every table must fit the width of the sheet (A4, 18.2 cm between the margins)."""
    shown.set_viewport_size({"width": 688, "height": 900})
    shown.emulate_media(media="print")
    wide = shown.evaluate(
        """() => [...document.querySelectorAll('table, img')].filter(part => part.getBoundingClientRect().right >
        document.documentElement.clientWidth + 1).map(part => part.outerHTML.slice(0, 200))"""
    )
    assert wide == []
    hidden = shown.evaluate(
        """() => [...document.querySelectorAll('.scroll')].filter(box => box.scrollHeight > box.clientHeight + 2 &&
        getComputedStyle(box).overflowY !== 'visible').length"""
    )
    assert hidden == 0
    shown.pdf(path=tmp_path / "page.pdf", format="A4")
    shown.emulate_media(media="screen")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


def test_a_table_stays_at_its_start_until_the_reader_asks_for_a_trust(report, visit):
    page = visit(_page(report, LONG))
    box = page.locator("#league-table .scroll")
    page.set_viewport_size({"width": 1280, "height": 500})
    assert box.evaluate("box => box.scrollTop") == 0
    page.get_by_label("Find a trust").fill(_names(page)[-1])
    assert box.evaluate("box => box.scrollTop") > 0
