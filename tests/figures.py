"""Embedded figures put through the kit, for tests of what comes after."""

from nofcore import framework, league, release


def rebuilt_of(quarter: str) -> league.LeagueTable:
    """The league tables of a quarter, rebuilt from the embedded scores."""
    figures = release.embedded().release(quarter)
    return league.build(figures, framework.for_quarter(quarter))
