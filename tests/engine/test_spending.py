"""Spending budgets: what a run and its delegations may spend, held in the store, on both stores."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from segue import (
    Handoff,
    HandTo,
    RunFailed,
    Segue,
    Spending,
    SpendingExceeded,
    Usage,
    agent,
    ctx,
    workflow,
)
from segue.errors import UsageError


@pytest_asyncio.fixture(params=["memory:", "sqlite"])
async def segue(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Segue]:
    """Each of the two stores."""
    async with Segue("memory:" if request.param == "memory:" else str(tmp_path / "segue.db")) as opened:
        yield opened


async def accounts(segue: Segue, run: str) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Cap, spent and reserved of each account and unit; never beyond the cap."""
    found = await segue.host.store.read_spending(run)
    assert all(each.spent + each.reserved <= each.cap for each in found)
    return {(each.account, each.unit): (each.cap, each.spent, each.reserved) for each in found}


@agent
async def thrifty(rounds: int) -> int:
    """Reserves 100 tokens for each round, and takes 60."""
    for _ in range(rounds):
        async with ctx.spend(tokens=100) as spent:
            spent.tokens = 60
    return rounds


@workflow
def saving(rounds: int) -> int:
    """One task."""
    return thrifty(rounds)


async def test_what_was_spent_takes_the_place_of_what_was_reserved(segue: Segue) -> None:
    """The budget is exact: as many calls as fit are made, each counted, and nothing stays reserved."""
    handle = await segue.with_(budget=Spending(tokens=640, calls=50)).submit(saving, 10)
    assert await handle.result() == 10
    assert await accounts(segue, handle.run) == {("", "calls"): (50, 10, 0), ("", "tokens"): (640, 600, 0)}


async def test_beyond_the_budget_nothing_is_given(segue: Segue) -> None:
    """What does not fit raises `SpendingExceeded` before it is spent, with all the numbers, and is not tried again."""
    handle = await segue.with_(budget=Spending(tokens=250)).submit(saving, 10)
    with pytest.raises(
        RunFailed, match="asks for 100 tokens, and of the 250 in the budget of the run 180 are spent"
    ):
        await handle.result()
    assert (await accounts(segue, handle.run))["", "tokens"] == (250, 180, 0)


async def test_zero_means_zero(segue: Segue) -> None:
    """A budget of 0 gives nothing; a unit that is not limited is not counted."""
    handle = await segue.with_(budget=Spending(tokens=0, cost=1.5)).submit(saving, 1)
    with pytest.raises(RunFailed, match="asks for 100 tokens, and of the 0"):
        await handle.result()
    assert await accounts(segue, handle.run) == {
        ("", "cost"): (1_500_000_000, 0, 0),
        ("", "tokens"): (0, 0, 0),
    }


async def test_without_a_budget_nothing_is_written(segue: Segue) -> None:
    """`ctx.spend` in a run without a budget lets everything through."""
    handle = await segue.submit(saving, 3)
    assert await handle.result() == 3
    assert await accounts(segue, handle.run) == {}


async def test_a_thread_spends_and_an_error_settles(segue: Segue) -> None:
    """`with ctx.spend` works in a `def` agent; a block that raises has spent what it said, else what was reserved."""

    @agent(retries=1, backoff=None)
    def unlucky() -> str:
        with ctx.spend(tokens=10, cost=0.25) as spent:
            spent.tokens = 3
            if ctx.attempt == 1:
                raise RuntimeError("once")
        return "done"

    @workflow
    def tried() -> str:
        return unlucky()

    handle = await segue.with_(budget=Spending(tokens=100, cost=1.0)).submit(tried)
    assert await handle.result() == "done"
    found = await accounts(segue, handle.run)
    assert found["", "tokens"] == (100, 6, 0)
    assert found["", "cost"] == (1_000_000_000, 500_000_000, 0)


async def test_more_than_was_reserved_is_charged_as_far_as_it_goes(segue: Segue) -> None:
    """What took more than it had asked for is charged to the cap at most, and then the agent hears of it."""

    @agent
    async def wasteful(tokens: int) -> str:
        async with ctx.spend(tokens=10) as spent:
            spent.tokens = tokens
        return "fine"

    @workflow
    def wasted(tokens: int) -> str:
        return wasteful(tokens)

    handle = await segue.with_(budget=Spending(tokens=100)).submit(wasted, 90)
    assert await handle.result() == "fine"
    other = await segue.with_(budget=Spending(tokens=100)).submit(wasted, 120)
    with pytest.raises(RunFailed, match="SpendingExceeded"):
        await other.result()
    assert (await accounts(segue, other.run))["", "tokens"] == (100, 100, 0)


