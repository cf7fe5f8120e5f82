"""Why a claimed task is not to be run: looked up in the store, in the rare case that there is a reason."""

from __future__ import annotations

from typing import Any

from segue.domain.upstream import cause_of_break
from segue.engine.attempt import Attempt
from segue.errors import BudgetExceeded
from segue.ports.store import Store


class Causes:
    """Says why, in the words that are kept."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of_break(self, attempt: Attempt) -> dict[str, Any]:
        """Which upstream tasks have nothing to hand over."""
        return cause_of_break(attempt.step, await self._store.read_tasks(attempt.claim.token.run))

    async def of_overrun(self, attempt: Attempt) -> BudgetExceeded:
        """Which budget of the task ran out while nobody worked on it. Raises nothing: this is the error."""
        overrun, limits = attempt.claim.overrun, attempt.step.limits
        if limits is None or overrun is None:
            raise AssertionError("a task without limits cannot run over one")
        if overrun == "queue":
            return BudgetExceeded("queue", limits.queue_seconds or 0.0, attempt.name)
        deadline, seconds = limits.deadline, limits.total_seconds
        if seconds is None or (deadline is not None and attempt.claim.deadline == deadline):
            record = await self._store.read_run(attempt.claim.token.run)
            seconds = 0.0 if record is None or deadline is None else deadline - record.submitted_at
        return BudgetExceeded("deadline", seconds, attempt.name)

    def of_losses(self, attempt: Attempt) -> dict[str, Any]:
        """How often the task was lost with its worker."""
        losses = attempt.claim.losses
        message = f"{attempt.name} was lost with its worker {losses} times, as often as `losses` allows"
        return {"kind": "lost", "message": message}
