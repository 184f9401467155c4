"""The league table of a case as arrays, and the one figure that may be behind all that does not follow in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from nofcore import league, scoring
from nofcore.checks.case import ALIKE, Case
from nofcore.checks.figures import RESULTS
from nofcore.checks.tables import Mend, Rules, Table, mends
from nofcore.errors import InputError

_CALLED = {column: called for column, called in RESULTS.values()} | {"in_deficit": "deficit flag"}


def rules_of(case: Case) -> Rules | None:
    """The rules that segments follow from; None where they cannot be applied to published figures alone."""
    framework, rule = case.framework, case.framework.override
    if framework.ranking != "segment" or (rule and rule.flag_if):
        return None
    elsewhere = np.empty(0, dtype=np.int64)
    if framework.segments.rule == "percentiles" and framework.segments.pool == "all":
        held = case.release.trusts[case.release.league["average_score"].notna()]
        try:
            elsewhere = league.averages_elsewhere(held, framework, case.release.quarter)
        except InputError:
            return None
    return Rules(framework, elsewhere)


def table_of(case: Case) -> Table:
    """The published figures of all trusts, in their order."""
    held = case.release.league
    types = case.release.trusts["trust_type"].to_numpy(dtype=object).astype(str)
    average = scoring.to_hundredths(held["average_score"], case.framework.average.decimals).astype(float)
    overridden = np.array([case.overridden(name) for name in types], dtype=bool)
    flags = np.where(overridden, held["in_deficit"].to_numpy(dtype=float), 0)
    return Table(
        types,
        np.where(held["average_score"].notna(), average, np.nan),
        in_deficit=flags,
        **{name: held[name].to_numpy(dtype=float) for name in ("unadjusted_segment", "segment", "rank", "score_rank")},
    )


def averages_behind(case: Case, table: Table, rules: Rules, firm: np.ndarray) -> Table:
    """Tell the averages behind what does not follow, one a type at most; where other figures may be it, with these.

    Returns the table with these averages as they may be. Where one figure explains all, no other is looked for.
    """
    found = mends(table, rules, firm)
    if found:
        return _told(case, table, rules, found)
    for name in np.unique(table.types):
        mine = table.types == name
        if not mine.all():
            table = _told(case, table, rules, mends(table, rules, firm, mine))
    return table


def _told(case: Case, table: Table, rules: Rules, found: list[Mend]) -> Table:
    averages = [mend for mend in found if mend.figure == "average_score"]
    if not averages:
        return table  # the steps that follow name a segment, flag or rank with what it contradicts
    unit = 10**rules.framework.average.decimals
    if len(found) == 1:
        _tell_one(case, table, found[0], unit)
    else:
        _tell_several(case, table, found, unit)
    average = table.average_score.copy()
    average[averages[0].trust] = averages[0].low
    return replace(table, average_score=average)


def _tell_one(case: Case, table: Table, mend: Mend, unit: int):
    code = case.release.trusts.index[mend.trust]
    case.add(
        case.places.of_result(code, mend.figure),
        f"{case.who(code)}: the average score {table.average_score[mend.trust] / unit:.2f} does not fit its segment and "
        f"rank and those of the others, which need {_needed(mend, unit)}; correct it",
    )


def _tell_several(case: Case, table: Table, found: list[Mend], unit: int):
    """At the place of an average: where none may be wrong, the others are told with what they contradict."""
    placed = [(case.places.of_result(case.release.trusts.index[mend.trust], mend.figure), mend) for mend in found]
    placed.sort(key=lambda entry: (entry[1].figure != "average_score", entry[0][1] or 0))
    said = [_alternative(case, table, mend, place, unit) for place, mend in placed]
    more = f", or one of {len(said) - ALIKE} more" if len(said) > ALIKE else ""
    case.add(
        placed[0][0],
        "figures of the league table contradict each other, and one of these is wrong: "
        f"{'; '.join(said[:ALIKE])}{more}; correct that one",
    )


def _needed(mend: Mend, unit: int) -> str:
    """The averages that would fit."""
    low, high = mend.low / unit, mend.high / unit
    return f"{low:.2f}" if low == high else f"{low:.2f} to {high:.2f}"


def _alternative(case: Case, table: Table, mend: Mend, place: tuple, unit: int) -> str:
    """One of several figures that may be wrong, with its row and what it would have to be."""
    code, value = case.release.trusts.index[mend.trust], getattr(table, mend.figure)[mend.trust]
    published, needed = f"{value:g}", f"{mend.low:g}"
    if mend.figure == "average_score":
        published, needed = f"{value / unit:.2f}", _needed(mend, unit)
    row = f"row {place[1]}, " if place[1] else ""
    return f"the {_CALLED[mend.figure]} {published} of {case.who(code)} ({row}{needed} would fit)"


def firm_averages(case: Case, rows: pd.DataFrame) -> np.ndarray:
    """Which trusts have an average that has been judged by the metric scores. ``rows``: comparisons with these."""
    judged = rows.loc[rows["quantity"] == "average metric score", "trust_code"]
    return case.release.trusts.index.isin(judged)
