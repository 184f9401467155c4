"""Sentences on one trust, made from the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nofcore.bootstrap import LEVEL
from nofcore.flags import BY_RULE, DEDUCED, GIVEN
from nofcore.framework import Scale, is_own, year_of
from nofcore.incentives import FLAG_UNKNOWN, HELD, IN_BEST, NONE_CAN
from nofcore.learning import BY_CHANCE, GAP, TOLD, Lesson
from nofcore.measures import measure, say
from nofcore.metric_standing import BETTER, FEWEST, UNKNOWN, WORSE
from nofcore.profile import Profile
from nofcore.sensitivity import NOT_APPLICABLE
from nofcore.tables.base import Table, bundle
from nofcore.tables.profile import place_of, trust_lessons, value_of
from nofcore.wording import Bullets, Text, as_given, counted, decimal, given, plural, sentence

WEAK = 0.2
"""Below this correlation likeness is called a weak guide."""
SURE = 0.95
"""Share of draws from which on a segment is called sure."""
ENDS_NAMED = 3
"""Rules named at an end of the span of ranks, at most."""
CLEARLY = 100 - (100 - 100 * LEVEL) / 2
"""Share of draws, in per cent, in which one of two trusts must be ahead of the other; see `nofcore.pairs`."""
COMMON = 0.2
"""Share of the trusts of a type that must report a metric for it to be missed where a trust does not."""
NEAR = 25
"""A rank within one place for so many trusts of the type, at least one place, counts as about the same."""


@dataclass(frozen=True)
class Parts:
    """Texts and tables, shown one below the other."""

    parts: tuple

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        return bundle(part for part in self.parts if isinstance(part, Table))

    def _repr_html_(self) -> str:
        return "".join(part._repr_html_() for part in self.parts)


# --- findings -------------------------------------------------------------------------------------


def headline(profile: Profile) -> str:
    """The findings of the page in one paragraph."""
    row = profile.standing
    if not profile.ranked:
        return f"{profile.name} is not ranked in {profile.quarter}: the figures hold no average and segment of it."
    said = [
        f"{profile.name} is at rank {row['rank']:.0f} of {profile.of} {plural(profile.trust_type)} in {profile.quarter}, in segment "
        f"{row['segment']:.0f}, with an average score of {row['average_score']:.2f} ({profile.study.rebuilt.scale.ends})."
    ]
    if _held_back(profile):
        told = "" if profile.flag != DEDUCED else ", as its average and its segment tell"
        said.append(
            f"By its average alone it would be in segment {profile.unadjusted:.0f}; the override holds it back{told}."
        )
    said.append(_range_in_short(profile))
    if profile.method_range is not None and len(profile.method):
        one = profile.method_range
        best, worst = one["best_rank"], one["worst_rank"]
        runs = f"stays {best}" if best == worst else f"runs from {best} to {worst}"
        said.append(f"Under {counted(len(profile.method), 'other rule')} that could have been chosen its rank {runs}.")
    return " ".join(said)


def _held_back(profile: Profile) -> bool:
    return bool(profile.unadjusted < profile.standing["segment"])


def _range_in_short(profile: Profile) -> str:
    if profile.range is None:
        return f"How sure that rank is cannot be said: {profile.why_no_range}."
    return f"With other metrics of the same kind it could have come out anywhere from {_ends_of(profile.range)} (95 % range). {_told(profile)}"


def _ends_of(row: pd.Series) -> str:
    """The range of the rank, with "about" where another seed may print other ends."""
    about = "about " if max(row["rank_low_error"], row["rank_high_error"]) >= 1 else ""
    return f"{about}{row['rank_low']:.0f} to {row['rank_high']:.0f}"


def _told(profile: Profile) -> str:
    """From how many others it can be told apart."""
    told = profile.told
    ahead, behind, others = int(told["ahead"]), int(told["behind"]), int(told["others"])
    rest = others - ahead - behind
    if not ahead and not behind:
        return f"It cannot be told apart from any of the {counted(others, 'other')}."
    parts = [
        text
        for count, text in ((ahead, f"{ahead} stand clearly above it"), (behind, f"{behind} clearly below it"))
        if count
    ]
    if ahead == 1:
        parts[0] = "1 stands clearly above it"
    if behind == 1:
        parts[-1] = "1 clearly below it" if ahead else "1 stands clearly below it"
    elif not ahead:
        parts[-1] = f"{behind} stand clearly below it"
    return f"Of the {others} others {' and '.join(parts)}; from the other {rest} it cannot be told apart."


def facts(profile: Profile) -> dict[str, str]:
    """The figures behind the headline, for the index."""
    if not profile.ranked:
        return {"Rank": "none"}
    found = {"Rank": f"{profile.standing['rank']:.0f} of {profile.of}", "Segment": f"{profile.standing['segment']:.0f}"}
    if profile.range is not None:
        found["95 % range of the rank"] = f"{profile.range['rank_low']:.0f} to {profile.range['rank_high']:.0f}"
    if profile.method_range is not None:
        found["Rank under other rules"] = f"{profile.method_range['best_rank']} to {profile.method_range['worst_rank']}"
    return found


def how_not_to_read(profile: Profile) -> Bullets:
    """What the page does not say, of what it shows."""
    points = [("A rank is not the quality of care.", f"It is a place among trusts by {_figures(profile)}.")]
    if profile.range is not None:
        points.append(
            (
                "A range over metrics is not a margin of error.",
                "It shows how far the trust's own scores disagree. A rank anywhere within it could have come from other metrics of the same kind.",
            )
        )
    if len(profile.metrics):
        points.append(
            (
                "A bad score is not a bad value.",
                "Most scores are places in a pool: someone is last on every metric, however well all do. Look at the value and the standard.",
            )
        )
    if any(len(lesson.teachers) for lesson in profile.lessons):
        points.append(
            (
                "Trusts to learn from are a place to begin.",
                "They are alike in some scores of this page, and no more. What they do differently, and whether it caused their figures, is not in the data.",
            )
        )
    return Bullets(tuple(points))


def _figures(profile: Profile) -> str:
    """What the rank rests on."""
    items, domains = int(profile.standing["n_items"]), [name.lower() for name in profile.domains.get("name", ())]
    if not items or not domains:
        return "an average of scores, of which none is at hand here"
    return f"the mean of {counted(items, 'score')} ({'; '.join(domains)})"


# --- rank and its range ---------------------------------------------------------------------------


def about_rank(profile: Profile) -> Text:
    """The rank, its range and the segments of the draws."""
    if not profile.ranked:
        return Text((headline(profile),))
    if profile.range is None:
        return Text(
            (
                f"No range is given: {profile.why_no_range}. The published rank stands alone, and nothing here says how sure it is.",
            )
        )
    row = profile.range
    parts = [
        f"Each of {profile.study.draws:,} draws picks, for every trust, as many of its own items as it has, with replacement, and ranks all trusts anew; "
        f"{profile.name} has {counted(int(profile.standing['n_items']), 'item')}. In 95 % of the draws its rank lies in the range "
        f"{_ends_of(row)} and its average in {row['score_low']:.2f} to {row['score_high']:.2f}."
    ]
    parts.append(f"{_segments(profile)} {_told(profile)}{_unsure(profile)}")
    others = counted(int(profile.told["others"]), "comparison")
    parts.append(
        f"Clearly above or below means: in at least {CLEARLY:.1f} % of the draws, with flags and cut-offs held. Each pair is judged by itself; nothing is "
        f"corrected for the {others}, so a few verdicts may be chance."
    )
    return Text(tuple(parts))


def _segments(profile: Profile) -> str:
    shares = {
        int(name[-1]): share for name, share in profile.range.items() if name.startswith("p_segment_") and share > 0
    }
    ordered = sorted(shares.items(), key=lambda pair: -pair[1])
    own = int(profile.standing["segment"])
    if len(ordered) == 1:
        held = " The override keeps it out of better ones whatever metrics are chosen." if _always_held(profile) else ""
        return f"It is in segment {ordered[0][0]} in every draw.{held}"
    listed = ", ".join(f"segment {segment} in {_percent(share)}" for segment, share in ordered)
    doubt = "" if shares.get(own, 0) >= SURE else f" So its published segment, {own}, is not sure."
    return f"In the draws it is in {listed}.{doubt}"


def _always_held(profile: Profile) -> bool:
    return profile.way is not None and profile.way["status"] == HELD


def _percent(share: float) -> str:
    if share <= 0.005:
        return "fewer than 1 %"
    if SURE - 0.005 <= share < SURE:  # would be printed as what it just misses
        return f"just under {SURE * 100:.0f} %"
    return "more than 99 %" if share >= 0.995 else f"{share * 100:.0f} %"


def _unsure(profile: Profile) -> str:
    count = int(profile.told["unsure"])
    return (
        f" {counted(count, 'of these verdicts lies', 'of these verdicts lie')} so near the line that another seed may change {'it' if count == 1 else 'them'}."
        if count
        else ""
    )


# --- path -----------------------------------------------------------------------------------------


def about_path(profile: Profile) -> Text:
    """The rank over the quarters, and what cannot be said of it."""
    rows = profile.path
    known = rows[rows["rank"].notna()]
    missing = list(rows.loc[rows["rank"].isna(), "quarter"])
    said = [_ranks_said(profile, known)]
    drawn = known[known["rank_low"].notna()]
    bare = known[known["rank_low"].isna()]
    if len(drawn) and len(known) > 1:
        said += _against_range(known, drawn, profile.quarter)
    if len(bare):
        said.append(
            f"No range can be drawn for {_and(bare['quarter'])}, as no metric scores of {plural(profile.trust_type)} are at hand for "
            f"{'it' if len(bare) == 1 else 'them'} under rules that the kit knows."
        )
    if missing:
        said.append(
            f"It is not in the league table of {_and(missing)}; whether it merged, closed or was left out is not in the figures."
        )
    said += [sentence(text) for text in profile.study.ranges.left_out]
    if known["quarter"].map(year_of).nunique() > 1:
        said.append("Between two years the rules changed, so a move across the line is not one of performance alone.")
    return Text(
        (
            " ".join(filter(None, said)),
            "Which moves are more than noise, and why they happened, is on the page on movement (python -m nofcore report movement).",
        )
    )


def _ranks_said(profile: Profile, known: pd.DataFrame) -> str:
    if len(known) < 2:
        return f"{profile.name} is ranked in {counted(len(known), 'quarter')} only, so there is no path to show."
    listed = ", ".join(f"{rank:.0f}" for rank in known["rank"])
    segments = known["segment"].astype(int)
    where = (
        f"in segment {segments.iat[0]} throughout"
        if segments.nunique() == 1
        else f"in segments {', '.join(map(str, segments))}"
    )
    return f"From {known['quarter'].iat[0]} to {known['quarter'].iat[-1]} it was at ranks {listed}, {where}."


def _against_range(known: pd.DataFrame, drawn: pd.DataFrame, quarter: str) -> list[str]:
    base = drawn[drawn["quarter"] == quarter] if quarter in set(drawn["quarter"]) else drawn.iloc[:1]
    base = base.iloc[0]
    others = known[(known["quarter"] != base["quarter"]) & (known["quarter"].map(year_of) == year_of(base["quarter"]))]
    if others.empty:
        return []
    outside = others[(others["rank"] < base["rank_low"]) | (others["rank"] > base["rank_high"])]
    span = f"the range of {base['quarter']} ({base['rank_low']:.0f} to {base['rank_high']:.0f})"
    if outside.empty:
        return [
            f"Its other ranks of {year_of(base['quarter'])} all lie within {span}, so the path alone does not show that its place changed."
        ]
    by_flag = outside[_with_flag_of(base, outside).between(base["rank_low"], base["rank_high"])]
    plain = outside.drop(by_flag.index)
    said = []
    if len(plain):
        verb = "is its rank" if len(plain) == 1 else "are its ranks"
        said.append(f"Outside {span} {verb} in {_and(plain['quarter'])}; that is a sign of a change, not a test of it.")
    return said + ([_flag_changed(base, by_flag, span)] if len(by_flag) else [])


def _with_flag_of(base: pd.Series, rows: pd.DataFrame) -> pd.Series:
    """The ranks that the trust would have with the override flag of the quarter of the range; NaN where that is not known."""
    if pd.isna(base["flagged"]):
        return pd.Series(np.nan, rows.index)
    return rows["rank_with"] if base["flagged"] == 1 else rows["rank_without"]


def _flag_changed(base: pd.Series, rows: pd.DataFrame, span: str) -> str:
    """Ranks outside the range that would be in it but for the override flag, with the averages, which it does not touch."""
    was_held = base["segment"] > base["unadjusted"] and rows.index.min() > base.name
    held = "held it" if base["flagged"] == 0 else "no longer held it" if was_held else "did not hold it"
    ranks = _and([f"{rank:.0f}" for rank in _with_flag_of(base, rows)])
    averages = _and([f"{average:.2f}" for average in rows["average"]])
    it, at = ("its rank lies", "rank") if len(rows) == 1 else ("its ranks lie", "ranks")
    return (
        f"In {_and(rows['quarter'])} the override {held}, and {it} outside {span}. With the flag of {base['quarter']} it would be at {at} {ranks}, "
        f"within that range, so the {at} {'is' if at == 'rank' else 'are'} no sign that its scores changed. Its average was {base['average']:.2f} in "
        f"{base['quarter']} and {averages} then."
    )


def _and(names: Sequence[str]) -> str:
    names = list(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


# --- domains and metrics --------------------------------------------------------------------------


def about_domains(profile: Profile) -> Text:
    """Domains against the median of type and subtype."""
    rows = profile.domains
    if rows.empty:
        return Text((f"No domain scores: {_why_no_metrics(profile)}.",))
    said = [_verdicts(rows, "type", f"the median of {plural(profile.trust_type)}")]
    if profile.has_subtype:
        said.append(
            _verdicts(
                rows, "subtype", f"the median of its subtype ({profile.subtype}, {rows['n_subtype'].max():.0f} trusts)"
            )
        )
    elif (rows["n_subtype"] == rows["n_type"]).all():
        said.append("All trusts of the type are of one subtype." if profile.subtype else "No subtype is given for any.")
    few, many = int(rows["items"].min()), int(rows["items"].max())
    of_them = counted(many, "item") if few == many else f"{few} to {many} items"
    return Text(
        (
            " ".join(said),
            f"A domain score is the mean of its items, here of {of_them}, so it is rougher than the average of all. Its standard error comes from the "
            "spread of items around the mean of their trust and domain, taken to be alike in all trusts of the type and all domains. It is told apart from a median "
            f"where it lies further from it than this explains, at 95 % for all {counted(len(rows), 'domain')} together; the median counts as known. A place "
            "near the end of the table need not be far from its middle.",
        )
    )


def _verdicts(rows: pd.DataFrame, which: str, what: str) -> str:
    parts = [
        f"{word} in {_and([name.lower() for name in mine])}"
        for word, verdict in (("better", BETTER), ("worse", WORSE))
        if len(mine := list(rows.loc[rows[f"verdict_{which}"] == verdict, "name"]))
    ]
    unknown = rows[rows[f"verdict_{which}"] == UNKNOWN]
    rest = len(rows) - len(unknown) - int(rows[f"verdict_{which}"].isin([BETTER, WORSE]).sum())
    if len(unknown) == len(rows):
        return f"Whether it can be told apart from {what} is not known: {_why_unknown(unknown, which)}."
    left = (
        f" In {counted(len(unknown), 'domain')} that is not known: {_why_unknown(unknown, which)}."
        if len(unknown)
        else ""
    )
    if not parts:
        return f"Its domain scores cannot be told apart from {what} in any of {counted(rest, 'domain')}.{left}"
    said = f"Against {what} it is {' and '.join(parts)}"
    return (
        f"{said}; in the other {counted(rest, 'domain')} it cannot be told apart.{left}" if rest else f"{said}.{left}"
    )


def _why_unknown(rows: pd.DataFrame, which: str) -> str:
    few = bool((rows[f"n_{which}"] < FEWEST).any())
    spread = bool(rows.loc[rows[f"n_{which}"] >= FEWEST, "margin"].isna().any())
    why = [
        *([f"there are fewer than {FEWEST} trusts"] if few else []),
        *(["the items are too few to judge their spread"] if spread else []),
    ]
    return " and ".join(why)


def _why_no_metrics(profile: Profile) -> str:
    if profile.study.rebuilt.framework is None:
        return f"the kit has no rules for {year_of(profile.quarter)}"
    return f"no metric scores of {profile.name} are at hand for {profile.quarter}"


def _how_to_read(scale: Scale) -> str:
    return (
        f"Scores run from {scale.best:g} (best) to {scale.worst:g} (worst). Rank 1 is best; a span of places is shared by trusts whose published figures are equal, or holds the places that stay open to it, as the order of "
        f"equal figures of two types of trust is not published. The pool is all trusts "
        f"in England that report the metric, as far as their figures are at hand, or those of the type where the rules rank within it; quartile 1 is its best quarter, 4 its worst. Better if says "
        f"whether lower or higher values are better. Standard: who meets it scores {scale.best:.2f}; floor: who fails it scores {scale.worst:.2f}; by rank: there is neither; by bracket: "
        f"fixed scores for fixed values; score alone: no values are published."
    )


def about_metrics(profile: Profile) -> Text:
    """What the tables of metrics show, and what is missing from them."""
    rows = profile.metrics
    if rows.empty:
        where = [q for q in profile.path.loc[profile.path["rank_low"].notna(), "quarter"] if q != profile.quarter]
        other = f" They are at hand for {_and(where)}." if where else ""
        return Text((f"No metrics to show: {_why_no_metrics(profile)}.{other}",))
    pooled = rows[rows["rank"].notna() & (rows["model"] != "combined")]
    parts = int((~pooled["whole"]).sum())
    pooled = pooled[pooled["whole"]]
    across = int(pooled["quartile"].isna().sum())
    first, last = int((pooled["quartile"] == 1).sum()), int((pooled["quartile"] == 4).sum())
    said = []
    if len(pooled):
        said.append(
            f"Of {counted(len(pooled), 'metric')} with a place in a {'whole ' if parts else ''}pool{_combined_apart(rows)} it is in the best quarter in {first} and in the worst in {last}"
            + (
                f"; in {across} it shares so many places, or so many stay open to it, that no quarter can be named."
                if across
                else "."
            )
        )
    if parts:
        said.append(
            f"Of the pools of {counted(parts, 'metric')} only a part is at hand, so no quarter is named; the scores tell more there than the places."
        )
    said += _standards(rows)
    absent = _absent(profile)
    if absent:
        said.append(
            f"Metrics that at least one in {1 / COMMON:.0f} {plural(profile.trust_type)} report and that have no figure here, because they do not apply, or are missing "
            f"or suppressed: {', '.join(absent)}."
        )
    return Text((" ".join(said), f"{_how_to_read(profile.study.rebuilt.scale)}{_pool_at_hand(profile)}"))


def _combined_apart(rows: pd.DataFrame) -> str:
    names = rows.loc[rows["rank"].notna() & rows["whole"] & (rows["model"] == "combined"), "name"]
    if names.empty:
        return ""
    return f" ({_and([_inside(name) for name in names])}, made of others, not counted)"


def _pool_at_hand(profile: Profile) -> str:
    """Whose figures are missing from the pools of all types."""
    rows = profile.study.rebuilt.trusts
    without = [plural(name) for name, at_hand in rows.groupby("trust_type")["recomputed"].any().items() if not at_hand]
    if not without:
        return ""
    return (
        f" No metric figures of {_and(without)} are at hand for {profile.quarter}: in pools of all types places are among the trusts that are (“at hand”), while the "
        "scores are as published, over the whole pool."
    )


def _standards(rows: pd.DataFrame) -> list[str]:
    """How many of the standards and floors that apply it meets, as far as their numbers are known."""
    mine = rows[rows["model"].isin(["standard", "floor"]) & rows["value"].notna()]
    known = mine[mine["target"].notna()]
    met, unknown = int(_meets(known).sum()), len(mine) - len(known)
    if not unknown:
        if len(mine) == 1:
            return [f"It {'meets' if met else 'does not meet'} the one standard or floor that applies to it."]
        many = {len(mine): "all", 0: "none of the"}.get(met, f"{met} of the")
        return [f"It meets {many} {len(mine)} standards and floors that apply to it."] if len(mine) else []
    if known.empty:
        return [
            f"Of {counted(unknown, 'standard or floor', 'standards and floors')} that {'applies' if unknown == 1 else 'apply'} to it no number is known."
        ]
    rest = (
        f"{'meets' if met else 'does not meet'} the one whose number is known"
        if len(known) == 1
        else f"meets {met} of the {len(known)} whose numbers are known"
    )
    return [f"{len(mine)} standards and floors apply to it; it {rest}."]


def _meets(rows: pd.DataFrame) -> np.ndarray:
    low = rows["better"] == "low"
    return np.where(low, rows["value"] <= rows["target"], rows["value"] >= rows["target"])


def _absent(profile: Profile) -> list[str]:
    """Metrics that a fair part of its type reports and it does not."""
    trusts, rows = profile.study.rebuilt.of(profile.trust_type), profile.study.metrics
    reporting = rows.loc[rows["trust_code"].isin(trusts.index), "metric_id"].value_counts()
    common = set(reporting.index[reporting >= COMMON * trusts["recomputed"].sum()]) - set(profile.metrics["metric_id"])
    return [metric.short for metric in profile.study.rebuilt.framework.metric if metric.score in common]


def about_ends(profile: Profile) -> Text:
    """Its best and worst metrics."""
    if profile.worst.empty:
        return Text((f"No best and worst metrics: {_why_no_ends(profile)}.",))
    worst = profile.worst.iloc[0]
    said = (
        f"Best and worst of its own scores, the best {len(profile.best)} and the worst {len(profile.worst)}; equal scores by place in the pool. "
        f"Its worst score is for {_inside(worst['name'])}: {_score_said(worst)}."
    )
    return Text((said + _tied(profile) + _together(profile),))


def _together(profile: Profile) -> str:
    """Which of the metrics shown are one item of the average."""
    shown = pd.concat([profile.best, profile.worst])
    parts = shown[~shown["enters"].isin(["by itself", "not"])].groupby("enters", sort=False)["name"].agg(list)
    said = [f"{_and(names)} count together, {how}" for how, names in parts.items() if len(names) > 1]
    return f" {sentence('; '.join(said))}" if said else ""


def _why_no_ends(profile: Profile) -> str:
    return "it has fewer than two metrics with a score" if len(profile.metrics) else _why_no_metrics(profile)


def _tied(profile: Profile) -> str:
    """How many metrics share the worst score that is shown."""
    rows = profile.metrics[profile.metrics["averaged"].astype(bool)]
    scores, parts = rows["score"].round(2), []
    for word, part in (("best", profile.best), ("worst", profile.worst)):
        same = int((scores == round(part["score"].iat[-1], 2)).sum())
        shown = int((part["score"].round(2) == round(part["score"].iat[-1], 2)).sum())
        if same > shown:
            parts.append(
                f"{same} metrics share the score {part['score'].iat[-1]:.2f} among its {word}, of which {shown} {'is' if shown == 1 else 'are'} shown"
            )
    return f" {sentence('; '.join(parts))}" if parts else ""


def _score_said(row: pd.Series) -> str:
    place = place_of(row)
    place = f", {place} in its pool" if place else ""
    value = value_of(row)
    return f"{f'{value}, ' if value else ''}score {row['score']:.2f}{place}"


def _inside(name: str) -> str:
    """A metric's name in a sentence."""
    return name if name[1:2].isupper() or name[0].isdigit() or "." in name[:3] else name[0].lower() + name[1:]


