"""`segue worker` in processes of their own, as a test starts, hears and stops them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FLOWS = '''
import asyncio
from pathlib import Path

from segue import agent, condition, ctx, workflow


def note():
    """Write down that an attempt runs."""
    with Path("ran.log").open("a") as log:
        log.write(f"{ctx.run} {ctx.task}\\n")


@agent
async def start(text: str) -> list[int]:
    note()
    return list(range(len(text)))


@agent
def double(number: int) -> int:
    note()
    return 2 * number


@agent
async def total(numbers: list[int]) -> int:
    note()
    return sum(numbers)


@workflow
def sums(text: str) -> int:
    return total(double.map(start(text)))


@agent
def gated(text: str) -> str:
    """Runs until somebody opens the gate."""
    note()
    print("gated runs", flush=True)
    return text + Path("gate").read_text()


@agent
async def after(text: str) -> str:
    note()
    return text


@workflow
def gate(text: str) -> str:
    return after(gated(text))


@agent
async def endless(text: str) -> str:
    note()
    await asyncio.Event().wait()
    return text


@workflow
def forever(text: str) -> str:
    return endless(text)
'''


class Worker:
    """A `segue worker --json` and the events that it has told so far."""

    def __init__(self, *arguments: str, folder: Path | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "segue", "worker", *arguments, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
        )
        self.told: list[dict[str, Any]] = []

    def until(self, event: str, **expected: str) -> dict[str, Any]:
        """Hear what it tells until it is this."""
        for told in self._hear():
            if told["event"] == event and expected.items() <= told.items():
                return told
        raise AssertionError(f"it ended before {event}: {self.told}\n{self.process.stderr.read()}")  # type: ignore[union-attr]

    def ended(self) -> int:
        """Its exit code, when it has told everything."""
        with self.process:
            list(self._hear())
            assert self.process.stderr is not None
            said = self.process.stderr.read().replace("gated runs", "").strip()
            assert said == "", "nothing but what agents print"
        return self.process.returncode

    @property
    def claimed(self) -> list[tuple[str, str]]:
        """Run and task of everything that it claimed."""
        return [(told["run"], told["task"]) for told in self.told if told["event"] == "claimed"]

    def _hear(self) -> Iterator[dict[str, Any]]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.told.append(json.loads(line))
            yield self.told[-1]


def ran(folder: Path) -> list[tuple[str, ...]]:
    """Run and task of every attempt that ran, in all processes."""
    return [tuple(line.split()) for line in (folder / "ran.log").read_text().splitlines()]
