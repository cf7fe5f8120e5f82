"""Where bytes live that are too large for an envelope."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Collection
from typing import NamedTuple, Protocol


class StoredArtifact(NamedTuple):
    """Bytes that were put: their digest (`sha256:` and 64 hex digits) and how many there are."""

    digest: str
    size: int


class ArtifactShelf(Protocol):
    """
    Bytes addressed by their digest. Putting the same bytes twice is harmless; nothing is ever changed in place.

    This is what running agents need of an artifact store.
    """

    async def put(self, content: bytes | AsyncIterable[bytes]) -> StoredArtifact:
        """Store bytes, streamed if they come in pieces; on return they are as durable as the store promises."""
        ...

    def read(self, digest: str) -> AsyncIterator[bytes]:
        """The bytes in pieces. Raises `ArtifactError` if they are missing, or at the end if the digest differs."""
        ...

    async def get(self, digest: str) -> bytes:
        """All the bytes, verified. Raises `ArtifactError` if they are missing or not those that were put."""
        ...


class ArtifactStore(ArtifactShelf, Protocol):
    """
    The shelf of a store.

    Bytes are put before the transaction that registers them, so a crash in between leaves an orphan and never a
    dangling pointer; `prune` removes orphans.
    """

    async def prune(self, keep: Collection[str], older_than_seconds: float) -> int:
        """Remove artifacts outside `keep` that are older than so many seconds; how many were removed."""
        ...

    async def size(self) -> int:
        """How many bytes are stored."""
        ...
