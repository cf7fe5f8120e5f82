"""What the memory store keeps: its runs, tasks and log, as plain objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import uuid4

from segue.domain.records import (
    LIVE,
    SETTLED,
    SUSPECT_LOSSES,
    Claim,
    HandoffRecord,
    NewRun,
    NodeNeed,
    Overrun,
    Pin,
    Pools,
    RunState,
    TaskKey,
    TaskState,
    Token,
)
from segue.domain.rows import (
    Event,
    GrownRecord,
    PauseRecord,
    RunRecord,
    StepRecord,
    StoredHandoff,
    TaskRecord,
)
from segue.domain.running.spending import Reservation
from segue.stores.wording import Position, cursor_text, parse_cursor, pruned_cursor


class WrittenStep(NamedTuple):
    """A step or effect, and the claim of the attempt that wrote it; None where a person decided."""

    record: StepRecord
    claim: str | None


@dataclass(slots=True)
class Task:
    """
    A task that something has released. `waiting` counts the hand-offs that are still missing.

    The claim of a ready task was lost with its worker. `overrun` belongs to the claim.
    """

    run: str
    node: str
    item: int
    agent: str
    waiting: int
    parents: tuple[str, ...]
    pins: tuple[Pin, ...] | None
    state: TaskState = "waiting"
    broken: bool = False
    epoch: int = 0
    attempt: int = 0
    version: int = 0
    claim: str | None = None
    worker: str | None = None
    lease: float = 0.0
    due: float = 0.0
    ready_at: float | None = None
    claimed_at: float | None = None
    settled_at: float | None = None
    error: str | None = None
    failures: int = 0
    losses: int = 0
    tolerated: bool = False
    spare: int | None = None
    queue_seconds: float | None = None
    queue_by: float | None = None
    deadline: float | None = None
    overrun: Overrun | None = None
    hold: int = 0
    pools: Pools = ()
    parked: bool = False
    requires: str | None = None
    review_by: float | None = None
    escalations: int = 0
    awaits: tuple[str, ...] = ()
    wants: bool = False
    deadlocks: int = 0

    def answers(self, token: Token) -> bool:
        """Whether an attempt with this token may write."""
        return self.state in LIVE and self.epoch == token.epoch and self.claim == token.claim

    @property
    def is_suspect(self) -> bool:
        """Whether it may have killed the workers that it was lost with."""
        return self.losses + (self.claim is not None) >= SUSPECT_LOSSES

    def granted(self) -> Claim:
        """The claim that stands on this task."""
        assert self.claim is not None
        assert self.claimed_at is not None
        token = Token(self.run, self.node, self.item, self.epoch, self.claim)
        return Claim(
            token=token,
            agent=self.agent,
            attempt=self.attempt,
            version=self.version + 1,
            pins=self.pins or (),
            broken=self.broken,
            claimed_at=self.claimed_at,
            failures=self.failures,
            losses=self.losses,
            overrun=self.overrun,
            deadline=self.deadline,
        )

    def record(self) -> TaskRecord:
        """The task as it is read back."""
        return TaskRecord(
            run=self.run,
            node=self.node,
            item=self.item,
            agent=self.agent,
            state=self.state,
            epoch=self.epoch,
            attempt=self.attempt,
            version=self.version,
            claim=self.claim,
            worker=self.worker,
            pins=self.pins or (),
            ready_at=self.ready_at,
            claimed_at=self.claimed_at,
            settled_at=self.settled_at,
            error=self.error,
            failures=self.failures,
            losses=self.losses,
            deadline=self.deadline,
            tolerated=self.tolerated,
            hold=self.hold,
            pools=self.pools,
            parked=self.parked and self.state == "claimed",
            requires=self.requires,
            review_by=self.review_by,
            escalations=self.escalations,
            awaits=self.awaits if self.state == "claimed" else (),
            wants=self.wants and self.state == "claimed",
            deadlocks=self.deadlocks,
        )


@dataclass(slots=True)
class Run:
    """A run with all that belongs to it. `accepted` remembers what each token wrote: a digest, or else its ending."""

    new: NewRun
    submitted_at: float
    waits_for: int
    state: RunState = "running"
    ended_at: float | None = None
    sequence: int = 0
    paused: bool = False
    cut: bool = False
    """Whether a task of it was cancelled by itself, so that others may be open when it comes to its end."""
    growth: list[GrownRecord] = field(default_factory=list)
    needs: tuple[NodeNeed, ...] = ()
    """Those that it was submitted with, and those of what it has grown."""
    allowances: dict[tuple[str, str], tuple[int, int, int]] = field(default_factory=dict)
    """Cap, spent and reserved by account and unit."""
    reservations: dict[tuple[str, int, str], Reservation] = field(default_factory=dict)
    tasks: dict[TaskKey, Task] = field(default_factory=dict)
    handoffs: dict[TaskKey, list[StoredHandoff]] = field(default_factory=dict)
    accepted: dict[Token, str] = field(default_factory=dict)
    decided: set[tuple[str, str, int]] = field(default_factory=set)
    """The ids of what was decided on its hand-offs, each with its task."""
    steps: dict[TaskKey, dict[str, WrittenStep]] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)
    """What each command that was obeyed had asked for."""
    pauses: dict[TaskKey, PauseRecord] = field(default_factory=dict)
    """Those that stand; that of the run itself under `WHOLE_RUN`."""

    def record(self) -> RunRecord:
        """The run as it is read back."""
        return RunRecord(
            run=self.new.run,
            key=self.new.key,
            workflow=self.new.workflow,
            state=self.state,
            graph_digest=self.new.graph_digest,
            input=self.new.input,
            options=self.new.options,
            submitted_at=self.submitted_at,
            ended_at=self.ended_at,
            paused=self.paused,
            grown=len(self.growth),
        )

    def keep(self, task: Task, epoch: int, handoff: HandoffRecord) -> None:
        """Add the next version of a task's hand-off."""
        stored = StoredHandoff(self.new.run, task.node, task.item, epoch, handoff)
        self.handoffs.setdefault((task.node, task.item), []).append(stored)
        task.version = handoff.version

    def latest_pins(self, nodes: tuple[str, ...]) -> tuple[Pin, ...]:
        """The latest hand-offs of some nodes, in their order and by item."""
        return tuple(
            stored[-1].pin
            for wanted in nodes
            for (node, _), stored in sorted(self.handoffs.items())
            if node == wanted
        )

    @property
    def stuck(self) -> bool:
        """Whether nothing of it can go on before a person has decided."""
        tasks = self.tasks.values()
        waits = any(task.state in {"needs_review", "in_doubt"} for task in tasks)
        return waits and not any(map(self._moves, tasks))

    def _moves(self, task: Task) -> bool:
        """Whether a task goes on by itself. One that is parked does so when all that it waits for has settled."""
        if task.state == "claimed" and task.parked and not task.wants:
            return not any(map(self.is_open, task.awaits))
        return task.state in {"ready", "claimed", "paused"}

    def is_open(self, node: str) -> bool:
        """Whether a node has a task that has not settled, or none yet."""
        states = [task.state for (name, _), task in self.tasks.items() if name == node]
        return not states or any(state not in SETTLED for state in states)


