"""
What a run has grown beyond its graph, as it is drawn: who a task was handed on to, and what was delegated.

A task that is handed on stays one task. In a picture each agent that it went to is a node of its own, named after both
(`triage → billing`); those that were with as many agents before stand for one another, and so no circle is drawn where
a task went round in one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from segue.domain.envelope.body import parts_of
from segue.domain.graph.drawing.picture import EdgeState
from segue.domain.graph.drawing.states import edge_states, received
from segue.domain.graph.graph import Graph, Node
from segue.domain.records import HANDED_ON, HandoffRecord, TaskState, is_grown, stage_name
from segue.domain.rows import StoredHandoff, TaskRecord
from segue.domain.running.handing_on import node_handed_on

EdgeStates = dict[tuple[str, str], EdgeState]


class _Pass(NamedTuple):
    """What went from one agent to the next, and how the receiver stands."""

    source: str
    node: Node
    size_bytes: int
    state: TaskState
    seconds: float | None


def drawn_run(
    graph: Graph, tasks: Sequence[TaskRecord], handoffs: Sequence[StoredHandoff]
) -> tuple[Graph, EdgeStates]:
    """
    The graph of a run with the agents that its tasks were handed on to, and how each of its edges stands.

    `graph` has what was delegated (`grown_graph`), `handoffs` are all versions of these tasks, oldest first. Of the
    items of a mapped node those that went the same way count together: their bytes are added up, and their time is the
    longest.
    """
    latest = {(stored.node, stored.item): stored for stored in handoffs}
    rows = {(row.node, row.item): row for row in tasks}
    passes: dict[tuple[str, str], list[_Pass]] = defaultdict(list)
    for each in _passes(graph, rows, _versions(handoffs)):
        passes[each.source, each.node.name].append(each)
    nodes = {node.name: node for node in graph.nodes}
    for (source, target), found in passes.items():
        nodes[target] = replace(found[-1].node, after=(source,))
    states = edge_states(graph, tasks, latest.values())
    states |= {names: _state(found) for names, found in passes.items()}
    return replace(graph, nodes=tuple(nodes.values())), states


def _versions(handoffs: Iterable[StoredHandoff]) -> dict[tuple[str, int], list[HandoffRecord]]:
    found: dict[tuple[str, int], list[HandoffRecord]] = defaultdict(list)
    for stored in handoffs:
        found[stored.node, stored.item].append(stored.record)
    return found


def _passes(
    graph: Graph,
    rows: Mapping[tuple[str, int], TaskRecord],
    versions: Mapping[tuple[str, int], Sequence[HandoffRecord]],
) -> Iterator[_Pass]:
    # What was delegated begins where the path of the task that asked had come to.
    begins = {node: len(_way(records[0])) for (node, _), records in versions.items() if is_grown(node)}
    for (name, item), records in versions.items():
        for record, following in pairwise((*records, None)):
            if record is None or record.status != HANDED_ON:
                continue
            way = _way(record)
            stage = len(way) - begins.get(name, 1)
            target = stage_name(name, stage, way[-1])
            if stage == 0:
                (parent,) = graph.node(name).after
                source = stage_name(parent, len(way) - 1 - begins.get(parent, 1), way[-2])
                node = graph.node(name)
            else:
                source = stage_name(name, stage - 1, way[-2])
                node = replace(node_handed_on(record), name=target)
            row = rows[name, item]
            yield _Pass(
                source,
                node,
                len(record.body),
                row.state if following is None else "complete",
                _seconds(record, following, row),
            )


def _way(record: HandoffRecord) -> list[str]:
    """The agents on the path of what was handed on, up to the one that it went to."""
    return [agent for agent, _ in parts_of(record)["hand_to"]["way"]]


def _seconds(record: HandoffRecord, following: HandoffRecord | None, row: TaskRecord) -> float | None:
    """From the end of the sender to the start of the receiver, if that has started."""
    start = row.claimed_at if following is None else following.started_at
    return None if start is None or start < record.completed_at else start - record.completed_at


def _state(passes: Sequence[_Pass]) -> EdgeState:
    state = received({each.state for each in passes})
    waited = [each.seconds for each in passes if each.seconds is not None]
    return EdgeState(
        state,
        max(waited, default=None) if state in ("claimed", "consumed") else None,
        sum(each.size_bytes for each in passes),
    )
