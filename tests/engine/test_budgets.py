"""Agents that run over a budget: cut off, tried again or given up, and fenced; in the loop and in threads."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from segue import Later, RunFailed, Segue, agent, ctx, workflow
from segue.domain.rows import TaskRecord
from segue.errors import StaleEpoch, UsageError
from segue.stores.urls import StoreParts
from segue.testing import ManualClock
from tests.engine.deadlines import soon
from tests.engine.test_time import turning


class Bench:
    """One worker on a store in memory and a clock that is turned."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.let_go = threading.Event()
        self.late: list[str] = []
        self.at_rest = asyncio.Event()
        """Set while the agent waits for time to pass."""

    async def rest(self, seconds: float) -> None:
        """Wait in an agent, for time that may pass now."""
        self.at_rest.set()
        await self.clock.sleep(seconds)
        self.at_rest.clear()

    def opened(self, **settings: Any) -> Segue:
        return Segue("memory:", clock=self.clock, **settings)

    def hanging(self, in_thread: bool, hangs: Callable[[], bool], **settings: Any) -> Any:
        """A workflow of one agent that hangs as long as `hangs` says so, and then returns its attempt."""

        @agent(**settings)
        async def awaits(text: str) -> str:
            if hangs():
                await asyncio.Event().wait()
            return f"attempt {ctx.attempt}"

        @agent(**settings)
        def blocks(text: str) -> str:
            if hangs():
                self.let_go.wait()
                self.late.append(text)
            return f"attempt {ctx.attempt}"

        @workflow
        def one(text: str) -> str:
            return blocks(text) if in_thread else awaits(text)

        return one


@pytest.fixture
def bench() -> Any:
    """A bench whose threads are let go in the end."""
    made = Bench()
    yield made
    made.let_go.set()


async def the_task(segue: Segue, run: str) -> TaskRecord:
    """The only task of a run."""
    (task,) = await segue.host.store.read_tasks(run)
    return task


async def names_of(segue: Segue, run: str) -> list[str]:
    """What happened to the tasks of a run, without the names of agents."""
    events, _ = await segue.host.store.tail(None, 1_000, run)
    return [event.name.rpartition(".")[2] for event in events if event.task]


@pytest.mark.parametrize("in_thread", [False, True])
@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        ({"timeout": "30s"}, 30.0),
        ({"idle": "5s"}, 5.0),
        ({"timeout": "30s", "idle": "5s"}, 5.0),
    ],
)
async def test_who_hangs_is_cut_off_and_tried_again(
    bench: Bench, in_thread: bool, settings: dict[str, str], seconds: float
) -> None:
    """An attempt ends at the first of its budgets; the next one succeeds, and what the loser returns is refused."""
    hangs = iter([True, False])
    one = bench.hanging(in_thread, lambda: next(hangs), retries=1, **settings)
    async with bench.opened() as segue:
        began = bench.clock.boot()
        handle = await segue.submit(one, "x")
        assert await turning(bench.clock, handle.result()) == "attempt 2"
        assert seconds <= bench.clock.boot() - began < seconds + 2.0
        bench.let_go.set()
        assert await names_of(segue, handle.run) == ["ready", "claimed", "retry", "claimed", "complete"] or (
            await names_of(segue, handle.run)
        ) == ["claimed", "retry", "claimed", "complete"]


@pytest.mark.parametrize("in_thread", [False, True])
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"timeout": "30s", "on_overrun": "fail", "retries": 3}, "longer than its timeout of 30 s"),
        ({"idle": "5s", "on_overrun": "fail", "retries": 3}, "5 s"),
        ({"deadline": "9s", "retries": 3}, "9 s"),
    ],
)
async def test_who_hangs_for_good_is_given_up(
    bench: Bench, in_thread: bool, settings: dict[str, Any], said: str
) -> None:
    """Where the policy is to fail, or the deadline has passed, there is no second try; the error names the budget."""
    ran: list[bool] = []
    one = bench.hanging(in_thread, lambda: not ran.append(True), **settings)
    async with bench.opened() as segue:
        handle = await segue.submit(one, "x")
        with pytest.raises(RunFailed, match=said):
            await turning(bench.clock, handle.result())
        task = await the_task(segue, handle.run)
        assert (task.state, ran) == ("failed", [True])
        assert json.loads(task.error or "")["kind"] == "BudgetExceeded"


