"""A process that is killed at any moment, or a disk that fails, takes nothing with it that was acknowledged."""

import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random  # noqa: TID251 (with a seed)
from typing import Any

import apsw
import pytest

from segue.domain.rows import TaskRecord
from segue.errors import StoreUnavailable
from segue.stores.sqlite import SqliteStore
from segue.testing import ManualClock
from segue.testing.conformance.desk import LEASE_SECONDS, WORKER, Desk, release, root, settlement

WRITE = """
import asyncio, os, signal, sys
from segue.stores.sqlite import SqliteStore
from segue.stores.sqlite.transaction import Transaction
from segue.testing import ManualClock
from segue.testing.conformance.desk import Desk, join, release

path, durability, fault = sys.argv[1:]

async def main():
    clock = ManualClock()
    store = SqliteStore(path, durability, clock)
    store.idle = lambda: True
    await store.open()
    desk = Desk(store, clock)
    if fault == "event in a second transaction":
        await store.register_worker("first", "{}")
        Transaction.tell = lambda tx, events: None
    while True:
        run, claims = await desk.start("a", "b", waits_for=1)
        print(run, "start", flush=True)
        for claim in claims:
            node = claim.token.node
            answer = await desk.end(claim, join("c", 2, parents=("a", "b"), claim=f"c-{run}-{node}"))
            print(run, node, flush=True)
            if fault:
                os.kill(os.getpid(), signal.SIGKILL)
        (c,) = answer.claims
        for step in range(5):
            (c,) = (await desk.end(c, release(f"s{step}", claim=f"{run}-{step}"))).claims
            print(run, "c" if step == 0 else f"s{step - 1}", flush=True)
        await desk.end(c, run_resolved=1)
        print(run, "s4", flush=True)

asyncio.run(main())
"""


def write_and_be_killed(path: Path, durability: str, lines: int, fault: str = "") -> list[tuple[str, str]]:
    """Let a process write until it has acknowledged so much, kill it, and return all that it acknowledged."""
    command = [sys.executable, "-c", WRITE, str(path), durability, fault]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = [line for line, _ in zip(process.stdout, range(lines), strict=False)]
        process.kill()
        acknowledged += process.stdout.readlines()
    whole = [line.split() for line in acknowledged if line.endswith("\n")]
    return [(run, what) for run, what in whole]


async def check(path: Path, acknowledged: list[tuple[str, str]]) -> None:
    """Everything that was acknowledged is there, and every state agrees with its hand-off and its events."""
    connection = apsw.Connection(str(path))
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    store = SqliteStore(path, "fast", ManualClock())
    await store.open()
    try:
        desk = Desk(store, ManualClock())
        for run in {run for run, _ in acknowledged}:
            tasks = {task.node: task for task in await store.read_tasks(run)}
            settled = [what for each, what in acknowledged if each == run and what != "start"]
            assert [tasks[node].state for node in settled] == ["complete"] * len(settled)
            await check_run(desk, run, list(tasks.values()))
    finally:
        await store.close()


async def check_run(desk: Desk, run: str, tasks: list[TaskRecord]) -> None:
    """The log and the hand-offs of a run say what its tasks say."""
    events = await desk.events(run)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    complete = sorted(task.node for task in tasks if task.state == "complete")
    told = sorted(str(event.task) for event in events if event.name.endswith("_agent.complete"))
    assert complete == told
    assert sorted(each.node for each in await desk.store.latest_handoffs(run)) == complete
    ended = (await desk.run(run)).state == "complete"
    assert ended == ("run.complete" in [event.name for event in events]) == ("s4" in complete)


@pytest.mark.parametrize("durability", ["fast", "durable"])
async def test_a_killed_process_loses_nothing(tmp_path: Path, durability: str) -> None:
    """After SIGKILL at random moments the file is whole, and has all that was acknowledged and no half transition."""
    random = Random(durability)
    for number in range(4):
        path = tmp_path / f"{number}.db"
        acknowledged = write_and_be_killed(path, durability, random.randint(1, 400))
        assert acknowledged
        await check(path, acknowledged)


