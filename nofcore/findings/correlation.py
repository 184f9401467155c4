"""Sentences on how metrics go together and what drives the average, made from the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
import pandas as pd

from nofcore import characteristics, charts, claims, consistency, correlation, drivers, peers, release, tables
from nofcore.claims import QUARTILES, CrossTable, Tested
from nofcore.correlation import SMALL, Correlations
from nofcore.drivers import Clusters, Drivers
from nofcore.errors import InputError
from nofcore.framework import Framework
from nofcore.league import LeagueTable
from nofcore.wording import Bullets, Text, counted, decimal, plural, sentence

SURE = 0.05
"""An adjusted p of at most this is called beyond chance."""
METHODS = {
    "spearman": "Spearman's rank correlation",
    "kendall": "Kendall's tau",
    "pearson": "Pearson's correlation",
}
LITTLE = 0.25
"""Below this shared variance one figure is said to tell little of another."""


def headline(found: Correlations, driven: Drivers | Text, tested: Sequence[Tested]) -> str:
    """The findings of the page in one paragraph."""
    known = found.pairs.dropna(subset="coefficient")
    if known.empty:
        return f"No two metrics of {plural(found.trust_type)} in {found.quarter} can be set against each other."
    few = (
        [f"With {counted(int(known['n'].max()), 'trust')} single coefficients mean little."]
        if known["n"].max() < SMALL
        else []
    )
    said = [_counts(found), *few, *(_claim_in_short(one) for one in tested), *_drivers_in_short(driven)]
    return " ".join(filter(None, said))


def _counts(found: Correlations) -> str:
    known = found.pairs.dropna(subset="coefficient")
    beyond = known[known["p_adjusted"] <= SURE]["coefficient"]
    up, down = int((beyond > 0).sum()), int((beyond < 0).sum())
    low, high = np.percentile(known["coefficient"], [25, 75])
    return (
        f"Of {counted(len(known), 'pair')} of metrics of {plural(found.trust_type)} in {found.quarter}, {_none_or(up)} "
        f"{'goes' if up == 1 else 'go'} together (good with good) and {_none_or(down)} "
        f"{'pulls' if down == 1 else 'pull'} against each other more than chance would make them; half of all "
        f"coefficients lie between {decimal(low)} and {decimal(high)}."
    )


def _none_or(count: int) -> str:
    return "none" if count == 0 else f"{count:,}"


def _claim_in_short(tested: Tested) -> str:
    rows = tested.correlations.pairs.dropna(subset="coefficient")
    if rows.empty:
        return ""
    listed = _listed([decimal(value) for value in rows["coefficient"]])
    names = _listed([in_text(name) for name in tested.correlations.aligned.metrics["short"]])
    says = _how_close(rows)
    beyond = int((rows["p_adjusted"] <= SURE).sum())
    return (
        f"A trust's place on one of {names} {says} its place on another: correlations of {listed}, {_none_or(beyond)} "
        "of them beyond chance."
    )


def _how_close(rows: pd.DataFrame) -> str:
    """In words: all coefficients of half or more and beyond chance, on one side; none of half; or some."""
    strong = (rows["coefficient"] ** 2 >= LITTLE) & (rows["p_adjusted"] <= SURE)
    if strong.all() and (rows["coefficient"] > 0).all():
        return "goes with"
    if strong.all() and (rows["coefficient"] < 0).all():
        return "pulls against"
    return "goes with or against, for some of them only," if strong.any() else "says little about"


def _drivers_in_short(driven: Drivers | Text) -> list[str]:
    if isinstance(driven, Text):
        return []
    most = driven.items.sort_values("influence", ascending=False, kind="stable").head(2)
    names = _listed([in_text(name) for name in most["name"]])
    said = [
        f"{names[:1].upper()}{names[1:]} have {_share(most['weight'].sum())} of the weight in the average and "
        f"{_share(most['influence'].sum())} of the influence on it."
    ]
    if driven.structure is not None:
        made = driven.structure
        said.append(
            f"By their correlations {len(made.items)} items count as {made.effective:.1f} unrelated ones (by chance "
            f"alone it would be {made.effective_random:.1f})."
        )
    return said


def _share(value: float, decimals: int = 0) -> str:
    """A share in %, without a minus before a zero; number and sign stay on one line."""
    return f"{round(value * 100, decimals) + 0.0:.{decimals}f}\N{NO-BREAK SPACE}%"


def facts(found: Correlations, driven: Drivers | Text) -> dict[str, str]:
    """The figures behind the headline, for the index."""
    known = found.pairs.dropna(subset="coefficient")
    figures = {
        "Pairs of metrics": str(len(known)),
        "Beyond chance": str(int((known["p_adjusted"] <= SURE).sum())),
        "Middle coefficient": decimal(known["coefficient"].median()) if len(known) else "none",
    }
    if isinstance(driven, Drivers) and driven.structure is not None:
        figures["Cronbach's alpha"] = decimal(driven.structure.alpha)
    return figures | {"Draws": f"{found.draws:,}", "Seed": str(found.seed)}


def in_text(name: str) -> str:
    """A short name inside a sentence: "Four-hour A&E" -> "four-hour A&E", "MRSA" and "E. coli" as they are."""
    first = name.split()[0]
    return name if not first[1:2].islower() else name[0].lower() + name[1:]


def _listed(words: Sequence[str], last: str = "and") -> str:
    words = list(words)
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else "none"


def _small(trusts: int, trust_type: str) -> list[str]:
    """A warning where few trusts stand behind everything."""
    if trusts >= SMALL:
        return []
    return [
        f"Only {trusts} {plural(trust_type)}: one or two trusts can make or unmake any of these figures, and intervals "
        "are too narrow. Take the largest as hints, the rest as unknown."
    ]


def how_not_to_read(found: Correlations) -> Bullets:
    """What a correlation does not say."""
    most = int(found.aligned.metrics["n"].max()) if len(found.aligned.metrics) else 0
    points = [
        (
            "A correlation is not a cause.",
            "Trusts differ in their patients, size and region, and these may move two metrics at once.",
        ),
        (
            "No correlation does not make a metric wrong.",
            "Metrics that measure different things should not be expected to agree. But the less they agree, the less "
            "an average of them says about any one of them.",
        ),
        (
            "An interval is not an error of measurement.",
            "It shows how far a coefficient depends on which trusts were counted. Chance in each metric's own figures "
            "comes on top, and draws coefficients towards 0.",
        ),
    ]
    if most >= SMALL:
        text = (
            f"With {most} trusts a coefficient may be beyond chance and still leave most of the order of trusts open. "
            "Read the coefficient first."
        )
        points.append(("Beyond chance is not large.", text))
    elif most:
        text = f"With {most} trusts only the strongest relations can stand out."
        points.append(("What is not beyond chance need not be small.", text))
    return Bullets(tuple(points))


def about_pairs(found: Correlations) -> Text:
    """How the coefficients are made, and what they show."""
    known = found.table().dropna(subset="coefficient")
    if known.empty:
        return Text(
            (
                f"No two metrics of {plural(found.trust_type)} have enough trusts in common and differ between them.",
                *_said(found.aligned.notes),
            )
        )
    up = known.sort_values("coefficient", ascending=False).head(3)
    down = known.sort_values("coefficient").head(3)
    none = (
        " Adjusted for the number of pairs, none of the latter can be told apart from no relation."
        if (down["p_adjusted"] > SURE).all()
        else ""
    )
    one = "the same straight line for all" if found.method == "pearson" else "the same order of trusts on both"
    return Text(
        (
            *_small(int(known["n"].max()), found.trust_type),
            f"{METHODS[found.method]} between "
            f"{'published values' if found.aligned.on == 'values' else 'metric scores'}, each over the trusts that "
            f"have both. Figures are turned so that above 0 means good with good: 1 is {one}, 0 no tendency to rise or fall "
            f"together, -1 the opposite.{_order_of_equals(found)}",
            f"The pairs most alike (in brackets the 95 % interval): {_pairs_said(up)}. The pairs most opposed: "
            f"{_pairs_said(down)}.{none} These are picked as the extremes of {len(known)}, so they are likely nearer to 0 than "
            "shown, and each interval is for one pair by itself.",
            _beyond_chance(known),
        )
    )


def _beyond_chance(known: pd.DataFrame) -> str:
    beyond = known["p_adjusted"] <= SURE
    if not beyond.any():
        return (
            f"None of {counted(len(known), 'coefficient')} is beyond chance (p adjusted for their number by Benjamini "
            f"and Hochberg, at most {SURE:.2f}). That does not show that metrics are unrelated: among so many pairs "
            "only strong relations stand out."
        )
    border = _near_the_border(known)
    return (
        f"{int(beyond.sum())} of {counted(len(known), 'coefficient')} {'is' if beyond.sum() == 1 else 'are'} beyond "
        f"chance: p-values are adjusted for their number (Benjamini and Hochberg), so that about {_share(SURE)} of "
        "such finds at most are expected to be false (exact for independent tests, which these are not). The others cannot be told apart from no relation, which is not the same "
        f"as having none.{border}"
    )


def _near_the_border(known: pd.DataFrame) -> str:
    """How many pairs another seed may move across the border of chance."""
    step = known["p_error"] * known["p_adjusted"] / known["p"]
    count = int(((known["p_adjusted"] - SURE).abs() < step).sum())
    return (
        f" {count} {'lies' if count == 1 else 'lie'} so near the border that another seed may move "
        f"{'it' if count == 1 else 'them'} across."
        if count
        else ""
    )


def _order_of_equals(found: Correlations) -> str:
    if found.aligned.on == "scores" or found.method == "pearson":
        return ""
    return " Values that are equal at the 2 decimals shown are ordered by their published rank."


def _pairs_said(rows: pd.DataFrame) -> str:
    said = []
    for row in rows.itertuples():
        interval = "no interval" if np.isnan(row.low) else f"{decimal(row.low)} to {decimal(row.high)}"
        said.append(
            f"{in_text(row.name_a)} with {in_text(row.name_b)} {decimal(row.coefficient)} ({interval}, {row.n} trusts)"
        )
    return "; ".join(said)


def _said(notes: Sequence[str]) -> list[str]:
    return [sentence(note) for note in notes]


def clusters(found: Correlations) -> Clusters:
    """Clusters of the metrics of a page."""
    return drivers.clusters(found.matrix())


def about_clusters(found: Correlations, groups: Clusters) -> Text:
    """Which metrics say the same thing."""
    if len(groups.order) < 2:
        return Text(())
    short = found.aligned.metrics["short"]
    made = [list(rows.index) for _, rows in groups.groups.groupby(groups.groups) if len(rows) > 1]
    at_least = f"an average coefficient of at least {drivers.TOGETHER:g}"
    if made:
        alone = len(groups.order) - sum(map(len, made))
        said = (
            f"Metrics that say much the same thing, joined while they have {at_least} (framed): "
            f"{'; '.join(_listed([in_text(short[name]) for name in names]) for names in made)}. The other {alone} "
            "stand alone."
        )
        if found.aligned.metrics["n"].max() < SMALL:
            said += " With so few trusts some of these may be chance."
    else:
        said = f"No metrics say the same thing: none can be joined with {at_least}."
    paragraphs = [
        "Blue is good with good, orange good with bad; coefficients beyond chance are bold; grey means that a pair "
        "has no coefficient. Metrics stand in the order of average-linkage clusters on the distance 1 - r.",
        said,
    ]
    matrix = found.matrix()
    unplaced = [in_text(short[name]) for name in groups.left_out if matrix[name].notna().sum() > 1]
    absent = [in_text(short[name]) for name in groups.left_out if matrix[name].notna().sum() <= 1]
    if unplaced:
        paragraphs.append(
            f"Without a coefficient for some pair, so not in the clusters and put last: {_listed(unplaced)}."
        )
    if absent:
        paragraphs.append(f"Not in the chart, for want of a coefficient with any other: {_listed(absent)}.")
    return Text(tuple(paragraphs))


# --- the published claim --------------------------------------------------------------------------


def about_claim(tested: Sequence[Tested], trust_type: str) -> Text:
    """What has been claimed, and what the correlations say of it."""
    if not tested:
        return Text(("The rules in use name no published claim.",))
    return Text(tuple(line for one in tested for line in _about_one_claim(one, trust_type)))


def _about_one_claim(tested: Tested, trust_type: str) -> list[str]:
    said = [f"{tested.claim.who}, in our words: {tested.claim.text}"]
    if tested.left_out:
        said.append(f"The rules in use leave out {_listed(tested.left_out)}.")
    rows = tested.correlations.table()
    known = rows.dropna(subset="coefficient")
    if known.empty:
        about = tested.correlations.aligned.metrics
        absent = [in_text(name) for name in about.loc[about["n"] == 0, "short"]]
        why = (
            [f"none of them has figures of {_listed(absent, 'or')} in {tested.correlations.quarter}"] if absent else []
        )
        why += list(dict.fromkeys(rows["reason"])) if not absent else []
        return [*said, f"This cannot be put to the test for {plural(trust_type)}: {'; '.join(why)}."]
    said.append(f"The figures, with 95 % intervals: {_pairs_said(known)}.")
    said.append(" ".join(_verdict(known, tested.correlations.method)))
    if len(known) < len(rows):
        said.append(
            " ".join(
                f"{row.name_a} with {row.name_b}: {row.reason}."
                for row in rows[rows["coefficient"].isna()].itertuples()
            )
        )
    return said


def _verdict(known: pd.DataFrame, method: str) -> list[str]:
    beyond = known[known["p_adjusted"] <= SURE]
    rest = known.drop(index=beyond.index)
    said = []
    if len(beyond):
        said.append(f"Beyond chance: {_named(beyond)}.")
    if len(rest):
        said.append(f"Not to be told apart from no relation: {_named(rest)}.")
    shared = known["coefficient"] ** 2
    if method == "spearman":
        low, high = _share(shared.min()), _share(shared.max())
        little = ", so one rank says little about the other" if shared.max() < LITTLE else ""
        start = "Even so, the" if len(beyond) and little else "The"
        said.append(
            f"{start} ranks on two of these metrics share {low if low == high else f'{low} to {high}'} of their "
            f"variance{little}."
        )
    return said


def _named(rows: pd.DataFrame) -> str:
    return "; ".join(
        f"{in_text(row.name_a)} with {in_text(row.name_b)} (adjusted p {_p(row.p_adjusted)})"
        for row in rows.itertuples()
    )


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "below 0.001"


def claim_tables(tested: Sequence[Tested]) -> tables.Tables:
    """The pairs of each claim."""
    return tables.Tables(
        tuple(
            tables.pair_table(one.correlations, f"claim-{number}", "The pairs of the claim")
            for number, one in enumerate(tested, start=1)
            if one.tables
        )
    )


@dataclass(frozen=True)
class Shown:
    """Pairs of metrics that a page shows as two rankings; ``why``: how they were chosen."""

    tables: tuple[CrossTable, ...]
    coefficients: pd.Series
    claimed: bool
    why: Text


def two_rankings(found: Correlations, tested: Sequence[Tested]) -> Shown:
    """The pairs of the claims; where the trusts have none of them, the two pairs that agree most and least."""
    claimed = tuple(table for one in tested for table in one.tables)
    if claimed:
        coefficients = pd.concat([one.correlations.pairs["coefficient"] for one in tested])
        return Shown(claimed, coefficients[~coefficients.index.duplicated()], True, Text(()))
    known = found.pairs["coefficient"].dropna().sort_values()
    ends = list(dict.fromkeys([*known.index[-1:], *known.index[:1]]))
    made = claims.cross_tables(found.aligned, ends, found.draws, found.seed)
    why = Text(
        (
            "In their place the two pairs of metrics that are most alike and most opposed. They were picked for being "
            "extreme, and any set of coefficients has extremes; so no test is given for them.",
        )
        if made
        else ()
    )
    return Shown(made, known, False, why)


def scatters(shown: Shown, trust_type: str, trust: str | None = None) -> charts.Charts:
    """Rank against rank, with the trusts furthest apart named. ``trust``: code of one to mark."""
    return charts.rank_scatters(shown.tables, trust_type, shown.coefficients, trust)


def far_apart(shown: Shown, figures: release.Release, trust_type: str) -> tables.Table:
    """The names of the trusts that the charts name by code."""
    return tables.far_apart(shown.tables, figures.trusts["trust_name"], trust_type, figures.quarter)


def about_quartiles(shown: Shown) -> Text:
    """Where the best on one metric are on the other."""
    large = [one for one in shown.tables if one.n >= SMALL]
    if shown.tables and not large:
        return Text((f"No quartiles: with fewer than {SMALL} trusts there is next to nobody in each.",))
    said = [_one_quartile(one, shown.claimed) for one in large]
    if shown.claimed and large:
        said.append(
            "These p-values are not adjusted for each other. A table of quartiles is a blunter test than a "
            "coefficient, which uses every rank. Equal ranks fall into the same, better quartile."
        )
    return Text(tuple(said))


def _one_quartile(one: CrossTable, tests: bool) -> str:
    row, expected = one.counts[0], one.expected[0]
    first, *rest = [
        f"{count} {'is' if count == 1 else 'are'} in the {name}" for count, name in zip(row, QUARTILES, strict=True)
    ]
    spread = _listed([f"{first} quartile", *(part.replace(" are", "").replace(" is", "") for part in rest)])
    text = (
        f"Of the {row.sum()} trusts in the best quartile on {in_text(one.name_a)}, {spread} on {in_text(one.name_b)}; "
        f"with no relation about {expected.mean():.1f} would be in each."
    )
    if not tests:
        return text
    told = "differs from what no relation would give" if one.p <= SURE else "cannot be told apart from no relation"
    return (
        f"{text} Best on both: {row[0]} where {expected[0]:.1f} are expected (as many or more by chance: p = "
        f"{_p(one.p_best)}, exact). The whole table of quartiles {told} (p = {_p(one.p)}, by permutation)."
    )


def quartile_tables(shown: Shown, trust_type: str, quarter: str) -> tables.Tables:
    """Trusts by their quartiles in two rankings."""
    large = [one for one in shown.tables if one.n >= SMALL]
    return tables.Tables(
        tuple(tables.cross_table(one, number, trust_type, quarter) for number, one in enumerate(large, start=1))
    )


@dataclass(frozen=True)
class WithinSubtypes:
    """The pairs of each claim within subtypes; ``rows``: of `nofcore.claims.by_subtype`, claim by claim."""

    tested: tuple[Tested, ...]
    rows: tuple[pd.DataFrame, ...]


def claims_within(tested: Sequence[Tested], figures: release.Release) -> WithinSubtypes:
    """The claims within subtypes: like with like."""
    return WithinSubtypes(tuple(tested), tuple(claims.by_subtype(one, figures) for one in tested))


def about_claims_within(found: WithinSubtypes) -> Text:
    """Whether differences between subtypes hide or make the relations of a claim."""
    said = []
    for one, rows in zip(found.tested, found.rows, strict=True):
        short, raw = one.correlations.aligned.metrics["short"], one.correlations.pairs["coefficient"]
        pooled = rows[rows["subtype"] == claims.LIKE_WITH_LIKE].dropna(subset="coefficient")
        pairs = [
            f"{in_text(short[row.metric_a])} with {in_text(short[row.metric_b])} {decimal(row.coefficient)} "
            f"({decimal(raw[(row.metric_a, row.metric_b)])} before)"
            for row in pooled.itertuples()
        ]
        if pairs:
            said.append(
                f"Like with like, that is with the means of subtypes taken out: {'; '.join(pairs)}. Single subtypes "
                "hold few trusts, as the table shows."
            )
    return Text(tuple(said))


def tables_within(found: WithinSubtypes) -> tables.Tables:
    """The pairs of each claim within subtypes, and with the subtypes' means taken out."""
    return tables.Tables(
        tuple(
            tables.claim_by_subtype(rows, one.correlations.aligned.metrics["short"], one.correlations)
            for one, rows in zip(found.tested, found.rows, strict=True)
            if len(rows)
        )
    )


