"""
How a run comes along, read from the store step by step, so that watching costs next to nothing.

Each look reads the new events, the rows of the tasks that they name, and the sizes of the hand-offs that came
with them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from segue.app.reading import read_graph
from segue.domain.graph.drawing.picture import layers_of
from segue.domain.graph.graph import Graph, later_parents_of, parents_of
from segue.domain.records import SINGLE, TaskState, parse_task_name
from segue.domain.rows import RunRecord, TaskRecord
from segue.ports.store import Store

EVENTS_PER_LOOK = 1_000
_AT_REST = frozenset({"complete", "failed", "dead", "needs_review", "in_doubt", "skipped", "cancelled"})


@dataclass(slots=True)
class NodeProgress:
    """One node of the graph and how its tasks stand. `layer` is the length of the longest path to it."""

    name: str
    layer: int
    parents: tuple[str, ...]
    later: tuple[str, ...]
    tasks: dict[int, TaskRecord] = field(default_factory=dict)
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)
    """Bytes of the hand-offs by item and version."""
    parked: set[int] = field(default_factory=set)
    """Items that wait in the middle of their work now, for a `Later` or for what they have delegated."""

    @property
    def own(self) -> list[TaskRecord]:
        """Its tasks, without the one that a mapped node has while its list is not known."""
        return [task for item, task in self.tasks.items() if item != SINGLE or task.state != "expanded"]

    @property
    def mapped(self) -> bool:
        """Whether its list is known, so that it counts items."""
        return SINGLE in self.tasks and self.tasks[SINGLE].state == "expanded"

    @property
    def states(self) -> Counter[TaskState]:
        """How many of its tasks are in which state."""
        return Counter(task.state for task in self.own)

    @property
    def state(self) -> TaskState:
        """One state for all its tasks: the one that most needs to be seen."""
        states = self.states
        for state in (
            "failed",
            "dead",
            "needs_review",
            "in_doubt",
            "claimed",
            "ready",
            "paused",
            "cancelled",
        ):
            if states[state]:
                return state
        if states["complete"]:
            return "complete"
        if states["skipped"]:
            return "skipped"
        return "complete" if self.mapped else "waiting"

    @property
    def at_rest(self) -> int:
        """How many of its tasks need nothing more."""
        return sum(count for state, count in self.states.items() if state in _AT_REST)

    def seconds(self, now: float) -> float | None:
        """From its first claim to its last settlement, or until now; None if nothing has been claimed."""
        claimed = [task.claimed_at for task in self.own if task.claimed_at is not None]
        if not claimed:
            return None
        settled = [task.settled_at for task in self.own if task.settled_at is not None]
        running = self.at_rest < len(self.own) or not settled
        return max((now if running else max(settled)) - min(claimed), 0.0)


class Progress:
    """A run that is being watched. `nodes` are in the order of the graph."""

    def __init__(self, store: Store, record: RunRecord, graph: Graph) -> None:
        self._store = store
        self._cursor: str | None = None
        self.record = record
        self.nodes: list[NodeProgress] = []
        self._by_name: dict[str, NodeProgress] = {}
        self._take_in(graph)

    def missing(self, node: NodeProgress) -> list[str]:
        """The nodes that a node still waits for."""
        parents = (self._by_name[name] for name in node.parents)
        return [parent.name for parent in parents if not parent.own or parent.at_rest < len(parent.own)]

    async def look(self) -> bool:
        """Read what is new; whether there was anything."""
        changed: dict[tuple[str, int], None] = {}
        news = False
        while True:
            events, self._cursor = await self._store.tail(self._cursor, EVENTS_PER_LOOK, self.record.run)
            for event in events:
                news = True
                if event.task is None:
                    continue
                node, item = parse_task_name(event.task)
                if node not in self._by_name:  # it was appended since
                    self._take_in(await read_graph(self._store, self.record))
                changed[node, item] = None
                kind = event.name.rpartition(".")[2]
                if kind == "parked":
                    self._by_name[node].parked.add(item)
                elif kind != "awaited":
                    self._by_name[node].parked.discard(item)
            if len(events) < EVENTS_PER_LOOK:
                break
        if changed:
            await self._read(list(changed))
        if news:
            self.record = await self._store.read_run(self.record.run) or self.record
        return news

    def _take_in(self, graph: Graph) -> None:
        layers = layers_of(graph)
        for node in graph.nodes:
            if node.name not in self._by_name:
                new = NodeProgress(node.name, layers[node.name], parents_of(node), later_parents_of(node))
                self.nodes.append(new)
                self._by_name[node.name] = new

    async def _read(self, names: list[tuple[str, int]]) -> None:
        rows = await self._store.read_tasks(self.record.run, names)
        for row in rows:
            self._by_name[row.node].tasks[row.item] = row
        left = [
            (row.node, row.item, version)
            for row in rows
            for version in range(1, row.version + 1)
            if (row.item, version) not in self._by_name[row.node].sizes
        ]
        if left:
            for stored in await self._store.read_handoffs(self.record.run, left):
                self._by_name[stored.node].sizes[stored.item, stored.record.version] = len(stored.record.body)
