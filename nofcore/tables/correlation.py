"""Tables of correlations between metrics, and of what drives the average."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from nofcore.claims import LIKE_WITH_LIKE, QUARTILES, CrossTable
from nofcore.consistency import History
from nofcore.correlation import SMALL, Correlations
from nofcore.drivers import Drivers
from nofcore.peers import Correlates
from nofcore.tables.base import Table
from nofcore.wording import capital, counted, decimal, plural

METHOD_NAMES = {"spearman": "Spearman", "kendall": "Kendall", "pearson": "Pearson"}
P_DECIMALS = {"Coefficient": 2, "p": 4, "Adjusted p": 4}


def pair_table(found: Correlations, name: str = "pairs", which: str = "All pairs of metrics") -> Table:
    """Every pair of metrics with its coefficient and how sure it is, strongest first."""
    rows = found.table()
    frame = pd.DataFrame({"Metric": rows["name_a"], "With": rows["name_b"], **_figures(rows)})
    caption = (
        f"{which}, {plural(found.trust_type)}, {found.quarter}: {METHOD_NAMES[found.method]}, good with good. "
        f"{how_sure(found.draws, len(found.pairs.dropna(subset='p')), rows)}"
    )
    return Table(
        name,
        _without_empty_notes(frame),
        caption,
        "Metric",
        P_DECIMALS,
        sortable=len(frame) > 12,
        right=("95 % interval",),
    )


def how_sure(draws: int, tests: int, rows: pd.DataFrame) -> str:
    """What stands behind intervals and p-values, for a caption."""
    ends = rows[["low_error", "high_error"]].max(axis=None)
    seed = "" if np.isnan(ends) else f" Another seed may move an end of an interval by up to {ends:.2f}."
    drawn = f"{counted(draws, 'resample')} of trusts and {counted(draws, 'permutation')}"
    return f"{drawn}; p adjusted for {counted(tests, 'test')}.{seed}"


def _figures(rows: pd.DataFrame) -> dict:
    """The columns that every table of coefficients has."""
    return {
        "Trusts": rows["n"],
        "Coefficient": rows["coefficient"],
        "95 % interval": _intervals(rows["low"], rows["high"]),
        "p": rows["p"],
        "Adjusted p": rows["p_adjusted"],
        "Note": _notes(rows),
    }


def _without_empty_notes(frame: pd.DataFrame) -> pd.DataFrame:
    """Where no row has a note, a column for notes says nothing."""
    return frame if frame["Note"].any() else frame.drop(columns="Note")


def _notes(rows: pd.DataFrame) -> list[str]:
    """Why a figure is missing, or that it rests on few trusts."""
    few = (rows["n"] < SMALL) & rows["coefficient"].notna()
    return [
        "; ".join(filter(None, [f"fewer than {SMALL} trusts" if small else "", reason]))
        for small, reason in zip(few, rows["reason"], strict=True)
    ]


def _intervals(low: pd.Series, high: pd.Series, factor: float = 1, decimals: int = 2) -> list[str | None]:
    return [
        None if np.isnan(a) or np.isnan(b) else f"{decimal(a * factor, decimals)} to {decimal(b * factor, decimals)}"
        for a, b in zip(low, high, strict=True)
    ]


def cross_table(found: CrossTable, number: int, trust_type: str, quarter: str) -> Table:
    """Trusts by their quartiles in two rankings, with the numbers expected if the two had nothing to do with each
    other."""
    rows = found.table()
    frame = pd.DataFrame({f"{found.name_a}: quartile": rows["quartile"].str.capitalize(), "Trusts": rows["trusts"]})
    for name in QUARTILES:
        frame[f"{found.name_b}: {name}"] = [
            f"{count} ({expected:.1f})" for count, expected in zip(rows[name], rows[f"{name}_expected"], strict=True)
        ]
    caption = (
        f"{found.n} {plural(trust_type)}, {quarter}, by their quartile in the ranking of {found.name_a} and of "
        f"{found.name_b}; in brackets the number expected if the two had nothing to do with each other."
    )
    right = tuple(frame.columns[2:])
    return Table(f"quartiles-{number}", frame, caption, frame.columns[0], right=right)


def far_apart(found: Sequence[CrossTable], names: pd.Series, trust_type: str, quarter: str) -> Table:
    """The trusts whose ranks on two metrics differ most. ``names``: trust names by code."""
    parts = []
    for one in found:
        rows = one.apart()
        part = {
            "Trust": names.reindex(rows.index), "Code": rows.index, "Metric": one.name_a, "Rank": rows["rank_a"],
            "Other metric": one.name_b, "Rank on it": rows["rank_b"], "Of": one.n,
        }  # fmt: skip
        parts.append(pd.DataFrame(part))
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["Trust"])
    caption = (
        f"{capital(plural(trust_type))} furthest apart in two rankings, {quarter} (1 = best; at most six for each "
        "pair, at least a quarter of the ranking apart)."
    )
    return Table("far-apart", frame, caption, "Trust", sortable=len(frame) > 12)


def claim_by_subtype(rows: pd.DataFrame, names: Mapping[str, str], found: Correlations) -> Table:
    """The pairs of a claim within each subtype. ``rows``: of `nofcore.claims.by_subtype`; ``names``: of the metrics."""
    frame = pd.DataFrame(
        {
            "Among": rows["subtype"].replace(LIKE_WITH_LIKE, "All, ranks less the mean of the subtype"),
            "Metric": rows["metric_a"].map(names),
            "With": rows["metric_b"].map(names),
            **_figures(rows),
        }
    )
    if found.method == "pearson":
        frame["Among"] = frame["Among"].str.replace("ranks", "values")
    tests = int(rows["p"].notna().sum())
    caption = (
        f"The same pairs within subtypes, {plural(found.trust_type)}, {found.quarter}: {METHOD_NAMES[found.method]}; "
        f"with means of subtypes taken out, Pearson. {how_sure(found.draws, tests, rows)}"
    )
    return Table(
        "claim-by-subtype",
        _without_empty_notes(frame),
        caption,
        "Among",
        P_DECIMALS,
        sortable=len(frame) > 12,
        right=("95 % interval",),
    )


def driver_table(found: Drivers, domains: Mapping[str, str]) -> Table:
    """Weight and influence of each item, and how it goes with the rest. ``domains``: names by key."""
    rows = found.table()
    left_out = found.structure.left_out if found.structure else {}
    frame = pd.DataFrame(
        {
            "Item": rows["name"],
            "Domain": rows["domain"].map(domains),
            "Trusts": rows["n"],
            "Weight (%)": rows["weight"] * 100,
            "Influence (%)": rows["influence"] * 100,
            "95 % interval (%)": _intervals(rows["influence_low"], rows["influence_high"], 100, 1),
            "With the others": rows["rest_coefficient"],
            "Interval": _intervals(rows["rest_low"], rows["rest_high"]),
            "Adjusted p": rows["rest_p_adjusted"],
            "Alpha without it": rows["alpha_without"],
            "Note": [
                "; ".join(filter(None, [reason, f"not in alpha: {left_out[item]}" if item in left_out else ""]))
                for item, reason in zip(rows["item"], rows["reason"], strict=True)
            ],
        }
    )
    caption = (
        f"What moves the average of {found.trusts} {plural(found.trust_type)}, {found.quarter}. Weight: mean share of "
        "the average. Influence: share of the variance of the average; weights and influences add to 100. With the "
        f"others: {METHOD_NAMES[found.method]} correlation with the average of the trust's other items. "
        f"{found.draws:,} draws."
    )
    decimals = {"Weight (%)": 1, "Influence (%)": 1, "With the others": 2, "Adjusted p": 4, "Alpha without it": 2}
    return Table(
        "drivers",
        _without_empty_notes(frame),
        caption,
        "Item",
        decimals,
        sortable=True,
        right=("95 % interval (%)", "Interval"),
    )


def component_table(found: Drivers) -> Table:
    """Eigenvalues beside those of random tables."""
    rows = found.structure.components if found.structure else pd.DataFrame()
    if rows.empty:
        return Table("components", rows, "", "Component")
    frame = pd.DataFrame(
        {
            "Component": rows["component"].astype(str),
            "Eigenvalue": rows["eigenvalue"],
            "Of random tables": rows["random"],
            "Share of all variance (%)": rows["share"] * 100,
            "Counts": np.where(rows["counts"], "yes", "no"),
        }
    )
    caption = (
        f"Principal components of {len(found.structure.items)} items, {plural(found.trust_type)}, {found.quarter}. Of "
        "random tables: 95th percentile with the same gaps and nothing in common."
    )
    decimals = {"Eigenvalue": 2, "Of random tables": 2, "Share of all variance (%)": 1}
    return Table("components", frame, caption, "Component", decimals)


def domain_table(found: Drivers, domains: Mapping[str, str]) -> Table:
    """Mean correlation between the items of each domain."""
    rows = found.structure.domains if found.structure else pd.DataFrame()
    if rows.empty:
        return Table("domain-correlations", rows, "", "Domain")
    frame = pd.DataFrame(
        {
            "Domain": rows["domain"].map(domains),
            "Items": rows["items"],
            "Pairs": rows["pairs"],
            "Mean correlation": rows["within"],
            "Note": np.where(rows["pairs"] == 0, "not available, because it has one item only", ""),
        }
    )
    caption = f"How the items of one domain go together, {plural(found.trust_type)}, {found.quarter}."
    return Table("domain-correlations", _without_empty_notes(frame), caption, "Domain", {"Mean correlation": 2})


BY_LABELS = {"trust_subtype": "subtypes", "region": "regions", "trust_type": "types of trust"}


def shares_between(rows: pd.DataFrame, quarter: str, draws: int) -> Table:
    """How much of the variance of averages lies between groups of trusts. ``rows``: of
    `nofcore.peers.shares_between`."""
    frame = pd.DataFrame(
        {
            "Between": rows["by"].map(BY_LABELS),
            "Among": rows["among"],
            "Groups": rows["groups"],
            "Trusts": rows["n"],
            "Share (%)": rows["eta"] * 100,
            "By lot (%)": rows["by_lot"] * 100,
            "Allowing for it (%)": rows["omega"] * 100,
            "p": rows["p"],
            "Adjusted p": rows["p_adjusted"],
            "Note": rows["reason"],
        }
    )
    caption = (
        f"Share of the variance of average scores that lies between groups, {quarter} (eta squared). By lot: what "
        "groups drawn by lot have on average. Allowing for it: omega squared; below 0 means no more than by lot. "
        f"{draws:,} permutations."
    )
    decimals = {"Share (%)": 1, "By lot (%)": 1, "Allowing for it (%)": 1, "p": 4, "Adjusted p": 4}
    return Table("shares-between", _without_empty_notes(frame), caption, "Between", decimals)


def within_subtype(rows: pd.DataFrame, trust_type: str, quarter: str) -> Table:
    """Ranks within subtype. ``rows``: of `nofcore.peers.within_subtype`."""
    frame = pd.DataFrame(
        {
            "Trust": rows["trust_name"].to_numpy(),
            "Code": rows.index,
            "Subtype": rows["trust_subtype"].to_numpy(),
            "Average": rows["average_score"].to_numpy(),
            "Rank": rows["rank"].to_numpy(),
            "Rank on the average": rows["rank_on_average"].to_numpy(),
            "Rank in subtype": rows["rank_in_subtype"].to_numpy(),
            "Of": rows["of"].to_numpy(),
            "Average less that of subtype": rows["residual"].to_numpy(),
        }
    )
    caption = (
        f"{capital(plural(trust_type))}, {quarter}, ranked within their subtype on the average alone, without the "
        "financial override; equal averages share the best rank. Averages in points, 1 = best; below 0 in the last "
        "column is better than the subtype."
    )
    decimals = {"Average": 2, "Average less that of subtype": 2}
    return Table("within-subtype", frame, caption, "Trust", decimals, sortable=True)


def history_table(found: History) -> Table:
    """How far the correlations of two quarters agree."""
    rows = found.table()
    frame = pd.DataFrame(
        {
            "Quarter": rows["earlier"],
            "And": rows["later"],
            "Metrics": rows["metrics"],
            "Pairs": rows["pairs"],
            "Agreement": rows["correlation"],
            "p": rows["p"],
            "Adjusted p": rows["p_adjusted"],
            "Mean difference": rows["difference"],
            "Metrics with new figures": rows["renewed"],
            "Agreement of those": rows["renewed_correlation"],
            "Note": [_both(one, other) for one, other in zip(rows["reason"], rows["renewed_reason"], strict=True)],
        }
    )
    caption = (
        f"Correlations between metrics in one quarter against another, {plural(found.trust_type)}. Agreement: "
        "correlation of the coefficients over pairs of metrics; p by putting the metrics into other orders (Mantel)."
    )
    decimals = {"Agreement": 2, "p": 4, "Adjusted p": 4, "Mean difference": 2, "Agreement of those": 2}
    return Table("history", _without_empty_notes(frame), caption, "Quarter", decimals)


def _both(reason: str, renewed: str) -> str:
    return reason or (f"agreement of those {renewed}" if renewed else "")


def subtype_table(rows: pd.DataFrame, trust_type: str, quarter: str) -> Table:
    """The correlations within subtypes; nothing where there is only one. ``rows``: of
    `nofcore.consistency.by_subtype`."""
    rows = rows if len(rows) > 1 else rows.iloc[:0]
    frame = pd.DataFrame(
        {
            "Subtype": rows["subtype"],
            "Trusts": rows["trusts"],
            "Pairs": rows["pairs"],
            "Mean correlation": rows["mean"],
            "Agreement with the others": rows["rest_correlation"],
            "Over pairs": rows["rest_pairs"].where(rows["rest_correlation"].notna()),
            "p": rows["rest_p"],
            "Adjusted p": rows["rest_p_adjusted"],
            "Note": [
                "; ".join(filter(None, [f"fewer than {SMALL} trusts" if n < SMALL else "", _agreement_note(why)]))
                for n, why in zip(rows["trusts"], rows["rest_reason"], strict=True)
            ],
        }
    )
    caption = (
        f"Correlations between metrics within subtypes of {plural(trust_type)}, {quarter}, and how far they agree with "
        "those of the other subtypes together: correlation of the coefficients over pairs of metrics, p by putting "
        "the metrics into other orders (Mantel)."
    )
    decimals = {"Mean correlation": 2, "Agreement with the others": 2, "p": 4, "Adjusted p": 4}
    return Table("subtypes", _without_empty_notes(frame), caption, "Subtype", decimals)


def _agreement_note(reason: str) -> str:
    return f"agreement {reason}" if reason else ""


def type_table(rows: pd.DataFrame, trust_types: Sequence[str], method: str, quarter: str) -> Table:
    """The same pairs of metrics in several trust types. ``rows``: of `nofcore.consistency.by_type`."""
    frame = pd.DataFrame({"Metric": rows["name_a"], "With": rows["name_b"]})
    for trust_type in trust_types:
        name = capital(plural(trust_type))
        frame[name] = rows[trust_type].astype(float)
        frame[f"{name}: number"] = rows[f"{trust_type}, n"].where(rows[trust_type].notna())
    caption = (
        f"Pairs of metrics that more than one type of trust has, {quarter}: {METHOD_NAMES[method]}, good with good, "
        "and the number of trusts behind it. A dash: that type has fewer than five trusts with both metrics, or one "
        "of them is the same for all."
    )
    decimals = {capital(plural(name)): 2 for name in trust_types}
    return Table("types", frame, caption, "Metric", decimals, sortable=len(frame) > 12)


def own_table(found: Correlates, names: Mapping[str, str], draws: int) -> Table:
    """An analyst's own figures against the averages. ``names``: outcomes in words."""
    rows = found.table()
    frame = pd.DataFrame({"Column": rows["column"], "Against": rows["outcome"].map(names), **_figures(rows)})
    tests = int(rows["p"].notna().sum())
    caption = (
        f"Columns of {found.name} against the results of {plural(found.trust_type)}, {found.quarter}: "
        f"{METHOD_NAMES[found.method]}; above 0, trusts with more of the column do better. "
        f"{how_sure(draws, tests, rows)}"
    )
    return Table(
        "own-table",
        _without_empty_notes(frame),
        caption,
        "Column",
        P_DECIMALS,
        sortable=len(frame) > 12,
        right=("95 % interval",),
    )
