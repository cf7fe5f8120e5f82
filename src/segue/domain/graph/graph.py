"""
The graph of a workflow as a value: what a run pins in the store, and what the engine follows.

A node is one call of one agent. Its arguments say where each parameter comes from (a binding) and how much of it
crosses (a crossing). Edges are not stored: they follow from the bindings, so they cannot disagree with them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Any, Literal

from segue.domain.settings.node_settings import NodeSettings, settings_document, settings_from

Crossing = Literal["value", "handoff", "reference", "later"]
"""How much crosses: `T`, `Handoff[T]`, `Ref[T]`, `Later[T]`."""

Path = tuple[str | int, ...]
"""Fields and indexes below a value: `found.competitors[0]` is `("competitors", 0)`."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that the workflow wrote down, as plain JSON data."""

    value: Any


@dataclass(frozen=True, slots=True)
class RunInput:
    """A parameter of the workflow, or a field of it."""

    name: str
    path: Path = ()


@dataclass(frozen=True, slots=True)
class Output:
    """
    What another node hands over, or a field of it. Of a mapped node it is the list of all items' outputs; if it is
    `sparse`, of those that there are; if it is `intact`, null unless all of them are there.
    """

    node: str
    path: Path = ()
    sparse: bool = False
    intact: bool = False


@dataclass(frozen=True, slots=True)
class Collection:
    """
    A list or dict literal with bindings inside; `keys` is None for a list. If it is `sparse`, outputs in it that were
    not handed over are left out.
    """

    items: tuple[Binding, ...]
    keys: tuple[str, ...] | None = None
    sparse: bool = False


@dataclass(frozen=True, slots=True)
class Handed:
    """An argument that the agent before has handed on with the task: no graph has one, only what was handed on."""

    node: str
    item: int
    path: Path


Binding = Constant | RunInput | Output | Collection | Handed


@dataclass(frozen=True, slots=True)
class Argument:
    """
    One parameter of a node: where it comes from and how much of it crosses.

    `optional` says that the agent accepts None there, so that a failed or skipped source does not skip the node.
    `each` says that the crossing applies to every element of a list (`list[Ref[T]]`).
    """

    parameter: str
    binding: Binding
    crossing: Crossing = "value"
    optional: bool = False
    each: bool = False
    schema: str = ""
    """Fingerprint of the parameter's schema."""


@dataclass(frozen=True, slots=True)
class Condition:
    """When a node runs: if the binding is true, or if the named registered function says so of it."""

    binding: Binding
    function: str | None = None


@dataclass(frozen=True, slots=True)
class Fallback:
    """An agent that a task is given to when the one before it has failed for good; under settings of its own."""

    agent: str
    agent_version: str
    output_schema: str
    settings: NodeSettings


@dataclass(frozen=True, slots=True)
class Node:
    """
    One call of one agent.

    `map_parameter` names the parameter that gets one element of its list-valued binding per item; `map_limit` is the
    largest number of items. `after` are nodes that must have settled before, without handing anything over. `fallbacks`
    are the agents that try in turn, with the same arguments, when `agent` has failed for good.
    """

    name: str
    agent: str
    agent_version: str
    arguments: tuple[Argument, ...]
    output_schema: str
    after: tuple[str, ...] = ()
    map_parameter: str | None = None
    map_limit: int = 0
    condition: Condition | None = None
    settings: NodeSettings = field(default_factory=NodeSettings)
    fallbacks: tuple[Fallback, ...] = ()


@dataclass(frozen=True, slots=True)
class GraphInput:
    """A parameter of the workflow: its name, the fingerprint of its schema, and whether it may be left out."""

    name: str
    schema: str
    required: bool
    default: Any = None


@dataclass(frozen=True)
class Graph:
    """A whole workflow. `output` says what a run returns; None for a workflow that returns nothing."""

    workflow: str
    version: str
    inputs: tuple[GraphInput, ...]
    nodes: tuple[Node, ...]
    output: Binding | None

    def node(self, name: str) -> Node:
        """A node by its name. Raises KeyError."""
        return self._by_name[name]

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}


def nodes_of(binding: Binding) -> tuple[str, ...]:
    """The nodes whose hand-offs a binding needs, in the order of their appearance."""
    match binding:
        case Output(node=node):
            return (node,)
        case Collection(items=items):
            return tuple(node for item in items for node in nodes_of(item))
        case _:
            return ()


def parents_of(node: Node) -> tuple[str, ...]:
    """The nodes that must have settled before this one can start, each once: all but those behind a `Later`."""
    names: dict[str, None] = {}
    for argument in node.arguments:
        if argument.crossing != "later":
            names.update(dict.fromkeys(nodes_of(argument.binding)))
    if node.condition is not None:
        names.update(dict.fromkeys(nodes_of(node.condition.binding)))
    names.update(dict.fromkeys(node.after))
    return tuple(names)


def path_of(binding: Binding) -> Path:
    """The part of one hand-off's output that a binding stands for."""
    match binding:
        case Output(path=path) | Handed(path=path):
            return path
        case _:
            return ()


def later_parents_of(node: Node) -> tuple[str, ...]:
    """The nodes that this one may start without and await while it runs."""
    names: dict[str, None] = {}
    for argument in node.arguments:
        if argument.crossing == "later":
            names.update(dict.fromkeys(nodes_of(argument.binding)))
    return tuple(names)


