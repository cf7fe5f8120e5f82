"""`ctx.effect`: what an agent does outside is on record, intent and outcome, and happens once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from segue import DidNotHappen, ReviewNeeded, Segue, agent, ctx, workflow
from segue.domain.records import Token, Verdict
from segue.engine.attempts.attempt import Attempt
from segue.errors import StaleEpoch, StoreFull, UsageError
from tests.engine.conftest import Open
from tests.engine.deadlines import soon
from tests.engine.outside import Bank, names_of, one_task, reason_of, states
from tests.engine.slow_disk import SlowDisk, open_on

# --- happening once ---------------------------------------------------------------------------------


async def test_an_effect_that_happened_is_not_run_again(segue: Segue) -> None:
    """The outcome is on record before `once` returns: what goes wrong after it runs nothing twice."""
    bank = Bank()
    seen: list[Any] = []

    @agent(retries=1, backoff=None)
    async def pay(text: str) -> str:
        async with ctx.effect("charge", key="order 7") as charge:
            seen.append((charge.happened, charge.key))
            receipt = await charge.once(bank.pay_later, 3)
            if ctx.attempt == 1:
                raise ConnectionError("inside the block, after it happened")
        seen.append(receipt)
        return "paid"

    handle = await segue.submit(one_task(pay), "x")
    assert await soon(handle.result()) == "paid"
    assert bank.paid == ["order 7"]
    assert seen == [(False, "order 7"), (True, "order 7"), {"receipt": 1, "amount": 3}]
    (effect,) = await handle.effects()
    assert (effect.task, effect.name, effect.state, effect.result) == ("pay", "charge", "done", seen[-1])
    assert await names_of(segue, handle.run) == ["effect_begun", "effect_done"]


async def test_a_def_agent_uses_with(segue: Segue) -> None:
    """In a thread the block is a plain `with`, and what it calls runs in that thread or in the loop."""
    bank = Bank()

    @agent(retries=1, backoff=None)
    def pay(text: str) -> str:
        with ctx.effect("here") as here:
            first = here.once(bank.pay, 1).wait()
        with ctx.effect("there") as there:
            second = there.once(bank.pay_later, 2).wait()
        with ctx.effect("by hand") as by_hand:
            if not by_hand.happened:
                by_hand.done(bank.pay(3, by_hand.key))
        if ctx.attempt == 1:
            raise ConnectionError("again")
        return str((first["receipt"], second["receipt"], by_hand.result["receipt"]))

    handle = await segue.submit(one_task(pay), "x")
    assert await soon(handle.result()) == "(1, 2, 3)"
    assert len(bank.paid) == len(set(bank.paid)) == 3
    assert await states(segue, handle.run) == ["done"] * 3


async def test_the_intent_is_on_record_before_the_body_and_the_outcome_before_the_end(segue: Segue) -> None:
    """Whoever looks at the store while the body runs finds the intent; after the block, the outcome."""
    seen: list[str] = []

    @agent
    async def pay(text: str) -> str:
        async with ctx.effect("charge"):
            seen.extend(await states(segue, ctx.run))
        seen.extend(await states(segue, ctx.run))
        return text

    handle = await segue.submit(one_task(pay), "x")
    await soon(handle.result())
    assert seen == ["begun", "done"]
    assert (await handle.effects())[0].result is None


async def test_a_key_is_the_same_in_every_attempt(segue: Segue) -> None:
    """It is made of run, task and name, fit for a header; one that is given stays the one of the first attempt."""
    keys: list[str] = []

    @agent(retries=1, backoff=None)
    async def pay(text: str) -> str:
        for name, key in (("my charge", None), ("mail", f"chance {ctx.attempt}")):
            async with ctx.effect(name, key=key, reconcile=lambda key: DidNotHappen()) as effect:
                keys.append(effect.key)
                if name == "mail" and ctx.attempt == 1:
                    raise ConnectionError("again")
        return text

    handle = await segue.submit(one_task(pay), "x")
    await soon(handle.result())
    derived = f"{handle.run}/pay/my%20charge"
    assert keys == [derived, "chance 1", derived, "chance 1"]


# --- leaving the block ------------------------------------------------------------------------------


async def test_a_body_can_say_that_it_did_not_happen(segue: Segue) -> None:
    """The intent is taken back, so that the next attempt runs the body without asking anybody."""
    bank = Bank()

    @agent(retries=1, backoff=None)
    async def pay(text: str) -> str:
        async with ctx.effect("charge") as charge:
            if ctx.attempt == 1:
                charge.did_not_happen()
                raise ConnectionError("refused before anything was sent")
            await charge.once(bank.pay, 3)
        return "paid"

    handle = await segue.submit(one_task(pay), "x")
    assert await soon(handle.result()) == "paid"
    assert len(bank.paid) == 1
    told = ["effect_begun", "effect_withdrawn", "effect_begun", "effect_done"]
    assert await names_of(segue, handle.run) == told


async def test_what_the_body_has_said_counts_even_if_it_fails(segue: Segue) -> None:
    """An outcome that is known is recorded on the way out, whatever made the body leave."""

    @agent(retries=1, backoff=None)
    async def pay(text: str) -> str:
        async with ctx.effect("charge") as charge:
            if not charge.happened:
                charge.done({"receipt": 5})
                raise ConnectionError("after it was done")
        return str(charge.result)

    assert await soon(segue.run(one_task(pay), "x")) == "{'receipt': 5}"


async def test_a_swallowed_error_does_not_make_it_happen(segue: Segue) -> None:
    """A call that came to no end leaves the effect in doubt, even if the body goes on as if nothing were."""

    async def break_off() -> None:
        raise TimeoutError("no answer")

    @agent(retries=1, backoff=None)
    async def pay(text: str) -> str:
        async with ctx.effect("charge") as charge:
            try:
                await charge.once(break_off)
            except TimeoutError:
                with pytest.raises(UsageError, match="was tried before in this block"):
                    await charge.once(break_off)
        raise ConnectionError("again")

    handle = await segue.submit(one_task(pay), "x")
    with pytest.raises(ReviewNeeded):
        await soon(handle.result())


async def test_misuse_is_told(segue: Segue) -> None:
    """Doubled names, an outcome said twice, a block that is not open: each is a UsageError that says what to do."""
    said: list[str] = []

    async def refused(use: Callable[[], Any]) -> None:
        try:
            found = use()
            if found is not None:
                await found
        except UsageError as error:
            said.append(error.message)

    @agent
    async def pay(text: str) -> str:
        closed = ctx.effect("closed")
        await refused(lambda: closed.once(str, 1))
        async with ctx.effect("charge") as charge:
            await refused(ctx.effect("charge").__aenter__)
            await refused(lambda: ctx.step("charge", str, 1))
            await refused(lambda: ctx.effect("plain").__enter__() and None)
            charge.done(1)
            await refused(charge.did_not_happen)
            await refused(lambda: charge.done(2))
        await refused(lambda: charge.once(str, 1))
        await refused(lambda: ctx.effect("") and None)
        await refused(lambda: ctx.effect("mail", key=7) and None)  # type: ignore[arg-type]
        return text

    handle = await segue.submit(one_task(pay), "x")
    await soon(handle.result())
    assert said == [
        "effect 'closed' of pay is not open",
        "effect 'charge' of pay was used before in this attempt",
        "step 'charge' of pay was used before in this attempt",
        "`with ctx.effect(...)` would block the event loop",
        "the outcome of effect 'charge' of pay is known already",
        "the outcome of effect 'charge' of pay is known already",
        "effect 'charge' of pay is not open",
        "'' cannot be the name of an effect",
        "7 cannot be the key of the effect 'mail'",
    ]
    assert (await handle.effects())[0].result == 1


async def test_a_name_keeps_its_kind(segue: Segue) -> None:
    """What was a step in one attempt cannot be an effect in the next."""

    @agent(retries=1, backoff=None)
    async def changing(text: str) -> str:
        if ctx.attempt == 1:
            await ctx.step("charge", str, 1)
            raise ConnectionError("again")
        async with ctx.effect("charge"):
            return text

    assert "effect 'charge' of changing was a step in an earlier attempt" in await reason_of(segue, changing)


# --- who may act ------------------------------------------------------------------------------------


async def test_a_speculative_attempt_acts_on_durable_input_only() -> None:
    """The body waits for the commit of its input; if that commit fails it never runs, and no intent is written."""
    store, started, acted = SlowDisk(), asyncio.Event(), list[str]()

    @agent
    async def one(text: str) -> str:
        if store.holding:
            store.gate.clear()
        return text

    @agent(speculative=True)
    async def two(text: str) -> str:
        started.set()
        async with ctx.effect("charge"):
            acted.append(text)
        return text

    @workflow
    def chain(text: str) -> str:
        return two(one(text))

    async with open_on(store) as segue:
        await segue.run(chain, "warm")
        for text, error in (("good", None), ("bad", StoreFull("the disk is full"))):
            store.holding = True
            started.clear()
            handle = await segue.submit(chain, text)
            await soon(started.wait())
            assert text not in acted
            assert list(await store.read_steps(handle.run, "two", -1)) == []
            store.error = error
            store.gate.set()
            if error is None:
                assert await soon(handle.result()) == "good"
            else:
                with pytest.raises(StoreFull):
                    await soon(handle.result())
    assert acted == ["warm", "good"]


async def test_a_superseded_attempt_does_not_act(segue: Segue) -> None:
    """It gets StaleEpoch where it would begin, and its body never runs."""
    said: list[str] = []
    taken, told = asyncio.Event(), asyncio.Event()

    @agent
    async def losing(text: str) -> str:
        if ctx.epoch > 1:
            taken.set()
            await told.wait()
            return "second"
        (task,) = await segue.host.store.read_tasks(ctx.run)
        await segue.host.store.expire([task.worker or ""])
        segue.host.engine.look_again()
        await soon(taken.wait())
        try:
            async with ctx.effect("charge"):
                said.append("acted")
        except StaleEpoch:
            said.append("stale")
        told.set()
        return "first"

    handle = await segue.submit(one_task(losing), "x")
    assert await soon(handle.result()) == "second"
    assert said == ["stale"]
    assert await states(segue, handle.run) == []


async def test_an_attempt_that_stood_still_asks_before_it_acts(
    open_segue: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between intent and call the process may have been stopped for longer than its lease: then it asks first."""
    segue = await open_segue()
    bank, said = Bank(), list[str]()

    @agent
    async def pay(text: str) -> str:
        if ctx.epoch > 1:
            return "second"
        async with ctx.effect("charge") as charge:
            (task,) = await segue.host.store.read_tasks(ctx.run)
            await segue.host.store.expire([task.worker or ""])
            with monkeypatch.context() as patch:
                now = segue.host.clock.boot()
                patch.setattr(type(segue.host.clock), "boot", lambda clock: now + 60.0)
                acting = charge.once(bank.pay, 3)
                with pytest.raises(StaleEpoch):
                    await acting
            said.append("asked")
            segue.host.engine.look_again()
        return "first"

    handle = await segue.submit(one_task(pay), "x")
    await soon(handle.result())
    assert (said, bank.paid) == (["asked"], [])
    assert await states(segue, handle.run) == ["withdrawn"]


