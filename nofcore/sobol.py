"""Which choices the ranks hang on: variance-based sensitivity (Sobol indices).

Choices of method, or weights, are drawn at random all together, and the variance of a result is
shared out over them. The first-order index of a choice is the share that it explains by itself; the
total index adds all that it explains together with others. Where first-order indices add to about
one, choices act each by itself; where they fall short of the total ones, what one choice does
depends on the others (Saltelli et al. 2010; OECD/JRC handbook 2008).

The results looked at are the mean absolute change of ranks against the official table, with
intervals, and each trust's rank, without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from nofcore import league, randomness, reranking, scenarios
from nofcore.bootstrap import Rules, ranking_rules
from nofcore.defaults import SEED
from nofcore.errors import InputError
from nofcore.framework import Framework
from nofcore.league import LeagueTable
from nofcore.release import Release, trust_type_of
from nofcore.reranking import Reranking
from nofcore.scenarios import Changes, Factor, Scenario
from nofcore.sensitivity import OFFICIAL
from nofcore.weights import item_names, official_weights

SAMPLES = 1_024
RESAMPLES = 999
WITHIN = 50
"""Weights are drawn within so many per cent of the official ones unless another range is asked for."""
MOST_COMBINATIONS = 20_000

Model = Callable[[np.ndarray], np.ndarray]


# --- on arrays ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Choice:
    """A uniform choice among ``levels``, 0 to levels - 1, as a distribution for `estimate`."""

    levels: int

    def ppf(self, share: np.ndarray) -> np.ndarray:
        return np.minimum(np.floor(np.asarray(share) * self.levels), self.levels - 1)


@dataclass(frozen=True)
class Estimate:
    """Sobol indices from a sample, (outputs, factors); NaN for an output that never varies.

    ``first_low`` ... ``total_high``: ends of percentile bootstrap intervals of the outputs asked for,
    (those, factors). ``inputs``: (factors, draws) all draws made, those of the two base samples
    first, then those of the first with one factor of the second, factors in turn; ``outputs``:
    (outputs, draws).
    """

    first: np.ndarray
    total: np.ndarray
    first_low: np.ndarray
    first_high: np.ndarray
    total_low: np.ndarray
    total_high: np.ndarray
    inputs: np.ndarray
    outputs: np.ndarray


def estimate(
    model: Model, dists: Sequence[Any], n: int = SAMPLES, seed: int = SEED, intervals: int = 1, level: float = 0.95
) -> Estimate:
    """First-order and total indices of independent factors, by `scipy.stats.sobol_indices` (Saltelli 2010).

    ``model``: (factors, draws) -> (outputs, draws); ``dists``: a distribution with ``ppf`` for each
    factor; ``n``: size of a base sample, a power of 2: the model is run for n (factors + 2) draws;
    ``intervals``: the first so many outputs get bootstrap intervals. Raises InputError unless n is a
    power of 2.
    """
    if n < 2 or n & (n - 1):
        raise InputError(f"the number of samples must be a power of 2, such as {SAMPLES:,}, not {n}")
    random = next(randomness.blocks(1, seed)).generator()
    inputs, outputs = [], []

    def recorded(x: np.ndarray) -> np.ndarray:
        inputs.append(x)
        outputs.append(np.atleast_2d(np.asarray(model(x), dtype=float)))
        # scipy fails on one output of one factor; a second, equal one does no harm.
        return np.repeat(outputs[-1], 2, axis=0) if len(outputs[-1]) == 1 else outputs[-1].copy()

    found = stats.sobol_indices(func=recorded, n=n, dists=list(dists), rng=random)
    drawn = np.concatenate(outputs, axis=1)
    # scipy calls the indices of a constant output 0, and leaves out the axis of a single factor.
    constant = np.ptp(drawn[:, : 2 * n], axis=1) == 0
    first, total = (index.reshape(-1, len(dists))[: len(drawn)] for index in (found.first_order, found.total_order))
    first[constant], total[constant] = np.nan, np.nan
    ends = _intervals([part[:intervals] for part in outputs], n, level, random)
    ends = [np.where(constant[:intervals, None], np.nan, end) for end in ends]
    return Estimate(first, total, *ends, np.concatenate(inputs, axis=1), drawn)


def _intervals(outputs: list[np.ndarray], n: int, level: float, random: np.random.Generator) -> list[np.ndarray]:
    """Ends of percentile bootstrap intervals, (outputs, factors): first-order low and high, total low and high.

    Samples are drawn again with their two base draws and all that were made of them, as
    `scipy.stats.sobol_indices` does it; being means, the indices of all resamples are matrix products.
    """
    f_a, f_b, f_ab = outputs[0], outputs[1], outputs[2].reshape(len(outputs[2]), n, -1)
    middle = np.mean([f_a, f_b], axis=(0, 2))[:, None]
    f_a, f_b, f_ab = f_a - middle, f_b - middle, f_ab - middle[..., None]
    picks = random.integers(0, n, (RESAMPLES, n))
    times = np.array([np.bincount(pick, minlength=n) for pick in picks], dtype=float) / n
    tail = 100 * (1 - level) / 2
    ends = []
    for a, b, ab in zip(f_a, f_b, f_ab, strict=True):
        variance = (times @ (a**2 + b**2)) / 2 - ((times @ (a + b)) / 2) ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            first = times @ (b[:, None] * (ab - a[:, None])) / variance[:, None]
            total = times @ ((a[:, None] - ab) ** 2) / 2 / variance[:, None]
        ends.append([end for index in (first, total) for end in np.percentile(index, [tail, 100 - tail], axis=0)])
    return [np.array(end) for end in zip(*ends, strict=True)]


def exact(results: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First-order and total indices, (outputs, factors), of choices of which every combination was computed.

    ``results``: (levels of factor 1, ..., levels of factor d, outputs), each combination as likely as any
    other. NaN for an output that never varies.
    """
    axes = tuple(range(results.ndim - 1))
    variance = results.var(axis=axes)
    first, total = [], []
    for axis in axes:
        others = tuple(other for other in axes if other != axis)
        first.append(results.mean(axis=others).var(axis=0))
        total.append(results.var(axis=axis).mean(axis=tuple(range(len(others)))))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.array(first).T / variance[:, None], np.array(total).T / variance[:, None]


