"""Two quarters of one trust type side by side: who moved, and which items both quarters have.

`between` puts the league tables of two quarters together; `paired_items` their items. Items are the
same if their identifiers have the same last three digits and they are scored by the same rule
(`identities`), so that two years of the framework can be compared as far as they agree.

Places gained are the old rank less the new one: above 0 is a rise. Averages fall when they improve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import reduce

import numpy as np
import pandas as pd

from nofcore import flags
from nofcore.errors import InputError
from nofcore.framework import Combined, Framework, Metric, year_of
from nofcore.league import LeagueTable
from nofcore.release import quarter_order
from nofcore.wording import singular

LARGEST = 5
"""Rises and falls that a chart names."""

# --- two quarters side by side --------------------------------------------------------------------


@dataclass(frozen=True)
class Movement:
    """Two quarters of one trust type.

    ``trusts``: those ranked in both, in the league order of ``after``: trust_name; average, segment,
    unadjusted (segment before the override), held (in a worse segment than that: the override acts),
    flagged (NaN where not known) and rank, each with _before and _after; average_change (points);
    gained (places: old rank less new rank); segment_changed; override_began_or_ceased. ``others``: trusts
    of the type that are not ranked in both, with what the figures say of each.
    """

    trust_type: str
    before: LeagueTable
    after: LeagueTable
    trusts: pd.DataFrame
    others: pd.DataFrame

    @property
    def rules_changed(self) -> bool:
        """Whether the two quarters belong to two years of the framework."""
        return year_of(self.before.quarter) != year_of(self.after.quarter)

    def has_items(self) -> bool:
        """Whether trusts have items in both quarters."""
        return bool(self.trusts["recomputed_before"].any() and self.trusts["recomputed_after"].any())


def between(before: LeagueTable, after: LeagueTable, trust_type: str) -> Movement:
    """Put two quarters of a trust type together.

    InputError if ``after`` is not the later one, if the type has no ranked trust in one of them, or
    if their averages have different numbers of decimals.
    """
    if quarter_order(before.quarter) >= quarter_order(after.quarter):
        raise InputError(f"{before.quarter} is not before {after.quarter}; name the earlier quarter first")
    if _decimals(before) != _decimals(after):
        raise InputError(f"the averages of {before.quarter} and {after.quarter} have different numbers of decimals")
    sides = [_side(rebuilt, trust_type) for rebuilt in (before, after)]
    common = sides[1].index.intersection(sides[0].index, sort=False)
    old, new = (side.loc[common] for side in sides)
    trusts = pd.DataFrame({"trust_name": new["trust_name"]})
    for name in ("average", "segment", "unadjusted", "held", "flagged", "rank", "recomputed"):
        trusts[f"{name}_before"], trusts[f"{name}_after"] = old[name], new[name]
    trusts["average_change"] = (new["hundredths"] - old["hundredths"]) / 10 ** _decimals(after)
    trusts["gained"] = (old["rank"] - new["rank"]).astype(int)
    trusts["segment_changed"] = old["segment"] != new["segment"]
    known = old["held"].notna() & new["held"].notna()
    trusts["override_began_or_ceased"] = (old["held"] != new["held"]).where(known)
    return Movement(trust_type, before, after, trusts, _others(before, after, trust_type, common))


def _decimals(rebuilt: LeagueTable) -> int:
    return rebuilt.framework.average.decimals if rebuilt.framework else 2


def _side(rebuilt: LeagueTable, trust_type: str) -> pd.DataFrame:
    """The ranked trusts of a type in one quarter."""
    rows = rebuilt.of(trust_type).dropna(subset="rank")
    if rows.empty:
        raise InputError(f"{rebuilt.quarter}: no trust of type {trust_type} is ranked")
    apart = flags.before_override(rebuilt, rows)
    held = (rows["segment"] > apart["unadjusted"]).where(apart["unadjusted"].notna()).astype("boolean")
    return rows.drop(columns="flagged").join(apart).assign(average=rows["average_score"], held=held)


def largest(movement: Movement, each: int = LARGEST, trust: str | None = None) -> list[str]:
    """Codes of the largest rises, then of the largest falls (last the largest), and of a trust that is asked for. Of equal
    moves the trust with the better rank now comes first."""
    gained = movement.trusts["gained"]
    rises = gained[gained > 0].sort_values(ascending=False, kind="stable").index[:each]
    falls = gained[gained < 0].sort_values(kind="stable").index[:each]
    codes = [*rises, *falls[::-1]]
    return [trust, *codes] if trust in gained.index and trust not in codes else codes


def nearest_flags(tables: Sequence[LeagueTable], movement: Movement) -> pd.Series:
    """Override flags by trust (0 or 1, NaN where no quarter shows it), each from the quarter nearest to the earlier one of
    the movement. ``tables``: quarters in order, with trusts of the type ranked in each; of two that are equally near the
    earlier serves."""
    at = [one.quarter for one in tables].index(movement.before.quarter)
    nearest = sorted(range(len(tables)), key=lambda place: abs(place - at))
    return reduce(pd.Series.combine_first, [_side(tables[place], movement.trust_type)["flagged"] for place in nearest])


def cuts_of(rebuilt: LeagueTable, trust_type: str) -> np.ndarray | None:
    """The cut-offs of a type in hundredths; None where the kit does not know them."""
    known = flags.known_cut_offs(rebuilt)
    cuts = known.get(trust_type, known.get(""))
    return None if cuts is None else np.asarray(cuts, dtype=float)


def _others(before: LeagueTable, after: LeagueTable, trust_type: str, common: pd.Index) -> pd.DataFrame:
    """Trusts of the type that are not ranked in both quarters: what happened, as far as the figures say."""
    rows = []
    for mine, its, found in ((before, after, "left"), (after, before, "joined")):
        for code, row in mine.of(trust_type).iterrows():
            if code in common or any(code == known["trust_code"] for known in rows):
                continue
            rows.append(
                {
                    "trust_code": code, "trust_name": row["trust_name"], "what": _what(code, mine, its, found),
                    "quarter": mine.quarter, "average": row["average_score"], "segment": row["segment"],
                    "rank": row["rank"],
                }
            )  # fmt: skip
    columns = ["trust_code", "trust_name", "what", "quarter", "average", "segment", "rank"]
    return pd.DataFrame(rows, columns=columns).set_index("trust_code")


def _what(code: str, mine: LeagueTable, its: LeagueTable, found: str) -> str:
    if code not in its.trusts.index:
        return f"{found}: not in the figures of {its.quarter}"
    other = its.trusts.loc[code]
    if other["trust_type"] != mine.trusts.at[code, "trust_type"]:
        return f"{found}: listed as {singular(other['trust_type'])} in {its.quarter}"
    quarters = [one.quarter for one in (mine, its) if np.isnan(one.trusts.at[code, "rank"])]
    return f"not ranked in {' and '.join(quarters)}"


# --- the items of both quarters -------------------------------------------------------------------


def identities(framework: Framework) -> dict[str, str]:
    """What makes each item the same from year to year: the last three digits of its identifier, and its rule.

    A group is the same if its members are, a combined score if its parts and its table are.
    """
    by_score = {metric.score: _identity(metric) for metric in framework.metric}
    found = {}
    for name in framework.item_domains:
        entry = framework.by_score.get(name)
        if isinstance(entry, Metric):
            found[name] = by_score[name]
        elif isinstance(entry, Combined):
            parts = [by_score[entry.rows], by_score[entry.columns]]
            found[name] = f"{_digits(name)} {entry.matrix} {parts}"
        else:
            members = sorted(by_score[metric.score] for metric in framework.metric if metric.group == name)
            found[name] = f"{name} {members}"
    return found


def _identity(metric: Metric) -> str:
    """Names, domain and the types that report a metric may change without a change of the rule.

    Where one type alone reports it, the pool of all types is that of the type.
    """
    apart = {
        "score",
        "value",
        "name",
        "short",
        "domain",
        "trust_types",
        "rescored",
        "survey",
        "source",
        "whole_steps",
        "inferred",
    }
    rule = {field.name: getattr(metric, field.name) for field in fields(metric) if field.name not in apart}
    rule["pool"] = "type" if len(metric.trust_types) == 1 else metric.pool
    return f"{_digits(metric.score)} {rule}"


def _digits(score: str) -> str:
    return score[-3:]


@dataclass(frozen=True)
class PairedItems:
    """Items of both quarters: ``before`` and ``after`` are trusts by items of either, NaN where a trust has none.

    ``sources``: (items,) what each is taken from; an item that shares its source with no other is its own.
    """

    before: pd.DataFrame
    after: pd.DataFrame
    sources: pd.Series

    @property
    def shared(self) -> pd.DataFrame:
        """Whether a trust has the item in both quarters."""
        return self.before.notna() & self.after.notna()


def paired_items(movement: Movement) -> PairedItems:
    """The items of the trusts that have some in both quarters, under the names of the later one where it has them."""
    before, after = movement.before, movement.after
    has = movement.trusts["recomputed_before"] & movement.trusts["recomputed_after"]
    codes = movement.trusts.index[has.astype(bool)]
    if not len(codes):
        empty = pd.DataFrame(index=codes)
        return PairedItems(empty, empty, pd.Series(dtype=object))
    same = {identity: name for name, identity in identities(after.framework).items()}
    known = identities(before.framework)
    taken = set(after.items.values)
    names = {}
    for name in before.items.values:
        match = same.get(known[name])
        # An item under another rule keeps its name, marked with its year where the later one has the same.
        names[name] = match or (f"{name} ({year_of(before.quarter)})" if name in taken else name)
    old = before.items.values.reindex(codes).rename(columns=names)
    new = after.items.values.reindex(codes)
    columns = new.columns.union(old.columns, sort=False)
    old, new = old.reindex(columns=columns), new.reindex(columns=columns)
    used = (old.notna() | new.notna()).any()
    named = {metric.score: metric.source for metric in after.framework.metric if metric.source}
    sources = pd.Series([named.get(name, name) for name in columns], index=columns)
    return PairedItems(old.loc[:, used], new.loc[:, used], sources[used])
