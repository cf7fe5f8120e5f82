"""
Large content beside the envelope, not in it.

Bytes go to the artifact store; the hand-off holds a pointer with their digest, so they are stored once, however many
agents get the pointer, and verified when they are read. A value that is simply too large (above 8 KB of JSON) becomes
an artifact by itself: the agent that asks for it gets the whole value all the same.

It prints:

    the pointer: text/csv, 48894 bytes
    10000 numbers, the last one is 9999
    the same bytes again: True
    the value of 10000 numbers crossed in an envelope of less than 1 KB: True
"""

from __future__ import annotations

import asyncio

from pydantic import BaseModel

from segue import Artifact, Handoff, Segue, agent, workflow


class Table(BaseModel):
    rows: int
    content: Artifact


@agent
async def produce(rows: int) -> Table:
    text = "".join(f"{row}\n" for row in range(rows))
    return Table(rows=rows, content=await Artifact.write(text.encode() + b"end\n", media_type="text/csv"))


@agent
def parse(table: Table) -> list[int]:
    print(f"the pointer: {table.content.media_type}, {table.content.size} bytes")
    lines = table.content.text().wait().splitlines()  # `def` agents wait, `async def` agents await
    return [int(line) for line in lines[:-1]]


@agent
async def last(numbers: list[int]) -> str:
    return f"{len(numbers)} numbers, the last one is {numbers[-1]}"


@workflow
def count(rows: int) -> tuple[Table, str]:
    table = produce(rows)
    return table, last(parse(table))


async def main() -> None:
    async with Segue("segue.db") as segue:
        handle = await segue.submit(count, 10_000)
        table, told = await handle.result()
        print(told)
        again = await table.content.read()
        print("the same bytes again:", again.startswith(b"0\n1\n2\n"))
        parsed: Handoff[list[int]] = await handle.handoff("parse")
        small = parsed.sent.size_bytes < 1024
        print(f"the value of {len(parsed.output)} numbers crossed in an envelope of less than 1 KB: {small}")


if __name__ == "__main__":
    asyncio.run(main())