# --- on a league table ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Indices:
    """Sobol indices for the trusts of a type. `methods` and `weights` make one.

    ``factors``: names by key; ``levels``: names of the choices of each, empty for weights; ``sampled``:
    by `estimate`, the mean absolute rank change its one output with intervals; ``by_trust``: first-order and
    total indices of each trust's rank, (trusts, factors), NaN where it never changes; ``whole``: the same for
    the mean absolute rank change where every combination was computed, else None. ``draws``: a row per draw:
    the factors, mean_change, and the rank of each trust by code. ``notes``.
    """

    quarter: str
    trust_type: str
    trusts: pd.DataFrame
    factors: Mapping[str, str]
    levels: Mapping[str, tuple[str, ...]]
    sampled: Estimate
    by_trust: tuple[np.ndarray, np.ndarray]
    whole: tuple[np.ndarray, np.ndarray] | None
    draws: pd.DataFrame
    n: int
    seed: int
    notes: tuple[str, ...]

    def table(self) -> pd.DataFrame:
        """A row per factor, largest total index first: name, first_order and total_order of the mean absolute rank
        change, each with the ends of its 95 % interval (``_low``, ``_high``), and, where every combination was
        computed, exact_first_order and exact_total_order, which have no sampling error."""
        found = self.sampled
        table = pd.DataFrame(
            {
                "name": list(self.factors.values()),
                "first_order": found.first[0], "first_order_low": found.first_low[0],
                "first_order_high": found.first_high[0], "total_order": found.total[0],
                "total_order_low": found.total_low[0], "total_order_high": found.total_high[0],
            },
            index=pd.Index(list(self.factors), name="factor"),
        )  # fmt: skip
        order = "total_order"
        if self.whole is not None:
            table["exact_first_order"], table["exact_total_order"] = self.whole[0][0], self.whole[1][0]
            order = "exact_total_order"
        return table.sort_values(order, ascending=False, kind="stable")

    def trust_table(self, kind: str = "total") -> pd.DataFrame:
        """A row per trust: trust_name, rank, lowest and highest rank over the draws, and the index of each factor for its
        rank (``kind``: "first" or "total"); missing where its rank never changes. No intervals."""
        ranks = self.draws[list(self.trusts.index)].to_numpy()
        table = self.trusts[["trust_name"]].copy()
        table["rank"] = self.trusts["rank"].astype("Int64")
        table["best_rank"], table["worst_rank"] = ranks.min(axis=0), ranks.max(axis=0)
        shares = self.by_trust[("first", "total").index(kind)]
        return pd.concat([table, pd.DataFrame(shares, self.trusts.index, list(self.factors))], axis=1)


