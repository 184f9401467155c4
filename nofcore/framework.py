"""The rules of a framework year, loaded from a TOML file.

The Python of this kit knows the *kinds* of rule (rank, standard, floor, lookup, percentiles ...).
Which metric follows which, and every number, stands in ``nofcore/frameworks/*.toml`` or in a file
of the user's own, and in no other place.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import field
from difflib import get_close_matches
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from nofcore import periods, toml_lines
from nofcore.errors import InputError, Problem

FOLDER = Path(__file__).with_name("frameworks")
STRICT = ConfigDict(extra="forbid")
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Whole = Annotated[int, Field(strict=True)]
Text = Annotated[str, Field(min_length=1)]
Weight = Annotated[Number, Field(ge=0)]
QuarterLabel = Annotated[str, Field(pattern=r"^Q[1-4] 20[0-9]{2}/[0-9]{2}$")]


LARGEST_WEIGHT = 1_000_000
"""Far beyond any sense, and far below where weights added up would be beyond all numbers."""
Key = tuple[str | int, ...]
Contradiction = tuple[Key, str]
"""Where rules contradict each other, and what is wrong."""


class ContradictionError(ValueError):
    """Rules that do not fit together: ``found`` holds each contradiction."""

    def __init__(self, found: Iterable[Contradiction]):
        self.found = tuple(found)
        super().__init__("; ".join(message for _, message in self.found))


@dataclass(frozen=True, config=STRICT)
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


@dataclass(frozen=True, config=STRICT)
class Identifiers:
    """Metric identifiers of the rows that hold NHS England's own results."""

    average: Text
    unadjusted_segment: Text
    segment: Text
    override_flag: Text
    also_published: tuple[Text, ...] = ()


@dataclass(frozen=True, config=STRICT)
class Segments:
    """How an average becomes a segment.

    ``percentiles``: the cut-offs are these percentiles of the averages (linear interpolation) over
    all types together (``pool = "all"``) or each type (``"type"``). ``thresholds``: the cut-offs
    are given. A trust on a cut-off is in the better segment. ``domains``: domain scores are cut by the
    "same" rule (percentiles of the domain's own scores; thresholds cut none), or it is "unknown" how.
    """

    rule: Literal["percentiles", "thresholds"]
    percentiles: tuple[Number, ...] = ()
    thresholds: tuple[Number, ...] = ()
    pool: Literal["all", "type"] = "all"
    domains: Literal["same", "unknown"] = "same"

    @model_validator(mode="after")
    def _increasing(self):
        if self.rule == "percentiles" and self.thresholds:
            raise ValueError("thresholds belong to rule 'thresholds', and only to it")
        if self.rule == "thresholds" and (self.percentiles or self.pool != "all"):
            raise ValueError("percentiles and pool belong to rule 'percentiles', and only to it")
        cuts = self.percentiles if self.rule == "percentiles" else self.thresholds
        if not cuts:
            raise ValueError(f"rule {self.rule!r} needs a list of {self.rule}")
        if any(low >= high for low, high in pairwise(cuts)):
            raise ValueError(f"{self.rule} must increase")
        if self.rule == "percentiles" and not (cuts[0] > 0 and cuts[-1] < 100):
            raise ValueError("percentiles must lie between 0 and 100")
        return self


def off_scale(segments: Segments, scale: Scale) -> Iterator[str]:
    """What is wrong with thresholds that no average can lie on both sides of."""
    for cut in segments.thresholds:
        if not scale.best <= cut < scale.worst:
            yield f"threshold {cut:g} is outside the scale of averages, {scale.best:g} to below {scale.worst:g}"


@dataclass(frozen=True, config=STRICT)
class Condition:
    """A condition on the value of a metric, named by its identifier or short name: exactly one bound."""

    metric: Text
    at_least: Number | None = None
    above: Number | None = None
    at_most: Number | None = None
    below: Number | None = None

    @model_validator(mode="after")
    def _one_bound(self):
        return _with_one_bound(self, "a condition")


