"""What agents do wrong is their failure, with its reason: it stops neither the worker nor anybody else's run."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from segue import Handoff, RunFailed, Segue, agent, ctx, workflow
from segue.errors import DefinitionError, StoreFull, StoreUnavailable
from segue.ports.clock import SystemClock
from segue.stores.memory import MemoryArtifacts, MemoryStore
from segue.stores.urls import StoreParts
from tests.engine.deadlines import soon


class Odd(BaseException):
    """Neither an `Exception` nor a way to end the process, like the outcomes of test frameworks."""


@agent
async def echo(text: str) -> str:
    return text


@workflow
def once(text: str) -> str:
    return echo(text)


async def test_whatever_an_agent_raises_is_its_failure(segue: Segue) -> None:
    """Exceptions outside `Exception`, in the loop or in a thread, and those that no future can carry."""

    @agent
    async def odd(text: str) -> str:
        raise Odd("in the loop")

    @agent
    def odd_in_thread(text: str) -> str:
        raise Odd("in a thread")

    @agent
    def nothing_next(text: str) -> str:
        return str(next(iter(())))

    @agent
    def closed(text: str) -> str:
        raise GeneratorExit

    @workflow
    def all_wrong(text: str) -> Any:
        return [odd(text), odd_in_thread(text), nothing_next(text), closed(text)]

    with pytest.raises(RunFailed) as failed:
        await soon(segue.run(all_wrong, "x"))
    assert failed.value.failures == {
        "odd": "Odd: in the loop",
        "odd_in_thread": "Odd: in a thread",
        "nothing_next": "RuntimeError: the agent raised StopIteration",
        "closed": "RuntimeError: the agent raised GeneratorExit",
    }
    assert await soon(segue.run(once, "y")) == "y"


async def test_a_failure_may_be_handed_over(segue: Segue) -> None:
    """A failed hand-off fails its task, once, with the words of the agent as the reason; dependents are skipped."""
    tried: list[int] = []

    @agent(retries=3)
    async def gives_up(text: str) -> Handoff[str]:
        tried.append(ctx.attempt)
        return Handoff(text, status="failed", summary="no prices to be found", decisions=["asked twice"])

    @agent
    async def strict(text: str) -> str:
        return text

    @agent
    async def tolerant(text: str | None) -> str:
        return f"got {text}"

    @workflow
    def fails(text: str) -> Any:
        found = gives_up(text)
        return [strict(found), tolerant(found)]

    handle = await segue.submit(fails, "x")
    with pytest.raises(RunFailed) as failed:
        await soon(handle.result())
    assert failed.value.failures == {"gives_up": "handed over: no prices to be found"}
    assert tried == [1]
    handed = await handle.handoff("gives_up")
    assert (handed.status, handed.output, handed.decisions) == ("failed", "x", ("asked twice",))
    assert (await handle.handoff("tolerant")).output == "got None"


async def test_a_store_error_that_an_agent_raises_is_not_that_of_this_store(segue: Segue) -> None:
    """An agent that works with a store of its own may fail by it; the worker's own store is all right."""

    @agent
    async def elsewhere(text: str) -> str:
        raise StoreUnavailable("the other store is not there")

    @workflow
    def fails(text: str) -> str:
        return elsewhere(text)

    with pytest.raises(RunFailed, match="elsewhere: StoreUnavailable: the other store"):
        await soon(segue.run(fails, "x"))
    assert await soon(segue.run(once, "y")) == "y"


async def test_a_refused_workflow_leaves_its_other_agents_usable(open_segue: Any) -> None:
    """Agents of a workflow that was refused for one of them are taken as usual when another workflow has them."""
    segue = await open_segue(concurrency=1)

    def named_twin(text: str) -> Any:
        @agent(name="twin")
        async def twin(number: int) -> str:
            return text

        return twin

    first, second = named_twin("first"), named_twin("second")

    @agent
    async def fresh(number: int) -> int:
        return number

    @workflow
    def uses_first(number: int) -> str:
        return first(number)

    @workflow
    def uses_both(number: int) -> str:
        return second(fresh(number))

    @workflow
    def uses_fresh(numbers: list[int]) -> list[int]:
        return fresh.map(numbers)

    assert await soon(segue.run(uses_first, 1)) == "first"
    with pytest.raises(DefinitionError, match="two agents are called 'twin'"):
        await segue.run(uses_both, 1)
    assert await soon(segue.run(uses_fresh, [1, 2, 3])) == [1, 2, 3]


class FullDisk(MemoryArtifacts):
    """No room for any artifact."""

    async def put(self, content: object) -> NoReturn:
        raise StoreFull("the disk that holds the artifacts is full", remedy="Free some space and repeat.")


async def test_a_full_disk_is_not_charged_to_the_task() -> None:
    """A worker that fails for want of room hands back what it holds: coming back again and again loses no task."""

    @agent
    async def verbose(text: str) -> str:
        return text * 10_000

    @workflow
    def story(text: str) -> str:
        return verbose(text)

    store = MemoryStore()
    for _ in range(7):
        parts = StoreParts(store, FullDisk(SystemClock()), None, store.liveness, lambda idle: None)
        async with Segue(parts, agents=[story]) as segue:
            with pytest.raises(StoreFull):
                await segue.with_(key="the one").run(story, "x")
    parts = StoreParts(store, MemoryArtifacts(SystemClock()), None, store.liveness, lambda idle: None)
    async with Segue(parts, agents=[story]) as segue:
        assert await segue.with_(key="the one").run(story, "x") == "x" * 10_000
        (run,) = await segue.host.store.list_runs(10)
        (task,) = await segue.host.store.read_tasks(run.run)
        assert (task.state, task.attempt, task.losses) == ("complete", 1, 0)
