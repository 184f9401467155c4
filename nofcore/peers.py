"""Like with like: ranks among trusts of the same kind, and what goes with the averages.

**Share of variance between groups**: eta squared, the sum of squares of the group means around the mean of all
trusts, each counted as often as the group has trusts, divided by the sum of squares of the averages. Averages are the
2-decimal ones, without the override. Groups of trusts always differ a little, so eta squared is never below 0 and on
average (groups - 1) / (trusts - 1) when groups are made by lot: that share stands beside it, with the p-value of
permuted labels (one-sided) and omega squared, (between - (groups - 1) mean square within) / (total + mean square
within), which is about 0 for groups made by lot and may be negative.

**Residual**: a trust's average less the mean of its subtype. The trusts of one subtype are not alike
either, but more alike than a specialist hospital and a large teaching trust.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nofcore import league
from nofcore.characteristics import Characteristics
from nofcore.correlation import adjusted, check_method, correlate, p_values
from nofcore.defaults import CORRELATION_DRAWS, SEED
from nofcore.league import LeagueTable
from nofcore.randomness import Block, tally
from nofcore.strata import correlate_within
from nofcore.wording import plural

KINDS = {"trust_subtype": "subtypes", "region": "regions", "trust_type": "types of trust"}


# --- arrays ---------------------------------------------------------------------------------------


def eta_squared(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(draws,) share of the variance of ``values`` (draws, trusts) that lies between ``groups``, (trusts,) codes from
    0.

    NaN where the values do not vary.
    """
    member = np.equal.outer(groups, np.arange(groups.max() + 1)).astype(float)
    centred = values - values.mean(axis=1, keepdims=True)
    total = (centred**2).sum(axis=1)
    between = ((centred @ member) ** 2 / np.maximum(member.sum(axis=0), 1)).sum(axis=1)
    return between / np.where(total > 1e-12 * values.shape[1], total, np.nan)


def omega_squared(eta: float, trusts: int, groups: int) -> float:
    """Eta squared less what groups made by lot would have; NaN where every trust is a group of its own."""
    if trusts <= groups:
        return np.nan
    within = (1 - eta) / (trusts - groups)
    return (eta - (groups - 1) * within) / (1 + within)


def eta_p(values: np.ndarray, groups: np.ndarray, draws: int, seed: int) -> tuple[float, float]:
    """(p, its Monte Carlo error) of groups made by lot having at least the same share; one-sided."""
    observed = eta_squared(values[None], groups)[0]

    def count(block: Block) -> int:
        shuffled = block.generator().permuted(np.tile(values, (block.size, 1)), axis=1)
        return int((eta_squared(shuffled, groups) >= observed - 1e-9).sum())

    p, error = p_values(np.array([tally(count, int.__add__, draws, seed, None)]), draws)
    return float(p[0]), float(error[0])


# --- on a league table ----------------------------------------------------------------------------


def shares_between(
    rebuilt: LeagueTable, trust_type: str, draws: int = CORRELATION_DRAWS, seed: int = SEED
) -> pd.DataFrame:
    """How much of the variance of averages lies between groups, of all trusts and of the trusts of a type.

    A row a comparison: among ("all trusts", or the type), by (trust_subtype, region, trust_type), groups, n, eta,
    omega, by_lot (mean of groups made by lot), p, p_error, p_adjusted (Benjamini and Hochberg over the rows), reason
    ("" or why there is none)."""
    ranked = rebuilt.trusts.dropna(subset="average_score")
    rows = [_between(ranked, "all trusts", by, draws, seed) for by in KINDS]
    mine = ranked[ranked["trust_type"] == trust_type]
    rows += [_between(mine, plural(trust_type), by, draws, seed) for by in ("trust_subtype", "region")]
    table = pd.DataFrame(rows)
    return table.assign(p_adjusted=adjusted(table["p"]))


def _between(rows: pd.DataFrame, among: str, by: str, draws: int, seed: int) -> dict:
    groups, names = pd.factorize(rows[by])
    values = rows["average_score"].to_numpy()
    found = {"among": among, "by": by, "groups": len(names), "n": len(rows)}
    blank = dict.fromkeys(["eta", "omega", "by_lot", "p", "p_error"], np.nan)
    if len(names) < 2:
        return found | blank | {"reason": f"not available, because all are of one {by.replace('trust_', '')}"}
    if len(names) == len(rows):
        return found | blank | {"reason": f"not available, because no two are of one {by.replace('trust_', '')}"}
    if (values == values[0]).all():
        return found | blank | {"reason": "not available, because all averages are the same"}
    eta = float(eta_squared(values[None], groups)[0])
    p, p_error = eta_p(values, groups, draws, seed)
    return found | {
        "eta": eta, "omega": omega_squared(eta, len(rows), len(names)), "by_lot": (len(names) - 1) / (len(rows) - 1),
        "p": p, "p_error": p_error, "reason": "",
    }  # fmt: skip


