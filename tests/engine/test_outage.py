"""A store that is away for a while: attempts go on, nothing is run twice, and what was made is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import AsyncExitStack
from random import Random  # noqa: TID251 - with a seed
from typing import Any

import pytest

from segue import Segue, agent, ctx, workflow
from segue.engine.patience import PATIENCE_SECONDS, Pauses
from segue.engine.watch import sweeper
from segue.errors import StoreUnavailable
from segue.stores.memory import MemoryArtifacts, MemoryStore
from segue.stores.urls import StoreParts
from segue.testing import ManualClock

LEASE_SECONDS = 2.0
OUTAGE_SECONDS = 12.0
WRITES = frozenset({"submit", "settle", "claim", "renew", "expire", "note", "register_worker"})
READS = frozenset({"read_run", "read_graph", "read_tasks", "read_handoffs", "latest_handoffs", "next_due"})


class Away(MemoryStore):
    """A store in which some verbs fail while it is away; `lost` are those that do their work and lose the answer."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.away: Collection[str] = ()
        self.lost: Collection[str] = ()
        self.refused = 0

    def __getattribute__(self, name: str) -> Any:
        verb = super().__getattribute__(name)
        if name not in WRITES | READS:
            return verb

        async def asked(*given: Any, **named: Any) -> Any:
            if name in self.away:
                self.refused += 1
                raise StoreUnavailable("the store is away")
            answer = await verb(*given, **named)
            if name in self.lost:
                self.lost = set(self.lost) - {name}
                raise StoreUnavailable("the answer is lost")
            return answer

        return asked


class World:
    """Two workers on one store and one clock, and how often each task was run."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = Away(self.clock)
        self.ran: list[str] = []

    def opened(self, **settings: Any) -> Segue:
        parts = StoreParts(
            self.store, MemoryArtifacts(self.clock), None, self.store.liveness, lambda idle: None
        )
        return Segue(parts, clock=self.clock, lease_seconds=LEASE_SECONDS, **settings)

    async def turn(self, done: Callable[[], bool], most_seconds: float = 10_000.0) -> None:
        """Let time pass until something is so."""
        until = self.clock.boot() + most_seconds
        while not done():
            for _ in range(50):
                await self.clock.sleep(0)
            wake = self.clock.next_wake
            if done() or wake is None:
                continue
            assert self.clock.boot() < until, "it takes too long"
            self.clock.advance(wake)

    async def pass_(self, seconds: float) -> None:
        """Let so much time pass."""
        await self.turn(asyncio.ensure_future(self.clock.sleep(seconds)).done)

    async def result(self, handle: Any) -> Any:
        """What a run returns, however long it takes."""
        waiting = asyncio.ensure_future(handle.result())
        await self.turn(waiting.done)
        return await waiting


def many(world: World) -> Any:
    """A workflow of forty tasks that take seven seconds each."""

    @agent
    async def long(number: int) -> int:
        world.ran.append(ctx.task)
        await world.clock.sleep(7.0)
        return number

    @workflow
    def forty(numbers: list[int]) -> list[int]:
        return long.map(numbers)

    return forty


async def outages(world: World, times: int) -> int:
    """Let the store go away again and again under forty live leases; how many tasks ended."""
    numbers = list(range(40))
    async with AsyncExitStack() as stack:
        forty = many(world)
        one = await stack.enter_async_context(world.opened(agents=[forty]))
        await world.pass_(0.15)
        await stack.enter_async_context(world.opened(agents=[forty]))
        await world.pass_(5.0)
        for number in range(times):
            handle = await one.submit(forty, numbers)
            await world.pass_(3.0)
            world.store.away = WRITES
            # It comes back at any place of the rounds in which one renews and the other looks.
            await world.pass_(OUTAGE_SECONDS + number * 0.07)
            world.store.away = ()
            assert await world.result(handle) == numbers
    return times * len(numbers)


async def test_an_outage_far_longer_than_the_leases_runs_nothing_twice() -> None:
    """Five outages of twelve seconds under forty leases of two: every task runs once, although others look for work."""
    world = World()
    ended = await outages(world, 5)
    assert world.store.refused > 100
    assert len(world.ran) == ended == 200


async def test_without_the_grace_an_outage_would_run_things_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above would see it: where leases count at once, what ran during the outage is run again."""
    monkeypatch.setattr(sweeper, "leases_count", lambda contact, now, lease_seconds: True)
    for _ in range(5):  # chance decides on the pauses, and in one of twelve worlds none of them falls so
        world = World()
        ended = await outages(world, 5)
        if len(world.ran) > 1.02 * ended:
            break
    assert len(world.ran) > 1.02 * ended


@pytest.mark.parametrize("verb", ["claim", "settle", "submit", "note", "renew", "expire"])
async def test_an_answer_that_is_lost_is_asked_for_again(verb: str) -> None:
    """What was written and not answered is found by the same question: nothing runs twice, nothing lies claimed."""
    world = World()
    forty = many(world)
    async with world.opened(agents=[forty], concurrency=3) as segue:
        world.store.lost = {verb}
        submitting = asyncio.ensure_future(segue.submit(forty, [1, 2, 3, 4, 5]))
        await world.turn(submitting.done)
        began = world.clock.boot()
        assert await world.result(await submitting) == [1, 2, 3, 4, 5]
        assert world.clock.boot() - began < 2 * 7.0 + LEASE_SECONDS / 2
    assert sorted(world.ran) == [f"long[{number}]" for number in range(5)]


@pytest.mark.parametrize("verbs", [READS, WRITES | READS])
async def test_an_attempt_waits_for_its_store(verbs: Collection[str]) -> None:
    """Whatever an attempt asks the store, an outage makes it wait and not fail."""
    world = World()

    @agent
    async def first(text: str) -> str:
        world.store.away = verbs
        return text

    @agent
    async def second(text: str) -> str:
        return text + "!"

    @workflow
    def two(text: str) -> list[str]:
        return second.map([first(text)])

    async with world.opened(agents=[two]) as segue:
        handle = await segue.submit(two, "x")
        await world.pass_(60.0)
        world.store.away = ()
        assert await world.result(handle) == ["x!"]
        assert {task.attempt for task in await world.store.read_tasks(handle.run)} == {1}


async def test_patience_has_an_end() -> None:
    """A store that stays away is given up, with its error, after a time that is far longer than a lease."""
    world = World()
    forty = many(world)
    async with world.opened(agents=[forty]) as segue:
        handle = await segue.submit(forty, [1])
        await world.pass_(3.0)
        world.store.away = WRITES | READS
        waiting = asyncio.ensure_future(handle.result())
        began = world.clock.boot()
        await world.turn(waiting.done)
        with pytest.raises(StoreUnavailable, match="away"):
            await waiting
        assert PATIENCE_SECONDS <= world.clock.boot() - began < PATIENCE_SECONDS + 10.0
        world.store.away = ()


def test_pauses_grow_and_differ() -> None:
    """Those who lost their store together ask again at different times, ever more seldom, and never stop asking."""
    first, second = (Pauses(Random(seed)) for seed in (1, 2))
    pairs = [(first.next_seconds(), second.next_seconds()) for _ in range(20)]
    assert all(one != other for one, other in pairs)
    assert all(0 < each <= 2.0 for pair in pairs for each in pair)
    assert all(one >= 1.0 for one, _ in pairs[8:])
    first.restart()
    assert first.next_seconds() <= 0.02
