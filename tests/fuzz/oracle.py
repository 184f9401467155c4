"""What must hold of every input, damaged or not, and what its table should be by a slow second reading.

The second reading uses the csv module, exact fractions and the slow rules of `tests.reference`; nothing of the package.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import signal
import tempfile
import traceback
import warnings
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from nofcore import cli
from tests import makers, reference
from tests.fuzz.files import Base
from tests.fuzz.mutations import CAUGHT, FREE, REFUSED, SAME

SAME_TABLE, OTHER_TABLE, NOT_COMPARED = "same table", "other table, correct", "other, not compared"
CAUGHT_BY_CHECK, ERROR = "caught by check", "error"
OUTCOMES = (SAME_TABLE, OTHER_TABLE, NOT_COMPARED, CAUGHT_BY_CHECK, ERROR)
"""``NOT_COMPARED``: a table that the slow rules cannot make of these rows, for want of scores or flags."""
PATIENCE = 30
"""Seconds after which a command is stopped as hanging: a sound folder of this size takes a few tenths of one."""

ALLOWED = {
    SAME: {SAME_TABLE},
    REFUSED: {ERROR},
    CAUGHT: {ERROR, CAUGHT_BY_CHECK},
    FREE: set(OUTCOMES),
}
_TO_DO = re.compile(
    r"\b(correct|remove|restore|download|save|write|fill|add|mend|mark|let the name|choose|put|set|it holds|the figures hold|name one)\b"
)


class BrokenRuleError(AssertionError):
    """An input of which something that must hold does not."""


@dataclass(frozen=True)
class Ran:
    """A command that ran in this process: exit code and what it wrote."""

    code: int
    out: str
    err: str


class HangingError(BaseException):
    """A command that takes too long. No Exception, which a command could take for one of its own."""


@contextlib.contextmanager
def patience(seconds: float):
    """Stop what takes longer. For the main thread of a process."""

    def stop(*_):
        raise HangingError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run(*arguments) -> Ran:
    """Run a command; a warning, any exception or no end within `PATIENCE` counts as a broken rule."""
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
            warnings.simplefilter("error")
            with patience(PATIENCE):
                code = cli.main([str(argument) for argument in arguments])
    except HangingError:
        raise BrokenRuleError(f"{arguments[0]}: not done after {PATIENCE} s: {traceback.format_exc()}") from None
    except Exception:
        raise BrokenRuleError(f"{arguments[0]}: {traceback.format_exc()}") from None
    return Ran(code, out.getvalue(), err.getvalue())


def require(holds: bool, what: str) -> None:
    if not holds:
        raise BrokenRuleError(what)


@dataclass(frozen=True)
class Judged:
    """What came of an input: one of OUTCOMES, the table as text or None, and what was said on standard error."""

    outcome: str
    table: str | None
    said: str


def judge(base: Base, contents: dict[str, bytes], wanted: str = FREE) -> Judged:
    """Read a folder with these files and require all that must hold. Raises BrokenRuleError."""
    with tempfile.TemporaryDirectory() as place:
        folder, out = Path(place) / "figures", Path(place) / "table.csv"
        folder.mkdir()
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        made = run("table", "--data", folder, "--quarter", base.quarter, "--trust-type", base.trust_type, "--out", out)
        checked = run("check", folder, "--json")
        table = out.read_text("utf-8") if out.exists() else None
    found = _outcome(base, contents, made, checked, table)
    require(
        found.outcome in ALLOWED[wanted], f"{found.outcome}, not {wanted}: {found.said} {_differences(base, table)}"
    )
    if wanted == CAUGHT:
        _require_named(base, contents, checked)
    return found


def _require_named(base: Base, contents: dict[str, bytes], checked: Ran) -> None:
    """Where one row of one file is all that differs, a problem must name it, be it beside others it may follow from."""
    place = changed_row(base, contents)
    problems = [problem for one in json.loads(checked.out) for problem in one["problems"]]
    named = place is None or any(_names(problem, *place) for problem in problems)
    require(named, f"{place} is not named: {json.dumps(problems)}")


def _names(problem: dict, file: str, row: int) -> bool:
    """Whether a problem names a row, as its place or beside it."""
    beside = re.search(rf"{'' if problem['file'] == file else re.escape(file) + ', '}\brow {row}\b", problem["message"])
    return (problem["file"], problem["row"]) == (file, row) or bool(beside)


def changed_row(base: Base, contents: dict[str, bytes]) -> tuple[str, int] | None:
    """The file and row of the only line in which files differ from those of their base; None where there is no such line."""
    places = []
    for name, file in base.files().items():
        mine, theirs = file.render().splitlines(), contents.get(name, b"").splitlines()
        if len(mine) != len(theirs):
            return None
        places += [(name, row) for row, (one, two) in enumerate(zip(mine, theirs, strict=True), start=1) if one != two]
    return places[0] if len(places) == 1 and set(contents) == set(base.files()) else None


def _outcome(base: Base, contents: dict[str, bytes], made: Ran, checked: Ran, table: str | None) -> Judged:
    require(checked.code in (0, 1), f"check: exit code {checked.code}: {checked.err}")
    problems = [problem for one in json.loads(checked.out) for problem in one["problems"]]
    require(bool(problems) == (checked.code == 1), "check: exit code and problems disagree")
    if made.code == 2:
        _require_clear(made, table, contents, bool(problems))
        return Judged(ERROR, None, made.err)
    require(made.code == 0, f"table: exit code {made.code}")
    require(table is not None, "table: exit code 0 and no table")
    require(all(line.startswith("note: ") for line in made.err.splitlines()), f"not a note: {made.err}")
    _require_suppressed_told(contents, made.err)
    if problems:
        return Judged(CAUGHT_BY_CHECK, table, json.dumps(problems[:3]))
    if table == sound(base):
        return Judged(SAME_TABLE, table, made.err)
    compared = _require_by_second_reading(base, contents, table)
    return Judged(OTHER_TABLE if compared else NOT_COMPARED, table, made.err)


def _require_clear(made: Ran, table: str | None, contents: dict[str, bytes], listed: bool) -> None:
    """One line that says where and what to do, and nothing written."""
    require(table is None, "an error, and a table all the same")
    require(made.out == "", f"an error, and on standard output: {made.out}")
    require(len(made.err.splitlines()) == 1 and made.err.startswith("nofcore: error: "), f"not one line: {made.err!r}")
    require(made.err.rstrip("\n").isprintable(), f"not printable: {made.err!r}")
    require(bool(_TO_DO.search(made.err)), f"says not what to do: {made.err}")
    named = any(name in made.err for name in contents)
    # What is not there stands in no file: the quarter, the metric and the trusts are named instead.
    absent = re.match(r"nofcore: error: (Q\d 20\d\d/\d\d: no |no trust type|.* holds no figures for )", made.err)
    require(named or bool(absent), f"names no file: {made.err}")
    require(listed or not named, f"table refuses what check lets pass: {made.err}")


def _require_suppressed_told(contents: dict[str, bytes], said: str) -> None:
    """How many figures of each data file are missing is told."""
    for name, content in contents.items():
        rows = _rows(name, content)
        missing = sum(_missing(row) for row in rows if "Value" in row)
        told = f"{name}: {missing:,} figure"
        superseded = f"{name}: superseded" in said
        require(not missing or told in said or superseded, f"{missing} missing figures of {name} are not told: {said}")


def _missing(row: dict[str, str]) -> int:
    """How many figures of a row of a data file are missing: a rank may be blank, so a blank one is not."""
    return (_number(row["Value"]) is None) + (bool(row["Rank"]) and _number(row["Rank"]) is None)


def _differences(base: Base, table: str | None) -> str:
    lines, sound_lines = (table or "").splitlines(), sound(base).splitlines()
    return "\n".join(["", *(line for line in lines if line not in sound_lines)][:4])


@lru_cache
def sound(base: Base) -> str:
    """The table of a base as it is, which must stand the check and be right by the second reading."""
    contents = {name: file.render() for name, file in base.files().items()}
    with tempfile.TemporaryDirectory() as place:
        for name, content in contents.items():
            (Path(place) / name).write_bytes(content)
        out = Path(place) / "table.out"
        source = ("--data", place, "--quarter", base.quarter, "--trust-type", base.trust_type)
        made, checked = run("table", *source, "--out", out), run("check", place)
        require((made.code, checked.code) == (0, 0), f"{base.name} is not sound: {made.err} {checked.out}")
        table = out.read_text("utf-8")
    require(len(table.splitlines()) > 10, f"{base.name}: too few trusts")
    compared = _require_by_second_reading(base, contents, table)
    require(compared, f"{base.name}: nothing to compare")
    return table


# --- the second reading --------------------------------------------------------------------------------------


def _number(text: str) -> Fraction | None:
    return reference.parse_number(" ".join(text.split()))


def _rows(name: str, content: bytes) -> list[dict[str, str]]:
    """The rows of a CSV file; none of any other."""
    if not name.lower().endswith(".csv"):
        return []
    header, *lines = (
        cells
        for cells in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        if any(cell.strip() for cell in cells)
    )
    return [{name.strip(): " ".join(cell.split()) for name, cell in zip(header, cells, strict=True)} for cells in lines]


def _quarter(row: dict[str, str], base: Base) -> str:
    """The quarter of a row in its one spelling."""
    if "Quarter" not in row:
        return base.quarter
    number, first, last = re.fullmatch(r"[qQ](\d)[ _-]*(?:20)?(\d\d)[/_-](?:20)?(\d\d)", row["Quarter"]).groups()
    return f"Q{number} 20{first}/{last}"


def _require_by_second_reading(base: Base, contents: dict[str, bytes], table: str) -> bool:
    """A table that no check objects to must be what the slow rules make of the same rows.

    Returns whether there was anything to compare.
    """
    expected = second_reading(base, contents)
    for row in csv.DictReader(io.StringIO(table)):
        for name, wanted in expected.get(row["trust_code"], {}).items():
            text = row[name]
            same = not text if wanted is None else bool(text) and Fraction(text) == wanted
            require(same, f"{row['trust_code']}, {name}: {text or 'blank'}, by a second reading {wanted}")
    return bool(expected)


def second_reading(base: Base, contents: dict[str, bytes]) -> dict[str, dict[str, Fraction | None]]:
    """{trust code: average_score, unadjusted_segment, segment and rank} of the table asked for, by the slow rules.

    Averages are worked out where all trusts of the type have scores, and a single league table stands as it is; else
    there is nothing to compare.
    """
    found = [[row for row in _rows(*file) if _quarter(row, base) == base.quarter] for file in contents.items()]
    rows = [row for of_file in found for row in of_file]
    if not any("Metric_ID" in row for row in rows):
        figures = ("Average_score", "Segment", "Rank")
        whole = all(_number(row[name]) is not None for row in rows for name in figures)  # else others are ranked anew
        return _as_published(rows) if whole and sum(map(bool, found)) == 1 else {}
    types = {row["Trust_code"]: row["Trust_type"] for row in rows}
    data = {(row["Trust_code"], row["Metric_ID"]): row for row in rows if "Metric_ID" in row}
    observations = [
        {
            "quarter": base.quarter, "trust_code": code, "metric_id": metric, "unit": row["Units"].lower(),
            "value": _number(row["Value"]), "rank": _number(row["Rank"]),
        }
        for (code, metric), row in data.items()
    ]  # fmt: skip
    scores = reference.recover_scores([row for row in observations if row["value"] is not None], types, base.quarter)
    averages = reference.averages(scores)
    if set(averages) != set(types):
        return {}
    elsewhere = [
        reference.hundredths(Fraction(row["average_score"]))
        for row in makers.table("league_tables")
        if row["quarter"] == base.quarter and row["trust_type"] not in _full_names(types.values())
    ]
    cuts = reference.quartiles([*averages.values(), *elsewhere])
    flags = {code: data[code, "OF5004"]["Value"] for code in types if (code, "OF5004") in data}
    flags = {code: _number(text) for code, text in flags.items()}
    if set(flags) != set(types) or None in flags.values():
        return {}
    unadjusted = {code: reference.segment(average, cuts) for code, average in averages.items()}
    segments = {code: reference.adjusted_segment(unadjusted[code], flags[code] == 1) for code in types}
    ranks = reference.league_ranks(segments, averages, dict.fromkeys(types, ""))
    return {
        code: {
            "average_score": Fraction(averages[code], 100),
            "unadjusted_segment": unadjusted[code],
            "segment": segments[code],
            "rank": ranks[code],
        }
        for code in types
    }


def _as_published(rows: list[dict[str, str]]) -> dict[str, dict[str, Fraction | None]]:
    """The figures of a league table, where no metric rows are beside."""
    named = {"average_score": "Average_score", "segment": "Segment", "rank": "Rank"}
    return {row["Trust_code"]: {name: _number(row[column]) for name, column in named.items()} for row in rows}


def _full_names(types) -> set[str]:
    known = {name.lower().removesuffix(" trust"): name for name in makers.TYPES}
    return {known.get(name.lower().removesuffix(" trust"), name) for name in types}
