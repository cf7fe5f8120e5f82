"""The lock that processes take before they write: the kernel queues them, where SQLite would let them guess."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segue.stores.sqlite.file.holder import HolderWatch


class WriteLock:
    """A lock on a file beside the database. A process that dies lets go of it."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._watch = HolderWatch(path)

    def try_acquire(self) -> bool:
        """Take the lock if it is free at once."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def acquire(self) -> None:
        """Wait for the lock, in a thread that may be blocked. A holder that was stopped is helped to let go of it."""
        if self.try_acquire():
            return
        self._watch.begin()
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
        finally:
            self._watch.end()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have the lock for a while."""
        self.acquire()
        try:
            yield
        finally:
            self.release()

    def release(self) -> None:
        """Let the next one in."""
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)
