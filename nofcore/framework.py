"""The rules of a framework year, loaded from a TOML file.

The Python of this kit knows the *kinds* of rule (rank, standard, floor, lookup, percentiles ...).
Which metric follows which, and every number, stands in ``nofcore/frameworks/*.toml`` or in a file
of the user's own, and in no other place.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import field
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from nofcore.errors import InputError, Problem

FOLDER = Path(__file__).with_name("frameworks")
_STRICT = ConfigDict(extra="forbid")
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Whole = Annotated[int, Field(strict=True)]
Text = Annotated[str, Field(min_length=1)]
QuarterLabel = Annotated[str, Field(pattern=r"^Q[1-4] 20[0-9]{2}/[0-9]{2}$")]


@dataclass(frozen=True, config=_STRICT)
class Scale:
    """The scale of scores; averages are rounded half up to ``decimals`` places. Only 2 is known to the kit."""

    best: Number
    worst: Number
    decimals: Literal[2]

    @model_validator(mode="after")
    def _ordered(self):
        if self.worst - self.best <= 1:
            raise ValueError("worst must be more than 1 above best")  # a standard or a floor takes 1 of it
        return self


@dataclass(frozen=True, config=_STRICT)
class Identifiers:
    """Metric identifiers of the rows that hold NHS England's own results."""

    average: Text
    unadjusted_segment: Text
    segment: Text
    override_flag: Text
    also_published: tuple[Text, ...] = ()


@dataclass(frozen=True, config=_STRICT)
class Segments:
    """How an average becomes a segment.

    ``percentiles``: the cut-offs are these percentiles of the averages (linear interpolation) over
    all types together (``pool = "all"``) or each type (``"type"``). ``thresholds``: the cut-offs
    are given. A trust on a cut-off is in the better segment.
    """

    rule: Literal["percentiles", "thresholds"]
    percentiles: tuple[Number, ...] = ()
    thresholds: tuple[Number, ...] = ()
    pool: Literal["all", "type"] = "all"

    @model_validator(mode="after")
    def _increasing(self):
        cuts = self.percentiles if self.rule == "percentiles" else self.thresholds
        if not cuts:
            raise ValueError(f"rule {self.rule!r} needs a list of {self.rule}")
        if any(low >= high for low, high in pairwise(cuts)):
            raise ValueError(f"{self.rule} must increase")
        if self.rule == "percentiles" and not (cuts[0] > 0 and cuts[-1] < 100):
            raise ValueError("percentiles must lie between 0 and 100")
        return self


@dataclass(frozen=True, config=_STRICT)
class Override:
    """The financial override: a flagged trust is placed no higher than this segment."""

    no_higher_than: Annotated[Whole, Field(ge=1)]


@dataclass(frozen=True, config=_STRICT)
class Bracket:
    """One bracket of a lookup: exactly one bound, and the score it gives."""

    score: Number
    at_least: Number | None = None
    above: Number | None = None
    at_most: Number | None = None
    below: Number | None = None

    @model_validator(mode="after")
    def _one_bound(self):
        bounds = (self.at_least, self.above, self.at_most, self.below)
        if sum(bound is not None for bound in bounds) != 1:
            raise ValueError("a bracket takes exactly one of at_least, above, at_most, below")
        return self


@dataclass(frozen=True, config=_STRICT)
class Lookup:
    """The first bracket that holds gives the score; none: ``otherwise``."""

    brackets: Annotated[tuple[Bracket, ...], Field(min_length=1)]
    otherwise: Number

    @property
    def scores(self) -> tuple[float, ...]:
        """The scores it can give."""
        return (*(bracket.score for bracket in self.brackets), self.otherwise)


@dataclass(frozen=True, config=_STRICT)
class Metric:
    """One scored metric and the rule that turns its value into a score."""

    score: Text
    name: Text
    short: Text
    domain: Text
    model: Literal["rank", "standard", "floor", "lookup", "published"]
    trust_types: Annotated[tuple[Text, ...], Field(min_length=1)]
    value: Text | None = None
    better: Literal["low", "high"] | None = None
    pool: Literal["all", "type"] = "all"
    standard: Number | None = None
    floor: Number | None = None
    brackets: tuple[Bracket, ...] = ()
    otherwise: Number | None = None
    unit: Mapping[Text, Lookup] = field(default_factory=dict)
    group: Text | None = None
    averaged: Annotated[bool, Field(strict=True)] = True

    @model_validator(mode="after")
    def _complete(self):
        if self.model != "published" and (self.value is None or self.better is None):
            raise ValueError(f"model {self.model!r} needs the keys value and better")
        for key, model in (("standard", "standard"), ("floor", "floor"), ("otherwise", "lookup")):
            if (getattr(self, key) is not None) != (self.model == model):
                raise ValueError(f"key {key} belongs to model {model!r}, and only to it")
        if bool(self.brackets) != (self.model == "lookup"):
            raise ValueError("key brackets belongs to model 'lookup', and only to it")
        return self

    @property
    def lookup(self) -> Lookup:
        """The lookup of a metric of model ``lookup``."""
        return Lookup(brackets=self.brackets, otherwise=self.otherwise)

    @property
    def threshold(self) -> Number | None:
        """The standard or the floor, if the metric has one."""
        return self.standard if self.standard is not None else self.floor


