"""Pools, with real engines on real stores: places are never exceeded, are given back, and come back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from segue import HandTo, Later, Pool, PoolTooSmall, RunFailed, Segue, agent, ctx, workflow
from segue.errors import UsageError
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transitions import pooling, untangling
from tests.engine.test_controls import Stage

ABOUT_POOLS = (
    *("list_pools", "find_holding", "find_kinds", "count_wanting", "find_short_pool", "find_needing"),
    *("insert_need", "find_unmet_need", "any_knot", "find_knotted_runs", "read_waiting_tasks"),
)


async def test_no_more_run_than_there_are_places(segue: Segue) -> None:
    """Of a mapped agent with a pool of two, two run at once, in two runs together; and all come to their end."""
    running, most = 0, 0
    both_run = asyncio.Event()

    @agent(pool="gpu")
    async def train(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 2:
            both_run.set()
        await both_run.wait()
        await asyncio.sleep(0)  # noqa: TID251 - a turn in which a third could begin
        running -= 1
        return number

    @workflow
    def many(numbers: list[int]) -> list[int]:
        return train.map(numbers)

    await segue.set_pool("gpu", 2)
    first, second = await asyncio.gather(segue.run(many, list(range(8))), segue.run(many, list(range(8, 12))))
    assert [*first, *second] == list(range(12))
    assert most == 2
    assert [tuple(pool) for pool in await segue.pools()] == [("gpu", 2, 0, 0)]


async def test_agents_without_pools_are_not_held_up(segue: Segue) -> None:
    """A task runs past many that wait for a place which somebody holds."""
    held, over = asyncio.Event(), asyncio.Event()

    @agent(pool="gpu")
    async def train(number: int) -> int:
        held.set()
        await over.wait()
        return number

    @agent
    async def quick(number: int) -> int:
        return number

    @workflow
    def many(numbers: list[int]) -> list[int]:
        return train.map(numbers)

    @workflow
    def one(number: int) -> int:
        return quick(number)

    await segue.set_pool("gpu", 1)
    handle = await segue.submit(many, list(range(20)))
    await held.wait()
    assert await segue.run(one, 5) == 5
    over.set()
    assert await handle.result() == list(range(20))


async def test_who_awaits_gives_his_place_to_what_he_awaits(open_segue: Any) -> None:
    """With one place and one slot the source of a `Later` runs on the place that its receiver has given back."""
    segue = await open_segue(concurrency=1)
    seen: list[str] = []

    @agent
    async def first(text: str) -> str:
        return text

    @agent(pool="gpu")
    async def source(text: str) -> str:
        seen.append("source")
        return f"source of {text}"

    @agent(pool="gpu")
    async def receiver(text: str, later: Later[str]) -> str:
        seen.append("receiver starts")
        value = await later
        seen.append("receiver goes on")
        return f"{text} and {value}"

    @workflow
    def both(text: str) -> str:
        return receiver(text, source(first(text)))

    await segue.set_pool("gpu", 1)
    assert await segue.run(both, "x") == "x and source of x"
    assert seen == ["receiver starts", "source", "receiver goes on"]


async def test_a_wait_that_is_given_up_goes_on_with_its_places_only(segue: Segue) -> None:
    """An agent whose patience ends while another task has its place goes on when it has the place again."""
    started, over = asyncio.Event(), asyncio.Event()
    held: list[int] = []

    @agent
    async def slow(text: str) -> str:
        await over.wait()
        return text

    @agent(pool="gpu")
    async def other(text: str) -> str:
        started.set()
        for _ in range(50):
            await asyncio.sleep(0)  # noqa: TID251 - turns of the loop in which the impatient one could go on
        held.append(len(held))
        return text

    @agent(pool="gpu")
    async def impatient(later: Later[str]) -> int:
        async def wait() -> str:
            return await later

        waiting = asyncio.ensure_future(wait())
        await started.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        over.set()
        return len(held)

    @workflow
    def waits(text: str) -> int:
        return impatient(slow(text))

    @workflow
    def others(text: str) -> str:
        return other(text)

    await segue.set_pool("gpu", 1)
    handle = await segue.submit(waits, "x")
    await segue.run(others, "y")
    assert await handle.result() == 1


async def test_a_larger_pool_is_used_at_once(segue: Segue) -> None:
    """Who waits for a place gets one as soon as there are more, in this process and in others."""
    running = asyncio.Semaphore(0)
    over = asyncio.Event()

    @agent(pool="gpu")
    async def train(number: int) -> int:
        running.release()
        await over.wait()
        return number

    @workflow
    def many(numbers: list[int]) -> list[int]:
        return train.map(numbers)

    await segue.set_pool("gpu", 1)
    handle = await segue.submit(many, [1, 2, 3])
    await running.acquire()
    assert [pool.waiting for pool in await segue.pools()] == [2]
    await segue.set_pool("gpu", 3)
    await running.acquire()
    await running.acquire()
    over.set()
    assert await handle.result() == [1, 2, 3]


async def test_places_of_a_cancelled_run_are_free(segue: Segue) -> None:
    """The next run gets them; nothing has to be given back by hand."""
    running = asyncio.Event()

    @agent(pools={"gpu": Pool(1, keep=True)})
    async def train(text: str) -> str:
        if text == "hangs":
            running.set()
            await asyncio.Event().wait()
        return text

    @workflow
    def one(text: str) -> str:
        return train(text)

    await segue.set_pool("gpu", 1)
    hanging = await segue.submit(one, "hangs")
    await running.wait()
    waiting = await segue.submit(one, "waits")
    await hanging.cancel(by="ops", reason="enough")
    assert await waiting.result() == "waits"


async def test_a_run_that_needs_too_much_is_refused(segue: Segue) -> None:
    """Nothing is written: not of the run, and not of others that were submitted with it."""

    @agent(pools={"gpu": 3})
    async def train(text: str) -> str:
        return text

    @agent
    async def quick(text: str) -> str:
        return text

    @workflow
    def large(text: str) -> str:
        return train(text)

    @workflow
    def small(text: str) -> str:
        return quick(text)

    await segue.set_pool("gpu", 2)
    refused, ran = await asyncio.gather(segue.run(large, "x"), segue.run(small, "y"), return_exceptions=True)
    assert isinstance(refused, PoolTooSmall)
    assert "train needs 3 of the pool 'gpu', which has 2" in str(refused)
    assert "segue pools gpu 3" in str(refused)
    assert ran == "y"
    assert [run.workflow for run in await segue.host.store.list_runs(10)] == ["small"]


@pytest.mark.parametrize(("name", "capacity"), [("gpu", -1), ("gpu", True), ("gpu", 1.5), ("", 1)])
async def test_a_pool_that_cannot_be_is_refused(segue: Segue, name: str, capacity: Any) -> None:
    """Names and numbers are checked before anything is written."""
    with pytest.raises(UsageError):
        await segue.set_pool(name, capacity)
    assert list(await segue.pools()) == []


async def test_who_takes_over_a_task_needs_his_own_pools(segue: Segue) -> None:
    """A task that is handed on takes the places of its next agent, and gives back those of the one before."""
    held: list[tuple[int, int]] = []

    @agent(pool="gpu")
    async def large(text: str) -> str:
        pools = {pool.name: pool.held for pool in await segue.pools()}
        held.append((pools["cpu"], pools["gpu"]))
        return text.upper()

    @agent(pool="cpu")
    async def small(text: str) -> str | HandTo:
        return HandTo(large, text=text)

    @workflow
    def one(text: str) -> str:
        return small(text)

    await segue.set_pool("cpu", 1)
    await segue.set_pool("gpu", 1)
    assert await segue.run(one, "x") == "X"
    assert held == [(0, 1)]
    await segue.set_pool("gpu", 0)
    with pytest.raises(RunFailed, match="large needs 1 of the pool 'gpu', which is not there"):
        await segue.run(one, "x")


async def test_a_delegation_keeps_the_places_of_its_fallback(segue: Segue) -> None:
    """A pool that the fallback of a delegated task may need is not made too small for it while that is open."""
    stage = Stage()
    stage.gate("small")
    await segue.set_pool("gpu", 2)

    @agent(pools={"gpu": 2})
    async def large(text: str) -> str:
        return f"large {text}"

    @agent(fallback=large)
    async def small(text: str) -> str:
        await stage.play("small")
        raise RuntimeError("not enough")

    @agent
    async def boss(text: str) -> str:
        return str(await ctx.delegate(small, text=text))

    @workflow
    def asks(text: str) -> str:
        return boss(text)

    run = await segue.submit(asks, "x")
    await stage.has_started("small")
    with pytest.raises(PoolTooSmall, match=r"boss/small\.1 of run .* needs 2"):
        await segue.set_pool("gpu", 1)
    stage.gate("small").set()
    assert await run.result() == "large x"


async def test_a_task_that_was_handed_on_keeps_the_places_of_its_fallback(segue: Segue) -> None:
    """A pool that the fallback of the agent which goes on may need is not made too small for it while that is open."""
    stage = Stage()
    stage.gate("small")
    await segue.set_pool("gpu", 2)

    @agent(pools={"gpu": 2})
    async def large(text: str) -> str:
        return f"large {text}"

    @agent(fallback=large)
    async def small(text: str) -> str:
        await stage.play("small")
        raise RuntimeError("not enough")

    @agent
    async def first(text: str) -> str | HandTo:
        return HandTo(small, text=text)

    @workflow
    def goes_on(text: str) -> str:
        return first(text)

    run = await segue.submit(goes_on, "x")
    await stage.has_started("small")
    with pytest.raises(PoolTooSmall, match=r"first of run .* needs 2"):
        await segue.set_pool("gpu", 1)
    stage.gate("small").set()
    assert await run.result() == "large x"
    await segue.set_pool("gpu", 1)


async def test_a_run_without_pools_asks_nothing_about_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one statement about pools is run for it: each of them would be an error here."""
    poisoned = SQL._replace(**dict.fromkeys(ABOUT_POOLS, "SELECT nothing FROM nowhere"))
    monkeypatch.setattr(pooling, "SQL", poisoned)
    monkeypatch.setattr(untangling, "SQL", poisoned._replace(any_knot=SQL.any_knot))

    @agent
    async def start(count: int) -> list[int]:
        return list(range(count))

    @agent(retries=1, backoff=None)
    async def one(number: int) -> int:
        if ctx.attempt == 1:
            raise ValueError("not yet")
        return number

    @agent
    async def add(numbers: list[int]) -> int:
        return sum(numbers)

    @workflow
    def plain(count: int) -> int:
        return add(one.map(start(count)))

    async with Segue(tmp_path / "segue.db") as segue:
        assert await segue.run(plain, 20) == 190
        await segue.host.engine._sweeper.sweep()
