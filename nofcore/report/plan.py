"""Which pages a report holds: notebooks and their parameters, from what a user asks for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from nofcore import (
    about,
    activity,
    cache,
    characteristics,
    league,
    noise,
    own_scenarios,
    profile_study,
    release,
    reproduce,
    trusts,
)
from nofcore import framework as rules
from nofcore.defaults import CORRELATION_DRAWS, DRAWS, PROFILE, SEED
from nofcore.errors import InputError
from nofcore.release import Archive, Release
from nofcore.report.opening import opening
from nofcore.report.page import Outcome, Page
from nofcore.report.pool import cluster
from nofcore.report.progress import progress
from nofcore.report.provenance import collect
from nofcore.report.runner import make_pages
from nofcore.wording import capital, plural, sentence, singular

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PROFILE_NOTEBOOK = "06_trust_profile"


@dataclass(frozen=True)
class Request:
    """What a user asks for. ``names``: pages, () for all; ``trust_type``: a short name or "all";
    ``data`` and ``framework``: paths, None for the embedded data and the kit's own rules; ``trusts``: codes, names or
    "all", of the trusts that have a profile, and of which other pages show the first of their type in particular;
    ``activity``: the user's own file of numerators and denominators; ``phi``: variance of drawn
    measurements as a multiple of the binomial one; ``force``: make pages that are up to date, too;
    ``scheduler``: the address of a Dask cluster to use in place of ``workers``; ``correlation_draws``: for the
    page on correlations; ``characteristics``: the user's own table of figures by trust; ``archive``: all quarters of the
    figures, read again where None; ``from_quarter``: where movement begins, None for the quarter before; ``quarter_named``:
    whether the user chose the quarter of ``figures``; ``weights``, ``scenarios``: the user's own files of rules."""

    names: tuple[str, ...]
    figures: Release
    trust_type: str
    data: Path | None
    framework: Path | None
    out: Path
    workers: int
    draws: int = DRAWS
    seed: int = SEED
    trusts: tuple[str, ...] = ()
    activity: Path | None = None
    phi: float = 1.0
    force: bool = False
    scheduler: str | None = None
    correlation_draws: int = CORRELATION_DRAWS
    characteristics: Path | None = None
    archive: Archive | None = None
    from_quarter: str | None = None
    quarter_named: bool = True
    weights: Path | None = None
    scenarios: tuple[Path, ...] = ()


def run(request: Request, warn: Callable[[str], object] = lambda line: None) -> list[Outcome]:
    """Make the pages asked for. InputError for an unknown page or trust type, before anything is made. warn: called with
    each line that a user should know of."""
    _codes(request)  # an unknown trust is refused whatever pages are asked for
    pages = [page for name in names(request) for page in PAGES[name](request)]
    if not pages:
        quarter, page = request.figures.quarter, names(request)[0]
        if _framework(request) is None:
            raise InputError(f"{quarter}: the kit has no rules for {rules.year_of(quarter)}, so {page} has no page")
        raise InputError(f"{quarter}: no metric scores are at hand, so {page} has no page")
    for line in _not_shown(request, pages):
        warn(line)
    with cluster(request.scheduler, warn) if request.scheduler is not None else contextlib.nullcontext() as executor:
        return make_pages(
            pages,
            request.out,
            provenance(request),
            request.workers,
            executor,
            force=request.force,
            progress=progress,
            prepare=partial(_prepare, request),
        )


def names(request: Request) -> tuple[str, ...]:
    """The names of the pages to make; all that there are if none is asked for."""
    unknown = [name for name in request.names if name not in PAGES]
    if unknown:
        raise InputError(f"no page {unknown[0]!r}; the pages are {', '.join(sorted(PAGES))}")
    return request.names or tuple(name for name in PAGES if name != PROFILE or request.trusts)


def _codes(request: Request) -> tuple[str, ...]:
    """The codes of the trusts that are asked for."""
    try:
        return trusts.find_all(request.figures, request.trusts, request.archive)
    except InputError:
        if pages := [text for text in request.trusts if text in PAGES]:
            raise InputError(f"--trust {pages[0]}: that is a page; name pages before --trust") from None
        raise


