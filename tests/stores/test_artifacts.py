"""Artifacts in a folder: what is on the disk, and what happens when it is not what it should be."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from segue.errors import ArtifactError, StoreUnavailable
from segue.ports.clock import SystemClock
from segue.stores import artifacts as module
from segue.stores.artifacts import FolderArtifacts
from segue.testing import ManualClock
from segue.testing.conformance.desk import digest_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the artifacts are."""
    return tmp_path / "artifacts"


def place(folder: Path, digest: str) -> Path:
    """The file of an artifact."""
    return folder / digest[7:9] / digest[9:]


async def test_a_file_is_named_by_its_digest_and_its_owners_alone(folder: Path) -> None:
    """An artifact is the file `ab/cdef...` with exactly its bytes, readable by its owner only."""
    stored = await FolderArtifacts(folder, SystemClock(), durable=True).put(b"content")
    path = place(folder, stored.digest)
    assert path.read_bytes() == b"content"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert digest_of(b"content") == stored.digest


async def test_changed_bytes_are_noticed(folder: Path) -> None:
    """Bytes that are not those that were put raise ArtifactError, whole or in pieces, at the latest at the end."""
    artifacts = FolderArtifacts(folder, SystemClock(), durable=False)
    stored = await artifacts.put(b"x" * 600_000)
    place(folder, stored.digest).write_bytes(b"x" * 599_999 + b"y")
    with pytest.raises(ArtifactError, match="damaged"):
        await artifacts.get(stored.digest)
    pieces = artifacts.read(stored.digest)
    assert len(await anext(pieces)) == module.PIECE_BYTES
    with pytest.raises(ArtifactError, match=stored.digest):
        _ = [piece async for piece in pieces]


async def test_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    """A symbolic link in the place of an artifact is not read."""
    artifacts = FolderArtifacts(folder, SystemClock(), durable=False)
    stored = await artifacts.put(b"content")
    path, outside = place(folder, stored.digest), tmp_path / "outside"
    outside.write_bytes(b"content")
    path.unlink()
    path.symlink_to(outside)
    with pytest.raises(ArtifactError, match="cannot be read"):
        await artifacts.get(stored.digest)


async def test_nothing_is_seen_before_it_is_whole(folder: Path) -> None:
    """While bytes still come there is only a temporary file; pruning removes one that was left behind."""
    clock = ManualClock(wall=SystemClock().wall())
    artifacts = FolderArtifacts(folder, clock, durable=False)
    go_on, started = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"first"
        started.set()
        await go_on.wait()
        yield b"second"

    putting = asyncio.ensure_future(artifacts.put(slow()))
    await started.wait()
    assert [name[:9] for name in os.listdir(folder)] == [".partial-"]
    assert await artifacts.prune([], 3600.0) == 0
    go_on.set()
    assert await artifacts.get((await putting).digest) == b"firstsecond"
    left = folder / ".partial-left"
    left.write_bytes(b"half")
    clock.advance(7200.0)
    assert await artifacts.prune([], 3600.0) == 1
    assert not left.exists()
    assert await artifacts.size() == 0


async def test_a_caller_that_is_cancelled_leaves_nothing(folder: Path) -> None:
    """A put that is given up takes its temporary file with it."""
    artifacts = FolderArtifacts(folder, SystemClock(), durable=True)
    started = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"first"
        started.set()
        await asyncio.Event().wait()

    putting = asyncio.ensure_future(artifacts.put(endless()))
    await started.wait()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert os.listdir(folder) == []


async def test_durable_bytes_are_synced_with_their_folders(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File, folder and the folders above are synced before a durable put returns; a fast one syncs nothing."""
    synced: list[str] = []
    original = os.fsync

    def fsync(file: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{file}"))
        original(file)

    monkeypatch.setattr(os, "fsync", fsync)
    await FolderArtifacts(folder, SystemClock(), durable=False).put(b"fast")
    assert synced == []
    stored = await FolderArtifacts(folder, SystemClock(), durable=True).put(b"durable")
    assert ".partial-" in synced.pop(1)
    assert synced == [str(folder.parent), str(folder), str(place(folder, stored.digest).parent)]


async def test_what_another_put_unsynced_is_synced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that are there may not be there for good: whoever put them had not to sync, or died before he could."""
    stored = await FolderArtifacts(folder, SystemClock(), durable=False).put(b"bytes")
    synced: list[str] = []
    original = os.fsync

    def fsync(file: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{file}"))
        original(file)

    monkeypatch.setattr(os, "fsync", fsync)
    await FolderArtifacts(folder, SystemClock(), durable=True).put(b"bytes")
    path = place(folder, stored.digest)
    assert {str(path), str(path.parent), str(folder)} <= set(synced)


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A put that the file system refuses is a typed error with a remedy."""
    (tmp_path / "artifacts").write_text("in the way")
    artifacts = FolderArtifacts(tmp_path / "artifacts", SystemClock(), durable=False)
    with pytest.raises(StoreUnavailable, match="cannot be written") as caught:
        await artifacts.put(b"x")
    assert caught.value.remedy


async def test_an_empty_folder_can_be_pruned_and_measured(folder: Path) -> None:
    """Where nothing was ever put there is nothing to prune and nothing to count."""
    artifacts = FolderArtifacts(folder, SystemClock(), durable=False)
    assert (await artifacts.prune([], 0.0), await artifacts.size()) == (0, 0)


def test_a_full_disk_is_named(folder: Path) -> None:
    """A disk without room raises StoreFull, and nothing stays behind."""
    script = """
import asyncio, resource, sys
from pathlib import Path
from segue.errors import StoreFull
from segue.ports.clock import SystemClock
from segue.stores.artifacts import FolderArtifacts

resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    asyncio.run(FolderArtifacts(Path(sys.argv[1]), SystemClock(), durable=True).put(b"x" * 100_000))
except StoreFull:
    sys.exit(7)
"""
    ended = subprocess.run([sys.executable, "-c", script, str(folder)], timeout=60, check=False)
    assert (ended.returncode, os.listdir(folder)) == (7, [])


def test_small_is_smaller_than_a_piece() -> None:
    """What is written in the loop's own thread is never more than one piece."""
    assert module.SMALL_BYTES <= module.PIECE_BYTES
