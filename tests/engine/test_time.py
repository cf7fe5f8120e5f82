"""Time in runs, on a clock that the test turns: critical paths, time-outs, leases and retries. Nothing here sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

import pytest

from segue import Later, RunFailed, Segue, agent, ctx, workflow
from segue.domain.records import Claim, ClaimRequest
from segue.errors import StoreUnavailable
from segue.testing import ManualClock
from tests.engine.slow_disk import SlowDisk, open_on
from tests.engine.turning import turning


async def test_a_run_ends_at_its_critical_path() -> None:
    """No barrier between layers: B takes 500 ms, C 200 ms and then D 200 ms, and the run ends after 500 ms, not 700."""
    clock = ManualClock()

    @agent
    async def b(text: str) -> str:
        await clock.sleep(0.5)
        return text

    @agent
    async def c(text: str) -> str:
        await clock.sleep(0.2)
        return text

    @agent
    async def d(text: str) -> str:
        await clock.sleep(0.2)
        return text

    @workflow
    def layered(text: str) -> list[str]:
        return [b(text), d(c(text))]

    async with Segue("memory:", clock=clock) as segue:
        began = clock.boot()
        assert await turning(clock, segue.run(layered, "x")) == ["x", "x"]
        assert clock.boot() - began == pytest.approx(0.5, abs=0.01)


async def test_a_retry_waits_its_backoff() -> None:
    """The second attempt starts when the backoff is over, and not before."""
    clock = ManualClock()
    started: list[float] = []

    @agent(retries=1, backoff="8s")
    async def flaky(text: str) -> str:
        started.append(clock.boot())
        if ctx.attempt == 1:
            raise ConnectionError("again")
        return text

    @workflow
    def once(text: str) -> str:
        return flaky(text)

    async with Segue("memory:", clock=clock) as segue:
        assert await turning(clock, segue.run(once, "x")) == "x"
    assert 4.0 <= started[1] - started[0] <= 8.6


async def test_a_long_agent_keeps_its_lease() -> None:
    """An attempt that runs for many leases is renewed, and nobody else takes it."""
    clock = ManualClock()
    ran: list[int] = []

    @agent
    async def long(text: str) -> str:
        ran.append(ctx.epoch)
        await clock.sleep(100.0)
        return text

    @workflow
    def once(text: str) -> str:
        return long(text)

    async with Segue("memory:", clock=clock, lease_seconds=3.0) as segue:
        assert await turning(clock, segue.run(once, "x")) == "x"
    assert ran == [1]


async def test_an_agent_that_holds_up_the_loop_keeps_its_claim() -> None:
    """
    After an agent has blocked the loop for longer than a lease its worker renews before it sweeps: it does not take the
    task away from itself and run it again, for ever.
    """
    clock = ManualClock()
    ran: list[int] = []

    @agent
    async def blocking(text: str) -> str:
        ran.append(ctx.epoch)
        if len(ran) < 4:
            clock.advance(11.0)
        await clock.sleep(2.0)
        return text

    @workflow
    def once(text: str) -> str:
        return blocking(text)

    async with Segue("memory:", clock=clock, lease_seconds=10.0) as segue:
        assert await turning(clock, segue.run(once, "x")) == "x"
    assert ran == [1]


class ForgetfulStore(SlowDisk):
    """Grants the first claims that there are, and then cannot say so."""

    forgot = False

    async def claim(self, request: ClaimRequest) -> Sequence[Claim]:
        claims = await super().claim(request)
        if claims and not self.forgot:
            self.forgot = True
            raise StoreUnavailable("the answer got lost")
        return claims


async def test_claims_whose_answer_got_lost_are_asked_for_again() -> None:
    """
    A claim that was granted without an answer is repeated as it was and found: asked for under a new id, the task would
    lie claimed and unbegun until its lease was over.
    """
    clock = ManualClock()
    store = ForgetfulStore(clock)
    epochs: list[int] = []

    @agent
    async def once_only(text: str) -> str:
        epochs.append(ctx.epoch)
        return text

    @workflow
    def once(text: str) -> str:
        return once_only(text)

    async with open_on(store, clock=clock, lease_seconds=10.0) as segue:
        began = clock.boot()
        assert await turning(clock, segue.run(once, "x")) == "x"
        assert clock.boot() - began < 10.0
    assert store.forgot
    assert epochs == [1]


class CountingStore(SlowDisk):
    """Counts how often it is asked what falls due."""

    looks = 0

    async def next_due(self, agents: Collection[str]) -> float | None:
        self.looks += 1
        return await super().next_due(agents)


async def test_a_full_worker_does_not_look_again_and_again() -> None:
    """While a task is ready that there is no room for, the store is asked a few times a second and not a thousand."""
    clock = ManualClock()
    store = CountingStore(clock)

    @agent
    async def long(text: str) -> str:
        await clock.sleep(60.0)
        return text

    @workflow
    def once(text: str) -> str:
        return long(text)

    async with open_on(store, clock=clock, concurrency=1) as segue:
        await segue.submit(once, "x")
        await turning(clock, clock.sleep(1.0))
        await segue.submit(once, "y")
        await turning(clock, clock.sleep(6.0))
        store.looks = 0
        await turning(clock, clock.sleep(1.0))
        assert store.looks <= 25


async def test_a_timeout_ends_an_attempt() -> None:
    """An agent that runs past its `timeout` is cancelled and the error says which one, how long and what to do."""

    @agent(timeout="20ms")
    async def endless(text: str) -> str:
        await asyncio.Event().wait()
        return text

    @workflow
    def once(text: str) -> str:
        return endless(text)

    async with Segue("memory:") as segue:
        with pytest.raises(
            RunFailed, match=r"endless: BudgetExceeded: endless ran for longer than .* 0.02 s"
        ):
            await segue.run(once, "x")


async def test_waiting_for_a_later_is_not_run_time() -> None:
    """A task that waits longer than its timeout for a `Later` is not timed out by that."""

    @agent
    async def slow(text: str) -> str:
        await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=0.15)
        return text

    @agent(timeout="100ms")
    async def eager(later: Later[str]) -> str:
        return await later

    @workflow
    def waits(text: str) -> Any:
        return eager(slow(text))

    async with Segue("memory:") as segue:
        assert await segue.run(waits, "x") == "x"
