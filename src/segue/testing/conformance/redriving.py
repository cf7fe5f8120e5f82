"""Trying again what was given up, with everything that was skipped because of it."""

from __future__ import annotations

from segue.domain.decisions import Decision, Redrive, Reset
from segue.domain.records import Claim, Limits, Verdict
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import (
    LEASE_SECONDS,
    OTHER,
    Desk,
    handoff,
    join,
    pin_of,
    quorum,
    release,
    settlement,
)


class RedriveConformance(Suite):
    """Retrying dead letters."""

    async def _failed(self, desk: Desk) -> tuple[str, Claim]:
        """A run that has failed: `a` did, `c` is complete, and `d`, which needs both, was skipped."""
        run, (a, c) = await desk.start("a", "c", waits_for=1)
        both = join("d", 2, parents=("a", "c"))
        record = handoff(status="failed")
        await desk.settle(
            settlement(a, record, both._replace(broken=True), ending="failed", data='{"kind":"Bad"}')
        )
        await desk.end(c, both)
        (d,) = await desk.claim("anybody")
        (answer,) = await desk.settle(
            settlement(d, None, ending="skipped", run_resolved=1, data='{"cause":"a"}')
        )
        assert (d.broken, answer.run_state) == (True, "failed")
        return run, c

    async def _retry(
        self, desk: Desk, run: str, *resets: Reset, waits_for: int = 1, behind: int = 0
    ) -> Verdict:
        """Decide on what is there now and write it, or something that is behind that."""
        tasks = await desk.store.read_tasks(run)
        progress = sum(task.epoch + task.version for task in tasks) - behind
        return await desk.control(run, "retry", redrive=Redrive(resets, waits_for, progress))

    async def test_a_redrive_begins_anew_what_failed_and_what_was_skipped_for_it(self, desk: Desk) -> None:
        """The failed task is ready and the skipped one waits for it, without errors; what is complete stays so."""
        run, _ = await self._failed(desk)
        before = await desk.task(run, "c")
        desk.clock.advance(5)
        resets = (Reset("a", -1, 1, "a_agent", 0), Reset("d", -1, 1, "d_agent", 1))
        assert await self._retry(desk, run, *resets) == "accepted"
        a, c, d = await desk.store.read_tasks(run)
        assert (a.state, a.claim, a.error, a.settled_at) == ("ready", None, None, None)
        assert (a.ready_at, d.ready_at) == (desk.clock.wall(), None)
        assert (d.state, d.claim, d.error, d.settled_at) == ("waiting", None, None, None)
        assert c == before
        record = await desk.run(run)
        assert (record.state, record.ended_at) == ("running", None)
        last = (await desk.events(run))[-3:]
        assert [(event.name, event.task, event.epoch) for event in last] == [
            ("task.a_agent.redriven", "a", 1),
            ("task.d_agent.redriven", "d", 1),
            ("run.resumed", None, None),
        ]
        assert last[-1].data == '{"by":"me"}'

    async def test_a_redriven_run_goes_on_to_its_end(self, desk: Desk) -> None:
        """Epochs, attempts and versions go on, inputs are looked up anew, and the run ends as its tasks do."""
        run, c = await self._failed(desk)
        await self._retry(desk, run, Reset("a", -1, 1, "a_agent", 0), Reset("d", -1, 1, "d_agent", 1))
        (a,) = await desk.claim("a_agent")
        assert (a.token.epoch, a.attempt, a.version, a.failures, a.losses, a.broken) == (2, 2, 2, 0, 0, False)
        record = handoff('"better"', version=2)
        (answer,) = await desk.settle(
            settlement(a, record, join("d", 2, parents=("a", "c"), claim="claim-d"))
        )
        (d,) = answer.claims
        assert (d.token.epoch, d.broken) == (2, False)
        assert d.pins == (pin_of(a, record), pin_of(c, handoff('"c -1"')))
        assert (await desk.end(d, run_resolved=1)).run_state == "complete"
        assert (await desk.run(run)).state == "complete"
        versions = await desk.store.read_handoffs(run, [("a", -1, 1), ("a", -1, 2)])
        assert [stored.record.status for stored in versions] == ["failed", "complete"]

    async def test_a_redrive_happens_once(self, desk: Desk) -> None:
        """The same decision a second time is stale, at once and after the run has ended again."""
        run, _ = await self._failed(desk)
        redrive = Redrive((Reset("a", -1, 1, "a_agent", 0),), 1, 5)
        assert await desk.control(run, "retry", redrive=redrive) == "accepted"
        before = await desk.events(run)
        assert await desk.control(run, "retry", redrive=redrive) == "stale"
        assert await desk.events(run) == before
        (a,) = await desk.claim("a_agent")
        await desk.settle(settlement(a, None, ending="failed", run_resolved=1))
        assert await desk.control(run, "retry", redrive=redrive) == "stale"
        assert (await desk.run(run)).state == "failed"

    async def test_a_redrive_is_written_whole_or_not_at_all(self, desk: Desk) -> None:
        """With one task among them that has another epoch, is complete or unknown, nothing is begun anew."""
        run, _ = await self._failed(desk)
        before = await desk.events(run), await desk.store.read_tasks(run), await desk.run(run)
        good = Reset("a", -1, 1, "a_agent", 0)
        for wrong in (
            Reset("d", -1, 2, "d_agent", 1),
            Reset("d", -1, 0, "d_agent", 1),
            Reset("c", -1, 1, "c_agent", 0),
            Reset("unknown", -1, 0, "d_agent", 1),
        ):
            assert await self._retry(desk, run, good, wrong) == "stale"
        assert await self._retry(desk, run) == "stale"
        assert await self._retry(desk, "unknown", good) == "stale"
        assert await self._retry(desk, run, good, behind=1) == "stale"
        assert before == (await desk.events(run), await desk.store.read_tasks(run), await desk.run(run))

    async def test_only_what_has_ended_or_is_stuck_is_redriven(self, desk: Desk) -> None:
        """A run that goes on, or was cancelled, refuses to be tried again."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        await desk.settle(settlement(a, None, ending="failed", run_resolved=1))
        again = Reset("a", -1, 1, "a_agent", 0)
        assert await self._retry(desk, run, again, waits_for=2) == "stale"
        await desk.settle(settlement(b, handoff(status="needs_review"), ending="needs_review"))
        assert (await desk.run(run)).state == "needs_review"
        assert await self._retry(desk, run, again, waits_for=2) == "accepted"
        assert (await desk.run(run)).state == "running"
        await desk.cancel(run)
        assert await self._retry(desk, run, again) == "stale"

    async def test_what_still_waits_is_told_for_how_many(self, desk: Desk) -> None:
        """In a run that needs a review, a task that waits is mended too: it waits for what is tried again as well."""
        run, (a, b) = await desk.start("a", "b")
        both = join("d", 2, parents=("a", "b"))
        await desk.settle(settlement(a, None, both._replace(broken=True), ending="failed"))
        await desk.settle(settlement(b, handoff(status="needs_review"), ending="needs_review"))
        assert (await desk.run(run)).state == "needs_review"
        resets = (Reset("a", -1, 1, "a_agent", 0), Reset("d", -1, 0, "d_agent", 2))
        assert await self._retry(desk, run, *resets) == "accepted"
        (again,) = await desk.claim("a_agent")
        await desk.end(again, both)
        assert (await desk.run(run)).state == "needs_review"
        approved = handoff(version=2)
        await desk.store.review(
            Decision("id", run, "b", -1, 1, 0, "approved", False, approved, (both,), 0, None)
        )
        (d,) = await desk.claim("d_agent")
        assert (d.broken, [pin.node for pin in d.pins], d.token.epoch) == (False, ["a", "b"], 1)

    async def test_a_redrive_forgets_failures_losses_and_fallbacks(self, desk: Desk) -> None:
        """A dead task that another agent had is given to the agent of the decision, with nothing held against it."""
        run, (a,) = await desk.start("a")
        await desk.settle(settlement(a, None, ending="reassigned")._replace(successor="b_agent"))
        for number in range(3):
            (claim,) = await desk.claim("b_agent", worker=OTHER)
            if number == 0:
                await desk.settle(settlement(claim, None, ending="retry"))
            elif number == 1:
                await desk.store.expire([OTHER])
        assert (claim.failures, claim.losses) == (1, 1)
        await desk.settle(settlement(claim, None, ending="dead", run_resolved=1)._replace(tolerated=True))
        assert (await desk.run(run)).state == "complete"
        assert await self._retry(desk, run, Reset("a", -1, 4, "a_agent", 0)) == "accepted"
        task = await desk.task(run, "a")
        assert (task.agent, task.failures, task.losses, task.tolerated) == ("a_agent", 0, 0, False)
        (again,) = await desk.claim("a_agent")
        assert (again.token.epoch, again.failures, again.losses) == (5, 0, 0)
        (answer,) = await desk.settle(settlement(again, None, ending="failed", run_resolved=1))
        assert answer.run_state == "failed"

    async def test_budgets_begin_anew_with_a_redrive(self, desk: Desk) -> None:
        """What is ready again has its time from now on, what waits has it when it becomes ready."""
        run, _ = await self._failed(desk)
        desk.clock.advance(1000)
        limits = Limits(queue_seconds=5.0, total_seconds=20.0)
        resets = (Reset("a", -1, 1, "a_agent", 0, limits), Reset("d", -1, 1, "d_agent", 1, limits))
        await self._retry(desk, run, *resets)
        a, _, d = await desk.store.read_tasks(run)
        assert (a.deadline, d.deadline) == (desk.clock.wall() + 20.0, None)
        desk.clock.advance(4.5)
        assert list(await desk.claim("another_agent")) == []
        desk.clock.advance(0.5)
        assert [claim.overrun for claim in await desk.claim("another_agent")] == ["queue"]

    async def test_a_redriven_task_keeps_the_inputs_that_it_had(self, desk: Desk) -> None:
        """A task that failed by itself is tried again with the very versions that it was given."""
        run, (a,) = await desk.start("a")
        record = handoff()
        single = release("b", pins=(pin_of(a, record),), claim="claim-b")
        (answer,) = await desk.settle(settlement(a, record, single))
        (b,) = answer.claims
        await desk.settle(settlement(b, None, ending="failed", run_resolved=1))
        await self._retry(desk, run, Reset("b", -1, 1, "b_agent", 0))
        (again,) = await desk.claim("b_agent")
        assert again.pins == b.pins != ()

    async def test_a_redriven_task_gets_the_inputs_that_were_missing(self, desk: Desk) -> None:
        """A task that was skipped, and all of whose inputs are there by now, is ready with the latest of each."""
        run, c = await self._failed(desk)
        await self._retry(desk, run, Reset("a", -1, 1, "a_agent", 0))
        (a,) = await desk.claim("a_agent")
        record = handoff(version=2)
        late = settlement(a, record, join("d", 2, parents=("a", "c")), run_resolved=1)
        assert [answer.run_state for answer in await desk.settle(late)] == ["complete"]
        await self._retry(desk, run, Reset("d", -1, 1, "d_agent", 0))
        (d,) = await desk.claim("d_agent")
        assert (d.broken, d.pins) == (False, (pin_of(a, record), pin_of(c, handoff('"c -1"'))))

    async def test_a_redriven_task_gets_the_inputs_that_it_waits_for(self, desk: Desk) -> None:
        """A task with one parent that was skipped for it starts with what that hands over at last."""
        run, (a,) = await desk.start("a")
        await desk.settle(settlement(a, None, release("b", broken=True), ending="failed"))
        (b,) = await desk.claim("anybody")
        await desk.settle(settlement(b, None, ending="skipped", run_resolved=1))
        await self._retry(desk, run, Reset("a", -1, 1, "a_agent", 0), Reset("b", -1, 1, "b_agent", 1))
        (again,) = await desk.claim("a_agent")
        record = handoff()
        single = release("b", pins=(pin_of(again, record),), claim="claim-b")
        (answer,) = await desk.settle(settlement(again, record, single))
        assert [(claim.broken, claim.pins) for claim in answer.claims] == [(False, (pin_of(again, record),))]

    async def test_a_quorum_can_be_tried_again(self, desk: Desk) -> None:
        """A quorum that could not be reached waits again for what it lacks, and can spare as many as it is told."""
        parents = ("a", "b", "c")
        run, claims = await desk.start(*parents)
        nothing = quorum("d", 2, 1, parents=parents, resolved=0)._replace(broken=True)
        for claim in claims[:2]:
            await desk.settle(settlement(claim, None, nothing, ending="failed"))
        await desk.end(claims[2], quorum("d", 2, 1, parents=parents))
        (d,) = await desk.claim("anybody")
        await desk.settle(settlement(d, None, ending="failed", run_resolved=1))
        resets = [Reset(node, -1, 1, f"{node}_agent", 0) for node in ("a", "b")]
        await self._retry(desk, run, *resets, Reset("d", -1, 1, "d_agent", 1, spare=1))
        a, b = await desk.claim("a_agent", "b_agent")
        await desk.settle(settlement(a, None, nothing, ending="failed"))
        assert (await desk.task(run, "d")).state == "waiting"
        (again,) = (await desk.end(b, quorum("d", 2, 1, parents=parents, claim="claim-d"))).claims
        assert (again.broken, [pin.node for pin in again.pins]) == (False, ["b", "c"])

    async def test_a_late_attempt_cannot_write_into_a_redriven_task(self, desk: Desk) -> None:
        """Whoever had a task before it was begun anew is superseded, also if nobody has claimed it since."""
        run, (a,) = await desk.start("a")
        desk.clock.advance(LEASE_SECONDS)
        await desk.store.expire()
        (b,) = await desk.claim("a_agent", worker=OTHER)
        await desk.settle(settlement(b, None, ending="dead", run_resolved=1))
        await self._retry(desk, run, Reset("a", -1, 2, "a_agent", 0))
        assert [(await desk.end(claim)).verdict for claim in (a, b)] == ["stale", "stale"]
        assert list(await desk.store.renew([a.token, b.token], LEASE_SECONDS)) == [False, False]
