"""Read many damaged folders and count what came of them: ``make fuzz`` (OPTIONS='--inputs 20000 --seed 7').

The same seed gives the same inputs. Every input that breaks a rule is written to a folder, with what it broke.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

from tests.fuzz import mutations, oracle
from tests.fuzz.files import MADE, OFFICIAL, PUBLISHED, Base
from tests.fuzz.mutations import ALL, Mutation, expected

BROKEN = "BROKEN RULE"
TOGETHER = (1, 1, 1, 2, 3)
"""How many mutations an input has, drawn from these."""


def drawn(chance: random.Random, first: Mutation) -> list[Mutation]:
    """A mutation and, often, others behind it."""
    return [first, *chance.sample(ALL, chance.choice(TOGETHER) - 1)]


def base_of(number: int, chance: random.Random) -> Base:
    """Mostly the made folders, which are small; NHS England's own files now and then where they are beside."""
    if OFFICIAL.is_dir() and number % 25 == 0:
        return chance.choice(PUBLISHED)
    return chance.choice(MADE)


@dataclass(frozen=True)
class Tried:
    """An input that was tried: what came of it, or what it broke, and the seconds that it took."""

    first: str
    outcome: str
    seconds: float


def one(seed: int, number: int, keep: Path) -> Tried:
    """Try the input with this number; one that breaks a rule is kept."""
    began, name = time.perf_counter(), f"{seed}-{number}"
    chance, first = random.Random(name), ALL[number % len(ALL)]
    done = []
    while first not in done:  # a folder without league table has none that could be changed
        base = base_of(number, chance)
        contents, done = mutations.apply(base.copy(), drawn(chance, first), chance)
    try:
        outcome = oracle.judge(base, contents, expected(done)).outcome
    except oracle.BrokenRuleError as error:
        outcome = BROKEN
        _keep(keep / name, base, contents, f"{', '.join(map(str, done))}\n{error}")
    return Tried(first.name, outcome, time.perf_counter() - began)


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    began, counts, seconds = time.perf_counter(), defaultdict(Counter), Counter()
    with ProcessPoolExecutor(options.workers) as pool:
        trials = pool.map(one, repeat(options.seed), range(options.inputs), repeat(options.keep), chunksize=10)
        for number, tried in enumerate(trials, start=1):
            counts[tried.first][tried.outcome] += 1
            seconds[tried.first] += tried.seconds
            if number % 250 == 0:
                took = time.perf_counter() - began
                print(f"{number:,} of {options.inputs:,}, {took:.0f} s", file=sys.stderr, flush=True)
    print(_table(counts, seconds))
    broken = sum(found[BROKEN] for found in counts.values())
    took = time.perf_counter() - began
    print(f"\n{options.inputs:,} inputs, seed {options.seed}, {took:.0f} s; broken rules: {broken}")
    if broken:
        print(f"the inputs are in {options.keep}", file=sys.stderr)
    return 1 if broken else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=5_000, metavar="N", help="default: 5000")
    parser.add_argument("--seed", type=int, default=20250909, metavar="S", help="default: 20250909")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes; default: 2")
    parser.add_argument(
        "--keep", type=Path, default=Path("build/fuzz"), metavar="DIR", help="where inputs that break a rule are put"
    )
    return parser.parse_args(arguments)


def _keep(folder: Path, base: Base, contents: dict[str, bytes], why: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "why.txt").write_text(f"{base.name}, {base.quarter}, {base.trust_type}\n{why}\n", "utf-8")


def _table(counts: dict[str, Counter], seconds: Counter) -> str:
    columns = ["inputs", *oracle.OUTCOMES, BROKEN, "seconds"]
    lines = [f"{'first mutation':48}" + "".join(f"{name:>22}" for name in columns)]
    total = Counter()
    for name, found in counts.items():
        total.update(found)
        lines.append(_line(name, found, seconds[name]))
    return "\n".join([*lines, _line("all", total, seconds.total())])


def _line(name: str, found: Counter, took: float) -> str:
    cells = [found.total(), *(found[outcome] for outcome in (*oracle.OUTCOMES, BROKEN))]
    return f"{name:48}" + "".join(f"{cell:>22,}" for cell in cells) + f"{took:>22.1f}"


if __name__ == "__main__":
    sys.exit(main())
