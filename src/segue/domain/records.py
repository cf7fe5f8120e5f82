"""
What the engine and a store say to each other: claims, settlements, and the rows that are read back.

All are named tuples of plain values: cheap to make a hundred thousand times a second, immutable, and the same for every
engine of storage. A task is named by its run, its node in the graph, and its item: the position in a mapped list, or
`SINGLE` for a node that is not mapped.
"""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple

SINGLE = -1

TaskKey = tuple[str, int]
"""A task within its run: its node and its item."""

WHOLE_RUN: TaskKey = ("", SINGLE)
"""Stands for the run itself among its tasks, where something is said of all of them, such as a pause."""

_STAGE = " → "

SUSPECT_LOSSES = 2
"""From so many lost claims on a task is suspected of killing its workers, and kept apart from other suspects."""

TaskState = Literal[
    "waiting",
    "ready",
    "claimed",
    "complete",
    "failed",
    "dead",
    "needs_review",
    "in_doubt",
    "skipped",
    "expanded",
    "cancelled",
    "paused",
]
"""
`paused` is where a task would be ready, but it or its run was paused: nobody may claim it, but past its deadline to
settle it.
"""

LIVE: frozenset[TaskState] = frozenset({"claimed", "ready", "paused"})
"""States in which an attempt may still write: a task whose lease has ended is its own until somebody else has it."""

SETTLED: frozenset[TaskState] = frozenset({"complete", "failed", "dead", "skipped", "expanded", "cancelled"})
"""
States from which a task goes nowhere, unless somebody lets it be tried again. What is `expanded` goes on as the tasks
of its list.
"""

PAUSED_ITSELF = 1
PAUSED_WITH_RUN = 2
PAUSED = PAUSED_ITSELF | PAUSED_WITH_RUN
ENDS_PAUSE = 4
HAS_SHARE = 8
"""
The bits of a task's `hold`: paused by itself or with its run; somebody's pause ends when it has settled; a share of a
budget was given away by it, or by a task that it is below.
"""

RunState = Literal["running", "needs_review", "complete", "failed", "cancelled"]
HANDED_ON = "handed_on"
"""The status of a hand-off from which another agent goes on with the same task."""
Ending = Literal[
    "complete",
    "failed",
    "dead",
    "needs_review",
    "in_doubt",
    "skipped",
    "expanded",
    "retry",
    "reassigned",
    "handed_back",
    "handed_on",
    "unreadable",
    "deadlocked",
]
"""
How an attempt ends. The last six end the attempt and not the task: `retry` and `reassigned` count as a failure (the
latter gives the task to another agent), `handed_back` and `unreadable` do not; the last says that the worker could not
read an input and leaves the task to those that can (`Settlement.requires`). `handed_on` leaves a hand-off from which
another agent goes on with the task. `deadlocked` revokes the claim of an attempt that waits, because others wait in
vain for what it keeps; it is counted by itself. `in_doubt` waits for a person's word on an effect.
"""
Overrun = Literal["queue", "deadline"]
"""Which budget of a task ran out while nobody worked on it, so that any worker may claim it, to settle it."""
Verdict = Literal["accepted", "repeated", "stale"]
"""What a store says to a fenced write: written now; was written before by the same token; refused, nothing written."""


class Need(NamedTuple):
    """Places in a pool that a claim takes. Those with `keep` it keeps while it waits in the middle of its attempt."""

    pool: str
    places: int
    keep: bool = False


Pools = tuple[Need, ...]
"""What a claim takes, each pool once, sorted by name."""


Amounts = tuple[tuple[str, int], ...]
"""What may be, or was, spent: whole numbers by unit (`tokens`, `cost` in billionths, `calls`, `handoffs`)."""


class Token(NamedTuple):
    """The right of one attempt to write: the epoch orders attempts, the claim identifies one."""

    run: str
    node: str
    item: int
    epoch: int
    claim: str


class Pin(NamedTuple):
    """The exact hand-off that a claim was given as an input. `status` is that of the hand-off."""

    node: str
    item: int
    version: int
    digest: str
    status: str


