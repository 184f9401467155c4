"""Sentences on what other rules and other weights would do to ranks, made from the numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nofcore import charts, scenarios, tables
from nofcore.deficit import RULE
from nofcore.scenarios import NONE
from nofcore.sensitivity import APPLIED, TAIL, UNCHANGED, LeftOut
from nofcore.sensitivity_study import Study
from nofcore.sobol import Indices
from nofcore.tables.sensitivity import readable
from nofcore.wording import Bullets, Text, counted, plural, sentence

NEAR = 0.95
"""A trust is said to stay in a segment from this share of the weightings."""
_AS_LARGE = 0.05
"""A total index from this size is named."""


# --- the page as a whole --------------------------------------------------------------------------


def headline(found: Study) -> str:
    """The findings of the page in one paragraph."""
    said = [_scenarios_in_short(found), _segments_in_short(found)]
    if not isinstance(found.weightings, str):
        said.append(_weights_in_short(found))
    if not isinstance(found.methods, str):
        said.append(_methods_in_short(found.methods))
    if not isinstance(found.overrides, str):
        said.append(_override_in_short(found))
    return " ".join(filter(None, said))


def _who(found: Study) -> str:
    return plural(found.trust_type)


def _moving(found: Study) -> pd.DataFrame:
    """Scenarios that change a rank of the type, largest mean change first."""
    rows = found.scenarios
    rows = rows[(rows["status"] == APPLIED) & (rows["max_change"] > 0)]
    return rows.sort_values("mean_change", ascending=False, kind="stable")


def _scenarios_in_short(found: Study) -> str:
    rows, moving = found.scenarios, _moving(found)
    size = len(found.trusts)
    if moving.empty:
        return f"None of {len(rows)} other rules changes a rank of the {size} {_who(found)}."
    first = moving.iloc[0]
    return (
        f"{len(moving)} of {len(rows)} other rules change ranks of the {size} {_who(found)}; what moves most is "
        f"“{first['name']}”, by {first['mean_change']:.1f} places on average and up to {first['max_change']}."
    )


def _spans(found: Study) -> pd.Series:
    return found.compared.ranges(found.trust_type)["places"]


def _segments_in_short(found: Study) -> str:
    spans = _spans(found)
    kept = _same_segment(found)
    return (
        f"Over all of them half of the trusts have ranks that lie {spans.median():.0f} places or more apart, and {len(kept)} of "
        f"{len(spans)} are in the same segment throughout."
    )


def _same_segment(found: Study) -> pd.Index:
    """Trusts that are in one segment under the official rules and all scenarios."""
    segments = found.compared.segments(found.trust_type)
    return segments.index[segments.nunique(axis=1) == 1]


def _weights_in_short(found: Study) -> str:
    rows = found.weightings.table(found.trust_type).dropna(subset="p_official_segment")
    few = int((rows["p_official_segment"] < 0.5).sum())
    return f"Under {_weightings(found)}, {few} of {len(rows)} {_are(few)} in the official segment less than half of the time."


def _weightings(found: Study) -> str:
    within = found.weightings.within
    if within is None:
        return "weights drawn at random from all there could be"
    return f"weights drawn at random within {max(within.values()):g} % of the official ones"


def _methods_in_short(found: Indices) -> str:
    rows = found.table()
    totals = rows["exact_total_order"] if found.whole is not None else rows["total_order"]
    if totals.isna().all():
        return ""
    first = rows.loc[totals.idxmax()]
    alone = first["exact_first_order"] if found.whole is not None else first["first_order"]
    return (
        f"Of {len(rows)} choices of method crossed with one another, {_small(first['name'])} matters most: alone it explains {_percent(alone)} "
        f"of the variance of the mean rank change, with the others {_percent(totals.max())}."
    )


def _small(name: str) -> str:
    return name[:1].lower() + name[1:]


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %".replace("-0 %", "0 %").replace("-", "−")


def _override_in_short(found: Study) -> str:
    row = found.overrides.summary(found.trust_type).loc[RULE]
    if row["reason"] or not row["moved"]:
        return ""
    lost = counted(row["places_lost"], "place")
    they = f"it loses {lost}" if row["moved"] == 1 else f"they lose {lost} together, up to {row['most_lost']} each"
    return f"The financial override places {counted(row['moved'], 'trust')} in a worse segment; {they}."


def facts(found: Study) -> dict[str, str]:
    """The figures behind the headline, for the index."""
    rows, moving = found.scenarios, _moving(found)
    given = {
        "Scenarios that change ranks": f"{len(moving)} of {len(rows)}",
        "Places between best and worst rank, middle trust": f"{_spans(found).median():.0f}",
        "Same segment under all rules": f"{len(_same_segment(found))} of {len(found.trusts)}",
    }
    if not isinstance(found.weightings, str):
        given["Weightings"] = f"{found.draws:,}"
    return given | {"Seed": str(found.seed)}


def how_not_to_read(found: Study) -> Bullets:
    """What the figures do not mean."""
    return Bullets(
        (
            (
                "No rule here is put forward as the right one.",
                "Each scenario is a question. That a trust would rank better under another rule says that its rank hangs on a choice, not that "
                "it was wronged.",
            ),
            (
                "A range over scenarios is not a margin of error.",
                "It depends on which scenarios are asked. The kit's were chosen to show each step of the method, not drawn from anything, so "
                "shares of them are no probabilities.",
            ),
            (
                "A rank that moves is not care that changes.",
                "The figures of every trust are the same throughout. Only the rule by which they are put in order differs.",
            ),
            (
                "A rank that holds is not proof.",
                "It does not hang on the choices that were tried. It may still hang on the metrics that exist, and on noise in them, which other "
                "pages look at.",
            ),
            (
                "A scenario's effect is not its importance.",
                "A small mean change can be a great deal for one trust, so read the largest change and the trust's own line too.",
            ),
        )
    )


# --- scenarios ------------------------------------------------------------------------------------


def about_scenarios(found: Study) -> Text:
    """What the scenarios do to the ranks of the type."""
    moving = _moving(found)
    counts = found.scenarios["status"].value_counts()
    none, still = counts.get(UNCHANGED, 0), counts.get(APPLIED, 0) - len(moving)
    cannot = len(found.scenarios) - counts.get(APPLIED, 0) - none
    own = sum(not scenarios.is_shipped(one.scenario) for one in found.compared.outcomes)
    what = (
        (len(moving), "change a rank"),
        (still, "a segment or an average but no rank"),
        (none, "change nothing"),
        (cannot, "cannot be applied"),
    )
    said = [
        f"{len(found.scenarios)} scenarios{f', {own} of them your own,' if own else ''} each change one step of the method and leave the rest as it is. For "
        f"{_who(found)} {_and([f'{number} {text}' for number, text in what if number])}."
    ]
    if none or cannot:
        said.append("Those that change nothing or cannot be applied are listed with the reason.")
    if len(moving):
        said.append(_largest_said(found, moving))
    said.append("These are recomputations from the same figures, not estimates: another run gives the same.")
    return Text((" ".join(said), *_values_said(found.scenarios)))


def _and(parts: list[str]) -> str:
    return ", ".join(parts[:-1]) + f" and {parts[-1]}" if len(parts) > 1 else parts[0]


def _largest_said(found: Study, moving: pd.DataFrame) -> str:
    first = moving.iloc[0]
    far = moving.loc[moving["max_change"].idxmax()]
    codes = far["max_trusts"].split(", ")
    names = found.compared.baseline.trusts["trust_name"]
    others = f" and {counted(len(codes) - 1, 'other')}" if len(codes) > 1 else ""
    small = int((moving["mean_change"] < 1).sum())
    few = (
        f" {counted(small, 'scenario')} move{'s' if small == 1 else ''} ranks by less than one place on average."
        if small
        else ""
    )
    return (
        f"The largest mean change is {first['mean_change']:.1f} places, under “{first['name']}”, where {counted(int(first['segments_changed']), 'trust')} "
        f"would change segment; the largest change of one trust is {counted(int(far['max_change']), 'place')}, {names[codes[0]]}{others} under "
        f"“{far['name']}”.{few}"
    )


def _values_said(rows: pd.DataFrame) -> tuple[str, ...]:
    """How much of the changes comes from scoring from the published values in place of the published scores."""
    known = rows.dropna(subset="by_values_mean")
    if known.empty:
        return ()
    worst = known.loc[known["by_values_mean"].idxmax()]
    alone = (
        f"moves ranks by up to {worst['by_values_mean']:.2f} places on average and {known['by_values_max'].max()} at most; so much of those changes is "
        "not the rule's"
        if known["by_values_max"].max()
        else "moves no rank"
    )
    return (
        "Metrics whose scoring a scenario changes are scored from the published values, the others keep their published scores. That step "
        f"alone, under the official rules, {alone}.",
    )


def scenario_notes(found: Study) -> Bullets | Text:
    """What limits single scenarios, and what readers must know of all; the same note of several is given once."""
    names: dict[str, list[str]] = {}
    for one in found.compared.outcomes:
        if one.why_not(found.trust_type) is None:
            for note in dict.fromkeys(one.notes):
                if not _of_others(note, found, one.scenario.key):
                    names.setdefault(_readable(note, found), []).append(one.scenario.name)
    points = [(f"{'; '.join(who)}:", sentence(note)) for note, who in names.items() if not _expected(note)]
    points += [
        ("All scenarios:", sentence(_readable(note, found))) for note in found.compared.notes if not _expected(note)
    ]
    return Bullets(tuple(points)) if points else Text(())


def _of_others(note: str, found: Study, key: str) -> bool:
    """Whether a note speaks of other types of trust alone."""
    text = note.removeprefix(f"{found.quarter}: ")
    others = [name for name in found.figures.trust_types if name != found.trust_type]
    all_ranked = found.scenarios.at[key, "not_ranked"] == 0
    return text.startswith(tuple(others)) or (text.startswith("not ranked") and all_ranked)


def _expected(note: str) -> bool:
    """Whether a note only says what any change of rules brings: other scores, averages and cut-offs."""
    return any(
        text in note
        for text in ("segment cut-offs", "by rules other than the published", "differ from the published ones")
    )


def _readable(note: str, found: Study) -> str:
    return readable(note, found.quarter, found.framework)


def about_ranges(found: Study) -> Text:
    """How far the rank of each trust hangs on the rules."""
    ranges, spans = found.compared.ranges(found.trust_type), _spans(found)
    most = ranges.loc[spans.idxmax()]
    firm = int((spans <= max(2, len(spans) // 20)).sum())
    mine = ranges.loc[found.trust]
    kept = len(_same_segment(found))
    return Text(
        (
            f"Over the official rules and {ranges['scenarios'].max()} scenarios, the best and worst rank of a trust lie {spans.median():.0f} places apart in the middle case. The "
            f"widest range is that of {most['trust_name']}, {most['best_rank']} to {most['worst_rank']}; "
            f"{firm} of {len(spans)} trusts move by {max(2, len(spans) // 20)} places or fewer in all. {kept} trusts are in one segment throughout.",
            f"{mine['trust_name']}, rank {mine['rank']}, would rank between {mine['best_rank']} (“{mine['best_scenario']}”"
            f"{_and_more(mine['best_others'])}) and {mine['worst_rank']} (“{mine['worst_scenario']}”{_and_more(mine['worst_others'])}).",
        )
    )


def _and_more(others: int) -> str:
    return f" and {others} more" if others else ""


# --- one alternative ------------------------------------------------------------------------------


def about_alternative(found: Study) -> Text:
    """What one scenario asks and does."""
    if found.alternative is None:
        return Text((f"No scenario moves a rank of {_who(found)}, so there is nothing to compare.",))
    outcome, row = found.outcome(found.alternative), found.scenarios.loc[found.alternative]
    scenario = outcome.scenario
    if reason := outcome.why_not(found.trust_type):
        return Text((f"“{scenario.name}” says nothing of {_who(found)}: {reason}.",))
    tails = (
        f" Of the first {TAIL}, {row['top_kept']} stay there, of the last {TAIL}, {row['bottom_kept']}."
        if pd.notna(row["top_kept"])
        else ""
    )
    note = f" {scenario.note}" if scenario.note else ""
    mine = found.compared.ranks(found.trust_type).loc[found.trust]
    return Text(
        (
            f"{scenario.question} This is the scenario “{scenario.name}”.{note}",
            f"Ranks would change by {row['mean_change']:.1f} places on average and by {row['max_change']} at most, and "
            f"{counted(int(row['segments_changed']), 'trust')} would change segment (Kendall's tau {_tau(row['tau'])}).{tails} {found.name}: rank "
            f"{mine['official']} by the official rules, {_rank(mine[scenario.key])} by these.",
        )
    )


def _tau(value: float) -> str:
    return "not defined" if np.isnan(value) else f"{value:.2f}"


def _rank(value) -> str:
    return "no rank" if pd.isna(value) else f"rank {value}"


def alternative_chart(found: Study) -> charts.Chart | Text:
    """The rank flow from the official rules to the scenario shown."""
    if (outcome := _alternative(found)) is None:
        return Text(())
    return charts.scenario_flow(found.compared, found.trust_type, outcome, found.trust if found.marked else None)


def alternative_table(found: Study) -> tables.Table | Text:
    if (outcome := _alternative(found)) is None:
        return Text(())
    return tables.scenario_ranks(found.compared, found.trust_type, outcome)


def _alternative(found: Study):
    outcome = found.outcome(found.alternative) if found.alternative is not None else None
    return None if outcome is None or outcome.why_not(found.trust_type) else outcome


# --- leaving out ----------------------------------------------------------------------------------


def about_left_out(found: Study) -> Text:
    """What leaving out one metric, or one domain, does."""
    if isinstance(found.metrics, str) or isinstance(found.domains, str):
        return Text((_not_available(found.metrics if isinstance(found.metrics, str) else found.domains),))
    one, domain = (_first_left_out(part, found.trust_type) for part in (found.metrics, found.domains))
    rows = found.metrics.summary(found.trust_type)
    rows = rows[(rows["n_with"] > 0) & rows["mean_change"].notna()]
    return Text(
        (
            f"Each of {len(rows)} metrics and groups of metrics is left out in turn; averages, cut-offs and ranks follow. Without {one['name']} ranks change most, by "
            f"{one['mean_change']:.1f} places on average and {one['max_change']} at most; without the metric in the middle of the list by "
            f"{rows['mean_change'].median():.1f}. Of the domains it is {_small(domain['name'])}: {domain['mean_change']:.1f} on average, "
            f"{domain['max_change']} at most.",
            "A metric that moves ranks when it goes is not a bad one: it says something that the others do not. One that moves hardly any may be "
            "shared by few trusts, or say the same as others. A group of metrics that count as one item is left out as a whole and metric by metric.",
        )
    )


def _first_left_out(found: LeftOut, trust_type: str) -> pd.Series:
    rows = found.summary(trust_type)
    return rows.loc[rows["mean_change"].idxmax()]


def _not_available(reason: str) -> str:
    return f"Not available, because {reason}."


def left_out_table(found: Study, what: str) -> tables.Table | Text:
    """The table of metrics ("Metric") or domains ("Domain") left out."""
    part = found.metrics if what == "Metric" else found.domains
    return Text(()) if isinstance(part, str) else tables.left_out(part, found.trust_type, what)


def ranks_left_out(found: Study) -> tables.Table | Text:
    if isinstance(found.metrics, str) or isinstance(found.domains, str):
        return Text(())
    return tables.ranks_left_out(found.metrics, found.domains, found.trust_type)


# --- weights --------------------------------------------------------------------------------------


def about_weights(found: Study) -> Text:
    """What random weights do, and what that measures."""
    if isinstance(found.weightings, str):
        return Text((_not_available(found.weightings),))
    rows = found.weightings.table(found.trust_type).dropna(subset="p_segment_1")
    names = [name for name in rows if name.startswith("p_segment_") and not name.endswith("error")]
    sure = rows[rows[names].max(axis=1) >= NEAR]
    capped = int((found.trusts["unadjusted_segment"] < found.trusts["segment"]).reindex(sure.index).sum())
    held = f", {capped} of them where the override holds them" if capped else ""
    other = int((rows[names].to_numpy().argmax(axis=1) + 1 != rows["segment"].to_numpy(dtype=float)).sum())
    first, could = rows.loc[rows["p_first"].idxmax()], int((rows["p_first"] > 0).sum())
    return Text(
        (
            f"{_official_weights(found)} Here the items get {found.draws:,} weightings at random, and averages, "
            f"cut-offs, segments and ranks follow. {len(sure)} of {len(rows)} {_who(found)} {_are(len(sure))} in one segment under at least {NEAR * 100:.0f} % of them{held}; "
            f"{other or 'none'} {_are(other or 1)} in another segment more often than in their official one. {counted(could, 'trust')} come{'s' if could == 1 else ''} first under some "
            f"weighting, most often {first['trust_name']} ({_share(first['p_first'])}, give or take {2 * first['p_first_error'] * 100:.1f} points for the number of draws).",
            _what_weightings_mean(found),
            sentence(_readable(found.weightings.note(), found)),
        )
    )


def _official_weights(found: Study) -> str:
    if len(set(found.weightings.official)) == 1:
        return "The rules weigh every item of a trust the same."
    return "The rules give each item a weight."


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _share(share: float) -> str:
    return f"{share * 100:.1f} %"


def _what_weightings_mean(found: Study) -> str:
    if found.weightings.within is None:
        return (
            "All weightings are as likely as any other, also those that give nearly everything to a few items. That asks more than anyone would "
            "argue for. So a trust that stays put under nearly all of them hangs little on the weights; one that moves need not move under mild "
            "differences of opinion. Draw within a range of the official weights to ask for less."
        )
    return "The weightings stay near the official ones, so a trust that moves here moves under small differences of opinion."


def weights_chart(found: Study) -> charts.Chart | Text:
    return Text(()) if isinstance(found.weightings, str) else charts.acceptability(found.weightings, found.trust_type)


def weights_table(found: Study) -> tables.Table | Text:
    return Text(()) if isinstance(found.weightings, str) else tables.acceptability(found.weightings, found.trust_type)


def about_favourable(found: Study) -> Text:
    """Under which weights the trust shown would rank best."""
    if isinstance(found.weightings, str):
        return Text(())
    if found.trust in found.weightings.held:
        return Text((f"{found.name} has no metric scores here, so no weights favour it.",))
    row = found.weightings.table(found.trust_type).loc[found.trust]
    return Text(
        (
            f"{found.name}, officially rank {row['rank']:.0f} and segment {row['segment']:.0f}: in its segment under {_share(row['p_official_segment'])} of "
            f"the weightings, and between rank {row['rank_low']:.0f} and {row['rank_high']:.0f} under 95 % of them. At best it ranks {row['best_rank']:.0f}, "
            "under the weights below. Where items are many, the best weighting drawn is far from the best there could be.",
        )
    )


def favourable_table(found: Study) -> tables.Table | Text:
    if isinstance(found.weightings, str) or found.trust in found.weightings.held:
        return Text(())
    return tables.favourable_weights(found.weightings, found.trust)


# --- Sobol indices --------------------------------------------------------------------------------


def about_methods(found: Study) -> Text:
    """Which choices of method the ranks hang on."""
    indices = found.methods
    if isinstance(indices, str):
        return Text((_not_available(_readable(indices, found)),))
    rows = indices.table()
    exact = indices.whole is not None
    first, total = (f"{'exact_' if exact else ''}{kind}_order" for kind in ("first", "total"))
    if rows[total].isna().all():
        return Text(
            (f"No combination of choices changes a rank of {_who(found)}, so there is no variance to share out.",)
        )
    large = rows[rows[total] >= _AS_LARGE]
    listed = ", ".join(
        f"{_small(row['name'])} ({_percent(row[first])} alone, {_percent(row[total])} with others)"
        for _, row in large.iterrows()
    )
    together = rows[first].sum()
    mean = indices.draws["mean_change"]
    return Text(
        (
            f"A scenario changes one choice and leaves the others as they are. Here {len(rows)} choices are crossed: all {len(indices.draws):,} "
            f"combinations, each as likely as any other. Ranks differ from the official ones by {mean.median():.1f} places on average in the middle combination, "
            f"and by up to {mean.max():.1f}.",
            f"{_what_indices_mean()} Choices with a total index from {_percent(_AS_LARGE)}: {listed}. First-order indices add to {_percent(together)}"
            f"{_interaction(together)}",
            *(sentence(_readable(note, found)) for note in indices.notes),
        )
    )


def _what_indices_mean() -> str:
    return (
        "The first-order index of a choice is the share of the variance of the mean rank change that would go on average if that choice alone were settled; "
        "the total index is the share that would be left if all others were."
    )


def _interaction(together: float) -> str:
    if together >= 0.9:
        return ": the choices act nearly each by itself."
    return ": the rest comes from choices acting together, so no choice can be judged by itself."


def about_raw_weights(found: Study) -> Text:
    """Which weights the ranks hang on."""
    indices = found.raw_weights
    if isinstance(indices, str):
        return Text((_not_available(_readable(indices, found)),))
    rows = indices.table()
    if rows["total_order"].isna().all():
        return Text((f"No weighting drawn changes a rank of {_who(found)}, so there is no variance to share out.",))
    top = rows.iloc[0]
    low, high = top["total_order_low"], top["total_order_high"]
    told = int((rows["first_order_low"] > 0).sum())
    rivals = rows.iloc[1:]
    alike = list(rivals.loc[rivals["total_order_high"] >= low, "name"])
    cannot = (
        f" The intervals of {', '.join(alike[:4])}{f' and {len(alike) - 4} more' if len(alike) > 4 else ''} overlap with its own, so "
        "which of these comes first is not sure."
        if alike
        else ""
    )
    return Text(
        (
            f"The same question for the weight of each item, drawn independently of the others; only their proportions count. The largest total index is that of "
            f"{top['name']}, {top['total_order']:.2f} (95 % interval {low:.2f} to {high:.2f}).{cannot} First-order indices of {told} of {len(rows)} "
            f"items lie above 0 by their own intervals, and all add to {_percent(rows['first_order'].sum())}: what one weight does depends on the others.",
            *(sentence(_readable(note, found)) for note in indices.notes),
        )
    )


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


def draw_tables(found: Study) -> dict[str, tuple[str, pd.DataFrame]]:
    """Tables too long for the page, with what they hold in words, by the ending of a file name."""
    kept = {}
    if not isinstance(found.metrics, str):
        ranks = found.metrics.table(found.trust_type).rename(columns=_left_out_heading(found.metrics)).reset_index()
        kept["without-one-metric"] = ("Rank of every trust without each metric", ranks)
    if not isinstance(found.methods, str):
        kept["method-draws"] = (
            "Every combination of choices of method: mean rank change, and rank of each trust by code", found.methods.draws,
        )  # fmt: skip
    if not isinstance(found.raw_weights, str):
        indices = found.raw_weights
        columns = [*indices.factors, "mean_change"]
        kept["weight-draws"] = (
            "Every weighting drawn for the Sobol indices of weights, before they are divided by their sum, and the mean rank change",
            indices.draws[columns].round(6),
        )
    return kept


def _left_out_heading(found: LeftOut) -> dict[str, str]:
    return {key: f"without {name} ({key})" for key, name in found.names.items()}


# --- the override ---------------------------------------------------------------------------------


def about_override(found: Study) -> Text:
    """Whom the financial override moves, and who gains by it."""
    if isinstance(found.overrides, str):
        return Text((_not_available(found.overrides),))
    row = found.overrides.summary(found.trust_type).loc[RULE]
    table = found.overrides.table(found.trust_type)
    if not row["moved"]:
        return Text(
            (f"The financial override changes the segment of none of the {row['n']} {_who(found)}.", *_coincides(found))
        )
    most = table.loc[table["places_lost"].idxmax()]
    gained = table.loc[table["places_lost"].idxmin()]
    others = (
        f" {counted(int(row['gaining']), 'other')} gain{'s' if row['gaining'] == 1 else ''}, {row['mean_gain']:.1f} places on average; most {gained['trust_name']}, rank {gained['rank']} and "
        f"{gained['rank_without']} without."
        if row["gaining"]
        else ""
    )
    said = (
        f"{row['flagged']} of {row['n']} {_who(found)} carry the deficit flag, and the override places {row['moved']} of them in a worse segment than their average "
        f"gives. {counted(row['moved_ranks'], 'trust')} {'loses' if row['moved_ranks'] == 1 else 'lose'} places by it, {row['places_lost']} together; most {most['trust_name']}, rank {most['rank']} and {most['rank_without']} without."
        f"{others} A trust that gains passes capped ones with better averages; its own figures are the same."
    )
    return Text((said, *_coincides(found), *_other_rules(found)))


def _coincides(found: Study) -> tuple[str, ...]:
    """That two scenarios give the same ranks, where they do."""
    none = [one.scenario for one in found.compared.outcomes if one.scenario.changes == scenarios.Changes(override=NONE)]
    alone = [
        one.scenario for one in found.compared.outcomes if one.scenario.changes == scenarios.Changes(ranking="average")
    ]
    ranks = found.compared.ranks(found.trust_type)
    pairs = [(a, b) for a in none for b in alone if {a.key, b.key} <= set(ranks)]
    if not pairs:
        return ()
    without, average = pairs[0]
    if ranks[without.key].equals(ranks[average.key]):
        return (
            f"“{without.name}” and “{average.name}” give every one of the {len(ranks)} {_who(found)} the same rank. That is no accident: without the override "
            "segments are cut from the averages, so to rank by segment first and by average second is to rank by average. They are one scenario under two names, "
            "and differ in the segments alone.",
        )
    differ = int((ranks[without.key] != ranks[average.key]).sum())
    return (f"“{without.name}” and “{average.name}” rank {counted(differ, 'trust')} differently.",)


def _other_rules(found: Study) -> tuple[str, ...]:
    """What the other override rules would do."""
    rows = found.overrides.summary(found.trust_type).drop(index=RULE)
    rows = rows[rows["reason"] == ""]
    if rows.empty:
        return ()
    listed = "; ".join(
        f"“{row['name']}” places {row['moved']} lower, at a cost of {counted(row['places_lost'], 'place')}"
        if row["moved"]
        else f"“{row['name']}” places none lower"
        for _, row in rows.iterrows()
    )
    return (f"Other rules, each beside no override: {listed}.",)


def override_rules(found: Study) -> tables.Table | Text:
    return Text(()) if isinstance(found.overrides, str) else tables.override_rules(found.overrides, found.trust_type)


def override_trusts(found: Study) -> tables.Table | Text:
    return Text(()) if isinstance(found.overrides, str) else tables.override_trusts(found.overrides, found.trust_type)


def about_flags(found: Study) -> Text:
    """Where a flag derived from published metrics is not NHS England's."""
    rule = _derived(found)
    if rule is None:
        return Text(())
    rows = found.overrides.flags(rule)
    mine = rows[rows["trust_type"] == found.trust_type]
    name = found.outcome(rule).scenario.name
    which = (
        f"{len(mine)} {_who(found)} otherwise than NHS England ({int(mine['derived'].sum())} that it does not flag, {int(mine['published'].sum())} that "
        "it does)"
        if len(mine)
        else f"all {_who(found)} as NHS England does"
    )
    return Text(
        (
            f"“{name}” flags {which}. Of all types together {len(rows)} trusts are flagged otherwise. The published flag is the rule; a derived one is our "
            "stand-in.",
        )
    )


