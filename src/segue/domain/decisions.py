"""What people and monitors decide about a run, each written whole by a store, or not at all."""

from __future__ import annotations

from typing import NamedTuple

from segue.domain.records import HandoffRecord, Limits, Release


class Reset(NamedTuple):
    """A task that is to be tried again: ready if it waits for nothing, else waiting for so many hand-offs."""

    node: str
    item: int
    epoch: int
    """The epoch that the decision was made on; the task must still have it."""
    agent: str
    waiting: int
    limits: Limits | None = None
    spare: int | None = None
    """As in `Release`: how many inputs may be missing from now on, where it waits for a quorum."""


class Redrive(NamedTuple):
    """
    The decision to try tasks of an ended or stuck run again: what a store writes whole, or not at all.

    Failures and losses of these tasks are forgotten, their epochs and hand-offs are not: the next hand-off is the next
    version. `waits_for` is how many tasks the run waits for afterwards. `progress` is what the decision was made on:
    the sum of the epochs and versions of all tasks of the run, which grows with anything that happens to one of them.
    `data` says who wanted it and why.
    """

    run: str
    resets: tuple[Reset, ...]
    waits_for: int
    progress: int
    data: str | None


class Review(NamedTuple):
    """
    A person's decision on a hand-off that needs review: it becomes version `handoff.version` of the task.

    Accepted only while the task's latest version is `handoff.version - 1` and its state `needs_review`. A decision
    whose hand-off is `complete` releases the dependents; one that is `failed` settles the task as failed, and `data` is
    kept as its error, `tolerated` as in a settlement.
    """

    run: str
    node: str
    item: int
    handoff: HandoffRecord
    releases: tuple[Release, ...]
    run_resolved: int
    data: str | None
    tolerated: bool = False
