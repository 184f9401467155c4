"""Segments and league ranks made again from averages, flags and unadjusted segments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from nofcore import league, reproduce, scoring
from nofcore.checks.case import ALIKE, Case, differs
from nofcore.checks.figures import FOLLOWS, RESULTS, add_result
from nofcore.checks.order import out_of_order
from nofcore.reproduce import FROM_RESULTS, FROM_VALUES

FROM_UNADJUSTED = "published unadjusted segment and deficit flag"


def judge(case: Case, rows: pd.DataFrame):
    rows = pd.concat([rows, _from_unadjusted(case)])
    rows = rows[~rows["start"].eq(FROM_VALUES)]
    for quantity in ("unadjusted segment", "segment", "league rank", "rank on the average"):
        mine = rows[rows["quantity"] == quantity]
        for start, table in mine.groupby("start", sort=False):
            case.tally(quantity, start, table)
        off = mine[mine.assign(off=differs(mine)).groupby("trust_code")["off"].transform("all").astype(bool)]
        off = off.drop_duplicates("trust_code")
        if "rank" in quantity:
            _contradicted_ranks(case, off, quantity)
        else:
            for row in off.itertuples(index=False):
                if quantity == "segment" and _by_flag(case, row) and not _contradicts_rank(case, row.trust_code, rows):
                    _flag_behind(case, row)
                else:
                    add_result(case, row, quantity)


def _by_flag(case: Case, row) -> bool:
    """Whether the other flag would bring the published segment nearer: an override only makes a segment worse."""
    rule, flag = case.framework.override, case.release.league.at[row.trust_code, "in_deficit"]
    if rule is None or rule.flag_if or np.isnan(flag):
        return False
    subject = not rule.trust_types or row.trust_type in rule.trust_types
    return subject and (row.published < row.rebuilt if flag else row.published > row.rebuilt)


def _contradicts_rank(case: Case, code: str, rows: pd.DataFrame) -> bool:
    """Whether the published league rank speaks against the published segment."""
    ranks = rows[(rows["quantity"] == "league rank") & (rows["start"] == FROM_RESULTS) & (rows["trust_code"] == code)]
    return bool(differs(ranks).any()) or ranks.empty


def _flag_behind(case: Case, row):
    """The segment does not follow from the flag, and the league rank bears the segment out."""
    file, line, column = case.places.of_result(row.trust_code, "in_deficit")
    case.add(
        (file, line, column),
        f"{case.who(row.trust_code)}: by this deficit flag the segment would be {row.rebuilt:g}, and it is published as "
        f"{row.published:g}, with a league rank that agrees; correct the one that is wrong",
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


def _contradicted_ranks(case: Case, off: pd.DataFrame, quantity: str):
    figure, called = RESULTS[quantity]
    held = case.release.league.join(case.release.trusts["trust_type"])
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
