"""What is read back from a store: runs, tasks, hand-offs, steps, events, as plain rows."""

from __future__ import annotations

from typing import Literal, NamedTuple

from segue.domain.records import HandoffRecord, Pin, Pools, RunState, TaskState


class RunRecord(NamedTuple):
    """A run as it is stored. Times are seconds of the store's wall clock."""

    run: str
    key: str | None
    workflow: str
    state: RunState
    graph_digest: str
    input: str
    options: str
    submitted_at: float
    ended_at: float | None
    paused: bool = False
    grown: int = 0
    """How many nodes were appended to its graph while it ran."""


class TaskRecord(NamedTuple):
    """A task as it is stored. A task that nothing has released yet has no row; it is waiting."""

    run: str
    node: str
    item: int
    agent: str
    state: TaskState
    epoch: int
    attempt: int
    version: int
    claim: str | None
    worker: str | None
    pins: tuple[Pin, ...]
    ready_at: float | None
    claimed_at: float | None
    settled_at: float | None
    error: str | None
    """The JSON of the latest failure or skip: `kind`, `message`, `traceback`, or the cause."""
    failures: int = 0
    losses: int = 0
    deadline: float | None = None
    tolerated: bool = False
    hold: int = 0
    """Whether it was paused by itself (1) or with its run (2), and whether a pause lasts until it has settled (4)."""
    pools: Pools = ()
    parked: bool = False
    """It waits in the middle of its attempt, and has given back what it does not keep of its pools."""
    requires: str | None = None
    """What a worker must be able to read to be given it; a worker that could not has handed it back."""
    review_by: float | None = None
    """Until when (wall clock) a person may decide on it."""
    escalations: int = 0
    """How often its review was passed on to others because nobody had decided in time."""
    awaits: tuple[str, ...] = ()
    """The nodes that it waits for while it is parked."""
    wants: bool = False
    """It is parked, what it waited for is there, and it waits for its pools."""
    deadlocks: int = 0
    """How often its claim was revoked to break a deadlock."""


class PoolRecord(NamedTuple):
    """A pool as it is now: its places, how many are held, and how many tasks wait for some."""

    name: str
    capacity: int
    held: int
    waiting: int


class PauseRecord(NamedTuple):
    """
    A pause that stands: of a task, or of the whole run where `node` is empty.

    `until` is the task (node and item) with whose settling it ends by itself. `data` is the JSON of its event: who
    paused it (`by`), why (`reason`), and by which `command`.
    """

    run: str
    node: str
    item: int
    until: tuple[str, int] | None
    data: str
    at: float


class GrownRecord(NamedTuple):
    """
    A node that was appended to a run's graph by a task that delegated: the `number`th of its run.

    `document` is the node as a graph would have it, `key` what the delegation is found again by.
    """

    run: str
    number: int
    node: str
    parent: str
    parent_item: int
    key: str
    document: str


class Waits(NamedTuple):
    """
    All who may wait for one another, seen at once: the pools, every task of the runs in which some need pools or are
    paused until another one has settled, and these pauses. What is only to be settled takes no places: it is shown
    without pools.
    """

    pools: tuple[PoolRecord, ...]
    runs: tuple[RunRecord, ...]
    tasks: tuple[TaskRecord, ...]
    pauses: tuple[PauseRecord, ...] = ()


class AllowanceRecord(NamedTuple):
    """What an account of a run may spend of a unit, and how much of that is spent or reserved. See `Amounts`."""

    run: str
    account: str
    unit: str
    cap: int
    spent: int
    reserved: int


StepKind = Literal["step", "effect"]


StepState = Literal["begun", "done", "withdrawn"]


class StepRecord(NamedTuple):
    """
    What a task remembers across its attempts, by name: a finished sub-step, or an effect outside.

    A step is written when it is `done`, and never changes. Of an effect the intent (`begun`) is written before, and
    after it the outcome: `done`, or `withdrawn` if it did not happen. One that was begun by an earlier epoch is in
    doubt. `body` is the JSON of the result; None if there is none yet, or if it is too large and is the first of
    `artifacts`, which are the digests that the result points to. `key` is the idempotency key of an effect (empty for a
    step), `epoch` that of the attempt that wrote it last.
    """

    name: str
    kind: StepKind
    state: StepState
    key: str
    body: bytes | None
    epoch: int
    at: float
    artifacts: tuple[str, ...] = ()


class StoredHandoff(NamedTuple):
    """A hand-off read back, with where it belongs."""

    run: str
    node: str
    item: int
    epoch: int
    record: HandoffRecord

    @property
    def pin(self) -> Pin:
        """What names exactly this hand-off."""
        return self.record.pin(self.node, self.item)


class Event(NamedTuple):
    """
    Something that happened. `sequence` is gap-free within the run; `cursor` is its place in the whole store.

    `name` carries the agent: `task.research.complete`, `run.started`. `data` is JSON or None.
    """

    cursor: str
    run: str
    sequence: int
    name: str
    task: str | None
    epoch: int | None
    at: float
    data: str | None


class Expired(NamedTuple):
    """A claim that was taken back: its worker died, let the lease run out, or ran past the deadline."""

    run: str
    node: str
    item: int
    epoch: int
    worker: str
