"""Sentences made from the numbers, in plain English. They claim what the figures show and no more.

A module for each page.
"""

from nofcore.findings import league, ranks

__all__ = ["league", "ranks"]
