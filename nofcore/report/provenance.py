"""Where a result comes from: inputs, rules, software, commit and time. No paths and no host names."""

import hashlib
import platform
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "nofcore", "numpy", "pandas", "scipy", "matplotlib", "seaborn", "great-tables", "itables", "papermill", "nbconvert"
)  # fmt: skip


def collect(
    inputs: Mapping[str, Path] | Iterable[Path] = (), framework: Path | None = None, reproduced: str | None = None
) -> dict:
    """Provenance of a run, ready for JSON.

    inputs: the files read, with a label each or under their own names.
    framework: the file of rules in force.
    reproduced: how many published figures the rules rebuild, in words; None where that was not looked at.

    Returns {"inputs": [{"name", "sha256"}], "framework": {"name", "sha256"} or None, "reproduced", "packages": {name:
    version}, "python": version, "git": {"commit", "changed"} or None, "time": ISO 8601 in UTC}.
    """
    named = inputs if isinstance(inputs, Mapping) else {Path(path).name: path for path in inputs}
    return {
        "inputs": [{"name": name, "sha256": sha256(path)} for name, path in named.items()],
        "framework": {"name": Path(framework).name, "sha256": sha256(framework)} if framework else None,
        "reproduced": reproduced,
        "packages": versions(),
        "python": platform.python_version(),
        "git": git_state(Path(__file__).parent),
        "time": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Versions of the packages named; one that is not installed says so."""
    return {name: _version(name) for name in packages}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed as a package"


def git_state(folder: Path) -> dict | None:
    """{"commit", "changed"} of the repository that tracks the folder; None without git or such a repository.

    A folder that a repository around it ignores (an environment inside a checkout) does not count.
    """
    if not _git(folder, "ls-files", "--error-unmatch", "."):
        return None
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return None
    return {"commit": commit, "changed": _git(folder, "status", "--porcelain") != ""}


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints, stripped; None if git is absent or refuses."""
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
