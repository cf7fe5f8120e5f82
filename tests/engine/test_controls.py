"""Pausing, resuming, cancelling, reassigning and annotating what runs, from any process, once for each command."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from segue import ControlRefused, Event, Handoff, RunFailed, Segue, agent, ctx, workflow
from segue.app.reading import list_runs, read_view
from segue.errors import RunCancelled, UnknownRun, UsageError
from segue.testing import audit
from tests.engine.conftest import Open

WAIT_SECONDS = 10.0


class Stage:
    """Agents that wait until they are let go, and count how often they ran."""

    def __init__(self) -> None:
        self.ran: Counter[str] = Counter()
        self.started: dict[str, asyncio.Event] = {}
        self.gates: dict[str, asyncio.Event] = {}

    def gate(self, name: str) -> asyncio.Event:
        return self.gates.setdefault(name, asyncio.Event())

    async def play(self, name: str) -> None:
        self.ran[name] += 1
        self.started.setdefault(name, asyncio.Event()).set()
        if name in self.gates:
            await self.gates[name].wait()

    async def has_started(self, name: str) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            await self.started.setdefault(name, asyncio.Event()).wait()


def chain(stage: Stage) -> Any:
    """Three agents one after the other."""

    @agent
    async def first(text: str) -> str:
        await stage.play("first")
        return f"{text}1"

    @agent(retries=2, backoff=None)
    async def second(text: str) -> str:
        await stage.play("second")
        return f"{text}2"

    @agent
    async def third(text: str) -> str:
        await stage.play("third")
        return f"{text}3"

    @workflow
    def three(text: str) -> str:
        return third(second(first(text)))

    return three


async def told(segue: Segue, run: str, kind: str) -> list[dict[str, Any] | None]:
    """The data of the events of one kind."""
    events, _ = await segue.host.store.tail(None, 1_000, run)
    return [
        None if event.data is None else json.loads(event.data)
        for event in events
        if event.name.endswith(f".{kind}")
    ]


async def states(segue: Segue, run: str) -> dict[str, str]:
    """The states of the tasks that there are."""
    return {task.node: task.state for task in await segue.host.store.read_tasks(run)}


async def until(segue: Segue, run: str, name: str) -> Event:
    """Wait for an event."""
    async with asyncio.timeout(WAIT_SECONDS):
        async for event in segue.events(run, names=name):
            return event
    raise AssertionError(name)


async def test_a_paused_run_lets_what_runs_end_and_starts_nothing(segue: Segue) -> None:
    """The hand-off of what ran is kept, its dependent is paused and not claimed, and resuming loses no step."""
    stage = Stage()
    stage.gate("first")
    run = await segue.submit(chain(stage), "x")
    await stage.has_started("first")
    paused = await run.pause(by="ann", reason="too dear")
    assert (paused.verdict, paused.tasks) == ("done", ())
    stage.gate("first").set()
    await until(segue, run.run, "task.second.paused")
    assert await states(segue, run.run) == {"first": "complete", "second": "paused"}
    assert await run.state() == "running"
    assert (await segue.host.read_run(run.run)).paused
    result = asyncio.create_task(run.result())
    await run.resume(by="bob")
    async with asyncio.timeout(WAIT_SECONDS):
        assert await result == "x123"
    assert stage.ran == {"first": 1, "second": 1, "third": 1}
    (why,) = [data for data in await told(segue, run.run, "paused") if data is not None]
    assert (why["by"], why["reason"]) == ("ann", "too dear")
    assert await audit(segue.host.store) == []


async def test_a_task_can_be_paused_before_it_is_there(segue: Segue) -> None:
    """One that waits for others does not start when they are done; the rest of the run is not touched."""
    stage = Stage()
    stage.gate("first")
    run = await segue.submit(chain(stage), "x")
    await run.pause("third", by="ann")
    stage.gate("first").set()
    await until(segue, run.run, "task.second.complete")
    await until(segue, run.run, "task.third.paused")
    with pytest.raises(ControlRefused, match=r"not paused.*\n.*third"):
        await run.resume(by="ann")
    await run.resume("third", by="ann")
    assert await run.result() == "x123"
    assert await audit(segue.host.store) == []


async def test_a_pause_ends_by_itself_with_the_task_it_waits_for(segue: Segue) -> None:
    """It ends in the transaction that settles that task, and the log says with which."""
    stage = Stage()
    stage.gate("slow")
    stage.gate("quick")

    @agent
    async def slow(text: str) -> str:
        await stage.play("slow")
        return text

    @agent
    async def quick(text: str) -> str:
        await stage.play("quick")
        return text

    @agent
    async def after(text: str) -> str:
        await stage.play("after")
        return text

    @workflow
    def both(text: str) -> list[str]:
        return [slow(text), after(quick(text))]

    run = await segue.submit(both, "x")
    await run.pause("after", until="slow", by="ann")
    stage.gate("quick").set()
    await until(segue, run.run, "task.quick.complete")
    await stage.has_started("slow")
    assert stage.ran["after"] == 0
    stage.gate("slow").set()
    assert await run.result() == ["x", "x"]
    (end,) = await told(segue, run.run, "unpaused")
    assert end is not None
    assert (end["by"], end["until"]) == ("ann", "slow")
    assert list(await segue.host.store.read_pauses(run.run)) == []
    assert await audit(segue.host.store) == []


async def test_a_run_is_paused_until_one_of_its_tasks_has_settled(segue: Segue) -> None:
    """That task is spared, also its next try, and all others stand still meanwhile."""
    failed = asyncio.Event()

    @agent(retries=1, backoff=None)
    async def shaky(text: str) -> str:
        if not failed.is_set():
            failed.set()
            await paused.wait()
            raise RuntimeError("once")
        return text

    @agent
    async def after(text: str) -> str:
        return text

    @workflow
    def two(text: str) -> str:
        return after(shaky(text))

    paused = asyncio.Event()
    run = await segue.submit(two, "x")
    async with asyncio.timeout(WAIT_SECONDS):
        await failed.wait()
    await run.pause(until="shaky", by="ann")
    paused.set()
    async with asyncio.timeout(WAIT_SECONDS):
        assert await run.result() == "x"
    assert not (await segue.host.read_run(run.run)).paused
    assert await audit(segue.host.store) == []


async def test_an_interrupting_pause_takes_what_runs_away(segue: Segue) -> None:
    """The agent is cancelled, writes nothing, and begins anew after the resume, without a failure or a loss."""
    stage = Stage()
    stage.gate("second")
    run = await segue.submit(chain(stage), "x")
    await stage.has_started("second")
    await run.pause(by="ann", interrupt=True)
    assert (await states(segue, run.run))["second"] == "paused"
    stage.gate("second").set()
    await run.resume(by="ann")
    assert await run.result() == "x123"
    assert stage.ran["second"] == 2
    (task,) = await segue.host.store.read_tasks(run.run, [("second", -1)])
    assert (task.epoch, task.version, task.failures, task.losses) == (2, 1, 0, 0)
    assert await audit(segue.host.store) == []


async def test_a_cancelled_task_commits_nothing_and_its_dependents_are_skipped(segue: Segue) -> None:
    """What is in flight is refused, those who need it are skipped, and the run fails with a reason."""
    stage = Stage()
    stage.gate("second")
    run = await segue.submit(chain(stage), "x")
    await stage.has_started("second")
    cancelled = await run.cancel("second", by="ann", reason="wrong numbers")
    assert cancelled.tasks == ("second",)
    stage.gate("second").set()
    with pytest.raises(RunFailed) as failure:
        await run.result()
    assert failure.value.failures == {"second": "cancelled: ann cancelled it: wrong numbers"}
    assert await states(segue, run.run) == {"first": "complete", "second": "cancelled", "third": "skipped"}
    left = await run.handoff("second")
    assert left.status == "failed"
    assert left.error is not None
    assert left.error.message == "ann cancelled it: wrong numbers"
    assert await audit(segue.host.store) == []
    again = await run.retry("second", by="ann")
    assert again.tasks == ("second", "third")
    assert await run.result() == "x123"
    assert await audit(segue.host.store) == []


async def test_what_a_cancelled_task_has_delegated_is_cancelled_with_it(segue: Segue) -> None:
    """Whoever waits for the answer is gone; the answer that is in flight is refused too."""
    stage = Stage()
    stage.gate("helper")

    @agent
    async def helper(text: str) -> str:
        await stage.play("helper")
        return text

    @agent
    async def boss(text: str) -> str:
        return str(await ctx.delegate(helper, text=text))

    @workflow
    def asks(text: str) -> str:
        return boss(text)

    run = await segue.submit(asks, "x")
    await stage.has_started("helper")
    cancelled = await run.cancel("boss", by="ann")
    assert cancelled.tasks == ("boss", "boss/helper.1")
    stage.gate("helper").set()
    with pytest.raises(RunFailed):
        await run.result()
    assert await states(segue, run.run) == {"boss": "cancelled", "boss/helper.1": "cancelled"}
    assert await audit(segue.host.store) == []


async def test_what_ran_for_a_cancelled_task_alone_is_cancelled_with_it(segue: Segue) -> None:
    """Nobody needs it any more, so the run has come to its end; tried again, it begins with the task."""
    stage = Stage()
    stage.gate("first")
    run = await segue.submit(chain(stage), "x")
    await stage.has_started("first")
    await run.cancel("third", by="ann", reason="not wanted")
    with pytest.raises(RunFailed) as failure:
        await run.result()
    assert set(failure.value.failures) == {"third"}
    assert await states(segue, run.run) == dict.fromkeys(("first", "second", "third"), "cancelled")
    assert await audit(segue.host.store) == []
    stage.gate("first").set()
    assert (await run.retry("third", by="ann")).tasks == ("first", "second", "third")
    assert await run.result() == "x123"
    assert await audit(segue.host.store) == []


async def test_a_run_bears_a_cancelled_task_that_nobody_needs(segue: Segue) -> None:
    """Whoever can do without goes on without it, and the run is complete."""
    stage = Stage()
    stage.gate("extra")

    @agent
    async def extra(text: str) -> str:
        await stage.play("extra")
        return text

    @agent
    async def tolerant(text: str, more: str | None) -> str:
        return f"{text} and {more}"

    @workflow
    def lenient(text: str) -> str:
        return tolerant(text, extra(text))

    run = await segue.submit(lenient, "x")
    await stage.has_started("extra")
    await run.cancel("extra", by="ann")
    assert await run.result() == "x and None"
    assert await audit(segue.host.store) == []


async def test_a_mapped_task_is_paused_before_its_list_is_known(segue: Segue) -> None:
    """None of its items starts, and all of them do when it goes on."""
    stage = Stage()
    stage.gate("split")

    @agent
    async def split(text: str) -> list[str]:
        await stage.play("split")
        return list(text)

    @agent
    async def each(text: str) -> str:
        await stage.play("each")
        return text.upper()

    @agent
    async def glue(texts: list[str | None]) -> str:
        return "".join(text or "-" for text in texts)

    @workflow
    def mapped(text: str) -> str:
        return glue(each.map(split(text)))

    run = await segue.submit(mapped, "abc")
    await run.pause("each", by="ann")
    stage.gate("split").set()
    await until(segue, run.run, "task.segue.map.paused")
    await run.resume("each", by="ann")
    assert await run.result() == "ABC"
    assert stage.ran["each"] == 3
    assert await audit(segue.host.store) == []


async def test_a_mapped_task_is_paused_with_all_its_items(segue: Segue) -> None:
    """Items that run may end, the others wait; one is cancelled alone, and the join goes on without it."""
    stage = Stage()
    stage.gate("a")
    stage.gate("b")

    @agent(concurrency=2)
    async def each(text: str) -> str:
        await stage.play(text)
        return text.upper()

    @agent
    async def glue(texts: list[str | None]) -> str:
        return "".join(text or "-" for text in texts)

    @workflow
    def mapped(texts: list[str]) -> str:
        return glue(each.map(texts))

    run = await segue.submit(mapped, ["a", "b", "c", "d"])
    await stage.has_started("a")
    await stage.has_started("b")
    assert (await run.pause("each", by="ann")).tasks == ("each",)
    with pytest.raises(ControlRefused, match="is paused with all of each"):
        await run.resume("each[2]", by="ann")
    assert (await run.cancel("each[1]", by="ann")).tasks == ("each[1]",)
    stage.gate("a").set()
    await until(segue, run.run, "task.each.complete")
    await run.cancel("each[3]", by="ann")
    assert (stage.ran["c"], stage.ran["d"]) == (0, 0)
    await run.resume("each", by="ann")
    assert await run.result() == "A-C-"
    assert stage.ran == {"a": 1, "b": 1, "c": 1}
    assert await audit(segue.host.store) == []


async def test_a_task_is_given_to_another_agent(segue: Segue) -> None:
    """The first loses its claim and the other does the task with the same inputs; its hand-off names who made it."""
    stage = Stage()
    stage.gate("second")

    @agent
    async def stand_in(text: str) -> str:
        await stage.play("stand_in")
        return f"{text}two"

    @agent
    async def unfit(number: int) -> str:
        return "never"

    three = chain(stage)
    run = await segue.submit(three, "x")
    await stage.has_started("second")
    with pytest.raises(ControlRefused, match=r"there is no agent 'nobody'.*\n.*first, second, third"):
        await run.reassign("second", "nobody", by="ann")
    with pytest.raises(ControlRefused, match="cannot take second over: it does not take 'text'"):
        await run.reassign("second", unfit, by="ann")
    segue.host.know(stand_in)
    given = await run.reassign("second", "stand_in", by="ann", reason="it hangs")
    assert given.tasks == ("second",)
    stage.gate("second").set()
    assert await run.result() == "x1two3"
    handoff: Handoff[Any] = await run.handoff("second")
    assert handoff.sent.source.agent == "stand_in"
    assert stage.ran == {"first": 1, "second": 1, "stand_in": 1, "third": 1}
    assert await audit(segue.host.store) == []


async def test_a_task_is_taken_from_its_worker(open_segue: Open, store_kind: str) -> None:
    """Another worker, or the same, does it again; what the first makes is refused."""
    stage = Stage()
    stage.gate("second")
    segue = await open_segue()
    run = await segue.submit(chain(stage), "x")
    await stage.has_started("second")
    del stage.gates["second"]
    await run.reassign("second", by="ann")
    assert await run.result() == "x123"
    (task,) = await segue.host.store.read_tasks(run.run, [("second", -1)])
    assert (task.epoch, task.version) == (2, 1)
    assert await audit(segue.host.store) == []


async def test_a_command_is_obeyed_once(segue: Segue) -> None:
    """Said again it is `done before`, also after its effect is gone; for something else its name is refused."""
    stage = Stage()
    stage.gate("first")
    run = await segue.submit(chain(stage), "x")
    verdicts = await asyncio.gather(*(run.pause(by="guard", command="guard-1") for _ in range(5)))
    assert sorted(each.verdict for each in verdicts) == ["done", *["done before"] * 4]
    await run.resume(by="ann")
    assert (await run.pause(by="guard", command="guard-1")).verdict == "done before"
    assert not (await segue.host.read_run(run.run)).paused
    with pytest.raises(ControlRefused, match="'guard-1' before, which was"):
        await run.cancel(by="guard", command="guard-1")
    assert len(await told(segue, run.run, "paused")) == 1
    stage.gate("first").set()
    assert await run.result() == "x123"
    assert (await run.pause(by="guard", command="guard-1")).verdict == "done before"


async def test_notes_are_events(segue: Segue) -> None:
    """A note about a run or any task, also one that is not there yet, is in the log with its author."""
    stage = Stage()
    stage.gate("first")
    run = await segue.submit(chain(stage), "x")
    await run.annotate("third", by="ann", note="careful")
    stage.gate("first").set()
    await run.result()
    await run.annotate(by="bob", note="well done")
    notes = await told(segue, run.run, "annotated")
    assert [(note["by"], note["note"]) for note in notes if note is not None] == [
        ("ann", "careful"),
        ("bob", "well done"),
    ]
    assert await audit(segue.host.store) == []


async def test_what_cannot_be_is_refused_with_what_is_true(segue: Segue) -> None:
    """A control on what has settled or ended, on what is not there or not so, names that, and changes nothing."""
    stage = Stage()
    stage.gate("second")
    run = await segue.submit(chain(stage), "x")
    await stage.has_started("second")
    before = await segue.host.store.tail(None, 1_000, run.run)
    refused: list[tuple[Any, str]] = [
        (run.pause("first", by="a"), "first of run .* has settled already; it is complete"),
        (run.cancel("first", by="a"), "has settled already"),
        (run.reassign("first", by="a"), "has settled already"),
        (run.reassign("third", by="a"), "third of run .* is waiting, so nobody has it"),
        (run.resume(by="a"), "is not paused"),
        (run.resume("third", by="a"), "is not paused by itself"),
        (run.retry(by="a"), "still runs"),
        (
            run.pause("second", until="third", by="a"),
            "third of run .* waits for second, so that pause would never end",
        ),
        (run.pause("second", until="second", by="a"), "cannot wait for itself"),
        (run.pause("third", until="first", by="a"), "first of run .* has settled already"),
        (run.pause(until="third", by="a"), "waits for others, which would be paused with the run"),
    ]
    for wanted, words in refused:
        with pytest.raises(ControlRefused, match=words):
            await wanted
    with pytest.raises(UnknownRun, match="no task 'fourth'"):
        await run.pause("fourth", by="a")
    with pytest.raises(UnknownRun, match="no task 'third\\[2\\]'"):
        await run.cancel("third[2]", by="a")
    with pytest.raises(UsageError, match="is nobody's name"):
        await run.pause(by=" ")
    with pytest.raises(UsageError, match="no note"):
        await run.annotate(by="a", note=" ")
    with pytest.raises(UsageError, match="no name"):
        await run.pause(by="a", command=" ")
    for name in ("by", "reason", "command"):
        with pytest.raises(UsageError, match=f"{name} has 4,001 characters, and SAID_CHARACTERS is 4,000"):
            await run.pause(**{"by": "a", name: "x" * 4_001})
    with pytest.raises(UsageError, match="has 4,001 characters"):
        await run.annotate(by="a", note="x" * 4_001)
    assert (await segue.host.store.tail(None, 1_000, run.run))[0] == before[0]
    await run.pause(by="ann")
    with pytest.raises(ControlRefused, match="is paused already, by ann"):
        await run.pause(by="bob")
    await run.cancel(by="ann")
    for wanted in (run.pause(by="a"), run.resume(by="a"), run.cancel(by="a"), run.cancel("third", by="a")):
        with pytest.raises(ControlRefused, match="has ended; it is cancelled"):
            await wanted
    with pytest.raises(RunCancelled):
        await run.result()
    assert await audit(segue.host.store) == []


async def test_the_deadline_of_a_paused_task_stands(segue: Segue) -> None:
    """Past it the task fails all the same, and the run with it."""
    stage = Stage()

    @agent
    async def waits(text: str) -> str:
        await stage.play("waits")
        return text

    stage.gate("waits")

    @agent(deadline="300ms")
    async def hurried(text: str) -> str:
        await stage.play("hurried")
        return text

    @workflow
    def two(text: str) -> str:
        return hurried(waits(text))

    run = await segue.submit(two, "x")
    await run.pause("hurried", by="ann")
    stage.gate("waits").set()
    async with asyncio.timeout(WAIT_SECONDS):
        with pytest.raises(RunFailed) as failed:
            await run.result()
    assert "deadline" in failed.value.failures["hurried"]
    assert stage.ran["hurried"] == 0
    assert await audit(segue.host.store) == []


async def test_views_say_what_is_paused_and_by_whom(segue: Segue) -> None:
    """A run and its tasks show their pauses; without any they show none."""
    stage = Stage()
    stage.gate("first")
    run = await segue.submit(chain(stage), "x")
    await run.pause("third", by="bob", until="first", reason="first things first")
    await run.pause(by="ann")
    store = segue.host.store
    (summary,) = await list_runs(store, 5)
    assert [(each.task, each.by, each.reason, each.until) for each in summary.pauses] == [
        (None, "ann", "", None),
        ("third", "bob", "first things first", "first"),
    ]
    view = await read_view(store, await segue.host.read_run(run.run), 0.0)
    assert view.pauses == summary.pauses
    stage.gate("first").set()
    await until(segue, run.run, "task.third.unpaused")
    await run.resume(by="ann")
    assert await run.result() == "x123"
    assert (await list_runs(store, 5))[0].pauses == ()


async def test_a_run_is_steered_from_elsewhere(tmp_path: Path) -> None:
    """Who is no worker pauses, interrupts, reassigns and cancels what runs in another, which learns of it."""
    stage = Stage()
    stage.gate("second")
    url = tmp_path / "segue.db"
    async with Segue(url, lease_seconds=0.6) as working, Segue(url, worker=False) as watching:
        run = await working.submit(chain(stage), "x")
        await stage.has_started("second")
        await watching.pause(run.run, by="ann", interrupt=True)
        assert await states(watching, run.run) == {"first": "complete", "second": "paused"}
        stage.started["second"].clear()
        await watching.resume(run.run, by="ann")
        await stage.has_started("second")
        stage.started["second"].clear()
        await watching.reassign(run.run, "second", by="ann")
        await stage.has_started("second")
        assert stage.ran["second"] == 3
        await watching.cancel(run.run, by="ann")
        async with asyncio.timeout(WAIT_SECONDS):
            with pytest.raises(RunCancelled):
                await run.result()
        stage.gate("second").set()
        assert stage.ran["third"] == 0
        assert await audit(watching.host.store) == []