def within_subtype(rebuilt: LeagueTable, trust_type: str) -> pd.DataFrame:
    """The trusts of a type in league order: trust_name, trust_subtype, average_score, rank, rank_on_average,
    rank_in_subtype (on the average alone, equal averages sharing the best rank), of (trusts in it), residual (average
    less the mean of the subtype, points; NaN for the only trust of a subtype)."""
    rows = rebuilt.of(trust_type).dropna(subset="rank")
    subtypes = pd.factorize(rows["trust_subtype"])[0]
    size = rows["trust_subtype"].map(rows["trust_subtype"].value_counts())
    mean = rows.groupby("trust_subtype")["average_score"].transform("mean")
    return rows[["trust_name", "trust_subtype", "average_score", "rank"]].assign(
        rank_on_average=rows["score_rank"],
        rank_in_subtype=league.ranks_within(rows["hundredths"].to_numpy(dtype=np.int64), subtypes),
        of=size,
        residual=(rows["average_score"] - mean).where(size > 1),
    )


@dataclass(frozen=True)
class Correlates:
    """Correlations of an analyst's own figures with the averages, good being high.

    ``rows``: column, outcome (of `OUTCOMES` or a domain key), and the columns of `nofcore.correlation.FIGURES`, p
    adjusted over all rows; ``values``: own figures beside the outcomes, by trust; ``without``: trusts of the type
    that are not in the table; ``unmatched``: codes in it that are no trust of the quarter; ``notes``: what was not
    read."""

    quarter: str
    trust_type: str
    name: str
    method: str
    rows: pd.DataFrame
    values: pd.DataFrame
    without: tuple[str, ...]
    unmatched: tuple[str, ...]
    notes: tuple[str, ...]

    def table(self) -> pd.DataFrame:
        return self.rows.copy()


AVERAGE, RESIDUAL = "average", "residual"


def correlates(
    own: Characteristics,
    rebuilt: LeagueTable,
    trust_type: str,
    method: str = "spearman",
    draws: int = CORRELATION_DRAWS,
    seed: int = SEED,
) -> Correlates:
    """Set each column of an analyst's table against the average, the domain scores and the residual of the average from
    the mean of its subtype, all turned so that high is good: a positive coefficient means that trusts with more of
    the column do better. Beside the residual the column too is taken less the means of subtypes (`nofcore.strata`)."""
    check_method(method)
    mine = within_subtype(rebuilt, trust_type)
    outcomes = pd.DataFrame({AVERAGE: -mine["average_score"], RESIDUAL: -mine["residual"]})
    outcomes = outcomes.join(-rebuilt.domain_scores.reindex(mine.index).dropna(axis="columns", how="all"))
    table = pd.concat({"outcome": outcomes, "own": own.values.reindex(mine.index)}, axis=1)
    table.columns = pd.Index(list(table.columns), tupleize_cols=False)
    pairs = [(("own", column), ("outcome", outcome)) for column in own.values for outcome in outcomes]
    names = {("outcome", key): outcome_name(key, rebuilt) for key in outcomes} | {("own", c): c for c in own.values}
    found = correlate(table, pairs, method, draws, seed, names, plural(trust_type)).reset_index(drop=True)
    for place, (own_column, outcome) in enumerate(pairs):
        if outcome == ("outcome", RESIDUAL) and not np.isnan(found.at[place, "coefficient"]):
            both = pd.DataFrame({"own": table[own_column], "average": outcomes[AVERAGE]}).dropna()
            both = both if method == "pearson" else both.rank()
            inside = correlate_within(
                both["own"], both["average"], mine["trust_subtype"].reindex(both.index), draws, seed
            )
            found.loc[place, list(inside.index)] = inside
    found["p_adjusted"] = adjusted(found["p"].to_numpy(dtype=float))
    found.insert(0, "column", [column for (_, column), _ in pairs])
    found.insert(1, "outcome", [outcome for _, (_, outcome) in pairs])
    without = tuple(mine.index.difference(own.values.index))
    return Correlates(
        rebuilt.quarter, trust_type, own.name, method, found, table, without, own.unmatched, own.notes
    )  # fmt: skip


def outcome_name(key: str, rebuilt: LeagueTable) -> str:
    """What an outcome of `correlates` is called."""
    if key == AVERAGE:
        return "average score"
    if key == RESIDUAL:
        return "average less the mean of its subtype"
    return next(domain.name for domain in rebuilt.framework.domain if domain.key == key)
