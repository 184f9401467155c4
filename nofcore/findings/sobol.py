"""Sentences on which choices the ranks hang on: Sobol indices of choices of method and of weights."""

from __future__ import annotations

from nofcore import charts, tables
from nofcore.findings._what_if import not_available, percent, readable, small, who
from nofcore.sensitivity_study import Study
from nofcore.wording import Text, sentence

AS_LARGE = 0.05
"""A total index from this size is named."""


def _orders(indices) -> tuple[str, str]:
    """Columns of the first-order and total indices: the exact ones where every combination was computed."""
    exact = "exact_" if indices.whole is not None else ""
    return f"{exact}first_order", f"{exact}total_order"


def about_methods(found: Study) -> Text:
    """Which choices of method the ranks hang on."""
    indices = found.methods
    if isinstance(indices, str):
        return Text((not_available(readable(indices, found)),))
    rows, (first, total) = indices.table(), _orders(indices)
    if rows[total].isna().all():
        return Text(
            (f"No combination of choices changes a rank of {who(found)}, so there is no variance to share out.",)
        )
    large = rows[rows[total] >= AS_LARGE]
    listed = ", ".join(
        f"{small(row['name'])} ({percent(row[first])} alone, {percent(row[total])} with the others)"
        for _, row in large.iterrows()
    )
    together, mean = rows[first].sum(), indices.draws["mean_change"]
    return Text(
        (
            f"A scenario changes one choice and leaves the others as they are. Here {len(rows)} choices are crossed: all {len(indices.draws):,} "
            f"combinations, each as likely as any other. In the middle combination ranks differ from the official ones by {mean.median():.1f} "
            f"places on average, at most by {mean.max():.1f}. These matter: {listed}. The shares of each choice alone add to "
            f"{percent(together)}{_interaction(together)}",
            _what_indices_mean(),
            *(sentence(readable(note, found)) for note in indices.notes),
        )
    )


def _what_indices_mean() -> str:
    return (
        "Alone (first-order index): the share of the variance of the mean rank change that would go, on average, if that choice alone "
        "were settled. With the others (total index): the share that would be left if all others were."
    )


def _interaction(together: float) -> str:
    if together >= 0.9:
        return ": the choices act nearly each by itself."
    return ": the rest comes from choices acting together, so no choice can be judged by itself."


def about_raw_weights(found: Study) -> Text:
    """Which weights the ranks hang on."""
    indices = found.raw_weights
    if isinstance(indices, str):
        return Text((not_available(readable(indices, found)),))
    rows = indices.table()
    if rows["total_order"].isna().all():
        return Text((f"No weighting drawn changes a rank of {who(found)}, so there is no variance to share out.",))
    top, rivals = rows.iloc[0], rows.iloc[1:]
    low, high = top["total_order_low"], top["total_order_high"]
    told = int((rows["first_order_low"] > 0).sum())
    alike = list(rivals.loc[rivals["total_order_high"] >= low, "name"])
    cannot = (
        f" Its interval overlaps with {'that' if len(alike) == 1 else 'those'} of {_listed(alike)}, so which of these comes first "
        "cannot be told."
        if alike
        else ""
    )
    return Text(
        (
            f"The same question for the weight of each item, drawn independently of the others; only their proportions count. The largest "
            f"total index is that of {top['name']}, {top['total_order']:.2f} (95 % interval {low:.2f} to {high:.2f}).{cannot} "
            f"First-order indices of {told} of {len(rows)} items can be told from 0, and all add to {percent(rows['first_order'].sum())}: "
            "what one weight does depends on the others.",
            *(sentence(readable(note, found)) for note in indices.notes),
        )
    )


def _listed(names: list[str]) -> str:
    """Up to four names, then how many more: "A, B and C"."""
    shown = [*names[:4], *([f"{len(names) - 4} more"] if len(names) > 4 else [])]
    return ", ".join(shown[:-1]) + f" and {shown[-1]}" if len(shown) > 1 else shown[0]


def sobol_chart(found: Study, which: str) -> charts.Chart | Text:
    """Bars of the indices of choices of method ("methods") or of weights ("raw_weights")."""
    indices = getattr(found, which)
    if isinstance(indices, str) or indices.table()["total_order"].isna().all():
        return Text(())
    what = "choices of method" if which == "methods" else "weights of items"
    return charts.sobol_bars(indices, what)


def sobol_table(found: Study, which: str) -> tables.Table | Text:
    indices = getattr(found, which)
    if isinstance(indices, str):
        return Text(())
    return tables.sobol_table(indices, "Choice" if which == "methods" else "Item")


def sobol_by_trust(found: Study) -> tables.Table | Text:
    return Text(()) if isinstance(found.methods, str) else tables.sobol_by_trust(found.methods)
