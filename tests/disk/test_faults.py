"""Whatever fails below a store, at whatever operation: the caller hears of it, nothing is lost, and work goes on."""

import asyncio
import errno
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from random import Random  # noqa: TID251 (with a seed)
from typing import Any, NamedTuple

import pytest

from segue.errors import StoreError, StoreFull
from segue.stores.artifacts import _Partial
from segue.testing import Ledger
from segue.testing.ledger import Fact
from tests.disk.faults import READING, WRITING, FailingDisk, fact_of, play
from tests.disk.recording import Recording, images, with_small_log, wrong_with


class Kind(NamedTuple):
    """A way to fail: which operations, how many in a row, and what the caller is told."""

    operations: frozenset[str]
    error: int
    in_a_row: int
    told: type[StoreError]


GROWING = WRITING - {"unlink", "truncate"}
"""What may need room."""

KINDS = {
    "a disk that fails once": Kind(WRITING, errno.EIO, 1, StoreError),
    "a disk that fails for a while": Kind(WRITING, errno.EIO, 40, StoreError),
    "a disk that cannot be read": Kind(READING, errno.EIO, 1, StoreError),
    "a disk that cannot be read for a while": Kind(READING, errno.EIO, 5, StoreError),
    "a disk that is full once": Kind(GROWING, errno.ENOSPC, 1, StoreFull),
    "a disk that is full for a while": Kind(GROWING - {"sync"}, errno.ENOSPC, 40, StoreFull),
}
ALL_POINTS = 10_000
"""More than there are; the sweep ends where nothing failed any more."""


SILENT = ("of segue.db-wal", "of segue.db")
"""What may fail in silence: growing the log, as a commit will say so, and carrying it over if nobody calls any more."""


@pytest.fixture(autouse=True)
def small_log(monkeypatch: pytest.MonkeyPatch) -> None:
    with_small_log(monkeypatch)


class Played(NamedTuple):
    """The story on a disk that failed: what failed, what the callers heard, and what they were promised."""

    recording: Recording
    failed: list[str]
    errors: list[StoreError]


async def play_on(disk: FailingDisk, *, inline: bool) -> Played:
    """Play the story on a disk that fails."""
    acknowledged: list[tuple[int, Fact]] = []
    ledger = Ledger(lambda fact: acknowledged.append((len(disk.operations), fact)))
    async with asyncio.timeout(60):
        errors = await play(disk, inline=inline, ledger=ledger)
    return Played(Recording(disk.root, disk.operations, acknowledged), disk.failed, errors)


async def wrong_after(folder: Path, played: Played, seed: int) -> list[str]:
    """What is wrong with what the story left; and with what the power would have left when it had just ended."""
    facts = [fact for _, fact in played.recording.acknowledged]
    last = max(before for before, _ in played.recording.acknowledged)
    found = []
    for name, image, kept in images(played.recording, [last], ("nothing", "some"), Random(seed), folder):
        found += [f"{name}: {problem}" for problem in await wrong_with(image, kept)]
    return found + await wrong_with(played.recording.root, facts)


async def sweep(folder: Path, kind: Kind, points: Iterable[int], *, inline: bool) -> int:
    """Let the disk fail from each of these operations on, until there are no more; how often it did."""
    count = 0
    for first in points:
        place = folder / str(first)
        disk = FailingDisk(place / "disk", kind.operations, first, kind.in_a_row, kind.error)
        played = await play_on(disk, inline=inline)
        if not played.failed:
            break
        count += 1
        context = f"{played.failed[0]}, which was operation {first}: {played.errors}"
        assert await wrong_after(place, played, first) == [], context
        assert all(isinstance(error, kind.told) and error.remedy for error in played.errors), context
        if kind.operations != READING and not played.failed[0].endswith(SILENT):
            assert played.errors, context
    return count


@pytest.mark.parametrize("name", KINDS)
async def test_a_disk_that_fails(tmp_path: Path, name: str) -> None:
    """At some operations: a typed error with a remedy, nothing acknowledged lost, and the same store goes on."""
    points = sorted(Random(name).sample(range(1, 250), 7))
    inline = Random(name).random() < 0.5
    assert await sweep(tmp_path, KINDS[name], points, inline=inline) > 2


@pytest.mark.long
@pytest.mark.parametrize("inline", [True, False], ids=["in the loop", "in the thread"])
@pytest.mark.parametrize("name", KINDS)
async def test_a_disk_that_fails_anywhere(tmp_path: Path, name: str, inline: bool) -> None:
    """The same at every sixth operation, and with each kind of failure at others: more than 1,000 in all."""
    points = range(1 + list(KINDS).index(name), ALL_POINTS, 6)
    assert await sweep(tmp_path, KINDS[name], points, inline=inline) > 20


class UnsyncedArtifact(FailingDisk):
    """A disk on which the first sync of an artifact fails."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, frozenset({"sync"}), 1, 1, errno.EIO)

    def before(self, what: str, path: Path, half: Any = None) -> None:
        if ".partial-" in path.name:
            super().before(what, path, half)


async def test_a_sync_that_is_merely_repeated_would_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A kernel drops what it could not write, and the next sync of the same file succeeds. Whoever tries again without
    writing again acknowledges what the next power cut takes: this very test catches it.
    """
    finish = _Partial.finish

    def finish_somehow(partial: _Partial, *args: Any, **kwargs: Any) -> Any:
        try:
            return finish(partial, *args, **kwargs)
        except StoreError:
            return finish(partial, *args, **kwargs)

    monkeypatch.setattr(_Partial, "finish", finish_somehow)
    played = await play_on(UnsyncedArtifact(tmp_path / "disk"), inline=True)
    assert any("points to an artifact" in line for line in await wrong_after(tmp_path, played, 1))


# --- processes that are killed ----------------------------------------------------------------------


def kill_at(folder: Path, points: Iterable[int], form: str) -> list[int]:
    """Let a process die at each of these operations; those at which one did."""
    command = [sys.executable, "-m", "tests.disk.faults", str(folder), form, *map(str, points)]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, timeout=170)
    codes = dict(map(int, line.split()) for line in ended.stdout.splitlines())
    assert set(codes.values()) <= {0, -signal.SIGKILL}, ended.stdout
    return [point for point, code in codes.items() if code]


async def check_killed(folder: Path, points: Iterable[int], form: str) -> int:
    """Kill processes, and go on with what each of them left; how many there were."""
    killed = kill_at(folder, points, form)
    for point in killed:
        with (folder / f"{point}.facts").open() as log:
            facts = [fact_of(line) for line in log if line.endswith("\n")]
        assert await wrong_with(folder / str(point), facts) == [], f"killed at operation {point}"
    return len(killed)


@pytest.mark.parametrize("form", ["inline", "thread"])
async def test_a_process_that_is_killed(tmp_path: Path, form: str) -> None:
    """Before some writes, syncs and renames, and in the middle of some: nothing is lost, and another goes on."""
    points = sorted(Random(form).sample(range(1, 700), 10))
    assert await check_killed(tmp_path, points, form) > 6


@pytest.mark.long
@pytest.mark.parametrize("form", ["inline", "thread"])
@pytest.mark.parametrize("part", range(2))
async def test_a_process_that_is_killed_anywhere(tmp_path: Path, form: str, part: int) -> None:
    """The same at every fourth operation: more than 500 in all."""
    assert await check_killed(tmp_path, range(1 + part * 4, ALL_POINTS, 8), form) > 100
