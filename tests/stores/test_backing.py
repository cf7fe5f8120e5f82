"""A backup has all that was acknowledged before it, and a store that is restored from it is a new incarnation."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from segue import Segue
from segue.domain.event_names import matches
from segue.errors import ArtifactError, CursorExpired, SegueError, StoreCorrupt, StoreTooNew, UsageError
from segue.ports.clock import SystemClock
from segue.ports.store import Note
from segue.stores.artifacts import FolderArtifacts
from segue.stores.sqlite import SqliteStore
from segue.stores.sqlite.file.backing import back_up
from segue.stores.sqlite.file.restoring import restore
from segue.testing import Ledger, ManualClock, audit, missing
from segue.testing.conformance.desk import LEASE_SECONDS, OTHER, WORKER, Desk, handoff, release, settlement
from tests.disk.story import Story
from tests.stores import busy

BUSY = """
import asyncio, sys
from segue import Segue
from tests.stores.busy import keep

async def main():
    async with Segue(sys.argv[1]) as segue:
        while True:
            handle = await segue.submit(keep, sys.argv[2])
            print(handle.run, flush=True)
            await handle.result()

asyncio.run(main())
"""


def nobody(what: str, done: int, total: int) -> None:
    """Is told how far a copy has come, and does nothing."""


def artifacts_of(path: Path) -> FolderArtifacts:
    return FolderArtifacts(path.with_name(f"{path.name}.d") / "artifacts", SystemClock(), durable=False)


async def opened(path: Path, clock: ManualClock | None = None) -> SqliteStore:
    store = SqliteStore(path, "fast", clock or ManualClock())
    await store.open()
    return store


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Two processes that work with the store `segue.db`, and say which runs it accepted."""
    command = [sys.executable, "-c", BUSY, str(tmp_path / "segue.db")]
    started = [
        subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in ("one", "two")
    ]
    yield started
    for worker in started:
        worker.kill()
        worker.communicate()


async def test_a_backup_under_running_processes(tmp_path: Path, workers: list[subprocess.Popen[str]]) -> None:
    """While processes work a backup has every run that was accepted before it, is sound, and its runs can be ended."""
    accepted: list[str] = []
    for number in range(3):
        for worker in workers * 4:
            assert worker.stdout is not None
            accepted.append(worker.stdout.readline().strip())
        backup, copy = tmp_path / f"backup-{number}", tmp_path / f"copy-{number}.db"
        back_up(tmp_path / "segue.db", backup, SystemClock(), nobody)
        restore(backup, copy, SystemClock(), nobody)
        await check_restored(copy, accepted)


async def check_restored(path: Path, accepted: list[str]) -> None:
    """A restored store is sound, has these runs, and ends all that are open."""
    store = await opened(path)
    assert await audit(store, artifacts_of(path)) == []
    assert [run for run in accepted if await store.read_run(run) is None] == []
    runs = [record.run for record in await store.list_runs(1_000)]
    await store.close()
    async with Segue(str(path), agents=[busy]) as segue:
        results = [await segue.handle(run).result() for run in runs]
        assert set(results) <= {"ONE", "TWO"}
        assert await audit(segue.host.store, segue.host.artifacts) == []


async def test_nothing_that_was_acknowledged_is_missing(tmp_path: Path) -> None:
    """Every fact of a course of work is in its backup, byte for byte, and in the store that is made of it."""
    path, copy = tmp_path / "segue.db", tmp_path / "copy.db"
    clock, ledger = ManualClock(), Ledger()
    store = await opened(path, clock)
    await Story(ledger.watch(store), artifacts_of(path), clock, "first").play(2)
    manifest = back_up(path, tmp_path / "backup", clock, nobody)
    await store.close()
    restore(tmp_path / "backup", copy, clock, nobody)
    restored = await opened(copy)
    assert await missing(restored, ledger.facts) == []
    facts = await restored.facts()
    assert (facts.runs, facts.events) == (manifest.runs, manifest.events)
    assert await audit(restored, artifacts_of(copy)) == []
    await restored.close()


