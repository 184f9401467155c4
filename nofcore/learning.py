"""Who to learn from: trusts much like one another, of which one does well where the other does badly.

**Distance** of two trusts: the mean absolute difference of their item scores (points, scale 1 to 4) over the items that both
have, without the item of the metric in question. A trust counts as comparable if it is of the same subtype and
the two share at least half of the trust's other items; as alike if it is no further away than the middle of these.
How much likeness says is measured by `foretold`.

**Does well**: its score on the metric is at least `GAP` points better and in the better half of the scale, and its published
value is better. Where counts of both are
at hand, the two percentages must also differ by more than chance in the counts (two-sided test of two proportions,
pooled, 5 %, each pair by itself; chance beyond the binomial is not known). Where they are not, how much is chance is not known,
and that is said. These thresholds are our choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nofcore.framework import Framework
from nofcore.scoring import EXACT

GAP = 1.0
"""Points by which a score must be better: a third of the scale, and what meeting a standard is worth."""
SHOWN = 3
"""Trusts to learn from that are named for a metric, the most alike first."""
LEAST_SHARED = 0.5
FEWEST = 5
"""Trusts of a subtype over which it is measured how much likeness says, at least."""
TOLD, NOT_KNOWN, BY_CHANCE = "more than chance in the counts", "not known", "cannot be told apart"
Z = 1.959963984540054


# --- on arrays ------------------------------------------------------------------------------------


def distances(items: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(distance, number of shared items) of each row of ``items``, (trusts, items), from ``own``, (items,); NaN where a
    trust has no item. The distance is NaN where none is shared."""
    apart = np.abs(items - own)
    shared = (~np.isnan(apart)).sum(axis=1)
    total = np.where(np.isnan(apart), 0, apart).sum(axis=1)
    return np.divide(total, shared, out=np.full(len(items), np.nan), where=shared > 0), shared


def foretold(items: np.ndarray) -> float:
    """How much the likeness of two trusts on the other items says of their difference on one: the mean over items of the
    correlation, over all pairs of trusts, of |difference| on the item with the distance on the others. ``items``:
    (trusts, items), NaN where there is none. NaN for fewer than `FEWEST` trusts or where nothing varies."""
    if len(items) < FEWEST:
        return np.nan
    one, other = np.triu_indices(len(items), 1)
    apart = np.abs(items[one] - items[other])
    known = ~np.isnan(apart)
    filled = np.where(known, apart, 0)
    total, shared = filled.sum(axis=1), known.sum(axis=1)
    found = []
    for column, here in zip(filled.T, known.T, strict=True):
        pairs = here & (shared > 1)
        if not pairs.any():
            continue
        both = np.vstack([(total - column)[pairs] / (shared - 1)[pairs], column[pairs]])
        if (np.ptp(both, axis=1) > EXACT).all():
            found.append(np.corrcoef(both)[0, 1])
    return float(np.mean(found)) if found else np.nan


def proportions_z(successes: np.ndarray, n: np.ndarray, own_successes: float, own_n: float) -> np.ndarray:
    """How many standard errors each proportion lies above ``own_successes`` / ``own_n``, with the pooled variance; 0 where both
    are 0 or both are 1."""
    pooled = (successes + own_successes) / (n + own_n)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / own_n))
    difference = successes / n - own_successes / own_n
    return np.divide(difference, error, out=np.zeros(len(error)), where=error > 0)


# --- on a quarter ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Lesson:
    """Who to learn from on one metric.

    ``metric``: the trust's row of `nofcore.metric_standing`; ``teachers``: a row per trust that does well, the most alike
    first: trust_code, trust_name, value, score, distance, shared (items), likeness (its place by distance among
    the comparable trusts, 1 = most alike), evidence (`TOLD` or `NOT_KNOWN`); ``comparable``: trusts of the subtype with
    the metric and enough shared items; ``typical``: median of their distances; ``alike``: how many teachers are no
    further away than that, the first of them; ``by_chance``: how many have a score
    better by `GAP` that the counts cannot tell apart; ``does_well``: the trust itself is in the better half of the scale, and
    no teachers are looked for.
    """

    metric: pd.Series
    teachers: pd.DataFrame
    comparable: int
    typical: float
    by_chance: int
    does_well: bool

    @property
    def alike(self) -> int:
        return int((self.teachers["distance"] <= self.typical + EXACT).sum())

    @property
    def shown(self) -> pd.DataFrame:
        """The teachers to name: the most alike, at most `SHOWN`; where none is alike, the nearest alone."""
        return self.teachers.iloc[: min(max(self.alike, 1), SHOWN)]


