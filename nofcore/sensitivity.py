"""Which choices of method move which trusts: scenarios, and metrics or domains left out.

Every scenario (`nofcore.scenarios`) is put through the same steps as the official rules and compared
with them. A scenario that changes nothing, or cannot be applied to the figures at hand, is in the
results with the reason. Leaving out one metric or domain at a time is done for all at once, on
arrays; the result is that of building the tables again without it.

Where only some metrics are scored by other rules, all other scores stay those that NHS England
published, so that what is compared is the change of rule and not the way back from the values; how
much that way alone moves is stated beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from nofcore import league, release, reranking, scenarios, scoring
from nofcore.errors import InputError
from nofcore.framework import Framework
from nofcore.league import LeagueTable
from nofcore.notes import why_no_segments
from nofcore.ranking import kendall_tau
from nofcore.release import Release
from nofcore.reranking import Reranking
from nofcore.scenarios import OFFICIAL_KEY, Scenario
from nofcore.scoring import EXACT
from nofcore.wording import counted, plural

TAIL = 10
"""First and last so many trusts are looked at."""

APPLIED, UNCHANGED, NOT_APPLICABLE = "applied", "changes nothing", "not applicable"
OFFICIAL = "Official rules"


# --- on arrays ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RankChange:
    """How two rankings of the same units differ.

    ``mean``, ``largest``: of the absolute changes, in places; ``tau``: Kendall's tau-b, NaN where one
    of the rankings does not tell units apart; ``top``, ``bottom``: how many of the first and of the
    last ten are so in both, None where the ten would be half of the units or more.
    """

    mean: float
    largest: int
    tau: float
    top: int | None
    bottom: int | None


def compare_ranks(before: np.ndarray, after: np.ndarray, tail: int = TAIL) -> RankChange:
    """Compare two rankings, (units,) ranks from 1. Among the first ten is a rank up to 10, among the last ten a
    rank beyond all but ten, so that ties at the border may make them more, or fewer, than ten."""
    before, after = np.asarray(before, dtype=np.int64), np.asarray(after, dtype=np.int64)
    change = np.abs(after - before)
    tau = kendall_tau(before, after)
    few = len(before) <= 2 * tail
    last = len(before) - tail
    top = None if few else int(((before <= tail) & (after <= tail)).sum())
    bottom = None if few else int(((before > last) & (after > last)).sum())
    return RankChange(float(change.mean()), int(change.max()), tau, top, bottom)


def ends(ranks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places (columns) of the best and of the worst rank of each row, (units, rankings); NaN where it has none. The
    first of equal ones."""
    return np.nanargmin(ranks, axis=1), np.nanargmax(ranks, axis=1)


_COLUMNS = {
    "name": "str", "family": "str", "question": "str", "status": "str", "reason": "str", "n": "Int64",
    "mean_change": "float", "max_change": "Int64", "max_trusts": "str", "tau": "float", "segments_changed": "Int64",
    "averages_changed": "Int64", "top_kept": "Int64", "bottom_kept": "Int64", "not_ranked": "Int64", "same_ranks": "str",
    "by_values_mean": "float", "by_values_max": "Int64",
}  # fmt: skip
_LEFT_OUT_COLUMNS = {
    "name": "str", "domain": "str", "n_with": "Int64", "mean_change": "float", "max_change": "Int64", "tau": "float",
    "segments_changed": "Int64", "top_kept": "Int64", "bottom_kept": "Int64", "not_ranked": "Int64",
}  # fmt: skip


