"""What the index of the pages says first: who is ranked, and how, by the rules in use."""

from __future__ import annotations

from pathlib import PurePath

from nofcore.framework import Framework, Override, year_of
from nofcore.release import Release
from nofcore.wording import counted, plural

WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def opening(figures: Release, framework: Framework | None, own_rules: PurePath | None) -> list[str]:
    """Two paragraphs. ``own_rules``: the user's own framework file, None for the kit's rules."""
    return [_who(figures, framework, own_rules), _how(figures, framework)]


def _who(figures: Release, framework: Framework | None, own_rules: PurePath | None) -> str:
    if own_rules is not None:
        *others, last = map(plural, figures.trust_types)
        types = f"{', '.join(others)} and {last}" if others else last
        return (
            f"These pages rank {types} by the rules in {own_rules.name}: {framework.title}. They start from published figures and "
            "show how far each result can be relied on."
        )
    known = framework.trust_types if framework else ()
    ranked = "every NHS trust" if set(figures.trust_types) <= set(known) else "organisations of the NHS"
    return (
        f"NHS England ranks {ranked} in England each quarter under the NHS Oversight Framework. These pages rebuild the league "
        "tables from the published figures and show how far each figure can be relied on."
    )


def _how(figures: Release, framework: Framework | None) -> str:
    if framework is None:
        year = year_of(figures.quarter)
        return f"The kit has no rules for {year}: published averages and segments are ranked again, and no more is made of them."
    scale, count = framework.scale, framework.segment_count
    number = WORDS[count] if count < len(WORDS) else str(count)
    who = _member(framework)
    segment = f"the average puts {who} into one of {number} segments" if count > 1 else "all are in one segment"
    rank = (
        "follows from the segment, then from the average"
        if framework.ranking == "segment"
        else "follows from the average"
    )
    held = _held(framework.override, who) if framework.override else ""
    return (
        f"Each metric is scored from {scale.best:g} (best) to {scale.worst:g} (worst), the scores are averaged, and {segment}."
        f"{held} The rank {rank}."
    )


def _member(framework: Framework) -> str:
    return "a trust" if all("trust" in name.lower() for name in framework.trust_types) else "an organisation"


def _held(rule: Override, who: str) -> str:
    why = (
        "that meets a condition of the rules"
        if rule.flag_if
        else "that reports a deficit, or receives deficit support,"
    )
    how = (
        f"is held at segment {rule.no_higher_than} or worse"
        if rule.no_higher_than
        else f"is placed {counted(rule.segments_down, 'segment')} lower"
    )
    of = f" of these types ({', '.join(rule.trust_types)})" if rule.trust_types else ""
    return f" Under the financial override {who}{of} {why} {how}."
