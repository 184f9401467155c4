"""Reading NHS England's files: time and peak memory of three files and of a million rows.

Each measurement is a process of its own, so that the peak is of that reading alone. As times of a shared machine
drift, each is also given as a multiple of the time that the csv module alone takes over the same files in the same
process. ``python -m benchmarks.reading``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from itertools import count, cycle, islice
from pathlib import Path

from benchmarks.timing import RUNS

ROWS = 1_000_000
THREE = {"seconds": 0.5, "gigabytes": 1.5}
MILLION = {"seconds": 8.0, "gigabytes": 1.5}

MEASURE = """
import csv, json, resource, sys, time
from pathlib import Path
from nofcore import release, schemas
folder, runs = Path(sys.argv[1]), int(sys.argv[2])
alone, took, cpu = [], [], []
for _ in range(runs):
    start = time.perf_counter()
    for path in folder.glob("*.csv"):
        with path.open(encoding="utf-8-sig", newline="") as handle:
            for row in csv.reader(handle):
                pass
    alone.append(time.perf_counter() - start)
    start, spent = time.perf_counter(), time.process_time()
    try:
        figures, problems = release.read(folder), 0
    except release.InputError as error:
        figures, problems = None, len(error.problems)
    took.append(time.perf_counter() - start)
    cpu.append(time.process_time() - spent)
rows = len(figures.observations) if figures else 0
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
print(json.dumps([rows, problems, sorted(took), min(cpu), min(alone), peak]))
"""


def measure(what: str, folder: Path, bars: dict[str, float], runs: int = RUNS) -> None:
    """Print what reading a folder takes, beside its bars."""
    command = [sys.executable, "-c", MEASURE, str(folder), str(runs)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    rows, problems, took, cpu, alone, peak = json.loads(result.stdout)
    read = f"{rows:,} rows" if rows else f"{problems:,} problems"
    print(
        f"{what + ', ' + read:60} best {took[0]:.2f} s, median {took[len(took) // 2]:.2f} s (processor {cpu:.2f} s), "
        f"{took[0] / alone:.1f} times the csv module alone; bar {bars['seconds']:g} s; "
        f"peak {peak:.2f} GB; bar {bars['gigabytes']:g} GB"
    )


def million(folder: Path, wrong: bool = False) -> Path:
    """A data file of a million rows: the acute trusts of the first release again and again under new codes.

    With ``wrong`` a cell of each row is not a number.
    """
    from tests import makers

    header, *lines = makers.content(makers.data_rows(types=[makers.ACUTE]), quarter_column=False).split(b"\r\n")[:-1]
    place = header.split(b",").index(b"Trust_code")
    with (folder / "million.csv").open("wb") as file:
        file.write(header + b"\r\n")
        file.writelines(islice(_again(lines, place, wrong), ROWS))
    return folder


def doubled(folder: Path) -> Path:
    """A data file of a million rows: those of the first release again and again, under the codes they have."""
    from tests import makers

    header, *lines = makers.content(makers.data_rows(types=[makers.ACUTE]), quarter_column=False).split(b"\r\n")[:-1]
    with (folder / "doubled.csv").open("wb") as file:
        file.write(header + b"\r\n")
        file.writelines(line + b"\r\n" for line in islice(cycle(lines), ROWS))
    return folder


def _again(lines: list[bytes], place: int, wrong: bool):
    parts = [line.split(b",", place + 1) for line in lines]
    for number in count():
        for before in parts:
            *start, code, rest = before
            yield b",".join([*start, code + b"%d" % number, rest + (b"x" if wrong else b"")]) + b"\r\n"


def three(folder: Path) -> Path:
    """One data file a trust type: acute for one quarter, the others for four, as NHS England publishes them."""
    from tests import makers
    from tests.makers import ACUTE, AMBULANCE, COMMUNITY, Q1, Q2, Q3, Q4

    for name, trust_type, quarters in (
        ("acute", ACUTE, [Q1]),
        ("ambulance", AMBULANCE, [Q1, Q2, Q3, Q4]),
        ("community", COMMUNITY, [Q1, Q2, Q3, Q4]),
    ):
        makers.write(folder / f"{name}.csv", makers.data_rows(quarters, [trust_type]))
    return folder


def main() -> None:
    """Print a line per measurement."""
    with tempfile.TemporaryDirectory() as folder:
        measure("three files", three(Path(folder)), THREE)
    for what, wrong in (("a million rows", False), ("a million rows, each wrong", True)):
        with tempfile.TemporaryDirectory() as folder:
            measure(what, million(Path(folder), wrong), MILLION, runs=2)
    with tempfile.TemporaryDirectory() as folder:
        measure("a million rows, doubled", doubled(Path(folder)), MILLION, runs=2)


if __name__ == "__main__":
    main()