# --- scenarios ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What a scenario did. ``table``: None where it cannot be applied, for the ``reason``, which may else say what
    limits it; ``silent``: trust types that it says nothing of, and why; ``by_values``: the official rules with the
    same metrics scored from the values."""

    scenario: Scenario
    table: LeagueTable | None
    reason: str = ""
    silent: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    by_values: LeagueTable | None = None

    def why_not(self, trust_type: str) -> str | None:
        """Why it says nothing of a trust type; None where it does."""
        return self.reason if self.table is None else self.silent.get(trust_type)


@dataclass(frozen=True)
class Sensitivity:
    """Scenarios beside the official rules, for the trusts of a quarter. `compare` makes one.

    ``baseline``: league tables under the official rules; ``notes``: what a reader must know.
    """

    quarter: str
    baseline: LeagueTable
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...]

    def table(self, trust_type: str) -> pd.DataFrame:
        """A row per scenario, by its key.

        name, family, question, status (`APPLIED`, `UNCHANGED`, `NOT_APPLICABLE`), reason (why not, or
        what limits it); n (trusts ranked in both); mean_change and max_change (places, absolute),
        max_trusts (codes of those it moves most); tau (Kendall's tau-b); segments_changed (trusts whose
        segment after the override differs), averages_changed; top_kept and bottom_kept (of the first
        and last ten, missing for a type of up to 20); not_ranked (trusts that lose their rank);
        same_ranks (names of others that give this type the very same ranks); by_values_mean and
        by_values_max (change of rank that comes from scoring the same metrics from their values, under
        the official rules; missing where none is).
        """
        before = self._trusts(trust_type)
        rows = {outcome.scenario.key: _row(outcome, trust_type, before) for outcome in self.outcomes}
        table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("scenario").reindex(columns=list(_COLUMNS))
        table["same_ranks"] = pd.Series(self._same_ranks(trust_type))
        return table.astype(_COLUMNS)

    def ranks(self, trust_type: str) -> pd.DataFrame:
        """Trusts by scenario (key): ranks, those of the official rules first, of all scenarios that say something of
        the type; missing where a trust is not ranked."""
        return self._column("rank", trust_type)

    def segments(self, trust_type: str) -> pd.DataFrame:
        """As `ranks`: segments after the override."""
        return self._column("segment", trust_type)

    def ranges(self, trust_type: str) -> pd.DataFrame:
        """A row per trust: rank under the official rules, best and worst rank over them and all scenarios, the scenario
        at each end (the first, and how many more reach it), places from best to worst, and how many scenarios."""
        ranks = self.ranks(trust_type)
        names = np.array([OFFICIAL, *(self._named(key).scenario.name for key in ranks.columns[1:])], dtype=object)
        values = ranks.to_numpy(dtype=float)
        table = self._trusts(trust_type)[["trust_name", "rank"]].copy()
        for end, places in zip(("best", "worst"), ends(values), strict=True):
            reached = values[np.arange(len(values)), places]
            table[f"{end}_rank"] = reached
            table[f"{end}_scenario"] = names[places]
            table[f"{end}_others"] = (values == reached[:, None]).sum(axis=1) - 1
        table["places"] = table["worst_rank"] - table["best_rank"]
        table["scenarios"] = len(names) - 1
        whole = [name for name in table if name not in ("trust_name", "best_scenario", "worst_scenario")]
        return table.astype(dict.fromkeys(whole, "Int64"))

    def _trusts(self, trust_type: str) -> pd.DataFrame:
        return self.baseline.of(trust_type).dropna(subset="rank")

    def _named(self, key: str) -> Outcome:
        return next(outcome for outcome in self.outcomes if outcome.scenario.key == key)

    def _speaking(self, trust_type: str) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.why_not(trust_type) is None]

    def _column(self, name: str, trust_type: str) -> pd.DataFrame:
        trusts = self._trusts(trust_type)
        columns = {OFFICIAL_KEY: trusts[name]} | {
            outcome.scenario.key: outcome.table.trusts[name].reindex(trusts.index)
            for outcome in self._speaking(trust_type)
        }
        return pd.DataFrame(columns).astype("Int64")

    def _same_ranks(self, trust_type: str) -> dict[str, str]:
        ranks = self.ranks(trust_type)
        seen = {key: tuple(ranks[key].fillna(0)) for key in ranks}
        names = {OFFICIAL_KEY: OFFICIAL} | {o.scenario.key: o.scenario.name for o in self.outcomes}
        return {
            key: "; ".join(names[other] for other in seen if other != key and seen[other] == seen[key]) for key in seen
        }


def _row(outcome: Outcome, trust_type: str, before: pd.DataFrame) -> dict:
    """A row of `Sensitivity.table`; ``before``: the trusts of the type under the official rules."""
    scenario = outcome.scenario
    row = {"name": scenario.name, "family": scenario.family, "question": scenario.question}
    if (why_not := outcome.why_not(trust_type)) is not None:
        return row | {"status": NOT_APPLICABLE, "reason": why_not}
    rank, segment, average = _results(before, before.index)
    new_rank, new_segment, new_average = _results(outcome.table.trusts, before.index)
    ranked = ~np.isnan(new_rank)
    if not ranked.any():
        return row | {"status": NOT_APPLICABLE, "reason": "no trust of the type is ranked"}
    moved = ranked & (new_rank != rank)
    segments, averages = ranked & (new_segment != segment), ranked & (np.abs(new_average - average) > EXACT)
    some = (moved | averages | ~ranked).any()
    only_segments = "segments differ, but no average and no rank" if not some and segments.any() else ""
    row |= {
        "status": APPLIED if some or segments.any() else UNCHANGED,
        "reason": "; ".join(filter(None, [only_segments, outcome.reason])),
        "n": int(ranked.sum()),
        "segments_changed": int(segments.sum()),
        "averages_changed": int(averages.sum()),
        "not_ranked": int((~ranked).sum()),
    }
    if row["status"] == UNCHANGED:
        row["reason"] = "no average, segment or rank of the type differs"
    change = compare_ranks(rank[ranked], new_rank[ranked])
    most = before.index[(np.abs(new_rank - rank) == change.largest) & moved]
    row |= {
        "mean_change": change.mean, "max_change": change.largest, "max_trusts": ", ".join(most), "tau": change.tau,
        "top_kept": change.top, "bottom_kept": change.bottom,
    }  # fmt: skip
    if outcome.by_values is not None:
        own = compare_ranks(rank, _results(outcome.by_values.trusts, before.index)[0])
        row |= {"by_values_mean": own.mean, "by_values_max": own.largest}
    return row


def _results(trusts: pd.DataFrame, codes: pd.Index) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ranks, segments and averages of some trusts, NaN where they have none."""
    places = trusts.index.get_indexer(codes)
    return tuple(trusts[name].to_numpy(dtype=float)[places] for name in ("rank", "segment", "average_score"))


