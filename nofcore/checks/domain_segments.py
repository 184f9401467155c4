"""Domain segments from the domain scores of all trusts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nofcore import league, scoring
from nofcore.checks.case import Case, differs
from nofcore.reproduce import FROM_SCORES


def judge(case: Case, rows: pd.DataFrame):
    rows = rows[(rows["start"] == FROM_SCORES) & (rows["quantity"] == "domain segment")]
    if rows.empty:
        return
    case.tally("domain segment", FROM_SCORES, rows)
    again = _segments_of_published_domains(case, rows)
    off = rows[differs(rows) & (again != rows["published"].to_numpy())]
    for row in off.itertuples(index=False):
        file, line = case.places.of_metric(row.trust_code, row.item)
        case.add(
            (file, line, "Value"),
            f"{row.item} of {case.who(row.trust_code)}: the domain segment {row.published:g} does not follow from the "
            f"domain scores of all trusts, which give {row.rebuilt:g}; correct it",
        )


def _segments_of_published_domains(case: Case, rows: pd.DataFrame) -> np.ndarray:
    """Domain segments from the published domain scores, in the order of ``rows``."""
    values = case.release.observations.set_index(["metric_id", "trust_code"])["value"]
    found = np.full(len(rows), np.nan)
    for domain in case.framework.domain:
        mine = np.flatnonzero((rows["item"] == domain.segment).to_numpy())
        if not len(mine) or domain.score not in values.index.get_level_values(0):
            continue
        scores = values.loc[domain.score].dropna()
        hundredths = scoring.to_hundredths(scores.to_numpy(), case.framework.scale.decimals)
        cuts = league.cut_offs(hundredths, case.framework.segments.percentiles)
        segments = pd.Series(league.segments(hundredths, cuts), scores.index, dtype=float)
        found[mine] = segments.reindex(rows["trust_code"].to_numpy()[mine]).to_numpy()
    return found
