"""An effect whose outcome nobody knows is not run again: `reconcile` is asked, or a person."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from segue import DidNotHappen, Happened, ReviewNeeded, RunFailed, Segue, agent, ctx
from segue.errors import EffectInDoubt, UnknownRun, UsageError
from tests.engine.deadlines import soon
from tests.engine.outside import Bank, names_of, one_task, paying, reason_of, states

Say = Callable[[str], Any]


async def test_nobody_runs_what_is_in_doubt(segue: Segue) -> None:
    """Without an answer the body does not run: the attempt ends, and the run says what a person has to find out."""
    bank = Bank()
    handle = await segue.submit(one_task(paying(bank)), "x")
    with pytest.raises(ReviewNeeded, match=r"needs to know whether effect 'charge' of pay happened"):
        await soon(handle.result())
    assert len(bank.paid) == 1
    assert await states(segue, handle.run) == ["in_doubt"]
    (task,) = await segue.host.store.read_tasks(handle.run)
    assert (task.state, task.attempt) == ("in_doubt", 2)
    assert "began it and left no word" in json.loads(task.error or "")["message"]
    assert await names_of(segue, handle.run) == ["effect_begun", "in_doubt"]


@pytest.mark.parametrize(("outcome", "receipt"), [(Happened({"receipt": 99}), 99), (DidNotHappen(), 2)])
async def test_a_persons_word_lets_the_task_go_on(segue: Segue, outcome: Any, receipt: int) -> None:
    """Told that it happened, the task uses the result it was told; told that it did not, it runs the body."""
    bank = Bank()
    handle = await segue.submit(one_task(paying(bank)), "x")
    with pytest.raises(ReviewNeeded):
        await soon(handle.result())
    await handle.resolve("pay", "charge", outcome, by="Ana", note="asked the bank")
    assert await soon(handle.result()) == f"receipt {receipt}"
    assert len(set(bank.paid)) == 1
    events, _ = await segue.host.store.tail(None, 100, handle.run)
    (resolved,) = [event for event in events if event.name == "task.pay.resolved"]
    told = {"effect": "charge", "happened": receipt == 99, "by": "Ana", "note": "asked the bank"}
    assert json.loads(resolved.data or "") == told


async def test_what_cannot_be_resolved_is_said(segue: Segue) -> None:
    """Not what nobody knows, not what has an outcome, not twice: each is refused with what there is."""
    handle = await segue.submit(one_task(paying(Bank())), "x")
    with pytest.raises(ReviewNeeded):
        await soon(handle.result())
    for task in ("no", "pay[1]", "pay]["):
        with pytest.raises(UnknownRun, match="has no task"):
            await handle.resolve(task, "charge", DidNotHappen(), by="Ana")
    with pytest.raises(UsageError, match="there is no effect 'mail' of pay") as caught:
        await handle.resolve("pay", "mail", DidNotHappen(), by="Ana")
    assert "charge" in (caught.value.remedy or "")
    with pytest.raises(UsageError, match=r"note is .* which no store can keep"):
        await handle.resolve("pay", "charge", Happened(), by="Ana", note="half \ud800")
    with pytest.raises(UsageError, match="note has 4,001 characters, and SAID_CHARACTERS is 4,000"):
        await handle.resolve("pay", "charge", Happened(), by="Ana", note="n" * 4_001)
    await handle.resolve("pay", "charge", Happened(), by="Ana")
    with pytest.raises(UsageError, match="is not in doubt: it happened"):
        await handle.resolve("pay", "charge", DidNotHappen(), by="Ben")


async def test_a_running_effect_is_not_in_doubt(segue: Segue) -> None:
    """Nobody can decide over the head of the attempt that is at it."""
    begun, going = asyncio.Event(), asyncio.Event()

    @agent
    async def pay(text: str) -> str:
        async with ctx.effect("charge"):
            begun.set()
            await going.wait()
        return text

    handle = await segue.submit(one_task(pay), "x")
    await soon(begun.wait())
    with pytest.raises(UsageError, match="the task is claimed"):
        await handle.resolve("pay", "charge", DidNotHappen(), by="Ana")
    assert await states(segue, handle.run) == ["begun"]
    going.set()
    await soon(handle.result())


async def test_an_agent_cannot_talk_itself_out_of_a_doubt(segue: Segue) -> None:
    """Even if the agent swallows the error and returns, its attempt ends in doubt and nothing is handed over."""
    caught: list[EffectInDoubt] = []

    @agent(retries=1, backoff=None)
    async def pay(text: str) -> str:
        try:
            async with ctx.effect("charge"):
                raise ConnectionError("the line broke")
        except EffectInDoubt as error:
            caught.append(error)
            return "all is well"

    handle = await segue.submit(one_task(pay), "x")
    with pytest.raises(ReviewNeeded):
        await soon(handle.result())
    assert (caught[0].remedy or "").endswith(
        f"segue resolve {handle.run} pay charge --happened JSON, or --did-not-happen."
    )
    assert list(await segue.host.store.latest_handoffs(handle.run)) == []


async def test_a_failed_task_keeps_its_doubt_for_a_person(segue: Segue) -> None:
    """If the tries are used up while nobody knows, the effect is shown in doubt and can still be resolved."""

    @agent
    async def pay(text: str) -> str:
        async with ctx.effect("charge"):
            raise TimeoutError("no answer")

    handle = await segue.submit(one_task(pay), "x")
    with pytest.raises(RunFailed, match="TimeoutError"):
        await soon(handle.result())
    assert await states(segue, handle.run) == ["in_doubt"]
    await handle.resolve("pay", "charge", Happened("late"), by="Ana")
    assert await states(segue, handle.run) == ["done"]


# --- reconcile --------------------------------------------------------------------------------------


def asked(answer: Any, keys: list[str], *, later: bool) -> Say:
    """A `reconcile` function that notes the keys it is asked about."""

    def say(key: str) -> Any:
        keys.append(key)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def say_later(key: str) -> Any:
        return say(key)

    return say_later if later else say


@pytest.mark.parametrize("later", [False, True])
async def test_reconcile_says_that_it_happened(segue: Segue, later: bool) -> None:
    """Its result is recorded and used, and the body has nothing to do."""
    bank, keys = Bank(), list[str]()
    say = asked(Happened({"receipt": 41}), keys, later=later)
    handle = await segue.submit(one_task(paying(bank, reconcile=say, key="order 7")), "x")
    assert await soon(handle.result()) == "receipt 41"
    assert (bank.paid, keys) == (["order 7"], ["order 7"])
    assert await names_of(segue, handle.run) == ["effect_begun", "effect_done"]


async def test_reconcile_says_that_it_did_not_happen(segue: Segue) -> None:
    """The old intent is withdrawn and a new one written, together, before the body runs."""
    bank, keys = Bank(), list[str]()
    say = asked(DidNotHappen(), keys, later=True)
    handle = await segue.submit(one_task(paying(bank, reconcile=say, pay_first=False)), "x")
    assert await soon(handle.result()) == "receipt 1"
    assert len(keys) == 1
    told = ["effect_begun", "effect_withdrawn", "effect_begun", "effect_done"]
    assert await names_of(segue, handle.run) == told


@pytest.mark.parametrize("answer", [None, "unknown"])
async def test_reconcile_cannot_tell(segue: Segue, answer: Any) -> None:
    """Then a person is asked, as if there were no such function."""
    bank = Bank()
    handle = await segue.submit(one_task(paying(bank, reconcile=asked(answer, [], later=False))), "x")
    with pytest.raises(ReviewNeeded):
        await soon(handle.result())
    (task,) = await segue.host.store.read_tasks(handle.run)
    assert "`reconcile` cannot tell" in json.loads(task.error or "")["message"]
    assert len(bank.paid) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (True, "UsageError: effect 'charge' of pay: `reconcile` returned True"),
        (OSError("no line"), "OSError: no line"),
    ],
)
async def test_a_reconcile_that_fails_runs_nothing(segue: Segue, answer: Any, reason: str) -> None:
    """A wrong answer or an error is one of the agent; the effect stays in doubt."""
    bank = Bank()
    agent_ = paying(bank, reconcile=asked(answer, [], later=False))
    assert reason in await reason_of(segue, agent_)
    assert len(bank.paid) == 1
    (run,) = await segue.host.store.list_runs(1)
    assert await states(segue, run.run) == ["in_doubt"]


async def test_a_def_agent_reconciles_in_its_thread(segue: Segue) -> None:
    """The same for `with`, whether `reconcile` is a coroutine or not."""

    @agent(retries=1, backoff=None)
    def pay(text: str) -> str:
        with (
            ctx.effect("one", reconcile=asked(Happened(1), [], later=False)) as one,
            ctx.effect("two", reconcile=asked(Happened(2), [], later=True)) as two,
        ):
            if ctx.attempt == 1:
                raise ConnectionError("again")
        return f"{one.result} {two.result}"

    assert await soon(segue.run(one_task(pay), "x")) == "1 2"
