"""What a store keeps of pools: their places, the attempts that wait in the middle, and the way out of a deadlock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from segue.domain.decisions import Untangling
from segue.domain.records import NodeNeed, Settled, Token, Verdict
from segue.domain.rows import PoolRecord, Waits


class PoolStore(Protocol):
    """
    The part of a store that knows who holds places and who waits.

    Whose turn it is, `segue.domain.running.pooling` says.
    """

    async def park(self, token: Token, awaits: Sequence[str]) -> Verdict:
        """
        Note that an attempt waits in the middle for tasks of these nodes: of its pools it holds only what it keeps.

        Accepted while the task is claimed by it, `repeated` if it waits for just these already.
        """
        ...

    async def go_on(self, token: Token) -> Verdict | Literal["wait"]:
        """
        Note that an attempt goes on, if it can have its places back, all of them; `repeated` if it is not parked.

        `wait`: they are kept for it from now on, before anything new; ask again when something was committed.
        """
        ...

    async def note_needs(self, token: Token, needs: Sequence[NodeNeed]) -> Verdict:
        """
        Note how many places the task of a running attempt may need from now on, beside what was known before: it is
        about to go to another agent. No pool becomes smaller than that while the task has not settled.

        Fenced. Raises `PoolTooSmall` if one is already, and then notes nothing.
        """
        ...

    async def set_pool(self, name: str, capacity: int) -> None:
        """
        Say how many places a pool has; 0 takes it away. Nothing is taken from those who hold places.

        Raises `PoolTooSmall` if a task that has not settled, of a run that has not ended, needs more.
        """
        ...

    async def read_pools(self) -> Sequence[PoolRecord]:
        """All pools, by name."""
        ...

    async def read_waits(self) -> Waits | None:
        """
        One view of all who may wait for one another; None if nobody who waits keeps what others may need, and no pause
        is to end with a task, so that there cannot be a deadlock.
        """
        ...

    async def untangle(self, untangling: Untangling) -> Settled:
        """
        Write down a deadlock that was found, and break it if that is wanted.

        Accepted while the claim that is its victim stands and is parked, or the pause that is can still be ended: of
        several who find the same deadlock one breaks it, and the others are told `stale`. One that is only to be told
        is told once (`repeated`).
        """
        ...
