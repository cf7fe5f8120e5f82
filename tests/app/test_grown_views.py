"""What is shown of a run that grew: tasks that were handed on, and what they delegated."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from segue import Handoff, HandTo, Segue, Usage, agent, ctx, workflow
from segue.app.progress import Progress
from segue.app.reading import list_runs, read_drawn, read_graph, read_view
from segue.app.views import RunView
from segue.domain.graph.drawing.document import draw_json
from segue.domain.graph.drawing.dot import draw_dot
from segue.domain.graph.drawing.mermaid import draw_mermaid
from segue.domain.graph.drawing.text import draw_text

SECONDS = 20.0
"""A test that waits longer than this has failed."""


class Gate:
    """Who looks something up waits here until the test lets them go on; it is open at first."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.opened.set()


gate = Gate()


@agent
async def look_up(word: str) -> Handoff[str]:
    await gate.opened.wait()
    return Handoff(f"{word} is a drink", usage=Usage(input_tokens=1, output_tokens=2, cost=0.5))


@agent
async def billing(order: int) -> str:
    return await ctx.delegate(look_up, word=f"tea {order}")


@agent
async def clerk(order: int) -> str | HandTo:
    return HandTo(billing, order=order)


@agent
async def triage(question: str) -> str | HandTo:
    if question == "hello":
        return question
    return HandTo(clerk, order=len(question), usage=Usage(input_tokens=100, output_tokens=10))


@agent
async def reply(answer: str) -> Handoff[str]:
    return Handoff(answer.upper(), usage=Usage(output_tokens=5))


@agent
async def replies(answers: list[str]) -> int:
    return len(answers)


@agent
async def unlucky(question: str) -> Handoff[str]:
    if ctx.attempt == 1:
        raise RuntimeError("no luck")
    return Handoff(question, status="needs_review", usage=Usage(cost=2.0))


@workflow
def support(question: str) -> str:
    return reply(triage(question))


@workflow
def all_support(questions: list[str]) -> int:
    return replies(triage.map(questions))


@workflow
def doubted(question: str) -> str:
    return unlucky(question)


@pytest.fixture
async def segue(tmp_path: Path) -> AsyncIterator[Segue]:
    """A store on a real file, and everybody who may be asked."""
    gate.__init__()  # type: ignore[misc]
    async with Segue(tmp_path / "segue.db", durability="fast", agents=[billing, clerk, look_up]) as opened:
        yield opened


async def view_of(segue: Segue, run: str) -> RunView:
    return await read_view(segue.host.store, await segue.host.read_run(run), segue.host.clock.wall())


async def test_every_form_draws_who_went_on(segue: Segue) -> None:
    """
    A node for each agent that a task was handed on to, in the order of its path, and the delegation from the one that
    asked; each with state, time and bytes. What comes after the task comes after the last of them.
    """
    handle = await segue.submit(support, "why")
    await asyncio.wait_for(handle.result(), SECONDS)
    drawn = await read_drawn(segue.host.store, await segue.host.read_run(handle.run))
    document = json.loads(draw_json(*drawn))
    assert {node["name"]: (node["agent"], node["layer"]) for node in document["nodes"]} == {
        "triage": ("triage", 0),
        "triage → clerk": ("clerk", 1),
        "triage → billing, hop 2": ("billing", 2),
        "reply": ("reply", 3),
        "triage/look_up.1": ("look_up", 3),
    }
    edges = {(edge["from"], edge["to"]): edge for edge in document["edges"] if edge["from"]}
    assert {names: edge["kind"] for names, edge in edges.items()} == {
        ("triage", "triage → clerk"): "hand_on",
        ("triage → clerk", "triage → billing, hop 2"): "hand_on",
        ("triage → billing, hop 2", "triage/look_up.1"): "delegation",
        ("triage", "reply"): "data",
    }
    versions = await segue.host.store.read_handoffs(
        handle.run, [("triage", -1, 1), ("triage", -1, 2), ("triage/look_up.1", -1, 1)]
    )
    assert [edge["bytes"] for edge in edges.values() if edge["kind"] != "data"] == [
        len(stored.record.body) for stored in versions
    ]
    for edge in edges.values():
        assert edge["state"] == "consumed"
        assert 0 <= edge["seconds"] < SECONDS
    text = draw_text(*drawn)
    assert "2  triage → clerk" in text
    assert "handed on by ← triage → clerk" in text
    assert "asked by     ← triage → billing, hop 2" in text
    mermaid = draw_mermaid(*drawn)
    assert 'n0 -.->|"hands on<br/>consumed in' in mermaid
    assert 'n2 -->|"answer: str<br/>triage' not in mermaid
    assert 'n2 -->|"answer: str<br/>skips without it<br/>consumed in' in mermaid
    assert '"node triage → billing, hop 2" -> "node reply"' in draw_dot(*drawn)
    assert '"node triage → billing, hop 2" -> "node triage/look_up.1" [label="delegates' in draw_dot(*drawn)


