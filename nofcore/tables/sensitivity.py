"""Tables of what other rules and other weights do to ranks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nofcore.deficit import Overrides
from nofcore.framework import Framework
from nofcore.sensitivity import APPLIED, TAIL, LeftOut, Outcome, Sensitivity
from nofcore.sobol import Indices
from nofcore.tables.base import Table
from nofcore.weights import Acceptability
from nofcore.wording import capital, decimal, plural

FEW = 3
"""A cell names up to so many trusts or scenarios, and counts the others."""
CHANGES = "Changes are absolute and in places of the league table"
TAILS = f"First and last {TAIL} kept: of the {TAIL} in the official table"


def readable(note: str, quarter: str, framework: Framework) -> str:
    """A note without the quarter, which the page names, and with names in place of identifiers."""
    note = note.removeprefix(f"{quarter}: ").replace(f": {quarter}: ", ": ")
    for entry in (*framework.metric, *framework.combined):
        for identifier in filter(None, (entry.score, getattr(entry, "value", None))):
            note = note.replace(identifier, entry.short)
    return note


def scenario_table(found: Sensitivity, trust_type: str) -> Table:
    """Each scenario that changes something: what it asks, and how far it moves the trusts of a type."""
    rows = found.table(trust_type)
    rows = rows[rows["status"] == APPLIED].sort_values("mean_change", ascending=False, kind="stable")
    names = found.baseline.trusts["trust_name"]
    frame = pd.DataFrame(
        {
            "Scenario": rows["name"],
            "What if ...": rows["question"].str.removeprefix("What if "),
            "Mean change": rows["mean_change"],
            "Largest": rows["max_change"],
            "Of": [_listed([names[code] for code in codes.split(", ") if code]) for codes in rows["max_trusts"]],
            "Kendall's tau": rows["tau"],
            "Change segment": rows["segments_changed"],
            **_tails(rows),
            "The same ranks as": [_listed(text.split("; ")) if text else None for text in rows["same_ranks"]],
        }
    )
    return Table("scenarios", frame, _scenario_caption(found, trust_type, rows), "Scenario", {"Mean change": 2, "Kendall's tau": 2}, sortable=True)  # fmt: skip


def _scenario_caption(found: Sensitivity, trust_type: str, rows: pd.DataFrame) -> str:
    lost = rows["not_ranked"].sum()
    fewer = (
        f" In {int((rows['not_ranked'] > 0).sum())} scenarios some trusts have no rank; they are left out there."
        if lost
        else ""
    )
    tails = f" {TAILS}." if rows["top_kept"].notna().any() else ""
    return (
        f"Scenarios that change something, {plural(trust_type)}, {found.quarter} ({rows['n'].max()} trusts), beside the official table; largest "
        f"first. {CHANGES}. Kendall's tau: 1 for the same order, 0 for unrelated ones. Change segment: trusts in another segment after "
        f"the override.{tails}{fewer}"
    )


def _tails(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """How many of the first and last ten stay; nothing for a type of which that would be half."""
    if not rows["top_kept"].notna().any():
        return {}
    return {f"First {TAIL} kept": rows["top_kept"], f"Last {TAIL} kept": rows["bottom_kept"]}


def _listed(names: list[str]) -> str | None:
    """Up to so many names, then how many more."""
    if not names:
        return None
    more = len(names) - FEW
    return "; ".join(names[:FEW]) + (f"; and {more} more" if more > 0 else "")


def scenarios_without_effect(found: Sensitivity, trust_type: str) -> Table:
    """Scenarios that change nothing or cannot be applied, and why."""
    rows = found.table(trust_type)
    rows = rows[rows["status"] != APPLIED]
    why = [readable(reason, found.quarter, found.baseline.framework) for reason in rows["reason"]]
    frame = pd.DataFrame({"Scenario": rows["name"], "What came of it": rows["status"], "Why": why})
    caption = f"Scenarios that change nothing for {plural(trust_type)}, {found.quarter}, or cannot be applied."
    return Table("scenarios-without-effect", frame, caption, "Scenario")


def scenario_ranges(found: Sensitivity, trust_type: str) -> Table:
    """The best and worst rank of each trust over all scenarios, and where it has them, to sort and search."""
    rows, segments = found.ranges(trust_type), found.segments(trust_type)
    seen = segments.apply(lambda row: ", ".join(map(str, sorted(set(row.dropna())))), axis=1)

    def where(end: str) -> list[str]:
        return [
            name if others == 0 else f"{name} (and {others} more)"
            for name, others in rows[[f"{end}_scenario", f"{end}_others"]].itertuples(index=False)
        ]

    frame = pd.DataFrame(
        {
            "Trust": rows["trust_name"],
            "Rank": rows["rank"],
            "Best": rows["best_rank"],
            "Best under": where("best"),
            "Worst": rows["worst_rank"],
            "Worst under": where("worst"),
            "Places between": rows["places"],
            "Segment": segments["official"],
            "Segments seen": seen,
        }
    )
    caption = (
        f"Best and worst rank over the official rules and {rows['scenarios'].max()} scenarios, {plural(trust_type)}, {found.quarter}. "
        "The range grows with the scenarios that are asked; it is no margin of error."
    )
    return Table("scenario-ranges", frame, caption, "Trust", sortable=True, right=("Segments seen",))


def scenario_ranks(found: Sensitivity, trust_type: str, outcome: Outcome) -> Table:
    """Rank and segment of each trust under the official rules and under one scenario, to sort and search."""
    before = found.baseline.of(trust_type).dropna(subset="rank")
    after = outcome.table.trusts.reindex(before.index)
    rank, other = before["rank"].astype("Int64"), after["rank"].astype("Int64")
    frame = pd.DataFrame(
        {
            "Trust": before["trust_name"],
            "Rank": rank,
            "Rank then": other,
            "Places won": rank - other,
            "Average": before["average_score"],
            "Average then": after["average_score"],
            "Segment": before["segment"].astype("Int64"),
            "Segment then": after["segment"].astype("Int64"),
        }
    )
    caption = (
        f"Official table and scenario ({outcome.scenario.name}), {plural(trust_type)}, {found.quarter}. Averages in points, low is good. "
        "Places won: negative where places are lost. Equal ranks are ties."
    )
    return Table("scenario-ranks", frame, caption, "Trust", {"Average": 2, "Average then": 2}, sortable=True)


# --- leaving out ----------------------------------------------------------------------------------


def left_out(found: LeftOut, trust_type: str, what: str) -> Table:
    """What leaving out each metric, or each domain, does to the ranks of a type. ``what``: "Metric" or "Domain"."""
    rows = found.summary(trust_type)
    rows = rows[rows["n_with"] > 0].sort_values("mean_change", ascending=False, kind="stable")
    domains = {"Domain": rows["domain"]} if what == "Metric" else {}
    lost = {"Lose their rank": rows["not_ranked"]} if rows["not_ranked"].any() else {}
    frame = pd.DataFrame(
        {
            what: rows["name"],
            **domains,
            "Trusts with it": rows["n_with"],
            "Mean change": rows["mean_change"],
            "Largest": rows["max_change"],
            "Kendall's tau": rows["tau"],
            "Change segment": rows["segments_changed"],
            **_tails(rows),
            **lost,
        }
    )
    tails = f" {TAILS}." if rows["top_kept"].notna().any() else ""
    caption = (
        f"Without one {what.lower()} at a time, {plural(trust_type)}, {found.quarter}, averages, cut-offs and ranks made anew. {CHANGES}, "
        f"over all trusts of the type.{tails}"
    )
    decimals = {"Mean change": 2, "Kendall's tau": 2}
    return Table(f"left-out-{what.lower()}", frame, caption, what, decimals, sortable=what == "Metric")


def ranks_left_out(metrics: LeftOut, domains: LeftOut, trust_type: str) -> Table:
    """The rank of each trust without each domain, and the metrics without which it ranks best and worst."""
    own, by_domain = metrics.table(trust_type), domains.table(trust_type)
    keys = [key for key in metrics.names if metrics.has.loc[own.index, key].any()]
    ranks = own[keys].astype(float)
    best, worst = (_end(ranks, own["rank"], metrics.names, pick) for pick in ("min", "max"))
    shown = domains.summary(trust_type)
    frame = pd.DataFrame(
        {
            "Trust": own["trust_name"],
            "Rank": own["rank"],
            **{f"Without {domains.names[key].lower()}": by_domain[key] for key in shown.index[shown["n_with"] > 0]},
            "Best without a metric": best[0],
            "Best without": best[1],
            "Worst without a metric": worst[0],
            "Worst without": worst[1],
        }
    )
    caption = (
        f"Ranks without one domain, and the best and worst rank without one metric, {plural(trust_type)}, {metrics.quarter}. Of equal "
        "ones the first; – where no metric left out gives another rank in that direction."
    )
    return Table("ranks-left-out", frame, caption, "Trust", sortable=True)


def _end(ranks: pd.DataFrame, official: pd.Series, names, pick: str) -> tuple[pd.Series, pd.Series]:
    """The best ("min") or worst ("max") rank of each trust, and what is left out for it; missing where it is the official one."""
    reached = getattr(ranks, pick)(axis=1).astype("Int64")
    where = getattr(ranks, f"idx{pick}")(axis=1).map(names)
    other = (reached < official) if pick == "min" else (reached > official)
    return reached.mask(~other.fillna(False)), where.where(other.fillna(False).astype(bool))


# --- weights --------------------------------------------------------------------------------------


def acceptability(found: Acceptability, trust_type: str) -> Table:
    """Shares of weightings in which each trust is where, to sort and search."""
    rows = found.table(trust_type)
    segments = [name for name in rows if name.startswith("p_segment_") and not name.endswith("error")]
    tails = {f"First {TAIL} (%)": "p_top_10", f"Last {TAIL} (%)": "p_bottom_10"} if len(rows) > 2 * TAIL else {}
    shown = {f"Segment {number} (%)": name for number, name in enumerate(segments, start=1)}
    shown |= {"First (%)": "p_first"} | tails
    frame = pd.DataFrame(
        {
            "Trust": rows["trust_name"],
            "Rank": rows["rank"].astype("Int64"),
            "Segment": rows["segment"].astype("Int64"),
            **{label: rows[name] * 100 for label, name in shown.items()},
            "Largest error": rows[[f"{name}_error" for name in shown.values()]].max(axis=1) * 100,
            "Rank, 95 % of weightings": [
                None if np.isnan(low) else f"{low:.0f} to {high:.0f}"
                for low, high in rows[["rank_low", "rank_high"]].itertuples(index=False)
            ],
            "Best drawn": rows["best_rank"].astype("Int64"),
        }
    )
    caption = (
        f"Where each trust stands under {found.draws:,} random weightings, {plural(trust_type)}, {found.quarter}: shares of weightings, in per cent. "
        "Largest error: Monte Carlo standard error of the least sure of the shares, in percentage points; twice it is about what another seed may "
        "change. Segments after the override."
    )
    decimals = dict.fromkeys(shown, 1) | {"Largest error": 1}
    return Table("acceptability", frame, caption, "Trust", decimals, sortable=True, right=("Rank, 95 % of weightings",))


def favourable_weights(found: Acceptability, trust_code: str) -> Table:
    """The weights among those drawn that favour one trust most, beside the official ones and its scores."""
    trust = found.trusts.loc[trust_code]
    row = found.favourable(trust["trust_type"]).loc[trust_code, list(found.items)].astype(float)
    scores = pd.Series(found.values[found.trusts.index.get_loc(trust_code)], list(found.items))
    has = scores.notna()
    official = pd.Series(found.official, list(found.items))[has]
    best = found.favourable(trust["trust_type"]).at[trust_code, "best_rank"]
    frame = pd.DataFrame(
        {
            "Item": [found.items[key] for key in official.index],
            "Its score": scores[has],
            "Official weight (%)": official / official.sum() * 100,
            "Weight that favours it (%)": row[has] * 100,
        }
    ).sort_values("Weight that favours it (%)", ascending=False, kind="stable")
    caption = (
        f"{trust['trust_name']}, {found.quarter}: the weighting among {found.draws:,} drawn under which it ranks best, {best} instead of "
        f"{trust['rank']:.0f}. Scores from 1, the best, to 4."
    )
    decimals = {"Its score": 2, "Official weight (%)": 1, "Weight that favours it (%)": 1}
    return Table("favourable-weights", frame, caption, "Item", decimals)


# --- Sobol indices --------------------------------------------------------------------------------


def sobol_table(found: Indices, what: str) -> Table:
    """First-order and total indices of each factor for the mean absolute rank change, with their intervals."""
    rows = found.table()
    exact = found.whole is not None

    def with_range(name: str) -> list[str]:
        columns = [name, f"{name}_low", f"{name}_high"]
        return [
            "not defined" if np.isnan(value) else f"{decimal(value)} ({decimal(low)} to {decimal(high)})"
            for value, low, high in rows[columns].itertuples(index=False)
        ]

    if exact:
        figures = {"Alone": rows["exact_first_order"], "With the others": rows["exact_total_order"]}
        labels = ("Alone, by a sample", "With the others, by a sample")
        how = (
            "The figures come from every combination and have no sampling error; those by a sample, with 95 % intervals, show what "
            f"{found.n:,} base draws give."
        )
    else:
        figures, labels = {}, ("Alone", "With the others")
        how = f"From {found.n:,} base draws; in brackets 95 % bootstrap intervals. An index whose interval holds 0 cannot be told from 0."
    frame = pd.DataFrame(
        {
            what: rows["name"],
            **({"Rules crossed": ["; ".join(found.levels[key]) for key in rows.index]} if found.levels else {}),
            **figures,
            labels[0]: with_range("first_order"),
            labels[1]: with_range("total_order"),
        }
    )
    caption = (
        f"Shares of the variance of the mean absolute rank change, {plural(found.trust_type)}, {found.quarter}: alone (first-order index) and "
        f"together with the others (total index). {how}"
    )
    name = f"sobol-{'methods' if exact else 'weights'}"
    return Table(name, frame, caption, what, dict.fromkeys(figures, 2), right=labels)


def sobol_by_trust(found: Indices) -> Table:
    """Total index of each choice for the rank of each trust, to sort and search."""
    rows = found.trust_table("total")
    frame = pd.DataFrame(
        {
            "Trust": rows["trust_name"],
            "Rank": rows["rank"],
            "Best": rows["best_rank"],
            "Worst": rows["worst_rank"],
            **{name: rows[key] for key, name in found.factors.items()},
        }
    )
    caption = (
        f"Total indices for each trust's own rank, {plural(found.trust_type)}, {found.quarter}: the share of the variance of its rank, over all "
        f"{len(found.draws):,} combinations, that a choice takes part in; with interactions they may add to more than 1. Best and worst: rank over "
        "all combinations. –: its rank never changes."
    )
    return Table("sobol-by-trust", frame, caption, "Trust", dict.fromkeys(found.factors.values(), 2), sortable=True)


# --- the override ---------------------------------------------------------------------------------


def override_rules(found: Overrides, trust_type: str) -> Table:
    """What each override rule does, beside none at all."""
    rows = found.summary(trust_type)
    unknown = {"Flag not known": rows["flags_not_known"]} if rows["flags_not_known"].fillna(0).any() else {}
    why = {"If not, why": rows["reason"].where(rows["reason"] != "")} if (rows["reason"] != "").any() else {}
    frame = pd.DataFrame(
        {
            "Rule": rows["name"],
            "Flagged": rows["flagged"],
            **unknown,
            "Placed lower": rows["moved"],
            "Lose places": rows["moved_ranks"],
            "Places they lose": rows["places_lost"],
            "Most": rows["most_lost"],
            "Others that gain": rows["gaining"],
            "Mean gain": rows["mean_gain"],
            "Most gained": rows["most_gained"],
            **why,
        }
    )
    caption = (
        f"Override rules beside none at all, {plural(trust_type)}, {found.quarter}. Placed lower: trusts whose segment the rule changes; lose places: those "
        "of them whose rank it worsens. Mean gain: of the trusts that gain, in places."
    )
    return Table("override-rules", frame, caption, "Rule", {"Mean gain": 1})


def override_trusts(found: Overrides, trust_type: str) -> Table:
    """Each trust whose segment or rank the official override changes, with its rank without it, to sort and search."""
    rows = found.table(trust_type)
    rows = rows[rows["moved"] | (rows["places_lost"] != 0)].sort_values("places_lost", ascending=False, kind="stable")
    frame = pd.DataFrame(
        {
            "Trust": rows["trust_name"],
            "Average": rows["average_score"],
            "Flagged": rows["flagged"].map({True: "yes", False: "no"}).fillna("not known"),
            "Segment by the average": rows["unadjusted_segment"],
            "Segment": rows["segment"],
            "Rank": rows["rank"],
            "Rank without": rows["rank_without"],
            "Places lost": rows["places_lost"],
        }
    )
    caption = (
        f"{capital(plural(trust_type))} whose segment or rank the official override changes, {found.quarter}, those that lose most "
        "first. Rank without: no trust is capped. Places lost: negative where places are gained."
    )
    return Table("override-trusts", frame, caption, "Trust", {"Average": 2}, sortable=True)


def override_flags(found: Overrides, rule: str, trust_type: str) -> Table:
    """Trusts of a type that a derived flag treats otherwise than NHS England's."""
    rows = found.flags(rule)
    rows = rows[rows["trust_type"] == trust_type]
    said = {True: "flagged", False: "not flagged"}
    frame = pd.DataFrame(
        {"Trust": rows["trust_name"], "NHS England": rows["published"].map(said), "Derived": rows["derived"].map(said)}
    )
    caption = f"{capital(plural(trust_type))} whose derived flag is not the published one, {found.quarter}."
    return Table("override-flags", frame, caption, "Trust")
