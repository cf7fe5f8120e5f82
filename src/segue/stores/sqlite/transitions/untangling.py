"""Deadlocks: all who may wait for one another, seen at once, and the way out."""

from __future__ import annotations

import apsw

from segue.domain.decisions import Untangling
from segue.domain.records import Settled
from segue.domain.rows import Waits
from segue.stores.looking import Looks
from segue.stores.sqlite.reading import pauses, run_by, task_of
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import EventRow, Transaction
from segue.stores.sqlite.transitions.controlling import control
from segue.stores.sqlite.transitions.pooling import read_pools
from segue.stores.sqlite.transitions.settling import settle
from segue.stores.wording import RUN_DEADLOCK


def may_be_deadlock(connection: apsw.Connection) -> bool:
    """Whether somebody who waits keeps places that others may need, or a pause is to end with a task."""
    return bool(connection.execute(SQL.any_knot).fetchall()[0][0])


def waits(connection: apsw.Connection, boot: float, wall: float) -> Waits:
    """All who may wait for one another."""
    names = [str(run) for (run,) in connection.execute(SQL.find_knotted_runs).fetchall()]
    runs = [run_by(connection, SQL.read_run, name) for name in names]
    tasks = [
        task_of(row)
        for name in names
        for row in connection.execute(SQL.read_waiting_tasks, (name, boot, wall)).fetchall()
    ]
    ending = [pause for pause in pauses(connection, None) if pause.until is not None]
    return Waits(tuple(read_pools(connection)), tuple(filter(None, runs)), tuple(tasks), tuple(ending))


def untangle(tx: Transaction, untangling: Untangling) -> Settled:
    """Write down a deadlock, and break it if that is wanted."""
    run, told, runs, data, victim, settlement, wanted = untangling
    if victim is not None:
        found = tx.row(SQL.find_parked, victim)
        if found is None or not found[1]:
            return Settled("stale", (), None)
    if tx.rows(SQL.find_deadlock, (run, RUN_DEADLOCK, told)):
        return Settled("repeated", (), None)
    if wanted is not None and control(tx, wanted) != "accepted":
        return Settled("stale", (), None)
    events: list[EventRow] = [
        (each, RUN_DEADLOCK, None, None, tx.wall, data, told if each == run else None)
        for each in runs
        if tx.rows(SQL.run_state, (each,))
    ]
    tx.tell(events)
    if settlement is None:
        return Settled("accepted", (), None)
    (answer,), _ = settle(tx, [settlement], "", 0.0, None, Looks())
    return answer