@pytest.mark.parametrize("budget", ["timeout", "idle", "deadline"])
async def test_who_does_not_end_when_told_to_is_left_behind(bench: Bench, budget: str) -> None:
    """An agent that swallows its cancellation holds up neither its task nor others, and is told that it is over."""
    let_go, told = asyncio.Event(), asyncio.Event()
    settings: Any = {budget: "30s", "retries": 1, "backoff": None}

    @agent(**settings)
    async def stubborn(text: str) -> str:
        while ctx.attempt == 1 and not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue
        if ctx.attempt == 1:
            with pytest.raises(StaleEpoch):
                await ctx.step("late", str)
            told.set()
        return f"attempt {ctx.attempt}"

    @workflow
    def one(text: str) -> str:
        return stubborn(text)

    async with bench.opened(concurrency=1) as segue:
        began = bench.clock.boot()
        handle = await segue.submit(one, "x")
        if budget == "deadline":
            with pytest.raises(
                RunFailed, match="BudgetExceeded: stubborn was not done by its deadline of 30 s"
            ):
                await turning(bench.clock, handle.result())
        else:
            assert await turning(bench.clock, handle.result()) == "attempt 2"
        assert 30.0 <= bench.clock.boot() - began < 40.0
        let_go.set()
        await soon(told.wait())
        assert (await names_of(segue, handle.run)).count("complete") == (budget != "deadline")


@pytest.mark.parametrize("makes_of_it", ["a result", "an error"])
async def test_what_is_made_of_the_end_is_too_late(bench: Bench, makes_of_it: str) -> None:
    """An agent that answers its cancellation with a result, or another error, has run over its budget all the same."""
    made: list[int] = []

    @agent(timeout="30s", retries=2, on_overrun="fail")
    async def late(text: str) -> str:
        made.append(ctx.attempt)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if makes_of_it == "an error":
                raise ConnectionError("cancelled") from None
        return "late"

    @workflow
    def one(text: str) -> str:
        return late(text)

    async with bench.opened() as segue:
        with pytest.raises(
            RunFailed, match="late: BudgetExceeded: late ran for longer than its timeout of 30 s"
        ):
            await turning(bench.clock, segue.run(one, "x"))
    assert made == [1]


async def test_a_task_that_nobody_claims_runs_over_its_queue_budget(bench: Bench) -> None:
    """A worker that does not have the agent settles a task that lay too long, in the name of its policy."""

    @agent(queue="20s", on_overrun="fail")
    async def elsewhere(text: str) -> str:
        return text

    @workflow
    def one(text: str) -> str:
        return elsewhere(text)

    async with bench.opened(worker=False) as submitting:
        parts = submitting.host
        handle = await submitting.submit(one, "x")
        async with Segue(_shared(parts), clock=bench.clock) as segue:
            began = bench.clock.boot()
            with pytest.raises(RunFailed, match="queue budget of 20 s"):
                await turning(bench.clock, segue.handle(handle.run).result())
            assert 20.0 <= bench.clock.boot() - began < 22.0


def _shared(host: Any) -> Any:
    """The store of another host, for a worker of its own."""
    return StoreParts(host.store, host.artifacts, None, host.store.liveness, lambda idle: None)


@pytest.mark.parametrize("in_thread", [False, True])
async def test_progress_keeps_an_agent_alive(bench: Bench, in_thread: bool) -> None:
    """Who says how far it is does not idle, however long it takes; who falls silent is cut off."""

    @agent(idle="5s", on_overrun="fail")
    async def awaits(text: str) -> str:
        for page in range(10):
            await ctx.progress(f"page {page}", fraction=page / 10)
            await bench.rest(4.0)
        await bench.rest(1_000.0)
        return text

    loop = asyncio.get_running_loop()

    @agent(idle="5s", on_overrun="fail")
    def blocks(text: str) -> str:
        for page in range(10):
            ctx.progress(f"page {page}", fraction=page / 10).wait()
            asyncio.run_coroutine_threadsafe(bench.rest(4.0), loop).result()
        asyncio.run_coroutine_threadsafe(bench.rest(1_000.0), loop)
        bench.let_go.wait()
        return text

    @workflow
    def one(text: str) -> str:
        return blocks(text) if in_thread else awaits(text)

    async with bench.opened() as segue:
        began = bench.clock.boot()
        handle = await segue.submit(one, "x")
        with pytest.raises(RunFailed, match="5 s"):
            await turning_threads(bench, handle.result())
        assert 40.0 <= bench.clock.boot() - began < 48.0
        events, _ = await segue.host.store.tail(None, 1_000, handle.run)
        said = [json.loads(event.data or "") for event in events if event.name.endswith(".progress")]
        assert said == [{"message": f"page {page}", "fraction": page / 10} for page in range(10)]


