"""Workers in processes of their own that are stopped, or whose store is away: who may still write what."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import apsw
import pytest

from tests.cli.conftest import Project
from tests.cli.test_running import wait_until_there
from tests.cli.workers import Worker, ran

WORK = '''
import asyncio
from pathlib import Path

from segue import Later, agent, ctx, workflow


def note(name: str) -> None:
    """Write down what happened to an attempt."""
    with Path(name).open("a") as log:
        log.write(f"{ctx.run} {ctx.task}\\n")


@agent
async def held(text: str) -> str:
    """The first attempt waits for ever, the second returns at once."""
    note("ran.log")
    if ctx.epoch == 1:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            note("cancelled.log")
            raise
    return f"{text} by epoch {ctx.epoch}"


@workflow
def hold(text: str) -> str:
    return held(text)


@agent
async def gate(text: str) -> str:
    await asyncio.Event().wait()
    return text


@agent
def waiting(text: str, later: Later[str]) -> str:
    """The first attempt waits in its thread, the second returns at once."""
    note("ran.log")
    if ctx.epoch == 1:
        try:
            later.wait()
        except BaseException:
            note("cancelled.log")
            raise
    return f"{text} by epoch {ctx.epoch}"


@workflow
def wait(text: str) -> list[str]:
    return [waiting(text, gate(text))]


@agent
async def patient(text: str) -> str:
    """Returns when it is let."""
    note("ran.log")
    reader = await asyncio.to_thread(Path("gate").read_text)
    return text + reader


@workflow
def patience(text: str) -> str:
    return patient(text)


@agent
def long(number: int) -> int:
    """Runs until the gate is open."""
    note("ran.log")
    Path("gate").open().close()
    return number


@workflow
def forty(numbers: list[int]) -> list[int]:
    return long.map(numbers)
'''

Start = Callable[..., Worker]


@pytest.fixture
def start(project: Project) -> Iterator[Start]:
    """Starts a worker in a folder with `work.py`, and waits until it has the store open."""
    (project.folder / "work.py").write_text(WORK)
    os.mkfifo(project.folder / "gate")
    workers = []

    def started(*arguments: str) -> Worker:
        workers.append(Worker("work", "--grace", "50ms", *arguments))
        workers[-1].until("started")
        return workers[-1]

    yield started
    for worker in workers:
        worker.process.kill()
        worker.process.communicate()


def submitted(project: Project, target: str, value: Any) -> str:
    done = project.run("run", target, "-i", json.dumps(value), "--detach")
    assert done.exit_code == 0, done.stderr
    return done.stdout.strip()


def stopped(worker: Worker) -> int:
    """The exit code of a worker that is told to stop."""
    worker.process.send_signal(signal.SIGTERM)
    return worker.ended()


@pytest.mark.parametrize(("target", "task"), [("work:hold", "held"), ("work:wait", "waiting")])
def test_a_worker_that_was_stopped_too_long_has_lost(
    project: Project, start: Start, target: str, task: str
) -> None:
    """Stopped past its lease, overtaken and woken, a worker writes nothing, and cancels its agent, in a thread too."""
    first = start("--lease", "1s")
    run = submitted(project, target, "x")
    first.until("claimed", task=task)
    wait_until_there(project.folder / "ran.log", first.process)
    first.process.send_signal(signal.SIGSTOP)
    second = start("--lease", "1s")
    assert second.until("claimed", task=task)["epoch"] == 2
    second.until("complete", task=task)
    assert not (project.folder / "cancelled.log").exists()
    first.process.send_signal(signal.SIGCONT)
    assert first.until("lost", task=task)["epoch"] == 1
    wait_until_there(project.folder / "cancelled.log", first.process)
    assert (stopped(second), stopped(first)) == (0, 0)
    shown = project.json("show", run, task)
    assert [len(shown["versions"]), shown["document"]["output"]] == [1, "x by epoch 2"]
    assert ran(project.folder) == [(run, task)] * 2
    assert [told["event"] for told in first.told if told.get("task") == task] == ["claimed", "lost"]


def test_a_worker_that_was_stopped_and_not_replaced_goes_on(project: Project, start: Start) -> None:
    """Stopped past its lease and woken before anybody took the task, a worker keeps it: nothing is run twice."""
    worker = start("--lease", "500ms")
    run = submitted(project, "work:patience", "open")
    worker.until("claimed", task="patient")
    worker.process.send_signal(signal.SIGSTOP)
    threading.Event().wait(1.0)
    worker.process.send_signal(signal.SIGCONT)
    (project.folder / "gate").write_text(" sesame")
    worker.until("complete", task="patient")
    assert stopped(worker) == 0
    assert ran(project.folder) == [(run, "patient")]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_an_outage_of_a_real_file_runs_nothing_twice(project: Project, start: Start) -> None:
    """
    Another program holds the file for 12 s under forty leases of 2 s, and their agents end in the middle of that, five
    times: what runs is run once.
    """
    workers = [start("--lease", "2s") for _ in range(2)]
    runs = []
    for _ in range(5):
        runs.append(submitted(project, "work:forty", list(range(40))))
        claimed = 0
        while claimed < 40:
            claimed = sum(task["state"] == "claimed" for task in project.json("show", runs[-1])["tasks"])
        locked = apsw.Connection(str(project.store))
        locked.set_busy_timeout(5_000)
        locked.execute("BEGIN IMMEDIATE")
        threading.Event().wait(6.0)
        with (project.folder / "gate").open("w"):
            threading.Event().wait(6.0)
            locked.execute("ROLLBACK")
            locked.close()
            assert project.run("events", runs[-1], "--follow").exit_code == 0
    assert [project.json("show", run)["state"] for run in runs] == ["complete"] * 5
    assert len(ran(project.folder)) <= 1.02 * 5 * 40
    assert [stopped(worker) for worker in workers] == [0, 0]