async def test_usage_on_a_handoff_is_charged_where_nothing_was_reserved(segue: Segue) -> None:
    """An agent that only says what it used is charged for it when it ends; over the cap it fails."""

    @agent
    async def frank(tokens: int) -> Handoff[int]:
        return Handoff(tokens, usage=Usage(input_tokens=tokens - 1, output_tokens=1, cost=0.1))

    @workflow
    def told(tokens: int) -> int:
        return frank(tokens)

    handle = await segue.with_(budget=Spending(tokens=100, calls=5)).submit(told, 70)
    assert await handle.result() == 70
    assert await accounts(segue, handle.run) == {("", "calls"): (5, 1, 0), ("", "tokens"): (100, 70, 0)}
    with pytest.raises(RunFailed, match="SpendingExceeded"):
        await segue.with_(budget=Spending(tokens=60)).run(told, 70)


async def test_a_tree_of_delegations_stays_under_its_cap(segue: Segue) -> None:
    """Three levels deep, each with a share of the one above: nobody spends more, and what is left comes back."""

    @agent
    async def leaf(tokens: int) -> int:
        async with ctx.spend(tokens=tokens) as spent:
            spent.tokens = tokens // 2
        return tokens

    @agent
    async def middle(share: int) -> str:
        done = [await ctx.delegate(leaf, tokens=share // 2, budget=Spending(tokens=share // 2))]
        try:
            await ctx.delegate(leaf, tokens=share, budget=Spending(tokens=share))
        except SpendingExceeded as error:
            return f"{len(done)}: {error.asked:g} of {error.cap:g} for {error.account}"
        return "too much"

    @agent
    async def top() -> list[str]:
        return [await ctx.delegate(middle, share=400, budget=Spending(tokens=400)) for _ in range(2)]

    @workflow
    def tree() -> list[str]:
        return top()

    handle = await segue.with_(budget=Spending(tokens=600)).submit(tree)
    assert await handle.result() == [
        "1: 400 of 400 for top/middle.1",
        "1: 400 of 400 for top/middle.2",
    ]
    found = await accounts(segue, handle.run)
    assert found["", "tokens"] == (600, 200, 0)
    assert found["top/middle.1", "tokens"] == (400, 100, 0)
    assert found["top/middle.1/leaf.1", "tokens"] == (200, 100, 0)


async def test_a_share_must_fit(segue: Segue) -> None:
    """A delegation beyond what is left of its budget is refused before it is appended."""

    @agent
    async def rich() -> str:
        try:
            await ctx.delegate(thrifty, rounds=1, budget=Spending(tokens=101))
        except SpendingExceeded as error:
            return f"{error.budget} {error.asked:g} > {error.cap:g}"
        return "given"

    @workflow
    def asking() -> str:
        return rich()

    handle = await segue.with_(budget=Spending(tokens=100)).submit(asking)
    assert await handle.result() == "tokens 101 > 100"
    assert len(await segue.host.store.read_tasks(handle.run)) == 1


async def test_hand_offs_are_counted(segue: Segue) -> None:
    """`handoffs` counts `HandTo` and `ctx.delegate`, over all tasks of the run."""

    @agent(name="ping")
    async def ping(count: int) -> int | HandTo:
        return HandTo("ping", count=count + 1)

    @agent
    async def first() -> int | HandTo:
        await ctx.delegate(thrifty, rounds=0)
        return HandTo(ping, count=0)

    @workflow
    def endless() -> int:
        return first()

    handle = await segue.with_(budget=Spending(handoffs=3), laps=100).submit(endless)
    with pytest.raises(RunFailed, match="asks for 1 handoffs, and of the 3"):
        await handle.result()
    assert (await accounts(segue, handle.run))["", "handoffs"] == (3, 3, 0)


async def test_what_was_not_handed_on_is_not_counted(segue: Segue) -> None:
    """A hand-off that is refused costs none of the budget: with the right agent the next try has it still."""
    tries: list[str] = []

    @agent
    async def right(text: str) -> str:
        return text

    @agent(retries=2, backoff=None)
    async def unsure(text: str) -> str | HandTo:
        tries.append("wrong" if len(tries) < 2 else "right")
        return HandTo(tries[-1], text=text)

    @workflow
    def handed(text: str) -> str:
        return unsure(text)

    segue.host.know(right)
    handle = await segue.with_(budget=Spending(handoffs=1)).submit(handed, "x")
    assert await handle.result() == "x"
    assert (await accounts(segue, handle.run))["", "handoffs"] == (1, 1, 0)


async def test_a_share_that_failed_may_be_tried_again(segue: Segue) -> None:
    """A redriven delegation has what was left of its share, set aside again."""
    tries: list[int] = []

    @agent
    async def moody() -> str:
        async with ctx.spend(tokens=30):
            tries.append(1)
            if len(tries) == 1:
                raise RuntimeError("not now")
        return "now"

    @agent
    async def asks() -> str:
        return await ctx.delegate(moody, budget=Spending(tokens=60))

    @workflow
    def trying() -> str:
        return asks()

    handle = await segue.with_(budget=Spending(tokens=60)).submit(trying)
    with pytest.raises(RunFailed):
        await handle.result()
    assert (await accounts(segue, handle.run))["", "tokens"] == (60, 30, 0)
    await handle.retry(by="me")
    assert await handle.result() == "now"
    assert (await accounts(segue, handle.run))["", "tokens"] == (60, 60, 0)


async def test_a_share_comes_back_although_nobody_waits_for_it_any_more(segue: Segue) -> None:
    """Whoever asked has failed, and what he delegated ends later: what it did not spend is there again."""
    began, may_end = asyncio.Event(), asyncio.Event()

    @agent
    async def slow() -> str:
        async with ctx.spend(tokens=10):
            began.set()
        await may_end.wait()
        return "done"

    @agent
    async def hasty() -> str:
        asked = asyncio.ensure_future(ctx.delegate(slow, budget=Spending(tokens=60)))
        await began.wait()
        asked.cancel()
        raise RuntimeError("no time to wait")

    @workflow
    def left() -> str:
        return hasty()

    handle = await segue.with_(budget=Spending(tokens=100)).submit(left)
    async for _ in segue.events(handle.run, names="task.hasty.failed"):
        break
    assert (await accounts(segue, handle.run))["", "tokens"] == (100, 0, 60)
    may_end.set()
    with pytest.raises(RunFailed):
        await handle.result()
    assert (await accounts(segue, handle.run))["", "tokens"] == (100, 10, 0)


@pytest.mark.parametrize("given", [{"tokens": -1}, {"tokens": 1.5}, {"cost": float("nan")}, {"calls": True}])
def test_what_is_no_amount(given: dict[str, object]) -> None:
    """A budget is made of numbers from 0."""
    with pytest.raises(UsageError, match="from 0"):
        Spending(**given)  # type: ignore[arg-type]


def test_a_budget_is_a_spending() -> None:
    """Anything else is refused when it is given."""
    with pytest.raises(UsageError, match="is no Spending"):
        Segue("memory:").with_(budget=100)  # type: ignore[arg-type]


def _run_tree(folder: Path, kill_after: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(Path(__file__).with_name("spending_tree.py")), str(folder / "segue.db")],
        env={**os.environ, "CRASH_LOG": str(folder / "log"), "CRASH_AFTER": str(kill_after)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_a_tree_three_deep_stays_under_its_cap_across_kills(tmp_path: Path) -> None:
    """
    A process is killed in the middle of a payment at one level after the other, seven times, and goes on in a new one:
    all that was ever spent is under the cap, the store knows of every token, and nobody was asked twice.
    """
    for kill_after in (1, 2, 4, 5, 9, 13, 18):
        killed = _run_tree(tmp_path, kill_after)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    ended = _run_tree(tmp_path, 0)
    assert ended.returncode == 0, ended.stderr
    spent = sum(int(line) for line in (tmp_path / "log").read_text().split())
    async with Segue(tmp_path / "segue.db", worker=False) as segue:
        (record,) = await segue.host.store.list_runs(5)
        found = await accounts(segue, record.run)
        cap, told, reserved = found["", "tokens"]
        assert (cap, reserved) == (1000, 0)
        assert spent <= told <= cap
        names = [task.node for task in await segue.host.store.read_tasks(record.run)]
        assert len(names) == len(set(names))
        assert max(name.count("/") for name in names) == 2
