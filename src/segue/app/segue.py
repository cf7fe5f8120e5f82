"""
`Segue`: the one object that a program opens.

It joins a store to an engine, submits runs, and reads what became of them. Everything that it knows of a run it reads
from the store, so another process can ask the same things.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, ParamSpec, Self, TypeVar, Unpack

from segue.app.controlling import Controlled
from segue.app.handle import RunHandle
from segue.app.host import Host
from segue.app.offering import Offering, offered
from segue.app.registry import Registry, open_registry
from segue.app.reviewing import AS_SHOWN
from segue.app.submission import RunRequest, request_of
from segue.app.views import ReviewView
from segue.domain.envelope.handoff import Handoff
from segue.domain.event_names import check_patterns
from segue.domain.graph.agent import Agent
from segue.domain.graph.workflow import Runnable
from segue.domain.rows import Event, PoolRecord
from segue.domain.running.reviewing import Said
from segue.domain.settings.agent_settings import RunSettings
from segue.domain.settings.options import OnDeadlock
from segue.errors import UsageError
from segue.ports.clock import Clock, SystemClock
from segue.stores.urls import StoreParts, address_of

P = ParamSpec("P")
R = TypeVar("R")

Durability = Literal["durable", "fast"]


class Segue:
    """
    A store with a worker in this process.

    `url` is a path (`"segue.db"`), `sqlite:///path`, `memory:` for tests, or the parts of a store of your own.
    `durability` is `"durable"` (an accepted hand-off survives power loss; the default) or `"fast"` (it survives
    `kill -9`). `concurrency` is how many agents may run here at once. `agents` are those whose tasks this process takes
    from the start: agents, workflows, or modules; the agents of a workflow that is run are added by themselves. With
    `worker=False` nothing is run here: runs are submitted for other processes, waited for and read. `lease_seconds` is
    how long a worker that hangs keeps its tasks.

        async with Segue("segue.db") as segue:
            report = await segue.run(compare, "Compare SaaS pricing")
    """

    def __init__(
        self,
        url: str | os.PathLike[str] | StoreParts = "segue.db",
        *,
        agents: Iterable[Offering] = (),
        durability: Durability = "durable",
        concurrency: int = 64,
        lease_seconds: float = 10.0,
        worker: bool = True,
        clock: Clock | None = None,
    ) -> None:
        self._host = Host(
            url if isinstance(url, StoreParts) else address_of(url),
            offered(agents),
            durability,
            concurrency,
            lease_seconds,
            worker,
            clock or SystemClock(),
        )
        self._request = RunRequest()

    async def __aenter__(self) -> Self:
        await self._host.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._host.close()

    def with_(
        self,
        *,
        key: str | None = None,
        goal: str | None = None,
        constraints: Iterable[str] = (),
        deadline: datetime | float | str | None = None,
        trace: str | None = None,
        on_deadlock: OnDeadlock = "break",
        **bounds: Unpack[RunSettings],
    ) -> Self:
        """
        The same store, with options for the runs that are submitted through what is returned.

        `key` makes submitting idempotent: a second submission under it finds the first run. `goal` and `constraints` go
        with every hand-off of the run. `deadline` is a date with a time zone, seconds from now, or a text like `"2m"`;
        a graph whose declared durations cannot meet it is refused, and no task is tried past it. `trace` is a W3C
        `traceparent` to continue. `timeout`, `idle` and `queue` are the budgets of the tasks for which neither call nor
        agent says otherwise; None means no limit. `hops` is how often a task may be handed on with `HandTo`, `laps` how
        often one agent may come again on the way. `on_deadlock` says what becomes of a task of these runs that is the
        victim of a deadlock: it is tried again after a while ("break"), it fails ("fail"), or the deadlock is only told
        ("report"). `budget` is what all of it may spend (`Spending`). Raises UsageError.
        """
        other = type(self).__new__(type(self))
        other._host = self._host
        other._request = request_of(
            key,
            goal,
            constraints,
            deadline,
            trace,
            self._host.clock.wall(),
            bounds=bounds,
            on_deadlock=on_deadlock,
        )
        return other

    async def submit(self, workflow: Runnable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> RunHandle[R]:
        """
        Check a workflow and its input, pin its graph in the store and start it. Returns as soon as it is durable.

        The workflow is a decorated function, or a graph given as data (`graph_from_data`). Raises `GraphError` with
        everything that is wrong, `InputError`, or `KeyConflict`; then nothing was written.
        """
        if not isinstance(workflow, Runnable):
            raise UsageError(
                f"{workflow!r} is no workflow", remedy="Decorate the function that draws it: @workflow."
            )
        return await self._host.submit(workflow.build(), args, kwargs, self._request)

    async def run(self, workflow: Runnable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """
        Submit a workflow and wait for what it returns.

        Raises what `submit` raises, and `RunFailed`, `RunCancelled` or `ReviewNeeded`. Cancelling the wait does not
        cancel the run: it goes on while this `Segue` is open, and later wherever its agents are. To stop it, submit it
        and cancel its handle.
        """
        handle = await self.submit(workflow, *args, **kwargs)
        return await handle.result()

    def handle(self, run: str) -> RunHandle[Any]:
        """The handle of a run that exists, by its id."""
        return RunHandle(self._host, run, None)

    async def wait(self, run: str, task: str | None = None) -> Handoff[Any] | None:
        """
        Wait until a task has handed over, and return its hand-off; without a task, until the run has ended.

        A hand-off that was made before is found as well: this reads from the store. Raises `UnknownRun`, and
        `TaskFailed` if the run ended without the hand-off.
        """
        if task is None:
            await self._host.ended(run)
            return None
        return await self._host.wait_for_handoff(run, task)

    async def reviews(self, run: str | None = None) -> tuple[ReviewView, ...]:
        """
        What waits for a person's decision, in the whole store or in one run, those first that wait longest.

        Each has what is to be decided on and its digest, who may decide, and until when. Raises UnknownRun.
        """
        return await self._host.reviews(run)

    async def review(
        self,
        run: str,
        task: str,
        *,
        digest: str,
        approve: bool,
        by: str,
        note: str = "",
        output: Any = AS_SHOWN,
    ) -> None:
        """
        Decide on a hand-off that waits for a person. The run goes on without its agent running again.

        `digest` is that of what was shown (`reviews`): a decision never lands on anything else. Approved, it is handed
        over as it is, or with another `output`, a value of its type or plain JSON data, as its next version; rejected,
        the task fails. `by` names the person, and is recorded with the `note`. Raises ReviewRefused, whose `reason`
        says why the decision does not count, InvalidPayload for an output that does not fit, and UnknownRun.
        """
        await self._host.review(run, task, Said(by, approve, digest, note), output)

    def events(
        self, run: str | None = None, *, names: str | Collection[str] = (), after: str | None = None
    ) -> AsyncIterator[Event]:
        """
        What happens, as it happens: `async for event in segue.events(run)`.

        Starts at the beginning, or after a cursor (`event.cursor` of the last one seen), and waits for more. For a run
        it ends with the run; for the whole store it never does. `names` are patterns: `task.complete` is every agent's
        completion, `task.research.*` everything about one agent. Raises UsageError for one that fits no event.
        """
        return self._host.events(run, check_patterns(names), after)

    async def set_pool(self, name: str, capacity: int) -> None:
        """
        Say how many places a pool has, for all workers of the store: `await segue.set_pool("gpu", 4)`; 0 takes it away.

        Who holds places keeps them. Raises UsageError, and `PoolTooSmall` if a task that has not settled needs more.
        """
        await self._host.set_pool(name, capacity)

    async def pools(self) -> Sequence[PoolRecord]:
        """All pools by name, with how many of their places are held and how many tasks wait for some."""
        return await self._host.store.read_pools()

    async def pause(
        self,
        run: str,
        task: str | None = None,
        *,
        by: str,
        reason: str = "",
        until: str | None = None,
        interrupt: bool = False,
        command: str | None = None,
    ) -> Controlled:
        """As `RunHandle.pause`, for the run with this id."""
        handle = self.handle(run)
        return await handle.pause(
            task, by=by, reason=reason, until=until, interrupt=interrupt, command=command
        )

    async def resume(
        self, run: str, task: str | None = None, *, by: str, reason: str = "", command: str | None = None
    ) -> Controlled:
        """As `RunHandle.resume`, for the run with this id."""
        return await self.handle(run).resume(task, by=by, reason=reason, command=command)

    async def cancel(
        self, run: str, task: str | None = None, *, by: str, reason: str = "", command: str | None = None
    ) -> Controlled:
        """As `RunHandle.cancel`, for the run with this id."""
        return await self.handle(run).cancel(task, by=by, reason=reason, command=command)

    async def retry(
        self, run: str, task: str | None = None, *, by: str, reason: str = "", command: str | None = None
    ) -> Controlled:
        """As `RunHandle.retry`, for the run with this id."""
        return await self.handle(run).retry(task, by=by, reason=reason, command=command)

    async def reassign(
        self,
        run: str,
        task: str,
        to: str | Agent[Any] | None = None,
        *,
        by: str,
        reason: str = "",
        command: str | None = None,
    ) -> Controlled:
        """As `RunHandle.reassign`, for the run with this id."""
        return await self.handle(run).reassign(task, to, by=by, reason=reason, command=command)

    async def annotate(
        self, run: str, task: str | None = None, *, by: str, note: str, command: str | None = None
    ) -> Controlled:
        """As `RunHandle.annotate`, for the run with this id."""
        return await self.handle(run).annotate(task, by=by, note=note, command=command)

    async def registry(self, task_id: str, *, dependencies: Mapping[str, Iterable[str]]) -> Registry:
        """
        The results of one piece of work, for an orchestrator loop that exists: opened, or found as they stand.

        `dependencies` says who needs whose result: `{"test_writer": ["code_reviewer"]}`. Raises `GraphError` if agents
        depend on one another in a circle, and `KeyConflict` if the registry of this name has other dependencies.
        """
        return await open_registry(self._host, task_id, dependencies)

    async def prune(self, older_than_seconds: float) -> int:
        """Delete runs that ended longer ago than this, and artifacts that nothing points to. Returns how many runs."""
        return await self._host.prune(older_than_seconds)

    @property
    def host(self) -> Host:
        """What the faces of Segue (command line, tests) read through."""
        return self._host

    @property
    def artifacts_folder(self) -> Path | None:
        """Where artifacts are kept; None for a store in memory."""
        return self._host.artifacts_folder
