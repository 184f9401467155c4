"""The pages as a browser and a screen reader get them."""

from html.parser import HTMLParser

import pytest

from nofcore.report.audit import audit
from nofcore.report.prose import Outline

from .conftest import HOSTILE

VOID = {"meta", "link", "img", "br", "hr", "input", "wbr", "col"}


class Tree(HTMLParser):
    """Checks that tags nest, and keeps each start tag with the tags around it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[tuple[str, dict]] = []
        self.tags: list[tuple[str, dict, list[tuple[str, dict]]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs), list(self.open)))
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.open and self.open[-1][0] not in {"script", "style"}:
            self.words.append(data)

    def all(self, tag: str) -> list[dict]:
        return [attrs for name, attrs, _ in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


@pytest.fixture(scope="module", params=["good", "plain", "index"])
def any_page(request, run):
    return (run[1] / f"{request.param}.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def good(run):
    return (run[1] / "good.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def index(run):
    return (run[1] / "index.html").read_text(encoding="utf-8")


def test_every_page_has_language_landmarks_and_one_heading_of_level_1(any_page):
    tree = Tree(any_page)
    assert tree.all("html") == [{"lang": "en-GB"}]
    assert [len(tree.all(tag)) for tag in ("title", "header", "main", "footer", "h1")] == [1, 1, 1, 1, 1]
    assert tree.all("a")[0]["href"] == "#main"
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in tree.all("meta")
    assert "Contains NHS England data, licensed under the Open Government Licence v3.0" in tree.text


def test_no_page_loads_anything(any_page):
    assert audit(any_page) == []
    loaded = [a for tag, a, _ in Tree(any_page).tags if tag != "a" and ({"src", "href"} & a.keys())]
    assert all((a.get("src") or a.get("href")).startswith("data:") for a in loaded)


def test_titles_and_data_are_shown_as_text(good, index):
    for text in (good, index):
        assert "<script>alert" not in text
        assert HOSTILE in Tree(text).text
    assert f"<b>{HOSTILE}</b>" in Tree(good).text
    assert "leads & is <first>." in Tree(good).text


def test_neither_code_nor_warnings_nor_prompts_show(good):
    for hidden in ("import os", "display(", "Headline(", "secret warning", "In [", "¶"):
        assert hidden not in good


def test_headings_of_level_2_open_sections_with_ids_of_their_own(good):
    tree = Tree(good)
    assert [a["id"] for a in tree.all("section")] == ["first-part", "first-part-2", "made-by-code", "files"]
    places = [[name for name, _ in around][-2:] for tag, _, around in tree.tags if tag == "h2"]
    assert places == [["main", "section"]] * 4
    links = [a["href"] for tag, a, around in tree.tags if tag == "a" and ("nav" in [n for n, _ in around])]
    assert links == ["#first-part", "#first-part-2", "#made-by-code", "#files"]
    assert "The title of the notebook" not in good


def test_tables_scroll_in_a_container_that_the_keyboard_reaches(good):
    tree = Tree(good)
    boxes = [around[-1][1] for tag, _, around in tree.tags if tag == "table"]
    assert [box["aria-label"] for box in boxes] == ["Table 1: First part", "Table 2: Trusts"]
    assert all(box["role"] == "region" and box["tabindex"] == "0" for box in boxes)


def test_images_carry_their_text_alternative(good):
    images = Tree(good).all("img")
    assert [image["alt"] for image in images] == ['One "dot" & no more', "An empty drawing"]


def test_the_page_links_its_downloads_and_tells_where_it_comes_from(good, run):
    tree = Tree(good)
    links = [a["href"] for a in tree.all("a") if "download" in a]
    assert links == ["good.ipynb", "good/good-table.csv", "good/good-first-part.svg"]
    assert all((run[1] / link).is_file() for link in links)
    assert "count = 5" in tree.text
    assert "SHA-256" in tree.text
    assert "papermill 2" in tree.text


def test_the_index_tells_what_was_made_and_what_failed(index, run):
    tree = Tree(index)
    links = [a["href"] for a in tree.all("a") if not a["href"].startswith(("#", "https://"))]
    assert all((run[1] / link.partition("#")[0]).is_file() for link in links)
    assert {"good.html", "plain.html", "good.html#files", "broken.failed.ipynb", "broken.html"} <= set(links)
    assert "2 pages made on" in tree.text
    assert "3 pages failed" in tree.text
    assert "ZeroDivisionError: division by zero" in tree.text
    assert "leads & is <first>." in tree.text
    assert "Broken & old (2 January 2025)" in tree.text
    assert "Not ours" not in tree.text


@pytest.mark.parametrize(
    ("fragment", "problem"),
    [
        ('<script src="https://cdn.example/x.js"></script>', "<script> loads"),
        ('<link rel="stylesheet" href="style.css">', "<link> loads"),
        ('<img src="data:image/png;base64,AA">', "without a text alternative"),
        ('<img alt="" src="chart.png">', "<img> loads"),
        ("<style>@import 'x.css'</style>", "a style sheet loads"),
        ('<p style="background: url(http://x.example/y.png)">', "style of <p> loads"),
        ('<p id="a"></p><p id="a"></p>', "more than once: a"),
        ("<h1>Second</h1>", "2 headings of level 1"),
    ],
)
def test_the_audit_refuses(fragment, problem):
    assert problem in " ".join(audit(f"<h1>First</h1>{fragment}"))


def test_the_audit_lets_links_and_scripts_of_the_page_pass():
    link = '<a href="https://x.example">x</a>'
    script = '<script>const u = "<img src=http://x>";</script>'
    style = '<style>a { background: url( "data:image/png;base64,AA") }</style>'
    assert audit(f"<h1>A</h1>{link}{script}{style}") == []


def test_tables_inside_scripts_and_tables_are_left_alone():
    source = "<script>'<table>'</script><table><tr><td><table></table></td></tr></table><p>end</p>"
    shown = Outline().fragment(source)
    assert shown.count('class="scroll"') == 1
    assert shown.startswith("<script>'<table>'</script><div")
    assert shown.endswith("</table></div><p>end</p>")


def test_raw_html_passes_in_prose_but_not_in_text_made_by_code():
    assert "<b>x</b>" in Outline().prose("<b>x</b>")
    assert "&lt;b&gt;x&lt;/b&gt;" in Outline().data_prose("<b>x</b>")


def test_headings_never_take_an_id_of_the_page_or_of_each_other():
    outline = Outline()
    outline.prose("## Main\n\n## A 2\n\n## A\n\n## A\n\n## £%")
    assert [entry.id for entry in outline.entries] == ["main-2", "a-2", "a", "a-2-2", "section"]
