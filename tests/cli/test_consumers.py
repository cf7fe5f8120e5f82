"""`segue worker` with monitors and subscriptions, and `segue consumers`: how far they are, and what a person says."""

from __future__ import annotations

import json
import signal

import pytest

from tests.cli.conftest import Project
from tests.cli.workers import Worker

WATCHING = """
from pathlib import Path
from segue import Control, Event, agent, monitor, on, workflow


@agent
async def research(goal: str) -> str:
    return goal.upper()


@workflow
def study(goal: str) -> str:
    return research(goal)


@on("task.research.complete")
@agent
async def index(found: str) -> str:
    return f"indexed {found}"


@monitor("run.complete", since="start", retries=0)
async def picky(event: Event, control: Control) -> None:
    if not Path("mended").exists():
        raise LookupError("the dashboard is away")
    await control.annotate(event.run, note="seen")
"""


@pytest.fixture
def watched(project: Project) -> Project:
    """A project with a run that ended before anybody watched."""
    (project.folder / "watching.py").write_text(WATCHING)
    assert project.run("run", "watching:study", "--input", '"a"', "--key", "k").exit_code == 0
    return project


def work(watched: Project) -> None:
    """Let a worker do what is to be done about the run, and stop."""
    worker = Worker("watching", folder=watched.folder)
    started = worker.until("started")
    assert started["consumers"] == ["monitor:picky", "on:index"]
    worker.until("complete", agent="index")
    for _ in range(200):
        if any(each["parked"] for each in watched.json("consumers")):
            break
    worker.process.send_signal(signal.SIGTERM)
    assert worker.ended() == 0


def test_what_they_do_and_where_they_are(watched: Project) -> None:
    """A worker starts what subscribes to what was there; the list tells how far each is, and its troubles."""
    work(watched)
    found = {each["name"]: each for each in watched.json("consumers")}
    assert set(found) == {"monitor:picky", "on:index"}
    assert found["on:index"]["position"] > 0
    picky = found["monitor:picky"]
    assert (picky["parked"], picky["failures"], picky["error"]["message"]) == (
        True,
        1,
        "the dashboard is away",
    )
    shown = watched.run("consumers").stdout
    assert "parked at run.complete: the dashboard is away" in shown
    assert watched.json("consumers", "on:index") == [found["on:index"]]


def test_a_person_lets_it_go_on(watched: Project) -> None:
    """Parked, it tries again when told to, and the log says who said so; forgotten, it is not there any more."""
    work(watched)
    (watched.folder / "mended").touch()
    assert watched.run("consumers", "monitor:picky", "--retry", "--by", "Ana").exit_code == 0
    assert watched.run("consumers", "monitor:picky", "--retry").exit_code == 2
    told = watched.run("events", "--names", "consumer.*", "--json").stdout.splitlines()
    (resumed,) = [each for each in map(json.loads, told) if each["name"].endswith(".resumed")]
    assert resumed["data"]["by"] == "Ana"
    assert watched.run("consumers", "monitor:picky", "--forget").exit_code == 0
    assert [each["name"] for each in watched.json("consumers")] == ["on:index"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nobody"], "there is no consumer 'nobody'"),
        (["--retry"], "one thing is done, with one consumer"),
        (["on:index", "--retry", "--skip"], "one thing is done, with one consumer"),
        (["on:index", "--retry"], "there is no consumer 'on:index'"),
    ],
)
def test_what_cannot_be_done(watched: Project, arguments: list[str], said: str) -> None:
    """A name that is not there, and an order that says too little or too much, are refused with what to do."""
    done = watched.run("consumers", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
