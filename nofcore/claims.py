"""A published claim about metrics put to the test: correlations, and who is where in both rankings.

Ranks are within trust type among the trusts that have both metrics, 1 best, equal trusts sharing the best rank (values
that are equal at 2 decimals are ordered by the published Rank, see `nofcore.correlation.aligned`). Quartiles of a
ranking: quartile = 1 + 4 (rank - 1) // n, so tied trusts are in the same quartile, the better one.

**If there were no relation** a trust's quartile on one metric would say nothing of its quartile on the other: the
expected counts are row total times column total over all. Two tests: of the whole table, by permutations of one
ranking (Pearson's sum of squared differences over the expected counts; (1 + as far) / (1 + draws)); and of the trusts
in the best quartile of both, exact (hypergeometric, as many or more)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from nofcore import correlation
from nofcore.correlation import Aligned, Correlations, p_values
from nofcore.defaults import CORRELATION_DRAWS, SEED
from nofcore.framework import Claim, Framework
from nofcore.randomness import Block, tally
from nofcore.ranking import minimum_ranks
from nofcore.release import Release
from nofcore.strata import correlate_within
from nofcore.wording import plural

QUARTILES = ("best", "second", "third", "worst")
PARTS = len(QUARTILES)


# --- arrays ---------------------------------------------------------------------------------------


def quartiles(ranks: np.ndarray) -> np.ndarray:
    """Quartile 1 (best) to 4 of each rank of one ranking, ranks from 1 and shared by equal trusts."""
    return 1 + PARTS * (np.asarray(ranks, dtype=np.int64) - 1) // len(ranks)


def cross_counts(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(draws, 4, 4) trusts by their quartiles in two rankings: (trusts,) and (draws, trusts)."""
    cells = (one - 1) * PARTS + other - 1 + np.arange(len(other))[:, None] * PARTS**2
    return np.bincount(cells.ravel(), minlength=len(other) * PARTS**2).reshape(-1, PARTS, PARTS)


def expected_counts(counts: np.ndarray) -> np.ndarray:
    """(4, 4) counts if the two had nothing to do with each other."""
    return np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()


