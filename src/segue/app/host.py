"""A store, its artifacts and an engine, joined and open: what `Segue` and its handles work on."""

from __future__ import annotations

import json
import os
import socket
import warnings
from collections.abc import AsyncIterator, Collection, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from uuid_utils.compat import uuid7

from segue.app.durations import recorded_durations
from segue.app.handle import RunHandle
from segue.app.submission import Pinned, RunRequest, input_documents, input_text, pin, run_options
from segue.app.waiting import Waiters
from segue.domain.agent import Agent
from segue.domain.event_names import matches_any
from segue.domain.feasibility import check_deadline
from segue.domain.graph import nodes_of
from segue.domain.handoff import Handoff
from segue.domain.plan import run_resolved, settle_releases
from segue.domain.records import (
    Event,
    NewRun,
    Pin,
    RunRecord,
    RunState,
    TaskRecord,
    parse_task_name,
    task_name,
)
from segue.domain.schema import schema_of
from segue.domain.workflow import Built, Workflow
from segue.engine.engine import Engine
from segue.errors import (
    ReviewNeeded,
    RunCancelled,
    RunFailed,
    SegueError,
    StoreUnavailable,
    TaskFailed,
    UnknownRun,
    UsageError,
)
from segue.ports.clock import Clock
from segue.ports.store import Review, Store
from segue.stores.urls import StoreParts, open_store

TERMINAL_RUN_EVENTS = frozenset({"run.complete", "run.failed", "run.cancelled"})
EVENTS_PER_READ = 500
NET_SECONDS = 5.0
"""How often an observer looks although nothing was announced."""

PINNED_KEPT = 256
"""Workflows whose pinned form is remembered."""


