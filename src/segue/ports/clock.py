"""Time as an argument: the one module that reads a clock or sleeps."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Protocol


class Clock(Protocol):
    """Where Segue gets its time from. Seconds everywhere."""

    def wall(self) -> float:
        """Seconds since 1970, for records and deadlines. It may jump."""
        ...

    def boot(self) -> float:
        """Seconds since the machine started, also while it slept, for leases. It never jumps."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


# Only Linux counts the time that a machine slept; elsewhere the monotonic clock is the nearest there is.
_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The machine's clocks."""

    wall = staticmethod(time.time)
    boot = staticmethod(partial(time.clock_gettime, _BOOT_CLOCK))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
