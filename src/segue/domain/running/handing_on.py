"""
A task that goes on with another agent: what is checked before, what is written, and how its worker finds its way.

The hand-off that is left says in its part `hand_to` how the other agent is called (a node like those of a graph, whose
arguments are the output of this hand-off) and which agents were on the way. So whoever claims the task next needs
nothing but the graph and the pin of this hand-off, which stands first among the claim's pins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from segue.domain.envelope.body import assemble, output_json, parts_of
from segue.domain.envelope.hand_to import documents_in
from segue.domain.envelope.payload import canonical_json, digest_of
from segue.domain.envelope.sealing import Sealed, whole_output
from segue.domain.graph.agent import Agent
from segue.domain.graph.compatibility import fits
from segue.domain.graph.graph import Argument, Fallback, Handed, Node, node_document, node_from
from segue.domain.records import HandoffRecord
from segue.domain.running.plan import Step
from segue.domain.running.terms import terms_of
from segue.domain.settings.node_settings import NodeSettings
from segue.domain.settings.options import RunOptions
from segue.errors import Guard, InvalidPayload, LoopDetected

HOPS = 25
"""How often a task may be handed on, all agents and delegations on its path together, where nobody says otherwise."""

LAPS = 3
"""How often an agent may come again on one path, where nobody says otherwise."""


class Stop(NamedTuple):
    """One agent on a path, and the digest of the arguments that it was given; empty for those of the graph."""

    agent: str
    arguments: str = ""


Way = tuple[Stop, ...]
"""The agents that a task has been with, through every hand-off and delegation, the first one first."""


class Bounds(NamedTuple):
    """How long a path may grow: `hops` from its first agent, and `laps` of any agent that comes again."""

    hops: int
    laps: int


def bounds_of(settings: NodeSettings, options: RunOptions) -> Bounds:
    """What holds for a task, from what its agent and the run say: the nearest word."""
    hops = settings.hops if settings.hops is not None else options.hops
    laps = settings.laps if settings.laps is not None else options.laps
    return Bounds(HOPS if hops is None else hops, LAPS if laps is None else laps)


def further(way: Way, stop: Stop, bounds: Bounds) -> Way:
    """
    The path with one more agent on it. Raises LoopDetected.

    What counts is the agent, whoever was in between (A, B, A is a lap as A, B, C, A is) and whatever it is given: an
    agent that is given the same again is told to have made no progress, but what it is given may well be an id.
    """
    longer = (*way, stop)
    path = [each.agent for each in longer]
    before = [each for each in way if each.agent == stop.agent]
    guard: tuple[Guard, int, str] | None = None
    if len(before) > bounds.laps:
        again = sum(each.arguments == stop.arguments for each in before)
        same = f", {again} times with the same arguments" if again else ""
        guard = ("laps", bounds.laps, f"{stop.agent} would come again for the {_nth(len(before))} time{same}")
    elif len(way) > bounds.hops:
        guard = ("hops", bounds.hops, f"the task would be handed on for the {_nth(len(way))} time")
    if guard is not None:
        raise looped(guard[0], guard[1], path, told=guard[2])
    return longer


def looped(guard: Guard, limit: int, path: Iterable[str], *, told: str) -> LoopDetected:
    """The error for a path that is to go no further, and why."""
    agents = tuple(path)
    raising = f", or raise the limit: {guard}=... on the agent or the run" if guard != "depth" else ""
    error = LoopDetected(f"{told}: {' -> '.join(agents)}", remedy=f"Let it end sooner{raising}.")
    error.guard, error.limit, error.path = guard, limit, agents
    return error


def step_handed_on(step: Step, record: HandoffRecord, options: RunOptions) -> Step:
    """The step of a task that was handed on: its place in the graph, and the agent that it is with now."""
    node = node_handed_on(record)
    return replace(step, node=node, agent=node.agent, terms=terms_of(node, options))


def node_handed_on(record: HandoffRecord) -> Node:
    """How the agent is called that goes on from a hand-off with `hand_to`."""
    return node_from(parts_of(record)["hand_to"]["node"])


def way_of(step: Step, record: HandoffRecord | None) -> Way:
    """The path of a task so far: what was handed on says it, else it is at its beginning."""
    if record is None:
        return (Stop(step.node.agent),)
    return tuple(Stop(*each) for each in parts_of(record)["hand_to"]["way"])


def check_target(
    target: Agent[Any], documents: Mapping[str, bytes], stands_for: Agent[Any] | None, where: str
) -> None:
    """
    Whether an agent can go on with a task: takes these arguments, and gives what the agent that it stands for would.

    Raises InvalidPayload.
    """
    target.check_arguments(documents, f"{where} hands to {target.name}")
    if stands_for is not None and fits(target.signature.output, stands_for.signature.output) == "no":
        raise InvalidPayload(
            f"{where} hands to {target.name}, which gives {target.output_schema.name}, and whoever waits for the "
            f"task expects {stands_for.output_schema.name}",
            remedy="Hand to an agent that gives the same, or await it: `ctx.delegate`.",
        )


def addressed(sealed: Sealed, target: Agent[Any], name: str, item: int, way: Way) -> Sealed:
    """The hand-off with everything that the next worker must know of the target and the path."""
    parts, output = parts_of(sealed), output_json(sealed)
    parts["hand_to"] = {
        "agent": target.name,
        "node": node_document(node_for(target, name, item, documents_in(output))),
        "way": [list(each) for each in way],
    }
    body = assemble(output, to_json(parts))
    return sealed._replace(body=body, digest=digest_of(body))


def node_for(target: Agent[Any], name: str, item: int, arguments: Mapping[str, Any]) -> Node:
    """A node at which an agent is called with the members of its own task's hand-off as arguments."""
    return Node(
        name=name,
        agent=target.name,
        agent_version=target.version,
        arguments=tuple(
            Argument(
                parameter.name,
                Handed(name, item, (parameter.name,)),
                parameter.crossing,
                schema=target.input_schemas[parameter.name].fingerprint,
            )
            for parameter in target.signature.parameters
            if parameter.name in arguments
        ),
        output_schema=target.output_schema.fingerprint,
        settings=target.settings,
        fallbacks=tuple(
            Fallback(each.name, each.version, each.output_schema.fingerprint, each.settings)
            for each in target.fallbacks
        ),
    )


def arguments_of(sealed: Sealed) -> dict[str, bytes]:
    """The arguments that a sealed `HandTo` holds, each as JSON, those included that were spilled."""
    return documents_in(whole_output(sealed, {part.digest: part.content for part in sealed.spilled}))


def digest_of_arguments(documents: Mapping[str, bytes]) -> str:
    """What tells one set of arguments from another, in whatever order they were given."""
    return digest_of(canonical_json({name: from_json(each) for name, each in documents.items()}).encode())


def _nth(count: int) -> str:
    return (
        f"{count}{'th' if count % 100 in (11, 12, 13) else {1: 'st', 2: 'nd', 3: 'rd'}.get(count % 10, 'th')}"
    )
