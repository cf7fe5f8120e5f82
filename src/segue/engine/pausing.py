"""
An attempt that waits for hand-offs gives its place to others, and its time stands still.

It may wait for several at once. Its place comes back with the last of them, because what the others wait for may need
it. Everything happens in the loop's thread.
"""

from __future__ import annotations

import asyncio

from segue.engine.attempt import Attempt
from segue.engine.slots import Slots
from segue.engine.timekeeper import Timekeeper
from segue.errors import Budget


class Pause:
    """The waits of one attempt."""

    def __init__(self, attempt: Attempt, slots: Slots, timekeeper: Timekeeper) -> None:
        self._attempt = attempt
        self._slots = slots
        self._timekeeper = timekeeper
        self._waits = 0
        self._returning = asyncio.Lock()
        self._seconds_left: dict[Budget, float] = {}

    def begin(self) -> bool:
        """Wait for one thing more. True if it is the first: the place was given back, and time stands still."""
        self._waits += 1
        attempt = self._attempt
        if attempt.released_slot:
            return False
        attempt.released_slot = True
        self._slots.release(attempt.claim.agent)
        self._seconds_left = self._timekeeper.halt(attempt)
        return True

    async def end(self) -> bool:
        """One wait is over. The last one takes the place again as soon as there is one; True if this call did."""
        self._waits -= 1
        async with self._returning:
            if not self._is_to_return:
                return False
            try:
                await self._slots.wait(self._attempt.claim.agent)
            except asyncio.CancelledError:
                self._return_at_once()
                raise
            if not self._is_to_return:
                self._slots.release(self._attempt.claim.agent)
                return False
            self._return()
            return True

    def break_off(self) -> None:
        """A wait was given up: the agent goes on now, and its place is counted even if none is free."""
        self._waits -= 1
        if not self._returning.locked():
            self._return_at_once()

    @property
    def _is_to_return(self) -> bool:
        return not self._waits and self._attempt.released_slot and not self._attempt.ended

    def _return_at_once(self) -> None:
        if self._is_to_return:
            self._slots.take(self._attempt.claim.agent)
            self._return()

    def _return(self) -> None:
        attempt = self._attempt
        attempt.released_slot = False
        if attempt.in_agent:
            for budget, seconds in self._seconds_left.items():
                # Waiting is not idling: that begins anew.
                whole = attempt.terms.idle_seconds if budget == "idle" else None
                self._timekeeper.begin(attempt, budget, seconds if whole is None else whole)
