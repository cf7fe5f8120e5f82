"""The write-ahead log: grown before it is needed, and emptied while nobody waits for it."""

from __future__ import annotations

import os
from pathlib import Path

import apsw

CHECKPOINT_PAGES = 4_096
"""How many pages (of 4 KiB) the log may hold before it is carried over into the database."""

GROWN_BYTES = 24 * 1024 * 1024
"""How large the log is made at opening: enough for what is committed while it is being carried over."""

_ZEROS = bytes(1024 * 1024)


def grow(path: Path, *, sync: bool) -> None:
    """
    Make the log as large as it will be, so that no commit has to wait for the file system to extend a file.

    Whoever calls this holds the write lock. What lies behind the last valid frame means nothing to SQLite.
    """
    log = os.open(f"{path}-wal", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        size = os.fstat(log).st_size
        while size < GROWN_BYTES:
            size += os.pwrite(log, _ZEROS[: GROWN_BYTES - size], size)
        if sync:
            os.fsync(log)
    finally:
        os.close(log)


def carry_over(connection: apsw.Connection) -> bool:
    """Copy the log's pages into the database without stopping anybody; whether all of them went."""
    in_log, carried = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    return in_log == carried
