"""The figures of a quarter, from the embedded data or from NHS England's files, through one set of checks.

An `Archive` holds every quarter of one source; `Archive.release` gives one quarter as a `Release`.
Nothing downstream knows where the figures came from.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from nofcore import framework as rules
from nofcore import merge, official
from nofcore.errors import InputError
from nofcore.framework import Framework
from nofcore.wording import counted, slug

FOLDER = Path(__file__).with_name("data")
EMBEDDED = "the embedded data"

OBSERVATION_COLUMNS = ["quarter", "trust_code", "metric_id", "unit", "period", "value", "rank"]
TRUST_COLUMNS = ["quarter", "trust_code", "trust_name", "trust_type", "trust_subtype", "region"]
LEAGUE_COLUMNS = [
    "quarter", "trust_code", "average_score", "unadjusted_segment", "in_deficit", "segment", "rank",
    "score_rank", "score_low", "score_high", "rank_low", "rank_high",
]  # fmt: skip


@dataclass(frozen=True)
class Release:
    """One quarter's figures as published.

    ``observations``: trust_code, metric_id, unit, period, value, rank (within type), a row per
    trust and metric; value is NaN where it was suppressed.
    ``trusts``: indexed by trust_code; trust_name, trust_type, trust_subtype, region.
    ``league``: the published league table, indexed by trust_code like ``trusts``; NaN = not known.
    ``source``: what to call the source in words; ``inputs``: (file name, SHA-256) of what was read.
    """

    quarter: str
    observations: pd.DataFrame
    trusts: pd.DataFrame
    league: pd.DataFrame
    source: str
    inputs: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()

    @property
    def trust_types(self) -> tuple[str, ...]:
        """Trust types of the quarter, in alphabetical order."""
        return tuple(sorted(self.trusts["trust_type"].unique()))

    @cached_property
    def valued(self) -> pd.DataFrame:
        """The observations that have a value, with each trust's type in ``trust_type``."""
        rows = self.observations[self.observations["value"].notna()]
        return rows.assign(trust_type=rows["trust_code"].map(self.trusts["trust_type"]))


@dataclass(frozen=True)
class Archive:
    """Every quarter of one source, checked. `read` makes one."""

    observations: pd.DataFrame
    trusts: pd.DataFrame
    league: pd.DataFrame
    source: str
    inputs: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()

    @property
    def quarters(self) -> tuple[str, ...]:
        """Quarters held, oldest first."""
        return tuple(sorted(self.trusts["quarter"].unique(), key=quarter_order))

    def release(self, quarter: str) -> Release:
        """The figures of one quarter. InputError if the source does not hold it."""
        label = official.quarter_label(quarter)
        if label is None:
            raise InputError(f"{quarter!r} is not a quarter; write it like {official.FIRST_QUARTER!r}")
        if label not in self.quarters:
            raise InputError(f"{self.source} holds no figures for {label}; it holds {', '.join(self.quarters)}")
        trusts = self._of(self.trusts, label).set_index("trust_code").sort_index()
        league = self._of(self.league, label).set_index("trust_code").reindex(trusts.index)
        observations = self._of(self.observations, label).reset_index(drop=True)
        return Release(label, observations, trusts, league, self.source, self.inputs, self.notes)

    @staticmethod
    def _of(frame: pd.DataFrame, quarter: str) -> pd.DataFrame:
        return frame[frame["quarter"] == quarter].drop(columns="quarter")

    def latest(self, own: Framework | None = None) -> str:
        """The latest quarter with metric rows of all trust types of its framework, or the only quarter there is.

        InputError if there is none: the quarter must then be named.
        """
        for quarter in reversed(self.quarters):
            framework = framework_for(quarter, own)
            if framework and set(framework.trust_types) <= self._types_with_rows(quarter, framework):
                return quarter
        if len(self.quarters) == 1:
            return self.quarters[0]
        held = ", ".join(self.quarters)
        if not any(framework_for(quarter, own) for quarter in self.quarters):
            raise InputError(
                f"no rules are known for the years in {self.source}; name one of {held}, whose published figures serve, or give "
                "rules of your own with --framework"
            )
        rows = self.trusts["trust_type"].unique()
        listed = {kind for quarter in self.quarters if (of := framework_for(quarter, own)) for kind in of.trust_types}
        strange = "".join(f" ({kind!r} occurs in no row)" for kind in sorted(listed.difference(rows)))
        raise InputError(
            f"{self.source} holds no quarter with metric rows of all trust types of its rules{strange}; name one of {held}"
        )

    def _types_with_rows(self, quarter: str, framework: Framework) -> set[str]:
        rows = self._of(self.observations, quarter)
        codes = rows.loc[rows["metric_id"].isin(framework.scored_rows), "trust_code"].unique()
        trusts = self._of(self.trusts, quarter)
        return set(trusts.loc[trusts["trust_code"].isin(codes), "trust_type"])


def quarter_order(quarter: str) -> tuple[int, int]:
    """Sorts quarters in time: "Q4 2025/26" comes after "Q1 2025/26" and before "Q1 2026/27"."""
    return int(quarter[3:7]), int(quarter[1])