# --- segment --------------------------------------------------------------------------------------


def about_segment(profile: Profile) -> Text:
    """What would change the segment."""
    if not profile.ranked:
        return Text((f"{profile.name} is not ranked, so it has no segment to change.",))
    if profile.way is None:
        why = str(profile.ways).removeprefix(f"{profile.quarter}: ")
        return Text((f"What would change its segment cannot be followed: {why}. {_worse(profile)}".strip(),))
    status, row = profile.way["status"], profile.way
    if status == IN_BEST:
        said = "It is in the best segment, so there is no better one to enter."
    elif status == HELD:
        said = (
            f"While its override flag stands, no average, however good, brings {profile.name} a better segment than {row['segment']}. {_without_flag(profile)} "
            f"{FLAG_FROM[profile.flag]} The kit does not say what would lift it."
        )
    elif status == FLAG_UNKNOWN:
        said = _perhaps_held(profile)
    else:
        said = _open_way(profile)
    return Text(tuple(filter(None, (said, _worse(profile), _about_cut_offs(profile), _against_draws(profile)))))


FLAG_FROM = {
    GIVEN: "The flag is taken as published.",
    BY_RULE: "The flag is derived from values, as the rules say.",
    DEDUCED: "The flag is not published for it: it is deduced from its segment, which is worse than that of its average.",
}


