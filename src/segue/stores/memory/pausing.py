"""Pausing in memory: what stands still, and what goes on again."""

from __future__ import annotations

from segue.domain.decisions import Control, Target
from segue.domain.records import (
    ENDS_PAUSE,
    PAUSED,
    PAUSED_ITSELF,
    PAUSED_WITH_RUN,
    SETTLED,
    SINGLE,
    WHOLE_RUN,
    TaskKey,
    is_below,
    task_name,
)
from segue.domain.rows import PauseRecord
from segue.stores import wording
from segue.stores.memory.rows import Run, Task
from segue.stores.memory.state import State


def find_or_bear(state: State, run: Run, target: Target) -> Task | None:
    """The task that a control is for, brought into being if nothing has released it yet."""
    if (target.node, target.item) not in run.tasks and target.birth is not None:
        state.release(run, target.birth, "", 0.0)
    return run.tasks.get((target.node, target.item))


def pause(state: State, run: Run, control: Control) -> bool:
    """Pause a run or tasks of it; whether anything could be paused."""
    until = control.until
    if until is not None:
        find_or_bear(state, run, until)
        if not _has_open(run, until.node, until.item):
            return False
    awaited = _whole(run, until.node, until.item) if until is not None else []
    kept = PauseRecord(run.new.run, *WHOLE_RUN, until and until[:2], control.data, state.clock.wall())
    if control.targets:
        chosen = []
        for target in control.targets:
            find_or_bear(state, run, target)
            found = [task for task in _whole(run, target.node, target.item) if _may_pause(task, control)]
            if found:
                run.pauses[target[:2]] = kept._replace(node=target.node, item=target.item)
            for task in found:
                task.hold |= PAUSED_ITSELF
                state.tell_task(run, task, "paused", control.data)
            chosen += found
        if not chosen:
            return False
    else:
        chosen = [task for _, task in sorted(run.tasks.items()) if not _is_awaited(task, awaited)]
        if run.paused and not (control.interrupt and any(task.state == "claimed" for task in chosen)):
            return False
        run.paused, run.pauses[WHOLE_RUN] = True, kept
        state.tell(run, wording.RUN_PAUSED, control.data)
        for task in chosen:
            task.hold |= PAUSED_WITH_RUN
    for task in awaited:
        task.hold |= ENDS_PAUSE
    _stand_still(state, run, chosen, control)
    if not control.targets:
        _spare(state, run, awaited)
    return True


def _spare(state: State, run: Run, awaited: list[Task]) -> None:
    """Let go on what a pause of the run is to last for: an earlier one may have stopped it."""
    for _, task in sorted(run.tasks.items()):
        if task.hold & PAUSED_WITH_RUN and _is_awaited(task, awaited):
            task.hold &= ~PAUSED_WITH_RUN
            if task.state == "paused" and not task.hold & PAUSED:
                state.make_ready(task, 0.0)
                state.tell_task(run, task, "unpaused")


def _is_awaited(task: Task, awaited: list[Task]) -> bool:
    """Whether a pause lasts for a task, or that was delegated by one of these."""
    return task in awaited or any(is_below(task.node, (each.node, each.item)) for each in awaited)


def _may_pause(task: Task, control: Control) -> bool:
    if task.hold & PAUSED_ITSELF:
        return control.interrupt and task.state == "claimed"
    return task.state not in SETTLED


def _stand_still(state: State, run: Run, chosen: list[Task], control: Control) -> None:
    """What was ready is paused; what runs is, where it is to be interrupted."""
    for task in chosen:
        if task.state == "ready":
            state.set_state(task, "paused")
            if not control.targets:
                state.tell_task(run, task, "paused")
    for task in chosen:
        if task.state == "claimed" and control.interrupt:
            task.claim = None
            state.make_ready(task, 0.0)
            state.tell_task(run, task, "interrupted")


def resume(state: State, run: Run, key: TaskKey, data: str) -> bool:
    """End the pause of a run or of a task; whether there was one."""
    if run.pauses.pop(key, None) is None:
        return False
    if key == WHOLE_RUN:
        run.paused = False
        state.tell(run, wording.RUN_UNPAUSED, data)
        tasks = [task for _, task in sorted(run.tasks.items())]
        bit = PAUSED_WITH_RUN
    else:
        tasks = [
            task for task in _whole(run, *key) if task.hold & PAUSED_ITSELF and not _is_paused(run, task)
        ]
        bit = PAUSED_ITSELF
    for task in tasks:
        task.hold &= ~bit
        goes_on = task.state == "paused" and not task.hold & PAUSED
        if key != WHOLE_RUN and task.state not in SETTLED:
            state.tell_task(run, task, "unpaused", data)
        if goes_on:
            state.make_ready(task, 0.0)
        if goes_on and key == WHOLE_RUN:
            state.tell_task(run, task, "unpaused")
    return True


def _is_paused(run: Run, task: Task) -> bool:
    """Whether a pause is about this task, or about the mapped one that it is an item of."""
    return (task.node, task.item) in run.pauses or (task.node, SINGLE) in run.pauses


def end_pauses(state: State, run: Run, task: Task) -> None:
    """End the pause of a task that has settled, and those that were to last until it has."""
    if task.hold & PAUSED_ITSELF:
        _forget_pauses(run, task)
    for key, record in sorted(run.pauses.items()) if task.hold & ENDS_PAUSE else ():
        if record.until is not None and record.until[0] == task.node and not _has_open(run, *record.until):
            resume(state, run, key, wording.until_data(record.data, task_name(*record.until)))


def _forget_pauses(run: Run, task: Task) -> None:
    """What has settled is paused no more; a mapped task has, when all its items have."""
    for key in ((task.node, task.item), (task.node, SINGLE)):
        if key in run.pauses and not _has_open(run, *key):
            del run.pauses[key]
            for each in _whole(run, *key):
                if not _is_paused(run, each):
                    each.hold &= ~PAUSED_ITSELF


def _has_open(run: Run, node: str, item: int) -> bool:
    """Whether anything of a task has not settled: a mapped one has, when all its items have."""
    return any(task.state not in SETTLED for task in _whole(run, node, item))


def _whole(run: Run, node: str, item: int) -> list[Task]:
    """A task, a mapped one with all its items."""
    return [task for key, task in sorted(run.tasks.items()) if key[0] == node and item in (SINGLE, key[1])]
