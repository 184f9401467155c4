"""Which trusts carry the override flag, and how that is known.

The flag is read where it is published, or derived where the rules say how. For trusts without metric rows it may be missing: then
a segment worse than that of the average gives it away, and one that the override would have changed shows that there is none.
Where the override would change nothing, nothing can be deduced.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from nofcore import league
from nofcore.league import LeagueTable

GIVEN, BY_RULE, DEDUCED, UNKNOWN = "published", "derived by the rules", "deduced", "not known"


def cut_offs(rebuilt: LeagueTable, ranked: pd.DataFrame) -> np.ndarray:
    """Cut-offs of the quarter for each of the ``ranked`` trusts, (trusts, cut-offs), in hundredths."""
    known = known_cut_offs(rebuilt)
    return np.array([known.get(name, known.get("")) for name in ranked["trust_type"]])


def known_cut_offs(rebuilt: LeagueTable) -> Mapping[str, tuple[float, ...]]:
    """Cut-offs of the quarter by type ("" = all), from published averages where no average was recomputed."""
    return rebuilt.cut_offs or league.cut_offs_of_averages(rebuilt)


def override_flags(rebuilt: LeagueTable, ranked: pd.DataFrame) -> pd.DataFrame:
    """A row per ranked trust: flagged (False where that is not known) and basis (`GIVEN`, `BY_RULE`, `DEDUCED` or `UNKNOWN`)."""
    rule = rebuilt.framework.override
    by_rule = bool(rule and rule.flag_if)
    subject = ranked["trust_type"].isin(rule.trust_types) if rule and rule.trust_types else True
    unadjusted = league.segments(ranked["hundredths"].to_numpy(), cut_offs(rebuilt, ranked))
    worse = ranked["segment"].to_numpy() > unadjusted
    known = (ranked["recomputed"] | (ranked["in_deficit"].notna() & (not by_rule))).to_numpy(dtype=bool)
    at_hand = np.where(ranked["recomputed"], ranked["flagged"], (ranked["in_deficit"] == 1) & subject).astype(bool)
    told = worse | (if_flagged(unadjusted, rebuilt) != unadjusted) | ~np.broadcast_to(subject, worse.shape)
    basis = np.select([known, told], [BY_RULE if by_rule else GIVEN, DEDUCED], UNKNOWN)
    return pd.DataFrame({"flagged": np.where(known, at_hand, worse), "basis": basis}, index=ranked.index)


def before_override(rebuilt: LeagueTable, ranked: pd.DataFrame) -> pd.DataFrame:
    """What average and flag give each of the ``ranked`` trusts apart; NaN where the figures do not show it.

    unadjusted: the segment before the override, as published or else by the cut-offs of the quarter; flagged: the override
    flag (0 or 1); if_flagged: the segment with the flag, whether the trust carries it or not.
    """
    found = pd.DataFrame(
        {
            "unadjusted": ranked["unadjusted_segment"].astype(float),
            "flagged": ranked["flagged"].astype(float).where(ranked["in_deficit"].notna()),
            "if_flagged": np.nan,
        }
    )
    if rebuilt.framework is None:
        return found
    cuts = known_cut_offs(rebuilt)
    some = ranked[ranked["trust_type"].isin(cuts) | ("" in cuts)]
    if len(some):
        by_cuts = league.segments(some["hundredths"].to_numpy(), cut_offs(rebuilt, some))
        found["unadjusted"] = found["unadjusted"].fillna(pd.Series(by_cuts, some.index, dtype=float))
        read = override_flags(rebuilt, some)
        found.loc[some.index, "flagged"] = read["flagged"].astype(float).where(read["basis"] != UNKNOWN)
    known = found["unadjusted"].notna()
    found.loc[known, "if_flagged"] = if_flagged(found.loc[known, "unadjusted"].to_numpy(dtype=np.int64), rebuilt)
    return found


def ranks_in(segment: pd.Series, ranked: pd.DataFrame) -> pd.Series:
    """The league rank of each of the ``ranked`` trusts if it alone were in another segment; NaN where that is NaN."""
    found = pd.Series(np.nan, ranked.index)
    for _, rows in ranked.groupby("trust_type"):
        known = segment.reindex(rows.index).notna().to_numpy()
        hundredths = rows["hundredths"].to_numpy(dtype=np.int64)
        both = np.concatenate([rows["segment"], segment.reindex(rows.index).fillna(0)]).astype(np.int64)
        now, then = np.split(league.league_keys(both, np.tile(hundredths, 2)), 2)
        better = np.searchsorted(np.sort(now), then) - (now < then)  # without the trust itself
        found[rows.index[known]] = better[known] + 1.0
    return found


def if_flagged(unadjusted: np.ndarray, rebuilt: LeagueTable) -> np.ndarray:
    """The segments that the override makes of those before it for trusts with the flag."""
    rule = rebuilt.framework.override
    if rule is None:
        return unadjusted
    worst = rebuilt.framework.segment_count
    return league.override(unadjusted, np.True_, rule.no_higher_than, rule.segments_down or 0, worst)
