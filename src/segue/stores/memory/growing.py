"""Runs that grow, in memory."""

from __future__ import annotations

from segue.domain.decisions import Append
from segue.domain.records import HAS_SHARE, PAUSED_WITH_RUN, SINGLE, Token, Verdict
from segue.domain.rows import GrownRecord
from segue.stores import wording
from segue.stores.memory.pooling import check_needs
from segue.stores.memory.rows import Run, Task
from segue.stores.memory.state import State
from segue.stores.waking import LocalNotifier


class Growing:
    """The verb of the contract for tasks that a running attempt delegates."""

    _state: State
    notifier: LocalNotifier

    async def append(self, token: Token, append: Append) -> Verdict:
        """Append a task to the run of an attempt that may still write."""
        run = self._state.runs.get(token.run)
        written = next((each for each in run.growth if each.node == append.node), None) if run else None
        if written is not None:
            same = (written.key, written.document) == (append.key, append.document)
            return "repeated" if same else "stale"
        parent = self._state.find(token)
        if run is None or parent is None or not parent.answers(token) or run.ended_at is not None:
            return "stale"
        check_needs(self._state, append.needs)
        self._append(run, token, append)
        self.notifier.notify()
        return "accepted"

    def _append(self, run: Run, token: Token, append: Append) -> None:
        number = len(run.growth) + 1
        place = (token.run, number, append.node, token.node, token.item)
        run.growth.append(GrownRecord(*place, append.key, append.document))
        run.waits_for += 1
        run.needs += append.needs
        handoff = append.handoff
        pin = handoff.pin(append.node, SINGLE)
        task = Task(token.run, append.node, SINGLE, append.agent, 0, (), (pin,))
        task.pools = append.pools
        task.hold = run.tasks[token.node, token.item].hold & (PAUSED_WITH_RUN | HAS_SHARE)
        run.tasks[append.node, SINGLE] = task
        run.keep(task, 0, handoff)
        self._state.start_budgets(task, append.limits)
        self._state.make_ready(task, 0.0)
        data = wording.growth_data(token, append)
        self._state.tell(run, wording.RUN_GREW, data)
        self._state.tell_task(run, task, wording.DELEGATED, data)
        if task.state == "paused":
            self._state.tell_task(run, task, "paused")
        self._state.judge(run)
