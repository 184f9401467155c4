"""Published metric scores that keep those of their pool from lying on one grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from nofcore import reproduce, scoring
from nofcore.checks import scores
from nofcore.checks.case import ALIKE, Case
from nofcore.checks.doubts import Doubts
from nofcore.reproduce import FROM_SCORES


def no_grid(case: Case):
    """A published score that keeps those of its pool from lying on one grid, where one alone does."""
    published = scoring.published_scores(case.release, case.framework)
    lost = published[~published["recovered"]]
    for score in lost["metric_id"].unique():
        if any(metric_id == score for _, metric_id in case.bad_scores):
            continue
        for code in _misfits(case, score):
            case.bad_scores.add((code, score))
            case.of_ranks.pop((code, score), None)
            _no_such_score(case, code, score)
    case.unrecovered = set(lost["trust_code"])


def _misfits(case: Case, score: str) -> list[str]:
    """The trust without whose score all the others lie on one grid; none if that holds of none or of several."""
    codes = [code for code, made in _left_out(case, score) if len(made) and made["recovered"].all()]
    return codes if len(codes) == 1 else []


def _left_out(case: Case, score: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """For each trust whose score of a metric no other has: the trust, and the scores recovered without it."""
    rows = case.release.observations
    rows = rows[(rows["metric_id"] == score) & rows["value"].notna()]
    for _, group in rows.groupby("value"):
        if len(group) == 1:
            rest = pd.concat([rows.drop(group.index), _in_other_units(case, score)])
            made = scoring.published_scores(replace(case.release, observations=rest), case.framework)
            yield group["trust_code"].iat[0], made


def another_grid(
    case: Case, doubts: Doubts, found: reproduce.Reproduction, wrong: pd.DataFrame
) -> reproduce.Reproduction:
    """One wrong score may still fit a grid, of more places than the true one, which puts the averages of many
    trusts out by the last digit. Where leaving out one score sets the others right, it is named."""
    rows = found.comparisons
    off = rows[(rows["start"] == FROM_SCORES) & (rows["quantity"] == "domain score")]
    off = doubts.beyond(off)
    for item, group in off.groupby("item"):
        if len(group) <= ALIKE:
            continue
        domain = next(domain.key for domain in case.framework.domain if domain.score == item)
        for metric in case.framework.metric:
            if metric.domain != domain or scoring.spread_of(metric, case.framework) is None:
                continue
            better = _set_right(case, doubts, metric.score, item, len(group), wrong)
            if better is not None:
                return better
    return found


def _set_right(
    case: Case, doubts: Doubts, score: str, item: str, off: int, wrong: pd.DataFrame
) -> reproduce.Reproduction | None:
    now = scoring.published_scores(case.release, case.framework)
    now = now[now["metric_id"] == score].set_index("trust_code")["score"]
    for code, made in _left_out(case, score):
        made = made.set_index("trust_code")["score"]
        if np.allclose(made, now.loc[made.index], atol=scoring.EXACT):
            continue
        case.bad_scores.add((code, score))
        found = reproduce.reproduce(scores.mended(case, wrong), case.framework, ["scores"])
        rows = found.comparisons
        left = doubts.beyond(rows[(rows["start"] == FROM_SCORES) & (rows["item"] == item)])
        if len(left) < off / ALIKE:
            case.of_ranks.pop((code, score), None)
            _no_such_score(case, code, score)
            return found
        case.bad_scores.discard((code, score))
    return None


def _no_such_score(case: Case, code: str, score: str):
    file, line = case.places.of_metric(code, score)
    case.add(
        (file, line, "Value"),
        f"{score} of {case.who(code)}: no trust can have this score, as the others are spread over a number of places in "
        "which it has none; correct it",
    )


def _in_other_units(case: Case, score: str) -> pd.DataFrame:
    """Rows that tell which trusts stand outside the pool."""
    metric = case.framework.by_score[score]
    rows = case.release.observations
    return rows[rows["metric_id"] == metric.value] if getattr(metric, "unit", None) else rows.iloc[:0]
