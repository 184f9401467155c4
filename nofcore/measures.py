"""In what units the values of metrics improve, and what the best possible value is: the kit's own table."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from nofcore import release


@dataclass(frozen=True)
class Measure:
    """The unit of a metric's values: its name, one step of improvement in it, and the best value there can be."""

    one: str
    many: str
    step: float
    best: float | None = None


UNKNOWN = Measure("unit", "units", 1)
"""For a metric of which the kit knows no measure."""
OTHERS = "*"
"""Stands for every metric that is not named: then the published unit alone decides, and no best value is known."""


@lru_cache(maxsize=1)
def measures() -> Mapping[tuple[str, str], Measure]:
    """Measures by metric_id of the value and the unit of its row, "" for any other unit."""
    listed = tomllib.loads((release.FOLDER / "improvement.toml").read_text("utf-8"))["measure"]
    return {
        (metric_id, entry.get("unit", "")): Measure(entry["one"], entry["many"], entry["step"], entry.get("best"))
        for entry in listed
        for metric_id in entry["metrics"]
    }


def measure(metric_id: str, unit: str = "") -> Measure:
    """The measure of a metric's values: of the metric, else of the unit it is published in, else `UNKNOWN`."""
    known = measures()
    return next((known[key] for key in ((metric_id, unit), (metric_id, ""), (OTHERS, unit)) if key in known), UNKNOWN)


def say(amount: float, many: str) -> str:
    """An amount in a unit, given in the plural: "1 percentage point", "0.3 days"."""
    ones = {one.many: one.one for one in (*measures().values(), UNKNOWN)}
    return f"{amount:.6g} {ones.get(many, many) if amount == 1 else many}"