def compare(figures: Release, framework: Framework | None, wanted: Iterable[Scenario] | None = None) -> Sensitivity:
    """Put a quarter through some scenarios, those of the kit where None, from its published scores.

    ``framework``: None for a quarter whose rules the kit does not know; the override and the ranking
    can be changed then, in its published results. Raises InputError for a scenario of a user's own
    that does not fit the rules.
    """
    wanted = scenarios.shipped() if wanted is None else tuple(wanted)
    keys = [scenario.key for scenario in wanted]
    if doubled := sorted({key for key in keys if keys.count(key) > 1}):
        raise InputError(f"two scenarios have the key {doubled[0]!r}; rename one")
    baseline = league.build(figures, framework)
    if framework is None:
        return Sensitivity(figures.quarter, baseline, tuple(_from_results(figures, s) for s in wanted), baseline.notes)
    figures, notes = _with_flags(figures, baseline)
    scores = None if baseline.items is None else league.scores_to_average(figures, framework, "scores")
    runner = _Runner(figures, framework, baseline, scores, {})
    outcomes = tuple(runner.run(scenario) for scenario in wanted)
    return Sensitivity(figures.quarter, baseline, outcomes, (*baseline.notes, *notes))


@dataclass(frozen=True)
class _Runner:
    """Applies scenarios to one quarter; ``scores``: that enter the official averages, None where there are none;
    ``by_values``: tables that several of them are held against."""

    figures: Release
    framework: Framework
    baseline: LeagueTable
    scores: pd.DataFrame | None
    by_values: dict[frozenset[str], LeagueTable | None]

    def run(self, scenario: Scenario) -> Outcome:
        try:
            rules = scenarios.apply(self.framework, scenario)
        except InputError as error:
            # A user must hear of a file that does not fit; the kit's own were written for the kit's own rules.
            other_year = scenario.year not in (None, self.framework.year)
            if not other_year and not scenarios.is_shipped(scenario):
                raise
            return Outcome(scenario, None, "; ".join(problem.message for problem in error.problems))
        if rules is self.framework:
            return Outcome(scenario, self.baseline, "the rules hold nothing that it changes")
        try:
            table = league.build(self.figures, rules, scores=self._same_scores(rules))
        except InputError as error:
            return Outcome(scenario, None, str(error))
        averages = scenarios.changes_averages(rules, self.framework)
        notes = tuple(note for note in table.notes if note not in self.baseline.notes)
        return Outcome(
            scenario, table, self._mixed(rules) if averages else "", self._silent(table, averages),
            notes + self._not_reached(scenario), self._by_values(rules),
        )  # fmt: skip

    def _same_scores(self, rules: Framework) -> pd.DataFrame | None:
        """The scores that enter the official averages, where these rules score alike; None where they do not."""
        rounded = rules.rounded_first.get(self.figures.quarter, ()) if rules.rounded_first else ()
        official = self.framework.rounded_first.get(self.figures.quarter, ())
        if scoring.scored_anew(rules) != scoring.scored_anew(self.framework) or rules.freshness:
            return None
        return self.scores if set(rounded) == set(official) - set(rules.left_out) else None

    def _silent(self, table: LeagueTable, averages: bool) -> dict[str, str]:
        """Trust types of which a scenario says nothing, and why; ``averages``: whether it changes averages."""
        found = {}
        for trust_type, before in self.baseline.trusts.groupby("trust_type"):
            if averages and not before["recomputed"].any():
                found[trust_type] = f"no metric scores of {plural(trust_type)} are at hand, and it changes averages"
            elif table.of(trust_type)["rank"].isna().all():
                found[trust_type] = why_no_segments(table.notes, trust_type) or "no trust of the type can be ranked"
        return found

    def _mixed(self, rules: Framework) -> str:
        """What limits changed averages where not all trusts have them."""
        trusts = self.baseline.trusts
        without = sorted(set(self.framework.trust_types) - set(trusts.loc[trusts["recomputed"], "trust_type"]))
        if not without or rules.segments.rule != "percentiles" or rules.segments.pool != "all":
            return ""
        return (
            f"in part: averages of {', '.join(map(plural, without))} are as published, and count in the cut-offs, so "
            "segments here are of two sets of rules"
        )

    def _not_reached(self, scenario: Scenario) -> tuple[str, ...]:
        """Which scores a change of scoring leaves alone, and why."""
        if scenario.changes.scoring is None:
            return ()
        lookups, published = (", ".join(scores) or "none" for scores in scenarios.kept(self.framework))
        return (
            f"scores that stay as published: by lookup, which spreads nobody ({lookups}); without a published value "
            f"({published})",
        )

    def _by_values(self, rules: Framework) -> LeagueTable | None:
        """The official rules with the same metrics scored from their values."""
        official = {metric.score for metric in self.framework.metric}
        anew = frozenset(scoring.scored_anew(rules) & official) - scoring.scored_anew(self.framework)
        if not anew:
            return None
        if anew not in self.by_values:
            metrics = tuple(replace(m, rescored=m.rescored or m.score in anew) for m in self.framework.metric)
            try:
                self.by_values[anew] = league.build(self.figures, replace(self.framework, metric=metrics))
            except InputError:  # pools within type may be at hand where those of the official rules are not
                self.by_values[anew] = None
        return self.by_values[anew]


