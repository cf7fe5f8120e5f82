"""Questions about runs, each answered from a store as one of the values in `segue.app.views`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from segue.app.effects import read_steps
from segue.app.pools import wanted_places
from segue.app.spending import SpendingView, read_spending_views
from segue.app.views import (
    PauseView,
    RunSummary,
    RunView,
    TaskDetail,
    WaitingReview,
    edge_views,
    handoff_view,
    pause_view,
    task_view,
    task_views,
    unborn_task,
    waiting_review,
)
from segue.app.working import spans_of, totals_of
from segue.domain.envelope.body import spills_of
from segue.domain.envelope.document import to_document
from segue.domain.envelope.sealing import whole_output
from segue.domain.envelope.stored import pinned_graph, understood, verified
from segue.domain.event_names import matches_any
from segue.domain.graph.drawing.picture import EdgeState
from segue.domain.graph.graph import Graph, graph_from_json
from segue.domain.records import SINGLE, HandoffRecord, RunState, parse_task_name
from segue.domain.rows import Event, RunRecord, StoredHandoff, TaskRecord
from segue.domain.running.drawn import drawn_run
from segue.domain.running.growing import grown_graph
from segue.domain.running.lineage import origin_of
from segue.domain.running.plan import compile_plan
from segue.domain.settings.options import RunOptions
from segue.engine.watch.reviews import reviewed_node
from segue.errors import UnknownRun
from segue.ports.artifacts import ArtifactStore
from segue.ports.store import Store

EVENTS_PER_READ = 1_000
FEWEST_ID_CHARACTERS = 4
"""Shorter beginnings of run ids are refused: they would soon fit another run."""


class Drawn(NamedTuple):
    """A graph, the JSON Schemas of what crosses by fingerprint, and the states of its edges."""

    graph: Graph
    schemas: dict[str, str]
    states: dict[tuple[str, str], EdgeState]


async def find_run(store: Store, text: str) -> RunRecord:
    """The run that a person means: an id, its unique beginning, a key, or `latest`. Raises UnknownRun."""
    if text == "latest":
        newest = await store.list_runs(1)
        if newest:
            return newest[0]
        raise UnknownRun("the store has no runs", run=text, remedy="`segue run module:workflow` makes one.")
    record = await store.read_run(text) or await store.find_run(text)
    if record is not None:
        return record
    found = []
    if len(text) >= FEWEST_ID_CHARACTERS:
        # Ids are hexadecimal digits and dashes: everything that begins with `text` sorts before `text` + "g".
        candidates = await store.list_runs(2, before=f"{text}g")
        found = [record for record in candidates if record.run.startswith(text)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownRun(
            f"several runs begin with {text!r}",
            run=text,
            remedy="Give more of the id; `segue runs` lists them.",
        )
    raise UnknownRun(
        f"there is no run {text!r}",
        run=text,
        remedy="Give a run's id, the unique beginning of one, its key, or `latest`; `segue runs` lists them.",
    )


async def list_runs(
    store: Store, limit: int, before: str | None = None, states: Collection[RunState] = ()
) -> tuple[RunSummary, ...]:
    """Runs, newest first, each with what it has done so far."""
    summaries = []
    for record in await store.list_runs(limit, before, states):
        tasks = await store.read_tasks(record.run)
        handoffs = await read_versions(store, record.run, tasks)
        summaries.append(
            RunSummary(
                run=record.run,
                workflow=record.workflow,
                state=record.state,
                key=record.key,
                submitted_at=record.submitted_at,
                ended_at=record.ended_at,
                tasks=dict(Counter(task.state for task in tasks)),
                handoffs=len(handoffs),
                handoff_bytes=sum(len(stored.record.body) for stored in handoffs),
                waits_for=tuple((await _waiting_reviews(store, record, tasks)).values()),
                pauses=await _pauses(store, record),
            )
        )
    return tuple(summaries)


async def _pauses(store: Store, record: RunRecord) -> tuple[PauseView, ...]:
    """The pauses that stand in a run that has not ended."""
    found = await store.read_pauses(record.run) if record.ended_at is None else ()
    return tuple(map(pause_view, found))


async def _waiting_reviews(
    store: Store, record: RunRecord, tasks: Sequence[TaskRecord]
) -> dict[tuple[str, int], WaitingReview]:
    """Whom the tasks of a run wait for that are in review."""
    in_review = [task for task in tasks if task.state == "needs_review"]
    if not in_review:
        return {}
    graph = await read_graph(store, record)
    return {
        (task.node, task.item): waiting_review(task, await reviewed_node(store, graph, task))
        for task in in_review
    }


async def read_view(store: Store, record: RunRecord, now: float) -> RunView:
    """Everything about a run; `now` (wall clock) is the end of what still runs. Raises StoreCorrupt."""
    rows = await store.read_tasks(record.run)
    graph = await read_graph(store, record)
    handoffs = await read_versions(store, record.run, rows)
    events = await read_events(store, record.run)
    pauses = await _pauses(store, record)
    spending = await read_spending_views(store, record.run)
    with understood(f"run {record.run}"):
        reviews = await _waiting_reviews(store, record, rows)
        return _view(record, graph, rows, handoffs, events, reviews, pauses, spending, now)


def _view(
    record: RunRecord,
    graph: Graph,
    rows: Sequence[TaskRecord],
    handoffs: Sequence[StoredHandoff],
    events: Sequence[Event],
    reviews: Mapping[tuple[str, int], WaitingReview],
    pauses: tuple[PauseView, ...],
    spending: tuple[SpendingView, ...],
    now: float,
) -> RunView:
    spans = spans_of(events, handoffs, now)
    return RunView(
        run=record.run,
        workflow=record.workflow,
        state=record.state,
        key=record.key,
        submitted_at=record.submitted_at,
        ended_at=record.ended_at,
        input=json.loads(record.input),
        options=json.loads(record.options),
        graph_digest=record.graph_digest,
        totals=totals_of(
            record.submitted_at,
            now if record.ended_at is None else record.ended_at,
            spans,
            handoffs,
        ),
        tasks=task_views(graph, rows, handoffs, reviews),
        edges=edge_views(*drawn_run(graph, rows, handoffs)),
        spans=spans,
        pauses=pauses,
        spending=spending,
        wanted_places=wanted_places(rows),
    )


async def read_graph(store: Store, record: RunRecord) -> Graph:
    """
    The graph that a run has pinned, with what was appended to it until now: read it after the tasks that it has to
    know. Raises StoreCorrupt.
    """
    graph = graph_from_json(pinned_graph(record, await store.read_graph(record.graph_digest)))
    return grown_graph(graph, await store.read_growth(record.run))


async def read_versions(store: Store, run: str, rows: Sequence[TaskRecord]) -> list[StoredHandoff]:
    """All versions of the hand-offs that these tasks have left, those of a task with the oldest first."""
    latest = {(stored.node, stored.item): stored for stored in await store.latest_handoffs(run)}
    found: list[StoredHandoff] = []
    for row in rows:
        last = latest.get((row.node, row.item))
        if row.version == 1 and last is not None and last.record.version == 1:
            found.append(last)
        elif row.version:  # several; or a newer one was left since the row was read
            versions = [(row.node, row.item, version) for version in range(1, row.version + 1)]
            found += await store.read_handoffs(run, versions)
    return found


async def read_drawn(store: Store, record: RunRecord) -> Drawn:
    """The graph of a run with all that `segue.domain.graph.drawing` needs for a picture of how it stands."""
    tasks = await store.read_tasks(record.run)
    graph = await read_graph(store, record)
    with understood(f"run {record.run}"):
        graph, states = drawn_run(graph, tasks, await read_versions(store, record.run, tasks))
    fingerprints = {each.schema for each in graph.inputs}
    for node in graph.nodes:
        fingerprints |= {node.output_schema, *(argument.schema for argument in node.arguments)}
    found = {fingerprint: await store.read_schema(fingerprint) for fingerprint in sorted(fingerprints)}
    return Drawn(
        graph, {fingerprint: text for fingerprint, text in found.items() if text is not None}, states
    )


async def read_events(store: Store, run: str) -> list[Event]:
    """All events of a run so far, oldest first."""
    events: list[Event] = []
    cursor: str | None = None
    while True:
        page, cursor = await store.tail(cursor, EVENTS_PER_READ, run)
        events += page
        if len(page) < EVENTS_PER_READ:
            return events


async def stored_events(
    store: Store, run: str | None, names: Collection[str], after: str | None
) -> AsyncIterator[Event]:
    """The events that are there now, oldest first. Raises CursorExpired."""
    cursor = after
    while True:
        page, cursor = await store.tail(cursor, EVENTS_PER_READ, run)
        for event in page:
            if matches_any(event.name, names):
                yield event
        if len(page) < EVENTS_PER_READ:
            return


async def read_task(store: Store, artifacts: ArtifactStore, record: RunRecord, name: str) -> TaskDetail:
    """
    A task with its hand-offs and its output.

    Raises UnknownRun if the run has no task of this name, ArtifactError if the output cannot be fetched.
    """
    graph = await read_graph(store, record)
    node, item, row = await find_task(store, record, graph, name)
    versions = [(node, item, version) for version in range(1, row.version + 1)] if row is not None else []
    stored = [verified(each) for each in await store.read_handoffs(record.run, versions)] if versions else []
    with understood(f"task {name} of run {record.run}"):
        output, document = None, None
        if stored:
            origin = origin_of(compile_plan(graph), RunOptions.from_json(record.options), stored[-1])
            document = to_document(stored[-1], origin)
        if stored and stored[-1].record.status != "failed":
            output = await read_output(artifacts, stored[-1].record)
        reviews = {} if row is None else await _waiting_reviews(store, record, [row])
        task = (
            unborn_task(graph.node(node))
            if row is None
            else task_view(row, graph.node(node), stored[-1] if stored else None, reviews.get((node, item)))
        )
        is_open = row is None or row.settled_at is None
        return TaskDetail(
            run=record.run,
            workflow=record.workflow,
            task=task,
            versions=tuple(map(handoff_view, stored)),
            output=output,
            document=document,
            steps=() if row is None else await read_steps(store, row),
            pauses=tuple(
                each
                for each in (await _pauses(store, record) if is_open else ())
                if each.task in (None, task.task, task.node)
            ),
            wanted_places=() if row is None else wanted_places([row]),
        )


async def find_task(
    store: Store, record: RunRecord, graph: Graph, name: str
) -> tuple[str, int, TaskRecord | None]:
    """The node and item that a task's name stands for, with its row if it has one. Raises UnknownRun."""
    try:
        node, item = parse_task_name(name)
    except ValueError:
        node, item = str(name), SINGLE
    rows = await store.read_tasks(record.run, [(node, item)]) if node in graph else ()
    if node not in graph or (item != SINGLE and not rows):
        raise UnknownRun(
            f"run {record.run} has no task {name!r}",
            run=record.run,
            remedy=f"It has {', '.join(each.name for each in graph.nodes)}; `segue show {record.run}` lists its tasks.",
        )
    return node, item, rows[0] if rows else None


async def read_output(artifacts: ArtifactStore, handoff: HandoffRecord) -> Any:
    """The whole output of a hand-off as plain JSON data. Raises ArtifactError."""
    contents = {spill.digest: await artifacts.get(spill.digest) for spill in spills_of(handoff)}
    return json.loads(whole_output(handoff, contents))
