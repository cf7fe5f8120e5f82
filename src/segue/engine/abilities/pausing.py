"""
An attempt that waits for hand-offs gives its place to others, and its time stands still.

It may wait for several at once. Its place comes back with the last of them, because what the others wait for may need
it. The store hears of each change, and of the pools that the attempt gives up meanwhile has the say when it goes on:
these come first and the place here second, so that nobody holds a place and waits for a pool. Everything happens in the
loop's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from segue.engine.attempts.attempt import Attempt, Clocked
from segue.engine.attempts.timekeeper import Timekeeper
from segue.engine.flow.slots import Slots

Park = Callable[[Attempt, Sequence[str]], Awaitable[None]]
GoOn = Callable[[Attempt], Awaitable[None]]


class Pause:
    """The waits of one attempt, each for some nodes. `park` tells the store of them, `go_on` takes the pools again."""

    def __init__(
        self, attempt: Attempt, slots: Slots, timekeeper: Timekeeper, park: Park, go_on: GoOn
    ) -> None:
        self._attempt = attempt
        self._slots = slots
        self._timekeeper = timekeeper
        self._park = park
        self._go_on = go_on
        self._waits: list[tuple[str, ...]] = []
        self._changing = asyncio.Lock()
        self._seconds_left: dict[Clocked, float] = {}

    def begin(self, nodes: tuple[str, ...]) -> bool:
        """Wait for something more. True if it is the first: the place was given back, and time stands still."""
        self._waits.append(nodes)
        attempt = self._attempt
        if attempt.released_slot:
            return False
        attempt.released_slot = True
        self._slots.release(attempt.claim.agent)
        self._seconds_left = self._timekeeper.halt(attempt)
        return True

    async def tell(self) -> None:
        """Let the store know for what the attempt waits now."""
        async with self._changing:
            await self._park(self._attempt, self._awaited)

    async def end(self, nodes: tuple[str, ...]) -> None:
        """One wait is over. With the last one the attempt goes on as soon as there is a place for it."""
        self._waits.remove(nodes)
        async with self._changing:
            if not self._is_to_return:
                return
            try:
                await self._go_on(self._attempt)
                await self._slots.wait(self._attempt.claim.agent)
            except asyncio.CancelledError:
                await self._return_anyway()
                raise
            if self._is_to_return:
                self._return()
            else:  # it waits for something else by now
                self._slots.release(self._attempt.claim.agent)

    async def break_off(self, nodes: tuple[str, ...]) -> None:
        """
        A wait was given up: the agent goes on, and its place is counted even if none is free. Without its pools it must
        not, unless it is only to end.
        """
        self._waits.remove(nodes)
        if self._attempt.is_told_to_end:
            self._return_at_once()
            return
        async with self._changing:
            if self._is_to_return:
                await self._return_anyway()
            elif self._waits:
                await self._park(self._attempt, self._awaited)

    async def _return_anyway(self) -> None:
        try:
            if not self._attempt.is_told_to_end:
                await self._go_on(self._attempt)
        finally:
            self._return_at_once()

    @property
    def _awaited(self) -> tuple[str, ...]:
        return tuple(sorted({node for nodes in self._waits for node in nodes}))

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
