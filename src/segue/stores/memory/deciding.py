"""What people decide, in memory."""

from __future__ import annotations

from segue.domain.decisions import Redrive, Reset, Review
from segue.domain.records import Verdict
from segue.stores import wording
from segue.stores.memory.rows import Run, Task
from segue.stores.memory.state import State
from segue.stores.waking import LocalNotifier


class Deciding:
    """The verbs of the contract for reviews, and for runs that are cancelled or tried again."""

    _state: State
    notifier: LocalNotifier

    async def review(self, review: Review) -> Verdict:
        """Write a person's decision as the next version of a hand-off."""
        run = self._state.runs.get(review.run)
        task = run.tasks.get((review.node, review.item)) if run is not None else None
        if run is None or task is None:
            return "stale"
        for stored in run.handoffs.get((review.node, review.item), ()):
            record, wanted = stored.record, review.handoff
            if record.version == wanted.version:
                same = (record.digest, record.status) == (wanted.digest, wanted.status)
                return "repeated" if same else "stale"
        if task.state != "needs_review" or task.version != review.handoff.version - 1:
            return "stale"
        run.keep(task, task.epoch, review.handoff)
        state = wording.decided_state(review.handoff.status)
        self._state.set_state(task, state)
        if state == "failed":
            task.error, task.tolerated = review.data or task.error, review.tolerated
        self._state.tell_task(run, task, review.handoff.status, review.data)
        for release in review.releases:
            self._state.release(run, release._replace(claim=None), "", 0.0)
        self._state.count_down(run, review.run_resolved)
        self.notifier.notify()
        return "accepted"

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
        task.pins = None if task.broken else task.pins
        task.broken = task.tolerated = False
        task.claim = task.error = task.settled_at = task.deadline = task.queue_seconds = None
        task.failures = task.losses = 0
        if reset.waiting > 0:
            task.ready_at = None
            task.state = "waiting"
        else:
            self._state.start_budgets(task, reset.limits)
            self._state.make_ready(task, 0.0)
        self._state.tell_task(run, task, "redriven")
