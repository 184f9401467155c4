"""Everything that is wrong with a file, a folder or a framework file, in one go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nofcore import framework, release
from nofcore.errors import InputError, Problem, one_line


@dataclass(frozen=True)
class Finding:
    """What `check` found of one path: the problems, and what is fine, in words."""

    path: Path
    problems: tuple[Problem, ...]
    summary: tuple[str, ...]

    def as_dict(self) -> dict:
        """For JSON: path, ok, problems (file, row, column, message) and summary."""
        return {
            "path": str(self.path),
            "ok": not self.problems,
            "problems": [problem.as_dict() for problem in self.problems],
            "summary": list(self.summary),
        }

    def __str__(self) -> str:
        count = f"{len(self.problems)} problem{'' if len(self.problems) == 1 else 's'}"
        lines = [f"{one_line(str(self.path))}: {count if self.problems else 'no problem found'}"]
        lines += [f"  {problem}" for problem in self.problems]
        lines += [f"  {line}" for line in self.summary]
        return "\n".join(lines)


def check(path: Path) -> Finding:
    """Check a CSV file, a folder of CSV files or a framework file (.toml)."""
    try:
        if path.suffix.lower() == ".toml":
            return Finding(path, (), (_about_framework(framework.load(path)),))
        archive = release.read(path) if path.is_dir() else release.read_files([path], path.name)
    except InputError as error:
        return Finding(path, error.problems, ())
    return Finding(path, (), (*_about_figures(archive), *archive.notes))


def _about_framework(rules: framework.Framework) -> str:
    return (
        f"{rules.title}: {len(rules.metric)} metrics, {len(rules.domain)} domains, {len(rules.trust_types)} trust types"
    )


def _about_figures(archive: release.Archive) -> list[str]:
    lines = []
    for quarter in archive.quarters:
        figures = archive.release(quarter)
        types = figures.trusts["trust_type"].value_counts().sort_index()
        counted = ", ".join(f"{name}: {count} trusts" for name, count in types.items())
        lines.append(f"{quarter}: {counted}; {len(figures.observations):,} metric rows")
    return lines