def chi_squared(counts: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """(draws,) Pearson's statistic; cells that nothing is expected in hold nothing and count for nothing."""
    return ((counts - expected) ** 2 / np.where(expected > 0, expected, 1)).sum(axis=(-2, -1))


def unrelated_p(one: np.ndarray, other: np.ndarray, draws: int, seed: int) -> tuple[float, float]:
    """(p, its Monte Carlo error) of two sets of quartiles being at least as far from unrelated by chance."""
    counts = cross_counts(one, other[None])
    expected = expected_counts(counts[0])
    observed = chi_squared(counts, expected)[0]

    def count(block: Block) -> int:
        shuffled = block.generator().permuted(np.tile(other, (block.size, 1)), axis=1)
        return int((chi_squared(cross_counts(one, shuffled), expected) >= observed - 1e-9).sum())

    p, error = p_values(np.array([tally(count, int.__add__, draws, seed, None)]), draws)
    return float(p[0]), float(error[0])


# --- on figures -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class CrossTable:
    """Trusts by their quartiles of two rankings.

    ``ranks``: by trust code, rank_a, rank_b and difference (rank_b - rank_a; below 0: better on b), quartile_a,
    quartile_b; ``counts`` and ``expected``: quartiles of a by quartiles of b, 4 by 4; p of the whole table with its
    Monte Carlo error; p_best: of as many or more in the best quartile of both, exact.
    """

    metric_a: str
    metric_b: str
    name_a: str
    name_b: str
    ranks: pd.DataFrame
    counts: np.ndarray
    expected: np.ndarray
    p: float
    p_error: float
    p_best: float

    @property
    def n(self) -> int:
        return len(self.ranks)

    def table(self) -> pd.DataFrame:
        """A row a quartile of a: quartile, trusts, and for each quartile of b the count and the expected count."""
        rows = []
        for quartile, counts, expected in zip(QUARTILES, self.counts, self.expected, strict=True):
            row = {"quartile": quartile, "trusts": int(counts.sum())}
            for name, count, share in zip(QUARTILES, counts, expected, strict=True):
                row |= {name: int(count), f"{name}_expected": share}
            rows.append(row)
        return pd.DataFrame(rows)

    def apart(self, most: int = 6) -> pd.DataFrame:
        """The trusts whose two ranks differ most, by size of the difference: at most so many, at least a quarter of
        the ranking apart."""
        far = self.ranks[self.ranks["difference"].abs() * PARTS >= self.n]
        order = far["difference"].abs().sort_values(ascending=False, kind="stable").index
        return far.loc[order[:most]]


def cross_table(
    made: Aligned, metric_a: str, metric_b: str, draws: int = CORRELATION_DRAWS, seed: int = SEED
) -> CrossTable:
    """Set two metrics of ``made`` against each other. ValueError if no trust has both."""
    both = made.values[[metric_a, metric_b]].dropna()
    if both.empty:
        raise ValueError(f"no trust has both {metric_a} and {metric_b}")
    ranks = pd.DataFrame(
        {
            f"rank_{side}": minimum_ranks(np.unique(-both[metric].to_numpy(), return_inverse=True)[1])
            for side, metric in (("a", metric_a), ("b", metric_b))
        },
        index=both.index,
    )
    ranks = ranks.astype(int)
    ranks["difference"] = ranks["rank_b"] - ranks["rank_a"]
    for side in ("a", "b"):
        ranks[f"quartile_{side}"] = quartiles(ranks[f"rank_{side}"].to_numpy())
    one, other = ranks["quartile_a"].to_numpy(), ranks["quartile_b"].to_numpy()
    counts = cross_counts(one, other[None])[0]
    p, p_error = unrelated_p(one, other, draws, seed)
    best = stats.hypergeom.sf(counts[0, 0] - 1, len(ranks), counts[0].sum(), counts[:, 0].sum())
    short = made.metrics["short"]
    expected = expected_counts(counts)
    return CrossTable(
        metric_a, metric_b, short[metric_a], short[metric_b], ranks, counts, expected, p, p_error, float(best)
    )  # fmt: skip


@dataclass(frozen=True)
class Tested:
    """A claim beside the figures: its correlations, p adjusted over its own pairs; cross-tables of the pairs that
    have a coefficient; ``left_out``: metrics of the claim that the rules in use do not know."""

    claim: Claim
    correlations: Correlations
    tables: tuple[CrossTable, ...]
    left_out: tuple[str, ...]


def put_to_the_test(
    figures: Release, framework: Framework, trust_type: str, method: str = "spearman", on: str = "values",
    draws: int = CORRELATION_DRAWS, seed: int = SEED,
) -> tuple[Tested, ...]:  # fmt: skip
    """Every claim of the framework, tested on the trusts of a type. The first metric of a claim stands first in its
    pairs."""
    return tuple(_tested(claim, figures, framework, trust_type, method, on, draws, seed) for claim in framework.claim)


def _tested(claim: Claim, figures, framework, trust_type, method, on, draws, seed) -> Tested:
    known = [score for score in claim.metrics if score in framework.by_score]
    found = correlation.correlations(figures, framework, trust_type, method, on, draws, seed, known)
    tables = cross_tables(found.aligned, list(combinations(found.aligned.metrics.index, 2)), draws, seed)
    return Tested(claim, found, tables, tuple(score for score in claim.metrics if score not in known))


LIKE_WITH_LIKE = "all, means of subtypes taken out"


def by_subtype(tested: Tested, figures: Release) -> pd.DataFrame:
    """The pairs of a claim within each subtype that has trusts with both, the largest first.

    A row a pair and subtype: metric_a, metric_b, subtype, and the columns of `nofcore.correlation.FIGURES`, p
    adjusted over all rows. A last row a pair, `LIKE_WITH_LIKE`: Pearson's correlation of the ranks (of the figures
    themselves where the method is Pearson's) less the means of their subtypes, over all trusts with both, permuted
    within subtypes (`nofcore.strata`); trusts alone in their subtype left out. The p-values of these last rows are
    adjusted among themselves."""
    made, rows = tested.correlations.aligned, []
    names, whose = made.metrics["short"].to_dict(), plural(made.trust_type)
    subtypes = figures.trusts["trust_subtype"].reindex(made.values.index)
    draws, seed = tested.correlations.draws, tested.correlations.seed
    for table in tested.tables:
        pair = (table.metric_a, table.metric_b)
        both = made.values[list(pair)].dropna()
        kinds = subtypes[both.index]
        for subtype in kinds.value_counts().index:
            found = correlation.correlate(both[kinds == subtype], [pair], made.method, draws, seed, names, whose)
            rows.append(found.reset_index().assign(subtype=subtype))
        figures_of = both if made.method == "pearson" else both.rank()
        found = correlate_within(figures_of[pair[0]], figures_of[pair[1]], kinds, draws, seed)
        labels = {"metric_a": pair[0], "metric_b": pair[1], "subtype": LIKE_WITH_LIKE}
        rows.append(pd.DataFrame([found.to_dict() | labels]))
    if not rows:
        return pd.DataFrame(columns=["metric_a", "metric_b", "subtype", *correlation.FIGURES])
    found = pd.concat(rows, ignore_index=True)
    together = found["subtype"] == LIKE_WITH_LIKE
    for rows_of in (together, ~together):
        found.loc[rows_of, "p_adjusted"] = correlation.adjusted(found.loc[rows_of, "p"].to_numpy(dtype=float))
    return found[["metric_a", "metric_b", "subtype", *correlation.FIGURES]]


def cross_tables(made: Aligned, pairs: Sequence[tuple[str, str]], draws: int, seed: int) -> tuple[CrossTable, ...]:
    """Cross-tables of the pairs that have a coefficient."""
    square = correlation.plain(made.values, made.method)
    return tuple(cross_table(made, a, b, draws, seed) for a, b in pairs if not np.isnan(square.at[a, b]))
