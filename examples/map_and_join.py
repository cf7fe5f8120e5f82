"""
One task for each element of a list that only the run knows, and a join that gets all results in order.

`concurrency=2` lets two of them run at once in this process. The join starts when the last one has handed over; what is
not needed for it does not hold it up.

It prints:

    3 texts, 6 words: ONE, TWO WORDS, THREE WHOLE WORDS
"""

from __future__ import annotations

import asyncio

from segue import Segue, agent, workflow


@agent
async def collect(source: str) -> list[str]:
    return ["one", "two words", "three whole words"]


@agent(concurrency=2)
def count(text: str) -> int:
    return len(text.split())


@agent
def shout(text: str) -> str:
    return text.upper()


@agent
def join(counts: list[int], shouted: list[str]) -> str:
    return f"{len(counts)} texts, {sum(counts)} words: {', '.join(shouted)}"


@workflow
def words(source: str) -> str:
    texts = collect(source)
    return join(count.map(texts), shout.map(texts))


async def main() -> None:
    async with Segue("segue.db") as segue:
        print(await segue.run(words, "somewhere"))


if __name__ == "__main__":
    asyncio.run(main())
