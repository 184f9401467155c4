"""All rules of a year, and what follows from them together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field
from difflib import get_close_matches
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from nofcore.framework import contradictions
from nofcore.framework.parts import (
    STRICT,
    Average,
    Claim,
    Combined,
    Domain,
    Freshness,
    Group,
    Identifiers,
    Metric,
    Override,
    QuarterLabel,
    Rule,
    Scale,
    Segments,
    Text,
    Weight,
)


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
        """Refuse rules that contradict each other, naming every contradiction."""
        if found := contradictions.find(self):
            raise contradictions.ContradictionError(found)
        return self

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
