"""Quorums: tasks that start when some of their parents have something to hand over."""

from __future__ import annotations

import asyncio

from segue.domain.records import Claim, Settlement
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import Desk, handoff, pin_of, quorum, release, settlement


def gave_nothing(
    claim: Claim, need: int, spare: int, parents: tuple[str, ...], claim_id: str | None = None
) -> Settlement:
    """The end of a parent that has nothing to hand over to `d`."""
    missing = quorum("d", need, spare, parents=parents, resolved=0, claim=claim_id)._replace(broken=True)
    return settlement(claim, None, missing, ending="failed")


class QuorumConformance(Suite):
    """Dependents that need only some of their parents."""

    async def test_a_quorum_starts_with_the_last_handoff_that_it_needs(self, desk: Desk) -> None:
        """Three of four hand-offs start the task, with exactly these as its inputs."""
        parents = ("a", "b", "c", "e")
        run, (a, _, c, e) = await desk.start(*parents, waits_for=4)
        first, second, third = (handoff(output) for output in ('"first"', '"second"', '"third"'))
        for parent, record in ((c, first), (e, second)):
            await desk.settle(settlement(parent, record, quorum("d", 3, 1, parents=parents, claim="early")))
            assert (await desk.task(run, "d")).state == "waiting"
        last = settlement(a, third, quorum("d", 3, 1, parents=parents, claim="claim-d"))
        ((claim,),) = [answer.claims for answer in await desk.settle(last)]
        assert (claim.token.claim, claim.broken) == ("claim-d", False)
        assert claim.pins == (pin_of(a, third), pin_of(c, first), pin_of(e, second))

    async def test_a_straggler_changes_nothing(self, desk: Desk) -> None:
        """A parent that ends after the quorum was there, well or not, leaves the task alone that has started."""
        parents = ("a", "b", "c", "d0")
        run, (a, b, c, last) = await desk.start(*parents, waits_for=4)
        await desk.end(a, quorum("d", 2, 2, parents=parents))
        (claim,) = (await desk.end(b, quorum("d", 2, 2, parents=parents, claim="claim-d"))).claims
        before = await desk.task(run, "d")
        answer = await desk.end(c, quorum("d", 2, 2, parents=parents, claim="claim-late"))
        assert (answer.verdict, answer.claims) == ("accepted", ())
        await desk.settle(gave_nothing(last, 2, 2, parents, "claim-later"))
        assert await desk.task(run, "d") == before
        assert (await desk.end(claim)).verdict == "accepted"
        assert (await desk.names(run)).count("task.d_agent.claimed") == 1

    async def test_a_quorum_does_without_as_many_as_it_can_spare(self, desk: Desk) -> None:
        """A parent that has nothing to hand over neither counts nor breaks the task, as long as one can be spared."""
        parents = ("a", "b", "c")
        for order in ((0, 1, 2), (1, 0, 2)):
            run, claims = await desk.start(*parents, waits_for=3)
            for number in order[:2]:
                if number == 0:
                    await desk.settle(gave_nothing(claims[0], 2, 1, parents))
                else:
                    await desk.end(claims[number], quorum("d", 2, 1, parents=parents))
                assert (await desk.task(run, "d")).state == "waiting"
                assert list(await desk.claim("d_agent")) == []
            last = await desk.end(claims[order[2]], quorum("d", 2, 1, parents=parents, claim=f"claim-{run}"))
            assert [claim.broken for claim in last.claims] == [False]
            assert [pin.node for pin in last.claims[0].pins] == ["b", "c"]

    async def test_a_quorum_that_cannot_be_reached_is_broken_at_once(self, desk: Desk) -> None:
        """The first parent that is missing beyond the spare ones gives the task to anybody, whoever still runs."""
        parents = ("a", "b", "c", "e")
        run, claims = await desk.start(*parents, waits_for=4)
        for claim in claims[:3]:
            assert list(await desk.claim("d_agent")) == []
            await desk.settle(gave_nothing(claim, 2, 2, parents))
        assert (await desk.task(run, "d")).state == "ready"
        (claim,) = await desk.claim("anybody")
        assert (claim.token.node, claim.broken, claim.pins) == ("d", True, ())
        assert (await desk.end(claims[3], quorum("d", 2, 2, parents=parents, claim="claim-d"))).claims == ()
        assert (await desk.names(run)).count("task.d_agent.claimed") == 1

    async def test_a_quorum_is_broken_by_its_first_parent_if_it_can_spare_none(self, desk: Desk) -> None:
        """Where the first parent to end is one too many that is missing, the task comes into being broken."""
        parents = ("a", "b")
        _, (a, _) = await desk.start(*parents, waits_for=2)
        (answer,) = await desk.settle(gave_nothing(a, 2, 0, parents, "claim-d"))
        assert [(claim.token.claim, claim.broken) for claim in answer.claims] == [("claim-d", True)]

    async def test_a_batch_releases_a_quorum_in_its_order(self, desk: Desk) -> None:
        """When one batch settles all parents, the one that makes the quorum claims it; later ones are stragglers."""
        parents = ("a", "b", "c", "e")
        run, claims = await desk.start(*parents, waits_for=4)
        answers = await desk.settle(
            gave_nothing(claims[0], 2, 2, parents, "claim-0"),
            *(
                settlement(claim, handoff(), quorum("d", 2, 2, parents=parents, claim=f"claim-{number}"))
                for number, claim in enumerate(claims[1:], 1)
            ),
        )
        assert [[claim.token.claim for claim in answer.claims] for answer in answers] == [
            [],
            [],
            ["claim-2"],
            [],
        ]
        assert [pin.node for pin in answers[2].claims[0].pins] == ["b", "c"]
        assert (await desk.names(run)).count("task.d_agent.claimed") == 1

    async def test_a_repeated_settlement_uses_up_one_spare(self, desk: Desk) -> None:
        """Repeating the settlement of a parent that has nothing does not stand in for another one."""
        parents = ("a", "b", "c")
        run, (a, _, _) = await desk.start(*parents, waits_for=3)
        for _ in range(3):
            await desk.settle(gave_nothing(a, 2, 1, parents))
        assert (await desk.task(run, "d")).state == "waiting"

    async def test_each_element_of_a_list_counts_for_a_quorum(self, desk: Desk) -> None:
        """A mapped parent counts as often as its list may have elements; those that there are not, are missing."""
        parents, spare, most = ("c", "m"), 4, 5
        for failing in (2, 3):
            run, (c, m) = await desk.start(*parents, waits_for=2)
            if failing == 3:
                await desk.end(c, quorum("d", 2, spare, parents=parents))
            items = [release("m", item=item, need=0, resolved=0, claim=f"{run}.{item}") for item in range(3)]
            fewer = quorum("d", 2, spare, parents=parents, resolved=len(items) - most)._replace(broken=True)
            (answer,) = await desk.settle(settlement(m, None, *items, fewer, ending="expanded"))
            for claim in answer.claims[:failing]:
                assert (await desk.task(run, "d")).state == "waiting"
                await desk.settle(gave_nothing(claim, 2, spare, parents))
            if failing == 2:
                await desk.end(answer.claims[2], quorum("d", 2, spare, parents=parents))
                assert (await desk.task(run, "d")).state == "waiting"
                await desk.end(c, quorum("d", 2, spare, parents=parents))
            (claim,) = await desk.claim("d_agent")
            pins = [(pin.node, pin.item) for pin in claim.pins]
            assert (claim.broken, pins) == (
                (False, [("c", -1), ("m", 2)]) if failing == 2 else (True, [("c", -1)])
            )

    async def test_a_list_as_long_as_it_may_be_uses_up_nothing(self, desk: Desk) -> None:
        """An expansion into as many elements as there may be leaves the spare ones as they are."""
        parents = ("c", "m")
        run, (c, m) = await desk.start(*parents, waits_for=2)
        items = [release("m", item=item, need=0, resolved=0, claim=f"{run}.{item}") for item in range(2)]
        full = quorum("d", 2, 1, parents=parents, resolved=0)
        (answer,) = await desk.settle(settlement(m, None, *items, full, ending="expanded"))
        await desk.settle(gave_nothing(c, 2, 1, parents))
        first, second = answer.claims
        await desk.end(first, quorum("d", 2, 1, parents=parents))
        (claim,) = (await desk.end(second, quorum("d", 2, 1, parents=parents, claim="claim-d"))).claims
        assert (claim.broken, [pin.item for pin in claim.pins]) == (False, [0, 1])

    async def test_parents_that_settle_at_once_start_a_quorum_once(self, desk: Desk) -> None:
        """Many parents, half of them with nothing, settled by many callers at the same time start the task once."""
        parents = tuple(f"p{number:02d}" for number in range(24))
        run, claims = await desk.start(*parents, waits_for=24)
        answers = await asyncio.gather(
            *(
                desk.settle(gave_nothing(claim, 12, 12, parents, f"claim-{number}"))
                if number % 2
                else desk.settle(
                    settlement(
                        claim, handoff(), quorum("d", 12, 12, parents=parents, claim=f"claim-{number}")
                    )
                )
                for number, claim in enumerate(claims)
            )
        )
        granted = [claim for (answer,) in answers for claim in answer.claims]
        assert [(claim.broken, len(claim.pins)) for claim in granted] == [(False, 12)]
        assert (await desk.names(run)).count("task.d_agent.claimed") == 1
