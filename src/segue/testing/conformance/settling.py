"""Settling: the one transaction of a hand-off, fenced and safe to repeat."""

from __future__ import annotations

import asyncio

from segue.domain.records import Ending, Settled
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import (
    LEASE_SECONDS,
    WORKER,
    Desk,
    handoff,
    pin_of,
    release,
    request,
    root,
    settlement,
)


class SettlingConformance(Suite):
    """Ending attempts."""

    async def test_a_settlement_writes_state_handoff_and_event(self, desk: Desk) -> None:
        """A completed attempt leaves the task complete, its hand-off readable and its event in the log."""
        run, (a,) = await desk.start("a")
        desk.clock.advance(3)
        record = handoff('"result"')
        (answer,) = await desk.settle(settlement(a, record, data='{"x":1}'))
        assert answer == Settled("accepted", (), None)
        task = await desk.task(run, "a")
        assert (task.state, task.version, task.epoch, task.attempt) == ("complete", 1, 1, 1)
        assert (task.settled_at, task.claimed_at) == (desk.clock.wall(), desk.clock.wall() - 3)
        (stored,) = await desk.store.read_handoffs(run, [("a", -1, 1)])
        assert (stored.run, stored.node, stored.item, stored.epoch, stored.record) == (
            run,
            "a",
            -1,
            1,
            record,
        )
        event = (await desk.events(run))[-1]
        assert (event.name, event.task, event.epoch) == ("task.a_agent.complete", "a", 1)
        assert (event.data, event.at) == ('{"x":1}', desk.clock.wall())

    async def test_each_ending_is_a_state_and_an_event(self, desk: Desk) -> None:
        """Failed, skipped, expanded and reviewed attempts are states of the task and named in the log."""
        endings: tuple[Ending, ...] = ("expanded", "failed", "needs_review", "skipped")
        run, claims = await desk.start(*endings)
        for claim, ending in zip(claims, endings, strict=True):
            await desk.settle(settlement(claim, None, ending=ending, data='{"kind":"Because"}'))
        tasks = {task.node: task for task in await desk.store.read_tasks(run)}
        assert {node: task.state for node, task in tasks.items()} == {ending: ending for ending in endings}
        reasons = {node for node, task in tasks.items() if task.error == '{"kind":"Because"}'}
        assert reasons == {"failed", "skipped"}
        assert {f"task.{ending}_agent.{ending}" for ending in endings} <= set(await desk.names(run))

    async def test_a_superseded_attempt_can_write_nothing(self, desk: Desk) -> None:
        """Once a task has been claimed again, the attempt before is stale and leaves no trace."""
        run, (old,) = await desk.start("a")
        desk.clock.advance(LEASE_SECONDS + 1)
        await desk.store.expire()
        (new,) = await desk.claim("a_agent")
        before = await desk.events()
        assert (await desk.end(old, release("b"), run_resolved=1)).verdict == "stale"
        assert await desk.events() == before
        assert [task.node for task in await desk.store.read_tasks(run)] == ["a"]
        assert list(await desk.store.latest_handoffs(run)) == []
        assert (await desk.end(new)).verdict == "accepted"

    async def test_epoch_and_claim_are_both_compared(self, desk: Desk) -> None:
        """A token with the right claim and another epoch, or the right epoch and another claim, is stale."""
        run, (a,) = await desk.start("a")
        for token in (
            a.token._replace(epoch=2),
            a.token._replace(epoch=0),
            a.token._replace(claim="another"),
        ):
            assert (await desk.end(a._replace(token=token))).verdict == "stale"
        assert (await desk.task(run, "a")).state == "claimed"

    async def test_unknown_tasks_are_stale(self, desk: Desk) -> None:
        """A token of a run or task that does not exist is refused, not an error."""
        run, (a,) = await desk.start("a")
        for token in (a.token._replace(run="no"), a.token._replace(node="no"), a.token._replace(item=3)):
            assert (await desk.end(a._replace(token=token))).verdict == "stale"
        assert [task.node for task in await desk.store.read_tasks(run)] == ["a"]

    async def test_a_late_result_that_nobody_superseded_is_accepted(self, desk: Desk) -> None:
        """A lease that merely ran out does not throw paid work away."""
        run, (a,) = await desk.start("a")
        desk.clock.advance(LEASE_SECONDS + 1)
        assert len(await desk.store.expire()) == 1
        assert (await desk.task(run, "a")).state == "ready"
        assert (await desk.end(a)).verdict == "accepted"
        assert (await desk.task(run, "a")).state == "complete"
        assert list(await desk.claim("a_agent")) == []

    async def test_repeating_an_accepted_settlement_is_safe(self, desk: Desk) -> None:
        """The same token with the same hand-off is answered `repeated`, with the claims that still stand."""
        run, (a,) = await desk.start("a")
        first = await desk.end(a, release("b", claim="claim-b"))
        before = await desk.events()
        again = await desk.end(a, release("b", claim="claim-b"))
        assert (first.verdict, again.verdict) == ("accepted", "repeated")
        assert again.claims == first.claims != ()
        assert await desk.events() == before
        assert (await desk.task(run, "b")).epoch == 1

    async def test_a_repetition_is_known_whatever_happened_since(self, desk: Desk) -> None:
        """A retry that was accepted is `repeated` even after the task was claimed again and settled."""
        _, (first,) = await desk.start("a")
        retry = settlement(first, None, ending="retry", data='{"kind":"Timeout"}')
        assert [each.verdict for each in await desk.settle(retry)] == ["accepted"]
        (second,) = await desk.claim("a_agent")
        await desk.end(second)
        assert [each.verdict for each in await desk.settle(retry)] == ["repeated"]
        assert (await desk.end(second)).verdict == "repeated"

    async def test_the_same_token_with_another_handoff_is_stale(self, desk: Desk) -> None:
        """An attempt has one result: a second, different one is refused and the first stands."""
        run, (a,) = await desk.start("a")
        await desk.settle(settlement(a, handoff('"first"')))
        (answer,) = await desk.settle(settlement(a, handoff('"second"')))
        assert answer.verdict == "stale"
        (other,) = await desk.settle(settlement(a, None, ending="failed"))
        assert other.verdict == "stale"
        (stored,) = await desk.store.latest_handoffs(run)
        assert stored.record == handoff('"first"')

    async def test_a_retry_revokes_the_claim(self, desk: Desk) -> None:
        """After a reported failure the attempt can write nothing more, although nobody has claimed the task yet."""
        run, (a,) = await desk.start("a")
        await desk.settle(settlement(a, None, ending="retry", not_before=4.0, data='{"kind":"Timeout"}'))
        task = await desk.task(run, "a")
        assert (task.state, task.claim, task.epoch, task.attempt) == ("ready", None, 1, 1)
        assert (task.error, task.ready_at) == ('{"kind":"Timeout"}', desk.clock.wall() + 4.0)
        assert (await desk.end(a)).verdict == "stale"

    async def test_a_task_handed_back_does_not_count_as_an_attempt(self, desk: Desk) -> None:
        """What is given back unharmed is ready at once and keeps its number of attempts, but not its epoch."""
        _, (a,) = await desk.start("a")
        await desk.settle(settlement(a, None, ending="handed_back", not_before=99.0))
        (again,) = await desk.claim("a_agent")
        assert (again.token.epoch, again.attempt) == (2, 1)

    async def test_settling_and_claiming_the_next_is_one_call(self, desk: Desk) -> None:
        """A dependent with a claim id is claimed in the transaction that makes it ready, inputs pinned."""
        run, (a,) = await desk.start("a")
        record = handoff()
        pin = pin_of(a, record)
        (answer,) = await desk.settle(settlement(a, record, release("b", pins=(pin,), claim="claim-b")))
        (claim,) = answer.claims
        assert claim.token == (run, "b", -1, 1, "claim-b")
        assert (claim.agent, claim.attempt, claim.version, claim.pins) == ("b_agent", 1, 1, (pin,))
        task = await desk.task(run, "b")
        assert (task.state, task.worker, task.pins) == ("claimed", WORKER, (pin,))

    async def test_a_dependent_without_a_claim_is_ready_for_anybody(self, desk: Desk) -> None:
        """A dependent that nobody claims with the settlement waits for a worker, with its inputs known."""
        run, (a,) = await desk.start("a")
        record = handoff()
        pin = pin_of(a, record)
        await desk.settle(settlement(a, record, release("b", pins=(pin,))))
        assert (await desk.task(run, "b")).state == "ready"
        (claim,) = await desk.claim("b_agent")
        assert claim.pins == (pin,)

    async def test_a_claim_request_rides_on_a_settlement(self, desk: Desk) -> None:
        """What a settlement has just made ready can be claimed by the request that comes with it."""
        _, (a,) = await desk.start("a")
        _, claims = await desk.store.settle(
            [settlement(a, handoff(), release("b"))], WORKER, LEASE_SECONDS, request("b_agent", claim="r")
        )
        assert [claim.token.claim for claim in claims] == ["r.0"]

    async def test_each_settlement_of_a_batch_stands_for_itself(self, desk: Desk) -> None:
        """Live, repeated and stale settlements in one batch are each answered, and only the live ones write."""
        live, (a,) = await desk.start("a")
        done, (b,) = await desk.start("b")
        await desk.end(b)
        late, (c,) = await desk.start("c")
        stale = c._replace(token=c.token._replace(claim="another"))
        again = handoff(f'"{b.token.node} {b.token.item}"')
        answers = await desk.settle(
            settlement(stale, handoff(), release("x")),
            settlement(a, handoff(), release("y", claim="claim-y")),
            settlement(b, again, release("z")),
        )
        assert [answer.verdict for answer in answers] == ["stale", "accepted", "repeated"]
        assert [len(answer.claims) for answer in answers] == [0, 1, 0]
        nodes = {run: [task.node for task in await desk.store.read_tasks(run)] for run in (live, done, late)}
        assert nodes == {live: ["a", "y"], done: ["b"], late: ["c"]}

    async def test_a_token_twice_in_one_batch_counts_once(self, desk: Desk) -> None:
        """The second of two equal settlements in a batch is a repetition."""
        run, (a,) = await desk.start("a")
        twice = [settlement(a, handoff(), release("b"), run_resolved=1)] * 2
        answers = await desk.settle(*twice)
        assert [answer.verdict for answer in answers] == ["accepted", "repeated"]
        assert (await desk.names(run)).count("task.a_agent.complete") == 1

    async def test_a_task_settles_in_the_batch_that_released_it(self, desk: Desk) -> None:
        """A batch is applied in its order: a task may be released and settled by the same call."""
        run, (a,) = await desk.start("a")
        (released,) = (await desk.end(a, release("b", claim="claim-b"))).claims
        assert released.token.claim == "claim-b"
        next_run = desk.new_run(root("a", "claim-a"))
        (submitted,) = await desk.store.submit([next_run], WORKER, LEASE_SECONDS)
        (first,) = submitted.claims
        second = released._replace(token=released.token._replace(run=next_run.run, claim="claim-c"))
        answers = await desk.settle(
            settlement(first, handoff(), release("b", claim="claim-c")),
            settlement(second, handoff(), run_resolved=1),
        )
        assert [answer.verdict for answer in answers] == ["accepted", "accepted"]
        assert (await desk.run(next_run.run)).state == "complete"
        assert (await desk.run(run)).state == "running"

    async def test_a_dependent_that_has_started_is_left_alone(self, desk: Desk) -> None:
        """Releasing a task that is claimed or settled already changes nothing about it."""
        run, (a, c) = await desk.start("a", "c", waits_for=2)
        (b,) = (await desk.end(a, release("b", claim="claim-b"))).claims
        before = await desk.task(run, "b")
        answer = await desk.end(c, release("b", claim="claim-other"))
        assert (answer.verdict, answer.claims) == ("accepted", ())
        assert await desk.task(run, "b") == before
        assert (await desk.end(b)).verdict == "accepted"

    async def test_an_empty_batch_is_allowed(self, desk: Desk) -> None:
        """Nothing to settle is answered with nothing, and a claim may still ride on it."""
        await desk.store.submit([desk.new_run(root("a"))], WORKER, LEASE_SECONDS)
        answers, claims = await desk.store.settle([], WORKER, LEASE_SECONDS, request("a_agent"))
        assert (list(answers), len(claims)) == ([], 1)

    async def test_speculation_is_on_record(self, desk: Desk) -> None:
        """The event of an attempt that started before its input was committed says so, beside its own data."""
        run, (a,) = await desk.start("a")
        await desk.settle(settlement(a, handoff(), data='{"x":1}', speculative=True))
        data = (await desk.events(run))[-1].data
        assert data is not None
        assert '"speculative"' in data
        assert '"x"' in data

    async def test_many_callers_at_once_settle_each_attempt_once(self, desk: Desk) -> None:
        """Of many simultaneous calls with one token exactly one is accepted and all others are repetitions."""
        run, (a,) = await desk.start("a")
        answers = await asyncio.gather(*(desk.end(a, release("b"), run_resolved=1) for _ in range(20)))
        verdicts = sorted(answer.verdict for answer in answers)
        assert verdicts == ["accepted"] + ["repeated"] * 19
        assert (await desk.names(run)).count("task.a_agent.complete") == 1
        assert (await desk.run(run)).state == "complete"
