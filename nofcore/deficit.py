"""What the financial override does to ranks: whom it moves, and who gains by it.

Each override rule is held against the same league tables without any: a capped trust loses places,
and the trusts that it would be ahead of gain them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nofcore import scenarios, sensitivity
from nofcore.errors import InputError
from nofcore.framework import Framework
from nofcore.league import LeagueTable
from nofcore.release import Release
from nofcore.scenarios import NONE, OFFICIAL_KEY, Scenario
from nofcore.sensitivity import OFFICIAL, Outcome

RULE = OFFICIAL_KEY
"""The key of the official override."""
_SUMMARY = {
    "name": "str", "reason": "str", "n": "Int64", "flagged": "Int64", "flags_not_known": "Int64", "moved": "Int64", "moved_ranks": "Int64",
    "places_lost": "Int64", "most_lost": "Int64", "gaining": "Int64", "mean_gain": "float", "most_gained": "Int64",
}  # fmt: skip


@dataclass(frozen=True)
class Overrides:
    """Override rules beside none at all. `compare` makes one.

    ``without``: league tables without an override; ``rules``: what each rule gives, by key, the
    official one first; ``notes``.
    """

    quarter: str
    without: LeagueTable
    rules: dict[str, Outcome | None]
    tables: dict[str, LeagueTable | None]
    notes: tuple[str, ...]

    def table(self, trust_type: str, rule: str = RULE) -> pd.DataFrame:
        """A row per trust in the order of the rule: trust_name, average_score, flagged (missing where that is not
        known), unadjusted_segment, segment, moved (the override changed its segment), rank, rank_without, places_lost
        (negative: gained).

        InputError where the rule cannot be applied to the type, with the reason.
        """
        if rule not in self.tables:
            raise InputError(f"no override rule {rule!r}; there are {', '.join(self.tables)}")
        if reason := self._why_not(rule, trust_type):
            raise InputError(f"{self.quarter}, {trust_type}: {reason}")
        rows = self.tables[rule].of(trust_type).dropna(subset="rank")
        without = self.without.trusts.reindex(rows.index)
        table = pd.DataFrame(
            {
                "trust_name": rows["trust_name"],
                "average_score": rows["average_score"],
                "flagged": rows["flagged"].astype("boolean").mask(rows["in_deficit"].isna()),
                "unadjusted_segment": without["segment"].astype("Int64"),
                "segment": rows["segment"].astype("Int64"),
                "rank": rows["rank"].astype("Int64"),
                "rank_without": without["rank"].astype("Int64"),
            }
        )
        table.insert(5, "moved", (table["segment"] != table["unadjusted_segment"]).astype(bool))
        table["flagged"] |= table["moved"]
        table["places_lost"] = table["rank"] - table["rank_without"]
        return table

    def summary(self, trust_type: str) -> pd.DataFrame:
        """A row per rule, by key: name, reason (why it cannot be applied), n (trusts), flagged, moved (trusts whose
        segment it changes), flags_not_known, moved_ranks (of them, who loses places), places_lost and most_lost (by trusts moved),
        gaining (other trusts that gain places), mean_gain and most_gained (places, of those that gain)."""
        rows = {key: self._summary(key, trust_type) for key in self.tables}
        table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("rule")
        return table.reindex(columns=list(_SUMMARY)).astype(_SUMMARY)

    def flags(self, rule: str) -> pd.DataFrame:
        """Trusts that a rule with a flag of its own flags otherwise than NHS England: trust_type, trust_name, published
        and derived. Only trusts whose published flag is known."""
        table = self.tables.get(rule)
        if table is None:
            return pd.DataFrame(columns=["trust_type", "trust_name", "published", "derived"])
        trusts = table.trusts[table.trusts["in_deficit"].notna() & table.trusts["recomputed"]]
        found = trusts[["trust_type", "trust_name"]].assign(
            published=trusts["in_deficit"] == 1, derived=trusts["flagged"].astype(bool)
        )
        return found[found["published"] != found["derived"]]

    def _why_not(self, rule: str, trust_type: str) -> str:
        outcome = self.rules[rule]
        return (outcome.why_not(trust_type) or "") if outcome else ""

    def _summary(self, key: str, trust_type: str) -> dict:
        outcome = self.rules[key]
        row = {"name": outcome.scenario.name if outcome else OFFICIAL, "reason": self._why_not(key, trust_type)}
        if row["reason"]:
            return row
        table = self.table(trust_type, key)
        lost = table.loc[table["moved"], "places_lost"]
        gained = -table.loc[~table["moved"] & (table["places_lost"] < 0), "places_lost"]
        return row | {
            "n": len(table),
            "flagged": int(table["flagged"].sum()),
            "flags_not_known": int(table["flagged"].isna().sum()),
            "moved": int(table["moved"].sum()),
            "moved_ranks": int((lost > 0).sum()),
            "places_lost": int(lost.sum()),
            "most_lost": int(lost.max()) if len(lost) else 0,
            "gaining": len(gained),
            "mean_gain": float(gained.mean()) if len(gained) else np.nan,
            "most_gained": int(gained.max()) if len(gained) else 0,
        }


def compare(figures: Release, framework: Framework | None, alternatives: Iterable[Scenario] | None = None) -> Overrides:
    """The official override and some alternatives, those of the kit where None, each against none at all.

    ``alternatives``: scenarios that change the override alone. ``framework``: None where the kit has no
    rules for the year; the published results serve then.
    """
    shipped = [s for s in scenarios.shipped() if _only_override(s)]
    none = next(s for s in shipped if s.changes.override == NONE)
    wanted = [s for s in shipped if s is not none] if alternatives is None else list(alternatives)
    if others := [s.key for s in wanted if not _only_override(s) or s.key == RULE]:
        raise InputError(f"{', '.join(others)}: not a scenario that changes the override alone")
    found = sensitivity.compare(figures, framework, [none, *(s for s in wanted if s.key != none.key)])
    without, *rest = found.outcomes
    if without.table is None:
        raise InputError(without.reason)
    by_key = {outcome.scenario.key: outcome for outcome in rest}
    return Overrides(
        found.quarter, without.table, {RULE: None} | by_key,
        {RULE: found.baseline} | {key: outcome.table for key, outcome in by_key.items()}, found.notes,
    )  # fmt: skip


def _only_override(scenario: Scenario) -> bool:
    changes = scenario.changes
    return changes.override is not None and changes == scenarios.Changes(override=changes.override)
