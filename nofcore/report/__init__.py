"""Notebooks made into pages: parameters in, one self-contained HTML file a page and an index out.

`make_pages` runs the pages; `Headline` is what a notebook displays to put its findings on the index.
Importing this package is cheap: papermill and nbconvert are imported by the workers alone.
"""

from .headline import Headline
from .page import Outcome, Page
from .runner import make_pages

__all__ = ["Headline", "Outcome", "Page", "make_pages"]