def weights(
    rebuilt: LeagueTable, trust_type: str, within: float = WITHIN, n: int = SAMPLES, seed: int = SEED,
    cutoffs: str | None = None,
) -> Indices:  # fmt: skip
    """Indices of the raw weights of the items that trusts of a type have, for their ranks.

    Weights are drawn independently and evenly within ± ``within`` per cent of the official ones; only
    their proportions count. Items that no trust of the type has keep their weights; cut-offs as in
    `nofcore.weights.acceptability`. Raises InputError for a type without items, for a range outside 0 to 100, and
    unless n is a power of 2.
    """
    if not 0 < within <= 100:
        raise InputError(f"weights are drawn within a number of per cent from above 0 to 100, not {within!r}")
    plan = reranking.prepare(rebuilt, cutoffs)
    mine = _of_type(plan, trust_type)
    base = official_weights(plan, rebuilt.framework)
    drawn = np.flatnonzero(~np.isnan(plan.values[mine]).all(axis=0) & (base > 0))
    names = item_names(plan, rebuilt.framework)

    def model(x: np.ndarray) -> np.ndarray:
        found = []
        for start in range(0, x.shape[1], randomness.BLOCK):
            some = x[:, start : start + randomness.BLOCK]
            every = np.tile(base, (some.shape[1], 1))
            every[:, drawn] = some.T
            found.append(plan.rank(plan.averages(every)).rank[:, mine])
        return _with_mean(np.concatenate(found), plan.ranks[mine])

    share = within / 100
    dists = [stats.uniform(weight * (1 - share), 2 * weight * share) for weight in base[drawn]]
    found = estimate(model, dists, n, seed)
    keys = [plan.items[place] for place in drawn]
    draws = pd.DataFrame(found.inputs.T, columns=keys)
    notes = (
        f"{rebuilt.quarter}: {len(draws):,} weightings, each weight drawn evenly within ± {within:g} % of the official one, "
        f"seed {seed}, cut-offs {plan.cutoffs}",
        *_held_note(rebuilt, plan),
    )
    return _indices(rebuilt, plan, mine, {key: names[key] for key in keys}, {}, found, None, draws, (n, seed), notes)


@dataclass(frozen=True)
class Crossed:
    """Ranks under every combination of choices of method, all types of trust. `cross` makes one.

    ``levels``: scenarios of each factor, None for the official rule; ``ranks``: (levels of factor 1, ..., trusts of
    ``plan``); ``left_out``: choices that the figures do not allow, and why.
    """

    factors: tuple[Factor, ...]
    levels: tuple[tuple[Scenario | None, ...], ...]
    rebuilt: LeagueTable
    plan: Reranking
    ranks: np.ndarray
    left_out: tuple[str, ...]


def cross(
    figures: Release, framework: Framework, factors: Iterable[Factor] | None = None,
    known: Iterable[Scenario] | None = None,
) -> Crossed:  # fmt: skip
    """Compute every combination of choices of method: each the official rule or an alternative.

    ``factors``: those of the kit where None; ``known``: scenarios that their alternatives name, those of
    the kit where None. A choice with an alternative that the figures at hand do not allow, for want of
    values or override flags, is left out and named. Raises InputError for an alternative that is not known or that changes
    more than one step, and where no choice is left.
    """
    factors = scenarios.factors() if factors is None else tuple(factors)
    known = scenarios.shipped() if known is None else tuple(known)
    factors, left_out = _possible(figures, framework, factors, known)
    table = _Factorial.make(figures, framework, factors, known)
    return Crossed(factors, table.levels, table.rebuilt, table.plan, table.ranks(), tuple(left_out))


def methods(crossed: Crossed, trust_type: str, n: int = SAMPLES, seed: int = SEED) -> Indices:
    """Indices of choices of method, crossed, for the ranks of a type. Each combination is as likely as any other.

    Raises InputError for a type without items.
    """
    factors, plan, rebuilt = crossed.factors, crossed.plan, crossed.rebuilt
    mine = _of_type(plan, trust_type)
    ranks = crossed.ranks[..., mine]
    shape = ranks.shape[:-1]
    results = _with_mean(ranks.reshape(-1, len(mine)), plan.ranks[mine])

    def model(x: np.ndarray) -> np.ndarray:
        return results[:1, np.ravel_multi_index(x.astype(int), shape)]

    found = estimate(model, [Choice(levels) for levels in shape], n, seed)
    first, total = exact(results.T.reshape(*shape, -1))
    levels = {
        factor.key: (OFFICIAL, *(s.name for s in chosen[1:]))
        for factor, chosen in zip(factors, crossed.levels, strict=True)
    }
    draws = pd.DataFrame([dict(zip(levels, names, strict=True)) for names in product(*levels.values())])
    notes = (
        f"{rebuilt.quarter}: all {len(draws):,} combinations of {len(factors)} choices, each as likely as any other; sampled "
        f"indices from {n:,} samples, seed {seed}",
        *crossed.left_out,
        *_held_note(rebuilt, plan),
    )
    named = {factor.key: factor.name for factor in factors}
    estimated = replace(found, outputs=results)
    return _indices(rebuilt, plan, mine, named, levels, estimated, (first, total), draws, (n, seed), notes)


