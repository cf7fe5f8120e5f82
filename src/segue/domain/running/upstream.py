"""What a task is told that cannot start, because what it needs will never be there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from segue.domain.envelope.stored import reason_of
from segue.domain.records import task_name
from segue.domain.rows import TaskRecord
from segue.domain.running.plan import Step

NAMED = 3
"""So many tasks are named as the reason; further ones are counted."""

_ENDINGS = {
    "failed": "failed",
    "dead": "was given up",
    "skipped": "was skipped",
    "cancelled": "was cancelled",
}


def cause_of_break(step: Step, tasks: Sequence[TaskRecord]) -> dict[str, Any]:
    """
    Why a task cannot start, from the tasks of its run: `kind`, `message`, and `upstream`, the first task to blame.

    The kind is `upstream`, or `quorum` where too few inputs were left.
    """
    quorum = step.node.settings.quorum
    blamed = step.needed if quorum is None else frozenset(step.parents)
    culprits = [task for task in tasks if task.node in blamed and task.state in _ENDINGS]
    told = "; ".join(_told(task) for task in culprits[:NAMED]) or _too_few(step, tasks)
    if len(culprits) > NAMED:
        told = f"{told}; and {len(culprits) - NAMED} more"
    cause: dict[str, Any] = {"kind": "upstream", "message": told}
    if quorum is not None:
        cause = {"kind": "quorum", "message": f"its quorum of {quorum} cannot be reached: {told}"}
    if culprits:
        cause["upstream"] = task_name(culprits[0].node, culprits[0].item)
    return cause


def _too_few(step: Step, tasks: Sequence[TaskRecord]) -> str:
    """Nobody is to blame: lists were shorter than a quorum needs, or the reason is gone meanwhile."""
    if step.node.settings.quorum is None:
        return "an upstream task has nothing to hand over"
    inputs = sum(task.node in step.parents and task.state != "expanded" for task in tasks)
    return f"there are only {inputs} inputs" if inputs != 1 else "there is only one input"


def _told(task: TaskRecord) -> str:
    reason = reason_of(task).get("message")
    return f"{task_name(task.node, task.item)} {_ENDINGS[task.state]}: {reason or 'no reason was recorded'}"
