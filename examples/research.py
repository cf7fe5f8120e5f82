"""
Parallel research, and a writer that does not wait for all of it.

`price` and `risks` run at the same time. `write` needs the risks and takes the prices as `Later`: it drafts its outline
while the prices are still on their way, and gives its slot to others where it awaits them. What an agent asks for says
how much crosses: `Handoff[T]` brings the sender's reasoning, `Ref[T]` a summary and a pointer.

It prints:

    outline of 2 risks, before the prices were there
    2 competitors (sure to 87%): Acme 12.5, Bolt 19.0. Risks: Acme was sold in May; Bolt has one customer.
"""

from __future__ import annotations

import asyncio

from pydantic import BaseModel

from segue import Handoff, Later, Ref, Segue, agent, workflow

outline_is_ready = asyncio.Event()  # only here to show that the writer starts first


class Findings(BaseModel):
    competitors: list[str]


class Prices(BaseModel):
    monthly: dict[str, float]


@agent(timeout="2m", retries=2)
async def research(goal: str) -> Handoff[Findings]:
    return Handoff(
        Findings(competitors=["Acme", "Bolt"]),
        summary="2 competitors",
        confidence=0.87,
        decisions=["left out free tools"],
    )


@agent
async def price(found: Findings) -> Prices:
    await outline_is_ready.wait()
    return Prices(monthly=dict(zip(found.competitors, [12.5, 19.0], strict=True)))


@agent
async def risks(found: Handoff[Findings]) -> list[str]:
    assert found.decisions == ("left out free tools",)
    return ["Acme was sold in May", "Bolt has one customer"]


@agent
async def write(found: Ref[Findings], prices: Later[Prices], risks: list[str]) -> str:
    print(f"outline of {len(risks)} risks, before the prices were there")
    outline_is_ready.set()
    monthly = (await prices).monthly
    told = ", ".join(f"{name} {amount}" for name, amount in monthly.items())
    return f"{found.summary} (sure to {found.confidence:.0%}): {told}. Risks: {'; '.join(risks)}."


@workflow
def compare(goal: str) -> str:
    found = research(goal)
    return write(found, price(found), risks(found))


async def main() -> None:
    async with Segue("segue.db") as segue:
        print(await segue.run(compare, "Compare prices of developer tools"))


if __name__ == "__main__":
    asyncio.run(main())
