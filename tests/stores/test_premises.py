"""Where a store cannot live it says why, says what to do, and leaves nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from segue.domain.records import Limits
from segue.errors import SegueError, StoreCorrupt, StoreTooNew, StoreUnavailable
from segue.stores.sqlite import SqliteStore
from segue.stores.sqlite.file.connection import _assert_settings, connect
from segue.stores.sqlite.file.lock import WriteLock
from segue.stores.sqlite.file.premises import boot_id, check_library, check_place, file_system
from segue.testing import ManualClock
from segue.testing.conformance.desk import LEASE_SECONDS, WORKER, Desk, release, root, settlement

MOUNTS = r"""
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 22 0:35 / /home/shared rw - nfs4 server:/export rw
41 22 0:36 / /home/shared/local rw - xfs /dev/vdb rw
42 22 0:37 / /mnt/with\040space rw - fuse.sshfs me@there: rw
""".strip()


def _files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def refused(path: Path, match: str) -> SegueError:
    """Opening a store there is refused with a remedy, in words that match."""
    with pytest.raises(StoreUnavailable, match=match) as caught:
        await SqliteStore(path).open()
    assert caught.value.remedy
    return caught.value


async def test_a_folder_is_no_store(tmp_path: Path) -> None:
    """A path that is a folder is refused with a better one."""
    error = await refused(tmp_path, "is a folder")
    assert str(tmp_path / "segue.db") in str(error)


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """A folder that does not exist is not made in passing, but named."""
    await refused(tmp_path / "no" / "segue.db", "does not exist")
    assert os.listdir(tmp_path) == []


async def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    """A path below a file is refused."""
    (tmp_path / "file").write_text("x")
    await refused(tmp_path / "file" / "segue.db", "is not a folder")


async def test_what_is_no_database_is_left_alone(tmp_path: Path) -> None:
    """A file with something else in it is refused, and stays as it was."""
    path = tmp_path / "notes.txt"
    path.write_text("buy milk\n" * 200)
    await refused(path, "is not a SQLite database")
    assert path.read_text() == "buy milk\n" * 200
    assert not path.with_name("notes.txt-wal").exists()


async def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """A database with other tables in it is refused, and gets none of ours."""
    path = tmp_path / "other.db"
    with apsw.Connection(str(path)) as other:
        other.execute("CREATE TABLE precious (x); INSERT INTO precious VALUES (1)")
    other.close()
    await refused(path, "another program")
    with apsw.Connection(str(path)) as other:
        assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("precious",)]
    other.close()


async def test_a_device_is_no_store() -> None:
    """A path that is neither a file nor free is refused."""
    with pytest.raises(StoreUnavailable, match="not a regular file"):
        check_place(Path("/dev/null"))


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder or file without permission to write is refused before anything is tried."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        check_place(tmp_path / "segue.db")


def test_a_network_file_system_is_known_by_its_mount() -> None:
    """The mount with the longest path that holds a folder says what it is."""
    kinds = {
        "/home/shared/project": "nfs4",
        "/home/shared/local/project": "xfs",
        "/home/other": "ext4",
        "/mnt/with space": "fuse.sshfs",
        "/home/shared-not": "ext4",
    }
    assert {folder: file_system(Path(folder), MOUNTS) for folder in kinds} == kinds


def test_a_network_file_system_is_refused(tmp_path: Path) -> None:
    """Where SQLite's locks cannot be trusted no store is made."""
    mounts = f"{MOUNTS}\n43 22 0:38 / {tmp_path} rw - cifs //server/share rw"
    with pytest.raises(StoreUnavailable, match="network file system \\(cifs\\)"):
        check_place(tmp_path / "segue.db", mounts)


@pytest.mark.parametrize("version", ["3.7.0", "3.40.1", "3.51.2"])
def test_a_sqlite_that_can_damage_the_file_is_refused(version: str) -> None:
    """Versions with the WAL-reset bug are refused, the ones around them are not."""
    with pytest.raises(StoreUnavailable, match=version):
        check_library(version)
    check_library("3.51.3")
    check_library("3.6.23")


