"""The simulation sees what it is there to see: without a rule, an invariant is violated within ten worlds."""

from __future__ import annotations

import pytest

from segue.testing.simulation import MUTANTS, simulate

CAUGHT_BY = {
    "a pause outlives its task": "I18",
    "a pause without end": "I18",
    "born awake": "I18",
    "cancelled and still held": "I3",
    "ready past its deadline in spite of a pause": "I18",
    "tried again in spite of a pause": "I18",
    "acknowledged before it is written": "I2",
    "anybody decides": "I13",
    "asked the same again": "I13",
    "asked twice": "I16",
    "blind expire": "I1 I6",
    "cancel does not revoke": "I8",
    "checked before it listens": "I8",
    "child not waited for": "I16",
    "claim asked for anew": "I10",
    "claim started twice": "I10",
    "commands forgotten": "I15 I18",
    "completion not idempotent": "I2",
    "consumer granted twice": "I15",
    "consumer without a fence": "I15",
    "counted again": "I5 I8",
    "cursor jumps": "I9",
    "doubt ignored": "I12",
    "end counted again": "I8",
    "epoch goes back": "I7",
    "error taken for not written": "I10",
    "error taken for written": "I10",
    "event without state": "I6",
    "failed event passed over": "I15",
    "failure is not passed on": "I5",
    "gap in the sequence": "I6",
    "granted twice": "I1",
    "handed back is an attempt": "I10",
    "goes on without its places": "I19",
    "heartbeat revives": "I3",
    "join started early": "I5",
    "kept places given out": "I19",
    "keys ignored": "I1 I2",
    "late results refused": "I2",
    "later not pinned": "I4",
    "leases by the wall clock": "I8 I10",
    "losses not counted": "I10",
    "lost is given back": "I17",
    "no delay": "I10",
    "no fence": "I3",
    "no net": "I8",
    "nobody renews": "I10",
    "nobody sweeps": "I8",
    "noted before it was handled": "I15",
    "nobody untangles": "I8",
    "nothing handed back": "I10 I11",
    "overwritten version": "I2",
    "overrun keeps its claim": "I3",
    "pairs only": "I16",
    "parked taken for progress": "I20",
    "place before pool": "I8",
    "place that comes twice": "I11",
    "place that is lost": "I8 I11",
    "places beyond the capacity": "I19",
    "places without end": "I11",
    "renewed without epoch": "I3 I10",
    "repeated claim takes more": "I10",
    "share kept": "I17",
    "silence taken for an end": "I10",
    "silent is dead": "I10",
    "some of what is needed": "I19",
    "stale accepted silently": "I3",
    "stale pins": "I4",
    "state without event": "I6",
    "status only": "I2 I3",
    "decided at any time": "I13",
    "digest not compared": "I13",
    "review left out": "I13",
    "steps forgotten": "I12",
    "superseded goes on": "I3",
    "tried again twice": "I1 I2 I6",
    "tries without end": "I10",
    "two decisions": "I1 I6 I13",
    "newer is cut to fit": "I14",
    "older is filled with nothing": "I14",
    "read by anybody": "I14",
    "read by nobody": "I8",
    "unreadable is an attempt": "I10",
}
"""Which invariants each mutant may violate first: it must be caught for what it is, and not because it broke."""


def test_every_rule_has_its_mutant() -> None:
    """The table above names all mutants that there are, and there are many."""
    assert set(CAUGHT_BY) == set(MUTANTS)
    assert len(MUTANTS) >= 40


@pytest.mark.parametrize("name", sorted(CAUGHT_BY))
def test_a_mutant_is_caught(name: str) -> None:
    """Code without the rule violates the invariant that the rule is there for, in one of ten worlds."""
    violated: set[str] = set()
    for seed in MUTANTS[name].seeds:
        violated |= {failure.invariant for failure in simulate(seed, name).failures}
        if violated:
            break
    assert violated & set(CAUGHT_BY[name].split()), f"{MUTANTS[name].rule} Violated: {violated or 'nothing'}"


def test_the_code_as_it_is_passes_in_the_same_worlds() -> None:
    """Where the mutants are caught nothing is wrong without them."""
    seeds = {seed for mutant in MUTANTS.values() for seed in mutant.seeds}
    assert [failure.text for seed in sorted(seeds) for failure in simulate(seed).failures] == []
