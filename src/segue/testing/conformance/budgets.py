"""Budgets: how long a task may lie ready, and until when it must have ended."""

from __future__ import annotations

from segue.domain.records import Claim, Ending, Limits
from segue.domain.rows import Expired
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import (
    LEASE_SECONDS,
    OTHER,
    WORKER,
    Desk,
    Started,
    handoff,
    join,
    release,
    request,
    root,
    settlement,
)

QUEUE = Limits(queue_seconds=5.0)
TOTAL = Limits(total_seconds=20.0)


class BudgetConformance(Suite):
    """The limits that a store watches."""

    async def _start(self, desk: Desk, limits: Limits, *, claimed: bool = True) -> Started:
        """A run of the one task `a` with these limits."""
        new = desk.new_run(root("a", desk.id("claim") if claimed else None, limits))
        (submitted,) = await desk.store.submit([new], WORKER, LEASE_SECONDS)
        return Started(new.run, submitted.claims)

    async def _stranger(self, desk: Desk) -> list[Claim]:
        """What a worker is given that has none of the agents."""
        return list(await desk.claim("another_agent", worker=OTHER))

    async def test_a_task_that_nobody_claims_in_time_goes_to_anybody(self, desk: Desk) -> None:
        """A task that lay ready for longer than its queue budget is given to any worker, which hears why."""
        run, _ = await self._start(desk, QUEUE, claimed=False)
        desk.clock.advance(4.5)
        assert await self._stranger(desk) == []
        desk.clock.advance(0.5)
        (claim,) = await self._stranger(desk)
        assert (claim.token.run, claim.agent, claim.overrun, claim.token.epoch) == (
            run,
            "a_agent",
            "queue",
            1,
        )
        assert (await desk.end(claim)).verdict == "accepted"

    async def test_a_task_that_is_claimed_in_time_has_no_overrun(self, desk: Desk) -> None:
        """Once it is claimed the queue budget is over, however long the attempt takes."""
        await self._start(desk, QUEUE, claimed=False)
        desk.clock.advance(4.5)
        (claim,) = await desk.store.claim(request("a_agent", claim="r"))
        assert claim.overrun is None
        desk.clock.advance(LEASE_SECONDS - 5)
        assert await self._stranger(desk) == []
        assert list(await desk.store.expire()) == []
        assert list(await desk.store.claim(request("a_agent", claim="r"))) == [claim]

    async def test_a_repeated_request_hears_of_the_same_overrun(self, desk: Desk) -> None:
        """A request that is repeated after the claim gets it as it was: with its overrun, or without."""
        await self._start(desk, QUEUE, claimed=False)
        desk.clock.advance(5)
        first = await desk.store.claim(request("b_agent", claim="r"))
        desk.clock.advance(1)
        assert list(await desk.store.claim(request("b_agent", claim="r"))) == list(first)
        assert [claim.overrun for claim in first] == ["queue"]

    async def test_the_queue_budget_counts_anew_each_time(self, desk: Desk) -> None:
        """After a retry (from the end of its delay), a return or a lost lease a task may lie ready as long again."""
        _, (claim,) = await self._start(desk, QUEUE)
        endings: tuple[tuple[Ending, float], ...] = (
            ("retry", 3.0),
            ("handed_back", 0.0),
            ("reassigned", 0.0),
        )
        for ending, delay_seconds in endings:
            await desk.settle(settlement(claim, None, ending=ending, not_before=delay_seconds))
            desk.clock.advance(4.5 + delay_seconds)
            assert await self._stranger(desk) == []
            desk.clock.advance(0.5)
            (claim,) = await self._stranger(desk)
            assert claim.overrun == "queue"
        desk.clock.advance(LEASE_SECONDS)
        await desk.store.expire()
        desk.clock.advance(4.5)
        assert await self._stranger(desk) == []
        desk.clock.advance(0.5)
        assert [each.overrun for each in await self._stranger(desk)] == ["queue"]

    async def test_a_deadline_is_fixed_when_a_task_first_becomes_ready(self, desk: Desk) -> None:
        """A task must end so long after it first became ready, or when what it inherits says, whichever is earlier."""
        wall = desk.clock.wall()
        inherited = Limits(total_seconds=20.0, deadline=wall + 12.0)
        late = Limits(total_seconds=20.0, deadline=wall + 90.0)
        expected = ((TOTAL, wall + 20.0), (inherited, wall + 12.0), (late, wall + 24.0), (QUEUE, None))
        for limits, deadline in expected:
            run, (claim,) = await self._start(desk, limits)
            assert claim.deadline == (await desk.task(run, "a")).deadline == deadline
            desk.clock.advance(2.0)
            await desk.settle(settlement(claim, None, ending="retry"))
            (again,) = await desk.claim("a_agent")
            assert again.deadline == deadline

    async def test_the_deadline_of_a_join_counts_from_its_last_parent(self, desk: Desk) -> None:
        """A task that waits for several hand-offs has its whole time from when the last of them is there."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        both = join("d", 2, parents=("a", "b"))._replace(limits=TOTAL)
        await desk.end(a, both)
        assert (await desk.task(run, "d")).deadline is None
        desk.clock.advance(7)
        (claim,) = (await desk.end(b, both._replace(claim="claim-d"))).claims
        assert claim.deadline == (await desk.task(run, "d")).deadline == desk.clock.wall() + 20.0

    async def test_a_ready_task_past_its_deadline_goes_to_anybody(self, desk: Desk) -> None:
        """A task that has not ended by its deadline is given to any worker, also while it waits to be tried again."""
        _, (claim,) = await self._start(desk, Limits(queue_seconds=5.0, total_seconds=20.0))
        await desk.settle(settlement(claim, None, ending="retry", not_before=3600.0))
        desk.clock.advance(19.5)
        assert await self._stranger(desk) == []
        desk.clock.advance(0.5)
        (late,) = await self._stranger(desk)
        assert (late.overrun, late.failures, late.losses) == ("deadline", 1, 0)

    async def test_the_deadline_comes_before_the_queue(self, desk: Desk) -> None:
        """Where both budgets have run out the deadline is named: after it nothing is tried any more."""
        await self._start(desk, Limits(queue_seconds=5.0, total_seconds=6.0), claimed=False)
        desk.clock.advance(6)
        assert [claim.overrun for claim in await self._stranger(desk)] == ["deadline"]

    async def test_a_claim_is_revoked_at_the_deadline(self, desk: Desk) -> None:
        """A task that still runs at its deadline is taken from its worker for good, and goes to anybody."""
        run, _ = await self._start(desk, TOTAL)
        desk.clock.advance(19.5)
        assert list(await desk.store.expire()) == []
        desk.clock.advance(0.5)
        expired = await desk.store.expire(past_lease=False)
        assert list(expired) == [Expired(run, "a", -1, 1, WORKER)]
        task = await desk.task(run, "a")
        assert (task.state, task.claim, task.epoch) == ("ready", None, 1)
        event = (await desk.events(run))[-1]
        assert (event.name, event.task, event.epoch) == ("task.a_agent.overrun", "a", 1)
        assert event.data == '{"budget":"deadline"}'
        (again,) = await self._stranger(desk)
        assert (again.overrun, again.losses, again.attempt) == ("deadline", 0, 2)

    async def test_a_revoked_attempt_can_write_nothing(self, desk: Desk) -> None:
        """After its claim was revoked a late result is refused, although nobody has claimed the task since."""
        run, (claim,) = await self._start(desk, TOTAL)
        desk.clock.advance(20)
        await desk.store.expire()
        before = await desk.events(run)
        assert list(await desk.store.renew([claim.token], LEASE_SECONDS)) == [False]
        assert (await desk.end(claim, release("b"), run_resolved=1)).verdict == "stale"
        assert await desk.events(run) == before
        assert [task.state for task in await desk.store.read_tasks(run)] == ["ready"]

    async def test_a_claim_given_out_after_the_deadline_is_left_alone(self, desk: Desk) -> None:
        """Who claims a task to settle it because its deadline has passed has a whole lease for that."""
        _, (claim,) = await self._start(desk, TOTAL)
        desk.clock.advance(20)
        await desk.store.expire()
        (late,) = await self._stranger(desk)
        desk.clock.advance(LEASE_SECONDS - 1)
        assert list(await desk.store.expire()) == []
        (answer,) = await desk.settle(settlement(late, None, ending="failed", run_resolved=1))
        assert (answer.verdict, answer.run_state) == ("accepted", "failed")
        assert (await desk.end(claim)).verdict == "stale"

    async def test_a_dead_worker_past_the_deadline_is_revoked_once(self, desk: Desk) -> None:
        """Where a worker died and the deadline has passed, the claim is taken once, for the deadline."""
        run, _ = await self._start(desk, TOTAL)
        desk.clock.advance(LEASE_SECONDS)
        assert len(await desk.store.expire([WORKER])) == 1
        assert [name for name in await desk.names(run) if name.endswith(("overrun", "expired"))] == [
            "task.a_agent.overrun"
        ]
        assert [claim.losses for claim in await self._stranger(desk)] == [0]

    async def test_a_claim_made_past_the_deadline_says_so(self, desk: Desk) -> None:
        """A task that becomes ready too late is claimed with its settlement all the same, and its claim says so."""
        past = Limits(deadline=desk.clock.wall())
        _, (root_claim,) = await self._start(desk, past)
        _, (a, b) = await desk.start("a", "b", waits_for=2)
        single = release("c", claim="claim-c", limits=past)
        first = await desk.end(a, single, join("d", 2, parents=("a", "b"))._replace(limits=past))
        last = await desk.end(b, join("d", 2, parents=("a", "b"), claim="claim-d")._replace(limits=past))
        claims = [root_claim, *first.claims, *last.claims]
        assert [(claim.overrun, claim.deadline) for claim in claims] == [("deadline", desk.clock.wall())] * 3
        again = await desk.settle(settlement(a, handoff('"a -1"'), single))
        assert again[0].claims == first.claims

    async def test_a_broken_task_past_its_deadline_is_given_out_once(self, desk: Desk) -> None:
        """A task that any worker may have for two reasons is still claimed by one of them, once."""
        run, (a,) = await desk.start("a")
        broken = release("b", broken=True, limits=Limits(queue_seconds=5.0, total_seconds=6.0))
        await desk.settle(settlement(a, None, broken, ending="failed"))
        desk.clock.advance(6)
        (claim,) = await self._stranger(desk)
        assert (claim.broken, claim.overrun, claim.token.epoch) == (True, "deadline", 1)
        assert await self._stranger(desk) == []
        assert (await desk.names(run)).count("task.b_agent.claimed") == 1

    async def test_overruns_come_first_and_count_for_no_agent(self, desk: Desk) -> None:
        """What is only to be settled is given out before what is to be run, and whatever the limit of its agent."""
        fresh = desk.new_run(root("b"))
        await desk.store.submit([fresh], WORKER, LEASE_SECONDS)
        desk.clock.advance(1)
        await self._start(desk, QUEUE, claimed=False)
        await self._start(desk, Limits(total_seconds=2.0), claimed=False)
        desk.clock.advance(5)
        asked = request("a_agent", "b_agent", limit=3, per_agent=(("a_agent", 0),))
        claims = await desk.store.claim(asked)
        assert [claim.overrun for claim in claims] == ["queue", "deadline", None]
        assert claims[-1].token.run == fresh.run

    async def test_next_due_tells_when_a_budget_ends(self, desk: Desk) -> None:
        """Whoever waits is told of the next queue budget or deadline of any task, claimed or not."""
        await self._start(desk, Limits(queue_seconds=5.0, total_seconds=50.0), claimed=False)
        assert await desk.store.next_due([]) == 5.0
        (claim,) = await desk.claim("a_agent")
        assert await desk.store.next_due([]) == LEASE_SECONDS
        desk.clock.advance(LEASE_SECONDS - 1)
        await desk.store.renew([claim.token], LEASE_SECONDS)
        assert await desk.store.next_due([]) == 50.0 - (LEASE_SECONDS - 1)
        await desk.settle(settlement(claim, None, ending="retry", not_before=90.0))
        assert await desk.store.next_due([]) == 50.0 - (LEASE_SECONDS - 1)
        desk.clock.advance(50.0 - (LEASE_SECONDS - 1) + 1)
        assert await desk.store.next_due([]) == 0.0
        await desk.store.claim(request("another_agent", claim="full", limit=0))
        assert await desk.store.next_due([]) == 94.0 - 21.0
        assert len(await self._stranger(desk)) == 1

    async def test_budgets_run_by_the_clocks_they_are_meant_for(self, desk: Desk) -> None:
        """Setting the wall clock moves deadlines, which outlive a restart, and no queue budget."""
        await self._start(desk, QUEUE, claimed=False)
        await self._start(desk, TOTAL, claimed=False)
        desk.clock.jump(20.0)
        assert [claim.overrun for claim in await self._stranger(desk)] == ["deadline"]
        desk.clock.advance(5.0)
        assert [claim.overrun for claim in await self._stranger(desk)] == ["queue"]

    async def test_leases_can_be_spared(self, desk: Desk) -> None:
        """A sweep that spares leases takes nothing for its lease alone, and all that dead workers hold."""
        await desk.store.submit([desk.new_run(root("a"), root("b"))], WORKER, LEASE_SECONDS)
        await desk.store.claim(request("a_agent", claim="one"))
        await desk.store.claim(request("b_agent", claim="two", worker=OTHER))
        desk.clock.advance(LEASE_SECONDS)
        spared = await desk.store.expire([OTHER], past_lease=False)
        assert [each.worker for each in spared] == [OTHER]
        assert [each.worker for each in await desk.store.expire()] == [WORKER]