@dataclass(frozen=True, config=_STRICT)
class Combined:
    """A score read from a table of two other scores (rows and columns: whole scores, best first)."""

    score: Text
    name: Text
    short: Text
    domain: Text
    rows: Text
    columns: Text
    matrix: tuple[tuple[Number, ...], ...]


@dataclass(frozen=True, config=_STRICT)
class Group:
    """Metrics that count together as one item, their mean."""

    key: Text
    name: Text
    domain: Text


@dataclass(frozen=True, config=_STRICT)
class Domain:
    """A domain, and the identifiers of its published score and segment."""

    key: Text
    name: Text
    score: Text
    segment: Text


@dataclass(frozen=True, config=_STRICT)
class Rule:
    """One rule in words, with how sure we are of it."""

    basis: Literal["stated", "verified", "inferred", "unknown"]
    text: Text
    evidence: str = ""


@dataclass(frozen=True, config=_STRICT)
class Framework:
    """All rules of one year. `load` and `for_quarter` make one."""

    year: Annotated[str, Field(pattern=r"^20\d\d/\d\d$")]
    title: Text
    source: Text
    trust_types: Annotated[tuple[Text, ...], Field(min_length=1)]
    scale: Scale
    identifiers: Identifiers
    segments: Segments
    domain: Annotated[tuple[Domain, ...], Field(min_length=1)]
    metric: Annotated[tuple[Metric, ...], Field(min_length=1)]
    override: Override | None = None
    group: tuple[Group, ...] = ()
    combined: tuple[Combined, ...] = ()
    rounded_first: Mapping[QuarterLabel, tuple[Text, ...]] = field(default_factory=dict)
    rule: tuple[Rule, ...] = ()

    @model_validator(mode="after")
    def _names_resolve(self):
        scored = (*self.metric, *self.combined)
        # Items are named by their score or their group, so these share one set of names.
        _check_unique("score", [*(e.score for e in (*scored, *self.domain)), *(group.key for group in self.group)])
        _check_unique("value", [metric.value for metric in self.metric if metric.value])
        _check_unique("domain key", [domain.key for domain in self.domain])
        _check_unique("trust type", list(self.trust_types))
        domains = {domain.key for domain in self.domain}
        for entry in (*scored, *self.group):
            _check_known(f"{entry.name!r}: domain", entry.domain, domains)
        for metric in self.metric:
            _check_known(f"{metric.name!r}: group", metric.group, {group.key for group in self.group} | {None})
            for trust_type in metric.trust_types:
                _check_known(f"{metric.name!r}: trust_types", trust_type, set(self.trust_types))
        self._check_scores()
        self._check_combined()
        return self

    def _check_scores(self):
        for quarter, listed in self.rounded_first.items():
            for score in listed:
                _check_known(f"rounded_first, {quarter}", score, set(self.score_ids))
        for metric in self.metric:
            for lookup in (*([metric.lookup] if metric.model == "lookup" else []), *metric.unit.values()):
                self._check_on_scale(metric.name, lookup.scores)
        if self.override and self.override.no_higher_than > self.segment_count:
            raise ValueError(f"override: no_higher_than must be at most {self.segment_count}")

    def _check_combined(self):
        size = int(self.scale.worst - self.scale.best) + 1
        # Other models give scores between the steps, for which the matrix has no place.
        stepped = {metric.score: metric for metric in self.metric if metric.model in ("lookup", "published")}
        for combined in self.combined:
            for key in ("rows", "columns"):
                part = stepped.get(name := getattr(combined, key))
                scores = part.lookup.scores if part and part.model == "lookup" else ()
                if part is None or any((score - self.scale.best) % 1 for score in scores):
                    raise ValueError(f"{combined.name!r}: {key} {name!r} must be a score by lookup, in whole steps")
            if [len(row) for row in combined.matrix] != [size] * size:
                raise ValueError(f"{combined.name!r}: matrix must be {size} by {size}")
            self._check_on_scale(combined.name, [score for row in combined.matrix for score in row])

    def _check_on_scale(self, name: str, scores: Iterable[float]):
        best, worst = self.scale.best, self.scale.worst
        for score in scores:
            if not best <= score <= worst:
                raise ValueError(f"{name!r}: the score {score:g} is outside the scale, {best:g} to {worst:g}")

    @cached_property
    def score_ids(self) -> tuple[str, ...]:
        """Identifiers of all metric scores, combined scores among them."""
        return tuple(entry.score for entry in (*self.metric, *self.combined))

    @cached_property
    def by_score(self) -> dict[str, Metric | Combined]:
        """Metric or combined score by the identifier of its score."""
        return {entry.score: entry for entry in (*self.metric, *self.combined)}

    @property
    def segment_count(self) -> int:
        rule = self.segments
        return len(rule.percentiles if rule.rule == "percentiles" else rule.thresholds) + 1


