"""Figures made again from metric scores, with what is known to be wrong put right."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from nofcore import reproduce, scoring
from nofcore.checks import scores
from nofcore.checks.case import Case
from nofcore.notes import NOT_MADE, Note
from nofcore.release import Release
from nofcore.reproduce import FROM_SCORES, Reproduction

UNROUNDED = 6
"""Decimals of a figure that is not rounded, as far as the rules can say so."""
WITHOUT_FLAG = ("average metric score", "domain score", "unadjusted segment")


def from_scores(case: Case) -> Reproduction:
    """The quarter made again; scores that are known to be wrong are as they should be, or left out."""
    return _made(case, scores.mended(case) if case.bad_scores else case.release)


def as_published(case: Case) -> pd.DataFrame:
    """Comparisons with the published scores, whatever is known to be wrong of them."""
    return _made(case, case.release).comparisons


def within_rounding(case: Case) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Comparisons of figures made of the lowest, and of the highest scores that are published as these are, and then not
    rounded. No figure lies beyond them, whatever the unrounded scores, as every mean grows with its scores; nor does one
    reach the highest where it is not the lowest too, as scores are rounded half up."""
    rules, quarter = case.framework, case.release.quarter
    exact = replace(rules, rounded_first={quarter: rules.score_ids}, average=replace(rules.average, decimals=UNROUNDED))
    half = 0.5 / 10**rules.scale.decimals
    ends = [_shifted(case, step) for step in (-half, half)]
    return tuple(_made(replace(case, framework=exact), release).comparisons for release in ends)


def _shifted(case: Case, step: float) -> Release:
    """The release with all scores that were rounded moved by a step, but not off their scale."""
    rows, rules = case.release.observations, case.framework
    whole = {part for entry in rules.combined for part in (entry.rows, entry.columns)}
    whole |= set(rules.rounded_first.get(case.release.quarter, ()))
    values = rows["value"].copy()
    for metric in rules.metric:
        part = scoring.spread_of(metric, rules)
        if part is not None and metric.score not in whole:
            mine = rows["metric_id"].eq(metric.score) & values.ne(part.fixed)
            values[mine] = (values[mine] + step).clip(part.best, part.worst)
    return replace(case.release, observations=rows.assign(value=values))


def _made(case: Case, release: Release) -> Reproduction:
    """Where an override flag is not given, averages and what follows from them alone are made all the same."""
    made = reproduce.reproduce(release, case.framework, ["scores"])
    rule, flags = case.framework.override, release.league["in_deficit"]
    if rule is None or rule.flag_if or not flags.isna().any() or (made.comparisons["start"] == FROM_SCORES).any():
        return made
    filled = replace(release, league=release.league.assign(in_deficit=flags.fillna(0)))
    rows = reproduce.reproduce(filled, case.framework, ["scores"]).comparisons
    rows = rows[(rows["start"] == FROM_SCORES) & rows["quantity"].isin(WITHOUT_FLAG)]
    if rows.empty:
        return made
    notes = tuple(
        Note(f"segments and league ranks {note}", NOT_MADE) if _of_flags(note) else note for note in made.notes
    )
    return replace(made, comparisons=pd.concat([made.comparisons, rows], ignore_index=True), notes=notes)


def _of_flags(note: str) -> bool:
    return str(note).startswith(f"not rebuilt from {FROM_SCORES}")