def _marked(request: Request, trust_type: str, before: Release | None = None) -> str | None:
    """The first trust of a type that is named, and is in the quarter before, which its pages show in particular."""
    if _every(request):
        return None
    types = request.figures.trusts["trust_type"]
    there = types.index if before is None else types.index.intersection(before.trusts.index)
    return next((code for code in _codes(request) if types[code] == trust_type and code in there), None)


def _every(request: Request) -> bool:
    return trusts.EVERY in (text.strip().lower() for text in request.trusts)


def _not_shown(request: Request, pages: list[Page]) -> Iterator[str]:
    """What a user should know of the trusts that are named and that pages, which mark one or none, do not show."""
    others = [page for page in pages if page.notebook.stem != PROFILE_NOTEBOOK]
    if _every(request):
        if others and len(others) == len(pages):
            yield "--trust all is for trust_profile; other pages mark one trust, and here none"
        return
    codes, types = _codes(request), request.figures.trusts["trust_type"]
    shown = {page.parameters.get("trust") for page in pages}
    for kind in dict.fromkeys(types[code] for code in codes):
        named = [code for code in codes if types[code] == kind]
        mine = [page for page in others if page.kind == capital(plural(kind))]
        for marked in dict.fromkeys(page.parameters.get("trust") for page in mine):
            slugs = [page.slug for page in mine if page.parameters.get("trust") == marked]
            where = f"{slugs[0]} marks" if len(slugs) == 1 else f"{len(slugs)} pages on {plural(kind)} mark"
            if marked is None:
                yield f"{where} no trust: not there in both quarters: {_few(named)}"
            elif rest := [code for code in named if code != marked]:
                yield f"{where} one trust, {marked}, and not {_few(rest)}"
        if not mine and (none := [code for code in named if code not in shown]):
            yield f"of {plural(kind)} no page is asked for that would mark {_few(none)}"


def _few(codes: list[str]) -> str:
    rest = len(codes) - trusts.LISTED
    return ", ".join(codes[: trusts.LISTED]) + (f" and {rest} more" if rest > 0 else "")


def _prepare(request: Request, pages: list[Page]) -> None:
    """Work out what the profiles share before the first of them. A worker elsewhere does that by itself."""
    if any(page.notebook.stem == PROFILE_NOTEBOOK for page in pages) and request.scheduler is None:
        own = _own(request)
        archive = request.archive or release.read(request.data, own)
        profile_study.study(archive, request.figures.quarter, own, request.draws, request.seed)


def provenance(request: Request) -> dict:
    """Data, rules and software behind the pages; see `nofcore.report.provenance.collect`."""
    quarter = request.figures.quarter
    own = request.framework or rules.shipped().get(rules.year_of(quarter))
    inputs = [{"name": name, "sha256": sha256} for name, sha256 in request.figures.inputs]
    files = [request.activity or release.FOLDER / "activity.csv", *_given(request)]
    given = collect(files, framework=own, reproduced=_reproduced(request))
    if said := league.not_known(request.figures, _framework(request)):
        given["not_known"] = sentence(said)
    given["opening"] = opening(request.figures, _framework(request), _own_file(request))
    return given | {"inputs": inputs + given["inputs"]}


def _reproduced(request: Request) -> str | None:
    """How many published ranks the rules rebuild, for every page of the run."""
    figures, framework = request.figures, _framework(request)
    made_from = "\n".join([figures.quarter, str(framework), *(sha256 for _, sha256 in figures.inputs)])
    return cache.remember("reproduced", made_from, lambda: reproduce.in_words(figures, framework))


def _given(request: Request) -> list[Path]:
    return [path for path in (request.characteristics, request.weights, *request.scenarios) if path]


def _trust_types(request: Request) -> list[str]:
    known = request.figures.trust_types
    if request.trust_type == "all":
        return list(known)
    return [release.trust_type_of(request.trust_type, known, request.figures.quarter)]


def _methods(request: Request) -> list[Page]:
    """One page for the quarter, whatever trust types are asked for."""
    quarter = request.figures.quarter
    page = _page(request, "00_methods", "methods", f"Methods and data, {quarter}")
    return [replace(page, reads=(about.CITATION, about.CHANGES))]


def _league_tables(request: Request) -> list[Page]:
    title = "The league table of {types}, {quarter}"
    return _of_each(_trust_types(request), request, "01_league_table", "league-table", title)


