"""NHS England's own files: nothing is wrong with them, in whatever company they come."""

from __future__ import annotations

import shutil
from itertools import combinations

import pytest

from nofcore import check

ACUTE, AMBULANCE, COMMUNITY, LEAGUE = (
    f"nhs-oversight-framework-{name}.csv"
    for name in (
        "acute-trust-data",
        "ambulance-trust-data-q4-25-26",
        "mental-health-and-community-trust-data-q4-25-26",
        "mental-health-and-community-trust-league-table-q4-25-26",
    )
)
FILES = (ACUTE, AMBULANCE, COMMUNITY, LEAGUE)
TOGETHER = [chosen for size in range(1, 5) for chosen in combinations(FILES, size)]


@pytest.mark.parametrize("chosen", TOGETHER, ids=lambda names: "+".join(str(FILES.index(name)) for name in names))
def test_no_false_alarm_on_the_files_of_nhs_england(official_folder, tmp_path, chosen):
    for name in chosen:
        shutil.copy(official_folder / name, tmp_path / name)
    found = check.check(tmp_path).findings[0]
    assert found.problems == ()
    assert sum(entry.compared for entry in found.rederived) > 100
    assert all(entry.agree + entry.open == entry.compared for entry in found.rederived)