def _with_mean(ranks: np.ndarray, official: np.ndarray) -> np.ndarray:
    """(1 + trusts, draws): the mean absolute change, then the ranks, from ranks of (draws, trusts)."""
    ranks = ranks.astype(float)
    return np.vstack([np.abs(ranks - official).mean(axis=1), ranks.T])


def _of_type(plan: Reranking, trust_type: str) -> np.ndarray:
    name = trust_type_of(trust_type, plan.trusts["trust_type"].unique())
    mine = np.flatnonzero(plan.trusts["trust_type"] == name)
    if plan.held[mine].all():
        raise InputError(f"{name}: no metric scores are at hand, so nothing can be averaged again")
    return mine


def _indices(rebuilt, plan, mine, factors, levels, found: Estimate, whole, draws, run, notes) -> Indices:
    trusts = plan.trusts.iloc[mine]
    ranks = pd.DataFrame(found.outputs[1:].T.astype(np.int64), draws.index, trusts.index)
    draws = pd.concat([draws.assign(mean_change=found.outputs[0]), ranks], axis=1)
    first, total = (found.first, found.total) if whole is None else whole
    return Indices(
        rebuilt.quarter, trusts["trust_type"].iat[0], trusts, factors, levels, found, (first[1:], total[1:]),
        None if whole is None else (first[:1], total[:1]), draws, *run, notes,
    )  # fmt: skip


def _held_note(rebuilt: LeagueTable, plan: Reranking) -> list[str]:
    if not plan.held.any():
        return []
    return [f"{rebuilt.quarter}: {int(plan.held.sum())} trusts without metric rows stand at their published averages"]


# --- all combinations of choices of method --------------------------------------------------------

_STEPS = {
    "scores": {"metric", "pools", "standards", "floors", "scoring", "rounded_first", "older_than"},
    "items": {"separate", "leave_out"},
    "average": {"weights", "weigh", "aggregation", "decimals"},
    "results": {"segments", "override", "ranking"},
}
"""What a scenario can change, by the step at which it does: what comes before need not be done again."""