def _perhaps_held(profile: Profile) -> str:
    goal, rule = profile.way["goal"], profile.study.rebuilt.framework.override
    held = f"no average brings segment {goal}"
    if rule.no_higher_than is None:
        held = f"segment {goal} takes a better average than without it, if any brings it"
    return (
        f"Whether {profile.name} carries the override flag is not known: it is not published for it, and average and segment do not tell. If it carries the "
        f"flag, {held}. Otherwise its average would have to fall by {_fall(profile)}, to enter segment {goal}."
    )


def _fall(profile: Profile) -> str:
    row = profile.way
    return f"{row['fall']:.2f} points, from {row['average']:.2f} to {row['average'] - row['fall']:.2f}, with the cut-offs held as they are in {profile.quarter}"


def _about_cut_offs(profile: Profile) -> str:
    """Where the cut-offs come from, and what is not known of them."""
    framework = profile.study.rebuilt.framework
    rule = framework.segments
    if rule.rule == "percentiles":
        who = "all types together" if rule.pool == "all" else "each type"
        return (
            f"The cut-offs are not published: they follow from the averages, as percentiles over the trusts of {who}."
        )
    if is_own(framework, profile.quarter):
        return "The cut-offs are those of the framework file."
    unknown = [one.text for one in framework.rule if one.basis == "unknown" and "threshold" in one.text.lower()]
    said = "The cut-offs are not published as numbers with the figures: they are the kit's reading of averages and segments."
    return f"{said} Not known: {' '.join(text[0].lower() + text[1:] for text in unknown)}" if unknown else said


