"""Words that the findings on other rules, other weights, crossed choices and the override share."""

from __future__ import annotations

from nofcore.sensitivity_study import Study
from nofcore.tables.sensitivity import readable as in_names
from nofcore.wording import decimal, plural


def who(found: Study) -> str:
    return plural(found.trust_type)


def readable(note: str, found: Study) -> str:
    """A note without the quarter, with names in place of identifiers."""
    return in_names(note, found.quarter, found.framework)


def not_available(reason: str) -> str:
    return f"Not available, because {reason}."


def are(number: int) -> str:
    return "is" if number == 1 else "are"


def with_s(number: int, verb: str) -> str:
    """A verb for so many: "1 trust loses", "2 trusts lose"."""
    return f"{verb}s" if number == 1 else verb


def small(name: str) -> str:
    """A name within a sentence."""
    return name[:1].lower() + name[1:]


def percent(share: float) -> str:
    return f"{decimal(share * 100, 0)} %"
