"""Figures that many tests look at."""

from pathlib import Path

import pytest

from nofcore import release

OFFICIAL = Path(__file__).parents[2] / "shared" / "data" / "official"


@pytest.fixture(scope="session")
def archive() -> release.Archive:
    """The embedded data."""
    return release.embedded()


@pytest.fixture(scope="session")
def official_folder() -> Path:
    """NHS England's own files, which are not part of the repository."""
    if not OFFICIAL.is_dir():
        pytest.skip(
            f"needs NHS England's files in {OFFICIAL.parents[2].name}/.../{OFFICIAL.name} beside the repository"
        )
    return OFFICIAL
