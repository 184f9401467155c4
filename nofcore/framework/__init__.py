"""The rules of a framework year, loaded from a TOML file.

The Python of this kit knows the *kinds* of rule (rank, standard, floor, lookup, percentiles ...).
Which metric follows which, and every number, stands in ``nofcore/frameworks/*.toml`` or in a file
of the user's own, and in no other place.

`parts`: what each table of a file holds; `rules`: all of them together; `contradictions`: what does not fit together;
`reading`: files, and errors in their words; `kit`: the rules that ship with the kit.
"""

from nofcore.framework.contradictions import LARGEST_WEIGHT, ContradictionError
from nofcore.framework.kit import FOLDER, for_quarter, is_own, newest, shipped
from nofcore.framework.parts import (
    STRICT,
    Average,
    Bracket,
    Claim,
    Combined,
    Condition,
    Domain,
    Freshness,
    Group,
    Identifiers,
    Lookup,
    Metric,
    Number,
    Override,
    QuarterLabel,
    Rule,
    Scale,
    Segments,
    Spreading,
    Text,
    Weight,
    Whole,
    off_scale,
    year_of,
)
from nofcore.framework.reading import as_tuples, load, parse, problem, read_toml, said
from nofcore.framework.rules import Framework

__all__ = [
    "FOLDER", "LARGEST_WEIGHT", "STRICT", "Average", "Bracket", "Claim", "Combined", "Condition", "ContradictionError",
    "Domain", "Framework", "Freshness", "Group", "Identifiers", "Lookup", "Metric", "Number", "Override", "QuarterLabel", "Rule", "Scale",
    "Segments", "Spreading", "Text", "Weight", "Whole", "as_tuples", "for_quarter", "is_own", "load", "newest",
    "off_scale", "parse", "problem", "read_toml", "said", "shipped", "year_of",
]  # fmt: skip
