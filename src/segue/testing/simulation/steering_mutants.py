"""Stores that do not quite do what people want with their runs."""

from __future__ import annotations

from typing import Any

from segue.stores.memory import pausing
from segue.stores.memory import store as memory_store
from segue.stores.memory.state import State
from segue.stores.memory.store import MemoryStore
from segue.testing.simulation.planting import without


@without("born awake", "What comes into being in a paused run is paused.", (State, "_hold_at_birth"))
def _born_awake(_: Any) -> Any:
    return lambda self, run, release: 0


@without("tried again in spite of a pause", "What is paused is not tried again.", (State, "make_ready"))
def _tried_again(original: Any) -> Any:
    def make_ready(self: Any, task: Any, delay_seconds: float) -> None:
        hold, task.hold = task.hold, 0
        original(self, task, delay_seconds)
        task.hold = hold

    return make_ready


@without(
    "ready past its deadline in spite of a pause",
    "What is paused stays so past its deadline, until somebody claims it to settle it.",
    (MemoryStore, "expire"),
)
def _let_go_when_late(original: Any) -> Any:
    async def expire(self: Any, *args: Any, **options: Any) -> Any:
        wall = self._clock.wall()
        for task in self._state.paused_tasks():
            if task.deadline is not None and task.deadline <= wall:
                self._state.set_state(task, "ready")
                self._state.tell_task(self._state.runs[task.run], task, "overrun")
        return await original(self, *args, **options)

    return expire


@without("a pause without end", "A pause ends with the task that it lasts for.", (memory_store, "end_pauses"))
def _never_ends(_: Any) -> Any:
    return lambda state, run, task: None


@without("a pause outlives its task", "What has settled is paused no more.", (pausing, "_forget_pauses"))
def _stays_paused(_: Any) -> Any:
    return lambda run, task: None


@without(
    "cancelled and still held",
    "What a cancelled task's worker makes is refused.",
    (MemoryStore, "_cancel_tasks"),
)
def _keeps_the_claim(original: Any) -> Any:
    def cancel(self: Any, run: Any, control: Any) -> Any:
        claims = {key: task.claim for key, task in run.tasks.items() if task.state == "claimed"}
        answer = original(self, run, control)
        for key, claim in claims.items():
            run.tasks[key].claim = claim
        return answer

    return cancel
