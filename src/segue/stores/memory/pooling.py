"""Pools, in memory."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from segue.domain.records import NodeNeed, Token, Verdict, task_name
from segue.domain.rows import PoolRecord, TaskRecord, Waits
from segue.domain.running.pooling import Holding, given_back, held_of, held_places, share_out
from segue.domain.running.turns import Kind, Listed, Wanting
from segue.errors import PoolTooSmall
from segue.stores.memory.rows import Task
from segue.stores.memory.state import State
from segue.stores.waking import LocalNotifier


class Pooling:
    """The verbs of the contract for pools, and for attempts that wait in the middle."""

    _state: State
    notifier: LocalNotifier

    async def park(self, token: Token, awaits: Sequence[str]) -> Verdict:
        """Note that an attempt waits in the middle."""
        task = self._state.find(token)
        if task is None or not _holds(task, token):
            return "stale"
        if task.parked and not task.wants and task.awaits == tuple(awaits):
            return "repeated"
        task.parked, task.wants, task.awaits = True, False, tuple(awaits)
        told = json.dumps({"awaits": list(awaits)})
        self._state.tell_task(self._state.runs[task.run], task, "parked", told)
        self._state.judge(self._state.runs[task.run])
        self.notifier.notify()
        return "accepted"

    async def go_on(self, token: Token) -> Verdict | Literal["wait"]:
        """Note that an attempt goes on, if it can have its places back."""
        task = self._state.find(token)
        if task is None or not _holds(task, token):
            return "stale"
        if not task.parked:
            return "repeated"
        if given_back(task.pools):
            task.wants, task.awaits = True, ()
            state = self._state
            chosen = share_out(state.pools, holdings(state), returning(state), Listed(()), {}, 0)
            if token[:3] not in [each.key for each in chosen]:
                self._state.judge(self._state.runs[task.run])
                return "wait"
        task.parked, task.wants, task.awaits = False, False, ()
        self._state.tell_task(self._state.runs[task.run], task, "resumed")
        self._state.judge(self._state.runs[task.run])
        self.notifier.notify()
        return "accepted"

    async def note_needs(self, token: Token, needs: Sequence[NodeNeed]) -> Verdict:
        """Note how many places a task may need from now on."""
        task = self._state.find(token)
        if task is None or not task.answers(token):
            return "stale"
        check_needs(self._state, needs)
        run = self._state.runs[task.run]
        run.needs += tuple(need for need in needs if need not in run.needs)
        return "accepted"

    async def set_pool(self, name: str, capacity: int) -> None:
        """Say how many places a pool has."""
        for run in self._state.runs.values():
            for need in run.needs if run.state in {"running", "needs_review"} else ():
                if need.pool == name and need.places > capacity and run.is_open(need.node):
                    raise PoolTooSmall(name, capacity, f"{need.node} of run {run.new.run}", need.places)
            for task in run.tasks.values():
                for place in task.pools if task.state in {"ready", "claimed", "paused", "in_doubt"} else ():
                    if place.pool == name and place.places > capacity:
                        named = f"{task_name(task.node, task.item)} of run {run.new.run}"
                        raise PoolTooSmall(name, capacity, named, place.places)
        self._state.pools[name] = capacity
        if not capacity:
            del self._state.pools[name]
        self.notifier.notify()

    async def read_pools(self) -> Sequence[PoolRecord]:
        """All pools, by name."""
        held = held_places(holdings(self._state))
        waiting = [task.pools for task in self._state.ready_tasks() if not task.broken]
        waiting += [each.kind.pools for each in returning(self._state)]
        return [
            PoolRecord(
                name,
                capacity,
                held[name],
                sum(any(need.pool == name for need in pools) for pools in waiting),
            )
            for name, capacity in sorted(self._state.pools.items())
        ]

    async def read_waits(self) -> Waits | None:
        """One view of all who may wait for one another."""
        state = self._state
        pauses = [
            pause
            for _, run in sorted(state.runs.items())
            for _, pause in sorted(run.pauses.items())
            if pause.until is not None
        ]
        keepers = (task for task in _pooled_claims(state) if task.parked and held_of(task.pools, parked=True))
        if not pauses and next(keepers, None) is None:
            return None
        paused = {pause.run for pause in pauses}
        runs = [
            run
            for name, run in sorted(state.runs.items())
            if name in paused
            or any(task.pools and task.state in {"ready", "claimed"} for task in run.tasks.values())
        ]
        return Waits(
            tuple(await self.read_pools()),
            tuple(run.record() for run in runs),
            tuple(self._seen(task) for run in runs for _, task in sorted(run.tasks.items())),
            tuple(pauses),
        )

    def _seen(self, task: Task) -> TaskRecord:
        """A task as it is read back, without pools if it is only to be settled."""
        record = task.record()
        overrun = self._state.overrun(task) if task.state in {"ready", "paused"} else task.overrun
        return record._replace(pools=()) if task.broken or overrun is not None else record


def holdings(state: State) -> list[Holding]:
    """The claims that hold places or, parked, have held some: those that are only to be settled hold none."""
    return [Holding(task.run, task.pools, task.parked) for task in _pooled_claims(state)]


def returning(state: State) -> list[Wanting]:
    """The claims that want their places back."""
    return [
        Wanting(task.claimed_at or 0.0, *_key(task), Kind(task.agent, given_back(task.pools)))
        for task in _pooled_claims(state)
        if task.wants
    ]


def pooled_to_run(
    state: State, ready: Sequence[Task], limits: Mapping[str, int], suspects: int
) -> list[Task]:
    """Those of some ready tasks that need pools and may have the places they need now."""
    pooled = {_key(task): task for task in ready if task.pools}
    waiting = Listed(
        Wanting(task.due, *key, Kind(task.agent, task.pools, task.is_suspect, task.requires))
        for key, task in pooled.items()
    )
    back = returning(state)
    chosen = share_out(state.pools, holdings(state), back, waiting, limits, suspects)
    return [pooled[each.key] for each in chosen if each not in back]


def check_needs(state: State, needs: Sequence[NodeNeed], nodes: Collection[str] | None = None) -> None:
    """Raises `PoolTooSmall` if a pool cannot meet what the nodes of a run need, or these of them."""
    for node, pool, places in needs:
        capacity = state.pools.get(pool, 0)
        if places > capacity and (nodes is None or node in nodes):
            raise PoolTooSmall(pool, capacity, node, places)


def _pooled_claims(state: State) -> list[Task]:
    return [
        task
        for run in state.runs.values()
        for task in run.tasks.values()
        if task.state == "claimed" and task.pools and not task.broken and task.overrun is None
    ]


def _key(task: Task) -> tuple[str, str, int]:
    return (task.run, task.node, task.item)


def _holds(task: Task, token: Token) -> bool:
    return task.state == "claimed" and task.answers(token)
