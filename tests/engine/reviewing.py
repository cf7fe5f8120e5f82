"""A program that a test kills around a review: what runs is noted in a file, once for each time."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from segue import Review, Segue, agent, ctx, workflow
from segue.stores.urls import StoreParts, open_store

LOG = Path(os.environ.get("REVIEW_LOG", "review.log"))
KEY = "the letter"


def note() -> None:
    """Write down that a task runs."""
    with LOG.open("a") as log:
        log.write(f"{ctx.task}\n")


@agent(review=Review(by="ann"))
async def draft(text: str) -> str:
    note()
    return text.upper()


@agent(review=Review(by="ann", expires="600ms", then="approve"))
async def hasty(text: str) -> str:
    note()
    return text.upper()


@agent
async def send(text: str) -> str:
    note()
    return f"sent {text}"


@workflow
def letter(text: str) -> str:
    return send(draft(text))


@workflow
def hasty_letter(text: str) -> str:
    return send(hasty(text))


def die() -> None:
    """As with `kill -9`."""
    os.kill(os.getpid(), signal.SIGKILL)


def deadly(path: str, point: str) -> StoreParts:
    """A store whose process dies before a decision is written, or after."""
    parts = open_store(path)
    store: Any = parts.store
    review = store.review

    async def die_around(decision: Any) -> Any:
        if point == "before":
            die()
        verdict = await review(decision)
        if point == "after":
            die()
        return verdict

    store.review = die_around
    return parts


async def main(path: str, phase: str, point: str, name: str) -> None:
    """Play one phase of the story, and die at a point of it."""
    match phase:
        case "ask" | "finish":
            asked = letter if name == "letter" else hasty_letter
            async with Segue(path, agents=[asked]) as segue:
                handle = await segue.with_(key=KEY).submit(asked, "dear all")
                if phase == "ask":
                    await wait_for_review(segue, handle.run)
                    die()
                await segue.wait(handle.run, "send")
                sys.stdout.write(await handle.result() + "\n")
        case "decide":
            async with Segue(deadly(path, point), worker=False) as segue:
                (shown,) = await segue.reviews()
                await segue.review(shown.run, shown.task, digest=shown.digest, approve=True, by="ann")
        case "sweep":
            async with Segue(deadly(path, point), lease_seconds=0.5) as segue:
                (run,) = await segue.host.store.list_runs(1)
                await segue.wait(run.run, "send")


async def wait_for_review(segue: Segue, run: str) -> None:
    """Until the run can only go on by a person."""
    async for _ in segue.events(run, names=["run.needs_review"]):
        return


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