@dataclass(frozen=True, config=STRICT)
class Override:
    """The financial override: a flagged trust is placed no higher than a segment, or some segments down.

    ``flag_if``: the flag is published (none given), or derived: any of these conditions holds; ``trust_types``: those that
    it is for, all where none is named.
    """

    no_higher_than: Annotated[Whole, Field(ge=1)] | None = None
    segments_down: Annotated[Whole, Field(ge=1)] | None = None
    flag_if: tuple[Condition, ...] = ()
    trust_types: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _one_effect(self):
        if (self.no_higher_than is None) == (self.segments_down is None):
            raise ValueError("takes exactly one of no_higher_than and segments_down")
        return self


@dataclass(frozen=True, config=STRICT)
class Average:
    """How items become the average. The official rule is the default of each key.

    ``how``: arithmetic or geometric mean, or median, each weighted; ``weigh``: "items", every item
    by its own weight, or "domains", every domain that a trust has items in by that of the domain,
    shared out over those items; ``decimals``: averages are rounded half up to so many places before
    they are ranked (6 stands for not at all). See `Framework.weights`.
    """

    how: Literal["arithmetic", "geometric", "median"] = "arithmetic"
    weigh: Literal["items", "domains"] = "items"
    decimals: Literal[2, 6] = 2


@dataclass(frozen=True, config=STRICT)
class Freshness:
    """Figures whose period ended more than so many months before the end of the quarter leave the average.

    ``surveys_only``: only those of metrics that are marked as surveys.
    """

    months: Annotated[Whole, Field(ge=0)]
    surveys_only: Annotated[bool, Field(strict=True)] = True


@dataclass(frozen=True, config=STRICT)
class Spreading:
    """How the trusts in the spread part of a pool are placed between its best and its worst score.

    ``by``: "rank", by place, tied trusts sharing the best (the official rule); "percentile", by
    place, tied trusts sharing the middle; "min-max", by distance from the best to the worst value;
    "z-score", by distance from the mean. ``trim``: "min-max" only, per cent of the pool that is cut
    off at each end, so that best and worst are percentiles; ``sd``: "z-score" only, so many standard
    deviations from the mean are the ends. The default, the square root of 3, keeps the spread that
    places have, so that a metric weighs as much as before. Beyond the ends a score is clipped.
    """

    by: Literal["rank", "percentile", "min-max", "z-score"] = "rank"
    trim: Annotated[Number, Field(ge=0, lt=50)] = 0
    sd: Annotated[Number, Field(gt=0)] = 3**0.5

    @model_validator(mode="after")
    def _fits(self):
        for key, by in (("trim", "min-max"), ("sd", "z-score")):
            if getattr(self, key) != getattr(type(self), key) and self.by != by:
                raise ValueError(f"key {key} belongs to by = {by!r}, and only to it")
        return self


@dataclass(frozen=True, config=STRICT)
class Bracket:
    """One bracket of a lookup: exactly one bound, and the score it gives."""

    score: Number
    at_least: Number | None = None
    above: Number | None = None
    at_most: Number | None = None
    below: Number | None = None

    @model_validator(mode="after")
    def _one_bound(self):
        return _with_one_bound(self, "a bracket")


def _with_one_bound(bounded, what: str):
    if sum(getattr(bounded, key) is not None for key in ("at_least", "above", "at_most", "below")) != 1:
        raise ValueError(f"{what} takes exactly one of at_least, above, at_most, below")
    return bounded


@dataclass(frozen=True, config=STRICT)
class Lookup:
    """The first bracket that holds gives the score; none: ``otherwise``."""

    brackets: Annotated[tuple[Bracket, ...], Field(min_length=1)]
    otherwise: Number

    @property
    def scores(self) -> tuple[float, ...]:
        """The scores it can give."""
        return (*(bracket.score for bracket in self.brackets), self.otherwise)


