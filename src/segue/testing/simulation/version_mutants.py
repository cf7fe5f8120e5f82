"""Code without one of the rules by which old and new code work on one store."""

from __future__ import annotations

import json
from typing import Any

from segue.domain.envelope.upcasting import Upcasting
from segue.errors import NewerPayload
from segue.stores.memory import claiming
from segue.stores.memory.store import MemoryStore
from segue.testing.simulation.planting import without


@without(
    "newer is cut to fit",
    "What is newer than a process is left to others, and no field of it is taken away.",
    (Upcasting, "document"),
)
def _cut(original: Any) -> Any:
    def document(self: Any, data: bytes, part: Any) -> bytes:
        try:
            cut: bytes = original(self, data, part)
        except NewerPayload:
            cut = json.dumps({"text": json.loads(data)["text"]}).encode()
        return cut

    return document


@without(
    "older is filled with nothing",
    "What is older is brought up by the upcasters that were declared.",
    (Upcasting, "document"),
)
def _fill(original: Any) -> Any:
    def document(self: Any, data: bytes, part: Any) -> bytes:
        brought_up: bytes = original(self, data, part)
        if brought_up != data:
            return json.dumps({**json.loads(data), "why": ""}).encode()
        return brought_up

    return document


@without(
    "read by anybody",
    "A task that requires something is given only to those that read it.",
    (claiming, "can_read"),
)
def _anybody(_: Any) -> Any:
    return lambda requires, reads: True


@without(
    "read by nobody",
    "A worker says what it reads beyond first versions, and is given what requires that.",
    (claiming, "can_read"),
)
def _nobody(_: Any) -> Any:
    return lambda requires, reads: False


@without(
    "unreadable is an attempt",
    "That a worker could not read a task is no attempt at it.",
    (MemoryStore, "_return"),
)
def _counts_it(original: Any) -> Any:
    def give_back(self: Any, task: Any, ending: str, settlement: Any) -> None:
        original(self, task, ending, settlement)
        task.attempt += ending == "unreadable"

    return give_back
