"""What tasks remember across their attempts: steps, effects, and a person's word on those in doubt."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import apsw

from segue.domain.envelope.stored import understood
from segue.domain.records import Token, Verdict
from segue.domain.rows import StepRecord
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import Transaction, Unforeseen, blob_of
from segue.stores.sqlite.transitions.judging import judge_run
from segue.stores.wording import RESOLVED, step_event


def record(tx: Transaction, token: Token, steps: Sequence[StepRecord]) -> Verdict:
    """Write down what an attempt has finished or is about to do, all of it or nothing."""
    last = {step.name: step for step in steps}
    # Written twice, one record over another, they would be accepted again: whether they stand is seen first.
    if len(last) < len(steps) and _all_stand(tx, token, last.values()):
        return "repeated"
    try:
        tx.alone(lambda: _record(tx, token, steps))
    except Unforeseen:
        return "repeated" if _all_stand(tx, token, last.values()) else "stale"
    return "accepted"


def _record(tx: Transaction, token: Token, steps: Sequence[StepRecord]) -> None:
    for name, kind, state, key, body, _, at, artifacts in steps:
        if not tx.changed(SQL.record_step, (*token, name, kind, state, key, body, at, _blob(artifacts))):
            raise Unforeseen
    ((agent, *_),) = tx.rows(SQL.find_task, token[:3])
    for step in steps:
        what, data = step_event(step)
        tx.tell_task(*token[:3], agent, what, token.epoch, data)


def _all_stand(tx: Transaction, token: Token, steps: Collection[StepRecord]) -> bool:
    """Whether exactly these were written by exactly this attempt."""
    found = [tx.row(SQL.find_step, (*token[:3], step.name)) for step in steps]
    return all(
        row is not None and step_of(row[:-1]) == step and row[-1] == token.claim
        for row, step in zip(found, steps, strict=True)
    )


def resolve(tx: Transaction, run: str, node: str, item: int, step: StepRecord, data: str | None) -> Verdict:
    """Write a person's word on an effect in doubt, and let its task go on if that was the last."""
    if step.kind == "step" or step.state == "begun":
        return "stale"
    task = (run, node, item)
    outcome = (step.state, step.body, step.at, _blob(step.artifacts))
    if not tx.changed(SQL.resolve_step, (*task, step.name, *outcome)):
        return "repeated" if _was_resolved(tx, task, step) else "stale"
    ((agent, _, epoch, *_),) = tx.rows(SQL.find_task, task)
    tx.tell_task(*task, agent, RESOLVED, epoch, data)
    if tx.changed(SQL.return_resolved, (*task, tx.boot, tx.wall)):
        judge_run(tx, run)
    return "accepted"


def _was_resolved(tx: Transaction, task: tuple[str, str, int], step: StepRecord) -> bool:
    """Whether a person has said exactly this before."""
    found = tx.row(SQL.find_step, (*task, step.name))
    if found is None or found[-1] is not None:
        return False
    known = step_of(found[:-1])
    return (known.state, known.body, known.artifacts) == (step.state, step.body, step.artifacts)


def step_of(row: Sequence[Any]) -> StepRecord:
    """The record that a row holds."""
    *head, artifacts = row
    with understood("what a task remembers"):
        return StepRecord._make((*head, tuple(apsw.jsonb_decode(artifacts)) if artifacts is not None else ()))


def _blob(artifacts: Sequence[str]) -> bytes | None:
    return blob_of(artifacts) if artifacts else None