def _check_unique(what: str, names: list[str]) -> None:
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"{what} {doubled[0]!r} is given twice")


def _check_known(what: str, name: Any, known: set) -> None:
    if name not in known:
        listed = ", ".join(sorted(str(entry) for entry in known if entry))
        raise ValueError(f"{what} {name!r} is not defined in this file (defined: {listed})")


def load(path: Path | str) -> Framework:
    """Read a framework file.

    Raises InputError naming the file, the key and what was expected, for every key that is wrong.
    """
    path = Path(path)
    try:
        rules = tomllib.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        raise InputError(Problem(str(path), None, None, "no such framework file")) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(Problem(str(path), None, None, f"cannot be read as UTF-8 text ({error})")) from None
    except (ValueError, RecursionError) as error:  # ValueError: bad TOML, or a number beyond all bounds
        raise InputError(Problem(str(path), None, None, f"is not valid TOML: {error}")) from None
    return parse(rules, str(path))


def parse(rules: Mapping[str, Any], name: str) -> Framework:
    """A Framework from the content of a TOML file; ``name`` is the file named in errors."""
    try:
        return _adapter().validate_python(_tuples(rules))
    except ValidationError as error:
        raise InputError(_problem(name, rules, entry) for entry in error.errors()) from None


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter:
    return TypeAdapter(Framework)


def _tuples(value: Any) -> Any:
    """TOML arrays as tuples, so that what is loaded cannot be changed later."""
    if isinstance(value, Mapping):
        return {key: _tuples(entry) for key, entry in value.items()}
    return tuple(_tuples(entry) for entry in value) if isinstance(value, list) else value


_PLAIN = {
    "unexpected_keyword_argument": "unknown key; remove it or correct its spelling",
    "missing": "is missing",
    "tuple_type": "must be a list",
    "float_type": "must be a number, without quotes",
    "finite_number": "must be a finite number",
    "int_type": "must be a whole number, without quotes",
    "dataclass_type": "must be a table of keys",
    "string_pattern_mismatch": "must be written like '2025/26', and a quarter like 'Q1 2025/26'",
    "bool_type": "must be true or false, without quotes",
    "string_type": "must be text in quotes",
}
"""pydantic's error types in the words of a TOML file."""


def _problem(name: str, rules: Mapping[str, Any], error: Mapping[str, Any]) -> Problem:
    key, value = "", rules
    for part in error["loc"]:
        if isinstance(part, int):
            key += f"[{part + 1}]"
            value = value[part] if isinstance(value, list) and part < len(value) else None
            if isinstance(value, Mapping) and (label := value.get("score") or value.get("key")):
                key += f" ({label})"
        else:
            key += f".{part}" if key else str(part)
            value = value.get(part) if isinstance(value, Mapping) else None
    message = _PLAIN.get(error["type"]) or re.sub(r"^Value error, ", "", error["msg"])
    return Problem(name, None, None, f"key {key}: {message}" if key else message)


@lru_cache(maxsize=1)
def shipped() -> Mapping[str, Path]:
    """The framework files of the kit, by year."""
    return {path.stem.replace("-", "/", 1): path for path in sorted(FOLDER.glob("*.toml"))}


def year_of(quarter: str) -> str:
    """The framework year of a quarter: "Q1 2025/26" is in "2025/26"."""
    return quarter.split(" ", 1)[1]


def newest() -> Framework:
    """The rules of the latest year that the kit knows."""
    return _shipped(shipped()[max(shipped())])


def for_quarter(quarter: str) -> Framework | None:
    """The rules that ship with the kit for a quarter, or None where the kit has none for its year."""
    path = shipped().get(year_of(quarter))
    return _shipped(path) if path else None


@lru_cache
def _shipped(path: Path) -> Framework:
    return load(path)
