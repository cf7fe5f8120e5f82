"""Starting what a subscription is there for: once for every event, however often the event is handled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segue.app.external import record_of
from segue.app.submission import RunRequest
from segue.domain.envelope.schema import schema_of
from segue.domain.envelope.sealing import seal
from segue.domain.envelope.stored import verified
from segue.domain.graph.watching import Subscription
from segue.domain.records import HandoffRecord, parse_task_name
from segue.domain.rows import Event, RunRecord
from segue.domain.settings.options import RunOptions
from segue.errors import StoreCorrupt

if TYPE_CHECKING:
    from segue.app.host import Host


class Starter:
    """
    Handles the events of one subscription.

    The run that it starts has a key made of the event, and its first task is handed over for by the event: each of the
    two can be repeated, so that it does not matter where a worker dies.
    """

    def __init__(self, host: Host, subscription: Subscription) -> None:
        self._host = host
        self._subscription = subscription
        self._source = f"on.{subscription.name}"

    async def handle(self, event: Event) -> None:
        """Start what the event is to start."""
        source = await self._host.read_run(event.run)
        if await self._has_set_off(source):
            return
        given = await self._given(event)
        run = await self._run_for(event, source)
        external = self._host.external
        place = await external.place_of(run, self._source)
        await external.write(place, given.digest, lambda version: given._replace(version=version))

    async def _run_for(self, event: Event, source: RunRecord) -> str:
        """The run that the event starts. One that is there stands, also if it was started by code that has changed."""
        key = key_of(self._subscription, event)
        standing = await self._host.store.find_run(key)
        if standing is not None:
            return standing.run
        trace = RunOptions.from_json(source.options).trace
        request = RunRequest(key, RunOptions(trace=trace))
        return (await self._host.submit(self._subscription.build(), (), {}, request)).run

    async def _has_set_off(self, run: RunRecord | None) -> bool:
        """Whether a run goes back to this subscription, by way of others too: it would start itself for ever."""
        while run is not None and run.key is not None and run.key.startswith("on:"):
            consumer, _, rest = run.key.rpartition(":")[0].rpartition(":")
            if consumer == self._subscription.consumer:
                return True
            run = await self._host.store.read_run(rest)
        return False

    async def _given(self, event: Event) -> HandoffRecord:
        """What the target is started with: the event, or the hand-off that it tells of, byte for byte."""
        if self._subscription.takes == "event":
            sealed = seal(event, schema_of(Event), where=f"event {event.sequence} of {event.run}")
            return record_of(self._host, sealed)(1)
        node, item = parse_task_name(event.task or "")
        (task,) = await self._host.store.read_tasks(event.run, [(node, item)])
        versions = [(node, item, version) for version in range(task.version, 0, -1)]
        for stored in await self._host.store.read_handoffs(event.run, versions):
            if stored.epoch == event.epoch and stored.record.status == "complete":
                return verified(stored).record
        raise StoreCorrupt(
            f"{event.task} of run {event.run} is complete by event {event.sequence}, and has no such hand-off",
            remedy="Restore the store from a backup.",
        )


def key_of(subscription: Subscription, event: Event) -> str:
    """The key of the run that an event starts: the same however often the event is handled."""
    return f"{subscription.consumer}:{event.run}:{event.sequence}"
