"""Notebooks made into pages: parameters in, one self-contained HTML file a page and an index out.

`make_pages` runs the pages; `Headline` is what a notebook displays to put its findings on the index.
Importing this package is cheap: a module is imported when something in it is first asked for, papermill and nbconvert
by the workers alone.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={"headline": ["Headline"], "page": ["Outcome", "Page"], "runner": ["make_pages"]},
)
