"""Markdown and HTML fragments put into the shape of a page: sections, ids, tables that scroll."""

import html
import re
from collections import Counter
from dataclasses import dataclass

import mistune

PLUGINS = ("table", "strikethrough")
# Ids that the page itself uses.
TAKEN = ("main", "contents", "provenance", "page-title", "files", "find", "find-trust", "find-list", "find-said")
TABLE_PARTS = re.compile(
    r"<script\b.*?</script\s*>|<style\b.*?</style\s*>|<!--.*?-->|<table\b[^>]*>|</table\s*>",
    re.DOTALL | re.IGNORECASE,
)
CAPTION = re.compile(r"<caption\b[^>]*>(.*?)</caption", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """A line of the contents list."""

    id: str
    title: str


class Outline:
    """The sections of one page, built up while its cells are rendered in order.

    Every level-2 heading opens a section. A level-1 heading that comes first is left out, because the title
    of the page stands in its place; later ones count as level 2.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._ids = Counter(TAKEN)
        self._tables = 0
        self._headings = 0

    def prose(self, source: str) -> str:
        """HTML of a Markdown cell, whose author is the author of the notebook: raw HTML passes."""
        return self._render(source, escape=False)

    def data_prose(self, source: str) -> str:
        """HTML of Markdown made by code: it may carry data, so raw HTML is shown as text."""
        return self._render(source, escape=True)

    def fragment(self, source: str) -> str:
        """HTML made by code, with every table in a container of its own that scrolls."""
        pieces, depth, start = [], 0, 0
        for part in TABLE_PARTS.finditer(source):
            tag = part.group().lower()
            if tag.startswith("<table"):
                if depth == 0:
                    pieces.append(source[start : part.start()])
                    start = part.start()
                depth += 1
            elif tag.startswith("</table") and depth:
                depth -= 1
                if depth == 0:
                    pieces.append(self._scrolling(source[start : part.end()]))
                    start = part.end()
        return "".join([*pieces, source[start:]])

    def close(self) -> str:
        """The end of the last section, if one is open."""
        return "</section>\n" if self.entries else ""

    def _render(self, source: str, escape: bool) -> str:
        tokens, state = mistune.create_markdown(renderer=None, plugins=PLUGINS).parse(source)
        renderer = mistune.create_markdown(escape=escape, plugins=PLUGINS).renderer
        return "".join(self._block(token, renderer, state) for token in tokens)

    def _block(self, token: dict, renderer, state) -> str:
        if token["type"] != "heading":
            return self.fragment(renderer([token], state))
        level = token["attrs"]["level"]
        self._headings += 1
        if level == 1 and self._headings == 1:
            return ""
        inner = renderer.render_tokens(token["children"], state)
        title = _text(inner)
        name = self._unique(title)
        if level > 2:
            return f'<h{level} id="{name}">{inner}</h{level}>\n'
        end = self.close()
        self.entries.append(Entry(name, title))
        start = f'<section id="{name}" aria-labelledby="{name}-heading">'
        return f'{end}{start}\n<h2 id="{name}-heading">{inner}</h2>\n'

    def _unique(self, title: str) -> str:
        name = stem(title)
        self._ids[name] += 1
        return name if self._ids[name] == 1 else self._unique(f"{name}-{self._ids[name]}")

    def _scrolling(self, table: str) -> str:
        self._tables += 1
        caption = CAPTION.search(table)
        about = _text(caption.group(1)) if caption else self.entries[-1].title if self.entries else "summary"
        label = html.escape(f"Table {self._tables}: {about}")
        return f'<div class="scroll" role="region" tabindex="0" aria-label="{label}">{table}</div>'


def headings(source: str, level: int) -> list[str]:
    """The texts of a Markdown cell's headings of a level."""
    create = mistune.create_markdown
    tokens, state = create(renderer=None, plugins=PLUGINS).parse(source)
    found = [token for token in tokens if token["type"] == "heading" and token["attrs"]["level"] == level]
    renderer = create(plugins=PLUGINS).renderer
    return [_text(renderer.render_tokens(token["children"], state)) for token in found]


def stem(title: str) -> str:
    """A title as an id, or as part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "section"


def _text(fragment: str) -> str:
    """The text of a piece of HTML."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", fragment)).split())
