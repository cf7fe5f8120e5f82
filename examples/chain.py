"""
A chain of two plain functions: the smallest workflow there is.

`research` is `async def` and runs in the event loop; `write` is `def` and runs in a thread. Calling them inside the
workflow draws the graph; `segue.run` runs it. What each of them returned is in `segue.db` afterwards.

It prints:

    Two things about databases:
    - price
    - speed
"""

from __future__ import annotations

import asyncio

from segue import Segue, agent, workflow


@agent
async def research(topic: str) -> list[str]:
    return ["price", "speed"]


@agent
def write(topic: str, aspects: list[str]) -> str:
    return "\n".join([f"Two things about {topic}:", *(f"- {aspect}" for aspect in aspects)])


@workflow
def report(topic: str) -> str:
    return write(topic, research(topic))


async def main() -> None:
    async with Segue("segue.db") as segue:
        print(await segue.run(report, "databases"))


if __name__ == "__main__":
    asyncio.run(main())
