"""How a result that does not follow from others is told."""

from __future__ import annotations

from nofcore.checks.case import Case

RESULTS = {  # quantity: (column of the league table, what to call it)
    "average metric score": ("average_score", "average score"),
    "unadjusted segment": ("unadjusted_segment", "unadjusted segment"),
    "segment": ("segment", "segment"),
    "league rank": ("rank", "league rank"),
    "rank on the average": ("score_rank", "rank on the average"),
}
FOLLOWS = {
    "average metric score": "the metric scores",
    "unadjusted segment": "the averages",
    "segment": "the average and the deficit flag",
    "league rank": "segments and averages",
    "rank on the average": "the averages",
}


def add_result(case: Case, row, quantity: str):
    figure, called = RESULTS[quantity]
    digits = ".2f" if quantity == "average metric score" else "g"
    case.add(
        case.places.of_result(row.trust_code, figure),
        f"{case.who(row.trust_code)}: the {called} {row.published:{digits}} does not follow from "
        f"{_source(case, quantity, row.trust_type)}, which give {row.rebuilt:{digits}}; correct the one that is wrong",
    )


def _source(case: Case, quantity: str, trust_type: str) -> str:
    """What a figure follows from, in words: a segment of a type without override from no flag."""
    return "the averages" if quantity == "segment" and not case.overridden(trust_type) else FOLLOWS[quantity]
