"""What every picture of a graph shows, in words: nodes with their budgets, edges with what crosses them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any, Literal

from segue.domain.graph.drawing.naming import schema_name
from segue.domain.graph.graph import (
    Argument,
    Binding,
    Collection,
    Constant,
    Crossing,
    Graph,
    Handed,
    Node,
    Output,
    RunInput,
    later_parents_of,
    parents_of,
)
from segue.domain.graph.standin import binding_text
from segue.domain.records import is_grown, task_of_stage
from segue.domain.settings.durations import duration_text
from segue.domain.settings.node_settings import LOSSES, NodeSettings

EdgeKind = Literal["data", "condition", "after", "delegation", "hand_on"]
Policy = Literal["skips", "fails", "goes on without", "fails where it waits"]
"""What the receiver does if the sender has nothing to hand over."""

StateOfEdge = Literal["waiting", "ready", "claimed", "consumed", "skipped", "failed"]

_ENVELOPES: dict[Crossing, str] = {
    "value": "{}",
    "handoff": "Handoff[{}]",
    "reference": "Ref[{}]",
    "later": "Later[{}]",
}
_CONTROLS: dict[EdgeKind, str] = {
    "condition": "when",
    "after": "after",
    "delegation": "asked by",
    "hand_on": "handed on by",
}
_CONSTANT_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class EdgeState:
    """
    How a hand-off stands in a run.

    `seconds` is from the end of the sender to the start of the receiver; `size_bytes` is what crossed, as far as known.
    """

    state: StateOfEdge
    seconds: float | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """
    One thing that goes into a node: from another, the `source`, or from an `input` of the run; a constant has neither.

    `reference` is how it is written (`research.competitors`), `crosses` its type (`Ref[Findings]`).
    """

    source: str | None
    input: str | None
    target: str
    parameter: str
    reference: str
    kind: EdgeKind
    crossing: Crossing
    crosses: str
    policy: Policy | None
    state: EdgeState | None = None


@dataclass(frozen=True, slots=True)
class DrawnNode:
    """A node with its notes: what it is mapped over, its condition, budgets and settings."""

    name: str
    agent: str
    version: str
    layer: int
    notes: tuple[str, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A graph in words. `output` says what a run returns."""

    workflow: str
    version: str
    inputs: tuple[tuple[str, str], ...]
    nodes: tuple[DrawnNode, ...]
    output: str | None
    returns: tuple[str, ...] = field(default=())
    """The nodes whose outputs a run returns."""
    senders: Mapping[str, str] = field(default_factory=dict)
    """The agents that have the last word in tasks that were handed on, by the node of the task."""

    def origin_of(self, edge: Edge) -> str | None:
        """The node at which the arrow of an edge begins."""
        if edge.source is None or edge.kind in ("delegation", "hand_on"):
            return edge.source
        return self.senders.get(edge.source, edge.source)


def picture_of(
    graph: Graph, schemas: Mapping[str, str], states: Mapping[tuple[str, str], EdgeState] | None = None
) -> Picture:
    """
    A graph in words.

    `schemas` are the JSON Schemas by fingerprint, from which types get their names; `states` is how a run stands, by
    sender and receiver.
    """
    names = {fingerprint: schema_name(json.loads(text)) for fingerprint, text in schemas.items()}
    layers = layers_of(graph)
    nodes = [
        DrawnNode(
            name=node.name,
            agent=node.agent,
            version=node.agent_version,
            layer=layers[node.name],
            notes=tuple(_notes(node)),
            edges=tuple(_edges(node, names, states or {})),
        )
        for node in graph.nodes
    ]
    return Picture(
        workflow=graph.workflow,
        version=graph.version,
        inputs=tuple(
            (each.name, _input_text(names.get(each.schema, "Any"), each.required, each.default))
            for each in graph.inputs
        ),
        nodes=tuple(sorted(nodes, key=lambda node: node.layer)),
        output=None if graph.output is None else in_words(graph.output),
        returns=tuple(
            dict.fromkeys(each.node for each in _references(graph.output) if isinstance(each, Output))
        ),
        senders=_senders(graph),
    )


