"""The jinja environment that pages and index share. It escapes everything that is not marked as HTML."""

import functools
from datetime import datetime
from pathlib import Path

import jinja2

TEMPLATES = Path(__file__).parent / "template"


def render(template: str, **values: object) -> str:
    """A template of the package filled in; a name that it needs and does not get is an error."""
    return _environment().get_template(template).render(values)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["long_date"] = long_date
    return environment


def long_date(time: str) -> str:
    """A time in ISO 8601 as a day that people read.

    >>> long_date("2025-09-09T08:30:00Z")
    '9 September 2025'
    """
    day = datetime.fromisoformat(time)
    return f"{day.day} {day:%B %Y}"
