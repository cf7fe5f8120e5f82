"""Where a hand-off comes from, and what it carries besides the output: the small values of the envelope."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from segue.domain.records import task_name
from segue.domain.rows import StoredHandoff


class AgentRef(NamedTuple):
    """An agent by name and version."""

    agent: str
    version: str


class SchemaRef(NamedTuple):
    """A schema by its fingerprint (`sha256:…`) and the version that its agent declares."""

    id: str
    version: str


class Trace(NamedTuple):
    """The W3C trace context in which an attempt ran."""

    traceparent: str
    tracestate: str | None = None


class Failure(NamedTuple):
    """Why a task failed: the kind of error, its message, and the redacted traceback."""

    kind: str
    message: str
    traceback: str | None = None


class Context(NamedTuple):
    """What a receiver should know of the way here: the run's goal, constraints, decisions made."""

    goal: str | None
    constraints: tuple[str, ...]
    decisions: tuple[str, ...]


class Origin(NamedTuple):
    """
    What a run knows about a hand-off, and no hand-off repeats: from the graph and the run's options.

    `hops` are the names of the tasks on the way here; `deadline` is in seconds of the store's wall clock.
    """

    source: AgentRef
    targets: tuple[AgentRef, ...] = ()
    schema_version: str = "1"
    goal: str | None = None
    hops: tuple[str, ...] = ()
    deadline: float | None = None
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """Where a hand-off comes from, filled in by Segue. Times are in UTC."""

    run: str
    task: str
    version: int
    epoch: int
    source: AgentRef
    targets: tuple[AgentRef, ...]
    schema: SchemaRef
    started_at: datetime
    completed_at: datetime
    trace: Trace | None
    hops: tuple[str, ...]
    deadline: datetime | None
    digest: str
    size_bytes: int
    goal: str | None

    @property
    def pointer(self) -> str:
        """What names exactly this hand-off: `segue://RUN/TASK@VERSION`."""
        return f"segue://{self.run}/{self.task}@{self.version}"


def sent_of(stored: StoredHandoff, origin: Origin, trace: Trace | None) -> Sent:
    """What `Handoff.sent` says: what is stored with the hand-off, and what the run knows about it."""
    record = stored.record
    return Sent(
        run=stored.run,
        task=task_name(stored.node, stored.item),
        version=record.version,
        epoch=stored.epoch,
        source=origin.source,
        targets=origin.targets,
        schema=SchemaRef(record.schema, origin.schema_version),
        started_at=datetime.fromtimestamp(record.started_at, UTC),
        completed_at=datetime.fromtimestamp(record.completed_at, UTC),
        trace=trace if trace is not None or origin.trace is None else Trace(origin.trace),
        hops=origin.hops,
        deadline=None if origin.deadline is None else datetime.fromtimestamp(origin.deadline, UTC),
        digest=record.digest,
        size_bytes=len(record.body),
        goal=origin.goal,
    )
