"""What people and monitors want with runs: done whole and once, or not at all."""

from __future__ import annotations

from segue.domain.decisions import Control, Redrive, Target
from segue.domain.records import SETTLED, WHOLE_RUN, NodeNeed, Verdict
from segue.domain.running.pins import pins_anew
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import Transaction, Unforeseen, blob_of, pins_of
from segue.stores.sqlite.transitions.concluding import conclude
from segue.stores.sqlite.transitions.judging import judge_run
from segue.stores.sqlite.transitions.pausing import bear, end_pauses_of_run, pause, resume
from segue.stores.sqlite.transitions.pooling import check_needs, check_there
from segue.stores.sqlite.transitions.releasing import limits_row, release_new
from segue.stores.sqlite.transitions.settling import cancel_needless, move_run, write_handoffs
from segue.stores.wording import RUN_ANNOTATED, RUN_RESUMED, run_event

OPEN = frozenset({"running", "needs_review"})
"""States of a run that has not ended."""


def control(tx: Transaction, control: Control) -> Verdict:
    """Do what somebody wants with a run, once."""
    obeyed = tx.row(SQL.find_command, (control.run, control.command))
    if obeyed is not None:
        return "repeated" if obeyed == (control.asked,) else "stale"
    try:
        tx.alone(lambda: _obey(tx, control))
    except Unforeseen:
        return "stale"
    return "accepted"


def _obey(tx: Transaction, control: Control) -> None:
    """Do it. Raises `Unforeseen` if it cannot be done."""
    state = tx.row(SQL.run_state, (control.run,))
    if state is None or not (state[0] in OPEN or control.kind in {"annotate", "retry"}):
        raise Unforeseen
    match control.kind:
        case "pause":
            done = pause(tx, control)
        case "resume":
            keys = [target[:2] for target in control.targets] or [WHOLE_RUN]
            done = sum(resume(tx, control.run, *key, control.data) for key in keys) > 0
        case "cancel":
            done = _cancel_tasks(tx, control) if control.targets else _cancel_run(tx, control)
        case "reassign":
            done = _reassign(tx, control)
        case "retry":
            done = control.redrive is not None and _retry(tx, control.run, control.redrive, control.data)
        case "annotate":
            done = _annotate(tx, control)
    if not done:
        raise Unforeseen
    judge_run(tx, control.run)
    tx.cursor.execute(SQL.insert_command, (control.run, control.command, control.asked))


def _cancel_run(tx: Transaction, control: Control) -> bool:
    run = control.run
    if not tx.changed(SQL.cancel_run, (run, tx.wall)):
        return False
    cancelled = sorted(tx.rows(SQL.cancel_tasks, (run, tx.wall)))
    for node, item, agent, epoch, _ in cancelled:
        tx.tell_task(run, node, item, agent, "cancelled", epoch)
    end_pauses_of_run(tx, run)
    for node, item, *_, hold in cancelled:
        if hold:
            conclude(tx, run, node, item)
    tx.tell_run(run, run_event("cancelled"), control.data)
    return True


def _cancel_tasks(tx: Transaction, control: Control) -> bool:
    run, found, resolved = control.run, False, 0
    for target in control.targets:
        bear(tx, run, target)
        if _cancel_task(tx, control, target):
            found, resolved = True, resolved + target.run_resolved
    for target in control.needless if found else ():
        bear(tx, run, target)
        for task in cancel_needless(tx, run, target.node, control.error):
            conclude(tx, *task)
    if found:
        tx.cursor.execute(SQL.cut_run, (run,))
        move_run(tx, run, resolved)
    return found


def _cancel_task(tx: Transaction, control: Control, target: Target) -> bool:
    task, handoff = (control.run, target.node, target.item), target.handoff
    row = tx.row(SQL.find_task, task)
    if row is None:
        return False
    agent, state, epoch, _, version, *_ = row
    if state in SETTLED or (handoff is not None and handoff.version != version + 1):
        return False
    left: tuple[int | None, int | None] = (None, None)
    if handoff is not None:
        left = (handoff.version, write_handoffs(tx, [((*task, epoch, None), handoff)]))
    tx.cursor.execute(SQL.cancel_task, (*task, tx.wall, control.error, target.tolerated, *left))
    tx.tell_task(*task, agent, "cancelled", epoch, control.data)
    unclaimed = [release._replace(claim=None) for release in target.releases]
    tx.tell(release_new(tx, control.run, unclaimed, "", 0.0)[1])
    conclude(tx, *task)
    return True


def _reassign(tx: Transaction, control: Control) -> bool:
    found = False
    places = blob_of(control.pools) if control.pools else None
    check_there(tx, (NodeNeed(each.node, *need[:2]) for each in control.targets for need in control.pools))
    for node, item, *_ in control.targets:
        task = (control.run, node, item)
        before = tx.row(SQL.find_task, task)
        if tx.changed(SQL.reassign_task, (*task, tx.boot, tx.wall, control.successor, places)):
            found = True
            tx.tell_task(*task, before[0], "reassigned", before[2], control.data)
    return found


def _annotate(tx: Transaction, control: Control) -> bool:
    if not control.targets:
        tx.tell_run(control.run, RUN_ANNOTATED, control.data)
    for node, item, birth, *_ in control.targets:
        found = tx.row(SQL.find_task, (control.run, node, item))
        if found is not None:
            tx.tell_task(control.run, node, item, found[0], "annotated", found[2], control.data)
        elif birth is not None:
            tx.tell_task(control.run, node, item, birth.agent, "annotated", 0, control.data)
    return True


def _retry(tx: Transaction, run: str, redrive: Redrive, data: str) -> bool:
    """Try tasks of a run again, all of them or none."""
    resets, waits_for, progress = redrive
    if not resets or tx.row(SQL.run_progress, (run,)) != (progress,):
        return False
    if not tx.changed(SQL.reopen_run, (run, waits_for)):
        return False
    check_needs(tx, run, {reset.node for reset in resets})
    for node, item, epoch, agent, waiting, limits, spare, pools in resets:
        budgets, places = limits_row(tx, limits), blob_of(pools) if pools else None
        row = (run, node, item, epoch, agent, waiting, spare, tx.boot, tx.wall, *budgets, places)
        if not tx.changed(SQL.redrive_task, row):
            return False
        _forget_handed_on(tx, run, node, item)
        tx.tell_task(run, node, item, agent, "redriven", epoch)
    tx.tell_run(run, RUN_RESUMED, data)
    return True


def _forget_handed_on(tx: Transaction, run: str, node: str, item: int) -> None:
    blob = tx.row(SQL.find_task, (run, node, item))[6]
    pins = pins_of(blob)
    if pins_anew(node, pins) != pins:
        tx.cursor.execute(SQL.pin_task, (run, node, item, blob_of(pins_anew(node, pins))))
