"""The rules that ship with the kit."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from nofcore.framework.parts import year_of
from nofcore.framework.reading import load
from nofcore.framework.rules import Framework

FOLDER = Path(__file__).parents[1] / "frameworks"


@lru_cache(maxsize=1)
def shipped() -> Mapping[str, Path]:
    """The framework files of the kit, by year."""
    return {path.stem.replace("-", "/", 1): path for path in sorted(FOLDER.glob("*.toml"))}


def newest() -> Framework:
    """The rules of the latest year that the kit knows."""
    return _shipped(shipped()[max(shipped())])


def for_quarter(quarter: str) -> Framework | None:
    """The rules that ship with the kit for a quarter, or None where the kit has none for its year."""
    path = shipped().get(year_of(quarter))
    return _shipped(path) if path else None


def is_own(rules: Framework | None, quarter: str) -> bool:
    """Whether rules are a user's own: others than the kit has for the quarter."""
    return rules is not None and rules != for_quarter(quarter)


@lru_cache
def _shipped(path: Path) -> Framework:
    return load(path)
