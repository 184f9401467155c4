"""Figures that many tests look at."""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from hypothesis import settings

from nofcore import release

# How long an example takes says more about the machine than about the kit; speed is measured in benchmarks/. What is
# judged with CI set is the change at hand, by the same examples each time; elsewhere, and in `make fuzz`, they are new.
settings.register_profile("kit", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("kit")

OFFICIAL = Path(__file__).parents[2] / "shared" / "data" / "official"


@pytest.fixture(autouse=True)
def no_figure_left_open():
    """A chart that is looked at but not shown would stay in memory."""
    yield
    plt.close("all")


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
