"""One row of the matrix: a fault at one point of one worker's life, others that go on, and what held."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from segue.app.segue import Segue
from segue.ports.clock import Clock, SystemClock
from segue.testing.chaos.crew import Crew, Member
from segue.testing.chaos.errand import DESKS
from segue.testing.chaos.failpoint import BALLAST, DISK, SPRUNG, Failpoint, parse_failpoint
from segue.testing.chaos.verdict import Verdict, verdict
from segue.testing.chaos.workload import NEW_CODE, OLD_CODE

NUMBERS = (1, 2, 3)
"""The runs of a cell."""

LEASE_SECONDS = 1.0
WORK_SECONDS = 0.4
"""Longer than the time between two renewals, so that there are some."""

SPRING_SECONDS = 20.0
"""How long to wait until the fault happens."""

STOPPED_SECONDS = 4.0
"""How long a worker stays stopped, if the others do not end before: several leases."""

ROOM_AGAIN_SECONDS = 1.0
"""How long a disk stays full."""

FEW_DESKS = 1
"""So few that an errand and the aide whom it asks wait for one another."""

END_SECONDS = 60.0
"""How long the workers may take to end after that."""

_LOOK_SECONDS = 0.02


class Cell(NamedTuple):
    """
    What became of one row. `sprung` says whether the fault happened at all: if not, nothing was shown. `impossible`
    says why the fault cannot be made to happen on this machine.
    """

    failpoint: str
    sprung: bool
    seconds: float
    verdict: Verdict
    impossible: str | None = None

    @property
    def held(self) -> bool:
        """Whether the fault happened and everything held, or cannot happen here."""
        return self.impossible is not None or (self.sprung and not any(self.verdict.values()))


async def run_cell(failpoint: Failpoint, folder: Path, durability: str, clock: Clock) -> Cell:
    """Let one worker come to harm at a point while another works, and see what held: all in a folder of its own."""
    began = clock.boot()
    (folder / DISK).mkdir(exist_ok=True)
    url = str(folder / DISK / "segue.db")
    desks = FEW_DESKS if failpoint.verb == "untangle" else DESKS
    crew = Crew(url, folder, durability, LEASE_SECONDS, WORK_SECONDS, clock, desks)
    try:
        stuck = await _story(failpoint, crew)
        async with Segue(url, worker=False) as segue:
            judged = await verdict(segue.host, crew, NUMBERS)
        judged["ended"] = [*stuck, *judged["ended"]]
    finally:
        await crew.disband()
    return Cell(str(failpoint), crew.has_sprung, round(clock.boot() - began, 2), judged)


async def _story(failpoint: Failpoint, crew: Crew) -> list[str]:
    """The workers' lives, and what is wrong with how they ended."""
    if failpoint.verb in {"expire", "forget_workers"}:
        await _leave_claims_behind(crew, 4)
    code = OLD_CODE
    if failpoint.verb == "register":
        await _leave_claims_behind(crew, 1)
        code = NEW_CODE
    victim = await crew.start(failpoint=failpoint, runs=NUMBERS, code=code)
    await _until(crew.clock, SPRING_SECONDS, lambda: crew.has_sprung or not victim.alive)
    helper = await crew.start(runs=NUMBERS, code=code)
    if failpoint.fault == "full":
        await crew.clock.sleep(ROOM_AGAIN_SECONDS)
        (crew.folder / DISK / BALLAST).unlink(missing_ok=True)
    if failpoint.fault == "stop":
        # Where nobody can tell who holds the write lock, the others may have to wait until it goes on.
        await _until(crew.clock, STOPPED_SECONDS, lambda: not helper.alive)
        victim.go_on()
    problems = await _ends(helper, "the worker beside it", 0)
    return problems + await _ends(
        victim, "the worker that it happened to", -9 if failpoint.fault == "kill" else 0
    )


async def _leave_claims_behind(crew: Crew, nth: int) -> None:
    """A worker dies at its n-th settlement, so that the next has something to take back, or to go on with."""
    casualty = await crew.start(failpoint=Failpoint("settle", "before", "kill", nth), runs=NUMBERS)
    await casualty.ended()
    (crew.folder / SPRUNG).unlink()


async def _ends(member: Member, who: str, wanted: int) -> list[str]:
    try:
        code = await _within(member.ended(), END_SECONDS)
    except TimeoutError:
        return [f"{who} does not end"]
    return [] if code == wanted else [f"{who} ended with {code}, not {wanted}"]


async def _within(waiting: Awaitable[int], seconds: float) -> int:
    async with asyncio.timeout(seconds):
        return await waiting


async def _until(clock: Clock, seconds: float, holds: Callable[[], bool]) -> None:
    give_up_at = clock.boot() + seconds
    while not holds() and clock.boot() < give_up_at:
        await clock.sleep(_LOOK_SECONDS)


if __name__ == "__main__":
    place, wanted, promised = sys.argv[1:]
    what = run_cell(parse_failpoint(wanted), Path(place), promised, SystemClock())
    print(json.dumps(asyncio.run(what)))  # noqa: T201 - to the process that started this one
