"""Joins: tasks that wait for several hand-offs."""

from __future__ import annotations

import asyncio

from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import LEASE_SECONDS, Desk, handoff, join, pin_of, release, settlement


class JoinConformance(Suite):
    """Dependents with several parents."""

    async def test_a_join_waits_for_all_its_parents(self, desk: Desk) -> None:
        """A task is ready with the last hand-off that it needs, and not before."""
        run, claims = await desk.start("a", "b", "c", waits_for=3)
        for claim in claims[:2]:
            await desk.end(claim, join("d", 3, parents=("a", "b", "c")))
            assert (await desk.task(run, "d")).state == "waiting"
            assert list(await desk.claim("d_agent")) == []
        await desk.end(claims[2], join("d", 3, parents=("a", "b", "c")))
        assert (await desk.task(run, "d")).state == "ready"
        assert (await desk.names(run)).count("task.d_agent.ready") == 1

    async def test_a_join_pins_the_latest_handoff_of_each_parent(self, desk: Desk) -> None:
        """A claim of a join names version and digest of every parent's hand-off, in the order of the parents."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        first, second = handoff('"one"'), handoff('"two"')
        await desk.settle(settlement(b, second, join("d", 2, parents=("b", "a"))))
        await desk.settle(settlement(a, first, join("d", 2, parents=("b", "a"))))
        (claim,) = await desk.claim("d_agent")
        assert claim.pins == (pin_of(b, second), pin_of(a, first))
        assert (await desk.task(run, "d")).pins == claim.pins

    async def test_the_last_parent_claims_the_join(self, desk: Desk) -> None:
        """Whoever settles the last parent gets the join with that call; a claim id given earlier is not used."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        first = await desk.end(a, join("d", 2, parents=("a", "b"), claim="claim-early"))
        last = await desk.end(b, join("d", 2, parents=("a", "b"), claim="claim-last"))
        assert first.claims == ()
        (claim,) = last.claims
        assert (claim.token, len(claim.pins)) == ((run, "d", -1, 1, "claim-last"), 2)

    async def test_all_parents_in_one_batch(self, desk: Desk) -> None:
        """When one batch settles all parents, the settlement that comes last claims the join, once."""
        _, claims = await desk.start("a", "b", "c", waits_for=3)
        answers = await desk.settle(
            *(
                settlement(claim, handoff(), join("d", 3, parents=("a", "b", "c"), claim=f"claim-{number}"))
                for number, claim in enumerate(claims)
            )
        )
        assert [len(answer.claims) for answer in answers] == [0, 0, 1]
        assert answers[2].claims[0].token.claim == "claim-2"
        assert len(answers[2].claims[0].pins) == 3

    async def test_a_repeated_settlement_counts_once(self, desk: Desk) -> None:
        """Repeating the settlement of one parent does not stand in for another."""
        run, (a, _) = await desk.start("a", "b", waits_for=2)
        for _ in range(3):
            await desk.end(a, join("d", 2, parents=("a", "b")))
        assert (await desk.task(run, "d")).state == "waiting"

    async def test_a_stale_parent_does_not_count(self, desk: Desk) -> None:
        """A superseded attempt releases nothing, also of a join that it would complete."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        desk.clock.advance(LEASE_SECONDS + 1)
        await desk.store.expire()
        await desk.claim("a_agent")
        await desk.end(b, join("d", 2, parents=("a", "b")))
        assert (await desk.end(a, join("d", 2, parents=("a", "b")))).verdict == "stale"
        assert (await desk.task(run, "d")).state == "waiting"

    async def test_a_join_remembers_that_a_parent_broke(self, desk: Desk) -> None:
        """One parent without anything to hand over makes the join broken, whichever comes last."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        broken = join("d", 2, parents=("a", "b"))._replace(broken=True)
        await desk.settle(settlement(a, None, broken, ending="failed"))
        record = handoff()
        await desk.settle(settlement(b, record, join("d", 2, parents=("a", "b"))))
        (claim,) = await desk.claim("anybody")
        assert (claim.broken, claim.pins) == (True, (pin_of(b, record),))
        assert (await desk.task(run, "d")).state == "claimed"

    async def test_a_batch_with_a_broken_and_a_whole_parent(self, desk: Desk) -> None:
        """Parents that settle in one batch leave the same join behind as one after the other."""
        _, (a, b) = await desk.start("a", "b", waits_for=2)
        parents = ("a", "b")
        answers = await desk.settle(
            settlement(a, None, join("d", 2, parents=parents)._replace(broken=True), ending="failed"),
            settlement(b, handoff(), join("d", 2, parents=parents, claim="claim-d")),
        )
        (claim,) = answers[1].claims
        assert (claim.broken, [pin.node for pin in claim.pins]) == (True, ["b"])

    async def test_parents_that_settle_at_once_release_a_join_once(self, desk: Desk) -> None:
        """Many parents settled by many callers at the same time make the join ready exactly once."""
        parents = tuple(f"p{number:02d}" for number in range(24))
        run, claims = await desk.start(*parents, waits_for=24)
        answers = await asyncio.gather(
            *(
                desk.end(claim, join("d", 24, parents=parents, claim=f"claim-{claim.token.node}"))
                for claim in claims
            )
        )
        granted = [claim for answer in answers for claim in answer.claims]
        assert len(granted) == 1
        assert [pin.node for pin in granted[0].pins] == list(parents)
        names = await desk.names(run)
        assert (names.count("task.d_agent.claimed"), names.count("task.d_agent.ready")) == (1, 0)

    async def test_a_second_claim_keeps_the_inputs_of_the_first(self, desk: Desk) -> None:
        """A task that is tried again gets the very versions that it was given at first."""
        _, (a,) = await desk.start("a")
        (b,) = (await desk.end(a, release("b", pins=None, parents=("a",), claim="claim-b"))).claims
        await desk.settle(settlement(b, None, ending="retry"))
        (again,) = await desk.claim("b_agent")
        assert again.pins == b.pins != ()