def layers_of(graph: Graph) -> dict[str, int]:
    """
    How many hand-offs are before each node at least; the first nodes are on layer 0. A `Later` counts as one, and
    what a task hands over comes after all agents that it was handed on to.
    """
    stages = _stages(graph)
    waits: dict[str, list[str]] = {}
    for node in graph.nodes:
        parents = [*parents_of(node), *later_parents_of(node)]
        if not is_grown(node.name) and task_of_stage(node.name) is None:
            parents += [stage for parent in parents for stage in stages.get(parent, ())]
        waits[node.name] = parents
    layers: dict[str, int] = {}
    for name in TopologicalSorter(waits).static_order():
        layers[name] = max((layers[parent] + 1 for parent in waits[name]), default=0)
    return layers


def _stages(graph: Graph) -> dict[str, list[str]]:
    """The agents that the task of each node was handed on to, as they are drawn."""
    stages: dict[str, list[str]] = {}
    for node in graph.nodes:
        task = task_of_stage(node.name)
        if task is not None:
            stages.setdefault(task, []).append(node.name)
    return stages


def _senders(graph: Graph) -> dict[str, str]:
    """Who has the last word in a task that was handed on, where all of it went one way: its arrows begin there."""
    stages = _stages(graph)
    left = {name for each in stages.values() for stage in each for name in graph.node(stage).after}
    ends = {task: [each for each in found if each not in left] for task, found in stages.items()}
    return {
        task: last[0]
        for task, last in ends.items()
        if len(last) == 1 and graph.node(task).map_parameter is None
    }


def in_words(binding: Binding) -> str:
    """A binding as it would be written in a workflow."""
    match binding:
        case Constant(value=value):
            text = json.dumps(value, ensure_ascii=False)
            return text if len(text) <= _CONSTANT_CHARACTERS else text[: _CONSTANT_CHARACTERS - 1] + "…"
        case Collection(items=items, keys=None):
            return f"[{', '.join(map(in_words, items))}]"
        case Collection(items=items, keys=keys):
            pairs = zip(keys or (), items, strict=True)
            return f"{{{', '.join(f'{key}: {in_words(item)}' for key, item in pairs)}}}"
        case Handed():
            return "given"
        case _:
            return binding_text(binding)


def _edges(
    node: Node, names: Mapping[str, str], states: Mapping[tuple[str, str], EdgeState]
) -> Iterator[Edge]:
    for argument in node.arguments:
        crosses = _crosses(node, argument, names)
        references = list(_references(argument.binding))
        alone = len(references) == 1 and references[0] is argument.binding
        if not references:
            yield Edge(
                source=None,
                input=None,
                target=node.name,
                parameter=argument.parameter,
                reference=in_words(argument.binding),
                kind="data",
                crossing=argument.crossing,
                crosses=crosses,
                policy=None,
            )
        for reference in references:
            source, name = _origin(reference)
            yield Edge(
                source=source,
                input=name,
                target=node.name,
                parameter=argument.parameter,
                reference=binding_text(reference)
                if alone
                else f"{binding_text(reference)} in a {_literal(argument.binding)}",
                kind="data",
                crossing=argument.crossing,
                crosses=crosses,
                policy=None if source is None else _policy(node, argument),
                state=states.get((source or "", node.name)),
            )
    if node.condition is not None:
        for reference in _references(node.condition.binding):
            yield _control(node, "condition", reference, states)
    for name in node.after:
        yield _control(node, _kind_of_after(node.name), Output(name), states)


def _kind_of_after(name: str) -> EdgeKind:
    if task_of_stage(name) is not None:
        return "hand_on"
    return "delegation" if is_grown(name) else "after"


def _control(
    node: Node,
    kind: EdgeKind,
    reference: Output | RunInput,
    states: Mapping[tuple[str, str], EdgeState],
) -> Edge:
    """An edge that decides or orders, and hands nothing to the agent."""
    source, name = _origin(reference)
    return Edge(
        source=source,
        input=name,
        target=node.name,
        parameter=_CONTROLS[kind],
        reference=binding_text(reference),
        kind=kind,
        crossing="value",
        crosses="",
        policy=None if source is None else _control_policy(node, kind),
        state=states.get((source or "", node.name)),
    )