def needed_parents_of(node: Node) -> frozenset[str]:
    """
    The parents that must hand something over, or this node cannot start: not those whose parameter does without, nor,
    for a node that proceeds with what there is, those that it only comes after.
    """
    names: set[str] = set() if node.settings.on_failure == "proceed" else set(node.after)
    for argument in node.arguments:
        if argument.crossing != "later" and not argument.optional:
            names.update(nodes_of(argument.binding))
    if node.condition is not None:
        names.update(nodes_of(node.condition.binding))
    return frozenset(names)


def needed_later_parents_of(node: Node) -> frozenset[str]:
    """The nodes that this one awaits and cannot do without."""
    names: set[str] = set()
    for argument in node.arguments:
        if argument.crossing == "later" and not argument.optional:
            names.update(nodes_of(argument.binding))
    return frozenset(names)


def in_order(graph: Graph) -> list[str]:
    """The nodes, each after those that it waits for."""
    waits = {node.name: (*parents_of(node), *later_parents_of(node)) for node in graph.nodes}
    return list(TopologicalSorter(waits).static_order())


def _binding_document(binding: Binding) -> dict[str, Any]:
    match binding:
        case Constant(value=value):
            return {"constant": value}
        case RunInput(name=name, path=path):
            document: dict[str, Any] = {"input": name}
        case Output(node=node, path=path):
            document = {"output": node}
        case Handed(node=node, item=item, path=path):
            document = {"handed": [node, item]}
        case Collection(items=items, keys=None):
            document, path = {"list": [_binding_document(item) for item in items]}, ()
        case Collection(items=items, keys=keys):
            pairs = zip(keys or (), items, strict=True)
            document, path = {"dict": [[key, _binding_document(item)] for key, item in pairs]}, ()
    if path:
        document["path"] = list(path)
    if isinstance(binding, Output | Collection) and binding.sparse:
        document["sparse"] = True
    if isinstance(binding, Output) and binding.intact:
        document["intact"] = True
    return document


def _binding_from(document: Mapping[str, Any]) -> Binding:
    path, sparse = tuple(document.get("path", ())), document.get("sparse", False)
    if "constant" in document:
        return Constant(document["constant"])
    if "input" in document:
        return RunInput(document["input"], path)
    if "output" in document:
        return Output(document["output"], path, sparse, document.get("intact", False))
    if "handed" in document:
        node, item = document["handed"]
        return Handed(node, item, path)
    if "list" in document:
        return Collection(tuple(_binding_from(item) for item in document["list"]), None, sparse)
    keys = tuple(key for key, _ in document["dict"])
    return Collection(tuple(_binding_from(item) for _, item in document["dict"]), keys, sparse)


def node_document(node: Node) -> dict[str, Any]:
    """A node as it stands in a pinned graph, or in the hand-off that made it."""
    document: dict[str, Any] = {
        "name": node.name,
        "agent": node.agent,
        "agent_version": node.agent_version,
        "output_schema": node.output_schema,
        "arguments": [
            {
                "parameter": argument.parameter,
                "binding": _binding_document(argument.binding),
                "crossing": argument.crossing,
                "optional": argument.optional,
                "each": argument.each,
                "schema": argument.schema,
            }
            for argument in node.arguments
        ],
        "settings": settings_document(node.settings),
    }
    if node.after:
        document["after"] = list(node.after)
    if node.map_parameter is not None:
        document["map"] = {"parameter": node.map_parameter, "limit": node.map_limit}
    if node.condition is not None:
        condition = node.condition
        document["when"] = {"binding": _binding_document(condition.binding), "function": condition.function}
    if node.fallbacks:
        document["fallbacks"] = [
            {
                "agent": each.agent,
                "agent_version": each.agent_version,
                "output_schema": each.output_schema,
                "settings": settings_document(each.settings),
            }
            for each in node.fallbacks
        ]
    return document


def node_from(document: Mapping[str, Any]) -> Node:
    """The node behind a document."""
    mapped = document.get("map", {})
    when = document.get("when")
    return Node(
        name=document["name"],
        agent=document["agent"],
        agent_version=document["agent_version"],
        output_schema=document["output_schema"],
        arguments=tuple(
            Argument(**{**argument, "binding": _binding_from(argument["binding"])})
            for argument in document["arguments"]
        ),
        after=tuple(document.get("after", ())),
        map_parameter=mapped.get("parameter"),
        map_limit=mapped.get("limit", 0),
        condition=Condition(_binding_from(when["binding"]), when["function"]) if when else None,
        settings=settings_from(document["settings"]),
        fallbacks=tuple(
            Fallback(**{**each, "settings": settings_from(each["settings"])})
            for each in document.get("fallbacks", ())
        ),
    )


def graph_to_json(graph: Graph) -> str:
    """The document that a run pins. The same graph gives the same text, so its digest names it."""
    document = {
        "workflow": graph.workflow,
        "version": graph.version,
        "inputs": [{name: getattr(each, name) for name in GraphInput.__slots__} for each in graph.inputs],
        "nodes": [node_document(node) for node in graph.nodes],
        "output": None if graph.output is None else _binding_document(graph.output),
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def graph_from_json(text: str) -> Graph:
    """The graph behind a pinned document."""
    document = json.loads(text)
    return Graph(
        workflow=document["workflow"],
        version=document["version"],
        inputs=tuple(GraphInput(**each) for each in document["inputs"]),
        nodes=tuple(node_from(each) for each in document["nodes"]),
        output=None if document["output"] is None else _binding_from(document["output"]),
    )
