"""A test that would hang fails instead."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")

SOON_SECONDS = 4.0
"""Long for a busy machine, and shorter than the slow poll, so that no test passes by it."""


async def soon(waiting: Awaitable[T]) -> T:
    """Await something that must come by itself."""
    return await asyncio.wait_for(waiting, SOON_SECONDS)
