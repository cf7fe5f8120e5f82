"""Runs that grow without one of their rules."""

from __future__ import annotations

from typing import Any

from segue.engine.abilities import delegating, handing_on
from segue.stores import spending
from segue.stores.memory import state as memory_state
from segue.stores.memory.growing import Growing
from segue.testing.simulation.planting import without


@without("child not waited for", "A run waits for what was delegated.", (Growing, "_append"))
def _does_not_count(original: Any) -> Any:
    def append(self: Any, run: Any, *args: Any) -> None:
        original(self, run, *args)
        run.waits_for -= 1

    return append


@without(
    "asked twice",
    "A task that is tried again finds what it has delegated before.",
    (delegating, "children_of"),
    season="crashes",
)
def _finds_nothing(_: Any) -> Any:
    return lambda *args: []


@without("pairs only", "A path is bounded as a whole, whoever is on it.", (handing_on, "further"))
def _looks_back_one_step(original: Any) -> Any:
    return lambda way, stop, bounds: (*way[:-1], *original(way[-1:], stop, bounds))


@without(
    "lost is given back",
    "What an attempt had set aside when it was lost counts as spent.",
    (spending, "_settled"),
    season="crashes",
)
def _gives_back(_: Any) -> Any:
    def settled(accounts: Any, reservation: Any, spent: Any) -> Any:
        nothing = tuple((part.unit, 0) for part in reservation.parts)
        accounts.spend(reservation.parts, (), nothing)
        return reservation._replace(spent=nothing)

    return settled


@without(
    "share kept",
    "What was not spent of a share comes back with the last task that it is for.",
    (memory_state, "give_back"),
)
def _keeps_it(_: Any) -> Any:
    return lambda rows, node, item: None