def _without_flag(profile: Profile) -> str:
    """What the average would still have to do if the override did not hold the trust."""
    average = profile.standing["average_score"]
    if _held_back(profile):
        return f"Without the flag its average of {average:.2f} would place it in segment {profile.unadjusted:.0f}."
    if profile.up is None:
        return ""
    goal, fall = profile.up
    return (
        f"Without the flag it would still be in segment {profile.unadjusted:.0f}: to enter segment {goal} its average would also have to fall "
        f"by {fall:.2f} points, from {average:.2f} to {average - fall:.2f}, with the cut-offs held as they are in {profile.quarter}."
    )


def _open_way(profile: Profile) -> str:
    row = profile.way
    fall = f"To enter segment {row['goal']} its average would have to fall by {_fall(profile)}"
    if pd.notna(row["items"]):
        most = profile.study.rebuilt.framework.scale.worst - profile.study.rebuilt.framework.scale.best
        beyond = f", more than one item can give ({most:g} at most)" if row["items"] > most else ""
        count = int(profile.standing["n_items"])
        fall += f"; that is {row['items']:.2f} points of score, on one of its {counted(count, 'item')} or shared over several{beyond}"
    if profile.metrics.empty:
        return f"{fall}. Which metric could bring that is not known: {_why_no_metrics(profile)}."
    followed = 0 if pd.isna(row["metrics"]) else int(row["metrics"])
    if not followed:
        return f"{fall}. No metric can be followed, because none of its values can be changed and scored again in a whole pool{_others(profile)}."
    if row["answer"] == NONE_CAN:
        return f"{fall}. None of {counted(followed, 'metric')} that can be followed could bring that alone, not even at its best value{_others(profile)}."
    return (
        f"{fall}. {int(row['able'])} of {counted(followed, 'metric')} that can be followed could bring that alone; the change that passes the fewest "
        f"trusts is {_inside(row['name'])} from {as_given(row['value'])} to {as_given(row['new_value'])} ({say(row['change'], row['unit'])}, "
        f"{counted(int(row['pool_places']), 'place')} in its pool{_as_few(profile)}). All other figures are taken to stand still, which they will not."
    )


