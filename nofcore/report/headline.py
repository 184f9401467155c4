"""The findings of a page in one paragraph, shown on the page and read back for the index."""

import html
import json
import re
from collections.abc import Mapping

from .page import check_plain

MIME = "application/vnd.nofcore.headline+json"
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Headline:
    """Display one of these near the top of a notebook.

    text: one paragraph of plain text.
    facts: the figures behind it, label to value; the labels are shown to readers. The key "downloads" is set
        apart: names of files that the notebook wrote into the folder that the environment variable
        NOFCORE_PAGE_FOLDER names, as a list or with what each holds; they are moved beside the page and linked.

    >>> Headline("All ranks agree.", {"ranks reproduced": "205 of 205"}).facts
    {'ranks reproduced': '205 of 205'}
    """

    def __init__(self, text: str, facts: Mapping[str, object] | None = None) -> None:
        self.text = text
        self.facts = dict(facts or {})
        check_plain(self.facts, "headline facts")
        for name in self.facts.get("downloads", []):
            if not FILE_NAME.fullmatch(name):
                raise ValueError(f"download {name!r}: give the name of a file without folders or spaces")

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        return {
            "text/plain": self.text,
            "text/html": f'<p class="lead">{html.escape(self.text)}</p>',
            MIME: {"text": self.text, "facts": self.facts},
        }


def read_headline(notebook) -> dict | None:
    """The headline of an executed notebook as {"text", "facts"}, or None; ValueError if it has several."""
    found = [
        output.data[MIME]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if MIME in output.get("data", {})
    ]
    if len(found) > 1:
        raise ValueError(f"a notebook displays one headline, this one {len(found)}")
    plain = json.loads(json.dumps(found))  # nbformat has dictionaries of its own
    return Headline(**plain[0])._repr_mimebundle_()[MIME] if plain else None
