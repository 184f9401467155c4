"""Rebuilt against published, line by line: how far the rules explain NHS England's figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from nofcore import league, scoring
from nofcore.errors import InputError
from nofcore.framework import Framework
from nofcore.league import LeagueTable
from nofcore.notes import NOT_MADE, Note, worded
from nofcore.release import Release

FROM_VALUES = "metric values"
FROM_SCORES = "published metric scores"
FROM_RESULTS = "published average and segment"
FROM_AVERAGES = "published average and deficit flag"
"""What a figure was rebuilt from."""

CLOSE = 0.01
"""Scores this far apart differ by the last published digit."""

COMPARISON_COLUMNS = [
    "start", "quantity", "trust_type", "trust_code", "trust_name", "item", "published", "rebuilt", "tied",
]  # fmt: skip


@dataclass(frozen=True)
class Reproduction:
    """Every comparison made for a quarter.

    ``comparisons``: a row per figure that is published and could be rebuilt: start (what it was
    rebuilt from), quantity, trust_type, trust_code, trust_name, item (metric or domain score, "" for
    a trust's own figure), published, rebuilt (rounded as published), tied (a metric score whose
    place among equal published values is open). ``notes``: what could not be compared, and why.
    """

    quarter: str
    comparisons: pd.DataFrame
    notes: tuple[str, ...]

    def table(self, trust_type: str | None = None) -> pd.DataFrame:
        """Agreement by start and quantity, of one trust type or of all.

        compared = exact + within + tied + rest: exact; within 0.01 (scores) but not exact; tied at
        published precision and not within 0.01; the rest. ``largest``: largest absolute difference.
        """
        rows = self._of(trust_type)
        difference = (rows["rebuilt"] - rows["published"]).abs()
        exact = difference < CLOSE / 2
        tied = rows["tied"] & ~exact
        within = ~exact & ~tied & rows["quantity"].str.contains("score") & (difference < CLOSE * 1.5)
        counted = rows[["start", "quantity"]].assign(
            compared=1,
            exact=exact,
            within=within,
            tied=tied,
            rest=~(exact | within | tied),
            largest=difference.round(2),
        )
        how = dict.fromkeys(["compared", "exact", "within", "tied", "rest"], "sum") | {"largest": "max"}
        return counted.groupby(["start", "quantity"], sort=False).agg(how).reset_index()

    def differences(self, trust_type: str | None = None) -> pd.DataFrame:
        """Every figure that is not exact, with the difference, largest first within each quantity."""
        rows = self._of(trust_type)
        rows = rows.assign(difference=(rows["rebuilt"] - rows["published"]).round(2))
        rows = rows[rows["difference"].abs() >= CLOSE / 2]
        order = rows["difference"].abs()
        return (
            rows.assign(size=-order)
            .sort_values(["start", "quantity", "size", "trust_code"], kind="stable")
            .drop(columns="size")
            .reset_index(drop=True)
        )

    def agreement(self, start: str, quantity: str, trust_type: str | None = None) -> tuple[int, int]:
        """(exact, compared) for one quantity; (0, 0) where nothing could be compared."""
        table = self.table(trust_type)
        row = table[(table["start"] == start) & (table["quantity"] == quantity)]
        return (int(row["exact"].iat[0]), int(row["compared"].iat[0])) if len(row) else (0, 0)

    def _of(self, trust_type: str | None) -> pd.DataFrame:
        rows = self.comparisons
        return rows if trust_type is None else rows[rows["trust_type"] == trust_type]


def reproduce(
    release: Release, framework: Framework | None, starts: Iterable[str] = ("scores", "values")
) -> Reproduction:
    """Rebuild a quarter from published averages and segments or flags, and from metric ``starts``: scores, values."""
    frames, notes = [_compare_ranks(release)], []
    if framework:
        frames.append(_compare_segments(release, framework, notes))
    for start in starts:
        name = {"scores": FROM_SCORES, "values": FROM_VALUES}[start]
        try:
            rebuilt = league.build(release, framework, start)
        except InputError as error:
            notes.append(Note(f"not rebuilt from {name}: {error}", NOT_MADE))
            continue
        if not rebuilt.trusts["recomputed"].any():
            notes += [note for note in rebuilt.notes if note not in notes]
            continue
        if start == "values":
            frames.append(_compare_metric_scores(release, framework))
        frames += list(_compare_league(release, rebuilt, name))
        notes += [note for note in rebuilt.notes if note not in notes]
    notes = [note for note in notes if note != league.not_known(release, framework)]  # of the rules, not of this
    comparisons = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    names = release.trusts[["trust_type", "trust_name"]]
    comparisons = comparisons.join(names, on="trust_code")
    return Reproduction(release.quarter, comparisons[COMPARISON_COLUMNS], tuple(notes))


def _frame(start: str, quantity: str, trust_code, published, rebuilt, item="", tied=False) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "start": start,
            "quantity": quantity,
            "trust_code": np.asarray(trust_code),
            "item": item,
            "published": np.asarray(published, dtype=float),
            "rebuilt": np.asarray(rebuilt, dtype=float),
            "tied": tied,
        }
    )
    return frame[frame["published"].notna() & frame["rebuilt"].notna()]


def _compare_ranks(release: Release) -> pd.DataFrame:
    """League rank and rank on the average, from the published average and adjusted segment."""
    ranked = league.build(replace(release, observations=release.observations.iloc[:0]), None).trusts
    published = release.league.loc[ranked.index]
    return pd.concat(
        [
            _frame(FROM_RESULTS, "league rank", ranked.index, published["rank"], ranked["rank"]),
            _frame(
                FROM_RESULTS,
                "rank on the average",
                ranked.index,
                published["score_rank"],
                ranked["score_rank"],
            ),
        ]
    )


def _compare_segments(release: Release, framework: Framework, notes: list[str]) -> pd.DataFrame:
    """Segments before and after the override, and league rank, from the published average and flag."""
    try:
        rebuilt = league.from_averages(release, framework)
    except InputError as error:
        notes.append(Note(f"not rebuilt from {FROM_AVERAGES}: {error}", NOT_MADE))
        return _frame(FROM_AVERAGES, "segment", [], [], [])
    notes += [worded(note, f"from {FROM_AVERAGES}: {note}") for note in rebuilt.notes]
    published = release.league.loc[rebuilt.trusts.index]
    names = {"unadjusted segment": "unadjusted_segment", "segment": "segment", "league rank": "rank"}
    return pd.concat(
        _frame(FROM_AVERAGES, quantity, published.index, published[name], rebuilt.trusts[name])
        for quantity, name in names.items()
    )


def _compare_metric_scores(release: Release, framework: Framework) -> pd.DataFrame:
    scores = scoring.scores_from_values(release, framework)
    decimals = framework.scale.decimals
    rebuilt = scoring.to_hundredths(scores["score"], decimals) / 10**decimals
    return _frame(
        FROM_VALUES, "metric score", scores["trust_code"], scores["published_score"], rebuilt,
        scores["metric_id"].to_numpy(), scores["tied"].to_numpy(),
    )  # fmt: skip


def _compare_league(release: Release, rebuilt: LeagueTable, start: str) -> Iterator[pd.DataFrame]:
    trusts = rebuilt.trusts[rebuilt.trusts["recomputed"]]
    published = release.league.loc[trusts.index]
    yield _frame(start, "average metric score", trusts.index, published["average_score"], trusts["average_score"])
    yield from _compare_domains(release, rebuilt, start)
    for quantity, name in (
        ("unadjusted segment", "unadjusted_segment"),
        ("segment", "segment"),
        ("league rank", "rank"),
        ("rank on the average", "score_rank"),
    ):
        yield _frame(start, quantity, trusts.index, published[name], trusts[name])


def _compare_domains(release: Release, rebuilt: LeagueTable, start: str) -> Iterator[pd.DataFrame]:
    observed = release.observations.set_index(["metric_id", "trust_code"])["value"]
    for quantity, table, key in (
        ("domain score", rebuilt.domain_scores, "score"),
        ("domain segment", rebuilt.domain_segments, "segment"),
    ):
        for domain in rebuilt.framework.domain:
            identifier = getattr(domain, key)
            if domain.key in table and identifier in observed.index.get_level_values(0):
                published = observed.loc[identifier]
                rebuilt_values = table[domain.key].reindex(published.index)
                yield _frame(start, quantity, published.index, published, rebuilt_values, identifier)


def in_words(release: Release, framework: Framework | None) -> str | None:
    """How many published league ranks the rules rebuild, by the route that starts furthest back; None if none is published.

    >>> from nofcore import release
    >>> from nofcore.framework import load, shipped
    >>> in_words(release.read().release("Q1 2025/26"), load(shipped()["2025/26"]))
    '205 of 205 ranks, from published metric scores'
    """
    compared = reproduce(release, framework)
    for start in (FROM_SCORES, FROM_AVERAGES, FROM_RESULTS):
        exact, ranks = compared.agreement(start, "league rank")
        if ranks == len(release.league["rank"].dropna()) > 0:
            return f"{exact:,} of {ranks:,} ranks, from {start}"
    return None
