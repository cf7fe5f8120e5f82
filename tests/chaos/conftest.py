"""A small store that a worker process filled, to be judged."""

import asyncio
import shutil
from pathlib import Path

import pytest

from segue.ports.clock import SystemClock
from segue.testing.chaos.cell import DISK
from segue.testing.chaos.crew import Crew

NUMBERS = (1, 2)


def crew_in(folder: Path) -> Crew:
    """A crew whose store and notes are in a folder."""
    (folder / DISK).mkdir(parents=True, exist_ok=True)
    return Crew(str(folder / DISK / "segue.db"), folder, "fast", 2.0, 0.0, SystemClock())


@pytest.fixture(scope="session")
def worked_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a worker leaves that ran the story twice."""
    crew = crew_in(tmp_path_factory.mktemp("worked"))

    async def work() -> None:
        member = await crew.start(runs=NUMBERS)
        assert await member.ended() == 0, crew.said()

    asyncio.run(work())
    return crew.folder


@pytest.fixture
def worked(worked_once: Path, tmp_path: Path) -> Crew:
    """The same, to be harmed."""
    shutil.copytree(worked_once, tmp_path / "copy")
    return crew_in(tmp_path / "copy")