class SlowRecords(SlowDisk):
    """A store that lets an intent wait on its way to disk."""

    def __init__(self) -> None:
        super().__init__()
        self.writing = asyncio.Event()

    async def record(self, token: Token, steps: Any) -> Verdict:
        self.writing.set()
        await self.gate.wait()
        return await super().record(token, steps)


async def test_an_intent_whose_body_never_ran_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that ends while an intent is on its way to disk leaves no doubt behind: nothing was done."""
    store = SlowRecords()

    @agent
    async def pay(text: str) -> str:
        async with ctx.effect("charge"):
            raise AssertionError("it must not run")

    async with open_on(store) as segue:
        store.gate.clear()
        handle = await segue.submit(one_task(pay), "x")
        await soon(store.writing.wait())
        cancelled = asyncio.Event()
        cancel = Attempt.cancel
        monkeypatch.setattr(Attempt, "cancel", lambda attempt: (cancel(attempt), cancelled.set()))
        closing = asyncio.ensure_future(segue.host.engine.stop())
        await soon(cancelled.wait())
        store.gate.set()
        await soon(closing)
        (kept,) = await store.read_steps(handle.run, "pay", -1)
        assert kept.state == "withdrawn"


async def test_the_agents_of_others_see_none_of_it(segue: Segue) -> None:
    """What a task remembers is its own: the same name in another task, or in another item of it, is another effect."""
    keys: list[str] = []

    @agent
    async def pay(amount: int) -> int:
        async with ctx.effect("charge") as charge:
            keys.append(charge.key)
            return await charge.once(abs, amount)

    @workflow
    def both(amounts: list[int]) -> list[int]:
        return pay.map(amounts)

    handle = await segue.submit(both, [-1, -2])
    assert await soon(handle.result()) == [1, 2]
    assert len(set(keys)) == 2
    assert [(effect.task, effect.result) for effect in await handle.effects()] == [
        ("pay[0]", 1),
        ("pay[1]", 2),
    ]


async def test_a_mistake_before_the_call_leaves_no_doubt(segue: Segue) -> None:
    """A function whose result could not be recorded is refused before it is called, and the intent is taken back."""

    def stream() -> BaseException:
        raise AssertionError("it must not be called")

    @agent
    async def pay(text: str) -> str:
        async with ctx.effect("charge") as charge:
            await charge.once(stream)
        return text

    assert "DefinitionError: the result of effect 'charge' of pay" in await reason_of(segue, pay)
    (run,) = await segue.host.store.list_runs(1)
    assert await states(segue, run.run) == ["withdrawn"]
