"""Asking a store again that cannot be reached: what is written with a token may be repeated as it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from segue.errors import StoreUnavailable
from segue.ports.clock import Clock

T = TypeVar("T")

PATIENCE_SECONDS = 10.0
"""How long a store that cannot be reached is asked again before the engine gives up, with an error."""

_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 1.0


async def patiently(call: Callable[[], Awaitable[T]], clock: Clock) -> T:
    """The answer of a call that may be repeated. Raises `StoreUnavailable` when patience is at its end."""
    give_up_at = clock.boot() + PATIENCE_SECONDS
    pause_seconds = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return await call()
        except StoreUnavailable:
            if clock.boot() >= give_up_at:
                raise
        await clock.sleep(pause_seconds)
        pause_seconds = min(pause_seconds * 2, _LONGEST_PAUSE_SECONDS)
