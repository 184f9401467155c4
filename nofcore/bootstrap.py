"""How much a rank depends on which metrics were chosen: the bootstrap over a trust's own items.

NHS England prints likely ranges without saying how they are made. They are reproduced by this
(our inference, see the tests): for each draw, resample every trust's items with replacement, as
many as it has; average and round half up; take segments, override and ranks of all trusts
together. The range of a trust runs from the 2.5th to the 97.5th percentile over draws.

What it measures is how far a trust's items disagree ("what if other metrics of the same kind had
been chosen"). It is not a margin of error of the measurements.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property, partial, reduce

import numpy as np
import pandas as pd

from nofcore import league
from nofcore.defaults import DRAWS, SEED
from nofcore.errors import InputError
from nofcore.flags import cut_offs, override_flags
from nofcore.league import LeagueTable, Ranking
from nofcore.randomness import Block, tally
from nofcore.scoring import to_hundredths
from nofcore.wording import counted

LEVEL = 0.95
_TABLE = 2**14
"""Sums of several items at a time are looked up in a table of at most this size."""


# --- drawing --------------------------------------------------------------------------------------


class ItemSampler:
    """Draws bootstrap averages of one trust's items.

    An average of m items drawn with replacement needs m random numbers. Sums of k items are
    tabulated (all m**k of them, equally likely), so that m/k random numbers serve: the same
    distribution, several times faster. The tables are made where the sampler is used: they are much
    larger than the items, which are all that goes to another process.
    """

    def __init__(self, items: np.ndarray):
        self.items = np.asarray(items, dtype=float)
        self.count = len(self.items)

    def __reduce__(self):
        return (type(self), (self.items,))

    @cached_property
    def _parts(self) -> list[tuple[int, np.ndarray]]:
        """How many picks from which table."""
        together = max(k for k in range(1, self.count + 1) if k == 1 or self.count**k <= _TABLE)
        whole, rest = divmod(self.count, together)
        return [(whole, _sums(self.items, together))] + ([(1, _sums(self.items, rest))] if rest else [])

    @property
    def varies(self) -> bool:
        """Whether draws can differ: not with one item, nor with equal ones."""
        return bool(np.ptp(self.items) > 0)

    def averages(self, size: int, random: np.random.Generator) -> np.ndarray:
        """``size`` draws of the unrounded average."""
        total = np.zeros(size)
        for picks, sums in self._parts:
            total += sums.take(random.integers(0, len(sums), (picks, size), dtype=np.uint16)).sum(axis=0)
        return total / self.count


def _sums(items: np.ndarray, k: int) -> np.ndarray:
    return reduce(np.add.outer, [items] * k).ravel()


# --- the bootstrap on arrays ----------------------------------------------------------------------


@dataclass(frozen=True)
class Rules:
    """What turns drawn averages into ranks.

    ``flags``, ``types``: (trusts,); ``no_higher_than``, ``segments_down``, ``by``: see
    `nofcore.league.rank_trusts`; ``cuts``: fixed cut-offs in hundredths, (cut-offs,) or (trusts, cut-offs). Where ``cuts`` is None, ``percentiles``
    are taken anew in each draw over the trusts with the same code in ``pools``, (trusts,), and over
    ``elsewhere``: averages in hundredths of trusts that are not ranked here and stand as published.
    """

    flags: np.ndarray
    types: np.ndarray
    no_higher_than: int | None
    cuts: np.ndarray | None = None
    percentiles: tuple[float, ...] = ()
    pools: np.ndarray | None = None
    segments_down: int = 0
    by: str = "segment"
    elsewhere: np.ndarray | None = None

    def rank(self, hundredths: np.ndarray) -> Ranking:
        """Segments and ranks of averages, (draws, trusts)."""
        cuts = self.cut_offs(hundredths)
        return league.rank_trusts(
            hundredths, cuts, self.flags, self.types, self.no_higher_than, self.segments_down, self.by
        )

    @property
    def segments(self) -> int:
        return (len(self.percentiles) if self.cuts is None else self.cuts.shape[-1]) + 1

    def cut_offs(self, hundredths: np.ndarray) -> np.ndarray:
        """Cut-offs for averages of (draws, trusts), shaped for `nofcore.league.segments`."""
        if self.cuts is not None:
            return self.cuts
        pools = np.unique(self.pools)
        if len(pools) == 1:
            return self._percentiles(hundredths)
        cuts = np.empty((*hundredths.shape, len(self.percentiles)))
        for pool in pools:
            mine = np.flatnonzero(self.pools == pool)
            cuts[:, mine] = self._percentiles(hundredths[:, mine])
        return cuts

    def _percentiles(self, pool: np.ndarray) -> np.ndarray:
        """Cut-offs of one pool in each draw, (draws, 1, cut-offs)."""
        if self.elsewhere is not None and len(self.elsewhere):
            pool = np.hstack([pool, np.broadcast_to(self.elsewhere, (len(pool), len(self.elsewhere)))])
        return league.cut_offs(pool, self.percentiles)[:, None]


@dataclass(frozen=True)
class Counts:
    """How often each trust had each result, over draws.

    ``averages``: (trusts, 401 or more) by hundredths; ``segments``: (trusts, segments); ``ranks``:
    (trusts, trusts of the largest type), rank 1 first; ``ahead``: (trusts, trusts) draws in which
    the row's trust ranked strictly above the column's, None if not asked for.
    """

    draws: int
    averages: np.ndarray
    segments: np.ndarray
    ranks: np.ndarray
    ahead: np.ndarray | None

    def __add__(self, other: Counts) -> Counts:
        ahead = None if self.ahead is None else self.ahead + other.ahead
        return Counts(
            self.draws + other.draws,
            self.averages + other.averages,
            self.segments + other.segments,
            self.ranks + other.ranks,
            ahead,
        )


def bootstrap(
    samplers: Sequence[ItemSampler | int], rules: Rules, draws: int, seed: int, pairs: bool = False,
    executor: Executor | None = None,
) -> Counts:  # fmt: skip
    """Count results over draws.

    ``samplers``: one for each trust; a whole number of hundredths for a trust that is held at its
    published average. Cost is linear in draws, memory does not depend on them.
    """
    work = partial(_count_block, samplers=samplers, rules=rules, pairs=pairs)
    return tally(work, Counts.__add__, draws, seed, executor)


def _count_block(block: Block, samplers, rules: Rules, pairs: bool) -> Counts:
    random = block.generator()
    drawn = np.empty((len(samplers), block.size))
    for place, sampler in enumerate(samplers):
        drawn[place] = sampler / 100 if isinstance(sampler, int) else sampler.averages(block.size, random)
    return count(np.ascontiguousarray(to_hundredths(drawn).T), rules, pairs)


def count(hundredths: np.ndarray, rules: Rules, pairs: bool = False) -> Counts:
    """Results of drawn averages, (draws, trusts) in hundredths, counted per trust."""
    return counts_of(hundredths, rules.rank(hundredths), rules, pairs)


def counts_of(hundredths: np.ndarray, ranking: Ranking, rules: Rules, pairs: bool = False) -> Counts:
    """Drawn averages, (draws, trusts) in hundredths, and the ranking made of them, counted per trust."""
    most = int(np.bincount(rules.types).max())
    return Counts(
        len(hundredths),
        _count(hundredths, 401),
        _count(ranking.segment.astype(np.int64) - 1, rules.segments),
        _count(ranking.rank.astype(np.int64) - 1, most),
        _count_ahead(ranking.rank, rules.types) if pairs else None,
    )


def _count(values: np.ndarray, bins: int) -> np.ndarray:
    """(trusts, bins) counts of whole numbers from 0, from (draws, trusts)."""
    trusts = values.shape[1]
    flat = values + np.arange(trusts) * bins
    return np.bincount(flat.ravel(), minlength=trusts * bins).reshape(trusts, bins)


def _count_ahead(ranks: np.ndarray, types: np.ndarray) -> np.ndarray:
    """Draws in which one trust ranked strictly above another of its type; 0 across types."""
    ahead = np.zeros((ranks.shape[1], ranks.shape[1]), dtype=np.int64)
    columns = np.ascontiguousarray(ranks.T)
    for place, mine in enumerate(columns):
        rivals = np.flatnonzero(types == types[place])
        ahead[place, rivals] = np.count_nonzero(mine < columns[rivals], axis=1)
    return ahead


# --- ranges and their Monte Carlo error -----------------------------------------------------------


def quantile(counts: np.ndarray, share) -> np.ndarray:
    """Place of the quantile in each row of counts: the smallest at which ``share`` of the draws is reached."""
    reached = np.cumsum(counts, axis=-1)
    wanted = np.clip(np.ceil(np.asarray(share, dtype=float) * reached[..., -1] - 1e-9), 1, None)
    return (reached < wanted[..., None]).sum(axis=-1)


def quantile_error(counts: np.ndarray, share: float, z: float = 2.576) -> np.ndarray:
    """How far another seed may move that quantile: half-width of its 99 % Monte Carlo interval, in places.

    The share of draws below a quantile varies like a binomial count; its bounds are read off the
    same counts. At a gap in the distribution the error is as wide as the gap. Infinite where there are
    too few draws to bound it (about 260 for the ends of a 95 % range).
    """
    draws = counts.sum(axis=-1)
    step = z * np.sqrt(share * (1 - share) / draws)
    found = quantile(counts, np.full(len(counts), share))
    low, high = quantile(counts, np.maximum(share - step, 0)), quantile(counts, np.minimum(share + step, 1))
    known = (step < share) & (step < 1 - share)
    return np.where(known, np.maximum(found - low, high - found), np.inf)


# --- on a league table ----------------------------------------------------------------------------


@dataclass(frozen=True)
class RankUncertainty:
    """Bootstrap results for the trusts of a quarter.

    ``trusts``: rows of the league table, in its order; ``counts``: results over draws in the same
    order; ``cutoffs``: "published" (held fixed) or "recomputed" (in each draw); ``held``: trusts
    without items, held at their published average; ``unvarying``: trusts with one item, or equal ones,
    whose draws are all the same.
    """

    quarter: str
    trusts: pd.DataFrame
    counts: Counts
    seed: int
    cutoffs: str
    held: tuple[str, ...]
    unvarying: tuple[str, ...]

    @property
    def without_range(self) -> tuple[str, ...]:
        """Trusts of which draws show no spread. That is no certainty: nothing is known of how far they may move."""
        return (*self.held, *self.unvarying)

    def table(self, level: float = LEVEL) -> pd.DataFrame:
        """A row per trust: ranges, segment probabilities and expected rank.

        score_low, score_high (points), rank_low, rank_high (places within type) at ``level``; each
        with its Monte Carlo error (``_error``, see `quantile_error`); p_segment_1 ...; p_top_10, p_bottom_10 (within
        type, see `tails`); expected_rank (mean over draws) with its standard error. All NaN for trusts
        `without_range`.
        """
        if not 0 < level < 1:
            raise InputError(f"the level must lie between 0 and 1, not {level}")
        tail = (1 - level) / 2
        table = self.trusts[["trust_type", "trust_name", "average_score", "segment", "rank"]].copy()
        for name, counts, start, unit in (
            ("score", self.counts.averages, 0, 100),
            ("rank", self.counts.ranks, 1, 1),
        ):
            for end, share in (("low", tail), ("high", 1 - tail)):
                table[f"{name}_{end}"] = (quantile(counts, np.full(len(counts), share)) + start) / unit
                table[f"{name}_{end}_error"] = quantile_error(counts, share) / unit
        for segment in range(self.counts.segments.shape[1]):
            table[f"p_segment_{segment + 1}"] = self.counts.segments[:, segment] / self.counts.draws
        ranks = self.rank_probabilities().to_numpy()
        table["p_top_10"], table["p_bottom_10"] = self.tails(10)
        places = np.arange(1, ranks.shape[1] + 1)
        table["expected_rank"] = ranks @ places
        spread = np.sqrt(np.maximum(ranks @ places**2 - table["expected_rank"] ** 2, 0))
        table["expected_rank_error"] = spread / np.sqrt(self.counts.draws)
        # No range is better than one of no width.
        drawn = table.columns[list(table.columns).index("score_low") :]
        table.loc[list(self.without_range), drawn] = np.nan
        return table

    def fill(self, table: pd.DataFrame, level: float = LEVEL) -> pd.DataFrame:
        """A table of `LeagueTable.table` with its range columns filled."""
        ranges = self.table(level)[["score_low", "score_high", "rank_low", "rank_high"]]
        ranges = ranges.reindex(table["trust_code"]).astype({"rank_low": "Int64", "rank_high": "Int64"})
        return table.assign(**{name: ranges[name].array for name in ranges})

    def note(self) -> str:
        """How the ranges came about, in words."""
        table = self.table()
        held = f"; no range for {counted(len(self.held), 'trust')} without metric rows" if self.held else ""
        same = f"; no range for {', '.join(self.unvarying)}, whose items do not differ" if self.unvarying else ""
        return (
            f"{self.quarter}: ranges of 95 % from {self.counts.draws:,} draws over each trust's items, seed {self.seed}, "
            f"cut-offs {self.cutoffs}; another seed may move {_most_moved(table, 'score', 'point', 2)} and "
            f"{_most_moved(table, 'rank', 'place', 0)}{held}{same}"
        )

    def tails(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities of a rank among the first n, and among the last n, of the type. Trusts that share a rank
        share the best place, so that of trusts tied at the border none is among the last n."""
        ranks = self.rank_probabilities().to_numpy()
        sizes = self.trusts["trust_type"].map(self.trusts["trust_type"].value_counts()).to_numpy()
        places = np.arange(1, ranks.shape[1] + 1)
        return ranks[:, :n].sum(axis=1), np.where(places > sizes[:, None] - n, ranks, 0).sum(axis=1)

    def rank_probabilities(self) -> pd.DataFrame:
        """Probability of each rank: trusts by rank from 1."""
        shares = self.counts.ranks / self.counts.draws
        return pd.DataFrame(shares, index=self.trusts.index, columns=range(1, shares.shape[1] + 1))


