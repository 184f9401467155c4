"""What the notebooks import, imported once in the process that their kernels are forked from.

Nothing here may compute with arrays or start a thread: a fork copies locks that no one then releases.
"""

import builtins
import contextlib
import importlib

PACKAGES = ("ipykernel.kernelapp", "nofcore.charts", "nofcore.findings", "nofcore.tables", "nofcore.reproduce")
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


def preload() -> None:
    """Import the modules and read the embedded data. What fails here fails again, and is told, in a notebook."""
    builtins.get_ipython = ZMQInteractiveShell
    for name in (*PACKAGES, *LATE):
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    with contextlib.suppress(Exception):
        from nofcore import release

        release.embedded()
    del builtins.get_ipython