@dataclass(frozen=True, config=STRICT)
class Metric:
    """One scored metric and the rule that turns its value into a score.

    ``survey``: it comes from a survey; ``rescored``: its published score was made by another rule,
    so it is always scored from the value. ``unknown``: what is not known of its rule: "model" (then
    the model is "published": scores are taken as they are published), "standard" or "floor" (then
    there is no number, and ``between`` may name values seen on either side of it); ``inferred``: keys
    that are our inference.
    """

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
    spread: Spreading = field(default_factory=Spreading)
    survey: Annotated[bool, Field(strict=True)] = False
    rescored: Annotated[bool, Field(strict=True)] = False
    unknown: tuple[Literal["model", "standard", "floor"], ...] = ()
    between: tuple[Number, Number] | None = None
    inferred: tuple[Literal["better", "model", "standard", "floor", "pool", "trust_types"], ...] = ()

    @model_validator(mode="after")
    def _complete(self):
        if self.model == "published" and self.rescored:
            raise ValueError("only its score is published, so it cannot be scored from a value")
        if self.model in ("lookup", "published") and self.spread.by != "rank":
            raise ValueError(f"key spread does not belong to model {self.model!r}, which spreads nothing")
        if self.model != "published" and (self.value is None or self.better is None):
            raise ValueError(f"model {self.model!r} needs the keys value and better")
        if self.value and self.better is None:
            raise ValueError("a metric with a value needs the key better")
        self._check_unknown()
        for key, model in (("standard", "standard"), ("floor", "floor"), ("otherwise", "lookup")):
            if (getattr(self, key) is not None) != (self.model == model and key not in self.unknown):
                raise ValueError(f"key {key} belongs to model {model!r}, and only to it")
        if bool(self.brackets) != (self.model == "lookup"):
            raise ValueError("key brackets belongs to model 'lookup', and only to it")
        return self

    def _check_unknown(self):
        for key, model in (("model", "published"), ("standard", "standard"), ("floor", "floor")):
            if key in self.unknown and self.model != model:
                raise ValueError(f"unknown {key!r} belongs to model {model!r}, and only to it")
        if self.value and self.model == "published" and "model" not in self.unknown:
            raise ValueError("only its score is published, so it has no value, unless unknown names the model")
        if self.between and not {"standard", "floor"} & {*self.unknown}:
            raise ValueError("key between belongs to an unknown standard or floor, and only to it")
        if self.between and self.between[0] >= self.between[1]:
            raise ValueError("between must increase")

    @property
    def scorable(self) -> bool:
        """Whether its score can be made from its value: there is one, and its rule is known in full."""
        return self.model != "published" and not self.unknown

    @property
    def lookup(self) -> Lookup:
        """The lookup of a metric of model ``lookup``."""
        return Lookup(brackets=self.brackets, otherwise=self.otherwise)

    @property
    def threshold(self) -> Number | None:
        """The standard or the floor, if the metric has one."""
        return self.standard if self.standard is not None else self.floor


@dataclass(frozen=True, config=STRICT)
class Combined:
    """A score read from a table of two other scores (rows and columns: whole scores, best first).

    ``rescored``: the published score was made by another table, so it is always read anew. So is one
    with a part that is scored from the value.
    """

    score: Text
    name: Text
    short: Text
    domain: Text
    rows: Text
    columns: Text
    matrix: tuple[tuple[Number, ...], ...]
    rescored: Annotated[bool, Field(strict=True)] = False


@dataclass(frozen=True, config=STRICT)
class Group:
    """Metrics that count together as one item, their mean."""

    key: Text
    name: Text
    domain: Text


@dataclass(frozen=True, config=STRICT)
class Domain:
    """A domain, and the identifiers of its published score and segment."""

    key: Text
    name: Text
    score: Text
    segment: Text


@dataclass(frozen=True, config=STRICT)
class Rule:
    """One rule in words, with how sure we are of it."""

    basis: Literal["stated", "verified", "inferred", "unknown"]
    text: Text
    evidence: str = ""


@dataclass(frozen=True, config=STRICT)
class Claim:
    """A published claim about how metrics go together, which a page tests. ``metrics``: their scores."""

    who: Text
    text: Text
    metrics: Annotated[tuple[Text, ...], Field(min_length=2)]


