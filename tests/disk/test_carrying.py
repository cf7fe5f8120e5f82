"""The log is carried over into the database in parts, and a sync of the database that fails takes none of them away."""

import asyncio
import errno
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random  # noqa: TID251 (with a seed)
from typing import Any

import apsw
import pytest

from segue.errors import StoreError
from segue.stores.sqlite import SqliteStore
from segue.stores.sqlite.file import wal
from segue.testing import Ledger, ManualClock
from segue.testing.ledger import Fact
from tests.disk.faults import FailingDisk
from tests.disk.recording import FIRST, SECOND, Recording, images, open_parts, wrong_with
from tests.disk.story import Story


class UnsyncedDatabase(FailingDisk):
    """A disk on which syncs of the database fail from when it is told so until it heals."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, frozenset({"sync"}), 1, 1_000, errno.EIO)
        self.heal()

    def before(self, what: str, path: Path, half: Callable[[], object] | None = None) -> None:
        if path.name == "segue.db":
            super().before(what, path, half)

    def fail(self) -> None:
        """From now on, until it heals."""
        self._works = False


async def carry_over(store: SqliteStore) -> None:
    """Let the writer's thread carry the log over, and wait until it has."""
    writer = store._files().writer
    await asyncio.get_running_loop().run_in_executor(None, writer._checkpoint)


async def wrong_after_failed_sync(folder: Path) -> list[str]:
    """
    A part is carried over while somebody reads an older view, the sync of the next part fails, both succeed later, the
    log begins anew, and the power goes: what is lost.
    """
    disk = UnsyncedDatabase(folder / "disk")
    acknowledged: list[tuple[int, Fact]] = []
    ledger = Ledger(lambda fact: acknowledged.append((len(disk.operations), fact)))
    clock = ManualClock()
    store, artifacts = open_parts(disk.root, "durable", clock)
    with disk.watching():
        await store.open()
        watched: Any = ledger.watch(store)
        await Story(watched, artifacts, clock, FIRST).play(1)
        with closing(apsw.Connection(str(disk.root / "segue.db"))) as reader:
            reader.execute("BEGIN").execute("SELECT count(*) FROM run").fetchall()
            await Story(watched, artifacts, clock, SECOND).play(1)
            await carry_over(store)
        disk.fail()
        await carry_over(store)
        with pytest.raises(StoreError, match=r"segue\.db cannot be used"):
            await store.read_run("any")
        disk.heal()
        await carry_over(store)
        await store.register_worker("who begins the log anew", "{}")
        recording = Recording(disk.root, disk.operations.copy(), acknowledged)
        await store.close()
    found = []
    for _, image, facts in images(recording, [len(recording.operations)], ("nothing",), Random(1), folder):
        found += await wrong_with(image, facts)
    assert len(disk.failed) == 1
    return found


async def test_a_database_that_could_not_be_synced_is_written_again(tmp_path: Path) -> None:
    """Also what was carried over before and counts as done: the kernel may have thrown it away."""
    assert await wrong_after_failed_sync(tmp_path) == []


async def test_a_part_that_is_not_written_again_would_be_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without that, what was acknowledged is lost, or the file is damaged: the test above sees it."""
    monkeypatch.setattr(wal, "carry_all_again", lambda path: None)
    try:
        found = await wrong_after_failed_sync(tmp_path)
    except StoreError as error:
        found = [str(error)]
    assert found
