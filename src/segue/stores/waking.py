"""Wake-ups inside one process."""

from __future__ import annotations

import asyncio
from functools import partial

from segue.ports.clock import Clock

Waiters = dict[asyncio.Future[None], None]
"""Who waits, in the order in which they began to: they are woken in that order too."""


class LocalNotifier:
    """Counts commits and wakes those who wait for the next one. Belongs to one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._own = 0
        self._foreign = 0
        self._waiters: Waiters = {}
        self._foreign_waiters: Waiters = {}

    @property
    def count(self) -> int:
        """How often something was committed, by anybody."""
        return self._own + self._foreign

    @property
    def foreign(self) -> int:
        """How often something was committed by another process, or may have been."""
        return self._foreign

    @property
    def waited_for(self) -> bool:
        """Whether anybody waits at present."""
        return bool(self._waiters or self._foreign_waiters)

    def notify(self) -> None:
        """Tell everybody in this process that it committed something."""
        self._own += 1
        for waiter in self._waiters:
            _wake(waiter)

    def notify_foreign(self) -> None:
        """Tell everybody in this process that another one committed something."""
        self._foreign += 1
        for waiter in (*self._waiters, *self._foreign_waiters):
            _wake(waiter)

    async def wait(self, seen: int, timeout_seconds: float) -> int:
        """Return `count` as soon as it differs from `seen`, or after the time-out."""
        if self.count == seen:
            await self._sleep(self._waiters, timeout_seconds)
        return self.count

    async def wait_foreign(self, seen: int, timeout_seconds: float) -> int:
        """Return `foreign` as soon as it differs from `seen`, or after the time-out."""
        if self._foreign == seen:
            await self._sleep(self._foreign_waiters, timeout_seconds)
        return self._foreign

    async def _sleep(self, waiters: Waiters, timeout_seconds: float) -> None:
        waiter = asyncio.get_running_loop().create_future()
        timer = self._clock.call_later(timeout_seconds, partial(_wake, waiter))
        waiters[waiter] = None
        try:
            await waiter
        finally:
            waiters.pop(waiter, None)
            timer.cancel()


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
