"""What `@on` starts: once for every event, whoever handles it and however often."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import apsw
import pytest
from pydantic import BaseModel

from segue import Event, Handoff, Segue, agent, on, workflow
from segue.app.offering import Offering
from segue.domain.rows import RunRecord
from segue.errors import DefinitionError
from tests.engine.conftest import Open
from tests.engine.deadlines import soon
from tests.events import dying

KILLS = 50


class Findings(BaseModel):
    """What is handed over."""

    number: int


@agent
async def research(number: int) -> Handoff[Findings]:
    return Handoff(Findings(number=number), summary=f"about {number}")


@workflow
def study(number: int) -> Findings:
    return research(number)


@workflow
def studies(numbers: list[int]) -> list[Findings]:
    return research.map(numbers)


@on("task.research.complete")
@agent
async def by_value(found: Findings) -> str:
    return f"value {found.number}"


@on("task.research.complete")
@agent
async def by_handoff(found: Handoff[Findings], mark: str = "!") -> str:
    return f"handoff {found.output.number}, {found.summary}{mark}"


@on("run.complete", "task.research.complete")
@agent
async def by_event(event: Event) -> str:
    return f"event {event.name} {event.sequence}"


@agent
async def shout(found: Findings) -> str:
    return f"workflow {found.number}"


@on("task.research.complete")
@workflow
def by_workflow(found: Findings) -> str:
    return shout(found)


async def started(segue: Segue, consumer: str, count: int) -> list[RunRecord]:
    """The runs that a subscription has started, as soon as so many of them have ended, the oldest first."""

    async def enough() -> list[RunRecord]:
        store = segue.host.store
        while True:
            seen = store.notifier.count
            runs = await store.list_runs(1_000, states=["complete", "failed"])
            found = [run for run in runs if (run.key or "").startswith(f"{consumer}:")]
            if len(found) >= count:
                return found[::-1]
            await store.notifier.wait(seen, 3600.0)

    return await soon(enough())


async def results(segue: Segue, consumer: str, count: int) -> list[str]:
    """What the runs of a subscription returned."""
    return [await segue.handle(run.run).result() for run in await started(segue, consumer, count)]


async def test_it_is_started_with_what_it_takes(open_segue: Open) -> None:
    """The output, all of the hand-off, or the event, by the type of the one parameter; agents and workflows alike."""
    segue = await open_segue(agents=[study, by_value, by_handoff, by_event, by_workflow])
    await segue.run(study, 7)
    assert await results(segue, "on:by_value", 1) == ["value 7"]
    assert await results(segue, "on:by_handoff", 1) == ["handoff 7, about 7!"]
    assert await results(segue, "on:by_workflow", 1) == ["workflow 7"]
    told = (await results(segue, "on:by_event", 2))[:2]
    assert [text.split()[1] for text in told] == ["task.research.complete", "run.complete"]


async def test_what_was_there_before_it(tmp_path: Path) -> None:
    """What subscribes later starts once for every event of before; what says `now`, only for what comes."""

    @on("task.research.complete", since="now")
    @agent
    async def late(found: Findings) -> str:
        return f"late {found.number}"

    async with Segue(tmp_path / "segue.db", durability="fast") as segue:
        await segue.run(studies, [1, 2, 3])
    async with Segue(tmp_path / "segue.db", durability="fast", agents=[study, late, by_value]) as segue:
        before = await results(segue, "on:by_value", 3)
        await segue.run(study, 4)
        assert await results(segue, "on:late", 1) == ["late 4"]
        assert before == ["value 1", "value 2", "value 3"]
        assert len(await started(segue, "on:by_value", 4)) == 4


async def test_two_workers_start_each_once(tmp_path: Path) -> None:
    """Two processes that both have the subscription start one run for each event between them."""
    path = tmp_path / "segue.db"
    async with (
        Segue(path, durability="fast", agents=[studies, by_value]) as one,
        Segue(path, durability="fast", agents=[studies, by_value]) as other,
    ):
        await one.run(studies, list(range(20)))
        await other.run(studies, list(range(20, 40)))
        runs = await started(one, "on:by_value", 40)
        assert Counter(run.key for run in runs) == {run.key: 1 for run in runs}
        assert len(runs) == 40


async def test_what_it_sets_off_does_not_start_it(open_segue: Open) -> None:
    """Neither its own runs nor those that others start because of them start it again: nothing goes in circles."""

    @on("task.complete", name="ping")
    @agent
    async def ping(event: Event) -> str:
        return event.name

    @on("task.ping.complete", name="pong")
    @agent
    async def pong(event: Event) -> str:
        return event.name

    segue = await open_segue(agents=[study, ping, pong])
    await segue.run(study, 1)
    await started(segue, "on:pong", 1)
    store = segue.host.store
    newest = (await store.list_runs(1))[0]
    await segue.wait(newest.run)
    await segue.run(study, 2)
    await started(segue, "on:pong", 2)
    names = Counter(run.workflow for run in await store.list_runs(100))
    assert names == {"study": 2, "ping.on": 2, "pong.on": 2}


async def test_a_handoff_that_does_not_fit_fails_the_run_that_it_started(open_segue: Open) -> None:
    """The subscription goes on: what does not fit is told of where it happened, in a run of its own."""

    class Other(BaseModel):
        name: str

    @on("task.research.complete")
    @agent
    async def misfit(found: Other) -> str:
        return found.name

    segue = await open_segue(agents=[studies, misfit])
    await segue.run(studies, [1, 2])
    assert [run.state for run in await started(segue, "on:misfit", 2)] == ["failed", "failed"]


def test_killed_fifty_times_it_starts_once_for_each_event(tmp_path: Path) -> None:
    """Registered after all was published, and killed with SIGKILL around fifty commits: one run for each event."""
    assert kill(tmp_path) == dict.fromkeys(keys(tmp_path), 1)
    assert len(keys(tmp_path)) == dying.EVENTS


def test_without_a_key_it_would_start_some_twice(tmp_path: Path) -> None:
    """The same deaths show a subscription that does not say which event it starts for."""
    assert sum(kill(tmp_path, "--forget").values()) > dying.EVENTS


def kill(folder: Path, *flags: str) -> Counter[str | None]:
    """Let watchers die; the runs that they have started, by their keys."""
    command = [sys.executable, dying.__file__, "subscription", str(folder), str(KILLS), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout == f"{KILLS}\n", done.stdout + done.stderr
    return Counter(key for (key,) in select(folder, "SELECT key FROM run WHERE workflow = 'index.on'"))


def select(folder: Path, query: str) -> list[tuple[str]]:
    """What a query finds in the store."""
    connection = apsw.Connection(str(folder / "segue.db"))
    try:
        return connection.execute(query).fetchall()  # type: ignore[return-value]
    finally:
        connection.close()


def keys(folder: Path) -> set[str]:
    """The keys that there must be."""
    query = "SELECT 'on:index:' || run || ':' || sequence FROM event WHERE name = 'task.research.complete'"
    return {str(key) for (key,) in select(folder, query)}


@pytest.mark.parametrize(
    ("patterns", "said"),
    [
        ((), "names no events"),
        (("complete",), "fits no event"),
        (("tasks.failed",), "fits no event"),
        (("task.research.faild",), "nothing that happens to a task is called 'faild'"),
        (("task.research.failed",), "starts it with a hand-off"),
        (("run.complete",), "starts it with a hand-off"),
    ],
)
def test_what_cannot_be_subscribed_to(patterns: tuple[str, ...], said: str) -> None:
    """A pattern that fits nothing, or an event without a hand-off for an agent that takes one, is refused at once."""

    @agent
    async def index(found: Findings) -> str:
        return ""

    with pytest.raises(DefinitionError, match=said):
        on(*patterns)(index).subscriptions[0].build()


def test_what_cannot_be_started() -> None:
    """A function that is no agent, an agent that takes two things, and two subscriptions under one name are refused."""

    @agent
    async def two(found: Findings, other: int) -> str:
        return ""

    @on("task.complete")
    @agent
    async def one(found: Findings) -> str:
        return ""

    with pytest.raises(DefinitionError, match="neither an agent nor a workflow"):
        on("task.complete")(two.fn)  # type: ignore[type-var]
    with pytest.raises(DefinitionError, match="takes 2"):
        on("task.complete")(two).subscriptions[0].build()
    with pytest.raises(DefinitionError, match="name of this subscription"):
        on("task.research.complete")(one)


async def test_a_run_that_older_code_started_stands(tmp_path: Path) -> None:
    """An event that is handled again after the code has changed finds the run of before, and is no conflict."""

    def subscriber(version: str) -> Offering:
        @on("task.research.complete")
        @agent(name="index", version=version)
        async def index(found: Findings) -> str:
            return f"version {version}"

        return index

    path = tmp_path / "segue.db"
    async with Segue(path, durability="fast", agents=[study, subscriber("1")]) as segue:
        await segue.run(study, 1)
        (run,) = await started(segue, "on:index", 1)
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE consumer SET position = 0")
    connection.close()
    async with Segue(path, durability="fast", agents=[study, subscriber("2")]) as segue:
        await segue.run(study, 2)
        again, later = await started(segue, "on:index", 2)
        assert again.run == run.run
        assert await segue.handle(later.run).result() == "version 2"
