"""Deadlocks: all who may wait for one another, seen at once, and the way out."""

from __future__ import annotations

import apsw

from segue.domain.decisions import Untangling
from segue.domain.records import Settled
from segue.domain.rows import Waits
from segue.stores.looking import Looks
from segue.stores.sqlite.pooling import read_pools
from segue.stores.sqlite.reading import run_by, task_of
from segue.stores.sqlite.settling import settle
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import EventRow, Transaction
from segue.stores.wording import RUN_DEADLOCK


def may_be_deadlock(connection: apsw.Connection) -> bool:
    """Whether somebody who waits keeps places that others may need."""
    return bool(connection.execute(SQL.any_keeper).fetchall()[0][0])


def waits(connection: apsw.Connection, boot: float, wall: float) -> Waits:
    """The pools, and every task of the runs in which some need pools."""
    names = [str(run) for (run,) in connection.execute(SQL.find_pooled_runs).fetchall()]
    runs = [run_by(connection, SQL.read_run, name) for name in names]
    tasks = [
        task_of(row)
        for name in names
        for row in connection.execute(SQL.read_waiting_tasks, (name, boot, wall)).fetchall()
    ]
    return Waits(tuple(read_pools(connection)), tuple(filter(None, runs)), tuple(tasks))


def untangle(tx: Transaction, untangling: Untangling) -> Settled:
    """Write down a deadlock, and end the attempt of its victim if that is wanted."""
    victim, runs, data, settlement = untangling
    found = tx.row(SQL.find_parked, victim)
    if found is None or not found[1]:
        return Settled("stale", (), None)
    if tx.rows(SQL.find_deadlock, (victim.run, RUN_DEADLOCK, victim.claim)):
        return Settled("repeated", (), None)
    events: list[EventRow] = [
        (run, RUN_DEADLOCK, None, None, tx.wall, data, victim.claim if run == victim.run else None)
        for run in runs
        if tx.rows(SQL.run_state, (run,))
    ]
    tx.tell(events)
    if settlement is None:
        return Settled("accepted", (), None)
    (answer,), _ = settle(tx, [settlement], "", 0.0, None, Looks())
    return answer
