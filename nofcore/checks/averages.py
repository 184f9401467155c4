"""Average scores and domain scores made again from the published metric scores."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from nofcore.checks import metric_ranks
from nofcore.checks.case import ALIKE, Case, beside, differs
from nofcore.checks.doubts import Doubts
from nofcore.checks.figures import add_result
from nofcore.framework import Combined, Domain, Metric
from nofcore.reproduce import FROM_SCORES
from nofcore.scoring import to_hundredths
from nofcore.wording import plural


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
        doubted = differ & ~doubts.of_bad_scores(table)
        case.count(quantity, FROM_SCORES, len(table), int((~differs(table)).sum()), int(doubted.sum()))
    off["domain"], told = _of_many_trusts(case, domains, off["domain"])
    contradicted = dict(iter(off["domain"].groupby("trust_code")))
    seen = set()
    for row in _of_few_trusts(case, averages, off["average"][~off["average"]["trust_type"].isin(told)]):
        if row.trust_code in contradicted:
            _score_behind(case, row, contradicted[row.trust_code])
            case.bad_domains |= {(row.trust_code, item) for item in contradicted[row.trust_code]["item"]}
            seen.add(row.trust_code)
        else:
            case.bad_averages[row.trust_code] = row.rebuilt
            add_result(case, row, "average metric score")
    for code, group in contradicted.items():
        for row in group.itertuples(index=False) if code not in seen else ():
            metric_ranks.clear(case, code, row.item)
            case.bad_domains.add((code, row.item))
            file, line = case.places.of_metric(code, row.item)
            case.add(
                (file, line, "Value"),
                f"{row.item} of {case.who(code)}: the domain score {row.published:.2f} does not follow from its metric "
                f"scores, which give {_made(row)}; correct the one that is wrong",
            )


def _made(row) -> str:
    """What the scores give, from the least to the most that it can be."""
    ends = [f"{to_hundredths(end) / 100:.2f}" for end in (row.least, row.most)]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _of_many_trusts(case: Case, compared: pd.DataFrame, off: pd.DataFrame) -> tuple[pd.DataFrame, set[str]]:
    """Tell domain scores that most trusts of a type contradict, as one. Returns the others, and the types of those
    told."""
    told: set[str] = set()
    for (trust_type, item), group in off.groupby(["trust_type", "item"]):
        of_all = int(((compared["trust_type"] == trust_type) & (compared["item"] == item)).sum())
        if not ALIKE < len(group) > of_all / 2:
            continue
        file, line = case.places.of_metric(group["trust_code"].iat[0], item)
        _tell_many(case, group, (file, line, "Value"), f"domain scores {item}", of_all, _absent(case, trust_type, item))
        case.bad_domains |= set(zip(group["trust_code"], group["item"], strict=True))
        told.add(trust_type)
        off = off.drop(index=group.index)
    return off, told


def _of_few_trusts(case: Case, compared: pd.DataFrame, off: pd.DataFrame) -> Iterator:
    """The averages that are told one by one, as only some of a type are contradicted; the others are told as one."""
    for trust_type, group in off.groupby("trust_type", sort=False):
        of_all = int((compared["trust_type"] == trust_type).sum())
        if ALIKE < len(group) > of_all / 2:
            place = case.places.of_result(group["trust_code"].iat[0], "average_score")
            _tell_many(case, group, place, "average scores", of_all, _absent(case, trust_type))
        else:
            yield from group.itertuples(index=False)


def _tell_many(case: Case, group: pd.DataFrame, place: tuple, what: str, of_all: int, absent: list[str]):
    first = group.iloc[0]
    lacking = (
        f"no row of {', '.join(absent)} is at hand" if absent else "scores of a metric are wrong, or rows are missing"
    )
    case.add(
        place,
        f"{len(group)} of {of_all} {what} of {plural(first['trust_type'])} do not follow from the metric scores (first: "
        f"{case.who(first['trust_code'])}, {first['published']:.2f} against {first['rebuilt']:.2f}); {lacking}; get the whole "
        "file again",
    )


def _absent(case: Case, trust_type: str, item: str | None = None) -> list[str]:
    """Scores that the rules average for a type, in one domain or all, and of which it has no row."""
    rows = case.release.observations
    codes = case.release.trusts.index[case.release.trusts["trust_type"] == trust_type]
    there = set(rows.loc[rows["trust_code"].isin(codes), "metric_id"])
    domains = [domain for domain in case.framework.domain if item in (None, domain.score)]
    entries = [entry for domain in domains for entry in _averaged(case, domain) if entry.score not in there]
    return [entry.score for entry in entries if _is_of(case, entry, trust_type)]


def _is_of(case: Case, entry: Metric | Combined, trust_type: str) -> bool:
    """Whether a type has a score by the rules; a combined one where it has its parts."""
    parts = (
        [case.framework.by_score[entry.rows], case.framework.by_score[entry.columns]]
        if isinstance(entry, Combined)
        else [entry]
    )
    return all(trust_type in part.trust_types for part in parts)


def _averaged(case: Case, domain: Domain) -> list[Metric | Combined]:
    """The metrics and combined scores that a domain score is the mean of."""
    entries = (*case.framework.metric, *case.framework.combined)
    return [entry for entry in entries if entry.domain == domain.key and getattr(entry, "averaged", True)]


def _score_behind(case: Case, average, domains: pd.DataFrame):
    """Average and domain score contradict the metric scores alike: one of these has been changed or is missing."""
    contradicted = set(domains["item"])
    entries = [e for domain in case.framework.domain if domain.score in contradicted for e in _averaged(case, domain)]
    expected = [
        entry for entry in entries if average.trust_type in getattr(entry, "trust_types", (average.trust_type,))
    ]
    placed = [(entry.score, *case.places.of_metric(average.trust_code, entry.score)) for entry in entries]
    placed = [(score, file, row) for score, file, row in placed if row]
    said = ", ".join(
        f"{row.item} {row.published:.2f} (they give {row.rebuilt:.2f})" for row in domains.itertuples(index=False)
    )
    place = (
        (*placed[0][1:], "Value")
        if len(placed) == len(expected) == 1
        else case.places.of_result(average.trust_code, "average_score")
    )
    among = [f"{score} ({beside(file, row, place[0])})" for score, file, row in placed]
    case.add(
        place,
        f"{case.who(average.trust_code)}: the average score {average.published:.2f} (they give {average.rebuilt:.2f}) and "
        f"the domain score {said} do not follow from the metric scores; one of {', '.join(among) or 'them'} is wrong, or one is missing",
    )
