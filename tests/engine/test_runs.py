"""Runs from submission to result: what crosses, in which order, and what happens when an agent raises."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pydantic import BaseModel

from segue import (
    Handoff,
    InputError,
    Ref,
    RunFailed,
    Segue,
    agent,
    condition,
    ctx,
    graph_from_data,
    workflow,
)


class Findings(BaseModel):
    """What research finds."""

    names: list[str]
    score: int = 0


async def test_a_chain_hands_over_typed_values(segue: Segue) -> None:
    """Each agent gets a value of its parameter's type, and the run returns the last one's."""

    @agent
    async def research(goal: str) -> Findings:
        return Findings(names=[goal, "b"], score=3)

    @agent
    def count(found: Findings) -> int:
        assert isinstance(found, Findings)
        return len(found.names) + found.score

    @workflow
    def chain(goal: str) -> int:
        return count(research(goal))

    assert await segue.run(chain, "a") == 5


async def test_the_parameters_type_says_how_much_crosses(segue: Segue) -> None:
    """`Handoff[T]` brings the sender's reasoning, `Ref[T]` a summary that is fetched on demand, a field only itself."""

    @agent
    async def research(goal: str) -> Handoff[Findings]:
        return Handoff(
            Findings(names=["x", "y"]), summary="two names", confidence=0.9, decisions=["left out z"]
        )

    @agent
    async def whole(found: Handoff[Findings]) -> list[Any]:
        sent = found.sent
        return [
            found.summary,
            found.confidence,
            list(found.decisions),
            found.output.names,
            sent.task,
            sent.version,
        ]

    @agent
    async def pointer(found: Ref[Findings]) -> list[Any]:
        return [found.summary, (await found.fetch()).names]

    @agent
    async def field(names: list[str]) -> list[str]:
        return names

    @workflow
    def review(goal: str) -> Any:
        found = research(goal)
        return [whole(found), pointer(found), field(found.names)]

    assert await segue.run(review, "g") == [
        ["two names", 0.9, ["left out z"], ["x", "y"], "research", 1],
        ["two names", ["x", "y"]],
        ["x", "y"],
    ]


async def test_constants_defaults_lists_and_several_outputs(segue: Segue) -> None:
    """Constants, defaults of agents and workflows, lists of hand-offs and several outputs all arrive."""

    @agent
    async def double(number: int, plus: int = 1) -> int:
        return number * 2 + plus

    @agent
    async def total(numbers: list[int], extra: dict[str, int]) -> int:
        return sum(numbers) + sum(extra.values())

    @workflow
    def many(start: int, other: int = 5) -> Any:
        first, second = double(start), double(other, plus=0)
        return {"total": total([first, second, 100], {"a": first}), "first": first}

    assert await segue.run(many, 2) == {"total": 120, "first": 5}


async def test_any_name_may_be_that_of_an_input(segue: Segue) -> None:
    """Inputs and parameters may be called as the front door calls its own, also where they are given by name."""

    @agent
    async def told(self: str, workflow: str, items: int = 0) -> str:
        return f"{self} {workflow} {items}"

    @condition
    def said(self: str) -> bool:
        return bool(self)

    @workflow
    def inner(self: str, workflow: str) -> str:
        return told(self=self, workflow=workflow)

    @workflow
    def outer(self: str, workflow: str, items: list[int]) -> tuple[str, str | None, list[str]]:
        once = told.when(said(self=self))(self=self, workflow=workflow)
        return inner(self=self, workflow=workflow), once, told.map(self=self, workflow=workflow, items=items)

    assert await segue.run(outer, self="a", workflow="b", items=[1]) == ("a b 0", "a b 0", ["a b 1"])
    handle = await segue.submit(inner, self="a", workflow="b")
    assert await handle.result() == "a b 0"


async def test_order_without_data(segue: Segue) -> None:
    """`after=` makes a task wait for another without anything crossing."""
    seen: list[str] = []

    @agent
    async def first() -> None:
        seen.append("first")

    @agent
    async def second() -> str:
        seen.append("second")
        return "done"

    @workflow
    def ordered() -> str:
        return second(after=[first()])

    assert await segue.run(ordered) == "done"
    assert seen == ["first", "second"]


