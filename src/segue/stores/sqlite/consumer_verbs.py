"""The part of the store that lets events be handled durably."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from segue.domain.consumers import (
    Consumed,
    ConsumeRequest,
    ConsumerRecord,
    ConsumerToken,
    Since,
    Trouble,
)
from segue.domain.records import Verdict
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import Transaction
from segue.stores.sqlite.transitions import consuming
from segue.stores.sqlite.verbs import ReadingVerbs


class ConsumerVerbs(ReadingVerbs):
    """The verbs of the contract for consumers."""

    if TYPE_CHECKING:

        def _write(
            self, operation: Callable[[Transaction], Any], *, quiet: bool = False
        ) -> Awaitable[Any]: ...

    async def register_consumer(self, name: str, since: Since) -> str:
        """Make a consumer known."""
        incarnation = self._files().incarnation
        answer: str = await self._write(
            lambda tx: consuming.register(tx, name, since, incarnation), quiet=True
        )
        return answer

    async def consume(self, request: ConsumeRequest) -> Consumed:
        """Take a consumer that nobody holds. Where it is not to be had, nothing is written."""
        incarnation, boot = self._files().incarnation, self._clock.boot()
        refusal = self._readers().near(
            lambda connection: consuming.refused(connection, request, incarnation, boot)
        )
        if refusal is not None:
            return refusal
        answer: Consumed = await self._write(
            lambda tx: consuming.consume(tx, request, incarnation), quiet=True
        )
        return answer

    async def advance(self, token: ConsumerToken, cursor: str, lease_seconds: float) -> Verdict:
        """Note how far a consumer has got; others need to hear of it only when it is let go."""
        incarnation = self._files().incarnation
        answer: Verdict = await self._write(
            lambda tx: consuming.advance(tx, token, cursor, lease_seconds, incarnation),
            quiet=lease_seconds > 0,
        )
        return answer

    async def stumble(self, trouble: Trouble) -> Verdict:
        """Note that an event could not be handled."""
        incarnation = self._files().incarnation
        answer: Verdict = await self._write(lambda tx: consuming.stumble(tx, trouble, incarnation))
        return answer

    async def unpark(self, name: str, *, past: bool, data: str | None) -> bool:
        """Let a parked consumer go on."""
        answer: bool = await self._write(lambda tx: consuming.unpark(tx, name, past, data))
        return answer

    async def forget_consumer(self, name: str) -> bool:
        """Forget a consumer that nobody holds."""
        answer: bool = await self._write(lambda tx: tx.changed(SQL.forget_consumer, (name, tx.boot)))
        return answer

    async def read_consumers(self) -> Sequence[ConsumerRecord]:
        """All consumers, by name."""
        incarnation = self._files().incarnation
        return await self._readers().far(lambda connection: consuming.consumers(connection, incarnation))
