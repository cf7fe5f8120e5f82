"""
Keeps the leases of running attempts alive, in one batch, and tells an attempt that has lost its claim.

A lease is counted from before the store was asked for it, and trusted for two thirds of its length only: a worker stops
before the store takes the task away.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from segue.domain.running.lease import renew_interval_seconds
from segue.engine.attempts.attempt import Attempt
from segue.engine.service import Service
from segue.errors import StoreUnavailable
from segue.ports.clock import Clock
from segue.ports.store import Note, Store


class Renewer(Service):
    """Renews what has been running for a while; short tasks are never renewed."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        lease_seconds: float,
        running: Callable[[], Collection[Attempt]],
        on_lost: Callable[[Attempt], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        super().__init__("renewer", on_failure)
        self._store = store
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._beat_seconds = renew_interval_seconds(lease_seconds) / 2
        self._running = running
        self._on_lost = on_lost

    async def run(self) -> None:
        while True:
            await self._clock.sleep(self._beat_seconds)
            await self.renew()
            await self._report()

    async def _report(self) -> None:
        """Write down what agents have said of their progress too soon after they had said something else."""
        saying = [
            (attempt, attempt.unreported) for attempt in self._running() if attempt.unreported is not None
        ]
        if not saying:
            return
        notes = [Note(each.token, each.claim.agent, "progress", None, data) for each, data in saying]
        try:
            verdicts = await self._store.note(notes)
        except StoreUnavailable:
            return
        for (attempt, data), verdict in zip(saying, verdicts, strict=True):
            if attempt.unreported == data:
                attempt.unreported = None
            if verdict == "stale" and not attempt.ended:
                self._on_lost(attempt)

    async def renew(self, run: str | None = None) -> None:
        """Renew what is due, or all that runs for one run."""
        now = self._clock.boot()
        due = [
            attempt
            for attempt in self._running()
            if (now - attempt.renewed_at >= self._beat_seconds if run is None else attempt.run == run)
        ]
        if not due:
            return
        try:
            alive = await self._store.renew([attempt.token for attempt in due], self._lease_seconds)
        except StoreUnavailable:
            # The attempts go on: their results may still be accepted, and the next beat asks again.
            return
        for attempt, kept in zip(due, alive, strict=True):
            if kept:
                attempt.renewed_at = now
            else:
                self._on_lost(attempt)
