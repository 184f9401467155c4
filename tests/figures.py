"""Embedded figures put through the kit, for tests of what comes after."""

from functools import lru_cache

import pytest

from nofcore import cache, framework, improvement, league, profile_study, release


def rebuilt_of(quarter: str) -> league.LeagueTable:
    """The league tables of a quarter, rebuilt from the embedded scores."""
    figures = release.embedded().release(quarter)
    return league.build(figures, framework.for_quarter(quarter))


@lru_cache
def standing_of(quarter: str) -> improvement.Standing:
    """Where every trust stands in a quarter of the embedded data."""
    return improvement.prepare(rebuilt_of(quarter), release.embedded().release(quarter), framework.for_quarter(quarter))


@lru_cache
def profiles_of(quarter: str) -> profile_study.Study:
    """What the profiles of a quarter of the embedded data share, from few draws."""
    return profile_study.study(release.embedded(), quarter, None, 400, 7)


def uncached_profiles_of(archive, quarter: str, own, draws: int) -> profile_study.Study:
    """The same of other figures or rules, and nothing kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "folder", lambda: None)
        return profile_study.study(archive, quarter, own, draws, 7)
