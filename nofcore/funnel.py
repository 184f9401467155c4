"""Funnel plots as numbers: who differs from the average by more than chance, without ranking anyone.

Method of Spiegelhalter (2005), "Funnel plots for comparing institutional performance", Statistics
in Medicine 24:1185. A share is set against the size of its denominator; control limits around the
pooled share narrow as the denominator grows.

* Limits at 2 and 3 standard deviations: the exact binomial ones of the paper's appendix, at the tail
  probabilities of a normal distribution beyond 2 and 3 (2.28 % and 0.13 % on each side), interpolated
  between whole numbers. "Without overdispersion" means these.
* Overdispersion: trusts differ by more than chance for reasons that are no fault or merit (their
  patients, their area). The factor phi is the mean square of the z-scores, winsorised so that
  outliers do not widen the limits that should find them. The limits then are normal ones on the
  scale of the share, "multiplicative" (standard deviations times the root of phi) or "additive" (a
  variance between trusts, tau squared, added to the binomial one; DerSimonian and Laird with the
  winsorised phi). Where there is none (phi at most 1; tau 0) limits and verdict stay the exact ones.

The same picture of the average score itself, against the number of items, shows how far averages of
few items spread by that alone: `average_funnel`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from nofcore import activity, league
from nofcore.activity import trials
from nofcore.errors import InputError
from nofcore.framework import Framework, Metric
from nofcore.league import LeagueTable
from nofcore.release import Release
from nofcore.variances import between_variance, within_sd

SDS = (2, 3)
WINSORISED = 0.1
"""Share of the z-scores at each end that is drawn in, as in the paper's examples."""
METHODS = ("multiplicative", "additive")


# --- arrays ---------------------------------------------------------------------------------------


def binomial_limits(n: np.ndarray, target: float, sd: float) -> tuple[np.ndarray, np.ndarray]:
    """Exact lower and upper limits of a share, interpolated (Spiegelhalter 2005, appendix A.1.1).

    ``n``: whole denominators; ``target``: share 0 to 1; ``sd``: the limits leave as much outside on
    each side as a normal distribution beyond so many standard deviations. With r the smallest count
    that is reached with probability p, the limit is (r - a) / n, a = (P(R <= r) - p) / P(R = r). A
    lower limit may lie below 0 and an upper one above 1 by less than 1 / n: nobody is outside then.
    """
    n = np.asarray(n)
    return tuple(_binomial_limit(n, target, tail) for tail in (stats.norm.cdf(-sd), stats.norm.cdf(sd)))


def _binomial_limit(n: np.ndarray, target: float, tail: float) -> np.ndarray:
    if target in (0, 1):
        return np.full(n.shape, float(target))
    r = stats.binom.ppf(tail, n, target)
    return (r - (stats.binom.cdf(r, n, target) - tail) / stats.binom.pmf(r, n, target)) / n


def normal_limits(variance: np.ndarray, target: float, sd: float) -> tuple[np.ndarray, np.ndarray]:
    """Limits of a share from its variance, cut off at 0 and 1."""
    reach = sd * np.sqrt(variance)
    return np.maximum(target - reach, 0), np.minimum(target + reach, 1)