def _most_moved(table: pd.DataFrame, name: str, unit: str, decimals: int) -> str:
    """How far another seed may move half of the ends of the ranges, and the least sure of them."""
    errors = table[[f"{name}_low_error", f"{name}_high_error"]].stack()
    middle, most = errors.median(), errors.max()
    if not np.isfinite(most):
        return f"ends of {name} ranges by more than these draws can tell"
    return f"half of the ends of {name} ranges by up to {middle:.{decimals}f} {unit}s (the least sure by {most:.{decimals}f})"


def rank_uncertainty(
    rebuilt: LeagueTable, draws: int = DRAWS, seed: int = SEED, cutoffs: str = "published", pairs: bool = False,
    executor: Executor | None = None,
) -> RankUncertainty:  # fmt: skip
    """Bootstrap a quarter's league tables over items, all trusts drawn together.

    ``cutoffs``: "published" holds the segment cut-offs of the quarter fixed; "recomputed" takes them anew
    in each draw. Trusts without items are held at their published averages and segments. Raises
    InputError if no trust has items, if cut-offs cannot be recomputed (fixed thresholds), or if the rules
    do not average as the official ones do.
    """
    ranked = rebuilt.trusts.dropna(subset="rank")
    if rebuilt.framework is None:
        raise InputError(f"{rebuilt.quarter}: the kit has no rules for that year, so ranges cannot be drawn")
    if rebuilt.items is None:
        raise InputError(f"{rebuilt.quarter}: no metric scores are at hand, so ranges cannot be drawn")
    league.require_plain_average(rebuilt.framework, f"{rebuilt.quarter}: items cannot be drawn")
    rules = ranking_rules(rebuilt, ranked, cutoffs)
    samplers = _samplers(rebuilt, ranked)
    counts = bootstrap(samplers, rules, draws, seed, pairs, executor)
    held = tuple(ranked.index[~ranked["recomputed"]])
    same = [isinstance(sampler, ItemSampler) and not sampler.varies for sampler in samplers]
    return RankUncertainty(rebuilt.quarter, ranked, counts, seed, cutoffs, held, tuple(ranked.index[same]))