class Limits(NamedTuple):
    """
    The budgets of a task that its store watches. Seconds; None means no limit.

    `queue_seconds` is how long it may lie ready before somebody claims it, counted anew each time it becomes ready.
    `total_seconds` is how long it may take from when it first became ready, and `deadline` (of the wall clock) is what
    it inherits; whichever ends first holds, and outlives a reboot.
    """

    queue_seconds: float | None = None
    total_seconds: float | None = None
    deadline: float | None = None


class Release(NamedTuple):
    """
    What a settlement means for one dependent: `resolved` of the `need` hand-offs that it waits for are there now.

    `resolved` is negative when a mapped list has just shown how many more there are. The row of a task comes into being
    with its first release. `pins` is given where the sender knows them all (a single parent), else the store looks up
    the latest hand-offs of `parents` (names of nodes) when the task is claimed. `claim` is a fresh claim id where the
    sender's worker would start the task at once, should it be ready now; None leaves it ready for anybody.
    """

    node: str
    item: int
    agent: str
    need: int
    resolved: int
    parents: tuple[str, ...]
    pins: tuple[Pin, ...] | None
    broken: bool
    """The parent has nothing to hand over and the dependent needs it: any worker may claim it, to settle it."""
    claim: str | None
    spare: int | None = None
    """
    For a dependent that waits for a quorum: how many of its inputs may be missing, reckoned with the largest lists that
    mapped parents may have. What is missing comes with `broken=True` and `resolved` 0 or less, which uses up one, or
    `-resolved` if that is more (elements that a list turned out not to have), and is nothing that the task waited for.
    The first beyond them makes the task ready at once, broken.
    """
    limits: Limits | None = None
    pools: Pools = ()
    """The places that a claim of it takes. Where there are any, only `claim` gives it out: `claim` here is None."""


class HandoffRecord(NamedTuple):
    """
    A hand-off as it is stored. `body` is its JSON and `digest` the `sha256:` of exactly those bytes.

    The body begins with `{"output":` and the JSON of the output, `output_size` bytes long, so that a receiver can
    validate the output straight from the bytes.
    """

    version: int
    status: str
    body: bytes
    output_size: int
    digest: str
    schema: str
    started_at: float
    completed_at: float
    artifacts: tuple[str, ...]
    """Digests of the artifacts that the hand-off points to; they are registered with it."""

    def pin(self, node: str, item: int) -> Pin:
        """What names exactly this hand-off of a task."""
        return Pin(node, item, self.version, self.digest, self.status)


class Settlement(NamedTuple):
    """
    The end of one attempt, decided: what a store writes in one transaction, or not at all.

    `run_resolved` is what this means for the end of the run: how many of the tasks that the run waits for are settled
    by it (negative after an expansion). `not_before` delays a retry, in seconds from now. `data` is the JSON of the
    event (the reason of a failure, the cause of a skip, the count of an expansion). `successor` names the agent that a
    task which was reassigned or handed on is for from now on. `tolerated` says that nobody needs the output of a task
    that failed, so that the failure alone does not fail the run. `review_seconds` is how long a person has for what
    needs a review, None for ever.
    """

    token: Token
    agent: str
    ending: Ending
    handoff: HandoffRecord | None
    releases: tuple[Release, ...]
    run_resolved: int
    not_before: float
    data: str | None
    speculative: bool
    successor: str | None = None
    tolerated: bool = False
    review_seconds: float | None = None
    pools: Pools = ()
    """The places that a claim of the successor takes."""
    requires: str | None = None
    """What a worker must be able to read (`Findings@2`, several with spaces between), if this one could not."""


class ClaimRequest(NamedTuple):
    """
    A worker asks for up to `limit` ready tasks of its agents; `per_agent` lowers the limit of some.

    `claim` is a fresh id: the tasks get the claims `claim.0`, `claim.1` ... so that a repeated request (after a broken
    connection) finds its own claims instead of taking more. Tasks that were lost with their workers `SUSPECT_LOSSES`
    times or more are suspects, and at most `suspects` of them are given out to be run: one that kills its workers then
    takes no other suspect with it.
    """

    worker: str
    claim: str
    limit: int
    agents: tuple[str, ...]
    per_agent: tuple[tuple[str, int], ...]
    lease_seconds: float
    suspects: int = 1
    reads: tuple[str, ...] = ()
    """What the worker can read beyond its agents' first versions (`Findings@2`): see `TaskRecord.requires`."""
    tasks: tuple[tuple[str, str, int], ...] = ()
    """
    Only these (run, node, item), if any are named: of whatever agent, and whoever else may run them. What is only to be
    settled is not given out so.
    """