async def test_whoever_worked_for_the_old_store_is_fenced(tmp_path: Path) -> None:
    """In a restored store every claim is revoked, also one that was lost and might have come back late."""
    clock = ManualClock()
    store = await opened(tmp_path / "segue.db", clock)
    desk = Desk(store, clock)
    run, (a, b, c) = await desk.start("a", "b", "c", waits_for=3)
    await store.register_worker(WORKER, "{}")
    await desk.settle(settlement(c, None, ending="retry", not_before=3_600.0))
    clock.advance(LEASE_SECONDS + 1)
    await store.renew([a.token], LEASE_SECONDS)
    assert [each.node for each in await store.expire()] == ["b"]
    back_up(tmp_path / "segue.db", tmp_path / "backup", clock, nobody)
    await store.close()
    restore(tmp_path / "backup", tmp_path / "copy.db", clock, nobody)

    restored = await opened(tmp_path / "copy.db", clock)
    desk = Desk(restored, clock)
    assert list(await restored.renew([a.token, b.token], LEASE_SECONDS)) == [False, False]
    assert list(await restored.note([Note(a.token, a.agent, "progress", None, None)])) == ["stale"]
    assert [(await desk.end(claim)).verdict for claim in (a, b)] == ["stale", "stale"]
    assert list(await restored.list_workers()) == []
    claims = await desk.claim("a_agent", "b_agent", "c_agent", worker=OTHER)
    assert {(claim.token.node, claim.losses) for claim in claims} == {("a", 0), ("b", 0), ("c", 0)}
    assert all(claim.token.epoch == 2 for claim in claims)
    for claim in claims:
        record = handoff('"again"', claim.version)
        await desk.settle(settlement(claim, record, run_resolved=1), worker=OTHER)
    assert (await desk.run(run)).state == "complete"
    assert await audit(restored) == []
    await restored.close()


async def test_old_cursors_are_refused(tmp_path: Path) -> None:
    """A cursor of the old store could skip what the restored one does again: it expires, with a way on."""
    store = await opened(tmp_path / "segue.db")
    await Desk(store, ManualClock()).start("a")
    cursor = await store.cursor()
    back_up(tmp_path / "segue.db", tmp_path / "backup", ManualClock(), nobody)
    await store.close()
    incarnations = set()
    for number in range(2):
        copy = tmp_path / f"copy-{number}.db"
        restore(tmp_path / "backup", copy, ManualClock(), nobody)
        restored = await opened(copy)
        with pytest.raises(CursorExpired, match="earlier incarnation") as caught:
            await restored.tail(cursor, 10)
        assert caught.value.remedy
        events, fresh = await restored.tail(None, 10)
        assert any(matches(event.name, "task.expired") for event in events)
        assert await restored.tail(fresh, 10) == ([], fresh)
        incarnations.add((await restored.facts()).incarnation)
        await restored.close()
    assert len(incarnations) == 2


async def test_nothing_is_pruned_away_from_a_backup(tmp_path: Path) -> None:
    """Artifacts that the snapshot points to are kept until they are copied, whoever prunes meanwhile."""
    path = tmp_path / "segue.db"
    store = await opened(path)
    artifacts = artifacts_of(path)
    stored = await artifacts.put(b"bytes")
    desk = Desk(store, ManualClock())
    _, (a,) = await desk.start("a")
    await desk.settle(settlement(a, handoff(artifacts=(stored.digest,)), run_resolved=1))
    pruning = threading.Thread(target=lambda: artifacts._prune(frozenset(), 1e12))
    asleep: list[bool] = []

    def prune_now(what: str, done: int, total: int) -> None:
        if what == "pages" and not asleep:
            pruning.start()
            pruning.join(timeout=0.1)
            asleep.append(pruning.is_alive())

    manifest = back_up(path, tmp_path / "backup", SystemClock(), prune_now)
    pruning.join()
    assert (asleep, manifest.artifacts, await artifacts.size()) == ([True], 1, 0)
    await store.close()