def trust_type_of(name: str, trust_types: Iterable[str], quarter: str = "") -> str:
    """The trust type with this name, short or full, of those of a quarter. InputError naming those there are."""
    known = {slug(trust_type): trust_type for trust_type in trust_types}
    if slug(name) not in known:
        where, more = (f" in {quarter}", "; --quarter names another quarter") if quarter else ("", "")
        raise InputError(f"no trust type {name!r}{where}; the figures hold {', '.join(sorted(known))}{more}")
    return known[slug(name)]


def framework_for(quarter: str, own: Framework | None = None) -> Framework | None:
    """The rules for a quarter: the user's own where given, else the kit's; None where it has none."""
    if own is not None and own.year == rules.year_of(quarter):
        return own
    return rules.for_quarter(quarter)


def read(data: Path | str | None = None, own: Framework | None = None) -> Archive:
    """Every quarter in a folder of NHS England's files, or the embedded data where ``data`` is None.

    Raises InputError with every problem found.
    """
    if data is None:
        return embedded() if own is None else _read_embedded(own)
    folder = Path(data)
    return read_files(official.csv_files(folder), f"the folder {folder.resolve().name}", own)


@lru_cache(maxsize=1)
def embedded() -> Archive:
    """The embedded data, checked with the kit's own frameworks."""
    return _read_embedded(None)


def embedded_table(name: str) -> pd.DataFrame:
    """One of the embedded tables (activity, league_tables, metrics, observations, trusts)."""
    table = pd.read_csv(FOLDER / f"{name}.csv", keep_default_na=False, na_values=[""])
    text = table.select_dtypes("str").columns
    return table.fillna(dict.fromkeys(text, ""))


def _read_embedded(own: Framework | None) -> Archive:
    frames = {}
    for name, columns in (
        ("observations", OBSERVATION_COLUMNS),
        ("trusts", TRUST_COLUMNS),
        ("league_tables", LEAGUE_COLUMNS),
    ):
        frame = embedded_table(name)[columns]
        frames[name] = frame.assign(file=f"{name}.csv", row=np.arange(len(frame)) + 2)
    inputs = tuple((f"{name}.csv", _sha256(FOLDER / f"{name}.csv")) for name in frames)
    # The record was made under the kit's own rules; a user's may judge figures of a year that these do not know.
    if (own is not None and own.year not in rules.shipped()) or inputs != checked_before():
        _check(frames["observations"], frames["trusts"], frames["league_tables"], own)
    return _archive(frames["observations"], frames["trusts"], frames["league_tables"], EMBEDDED, inputs)


def checked_before() -> tuple[tuple[str, str], ...]:
    """(file name, SHA-256) of the embedded tables as they were when they last passed the checks.

    Files that still are the same need not be checked at every start; a test checks them and this record.
    """
    try:
        with (FOLDER / "checked.csv").open(encoding="utf-8", newline="") as file:
            return tuple((row["file"], row["sha256"]) for row in csv.DictReader(file))
    except (OSError, KeyError, ValueError):
        return ()  # without a record the figures are checked


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_files(paths: Iterable[Path], source: str, own: Framework | None = None) -> Archive:
    """Every quarter in some of NHS England's files; ``source``: what to call them in words."""
    files, problems = [], []
    for path in paths:
        try:
            files.append(official.read_file(path))
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        raise InputError(problems)
    merged = merge.merge(files, lambda quarter: framework_for(quarter, own))
    inputs = tuple((file.path.name, file.sha256) for file in files)
    notes = (*merged.notes, *_suppressed(files))
    _check(merged.observations, merged.trusts, merged.tables, own, official.SHOWN)
    return _archive(merged.observations, merged.trusts, merged.league, source, inputs, notes)


def _suppressed(files: list[official.OfficialFile]) -> list[str]:
    return [
        f"{file.path.name}: {counted(file.suppressed, 'figure is', 'figures are')} missing or suppressed"
        for file in files
        if file.suppressed
    ]


def published_under(quarter: str, own: Framework | None = None) -> Framework | None:
    """The rules by which published figures can be right or wrong: the kit's where it has them, so that no "what if" of
    a user's own can make them wrong."""
    return rules.for_quarter(quarter) or framework_for(quarter, own)


def _check(observations, trusts, tables, own: Framework | None, shown=None) -> None:
    """Raise InputError with all that is wrong."""
    from nofcore import schemas  # pandera takes half a second to import; figures checked before do not need it

    if problems := schemas.problems(observations, trusts, tables, partial(published_under, own=own), shown):
        raise InputError(problems)


def _archive(observations, trusts, league, source, inputs, notes=()) -> Archive:
    return Archive(
        observations[OBSERVATION_COLUMNS],
        trusts[TRUST_COLUMNS],
        league[LEAGUE_COLUMNS],
        source,
        inputs,
        tuple(notes),
    )


def reference_averages(quarter: str, trust_types: Iterable[str]) -> pd.Series:
    """Published averages of a quarter from the embedded league tables, for the given trust types.

    Indexed by (trust_type, trust_code); empty where the kit does not hold them.
    """
    wanted = set(trust_types)
    tables = embedded_table("league_tables")
    tables = tables[(tables["quarter"] == quarter) & tables["trust_type"].isin(wanted)]
    return tables.set_index(["trust_type", "trust_code"])["average_score"].dropna()


def no_rules(quarter: str) -> str:
    """What to say where the rules of a quarter's year are not known to the kit."""
    return (
        f"{quarter}: the kit has no rules for {rules.year_of(quarter)}, so nothing could be recomputed; "
        "published averages and segments are ranked again"
    )
