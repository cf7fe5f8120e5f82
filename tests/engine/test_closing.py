"""A worker that ends, or cannot go on, leaves its tasks to others and starts nothing more."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from segue import Segue, agent, workflow
from segue.errors import StoreFull
from tests.engine.deadlines import soon
from tests.engine.slow_disk import SlowDisk, open_on


def chain_of_two(store: SlowDisk, ran: list[str], started: asyncio.Event) -> Any:
    """Two agents, of which the first closes the gate when the store holds; both say that they ran."""

    @agent
    async def one(text: str) -> str:
        ran.append("one")
        if store.holding:
            store.gate.clear()
            started.set()
        return text

    @agent
    async def two(text: str) -> str:
        ran.append("two")
        return text

    @workflow
    def chain(text: str) -> str:
        return two(one(text))

    return chain


async def states_of(store: SlowDisk, run: str) -> dict[str, tuple[str, int]]:
    """The state of each task and how often it was tried."""
    return {task.node: (task.state, task.attempt) for task in await store.read_tasks(run)}


def others() -> set[asyncio.Task[Any]]:
    """All tasks of the loop but that of the test."""
    return asyncio.all_tasks() - {asyncio.current_task()}


async def test_what_a_commit_on_its_way_claims_is_handed_back() -> None:
    """A dependent that is claimed with the last commit of a worker that ends is not run, and counts as untried."""
    store, ran, started = SlowDisk(), list[str](), asyncio.Event()
    chain = chain_of_two(store, ran, started)
    async with open_on(store) as segue:
        assert await segue.run(chain, "warm") == "warm"
        store.holding = True
        handle = await segue.submit(chain, "x")
        await soon(started.wait())
        closing = asyncio.create_task(segue.host.close())
        await asyncio.wait([closing], timeout=0.01)
        store.gate.set()
        await soon(closing)
    assert ran == ["one", "two", "one"]
    assert await states_of(store, handle.run) == {"one": ("complete", 1), "two": ("ready", 0)}
    assert others() == set()


class FarAway(SlowDisk):
    """A store whose commits take a while, also when nothing holds them back."""

    async def settle(self, *args: Any, **kwargs: Any) -> Any:
        for _ in range(10):
            await asyncio.sleep(0)  # noqa: TID251 - one turn of the loop
        return await super().settle(*args, **kwargs)


async def test_the_commit_that_hands_back_is_waited_for() -> None:
    """
    A worker that ends while its only attempt is being committed waits until what came with that commit is handed back:
    it used to end before, and the task lay claimed until its lease was over.
    """
    store, ran, started = FarAway(), list[str](), asyncio.Event()
    chain = chain_of_two(store, ran, started)
    async with open_on(store) as segue:
        assert await segue.run(chain, "warm") == "warm"
        store.holding = True
        handle = await segue.submit(chain, "x")
        await soon(started.wait())
        closing = asyncio.create_task(segue.host.close())
        await asyncio.wait([closing], timeout=0.01)
        store.gate.set()
        await soon(closing)
    assert await states_of(store, handle.run) == {"one": ("complete", 1), "two": ("ready", 0)}


async def test_what_a_claim_on_its_way_grants_is_handed_back() -> None:
    """Tasks that the store grants to a worker that ends meanwhile are not run, and count as untried."""
    store, ran = SlowDisk(), list[str]()
    chain = chain_of_two(store, ran, asyncio.Event())
    async with open_on(store, concurrency=1, agents=[chain]) as segue:
        store.claim_gate.clear()
        handle = await segue.submit(chain, "x")
        await soon(store.granted.wait())
        closing = asyncio.create_task(segue.host.close())
        await asyncio.wait([closing], timeout=0.01)
        store.claim_gate.set()
        await soon(closing)
    assert ran == []
    assert await states_of(store, handle.run) == {"one": ("ready", 0)}


class Mute(SlowDisk):
    """A store that never answers a claim, once an agent runs."""

    def __init__(self) -> None:
        super().__init__()
        self.started, self.asked = asyncio.Event(), asyncio.Event()

    async def claim(self, *args: Any, **kwargs: Any) -> Any:
        if self.started.is_set():
            self.asked.set()
            await asyncio.Event().wait()
        return await super().claim(*args, **kwargs)


async def test_what_runs_is_handed_back_although_a_claim_gets_no_answer() -> None:
    """A worker that ends hands back what runs before it waits for calls on their way: it used to wait first."""
    store = Mute()

    @agent
    async def endless(text: str) -> str:
        store.started.set()
        await asyncio.Event().wait()
        return text

    @workflow
    def never_ends(text: str) -> str:
        return endless(text)

    async with open_on(store, agents=[never_ends], lease_seconds=0.3) as segue:
        handle = await segue.submit(never_ends, "x")
        await soon(store.started.wait())
        segue.host.engine.look_again()
        await soon(store.asked.wait())
    assert await states_of(store, handle.run) == {"endless": ("ready", 0)}


async def test_closing_at_any_moment_leaves_no_claim(store_kind: str, tmp_path: Path) -> None:
    """Closed after any number of turns of the loop, a worker holds no task and has left none running."""
    store = SlowDisk()
    chain = chain_of_two(store, [], asyncio.Event())

    def opened(**settings: Any) -> Any:
        if store_kind == "memory":
            return open_on(store, **settings)
        return Segue(tmp_path / "segue.db", durability=store_kind.removeprefix("sqlite-"), **settings)

    for turns in range(25):
        async with opened(agents=[chain]) as segue:
            for _ in range(20):
                await segue.submit(chain, "x")
            for _ in range(turns):
                await asyncio.sleep(0)  # noqa: TID251 - one turn of the loop
        assert others() == set()
        async with opened(worker=False) as segue:
            for record in await segue.host.store.list_runs(1000, states=["running"]):
                tasks = await segue.host.store.read_tasks(record.run)
                assert [task for task in tasks if task.state == "claimed"] == []


async def test_a_worker_whose_commit_failed_gives_everything_up() -> None:
    """After a commit that cannot be made, agents that run are stopped and nothing is claimed or renewed any more."""
    store, ran, started = SlowDisk(), list[str](), asyncio.Event()
    chain = chain_of_two(store, ran, started)
    running, stopped = asyncio.Event(), asyncio.Event()

    @agent
    async def endless(text: str) -> str:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return text

    @workflow
    def never_ends(text: str) -> str:
        return endless(text)

    async with open_on(store, agents=[chain, never_ends]) as segue:
        await segue.submit(never_ends, "x")
        await soon(running.wait())
        store.error = StoreFull("the disk is full")
        with pytest.raises(StoreFull):
            await soon(segue.run(chain, "x"))
        await soon(stopped.wait())
        store.error = None
        engine = segue.host.engine
        assert engine._running() == ()
        engine.look_again()
        assert engine._claimer.wanted() is None
        with pytest.raises(StoreFull):
            await segue.submit(chain, "x")
    assert ran == ["one"]