@dataclass(frozen=True, config=STRICT)
class Framework:
    """All rules of one year. `load` and `for_quarter` make one; `nofcore.scenarios` changes one.

    ``weights``: weight of an item or of a whole domain, by any of its names (see `find`), 1 where
    not named; ``ranking``: by segment, then by average, or by the average alone; ``freshness``: old
    figures to leave out; ``periods``: templates of period texts (`nofcore.periods`); ``left_out``:
    scores of the year that these rules leave out; ``published``: what stands of a trust without
    metric rows, its published average and segment, or the average alone, its segment then being made
    by these rules.
    """

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
    average: Average = field(default_factory=Average)
    weights: Mapping[Text, Weight] = field(default_factory=dict)
    ranking: Literal["segment", "average"] = "segment"
    freshness: Freshness | None = None
    periods: tuple[Text, ...] = ()
    left_out: tuple[Text, ...] = ()
    published: Literal["segments", "averages"] = "segments"
    group: tuple[Group, ...] = ()
    combined: tuple[Combined, ...] = ()
    rounded_first: Mapping[QuarterLabel, tuple[Text, ...]] = field(default_factory=dict)
    rule: tuple[Rule, ...] = ()
    claim: tuple[Claim, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self):
        """Refuse rules that contradict each other, naming every contradiction. What rests on names waits for these."""
        found = [*self._unresolved(), *self._off_scale()]
        found = found or [*self._misfits()]
        if found:
            raise ContradictionError(found)
        return self

    def _unresolved(self) -> Iterator[Contradiction]:
        """Names that are given twice or stand for nothing, each with the key it stands at."""
        placed = [("metric", "score", metric.score, i) for i, metric in enumerate(self.metric)]
        placed += [("combined", "score", entry.score, i) for i, entry in enumerate(self.combined)]
        placed += [("domain", "score", domain.score, i) for i, domain in enumerate(self.domain)]
        placed += [("group", "key", group.key, i) for i, group in enumerate(self.group)]
        # Items are named by their score or their group, so these share one set of names.
        yield from _given_twice("score", placed)
        values = [("metric", "value", metric.value, i) for i, metric in enumerate(self.metric) if metric.value]
        yield from _given_twice("value", values)
        domains = {domain.key for domain in self.domain}
        keys = [("domain", "key", domain.key, i) for i, domain in enumerate(self.domain)]
        yield from _given_twice("domain key", keys)
        yield from _given_twice("trust type", [("trust_types", "", name, i) for i, name in enumerate(self.trust_types)])
        for table in ("metric", "combined", "group"):
            for place, entry in enumerate(getattr(self, table)):
                yield from _unknown((table, place, "domain"), f"{entry.name!r}: domain", entry.domain, domains)
        groups, types = {group.key for group in self.group}, set(self.trust_types)
        for place, metric in enumerate(self.metric):
            yield from _unknown(("metric", place, "group"), f"{metric.name!r}: group", metric.group, groups | {None})
            for trust_type in metric.trust_types:
                yield from _unknown(
                    ("metric", place, "trust_types"), f"{metric.name!r}: trust_types", trust_type, types
                )
        for name in self.override.trust_types if self.override else ():
            yield from _unknown(("override", "trust_types"), "override: trust_types", name, types)
        for quarter, listed in self.rounded_first.items():
            for score in listed:
                yield from _unknown(("rounded_first", quarter), f"rounded_first, {quarter}", score, set(self.score_ids))
        for place, claim in enumerate(self.claim):
            yield from _given_twice(
                f"claim of {claim.who!r}: metric", [("claim", "metrics", name, place) for name in claim.metrics]
            )
            known = {metric.score for metric in self.metric} | {*self.left_out}
            for score in claim.metrics:
                yield from _unknown(("claim", place, "metrics"), f"claim of {claim.who!r}: metric", score, known)
        for place, template in enumerate(self.periods):
            try:
                periods.compile_template(template)
            except ValueError as error:
                yield ("periods", place), str(error)

    def _off_scale(self) -> Iterator[Contradiction]:
        """Numbers that lie beyond what they are measured on."""
        best, worst = self.scale.best, self.scale.worst
        if (int(self.year[2:4]) + 1) % 100 != int(self.year[5:]):
            yield ("year",), f"{self.year!r} is not a financial year; write it like '2025/26'"
        for quarter in self.rounded_first:
            if year_of(quarter) != self.year:
                yield ("rounded_first", quarter), f"rounded_first: {quarter} is not in {self.year}, so it is not heeded"
        for message in off_scale(self.segments, self.scale):
            yield ("segments", "thresholds"), message
        for place, metric in enumerate(self.metric):
            lookups: dict[Key, Lookup] = {(): metric.lookup} if metric.model == "lookup" else {}
            lookups |= {("unit", unit): lookup for unit, lookup in metric.unit.items()}
            for key, lookup in lookups.items():
                for i, bracket in enumerate(lookup.brackets):
                    yield from self._beyond(("metric", place, *key, "brackets", i), metric.name, [bracket.score])
                yield from self._beyond(("metric", place, *key, "otherwise"), metric.name, [lookup.otherwise])
        for place, entry in enumerate(self.combined):
            scores = [score for row in entry.matrix for score in row]
            yield from self._beyond(("combined", place, "matrix"), entry.name, scores)
            size = int(worst - best) + 1
            if [len(row) for row in entry.matrix] != [size] * size:
                yield ("combined", place, "matrix"), f"{entry.name!r}: matrix must be {size} by {size}"
        if self.override and (self.override.no_higher_than or 0) > self.segment_count:
            message = f"override: no_higher_than must be at most {self.segment_count}"
            yield ("override", "no_higher_than"), message
        if self.average.how == "geometric" and best <= 0:
            yield ("average", "how"), "average: a geometric mean needs scores above 0"
        for name, weight in self.weights.items():
            if weight > LARGEST_WEIGHT:
                yield ("weights", name), f"weights: {name!r} must be at most {LARGEST_WEIGHT:,}"

    def _misfits(self) -> Iterator[Contradiction]:
        """Rules that name the wrong kind of thing, where all names are known."""
        # Other models give scores between the steps, for which the matrix has no place.
        stepped = {metric.score: metric for metric in self.metric if metric.model in ("lookup", "published")}
        for place, combined in enumerate(self.combined):
            for key in ("rows", "columns"):
                part = stepped.get(name := getattr(combined, key))
                scores = part.lookup.scores if part and part.model == "lookup" else ()
                if part is None or any((score - self.scale.best) % 1 for score in scores):
                    message = f"{combined.name!r}: {key} {name!r} must be a score by lookup, in whole steps"
                    yield ("combined", place, key), message
        for place, condition in enumerate(self.override.flag_if if self.override else ()):
            try:
                self.value_of(condition.metric)
            except ValueError as error:
                yield ("override", "flag_if", place), f"override: flag_if: {error}"
        try:
            by_item = self.item_weights
            if not any(by_item[name] * self.domain_weights[domain] for name, domain in self.item_domains.items()):
                yield (
                    ("weights",),
                    ("weights: at least one must be above 0" if self.item_domains else "no item is left to average"),
                )
        except ValueError as error:
            yield ("weights",), str(error)

    def _beyond(self, key: Key, name: str, scores: Iterable[float]) -> Iterator[Contradiction]:
        best, worst = self.scale.best, self.scale.worst
        for score in scores:
            if not best <= score <= worst:
                yield key, f"{name!r}: the score {score:g} is outside the scale, {best:g} to {worst:g}"

    @cached_property
    def score_ids(self) -> tuple[str, ...]:
        """Identifiers of all metric scores, combined scores among them."""
        return tuple(entry.score for entry in (*self.metric, *self.combined))

    @cached_property
    def scored_rows(self) -> frozenset[str]:
        """Identifiers of the rows that give scores: published scores, and values that are always scored anew."""
        return frozenset(self.score_ids) | {metric.value for metric in self.metric if metric.rescored}

    @cached_property
    def by_score(self) -> dict[str, Metric | Combined]:
        """Metric or combined score by the identifier of its score."""
        return {entry.score: entry for entry in (*self.metric, *self.combined)}

    @cached_property
    def only_published(self) -> frozenset[str]:
        """Scores that cannot be made from values: no value is published, or their rule is not known in full."""
        metrics = {metric.score for metric in self.metric if not metric.scorable}
        return frozenset(metrics | {c.score for c in self.combined if {c.rows, c.columns} & metrics})

    def not_known(self, at_hand: Collection[str]) -> tuple[str, ...]:
        """What is not known of these rules, in words, parts of a sentence. ``at_hand``: scores of which there are
        figures; the other metrics are counted and not named."""
        unknown = [metric for metric in self.metric if metric.unknown]
        named = [metric for metric in unknown if metric.score in at_hand]
        found = [_in_sentence(rule.text) for rule in self.rule if rule.basis == "unknown"]
        if models := [metric.short for metric in named if "model" in metric.unknown]:
            found.append(f"how these are scored: {', '.join(models)} (their scores are taken as published, rounded)")
        for key in ("standard", "floor"):
            if marks := [_with_bounds(metric) for metric in named if key in metric.unknown]:
                found.append(f"the {key} of {', '.join(marks)}")
        if others := len(unknown) - len(named):
            rest = "1 metric" if others == 1 else f"{others} metrics"
            found.append(f"some or all of the rule of {rest} without figures here")
        return tuple(found)

    @cached_property
    def item_domains(self) -> dict[str, str]:
        """The domain of every item. An item is named by its score, or by the key of its group."""
        single = [metric for metric in self.metric if metric.averaged and metric.group is None]
        found = {entry.score: entry.domain for entry in (*single, *self.combined)}
        used = {metric.group for metric in self.metric if metric.averaged}
        return found | {group.key: group.domain for group in self.group if group.key in used}

    def find(self, name: str) -> Metric | Combined | Group | Domain:
        """What a name stands for: a metric or combined score by its score, value, short or full name, a group or a
        domain by its key or name. ValueError naming the nearest, if none or more than one bears it."""
        found = self._names.get(name, [])
        if len(found) > 1:
            raise ValueError(f"{name!r} stands for more than one thing; name it by its score or key")
        if not found:
            near = get_close_matches(name, self._names, 3)
            keys = ", ".join(entry.key for entry in (*self.domain, *self.group))
            hint = f"nearest: {', '.join(near)}" if near else f"name metrics as in the framework file, or one of {keys}"
            raise ValueError(f"no metric, group or domain {name!r} in the rules of {self.year}; {hint}")
        return found[0]

    @cached_property
    def _names(self) -> dict[str, list]:
        names: dict[str, list] = {}
        for entry in (*self.metric, *self.combined, *self.group, *self.domain):
            keys = ("score", "value", "short", "name") if isinstance(entry, Metric | Combined) else ("key", "name")
            for name in {getattr(entry, key, None) for key in keys} - {None}:
                names.setdefault(name, []).append(entry)
        return names

    def value_of(self, name: str) -> Text:
        """The identifier of the value of a metric, by any of its names. ValueError if it has none."""
        metric = self.find(name)
        if not getattr(metric, "value", None):
            raise ValueError(f"{name!r} is not a metric with a value")
        return metric.value

    @cached_property
    def item_weights(self) -> dict[str, float]:
        """Weight of every item within its domain: as named in ``weights``, else 1."""
        found = dict.fromkeys(self.item_domains, 1.0)
        for name, weight in self._weights(Metric | Combined | Group).items():
            if name not in found:
                raise ValueError(f"weights: {name!r} is no item of the average: it is part of one, or not averaged")
            found[name] = weight
        return found

    @cached_property
    def domain_weights(self) -> dict[str, float]:
        """Weight of every domain: as named in ``weights``, else 1."""
        return {domain.key: 1.0 for domain in self.domain} | self._weights(Domain)

    def _weights(self, kind) -> dict[str, float]:
        """The named weights of one kind of thing, by score or key."""
        found: dict[str, float] = {}
        for name, weight in self.weights.items():
            try:
                entry = self.find(name)
            except ValueError as error:
                raise ValueError(f"weights: {error}") from None
            if isinstance(entry, kind):
                key = entry.score if isinstance(entry, Metric | Combined) else entry.key
                if key in found:
                    raise ValueError(f"weights: {name!r} is given twice, under two names")
                found[key] = weight
        return found

    @property
    def plain_average(self) -> bool:
        """Whether the average is the official one: the mean of the items, each weighing the same, to 2 decimals."""
        return all(weight == 1 for weight in self.weights.values()) and self.average == Average()

    @property
    def segment_count(self) -> int:
        rule = self.segments
        return len(rule.percentiles if rule.rule == "percentiles" else rule.thresholds) + 1


