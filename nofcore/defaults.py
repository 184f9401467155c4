"""Choices that hold where the user names none, and the page that is never made unasked."""

DRAWS = 10_000
CORRELATION_DRAWS = 2_000
"""For correlations, where each draw ranks the trusts anew for every pair of metrics."""
SEED = 20250909
"""The day of the first league tables."""
PROFILE = "trust_profile"
"""The page on one trust, which is made for the trusts that are named alone."""
