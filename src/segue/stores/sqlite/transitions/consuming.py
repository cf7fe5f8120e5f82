"""Consumers of the log: who handles events for each, and how far it has got."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

import apsw

from segue.domain.consumers import (
    Consumed,
    ConsumeRequest,
    ConsumerRecord,
    ConsumerToken,
    Since,
    Trouble,
    consumer_event,
)
from segue.domain.records import Verdict
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import Transaction
from segue.stores.wording import Position, cursor_text, parse_cursor


def register(tx: Transaction, name: str, since: Since, incarnation: str) -> str:
    """Make a consumer known."""
    tx.rows(SQL.register_consumer, (name, 0 if since == "start" else None))
    return _cursor(tx.connection, incarnation, tx.row(SQL.find_consumer, (name,))[0])


def refused(
    connection: apsw.Connection, request: ConsumeRequest, incarnation: str, boot: float
) -> Consumed | None:
    """Why a consumer is not granted; None if it can be. A look that holds nobody up, before a write that does."""
    wanted = parse_cursor(request.wanted, incarnation).position
    rows: list[Any] = connection.execute(SQL.find_consumer, (request.consumer,)).fetchall()
    if not rows:
        return Consumed(None, _cursor(connection, incarnation, 0), None)
    position, _, standing, lease, due, parked, *_ = rows[0]
    free_at = due if lease is None else max(due, lease)
    if standing == request.claim:
        return None
    cursor = _cursor(connection, incarnation, position)
    if position >= wanted:
        return Consumed(None, cursor)
    if parked:
        return Consumed(None, cursor, None)
    return Consumed(None, cursor, free_at - boot) if free_at > boot else None


def consume(tx: Transaction, request: ConsumeRequest, incarnation: str) -> Consumed:
    """Take a consumer that nobody holds."""
    name, worker, claim, lease_seconds, _ = request
    refusal = refused(tx.connection, request, incarnation, tx.boot)
    if refusal is not None:
        return refusal
    position, epoch, standing, *_, failures = tx.row(SQL.find_consumer, (name,))
    if standing != claim:
        tx.rows(SQL.grant_consumer, (name, claim, worker, tx.boot + lease_seconds))
        epoch += 1
    cursor = _cursor(tx.connection, incarnation, position)
    return Consumed(ConsumerToken(name, epoch, claim), cursor, failures=failures)


def advance(
    tx: Transaction, token: ConsumerToken, cursor: str, lease_seconds: float, incarnation: str
) -> Verdict:
    """Note how far a consumer has got."""
    position = parse_cursor(cursor, incarnation).position
    lease = tx.boot + lease_seconds if lease_seconds else None
    if tx.changed(SQL.advance_consumer, (*token, position, lease)):
        return "accepted"
    found = tx.row(SQL.find_consumer, (token.consumer,))
    left = found is not None and found[1:3] == (token.epoch, None)
    return "repeated" if left and found[0] >= position else "stale"


def stumble(tx: Transaction, trouble: Trouble, incarnation: str) -> Verdict:
    """Note that an event could not be handled."""
    token, cursor, run, name, data, delay_seconds = trouble
    position = parse_cursor(cursor, incarnation).position
    due, parked = tx.boot + (delay_seconds or 0.0), delay_seconds is None
    if tx.changed(SQL.stumble_consumer, (*token, position, due, parked, data)):
        tx.tell_run(run, name, data)
        return "accepted"
    found = tx.row(SQL.find_consumer, (token.consumer,))
    left = found is not None and found[1:3] == (token.epoch, None)
    return "repeated" if left and found[6] == position else "stale"


def unpark(tx: Transaction, name: str, past: bool, data: str | None) -> bool:
    """Let a parked consumer go on."""
    found = tx.row(SQL.find_consumer, (name,))
    if found is None or not tx.changed(SQL.unpark_consumer, (name, past)):
        return False
    (run,) = tx.row(SQL.run_at, (found[6],))
    tx.tell_run(run, consumer_event(name, "skipped" if past else "resumed"), data)
    return True


def let_go_of_dead(tx: Transaction, workers: Collection[str]) -> None:
    """Let the consumers go that dead workers hold."""
    if workers:
        tx.rows(SQL.free_consumers, (json.dumps(sorted(workers)),))


def consumers(connection: apsw.Connection, incarnation: str) -> Sequence[ConsumerRecord]:
    """All consumers, by name."""
    rows: list[Any] = connection.execute(SQL.list_consumers).fetchall()
    return [
        ConsumerRecord(
            name=name,
            cursor=_cursor(connection, incarnation, position),
            position=position,
            lag=lag,
            worker=worker,
            failures=failures,
            parked=bool(parked),
            error=error,
        )
        for name, position, lag, worker, failures, parked, error in rows
    ]


def _cursor(connection: apsw.Connection, incarnation: str, position: int) -> str:
    """A position as a cursor: nothing behind it was pruned, so it is one of now."""
    generation: Any = connection.execute(SQL.place).fetchall()[0][0]
    return cursor_text(Position(incarnation, generation, position))