def z_scores(figures: np.ndarray, target: float, variance: np.ndarray) -> np.ndarray:
    """Standard deviations from the target; 0 where the variance is 0, which only a target of 0 or 1 gives."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(variance > 0, (figures - target) / np.sqrt(variance), 0.0)


def winsorise(z: np.ndarray, share: float = WINSORISED) -> np.ndarray:
    """z-scores with the lowest and highest ``share`` drawn in to the quantiles there (linear interpolation)."""
    low, high = np.quantile(z, (share, 1 - share))
    return np.clip(z, low, high)


def dispersion(z: np.ndarray, share: float = WINSORISED) -> float:
    """phi: the mean square of the winsorised z-scores. About 1 where trusts differ by chance only."""
    return float(np.mean(winsorise(z, share) ** 2))


# --- the funnel of a metric -----------------------------------------------------------------------


@dataclass(frozen=True)
class Funnel:
    """One metric against its denominators.

    ``target``: pooled percentage; ``phi``: variance of the (winsorised) trusts as a multiple of the
    binomial; ``tau``: standard deviation between trusts, percentage points, used by "additive";
    ``trusts``: see `table`; ``method``: one of `METHODS`.
    """

    metric: Metric
    target: float
    phi: float
    tau: float
    method: str
    trusts: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """A row per trust: numerator, denominator, percent, z, z_overdispersed; the limits ``low_2``,
        ``high_2``, ``low_3``, ``high_3`` in percent, and with overdispersion (``_overdispersed``);
        outside and outside_overdispersed: -3, -2, 2 or 3 for beyond that many standard deviations
        below or above, 0 within; better: "better" or "worse" than the target, "" at it."""
        return self.trusts

    def limits(self, denominators: np.ndarray) -> pd.DataFrame:
        """The same limits for any denominators (rounded to whole numbers), to draw the funnel with."""
        n = trials(denominators)
        return _limits(n, self.target / 100, self.phi, (self.tau / 100) ** 2, self.method).set_index(n)


def funnel(numerators: pd.Series, denominators: pd.Series, metric: Metric, method: str = "multiplicative") -> Funnel:
    """The funnel of one metric. ``numerators``, ``denominators``: by trust; fractions as in `nofcore.activity.trials`.

    All trusts on one share, 0 and 100 % among them, is a funnel with nobody outside. Raises
    InputError for fewer than two trusts, and for a denominator that is not above zero or smaller
    than its numerator.
    """
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    if len(numerators) < 2:
        raise InputError(f"{metric.value}: a funnel needs two trusts with counts, not {len(numerators)}")
    bad = ~((denominators > 0) & (numerators >= 0) & (numerators <= denominators))
    if bad.any():
        codes = ", ".join(map(str, bad.index[bad][:5]))
        raise InputError(f"{metric.value}: denominators must be above zero and numerators within them (see {codes})")
    share = (numerators / denominators).to_numpy()
    target = float(numerators.sum() / denominators.sum())
    n = trials(denominators)
    variance = target * (1 - target) / n
    z = z_scores(share, target, variance)
    phi = dispersion(z)
    tau_squared = between_variance(phi * len(variance), variance) if 0 < target < 1 else 0.0
    limits = _limits(n, target, phi, tau_squared, method)
    table = pd.DataFrame(
        {"numerator": numerators, "denominator": denominators, "percent": 100 * share, "z": z}, index=numerators.index
    )
    table["z_overdispersed"] = z_scores(share, target, _wider(variance, phi, tau_squared, method))
    table[limits.columns] = limits.to_numpy()
    for kind in ("", "_overdispersed"):
        table[f"outside{kind}"] = _outside(table["percent"], limits.to_numpy(), limits.columns, kind)
    above = np.sign(share - target) * (1 if metric.better == "high" else -1)
    table["better"] = np.select([above > 0, above < 0], ["better", "worse"], "")
    return Funnel(metric, 100 * target, phi, 100 * tau_squared**0.5, method, table)


def _wider(variance: np.ndarray, phi: float, tau_squared: float, method: str) -> np.ndarray:
    return variance * max(phi, 1) if method == "multiplicative" else variance + tau_squared


def _limits(n: np.ndarray, target: float, phi: float, tau_squared: float, method: str) -> pd.DataFrame:
    """Limits in percent by name: exact, then with overdispersion (the exact ones again where there is none)."""
    variance = target * (1 - target) / n
    wider = _wider(variance, phi, tau_squared, method)
    exact, inflated = {}, {}
    for sd in SDS:
        exact[f"low_{sd}"], exact[f"high_{sd}"] = (100 * limit for limit in binomial_limits(n, target, sd))
        ends = binomial_limits(n, target, sd) if (wider == variance).all() else normal_limits(wider, target, sd)
        inflated[f"low_{sd}_overdispersed"], inflated[f"high_{sd}_overdispersed"] = (100 * limit for limit in ends)
    return pd.DataFrame(exact | inflated)


def _outside(percent: pd.Series, limits: np.ndarray, columns: pd.Index, kind: str) -> np.ndarray:
    """The most standard deviations that each trust is strictly beyond, negative below; 0 within all limits."""
    found = np.zeros(len(percent), dtype=int)
    slack = 1e-9  # a share on the limit is within, whatever the rounding of floats
    for sd in SDS:
        low, high = (limits[:, columns.get_loc(f"{end}_{sd}{kind}")] for end in ("low", "high"))
        found[(percent < low - slack).to_numpy()] = -sd
        found[(percent > high + slack).to_numpy()] = sd
    return found


def funnels(
    figures: Release, framework: Framework, counts: pd.DataFrame | None = None, method: str = "multiplicative"
) -> dict[str, Funnel]:
    """The funnel of every metric with counts, by metric_id, in the framework's order.

    ``counts``: from `nofcore.activity.read`; the embedded ones where None. See `funnel` for errors.
    """
    counts = activity.read(figures, framework) if counts is None else counts
    found = {}
    for metric in framework.metric:
        rows = counts[counts["metric_id"] == metric.value].set_index("trust_code")
        if metric.value and len(rows):
            found[metric.value] = funnel(rows["numerator"], rows["denominator"], metric, method)
    return found


def summary(found: dict[str, Funnel]) -> pd.DataFrame:
    """A row per metric: how many trusts lie outside the limits, in which direction.

    Columns: name, better (which direction is good), trusts, target (%), phi, tau (percentage
    points); for 2 and 3 standard deviations better_2, worse_2, better_3, worse_3 (those beyond 3 are
    beyond 2 as well), and the same with ``_overdispersed``.
    """
    rows = {}
    for metric_id, one in found.items():
        table = one.table()
        row = {
            "name": one.metric.short, "better": one.metric.better, "trusts": len(table), "target": one.target,
            "phi": one.phi, "tau": one.tau,
        }  # fmt: skip
        for kind in ("", "_overdispersed"):
            for sd in SDS:
                beyond = table[f"outside{kind}"].abs() >= sd
                for side in ("better", "worse"):
                    row[f"{side}_{sd}{kind}"] = int((beyond & (table["better"] == side)).sum())
        rows[metric_id] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("metric_id")


# --- the funnel of the average --------------------------------------------------------------------


@dataclass(frozen=True)
class AverageFunnel:
    """Averages of a trust type against their numbers of items.

    ``target``: mean of all items of the type (points), to which a trust counts by its items;
    ``item_sd``: pooled standard deviation of items within trusts; ``phi``: winsorised mean square of
    the z-scores; above 1, trusts differ by more than the choice of items; ``trusts``: see `table`.
    """

    trust_type: str
    target: float
    item_sd: float
    phi: float
    trusts: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """A row per trust in league order: trust_name, rank, n_items, average (unrounded), expected_sd
        (of an average of so many items), z (negative = better), the limits low_2 ... high_3, outside
        (-3, -2, 0, 2, 3; negative = better)."""
        return self.trusts

    def limits(self, sizes: np.ndarray) -> pd.DataFrame:
        """Limits for any numbers of items, in points; not cut off at the ends of the scale."""
        sizes = np.asarray(sizes)
        return _average_limits(self.target, self.item_sd / np.sqrt(sizes)).set_index(sizes)


def average_funnel(rebuilt: LeagueTable, trust_type: str) -> AverageFunnel:
    """Each trust's average against what the number of its items lets one expect.

    Were a trust's items drawn at random from those of its type, its average of m items would spread
    by the items' standard deviation / sqrt(m) around the mean. Trusts without items are left out.
    Raises InputError where fewer than two trusts have items, or none has two.
    """
    rows = rebuilt.of(trust_type)
    if rebuilt.items is None:
        raise InputError(f"{rebuilt.quarter}: no metric scores are at hand, so there are no items to count")
    league.require_plain_average(rebuilt.framework, f"{rebuilt.quarter}: a funnel of averages cannot be made")
    values = rebuilt.items.values
    values = values.loc[[code for code in rows.index if code in values.index]]
    if len(values) < 2:
        raise InputError(f"{rebuilt.quarter}, {trust_type}: a funnel needs two trusts with items, not {len(values)}")
    items = values.to_numpy()
    try:
        item_sd = within_sd(items)
    except ValueError:
        message = "no trust has two items, so their spread is not known"
        raise InputError(f"{rebuilt.quarter}, {trust_type}: {message}") from None
    target = float(np.nanmean(items))
    table = rows.loc[values.index, ["trust_name", "rank"]].assign(
        n_items=values.notna().sum(axis=1), average=values.mean(axis=1)
    )
    table["expected_sd"] = item_sd / np.sqrt(table["n_items"])
    table["z"] = z_scores(table["average"].to_numpy(), target, table["expected_sd"].to_numpy() ** 2)
    limits = _average_limits(target, table["expected_sd"].to_numpy())
    table[limits.columns] = limits.to_numpy()
    table["outside"] = _outside(table["average"], limits.to_numpy(), limits.columns, "")
    return AverageFunnel(trust_type, target, item_sd, dispersion(table["z"].to_numpy()), table)


def _average_limits(target: float, spread: np.ndarray) -> pd.DataFrame:
    ends = {"low": -1, "high": 1}
    return pd.DataFrame({f"{end}_{sd}": target + sign * sd * spread for sd in SDS for end, sign in ends.items()})
