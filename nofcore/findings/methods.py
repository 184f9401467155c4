"""Sentences on the methods: the rules and how sure they are, how old the figures are, how to cite, and what changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import PurePath

import pandas as pd
from IPython.display import Markdown

from nofcore import __version__, about, data_age, league, reproduce
from nofcore.data_age import YEAR, DataAges
from nofcore.findings.league import followed
from nofcore.framework import Framework
from nofcore.league import LeagueTable
from nofcore.release import Release, no_rules
from nofcore.reproduce import FROM_RESULTS, FROM_SCORES, Reproduction
from nofcore.wording import Bullets, Steps, Text, counted, plural, points, sentence

BASES = ("stated", "verified", "inferred", "unknown")


@dataclass(frozen=True, eq=False)
class Methods:
    """What the page on methods is made from; ``ages``: None for a quarter whose rules the kit does not know;
    ``own_rules``: the file, where the rules are a user's."""

    figures: Release
    framework: Framework | None
    rebuilt: LeagueTable
    compared: Reproduction
    ages: DataAges | None
    own_rules: str | None

    @property
    def quarter(self) -> str:
        return self.figures.quarter


def study(figures: Release, framework: Framework | None, own_rules: str | None = None) -> Methods:
    """Rebuild a quarter, compare it with what is published, and date its figures."""
    ages = data_age.ages(figures, framework) if framework else None
    rebuilt, compared = league.build(figures, framework), reproduce.reproduce(figures, framework)
    return Methods(figures, framework, rebuilt, compared, ages, own_rules)


# --- findings -------------------------------------------------------------------------------------


def headline(found: Methods) -> str:
    """The findings of the page in one paragraph."""
    rules = followed(found.own_rules, found.quarter, "pages")
    return " ".join(filter(None, [*rules, _ages_said(found), _rules_said(found), _ranks_said(found)]))


def _ages_said(found: Methods) -> str:
    ages = found.ages
    if ages is None:
        return f"The kit has no rules for {found.quarter}, so its metrics are not listed and their figures not dated."
    if not ages.metrics:
        return f"No metric rows are at hand for {found.quarter}, so the age of its figures is not known."
    old = ages.old().drop_duplicates("metric_id")
    metrics = counted(ages.metrics, "metric")
    if old.empty:
        said = f"None of the {metrics} at hand for {found.quarter} is known to cover a period that ended more than a year before the quarter did"
    else:
        verb = "covers" if len(old) == 1 else "cover"
        said = f"{len(old)} of the {metrics} at hand for {found.quarter} {verb} a period that ended more than a year before the quarter did"
    dated = ages.rows.dropna(subset="age")
    if len(dated) and dated["age"].iloc[0] > 0:
        said += f"; the oldest, {dated['short'].iloc[0]}, in {dated['ends'].iloc[0]:%B %Y}"
    return f"{said}. {_undated_count(ages)}".strip()


def _undated_count(ages: DataAges) -> str:
    count = ages.undated["metric_id"].nunique()
    return f"The figures of {counted(count, 'metric')} cannot be dated." if count else ""


def _rules_said(found: Methods) -> str:
    if found.framework is None or found.own_rules:
        return ""
    count = basis_counts(found.framework)
    total = sum(count.values())
    known = "none is marked as unknown" if not count["unknown"] else f"{count['unknown']} not known"
    return (
        f"Of {counted(total, 'rule')} listed here, {count['stated']} {_verb(count['stated'])} stated by NHS England, "
        f"{count['verified']} verified on the published figures and {count['inferred']} our inference; {known}."
    )


def _verb(count: int) -> str:
    return "is" if count == 1 else "are"


def basis_counts(framework: Framework) -> dict[str, int]:
    """How many rules are stated, verified, inferred and unknown."""
    count = Counter(rule.basis for rule in framework.rule)
    return {basis: count[basis] for basis in BASES}


