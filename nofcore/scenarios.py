"""What if the rules were different: changes to a year's rules, as data.

A scenario is a named set of changes that makes another `Framework` of a year's rules, so that
`nofcore.league.build` and all that follows work with it as they are. The kit's scenarios stand in
``nofcore/frameworks/scenarios/*.toml``; a user's own file is written the same way:

    [[scenario]]
    key = "double-access"                 # short, unique
    name = "Access counts double"         # for tables and charts
    question = "What if waiting times weighed twice as much as anything else?"
    family = "weights"                    # optional, to group scenarios
    note = "Only an example."             # optional, for readers
    year = "2025/26"                      # optional: it speaks of the rules of this year alone
    [scenario.changes]
    weights = { access = 2 }

The keys of ``changes`` are those of `Changes`. Metrics, groups and domains are named by identifier,
key or name (`Framework.find`). Nothing else of the rules changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field as optional
from dataclasses import fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, WrapValidator
from pydantic.dataclasses import dataclass

from nofcore import framework as rules
from nofcore.errors import InputError, Problem
from nofcore.framework import (
    LARGEST_WEIGHT,
    STRICT,
    Combined,
    Domain,
    Framework,
    Freshness,
    Group,
    Metric,
    Override,
    Segments,
    Spreading,
    Text,
    Weight,
)

FOLDER = rules.FOLDER / "scenarios"
Flag = Annotated[bool, Field(strict=True)]
NONE = "none"
OFFICIAL_KEY = "official"
"""What results call the official rules, in place of the key of a scenario."""
SPREAD = ("rank", "standard", "floor")
"""Models that spread trusts over scores."""
_RESULTS = {"segments", "override", "ranking", "published", "title"}
"""Fields of a framework that change no average."""


def _checked_key(key: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", key):
        raise ValueError("must be small letters, digits and hyphens, such as 'double-access'")
    if key == OFFICIAL_KEY:
        raise ValueError("stands for the official rules in the results; give it another")
    return key


Key = Annotated[str, AfterValidator(_checked_key)]


def _none_or_override(value: Any, validate) -> Any:
    return NONE if value == NONE else validate(value)


@dataclass(frozen=True, config=STRICT)
class Changes:
    """What a scenario changes, in the order in which it is done. What is not named stays.

    ``separate``: groups and combined scores whose parts are averaged each by itself; ``metric``: keys
    of a metric or combined score by its name, as in a framework file; ``pools``: "type" scores every
    trust within its own type, "all" over all types; ``standards``, ``floors``: false scores such
    metrics by rank alone; ``scoring``: how trusts are spread over scores in every metric that does so
    (`Spreading`); ``leave_out``: metrics, groups, combined scores or domains; ``weights``: by name of
    an item or a domain, 1 where not named; ``weigh``, ``aggregation``, ``decimals``: see
    `nofcore.framework.Average` (``how`` is the aggregation); ``rounded_first``: "none" rounds no score
    before it is averaged; ``older_than``: figures to leave out (`Freshness`); ``segments``: the whole
    rule; ``override``: the whole rule, or "none"; ``ranking``: by "segment" or by "average" alone.
    """

    separate: tuple[Text, ...] = ()
    metric: Mapping[Text, Mapping[Text, Any]] = optional(default_factory=dict)
    pools: Literal["all", "type"] | None = None
    standards: Flag = True
    floors: Flag = True
    scoring: Spreading | None = None
    leave_out: tuple[Text, ...] = ()
    weights: Mapping[Text, Weight] = optional(default_factory=dict)
    weigh: Literal["items", "domains"] | None = None
    aggregation: Literal["arithmetic", "geometric", "median"] | None = None
    decimals: Literal[2, 6] | None = None
    rounded_first: Literal["none"] | None = None
    older_than: Freshness | None = None
    segments: Segments | None = None
    override: Annotated[Override | None, WrapValidator(_none_or_override)] = None
    ranking: Literal["segment", "average"] | None = None


@dataclass(frozen=True, config=STRICT)
class _Written:
    """A scenario as it stands in a file."""

    key: Key
    name: Text
    question: Text
    changes: Changes
    family: Text = "own"
    note: str = ""
    year: Annotated[str, Field(pattern=r"^20\d\d/\d\d$")] | None = None


@dataclass(frozen=True, config=STRICT)
class Scenario(_Written):
    """A named set of changes. ``where``: file, and the key that its changes stand under, for errors."""

    where: tuple[str, str] = ("", "")

    def problem(self, key: str, message: str) -> InputError:
        """An error in this scenario; ``key``: within its changes."""
        file, place = self.where
        return InputError(Problem(file, None, None, f"key {'.'.join(filter(None, (place, key)))}: {message}"))


@dataclass(frozen=True, config=STRICT)
class Factor:
    """A choice of method: the official rule, or one of some scenarios by key. For `nofcore.sobol`."""

    key: Key
    name: Text
    alternatives: Annotated[tuple[Key, ...], Field(min_length=1)]


@dataclass(frozen=True, config=STRICT)
class _File:
    scenario: tuple[_Written, ...] = ()
    factor: tuple[Factor, ...] = ()


# --- files ----------------------------------------------------------------------------------------


def load(path: Path | str) -> tuple[Scenario, ...]:
    """The scenarios in a file. Raises InputError naming the file and every key that is wrong.

    Names of metrics, groups and domains are judged by `apply`, which knows the rules. Choices to cross are
    the kit's own: a file that names some would not be heard, so it is an error.
    """
    found, crossed = _read(Path(path))
    if crossed and not all(map(is_shipped, found)):
        raise InputError(
            Problem(str(path), None, None, "key factor: only the kit's own choices are crossed; remove it")
        )
    return found


def shipped() -> tuple[Scenario, ...]:
    """The scenarios of the kit."""
    return _shipped()[0]


def is_shipped(scenario: Scenario) -> bool:
    """Whether a scenario is one of the kit's."""
    return Path(scenario.where[0]).parent == FOLDER


