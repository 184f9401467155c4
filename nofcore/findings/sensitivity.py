"""Sentences on what other rules would do to ranks, made from the numbers: the page as a whole, scenarios, leaving out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nofcore import charts, scenarios, tables
from nofcore.findings import incentives, override, weightings
from nofcore.findings._what_if import not_available, readable, small, who
from nofcore.findings.incentives import Incentives, Unknown
from nofcore.notes import concerns, is_routine
from nofcore.sensitivity import APPLIED, TAIL, UNCHANGED, LeftOut
from nofcore.sensitivity_study import Study
from nofcore.wording import Bullets, Text, counted, sentence

# --- the page as a whole --------------------------------------------------------------------------


def headline(found: Study, gains: Incentives | Unknown) -> str:
    """The findings of the page in one paragraph."""
    said = (
        _scenarios_in_short(found), _segments_in_short(found), weightings.in_short(found), override.in_short(found), incentives.in_short(gains, found.trust_type),
    )  # fmt: skip
    return " ".join(filter(None, said))


def _moving(found: Study) -> pd.DataFrame:
    """Scenarios that change a rank of the type, largest mean change first."""
    rows = found.scenarios
    rows = rows[(rows["status"] == APPLIED) & (rows["max_change"] > 0)]
    return rows.sort_values("mean_change", ascending=False, kind="stable")


def _scenarios_in_short(found: Study) -> str:
    rows, moving = found.scenarios, _moving(found)
    size = len(found.trusts)
    if moving.empty:
        return f"None of {len(rows)} other rules, each tried by itself, changes a rank of the {size} {who(found)}."
    first = moving.iloc[0]
    return (
        f"{len(moving)} of {len(rows)} other rules, each tried by itself, change ranks of the {size} {who(found)}; “{first['name']}” does most, by "
        f"{first['mean_change']:.1f} places on average and up to {first['max_change']}{_domain_in_short(found, first['mean_change'])}."
    )


def _domain_in_short(found: Study, beside: float) -> str:
    """That to leave out a domain moves more than any scenario does, where it does."""
    if isinstance(found.domains, str):
        return ""
    first = _first_left_out(found.domains, found.trust_type)
    if not first["mean_change"] > beside:
        return ""
    return f" (without {small(first['name'])} altogether it is {first['mean_change']:.1f})"


def _spans(found: Study) -> pd.Series:
    return found.compared.ranges(found.trust_type)["places"]


def _segments_in_short(found: Study) -> str:
    spans, kept = _spans(found), _same_segment(found)
    return (
        f"Between its best and its worst rank under them the middle trust moves {spans.median():.0f} places; {len(kept)} of {len(spans)} "
        "keep their segment throughout."
    )


def _same_segment(found: Study) -> pd.Index:
    """Trusts that are in one segment under the official rules and all scenarios."""
    segments = found.compared.segments(found.trust_type)
    return segments.index[segments.nunique(axis=1) == 1]


def facts(found: Study, gains: Incentives | Unknown) -> dict[str, str]:
    """The figures behind the headline, for the index."""
    rows, moving = found.scenarios, _moving(found)
    given = {
        "Scenarios that change ranks": f"{len(moving)} of {len(rows)}",
        "Places between best and worst rank, middle trust": f"{_spans(found).median():.0f}",
        "Same segment under all rules": f"{len(_same_segment(found))} of {len(found.trusts)}",
    }
    if not isinstance(found.weightings, str):
        given["Weightings"] = f"{found.draws:,}"
    return given | incentives.facts(gains, found.trust_type) | {"Seed": str(found.seed)}


def how_not_to_read(found: Study) -> Bullets:
    """What the figures do not mean."""
    return Bullets(
        (
            (
                "No rule here is put forward as the right one.",
                "That a trust would rank better under another rule says that its rank hangs on a choice, not that it was wronged.",
            ),
            (
                "A range over scenarios is not a margin of error.",
                "It depends on which scenarios are asked. The kit's were chosen to show each step of the method, so shares of them are no "
                "probabilities.",
            ),
            (
                "Places won or lost are not care that changes.",
                "Under other rules the figures of every trust are the same; only their order differs. And one more percentage point "
                "means as many patients just short of a standard as far from it; only the reward differs.",
            ),
            (
                "A rank that holds is not proof.",
                "It does not hang on the choices that were tried. It may still hang on which metrics exist, and on noise in them.",
            ),
            (
                "A small mean change can be a great deal for one trust.",
                "Read the largest change, and the trust's own line, too.",
            ),
            (
                "Nothing here says that a trust games its figures.",
                "The page shows where the rules reward a small change out of proportion. Whether a trust has acted on that cannot be "
                "seen from these figures.",
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
        (still, "only a segment or an average"),
        (none, "change nothing"),
        (cannot, "cannot be applied"),
    )
    said = [
        f"{len(found.scenarios)} scenarios{f', {own} of them your own,' if own else ''} each change one step of the method and leave the rest as it is. For "
        f"{who(found)} {_and([f'{number} {text}' for number, text in what if number])}."
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
        f"would by itself move ranks by up to {worst['by_values_mean']:.2f} places on average and {known['by_values_max'].max()} at most, "
        "so that much of such a change may not be the rule's"
        if known["by_values_max"].max()
        else "by itself moves no rank"
    )
    return (
        "Where a scenario changes how a metric is scored, the metric is scored from its published values; the others keep their published "
        f"scores. To score from values under the official rules {alone}.",
    )


def scenario_notes(found: Study) -> Bullets | Text:
    """What limits single scenarios, and what readers must know of all; the same note of several is given once."""
    names: dict[str, list[str]] = {}
    for one in found.compared.outcomes:
        if one.why_not(found.trust_type) is None:
            for note in dict.fromkeys(one.notes):
                if not is_routine(note) and concerns(note, found.trust_type):
                    names.setdefault(readable(note, found), []).append(one.scenario.name)
    points = [(f"{'; '.join(who)}:", sentence(note)) for note, who in names.items()]
    points += [
        ("All scenarios:", sentence(readable(note, found))) for note in found.compared.notes if not is_routine(note)
    ]
    return Bullets(tuple(points)) if points else Text(())


def about_ranges(found: Study) -> Text:
    """How far the ranks hang on the rules."""
    ranges, spans = found.compared.ranges(found.trust_type), _spans(found)
    most = ranges.loc[spans.idxmax()]
    few = max(2, len(spans) // 20)
    firm, kept = int((spans <= few).sum()), len(_same_segment(found))
    return Text(
        (
            f"Over the official rules and {ranges['scenarios'].max()} scenarios, the best and worst rank of a trust lie {spans.median():.0f} places "
            f"apart in the middle case. The widest range is that of {most['trust_name']}, {most['best_rank']} to {most['worst_rank']}. "
            f"{firm} of {len(spans)} trusts move by {few} places or fewer in all; {kept} stay in one segment throughout.",
        )
    )


def about_trust(found: Study) -> Text:
    """Where one trust would rank under other rules; what it stands for where nobody asked for it."""
    row = found.compared.ranges(found.trust_type).loc[found.trust]
    example = (
        ""
        if found.marked
        else " It is in the middle of the table and stands here as an example; the page can be made for any other trust."
    )
    ends = (
        f"would rank between {row['best_rank']} ({_under(row, 'best')}) and {row['worst_rank']} ({_under(row, 'worst')})"
        if row["places"]
        else f"would rank {row['rank']} under every scenario"
    )
    return Text(
        (
            f"{found.name}: rank {row['rank']}, segment {found.trusts.at[found.trust, 'segment']:.0f}.{example}",
            f"Other rules: it {ends}.{_under_alternative(found)}",
        )
    )


def _under(row: pd.Series, end: str) -> str:
    others = row[f"{end}_others"]
    return f"“{row[f'{end}_scenario']}”{f' and {others} more' if others else ''}"


def _under_alternative(found: Study) -> str:
    outcome = _alternative(found)
    if outcome is None:
        return ""
    rank = found.compared.ranks(found.trust_type).at[found.trust, outcome.scenario.key]
    return f" Under “{outcome.scenario.name}” it would have {'no rank' if pd.isna(rank) else f'rank {rank}'}."


# --- one alternative ------------------------------------------------------------------------------


def about_alternative(found: Study) -> Text:
    """What one scenario asks and does."""
    if found.alternative is None:
        return Text((f"No scenario moves a rank of {who(found)}, so there is nothing to compare.",))
    outcome, row = found.outcome(found.alternative), found.scenarios.loc[found.alternative]
    scenario = outcome.scenario
    if reason := outcome.why_not(found.trust_type):
        return Text((f"“{scenario.name}” says nothing of {who(found)}: {reason}.",))
    tails = (
        f" {row['top_kept']} of the first {TAIL} would stay there, and {row['bottom_kept']} of the last {TAIL}."
        if pd.notna(row["top_kept"])
        else ""
    )
    note = f" {scenario.note}" if scenario.note else ""
    return Text(
        (
            f"{scenario.question} This is the scenario “{scenario.name}”.{note}",
            f"Ranks would change by {row['mean_change']:.1f} places on average and by {row['max_change']} at most, and "
            f"{counted(int(row['segments_changed']), 'trust')} would change segment (Kendall's tau {_tau(row['tau'])}).{tails}",
        )
    )


def _tau(value: float) -> str:
    return "not defined" if np.isnan(value) else f"{value:.2f}"


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
        return Text((not_available(found.metrics if isinstance(found.metrics, str) else found.domains),))
    one, domain = (_first_left_out(part, found.trust_type) for part in (found.metrics, found.domains))
    rows = found.metrics.summary(found.trust_type)
    rows = rows[(rows["n_with"] > 0) & rows["mean_change"].notna()]
    return Text(
        (
            f"Each of {len(rows)} metrics and groups of metrics is left out in turn; averages, cut-offs and ranks follow. Without {one['name']} ranks change most, by "
            f"{one['mean_change']:.1f} places on average and {one['max_change']} at most; without the metric in the middle of the list by "
            f"{rows['mean_change'].median():.1f}. Of the domains it is {small(domain['name'])}: {domain['mean_change']:.1f} on average, "
            f"{domain['max_change']} at most.",
            "A metric that moves ranks when it goes is not a bad one: it differs from the others, because it says something of its own or because "
            "of noise. One that moves hardly any may be shared by few trusts, or say the same as others. Metrics that count as one item are "
            "left out together and one by one.",
        )
    )


def _first_left_out(found: LeftOut, trust_type: str) -> pd.Series:
    rows = found.summary(trust_type)
    return rows.loc[rows["mean_change"].idxmax()]


def left_out_table(found: Study, what: str) -> tables.Table | Text:
    """The table of metrics ("Metric") or domains ("Domain") left out."""
    part = found.metrics if what == "Metric" else found.domains
    return Text(()) if isinstance(part, str) else tables.left_out(part, found.trust_type, what)


def ranks_left_out(found: Study) -> tables.Table | Text:
    if isinstance(found.metrics, str) or isinstance(found.domains, str):
        return Text(())
    return tables.ranks_left_out(found.metrics, found.domains, found.trust_type)


# --- files beside the page --------------------------------------------------------------------------


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


# --- limitations ----------------------------------------------------------------------------------


def limitations(found: Study) -> Text:
    """What the figures rest on."""
    said = [
        "Scenarios change one step at a time and are our choice. Crossed choices are few; which alternatives are crossed, and that each is as "
        "likely as any other, is our choice too.",
        "Where nothing else is said the override flag is NHS England's, cut-offs are taken anew, as the rules "
        "say, and ties take the better rank. All is about one quarter.",
    ]
    if not isinstance(found.raw_weights, str):
        said.append(
            "Sobol indices of weights depend on the range the weights are drawn from. They share out the variance of the mean rank change, which "
            "says nothing of the direction in which a trust moves. Those of single trusts come without intervals; sampled ones may come out a "
            "little below 0 or above 1."
        )
    return Text(tuple(said))
