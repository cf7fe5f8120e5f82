"""The story, played on a store whose disk is written down; and what is left of it after a power cut."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random  # noqa: TID251 (with a seed)
from typing import NamedTuple

import apsw
import pytest

from segue.stores.artifacts import FolderArtifacts
from segue.stores.sqlite import Durability, SqliteStore
from segue.stores.sqlite.file import wal
from segue.testing import Ledger, ManualClock, audit, missing
from segue.testing.ledger import Fact
from tests.disk.layer import Disk
from tests.disk.model import Operation, Platter, Survives
from tests.disk.story import Story

FILE = "segue.db"
FIRST, SECOND, THIRD = "first", "second", "third"


class Recording(NamedTuple):
    """What was done to a disk, and what was acknowledged: each fact with the number of operations before it."""

    root: Path
    operations: list[Operation]
    acknowledged: list[tuple[int, Fact]]


def open_parts(
    folder: Path, durability: Durability, clock: ManualClock
) -> tuple[SqliteStore, FolderArtifacts]:
    """A store in a folder, and its artifacts."""
    artifacts = FolderArtifacts(folder / f"{FILE}.d" / "artifacts", clock, durable=durability == "durable")
    return SqliteStore(folder / FILE, durability, clock), artifacts


async def record(folder: Path, durability: Durability, runs: int, *, inline: bool, twice: bool) -> Recording:
    """Play the story, once or in two stores on one file at a time, and write down what happens below."""
    disk = Disk(folder)
    acknowledged: list[tuple[int, Fact]] = []
    ledger = Ledger(lambda fact: acknowledged.append((len(disk.operations), fact)))
    with disk.watching():
        clock = ManualClock()
        stores = [open_parts(folder, durability, clock) for _ in range(1 + twice)]
        stories = []
        for (store, artifacts), worker in zip(stores, (FIRST, THIRD), strict=False):
            store.idle = lambda: inline
            await store.open()
            stories.append(Story(ledger.watch(store), artifacts, clock, worker))
        await asyncio.gather(*(story.play(runs) for story in stories))
        for store, _ in stores:
            await store.close()
    return Recording(folder, disk.operations, acknowledged)


def images(
    recording: Recording, points: Sequence[int], kinds: tuple[Survives, ...], random: Random, folder: Path
) -> Iterator[tuple[str, Path, list[Fact]]]:
    """At these places in the order of everything, what power cuts may leave, and what had been acknowledged."""
    platter, applied = Platter(recording.root), 0
    for point in points:
        for operation in recording.operations[applied:point]:
            platter.apply(operation)
        applied = point
        facts = [fact for before, fact in recording.acknowledged if before <= point]
        for number, kind in enumerate(kinds):
            target = folder / f"{point}-{number}"
            target.mkdir()
            platter.cut(kind, random, target)
            yield f"cut at {point} of {len(recording.operations)}, {kind} survives", target, facts


async def wrong_with(folder: Path, facts: list[Fact]) -> list[str]:
    """What a store that is opened on such an image lacks, or cannot do any more."""
    clock = ManualClock()
    store, artifacts = open_parts(folder, "fast", clock)
    await store.open()
    try:
        problems = [*await missing(store, facts), *await audit(store, artifacts)]
        problems += [problem for problem in integrity(folder / FILE) if problem != "ok"]
        if not problems:
            await Story(store, artifacts, clock, SECOND).go_on(FIRST, THIRD)
            problems += [*await missing(store, facts), *await audit(store, artifacts)]
        return problems
    finally:
        await store.close()


def integrity(path: Path) -> list[str]:
    """What SQLite says of its file: `ok`, or what is wrong with it."""
    with closing(apsw.Connection(str(path))) as connection:
        return [str(line) for (line,) in connection.execute("PRAGMA integrity_check")]


def with_small_log(patch: pytest.MonkeyPatch) -> None:
    """Let the log be carried over often: what happens in minutes otherwise happens in a short story too."""
    patch.setattr(wal, "GROWN_PAGES", 64)
    patch.setattr(wal, "CHECKPOINT_PAGES", 24)
