"""One trust on one page: where it stands, how sure that is, what it rests on, and who to learn from.

`profile` takes one trust out of what all profiles of the quarter share (`nofcore.profile_study`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nofcore import league, profile_study, trusts
from nofcore.at_best import averages_at_best
from nofcore.defaults import DRAWS, SEED
from nofcore.framework import Framework
from nofcore.incentives import OPEN, NextSegment
from nofcore.learning import Lesson, foretold, lesson
from nofcore.profile_study import Study
from nofcore.release import Archive

ENDS = 3
"""Metrics named as best and as worst, at most; never more than half of them."""
LESSONS = 3
"""Worst metrics for which others to learn from are looked for, at most."""


@dataclass(frozen=True, eq=False)
class Profile:
    """One trust in one quarter.

    ``standing``: its row of the league table; ``of``: ranked trusts of its type; ``range``: its row of
    `RankUncertainty.table`, None where there is none, for the reason ``why_no_range``; ``shares``: of draws at each rank,
    from 1; ``told``: others of its type, and how many it can be told apart from: ahead, behind, unsure; ``path``:
    its rows of `nofcore.profile_study.Ranges`, and a row with NaN for each quarter at hand in which it is not ranked;
    ``domains``, ``metrics``: its rows of `nofcore.metric_standing`; ``best``, ``worst``: some of the metrics, best and worst first;
    ``method``: a row per scenario that says something of it (name, question, rank, segment, places gained), the official
    rules left out; ``method_range``: its row of `Sensitivity.ranges`; ``way``: its row of `NextSegment.table`; ``ways``: the whole, or
    why there is none; ``margin``: points by which its average may rise before its own segment gets worse, NaN where
    that cannot happen or the cut-offs are not known; ``up``: (segment, points): the next better segment and what the average
    would have to fall by to enter it if no override held, None in the best one or where the cut-offs are not known;
    ``unadjusted``: the segment before the override, where it is not published that of the average by the cut-offs, NaN where neither is known; ``flag``: how its override flag is known (`nofcore.flags`), "" where there are no rules to ask;
    ``at_best``: metrics that would bring the next segment at their best score, each alone and all else as it is (metric_id), None where that is not known;
    ``lessons``: for the worst metrics; ``foretold``: of `nofcore.learning.foretold` for its subtype.
    """

    code: str
    study: Study
    standing: pd.Series
    of: int
    range: pd.Series | None
    why_no_range: str
    shares: pd.Series | None
    told: pd.Series | None
    path: pd.DataFrame
    domains: pd.DataFrame
    metrics: pd.DataFrame
    best: pd.DataFrame
    worst: pd.DataFrame
    method: pd.DataFrame
    method_range: pd.Series | None
    way: pd.Series | None
    ways: NextSegment | str
    margin: float
    up: tuple[int, float] | None
    unadjusted: float
    flag: str
    at_best: tuple[str, ...] | None
    lessons: tuple[Lesson, ...]
    foretold: float

    @property
    def name(self) -> str:
        return self.standing["trust_name"]

    @property
    def trust_type(self) -> str:
        return self.standing["trust_type"]

    @property
    def subtype(self) -> str:
        return self.standing["trust_subtype"]

    @property
    def has_subtype(self) -> bool:
        """Whether it is of a subtype with others, which is not all of its type."""
        rows = self.domains
        return bool(self.subtype and (rows["n_subtype"] > 1).any() and (rows["n_subtype"] != rows["n_type"]).any())

    @property
    def quarter(self) -> str:
        return self.study.quarter

    @property
    def ranked(self) -> bool:
        return bool(pd.notna(self.standing["rank"]))


def read(
    archive: Archive, quarter: str, trust: str, own: Framework | None = None, draws: int = DRAWS, seed: int = SEED
) -> Profile:
    """The profile of a trust, by code or name (`nofcore.trusts.find`); the rest as for `profile_study.study`."""
    code = trusts.find(archive.release(quarter), trust, archive)
    return profile(profile_study.study(archive, quarter, own, draws, seed), code)


def profile(study: Study, code: str) -> Profile:
    """The profile of a trust of the quarter by its code. KeyError if there is no such trust."""
    standing = study.rebuilt.trusts.loc[code]
    kind = study.rebuilt.of(standing["trust_type"])
    drawn, why_not = _range(study, code)
    metrics = study.metrics[study.metrics["trust_code"] == code].reset_index(drop=True)
    best, worst = ends(metrics)
    method, method_range = _method(study, standing, code)
    way = _way(study, code)
    return Profile(
        code, study, standing, int(kind["rank"].notna().sum()), drawn, why_not,
        None if drawn is None else study.ranges.shares.loc[code], None if drawn is None else study.ranges.told.loc[code],
        _path(study, code), study.domains[study.domains["trust_code"] == code].reset_index(drop=True), metrics, best, worst,
        method, method_range, way, study.ways, _margin(study, standing), _up(study, standing),
        _unadjusted(study, standing), study.flags.get(code, ""), _at_best(study, way, metrics),
        tuple(_lesson(study, row) for _, row in worst.iloc[:LESSONS].iterrows()), _foretold(study, standing),
    )  # fmt: skip


def _range(study: Study, code: str) -> tuple[pd.Series | None, str]:
    table = study.ranges.table
    if table is None:
        return None, study.ranges.why_not.removeprefix(f"{study.quarter}: ")
    if code not in table.index:
        return None, f"it is not ranked in {study.quarter}"
    row = table.loc[code]
    if not np.isnan(row["rank_low"]):
        return row, ""
    if not study.rebuilt.trusts.at[code, "recomputed"]:
        return None, profile_study.without_rows(study.quarter, row["trust_type"])
    return None, "its scores do not differ, or there is only one, so draws show no spread; that is no certainty"


def ends(metrics: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The best and the worst metrics of a trust: up to `ENDS` of those that enter the average, at most half of them each.

    By score; of equal scores the one further ahead, or behind, in its pool (the middle of the places it shares); then in the order of the framework. A combined
    score stands for the metrics it is read from, as in the average.
    """
    rows = metrics[metrics["score"].notna() & metrics["averaged"]]
    share = (((rows["rank"] + rows["rank_last"]) / 2 - 1) / (rows["of"] - 1).clip(lower=1)).fillna(0.5)
    rows = rows.assign(share=share, points=rows["score"].round(2))
    count = min(ENDS, len(rows) // 2)
    ordered = rows.sort_values(["points", "share"], kind="stable").drop(columns=["share", "points"])
    return ordered.iloc[:count], ordered.iloc[::-1].iloc[:count]


def _path(study: Study, code: str) -> pd.DataFrame:
    rows = study.ranges.path
    mine = rows[rows["trust_code"] == code].set_index("quarter")
    return mine.reindex(list(study.quarters)).rename_axis("quarter").reset_index()


def _method(study: Study, standing: pd.Series, code: str) -> tuple[pd.DataFrame, pd.Series | None]:
    found = study.method.get(standing["trust_type"])
    if found is None or code not in found.ranks.index:
        return pd.DataFrame(columns=["name", "question", "rank", "segment", "gained"]), None
    keys = list(found.ranks.columns[1:])
    rows = found.table.loc[keys, ["name", "question", "family"]].copy()
    rows["rank"], rows["segment"] = found.ranks.loc[code, keys], found.segments.loc[code, keys]
    rows["gained"] = found.ranks.at[code, "official"] - rows["rank"]
    return rows.dropna(subset="rank"), found.ranges.loc[code]


def _way(study: Study, code: str) -> pd.Series | None:
    if isinstance(study.ways, str):
        return None
    rows = study.ways.trusts
    mine = rows[rows["trust_code"] == code]
    return None if mine.empty else mine.iloc[0]


def _margin(study: Study, standing: pd.Series) -> float:
    """Points from the average to the end of the segment that the trust is in, as far as the average decides it."""
    cuts, place = _cut_offs(study, standing), _place(study, standing)
    if place is None:
        return np.nan
    # A trust that the override holds stays in its segment until its average is worse than that segment allows.
    last = max(int(standing["segment"]), place)
    return np.nan if last > len(cuts) else (np.floor(cuts[last - 1]) + 1 - int(standing["hundredths"])) / 100


def _cut_offs(study: Study, standing: pd.Series):
    return study.rebuilt.cut_offs.get(standing["trust_type"], study.rebuilt.cut_offs.get(""))


def _place(study: Study, standing: pd.Series) -> int | None:
    """The segment that the cut-offs give the average, None where they are not known or the trust has none."""
    cuts = _cut_offs(study, standing)
    if cuts is None or pd.isna(standing["segment"]):
        return None
    return int(league.segments(np.array(int(standing["hundredths"])), np.asarray(cuts)))


def _unadjusted(study: Study, standing: pd.Series) -> float:
    published, place = standing["unadjusted_segment"], _place(study, standing)
    return float(published) if pd.notna(published) or place is None else float(place)


def _up(study: Study, standing: pd.Series) -> tuple[int, float] | None:
    cuts, place = _cut_offs(study, standing), _place(study, standing)
    if place is None or place == 1:
        return None
    return place - 1, (int(standing["hundredths"]) - int(np.floor(cuts[place - 2]))) / 100


def _at_best(study: Study, way: pd.Series | None, metrics: pd.DataFrame) -> tuple[str, ...] | None:
    scores = metrics.dropna(subset="score").set_index("metric_id")["score"]
    if way is None or way["status"] != OPEN or scores.empty:
        return None
    found = averages_at_best(scores, study.rebuilt.framework)
    now = round((way["average"] - way["fall"]) * 100)
    return tuple(found.index[found <= now])


def _foretold(study: Study, standing: pd.Series) -> float:
    if study.rebuilt.items is None:
        return np.nan
    kind = study.rebuilt.of(standing["trust_type"])
    codes = kind.index[kind["trust_subtype"] == standing["trust_subtype"]]
    return foretold(study.rebuilt.items.values.reindex(codes).dropna(how="all").to_numpy(float))


def _lesson(study: Study, metric: pd.Series) -> Lesson:
    return lesson(
        metric, study.metrics, study.rebuilt.items.values, study.rebuilt.trusts, study.counts, study.rebuilt.framework
    )