def _ranks(found: Methods) -> list[tuple[str, int, int]]:
    """(what ranks were rebuilt from, exact, compared), where any could be."""
    starts = ((FROM_SCORES, "league rank"), (FROM_RESULTS, "league rank"))
    rows = [(start, *found.compared.agreement(start, quantity)) for start, quantity in starts]
    return [row for row in rows if row[2]]


def _ranks_said(found: Methods) -> str:
    said = [f"{exact} of {compared} from the {start}" for start, exact, compared in _ranks(found)]
    if not said:
        return "No league rank is published here to compare the rebuilt ones with."
    return f"Published league ranks that are reproduced: {', '.join(said)}."


def facts(found: Methods) -> dict[str, str]:
    """The figures behind the headline, for the index."""
    listed = {}
    if found.ages and found.ages.metrics:
        old = found.ages.old()["metric_id"].nunique()
        listed["Metrics older than a year"] = f"{old} of {found.ages.metrics}"
    if found.framework and not found.own_rules:
        count = basis_counts(found.framework)
        listed["Rules stated, verified, inferred, unknown"] = ", ".join(str(count[basis]) for basis in BASES)
    for start, exact, compared in _ranks(found)[:1]:
        listed["League ranks rebuilt" if start == FROM_SCORES else "League ranks rebuilt from published segments"] = (
            f"{exact:,} of {compared:,}"
        )
    return listed


def how_not_to_read() -> Bullets:
    """What the page on methods does not say."""
    return Bullets(
        (
            ("Verified is not official.", "A rule that fits every published figure may still be worded otherwise by NHS England, "
             "or fail in a case that has not occurred."),
            ("A reproduced rank is not a sure rank.", "It means that the rules were understood. How far a rank could have "
             "come out otherwise is on the pages on rank uncertainty."),
            ("An old figure is not a wrong one.", "It is right for its own period; it says little about the quarter that it is counted in."),
            ("Weight is not influence.", "Items weigh alike in the average, yet those that differ more between trusts move ranks "
             "more: see the pages on the correlation of metrics."),
        )
    )  # fmt: skip


# --- how a rank is made -----------------------------------------------------------------------------


def steps(found: Methods) -> Steps | Text:
    """How a rank is made, in steps, from the rules in force."""
    if found.framework is None:
        return Text((sentence(no_rules(found.quarter)),))
    rules = found.framework
    said = [_score_step(rules), _average_step(rules), _segment_step(found), *_override_step(rules), _rank_step(rules)]
    if rules.plain_average:
        said.append(_range_step())
    return Steps(tuple(said))


def _score_step(rules: Framework) -> tuple[str, str]:
    open_ended = sum("model" in metric.unknown for metric in rules.metric)
    count = Counter(metric.model for metric in rules.metric)
    kinds = (
        (count["rank"], "by rank alone"),
        (count["standard"], "with a standard (all who meet it score best, the others follow by rank)"),
        (count["floor"], "with a floor (all who miss it score worst, the others stand ahead by rank)"),
        (count["lookup"], "by a list of bounds"),
        (count["published"] - open_ended, "whose score alone is published"),
        (open_ended, "whose rule is not known, so that the published score is used"),
    )
    listed = ", ".join(f"{number} {text}" for number, text in kinds if number)
    rest = (
        f"Each of {len(rules.metric)} metrics is scored from {rules.scale.best:g} (best) to {rules.scale.worst:g} (worst): {listed}. "
        "Trusts are ranked with all that report the metric, or within their type where the table of metrics says so; tied "
        "trusts share the best score of the tied."
    )
    if all(metric.spread.by == "rank" for metric in rules.metric):
        rest += " How far apart two values are plays no part."
    return "Values become scores.", rest


