"""Which changes of average and rank are more than noise: the paired bootstrap over items.

Resamples, with replacement, the items that a trust has in both quarters, each with its old and its new
score (the method is ours; NHS England publishes no range for a change). The range says
whether a change would have come out on the same side of nothing with other metrics of the same kind.
It is not a margin of error of the measurements.

A trust has few items, and many of them have no new figure in a quarter, so these ranges are too narrow: where
nothing changes, about one in eight of 95 % excludes 0 (simulated on nine items, see the tests). A change
of average is told from noise only if, besides, no more than 5 % of the exchanges of its old and new scores
give as large a one (`nofcore.exchange`; items taken from one source, such as a survey, are exchanged as one). That
test keeps its level with any number of items. Of many trusts some are told by chance all the same, so a trust is
said to be better or worse only where more are told than chance gives, or where it would be told among all of them.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
import pandas as pd

from nofcore import bootstrap, league
from nofcore.bootstrap import LEVEL, Rules, quantile, quantile_error
from nofcore.defaults import DRAWS, SEED
from nofcore.errors import InputError
from nofcore.exchange import TOLD, exchange_test, sums_by_source
from nofcore.league import LeagueTable, Ranking
from nofcore.movement import Movement, paired_items
from nofcore.randomness import Block, tally
from nofcore.scoring import EXACT, to_hundredths
from nofcore.wording import singular

CANNOT_TELL = "cannot tell"


# --- the paired bootstrap on arrays ---------------------------------------------------------------


@dataclass(frozen=True)
class Field:
    """Who is ranked in one quarter, for the bootstrap.

    ``held``: (trusts,) published averages in hundredths; ``at``: (drawn trusts,) places of the trusts
    that are drawn; ``rules``: of the quarter.
    """

    held: np.ndarray
    at: np.ndarray
    rules: Rules

    def ranks(self, drawn: np.ndarray) -> np.ndarray:
        """(draws, drawn trusts) ranks, from averages of the same shape in hundredths."""
        return self.ranking(drawn).rank[:, self.at].astype(np.int64)

    def ranking(self, drawn: np.ndarray) -> Ranking:
        """Segments and ranks of everyone, (draws, trusts), the trusts that are not drawn at their published averages."""
        everyone = np.repeat(self.held[None], len(drawn), axis=0)
        everyone[:, self.at] = drawn
        return self.rules.rank(everyone)


@dataclass(frozen=True)
class PairedCounts:
    """How often each trust had each result. ``change``: (trusts, 2 * span + 1) by hundredths from -span; ``gained``:
    (trusts, ...) by places from -``most``."""

    draws: int
    change: np.ndarray
    gained: np.ndarray

    def __add__(self, other: PairedCounts) -> PairedCounts:
        return PairedCounts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def count_pairs(pairs: list[np.ndarray], sides: tuple[Field, Field], block: Block, span: int) -> PairedCounts:
    """One block of the paired bootstrap. ``pairs``: for each drawn trust its (2, items) old and new scores."""
    random = block.generator()
    drawn = np.empty((2, block.size, len(pairs)), dtype=np.int64)
    for place, pair in enumerate(pairs):
        items = pair.shape[1]
        picks = random.integers(0, items, (block.size, items))
        times = (picks[:, :, None] == np.arange(items)).sum(axis=1)
        drawn[:, :, place] = to_hundredths(pair @ times.T / items)
    change = drawn[1] - drawn[0]
    gained = sides[0].ranks(drawn[0]) - sides[1].ranks(drawn[1])
    most = max(len(field.held) for field in sides)
    return PairedCounts(block.size, _histogram(change, span), _histogram(gained, most))


def _histogram(values: np.ndarray, most: int) -> np.ndarray:
    """(trusts, 2 * most + 1) counts of whole numbers from -most to most, from (draws, trusts)."""
    bins, trusts = 2 * most + 1, values.shape[1]
    flat = values + most + np.arange(trusts) * bins
    return np.bincount(flat.ravel(), minlength=trusts * bins).reshape(trusts, bins)


# --- on a movement --------------------------------------------------------------------------------


@dataclass(frozen=True)
class ChangeRanges:
    """Ranges of the change of average and of the places gained, over the choice of metrics.

    ``trusts``: those drawn, with numbers of items: shared (of both quarters), changed (of these, with another
    score), only_before and only_after; sources_changed (changed items, those taken from one source counted once);
    shared_change (of the unrounded mean of the shared items, points); p_value (share of exchanges of old and new scores
    with as large a change) and by_chance (share of them that are told from noise: how often chance alone is), see
    `nofcore.exchange.exchange_test`.
    """

    trusts: pd.DataFrame
    counts: PairedCounts
    seed: int

    def table(self, level: float = LEVEL) -> pd.DataFrame:
        """The trusts with change_low, change_high (points), gained_low, gained_high (places), each with its Monte
        Carlo error (``_error``, see `nofcore.bootstrap.quantile_error`); change_told (the range excludes 0, and p_value
        is at most 5 %), gained_told (the range excludes 0) and change_unsure, gained_unsure (another seed may decide
        otherwise); verdict: "better" or "worse" where the change is told from noise on the side of the published
        change, and more are told than chance gives (`beyond_chance`) or this one would be among as many trusts
        (Bonferroni: p_value times trusts at most 5 %), else "cannot tell"; rank_verdict: "rose" or "fell" where the range
        of places excludes 0 on the side of the published change and the verdict on the average is better or worse
        accordingly, else "cannot tell": ranges of places have no test of their own; rank_unsure (another seed may change
        rank_verdict)."""
        table = self.trusts.copy()
        for name, counts, unit in (("change", self.counts.change, 100), ("gained", self.counts.gained, 1)):
            middle = counts.shape[1] // 2
            for end, share in (("low", (1 - level) / 2), ("high", (1 + level) / 2)):
                table[f"{name}_{end}"] = (quantile(counts, np.full(len(counts), share)) - middle) / unit
                table[f"{name}_{end}_error"] = quantile_error(counts, share) / unit
            above, below = table[f"{name}_low"], -table[f"{name}_high"]
            nearest = np.maximum(above, below)  # how far the end that is nearer to 0 lies beyond it
            error = np.where(above >= below, table[f"{name}_low_error"], table[f"{name}_high_error"])
            table[f"{name}_told"] = nearest > 0
            table[f"{name}_unsure"] = np.where(nearest > 0, nearest - error <= 0, nearest + error > 0)
        for name in ("told", "unsure"):
            table[f"change_{name}"] &= table["p_value"] <= TOLD
        singled = table["change_told"] & (_beyond_chance(table) | (table["p_value"] * len(table) <= TOLD))
        table["verdict"] = _verdict(table.assign(change_told=singled), "change", "average_change", ("worse", "better"))
        alike = table["verdict"].map({"better": "rose", "worse": "fell"})
        moved = _verdict(table, "gained", "gained", ("rose", "fell"))
        table["rank_verdict"] = np.where(moved == alike, moved, CANNOT_TELL)
        by_places = table["gained_unsure"] & ((table["verdict"] != CANNOT_TELL) | table["change_unsure"])
        table["rank_unsure"] = by_places | (table["gained_told"] & table["change_unsure"])
        return table

    def beyond_chance(self, level: float = LEVEL) -> bool:
        """Whether more changes are told from noise than chance gives, by two standard deviations of a count."""
        return _beyond_chance(self.table(level))

    @property
    def untestable(self) -> int:
        """Trusts with too few changed items for any change to be told, however large: fewer than six."""
        return int((self.trusts["by_chance"] == 0).sum())


def _beyond_chance(table: pd.DataFrame) -> bool:
    chance = table["by_chance"].sum()
    return bool(table["change_told"].sum() > chance + 2 * max(chance, 1) ** 0.5)


def _verdict(table: pd.DataFrame, name: str, published: str, words: tuple[str, str]) -> np.ndarray:
    """Which way a figure moved, where it is told from noise and the published change agrees. ``words``: above 0, below."""
    told = table[f"{name}_told"]
    up = told & (table[f"{name}_low"] > 0) & (table[published] > 0)
    down = told & (table[f"{name}_high"] < 0) & (table[published] < 0)
    return np.select([up, down], list(words), default=CANNOT_TELL)


def paired_bootstrap(
    movement: Movement, draws: int = DRAWS, seed: int = SEED, executor: Executor | None = None
) -> ChangeRanges:
    """Resample the items that each trust has in both quarters, old and new scores together.

    A draw averages as many items as are shared, rounds both averages half up to 2 decimals as the
    published ones, and ranks both quarters by their own cut-offs (held as published) and overrides; trusts
    without shared items are held at their published averages. Raises InputError where no trust has items in both
    quarters, and for rules that do not average as the official ones do.
    """
    items = paired_items(movement)
    shared = items.shared
    drawn = items.before.index[shared.any(axis=1)] if len(items.before) else items.before.index
    if not len(drawn):
        raise InputError(
            f"{movement.before.quarter} to {movement.after.quarter}: no {singular(movement.trust_type)} has items scored "
            "by the "
            "same rule in both quarters, so no range can be drawn"
        )
    for rebuilt in (movement.before, movement.after):
        league.require_plain_average(rebuilt.framework, f"{rebuilt.quarter}: items cannot be drawn")
    old, new, both = (frame.loc[drawn].to_numpy() for frame in (items.before, items.after, shared))
    pairs = [np.stack([o[b], n[b]]) for o, n, b in zip(old, new, both, strict=True)]
    sources = [items.sources.to_numpy()[b] for b in both]
    sides = tuple(field_of(rebuilt, movement.trust_type, drawn) for rebuilt in (movement.before, movement.after))
    scale = movement.after.framework.scale
    work = partial(_count_block, pairs=pairs, sides=sides, span=int((scale.worst - scale.best) * 100))
    counts = tally(work, PairedCounts.__add__, draws, seed, executor)
    trusts = movement.trusts.loc[drawn, ["trust_name", "average_change", "gained"]].assign(
        shared=both.sum(axis=1),
        changed=[int((np.abs(new - old) > EXACT).sum()) for old, new in pairs],
        only_before=(~np.isnan(old) & np.isnan(new)).sum(axis=1),
        only_after=(np.isnan(old) & ~np.isnan(new)).sum(axis=1),
        shared_change=[float((new - old).mean()) for old, new in pairs],
        **_exchanged(pairs, sources),
    )
    return ChangeRanges(trusts, counts, seed)


def _exchanged(pairs: list[np.ndarray], sources: list[np.ndarray]) -> dict[str, list[float]]:
    """What the exchanges of old and new scores say of each trust."""
    changes = [sums_by_source(new - old, source) for (old, new), source in zip(pairs, sources, strict=True)]
    tests = [exchange_test(change) for change in changes]
    return {
        "sources_changed": [int((np.abs(change) > EXACT).sum()) for change in changes],
        "p_value": [p for p, _ in tests],
        "by_chance": [chance for _, chance in tests],
    }


def _count_block(block: Block, pairs, sides, span: int) -> PairedCounts:
    return count_pairs(pairs, sides, block, span)


def field_of(rebuilt: LeagueTable, trust_type: str, drawn: pd.Index) -> Field:
    """Who is ranked in a quarter, of whom the trusts of ``drawn`` are drawn, under the cut-offs of the quarter."""
    ranked = rebuilt.of(trust_type).dropna(subset="rank")
    rules = bootstrap.ranking_rules(rebuilt, ranked, "published")
    return Field(ranked["hundredths"].to_numpy(dtype=np.int64), ranked.index.get_indexer(drawn), rules)
