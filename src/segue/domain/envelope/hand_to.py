"""
`HandTo`: what an agent returns instead of an output when another agent is to go on with its task.

It is a draft like `Handoff`, whose output are the arguments of the other agent. They are checked against that agent's
types where it is known: in `from_json` at once, so that a model can be asked again, else before anything is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn, Protocol

from pydantic_core import from_json, to_json

from segue.domain.envelope.artifact import Artifact
from segue.domain.envelope.handoff import Handoff
from segue.domain.envelope.payload import parse_json
from segue.domain.envelope.schema import Schema, schema_of
from segue.domain.envelope.sealing import Sealed, seal, seal_json
from segue.domain.envelope.usage import Attachment, Usage
from segue.domain.records import HANDED_ON
from segue.errors import InvalidPayload, UnknownAgent

_PARTS = ("summary", "confidence", "decisions", "constraints", "next_step")
"""What a model may say of a hand-off beside its arguments."""


class Target(Protocol):
    """What must be known of an agent that a task is handed to."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    def input_schema(self, parameter: str) -> Schema[Any] | None:
        """The schema of what crosses into a parameter; None if there is no such parameter."""
        ...

    def check_arguments(self, documents: Mapping[str, bytes], where: str) -> None:
        """Hold arguments, each as JSON, to the types of the parameters. Raises InvalidPayload."""
        ...


class HandTo:
    """
    The same task goes on with another agent: `return HandTo(billing, order=order, decisions=["refund it"])`.

    `agent` is an agent or the name of one; the keywords are its arguments, by name. What `Handoff` takes beside the
    output goes along: `summary`, `confidence`, `decisions`, `constraints`, `artifacts`, `next_step`, `usage`,
    `attachments`. Where a parameter of the agent has one of these names, give the arguments as `arguments={...}`.

    The task stays what it is to everybody who waits for it: the other agent gives the output. It begins without the
    failures of this one and with its own settings, and is found again after a crash like any attempt.
    """

    __slots__ = ("agent", "arguments", "draft")

    agent: Target | str
    arguments: dict[str, Any]
    draft: Handoff[None]
    """The envelope that goes along; its output is put in when it is sealed."""

    def __init__(
        self,
        agent: Target | str,
        /,
        *,
        arguments: Mapping[str, Any] | None = None,
        summary: str | None = None,
        confidence: float | None = None,
        decisions: Sequence[str] = (),
        constraints: Sequence[str] = (),
        artifacts: Sequence[Artifact] = (),
        next_step: str | None = None,
        usage: Usage | None = None,
        attachments: Sequence[Attachment] = (),
        **given: Any,
    ) -> None:
        whole = arguments_given("HandTo", agent, arguments, given)
        draft: Handoff[None] = Handoff(
            None,
            summary=summary,
            confidence=confidence,
            decisions=decisions,
            constraints=constraints,
            artifacts=artifacts,
            next_step=next_step,
            usage=usage,
            attachments=attachments,
        )
        put = object.__setattr__
        put(self, "agent", agent)
        put(self, "arguments", whole)
        put(self, "draft", draft)

    @classmethod
    def from_json(cls, answer: str | bytes, targets: Iterable[Target]) -> HandTo:
        """
        What a model answered that was shown `handoff_schema` of these agents: `{"agent": ..., "arguments": {...}}`.

        Beside these two it may say `summary`, `confidence`, `decisions`, `constraints` and `next_step`. Everything is
        checked now: raises UnknownAgent for an agent that is none of them, and InvalidPayload, naming the field.
        """
        document = parse_json(answer, "the model's answer")
        if not isinstance(document, dict) or not isinstance(document.get("agent"), str):
            raise InvalidPayload(
                "the model's answer names no agent",
                remedy='It must look like {"agent": "billing", "arguments": {...}}.',
            )
        others = sorted(document.keys() - {"agent", "arguments", *_PARTS})
        if others:
            raise InvalidPayload(
                f"the model's answer has {', '.join(map(repr, others))}, which a hand-off does not have",
                remedy=f"There are: agent, arguments, {', '.join(_PARTS)}.",
            )
        known = {target.name: target for target in targets}
        target = known.get(document["agent"])
        if target is None:
            raise unknown_agent(document["agent"], known)
        arguments = document.get("arguments", {})
        if not isinstance(arguments, dict):
            raise InvalidPayload(
                f"the arguments for {target.name} are no object: {arguments!r}",
                remedy="Give them by the names of its parameters.",
            )
        documents = {name: to_json(value) for name, value in arguments.items()}
        target.check_arguments(documents, f"the arguments for {target.name}")
        parts = {name: document[name] for name in _PARTS if document.get(name) is not None}
        return cls(target, arguments=arguments, **parts)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a hand-off cannot be changed (tried to set {name!r})")

    def __repr__(self) -> str:
        name = self.agent if isinstance(self.agent, str) else self.agent.name
        return f"<HandTo {name}: {', '.join(self.arguments)}>"