# --- what drives the average ----------------------------------------------------------------------


def driven(rebuilt: LeagueTable, trust_type: str, method: str, draws: int, seed: int) -> Drivers | Text:
    """What drives the average; the reason why not, where that cannot be said."""
    try:
        return drivers.drivers(rebuilt, trust_type, method, draws, seed)
    except InputError as error:
        return Text((sentence(f"not available, because {error}"),))


def about_drivers(found: Drivers | Text) -> Text:
    """Which items move the average more and less than their weight."""
    if isinstance(found, Text):
        return found
    unrelated = found.items[found.items["rest_p_adjusted"] > SURE]
    return Text(
        (
            *_small(found.trusts, found.trust_type),
            "The rules give every item the same weight, but an item moves the average only as far as trusts differ on "
            "it and as other items move with it. Influence is each item's share of the variance of the average; the "
            "shares add to 100 %. It is arithmetic, not a judgement of what matters.",
            _against_weight(found),
            "Set against the average of a trust's other items, "
            f"{_listed([in_text(name) for name in unrelated['name']])} cannot be told apart from no relation."
            if len(unrelated)
            else "Every item that can be judged goes with the average of a trust's other items, beyond chance.",
        )
    )


def _against_weight(found: Drivers) -> str:
    """Items whose influence differs from their weight, and what the choice of metrics does."""
    rows = found.items[found.items["n"] >= drivers.SHARE * found.trusts]
    more, less = rows[rows["influence_low"] > rows["weight"]], rows[rows["influence_high"] < rows["weight"]]
    against = rows[rows["influence_high"] < 0]
    if rows["influence_low"].isna().all():
        said = ["Which items have more or less influence than weight cannot be said from so few draws."]
    else:
        said = [
            f"More influence than weight: {_items_said(more)}. Less: {_items_said(less)}. (Of the items that at least "
            "half of the trusts have, those whose 95 % interval does not hold their weight; not adjusted for their "
            "number.)"
        ]
    if len(against):
        said.append(f"Working against the average: {_listed([in_text(name) for name in against['name']])}.")
    said.append(
        "Which metrics a trust has at all, with better or worse mean scores, accounts for "
        f"{_share(found.mix['influence'], 1)}{_shares_interval(found.mix)}."
    )
    return " ".join(said)


