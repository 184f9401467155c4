"""What is not given: told, so that nobody takes it for checked, and borne in mind in what is made again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from nofcore.checks.case import Case
from nofcore.checks.figures import RESULTS
from nofcore.checks.tables import Rules, Table, bounds, rank_bounds
from nofcore.reproduce import FROM_AVERAGES, FROM_RESULTS, FROM_SCORES

RANKS = ("league rank", "rank on the average")


def tell(case: Case, unexplained: dict[tuple[str, str], list[str]]):
    """Note every figure that has a row and is not given, and what follows from it alone. ``unexplained``: of
    `Doubts.unexplained`."""
    _tell_scores(case, unexplained)
    for metric_id, what in _alone(case):
        rows = case.release.observations
        codes = rows.loc[(rows["metric_id"] == metric_id) & rows["value"].isna(), "trust_code"]
        if len(codes):
            case.note(f"{metric_id}{what} of {case.listed(list(codes))}, which is not given")
    _tell_results(case)


def _tell_scores(case: Case, unexplained: dict[tuple[str, str], list[str]]):
    """One line a domain, however many scores are not given."""
    of_domain: dict[str, dict[str, list[str]]] = {}
    for (code, domain), gone in unexplained.items():
        of_domain.setdefault(domain, {})[code] = gone
    for domain, gone in of_domain.items():
        names = sorted({score for scores in gone.values() for score in scores})
        case.note(f"the average and {domain} of {case.listed(list(gone))}, as no figure is given of {', '.join(names)}")


def _alone(case: Case) -> Iterator[tuple[str, str]]:
    """Figures from which no average follows: identifier, and what cannot be made without it."""
    for entry in case.framework.combined:
        yield from ((part, f", nor {entry.score} from it,") for part in (entry.rows, entry.columns))
    for domain in case.framework.domain:
        yield domain.score, ""
        yield domain.segment, ""


def _tell_results(case: Case):
    held = case.release.league.join(case.release.trusts["trust_type"])
    called = {column: name for column, name in RESULTS.values()} | {"in_deficit": "deficit flag"}
    for figure, name in called.items():
        for trust_type, group in held.groupby("trust_type"):
            gone = group.index[group[figure].isna()]
            matters = figure != "in_deficit" or case.overridden(trust_type)
            if matters and 0 < len(gone) < len(group):
                case.note(
                    f"{trust_type}: the {name} of {case.listed(gone)}, which is not given, nor what follows from it alone"
                )


def without(rows: pd.DataFrame, unexplained: dict[tuple[str, str], list[str]]) -> pd.DataFrame:
    """Comparisons but for those made of the metric scores of a trust that has one suppressed and an average that does not
    follow from the others: so does not what is made of that average."""
    lost = {code for code, _ in unexplained}
    return rows[~(rows["start"].eq(FROM_SCORES) & rows["trust_code"].isin(lost))]


def left_open(rows: pd.DataFrame, case: Case, table: Table, rules: Rules | None) -> pd.DataFrame:
    """Comparisons that bear in mind which averages and segments are not given.

    A trust without one has no place in what is made again, and would move the others up: where it may stand is open.
    """
    no_average = np.isnan(table.average_score)
    unplaced = no_average | np.isnan(table.segment)
    types = {name for name in np.unique(table.types) if 0 < unplaced[table.types == name].mean() < 1}
    if not types:
        return rows
    of_type, ranked = rows["trust_type"].isin(types), rows["quantity"].isin(RANKS)
    by_average = rows["start"] == FROM_AVERAGES
    gone = ranked & by_average & of_type & rows["trust_type"].isin(table.types[no_average])
    unsure = ranked & (rows["start"] == FROM_RESULTS) & of_type
    if no_average.any():  # the cut-offs hang on it, those of other types as well
        gone |= ~ranked & by_average & (rules is None)
        unsure |= ~ranked & by_average
    return _nearest(rows, unsure & ~gone, case, bounds(table, rules) if rules else rank_bounds(table))[~gone]


def _nearest(rows: pd.DataFrame, unsure: pd.Series, case: Case, within: dict) -> pd.DataFrame:
    """Of figures that may be several, the one that is nearest to what is published."""
    rebuilt, published = rows["rebuilt"].to_numpy(copy=True), rows["published"].to_numpy()
    trusts = case.release.trusts.index.get_indexer(rows["trust_code"])
    for quantity in rows.loc[unsure, "quantity"].unique():
        mine = np.flatnonzero(unsure & (rows["quantity"] == quantity))
        low, high = (limit[trusts[mine]] for limit in within[RESULTS[quantity][0]])
        rebuilt[mine] = np.clip(published[mine], low, high)
    return rows.assign(rebuilt=rebuilt)
