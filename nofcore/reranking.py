"""Rank the trusts of a league table again, many times: other weights, or other items, the same rules.

`Reranking` holds what that takes as arrays; `prepare` makes one for a league table. Averages,
cut-offs, segments and ranks all come from the kernel in `nofcore.league`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from nofcore import league
from nofcore.bootstrap import Rules, ranking_rules
from nofcore.errors import InputError
from nofcore.framework import Average
from nofcore.league import LeagueTable, Ranking


@dataclass(frozen=True)
class Reranking:
    """What it takes to rank trusts again.

    ``trusts``: rows of the league table, those ranked of the types that the rules know, in its order;
    ``items``: names of the items; ``values``: (trusts, items), NaN where a trust has none; ``held``:
    (trusts,) who has no items and stands at the published average; ``rules``: cut-offs, override and
    ranking; ``average``: how items are averaged; ``cutoffs``: "recomputed" with all types each time, or
    "published", those of the table.
    """

    trusts: pd.DataFrame
    items: tuple[str, ...]
    values: np.ndarray
    held: np.ndarray
    rules: Rules
    average: Average
    cutoffs: str

    @property
    def ranks(self) -> np.ndarray:
        """(trusts,) ranks in the league table."""
        return self.trusts["rank"].to_numpy(dtype=np.int64)

    @property
    def without_any(self) -> np.ndarray:
        """(trusts,) who is of a type in which no trust has items: their ranks say nothing of other averages."""
        types = self.trusts["trust_type"]
        return ~types.isin(types[~self.held]).to_numpy()

    def averages(self, weights: np.ndarray) -> np.ndarray:
        """Averages in hundredths under each weighting: (draws, items) -> (draws, trusts)."""
        rule = self.average
        if not self.held.any():
            return league.averages_by_draw(self.values, weights, rule.decimals, rule.how)
        found = np.empty((len(weights), len(self.held)), dtype=np.int64)
        found[:, self.held] = self.trusts["hundredths"].to_numpy(dtype=np.int64)[self.held]
        found[:, ~self.held] = league.averages_by_draw(self.values[~self.held], weights, rule.decimals, rule.how)
        return found

    def rank(self, hundredths: np.ndarray, has: np.ndarray | None = None) -> Ranking:
        """Segments and ranks of averages, (draws, trusts).

        ``has``: (draws, trusts) who has an average; the others are ranked in no place: segment and
        rank 0.
        """
        if has is None or has.all():
            return self.rules.rank(hundredths)
        shape = hundredths.shape
        found = Ranking(np.zeros(shape, np.int8), np.zeros(shape, np.int8), np.zeros(shape, np.int16))
        masks, alike = np.unique(has, axis=0, return_inverse=True)
        for number, mask in enumerate(masks):
            mine = np.flatnonzero(mask)
            place = np.ix_(np.flatnonzero(alike == number), mine)
            ranking = _only(self.rules, mine).rank(hundredths[place])
            for name in ("unadjusted", "segment", "rank"):
                getattr(found, name)[place] = getattr(ranking, name)
        return found


def _only(rules: Rules, mine: np.ndarray) -> Rules:
    """The rules for some of the trusts."""
    given = {name: getattr(rules, name) for name in ("flags", "types", "cuts", "pools")}
    return replace(rules, **{name: array[mine] for name, array in given.items() if array is not None})


def prepare(rebuilt: LeagueTable, cutoffs: str | None = None) -> Reranking:
    """Prepare to rank the trusts of a league table again.

    ``cutoffs``: "recomputed" takes the cut-offs anew each time from the averages of all types (the
    default where the rules are percentiles), "published" holds those of the table. Raises InputError
    if no trust has items, or if fixed thresholds are to be recomputed.
    """
    if rebuilt.items is None:
        raise InputError(f"{rebuilt.quarter}: no metric scores are at hand, so nothing can be averaged again")
    framework = rebuilt.framework
    ranked = rebuilt.trusts.dropna(subset="rank")
    ranked = ranked[ranked["trust_type"].isin(framework.trust_types)]
    if cutoffs is None:
        cutoffs = "recomputed" if framework.segments.rule == "percentiles" else "published"
    held = ~ranked["recomputed"].to_numpy(dtype=bool)
    values = rebuilt.items.values.reindex(ranked.index)
    rules = ranking_rules(rebuilt, ranked, cutoffs)
    return Reranking(ranked, tuple(values.columns), values.to_numpy(), held, rules, framework.average, cutoffs)
