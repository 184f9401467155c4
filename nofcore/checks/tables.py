"""A league table as arrays: what its figures can be, given the others, and which one, put right, sets all in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from nofcore import league
from nofcore.framework import Framework
from nofcore.ranking import minimum_ranks

FIGURES = ("unadjusted_segment", "segment", "rank", "score_rank")
"""Figures that follow from others."""
_ROWS = 2000
"""Tables that are judged at a time, for the sake of memory."""
_MOST = 15000
"""Averages that are tried. Where ranks are not given there may be more, of which some are left out, evenly."""


@dataclass(frozen=True, eq=False)
class Rules:
    """What segments follow from: ``framework``, and ``elsewhere``, averages in hundredths of types without a table."""

    framework: Framework
    elsewhere: np.ndarray

    def overridden(self, types: np.ndarray) -> np.ndarray:
        """Which trusts the override is for."""
        rule = self.framework.override
        return np.isin(types, rule.trust_types or np.unique(types)) if rule else np.zeros(len(types), dtype=bool)


@dataclass(frozen=True, eq=False)
class Table:
    """Published figures of a quarter, (trusts,) or (tables, trusts); NaN where one is not given.

    ``types``: names, (trusts,); ``average_score``: in hundredths; ``in_deficit``: 0 where the override is not for the
    type.
    """

    types: np.ndarray
    average_score: np.ndarray
    unadjusted_segment: np.ndarray
    in_deficit: np.ndarray
    segment: np.ndarray
    rank: np.ndarray
    score_rank: np.ndarray


@dataclass(frozen=True)
class Mend:
    """One figure that, put right, sets all in order: its name, the trust's place, and the lowest and highest value
    that do."""

    figure: str
    trust: int
    low: float
    high: float


Bounds = dict[str, tuple[np.ndarray, np.ndarray]]


def bounds(table: Table, rules: Rules) -> Bounds:
    """Lowest and highest value that each of `FIGURES` can have, given those that it follows from.

    They are apart only where something that is not given leaves a figure open.
    """
    low, high = _unadjusted(table, rules)
    known = ~np.isnan(table.unadjusted_segment)
    own_low, own_high = (np.where(known, table.unadjusted_segment, made) for made in (low, high))
    ruled = np.isin(table.types, rules.framework.trust_types)
    down, up = (np.where(np.isnan(table.in_deficit), flag, table.in_deficit) for flag in (0, 1))
    segments = {
        "unadjusted_segment": (low, high),
        "segment": (_overridden(own_low, down, rules), _overridden(own_high, up, rules)),
    }
    for name, (least, most) in segments.items():  # nothing is known of the segments of other types
        segments[name] = np.where(ruled, least, -np.inf), np.where(ruled, most, np.inf)
    return segments | rank_bounds(table)


def rank_bounds(table: Table) -> Bounds:
    """`bounds` of the ranks alone, which follow from no rules but the order within a type."""
    return {
        "rank": _ranks(table, table.segment, table.rank),
        "score_rank": _ranks(table, np.zeros(table.segment.shape), table.score_rank),
    }


def contradictions(table: Table, rules: Rules) -> dict[str, np.ndarray]:
    """Which of `FIGURES` are outside their bounds; what is not given is not."""
    found = bounds(table, rules)
    return {name: (getattr(table, name) < low) | (getattr(table, name) > high) for name, (low, high) in found.items()}


def _unadjusted(table: Table, rules: Rules) -> tuple[np.ndarray, np.ndarray]:
    """Segments before the override. With averages missing, cut-offs are as low and as high as these can make them."""
    rule, scale = rules.framework.segments, rules.framework.scale
    average = table.average_score
    known = ~np.isnan(average)
    low, high = np.ones(average.shape), np.full(average.shape, float(rules.framework.segment_count))
    ruled = np.isin(table.types, rules.framework.trust_types)
    pools = [ruled] if rule.pool == "all" else [table.types == name for name in rules.framework.trust_types]
    unit = 10**rules.framework.average.decimals
    for pool in filter(np.any, pools):
        for made, filling in ((low, scale.worst), (high, scale.best)):
            whole = np.where(known, average, filling * unit)[..., pool].astype(np.int64)
            segments = league.segments(whole, _cut_offs(whole, rules))
            made[..., pool] = np.where(known[..., pool], segments, made[..., pool])
    return low, high


def _cut_offs(averages: np.ndarray, rules: Rules) -> np.ndarray:
    """Cut-offs of each table of a pool, in the hundredths of its averages."""
    rule = rules.framework.segments
    if rule.rule == "thresholds":
        return np.round(np.asarray(rule.thresholds) * 10**rules.framework.average.decimals, 6)
    others = np.broadcast_to(rules.elsewhere, (*averages.shape[:-1], len(rules.elsewhere)))
    return league.cut_offs(np.concatenate([averages, others], axis=-1), rule.percentiles)[..., None, :]


def _overridden(segment: np.ndarray, flag: np.ndarray, rules: Rules) -> np.ndarray:
    rule = rules.framework.override
    if rule is None:
        return segment
    made = league.override(
        segment, flag == 1, rule.no_higher_than, rule.segments_down or 0, rules.framework.segment_count
    )
    return made.astype(float)


def _ranks(table: Table, segment: np.ndarray, published: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Minimum ranks within type. A trust without average or segment holds the place of its rank; without that, any."""
    given = ~np.isnan(table.average_score) & ~np.isnan(segment)
    low = np.full(given.shape, np.nan)
    slack = np.zeros(given.shape)
    # What is not given is the same in all tables.
    first = given.reshape(-1, given.shape[-1])[0]
    for name in np.unique(table.types):
        mine = (table.types == name) & first
        if not mine.any():
            continue
        average = table.average_score[..., mine].astype(np.int64)
        made = minimum_ranks(league.league_keys(segment[..., mine], average)).astype(float)
        for place in np.flatnonzero((table.types == name) & ~first):
            own = published[..., place, None]
            made += own < published[..., mine]
            slack[..., mine] += np.isnan(own)
        low[..., mine] = made
    return low, low + slack


