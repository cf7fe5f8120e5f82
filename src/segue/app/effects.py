"""What tasks remember, as people see it, and a person's word on an effect of which nobody knows whether it happened."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from segue.domain.envelope.schema import schema_of
from segue.domain.envelope.stored import understood
from segue.domain.records import parse_task_name, task_name
from segue.domain.rows import RunRecord, StepKind, StepRecord, TaskRecord
from segue.domain.running.steps import DidNotHappen, EffectState, Happened, draft, effect_state, keep
from segue.errors import UnknownRun, UsageError
from segue.ports.artifacts import ArtifactStore
from segue.ports.store import Store

_DECIDED = {"done": "it happened", "withdrawn": "it did not happen"}


@dataclass(frozen=True, slots=True)
class StepView:
    """
    What a task remembers under a name. `key` is the idempotency key of an effect, `epoch` that of who wrote it last.

    `result` is plain JSON data; one that is too large to show is None, and `artifact` is the digest it is kept under.
    """

    task: str
    name: str
    kind: StepKind
    state: EffectState
    key: str
    epoch: int
    at: float
    result: Any
    artifact: str | None


def _step_view(record: StepRecord, task: TaskRecord) -> StepView:
    """What a task remembers, as it is stored."""
    is_spilled = record.state == "done" and record.body is None
    return StepView(
        task=task_name(task.node, task.item),
        name=record.name,
        kind=record.kind,
        state=effect_state(record, task.state, task.epoch),
        key=record.key,
        epoch=record.epoch,
        at=record.at,
        result=None if record.body is None else json.loads(record.body.decode()),
        artifact=record.artifacts[0] if is_spilled else None,
    )


async def read_steps(store: Store, task: TaskRecord) -> tuple[StepView, ...]:
    """What a task remembers, by name."""
    found = await store.read_steps(task.run, task.node, task.item)
    with understood(f"what task {task_name(task.node, task.item)} of run {task.run} remembers"):
        return tuple(_step_view(record, task) for record in found)


async def read_effects(store: Store, run: str) -> tuple[StepView, ...]:
    """All effects of a run, by task and name."""
    found: list[StepView] = []
    for task in await store.read_tasks(run):
        if task.epoch > 0:
            found += [step for step in await read_steps(store, task) if step.kind == "effect"]
    return tuple(found)


async def doubts(store: Store, tasks: Sequence[TaskRecord]) -> list[str]:
    """The effects that hold up tasks which are in doubt, in words."""
    return [
        f"effect {step.name!r} of {step.task}"
        for task in tasks
        if task.state == "in_doubt"
        for step in await read_steps(store, task)
        if step.state == "in_doubt"
    ]


async def resolve(
    store: Store,
    artifacts: ArtifactStore,
    record: RunRecord,
    task: str,
    name: Any,
    outcome: Any,
    about: dict[str, str],
) -> None:
    """
    Write what a person knows of an effect in doubt; `about` says who and why.

    Raises UnknownRun if there is no such task, UsageError if there is no such effect or it is not in doubt, and
    PayloadError if the result has no JSON form.
    """
    if not isinstance(outcome, Happened | DidNotHappen):
        raise UsageError(
            f"{outcome!r} does not say whether the effect happened",
            remedy="Give Happened(result) or DidNotHappen().",
        )
    row = await _task(store, record.run, task)
    where = f"effect {name!r} of {task}"
    known = {step.name: step for step in await read_steps(store, row) if step.kind == "effect"}
    if not isinstance(name, str) or name not in known:
        has = ", ".join(known) or "none"
        raise UsageError(
            f"there is no {where} in run {record.run}",
            remedy=f"That task has {has}; `segue effects {record.run}` lists all of the run.",
        )
    if known[name].state in _DECIDED:
        raise _decided_before(where, record.run, _DECIDED[known[name].state])
    if row.state in ("waiting", "ready", "claimed"):
        raise UsageError(
            f"{where} is not in doubt: the task is {row.state}, and its next attempt finds out first",
            remedy="Wait for it. If it cannot tell, the run needs a review and asks for your word.",
        )
    kept = None
    if isinstance(outcome, Happened):
        kept = keep(outcome.result, schema_of(Any), f"the result of {where}")
        if kept.is_spilled:
            await artifacts.put(kept.data)
    step = draft("effect", name, "withdrawn" if kept is None else "done", known[name].key, kept)
    data = json.dumps({"effect": name, "happened": kept is not None, **about})
    verdict = await store.resolve(record.run, row.node, row.item, step, data)
    if verdict == "stale":
        raise _decided_before(where, record.run, "somebody said so")


async def _task(store: Store, run: str, name: str) -> TaskRecord:
    try:
        found = await store.read_tasks(run, [parse_task_name(name)])
    except ValueError:
        found = ()
    if not found:
        tasks = await store.read_tasks(run)
        raise UnknownRun(
            f"run {run} has no task {name!r} that has started",
            run=run,
            remedy=f"It has: {', '.join(task_name(task.node, task.item) for task in tasks[:20])}.",
        )
    return found[0]


def _decided_before(where: str, run: str, how: str) -> UsageError:
    return UsageError(
        f"{where} is not in doubt: {how}, and that is on record", remedy=f"See `segue effects {run}`."
    )
