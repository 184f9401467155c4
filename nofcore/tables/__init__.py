"""Tables for people: `Table`, and a function for each. A module for each page; their functions are named here."""

from nofcore.tables.base import Table
from nofcore.tables.league import agreement, capped, differences, league_table, rules, segment_counts
from nofcore.tables.ranks import funnels, outside_funnels, range_agreement, range_differences, rank_ranges, rank_sets

__all__ = [
    "Table",
    "agreement",
    "capped",
    "differences",
    "funnels",
    "league_table",
    "outside_funnels",
    "range_agreement",
    "range_differences",
    "rank_ranges",
    "rank_sets",
    "rules",
    "segment_counts",
]
