"""Random numbers in fixed blocks: results depend on the seed and nothing else.

Every simulation draws in blocks of `BLOCK` draws. Block number b takes its numbers from child b of
the seed, so it is the same whichever worker runs it, however many run at a time and however many
blocks are held in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from nofcore.errors import InputError

BLOCK = 1_000

Tally = TypeVar("Tally")


@dataclass(frozen=True)
class Block:
    """One block of draws: how many, and the seed of its own."""

    size: int
    seed: np.random.SeedSequence

    def generator(self) -> np.random.Generator:
        return np.random.Generator(np.random.SFC64(self.seed))


def blocks(draws: int, seed: int) -> Iterator[Block]:
    """The blocks of a number of draws; the last may be smaller. InputError unless draws and seed make sense."""
    if draws < 1:
        raise InputError(f"the number of draws must be at least 1, not {draws}")
    if seed < 0:
        raise InputError(f"the seed must be a whole number from 0, not {seed}")
    for number, start in enumerate(range(0, draws, BLOCK)):
        yield Block(min(BLOCK, draws - start), np.random.SeedSequence(seed, spawn_key=(number,)))


def tally(
    work: Callable[[Block], Tally],
    add: Callable[[Tally, Tally], Tally],
    draws: int,
    seed: int,
    executor: Executor | None,
) -> Tally:
    """Run ``work`` on every block and add up what it gives, in the order of the blocks.

    ``executor``: where to run; None for here. Blocks are handed out a few at a time, so that memory
    does not grow with the number of draws.
    """
    total = None
    for part in _results(work, blocks(draws, seed), executor):
        total = part if total is None else add(total, part)
    return total


def _results(work, waiting: Iterator[Block], executor: Executor | None, ahead: int = 8) -> Iterator:
    if executor is None:
        yield from map(work, waiting)
        return
    running = []
    for block in waiting:
        running.append(executor.submit(work, block))
        if len(running) == ahead:
            yield running.pop(0).result()
    for future in running:
        yield future.result()
