"""The parts of a framework: what each table of the file holds, judged by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(extra="forbid")
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Whole = Annotated[int, Field(strict=True)]


CutOffs = Annotated[tuple[Number, ...], Field(max_length=7)]  # charts tell eight segments apart


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def _visible(identifier: str) -> str:
    if not re.fullmatch("[!-~]+", _filled(identifier)):
        raise ValueError("is not a metric identifier, as files may hold it; write it without blanks and hidden signs")
    return identifier


Text = Annotated[str, AfterValidator(_filled)]
MetricID = Annotated[str, AfterValidator(_visible)]
Weight = Annotated[Number, Field(ge=0)]
End = Annotated[Number, Field(ge=-1000, le=1000)]  # of the scale; beyond sense, and below where sums are inexact
QuarterLabel = Annotated[str, Field(pattern=r"^Q[1-4] 20[0-9]{2}/[0-9]{2}$")]


def year_of(quarter: str) -> str:
    """The framework year of a quarter: "Q1 2025/26" is in "2025/26"."""
    return quarter.split(" ", 1)[1]


@dataclass(frozen=True, config=STRICT)
class Scale:
    """The scale of scores; averages are rounded half up to ``decimals`` places. Only 2 is known to the kit."""

    best: End
    worst: End
    decimals: Literal[2]

    @model_validator(mode="after")
    def _ordered(self):
        if self.worst - self.best <= 1:
            raise ValueError("worst must be more than 1 above best")  # a standard or a floor takes 1 of it
        return self

    @property
    def ends(self) -> str:
        """Its ends in words: "1 = best, 4 = worst"."""
        return f"{self.best:g} = best, {self.worst:g} = worst"


@dataclass(frozen=True, config=STRICT)
class Identifiers:
    """Metric identifiers of the rows that hold NHS England's own results.

    ``final_segment``: one beyond the last segment where ``recovery_flag`` is 1, else the segment. It and
    ``also_published`` enter no league table.
    """

    average: MetricID
    unadjusted_segment: MetricID
    segment: MetricID
    override_flag: MetricID
    final_segment: MetricID | None = None
    recovery_flag: MetricID | None = None
    also_published: tuple[MetricID, ...] = ()

    @model_validator(mode="after")
    def _both_or_none(self):
        if (self.final_segment is None) != (self.recovery_flag is None):
            raise ValueError("final_segment and recovery_flag go together; give both or none")
        return self


@dataclass(frozen=True, config=STRICT)
class Segments:
    """How an average becomes a segment.

    ``percentiles``: the cut-offs are these percentiles of the averages (linear interpolation) over
    all types together (``pool = "all"``) or each type (``"type"``). ``thresholds``: the cut-offs
    are given. A trust on a cut-off is in the better segment. ``domains``: domain scores are cut by the
    "same" rule (percentiles of the domain's own scores; thresholds cut none), or it is "unknown" how.
    """

    rule: Literal["percentiles", "thresholds"]
    percentiles: CutOffs = ()
    thresholds: CutOffs = ()
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

    months: Annotated[Whole, Field(ge=0, le=1200)]
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


_OF_MODEL = {"standard": "standard", "floor": "floor", "brackets": "lookup", "otherwise": "lookup"}
"""Keys of a metric that one model needs, and no other takes."""


@dataclass(frozen=True, config=STRICT)
class Metric:
    """One scored metric and the rule that turns its value into a score.

    ``survey``: it comes from a survey; ``source``: what it is taken from, where other metrics are taken from the same, so
    that their figures move together; ``whole_steps``: its published scores are whole steps of the scale; ``rescored``: its published score was made by another rule,
    so it is always scored from the value. ``unknown``: what is not known of its rule: "model" (then
    the model is "published": scores are taken as they are published), "standard" or "floor" (then
    there is no number, and ``between`` may name values seen on either side of it); ``inferred``: keys
    that are our inference.
    """

    score: MetricID
    name: Text
    short: Text
    domain: Text
    model: Literal["rank", "standard", "floor", "lookup", "published"]
    trust_types: Annotated[tuple[Text, ...], Field(min_length=1)]
    value: MetricID | None = None
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
    source: Text | None = None
    whole_steps: Annotated[bool, Field(strict=True)] = False
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
        for key, model in _OF_MODEL.items():
            given = getattr(self, key) not in (None, ())
            if given and self.model != model:
                raise ValueError(f"key {key} belongs to model {model!r}, and only to it")
            if given and key in self.unknown:
                raise ValueError(f"key {key} is given, and unknown says that it is not known")
            if not given and self.model == model and key not in self.unknown:
                raise ValueError(f"model {model!r} needs the key {key}")
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

    score: MetricID
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
    score: MetricID
    segment: MetricID


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
