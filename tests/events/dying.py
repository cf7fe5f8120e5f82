"""
Processes that watch events and die again and again, each at a commit of its own.

Run as `python dying.py FOLDER KILLS [--forget]`: one process after the other opens the same store, works, and kills
itself before or after one of its commits; the last may work to the end. With `--forget` a subscription does not say
which event it starts a run for.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from segue import Handoff, Segue, agent, workflow
from segue.app import subscribing
from segue.domain.graph.watching import on
from segue.stores.sqlite.committing import Committer

EVENTS = 100
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
@agent
async def index(found: Handoff[int]) -> str:
    return f"{found.output}: {found.summary}"


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
    """The mutant: what an event starts has no key."""
    subscribing.key_of = lambda subscription, event: None  # type: ignore[assignment]


async def publish(folder: Path) -> None:
    """Everything happens before anybody watches."""
    async with Segue(folder / "segue.db", durability="fast") as segue:
        await segue.run(studies, list(range(EVENTS)))


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


def main(folder: Path, kills: int) -> None:
    """Publish, let watchers die, let the last one end, and say how many were killed."""
    statuses = [run_until(0, lambda: publish(folder))]
    statuses += [run_until(1 + number % POINTS, lambda: watch(folder)) for number in range(kills)]
    statuses.append(run_until(0, lambda: watch(folder)))
    killed = [
        status for status in statuses if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    ]
    sys.stdout.write(f"{len(killed)}\n")


if __name__ == "__main__":
    die_around_commits()
    if "--forget" in sys.argv:
        forget_which_event()
    main(Path(sys.argv[1]), int(sys.argv[2]))
