"""Agents in child processes: killed where a thread would run on, and no different from others in all else."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from segue import Agent, Retry, ReviewNeeded, RunFailed, Segue, Workflow, agent, workflow
from segue.domain.graph.isolation import target_of
from segue.engine.attempts.attempt import Facts
from segue.engine.children import pool
from segue.engine.children.process import _BOOT, _ROOT
from segue.engine.children.protocol import Call, Load, Value, frame_of
from segue.testing import ManualClock
from tests.engine import isolated
from tests.engine.isolated import note_pid

SECONDS = 20.0
"""What a busy machine may need to start a few processes; what hangs fails after it."""


async def until(holds: Callable[[], Any]) -> None:
    """Wait for something that no event of ours announces. Fails if it does not come."""
    async with asyncio.timeout(SECONDS):
        while not holds():
            await asyncio.to_thread(select.select, [], [], [], 0.01)


def is_gone(pid: int) -> bool:
    """Whether there is no such process, not even one that nobody has reaped."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def is_over(pid: int) -> bool:
    """Whether a process that is not ours to reap runs no more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return is_gone(pid)


def offspring() -> str:
    """The processes that this one has started and not reaped, where the kernel tells them."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children")
    return listed.read_text() if listed.exists() else ""


def start(program: str, *arguments: str, pass_fds: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    """Another Python with a program, in a session of its own."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, pass_fds=pass_fds, start_new_session=True)


def alone(called: Agent[Any]) -> Workflow[..., Any]:
    """A workflow of one agent."""

    @workflow
    def run(text: str) -> Any:
        return called(text)

    return run


async def failure_of(segue: Segue, called: Agent[Any], given: str = "x") -> dict[str, str]:
    """What is kept of how the run of one agent fails."""
    handle = await segue.submit(alone(called), given)
    async with asyncio.timeout(SECONDS):
        with pytest.raises(RunFailed):
            await handle.result()
    (task,) = await segue.host.store.read_tasks(handle.run)
    error: dict[str, str] = json.loads(task.error or "")
    return error


async def test_past_its_time_an_agent_is_killed(tmp_path: Path) -> None:
    """Whatever agents do, their processes and what those have started are gone when their time has passed."""
    async with Segue("memory:") as segue:
        failing = [
            failure_of(segue, each.with_(timeout="3s"), str(tmp_path / each.name))
            for each in isolated.ENDLESS
        ]
        errors = await asyncio.gather(*failing)
        assert [error["kind"] for error in errors] == ["BudgetExceeded"] * len(isolated.ENDLESS)
        for each in isolated.ENDLESS:
            pid = int((tmp_path / each.name).read_text())
            if each is isolated.starts_another:
                await until(lambda pid=pid: is_over(pid))
            else:
                assert is_gone(pid), each
        assert await segue.run(alone(isolated.echo), "y") == "y"


async def test_who_falls_silent_is_killed(tmp_path: Path) -> None:
    """What an agent says of its progress crosses, and when it says no more its process is ended by its idle budget."""
    async with Segue("memory:") as segue:
        error = await failure_of(segue, isolated.falls_silent, str(tmp_path / "pid"))
        assert "idle budget of 1 s" in error["message"]
        assert is_gone(int((tmp_path / "pid").read_text()))
        events, _ = await segue.host.store.tail(None, 100)
        (said,) = [event.data for event in events if event.name == "task.falls_silent.progress"]
        assert json.loads(said or "") == {"message": "a word", "fraction": 0.5}


async def test_a_cancelled_run_kills(tmp_path: Path) -> None:
    """When a run is cancelled, the process of its agent is ended with it."""
    async with Segue("memory:") as segue:
        handle = await segue.submit(alone(isolated.spins), str(tmp_path / "pid"))
        await until((tmp_path / "pid").exists)
        await handle.cancel(by="me")
        await until(lambda: is_gone(int((tmp_path / "pid").read_text())))


async def test_a_process_that_dies_is_a_failed_attempt(tmp_path: Path) -> None:
    """An agent that ends its process fails its own attempt, which says how; the worker and others go on."""
    async with Segue("memory:") as segue:
        bystander = await segue.submit(alone(isolated.sleeps), str(tmp_path / "bystander"))
        await until((tmp_path / "bystander").exists)
        for deadly, ending in isolated.DEADLY:
            error = await failure_of(segue, deadly, str(tmp_path / "left"))
            assert error["kind"] == "ProcessDied"
            assert ending in error["message"]
            assert await segue.run(alone(isolated.echo), "y") == "y"
        (task,) = await segue.host.store.read_tasks(bystander.run)
        assert task.state == "claimed"
    os.kill(int((tmp_path / "left").read_text()), signal.SIGKILL)


async def test_a_poisonous_task_ends_failed() -> None:
    """A death is a failure like others: it is tried again as often as the agent says, and then the task has failed."""
    async with Segue("memory:") as segue:
        assert await segue.run(alone(isolated.dies_twice), "x") == "attempt 3"
        poison = isolated.segfaults.with_(retries=1, backoff=None)
        handle = await segue.submit(alone(poison), "x")
        with pytest.raises(RunFailed, match="SIGSEGV"):
            await handle.result()
        (task,) = await segue.host.store.read_tasks(handle.run)
        assert (task.state, task.attempt) == ("failed", 2)


async def test_children_end_with_a_worker_that_is_killed(tmp_path: Path) -> None:
    """After `kill -9` of a worker no child of it runs on, whatever it was doing."""
    program = (
        "import asyncio, sys; from segue import Segue; from tests.engine import isolated, test_isolation as t\n"
        "async def main():\n"
        "    async with Segue('memory:') as segue:\n"
        "        runs = [await segue.submit(t.alone(each), sys.argv[1] + each.name) for each in isolated.ENDLESS[:4]]\n"
        "        await runs[0].result()\n"
        "asyncio.run(main())\n"
    )
    files = [tmp_path / each.name for each in isolated.ENDLESS[:4]]
    worker = start(program, f"{tmp_path}/")
    try:
        await until(lambda: all(file.exists() for file in files))
        assert not any(is_over(int(file.read_text())) for file in files)
    finally:
        worker.kill()
        worker.wait()
    await until(lambda: all(is_over(int(file.read_text())) for file in files))


async def test_a_child_that_cannot_hear_its_worker_ends(tmp_path: Path) -> None:
    """Where the kernel does not tell of the worker's end, the closed line does, even to a busy agent."""
    ours, theirs = socket.socketpair()
    child = start(_BOOT, str(theirs.fileno()), str(os.getpid()), _ROOT, pass_fds=[theirs.fileno()])
    theirs.close()
    target = target_of(isolated.spins_in_the_loop)
    facts = Facts("run", "task", "agent", 1, 1, None, None)
    document = json.dumps(str(tmp_path / "pid")).encode()
    call = Call(
        target=target,
        facts=facts,
        arguments={"file": Value("value", document)},
        substitute=None,
        decisions_required=False,
        on_overrun="fail",
    )
    for message in (Load(target=target, path=sys.path), call):
        ours.sendall(frame_of(message, ""))
    await until((tmp_path / "pid").exists)
    ours.close()
    await until(lambda: child.poll() == -signal.SIGKILL)


@pytest.mark.parametrize("running", [False, True])
async def test_closing_leaves_no_child(running: bool, tmp_path: Path) -> None:
    """When a Segue is closed, the children that were idle, running or starting are gone."""
    async with Segue("memory:") as segue:
        children = segue.host.engine.children
        assert await segue.run(alone(isolated.echo), "x") == "x"
        if running:
            await segue.submit(alone(isolated.spins), str(tmp_path / "pid"))
            await segue.submit(alone(isolated.sleeps), str(tmp_path / "other"))
            await until((tmp_path / "pid").exists)
        pids = children.pids
        assert pids
    assert children.pids == []
    assert all(is_gone(pid) for pid in pids)


async def test_closing_while_a_child_starts() -> None:
    """A Segue that is closed at once leaves no process behind, wherever the start of a child was."""
    for turns in range(0, 30, 3):
        async with Segue("memory:") as segue:
            await segue.submit(alone(isolated.echo), "x")
            for _ in range(turns):
                await asyncio.sleep(0)  # noqa: TID251 - one turn of the loop
    assert offspring() == ""


async def test_a_child_is_there_before_it_is_needed() -> None:
    """A worker that knows isolated agents starts a process for them, and the first call of one takes place in it."""
    async with Segue("memory:", agents=[isolated.pid_of, isolated.echo]) as segue:
        children = segue.host.engine.children
        await until(lambda: children.pids)
        (ready,) = children.pids
        assert await segue.run(alone(isolated.pid_of), "x") == ready
    assert is_gone(ready)


async def test_a_child_is_used_again_and_not_kept_for_ever() -> None:
    """Calls one after another share a process; one that nobody has used for a while is closed."""
    clock = ManualClock()
    async with Segue("memory:", clock=clock) as segue:
        first = await segue.run(alone(isolated.pid_of), "x")
        assert await segue.run(alone(isolated.echo), "x") == "x"
        assert await segue.run(alone(isolated.pid_of), "x") == first
        assert segue.host.engine.children.pids == [first]
        for _ in range(3):
            await until(lambda: clock._timers)
            clock.advance(pool.IDLE_SECONDS / 2)
        await until(lambda: is_gone(first))
        assert await segue.run(alone(isolated.pid_of), "x") != first


async def test_a_child_makes_room_after_many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child is ended after so many calls and another takes its place."""
    monkeypatch.setattr(pool, "CALLS_MAXIMUM", 2)
    async with Segue("memory:") as segue:
        pids = [await segue.run(alone(isolated.pid_of), "x") for _ in range(3)]
    assert pids[0] == pids[1] != pids[2]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts what Linux lists")
async def test_nothing_is_left_open(tmp_path: Path) -> None:
    """Killed children leave no open file in the worker, and a child has none of the worker's files."""
    async with Segue("memory:") as segue:
        with (tmp_path / "open").open("w") as file:
            os.set_inheritable(file.fileno(), False)
            few = await segue.run(alone(isolated.descriptors), "x")
            before = len(os.listdir("/proc/self/fd"))
            for _ in range(3):
                await failure_of(segue, isolated.exits)
            assert await segue.run(alone(isolated.descriptors), "x") == few < 12
            await until(lambda: len(os.listdir("/proc/self/fd")) <= before)


async def test_ctx_is_there() -> None:
    """`ctx` says in a child process, and in threads of it, what it says elsewhere."""
    async with Segue("memory:") as segue:
        deadline = datetime.now(UTC) + timedelta(hours=1)  # noqa: TID251 - a real worker compares it
        mine = segue.with_(goal="compare", deadline=deadline)
        for called in (isolated.tells, isolated.tells_from_a_thread):
            handle = await mine.submit(alone(called.with_(takes="1s")), "x")
            told = await handle.result()
            assert (told.run, told.task, told.agent) == (handle.run, called.name, called.name)
            assert (told.attempt, told.epoch, told.goal) == (1, 1, "compare")
            assert told.deadline == deadline.isoformat()


async def test_artifacts_cross(tmp_path: Path) -> None:
    """A child writes and reads artifacts of all kinds through its worker; a missing one is the usual error."""
    async with Segue(tmp_path / "segue.db") as segue:
        assert await segue.run(isolated.keeps, "hello") == (["hello!", "from a thread"], len(isolated.DATA))
        assert (await failure_of(segue, isolated.misses))["kind"] == "ArtifactError"


async def test_hand_offs_cross(tmp_path: Path) -> None:
    """`Handoff`, `Ref` and `Later` are in a child what they are elsewhere, spilled content and context included."""
    async with Segue(tmp_path / "segue.db") as segue:
        got, waited = await segue.with_(goal="find").run(isolated.hands_over, "it")
        assert got == ["found it", True, 0.5, True, "finds", ["go on"], "find"]
        assert waited == "it, it, it"
        handle = await segue.submit(isolated.goes_on, "it")
        assert (await handle.handoff("does_without")).output == "does_without awaits fails, which failed"


async def test_steps_and_effects_are_remembered(tmp_path: Path) -> None:
    """What a process that died has finished is not done again, and an effect of unknown outcome waits for a person."""
    file = tmp_path / "notes"
    async with Segue(tmp_path / "segue.db") as segue:
        assert await segue.run(alone(isolated.remembers), str(file)) == 5_000 * len("asked by attempt 1")
        assert file.read_text() == "asked by attempt 1\npaid\n"
        handle = await segue.submit(alone(isolated.dies_paying), str(file))
        with pytest.raises(ReviewNeeded):
            await handle.result()
        (task,) = await segue.host.store.read_tasks(handle.run)
        assert task.state == "in_doubt"
        assert file.read_text().count("by attempt") == 2
        assert (await failure_of(segue, isolated.uses_a_name_twice))["kind"] == "UsageError"


async def test_a_wait_that_is_given_up(tmp_path: Path) -> None:
    """A child that stops waiting for a `Later` has its place again, and may wait once more."""
    async with Segue("memory:", concurrency=2) as segue:
        async with asyncio.timeout(SECONDS):
            got = await segue.run(isolated.asks_twice, "it", str(tmp_path / "go"))
        assert got == "first not, then it"
        assert segue.host.engine._slots.taken == 0


async def test_texts_cross_unchanged() -> None:
    """What a child gets and gives is what was sent, to the letter."""
    async with Segue("memory:") as segue:
        for text in ("", "ünï \u2028 \U0001f600 ' \" \\ \\u0041 \x7f", "\t\n\r"):
            assert await segue.run(alone(isolated.echo), text) == text


async def test_prints_do_no_harm() -> None:
    """What an agent prints, or writes to its standard output as bytes, is no part of the conversation."""
    async with Segue("memory:") as segue:
        assert await segue.run(alone(isolated.prints), "hello ") == "hello "


async def test_large_results() -> None:
    """A megabyte crosses; what is over the limit of an output is refused, as everywhere."""
    async with Segue("memory:") as segue:
        assert len(await segue.run(alone(isolated.repeats), "1000000")) == 1_000_000
        handle = await segue.submit(alone(isolated.repeats), str(65 * 1024 * 1024))
        with pytest.raises(RunFailed, match="PayloadTooLarge"):
            await handle.result()
        assert await segue.run(alone(isolated.echo), "y") == "y"


async def test_signals_are_the_workers_to_hear() -> None:
    """A signal to stop does not end an agent over its worker's head, and what the agent starts still hears it."""
    async with Segue("memory:") as segue:
        assert await segue.run(alone(isolated.heeds_signals), "x") == "True\n"


async def test_errors_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong in a child fails in the words, and with the secrets taken out, as in the worker itself."""
    monkeypatch.setenv("SHOP_API_KEY", "a-very-long-secret-value")
    async with Segue("memory:") as segue:
        for mishap in isolated.MISHAPS:
            decisions: Any = "required" if mishap is isolated.undecided else None
            here = agent(decisions=decisions)(mishap)
            expected = await failure_of(segue, here)
            got = await failure_of(segue, here.with_(isolation="process"))
            assert (got["kind"], got["message"]) == (expected["kind"], expected["message"])
            assert "a-very-long-secret-value" not in str(got)
            if mishap is isolated.raises_awkwardly:
                assert "raise Awkward" in got["traceback"]


async def test_errors_say_as_much_about_another_try() -> None:
    """Retry policies know the errors of a child by all their names, and hear what they ask for."""
    retries = Retry(3, backoff=None, on=("LookupError", "RetryLater"))
    async with Segue("memory:") as segue:
        for name, expected in (
            ("KeyError", "failed 4"),
            ("DoNotRetry", "failed 1"),
            ("ValueError", "failed 1"),
        ):
            handle = await segue.submit(alone(isolated.raises.with_(retries=retries)), name)
            with pytest.raises(RunFailed, match=name):
                await handle.result()
            (task,) = await segue.host.store.read_tasks(handle.run)
            assert f"{task.state} {task.attempt}" == expected
        handle = await segue.submit(alone(isolated.raises.with_(retries=retries)), "RetryLater")
        async for event in segue.events(handle.run, names="task.raises.retry"):
            assert event.task == "raises"
            break
        (task,) = await segue.host.store.read_tasks(handle.run)
        assert task.state == "ready"
        await handle.cancel(by="me")


async def test_an_agent_that_cancels_itself_and_returns() -> None:
    """It fails its call, and the process serves the next one."""
    rude = agent(isolation="process")(isolated.cancels_itself_and_returns)
    async with Segue("memory:") as segue:
        before = await segue.run(alone(isolated.pid_of), "x")
        assert (await failure_of(segue, rude))["kind"] == "CancelledError"
        assert await segue.run(alone(isolated.pid_of), "x") == before


@pytest.mark.parametrize("isolation", ["thread", "process"])
async def test_an_input_that_does_not_fit(isolation: Any) -> None:
    """A mismatch fails before the agent is called, final and in the same words wherever it would run."""
    gives = agent(isolated.gives)
    takes = agent(isolation=isolation, retries=3)(isolated.takes_number)

    @workflow
    def misfit(text: str) -> int:
        return takes(gives(text))

    async with Segue("memory:") as segue:
        handle = await segue.submit(misfit, "no number")
        with pytest.raises(RunFailed):
            await handle.result()
        error = (await handle.handoff("takes_number")).error
        assert error is not None
        assert error.kind == "InvalidPayload"
        assert error.message.startswith("'number' of takes_number: ")
        tasks = {task.node: task.attempt for task in await segue.host.store.read_tasks(handle.run)}
        assert tasks["takes_number"] == 1


async def test_a_module_that_a_child_cannot_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that only the worker could import fails its agents at once, and says why."""
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "only_here.py"
    file.write_text("from segue import agent\n@agent(isolation='process')\ndef lost(text: str) -> str: ...")
    import only_here  # type: ignore[import-not-found]  # noqa: PLC0415

    file.write_text("raise OSError('no licence')")
    async with Segue("memory:") as segue:
        error = await failure_of(segue, only_here.lost)
        assert error["kind"] == "DefinitionError"
        assert "cannot import 'only_here': OSError: no licence" in error["message"]
        assert await segue.run(alone(isolated.echo), "y") == "y"


async def test_a_module_that_runs_agents_when_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that would start children of its own, by importing a program, fails with the remedy."""
    monkeypatch.syspath_prepend(tmp_path)
    program = (
        "import asyncio, os; from segue import Segue, agent, workflow\n"
        "@agent(isolation='process')\n"
        "def inner(text: str) -> str: return text\n"
        "@workflow\n"
        "def outer(text: str) -> str: return inner(text)\n"
        "async def main():\n"
        "    async with Segue('memory:') as segue: await segue.run(outer, 'x')\n"
        f"if os.getpid() != {os.getpid()}: asyncio.run(main())\n"
    )
    (tmp_path / "unguarded.py").write_text(program)
    import unguarded  # type: ignore[import-not-found]  # noqa: PLC0415

    async with Segue("memory:") as segue:
        error = await failure_of(segue, unguarded.inner)
    assert error["kind"] == "DefinitionError"
    assert "while a child process imports it" in error["message"]


def test_the_notes_of_these_tests_are_whole(tmp_path: Path) -> None:
    """A test that finds the note of an agent finds its process in it."""
    note_pid(str(tmp_path / "pid"))
    assert int((tmp_path / "pid").read_text()) == os.getpid()
