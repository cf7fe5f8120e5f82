"""
A program that dies at a point: agents that think (a paid step) and pay (an effect), for several orders side by side.

    shopping.py FOLDER POINT... [--forget]

For each point a process of its own works in a folder of its own below FOLDER and kills itself with SIGKILL when it has
passed so many points: before and after each commit of its store, and around each payment and each thought. A point can
also be a payment, such as `pay 3`: the process dies right after it. What was really paid and thought is written to the
file `outside`, which no crash takes back. With `--forget` the intents of effects are not written: the mutant that the
proof must catch.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from pathlib import Path
from typing import Any

from segue import Segue, agent, ctx, workflow
from segue.engine.abilities.effects import Effect
from segue.stores.sqlite.file.committing import Committer

ORDERS = 24
KEY = "the one"

_passed = itertools.count(1)
_kill_at = ""
_outside = Path("outside")


def point(name: str = "") -> None:
    """One more place at which the process may die."""
    if str(next(_passed)) == _kill_at or name == _kill_at != "":
        os.kill(os.getpid(), signal.SIGKILL)


def really(what: str) -> None:
    """Something happens in the world outside, and stays."""
    point()
    with _outside.open("a") as world:
        world.write(f"{what}\n")
    point(what)


async def think(number: int) -> str:
    """A model call that costs money."""
    really(f"think {number}")
    return f"order {number}"


def pay(order: str, *, idempotency_key: str) -> str:
    """A payment at a service that would take it twice."""
    really(f"pay {idempotency_key}")
    return f"receipt for {order}"


@agent
async def buy(number: int) -> str:
    order = await ctx.step("think", think, number)
    async with ctx.effect("charge", key=str(number)) as charge:
        return await charge.once(pay, order)


@agent
def buy_in_thread(number: int) -> str:
    order = ctx.step("think", think, number).wait()
    with ctx.effect("charge", key=str(number)) as charge:
        return charge.once(pay, order).wait()


@workflow
def shopping(numbers: list[int], others: list[int]) -> tuple[list[str], list[str]]:
    return buy.map(numbers), buy_in_thread.map(others)


async def work(folder: Path) -> None:
    """Run all orders once, or go on with them."""
    async with Segue(folder / "segue.db", durability="fast", agents=[shopping], concurrency=2) as segue:
        await segue.with_(key=KEY).run(shopping, list(range(0, ORDERS, 2)), list(range(1, ORDERS, 2)))


def die_around_commits() -> None:
    """Before and after each transaction of the store is a point."""
    commit = Committer.commit

    def commit_and_maybe_die(self: Committer, operations: Any, *, wait: bool) -> list[Any]:
        point()
        answers = commit(self, operations, wait=wait)
        point()
        return answers

    Committer.commit = commit_and_maybe_die  # type: ignore[method-assign]


def forget_intents() -> None:
    """The mutant: an intent is written only together with its outcome, when it is too late."""
    write_done = Effect._write_done

    async def begin(self: Effect, *before: Any) -> None:
        self._is_open = True

    async def late(self: Effect, kept: Any) -> None:
        await self._notebook.write(self._draft("begun"))
        await write_done(self, kept)

    Effect._begin, Effect._write_done = begin, late  # type: ignore[method-assign]


def run_until(point_to_die: str, folder: Path) -> int:
    """Run in a process of its own, which dies at a point; how it ended."""
    process = os.fork()
    if process:
        return os.waitpid(process, 0)[1]
    global _kill_at, _outside
    folder.mkdir(parents=True)
    _kill_at, _outside = point_to_die, folder / "outside"
    asyncio.run(work(folder))
    os._exit(0)


def main(folder: Path, points: list[str]) -> None:
    """Die at each of the points, and say how many processes came to theirs."""
    died = [run_until(point, folder / point) for point in points]
    killed = [status for status in died if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL]
    sys.stdout.write(f"{len(killed)}\n")


if __name__ == "__main__":
    die_around_commits()
    if "--forget" in sys.argv:
        forget_intents()
    main(Path(sys.argv[1]), [each for each in sys.argv[2:] if each != "--forget"])