@dataclass(frozen=True)
class _Factorial:
    """Every combination of the levels of some factors. ``levels``: scenarios of each factor, None for the official
    rule; ``steps``: the step at which each acts."""

    figures: Release
    framework: Framework
    rebuilt: LeagueTable
    plan: Reranking
    levels: tuple[tuple[Scenario | None, ...], ...]
    steps: tuple[str, ...]

    @classmethod
    def make(cls, figures: Release, framework: Framework, factors: Sequence[Factor], known: Sequence[Scenario]):
        levels = tuple((None, *_alternatives(factor, known)) for factor in factors)
        if not levels or (count := int(np.prod([len(chosen) for chosen in levels]))) > MOST_COMBINATIONS:
            what = "no choice is named" if not levels else f"{count:,} combinations are more than {MOST_COMBINATIONS:,}"
            raise InputError(f"{what}; name between one choice and as many as can be crossed")
        steps = tuple(_step(factor, chosen) for factor, chosen in zip(factors, levels, strict=True))
        rebuilt = league.build(figures, framework)
        return cls(figures, framework, rebuilt, reranking.prepare(rebuilt), levels, steps)

    def ranks(self) -> np.ndarray:
        """(levels of factor 1, ..., trusts) league ranks."""
        shape = tuple(map(len, self.levels))
        found = np.empty((*shape, len(self.plan.trusts)), dtype=np.int16)
        rankers = {chosen: self._rules(chosen) for chosen in self._choices("results")}
        gatherings = {chosen: self._changed(("items", chosen)) for chosen in self._choices("items")}
        averagings = {
            chosen: self._changed(("items", chosen[0]), ("average", chosen[1]))
            for chosen in product(gatherings, self._choices("average"))
        }
        before, hundredths = [], []
        for scored in self._choices("scores"):
            scores = self._scores(scored)
            made = {chosen: self._items(scores, rules) for chosen, rules in gatherings.items()}
            for (gathered, averaged), rules in averagings.items():
                before.append((scored, gathered, averaged))
                hundredths.append(self._averages(made[gathered], rules))
        for chosen, ranker in rankers.items():
            for so_far, ranks in zip(before, ranker.rank(np.array(hundredths)).rank, strict=True):
                found[self._place(*so_far, chosen)] = ranks
        return found

    def _choices(self, step: str) -> list[tuple[int, ...]]:
        """Combinations of levels of the factors of one step."""
        return list(product(*(range(len(c)) for c, of in zip(self.levels, self.steps, strict=True) if of == step)))

    def _place(self, *chosen: tuple[int, ...]) -> tuple[int, ...]:
        """The place of a combination, from those of each step."""
        left = {step: iter(levels) for step, levels in zip(_STEPS, chosen, strict=True)}
        return tuple(next(left[step]) for step in self.steps)

    def _changed(self, *chosen: tuple[str, tuple[int, ...]]) -> Framework:
        """The rules with the alternatives chosen at some steps."""
        wanted = []
        for step, levels in chosen:
            mine = [of for of, at in zip(self.levels, self.steps, strict=True) if at == step]
            wanted += [of[level] for of, level in zip(mine, levels, strict=True) if of[level] is not None]
        return scenarios.apply(self.framework, *wanted)

    def _scores(self, chosen: tuple[int, ...]) -> pd.DataFrame:
        return league.scores_to_average(self.figures, self._changed(("scores", chosen)), "scores")

    def _items(self, scores: pd.DataFrame, rules: Framework) -> league.Items:
        """Items of the trusts with metric rows. How metrics are scored matters not here, only which are averaged."""
        made = league.items(scores, rules)
        return replace(made, values=made.values.reindex(self.plan.trusts.index[~self.plan.held]))

    def _averages(self, made: league.Items, rules: Framework) -> np.ndarray:
        """(trusts,) averages in hundredths; trusts without metric rows stand as published."""
        rule = rules.average
        try:
            found = league.averages(made.values.to_numpy(), league.weights_of(made, rules), rule.decimals, rule.how)
        except ValueError:
            raise InputError(
                f"{self.rebuilt.quarter}: under {rules.title!r} a trust has nothing left to average"
            ) from None
        hundredths = self.plan.trusts["hundredths"].to_numpy(dtype=np.int64, copy=True)
        hundredths[~self.plan.held] = found
        return hundredths

    def _rules(self, chosen: tuple[int, ...]) -> Rules:
        """Cut-offs, override and ranking of the rules with some choices of results."""
        rules = self._changed(("results", chosen))
        table = league.build(self.figures, rules)
        cutoffs = "recomputed" if rules.segments.rule == "percentiles" else "published"
        # Trusts stand in the order of the official table, whatever rank these rules give them.
        return ranking_rules(table, table.trusts.loc[self.plan.trusts.index], cutoffs)


def _alternatives(factor: Factor, known: Sequence[Scenario]) -> list[Scenario]:
    by_key = {scenario.key: scenario for scenario in known}
    if unknown := [key for key in factor.alternatives if key not in by_key]:
        raise InputError(f"choice {factor.key!r}: no scenario {unknown[0]!r}; there are {', '.join(by_key)}")
    return [by_key[key] for key in factor.alternatives]


def _possible(
    figures: Release, framework: Framework, factors: Sequence[Factor], known: Sequence[Scenario]
) -> tuple[tuple[Factor, ...], list[str]]:
    """The factors whose alternatives can be applied to the figures at hand, and why the others cannot."""
    possible, notes = [], []
    for factor in factors:
        chosen = _alternatives(factor, known)
        step = _step(factor, chosen)
        try:
            for scenario in chosen:
                rules = scenarios.apply(framework, scenario)
                if step == "scores":
                    league.scores_to_average(figures, rules, "scores")
                elif step == "results":
                    league.build(figures, rules)
        except InputError as error:
            why = "; ".join(problem.message for problem in error.problems)  # no paths of files on a page
            notes.append(f"{factor.name} was left out of the choices: {why}")
        else:
            possible.append(factor)
    return tuple(possible), notes


def _step(factor: Factor, chosen: Sequence[Scenario | None]) -> str:
    """The one step at which the alternatives of a factor act."""
    changed = {
        field.name
        for scenario in chosen
        if scenario
        for field in fields(Changes)
        if getattr(scenario.changes, field.name) != getattr(Changes(), field.name)
    }
    if "decimals" in changed:
        raise InputError(f"choice {factor.key!r}: decimals cannot be crossed with other choices")
    for step, names in _STEPS.items():
        if changed <= names:
            return step
    raise InputError(
        f"choice {factor.key!r} changes {', '.join(sorted(changed))}: more than one step of the rules; split it"
    )
