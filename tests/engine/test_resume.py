"""A process is killed in the middle of a run; another one goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from segue import RunFailed, Segue, agent, workflow

PROGRAM = Path(__file__).with_name("crashing.py")
TASKS = ["start", "left[0]", "left[1]", "left[2]", "right", "join", "end"]


def run_program(folder: Path, durability: str, kill_at: str) -> subprocess.CompletedProcess[str]:
    """Run the diamond in a process of its own, which dies in the task `kill_at`."""
    environment = {**os.environ, "CRASH_LOG": str(folder / "log"), "CRASH_AT": kill_at}
    return subprocess.run(
        [sys.executable, str(PROGRAM), str(folder / "segue.db"), durability],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("durability", ["fast", "durable"])
@pytest.mark.parametrize("kill_at", TASKS)
async def test_nothing_accepted_runs_again(tmp_path: Path, durability: str, kill_at: str) -> None:
    """
    After `kill -9` in any task the run ends with the same result in a new process, at once: the dead process is known
    by its freed lock. Only the task that was running then runs twice, and each task has one accepted hand-off.
    """
    killed = run_program(tmp_path, durability, kill_at)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = run_program(tmp_path, durability, "")
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout == "total 66\n"
    ran = Counter((tmp_path / "log").read_text().split())
    assert ran == {**dict.fromkeys(TASKS, 1), kill_at: 2}
    async with Segue(tmp_path / "segue.db", worker=False) as segue:
        (run,) = await segue.host.store.list_runs(10)
        assert run.state == "complete"
        stored = await segue.host.store.latest_handoffs(run.run)
        assert sorted(one.record.version for one in stored) == [1] * len(TASKS)
        events = [event async for event in segue.events(run.run)]
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        completed = Counter(event.task for event in events if event.name.endswith(".complete") and event.task)
        assert set(completed.values()) == {1}


async def test_an_agent_that_has_changed_is_named(tmp_path: Path) -> None:
    """A run goes on with the graph that it has pinned: an agent that takes other parameters now says so and fails."""

    @agent
    async def first(text: str) -> str:
        return text

    @agent(name="last")
    async def as_submitted(old: str) -> str:
        await asyncio.Event().wait()
        return old

    @agent(name="last")
    async def as_it_is_now(new: str) -> str:
        return new

    @workflow
    def chain(text: str) -> str:
        return as_submitted(first(text))

    async with Segue(tmp_path / "segue.db", durability="fast") as segue:
        handle = await segue.submit(chain, "x")
        await handle.handoff("first")
    async with Segue(tmp_path / "segue.db", agents=[as_it_is_now]) as segue:
        with pytest.raises(RunFailed, match=r"last: DefinitionError: this run hands 'old' to agent 'last'"):
            await segue.handle(handle.run).result()
