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
from segue.errors import InvalidPayload, PayloadError


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
    """The output as a value of its type. Of plain data nothing may be dropped without a word."""
    try:
        schema.dump(output, where=where)
    except PayloadError as error:
        try:
            data = json.dumps(output, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError):
            raise error from None
        value = schema.load(data, where=where)
        lost = _lost(output, json.loads(schema.dump(value, where=where)))
        if lost is not None:
            raise InvalidPayload(
                f"{where}: {schema.name} has no field {lost!r}",
                remedy="See `segue show RUN TASK` for those it has.",
            ) from None
        return value
    return output


def _lost(given: Any, kept: Any) -> str | None:
    """The first key of plain data that is not there any more."""
    if isinstance(given, dict) and isinstance(kept, dict):
        found = (key if key not in kept else _lost(value, kept[key]) for key, value in given.items())
    elif isinstance(given, list) and isinstance(kept, list):
        found = (_lost(*pair) for pair in zip(given, kept, strict=False))
    else:
        return None
    return next((each for each in found if each is not None), None)


def _nowhere() -> Origin:
    raise AssertionError("nobody asks where a draft comes from")
