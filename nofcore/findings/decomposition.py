"""Sentences on why ranks changed: the parts of a change of rank, in words."""

from __future__ import annotations

from nofcore.decomposition import Decomposition
from nofcore.movement import paired_items
from nofcore.movement_study import Study
from nofcore.wording import Text, counted, sentence, signed

PARTS = {
    "own": "its own scores",
    "others": "other trusts' scores",
    "cut_offs": "the cut-offs",
    "override": "the override",
    "metrics": "the set of metrics",
    "field": "trusts that left or joined",
}


KINDS = {"percentiles": "percentiles of the averages", "thresholds": "fixed thresholds"}
OF_AVERAGES = {"own": "its own average", "others": "other trusts' averages"}
"""What two parts are called where no scores are at hand."""


def about_decomposition(found: Study) -> Text:
    """What the parts of a change of rank mean, and which are large."""
    if isinstance(found.decomposition, str):
        return Text((f"The change of rank cannot be split: {found.decomposition}.",))
    split = found.decomposition
    size = split.parts().abs().mean()
    by_items = bool(split.by_items.any())
    said = [
        "A rank changes because the trust's own scores change, because other trusts' do, because the cut-offs between "
        "segments move, "
        "because override flags change, because other metrics are averaged, and because trusts leave or join. Each "
        "part is "
        "the mean over all orders in which these could have changed (Shapley value), so that none comes first and the "
        "parts "
        f"add up to the change exactly, for all {len(split.numerators)} trusts. The split is ours, not NHS England's.",
        f"On average a trust's own {'scores' if by_items else 'average'} moved it {size['own']:.1f} places one way or "
        "the other, other trusts "
        f"{size['others']:.1f}, override flags {size['override']:.1f}, cut-offs {size['cut_offs']:.1f}"
        + f", the set of metrics {size['metrics']:.1f}" * by_items
        + f", trusts that left or joined {size['field']:.1f}" * bool(len(found.movement.others))
        + f".{_not_its_own(found, split)}"
        + " The cut-offs are percentiles of the averages of all trusts of all types, held here as they were in each quarter."
        * _quartiles(found),
    ]
    if not by_items:
        said.append(
            "Without metric rows for both quarters a trust's own scores and its set of metrics cannot be told apart: "
            "both are in "
            "its own average."
        )
    elif found.movement.rules_changed:
        said += [
            "Across the change of rules, three kinds of part are told apart. Performance: own scores and other trusts' scores, "
            "of the metrics that both years score by the same rule. Rules: the cut-offs"
            f"{_kinds_of_cut_offs(found)}. Not to be split: the set of metrics, that is, metrics that are new, gone, or scored by another "
            "rule; the change of such a score is of both. Which metrics have the same rule is our inference from the scores "
            "of both years.",
            _of_averages(found, split),
        ]
    return Text((*said, *map(sentence, split.notes)))


def _kinds_of_cut_offs(found: Study) -> str:
    """Where the two years segment in different ways: which."""
    tables = (found.movement.before, found.movement.after)
    before, after = (one.framework.segments.rule if one.framework else "" for one in tables)
    if not before or not after or before == after:
        return ""
    return f", {KINDS[before]} before and {KINDS[after]} now"


def _of_averages(found: Study, split: Decomposition) -> str:
    """How much of the changes of average is of the metrics that both years score alike."""
    parts = split.averages.dropna()
    size = parts.abs().mean()
    items = paired_items(found.movement)
    shared, old, new = (
        int(table.sum(axis=1).median()) for table in (items.shared, items.before.notna(), items.after.notna())
    )
    return (
        f"In the middle case a trust has {shared} metrics that both years score alike, of {old} and {new}. Of the changes of "
        f"average, their scores account for {size['own']:.2f} points one way or the other, metrics and rules for "
        f"{size['metrics']:.2f} (the two add up for each trust)."
    )


def _not_its_own(found: Study, split: Decomposition) -> str:
    """Trusts that moved mainly for another reason than their own scores, and the largest of these moves."""
    parts, gained = split.parts(), found.movement.trusts["gained"]
    main = parts.abs().idxmax(axis=1)
    rows = gained[(main != "own") & (gained != 0)]
    if rows.empty:
        return ""
    moved = int((gained != 0).sum())
    code = rows.abs().sort_values(ascending=False, kind="stable").index[0]
    way = "rose" if gained[code] > 0 else "fell"
    own = "scores are" if split.by_items.any() else "average is"
    return (
        f" For {len(rows)} of the {moved} that moved, their own {own} not the largest part; the furthest of these, "
        f"{found.movement.trusts.at[code, 'trust_name']}, {way} {counted(abs(int(gained[code])), 'place')}, with "
        f"{signed(parts.at[code, main[code]], 1)} by {PARTS[main[code]]}."
    )


def _quartiles(found: Study) -> bool:
    framework = found.movement.after.framework
    return bool(framework and framework.segments.rule == "percentiles" and framework.segments.pool == "all")


def parts_of(found: Study, code: str) -> list[str]:
    """The parts of one trust's change of rank, the largest first."""
    if isinstance(found.decomposition, str):
        return []
    parts = found.decomposition.parts().loc[code]
    shown = parts[parts.abs() >= 0.05].sort_values(key=abs, ascending=False)
    if shown.empty:
        return []
    names = PARTS if found.decomposition.by_items[code] else PARTS | OF_AVERAGES
    listed = ", ".join(f"{names[name]} {signed(part, 1)}" for name, part in shown.items())
    return [f"Places gained by part: {listed}."]