async def test_a_transition_in_two_transactions_would_be_seen(tmp_path: Path) -> None:
    """A store that commits a state before its event fails this very check when it is killed in between."""
    path = tmp_path / "segue.db"
    acknowledged = write_and_be_killed(path, "fast", 100, "event in a second transaction")
    with pytest.raises(AssertionError):
        await check(path, acknowledged)


async def test_a_killed_process_can_be_taken_over_from(tmp_path: Path) -> None:
    """What a killed process held goes on in another, and what it had settled is not done again."""
    path = tmp_path / "segue.db"
    (run, _), *_ = write_and_be_killed(path, "fast", 100, "killed after the first settlement")
    clock = ManualClock()
    store = SqliteStore(path, "fast", clock)
    await store.open()
    assert [(each.run, each.node) for each in await store.expire([WORKER])] == [(run, "b")]
    (claim,) = await Desk(store, clock).claim("a_agent", "b_agent", "c_agent")
    assert (claim.token.node, claim.token.epoch) == ("b", 2)
    await store.close()


# --- a disk that fails ------------------------------------------------------------------------------


class FailingFile(apsw.VFSFile):
    """A file whose next sync fails when told to."""

    def xSync(self, flags: int) -> None:
        if FailingDisk.failures > 0:
            FailingDisk.failures -= 1
            raise apsw.IOError("the disk failed")
        super().xSync(flags)


class FailingDisk(apsw.VFS):
    """The default file system, with syncs that can fail."""

    failures = 0

    def __init__(self) -> None:
        super().__init__("failing", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return FailingFile("unix", name, flags)


async def test_a_failed_sync_is_an_error_and_the_connection_is_opened_anew(tmp_path: Path) -> None:
    """When the disk fails in a commit its outcome is unknown: the caller is told, and may repeat the call."""
    disk = FailingDisk()
    try:
        clock = ManualClock()
        store = SqliteStore(tmp_path / "segue.db", "durable", clock)
        store.idle = lambda: True
        await store.open()
        desk = Desk(store, clock)
        run, (a,) = await desk.start("a")
        committer = store._files().writer._committer
        before = committer._connection
        FailingDisk.failures = 1
        with pytest.raises(StoreUnavailable, match="cannot be used"):
            await desk.end(a, release("b"))
        assert (await desk.end(a, release("b"))).verdict in {"accepted", "repeated"}
        assert committer._connection is not before
        names = await desk.names(run)
        assert names.count("task.a_agent.complete") == names.count("task.b_agent.ready") == 1
        await store.close()
    finally:
        disk.unregister()


async def test_a_failed_checkpoint_stops_progress_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that cannot be carried over is an error of the next call, not a line in a log; then it is tried again."""
    store = SqliteStore(tmp_path / "segue.db", "fast", ManualClock())
    await store.open()
    desk = Desk(store, ManualClock())
    await desk.start("a")
    writer = store._files().writer

    def fail(connection: apsw.Connection) -> bool:
        raise apsw.FullError("no room")

    with monkeypatch.context() as patch:
        patch.setattr("segue.stores.sqlite.file.wal.carry_over", fail)
        writer._checkpoint()
    with pytest.raises(Exception, match="full"):
        await store.submit([desk.new_run(root("a"))], WORKER, LEASE_SECONDS)
    await desk.start("a")
    await store.close()


OpenDesk = Callable[..., Coroutine[Any, Any, Desk]]


async def test_a_failed_claim_with_a_settlement_undoes_both(open_desk: OpenDesk) -> None:
    """When a call fails half-way nothing of it is kept, neither what it settled nor what it claimed."""
    desk = await open_desk()
    run, (a,) = await desk.start("a")
    wrong = settlement(a, None, release("b"), ending="complete", data=object())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        await desk.settle(wrong)
    assert (await desk.task(run, "a")).state == "claimed"
    assert (await desk.end(a)).verdict == "accepted"
