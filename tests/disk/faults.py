"""A disk that fails at a chosen operation, or takes its process with it; and callers who try again."""

import asyncio
import json
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, get_args

import apsw
import pytest

from segue.errors import StoreError
from segue.stores.sqlite import Durability
from segue.testing import Ledger, ManualClock
from segue.testing.ledger import Fact
from tests.disk.layer import Disk
from tests.disk.recording import FIRST, open_parts, with_small_log
from tests.disk.story import Story

FACTS: dict[str, type[Fact]] = {each.__name__: each for each in get_args(Fact)}
WRITING = frozenset({"create", "write", "sync", "truncate", "rename", "unlink", "mkdir"})
"""What may fail for want of room, or end half-way."""
READING = frozenset({"open", "read", "lock"})


class FailingDisk(Disk):
    """Lets operations fail: those of some kinds, from the `first` of them on, `count` of them in a row."""

    def __init__(self, root: Path, kinds: frozenset[str], first: int, count: int, error: int) -> None:
        super().__init__(root)
        root.mkdir(parents=True)
        self._kinds = kinds
        self._first = first
        self._past = first + count
        self._error = error
        self._works = False
        self.seen = 0
        self.failed: list[str] = []

    def before(self, what: str, path: Path, half: Callable[[], object] | None = None) -> None:
        if what not in self._kinds or self._works:
            return
        self.seen += 1
        if self._first <= self.seen < self._past:
            self.failed.append(f"{what} of {path.name}")
            raise OSError(self._error, os.strerror(self._error), str(path))

    def heal(self) -> None:
        self._works = True


class DeadlyDisk(Disk):
    """Kills the process before an operation, or in the middle of it."""

    def __init__(self, root: Path, at: int) -> None:
        super().__init__(root)
        self._at = at
        self._seen = 0

    def before(self, what: str, path: Path, half: Callable[[], object] | None = None) -> None:
        if what not in WRITING:
            return
        self._seen += 1
        if self._seen == self._at:
            os.kill(os.getpid(), signal.SIGKILL)
        if half is not None:
            self._seen += 1
            if self._seen == self._at:
                half()
                os.kill(os.getpid(), signal.SIGKILL)


class Persistent:
    """
    A store, or artifacts, whose callers repeat each call that failed, just as it was, until it succeeds.

    Only errors of the tree are taken, and `errors` has them all.
    """

    def __init__(self, inner: Any, errors: list[StoreError]) -> None:
        self._inner = inner
        self._errors = errors

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await persist(lambda: found(*args, **kwargs), self._errors)

        return call


async def persist(call: Callable[[], Awaitable[Any]], errors: list[StoreError]) -> Any:
    """Repeat a call that raises StoreError until it succeeds, or until it clearly never will."""
    for _ in range(200):
        try:
            return await call()
        except StoreError as error:
            errors.append(error)
        except apsw.IOError as error:
            if not _was_closing(error):
                raise
    raise AssertionError(f"this never ends: {errors[-1]!r}")


def _was_closing(error: apsw.Error) -> bool:
    """SQLite ignores what fails while it closes a file; an error that was raised in Python comes out all the same."""
    return "Connection.close" in {frame.name for frame in traceback.extract_tb(error.__traceback__)}


async def play(
    disk: Disk, *, inline: bool, durability: Durability = "durable", ledger: Ledger
) -> list[StoreError]:
    """The story on a disk that may fail, with callers who do not give up; the errors that they saw."""
    errors: list[StoreError] = []
    clock = ManualClock()
    store, artifacts = open_parts(disk.root, durability, clock)
    store.idle = lambda: inline
    with disk.watching():
        await persist(store.open, errors)
        watched = ledger.watch(Persistent(store, errors))  # type: ignore[arg-type]
        await Story(watched, Persistent(artifacts, errors), clock, FIRST).play(2)  # type: ignore[arg-type]
        disk.heal()
        await store.close()
    return errors


def fact_line(fact: Fact) -> str:
    """A fact as a line of text."""
    return json.dumps([type(fact).__name__, *fact]) + "\n"


def fact_of(line: str) -> Fact:
    """The fact in a line."""
    kind, *values = json.loads(line)
    return FACTS[kind](*values)


def live_and_die(root: Path, at: int, *, inline: bool) -> None:
    """In a process of its own: play the story until the disk kills it; each fact goes into a file as it comes."""
    root.mkdir()
    log = os.open(root.with_suffix(".facts"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    ledger = Ledger(lambda fact: os.write(log, fact_line(fact).encode()))
    asyncio.run(play(DeadlyDisk(root, at), inline=inline, ledger=ledger))


def main() -> None:
    """Fork a process for each of some operations: `python -m tests.disk.faults FOLDER inline|thread OPERATION...`."""
    folder, form, *points = sys.argv[1:]
    with_small_log(pytest.MonkeyPatch())
    for point in points:
        child = os.fork()
        if child == 0:
            try:
                live_and_die(Path(folder) / point, int(point), inline=form == "inline")
            except BaseException:  # noqa: BLE001 (nothing of the parent's may run in the child)
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{point} {os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()
        if not status:
            return  # there are no more operations than that


if __name__ == "__main__":
    main()
