"""Artifacts in memory, for tests."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Collection

from segue.errors import ArtifactError
from segue.ports.artifacts import StoredArtifact
from segue.ports.clock import Clock


class MemoryArtifacts:
    """Bytes by their digest, in a dictionary."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[bytes, float]] = {}

    async def put(self, content: bytes | AsyncIterable[bytes]) -> StoredArtifact:
        """Store bytes."""
        whole = content if isinstance(content, bytes) else b"".join([piece async for piece in content])
        digest = f"sha256:{hashlib.sha256(whole).hexdigest()}"
        self._kept[digest] = (whole, self._clock.wall())
        return StoredArtifact(digest, len(whole))

    def read(self, digest: str) -> AsyncIterator[bytes]:
        """The bytes, in one piece."""
        return self._read(digest)

    async def _read(self, digest: str) -> AsyncIterator[bytes]:
        yield await self.get(digest)

    async def get(self, digest: str) -> bytes:
        """All the bytes. Raises `ArtifactError` if they are missing."""
        if digest not in self._kept:
            raise ArtifactError(f"there is no artifact {digest}", remedy="Run the task that made it again.")
        return self._kept[digest][0]

    async def prune(self, keep: Collection[str], older_than_seconds: float) -> int:
        """Remove what is old and not kept."""
        before = self._clock.wall() - older_than_seconds
        gone = [digest for digest, (_, at) in self._kept.items() if digest not in keep and at < before]
        for digest in gone:
            del self._kept[digest]
        return len(gone)

    async def size(self) -> int:
        """How many bytes are stored."""
        return sum(len(content) for content, _ in self._kept.values())
