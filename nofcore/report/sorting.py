"""The library that sorts and searches tables in a page: DataTables, as the itables package ships it."""

import base64
import gzip
from functools import cache
from importlib.util import find_spec
from pathlib import Path

MARK = "data-sortable"
"""A table with this attribute can be sorted and searched by the reader."""


@cache
def datatables() -> str:
    """DataTables, an ES module, gzipped and in base64: a page carries it itself and unpacks it."""
    package = Path(find_spec("itables").origin).parent  # to import it takes longer than to make a page
    source = (package / "html" / "dt_bundle.js").read_bytes()
    return base64.b64encode(gzip.compress(source, mtime=0)).decode("ascii")
