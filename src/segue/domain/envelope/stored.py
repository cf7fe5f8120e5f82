"""What is read back is not trusted: a store can be damaged, or changed by somebody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from segue.domain.envelope.payload import digest_of
from segue.domain.records import task_name
from segue.domain.rows import Event, RunRecord, StoredHandoff, TaskRecord
from segue.errors import StoreCorrupt


@contextmanager
def understood(what: str) -> Iterator[None]:
    """
    Around whatever does nothing but make sense of what was stored.

    Raises `StoreCorrupt` if that fails in any way that text of the wrong form makes it fail.
    """
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise not_understood(what, error) from error


def not_understood(what: str, error: Exception) -> StoreCorrupt:
    """The error for stored text of a form that nobody writes."""
    return StoreCorrupt(
        f"{what} is damaged, it cannot be understood: {type(error).__name__}: {error}",
        remedy="Restore the store from a backup.",
    )


def pinned_graph(record: RunRecord, text: str | None) -> str:
    """The graph that a run has pinned, if this is what the store has of it. Raises `StoreCorrupt`."""
    if text is None or digest_of(text.encode()) != record.graph_digest:
        raise StoreCorrupt(
            f"the pinned graph of run {record.run} is missing or was changed",
            remedy="Restore the store from a backup; this run cannot be trusted to go on.",
        )
    return text


def verified(stored: StoredHandoff) -> StoredHandoff:
    """A hand-off whose bytes are those that were sent. Raises `StoreCorrupt`."""
    record = stored.record
    if digest_of(record.body) != record.digest:
        raise StoreCorrupt(
            f"hand-off {record.version} of {task_name(stored.node, stored.item)} in run {stored.run} was changed",
            remedy="Restore the store from a backup.",
        )
    return stored


def reason_of(task: TaskRecord) -> dict[str, Any]:
    """Why a task failed or was skipped, empty where nothing is on record. Raises `StoreCorrupt`."""
    if task.error is None:
        return {}
    with understood(f"what is on record of {task_name(task.node, task.item)} in run {task.run}"):
        return dict(json.loads(task.error).items())


def data_of(event: Event) -> Any:
    """What an event carries. Raises `StoreCorrupt`."""
    if event.data is None:
        return None
    with understood(f"event {event.sequence} of run {event.run}"):
        return json.loads(event.data)
