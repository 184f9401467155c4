"""What every release must satisfy, wherever it came from: pandera schemas, all problems at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import pandas as pd
import pandera.pandas as pa

from nofcore.errors import Problem
from nofcore.framework import Framework, newest, year_of
from nofcore.merge import DATA_KEY, TRUST_KEY, FrameworkOf
from nofcore.official import SHOWN, one_trust_type
from nofcore.wording import counted, slug


def _texts(good: Callable[[str], object], error: str) -> pa.Check:
    """A check of a text column that judges each different text once; there are far fewer of them than rows."""
    return pa.Check(lambda texts: texts.isin([text for text in texts.unique() if good(text)]), error=error)


_CODE = _texts(re.compile(r"[A-Z0-9]{2,10}").fullmatch, "is not an organisation code; correct it, such as 'RJ1'")
_FILLED = _texts(bool, "is blank; fill it in")
_METRIC = _texts(
    re.compile(r"[!-~]*").fullmatch, "is not a metric identifier; write it without blanks and hidden signs"
)
_RANK = pa.Check(
    lambda rank: (rank >= 1) & (rank % 1 == 0),
    error="is not a rank; correct it, a rank is a whole number from 1",
    ignore_na=True,
)


def _within(low: float, high: float) -> pa.Check:
    return pa.Check.in_range(low, high, error=f"is outside {low:g} to {high:g}; correct it")


def _whole(low: int, high: int) -> pa.Check:
    return pa.Check.isin(range(low, high + 1), error=f"is none of {low} to {high}; correct it")


def _schema(**checks: pa.Check | list[pa.Check]) -> pa.DataFrameSchema:
    columns = {name: pa.Column(checks=check, nullable=True, coerce=False) for name, check in checks.items()}
    return pa.DataFrameSchema(columns)


_OBSERVATIONS = _schema(trust_code=_CODE, metric_id=[_FILLED, _METRIC], rank=_RANK)
_TRUSTS = _schema(trust_code=_CODE, trust_name=_FILLED, trust_type=_FILLED)


def problems(
    observations: pd.DataFrame,
    trusts: pd.DataFrame,
    tables: pd.DataFrame,
    framework_of: FrameworkOf,
    shown: Mapping[str, str] | None = None,
) -> list[Problem]:
    """Everything that is wrong with a set of tidy tables (each with columns file and row).

    ``tables``: rows of league tables; ``framework_of``: the rules by which a quarter was published;
    ``shown``: what a column is called in the files, where that is not its tidy name.
    """
    found = [
        *_failures(_TRUSTS, trusts),
        *_failures(_OBSERVATIONS, observations),
        *_doubled(trusts, TRUST_KEY),
        *_doubled(observations, DATA_KEY),
        *_doubled(tables, TRUST_KEY),
        *_unknown_trusts(observations, trusts),
        *_unknown_trusts(tables, trusts),
    ]
    for year in dict.fromkeys(map(year_of, trusts["quarter"].unique())):
        quarters = [quarter for quarter in trusts["quarter"].unique() if year_of(quarter) == year]
        framework = framework_of(quarters[-1])
        found += _of_year(*(frame[frame["quarter"].isin(quarters)] for frame in (observations, tables)), framework)
        mine = trusts[trusts["quarter"].isin(quarters)]
        found += [*_two_spellings(mine, framework), *_swapped(mine, framework or newest())]
    names = shown or {}
    # Each once and in order: a million are sorted far sooner so than out of a set.
    once = dict.fromkeys(replace(one, column=names[one.column]) if one.column in names else one for one in found)
    return sorted(once, key=lambda problem: (problem.file, problem.row or 0, problem.column or "", problem.message))


def _of_year(observations, tables, framework: Framework | None) -> Iterator[Problem]:
    """What is wrong with the figures of a year. Of a year without rules only its league tables can be judged,
    by the newest rules there are: the scale and the number of segments have not changed so far."""
    yield from _failures(_league_schema(framework or newest()), tables)
    for ids, check in _value_checks(framework) if framework else ():
        yield from _failures(_schema(value=check), observations[observations["metric_id"].isin(ids)])


def _two_spellings(trusts: pd.DataFrame, framework: Framework | None) -> Iterator[Problem]:
    """Trust types that differ only in letters' case or the like: their trusts would fall into two pools."""
    names = {slug(name): name for name in framework.trust_types} if framework else {}
    for place in trusts.drop_duplicates("trust_type")[["file", "row", "trust_type"]].itertuples(index=False):
        known = names.setdefault(slug(place.trust_type), place.trust_type)
        if known != place.trust_type:
            message = f"{place.trust_type!r} is another spelling of {known!r}; write it so"
            yield Problem(place.file, int(place.row), "trust_type", message)


