"""Many workers on one store while they are killed and stopped at random, and new ones come."""

from __future__ import annotations

import asyncio
import random  # noqa: TID251 - see the seed of a plan
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from segue.app.segue import Segue
from segue.domain.records import RunState
from segue.errors import SegueError
from segue.ports.clock import SystemClock
from segue.testing.auditing import all_runs
from segue.testing.chaos.crew import Crew, Member
from segue.testing.chaos.errand import BUDGET, DESK, DESKS
from segue.testing.chaos.verdict import Verdict, verdict
from segue.testing.chaos.workload import TASKS_PER_RUN, all_noted, encourage, steer, story

STOPS_PER_KILL = 0.15
"""How many workers are stopped, most of them for longer than their lease, for each that is killed."""

WORK_SECONDS = 0.05
"""How long the slow agent of each run works."""

OPEN_RUNS_PER_WORKER = 6
"""So many runs are kept going for each worker: enough that everybody is busy, few enough that they end."""

LOOK_SECONDS = 0.05
"""How often it is seen whether there is something to do."""

RUNS_AT_ONCE = 1_000
"""So many open runs are looked at."""

PATIENCE_SECONDS = 120.0
"""How long the last runs may take once nobody is killed any more."""


OPEN: frozenset[RunState] = frozenset({"running", "needs_review"})
"""The states of runs that go on, if only by the end of a review."""


class StormPlan(NamedTuple):
    """
    So many workers, until there were so many tasks and so many seconds, one of them killed or stopped every
    `kill_every_seconds`. The same seed gives the same faults in the same order.
    """

    workers: int
    tasks: int
    seconds: float
    kill_every_seconds: float
    lease_seconds: float
    durability: str
    seed: int


class StormReport(NamedTuple):
    """What was done, and whether everything held."""

    workers: int
    runs: int
    tasks: int
    kills: int
    stops: int
    seconds: float
    tasks_per_second: float
    verdict: Verdict


class StuckError(SegueError):
    """Runs do not end although nobody disturbs them any more."""


async def run_storm(plan: StormPlan, folder: Path, on_progress: Callable[[str], None]) -> StormReport:
    """A storm on a new store in an empty folder."""
    url = str(folder / "segue.db")
    crew = Crew(url, folder, plan.durability, plan.lease_seconds, WORK_SECONDS, SystemClock())
    try:
        async with Segue(url, worker=False, durability=plan.durability) as segue:  # type: ignore[arg-type]
            await segue.set_pool(DESK, DESKS)
            helping = asyncio.create_task(encourage(segue))
            try:
                return await _Storm(plan, crew, on_progress).run(segue)
            finally:
                helping.cancel()
    finally:
        await crew.disband()


class _Storm:
    """Keeps a crew busy and in trouble."""

    def __init__(self, plan: StormPlan, crew: Crew, on_progress: Callable[[str], None]) -> None:
        self._plan = plan
        self._crew = crew
        self._chance = random.Random(plan.seed)  # noqa: S311 - the seed plays it again
        self._on_progress = on_progress
        self._numbers: list[int] = []
        self._runs: list[str] = []
        self._open: set[str] = set()
        self._stopped: dict[Member, asyncio.Task[None]] = {}
        self._kills = 0
        self._stops = 0

    async def run(self, segue: Segue) -> StormReport:
        """Work until there were enough tasks and enough time; `segue` submits and reads, and is no worker."""
        clock = self._crew.clock
        began = clock.boot()
        working = [await self._crew.start() for _ in range(self._plan.workers)]
        disturbing = asyncio.create_task(self._disturb(working))
        try:
            while (
                clock.boot() - began < self._plan.seconds
                or len(self._numbers) * TASKS_PER_RUN < self._plan.tasks
            ):
                await self._submit(segue)
                await clock.sleep(LOOK_SECONDS)
        finally:
            disturbing.cancel()
            await asyncio.gather(disturbing, return_exceptions=True)
        await asyncio.gather(*self._stopped.values())
        await self._finish(segue)
        seconds = clock.boot() - began
        for member in working:
            member.dismiss()
        for member in working:
            await member.ended()
        tasks = len(self._numbers) * TASKS_PER_RUN
        judged = await verdict(segue.host, self._crew, self._numbers)
        return StormReport(
            self._plan.workers,
            len(self._numbers),
            tasks,
            self._kills,
            self._stops,
            round(seconds, 1),
            round(tasks / seconds, 1),
            judged,
        )

    async def _submit(self, segue: Segue) -> None:
        running = await segue.host.store.list_runs(RUNS_AT_ONCE, None, OPEN)
        self._open &= {record.run for record in running}
        while len(self._open) < self._plan.workers * OPEN_RUNS_PER_WORKER:
            number = len(self._numbers)
            handle = await segue.with_(key=f"story-{number}", budget=BUDGET).submit(story, number)
            await steer(handle)
            self._numbers.append(number)
            self._open.add(handle.run)
            self._runs.append(handle.run)

    async def _disturb(self, working: list[Member]) -> None:
        """Kill one worker after another, and stop some; a new one comes for each that was killed."""
        while True:
            await self._crew.clock.sleep(self._plan.kill_every_seconds)
            others = [place for place, each in enumerate(working) if each not in self._stopped]
            place = self._chance.choice(others)
            working[place].kill()
            working[place] = await self._crew.start()
            self._kills += 1
            self._on_progress(
                f"{len(self._numbers)} runs, {self._kills} killed, {self._stops} stopped, {len(self._open)} runs open"
            )
            if self._chance.random() < STOPS_PER_KILL and len(self._stopped) < self._plan.workers // 2:
                stopped = working[self._chance.choice(others)]
                seconds = self._plan.lease_seconds * self._chance.uniform(0.5, 2.5)
                self._stopped[stopped] = asyncio.create_task(self._stop(stopped, seconds))
                self._stops += 1

    async def _stop(self, member: Member, seconds: float) -> None:
        """Stop a worker for a while, in a task of its own: it may hold what everybody else waits for."""
        member.stop()
        await self._crew.clock.sleep(seconds)
        member.go_on()
        del self._stopped[member]

    async def _finish(self, segue: Segue) -> None:
        clock = self._crew.clock
        give_up_at = clock.boot() + PATIENCE_SECONDS
        while left := await segue.host.store.list_runs(RUNS_AT_ONCE, None, OPEN):
            if clock.boot() > give_up_at:
                raise StuckError(
                    f"{len(left)} runs do not end: {left[0].run}", remedy="Look at one with `segue show`."
                )
            self._on_progress(f"waiting for the last {len(left)} runs")
            await clock.sleep(LOOK_SECONDS)
        # One that has failed is for the verdict to tell of: nobody acts on its end.
        complete = {record.run async for record in all_runs(segue.host.store) if record.state == "complete"}
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await all_noted(segue, complete.intersection(self._runs))
        except TimeoutError:
            raise StuckError(
                "there are events that nobody acts on", remedy="Look with `segue consumers`."
            ) from None
