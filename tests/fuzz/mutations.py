"""Small mutations of files, each with what must come of it, that can be put one behind the other.

Three kinds: of the cells of one file, of the bytes of one file, and of the folder. A mutation changes what it is
given at places that a random generator chooses, and returns None where it has nothing to change.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.fuzz.files import File

SAME = "same table"
REFUSED = "error"
CAUGHT = "caught"
FREE = "any"
"""What must come of a mutation: the same table; an error; an error or a problem that `check` lists; or no more
than what must hold of every input."""

MARKS = ["", "*", "-", "n/a", "N/A", "<5", " * ", "\N{NO-BREAK SPACE}"]
NO_NUMBERS = [
    "abc", "1,82", "12 %", "1 234", "1_0", "inf", "-inf", "nan", "NaN", "1e400", "-1e999", "9" * 400, "\uff11\uff12", "٣",
    "<6", "0x1F", "\u22121", "1.2.3", "--", "#N/A", "=1+1", "1e", "½", "TRUE",
]  # fmt: skip
NUMBERS = [
    "0",
    "-0",
    "1e300",
    "-1e300",
    "1e-300",
    "0." + "3" * 100,
    "1" * 60,
    "5e2",
    "+7",
    "99999999999999999999",
    ".5",
]
DATA_COLUMNS = [
    "Region", "Trust_type", "Trust_subtype", "Trust_code", "Trust_name", "Metric_ID", "Reporting_date", "Units", "Value",
    "Rank",
]  # fmt: skip
TABLE_COLUMNS = [
    "Region", "Trust_type", "Trust_subtype", "Trust_code", "Trust_name", "Average_score",
    "Likely_range_of_average_score", "Segment", "Trust_in_financial_deficit", "Rank", "Likely_range_of_rank",
]  # fmt: skip
RESULTS = ("OF5000", "OF5002", "OF5003")
AVERAGED = tuple(
    f"OF1{number}" for number in ("017", "028", "047", "061", "080", "082", "084", "086", "003", "010", "013", "069")
)
"""Scores that weigh a whole item in an average."""


@dataclass(frozen=True)
class Mutation:
    """``change`` takes a File, bytes or {name: bytes}, by ``kind``, and a random generator."""

    name: str
    kind: str
    expects: str
    change: Callable

    def __str__(self) -> str:
        return self.name


ALL: list[Mutation] = []


def mutation(name: str, kind: str, expects: str):
    """Put a function on the list."""

    def enlist(change):
        ALL.append(Mutation(name, kind, expects, change))
        return change

    return enlist


def expected(mutations: list[Mutation]) -> str:
    """What must come of several: of one that matters among others that do not, the same as of it alone."""
    wanted = [one.expects for one in mutations if one.expects != SAME]
    return SAME if not wanted else wanted[0] if len(wanted) == 1 else FREE


def apply(files: dict[str, File], mutations: list[Mutation], chance: random.Random):
    """({name: bytes}, the mutations that found something to change): cells first, then bytes, then the folder."""
    done = []

    def changed(one: Mutation, things: dict) -> dict:
        """The things, one of which the mutation has changed: the first in a random order in which it can."""
        for name in chance.sample(sorted(things), len(things)):
            found = _changed_by(one, things[name], chance)
            if found is not None:
                done.append(one)
                return things | {name: found}
        return things

    for one in mutations:
        if one.kind == "cells":
            files = changed(one, files)
    contents = {name: file.render() for name, file in files.items()}
    for one in mutations:
        if one.kind == "bytes":
            contents = changed(one, contents)
    for one in mutations:
        if one.kind == "folder":
            contents = changed(one, {"": contents})[""]
    return contents, done


def _changed_by(one: Mutation, thing, chance: random.Random):
    try:
        return one.change(thing.copy() if isinstance(thing, File) else thing, chance)
    except (LookupError, ValueError):  # another mutation has taken away what this one would change
        return None


def _needed(file: File) -> list[str]:
    return [name for name in (DATA_COLUMNS if file.is_data else TABLE_COLUMNS) if name in file.header]


def _numeric(file: File, chance: random.Random) -> int:
    """The place of a column of numbers."""
    return file.place(chance.choice(["Value", "Rank"] if file.is_data else ["Average_score", "Segment", "Rank"]))


def _set(file: File, chance: random.Random, column: str, texts, metrics=None) -> File | None:
    """Another text in one cell of a column, of a row of some metrics."""
    if column not in file.header or (metrics and not file.is_data):
        return None
    rows = file.rows
    if metrics:
        rows = [row for row in rows if row[file.place("Metric_ID")].startswith(metrics)]
    if not rows:
        return None
    chance.choice(rows)[file.place(column)] = chance.choice(texts)
    return file


# --- what changes no table ---------------------------------------------------------------------------------


@mutation("rows shuffled", "cells", SAME)
def _(file, chance):
    chance.shuffle(file.rows)
    return file


@mutation("columns in another order", "cells", SAME)
def _(file, chance):
    if any(len(row) != len(file.header) for row in file.rows):
        return None
    order = list(range(len(file.header)))
    chance.shuffle(order)
    file.header = [file.header[place] for place in order]
    file.rows = [[row[place] for place in order] for row in file.rows]
    return file


@mutation("a column of no use dropped", "cells", SAME)
def _(file, chance):
    needed = (*(DATA_COLUMNS if file.is_data else TABLE_COLUMNS), "Quarter", "Reporting_date")
    # Another change may have put blanks about the names.
    spare = [name for name in file.header if name.strip() not in needed]
    return _without(file, chance.choice(spare)) if spare else None


@mutation("a column of no use added", "cells", SAME)
def _(file, chance):
    place = chance.randint(0, len(file.header))
    file.header.insert(place, f"Note {len(file.header)}")
    for row in file.rows:
        row.insert(place, chance.choice(["", "£5", "Café, new", 'a "b"', "two\nlines"]))
    return file


@mutation("blanks about cells", "cells", SAME)
def _(file, chance):
    blanks = ["", " ", "  ", "\t", "\N{NO-BREAK SPACE}"]
    file.rows = [[chance.choice(blanks) + cell + chance.choice(blanks) for cell in row] for row in file.rows]
    file.header = [chance.choice(blanks) + name + chance.choice(blanks) for name in file.header]
    return file


@mutation("numbers spelt in another way", "cells", SAME)
def _(file, chance):
    spellings = [
        lambda text: f"{float(text):.5f}",
        lambda text: f"{float(text):.12e}",
        lambda text: f"{float(text):+}",
        lambda text: "00" + text if text[0].isdigit() else text,
    ]
    for name in ("Value", "Rank", "Segment", "Average_score"):
        if name in file.header:
            for row in file.rows:
                text = row[file.place(name)]
                row[file.place(name)] = chance.choice(spellings)(text) if text.strip() else text
    return file


@mutation("every cell in quotes", "cells", SAME)
def _(file, chance):
    file.quote_all = True
    return file


@mutation("line ends", "cells", SAME)
def _(file, chance):
    file.newlines = chance.choice(
        [["\n"], ["\r\n"], ["\r"], ["\n", "\r\n"], ["\r\n", "\r", "\n"], ["\n\n", "\r\n\r\n"]]
    )
    file.last_newline = chance.random() < 0.5
    return file


@mutation("byte-order mark", "cells", SAME)
def _(file, chance):
    file.bom = not file.bom
    return file


@mutation("spellings of units, regions and quarters", "cells", SAME)
def _(file, chance):
    other = {
        "%": ["percent", "Percent", "per cent"],
        "percent": ["%"],
        "North East and Yorkshire": ["North East", "north  east"],
        "Q2 2025/26": ["Q2 25/26", "q2 2025/26", "Q2-2025-26"],
        "Q4 2025/26": ["Q4 25/26", "q4 2025/2026"],
        "Ambulance trust": ["AMBULANCE TRUST", "ambulance"],
    }
    file.rows = [[chance.choice(other[cell]) if cell in other else cell for cell in row] for row in file.rows]
    return file


@mutation("the same file under two names", "folder", SAME)
def _(contents, chance):
    name = chance.choice(sorted(contents))
    return contents | {f"copy of {name}": contents[name]}


@mutation("other files beside", "folder", SAME)
def _(contents, chance):
    return contents | {"notes.txt": b"\xff\0", ".hidden": b"", "figures.csv.part": b"half"}


# --- what must be refused ----------------------------------------------------------------------------------


def _without(file: File, column: str) -> File:
    place = file.place(column)
    del file.header[place]
    for row in file.rows:
        del row[place]
    return file


@mutation("a needed column dropped", "cells", REFUSED)
def _(file, chance):
    return _without(file, chance.choice(_needed(file)))


@mutation("a column doubled", "cells", REFUSED)
def _(file, chance):
    place, new = file.place(chance.choice(_needed(file))), chance.randint(0, len(file.header))
    for row in (file.header, *file.rows):
        row.insert(new, row[place])
    return file


@mutation("a needed column renamed", "cells", REFUSED)
def _(file, chance):
    column = chance.choice(_needed(file))
    names = [column.lower(), column + "s", column.replace("_", " "), "x" + column, "", column + "\u200b"]
    file.header[file.place(column)] = chance.choice([name for name in names if name != column])
    return file


@mutation("names of two columns swapped", "cells", REFUSED)
def _(file, chance):
    pairs = [("Trust_code", "Trust_name"), ("Trust_code", "Region")]
    pairs += [("Value", "Units"), ("Value", "Metric_ID")] if file.is_data else [("Segment", "Average_score")]
    one, two = (file.place(name) for name in chance.choice(pairs))
    file.header[one], file.header[two] = file.header[two], file.header[one]
    return file


@mutation("text in a number", "cells", REFUSED)
def _(file, chance):
    chance.choice(file.rows)[_numeric(file, chance)] = chance.choice(NO_NUMBERS)
    return file


@mutation("decimal commas", "cells", REFUSED)
def _(file, chance):
    place = file.place("Value" if file.is_data else "Average_score")
    for row in file.rows:
        row[place] = row[place].replace(".", ",")
    file.delimiter = chance.choice([",", ";", "\t"])
    return file


@mutation("another separator", "cells", REFUSED)
def _(file, chance):
    file.delimiter = chance.choice([";", "\t", "|"])
    return file


@mutation("a score, average or segment off its scale", "cells", REFUSED)
def _(file, chance):
    if not file.is_data:
        return _set(file, chance, chance.choice(["Average_score", "Segment"]), ["0", "0.99", "4.01", "5", "-1", "400"])
    return _set(file, chance, "Value", ["0", "0.99", "4.01", "5", "-1", "1e9"], (*RESULTS, *AVERAGED))


@mutation("a rank that is none", "cells", REFUSED)
def _(file, chance):
    return _set(file, chance, "Rank", ["0", "-1", "1.5", "1e-3", "0.0"])


@mutation("a flag that is none", "cells", REFUSED)
def _(file, chance):
    if file.is_data:
        return _set(file, chance, "Value", ["2", "-1", "0.5"], ("OF5004",))
    return _set(file, chance, "Trust_in_financial_deficit", ["Maybe", "2", "Y", "yes?"])


@mutation("a range that is none", "cells", REFUSED)
def _(file, chance):
    column = chance.choice(["Likely_range_of_average_score", "Likely_range_of_rank"])
    return _set(file, chance, column, ["3", "3-4", "4 to 3", "1 to x", "to", "1 to 2 to 3", "0 to 9", "1 to 1e400"])


@mutation("a code, name, type or metric that is none", "cells", REFUSED)
def _(file, chance):
    texts = {"Trust_code": ["", "rx7", "R X7", "R", "RX7\u200b", "ＲＸ７", "*"], "Trust_name": [""], "Trust_type": [""]}
    texts |= {"Metric_ID": ["", " ", "OF 5000", "OF5000\u200b"]} if file.is_data else {}
    column = chance.choice(sorted(texts))
    return _set(file, chance, column, texts[column])


@mutation("a quarter that is none", "cells", REFUSED)
def _(file, chance):
    return _set(file, chance, "Quarter", ["", "Q5 2025/26", "Q1 2025/27", "2025/26", "*", "Ｑ1 2025/26"])


@mutation("a trust under two types, names or regions", "cells", REFUSED)
def _(file, chance):
    code = file.place("Trust_code")
    row = chance.choice(file.rows)
    if sum(other[code] == row[code] for other in file.rows) < 2:
        return None
    row[file.place(chance.choice(["Trust_name", "Trust_type", "Trust_subtype", "Region"]))] = "Something else"
    return file


@mutation("rows doubled", "cells", REFUSED)
def _(file, chance):
    for _ in range(chance.choice([1, 1, 2, 20])):
        file.rows.insert(chance.randint(0, len(file.rows)), list(chance.choice(file.rows)))
    return file


@mutation("a row too long or too short", "cells", REFUSED)
def _(file, chance):
    row = chance.choice(file.rows)
    if chance.random() < 0.5:
        row.append("")
    else:
        del row[chance.randint(0, len(row) - 1)]
    return file


@mutation("the header once more", "cells", REFUSED)
def _(file, chance):
    file.rows.insert(chance.randint(0, len(file.rows)), list(file.header))
    return file


@mutation("a header and no rows", "cells", REFUSED)
def _(file, chance):
    file.rows = []
    return file


@mutation("two files put behind each other", "folder", REFUSED)
def _(contents, chance):
    names = sorted(name for name in contents if name.lower().endswith(".csv"))  # no other file is read
    name = chance.choice(names)
    return contents | {name: contents[name] + contents[chance.choice(names)]}


@mutation("a stray quote before a cell", "bytes", REFUSED)
def _(content, chance):
    places = [place for place, byte in enumerate(content) if byte == ord(",")]
    if not places:
        return None
    place = chance.choice(places) + 1
    return None if content[place : place + 1] in (b'"', b"") else content[:place] + b'"' + content[place:]


@mutation("NUL bytes", "bytes", REFUSED)
def _(content, chance):
    place = chance.randint(0, len(content))
    return content[:place] + bytes(chance.choice([1, 1, 2, 1000])) + content[place:]


@mutation("UTF-16 or UTF-32", "bytes", REFUSED)
def _(content, chance):
    return content.decode("utf-8-sig").encode(chance.choice(["utf-16", "utf-16-le", "utf-16-be", "utf-32"]))


@mutation("cp1252 or latin-1", "bytes", REFUSED)
def _(content, chance):
    text = content.decode("utf-8-sig", errors="replace").replace("�", "")
    return text.replace("Trust", chance.choice(["Trüst", "£rust", "Trust\xa0"]), 1).encode(
        chance.choice(["cp1252", "latin-1"]), errors="ignore"
    )


@mutation("no CSV file at all", "bytes", REFUSED)
def _(content, chance):
    others = [
        b"", b"\xef\xbb\xbf", b"\r\n\r\n", b"<!DOCTYPE html><html></html>", b"PK\x03\x04" + bytes(200), b"%PDF-1.7\n%\xe2",
        b"a,b,c\n1,2,3\n", b'{"figures": []}', b"\x1f\x8b\x08\0\0", b"version https://git-lfs.github.com/spec/v1\n",
    ]  # fmt: skip
    return chance.choice(others)


# --- what must be caught -----------------------------------------------------------------------------------


def _other(text: str, choices) -> list[str]:
    return [other for other in choices if float(other) != float(text)]


def _figure_changed(file: File, chance, metrics: tuple[str, ...], column: str, choices) -> File | None:
    rows = [
        row
        for row in file.rows
        if file.is_data and row[file.place("Metric_ID")].startswith(metrics) and row[file.place(column)].strip()
    ]
    if not rows:
        return None
    row = chance.choice(rows)
    place = file.place(column)
    row[place] = chance.choice(choices(row[place]))
    return file


def _off(text: str, by: float) -> list[str]:
    """Scores at least so far away."""
    return [f"{number / 100:.2f}" for number in range(100, 401) if abs(number / 100 - float(text)) > by - 0.005]


def _little_or_far_off(text: str) -> list[str]:
    """Averages by 0.02 off, the least that rounded scores must contradict, as often as any others."""
    off = _off(text, 0.02)
    little = [other for other in off if abs(float(other) - float(text)) < 0.025]
    return [*off, *little * (len(off) // len(little))]


@mutation("a score changed", "cells", CAUGHT)
def _(file, chance):
    return _figure_changed(file, chance, AVERAGED, "Value", lambda text: _off(text, 0.3))


@mutation("an average changed", "cells", CAUGHT)
def _(file, chance):
    return _figure_changed(file, chance, ("OF5002",), "Value", _little_or_far_off)


@mutation("a segment changed", "cells", CAUGHT)
def _(file, chance):
    return _figure_changed(file, chance, ("OF5000", "OF5003"), "Value", lambda text: _other(text, "1234"))


@mutation("a league rank changed", "cells", CAUGHT)
def _(file, chance):
    others = [str(number) for number in range(1, 11)]
    return _figure_changed(file, chance, ("OF5000", "OF5002"), "Rank", lambda text: _other(text, others))


@mutation("a domain score changed", "cells", CAUGHT)
def _(file, chance):
    return _figure_changed(file, chance, ("OF40",), "Value", _little_or_far_off)


@mutation("a combined finance score changed", "cells", CAUGHT)
def _(file, chance):
    return _figure_changed(file, chance, ("OF1080",), "Value", lambda text: _other(text, "1234"))


@mutation("a figure of a league table changed", "cells", CAUGHT)
def _(file, chance):
    if file.is_data:
        return None
    row, column = chance.choice(file.rows), chance.choice(["Segment", "Rank"])
    place = file.place(column)
    choices = "1234" if column == "Segment" else [str(number) for number in range(1, 11)]
    if not row[place].strip():
        return None
    row[place] = chance.choice(_other(row[place], choices))
    return file


# --- what nobody can know beforehand ------------------------------------------------------------------------


@mutation("marks of suppression", "cells", FREE)
def _(file, chance):
    for _ in range(chance.choice([1, 1, 3, 30])):
        chance.choice(file.rows)[_numeric(file, chance)] = chance.choice(MARKS)
    return file


@mutation("other numbers", "cells", FREE)
def _(file, chance):
    chance.choice(file.rows)[_numeric(file, chance)] = chance.choice([*NUMBERS, "1", "2", "3.14", "4"])
    return file


@mutation("a cell of another row or column", "cells", FREE)
def _(file, chance):
    row, other = chance.choice(file.rows), chance.choice(file.rows)
    place = chance.randrange(len(file.header))
    row[place] = other[chance.choice([place, chance.randrange(len(file.header))])]
    return file


@mutation("two columns swapped", "cells", FREE)
def _(file, chance):
    one, two = chance.sample(range(len(file.header)), 2)
    file.header[one], file.header[two] = file.header[two], file.header[one]
    return file


@mutation("rows lost", "cells", FREE)
def _(file, chance):
    for _ in range(chance.choice([1, 1, 5, len(file.rows) // 2])):
        del file.rows[chance.randrange(len(file.rows))]
    return file


@mutation("a trust or metric lost or renamed", "cells", FREE)
def _(file, chance):
    column = chance.choice(["Trust_code", "Metric_ID"] if file.is_data else ["Trust_code"])
    place = file.place(column)
    gone, new = chance.choice(file.rows)[place], chance.choice(["", "X99", "OF0999", "OF1999"])
    file.rows = [
        [*row[:place], new, *row[place + 1 :]] if row[place] == gone else row
        for row in file.rows
        if new or row[place] != gone
    ] or file.rows
    return file


@mutation("text that does not belong", "cells", FREE)
def _(file, chance):
    odd = [
        "<script>",
        "a\r\nb",
        "\u202e",
        "\ufeff",
        "x" * 5000,
        "=cmd()",
        "\\",
        "'",
        "None",
        "\U0001f600",
        "\x1b[31m",
        "\x85",
    ]
    chance.choice(file.rows)[chance.randrange(len(file.header))] = chance.choice(odd)
    return file


@mutation("another quarter", "cells", FREE)
def _(file, chance):
    if "Quarter" not in file.header:
        return None
    other, some = chance.choice(["Q1 2025/26", "Q3 2025/26", "Q1 2026/27", "Q2 2031/32"]), chance.choice([0.0, 0.5])
    for row in file.rows:
        if chance.random() >= some:
            row[file.place("Quarter")] = other
    return file


@mutation("cut off at any byte", "bytes", FREE)
def _(content, chance):
    return content[: chance.randint(0, len(content))]


@mutation("cut off in front at any byte", "bytes", FREE)
def _(content, chance):
    return content[chance.randint(0, len(content)) :]


@mutation("some bytes lost", "bytes", FREE)
def _(content, chance):
    start = chance.randint(0, len(content))
    return content[:start] + content[start + chance.choice([1, 1, 2, 40, 4000]) :]


@mutation("bytes replaced", "bytes", FREE)
def _(content, chance):
    changed = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 10])):
        if changed:
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


@mutation("pieces put in", "bytes", FREE)
def _(content, chance):
    pieces = [
        b'"',
        b'""',
        b",",
        b"\n",
        b"\r",
        b"\xef\xbb\xbf",
        b"\xc2\xa0",
        b"e9",
        b"-",
        b".",
        b"5",
        b"\xe2\x80\xa8",
        b"\x1a",
        b";",
    ]
    place = chance.randint(0, len(content))
    return content[:place] + chance.choice(pieces) + content[place:]


@mutation("a part written twice", "bytes", FREE)
def _(content, chance):
    start, end = sorted(chance.randint(0, len(content)) for _ in range(2))
    return content[:end] + content[start:]


@mutation("another file name", "folder", FREE)
def _(contents, chance):
    name = chance.choice(sorted(contents))
    new = chance.choice(
        ["q2-25-26.csv", "x-q9-25-26.csv", "new-v2.csv", "ünï.CSV", "a b.csv", "q1-25-26-v99999999999.csv"]
    )
    return {new if other == name else other: content for other, content in contents.items()}


@mutation("half of a file in a second file", "folder", FREE)
def _(contents, chance):
    name = chance.choice(sorted(contents))
    lines = contents[name].splitlines(keepends=True)
    chosen = [line for line in lines[1:] if chance.random() < 0.5]
    return contents | {chance.choice(["second.csv", "second-v2.csv"]): b"".join([*lines[:1], *chosen])}


@mutation("a figure changed in a second file", "folder", FREE)
def _(contents, chance):
    name = chance.choice(sorted(contents))
    content = contents[name]
    digits = [place for place, byte in enumerate(content) if 48 <= byte < 58]
    if not digits:
        return None
    place = chance.choice(digits)
    other = content[:place] + bytes([chance.randrange(48, 58)]) + content[place + 1 :]
    return contents | {chance.choice(["second.csv", "second-v2.csv"]): other}
