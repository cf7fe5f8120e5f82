"""How long agents took before, for the check of a deadline."""

from __future__ import annotations

from statistics import median

from segue.domain.records import RunState
from segue.engine.inputs.book import Book
from segue.ports.store import Store

RUNS_READ = 50
"""How many of the newest runs are looked through for those of the workflow."""


async def recorded_durations(store: Store, book: Book, workflow: str) -> dict[str, float]:
    """The median seconds of each agent in the newest complete runs of a workflow."""
    taken: dict[str, list[float]] = {}
    complete: tuple[RunState, ...] = ("complete",)
    for record in await store.list_runs(RUNS_READ, states=complete):
        if record.workflow != workflow:
            continue
        steps = (await book.plan_of(record)).steps
        for stored in await store.latest_handoffs(record.run):
            seconds = stored.record.completed_at - stored.record.started_at
            taken.setdefault(steps[stored.node].node.agent, []).append(seconds)
    return {agent: median(seconds) for agent, seconds in taken.items()}
