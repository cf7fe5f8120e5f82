"""One simulated process: a real engine on a loop of its own, with its own clock, on its side of the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from segue.engine.consuming import Consumer
from segue.engine.engine import Engine
from segue.errors import StoreError
from segue.stores.memory import MemoryArtifacts
from segue.testing.clock import sleep_by
from segue.testing.simulation import workload
from segue.testing.simulation.acting import here
from segue.testing.simulation.loop import SimulatedLoop
from segue.testing.simulation.versions import Code
from segue.testing.simulation.wire import SimulatedStore

if TYPE_CHECKING:
    from segue.domain.decisions import Control
    from segue.domain.records import NewRun, RunState
    from segue.ports.clock import Timer
    from segue.ports.store import Store
    from segue.testing.simulation.workload import Order
    from segue.testing.simulation.world import World

PATIENCE_SECONDS = 10.0
"""In these worlds outages take seconds, and now and then more than the engine has patience for."""

WALL_AT_START = 1_700_000_000.0


class Place(NamedTuple):
    """Where a process runs, again and again: what stays when it is started anew."""

    slot: int
    machine: int
    concurrency: int
    rate: float
    """How fast its clock runs: 1.0 is right."""
    boot_offset: float
    wall_offset: float
    agents: tuple[str, ...]
    code: Code


class SimulatedClock:
    """A machine's clock, which may run fast or slow and knows nothing of the others'."""

    def __init__(self, world: World, place: Place) -> None:
        self._world = world
        self._place = place

    def wall(self) -> float:
        """Seconds since 1970, as this machine believes."""
        return WALL_AT_START + self._place.wall_offset + self._world.now

    def boot(self) -> float:
        """Seconds since this machine started, as it counts them."""
        return self._place.boot_offset + self._place.rate * self._world.now

    def world_time(self, boot: float) -> float:
        """When, by the world's time, this clock shows so much."""
        return (boot - self._place.boot_offset) / self._place.rate

    async def sleep(self, seconds: float) -> None:
        """Wait, by this clock."""
        await sleep_by(self, seconds)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call something after a while, by this clock."""
        return asyncio.get_running_loop().call_later(max(0.0, seconds), callback)


class SimulatedLiveness:
    """The kernel's word on who has died: given for processes of the same machine only."""

    def __init__(self, world: World, place: Place) -> None:
        self._world = world
        self._machine = place.machine

    def hold(self, worker: str) -> None:
        """The kernel knows."""

    def let_go(self, worker: str) -> None:
        """The kernel knows."""

    def dead(self, workers: Collection[str]) -> set[str]:
        """Those of this machine that have died."""
        found = set()
        for worker in workers:
            process = self._world.by_name.get(worker)
            if process is not None and process.place.machine == self._machine and not process.alive:
                found.add(worker)
        return found


