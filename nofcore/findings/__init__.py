"""Sentences made from the numbers, in plain English. They claim what the figures show and no more.

A module for each page.
"""

from nofcore.findings import (
    correlation,
    decomposition,
    incentives,
    league,
    measurement,
    methods,
    movement,
    override,
    profile,
    ranks,
    sensitivity,
    sobol,
    stability,
    weightings,
)

__all__ = [
    "correlation",
    "decomposition",
    "incentives",
    "league",
    "measurement",
    "methods",
    "movement",
    "override",
    "profile",
    "ranks",
    "sensitivity",
    "sobol",
    "stability",
    "weightings",
]
