"""
A hand-off that a person has to approve before anybody gets it.

With `review=` everything that an agent hands over waits: in the store, not in a process, so the decision can come a day
later and from another program. It is bound to the digest of what was shown, and is a version of its own, with the name
of whoever made it. An agent that is not sure can ask for a review itself, with `status="needs_review"`.

It prints:

    draft waits for Ana or Ben: "Dear customer, no."
    approved by Ana as version 2
    sent: Dear customer, no.
"""

from __future__ import annotations

import asyncio

from segue import Handoff, Review, ReviewNeeded, Segue, agent, workflow


@agent(review=Review(by=("Ana", "Ben"), expires="24h", then="reject"))
def draft(letter: str) -> Handoff[str]:
    return Handoff("Dear customer, no.", confidence=0.4, next_step="check the tone")


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
            (shown,) = await segue.reviews(handle.run)
            print(f'{shown.task} waits for {" or ".join(shown.by)}: "{shown.output}"')
            note = "short, but true"
            await segue.review(handle.run, shown.task, digest=shown.digest, approve=True, by="Ana", note=note)
        approved = await handle.handoff("draft")
        print(f"approved by Ana as version {approved.sent.version}")
        print(await handle.result())


if __name__ == "__main__":
    asyncio.run(main())
