"""Tasks that no worker runs: whoever does them hands over, once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from segue import Handoff, HandTo, Segue, Workflow, agent, ctx, graph_from_data, workflow
from segue.errors import (
    AlreadyWritten,
    DefinitionError,
    InvalidPayload,
    NotReady,
    RunFailed,
    TaskTaken,
    UsageError,
)
from tests.engine.conftest import Open
from tests.engine.deadlines import soon


class Verdict(BaseModel):
    """What somebody outside says."""

    good: bool


@agent(external=True)
def judge(text: str) -> Verdict:
    """A person, or a program that was there before."""


@agent
async def draft(goal: str) -> str:
    return f"draft of {goal}"


@agent
async def publish(text: str, verdict: Handoff[Verdict]) -> str:
    return f"{text}: {verdict.output.good}, {verdict.summary}"


@workflow
def edit(goal: str) -> str:
    text = draft(goal)
    return publish(text, judge(text))


@pytest.fixture
async def segue(open_segue: Open) -> Segue:
    """A worker that has all of it, and must not run what is external."""
    return await open_segue(agents=[edit])


async def test_the_run_goes_on_with_what_was_handed_over(segue: Segue) -> None:
    """A task of an external agent waits for whoever hands over, and what that hands over is validated and passed on."""
    handle = await segue.submit(edit, "a book")
    await soon(handle.handoff("draft"))
    await handle.hand_over("judge", Handoff(Verdict(good=True), summary="well done"))
    assert await soon(handle.result()) == "draft of a book: True, well done"


async def test_the_same_again_is_harmless_and_another_is_refused(segue: Segue) -> None:
    """Handed over once, a task stays as it is: repeated with the same it says so, with something else it raises."""
    handle = await segue.submit(edit, "a book")
    await soon(handle.handoff("draft"))
    for _ in range(2):
        await handle.hand_over("judge", Verdict(good=True))
    with pytest.raises(AlreadyWritten, match="written before"):
        await handle.hand_over("judge", Verdict(good=False))
    assert (await handle.handoff("judge")).output == {"good": True}


async def test_of_two_who_write_at_once_one_wins(segue: Segue) -> None:
    """Twenty that hand over in one moment: one is accepted, and each of the others hears whether it was theirs too."""
    handle = await segue.submit(edit, "a book")
    await soon(handle.handoff("draft"))
    said = await asyncio.gather(
        *(handle.hand_over("judge", Verdict(good=bool(number % 2))) for number in range(20)),
        return_exceptions=True,
    )
    refused = [each for each in said if each is not None]
    assert len(refused) == 10
    assert {type(each) for each in refused} == {AlreadyWritten}


async def test_what_cannot_be_handed_over(segue: Segue) -> None:
    """Too early, for a task of workers, for one that is not there, and what does not fit: each says what to do."""
    handle = await segue.submit(edit, "a book")
    with pytest.raises(UsageError, match="run by workers"):
        await handle.hand_over("draft", "mine")
    with pytest.raises(Exception, match="no task 'nobody'"):
        await handle.hand_over("nobody", "mine")
    await soon(handle.handoff("draft"))
    with pytest.raises(InvalidPayload, match="judge"):
        await handle.hand_over("judge", "no verdict")
    await handle.cancel(by="Ana")
    with pytest.raises(NotReady, match="cancelled"):
        await handle.hand_over("judge", Verdict(good=True))


async def test_before_what_it_needs(segue: Segue) -> None:
    """A task whose inputs are not there yet cannot be handed over, and the error names them."""

    @workflow
    def judged_twice(goal: str) -> Verdict:
        first = judge(goal)
        return judge(goal, after=[first])

    handle = await segue.submit(judged_twice, "a book")
    with pytest.raises(NotReady, match="waits for judge"):
        await handle.hand_over("judge_2", Verdict(good=True))


async def test_a_failure_is_handed_over_as_one(segue: Segue) -> None:
    """Whoever could not do it says so, and the run fails as it does with agents."""
    handle = await segue.submit(edit, "a book")
    await soon(handle.handoff("draft"))
    for _ in range(2):
        await handle.hand_over(
            "judge", Handoff(Verdict(good=False), status="failed", summary="the judge is ill")
        )
    with pytest.raises(RunFailed, match="the judge is ill"):
        await soon(handle.result())


async def test_settings_of_workers_say_nothing_of_it() -> None:
    """What says how a worker runs an agent is refused beside `external`."""
    for settings in ({"timeout": "1m"}, {"retries": 2}, {"isolation": "process"}, {"slow": "1s"}):
        with pytest.raises(DefinitionError, match="external"):
            agent(external=True, **settings)(judge.fn)  # type: ignore[call-overload]


async def test_a_condition_needs_a_worker() -> None:
    """A condition is evaluated by the worker that would run the task, so an external one has none."""
    graph = {
        "workflow": "odd",
        "inputs": {"text": "str", "on": "bool"},
        "nodes": {"judge": {"agent": "judge", "arguments": {"text": "$text"}, "when": "$on"}},
    }
    with pytest.raises(Exception, match="external"):
        graph_from_data(graph, {"judge": judge})


async def test_a_claim_that_is_kept_keeps_others_out(open_segue: Open) -> None:
    """While somebody works on a task nobody else hands over for it, and is told who has it."""
    segue = await open_segue(agents=[edit], lease_seconds=0.3)
    handle = await segue.submit(edit, "a book")
    await soon(handle.handoff("draft"))
    external = segue.host.external
    place = await external.place_of(handle.run, "judge")
    claim = await external.claim(place)
    assert claim is not None
    keeping = asyncio.ensure_future(external.keep(claim))
    with pytest.raises(TaskTaken, match=segue.host.engine.worker):
        await soon(handle.hand_over("judge", Verdict(good=True)))
    keeping.cancel()
    await external.give_back(claim)
    await soon(handle.hand_over("judge", Verdict(good=True)))
    assert (await soon(handle.result())).startswith("draft of a book: True")


@agent
async def asks(text: str) -> Verdict | HandTo:
    return HandTo(judge, text=text)


@agent(fallback=judge)
async def tries(text: str) -> Verdict:
    raise RuntimeError("no model can say")


@agent
async def delegates(text: str) -> Verdict:
    return await ctx.delegate(judge, text=text)


@workflow
def asked(text: str) -> Verdict:
    return asks(text)


@workflow
def tried(text: str) -> Verdict:
    return tries(text)


@workflow
def delegated(text: str) -> Verdict:
    return delegates(text)


@pytest.mark.parametrize(
    ("flow", "task", "told"),
    [
        (asked, "asks", "asks.handed_on"),
        (tried, "tries", "tries.reassigned"),
        (delegated, "delegates/judge.1", "judge.delegated"),
    ],
)
async def test_a_task_comes_to_who_does_it_outside(
    flow: Workflow[Any], task: str, told: str, open_segue: Open
) -> None:
    """Handed on, left to a fallback or delegated, it is handed over for, also where nothing of that has been seen."""
    segue = await open_segue(agents=[flow, judge])
    handle = await segue.submit(flow, "a book")
    await soon(anext(aiter(segue.events(handle.run, names=f"task.{told}"))))
    await handle.hand_over(task, Verdict(good=True))
    await handle.hand_over(task, Verdict(good=True))
    assert await soon(handle.result()) == Verdict(good=True)
    assert (await handle.handoff(task)).sent.source.agent == "judge"


async def test_a_task_is_given_to_who_does_it_outside(open_segue: Open) -> None:
    """Whoever steers a run may take a task from a worker, and leave it to somebody."""
    started = asyncio.Event()

    @agent
    async def hangs(text: str) -> Verdict:
        started.set()
        return await asyncio.Event().wait()  # type: ignore[return-value]

    @workflow
    def stuck(text: str) -> Verdict:
        return hangs(text)

    segue = await open_segue(agents=[stuck])
    handle = await segue.submit(stuck, "a book")
    await soon(started.wait())
    await handle.reassign("hangs", judge, by="ann")
    await handle.hand_over("hangs", Verdict(good=False))
    assert await soon(handle.result()) == Verdict(good=False)


async def test_what_has_grown_elsewhere_is_handed_over_for_and_read(tmp_path: Path) -> None:
    """The process that submitted a run need not be the one that lets it grow."""
    path = str(tmp_path / "segue.db")
    async with Segue(path, worker=False, agents=[judge]) as here:
        handle = await here.submit(delegated, "a book")
        async with Segue(path, agents=[delegated, judge]):
            await soon(anext(aiter(here.events(handle.run, names="task.judge.delegated"))))
            await handle.hand_over("delegates/judge.1", Verdict(good=True))
            assert await soon(handle.result()) == Verdict(good=True)
    async with Segue(path, worker=False, agents=[judge]) as here:
        handle = await here.submit(delegated, "another")
        async with Segue(path, agents=[delegated, judge]) as there:
            await soon(anext(aiter(there.events(handle.run, names="task.judge.delegated"))))
            await there.handle(handle.run).hand_over("delegates/judge.1", Verdict(good=False))
            assert (await soon(handle.handoff("delegates/judge.1"))).sent.source.agent == "judge"