def _rank_uncertainty(request: Request) -> list[Page]:
    """A page for each type with metric rows: without them nothing can be drawn."""
    framework = _framework(request)
    if framework and (request.activity or request.phi > 1):  # bad ones are refused before anything is made
        noise.factors(request.phi, activity.read(request.figures, framework, request.activity))
    return _of_each(
        _scored_types(request),
        request,
        "02_rank_uncertainty",
        "rank-uncertainty",
        "How sure is a rank? {Types}, {quarter}",
        draws=request.draws,
        seed=request.seed,
        activity=str(request.activity) if request.activity else None,
        phi=request.phi,
    )


def _metric_correlation(request: Request) -> list[Page]:
    """A page for each type with metric rows."""
    if request.characteristics:  # a bad file is refused before anything is made
        characteristics.read(request.characteristics, request.figures)
    return _of_each(
        _scored_types(request),
        request,
        "03_metric_correlation",
        "metric-correlation",
        "Do the metrics tell one story? {Types}, {quarter}",
        draws=request.correlation_draws,
        seed=request.seed,
        characteristics=str(request.characteristics) if request.characteristics else None,
    )


def _method_sensitivity(request: Request) -> list[Page]:
    """A page for each type with metric rows."""
    if request.weights or request.scenarios:  # bad ones are refused before anything is made
        own_scenarios.read(request.scenarios, request.weights, _framework(request))
    return _of_each(
        _scored_types(request),
        request,
        "04_method_sensitivity",
        "method-sensitivity",
        "What if the rules were different? {Types}, {quarter}",
        draws=request.draws,
        seed=request.seed,
        scenario=[str(path) for path in request.scenarios] or None,
        weights=str(request.weights) if request.weights else None,
    )


def _of_each(
    trust_types: list[str], request: Request, notebook: str, name: str, title: str, **parameters
) -> list[Page]:
    """A page for each of the types. ``title``: with {types}, or {Types} where it begins a sentence, and {quarter}."""
    return [
        _page(
            request,
            notebook,
            f"{name}-{release.slug(kind)}",
            title.format(types=plural(kind), Types=capital(plural(kind)), quarter=request.figures.quarter),
            trust_type=release.slug(kind),
            trust=_marked(request, kind),
            **parameters,
        )
        for kind in trust_types
    ]


def _scored_types(request: Request) -> list[str]:
    """The types asked for of which metric scores are at hand."""
    framework = _framework(request)
    return [kind for kind in _trust_types(request) if _has_scores(request.figures, framework, kind)]


def _movement(request: Request) -> list[Page]:
    """A page for each type that is ranked in both quarters; none where no quarter came before and none was asked for."""
    own = _own(request)
    archive = request.archive or release.read(request.data, own)
    pair = movement_pair(archive, request)
    if pair is None:
        return []
    before, after = map(archive.release, pair)
    request = replace(request, figures=after)
    pages = [
        _page(
            request,
            "05_movement",
            f"movement-{release.slug(trust_type)}-{release.slug(before.quarter)}-to",
            f"Who moved? {capital(plural(trust_type))}, {before.quarter} to {after.quarter}",
            from_quarter=before.quarter,
            trust_type=release.slug(trust_type),
            trust=_marked(request, trust_type, before),
            draws=request.draws,
            seed=request.seed,
        )
        for trust_type in _trust_types(request)
        if all(
            _is_ranked(figures, release.framework_for(figures.quarter, own), trust_type) for figures in (before, after)
        )
    ]
    if not pages and "movement" in request.names:
        raise InputError(f"no trust of that type is ranked in both {before.quarter} and {after.quarter}")
    return pages


def movement_pair(archive: Archive, request: Request) -> tuple[str, str] | None:
    """The quarters between which movement is shown; None where there is no earlier one and none was asked for.

    From the quarter before the one shown; where the user named no quarter and the one shown is the first, from it to the
    last quarter of the same year. InputError if what the user asked for cannot be.
    """
    shown = request.figures.quarter
    if request.from_quarter is not None:
        first = archive.release(request.from_quarter).quarter
        if release.quarter_order(first) < release.quarter_order(shown):
            return first, shown
        if request.quarter_named:
            raise InputError(f"--from-quarter {first} is not before {shown}; name an earlier one, or a later --quarter")
        return first, _later(archive, first)
    earlier = archive.quarters[: archive.quarters.index(shown)]
    if earlier:
        return earlier[-1], shown
    alone = len(archive.quarters) == 1
    if (request.quarter_named or alone) and "movement" not in request.names:
        return None
    if request.quarter_named:
        raise InputError(f"{archive.source} holds no quarter before {shown}; name a later --quarter")
    return shown, _later(archive, shown)


