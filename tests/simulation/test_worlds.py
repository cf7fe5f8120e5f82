"""The real engine in worlds that a seed decides: every invariant holds, and the worlds were worth playing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from segue.testing.simulation import Sample, Trace, simulate, simulate_many, simulate_range

FAULTS = (
    *("refused", "written and refused", "doubled", "slow", "crash before", "crash after", "call cut off"),
    *("wake-up lost", "wake-up doubled", "wake-up late"),
    *("outage", "pause", "kill", "stop", "poison"),
)
TRANSITIONS = (
    *(
        "lease ran out",
        "death noticed",
        "renewal refused",
        "taken over",
        "two executions of one task at once",
    ),
    *("settlement repeated", "settlement stale", "late result accepted"),
    *("ending retry", "ending handed_back", "ending skipped", "ending expanded", "ending needs_review"),
    *("started before its input was committed", "submitted again", "decision repeated", "decision stale"),
    *("ending dead", "ending in_doubt", "ending reassigned", "redrive accepted", "doubt accepted", "paid"),
    *("approved by a person", "approved in the end", "rejected in the end", "escalated in the end"),
    *("word refused: no right", "word refused: other digest", "word refused: expired"),
    *("ending unreadable", "old word for new code", "old word for old code", "new word for new code"),
    *("pool used up", "place kept while parked", "deadlock accepted", "deadlock stale", "ending deadlocked"),
    *("run complete", "run failed", "run cancelled", "parked until a person decides"),
    *("share came back", "call paid for"),
    *("event handled", "event handled again", "monitor failed", "consumer granted", "consumer taken over"),
    *(
        "pause accepted",
        "pause repeated",
        "pause ended by itself",
        "pause ended with its task",
        "resume accepted",
        "reassign accepted",
    ),
    *("cancel accepted", "annotate accepted", "control refused"),
)


def check(sample: Sample, least: int) -> None:
    assert [failure.text for failure in sample.failures] == []
    rare = {what: sample.sometimes[what] for what in FAULTS + TRANSITIONS if sample.sometimes[what] < least}
    assert rare == {}, "a sample that has not seen these often enough proves nothing about them"


def test_invariants_hold_in_a_sample() -> None:
    """300 worlds show every fault and every rare transition, and no invariant is violated."""
    check(simulate_range(0, 300), least=1)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_invariants_hold_in_ten_thousand_worlds() -> None:
    """10,000 worlds show every fault and every rare transition many times, and no invariant is violated."""
    check(simulate_many(0, 10_000, os.cpu_count() or 1, None, lambda sample: None), least=25)


def digest(seed: int) -> str:
    trace = Trace(hashed=True)
    assert simulate(seed, trace=trace).failures == []
    return trace.digest


def test_a_seed_decides_everything() -> None:
    """The same seed gives the same trace to the last event, in another process with other hashes too."""
    seeds = range(20)
    here = [digest(seed) for seed in seeds]
    assert [digest(seed) for seed in seeds] == here
    assert len(set(here)) == len(here)
    program = (
        f"from tests.simulation.test_worlds import digest\nprint(*[digest(seed) for seed in {list(seeds)}])"
    )
    for hash_seed in ("1", "2"):
        told = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert told.stdout.split() == here