def _origin(reference: Output | RunInput) -> tuple[str | None, str | None]:
    """The node, or else the input of the run, that a reference leads to."""
    return (reference.node, None) if isinstance(reference, Output) else (None, reference.name)


def _policy(node: Node, argument: Argument) -> Policy:
    if argument.optional:
        return "goes on without"
    if argument.crossing == "later":
        return "fails where it waits"
    return "fails" if node.settings.on_failure == "fail" else "skips"


def _control_policy(node: Node, kind: EdgeKind) -> Policy | None:
    if kind in ("delegation", "hand_on"):  # whoever asks or hands on has run: there is no without it
        return None
    if node.settings.on_failure == "proceed" and kind == "after":
        return "goes on without"
    return "fails" if node.settings.on_failure == "fail" else "skips"


def _crosses(node: Node, argument: Argument, names: Mapping[str, str]) -> str:
    text = _ENVELOPES[argument.crossing].format(names.get(argument.schema, "Any"))
    return f"list[{text}]" if argument.each else text


def _literal(binding: Binding) -> str:
    return "dict" if isinstance(binding, Collection) and binding.keys is not None else "list"


def _references(binding: Binding | None) -> Iterator[Output | RunInput]:
    match binding:
        case Output() | RunInput():
            yield binding
        case Collection(items=items):
            for item in items:
                yield from _references(item)


def _notes(node: Node) -> Iterator[str]:
    if node.agent != node.name and task_of_stage(node.name) is None:
        yield f"agent {node.agent}"
    if node.agent_version != "1":
        yield f"version {node.agent_version}"
    mapped = next((each for each in node.arguments if each.parameter == node.map_parameter), None)
    if mapped is not None:
        yield f"for each of {in_words(mapped.binding)}, at most {node.map_limit}"
    if node.condition is not None:
        yield f"when {_condition_text(node)}"
    yield from settings_text(node.settings)
    for fallback in node.fallbacks:
        told = ", ".join(settings_text(fallback.settings))
        yield f"falls back on {fallback.agent}" + (f" ({told})" if told else "")


def _condition_text(node: Node) -> str:
    condition = node.condition
    assert condition is not None
    if condition.function is None:
        return in_words(condition.binding)
    items = condition.binding.items if isinstance(condition.binding, Collection) else (condition.binding,)
    return f"{condition.function}({', '.join(map(in_words, items))})"


def settings_text(settings: NodeSettings) -> Iterator[str]:
    """The budgets of a node and what happens when it fails, each in a few words."""
    for name, seconds in settings.budgets.items():
        word = name.removesuffix("_seconds")
        yield f"{word} {duration_text(seconds)}" if seconds is not None else f"no {word}"
    if settings.takes_seconds is not None:
        yield f"takes {duration_text(settings.takes_seconds)}"
    retry = settings.retry
    if retry.retries:
        times = "1 retry" if retry.retries == 1 else f"{retry.retries} retries"
        waits = f" from {duration_text(retry.backoff_seconds)}" if retry.backoff_seconds else ""
        only = (
            ""
            if retry.retry_on is None
            else f", only after {', '.join(map(_simple, retry.retry_on)) or 'nothing'}"
        )
        never = f", never after {', '.join(map(_simple, retry.terminal))}" if retry.terminal else ""
        yield f"{times}{waits}{only}{never}"
    if settings.on_overrun == "fail":
        yield "no second try after an overrun"
    if settings.losses != LOSSES:
        yield f"given up after {settings.losses} losses"
    if settings.quorum is not None:
        yield f"starts with {settings.quorum} of its inputs"
    elif settings.on_failure == "proceed":
        yield "goes on with what there is"
    elif settings.on_failure == "fail":
        yield "fails with what it needs"
    if settings.speculative:
        yield "speculative"
    if settings.decisions_required:
        yield "decisions required"
    if settings.isolation == "process":
        yield "in a child process"
    if settings.slow_seconds is not None:
        yield f"slow after {duration_text(settings.slow_seconds)}"
    if settings.external:
        yield "handed over by others"


def _simple(error: str) -> str:
    """The name of an error without its module."""
    return error.rpartition(".")[2]


def _input_text(name: str, required: bool, default: Any) -> str:
    return name if required else f"{name} = {in_words(Constant(default))}"
