"""
Waiting for a `Later`: the task keeps its claim and gives its slot to others.

The store hears that the task is parked, which hand-offs it then took as inputs (pinned, like those of a claim), and
that it goes on. Time spent here is not run time. The slot is taken again, before anything new starts, when the source
has settled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from segue.domain.graph import Argument, nodes_of
from segue.domain.records import SINGLE, Pin, TaskRecord, task_name
from segue.engine.attempt import Attempt
from segue.engine.book import Book
from segue.engine.slots import Slots
from segue.errors import StaleEpoch, TaskFailed, UpstreamFailed
from segue.ports.clock import Clock
from segue.ports.store import Note, NoteKind, Store

SETTLED_STATES = frozenset({"complete", "failed", "skipped", "cancelled"})

PARKED_MAXIMUM = 10_000
"""Tasks of one worker that may wait at once: each holds its memory, and each a thread if its agent is a `def`."""

NET_SECONDS = 5.0
"""How often a waiting task looks although nothing was announced."""


class LaterDesk:
    """Where tasks wait for hand-offs that they could start without."""

    def __init__(
        self, store: Store, clock: Clock, book: Book, slots: Slots, on_room: Callable[[], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._book = book
        self._slots = slots
        self._on_room = on_room
        self._parked = 0

    async def pins(self, attempt: Attempt, argument: Argument) -> list[Pin]:
        """
        Wait until the sources of an argument have settled and take their hand-offs as inputs.

        Raises `UpstreamFailed` if one of them has nothing to hand over and the agent does not accept None there.
        """
        nodes = tuple(dict.fromkeys(nodes_of(argument.binding)))
        seen = self._store.notifier.count
        tasks = await self._settled(attempt.claim.token.run, nodes)
        if tasks is None:
            tasks = await self._park(attempt, nodes, seen)
        broken = [task for task in tasks if task.state not in ("complete", "expanded")]
        if broken and not argument.optional:
            first = broken[0]
            raise UpstreamFailed(
                f"{attempt.name} awaits {task_name(first.node, first.item)}, which {_ending(first.state)}",
                remedy=f"Annotate {argument.parameter!r} as Later[... | None] to go on without it.",
            )
        stored = await self._store.latest_handoffs(attempt.claim.token.run, nodes)
        pins = [
            Pin(each.node, each.item, each.record.version, each.record.digest, each.record.status)
            for each in stored
        ]
        for pin in pins:
            await self._note(attempt, "awaited", pin)
        return pins

    async def _park(self, attempt: Attempt, nodes: tuple[str, ...], seen: int) -> list[TaskRecord]:
        if self._parked >= PARKED_MAXIMUM:
            raise TaskFailed(
                f"{attempt.name} cannot wait: {PARKED_MAXIMUM} tasks of this worker wait already",
                remedy="Start more workers, or make fewer tasks wait for a `Later`.",
            )
        agent = attempt.claim.agent
        await self._note(attempt, "parked", None)
        self._parked += 1
        parked_at = asyncio.get_running_loop().time()
        limit = attempt.limit
        ends_at = None if limit is None else limit.when()
        if limit is not None:
            limit.reschedule(None)
        attempt.released_slot = True
        self._slots.release(agent)
        self._on_room()
        try:
            tasks = await self._wait(attempt.claim.token.run, nodes, seen)
        finally:
            self._parked -= 1
        await self._slots.wait(agent)
        attempt.released_slot = False
        if limit is not None and ends_at is not None:
            limit.reschedule(ends_at + asyncio.get_running_loop().time() - parked_at)
        await self._note(attempt, "resumed", None)
        return tasks

    async def _wait(self, run: str, nodes: tuple[str, ...], seen: int) -> list[TaskRecord]:
        while True:
            tasks = await self._settled(run, nodes)
            if tasks is not None:
                return tasks
            seen = await self._store.notifier.wait(seen, NET_SECONDS)

    async def _settled(self, run: str, nodes: tuple[str, ...]) -> list[TaskRecord] | None:
        """The tasks of these nodes, if all of them have settled."""
        tasks = list(await self._store.read_tasks(run, [(node, SINGLE) for node in nodes]))
        if len(tasks) < len(nodes):
            return None
        if any(task.state == "expanded" for task in tasks):
            tasks = [task for task in await self._store.read_tasks(run) if task.node in nodes]
        open_tasks = [task for task in tasks if task.state not in SETTLED_STATES and task.state != "expanded"]
        return None if open_tasks else tasks

    async def _note(self, attempt: Attempt, kind: NoteKind, pin: Pin | None) -> None:
        (verdict,) = await self._store.note([Note(attempt.claim.token, attempt.claim.agent, kind, pin, None)])
        if verdict == "stale":
            raise StaleEpoch(
                f"{attempt.name} (epoch {attempt.claim.token.epoch}) was superseded while it ran",
                remedy="Nothing to do: another attempt has the task now.",
            )


def _ending(state: str) -> str:
    return {"failed": "failed", "skipped": "was skipped", "cancelled": "was cancelled"}[state]