class Host:
    """The composition root. Open it once; everything below works only while it is open."""

    def __init__(
        self,
        url: str | StoreParts,
        agents: tuple[Agent[Any] | Workflow[..., Any] | Built | ModuleType, ...],
        durability: str,
        concurrency: int,
        lease_seconds: float,
        worker: bool,
        clock: Clock,
    ) -> None:
        if concurrency < 1:
            raise UsageError(f"concurrency is {concurrency}", remedy="It must be at least 1.")
        self._given = url if isinstance(url, StoreParts) else None
        self.url = url if isinstance(url, str) else "the given store"
        self.clock = clock
        self._agents = agents
        self._durability = durability
        self._concurrency = concurrency
        self._lease_seconds = lease_seconds
        self._is_worker = worker
        self._pinned: dict[int, Pinned] = {}
        self._kept_schemas: set[str] = set()
        """Graphs whose schemas this process has handed to the store."""
        self._engine: Engine | None = None
        self._store: Store | None = None
        self._waiters = Waiters()

    async def open(self) -> None:
        """Open the store and start the worker. Raises StoreError."""
        opened = self._given or open_store(self.url, durability=self._durability, clock=self.clock)
        await opened.store.open()
        self._store = opened.store
        self.artifacts = opened.artifacts
        self.artifacts_folder: Path | None = opened.artifacts_folder
        self._engine = Engine(
            opened.store,
            opened.artifacts,
            opened.liveness,
            self.clock,
            worker=f"{socket.gethostname()}-{os.getpid()}-{uuid7().hex[-12:]}",
            concurrency=self._concurrency,
            lease_seconds=self._lease_seconds,
            on_run_state=self._run_state_changed,
            on_failure=self._failed,
        )
        self._waiters.start(opened.store)
        opened.set_idle(lambda: self.engine.idle)
        if self._is_worker:
            for each in self._agents:
                self.know(each)
            await self._engine.start(json.dumps({"host": socket.gethostname(), "process": os.getpid()}))

    async def close(self) -> None:
        """Hand back what runs, commit what has ended, and close the store."""
        store, self._store = self._store, None
        if store is None:
            return
        try:
            await self._waiters.stop()
            if self._is_worker:
                await self.engine.stop()
        finally:
            await store.close()

    @property
    def store(self) -> Store:
        """The open store. Raises UsageError before `open` and after `close`."""
        if self._store is None:
            raise UsageError(
                "this Segue is not open", remedy="Use it inside `async with Segue(...) as segue:`."
            )
        return self._store

    @property
    def engine(self) -> Engine:
        """The engine."""
        assert self._engine is not None
        return self._engine

    def know(self, each: Agent[Any] | Workflow[..., Any] | Built | ModuleType) -> None:
        """Take tasks of an agent, of a workflow's agents, or of every agent and workflow in a module."""
        match each:
            case Agent():
                self.engine.know([each], {})
            case Workflow():
                self.know(each.build())
            case Built():
                self.engine.know(each.agents.values(), each.conditions)
            case ModuleType():
                for value in vars(each).values():
                    if isinstance(value, Agent | Workflow):
                        self.know(value)

    async def submit(
        self, built: Built, args: tuple[Any, ...], kwargs: Mapping[str, Any], request: RunRequest
    ) -> RunHandle[Any]:
        """Pin a built workflow and start a run of it."""
        if not self._is_worker:
            raise UsageError(
                "this Segue only reads (worker=False)", remedy="Open it with worker=True to run workflows."
            )
        self.store  # noqa: B018 - raises where this is not open
        if self._waiters.failure is not None:
            raise self._waiters.failure
        pinned = self._pinned.get(id(built))
        if pinned is None or pinned.built is not built:
            pinned = self._pin(built)
        documents = input_documents(built, args, kwargs)
        if request.options.deadline is not None:
            await self._check_deadline(built, request.options.deadline)
        run = uuid7()
        options = run_options(request.options, documents, run.hex)
        new = NewRun(
            run=str(run),
            key=request.key,
            workflow=built.graph.workflow,
            graph_digest=pinned.digest,
            graph=pinned.graph,
            schemas=() if pinned.digest in self._kept_schemas else tuple(built.schemas.items()),
            input=input_text(documents),
            options=options.to_json(),
            waits_for=pinned.plan.waits_for,
            roots=(),
        )
        live = self.engine.book.open(new.run, pinned.plan, documents, options)
        self._waiters.expect(new.run)
        try:
            submitted = await self.engine.submit(new, live)
        except BaseException:
            self._waiters.unexpect(new.run)
            self.engine.book.forget(new.run)
            raise
        self._kept_schemas.add(pinned.digest)
        if submitted.run != new.run:
            self._waiters.unexpect(new.run)
            self.engine.book.forget(new.run)
        return RunHandle(self, submitted.run, built)

    async def read_run(self, run: str) -> RunRecord:
        """A run. Raises UnknownRun."""
        record = await self.store.read_run(run)
        if record is None:
            raise UnknownRun(
                f"there is no run {run!r} in {self.url}", run=run, remedy="`segue runs` lists them."
            )
        return record

    async def ended(self, run: str) -> RunState:
        """Wait until a run has ended or needs a review."""
        return await self._waiters.wait(run, lambda: self.read_run(run))

    async def result(self, run: str, built: Built | None) -> Any:
        """Wait for a run and return what its workflow returned; plain JSON data if the workflow is not known here."""
        state = await self.ended(run)
        if state == "complete":
            value = await self._output(run, built)
            self.engine.book.forget(run)
            return value
        tasks = await self.store.read_tasks(run)
        if state == "cancelled":
            raise RunCancelled(
                f"run {run} was cancelled", run=run, remedy=f"`segue show {run}` says by whom."
            )
        if state == "needs_review":
            waiting = [task_name(task.node, task.item) for task in tasks if task.state == "needs_review"]
            raise ReviewNeeded(
                f"run {run} waits for a decision on {', '.join(waiting)}",
                run=run,
                remedy="Decide with `handle.decide(task, approve=..., by=...)`.",
            )
        failed = {task_name(task.node, task.item): _reason(task) for task in tasks if task.state == "failed"}
        raise RunFailed(run, failed)

    async def _output(self, run: str, built: Built | None) -> Any:
        live = await self.engine.book.load(run)
        binding = live.plan.graph.output
        if binding is None:
            return None
        nodes = tuple(dict.fromkeys(nodes_of(binding)))
        pins = live.latest_pins(nodes)
        if pins is None:
            stored = await self.store.latest_handoffs(run, nodes)
            pins = [
                Pin(one.node, one.item, one.record.version, one.record.digest, one.record.status)
                for one in stored
            ]
        document = await self.engine.binder.document(live, binding, pins)
        schema = schema_of(Any if built is None else built.output_annotation)
        return schema.load(document, where=f"the result of run {run}", home=self.engine.home)

    async def wait_for_handoff(self, run: str, task: str) -> Handoff[Any]:
        """Wait until a task has handed over."""
        try:
            node, item = parse_task_name(task)
        except ValueError as error:
            raise UsageError(str(error), remedy="Tasks are called `name` or `name[3]`.") from None
        record = await self.read_run(run)
        plan = await self.engine.book.plan_of(record)
        if node not in plan.steps:
            raise UnknownRun(
                f"run {run} has no task {task!r}", run=run, remedy=f"It has: {', '.join(plan.steps)}."
            )
        while True:
            seen = self.store.notifier.count
            stored = [each for each in await self.store.latest_handoffs(run, [node]) if each.item == item]
            if stored:
                return await self.engine.binder.handoff(
                    await self.engine.book.load(run), stored[0], schema_of(Any)
                )
            ended = (await self.read_run(run)).state in ("complete", "failed", "cancelled")
            if ended and not await self.store.latest_handoffs(run, [node]):
                raise TaskFailed(
                    f"run {run} ended and {task} handed nothing over", remedy=f"`segue show {run}` says why."
                )
            await self.store.notifier.wait(seen, NET_SECONDS)

    async def events(
        self, run: str | None, names: Collection[str], after: str | None
    ) -> AsyncIterator[Event]:
        """Events from a cursor on."""
        if run is not None:
            await self.read_run(run)
        cursor = after
        while True:
            seen = self.store.notifier.count
            events, cursor = await self.store.tail(cursor, EVENTS_PER_READ, run)
            for event in events:
                if matches_any(event.name, names):
                    yield event
            if run is not None and any(event.name in TERMINAL_RUN_EVENTS for event in events):
                return
            if len(events) == EVENTS_PER_READ:
                continue
            if run is not None and not events and (await self.read_run(run)).ended_at is not None:
                rest, _ = await self.store.tail(cursor, 1, run)
                if not rest:
                    return
                continue
            await self.store.notifier.wait(seen, NET_SECONDS)

    async def cancel(self, run: str, reason: str) -> bool:
        """Cancel a run."""
        await self.read_run(run)
        cancelled = await self.store.cancel(run, reason)
        self.engine.cancel_attempts(run)
        self._run_state_changed(run, "cancelled")
        return cancelled

    async def decide(self, run: str, task: str, *, approve: bool, by: str, note: str) -> None:
        """Write a person's decision on a hand-off that needs review."""
        node, item = parse_task_name(task)
        live = await self.engine.book.load(run)
        stored = [each for each in await self.store.latest_handoffs(run, [node]) if each.item == item]
        if not stored or stored[0].record.status != "needs_review":
            raise UsageError(
                f"nothing waits for a decision on {task} of run {run}", remedy=f"See `segue show {run}`."
            )
        status = "complete" if approve else "failed"
        latest = stored[0].record
        handoff = latest._replace(version=latest.version + 1, status=status, completed_at=self.clock.wall())
        decided = Pin(node, item, handoff.version, handoff.digest, status)
        verdict = await self.store.review(
            Review(
                run,
                node,
                item,
                live.plan.steps[node].node.agent,
                handoff,
                settle_releases(live.plan, node, decided, lambda agent: None),
                run_resolved(live.plan, node),
                json.dumps({"by": by, "approved": approve, "note": note}),
            )
        )
        if verdict == "stale":
            raise UsageError(f"somebody else decided on {task} before", remedy=f"See `segue show {run}`.")
        self._waiters.forget(run)
        self.engine.look_again()

    async def prune(self, older_than_seconds: float) -> int:
        """Delete old runs, and artifacts that nothing points to."""
        pruned = await self.store.prune(self.clock.wall() - older_than_seconds)
        keep = await self.store.artifact_references()
        await self.artifacts.prune(set(keep), older_than_seconds=3600.0)
        return pruned

    def _pin(self, built: Built) -> Pinned:
        pinned = pin(built)
        if len(self._pinned) >= PINNED_KEPT:
            self._pinned.clear()
        self._pinned[id(built)] = pinned
        self.know(built)
        self.engine.book.remember_plan(pinned.digest, pinned.plan)
        return pinned

    async def _check_deadline(self, built: Built, deadline: float) -> None:
        """Refuse a deadline that cannot be met, and warn of one about which nothing is known."""
        recorded = await recorded_durations(self.store, self.engine.book, built.graph.workflow)
        warning = check_deadline(built.graph, deadline - self.clock.wall(), recorded)
        if warning is not None:
            warnings.warn(warning, stacklevel=4)

    def _run_state_changed(self, run: str, state: RunState) -> None:
        if not self._waiters.tell(run, state) and state != "needs_review":
            self.engine.book.forget(run)

    def _failed(self, error: BaseException) -> None:
        """A part of the engine cannot go on: everybody who waits hears why."""
        if not isinstance(error, SegueError):
            cause, error = error, StoreUnavailable(f"the engine stopped: {type(error).__name__}: {error}")
            error.__cause__ = cause
        self._waiters.fail(error)


def _reason(task: TaskRecord) -> str:
    if task.error is None:
        return "no reason was recorded"
    error = json.loads(task.error)
    return f"{error.get('kind', 'error')}: {error.get('message', '')}"
