"""
The children of a worker: started when they are needed, lent for one call, kept while they may be needed again.

How many there are follows how many calls run at once, so the worker's concurrency bounds them (and, for tasks that wait
for a `Later` with their process, a limit of their own). One that was not let to its end is killed, never kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from segue.domain.faults import Fault
from segue.domain.isolation import Target
from segue.engine.children.process import Child
from segue.engine.service import Service
from segue.ports.clock import Clock

IDLE_KEPT = 8
"""Idle children that are kept: each is a Python with everything that its agents import."""

IDLE_SECONDS = 60.0
"""How long an idle child is kept, at least; half as long again at most."""

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

    @property
    def pids(self) -> list[int]:
        """The processes that there are."""
        return [child.pid for child in self._all if child.pid is not None]

    @asynccontextmanager
    async def child_for(self, target: Target) -> AsyncIterator[Child]:
        """A child that has imported an agent, for one call. Raises ProcessDied, FaultInChild."""
        child = self._take(target)
        self._all.add(child)
        finished = False
        try:
            if child.pid is None:
                await child.start()
            if target not in child.targets:
                loaded = await child.load(target)
                if loaded.fault is not None:
                    raise FaultInChild(loaded.fault)
            yield child
            finished = True
        finally:
            if not (finished and self._keep(child)):
                self._all.discard(child)
                await child.kill()

    def _take(self, target: Target) -> Child:
        """The child that was used last among those that know the agent; else among all; else a new one."""
        self._idle = [child for child in self._idle if child.alive]
        for child in reversed(self._idle):
            if target in child.targets:
                self._idle.remove(child)
                return child
        return self._idle.pop() if self._idle else Child()

    def _keep(self, child: Child) -> bool:
        if not child.alive or child.calls >= CALLS_MAXIMUM or len(self._idle) >= IDLE_KEPT:
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
        await super().stop()
        self._idle.clear()
        await self._kill(list(self._all))

    async def _kill(self, children: list[Child]) -> None:
        self._all.difference_update(children)
        await asyncio.gather(*(child.kill() for child in children))
