"""Published figures that no average, segment or rank rests on, and flags without which no table can be made.

Final segments follow from the segment and a flag of their own; scores that are whole steps can be no others; the likely
ranges have no published method, so of them only what cannot be is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from nofcore import scoring
from nofcore.checks.case import ALIKE
from nofcore.checks.reading import Places
from nofcore.errors import Problem
from nofcore.framework import Framework
from nofcore.release import Release
from nofcore.wording import counted, plural

FINAL = "final segment"
FROM_FLAG = "published segment and recovery flag"


@dataclass(frozen=True)
class Judged:
    """``problems``: what cannot be; ``compared``, ``agree``: final segments made again; ``notes``: what is not
    judged."""

    problems: tuple[Problem, ...]
    compared: int
    agree: int
    notes: tuple[str, ...]


def judge(release: Release, framework: Framework, places: Places, told: Iterable[Problem] = ()) -> Judged:
    """Judge the figures of a quarter that `nofcore.checks.rederive` does not make again. ``told``: what that has found
    wrong; what follows from it is not told again."""
    compared, wrong = _final_segments(release, framework, places, {(one.file, one.row) for one in told})
    problems = [*wrong, *_between_steps(release, framework, places), *_no_flag(release, framework, places)]
    return Judged(
        (*problems, *_ranges_beyond(release, places)), compared, compared - len(wrong), tuple(_not_judged(release))
    )


def _named(release: Release, code: str) -> str:
    return f"{code} ({release.trusts['trust_name'].get(code, '')})"


def _problem(release: Release, place: tuple[str, int | None], column: str, message: str) -> Problem:
    return Problem(*place, column, f"{release.quarter}, {message}")


# --- final segments -----------------------------------------------------------------------------------------


def _final_segments(
    release: Release, framework: Framework, places: Places, told: set[tuple[str, int | None]]
) -> tuple[int, list[Problem]]:
    """How many can be made again, and those that are otherwise."""
    ids = framework.identifiers
    if ids.final_segment is None:
        return 0, []
    final, flag = (_values(release, name) for name in (ids.final_segment, ids.recovery_flag))
    segments = release.league["segment"]
    problems, compared = [], 0
    for code, published in final.dropna().items():
        known = pd.notna(flag.get(code)) and pd.notna(segments.get(code))
        if not known or places.of_result(code, "segment")[:2] in told:
            continue
        compared += 1
        flagged = flag[code]
        made = framework.segment_count + 1 if flagged == 1 else segments[code]
        if flagged in (0, 1) and published == made:
            continue
        _, row = places.of_metric(code, ids.recovery_flag)
        message = (
            f"{ids.final_segment} of {_named(release, code)}: the final segment {published:.15g} does not follow from the segment "
            f"{segments[code]:g} and {ids.recovery_flag} {flagged:.15g} (row {row}); correct the one that is wrong"
        )
        problems.append(_problem(release, places.of_metric(code, ids.final_segment), "Value", message))
    return compared, problems


def _values(release: Release, metric_id: str) -> pd.Series:
    rows = release.observations
    return rows[rows["metric_id"] == metric_id].set_index("trust_code")["value"]


# --- scores and flags ---------------------------------------------------------------------------------------


def _between_steps(release: Release, framework: Framework, places: Places) -> Iterator[Problem]:
    """Scores that the rules know as whole steps of the scale, and are none."""
    names = [metric.score for metric in framework.metric if metric.whole_steps]
    rows = scoring.observed(release, names)
    for row in rows[(rows["value"] - framework.scale.best) % 1 != 0].itertuples(index=False):
        message = f"{row.metric_id} of {_named(release, row.trust_code)}: the score {row.value:.15g} is no whole step; correct it"
        yield _problem(release, places.of_metric(row.trust_code, row.metric_id), "Value", message)


def _no_flag(release: Release, framework: Framework, places: Places) -> Iterator[Problem]:
    """Trusts with scores and without an override flag: no table can be made of them."""
    rule = framework.override
    if rule is None or rule.flag_if:
        return
    scored = scoring.observed(release, framework.score_ids).drop_duplicates("trust_code").set_index("trust_code")
    subject = release.trusts.index
    if rule.trust_types:
        subject = subject[release.trusts["trust_type"].isin(rule.trust_types)]
    flags = release.league["in_deficit"].reindex(subject.intersection(scored.index))
    name = framework.identifiers.override_flag
    remedy = f"no override flag ({name}) is given; fill it in, or add the league-table file"
    for trust_type, group in flags[flags.isna()].groupby(release.trusts["trust_type"]):
        many = len(group) > ALIKE
        for code in group.index[: 1 if many else None]:
            place = places.of_metric(code, name)
            if place[1] is None:
                place = places.of_metric(code, scored.at[code, "metric_id"])[0], None
            who = (
                f"{len(group)} {plural(trust_type)} (first: {_named(release, code)})" if many else _named(release, code)
            )
            yield _problem(release, place, "Value", f"{who}: {remedy}")


# --- likely ranges ------------------------------------------------------------------------------------------


def _ranges_beyond(release: Release, places: Places) -> Iterator[Problem]:
    """Ranges of ranks that end beyond the last place of the type."""
    table = release.league.join(release.trusts["trust_type"])
    for trust_type, rows in table.groupby("trust_type"):
        # A trust whose rank is suppressed has one.
        ranked = int(rows[["rank", "average_score", "segment", "rank_high"]].notna().any(axis=1).sum())
        for code, high in rows.loc[rows["rank_high"] > ranked, "rank_high"].items():
            file, row, column = places.of_result(code, "rank_high")
            message = (
                f"{_named(release, code)}: the likely range of its rank ends at {high:g}, of "
                f"{counted(ranked, trust_type)} that are ranked; correct it"
            )
            yield _problem(release, (file, row), column, message)


def _not_judged(release: Release) -> Iterator[str]:
    ranges = int(release.league["rank_low"].notna().sum())
    if ranges:
        yield (
            f"{release.quarter}: {counted(ranges, 'likely range')} of ranks and those of averages are not made again, as NHS England "
            "publishes no method for them"
        )
