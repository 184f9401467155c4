"""Do the correlations hold from quarter to quarter, and from one kind of trust to another?

Two sets of coefficients between the same metrics are set against each other: their correlation (Pearson, over
pairs of metrics) and mean difference. Pairs that share a metric are not independent, so the p-value is that of
Mantel (1967): the metrics of one of the two are put into other orders, one-sided. Only metrics with a coefficient for
every pair in both are taken.

The same trusts report each quarter, and some metrics, such as yearly surveys, repeat the same figures; a
coefficient then stays because nothing was measured anew, not because it is reliable. So the metrics of which most
trusts have a new figure are also compared by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from nofcore import correlation, release
from nofcore.correlation import Aligned, adjusted, p_values, plain
from nofcore.defaults import CORRELATION_DRAWS, SEED
from nofcore.framework import Framework
from nofcore.randomness import Block, tally
from nofcore.release import Archive, Release
from nofcore.wording import counted, plural

LEAST_METRICS = 4
"""With fewer metrics there are too few orders of them for a p-value."""
RENEWED = 0.5
"""A metric counts as renewed if a larger share of the trusts has another published value."""


# --- arrays ---------------------------------------------------------------------------------------


def mantel(one: np.ndarray, other: np.ndarray, draws: int, seed: int) -> tuple[float, float, float]:
    """(correlation of the coefficients of two symmetric matrices, p, its Monte Carlo error).

    p: share of orders of the second's columns, (1 + as high) / (1 + draws), in which the correlation is at least as
    high. NaN where the coefficients of one do not vary.
    """
    upper = np.triu_indices(len(one), 1)
    first, second = one[upper] - one[upper].mean(), other - other[upper].mean()
    scale = np.sqrt((first**2).sum() * (second[upper] ** 2).sum())
    if not scale > 1e-12:
        return np.nan, np.nan, np.nan
    observed = float(first @ second[upper]) / scale

    def count(block: Block) -> int:
        orders = block.generator().permuted(np.tile(np.arange(len(one)), (block.size, 1)), axis=1)
        drawn = second[orders[:, upper[0]], orders[:, upper[1]]] @ first / scale
        return int((drawn >= observed - 1e-9).sum())

    p, error = p_values(np.array([tally(count, int.__add__, draws, seed, None)]), draws)
    return observed, float(p[0]), float(error[0])


# --- on figures -----------------------------------------------------------------------------------

AGREEMENT = ["metrics", "pairs", "correlation", "p", "p_error", "difference", "reason"]


def agreement(one: pd.DataFrame, other: pd.DataFrame, draws: int = CORRELATION_DRAWS, seed: int = SEED) -> dict:
    """How far two tables of coefficients agree, with the keys of `AGREEMENT`; ``difference``: mean absolute one.

    Metrics that one of them lacks, or that have a pair without a coefficient in one of them, are left out.
    """
    kept = _complete(one, other)
    pairs = len(kept) * (len(kept) - 1) // 2
    found = {"metrics": len(kept), "pairs": pairs}
    found |= dict.fromkeys(["correlation", "p", "p_error", "difference"], np.nan)
    if len(kept) < LEAST_METRICS:
        few = f"only {counted(len(kept), 'metric')}" if kept else "no metrics"
        return found | {"reason": f"not available, because {few} can be compared ({LEAST_METRICS} are needed)"}
    first, second = one.loc[kept, kept].to_numpy(), other.loc[kept, kept].to_numpy()
    upper = np.triu_indices(len(kept), 1)
    found["correlation"], found["p"], found["p_error"] = mantel(first, second, draws, seed)
    found["difference"] = float(np.abs(first[upper] - second[upper]).mean())
    flat = np.isnan(found["correlation"])
    return found | {"reason": "not available, because the coefficients of one are all the same" if flat else ""}


def _complete(one: pd.DataFrame, other: pd.DataFrame) -> list[str]:
    """Metrics with a coefficient for every pair in both; the one that lacks most goes first."""
    both = one.index.intersection(other.index)
    absent = one.loc[both, both].isna() | other.loc[both, both].isna()
    while absent.any(axis=None):
        worst = absent.sum().sort_values(kind="stable").index[-1]
        absent = absent.drop(index=worst, columns=worst)
    return list(absent.index)


@dataclass(frozen=True)
class History:
    """Coefficients of a trust type in several quarters.

    ``quarters``: those with metric rows, oldest first; ``trusts``: by quarter; ``coefficients``: metrics by metrics, by
    quarter; ``rows``: a row for two quarters: earlier, later, the keys of `AGREEMENT`, p_adjusted (Benjamini and
    Hochberg over the rows), renewed (metrics most of whose figures are new), and renewed_correlation, renewed_reason of
    those alone; ``without``: quarters held that have no metric rows of the type or no rules.
    """

    trust_type: str
    method: str
    on: str
    quarters: tuple[str, ...]
    trusts: dict[str, int]
    coefficients: dict[str, pd.DataFrame]
    rows: pd.DataFrame
    without: tuple[str, ...]

    def table(self) -> pd.DataFrame:
        """``rows``, to keep."""
        return self.rows.copy()

    def pairs(self) -> pd.DataFrame:
        """Every pair of metrics by quarter: its coefficients, NaN where there is none."""
        columns = {}
        for quarter, square in self.coefficients.items():
            names = list(square.index)
            index = pd.MultiIndex.from_tuples(combinations(names, 2), names=["metric_a", "metric_b"])
            columns[quarter] = pd.Series(square.to_numpy()[np.triu_indices(len(names), 1)], index)
        return pd.DataFrame(columns)

    def furthest(self) -> tuple[str, str] | None:
        """The first quarter and the last that shares a pair of metrics with it; None where none does."""
        pairs = self.pairs()
        for last in reversed(self.quarters[1:]):
            if pairs[[self.quarters[0], last]].notna().all(axis=1).any():
                return self.quarters[0], last
        return None


def history(
    archive: Archive, own: Framework | None, trust_type: str, method: str = "spearman", on: str = "values",
    draws: int = CORRELATION_DRAWS, seed: int = SEED,
) -> History:  # fmt: skip
    """The coefficients of a type in every quarter that has metric rows of it, and how far each two quarters agree."""
    found: dict[str, tuple[Aligned, Aligned]] = {}
    without = []
    for quarter in archive.quarters:
        figures, rules = archive.release(quarter), release.framework_for(quarter, own)
        if rules is None or trust_type not in figures.trust_types:
            without.append(quarter)
            continue
        made = correlation.aligned(figures, rules, trust_type, on, method)
        if made.values.notna().any(axis=None):
            found[quarter] = made, correlation.aligned(figures, rules, trust_type, on, "pearson")
        else:
            without.append(quarter)
    squares = {quarter: plain(made.values, method) for quarter, (made, _) in found.items()}
    rows = [
        {"earlier": one, "later": other} | _two_quarters(squares, found, one, other, draws, seed)
        for one, other in combinations(found, 2)
    ]
    columns = ["earlier", "later", *AGREEMENT, "renewed", "renewed_correlation", "renewed_reason"]
    table = pd.DataFrame(rows, columns=columns)
    table["p_adjusted"] = adjusted(table["p"].to_numpy(dtype=float))
    trusts = {quarter: int(made.values.notna().any(axis=1).sum()) for quarter, (made, _) in found.items()}
    return History(trust_type, method, on, tuple(found), trusts, squares, table, tuple(without))


def _two_quarters(squares, found, one: str, other: str, draws: int, seed: int) -> dict:
    renewed = _renewed(found[one][1].values, found[other][1].values)
    new_only = [square.reindex(index=renewed, columns=renewed) for square in (squares[one], squares[other])]
    again = agreement(*new_only, draws, seed)
    return agreement(squares[one], squares[other], draws, seed) | {
        "renewed": len(renewed), "renewed_correlation": again["correlation"], "renewed_reason": again["reason"],
    }  # fmt: skip


def _renewed(one: pd.DataFrame, other: pd.DataFrame) -> list[str]:
    """Metrics of which most trusts that have a figure in both quarters have another one."""
    metrics, trusts = one.columns.intersection(other.columns), one.index.intersection(other.index)
    first, second = one.loc[trusts, metrics], other.loc[trusts, metrics]
    both = first.notna() & second.notna()
    changed = ((first - second).abs() > 1e-9) & both
    return list(metrics[changed.sum() > RENEWED * both.sum()])


def by_subtype(figures: Release, made: Aligned, draws: int = CORRELATION_DRAWS, seed: int = SEED) -> pd.DataFrame:
    """The correlations within each subtype of a type, the largest first.

    A row a subtype: subtype, trusts, pairs with a coefficient, mean (of them), and under ``rest_`` how far they agree
    with those of the other subtypes together (`AGREEMENT`), with p_adjusted over the rows.
    """
    subtypes = figures.trusts["trust_subtype"].reindex(made.values.index)
    rows = []
    for subtype, count in subtypes.value_counts().items():
        mine = subtypes == subtype
        square = plain(made.values[mine], made.method)
        flat = square.to_numpy()[np.triu_indices(len(square), 1)]
        flat = flat[~np.isnan(flat)]
        rest = agreement(square, plain(made.values[~mine], made.method), draws, seed)
        if mine.all():
            rest["reason"] = f"not available, because all {plural(made.trust_type)} are of this subtype"
        rows.append(
            {"subtype": subtype, "trusts": int(count), "pairs": len(flat), "mean": flat.mean() if len(flat) else np.nan}
            | {f"rest_{key}": value for key, value in rest.items()}
        )
    table = pd.DataFrame(rows)
    return table.assign(rest_p_adjusted=adjusted(table["rest_p"].to_numpy(dtype=float)))


def by_type(parts: Sequence[Aligned]) -> pd.DataFrame:
    """Pairs of metrics that more than one trust type has: metric_a, metric_b, name_a, name_b, and for each type its
    coefficient and number of trusts ("<type>", "<type>, n"); NaN where a type has none."""
    names: dict[str, str] = {}
    columns = {}
    for made in parts:
        names |= made.metrics["short"].to_dict()
        square, present = plain(made.values, made.method), made.values.notna().astype(int)
        counts = present.T @ present
        pairs = list(combinations(square.index, 2))
        columns[made.trust_type] = {pair: square.at[pair] for pair in pairs}
        columns[f"{made.trust_type}, n"] = {pair: counts.at[pair] for pair in pairs}
    pairs = sorted({pair for coefficients in columns.values() for pair in coefficients})
    rows = [{"metric_a": a, "metric_b": b, "name_a": names[a], "name_b": names[b]} for a, b in pairs]
    table = pd.DataFrame(rows, columns=["metric_a", "metric_b", "name_a", "name_b"])
    for name, figures in columns.items():
        table[name] = [figures.get(pair, np.nan) for pair in pairs]
    shared = table[[made.trust_type for made in parts]].notna().sum(axis=1) > 1
    return table[shared].reset_index(drop=True)
