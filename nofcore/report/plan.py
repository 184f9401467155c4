"""Which pages a report holds: notebooks and their parameters, from what a user asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nofcore import activity, noise, release
from nofcore import framework as rules
from nofcore.defaults import DRAWS, SEED
from nofcore.errors import InputError
from nofcore.release import Release
from nofcore.report.page import Outcome, Page
from nofcore.report.provenance import collect
from nofcore.report.runner import make_pages
from nofcore.wording import plural

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@dataclass(frozen=True)
class Request:
    """What a user asks for. ``names``: pages, () for all; ``trust_type``: a short name or "all";
    ``data`` and ``framework``: paths, None for the embedded data and the kit's own rules; ``trust``: the
    code of the trust that pages show in particular, None for the one in the middle of the table;
    ``activity``: the user's own file of numerators and denominators; ``phi``: variance of drawn
    measurements as a multiple of the binomial one."""

    names: tuple[str, ...]
    figures: Release
    trust_type: str
    data: Path | None
    framework: Path | None
    out: Path
    workers: int
    draws: int = DRAWS
    seed: int = SEED
    trust: str | None = None
    activity: Path | None = None
    phi: float = 1.0


def run(request: Request) -> list[Outcome]:
    """Make the pages asked for. InputError for an unknown page or trust type, before anything is made."""
    if request.out.exists() and not request.out.is_dir():
        raise InputError(f"{request.out} is a file; --out takes a folder")
    if request.trust is not None and request.trust not in request.figures.trusts.index:
        raise InputError(f"no trust {request.trust!r} in {request.figures.quarter}; --trust takes a code such as RJ1")
    pages = [page for name in names(request) for page in PAGES[name](request)]
    if not pages:
        raise InputError(f"{request.figures.quarter}: no metric scores are at hand, so {names(request)[0]} has no page")
    return make_pages(pages, request.out, provenance(request), request.workers)


def names(request: Request) -> tuple[str, ...]:
    """The names of the pages to make; all that there are if none is asked for."""
    unknown = [name for name in request.names if name not in PAGES]
    if unknown:
        raise InputError(f"no page {unknown[0]!r}; the pages are {', '.join(sorted(PAGES))}")
    return request.names or tuple(PAGES)


def provenance(request: Request) -> dict:
    """Data, rules and software behind the pages; see `nofcore.report.provenance.collect`."""
    quarter = request.figures.quarter
    own = request.framework or rules.shipped().get(rules.year_of(quarter))
    inputs = [{"name": name, "sha256": sha256} for name, sha256 in request.figures.inputs]
    given = collect([request.activity or release.FOLDER / "activity.csv"], framework=own)
    return given | {"inputs": inputs + given["inputs"]}


def _trust_types(request: Request) -> list[str]:
    known = request.figures.trust_types
    if request.trust_type == "all":
        return list(known)
    return [release.trust_type_of(request.trust_type, known)]


def _league_tables(request: Request) -> list[Page]:
    quarter = request.figures.quarter
    return [
        _page(
            request,
            "01_league_table",
            f"league-table-{release.slug(trust_type)}",
            f"The league table of {plural(trust_type)}, {quarter}",
            trust_type=release.slug(trust_type),
        )
        for trust_type in _trust_types(request)
    ]


def _rank_uncertainty(request: Request) -> list[Page]:
    """A page for each type with metric rows: without them nothing can be drawn."""
    quarter = request.figures.quarter
    framework = _framework(request)
    if framework and (request.activity or request.phi > 1):  # bad ones are refused before anything is made
        noise.factors(request.phi, activity.read(request.figures, framework, request.activity))
    return [
        _page(
            request,
            "02_rank_uncertainty",
            f"rank-uncertainty-{release.slug(trust_type)}",
            f"How sure is a rank? {plural(trust_type).capitalize()}, {quarter}",
            trust_type=release.slug(trust_type),
            trust=request.trust,
            draws=request.draws,
            seed=request.seed,
            activity=str(request.activity) if request.activity else None,
            phi=request.phi,
        )
        for trust_type in _trust_types(request)
        if _has_scores(request.figures, framework, trust_type)
    ]


def _framework(request: Request) -> rules.Framework | None:
    own = rules.load(request.framework) if request.framework else None
    return release.framework_for(request.figures.quarter, own)


def _has_scores(figures: Release, framework: rules.Framework | None, trust_type: str) -> bool:
    if framework is None:
        return False
    codes = figures.trusts.index[figures.trusts["trust_type"] == trust_type]
    rows = figures.observations
    return bool((rows["trust_code"].isin(codes) & rows["metric_id"].isin(framework.score_ids)).any())


def _page(request: Request, notebook: str, name: str, title: str, **parameters) -> Page:
    quarter = request.figures.quarter
    # As the user gave them: the notebook runs in the same folder and is handed on to readers.
    source = {"data": request.data, "framework": request.framework}
    paths = {key: str(path) if path else None for key, path in source.items()}
    return Page(
        slug=f"{name}-{release.slug(quarter)}",
        notebook=NOTEBOOKS / f"{notebook}.ipynb",
        title=title,
        group=quarter,
        parameters={"quarter": quarter, **parameters, **paths},
    )


PAGES: dict[str, Callable[[Request], list[Page]]] = {
    "league_table": _league_tables,
    "rank_uncertainty": _rank_uncertainty,
}
"""Pages by the name that the command line takes, in the order in which they are made."""