async def test_items_that_went_the_same_way_count_together(segue: Segue) -> None:
    """Of a mapped node one edge stands for all items that were handed on alike; those that were not draw none."""
    handle = await segue.submit(all_support, ["hello", "ab", "abc"])
    assert await asyncio.wait_for(handle.result(), SECONDS) == 3
    view = await view_of(segue, handle.run)
    edges = {(edge.source, edge.target): edge for edge in view.edges}
    stored = await segue.host.store.read_handoffs(handle.run, [("triage", item, 1) for item in (1, 2)])
    assert edges["triage", "triage → clerk"].size_bytes == sum(len(each.record.body) for each in stored)
    assert {edge.state for edge in edges.values()} == {"consumed"}
    drawn = await read_drawn(segue.host.store, await segue.host.read_run(handle.run))
    assert '"node triage" -> "node replies"' in draw_dot(*drawn)


async def test_all_that_was_spent_counts(segue: Segue) -> None:
    """Bytes and usage of a run are those of every version: what was handed on was sent and paid for too."""
    handle = await segue.submit(support, "why")
    await asyncio.wait_for(handle.result(), SECONDS)
    totals = (await view_of(segue, handle.run)).totals
    assert (totals.input_tokens, totals.output_tokens, totals.cost) == (101, 17, 0.5)
    pins = [("triage", -1, version) for version in (1, 2, 3)]
    pins += [("triage/look_up.1", -1, 1), ("triage/look_up.1", -1, 2), ("reply", -1, 1)]
    stored = await segue.host.store.read_handoffs(handle.run, pins)
    assert (totals.handoffs, totals.handoff_bytes) == (6, sum(len(each.record.body) for each in stored))
    (line,) = await list_runs(segue.host.store, 1)
    assert (line.handoffs, line.handoff_bytes) == (totals.handoffs, totals.handoff_bytes)


async def test_usage_counts_once_for_each_attempt(segue: Segue) -> None:
    """What failed and was tried again was sent twice; a person's decision is a version and no new work."""
    handle = await segue.submit(doubted, "why")
    async with asyncio.timeout(SECONDS):
        async for _ in segue.events(handle.run, names="run.failed"):
            break
        await handle.retry(by="ops")
        async for _ in segue.events(handle.run, names="task.needs_review"):
            break
    (review,) = await segue.reviews()
    await segue.review(handle.run, review.task, digest=review.digest, approve=True, by="ops")
    assert await asyncio.wait_for(handle.result(), SECONDS) == "why"
    totals = (await view_of(segue, handle.run)).totals
    assert (totals.handoffs, totals.input_tokens, totals.cost) == (3, None, 2.0)


async def test_a_run_that_grows_while_it_is_watched(segue: Segue) -> None:
    """Whoever watches sees what is delegated, and who waits for it; at the end all bytes are there."""
    gate.opened.clear()
    handle = await segue.submit(support, "why")
    host = segue.host
    record = await host.read_run(handle.run)
    progress = Progress(host.store, record, await read_graph(host.store, record))
    assert [node.name for node in progress.nodes] == ["triage", "reply"]
    async with asyncio.timeout(SECONDS):
        async for _ in segue.events(handle.run, names="task.billing.parked"):
            break
    await progress.look()
    asking, _, asked = progress.nodes
    assert (asked.name, asked.layer) == ("triage/look_up.1", 1)
    assert [asking.tasks[item].awaits for item in asking.parked] == [("triage/look_up.1",)]
    view = await read_view(host.store, record, host.clock.wall())
    assert {task.task for task in view.tasks} == {"triage", "reply", "triage/look_up.1"}
    gate.opened.set()
    await asyncio.wait_for(handle.result(), SECONDS)
    await progress.look()
    sizes = [size for node in progress.nodes for size in node.sizes.values()]
    assert sum(sizes) == (await view_of(segue, handle.run)).totals.handoff_bytes
