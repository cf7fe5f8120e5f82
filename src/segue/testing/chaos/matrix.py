"""Every fault at both sides of every commit, each in a store of its own: a matrix of fault by invariant."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from segue.errors import SegueError
from segue.ports.clock import Clock
from segue.testing.chaos.cell import Cell, run_cell
from segue.testing.chaos.failpoint import DISK, SIDES, VERBS, Failpoint, Fault, Verb

SMALL_DISK_BYTES = 64 * 1024 * 1024
"""The disk that is filled: room for a store's log and little more."""

# In a name space of its own a user may mount a disk in memory; it goes away with the last process in there.
_ON_A_SMALL_DISK = (
    f'mount -t tmpfs -o size={SMALL_DISK_BYTES} segue-chaos "$1/{DISK}" && '
    'exec "$2" -m segue.testing.chaos.cell "$1" "$3" "$4"'
)


def failpoints() -> list[Failpoint]:
    """All rows of the matrix."""
    faults: tuple[Fault, ...] = ("kill", "stop", "lost")
    rows = [Failpoint(verb, side, fault) for verb in VERBS for side in SIDES for fault in faults]
    writers: tuple[Verb, ...] = ("register_worker", "submit", "artifact", "settle")
    return [*rows, *(Failpoint(verb, "before", "full") for verb in writers)]


async def run_matrix(
    rows: Sequence[Failpoint], durability: str, clock: Clock, jobs: int, folder: Path | None = None
) -> AsyncIterator[Cell]:
    """The rows as they come to an end, `jobs` at a time, each in a folder of its own below `folder`."""
    gate = asyncio.Semaphore(jobs)

    async def row(failpoint: Failpoint) -> Cell:
        async with gate:
            with tempfile.TemporaryDirectory(prefix="segue-chaos-", dir=folder) as place:
                if failpoint.fault == "full":
                    return await _on_small_disk(failpoint, Path(place), durability)
                return await run_cell(failpoint, Path(place), durability, clock)

    running = [asyncio.ensure_future(row(failpoint)) for failpoint in rows]
    try:
        for ended in asyncio.as_completed(running):
            yield await ended
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def small_disk_is_there() -> bool:
    """Whether a disk can be made here for the sake of filling it."""
    return sys.platform == "linux" and shutil.which("unshare") is not None


async def _on_small_disk(failpoint: Failpoint, folder: Path, durability: str) -> Cell:
    if not small_disk_is_there():
        return Cell(
            str(failpoint), False, 0.0, {}, "there is no way here to make a small disk (unshare, mount)"
        )
    (folder / DISK).mkdir()
    process = await asyncio.create_subprocess_exec(
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        _ON_A_SMALL_DISK,
        "sh",
        str(folder),
        sys.executable,
        str(failpoint),
        durability,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told, complaints = await process.communicate()
    words = complaints.decode(errors="replace").strip()
    if not told:
        if "mount" in words or "unshare" in words:
            return Cell(str(failpoint), False, 0.0, {}, f"no small disk could be made: {words}")
        raise SegueError(f"the row {failpoint} ended with {process.returncode}: {words}")
    return Cell(*json.loads(told))