def _as_few(profile: Profile) -> str:
    """Other metrics whose change would pass as few trusts."""
    row, rows = profile.way, profile.ways.ways(profile.code)
    same = rows[rows["able"] & (rows["pool_places"] == row["pool_places"]) & (rows["metric_id"] != row["metric_id"])]
    return f"; as few with {_and([_inside(name) for name in same['name']])}" if len(same) else ""


def _others(profile: Profile) -> str:
    """Which of the metrics that cannot be followed could bring the next segment at their best score."""
    rows = profile.metrics
    rows = rows[rows["score"].notna() & (rows["enters"] != "not") & (rows["model"] != "combined")]
    rows = rows[~rows["value_id"].isin(profile.ways.ways(profile.code)["metric_id"])]
    if profile.at_best is None or rows.empty:
        return "; it takes several" if profile.at_best == () else ""
    could = rows.loc[rows["metric_id"].isin(profile.at_best), "name"]
    if could.empty:
        return f", and none of {counted(len(rows), 'other')} at its best score; it takes several"
    listed = _and([_inside(name) for name in could])
    return f"; of {counted(len(rows), 'other')}, which cannot be followed, {len(could)} could at {'its' if len(could) == 1 else 'their'} best score ({listed})"


def _worse(profile: Profile) -> str:
    said = (
        []
        if np.isnan(profile.margin)
        else [f"An average {profile.margin:.2f} points higher would put it in a worse segment, with the cut-offs held."]
    )
    return " ".join([*said, *_by_flag_alone(profile)])


