"""Opening and closing all that belongs to a store: its file, and the folder beside it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import NamedTuple

import apsw

from segue.ports.clock import Clock
from segue.stores.sqlite.file.connection import Durability, closed_on_failure, connect
from segue.stores.sqlite.file.failures import cannot_create
from segue.stores.sqlite.file.lock import WriteLock
from segue.stores.sqlite.file.migrating import bring_up_to_date, read_meta
from segue.stores.sqlite.file.notifier import FileNotifier
from segue.stores.sqlite.file.premises import boot_id, check_library, check_place
from segue.stores.sqlite.file.readers import Readers
from segue.stores.sqlite.file.writer import Writer


class Locks(NamedTuple):
    """What processes queue for: to write, and to carry the log over."""

    write: WriteLock
    carry: WriteLock

    def close(self) -> None:
        """Let go of both files."""
        self.write.close()
        self.carry.close()


class Opened(NamedTuple):
    """All that is open."""

    path: Path
    incarnation: str
    locks: Locks
    writer: Writer
    readers: Readers
    notifier: FileNotifier

    async def close(self) -> None:
        """
        Commit what waits, and let go of everything. The last process to leave empties the log.

        Raises `StoreUnavailable` if another process does not let this one write.
        """
        try:
            await self.writer.close()
            self.locks.close()
        finally:
            await self.notifier.close()
            self.readers.close()


class _Prepared(NamedTuple):
    path: Path
    connection: apsw.Connection
    locks: Locks
    incarnation: str


def folder_beside(path: Path) -> Path:
    """The folder that belongs to the store at `path`, which may be no place for a store: that is said on opening it."""
    return path.parent / f"{path.name}.d"


async def open_files(path: Path, durability: Durability, clock: Clock) -> Opened:
    """Open or create a store. Raises `StoreUnavailable`, `StoreTooNew`, `StoreCorrupt` or `StoreFull`."""
    prepared = await asyncio.get_running_loop().run_in_executor(
        None, _prepare, path, durability, clock.boot()
    )
    path = prepared.path
    async with contextlib.AsyncExitStack() as undo:
        undo.callback(prepared.locks.close)
        # Not closed before the others are open: SQLite throws the log away with the last connection.
        with contextlib.closing(prepared.connection):
            readers = Readers(path, durability)
            undo.callback(readers.close)
            try:
                notifier = FileNotifier(folder_beside(path) / "wake", clock, readers.data_version)
            except OSError as error:
                raise cannot_create(folder_beside(path) / "wake", error) from error
            undo.push_async_callback(notifier.close)
            writer = Writer(path, durability, clock, *prepared.locks, notifier.notify, notifier.notify_soon)
        undo.pop_all()
    return Opened(path, prepared.incarnation, prepared.locks, writer, readers, notifier)


def _prepare(path: Path, durability: Durability, boot: float) -> _Prepared:
    path = path.resolve()
    check_library()
    check_place(path)
    folder = folder_beside(path)
    try:
        for each in (folder, folder / "workers", folder / "wake", folder / "artifacts"):
            each.mkdir(mode=0o700, exist_ok=True)
        locks = Locks(WriteLock(folder / "write.lock"), WriteLock(folder / "carry.lock"))
    except OSError as error:
        raise cannot_create(path, error) from error
    try:
        with locks.write.held():
            connection, incarnation = _create(path, durability, boot)
    except BaseException:
        locks.close()
        raise
    return _Prepared(path, connection, locks, incarnation)


def _create(path: Path, durability: Durability, boot: float) -> tuple[apsw.Connection, str]:
    """Open the database, or make it; what could not be made whole is gone again. The caller holds the write lock."""
    is_new = not path.exists() or not path.stat().st_size
    try:
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise cannot_create(path, error) from error
        return _open_database(path, durability, boot)
    except BaseException:
        if is_new:
            with contextlib.suppress(OSError):
                path.unlink()
        raise


def _open_database(path: Path, durability: Durability, boot: float) -> tuple[apsw.Connection, str]:
    connection = connect(path, durability)
    with closed_on_failure(connection, path):
        bring_up_to_date(connection, path, boot_id(), boot)
        return connection, str(read_meta(connection, "incarnation"))
