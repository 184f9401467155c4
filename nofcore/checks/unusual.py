"""What is acceptable in a release, and should be known all the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from nofcore import periods, release
from nofcore.errors import one_line
from nofcore.framework import Framework
from nofcore.official import OfficialFile
from nofcore.release import Archive, Release
from nofcore.wording import counted

NAMED = 10
"""Things of one kind that are named; the rest are counted."""

KINDS = (
    "new trusts", "vanished trusts", "metric without a rule", "older period", "region spelt differently", "new region",
    "changed trust", "suppressed", "no figures",
)  # fmt: skip


@dataclass(frozen=True)
class Unusual:
    """Something acceptable that should be known: ``kind`` (one of `KINDS`), how many, in words, and where."""

    kind: str
    count: int
    message: str
    file: str | None = None
    quarter: str | None = None

    def as_dict(self) -> dict:
        """For JSON."""
        return {
            "kind": self.kind,
            "count": self.count,
            "message": one_line(self.message),
            "file": self.file,
            "quarter": self.quarter,
        }


def find(files: Iterable[OfficialFile], archive: Archive, own: Framework | None = None) -> list[Unusual]:
    """Everything unusual in some files, by quarter, then by file. ``own``: rules of the user's own, for their year."""
    files = tuple(files)
    found: list[Unusual] = []
    for quarter in archive.quarters:
        figures = archive.release(quarter)
        rules = release.framework_for(quarter, own)
        found += _nothing_given(figures, rules, _in_league_tables(files, quarter))
        found += _trusts(figures, archive)
        found += _without_rule(figures, rules)
        found += _periods(figures, rules)
    for file in files:
        found += _cells(file)
    return found


# --- figures that are missing altogether --------------------------------------------------------------------


def _in_league_tables(files: Iterable[OfficialFile], quarter: str) -> set[str]:
    """The trusts that the league-table files list in a quarter."""
    tables = (file.rows for file in files if file.kind == "league table")
    return {code for rows in tables for code in rows.loc[rows["quarter"] == quarter, "trust_code"]}


def _nothing_given(figures: Release, rules: Framework | None, listed: set[str]) -> Iterator[Unusual]:
    """Figures of one kind of which a quarter has places, and fills none: what rests on them cannot be checked.

    ``listed``: the trusts in league-table files.
    """
    for name, missing in (*_kinds_of_figures(figures, rules), *_of_override(figures, rules, listed)):
        if len(missing) and missing.all():
            text = f"{figures.quarter}: not one {name} is given, of {len(missing):,} places for one; nothing that rests on them is made again"
            yield Unusual("no figures", len(missing), text, quarter=figures.quarter)


def _kinds_of_figures(figures: Release, rules: Framework | None) -> Iterator[tuple[str, pd.Series]]:
    """(name of a kind of figure, which of them are missing)."""
    rows, table = figures.observations, figures.league
    if rules:
        values = {metric.value for metric in rules.metric if metric.value}
        yield "metric value", rows.loc[rows["metric_id"].isin(values), "value"].isna()
        yield "metric score", rows.loc[rows["metric_id"].isin(rules.score_ids), "value"].isna()
    yield "rank of a metric", rows["rank"].isna()
    names = {"average_score": "average score", "segment": "segment", "rank": "league rank"}
    for column, name in names.items():
        yield name, table[column].isna()


def _of_override(figures: Release, rules: Framework | None, listed: set[str]) -> Iterator[tuple[str, pd.Series]]:
    """The same of unadjusted segments and override flags, of the trusts that it is for. Only data files have a place for
    the segment, and both kinds one for the flag; a flag that the rules derive rests on no published one."""
    rule = rules.override if rules else None
    if rule is None:
        return
    subject = figures.trusts["trust_type"].isin(rule.trust_types or figures.trust_types)
    table = figures.league[subject]
    rows, ids = figures.observations[["metric_id", "trust_code"]], rules.identifiers
    before = table.index.isin(rows.loc[rows["metric_id"] == ids.unadjusted_segment, "trust_code"])
    yield "unadjusted segment", table.loc[before, "unadjusted_segment"].isna()
    if not rule.flag_if:
        flagged = table.index.isin({*rows.loc[rows["metric_id"] == ids.override_flag, "trust_code"], *listed})
        yield "override flag", table.loc[flagged, "in_deficit"].isna()