def _swapped(trusts: pd.DataFrame, framework: Framework) -> Iterator[Problem]:
    """Trust types that stand in another column, with that column's text in their place: once a file and column."""
    known = {slug(name) for name in framework.trust_types}
    spelt = set(framework.trust_types)  # in full: "Ambulance" is a subtype too
    rows = trusts[~trusts["trust_type"].map(slug).isin(known)]
    in_region = rows["region"].map(one_trust_type).map(slug).isin(known)
    for column, mine in (("region", in_region), ("trust_subtype", ~in_region & rows["trust_subtype"].isin(spelt))):
        for file, group in rows[mine].groupby("file", sort=False):
            first = group.sort_values("row").iloc[0]
            message = (
                f"{first['trust_type']!r} of {first['trust_code']} is no trust type that the rules know, and {first[column]!r} in "
                f"{SHOWN[column]} is one ({counted(len(group), 'such trust')}); the columns are swapped, so put each under its name"
            )
            yield Problem(file, int(first["row"]), "trust_type", message)


def _value_checks(framework: Framework) -> list[tuple[Iterable[str], pa.Check]]:
    """(metric identifiers, what their values must satisfy) for the scores and results of a year."""
    scale, ids = framework.scale, framework.identifiers
    scores = {*framework.score_ids, *(domain.score for domain in framework.domain), ids.average}
    segments = {*(domain.segment for domain in framework.domain), ids.segment, ids.unadjusted_segment}
    return [
        (scores, _within(scale.best, scale.worst)),
        (segments, _whole(1, framework.segment_count)),
        ({ids.override_flag}, _whole(0, 1)),
    ]


def _league_schema(framework: Framework) -> pa.DataFrameSchema:
    score = _within(framework.scale.best, framework.scale.worst)
    segment = _whole(1, framework.segment_count)
    return _schema(
        average_score=score,
        segment=segment,
        unadjusted_segment=segment,
        in_deficit=_whole(0, 1),
        rank=_RANK,
        score_rank=_RANK,
        score_low=score,
        score_high=score,
        rank_low=_RANK,
        rank_high=_RANK,
    )


def _unknown_trusts(rows: pd.DataFrame, trusts: pd.DataFrame) -> Iterator[Problem]:
    known = pd.MultiIndex.from_frame(trusts[["quarter", "trust_code"]])
    strangers = ~pd.MultiIndex.from_frame(rows[["quarter", "trust_code"]]).isin(known)
    for file, row, code in rows.loc[strangers, ["file", "row", "trust_code"]].itertuples(index=False):
        yield Problem(file, int(row), "trust_code", f"trust {code} is not in the list of trusts of the quarter")


def _doubled(rows: pd.DataFrame, key: list[str]) -> Iterator[Problem]:
    """Rows whose key has stood before. (pandera's own check of this lists every row once for each column of the key.)"""
    again = rows.loc[rows.duplicated(key), ["file", "row", *key]]
    for file, row, *what in zip(*(again[name].to_numpy(object) for name in again), strict=True):
        yield Problem(file, int(row), None, f"a second row for {', '.join(what)}; remove one of the two")


def _failures(schema: pa.DataFrameSchema, frame: pd.DataFrame) -> Iterator[Problem]:
    if frame.empty:
        return
    absent = [name for name in schema.columns if name not in frame]
    judged = [name for name in frame if name in schema.columns]
    try:
        schema.remove_columns(absent).validate(frame[judged].reset_index(drop=True), lazy=True, inplace=True)
    except pa.errors.SchemaErrors as errors:
        for (column, check), cases in errors.failure_cases.groupby(["column", "check"], sort=False):
            yield from _problems(column, check, frame.iloc[cases["index"].astype(int)])


def _problems(column: str, check: str, rows: pd.DataFrame) -> Iterator[Problem]:
    """What is wrong with a column of rows, each with what the row is about."""
    metrics = rows["metric_id"] if "metric_id" in rows else [None] * len(rows)
    places = (rows[name].to_numpy(object) for name in ("file", "row", "trust_code", "quarter", column))
    for metric_id, file, row, code, quarter, wrong in zip(metrics, *places, strict=True):
        what = repr(wrong) if isinstance(wrong, str) else f"{wrong:.15g}"
        of_trust = f"{metric_id} of " if metric_id is not None else ""
        about = "" if column == "trust_code" else f" ({of_trust}{code}, {quarter})"
        yield Problem(file, int(row), column, f"{what}{about} {check}")
