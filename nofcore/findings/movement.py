"""Sentences on who moved between two quarters, made from the numbers."""

from __future__ import annotations

from math import ceil, isnan

import pandas as pd

from nofcore.change_ranges import CANNOT_TELL
from nofcore.decomposition import Decomposition
from nofcore.exchange import TOLD
from nofcore.findings.decomposition import parts_of
from nofcore.framework import is_own
from nofcore.movement import largest
from nofcore.movement_study import OWN_AVERAGE, Study
from nofcore.wording import Bullets, Text, capital, counted, decimal, sentence, signed

SHOWN = 3
"""Largest rises and falls that are told in words."""


def headline(found: Study) -> str:
    """The findings of a page in one paragraph."""
    moved, (old, new) = found.movement.trusts, found.quarters
    rose, fell = int((moved["gained"] > 0).sum()), int((moved["gained"] < 0).sum())
    size = moved["gained"].abs()
    said = [
        f"Between {old} and {new}, {rose} of {len(moved)} {found.who} rose in the league table, {fell} fell and "
        f"{len(moved) - rose - fell} kept their rank; {_half(size.median())}."
    ]
    if found.not_comparable:
        said.append(f"The two tables cannot be compared as performance: {found.not_comparable}.")
    elif found.movement.rules_changed:
        said.append(_rules_in_short(found))
    return " ".join([*said, *_noise_in_short(found), _agreement_in_short(found)])


def _rules_in_short(found: Study) -> str:
    said = "The rules changed between these quarters, so a move is not one of performance alone"
    if isinstance(found.decomposition, str):
        return f"{said}."
    size = found.decomposition.parts().abs().mean()
    return (
        f"{said}: of the parts of a move, {size['own'] + size['others']:.1f} places on average are scores by the same rule, "
        f"{size['cut_offs']:.1f} the cut-offs, {size['metrics']:.1f} metrics that are new, gone or scored by another rule."
    )


def _noise_in_short(found: Study) -> list[str]:
    if isinstance(found.ranges, str):
        if found.not_comparable:
            return []
        return [f"Which of these moves are more than noise cannot be said: {reason_for(found)}."]
    rows = found.ranges.table()
    told, chance = int(rows["change_told"].sum()), _about(rows["by_chance"].sum())
    if found.ranges.untestable == len(rows):
        return [f"{TOO_FEW}, so for none can it be told whether its average changed by more than noise."]
    limit = [_untestable(found)] if found.ranges.untestable else []
    if not told:
        return [f"No change of average can be told from noise; chance alone would give {chance}.", *limit]
    looks = f"{told} of {len(rows)} changes of average {'looks' if told == 1 else 'look'} like more than noise"
    if found.ranges.beyond_chance():
        return [f"{looks}; {chance} would by chance. For the rest one cannot tell.", *limit]
    single = int((rows["verdict"] != CANNOT_TELL).sum())
    if single:
        return [f"{looks}, where chance alone would give {chance}; only {single} can be told among so many.", *limit]
    return [f"{looks}, where chance alone would give {chance}: too few more to tell of any one trust.", *limit]


TOO_FEW = "The scores of no trust changed on six metrics, the fewest with which a change can be told from noise"


def _untestable(found: Study) -> str:
    """How many trusts could not have been told from noise, however large their change."""
    count, total = found.ranges.untestable, len(found.ranges.trusts)
    return (
        f"For {count} of {total} no change could have been told, however large: their scores changed on fewer than six "
        "metrics, those of one survey counted once."
    )


def _about(number: float) -> str:
    return f"about {number:.0f}" if number >= 0.5 else "fewer than one"


def _half(median: float) -> str:
    if median < 1:
        return "at least half did not move"
    return f"half moved {counted(ceil(median), 'place')} or more"