def _by_flag_alone(profile: Profile) -> list[str]:
    """What the override flag would do to a trust that does not carry it."""
    now = profile.path[profile.path["quarter"] == profile.quarter].iloc[0]
    if now["flagged"] != 0 or not now["if_flagged"] > now["segment"]:
        return []
    return [
        f"The override flag, which it does not carry, would alone put it in segment {now['if_flagged']:.0f}, with the average that it has."
    ]


def _against_draws(profile: Profile) -> str:
    """How large such steps are beside what the choice of metrics does."""
    if profile.range is None:
        return ""
    return (
        f"Beside that: with other metrics of the same kind its average could have been anything from {profile.range['score_low']:.2f} to "
        f"{profile.range['score_high']:.2f} (95 % range)."
    )


# --- who to learn from ----------------------------------------------------------------------------


def who_to_learn_from(profile: Profile) -> Parts:
    """For each of the worst metrics, sentences and a table."""
    if not profile.lessons:
        return Parts((Text((f"No trusts to learn from are looked for: {_why_no_ends(profile)}.",)),))
    shown = trust_lessons(profile.lessons)
    parts: list = [Text((_how_alike(profile),))]
    for lesson, table in zip(profile.lessons, shown, strict=True):
        parts += [Text((about_lesson(lesson),)), table]
    return Parts(tuple(parts))


