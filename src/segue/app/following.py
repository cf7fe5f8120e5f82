"""Following runs: their results, hand-offs and events, read from the store as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

from segue.app.effects import doubts
from segue.app.waiting import Waiters
from segue.domain.envelope.handoff import Handoff
from segue.domain.envelope.payload import is_storable
from segue.domain.envelope.schema import schema_of
from segue.domain.envelope.stored import reason_of, verified
from segue.domain.event_names import matches_any
from segue.domain.graph.graph import nodes_of
from segue.domain.graph.workflow import Built
from segue.domain.records import RunState, parse_task_name, task_name
from segue.domain.rows import Event, RunRecord, TaskRecord
from segue.engine.abilities.later import waiting_for
from segue.engine.engine import Engine
from segue.errors import ReviewNeeded, RunCancelled, RunFailed, TaskFailed, UnknownRun, UsageError
from segue.ports.store import Store

TERMINAL_RUN_EVENTS = frozenset({"run.complete", "run.failed", "run.cancelled"})
EVENTS_PER_READ = 500
NET_SECONDS = 5.0
"""How often an observer looks although nothing was announced."""


class Following:
    """What can be asked about runs, whoever runs them. Needs an open store and an engine to read with."""

    url: str
    _waiters: Waiters

    @property
    def store(self) -> Store:
        """The open store."""
        raise UsageError("this Segue is not open", remedy="Use it inside `async with Segue(...) as segue:`.")

    @property
    def engine(self) -> Engine:
        """The engine, with what it remembers of runs."""
        raise UsageError("this Segue is not open", remedy="Use it inside `async with Segue(...) as segue:`.")

    async def read_run(self, run: Any) -> RunRecord:
        """A run. Raises UnknownRun."""
        record = await self.store.read_run(run) if isinstance(run, str) and is_storable(run) else None
        if record is None:
            raise UnknownRun(
                f"there is no run {run!r} in {self.url}", run=run, remedy="`segue runs` lists them."
            )
        return record

    async def ended(self, run: str) -> RunState:
        """Wait until a run has ended or needs a review."""
        async with waiting_for(run):
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
                f"run {run} was cancelled",
                run=run,
                remedy=f"`segue events {run} --names run.cancelled` says by whom.",
            )
        if state == "needs_review":
            raise await self._review_needed(run, tasks)
        failed = {task_name(task.node, task.item): _reason(task) for task in tasks if _fails_run(task)}
        raise RunFailed(run, failed)

    async def _review_needed(self, run: str, tasks: Sequence[TaskRecord]) -> ReviewNeeded:
        """What a run waits for that only a person can say."""
        undecided = [task_name(task.node, task.item) for task in tasks if task.state == "needs_review"]
        uncertain = await doubts(self.store, tasks)
        waits = [f"waits for a decision on {', '.join(undecided)}"] if undecided else []
        remedies = (
            [
                f"Look with `segue review {run} {undecided[0]}`, and decide; "
                "in Python `segue.reviews()` and `segue.review(...)`."
            ]
            if undecided
            else []
        )
        if uncertain:
            waits.append(f"needs to know whether {', '.join(uncertain)} happened")
            remedies.append(
                f"Find out, then say it: `segue resolve {run} TASK EFFECT`, or `handle.resolve(...)`."
            )
        return ReviewNeeded(f"run {run} {', and '.join(waits)}", run=run, remedy=" ".join(remedies))

    async def _output(self, run: str, built: Built | None) -> Any:
        live = await self.engine.book.load(run)
        binding = live.plan.graph.output
        if binding is None:
            return None
        nodes = tuple(dict.fromkeys(nodes_of(binding)))
        pins = live.latest_pins(nodes)
        if pins is None:
            pins = [stored.pin for stored in await self.store.latest_handoffs(run, nodes)]
        schema, where = (
            schema_of(Any if built is None else built.output_annotation),
            f"the result of run {run}",
        )
        document = await self.engine.binder.document(live, binding, pins, schema, where=where)
        return schema.load(document, where=where, home=self.engine.home)

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
        async with waiting_for(run, task):
            return await self._first_handoff(run, node, item)

    async def _first_handoff(self, run: str, node: str, item: int) -> Handoff[Any]:
        task = task_name(node, item)
        while True:
            seen = self.store.notifier.count
            # Asked before: what a run that has ended handed over is there.
            has_ended = (await self.read_run(run)).ended_at is not None
            stored = [each for each in await self.store.latest_handoffs(run, [node]) if each.item == item]
            if stored:
                book = self.engine.book
                live = await book.knowing(await book.load(run), node)
                return await self.engine.binder.handoff(live, verified(stored[0]), schema_of(Any))
            if has_ended:
                raise TaskFailed(
                    f"run {run} ended and {task} handed nothing over", remedy=f"`segue show {run}` says why."
                )
            if self._waiters.failure is not None:
                raise self._waiters.failure
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
            # A run that was tried again has more after its first end.
            if run is not None and events and events[-1].name in TERMINAL_RUN_EVENTS:
                return
            if len(events) == EVENTS_PER_READ:
                continue
            if run is not None and not events and (await self.read_run(run)).ended_at is not None:
                rest, _ = await self.store.tail(cursor, 1, run)
                if not rest:
                    return
                continue
            await self.store.notifier.wait(seen, NET_SECONDS)


def _fails_run(task: TaskRecord) -> bool:
    return task.state in ("failed", "dead", "cancelled") and not task.tolerated


def _reason(task: TaskRecord) -> str:
    error = reason_of(task)
    if not error:
        return "no reason was recorded"
    return f"{error.get('kind', 'error')}: {error.get('message', '')}"
