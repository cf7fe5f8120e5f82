"""
Trying again what was given up: which tasks of a run begin anew, and what each of them waits for then.

Dead letters are tasks that failed or are dead; one that was cancelled begins anew if somebody names it. With them
begins anew whatever was skipped or failed because of them, and what is complete stays as it is, also where it was made
without them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from segue.domain.decisions import Redrive, Reset
from segue.domain.envelope.stored import reason_of
from segue.domain.records import SINGLE, TaskKey, task_name
from segue.domain.rows import TaskRecord
from segue.domain.running.plan import Plan, Step, inputs_from
from segue.errors import ControlRefused, UnknownRun

_DEAD_LETTERS = frozenset({"failed", "dead"})
_ENDED_ALONE = _DEAD_LETTERS | {"cancelled"}
_OVER = _ENDED_ALONE | {"skipped"}
_THERE = frozenset({"complete", "expanded"})
_BY_OTHERS = frozenset({"upstream", "quorum", "UpstreamFailed"})
"""The kinds of errors by which a task ends because of another one."""


def redrive_of(
    plan: Plan,
    run: str,
    tasks: Sequence[TaskRecord],
    chosen: Collection[TaskKey] = (),
) -> Redrive:
    """
    The decision to try tasks of a run again: those that are chosen, or without a choice all dead letters that matter.

    Raises UnknownRun for a task that is not there, and ControlRefused if nothing can be tried again.
    """
    redriving = Redriving(plan, run, tasks)
    redriving.begin(chosen or redriving.dead_letters())
    again = redriving.again
    for key in chosen:
        if key not in again:
            raise ControlRefused(
                f"{task_name(*key)} of run {run} cannot be tried again: {redriving.obstacle(key)}",
                remedy=f"`segue show {run}` says why; submit the run anew if that has changed.",
            )
    if not again:
        raise ControlRefused(
            f"run {run} has nothing that could be tried again",
            remedy=f"Only tasks that failed, are dead, or were skipped because of these: `segue show {run}`. One that "
            "was cancelled is tried again if it is named.",
        )
    return Redrive(
        resets=tuple(redriving.reset(key) for key in sorted(again)),
        waits_for=redriving.waits_for(),
        progress=sum(task.epoch + task.version for task in tasks),
    )


class Redriving:
    """The tasks of one run, and those of them that begin anew (`again`)."""

    def __init__(self, plan: Plan, run: str, tasks: Sequence[TaskRecord]) -> None:
        self._plan = plan
        self._run = run
        self._tasks = {(task.node, task.item): task for task in tasks}
        self._by_node: dict[str, list[TaskRecord]] = {name: [] for name in plan.steps}
        for task in tasks:
            self._by_node[task.node].append(task)
        self.again: set[TaskKey] = set()

    def dead_letters(self) -> set[TaskKey]:
        """The tasks that were given up, but for those without which everybody has come to an end."""
        return {
            key
            for key, task in self._tasks.items()
            if task.state in _DEAD_LETTERS and not (task.tolerated and self._is_done_without(task.node))
        }

    def begin(self, chosen: Collection[TaskKey]) -> None:
        """Let tasks begin anew, with whatever they need for that, and whatever did not come about because of them."""
        pending = [self._checked(key) for key in chosen]
        while pending:
            key = pending.pop()
            if key not in self.again:
                self.again.add(key)
                pending += [*self._causes(key), *self._consequences(key)]
        while vain := {key for key in self.again if not (self._can_start(key) and self._is_awaited(key))}:
            self.again -= vain

    def obstacle(self, key: TaskKey) -> str:
        """Why a chosen task does not begin anew."""
        reason = reason_of(self._tasks[key])
        return str(reason.get("message", "")) if reason else "what it needs is not there"

    def reset(self, key: TaskKey) -> Reset:
        """How a task begins anew."""
        node, item = key
        step = self._plan.steps[node]
        waiting, spare = (0, None) if item != SINGLE else self._needs(step)
        agent = step.agent if item == SINGLE else step.node.agent
        pools = step.pools if item == SINGLE else step.node.settings.pools
        return Reset(node, item, self._tasks[key].epoch, agent, waiting, step.limits, spare, pools)

    def waits_for(self) -> int:
        """How many tasks the run waits for then."""
        return sum(self._pending(name) for name, step in self._plan.steps.items() if step.ends_run)

    def _checked(self, key: TaskKey) -> TaskKey:
        node, item = key
        task = self._tasks.get(key)
        if task is None:
            raise UnknownRun(
                f"run {self._run} has no task {task_name(node, item)!r}",
                run=self._run,
                remedy=f"`segue show {self._run}` lists its tasks.",
            )
        if not self._may_change(task):
            state = "was skipped by its condition" if task.state == "skipped" else f"is {task.state}"
            raise ControlRefused(
                f"{task_name(node, item)} of run {self._run} {state}",
                remedy="Only tasks that failed, are dead or cancelled, or were skipped because of these can be tried "
                "again.",
            )
        return key

    def _is_done_without(self, node: str) -> bool:
        receivers = (task for name in self._receivers(node) for task in self._by_node[name])
        return all(task.state in _THERE for task in receivers)

    def _receivers(self, node: str) -> list[str]:
        return [name for name, step in self._plan.steps.items() if node in step.parents or node in step.later]

    def _causes(self, key: TaskKey) -> list[TaskKey]:
        """
        What must begin anew for a task: what it will ask for again; and what it needs, if others have ended it or it
        was cancelled before these had.
        """
        node, item = key
        delegated = self._keys(task for task in self._delegated(task_name(*key)) if self._may_change(task))
        is_by_others = self._by_others(self._tasks[key]) or self._tasks[key].state == "cancelled"
        if item != SINGLE or not is_by_others:
            return delegated
        step = self._plan.steps[node]
        awaited = (task for task in self._awaited(step) if self._may_change(task))
        return [*delegated, *self._keys(awaited)]

    def _awaited(self, step: Step) -> Iterator[TaskRecord]:
        """The tasks that a step needs; for one that is not there yet those that it needs in turn."""
        for name in sorted({*(step.needed if step.spare is None else step.parents), *step.later}):
            if self._by_node[name]:
                yield from self._by_node[name]
            else:
                yield from self._awaited(self._plan.steps[name])

    def _delegated(self, parent: str) -> Iterable[TaskRecord]:
        """What a task has delegated: named after it."""
        return (task for task in self._tasks.values() if task.node.rpartition("/")[0] == parent)

    def _delegators(self, node: str) -> Iterable[TaskRecord]:
        """The task that has delegated a node."""
        return (task for key, task in self._tasks.items() if task_name(*key) == node.rpartition("/")[0])

    def _consequences(self, key: TaskKey) -> list[TaskKey]:
        """What did not come about because of a task, or waits in vain for it."""
        receivers = (task for name in self._receivers(key[0]) for task in self._by_node[name])
        return self._keys(
            task
            for task in (*receivers, *self._delegators(key[0]))
            if task.state == "waiting" or (task.state in _OVER and self._by_others(task))
        )

    def _may_change(self, task: TaskRecord) -> bool:
        """Whether another try may end in another way: not that of a condition that was false."""
        return task.state in _ENDED_ALONE or (task.state == "skipped" and self._by_others(task))

    def _by_others(self, task: TaskRecord) -> bool:
        return reason_of(task).get("kind") in _BY_OTHERS

    def _keys(self, tasks: Iterable[TaskRecord]) -> list[TaskKey]:
        return [(task.node, task.item) for task in tasks]

    def _can_start(self, key: TaskKey) -> bool:
        """Whether what a task needs is there or may still come."""
        node, item = key
        if item != SINGLE:
            return True
        step = self._plan.steps[node]
        if step.spare is not None:
            _, spare = self._needs(step)
            return spare is not None and spare >= 0
        return not any(self._is_lost(task) for name in step.needed for task in self._by_node[name])

    def _is_awaited(self, key: TaskKey) -> bool:
        """Whether the run waits for a task, or somebody for whom it waits: else nobody would hear how it ended."""
        step = self._plan.steps[key[0]]
        return step.ends_run or any((name, SINGLE) in self.again for name in self._receivers(key[0]))

    def _is_lost(self, task: TaskRecord) -> bool:
        return task.state in _OVER and (task.node, task.item) not in self.again

    def _needs(self, step: Step) -> tuple[int, int | None]:
        """What a task waits for, and of a quorum how many of its inputs may be missing."""
        if step.spare is None:
            return sum(self._pending(name) for name in step.parents), None
        missing = step.need - sum(
            task.state == "complete" for name in step.parents for task in self._by_node[name]
        )
        coming = sum(self._pending(name, inputs_from(self._plan.steps[name].node)) for name in step.parents)
        return max(missing, 0), coming - missing

    def _pending(self, node: str, before: int = 1) -> int:
        """
        How many tasks of a node are still to settle; `before` is what a node counts that has no task yet, or whose
        list is not known.
        """
        tasks = self._by_node[node]
        whole = self._tasks.get((node, SINGLE))
        if whole is None or whole.state != "expanded":
            return before if whole is None or not self._is_settled(whole) else 0
        return sum(task.item != SINGLE and not self._is_settled(task) for task in tasks)

    def _is_settled(self, task: TaskRecord) -> bool:
        return (task.node, task.item) not in self.again and task.state in (*_OVER, *_THERE)
