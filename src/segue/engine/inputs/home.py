"""Artifacts as agents see them: written and read through the store's folder, from coroutines and from threads."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import TypeVar

from segue.domain.envelope.artifact import Artifact, FilePath
from segue.domain.envelope.waiting import Action, Waitable
from segue.engine.attempts.threads import Threads
from segue.errors import ArtifactError
from segue.ports.artifacts import ArtifactShelf

T = TypeVar("T")

PIECE_BYTES = 1024 * 1024
"""How much of a file is read at a time."""


class Home:
    """Joins `Artifact` to an artifact store, or to the way there."""

    def __init__(self, store: ArtifactShelf, threads: Threads) -> None:
        self._store = store
        self.block = threads.block
        """Lets a thread wait for what runs in the loop."""

    def put(self, content: bytes | AsyncIterable[bytes] | FilePath, media_type: str) -> Waitable[Artifact]:
        """Store bytes, a stream of them, or a file."""

        async def start() -> Artifact:
            pieces = _pieces_of(content) if isinstance(content, FilePath) else content
            stored = await self._store.put(pieces)
            return Artifact.of_digest(stored.digest, media_type=media_type, size=stored.size, home=self)

        return Action("Artifact.write(...)", start, self.block)

    def get(self, artifact: Artifact) -> Waitable[bytes]:
        """All the bytes, verified."""

        async def start() -> bytes:
            return await self._store.get(_digest(artifact))

        return self.waitable(start)

    def stream(self, artifact: Artifact) -> AsyncIterator[bytes]:
        """The bytes in pieces, verified at the end."""
        return self._store.read(_digest(artifact))

    async def contents(self, digests: Iterable[str]) -> dict[str, bytes]:
        """Several artifacts at once."""
        return {digest: await self._store.get(digest) for digest in digests}

    def waitable(self, start: Callable[[], Awaitable[T]]) -> Waitable[T]:
        """Something that a coroutine awaits and a thread waits for."""
        return Waitable(start, self.block)


def _digest(artifact: Artifact) -> str:
    digest = artifact.digest
    if digest is None:
        raise ArtifactError(
            f"{artifact.uri} is not kept by Segue",
            remedy="Read it with a client of the place that it points to.",
        )
    return digest


async def _pieces_of(path: FilePath) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(Path(os.fspath(path)).open, "rb")
    with file:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece
