"""Choices that hold where the user names none."""

DRAWS = 10_000
SEED = 20250909
"""The day of the first league tables."""
