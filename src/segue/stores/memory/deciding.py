"""Reviews, in memory."""

from __future__ import annotations

from segue.domain.decisions import Decision
from segue.domain.records import TaskState, Verdict
from segue.stores import wording
from segue.stores.memory.pausing import end_pauses
from segue.stores.memory.rows import Run, Task
from segue.stores.memory.state import State
from segue.stores.waking import LocalNotifier


class Deciding:
    """The verb of the contract for reviews."""

    _state: State
    notifier: LocalNotifier

    async def review(self, decision: Decision) -> Verdict:
        """Write what was decided on a hand-off in review, or that somebody was refused."""
        run = self._state.runs.get(decision.run)
        task = run.tasks.get((decision.node, decision.item)) if run is not None else None
        if run is None or task is None:
            return "stale"
        told = (decision.id, decision.node, decision.item)
        if told in run.decided:
            return "repeated"
        if decision.word != "refused" and not self._counts(decision, task):
            return "stale"
        run.decided.add(told)
        state, what = wording.DECIDED[decision.word]
        if decision.handoff is not None:
            run.keep(task, task.epoch, decision.handoff)
        self._state.tell_task(run, task, what, decision.data)
        if decision.word == "escalated":
            task.escalations += 1
            self._state.wait_for_review(task, decision.review_seconds)
        elif decision.word != "refused":
            self._settle_review(run, task, decision, state)
        self.notifier.notify()
        return "accepted"

    def _counts(self, decision: Decision, task: Task) -> bool:
        """Whether the task is where a decision found it, and the time for it is now."""
        is_there = (task.state, task.version, task.escalations) == (
            "needs_review",
            decision.version,
            decision.escalations,
        )
        return is_there and wording.in_time(decision, task.review_by, self._state.clock.wall())

    def _settle_review(self, run: Run, task: Task, decision: Decision, state: TaskState) -> None:
        self._state.set_state(task, state)
        task.review_by, task.tolerated = None, decision.tolerated
        if state == "failed":
            task.error = decision.data or task.error
        for release in decision.releases:
            self._state.release(run, release._replace(claim=None), "", 0.0)
        end_pauses(self._state, run, task)
        self._state.count_down(run, decision.run_resolved)
