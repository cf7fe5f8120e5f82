"""What people and monitors decide about a run, each written whole by a store, or not at all."""

from __future__ import annotations

from typing import Literal, NamedTuple

from segue.domain.records import HandoffRecord, Limits, NodeNeed, Pools, Release, Settlement, Token


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
    """

    resets: tuple[Reset, ...]
    waits_for: int
    progress: int


ControlKind = Literal["pause", "resume", "cancel", "retry", "reassign", "annotate"]


class Target(NamedTuple):
    """
    A task that a control is for.

    `birth` brings its row into being, waiting, where nothing has released it yet; None if it must be there. A
    cancelled task leaves `handoff` as its next version, which says that it was, and tells its dependents with
    `releases` and its run with `run_resolved`, as a settlement does.
    """

    node: str
    item: int
    birth: Release | None = None
    handoff: HandoffRecord | None = None
    releases: tuple[Release, ...] = ()
    run_resolved: int = 0
    tolerated: bool = False


class Control(NamedTuple):
    """
    What somebody wants with a run, or with some tasks of it: what a store does whole and once, or not at all.

    `command` is its name: under one name a run obeys once, and `asked` (what was asked for, in words) must then be the
    same. `data` is the JSON of its event: who (`by`), why (`reason`) and under which name. Without `targets` it is for
    the run itself. `until` names the task with whose settling a pause ends by itself; `interrupt` revokes the claims of
    what runs. `successor` is the agent that a reassigned task is for from now on, with the `pools` it needs; `error` is
    kept as that of a cancelled one, and of those that nobody needs then (`needless`), which are cancelled with it.
    `redrive` says how what was given up begins anew.
    """

    run: str
    kind: ControlKind
    command: str
    asked: str
    data: str
    targets: tuple[Target, ...] = ()
    until: Target | None = None
    interrupt: bool = False
    successor: str | None = None
    pools: Pools = ()
    error: str | None = None
    needless: tuple[Target, ...] = ()
    redrive: Redrive | None = None


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


class Append(NamedTuple):
    """
    A task that a running attempt delegates: appended to its run under the name `node`, ready for `agent`.

    `document` is its node as a graph would have it, `handoff` its first version, which holds its arguments, and `key`
    what the delegation is found again by when the task that delegates is tried again. A claim of it takes the places in
    `pools` as long as it is with `agent`; `needs` are the most that it takes, with whichever of its fallbacks.
    """

    node: str
    agent: str
    key: str
    document: str
    handoff: HandoffRecord
    limits: Limits | None = None
    pools: Pools = ()
    needs: tuple[NodeNeed, ...] = ()


class Untangling(NamedTuple):
    """
    What is done about a deadlock: the runs that it is in are told (`data` is the JSON of their event), once under one
    `id` of the victim's `run`. If the victim is a claim, `victim` is its token and `settlement` ends the attempt; if it
    is a pause, `control` ends that. With neither it is left to somebody else.
    """

    run: str
    id: str
    runs: tuple[str, ...]
    data: str
    victim: Token | None = None
    settlement: Settlement | None = None
    control: Control | None = None
