"""
The children of a worker: one started before it is needed, others when they are, each lent for one call at a time and
kept while it may be needed again.

How many there are follows how many calls run at once, so the worker's concurrency bounds them (and, for tasks that wait
for a `Later` with their process, a limit of their own). One that was not let to its end is killed, never kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from segue.domain.graph.agent import Agent
from segue.domain.graph.isolation import Target, target_of
from segue.domain.running.faults import Fault
from segue.engine.children.process import Child
from segue.engine.service import Service
from segue.errors import DefinitionError, ProcessDied
from segue.ports.clock import Clock

IDLE_SECONDS = 60.0
"""
How long an idle child is kept, at least; half as long again at most. The one that was used last is used next, so what
was only needed for a burst of calls ends after it.
"""

STARTS_AT_ONCE = os.cpu_count() or 1
"""
How many children start, or import, at once: more would only make one another slow, and whoever waits for its turn may
get a child that others have done with.
"""

CALLS_MAXIMUM = 1_000
"""After so many calls a child makes room for a fresh one, before small leaks of what it imports add up."""


class FaultInChild(Exception):
    """What happened in a child ends its attempt, as told there."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault


class Children(Service):
    """Lends child processes. Stopping it kills all of them."""

    def __init__(self, clock: Clock, on_failure: Callable[[BaseException], None]) -> None:
        super().__init__("children", on_failure)
        self._clock = clock
        self._all: set[Child] = set()
        self._idle: list[Child] = []
        self._has_idle = asyncio.Event()
        self._starting = asyncio.Semaphore(STARTS_AT_ONCE)
        self._expecting: set[asyncio.Task[None]] = set()

    @property
    def pids(self) -> list[int]:
        """The processes that there are."""
        return [child.pid for child in self._all if child.pid is not None]

    def expect(self, agents: Iterable[Agent[Any]]) -> None:
        """Have a child ready that has imported the isolated ones of these agents before the first of them is called."""
        isolated = [agent for agent in agents if agent.settings.isolation == "process"]
        if isolated:
            expecting = asyncio.get_running_loop().create_task(self._expect(isolated))
            self._expecting.add(expecting)
            expecting.add_done_callback(self._expecting.discard)

    async def _expect(self, agents: Sequence[Agent[Any]]) -> None:
        for agent in agents:
            # What goes wrong here goes wrong again when the agent is used, where somebody hears whose it is.
            with contextlib.suppress(DefinitionError, ProcessDied, FaultInChild):
                async with self.child_for(target_of(agent)):
                    pass

    @asynccontextmanager
    async def child_for(self, target: Target) -> AsyncIterator[Child]:
        """A child that has imported an agent, for one call. Raises ProcessDied, FaultInChild."""
        child = self._idle_with(target) or await self._prepared(target)
        finished = False
        try:
            yield child
            finished = True
        finally:
            if not (finished and self._keep(child)):
                await self._kill([child])

    def _idle_with(self, target: Target) -> Child | None:
        """The idle child that knows an agent and was used last."""
        self._idle = [child for child in self._idle if child.alive]
        for child in reversed(self._idle):
            if target in child.targets:
                self._idle.remove(child)
                return child
        return None

    async def _prepared(self, target: Target) -> Child:
        """A child that knows an agent: one that has come free meanwhile, or else one that learns of it."""
        if self._expecting and asyncio.current_task() not in self._expecting:
            await asyncio.wait(self._expecting)
        async with self._starting:
            child = self._idle_with(target)
            if child is not None:
                return child
            child = self._idle.pop() if self._idle else Child()
            self._all.add(child)
            try:
                if child.pid is None:
                    await child.start()
                loaded = await child.load(target)
                if loaded.fault is not None:
                    raise FaultInChild(loaded.fault)
            except BaseException:
                await self._kill([child])
                raise
            return child

    def _keep(self, child: Child) -> bool:
        if not child.alive or child.calls >= CALLS_MAXIMUM:
            return False
        child.idle_since = self._clock.boot()
        self._idle.append(child)
        self._has_idle.set()
        return True

    async def run(self) -> None:
        """Close what nobody has used for a while."""
        while True:
            await self._has_idle.wait()
            await self._clock.sleep(IDLE_SECONDS / 2)
            before = self._clock.boot() - IDLE_SECONDS
            old = [child for child in self._idle if child.idle_since <= before or not child.alive]
            self._idle = [child for child in self._idle if child not in old]
            if not self._idle:
                self._has_idle.clear()
            await self._kill(old)

    async def stop(self) -> None:
        """Kill all children."""
        for expecting in self._expecting:
            expecting.cancel()
        await asyncio.gather(*self._expecting, return_exceptions=True)
        await super().stop()
        self._idle.clear()
        await self._kill(list(self._all))

    async def _kill(self, children: list[Child]) -> None:
        self._all.difference_update(children)
        await asyncio.gather(*(child.kill() for child in children))
