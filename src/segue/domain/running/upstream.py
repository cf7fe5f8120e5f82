"""What a task is told that cannot start, because what it needs will never be there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from segue.domain.envelope.limits import ERROR_MESSAGE_CHARACTERS
from segue.domain.envelope.payload import storable_text
from segue.domain.envelope.stored import reason_of
from segue.domain.records import task_name
from segue.domain.rows import TaskRecord
from segue.domain.running.plan import Step

NAMED = 3
"""So many reasons are named, and further ones counted."""

ROOT_CHARACTERS = 500
"""What is handed down of a reason. Each task tells the first reason and not those in between: they would add up."""

_ENDINGS = {
    "failed": "failed",
    "dead": "was given up",
    "skipped": "was skipped",
    "cancelled": "was cancelled",
}


def cause_of_break(step: Step, tasks: Sequence[TaskRecord]) -> dict[str, Any]:
    """
    Why a task cannot start, from the tasks of its run: `kind`, `message`, `upstream`, the first task to blame, and
    `root`, what was wrong in the beginning.

    The kind is `upstream`, or `quorum` where too few inputs were left.
    """
    quorum = step.node.settings.quorum
    blamed = step.needed if quorum is None else frozenset(step.parents)
    culprits = [task for task in tasks if task.node in blamed and task.state in _ENDINGS]
    by_root = _by_root(culprits)
    told = _counted([_told(*each) for each in by_root.items()]) or _too_few(step, tasks)
    cause: dict[str, Any] = {"kind": "upstream", "message": told}
    if quorum is not None:
        cause = {"kind": "quorum", "message": f"its quorum of {quorum} cannot be reached: {told}"}
    if culprits:
        cause["upstream"] = _name(culprits[0])
        cause["root"] = _counted(list(by_root))
    return cause


def _too_few(step: Step, tasks: Sequence[TaskRecord]) -> str:
    """Nobody is to blame: lists were shorter than a quorum needs, or the reason is gone meanwhile."""
    if step.node.settings.quorum is None:
        return "an upstream task has nothing to hand over"
    inputs = sum(task.node in step.parents and task.state != "expanded" for task in tasks)
    return f"there are only {inputs} inputs" if inputs != 1 else "there is only one input"


def _by_root(culprits: Sequence[TaskRecord]) -> dict[str, list[TaskRecord]]:
    """What was wrong in the beginning, with the tasks that have nothing because of that: none for a task itself."""
    found: dict[str, list[TaskRecord]] = {}
    for task in culprits:
        reason = reason_of(task)
        root = reason.get("root")
        if root is not None:
            found.setdefault(root, []).append(task)
        else:
            message = storable_text(reason.get("message") or "no reason was recorded", ROOT_CHARACTERS)
            found.setdefault(f"{_name(task)} {_ENDINGS[task.state]}: {message}", [])
    return found


def _told(root: str, without: Sequence[TaskRecord]) -> str:
    if not without:
        return root
    others = f" (and {len(without) - 1} more)" if len(without) > 1 else ""
    return f"{_name(without[0])}{others} {_ENDINGS[without[0].state]}: {root}"


def _counted(reasons: Sequence[str]) -> str:
    more = [f"and {len(reasons) - NAMED} more"] if len(reasons) > NAMED else []
    return storable_text("; ".join([*reasons[:NAMED], *more]), ERROR_MESSAGE_CHARACTERS)


def _name(task: TaskRecord) -> str:
    return task_name(task.node, task.item)
