"""How a connection is opened, so that it keeps what the durability promises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import apsw

from segue.errors import StoreUnavailable
from segue.stores.sqlite.file.failures import translate

Durability = Literal["durable", "fast"]
"""
What an acknowledged write survives.

`durable`: the process being killed and the power going, because every commit is synced to disk before it is
acknowledged. `fast`: the process being killed, but when the machine itself goes down the last commits may be gone;
what is left is still consistent, each transaction whole or not there.
"""

APPLICATION_ID = 0x53656775
"""`Segu` in a file's header says whose it is."""

CACHED_STATEMENTS = 200
CACHE_KIBIBYTES = 16_384

_SYNCHRONOUS = {"durable": 2, "fast": 1}


def connect(path: Path, durability: Durability, *, read_only: bool = False) -> apsw.Connection:
    """Open one connection in WAL mode. Raises StoreError, also if its settings are not those that were asked for."""
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_NOFOLLOW
    try:
        connection = apsw.Connection(str(path.resolve()), flags=flags, statementcachesize=CACHED_STATEMENTS)
    except apsw.Error as error:
        raise translate(error, str(path)) from error
    with closed_on_failure(connection, path):
        # Without this SQLite would parse a statement again each time a parameter that touches an index is bound anew.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        connection.set_busy_timeout(5_000)
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", _SYNCHRONOUS[durability])
        connection.pragma("wal_autocheckpoint", 0)
        connection.pragma("mmap_size", 0)
        connection.pragma("temp_store", "memory")
        connection.pragma("cache_size", -CACHE_KIBIBYTES)
        if read_only:
            connection.pragma("query_only", 1)
        _assert_settings(connection, path, durability)
    return connection


@contextmanager
def closed_on_failure(connection: apsw.Connection, path: Path) -> Iterator[None]:
    """Close a connection if what is done with it fails, and say what SQLite reports in the words of Segue."""
    try:
        yield
    except apsw.Error as error:
        failure = translate(error, str(path), connection.system_errno)
        connection.close()
        raise failure from error
    except BaseException:
        connection.close()
        raise


def _assert_settings(connection: apsw.Connection, path: Path, durability: Durability) -> None:
    found = (connection.pragma("journal_mode"), connection.pragma("synchronous"))
    wanted = ("wal", _SYNCHRONOUS[durability])
    if found != wanted:
        raise StoreUnavailable(
            f"{path} cannot be {durability}: its journal mode and synchronous setting are {found}, not {wanted}",
            remedy="Put the store on a local disk with shared memory between processes.",
        )
