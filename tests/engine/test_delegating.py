"""`ctx.delegate`: a run that grows while it runs, on both stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import BaseModel

from segue import HandTo, RunFailed, Segue, UpstreamFailed, agent, ctx, workflow
from segue.app.reading import read_drawn, read_view
from segue.domain.records import Token
from segue.domain.running.growing import check_depth
from segue.domain.running.handing_on import Stop
from segue.errors import InvalidPayload, LoopDetected, UnknownAgent, UsageError
from tests.engine import isolated


class Fact(BaseModel):
    """What is asked for."""

    text: str


@pytest_asyncio.fixture(params=["memory:", "sqlite"])
async def segue(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Segue]:
    """Each of the two stores, with one slot: nobody who waits may hold it."""
    url = "memory:" if request.param == "memory:" else str(tmp_path / "segue.db")
    async with Segue(url, concurrency=1) as opened:
        yield opened


asked: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_asked() -> None:
    asked.clear()


@agent
async def research(question: str) -> Fact:
    """Answers."""
    asked.append(question)
    return Fact(text=f"{question}!")


@agent
async def report(topic: str) -> str:
    """Asks twice, one after the other."""
    first = await ctx.delegate(research, question=f"what is {topic}")
    second = await ctx.delegate(research, question=f"why {first.text}")
    return second.text


@workflow
def written(topic: str) -> str:
    """One task in the graph."""
    return report(topic)


async def events(segue: Segue, run: str) -> list[str]:
    """The names of what happened."""
    found, _ = await segue.host.store.tail(None, 1000, run)
    return [event.name for event in found]


async def test_a_worker_that_knew_the_run_before_it_grew_goes_on_with_it(tmp_path: Path) -> None:
    """A task that was given an answer elsewhere goes on where nobody has heard of the node that it came from."""
    is_busy, answered = asyncio.Event(), asyncio.Event()

    @agent(name="asker")
    async def asks_and_hangs(topic: str) -> str:
        await ctx.delegate(research, question=topic)
        answered.set()
        return await asyncio.get_running_loop().create_future()

    @agent(name="asker")
    async def goes_on(topic: str) -> str:
        return (await ctx.delegate(research, question=topic)).text

    @agent
    async def keeps_busy() -> None:
        is_busy.set()
        await answered.wait()

    @workflow
    def asking(topic: str) -> str:
        return goes_on(topic)

    @workflow
    def busy() -> None:
        keeps_busy()

    path = str(tmp_path / "segue.db")
    async with Segue(path, agents=[research], concurrency=1) as one:
        await one.submit(busy)
        await is_busy.wait()
        handle = await one.submit(asking, "tea")
        async with Segue(path, agents=[asks_and_hangs, research]):
            await answered.wait()
        assert await handle.result() == "tea!"
    assert asked == ["tea"]


async def test_the_graph_grows_and_the_answers_come_back_as_values(segue: Segue) -> None:
    """Each delegation is a task of its own with a name, an event and a pin; the run waits for it and shows it."""
    handle = await segue.submit(written, "tea")
    assert await handle.result() == "why what is tea!!"
    record = await segue.host.store.read_run(handle.run)
    assert record is not None
    assert (record.state, record.grown) == ("complete", 2)
    tasks = {task.node: task for task in await segue.host.store.read_tasks(handle.run)}
    assert {name: task.state for name, task in tasks.items()} == {
        "report": "complete",
        "report/research.1": "complete",
        "report/research.2": "complete",
    }
    assert [pin.node for pin in tasks["report"].pins] == ["report/research.1", "report/research.2"]
    names = await events(segue, handle.run)
    assert names.count("run.grew") == 2
    assert names.index("run.grew") < names.index("task.research.claimed") < names.index("task.report.resumed")
    view = await read_view(segue.host.store, record, segue.host.clock.wall())
    assert {task.task for task in view.tasks} == set(tasks)
    drawn = await read_drawn(segue.host.store, record)
    assert [node.name for node in drawn.graph.nodes] == list(tasks)
    edges = {(edge.source, edge.target) for edge in view.edges}
    assert {("report", "report/research.1"), ("report", "report/research.2")} <= edges
    assert (await handle.handoff("report/research.1")).output == {"text": "what is tea!"}


async def test_a_retry_asks_nobody_twice(segue: Segue) -> None:
    """A later attempt finds its earlier delegations by agent, arguments and order, and makes only what is missing."""

    @agent(retries=2, backoff=None)
    async def unlucky() -> list[str]:
        texts = [(await ctx.delegate(research, question="same")).text for _ in range(2)]
        if ctx.attempt == 1:
            raise RuntimeError("once")
        texts.append((await ctx.delegate(research, question=f"attempt {ctx.attempt}")).text)
        if ctx.attempt == 2:
            raise RuntimeError("twice")
        return texts

    @workflow
    def tried() -> list[str]:
        return unlucky()

    handle = await segue.submit(tried)
    assert await handle.result() == ["same!", "same!", "attempt 3!"]
    assert asked == ["same", "same", "attempt 2", "attempt 3"]


async def test_several_may_be_asked_at_once(segue: Segue) -> None:
    """Delegations that are awaited together each get their own answer."""

    @agent
    async def gather() -> list[str]:
        found = await asyncio.gather(*(ctx.delegate(research, question=f"{number}") for number in range(5)))
        return [each.text for each in found]

    @workflow
    def gathered() -> list[str]:
        return gather()

    assert await segue.run(gathered) == [f"{number}!" for number in range(5)]


async def test_a_thread_and_a_child_process_delegate_too(segue: Segue) -> None:
    """A `def` agent waits with .wait(), and so does one in a child process, whose worker asks for it."""

    @agent
    def threaded() -> str:
        return ctx.delegate(research, question="thread").wait().text

    @workflow
    def both() -> list[str]:
        return [threaded(), isolated.delegating("process")]

    segue.host.know(isolated.delegated_to)
    assert await segue.run(both) == ["thread!", "process, answered"]


async def test_a_failed_delegation_raises_where_it_is_awaited(segue: Segue) -> None:
    """Whoever delegates may catch `UpstreamFailed`, and the run is complete; whoever does not fails with it."""

    @agent
    async def broken(question: str) -> str:
        raise RuntimeError(f"cannot {question}")

    @agent(retries=3)
    async def brave() -> str:
        try:
            return await ctx.delegate(broken, question="think")
        except UpstreamFailed as error:
            return error.message

    @agent(retries=3)
    async def weak() -> str:
        return await ctx.delegate(broken, question="think")

    @workflow
    def caught() -> str:
        return brave()

    @workflow
    def uncaught() -> str:
        return weak()

    assert await segue.run(caught) == "brave awaits brave/broken.1, which failed: cannot think"
    with pytest.raises(RunFailed, match=r"weak awaits weak/broken\.1"):
        await segue.run(uncaught)


async def test_a_redrive_tries_what_was_delegated_as_well(segue: Segue) -> None:
    """`segue retry` begins both anew: the task that delegated, and the delegation that it failed with."""

    @agent
    async def moody(question: str) -> str:
        asked.append(question)
        if len(asked) == 1:
            raise RuntimeError("not now")
        return "now"

    @agent
    async def patient() -> str:
        return await ctx.delegate(moody, question="now?")

    @workflow
    def waiting() -> str:
        return patient()

    handle = await segue.submit(waiting)
    with pytest.raises(RunFailed):
        await handle.result()
    again = await handle.retry(by="me")
    assert sorted(again.tasks) == ["patient", "patient/moody.1"]
    assert await handle.result() == "now"
    assert asked == ["now?", "now?"]


async def test_a_delegation_that_is_tried_again_takes_along_the_task_that_awaits_it(segue: Segue) -> None:
    """Named alone it is not answered in vain; and a failure that its task made its own is no answer for ever."""
    fails = [True]

    @agent
    async def moody(question: str) -> str:
        if fails[0]:
            raise RuntimeError("not now")
        return "now"

    @agent
    async def plain() -> str:
        return await ctx.delegate(moody, question="now?")

    @agent
    async def wrapping() -> str:
        try:
            return await ctx.delegate(moody, question="now?")
        except UpstreamFailed as error:
            raise ValueError("nobody answers") from error

    @workflow
    def both() -> list[str]:
        return [plain(), wrapping()]  # type: ignore[list-item]

    handle = await segue.submit(both)
    with pytest.raises(RunFailed):
        await handle.result()
    fails[0] = False
    again = await handle.retry("plain/moody.1", by="me")
    assert again.tasks == ("plain", "plain/moody.1")
    with pytest.raises(RunFailed, match="nobody answers"):
        await handle.result()
    again = await handle.retry(by="me")
    assert again.tasks == ("wrapping", "wrapping/moody.1")
    assert await handle.result() == ["now", "now"]


async def test_a_delegation_may_be_handed_on(segue: Segue) -> None:
    """What was delegated may go on with another agent, and the answer is that one's."""

    @agent
    async def desk(question: str) -> Fact | HandTo:
        return HandTo(research, question=question.upper())

    @agent
    async def asking() -> str:
        return (await ctx.delegate(desk, question="who")).text

    @workflow
    def passed() -> str:
        return asking()

    assert await segue.run(passed) == "WHO!"


