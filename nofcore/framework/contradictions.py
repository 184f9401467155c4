"""Rules that do not fit together: names given twice or to nothing, numbers off their scale, parts of the wrong kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from nofcore import periods
from nofcore.framework.parts import Bracket, Lookup, off_scale, year_of
from nofcore.wording import slug

if TYPE_CHECKING:
    from nofcore.framework.rules import Framework

LARGEST_WEIGHT, SMALLEST_WEIGHT = 1_000_000, 0.000001
"""Far beyond any sense, and far from where weights added up would be beyond all numbers, or lost beside others."""
_RESULTS = ("average", "unadjusted_segment", "segment", "override_flag", "final_segment", "recovery_flag")
Key = tuple[str | int, ...]
Contradiction = tuple[Key, str]
"""Where rules contradict each other, and what is wrong."""


class ContradictionError(ValueError):
    """Rules that do not fit together: ``found`` holds each contradiction."""

    def __init__(self, found: Iterable[Contradiction]):
        self.found = tuple(found)
        super().__init__("; ".join(message for _, message in self.found))


def find(rules: Framework) -> list[Contradiction]:
    """Every contradiction of some rules. What rests on names is judged where all names are known."""
    return [found for judge in _JUDGES for found in judge(rules)] or [*_misfits(rules)]


# --- names --------------------------------------------------------------------------------------------------


def _named_twice(rules: Framework) -> Iterator[Contradiction]:
    """Names that stand twice for things of one kind, at the second place."""
    # Items are named by their score or their group, so these share one set of names.
    yield from _given_twice(
        "score", [*_placed(rules, "score", "metric", "combined", "domain"), *_placed(rules, "key", "group")]
    )
    yield from _given_twice("value", _placed(rules, "value", "metric"))
    yield from _given_twice("domain key", _placed(rules, "key", "domain"))
    yield from _given_twice("domain name", _placed(rules, "name", "domain"))
    yield from _given_twice("short name", _placed(rules, "short", "metric", "combined"))
    yield from _given_twice("trust type", [("trust_types", "", name, i) for i, name in enumerate(rules.trust_types)])
    for place, metric in enumerate(rules.metric):
        listed = [("metric", "trust_types", name, place) for name in metric.trust_types]
        yield from _given_twice(f"{metric.name!r}: trust type", listed)
    for place, claim in enumerate(rules.claim):
        listed = [("claim", "metrics", name, place) for name in claim.metrics]
        yield from _given_twice(f"claim of {claim.who!r}: metric", listed)


def _placed(rules: Framework, key: str, *tables: str) -> list[tuple[str, str, str, int]]:
    """(table, key, name, place in the table) of a key in some tables, where it is given."""
    return [
        (table, key, name, place)
        for table in tables
        for place, entry in enumerate(getattr(rules, table))
        if (name := getattr(entry, key))
    ]


def _identifiers_alike(rules: Framework) -> Iterator[Contradiction]:
    """Metric_IDs that stand for two things, so that the rows of a file would be read as both."""
    results = [(("identifiers", key), name) for key in _RESULTS if (name := getattr(rules.identifiers, key))]
    results += [(("identifiers", "also_published"), name) for name in rules.identifiers.also_published]
    kinds = {
        "a value": _placed(rules, "value", "metric"),
        "a score": _placed(rules, "score", "metric", "combined", "domain"),
        "the segment of a domain": _placed(rules, "segment", "domain"),
    }
    placed = [(kind, (table, i, key), name) for kind, rows in kinds.items() for table, key, name, i in rows]
    placed += [("a result", key, name) for key, name in results]
    seen: dict[str, str] = {}
    for kind, key, name in placed:
        before = seen.get(name)
        seen.setdefault(name, kind)
        # Values and scores that are given twice are told as such.
        if before and (before, kind) not in (("a value", "a value"), ("a score", "a score")):
            yield key, f"{name!r} stands for {kind} here and for {before} before; a Metric_ID stands for one thing"


def _types_alike(rules: Framework) -> Iterator[Contradiction]:
    """Trust types that the command line could not tell apart."""
    seen: dict[str, str] = {}
    for place, name in enumerate(rules.trust_types):
        other = seen.setdefault(slug(name), name)
        if other != name:
            message = f"{name!r} and {other!r} are one trust type on the command line; name them apart"
            yield ("trust_types", place), message


def _undefined(rules: Framework) -> Iterator[Contradiction]:
    """Names that stand for nothing in the file, each with the key it stands at."""
    domains, groups = {domain.key for domain in rules.domain}, {group.key for group in rules.group}
    for table in ("metric", "combined", "group"):
        for place, entry in enumerate(getattr(rules, table)):
            yield from _unknown((table, place, "domain"), f"{entry.name!r}: domain", entry.domain, domains)
    types = set(rules.trust_types)
    for place, metric in enumerate(rules.metric):
        yield from _unknown(("metric", place, "group"), f"{metric.name!r}: group", metric.group, groups | {None})
        for trust_type in metric.trust_types:
            yield from _unknown(("metric", place, "trust_types"), f"{metric.name!r}: trust_types", trust_type, types)
    for name in rules.override.trust_types if rules.override else ():
        yield from _unknown(("override", "trust_types"), "override: trust_types", name, types)
    for quarter, listed in rules.rounded_first.items():
        for score in listed:
            yield from _unknown(("rounded_first", quarter), f"rounded_first, {quarter}", score, set(rules.score_ids))
    known = {metric.score for metric in rules.metric} | {*rules.left_out}
    for place, claim in enumerate(rules.claim):
        for score in claim.metrics:
            yield from _unknown(("claim", place, "metrics"), f"claim of {claim.who!r}: metric", score, known)


# --- numbers ------------------------------------------------------------------------------------------------


def _off_time(rules: Framework) -> Iterator[Contradiction]:
    """Years, quarters and periods that are none, or none of these rules."""
    if (int(rules.year[2:4]) + 1) % 100 != int(rules.year[5:]):
        yield ("year",), f"{rules.year!r} is not a financial year; write it like '2025/26'"
    for quarter in rules.rounded_first:
        if year_of(quarter) != rules.year:
            yield ("rounded_first", quarter), f"rounded_first: {quarter} is not in {rules.year}, so it is not heeded"
    for place, template in enumerate(rules.periods):
        try:
            periods.compile_template(template)
        except ValueError as error:
            yield ("periods", place), str(error)


def _off_lookups(rules: Framework) -> Iterator[Contradiction]:
    """Scores of lookups off the scale, and brackets that never hold."""
    for place, metric in enumerate(rules.metric):
        lookups: dict[Key, Lookup] = {(): metric.lookup} if metric.model == "lookup" else {}
        lookups |= {("unit", unit): lookup for unit, lookup in metric.unit.items()}
        for key, lookup in lookups.items():
            for i, bracket in enumerate(lookup.brackets):
                where = ("metric", place, *key, "brackets", i)
                if any(_covers(before, bracket) for before in lookup.brackets[:i]):
                    yield where, f"{metric.name!r}: this bracket never holds, as one before it holds wherever it does"
                yield from _beyond(rules, where, metric.name, [bracket.score])
            yield from _beyond(rules, ("metric", place, *key, "otherwise"), metric.name, [lookup.otherwise])


def _off_matrices(rules: Framework) -> Iterator[Contradiction]:
    """Tables of combined scores of another size than the scale has steps, or with scores off it."""
    size = int(rules.scale.worst - rules.scale.best) + 1
    for place, entry in enumerate(rules.combined):
        scores = [score for row in entry.matrix for score in row]
        yield from _beyond(rules, ("combined", place, "matrix"), entry.name, scores)
        if len(entry.matrix) != size or any(len(row) != size for row in entry.matrix):
            yield ("combined", place, "matrix"), f"{entry.name!r}: matrix must be {size} by {size}"


def _off_results(rules: Framework) -> Iterator[Contradiction]:
    """Averages, weights, thresholds and an override beyond what they are measured on."""
    for message in off_scale(rules.segments, rules.scale):
        yield ("segments", "thresholds"), message
    count = rules.segment_count
    if rules.override and (rules.override.no_higher_than or 0) > count:
        yield ("override", "no_higher_than"), f"override: no_higher_than must be at most {count}"
    if rules.override and (rules.override.segments_down or 0) >= count:
        yield ("override", "segments_down"), f"override: segments_down must be at most {count - 1}"
    if rules.average.how == "geometric" and rules.scale.best <= 0:
        yield ("average", "how"), "average: a geometric mean needs scores above 0"
    for name, weight in rules.weights.items():
        if weight > LARGEST_WEIGHT:
            yield ("weights", name), f"weights: {name!r} must be at most {LARGEST_WEIGHT:,}"
        elif 0 < weight < SMALLEST_WEIGHT:
            yield ("weights", name), f"weights: {name!r} must be 0, or at least {SMALLEST_WEIGHT:f}"


_JUDGES = (
    _named_twice, _identifiers_alike, _types_alike, _undefined, _off_time, _off_lookups, _off_matrices, _off_results,
)  # fmt: skip


# --- kinds --------------------------------------------------------------------------------------------------


def _misfits(rules: Framework) -> Iterator[Contradiction]:
    """Rules that name the wrong kind of thing, where all names are known."""
    # Other models give scores between the steps, for which the matrix has no place.
    stepped = {metric.score: metric for metric in rules.metric if metric.model in ("lookup", "published")}
    for place, combined in enumerate(rules.combined):
        for key in ("rows", "columns"):
            part = stepped.get(name := getattr(combined, key))
            scores = part.lookup.scores if part and part.model == "lookup" else ()
            if part is None or any((score - rules.scale.best) % 1 for score in scores):
                message = f"{combined.name!r}: {key} {name!r} must be a score by lookup, in whole steps"
                yield ("combined", place, key), message
    for place, condition in enumerate(rules.override.flag_if if rules.override else ()):
        try:
            rules.value_of(condition.metric)
        except ValueError as error:
            yield ("override", "flag_if", place), f"override: flag_if: {error}"
    strangers = [*_strangers(rules)]
    yield from strangers
    if strangers:
        return
    try:
        by_item = rules.item_weights
        if not any(by_item[name] * rules.domain_weights[domain] for name, domain in rules.item_domains.items()):
            yield (
                ("weights",),
                ("weights: at least one must be above 0" if rules.item_domains else "no item is left to average"),
            )
    except ValueError as error:
        yield ("weights",), str(error)


def _strangers(rules: Framework) -> Iterator[Contradiction]:
    """Names that are weighed and stand for nothing."""
    for name in rules.weights:
        try:
            rules.find(name)
        except ValueError as error:
            yield ("weights", name), f"weights: {error}"


def _covers(before: Bracket, bracket: Bracket) -> bool:
    """Whether a bracket holds wherever another does: both are bounded on the same side, and it begins no later."""
    for sign, open_end, closed_end in ((1, "above", "at_least"), (-1, "below", "at_most")):
        ends = []
        for one in (before, bracket):
            is_open = getattr(one, open_end) is not None
            end = getattr(one, open_end if is_open else closed_end)
            ends.append(None if end is None else (sign * end, is_open))
        if None not in ends:
            return ends[0] <= ends[1]
    return False


def _beyond(rules: Framework, key: Key, name: str, scores: Iterable[float]) -> Iterator[Contradiction]:
    best, worst = rules.scale.best, rules.scale.worst
    for score in scores:
        if not best <= score <= worst:
            yield key, f"{name!r}: the score {score:g} is outside the scale, {best:g} to {worst:g}"


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