def _later(archive: Archive, first: str) -> str:
    """The last quarter of the same year after the first, else the next one there is."""
    later = archive.quarters[archive.quarters.index(first) + 1 :]
    if not later:
        raise InputError(f"{archive.source} holds no quarter after {first}, so no movement can be shown")
    same = [quarter for quarter in later if rules.year_of(quarter) == rules.year_of(first)]
    return same[-1] if same else later[0]


def _trust_profiles(request: Request) -> list[Page]:
    """A page for each trust that is asked for."""
    if not request.trusts:
        raise InputError("trust_profile needs --trust: codes or names of trusts, or all")
    kinds, table = _trust_types(request), request.figures.trusts
    every = _every(request)
    codes = [code for code in _codes(request) if not every or table.at[code, "trust_type"] in kinds]
    if strangers := [code for code in codes if table.at[code, "trust_type"] not in kinds]:
        kind = singular(table.at[strangers[0], "trust_type"])
        raise InputError(f"{strangers[0]} is no trust of the type asked for but {kind}; leave out --trust-type")
    quarter = request.figures.quarter
    return [
        _page(
            request,
            PROFILE_NOTEBOOK,
            f"trust-profile-{release.slug(code)}",
            f"{table.at[code, 'trust_name']}, {quarter}",
            trust=code,
            draws=request.draws,
            seed=request.seed,
        )
        for code in codes
    ]


def _is_ranked(figures: Release, framework: rules.Framework | None, trust_type: str) -> bool:
    mine = figures.league[figures.trusts["trust_type"] == trust_type]
    return bool(mine[["average_score", "segment"]].notna().all(axis=1).any()) or _has_scores(
        figures, framework, trust_type
    )


def _own(request: Request) -> rules.Framework | None:
    """The user's own rules."""
    return rules.load(request.framework) if request.framework else None


def _own_file(request: Request) -> Path | None:
    """The file of the user's own rules, where they are those of the quarter shown."""
    own = _own(request)
    return request.framework if own and own.year == rules.year_of(request.figures.quarter) else None


def _framework(request: Request) -> rules.Framework | None:
    return release.framework_for(request.figures.quarter, _own(request))


def _has_scores(figures: Release, framework: rules.Framework | None, trust_type: str) -> bool:
    if framework is None or trust_type not in framework.trust_types:
        return False
    codes = figures.trusts.index[figures.trusts["trust_type"] == trust_type]
    rows = figures.observations
    return bool((rows["trust_code"].isin(codes) & rows["metric_id"].isin(framework.scored_rows)).any())


def _page(request: Request, notebook: str, name: str, title: str, **parameters) -> Page:
    quarter, table = request.figures.quarter, request.figures.trusts
    # As the user gave them: the notebook runs in the same folder and is handed on to readers.
    source = {"data": request.data, "framework": request.framework}
    paths = {key: str(path) if path else None for key, path in source.items()}
    if notebook == PROFILE_NOTEBOOK:
        shown = table.loc[[parameters["trust"]]]
    else:
        shown = table[table["trust_type"].map(release.slug) == parameters.get("trust_type")]
    return Page(
        slug=f"{name}-{release.slug(quarter)}",
        notebook=NOTEBOOKS / f"{notebook}.ipynb",
        title=title,
        group=quarter,
        parameters={"quarter": quarter, **parameters, **paths},
        trusts=shown["trust_name"].to_dict(),
        kind=capital(plural(shown["trust_type"].iloc[0])) if len(shown) else "",
    )


PAGES: dict[str, Callable[[Request], list[Page]]] = {
    "methods": _methods,
    "league_table": _league_tables,
    "rank_uncertainty": _rank_uncertainty,
    "metric_correlation": _metric_correlation,
    "method_sensitivity": _method_sensitivity,
    "movement": _movement,
    PROFILE: _trust_profiles,
}
"""Pages by the name that the command line takes, in the order in which they are made."""
