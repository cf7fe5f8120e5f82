"""Failures and losses: what is held against a task, and what becomes of it."""

from __future__ import annotations

from segue.domain.records import SUSPECT_LOSSES, Claim, ClaimRequest, Ending, RunState
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import LEASE_SECONDS, OTHER, Desk, join, request, root, settlement


class LossConformance(Suite):
    """Counting failures and losses."""

    async def _lose(self, desk: Desk, agent: str, times: int) -> Claim:
        """Claim a task and lose its worker, so many times; the claim after that."""
        for number in range(times):
            await desk.claim(agent, worker=f"victim-{number}")
            await desk.store.expire([f"victim-{number}"])
        (claim,) = await desk.claim(agent, worker=OTHER)
        return claim

    async def test_a_lost_claim_is_counted_by_the_next(self, desk: Desk) -> None:
        """A claim that ran out or whose worker died is one more loss for whoever has the task next, and not before."""
        run, (first,) = await desk.start("a")
        assert first.losses == 0
        desk.clock.advance(LEASE_SECONDS)
        await desk.store.expire()
        assert (await desk.task(run, "a")).losses == 0
        (second,) = await desk.claim("a_agent", worker=OTHER)
        assert (second.losses, second.failures, second.attempt) == (1, 0, 2)
        await desk.store.expire([OTHER])
        (third,) = await desk.claim("a_agent")
        assert (third.losses, third.failures, third.attempt) == (2, 0, 3)
        task = await desk.task(run, "a")
        assert (task.losses, task.failures) == (2, 0)

    async def test_a_claim_that_settles_late_was_not_lost(self, desk: Desk) -> None:
        """A result that arrives after the lease, before anybody else has claimed the task, leaves no loss behind."""
        run, (a,) = await desk.start("a")
        desk.clock.advance(LEASE_SECONDS)
        await desk.store.expire()
        assert (await desk.end(a)).verdict == "accepted"
        assert (await desk.task(run, "a")).losses == 0

    async def test_what_was_given_back_or_failed_is_no_loss(self, desk: Desk) -> None:
        """A retry counts one failure, a task handed back counts nothing, and neither is a loss, even after a lease."""
        _, (claim,) = await desk.start("a")
        counts = []
        endings: tuple[Ending, ...] = ("retry", "handed_back", "retry", "handed_back")
        for ending in endings:
            desk.clock.advance(LEASE_SECONDS)
            await desk.store.expire()
            await desk.settle(settlement(claim, None, ending=ending))
            (claim,) = await desk.claim("a_agent")
            counts.append((claim.failures, claim.losses, claim.attempt))
        assert counts == [(1, 0, 2), (1, 0, 2), (2, 0, 3), (2, 0, 3)]

    async def test_a_repeated_request_hears_of_the_same_losses(self, desk: Desk) -> None:
        """Repeating a request or a settlement gives claims with the counts that they were given out with."""
        run, (a,) = await desk.start("a")
        await desk.settle(settlement(a, None, ending="retry"))
        await self._lose(desk, "a_agent", 1)
        await desk.store.expire([OTHER])
        first = await desk.store.claim(request("a_agent", claim="again"))
        assert list(await desk.store.claim(request("a_agent", claim="again"))) == list(first)
        assert [(claim.failures, claim.losses) for claim in first] == [(1, 2)]
        assert (await desk.task(run, "a")).losses == 2

    async def test_a_reassigned_task_begins_anew_with_its_successor(self, desk: Desk) -> None:
        """A task that is given to another agent is ready for that one at once, without failures and losses."""
        run, (a,) = await desk.start("a")
        await desk.settle(settlement(a, None, ending="retry"))
        claim = await self._lose(desk, "a_agent", 2)
        assert (claim.failures, claim.losses) == (1, 2)
        reason = '{"kind":"ValueError"}'
        reassigned = settlement(claim, None, ending="reassigned", data=reason)._replace(successor="b_agent")
        assert [each.verdict for each in await desk.settle(reassigned)] == ["accepted"]
        task = await desk.task(run, "a")
        assert (task.state, task.agent, task.claim, task.error) == ("ready", "b_agent", None, reason)
        assert (task.failures, task.losses) == (0, 0)
        assert (await desk.names(run))[-1] == "task.a_agent.reassigned"
        assert list(await desk.claim("a_agent")) == []
        (successor,) = await desk.claim("b_agent")
        assert (successor.agent, successor.failures, successor.losses) == ("b_agent", 0, 0)
        assert (successor.token.epoch, successor.attempt) == (claim.token.epoch + 1, claim.attempt + 1)
        assert [each.verdict for each in await desk.settle(reassigned)] == ["repeated"]

    async def test_a_dead_task_fails_its_run(self, desk: Desk) -> None:
        """A task that was given up is settled, keeps its reason, and makes a failed run like one that failed."""
        run, (a,) = await desk.start("a")
        reason = '{"kind":"Lost"}'
        (answer,) = await desk.settle(settlement(a, None, ending="dead", run_resolved=1, data=reason))
        assert (answer.verdict, answer.run_state) == ("accepted", "failed")
        task = await desk.task(run, "a")
        assert (task.state, task.error) == ("dead", reason)
        assert (await desk.names(run))[-2:] == ["task.a_agent.dead", "run.failed"]

    async def test_a_tolerated_failure_does_not_fail_the_run(self, desk: Desk) -> None:
        """A run whose failed and dead tasks are all tolerated is complete; a single other one makes it failed."""
        outcomes: list[RunState | None] = []
        for third in (True, False):
            run, claims = await desk.start("a", "b", "c", waits_for=3)
            endings: tuple[Ending, ...] = ("failed", "dead", "failed")
            answers = await desk.settle(
                *(
                    settlement(claim, None, ending=ending, run_resolved=1)._replace(tolerated=tolerated)
                    for claim, ending, tolerated in zip(claims, endings, (True, True, third), strict=True)
                )
            )
            outcomes.append(answers[-1].run_state)
            tasks = await desk.store.read_tasks(run)
            assert [task.tolerated for task in tasks] == [True, True, third]
        assert outcomes == ["complete", "failed"]

    async def test_a_task_in_doubt_waits_for_a_person(self, desk: Desk) -> None:
        """With an effect in doubt nobody has the task, its attempt can write nothing, and the run needs a review."""
        run, (a,) = await desk.start("a")
        reason = '{"effect":"charge"}'
        doubt = settlement(a, None, ending="in_doubt", data=reason)
        (answer,) = await desk.settle(doubt)
        assert (answer.verdict, answer.run_state) == ("accepted", "needs_review")
        task = await desk.task(run, "a")
        assert (task.state, task.claim, task.error) == ("in_doubt", None, reason)
        desk.clock.advance(LEASE_SECONDS)
        assert list(await desk.store.expire()) == []
        assert list(await desk.claim("a_agent")) == []
        assert (await desk.end(a)).verdict == "stale"
        assert [each.verdict for each in await desk.settle(doubt)] == ["repeated"]
        assert (await desk.names(run))[-2:] == ["task.a_agent.in_doubt", "run.needs_review"]

    async def test_a_task_in_doubt_stops_nobody_else(self, desk: Desk) -> None:
        """As long as another task can go on the run is running; cancelling it takes the task in doubt along."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        await desk.settle(settlement(a, None, ending="in_doubt"))
        assert (await desk.run(run)).state == "running"
        assert (await desk.end(b, join("d", 2, parents=("a", "b")))).run_state == "needs_review"
        assert await desk.cancel(run)
        tasks = {task.node: task.state for task in await desk.store.read_tasks(run)}
        assert tasks == {"a": "cancelled", "b": "complete", "d": "cancelled"}

    async def test_suspects_are_given_out_one_by_one(self, desk: Desk) -> None:
        """Of the tasks that were lost again and again a worker gets no more than it asks for, and all others."""
        runs = [desk.new_run(root("a"), root("b")) for _ in range(3)]
        await desk.store.submit(runs[:2], OTHER, LEASE_SECONDS)
        for _ in range(SUSPECT_LOSSES):
            await desk.claim("a_agent", worker="victim")
            await desk.store.expire(["victim"])
        wanted = request("a_agent", "b_agent")
        assert await self._shares(desk, wanted._replace(claim="none", suspects=0)) == (0, 2)
        await desk.store.submit(runs[2:], OTHER, LEASE_SECONDS)
        assert await self._shares(desk, wanted._replace(claim="one", suspects=1)) == (1, 2)
        assert await self._shares(desk, wanted._replace(claim="one", suspects=1)) == (1, 2)
        assert await self._shares(desk, wanted._replace(claim="next", suspects=1)) == (1, 0)

    async def test_suspects_are_in_nobodys_way(self, desk: Desk) -> None:
        """However many suspects wait in front of it, a task of the same agent that is none is found."""
        await desk.store.submit([desk.new_run(root("a")) for _ in range(3)], OTHER, LEASE_SECONDS)
        for _ in range(SUSPECT_LOSSES):
            await desk.claim("a_agent", worker="victim")
            await desk.store.expire(["victim"])
        desk.clock.advance(1)
        await desk.store.submit([desk.new_run(root("a"))], OTHER, LEASE_SECONDS)
        assert await self._shares(desk, request("a_agent", limit=1)._replace(suspects=0)) == (0, 1)

    async def _shares(self, desk: Desk, wanted: ClaimRequest) -> tuple[int, int]:
        """How many suspects, and how many others, a request is given."""
        claims = await desk.store.claim(wanted)
        suspects = [claim for claim in claims if claim.losses >= SUSPECT_LOSSES]
        return len(suspects), len(claims) - len(suspects)