def _average_step(rules: Framework) -> tuple[str, str]:
    kind = {"arithmetic": "mean", "geometric": "geometric mean", "median": "median"}[rules.average.how]
    said = [f"A trust's average is the {kind} of its items, to {rules.average.decimals} decimals, halves rounded up"]
    said += [f"{group.name} count together as one item" for group in rules.group if group.key in rules.item_domains]
    for combined in rules.combined:
        parts = " and ".join(rules.by_score[score].short for score in (combined.rows, combined.columns))
        said.append(f"{combined.name} is read from a table and stands for {parts}")
    if rules.average.weigh == "domains":
        said.append("Each domain counts its own weight, shared by the items that a trust has in it")
    elif not rules.plain_average:
        said.append("Items are weighted as the table of metrics shows")
    said.append("A metric that a trust does not report leaves its average")
    return "Scores become an average.", f"{'. '.join(said)}."


def _segment_step(found: Methods) -> tuple[str, str]:
    rules = found.framework.segments
    cuts = {kind: [points(cut / 100) for cut in cuts] for kind, cuts in found.rebuilt.cut_offs.items()}
    where = "; ".join(
        f"{plural(kind)}: {', '.join(shown)}" if kind else ", ".join(shown) for kind, shown in cuts.items()
    )
    shown = f" In {found.quarter} segments 1, 2 ... go up to {where}; the last takes the rest." if where else ""
    if rules.rule == "thresholds":
        fixed = ", ".join(f"{cut:g}" for cut in rules.thresholds)
        return (
            "The average becomes a segment.",
            f"Fixed cut-offs of the average, the same every quarter: {fixed}.{shown if not fixed else ''}",
        )
    pool = (
        "of the averages of all trusts of all types together"
        if rules.pool == "all"
        else "of the averages within each trust type"
    )
    listed = ", ".join(f"{percent:g}" for percent in rules.percentiles)
    text = f"The cut-offs are the percentiles {listed} {pool}; a trust on a cut-off is in the better segment.{shown}"
    return "The average becomes a segment.", text


def _override_step(rules: Framework) -> list[tuple[str, str]]:
    rule = rules.override
    if rule is None:
        return []
    effect = (
        f"is placed no higher than segment {rule.no_higher_than}"
        if rule.no_higher_than
        else f"is placed {counted(rule.segments_down, 'segment')} lower"
    )
    flag = (
        "A trust that meets one of the conditions of the rules"
        if rule.flag_if
        else "A trust with the deficit flag that NHS England publishes"
    )
    return [("The financial override.", f"{flag} {effect}, however well it scores.")]


def _rank_step(rules: Framework) -> tuple[str, str]:
    order = "by segment, then by average" if rules.ranking == "segment" else "by average"
    return "Trusts are ranked.", f"Within their type, {order}; equal trusts share the best place, as in 1, 2, 2, 4."


def _range_step() -> tuple[str, str]:
    return (
        "Ranges are drawn (our inference).",
        "NHS England prints likely ranges and no method. They are matched closely by drawing each trust's items anew, with "
        "replacement, with the cut-offs held fixed, and ranking all trusts again; the range holds the middle 95 % of the draws. "
        "It shows what other metrics of the same kind might have said, not how well each metric was measured.",
    )


def about_rules(found: Methods) -> Text:
    """Where the rules come from, and what the tags mean."""
    if found.framework is None:
        return Text((sentence(no_rules(found.quarter)),))
    if found.own_rules:
        return Text(
            (f"The rules are those of {PurePath(found.own_rules).name}; this is that file's own account of them.",)
        )
    return Text(
        (
            f"Official: stated in {found.framework.source}. Verified: found on the published figures, with the share of cases in "
            "which it holds. Our inference: agrees with the figures, stated nowhere. Not known: never to be taken as fact.",
        )
    )


