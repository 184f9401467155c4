"""Published metric scores that keep those of their pool from lying on one grid."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from nofcore import reproduce, scoring
from nofcore.checks import again, metric_ranks
from nofcore.checks.case import ALIKE, Case
from nofcore.checks.doubts import Doubts
from nofcore.framework import Metric
from nofcore.reproduce import FROM_SCORES
from nofcore.wording import counted

TRIES = 10
"""Scores that are left out in turn to see whether all averages come right: each takes as long as the averages."""


def no_grid(case: Case):
    """A published score that keeps those of its pool from lying on one grid, where one alone does."""
    published = scoring.published_scores(case.release, case.framework)
    lost = published[~published["recovered"]]
    for score in lost["metric_id"].unique():
        if any(metric_id == score for _, metric_id in case.bad_scores):
            continue
        codes = _misfits(case, case.framework.by_score[score])
        if len(codes) == 1:
            case.bad_scores.add((codes[0], score))
            _no_such_score(case, codes[0], score)
    case.unrecovered = set(lost["trust_code"])


def another_grid(case: Case, doubts: Doubts, found: reproduce.Reproduction) -> reproduce.Reproduction:
    """One wrong score may still fit a grid, of more places than the true one, which puts the averages of many
    trusts out by the last digit. Where leaving out one score sets the others right, it is named."""
    rows = found.comparisons
    off = doubts.beyond(rows[(rows["start"] == FROM_SCORES) & (rows["quantity"] == "domain score")])
    tries = 0
    for item, group in off.groupby("item"):
        if len(group) <= ALIKE:
            continue
        domain = next(domain.key for domain in case.framework.domain if domain.score == item)
        metrics = [metric for metric in case.framework.metric if metric.domain == domain]
        suspects = [(metric.score, _misfits(case, metric)) for metric in metrics]
        few = [(score, code) for score, codes in suspects if len(codes) <= ALIKE for code in codes]
        for score, code in few[: TRIES - tries]:
            tries += 1
            better = _set_right(case, doubts, score, code, item, len(group))
            if better is not None:
                return better
        if len(few) < sum(len(codes) for _, codes in suspects) or tries == TRIES:
            case.note(
                f"{counted(len(group), 'domain score')} {item} do not follow from the metric scores; whether one score is "
                "behind them was not sought further, as too many could be"
            )
    return found


def _misfits(case: Case, metric: Metric) -> list[str]:
    """Trusts without whose score the others of their pool lie on a grid of fewer places than with it."""
    part = scoring.spread_of(metric, case.framework)
    return [] if part is None else [code for pool in _pools(case, metric, part) for code in _of_pool(case, pool, part)]


def _pools(case: Case, metric: Metric, part: scoring.Spread) -> Iterator[pd.DataFrame]:
    """Published scores of the spread part of each pool of a metric."""
    rows = case.release.observations
    outside = rows.loc[(rows["metric_id"] == metric.value) & rows["unit"].isin(list(metric.unit)), "trust_code"]
    mine = scoring.observed(scoring.within(case.release, case.framework), [metric.score])
    mine = mine[~mine["trust_code"].isin(outside) & (mine["value"] != part.fixed)]
    yield from ([mine] if metric.pool == "all" else (group for _, group in mine.groupby("trust_type")))


def _of_pool(case: Case, pool: pd.DataFrame, part: scoring.Spread) -> list[str]:
    """Of one pool: a score that no other trust has, and that alone is not on some grid of fewer places.

    All grids are tried once, and not the whole pool again without each trust in turn.
    """
    decimals, codes = case.framework.scale.decimals, pool["trust_code"].to_numpy(dtype=object)
    wanted, first, counts = np.unique(
        scoring.to_hundredths(pool["value"], decimals), return_index=True, return_counts=True
    )
    found: set[int] = set()
    for places in range(max(len(pool) - 1, 1), scoring.LARGEST_POOL + 1):
        grid = scoring.spread(np.arange(1, places + 1), places, part.best, part.worst)
        off = np.flatnonzero(~np.isin(wanted, scoring.to_hundredths(grid, decimals)))
        if len(off) == 0:
            if places >= len(pool):
                break  # all lie on this one, so that it is the one they were put on
            off = np.arange(len(wanted))  # there are more trusts than places: any may be the one too many
        elif len(off) > 1:
            continue
        found.update(off[counts[off] == 1].tolist())
    return [codes[first[entry]] for entry in sorted(found)]


def _set_right(case: Case, doubts: Doubts, score: str, code: str, item: str, off: int) -> reproduce.Reproduction | None:
    """What comes of leaving out a score, if that sets nearly all domain scores right that are ``off``."""
    if (code, score) in case.bad_scores:
        return None
    case.bad_scores.add((code, score))
    found = again.from_scores(case)
    rows = found.comparisons
    left = doubts.beyond(rows[(rows["start"] == FROM_SCORES) & (rows["item"] == item)])
    if len(left) < off / ALIKE:
        _no_such_score(case, code, score)
        return found
    case.bad_scores.discard((code, score))
    return None


def _no_such_score(case: Case, code: str, score: str):
    metric_ranks.clear(case, code, score)
    file, line = case.places.of_metric(code, score)
    case.add(
        (file, line, "Value"),
        f"{score} of {case.who(code)}: no trust can have this score, as the others are spread over a number of places in "
        "which it has none; correct it",
    )
