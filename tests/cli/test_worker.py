"""`segue worker`: processes that share the agents of a store, and how they end."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Project
from tests.cli.workers import FLOWS, Worker, ran

Start = Callable[..., Worker]

DECIDED = """
from segue import agent, condition, workflow


@agent
def shout(name: str) -> str:
    return name.upper()


@condition
def is_wanted(names: list[str]) -> bool:
    return len(names) > 1


@workflow
def shouted(names: list[str]) -> list[str]:
    return shout.when(is_wanted(names)).map(names)
"""


@pytest.fixture
def start(project: Project) -> Iterator[Start]:
    """Starts a worker in a folder with `work.py`, and waits until it has the store open."""
    (project.folder / "work.py").write_text(FLOWS)
    os.mkfifo(project.folder / "gate")
    workers = []

    def started(*arguments: str) -> Worker:
        workers.append(Worker(*arguments))
        workers[-1].until("started")
        return workers[-1]

    yield started
    for worker in workers:
        worker.process.kill()
        worker.process.communicate()


def submitted(project: Project, target: str, value: Any) -> str:
    """The id of a run that somebody else is to run."""
    done = project.run("run", target, "-i", json.dumps(value), "--detach")
    assert done.exit_code == 0, done.stderr
    return done.stdout.strip()


def ended(project: Project, run: str) -> Any:
    """How a run looks as soon as it has ended."""
    assert project.run("events", run, "--follow").exit_code == 0
    return project.json("show", run)


def tasks_of(project: Project, run: str) -> dict[str, tuple[str, int]]:
    """State and attempts of the tasks of a run."""
    return {task["task"]: (task["state"], task["attempt"]) for task in project.json("show", run)["tasks"]}


def test_agents_are_split_among_processes(project: Project, start: Start) -> None:
    """Each process takes the tasks of its own agents and of no other, and says which they are."""
    first = start("work", "--agent", "start", "--agent", "total")
    second = start("work", "--agent", "double")
    run = submitted(project, "work:sums", "abc")
    assert ended(project, run)["state"] == "complete"
    for worker, agents in ((first, ["start", "total"]), (second, ["double"])):
        assert worker.told[0]["agents"] == agents
        assert worker.told[0]["process"] == worker.process.pid
        assert worker.told[0]["store"] == "segue.db"
        worker.process.send_signal(signal.SIGTERM)
        assert worker.ended() == 0
        taken = {told["agent"] for told in worker.told if told["event"] == "claimed"}
        assert taken - {"segue.map"} == set(agents)


def test_nothing_runs_twice(project: Project, start: Start) -> None:
    """Three processes take the tasks of twenty runs: each task is claimed by one of them, and run once."""
    workers = [start("work", "--concurrency", "2") for _ in range(3)]
    runs = [submitted(project, "work:sums", "abcd") for _ in range(20)]
    for run in runs:
        assert ended(project, run)["state"] == "complete"
    for worker in workers:
        worker.process.send_signal(signal.SIGTERM)
    assert [worker.ended() for worker in workers] == [0, 0, 0]
    claimed = [each for worker in workers for each in worker.claimed]
    assert len(claimed) == len(set(claimed)) == 20 * 7
    assert len(ran(project.folder)) == len(set(ran(project.folder))) == 20 * 6
    assert sum(worker.told[-1]["settled"] for worker in workers) == len(claimed)


def test_what_runs_may_end(project: Project, start: Start) -> None:
    """A worker that is told to stop claims nothing more, lets what runs end, and leaves what came of it to others."""
    worker = start("work")
    run = submitted(project, "work:gate", "open")
    worker.until("claimed", task="gated")
    worker.process.send_signal(signal.SIGTERM)
    assert worker.until("stopping")["running"] == 1
    later = submitted(project, "work:sums", "a")
    (project.folder / "gate").write_text(" sesame")
    assert worker.ended() == 0
    assert (worker.told[-1]["settled"], worker.told[-1]["handed_back"]) == (1, 0)
    assert tasks_of(project, run) == {"gated": ("complete", 1), "after": ("ready", 0)}
    assert tasks_of(project, later)["start"] == ("ready", 0)


def test_what_does_not_end_is_handed_back(project: Project, start: Start) -> None:
    """After the grace an agent is cancelled, and its task is there for others as if it had not been tried."""
    worker = start("work", "--grace", "50ms")
    run = submitted(project, "work:forever", "x")
    worker.until("claimed", task="endless")
    worker.process.send_signal(signal.SIGINT)
    assert worker.ended() == 0
    assert [told["event"] for told in worker.told][-3:] == ["stopping", "handed_back", "stopped"]
    assert tasks_of(project, run) == {"endless": ("ready", 0)}


def test_told_twice_it_hands_back_at_once(project: Project, start: Start) -> None:
    """A second signal ends the grace; a thread that cannot be stopped does not keep the process; others go on."""
    worker = start("work", "--grace", "1h")
    run = submitted(project, "work:gate", "open")
    worker.until("claimed", task="gated")
    worker.process.send_signal(signal.SIGTERM)
    worker.until("stopping")
    worker.process.send_signal(signal.SIGTERM)
    assert worker.ended() == 0
    assert worker.told[-1]["handed_back"] == 1
    assert tasks_of(project, run)["gated"] == ("ready", 0)
    other = start("work")
    (project.folder / "gate").write_text(" sesame")
    assert ended(project, run)["state"] == "complete"
    assert other.until("claimed", task="after")["attempt"] == 1
    assert [told["attempt"] for told in other.told if told["event"] == "claimed"] == [1, 1]


def test_a_condition_is_decided_where_it_is_known(project: Project, start: Start) -> None:
    """A mapped task whose condition is a function is left to processes that have the agent's code."""
    (project.folder / "decided.py").write_text(DECIDED)
    stranger = start("work")
    run = submitted(project, "decided:shouted", ["a", "b"])
    start("decided")
    assert ended(project, run)["state"] == "complete"
    stranger.process.send_signal(signal.SIGTERM)
    assert stranger.ended() == 0
    assert stranger.claimed == []


