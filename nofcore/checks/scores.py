"""Metric scores made again from values, and combined scores from those of their parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from nofcore import scoring
from nofcore.checks import metric_ranks, pools
from nofcore.checks.case import ALIKE, Case, differs
from nofcore.checks.order import out_of_order
from nofcore.framework import Combined, Metric
from nofcore.release import Release
from nofcore.reproduce import CLOSE, FROM_VALUES

FROM_PARTS = "published scores of its two parts"


def judge(case: Case):
    """Name metric scores that contradict their values, and ranks that contradict scores of equal values."""
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
    allowed = _allowed_by_ties(case, off)
    follow = rows.drop(index=off.index)
    case.bad_scores -= set(zip(follow["trust_code"], follow["item"], strict=True))  # their ranks are wrong, not they
    by_rank = off[off.index.isin(allowed) & ~off["tied"]]  # the published ranks alone put them in another order
    allowed = allowed.difference(by_rank.index)
    wrong = off[~off.index.isin(allowed) & ~off.index.isin(by_rank.index)]
    case.should = dict(zip(zip(wrong["trust_code"], wrong["item"], strict=True), wrong["rebuilt"], strict=True))
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
    for (score, value), group in by_rank.groupby(["item", "value"], sort=False):
        _contradicted_order(case, score, group, rows[(rows["item"] == score) & (rows["value"] == value)])


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


def _allowed_by_ties(case: Case, off: pd.DataFrame) -> pd.Index:
    """Which scores the order of equal values allows, whatever the published ranks say of it."""
    if off.empty:
        return off.index
    bounds = scoring.tied_bounds(case.release, case.framework).set_index(["trust_code", "metric_id"])
    bounds = bounds[bounds["high"] - bounds["low"] > scoring.EXACT]
    mine = bounds.reindex(pd.MultiIndex.from_frame(off[["trust_code", "item"]]))
    within = (off["published"].to_numpy() >= mine["low"].to_numpy() - CLOSE / 2 - scoring.EXACT) & (
        off["published"].to_numpy() <= mine["high"].to_numpy() + CLOSE / 2 + scoring.EXACT
    )
    return off.index[within]


def _contradicted_order(case: Case, score: str, wrong: pd.DataFrame, tied: pd.DataFrame):
    """Ranks that put equal values in another order than their scores. ``tied``: all trusts with that value."""
    value = case.framework.by_score[score].value
    moved = any(metric_id == value for _, metric_id in case.bad_values)
    if moved or any((code, value) in case.bad_ranks for code in tied["trust_code"]):
        return  # what is wrong has been named
    named = tied if len(tied) <= ALIKE else wrong
    said = [
        f"{row.trust_code} (rank {case.figure(row.trust_code, value, 'rank')}, row "
        f"{case.places.of_metric(row.trust_code, value)[1]}; score {row.published:g}, row "
        f"{case.places.of_metric(row.trust_code, score)[1]})"
        for row in named.head(2 * ALIKE).itertuples(index=False)
    ]
    file, line = case.places.of_metric(wrong["trust_code"].iat[0], value)
    more = f" and {len(named) - len(said)} more" if len(named) > len(said) else ""
    case.add(
        (file, line, "Rank"),
        f"{value}: {len(tied)} trusts have the value {wrong['value'].iat[0]:.15g}, and their ranks put them in another order "
        f"than their scores {score}: {', '.join(said)}{more}; correct the rank or score that is wrong",
    )


def _contradicted_scores(case: Case, score: str, wrong: pd.DataFrame, rows: pd.DataFrame):
    entry = case.framework.by_score[score]
    value = getattr(entry, "value", None)
    metrics = [entry] if value else [case.framework.by_score[part] for part in (entry.rows, entry.columns)]
    named = {code for code, metric_id in case.bad_values if metric_id in [metric.value for metric in metrics]}
    if named and any(scoring.spread_of(metric, case.framework) for metric in metrics):
        return  # one value out of its place moves the scores of all that it passes; it has been named
    wrong = wrong[~wrong["trust_code"].isin(named)]
    if len(wrong) > ALIKE:
        mine = rows.assign(outside=out_of_order(rows["rebuilt"], rows["published"]))
        outside = mine[mine["outside"] & mine.index.isin(wrong.index)]
        others = wrong.drop(outside.index)
        if not 0 < len(outside) < len(wrong) / 2 or not _follow_from(case, metrics, len(outside), others, rows):
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


def _follow_from(case: Case, metrics: list[Metric], few: int, others: pd.DataFrame, rows: pd.DataFrame) -> bool:
    """Whether a few values out of their places can have moved the other scores so far: by a place each."""
    spreads = [spread for metric in metrics if (spread := scoring.spread_of(metric, case.framework))]
    if not spreads:
        return others.empty
    types = rows["trust_code"].map(case.release.trusts["trust_type"])
    of_type = any(metric.pool == "type" for metric in metrics)
    placed = rows["published"].ne(spreads[0].fixed)
    places = placed.groupby(types).sum().min() if of_type else placed.sum()
    step = (case.framework.scale.worst - case.framework.scale.best) / max(places - 1, 1)
    return bool(((others["rebuilt"] - others["published"]).abs() <= min(few, ALIKE) * step + 1.5 * CLOSE).all())


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
    case.unsure |= {(code, score) for code in wrong["trust_code"]}
    first = wrong.iloc[0]
    file, line = case.places.of_metric(first["trust_code"], score)
    case.add(
        (file, line, "Value"),
        f"{score}: {len(wrong)} of {compared} scores do not follow from the values by the rules of {case.framework.year} "
        f"(first: {case.who(first['trust_code'])}, {first['published']:g} against {first['rebuilt']:.2f}); rows are "
        "missing or changed, or the rule of this metric is another",
    )


def mended(case: Case) -> Release:
    """The release with contradicted scores as they should be, or without them where that is not known."""
    rows = case.release.observations
    keys = list(zip(rows["trust_code"], rows["metric_id"], strict=True))
    values = [
        case.should.get(key, np.nan) if key in case.bad_scores else value
        for key, value in zip(keys, rows["value"], strict=True)
    ]
    return replace(case.release, observations=rows.assign(value=values))
