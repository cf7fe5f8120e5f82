"""The part of a store's contract by which events are handled durably, at least once, by one worker at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from segue.domain.consumers import (
    Consumed,
    ConsumeRequest,
    ConsumerRecord,
    ConsumerToken,
    Since,
    Trouble,
)
from segue.domain.records import Verdict


class ConsumerStore(Protocol):
    """
    Consumers, by name.

    What every store promises:

    - A consumer is held by one worker at a time, under an epoch that goes up by one with each grant.
    - Its position never goes back, and only who holds it moves it on.
    - It is let go when its worker is expired as dead, and may be granted anew when its lease is over.
    - What a consumer has not passed yet is not pruned.
    """

    async def register_consumer(self, name: str, since: Since) -> str:
        """Make a consumer known; the cursor up to which it is done. One that is known already stays where it is."""
        ...

    async def consume(self, request: ConsumeRequest) -> Consumed:
        """
        Take a consumer, if it has not passed what is wanted, nobody holds it and it may go on.

        One that is not known is never granted. Raises `CursorExpired` for a cursor of another incarnation.
        """
        ...

    async def advance(self, token: ConsumerToken, cursor: str, lease_seconds: float) -> Verdict:
        """
        Note that everything up to a cursor is done with, and keep the consumer for so long from now; 0 lets it go.

        A cursor before its position does not move it. `stale` if somebody else was granted it meanwhile. Raises
        `CursorExpired` for a cursor of another incarnation.
        """
        ...

    async def stumble(self, trouble: Trouble) -> Verdict:
        """Note that an event could not be handled, with its event in the log, and let the consumer go."""
        ...

    async def unpark(self, name: str, *, past: bool, data: str | None) -> bool:
        """
        Let a consumer go on that was parked: with the event that it came to grief on, or `past` it.

        The log of that event's run says so (`resumed`, `skipped`). False if it is not parked.
        """
        ...

    async def forget_consumer(self, name: str) -> bool:
        """Forget a consumer that nobody holds; False if somebody does, or there is none."""
        ...

    async def read_consumers(self) -> Sequence[ConsumerRecord]:
        """All consumers, by name."""
        ...