# --- trusts -----------------------------------------------------------------------------------------------


def _trusts(figures: Release, archive: Archive) -> Iterator[Unusual]:
    """Trusts against those of the quarter before in the same files, else of the kit's own list."""
    for trust_type, mine in figures.trusts.groupby("trust_type"):
        before = _before(figures.quarter, trust_type, archive)
        if before is None:
            continue
        when, trusts, where = before
        theirs = trusts[trusts["trust_type"] == trust_type]
        new, gone = mine.index.difference(trusts.index), theirs.index.difference(figures.trusts.index)
        against = f"{when} {where}"
        if len(new):
            text = f"{figures.quarter}: {counted(len(new), 'new trust')} of type {trust_type}, not in {against}: {_named(mine, new)}"
            yield Unusual("new trusts", len(new), text, quarter=figures.quarter)
        if len(gone):
            text = f"{figures.quarter}: {counted(len(gone), 'trust')} of type {trust_type} in {against}, and not here: {_named(theirs, gone)}"
            yield Unusual("vanished trusts", len(gone), text, quarter=figures.quarter)
        yield from _changed(figures.quarter, mine, trusts, against)


def _before(quarter: str, trust_type: str, archive: Archive) -> tuple[str, pd.DataFrame, str] | None:
    """(quarter, its trusts, whose list) to compare the trusts of a type with."""
    order = release.quarter_order
    kits = release.embedded()
    for source, where, allowed in (
        (archive, "of the same files", lambda other: order(other) < order(quarter)),
        (kits, "as the kit knows it", lambda other: order(other) <= order(quarter)),
    ):
        for other in reversed([label for label in source.quarters if allowed(label)]):
            trusts = source.trusts[source.trusts["quarter"] == other].set_index("trust_code")
            if (trusts["trust_type"] == trust_type).any():
                return other, trusts, where
    return None


def _changed(quarter: str, mine: pd.DataFrame, trusts: pd.DataFrame, against: str) -> Iterator[Unusual]:
    """Trusts of another type, subtype or region than before, or that have the name of another trust. Names are spelt in too
    many ways to compare otherwise."""
    both = mine.index.intersection(trusts.index)
    for name in ("trust_type", "trust_subtype", "region"):
        differs = both[mine.loc[both, name].to_numpy() != trusts.loc[both, name].to_numpy()]
        if len(differs):
            shown = [f"{code} {trusts.at[code, name]!r}, now {mine.at[code, name]!r}" for code in differs[:NAMED]]
            what = {"trust_type": "type", "trust_subtype": "subtype"}.get(name, name)
            text = f"{quarter}: {counted(len(differs), 'trust')} of another {what} than in {against}: {_listed(shown, len(differs))}"
            yield Unusual("changed trust", len(differs), text, quarter=quarter)
    owners = dict(zip(trusts["trust_name"], trusts.index, strict=True))
    taken = [
        (code, name, owner)
        for code, name in mine.loc[both, "trust_name"].items()
        if (owner := owners.get(name, code)) != code and trusts.at[code, "trust_name"] != name
    ]
    if taken:
        shown = [f"{code} {name!r}, the name of {owner}" for code, name, owner in taken[:NAMED]]
        text = f"{quarter}: {counted(len(taken), 'trust')} with the name that another has in {against}: {_listed(shown, len(taken))}"
        yield Unusual("changed trust", len(taken), text, quarter=quarter)


def _named(trusts: pd.DataFrame, codes: Iterable[str]) -> str:
    codes = list(codes)
    return _listed([f"{code} ({trusts.at[code, 'trust_name']})" for code in codes[:NAMED]], len(codes))


def _listed(shown: list[str], count: int) -> str:
    return ", ".join(shown[:NAMED]) + (f" and {count - NAMED} more" if count > NAMED else "")


# --- metrics and periods ----------------------------------------------------------------------------------


