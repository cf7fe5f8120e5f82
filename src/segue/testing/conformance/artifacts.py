"""Stores of artifacts: bytes by their digest."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from segue.errors import ArtifactError
from segue.ports.artifacts import ArtifactStore
from segue.testing.clock import ManualClock
from segue.testing.conformance.desk import digest_of


async def pieces(*content: bytes) -> AsyncIterator[bytes]:
    """Bytes that come bit by bit."""
    for piece in content:
        yield piece


@pytest.mark.asyncio
class ArtifactConformance:
    """What a store of artifacts must do. A subclass says how to make one."""

    async def make_artifacts(self, clock: ManualClock) -> ArtifactStore:
        """An empty store of artifacts that takes its time from `clock`."""
        raise TypeError(f"{type(self).__name__} must say how to make one: override make_artifacts")

    async def test_bytes_come_back_as_they_were(self) -> None:
        """What is put is got, under the sha256 of its bytes, with its size."""
        artifacts = await self.make_artifacts(ManualClock())
        for content in (b"", b"x", bytes(range(256)) * 5_000):
            stored = await artifacts.put(content)
            assert stored == (digest_of(content), len(content))
            assert await artifacts.get(stored.digest) == content

    async def test_bytes_are_streamed_in_and_out(self) -> None:
        """Bytes that come in pieces are stored as one artifact, and read back in pieces."""
        artifacts = await self.make_artifacts(ManualClock())
        stored = await artifacts.put(pieces(b"a" * 400_000, b"", b"b" * 400_000))
        content = b"".join([piece async for piece in artifacts.read(stored.digest)])
        assert content == b"a" * 400_000 + b"b" * 400_000
        assert stored == (digest_of(content), len(content))

    async def test_the_same_bytes_are_stored_once(self) -> None:
        """Putting bytes again, whole or in pieces, is harmless and takes no more room."""
        artifacts = await self.make_artifacts(ManualClock())
        first = await artifacts.put(b"same")
        assert await artifacts.put(b"same") == first
        assert await artifacts.put(pieces(b"sa", b"me")) == first
        assert await artifacts.size() == 4

    async def test_a_missing_artifact_is_an_error_that_names_it(self) -> None:
        """Asking for what is not there raises ArtifactError with the digest; so does what is no digest."""
        artifacts = await self.make_artifacts(ManualClock())
        for digest in (digest_of(b"never put"), "sha256:short", "../../etc/passwd"):
            with pytest.raises(ArtifactError, match=digest[:10]):
                await artifacts.get(digest)
            with pytest.raises(ArtifactError, match=digest[:10]):
                async for _ in artifacts.read(digest):
                    pass

    async def test_a_stream_that_breaks_leaves_nothing(self) -> None:
        """If the bytes stop coming with an error, nothing is stored and the error comes through."""
        artifacts = await self.make_artifacts(ManualClock())

        async def broken() -> AsyncIterator[bytes]:
            yield b"half"
            raise ConnectionError("gone")

        with pytest.raises(ConnectionError):
            await artifacts.put(broken())
        assert await artifacts.size() == 0

    async def test_pruning_takes_old_orphans_only(self) -> None:
        """What nothing points to goes when it is old enough; what is kept, young, or was put again stays."""
        clock = ManualClock()
        artifacts = await self.make_artifacts(clock)
        kept = await artifacts.put(b"kept")
        orphan = await artifacts.put(b"orphan")
        again = await artifacts.put(b"put again")
        clock.advance(7200.0)
        young = await artifacts.put(b"young")
        await artifacts.put(b"put again")
        assert await artifacts.prune([kept.digest], 3600.0) == 1
        for stored in (kept, young, again):
            assert len(await artifacts.get(stored.digest)) == stored.size
        with pytest.raises(ArtifactError):
            await artifacts.get(orphan.digest)
