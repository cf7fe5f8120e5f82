"""The write-ahead log: grown before it is needed, and emptied while nobody waits for it."""

from __future__ import annotations

import os
from pathlib import Path

import apsw

CHECKPOINT_PAGES = 3_072
"""How many pages (of 4 KiB) the log may hold before it is carried over into the database."""

GROWN_PAGES = 6_144
"""How large the log is made before the first commit: room for what is committed while it is being carried over."""

_CARRIED_AT = 96
"""Where the index of the log says how many frames have been carried over (SQLite's `walformat.html`, nBackfill)."""

_FRAME_BYTES = 4_096 + 24
_ZEROS = bytes(1024 * 1024)


def grow(path: Path) -> None:
    """
    Make the log as large as it will be, so that no commit has to wait for the file system to extend a file.

    Whoever calls this holds the write lock. What lies behind the last valid frame means nothing to SQLite. It is synced
    even where commits are not: the first checkpoint would have to wait for it.
    """
    log = os.open(f"{path}-wal", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        size = os.fstat(log).st_size
        if size >= GROWN_PAGES * _FRAME_BYTES:
            return
        while size < GROWN_PAGES * _FRAME_BYTES:
            size += os.pwrite(log, _ZEROS, size)
        os.fsync(log)
    finally:
        os.close(log)


def carry_over(connection: apsw.Connection) -> bool:
    """Copy the log's pages into the database without stopping anybody; whether all of them went."""
    try:
        in_log, carried = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    except apsw.BusyError:
        return False  # another process is at it
    return in_log == carried


def carry_all_again(path: Path) -> None:
    """
    Let the next time begin at the first frame of the log: nothing that was carried over before counts.

    SQLite carries over in parts, counts each as done, and syncs the database with the last. If that sync fails, the
    kernel may throw away pages of the parts before, of which a sync that succeeds later says nothing; the log would be
    begun anew over their only copy. Whoever calls this holds both locks, so that nobody carries over or begins it anew.
    """
    index = os.open(f"{path}-shm", os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    _never_closed.append(index)
    os.pwrite(index, bytes(4), _CARRIED_AT)


_never_closed: list[int] = []
"""Closing any descriptor of a file gives up all locks that this process has on it, and so those of SQLite."""
