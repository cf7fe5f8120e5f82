"""What is shown of a run: while it goes on, when it has ended, and step by step."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import pytest

from segue import Handoff, Later, Segue, agent, workflow
from segue.app.progress import Progress
from segue.app.reading import find_run, list_runs, read_graph, read_task, read_view
from segue.app.views import RunView
from segue.errors import UnknownRun

SECONDS = 20.0
"""A test that waits longer than this has failed."""


class Gates:
    """Doors that the agents of these tests stop at, closed again for each test."""

    def close(self) -> None:
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()


gates = Gates()


@agent
async def names(count: int) -> Handoff[list[str]]:
    return Handoff(["x" * number for number in range(count)], confidence=0.5, decisions=["few"])


@agent
async def measure(name: str) -> int:
    return len(name)


@agent
async def hold(found: list[str]) -> int:
    gates.reached.set()
    await gates.go_on.wait()
    return len(found)


@agent
async def add(held: int, sizes: Later[list[int]]) -> int:
    return held + sum(await sizes)


@agent
async def wait_for(sizes: Later[int]) -> int:
    return await sizes


@workflow
def counted(count: int) -> int:
    found = names(count)
    return add(hold(found), measure.map(found))


@workflow
def parked(count: int) -> int:
    return wait_for(hold(names(count)))


@agent
def large() -> list[str]:
    return ["y" * 20_000]


@workflow
def spilled() -> list[str]:
    return large()


@pytest.fixture
async def segue(tmp_path: Path) -> AsyncIterator[Segue]:
    """A store on a real file, and closed gates."""
    gates.close()
    async with Segue(tmp_path / "segue.db", durability="fast") as opened:
        yield opened


async def view_of(segue: Segue, run: str) -> RunView:
    return await read_view(segue.host.store, await segue.host.read_run(run), segue.host.clock.wall())


def states(view: RunView) -> dict[str, str]:
    return {task.task: task.state for task in view.tasks}


def edges(view: RunView) -> dict[tuple[str, str], str]:
    return {(edge.source, edge.target): edge.state for edge in view.edges}


async def test_a_run_that_goes_on(segue: Segue) -> None:
    """Tasks that nothing has released yet are there as waiting, and each edge says how its hand-off stands."""
    handle = await segue.submit(counted, 2)
    await asyncio.wait_for(gates.reached.wait(), SECONDS)
    await asyncio.wait_for(segue.wait(handle.run, "measure[1]"), SECONDS)
    await asyncio.wait_for(segue.wait(handle.run, "measure[0]"), SECONDS)
    view = await view_of(segue, handle.run)
    assert states(view) == {
        "names": "complete",
        "hold": "claimed",
        "measure": "expanded",
        "measure[0]": "complete",
        "measure[1]": "complete",
        "add": "waiting",
    }
    assert edges(view) == {
        ("names", "hold"): "claimed",
        ("names", "measure"): "consumed",
        ("hold", "add"): "waiting",
        ("measure", "add"): "ready",
    }
    assert (view.state, view.ended_at) == ("running", None)
    gates.go_on.set()
    assert await asyncio.wait_for(handle.result(), SECONDS) == 3


async def test_a_run_that_has_ended(segue: Segue) -> None:
    """Totals, hand-offs and spans agree with one another, and all of it is JSON."""
    gates.go_on.set()
    handle = await segue.submit(counted, 3)
    assert await asyncio.wait_for(handle.result(), SECONDS) == 6
    view = await view_of(segue, handle.run)
    assert set(states(view).values()) == {"complete", "expanded"}
    assert set(edges(view).values()) == {"consumed"}
    sent = [task.handoff for task in view.tasks if task.handoff is not None]
    totals = view.totals
    assert (totals.handoffs, totals.handoff_bytes) == (6, sum(handoff.size_bytes for handoff in sent))
    assert {span.task for span in view.spans} == set(states(view)) - {"measure"}
    assert view.ended_at is not None
    assert totals.wall_seconds == view.ended_at - view.submitted_at
    assert totals.working_seconds + totals.coordinating_seconds == pytest.approx(totals.wall_seconds)
    (first,) = [task for task in view.tasks if task.task == "names"]
    assert first.handoff is not None
    assert (first.handoff.confidence, first.handoff.decisions) == (0.5, ("few",))
    assert json.loads(json.dumps(asdict(view)))["totals"]["handoffs"] == 6


async def test_waiting_for_a_later_is_coordination(segue: Segue) -> None:
    """A parked task is shown as such, and the time that it waits is none of its spans."""
    handle = await segue.submit(parked, 1)
    await asyncio.wait_for(gates.reached.wait(), SECONDS)
    host = segue.host
    record = await host.read_run(handle.run)
    progress = Progress(host.store, record, await read_graph(host.store, record))
    nodes = {node.name: node for node in progress.nodes}
    async with asyncio.timeout(SECONDS):
        async for _ in segue.events(handle.run, names="task.parked"):
            break
    await progress.look()
    assert len(nodes["wait_for"].parked) == 1
    gates.go_on.set()
    await asyncio.wait_for(handle.result(), SECONDS)
    await progress.look()
    assert not nodes["wait_for"].parked
    view = await view_of(segue, handle.run)
    (span, *_, last) = sorted(
        (span for span in view.spans if span.task == "wait_for"), key=lambda s: s.started_at
    )
    (held,) = [span for span in view.spans if span.task == "hold"]
    assert span.completed_at <= last.started_at
    assert held.completed_at <= last.started_at


async def test_progress_agrees_with_the_view(segue: Segue) -> None:
    """Looking step by step, only at what is new, ends with what reading everything says."""
    handle = await segue.submit(counted, 4)
    host = segue.host
    record = await host.read_run(handle.run)
    progress = Progress(host.store, record, await read_graph(host.store, record))
    await asyncio.wait_for(gates.reached.wait(), SECONDS)
    assert await progress.look()
    add_node = next(node for node in progress.nodes if node.name == "add")
    assert progress.missing(add_node) == ["hold"]
    gates.go_on.set()
    await asyncio.wait_for(handle.result(), SECONDS)
    assert await progress.look()
    assert not await progress.look()
    view = await view_of(segue, handle.run)
    assert {node.name: node.state for node in progress.nodes} == dict.fromkeys(
        ("names", "hold", "measure", "add"), "complete"
    )
    sizes = [size for node in progress.nodes for size in node.sizes.values()]
    assert sum(sizes) == view.totals.handoff_bytes
    measured = next(node for node in progress.nodes if node.name == "measure")
    assert (measured.mapped, measured.at_rest, len(measured.own)) == (True, 4, 4)
    assert progress.record.state == "complete"


async def test_a_task_is_shown_with_the_agent_that_has_it(segue: Segue) -> None:
    """Where a fallback has taken over, it is named; where nobody has, the agent that the graph calls."""

    @agent
    async def cheap(count: int) -> int:
        return count

    @agent(fallback=cheap)
    async def best(count: int) -> int:
        if count:
            raise ValueError("not with me")
        return count

    @workflow
    def each(counts: list[int]) -> list[int]:
        return best.map(counts)

    handle = await segue.submit(each, [0, 1])
    assert await handle.result() == [0, 1]
    view = await read_view(segue.host.store, await segue.host.read_run(handle.run), 0.0)
    assert [task.agent for task in view.tasks] == ["best", "best", "cheap"]


async def test_nothing_to_map(segue: Segue) -> None:
    """A mapped node whose list was empty is complete, with no items."""
    gates.go_on.set()
    handle = await segue.submit(counted, 0)
    assert await asyncio.wait_for(handle.result(), SECONDS) == 0
    record = await segue.host.read_run(handle.run)
    progress = Progress(segue.host.store, record, await read_graph(segue.host.store, record))
    await progress.look()
    measured = next(node for node in progress.nodes if node.name == "measure")
    assert (measured.state, measured.own) == ("complete", [])


async def test_a_spilled_output_is_whole(segue: Segue) -> None:
    """The detail of a task has its whole output, also where it is kept as an artifact."""
    handle = await segue.submit(spilled)
    await asyncio.wait_for(handle.result(), SECONDS)
    host = segue.host
    detail = await read_task(host.store, host.artifacts, await host.read_run(handle.run), "large")
    assert detail.output == ["y" * 20_000]
    assert detail.versions[0].size_bytes < 20_000
    assert len(detail.versions[0].artifacts) == 1


async def test_runs_in_a_line_each(segue: Segue) -> None:
    """Summaries come newest first, with tasks by state, hand-offs and bytes."""
    gates.go_on.set()
    handles = [await segue.submit(counted, 1), await segue.submit(spilled)]
    for handle in handles:
        await asyncio.wait_for(handle.result(), SECONDS)
    newest, oldest = await list_runs(segue.host.store, 10)
    assert [newest.run, oldest.run] == [handle.run for handle in reversed(handles)]
    assert (oldest.tasks, oldest.handoffs) == ({"complete": 4, "expanded": 1}, 4)
    assert oldest.handoff_bytes == (await view_of(segue, oldest.run)).totals.handoff_bytes


@pytest.mark.parametrize("text", ["latest", "", "0", "no-such-run"])
async def test_no_such_run(segue: Segue, text: str) -> None:
    """An empty store has no latest run, and no text is taken for a run by chance."""
    with pytest.raises(UnknownRun):
        await find_run(segue.host.store, text)


async def test_a_beginning_must_be_long_enough(segue: Segue) -> None:
    """One sign of an id is no name for a run, even where only one fits."""
    handle = await segue.submit(spilled)
    await asyncio.wait_for(handle.result(), SECONDS)
    assert (await find_run(segue.host.store, handle.run[:8])).run == handle.run
    with pytest.raises(UnknownRun):
        await find_run(segue.host.store, handle.run[:3])
