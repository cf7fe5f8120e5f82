"""Wherever the power goes, what was acknowledged in `durable` is there, and nothing is half written."""

import os
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from random import Random  # noqa: TID251 (with a seed)
from typing import Any

import pytest

from segue.stores.artifacts import FolderArtifacts
from segue.stores.sqlite import Durability
from segue.stores.sqlite.file import wal
from segue.stores.sqlite.file.committing import Committer
from tests.disk.model import Survives, Sync, SyncFolder
from tests.disk.recording import Recording, images, record, with_small_log, wrong_with

SOME: tuple[Survives, ...] = ("nothing", "some")
"""That everything survives is what a killed process leaves, which `test_faults.py` has."""
PARTS = 8
FORMS = {
    "in the loop": {"inline": True, "twice": False},
    "in the thread": {"inline": False, "twice": False},
    "two stores in the loop": {"inline": True, "twice": True},
    "two stores in the thread": {"inline": False, "twice": True},
}


@pytest.fixture(autouse=True)
def small_log(monkeypatch: pytest.MonkeyPatch) -> None:
    with_small_log(monkeypatch)


async def play(
    folder: Path, form: str = "in the loop", durability: Durability = "durable", runs: int = 2
) -> Recording:
    root = folder / "disk"
    root.mkdir()
    return await record(root, durability, runs, **FORMS[form])


async def failures(
    recording: Recording, points: Sequence[int], kinds: tuple[Survives, ...], folder: Path, seed: int = 1
) -> list[str]:
    """What is wrong after power cuts at these places, a line for each image that is not as it should be."""
    return [problem async for problem in problems_after(recording, points, kinds, folder, seed)]


async def problems_after(
    recording: Recording, points: Sequence[int], kinds: tuple[Survives, ...], folder: Path, seed: int = 1
) -> AsyncIterator[str]:
    for name, image, facts in images(recording, points, kinds, Random(seed), folder):
        try:
            problems = await wrong_with(image, facts)
        except Exception as error:  # noqa: BLE001 (a store that does not open is what we look for)
            problems = [repr(error)]
        shutil.rmtree(image)
        for problem in problems[:1]:
            yield f"{name}: {problem}"


def points_of(recording: Recording, count: int, seed: int = 1) -> list[int]:
    """So many places in the order of everything: half of them just before a sync, where most is at stake."""
    syncs = [at for at, each in enumerate(recording.operations) if isinstance(each, Sync | SyncFolder)]
    random = Random(seed)
    chosen = random.sample(syncs, min(count // 2, len(syncs)))
    others = sorted(set(range(len(recording.operations) + 1)) - set(chosen))
    return sorted([*chosen, *random.sample(others, min(count - len(chosen), len(others)))])


@pytest.mark.parametrize("form", FORMS)
async def test_nothing_acknowledged_is_lost(tmp_path: Path, form: str) -> None:
    """At some places of a course of work, with any part of what was not synced: all is there, sound, and goes on."""
    recording = await play(tmp_path, form)
    assert len(recording.acknowledged) > 80
    assert await failures(recording, points_of(recording, 25), SOME, tmp_path) == []


async def test_a_store_that_is_being_made(tmp_path: Path) -> None:
    """Wherever the power goes while a store is made, with any part of it on the disk, it can be opened afterwards."""
    recording = await play(tmp_path)
    assert await failures(recording, range(24), ("some", "some", "some"), tmp_path, seed=5) == []


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("form", FORMS)
async def test_nothing_acknowledged_is_lost_anywhere(tmp_path: Path, form: str, part: int) -> None:
    """The same at every single place, with two images at each: more than 2,000 places in all forms together."""
    recording = await play(tmp_path, form)
    assert len(recording.operations) > 500
    every = range(part, len(recording.operations) + 1, PARTS)
    assert await failures(recording, every, SOME, tmp_path, seed=part) == []


# --- the proof sees what it is there to see ---------------------------------------------------------


async def test_fast_loses_what_durable_keeps(tmp_path: Path) -> None:
    """A store that is merely `fast` loses what was last acknowledged in this very test, and is sound all the same."""
    recording = await play(tmp_path, durability="fast")
    found = await failures(recording, points_of(recording, 25), ("nothing",), tmp_path)
    assert any("acknowledged and lost" in line for line in found)
    assert all("and lost" in line or "points to an artifact" in line for line in found)


def syncs_with_the_next_commit(original: Any) -> Any:
    """A store that gives its answers before it has synced what it wrote."""

    def commit(self: Committer, *args: Any, **kwargs: Any) -> Any:
        self._connection.pragma("synchronous", 1)
        log = os.open(f"{self._path}-wal", os.O_WRONLY | os.O_CREAT)
        os.fsync(log)
        os.close(log)
        return original(self, *args, **kwargs)

    return commit


def does_nothing(original: Any) -> Any:
    return lambda *args: None


def leaves_the_log(original: Any) -> Any:
    """A log that is carried over by hand, without a sync of the database before it starts anew."""

    def carry_over(connection: Any) -> bool:
        connection.pragma("synchronous", 0)
        return bool(original(connection))

    return carry_over


FAULTS: dict[str, tuple[Any, str, Callable[[Any], Any]]] = {
    "it answers before it syncs": (Committer, "commit", syncs_with_the_next_commit),
    "the folder of an artifact is not synced": (FolderArtifacts, "_sync", does_nothing),
    "the log starts anew before the database is synced": (wal, "carry_over", leaves_the_log),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A store that does not keep the promise in one of these ways loses something in this very test."""
    target, attribute, make = FAULTS[name]
    monkeypatch.setattr(target, attribute, make(getattr(target, attribute)))
    recording = await play(tmp_path)
    found = problems_after(recording, points_of(recording, 40), ("nothing",), tmp_path)
    assert await anext(found, None) is not None