def _from_results(figures: Release, scenario: Scenario) -> Outcome:
    """A scenario on published averages and segments, for want of other rules."""
    changes = scenario.changes
    if replace(changes, override=None, ranking=None) != scenarios.Changes():
        reason = f"{release.no_rules(figures.quarter).split(',')[0]}; only the override and the ranking can be changed"
        return Outcome(scenario, None, reason)
    rule = {None: league.AS_PUBLISHED, scenarios.NONE: None}.get(changes.override, changes.override)
    try:
        table = league.from_results(figures, rule, changes.ranking or "segment")
    except InputError as error:
        return Outcome(scenario, None, str(error))
    return Outcome(scenario, table, notes=table.notes)


def _with_flags(figures: Release, baseline: LeagueTable) -> tuple[Release, list[str]]:
    """Figures with the override flags that published segments give away, where the flags are not published.

    A segment worse than the average's is flagged; an equal one that the override would have changed is
    not; the others stay unknown.
    """
    rule = baseline.framework.override
    trusts = baseline.trusts
    rows = trusts[~trusts["recomputed"] & trusts["in_deficit"].isna() & trusts["rank"].notna()]
    rows = rows[rows["trust_type"].isin(baseline.framework.trust_types)]
    if rule is None or rule.no_higher_than is None or rows.empty or not baseline.cut_offs:
        return figures, []
    cuts = np.array([baseline.cut_offs.get(name, baseline.cut_offs.get("")) for name in rows["trust_type"]])
    unadjusted = league.segments(rows["hundredths"].to_numpy(), cuts)
    flagged = rows["segment"].to_numpy() > unadjusted
    known = flagged | (unadjusted < rule.no_higher_than)
    inferred = pd.Series(np.where(flagged, 1.0, 0.0), rows.index)[known]
    told = figures.league.assign(in_deficit=figures.league["in_deficit"].fillna(inferred))
    note = (
        f"{figures.quarter}: the override flag is not published here for {counted(len(rows), 'trust')} without metric rows; "
        f"our inference from their segments: {int(flagged.sum())} flagged, {int((known & ~flagged).sum())} not, "
        f"{int((~known).sum())} not known"
    )
    return replace(figures, league=told), [note]


