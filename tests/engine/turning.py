"""Time that jumps from sleeper to sleeper while a test waits for something."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from segue.testing import ManualClock

T = TypeVar("T")


async def turning(clock: ManualClock, waiting: Awaitable[T]) -> T:
    """Await something while time jumps to the next sleeper whenever nothing else can go on."""
    task = asyncio.ensure_future(waiting)
    while not task.done():
        for _ in range(50):
            await asyncio.sleep(0)  # noqa: TID251 - lets every ready task have its turn
        wake = clock.next_wake
        if not task.done() and wake is not None:
            clock.advance(wake)
    return await task
