"""Why a claimed task is not run, or not to its end: looked up in the store, in the rare case that there is a reason."""

from __future__ import annotations

from typing import Any

from segue.domain.records import SINGLE, Limits
from segue.domain.running.upstream import cause_of_break
from segue.engine.attempts.attempt import Attempt
from segue.errors import Budget, BudgetExceeded
from segue.ports.store import Store


class Causes:
    """Says why, in the words that are kept."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of_break(self, attempt: Attempt) -> dict[str, Any]:
        """Which upstream tasks have nothing to hand over. Only those are read: thousands may be skipped for one."""
        run, parents = attempt.run, attempt.step.parents
        tasks = await self._store.read_tasks(run, [(parent, SINGLE) for parent in parents])
        if any(task.state == "expanded" for task in tasks):
            tasks = await self._store.read_tasks(run)
        return cause_of_break(attempt.step, tasks)

    async def of_overrun(self, attempt: Attempt, budget: Budget) -> BudgetExceeded:
        """Which budget a task ran over, and how long that is. Raises nothing: this is the error."""
        terms, limits = attempt.terms, attempt.step.limits
        match budget:
            case "run":
                seconds = terms.timeout_seconds
            case "idle":
                seconds = terms.idle_seconds
            case "queue":
                seconds = None if limits is None else limits.queue_seconds
            case "deadline":
                seconds = None if limits is None else await self._until_deadline(attempt, limits)
        return BudgetExceeded(budget, seconds or 0.0, attempt.name)

    async def _until_deadline(self, attempt: Attempt, limits: Limits) -> float | None:
        """How long the task had until its deadline: its own, or that of the run."""
        deadline, seconds = limits.deadline, limits.total_seconds
        if deadline is None or (seconds is not None and attempt.claim.deadline != deadline):
            return seconds
        record = await self._store.read_run(attempt.run)
        # Submitted a moment after its deadline was reckoned: what people said had no thousandths.
        return None if record is None else round(deadline - record.submitted_at, 2)

    def of_losses(self, attempt: Attempt) -> dict[str, Any]:
        """How often the task was lost with its worker."""
        losses = attempt.claim.losses
        message = f"{attempt.name} was lost with its worker {losses} times, as often as `losses` allows"
        return {"kind": "lost", "message": message}
