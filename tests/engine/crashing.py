"""A program that a test kills: a diamond with a chain, each task noted in a file when it runs."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from segue import Segue, agent, ctx, workflow

LOG = Path(os.environ.get("CRASH_LOG", "crash.log"))
KILL_AT = os.environ.get("CRASH_AT", "")


def note() -> None:
    """Write down that a task runs, and die if it is the one to die in."""
    with LOG.open("a") as log:
        log.write(f"{ctx.task}\n")
    if ctx.task == KILL_AT:
        os.kill(os.getpid(), signal.SIGKILL)


@agent
async def start(text: str) -> list[int]:
    note()
    return [1, 2, 3]


@agent
async def left(number: int) -> int:
    note()
    return number * 10


@agent
def right(numbers: list[int]) -> int:
    note()
    return sum(numbers)


@agent
async def join(lefts: list[int], right: int) -> int:
    note()
    return sum(lefts) + right


@agent
async def end(total: int) -> str:
    note()
    return f"total {total}"


@workflow
def diamond(text: str) -> str:
    numbers = start(text)
    return end(join(left.map(numbers), right(numbers)))


async def main(store: str, durability: str) -> None:
    """Run the diamond once, or go on with it."""
    async with Segue(store, durability=durability, agents=[diamond], concurrency=1) as segue:  # type: ignore[arg-type]
        sys.stdout.write(await segue.with_(key="the one").run(diamond, "x") + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