def flags_table(found: Study) -> tables.Table | Text:
    rule = _derived(found)
    return Text(()) if rule is None else tables.override_flags(found.overrides, rule, found.trust_type)


def _derived(found: Study) -> str | None:
    """The key of the rule that derives its flag, where it can be applied."""
    if isinstance(found.overrides, str):
        return None
    for key, outcome in found.overrides.rules.items():
        override = outcome.scenario.changes.override if outcome else None
        if getattr(override, "flag_if", None) and outcome.why_not(found.trust_type) is None:
            return key
    return None


# --- limitations ----------------------------------------------------------------------------------


def limitations(found: Study) -> Text:
    """What the figures rest on."""
    said = [
        "Scenarios change one step at a time, and are a choice of ours; a file of your own adds others. What scenarios do together is looked at for a few "
        "choices alone; their indices hang on which alternatives are crossed, and on each being as likely as any other, which is our choice too.",
        "Where nothing else is said the override flag is NHS England's, and cut-offs are taken anew from the averages of all types of trust, as the rules say. "
        "Ties take the better rank.",
        "All is about one quarter. The pages on rank uncertainty and on movement say how far its figures themselves are to be trusted.",
    ]
    if not isinstance(found.raw_weights, str):
        said.append(
            f"Sobol indices of weights depend on the range they are drawn from; they share out the variance of the mean rank change, which says nothing of the direction "
            f"a trust moves in. Indices of single trusts come without intervals. Sampled indices may come out a little below 0 or above 1. All samples start from "
            f"{found.raw_weights.n:,} base draws."
        )
    return Text(tuple(said))
