"""
Steps that run only if they are needed.

`agent.when(...)` takes a field that is true or false, or the call of an `@condition` function. It is evaluated once, in
the run, and recorded. What is skipped hands nothing over: a dependent that accepts `None` runs all the same, any other
is skipped too.

It prints:

    small change: published, reviewed by nobody
    large change: published, reviewed by two people
"""

from __future__ import annotations

import asyncio

from pydantic import BaseModel

from segue import Segue, agent, condition, workflow


class Change(BaseModel):
    name: str
    lines: int


@agent
def describe(name: str, lines: int) -> Change:
    return Change(name=name, lines=lines)


@condition
def is_large(change: Change) -> bool:
    return change.lines > 100


@agent
def review(change: Change) -> str:
    return "two people"


@agent
def publish(change: Change, reviewers: str | None) -> str:
    return f"{change.name}: published, reviewed by {reviewers or 'nobody'}"


@workflow
def release(name: str, lines: int) -> str:
    change = describe(name, lines)
    return publish(change, review.when(is_large(change))(change))


async def main() -> None:
    async with Segue("segue.db") as segue:
        print(await segue.run(release, "small change", lines=3))
        print(await segue.run(release, "large change", lines=300))


if __name__ == "__main__":
    asyncio.run(main())
