"""
`segue demo --crash`: a worker is killed in the middle, and what comes after shows what a hand-off is worth.

The worker is a process of its own, started as anybody would start it. This process watches the store, kills
the worker with SIGKILL once enough hand-offs were accepted (nothing is cleaned up, no handler runs), has a
second process resume the run, and compares what the store says before and after.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from segue.app.reading import find_run, read_view
from segue.app.segue import Durability, Segue
from segue.app.views import RunView
from segue.errors import SegueError

WORKFLOW = "segue.demo.workflow"
_WORKERS_LAST_WORDS = 2_000


class Killed(NamedTuple):
    """
    The worker is dead.

    `handed_over` are the tasks whose hand-off was accepted, `running` those that it had claimed and not
    finished.
    """

    run: str
    process: int
    handed_over: tuple[str, ...]
    running: tuple[str, ...]


class Comparison(NamedTuple):
    """
    What became of the run.

    `kept` are tasks whose hand-off from before the kill is still the only one, byte for byte; `again` were
    running when the worker was killed and were started once more; `later` came after. `broken` names tasks
    that ran again although their hand-off was accepted, or that have none: if it is not empty, Segue has
    failed.
    """

    kept: tuple[str, ...]
    again: tuple[str, ...]
    later: tuple[str, ...]
    broken: tuple[str, ...]


class CrashReport(NamedTuple):
    """The whole story of a crash."""

    killed: Killed
    comparison: Comparison
    run: RunView


class WorkerError(SegueError):
    """A worker process did not do what the demonstration needs. The message holds its last words."""


async def crash_and_resume(
    repository: str,
    folder: str,
    store: str,
    key: str,
    *,
    kill_after: int = 8,
    durability: Durability = "durable",
    on_kill: Callable[[Killed], None] = lambda killed: None,
) -> CrashReport:
    """
    Review `repository` into `folder`, with a worker that is killed after `kill_after` accepted hand-offs.

    `store` is a SQLite file and `key` names the run: one that has not run there before. `on_kill` is called
    when the first worker is dead. Raises `WorkerError` if it ended before it could be killed, or if the
    second failed.
    """
    question = json.dumps({"repository": repository, "folder": folder})
    common = ["--store", store, "--durability", durability, "--json"]
    first = ["run", f"{WORKFLOW}:review", "--input", question, "--key", key, *common]
    second = ["resume", key, "--agents", WORKFLOW, *common]
    async with Segue(store, worker=False, durability=durability) as watcher:
        process = await _start(first)
        try:
            await _wait_for_handoffs(watcher, key, kill_after, process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()
        before = await _view(watcher, key)
        killed = Killed(before.run, process.pid, tuple(_digests(before)), _claimed(before))
        on_kill(killed)
        await _finish(await _start(second))
        after = await _view(watcher, key)
        return CrashReport(killed, compare(before, after), after)


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
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "segue",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def _wait_for_handoffs(
    watcher: Segue, key: str, count: int, process: asyncio.subprocess.Process
) -> None:
    """Return when so many hand-offs were accepted. Raises `WorkerError` if the worker ends before that."""
    counting = asyncio.ensure_future(_count_handoffs(watcher, key, count))
    ending = asyncio.ensure_future(process.wait())
    try:
        await asyncio.wait((counting, ending), return_when=asyncio.FIRST_COMPLETED)
        if not counting.done():
            await _finish(process)
            raise WorkerError(
                f"the worker had finished before {count} hand-offs were accepted",
                remedy="Kill it earlier, or take a larger repository.",
            )
        await counting
    finally:
        for task in (counting, ending):
            task.cancel()
        await asyncio.gather(counting, ending, return_exceptions=True)


async def _count_handoffs(watcher: Segue, key: str, count: int) -> None:
    run = None
    async for event in watcher.events(names=("run.started", "task.complete")):
        if event.name == "run.started":
            record = await watcher.host.store.find_run(key)
            run = record.run if record is not None else None
        elif event.run == run:
            count -= 1
        if count <= 0:
            return


async def _finish(process: asyncio.subprocess.Process) -> None:
    output, complaints = await process.communicate()
    if process.returncode != 0:
        words = (complaints or output).decode("utf-8", "replace").strip()[-_WORKERS_LAST_WORDS:]
        raise WorkerError(f"a worker ended with status {process.returncode}: {words}")


async def _view(watcher: Segue, key: str) -> RunView:
    host = watcher.host
    return await read_view(host.store, await find_run(host.store, key), host.clock.wall())
