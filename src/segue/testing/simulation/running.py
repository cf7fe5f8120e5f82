"""Plays worlds: one, or a range of seeds on several cores; what a failure says, and what a sample has shown."""

from __future__ import annotations

import multiprocessing
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from segue.testing.simulation.mutants import planted
from segue.testing.simulation.trace import Trace
from segue.testing.simulation.world import Violation, World

SEEDS_AT_ONCE = 50
"""How many seeds one core plays before it reports."""


class Failure(NamedTuple):
    """A world in which an invariant did not hold, in words and with the command that plays it again."""

    seed: int
    invariant: str
    text: str


@dataclass(slots=True)
class Sample:
    """What came of a range of seeds. `sometimes` counts what was seen: faults, and what the engine made of them."""

    seeds: int = 0
    steps: int = 0
    virtual_seconds: float = 0.0
    sometimes: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    def add(self, other: Sample) -> None:
        """Add another range."""
        self.seeds += other.seeds
        self.steps += other.steps
        self.virtual_seconds += other.virtual_seconds
        self.sometimes += other.sometimes
        self.failures += other.failures


def simulate(seed: int, mutant: str | None = None, trace: Trace | None = None) -> Sample:
    """Play the world of one seed, with a rule taken out of the code if a mutant is named."""
    sample = Sample(seeds=1)
    with planted(mutant):
        world = World(seed, trace)
        try:
            world.run()
        except Violation as violation:
            lines = violation.last_lines
            sample.failures.append(
                _failure(seed, mutant, violation.step, violation.invariant, violation.what, lines)
            )
        except Exception:  # noqa: BLE001 - what the code raises where it must not is a finding like any other
            lines = [*world.trace.last_lines, *traceback.format_exc().splitlines()]
            sample.failures.append(_failure(seed, mutant, world.step, "error", "something raised", lines))
        sample.steps = world.step
        sample.virtual_seconds = world.now
        sample.sometimes = world.sometimes
    return sample


def simulate_range(first: int, count: int, mutant: str | None = None) -> Sample:
    """Play the worlds of several seeds, one after another."""
    sample = Sample()
    for seed in range(first, first + count):
        sample.add(simulate(seed, mutant))
    return sample


def simulate_many(
    first: int, count: int, jobs: int, mutant: str | None, tell: Callable[[Sample], None]
) -> Sample:
    """Play a range on several cores; `tell` hears of the sum from time to time."""
    sample = Sample()
    if jobs == 1:
        for start, length in _pieces(first, count):
            sample.add(simulate_range(start, length, mutant))
            tell(sample)
        return sample
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        play = partial(simulate_range, mutant=mutant)
        for piece in as_completed([pool.submit(play, *each) for each in _pieces(first, count)]):
            sample.add(piece.result())
            tell(sample)
    sample.failures.sort()
    return sample


def _pieces(first: int, count: int) -> Iterator[tuple[int, int]]:
    for start in range(first, first + count, SEEDS_AT_ONCE):
        yield start, min(SEEDS_AT_ONCE, first + count - start)


def _failure(
    seed: int, mutant: str | None, step: int, invariant: str, what: str, last_lines: list[str]
) -> Failure:
    again = f"python -m segue.testing.simulation --seed {seed}"
    again += f" --mutant {mutant!r}" if mutant is not None else ""
    text = "\n".join(
        [
            f"seed {seed}, step {step}: {invariant}: {what}",
            *(f"  {line}" for line in last_lines),
            f"play it again: {again} --trace",
        ]
    )
    return Failure(seed, invariant, text)
