"""Charts, each with a text alternative that says what it shows: `Chart`, and a function for each.

A module for each page; their functions are named here.
"""

from nofcore.charts.base import Chart, Charts
from nofcore.charts.correlation import components, correlation_heat_map, history_scatter, influence_bars, rank_scatters
from nofcore.charts.incentives import last_steps
from nofcore.charts.league import averages, domains
from nofcore.charts.measurement import average_funnel, funnels, kinds_of_uncertainty
from nofcore.charts.methods import data_ages
from nofcore.charts.movement import average_changes, rank_flow, rank_parts
from nofcore.charts.profile import metric_places, rank_path, rank_shares
from nofcore.charts.ranks import rank_distribution, rank_ranges, segment_probabilities
from nofcore.charts.sensitivity import acceptability, scenario_changes, scenario_flow, scenario_ranges, sobol_bars

__all__ = [
    "Chart",
    "Charts",
    "acceptability",
    "average_changes",
    "average_funnel",
    "averages",
    "components",
    "correlation_heat_map",
    "data_ages",
    "domains",
    "funnels",
    "history_scatter",
    "influence_bars",
    "kinds_of_uncertainty",
    "last_steps",
    "metric_places",
    "rank_distribution",
    "rank_flow",
    "rank_parts",
    "rank_path",
    "rank_ranges",
    "rank_scatters",
    "rank_shares",
    "scenario_changes",
    "scenario_flow",
    "scenario_ranges",
    "segment_probabilities",
    "sobol_bars",
]
