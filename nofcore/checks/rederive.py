"""Published figures made again from one another: what does not follow is named with its place.

A figure is contradicted only where every route by which it can be rebuilt says so. A segment, for
one, follows from the metric scores, from the published average and from the published unadjusted
segment; if one of these has been changed, the other routes tell which. So one changed figure is
reported once, where it stands, and not by all that depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from nofcore import scoring
from nofcore.checks import again, averages, domain_segments, gaps, metric_ranks, misfits, results, scores
from nofcore.checks.case import Case
from nofcore.checks.doubts import Doubts
from nofcore.checks.reading import Places
from nofcore.errors import InputError, Problem
from nofcore.framework import Framework
from nofcore.notes import not_made
from nofcore.release import Release
from nofcore.reproduce import FROM_SCORES

COUNTS = ["quantity", "start", "compared", "agree", "open"]


@dataclass(frozen=True)
class Rederived:
    """What came of making the published figures of a quarter again.

    ``compared``: quantity, start (from what), compared, agree, open (tied at published precision, and within the
    places that the tie allows; or out by the last digit alone where unrounded scores are in doubt); ``problems``: the
    contradictions; ``notes``: what could not be made again, and why.
    """

    quarter: str
    compared: pd.DataFrame
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


def rederive(release: Release, framework: Framework, places: Places) -> Rederived:
    """Make the figures of a quarter again by the rules and name those that contradict each other."""
    case = Case(release, framework, places)
    metric_ranks.judge(case)
    scores.judge(case)
    misfits.no_grid(case)
    found = again.from_scores(case)
    doubts = Doubts(case, again.as_published(case) if case.bad_scores else found.comparisons)
    found = misfits.another_grid(case, doubts, found)
    averages.judge(case, doubts, found.comparisons)
    metric_ranks.tell(case)
    domain_segments.judge(case, doubts, found.comparisons)
    unexplained = doubts.unexplained(found.comparisons[found.comparisons["start"] == FROM_SCORES])
    results.judge(case, gaps.without(found.comparisons, unexplained))
    _without_scores(case)
    gaps.tell(case, unexplained)
    for note in filter(not_made, found.notes):
        case.note(note)
    compared = pd.DataFrame(case.counts, columns=COUNTS)
    problems = tuple(sorted(set(case.problems), key=_in_file))
    return Rederived(release.quarter, compared, problems, tuple(dict.fromkeys(case.notes)))


def _without_scores(case: Case):
    """Whose averages were not made again. Their segments and ranks were: the notes of tables made anew do not tell."""
    scored = scoring.observed(case.release, case.framework.score_ids)["trust_code"]
    held = case.release.trusts[case.release.league["average_score"].notna()]
    for trust_type, group in held.groupby("trust_type"):
        left = group.index.difference(scored)
        if trust_type not in case.framework.trust_types:
            case.note(f"{trust_type}: the rules do not list this type, so no more than its ranks was made again")
        elif len(left):
            whose = "" if len(left) == len(group) else f" of {case.listed(left)}"
            case.note(
                f"{trust_type}: averages{whose} were not made again, as no metric scores that the rules know are at hand"
            )


def _in_file(problem: Problem) -> tuple:
    return problem.file, problem.row or 0, problem.column or "", problem.message


def not_rederived(quarter: str) -> str:
    """What to say of a quarter whose rules the kit does not know."""
    return f"{quarter}: nothing was made again from the figures, as the kit has no rules for that year"


def safely(release: Release, framework: Framework | None, places: Places) -> Rederived:
    """`rederive`, or a note where the kit has no rules for the year or they cannot be applied."""
    empty = pd.DataFrame(columns=COUNTS)
    if framework is None:
        return Rederived(release.quarter, empty, (), (not_rederived(release.quarter),))
    try:
        return rederive(release, framework, places)
    except InputError as error:
        return Rederived(release.quarter, empty, (), (f"{release.quarter}: not made again: {error}",))
