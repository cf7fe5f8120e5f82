"""What becomes of a task that no worker runs: whoever hands over for it may come twice, too early or too late."""

from __future__ import annotations

from segue.domain.records import task_name
from segue.domain.rows import TaskRecord
from segue.errors import AlreadyWritten, HandOverError, NotReady, TaskTaken


def finding_on(
    run: str, task: str, row: TaskRecord | None, written: str | None, digest: str, needs: tuple[str, ...]
) -> TaskRecord | None:
    """
    What a writer does who was not granted a task: nothing (None), if the same was written before (`written` is the
    digest of what stands there, `digest` that of what is to be written), or wait for whoever has it.

    Raises AlreadyWritten if something else was written, NotReady if the task cannot be written yet, or never will be.
    """
    if row is not None and row.state in ("claimed", "ready"):
        return row
    if row is not None and written == digest:
        return None
    if row is not None and row.state in ("complete", "needs_review"):
        raise AlreadyWritten(
            f"{task} of run {run} was written before, and is something else",
            remedy=f"What was handed over stays: read it, or `segue show {run} {task}`.",
        )
    if row is None or row.state == "waiting":
        raise NotReady(
            f"{task} of run {run} waits for {' and '.join(needs) or 'others'}",
            remedy="Write what it depends on first.",
        )
    told = {"paused": "is paused", "in_doubt": "is in doubt"}.get(row.state, f"has ended: it is {row.state}")
    raise NotReady(f"{task} of run {run} {told}", remedy=f"`segue show {run}` says why.")


def kept_from(row: TaskRecord) -> HandOverError:
    """The error for whoever has waited in vain for a task: another keeps it, or it is only to be settled."""
    name = task_name(row.node, row.item)
    if row.state == "ready":
        return NotReady(
            f"{name} of run {row.run} is only to be settled: its time is over, or what it needs was not handed over",
            remedy="A worker settles it; `segue worker` starts one.",
        )
    return TaskTaken(
        f"{name} of run {row.run} was claimed by {row.worker}, who works on it",
        remedy="Leave it to them; should they die, it can be claimed again when their lease is over.",
    )
