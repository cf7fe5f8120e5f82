"""The results of steps and effects on their way into the store and out of it: those that are large become artifacts."""

from __future__ import annotations

from typing import Any

from segue.domain.envelope.artifact import Artifact, ArtifactHome, artifact_home
from segue.domain.envelope.schema import Schema
from segue.domain.rows import StepRecord
from segue.domain.running.steps import Kept
from segue.errors import InvalidPayload


async def put(kept: Kept | None) -> None:
    """Store a result as an artifact if it is large, before the record that names it is written."""
    if kept is not None and kept.is_spilled:
        await _home().put(kept.data, "application/json")


async def get(record: StepRecord) -> bytes:
    """The JSON of a result that was kept. Raises ArtifactError."""
    if record.body is not None:
        return record.body
    return await _home().get(Artifact(f"segue://{record.artifacts[0]}"))


def load(data: bytes, schema: Schema[Any], where: str) -> Any:
    """A result as its type reads it back. Raises InvalidPayload if it was kept as another type, and does not fit."""
    try:
        return schema.load(data, artifact_home.get(), where=where)
    except InvalidPayload as error:
        raise InvalidPayload(
            error.message,
            remedy="It was remembered before. Let its type accept it, or give it a new name, which knows nothing.",
        ) from None


def _home() -> ArtifactHome:
    home = artifact_home.get()
    assert home is not None  # steps and effects exist only while an agent runs
    return home
