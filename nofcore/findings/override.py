"""Sentences on the financial override: whom it moves, who gains by it, and what other rules for it would do."""

from __future__ import annotations

from nofcore import scenarios, tables
from nofcore.deficit import RULE
from nofcore.findings._what_if import not_available, who, with_s
from nofcore.scenarios import NONE
from nofcore.sensitivity_study import Study
from nofcore.wording import Text, counted


def in_short(found: Study) -> str:
    """One sentence for the headline; empty where the override moves nobody or cannot be looked at."""
    if isinstance(found.overrides, str):
        return ""
    row = found.overrides.summary(found.trust_type).loc[RULE]
    if row["reason"] or not row["moved"]:
        return ""
    lost = counted(row["places_lost"], "place")
    if row["moved"] == 1:
        return f"The financial override places 1 trust in a worse segment than its average gives; it loses {lost}."
    return (
        f"The financial override places {row['moved']} trusts in a worse segment than their averages give; together they lose {lost}, up "
        f"to {row['most_lost']} each."
    )


def about_override(found: Study) -> Text:
    """Whom the financial override moves, and who gains by it."""
    if isinstance(found.overrides, str):
        return Text((not_available(found.overrides),))
    row = found.overrides.summary(found.trust_type).loc[RULE]
    if not row["moved"]:
        said = f"The financial override changes the segment of none of the {row['n']} {who(found)}."
        return Text((said, *_coincides(found)))
    return Text((_moved(found, row), *_coincides(found), *_other_rules(found)))


def _moved(found: Study, row) -> str:
    table = found.overrides.table(found.trust_type)
    most, gained = table.loc[table["places_lost"].idxmax()], table.loc[table["places_lost"].idxmin()]
    others = (
        f" {counted(int(row['gaining']), 'other')} {with_s(row['gaining'], 'gain')}, {row['mean_gain']:.1f} places on average, most of "
        f"all {gained['trust_name']} (rank {gained['rank']}, without the override {gained['rank_without']}). Their own figures are "
        "the same: they pass capped trusts that have better averages."
        if row["gaining"]
        else ""
    )
    return (
        f"{row['flagged']} of {row['n']} {who(found)} carry the deficit flag, and the override places {row['moved']} of them in a "
        f"worse segment than their average gives. {counted(row['moved_ranks'], 'trust')} {with_s(row['moved_ranks'], 'lose')} places by "
        f"it, {row['places_lost']} in all, most of all {most['trust_name']} (rank {most['rank']}, without the override "
        f"{most['rank_without']}).{others}"
    )


def _coincides(found: Study) -> tuple[str, ...]:
    """That two scenarios give the same ranks, where they do."""
    none = [one.scenario for one in found.compared.outcomes if one.scenario.changes == scenarios.Changes(override=NONE)]
    alone = [
        one.scenario for one in found.compared.outcomes if one.scenario.changes == scenarios.Changes(ranking="average")
    ]
    ranks = found.compared.ranks(found.trust_type)
    pairs = [(a, b) for a in none for b in alone if {a.key, b.key} <= set(ranks)]
    if not pairs:
        return ()
    without, average = pairs[0]
    if ranks[without.key].equals(ranks[average.key]):
        return (
            f"“{without.name}” and “{average.name}” give every one of the {len(ranks)} {who(found)} the same rank, and must: without the "
            "override segments are cut from the averages, so to rank by segment and then by average is to rank by average. They "
            "are one scenario under two names; only the segments differ.",
        )
    differ = int((ranks[without.key] != ranks[average.key]).sum())
    return (f"“{without.name}” and “{average.name}” rank {counted(differ, 'trust')} differently.",)


def _other_rules(found: Study) -> tuple[str, ...]:
    """What the other override rules would do."""
    rows = found.overrides.summary(found.trust_type).drop(index=RULE)
    rows = rows[rows["reason"] == ""]
    if rows.empty:
        return ()
    listed = "; ".join(
        f"“{row['name']}” places {row['moved']} lower, at a cost of {counted(row['places_lost'], 'place')}"
        if row["moved"]
        else f"“{row['name']}” places none lower"
        for _, row in rows.iterrows()
    )
    return (f"Other rules, each beside no override: {listed}.",)


def override_rules(found: Study) -> tables.Table | Text:
    return Text(()) if isinstance(found.overrides, str) else tables.override_rules(found.overrides, found.trust_type)


def override_trusts(found: Study) -> tables.Table | Text:
    return Text(()) if isinstance(found.overrides, str) else tables.override_trusts(found.overrides, found.trust_type)


def about_flags(found: Study) -> Text:
    """Where a flag derived from published metrics is not NHS England's."""
    rule = _derived(found)
    if rule is None:
        return Text(())
    rows = found.overrides.flags(rule)
    mine = rows[rows["trust_type"] == found.trust_type]
    name = found.outcome(rule).scenario.name
    more, fewer = int(mine["derived"].sum()), int(mine["published"].sum())
    parts = [f"{more} that it does not flag"] * (more > 0) + [f"{fewer} that it does"] * (fewer > 0)
    which = (
        f"{len(mine)} {who(found)} otherwise than NHS England ({' and '.join(parts)})"
        if len(mine)
        else f"all {who(found)} as NHS England does"
    )
    return Text(
        (
            f"“{name}” flags {which}, and of all types together {len(rows)} trusts otherwise. The published flag is the rule; the "
            "derived one is our stand-in.",
        )
    )


def flags_table(found: Study) -> tables.Table | Text:
    rule = _derived(found)
    return Text(()) if rule is None else tables.override_flags(found.overrides, rule, found.trust_type)


def _derived(found: Study) -> str | None:
    """The key of the rule that derives its flag, where it can be applied."""
    if isinstance(found.overrides, str):
        return None
    for key, outcome in found.overrides.rules.items():
        override = outcome.scenario.changes.override if outcome else None
        if getattr(override, "flag_if", None) and outcome.why_not(found.trust_type) is None:
            return key
    return None