def _in_sentence(text: str) -> str:
    """A sentence as part of a longer one."""
    return (text[0].lower() + text[1:]).removesuffix(".")


def _with_bounds(metric: Metric) -> str:
    low, high = metric.between or (None, None)
    return metric.short if low is None else f"{metric.short} (between {low:g} and {high:g})"


def _given_twice(what: str, placed: Iterable[tuple[str, str, str, int]]) -> Iterator[Contradiction]:
    """Names that stand more than once, at the second place. ``placed``: table, key, name, and place in the table."""
    seen: set[str] = set()
    for table, key, name, place in placed:
        if name in seen:
            yield (table, place, *filter(None, [key])), f"{what} {name!r} is given twice"
        seen.add(name)


def _unknown(key: Key, what: str, name: Any, known: set) -> Iterator[Contradiction]:
    if name not in known:
        listed = ", ".join(sorted(str(entry) for entry in known if entry))
        yield key, f"{what} {name!r} is not defined in this file (defined: {listed})"


def load(path: Path | str) -> Framework:
    """Read a framework file.

    Raises InputError naming the file, the key and what was expected, for every key that is wrong.
    """
    return parse(read_toml(Path(path), "framework"), str(path))


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The content of a TOML file. InputError if there is none; ``what``: kind of file."""
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        message = f"no such {what} file"
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot be read as UTF-8 text ({error})"
    except (ValueError, RecursionError) as error:  # ValueError: bad TOML, or a number beyond all bounds
        message = f"is not valid TOML: {error}"
    line = re.search(r"at line (\d+), column \d+", message)
    raise InputError(Problem(str(path), int(line[1]) if line else None, None, message))


def parse(rules: Mapping[str, Any], name: str) -> Framework:
    """A Framework from the content of a TOML file; ``name`` is the file named in errors."""
    try:
        return _adapter().validate_python(as_tuples(rules))
    except ValidationError as error:
        raise InputError(problem(name, rules, one) for entry in error.errors() for one in _each(entry)) from None


def _each(error: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """An error of pydantic's; of rules that do not fit together one for each contradiction, at its own key."""
    cause = error.get("ctx", {}).get("error")
    if not isinstance(cause, ContradictionError):
        return [error]
    return [{**error, "loc": (*error["loc"], *key), "msg": message} for key, message in cause.found]


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter:
    return TypeAdapter(Framework)