class Log:
    """All events in the order in which they were committed."""

    def __init__(self) -> None:
        self.incarnation = uuid4().hex[:16]
        self._events: list[tuple[int, Event]] = []
        self.position = 0
        self._prunings: list[int] = []

    def __len__(self) -> int:
        return len(self._events)

    def append(
        self, run: Run, name: str, task: str | None, epoch: int | None, at: float, data: str | None
    ) -> None:
        """Write down that something happened."""
        run.sequence += 1
        self.position += 1
        event = Event("", run.new.run, run.sequence, name, task, epoch, at, data)
        self._events.append((self.position, event))

    def cursor(self, position: int | None = None) -> str:
        """The cursor of now, or of a position."""
        place = self.position if position is None else position
        return cursor_text(Position(self.incarnation, len(self._prunings), place))

    def tail(self, after: str | None, limit: int, run: str | None) -> tuple[list[Event], str]:
        """Events after a cursor, and the cursor to go on from."""
        start = self._start(after) if after is not None else 0
        found = [
            event._replace(cursor=self.cursor(position))
            for position, event in self._events
            if position > start and run in {None, event.run}
        ]
        events = found[:limit]
        return events, events[-1].cursor if len(events) == limit and events else self.cursor()

    def position_of(self, cursor: str) -> int:
        """The position behind a cursor of this incarnation. Raises `CursorExpired` for any other."""
        return parse_cursor(cursor, self.incarnation).position

    def run_at(self, position: int) -> str:
        """The run of an event."""
        return next(event.run for place, event in self._events if place == position)

    def last_of(self, run: str) -> int:
        """The position of the newest event of a run."""
        return max((place for place, event in self._events if event.run == run), default=0)

    def count_after(self, position: int) -> int:
        """How many events come after a position."""
        return sum(place > position for place, _ in self._events)

    def forget(self, runs: set[str]) -> None:
        """Remove the events of runs. Cursors that may not have passed them expire."""
        gone = [position for position, event in self._events if event.run in runs]
        if gone:
            self._events = [entry for entry in self._events if entry[1].run not in runs]
            self._prunings.append(max(gone))

    def _start(self, after: str) -> int:
        position = parse_cursor(after, self.incarnation)
        later_prunings = self._prunings[position.generation :]
        if any(position.position < through for through in later_prunings):
            raise pruned_cursor(after)
        return position.position
