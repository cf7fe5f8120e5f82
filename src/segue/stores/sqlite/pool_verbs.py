"""The part of the store that knows who holds places and who waits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from segue.domain.decisions import Untangling
from segue.domain.records import NodeNeed, Settled, Token, Verdict
from segue.domain.rows import PoolRecord, Waits
from segue.stores.sqlite.transaction import Transaction
from segue.stores.sqlite.transitions import pooling, untangling
from segue.stores.sqlite.verbs import ReadingVerbs


class PoolVerbs(ReadingVerbs):
    """The verbs of the contract for pools, and for attempts that wait in the middle."""

    if TYPE_CHECKING:

        def _write(
            self, operation: Callable[[Transaction], Any], *, quiet: bool = False
        ) -> Awaitable[Any]: ...

    async def park(self, token: Token, awaits: Sequence[str]) -> Verdict:
        """Note that an attempt waits in the middle."""
        answer: Verdict = await self._write(lambda tx: pooling.park(tx, token, awaits))
        return answer

    async def go_on(self, token: Token) -> Verdict | Literal["wait"]:
        """Note that an attempt goes on, if it can have its places back. Who is told to wait again writes nothing."""
        if self._readers().near(lambda connection: pooling.must_wait(connection, token)):
            return "wait"
        answer: Verdict | Literal["wait"] = await self._write(lambda tx: pooling.go_on(tx, token))
        return answer

    async def note_needs(self, token: Token, needs: Sequence[NodeNeed]) -> Verdict:
        """Note how many places a task may need from now on."""
        answer: Verdict = await self._write(lambda tx: pooling.note_needs(tx, token, needs))
        return answer

    async def set_pool(self, name: str, capacity: int) -> None:
        """Say how many places a pool has."""
        await self._write(lambda tx: pooling.set_pool(tx, name, capacity))

    async def read_pools(self) -> Sequence[PoolRecord]:
        """All pools, by name."""
        return await self._readers().far(pooling.read_pools)

    async def read_waits(self) -> Waits | None:
        """One view of all who may wait for one another. Where nobody can wait in vain that takes one small look."""
        if not self._readers().near(untangling.may_be_deadlock):
            return None
        boot, wall = self._clock.boot(), self._clock.wall()
        return await self._readers().far(lambda connection: untangling.waits(connection, boot, wall))

    async def untangle(self, untangled: Untangling) -> Settled:
        """Write down a deadlock, and end the attempt of its victim if that is wanted."""
        answer: Settled = await self._write(lambda tx: untangling.untangle(tx, untangled))
        return answer