def factors() -> tuple[Factor, ...]:
    """The choices of method of the kit; their alternatives are keys of `shipped`."""
    return _shipped()[1]


@lru_cache(maxsize=1)
def _shipped() -> tuple[tuple[Scenario, ...], tuple[Factor, ...]]:
    files = [_read(path) for path in sorted(FOLDER.glob("*.toml"))]
    return tuple(s for found, _ in files for s in found), tuple(f for _, found in files for f in found)


def _read(path: Path) -> tuple[tuple[Scenario, ...], tuple[Factor, ...]]:
    content = rules.read_toml(path, "scenario")
    name = str(path)
    try:
        file = _adapter().validate_python(rules.as_tuples(content))
    except ValidationError as error:
        raise InputError(rules.problem(name, content, entry) for entry in error.errors()) from None
    found = tuple(
        Scenario(**_values(written), where=(name, f"scenario[{place}] ({written.key}).changes"))
        for place, written in enumerate(file.scenario, start=1)
    )
    if not found:
        raise InputError(Problem(name, None, None, "holds no [[scenario]]"))
    keys = [scenario.key for scenario in found]
    for scenario in found:
        if keys.count(scenario.key) > 1:
            raise InputError(Problem(name, None, None, f"key {scenario.key!r} is given twice"))
        if scenario.changes == Changes():
            raise scenario.problem("", "is empty; name at least one change")
    return found, file.factor


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter:
    return TypeAdapter(_File)


def _values(entry: Any) -> dict[str, Any]:
    return {field.name: getattr(entry, field.name) for field in fields(entry)}


# --- applying them --------------------------------------------------------------------------------


def apply(framework: Framework, *scenarios: Scenario) -> Framework:
    """The rules with the changes of some scenarios, one after the other.

    Metrics that are scored by other rules than before are marked ``rescored``: their scores are made
    from the values. Raises InputError naming file and key for a name that the rules do not know and
    for changes that do not fit them, and for a scenario that speaks of another year.
    """
    found = framework
    for scenario in scenarios:
        if scenario.year not in (None, framework.year):
            message = f"scenario {scenario.key!r} speaks of the rules of {scenario.year}, not of {framework.year}"
            raise InputError(Problem(scenario.where[0], None, None, message))
        found = _apply(found, scenario, framework)
    found = _mark_rescored(found, framework)
    if found == framework:
        return framework
    names = ", ".join(scenario.name for scenario in scenarios)
    segmented_anew = (found.segments, found.override) != (framework.segments, framework.override)
    return replace(
        found,
        title=f"{framework.title}, changed: {names}",
        published="averages" if segmented_anew and not changes_averages(found, framework) else framework.published,
    )


def changes_averages(changed: Framework, framework: Framework) -> bool:
    """Whether rules differ in more than how averages become segments and ranks."""
    names = {field.name for field in fields(framework)} - _RESULTS
    return any(getattr(changed, name) != getattr(framework, name) for name in names)