async def test_what_cannot_be_delegated_is_told_where_it_is_asked(segue: Segue) -> None:
    """An unknown agent and arguments that do not fit raise in the agent, and nothing is appended."""

    @agent
    async def wrong() -> list[str]:
        told = []
        for target, given in (("nobody", {}), (research, {"question": 3}), (research, {})):
            try:
                await ctx.delegate(target, arguments=given)  # type: ignore[call-overload]
            except (UnknownAgent, InvalidPayload) as error:
                told.append(f"{type(error).__name__}: {error.message}")
        return told

    @workflow
    def mistaken() -> list[str]:
        return wrong()

    handle = await segue.submit(mistaken)
    told = await handle.result()
    assert [each.partition(":")[0] for each in told] == ["UnknownAgent", "InvalidPayload", "InvalidPayload"]
    assert "the argument 'question' is missing" in told[2]
    assert len(await segue.host.store.read_tasks(handle.run)) == 1


@pytest.mark.parametrize(
    ("target", "given", "told"),
    [
        (3, {}, "ctx.delegate was given 3, which is no agent"),
        (research, {"arguments": ["why?"]}, "ctx.delegate has arguments=['why?'], which are not by name"),
        (
            research,
            {"arguments": {1: "why?"}},
            "ctx.delegate has arguments={1: 'why?'}, which are not by name",
        ),
        (research, {"arguments": {"question": "a"}, "question": "b"}, "ctx.delegate has question twice"),
        (research, {"question": 3}, "wrong hands to research: the argument 'question'"),
        (research, {"question": "why?", "budget": 5}, "budget=5 is no Spending"),
    ],
)
async def test_a_delegation_that_nobody_can_mean_is_refused(
    segue: Segue, target: Any, given: dict[str, Any], told: str
) -> None:
    """What is no agent, no arguments by name, an argument twice or no budget is told before anybody is asked."""

    @agent
    async def wrong() -> str:
        with pytest.raises((InvalidPayload, UsageError)) as refused:
            ctx.delegate(target, **given)
        return refused.value.message

    @workflow
    def mistaken() -> str:
        return wrong()

    assert (await segue.run(mistaken)).startswith(told)
    assert asked == []


