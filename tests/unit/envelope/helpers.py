"""What the tests of the envelope share: a payload, its way into a stored hand-off and back, a home for artifacts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from segue.domain.envelope.artifact import Artifact, ArtifactHome, FilePath
from segue.domain.envelope.handoff import Handoff
from segue.domain.envelope.payload import digest_of
from segue.domain.envelope.schema import Schema, schema_of
from segue.domain.envelope.sealing import Sealed, seal, unseal
from segue.domain.envelope.sent import AgentRef, Origin
from segue.domain.envelope.waiting import Waitable
from segue.domain.records import SINGLE, HandoffRecord
from segue.domain.rows import StoredHandoff
from segue.errors import ArtifactError

T = TypeVar("T")

WHERE = "agent 'research'"
ORIGIN = Origin(
    source=AgentRef("research", "3"),
    targets=(AgentRef("price", "1"), AgentRef("write", "2")),
    schema_version="3",
    goal="Compare pricing",
    hops=("plan", "research"),
    deadline=1_800_000_000.5,
)


class Findings(BaseModel):
    """A payload with the usual shapes."""

    competitors: list[str]
    notes: dict[str, str] = {}
    score: float | None = None
    raw: Artifact | None = None


@dataclass
class MemoryHome:
    """Keeps artifacts in a dict; blocks by running a loop of its own, as a `def` agent's thread would."""

    kept: dict[str, bytes] = field(default_factory=dict)

    def put(self, content: bytes | AsyncIterable[bytes] | FilePath, media_type: str) -> Waitable[Artifact]:
        async def start() -> Artifact:
            if isinstance(content, bytes):
                data = content
            elif isinstance(content, FilePath):
                data = await asyncio.to_thread(Path(content).read_bytes)
            else:
                data = b"".join([piece async for piece in content])
            self.kept[digest_of(data)] = data
            return Artifact.of_digest(digest_of(data), media_type, len(data), home=self)

        return Waitable(start, block)

    def get(self, artifact: Artifact) -> Waitable[bytes]:
        async def start() -> bytes:
            return self._read(artifact)

        return Waitable(start, block)

    async def stream(self, artifact: Artifact) -> AsyncIterator[bytes]:
        data = self._read(artifact)
        for start in range(0, len(data), 4):
            yield data[start : start + 4]

    def _read(self, artifact: Artifact) -> bytes:
        try:
            return self.kept[artifact.digest or ""]
        except KeyError:
            raise ArtifactError(f"{artifact.uri} is missing") from None


def block(start: Callable[[], Awaitable[T]]) -> T:
    """Run an awaitable to its end."""

    async def run() -> T:
        return await start()

    return asyncio.run(run())


def stored(sealed: Sealed, schema: Schema[Any] | None = None) -> StoredHandoff:
    """A sealed hand-off as a store gives it back."""
    record = HandoffRecord(
        version=2,
        status=sealed.status,
        body=sealed.body,
        output_size=sealed.output_size,
        digest=sealed.digest,
        schema="" if schema is None else schema.fingerprint,
        started_at=1_700_000_000.25,
        completed_at=1_700_000_001.5,
        artifacts=sealed.artifacts,
    )
    return StoredHandoff("run-1", "research", SINGLE, 4, record)


def spilled_contents(sealed: Sealed) -> dict[str, bytes]:
    """What an artifact store would hold of a sealed hand-off, by digest."""
    return {part.digest: part.content for part in sealed.spilled}


def across(
    result: Any,
    annotation: Any,
    *,
    contents: Mapping[str, bytes] | None = None,
    home: ArtifactHome | None = None,
    spill_bytes: int = 8192,
) -> Handoff[Any]:
    """Seal a result and unseal it again, as if it went from one agent to another."""
    schema = schema_of(annotation)
    sealed = seal(result, schema, where=WHERE, spill_bytes=spill_bytes)
    known = spilled_contents(sealed) if contents is None else contents
    return unseal(stored(sealed, schema), schema, lambda: ORIGIN, known, home)
