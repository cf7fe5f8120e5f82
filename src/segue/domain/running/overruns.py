"""Arithmetic of the budgets that a store watches: until when a task may lie ready, and when it must have ended."""

from __future__ import annotations

from segue.domain.records import Limits, Overrun


def deadline_of(limits: Limits | None, wall: float) -> float | None:
    """When a task must have ended that becomes ready for the first time at `wall`, by the same clock."""
    if limits is None:
        return None
    own = wall + limits.total_seconds if limits.total_seconds is not None else None
    if own is None or limits.deadline is None:
        return limits.deadline if own is None else own
    return min(own, limits.deadline)


def overrun_of(queue_by: float | None, deadline: float | None, boot: float, wall: float) -> Overrun | None:
    """Which budget of a ready task has run out at `boot` and `wall`; after its deadline nothing else matters."""
    if deadline is not None and deadline <= wall:
        return "deadline"
    return "queue" if queue_by is not None and queue_by <= boot else None
