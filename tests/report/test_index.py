"""The index of a folder with pages of this run, of earlier runs, of two quarters, and with pages that failed."""

import json
from pathlib import Path

import pytest

from nofcore.report import Outcome, Page
from nofcore.report.audit import audit
from nofcore.report.index import index_html
from nofcore.report.provenance import collect
from nofcore.report.uptodate import FOLDER

from .test_html import Tree

PROVENANCE = collect([])
NAMES = {f"R{number:03d}": f'St Mary & "All" <Saints\'> {number} NHS Foundation Trust' for number in range(205)}


def page(slug: str, group="Q1 2025/26", notebook="01_league_table.ipynb", trusts=None, **parameters) -> Page:
    return Page(slug, Path(notebook), f"Title of {slug}", group, parameters, (), trusts or {}, "Acute trusts")


def put(out: Path, page: Page, facts=None, text='<title>{}</title>\n<meta name="nofcore-made" content="{}">') -> None:
    """A page as an earlier run left it, with its note."""
    (out / f"{page.slug}.html").write_text(text.format(page.title, "2025-01-02T03:04:05Z"))
    (out / FOLDER).mkdir(exist_ok=True)
    origin = {
        "title": page.title,
        "notebook": [page.notebook.name, "0"],
        "group": page.group,
        "kind": page.kind,
        "trusts": dict(page.trusts),
        "parameters": dict(page.parameters),
    }
    note = {"made_from": origin, "headline": {"text": f"About {page.slug}.", "facts": facts or {}}}
    (out / FOLDER / f"{page.slug}.json").write_text(json.dumps(note))


def made(page: Page, **facts) -> Outcome:
    return Outcome(page, True, 1.0, None, {"text": f"About {page.slug}.", "facts": facts})


def cards(tree: Tree) -> list[str]:
    return [around[-1][1].get("id") for tag, _, around in tree.tags if tag == "h4"]


def row(text: str, name: str) -> str:
    """The text of a trust's row without its name."""
    found = next(part for part in text.split("<tr>") if f'<th scope="row">{name} <' in part)
    return Tree(found[: found.index("</tr>")].partition("</th>")[2]).text


def test_each_rank_stands_beside_the_page_of_its_own_quarter(tmp_path):
    one = page("p-q1", trusts={"RAA": "A Trust"}, notebook="06.ipynb", trust="RAA")
    four = page("p-q4", "Q4 2025/26", trusts={"RAA": "A Trust"}, notebook="06.ipynb", trust="RAA")
    put(tmp_path, four, {"Rank": 9, "Segment": 3})
    text = index_html([made(one, Rank=2, Segment=1)], tmp_path, PROVENANCE)
    assert row(text, "A Trust").startswith("Q1 2025/26: rank 2, segment 1; Q4 2025/26: rank 9, segment 3")


def test_the_order_of_pages_does_not_depend_on_which_run_made_them(tmp_path):
    trusts = {"RAA": "A Trust"}
    books = [("m-q1", "Q1 2025/26", "05.ipynb"), ("l-q1", "Q1 2025/26", "01.ipynb"), ("l-q4", "Q4 2025/26", "01.ipynb")]
    books.append(("l-q1-26", "Q1 2026/27", "01.ipynb"))
    pages = [page(slug, group, book, trusts) for slug, group, book in books]
    for each in pages:
        put(tmp_path, each)
    for now in ([], [pages[2]], [pages[0], pages[3]], pages[::-1]):
        text = index_html([made(each) for each in now], tmp_path, PROVENANCE)
        assert cards(Tree(text)) == ["l-q1", "m-q1", "l-q4", "l-q1-26"]
        assert row(text, "A Trust") == "–Q1 2025/26, Q4 2025/26, Q1 2026/27"


def test_a_page_that_failed_says_so_on_the_earlier_one_too_and_no_id_is_given_twice(tmp_path):
    put(tmp_path, page("good"))
    put(tmp_path, page("bad"))
    text = index_html([Outcome(page("bad"), False, 1.0, 'ValueError: <no> & "none"')], tmp_path, PROVENANCE)
    tree = Tree(text)
    assert audit(text) == []
    assert 'This page failed. ValueError: <no> & "none"' in tree.text
    assert "0 pages made on" in tree.text
    assert "; 1 left here by earlier runs and not looked at now; 1 page failed: see why." in tree.text
    assert "a page of an earlier one names its own at its foot" in tree.text
    assert tree.text.count("2 January 2025; not looked at in this one.") == 1
    assert tree.text.count("2 January 2025; this run could not make it again: see why.") == 1
    ids = {attrs["id"] for _, attrs, _ in tree.tags if "id" in attrs}
    assert {a["href"][1:] for a in tree.all("a") if a["href"].startswith("#")} <= ids


@pytest.mark.parametrize("time", ["yesterday", "", "2025-13-01T00:00:00Z"])
def test_a_page_of_no_known_time_is_not_ours(tmp_path, time):
    (tmp_path / "other.html").write_text(f'<title>Other</title>\n<meta name="nofcore-made" content="{time}">')
    assert "Other</a>" not in index_html([], tmp_path, PROVENANCE)


@pytest.mark.parametrize("note", ["{", "[]", "{}", '{"made_from": {}, "headline": null}', "null"])
def test_a_page_whose_note_is_spoilt_is_linked_without_it(tmp_path, note):
    put(tmp_path, page("old"))
    (tmp_path / FOLDER / "old.json").write_text(note)
    assert '<a href="old.html">Title of old</a> (2 January 2025)' in index_html([], tmp_path, PROVENANCE)


def test_205_profiles_of_two_quarters_and_names_that_are_no_html_fit_in_300_kb(tmp_path):
    outcomes = [made(page("league", trusts=NAMES))]
    for quarter in ("Q1 2025/26", "Q4 2025/26"):
        for code, name in NAMES.items():
            slug = f"trust-profile-{code.lower()}-{quarter[:2].lower()}-2025-26"
            profile = page(slug, quarter, "06_trust_profile.ipynb", {code: name}, trust=code)
            outcomes.append(made(profile, Rank=134, Segment=4))
    text = index_html(outcomes, tmp_path, PROVENANCE)
    assert len(text.encode()) <= 300_000
    tree = Tree(text)
    links = [a["href"] for a in tree.all("a")]
    assert sum(link.startswith("trust-profile-") for link in links) == 410
    assert sum(link.startswith("league.html#trust=") for link in links) == 205
    assert audit(text) == []
    assert all(name in tree.text for name in NAMES.values())


def test_without_a_script_the_whole_list_shows_and_the_search_does_not(tmp_path):
    """What cannot work without a script is hidden until the script shows it."""
    text = index_html([made(page("league", trusts={"RAA": "A Trust"}))], tmp_path, PROVENANCE)
    tree = Tree(text)
    assert [("hidden" in form) for form in tree.all("form")] == [True]
    assert not any("hidden" in line for line in tree.all("tr"))
    assert "form.hidden = false" in text


def test_the_index_opens_with_what_is_said_of_the_rules(tmp_path):
    page_ = index_html([], tmp_path, {**PROVENANCE, "opening": ["Boards <only> are ranked.", "By one rule."]})
    assert '<p class="lead">Boards &lt;only&gt; are ranked.</p>' in page_
    assert "<p>By one rule.</p>" in page_
    assert "every NHS trust" not in index_html([], tmp_path, PROVENANCE)