async def small_backup(folder: Path) -> Path:
    """A backup of a store with one run and one artifact."""
    path = folder / "segue.db"
    store = await opened(path)
    stored = await artifacts_of(path).put(b"bytes")
    desk = Desk(store, ManualClock())
    _, (a,) = await desk.start("a")
    await desk.settle(settlement(a, handoff(artifacts=(stored.digest,)), release("b")))
    back_up(path, folder / "backup", SystemClock(), nobody)
    await store.close()
    return folder / "backup"


def artifact_in(folder: Path) -> Path:
    """The file of the one artifact that there is below a folder."""
    (path,) = folder.glob("artifacts/*/*")
    return path


def flip(path: Path) -> None:
    """Turn over one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def link(path: Path) -> None:
    """Put a link to the same bytes, elsewhere, in the place of a file."""
    path.rename(path.parents[2] / "elsewhere")
    path.symlink_to(path.parents[2] / "elsewhere")


def claim_format(backup: Path) -> None:
    said = json.loads((backup / "backup.json").read_text())
    (backup / "backup.json").write_text(json.dumps({**said, "format": 99}))


DAMAGES = {
    "a bit of the database": (lambda backup: flip(backup / "segue.db"), StoreCorrupt),
    "a bit of an artifact": (lambda backup: flip(artifact_in(backup)), ArtifactError),
    "an artifact gone": (lambda backup: artifact_in(backup).unlink(), ArtifactError),
    "a newer form": (claim_format, StoreTooNew),
    "no manifest": (lambda backup: (backup / "backup.json").unlink(), UsageError),
    "nonsense in it": (lambda backup: (backup / "backup.json").write_text("[1]"), UsageError),
    "a link in place of an artifact": (
        lambda backup: link(artifact_in(backup)),
        ArtifactError,
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
async def test_a_damaged_backup_is_refused(tmp_path: Path, name: str) -> None:
    """What is not as it was backed up makes no store, and nothing of the attempt stays behind."""
    backup = await small_backup(tmp_path)
    damage, error = DAMAGES[name]
    damage(backup)
    there = set(os.listdir(tmp_path))
    with pytest.raises(error) as caught:
        restore(backup, tmp_path / "copy.db", SystemClock(), nobody)
    assert isinstance(caught.value, SegueError)
    assert caught.value.remedy
    assert set(os.listdir(tmp_path)) == there


@pytest.mark.parametrize("taken", ["copy.db", "copy.db.d", "copy.db-wal"])
async def test_nothing_is_restored_over_anything(tmp_path: Path, taken: str) -> None:
    """A store that is there, or a part of one, is left alone."""
    backup = await small_backup(tmp_path)
    (tmp_path / taken).write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        restore(backup, tmp_path / "copy.db", SystemClock(), nobody)
    assert (tmp_path / taken).read_text() == "mine"


async def test_a_store_with_a_damaged_artifact_makes_no_backup(tmp_path: Path) -> None:
    """A backup is whole or not there: the error names the artifact, and nothing stays behind."""
    await small_backup(tmp_path)
    flip(artifact_in(tmp_path / "segue.db.d"))
    there = set(os.listdir(tmp_path))
    with pytest.raises(ArtifactError, match="is damaged"):
        back_up(tmp_path / "segue.db", tmp_path / "second", SystemClock(), nobody)
    with pytest.raises(UsageError, match="is there already"):
        back_up(tmp_path / "segue.db", tmp_path / "backup", SystemClock(), nobody)
    assert set(os.listdir(tmp_path)) == there


def test_a_backup_is_its_owners_alone(tmp_path: Path) -> None:
    """Files can be read and written by whoever made the backup, and by nobody else."""
    backup = asyncio.run(small_backup(tmp_path))
    restore(backup, tmp_path / "copy.db", SystemClock(), nobody)
    copy = (tmp_path / "copy.db", tmp_path / "copy.db.d")
    for path in (backup, *backup.rglob("*"), *copy, artifact_in(copy[1])):
        assert oct(path.stat().st_mode & 0o777) == ("0o700" if path.is_dir() else "0o600")
