"""An agent that submits a run of its own and waits for it: it holds no slot meanwhile, and never waits for itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from segue import Handoff, RunCancelled, RunFailed, Segue, agent, ctx, workflow
from tests.engine.deadlines import soon
from tests.engine.test_places import settled


@agent
async def double(number: int) -> int:
    """What the inner runs do."""
    return 2 * number


@workflow
def doubled(number: int) -> int:
    """The inner run."""
    return double(number)


def outer_of(segue: Segue) -> Any:
    """A workflow whose agent submits a run for each number and waits for all of them."""

    @agent
    async def ask(numbers: list[int]) -> int:
        runs = [segue.with_(key=f"{ctx.run}/{ctx.task}/{number}").run(doubled, number) for number in numbers]
        return sum(await asyncio.gather(*runs))

    @agent
    async def ask_again(before: int) -> int:
        handle = await segue.submit(doubled, before)
        handoff: Handoff[int] = await handle.handoff("double")
        return handoff.output

    @workflow
    def outer(numbers: list[int]) -> int:
        return ask_again(ask(numbers))

    return outer


async def test_one_slot_is_enough_for_runs_within_runs(open_segue: Any) -> None:
    """With one slot an agent gets the results of the runs that it has submitted, several at once."""
    segue = await open_segue(concurrency=1)
    assert await soon(segue.run(outer_of(segue), [1, 2, 3])) == 24
    await settled(segue)


async def test_an_agent_does_not_wait_for_itself(open_segue: Any) -> None:
    """Waiting for the own run, or the own task, would never end: it is refused at once."""
    segue = await open_segue(concurrency=1)

    @agent
    async def waits_for_run(number: int) -> int:
        await segue.wait(ctx.run)
        return number

    @agent
    async def waits_for_task(number: int) -> int:
        await segue.wait(ctx.run, ctx.task)
        return number

    @workflow
    def by_run(number: int) -> int:
        return waits_for_run(number)

    @workflow
    def by_task(number: int) -> int:
        return waits_for_task(number)

    with pytest.raises(RunFailed, match="waits for the run that it is a part of"):
        await soon(segue.run(by_run, 1))
    with pytest.raises(RunFailed, match="waits for itself"):
        await soon(segue.run(by_task, 1))
    await settled(segue)


async def test_a_cancelled_wait_gives_its_slot_back_once(open_segue: Any) -> None:
    """The outer run is cancelled while its agent waits for an inner one: no slot is lost, and none is there twice."""
    segue = await open_segue(concurrency=1)
    started, gate = asyncio.Event(), asyncio.Event()

    @agent
    async def slow(number: int) -> int:
        started.set()
        await gate.wait()
        return number

    @workflow
    def inner(number: int) -> int:
        return slow(number)

    @agent
    async def ask(number: int) -> int:
        return await segue.run(inner, number)

    @workflow
    def outer(number: int) -> int:
        return ask(number)

    handle = await segue.submit(outer, 1)
    await soon(started.wait())
    await handle.cancel(by="Ana")
    with pytest.raises(RunCancelled):
        await soon(handle.result())
    gate.set()
    await settled(segue)
    assert await soon(segue.run(doubled, 4)) == 8
