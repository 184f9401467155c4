"""Sentences on what random weights do to ranks and segments."""

from __future__ import annotations

from nofcore import charts, tables
from nofcore.findings._what_if import are, not_available, readable, who, with_s
from nofcore.sensitivity_study import Study
from nofcore.wording import Text, counted, sentence

NEAR = 0.95
"""A trust is said to stay in a segment from this share of the weightings."""


def in_short(found: Study) -> str:
    """One sentence for the headline; empty where no weights can be drawn."""
    if isinstance(found.weightings, str):
        return ""
    rows = found.weightings.table(found.trust_type).dropna(subset="p_official_segment")
    few = int((rows["p_official_segment"] < 0.5).sum())
    return f"Under {_drawn(found)}, {few} of {len(rows)} {are(few)} in the official segment less than half of the time."


def _drawn(found: Study) -> str:
    within = found.weightings.within
    if within is None:
        return "weights drawn at random from all there could be"
    return f"weights drawn at random within {max(within.values()):g} % of the official ones"


def about_weights(found: Study) -> Text:
    """What random weights do, and what that measures."""
    if isinstance(found.weightings, str):
        return Text((not_available(found.weightings),))
    rows = found.weightings.table(found.trust_type).dropna(subset="p_segment_1")
    names = [name for name in rows if name.startswith("p_segment_") and not name.endswith("error")]
    sure = rows[rows[names].max(axis=1) >= NEAR]
    capped = int((found.trusts["unadjusted_segment"] < found.trusts["segment"]).reindex(sure.index).sum())
    held = f", {capped} of them capped by the override" if capped else ""
    other = int((rows[names].to_numpy().argmax(axis=1) + 1 != rows["segment"].to_numpy(dtype=float)).sum())
    first, could = rows.loc[rows["p_first"].idxmax()], int((rows["p_first"] > 0).sum())
    return Text(
        (
            f"{_official(found)} Here the items get {found.draws:,} weightings at random, and averages, cut-offs, segments and ranks "
            f"follow. {len(sure)} of {len(rows)} {who(found)} {are(len(sure))} in one segment under at least {NEAR * 100:.0f} % of "
            f"them{held}; {other or 'none'} {are(other or 1)} in another segment more often than in the official one. "
            f"{counted(could, 'trust')} {with_s(could, 'come')} first under some weighting, most often {first['trust_name']} "
            f"({_share(first['p_first'])}, give or take {2 * first['p_first_error'] * 100:.1f} points for the number of draws).",
            _what_weightings_mean(found),
            sentence(readable(found.weightings.note(), found)),
        )
    )


def _official(found: Study) -> str:
    if len(set(found.weightings.official)) == 1:
        return "The rules weigh every item of a trust the same."
    return "The rules give each item a weight."


def _share(share: float) -> str:
    return f"{share * 100:.1f} %"


def _what_weightings_mean(found: Study) -> str:
    if found.weightings.within is None:
        return (
            "All weightings are as likely as any other, also those that give nearly everything to a few items. That asks more than "
            "anyone would argue for: a trust that stays put hangs little on the weights, while one that moves need not move under mild "
            "differences of opinion."
        )
    return "The weightings stay near the official ones, so a trust that moves here moves under small differences of opinion."


def weights_chart(found: Study) -> charts.Chart | Text:
    return Text(()) if isinstance(found.weightings, str) else charts.acceptability(found.weightings, found.trust_type)


def weights_table(found: Study) -> tables.Table | Text:
    return Text(()) if isinstance(found.weightings, str) else tables.acceptability(found.weightings, found.trust_type)


def about_favourable(found: Study) -> Text:
    """How the trust shown fares under random weights, and under which it would rank best."""
    if isinstance(found.weightings, str):
        return Text(())
    if found.trust in found.weightings.held:
        return Text((f"{found.name} has no metric scores here, so no weights favour it.",))
    row = found.weightings.table(found.trust_type).loc[found.trust]
    return Text(
        (
            f"Other weights: it is in its segment under {_share(row['p_official_segment'])} of the weightings, and between rank "
            f"{row['rank_low']:.0f} and {row['rank_high']:.0f} under 95 % of them. The best drawn, below, gives it rank "
            f"{row['best_rank']:.0f}; where items are many, a better one may exist.",
        )
    )


def favourable_table(found: Study) -> tables.Table | Text:
    if isinstance(found.weightings, str) or found.trust in found.weightings.held:
        return Text(())
    return tables.favourable_weights(found.weightings, found.trust)