async def turning_threads(bench: Bench, waiting: Any) -> Any:
    """As `turning`, for an agent in a thread: no time passes while it is on its way from one rest to the next."""
    task = asyncio.ensure_future(waiting)
    while not task.done():
        await asyncio.wait([task], timeout=0.01)
        wake = bench.clock.next_wake
        if not task.done() and wake is not None and bench.at_rest.is_set():
            bench.clock.advance(wake)
    return await task


async def test_who_chatters_costs_little(bench: Bench) -> None:
    """A thousand words in a row are written as a few, the last of them included."""
    said = asyncio.Event()

    @agent
    async def chatty(text: str) -> str:
        for number in range(1000):
            await ctx.progress(fraction=number / 999)
        said.set()
        await asyncio.Event().wait()
        return text

    @workflow
    def one(text: str) -> str:
        return chatty(text)

    async with bench.opened() as segue:
        handle = await segue.submit(one, "x")
        await soon(said.wait())
        await turning(bench.clock, bench.clock.sleep(4.0))
        events, _ = await segue.host.store.tail(None, 1_000, handle.run)
        written = [json.loads(event.data or "") for event in events if event.name.endswith(".progress")]
        assert written == [{"fraction": 0.0}, {"fraction": 1.0}]
        await segue.cancel(handle.run, by="me")


async def test_what_says_nothing_is_refused(bench: Bench) -> None:
    """A fraction that is none, and a message that is no text, are mistakes that are told at once."""

    @agent
    async def wrong(text: str) -> list[str]:
        told = []
        for given in ({"fraction": 1.5}, {"fraction": True}, {"message": 3}, {"fraction": float("nan")}):
            with pytest.raises(UsageError) as caught:
                await ctx.progress(**given)
            told.append(str(caught.value))
        return told

    @workflow
    def one(text: str) -> list[str]:
        return wrong(text)

    async with bench.opened() as segue:
        told = await segue.run(one, "x")
        assert all(each.startswith("progress of wrong:") for each in told)


async def test_who_was_superseded_is_told_so(bench: Bench) -> None:
    """After its run was cancelled, an agent that goes on all the same hears `StaleEpoch` from what it says next."""
    heard = asyncio.get_running_loop().create_future()
    began = asyncio.Event()

    @agent
    async def stubborn(text: str) -> str:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            try:
                await ctx.progress("still here")
            except StaleEpoch as error:
                heard.set_result(error)
            raise
        return text

    @workflow
    def one(text: str) -> str:
        return stubborn(text)

    async with bench.opened() as segue:
        handle = await segue.submit(one, "x")
        await soon(began.wait())
        await segue.cancel(handle.run, by="me")
        assert "superseded" in str(await soon(heard))


async def test_waiting_for_a_later_is_neither_running_nor_idling(bench: Bench) -> None:
    """Time stands still while an agent waits for a `Later`; only the deadline of its task goes on."""

    @agent
    async def slow(text: str) -> str:
        await bench.clock.sleep(100.0)
        return text

    @agent(timeout="10s", idle="5s", on_overrun="fail")
    async def waits(later: Later[str]) -> str:
        await bench.clock.sleep(4.0)
        got = await later
        await bench.clock.sleep(4.0)
        return got

    @agent(timeout="10s", idle="5s", deadline="50s")
    async def hurries(later: Later[str]) -> str:
        return await later

    @workflow
    def patient(text: str) -> str:
        return waits(slow(text))

    @workflow
    def hurried(text: str) -> str:
        return hurries(slow(text))

    async with bench.opened() as segue:
        assert await turning(bench.clock, segue.run(patient, "x")) == "x"
        began = bench.clock.boot()
        with pytest.raises(RunFailed, match="50 s"):
            await turning(bench.clock, segue.run(hurried, "x"))
        assert bench.clock.boot() - began >= 50.0
