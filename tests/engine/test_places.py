"""Places of a worker: each is given back exactly once, whatever becomes of the attempt that had it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from segue import ControlRefused, Later, RunCancelled, RunFailed, Segue, agent, workflow
from segue.engine.attempts import threads
from segue.engine.flow.slots import Slots
from tests.engine.deadlines import soon


@agent
async def echo(text: str) -> str:
    return text


@workflow
def once(text: str) -> str:
    return echo(text)


async def settled(segue: Segue) -> None:
    """The worker still runs what it is given, and no place is missing or counted twice afterwards."""
    assert await soon(segue.run(once, "y")) == "y"
    slots = segue.host.engine._slots
    assert slots.taken == 0
    assert +slots._taken_by == {}
    assert segue.host.engine._live == {}


async def test_a_run_that_is_cancelled_before_it_begins(open_segue: Any) -> None:
    """An attempt that is cancelled before its first step gives its place back."""
    segue = await open_segue(concurrency=1)
    assert await segue.run(once, "warm") == "warm"
    for _ in range(3):
        handle = await segue.submit(once, "x")
        engine = segue.host.engine
        for attempt in list(engine._live.values()):
            engine._lost(attempt)  # as when the store says so
        with suppress(ControlRefused):  # on a slow disk it may have ended by now
            await handle.cancel(by="me")
    await settled(segue)


async def test_two_laters_at_once(open_segue: Any) -> None:
    """A task that waits for two hand-offs at once gives back its one place: their sources run one after the other."""
    segue = await open_segue(concurrency=1)
    running = most = 0
    go = asyncio.Event()

    @agent
    async def source(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.wait([asyncio.ensure_future(go.wait())], timeout=0.01)
        running -= 1
        return number

    @agent
    async def total(a: Later[int], b: Later[int]) -> int:
        return sum(await asyncio.gather(a, b))

    @workflow
    def waits(number: int) -> int:
        first = source(number)
        return total(source(first), source(first))

    assert await soon(segue.run(waits, 2)) == 4
    assert most == 1
    await settled(segue)


async def test_the_first_of_two_laters_may_lead_to_the_second(open_segue: Any) -> None:
    """With one place, an agent goes on with the hand-off that came first while it still waits for the other."""
    segue = await open_segue(concurrency=1)
    go = asyncio.Event()

    @agent
    async def source(text: str) -> str:
        await go.wait()
        return text + "!"

    @agent
    async def both(first: Later[str], second: Later[str]) -> str:
        waiting = [asyncio.create_task(value_of(first)), asyncio.create_task(value_of(second))]
        text = await waiting[0]
        go.set()
        return f"{text} {await waiting[1]}"

    async def value_of(later: Later[Any]) -> Any:
        return await later

    @workflow
    def waits(text: str) -> str:
        first = echo(text)
        return both(first, source(first))

    assert await soon(segue.run(waits, "x")) == "x x!"
    await settled(segue)


async def test_a_wait_that_is_given_up(open_segue: Any) -> None:
    """An agent that stops waiting for a `Later` has its place again, and its time goes on: it is timed out."""
    segue = await open_segue(concurrency=2)
    go = asyncio.Event()

    @agent
    async def source(number: int) -> int:
        await go.wait()
        return number

    @agent(timeout="50ms")
    async def impatient(later: Later[int]) -> int:
        async def value() -> int:
            return await later

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(value(), 0.01)
        assert segue.host.engine._slots.taken == 2
        await asyncio.Event().wait()
        return 1

    @workflow
    def waits(number: int) -> Any:
        return impatient(source(number))

    handle = await segue.submit(waits, 2)
    handed = await soon(handle.handoff("impatient"))
    assert handed.error is not None
    assert handed.error.kind == "BudgetExceeded"
    go.set()
    with pytest.raises(RunFailed):
        await soon(handle.result())
    await settled(segue)


async def test_a_thread_that_waits_in_a_cancelled_run(open_segue: Any) -> None:
    """A `def` agent that waits for a `Later` is woken when its run is cancelled, and takes no place afterwards."""
    segue = await open_segue(concurrency=1)
    started, ended = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    @agent
    async def source(text: str) -> str:
        started.set()
        await asyncio.Event().wait()
        return text

    @agent
    def parked(later: Later[str]) -> str:
        try:
            return later.wait()
        finally:
            loop.call_soon_threadsafe(ended.set)

    @workflow
    def waits(text: str) -> str:
        return parked(source(echo(text)))

    handle = await segue.submit(waits, "x")
    await soon(started.wait())
    await handle.cancel(by="me")
    with pytest.raises(RunCancelled):
        await soon(handle.result())
    await soon(ended.wait())
    await settled(segue)


async def test_a_thread_that_was_left_behind_waits_no_more(open_segue: Any) -> None:
    """A `def` agent that ran past its time may wait for a `Later` then: it hears that nobody wants its result."""
    segue = await open_segue(concurrency=2)
    timed_out, told = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    failures: list[str] = []

    def until_timed_out() -> None:
        asyncio.run_coroutine_threadsafe(timed_out.wait(), loop).result()

    @agent
    async def source(number: int) -> int:
        await told.wait()
        return number

    @agent(timeout="20ms")
    def late(later: Later[int], wait: bool) -> int:
        until_timed_out()
        try:
            return later.wait()
        except BaseException as error:
            failures.append(type(error).__name__)
            raise
        finally:
            loop.call_soon_threadsafe(told.set)

    @workflow
    def waits(number: int) -> int:
        return late(source(number), True)

    handle = await segue.submit(waits, 2)
    await soon(handle.handoff("late"))
    timed_out.set()
    await soon(told.wait())
    # Its own worker tells it, or the store does: whichever it meets first.
    assert failures in (["CancelledError"], ["StaleEpoch"])
    with pytest.raises(RunFailed):
        await soon(handle.result())
    await settled(segue)


async def test_who_waits_for_a_place_of_one_agent_does_not_hold_up_the_others(segue: Segue) -> None:
    """A task that has its `Later` and waits for its agent's only place leaves the worker's other places to others."""
    go, hold, second = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @agent
    async def source(number: int) -> int:
        await go.wait()
        return number

    @agent(concurrency=1)
    async def narrow(number: int, later: Later[int] | None = None) -> int:
        if later is not None:
            return await later
        second.set()
        await hold.wait()
        return number

    @workflow
    def waits(number: int) -> int:
        return narrow(number, source(number))

    @workflow
    def fills(number: int) -> int:
        return narrow(number)

    waiting = await segue.submit(waits, 1)
    async for event in segue.events(waiting.run, names="task.narrow.parked"):
        assert event.task == "narrow"
        break
    filling = await segue.submit(fills, 2)
    await soon(second.wait())
    go.set()
    await soon(waiting.handoff("source"))
    assert await soon(segue.run(once, "y")) == "y"
    hold.set()
    assert await soon(asyncio.gather(waiting.result(), filling.result())) == [1, 2]
    await settled(segue)


async def test_more_threads_wait_than_there_are_places(
    open_segue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`def` agents that wait hold threads and no places: those that they wait for find a thread all the same."""
    monkeypatch.setattr(threads, "LEFT_BEHIND_MAXIMUM", 0)
    monkeypatch.setattr(threads, "PARKED_MAXIMUM", 8)
    segue = await open_segue(concurrency=1)

    @agent
    def first(number: int) -> int:
        return number

    @agent
    def source(number: int) -> int:
        return number

    @agent
    def parked(number: int, later: Later[int]) -> int:
        return number + later.wait()

    def waits_of(count: int) -> Callable[[int], list[int]]:
        @workflow
        def waits(number: int) -> list[int]:
            late = source(first(number))
            return [parked(each, late) for each in range(count)]

        return waits

    assert await soon(segue.run(waits_of(8), 1)) == list(range(1, 9))
    with pytest.raises(RunFailed, match=r"parked_\d+: TaskFailed: .* cannot wait: 8 tasks"):
        await soon(segue.run(waits_of(12), 1))
    await settled(segue)


async def test_a_place_passes_over_who_has_just_given_up() -> None:
    """A place that comes free while the first in the queue is being cancelled goes to the next one."""
    slots = Slots(1)
    assert slots.reserve("agent")
    gives_up, stays = asyncio.create_task(slots.wait("agent")), asyncio.create_task(slots.wait("agent"))
    await asyncio.wait([gives_up, stays], timeout=0)
    gives_up.cancel()
    slots.release("agent")
    await soon(stays)
    assert gives_up.cancelled()
    assert slots.taken == 1
