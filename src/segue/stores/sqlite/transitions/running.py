"""The life of runs: submit, prune."""

from __future__ import annotations

from collections.abc import Sequence

from segue.domain.records import NewRun, Submitted
from segue.domain.running.spending import ROOT
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import Transaction
from segue.stores.sqlite.transitions.granting import standing_claims
from segue.stores.sqlite.transitions.payloads import keep_schemas, new_payloads
from segue.stores.sqlite.transitions.pooling import keep_needs
from segue.stores.sqlite.transitions.releasing import new_task
from segue.stores.sqlite.transitions.spending import open_account
from segue.stores.wording import (
    RUN_STARTED,
    STORE_PRUNED,
    key_conflict,
    same_run,
)

PRUNED_AT_ONCE = 100
"""Runs deleted in one transaction: few enough that nobody waits long for the write lock."""


def submit(tx: Transaction, runs: Sequence[NewRun], worker: str, lease_seconds: float) -> Sequence[Submitted]:
    """Create runs, roots ready or claimed. Raises `KeyConflict`, `PoolTooSmall` or `SchemaDrift`."""
    by_key: dict[str, NewRun] = {}
    for new in runs:
        if new.key is None:
            continue
        standing = tx.row(SQL.find_run, (new.key,))
        first = by_key.setdefault(new.key, new)
        if standing is not None and not same_run(standing[2], standing[4], standing[5], new):
            raise key_conflict(new, standing[0])
        if not same_run(first.workflow, first.graph_digest, first.input, new):
            raise key_conflict(new, first.run)
    payloads = new_payloads(tx, runs)
    _keep_documents(tx, runs)
    tx.cursor.executemany(SQL.insert_payload, payloads)
    return [_submit(tx, new, worker, lease_seconds) for new in runs]


def _keep_documents(tx: Transaction, runs: Sequence[NewRun]) -> None:
    # Looked up first, because a graph is large and nearly always there.
    for digest, graph in {new.graph_digest: new.graph for new in runs}.items():
        if not tx.rows(SQL.has_graph, (digest,)):
            tx.cursor.execute(SQL.insert_graph, (digest, graph))
    keep_schemas(tx, {schema for new in runs for schema in new.schemas})


def _submit(tx: Transaction, new: NewRun, worker: str, lease_seconds: float) -> Submitted:
    standing = tx.row(SQL.find_run, (new.key,)) if new.key is not None else None
    if standing is not None and standing[0] != new.run:
        return Submitted(standing[0], created=False, claims=())
    if standing is not None or tx.rows(SQL.run_state, (new.run,)):
        return Submitted(new.run, created=True, claims=standing_claims(tx, new.run, new.roots))
    head = (new.run, new.key, new.workflow, new.waits_for, new.graph_digest, new.input, new.options)
    tx.cursor.execute(SQL.insert_run, (*head, tx.wall))
    keep_needs(tx, new)
    if new.caps:
        open_account(tx, new.run, ROOT, new.caps)
    roots = [new_task(tx, new.run, root, worker, tx.boot + lease_seconds) for root in new.roots]
    tx.cursor.executemany(SQL.insert_task, [row for row, _, _ in roots])
    tx.tell([(new.run, RUN_STARTED, None, None, tx.wall, None, None), *(event for _, _, event in roots)])
    return Submitted(new.run, created=True, claims=tuple(claim for _, claim, _ in roots if claim is not None))


def prune(tx: Transaction, ended_before: float) -> int:
    """Delete some of the runs that ended before a time, and mark in the log up to where; how many."""
    runs = [run for (run,) in tx.rows(SQL.find_prunable, (ended_before, PRUNED_AT_ONCE))]
    if not runs:
        return 0
    through = max(tx.row(SQL.last_position, (run,))[0] for run in runs)
    tx.tell_run("", STORE_PRUNED, str(through))
    names = [(run,) for run in runs]
    for statement in (
        SQL.prune_event,
        SQL.prune_handoff_artifact,
        SQL.prune_handoff,
        SQL.prune_step,
        SQL.prune_growth,
        SQL.prune_allowance,
        SQL.prune_reservation,
        SQL.prune_need,
        SQL.prune_pause,
        SQL.prune_command,
        SQL.prune_task,
        SQL.prune_run,
    ):
        tx.cursor.executemany(statement, names)
    tx.cursor.execute(SQL.prune_graphs)
    return len(runs)
