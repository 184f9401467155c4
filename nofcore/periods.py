"""Period texts to dates: the last day of the period that a figure covers.

Which texts occur is data (``periods`` in the framework file); here stand the kinds of part they are
made of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta
from functools import lru_cache

_PARTS = {
    "month": r"(?P<month>[A-Z][a-z]{2})[a-z]*",
    "year": r"(?P<year>\d{4}|\d{2})",
    "financial_year": r"(?P<financial>\d{4}|\d{2})(?:[/-]\d{2})?",
    "financial_quarter": r"(?P<quarter>[1-4])",
    "financial_month": r"(?P<number>1[0-2]|[1-9])",
    "*": r".*?",
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
APRIL = 4
"""The month in which a financial year begins."""
_YEARS = range(1900, 2201)
"""Years that a period can be of: four digits may be anything, and dates of other years may not even exist."""


@lru_cache
def compile_template(template: str) -> re.Pattern[str]:
    """The pattern of a template such as "{month}-{year}" or "Q{financial_quarter} {financial_year}".

    Parts in braces: month (a name of three letters or more), year (of the calendar, 2 or 4 digits), financial_year
    (named by the year it begins in: 2025/26, 2025-26, 25/26 or 2025), financial_quarter (1 to 4), financial_month (1
    to 12, April is 1) and * (anything). Everything else stands for itself. Raises ValueError for any other part, for a
    part that is given twice, and for parts that make no date.
    """
    pieces = re.split(r"\{([^{}]*)\}", template)
    names = pieces[1::2]
    if unknown := [name for name in names if name not in _PARTS]:
        raise ValueError(f"{{{unknown[0]}}} is not a part of a period; the parts are {', '.join(_PARTS)}")
    parts = [name for name in names if name != "*"]
    if sorted(parts) not in _DATED:
        raise ValueError(f"{template!r} makes no date; it takes one of: {'; '.join(' and '.join(d) for d in _DATED)}")
    text = "".join(_PARTS[piece] if place % 2 else re.escape(piece) for place, piece in enumerate(pieces))
    return re.compile(text)


_DATED = (
    ["month", "year"],
    ["financial_year", "month"],
    ["financial_quarter", "financial_year"],
    ["financial_month", "financial_year"],
    ["financial_year"],
    ["year"],
)
"""The parts that make a date together."""


def end(text: str, templates: Iterable[str]) -> date | None:
    """The last day of the period in a text, by the first template that fits all of it; None where none does.

    A text whose year no period can be of, such as 0000 or 9999, fits none.
    """
    for template in templates:
        found = compile_template(template).fullmatch(text.strip())
        if found and (day := _last_day(found.groupdict())):
            return day
    return None


def end_of_quarter(quarter: str) -> date:
    """The last day of a financial quarter: "Q1 2025/26" ends on 30 June 2025."""
    return _end_of_month(*_financial(int(quarter[3:7]), 3 * int(quarter[1])))


def months_before(day: date, months: int) -> date:
    """The last day of the month so many months before that of a day."""
    count = day.year * 12 + day.month - 1 - months
    return _end_of_month(count // 12, count % 12 + 1)


def _last_day(parts: dict[str, str]) -> date | None:
    if _century(parts.get("year") or parts["financial"]) not in _YEARS:
        return None
    month = None
    if name := parts.get("month"):
        if name not in _MONTHS:
            return None
        month = _MONTHS.index(name) + 1
    if year := parts.get("year"):
        return _end_of_month(_century(year), month or 12)
    begins = _century(parts["financial"])
    if month:
        return _end_of_month(begins + (month < APRIL), month)
    number = int(parts.get("number") or 3 * int(parts.get("quarter") or 4))
    return _end_of_month(*_financial(begins, number))


def _century(digits: str) -> int:
    return int(digits) + (2000 if len(digits) == 2 else 0)


def _financial(begins: int, number: int) -> tuple[int, int]:
    """Year and month of the calendar of a month of a financial year; April is 1."""
    count = APRIL - 1 + number - 1
    return begins + count // 12, count % 12 + 1


def _end_of_month(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