def _shares_interval(mix: pd.Series) -> str:
    low, high = mix["influence_low"], mix["influence_high"]
    return "" if np.isnan(low) else f" ({_share(low, 1)} to {_share(high, 1)})"


def _interval(low: float, high: float) -> str:
    return "no interval" if np.isnan(low) else f"95 % interval {decimal(low)} to {decimal(high)}"


def _items_said(rows: pd.DataFrame) -> str:
    rows = rows.sort_values("influence", ascending=False, kind="stable")
    said = [
        f"{in_text(row.name)} ({_share(row.influence)} against {_share(row.weight)})"
        for row in rows.itertuples(index=False)
    ]
    return _listed(said)


def influence_chart(found: Drivers | Text) -> charts.Chart | Text:
    return Text(()) if isinstance(found, Text) else charts.influence_bars(found)


def driver_table(found: Drivers | Text, framework: Framework) -> tables.Table | Text:
    return Text(()) if isinstance(found, Text) else tables.driver_table(found, _domain_names(framework))


def _domain_names(framework: Framework) -> dict[str, str]:
    return {domain.key: domain.name for domain in framework.domain}


def about_structure(found: Drivers | Text) -> Text:
    """Whether the items measure one thing, and whether domains hang together."""
    if isinstance(found, Text):
        return Text(())
    made = found.structure
    if made is None:
        return Text((sentence(found.reason),))
    first = made.components.iloc[0]
    counting = made.components[made.components["counts"]]
    above, barely = len(counting), int((counting["eigenvalue"] < 1.1 * counting["random"]).sum())
    just = f" ({barely} of them by less than a tenth)" if barely else ""
    return Text(
        (
            *_small(found.trusts, found.trust_type),
            f"Cronbach's alpha is {decimal(made.alpha)} ({_interval(made.alpha_low, made.alpha_high)}) over the "
            f"{len(made.items)} items that at least half of the trusts have. By the usual rules of thumb (0.7 to call "
            f"items one scale, 0.9 to judge single cases by it) {_alpha_said(made)}. An index of different things need "
            "not have a high alpha; but then its average is a sum of separate things, not a measure of one.",
            f"{above} of {len(made.components)} principal components {'stands' if above == 1 else 'stand'} above "
            f"random tables{just}; the first holds {_share(first['share'])} of the variance of the items. Counted by "
            f"their correlations, {len(made.items)} items amount to {made.effective:.1f} unrelated ones; items with "
            f"nothing in common would show {made.effective_random:.1f} ({made.effective_low:.1f} or more in "
            f"{drivers.ABOVE} % of random tables), as chance correlations lower the number.",
            _domains_said(made),
            *_left_out(found),
        )
    )


