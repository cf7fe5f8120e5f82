"""A full disk stops progress with an error that says so, and work goes on as soon as there is room."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from segue.errors import StoreError
from segue.stores.sqlite import SqliteStore
from segue.testing import ManualClock, audit
from segue.testing.conformance.desk import Desk, handoff, release, settlement


def play(folder: Path, form: str) -> None:
    """Play the story in a process of its own; raises if anything in it is wrong."""
    command = [sys.executable, "-m", "tests.disk.full", str(folder), form]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr


def test_no_file_may_grow(tmp_path: Path) -> None:
    """A process whose files may not grow is told that the disk is full, and loses nothing; then it goes on."""
    play(tmp_path, "told")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB; the test is skipped where none may be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only who may mount a file system can have one that is full")
    yield folder
    subprocess.run(["umount", str(folder)], check=True, timeout=30)


def test_a_disk_without_a_free_byte(small_disk: Path) -> None:
    """On a disk that is full in truth it is the same: typed errors, nothing lost, and on as soon as there is room."""
    play(small_disk, "true")


@pytest.mark.parametrize("inline", [True, False], ids=["in the loop", "in the thread"])
async def test_no_memory(tmp_path: Path, inline: bool) -> None:
    """Whenever SQLite gets no memory a write is whole or not there, the caller hears of it, and it can be repeated."""
    store = SqliteStore(tmp_path / "segue.db", "durable", ManualClock())
    store.idle = lambda: inline
    await store.open()
    desk = Desk(store, ManualClock())
    refused = 0
    for spare in range(0, 400_000, 8_000):
        run, (a,) = await desk.start("a")
        big = settlement(a, handoff('"' + "x" * 200_000 + '"'), release("b", claim=desk.id("claim")))
        try:
            apsw.hard_heap_limit(apsw.memory_used() + spare)
            (answer,) = await desk.settle(big)
        except StoreError as error:
            refused += 1
            assert error.remedy  # noqa: PT017 (whether it is raised depends on how much there is)
        finally:
            apsw.hard_heap_limit(0)
        (answer,) = await desk.settle(big)
        assert answer.verdict in {"accepted", "repeated"}
        assert len(await desk.names(run)) == 4
    assert await audit(store) == []
    assert 0 < refused < 50
    await store.close()
