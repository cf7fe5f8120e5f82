"""Pausing: what stands still, and what goes on again."""

from __future__ import annotations

from collections.abc import Iterable

from segue.domain.decisions import Control, Target
from segue.domain.records import (
    ENDS_PAUSE,
    PAUSED,
    PAUSED_ITSELF,
    PAUSED_WITH_RUN,
    SETTLED,
    SINGLE,
    WHOLE_RUN,
    task_name,
)
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import Transaction
from segue.stores.sqlite.transitions.releasing import release_new
from segue.stores.wording import RUN_PAUSED, RUN_UNPAUSED, task_event, until_data

Moved = tuple[str, int, str, int]
"""A task that was moved: its node, item, agent and epoch."""


def bear(tx: Transaction, run: str, target: Target) -> None:
    """Bring the task into being that a control is for, if nothing has released it yet."""
    if target.birth is not None and tx.row(SQL.find_hold, (run, target.node, target.item)) is None:
        release_new(tx, run, [target.birth], "", 0.0)


def pause(tx: Transaction, control: Control) -> bool:
    """Pause a run or tasks of it; whether anything could be paused."""
    run, until = control.run, control.until
    if until is not None:
        bear(tx, run, until)
        if not tx.row(SQL.has_open, (run, *until[:2]))[0]:
            return False
    found = _pause_tasks(tx, control) if control.targets else _pause_run(tx, control)
    if found and until is not None:
        tx.cursor.execute(SQL.await_task, (run, *until[:2]))
    return found


def _pause_run(tx: Transaction, control: Control) -> bool:
    run, data = control.run, control.data
    until = control.until[:2] if control.until is not None else (None, None)
    spared = (*until, None if control.until is None else f"{task_name(*control.until[:2])}/")
    (is_paused,) = tx.row(SQL.run_hold, (run,))
    if is_paused and not (control.interrupt and tx.row(SQL.has_claimed, (run, *spared))[0]):
        return False
    tx.cursor.execute(SQL.hold_run, (run, 1))
    tx.cursor.execute(SQL.insert_pause, (run, *WHOLE_RUN, *until, data, tx.wall))
    tx.tell_run(run, RUN_PAUSED, data)
    tx.cursor.execute(SQL.hold_tasks, (run, *spared))
    _tell(tx, run, "paused", tx.rows(SQL.stop_tasks, (run,)))
    if control.interrupt:
        _interrupt(tx, run, None, None)
    if control.until is not None:
        _tell(tx, run, "unpaused", tx.rows(SQL.start_tasks, (run, tx.boot, tx.wall)))
    return True


def _pause_tasks(tx: Transaction, control: Control) -> bool:
    run, data = control.run, control.data
    spared = control.until[:2] if control.until is not None else (None, None)
    found: list[tuple[str, int]] = []
    for target in control.targets:
        bear(tx, run, target)
        node, item = target[:2]
        paused = tx.rows(SQL.hold_task, (run, node, item, control.interrupt))
        if paused:
            tx.cursor.execute(SQL.insert_pause, (run, node, item, *spared, data, tx.wall))
            _tell(tx, run, "paused", paused, data)
            found.append((node, item))
    tx.rows(SQL.stop_tasks, (run,))
    for node, item in found if control.interrupt else ():
        _interrupt(tx, run, node, item)
    return bool(found)


def _interrupt(tx: Transaction, run: str, node: str | None, item: int | None) -> None:
    _tell(tx, run, "interrupted", tx.rows(SQL.interrupt_tasks, (run, node, item, tx.wall)))


def resume(tx: Transaction, run: str, node: str, item: int, data: str) -> bool:
    """End the pause of a run (which has no node) or of a task; whether there was one."""
    if not tx.changed(SQL.delete_pause, (run, node, item)):
        return False
    if (node, item) == WHOLE_RUN:
        tx.cursor.execute(SQL.hold_run, (run, 0))
        tx.tell_run(run, RUN_UNPAUSED, data)
        tx.cursor.execute(SQL.free_tasks, (run, PAUSED_WITH_RUN))
        _tell(tx, run, "unpaused", tx.rows(SQL.start_tasks, (run, tx.boot, tx.wall)))
    else:
        freed = tx.rows(SQL.free_task, (run, node, item))
        _tell(tx, run, "unpaused", [row[:4] for row in freed if row[4] not in SETTLED], data)
        tx.rows(SQL.start_tasks, (run, tx.boot, tx.wall))
    return True


def end_pauses(tx: Transaction, run: str, node: str, item: int, hold: int) -> None:
    """End the pause of a task that has settled, and those that were to last until it has; it is on hold like this."""
    if hold & PAUSED_ITSELF:
        _forget_pauses(tx, run, node, item)
    if not hold & ENDS_PAUSE:
        return
    for _, paused, paused_item, until_node, until_item, data, _ in tx.rows(SQL.read_pauses_of_run, (run,)):
        if until_node == node and not tx.row(SQL.has_open, (run, until_node, until_item))[0]:
            resume(tx, run, paused, paused_item, until_data(data, task_name(until_node, until_item)))


def _forget_pauses(tx: Transaction, run: str, node: str, item: int) -> None:
    """What has settled is paused no more; a mapped task has, when all its items have."""
    for key in ((run, node, item), (run, node, SINGLE)):
        if not tx.row(SQL.has_open, key)[0] and tx.changed(SQL.delete_pause, key):
            tx.rows(SQL.free_task, key)


def end_pauses_of_run(tx: Transaction, run: str) -> None:
    """End all pauses of a run that has ended, its own and those of its tasks."""
    tx.cursor.execute(SQL.prune_pause, (run,))
    tx.cursor.execute(SQL.hold_run, (run, 0))
    tx.cursor.execute(SQL.free_tasks, (run, PAUSED))


def _tell(tx: Transaction, run: str, what: str, moved: Iterable[Moved], data: str | None = None) -> None:
    """Say of tasks that they were moved: with data if by themselves, without if with their run."""
    tx.tell(
        [
            (run, task_event(agent, what), task_name(node, item), epoch, tx.wall, data, None)
            for node, item, agent, epoch in sorted(moved)
        ]
    )
