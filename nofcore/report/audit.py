"""A last look at a page before it is published: does it stand on its own, and can everyone read it?"""

import re
from collections import Counter
from html.parser import HTMLParser

# Attributes by which a browser fetches something without being asked; a link in <a> waits for the reader.
LOADING = {"src", "srcset", "poster", "data", "background", "href", "xlink:href"}
FOLLOWED = {"a", "area"}
LOCAL = ("data:", "#")
STYLE_LOAD = re.compile(r"@import|url\(\s*['\"]?(?!data:|#|['\"\s])", re.IGNORECASE)


def audit(html: str) -> list[str]:
    """Problems of an HTML page, in order of appearance; an empty list if there are none."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    repeated = [name for name, count in reader.ids.items() if count > 1]
    if repeated:
        reader.problems.append(f"ids used more than once: {', '.join(repeated)}")
    if reader.headings != 1:
        reader.problems.append(f"{reader.headings} headings of level 1 where a page has one")
    return reader.problems


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.ids: Counter[str] = Counter()
        self.headings = 0
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._in_style = tag == "style"
        self.headings += tag == "h1"
        if "id" in values:
            self.ids[values["id"]] += 1
        if tag == "img" and "alt" not in values:
            self.problems.append("an image without a text alternative in HTML output")
        for name in LOADING & values.keys():
            if tag not in FOLLOWED and not values[name].strip().startswith(LOCAL):
                self.problems.append(f"<{tag}> loads {values[name][:80]!r}")
        if STYLE_LOAD.search(values.get("style", "")):
            self.problems.append(f"the style of <{tag}> loads a file")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        if self._in_style and STYLE_LOAD.search(data):
            self.problems.append("a style sheet loads a file")

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False
