"""What is to be tried again of a run that has ended: read from the store, decided in the domain."""

from __future__ import annotations

import json

from segue.domain.decisions import Redrive
from segue.domain.records import parse_task_name
from segue.domain.running.redriving import redrive_of
from segue.engine.book import Book
from segue.errors import UnknownRun, UsageError
from segue.ports.store import Store


async def decide(
    store: Store, book: Book, run: str, task: str | None, reason: str, wall_now: float
) -> Redrive:
    """The decision to try a task again, or all that was given up. Raises UnknownRun and UsageError."""
    record = await store.read_run(run)
    if record is None:
        raise UnknownRun(f"there is no run {run!r} in this store", run=run, remedy="`segue runs` lists them.")
    if record.state in ("running", "cancelled"):
        told = "still runs" if record.state == "running" else "was cancelled"
        raise UsageError(
            f"run {run} {told}, so nothing of it can be tried again",
            remedy="Wait for its end." if record.state == "running" else "Submit it anew.",
        )
    live = await book.load(run)
    deadline = live.options.deadline
    if deadline is not None and deadline <= wall_now:
        raise UsageError(
            f"run {run} is past its deadline, so nothing of it would be begun",
            remedy="Submit it anew with a later one.",
        )
    try:
        chosen = () if task is None else (parse_task_name(task),)
    except ValueError as error:
        raise UsageError(str(error), remedy="Tasks are called `name` or `name[3]`.") from None
    return redrive_of(live.plan, run, await store.read_tasks(run), chosen, json.dumps({"reason": reason}))