def arguments_given(what: str, agent: object, arguments: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments for an agent: those in `arguments` and the keywords `given`. Raises InvalidPayload."""
    if not isinstance(agent, str) and not hasattr(agent, "check_arguments"):
        raise InvalidPayload(
            f"{what} was given {agent!r}, which is no agent", remedy="Give an agent, or the name of one."
        )
    named = {} if arguments is None else arguments
    if not isinstance(named, Mapping) or not all(isinstance(name, str) for name in named):
        raise InvalidPayload(
            f"{what} has arguments={named!r}, which are not by name",
            remedy='Write arguments={"order": 4711}.',
        )
    twice = sorted(given.keys() & named.keys())
    if twice:
        raise InvalidPayload(
            f"{what} has {', '.join(twice)} twice: as a keyword and in arguments={{...}}",
            remedy="Give each argument once.",
        )
    return {**named, **given}


def unknown_agent(name: str, known: Iterable[str]) -> UnknownAgent:
    """The error for an agent that is none of those there are."""
    names = tuple(sorted(known))
    error = UnknownAgent(
        f"there is no agent {name!r} here who could go on",
        remedy=f"There are: {', '.join(names) or 'none'}. Give others to `Segue(agents=[...])`.",
    )
    error.agent, error.known = name, names
    return error


def argument_documents(
    target: Target | str, arguments: Mapping[str, Any], where: str, artifacts: list[Artifact]
) -> dict[str, bytes]:
    """
    The JSON of each argument, shaped by the type of the parameter if the agent itself is at hand; the artifacts in
    them are appended.

    Raises InvalidPayload, UnserialisablePayload.
    """
    documents = {}
    for name, value in arguments.items():
        schema = None if isinstance(target, str) else target.input_schema(name)
        schema = schema or schema_of(type(value))
        documents[name] = schema.dump(value, artifacts, where=f"{where}: the argument {name!r}")
    return documents


def object_of(documents: Mapping[str, bytes]) -> bytes:
    """Several JSON documents by name as one object."""
    return b"{" + b",".join(to_json(name) + b":" + each for name, each in documents.items()) + b"}"


def seal_result(
    result: Any,
    schema: Schema[Any],
    *,
    where: str,
    decisions_required: bool = False,
    agent: str | None = None,
) -> Sealed:
    """
    Seal what an agent returned, which may be a `HandTo`: its status is `handed_on` then and its output the arguments.

    Otherwise as `seal`.
    """
    if not isinstance(result, HandTo):
        return seal(result, schema, where=where, decisions_required=decisions_required, agent=agent)
    found: list[Artifact] = []
    target = result.agent
    name = target if isinstance(target, str) else target.name
    documents = argument_documents(target, result.arguments, f"{where} hands to {name}", found)
    return seal_json(
        object_of(documents),
        result.draft,
        found,
        status=HANDED_ON,
        where=where,
        decisions_required=decisions_required,
        agent=agent,
        hand_to={"agent": name},
    )


def documents_in(output: bytes) -> dict[str, bytes]:
    """The JSON of each member of an object."""
    return {name: to_json(value) for name, value in from_json(output).items()}
