"""
`segue demo --crash`: a worker is killed in the middle, and what comes after shows what a hand-off is worth.

The worker is a process of its own, started as anybody would start it. This process watches the events of the
store, kills the worker with SIGKILL once enough hand-offs were accepted (no handler runs, nothing is cleaned
up), has a second process resume the run, and compares what the store says before and after.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from segue.app.reading import read_graph, read_view
from segue.app.segue import Segue
from segue.app.views import RunView
from segue.errors import SegueError

WORKFLOW = "segue.demo.workflow"
_LAST_WORDS = 2_000
_MIDDLE = 3
"""The worker is killed when one of so many tasks has handed over, unless a number is given."""


class Killed(NamedTuple):
    """
    The first worker is dead.

    `handed_over` are the tasks whose hand-off was accepted, `running` those that it had claimed and not
    finished.
    """

    run: str
    process: int
    after_seconds: float
    handed_over: tuple[str, ...]
    running: tuple[str, ...]


class Comparison(NamedTuple):
    """
    What became of the tasks.

    `kept` are those whose hand-off from before the kill is still the only one, byte for byte; `again` were
    running when the worker was killed and were started once more; `later` came after. `broken` names tasks
    that ran again although their hand-off was accepted, or that have none in the end: if there are any, Segue
    has failed.
    """

    kept: tuple[str, ...]
    again: tuple[str, ...]
    later: tuple[str, ...]
    broken: tuple[str, ...]


class CrashReport(NamedTuple):
    """The whole story: the kill, the process that went on, what became of the tasks, and the finished run."""

    killed: Killed
    resumed_by: int
    comparison: Comparison
    run: RunView


class WorkerError(SegueError):
    """A worker process did not do what the demonstration needs. The message holds its last words."""


async def crash_and_resume(
    watcher: Segue,
    repository: str,
    folder: str,
    key: str,
    *,
    kill_after: int | None = None,
    on_kill: Callable[[Killed], None] = lambda killed: None,
    meanwhile: Callable[[str], Awaitable[object]] | None = None,
) -> CrashReport:
    """
    Review `repository` into `folder` with a worker that is killed, and with another that goes on.

    `watcher` is open on a SQLite file, without a worker of its own; `key` names a run that is not there yet.
    The kill comes after `kill_after` accepted hand-offs, or when a third of the tasks has handed over.
    `on_kill` is called then, and `meanwhile` is awaited with the run's id while the second worker works.
    Raises `WorkerError` if the first worker ended before it could be killed, or if the second failed.
    """
    question = json.dumps({"repository": repository, "folder": folder})
    store = ["--store", watcher.host.url, "--json"]
    process = await _start(["run", f"{WORKFLOW}:review", "--input", question, "--key", key, *store])
    try:
        await _until_ended(process, _middle(watcher, key, kill_after))
    finally:
        await _kill(process)
    before = await _view(watcher, key)
    seconds = watcher.host.clock.wall() - before.submitted_at
    killed = Killed(before.run, process.pid, seconds, tuple(_digests(before)), _claimed(before))
    on_kill(killed)
    second = await _start(["resume", before.run, "--agents", WORKFLOW, *store])
    try:
        await (meanwhile(before.run) if meanwhile is not None else watcher.wait(before.run))
        await _finish(second)
    finally:
        await _kill(second)
    after = await _view(watcher, key)
    return CrashReport(killed, second.pid, compare(before, after), after)


def compare(before: RunView, after: RunView) -> Comparison:
    """What a run kept of its hand-offs, from how it stood at the kill and how it stands at the end."""
    old, new = _digests(before), _digests(after)
    epochs = {task.task: task.epoch for task in before.tasks}
    claimed = set(_claimed(before))
    fates: dict[str, list[str]] = {"kept": [], "again": [], "later": [], "broken": []}
    for task in after.tasks:
        if task.state == "expanded":
            continue  # a mapped call: its items are the tasks that hand over
        name = task.task
        if name in old:
            same = new.get(name) == old[name] and task.epoch == epochs[name]
            fates["kept" if same else "broken"].append(name)
        elif name not in new:
            fates["broken"].append(name)
        else:
            fates["again" if name in claimed and task.epoch > epochs[name] else "later"].append(name)
    return Comparison(**{fate: tuple(names) for fate, names in fates.items()})


def _digests(run: RunView) -> dict[str, tuple[int, str]]:
    """Version and digest of each accepted hand-off."""
    return {
        task.task: (task.handoff.version, task.handoff.digest)
        for task in run.tasks
        if task.handoff is not None
    }


def _claimed(run: RunView) -> tuple[str, ...]:
    return tuple(task.task for task in run.tasks if task.state == "claimed")


async def _start(arguments: Sequence[str]) -> asyncio.subprocess.Process:
    """A worker in a group of its own: the analysers that it starts die with it."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "segue",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


async def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
    await process.communicate()


async def _finish(process: asyncio.subprocess.Process) -> None:
    """Wait for a worker to end well. Raises `WorkerError` with its last words."""
    _, complaints = await process.communicate()
    if process.returncode != 0:
        words = complaints.decode("utf-8", "replace").strip()[-_LAST_WORDS:]
        raise WorkerError(f"a worker ended with status {process.returncode}: {words}")


async def _until_ended(process: asyncio.subprocess.Process, middle: Awaitable[None]) -> None:
    """Await `middle`. Raises `WorkerError` if the worker ends before that."""
    waiting = asyncio.ensure_future(middle)
    ending = asyncio.ensure_future(_finish(process))
    try:
        await asyncio.wait((waiting, ending), return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            waiting.result()
            return
        ending.result()
        raise WorkerError(
            "the worker ended before it could be killed",
            remedy="It was too fast: kill it earlier, or review a larger repository.",
        )
    finally:
        for task in (waiting, ending):
            task.cancel()
        await asyncio.gather(waiting, ending, return_exceptions=True)


async def _middle(watcher: Segue, key: str, kill_after: int | None) -> None:
    """Return when enough tasks of the run have handed over, told by its events."""
    run, tasks, accepted = "", 0, 0
    async for event in watcher.events(names=("run.started", "task.expanded", "task.complete")):
        if event.name == "run.started" and not run:
            record = await watcher.host.store.find_run(key)
            if record is not None and record.run == event.run:
                run, tasks = record.run, len((await read_graph(watcher.host.store, record)).nodes)
        elif event.run == run and event.name.endswith(".complete"):
            accepted += 1
        elif event.run == run:
            tasks += json.loads(event.data or "{}").get("count", 1) - 1  # a mapped call became its items
        if run and (accepted * _MIDDLE >= tasks if kill_after is None else accepted >= kill_after):
            return


async def _view(watcher: Segue, key: str) -> RunView:
    """The run as it stands. Raises `WorkerError` if it was never submitted."""
    host = watcher.host
    record = await host.store.find_run(key)
    if record is None:
        raise WorkerError(f"no worker submitted the run {key!r}")
    return await read_view(host.store, record, host.clock.wall())