def _samplers(rebuilt: LeagueTable, ranked: pd.DataFrame) -> list[ItemSampler | int]:
    values = rebuilt.items.values.reindex(ranked.index).to_numpy()
    held = ranked["hundredths"].to_numpy()
    return [
        ItemSampler(row[~np.isnan(row)]) if recomputed else int(average)
        for row, average, recomputed in zip(values, held, ranked["recomputed"], strict=True)
    ]


def ranking_rules(rebuilt: LeagueTable, ranked: pd.DataFrame, cutoffs: str) -> Rules:
    """How drawn averages of the ``ranked`` trusts become segments and ranks. See `rank_uncertainty` for ``cutoffs``."""
    framework, segments = rebuilt.framework, rebuilt.framework.segments
    types = pd.factorize(ranked["trust_type"])[0]
    fixed = cut_offs(rebuilt, ranked)
    flags = override_flags(rebuilt, ranked)["flagged"].to_numpy(dtype=bool)
    cap = framework.override.no_higher_than if framework.override else None
    down = framework.override.segments_down or 0 if framework.override else 0
    others = {"segments_down": down, "by": framework.ranking}
    if cutoffs == "published":
        return Rules(flags, types, cap, cuts=fixed, **others)
    if cutoffs != "recomputed":
        raise InputError(f"cutoffs must be 'published' or 'recomputed', not {cutoffs!r}")
    if segments.rule != "percentiles":
        raise InputError(f"{rebuilt.quarter}: the cut-offs are fixed thresholds and cannot be recomputed in each draw")
    pools = types if segments.pool == "type" else np.zeros(len(types), dtype=int)
    if segments.pool == "all":
        others["elsewhere"] = league.averages_elsewhere(ranked, framework, rebuilt.quarter)
    return Rules(flags, types, cap, percentiles=segments.percentiles, pools=pools, **others)


RANGE_ENDS = ("score_low", "score_high", "rank_low", "rank_high")


def against_published(uncertainty: RankUncertainty, published: pd.DataFrame) -> pd.DataFrame:
    """Every published likely-range limit beside the drawn one.

    ``published``: a release's ``league``. A row per trust and limit: trust_code, trust_name, limit (one of
    `RANGE_ENDS`), published, drawn, difference (drawn - published; points or places). Empty where no
    ranges are published.
    """
    table = uncertainty.table()
    long = table[["trust_name", *RANGE_ENDS]].melt(
        id_vars="trust_name", var_name="limit", value_name="drawn", ignore_index=False
    )
    known = published[list(RANGE_ENDS)].melt(var_name="limit", value_name="published", ignore_index=False)
    both = long.set_index("limit", append=True).join(known.set_index("limit", append=True)).dropna().reset_index()
    return both.assign(difference=(both["drawn"] - both["published"]).round(6))
