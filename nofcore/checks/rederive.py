"""Published figures made again from one another: what does not follow is named with its place.

A figure is contradicted only where every route by which it can be rebuilt says so. A segment, for
one, follows from the metric scores, from the published average and from the published unadjusted
segment; if one of these has been changed, the other routes tell which. So one changed figure is
reported once, where it stands, and not by all that depends on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from nofcore import league, reproduce, scoring
from nofcore.checks import ranks
from nofcore.checks.order import out_of_order
from nofcore.checks.reading import Places
from nofcore.errors import InputError, Problem
from nofcore.framework import Combined, Framework
from nofcore.release import Release
from nofcore.reproduce import CLOSE, FROM_RESULTS, FROM_SCORES, FROM_VALUES
from nofcore.wording import counted

FROM_UNADJUSTED = "published unadjusted segment and deficit flag"
FROM_RANKS = "published values within each trust type"
FROM_PARTS = "published scores of its two parts"
FEW = 30
"""Fewer scores of a pool that is not whole may fit a smaller number of trusts than the true one, so that averages
made from them can be out by the last digit: with 10 scores it happens, with 61 it does not."""
ALIKE = 5
"""More contradictions of one kind are one problem, where no one figure can be named that explains them."""

_NOT_MADE = ("not re", "nothing could be", "not segmented")
"""What the notes have in common that say what could not be made again."""

COUNTS = ["quantity", "start", "compared", "agree", "open"]
_RESULTS = {  # quantity: (column of the league table, what to call it)
    "average metric score": ("average_score", "average score"),
    "unadjusted segment": ("unadjusted_segment", "unadjusted segment"),
    "segment": ("segment", "segment"),
    "league rank": ("rank", "league rank"),
    "rank on the average": ("score_rank", "rank on the average"),
}
_FOLLOWS = {
    "average metric score": "the metric scores",
    "unadjusted segment": "the averages",
    "segment": "the average and the deficit flag",
    "league rank": "segments and averages",
    "rank on the average": "the averages",
}


@dataclass(frozen=True)
class Rederived:
    """What came of making the published figures of a quarter again.

    ``compared``: quantity, start (from what), compared, agree, open (tied at published precision, and within the
    places that the tie allows; or out by the last digit alone where unrounded scores are in doubt); ``problems``: the
    contradictions; ``notes``: what could not be made again, and why.
    """

    quarter: str
    compared: pd.DataFrame
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


def rederive(release: Release, framework: Framework, places: Places) -> Rederived:
    """Make the figures of a quarter again by the rules and name those that contradict each other."""
    return _Quarter(release, framework, places).run()


class _Quarter:
    """The steps for one quarter, from values to ranks; what a step finds wrong is mended for the next."""

    def __init__(self, release: Release, framework: Framework, places: Places):
        self.release, self.framework, self.places = release, framework, places
        self.names = release.trusts["trust_name"]
        self.problems: list[Problem] = []
        self.counts: list[tuple[str, str, int, int, int]] = []
        self.notes: list[str] = []
        self.bad_values: set[tuple[str, str]] = set()
        self.bad_scores: set[tuple[str, str]] = set()
        self.of_ranks: dict[tuple[str, str], tuple] = {}

    def run(self) -> Rederived:
        checked = ranks.check(self.release, self.framework)
        self._metric_ranks(checked)
        wrong = self._metric_scores()
        self._unfitting_scores()
        mended = self._mended(wrong) if self.bad_scores else self.release
        found = reproduce.reproduce(mended, self.framework, ["scores"])
        found = self._without_misfit(found, wrong)
        self._scores_of_trusts(found.comparisons)
        self._say_of_ranks()
        self._domain_segments(found.comparisons)
        self._results(found.comparisons)
        self.notes += [self._named(note) for note in found.notes if any(said in note for said in _NOT_MADE)]
        compared = pd.DataFrame(self.counts, columns=COUNTS)
        problems = tuple(sorted(set(self.problems), key=_in_file))
        return Rederived(self.release.quarter, compared, problems, tuple(dict.fromkeys(self.notes)))

    def _named(self, note: str) -> str:
        return str(note) if self.release.quarter in note else f"{self.release.quarter}: {note}"

    def _add(self, place: tuple, message: str):
        file, row, column = place
        self.problems.append(Problem(file, row, column, f"{self.release.quarter}, {message}"))

    def _who(self, code: str) -> str:
        return f"{code} ({self.names.get(code, '')})"

    # --- ranks of metrics ---

    def _metric_ranks(self, checked: ranks.RankCheck):
        for row in checked.outside.itertuples(index=False):
            key = (row.trust_code, row.metric_id)
            domain_scores = {domain.score for domain in self.framework.domain}
            if row.metric_id not in domain_scores:
                (self.bad_scores if row.metric_id in self.framework.by_score else self.bad_values).add(key)
            file, line = self.places.of_metric(*key)
            self.of_ranks[key] = (
                (file, line, "Value"),
                f"{row.metric_id} of {self._who(row.trust_code)}: value {row.value:.15g} and rank {row.rank:g} contradict "
                f"{self._opponent(row)}; correct the one that is wrong",
            )
        for row in checked.gaps.itertuples(index=False):
            file, line = self.places.of_metric(row.trust_code, row.metric_id)
            what = f"rank {row.rank:g} of {row.trust_code} is" if row.wrong == 1 else f"{row.wrong} ranks are"
            self._add(
                (file, line, "Rank"),
                f"{row.metric_id}: {what} not among those that {counted(row.rows, 'row')} of {row.trust_type}s can have "
                f"(the highest: {row.rank:g} of {row.trust_code}); rows are missing or were added, so get the whole file again",
            )
        for row in checked.open.itertuples(index=False):
            self._rank_open(row)
        wrong = len(checked.outside) + int(checked.gaps["wrong"].sum()) + len(checked.open)
        self._count("rank of a metric", FROM_RANKS, checked.compared, checked.compared - wrong, 0)

    def _opponent(self, row) -> str:
        """What the value and rank of a metric contradict."""
        if not row.against:
            return f"each other among the values and ranks of {row.trust_type}s"
        _, line = self.places.of_metric(row.against, row.metric_id)
        return f"those of {row.against} (row {line})"

    def _rank_open(self, row):
        """Ranks that do not count the rows they are of."""
        placed = [(code, *self.places.of_metric(code, row.metric_id)) for code in row.codes]
        if placed:
            place = placed[0][1:]
            named = ", ".join(
                f"{code} ({self._figure(code, row.metric_id, 'rank')}, row {line})" for code, _, line in placed
            )
            remedy = (
                f"the rank of {'one of ' if len(placed) > 1 else ''}{named} is wrong, or a row is missing; correct it"
            )
        else:
            place = self._first_row(row)
            remedy = "rows are missing or were added, or several ranks are wrong, so get the whole file again"
        rows = f"{counted(row.rows, 'row')} of {row.trust_type}s"
        self._add(
            (*place, "Rank"),
            f"{row.metric_id}: ranks of {rows} do not follow on each other at place {row.place}; {remedy}",
        )

    def _first_row(self, row) -> tuple[str, int | None]:
        """Where the figures of a metric and type begin."""
        types = self.release.trusts["trust_type"]
        placed = [self.places.of_metric(code, row.metric_id) for code in types.index[types == row.trust_type]]
        return min((place for place in placed if place[1]), key=lambda place: (place[0], place[1]))

    def _say_of_ranks(self):
        """Values and ranks that contradict each other, but for those that have been told from what they follow from."""
        for place, message in self.of_ranks.values():
            self._add(place, message)

    # --- metric scores ---

    def _metric_scores(self) -> pd.DataFrame:
        """Metric scores from values. Returns those that are contradicted, with what they should be."""
        rows, lacking = scoring.scores_at_hand(self.release, self.framework)
        if lacking:
            listed = ", ".join(metric.score for metric in lacking)
            self.notes.append(
                f"{self.release.quarter}: not scored again from values, as trusts of other types that share their pools are "
                f"not at hand: {listed}"
            )
        decimals = self.framework.scale.decimals
        rows = pd.concat([rows.assign(start=FROM_VALUES), self._from_parts(rows)], ignore_index=True)
        rebuilt = scoring.to_hundredths(rows["score"], decimals) / 10**decimals
        rows = rows.assign(rebuilt=rebuilt, published=rows["published_score"], item=rows["metric_id"])
        rows = rows[rows["published"].notna()]
        off = rows[_differs(rows)]
        allowed = self._allowed_by_ties(off[off["tied"]])
        wrong = off[~off.index.isin(allowed)]
        combined = rows["item"].isin([entry.score for entry in self.framework.combined])
        from_parts = rows["start"] == FROM_PARTS
        for quantity, start, mine in (
            ("metric score", FROM_VALUES, ~combined),
            ("combined score", FROM_VALUES, combined & ~from_parts),
            ("combined score", FROM_PARTS, from_parts),
        ):
            kept = rows.index[mine].difference(off.index)
            self._count(quantity, start, int(mine.sum()), len(kept), int(mine[allowed].sum()))
        for score, group in wrong.groupby("item", sort=False):
            self._contradicted_scores(score, group, rows[rows["item"] == score])
        return wrong

    def _from_parts(self, made: pd.DataFrame) -> pd.DataFrame:
        """Combined scores from the published scores of their parts, where these cannot be made from values."""
        known = set(made["metric_id"])
        combined = [entry for entry in self.framework.combined if entry.score not in known]
        rows = scoring.observed(scoring.within(self.release, self.framework), self.framework.score_ids)
        rows = rows.assign(score=rows["value"])
        parts = rows[rows["metric_id"].isin({part for entry in combined for part in (entry.rows, entry.columns)})]
        between = (parts["score"] - self.framework.scale.best) % 1 != 0
        for part in parts[between].itertuples(index=False):
            self._no_step(part)
        frames = [scoring.combine(parts[~between], entry, self.framework) for entry in combined]
        if not frames:
            return made.iloc[:0].assign(start=FROM_PARTS)
        published = rows.set_index(["trust_code", "metric_id"])["value"].rename("published_score")
        return pd.concat(frames).join(published, on=["trust_code", "metric_id"]).assign(start=FROM_PARTS)

    def _no_step(self, part):
        self.bad_scores.add((part.trust_code, part.metric_id))
        self.of_ranks.pop((part.trust_code, part.metric_id), None)
        file, line = self.places.of_metric(part.trust_code, part.metric_id)
        self._add(
            (file, line, "Value"),
            f"{part.metric_id} of {self._who(part.trust_code)}: the score {part.score:g} is no whole step, and a combined score is "
            "read from whole ones alone; correct it",
        )

    def _allowed_by_ties(self, tied: pd.DataFrame) -> pd.Index:
        if tied.empty:
            return tied.index
        bounds = scoring.tied_bounds(self.release, self.framework).set_index(["trust_code", "metric_id"])
        mine = bounds.loc[pd.MultiIndex.from_frame(tied[["trust_code", "item"]])]
        within = (tied["published"].to_numpy() >= mine["low"].to_numpy() - CLOSE / 2 - scoring.EXACT) & (
            tied["published"].to_numpy() <= mine["high"].to_numpy() + CLOSE / 2 + scoring.EXACT
        )
        return tied.index[within]

    def _contradicted_scores(self, score: str, wrong: pd.DataFrame, rows: pd.DataFrame):
        entry = self.framework.by_score[score]
        value = getattr(entry, "value", None)
        parts = [] if value else [self.framework.by_score[part].value for part in (entry.rows, entry.columns)]
        if any(metric_id in (value, *parts) for _, metric_id in self.bad_values):
            return  # one value out of its place moves the scores of all that it passes; it has been named
        if len(wrong) > ALIKE:
            mine = rows.assign(outside=out_of_order(rows["rebuilt"], rows["published"]))
            outside = mine[mine["outside"] & mine.index.isin(wrong.index)]
            if not 0 < len(outside) < len(wrong) / 2:
                return self._many_scores(score, wrong, len(rows))
            wrong = outside
        for row in wrong.itertuples(index=False):
            self.bad_scores.add((row.trust_code, score))
            self.of_ranks.pop((row.trust_code, score), None)
            file, line = self.places.of_metric(row.trust_code, score)
            source = f"the value {self._figure(row.trust_code, value)} of {value}" if value else self._parts(entry, row)
            self._add(
                (file, line, "Value"),
                f"{score} of {self._who(row.trust_code)}: the score {row.published:g} does not follow from {source}, "
                f"which give{'s' if value else ''} {row.rebuilt:.2f}; correct the one that is wrong",
            )

    def _parts(self, entry: Combined, row) -> str:
        """The two parts of a combined score, with their places where they are as published."""
        if row.start != FROM_PARTS:
            return "its two parts"
        placed = [
            (part, self._figure(row.trust_code, part), *self.places.of_metric(row.trust_code, part))
            for part in (entry.rows, entry.columns)
        ]
        return " and ".join(f"{part} {score} (row {line})" for part, score, _, line in placed)

    def _figure(self, code: str, metric_id: str, figure: str = "value") -> str:
        rows = self.release.observations
        rows = rows[(rows["trust_code"] == code) & (rows["metric_id"] == metric_id)]
        return f"{rows[figure].iat[0]:.15g}" if len(rows) else "?"

    def _many_scores(self, score: str, wrong: pd.DataFrame, compared: int):
        first = wrong.iloc[0]
        file, line = self.places.of_metric(first["trust_code"], score)
        self._add(
            (file, line, "Value"),
            f"{score}: {len(wrong)} of {compared} scores do not follow from the values by the rules of {self.framework.year} "
            f"(first: {self._who(first['trust_code'])}, {first['published']:g} against {first['rebuilt']:.2f}); rows are "
            "missing or changed, or the rule of this metric is another",
        )

    def _unfitting_scores(self):
        """A published score that keeps those of its pool from lying on one grid, where one alone does."""
        published = scoring.published_scores(self.release, self.framework)
        lost = published[~published["recovered"]]
        for score in lost["metric_id"].unique():
            if any(metric_id == score for _, metric_id in self.bad_scores):
                continue
            for code in self._misfits(score):
                self.bad_scores.add((code, score))
                self.of_ranks.pop((code, score), None)
                self._no_such_score(code, score)
        self.unrecovered = set(lost["trust_code"])

    def _misfits(self, score: str) -> list[str]:
        """The trust without whose score all the others lie on one grid; none if that holds of none or of several."""
        codes = [code for code, made in self._left_out(score) if len(made) and made["recovered"].all()]
        return codes if len(codes) == 1 else []

    def _left_out(self, score: str) -> Iterator[tuple[str, pd.DataFrame]]:
        """For each trust whose score of a metric no other has: the trust, and the scores recovered without it."""
        rows = self.release.observations
        rows = rows[(rows["metric_id"] == score) & rows["value"].notna()]
        for _, group in rows.groupby("value"):
            if len(group) == 1:
                rest = pd.concat([rows.drop(group.index), self._in_other_units(score)])
                made = scoring.published_scores(replace(self.release, observations=rest), self.framework)
                yield group["trust_code"].iat[0], made

    def _without_misfit(self, found: reproduce.Reproduction, wrong: pd.DataFrame) -> reproduce.Reproduction:
        """One wrong score may still fit a grid, of more places than the true one, which puts the averages of many
        trusts out by the last digit. Where leaving out one score sets the others right, it is named."""
        rows = found.comparisons
        off = rows[(rows["start"] == FROM_SCORES) & (rows["quantity"] == "domain score")]
        off = self._beyond_doubt(off)
        for item, group in off.groupby("item"):
            if len(group) <= ALIKE:
                continue
            domain = next(domain.key for domain in self.framework.domain if domain.score == item)
            for metric in self.framework.metric:
                if metric.domain != domain or scoring.spread_of(metric, self.framework) is None:
                    continue
                better = self._set_right(metric.score, item, len(group), wrong)
                if better is not None:
                    return better
        return found

    def _set_right(self, score: str, item: str, off: int, wrong: pd.DataFrame) -> reproduce.Reproduction | None:
        now = scoring.published_scores(self.release, self.framework)
        now = now[now["metric_id"] == score].set_index("trust_code")["score"]
        for code, made in self._left_out(score):
            made = made.set_index("trust_code")["score"]
            if np.allclose(made, now.loc[made.index], atol=scoring.EXACT):
                continue
            self.bad_scores.add((code, score))
            found = reproduce.reproduce(self._mended(wrong), self.framework, ["scores"])
            rows = found.comparisons
            left = self._beyond_doubt(rows[(rows["start"] == FROM_SCORES) & (rows["item"] == item)])
            if len(left) < off / ALIKE:
                self.of_ranks.pop((code, score), None)
                self._no_such_score(code, score)
                return found
            self.bad_scores.discard((code, score))
        return None

    def _no_such_score(self, code: str, score: str):
        file, line = self.places.of_metric(code, score)
        self._add(
            (file, line, "Value"),
            f"{score} of {self._who(code)}: no trust can have this score, as the others are spread over a number of places in "
            "which it has none; correct it",
        )

    def _in_other_units(self, score: str) -> pd.DataFrame:
        """Rows that tell which trusts stand outside the pool."""
        metric = self.framework.by_score[score]
        rows = self.release.observations
        return rows[rows["metric_id"] == metric.value] if getattr(metric, "unit", None) else rows.iloc[:0]

    def _mended(self, wrong: pd.DataFrame) -> Release:
        """The release with contradicted scores as they should be, or without them where that is not known."""
        should = dict(zip(zip(wrong["trust_code"], wrong["item"], strict=True), wrong["rebuilt"], strict=True))
        rows = self.release.observations
        keys = list(zip(rows["trust_code"], rows["metric_id"], strict=True))
        values = [
            should.get(key, np.nan) if key in self.bad_scores else value
            for key, value in zip(keys, rows["value"], strict=True)
        ]
        return replace(self.release, observations=rows.assign(value=values))

    # --- averages and domain scores ---

    def _scores_of_trusts(self, rows: pd.DataFrame):
        rows = rows[rows["start"] == FROM_SCORES]
        averages = rows[rows["quantity"] == "average metric score"]
        domains = rows[rows["quantity"] == "domain score"]
        off = {name: self._beyond_doubt(table) for name, table in (("average", averages), ("domain", domains))}
        for quantity, table, wrong in (
            ("average metric score", averages, off["average"]),
            ("domain score", domains, off["domain"]),
        ):
            differ = _differs(table) & ~table.index.isin(wrong.index)
            doubted = differ & ~table["trust_code"].isin({code for code, _ in self.bad_scores})
            self._count(quantity, FROM_SCORES, len(table), int((~_differs(table)).sum()), int(doubted.sum()))
        of_trust = off["domain"].groupby("trust_code")
        contradicted = {code: group for code, group in of_trust}
        seen = set()
        for row in off["average"].itertuples(index=False):
            if row.trust_code in contradicted:
                self._score_behind(row, contradicted[row.trust_code])
                seen.add(row.trust_code)
            else:
                self._add_result(row, "average metric score")
        for code, group in contradicted.items():
            for row in group.itertuples(index=False) if code not in seen else ():
                self.of_ranks.pop((code, row.item), None)
                file, line = self.places.of_metric(code, row.item)
                self._add(
                    (file, line, "Value"),
                    f"{row.item} of {self._who(code)}: the domain score {row.published:.2f} does not follow from its metric "
                    f"scores, which give {row.rebuilt:.2f}; correct the one that is wrong",
                )

    def _beyond_doubt(self, rows: pd.DataFrame) -> pd.DataFrame:
        """What differs, but for trusts of which a score is known to be wrong, and by more than the last digit where
        unrounded scores are in doubt."""
        wrong = {code for code, _ in self.bad_scores}
        doubted = rows["trust_code"].isin(self.unrecovered)
        for domain, codes in self._doubted.items():
            doubted |= rows["item"].isin([domain, ""]) & rows["trust_code"].isin(codes)
        doubted &= ~pd.MultiIndex.from_frame(rows[["trust_code", "item"]]).isin(self._copied)
        loose = doubted & ((rows["rebuilt"] - rows["published"]).abs() < CLOSE * 1.5)
        return rows[_differs(rows) & ~rows["trust_code"].isin(wrong) & ~loose]

    @cached_property
    def _copied(self) -> pd.MultiIndex:
        """(trust, domain score) of domains in which a trust has one score alone, which the domain score must equal."""
        averaged = [entry for entry in self.framework.by_score.values() if getattr(entry, "averaged", True)]
        key = {domain.key: domain.score for domain in self.framework.domain}
        of_score = {entry.score: key[entry.domain] for entry in averaged}
        rows = scoring.observed(self.release, of_score)
        counts = rows.groupby(["trust_code", rows["metric_id"].map(of_score)]).size()
        return counts.index[counts == 1]

    @cached_property
    def _doubted(self) -> dict[str, set[str]]:
        """Trusts with a score of a metric of which few scores are at hand and not the whole pool, by domain score."""
        seen = scoring.observed(self.release, self.framework.score_ids)
        have, of_metric = set(seen["trust_type"].unique()), seen.groupby("metric_id")["trust_code"]
        scores = {domain.key: domain.score for domain in self.framework.domain}
        counts = of_metric.size()
        found: dict[str, set[str]] = {}
        for metric in self.framework.metric:
            whole = metric.pool == "type" or set(metric.trust_types) <= have
            few = 0 < counts.get(metric.score, 0) < FEW
            if few and not whole and scoring.spread_of(metric, self.framework):
                found.setdefault(scores[metric.domain], set()).update(of_metric.get_group(metric.score))
        return found

    def _score_behind(self, average, domains: pd.DataFrame):
        """Average and domain score contradict the metric scores alike: one of these has been changed or is missing."""
        items = [
            entry.score
            for domain in self.framework.domain
            if domain.score in set(domains["item"])
            for entry in (*self.framework.metric, *self.framework.combined)
            if entry.domain == domain.key
        ]
        placed = [(score, *self.places.of_metric(average.trust_code, score)) for score in items]
        placed = [(score, file, row) for score, file, row in placed if row]
        said = ", ".join(
            f"{row.item} {row.published:.2f} (they give {row.rebuilt:.2f})" for row in domains.itertuples(index=False)
        )
        among = ", ".join(f"{score} (row {row})" for score, _, row in placed) or "them"
        place = (
            (*placed[0][1:], "Value")
            if len(placed) == 1
            else self.places.of_result(average.trust_code, "average_score")
        )
        self._add(
            place,
            f"{self._who(average.trust_code)}: the average score {average.published:.2f} (they give {average.rebuilt:.2f}) and "
            f"the domain score {said} do not follow from the metric scores; one of {among} is wrong, or one is missing",
        )

    def _domain_segments(self, rows: pd.DataFrame):
        rows = rows[(rows["start"] == FROM_SCORES) & (rows["quantity"] == "domain segment")]
        if rows.empty:
            return
        self._tally("domain segment", FROM_SCORES, rows)
        again = self._segments_of_published_domains(rows)
        off = rows[_differs(rows) & (again != rows["published"].to_numpy())]
        for row in off.itertuples(index=False):
            file, line = self.places.of_metric(row.trust_code, row.item)
            self._add(
                (file, line, "Value"),
                f"{row.item} of {self._who(row.trust_code)}: the domain segment {row.published:g} does not follow from the "
                f"domain scores of all trusts, which give {row.rebuilt:g}; correct it",
            )

    def _segments_of_published_domains(self, rows: pd.DataFrame) -> np.ndarray:
        """Domain segments from the published domain scores, in the order of ``rows``."""
        values = self.release.observations.set_index(["metric_id", "trust_code"])["value"]
        found = np.full(len(rows), np.nan)
        for domain in self.framework.domain:
            mine = np.flatnonzero((rows["item"] == domain.segment).to_numpy())
            if not len(mine) or domain.score not in values.index.get_level_values(0):
                continue
            scores = values.loc[domain.score].dropna()
            hundredths = scoring.to_hundredths(scores.to_numpy(), self.framework.scale.decimals)
            cuts = league.cut_offs(hundredths, self.framework.segments.percentiles)
            segments = pd.Series(league.segments(hundredths, cuts), scores.index, dtype=float)
            found[mine] = segments.reindex(rows["trust_code"].to_numpy()[mine]).to_numpy()
        return found

    # --- segments and ranks ---

    def _results(self, rows: pd.DataFrame):
        rows = pd.concat([rows, self._from_unadjusted()])
        rows = rows[~rows["start"].eq(FROM_VALUES)]
        for quantity in ("unadjusted segment", "segment", "league rank", "rank on the average"):
            mine = rows[rows["quantity"] == quantity]
            for start, table in mine.groupby("start", sort=False):
                self._tally(quantity, start, table)
            off = mine[mine.assign(off=_differs(mine)).groupby("trust_code")["off"].transform("all").astype(bool)]
            off = off.drop_duplicates("trust_code")
            if "rank" in quantity:
                self._contradicted_ranks(off, quantity)
            else:
                for row in off.itertuples(index=False):
                    if (
                        quantity == "segment"
                        and self._by_flag(row)
                        and not self._contradicts_rank(row.trust_code, rows)
                    ):
                        self._flag_behind(row)
                    else:
                        self._add_result(row, quantity)

    def _by_flag(self, row) -> bool:
        """Whether the other flag would bring the published segment nearer: an override only makes a segment worse."""
        rule, flag = self.framework.override, self.release.league.at[row.trust_code, "in_deficit"]
        if rule is None or rule.flag_if or np.isnan(flag):
            return False
        subject = not rule.trust_types or row.trust_type in rule.trust_types
        return subject and (row.published < row.rebuilt if flag else row.published > row.rebuilt)

    def _contradicts_rank(self, code: str, rows: pd.DataFrame) -> bool:
        """Whether the published league rank speaks against the published segment."""
        ranks = rows[
            (rows["quantity"] == "league rank") & (rows["start"] == FROM_RESULTS) & (rows["trust_code"] == code)
        ]
        return bool(_differs(ranks).any()) or ranks.empty

    def _flag_behind(self, row):
        """The segment does not follow from the flag, and the league rank bears the segment out."""
        file, line, column = self.places.of_result(row.trust_code, "in_deficit")
        self._add(
            (file, line, column),
            f"{self._who(row.trust_code)}: by this deficit flag the segment would be {row.rebuilt:g}, and it is published as "
            f"{row.published:g}, with a league rank that agrees; correct the one that is wrong",
        )

    def _from_unadjusted(self) -> pd.DataFrame:
        empty = pd.DataFrame(columns=reproduce.COMPARISON_COLUMNS)
        rule, held = self.framework.override, self.release.league
        known = held["unadjusted_segment"].notna() & held["in_deficit"].notna() & held["segment"].notna()
        codes = held.index[known]
        if rule is None or rule.flag_if or not len(codes):
            return empty
        part = replace(
            self.release, trusts=self.release.trusts.loc[codes], league=held.loc[codes],
            observations=self.release.observations.iloc[:0],
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

    def _contradicted_ranks(self, off: pd.DataFrame, quantity: str):
        figure, called = _RESULTS[quantity]
        held = self.release.league.join(self.release.trusts["trust_type"])
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
                place = self.places.of_result(first["trust_code"], figure)
                self._add(
                    place,
                    f"{len(group)} of {len(mine)} {called}s of {trust_type}s do not follow from {_FOLLOWS[quantity]} (first: "
                    f"{self._who(first['trust_code'])}, {first['published']:g} against {first['rebuilt']:g}); a trust is "
                    "missing or has been added, so get the whole file again",
                )
                continue
            for row in (named if len(named) else group).itertuples(index=False):
                self._add_result(row, quantity)

    def _add_result(self, row, quantity: str):
        figure, called = _RESULTS[quantity]
        digits = ".2f" if quantity == "average metric score" else "g"
        self._add(
            self.places.of_result(row.trust_code, figure),
            f"{self._who(row.trust_code)}: the {called} {row.published:{digits}} does not follow from {self._source(quantity)}, "
            f"which give {row.rebuilt:{digits}}; correct the one that is wrong",
        )

    def _source(self, quantity: str) -> str:
        """What a figure follows from, in words."""
        without = quantity == "segment" and self.framework.override is None
        return "the averages" if without else _FOLLOWS[quantity]

    # --- counting ---

    def _tally(self, quantity: str, start: str, rows: pd.DataFrame):
        if len(rows):
            self._count(quantity, start, len(rows), len(rows) - int(_differs(rows).sum()), 0)

    def _count(self, quantity: str, start: str, compared: int, agree: int, undecided: int):
        if compared:
            self.counts.append((quantity, start, compared, agree, undecided))


def _differs(rows: pd.DataFrame) -> pd.Series:
    return (rows["rebuilt"] - rows["published"]).abs() >= CLOSE / 2


def _in_file(problem: Problem) -> tuple:
    return problem.file, problem.row or 0, problem.column or "", problem.message


def not_rederived(quarter: str) -> str:
    """What to say of a quarter whose rules the kit does not know."""
    return f"{quarter}: nothing was made again from the figures, as the kit has no rules for that year"


def safely(release: Release, framework: Framework | None, places: Places) -> Rederived:
    """`rederive`, or a note where the kit has no rules for the year or they cannot be applied."""
    empty = pd.DataFrame(columns=COUNTS)
    if framework is None:
        return Rederived(release.quarter, empty, (), (not_rederived(release.quarter),))
    try:
        return rederive(release, framework, places)
    except InputError as error:
        return Rederived(release.quarter, empty, (), (f"{release.quarter}: not made again: {error}",))