def _alpha_said(made: drivers.Structure) -> str:
    """Where the interval of alpha lies against the rules of thumb."""
    low, high = made.alpha_low, made.alpha_high
    if np.isnan(low):
        return "nothing can be said without an interval"
    if high < 0.7:
        return "the items do not form one scale"
    scale = "the items form one scale" if low >= 0.7 else "it is open whether the items form one scale"
    if low >= 0.9:
        return f"{scale}, fit to judge single trusts by"
    single = (
        "they are far from one to judge single trusts by"
        if high < 0.9
        else "open too whether single trusts can be judged by it"
    )
    return (
        f"{scale}, and {single}"
        if low < 0.7 or high < 0.9
        else f"{scale}; whether one to judge single trusts by is open"
    )


def _domains_said(made: drivers.Structure) -> str:
    if np.isnan(made.p):
        return "Domains cannot be compared, because no two items are of one domain, or all are."
    more = made.within > made.across
    told = (
        f"items of one domain go together {'more' if more else 'less'} than"
        if made.p <= SURE
        else "whether domains hang together is open: they cannot be told apart from"
    )
    return (
        f"Items of one domain correlate {decimal(made.within)} on average ({counted(made.pairs_within, 'pair')}), items of "
        f"different domains {decimal(made.across)} ({counted(made.pairs_across, 'pair')}). With domain labels shuffled, the "
        f"difference is as far from none in {_share(made.p)} of the draws: {told} groups of items put together by lot. Two "
        "items that say nearly the same thing weigh heavily in this, whether they stand in one domain or in two."
    )


