"""The wait-for graph of a run, from its plan and its rows: what each open task holds, wants and waits for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from segue.domain.records import SETTLED, SINGLE, WHOLE_RUN, TaskKey, is_below
from segue.domain.rows import TaskRecord
from segue.domain.running.plan import Plan, Step
from segue.domain.running.pooling import given_back, held_of
from segue.domain.running.waiting_for import Key, Waiter

Pauses = Mapping[TaskKey, TaskKey]
"""The pauses of a run that end by themselves: of which task, and with the settling of which."""

_BY_A_PERSON = frozenset({"needs_review", "in_doubt"})


def waiters_of(run: str, plan: Plan, tasks: Sequence[TaskRecord], pauses: Pauses) -> list[Waiter]:
    """Every task of a run that has not settled, those included that nothing has released yet."""
    view = _View(run, tasks, pauses)
    unborn = [view.unborn(name, step) for name, step in plan.steps.items() if name not in view.by_node]
    born = [view.born(task, plan.steps.get(task.node)) for task in tasks if task.state not in SETTLED]
    return [*unborn, *born]


class _View:
    """The tasks of a run by node."""

    def __init__(self, run: str, tasks: Sequence[TaskRecord], pauses: Pauses) -> None:
        self._run = run
        self._pauses = pauses
        self.by_node: dict[str, dict[int, TaskRecord]] = {}
        for task in tasks:
            self.by_node.setdefault(task.node, {})[task.item] = task

    def unborn(self, name: str, step: Step) -> Waiter:
        """A task that nothing has released yet."""
        after, need = self._parents(step)
        until = self._until(name, SINGLE)
        if until:
            after, need = after | until, None if need is None else need + len(until)
        return Waiter((self._run, name, SINGLE), (), step.pools, after, need, paused=bool(until))

    def born(self, task: TaskRecord, step: Step | None) -> Waiter:
        """A task that has a row."""
        key = (self._run, task.node, task.item)
        if task.state == "claimed":
            return self._claimed(key, task)
        if task.state == "waiting" and step is not None:
            return self.unborn(task.node, step)._replace(key=key, wants=task.pools)
        if task.state in _BY_A_PERSON:
            return Waiter(key, (), task.pools if task.state == "in_doubt" else ())
        until = self._until(task.node, task.item)
        return Waiter(key, (), task.pools, until, paused=bool(until))

    def _claimed(self, key: Key, task: TaskRecord) -> Waiter:
        holds, since = held_of(task.pools, parked=task.parked), task.claimed_at or 0.0
        if not task.parked:
            return Waiter(key, holds, since=since)
        after = frozenset[Key]().union(*(self._open(node) for node in task.awaits))
        return Waiter(key, holds, given_back(task.pools), after, since=since)

    def _parents(self, step: Step) -> tuple[frozenset[Key], int | None]:
        """The open tasks that a task waits for; and, of a quorum, how many of them it still needs."""
        after = frozenset[Key]().union(*(self._open(parent) for parent in step.parents))
        if step.spare is None:
            return after, None
        rows = (task for parent in step.parents for task in self.by_node.get(parent, {}).values())
        missing = step.need - sum(task.state == "complete" for task in rows)
        return after, min(max(missing, 0), len(after))

    def _until(self, node: str, item: int) -> frozenset[Key]:
        """The open tasks with which the pauses of a task end."""
        untils = [self._pauses.get((node, item)), self._pauses.get((node, SINGLE))]
        of_run = self._pauses.get(WHOLE_RUN)
        if of_run is not None and of_run[0] != node and not self._is_for(node, of_run):
            untils.append(of_run)
        return frozenset[Key]().union(*(self._open(*until) for until in untils if until is not None))

    def _is_for(self, node: str, awaited: TaskKey) -> bool:
        """Whether a node was delegated for a task, or for an item of it, that the pause of the run is to last for."""
        name, item = awaited
        items = self.by_node.get(name, {}) if item == SINGLE else {}
        return any(is_below(node, key) for key in (awaited, *((name, each) for each in items)))

    def _open(self, node: str, item: int = SINGLE) -> Iterable[Key]:
        """A task if it has not settled; one that has become the tasks of a list stands for those of them."""
        rows = self.by_node.get(node, {})
        task = rows.get(item)
        if task is None:
            return [(self._run, node, item)]
        if task.state == "expanded":
            return [
                (self._run, node, each) for each, row in rows.items() if each != SINGLE and not _over(row)
            ]
        return [] if _over(task) else [(self._run, node, item)]


def _over(task: TaskRecord) -> bool:
    return task.state in SETTLED