def about_metrics(found: Methods) -> Text:
    """What the table of metrics shows."""
    if found.framework is None:
        return Text((f"No metrics are listed: the kit has no rules for {found.quarter}.",))
    absent = found.ages.absent
    more = f" No figures are at hand in {found.quarter} for {len(absent)}: {', '.join(absent)}." if absent else ""
    source = "" if found.own_rules else " Standards were read off published figures."
    return Text((f"{len(found.framework.metric)} metrics are scored.{source}{more}",))


# --- the age of the figures -------------------------------------------------------------------------


def about_ages(found: Methods) -> Text:
    """Which metrics are old, not dated, or not at hand."""
    ages = found.ages
    if ages is None or not ages.metrics:
        return Text((_ages_said(found),))
    said = [_surveys_said(ages)]
    if len(old := ages.old()):
        said.append(f"Ended more than {YEAR} months before the quarter did: {_listed(old, 'ended')}.")
    if len(ages.ahead):
        said.append(f"Ends after the quarter, being a plan or a period not yet over: {_listed(ages.ahead, 'ends')}.")
    if len(ages.undated):
        said.append(
            f"Not dated, because the period as published names no end that can be read: {_listed(ages.undated, '')}."
        )
    if ages.absent:
        said.append(f"Not in the table, because no figures are at hand in {ages.quarter}: {', '.join(ages.absent)}.")
    return Text(tuple(filter(None, said)))


def _surveys_said(ages: DataAges) -> str:
    surveys = ages.rows[ages.rows["survey"]].dropna(subset="age")
    if surveys.empty:
        return ""
    years = surveys.groupby(surveys["ends"].map(lambda day: day.year))["metric_id"].nunique()
    listed = " and ".join(f"{number} from {year}" for year, number in years.items())
    return (
        f"The league tables of {ages.quarter} rest in part on yearly surveys: of {counted(surveys['metric_id'].nunique(), 'survey metric')}, "
        f"{listed}. A year alone is taken to its end, so a survey may be older than shown."
    )


def _listed(rows: pd.DataFrame, verb: str) -> str:
    return "; ".join(
        f"{row.short} (“{row.period}”, {verb} {row.ends:%B %Y})" if verb else f"{row.short} (“{row.period}”)"
        for row in rows.itertuples()
    )


# --- the kit itself ---------------------------------------------------------------------------------


def how_to_cite(found: Methods, citation: about.Citation | None) -> Text:
    """How to cite the kit, its pages and its figures. ``citation``: of `nofcore.about.citation`."""
    kit = (
        f"The kit: {citation}"
        if citation
        else f"The kit: the NOF kit, version {__version__} (CITATION.cff, which says more, is not at hand here)."
    )
    return Text(
        (
            kit,
            f"A page: its title, {found.quarter}, the version above, and from its foot the time, the rules, the seed and the "
            "number of draws, so that others can make the same page.",
            f"The figures: NHS England, NHS Oversight Framework, segmentation and league tables, {found.quarter}. Contains NHS England "
            "data, licensed under the Open Government Licence v3.0.",
        )
    )


def what_changed(changes: about.Changes | None) -> Text | Markdown:
    """The newest changes. ``changes``: of `nofcore.about.newest_changes`."""
    if changes is None:
        return Text((f"CHANGELOG.md, the list of changes, is not at hand here. This is version {__version__}.",))
    name = "Not yet in a version" if changes.heading.lower() == "unreleased" else f"Version {changes.heading}"
    lines = "\n".join(f"* {line}" for line in changes.lines)
    return Markdown(f"{name}; this kit is version {__version__}.\n\n{lines}")


def limitations(found: Methods) -> Text:
    """What the page cannot say, and how its figures came about."""
    said = [
        "Age is counted from the end of a period. Many periods are a year long, so that part of what they cover is up to a "
        "year older than shown.",
        "Periods are read from the texts that NHS England publishes. What was measured when within a period is not known.",
    ]
    if found.framework and not found.own_rules:
        said.append("Standards, pools and rounding were read off published figures; the official wording may differ.")
    return Text((*said, *map(sentence, found.rebuilt.notes)))
