"""From what was sent to the arguments of an agent, each checked against the type of its parameter."""

from __future__ import annotations

from typing import Any

from segue.domain.envelope.handoff import Handoff, Later, Ref
from segue.domain.envelope.schema import Schema
from segue.domain.envelope.sealing import refer, unseal
from segue.domain.envelope.sent import Context
from segue.domain.envelope.waiting import Waitable
from segue.domain.graph.agent import Agent
from segue.engine.attempts.attempt import name_of
from segue.engine.children.protocol import Call, Envelope, Envelopes, Parcel, Value
from segue.engine.children.relay import Relay
from segue.engine.inputs.binding import handoff_of, schema_for
from segue.engine.inputs.home import Home


def opened(agent: Agent[Any], call: Call, relay: Relay, home: Home) -> dict[str, Any]:
    """The keyword arguments of a call. Raises InvalidPayload where something does not fit."""
    opening = _Opening(relay, home, call.facts.task)
    return {
        parameter: opening.argument(parameter, parcel, schema_for(agent, parameter))
        for parameter, parcel in call.arguments.items()
    }


class _Opening:
    """Opens the parcels of one call."""

    def __init__(self, relay: Relay, home: Home, task: str) -> None:
        self._relay = relay
        self._home = home
        self._task = task

    def argument(self, parameter: str, parcel: Parcel, schema: Schema[Any]) -> Any:
        match parcel:
            case Value(document=document):
                return schema.load(document, self._home, where=name_of(parameter, self._task))
            case Envelopes(crossing=crossing, each=each, envelopes=envelopes):
                of = self._handoff if crossing == "handoff" else self._reference
                found = [
                    None if envelope is None else of(parameter, index, envelope, schema)
                    for index, envelope in enumerate(envelopes)
                ]
                return found if each else found[0]
            case _:
                return self._later(parameter, schema)

    def _handoff(self, parameter: str, index: int, envelope: Envelope, schema: Schema[Any]) -> Handoff[Any]:
        async def read() -> Context:
            return await self._relay.upstream(parameter, index)

        stored, origin, contents, path = envelope
        return unseal(
            stored,
            schema,
            lambda: origin,
            contents,
            self._home,
            upstream=lambda: self._home.waitable(read),
            path=path,
        )

    def _reference(self, parameter: str, index: int, envelope: Envelope, schema: Schema[Any]) -> Ref[Any]:
        async def fetch() -> Any:
            document = await self._relay.fetch(parameter, index)
            return schema.load(document, self._home, where=handoff_of(envelope.stored))

        waitable: Waitable[Any] = self._home.waitable(fetch)
        return refer(envelope.stored, lambda: envelope.origin, waitable)

    def _later(self, parameter: str, schema: Schema[Any]) -> Later[Any]:
        async def settle() -> Any:
            document = await self._relay.settle(parameter)
            return schema.load(document, self._home, where=name_of(parameter, self._task))

        return Later(settle, self._home.block)
