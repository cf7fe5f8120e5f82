"""What a person hands over in place of an agent: another output, with what still holds of the rest."""

from __future__ import annotations

import json
from typing import Any

from segue.domain.envelope.body import parts_of
from segue.domain.envelope.handoff import Handoff, Received, receive
from segue.domain.envelope.schema import Schema
from segue.domain.envelope.sealing import Sealed, seal
from segue.domain.envelope.sent import Origin
from segue.domain.rows import StoredHandoff
from segue.errors import PayloadError


def edited(shown: StoredHandoff, output: Any, schema: Schema[Any], *, where: str) -> Sealed:
    """
    A hand-off with another output, a value of its type or plain JSON data that makes one.

    Decisions, constraints, artifacts, the next step and what was attached stay; summary and confidence were about the
    output that was there, and go. Raises InvalidPayload, UnserialisablePayload, PayloadTooLarge.
    """
    before = receive(None, Received(shown, _nowhere, None, None))
    draft = Handoff(
        _value(output, schema, where),
        decisions=before.decisions,
        constraints=before.constraints,
        artifacts=before.artifacts,
        next_step=before.next_step,
        usage=before.usage,
        attachments=before.attachments,
    )
    parts = parts_of(shown.record)
    return seal(draft, schema, where=where, trace=before.parts.trace, agent=parts.get("agent"))


def _value(output: Any, schema: Schema[Any], where: str) -> Any:
    """The output as a value of its type, read from plain data if that is what it is."""
    try:
        schema.dump(output, where=where)
    except PayloadError as error:
        try:
            data = json.dumps(output, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError):
            raise error from None
        return schema.load(data, where=where)
    return output


def _nowhere() -> Origin:
    raise AssertionError("nobody asks where a draft comes from")