async def test_mapping_over_a_list_known_at_run_time(segue: Segue) -> None:
    """A mapped agent runs once for each element, its results come back in order, and no elements give an empty list."""

    @agent
    async def numbers(count: int) -> list[int]:
        return list(range(count))

    @agent
    async def square(number: int, plus: int) -> int:
        return number * number + plus

    @agent
    async def total(squares: list[int]) -> int:
        return sum(squares)

    @workflow
    def mapped(count: int) -> Any:
        squares = square.map(numbers(count), plus=1)
        return [squares, total(squares)]

    assert await segue.run(mapped, 5) == [[1, 2, 5, 10, 17], 35]
    assert await segue.run(mapped, 0) == [[], 0]


async def test_mapping_over_an_input(segue: Segue) -> None:
    """The list may be the run's input, so that the mapped node is a root."""

    @agent
    async def square(number: int) -> int:
        return number * number

    @workflow
    def mapped(numbers: list[int]) -> list[int]:
        return square.map(numbers)

    assert await segue.run(mapped, [3, 4]) == [9, 16]


async def test_a_condition_skips_and_the_skip_is_passed_on(segue: Segue) -> None:
    """A task whose condition is false is skipped, and a dependent that accepts None runs all the same."""

    @agent
    async def research(goal: str) -> Findings:
        return Findings(names=[goal], score=len(goal))

    @condition
    def is_long(found: Findings) -> bool:
        return found.score > 3

    @agent
    async def deepen(found: Findings) -> str:
        return "deep " + found.names[0]

    @agent
    async def close(text: str | None) -> str:
        return text or "nothing"

    @workflow
    def conditional(goal: str) -> str:
        found = research(goal)
        return close(deepen.when(is_long(found))(found))

    assert await segue.run(conditional, "long goal") == "deep long goal"
    assert await segue.run(conditional, "abc") == "nothing"


async def test_an_agent_that_raises_fails_its_run_and_not_the_rest(segue: Segue) -> None:
    """Its dependents are skipped with the cause, everything independent of it goes on, and the traceback is kept."""
    ran: list[str] = []

    @agent
    async def good(text: str) -> str:
        ran.append("good")
        return text

    @agent
    async def bad(text: str) -> str:
        raise ValueError("no such thing")

    @agent
    async def after_bad(text: str) -> str:
        ran.append("after_bad")
        return text

    @agent
    async def after_good(text: str) -> str:
        ran.append("after_good")
        return text

    @workflow
    def both(text: str) -> Any:
        return [after_bad(bad(text)), after_good(good(text))]

    handle = await segue.submit(both, "x")
    with pytest.raises(RunFailed, match="bad: ValueError: no such thing"):
        await handle.result()
    assert sorted(ran) == ["after_good", "good"]
    tasks = {task.node: task for task in await segue.host.store.read_tasks(handle.run)}
    assert tasks["after_bad"].state == "skipped"
    error = json.loads(tasks["bad"].error or "{}")
    assert "raise ValueError" in error["traceback"]
    assert "bad failed" in (tasks["after_bad"].error or "")


async def test_retries_are_attempts_and_not_hand_offs(segue: Segue) -> None:
    """A task that fails twice and then succeeds leaves one hand-off of version 1, with epoch 3."""
    attempts: list[int] = []

    @agent(retries=2, backoff=0.001)
    async def flaky(text: str) -> str:
        attempts.append(ctx.attempt)
        if ctx.attempt < 3:
            raise ConnectionError("try again")
        return text

    @workflow
    def once(text: str) -> str:
        return flaky(text)

    handle = await segue.submit(once, "x")
    assert await handle.result() == "x"
    assert attempts == [1, 2, 3]
    sent = (await handle.handoff("flaky")).sent
    assert (sent.version, sent.epoch) == (1, 3)


