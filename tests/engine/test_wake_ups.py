"""Workers on one file wake one another, and one that has nothing to do leaves the file alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from segue import Segue, agent, workflow
from segue.testing import ManualClock
from tests.engine.deadlines import soon


@agent
async def ping(text: str) -> str:
    return text + " ping"


@agent
async def pong(text: str) -> str:
    return text + " pong"


@workflow
def to_and_fro(text: str) -> str:
    return pong(ping(pong(ping(text))))


@asynccontextmanager
async def opened(path: Path, clock: ManualClock, *agents: Any) -> AsyncIterator[list[Segue]]:
    """A worker for each agent, on one file and one clock."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(Segue(path, agents=[each], durability="fast", clock=clock))
            for each in agents
        ]


async def test_a_hand_off_to_another_worker_needs_no_clock(tmp_path: Path) -> None:
    """Whoever has the next agent is woken by the commit: a chain to and fro ends although no time passes."""
    clock = ManualClock()
    path = tmp_path / "segue.db"
    async with opened(path, clock, ping, pong), Segue(path, worker=False, clock=clock) as segue:
        assert await soon(segue.run(to_and_fro, "x")) == "x ping pong ping pong"


async def test_idle_workers_write_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For minutes without work nobody begins to write, although all look now and then, and hear of one another."""
    clock = ManualClock()
    path = tmp_path / "segue.db"
    async with opened(path, clock, ping, pong) as workers:
        await turns(clock)
        locked = apsw.Connection(str(path))
        locked.execute("BEGIN IMMEDIATE")
        begun = [count_writes(each, monkeypatch) for each in workers]
        for _ in range(600):
            clock.advance(0.5)
            workers[0].host.store.notifier.notify()
            await turns(clock, 3)
        locked.execute("ROLLBACK")
        locked.close()
        assert begun == [[], []]


def count_writes(segue: Segue, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What is given to the writer of a store from now on."""
    writer = segue.host.store._files().writer  # type: ignore[attr-defined]
    begun: list[object] = []
    run = writer.run

    async def counted(operation: object, **how: bool) -> object:
        begun.append(operation)
        return await run(operation, **how)

    monkeypatch.setattr(writer, "run", counted)
    return begun


async def turns(clock: ManualClock, count: int = 20) -> None:
    """Let everything in the loop that can go on do so."""
    for _ in range(count):
        await clock.sleep(0)


async def test_what_was_paused_until_then_begins_at_once(open_segue: Any) -> None:
    """The worker that settles what a pause was to last until looks for what is free now: no clock has to move."""
    segue = await open_segue(clock=ManualClock())
    may_begin, may_end = asyncio.Event(), asyncio.Event()

    @agent
    async def gate(text: str) -> str:
        await may_begin.wait()
        return text

    @agent
    async def first(text: str) -> str:
        await may_end.wait()
        return text

    @agent
    async def other(text: str) -> str:
        return text

    @workflow
    def two(text: str) -> list[str]:
        opened = gate(text)
        return [first(opened), other(opened)]

    run = await segue.submit(two, "x")
    await run.pause("other", until="first", by="ann")
    may_begin.set()
    await soon(run.handoff("gate"))
    may_end.set()
    assert await soon(run.result()) == ["x", "x"]