class Process:
    """An engine and its surroundings. It is dead for ever once it has crashed; its place gets another process."""

    def __init__(self, world: World, place: Place, name: str) -> None:
        self.world = world
        self.place = place
        self.name = name
        self.alive = True
        self.paused_until = 0.0
        self.running = 0
        """Agents that run now, those that wait for a `Later` not counted."""
        self.born_at = world.now
        self.serving = False
        self.monitor: Consumer | None = None
        self.gave_up = False
        self.troubles: list[tuple[float, str]] = []
        """When a call went wrong that it needs to keep its claims."""
        self.clock = SimulatedClock(world, place)
        self.loop = SimulatedLoop(self.clock.boot, world.shuffle)  # type: ignore[abstract] # no sockets here
        self.store = SimulatedStore(world.wire, self)
        self._doing: set[asyncio.Task[None]] = set()
        self._context = copy_context()
        self._context.run(here.set, self)
        self._do(self._serve())

    def _do(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(coroutine, context=self._context)
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)

    @property
    def due_at(self) -> float | None:
        """When, by the world's time, this process has something to do."""
        due = self.loop.due_at
        if due is None:
            return None
        due = self.clock.world_time(due)
        return max(self.paused_until, due)

    @property
    def places_taken(self) -> int:
        """How many places of the engine are in use."""
        return self.engine._slots.taken

    async def _serve(self) -> None:
        world = self.world
        self.engine = Engine(
            cast("Store", self.store),
            MemoryArtifacts(self.clock),
            SimulatedLiveness(world, self.place),
            self.clock,
            worker=self.name,
            concurrency=self.place.concurrency,
            lease_seconds=world.lease_seconds,
            on_run_state=self._run_state_changed,
            on_failure=self._failed,
            chance=world.chance,
            patience_seconds=PATIENCE_SECONDS,
        )
        self.engine.know(workload.agents_of(self.place.code, self.place.agents), workload.CONDITIONS)
        try:
            await self.engine.start("{}")
        except StoreError as error:
            world.trace.note(self.name, "cannot start", type(error).__name__)
            self.crash()
            return
        self.serving = True
        if world.watching.is_on:
            self.monitor = world.watching.consumer_for(self)
            self.monitor.start()

    def _run_state_changed(self, run: str, state: RunState) -> None:
        if state != "needs_review":
            self.engine.book.forget(run)

    def _failed(self, error: BaseException) -> None:
        self.gave_up = True
        self.world.engine_failed(self, error)

    # --- what the world's people ask of it -------------------------------------------------------------

    def submit(self, order: Order) -> None:
        """Somebody submits a run here."""
        self._do(self._submit(order))

    async def _submit(self, order: Order) -> None:
        engine, pinned = self.engine, order.pinned
        new: NewRun = order.new_run()
        live = engine.book.open(new.run, pinned.plan, order.documents, order.options)
        engine.book.remember_plan(pinned.digest, pinned.plan)
        try:
            submitted = await engine.submit(new, live)
        except StoreError as error:
            engine.book.forget(new.run)
            self.world.trace.note(self.name, "submission failed", new.run, type(error).__name__)
            return
        if submitted.run != new.run:
            engine.book.forget(new.run)
        self.world.oracle.submitted(order, submitted.run)

    def control(self, control: Control) -> None:
        """Somebody wants something with a run, and says it here."""
        self._do(self._control(control))

    async def _control(self, control: Control) -> None:
        try:
            await self.store.control(control)
        except StoreError:
            return
        await self.engine.check_claims(control.run)

    def stop(self) -> None:
        """A polite end: SIGTERM."""
        if self.alive:
            self._do(self._stop())

    async def _stop(self) -> None:
        if self.serving:
            since = self.world.now
            self.serving = False
            if self.monitor is not None:
                await self.monitor.stop()
            await self.engine.stop()
            self.world.oracle.stopped(self, since)
        self.leave()

    def was_healthy(self, since: float) -> bool:
        """Whether it has had every chance to keep its claims: it ran, its clock was right, and the store was there."""
        world = self.world
        there = self.serving and not self.gave_up and self.born_at <= since and self.paused_until <= since
        if not there or self.place.rate != 1.0:
            return False
        allowed = int(world.lease_seconds / 0.3) - 2
        # The call that granted the claim had left a moment before, and may be one that went wrong.
        left_at = since - self.world.lease_seconds / 10
        return self.was_undisturbed(left_at, allowed) and not world.weather.was_away(since, world.now)

    def was_undisturbed(self, since: float, allowed: int) -> bool:
        """Whether no call was on its way for long, and few went wrong; each of those can be repeated at once."""
        longest = 2.5 * self.world.lease_seconds
        slow = any(fate == "slow" and at >= since - longest for at, fate in self.troubles)
        return not slow and sum(at >= since for at, _ in self.troubles) <= allowed

    # --- what happens to it ----------------------------------------------------------------------------

    def pause(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after a while: nothing runs meanwhile, and then goes on as if nothing had been."""
        self.paused_until = self.world.now + seconds

    def crash(self) -> None:
        """SIGKILL: every task vanishes without clearing up."""
        if self.alive:
            self.world.trace.note(self.name, "is gone")
            self.leave()

    def leave(self) -> None:
        """The process is no more."""
        self.alive = self.serving = False
        self.loop.dead = True
        self.world.process_gone(self)
