"""Carries out what the terms of a review say when nobody has decided in time. Any worker may; the store lets one."""

from __future__ import annotations

from collections.abc import Callable

from segue.domain.decisions import Decision
from segue.domain.envelope.stored import understood
from segue.domain.graph.graph import Graph, Node
from segue.domain.records import RunState, task_name
from segue.domain.rows import TaskRecord
from segue.domain.running.handing_on import node_handed_on
from segue.domain.running.pins import pin_handed_on
from segue.domain.running.reviewing import said_by_terms
from segue.engine.inputs.book import Book
from segue.errors import UnknownRun
from segue.ports.clock import Clock
from segue.ports.store import Store


async def reviewed_node(store: Store, graph: Graph, task: TaskRecord) -> Node:
    """How the agent that a task is with is called: as the graph has it, or as it was handed on."""
    pin = pin_handed_on(task.pins)
    stored = () if pin is None else await store.read_handoffs(task.run, [pin[:3]])
    if pin is None or not stored:
        return graph.node(task.node)
    with understood(f"hand-off {pin.version} of {task_name(*pin[:2])} in run {task.run}"):
        return node_handed_on(stored[0].record)


class OverdueReviews:
    """Looks for reviews whose time is over. `on_settled` hears of each run of which one was settled here."""

    def __init__(
        self,
        store: Store,
        book: Book,
        clock: Clock,
        new_id: Callable[[], str],
        on_settled: Callable[[str, RunState], None],
    ) -> None:
        self._store = store
        self._book = book
        self._clock = clock
        self._new_id = new_id
        self._on_settled = on_settled

    async def decide(self) -> None:
        """Decide on all that is overdue now, by its terms. Raises StoreUnavailable."""
        for task in await self._store.read_reviews(expired_only=True):
            decision = await self._decision_on(task)
            if decision is None or await self._store.review(decision) != "accepted":
                continue  # somebody else was faster, or it was deleted
            record = await self._store.read_run(task.run)
            if record is not None and decision.word != "escalated":
                self._on_settled(task.run, record.state)

    async def _decision_on(self, task: TaskRecord) -> Decision | None:
        """What the terms say of the hand-off that is there; whoever receives it sees whether its bytes are sound."""
        stored = await self._store.read_handoffs(task.run, [(task.node, task.item, task.version)])
        try:
            live = await self._book.knowing(await self._book.load(task.run), task.node)
        except UnknownRun:
            return None
        if not stored:
            return None
        node = await reviewed_node(self._store, live.plan.graph, task)
        return said_by_terms(live.plan, node, task, stored[0].record, self._new_id(), self._clock.wall())
