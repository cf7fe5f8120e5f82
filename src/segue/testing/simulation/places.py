"""The oracle's eye on pools: who holds places, worked out from the rows alone."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from segue.stores.memory.rows import Task

if TYPE_CHECKING:
    from segue.testing.simulation.world import World


class Places:
    """Counts the places that are held after each transition."""

    def __init__(self, world: World) -> None:
        self._world = world

    def look(self, verb: str) -> None:
        """No more are held than there are. Claims that are only to be settled run nothing, and hold none."""
        world = self._world
        held: Counter[str] = Counter()
        for run in world.truth.runs.values():
            for task in run.tasks.values():
                if task.state == "claimed" and task.pools and not task.broken and task.overrun is None:
                    self._count(task, held)
        for pool, count in held.items():
            capacity = world.truth.capacities.get(pool, 0)
            if count > capacity:
                world.violated(
                    "I19", f"after {verb} {count} places of {pool} are held, and it has {capacity}"
                )
            if count == capacity:
                world.saw("pool used up")

    def _count(self, task: Task, held: Counter[str]) -> None:
        self._world.saw("place kept while parked" if task.parked else "place held")
        for pool, places, is_kept in task.pools:
            if is_kept or not task.parked:
                held[pool] += places
