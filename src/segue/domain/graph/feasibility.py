"""
Whether a graph can meet a deadline at all, told from how long its agents take.

Durations are those that the agents declare (`takes=`), else recorded ones. Nothing is refused that could still work: a
task that may be skipped counts as no time, and one of which nothing is known too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from segue.domain.graph.graph import Graph, Node, in_order, later_parents_of, needed_parents_of, parents_of
from segue.domain.settings.durations import duration_text
from segue.errors import GraphError


class CriticalPath(NamedTuple):
    """The nodes that decide how long a run takes at least, in order, each with its seconds."""

    steps: tuple[tuple[str, float], ...]
    seconds: float

    def __str__(self) -> str:
        return " -> ".join(
            f"{name} ({duration_text(seconds)})" if seconds else name for name, seconds in self.steps
        )


def check_deadline(
    graph: Graph, available_seconds: float, recorded: Mapping[str, float] | None = None
) -> str | None:
    """
    Check that a graph can end within `available_seconds`. `recorded` has the seconds of agents by name.

    Returns a warning where it cannot be known, None where all is well. Raises GraphError with the path that takes too
    long.
    """
    durations = {node.name: _seconds(node, recorded or {}) for node in graph.nodes}
    certain = _certain(graph)
    least = critical_path(
        graph, {name: seconds or 0.0 for name, seconds in durations.items() if name in certain}
    )
    given = duration_text(available_seconds)
    if least.seconds > available_seconds:
        raise GraphError(
            graph.workflow,
            [f"the deadline is in {given}, and this path takes {duration_text(least.seconds)}: {least}"],
        )
    most = critical_path(graph, {name: seconds or 0.0 for name, seconds in durations.items()})
    if most.seconds > available_seconds:
        return (
            f"the deadline is in {given}, and if nothing on it is skipped this path takes "
            f"{duration_text(most.seconds)}: {most}"
        )
    unknown = [name for name, seconds in durations.items() if seconds is None]
    if unknown:
        return (
            f"whether the deadline in {given} can be met is not known: nothing says how long "
            f'{", ".join(unknown)} {"takes" if len(unknown) == 1 else "take"}; declare it with takes="..."'
        )
    return None


def critical_path(graph: Graph, durations: Mapping[str, float]) -> CriticalPath:
    """The longest way through a graph, if each node takes `durations` seconds (none where it is not in there)."""
    ends: dict[str, float] = {}
    decided_by: dict[str, str | None] = {}
    for name in in_order(graph):
        node = graph.node(name)
        before = max(parents_of(node), key=lambda parent: ends[parent], default=None)
        start = 0.0 if before is None else ends[before]
        ends[name], decided_by[name] = start + durations.get(name, 0.0), before
        for source in later_parents_of(node):
            # It runs meanwhile, but cannot end before the value that it awaits is there.
            if ends[source] > ends[name]:
                ends[name], decided_by[name] = ends[source], source
    last = max(reversed(ends), key=lambda name: ends[name], default=None)
    steps: list[tuple[str, float]] = []
    name_now = last
    while name_now is not None:
        before = decided_by[name_now]
        steps.append((name_now, ends[name_now] - (ends[before] if before is not None else 0.0)))
        name_now = before
    return CriticalPath(tuple(reversed(steps)), 0.0 if last is None else ends[last])


def _seconds(node: Node, recorded: Mapping[str, float]) -> float | None:
    declared = node.settings.takes_seconds
    return recorded.get(node.agent) if declared is None else declared


def _certain(graph: Graph) -> frozenset[str]:
    """The nodes that run in every run in which nothing fails: none of them, and nothing before, has a condition."""
    certain: set[str] = set()
    for name in in_order(graph):
        node = graph.node(name)
        if node.condition is None and node.map_parameter is None and needed_parents_of(node) <= certain:
            certain.add(name)
    return frozenset(certain)
