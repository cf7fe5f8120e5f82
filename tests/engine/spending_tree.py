"""A program that a test kills: a tree of delegations three deep, each of which spends tokens that a file counts."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from segue import Segue, Spending, SpendingExceeded, UpstreamFailed, agent, ctx, workflow

LOG = Path(os.environ.get("CRASH_LOG", "spent.log"))
KILL_AFTER = int(os.environ.get("CRASH_AFTER", "0"))
CAP = 1000


def take(tokens: int) -> None:
    """What stands in the log is gone for good; die if it is the payment to die in."""
    with LOG.open("a") as log:
        log.write(f"{tokens}\n")
    if len(LOG.read_text().splitlines()) == KILL_AFTER:
        os.kill(os.getpid(), signal.SIGKILL)


async def pay(tokens: int) -> None:
    """Set tokens aside and take them."""
    async with ctx.spend(tokens=tokens) as spent:
        take(tokens)
        spent.tokens = tokens


@agent(losses=100)
async def leaf(tokens: int) -> int:
    for _ in range(3):
        await pay(tokens)
    return tokens


async def ask(target: object, count: int, share: int, **given: int) -> int:
    """Ask as often as the budget allows."""
    done = 0
    for _ in range(count):
        try:
            await ctx.delegate(target, budget=Spending(tokens=share), arguments=given)  # type: ignore[call-overload]
            done += 1
        except (SpendingExceeded, UpstreamFailed):
            break
    return done


@agent(losses=100)
async def middle(tokens: int) -> int:
    await pay(tokens)
    return await ask(leaf, 3, 3 * tokens, tokens=tokens)


@agent(losses=100)
async def top(tokens: int) -> int:
    await pay(tokens)
    return await ask(middle, 4, 10 * tokens, tokens=tokens)


@workflow
def tree(tokens: int) -> int:
    return top(tokens)


async def main(store: str) -> None:
    """Run the tree, or go on with it."""
    async with Segue(store, durability="fast", agents=[middle, leaf]) as segue:
        limited = segue.with_(key="tree", budget=Spending(tokens=CAP))
        await limited.run(tree, 30)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