def download_tables(found: Study) -> dict[str, tuple[str, pd.DataFrame]]:
    """Files that a page offers beside its tables: every trust's change in numbers."""
    of_ranks = found.rank_ranges.rename(columns={"outside": "rank_outside", "by_chance": "rank_outside_by_chance"})
    of_ranks["rank_outside"] = of_ranks["rank_outside"].astype("boolean").where(of_ranks["rank_low_before"].notna())
    table = found.movement.trusts.rename_axis("trust_code").join(of_ranks)
    if not isinstance(found.ranges, str):
        drawn = found.ranges.table()
        table = table.join(drawn.drop(columns=["trust_name", "average_change", "gained"]))
    if isinstance(found.decomposition, Decomposition):
        table = table.join(found.decomposition.parts().add_prefix("part_"))
    what = "Every trust's change in numbers: both quarters, ranges with their Monte Carlo errors, parts of the change of rank"
    return {"changes": (what, table.reset_index())}


def reason_for(found: Study) -> str:
    """Why no ranges can be drawn."""
    if found.not_comparable:
        return found.not_comparable
    tables = (found.movement.before, found.movement.after)
    if found.own_average:
        return OWN_AVERAGE
    missing = [rebuilt.quarter for rebuilt in tables if not rebuilt.of(found.trust_type)["recomputed"].any()]
    if missing:
        return f"no metric rows of {found.who} are at hand for {' and '.join(missing)}"
    return str(found.ranges)


def _agreement_in_short(found: Study) -> str:
    rho = found.stability.observed.spearman[0]
    if isnan(rho):
        return f"With {counted(len(found.movement.trusts), 'trust')} in both tables their ranks have no correlation."
    said = f"The ranks of the two quarters have a Spearman correlation of {decimal(rho)}"
    if found.stability.noise is None:
        return f"{said}."
    row = found.stability.table().loc["spearman"]
    if found.stability.exchanged is not None:
        return (
            f"{said}; if only chance had set which way each metric moved, it would be {decimal(row['exchanged'])} "
            f"(95 % range {decimal(row['exchanged_low'])} to {decimal(row['exchanged_high'])})."
        )
    return (
        f"{said}; two tables of {found.stability.noise_quarter}, each with metrics drawn anew, would have "
        f"{decimal(row['noise'])} (95 % of them between {decimal(row['noise_low'])} and {decimal(row['noise_high'])})."
    )


def facts(found: Study) -> dict[str, str]:
    """The figures behind the headline, for the index."""
    moved = found.movement.trusts
    given = {
        "Trusts in both quarters": str(len(moved)),
        "Middle change of rank": f"{moved['gained'].abs().median():g} places",
        "Spearman correlation": f"{found.stability.observed.spearman[0]:.3f}",
        "Changed segment": f"{int(moved['segment_changed'].sum())} of {len(moved)}",
    }
    if not isinstance(found.ranges, str):
        rows = found.ranges.table()
        given["Average told from noise"] = f"{int(rows['change_told'].sum())} of {len(rows)}"
        given["Of these by chance"] = f"about {rows['by_chance'].sum():.0f}"
    if isinstance(found.decomposition, Decomposition):
        count = len(found.decomposition.numerators)
        given["Rank changes split exactly"] = f"{count if found.decomposition.adds_up() else 0} of {count}"
    return given


def how_not_to_read(found: Study) -> Bullets:
    """What a change of rank does not mean."""
    points = [
        (
            "A fall in rank is not worse care.",
            "Ranks and scores are places among trusts. A trust falls when others overtake it, when the financial "
            "override begins to "
            f"act, or when the set of metrics changes.{_see_metrics(found)}",
        ),
        (
            "The largest movers are the luckiest and unluckiest as well.",
            "Who comes first in a list of movers owes some of it to chance, and tends to move back.",
        ),
    ]
    if isinstance(found.ranges, str):
        why = f"{capital(reason_for(found))}, so the page does not say which changes are more than noise."
        points.append(("Cannot tell is not no change.", why))
    else:
        points += [
            (
                "More than noise does not mean caused by anyone.",
                "It means that the change points the same way on enough of a trust's metrics. The values are not adjusted "
                "for "
                "season: a winter quarter beside a summer one moves most trusts the same way.",
            ),
            (
                "Cannot tell is not no change.",
                "It means that these few metrics do not show one beyond doubt.",
            ),
        ]
    if found.movement.rules_changed:
        why = "The rules changed between these quarters, so a move may be due to the rules alone."
        points.insert(0, ("Two years of rules are not one scale.", why))
    return Bullets(tuple(points))


