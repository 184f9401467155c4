"""Figures made again from metric scores, with what is known to be wrong put right."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from nofcore import reproduce
from nofcore.checks import scores
from nofcore.checks.case import Case
from nofcore.notes import NOT_MADE, Note
from nofcore.release import Release
from nofcore.reproduce import FROM_SCORES, Reproduction

WITHOUT_FLAG = ("average metric score", "domain score", "unadjusted segment")


def from_scores(case: Case) -> Reproduction:
    """The quarter made again; scores that are known to be wrong are as they should be, or left out."""
    return _made(case, scores.mended(case) if case.bad_scores else case.release)


def as_published(case: Case) -> pd.DataFrame:
    """Comparisons with the published scores, whatever is known to be wrong of them."""
    return _made(case, case.release).comparisons


def as_printed(case: Case) -> pd.DataFrame:
    """Comparisons of figures that are made of the published scores as they stand, and then not rounded."""
    rules = case.framework
    framework = replace(
        rules,
        rounded_first={case.release.quarter: rules.score_ids},
        average=replace(rules.average, decimals=6),
    )
    return _made(replace(case, framework=framework), case.release).comparisons


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
