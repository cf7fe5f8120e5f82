"""Time that moves only when a test says so."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count


class ManualClock:
    """A clock for tests: `advance` moves it and wakes those whose sleep is over."""

    def __init__(self, wall: float = 1_700_000_000.0, boot: float = 1_000.0) -> None:
        self._wall = wall
        self._boot = boot
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def wall(self) -> float:
        """Seconds since 1970."""
        return self._wall

    def boot(self) -> float:
        """Seconds since an imagined start of the machine."""
        return self._boot

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been moved so far."""
        sleeper = asyncio.get_running_loop().create_future()
        if seconds > 0:
            heapq.heappush(self._sleepers, (self._boot + seconds, next(self._order), sleeper))
        else:
            asyncio.get_running_loop().call_soon(_wake, sleeper)
        await sleeper

    @property
    def next_wake(self) -> float | None:
        """Seconds until the next sleeper wakes; None if nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] - self._boot if self._sleepers else None

    def advance(self, seconds: float) -> None:
        """Move both clocks forward and wake, in order, everybody whose time has come."""
        if seconds < 0:
            raise ValueError("time does not go back; `jump` moves the wall clock alone")
        self._wall += seconds
        self._boot += seconds
        while self._sleepers and self._sleepers[0][0] <= self._boot:
            _wake(heapq.heappop(self._sleepers)[2])

    def jump(self, seconds: float) -> None:
        """Move the wall clock alone, as when a machine's time is set; leases must not care."""
        self._wall += seconds


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)
