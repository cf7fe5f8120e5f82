"""Connections that read: one in the event loop's thread for small things, some in threads for large ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

import apsw

from segue.stores.sqlite.file.connection import Durability, connect
from segue.stores.sqlite.file.failures import translate

T = TypeVar("T")
THREADS = 2


class Readers:
    """Runs reads, each on one consistent view of the file."""

    def __init__(self, path: Path, durability: Durability) -> None:
        self._path = path
        self._durability: Durability = durability
        self._near = connect(path, durability, read_only=True)
        self._far: SimpleQueue[apsw.Connection | None] = SimpleQueue()
        for _ in range(THREADS):
            self._far.put(None)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="segue-reader")

    def near(self, read: Callable[[apsw.Connection], T]) -> T:
        """Read something small at once, in a few microseconds."""
        return self._one_view(self._near, read)

    async def far(self, read: Callable[[apsw.Connection], T]) -> T:
        """Read something that may be large, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._in_thread, read)

    def data_version(self) -> int:
        """A number that changes when another connection has committed."""
        try:
            version: int = self._near.pragma("data_version")
        except apsw.Error as error:
            raise translate(error, str(self._path), self._near.system_errno) from error
        return version

    def close(self) -> None:
        """Let go of all connections."""
        self._threads.shutdown()
        self._near.close()
        while not self._far.empty():
            connection = self._far.get()
            if connection is not None:
                connection.close()

    def _in_thread(self, read: Callable[[apsw.Connection], T]) -> T:
        connection = self._far.get()
        try:
            if connection is None:
                connection = connect(self._path, self._durability, read_only=True)
            return self._one_view(connection, read)
        finally:
            self._far.put(connection)

    def _one_view(self, connection: apsw.Connection, read: Callable[[apsw.Connection], T]) -> T:
        try:
            connection.execute("BEGIN")
            try:
                return read(connection)
            finally:
                connection.execute("COMMIT")
        except apsw.Error as error:
            raise translate(error, str(self._path), connection.system_errno) from error
