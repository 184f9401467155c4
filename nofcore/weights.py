"""Random weights: how much of a rank hangs on every metric weighing the same.

Weights of items are drawn at random, averages, cut-offs, segments and ranks follow, and the share of
weightings under which a trust comes first, is in a segment or is among the last ten is its rank
acceptability (the term of Lahdelma and Salminen for such shares). What that measures is how far a
rank depends on the choice of weights, within the range they are drawn from; it says nothing about
which weights are right.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import TypeAdapter, ValidationError

from nofcore import framework as rules
from nofcore import reranking
from nofcore.bootstrap import Counts, counts_of, quantile
from nofcore.defaults import DRAWS, SEED
from nofcore.errors import InputError, Problem
from nofcore.framework import Domain, Framework, Text, Weight
from nofcore.league import LeagueTable
from nofcore.randomness import Block, tally
from nofcore.reranking import Reranking
from nofcore.scenarios import Changes, Scenario

TAIL = 10


# --- a user's own weights -------------------------------------------------------------------------


def load(path: Path | str) -> Scenario:
    """A scenario from a file of weights by name: a TOML file with a table ``[weights]``, such as ``access = 2``.

    Items and domains are named as in a scenario; what is not named weighs 1. Raises InputError naming
    file and key for a weight that is negative or no number, a list instead of names, and any other
    key; `nofcore.scenarios.apply` for names that the rules do not know and weights that are all zero.
    """
    path = Path(path)
    content = rules.read_toml(path, "weights")
    if unknown := sorted(set(content) - {"weights"}):
        message = f"key {unknown[0]}: unknown key; the file takes one table, [weights]"
        raise InputError(Problem(str(path), None, None, message))
    try:
        found = _adapter().validate_python(content.get("weights", {}))
    except ValidationError as error:
        raise InputError(
            rules.problem(str(path), content, entry | {"loc": ("weights", *entry["loc"])}) for entry in error.errors()
        ) from None
    if not found:
        raise InputError(Problem(str(path), None, None, "key weights: is missing; name at least one weight"))
    return Scenario(
        key="own-weights",
        name=f"Weights of {path.name}",
        question="What if the metrics weighed as this file says?",
        changes=Changes(weights=found),
        where=(str(path), ""),
    )


def _adapter() -> TypeAdapter:
    return TypeAdapter(dict[Text, Weight])


# --- drawing --------------------------------------------------------------------------------------


def simplex(items: int, size: int, random: np.random.Generator) -> np.ndarray:
    """(size, items) weights that add to 1, uniform over all such (a Dirichlet distribution of ones)."""
    drawn = random.standard_exponential((size, items))
    return drawn / drawn.sum(axis=1, keepdims=True)


def around(base: np.ndarray, within: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """(size, items) weights that add to 1: each drawn by itself, evenly from ``base`` (1 - within) to ``base``
    (1 + within), then divided by their sum. ``base``, ``within``: (items,), the latter as shares, 0 to 1."""
    drawn = base * (1 + within * (2 * random.random((size, len(base))) - 1))
    return drawn / drawn.sum(axis=1, keepdims=True)


# --- counting -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tally:
    """Results over weightings. ``counts``: see `nofcore.bootstrap`; ``best``: (trusts,) the best rank each trust had;
    ``average``: (trusts,) its average then, in hundredths; ``favourable``: (trusts, items) the weights that gave it."""

    counts: Counts
    best: np.ndarray
    average: np.ndarray
    favourable: np.ndarray

    def __add__(self, other: Tally) -> Tally:
        better = (other.best < self.best) | ((other.best == self.best) & (other.average < self.average))
        return Tally(
            self.counts + other.counts,
            np.where(better, other.best, self.best),
            np.where(better, other.average, self.average),
            np.where(better[:, None], other.favourable, self.favourable),
        )


def count(weights: np.ndarray, plan: Reranking) -> Tally:
    """Results of some weightings, (draws, items)."""
    hundredths = plan.averages(weights)
    ranking = plan.rank(hundredths)
    # By rank, then by average; the first of equal draws.
    width = int(hundredths.max()) + 1
    places = (ranking.rank.astype(np.int64) * width + hundredths).argmin(axis=0)
    trusts = np.arange(hundredths.shape[1])
    return Tally(
        counts_of(hundredths, ranking, plan.rules),
        ranking.rank[places, trusts],
        hundredths[places, trusts],
        weights[places],
    )


def _count_block(block: Block, plan: Reranking, base, within) -> Tally:
    random = block.generator()
    if within is None:
        return count(simplex(len(plan.items), block.size, random), plan)
    return count(around(base, within, block.size, random), plan)


# --- on a league table ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Acceptability:
    """Ranks under random weights. `acceptability` makes one.

    ``trusts``: rows of the league table; ``items``: names of what is weighed, by key; ``values``:
    (trusts, items); ``official``: (items,) weights of the rules; ``within``: per cent by item, None for uniform over all weights;
    ``cutoffs``: "recomputed" in each draw with all types, or "published"; ``held``: trusts without
    metric rows, which stand at their published averages.
    """

    quarter: str
    trusts: pd.DataFrame
    items: Mapping[str, str]
    values: np.ndarray
    tally: Tally
    official: np.ndarray
    within: Mapping[str, float] | None
    seed: int
    cutoffs: str
    held: tuple[str, ...]

    @property
    def draws(self) -> int:
        return self.tally.counts.draws

    def table(self, trust_type: str, level: float = 0.95) -> pd.DataFrame:
        """A row per trust: trust_name, average_score, segment and rank (official); p_segment_1 ... (after the override),
        p_first, p_top_10, p_bottom_10 (within type): shares of weightings, each with its standard error (``_error``,
        see `share_error`); p_official_segment; rank_low, rank_high: the middle ``level`` of the weightings;
        mean_rank; best_rank. Shares of trusts that were held are missing."""
        mine = (self.trusts["trust_type"] == trust_type).to_numpy()
        rows, counts = self.trusts[mine], self.tally.counts
        table = rows[["trust_name", "average_score", "segment", "rank"]].copy()
        ranks, segments = counts.ranks[mine], counts.segments[mine]
        last = np.arange(ranks.shape[1]) >= len(rows) - TAIL
        of = {f"segment_{number + 1}": segments[:, number] for number in range(segments.shape[1])}
        of |= {"first": ranks[:, 0], "top_10": ranks[:, :TAIL].sum(axis=1), "bottom_10": ranks[:, last].sum(axis=1)}
        official = rows["segment"].to_numpy(dtype=np.int64) - 1
        of["official_segment"] = segments[np.arange(len(rows)), official]
        for name, number in of.items():
            table[f"p_{name}"] = number / self.draws
            table[f"p_{name}_error"] = share_error(number, self.draws)
        tail = (1 - level) / 2
        for end, share in (("low", tail), ("high", 1 - tail)):
            table[f"rank_{end}"] = quantile(ranks, np.full(len(rows), share)) + 1
        table["mean_rank"] = ranks @ np.arange(1, ranks.shape[1] + 1) / self.draws
        table["best_rank"] = self.tally.best[mine]
        drawn = table.columns[list(table.columns).index("p_segment_1") :]
        table[drawn] = table[drawn].astype(float)
        table.loc[table.index.isin(self.held), drawn] = np.nan
        return table

    def favourable(self, trust_type: str) -> pd.DataFrame:
        """The weights among those drawn that favour each trust most: trusts by item, adding to 1 over the items that
        the trust has (missing for others), with trust_name, rank (official) and best_rank. Of draws with the same rank
        the one with the best average. With many items the best draw is far from the best there could be."""
        mine = (self.trusts["trust_type"] == trust_type).to_numpy()
        rows = self.trusts[mine]
        has = ~np.isnan(self.values[mine])
        weights = np.where(has, self.tally.favourable[mine], np.nan)
        weights = weights / np.nansum(weights, axis=1, keepdims=True)
        table = pd.DataFrame(weights, rows.index, list(self.items))
        table.insert(0, "best_rank", self.tally.best[mine])
        table.insert(0, "rank", rows["rank"].astype("Int64"))
        table.insert(0, "trust_name", rows["trust_name"])
        return table[~table.index.isin(self.held)]

    def note(self) -> str:
        """How the shares came about, in words."""
        if self.within is None:
            how = "weights drawn evenly over all there could be"
        else:
            ranges = sorted({f"{share:g} %" for share in self.within.values()})
            how = f"each weight drawn evenly within ± {' or '.join(ranges)} of the official one, by name"
        cuts = (
            "taken anew in each draw with all types" if self.cutoffs == "recomputed" else "held at the published ones"
        )
        held = f"; {len(self.held)} trusts without metric rows stand at their published averages" if self.held else ""
        return f"{self.quarter}: {self.draws:,} weightings, {how}, seed {self.seed}, cut-offs {cuts}{held}"


def share_error(number: np.ndarray, draws: int) -> np.ndarray:
    """Standard error of shares of draws, by Agresti and Coull (1998): as if two more draws of each kind had been
    made, so that a share of none or all is not said to be sure."""
    share = (number + 2) / (draws + 4)
    return np.sqrt(share * (1 - share) / (draws + 4))


def acceptability(
    rebuilt: LeagueTable, within: float | Mapping[str, float] | None = None, draws: int = DRAWS, seed: int = SEED,
    cutoffs: str | None = None, executor: Executor | None = None,
) -> Acceptability:  # fmt: skip
    """Rank a quarter's trusts under random weights of the items, all types together.

    ``within``: None draws uniformly over all weights; a number, each weight within ± so many per cent
    of that of the rules; by name of an item or a domain, these within so many per cent and the
    others held. A missing item leaves a trust's average. ``cutoffs``: "recomputed" in each draw with
    all types (the default for percentiles), or "published". Raises InputError for unknown names,
    per cents outside 0 to 100, and rules that weigh by domain or do not round averages.
    """
    plan = reranking.prepare(rebuilt, cutoffs)
    framework = rebuilt.framework
    if plan.average.decimals != 2:
        raise InputError(
            "averages under random weights are counted in hundredths; these rules do not round to 2 decimals"
        )
    base = official_weights(plan, framework)
    shares = None if within is None else _shares(within, plan, framework)
    work = partial(_count_block, plan=plan, base=base, within=None if shares is None else shares / 100)
    found = tally(work, Tally.__add__, draws, seed, executor)
    return Acceptability(
        rebuilt.quarter, plan.trusts, item_names(plan, framework), plan.values, found, base,
        None if shares is None else dict(zip(plan.items, shares.tolist(), strict=True)),
        seed, plan.cutoffs, tuple(plan.trusts.index[plan.held]),
    )  # fmt: skip


def official_weights(plan: Reranking, framework: Framework) -> np.ndarray:
    """(items,) weights of the rules. InputError where they weigh by domain, so that an item has none of its own."""
    if framework.average.weigh != "items":
        raise InputError("these rules weigh by domain, so items have no weights of their own that could be drawn")
    domains = framework.item_domains
    return np.array([framework.item_weights[name] * framework.domain_weights[domains[name]] for name in plan.items])


def item_names(plan: Reranking, framework: Framework) -> dict[str, str]:
    """Names of the items for people, by key."""
    return {name: getattr(framework.find(name), "short", None) or framework.find(name).name for name in plan.items}


def _shares(within: float | Mapping[str, float], plan: Reranking, framework: Framework) -> np.ndarray:
    """(items,) per cents within which weights are drawn."""
    if isinstance(within, list | tuple):
        raise InputError("within: give a number, or per cents by name; nothing is matched by its position")
    named = within if isinstance(within, Mapping) else dict.fromkeys(plan.items, within)
    for name, share in named.items():
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 100:
            raise InputError(f"within: {name}: must be a number of per cent from 0 to 100, not {share!r}")
    try:
        # Domains first: an item named by itself has its own.
        resolved = {name: framework.find(name) for name in named}
    except ValueError as error:
        raise InputError(f"within: {error}") from None
    found = dict.fromkeys(plan.items, 0.0)
    for name, entry in sorted(resolved.items(), key=lambda pair: not isinstance(pair[1], Domain)):
        mine = (
            [item for item in plan.items if framework.item_domains[item] == entry.key]
            if isinstance(entry, Domain)
            else [getattr(entry, "score", None) or entry.key]
        )
        if strangers := [item for item in mine if item not in found]:
            raise InputError(f"within: {name!r} ({strangers[0]}) is no item of the averages of this quarter")
        found |= dict.fromkeys(mine, float(named[name]))
    return np.array([found[item] for item in plan.items])
