"""TOML files of a user's own for `check`: frameworks, scenarios, weights and catalogues, told apart by their keys."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from nofcore import framework, toml_lines
from nofcore.errors import InputError, Problem
from nofcore.framework import Framework
from nofcore.wording import counted


def check(path: Path) -> str:
    """What a TOML file holds, in words. Raises InputError with everything that is wrong with it.

    A file with [[scenario]] holds scenarios, one with [weights] and nothing else weights, one with [[release]] a
    catalogue of releases; any other is taken for a framework.
    """
    _require_readable_again(path)
    keys = framework.read_toml(path, "framework").keys()
    kinds: list[tuple[bool, Callable[[Path], str]]] = [
        (bool({"scenario", "factor"} & keys), _scenarios),
        (keys == {"weights"}, _weights),
        ("release" in keys and "metric" not in keys, _catalogue),
    ]
    judge = next((judge for fits, judge in kinds if fits), _framework)
    try:
        return judge(path)
    except InputError as error:
        raise InputError(_with_line(problem, path) for problem in error.problems) from None


def _require_readable_again(path: Path) -> None:
    """A pipe is read out after its first reading, which only tells the kind of file; the next would wait for ever."""
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):  # noqa: PTH110, PTH112, PTH113 - see check
        raise InputError(Problem(str(path), None, None, "is a pipe or a device; save it as a file and check that"))


def _framework(path: Path) -> str:
    rules = framework.load(path)
    return (
        f"{rules.title}: {counted(len(rules.metric), 'metric')}, {counted(len(rules.domain), 'domain')}, "
        f"{counted(len(rules.trust_types), 'trust type')}"
    )


def _scenarios(path: Path) -> str:
    from nofcore import scenarios

    kits = path.resolve().parent == scenarios.FOLDER
    found = scenarios.load(path.resolve() if kits else path)
    problems: list[Problem] = []
    years = [problems.extend(_unfit(one)) or one.year for one in found]
    if problems:
        raise InputError(problems)
    named = ", ".join(scenario.key for scenario in found)
    of_year = f"; of {', '.join(sorted({year for year in years if year}))}" if any(years) else ""
    return f"{counted(len(found), 'scenario')}: {named}{of_year}"


def _weights(path: Path) -> str:
    from nofcore import weights

    found = weights.load(path)
    if problems := _unfit(found):
        raise InputError(problems)
    return f"weights: {counted(len(found.changes.weights), 'name')} weighed"


def _catalogue(path: Path) -> str:
    from nofcore import catalogue

    known = catalogue.read(path)
    return (
        f"catalogue: {counted(len(known.releases), 'release')} known with those of the kit, the latest {known.latest}"
    )


def _unfit(scenario) -> tuple[Problem, ...]:
    """Why a scenario fits the rules of none of the years that it may speak of; of the newest that it may."""
    from nofcore import scenarios

    problems: tuple[Problem, ...] = ()
    for year, path in sorted(framework.shipped().items()):
        if scenario.year not in (None, year):
            continue
        try:
            rules: Framework = framework.load(path)
            scenarios.apply(rules, scenario)
        except InputError as error:
            problems = problems or error.problems
        else:
            return ()
    if not problems:
        message = f"scenario {scenario.key!r} speaks of {scenario.year}, whose rules the kit does not have"
        return (Problem(scenario.where[0], None, None, message),)
    return problems


def _with_line(problem: Problem, path: Path) -> Problem:
    """A problem of a key with its line, where it has none yet."""
    found = re.match(r"key (.+?): ", problem.message)
    if problem.row or not found:
        return problem
    key: list[str | int] = []
    for part in re.sub(r" \([^()]*\)", "", found[1]).split("."):
        name, *places = re.split(r"\[(\d+)\]", part)
        key += [name, *(int(place) - 1 for place in places if place)]
    try:
        lines = toml_lines.lines(path.read_text("utf-8-sig"))
    except (OSError, ValueError):
        return problem
    return replace(problem, row=toml_lines.line_of(lines, key))
