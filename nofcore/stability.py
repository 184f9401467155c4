"""How far two league tables of one trust type agree, beside what noise alone would do to one of them.

*Noise alone* is two independent draws of the bootstrap over items (`nofcore.bootstrap`) of the same
quarter: two tables of the same trusts at the same time, each as if other metrics of the same kind had been
chosen. Two real quarters share their metrics, so if nothing changed they would agree more than that; and the
draws scatter about published averages that hold noise already. It is a yardstick, not a test.

*Exchanges* are comparable with the observed figures, and a test: the same two quarters, with the old and the new score
of each shared item exchanged at random (`nofcore.exchange`), items taken from one source as one. Every item moves as far as it did, and those that
have no new figure, or overlap with the old one, do not move more than that; only which way is left to chance. If the
observed tables agree less than these, the items of some trusts moved the same way more than chance would have it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
import pandas as pd

from nofcore import bootstrap, change_ranges
from nofcore.belonging import belonging
from nofcore.bootstrap import LEVEL, ItemSampler, RankUncertainty, Rules
from nofcore.change_ranges import Field
from nofcore.defaults import DRAWS, SEED
from nofcore.errors import InputError
from nofcore.league import LeagueTable
from nofcore.movement import Movement, paired_items
from nofcore.randomness import Block, tally
from nofcore.ranking import minimum_ranks
from nofcore.scoring import to_hundredths

ENDS = 10
"""Trusts at either end of a table whose drift is followed; fewer in a table of less than four times as many."""


# --- on arrays ------------------------------------------------------------------------------------


def mean_ranks(ranks: np.ndarray) -> np.ndarray:
    """Ranks along the last axis in which equal trusts share their mean place, from whole numbers in the same order."""
    ranks = np.asarray(ranks, dtype=np.int64)
    return (minimum_ranks(ranks) + (ranks.shape[-1] + 1 - minimum_ranks(-ranks))) / 2


def spearman(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's correlation along the last axis, equal trusts sharing their mean place; NaN where all are equal."""
    first, second = (ranks - ranks.mean(axis=-1, keepdims=True) for ranks in map(mean_ranks, (first, second)))
    scale = np.sqrt((first**2).sum(axis=-1) * (second**2).sum(axis=-1))
    return np.divide((first * second).sum(axis=-1), scale, out=np.full(scale.shape, np.nan), where=scale > 0)


@dataclass(frozen=True)
class Agreement:
    """Figures of pairs of tables, each (pairs,): `agreement` makes them.

    ``spearman``; ``mean_change``, ``median_change`` (places, without sign); ``new_segment`` (trusts in another one);
    ``top_drift``, ``bottom_drift`` (places back towards the middle, mean over the trusts at the end).
    """

    spearman: np.ndarray
    mean_change: np.ndarray
    median_change: np.ndarray
    new_segment: np.ndarray
    top_drift: np.ndarray
    bottom_drift: np.ndarray

    def __add__(self, other: Agreement) -> Agreement:
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return Agreement(*(np.concatenate(pair) for pair in pairs))


def agreement(
    first: np.ndarray, second: np.ndarray, first_segments, second_segments, ends: int, size: int
) -> Agreement:
    """Compare tables pair by pair. All (pairs, trusts): ranks, then segments. ``ends``: how many places at either
    end of the first table, of ``size`` trusts; trusts that share a rank are both in or both out."""
    change = np.abs(first - second)
    drift = second - first
    return Agreement(
        spearman(first, second),
        change.mean(axis=-1),
        np.median(change, axis=-1),
        (first_segments != second_segments).sum(axis=-1),
        _mean_where(drift, first <= ends),
        _mean_where(-drift, first > size - ends),
    )


def _mean_where(values: np.ndarray, which: np.ndarray) -> np.ndarray:
    counted = which.sum(axis=-1)
    return np.divide((values * which).sum(axis=-1), counted, out=np.full(counted.shape, np.nan), where=counted > 0)