# --- leaving out ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class LeftOut:
    """Ranks with one metric, or one domain, left out at a time. `leave_out` makes one.

    ``trusts``: rows of the league table; ``names``: what is left out, by key; ``domains``: of each;
    ``has``: (trusts by key) whether the trust has it; ``averages``, ``ranks``, ``segments``: trusts by
    key, NaN where a trust has nothing left to average and for types without any metric rows; ``notes``.
    """

    quarter: str
    trusts: pd.DataFrame
    names: Mapping[str, str]
    domains: Mapping[str, str]
    has: pd.DataFrame
    averages: pd.DataFrame
    ranks: pd.DataFrame
    segments: pd.DataFrame
    notes: tuple[str, ...]

    def summary(self, trust_type: str) -> pd.DataFrame:
        """A row per thing left out: name, domain, n_with (trusts of the type that have it), mean_change, max_change
        (places, absolute), tau (Kendall's tau-b), segments_changed, top_kept, bottom_kept, not_ranked. InputError for a type without metric rows."""
        trusts = self._of(trust_type)
        rows = {}
        for key, name in self.names.items():
            after = self.ranks.loc[trusts.index, key]
            ranked = after.notna()
            row = {"name": name, "domain": self.domains[key], "n_with": int(self.has.loc[trusts.index, key].sum())}
            if ranked.any():
                change = compare_ranks(trusts.loc[ranked, "rank"].to_numpy(), after[ranked].to_numpy())
                other = self.segments.loc[trusts.index, key] != trusts["segment"]
                row |= {
                    "mean_change": change.mean, "max_change": change.largest, "tau": change.tau,
                    "segments_changed": int((other & ranked).sum()), "top_kept": change.top, "bottom_kept": change.bottom,
                }  # fmt: skip
            rows[key] = row | {"not_ranked": int((~ranked).sum())}
        table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("left_out")
        return table.reindex(columns=list(_LEFT_OUT_COLUMNS)).astype(_LEFT_OUT_COLUMNS)

    def table(self, trust_type: str) -> pd.DataFrame:
        """A row per trust: name, rank, and its rank without each metric or domain (by key)."""
        trusts = self._of(trust_type)
        ranks = self.ranks.loc[trusts.index].astype("Int64")
        return pd.concat([trusts[["trust_name"]], trusts[["rank"]].astype("Int64"), ranks], axis=1)

    def _of(self, trust_type: str) -> pd.DataFrame:
        trusts = self.trusts[self.trusts["trust_type"] == trust_type]
        if not trusts["recomputed"].any():
            raise InputError(f"{self.quarter}, {trust_type}: no metric scores are at hand, so nothing can be left out")
        return trusts


