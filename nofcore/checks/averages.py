"""Average scores and domain scores made again from the published metric scores."""

from __future__ import annotations

import pandas as pd

from nofcore.checks import metric_ranks
from nofcore.checks.case import Case, differs
from nofcore.checks.doubts import Doubts
from nofcore.checks.figures import add_result
from nofcore.reproduce import FROM_SCORES


def judge(case: Case, doubts: Doubts, rows: pd.DataFrame):
    """Name averages and domain scores that do not follow from the metric scores."""
    rows = rows[rows["start"] == FROM_SCORES]
    rows = rows[~doubts.unjudged(rows)]
    averages = rows[rows["quantity"] == "average metric score"]
    domains = rows[rows["quantity"] == "domain score"]
    off = {name: doubts.beyond(table) for name, table in (("average", averages), ("domain", domains))}
    for quantity, table, wrong in (
        ("average metric score", averages, off["average"]),
        ("domain score", domains, off["domain"]),
    ):
        differ = differs(table) & ~table.index.isin(wrong.index)
        doubted = differ & ~table["trust_code"].isin({code for code, _ in case.bad_scores})
        case.count(quantity, FROM_SCORES, len(table), int((~differs(table)).sum()), int(doubted.sum()))
    of_trust = off["domain"].groupby("trust_code")
    contradicted = {code: group for code, group in of_trust}
    seen = set()
    for row in off["average"].itertuples(index=False):
        if row.trust_code in contradicted:
            _score_behind(case, row, contradicted[row.trust_code])
            case.bad_domains |= {(row.trust_code, item) for item in contradicted[row.trust_code]["item"]}
            seen.add(row.trust_code)
        else:
            add_result(case, row, "average metric score")
    for code, group in contradicted.items():
        for row in group.itertuples(index=False) if code not in seen else ():
            metric_ranks.clear(case, code, row.item)
            case.bad_domains.add((code, row.item))
            file, line = case.places.of_metric(code, row.item)
            case.add(
                (file, line, "Value"),
                f"{row.item} of {case.who(code)}: the domain score {row.published:.2f} does not follow from its metric "
                f"scores, which give {row.rebuilt:.2f}; correct the one that is wrong",
            )


def _score_behind(case: Case, average, domains: pd.DataFrame):
    """Average and domain score contradict the metric scores alike: one of these has been changed or is missing."""
    items = [
        entry.score
        for domain in case.framework.domain
        if domain.score in set(domains["item"])
        for entry in (*case.framework.metric, *case.framework.combined)
        if entry.domain == domain.key
    ]
    placed = [(score, *case.places.of_metric(average.trust_code, score)) for score in items]
    placed = [(score, file, row) for score, file, row in placed if row]
    said = ", ".join(
        f"{row.item} {row.published:.2f} (they give {row.rebuilt:.2f})" for row in domains.itertuples(index=False)
    )
    among = ", ".join(f"{score} (row {row})" for score, _, row in placed) or "them"
    place = (
        (*placed[0][1:], "Value") if len(placed) == 1 else case.places.of_result(average.trust_code, "average_score")
    )
    case.add(
        place,
        f"{case.who(average.trust_code)}: the average score {average.published:.2f} (they give {average.rebuilt:.2f}) and "
        f"the domain score {said} do not follow from the metric scores; one of {among} is wrong, or one is missing",
    )
