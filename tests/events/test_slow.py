"""`slow=`: an attempt that runs for longer than it should is told of once, and goes on."""

from __future__ import annotations

import json

import pytest

from segue import Segue, agent, workflow
from segue.errors import DefinitionError
from segue.testing import ManualClock
from tests.engine.turning import turning

clock = ManualClock()


@agent(slow="30s", retries=1, backoff=None)
async def crawl(number: int) -> int:
    await clock.sleep(100.0)
    if number == 0:
        raise ValueError("nothing there")
    return number


@agent(slow="30s")
async def hurry(number: int) -> int:
    await clock.sleep(29.0)
    return number


@workflow
def walk(number: int) -> tuple[int, int]:
    return crawl(number), hurry(number)


async def test_each_slow_attempt_is_told_of_once() -> None:
    """An attempt of a hundred seconds is slow after thirty, each of two tries once; one of 29 seconds is not."""
    async with Segue("memory:", agents=[walk], clock=clock) as segue:
        for number in (1, 0):
            run = await segue.submit(walk, number)
            await turning(clock, segue.wait(run.run))
            events, _ = await segue.host.store.tail(None, 100, run.run)
            slow = [
                (event.name, event.epoch, json.loads(event.data or ""))
                for event in events
                if "slow" in event.name
            ]
            tries = 1 if number else 2
            assert slow == [("task.crawl.slow", epoch, {"seconds": 30.0}) for epoch in range(1, tries + 1)]


def test_slow_is_a_duration() -> None:
    """What is no duration is refused where the agent is declared."""
    with pytest.raises(DefinitionError, match="slow"):
        agent(slow="soon")(hurry.fn)
