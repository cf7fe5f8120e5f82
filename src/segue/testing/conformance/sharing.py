"""Stores that several processes have open at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from segue.ports.store import Store
from segue.testing.clock import ManualClock
from segue.testing.conformance.desk import (
    LEASE_SECONDS,
    OTHER,
    WORKER,
    Desk,
    handoff,
    join,
    quorum,
    release,
    request,
    root,
    settlement,
)


@pytest.mark.asyncio
class SharedStoreConformance:
    """Two stores open on the same data. A subclass says how, given the number of the store: 0, then 1."""

    async def make_store(self, clock: ManualClock, number: int) -> Store:
        """An open store on the data that both share, which is empty when the first is made."""
        raise TypeError(f"{type(self).__name__} must say how to make a store: override make_store")

    @pytest_asyncio.fixture
    async def desks(self) -> AsyncIterator[tuple[Desk, Desk]]:
        """Two stores on the same data and with the same clock."""
        clock = ManualClock()
        stores = [await self.make_store(clock, number) for number in (0, 1)]
        yield Desk(stores[0], clock), Desk(stores[1], clock)
        for store in stores:
            await store.close()

    async def test_what_one_commits_the_other_reads(self, desks: tuple[Desk, Desk]) -> None:
        """A commit that was acknowledged by one store is seen at once through the other."""
        one, two = desks
        run, (a,) = await one.start("a")
        await one.end(a, release("b"))
        assert [task.state for task in await two.store.read_tasks(run)] == ["complete", "ready"]
        assert await two.events(run) == await one.events(run)
        (stored,) = await two.store.latest_handoffs(run)
        assert (await one.store.latest_handoffs(run)) == [stored]

    async def test_a_task_is_claimed_through_one_of_them(self, desks: tuple[Desk, Desk]) -> None:
        """Workers on both stores who ask at the same time never get the same task."""
        one, two = desks
        await one.store.submit([one.new_run(root("a")) for _ in range(60)], WORKER, LEASE_SECONDS)
        answers = await asyncio.gather(
            *(
                desk.store.claim(request("a_agent", claim=f"{worker}{number}", limit=2, worker=worker))
                for number in range(20)
                for desk, worker in ((one, WORKER), (two, OTHER))
            )
        )
        tokens = [claim.token for claims in answers for claim in claims]
        assert len(tokens) == len({token.run for token in tokens}) == 60
        assert {token.epoch for token in tokens} == {1}

    async def test_a_join_across_both(self, desks: tuple[Desk, Desk]) -> None:
        """Parents that settle at the same time through different stores release their join exactly once."""
        one, two = desks
        parents = tuple(f"p{number}" for number in range(16))
        run, claims = await one.start(*parents, waits_for=16)
        answers = await asyncio.gather(
            *(
                desks[number % 2].settle(
                    settlement(claim, handoff(), join("d", 16, parents=parents, claim=f"claim-{number}"))
                )
                for number, claim in enumerate(claims)
            )
        )
        granted = [claim for (answer,) in answers for claim in answer.claims]
        assert len(granted) == 1
        assert len(granted[0].pins) == 16
        assert (await two.names(run)).count("task.d_agent.claimed") == 1

    async def test_a_quorum_across_both(self, desks: tuple[Desk, Desk]) -> None:
        """Parents that end at the same time through different stores, half with nothing, start a quorum once."""
        one, two = desks
        parents = tuple(f"p{number:02d}" for number in range(16))
        run, claims = await one.start(*parents, waits_for=16)
        ends = [
            settlement(claim, handoff(), quorum("d", 8, 8, parents=parents, claim=f"claim-{number}"))
            for number, claim in enumerate(claims[:8])
        ]
        nothing = quorum("d", 8, 8, parents=parents, resolved=0)._replace(broken=True)
        ends += [settlement(claim, None, nothing, ending="failed") for claim in claims[8:]]
        answers = await asyncio.gather(
            *(desks[number // 2 % 2].settle(end) for number, end in enumerate(ends))
        )
        granted = [claim for (answer,) in answers for claim in answer.claims]
        assert [(claim.broken, len(claim.pins)) for claim in granted] == [(False, 8)]
        assert (await two.names(run)).count("task.d_agent.claimed") == 1

    async def test_sequences_have_no_gap_across_both(self, desks: tuple[Desk, Desk]) -> None:
        """Events of one run that are written through both stores are numbered without a gap."""
        one, two = desks
        nodes = tuple(f"n{number:02d}" for number in range(40))
        run, claims = await one.start(*nodes, waits_for=40)
        await asyncio.gather(
            *(desks[number % 2].end(claim, run_resolved=1) for number, claim in enumerate(claims))
        )
        assert [event.sequence for event in await two.events(run)] == list(range(1, 83))
        assert (await one.run(run)).state == "complete"

    async def test_a_claim_lost_through_one_is_lost_in_both(self, desks: tuple[Desk, Desk]) -> None:
        """Superseded through the other store, an attempt is stale here."""
        one, two = desks
        _, (a,) = await one.start("a")
        one.clock.advance(LEASE_SECONDS)
        await two.store.expire()
        (again,) = await two.claim("a_agent", worker=OTHER)
        assert (await one.end(a)).verdict == "stale"
        assert (await two.end(again)).verdict == "accepted"
        assert (await one.end(again)).verdict == "repeated"

    async def test_one_commit_wakes_the_other(self, desks: tuple[Desk, Desk]) -> None:
        """A commit through one store wakes who waits at the other, and counts as foreign there."""
        one, two = desks
        notifier = two.store.notifier
        waiters = [
            asyncio.ensure_future(notifier.wait(notifier.count, 3600.0)),
            asyncio.ensure_future(notifier.wait_foreign(notifier.foreign, 3600.0)),
        ]
        await asyncio.wait(waiters, timeout=0)
        await one.start("a")
        await asyncio.wait_for(asyncio.gather(*waiters), 10.0)

    async def test_the_data_outlives_every_store(self, desks: tuple[Desk, Desk]) -> None:
        """What was committed is there after all stores were closed and one was opened again."""
        one, two = desks
        run, (a,) = await one.start("a")
        await one.end(a, release("b"))
        events = await two.events()
        await one.store.close()
        await two.store.close()
        store = await self.make_store(one.clock, 1)
        try:
            again = Desk(store, one.clock)
            assert await again.events() == events
            assert (await again.task(run, "b")).state == "ready"
            assert (await again.claim("b_agent"))[0].token.epoch == 1
        finally:
            await store.close()
