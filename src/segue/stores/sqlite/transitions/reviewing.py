"""What is decided on hand-offs in review: by people, or by the terms of the review when they did not in time."""

from __future__ import annotations

from segue.domain.decisions import Decision
from segue.domain.records import Verdict, task_name
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import Transaction
from segue.stores.sqlite.transitions.concluding import conclude
from segue.stores.sqlite.transitions.releasing import release_new
from segue.stores.sqlite.transitions.settling import move_run, write_handoffs
from segue.stores.wording import DECIDED, in_time, task_event


def review(tx: Transaction, decision: Decision) -> Verdict:
    """Write what was decided on a hand-off, or that somebody was refused."""
    run, node, item = decision.run, decision.node, decision.item
    if tx.rows(SQL.find_decision, (run, decision.id, task_name(node, item))):
        return "repeated"
    task = tx.row(SQL.find_review, (run, node, item))
    if task is None:
        return "stale"
    agent, state, epoch, version, escalations, review_by = task
    if decision.word != "refused":
        is_there = (state, version, escalations) == ("needs_review", decision.version, decision.escalations)
        if not is_there or not in_time(decision, review_by, tx.wall):
            return "stale"
    after, what = DECIDED[decision.word]
    event = (run, task_event(agent, what), task_name(node, item), epoch, tx.wall, decision.data, decision.id)
    tx.tell([event])
    if decision.word == "escalated":
        seconds = decision.review_seconds
        until = None if seconds is None else tx.wall + seconds
        tx.cursor.execute(SQL.escalate_task, (run, node, item, until, tx.wall))
    elif decision.handoff is not None:
        _settle(tx, decision, after, epoch)
    return "accepted"


def _settle(tx: Transaction, decision: Decision, state: str, epoch: int) -> None:
    run, node, item, handoff = decision.run, decision.node, decision.item, decision.handoff
    assert handoff is not None
    number = write_handoffs(tx, [((run, node, item, epoch, None), handoff)])
    error = decision.data if state == "failed" else None
    settled = (run, node, item, handoff.version, state, number, tx.wall, error, decision.tolerated)
    tx.cursor.execute(SQL.decide_task, settled)
    unclaimed = [release._replace(claim=None) for release in decision.releases]
    tx.tell(release_new(tx, run, unclaimed, "", 0.0)[1])
    conclude(tx, run, node, item)
    move_run(tx, run, decision.run_resolved)
