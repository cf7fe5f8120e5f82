"""Which workers on this machine are dead, told by the kernel: a lock dies with the process that held it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection
from pathlib import Path

from segue.errors import StoreUnavailable


class LockedFiles:
    """
    A locked file for each worker, in a folder that all processes of a store share.

    A child made by `fork` without `exec` shares its parent's locks: the parent counts as alive until both have ended.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}

    def hold(self, worker: str) -> None:
        """Prove from now on, until this process ends or lets go, that the worker lives."""
        if worker in self._held:
            return
        file = os.open(self._path(worker), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise StoreUnavailable(
                f"another process is the worker {worker!r}", remedy="Give each worker an id of its own."
            ) from None
        self._held[worker] = file

    def let_go(self, worker: str) -> None:
        """The worker has ended; harmless if it was never held."""
        file = self._held.pop(worker, None)
        if file is not None:
            self._path(worker).unlink(missing_ok=True)
            os.close(file)

    def close(self) -> None:
        """Let go of all workers of this process."""
        for worker in tuple(self._held):
            self.let_go(worker)

    def dead(self, workers: Collection[str]) -> set[str]:
        """Those of these workers whose file is gone or can be locked."""
        return {worker for worker in workers if worker not in self._held and self._is_dead(worker)}

    def _is_dead(self, worker: str) -> bool:
        try:
            file = os.open(self._path(worker), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(file)
        return True

    def _path(self, worker: str) -> Path:
        if not worker or "/" in worker or worker.startswith("."):
            raise ValueError(f"{worker!r} cannot be a worker's id: it names a file")
        return self._folder / f"{worker}.lock"
