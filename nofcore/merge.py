"""Several published files into one set of tables, with one rule for what two files say of one thing.

Files are taken from the oldest to the newest: by the latest quarter they hold, then by version.
Where two hold the same quarter, the newer wins if their figures and units agree, or if its name says
that it is a re-issue ("-v2"); otherwise it is an error that names both. That a main figure (a value; an
average score, segment, rank or flag of a league table) is missing is said as much as any figure is: two
files of one kind contradict each other where one of them suppresses what the other gives. What not every
file gives (the rank or unit of a row of data, a likely range) is taken from the one that does, and so is
what only a data file or only a league-table file gives, as each kind makes up for the other. A period, name, subtype or region of which they say
different things contradicts no figure: that of the newer file is taken and, of files that are equally
new, the first in the alphabet. So nothing rests on how files are called, but for the version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter

import pandas as pd

from nofcore.errors import InputError, Problem
from nofcore.framework import Framework
from nofcore.official import ATTRIBUTES, DATA_COLUMNS, SHOWN, OfficialFile

FrameworkOf = Callable[[str], Framework | None]

DATA_KEY = ["quarter", "trust_code", "metric_id"]
TRUST_KEY = ["quarter", "trust_code"]
BLOCK = ["quarter", "trust_type"]
RESULTS = ["average_score", "unadjusted_segment", "in_deficit", "segment", "rank", "score_rank"]
RANGES = ["score_low", "score_high", "rank_low", "rank_high"]
_MAIN, _OPTIONAL = True, False
_DATA_FIGURES = {"value": _MAIN, "rank": _OPTIONAL, "unit": _OPTIONAL}
_TABLE_FIGURES = dict.fromkeys(RESULTS, _MAIN) | dict.fromkeys(RANGES, _OPTIONAL)
_Age = tuple[tuple[str, str], int]


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
    ordered = sorted(files, key=_in_order)
    ages = [_age(file) for file in ordered]
    kept = zip(ages, _without_superseded(ordered, notes), strict=True)
    alike = [[file for _, file in group] for _, group in groupby(kept, key=itemgetter(0))]
    trusts = _trusts(alike, notes)
    versions = {file.path.name: file.version for file in ordered}
    by_name = {file.path.name: age for file, age in zip(ordered, ages, strict=True)}
    data = _merge(alike, _Kind("data", DATA_KEY, _DATA_FIGURES, by_name), notes)
    tables = _merge(alike, _Kind("league table", TRUST_KEY, _TABLE_FIGURES, by_name), notes)
    return Merged(data, trusts, tables, _league(_results(data, framework_of), tables, versions), tuple(notes))


@dataclass(frozen=True)
class _Kind:
    """What it takes to merge the files of one kind: the key of a row, its figures, each main or optional, and the age of each
    file by its name."""

    name: str
    key: list[str]
    figures: Mapping[str, bool]
    ages: Mapping[str, _Age]


def _age(file: OfficialFile) -> _Age:
    latest = max((quarter[3:7], quarter[1]) for quarter in file.rows["quarter"].unique())
    return latest, file.version


def _in_order(file: OfficialFile) -> tuple:
    """By age; of files of one age the one that gives most ranks and ranges is last, as places are named after it."""
    optional = [name for name in ("rank", *RANGES) if name in file.rows]
    return *_age(file), int(file.rows[optional].count().sum()), file.path.name


def _without_superseded(files: list[OfficialFile], notes: list[str]) -> list[OfficialFile]:
    """The files without what a later re-issue of the same kind replaces: all rows of its quarters and types."""
    kept = []
    for place, file in enumerate(files):
        rows = file.rows
        for later in files[place + 1 :]:
            # Two re-issues of one age must agree: nothing but their names would tell which of them is right.
            if later.version > 1 and later.kind == file.kind and _age(later) > _age(file):
                replaced = _in(rows, later.rows, BLOCK)
                notes += [f"{file.path.name}: superseded by the re-issue {later.path.name}"] * bool(replaced.any())
                rows = rows[~replaced]
        kept.append(replace(file, rows=rows))
    return kept


def _in(rows: pd.DataFrame, others: pd.DataFrame, key: list[str]):
    """Which rows have a key that occurs in the others."""
    return pd.MultiIndex.from_frame(rows[key]).isin(pd.MultiIndex.from_frame(others[key].drop_duplicates()))


def _merge(alike: list[list[OfficialFile]], kind: _Kind, notes: list[str]) -> pd.DataFrame:
    """Rows of the files of one kind; of rows that two of them hold, which must agree, the newer.

    ``alike``: the files of one age together, the oldest first.
    """
    merged = _empty(kind)
    for files in alike:
        rows = _empty(kind)
        for file in files:
            if file.kind == kind.name:
                rows = _joined(rows, file.rows, kind, newer=False, notes=notes)
        merged = _joined(merged, rows, kind, newer=True, notes=notes)
    return merged


def _joined(earlier, later, kind: _Kind, newer: bool, notes: list[str]) -> pd.DataFrame:
    """Rows of two files; of those that both hold the later, and from the earlier what only that gives.

    ``newer``: whether the later is the newer; else both are equally new.
    """
    if earlier.empty or later.empty:
        return earlier if later.empty else later
    key = kind.key
    both = _in(earlier, later, key)
    if both.any():
        figures = [name for name in kind.figures if name in later]  # the same of all files of a kind
        _require_agreement(earlier, later, kind, figures)
        # The rows of the earlier in the order of the later; a row given twice is reported by the schemas.
        mine = earlier[both].drop_duplicates(key).set_index(key).reindex(pd.MultiIndex.from_frame(later[key]))
        mine = mine.set_axis(later.index)
        later = later.assign(**{name: later[name].where(_known(later[name]), mine[name]) for name in figures})
        if key == DATA_KEY:
            later = later.assign(period=_one_period(mine, later, newer, notes))
    return pd.concat([earlier[~both], later], ignore_index=True)


def _known(figures: pd.Series) -> pd.Series:
    return figures.notna() & (figures != "")


def _one_period(earlier: pd.DataFrame, later: pd.DataFrame, newer: bool, notes: list[str]) -> pd.Series:
    """The periods of rows that two files hold; what they say differently is told."""
    mine, theirs = earlier["period"], later["period"]
    differs = _known(mine) & _known(theirs) & (mine != theirs)
    chosen = theirs.where(_known(theirs) | mine.isna(), mine)
    if differs.any():
        chosen = chosen if newer else chosen.mask(differs & (mine < theirs), mine)
        pair = earlier[differs].add_suffix("_earlier").join(later[differs])
        first = pair.sort_values([*TRUST_KEY, "metric_id"]).iloc[0]
        notes.append(_told_of(first, "period", ", ".join(first[DATA_KEY]), int(differs.sum()), newer))
    return chosen


def _told_of(pair: pd.Series, name: str, what: str, count: int, newer: bool) -> str:
    """What two files say differently of one thing, and which of them is heeded."""
    said = sorted(
        f"{pair[name + end]!r} in {pair['file' + end]}, row {pair['row' + end]:.0f}" for end in ("_earlier", "")
    )
    rule = f"that of {pair['file']}, the newer file," if newer else "the first in the alphabet"
    others = f" (so in {count:,} places)" if count > 1 else ""
    return f"{what}: {SHOWN[name]} is {' and '.join(said)}; {rule} is taken{others}"


def _empty(kind: _Kind) -> pd.DataFrame:
    text = dict.fromkeys([*kind.key, *ATTRIBUTES, *DATA_COLUMNS.values(), "file"], str)
    numbers = dict.fromkeys((name for name in kind.figures if name != "unit"), 0.0)
    return pd.DataFrame(columns=[*text]).astype(text).assign(**numbers, row=0)


def _require_agreement(earlier: pd.DataFrame, later: pd.DataFrame, kind: _Kind, figures: list[str]) -> None:
    """Two files that hold the same trust and quarter must hold the same rows with the same figures."""
    pair = earlier.merge(later, on=kind.key, how="outer", suffixes=("", "_later"), indicator=True)
    pair = pair[_in(pair, pair[pair["_merge"] == "both"], TRUST_KEY)]
    differs = pair["_merge"] != "both"
    for name in figures:
        differs |= _differs(pair, name, kind)
    if differs.any():
        raise InputError(_contradiction(pair[differs], kind, figures, earlier, later))


def _differs(pair: pd.DataFrame, name: str, kind: _Kind) -> pd.Series:
    """An optional figure that only one file gives contradicts nothing; a main one does."""
    mine, theirs = pair[name], pair[f"{name}_later"]
    known = _known(mine) | _known(theirs) if kind.figures[name] is _MAIN else _known(mine) & _known(theirs)
    return known & (mine != theirs)


def _contradiction(pairs: pd.DataFrame, kind: _Kind, figures: list[str], earlier, later) -> Problem:
    """One problem for all rows in which two files differ: the first of them, and how many there are."""
    pairs = pairs.sort_values(["file", "row", "file_later", "row_later"])
    first = pairs.iloc[0]
    column, others = None, f" ({len(pairs)} rows differ)" if len(pairs) > 1 else ""
    if first["_merge"] == "both":
        name = next(name for name in figures if _differs(pairs.iloc[:1], name, kind).item())
        column, files = SHOWN.get(name), (first["file"], first["file_later"])
        mine, theirs = (_said(first[shown], name, kind.name) for shown in (name, f"{name}_later"))
        said = f"{mine} against {theirs} in {first['file_later']}, row {first['row_later']:.0f}"
    else:
        lacking = later if first["_merge"] == "left_only" else earlier
        holder = lacking[(lacking[TRUST_KEY] == first[TRUST_KEY]).all(axis=1)]["file"].iat[-1]
        said = f"is missing from {holder}, which holds the same trust and quarter"
        files = (holder, first["file" if first["_merge"] == "left_only" else "file_later"])
    file, row = ("file_later", "row_later") if first["_merge"] == "right_only" else ("file", "row")
    what = ", ".join(first[name] for name in kind.key)
    remedy = _remedy(*sorted((kind.ages[name], name) for name in files))
    return Problem(first[file], int(first[row]), column, f"{what}: {said}{others}; {remedy}")


def _remedy(older: tuple[_Age, str], newer: tuple[_Age, str]) -> str:
    """What to do about two files of one kind. A re-issue wins over files whose latest quarter is no later than its own, so the
    name of a file that ends sooner cannot help it, whatever its version."""
    ((older_latest, _), _), ((latest, version), name) = older, newer
    return _way_out(version, None if older_latest == latest else name)


def _way_out(version: int, only: str | None = None) -> str:
    """``version``: the highest that a name says so far; ``only``: the one file of the two that a higher one would help."""
    if only is None:
        return f"remove the file that is out of date, or let the name of the re-issue end in -v{version + 1}"
    return f"remove the file that is out of date, or, if {only} is the re-issue, let its name end in -v{version + 1}"


def _said(figure: float | str, name: str, kind: str) -> str:
    """A figure as the files of a kind write it."""
    if isinstance(figure, str):
        return repr(figure)
    if name == "in_deficit" and kind == "league table" and not pd.isna(figure):
        return "Yes" if figure else "No"
    return "no figure" if pd.isna(figure) else f"{figure:.15g}"


def _trusts(alike: list[list[OfficialFile]], notes: list[str]) -> pd.DataFrame:
    """One row a quarter and trust. The newest file decides a name, subtype or region; two types are an error."""
    said = [*TRUST_KEY, *ATTRIBUTES]
    different = [
        file.rows.drop_duplicates(said)[[*said, "file", "row"]].assign(age=age)
        for age, files in enumerate(alike)
        for file in files
    ]
    rows = pd.concat([rows.astype(dict.fromkeys(ATTRIBUTES, "str")) for rows in different], ignore_index=True)
    problems = [*_in_two(rows, "trust_type", TRUST_KEY)]
    for name in ("trust_name", "trust_subtype", "region"):
        problems += _in_two(rows, name, [*TRUST_KEY, "file"])
    if problems:
        raise InputError(problems)
    newest = rows[rows["age"] == rows.groupby(TRUST_KEY)["age"].transform("max")]
    # The first name in the alphabet; that is a blank one, which the schemas report at its place.
    newest = newest.sort_values("trust_name", ascending=False, kind="stable")
    trusts = newest.drop(columns="age").drop_duplicates(TRUST_KEY, keep="last").set_index(TRUST_KEY)
    for name in ATTRIBUTES:
        filled = newest[newest[name] != ""].sort_values([name, "file"]).drop_duplicates([*TRUST_KEY, name])
        notes += _told_twice(filled[filled.duplicated(TRUST_KEY, keep=False)], name)
        if name != "trust_name":
            chosen = filled.drop_duplicates(TRUST_KEY).set_index(TRUST_KEY)[name]
            trusts[name] = chosen.reindex(trusts.index, fill_value="")
    return trusts.reset_index()


def _told_twice(rows: pd.DataFrame, name: str) -> Iterator[str]:
    """A line on what equally new files say differently of trusts."""
    if len(rows):
        (quarter, code), group = next(iter(rows.groupby(TRUST_KEY)))
        pair = pd.concat([group.iloc[0].add_suffix("_earlier"), group.iloc[1]])
        yield _told_of(pair, name, f"{quarter}, {code}", len(rows.drop_duplicates(TRUST_KEY)), newer=False)


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
    if problems := [*_conflicts(mine[lead == 0], theirs[lead == 0], versions)]:
        raise InputError(problems)
    results = results.reindex(columns=columns).astype(float)
    league = tables[columns].astype(float).combine_first(results)
    return results.loc[both[lead > 0]].combine_first(league).reset_index()[[*TRUST_KEY, *columns]]


def _conflicts(results: pd.DataFrame, tables: pd.DataFrame, versions: Mapping[str, int]) -> Iterator[Problem]:
    """Figures of which a data file and a league-table file of equal versions, with the same index, say different things."""
    for name in RESULTS:
        differs = results[name].notna() & tables[name].notna() & (results[name] != tables[name])
        for quarter, code in results.index[differs]:
            one, two = results.loc[(quarter, code)], tables.loc[(quarter, code)]
            there = f"{_said(one[name], name, 'data')} in {one['file']}, row {one[f'{name}_row']:.0f}"
            message = (
                f"{quarter}, {code}: {_said(two[name], name, 'league table')} against {there}; "
                f"{_way_out(versions[two['file']])}"
            )
            yield Problem(two["file"], int(two["row"]), SHOWN[name], message)