def _see_metrics(found: Study) -> str:
    compared = (found.metrics.by_trust()["new_figures"] > 0).any()
    return " See the metrics themselves below." if compared else ""


# --- who moved ------------------------------------------------------------------------------------


def about_movers(found: Study) -> Text:
    """How far trusts moved, and who came or went."""
    moved, (old, new) = found.movement.trusts, found.quarters
    size = moved["gained"].abs()
    said = [
        f"Of {len(moved)} {found.who} ranked in both quarters, {_half(size.median())}; the mean move is "
        f"{size.mean():.1f} "
        f"places. Places gained are the rank in {old} less the rank in {new}."
    ]
    if found.not_comparable:
        said.insert(0, _not_comparable(found))
    elif found.movement.rules_changed:
        said.insert(
            0,
            "The rules changed between these quarters. The parts of each move below show how far they account for it.",
        )
    if len(found.movement.others):
        listed = "; ".join(
            f"{row['trust_name']} ({code}), {row['what']}" for code, row in found.movement.others.iterrows()
        )
        said.append(
            f"Not in both tables: {listed}. The figures do not say why, such as a merger, nor with whom. Ranks of the "
            "others are those "
            "in the whole table of each quarter, so some places are gained or lost by that alone."
        )
    return Text(tuple(said))


def _not_comparable(found: Study) -> str:
    return (
        f"Not comparable: {found.not_comparable}. A change of average, segment or rank mixes the change of rules with "
        "that of "
        "performance, and the two cannot be split. What follows describes the two tables; it does not say who got "
        "better."
    )


def movers(found: Study, trust: str | None = None) -> Bullets:
    """The largest rises and falls in sentences, and the trust asked for before them."""
    gained = found.movement.trusts["gained"]
    picked = largest(found.movement, SHOWN)
    codes = [code for code in picked if gained[code] > 0] + [code for code in picked[::-1] if gained[code] < 0]
    if trust in gained.index:
        codes = [trust, *(code for code in codes if code != trust)]
    return Bullets(tuple(about_trust(found, code) for code in dict.fromkeys(codes)))


def about_trust(found: Study, code: str) -> tuple[str, str]:
    """One trust's move: where it went, whether the ranges can tell, and what it is made of."""
    row = found.movement.trusts.loc[code]
    gained = int(row["gained"])
    way = f"{'up' if gained > 0 else 'down'} {counted(abs(gained), 'place')}" if gained else "unchanged"
    opening = f"{row['trust_name']} ({code}): rank {row['rank_before']:.0f} to {row['rank_after']:.0f}, {way}."
    return opening, " ".join([*_range_of(found, code), *parts_of(found, code)])


def _range_of(found: Study, code: str) -> list[str]:
    row = found.movement.trusts.loc[code]
    averages = f"Its average went from {row['average_before']:.2f} to {row['average_after']:.2f}"
    if isinstance(found.ranges, str) or code not in found.ranges.trusts.index:
        why = "no metric rows are at hand for both quarters"
        if isinstance(found.ranges, str):
            why = "the rules changed" if found.movement.rules_changed else reason_for(found)
        return [f"{averages}; as {why}, one cannot tell whether that is more than noise."]
    drawn = found.ranges.table().loc[code]
    said = (
        f"{averages} (range of the change on the {drawn['shared']} metrics of both quarters "
        f"{signed(drawn['change_low'])} to "
        f"{signed(drawn['change_high'])})"
    )
    if drawn["verdict"] == CANNOT_TELL:
        other = ""
        if not drawn["by_chance"]:
            other = " Its scores changed on too few metrics for any change to be told from noise."
        elif drawn["change_told"] and not _same_way_published(drawn):
            other = " On these metrics it looks like more than noise, but the set of metrics changed too."
        elif drawn["change_told"]:
            other = " By itself it looks like more than noise, but no more trusts do than chance alone gives."
        elif drawn["change_low"] > 0 or drawn["change_high"] < 0:
            other = (
                " The range excludes no change, but over so few metrics chance alone would give as large a change "
                f"{_chance(drawn['p_value'])}."
            )
        return [f"{said}: one cannot tell whether it got better or worse.{other}"]
    close = " Another seed may put the end of the range at no change." * bool(drawn["change_unsure"])
    return [
        f"{said}: {drawn['verdict']}. Chance alone would give as large a change {_chance(drawn['p_value'])}.{close} "
        f"With other metrics of the same kind its places gained would lie between {signed(drawn['gained_low'], 0)} and "
        f"{signed(drawn['gained_high'], 0)} (95 % range)."
    ]


