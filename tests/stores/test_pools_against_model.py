"""SQLite gives places to the same tasks as the model in memory, however many wait and however they are read."""

from pathlib import Path
from typing import Any

import pytest

from segue.domain.records import Limits, Need, Pools, Release
from segue.stores.memory import MemoryStore
from segue.stores.sqlite import SqliteStore
from segue.stores.sqlite.transitions import line
from segue.testing import ManualClock
from segue.testing.conformance.desk import handoff, release, request, settlement
from tests.stores.test_against_model import Play

AGENTS = ("a_agent", "b_agent")
CAPACITIES = {"gpu": 3, "cpu": 5}
NEEDS: tuple[Pools, ...] = (
    (Need("gpu", 1),),
    (Need("gpu", 1, True),),
    (Need("gpu", 2),),
    (Need("cpu", 2),),
    (Need("cpu", 1), Need("gpu", 1)),
    (),
)


class PoolPlay(Play):
    """A random course about pools: many tasks wait, of few runs or of many, and some cannot be had at once."""

    async def begin(self) -> None:
        """Make the pools."""
        for name, capacity in CAPACITIES.items():
            await self.all("set_pool", name, capacity)

    async def step(self) -> None:
        """Do something."""
        moves = (self.submit, self.claim, self.claim, self.settle, self.settle, self.settle, self.wait)
        await self.random.choice((*moves, self.park, self.park, self.expire, self.name, self.resize))()
        await self.all("read_pools")

    async def submit(self) -> None:
        tasks = tuple(self._task(number) for number in range(self.random.choice([1, 1, 2, 6])))
        new = self.desk.new_run(*tasks, waits_for=len(tasks))
        await self.all("submit", [new], "w1", 30.0)
        self.runs.append(new.run)

    def _task(self, number: int) -> Release:
        limits = self.random.choice([None, None, None, Limits(queue_seconds=8.0), Limits(total_seconds=30.0)])
        return release(
            f"n{number}",
            agent=self.random.choice(AGENTS),
            need=0,
            resolved=0,
            pools=self.random.choice(NEEDS),
            limits=limits,
            broken=self.random.random() < 0.05,
        )

    async def settle(self) -> None:
        if not self.claims:
            return
        claim = self.claims.pop(self.random.randrange(len(self.claims)))
        ending = self.random.choice(["complete", "complete", "retry", "handed_back", "unreadable", "failed"])
        record = handoff(version=claim.version) if ending == "complete" else None
        given = settlement(claim, record, ending=ending, not_before=self.random.choice([0.0, 2.0]))
        pools = self.random.choice(NEEDS)
        given = given._replace(pools=pools, requires="Findings@2" if ending == "unreadable" else None)
        asked = self._request() if self.random.random() < 0.5 else None
        _, claims = await self.all("settle", [given], "w1", 30.0, asked)
        self.claims += claims

    async def name(self) -> None:
        """Claim tasks by their names."""
        if self.runs:
            run = self.random.choice(self.runs)
            named = tuple((run, f"n{number}", -1) for number in range(3))
            self.claims += await self.all("claim", self._request()._replace(tasks=named))

    async def park(self) -> None:
        """Wait in the middle of an attempt, or go on."""
        if self.claims:
            token = self.random.choice(self.claims).token
            await self.all(*self.random.choice([("park", token, ("x",)), ("go_on", token)]))

    async def resize(self) -> None:
        """Make a pool a little larger or smaller, but never too small."""
        name, capacity = self.random.choice(sorted(CAPACITIES.items()))
        await self.all("set_pool", name, capacity + self.random.randint(0, 2))

    def _request(self) -> Any:
        agents = self.random.sample(AGENTS, self.random.randint(1, len(AGENTS)))
        limits = tuple((agent, self.random.randint(0, 2)) for agent in agents if self.random.random() < 0.3)
        worker = self.random.choice(["w1", "w2"])
        wanted = request(
            *agents, claim=self._id(), limit=self.random.randint(1, 6), worker=worker, per_agent=limits
        )
        reads = self.random.choice([(), (), ("Findings@2",)])
        return wanted._replace(suspects=self.random.randint(0, 2), reads=reads)


@pytest.mark.parametrize("few_runs", [0, 2, line.FEW_RUNS])
@pytest.mark.parametrize("first_seed", range(0, 30, 5))
async def test_both_give_places_to_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first_seed: int, few_runs: int
) -> None:
    """After every call both have answered the same, whether runs are read one by one or by age, and in small parts."""
    monkeypatch.setattr(line, "FEW_RUNS", few_runs)
    monkeypatch.setattr(line, "AT_ONCE", 2)
    for seed in range(first_seed, first_seed + 5):
        clock = ManualClock()
        sqlite = SqliteStore(tmp_path / f"{seed}.db", "fast", clock)
        await sqlite.open()
        play = PoolPlay(seed, [MemoryStore(clock), sqlite], clock)
        await play.begin()
        for _ in range(150):
            await play.step()
        await play.compare()
        await sqlite.close()
