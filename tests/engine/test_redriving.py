"""Trying again what was given up: what begins anew, what stays, and that every run comes to its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue import (
    Quorum,
    RunFailed,
    Segue,
    SegueError,
    agent,
    condition,
    graph_from_data,
    workflow,
)
from segue.domain.records import task_name
from segue.domain.rows import TaskRecord
from segue.errors import UnknownRun, UsageError
from segue.testing import ManualClock

failing: set[str] = set()
"""What fails at present: a test changes it between the tries."""
made: list[str] = []
"""What was handed over, in order."""


def make(name: str) -> str:
    """Hand something over, or fail."""
    if name in failing:
        raise ValueError(f"{name} fails")
    made.append(name)
    return name


@agent
async def join(name: str, texts: list) -> str:  # type: ignore[type-arg]
    """One task."""
    return make(name)


@agent
async def each(name: str, text: str) -> str:
    """One task for each text."""
    return make(f"{name}/{text}")


@pytest.fixture(autouse=True)
def nothing_failed() -> None:
    """Each test begins anew."""
    failing.clear()
    made.clear()


async def ended(segue: Segue, run: str) -> str:
    """The state in which a run ends."""
    try:
        await segue.handle(run).result()
    except RunFailed:
        return "failed"
    return "complete"


async def states_of(segue: Segue, run: str) -> dict[str, str]:
    """How the tasks of a run stand."""
    tasks = await segue.host.store.read_tasks(run)
    return {task_name(task.node, task.item): task.state for task in tasks}


def chain(text: str) -> Any:
    """A, then B, then C, and D beside them."""
    first = join("a", [text])
    return [join("c", [join("b", [first])]), join("d", [text])]


async def test_a_dead_letter_takes_along_what_was_skipped(segue: Segue) -> None:
    """What failed and what was skipped because of it begins anew; what is complete is not made again."""
    failing.add("b")
    handle = await segue.submit(workflow(chain), "x")
    assert await ended(segue, handle.run) == "failed"
    assert await states_of(segue, handle.run) == {
        "join": "complete",
        "join_2": "failed",
        "join_3": "skipped",
        "join_4": "complete",
    }
    failing.clear()
    assert (await handle.retry(reason="the service is back", by="me")).tasks == ("join_2", "join_3")
    assert await handle.result() == ["c", "d"]
    assert sorted(made) == ["a", "b", "c", "d"]
    events = [event async for event in segue.events(handle.run)]
    names = [event.name for event in events if event.name.endswith(("redriven", "resumed"))]
    assert names == ["task.join.redriven", "task.join.redriven", "run.resumed"]
    (resumed,) = (event for event in events if event.name == "run.resumed")
    told = json.loads(resumed.data or "")
    assert (told["by"], told["reason"]) == ("me", "the service is back")
    assert (await handle.handoff("join_2")).sent.version == 2


async def test_who_watches_a_run_that_goes_on_sees_its_last_end(segue: Segue) -> None:
    """The events of a run that was tried again end with its second end, whenever the reading began."""
    watched = asyncio.Event()

    @agent
    async def held(text: str) -> str:
        made.append(text)
        if len(made) == 1:
            raise ValueError("not yet")
        await watched.wait()
        return text

    @workflow
    def once(text: str) -> str:
        return held(text)

    handle = await segue.submit(once, "x")
    assert await ended(segue, handle.run) == "failed"
    await handle.retry(by="me")
    names = []
    async for event in segue.events(handle.run, names=["run.*", "task.claimed"]):
        names.append(event.name)
        if names.count("task.held.claimed") == 2:
            watched.set()
    assert names[-3:] == ["run.resumed", "task.held.claimed", "run.complete"]


async def test_a_second_try_may_fail_too(segue: Segue) -> None:
    """Tries and losses count anew, and the run ends again in whatever way it does."""
    failing.update(("b", "d"))
    handle = await segue.submit(workflow(chain), "x")
    assert await ended(segue, handle.run) == "failed"
    failing.discard("b")
    assert (await handle.retry(by="me")).tasks == ("join_2", "join_3", "join_4")
    assert await ended(segue, handle.run) == "failed"
    failing.clear()
    assert (await handle.retry("join_4", by="me")).tasks == ("join_4",)
    assert await handle.result() == ["c", "d"]


async def test_what_was_skipped_is_tried_with_what_it_needs(segue: Segue) -> None:
    """Whoever names a skipped task means that which it was skipped for, too."""
    failing.add("a")
    handle = await segue.submit(workflow(chain), "x")
    assert await ended(segue, handle.run) == "failed"
    failing.clear()
    assert (await handle.retry("join_3", by="me")).tasks == ("join", "join_2", "join_3")
    assert await handle.result() == ["c", "d"]


async def test_items_of_a_map_are_tried_one_by_one(segue: Segue) -> None:
    """Of a mapped node only the items that failed begin anew, and the join waits for them."""

    @workflow
    def mapped(texts: list[str]) -> str:
        return join("end", [each.map(text=texts, name="m")])

    failing.update(("m/1", "m/3"))
    handle = await segue.submit(mapped, ["0", "1", "2", "3"])
    assert await ended(segue, handle.run) == "failed"
    failing.clear()
    assert (await handle.retry(by="me")).tasks == ("each[1]", "each[3]", "join")
    assert await handle.result() == "end"
    assert sorted(made) == ["end", "m/0", "m/1", "m/2", "m/3"]


async def test_a_quorum_is_counted_anew(segue: Segue) -> None:
    """A quorum that could not be reached waits again for what is missing, and spares what it can."""

    @workflow
    def race(text: str) -> str:
        inputs = [join("a", [text]), join("b", [text]), join("c", [text])]
        return join.with_(on_failure=Quorum(2))("end", inputs)

    failing.update(("b", "c"))
    handle = await segue.submit(race, "x")
    assert await ended(segue, handle.run) == "failed"
    failing.discard("c")
    assert (await handle.retry(by="me")).tasks == ("join_2", "join_3", "join_4")
    assert await ended(segue, handle.run) == "complete"
    assert sorted(made) == ["a", "c", "end"]


async def test_what_is_done_without_is_not_tried_unless_named(segue: Segue) -> None:
    """What everybody has come to an end without is left alone; by name it is tried, and changes nothing else."""

    @workflow
    def proceeds(text: str) -> str:
        return join.with_(on_failure="proceed")("end", [join("a", [text]), join("b", [text])])

    failing.add("a")
    handle = await segue.submit(proceeds, "x")
    assert await ended(segue, handle.run) == "complete"
    with pytest.raises(UsageError, match="nothing that could be tried again"):
        await handle.retry(by="me")
    failing.clear()
    assert (await handle.retry("join", by="me")).tasks == ("join",)
    assert await ended(segue, handle.run) == "complete"
    assert made == ["b", "end", "a"]


@condition
def never(text: str) -> bool:
    """Is false."""
    return False


async def test_what_cannot_be_tried_again_is_refused() -> None:
    """Each refusal names the task or run and what can be done instead, and nothing has changed."""

    @workflow
    def mixed(text: str) -> list[Any]:
        return [join("a", [text]), join("b", [text]), join.when(never(text))("c", [text])]

    failing.add("b")
    async with Segue("memory:") as segue:
        handle = await segue.submit(mixed, "x")
        assert await ended(segue, handle.run) == "failed"
        for task, error, part in (
            ("nobody", UnknownRun, "has no task 'nobody'"),
            ("join[3]", UnknownRun, r"has no task 'join\[3\]'"),
            ("join[x]", UsageError, "is not the name of a task"),
            ("join", UsageError, "join of run .* is complete"),
            ("join_3", UsageError, "join_3 of run .* was skipped by its condition"),
        ):
            with pytest.raises(error, match=part) as caught:
                await handle.retry(task, by="me")
            assert isinstance(caught.value, SegueError)
            assert caught.value.remedy
        with pytest.raises(UnknownRun, match="there is no run 'none'"):
            await segue.handle("none").retry(by="me")

        gate = asyncio.Event()

        @agent
        async def waits(text: str) -> str:
            await gate.wait()
            return text

        running = await segue.submit(_once(waits), "x")
        with pytest.raises(UsageError, match="still runs"):
            await running.retry(by="me")
        await running.cancel(by="me")
        with pytest.raises(UsageError, match="was cancelled"):
            await running.retry(by="me")


def _once(called: Any) -> Any:
    @workflow
    def once(text: str) -> Any:
        return called(text)

    return once


async def test_a_run_past_its_deadline_is_not_tried_again() -> None:
    """Nothing would be begun, so it is said at once."""
    clock = ManualClock()

    @agent(takes="1s")
    async def fails(text: str) -> str:
        raise ValueError(text)

    async with Segue("memory:", clock=clock) as segue:
        handle = await segue.with_(deadline="1m").submit(_once(fails), "x")
        assert await ended(segue, handle.run) == "failed"
        clock.advance(61.0)
        with pytest.raises(UsageError, match="is past its deadline"):
            await handle.retry(by="me")


# --- any graph ----------------------------------------------------------------------------------------

TEXTS = ["0", "1", "2"]


@st.composite
def workflows(draw: st.DrawFn) -> dict[str, Any]:
    """A graph of joins and mapped nodes with any policy on failures; each node is named by its first argument."""
    nodes: dict[str, Any] = {}
    for place in range(draw(st.integers(1, 6))):
        name = f"n{place}"
        if draw(st.integers(0, 3)) == 0:
            nodes[name] = {"agent": "each", "arguments": {"name": name, "text": "$texts"}, "map": "text"}
            continue
        sources = draw(st.lists(st.sampled_from(list(nodes)), unique=True)) if nodes else []
        node: dict[str, Any] = {
            "agent": "join",
            "arguments": {"name": name, "texts": [f"${each}" for each in sources]},
        }
        policy = draw(st.sampled_from(["skip", "fail", "proceed", "quorum"]))
        if policy == "quorum" and sources:
            node["with"] = {"on_failure": {"quorum": draw(st.integers(1, len(sources)))}}
        elif policy != "quorum":
            node["with"] = {"on_failure": policy}
        nodes[name] = node
    return {"workflow": "any", "inputs": {"texts": "list"}, "nodes": nodes}


def names_of(graph: dict[str, Any]) -> list[str]:
    """Everything that may fail in a graph."""
    return [
        full
        for name, node in graph["nodes"].items()
        for full in ([f"{name}/{text}" for text in TEXTS] if "map" in node else [name])
    ]


@settings(max_examples=60)
@given(workflows(), st.data())
def test_whatever_failed_can_be_made_good(graph: dict[str, Any], data: st.DataObject) -> None:
    """
    In any graph, whatever fails and however often it is tried again: nothing is handed over twice, the run ends each
    time, and when nothing fails any more it is complete, but for what everybody has done without.
    """
    graph["inputs"] = {} if not any("map" in node for node in graph["nodes"].values()) else graph["inputs"]
    built = graph_from_data(graph, {"join": join, "each": each})
    failing.clear()
    made.clear()
    failing.update(data.draw(st.sets(st.sampled_from(names_of(graph)))))

    async def play() -> None:
        async with Segue("memory:") as segue:
            handle = await segue.submit(built, **({"texts": TEXTS} if graph["inputs"] else {}))
            await asyncio.wait_for(ended(segue, handle.run), 5.0)
            for still in (data.draw(st.sets(st.sampled_from(sorted(failing) or ["-"]))), set()):
                failing.intersection_update(still)
                with contextlib.suppress(UsageError):
                    await handle.retry(by="me")
                state = await asyncio.wait_for(ended(segue, handle.run), 5.0)
            assert state == "complete"
            tasks = await segue.host.store.read_tasks(handle.run)
            assert sorted(made) == sorted(set(made))
            _check_rest(graph, tasks)

    asyncio.run(play())


def _check_rest(graph: dict[str, Any], tasks: Any) -> None:
    """What is not complete was done without by all who would have received it."""
    by_node: dict[str, list[TaskRecord]] = {}
    for task in tasks:
        by_node.setdefault(task.node, []).append(task)
    for task in tasks:
        if task.state not in ("complete", "expanded"):
            receivers = [
                name
                for name, node in graph["nodes"].items()
                if f"${task.node}" in node["arguments"].get("texts", ())
            ]
            assert receivers
            assert all(each.state == "complete" for name in receivers for each in by_node[name])
