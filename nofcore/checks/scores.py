"""Metric scores made again from values, and combined scores from those of their parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from nofcore import scoring
from nofcore.checks import metric_ranks, pools
from nofcore.checks.case import ALIKE, Case, differs
from nofcore.checks.order import out_of_order
from nofcore.framework import Combined
from nofcore.release import Release
from nofcore.reproduce import CLOSE, FROM_VALUES

FROM_PARTS = "published scores of its two parts"


def judge(case: Case) -> pd.DataFrame:
    """Metric scores from values. Returns those that are contradicted, with what they should be."""
    rows, lacking = scoring.scores_at_hand(case.release, case.framework)
    if lacking:
        listed = ", ".join(metric.score for metric in lacking)
        case.notes.append(
            f"{case.release.quarter}: not scored again from values, as trusts of other types that share their pools are "
            f"not at hand: {listed}"
        )
    rows = pools.of_whole_pools(case, rows)
    decimals = case.framework.scale.decimals
    rows = pd.concat([rows.assign(start=FROM_VALUES), _from_parts(case, rows)], ignore_index=True)
    rebuilt = scoring.to_hundredths(rows["score"], decimals) / 10**decimals
    rows = rows.assign(rebuilt=rebuilt, published=rows["published_score"], item=rows["metric_id"])
    rows = rows[rows["published"].notna()]
    off = rows[differs(rows)]
    allowed = _allowed_by_ties(case, off[off["tied"]])
    wrong = off[~off.index.isin(allowed)]
    combined = rows["item"].isin([entry.score for entry in case.framework.combined])
    from_parts = rows["start"] == FROM_PARTS
    for quantity, start, mine in (
        ("metric score", FROM_VALUES, ~combined),
        ("combined score", FROM_VALUES, combined & ~from_parts),
        ("combined score", FROM_PARTS, from_parts),
    ):
        kept = rows.index[mine].difference(off.index)
        case.count(quantity, start, int(mine.sum()), len(kept), int(mine[allowed].sum()))
    for score, group in wrong.groupby("item", sort=False):
        _contradicted_scores(case, score, group, rows[rows["item"] == score])
    return wrong


def _from_parts(case: Case, made: pd.DataFrame) -> pd.DataFrame:
    """Combined scores from the published scores of their parts, where these cannot be made from values."""
    known = set(made["metric_id"])
    combined = [entry for entry in case.framework.combined if entry.score not in known]
    rows = scoring.observed(scoring.within(case.release, case.framework), case.framework.score_ids)
    rows = rows.assign(score=rows["value"])
    parts = rows[rows["metric_id"].isin({part for entry in combined for part in (entry.rows, entry.columns)})]
    between = (parts["score"] - case.framework.scale.best) % 1 != 0
    for part in parts[between].itertuples(index=False):
        _no_step(case, part)
    frames = [scoring.combine(parts[~between], entry, case.framework) for entry in combined]
    if not frames:
        return made.iloc[:0].assign(start=FROM_PARTS)
    published = rows.set_index(["trust_code", "metric_id"])["value"].rename("published_score")
    return pd.concat(frames).join(published, on=["trust_code", "metric_id"]).assign(start=FROM_PARTS)


def _no_step(case: Case, part):
    case.bad_scores.add((part.trust_code, part.metric_id))
    metric_ranks.clear(case, part.trust_code, part.metric_id)
    file, line = case.places.of_metric(part.trust_code, part.metric_id)
    case.add(
        (file, line, "Value"),
        f"{part.metric_id} of {case.who(part.trust_code)}: the score {part.score:g} is no whole step, and a combined score is "
        "read from whole ones alone; correct it",
    )


def _allowed_by_ties(case: Case, tied: pd.DataFrame) -> pd.Index:
    if tied.empty:
        return tied.index
    bounds = scoring.tied_bounds(case.release, case.framework).set_index(["trust_code", "metric_id"])
    mine = bounds.loc[pd.MultiIndex.from_frame(tied[["trust_code", "item"]])]
    within = (tied["published"].to_numpy() >= mine["low"].to_numpy() - CLOSE / 2 - scoring.EXACT) & (
        tied["published"].to_numpy() <= mine["high"].to_numpy() + CLOSE / 2 + scoring.EXACT
    )
    return tied.index[within]


def _contradicted_scores(case: Case, score: str, wrong: pd.DataFrame, rows: pd.DataFrame):
    entry = case.framework.by_score[score]
    value = getattr(entry, "value", None)
    parts = [] if value else [case.framework.by_score[part].value for part in (entry.rows, entry.columns)]
    if any(metric_id in (value, *parts) for _, metric_id in case.bad_values):
        return  # one value out of its place moves the scores of all that it passes; it has been named
    if len(wrong) > ALIKE:
        mine = rows.assign(outside=out_of_order(rows["rebuilt"], rows["published"]))
        outside = mine[mine["outside"] & mine.index.isin(wrong.index)]
        if not 0 < len(outside) < len(wrong) / 2:
            return _many_scores(case, score, wrong, len(rows))
        wrong = outside
    for row in wrong.itertuples(index=False):
        case.bad_scores.add((row.trust_code, score))
        metric_ranks.clear(case, row.trust_code, score)
        file, line = case.places.of_metric(row.trust_code, score)
        source = f"the value {case.figure(row.trust_code, value)} of {value}" if value else _parts(case, entry, row)
        case.add(
            (file, line, "Value"),
            f"{score} of {case.who(row.trust_code)}: the score {row.published:g} does not follow from {source}, "
            f"which give{'s' if value else ''} {row.rebuilt:.2f}; correct the one that is wrong",
        )


def _parts(case: Case, entry: Combined, row) -> str:
    """The two parts of a combined score, with their places where they are as published."""
    if row.start != FROM_PARTS:
        return "its two parts"
    placed = [
        (part, case.figure(row.trust_code, part), *case.places.of_metric(row.trust_code, part))
        for part in (entry.rows, entry.columns)
    ]
    return " and ".join(f"{part} {score} (row {line})" for part, score, _, line in placed)


def _many_scores(case: Case, score: str, wrong: pd.DataFrame, compared: int):
    first = wrong.iloc[0]
    file, line = case.places.of_metric(first["trust_code"], score)
    case.add(
        (file, line, "Value"),
        f"{score}: {len(wrong)} of {compared} scores do not follow from the values by the rules of {case.framework.year} "
        f"(first: {case.who(first['trust_code'])}, {first['published']:g} against {first['rebuilt']:.2f}); rows are "
        "missing or changed, or the rule of this metric is another",
    )


def mended(case: Case, wrong: pd.DataFrame) -> Release:
    """The release with contradicted scores as they should be, or without them where that is not known."""
    should = dict(zip(zip(wrong["trust_code"], wrong["item"], strict=True), wrong["rebuilt"], strict=True))
    rows = case.release.observations
    keys = list(zip(rows["trust_code"], rows["metric_id"], strict=True))
    values = [
        should.get(key, np.nan) if key in case.bad_scores else value
        for key, value in zip(keys, rows["value"], strict=True)
    ]
    return replace(case.release, observations=rows.assign(value=values))