def _same_way_published(drawn) -> bool:
    """Whether the published average changed to the same side as that of the shared metrics."""
    return drawn["average_change"] * drawn["shared_change"] > 0


def _chance(share: float) -> str:
    return f"in {100 * share:.1f} % of cases" if share >= 0.001 else "in less than 0.1 % of cases"


# --- more than noise ------------------------------------------------------------------------------


def about_ranges(found: Study) -> Text:
    """How the ranges come about, how many exclude no change, and how many would by chance."""
    if isinstance(found.ranges, str):
        said = (f"No range can be drawn, as {reason_for(found)}. {_needs(found)}",)
        return Text((*said, *([] if found.not_comparable else _outside(found))))
    rows = found.ranges.table()
    told, n = int(rows["change_told"].sum()), len(rows)
    clear = rows[rows["change_told"] & (rows["average_change"] * rows["shared_change"] > 0)]
    better, worse = (int((sign * clear["shared_change"] < 0).sum()) for sign in (1, -1))
    chance = rows["by_chance"].sum()
    excluded = int(((rows["change_low"] > 0) | (rows["change_high"] < 0)).sum())
    said = [
        f"Each of {found.draws:,} draws picks, for every trust, as many of the metrics that it has in both quarters as "
        "there are, with replacement, and takes the old and the new score of each. A range runs from the 2.5th to the "
        "97.5th percentile. It is a range over the choice of metrics, not a margin of error of the measurements, and the "
        "method is ours.",
        f"{_exclude(excluded, n)} no change. But a trust has only {rows['shared'].median():.0f} such metrics in the middle "
        f"case, {rows['changed'].median():.0f} of them with a changed score, and ranges over so few are too narrow: where "
        "nothing changes, about one in eight excludes no change (simulated with nine metrics). So a change is told from noise "
        f"only if, besides, no more than {100 * TOLD:.0f} % of all exchanges of its old and new scores give as large a one, those "
        f"of one survey exchanged together. Such a test is wrong in at most {100 * TOLD:.0f} % of the trusts that did not change, "
        "whatever their number of metrics; where other metrics move together, somewhat more often.",
        f"{told or 'No'} of {n} changes {'is' if told == 1 else 'are'} told from noise so: {better} for the better, {worse} "
        f"for the worse{_opposite(told - better - worse)}. By chance alone {_about(chance)} would be. {_so(found, told)}"
        if told
        else f"No change of {n} is told from noise so; by chance alone {_about(chance)} would be. {_so(found, told)}",
    ]
    if found.ranges.untestable:
        said.append(_untestable(found))
    if found.movement.rules_changed:
        said.append("Only metrics that both years score by the same rule are in these ranges.")
    unsure = int(rows["change_unsure"].sum())
    if unsure:
        marked = "it is" if unsure == 1 else "they are"
        said.append(f"For {counted(unsure, 'trust')} another seed might decide otherwise; {marked} marked ~.")
    said.append(" ".join([_of_ranks(found), *_outside(found)]))
    return Text(tuple(said))


def _exclude(count: int, total: int) -> str:
    return f"{count} of {total} ranges {'excludes' if count == 1 else 'exclude'}"