def _how_alike(profile: Profile) -> str:
    return (
        f"For each of its worst metrics: trusts of the same subtype ({given(profile.subtype)}) that do well on it, the most alike on the other items first. They "
        f"score at least {GAP:g} point lower (1 is best), in the better half of the scale, on a published value that is ahead. Alike: a mean difference of scores no larger than "
        "that of the middle trust of the subtype, over the items that both have, at least half of those of this trust. Where counts are at hand, the difference "
        f"must be more than chance in them (5 %, each pair by itself). These rules are our choice. {_how_much_it_says(profile)}"
    )


def _how_much_it_says(profile: Profile) -> str:
    """How good a guide likeness is."""
    if np.isnan(profile.foretold):
        return "The subtype has too few trusts to tell how good a guide likeness is."
    weak = profile.foretold < WEAK
    reading = (
        "a weak guide: others of the subtype that do well may teach as much" if weak else "some guide, though no strong one"
        if profile.foretold < 0.5 else "a fair guide"
    )  # fmt: skip
    return (
        f"In this subtype likeness on the other items is {reading} (its mean correlation with the difference on one item, over all pairs of trusts, is {decimal(profile.foretold)}; "
        "0 = says nothing, 1 = says all)."
    )


def about_lesson(lesson: Lesson) -> str:
    """What can be said of the trusts to learn from on one metric."""
    metric, rows = lesson.metric, lesson.teachers
    opening = f"{metric['name']} ({_score_said(metric)})."
    if lesson.does_well:
        return f"{opening} Though among its worst, it is in the better half of the scale, so nobody to learn from is looked for."
    if not lesson.comparable:
        return (
            f"{opening} No other trust of its subtype can be compared: none has the metric and enough items in common."
        )
    others = counted(lesson.comparable, "other trust", "other trusts")
    chance = (
        f" {counted(lesson.by_chance, 'more scores', 'more score')} as far ahead, but by the counts {BY_CHANCE} from it."
        if lesson.by_chance
        else ""
    )
    if rows.empty:
        return f"{opening} None of the {others} of its subtype that can be compared does well enough to learn from by these rules.{chance}"
    listed = _and([f"{row.trust_name} ({row.trust_code})" for row in lesson.shown.itertuples()])
    well = f"{opening} Of {others} of its subtype that can be compared, {len(rows)} {'does' if len(rows) == 1 else 'do'} well"
    if not lesson.alike:
        who = "it is" if len(rows) == 1 else "the nearest of them is"
        named = (
            f"; {who} {listed}, less alike than the middle trust of the subtype (distance {rows['distance'].iat[0]:.2f} against {lesson.typical:.2f}), so take the "
            "comparison with care."
        )
    elif len(rows) == 1:
        named = f"; it is {listed}."
    else:
        named = f", {lesson.alike} of them alike; {'the most alike: ' if lesson.alike > 1 else 'it is '}{listed}."
    return f"{well}{named} {_evidence(lesson)}{chance}"


