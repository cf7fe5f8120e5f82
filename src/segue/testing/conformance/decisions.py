"""What people decide: reviews, and the cancelling of runs."""

from __future__ import annotations

import asyncio

from segue.domain.decisions import Review
from segue.domain.records import Claim, HandoffRecord, Release
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import (
    LEASE_SECONDS,
    Desk,
    handoff,
    join,
    pin_of,
    release,
    settlement,
)


def decision(
    run: str,
    node: str,
    record: HandoffRecord,
    *releases: Release,
    run_resolved: int = 0,
    data: str | None = None,
) -> Review:
    """A person's decision on a task."""
    return Review(run, node, -1, record, releases, run_resolved, data)


class DecisionConformance(Suite):
    """Reviews and cancelling."""

    async def _in_review(self, desk: Desk) -> tuple[str, Claim]:
        run, (a,) = await desk.start("a")
        await desk.settle(settlement(a, handoff(status="needs_review"), ending="needs_review"))
        return run, a

    async def test_a_run_that_only_a_person_can_move_says_so(self, desk: Desk) -> None:
        """A run needs a review when nothing else of it is ready or running, not before."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        (first,) = await desk.settle(settlement(a, handoff(status="needs_review"), ending="needs_review"))
        assert (first.run_state, (await desk.run(run)).state) == (None, "running")
        second = await desk.end(b, join("c", 2, parents=("a", "b")))
        assert (second.run_state, (await desk.run(run)).state) == ("needs_review", "needs_review")
        assert (await desk.names(run))[-1] == "run.needs_review"
        assert (await desk.run(run)).ended_at is None

    async def test_an_approval_is_the_next_version_and_releases(self, desk: Desk) -> None:
        """A decision with a complete hand-off becomes version 2 and lets the dependents start on exactly that."""
        run, a = await self._in_review(desk)
        approved = handoff('"better"', version=2)
        pin = pin_of(a, approved)
        verdict = await desk.store.review(
            decision(run, "a", approved, release("b", pins=(pin,)), data='{"by":"me"}')
        )
        assert verdict == "accepted"
        task = await desk.task(run, "a")
        assert (task.state, task.version, task.epoch) == ("complete", 2, 1)
        assert (await desk.run(run)).state == "running"
        assert (await desk.names(run))[-3:] == ["task.a_agent.complete", "task.b_agent.ready", "run.resumed"]
        both = await desk.store.read_handoffs(run, [("a", -1, 1), ("a", -1, 2)])
        assert [stored.record.status for stored in both] == ["needs_review", "complete"]
        assert (await desk.store.latest_handoffs(run))[0].record == approved
        (claim,) = await desk.claim("b_agent")
        assert claim.pins == (pin,)

    async def test_a_rejection_fails_the_task(self, desk: Desk) -> None:
        """A decision with a failed hand-off settles the task as failed, and the run with it if it was the last."""
        run, _ = await self._in_review(desk)
        rejected = handoff(version=2, status="failed")
        reason = '{"kind":"Rejected"}'
        await desk.store.review(decision(run, "a", rejected, run_resolved=1, data=reason))
        task = await desk.task(run, "a")
        assert (task.state, task.error) == ("failed", reason)
        assert (await desk.run(run)).state == "failed"
        assert (await desk.names(run))[-2:] == ["task.a_agent.failed", "run.failed"]

    async def test_a_rejection_that_is_tolerated_does_not_fail_the_run(self, desk: Desk) -> None:
        """A run can bear a refusal like any other failure, if the decision says so."""
        run, _ = await self._in_review(desk)
        rejected = handoff(version=2, status="failed")
        await desk.store.review(decision(run, "a", rejected, run_resolved=1)._replace(tolerated=True))
        assert (await desk.task(run, "a")).tolerated
        assert (await desk.run(run)).state == "complete"

    async def test_of_two_decisions_one_counts(self, desk: Desk) -> None:
        """The second person is told that somebody decided before, and changes nothing; a repetition is recognised."""
        run, _ = await self._in_review(desk)
        yes, no = handoff('"yes"', version=2), handoff('"no"', version=2, status="failed")
        verdicts = await asyncio.gather(
            desk.store.review(decision(run, "a", yes)), desk.store.review(decision(run, "a", no))
        )
        assert sorted(verdicts) == ["accepted", "stale"]
        (latest,) = await desk.store.latest_handoffs(run)
        winner = yes if verdicts[0] == "accepted" else no
        assert latest.record == winner
        assert await desk.store.review(decision(run, "a", winner)) == "repeated"

    async def test_two_decisions_on_the_same_body_are_two(self, desk: Desk) -> None:
        """Who refuses what somebody else has approved as it is hears that he came second, not that it was written."""
        run, _ = await self._in_review(desk)
        yes, no = handoff(version=2), handoff(version=2, status="failed")
        assert await desk.store.review(decision(run, "a", yes)) == "accepted"
        assert await desk.store.review(decision(run, "a", no)) == "stale"
        assert await desk.store.review(decision(run, "a", yes)) == "repeated"

    async def test_only_what_is_in_review_can_be_decided(self, desk: Desk) -> None:
        """A decision on a running, settled or unknown task, or on another version, is refused."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        await desk.end(b)
        reviewed, _ = await self._in_review(desk)
        for review in (
            decision(run, "a", handoff()),
            decision(run, "b", handoff(version=2)),
            decision(run, "z", handoff()),
            decision("no", "a", handoff()),
            decision(reviewed, "a", handoff(version=3)),
        ):
            assert await desk.store.review(review) == "stale"
        assert (await desk.task(run, "a")).claim == a.token.claim

    async def test_cancelling_ends_a_run_with_its_open_tasks(self, desk: Desk) -> None:
        """Waiting, ready, claimed and reviewed tasks are cancelled; what is settled stays."""
        run, (a, b, c, _) = await desk.start("a", "b", "c", "d", waits_for=4)
        await desk.end(a, release("e"), join("f", 2, parents=("a", "b")))
        await desk.settle(settlement(b, handoff(status="needs_review"), ending="needs_review"))
        await desk.settle(settlement(c, None, ending="retry", not_before=60.0))
        assert await desk.store.cancel(run, "too late") is True
        states = {task.node: task.state for task in await desk.store.read_tasks(run)}
        assert states == {"a": "complete"} | dict.fromkeys("bcdef", "cancelled")
        record = await desk.run(run)
        assert (record.state, record.ended_at) == ("cancelled", desk.clock.wall())
        names = await desk.names(run)
        assert (names[-1], sum(name.endswith("_agent.cancelled") for name in names)) == ("run.cancelled", 5)
        last = (await desk.events(run))[-1].data
        assert last is not None
        assert "too late" in last

    async def test_a_cancelled_attempt_can_write_nothing(self, desk: Desk) -> None:
        """Cancelling revokes every claim, and nothing of the run is ever claimed again."""
        run, (a,) = await desk.start("a")
        await desk.store.cancel(run, "stop")
        before = await desk.events()
        assert (await desk.end(a, release("b"), run_resolved=1)).verdict == "stale"
        assert list(await desk.store.renew([a.token], LEASE_SECONDS)) == [False]
        desk.clock.advance(LEASE_SECONDS * 2)
        assert list(await desk.store.expire([a.token.claim])) == []
        assert list(await desk.claim("a_agent", "b_agent")) == []
        assert await desk.events() == before

    async def test_cancelling_twice_is_once(self, desk: Desk) -> None:
        """A run that has ended, or is not there, cannot be cancelled, and stays as it is."""
        run, (a,) = await desk.start("a")
        await desk.end(a, run_resolved=1)
        assert await desk.store.cancel(run, "no") is False
        assert (await desk.run(run)).state == "complete"
        other, _ = await desk.start("a")
        assert [await desk.store.cancel(other, "yes"), await desk.store.cancel(other, "again")] == [
            True,
            False,
        ]
        assert (await desk.names(other)).count("run.cancelled") == 1
        assert await desk.store.cancel("no", "no") is False
