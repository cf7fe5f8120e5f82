"""What people and monitors decide about a run, each written whole by a store, or not at all."""

from __future__ import annotations

from typing import Literal, NamedTuple

from segue.domain.records import HandoffRecord, Limits, Pools, Release


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
    pools: Pools = ()


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


Word = Literal["approved", "rejected", "escalated", "refused"]
"""
What was said of a hand-off in review: it is handed over, the task fails, others are to decide. Or somebody wanted to
say so who may not, or about something else than what is there: `refused` is only told.
"""


class Decision(NamedTuple):
    """
    A word on a hand-off that needs review, by a person, or by the terms of its review once their time is over.

    It is about version `version`, in the round of the review that comes after so many `escalations`: those who could
    decide then were checked. Approved or rejected, it has the next version of the hand-off, what that releases, and by
    how much the end of the run comes nearer. `data` says who decided and why; of what was rejected it is kept as the
    error, `tolerated` as in a settlement. Escalated, the next have `review_seconds`. `id` is a fresh id, by which a
    repeated call is recognised.
    """

    id: str
    run: str
    node: str
    item: int
    version: int
    escalations: int
    word: Word
    by_policy: bool
    handoff: HandoffRecord | None
    releases: tuple[Release, ...]
    run_resolved: int
    data: str | None
    tolerated: bool = False
    review_seconds: float | None = None
