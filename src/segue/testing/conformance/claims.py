"""Claims: who gets which ready task, and that nobody gets it twice."""

from __future__ import annotations

import asyncio

from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import (
    LEASE_SECONDS,
    OTHER,
    WORKER,
    Desk,
    release,
    request,
    root,
    settlement,
)


class ClaimConformance(Suite):
    """Claiming ready tasks."""

    async def test_a_claim_takes_ready_tasks_oldest_first(self, desk: Desk) -> None:
        """Tasks are claimed in the order in which they became ready, up to the limit."""
        runs = []
        for _ in range(4):
            runs.append(desk.new_run(root("a")))
            await desk.store.submit(runs[-1:], WORKER, LEASE_SECONDS)
            desk.clock.advance(1)
        first = await desk.claim("a_agent", limit=3)
        second = await desk.claim("a_agent", limit=3)
        assert [claim.token.run for claim in [*first, *second]] == [new.run for new in runs]

    async def test_a_claim_raises_the_epoch_by_one(self, desk: Desk) -> None:
        """Each claim of a task has the next epoch and attempt, and an id made from that of the request."""
        new = desk.new_run(root("a"))
        await desk.store.submit([new], WORKER, LEASE_SECONDS)
        for epoch in (1, 2, 3):
            (claim,) = await desk.store.claim(request("a_agent", claim=f"r{epoch}"))
            assert claim.token == (new.run, "a", -1, epoch, f"r{epoch}.0")
            assert (claim.attempt, claim.version, claim.claimed_at) == (epoch, 1, desk.clock.wall())
            await desk.settle(settlement(claim, None, ending="retry"))

    async def test_only_the_agents_that_were_asked_for(self, desk: Desk) -> None:
        """A worker gets no task of an agent that it does not have."""
        await desk.store.submit([desk.new_run(root("a"), root("b"))], WORKER, LEASE_SECONDS)
        assert [claim.agent for claim in await desk.claim("b_agent", "c_agent")] == ["b_agent"]
        assert list(await desk.claim("c_agent")) == []
        assert list(await desk.claim()) == []

    async def test_named_tasks_are_claimed_alone(self, desk: Desk) -> None:
        """Whoever names tasks gets these alone, of whatever agent, and none that is claimed or only to be settled."""
        new = desk.new_run(root("a"), root("b"), root("c"))
        await desk.store.submit([new], WORKER, LEASE_SECONDS)
        await desk.claim("c_agent")
        broken, (claim,) = await desk.start("x")
        await desk.settle(settlement(claim, None, release("y", broken=True), ending="skipped"))
        named = ((new.run, "b", -1), (new.run, "c", -1), (broken, "y", -1), ("no run", "z", -1))
        asked = request(claim="named")._replace(tasks=named)
        claims = await desk.store.claim(asked)
        assert [(claim.token.node, claim.agent) for claim in claims] == [("b", "b_agent")]
        assert list(await desk.store.claim(asked)) == list(claims)
        assert {claim.token.node for claim in await desk.claim("a_agent")} == {"a", "y"}

    async def test_limits_of_single_agents(self, desk: Desk) -> None:
        """A limit for one agent lowers how many of its tasks are claimed and leaves the others alone."""
        runs = [desk.new_run(root("a"), root("b")) for _ in range(3)]
        await desk.store.submit(runs, WORKER, LEASE_SECONDS)
        limits = (("a_agent", 1), ("c_agent", 5))
        claims = await desk.store.claim(request("a_agent", "b_agent", per_agent=limits))
        assert sorted(claim.agent for claim in claims) == ["a_agent", "b_agent", "b_agent", "b_agent"]
        none = await desk.store.claim(request("a_agent", claim="other", per_agent=(("a_agent", 0),)))
        assert list(none) == []

    async def test_a_repeated_request_finds_its_own_claims(self, desk: Desk) -> None:
        """A request that is repeated, as after a broken connection, gets what it got and takes nothing more."""
        await desk.store.submit([desk.new_run(root("a")) for _ in range(14)], WORKER, LEASE_SECONDS)
        first = await desk.store.claim(request("a_agent", claim="r", limit=12))
        again = await desk.store.claim(request("a_agent", claim="r", limit=12))
        assert len(first) == 12
        assert list(again) == list(first)
        assert len(await desk.claim("a_agent")) == 2

    async def test_a_broken_task_can_be_claimed_by_anybody(self, desk: Desk) -> None:
        """A task whose parent has nothing for it is claimed by any worker, to be skipped, and says why."""
        run, (a,) = await desk.start("a")
        await desk.settle(settlement(a, None, release("b", broken=True), ending="failed"))
        (claim,) = await desk.claim("some_other_agent")
        assert (claim.token.node, claim.agent, claim.broken) == ("b", "b_agent", True)
        assert (await desk.task(run, "b")).state == "claimed"

    async def test_a_broken_task_does_not_count_for_its_agent(self, desk: Desk) -> None:
        """Limits of single agents do not hold up what will only be skipped."""
        _, (a,) = await desk.start("a")
        releases = (release("b", agent="x", broken=True), release("c", agent="x"))
        await desk.settle(settlement(a, None, *releases, ending="failed"))
        claims = await desk.store.claim(request("x", per_agent=(("x", 1),)))
        assert sorted(claim.token.node for claim in claims) == ["b", "c"]

    async def test_a_delayed_task_waits_for_its_time(self, desk: Desk) -> None:
        """A task that is to be tried again later is not claimed before."""
        _, (a,) = await desk.start("a")
        await desk.settle(settlement(a, None, ending="retry", not_before=10.0))
        desk.clock.advance(9.5)
        assert list(await desk.claim("a_agent")) == []
        desk.clock.advance(0.5)
        (claim,) = await desk.claim("a_agent")
        assert claim.token.epoch == 2

    async def test_next_due_says_when_to_look_again(self, desk: Desk) -> None:
        """The time until the next delayed retry of these agents, or until the next lease ends, whichever is first."""
        assert await desk.store.next_due(["a_agent"]) is None
        _, (a, b) = await desk.start("a", "b", waits_for=2)
        assert await desk.store.next_due(["a_agent"]) == LEASE_SECONDS
        await desk.settle(settlement(a, None, ending="retry", not_before=7.0))
        assert await desk.store.next_due(["a_agent"]) == 7.0
        assert await desk.store.next_due(["b_agent"]) == LEASE_SECONDS
        await desk.end(b)
        assert await desk.store.next_due(["b_agent"]) is None

    async def test_next_due_speaks_of_what_fell_due_since_the_last_look(self, desk: Desk) -> None:
        """A retry that fell due after the last claim is due now; one that a claim left lying is not told again."""
        _, (a,) = await desk.start("a")
        await desk.settle(settlement(a, None, ending="retry", not_before=5.0))
        await desk.claim("a_agent")
        desk.clock.advance(6.0)
        assert await desk.store.next_due(["a_agent"]) == 0.0
        await desk.store.claim(request("a_agent", claim="full", per_agent=(("a_agent", 0),)))
        assert await desk.store.next_due(["a_agent"]) is None

    async def test_many_callers_at_once_claim_each_task_once(self, desk: Desk) -> None:
        """However many ask at the same time, every ready task goes to exactly one of them."""
        runs = [desk.new_run(root("a")) for _ in range(40)]
        await desk.store.submit(runs, WORKER, LEASE_SECONDS)
        answers = await asyncio.gather(
            *(desk.claim("a_agent", limit=3, worker=(WORKER, OTHER)[number % 2]) for number in range(20))
        )
        tokens = [claim.token for claims in answers for claim in claims]
        assert sorted(token.run for token in tokens) == [new.run for new in runs]
        assert {token.epoch for token in tokens} == {1}
        assert len({token.claim for token in tokens}) == 40
