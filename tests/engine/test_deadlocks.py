"""Deadlocks, with real engines on real stores: found, named, and broken once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from segue import Later, Pool, RunFailed, Segue, agent, ctx, workflow
from segue.errors import UsageError

KEPT = {"gpu": Pool(1, keep=True)}


@agent
async def first(text: str) -> str:
    return text


@agent(pool="gpu")
async def small(text: str) -> str:
    return f"small {text}"


@agent(pools=KEPT)
async def keeper(text: str, later: Later[str]) -> str:
    """Keeps its place while it waits for a task that needs it."""
    return f"{text} and {await later}"


@workflow
def tangled(text: str) -> str:
    return keeper(text, small(first(text)))


async def told(segue: Segue, run: str) -> list[dict[str, Any]]:
    """What was told of deadlocks."""
    return [json.loads(event.data or "") async for event in segue.events(run, names="run.deadlock")]


async def names(segue: Segue, run: str, what: str) -> list[str]:
    """The events of a run that end so."""
    return [event.name async for event in segue.events(run) if event.name.endswith(what)]


async def test_a_deadlock_is_named_and_broken(segue: Segue) -> None:
    """Who keeps the place gives way: the other one gets it, and the first one tries again and comes to its end."""
    await segue.set_pool("gpu", 1)
    handle = await segue.submit(tangled, "x")
    assert await handle.result() == "x and small x"
    (data,) = await told(segue, handle.run)
    assert data["words"] == "keeper holds 1 of gpu and waits for small; small waits for 1 of gpu"
    assert data["victim"] == {"run": handle.run, "task": "keeper"}
    assert data["then"] == "deadlocked"
    assert await names(segue, handle.run, ".deadlocked") == ["task.keeper.deadlocked"]
    (task,) = await segue.host.store.read_tasks(handle.run, [("keeper", -1)])
    assert (task.attempt, task.failures, task.deadlocks) == (2, 0, 1)
    assert [tuple(pool) for pool in await segue.pools()] == [("gpu", 1, 0, 0)]


async def test_a_deadlock_may_fail_its_victim(segue: Segue) -> None:
    """With `on_deadlock="fail"` nothing is tried again, and the failure says who waited for whom."""
    await segue.set_pool("gpu", 1)
    handle = await segue.with_(on_deadlock="fail").submit(tangled, "x")
    with pytest.raises(RunFailed, match="keeper holds 1 of gpu and waits for small"):
        await handle.result()
    (data,) = await told(segue, handle.run)
    assert data["then"] == "failed"
    states = {task.node: task.state for task in await segue.host.store.read_tasks(handle.run)}
    assert states == {"first": "complete", "small": "complete", "keeper": "failed"}


async def test_a_deadlock_may_be_only_told(segue: Segue) -> None:
    """With `on_deadlock="report"` it is told once and left to a person, who makes the pool larger."""
    await segue.set_pool("gpu", 1)
    handle = await segue.with_(on_deadlock="report").submit(tangled, "x")
    async for event in segue.events(handle.run, names="run.deadlock"):
        assert json.loads(event.data or "")["then"] == "reported"
        break
    await segue.host.engine._sweeper.sweep()
    await segue.host.engine._sweeper.sweep()
    await segue.set_pool("gpu", 2)
    assert await handle.result() == "x and small x"
    assert len(await told(segue, handle.run)) == 1
    assert await names(segue, handle.run, ".deadlocked") == []


async def test_two_runs_over_two_pools(segue: Segue) -> None:
    """Each keeps what the other one's source needs: both are told, one gives way, both come to their end."""
    both, met = asyncio.Barrier(2), asyncio.Event()
    once: set[str] = set()

    @agent(pool="x")
    async def needs_x(text: str) -> str:
        return f"x {text}"

    @agent(pool="y")
    async def needs_y(text: str) -> str:
        return f"y {text}"

    async def meet(name: str) -> None:
        if name not in once:
            once.add(name)
            await both.wait()
            met.set()

    @agent
    async def when_both_keep(text: str) -> str:
        await met.wait()
        return text

    @agent(pools={"x": Pool(1, keep=True)})
    async def keeps_x(text: str, later: Later[str]) -> str:
        await meet("x")
        return await later

    @agent(pools={"y": Pool(1, keep=True)})
    async def keeps_y(text: str, later: Later[str]) -> str:
        await meet("y")
        return await later

    @workflow
    def one(text: str) -> str:
        return keeps_x(text, needs_y(when_both_keep(text)))

    @workflow
    def two(text: str) -> str:
        return keeps_y(text, needs_x(when_both_keep(text)))

    await segue.set_pool("x", 1)
    await segue.set_pool("y", 1)
    handles = [await segue.submit(one, "a"), await segue.submit(two, "b")]
    assert [await handle.result() for handle in handles] == ["y a", "x b"]
    stories = [await told(segue, handle.run) for handle in handles]
    assert stories[0] == stories[1]
    assert {member["run"] for member in stories[0][0]["circle"]} == {handle.run for handle in handles}
    ended = [name for handle in handles for name in await names(segue, handle.run, ".deadlocked")]
    assert len(ended) == len(stories[0])


