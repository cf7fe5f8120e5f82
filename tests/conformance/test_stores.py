"""Our own stores pass the suite that every store must pass."""

from pathlib import Path

import pytest

from segue.ports.artifacts import ArtifactStore
from segue.ports.store import Store
from segue.stores.artifacts import FolderArtifacts
from segue.stores.memory import MemoryArtifacts, MemoryStore
from segue.stores.sqlite import Durability, SqliteStore
from segue.testing import ManualClock
from segue.testing.conformance import ArtifactConformance, SharedStoreConformance, StoreConformance


class TestMemory(StoreConformance):
    """The model in memory."""

    async def make_store(self, clock: ManualClock) -> Store:
        return MemoryStore(clock)


class OnDisk:
    """A folder for each test, and a way to write."""

    durability: Durability = "fast"
    inline = True

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "segue.db"

    async def open_store(self, clock: ManualClock) -> Store:
        store = SqliteStore(self.path, self.durability, clock)
        store.idle = lambda: self.inline
        await store.open()
        return store


class TestSqliteFast(OnDisk, StoreConformance):
    """SQLite that survives the process being killed, committing in the loop's thread."""

    async def make_store(self, clock: ManualClock) -> Store:
        return await self.open_store(clock)


class TestSqliteDurableInline(TestSqliteFast):
    """SQLite that survives the power going, committing in the loop's thread."""

    durability = "durable"


class TestSqliteDurableInThread(TestSqliteFast):
    """The same, committing in the writer's thread."""

    durability = "durable"
    inline = False


class TestSharedSqlite(OnDisk, SharedStoreConformance):
    """Two stores on one file, both in the loop's thread."""

    async def make_store(self, clock: ManualClock, number: int) -> Store:
        return await self.open_store(clock)


class TestSharedSqliteInThread(TestSharedSqlite):
    """Two stores on one file, each with its thread."""

    durability = "durable"
    inline = False


class TestMemoryArtifacts(ArtifactConformance):
    """Artifacts in memory."""

    async def make_artifacts(self, clock: ManualClock) -> ArtifactStore:
        return MemoryArtifacts(clock)


class TestFolderArtifacts(ArtifactConformance):
    """Artifacts in a folder, synced."""

    durable = True

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path

    async def make_artifacts(self, clock: ManualClock) -> ArtifactStore:
        return FolderArtifacts(self.path / "artifacts", clock, durable=self.durable)


class TestFolderArtifactsUnsynced(TestFolderArtifacts):
    """Artifacts in a folder, left to the kernel."""

    durable = False
