"""Charts, each with a text alternative that says what it shows: `Chart`, and a function for each.

A module for each page; their functions are named here.
"""

from nofcore.charts.base import Chart, Charts
from nofcore.charts.league import averages, domains
from nofcore.charts.ranks import (
    average_funnel,
    funnels,
    kinds_of_uncertainty,
    rank_distribution,
    rank_ranges,
    segment_probabilities,
)

__all__ = [
    "Chart",
    "Charts",
    "average_funnel",
    "averages",
    "domains",
    "funnels",
    "kinds_of_uncertainty",
    "rank_distribution",
    "rank_ranges",
    "segment_probabilities",
]
