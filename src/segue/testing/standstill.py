"""Whether a run stands still until a person has decided, told from its tasks alone."""

from __future__ import annotations

from collections.abc import Sequence

from segue.domain.rows import TaskRecord

_FOR_A_PERSON = frozenset({"needs_review", "in_doubt"})
_OPEN = _FOR_A_PERSON | {"waiting", "ready", "claimed", "paused"}


def needs_a_person(tasks: Sequence[TaskRecord]) -> bool:
    """
    Whether something of a run waits for a person, and nothing moves by itself. An attempt that waits in the middle
    moves when all that it waits for has settled; when it waits for its pools, these move it.
    """
    there = {task.node for task in tasks}
    still = {task.node for task in tasks if task.state in _OPEN}

    def moves(task: TaskRecord) -> bool:
        if task.state == "claimed" and task.parked and not task.wants:
            return all(node in there and node not in still for node in task.awaits)
        return task.state in {"ready", "claimed", "paused"}

    return any(task.state in _FOR_A_PERSON for task in tasks) and not any(map(moves, tasks))