def _without_rule(figures: Release, rules: Framework | None) -> Iterator[Unusual]:
    """Metrics of which the rules of the year say nothing, so that they enter no score."""
    if rules is None:
        return
    ids = rules.identifiers
    known = {*rules.score_ids, *rules.left_out, *ids.also_published}
    known |= {ids.average, ids.unadjusted_segment, ids.segment, ids.override_flag, ids.final_segment, ids.recovery_flag}
    known |= {metric.value for metric in rules.metric if metric.value}
    known |= {entry for domain in rules.domain for entry in (domain.score, domain.segment)}
    rows = figures.observations["metric_id"].value_counts()
    strangers = sorted(set(rows.index) - known)
    if strangers:
        shown = [f"{name} ({counted(int(rows[name]), 'row')})" for name in strangers]
        text = (
            f"{figures.quarter}: {counted(len(strangers), 'metric')} without a rule in those of {rules.year}, left out of "
            f"every score: {_listed(shown, len(shown))}"
        )
        yield Unusual("metric without a rule", len(strangers), text, quarter=figures.quarter)


def _periods(figures: Release, rules: Framework | None) -> Iterator[Unusual]:
    """Figures of a period that ended before the one that most trusts give for the metric."""
    templates = rules.periods if rules else ()
    rows = figures.observations[["metric_id", "trust_code", "period"]]
    rows = rows[rows["period"] != ""]
    counts = rows.groupby(["metric_id", "period"]).size()
    several = counts.index.get_level_values(0)
    several = several[several.duplicated()].unique()
    ends = {text: periods.end(text, templates) for text in rows.loc[rows["metric_id"].isin(several), "period"].unique()}
    for metric_id in several:
        mine = counts.loc[metric_id]
        usual = mine.idxmax()
        for text, count in mine.items():
            if ends[text] and ends[usual] and ends[text] < ends[usual]:
                said = (
                    f"{figures.quarter}, {metric_id}: {counted(int(count), 'trust')} with the older period {text!r}, where most "
                    f"have {usual!r}"
                )
                yield Unusual("older period", int(count), said, quarter=figures.quarter)
    yield from _stale(figures, rows, templates)


def _stale(figures: Release, rows: pd.DataFrame, templates: Iterable[str]) -> Iterator[Unusual]:
    """Metrics whose latest period ended before that of the quarter before, as the kit holds it."""
    kits = release.embedded()
    order = release.quarter_order
    earlier = [label for label in kits.quarters if order(label) < order(figures.quarter)]
    if not earlier:
        return
    theirs = kits.observations
    theirs = theirs[(theirs["quarter"] == earlier[-1]) & (theirs["period"] != "")]
    now, then = _latest(rows, templates), _latest(theirs, templates)
    older = [
        f"{name} ({now[name]:%B %Y}, was {then[name]:%B %Y})"
        for name in sorted(set(now) & set(then))
        if now[name] < then[name]
    ]
    if older:
        text = f"{figures.quarter}: the periods of {counted(len(older), 'metric')} ended before those of {earlier[-1]}: {_listed(older, len(older))}"
        yield Unusual("older period", len(older), text, quarter=figures.quarter)


def _latest(rows: pd.DataFrame, templates: Iterable[str]) -> dict[str, object]:
    ends = {text: periods.end(text, templates) for text in rows["period"].unique()}
    found: dict[str, object] = {}
    for metric_id, text in rows[["metric_id", "period"]].drop_duplicates().itertuples(index=False):
        if ends[text] and (metric_id not in found or ends[text] > found[metric_id]):
            found[metric_id] = ends[text]
    return found


# --- cells ------------------------------------------------------------------------------------------------


def _cells(file: OfficialFile) -> Iterator[Unusual]:
    """Regions spelt otherwise than in the kit, and marks of suppression, counted as they stand in the file."""
    kits = set(release.embedded().trusts["region"])
    name = file.path.name
    for region, text, count in ((region, *one) for region, texts in file.regions.items() for one in texts.items()):
        if " ".join(text.split()) != region:
            said = f"{name}: region {text!r} in {counted(count, 'row')}, read as {region!r}"
            yield Unusual("region spelt differently", count, said, name)
        elif region not in kits:
            said = f"{name}: region {region!r} in {counted(count, 'row')}, which the kit has not seen"
            yield Unusual("new region", count, said, name)
    for column, marks in file.marks.items():
        shown = ", ".join(
            f"{counted(n, 'blank') if not mark else f'{n} {mark!r}'}" for mark, n in sorted(marks.items())
        )
        total = sum(marks.values())
        said = f"{name}: {counted(total, 'figure')} missing or suppressed in {column} ({shown})"
        yield Unusual("suppressed", total, said, name)
