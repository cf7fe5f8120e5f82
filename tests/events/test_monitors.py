"""Monitors: told of events, they act on runs, once for each event, whatever becomes of their workers."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from segue import Control, ControlRefused, Event, RunCancelled, Segue, agent, monitor, workflow
from segue.errors import DefinitionError
from tests.engine.conftest import Open
from tests.engine.deadlines import soon
from tests.events import dying
from tests.events.test_subscriptions import select

KILLS = 20
ONCE = {
    "task.pausing.paused": dying.RUNS,
    "run.annotated": dying.RUNS,
    "task.moving.reassigned": dying.RUNS,
    "task.stopping.cancelled": dying.RUNS,
}


@agent
async def fail(number: int) -> int:
    raise ValueError(f"not {number}")


@agent(slow="50ms")
async def crawl(number: int) -> int:
    await asyncio.Event().wait()
    return number


@workflow
def failing(number: int) -> int:
    return fail(number)


@workflow
def crawling(number: int) -> int:
    return crawl(number)


class Heard:
    """What a monitor was told, each once: it may be told again what it was told when its worker closed."""

    def __init__(self) -> None:
        self.runs: dict[str, None] = {}
        self._changed = asyncio.Condition()

    async def hear(self, event: Event) -> None:
        """Take note of a run."""
        async with self._changed:
            self.runs[event.run] = None
            self._changed.notify_all()

    async def until(self, count: int) -> list[str]:
        """The runs, as soon as there are so many."""

        async def wait() -> None:
            async with self._changed:
                await self._changed.wait_for(lambda: len(self.runs) >= count)

        await soon(wait())
        return list(self.runs)


async def told(segue: Segue, run: str, name: str) -> Event:
    """An event of a run, as soon as it is there."""

    async def look() -> Event:
        async for event in segue.events():
            if (event.run, event.name) == (run, name):
                return event
        raise AssertionError

    return await soon(look())


async def test_a_slow_run_is_cancelled(open_segue: Open) -> None:
    """A monitor hears that an attempt is slow and ends the run, in its own name and with its reason."""

    @monitor("task.slow")
    async def hurry(event: Event, control: Control) -> None:
        await control.cancel(event.run, reason=f"{event.task} is slow")

    segue = await open_segue(agents=[crawling, hurry])
    with pytest.raises(RunCancelled):
        await soon(segue.run(crawling, 1))
    (record,) = await segue.host.store.list_runs(1)
    data = json.loads((await told(segue, record.run, "run.cancelled")).data or "")
    assert (data["by"], data["reason"]) == ("monitor:hurry", "crawl is slow")


async def test_it_hears_of_what_happens_from_now_on(tmp_path: Path) -> None:
    """A new monitor is not told the past, and one that was away is told what happened meanwhile."""
    heard = Heard()

    @monitor("run.failed")
    async def listen(event: Event, control: Control) -> None:
        await heard.hear(event)

    path = tmp_path / "segue.db"
    runs = []
    for watched in (False, True, False, True):
        async with Segue(path, durability="fast", agents=[failing, *([listen] if watched else [])]) as segue:
            run = await segue.submit(failing, len(runs))
            await segue.wait(run.run)
            runs.append(run.run)
            if watched:
                assert await heard.until(len(runs) - 1) == runs[1:]


async def test_what_comes_too_late_is_written_down(open_segue: Open) -> None:
    """A command that is refused because things have moved on is no failure of the monitor, and the log says so."""

    @monitor("run.failed")
    async def late(event: Event, control: Control) -> None:
        await control.cancel(event.run)

    segue = await open_segue(agents=[failing, late])
    run = await segue.submit(failing, 1)
    note = json.loads((await told(segue, run.run, "run.annotated")).data or "")
    assert note["by"] == "monitor:late"
    assert note["note"].startswith("came too late")


async def test_it_may_see_for_itself_that_it_is_too_late(open_segue: Open) -> None:
    """`ControlRefused` can be caught, and the monitor goes on."""
    seen: list[str] = []

    @monitor("run.failed")
    async def careful(event: Event, control: Control) -> None:
        try:
            await control.cancel(event.run)
        except ControlRefused as refused:
            seen.append(refused.message)
        await control.annotate(event.run, note="seen")

    segue = await open_segue(agents=[failing, careful])
    run = await segue.submit(failing, 1)
    note = json.loads((await told(segue, run.run, "run.annotated")).data or "")
    assert (note["note"], len(seen)) == ("seen", 1)


async def test_one_that_raises_is_parked_and_a_person_lets_it_go_on(open_segue: Open) -> None:
    """Its trouble is in the log of the run with the reason; told to skip, it goes on with the next event."""
    heard, away = Heard(), True

    @monitor("run.failed", retries=0)
    async def picky(event: Event, control: Control) -> None:
        if away:
            raise LookupError("the dashboard is away")
        await heard.hear(event)

    segue = await open_segue(agents=[failing, picky])
    first = await segue.submit(failing, 1)
    parked = json.loads((await told(segue, first.run, "consumer.monitor:picky.parked")).data or "")
    assert (parked["kind"], parked["message"], parked["event"]) == (
        "LookupError",
        "the dashboard is away",
        "run.failed",
    )
    second = await segue.submit(failing, 2)
    await segue.wait(second.run)
    away = False
    assert await segue.host.store.unpark("monitor:picky", past=True, data='{"by":"Ana"}')
    await told(segue, first.run, "consumer.monitor:picky.skipped")
    assert await heard.until(1) == [second.run]


def test_killed_twenty_times_it_does_everything_once(tmp_path: Path) -> None:
    """Killed with SIGKILL around twenty commits, a monitor pauses, reassigns and cancels exactly once each."""
    assert kill(tmp_path) == ONCE


def test_without_names_for_its_commands_it_would_not(tmp_path: Path) -> None:
    """The same deaths show a monitor whose commands have new names each time."""
    assert kill(tmp_path, "--forget") != ONCE


def kill(folder: Path, *flags: str) -> Counter[str]:
    """Let a monitor die; what it has done, and how often."""
    command = [sys.executable, dying.__file__, "monitor", str(folder), str(KILLS), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout == f"{KILLS}\n", done.stdout + done.stderr
    return Counter(name for (name,) in select(folder, "SELECT name FROM event") if name in ONCE)


async def watch(event: Event, control: Control) -> None:
    """What a monitor looks like."""


def test_what_is_no_monitor() -> None:
    """No events, a pattern that fits none, a `def`, one thing instead of two, two under one name: each is refused."""
    with pytest.raises(DefinitionError, match="names no events"):
        monitor()(watch)
    with pytest.raises(DefinitionError, match="fits no event"):
        monitor("failed")(watch)
    with pytest.raises(DefinitionError, match="async def"):
        monitor("task.failed", name="watch")(lambda event, control: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(DefinitionError, match="two things"):
        monitor("task.failed")(fail.fn)
    with pytest.raises(DefinitionError, match="since"):
        monitor("task.failed", since="yesterday")(watch)  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="retries"):
        monitor("task.failed", retries=-1)(watch)


async def test_two_under_one_name() -> None:
    """Two monitors that would share what the store keeps of them are refused when they are offered."""
    with pytest.raises(DefinitionError, match="two of 'monitor:watch'"):
        async with Segue("memory:", agents=[monitor("task.failed")(watch), monitor("task.slow")(watch)]):
            pass
