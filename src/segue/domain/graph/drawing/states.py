"""How the hand-offs of a run stand, edge by edge, from what the store says of its tasks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from segue.domain.graph.drawing.picture import EdgeState, StateOfEdge
from segue.domain.graph.graph import Graph, later_parents_of, parents_of
from segue.domain.records import TaskState, is_grown
from segue.domain.rows import StoredHandoff, TaskRecord

_ENDED = frozenset({"complete", "failed", "dead", "needs_review", "in_doubt"})


def edge_states(
    graph: Graph, tasks: Iterable[TaskRecord], handoffs: Iterable[StoredHandoff]
) -> dict[tuple[str, str], EdgeState]:
    """
    The state of every edge by sender and receiver. `handoffs` are the latest of each task.

    Of a mapped node all items count together: it has handed over when the last one has, and its bytes are theirs. The
    bytes are those of the envelopes that the receiver may read. How the edges stand that were not there when the run
    began says `drawn_run`.
    """
    by_node: dict[str, list[TaskRecord]] = defaultdict(list)
    for task in tasks:
        by_node[task.node].append(task)
    sizes: dict[str, int] = defaultdict(int)
    for handoff in handoffs:
        sizes[handoff.node] += len(handoff.record.body)
    states = {}
    for node in graph.nodes:
        if is_grown(node.name):
            continue
        for source in dict.fromkeys((*parents_of(node), *later_parents_of(node))):
            state = _state(by_node[source], by_node[node.name])
            states[source, node.name] = EdgeState(
                state,
                _seconds(by_node[source], by_node[node.name]) if state in ("claimed", "consumed") else None,
                sizes[source] if state in ("ready", "claimed", "consumed") else None,
            )
    return states


def _state(sender: Sequence[TaskRecord], receiver: Sequence[TaskRecord]) -> StateOfEdge:
    sent = {task.state for task in sender}
    if sent & {"failed", "dead"}:
        return "failed"
    if sent & {"skipped", "cancelled"}:
        return "skipped"
    if not sent or sent - {"complete", "expanded"}:
        return "waiting"
    return received({task.state for task in receiver})


def received(got: AbstractSet[TaskState]) -> StateOfEdge:
    """How a hand-off stands that is there, by the states of its receivers."""
    if got & {"skipped", "cancelled"}:
        return "skipped"
    if "claimed" in got:
        return "claimed"
    return "consumed" if got and got <= _ENDED | {"expanded"} else "ready"


def _seconds(sender: Sequence[TaskRecord], receiver: Sequence[TaskRecord]) -> float | None:
    """From the end of the last sender to the start of the first receiver; none if that had started before (`Later`)."""
    ends = [task.settled_at for task in sender if task.settled_at is not None]
    starts = [task.claimed_at for task in receiver if task.claimed_at is not None]
    if not ends or not starts or min(starts) < max(ends):
        return None
    return min(starts) - max(ends)