def _evidence(lesson: Lesson) -> str:
    rows = lesson.shown
    told = int((rows["evidence"] == TOLD).sum())
    if told == len(rows):
        return f"{'Its value is' if told == 1 else 'Their values are'} better by more than chance in the counts."
    unknown = f"{_missing(lesson.metric)}{' for the others' if told else ''}, so how much of the difference is chance is not known."
    return (
        unknown
        if not told
        else f"{counted(told, 'of their values is', 'of their values are')} better by more than chance in the counts. {unknown}"
    )


def _missing(metric: pd.Series) -> str:
    """What it would take to tell chance from more."""
    if metric["value_id"] and measure(metric["value_id"], metric["unit"]).many == "infections":
        return "The values are counts, and what they are out of (patients or bed days, say) is not at hand"
    return f"No counts behind the {'values' if metric['value_id'] else 'scores'} are at hand"


# --- method ---------------------------------------------------------------------------------------


def about_method(profile: Profile) -> Text:
    """How far the rank depends on choices of method."""
    row, rows = profile.method_range, profile.method
    if row is None or rows.empty:
        return Text((f"No other rules can be applied to {profile.name} in {profile.quarter}.",))
    close = max(1, profile.of // NEAR)
    near = int((rows["gained"].abs() <= close).sum())
    best, worst = (_end(profile, row[f"{which}_rank"]) for which in ("best", "worst"))
    same = row["best_rank"] == row["worst_rank"]
    run = (
        f"Under {counted(len(rows), 'other rule')} its rank stays {row['rank']}."
        if same
        else f"Under {counted(len(rows), 'other rule')} its rank runs from {row['best_rank']} ({best}) to {row['worst_rank']} ({worst}); under "
        f"{'all' if near == len(rows) else near} of them it is within {counted(close, 'place')} of the official {row['rank']}."
    )
    segments = rows["segment"].value_counts()
    other = int(segments.sum() - segments.get(int(profile.standing["segment"]), 0))
    change = (
        f" {counted(other, 'of them puts', 'of them put')} it in another segment."
        if other
        else " None puts it in another segment."
    )
    left = profile.study.method[profile.trust_type].table
    cannot = int((left["status"] == NOT_APPLICABLE).sum())
    said = [run + change]
    if cannot:
        why = _why_no_metrics(profile) if profile.metrics.empty else "the figures at hand do not allow it"
        said.append(
            f"{counted(cannot, 'other rule of the kit', 'other rules of the kit')} cannot be applied here: {why}."
        )
    return Text(
        (
            " ".join(said),
            "The rules are those of the kit's scenarios, one change at a time, all trusts ranked anew. They are choices that someone could have made, not a sample of "
            "them, so the span is no range of probability. Which of them is right is not for figures to say.",
        )
    )


def _end(profile: Profile, rank: int) -> str:
    """The rules under which the trust holds a rank at the end of the span."""
    names = [f"“{name}”" for name in profile.method.loc[profile.method["rank"] == rank, "name"]]
    if profile.standing["rank"] == rank:
        return "by the official rules" + (f" and {counted(len(names), 'other')}" if names else "")
    return _and(
        names if len(names) <= ENDS_NAMED else [*names[: ENDS_NAMED - 1], f"{len(names) - ENDS_NAMED + 1} more"]
    )


def limitations(profile: Profile) -> Text:
    """What the page rests on."""
    rules = "Everything here is made from published figures and from the kit's reading of NHS England's rules; standards and floors were read off the published scores."
    if is_own(profile.study.rebuilt.framework, profile.quarter):
        rules = (
            "Everything here is made from published figures and from rules given in a framework file of the user's own."
        )
    said = [
        f"{rules} The ranges are drawn in the way that comes closest to NHS England's own likely ranges, which is an inference; the likeness of trusts "
        "is the kit's own measure.",
        "Ranges speak of the choice of metrics. Errors of measurement, changes in what is counted, and differences between the people that trusts serve are in none of "
        "the figures.",
        "Periods differ between metrics, and surveys may be a year old or more: see the column of periods.",
    ]
    if profile.domains.empty:
        said.append(
            f"Missing from this page: domains, metrics, best and worst metrics and trusts to learn from, because {_why_no_metrics(profile)}."
        )
    return Text(tuple(said))


def download_tables(profile: Profile) -> dict[str, tuple[str, pd.DataFrame]]:
    """The figures of the page for `nofcore.report.downloads`."""
    metrics = profile.metrics.drop(columns="trust_code").assign(target=profile.metrics["target"].astype(float))
    whole = metrics.astype({name: "Int64" for name in ("rank", "rank_last", "of", "quartile")})
    found = {
        "metrics": ("Every metric of the trust", whole),
        "quarters": ("Rank, average and segment in every quarter", profile.path.drop(columns="trust_code")),
        "rules": ("Rank and segment under other rules", profile.method.rename_axis("scenario").reset_index()),
    }
    return {name: (text, table) for name, (text, table) in found.items() if len(table)}
