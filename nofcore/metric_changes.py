"""What became of each trust's metrics between two quarters: value, better or worse, and score.

Scores are places among trusts, so a score, an average or a rank can get worse while the value behind it gets
better, and the other way round. Values are as published; they are not adjusted for the season or for
who the patients are, and some cover a year or are cumulative, so that their periods overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nofcore import periods
from nofcore.framework import Framework
from nofcore.movement import Movement
from nofcore.release import Release

BETTER, WORSE, SAME = "better", "worse", "same"
ONE_QUARTER, OTHER_KIND, SCORE_ONLY = "in one quarter only", "of another kind", "score only"
COMPARED = (BETTER, WORSE, SAME)


@dataclass(frozen=True)
class MetricChanges:
    """A row for each trust and metric that has a figure in either quarter.

    ``rows``: trust_code, trust_name, metric_id (of the value; of the score where only that is published), metric
    (short name), better ("low" or "high"), unit, value, period and score with _before and _after, score_change, what
    (`COMPARED`, or why it is not compared), new_figure (compared, and the value or the end of its period changed; a
    metric whose values are the same for every trust has none, whatever its period is called).
    """

    rows: pd.DataFrame

    def by_metric(self) -> pd.DataFrame:
        """A row for each metric, with numbers of trusts: better, worse, same, compared (the three together),
        new_figures and not_compared."""
        table = self._counts(["metric_id", "metric"])
        order = list(dict.fromkeys(zip(self.rows["metric_id"], self.rows["metric"], strict=True)))
        return table.reindex(pd.MultiIndex.from_tuples(order, names=["metric_id", "metric"])).reset_index()

    def by_trust(self) -> pd.DataFrame:
        """A row for each trust, with the same numbers of metrics, and most_better: more than half of the metrics that
        have a new figure are better."""
        table = self._counts(["trust_code"])
        table["most_better"] = table[BETTER] * 2 > table["new_figures"]
        return table

    def _counts(self, by: list[str]) -> pd.DataFrame:
        rows = self.rows
        marks = {what: rows["what"] == what for what in COMPARED}
        compared = rows["what"].isin(COMPARED)
        marks |= {"compared": compared, "new_figures": rows["new_figure"], "not_compared": ~compared}
        return rows[by].assign(**marks).groupby(by, sort=False).sum()


def metric_changes(movement: Movement, before: Release, after: Release) -> MetricChanges:
    """Compare the metrics of the trusts of a movement. A metric is the same if its value has the same identifier.

    Which way is better comes from the framework of each quarter, or of the one that is known. Of another kind, and not
    compared: a metric that the two judge in opposite ways, and a value in a unit that the rules score apart in one
    quarter and not in the other.
    """
    frameworks = (movement.before.framework, movement.after.framework)
    codes = movement.trusts.index
    old = _figures(before, frameworks[0] or frameworks[1], codes)
    new = _figures(after, frameworks[1] or frameworks[0], codes)
    rows = old.merge(new, how="outer", left_index=True, right_index=True, suffixes=("_before", "_after"))
    for name in ("metric", "better"):
        rows[name] = rows[f"{name}_after"].fillna(rows[f"{name}_before"])
    rows["unit"] = rows["unit_before"].fillna(rows["unit_after"])
    rows["what"] = _what(rows)
    differs = rows["value_before"].ne(rows["value_after"])
    compared = rows["what"].isin(COMPARED)
    any_differs = (differs & compared).groupby(level="metric_id").transform("any")
    rows["new_figure"] = compared & any_differs & (differs | _other_period(rows, frameworks))
    rows["score_change"] = (rows["score_after"] - rows["score_before"]).round(2)
    rows = rows.reset_index()
    rows.insert(1, "trust_name", rows["trust_code"].map(movement.trusts["trust_name"]))
    listed = [
        "trust_code", "trust_name", "metric_id", "metric", "better", "unit", "value_before", "value_after",
        "period_before", "period_after", "score_before", "score_after", "score_change", "what", "new_figure",
    ]  # fmt: skip
    order = {metric_id: place for place, metric_id in enumerate(_order(frameworks))}
    rows["place"] = rows["metric_id"].map(order)
    return MetricChanges(rows.sort_values(["trust_name", "trust_code", "place"], ignore_index=True)[listed])


def _order(frameworks) -> list[str]:
    return [metric.value or metric.score for one in reversed(frameworks) if one for metric in one.metric]


def _other_period(rows: pd.DataFrame, frameworks) -> pd.Series:
    """Whether the periods of two figures end on different days; by their texts where one is not understood."""
    templates = [template for one in frameworks if one for template in one.periods]
    texts = pd.unique(pd.concat([rows["period_before"], rows["period_after"]]).dropna())
    ends = {text: periods.end(text, templates) or text for text in texts}
    return rows["period_before"].map(ends).astype(str).ne(rows["period_after"].map(ends).astype(str))


def _figures(release: Release, framework: Framework | None, codes: pd.Index) -> pd.DataFrame:
    """Values and scores of one quarter by (trust_code, metric_id)."""
    listed = framework.metric if framework else ()
    metrics = pd.DataFrame(
        [(m.value or m.score, m.value, m.score, m.short, m.better) for m in listed],
        columns=["metric_id", "value_id", "score_id", "metric", "better"],
    )
    apart = {(m.value, unit) for m in listed for unit in m.unit}
    rows = release.observations[release.observations["trust_code"].isin(codes) & release.observations["value"].notna()]
    rows = rows[["trust_code", "metric_id", "unit", "period", "value"]].rename(columns={"metric_id": "row_id"})
    values = metrics.merge(rows, left_on="value_id", right_on="row_id")
    keys = zip(values["row_id"], values["unit"], strict=True)
    values["kind"] = [unit if (metric, unit) in apart else "" for metric, unit in keys]
    values = values.set_index(["trust_code", "metric_id"])[["unit", "kind", "period", "value"]]
    scores = metrics.merge(rows, left_on="score_id", right_on="row_id").set_index(["trust_code", "metric_id"])["value"]
    found = values.join(scores.rename("score"), how="outer").reset_index()
    return found.merge(metrics[["metric_id", "metric", "better"]], on="metric_id").set_index(
        ["trust_code", "metric_id"]
    )


def _what(rows: pd.DataFrame) -> np.ndarray:
    old, new = rows["value_before"], rows["value_after"]
    gain = (new - old) * rows["better"].map({"low": -1.0, "high": 1.0})
    other = (rows["kind_before"] != rows["kind_after"]) | (rows["better_before"] != rows["better_after"])
    reasons = [
        (old.isna() & new.isna(), SCORE_ONLY),
        (old.isna() | new.isna(), ONE_QUARTER),
        (other | gain.isna(), OTHER_KIND),
        (gain > 0, BETTER),
        (gain < 0, WORSE),
    ]
    return np.select([which.to_numpy() for which, _ in reasons], [text for _, text in reasons], default=SAME)
