"""A speculative agent starts on a hand-off that is on its way to disk, and writes nothing if it does not arrive."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from segue import Later, RunCancelled, RunFailed, Segue, agent, ctx, workflow
from segue.errors import StoreFull
from segue.testing import ManualClock
from tests.engine.deadlines import soon
from tests.engine.slow_disk import SlowDisk, open_on


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


@pytest.fixture
def store_of_two() -> tuple[SlowDisk, Any, asyncio.Event]:
    """A slow disk, a chain whose second agent is speculative, and the event that it has started."""
    store, started = SlowDisk(), asyncio.Event()
    return store, chain_of_two(store, [], started, speculative=True), started


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
    """
    If the sender's commit fails the speculative attempt writes nothing, and who waits gets the store's error. Only the
    sender is handed back.
    """
    store, seen, started = SlowDisk(), list[str](), asyncio.Event()
    async with open_on(store) as segue:
        handle = await submit_warm(segue, store, chain_of_two(store, seen, started, speculative=True))
        await asyncio.wait_for(started.wait(), 5)
        store.error = StoreFull("the disk is full")
        store.gate.set()
        with pytest.raises(StoreFull):
            await handle.result()
        store.error = None
    assert store.settled == ["one"]
    assert [stored.node for stored in await store.latest_handoffs(handle.run)] == []
    (task,) = await store.read_tasks(handle.run)
    assert (task.node, task.state, task.claim) == ("one", "ready", None)


async def test_its_place_comes_back_once(store_of_two: tuple[SlowDisk, Any, asyncio.Event]) -> None:
    """Cancelled between its start and its claim, it gives back one place and not two."""
    store, chain, started = store_of_two
    async with open_on(store, concurrency=1) as segue:
        handle = await submit_warm(segue, store, chain)
        await soon(started.wait())
        await handle.cancel(by="me")
        store.gate.set()
        with pytest.raises(RunCancelled):
            await soon(handle.result())
        store.holding = False
        assert await soon(segue.run(chain, "y")) == "y!"
        assert segue.host.engine._slots.taken == 0


async def test_closing_meanwhile_hands_it_back(store_of_two: tuple[SlowDisk, Any, asyncio.Event]) -> None:
    """A worker that ends between its start and its claim commits the sender and hands the receiver back."""
    store, chain, started = store_of_two
    async with open_on(store) as segue:
        handle = await submit_warm(segue, store, chain)
        await soon(started.wait())
        closing = asyncio.create_task(segue.host.close())
        await asyncio.wait([closing], timeout=0.02)
        store.gate.set()
        await soon(closing)
    states = {task.node: (task.state, task.attempt) for task in await store.read_tasks(handle.run)}
    assert states == {"one": ("complete", 1), "two": ("ready", 0)}


async def test_a_slow_commit_does_not_supersede_it() -> None:
    """A commit that takes longer than a lease is renewed is no reason to give up what waits for it."""
    clock = ManualClock()
    store, seen, started = SlowDisk(clock), list[str](), asyncio.Event()
    chain = chain_of_two(store, seen, started, speculative=True)
    async with open_on(store, clock=clock) as segue:
        handle = await submit_warm(segue, store, chain)
        await soon(started.wait())
        began = clock.boot()
        while clock.boot() < began + 8.0:
            clock.advance(0.5)
            await asyncio.wait([asyncio.ensure_future(store.gate.wait())], timeout=0.001)
        store.gate.set()
        assert await soon(handle.result()) == "x!"
        assert seen == ["two starts"]
        assert segue.host.engine._slots.taken == 0


async def test_a_run_that_is_tried_again_does_not_wait_for_a_lease() -> None:
    """
    A speculative receiver that was skipped before is granted with its next epoch and runs at once: it used to be begun
    with the first epoch, found wrong, and left claimed until its lease was over.
    """
    store, fails = SlowDisk(), [True]

    @agent
    async def one(text: str) -> str:
        if fails[0]:
            raise ConnectionError("away")
        return text

    @agent(speculative=True)
    async def two(text: str) -> str:
        return text + "!"

    @workflow
    def chain(text: str) -> str:
        return two(one(text))

    async with open_on(store) as segue:
        handle = await segue.submit(chain, "x")
        with pytest.raises(RunFailed):
            await soon(handle.result())
        fails[0] = False
        await handle.retry(by="me")
        assert await soon(handle.result()) == "x!"


async def test_what_was_skipped_for_one_that_never_ran_does_not_wait_for_a_lease() -> None:
    """
    A sender that was cancelled before anybody had claimed it hands over in its first epoch when it is tried again, and
    its speculative receiver, which was skipped, is granted with its second: that grant is worked on at once.
    """
    store, seen, may_end = SlowDisk(), list[int](), asyncio.Event()

    @agent
    async def zero(text: str) -> str:
        await may_end.wait()
        return text

    @agent
    async def one(text: str) -> str:
        return text

    @agent(speculative=True)
    async def two(text: str) -> str:
        seen.append(ctx.epoch)
        return text + "!"

    @workflow
    def chain(text: str) -> str:
        return two(one(zero(text)))

    async with open_on(store) as segue:
        handle = await segue.submit(chain, "x")
        await handle.cancel("one", by="me")
        may_end.set()
        with pytest.raises(RunFailed):
            await soon(handle.result())
        epochs = {task.node: task.epoch for task in await store.read_tasks(handle.run)}
        assert epochs == {"zero": 1, "one": 0, "two": 1}
        await handle.retry("one", by="me")
        assert await soon(handle.result()) == "x!"
        assert seen[-1] == 2
        assert segue.host.engine._slots.taken == 0
    tasks = {task.node: (task.epoch, task.losses) for task in await store.read_tasks(handle.run)}
    assert tasks == {"zero": (2, 0), "one": (1, 0), "two": (2, 0)}


async def test_it_waits_for_a_later_like_any_other() -> None:
    """A `Later` that it awaits before its claim is committed is waited for, and not refused as superseded."""
    store, started = SlowDisk(), asyncio.Event()

    @agent
    async def one(text: str) -> str:
        if store.holding:
            store.gate.clear()
        return text

    @agent
    async def other(text: str) -> str:
        return "later"

    @agent(speculative=True)
    async def two(text: str, later: Later[str]) -> str:
        started.set()
        return f"{text} {await later}"

    @workflow
    def chain(text: str) -> str:
        return two(one(text), other(text))

    async with open_on(store) as segue:
        handle = await submit_warm(segue, store, chain)
        started.clear()
        await soon(started.wait())
        store.gate.set()
        assert await soon(handle.result()) == "x later"
