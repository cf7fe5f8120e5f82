"""What people decide, in memory."""

from __future__ import annotations

from segue.domain.decisions import Decision, Redrive, Reset
from segue.domain.records import TaskState, Verdict
from segue.domain.running.pins import pins_anew
from segue.stores import wording
from segue.stores.memory.pooling import check_needs
from segue.stores.memory.rows import Run, Task
from segue.stores.memory.state import State
from segue.stores.waking import LocalNotifier


class Deciding:
    """The verbs of the contract for reviews, and for runs that are cancelled or tried again."""

    _state: State
    notifier: LocalNotifier

    async def review(self, decision: Decision) -> Verdict:
        """Write what was decided on a hand-off in review, or that somebody was refused."""
        run = self._state.runs.get(decision.run)
        task = run.tasks.get((decision.node, decision.item)) if run is not None else None
        if run is None or task is None:
            return "stale"
        if decision.id in run.decided:
            return "repeated"
        if decision.word != "refused" and not self._counts(decision, task):
            return "stale"
        run.decided.add(decision.id)
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
        self._state.count_down(run, decision.run_resolved)

    async def cancel(self, run: str, reason: str) -> bool:
        """Cancel a run with its open tasks."""
        found = self._state.runs.get(run)
        if found is None or found.state not in {"running", "needs_review"}:
            return False
        for _, task in sorted(found.tasks.items()):
            if task.state in {"waiting", "ready", "claimed", "needs_review", "in_doubt"}:
                self._state.set_state(task, "cancelled")
                task.claim = None
                self._state.tell_task(found, task, "cancelled")
        self._state.end(found, "cancelled", wording.cancel_data(reason))
        self.notifier.notify()
        return True

    async def retry(self, redrive: Redrive) -> Verdict:
        """Try tasks of a run again, all of them or none."""
        run = self._state.runs.get(redrive.run)
        if run is None or not redrive.resets or not self._may_redrive(run, redrive):
            return "stale"
        check_needs(self._state, run.new, {reset.node for reset in redrive.resets})
        run.state, run.ended_at, run.waits_for = "running", None, redrive.waits_for
        for reset in redrive.resets:
            self._reset(run, run.tasks[reset.node, reset.item], reset)
        self._state.tell(run, wording.RUN_RESUMED, redrive.data)
        self._state.count_down(run, 0)
        self.notifier.notify()
        return "accepted"

    def _may_redrive(self, run: Run, redrive: Redrive) -> bool:
        """Whether nothing has happened since the decision, and each task is one that can be tried again."""
        progress = sum(task.epoch + task.version for task in run.tasks.values())
        if run.state not in {"complete", "failed", "needs_review"} or progress != redrive.progress:
            return False
        tasks = [(reset, run.tasks.get((reset.node, reset.item))) for reset in redrive.resets]
        return all(
            task is not None
            and task.epoch == reset.epoch
            and task.state in {"failed", "dead", "skipped", "waiting"}
            for reset, task in tasks
        )

    def _reset(self, run: Run, task: Task, reset: Reset) -> None:
        """Begin a task anew; its inputs are kept if it had them all."""
        task.agent, task.waiting, task.spare = reset.agent, reset.waiting, reset.spare
        task.pins = None if task.broken or task.pins is None else pins_anew(task.node, task.pins)
        task.broken = task.tolerated = False
        task.claim = task.error = task.settled_at = task.deadline = task.queue_seconds = None
        task.failures = task.losses = task.escalations = task.deadlocks = 0
        task.pools, task.requires = reset.pools, None
        if reset.waiting > 0:
            task.ready_at = None
            task.state = "waiting"
        else:
            self._state.start_budgets(task, reset.limits)
            self._state.make_ready(task, 0.0)
        self._state.tell_task(run, task, "redriven")