def mends(table: Table, rules: Rules, firm: np.ndarray, judged: np.ndarray | None = None) -> list[Mend]:
    """Every figure that, put right alone, leaves no contradiction among trusts. ``firm``: (trusts,) averages that are
    known to be right; ``judged``: trusts whose figures must be in order, all where None."""
    judged = np.ones(len(table.types), dtype=bool) if judged is None else judged
    wrong = {name: found & judged for name, found in contradictions(table, rules).items()}
    if not any(found.any() for found in wrong.values()):
        return []
    found = [*_wrong_ranks(table, rules, wrong)]
    for figure, tries in _tries(table, rules, wrong, ~firm & judged).items():
        values = getattr(table, figure)
        given = [(trust, value) for trust, value in tries if not np.isnan(values[trust]) and values[trust] != value]
        found += _that_mend(table, rules, figure, given, judged)
    return found


def _tries(table: Table, rules: Rules, wrong: dict[str, np.ndarray], open_: np.ndarray) -> dict[str, list[tuple]]:
    """(trust, value) that may be the right one, by figure. ``open_``: whose averages may be wrong."""
    touched = np.flatnonzero(np.any([*wrong.values()], axis=0))
    segments = np.arange(1, rules.framework.segment_count + 1)
    of_segments = [(trust, segment) for trust in touched for segment in segments]
    flagged = touched[rules.overridden(table.types)[touched]]
    averages = [*_averages(table, rules, open_)]
    return {
        "in_deficit": [(trust, flag) for trust in flagged for flag in (0, 1)],
        "unadjusted_segment": of_segments,
        "segment": of_segments,
        "average_score": averages[:: 1 + len(averages) // _MOST],
    }


def _wrong_ranks(table: Table, rules: Rules, wrong: dict[str, np.ndarray]) -> Iterator[Mend]:
    """Nothing follows from a rank, so that it explains itself alone."""
    if sum(int(found.sum()) for found in wrong.values()) != 1:
        return
    for name in ("rank", "score_rank"):
        for trust in np.flatnonzero(wrong[name]):
            low, high = bounds(table, rules)[name]
            yield Mend(name, int(trust), low[trust], high[trust])


def _averages(table: Table, rules: Rules, open_: np.ndarray) -> Iterator[tuple[int, int]]:
    """(trust, average) that stand where the trust's segment and rank are among those of the others."""
    unit = 10**rules.framework.average.decimals
    best, worst = round(rules.framework.scale.best * unit), round(rules.framework.scale.worst * unit)
    for trust in np.flatnonzero(open_ & ~np.isnan(table.average_score)):
        peers = (table.types == table.types[trust]) & ~np.isnan(table.average_score)
        peers &= table.segment == table.segment[trust]
        peers[trust] = False
        average, rank = table.average_score[peers], table.rank[peers]
        low = int(average[rank < table.rank[trust]].max(initial=best - 1)) + 1
        high = int(average[rank > table.rank[trust]].min(initial=worst + 1)) - 1
        equal = np.unique(average[rank == table.rank[trust]])
        if len(equal):
            low, high = max(low, int(equal[-1])), min(high, int(equal[0]))
        yield from ((trust, value) for value in range(low, high + 1))


def _that_mend(table: Table, rules: Rules, figure: str, tries: list[tuple[int, int]], judged) -> list[Mend]:
    """Of changes of a figure, those that leave no contradiction, by trust."""
    good: dict[int, list[float]] = {}
    for start in range(0, len(tries), _ROWS):
        some = tries[start : start + _ROWS]
        changed = replace(
            table,
            **{
                name: np.tile(getattr(table, name), (len(some), 1))
                for name in ("average_score", "in_deficit", *FIGURES)
            },
        )
        trusts, values = (np.array(column) for column in zip(*some, strict=True))
        getattr(changed, figure)[np.arange(len(some)), trusts] = values
        left = contradictions(changed, rules)
        for place in np.flatnonzero(~np.any([*left.values()], axis=0)[:, judged].any(axis=1)):
            good.setdefault(int(trusts[place]), []).append(float(values[place]))
    return [Mend(figure, trust, min(values), max(values)) for trust, values in good.items()]