def as_tuples(value: Any) -> Any:
    """TOML arrays as tuples, so that what is loaded cannot be changed later."""
    if isinstance(value, Mapping):
        return {key: as_tuples(entry) for key, entry in value.items()}
    return tuple(as_tuples(entry) for entry in value) if isinstance(value, list) else value


_PLAIN = {
    "unexpected_keyword_argument": "unknown key; remove it or correct its spelling",
    "missing": "is missing",
    "tuple_type": "must be a list",
    "dict_type": "must be a table of names, each with its own; nothing is matched by its position",
    "float_type": "must be a number, without quotes",
    "finite_number": "must be a finite number",
    "int_type": "must be a whole number, without quotes",
    "dataclass_type": "must be a table of keys",
    "string_pattern_mismatch": "must be written like '2025/26', and a quarter like 'Q1 2025/26'",
    "bool_type": "must be true or false, without quotes",
    "string_type": "must be text in quotes",
}
"""pydantic's error types in the words of a TOML file."""


def problem(name: str, rules: Mapping[str, Any], error: Mapping[str, Any]) -> Problem:
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
    return Problem(name, _line(name, error["loc"]), None, f"key {key}: {said(error)}" if key else said(error))


def _line(name: str, key: Key) -> int | None:
    """The line of a key in a TOML file; None where there is no such file or key."""
    try:
        return toml_lines.line_of(toml_lines.lines(Path(name).read_text("utf-8-sig")), key)
    except (OSError, ValueError):
        return None


_BOUNDS = {
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be {ge:g} or more",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be {le:g} or less",
    "literal_error": "must be {expected}",
    "string_too_short": "must not be empty",
    "too_short": "must hold at least {min_length} of its kind, and holds {actual_length}",
    "too_long": "must hold at most {max_length} of its kind, and holds {actual_length}",
}
"""The same, of errors that name what would be right."""


def said(error: Mapping[str, Any]) -> str:
    """What an error of pydantic's says, in the words of a TOML file."""
    kind = error["type"]
    if kind in _BOUNDS:
        return _BOUNDS[kind].format_map(error["ctx"])
    return _PLAIN.get(kind) or re.sub(r"^Value error, |^Input should be ", _without, error["msg"])


def _without(found: re.Match) -> str:
    return "must be " if found[0].startswith("Input") else ""


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


def is_own(rules: Framework | None, quarter: str) -> bool:
    """Whether rules are a user's own: others than the kit has for the quarter."""
    return rules is not None and rules != for_quarter(quarter)


@lru_cache
def _shipped(path: Path) -> Framework:
    return load(path)
