"""All that is said of what other rules would do to the ranks of a type, worked out once for a page."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import pandas as pd

from nofcore import cache, deficit, own_scenarios, release, scenarios, sensitivity, sobol, weights
from nofcore.defaults import DRAWS, SEED
from nofcore.deficit import Overrides
from nofcore.errors import InputError
from nofcore.framework import Framework
from nofcore.league import LeagueTable
from nofcore.release import Release
from nofcore.sensitivity import APPLIED, LeftOut, Outcome, Sensitivity
from nofcore.sobol import Crossed, Indices
from nofcore.weights import Acceptability

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Study:
    """What other rules would do to the ranks of a type. `study` makes one.

    ``trust``: code of the trust shown in particular; ``marked``: whether the reader asked for it; ``alternative``: key of the scenario
    shown in particular, None where none moves a rank; ``metrics``, ``domains``: left out one at a time; ``weightings``:
    ranks under random weights; ``methods``, ``raw_weights``: Sobol indices. A part that the figures or the rules do not
    allow is the reason instead, as text.
    """

    figures: Release
    framework: Framework
    trust_type: str
    trust: str
    marked: bool
    rebuilt: LeagueTable
    compared: Sensitivity
    alternative: str | None
    metrics: LeftOut | str
    domains: LeftOut | str
    weightings: Acceptability | str
    methods: Indices | str
    raw_weights: Indices | str
    overrides: Overrides | str
    draws: int
    seed: int

    @property
    def quarter(self) -> str:
        return self.figures.quarter

    @cached_property
    def scenarios(self) -> pd.DataFrame:
        """`nofcore.sensitivity.Sensitivity.table` of the type."""
        return self.compared.table(self.trust_type)

    @property
    def trusts(self) -> pd.DataFrame:
        """Ranked rows of the type in the official league table."""
        return self.rebuilt.of(self.trust_type).dropna(subset="rank")

    def outcome(self, key: str) -> Outcome:
        """What the scenario with this key did."""
        return next(one for one in self.compared.outcomes if one.scenario.key == key)

    @property
    def name(self) -> str:
        """Name of the trust shown in particular."""
        return self.trusts.at[self.trust, "trust_name"]


def study(
    figures: Release, framework: Framework | None, trust_type: str, trust: str | None = None, *,
    draws: int = DRAWS, sobol_n: int = sobol.SAMPLES, within: float | None = None, scenario: Sequence[Path | str] | None = None,
    weighting: Path | str | None = None, alternative: str | None = None, seed: int = SEED,
) -> Study:  # fmt: skip
    """Work out what other rules would do.

    ``within``: each weight is drawn within ± so many per cent of that of the rules, above 0 to 100; None for all
    weights there could be (the Sobol indices of weights then take `nofcore.sobol.WITHIN` per cent); ``scenario``,
    ``weighting``: files of the user's own; ``alternative``: key or name of a scenario, None for the one that moves
    most. Raises InputError for what the user gave and cannot be used, and without rules for the year.
    """
    if framework is None:
        raise InputError(f"{release.no_rules(figures.quarter).split(',')[0]}; give your own with --framework")
    _check(within, sobol_n)
    own = own_scenarios.read(scenario or (), weighting, framework)
    kind = release.trust_type_of(trust_type, figures.trust_types)
    compared = sensitivity.compare(figures, framework, (*scenarios.shipped(), *own))
    rebuilt = compared.baseline
    codes = list(rebuilt.of(kind).dropna(subset="rank").index)
    return Study(
        figures, framework, kind, trust if trust in codes else codes[len(codes) // 2], trust in codes, rebuilt, compared,
        _alternative(compared, kind, alternative),
        _left_out(figures, rebuilt, kind, "metric"),
        _left_out(figures, rebuilt, kind, "domain"),
        _or_why_not(lambda: _acceptability(rebuilt, kind, within, draws, seed)),
        _or_why_not(lambda: sobol.methods(_crossed(figures, framework), kind, sobol_n, seed)),
        _or_why_not(lambda: sobol.weights(rebuilt, kind, within or sobol.WITHIN, n=sobol_n, seed=seed)),
        _or_why_not(lambda: deficit.compare(figures, framework)),
        draws, seed,
    )  # fmt: skip


def _check(within: float | None, sobol_n: int) -> None:
    """Refuse parameters that would else look like figures that do not allow an analysis."""
    known = within is None or (isinstance(within, int | float) and not isinstance(within, bool) and 0 < within <= 100)
    if not known:
        raise InputError(f"within: must be per cent, from above 0 to 100, such as 25, or None, not {within!r}")
    if isinstance(sobol_n, bool) or not isinstance(sobol_n, int) or sobol_n < 2 or sobol_n & (sobol_n - 1):
        raise InputError(f"sobol_n: must be a power of 2, such as {sobol.SAMPLES}, not {sobol_n!r}")


def _crossed(figures: Release, framework: Framework) -> Crossed:
    """Every combination of choices of method, which the pages of all types share."""
    tables = (figures.observations, figures.trusts, figures.league)
    digest = hashlib.sha256(b"".join(pd.util.hash_pandas_object(table).to_numpy().tobytes() for table in tables))
    made_from = f"{figures.quarter} {figures.source} {digest.hexdigest()} {framework}"
    return cache.remember("methods-crossed", made_from, lambda: sobol.cross(figures, framework))


def _or_why_not(work: Callable[[], Result]) -> Result | str:
    try:
        return work()
    except InputError as error:
        return "; ".join(problem.message for problem in error.problems)  # no paths of files on a page


def _left_out(figures: Release, rebuilt: LeagueTable, trust_type: str, what: str) -> LeftOut | str:
    def work() -> LeftOut:
        found = sensitivity.leave_out(figures, rebuilt, what)
        if found.summary(trust_type)["mean_change"].isna().all():
            raise InputError(f"no {what} can be left out: nothing, or nothing that differs, would be left to average")
        return found

    return _or_why_not(work)


def _acceptability(rebuilt: LeagueTable, trust_type: str, per_cent: float | None, draws: int, seed: int):
    found = weights.acceptability(rebuilt, per_cent, draws, seed)
    if rebuilt.of(trust_type).index.isin(found.held).all():
        raise InputError(f"{rebuilt.quarter}, {trust_type}: no metric scores are at hand, so nothing can be weighed")
    return found


def _alternative(compared: Sensitivity, trust_type: str, wanted: str | None) -> str | None:
    """The key of the scenario shown in particular."""
    table = compared.table(trust_type)
    if wanted is None:
        moving = table.loc[(table["status"] == APPLIED) & (table["mean_change"] > 0), "mean_change"]
        return None if moving.empty else str(moving.idxmax())
    if wanted in table.index:
        return wanted
    if wanted in list(table["name"]):
        return str(table.index[table["name"] == wanted][0])
    raise InputError(f"alternative: no scenario {wanted!r}; there are {', '.join(table.index)}")