async def test_delegations_in_a_circle_stop(segue: Segue) -> None:
    """The path goes on over delegations: an agent that asks itself without end is stopped by its laps, or its depth."""
    depths: list[int] = []

    @agent(name="deep")
    async def deep(level: int) -> int:
        depths.append(level)
        return await ctx.delegate("deep", level=level + 1)

    @agent(laps=100)
    async def start() -> str:
        try:
            await ctx.delegate(deep, level=1)
        except UpstreamFailed as error:
            return error.message
        return "endless"

    @workflow
    def endless() -> str:
        return start()

    assert "LoopDetected" not in await segue.run(endless)
    assert depths == [1, 2, 3, 4]
    depths.clear()
    await segue.with_(laps=100).run(endless)
    assert depths == list(range(1, 11))


async def test_a_new_process_learns_what_has_grown(tmp_path: Path) -> None:
    """A worker that finds a task of a node that is not in its graph reads what was appended, and goes on with it."""
    store = tmp_path / "segue.db"
    async with Segue(store, agents=[report]) as first:
        handle = await first.submit(written, "tea")
        async for event in first.events(handle.run, names="run.grew"):
            assert event.name == "run.grew"
            break
        first.host.engine.registry._agents.pop("research", None)
    async with Segue(store, agents=[research, report]) as second:
        assert await second.handle(handle.run).result() == "why what is tea!!"
        record = await second.host.store.read_run(handle.run)
        assert record is not None
        assert record.grown == 2


def test_the_depth_is_an_error_of_its_own() -> None:
    """`LoopDetected` says that it was the depth, and of what."""
    deep = Token("run", "a" + "/b.1" * 10, -1, 1, "claim")
    check_depth(deep._replace(node="a/b.1"), (Stop("a"),))
    with pytest.raises(LoopDetected, match="more than 10 levels deep") as found:
        check_depth(deep, (Stop("a"), Stop("b")))
    assert (found.value.guard, found.value.path) == ("depth", ("a", "b"))
