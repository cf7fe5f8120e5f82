"""Time that moves only when a test says so."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count

from segue.ports.clock import Clock, Timer


class _Timer:
    """What a clock is to call when it has been moved so far; None once that is over."""

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """Call nothing."""
        self.callback = None

    def fire(self) -> None:
        """Call it, unless that is over."""
        callback, self.callback = self.callback, None
        if callback is not None:
            callback()


class ManualClock:
    """A clock for tests: `advance` moves it and wakes those whose sleep is over."""

    def __init__(self, wall: float = 1_700_000_000.0, boot: float = 1_000.0) -> None:
        self._wall = wall
        self._boot = boot
        self._order = count()
        self._timers: list[tuple[float, int, _Timer]] = []

    def wall(self) -> float:
        """Seconds since 1970."""
        return self._wall

    def boot(self) -> float:
        """Seconds since an imagined start of the machine."""
        return self._boot

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been moved so far."""
        await sleep_by(self, seconds)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call something when the clock has been moved so far."""
        timer = _Timer(callback)
        if seconds > 0:
            heapq.heappush(self._timers, (self._boot + seconds, next(self._order), timer))
        else:
            asyncio.get_running_loop().call_soon(timer.fire)
        return timer

    @property
    def next_wake(self) -> float | None:
        """Seconds until the next sleeper wakes; None if nobody sleeps."""
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        return self._timers[0][0] - self._boot if self._timers else None

    def advance(self, seconds: float) -> None:
        """Move both clocks forward and wake, in order, everybody whose time has come."""
        if seconds < 0:
            raise ValueError("time does not go back; `jump` moves the wall clock alone")
        self._wall += seconds
        self._boot += seconds
        while self._timers and self._timers[0][0] <= self._boot:
            heapq.heappop(self._timers)[2].fire()

    def jump(self, seconds: float) -> None:
        """Move the wall clock alone, as when a machine's time is set; leases must not care."""
        self._wall += seconds


async def sleep_by(clock: Clock, seconds: float) -> None:
    """Wait as the timers of a clock say."""
    over = asyncio.Event()
    timer = clock.call_later(seconds, over.set)
    try:
        await over.wait()
    finally:
        timer.cancel()
