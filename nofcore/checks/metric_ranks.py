"""Values and published ranks of metrics that contradict each other, told with their places."""

from __future__ import annotations

from dataclasses import replace

from nofcore.checks import ranks
from nofcore.checks.case import Case
from nofcore.wording import counted

FROM_RANKS = "published values within each trust type"


def judge(case: Case):
    """Judge the ranks of metrics. Contradictions are told by `tell`, once it is known which follow from others."""
    checked = ranks.check(case.release, case.framework)
    for row in checked.outside.itertuples(index=False):
        key = (row.trust_code, row.metric_id)
        domain_scores = {domain.score for domain in case.framework.domain}
        if row.metric_id not in domain_scores:
            (case.bad_scores if row.metric_id in case.framework.by_score else case.bad_values).add(key)
        file, line = case.places.of_metric(*key)
        case.of_ranks[key] = (
            (file, line, "Value"),
            f"{row.metric_id} of {case.who(row.trust_code)}: value {row.value:.15g} and rank {row.rank:g} contradict "
            f"{_opponent(case, row)}; correct the one that is wrong",
        )
    for row in checked.gaps.itertuples(index=False):
        case.bad_ranks.add((row.trust_code, row.metric_id))
        file, line = case.places.of_metric(row.trust_code, row.metric_id)
        what = f"rank {row.rank:g} of {row.trust_code} is" if row.wrong == 1 else f"{row.wrong} ranks are"
        case.add(
            (file, line, "Rank"),
            f"{row.metric_id}: {what} not among those that {counted(row.rows, 'row')} of {row.trust_type}s can have "
            f"(the highest: {row.rank:g} of {row.trust_code}); rows are missing or were added, so get the whole file again",
        )
    for row in checked.open.itertuples(index=False):
        _rank_open(case, row)
    wrong = len(checked.outside) + int(checked.gaps["wrong"].sum()) + len(checked.open)
    case.count("rank of a metric", FROM_RANKS, checked.compared, checked.compared - wrong, 0)


def _opponent(case: Case, row) -> str:
    """What the value and rank of a metric contradict."""
    if not row.against:
        return f"each other among the values and ranks of {row.trust_type}s"
    _, line = case.places.of_metric(row.against, row.metric_id)
    return f"those of {row.against} (row {line})"


def _rank_open(case: Case, row):
    """Ranks that do not count the rows they are of."""
    placed = [(code, *case.places.of_metric(code, row.metric_id)) for code in row.codes]
    case.bad_ranks |= {(code, row.metric_id) for code in row.codes}
    if placed:
        place = placed[0][1:]
        named = ", ".join(
            f"{code} ({case.figure(code, row.metric_id, 'rank')}, row {line})" for code, _, line in placed
        )
        remedy = f"the rank of {'one of ' if len(placed) > 1 else ''}{named} is wrong, or a row is missing; correct it"
    else:
        place = _first_row(case, row)
        remedy = "rows are missing or were added, or several ranks are wrong, so get the whole file again"
    rows = f"{counted(row.rows, 'row')} of {row.trust_type}s"
    case.add(
        (*place, "Rank"),
        f"{row.metric_id}: ranks of {rows} do not follow on each other at place {row.place}; {remedy}",
    )


def _first_row(case: Case, row) -> tuple[str, int | None]:
    """Where the figures of a metric and type begin."""
    types = case.release.trusts["trust_type"]
    placed = [case.places.of_metric(code, row.metric_id) for code in types.index[types == row.trust_type]]
    return min((place for place in placed if place[1]), key=lambda place: (place[0], place[1]))


def clear(case: Case, code: str, metric_id: str):
    """A figure has been named: what contradicts its rank, or it alone, is not told again."""
    case.of_ranks.pop((code, metric_id), None)
    case.explained.add((code, metric_id))
    others = [key for key in case.of_ranks if key[1] == metric_id]
    if not others:
        return
    rows = case.release.observations
    rows = rows[rows["metric_id"] == metric_id]
    known = {trust for trust, metric in case.explained if metric == metric_id}
    rows = rows.assign(value=rows["value"].where(~rows["trust_code"].isin(known)))
    left = set(ranks.check(replace(case.release, observations=rows), case.framework).outside["trust_code"])
    for key in others:
        if key[0] not in left:
            del case.of_ranks[key]
            case.bad_scores.discard(key)


def tell(case: Case):
    """Values and ranks that contradict each other, but for those that have been told from what they follow from."""
    for place, message in case.of_ranks.values():
        case.add(place, message)
