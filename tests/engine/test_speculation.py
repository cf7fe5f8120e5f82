"""A speculative agent starts on a hand-off that is on its way to disk, and writes nothing if it does not arrive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from segue import Segue, SegueError, agent, workflow
from segue.domain.records import Claim, ClaimRequest, Settled, Settlement
from segue.errors import StoreFull
from segue.ports.clock import SystemClock
from segue.stores.memory import MemoryArtifacts, MemoryStore
from segue.stores.urls import StoreParts


class SlowDisk(MemoryStore):
    """A store whose commits wait for a gate, and may then fail."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.holding = False
        self.settled: list[str] = []
        self.error: SegueError | None = None

    async def settle(
        self,
        settlements: Sequence[Settlement],
        worker: str,
        lease_seconds: float,
        claim: ClaimRequest | None = None,
    ) -> tuple[Sequence[Settled], Sequence[Claim]]:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.settled += [settlement.token.node for settlement in settlements]
        return await super().settle(settlements, worker, lease_seconds, claim)


@asynccontextmanager
async def open_on(store: SlowDisk) -> AsyncIterator[Segue]:
    """A Segue on a store of a test's own."""
    parts = StoreParts(store, MemoryArtifacts(SystemClock()), None, store.liveness, lambda idle: None)
    async with Segue(parts) as segue:
        yield segue


async def submit_warm(segue: Segue, store: SlowDisk, chain: Any) -> Any:
    """Submit a chain to a worker that has run it before, and so looks for no other work."""
    await segue.run(chain, "warm")
    store.settled.clear()
    store.holding = True
    return await segue.submit(chain, "x")


def chain_of_two(store: SlowDisk, seen: list[str], started: asyncio.Event, *, speculative: bool) -> Any:
    """Two agents: the first closes the gate before it returns, the second says that it has started."""

    @agent
    async def one(text: str) -> str:
        if store.holding:
            store.gate.clear()
        return text

    @agent(speculative=speculative)
    async def two(text: str) -> str:
        if store.holding:
            seen.append("two starts")
            started.set()
        return text + "!"

    @workflow
    def chain(text: str) -> str:
        return two(one(text))

    return chain


async def test_it_starts_before_the_commit_and_settles_after_it() -> None:
    """The receiver runs while the sender's commit waits; nothing of it is written first, and the record shows it."""
    store, seen, started = SlowDisk(), list[str](), asyncio.Event()
    async with open_on(store) as segue:
        handle = await submit_warm(segue, store, chain_of_two(store, seen, started, speculative=True))
        await asyncio.wait_for(started.wait(), 5)
        assert store.settled == []
        store.gate.set()
        assert await handle.result() == "x!"
        assert store.settled == ["one", "two"]
        assert seen == ["two starts"]
        events = {event.name: event async for event in segue.events(handle.run)}
        assert json.loads(events["task.two.complete"].data or "{}") == {"speculative": True}
        assert events["task.one.complete"].data is None


async def test_without_it_nothing_starts_early() -> None:
    """By default the receiver waits for committed input (what the test above would see if it did not)."""
    store, seen, started = SlowDisk(), list[str](), asyncio.Event()
    async with open_on(store) as segue:
        handle = await submit_warm(segue, store, chain_of_two(store, seen, started, speculative=False))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(started.wait(), 0.05)
        store.gate.set()
        assert await handle.result() == "x!"


async def test_a_failed_commit_takes_it_with_it() -> None:
    """If the sender's commit fails the speculative attempt writes nothing, and who waits gets the store's error."""
    store, seen, started = SlowDisk(), list[str](), asyncio.Event()
    async with open_on(store) as segue:
        handle = await submit_warm(segue, store, chain_of_two(store, seen, started, speculative=True))
        await asyncio.wait_for(started.wait(), 5)
        store.error = StoreFull("the disk is full")
        store.gate.set()
        with pytest.raises(StoreFull):
            await handle.result()
        store.error = None
    assert store.settled == []
    assert [stored.node for stored in await store.latest_handoffs(handle.run)] == []
