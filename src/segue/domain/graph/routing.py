"""Who goes on, as a model is asked to say it, and as the next step of a hand-off says it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, NotRequired, TypeVar

from typing_extensions import TypedDict

from segue.domain.envelope.hand_to import HandTo
from segue.domain.envelope.handoff import Handoff
from segue.domain.envelope.schema import schema_of
from segue.domain.envelope.usage import Attachment
from segue.domain.graph.agent import Agent
from segue.errors import DefinitionError, InvalidPayload

T = TypeVar("T")

FOR_PEOPLE = "segue.for_people"
"""The kind of the attachment that names the people whom a hand-off is for."""


def handoff_schema(agent: Agent[Any]) -> dict[str, Any]:
    """
    What a model must know to hand a task to an agent: `name`, `description`, and `parameters`, the JSON Schema of the
    arguments, as tool calls describe them.

    What the model answers is read by `HandTo.from_json`. Raises DefinitionError for an agent that only a graph can
    call, because it takes a `Later` or a list of hand-offs.
    """
    if not isinstance(agent, Agent):
        raise DefinitionError(
            f"handoff_schema was given {agent!r}, which is no agent",
            remedy="Give an agent: a function with @agent.",
        )
    fields: dict[str, Any] = {}
    for parameter in agent.signature.parameters:
        if parameter.crossing == "later" or parameter.each:
            raise agent.wrong(
                f"its parameter {parameter.name!r} is a {parameter.text}, which only a graph can give",
                "Let it take T, Handoff[T] or Ref[T].",
            )
        kind = parameter.annotation
        fields[parameter.name] = kind if parameter.required else NotRequired[kind]
    arguments = TypedDict("Arguments", fields)  # type: ignore[misc]
    document = schema_of(arguments, where=f"the arguments of {agent.name!r}").document
    described = inspect.getdoc(agent.fn) or f"The agent {agent.name}."
    return {
        "name": agent.name,
        "description": described,
        "parameters": {**document, "title": agent.name, "additionalProperties": False},
    }


@dataclass(frozen=True, slots=True)
class Person:
    """A person, or several, instead of an agent: the task waits for a review. Who may decide is the agent's to say."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)


@dataclass(frozen=True, slots=True)
class Finished:
    """Nobody goes on: the hand-off is what the task leaves."""


Destination = Agent[Any] | Person | Finished


class Route(Generic[T]):
    """Says who goes on after a hand-off, by its next step: what `route_by_next_step` makes."""

    def __init__(self, destinations: Mapping[str, Destination], otherwise: Destination | None) -> None:
        if not isinstance(destinations, Mapping):
            raise DefinitionError(
                f"route_by_next_step was given {destinations!r}, which is no mapping",
                remedy='Say who goes on after which step: {"refund": refunds, "ask": Person("ops")}.',
            )
        self._destinations = dict(destinations)
        self._otherwise = otherwise
        for each in (*self._destinations.values(), otherwise):
            if isinstance(each, Agent):
                _parameter_of(each)
            elif each is not None and not isinstance(each, Person | Finished):
                raise DefinitionError(
                    f"route_by_next_step was given {each!r}, which is no agent and no person",
                    remedy="Give an agent, Person(...) or Finished().",
                )

    def __call__(self, handoff: Handoff[T]) -> Handoff[T] | HandTo:
        """What the agent is to return. Raises InvalidPayload for a step that leads nowhere."""
        step = handoff.next_step
        to = self._otherwise if step is None else self._destinations.get(step, self._otherwise)
        parts = handoff.parts
        given: dict[str, Any] = {
            "summary": parts.summary,
            "confidence": parts.confidence,
            "decisions": parts.decisions,
            "constraints": parts.constraints,
            "artifacts": parts.artifacts,
            "next_step": step,
            "usage": parts.usage,
        }
        match to:
            case Agent():
                arguments = {_parameter_of(to): handoff.output}
                return HandTo(to, arguments=arguments, attachments=parts.attachments, **given)
            case Person(names=names):
                named = Attachment(FOR_PEOPLE, data={"people": list(names)})
                attached = (*parts.attachments, named)
                return Handoff(handoff.output, status="needs_review", attachments=attached, **given)
            case Finished():
                return handoff
            case _:
                raise InvalidPayload(
                    f"the next step {step!r} leads nowhere",
                    remedy=f"There are: {', '.join(self._destinations)}. Say who goes on otherwise: otherwise=...",
                )


def route_by_next_step(
    destinations: Mapping[str, Destination], *, otherwise: Destination | None = None
) -> Route[Any]:
    """
    Say once who goes on after which next step: `route = ...({"refund": refunds, "ask": Person("ops")})`.

    An agent ends with `return route(Handoff(output, next_step=...))`: the agent of that step goes on with the output
    as its one argument, or a person is to look at it, or with `Finished()` it is done. `otherwise` is for steps that
    are not named, and for none. Raises DefinitionError for an agent that does not take exactly one argument.
    """
    return Route(destinations, otherwise)


def _parameter_of(agent: Agent[Any]) -> str:
    """The parameter that gets the output."""
    parameters = agent.signature.parameters
    required = [each for each in parameters if each.required] or list(parameters)
    if len(required) != 1:
        raise DefinitionError(
            f"{agent.name!r} takes {len(required)} arguments, and a next step gives it one: the output",
            remedy="Let it take one, or return HandTo(...) with all of them.",
        )
    return required[0].name
