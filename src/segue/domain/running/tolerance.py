"""Whose failure a run can bear: those without whose hand-offs everything that matters still comes about."""

from __future__ import annotations

from segue.domain.graph.graph import (
    Graph,
    in_order,
    later_parents_of,
    needed_later_parents_of,
    needed_parents_of,
    nodes_of,
    parents_of,
)


def tolerated_nodes(graph: Graph) -> frozenset[str]:
    """
    The nodes without whose hand-offs a run can still be complete: somebody would have received them, and everybody who
    would can do without, or is tolerated too. What the workflow returns is not among them.
    """
    returned = frozenset() if graph.output is None else frozenset(nodes_of(graph.output))
    receivers: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
    for node in graph.nodes:
        for sender in {*parents_of(node), *later_parents_of(node)}:
            receivers[sender].append(node.name)
    needs = {node.name: needed_parents_of(node) | needed_later_parents_of(node) for node in graph.nodes}
    tolerated: set[str] = set()
    for name in reversed(in_order(graph)):
        if receivers[name] and name not in returned:
            needed_by = (each for each in receivers[name] if name in needs[each])
            if tolerated.issuperset(needed_by):
                tolerated.add(name)
    return frozenset(tolerated)
