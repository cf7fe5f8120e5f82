"""`ctx.step`: a finished part of an agent's work is remembered, and not paid for twice."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from typing import Any

import pytest
from pydantic import BaseModel

from segue import Artifact, Segue, agent, ctx, workflow
from tests.engine.conftest import Open
from tests.engine.deadlines import soon
from tests.engine.outside import one_task, reason_of
from tests.engine.slow_disk import SlowDisk, open_on


class Answer(BaseModel):
    text: str
    tags: tuple[str, ...] = ()


async def test_a_finished_step_is_not_called_again(segue: Segue) -> None:
    """The second attempt gets what the first has paid for, as the same value of the same type, without a call."""
    calls: list[str] = []
    seen: list[Any] = []

    async def ask(text: str) -> Answer:
        calls.append(text)
        return Answer(text=text, tags=("a", "b"))

    @agent(retries=1, backoff=None)
    async def thinking(text: str) -> str:
        seen.append(await ctx.step("ask", ask, text))
        if ctx.attempt == 1:
            raise ConnectionError("after it was paid")
        return seen[-1].text

    handle = await segue.submit(one_task(thinking), "x")
    assert await soon(handle.result()) == "x"
    assert calls == ["x"]
    assert seen == [Answer(text="x", tags=("a", "b"))] * 2
    told = [event async for event in segue.events(handle.run, names=["task.thinking.step"])]
    assert [(event.epoch, json.loads(event.data or "")) for event in told] == [(1, {"step": "ask"})]


async def test_a_def_agent_waits_for_its_steps(segue: Segue) -> None:
    """In its thread it calls a `def` itself and lets an `async def` run in the loop; both are remembered."""
    threads: list[str] = []

    def note() -> int:
        threads.append(threading.current_thread().name)
        return len(threads)

    async def later() -> int:
        return note()

    @agent(retries=1, backoff=None)
    def working(text: str) -> str:
        numbers = [ctx.step("here", note).wait(), ctx.step("there", later).wait()]
        if ctx.attempt == 1:
            raise ConnectionError("again")
        return str(numbers)

    assert await soon(segue.run(one_task(working), "x")) == "[1, 2]"
    assert threads[0].startswith("segue-agent")
    assert not threads[1].startswith("segue-agent")


async def test_first_try_and_replay_see_the_same(segue: Segue) -> None:
    """What has no annotation is kept as plain JSON, and even the attempt that made it gets it read back."""
    seen: list[Any] = []

    def untyped():  # type: ignore[no-untyped-def]
        return {1: ("a", Answer(text="b"))}

    @agent(retries=1, backoff=None)
    async def working(text: str) -> str:
        seen.append(await ctx.step("make", untyped))
        if ctx.attempt == 1:
            raise ConnectionError("again")
        return text

    await soon(segue.run(one_task(working), "x"))
    assert seen == [{"1": ["a", {"text": "b", "tags": []}]}] * 2


async def test_steps_run_side_by_side(segue: Segue) -> None:
    """Gathered steps wait for each other's work and not for each other's turn."""
    arrived = [asyncio.Event(), asyncio.Event()]

    async def meet(mine: int) -> int:
        arrived[mine].set()
        await arrived[1 - mine].wait()
        return mine

    @agent
    async def both(text: str) -> str:
        found = await asyncio.gather(ctx.step("one", meet, 0), ctx.step("two", meet, 1))
        return str(found)

    assert await soon(segue.run(one_task(both), "x")) == "[0, 1]"


async def test_large_results_and_artifacts_are_kept(open_segue: Open) -> None:
    """A result over the limit becomes an artifact, which pruning leaves alone, and so do those that it points to."""
    segue = await open_segue()
    calls = Counter[str]()

    async def crawl() -> list[str]:
        calls["crawl"] += 1
        return ["page " * 10_000]

    async def store() -> Artifact:
        calls["store"] += 1
        return await Artifact.write("kept")

    @agent(retries=1, backoff=None)
    async def working(text: str) -> str:
        pages = await ctx.step("crawl", crawl)
        kept = await ctx.step("store", store)
        if ctx.attempt == 1:
            await segue.host.artifacts.prune(
                set(await segue.host.store.artifact_references()), older_than_seconds=-60.0
            )
            raise ConnectionError("again")
        return f"{len(pages[0])} {await kept.text()}"

    assert await soon(segue.run(one_task(working), "x")) == "50000 kept"
    assert calls == {"crawl": 1, "store": 1}


async def test_a_name_is_used_once_in_an_attempt(segue: Segue) -> None:
    """The second use of a name is a mistake that is told with its remedy; nothing is called for it."""
    calls: list[int] = []

    @agent(retries=5, backoff=None)
    async def looping(text: str) -> str:
        for number in range(2):
            await ctx.step("ask", calls.append, number)
        return text

    assert "UsageError: step 'ask' of looping was used before in this attempt" in await reason_of(
        segue, looping
    )
    assert calls == [0]


async def test_a_step_that_raised_can_be_tried_again(segue: Segue) -> None:
    """What came to nothing left no name behind: the same attempt may call it again."""
    calls: list[int] = []

    async def flaky() -> int:
        calls.append(1)
        if len(calls) < 3:
            raise ConnectionError("busy")
        return len(calls)

    @agent
    async def stubborn(text: str) -> str:
        while True:
            try:
                return str(await ctx.step("ask", flaky))
            except ConnectionError:
                continue

    assert await soon(segue.run(one_task(stubborn), "x")) == "3"


async def test_a_result_that_does_not_fit_any_more_is_named(segue: Segue) -> None:
    """Who remembers a step as another type than it was kept as is told which, and what to do."""

    def old() -> str:
        return "old"

    def new() -> Answer:
        raise AssertionError("it is remembered")

    @agent(retries=1, backoff=None)
    async def changing(text: str) -> str:
        await ctx.step("ask", old if ctx.attempt == 1 else new)
        raise ConnectionError("again")

    assert "InvalidPayload: step 'ask' of changing: the value does not fit Answer" in await reason_of(
        segue, changing
    )


async def test_wrong_names_and_results_are_refused_before_any_call(segue: Segue) -> None:
    """What cannot be a name, and what cannot be kept, is said before anything is paid for."""
    calls: list[str] = []

    def stream() -> BaseException:
        calls.append("called")
        return ValueError()

    def lost() -> Nowhere:  # type: ignore[name-defined]  # noqa: F821
        calls.append("called")

    @agent
    async def wrong(text: str) -> str:
        said = []
        for name, fn in (
            ("", stream),
            ("a\0b", stream),
            (3, stream),
            ("x" * 201, stream),
            ("s", stream),
            ("s", lost),
        ):
            with pytest.raises(Exception) as caught:  # noqa: PT011 - all kinds are told below
                await ctx.step(name, fn)  # type: ignore[arg-type]
            said.append(type(caught.value).__name__)
        return " ".join(said)

    names = await soon(segue.run(one_task(wrong), "x"))
    assert names == " ".join(["UsageError"] * 4 + ["DefinitionError"] * 2)
    assert calls == []


async def test_a_first_attempt_asks_the_store_nothing(
    open_segue: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only where something may be remembered is the store read, once for all steps of the attempt."""
    segue = await open_segue()
    reads: list[int] = []
    read_steps = segue.host.store.read_steps

    async def counted(run: str, node: str, item: int) -> Any:
        reads.append(ctx.attempt)
        return await read_steps(run, node, item)

    monkeypatch.setattr(segue.host.store, "read_steps", counted)

    @agent(retries=1, backoff=None)
    async def working(text: str) -> str:
        await asyncio.gather(*(ctx.step(f"{number}", str, number) for number in range(5)))
        if ctx.attempt == 1:
            raise ConnectionError("again")
        return text

    await soon(segue.run(one_task(working), "x"))
    assert reads == [2]


