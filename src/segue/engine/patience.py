"""Asking a store again that cannot be reached: every verb may be repeated as it was, and finds what it did before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from segue.errors import StoreClosed, StoreUnavailable
from segue.ports.chance import Chance
from segue.ports.clock import Clock
from segue.ports.store import Store

T = TypeVar("T")

PATIENCE_SECONDS = 300.0
"""
How long a store that cannot be reached is asked again before the engine gives up, with an error. Far longer than a
lease: agents work on meanwhile, and what they have made is worth more than the wait. Backups, restarts and somebody's
open transaction end within minutes; what takes longer needs a person.
"""

_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 2.0


class Pauses:
    """The waits between questions to a store that is away: each up to twice the one before, none the same for all."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._next_seconds = _FIRST_PAUSE_SECONDS

    def next_seconds(self) -> float:
        """How long to wait now. Those who lost their store together must not come back together."""
        longest, self._next_seconds = self._next_seconds, min(self._next_seconds * 2, _LONGEST_PAUSE_SECONDS)
        return longest * (0.5 + self._chance.random() / 2)

    def restart(self) -> None:
        """The store is back."""
        self._next_seconds = _FIRST_PAUSE_SECONDS


def patient(store: Store, clock: Clock, chance: Chance, patience_seconds: float) -> Store:
    """The same store, for what an attempt asks of it: an outage makes the attempt wait and not fail."""
    return cast(Store, _Patient(store, clock, chance, patience_seconds))


class _Patient:
    """Every verb of a store, each repeated while the store cannot be reached and patience lasts."""

    def __init__(self, store: Store, clock: Clock, chance: Chance, patience_seconds: float) -> None:
        self._store = store
        self._clock = clock
        self._chance = chance
        self._patience_seconds = patience_seconds

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._store, name)
        if name == "notifier":
            return verb
        return lambda *given, **named: self._ask(lambda: verb(*given, **named))

    async def _ask(self, call: Callable[[], Awaitable[T]]) -> T:
        give_up_at = self._clock.boot() + self._patience_seconds
        pauses = Pauses(self._chance)
        while True:
            try:
                return await call()
            except StoreClosed:
                raise
            except StoreUnavailable:
                if self._clock.boot() >= give_up_at:
                    raise
            await self._clock.sleep(pauses.next_seconds())