def leave_out(figures: Release, rebuilt: LeagueTable, what: str = "metric") -> LeftOut:
    """Leave out every metric that enters the average, or every domain, one at a time.

    ``rebuilt``: from the scores of ``figures``. A group of metrics is left out as a whole and metric
    by metric (the group is then the mean of the others); a combined score as a whole. Cut-offs are
    taken anew. Raises InputError if no trust has items.
    """
    if what not in ("metric", "domain"):
        raise InputError(f"what to leave out must be 'metric' or 'domain', not {what!r}")
    plan = reranking.prepare(rebuilt)
    framework = rebuilt.framework
    left = _metrics(figures, plan, framework) if what == "metric" else _domains(plan, framework)
    values = np.stack([one.values for one in left])
    weights = league.weights_of(rebuilt.items, framework, values)
    counts = ~np.isnan(values) if weights is None else ~np.isnan(values) & (weights > 0)
    has = counts.any(axis=-1) | plan.held
    held = np.broadcast_to(plan.trusts["hundredths"].to_numpy(dtype=np.int64), has.shape)
    filled = np.where(counts.any(axis=-1, keepdims=True), values, 1)  # of those without items nothing is used
    if weights is not None and weights.ndim == values.ndim:
        weights = np.where(counts.any(axis=-1, keepdims=True), weights, 1)
    rule = framework.average
    found = league.averages(filled, weights, rule.decimals, rule.how)
    hundredths = np.where(plan.held, held, found)
    ranking = plan.rank(hundredths, has)
    keys = [one.key for one in left]
    known = has & ~plan.without_any

    def frame(array: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(np.where(known, array, np.nan).T, plan.trusts.index, keys)

    notes = [f"{rebuilt.quarter}: cut-offs {plan.cutoffs} each time"]
    if plan.held.any():
        notes.append(
            f"{rebuilt.quarter}: {counted(int(plan.held.sum()), 'trust')} without metric rows stand at their published averages"
        )
    return LeftOut(
        rebuilt.quarter, plan.trusts, {one.key: one.name for one in left}, {one.key: one.domain for one in left},
        pd.DataFrame(np.array([one.has for one in left]).T, plan.trusts.index, keys),
        frame(hundredths / 10.0**rule.decimals), frame(ranking.rank), frame(ranking.segment), tuple(notes),
    )  # fmt: skip


@dataclass(frozen=True)
class _Left:
    """One thing left out: the items without it, (trusts, items), and who has it."""

    key: str
    name: str
    domain: str
    values: np.ndarray
    has: np.ndarray


def _metrics(figures: Release, plan: Reranking, framework: Framework) -> list[_Left]:
    """Every metric, combined score and group that enters the average."""
    names = {domain.key: domain.name for domain in framework.domain}
    found = []
    for entry in (*framework.metric, *framework.combined):
        if entry.score in plan.items:
            found.append(_without(plan, [entry.score], entry.score, entry.short, names[entry.domain]))
    groups = {group.key: group for group in framework.group if group.key in plan.items}
    if not groups:
        return found
    scores = league.scores_to_average(figures, framework, "scores")
    wide = scores.pivot(index="trust_code", columns="metric_id", values="score").reindex(plan.trusts.index)
    for group in groups.values():
        members = [m for m in framework.metric if m.group == group.key and m.averaged and m.score in wide]
        for metric in members:
            rest = wide[[other.score for other in members if other is not metric]]
            values = plan.values.copy()
            values[:, plan.items.index(group.key)] = rest.mean(axis=1).to_numpy()
            has = wide[metric.score].notna().to_numpy()
            found.append(_Left(metric.score, metric.short, names[metric.domain], values, has))
        found.append(_without(plan, [group.key], group.key, group.name, names[group.domain]))
    return found


def _domains(plan: Reranking, framework: Framework) -> list[_Left]:
    items = {
        domain: [name for name in plan.items if framework.item_domains[name] == domain.key]
        for domain in framework.domain
    }
    return [_without(plan, mine, domain.key, domain.name, domain.name) for domain, mine in items.items() if mine]


def _without(plan: Reranking, items: list[str], key: str, name: str, domain: str) -> _Left:
    places = [plan.items.index(item) for item in items]
    values = plan.values.copy()
    values[:, places] = np.nan
    return _Left(key, name, domain, values, ~np.isnan(plan.values[:, places]).all(axis=1))
