"""A store, its artifacts and an engine, joined and open: what `Segue` and its handles work on."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from uuid_utils.compat import uuid7

from segue.app import effects
from segue.app.consuming import Watching
from segue.app.controlling import Controlled, Controls, Wish
from segue.app.durations import recorded_durations
from segue.app.external import External
from segue.app.following import Following
from segue.app.handle import RunHandle
from segue.app.offering import Offering, all_of
from segue.app.reviewing import AS_SHOWN, Reviewer, read_reviews
from segue.app.saying import check_said
from segue.app.submission import Pinned, RunRequest, input_documents, input_text, pin, run_options
from segue.app.views import ReviewView
from segue.app.waiting import Waiters
from segue.domain.graph.agent import Agent
from segue.domain.graph.feasibility import check_deadline
from segue.domain.graph.workflow import Built
from segue.domain.records import NewRun, RunState, task_name
from segue.domain.rows import TaskRecord
from segue.domain.running.reviewing import Said
from segue.domain.running.steps import DidNotHappen, Happened
from segue.domain.settings.durations import named_seconds
from segue.domain.settings.pools import checked_pool_name
from segue.domain.settings.retrying import checked_count
from segue.engine.engine import Engine, Observer
from segue.errors import (
    ReviewRefused,
    SegueError,
    StoreUnavailable,
    UsageError,
)
from segue.ports.clock import Clock
from segue.ports.store import Store
from segue.stores.urls import StoreParts, open_store

PINNED_KEPT = 256
"""Workflows whose pinned form is remembered."""

OLDEST_SECONDS = 1e12
"""Nothing can be older; beyond it no clock counts."""

LEASE_MINIMUM_SECONDS = 0.1
"""A shorter lease is lost to any pause of the process, such as a collection of garbage."""


class Host(Following):
    """The composition root. Open it once; everything below works only while it is open."""

    def __init__(
        self,
        url: str | StoreParts,
        agents: tuple[Offering, ...],
        durability: str,
        concurrency: int,
        lease_seconds: float,
        worker: bool,
        clock: Clock,
    ) -> None:
        self._given = url if isinstance(url, StoreParts) else None
        self.url = url if isinstance(url, str) else "the given store"
        self.clock = clock
        self._agents = agents
        self._durability = durability
        self._concurrency = checked_count("concurrency", concurrency, 1)
        self._lease_seconds = named_seconds("lease_seconds", lease_seconds)
        if self._lease_seconds < LEASE_MINIMUM_SECONDS:
            raise UsageError(
                f"a lease of {lease_seconds} s is over before it can be renewed",
                remedy=f"Give at least {LEASE_MINIMUM_SECONDS} s.",
            )
        if not isinstance(worker, bool):
            raise UsageError(
                f"worker is {worker!r}, not True or False", remedy="Give worker=False to run no tasks here."
            )
        self._is_worker = worker
        self._pinned: dict[int, Pinned] = {}
        self._kept_schemas: set[str] = set()
        """Graphs whose schemas this process has handed to the store."""
        self._engine: Engine | None = None
        self.observer: Observer | None = None
        """Set before opening, it hears of everything that the worker does."""
        self._store: Store | None = None
        self._watching: Watching | None = None
        self._waiters = Waiters()

    async def open(self) -> None:
        """Open the store and start the worker. Raises StoreError."""
        if self._store is not None:
            raise UsageError("this Segue is open already", remedy="Use the one that `async with` gave.")
        opened = self._given or open_store(self.url, durability=self._durability, clock=self.clock)
        await opened.store.open()
        try:
            await self._start(opened)
        except BaseException:
            self._store = None
            await self._waiters.stop()
            await opened.store.close()
            raise

    async def _start(self, opened: StoreParts) -> None:
        self._store = opened.store
        # What was known about another opening says nothing about this one.
        self._pinned.clear()
        self._kept_schemas.clear()
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
        if self.observer is not None:
            self._engine.observer = self.observer
        self._waiters.start(opened.store, self.clock)
        opened.set_idle(lambda: self.engine.idle)
        self.know(*self._agents)
        if self._is_worker:
            watching = Watching(self, all_of(self._agents), self._lease_seconds, self._failed)
            await self._engine.start(json.dumps({"host": socket.gethostname(), "process": os.getpid()}))
            self._watching = watching
            watching.start()

    async def close(self) -> None:
        """Hand back what runs, commit what has ended, and close the store."""
        watching, self._watching = self._watching, None
        if watching is not None:
            await watching.stop()
        store, self._store = self._store, None
        if store is None:
            return
        try:
            store.notifier.notify()  # observers look, and find that this is not open any more
            await self._waiters.stop()
            if self._is_worker:
                await self.engine.stop()
        finally:
            await store.close()

    async def drain(self, seconds: float) -> None:
        """Begin nothing more, and let what runs end, for so long."""
        leaving = [] if self._watching is None else [self._watching.leave(seconds)]
        await asyncio.gather(self.engine.drain(seconds), *leaving)

    @property
    def store(self) -> Store:
        """The open store. Raises UsageError before `open` and after `close`."""
        return super().store if self._store is None else self._store

    @property
    def external(self) -> External:
        """The way to hand over for tasks that no worker runs."""
        return External(self, self._lease_seconds)

    def settled(self, run: str, state: RunState | None) -> None:
        """Something was settled here without an attempt: go on with what it has released, and tell who waits."""
        self.engine.look_again()
        if state is not None:
            self._run_state_changed(run, state)

    @property
    def engine(self) -> Engine:
        """The engine. Raises UsageError before `open`."""
        return super().engine if self._engine is None else self._engine

    def know(self, *offerings: Offering) -> None:
        """
        Take tasks of these agents, of the agents of these workflows, or of all that is in these modules. Where nothing
        is run only those are known that nobody runs, so that it can be handed over for them.
        """
        offer = all_of(offerings)
        if self._is_worker:
            self.engine.know(offer.agents, offer.conditions)
        else:
            self.engine.know((agent for agent in offer.agents if agent.settings.external), {})

    async def until_failure(self) -> SegueError:
        """Why nothing can be run here any more, as soon as that is so."""
        return await self._waiters.until_failure()

    async def submit(
        self, built: Built, args: tuple[Any, ...], kwargs: Mapping[str, Any], request: RunRequest
    ) -> RunHandle[Any]:
        """Pin a built workflow and start a run of it: here, or, where this is no worker, wherever its agents are."""
        self.store  # noqa: B018 - raises where this is not open
        if self._waiters.failure is not None:
            raise self._waiters.failure
        pinned = self._pinned.get(id(built))
        if pinned is None or pinned.built is not built:
            pinned = self._pin(built)
        documents = input_documents(built, args, kwargs)
        if request.options.deadline is not None:
            await self._check_deadline(built, request.options.deadline)
        run, is_kept = uuid7(), pinned.digest in self._kept_schemas
        options = run_options(request.options, documents, run.hex)
        new = NewRun(
            run=str(run),
            key=request.key,
            workflow=built.graph.workflow,
            graph_digest=pinned.digest,
            graph=pinned.graph,
            schemas=() if is_kept else pinned.schemas,
            input=input_text(documents),
            options=options.to_json(),
            waits_for=pinned.plan.waits_for,
            roots=(),
            needs=pinned.plan.needs,
            payloads=() if is_kept else pinned.payloads,
            caps=options.caps,
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

    async def control(self, wish: Wish) -> Controlled:
        """Do what somebody wants with a run."""
        record = await self.read_run(wish.run)
        controls = Controls(self.store, self.engine.book, self.engine.registry, self.clock.wall())
        controlled = await controls.carry_out(wish, record)
        if isinstance(wish.to, Agent):
            self.know(wish.to)
        if controlled.verdict == "done before":
            return controlled
        if wish.kind in ("cancel", "reassign") or wish.interrupt:
            await self.engine.check_claims(record.run)
        if wish.kind == "retry":
            self._waiters.resume(record.run)
        after = await self.read_run(record.run)
        if after.state not in (record.state, "running"):
            self._run_state_changed(record.run, after.state)
        self.engine.look_again()
        return controlled

    async def reviews(self, run: str | None) -> tuple[ReviewView, ...]:
        """What waits for a person's decision."""
        if run is not None:
            await self.read_run(run)
        return await read_reviews(self.store, self.artifacts, run)

    async def review(self, run: str, task: str, said: Said, output: Any = AS_SHOWN) -> None:
        """Write a person's word on a hand-off that needs review."""
        record = await self.read_run(run)
        plan = await self.engine.book.plan_of(record)
        agent = None if output is AS_SHOWN else self._agent_of(await self.store.read_tasks(run), task)
        reviewer = Reviewer(self.store, self.artifacts)
        await reviewer.decide(record, plan, task, said, self.clock.wall(), output=output, agent=agent)
        self._waiters.resume(run)
        self.engine.decided(run, (await self.read_run(run)).state)

    async def nothing_waits(self, run: str, task: str) -> ReviewRefused:
        """The error for a task of which nothing waits for a decision. Raises UnknownRun if there is no such task."""
        record = await self.read_run(run)
        plan = await self.engine.book.plan_of(record)
        return await Reviewer(self.store, self.artifacts).nothing_waits(record, plan, task)

    def _agent_of(self, tasks: Sequence[TaskRecord], task: str) -> Agent[Any] | None:
        """The agent that a task is with, if it is known here, whether or not this is a worker."""
        offered = {agent.name: agent for agent in all_of(self._agents).agents}
        names = [each.agent for each in tasks if task_name(each.node, each.item) == task]
        return next((self.engine.registry.find(name) or offered.get(name) for name in names), None)

    async def resolve(
        self, run: str, task: str, effect: str, outcome: Happened | DidNotHappen, *, by: str, note: str
    ) -> None:
        """Write a person's word on an effect in doubt."""
        check_said(by, note=note)
        record = await self.read_run(run)
        about = {"by": by, "note": note}
        await effects.resolve(self.store, self.artifacts, record, task, effect, outcome, about)
        self._waiters.resume(run)
        self.engine.look_again()

    async def set_pool(self, name: str, capacity: int) -> None:
        """Say how many places a pool has."""
        await self.store.set_pool(checked_pool_name(name), checked_count("capacity", capacity, 0))
        self.engine.look_again()

    async def prune(self, older_than_seconds: float) -> int:
        """Delete old runs, and artifacts that nothing points to."""
        if type(older_than_seconds) not in (int, float) or not 0 <= older_than_seconds <= OLDEST_SECONDS:
            raise UsageError(
                f"older_than_seconds={older_than_seconds!r} is not possible", remedy="Use a number from 0."
            )
        pruned = await self.store.prune(max(0.0, self.clock.wall() - older_than_seconds))
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
            warnings.warn(warning, stacklevel=_frames_of_ours())

    def _run_state_changed(self, run: str, state: RunState) -> None:
        if not self._waiters.tell(run, state) and state != "needs_review":
            self.engine.book.forget(run)

    def _failed(self, error: BaseException) -> None:
        """A part of the engine cannot go on: everybody who waits hears why."""
        if not isinstance(error, SegueError):
            cause, error = error, StoreUnavailable(f"the engine stopped: {type(error).__name__}: {error}")
            error.__cause__ = cause
        self._waiters.fail(error)


def _frames_of_ours() -> int:
    """The `stacklevel` that makes a warning name the line of the caller and not one of Segue's."""
    frame, count = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("segue."):
        frame, count = frame.f_back, count + 1
    return count
