"""A disk that is full for a while, as this process is told or in truth; run in a process of its own."""

import asyncio
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from segue.errors import StoreError, StoreFull
from segue.testing import Ledger, ManualClock
from tests.disk.faults import Persistent, persist
from tests.disk.recording import FIRST, open_parts, with_small_log, wrong_with
from tests.disk.story import Story

REFUSALS = 5
"""So often the disk is full before there is room again."""


class Refusals(list[StoreError]):
    """The errors that callers saw; makes room after some of them."""

    def __init__(self, make_room: Callable[[], None]) -> None:
        super().__init__()
        self._make_room = make_room

    def append(self, error: StoreError) -> None:
        super().append(error)
        if len(self) == REFUSALS:
            self._make_room()


async def play(folder: Path, fill: Callable[[], None], make_room: Callable[[], None]) -> list[StoreError]:
    """The story on a disk that fills up after its first part; what its callers heard. Raises if anything is wrong."""
    clock = ManualClock()
    errors = Refusals(make_room)
    store, artifacts = open_parts(folder, "durable", clock)
    await store.open()
    ledger = Ledger()
    story = Story(ledger.watch(Persistent(store, errors)), Persistent(artifacts, errors), clock, FIRST)  # type: ignore[arg-type]
    await story.play(1)
    fill()
    await story.play(4)
    reread = await persist(lambda: store.list_runs(100), errors)
    await store.close()
    assert len(reread) == 7
    problems = await wrong_with(folder, ledger.facts)
    assert problems == [], problems
    return errors


def limit(size: int) -> None:
    """Let no file of this process grow beyond a size."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))


def fill_up(folder: Path) -> None:
    """Leave not one byte on the disk that holds a folder."""
    with (folder / "ballast").open("wb", buffering=0) as ballast:
        for size in (65_536, 4_096, 1):
            try:
                while True:
                    ballast.write(bytes(size))
            except OSError:
                pass


def main() -> None:
    """`python -m tests.disk.full FOLDER told|true`."""
    folder, form = Path(sys.argv[1]), sys.argv[2]
    with_small_log(pytest.MonkeyPatch())
    if form == "told":
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        course = play(folder, lambda: limit(2_000), lambda: limit(most))
    else:
        course = play(folder, lambda: fill_up(folder), lambda: os.unlink(folder / "ballast"))
    errors = asyncio.run(course)
    assert len(errors) >= REFUSALS, errors
    assert all(isinstance(error, StoreFull) and error.remedy for error in errors), errors


if __name__ == "__main__":
    main()
