"""A user's own scenarios and weights, checked before anything is worked out from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nofcore import scenarios, weights
from nofcore.errors import InputError, Problem
from nofcore.framework import Framework
from nofcore.scenarios import Scenario


def read(
    files: Sequence[Path | str] = (), weighting: Path | str | None = None, framework: Framework | None = None
) -> tuple[Scenario, ...]:
    """The scenarios in some files, and that of a file of weights, in this order.

    ``framework``: each must fit these rules, unless it speaks of another year. Raises InputError naming file
    and key for what is wrong, and for a key that another file or the kit uses already.
    """
    found = [scenario for path in files for scenario in scenarios.load(path)]
    if weighting is not None:
        found.append(weights.load(weighting))
    taken = {scenario.key: "the kit" for scenario in scenarios.shipped()}
    for scenario in found:
        file = scenario.where[0]
        if scenario.key in taken:
            message = f"key {scenario.key!r} is taken by a scenario of {taken[scenario.key]}; give it another"
            raise InputError(Problem(file, None, None, message))
        taken[scenario.key] = Path(file).name
    if framework is not None:
        for scenario in found:
            if scenario.year in (None, framework.year):
                scenarios.apply(framework, scenario)
    return tuple(found)
