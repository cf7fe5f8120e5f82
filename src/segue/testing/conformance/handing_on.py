"""Tasks that are handed on: one agent leaves a hand-off, and another goes on with the same task."""

from __future__ import annotations

from segue.domain.decisions import Redrive, Reset
from segue.domain.records import HANDED_ON, SINGLE, Claim, Settlement
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import LEASE_SECONDS, Desk, handoff, join, pin_of, settlement


def handed_on(claim: Claim, to: str, output: str = '{"x":1}') -> Settlement:
    """The end of an attempt whose task goes on with another agent."""
    record = handoff(output, claim.version, HANDED_ON)
    return settlement(claim, record, ending="handed_on", data=f'{{"to":"{to}"}}')._replace(successor=to)


class HandingOnConformance(Suite):
    """What `handed_on` does, and does not."""

    async def test_a_task_that_is_handed_on_is_ready_for_the_next_agent(self, desk: Desk) -> None:
        """The hand-off is the task's next version and is pinned before what was pinned; nothing is held against it."""
        run, (a,) = await desk.start("a")
        await desk.settle(settlement(a, None, ending="retry"))
        (again,) = await desk.claim("a_agent")
        assert again.failures == 1
        first = handed_on(again, "b_agent")
        assert [each.verdict for each in await desk.settle(first)] == ["accepted"]
        task = await desk.task(run, "a")
        assert (task.state, task.agent, task.version, task.claim) == ("ready", "b_agent", 1, None)
        assert (await desk.run(run)).state == "running"
        assert not await desk.claim("a_agent")
        (b,) = await desk.claim("b_agent")
        assert (b.failures, b.losses, b.version, b.attempt) == (0, 0, 2, 3)
        assert first.handoff is not None
        assert b.pins == (pin_of(again, first.handoff),)
        second = handed_on(b, "c_agent")
        await desk.settle(second)
        (c,) = await desk.claim("c_agent")
        assert second.handoff is not None
        assert c.pins == (pin_of(b, second.handoff), pin_of(again, first.handoff))
        events = [event for event in await desk.events(run) if event.name.endswith("handed_on")]
        assert [(event.name, event.data) for event in events] == [
            ("task.a_agent.handed_on", '{"to":"b_agent"}'),
            ("task.b_agent.handed_on", '{"to":"c_agent"}'),
        ]

    async def test_dependents_wait_for_the_last_agent(self, desk: Desk) -> None:
        """A join that waits for the task is not released by what was handed on, and takes the final version."""
        run, (a, b) = await desk.start("a", "b")
        await desk.settle(handed_on(a, "c_agent"))
        await desk.end(b, join("d", 2, parents=("a", "b")))
        assert (await desk.task(run, "d")).state == "waiting"
        (c,) = await desk.claim("c_agent")
        await desk.end(c, join("d", 2, parents=("a", "b")))
        (d,) = await desk.claim("d_agent")
        assert [(pin.node, pin.version, pin.status) for pin in d.pins] == [
            ("a", 2, "complete"),
            ("b", 1, "complete"),
        ]

    async def test_handing_on_is_fenced_and_may_be_repeated(self, desk: Desk) -> None:
        """The same twice is `repeated`; another hand-off, or one by an attempt that was superseded, is `stale`."""
        run, (a,) = await desk.start("a")
        first = handed_on(a, "b_agent")
        other = handed_on(a, "b_agent", '{"x":2}')
        answers = [*await desk.settle(first), *await desk.settle(first), *await desk.settle(other)]
        assert [answer.verdict for answer in answers] == ["accepted", "repeated", "stale"]
        (b,) = await desk.claim("b_agent")
        assert [each.verdict for each in await desk.settle(first)] == ["repeated"]
        desk.clock.advance(LEASE_SECONDS)
        await desk.store.expire()
        late = handed_on(b, "c_agent")
        await desk.claim("b_agent")
        assert [each.verdict for each in await desk.settle(late)] == ["stale"]
        task = await desk.task(run, "a")
        assert (task.version, task.agent, task.state) == (1, "b_agent", "claimed")

    async def test_a_batch_may_hand_on_and_complete(self, desk: Desk) -> None:
        """Each hand-off of a batch goes to its own task, whatever became of that."""
        run, (a, b, c) = await desk.start("a", "b", "c", waits_for=3)
        done_a, done_c = handoff('"a"', 1), handoff('"c"', 1)
        batch = (settlement(a, done_a), handed_on(b, "d_agent"), settlement(c, done_c))
        assert [each.verdict for each in await desk.settle(*batch)] == ["accepted"] * 3
        stored = await desk.store.latest_handoffs(run)
        assert {each.node: each.record.status for each in stored} == {
            "a": "complete",
            "b": HANDED_ON,
            "c": "complete",
        }
        bodies = {each.node: each.record.digest for each in stored}
        assert (bodies["a"], bodies["c"]) == (done_a.digest, done_c.digest)

    async def test_a_redrive_forgets_what_was_handed_on(self, desk: Desk) -> None:
        """Begun anew, a task has its first agent again and the inputs that it had before it was handed on."""
        run, (a,) = await desk.start("a")
        await desk.settle(handed_on(a, "b_agent"))
        (b,) = await desk.claim("b_agent")
        failed = handoff("null", b.version, "failed")
        await desk.settle(settlement(b, failed, ending="failed", run_resolved=1))
        assert (await desk.run(run)).state == "failed"
        redrive = Redrive((Reset("a", SINGLE, 2, "a_agent", 0),), 1, 4)
        assert await desk.control(run, "retry", redrive=redrive) == "accepted"
        (again,) = await desk.claim("a_agent")
        assert (again.pins, again.version, again.token.epoch) == ((), 3, 3)
