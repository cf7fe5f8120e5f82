"""What people and monitors want with runs, in memory."""

from __future__ import annotations

from segue.domain.decisions import Control, Redrive, Reset
from segue.domain.records import SETTLED, WHOLE_RUN, NodeNeed, Verdict, task_name
from segue.domain.running.pins import pins_anew
from segue.stores import wording
from segue.stores.memory.pausing import end_pauses, find_or_bear, pause, resume
from segue.stores.memory.pooling import check_needs
from segue.stores.memory.rows import Run, Task
from segue.stores.memory.state import State
from segue.stores.waking import LocalNotifier

OPEN = frozenset({"running", "needs_review"})


class Controlling:
    """The verb of the contract for controls."""

    _state: State
    notifier: LocalNotifier

    async def control(self, control: Control) -> Verdict:
        """Do what somebody wants with a run, once."""
        run = self._state.runs.get(control.run)
        if run is None:
            return "stale"
        obeyed = run.commands.get(control.command)
        if obeyed is not None:
            return "repeated" if obeyed == control.asked else "stale"
        there = set(run.tasks)
        if not self._obey(run, control):
            for born in run.tasks.keys() - there:
                del run.tasks[born]
            return "stale"
        self._state.judge(run)
        run.commands[control.command] = control.asked
        self.notifier.notify()
        return "accepted"

    def _obey(self, run: Run, control: Control) -> bool:
        """Do it if it can be; whether it could."""
        if control.kind == "annotate":
            return self._annotate(run, control)
        if control.kind == "retry":
            return control.redrive is not None and self._retry(run, control.redrive, control.data)
        if run.state not in OPEN:
            return False
        match control.kind:
            case "pause":
                return pause(self._state, run, control)
            case "resume":
                keys = [target[:2] for target in control.targets] or [WHOLE_RUN]
                return sum(resume(self._state, run, key, control.data) for key in keys) > 0
            case "cancel":
                return self._cancel_tasks(run, control) if control.targets else self._cancel(run, control)
            case "reassign":
                return self._reassign(run, control)

    def _annotate(self, run: Run, control: Control) -> bool:
        if not control.targets:
            self._state.tell(run, wording.RUN_ANNOTATED, control.data)
        for node, item, birth, *_ in control.targets:
            task = run.tasks.get((node, item))
            if task is not None:
                self._state.tell_task(run, task, "annotated", control.data)
            elif birth is not None:
                event = wording.task_event(birth.agent, "annotated")
                self._state.log.append(
                    run, event, task_name(node, item), 0, self._state.clock.wall(), control.data
                )
        return True

    def _cancel(self, run: Run, control: Control) -> bool:
        for _, task in sorted(run.tasks.items()):
            if task.state not in SETTLED:
                self._state.set_state(task, "cancelled")
                task.claim = None
                self._state.tell_task(run, task, "cancelled")
        self._state.end(run, "cancelled", control.data)
        return True

    def _cancel_tasks(self, run: Run, control: Control) -> bool:
        found, resolved = False, 0
        for target in control.targets:
            task = find_or_bear(self._state, run, target)
            handoff = target.handoff
            if task is None or task.state in SETTLED or (handoff and handoff.version != task.version + 1):
                continue
            if handoff is not None:
                run.keep(task, task.epoch, handoff)
            found, resolved = True, resolved + target.run_resolved
            self._state.set_state(task, "cancelled")
            task.claim, task.error, task.tolerated = None, control.error, target.tolerated
            task.review_by = None
            self._state.tell_task(run, task, "cancelled", control.data)
            for release in target.releases:
                self._state.release(run, release._replace(claim=None), "", 0.0)
            end_pauses(self._state, run, task)
        for target in control.needless if found else ():
            find_or_bear(self._state, run, target)
            for task in [each for key, each in sorted(run.tasks.items()) if key[0] == target.node]:
                if self._state.cancel_needless(run, task, control.error):
                    end_pauses(self._state, run, task)
        run.cut |= found
        self._state.count_down(run, resolved)
        return found

    def _reassign(self, run: Run, control: Control) -> bool:
        tasks = [run.tasks.get(target[:2]) for target in control.targets]
        found = [
            task
            for task in tasks
            if task is not None
            and task.state in {"ready", "claimed", "paused"}
            and (task.claim is not None or control.successor is not None)
        ]
        named = [NodeNeed(target.node, *need[:2]) for target in control.targets for need in control.pools]
        check_needs(self._state, named)
        for task in found:
            self._state.tell_task(run, task, "reassigned", control.data)
            if control.successor is not None:
                task.agent, task.pools, task.requires = control.successor, control.pools, None
            task.claim = None
            task.failures = task.losses = 0
            self._state.make_ready(task, 0.0)
        return bool(found)

    def _retry(self, run: Run, redrive: Redrive, data: str) -> bool:
        """Try tasks of a run again, all of them or none."""
        if not redrive.resets or not self._may_redrive(run, redrive):
            return False
        check_needs(self._state, run.needs, {reset.node for reset in redrive.resets})
        run.state, run.ended_at, run.waits_for = "running", None, redrive.waits_for
        for reset in redrive.resets:
            self._reset(run, run.tasks[reset.node, reset.item], reset)
        self._state.tell(run, wording.RUN_RESUMED, data)
        return True

    def _may_redrive(self, run: Run, redrive: Redrive) -> bool:
        """Whether nothing has happened since the decision, and each task is one that can be tried again."""
        progress = sum(task.epoch + task.version for task in run.tasks.values())
        if run.state not in {"complete", "failed", "needs_review"} or progress != redrive.progress:
            return False
        tasks = [(reset, run.tasks.get((reset.node, reset.item))) for reset in redrive.resets]
        return all(
            task is not None
            and task.epoch == reset.epoch
            and task.state in {"failed", "dead", "cancelled", "skipped", "waiting"}
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