def _left_out(found: Drivers) -> list[str]:
    """The items that are not in the structure: those that few trusts have with their numbers, others with the
    reason."""
    short = {item: in_text(found.items.at[item, "name"]) for item in found.structure.left_out}
    few = [item for item in short if found.items.at[item, "n"] < drivers.SHARE * found.trusts]
    said = []
    if few:
        listed = _listed([f"{short[item]} ({found.items.at[item, 'n']})" for item in few])
        said.append(
            f"Left out of all this, as fewer than half of the {found.trusts} trusts have them (in brackets how many "
            f"do): {listed}."
        )
    said += [f"Left out: {short[item]}, as {why}." for item, why in found.structure.left_out.items() if item not in few]
    return said


def component_chart(found: Drivers | Text) -> charts.Chart | Text:
    return Text(()) if isinstance(found, Text) else charts.components(found)


def structure_tables(found: Drivers | Text, framework: Framework) -> tables.Tables:
    """Components and domains."""
    if isinstance(found, Text):
        return tables.Tables(())
    return tables.Tables((tables.component_table(found), tables.domain_table(found, _domain_names(framework))))


# --- like with like -------------------------------------------------------------------------------


def about_shares(rows: pd.DataFrame, quarter: str) -> Text:
    """How much of the differences between averages goes with subtype, region and type."""
    said = []
    for among, mine in rows.groupby("among", sort=False):
        known = mine.dropna(subset="eta")
        if len(known):
            first, *rest = [
                f"{_share(row.eta)}{{}} between {row.groups} {peers.KINDS[row.by]} (by lot {_share(row.by_lot)})"
                for row in known.itertuples()
            ]
            listed = _listed([first.format(" lies"), *(part.format("") for part in rest)])
            said.append(f"Of the variance in the average scores of {_many(among, known)} in {quarter}, {listed}.")
    beyond = rows[rows["p_adjusted"] <= SURE]
    sure = (
        "More than groups drawn by lot would show: "
        f"{_listed([f'{peers.KINDS[row.by]} among {row.among}' for row in beyond.itertuples()])}."
        if len(beyond)
        else "None of this is more than groups drawn by lot would show."
    )
    return Text(
        (
            *said,
            sure,
            "Many small groups make large shares by chance alone: by lot is what groups of the same sizes drawn by "
            "lot have on average.",
        )
    )


