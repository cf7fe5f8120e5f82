"""One transaction as its steps see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import apsw

from segue.domain.envelope.stored import not_understood
from segue.domain.records import LIVE, Need, Pin, Pools, Token, task_name
from segue.ports.clock import Clock
from segue.stores.sqlite.statements import SQL
from segue.stores.wording import task_event

T = TypeVar("T")
EventRow = tuple[str, str, str | None, int | None, float, str | None, str | None]
"""Run, name, task, epoch, time, data, and the claim that ended without a hand-off."""


class Unforeseen(Exception):
    """A step found other rows than it expected: roll back and take the careful way."""


class Transaction:
    """
    A connection inside a transaction, the time of it, and the way to go.

    The quick way writes all of a batch at once, expecting every row to be as it should; the careful way goes one by one
    and finds out what is not.
    """

    __slots__ = ("boot", "careful", "connection", "cursor", "wall")

    def __init__(self, connection: apsw.Connection, cursor: apsw.Cursor, clock: Clock, careful: bool) -> None:
        self.connection = connection
        self.cursor = cursor
        self.careful = careful
        self.wall = clock.wall()
        self.boot = clock.boot()

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Run a statement and give all its rows."""
        return self.cursor.execute(statement, parameters).fetchall()

    def row(self, statement: str, parameters: Sequence[Any]) -> Any:
        """Run a statement and give its row, or None."""
        rows = self.cursor.execute(statement, parameters).fetchall()
        return rows[0] if rows else None

    def rows_of_each(self, statement: str, parameters: Sequence[Sequence[Any]]) -> list[Any]:
        """Run a statement once for each of some parameters and give all rows of all of them."""
        return self.cursor.executemany(statement, parameters).fetchall()

    def live_task(self, token: Token) -> Any:
        """The row of a task (`find_task`), if this attempt of it may still write; else None."""
        task = self.row(SQL.find_task, token[:3])
        if task is None or task[1] not in LIVE or (task[2], task[5]) != (token.epoch, token.claim):
            return None
        return task

    def changed(self, statement: str, parameters: Sequence[Any]) -> bool:
        """Run a statement and say whether it changed anything."""
        before = self.connection.total_changes()
        self.cursor.execute(statement, parameters)
        return self.connection.total_changes() != before

    def tell(self, events: Sequence[EventRow]) -> None:
        """Append events."""
        if events:
            self.cursor.executemany(SQL.insert_event, events)

    def tell_run(self, run: str, name: str, data: str | None = None) -> None:
        """Append an event of a run."""
        self.cursor.execute(SQL.insert_event, (run, name, None, None, self.wall, data, None))

    def tell_task(
        self, run: str, node: str, item: int, agent: str, what: str, epoch: int, data: str | None = None
    ) -> None:
        """Append an event of a task."""
        row = (run, task_event(agent, what), task_name(node, item), epoch, self.wall, data, None)
        self.cursor.execute(SQL.insert_event, row)

    def alone(self, step: Callable[[], T]) -> T:
        """Run a step that leaves nothing behind if it raises."""
        self.cursor.execute("SAVEPOINT step")
        try:
            answer = step()
        except BaseException:
            if self.connection.in_transaction:
                self.cursor.execute("ROLLBACK TO step")
                self.cursor.execute("RELEASE step")
            raise
        self.cursor.execute("RELEASE step")
        return answer


def pins_of(blob: bytes | None) -> tuple[Pin, ...]:
    """The pins that a row holds."""
    try:
        return tuple(Pin(*pin) for pin in apsw.jsonb_decode(blob)) if blob is not None else ()
    except (ValueError, TypeError) as error:
        raise not_understood("what a task was given", error) from error


def pools_of(blob: bytes | None) -> Pools:
    """The pools that a row holds."""
    try:
        return tuple(Need(*need) for need in apsw.jsonb_decode(blob)) if blob is not None else ()
    except (ValueError, TypeError) as error:
        raise not_understood("the pools of a task", error) from error


def names_of(blob: bytes | None) -> tuple[str, ...]:
    """The names that a row holds."""
    try:
        return tuple(apsw.jsonb_decode(blob)) if blob is not None else ()
    except (ValueError, TypeError) as error:
        raise not_understood("what a task waits for", error) from error


def blob_of(value: Sequence[object]) -> bytes:
    """Pins or names as a row holds them."""
    return apsw.jsonb_encode(value)
