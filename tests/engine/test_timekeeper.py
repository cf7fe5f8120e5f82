"""One timer for all agents that run under a limit."""

from __future__ import annotations

import asyncio

from segue.domain.records import Claim, Token
from segue.engine.attempts.attempt import Attempt
from segue.engine.attempts.timekeeper import Timekeeper
from segue.testing import ManualClock


def attempt(number: int) -> Attempt:
    """An attempt that only says whether its time was up."""
    token = Token("run", "task", number, 1, f"claim-{number}")
    return Attempt(Claim(token, "agent", 1, 1, (), broken=False, claimed_at=0.0), 0.0)


async def advance(clock: ManualClock, seconds: float) -> None:
    """Let time pass, and those who slept act on it."""
    await turns(2)  # whoever is about to sleep does
    clock.advance(seconds)
    await turns(5)


async def turns(count: int) -> None:
    """Let the loop go round."""
    for _ in range(count):
        await asyncio.sleep(0)  # noqa: TID251 - gives others their turn, waits for nothing


async def test_each_ends_at_its_own_time() -> None:
    """
    A limit that is set later and ends earlier moves the timer forward; the others keep theirs. Who has not ended five
    seconds after his time is left behind.
    """
    clock, attempts = ManualClock(), [attempt(number) for number in range(3)]
    left: list[Attempt] = []
    timekeeper = Timekeeper(clock, lambda: attempts, left.append, list[Attempt]().append)
    for each, seconds in zip(attempts, (10.0, 3.0, 5.0), strict=True):
        timekeeper.begin(each, "run", seconds)
    seen = []
    for seconds in (2.9, 0.1, 2.0, 4.9, 0.1):
        await advance(clock, seconds)
        seen.append([each.out_of == "run" for each in attempts])
    assert seen == [
        [False, False, False],
        [False, True, False],
        [False, True, True],
        [False, True, True],
        [True, True, True],
    ]
    assert left == [attempts[1], attempts[2]]
    timekeeper.stop()


async def test_time_that_stands_still_is_not_counted() -> None:
    """A halted attempt outlives its limit, and goes on with what it had left."""
    clock, one = ManualClock(), attempt(1)
    timekeeper = Timekeeper(clock, lambda: [one], list[Attempt]().append, list[Attempt]().append)
    timekeeper.begin(one, "run", 4.0)
    await advance(clock, 1.0)
    left = timekeeper.halt(one)
    await advance(clock, 100.0)
    assert (left, one.out_of) == ({"run": 3.0}, None)
    timekeeper.begin(one, "run", 3.0)
    await advance(clock, 2.9)
    assert one.out_of is None
    await advance(clock, 0.1)
    assert one.out_of == "run"
    timekeeper.stop()


async def test_many_limits_have_one_timer() -> None:
    """A thousand agents with an hour each set one timer, not a thousand."""
    clock, attempts = ManualClock(), [attempt(number) for number in range(1000)]
    timekeeper = Timekeeper(clock, lambda: attempts, list[Attempt]().append, list[Attempt]().append)
    for each in attempts:
        timekeeper.begin(each, "run", 3600.0)
    assert len(clock._timers) == 1
    timekeeper.stop()


async def test_a_slow_attempt_is_told_of_once_and_goes_on() -> None:
    """Past its time to be slow an attempt is told of once, whatever else it has left, and ends by its limit alone."""
    clock, one = ManualClock(), attempt(1)
    slow: list[Attempt] = []
    timekeeper = Timekeeper(clock, lambda: [one], list[Attempt]().append, slow.append)
    timekeeper.begin(one, "run", 10.0)
    timekeeper.begin(one, "slow", 2.0)
    seen = []
    for seconds in (1.9, 0.1, 5.0, 2.9, 0.1):
        await advance(clock, seconds)
        seen.append((len(slow), one.out_of))
    assert seen == [(0, None), (1, None), (1, None), (1, None), (1, "run")]
    timekeeper.stop()