async def test_three_in_a_circle_over_a_pool_a_later_and_a_pause(segue: Segue) -> None:
    """
    One keeps a place and awaits the second, the second is paused until the third has settled, the third needs the
    place: all three are named in their order, one claim is revoked once, and everything comes to its end.
    """
    may_begin = asyncio.Event()

    @agent
    async def gate(text: str) -> str:
        await may_begin.wait()
        return text

    @agent
    async def second(text: str) -> str:
        return f"second {text}"

    @agent(pool="gpu")
    async def third(text: str) -> str:
        return f"third {text}"

    @agent(pools={"gpu": Pool(1, keep=True)})
    async def holder(text: str, later: Later[str]) -> str:
        return f"{text} and {await later}"

    @workflow
    def circle(text: str) -> list[str]:
        opened = gate(text)
        return [holder(text, second(opened)), third(opened)]

    await segue.set_pool("gpu", 1)
    handle = await segue.submit(circle, "x")
    async for _ in segue.events(handle.run, names="task.holder.parked"):
        break
    await segue.pause(handle.run, "second", by="alice", until="third")
    may_begin.set()
    assert await handle.result() == ["x and second x", "third x"]
    (data,) = await told(segue, handle.run)
    assert data["words"] == (
        "holder holds 1 of gpu and waits for second; second is paused until third; third waits for 1 of gpu"
    )
    assert data["victim"] == {"run": handle.run, "task": "holder"}
    assert await names(segue, handle.run, ".deadlocked") == ["task.holder.deadlocked"]
    tasks = {task.node: task for task in await segue.host.store.read_tasks(handle.run)}
    assert {name: task.attempt for name, task in tasks.items()} == {
        **dict.fromkeys(("gate", "second", "third"), 1),
        "holder": 2,
    }


async def test_two_pauses_that_wait_for_each_other(segue: Segue) -> None:
    """Nobody keeps anything: the younger pause ends, which lets the other one end by itself, and says why."""
    may_begin = asyncio.Event()

    @agent
    async def gate(text: str) -> str:
        await may_begin.wait()
        return text

    @agent
    async def one(text: str) -> str:
        return f"one {text}"

    @agent
    async def other(text: str) -> str:
        return f"other {text}"

    @workflow
    def both(text: str) -> list[str]:
        opened = gate(text)
        return [one(opened), other(opened)]

    handle = await segue.submit(both, "x")
    await segue.pause(handle.run, "one", by="alice", until="other")
    await segue.pause(handle.run, "other", by="bob", until="one")
    may_begin.set()
    assert await handle.result() == ["one x", "other x"]
    (data,) = await told(segue, handle.run)
    assert (data["victim"], data["then"]) == ({"run": handle.run, "task": "other"}, "resumed")
    assert data["words"] == "one is paused until other; other is paused until one"
    ended = [event async for event in segue.events(handle.run) if event.name.endswith(".unpaused")]
    assert [(event.task, json.loads(event.data or "")["by"]) for event in ended] == [
        ("other", "segue"),
        ("one", "alice"),
    ]


async def test_a_pause_until_who_waits_for_what_is_paused(segue: Segue) -> None:
    """A task that was delegated cannot wait for the one that asked: the pause ends, and both come to their end."""
    began = asyncio.Event()

    @agent
    async def answers(text: str) -> str:
        if not began.is_set():
            began.set()
            await asyncio.Event().wait()
        return f"answer to {text}"

    @agent
    async def asks(text: str) -> str:
        return str(await ctx.delegate(answers, text=text))

    @workflow
    def one(text: str) -> str:
        return asks(text)

    handle = await segue.submit(one, "x")
    await began.wait()
    await segue.pause(handle.run, "asks/answers.1", by="alice", until="asks", interrupt=True)
    assert await handle.result() == "answer to x"
    (data,) = await told(segue, handle.run)
    assert data["words"] == "asks waits for asks/answers.1; asks/answers.1 is paused until asks"
    assert (data["victim"], data["then"]) == ({"run": handle.run, "task": "asks/answers.1"}, "resumed")


async def test_an_unknown_policy_is_refused(segue: Segue) -> None:
    """Before anything is submitted."""
    with pytest.raises(UsageError, match="on_deadlock='panic'"):
        segue.with_(on_deadlock="panic")  # type: ignore[arg-type]
