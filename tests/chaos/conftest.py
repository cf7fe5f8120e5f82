"""A small store that a worker process filled, to be judged."""

import asyncio
from pathlib import Path

import pytest

from segue.ports.clock import SystemClock
from segue.testing.chaos.cell import DISK
from segue.testing.chaos.crew import Crew

NUMBERS = (1, 2)


@pytest.fixture
def crew(tmp_path: Path) -> Crew:
    """A crew on a new store of its own."""
    (tmp_path / DISK).mkdir()
    return Crew(str(tmp_path / DISK / "segue.db"), tmp_path, "fast", 2.0, 0.0, SystemClock())


@pytest.fixture
def worked(crew: Crew) -> Crew:
    """The same, after two runs of the story."""

    async def work() -> None:
        member = await crew.start(runs=NUMBERS)
        assert await member.ended() == 0, crew.said()

    asyncio.run(work())
    return crew
