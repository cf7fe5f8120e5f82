"""
Ends agents whose time is up.

One timer serves them all, set for the first that is due. Nearly every agent ends long before its time, so beginning one
costs a comparison and ending it nothing.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Callable, Collection

from segue.engine.attempt import Attempt
from segue.ports.clock import Clock


class Timekeeper:
    """Watches the attempts that `running` names. Everything happens in the loop's thread."""

    def __init__(self, clock: Clock, running: Callable[[], Collection[Attempt]]) -> None:
        self._clock = clock
        self._running = running
        self._looks_at = math.inf
        self._timer: asyncio.Task[None] | None = None

    def begin(self, attempt: Attempt, seconds: float) -> None:
        """From now on the attempt has so many seconds."""
        attempt.ends_at = self._clock.boot() + seconds
        if attempt.ends_at < self._looks_at:
            self._set(attempt.ends_at)

    def halt(self, attempt: Attempt) -> float | None:
        """The attempt's time stands still; the seconds that it has left, None if it has no limit."""
        ends_at, attempt.ends_at = attempt.ends_at, None
        return None if ends_at is None else ends_at - self._clock.boot()

    async def stop(self) -> None:
        """Watch nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            await asyncio.wait([self._timer])

    def _set(self, looks_at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._looks_at = looks_at
        # In an empty context: that of the attempt which happens to be the first would be kept for as long as this.
        look = self._look_at(looks_at)
        self._timer = asyncio.get_running_loop().create_task(look, context=contextvars.Context())

    async def _look_at(self, boot: float) -> None:
        await self._clock.sleep(boot - self._clock.boot())
        self._timer, now = None, self._clock.boot()
        limited = [attempt for attempt in self._running() if attempt.ends_at is not None]
        for attempt in limited:
            if attempt.ends_at is not None and attempt.ends_at <= now:
                attempt.time_out()
        self._looks_at = math.inf
        later = [attempt.ends_at for attempt in limited if attempt.ends_at is not None]
        if later:
            self._set(min(later))
