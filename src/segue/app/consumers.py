"""How far monitors and subscriptions have got, and a person's word on one that does not get on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from segue.app.saying import check_said
from segue.domain.consumers import ConsumerRecord
from segue.errors import UsageError
from segue.ports.store import Store

Word = Literal["retry", "skip", "forget"]


@dataclass(frozen=True, slots=True)
class ConsumerView:
    """
    A monitor or subscription: `position` is the place in the store's log up to which it is done, `lag` how many events
    come after that, `worker` who handles events at present. `failures` is how often the event that comes next could not
    be handled and `error` why; while it is `parked` a person has to decide.
    """

    name: str
    position: int
    lag: int
    worker: str | None
    failures: int
    parked: bool
    error: dict[str, Any] | None


async def read_consumer_views(store: Store, name: str | None = None) -> tuple[ConsumerView, ...]:
    """All of them, by name, or one. Raises UsageError if there is none of that name."""
    found = await store.read_consumers()
    if name is not None and all(each.name != name for each in found):
        raise UsageError(f"there is no consumer {name!r} in this store", remedy=_those_there_are(found))
    return tuple(_view(each) for each in found if name in (None, each.name))


async def decide(store: Store, name: str, word: Word, *, by: str, note: str) -> None:
    """
    Let a parked consumer try again, or go on without the event that it could not handle; or forget one.

    Raises UsageError if it is not parked, is held by a worker, or is not there.
    """
    check_said(by, note=note)
    (view,) = await read_consumer_views(store, name)
    if word == "forget":
        if not await store.forget_consumer(name):
            raise UsageError(
                f"worker {view.worker} handles events for {name!r}",
                remedy="Stop the workers that have it first.",
            )
        return
    data = json.dumps({"by": by, "note": note}, ensure_ascii=False, separators=(",", ":"))
    if not await store.unpark(name, past=word == "skip", data=data):
        raise UsageError(
            f"{name!r} is not parked", remedy="It goes on by itself; `segue consumers` shows how far."
        )


def _view(record: ConsumerRecord) -> ConsumerView:
    error = json.loads(record.error) if record.error is not None else None
    return ConsumerView(
        record.name, record.position, record.lag, record.worker, record.failures, record.parked, error
    )


def _those_there_are(found: Any) -> str:
    names = ", ".join(each.name for each in found)
    return (
        f"There are: {names}." if names else "There is none: offer a monitor or a subscription to a worker."
    )
