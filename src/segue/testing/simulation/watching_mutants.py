"""Code without one of the rules of monitors and subscriptions."""

from __future__ import annotations

from typing import Any

from segue.engine import consuming
from segue.stores.memory.consuming import Consumer
from segue.stores.memory.store import MemoryStore
from segue.testing.simulation.planting import without


@without(
    "consumer without a fence",
    "Only who holds a consumer moves it on.",
    (Consumer, "answers"),
    season="watched",
)
def _from_anybody(_: Any) -> Any:
    return lambda self, token: True


@without(
    "consumer granted twice",
    "A consumer is held by one worker at a time, until its lease is over.",
    (MemoryStore, "consume"),
    season="watched",
)
def _to_whoever_asks(original: Any) -> Any:
    async def consume(self: Any, request: Any) -> Any:
        self._consumers[request.consumer].lease = 0.0
        return await original(self, request)

    return consume


@without(
    "noted before it was handled",
    "An event is noted when it was handled, and not before.",
    (consuming.Consumer, "_error_of"),
    season="watched",
)
def _notes_first(original: Any) -> Any:
    async def error_of(self: Any, token: Any, event: Any) -> Any:
        await self._note(token, event.cursor, self._lease_seconds)
        return await original(self, token, event)

    return error_of


@without(
    "failed event passed over",
    "What could not be handled is tried again.",
    (consuming.Consumer, "_error_of"),
    season="watched",
)
def _forgives(original: Any) -> Any:
    async def error_of(self: Any, token: Any, event: Any) -> None:
        await original(self, token, event)

    return error_of


@without(
    "commands forgotten",
    "Under one name a run obeys once.",
    (MemoryStore, "control"),
    season="watched",
)
def _obeys_again(original: Any) -> Any:
    async def control(self: Any, control: Any) -> Any:
        self._state.runs[control.run].commands.pop(control.command, None)
        return await original(self, control)

    return control
