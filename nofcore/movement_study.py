"""All that is known of who moved between two quarters of a trust type, put together for a page."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from nofcore import bootstrap, change_ranges, decomposition, league, metric_changes, movement, release, stability
from nofcore.change_ranges import ChangeRanges
from nofcore.decomposition import Decomposition
from nofcore.errors import InputError
from nofcore.framework import Framework
from nofcore.league import LeagueTable
from nofcore.metric_changes import MetricChanges
from nofcore.movement import Movement
from nofcore.release import Archive
from nofcore.stability import Persistence, Stability
from nofcore.wording import plural

OWN_AVERAGE = "the rules do not average as the official ones do, and only such averages are drawn"


@dataclass(frozen=True)
class Study:
    """All that a page on movement speaks of.

    ``decomposition``, ``ranges``: or why there is none; ``rank_ranges``: of `nofcore.stability`; ``persistence``:
    over all quarters at hand up to the later one; ``path``: league tables of the quarters from the earlier to the
    later one; ``not_comparable``: why the two are not, None where they are; ``left_out``: other quarters that have no
    place in path and persistence, and why.
    """

    movement: Movement
    path: tuple[LeagueTable, ...]
    decomposition: Decomposition | str
    ranges: ChangeRanges | str
    rank_ranges: pd.DataFrame
    stability: Stability
    persistence: Persistence
    metrics: MetricChanges
    not_comparable: str | None
    left_out: tuple[str, ...]
    draws: int

    @property
    def trust_type(self) -> str:
        return self.movement.trust_type

    @property
    def quarters(self) -> tuple[str, str]:
        return self.movement.before.quarter, self.movement.after.quarter

    @property
    def own_average(self) -> bool:
        """Whether the rules of one of the quarters do not average as the official ones do, so that nothing is drawn."""
        tables = (self.movement.before, self.movement.after)
        return any(one.framework is not None and not one.framework.plain_average for one in tables)

    @property
    def who(self) -> str:
        """The trusts of the type, in words."""
        return plural(self.trust_type)


def study(
    archive: Archive, from_quarter: str, quarter: str, trust_type: str, own: Framework | None, draws: int, seed: int
) -> Study:
    """Compare two quarters of a trust type (a short or full name). ``own``: the user's rules, for their year."""
    before, after = archive.release(from_quarter), archive.release(quarter)
    kind = release.trust_type_of(trust_type, after.trust_types, quarter)
    tables, left_out = _tables(archive, (before.quarter, after.quarter), kind, own)
    start = next(place for place, rebuilt in enumerate(tables) if rebuilt.quarter == before.quarter)
    moved = movement.between(tables[start], tables[-1], kind)
    drawn = {t.quarter: bootstrap.rank_uncertainty(t, draws, seed) for t in tables if stability.can_draw(t, kind)}
    return Study(
        moved,
        tuple(tables[start:]),
        _or_reason(decomposition.decompose, moved, movement.nearest_flags(tables, moved)),
        _or_reason(change_ranges.paired_bootstrap, moved, draws, seed),
        stability.rank_ranges(moved, drawn),
        stability.stability(moved, draws, seed),
        stability.persistence(tables, kind, drawn),
        metric_changes.metric_changes(moved, before, after),
        decomposition.why_not(moved),
        left_out,
        draws,
    )


def _tables(
    archive: Archive, ends: tuple[str, str], kind: str, own: Framework | None
) -> tuple[list[LeagueTable], tuple[str, ...]]:
    """League tables up to the later quarter in which trusts of the type are ranked, and why others are left out.

    InputError if one of the two ends is among these, or if they are not in order.
    """
    if release.quarter_order(ends[0]) >= release.quarter_order(ends[1]):
        raise InputError(f"{ends[0]} is not before {ends[1]}; name the earlier quarter first")
    tables, left_out = [], []
    for quarter in archive.quarters[: archive.quarters.index(ends[1]) + 1]:
        try:
            rebuilt = league.build(archive.release(quarter), release.framework_for(quarter, own))
            if not rebuilt.of(kind)["rank"].notna().any():
                raise InputError(f"{quarter}: no trust of type {kind} is ranked")
            tables.append(rebuilt)
        except InputError as error:
            if quarter in ends:
                raise
            left_out.append(str(error))
    return tables, tuple(left_out)


def _or_reason(analysis, *arguments):
    """What an analysis gives, or why it gives nothing."""
    try:
        return analysis(*arguments)
    except InputError as error:
        return str(error)