def ends_of(trusts: int) -> int:
    """How many trusts at either end are followed: `ENDS`, or a quarter of the table where it is short."""
    return max(min(ENDS, trusts // 4), 1)


def _two_draws(block: Block, samplers: Sequence[ItemSampler], rules: Rules, ends: int) -> Agreement:
    random = block.generator()
    drawn = np.empty((2, block.size, len(samplers)), dtype=np.int64)
    for place, sampler in enumerate(samplers):
        for draw in drawn:
            draw[:, place] = to_hundredths(sampler.averages(block.size, random))
    ranked = [rules.rank(draw) for draw in drawn]
    first, second = (one.rank.astype(np.int64) for one in ranked)
    return agreement(first, second, ranked[0].segment, ranked[1].segment, ends, len(samplers))


@dataclass(frozen=True)
class Exchange:
    """Two quarters whose shared scores can be exchanged. ``scores``: (quarters, trusts, items), NaN where a trust has
    none; ``shared``: (trusts, items); ``sources``: (items,) numbers from 0, the same for items that are exchanged as one;
    ``sides``: who is ranked in each quarter; ``places``: of the trusts that are compared, in each of the two tables."""

    scores: np.ndarray
    shared: np.ndarray
    sources: np.ndarray
    sides: tuple[Field, Field]
    places: tuple[np.ndarray, np.ndarray]

    def drawn(self, block: Block, ends: int) -> Agreement:
        """Agreement of one block of exchanges; trusts without items in both quarters stay as published."""
        step = np.where(self.shared, self.scores[1] - self.scores[0], 0.0)
        steps = np.stack(
            [step[:, self.sources == source].sum(axis=1) for source in range(self.sources.max() + 1)], axis=1
        )
        flips = block.generator().random((block.size, *steps.shape)) < 0.5
        moved = np.einsum("dts,ts->dt", flips, steps)
        compared = []
        for sign, scores, side, places in zip((1, -1), self.scores, self.sides, self.places, strict=True):
            counts = (~np.isnan(scores)).sum(axis=1)
            ranking = side.ranking(to_hundredths((np.nansum(scores, axis=1) + sign * moved) / counts))
            compared.append([part[:, places].astype(np.int64) for part in (ranking.rank, ranking.segment)])
        (first, first_segments), (second, second_segments) = compared
        return agreement(first, second, first_segments, second_segments, ends, len(self.sides[0].held))


# --- stability of a movement ----------------------------------------------------------------------


@dataclass(frozen=True)
class Stability:
    """Two quarters beside noise alone. ``observed``: one pair; ``noise``: a pair a draw, of ``noise_quarter``; None
    where no quarter has items of all trusts; ``exchanged``: a pair an exchange, None where no trust has items in both
    quarters or the rules changed; ``trusts``: in both quarters; ``size``: trusts of the earlier table;
    ``ends``: places followed at either end of it."""

    observed: Agreement
    noise: Agreement | None
    noise_quarter: str | None
    exchanged: Agreement | None
    trusts: int
    size: int
    ends: int
    draws: int

    def table(self, level: float = LEVEL) -> pd.DataFrame:
        """A row for each figure of `Agreement`: observed; noise (mean over draws), noise_low, noise_high (percentiles);
        exchanged, exchanged_low, exchanged_high likewise."""
        tail = (1 - level) / 2
        rows = {}
        for field in fields(Agreement):
            rows[field.name] = {"observed": float(getattr(self.observed, field.name)[0])}
            for name, pairs in (("noise", self.noise), ("exchanged", self.exchanged)):
                drawn = np.full(1, np.nan) if pairs is None else getattr(pairs, field.name)
                drawn = drawn[~np.isnan(drawn)]
                low, high = np.quantile(drawn, [tail, 1 - tail]) if len(drawn) else (np.nan, np.nan)
                mean = drawn.mean() if len(drawn) else np.nan
                rows[field.name] |= {name: mean, f"{name}_low": low, f"{name}_high": high}
        return pd.DataFrame.from_dict(rows, orient="index")


def stability(movement: Movement, draws: int = DRAWS, seed: int = SEED, executor: Executor | None = None) -> Stability:
    """Compare the two tables of a movement, and pairs of independent draws of the earlier quarter.

    Trusts of both quarters, at their ranks in the whole table of each. Where the earlier quarter has no
    items, the later one is drawn; where neither has, there is no noise to compare with.
    """
    trusts = movement.trusts
    size = int(movement.before.of(movement.trust_type)["rank"].notna().sum())
    ends = ends_of(size)
    columns = [
        trusts[name].to_numpy(dtype=np.int64)[None]
        for name in ("rank_before", "rank_after", "segment_before", "segment_after")
    ]
    observed = agreement(*columns, ends, size)
    source = next((one for one in (movement.before, movement.after) if can_draw(one, movement.trust_type)), None)
    noise = None
    if source is not None:
        ranked = source.of(movement.trust_type).dropna(subset="rank")
        values = source.items.values.loc[ranked.index].to_numpy()
        samplers = [ItemSampler(row[~np.isnan(row)]) for row in values]
        rules = bootstrap.ranking_rules(source, ranked, "published")
        work = partial(_two_draws, samplers=samplers, rules=rules, ends=ends)
        noise = tally(work, Agreement.__add__, draws, seed, executor)
    quarter = source.quarter if source else None
    return Stability(
        observed, noise, quarter, _exchanged(movement, ends, draws, seed, executor), len(trusts), size, ends, draws
    )


def _exchanged(movement: Movement, ends: int, draws: int, seed: int, executor: Executor | None) -> Agreement | None:
    """Agreement of exchanges; None where nothing can be exchanged under one set of rules."""
    tables = (movement.before, movement.after)
    plain = all(one.framework is not None and one.framework.plain_average for one in tables)
    if movement.rules_changed or not plain:
        return None
    items = paired_items(movement)
    if not items.shared.any(axis=None):
        return None
    sides = tuple(change_ranges.field_of(one, movement.trust_type, items.before.index) for one in tables)
    exchange = Exchange(
        np.stack([items.before.to_numpy(), items.after.to_numpy()]),
        items.shared.to_numpy(),
        pd.factorize(items.sources)[0],
        sides,
        tuple(
            one.of(movement.trust_type).dropna(subset="rank").index.get_indexer(movement.trusts.index) for one in tables
        ),
    )
    return tally(partial(exchange.drawn, ends=ends), Agreement.__add__, draws, seed, executor)


def can_draw(rebuilt: LeagueTable, trust_type: str) -> bool:
    """Whether every ranked trust of a type has items, averaged by the official rule."""
    rows = rebuilt.of(trust_type).dropna(subset="rank")
    return bool(rebuilt.framework and rebuilt.framework.plain_average and len(rows) and rows["recomputed"].all())


def rank_ranges(movement: Movement, uncertainties: Mapping[str, RankUncertainty]) -> pd.DataFrame:
    """Ranges of rank over the choice of metrics in each quarter, of the trusts of a movement.

    Columns rank_low and rank_high (95 %), each with _before and _after, NaN where the quarter was not drawn; outside:
    the later rank lies outside the range of the earlier quarter; by_chance: the share of draws of that quarter in
    which the rank does (NaN like the range).
    """
    trusts = movement.trusts
    found = pd.DataFrame(index=trusts.index)
    for name, rebuilt in (("before", movement.before), ("after", movement.after)):
        drawn = uncertainties.get(rebuilt.quarter)
        for end in ("rank_low", "rank_high"):
            found[f"{end}_{name}"] = drawn.table()[end].reindex(trusts.index) if drawn else np.nan
    low, high = found["rank_low_before"], found["rank_high_before"]
    found["outside"] = (trusts["rank_after"] < low) | (trusts["rank_after"] > high)
    found["by_chance"] = np.nan
    if (drawn := uncertainties.get(movement.before.quarter)) is not None:
        shares = drawn.rank_probabilities().reindex(trusts.index)
        places = shares.columns.to_numpy()
        beyond = (places < low.to_numpy()[:, None]) | (places > high.to_numpy()[:, None])
        found["by_chance"] = (shares * beyond).sum(axis=1).where(low.notna())
    return found


# --- segments -------------------------------------------------------------------------------------


def transitions(movement: Movement, segments: int | None = None) -> pd.DataFrame:
    """Trusts of both quarters by segment in the earlier (rows) and the later one (columns), from 1 to ``segments``, by
    default the last of the scheme."""
    old, new = (movement.trusts[f"segment_{name}"].astype(int) for name in ("before", "after"))
    last = segments or worst_segment((movement.before, movement.after))
    places = range(1, max(last, int(old.max()), int(new.max())) + 1)
    return pd.crosstab(old, new).reindex(index=places, columns=places, fill_value=0)


def worst_segment(tables: Sequence[LeagueTable]) -> int:
    """The last segment of the scheme."""
    known = [rebuilt.framework.segment_count for rebuilt in tables if rebuilt.framework]
    return max(known) if known else int(max(rebuilt.trusts["segment"].max() for rebuilt in tables))


@dataclass(frozen=True)
class Persistence:
    """Trusts in the worst segment in every one of some quarters.

    ``trusts``: trust_name, and for each quarter of ``drawn``, those of ``quarters`` that could be drawn, the share of
    draws in that segment (0 to 1); all_low, all_high: the share in all of them, NaN where fewer than two were drawn.
    ``belongs``: trusts by the same quarters, the probability that they truly belong there (`nofcore.belonging`), NaN
    where it cannot be told.
    ``started``: trusts that are there in the first; ``not_in_all``: of these, those that are not ranked in every
    quarter, by code with the name; ``segment``: which one.
    """

    trusts: pd.DataFrame
    belongs: pd.DataFrame
    quarters: tuple[str, ...]
    drawn: tuple[str, ...]
    started: int
    not_in_all: pd.Series
    segment: int


def persistence(
    tables: Sequence[LeagueTable], trust_type: str, uncertainties: Mapping[str, RankUncertainty]
) -> Persistence:
    """Who stays in the worst segment through all of the quarters, and how surely each belonged there in each.

    ``tables``: two or more quarters in order; ``uncertainties``: bootstrap results by quarter, for those that
    have them. The share of draws in all quarters lies between the product of the quarters' shares (every quarter
    draws other metrics) and the smallest of them (all draw the same): all_low, all_high.
    """
    if len(tables) < 2:
        raise InputError("persistence needs two quarters or more")
    segment = worst_segment(tables)
    ranked = [rebuilt.of(trust_type).dropna(subset="rank") for rebuilt in tables]
    common = ranked[-1].index
    for rows in ranked[:-1]:
        common = common.intersection(rows.index, sort=False)
    there = pd.DataFrame({rows["quarter"].iat[0]: rows.loc[common, "segment"] == segment for rows in ranked})
    staying = common[there.all(axis=1)]
    trusts = ranked[-1].loc[staying, ["trust_name"]].copy()
    drawn = []
    for rebuilt in tables:
        if rebuilt.quarter in uncertainties:
            shares = uncertainties[rebuilt.quarter].table()[f"p_segment_{segment}"].reindex(staying)
            if shares.notna().any():
                trusts[rebuilt.quarter] = shares
                drawn.append(rebuilt.quarter)
    whole = trusts[drawn].notna().all(axis=1) & (len(drawn) > 1)
    trusts["all_low"], trusts["all_high"] = (
        trusts[drawn].prod(axis=1).where(whole),
        trusts[drawn].min(axis=1).where(whole),
    )
    belongs = pd.DataFrame(
        {one.quarter: belonging(one, trust_type, segment).reindex(staying) for one in tables if one.quarter in drawn},
        index=staying,
    )
    started = ranked[0][ranked[0]["segment"] == segment]
    return Persistence(
        trusts,
        belongs,
        tuple(there.columns),
        tuple(drawn),
        len(started),
        started.loc[~started.index.isin(common), "trust_name"],
        segment,
    )