class Claim(NamedTuple):
    """
    A task that a worker may run now. `attempt` counts from 1; `version` is that of the hand-off it would make.

    `failures` counts the attempts of its present agent that failed, `losses` the claims of that agent that were lost
    with their worker: those that ran out, or whose process died. `overrun` says that a budget has run out meanwhile:
    the task is to be settled and not run. `deadline` is when it must have ended, by the wall clock.
    """

    token: Token
    agent: str
    attempt: int
    version: int
    pins: tuple[Pin, ...]
    broken: bool
    claimed_at: float
    failures: int = 0
    losses: int = 0
    overrun: Overrun | None = None
    deadline: float | None = None


class NodeNeed(NamedTuple):
    """How many places of a pool one task of a node takes at most, whichever agent works on it."""

    node: str
    pool: str
    places: int


class PayloadRecord(NamedTuple):
    """A version of a payload, and the fingerprint of the JSON Schema of its own fields."""

    name: str
    version: str
    fingerprint: str


class NewRun(NamedTuple):
    """
    A run to be submitted. `waits_for` is the number of tasks whose settling ends it; `roots` are those that can start.

    `graph` and `schemas` are JSON documents by digest; a store keeps each document once. `needs` are the pools that its
    tasks need: each must be there, and large enough.
    """

    run: str
    key: str | None
    workflow: str
    graph_digest: str
    graph: str
    schemas: tuple[tuple[str, str], ...]
    input: str
    options: str
    waits_for: int
    roots: tuple[Release, ...]
    needs: tuple[NodeNeed, ...] = ()
    payloads: tuple[PayloadRecord, ...] = ()
    """What crosses in the run. The JSON Schemas behind their fingerprints are among `schemas`."""
    caps: Amounts = ()
    """What all of it may spend, if there is a limit."""


class Submitted(NamedTuple):
    """The answer to a submission: the run that stands under its key (`created`: by this call) and the roots claimed."""

    run: str
    created: bool
    claims: tuple[Claim, ...]


class Settled(NamedTuple):
    """
    The answer to a settlement: the verdict, the dependents that were claimed with it, and the state of the run if this
    settlement changed it (it ended, or it needs a review now). `ended_pause` says that tasks which were paused until
    then may be ready now.
    """

    verdict: Verdict
    claims: tuple[Claim, ...]
    run_state: RunState | None
    ended_pause: bool = False


_ITEM = re.compile("[0-9]{1,18}")
"""The number of an item, as far as every store can count."""


def task_name(node: str, item: int) -> str:
    """The one way to write a task's name: `analyse`, or `analyse[3]` for an item of a mapped node."""
    return node if item == SINGLE else f"{node}[{item}]"


def is_grown(node: str) -> bool:
    """Whether a node was appended while its run ran: such a one is named after the task that delegated to it."""
    return "/" in node


def stage_name(node: str, stage: int, agent: str) -> str:
    """
    What a picture calls a task while it is with the agent that it was handed on to as the `stage`th; with its first
    agent it has its own name.
    """
    if stage == 0:
        return node
    return f"{node}{_STAGE}{agent}" + (f", hop {stage}" if stage > 1 else "")


def task_of_stage(name: str) -> str | None:
    """The node of the task that a stage in a picture belongs to; None if the name is that of a node."""
    node, found, _ = name.rpartition(_STAGE)
    return node if found else None


def is_below(node: str, task: tuple[str, int]) -> bool:
    """Whether a node was delegated by a task, or by what that has delegated in turn: it is named after it."""
    return node.startswith(f"{task_name(*task)}/")


def parse_task_name(name: Any) -> tuple[str, int]:
    """The node and item that a task's name stands for. Raises ValueError for anything else."""
    if isinstance(name, str) and not name.endswith("]"):
        return name, SINGLE
    node, _, item = name[:-1].rpartition("[") if isinstance(name, str) else ("", "", "")
    if not node or not _ITEM.fullmatch(item):
        raise ValueError(f"{name!r} is not the name of a task")
    return node, int(item)
