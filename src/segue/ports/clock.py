"""Time as an argument: the one module that reads a clock or sleeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol


class Timer(Protocol):
    """Something that is to happen later."""

    def cancel(self) -> None:
        """It is not to happen any more."""
        ...


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

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call something in the running event loop after a while: cheaper than a task that sleeps."""
        ...


# Only Linux counts the time that a machine slept; elsewhere the monotonic clock is the nearest there is.
_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The machine's clocks."""

    wall = staticmethod(time.time)
    boot = staticmethod(partial(time.clock_gettime, _BOOT_CLOCK))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        return asyncio.get_running_loop().call_later(seconds, callback)
