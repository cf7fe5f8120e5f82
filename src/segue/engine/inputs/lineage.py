"""Where a hand-off comes from: what the pinned graph says at once, and what is upstream of it, read when asked for."""

from __future__ import annotations

from segue.domain.envelope.sealing import context_of
from segue.domain.envelope.sent import Context, Origin
from segue.domain.envelope.waiting import Waitable
from segue.domain.rows import StoredHandoff, TaskRecord
from segue.domain.running.lineage import origin_of
from segue.engine.inputs.book import LiveRun
from segue.engine.inputs.home import Home
from segue.ports.store import Store


class Provenance:
    """Answers what a receiver asks about one hand-off besides its content; nothing is looked up before that."""

    __slots__ = ("_home", "_live", "_store", "_stored")

    def __init__(self, store: Store, home: Home, live: LiveRun, stored: StoredHandoff) -> None:
        self._store = store
        self._home = home
        self._live = live
        self._stored = stored

    def origin(self) -> Origin:
        """What follows from the run and its graph."""
        return origin_of(self._live.plan, self._live.options, self._stored)

    def upstream(self) -> Waitable[Context]:
        """The constraints and decisions of everything on the way to the hand-off and of the hand-off itself."""
        return self._home.waitable(self._read_upstream)

    async def _read_upstream(self) -> Context:
        live, stored = self._live, self._stored
        tasks = {(task.node, task.item): task for task in await self._store.read_tasks(live.run)}
        keys = _ancestors(tasks, (stored.node, stored.item, stored.record.version))
        handoffs = await self._store.read_handoffs(live.run, keys)
        told = context_of(sorted(handoffs, key=lambda each: each.record.completed_at), live.options.goal)
        constraints = dict.fromkeys((*live.options.constraints, *told.constraints))
        return told._replace(constraints=tuple(constraints))


def _ancestors(
    tasks: dict[tuple[str, int], TaskRecord], start: tuple[str, int, int]
) -> list[tuple[str, int, int]]:
    """A hand-off and all that it was made from, as the claims have pinned them."""
    found = {start: None}
    queue = [start]
    while queue:
        node, item, _ = queue.pop()
        task = tasks.get((node, item))
        for pin in task.pins if task is not None else ():
            key = (pin.node, pin.item, pin.version)
            if key not in found:
                found[key] = None
                queue.append(key)
    return list(found)
