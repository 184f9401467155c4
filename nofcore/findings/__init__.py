"""Sentences made from the numbers, in plain English. They claim what the figures show and no more.

A module for each page, imported when it is first asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
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
    ],
)
