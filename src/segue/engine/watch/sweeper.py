"""
Takes back what dead or silent workers hold. Any number of processes sweep; each step is a compare-and-set in the store.

On one machine a dead process is known at once: the kernel frees the lock that it held on a file of its own. The lease
covers the rest: a process that hangs, or was stopped. After a time in which the store could not be reached, or this
process did not run, a lease that has ended says nothing: whoever holds it is given the time to renew it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from segue.domain.running.lease import Contact, contact_after, leases_count, sweep_interval_seconds
from segue.engine.service import Service
from segue.errors import StoreUnavailable
from segue.ports.clock import Clock
from segue.ports.liveness import Liveness
from segue.ports.store import Store


class Sweeper(Service):
    """Expires claims, forgets workers that are gone, and does its `chores`: what else any worker may see to."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        liveness: Liveness,
        worker: str,
        lease_seconds: float,
        renew: Callable[[], Awaitable[None]],
        on_expired: Callable[[], None],
        chores: Sequence[Callable[[], Awaitable[None]]],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        super().__init__("sweeper", on_failure)
        self._store = store
        self._clock = clock
        self._liveness = liveness
        self._worker = worker
        self._lease_seconds = lease_seconds
        self._contact: Contact | None = None
        self._renew = renew
        self._on_expired = on_expired
        self._chores = chores

    async def sweep(self) -> None:
        """
        One sweep. What runs here is renewed first: after an agent has held up the loop for longer than a lease, or the
        machine has slept, a worker must not take its own work away from itself.
        """
        await self._renew()
        workers = [worker for worker, _ in await self._store.list_workers() if worker != self._worker]
        dead = self._liveness.dead(workers)
        asked_at = self._clock.boot()
        expired = await self._store.expire(dead, leases_count(self._contact, asked_at, self._lease_seconds))
        self._contact = contact_after(self._contact, asked_at, self._clock.boot(), self._lease_seconds)
        if expired:
            self._on_expired()
        if dead:
            await self._store.forget_workers(dead)
        for chore in self._chores:
            await chore()

    async def run(self) -> None:
        while True:
            await self._clock.sleep(sweep_interval_seconds(self._lease_seconds))
            try:
                await self.sweep()
            except StoreUnavailable:
                continue
