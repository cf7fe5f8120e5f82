"""A store whose answers a test holds back, or makes errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from segue import Segue, SegueError
from segue.domain.records import Claim, ClaimRequest, Settled, Settlement
from segue.ports.clock import Clock, SystemClock
from segue.stores.memory import MemoryArtifacts, MemoryStore
from segue.stores.urls import StoreParts


class SlowDisk(MemoryStore):
    """A store whose commits wait for a gate, and may then fail; the answers to claims have a gate of their own."""

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self.gate, self.claim_gate = asyncio.Event(), asyncio.Event()
        self.gate.set()
        self.claim_gate.set()
        self.holding = False
        self.granted = asyncio.Event()
        """Set when something was claimed, and maybe not answered yet."""
        self.settled: list[str] = []
        self.error: SegueError | None = None

    async def settle(
        self,
        settlements: Sequence[Settlement],
        worker: str,
        lease_seconds: float,
        claim: ClaimRequest | None = None,
    ) -> tuple[Sequence[Settled], Sequence[Claim]]:
        """Settle when the gate is open."""
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.settled += [settlement.token.node for settlement in settlements]
        return await super().settle(settlements, worker, lease_seconds, claim)

    async def claim(self, request: ClaimRequest) -> Sequence[Claim]:
        """Claim at once, and answer when the gate is open."""
        claims = await super().claim(request)
        if claims:
            self.granted.set()
            await self.claim_gate.wait()
        return claims


@asynccontextmanager
async def open_on(store: SlowDisk, **settings: Any) -> AsyncIterator[Segue]:
    """A Segue on a store of a test's own."""
    parts = StoreParts(store, MemoryArtifacts(SystemClock()), None, store.liveness, lambda idle: None)
    async with Segue(parts, **settings) as segue:
        yield segue
