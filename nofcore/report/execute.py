"""Run one notebook with papermill, in a kernel that is the interpreter of this process."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

START_TIMEOUT = 60  # seconds
IPC_PATH_LIMIT = 90  # characters; the system allows about 104 for a socket with its suffix


@contextlib.contextmanager
def _absent(name: str) -> Iterator[None]:
    """Make the import of a module fail inside the block, as if it were not installed."""
    missing = name not in sys.modules
    if missing:
        sys.modules[name] = None
    try:
        yield
    finally:
        if missing:
            del sys.modules[name]


# jsonschema (behind nbformat) takes this module if it can, for a check of web addresses that notebooks do not
# need; it compiles a grammar at import and costs 2 s, more than all the rest together.
with _absent("rfc3987_syntax"):
    import papermill

from jupyter_client.kernelspec import KernelSpec  # noqa: E402
from jupyter_client.manager import AsyncKernelManager  # noqa: E402
from nbconvert.preprocessors.coalescestreams import CoalesceStreamsPreprocessor  # noqa: E402
from papermill.engines import NBClientEngine, papermill_engines  # noqa: E402
from traitlets import Unicode  # noqa: E402
from traitlets.config import Config  # noqa: E402

from . import leaving  # noqa: E402
from .provisioner import kernel_provisioner  # noqa: E402
from .warm import folder_of, import_path  # noqa: E402


class OwnKernel(AsyncKernelManager):
    """A kernel of this interpreter with this nofcore, whatever kernel specifications are installed."""

    page_folder = Unicode(help="where a notebook writes its downloads").tag(config=True)
    page_name = Unicode(help="what the names of its downloads begin with").tag(config=True)
    server = Unicode(help="the address of a server that forks kernels; none: the kernel starts cold").tag(config=True)

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name="Python 3",
            language="python",
            env={
                "PYTHONPATH": import_path(),
                # A start-up script in the user's own IPython profile must not change a result.
                "IPYTHONDIR": str(Path(self.connection_file).parent),
                "NOFCORE_PAGE_FOLDER": self.page_folder,
                "NOFCORE_PAGE_NAME": self.page_name,
            },
            metadata=kernel_provisioner(self.server) if self.server else {},
        )

    async def _async_launch_kernel(self, kernel_cmd: list[str], **options) -> None:
        await super()._async_launch_kernel(kernel_cmd, **options)
        leaving.started(self.provisioner.process)


class PageEngine(NBClientEngine):
    """Papermill's engine, which saves the notebook before and after every cell; this one, when the run has ended.

    What a cell prints is one output for each stretch, however often the kernel happened to send what it had.
    """

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, **options):
        executed, nb_man.output_path = nb_man.output_path, None
        try:
            super().execute_managed_notebook(nb_man, kernel_name, **options)
        finally:
            nb_man.output_path = executed
            CoalesceStreamsPreprocessor().preprocess(nb_man.nb, {})


papermill_engines.register("nofcore", PageEngine)


def declared(notebook: Path) -> list[str]:
    """The names in the notebook's parameters cell."""
    return list(papermill.inspect_notebook(str(notebook)))


def execute(
    notebook: Path,
    executed: Path,
    parameters: Mapping[str, object],
    *,
    working_folder: Path,
    cell_timeout: int,
    server: str | None = None,
):
    """Run a notebook; write the executed notebook beside its downloads and return it.

    working_folder: the current directory of the kernel.
    cell_timeout: seconds allowed to one cell.
    server: the address of a `nofcore.report.warm.Server` that forks the kernel; None: it starts cold.
    Raises papermill's or nbclient's error if a cell fails; `executed` then holds what was reached.
    """
    # A folder of its own, with a short path, for the sockets, the connection file and IPython's profile.
    with tempfile.TemporaryDirectory(prefix="nof-", dir=folder_of(server), ignore_cleanup_errors=True) as runtime:
        result = papermill.execute_notebook(
            str(notebook),
            str(executed),
            parameters=dict(parameters),
            engine_name="nofcore",
            kernel_name="python3",
            language="python",
            progress_bar=False,
            start_timeout=START_TIMEOUT,
            execution_timeout=cell_timeout,
            kernel_manager_class=OwnKernel,
            shutdown_kernel="immediate",
            resources={"metadata": {"path": str(working_folder)}},
            config=Config(
                KernelManager={
                    "transport": _transport(runtime),
                    "connection_file": str(Path(runtime) / "kernel.json"),
                },
                OwnKernel={
                    "page_folder": str(executed.parent),
                    "page_name": executed.stem,
                    "server": server or "",
                },
            ),
        )
    return result


def _transport(runtime: str) -> str:
    """Sockets in the file system where there are such: any user of the machine can reach a TCP port."""
    return "ipc" if os.name == "posix" and len(runtime) < IPC_PATH_LIMIT else "tcp"


def one_line(error: Exception) -> str:
    """Type, message and cell of a failure in one short line."""
    if isinstance(error, papermill.PapermillExecutionError):
        first = next((line for line in error.source.splitlines() if line.strip()), "")
        return f"{_first_line(error.ename, error.evalue)} (cell {error.cell_index + 1}: {first.strip()[:80]})"
    return _first_line(type(error).__name__, str(error))


def _first_line(kind: str, message: str) -> str:
    lines = message.strip().splitlines()
    return f"{kind}: {lines[0][:300]}" if lines else kind