async def test_an_attempt_that_was_handed_back_is_remembered_too(open_segue: Open) -> None:
    """A worker that ends hands its task back: that counts as no attempt, and its finished steps are still known."""
    calls: list[int] = []
    paid = asyncio.Event()

    @agent
    async def slow(text: str) -> str:
        await ctx.step("ask", calls.append, ctx.epoch)
        paid.set()
        if ctx.epoch == 1:
            await asyncio.Event().wait()
        return f"attempt {ctx.attempt}, epoch {ctx.epoch}"

    first = await open_segue()
    handle = await first.submit(one_task(slow), "x")
    await soon(paid.wait())
    if first.host.url == "memory:":
        await first.host.engine.stop()
        (claim,) = await first.host.store.read_tasks(handle.run)
        assert (claim.attempt, claim.state) == (0, "ready")
        return
    await first.host.close()
    second = await open_segue(agents=[slow])
    assert await soon(second.handle(handle.run).result()) == "attempt 1, epoch 2"
    assert calls == [1]


async def test_a_superseded_attempt_is_told_and_writes_nothing(segue: Segue) -> None:
    """An attempt that another has taken over gets StaleEpoch when it would remember something."""
    said: list[str] = []
    taken, told = asyncio.Event(), asyncio.Event()

    async def lose() -> str:
        (task,) = await segue.host.store.read_tasks(ctx.run)
        await segue.host.store.expire([task.worker or ""])
        segue.host.engine.look_again()
        await soon(taken.wait())
        return "late"

    @agent
    async def losing(text: str) -> str:
        if ctx.epoch > 1:
            taken.set()
            return "second"
        try:
            return await ctx.step("ask", lose)
        except Exception as error:
            said.append(type(error).__name__)
            told.set()
            raise

    handle = await segue.submit(one_task(losing), "x")
    assert await soon(handle.result()) == "second"
    await soon(told.wait())
    assert said == ["StaleEpoch"]
    assert list(await segue.host.store.read_steps(handle.run, "losing", -1)) == []


async def test_a_speculative_attempt_remembers_nothing_before_its_input_is_durable() -> None:
    """It may call early, like the agent itself; what came of it is written when the commit has arrived."""
    store = SlowDisk()
    called, calls = asyncio.Event(), list[str]()

    async def ask(text: str) -> str:
        if store.holding:
            calls.append(text)
            called.set()
        return text

    @agent
    async def one(text: str) -> str:
        if store.holding:
            store.gate.clear()
        return text

    @agent(speculative=True)
    async def two(text: str) -> str:
        return await ctx.step("ask", ask, text)

    @workflow
    def chain(text: str) -> str:
        return two(one(text))

    async with open_on(store) as segue:
        await segue.run(chain, "warm")
        store.holding = True
        handle = await segue.submit(chain, "x")
        await soon(called.wait())
        assert list(await store.read_steps(handle.run, "two", -1)) == []
        store.gate.set()
        assert await soon(handle.result()) == "x"
        assert [record.name for record in await store.read_steps(handle.run, "two", -1)] == ["ask"]
    assert calls == ["x"]
