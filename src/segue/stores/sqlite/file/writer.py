"""
The one writer of a process, with group commit.

Everything that waits is committed in one transaction. A call commits in the event loop's own thread when nothing else
needs the loop and the write lock is free at once, which saves two changes of thread; otherwise it goes to the writer's
thread, and whatever comes while that one commits goes with its next transaction. The thread also carries the log over
into the database, most of it while commits go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Literal

import apsw

from segue.errors import StoreClosed, StoreError, StoreUnavailable
from segue.ports.clock import Clock
from segue.stores.sqlite.file import wal
from segue.stores.sqlite.file.committing import Busy, Committer, Operation
from segue.stores.sqlite.file.connection import Durability, connect
from segue.stores.sqlite.file.failures import told
from segue.stores.sqlite.file.lock import WriteLock

Waiting = tuple[Operation, "asyncio.Future[Any]"]
Inbox = SimpleQueue[Waiting | Literal["checkpoint", "close"]]

CLOSE_SECONDS = 10.0
"""How long closing waits for the write lock, which others hold for milliseconds unless they were stopped."""

_LATER = object()
"""The answer of an operation that could not be committed at once."""


class Writer:
    """Takes operations from the event loop that opened it, and commits them."""

    def __init__(
        self,
        path: Path,
        durability: Durability,
        clock: Clock,
        lock: WriteLock,
        carrying: WriteLock,
        on_commit: Callable[[], None],
        on_quiet_commit: Callable[[], None],
    ) -> None:
        self._path = path
        self._lock = lock
        self._carrying = carrying
        """Held by whoever carries the log over: one process at a time."""
        self._is_unsynced = False
        """A part of the log may have been carried over in vain."""
        self._on_commit = on_commit
        self._on_quiet_commit = on_quiet_commit
        self._loop = asyncio.get_running_loop()
        self._process = os.getpid()
        self._gate = threading.Lock()
        self._thread_first = True
        """The loop keeps away from the gate: it would pass it thousands of times while the thread wakes up once."""
        self._inbox: Inbox = SimpleQueue()
        self._waiting = 0
        self._log_is_grown = False
        self._pages = 0
        self._checkpoint_at = wal.CHECKPOINT_PAGES
        self._checkpoint_is_coming = False
        self._failure: StoreError | None = None
        self._closing = False
        self._checkpointer = connect(path, durability)
        try:
            self._committer = Committer(path, durability, clock)
        except BaseException:
            self._checkpointer.close()
            raise
        self._thread = threading.Thread(target=self._work, name="segue-writer", daemon=True)
        self._thread.start()

    async def run(self, operation: Operation, *, inline: bool, quiet: bool = False) -> Any:
        """
        Commit an operation, with whatever else waits; its answer, after the commit. Nobody acts on a `quiet` one: those
        who only watch may hear of it a little later.
        """
        self.check_usable()
        if inline and not self._waiting and not self._thread_first and self._gate.acquire(blocking=False):
            try:
                answer = self._run_inline(operation, quiet)
            finally:
                self._gate.release()
            if answer is not _LATER:
                return _given(answer)
        future = self._loop.create_future()
        self._waiting += 1
        self._inbox.put((operation, future))
        # A caller that is cancelled leaves its operation to be committed, whole and once.
        return _given(await asyncio.shield(future))

    async def close(self) -> None:
        """
        Commit what waits, and let go of the files.

        Raises `StoreUnavailable` if another process keeps the write lock: it may have been stopped while it wrote, and
        this one must be able to end all the same.
        """
        if self._closing:
            return
        self._closing = True
        self._inbox.put("close")
        await self._loop.run_in_executor(None, self._thread.join, CLOSE_SECONDS)
        if self._thread.is_alive():
            raise StoreUnavailable(
                f"{self._path} is held by another process, so that what waits cannot be written",
                remedy="Nothing that was acknowledged is lost. Let that process go on, or end it.",
            )
        if self._is_unsynced:
            self._checkpointer.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            self._committer.keep_log()
        self._checkpointer.close()
        self._committer.close()

    def check_usable(self) -> None:
        """Raises `StoreClosed` in another process or event loop than that which opened the store."""
        if self._closing:
            raise StoreClosed(f"the store {self._path} is closed", remedy="Open it again.")
        if os.getpid() != self._process:
            raise StoreClosed(
                f"the store {self._path} was opened by the process that this one was forked from",
                remedy="Open the store after the fork, in each process for itself.",
            )
        if asyncio.get_running_loop() is not self._loop:
            raise StoreClosed(
                f"the store {self._path} was opened in another event loop",
                remedy="Use it in the loop that opened it, or open it again in this one.",
            )
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    # --- in the event loop's thread -------------------------------------------------------------------

    def _run_inline(self, operation: Operation, quiet: bool) -> Any:
        if not self._lock.try_acquire():
            return _LATER
        try:
            (answer,) = self._committer.commit([operation], wait=False)
        except Busy:
            return _LATER
        finally:
            self._lock.release()
        if self._committer.wrote:
            self._on_quiet_commit() if quiet else self._on_commit()
        if self._log_is_due():
            self._inbox.put("checkpoint")
        return answer

    def _log_is_due(self) -> bool:
        """Whether the log is to be carried over now. Called by whoever holds the gate, after a commit."""
        pages = self._committer.pages_in_log
        if pages < self._pages:
            self._checkpoint_at = wal.CHECKPOINT_PAGES  # somebody, maybe another process, has started it anew
        self._pages = pages
        self._thread_first = pages >= wal.GROWN_PAGES
        if pages < self._checkpoint_at or self._checkpoint_is_coming:
            return False
        self._checkpoint_is_coming = True
        return True

    def _deliver(self, group: list[Waiting], answers: list[Any], wrote: bool) -> None:
        self._waiting -= len(group)
        for (_, future), answer in zip(group, answers, strict=True):
            if not future.done():
                future.set_result(answer)
        if wrote:
            self._on_commit()

    # --- in the writer's thread -----------------------------------------------------------------------

    def _work(self) -> None:
        """Commit everything that waits, again and again, until told to close."""
        while True:
            items = [self._inbox.get()]
            with contextlib.suppress(Empty):
                while True:
                    items.append(self._inbox.get_nowait())
            group = [item for item in items if not isinstance(item, str)]
            is_due = self._commit(group) if group else False
            if is_due or "checkpoint" in items:
                self._checkpoint()
            if "close" in items:
                return

    def _commit(self, group: list[Waiting]) -> bool:
        """Commit a group and deliver its answers; whether the log is to be carried over now."""
        with self._gate:
            self._lock.acquire()
            try:
                if not self._log_is_grown:
                    self._grow()
                answers = self._committer.commit([operation for operation, _ in group], wait=True)
            except Exception as error:  # noqa: BLE001 (everybody who waits must hear of it)
                answers = [error] * len(group)
            finally:
                self._lock.release()
            wrote, is_due = self._committer.wrote, self._log_is_due()
        with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody waits
            self._loop.call_soon_threadsafe(self._deliver, group, answers, wrote)
        return is_due

    def _checkpoint(self) -> None:
        """Carry the log over, unless another process is at it."""
        try:
            if not (self._is_unsynced or self._carrying.try_acquire()):
                self._checkpoint_at = self._pages + wal.CHECKPOINT_PAGES
                return
            try:
                self._carry_over()
            except (apsw.Error, OSError) as error:
                self._failure = told(error, str(self._path), self._checkpointer.system_errno)
            if not self._is_unsynced:
                self._carrying.release()
        finally:
            self._checkpoint_is_coming = False
            self._thread_first = self._committer.pages_in_log >= wal.GROWN_PAGES

    def _carry_over(self) -> None:
        """
        Most of the log beside the commits, the rest while none is made, so that it can start anew.

        After a failure all of it is to be carried over again; nobody may carry over anything before that is certain.
        """
        if self._is_unsynced:
            self._start_over()
        try:
            wal.carry_over(self._checkpointer)
            self._thread_first = True
            with self._gate, self._lock.held():
                done = wal.carry_over(self._checkpointer)
                # A reader that is still in an old view keeps the log; try again when it has grown as much again.
                self._pages = 0 if done else self._committer.pages_in_log
                self._committer.pages_in_log = self._pages
                self._checkpoint_at = self._pages + wal.CHECKPOINT_PAGES
        except apsw.Error:
            self._is_unsynced = True
            self._start_over()
            raise

    def _start_over(self) -> None:
        with self._gate, self._lock.held():
            wal.carry_all_again(self._path)
        self._is_unsynced = False

    def _grow(self) -> None:
        """Before the first commit. A disk too full for it will say so at a commit, where somebody hears it."""
        with contextlib.suppress(OSError):
            wal.grow(self._path)
        self._log_is_grown = True


def _given(answer: Any) -> Any:
    if isinstance(answer, BaseException):
        raise answer
    return answer
