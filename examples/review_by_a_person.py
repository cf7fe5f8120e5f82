"""
A hand-off that a person has to approve before anybody gets it.

An agent that is not sure returns `status="needs_review"`. The run then waits: in the store, not in a process, so the
decision can come a week later and from another program. The decision is a version of its own, with the name of whoever
made it.

It prints:

    waiting for a person: draft, version 1, "Dear customer, no."
    approved by Ana as version 2
    sent: Dear customer, no.
"""

from __future__ import annotations

import asyncio

from segue import Handoff, ReviewNeeded, Segue, agent, workflow


@agent
def draft(letter: str) -> Handoff[str]:
    return Handoff("Dear customer, no.", confidence=0.4, status="needs_review", next_step="check the tone")


@agent
def send(answer: str) -> str:
    return f"sent: {answer}"


@workflow
def answer(letter: str) -> str:
    return send(draft(letter))


async def main() -> None:
    async with Segue("segue.db") as segue:
        handle = await segue.submit(answer, "Can I have my money back?")
        try:
            await handle.result()
        except ReviewNeeded:
            waiting = await handle.handoff("draft")
            print(f'waiting for a person: draft, version {waiting.sent.version}, "{waiting.output}"')
        await handle.decide("draft", approve=True, by="Ana", note="short, but true")
        approved = await handle.handoff("draft")
        print(f"approved by Ana as version {approved.sent.version}")
        print(await handle.result())


if __name__ == "__main__":
    asyncio.run(main())
