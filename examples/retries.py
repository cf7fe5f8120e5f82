"""
An agent that fails and is tried again, and one that fails for good.

A failed attempt is not a hand-off: `flaky` leaves one hand-off, version 1, made by its third attempt. `broken` uses its
tries up and fails; what depends on it is skipped with the cause, and the rest of the run goes on to its end.

It prints:

    attempt 1
    attempt 2
    attempt 3
    failed: broken, because ValueError: no such customer
    flaky handed over "here it is" as version 1
"""

from __future__ import annotations

import asyncio

from segue import RunFailed, Segue, agent, ctx, workflow


@agent(retries=3, backoff="10ms", timeout="30s")
async def flaky(question: str) -> str:
    print(f"attempt {ctx.attempt}")
    if ctx.attempt < 3:
        raise ConnectionError("the line is busy")
    return "here it is"


@agent
async def broken(question: str) -> str:
    raise ValueError("no such customer")


@agent
async def answer(first: str, second: str) -> str:
    return f"{first}, {second}"


@workflow
def ask(question: str) -> str:
    return answer(flaky(question), broken(question))


async def main() -> None:
    async with Segue("segue.db") as segue:
        handle = await segue.submit(ask, "who is it?")
        try:
            await handle.result()
        except RunFailed as error:
            for task, reason in error.failures.items():
                print(f"failed: {task}, because {reason}")
        kept = await handle.handoff("flaky")
        print(f'flaky handed over "{kept.output}" as version {kept.sent.version}')


if __name__ == "__main__":
    asyncio.run(main())
