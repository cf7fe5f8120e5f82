"""Reviews: what is decided on hand-offs that wait for a person, and what happens when nobody does."""

from __future__ import annotations

import asyncio
from itertools import count

from segue.domain.decisions import Decision, Redrive, Reset
from segue.domain.records import Claim, HandoffRecord, Release
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import Desk, handoff, join, pin_of, release, settlement

_NUMBERS = count(1)
"""Every decision has an id of its own."""


def decision(
    run: str,
    node: str,
    record: HandoffRecord,
    *releases: Release,
    run_resolved: int = 0,
    data: str | None = None,
) -> Decision:
    """A person's decision on a task, which was not escalated."""
    word = "approved" if record.status == "complete" else "rejected"
    place = (f"decision-{next(_NUMBERS)}", run, node, -1, record.version - 1, 0)
    return Decision(*place, word, False, record, releases, run_resolved, data)  # type: ignore[arg-type]


class ReviewConformance(Suite):
    """Decisions on hand-offs in review, by people and by the terms of the review."""

    async def _in_review(self, desk: Desk, seconds: float | None = None) -> tuple[str, Claim]:
        run, (a,) = await desk.start("a")
        asked = settlement(a, handoff(status="needs_review"), ending="needs_review")
        await desk.settle(asked._replace(review_seconds=seconds))
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
        said = [decision(run, "a", yes), decision(run, "a", no)]
        verdicts = await asyncio.gather(*map(desk.store.review, said))
        assert sorted(verdicts) == ["accepted", "stale"]
        (latest,) = await desk.store.latest_handoffs(run)
        winner = said[verdicts.index("accepted")]
        assert latest.record == winner.handoff
        before = await desk.events()
        assert await desk.store.review(winner) == "repeated"
        assert await desk.events() == before

    async def test_two_decisions_on_the_same_body_are_two(self, desk: Desk) -> None:
        """Who says the same as somebody before, or the contrary, hears that he came second, not that it is his."""
        run, _ = await self._in_review(desk)
        yes, no = handoff(version=2), handoff(version=2, status="failed")
        assert await desk.store.review(decision(run, "a", yes)) == "accepted"
        assert await desk.store.review(decision(run, "a", no)) == "stale"
        assert await desk.store.review(decision(run, "a", yes)) == "stale"

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

    async def test_a_review_has_its_time(self, desk: Desk) -> None:
        """A person's word counts until the review is over by the wall clock, that of its terms from then on."""
        run, _ = await self._in_review(desk, 60.0)
        until = desk.clock.wall() + 60.0
        assert (await desk.task(run, "a")).review_by == until
        person, terms = decision(run, "a", handoff(version=2)), decision(run, "a", handoff(version=2))
        terms = terms._replace(by_policy=True)
        assert await desk.store.review(terms) == "stale"
        desk.clock.advance(60.0)
        assert await desk.store.review(person) == "stale"
        assert (await desk.task(run, "a")).state == "needs_review"
        assert await desk.store.review(terms) == "accepted"
        task = await desk.task(run, "a")
        assert (task.state, task.review_by) == ("complete", None)

    async def test_a_review_without_a_time_waits_for_ever(self, desk: Desk) -> None:
        """Where nothing was said of an end, only people decide."""
        run, _ = await self._in_review(desk)
        desk.clock.advance(10_000_000.0)
        assert list(await desk.store.read_reviews(expired_only=True)) == []
        terms = decision(run, "a", handoff(version=2))._replace(by_policy=True)
        assert await desk.store.review(terms) == "stale"
        assert await desk.store.review(decision(run, "a", handoff(version=2))) == "accepted"

    async def test_what_waits_is_listed(self, desk: Desk) -> None:
        """All that waits for a decision is found, by itself what waited too long; not what was decided or has ended."""
        late, _ = await self._in_review(desk, 60.0)
        later, _ = await self._in_review(desk, 30.0)
        free, _ = await self._in_review(desk)
        gone, _ = await self._in_review(desk, 10.0)
        decided, _ = await self._in_review(desk, 10.0)
        await desk.cancel(gone)
        await desk.store.review(decision(decided, "a", handoff(version=2), run_resolved=1))
        going_on, (asked, _) = await desk.start("a", "b", waits_for=2)
        await desk.settle(settlement(asked, handoff(status="needs_review"), ending="needs_review"))
        await desk.store.review(decision(going_on, "a", handoff(version=2), run_resolved=1))
        waiting = list(await desk.store.read_reviews())
        assert [task.run for task in waiting] == [late, later, free]
        assert waiting == [await desk.task(run, "a") for run in (late, later, free)]
        assert list(await desk.store.read_reviews(expired_only=True)) == []
        desk.clock.advance(60.0)
        assert [task.run for task in await desk.store.read_reviews(expired_only=True)] == [later, late]

    async def test_a_review_is_passed_on(self, desk: Desk) -> None:
        """Escalated, the same version waits for others, in their own time; a word of those before comes too late."""
        run, _ = await self._in_review(desk, 60.0)
        desk.clock.advance(60.0)
        before = decision(run, "a", handoff(version=2))
        passed = before._replace(
            id="pass", word="escalated", by_policy=True, handoff=None, review_seconds=30.0, data='{"by":"x"}'
        )
        assert await desk.store.review(passed) == "accepted"
        task = await desk.task(run, "a")
        assert (task.state, task.version, task.escalations) == ("needs_review", 1, 1)
        assert task.review_by == desk.clock.wall() + 30.0
        assert (await desk.run(run)).state == "needs_review"
        event = (await desk.events(run))[-1]
        assert (event.name, event.data) == ("task.a_agent.escalated", '{"by":"x"}')
        assert await desk.store.review(before) == "stale"
        assert await desk.store.review(passed) == "repeated"
        assert await desk.store.review(before._replace(id="new", escalations=1)) == "accepted"

    async def test_who_was_refused_is_told_of(self, desk: Desk) -> None:
        """A decision that does not count leaves an event, once, and nothing else."""
        run, _ = await self._in_review(desk)
        before = await desk.task(run, "a")
        word = decision(run, "a", handoff(version=2), data='{"by":"eve"}')
        refused = word._replace(word="refused", handoff=None)
        assert await desk.store.review(refused) == "accepted"
        assert await desk.store.review(refused) == "repeated"
        assert await desk.task(run, "a") == before
        told = [event for event in await desk.events(run) if event.name == "task.a_agent.review_refused"]
        assert [event.data for event in told] == ['{"by":"eve"}']
        assert await desk.store.review(refused._replace(node="z")) == "stale"

    async def test_a_new_hand_off_has_its_whole_time(self, desk: Desk) -> None:
        """What was rejected and is tried again is in the first round of its review, by its own time."""
        run, _ = await self._in_review(desk, 60.0)
        desk.clock.advance(60.0)
        passed = decision(run, "a", handoff(version=2))._replace(
            word="escalated", by_policy=True, handoff=None, review_seconds=30.0
        )
        await desk.store.review(passed)
        rejected = decision(run, "a", handoff(version=2, status="failed"), run_resolved=1)
        await desk.store.review(rejected._replace(escalations=1))
        tasks = await desk.store.read_tasks(run)
        progress = sum(task.epoch + task.version for task in tasks)
        redrive = Redrive((Reset("a", -1, 1, "a_agent", 0),), 1, progress)
        assert await desk.control(run, "retry", redrive=redrive) == "accepted"
        (again,) = await desk.claim("a_agent")
        asked = settlement(again, handoff(version=3, status="needs_review"), ending="needs_review")
        await desk.settle(asked._replace(review_seconds=60.0))
        task = await desk.task(run, "a")
        assert (task.escalations, task.review_by) == (0, desk.clock.wall() + 60.0)