async def test_ctx_reaches_threads(segue: Segue) -> None:
    """A `def` agent runs in a thread and still sees its own attempt."""

    @agent
    def who(text: str) -> list[Any]:
        return [ctx.run, ctx.task, ctx.attempt, text]

    @workflow
    def ask(text: str) -> list[Any]:
        return who(text)

    handle = await segue.submit(ask, "x")
    assert await handle.result() == [handle.run, "who", 1, "x"]


async def test_limits_of_the_worker_and_of_an_agent_hold(open_segue: Any) -> None:
    """No more agents run at once than the worker allows, nor more of one agent than it allows itself."""
    segue = await open_segue(concurrency=4)
    running: dict[str, int] = {"narrow": 0, "wide": 0}
    most: dict[str, int] = {"narrow": 0, "wide": 0, "all": 0}

    async def work(name: str) -> None:
        running[name] += 1
        most[name] = max(most[name], running[name])
        most["all"] = max(most["all"], sum(running.values()))
        for _ in range(20):
            await asyncio.sleep(0)  # noqa: TID251 - gives others their turn, waits for nothing
        running[name] -= 1

    @agent(concurrency=2)
    async def narrow(number: int) -> int:
        await work("narrow")
        return number

    @agent
    async def wide(number: int) -> int:
        await work("wide")
        return number

    @workflow
    def both(numbers: list[int]) -> Any:
        return [narrow.map(numbers), wide.map(numbers)]

    numbers = list(range(20))
    assert await segue.run(both, numbers) == [numbers, numbers]
    assert most["narrow"] == 2
    assert most["all"] <= 4


async def test_the_same_key_is_the_same_run(segue: Segue) -> None:
    """Submitting twice under one key runs once."""
    ran: list[str] = []

    @agent
    async def note(text: str) -> str:
        ran.append(text)
        return text

    @workflow
    def once(text: str) -> str:
        return note(text)

    first = await segue.with_(key="order-1").submit(once, "x")
    assert await first.result() == "x"
    second = await segue.with_(key="order-1").submit(once, "x")
    assert second.run == first.run
    assert await second.result() == "x"
    assert ran == ["x"]


async def test_wrong_input_writes_nothing(segue: Segue) -> None:
    """An input that does not fit is refused before anything is stored."""

    @agent
    async def echo(number: int) -> int:
        return number

    @workflow
    def once(number: int) -> int:
        return echo(number)

    with pytest.raises(InputError, match="number"):
        await segue.run(once, "not a number")  # type: ignore[arg-type]
    assert (await segue.host.store.facts()).runs == 0


async def test_an_output_that_does_not_fit_may_be_tried_again(segue: Segue) -> None:
    """A model that answers in the wrong shape gets its retries; an input that does not fit would never get better."""

    @agent(retries=1, backoff=0.001)
    async def moody(text: str) -> int:
        return "seven" if ctx.attempt == 1 else 7  # type: ignore[return-value]

    @agent(retries=5)
    async def strict(number: int) -> int:
        return number

    @workflow
    def once(text: Any) -> Any:
        return [moody(text), strict(text)]

    handle = await segue.submit(once, "x")
    with pytest.raises(RunFailed, match="strict: InvalidPayload"):
        await handle.result()
    assert (await handle.handoff("moody")).output == 7
    (task,) = await segue.host.store.read_tasks(handle.run, [("strict", -1)])
    assert task.attempt == 1


async def test_a_graph_given_as_data_runs_like_any_other(segue: Segue) -> None:
    """Agents are found by their names, and what the data says is run, typed and returned."""

    @agent
    async def research(goal: str) -> Findings:
        return Findings(names=[goal], score=4)

    @agent
    async def double(score: int) -> int:
        return score * 2

    built = graph_from_data(
        {
            "workflow": "as-data",
            "inputs": {"goal": {"type": "str"}},
            "nodes": {
                "found": {"agent": "research", "arguments": {"goal": "$goal"}},
                "twice": {"agent": "double", "arguments": {"score": "$found.score"}},
            },
            "output": "$twice",
        },
        {"research": research, "double": double},
    )
    assert await segue.run(built, "x") == 8
