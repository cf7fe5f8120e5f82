"""Runs that grow: tasks that a running attempt delegates."""

from __future__ import annotations

from segue.domain.decisions import Append
from segue.domain.records import SINGLE, Token, Verdict
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import Transaction, blob_of
from segue.stores.sqlite.transitions.judging import judge_run
from segue.stores.sqlite.transitions.pooling import check_there
from segue.stores.sqlite.transitions.releasing import limits_row
from segue.stores.sqlite.transitions.settling import write_handoffs
from segue.stores.wording import DELEGATED, RUN_GREW, growth_data


def append(tx: Transaction, token: Token, append: Append) -> Verdict:
    """Append a task to the run of an attempt that may still write. Raises `PoolTooSmall`."""
    run = token.run
    written = tx.row(SQL.find_grown, (run, append.node))
    if written is not None:
        return "repeated" if written == (append.key, append.document) else "stale"
    if tx.live_task(token) is None:
        return "stale"
    check_there(tx, append.needs)
    grown = tx.row(SQL.grow_run, (run,))
    if grown is None:
        return "stale"
    parent = (token.node, token.item)
    tx.cursor.execute(SQL.insert_growth, (run, grown[0], append.node, *parent, append.key, append.document))
    handoff = append.handoff
    number = write_handoffs(tx, [((run, append.node, SINGLE, 0, None), handoff)])
    pin = handoff.pin(append.node, SINGLE)
    pools = blob_of(append.pools) if append.pools else None
    ready = (tx.boot, tx.wall, blob_of((pin,)), *limits_row(tx, append.limits), pools)
    tx.cursor.executemany(SQL.insert_need, [(run, *need) for need in append.needs])
    (born,) = tx.row(
        SQL.append_task, (run, append.node, append.agent, handoff.version, number, *ready, *parent)
    )
    data = growth_data(token, append)
    tx.tell_run(run, RUN_GREW, data)
    tx.tell_task(run, append.node, SINGLE, append.agent, DELEGATED, 0, data)
    if born == "paused":
        tx.tell_task(run, append.node, SINGLE, append.agent, born, 0)
    judge_run(tx, run)
    return "accepted"
