"""
Processes that watch events and die again and again, each at a commit of its own.

Run as `python dying.py STORY FOLDER KILLS [--forget]`: one process after the other opens the same store, works, and
kills itself before or after one of its commits; the last may work to the end. With `--forget` neither subscription nor
monitor says which event it acts on, and a registry not which piece of work it is for.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from segue import Control, Event, Handoff, Segue, agent, monitor, on, workflow
from segue.app import monitoring, registry, subscribing
from segue.domain.records import ClaimRequest
from segue.stores.sqlite.file.committing import Committer

EVENTS = 40
RUNS = 20
TICKETS = 12
POINTS = 29
"""Deaths go round over so many points; where a process has written nothing yet, one that is not there kills nobody."""

_fate = {"left": 0}
"""How many points this process still passes; 0 is for ever."""


@agent
async def research(number: int) -> Handoff[int]:
    return Handoff(number, summary=f"about {number}")


@workflow
def studies(numbers: list[int]) -> list[int]:
    return research.map(numbers)


@on("task.research.complete")
@agent(losses=1_000)  # whoever dies so often takes the same task along again and again
async def index(found: Handoff[int]) -> str:
    return f"{found.output}: {found.summary}"


@agent
async def pausing(number: int) -> int:
    return number


@agent
async def moving(number: int) -> int:
    return number


@agent
async def stopping(number: int) -> int:
    return number


@workflow
def trouble(number: int) -> list[int]:
    return [pausing(number), moving(number), stopping(number)]


@monitor("task.pausing.ready", "task.moving.claimed", "task.stopping.ready", since="start")
async def guard(event: Event, control: Control) -> None:
    match event.name.split(".")[1]:
        case "pausing":
            await control.pause(event.run, event.task, reason="wait")
            await control.annotate(event.run, note="it was paused")
        case "moving":
            await control.reassign(event.run, event.task or "", reason="somebody else")
        case "stopping":
            await control.cancel(event.run, event.task, reason="enough")


def point() -> None:
    """A place where a process may die."""
    _fate["left"] -= 1
    if _fate["left"] == 0:
        os.kill(os.getpid(), signal.SIGKILL)


def die_around_commits() -> None:
    """Before and after each transaction of the store is a point."""
    commit = Committer.commit

    def commit_and_maybe_die(self: Committer, operations: Any, *, wait: bool) -> list[Any]:
        point()
        answers = commit(self, operations, wait=wait)
        point()
        return answers

    Committer.commit = commit_and_maybe_die  # type: ignore[method-assign]


def forget_which_event() -> None:
    """The mutants: what is started or opened has no key, and what a monitor does has a new name each time."""
    registry.key_of = lambda task_id: None  # type: ignore[assignment,return-value]
    subscribing.key_of = lambda subscription, event: os.urandom(8).hex()
    monitoring.command_of = lambda *about: os.urandom(8).hex()


async def publish(folder: Path) -> None:
    """Everything happens before anybody watches."""
    async with Segue(folder / "segue.db", durability="fast") as segue:
        await segue.run(studies, list(range(EVENTS)))


async def get_into_trouble(folder: Path) -> None:
    """Runs whose agents nobody has, but for a worker elsewhere that has taken some of the tasks, and is silent."""
    async with Segue(folder / "segue.db", durability="fast", worker=False) as segue:
        for number in range(RUNS):
            await segue.submit(trouble, number)
        await segue.host.store.claim(ClaimRequest("elsewhere", "claim", RUNS, ("moving",), (), 3600.0))


async def keep_guard(folder: Path) -> None:
    """Do something about all of them, and wait until nothing is left to do."""
    async with Segue(folder / "segue.db", durability="fast", agents=[guard], lease_seconds=1.0) as segue:
        store = segue.host.store
        while True:
            seen = store.notifier.count
            left = [await store.read_tasks(run.run) for run in await store.list_runs(1_000)]
            (consumer,) = await store.read_consumers() or [None]
            done = all(any(task.state == "cancelled" for task in tasks) for tasks in left)
            if done and consumer is not None and consumer.worker is None:
                return
            await store.notifier.wait(seen, 0.5)


async def watch(folder: Path) -> None:
    """Start what is to be started, and wait until all of it has ended."""
    async with Segue(folder / "segue.db", durability="fast", agents=[index], lease_seconds=1.0) as segue:
        store = segue.host.store
        while True:
            seen = store.notifier.count
            ended = await store.list_runs(10_000, states=["complete"])
            if len(ended) > EVENTS:
                return
            await store.notifier.wait(seen, 0.5)


def run_until(death: int, work: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Work in a process of its own, which dies at a point; how it ended."""
    process = os.fork()
    if process:
        return os.waitpid(process, 0)[1]
    _fate["left"] = death
    asyncio.run(work())
    os._exit(0)


async def nothing(folder: Path) -> None:
    """The loop finds nothing there."""


async def orchestrate(folder: Path) -> None:
    """The loop of the documentation, for one piece of work after the other."""
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    after = importlib.import_module("after")
    for number in range(TICKETS):
        await after.orchestrate(f"T-{number}", "login")


STORIES = {
    "subscription": (publish, watch),
    "monitor": (get_into_trouble, keep_guard),
    "registry": (nothing, orchestrate),
}


def main(story: str, folder: Path, kills: int) -> None:
    """Let things happen, let those who watch them die, let the last one end, and say how many were killed."""
    before, watching = STORIES[story]
    statuses = [run_until(0, lambda: before(folder))]
    statuses += [run_until(1 + number % POINTS, lambda: watching(folder)) for number in range(kills)]
    statuses.append(run_until(0, lambda: watching(folder)))
    killed = [
        status for status in statuses if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    ]
    sys.stdout.write(f"{len(killed)}\n")


if __name__ == "__main__":
    die_around_commits()
    if "--forget" in sys.argv:
        forget_which_event()
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
