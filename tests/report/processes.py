"""Runs of `make_pages` in a process of their own, and what they leave behind."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MARK = "NOFCORE_TEST_RUN"


class Run:
    """A script in a process of its own, with a folder for temporary files of its own.

    Every process that comes of it, however far down, carries its mark in its environment.
    """

    def __init__(self, script: Path, *arguments: object, temporary: Path):
        self.temporary = temporary
        self._mark = f"{MARK}={script}"
        self.process = subprocess.Popen(
            [sys.executable, str(script), *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary), MARK: str(script)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def processes(self) -> list[int]:
        """Those that are alive."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                marked = self._mark.encode() in (folder / "environ").read_bytes().split(b"\0")
                alive = (folder / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
            except OSError:
                continue
            if marked and alive:
                found.append(int(folder.name))
        return found

    def left(self) -> list[str]:
        """The command lines of processes and the names of temporary files, once they have had time to go."""
        soon(lambda: not self.processes() and not self._files())
        return [command(process) for process in self.processes()] + self._files()

    def _files(self) -> list[str]:
        """But for the folder of a socket that multiprocessing itself leaves if it is killed."""
        return [path.name for path in self.temporary.iterdir() if not path.name.startswith("pymp-")]


def command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def soon(condition: Callable[[], object], seconds: float = 20) -> bool:
    """Whether the condition holds within so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False
