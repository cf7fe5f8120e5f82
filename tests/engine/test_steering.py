"""Controls on runs whose tasks wait for one another in the middle of their work, delegate, map, or were handed on."""

from __future__ import annotations

from typing import Any

import pytest

from segue import ControlRefused, HandTo, Later, RunFailed, Segue, agent, ctx, workflow
from segue.testing import audit
from tests.engine.test_controls import Stage, states, until


async def test_what_others_await_is_not_cancelled_with_a_task(segue: Segue) -> None:
    """Who awaits it as a `Later` needs it too; what ran for the task alone is cancelled with all it has delegated."""
    stage = Stage()
    for name in ("shared", "helper"):
        stage.gate(name)

    @agent
    async def shared(text: str) -> str:
        await stage.play("shared")
        return f"{text}!"

    @agent
    async def helper(text: str) -> str:
        await stage.play("helper")
        return text

    @agent
    async def alone(text: str) -> str:
        return str(await ctx.delegate(helper, text=text))

    @agent
    async def first(text: str, more: str) -> str:
        return text + more

    @agent
    async def second(text: Later[str]) -> str:
        return str(await text)

    @workflow
    def awaited(text: str) -> Any:
        made = shared(text)
        return [first(made, alone(text)), second(made)]

    run = await segue.submit(awaited, "x")
    await stage.has_started("shared")
    await stage.has_started("helper")
    assert (await run.cancel("first", by="ann")).tasks == ("first", "alone/helper.1")
    for name in ("shared", "helper"):
        stage.gate(name).set()
    with pytest.raises(RunFailed) as failure:
        await run.result()
    assert set(failure.value.failures) == {"first"}
    assert await states(segue, run.run) == {
        "shared": "complete",
        "second": "complete",
        **dict.fromkeys(("alone", "alone/helper.1", "first"), "cancelled"),
    }
    assert await audit(segue.host.store) == []


async def test_a_list_is_not_given_to_another_agent(segue: Segue) -> None:
    """What agents have are its items: whoever was given the list would lose them, or it would wait for nobody."""
    stage = Stage()
    stage.gate("listed")

    @agent
    async def listed(text: str) -> list[str]:
        await stage.play("listed")
        return [text]

    @agent
    async def shout(text: str) -> str:
        return text.upper()

    @agent
    async def whisper(text: str) -> str:
        return text.lower()

    @workflow
    def each(text: str) -> Any:
        return shout.map(listed(text))

    segue.host.know(whisper)
    run = await segue.submit(each, "x")
    await stage.has_started("listed")
    await run.pause("shout", by="ann")
    stage.gate("listed").set()
    await until(segue, run.run, "task.listed.complete")
    with pytest.raises(ControlRefused, match=r"the list of shout of run .* is not known yet"):
        await run.reassign("shout", "whisper", by="ann")
    await run.resume("shout", by="ann")
    assert await run.result() == ["X"]


async def test_a_run_is_paused_until_a_task_that_delegates_has_settled(segue: Segue) -> None:
    """What that asks for goes on with it, before the pause and after; all others stand still until it has ended."""
    stage = Stage()
    for name in ("helper", "boss"):
        stage.gate(name)

    @agent
    async def helper(text: str) -> str:
        await stage.play("helper")
        return text

    @agent
    async def boss(text: str) -> str:
        first = str(await ctx.delegate(helper, text=text))
        await stage.play("boss")
        return str(await ctx.delegate(helper, text=f"{first}!"))

    @agent
    async def other(text: str) -> str:
        await stage.play("other")
        return text

    @agent
    async def last(text: str) -> str:
        return text

    @workflow
    def asks(text: str) -> Any:
        return [boss(text), last(other(text))]

    stage.gate("other")
    run = await segue.submit(asks, "x")
    for name in ("helper", "other"):
        await stage.has_started(name)
    await run.pause(until="boss", by="ann")
    stage.gate("other").set()
    stage.gate("helper").set()
    await stage.has_started("boss")
    stage.gate("boss").set()
    assert await run.result() == ["x!", "x"]
    names = [event.name for event in (await segue.host.store.tail(None, 1_000, run.run))[0]]
    assert names.index("task.boss.complete") < names.index("run.unpaused") < names.index("task.last.claimed")
    assert "run.deadlock" not in names
    assert await audit(segue.host.store) == []


async def test_a_task_that_was_handed_on_is_given_to_who_takes_what_was_handed_over(segue: Segue) -> None:
    """Its first agent takes something else by then; one that is given itself is known here from then on."""
    stage = Stage()
    stage.gate("billing")

    @agent
    async def billing(order: int) -> str:
        await stage.play("billing")
        return f"billing {order}"

    @agent
    async def paying(order: int) -> str:
        return f"paying {order}"

    @agent
    async def counting(order: int) -> list[int]:
        return [order]

    @agent
    async def reading(question: str) -> str:
        return question

    @agent
    async def triage(question: str) -> str | HandTo:
        return HandTo(billing, order=3)

    @workflow
    def asks(question: str) -> str:
        return triage(question)

    run = await segue.submit(asks, "x")
    await stage.has_started("billing")
    for unfit in ("triage", reading):
        with pytest.raises(ControlRefused, match="cannot take triage over: it does not take 'order'"):
            await run.reassign("triage", unfit, by="ann")
    with pytest.raises(ControlRefused, match="it gives something else"):
        await run.reassign("triage", counting, by="ann")
    await run.reassign("triage", billing, by="ann")
    await until(segue, run.run, "task.billing.reassigned")
    await run.reassign("triage", paying, by="ann")
    assert await run.result() == "paying 3"
    assert await audit(segue.host.store) == []
