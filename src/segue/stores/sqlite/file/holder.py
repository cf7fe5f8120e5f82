"""
Who holds the write lock, and what to do if it was stopped in the middle of a commit.

A process that is stopped (SIGSTOP, Ctrl-Z) keeps its locks, so all others would wait until somebody thinks of it. It is
let go on until it has released the lock, and is then stopped again: its commit ends as if nothing had happened, and
whatever else it believes is refused by its tokens.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path

LOOK_SECONDS = 0.5
"""How often whoever waits looks at who holds the lock. Nobody commits for so long unless he was stopped."""


class HolderWatch:
    """Looks at the holder of a lock while somebody in this process waits for it, and only then."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._waits = 0
        self._waiting = False
        self._urged: int | None = None
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """The wait for the lock begins."""
        with self._guard:
            self._waits += 1
            self._waiting = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="segue-lock-watch", daemon=True)
                self._thread.start()

    def end(self) -> None:
        """This process has the lock. Whoever was let go on for it is stopped again: now he cannot have it."""
        with self._guard:
            self._waiting = False
            urged, self._urged = self._urged, None
        if urged is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(urged, signal.SIGSTOP)

    def _look(self) -> None:
        seen = 0
        rest = threading.Event()
        while True:
            rest.wait(LOOK_SECONDS)
            with self._guard:
                if not self._waiting:
                    self._thread = None
                    return
                if self._waits == seen and self._urged is None:
                    self._urged = _let_go_on(self._path)
                seen = self._waits


def _let_go_on(path: Path) -> int | None:
    """Let the holder of the lock on a file go on if it was stopped; its process id if so."""
    holder = holder_of(path)
    if holder is None or not is_stopped(holder):
        return None
    try:
        os.kill(holder, signal.SIGCONT)
    except (ProcessLookupError, PermissionError):
        return None
    return holder


def holder_of(path: Path) -> int | None:
    """The process that holds the lock on a file, where the kernel tells (on Linux)."""
    try:
        file = path.stat()
        locks = Path("/proc/locks").read_text()
    except OSError:
        return None
    place = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
    for line in locks.splitlines():
        _, kind, *rest = line.split()
        # Those who wait stand below with an arrow in the place of the kind.
        if kind == "FLOCK" and rest[3] == place and int(rest[2]) > 0:
            return int(rest[2])
    return None


def is_stopped(process: int) -> bool:
    """Whether a process was stopped by a signal."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state == "T"
