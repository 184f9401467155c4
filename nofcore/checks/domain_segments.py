"""Domain segments from the domain scores of all trusts, or, where these are not all at hand, their order alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from nofcore import league, scoring
from nofcore.checks.case import ALIKE, Case, differs
from nofcore.checks.doubts import Doubts
from nofcore.checks.order import opponents, out_of_order
from nofcore.framework import Domain
from nofcore.reproduce import FROM_SCORES


def judge(case: Case, doubts: Doubts, rows: pd.DataFrame):
    """Name domain segments that do not follow from the domain scores. ``rows``: comparisons."""
    rows = rows[(rows["start"] == FROM_SCORES) & (rows["quantity"] == "domain segment")]
    if rows.empty:
        _judge_order(case)
        return
    case.tally("domain segment", FROM_SCORES, rows)
    low, high = _segments_of_published_domains(case, rows)
    # Where metric scores are suppressed, cut-offs made of them are none, and the published domain scores alone judge.
    lost = rows["item"].isin(_with_suppressed(case, doubts)) & np.isnan(low)
    off = rows[differs(rows) & ~rows["published"].between(low, high) & ~lost]
    for row in off.itertuples(index=False):
        file, line = case.places.of_metric(row.trust_code, row.item)
        case.add(
            (file, line, "Value"),
            f"{row.item} of {case.who(row.trust_code)}: the domain segment {row.published:g} does not follow from the "
            f"domain scores of all trusts, which give {row.rebuilt:g}; correct it",
        )


def _judge_order(case: Case):
    """Cut-offs need all trusts, but whatever they are, no trust has a better segment than one with a better score."""
    judged = False
    for domain in case.framework.domain:
        for pool in _pools(case, domain):
            judged = True
            found = out_of_order(pool["segment"], pool["score"])
            if found.sum() > ALIKE:
                _many(case, domain, pool[found])
            else:
                for entry in np.flatnonzero(found):
                    _out_of_order(case, domain, pool, entry)
    if judged:
        how = ", which is our inference, as their rule is not known" if _inferred(case) else ""
        case.note(f"domain segments but for their order; they were judged by the order of the domain scores alone{how}")


def _inferred(case: Case) -> bool:
    return case.framework.segments.domains == "unknown"


def _pools(case: Case, domain: Domain) -> Iterator[pd.DataFrame]:
    """Scores in hundredths and segments of trusts that are cut alike: trust_code, score, segment."""
    rows = scoring.observed(scoring.within(case.release, case.framework), [domain.score, domain.segment])
    wide = rows.pivot(index="trust_code", columns="metric_id", values="value")
    if not {domain.score, domain.segment} <= set(wide):
        return
    both = wide[[domain.score, domain.segment]].dropna()
    both = both.loc[[code for code in both.index if (code, domain.score) not in case.bad_domains]]
    pool = pd.DataFrame(
        {
            "trust_code": both.index,
            "score": scoring.to_hundredths(both[domain.score], case.framework.average.decimals),
            "segment": both[domain.segment].to_numpy(),
        }
    )
    if case.framework.segments.pool == "all" and not _inferred(case):
        yield pool
    else:
        types = pool["trust_code"].map(case.release.trusts["trust_type"])
        yield from (group.reset_index(drop=True) for _, group in pool.groupby(types))


def _out_of_order(case: Case, domain: Domain, pool: pd.DataFrame, entry: int):
    row = pool.iloc[entry]
    against = opponents(pool["segment"], pool["score"], entry)
    scores = f"contradicts the order of the domain scores ({_shown(case, row)} here"
    remedy = "correct it"
    if len(against) == 1:  # either may be the wrong one
        other = pool.iloc[against[0]]
        _, line = case.places.of_metric(other["trust_code"], domain.segment)
        scores += f", {_shown(case, other)} of {other['trust_code']}, whose segment is {other['segment']:g}, row {line}"
        remedy = "correct the one that is wrong"
    file, line = case.places.of_metric(row["trust_code"], domain.segment)
    case.add(
        (file, line, "Value"),
        f"{domain.segment} of {case.who(row['trust_code'])}: the domain segment {row['segment']:g} {scores}); {remedy}"
        + (" (that segments follow this order is our inference)" if _inferred(case) else ""),
    )


def _shown(case: Case, row: pd.Series) -> str:
    decimals = case.framework.average.decimals
    return f"{row['score'] / 10**decimals:.{decimals}f}"


def _many(case: Case, domain: Domain, rows: pd.DataFrame):
    first = rows.iloc[0]
    file, line = case.places.of_metric(first["trust_code"], domain.segment)
    case.add(
        (file, line, "Value"),
        f"{domain.segment}: {len(rows)} domain segments contradict the order of the domain scores (first: "
        f"{case.who(first['trust_code'])}, {first['segment']:g}); get the whole file again",
    )


def _with_suppressed(case: Case, doubts: Doubts) -> set[str]:
    """Segments of domains in which a trust has a suppressed metric score."""
    scores = {score for _, score in doubts.suppressed}
    return {domain.segment for domain in case.framework.domain if domain.score in scores}


def _segments_of_published_domains(case: Case, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Best and worst domain segment that the published domain scores allow, in the order of ``rows``; NaN where a trust
    has none. Suppressed scores can be anything, which makes the cut-offs as high and as low as they can be."""
    values = case.release.observations.set_index(["metric_id", "trust_code"])["value"]
    scale = case.framework.scale
    low, high = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    for domain in case.framework.domain:
        mine = np.flatnonzero((rows["item"] == domain.segment).to_numpy())
        if not len(mine) or domain.score not in values.index.get_level_values(0):
            continue
        scores = values.loc[domain.score]
        for found, filling in ((low, scale.worst), (high, scale.best)):
            hundredths = scoring.to_hundredths(scores.fillna(filling).to_numpy(), scale.decimals)
            cuts = league.cut_offs(hundredths, case.framework.segments.percentiles)
            segments = pd.Series(league.segments(hundredths, cuts), scores.index, dtype=float)[scores.notna()]
            found[mine] = segments.reindex(rows["trust_code"].to_numpy()[mine]).to_numpy()
    return low, high
