"""What tasks in memory remember across their attempts."""

from __future__ import annotations

from collections.abc import Sequence

from segue.domain.records import Token, Verdict
from segue.domain.rows import StepRecord
from segue.stores.memory.rows import Run, Task, WrittenStep
from segue.stores.memory.state import State
from segue.stores.waking import LocalNotifier
from segue.stores.wording import RESOLVED, step_event


class Remembering:
    """The verbs of the contract for steps and effects."""

    _state: State
    notifier: LocalNotifier

    async def record(self, token: Token, steps: Sequence[StepRecord]) -> Verdict:
        """Write down what an attempt has finished or is about to do."""
        task = self._state.find(token)
        if task is None:
            return "stale"
        run = self._state.runs[token.run]
        kept = run.steps.get((token.node, token.item), {})
        last = {step.name: step for step in steps}
        if all(_stands(kept.get(name), step, token) for name, step in last.items()):
            return "repeated"
        after = _after(kept, steps, token.claim) if task.answers(token) else None
        if after is None:
            return "stale"
        run.steps[token.node, token.item] = after
        for step in steps:
            self._state.tell_task(run, task, *step_event(step))
        self.notifier.notify()
        return "accepted"

    async def resolve(self, run: str, node: str, item: int, step: StepRecord, data: str | None) -> Verdict:
        """Write a person's word on an effect in doubt."""
        found = self._state.runs.get(run)
        task = found.tasks.get((node, item)) if found is not None else None
        if found is None or task is None or step.kind == "step" or step.state == "begun":
            return "stale"
        kept = found.steps.get((node, item), {})
        written = kept.get(step.name)
        if written is None:
            return "stale"
        if written.claim is None and _same_outcome(written.record, step):
            return "repeated"
        if not _may_follow(written, step) or task.state in {"waiting", "ready", "claimed", "paused"}:
            return "stale"
        kept[step.name] = WrittenStep(step._replace(epoch=written.record.epoch, key=written.record.key), None)
        self._state.tell_task(found, task, RESOLVED, data)
        self._go_on(found, task)
        self.notifier.notify()
        return "accepted"

    def _go_on(self, run: Run, task: Task) -> None:
        """Let a task go on when none of its effects is in doubt any more."""
        steps = run.steps[task.node, task.item].values()
        if task.state == "in_doubt" and not any(written.record.state == "begun" for written in steps):
            task.claim = task.error = task.settled_at = None
            self._state.make_ready(task, 0.0)
            self._state.judge(run)


def _after(
    kept: dict[str, WrittenStep], steps: Sequence[StepRecord], claim: str
) -> dict[str, WrittenStep] | None:
    """What a task remembers once these are written; None if one of them may not be."""
    after = dict(kept)
    for step in steps:
        if not _may_follow(after.get(step.name), step):
            return None
        after[step.name] = WrittenStep(step, claim)
    return after


def _may_follow(written: WrittenStep | None, step: StepRecord) -> bool:
    """Whether a record may be written over what is known under its name."""
    if written is None:
        return step.kind == "step" or step.state == "begun"
    if written.record.kind == "step" or step.kind == "step":
        return False
    return written.record.state == ("withdrawn" if step.state == "begun" else "begun")


def _stands(written: WrittenStep | None, step: StepRecord, token: Token) -> bool:
    """Whether exactly this was written by exactly this attempt."""
    return written is not None and written.record == step and written.claim == token.claim


def _same_outcome(record: StepRecord, step: StepRecord) -> bool:
    return (record.state, record.body, record.artifacts) == (step.state, step.body, step.artifacts)
