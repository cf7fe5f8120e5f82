"""Several processes on one file: they wake one another, and see who has died."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from segue.errors import StoreUnavailable
from segue.ports.clock import SystemClock
from segue.stores.sqlite import SqliteStore
from segue.stores.sqlite.file.liveness import LockedFiles
from segue.stores.sqlite.file.notifier import FileNotifier
from segue.stores.waking import LocalNotifier
from segue.testing import ManualClock
from segue.testing.conformance.desk import Desk

OpenDesk = Callable[..., Coroutine[Any, Any, Desk]]

HOLD = """
import sys
from pathlib import Path
from segue.stores.sqlite.file.liveness import LockedFiles
files = LockedFiles(Path(sys.argv[1]))
files.hold(sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""

COMMIT = """
import asyncio, sys
from segue.stores.sqlite import SqliteStore
async def main():
    store = SqliteStore(sys.argv[1], "fast")
    await store.open()
    await store.register_worker("stranger", "{}")
    if len(sys.argv) > 2:
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
    await store.close()
asyncio.run(main())
"""

WRITE_MUCH = """
import asyncio, sys
from segue.stores.sqlite import SqliteStore
from segue.stores.sqlite.file import wal
from segue.testing import ManualClock
from segue.testing.conformance.desk import LEASE_SECONDS, Desk, root

wal.CHECKPOINT_PAGES, wal.GROWN_PAGES = 16, 32

async def main(path, durability, name):
    store = SqliteStore(path, durability, ManualClock())
    store.idle = lambda: True
    await store.open()
    desk = Desk(store, ManualClock())
    for number in range(200):
        new = desk.new_run(root("a"))._replace(run=f"{name}-{number:03d}")
        await store.submit([new], name, LEASE_SECONDS)
    await store.close()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is the worker `w`."""
    command = [sys.executable, "-c", HOLD, str(tmp_path), "w"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_killed_process_is_dead_at_once(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    """A worker lives as long as its process; the moment it is killed everybody can tell."""
    files = LockedFiles(tmp_path)
    files.hold("me")
    assert files.dead(["w", "me", "never there"]) == {"never there"}
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert files.dead(["w", "me"]) == {"w"}
    files.close()


def test_a_stopped_process_is_not_dead(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    """A process that hangs is not dead: that is what leases are for."""
    holder.send_signal(signal.SIGSTOP)
    assert LockedFiles(tmp_path).dead(["w"]) == set()


def test_two_cannot_be_one_worker(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    """The id of a living worker is refused to others, and free once it has let go."""
    files = LockedFiles(tmp_path)
    with pytest.raises(StoreUnavailable, match="another process is the worker 'w'"):
        files.hold("w")
    holder.kill()
    holder.wait()
    files.hold("w")
    files.hold("w")
    files.let_go("w")
    files.let_go("w")
    assert files.dead(["w"]) == {"w"}


@pytest.mark.parametrize("worker", ["", "../up", "a/b", ".hidden"])
def test_a_worker_must_be_able_to_name_a_file(tmp_path: Path, worker: str) -> None:
    """An id that would leave the folder is refused."""
    with pytest.raises(ValueError, match="names a file"):
        LockedFiles(tmp_path).hold(worker)


async def test_a_commit_of_another_process_wakes_this_one(open_desk: OpenDesk, path: Path) -> None:
    """A process that waits hears of a commit elsewhere without looking at the file."""
    desk = await open_desk()
    notifier = desk.store.notifier
    waiter = asyncio.ensure_future(notifier.wait_foreign(notifier.foreign, 3600.0))
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", COMMIT, str(path))
    assert await asyncio.wait_for(waiter, 30.0) > 0
    assert await process.wait() == 0
    assert "stranger" in [worker for worker, _ in await desk.store.list_workers()]


async def test_what_a_killed_process_leaves_is_cleared_away(open_desk: OpenDesk, path: Path) -> None:
    """The socket of a process that was killed is removed by the next commit, and harms nobody."""
    desk = await open_desk()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", COMMIT, str(path), "die")
    assert await process.wait() == -signal.SIGKILL
    folder = path.with_name("segue.db.d") / "wake"
    assert len(os.listdir(folder)) == 2
    await asyncio.wait_for(desk.store.notifier.wait_foreign(0, 3600.0), 30.0)
    await desk.start("a")
    assert len(os.listdir(folder)) == 1


async def test_a_path_too_long_for_a_socket(tmp_path: Path) -> None:
    """Processes wake one another also where the kernel would not take the whole path."""
    folder = tmp_path / ("long" * 25) / ("name" * 25)
    folder.mkdir(parents=True)
    clock = SystemClock()
    one = FileNotifier(folder, clock, lambda: 0)
    two = FileNotifier(folder, clock, lambda: 0)
    assert await asyncio.wait_for(one.wait_foreign(0, 60.0), 30.0) == 1  # the second one said that it is here
    one.notify()
    assert await asyncio.wait_for(two.wait_foreign(0, 60.0), 30.0) == 1
    await one.close()
    await two.close()
    assert os.listdir(folder) == []


async def test_a_lost_wake_up_is_caught_by_a_look_at_the_file(tmp_path: Path) -> None:
    """Should every message be lost, the file's own counter is looked at while somebody waits, and only then."""
    clock = ManualClock()
    looks = iter([1, 2, 3, 3, 3])
    versions: list[int] = []

    def data_version() -> int:
        versions.append(next(looks))
        return versions[-1]

    notifier = FileNotifier(tmp_path, clock, data_version)
    waiter = asyncio.ensure_future(notifier.wait(0, 3600.0))
    await asyncio.wait([waiter], timeout=0)
    while not waiter.done():
        clock.advance(1.0)
        await asyncio.wait([waiter], timeout=0)
    assert (await waiter, versions) == (1, [1, 2])
    for _ in range(5):
        clock.advance(1.0)
        await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=0)
    assert versions == [1, 2]
    await notifier.close()


async def test_a_file_that_cannot_be_looked_at_wakes_whoever_waits(tmp_path: Path) -> None:
    """When the slow look fails, whoever waits is told to look for himself and hears why; the looks go on."""
    clock = ManualClock()
    looks = iter([1, None, 1, 2])

    def data_version() -> int:
        version = next(looks)
        if version is None:
            raise StoreUnavailable("the disk failed")
        return version

    notifier = FileNotifier(tmp_path, clock, data_version)
    for seen in range(3):
        waiter = asyncio.ensure_future(notifier.wait(seen, 3600.0))
        while not waiter.done():
            await asyncio.wait([waiter], timeout=0)
            clock.advance(1.0)
        assert await waiter == seen + 1
    await notifier.close()


async def test_a_waiter_that_is_cancelled_is_forgotten() -> None:
    """Nothing is kept of a wait that was given up."""
    notifier = LocalNotifier(ManualClock())
    waiter = asyncio.ensure_future(notifier.wait(0, 60.0))
    await asyncio.wait([waiter], timeout=0)
    assert notifier.waited_for
    waiter.cancel()
    await asyncio.wait([waiter])
    assert not notifier.waited_for


async def test_the_last_process_to_close_leaves_one_file(tmp_path: Path) -> None:
    """After closing, the log is empty and gone, and everything is in the database itself."""
    path = tmp_path / "segue.db"
    stores = [SqliteStore(path, "fast") for _ in range(2)]
    for store in stores:
        await store.open()
        await store.register_worker(f"w{id(store)}", "{}")
    await stores[0].close()
    assert len(await stores[1].list_workers()) == 2
    await stores[1].close()
    assert sorted(os.listdir(tmp_path)) == ["segue.db", "segue.db.d"]
    assert os.listdir(tmp_path / "segue.db.d" / "wake") == []


@pytest.mark.parametrize("durability", ["fast", "durable"])
async def test_many_processes_write_and_carry_the_log_over(tmp_path: Path, durability: str) -> None:
    """Processes that write without pause, and want to carry the log over at the same time, all get everything in."""
    path = tmp_path / "segue.db"
    names = ("p0", "p1", "p2", "p3")
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", WRITE_MUCH, str(path), durability, name)
        for name in names
    ]
    assert await asyncio.gather(*(process.wait() for process in processes)) == [0] * 4
    store = SqliteStore(path, "fast")
    await store.open()
    runs = sorted(run.run for run in await store.list_runs(1_000))
    await store.close()
    assert runs == sorted(f"{name}-{number:03d}" for name in names for number in range(200))