async def test_a_damaged_file_is_told_from_a_foreign_one(tmp_path: Path) -> None:
    """A store whose pages were overwritten is corrupt, and the error names the file and the way out."""
    path = tmp_path / "segue.db"
    store = SqliteStore(path, "fast")
    await store.open()
    await store.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt, match="damaged") as caught:
        await SqliteStore(path, "fast").open()
    assert caught.value.remedy


async def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Nobody but the owner can read the database, its log, or the folder beside it."""
    old = os.umask(0)
    try:
        store = SqliteStore(tmp_path / "segue.db", "fast")
        await store.open()
        await store.register_worker("w", "{}")
        modes = {path.name: path.stat().st_mode & 0o777 for path in _files(tmp_path)}
        await store.close()
    finally:
        os.umask(old)
    assert modes.pop("segue.db.d") == 0o700
    assert set(modes.values()) == {0o600}
    assert set(modes) == {"segue.db", "segue.db-wal", "segue.db-shm"}


@pytest.mark.parametrize(("durability", "synchronous"), [("durable", 2), ("fast", 1)])
async def test_a_connection_keeps_what_was_promised(
    tmp_path: Path, durability: str, synchronous: int
) -> None:
    """Every connection is in WAL mode with the sync that its durability needs, and no checkpoint of its own."""
    connection = connect(tmp_path / "x.db", durability)  # type: ignore[arg-type]
    settings = [connection.pragma(name) for name in ("journal_mode", "synchronous", "wal_autocheckpoint")]
    connection.close()
    assert settings == ["wal", synchronous, 0]


def test_a_setting_that_did_not_take_is_noticed(tmp_path: Path) -> None:
    """A connection that is not as durable as it was asked to be is refused."""
    connection = apsw.Connection(str(tmp_path / "x.db"))
    with pytest.raises(StoreUnavailable, match="cannot be durable"):
        _assert_settings(connection, tmp_path / "x.db", "durable")
    connection.close()


async def test_a_restart_of_the_machine_ends_leases_and_delays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart nobody who held a lease is left, and clocks count from zero: both are void at once."""
    clock = ManualClock(boot=1_000_000.0)
    store = SqliteStore(tmp_path / "segue.db", "fast", clock)
    await store.open()
    desk = Desk(store, clock)
    _, (a, _) = await desk.start("a", "b", waits_for=2)
    await desk.settle(settlement(a, None, ending="retry", not_before=3600.0))
    await store.close()
    monkeypatch.setattr("segue.stores.sqlite.file.files.boot_id", lambda: "another start")
    restarted = ManualClock(boot=5.0)
    store = SqliteStore(tmp_path / "segue.db", "fast", restarted)
    await store.open()
    assert [each.node for each in await store.expire()] == ["b"]
    assert sorted(claim.token.node for claim in await Desk(store, restarted).claim("a_agent", "b_agent")) == [
        "a",
        "b",
    ]
    await store.close()