def _needs(found: Study) -> str:
    said = "A change of average or rank is then a fact about the table; one cannot tell whether it is more than noise."
    if found.not_comparable or found.own_average:
        return said
    return f"{said} NHS England's files with the metric rows of {found.who} can be given with --data."


def _opposite(count: int) -> str:
    """Trusts whose published change goes the other way, as their set of metrics changed."""
    if not count:
        return ""
    verb = "is" if count == 1 else "are"
    return (
        f"; {count} {verb} counted as cannot tell, as the published average, of another set of metrics, does not go the "
        "same way"
    )


def _so(found: Study, told: int) -> str:
    if found.ranges.beyond_chance():
        return "So some of these trusts changed; which of them is not certain."
    if not told:
        return "So no trust can be said to have changed."
    single = int((found.ranges.table()["verdict"] != CANNOT_TELL).sum())
    if single:
        return f"So there are no more than chance may give; but {single} would be told even among so many trusts."
    return "So there are no more than chance may give, and none of them is singled out on this page."


def _of_ranks(found: Study) -> str:
    """How many changes of rank the same draws can tell."""
    rows = found.ranges.table()
    told, sure = int(rows["gained_told"].sum()), int((rows["rank_verdict"] != CANNOT_TELL).sum())
    said = (
        f"By the same draws the range{'' if told == 1 else 's'} of {told or 'none'} of {len(rows)} changes of rank "
        f"{'excludes' if told == 1 else 'exclude'} no change. These ranges are too narrow too, and a rank depends on other trusts "
        "and on the override as well"
    )
    return (
        f"{said}; so the table of ranks says rose or fell only where the average is told from noise the same way, which holds for "
        f"{sure or 'none'} of {len(rows)}."
    )


def _outside(found: Study) -> list[str]:
    """How many ranks lie outside the range of the earlier quarter, where that was drawn."""
    rows = found.rank_ranges[found.rank_ranges["rank_low_before"].notna()]
    if rows.empty:
        return []
    old, new = found.quarters
    return [
        f"{int(rows['outside'].sum())} of {len(rows)} {found.who} have a rank in {new} outside the 95 % range of their "
        f"rank in {old}. Of a "
        f"table of {old} with metrics drawn anew, {_about(rows['by_chance'].sum())} would."
    ]


def limitations(found: Study) -> Text:
    """What the page cannot say."""
    said = []
    if not isinstance(found.ranges, str):
        said = [
            "A trust's items stand for other metrics only as far as they are a fair sample of them. Items that move together, "
            "such as the questions of one survey, make ranges too narrow. With few items ranges are lumpy.",
        ]
        several = int((found.ranges.trusts[["only_before", "only_after"]].sum(axis=1) > 0).sum())
        if several:
            said.append(
                f"{counted(several, 'trust')} {'has' if several == 1 else 'have'} metrics in one quarter that are "
                "missing in the other. "
                "Published changes are of all metrics, ranges of those of both quarters."
            )
    if found.stability.noise is not None:
        said.append(
            "Draws scatter about published averages, which hold noise already, so other metrics are shown with somewhat "
            "too much "
            "agreement between draws and too little drift."
        )
    if not is_own(found.movement.after.framework, found.quarters[1]):
        said.append(
            "Cut-offs and the rounding rule were read off published figures; see the pages on the league tables."
        )
    said += [
        f"Left out of the chart of ranks and of the trusts that stay in a segment: {one}" for one in found.left_out
    ]
    return Text((*map(sentence, said), *map(sentence, _notes(found))))


def _notes(found: Study) -> list[str]:
    """Notes on the two tables that concern this page: on its type of trust, or on all."""
    tables = (found.movement.before, found.movement.after)
    elsewhere = [
        f"{t.quarter}, {other}:"
        for t in tables
        for other in t.trusts["trust_type"].unique()
        if other != found.trust_type
    ]
    return [
        note
        for rebuilt in tables
        for note in rebuilt.notes
        if not note.startswith(tuple(elsewhere)) and "domain segments" not in note
    ]
