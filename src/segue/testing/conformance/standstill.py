"""When a run needs a review: all that is left of it waits for a person, directly or in the middle of an attempt."""

from __future__ import annotations

import pytest

from segue.domain.records import Claim, Ending, Need, Settlement, Token
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import LEASE_SECONDS, WORKER, Desk, handoff, join, release, settlement
from segue.testing.conformance.growing import append
from segue.testing.conformance.pools import claim, pooled, submit
from segue.testing.conformance.reviews import decision


def asks(claim: Claim) -> Settlement:
    """The end of an attempt whose hand-off needs a review."""
    return settlement(claim, handoff(status="needs_review"), ending="needs_review")


class StandstillConformance(Suite):
    """A parked claim moves its run only if what it waits for has settled."""

    async def _stuck(self, desk: Desk) -> tuple[str, Claim]:
        """A run in which `a` is parked until somebody has decided on `b`."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        await desk.store.park(a.token, ["b"])
        (answer,) = await desk.settle(asks(b))
        assert (answer.run_state, (await desk.run(run)).state) == ("needs_review", "needs_review")
        return run, a

    async def _goes_on(self, desk: Desk, run: str) -> None:
        assert (await desk.run(run)).state == "running"
        told = [name for name in await desk.names(run) if name in ("run.needs_review", "run.resumed")]
        assert told[-2:] == ["run.needs_review", "run.resumed"]

    async def test_a_claim_that_waits_for_a_person_moves_nothing(self, desk: Desk) -> None:
        """The run needs a review then, and moves again with the decision: the claim goes on by itself."""
        run, a = await self._stuck(desk)
        approved = decision(run, "b", handoff(version=2), run_resolved=1)
        assert await desk.store.review(approved) == "accepted"
        await self._goes_on(desk, run)
        assert await desk.store.go_on(a.token) == "accepted"
        assert (await desk.end(a, run_resolved=1)).run_state == "complete"

    async def test_a_review_may_be_there_before_somebody_waits_for_it(self, desk: Desk) -> None:
        """Whoever parks last finds that nothing moves any more, also if he waits for what nothing has released yet."""
        run, (a, b, c) = await desk.start("a", "b", "c", waits_for=4)
        await desk.settle(asks(b))
        await desk.store.park(a.token, ["d"])
        assert (await desk.run(run)).state == "running"
        await desk.store.park(c.token, ["a"])
        assert (await desk.run(run)).state == "needs_review"
        assert (await desk.names(run))[-2:] == ["task.c_agent.parked", "run.needs_review"]

    async def test_an_effect_in_doubt_is_waited_for_in_the_same_way(self, desk: Desk) -> None:
        """Only a person can say what happened."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        await desk.store.park(a.token, ["b"])
        (answer,) = await desk.settle(settlement(b, None, ending="in_doubt"))
        assert answer.run_state == (await desk.run(run)).state == "needs_review"

    async def test_who_waits_for_what_moves_is_no_reason(self, desk: Desk) -> None:
        """Not for what is ready, runs or is paused, and not for what has settled: then the claim is about to go on."""
        run, (a, b, c, d) = await desk.start("a", "b", "c", "d", waits_for=4)
        await desk.end(d, run_resolved=1)
        await desk.settle(asks(b))
        await desk.store.park(a.token, ["c"])
        assert (await desk.run(run)).state == "running"
        await desk.settle(settlement(c, None, ending="retry"))
        assert (await desk.run(run)).state == "running"
        await desk.control(run, "pause", "c")
        assert (await desk.run(run)).state == "running"
        await desk.control(run, "resume", "c")
        (c,) = await desk.claim("c_agent")
        await desk.store.park(c.token, ["d"])
        assert (await desk.run(run)).state == "running"
        await desk.store.park(c.token, ["d", "b"])
        assert (await desk.run(run)).state == "needs_review"

    async def test_the_items_of_a_list_are_waited_for_too(self, desk: Desk) -> None:
        """A mapped task has settled when all its items have."""
        run, (a, m) = await desk.start("a", "m", waits_for=3)
        items = [release("m", item=item, need=0, resolved=0, claim=f"item{item}") for item in range(2)]
        await desk.store.park(a.token, ["m"])
        (answer,) = await desk.settle(settlement(m, None, *items, ending="expanded"))
        zero, one = answer.claims
        await desk.settle(asks(zero))
        assert (await desk.run(run)).state == "running"
        assert (await desk.end(one, run_resolved=1)).run_state == "needs_review"
        await desk.store.review(decision(run, "m", handoff(version=2))._replace(item=0))
        await self._goes_on(desk, run)

    async def test_who_waits_for_places_moves(self, desk: Desk) -> None:
        """Nobody needs to decide for that: whoever has the places gives them back."""
        await desk.store.set_pool("gpu", 1)
        run = await submit(desk, pooled("a"), pooled("b", ()))
        a, b = await claim(desk)
        await desk.store.park(a.token, ["b"])
        await submit(desk, pooled("other", (Need("gpu", 1),)))
        await claim(desk)
        await desk.settle(asks(b))
        assert (await desk.run(run)).state == "needs_review"
        assert await desk.store.go_on(a.token) == "wait"
        await self._goes_on(desk, run)

    @pytest.mark.parametrize("how", ["goes on", "delegates", "is lost", "is reassigned", "is interrupted"])
    async def test_a_claim_that_moves_moves_its_run(self, desk: Desk, how: str) -> None:
        """It may give up waiting, do something else meanwhile, or be taken back: then no person is needed for that."""
        run, a = await self._stuck(desk)
        match how:
            case "goes on":
                assert await desk.store.go_on(a.token) == "accepted"
            case "delegates":
                assert await desk.store.append(a.token, append("a/child.1")) == "accepted"
            case "is lost":
                desk.clock.advance(LEASE_SECONDS)
                await desk.store.expire()
            case "is reassigned":
                assert await desk.control(run, "reassign", "a") == "accepted"
            case "is interrupted":
                assert await desk.control(run, "pause", "a", interrupt=True) == "accepted"
        await self._goes_on(desk, run)

    async def test_an_attempt_that_ends_while_it_waits_moves_its_run(self, desk: Desk) -> None:
        """Handed back, tried again, or handed over to somebody who starts at once; if nobody does, it is as before."""
        run, a = await self._stuck(desk)
        endings: tuple[Ending, ...] = ("handed_back", "retry")
        for ending in endings:
            await desk.settle(settlement(a, None, ending=ending))
            await self._goes_on(desk, run)
            (a,) = await desk.claim("a_agent")
            await desk.store.park(a.token, ["b"])
            assert (await desk.run(run)).state == "needs_review"
        answer = await desk.end(a, release("c", claim="c-claim"), join("d", 2, parents=("a", "b")))
        assert [each.token.node for each in answer.claims] == ["c"]
        assert answer.run_state is None
        await self._goes_on(desk, run)
        (c,) = answer.claims
        assert (await desk.end(c, run_resolved=1)).run_state == "needs_review"

    async def test_a_run_that_needs_a_review_may_be_tried_again(self, desk: Desk) -> None:
        """What failed of it begins anew, and who is parked stays so."""
        run, (a, b, c) = await desk.start("a", "b", "c", waits_for=3)
        await desk.store.park(a.token, ["b"])
        await desk.settle(asks(b), settlement(c, None, ending="dead", run_resolved=1))
        assert (await desk.run(run)).state == "needs_review"
        assert await desk.retry(run, "c") == "accepted"
        await self._goes_on(desk, run)
        assert (await desk.task(run, "a")).parked
        (c,) = await desk.claim("c_agent", worker=WORKER)
        assert c.token == Token(run, "c", -1, 2, c.token.claim)
