"""What the faces of Segue show of pools: how large they are, who holds places, and who waits for some."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from segue.domain.records import Pools, task_name
from segue.domain.rows import TaskRecord
from segue.domain.running.pooling import given_back, held_of
from segue.ports.store import Store

RUNS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class PlacesView:
    """Some places of a pool, and the task that holds them or waits for them. `since` is seconds since 1970."""

    run: str
    task: str
    places: int
    since: float | None


@dataclass(frozen=True, slots=True)
class PoolView:
    """A pool as it is now, with its tasks, the longest holders and waiters first."""

    name: str
    capacity: int
    held: int
    waiting: int
    holders: tuple[PlacesView, ...]
    waiters: tuple[PlacesView, ...]


@dataclass(frozen=True, slots=True)
class WantedPlaces:
    """Places of a pool that a task waits for."""

    task: str
    pool: str
    places: int


async def read_pool_views(store: Store) -> tuple[PoolView, ...]:
    """All pools by name. Pools and tasks are read one after the other: what moves meanwhile may be seen twice."""
    pools = await store.read_pools()
    tasks = [task for task in await _open_tasks(store) if task.pools] if pools else []
    return tuple(
        PoolView(
            *pool,
            holders=_places(pool.name, ((task, _held(task)) for task in tasks)),
            waiters=_places(pool.name, ((task, wanted_of(task)) for task in tasks)),
        )
        for pool in pools
    )


def wanted_of(task: TaskRecord) -> Pools:
    """The places that a task waits for."""
    if task.state == "ready":
        return task.pools
    return given_back(task.pools) if task.wants else ()


def wanted_places(tasks: Iterable[TaskRecord]) -> tuple[WantedPlaces, ...]:
    """What tasks wait for of pools, by task."""
    return tuple(
        WantedPlaces(task_name(task.node, task.item), need.pool, need.places)
        for task in tasks
        for need in wanted_of(task)
    )


async def _open_tasks(store: Store) -> list[TaskRecord]:
    tasks: list[TaskRecord] = []
    last: str | None = None
    while runs := await store.list_runs(RUNS_AT_ONCE, last, states=("running", "needs_review")):
        for run in runs:
            tasks += await store.read_tasks(run.run)
        last = runs[-1].run
    return tasks


def _held(task: TaskRecord) -> Pools:
    return held_of(task.pools, parked=task.parked) if task.state == "claimed" else ()


def _places(pool: str, tasks: Iterable[tuple[TaskRecord, Pools]]) -> tuple[PlacesView, ...]:
    found = [
        PlacesView(
            task.run,
            task_name(task.node, task.item),
            need.places,
            task.ready_at if task.state == "ready" else task.claimed_at,
        )
        for task, needs in tasks
        for need in needs
        if need.pool == pool
    ]
    return tuple(sorted(found, key=lambda places: places.since or 0.0))
