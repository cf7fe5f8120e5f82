"""Waiting for runs: nobody waits in vain, and who stops waiting leaves nothing behind."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from segue import Handoff, Later, ReviewNeeded, Segue, agent, ctx, workflow
from segue.errors import SegueError, UnknownRun, UsageError
from tests.engine.deadlines import soon
from tests.engine.deciding import decide


@agent
async def echo(text: str) -> str:
    return text


@workflow
def once(text: str) -> str:
    return echo(text)


@agent
async def draft(text: str) -> Handoff[str]:
    return Handoff(text.upper(), status="needs_review")


@agent
async def endless(text: str) -> str:
    await asyncio.Event().wait()
    return text


@workflow
def never_ends(text: str) -> str:
    return endless(text)


def gated(gate: asyncio.Event) -> Any:
    """An agent that waits for a gate."""

    @agent
    async def slow(text: str) -> str:
        await gate.wait()
        return text

    return slow


async def test_a_run_that_does_not_exist_is_refused_every_time(segue: Segue) -> None:
    """Waiting for an unknown run raises the second time too, also for two at once, and nothing is kept of it."""
    for _ in range(2):
        both = await soon(asyncio.gather(segue.wait("nope"), segue.wait("nope"), return_exceptions=True))
        assert [type(error) for error in both] == [UnknownRun, UnknownRun]
    assert segue.host._waiters._expected == {}


async def test_who_stops_waiting_leaves_nothing_behind(segue: Segue) -> None:
    """A cancelled wait is forgotten with the run, and another one for the same run still hears of its end."""
    gate = asyncio.Event()
    slow = gated(gate)

    @workflow
    def waits(text: str) -> str:
        return slow(text)

    handle = await segue.submit(waits, "x")
    gives_up, stays = asyncio.create_task(handle.result()), asyncio.create_task(handle.result())
    await asyncio.wait([gives_up, stays], timeout=0.01)
    gives_up.cancel()
    await asyncio.wait([gives_up])
    gate.set()
    assert await soon(stays) == "x"
    assert await soon(handle.result()) == "x"
    assert segue.host._waiters._expected == {}


async def test_a_decision_does_not_disturb_who_waits(segue: Segue) -> None:
    """Somebody waits while a review is decided and another branch goes on: he gets the result."""
    gate = asyncio.Event()
    slow = gated(gate)

    @workflow
    def reviewed(text: str) -> Any:
        return [draft(text), slow(text)]

    handle = await segue.submit(reviewed, "x")
    result = asyncio.create_task(handle.result())
    await soon(handle.handoff("draft"))
    await decide(segue, handle.run, "draft", approve=True, by="ann")
    gate.set()
    assert await soon(result) == ["X", "x"]


async def test_a_reviewed_hand_off_is_the_result(segue: Segue) -> None:
    """The result of a run is the approved version of its last hand-off and not the one that this process remembers."""

    @workflow
    def reviewed(text: str) -> str:
        return draft(text)

    handle = await segue.submit(reviewed, "x")
    with pytest.raises(ReviewNeeded):
        await soon(handle.result())
    await decide(segue, handle.run, "draft", approve=True, by="ann")
    assert await soon(handle.result()) == "X"


@pytest.mark.parametrize("how", ["it delegates to it", "it awaits it", "it was there before"])
async def test_who_waits_in_the_middle_for_a_person_is_no_progress(segue: Segue, how: str) -> None:
    """Whoever waits for a run hears of the review that a task of it waits for in the middle, and then of its result."""
    gate = asyncio.Event()

    @agent
    async def asks(text: str) -> str:
        return await ctx.delegate(draft, text=text)

    @agent
    async def awaits(later: Later[str]) -> str:
        if how == "it was there before":
            await gate.wait()
        return await later

    @workflow
    def reviewed(text: str) -> str:
        return asks(text) if how == "it delegates to it" else awaits(draft(text))

    handle = await segue.submit(reviewed, "x")
    result = asyncio.create_task(handle.result())
    async for _ in segue.events(handle.run, names="task.draft.needs_review"):
        break
    gate.set()
    with pytest.raises(ReviewNeeded, match=r"waits for a decision on (asks/)?draft"):
        await soon(result)
    (waits,) = await segue.reviews(handle.run)
    await decide(segue, handle.run, waits.task, approve=True, by="ann")
    assert await soon(handle.result()) == "X"


async def test_a_segue_can_be_opened_again(store_kind: str, tmp_path: Path) -> None:
    """Closed and opened again the same object runs the same workflow: nothing of the first opening is trusted."""
    segue = Segue("memory:" if store_kind == "memory" else tmp_path / "segue.db")
    for _ in range(2):
        async with segue:
            assert await soon(segue.run(once, "x")) == "x"


async def test_it_is_opened_once_at_a_time(segue: Segue) -> None:
    """Opening what is open is refused, and what is open goes on."""
    with pytest.raises(UsageError, match="open already"):
        await segue.host.open()
    assert await soon(segue.run(once, "x")) == "x"


async def test_closing_tells_everybody_who_waits(store_kind: str, tmp_path: Path) -> None:
    """Whoever waits for a run, a hand-off or an event of a Segue that is closed hears so at once, as an error."""
    async with Segue("memory:" if store_kind == "memory" else tmp_path / "segue.db") as segue:
        handle = await segue.submit(never_ends, "x")

        async def watch() -> list[str]:
            return [event.name async for event in segue.events(handle.run)]

        waiting = [
            asyncio.ensure_future(each)
            for each in (handle.result(), segue.wait(handle.run, "endless"), watch())
        ]
        await asyncio.wait(waiting, timeout=0.01)
    errors = await soon(asyncio.gather(*waiting, return_exceptions=True))
    assert [isinstance(error, SegueError) for error in errors] == [True, True, True]


async def test_a_hand_off_that_comes_with_the_end_is_found() -> None:
    """Whoever looks for a hand-off while its run ends, before that is announced, does not take it for missing."""
    gate = asyncio.Event()

    @agent
    async def gated(text: str) -> str:
        await gate.wait()
        return text

    @workflow
    def waits(text: str) -> str:
        return gated(text)

    async with Segue("memory:") as segue:
        handle = await segue.submit(waits, "x")
        store: Any = segue.host.store
        look = store.latest_handoffs

        async def look_too_early(*names: Any) -> Any:
            found, store.latest_handoffs = await look(*names), look
            gate.set()
            await handle.result()
            store.notifier._own = seen  # the commit is there to be read, and nobody has heard of it
            return found

        store.latest_handoffs = look_too_early
        seen = store.notifier._own
        waiting = asyncio.create_task(handle.handoff("gated"))
        await asyncio.wait([waiting], timeout=0.1)
        store.notifier.notify()
        assert (await soon(waiting)).output == "x"
