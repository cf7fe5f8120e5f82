"""
Watching a run while it goes on, from a cursor.

Events are read from the store, so any number of observers see the same, in any process, also after the fact. Patterns
choose: `task.complete` is every agent's completion, `task.write.*` everything about one agent, `run.*` the run itself.
Whoever keeps `event.cursor` can go on later exactly where it stopped.

It prints:

    1 run.started
    4 task.research.complete research
    6 task.write.complete write
    7 run.complete
    the same from the store, after the fact: True
    after the cursor of the third: ['run.complete']
"""

from __future__ import annotations

import asyncio

from segue import Event, Segue, agent, workflow

PATTERNS = ("run.*", "task.complete")


@agent
async def research(topic: str) -> list[str]:
    return ["price", "speed"]


@agent
async def write(aspects: list[str]) -> str:
    return ", ".join(aspects)


@workflow
def report(topic: str) -> str:
    return write(research(topic))


async def main() -> None:
    async with Segue("segue.db") as segue:
        handle = await segue.submit(report, "databases")
        seen: list[Event] = []
        async for event in segue.events(handle.run, names=PATTERNS):  # ends with the run
            seen.append(event)
            print(*(each for each in (event.sequence, event.name, event.task) if each is not None))
        again = [event async for event in segue.events(handle.run, names=PATTERNS)]
        print("the same from the store, after the fact:", again == seen)
        rest = [event.name async for event in segue.events(handle.run, names=PATTERNS, after=seen[2].cursor)]
        print("after the cursor of the third:", rest)


if __name__ == "__main__":
    asyncio.run(main())
