"""Charts, each with a text alternative that says what it shows: `Chart`, and a function for each.

A module for each page; their functions are named here.
A module is imported when something in it is first asked for: a page needs one or two.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["Chart", "Charts"],
        "correlation": ["components", "correlation_heat_map", "history_scatter", "influence_bars", "rank_scatters"],
        "incentives": ["last_steps"],
        "league": ["averages", "domains"],
        "measurement": ["average_funnel", "funnels", "kinds_of_uncertainty"],
        "methods": ["data_ages"],
        "movement": ["average_changes", "rank_flow", "rank_parts"],
        "profile": ["metric_places", "rank_path", "rank_shares"],
        "ranks": ["rank_distribution", "rank_ranges", "segment_probabilities"],
        "sensitivity": ["acceptability", "scenario_changes", "scenario_flow", "scenario_ranges", "sobol_bars"],
    },
)