def _many(among: str, rows: pd.DataFrame) -> str:
    n = rows["n"].iat[0]
    return f"all {n} trusts" if among == "all trusts" else f"{n} {among}"


def about_within(rows: pd.DataFrame) -> Text:
    """How far ranks within subtype tell another story."""
    sizes = rows["trust_subtype"].value_counts()
    if len(sizes) < 2:
        one = "All of these trusts are of one subtype" if sizes.index.any() else "No subtypes are given"
        return Text((f"{one}, so ranks within it are the ranks on the average.",))
    best = rows[rows["rank_in_subtype"] == 1]
    named = "; ".join(
        f"{row.trust_subtype}: {row.trust_name} (rank {row.rank:.0f} of {len(rows)})"
        for row in best.sort_values("rank").itertuples()
        if row.of > 1
    )
    return Text((f"First on the average within its subtype: {named}.",))


# --- does it hold? --------------------------------------------------------------------------------


def about_history(found: consistency.History) -> Text:
    """Whether the coefficients are those of another quarter."""
    who = plural(found.trust_type)
    without = [quarter for quarter in found.without]
    missing = f" No metric rows, or no rules, are at hand for {_listed(without)}." if without else ""
    if len(found.quarters) < 2:
        only = f"only {found.quarters[0]} has" if found.quarters else "no quarter has"
        return Text(
            (f"For {who} {only} metric rows, so whether the correlations hold over time cannot be said.{missing}",)
        )
    rows = found.table()
    start, end = found.furthest() or (found.quarters[0], found.quarters[-1])
    first = rows[(rows["earlier"] == start) & (rows["later"] == end)].iloc[0]
    if np.isnan(first["correlation"]):
        return Text((f"{start} against {end}: {first['reason']}.{missing}",))
    said = (
        f"Over {first['pairs']} pairs of metrics, the coefficients of {start} and {end} "
        f"agree with a correlation of {decimal(first['correlation'])}; a coefficient differs by {decimal(first['difference'])} "
        "on average."
    )
    if not np.isnan(first["renewed_correlation"]):
        said += (
            f" Among the {first['renewed']} metrics of which most trusts have a new figure the agreement is "
            f"{decimal(first['renewed_correlation'])}."
        )
    return Text(
        (
            *_small(min(found.trusts.values()), found.trust_type),
            said + missing,
            "Agreement over quarters does not make a coefficient a law: the same trusts report each time, many "
            "figures change slowly, and yearly surveys repeat the same ones.",
        )
    )


