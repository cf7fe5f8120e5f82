"""
One weak agent does not take the run down: a fallback, a quorum, and a dead letter that is tried again.

Three reviewers read a text. One of them always fails, and another agent takes over; one fails for good, and the verdict
needs only two. The run is complete, the failure is on record, and the last reviewer is asked again when it is back.

It prints:

    ann: fine; bea: fine (read by a smaller model)
    the run is complete
    failed: review[2], because carl is away
    asked again: review[2]
    complete: review[2]
"""

from __future__ import annotations

import asyncio

from segue import Quorum, Segue, agent, workflow

away = {"carl"}


@agent
async def small_model(reviewer: str, text: str) -> str:
    if reviewer in away:
        raise ConnectionError(f"{reviewer} is away")
    return f"{reviewer}: fine (read by a smaller model)"


@agent(retries=1, backoff="10ms", fallback=small_model)
async def review(reviewer: str, text: str) -> str:
    if reviewer != "ann":
        raise ConnectionError(f"the large model has no place for {reviewer}")
    return f"{reviewer}: fine"


@agent(on_failure=Quorum(2))
async def verdict(reviews: list[str]) -> str:
    return "; ".join(sorted(reviews))


@workflow
def approve(reviewers: list[str], text: str) -> str:
    return verdict(review.map(reviewers, text=text))


async def main() -> None:
    async with Segue("segue.db") as segue:
        handle = await segue.submit(approve, ["ann", "bea", "carl"], "A text.")
        print(await handle.result())
        print(f"the run is {await handle.state()}")
        failed = await handle.handoff("review[2]")
        print(f"failed: review[2], because {failed.error.message if failed.error else 'unknown'}")
        away.clear()
        again = await handle.retry("review[2]", by="ann", reason="carl is back")
        print(f"asked again: {', '.join(again.tasks)}")
        await handle.result()
        print(f"{(await handle.handoff('review[2]')).status}: review[2]")


if __name__ == "__main__":
    asyncio.run(main())
