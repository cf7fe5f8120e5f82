"""Agents that keep a store busy."""

from segue import Artifact, agent, workflow


@agent
async def write(name: str) -> Artifact:
    return await Artifact.write(name * 1_000, media_type="text/plain")


@agent
async def shout(page: Artifact) -> str:
    return (await page.text())[:3].upper()


@workflow
def keep(name: str) -> str:
    return shout(write(name))
