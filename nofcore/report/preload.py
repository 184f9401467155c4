"""What the notebooks import, imported once in the process that their kernels are forked from.

Nothing here may compute with arrays or start a thread: a fork copies locks that no one then releases.
"""

import builtins
import contextlib
import importlib
import pkgutil

ALWAYS = ("ipykernel.kernelapp", "nofcore.reproduce", "nofcore.report.downloads", "nofcore.report.headline")
PAGES = ("nofcore.charts", "nofcore.findings", "nofcore.tables")
"""Packages with a module for each page."""
LATE = (
    "IPython.core.completerlib", "IPython.core.debugger", "IPython.core.oinspect", "IPython.core.pylabtools",
    "IPython.extensions.storemagic", "ipykernel.debugger", "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg", "pandas.core.reshape.reshape",
    "pandas.io.formats.string", "sqlite3", "tornado.platform.asyncio", "tornado.queues",
)  # fmt: skip
"""What the packages import only when a kernel starts or a chart is drawn. Not ``matplotlib_inline``, the back
end of the charts: on import it makes itself known to the notebook that runs."""


class ZMQInteractiveShell:
    """Stands for the shell of a kernel while there is none: libraries look for it when they are imported, and
    pandas shows tables narrower where it finds none."""

    kernel = True


def preload(page: str | None = None) -> None:
    """Import the modules and read the embedded data. What fails here fails again, and is told, in a notebook.

    ``page``: the name of the modules for the pages that will be made, where all are of one kind; None for all modules.
    """
    builtins.get_ipython = ZMQInteractiveShell
    for name in (*ALWAYS, *_of_pages(page), *LATE):
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    with contextlib.suppress(Exception):
        from nofcore import release

        release.embedded()
    del builtins.get_ipython


def _of_pages(page: str | None) -> list[str]:
    """The modules for one kind of page, or for all."""
    packages = [importlib.import_module(name) for name in PAGES]
    found = [module.name for each in packages for module in pkgutil.iter_modules(each.__path__, f"{each.__name__}.")]
    return [name for name in found if page is None or name.endswith(f".{page}")]