def about_subtypes(rows: pd.DataFrame, made: correlation.Aligned) -> Text:
    """Whether the pattern is the same in every subtype."""
    if len(rows) < 2:
        who = plural(made.trust_type)
        one = f"All {who} are of one subtype" if rows["subtype"].any() else f"No subtypes of {who} are given"
        return Text((f"{one}, so there is nothing to compare.",))
    known = rows.dropna(subset="rest_correlation")
    like = known[(known["rest_p_adjusted"] <= SURE) & (known["trusts"] >= SMALL)]
    small = rows[rows["trusts"] < SMALL]["subtype"]
    said = (
        f"Within {_listed(_with_agreement(like))} the pattern of coefficients resembles that of the other subtypes more than "
        "chance would make it (in brackets how far the two agree: 1 is wholly, 0 not at all). Pairs of metrics that say "
        "nearly the same thing everywhere make up part of that."
        if len(like)
        else "In no subtype can the pattern of correlations be told apart from one that has nothing to do with that of "
        "the others."
    )
    if len(small):
        said += f" Fewer than {SMALL} trusts stand behind {_listed(small)}: single coefficients there mean little."
    return Text((said,))


def _with_agreement(rows: pd.DataFrame) -> list[str]:
    return [f"{row.subtype} ({decimal(row.rest_correlation)})" for row in rows.itertuples()]


