"""
Hands what ended to the store, in batches, and starts what became ready.

Agents that end in the same turn of the loop are settled together, and everything that ends while a commit is on its way
to disk goes with the next one. One commit is in flight at a time: the store groups, and order stays simple to think
about. A commit that fails is repeated with the same tokens, which is safe: it may have been written after all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from segue.domain.records import Claim, ClaimRequest, Settled, Settlement
from segue.engine.attempts.attempt import Attempt
from segue.engine.service import Service
from segue.errors import StoreUnavailable
from segue.ports.clock import Clock
from segue.ports.store import Store


class Committer(Service):
    """
    Settles attempts that have ended, in batches.

    `on_settled` gets each answer, and whether the batch asked for claims too; `on_claims` gets those. Both get the time
    from which the leases of what was claimed count.
    """

    def __init__(
        self,
        store: Store,
        patient: Store,
        clock: Clock,
        worker: str,
        lease_seconds: float,
        wanted: Callable[[], ClaimRequest | None],
        on_settled: Callable[[Attempt, Settled, bool, float], None],
        on_claims: Callable[[ClaimRequest, Sequence[Claim], float], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        super().__init__("committer", on_failure)
        self._store = store
        self._patient = patient
        self._clock = clock
        self._worker = worker
        self._lease_seconds = lease_seconds
        self._wanted = wanted
        self._on_settled = on_settled
        self._on_claims = on_claims
        self._outbox: list[Attempt] = []
        self._more: asyncio.Future[None] | None = None
        self._committing = 0
        self._failed = False
        self._drains: list[asyncio.Future[None]] = []
        """Done when a commit has ended, for those who wait until none is left."""

    @property
    def waiting(self) -> int:
        """How many attempts have ended and are not committed yet."""
        return len(self._outbox) + self._committing

    def put(self, attempt: Attempt) -> None:
        """Settle this with the next batch. After a failure nothing is settled any more: the store would only refuse."""
        if self._failed:
            return
        self._outbox.append(attempt)
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    async def put_alone(self, attempt: Attempt) -> None:
        """
        Settle this at once, if nothing is being committed: for the only attempt that runs here, which nothing else can
        join.
        """
        if self._committing or self._outbox or self._failed:
            self.put(attempt)
        else:
            await self._commit([attempt])
            if self._outbox and self._more is not None and not self._more.done():
                self._more.set_result(None)

    async def drain(self) -> None:
        """Wait until everything that was put is committed, or cannot be."""
        while self.waiting and not self._failed:
            commit_ended = asyncio.get_running_loop().create_future()
            self._drains.append(commit_ended)
            await commit_ended

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self._outbox or self._committing:
                self._more = loop.create_future()
                await self._more
            batch, self._outbox = self._outbox, []
            await self._commit(batch)

    async def _commit(self, batch: list[Attempt]) -> None:
        self._committing = len(batch)
        asked_at = self._clock.boot()
        request = self._wanted()
        settlements = [attempt.settlement for attempt in batch]
        try:
            try:
                answers, claims = await self._settle(self._store, settlements, request)
            except StoreUnavailable:
                answers, claims = await self._settle(self._patient, settlements, request)
        except BaseException:
            self._failed = True
            raise
        finally:
            self._committing = 0
            drains, self._drains = self._drains, []
            for commit_ended in drains:
                if not commit_ended.done():
                    commit_ended.set_result(None)
        for attempt, answer in zip(batch, answers, strict=True):
            self._on_settled(attempt, answer, request is not None, asked_at)
        if request is not None:
            self._on_claims(request, claims, asked_at)

    def _settle(
        self, store: Store, settlements: list[Settlement], request: ClaimRequest | None
    ) -> Awaitable[tuple[Sequence[Settled], Sequence[Claim]]]:
        return store.settle(settlements, self._worker, self._lease_seconds, request)
