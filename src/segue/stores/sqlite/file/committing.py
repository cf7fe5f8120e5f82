"""Committing a group of operations in one transaction, and what happens to each if that fails."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw

from segue.errors import StoreError, StoreUnavailable
from segue.ports.clock import Clock
from segue.stores.sqlite.file.connection import Durability, connect
from segue.stores.sqlite.file.failures import is_io_error, translate
from segue.stores.sqlite.transaction import Transaction

Operation = Callable[[Transaction], Any]
"""One call of a mutating verb: what it does inside a transaction, and what it answers."""

BUSY_MILLISECONDS = 5_000
"""How long another program may hold the file's own lock before a write is refused."""


PLACE_SECONDS = 1.0
"""How often it is made sure that the file is still at its place: whoever deletes or moves it tells nobody."""


class Busy(Exception):
    """Another program holds the file's own lock: try again where waiting harms nobody."""


class Committer:
    """
    The one connection that writes. Whoever calls it holds the gate and the write lock; it may be either thread.

    Every answer is given after the commit. A commit that fails leaves its outcome unknown: all operations of the group
    get the error, and may be repeated as they were.
    """

    _connection: apsw.Connection
    _cursor: apsw.Cursor

    def __init__(self, path: Path, durability: Durability, clock: Clock) -> None:
        self._path = path
        self._durability: Durability = durability
        self._clock = clock
        self.pages_in_log = 0
        self.wrote = False
        """Whether the last group changed anything."""
        self._lost = False
        self._connect()
        self._file, self._looked_at = _file_at(path), clock.boot()

    def keep_log(self) -> None:
        """Leave the log to whoever opens the file next, who will carry all of it over."""
        self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def commit(self, operations: Sequence[Operation], *, wait: bool) -> list[Any]:
        """
        Run operations in one transaction; the answer of each, or the error that its caller is to get.

        Without `wait`, raises `Busy` at once if another program writes to the file.
        """
        self.wrote = False
        if self._is_gone():
            return [_gone(self._path)] * len(operations)
        try:
            if self._lost:
                self._connect()
            try:
                return self._attempt(operations, wait, careful=False)
            except apsw.ConstraintError:
                return self._attempt(operations, wait, careful=True)
            except apsw.Error:
                raise
            except Exception:  # noqa: BLE001 (the careful way finds out whose it is, and gives it to him)
                return self._attempt(operations, wait, careful=True)
        except apsw.BusyError as error:
            self._recover(error)
            if not wait:
                raise Busy from error
            return [self._translated(error)] * len(operations)
        except apsw.Error as error:
            failure = self._translated(error)
            self._recover(error)
            return [failure] * len(operations)

    def _attempt(self, operations: Sequence[Operation], wait: bool, *, careful: bool) -> list[Any]:
        cursor = self._cursor
        if wait:
            self._begin_patiently(cursor)
        else:
            cursor.execute("BEGIN IMMEDIATE")
        tx = Transaction(self._connection, cursor, self._clock, careful)
        try:
            if careful:
                answers = [self._alone(tx, operation) for operation in operations]
            else:
                answers = [operation(tx) for operation in operations]
        except Exception as error:
            if not isinstance(error, apsw.Error) or isinstance(error, apsw.ConstraintError):
                cursor.execute("ROLLBACK")
            raise
        cursor.execute("COMMIT")
        return answers

    def _is_gone(self) -> bool:
        """Whether the file is no longer at its place, so that what is written to it would be found by nobody."""
        now = self._clock.boot()
        if now - self._looked_at < PLACE_SECONDS:
            return False
        if _file_at(self._path) != self._file:
            return True
        self._looked_at = now
        return False

    def _begin_patiently(self, cursor: apsw.Cursor) -> None:
        self._connection.set_busy_timeout(BUSY_MILLISECONDS)
        try:
            cursor.execute("BEGIN IMMEDIATE")
        finally:
            self._connection.set_busy_timeout(0)

    def _alone(self, tx: Transaction, operation: Operation) -> Any:
        """An operation that fails by itself does not take the others with it."""
        try:
            return tx.alone(lambda: operation(tx))
        except apsw.ConstraintError as error:
            return self._translated(error)
        except apsw.Error:
            raise
        except Exception as error:  # noqa: BLE001 (its caller gets it)
            return error

    def _recover(self, error: apsw.Error) -> None:
        """Undo what was begun. After a failed disk nobody knows which pages the kernel has dropped: read all anew."""
        with contextlib.suppress(apsw.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._lost = is_io_error(error)
            return
        self._lost = True

    def _connect(self) -> None:
        if self._lost:
            with contextlib.suppress(apsw.Error):
                self._connection.close(force=True)
        self._connection = connect(self._path, self._durability)
        self._connection.set_busy_timeout(0)
        self._connection.set_wal_hook(self._committed)
        self._cursor = self._connection.cursor()
        self._lost = False

    def _committed(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self.wrote = True
        self.pages_in_log = pages
        return apsw.SQLITE_OK

    def _translated(self, error: apsw.Error) -> StoreError:
        return translate(error, str(self._path), self._connection.system_errno)


def _file_at(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _gone(path: Path) -> StoreUnavailable:
    return StoreUnavailable(
        f"{path} was deleted, moved or replaced while it was open, so that what is written would be lost",
        remedy="Put it back where it was, or open the store anew.",
    )