def type_table(figures: release.Release, rules: Framework, found: Correlations) -> tables.Table:
    """The same pairs of metrics in every trust type."""
    made, on = found.aligned, found.aligned.on
    parts = [
        correlation.aligned(figures, rules, name, on, made.method)
        for name in rules.trust_types
        if name in figures.trust_types
    ]
    parts = [part for part in parts if part.values.notna().any(axis=None)]
    rows = consistency.by_type(parts)
    return tables.type_table(rows, [part.trust_type for part in parts], made.method, figures.quarter)


# --- a table of one's own -------------------------------------------------------------------------


def own_table(
    path: str | None,
    figures: release.Release,
    rebuilt: LeagueTable,
    trust_type: str,
    method: str,
    draws: int,
    seed: int,
) -> peers.Correlates | None:
    """An analyst's own table against the results of a type; None where no table is given."""
    if path is None:
        return None
    return peers.correlates(characteristics.read(path, figures), rebuilt, trust_type, method, draws, seed)


def about_own(found: peers.Correlates | None) -> Text:
    """What the table goes with, and what of it could not be used."""
    if found is None:
        return Text(
            (
                "A table of your own (deprivation, funding, beds, ratings) can be set beside these results: a CSV "
                "file with a column trust_code and columns of numbers, given with --characteristics.",
            )
        )
    rows = found.table()
    known, beyond = rows.dropna(subset="coefficient"), rows[rows["p_adjusted"] <= SURE]
    said = [
        f"{len(beyond)} of {counted(len(known), 'coefficient')} {'is' if len(beyond) == 1 else 'are'} beyond chance (p "
        f"adjusted over all of them, at most {SURE:g}). Above 0, trusts with more of the column do better. What goes "
        "with a result need not have caused it."
    ]
    if found.without:
        said.append(
            f"{counted(len(found.without), plural(found.trust_type)[:-1], plural(found.trust_type))} without a row in "
            f"{found.name}: {_listed_codes(found.without)}."
        )
    if found.unmatched:
        said.append(f"Codes in {found.name} that are no trust of {found.quarter}: {', '.join(found.unmatched)}.")
    return Text((*said, *_said(found.notes)))


def _listed_codes(codes: Sequence[str], most: int = 30) -> str:
    more = len(codes) - most
    return f"{', '.join(codes[:most])}{f' and {more} more' if more > 0 else ''}"


def own_tables(found: peers.Correlates | None, rebuilt: LeagueTable, draws: int) -> tables.Table | Text:
    if found is None:
        return Text(())
    names = {key: peers.outcome_name(key, rebuilt) for key in found.rows["outcome"].unique()}
    return tables.own_table(found, names, draws)


def _too_few_draws(found: Correlations) -> str:
    tests = int(found.pairs["p"].notna().sum())
    if tests / (found.draws + 1) <= SURE:
        return ""
    return (
        f", so among {tests} tests a pair alone in being strong could not be found beyond chance; more draws (--draws) "
        "would find it"
    )


def limitations(found: Correlations, own_rules: str | None = None) -> Text:
    """What the page cannot say."""
    said = [
        "Correlations describe these trusts in one quarter. Metrics measured for other periods, such as yearly "
        "surveys, stand beside monthly ones.",
        "Pairs are compared over the trusts that have both metrics, and these are not the same trusts for every pair: "
        "specialist trusts, for example, may have no emergency department.",
        f"Intervals are percentiles of {counted(found.draws, 'resample')} of trusts, as if the trusts were a sample of "
        "many like them, each independent of the others; they are too narrow where trusts are few. No p-value can be "
        f"below {1 / (found.draws + 1):.4f} with so many draws{_too_few_draws(found)}.",
        "What drives the average is worked out from metric scores, not values, whatever the correlations above are "
        "based on. It concerns the average alone; the segment and the league rank also depend on the financial "
        "override.",
        *_said(found.aligned.notes),
    ]
    if own_rules is not None:
        said.append(f"The rules are those of {PurePath(own_rules).name}, not NHS England's.")
    return Text(tuple(said))