async def test_a_restart_of_the_machine_begins_queue_budgets_anew_and_no_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long a task lay ready before a restart is not known, so it has its time again; deadlines outlive it."""
    clock = ManualClock(boot=1_000_000.0)
    store = SqliteStore(tmp_path / "segue.db", "fast", clock)
    await store.open()
    limits = (Limits(queue_seconds=60.0), Limits(total_seconds=100.0))
    new = Desk(store, clock).new_run(root("a", limits=limits[0]), root("b", limits=limits[1]))
    await store.submit([new], WORKER, LEASE_SECONDS)
    await store.close()
    monkeypatch.setattr("segue.stores.sqlite.file.files.boot_id", lambda: "another start")
    restarted = ManualClock(wall=clock.wall() + 90.0, boot=5.0)
    store = SqliteStore(tmp_path / "segue.db", "fast", restarted)
    await store.open()
    desk = Desk(store, restarted)
    restarted.advance(10.0)
    assert [(claim.token.node, claim.overrun) for claim in await desk.claim()] == [("b", "deadline")]
    restarted.advance(49.5)
    assert list(await desk.claim()) == []
    restarted.advance(0.5)
    assert [(claim.token.node, claim.overrun) for claim in await desk.claim()] == [("a", "queue")]
    await store.close()


async def test_opening_again_voids_nothing(tmp_path: Path) -> None:
    """Without a restart a lease goes on over the end of a process."""
    clock = ManualClock()
    store = SqliteStore(tmp_path / "segue.db", "fast", clock)
    await store.open()
    new = Desk(store, clock).new_run(root("a", "claim-a"))
    await store.submit([new], WORKER, LEASE_SECONDS)
    await store.close()
    store = SqliteStore(tmp_path / "segue.db", "fast", clock)
    await store.open()
    assert list(await store.expire()) == []
    (answer,) = (await store.submit([new], WORKER, LEASE_SECONDS))[0].claims
    assert (await Desk(store, clock).end(answer, release("b"))).verdict == "accepted"
    await store.close()
    assert boot_id()


def test_a_forked_child_is_refused(tmp_path: Path) -> None:
    """A child that a process forked must open the store for itself."""
    script = """
import asyncio, os, sys
from segue.errors import StoreUnavailable
from segue.stores.sqlite import SqliteStore

async def main():
    store = SqliteStore(sys.argv[1], "fast")
    await store.open()
    child = os.fork()
    if child == 0:
        try:
            await store.register_worker("w", "{}")
        except StoreUnavailable as error:
            os._exit(7 if "forked" in str(error) else 1)
        os._exit(2)
    _, status = os.waitpid(child, 0)
    await store.register_worker("w", "{}")
    assert [worker for worker, _ in await store.list_workers()] == ["w"]
    await store.close()
    sys.exit(os.waitstatus_to_exitcode(status))

asyncio.run(main())
"""
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "segue.db")], timeout=60, check=False
    )
    assert ended.returncode == 7


def test_a_disk_that_is_full_when_the_store_is_made(tmp_path: Path) -> None:
    """Where there is no room for the first tables the error says so, and no half-made file stays behind."""
    script = """
import asyncio, resource, sys
from segue.errors import StoreFull
from segue.stores.sqlite import SqliteStore

resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    asyncio.run(SqliteStore(sys.argv[1]).open())
except StoreFull as error:
    sys.exit(7 if error.remedy else 1)
"""
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "segue.db")], timeout=60, check=False
    )
    assert ended.returncode == 7
    assert not (tmp_path / "segue.db").exists()


CREATE = """
import asyncio, sys
from segue.stores.sqlite import SqliteStore

async def main():
    store = SqliteStore(sys.argv[1])
    await store.open()
    await store.register_worker("first", "{}")
    await store.close()

asyncio.run(main())
"""


async def test_whoever_fails_takes_nothing_away_from_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that cannot make a store leaves alone what another has made while it waited for its turn."""
    path = tmp_path / "segue.db"
    acquire = WriteLock.acquire

    def acquire_after_another(lock: WriteLock) -> None:
        subprocess.run([sys.executable, "-c", CREATE, str(path)], check=True, timeout=60)
        acquire(lock)

    def fail(*args: object) -> None:
        raise StoreTooNew("somebody else's")

    with monkeypatch.context() as patch:
        patch.setattr(WriteLock, "acquire", acquire_after_another)
        patch.setattr("segue.stores.sqlite.file.files.bring_up_to_date", fail)
        with pytest.raises(StoreTooNew):
            await SqliteStore(path).open()
    store = SqliteStore(path)
    await store.open()
    assert list(await store.list_workers()) == [("first", "{}")]
    await store.close()
