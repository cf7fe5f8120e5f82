"""Waiting: one value, awaited or waited for."""

from __future__ import annotations

import asyncio
import threading

import pytest

from segue.domain.envelope.handoff import Later
from segue.domain.envelope.waiting import Action, Waitable
from tests.unit.envelope.helpers import block


class Source:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self) -> int:
        self.asked += 1
        return self.asked


async def test_awaiting_starts_and_gives_the_value() -> None:
    """Nothing happens before the await, and each await starts anew."""
    source = Source()
    waitable = Waitable(source, block)
    assert source.asked == 0
    assert [await waitable, await waitable] == [1, 2]


async def test_it_can_be_gathered_and_limited_in_time() -> None:
    """The tools of asyncio take it like any awaitable."""
    source = Source()
    async with asyncio.timeout(5):
        assert await asyncio.gather(Waitable(source, block), Waitable(source, block)) == [1, 2]


def test_wait_blocks_through_the_given_helper() -> None:
    """The blocking twin is the same start, run by whoever knows where awaitables run."""
    source = Source()
    seen: list[object] = []

    def spy(start: object) -> int:
        seen.append(start)
        return 7

    assert Waitable(source, spy).wait() == 7  # type: ignore[arg-type]
    assert seen == [source]
    assert source.asked == 0


async def test_a_thread_waits_while_the_loop_goes_on() -> None:
    """A `def` agent's wait runs in the loop that belongs to everybody and blocks only its own thread."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()

    async def start() -> str:
        await ready.wait()
        return threading.current_thread().name

    waitable = Waitable(
        start, lambda begin: asyncio.run_coroutine_threadsafe(_as_coroutine(begin), loop).result()
    )
    waiting = asyncio.create_task(asyncio.to_thread(waitable.wait))
    ready.set()
    assert await waiting == threading.current_thread().name


async def _as_coroutine(begin: object) -> object:
    return await begin()  # type: ignore[operator]


def test_a_changed_wait_keeps_both_ways() -> None:
    """`then` changes the value of the await and of the blocking twin alike."""
    waitable = Waitable(Source(), block).then(lambda number: f"number {number}")
    assert waitable.wait() == "number 1"
    assert asyncio.run(_awaited(waitable)) == "number 2"


async def _awaited(waitable: Waitable[str]) -> str:
    return await waitable


def test_an_error_reaches_whoever_waits() -> None:
    """What the start raises is raised at the wait, also of a `Later`."""

    async def fail() -> int:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        Later(fail, block).wait()


def test_an_action_that_nobody_awaits_says_so() -> None:
    """It has done nothing, which its author would find out much later; one that was awaited or waited for is silent."""
    source = Source()
    with pytest.warns(RuntimeWarning, match="step 'ask' of think was never awaited") as caught:
        Action("step 'ask' of think", source, block)
    assert source.asked == 0
    assert caught[0].filename == __file__
    assert Action("it", source, block).wait() == 1
    assert Action("it", source, block).then(str).wait() == "2"
