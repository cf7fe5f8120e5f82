"""Whether an agent can take a task over from another: whether it takes what is handed over and gives what is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from segue.domain.envelope.comparison import Comparison
from segue.domain.envelope.schema import schema_of
from segue.domain.graph.agent import Agent
from segue.domain.graph.graph import Argument, Crossing, Graph, Node

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Taken:
    """A parameter: the JSON Schema of what crosses, and how it does."""

    schema: Json
    crossing: Crossing
    each: bool
    optional: bool
    required: bool


@dataclass(frozen=True, slots=True)
class Substitute:
    """An agent that might take over: what it takes, by parameter, and the JSON Schema of what it gives."""

    agent: str
    parameters: Mapping[str, Taken]
    output: Json


def substitute_of(agent: Agent[Any]) -> Substitute:
    """An agent of this process."""
    parameters = {
        each.name: Taken(
            schema_of(each.annotation).document, each.crossing, each.each, each.optional, each.required
        )
        for each in agent.signature.parameters
    }
    return Substitute(agent.name, parameters, schema_of(agent.signature.output).document)


def pinned_substitute(graph: Graph, agent: str, schemas: Mapping[str, Json]) -> Substitute | None:
    """An agent as another node of a pinned graph calls it, with all that it is given there; None if none does."""
    for node in graph.nodes:
        if node.agent == agent:
            parameters = {each.parameter: _taken(each, schemas) for each in node.arguments}
            return Substitute(agent, parameters, schemas.get(node.output_schema, {}))
    return None


def misfits(node: Node, schemas: Mapping[str, Json], substitute: Substitute) -> Iterator[str]:
    """Why an agent cannot take a task of a node over; nothing is said of what only a run can tell."""
    if any(each.agent == substitute.agent for each in node.fallbacks):
        return  # checked before the run was submitted
    given = {each.parameter: _taken(each, schemas) for each in node.arguments}
    for name, value in given.items():
        taken = substitute.parameters.get(name)
        if taken is None:
            yield f"it does not take {name!r}"
        elif (taken.crossing, taken.each) != (value.crossing, value.each):
            yield f"it takes {name!r} as a {taken.crossing}, and it is handed over as a {value.crossing}"
        elif value.optional and not taken.optional:
            yield f"it needs {name!r}, which may be missing"
        elif Comparison(value.schema, taken.schema).fit(value.schema, taken.schema) == "no":
            yield f"it takes another {name!r}"
    for name, taken in substitute.parameters.items():
        if taken.required and name not in given:
            yield f"it needs {name!r}, which is not handed over"
    wanted = schemas.get(node.output_schema, {})
    if Comparison(substitute.output, wanted).fit(substitute.output, wanted) == "no":
        yield "it gives something else"


def _taken(argument: Argument, schemas: Mapping[str, Json]) -> Taken:
    schema = schemas.get(argument.schema, {})
    return Taken(schema, argument.crossing, argument.each, argument.optional, required=True)