def lesson(
    metric: pd.Series, metrics: pd.DataFrame, items: pd.DataFrame, trusts: pd.DataFrame, counts: pd.DataFrame, framework: Framework
) -> Lesson:  # fmt: skip
    """Who does well on a metric of a trust. ``metrics``: of `nofcore.metric_standing`; ``items``: trusts by item; ``trusts``: of the
    quarter (trust_name, trust_type, trust_subtype); ``counts``: of `nofcore.activity.read`."""
    code = metric["trust_code"]
    others = trusts.index[
        (trusts["trust_type"] == trusts.at[code, "trust_type"])
        & (trusts["trust_subtype"] == trusts.at[code, "trust_subtype"])
    ]
    rows = metrics[(metrics["metric_id"] == metric["metric_id"]) & metrics["trust_code"].isin(others.drop(code))]
    rows = rows[rows["score"].notna() & rows["trust_code"].isin(items.index)].set_index("trust_code")
    rest = items.drop(columns=_item_of(metric["metric_id"], framework), errors="ignore")
    own = rest.loc[code].to_numpy(float)
    distance, shared = distances(rest.reindex(rows.index).to_numpy(float), own)
    rows = rows.assign(distance=distance, shared=shared, trust_name=trusts["trust_name"].reindex(rows.index))
    rows = rows[(rows["shared"] >= max(LEAST_SHARED * (~np.isnan(own)).sum(), 1))]
    rows["likeness"] = rows["distance"].rank(method="min").astype(int)
    half = (framework.scale.best + framework.scale.worst) / 2
    does_well = bool(metric["score"] <= half + EXACT)
    ahead = (metric["score"] - rows["score"] >= GAP - EXACT) & (rows["score"] <= half + EXACT) & (not does_well)
    well = rows[ahead & _better_value(rows, metric)]
    well = well.assign(evidence=_evidence(well.index, metric, counts)).sort_values(["distance", "score"], kind="stable")
    columns = ["trust_code", "trust_name", "value", "score", "distance", "shared", "likeness", "evidence"]
    return Lesson(
        metric, well[well["evidence"] != BY_CHANCE].reset_index()[columns], len(rows), float(rows["distance"].median()),
        int((well["evidence"] == BY_CHANCE).sum()), does_well,
    )  # fmt: skip


def _item_of(metric_id: str, framework: Framework) -> list[str]:
    """The items that a metric enters: its own, its group's or that of a combined score."""
    entry = framework.by_score[metric_id]
    group = getattr(entry, "group", None)
    combined = [one.score for one in framework.combined if metric_id in (one.rows, one.columns)]
    return [metric_id, *combined, *([group] if group else [])]


def _better_value(rows: pd.DataFrame, metric: pd.Series) -> np.ndarray:
    """Whether a published value is better than the trust's; true where only scores are published, or units differ."""
    if not metric["better"] or np.isnan(metric["value"]):
        return np.ones(len(rows), dtype=bool)
    ahead = rows["value"] - metric["value"] if metric["better"] == "high" else metric["value"] - rows["value"]
    return ((ahead > 0) & (rows["unit"] == metric["unit"])).to_numpy()


def _evidence(codes: pd.Index, metric: pd.Series, counts: pd.DataFrame) -> list[str]:
    mine = counts[counts["metric_id"] == metric["value_id"]].set_index("trust_code")[["numerator", "denominator"]]
    if metric["trust_code"] not in mine.index or not len(codes):
        return [NOT_KNOWN] * len(codes)
    theirs = mine.astype(float).reindex(codes)
    z = proportions_z(
        theirs["numerator"].to_numpy(), theirs["denominator"].to_numpy(), *mine.loc[metric["trust_code"]].astype(float)
    )
    told = np.where(np.abs(z) > Z, TOLD, BY_CHANCE).tolist()
    return [NOT_KNOWN if missing else text for missing, text in zip(theirs["numerator"].isna(), told, strict=True)]