def kept(framework: Framework) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Scores that no change of scoring reaches: by lookup or read from such, and those not made from values."""
    lookups = [metric.score for metric in framework.metric if metric.model == "lookup"]
    lookups += [entry.score for entry in framework.combined]
    lookups += [f"{metric.score} in {unit}s" for metric in framework.metric for unit in metric.unit]
    return tuple(lookups), tuple(metric.score for metric in framework.metric if not metric.scorable)


def _apply(framework: Framework, scenario: Scenario, before: Framework) -> Framework:
    """``before``: the rules that no scenario has changed yet, to tell what is gone from what never was."""
    changes = scenario.changes
    for name in changes.separate:
        with _blamed(scenario, f"separate ({name})"):
            _still_there(name, framework, before)
            framework = _separate(framework, name)
    _check_entries(framework, scenario, before)
    for name, keys in changes.metric.items():
        with _blamed(scenario, f"metric.{name}"):
            framework = _change_entry(framework, name, keys)
    with _blamed(scenario, "scoring"):
        framework = replace(framework, metric=tuple(_rescore(metric, changes) for metric in framework.metric))
    for name in changes.leave_out:
        with _blamed(scenario, f"leave_out ({name})"):
            _still_there(name, framework, before)
            framework = _leave_out(framework, name)
    for name, weight in changes.weights.items():
        with _blamed(scenario, f"weights.{name}"):
            _still_there(name, framework, before)
            if weight > LARGEST_WEIGHT:
                raise ValueError(f"must be at most {LARGEST_WEIGHT:,}")
    if changes.segments:
        with _blamed(scenario, "segments"):
            for said in rules.off_scale(changes.segments, framework.scale):
                raise ValueError(said)
    with _blamed(scenario, ""):
        return replace(framework, **_new_rules(framework, changes))


def _still_there(name: str, framework: Framework, before: Framework) -> None:
    """Refuse a name that the rules do not know, or know no longer."""
    try:
        framework.find(name)
    except ValueError:
        before.find(name)
        raise ValueError("is left out or taken apart already, so nothing is left to change") from None


def _check_entries(framework: Framework, scenario: Scenario, before: Framework) -> None:
    """Refuse a metric that is changed twice: the later would win in silence."""
    seen: list[Any] = []
    for name in scenario.changes.metric:
        with _blamed(scenario, f"metric.{name}"):
            _still_there(name, framework, before)
            entry = framework.find(name)
            if any(entry is other for other in seen):
                raise ValueError("is changed already, under another name; put all of its keys under one")
            seen.append(entry)


def _new_rules(framework: Framework, changes: Changes) -> dict[str, Any]:
    """Fields of a framework that a scenario replaces as they are."""
    average = {"how": changes.aggregation, "weigh": changes.weigh, "decimals": changes.decimals}
    new = {
        "average": replace(framework.average, **{key: value for key, value in average.items() if value}),
        "weights": {**framework.weights, **changes.weights},
        "segments": changes.segments or framework.segments,
        "freshness": changes.older_than or framework.freshness,
        "ranking": changes.ranking or framework.ranking,
    }
    if changes.rounded_first:
        new["rounded_first"] = {}
    if changes.override:
        new["override"] = None if changes.override == NONE else changes.override
    return new


@contextmanager
def _blamed(scenario: Scenario, key: str) -> Iterator[None]:
    """Errors of the rules as errors of a key of the scenario."""
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        message = rules.said(first)
        if not key and (said := message.partition(": "))[0] in {field.name for field in fields(Changes)}:
            key, _, message = said
        raise scenario.problem(".".join(filter(None, [key, *map(str, first["loc"])])), message) from None
    except ValueError as error:
        raise scenario.problem(key, str(error)) from None


def _separate(framework: Framework, name: str) -> Framework:
    """Average the parts of a group or of a combined score each by itself."""
    entry = framework.find(name)
    if isinstance(entry, Group):
        metrics = tuple(replace(m, group=None) if m.group == entry.key else m for m in framework.metric)
        return _without(framework, metrics, group=tuple(g for g in framework.group if g != entry))
    if isinstance(entry, Combined):
        parts = {entry.rows, entry.columns}
        metrics = tuple(replace(m, averaged=True) if m.score in parts else m for m in framework.metric)
        return _without(framework, metrics, combined=tuple(c for c in framework.combined if c != entry))
    raise ValueError("is neither a group nor a combined score, so there is nothing to separate")


def _change_entry(framework: Framework, name: str, keys: Mapping[str, Any]) -> Framework:
    """Change keys of a metric or a combined score."""
    entry = framework.find(name)
    if not isinstance(entry, Metric | Combined):
        raise ValueError("is not a metric")
    if fixed := {"score", "value"} & set(keys):
        raise ValueError(f"{' and '.join(sorted(fixed))} cannot be changed: figures are known by it")
    if {"model", "standard", "floor"} & set(keys) and isinstance(entry, Metric):
        keys = {"unknown": (), "between": None} | dict(keys)  # who sets a rule knows it
    table = "metric" if isinstance(entry, Metric) else "combined"
    changed = tuple(replace(one, **keys) if one is entry else one for one in getattr(framework, table))
    return replace(framework, **{table: changed})


def _rescore(metric: Metric, changes: Changes) -> Metric:
    """A metric with another pool, standard, floor or spread."""
    if metric.model not in SPREAD:
        return metric
    # A pool of one type is the same by type; leaving it alone saves scoring it from the values.
    pool = changes.pools if changes.pools and len(metric.trust_types) > 1 else metric.pool
    new: dict[str, Any] = {"pool": pool, "spread": changes.scoring or metric.spread}
    if (metric.model == "standard" and not changes.standards) or (metric.model == "floor" and not changes.floors):
        new |= {"model": "rank", "standard": None, "floor": None, "unknown": (), "between": None}
    elif not metric.scorable:
        return metric  # it cannot be scored again, as its standard or floor is not known
    return replace(metric, **new)


def _leave_out(framework: Framework, name: str) -> Framework:
    """Leave a metric, group, combined score or domain out of the average."""
    entry = framework.find(name)
    if isinstance(entry, Metric):
        if not entry.averaged:
            of = next((c.short for c in framework.combined if entry.score in (c.rows, c.columns)), "nothing")
            raise ValueError(f"enters the average through {of} alone; leave that out, or separate it first")
        gone = {entry.score}
    elif isinstance(entry, Combined):
        gone = {entry.score}
    else:
        of = "group" if isinstance(entry, Group) else "domain"
        gone = {metric.score for metric in framework.metric if getattr(metric, of) == entry.key and metric.averaged}
        gone |= {c.score for c in framework.combined if isinstance(entry, Domain) and c.domain == entry.key}
    metrics = tuple(metric for metric in framework.metric if metric.score not in gone)
    used = {metric.group for metric in metrics}
    return _without(
        framework,
        metrics,
        group=tuple(group for group in framework.group if group.key in used),
        combined=tuple(combined for combined in framework.combined if combined.score not in gone),
    )


def _without(framework: Framework, metrics: tuple[Metric, ...], **tables) -> Framework:
    """The rules with other metrics, groups or combined scores, and nothing said of those that are gone."""
    new = {"metric": metrics, "group": framework.group, "combined": framework.combined, **tables}
    scores = {entry.score for entry in (*metrics, *new["combined"])}
    keys = scores | {group.key for group in new["group"]} | {domain.key for domain in framework.domain}
    named = {name: framework.find(name) for name in framework.weights}
    still = {
        name
        for name, entry in named.items()
        if getattr(entry, "score", None) in keys or getattr(entry, "key", None) in keys
    }
    return replace(
        framework,
        **new,
        weights={name: weight for name, weight in framework.weights.items() if name in still},
        rounded_first={
            quarter: tuple(score for score in listed if score in scores)
            for quarter, listed in framework.rounded_first.items()
        },
        left_out=(*framework.left_out, *(score for score in framework.score_ids if score not in scores)),
    )


_NOT_SCORING = {
    "name",
    "short",
    "domain",
    "group",
    "averaged",
    "survey",
    "source",
    "whole_steps",
    "rescored",
    "inferred",
}
"""Keys of a metric that say nothing of how it is scored."""


def _mark_rescored(changed: Framework, framework: Framework) -> Framework:
    """Mark metrics and combined scores whose scoring is not that of ``framework``."""

    def marked(entries: Iterable[Metric | Combined]) -> tuple:
        return tuple(
            replace(entry, rescored=True) if _scored_otherwise(entry, framework.by_score.get(entry.score)) else entry
            for entry in entries
        )

    return replace(changed, metric=marked(changed.metric), combined=marked(changed.combined))


def _scored_otherwise(entry: Metric | Combined, before: Metric | Combined | None) -> bool:
    if before is None or entry is before:
        return False
    names = {field.name for field in fields(entry)} - _NOT_SCORING
    return any(getattr(entry, name) != getattr(before, name) for name in names)
