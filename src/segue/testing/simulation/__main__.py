"""`python -m segue.testing.simulation`: play worlds, one with everything that happens in it, or many."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from segue.ports.clock import SystemClock
from segue.testing.simulation.mutants import MUTANTS
from segue.testing.simulation.running import Sample, simulate, simulate_many
from segue.testing.simulation.trace import Trace

FAILURES_SHOWN = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what the command line asks for; 1 if an invariant did not hold."""
    parser = argparse.ArgumentParser(prog="python -m segue.testing.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="play this world")
    parser.add_argument("--trace", action="store_true", help="show everything that happens in it")
    parser.add_argument("--seeds", type=int, default=300, help="play so many worlds (300)")
    parser.add_argument("--first", type=int, default=0, help="the first of their seeds (0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="on so many cores (all)")
    parser.add_argument(
        "--mutant", choices=sorted(MUTANTS), metavar="NAME", help="take a rule out of the code"
    )
    parser.add_argument("--mutants", action="store_true", help="list the rules that can be taken out")
    given = parser.parse_args(arguments)
    if given.mutants:
        for name, mutant in MUTANTS.items():
            _say(f"{name:<36} {mutant.rule}")
        return 0
    if given.seed is not None:
        sample = simulate(given.seed, given.mutant, Trace(show=_say if given.trace else None))
    else:
        sample = _play_many(given)
    for failure in sample.failures[:FAILURES_SHOWN]:
        _say(failure.text)
    if sample.seeds > 1:
        for what, times in sorted(sample.sometimes.items()):
            _say(f"{times:>9,}  {what}")
    _say(
        f"{sample.seeds:,} seeds, {sample.steps:,} turns, {sample.virtual_seconds:,.0f} s of their time: "
        f"{len(sample.failures)} with a violation"
    )
    return 1 if sample.failures else 0


def _play_many(given: argparse.Namespace) -> Sample:
    clock = SystemClock()
    began = clock.boot()

    def tell(sample: Sample) -> None:
        rate = sample.seeds / max(clock.boot() - began, 1e-9)
        sys.stderr.write(f"\r{sample.seeds:,} seeds, {rate:,.0f}/s, {len(sample.failures)} violations ")
        sys.stderr.flush()

    sample = simulate_many(given.first, given.seeds, given.jobs, given.mutant, tell)
    sys.stderr.write("\n")
    return sample


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
