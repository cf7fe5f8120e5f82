"""The oracle's eye on runs that stand still: they say so exactly while only a person can move them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segue.testing.standstill import needs_a_person

if TYPE_CHECKING:
    from segue.testing.simulation.world import World


class Standing:
    """Compares what runs say of themselves with what their tasks say."""

    def __init__(self, world: World) -> None:
        self._world = world

    def look(self) -> None:
        """Look at all runs that have not ended, after a verb was carried out."""
        for name, run in self._world.truth.runs.items():
            if run.ended_at is not None:
                continue
            tasks = [task.record() for task in run.tasks.values()]
            stands = needs_a_person(tasks)
            if stands and any(task.parked for task in tasks):
                self._world.saw("parked until a person decides")
            if stands != (run.state == "needs_review"):
                self._world.violated(
                    "I20", f"{name} is {run.state}, and {'only a person' if stands else 'it'} can move it"
                )
