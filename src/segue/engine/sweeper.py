"""
Takes back what dead or silent workers hold. Any number of processes sweep; each step is a compare-and-set in the store.

On one machine a dead process is known at once: the kernel frees the lock that it held on a file of its own. The lease
covers the rest: a process that hangs, or was stopped.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from segue.domain.lease import SWEEP_SECONDS
from segue.engine.service import Service
from segue.errors import StoreUnavailable
from segue.ports.clock import Clock
from segue.ports.liveness import Liveness
from segue.ports.store import Store


class Sweeper(Service):
    """Expires claims, and forgets workers that are gone."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        liveness: Liveness,
        worker: str,
        renew: Callable[[], Awaitable[None]],
        on_expired: Callable[[], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        super().__init__("sweeper", on_failure)
        self._store = store
        self._clock = clock
        self._liveness = liveness
        self._worker = worker
        self._renew = renew
        self._on_expired = on_expired

    async def sweep(self) -> None:
        """
        One sweep. What runs here is renewed first: after an agent has held up the loop for longer than a lease, or the
        machine has slept, a worker must not take its own work away from itself.
        """
        await self._renew()
        workers = [worker for worker, _ in await self._store.list_workers() if worker != self._worker]
        dead = self._liveness.dead(workers)
        if await self._store.expire(dead):
            self._on_expired()
        if dead:
            await self._store.forget_workers(dead)

    async def run(self) -> None:
        while True:
            await self._clock.sleep(SWEEP_SECONDS)
            try:
                await self.sweep()
            except StoreUnavailable:
                continue
