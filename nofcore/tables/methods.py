"""Tables of methods: the metrics and their rules, how old their figures are, and what the columns of files mean."""

from __future__ import annotations

from datetime import date

import pandas as pd

from nofcore import dictionary
from nofcore.data_age import DataAges
from nofcore.framework import Bracket, Combined, Framework, Lookup, Metric
from nofcore.tables.base import Table, Tables
from nofcore.wording import as_given

MODELS = {
    "rank": "Rank",
    "standard": "Standard",
    "floor": "Floor",
    "lookup": "Lookup",
    "published": "Score only",
}
"""How a value becomes a score, in one word; the steps on the page say more."""
NOT_KNOWN = "not known"
INFERRED = {"better": "which is better", "trust_types": "who is scored"}
"""Keys of a metric's rule in words, where the key alone would not do."""


def metric_rules(framework: Framework | None) -> Table:
    """Every metric with its rule, as the framework has it."""
    rows = [_metric_row(metric, framework) for metric in framework.metric] if framework else []
    rows += [_combined_row(combined, framework) for combined in framework.combined] if framework else []
    frame = pd.DataFrame(rows)
    if framework and not any(metric.inferred for metric in framework.metric):
        frame = frame.drop(columns="Our inference")
    caption = (
        f"Scored metrics of the {framework.title} by domain. Weight: share of one item of the average; 0 where another "
        "score stands for the metric. Pool: who is ranked together, all trusts that report the metric or those of the type."
        if framework
        else "Scored metrics."
    )
    if framework and framework.average.weigh == "domains":
        caption += " An item's weight is within its domain, and each domain has a weight of its own."
    return Table("metric-rules", frame, caption, "Metric", {"Weight": 2}, sortable=True)


def _metric_row(metric: Metric, framework: Framework) -> dict:
    every = set(metric.trust_types) == set(framework.trust_types)
    groups = {group.key: group.name for group in framework.group}
    parts = {part: combined.short for combined in framework.combined for part in (combined.rows, combined.columns)}
    within = groups.get(metric.group) if metric.averaged else None
    return {
        "Metric": metric.name,
        "Domain": _domain(metric, framework),
        "Who is scored": "All types"
        if every
        else "; ".join(name.removesuffix(" trust") for name in metric.trust_types),
        "Model": "Not known" if "model" in metric.unknown else MODELS[metric.model],
        "Standard, floor or lookup": _bounds(metric),
        "Better": metric.better or None,
        "Pool": None if metric.model in ("published", "lookup") else _pool(metric),
        "Counts in": within or parts.get(metric.score) or ("by itself" if metric.averaged else "no average"),
        "Weight": _weight(metric, framework),
        "Our inference": ", ".join(INFERRED.get(key, key) for key in metric.inferred) or None,
    }


def _combined_row(combined: Combined, framework: Framework) -> dict:
    parts = " and ".join(framework.by_score[score].short for score in (combined.rows, combined.columns))
    return {
        "Metric": combined.name,
        "Domain": _domain(combined, framework),
        "Who is scored": "Whoever has both scores",
        "Model": "Table of two scores",
        "Standard, floor or lookup": parts,
        "Better": None,
        "Pool": None,
        "Counts in": "by itself",
        "Weight": _item_weight(combined.score, framework),
        "Our inference": None,
    }


def _domain(entry: Metric | Combined, framework: Framework) -> str:
    return next(domain.name for domain in framework.domain if domain.key == entry.domain)


def _pool(metric: Metric) -> str:
    return "type" if metric.pool == "type" else "all"


def _item_weight(item: str, framework: Framework) -> float:
    weight = framework.item_weights.get(item, 0.0)
    if framework.average.weigh == "items" and item in framework.item_domains:
        weight *= framework.domain_weights[framework.item_domains[item]]
    return weight


def _weight(metric: Metric, framework: Framework) -> float:
    """The weight of its item, shared alike among the members of a group."""
    if not metric.averaged:
        return 0.0
    if metric.group is None:
        return _item_weight(metric.score, framework)
    members = sum(other.group == metric.group and other.averaged for other in framework.metric)
    return _item_weight(metric.group, framework) / members


def _bounds(metric: Metric) -> str | None:
    """The numbers of a metric's rule in words."""
    if metric.model in ("standard", "floor"):
        found = [_threshold(metric)]
    else:
        found = [_lookup(metric.lookup)] if metric.model == "lookup" else []
    found += [f"rows in {unit}: {_lookup(lookup)}" for unit, lookup in metric.unit.items()]
    return "; ".join(found) or None


def _threshold(metric: Metric) -> str:
    if metric.threshold is not None:
        return f"{'at most' if metric.better == 'low' else 'at least'} {as_given(metric.threshold)}"
    seen = [as_given(number) for number in metric.between or ()]
    return f"{NOT_KNOWN}, between {' and '.join(seen)}" if seen else NOT_KNOWN


def _lookup(lookup: Lookup) -> str:
    steps = [f"{_bracket(bracket)}: {as_given(bracket.score)}" for bracket in lookup.brackets]
    return ", ".join([*steps, f"else {as_given(lookup.otherwise)}"])


def _bracket(bracket: Bracket) -> str:
    for key in ("at_least", "above", "at_most", "below"):
        if (bound := getattr(bracket, key)) is not None:
            return f"{key.replace('_', ' ')} {as_given(bound)}"
    raise ValueError("a bracket has one bound")


def data_ages(ages: DataAges | None) -> Table:
    """The period of every metric, oldest first; those not dated last."""
    last = f"{ages.last.day} {ages.last:%B %Y}" if ages else ""
    rows = ages.rows if ages else pd.DataFrame(columns=["name", "domain", "survey", "period", "ends", "age", "trusts"])
    frame = pd.DataFrame(
        {
            "Metric": rows["name"],
            "Domain": rows["domain"],
            "Survey": ["yes" if survey else "no" for survey in rows["survey"]],
            "Period as published": rows["period"],
            "Ends": [f"{day:%b %Y}" if isinstance(day, date) else "not dated" for day in rows["ends"]],
            "Months old": rows["age"].astype(float),
            "Trusts": rows["trusts"].astype(int),
        }
    )
    caption = (
        f"The period that each metric covers, oldest first. Ends: its last month. Months old: months "
        f"from then to the end of the quarter, {last}; below 0: the period ends after the quarter. Trusts: those with a figure."
    )
    return Table("data-ages", frame, caption, "Metric", sortable=True)


def column_dictionary() -> Tables:
    """What each column means in every kind of CSV file that the kit writes, a table each."""
    return Tables(tuple(_file(file) for file in dictionary.files()))


def _file(file: dictionary.File) -> Table:
    frame = pd.DataFrame(
        {
            "Column": [column.name for column in file.column],
            "Meaning": [column.meaning for column in file.column],
            "Unit": [column.unit for column in file.column],
        }
    )
    return Table(f"columns-{file.key}", frame, f"{file.title}. {file.rows}", "Column")
