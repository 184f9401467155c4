"""How much a rank depends on the measurements: draw the values, score every pool again, rank again.

Behind a percentage stand a number of patients and the number of them who did well. Another three
months of the same care would have given other numbers. Here the values of the metrics whose counts
are at hand are drawn (`draw_percentages`), each metric drawn is scored again in its whole pool
(`nofcore.rescoring`), and averages, segments and ranks follow; all other scores stay as published.

What this measures is chance in the counts of those metrics and nothing else: no change in what is
counted, no error in the records, no metric without counts. Values are drawn around the published
ones (the ratio of the counts, which may differ from them in the last digit), which hold noise already,
so a trust at the end of a table drifts inwards. Metrics are drawn independently of one another, even
where they count the same people, and a count of 0 stays 0.

Scoring drawn values again is in `nofcore.rescoring`, the counts in `nofcore.activity`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd

from nofcore import activity, bootstrap, league, rescoring
from nofcore.bootstrap import DRAWS, LEVEL, SEED, Counts, RankUncertainty, Rules
from nofcore.errors import InputError
from nofcore.framework import Framework
from nofcore.league import LeagueTable
from nofcore.randomness import Block, tally
from nofcore.release import Release
from nofcore.rescoring import Rescorer, Rescoring, rounded

KINDS = ("items", "noise", "both")
"""What is drawn: which metrics were chosen; the measurements; the measurements, then the metrics."""


def draw_percentages(
    n: np.ndarray, share: np.ndarray, phi: float, size: int, random: np.random.Generator
) -> np.ndarray:
    """Drawn percentages, (size, trusts).

    ``n``: (trusts,) whole numbers of patients; ``share``: of each trust, 0 to 1; ``phi``: variance
    as a multiple of the binomial one. phi = 1 draws binomial counts; above it, beta-binomial counts
    of the same mean and phi times the variance: each draw has a share of its own, from a beta
    distribution of correlation (phi - 1) / (n - 1). Shares of 0 and 1 are drawn as they are. Raises
    ValueError unless 1 <= phi < n (phi = 1 where n = 1).
    """
    if not phi >= 1 or (phi > 1 and (n <= phi).any()):
        raise ValueError(f"phi must be at least 1 and below every n, not {phi:g}")
    drawn = np.empty((len(n), size))
    for place, (patients, p) in enumerate(zip(n.tolist(), share.tolist(), strict=True)):
        if phi > 1 and 0 < p < 1:
            both = (patients - phi) / (phi - 1)
            p = random.beta(p * both, (1 - p) * both, size)
        # Times 100 first: the one rounding of the division then keeps equal percentages equal.
        drawn[place] = 100.0 * random.binomial(patients, p, size) / patients
    return drawn.T


# --- on a league table ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """Draws the values of one metric: trusts with counts in ``columns``, all others as published.

    ``judged``: decimals to which drawn values are rounded half up, as those published are.
    """

    values: np.ndarray
    columns: np.ndarray
    n: np.ndarray
    share: np.ndarray
    phi: float
    judged: int | None

    def draw(self, size: int, random: np.random.Generator) -> np.ndarray:
        drawn = np.tile(self.values, (size, 1))
        drawn[:, self.columns] = rounded(draw_percentages(self.n, self.share, self.phi, size, random), self.judged)
        return drawn


@dataclass(frozen=True)
class MeasurementNoise(RankUncertainty):
    """Results over draws, read like those of the bootstrap over items.

    ``kind``: one of `KINDS`; ``metrics``: metric_ids of the values drawn; ``phi``: the variance
    factor of each.
    """

    kind: str
    metrics: tuple[str, ...]
    phi: Mapping[str, float]


def measurement_noise(
    rebuilt: LeagueTable, figures: Release, framework: Framework, kind: str = "noise", draws: int = DRAWS,
    seed: int = SEED, phi: float | Mapping[str, float] = 1, counts: pd.DataFrame | None = None,
    cutoffs: str = "published", pairs: bool = False, executor: Executor | None = None,
) -> MeasurementNoise:  # fmt: skip
    """Draw a quarter's league tables anew, all trusts together.

    ``kind``: "noise" draws the values of the metrics with counts, scores their pools again and ranks
    again; "both" resamples each trust's items after that; "items" only resamples, as
    `nofcore.bootstrap.rank_uncertainty`. "noise" and "both" draw the same values for the same seed.
    ``phi``: variance as a multiple of the binomial, one for all metrics or by metric_id, 1 where not
    named; ``counts``: from `nofcore.activity.read`, the embedded ones where None; ``cutoffs``, ``pairs``: see
    `nofcore.bootstrap.rank_uncertainty`. Trusts without items are held at their published averages.
    Raises InputError for a phi below 1 or not below a denominator.
    """
    if kind not in KINDS:
        raise InputError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    if kind == "items":
        made = league.items(league.scores_to_average(figures, framework, "scores"), framework)
        found = bootstrap.rank_uncertainty(replace(rebuilt, items=made), draws, seed, cutoffs, pairs, executor)
        return MeasurementNoise(**vars(found), kind=kind, metrics=(), phi={})
    counts = activity.read(figures, framework) if counts is None else counts
    metrics = tuple(sorted(counts["metric_id"].unique()))
    spread = factors(phi, counts)
    plan = rescoring.prepare(figures, framework, metrics)
    sources = {name: _source(plan.metrics[name], counts, spread[name]) for name in metrics}
    ranked = rebuilt.trusts.dropna(subset="rank")
    rules = bootstrap.ranking_rules(rebuilt, ranked, cutoffs)
    at = plan.codes.get_indexer(ranked.index)
    work = partial(
        _count_block, plan=plan, sources=sources, at=at, published=ranked["hundredths"].to_numpy(dtype=np.int64),
        rules=rules, resample=kind == "both", pairs=pairs,
    )  # fmt: skip
    found = tally(work, Counts.__add__, draws, seed, executor)
    held = tuple(ranked.index[at < 0])
    return MeasurementNoise(
        rebuilt.quarter, ranked, found, seed, cutoffs, held, _undrawn(plan, ranked, counts, kind), kind, metrics, spread
    )


def _undrawn(plan: Rescoring, ranked: pd.DataFrame, counts: pd.DataFrame, kind: str) -> tuple[str, ...]:
    """Trusts with items of which nothing is drawn: none has counts and, if items are drawn too, theirs are all equal."""
    same = pd.Series([np.ptp(plan.published[i:j]) == 0 for i, j in pairwise(plan.starts)], plan.codes)
    undrawn = same.index.difference(counts["trust_code"])
    if kind == "both":
        undrawn = undrawn[same[undrawn]]
    return tuple(ranked.index[ranked.index.isin(undrawn)])


def factors(phi: float | Mapping[str, float], counts: pd.DataFrame) -> dict[str, float]:
    """The variance factor of each metric with ``counts`` (of `nofcore.activity.read`), 1 where ``phi`` names none.

    Raises InputError for a factor below 1, one not below a denominator, and a metric without counts.
    """
    metrics = sorted(counts["metric_id"].unique())
    named = dict(phi) if isinstance(phi, Mapping) else dict.fromkeys(metrics, phi)
    if strangers := sorted(set(named) - set(metrics)):
        raise InputError(f"phi names {', '.join(strangers)}, but there are counts only for {', '.join(metrics)}")
    for name, factor in named.items():
        if not (np.isfinite(factor) and factor >= 1):
            raise InputError(f"phi must be a number from 1, not {factor!r} ({name})")
        mine = counts[counts["metric_id"] == name]
        n = activity.trials(mine["denominator"])
        if factor > 1 and (n <= factor).any():
            least = n.argmin()
            about = f"{name} of {mine['trust_code'].iat[least]}"
            raise InputError(f"phi {factor:g} is not below the denominator of {about}, {n[least]}; make it smaller")
    return {name: float(named.get(name, 1)) for name in metrics}


def _source(rescorer: Rescorer, counts: pd.DataFrame, phi: float) -> Source:
    mine = counts[counts["metric_id"] == rescorer.metric.value]
    n = activity.trials(mine["denominator"])
    share = (mine["numerator"] / mine["denominator"]).to_numpy(dtype=float)
    return Source(rescorer.values, rescorer.codes.get_indexer(mine["trust_code"]), n, share, phi, rescorer.judged)


def _count_block(block: Block, plan: Rescoring, sources, at, published, rules: Rules, resample, pairs) -> Counts:
    random = block.generator()
    drawn = {name: source.draw(block.size, random) for name, source in sources.items()}
    averages = plan.averages(drawn, random if resample else None)
    return bootstrap.count(np.where(at < 0, published, averages[:, at]), rules, pairs)


def compare(
    rebuilt: LeagueTable, figures: Release, framework: Framework, draws: int = DRAWS, seed: int = SEED,
    phi: float | Mapping[str, float] = 1, counts: pd.DataFrame | None = None, level: float = LEVEL,
    executor: Executor | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Ranges of every trust under each of `KINDS`, side by side. See `measurement_noise` and `side_by_side`."""
    counts = activity.read(figures, framework) if counts is None else counts
    results = [
        measurement_noise(rebuilt, figures, framework, kind, draws, seed, phi, counts, executor=executor)
        for kind in KINDS
    ]
    drawn = counts["trust_code"].value_counts()
    table = side_by_side(results, level)
    table.insert(4, "n_drawn", drawn.reindex(table.index, fill_value=0))
    return table


def side_by_side(results: Iterable[MeasurementNoise], level: float = LEVEL) -> pd.DataFrame:
    """A row per trust: the ranges of several results for the same trusts, by kind.

    Columns ``{kind}_score_low``, ``_high``, ``_width`` (points) and ``{kind}_rank_...`` (places
    within type; a width of 0 is a single place), each with its Monte Carlo error (``_error``); that
    of a width is the sum of those of its ends, on the safe side.
    """
    results = list(results)
    table = results[0].trusts[["trust_type", "trust_name", "average_score", "rank"]].copy()
    for result in results:
        ranges = result.table(level)
        for name in ("score", "rank"):
            low, high = f"{name}_low", f"{name}_high"
            for column in (low, f"{low}_error", high, f"{high}_error"):
                table[f"{result.kind}_{column}"] = ranges[column]
            # Ends of a score are hundredths: a difference of floats would show digits it does not have.
            table[f"{result.kind}_{name}_width"] = (ranges[high] - ranges[low]).round(6)
            table[f"{result.kind}_{name}_width_error"] = ranges[f"{low}_error"] + ranges[f"{high}_error"]
    return table
