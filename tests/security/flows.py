"""Agents that leave one of everything in a store."""

from segue import Artifact, Handoff, agent, ctx, workflow


@agent
async def asked(goal: str) -> Handoff[list[str]]:
    answer = await ctx.step("ask", answer_to, goal)
    page = await Artifact.write(answer * 100, media_type="text/plain")
    return Handoff([answer, goal], summary="two words", decisions=["left one out"], artifacts=[page])


async def answer_to(goal: str) -> str:
    return f"answer to {goal}"


@agent
def counted(word: str) -> int:
    return len(word)


@agent
async def total(numbers: list[int]) -> int:
    return sum(numbers)


@workflow
def flow(goal: str) -> int:
    return total(counted.map(asked(goal)))
