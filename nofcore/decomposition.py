"""Why a rank changed: the places that a trust gained, split exactly into what changed between two quarters.

A league table follows from the averages, the cut-offs, the override flags and the trusts that are in it. Between
two quarters all of them change at once, and what each adds depends on the order in which they are
changed. The Shapley value (Shapley 1953) takes the mean over all orders: no order is
privileged, and the parts add up to the change to the last digit. They are whole numbers divided by
n! and are kept as such. The split is our choice of method; NHS England publishes none.

Six things ("players") go from the old quarter to the new one. For a given trust:

* ``own``: its own scores on the items that it has in both quarters. A trust without items in one of the
  quarters has only its published average: then its whole average.
* ``others``: the same of every other trust of the type.
* ``cut_offs``: the segment cut-offs of the type, held as they were in each quarter, not taken anew from
  mixed tables. Under the rules of 2025/26 they are quartiles of the averages of all trusts, so this
  part is the movement of all trusts of all types as far as it works through the cut-offs.
* ``override``: the override flags of all trusts, its own among them, and the rules of override and ranking. A
  flag that the figures do not show (they show it only where it moves a segment) is taken to be as in the
  other quarter, or as in the nearest one that shows it, and as up where none does: where a flag makes no
  difference most trusts have it (of acute trusts 61 of 69 in Q1 2025/26, 67 of 82 in Q1 2026/27). A note says how far
  the split hangs on that.
* ``metrics``: for all trusts, which items are averaged: with the old set, items that only the old quarter has
  keep their old scores; with the new set, items that only the new one has stand in their place. Items under
  another rule are other items, so between two years of the framework this is the part of the changed rules.
* ``field``: which trusts are in the table. Those that left stay as they were in the old quarter until this is
  switched, those that joined enter as they are in the new one.

Between two quarters of one framework nothing else enters a league rank: with all six switched the ranks are those of
the new quarter, which `decompose` checks, as it checks the old ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from math import factorial

import numpy as np
import pandas as pd

from nofcore import league
from nofcore.errors import InputError
from nofcore.flags import if_flagged
from nofcore.framework import Override
from nofcore.league import Items, LeagueTable
from nofcore.movement import Movement, PairedItems, cuts_of, paired_items
from nofcore.wording import counted, plural

PLAYERS = ("own", "others", "cut_offs", "override", "metrics", "field")
OLD, NEW = 0, 1

# --- on arrays ------------------------------------------------------------------------------------


def shapley(values: np.ndarray) -> np.ndarray:
    """Shapley values of games in whole numbers, as whole numbers over n!, (players, ...).

    ``values``: what each coalition is worth: an axis of length 2 for each of n players, index 1 where
    the player is in it, and a last axis of games.
    """
    n = values.ndim - 1
    found = np.zeros((n, values.shape[-1]), dtype=np.int64)
    for coalition in product((0, 1), repeat=n):
        size = sum(coalition)
        for player in range(n):
            if not coalition[player]:
                joined = tuple(1 if place == player else one for place, one in enumerate(coalition))
                weight = factorial(size) * factorial(n - size - 1)
                found[player] += weight * (values[joined].astype(np.int64) - values[coalition])
    return found


@dataclass(frozen=True)
class _Flags:
    """``flags``: (quarters, trusts); ``assumed``: (trusts,) shown by neither quarter; ``notes``: what was taken."""

    flags: np.ndarray
    assumed: np.ndarray
    notes: list[str]


@dataclass(frozen=True)
class Sides:
    """Everything that a league rank follows from, in the old and the new quarter (first axis).

    ``hundredths``: (values, sets, trusts) averages, old or new scores by old or new set of items;
    ``flags``, ``present``: (quarters, trusts); ``cuts``: (quarters, cut-offs); ``rules``: override
    of each quarter; ``by``: what each ranks by. A trust that is in one quarter alone has the same
    figures in all places.
    """

    hundredths: np.ndarray
    flags: np.ndarray
    present: np.ndarray
    cuts: tuple[np.ndarray, np.ndarray]
    rules: tuple[Override | None, Override | None]
    by: tuple[str, str]

    def ranks(self, own: int, others: int, cut_offs: int, override: int, metrics: int, field: int) -> np.ndarray:
        """League rank of every trust that is in both quarters, with each player at its old (0) or new (1) state."""
        there = self.present[field]
        both = np.flatnonzero(self.present.all(axis=0))
        table = self.hundredths[others, metrics][there]
        places = np.cumsum(there)[both] - 1
        if own != others:  # a table for each trust, in which it alone differs
            table = np.repeat(table[None], len(both), axis=0)
            table[np.arange(len(both)), places] = self.hundredths[own, metrics][both]
        rule = self.rules[override]
        ranking = league.rank_trusts(
            table, self.cuts[cut_offs], self.flags[override][there], np.zeros(there.sum(), dtype=int),
            rule.no_higher_than if rule else None, (rule.segments_down or 0) if rule else 0, self.by[override],
        )  # fmt: skip
        return ranking.rank[np.arange(len(both)), places] if own != others else ranking.rank[places]

    def all_ranks(self) -> np.ndarray:
        """(2, 2, 2, 2, 2, 2, trusts in both quarters) ranks by the state of each player."""
        states = list(product((OLD, NEW), repeat=len(PLAYERS)))
        found = np.array([self.ranks(*state) for state in states], dtype=np.int64)
        return found.reshape((2,) * len(PLAYERS) + found.shape[1:])


# --- on a movement --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Decomposition:
    """The places that each trust gained, split.

    ``trusts``: rows of `nofcore.movement.Movement.trusts`; ``numerators``: trusts by `PLAYERS`, places
    gained as whole numbers over ``denominator``; ``by_items``: trusts whose own scores and set of
    metrics are told apart; ``averages``: of these, the change of the average split in the same way, in points: own (its
    scores on the items of both quarters) and metrics (which items are averaged, and rules that changed), each the mean
    over both orders, adding up to the change to the half hundredth; ``rules_changed``: between the two quarters;
    ``notes``: what a reader should know.
    """

    trusts: pd.DataFrame
    numerators: pd.DataFrame
    denominator: int
    by_items: pd.Series
    averages: pd.DataFrame
    rules_changed: bool
    notes: tuple[str, ...]

    def parts(self) -> pd.DataFrame:
        """Places gained by each player, trusts by `PLAYERS`."""
        return self.numerators / self.denominator

    def exact(self, code: str) -> dict[str, Fraction]:
        """The parts of one trust as fractions."""
        return {name: Fraction(int(n), self.denominator) for name, n in self.numerators.loc[code].items()}

    def adds_up(self) -> bool:
        """Whether the parts of every trust add up to the places it gained, in whole numbers."""
        return bool((self.numerators.sum(axis=1) == self.trusts["gained"] * self.denominator).all())

    def table(self) -> pd.DataFrame:
        """trust_name, rank_before, rank_after, gained and the parts, in places."""
        return self.trusts[["trust_name", "rank_before", "rank_after", "gained"]].join(self.parts())


def decompose(movement: Movement, flags: pd.Series | None = None) -> Decomposition:
    """Split the places that every trust of both quarters gained. See the module for what each part means.

    ``flags``: of trusts, from the nearest other quarter that shows them (`nofcore.movement.nearest_flags`). Raises
    InputError where the kit does not know the rules or the cut-offs of both quarters, where the rules changed and metric
    rows are missing, and where averages, cut-offs and flags do not give the ranks.
    """
    reason = why_not(movement) or _no_cut_offs(movement)
    if reason:
        raise InputError(reason)
    items = paired_items(movement)
    codes, sides, assumed, notes = _sides(movement, items, flags)
    ranks = sides.all_ranks()
    trusts = movement.trusts.loc[codes]
    for name, at in (("before", OLD), ("after", NEW)):
        off = codes[ranks[(at,) * len(PLAYERS)] != trusts[f"rank_{name}"]]
        if len(off):
            quarter = getattr(movement, name).quarter
            raise InputError(
                f"{quarter}: the segments of {counted(len(off), 'trust')} "
                f"({', '.join(off[:5])}{' ...' if len(off) > 5 else ''}) "
                "do not follow from averages, cut-offs and flags, so changes of rank cannot be split"
            )
    numerators = _numerators(ranks, codes).reindex(movement.trusts.index)
    if assumed.any():
        otherwise = _numerators(replace(sides, flags=sides.flags ^ assumed).all_ranks(), codes)
        places = factorial(len(PLAYERS))
        notes.append(_by_flags(numerators / places, otherwise / places, int(assumed.sum())))
    by_items = pd.Series(movement.trusts.index.isin(items.before.index), index=movement.trusts.index)
    averages = _average_parts(sides.hundredths[:, :, sides.present.all(axis=0)], codes, movement)
    return Decomposition(
        movement.trusts,
        numerators,
        factorial(len(PLAYERS)),
        by_items,
        averages.reindex(items.before.index),
        movement.rules_changed,
        tuple(notes),
    )


def _numerators(ranks: np.ndarray, codes: pd.Index) -> pd.DataFrame:
    """Parts of the places gained, trusts by `PLAYERS`, as whole numbers over n!."""
    return pd.DataFrame(shapley(ranks[(OLD,) * len(PLAYERS)] - ranks).T, index=codes, columns=list(PLAYERS))


def _no_cut_offs(movement: Movement) -> str | None:
    """Which cut-offs are not known, in a sentence."""
    unknown = [one.quarter for one in (movement.before, movement.after) if cuts_of(one, movement.trust_type) is None]
    if not unknown:
        return None
    return (
        f"the cut-offs between segments are not known for {' and '.join(unknown)}, as averages of trusts of all types are not "
        "at hand"
    )


def _average_parts(hundredths: np.ndarray, codes: pd.Index, movement: Movement) -> pd.DataFrame:
    """Shapley values of two players, scores and sets, of the averages (values, sets, trusts)."""
    halves = shapley(hundredths)
    unit = 2 * 10**movement.after.framework.average.decimals
    return pd.DataFrame({"own": halves[0] / unit, "metrics": halves[1] / unit}, index=codes)


def other_segments_by_cut_offs(movement: Movement) -> tuple[int, int] | None:
    """How many trusts of both quarters the new cut-offs and override alone would put into another segment.

    From the averages and flags of the earlier quarter: the fewest and the most that flags which are not known allow;
    None where the cut-offs are not known.
    """
    tables = (movement.before, movement.after)
    if any(one.framework is None for one in tables):
        return None
    rows = movement.before.of(movement.trust_type).loc[movement.trusts.index]
    cuts = cuts_of(movement.after, movement.trust_type)
    if cuts is None:
        return None
    unadjusted = league.segments(rows["hundredths"].to_numpy(), cuts)
    known = movement.trusts["flagged_before"].to_numpy(dtype=float)
    flagged = if_flagged(unadjusted, movement.after)
    return _fewest_and_most(known, flagged != rows["segment"].to_numpy(), unadjusted != rows["segment"].to_numpy())


def kept_by_old_flags(movement: Movement) -> tuple[int, int] | None:
    """How many of the trusts that changed segment, and that the override holds in one of the quarters alone, would have
    kept it with the flag of the earlier quarter.

    The average being that of the later quarter: the fewest and the most that flags which are not known allow; None where
    there are no rules for that quarter.
    """
    if movement.after.framework is None:
        return None
    trusts = movement.trusts
    changed = trusts[trusts["segment_changed"] & trusts["override_began_or_ceased"].fillna(False)]
    unadjusted, old = changed["unadjusted_after"].to_numpy(dtype=np.int64), changed["segment_before"].to_numpy()
    known = changed["flagged_before"].to_numpy(dtype=float)
    return _fewest_and_most(known, if_flagged(unadjusted, movement.after) == old, unadjusted == old)


def _fewest_and_most(flags: np.ndarray, with_flag: np.ndarray, without: np.ndarray) -> tuple[int, int]:
    """How many are true, by flags of 0, 1 or NaN: the fewest and the most that the unknown ones allow."""
    unknown = np.isnan(flags)
    told = np.where(flags == 1, with_flag, without)
    fewest, most = np.where(unknown, with_flag & without, told), np.where(unknown, with_flag | without, told)
    return int(fewest.sum()), int(most.sum())


def why_not(movement: Movement) -> str | None:
    """Why changes between two quarters cannot be compared or split, in a sentence; None where they can."""
    before, after = movement.before, movement.after
    unknown = [rebuilt.quarter for rebuilt in (before, after) if rebuilt.framework is None]
    if movement.rules_changed:
        why = f"the rules changed between {before.quarter} and {after.quarter}, "
        if unknown:
            return f"{why}and the kit has no rules for {' and '.join(unknown)}"
        if not movement.has_items():
            return f"{why}and no metric rows of {plural(movement.trust_type)} are at hand for both"
    elif unknown:
        return f"the kit has no rules for {' and '.join(unknown)}"
    if before.framework != after.framework and not _plain(before, after):
        return "the averages of the two quarters are made in different ways, and not by the official rules"
    return None


def _plain(*tables: LeagueTable) -> bool:
    return all(rebuilt.framework.plain_average for rebuilt in tables)


def _sides(
    movement: Movement, items: PairedItems, elsewhere: pd.Series | None
) -> tuple[pd.Index, Sides, np.ndarray, list[str]]:
    """The league tables of both quarters taken apart, for trusts of either; those of both, in the same order; which
    flags are assumed; and what to say of flags."""
    before, after = (
        rebuilt.of(movement.trust_type).dropna(subset="rank") for rebuilt in (movement.before, movement.after)
    )
    everyone = before.index.union(after.index)
    present = np.stack([everyone.isin(before.index), everyone.isin(after.index)])
    published = np.stack(
        [rows["hundredths"].reindex(everyone).fillna(-1).to_numpy(dtype=np.int64) for rows in (before, after)]
    )
    published = np.where(present, published, published[::-1])
    hundredths = np.repeat(published[:, None], 2, axis=1)
    mixed = _mixed(movement, items)
    places = everyone.get_indexer(items.before.index)
    for values, sets in ((NEW, OLD), (OLD, NEW)):
        hundredths[values, sets, places] = mixed[values]
    # A trust without items in both quarters has one average a quarter: it goes with its scores.
    flags = _flags(movement, everyone, (before, after), elsewhere)
    tables = (movement.before, movement.after)
    sides = Sides(
        hundredths,
        flags.flags,
        present,
        tuple(cuts_of(rebuilt, movement.trust_type) for rebuilt in tables),
        tuple(rebuilt.framework.override for rebuilt in tables),
        tuple(rebuilt.framework.ranking for rebuilt in tables),
    )
    return everyone[present.all(axis=0)], sides, flags.assumed, flags.notes


def _mixed(movement: Movement, items: PairedItems) -> tuple[np.ndarray, np.ndarray]:
    """Averages in hundredths of (old scores by the new set, new scores by the old set)."""
    if not len(items.before):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    shared = items.shared
    found = []
    for mine, other in ((items.after, items.before), (items.before, items.after)):
        # The set of one quarter, with the other's scores where it has them.
        found.append(_averages(other.where(shared, mine), movement))
    return found[0], found[1]


def _averages(values: pd.DataFrame, movement: Movement) -> np.ndarray:
    framework = movement.after.framework
    rule = framework.average
    weights = None
    if not framework.plain_average:
        weights = league.weights_of(
            Items(values, movement.after.items.domains | movement.before.items.domains), framework
        )
    return league.averages(values.to_numpy(), weights, rule.decimals, rule.how)


def _flags(movement: Movement, everyone: pd.Index, sides, elsewhere: pd.Series | None) -> _Flags:
    """Override flags; unknown ones as in the other quarter, else as ``elsewhere``, else up."""
    known = []
    for name, rows in zip(("before", "after"), sides, strict=True):
        flagged = movement.trusts[f"flagged_{name}"].reindex(everyone)
        alone = rows.index.difference(movement.trusts.index)
        flagged[alone] = rows.loc[alone, "flagged"].astype(float)
        known.append(flagged)
    further = pd.Series(np.nan, everyone) if elsewhere is None else elsewhere.reindex(everyone)
    filled = [mine.fillna(other).fillna(further).fillna(1.0) for mine, other in (known, known[::-1])]
    assumed = known[0].isna() & known[1].isna()
    notes = _unknown_flags(movement, known, further)
    return _Flags(np.stack([one.to_numpy() == 1 for one in filled]), assumed.to_numpy(), notes)


def _unknown_flags(movement: Movement, known: list[pd.Series], further: pd.Series) -> list[str]:
    """What flags that the figures do not show are taken to be."""
    both, notes = movement.trusts.index, []
    for quarter, mine, other in (
        (movement.before.quarter, known[0], known[1]),
        (movement.after.quarter, known[1], known[0]),
    ):
        unknown = both[mine[both].isna()]
        carried = unknown[other[unknown].notna()]
        nearest = unknown.difference(carried)[further[unknown.difference(carried)].notna()]
        ways = {
            "as in the other quarter": len(carried),
            "as in the nearest quarter that shows them": len(nearest),
            "up, as no quarter shows them": len(unknown) - len(carried) - len(nearest),
        }
        if len(unknown):
            taken = ", ".join(f"{count} are taken to be {way}" for way, count in ways.items() if count)
            notes.append(
                f"{quarter}: the override flags of {counted(len(unknown), 'trust')} are not known, as the figures show a flag "
                f"only where it moves a segment; {taken}"
            )
    return notes


def _by_flags(parts: pd.DataFrame, others: pd.DataFrame, assumed: int) -> str:
    """How far the split hangs on flags that neither quarter shows. ``parts``, ``others``: places, with the flags as taken
    and with all of them the other way."""
    change = (others - parts).abs().max(axis=1)
    return (
        f"Were the {counted(assumed, 'flag')} that neither quarter shows the other way, a part would be more than a place "
        f"larger or smaller for {(change > 1).sum()} of {len(change)} trusts, by up to {change.max():.1f} places "
        f"({change.idxmax()})"
    )
