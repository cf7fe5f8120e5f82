"""
What the faces of Segue show of runs: frozen values that know nothing of any screen, made from what a store holds.

Times are seconds of the store's wall clock since 1970, durations are seconds, sizes are bytes. The names of the
fields are stable: `--json` prints them, and scripts read them. `segue.app.reading` reads them from a store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segue.app.effects import StepView
from segue.app.pools import WantedPlaces
from segue.app.spending import SpendingView
from segue.app.working import Span, Totals
from segue.domain.envelope.body import output_json, parts_of
from segue.domain.envelope.summary import derive_summary
from segue.domain.graph.drawing.picture import EdgeState, StateOfEdge
from segue.domain.graph.graph import Crossing, Graph, Node, nodes_of
from segue.domain.records import SINGLE, RunState, TaskState, task_name
from segue.domain.rows import PauseRecord, RunRecord, StoredHandoff, TaskRecord
from segue.domain.running.plan import MAP_AGENT
from segue.domain.running.reviewing import round_of
from segue.domain.settings.reviewing import Then


@dataclass(frozen=True, slots=True)
class WaitingReview:
    """
    Whom a task waits for, and until when: `by` are the names that may decide (none: anybody), `until` is None where it
    waits for ever, and `then` is what happens at that time.
    """

    task: str
    by: tuple[str, ...]
    until: float | None
    then: Then | None


@dataclass(frozen=True, slots=True)
class ReviewView:
    """
    A hand-off that waits for a person: what to decide on, under which digest, and who may. `output` is plain JSON data,
    `since` when it was put to those who may decide now, after so many `escalations`.
    """

    run: str
    workflow: str
    key: str | None
    task: str
    agent: str
    version: int
    digest: str
    summary: str
    confidence: float | None
    next_step: str | None
    output: Any
    by: tuple[str, ...]
    until: float | None
    then: Then | None
    since: float
    escalations: int


@dataclass(frozen=True, slots=True)
class PauseView:
    """A pause that stands: of a task, or of the whole run (`task` is None). With the task `until` it ends by itself."""

    task: str | None
    by: str
    reason: str
    until: str | None
    since: float


@dataclass(frozen=True, slots=True)
class RunSummary:
    """
    One line about a run. `tasks` counts those that have come into being, by state; `handoffs` all that they have left,
    each version; `waits_for` are its reviews, and `pauses` those that stand in it.
    """

    run: str
    workflow: str
    state: RunState
    key: str | None
    submitted_at: float
    ended_at: float | None
    tasks: dict[str, int]
    handoffs: int
    handoff_bytes: int
    waits_for: tuple[WaitingReview, ...]
    pauses: tuple[PauseView, ...]


@dataclass(frozen=True, slots=True)
class ErrorView:
    """Why a task failed or was skipped."""

    kind: str
    message: str
    traceback: str | None


@dataclass(frozen=True, slots=True)
class InputView:
    """The exact hand-off that a task was given."""

    task: str
    version: int
    digest: str
    status: str


@dataclass(frozen=True, slots=True)
class HandoffView:
    """
    A hand-off without its output. `artifacts` are digests, `usage` is what its author says that it took, `size_bytes`
    the size of the envelope without artifacts.
    """

    version: int
    status: str
    summary: str
    summary_derived: bool
    confidence: float | None
    decisions: tuple[str, ...]
    constraints: tuple[str, ...]
    next_step: str | None
    artifacts: tuple[str, ...]
    usage: dict[str, Any] | None
    digest: str
    schema: str
    started_at: float
    completed_at: float
    size_bytes: int


@dataclass(frozen=True, slots=True)
class TaskView:
    """
    A task of a run. One that nothing has released yet has no times and no attempts; it is waiting.

    `agent` is the one that the task is with: that of its node, a fallback, or the one that it was given to.
    """

    task: str
    node: str
    item: int | None
    agent: str
    state: TaskState
    attempt: int
    epoch: int
    worker: str | None
    ready_at: float | None
    claimed_at: float | None
    settled_at: float | None
    inputs: tuple[InputView, ...]
    handoff: HandoffView | None
    error: ErrorView | None
    review: WaitingReview | None = None
    requires: str | None = None
    """What a worker must be able to read to be given it: one that could not has handed it back."""


@dataclass(frozen=True, slots=True)
class EdgeView:
    """
    A hand-off from node to node as the graph has it. `crossing` is None where it only orders or decides.

    `seconds` is from the end of the sender to the start of the receiver, `size_bytes` that of the sender's envelopes;
    both are None where nothing has crossed yet.
    """

    source: str
    target: str
    crossing: Crossing | None
    state: StateOfEdge
    seconds: float | None
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class RunView:
    """A whole run: what was submitted, every task of its graph, every edge, and where the time went."""

    run: str
    workflow: str
    state: RunState
    key: str | None
    submitted_at: float
    ended_at: float | None
    input: dict[str, Any]
    options: dict[str, Any]
    graph_digest: str
    totals: Totals
    tasks: tuple[TaskView, ...]
    edges: tuple[EdgeView, ...]
    spans: tuple[Span, ...]
    pauses: tuple[PauseView, ...]
    spending: tuple[SpendingView, ...]
    wanted_places: tuple[WantedPlaces, ...]


@dataclass(frozen=True, slots=True)
class TaskDetail:
    """
    One task with all versions of its hand-off, oldest first, and the latest output as plain JSON data.

    `document` is the latest hand-off in its public JSON form, `steps` what the task remembers across its attempts,
    `pauses` those that hold it back, and `wanted_places` what it waits for of pools.
    """

    run: str
    workflow: str
    task: TaskView
    versions: tuple[HandoffView, ...]
    output: Any
    document: dict[str, Any] | None
    steps: tuple[StepView, ...]
    pauses: tuple[PauseView, ...]
    wanted_places: tuple[WantedPlaces, ...]


def task_views(
    graph: Graph,
    rows: Sequence[TaskRecord],
    handoffs: Sequence[StoredHandoff],
    reviews: Mapping[tuple[str, int], WaitingReview],
) -> tuple[TaskView, ...]:
    """
    Every task of a graph, in its order; those that no row exists of are waiting. `handoffs` has the latest of each
    task, and older ones before it.
    """
    by_node: dict[str, list[TaskRecord]] = {node.name: [] for node in graph.nodes}
    for row in rows:
        by_node[row.node].append(row)
    latest = {(stored.node, stored.item): stored for stored in handoffs}
    views = []
    for node in graph.nodes:
        found = sorted(by_node[node.name], key=lambda row: row.item)
        views += [
            task_view(row, node, latest.get((row.node, row.item)), reviews.get((row.node, row.item)))
            for row in found
        ] or [unborn_task(node)]
    return tuple(views)


def task_view(
    row: TaskRecord, node: Node, stored: StoredHandoff | None, review: WaitingReview | None = None
) -> TaskView:
    """A task as it is stored, with its latest hand-off, and whom it waits for."""
    return TaskView(
        task=task_name(row.node, row.item),
        node=row.node,
        item=None if row.item == SINGLE else row.item,
        agent=node.agent if row.agent == MAP_AGENT else row.agent,
        state=row.state,
        attempt=row.attempt,
        epoch=row.epoch,
        worker=row.worker,
        ready_at=row.ready_at,
        claimed_at=row.claimed_at,
        settled_at=row.settled_at,
        inputs=tuple(
            InputView(task_name(pin.node, pin.item), pin.version, pin.digest, pin.status) for pin in row.pins
        ),
        handoff=None if stored is None else handoff_view(stored),
        error=None if row.error is None else _error_view(json.loads(row.error)),
        review=review,
        requires=row.requires,
    )


def waiting_review(row: TaskRecord, node: Node) -> WaitingReview:
    """Whom a task in review waits for; `node` says how its agent was called."""
    now = round_of(node, row.agent, row.escalations)
    then = None if row.review_by is None else now.then
    return WaitingReview(task_name(row.node, row.item), now.by, row.review_by, then)


def pause_view(record: PauseRecord) -> PauseView:
    """A pause as it is stored."""
    told = json.loads(record.data)
    return PauseView(
        task=task_name(record.node, record.item) if record.node else None,
        by=told.get("by", ""),
        reason=told.get("reason", ""),
        until=None if record.until is None else task_name(*record.until),
        since=record.at,
    )


def review_view(
    record: RunRecord, row: TaskRecord, waiting: WaitingReview, stored: StoredHandoff, output: Any
) -> ReviewView:
    """A hand-off that waits for a decision, with its output."""
    handoff = handoff_view(stored)
    return ReviewView(
        run=record.run,
        workflow=record.workflow,
        key=record.key,
        task=waiting.task,
        agent=row.agent,
        version=handoff.version,
        digest=handoff.digest,
        summary=handoff.summary,
        confidence=handoff.confidence,
        next_step=handoff.next_step,
        output=output,
        by=waiting.by,
        until=waiting.until,
        then=waiting.then,
        since=row.settled_at or handoff.completed_at,
        escalations=row.escalations,
    )


def unborn_task(node: Node) -> TaskView:
    """A task that nothing has released yet."""
    return TaskView(
        node.name, node.name, None, node.agent, "waiting", 0, 0, None, None, None, None, (), None, None
    )


def handoff_view(stored: StoredHandoff) -> HandoffView:
    """A stored hand-off, its summary derived where the author gave none."""
    record = stored.record
    parts = parts_of(record)
    error = parts.get("error")
    derived = error["message"] if error else derive_summary(output_json(record))
    return HandoffView(
        version=record.version,
        status=record.status,
        summary=parts.get("summary", derived),
        summary_derived=parts.get("summary_derived", "summary" not in parts),
        confidence=parts.get("confidence"),
        decisions=tuple(parts.get("decisions", ())),
        constraints=tuple(parts.get("constraints", ())),
        next_step=parts.get("next_step"),
        artifacts=record.artifacts,
        usage=parts.get("usage"),
        digest=record.digest,
        schema=record.schema,
        started_at=record.started_at,
        completed_at=record.completed_at,
        size_bytes=len(record.body),
    )


def _error_view(error: Mapping[str, Any]) -> ErrorView:
    return ErrorView(error.get("kind", "error"), error.get("message", ""), error.get("traceback"))


def edge_views(graph: Graph, states: Mapping[tuple[str, str], EdgeState]) -> tuple[EdgeView, ...]:
    """Every edge of a graph with how its hand-off stands, in the order of the receivers."""
    return tuple(
        EdgeView(source, node.name, crossing, state.state, state.seconds, state.size_bytes)
        for node in graph.nodes
        for source, crossing in _edges_into(node).items()
        for state in (states[source, node.name],)
    )


def _edges_into(node: Node) -> dict[str, Crossing | None]:
    """The senders of a node, each with how much crosses; None where it only orders or decides."""
    silent = [*node.after, *(nodes_of(node.condition.binding) if node.condition is not None else ())]
    edges: dict[str, Crossing | None] = dict.fromkeys(silent)
    for argument in node.arguments:
        edges |= dict.fromkeys(nodes_of(argument.binding), argument.crossing)
    return edges
