"""Several published files into one set of tables, with one rule for what two files say of one thing.

Files are taken from the oldest to the newest: by the latest quarter they hold, then by version.
Where two hold the same quarter, the later wins if their figures agree, or if its name says that it
is a re-issue ("-v2"); otherwise it is an error that names both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import pandas as pd

from nofcore.errors import InputError, Problem
from nofcore.framework import Framework
from nofcore.official import ATTRIBUTES, DATA_COLUMNS, SHOWN, OfficialFile

FrameworkOf = Callable[[str], Framework | None]

DATA_KEY = ["quarter", "trust_code", "metric_id"]
TRUST_KEY = ["quarter", "trust_code"]
BLOCK = ["quarter", "trust_type"]
DATA_FIGURES = ["value", "rank"]
RESULTS = ["average_score", "unadjusted_segment", "in_deficit", "segment", "rank", "score_rank"]
RANGES = ["score_low", "score_high", "rank_low", "rank_high"]
_REMEDY = "remove the file that is out of date, or let the name of a re-issue end in -v2"


@dataclass(frozen=True)
class Merged:
    """Tidy tables, and what a user should know.

    ``observations``, ``trusts`` and ``tables`` (rows of league-table files) carry the file and row
    each of their rows came from; ``league`` is the league table from the files of both kinds.
    """

    observations: pd.DataFrame
    trusts: pd.DataFrame
    tables: pd.DataFrame
    league: pd.DataFrame
    notes: tuple[str, ...]


def merge(files: Iterable[OfficialFile], framework_of: FrameworkOf) -> Merged:
    """Merge files of any kinds and quarters; their order does not matter.

    ``framework_of`` gives the rules of a quarter, which name the rows that hold NHS England's own
    results. Raises InputError where two files contradict each other.
    """
    notes: list[str] = []
    ordered = _without_superseded(sorted(files, key=_age), notes)
    trusts = _trusts(ordered)
    data = _merge([f.rows for f in ordered if f.kind == "data"], DATA_KEY, DATA_FIGURES)
    tables = _merge([f.rows for f in ordered if f.kind == "league table"], TRUST_KEY, [*RESULTS, *RANGES])
    versions = {file.path.name: file.version for file in ordered}
    return Merged(data, trusts, tables, _league(_results(data, framework_of), tables, versions), tuple(notes))


def _age(file: OfficialFile) -> tuple:
    latest = max((quarter[3:7], quarter[1]) for quarter in file.rows["quarter"].unique())
    return latest, file.version, file.path.name


def _without_superseded(files: list[OfficialFile], notes: list[str]) -> list[OfficialFile]:
    """The files without what a later re-issue of the same kind replaces: all rows of its quarters and types."""
    kept = []
    for place, file in enumerate(files):
        rows = file.rows
        for later in files[place + 1 :]:
            if later.version > 1 and later.kind == file.kind:
                replaced = _in(rows, later.rows, BLOCK)
                notes += [f"{file.path.name}: superseded by the re-issue {later.path.name}"] * bool(replaced.any())
                rows = rows[~replaced]
        kept.append(replace(file, rows=rows))
    return kept


def _in(rows: pd.DataFrame, others: pd.DataFrame, key: list[str]):
    """Which rows have a key that occurs in the others."""
    return pd.MultiIndex.from_frame(rows[key]).isin(pd.MultiIndex.from_frame(others[key].drop_duplicates()))


def _merge(frames: list[pd.DataFrame], key: list[str], figures: list[str]) -> pd.DataFrame:
    """Rows of the files; of rows that two of them hold, which must agree, the later."""
    merged = _empty(key, figures)
    for rows in frames:
        if merged.empty:
            merged = rows
            continue
        both = _in(merged, rows, key)
        if both.any():
            _require_agreement(merged, rows, key, [name for name in figures if name in rows])
        merged = pd.concat([merged[~both], rows], ignore_index=True)
    return merged


def _empty(key: list[str], figures: list[str]) -> pd.DataFrame:
    text = dict.fromkeys([*key, *ATTRIBUTES, *DATA_COLUMNS.values(), "file"], str)
    return pd.DataFrame(columns=[*text]).astype(text).assign(**dict.fromkeys(figures, 0.0), row=0)


def _require_agreement(earlier: pd.DataFrame, later: pd.DataFrame, key: list[str], figures: list[str]) -> None:
    """Two files that hold the same trust and quarter must hold the same rows with the same figures."""
    pair = earlier.merge(later, on=key, how="outer", suffixes=("", "_later"), indicator=True)
    pair = pair[_in(pair, pair[pair["_merge"] == "both"], TRUST_KEY)]
    differs = pair["_merge"] != "both"
    for name in figures:
        mine, theirs = pair[name], pair[f"{name}_later"]
        # A rank or range that only one file gives contradicts nothing; a missing value does.
        known = mine.notna() & theirs.notna() if name != "value" else mine.notna() | theirs.notna()
        differs |= known & (mine != theirs)
    if differs.any():
        raise InputError(_contradiction(pair[differs], key, figures, earlier, later))


def _contradiction(pairs: pd.DataFrame, key: list[str], figures: list[str], earlier, later) -> Problem:
    """One problem for all rows in which two files differ: the first of them, and how many there are."""
    pairs = pairs.sort_values(["file", "row", "file_later", "row_later"])
    first = pairs.iloc[0]
    column, others = None, f" ({len(pairs)} rows differ)" if len(pairs) > 1 else ""
    if first["_merge"] == "both":
        name = next(name for name in figures if not _same(first[name], first[f"{name}_later"]))
        column = SHOWN.get(name)
        there = f"{_said(first[f'{name}_later'])} in {first['file_later']}, row {first['row_later']:.0f}"
        said = f"{_said(first[name])} against {there}"
    else:
        lacking = later if first["_merge"] == "left_only" else earlier
        holder = lacking[(lacking[TRUST_KEY] == first[TRUST_KEY]).all(axis=1)]["file"].iat[-1]
        said = f"is missing from {holder}, which holds the same trust and quarter"
    file, row = ("file_later", "row_later") if first["_merge"] == "right_only" else ("file", "row")
    what = ", ".join(first[name] for name in key)
    return Problem(first[file], int(first[row]), column, f"{what}: {said}{others}; {_REMEDY}")


def _same(mine: float, theirs: float) -> bool:
    return mine == theirs or (pd.isna(mine) and pd.isna(theirs))


def _said(number: float) -> str:
    return "no figure" if pd.isna(number) else f"{number:.15g}"


def _trusts(files: list[OfficialFile]) -> pd.DataFrame:
    """One row a quarter and trust. The newest file decides a name, subtype or region; two types are an error."""
    said = [*TRUST_KEY, *ATTRIBUTES]
    different = [file.rows.drop_duplicates(said)[[*said, "file", "row"]] for file in files]
    rows = pd.concat([rows.astype(dict.fromkeys(ATTRIBUTES, "str")) for rows in different], ignore_index=True)
    problems = [*_in_two(rows, "trust_type", TRUST_KEY)]
    for name in ("trust_name", "trust_subtype", "region"):
        problems += _in_two(rows, name, [*TRUST_KEY, "file"])
    if problems:
        raise InputError(problems)
    return rows.drop_duplicates(TRUST_KEY, keep="last").reset_index(drop=True)


def _in_two(rows: pd.DataFrame, name: str, key: list[str]) -> Iterator[Problem]:
    """Trusts to which one quarter (or one quarter of a file) gives two different types, names, subtypes or regions."""
    different = rows.drop_duplicates([*key, name])
    different = different[different.duplicated(key, keep=False)]
    for _, group in different.groupby(key, sort=False) if len(different) else ():
        one, two = group.iloc[0], group.iloc[1]
        message = (
            f"trust {two['trust_code']} is listed as {two[name]!r} and, in {one['file']}, row {one['row']}, "
            f"as {one[name]!r} in {two['quarter']}; correct one of them"
        )
        yield Problem(two["file"], int(two["row"]), SHOWN[name], message)


def _results(data: pd.DataFrame, framework_of: FrameworkOf) -> pd.DataFrame:
    """NHS England's own results among the rows of the data files: a league table in long form, made wide.

    Besides each figure the column ``<figure>_row`` holds its row in the file.
    """
    columns = [*RESULTS, *_rows_of(RESULTS), "file"]
    frames = [pd.DataFrame(columns=[*TRUST_KEY, *columns]).set_index(TRUST_KEY)]
    for quarter in sorted(data["quarter"].unique()):
        if framework := framework_of(quarter):
            frames.append(_results_of(data, quarter, framework))
    filled = [frame for frame in frames if len(frame)] or frames
    return pd.concat(filled)[columns].astype(dict.fromkeys([*RESULTS, *_rows_of(RESULTS)], float))


def _rows_of(figures: list[str]) -> list[str]:
    return [f"{name}_row" for name in figures]


def _results_of(data: pd.DataFrame, quarter: str, framework: Framework) -> pd.DataFrame:
    ids = framework.identifiers
    wanted = {
        "average_score": (ids.average, "value"),
        "score_rank": (ids.average, "rank"),
        "unadjusted_segment": (ids.unadjusted_segment, "value"),
        "segment": (ids.segment, "value"),
        "rank": (ids.segment, "rank"),
        "in_deficit": (ids.override_flag, "value"),
    }
    rows = data[(data["quarter"] == quarter) & data["metric_id"].isin({metric_id for metric_id, _ in wanted.values()})]
    # A row given twice is reported by the schemas; here the first serves.
    rows = rows.drop_duplicates(DATA_KEY).set_index(TRUST_KEY)
    columns = {"file": rows["file"][~rows.index.duplicated()]}
    for name, (metric_id, column) in wanted.items():
        mine = rows[rows["metric_id"] == metric_id]
        columns |= {name: mine[column], f"{name}_row": mine["row"]}
    return pd.DataFrame(columns)


def _league(results: pd.DataFrame, tables: pd.DataFrame, versions: dict[str, int]) -> pd.DataFrame:
    """The league table from both kinds of file. Where a data file and a league-table file disagree, the one
    with the higher version is right; with equal versions it is an error that names both."""
    columns = [*RESULTS, *RANGES]
    tables = tables.drop_duplicates(TRUST_KEY).set_index(TRUST_KEY).reindex(columns=[*columns, "file", "row"])
    if tables.empty:
        return results.reindex(columns=columns).astype(float).reset_index()
    both = tables.index.intersection(results.index)
    mine, theirs = results.loc[both], tables.loc[both]
    lead = mine["file"].map(versions).to_numpy(dtype=int) - theirs["file"].map(versions).to_numpy(dtype=int)
    if problems := [*_conflicts(mine[lead == 0], theirs[lead == 0])]:
        raise InputError(problems)
    results = results.reindex(columns=columns).astype(float)
    league = tables[columns].astype(float).combine_first(results)
    return results.loc[both[lead > 0]].combine_first(league).reset_index()[[*TRUST_KEY, *columns]]


def _conflicts(results: pd.DataFrame, tables: pd.DataFrame) -> Iterator[Problem]:
    """Figures of which a data file and a league-table file, with the same index, say different things."""
    for name in RESULTS:
        differs = results[name].notna() & tables[name].notna() & (results[name] != tables[name])
        for quarter, code in results.index[differs]:
            one, two = results.loc[(quarter, code)], tables.loc[(quarter, code)]
            message = (
                f"{quarter}, {code}: {_said(two[name])} against {_said(one[name])} in {one['file']}, "
                f"row {one[f'{name}_row']:.0f}; {_REMEDY}"
            )
            yield Problem(two["file"], int(two["row"]), SHOWN[name], message)
