"""Segments and league ranks made again from averages, flags and unadjusted segments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from nofcore import league, reproduce, scoring
from nofcore.checks import gaps, standing
from nofcore.checks.case import ALIKE, Case, beside, differs
from nofcore.checks.figures import FOLLOWS, RESULTS, add_result
from nofcore.checks.order import out_of_order
from nofcore.checks.tables import Rules, Table
from nofcore.reproduce import FROM_RESULTS, FROM_SCORES, FROM_VALUES

FROM_UNADJUSTED = "published unadjusted segment and deficit flag"
_QUANTITIES = ("unadjusted segment", "segment", "league rank", "rank on the average")


def judge(case: Case, rows: pd.DataFrame):
    """Name the segments, flags, ranks and averages that contradict the rest. ``rows``: comparisons by every route."""
    rows = rows[~rows["start"].eq(FROM_VALUES)]
    table, rules = standing.table_of(case), standing.rules_of(case)
    routes = pd.concat([gaps.left_open(rows, case, table, rules), _from_unadjusted(case)])
    for quantity in _QUANTITIES:
        for start, of_start in routes[routes["quantity"] == quantity].groupby("start", sort=False):
            case.tally(quantity, start, of_start)
    held = case.release.league
    if case.bad_averages and rules and _count(routes):
        found = _with_told_averages(case, table, rules, rows)
        if _count(found[2]) < _count(routes):
            held, table, routes = found
    if rules and _count(routes):
        mended = standing.averages_behind(case, table, rules, standing.firm_averages(case, rows))
        if mended is not table:
            held = held.assign(average_score=mended.average_score / 10**case.framework.average.decimals)
            routes = _by_mended(case, mended, rules, held, rows)
    for quantity in _QUANTITIES:
        off = _contradicted(routes, quantity)
        if "rank" in quantity:
            _contradicted_ranks(case, off, quantity, held)
        else:
            _contradicted_segments(case, off, quantity, routes)


def _contradicted_segments(case: Case, off: pd.DataFrame, quantity: str, routes: pd.DataFrame):
    for row in off.itertuples(index=False):
        if quantity == "segment" and _by_flag(case, row) and not _contradicts_rank(case, row.trust_code, routes):
            _flag_behind(case, row)
        else:
            add_result(case, row, quantity)


def _contradicted(routes: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """What every route contradicts, a row a trust."""
    mine = routes[routes["quantity"] == quantity]
    off = mine[mine.assign(off=differs(mine)).groupby("trust_code")["off"].transform("all").astype(bool)]
    return off.drop_duplicates("trust_code")


def _count(routes: pd.DataFrame) -> int:
    return sum(len(_contradicted(routes, quantity)) for quantity in _QUANTITIES)


def _with_told_averages(
    case: Case, table: Table, rules: Rules, rows: pd.DataFrame
) -> tuple[pd.DataFrame, Table, pd.DataFrame]:
    """League tables, table and routes with the averages that have been told as the metric scores give them."""
    held = case.release.league
    told = pd.Series(case.bad_averages).reindex(held.index)
    held = held.assign(average_score=told.fillna(held["average_score"]))
    average = scoring.to_hundredths(held["average_score"], case.framework.average.decimals).astype(float)
    table = replace(table, average_score=np.where(np.isnan(table.average_score), np.nan, average))
    return held, table, _by_mended(case, table, rules, held, rows)


def _by_mended(case: Case, mended: Table, rules: Rules, held: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The routes again, from averages of which some have been put right; so their cut-offs are right as well."""
    release = replace(case.release, league=held)
    again = reproduce.reproduce(release, case.framework, []).comparisons
    again = gaps.left_open(again, case, mended, rules)
    return pd.concat([again, rows[rows["start"] == FROM_SCORES], _from_unadjusted(case)])


def _by_flag(case: Case, row) -> bool:
    """Whether the other flag would bring the published segment nearer: an override only makes a segment worse."""
    rule, flag = case.framework.override, case.release.league.at[row.trust_code, "in_deficit"]
    if not case.overridden(row.trust_type) or rule.flag_if or np.isnan(flag):
        return False
    return bool(row.published < row.rebuilt if flag else row.published > row.rebuilt)


def _contradicts_rank(case: Case, code: str, rows: pd.DataFrame) -> bool:
    """Whether the published league rank speaks against the published segment."""
    ranks = rows[(rows["quantity"] == "league rank") & (rows["start"] == FROM_RESULTS) & (rows["trust_code"] == code)]
    return bool(differs(ranks).any()) or ranks.empty


def _flag_behind(case: Case, row):
    """The segment does not follow from the flag, and the league rank bears the segment out."""
    place = case.places.of_result(row.trust_code, "in_deficit")
    file, line, _ = case.places.of_result(row.trust_code, "segment")
    case.add(
        place,
        f"{case.who(row.trust_code)}: by this deficit flag the segment would be {row.rebuilt:g}, and it is published as "
        f"{row.published:g} ({beside(file, line, place[0])}), with a league rank that agrees; correct the one that is wrong",
    )


def _from_unadjusted(case: Case) -> pd.DataFrame:
    empty = pd.DataFrame(columns=reproduce.COMPARISON_COLUMNS)
    rule, held = case.framework.override, case.release.league
    known = held["unadjusted_segment"].notna() & held["in_deficit"].notna() & held["segment"].notna()
    codes = held.index[known]
    if rule is None or rule.flag_if or not len(codes):
        return empty
    part = replace(
        case.release, trusts=case.release.trusts.loc[codes], league=held.loc[codes],
        observations=case.release.observations.iloc[:0],
    )  # fmt: skip
    made = league.from_results(part, rule).trusts
    return pd.DataFrame(
        {
            "start": FROM_UNADJUSTED,
            "quantity": "segment",
            "trust_type": made["trust_type"],
            "trust_code": made.index,
            "trust_name": made["trust_name"],
            "item": "",
            "published": held.loc[made.index, "segment"].to_numpy(dtype=float),
            "rebuilt": made["segment"].to_numpy(dtype=float),
            "tied": False,
        }
    )


def _contradicted_ranks(case: Case, off: pd.DataFrame, quantity: str, held: pd.DataFrame):
    """``held``: the league tables, with averages that have been put right."""
    figure, called = RESULTS[quantity]
    held = held.join(case.release.trusts["trust_type"])
    for trust_type, group in off.groupby("trust_type", sort=False):
        mine = held[(held["trust_type"] == trust_type) & held[figure].notna() & held["average_score"].notna()]
        keys = scoring.to_hundredths(mine["average_score"])
        if quantity == "league rank":
            mine, keys = mine[mine["segment"].notna()], keys[mine["segment"].notna()]
            keys = league.league_keys(mine["segment"].to_numpy(), keys)
        outside = mine.index[out_of_order(keys, mine[figure])]
        named = group[group["trust_code"].isin(outside)]
        if named.empty and len(group) > ALIKE:
            first = group.iloc[0]
            place = case.places.of_result(first["trust_code"], figure)
            case.add(
                place,
                f"{len(group)} of {len(mine)} {called}s of {trust_type}s do not follow from {FOLLOWS[quantity]} (first: "
                f"{case.who(first['trust_code'])}, {first['published']:g} against {first['rebuilt']:g}); a trust is "
                "missing or has been added, so get the whole file again",
            )
            continue
        for row in (named if len(named) else group).itertuples(index=False):
            add_result(case, row, quantity)
