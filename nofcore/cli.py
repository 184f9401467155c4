"""The command line.

Exit codes: 0 done; 1 ran, but a page failed or `check` found problems; 2 bad usage or unusable
input, with one line on standard error and nothing overwritten; 128 and the number of a signal that ended it, with one
line.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from nofcore import __version__
from nofcore.defaults import CORRELATION_DRAWS, DRAWS, PROFILE, SEED
from nofcore.errors import InputError, one_line
from nofcore.wording import counted, organisations

# Modules that import pandas or start notebooks are imported by the commands that need them, so that
# help and usage errors answer at once.


class Parser(argparse.ArgumentParser):
    """Usage errors in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"nofcore: error: {one_line(message)} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    # Names that the terminal cannot show are escaped rather than an error.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        code = _run(options, for_good=arguments is None)
        sys.stdout.flush()
        return code
    except InputError as error:
        print(f"nofcore: error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader, such as `head`, has gone. Python flushes once more at exit: into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ModuleNotFoundError as error:
        print(
            f"nofcore: error: {error.name} is not installed; run make setup and use .venv/bin/python", file=sys.stderr
        )
        return 2
    except (KeyboardInterrupt, SystemExit) as stop:
        with contextlib.suppress(OSError):  # the terminal may be the one that was closed
            print("; ".join(["nofcore: interrupted", *getattr(stop, "__notes__", ())]), file=sys.stderr, flush=True)
        return getattr(stop, "code", 130)


def _run(options, for_good: bool) -> int:
    """Run the command, which a signal ends in order. for_good: and with it the process, which has no more to do."""
    from nofcore.report import signals  # not before: a package may not be installed

    with signals.raising(for_good):
        return options.run(options)


def _parser() -> Parser:
    parser = Parser(
        prog="python -m nofcore", description="Rebuild and test the NHS league tables of trusts in England."
    )
    parser.add_argument("--version", action="version", version=f"nofcore {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    table = _command(commands, "table", "write the rebuilt league tables as CSV", _table)
    _source_options(table)
    table.add_argument("--trust-type", default="all", metavar="SLUG", help="such as acute; default: all")
    table.add_argument(
        "--from", dest="start", choices=("scores", "values"), default="scores",
        help="start from the published metric scores (default), or recompute the scores from the values",
    )  # fmt: skip
    table.add_argument("--draws", type=_positive, metavar="N", help="fill the range columns from N bootstrap draws")
    table.add_argument("--seed", type=_natural, default=SEED, metavar="S", help=f"default: {SEED}")
    table.add_argument(
        "--cutoffs", choices=("published", "recomputed"), default="published",
        help="segment cut-offs in the draws: held fixed (default), or taken anew in each",
    )  # fmt: skip
    table.add_argument("--out", required=True, type=_path, metavar="FILE.csv")

    scores = _command(commands, "scores", "write the metric scores recomputed from the values as CSV", _scores)
    _source_options(scores)
    scores.add_argument("--out", required=True, type=_path, metavar="FILE.csv")

    report = _command(commands, "report", "make HTML pages and their index", _report)
    report.add_argument("names", nargs="*", metavar="NAME", help="pages to make, such as league_table; default: all")
    _source_options(report)
    report.add_argument(
        "--from-quarter", metavar="Q", help="quarter in which movement begins; default: the one before --quarter"
    )
    report.add_argument("--trust-type", default="all", metavar="SLUG", help="such as acute; default: all")
    report.add_argument(
        "--trust", nargs="+", action="extend", default=[], metavar="TRUST",
        help="codes such as RJ1, or names, of the trusts to profile and to show in particular; all: every trust",
    )  # fmt: skip
    report.add_argument(
        "--draws", type=_positive, metavar="N", help=f"default: {DRAWS:,}; for correlations {CORRELATION_DRAWS:,}"
    )
    report.add_argument("--seed", type=_natural, default=SEED, metavar="S", help=f"default: {SEED}")
    report.add_argument("--activity", type=_path, metavar="FILE", help="numerators and denominators of your own")
    report.add_argument("--characteristics", type=_path, metavar="FILE", help="figures of your own by trust_code")
    report.add_argument("--weights", type=_path, metavar="FILE", help="weights of your own, by name (TOML)")
    report.add_argument(
        "--scenario", type=_path, nargs="+", action="extend", default=[], metavar="FILE",
        help="scenarios of your own (TOML), beside those of the kit",
    )  # fmt: skip
    report.add_argument(
        "--phi", type=_factor, default=1.0, metavar="X",
        help="variance of drawn measurements as a multiple of the binomial one; default: 1",
    )  # fmt: skip
    report.add_argument("--workers", type=_positive, default=2, metavar="N", help="processes; default: 2")
    report.add_argument("--scheduler", metavar="ADDRESS", help="a Dask cluster to use instead, such as tcp://host:8786")
    report.add_argument("--force", action="store_true", help="make pages again that are up to date")
    report.add_argument("--out", type=_path, default=Path("reports"), metavar="DIR", help="default: reports")

    check = _command(commands, "check", "list everything that is wrong with files, folders or a framework file", _check)
    check.add_argument("paths", nargs="+", type=_path, metavar="PATH")
    _framework_option(check, "rules of your own for the figures of their year; default: those of the kit")
    check.add_argument("--json", action="store_true", help="print the result as JSON")

    fetch = _command(commands, "fetch", "download the files of a release, or list the releases that are known", _fetch)
    fetch.add_argument("quarter", nargs="?", metavar="Q", help='such as "Q3 2025/26"; without it, what is known')
    fetch.add_argument(
        "--to", type=_path, metavar="DIR", help="folder for --data; default: one in the place for caches"
    )
    fetch.add_argument("--catalogue", type=_path, metavar="FILE", help="releases of your own, beside those of the kit")
    return parser


def _command(commands, name: str, text: str, run) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    command.set_defaults(run=run)
    return command


def _source_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--quarter", metavar="Q", help='such as "Q1 2025/26"; default: the latest with all metric rows'
    )
    command.add_argument(
        "--data", type=_path, metavar="DIR", help="folder of NHS England's CSV files; default: embedded data"
    )
    _framework_option(command, "rules of your own; default: those of the year")


def _framework_option(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("--framework", type=_path, metavar="FILE", help=text)


def _path(text: str) -> Path:
    if not text.strip():  # which would be taken for the current folder
        raise argparse.ArgumentTypeError(f"{text!r} is not a path")
    return Path(text)


def _natural(text: str) -> int:
    if not text.isascii() or not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def _factor(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 1 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return number


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return number


def _load(options):
    """(release, framework) for the options; a framework of another year than the quarter is refused."""
    return _figures(options, *_archive(options))


def _archive(options):
    """(all quarters of the figures, the user's own framework or None) for the options."""
    from nofcore import framework, release

    own = framework.load(options.framework) if options.framework else None
    return release.read(options.data, own), own


def _figures(options, archive, own):
    from nofcore import framework, release

    figures = archive.release(archive.latest(own) if options.quarter is None else options.quarter)
    if own and own.year != framework.year_of(figures.quarter):
        raise InputError(
            f"{options.framework}: key year: the rules are of {own.year}, the quarter is {figures.quarter}; "
            "choose a quarter of that year, or set year in the file"
        )
    return figures, release.framework_for(figures.quarter, own)


def _tell(notes: Sequence[str]) -> None:
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def _table(options) -> int:
    from nofcore import league, output, release

    figures, framework = _load(options)
    of_all = options.trust_type == "all"
    wanted = None if of_all else release.trust_type_of(options.trust_type, figures.trust_types, figures.quarter)
    rebuilt = league.build(figures, framework, options.start)
    table, notes = rebuilt.table(wanted), [*figures.notes, *rebuilt.notes]
    if options.draws:
        from nofcore import bootstrap

        uncertainty = bootstrap.rank_uncertainty(rebuilt, options.draws, options.seed, options.cutoffs)
        table = uncertainty.fill(table)
        notes.append(uncertainty.note())
    output.write_csv(table, options.out)
    _tell(notes)
    print(f"{options.out}: {organisations(len(table), table['trust_type'])}, {figures.quarter}")
    return 0


def _scores(options) -> int:
    from nofcore import output, scoring

    figures, framework = _load(options)
    if framework is None:
        raise InputError(f"{figures.quarter}: the kit has no rules for this year; give your own with --framework")
    scores = scoring.scores_from_values(figures, framework)
    scores.insert(0, "quarter", figures.quarter)
    columns = ["quarter", "trust_code", "metric_id", "value", "score", "published_score", "tied"]
    output.write_csv(scores[columns], options.out)
    _tell((*figures.notes, *scoring.pool_notes(figures, framework)))
    print(f"{options.out}: {len(scores)} scores recomputed from values, {figures.quarter}")
    return 0


def _report(options) -> int:
    from nofcore.report import pool, uptodate, warm

    # Where it is plain that pages must be made, what they need is imported while the figures are read.
    soon = options.scheduler is None and (options.force or uptodate.none_noted(options.out))
    if soon:
        pool.ahead()
    page = "profile" if options.names == [PROFILE] else None
    with warm.ahead(page) if soon else contextlib.nullcontext():
        return _make_report(options)


def _make_report(options) -> int:
    from nofcore.report import plan
    from nofcore.report.progress import table, totals
    from nofcore.report.runner import NoIndexError

    archive, own = _archive(options)
    figures, _ = _figures(options, archive, own)
    request = plan.Request(
        names=tuple(options.names),
        figures=figures,
        trust_type=options.trust_type,
        data=options.data,
        framework=options.framework,
        out=options.out,
        workers=options.workers,
        draws=options.draws or DRAWS,
        correlation_draws=options.draws or CORRELATION_DRAWS,
        seed=options.seed,
        trusts=tuple(options.trust),
        activity=options.activity,
        phi=options.phi,
        characteristics=options.characteristics,
        weights=options.weights,
        scenarios=tuple(options.scenario),
        archive=archive,
        from_quarter=options.from_quarter,
        quarter_named=options.quarter is not None,
        force=options.force,
        scheduler=options.scheduler,
    )
    try:
        outcomes = plan.run(request, warn=lambda line: _tell([line]))
    except NoIndexError as error:
        print(table(error.outcomes))
        print(f"nofcore: error: {error}", file=sys.stderr)
        return 1
    print(table(outcomes))
    print(f"{options.out / 'index.html'}: {totals(outcomes)}")
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def _check(options) -> int:
    from nofcore import check, framework

    own = framework.load(options.framework) if options.framework else None
    report = check.check(options.paths, own)
    print(json.dumps(report.as_list(), indent=2) if options.json else report)
    return 0 if report.ok else 1


def _fetch(options) -> int:
    from nofcore import catalogue, fetch

    known = catalogue.read(options.catalogue)
    if options.quarter is None:
        print("\n".join(fetch.listing(known, lambda quarter: options.to or fetch.cache_folder(quarter))))
        print(f"page: {known.page}")
        return 0
    quarter = catalogue.quarter(options.quarter)
    catalogue.require_known(quarter, known, print)
    folder = options.to or fetch.cache_folder(quarter)
    found = fetch.fetch(known.releases[quarter], known.pages[quarter], folder, warn=lambda line: _tell([line]))
    if known.releases[quarter].note:
        _tell([f"{quarter}: {known.releases[quarter].note}"])
    print(one_line(f"{quarter}: {counted(len(found), 'file')}; read with --data {folder}"))
    return 0