def test_in_a_pipe_it_is_quiet(project: Project, start: Start) -> None:
    """Without a terminal it says on standard error that it started, with whom, and what it did in the end."""
    command = [sys.executable, "-m", "segue", "worker", "work", "--agent", "start", "--store", "other.db"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert first == f"worker, process {process.pid}, takes tasks of 1 agent from other.db: start\n"
    assert (process.returncode, out) == (0, "")
    assert err == f"stopping: nothing runs\nworker, process {process.pid}, has stopped: 0 tasks settled\n"


def test_on_a_terminal_it_tells_of_each_task(project: Project, start: Start) -> None:
    """Somebody who watches sees each task with how it ended, without what an agent said reaching the terminal raw."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    command = [sys.executable, "-m", "segue", "worker", "work", "flows"]
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    run = submitted(project, "flows:failing", "\x1b[2J")
    assert ended(project, run)["state"] == "failed"
    process.send_signal(signal.SIGTERM)
    shown = b""
    while piece := _read(ours):
        shown += piece
    os.close(ours)
    assert process.wait(timeout=30) == 0
    text = shown.decode()
    assert "no luck with \\x1b[2J" in text
    assert "\x1b[2J" not in text
    for word in ("failed", "complete", "skipped", f"process {process.pid}", "3 tasks settled (1 failed)"):
        assert word in text


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other side is closed
        return b""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("flows", "--agent", "prize"), "no agent 'prize' here"),
        (("flows", "--agent", "prize"), "There are: after, broken, doubtful, other, price, research"),
        (("json",), "no agent in json"),
        (("nowhere",), "no module 'nowhere'"),
        (("flows.py",), "Write it as for an import"),
        (("mistyped",), "workflow 'mistyped' cannot run"),
        (("flows", "--grace", "soon"), "--grace: 'soon' is not a duration"),
        (("flows", "--lease", "0s"), "not longer than none"),
        (("flows", "--store", "memory:"), "ends with its process"),
        ((), "Missing argument"),
    ],
)
def test_what_cannot_work_is_refused(project: Project, arguments: tuple[str, ...], said: str) -> None:
    """A mistake in the command is told before there is a store."""
    refused = project.refused("worker", *arguments)
    assert refused.exit_code == 2
    assert said in refused.stderr


def test_a_file_that_is_no_store(project: Project) -> None:
    """A worker without its store ends with the code for that, and sets no clock that would end its process."""
    Path("notes.txt").write_text("no database\n" * 100)
    threads = set(threading.enumerate())
    refused = project.refused("worker", "flows", "--store", "notes.txt")
    assert refused.exit_code == 4
    assert not [each for each in set(threading.enumerate()) - threads if isinstance(each, threading.Timer)]
