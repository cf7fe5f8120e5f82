"""What tasks remember across their attempts: steps, effects with intent and outcome, and a person's word."""

from __future__ import annotations

import asyncio

from segue.domain.records import Claim, Verdict
from segue.domain.rows import StepRecord, StepState
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import OTHER, WORKER, Desk, digest_of, handoff, settlement


def step(
    name: str = "ask", body: bytes = b'"answer"', epoch: int = 1, artifacts: tuple[str, ...] = ()
) -> StepRecord:
    """A finished step."""
    return StepRecord(name, "step", "done", "", body, epoch, 5.0, artifacts)


def effect(
    state: StepState, name: str = "charge", epoch: int = 1, body: bytes | None = None, key: str = "order 7"
) -> StepRecord:
    """An intent, or an outcome, which has a result if it happened."""
    if state == "done" and body is None:
        body = b'"receipt"'
    return StepRecord(name, "effect", state, key, body, epoch, 5.0)


class StepConformance(Suite):
    """Steps and effects."""

    async def _lost(self, desk: Desk, *steps: StepRecord) -> tuple[str, Claim, Claim]:
        """An attempt that wrote these and died, and the one that came after it."""
        run, (first,) = await desk.start("a")
        if steps:
            assert await desk.store.record(first.token, steps) == "accepted"
        await desk.store.expire([WORKER])
        (second,) = await desk.claim("a_agent", worker=OTHER)
        return run, first, second

    async def _in_doubt(self, desk: Desk, *names: str) -> tuple[str, Claim]:
        """A task that waits for a person's word on effects which its first attempt began."""
        run, _, second = await self._lost(desk, *(effect("begun", name) for name in names))
        await desk.settle(settlement(second, None, ending="in_doubt", data='{"kind":"EffectInDoubt"}'))
        return run, second

    async def _resolve(self, desk: Desk, run: str, record: StepRecord, data: str | None = None) -> Verdict:
        return await desk.store.resolve(run, "a", -1, record, data)

    async def test_what_was_recorded_is_read_back(self, desk: Desk) -> None:
        """A task's steps and effects are read back by name, whole, by any later attempt; other tasks see none."""
        run, (a, b) = await desk.start("a", "b")
        whole = StepRecord("big", "step", "done", "", None, 1, 6.5, (digest_of(b"x"), digest_of(b"y")))
        written = [step(), whole, effect("begun")]
        assert await desk.store.record(a.token, written) == "accepted"
        found = await desk.store.read_steps(run, "a", -1)
        assert list(found) == sorted(written, key=lambda record: record.name)
        assert list(await desk.store.read_steps(run, "b", -1)) == []
        assert list(await desk.store.read_steps("no", "a", -1)) == []
        assert b.token.node == "b"

    async def test_each_record_is_an_event_of_its_transaction(self, desk: Desk) -> None:
        """A step, an intent and each outcome have their events as soon as they are there, in order, without a gap."""
        run, (a,) = await desk.start("a")
        await desk.store.record(a.token, [step()])
        assert (await desk.names(run))[-1] == "task.a_agent.step"
        states: tuple[StepState, ...] = ("begun", "withdrawn", "begun", "done")
        for state in states:
            assert await desk.store.record(a.token, [effect(state)]) == "accepted"
        events = await desk.events(run)
        assert [event.name for event in events[-5:]] == [
            "task.a_agent.step",
            "task.a_agent.effect_begun",
            "task.a_agent.effect_withdrawn",
            "task.a_agent.effect_begun",
            "task.a_agent.effect_done",
        ]
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert (events[-5].data, events[-1].data) == (
            '{"step":"ask"}',
            '{"effect":"charge","key":"order 7"}',
        )
        assert (events[-1].task, events[-1].epoch) == ("a", 1)

    async def test_a_superseded_attempt_records_nothing(self, desk: Desk) -> None:
        """Once another attempt has the task, the earlier one can neither remember, nor begin, nor end anything."""
        run, first, second = await self._lost(desk, effect("begun"))
        before = await desk.events()
        for record in (step(), effect("begun", "other"), effect("done"), effect("withdrawn")):
            assert await desk.store.record(first.token, [record]) == "stale"
        for part in ({"epoch": 1}, {"claim": "no"}):
            assert await desk.store.record(second.token._replace(**part), [step("new")]) == "stale"
        assert list(await desk.store.read_steps(run, "a", -1)) == [effect("begun")]
        assert await desk.events() == before

    async def test_a_late_record_that_nobody_superseded_is_accepted(self, desk: Desk) -> None:
        """A lease that ran out is not the end of an attempt, as long as nobody has claimed the task since."""
        run, (a,) = await desk.start("a")
        await desk.store.expire([WORKER])
        assert await desk.store.record(a.token, [step()]) == "accepted"
        await desk.cancel(run)
        assert await desk.store.record(a.token, [step("late")]) == "stale"

    async def test_an_attempt_that_has_ended_records_nothing(self, desk: Desk) -> None:
        """What comes after the settlement of an attempt is refused, although nobody else has the task."""
        run, (a,) = await desk.start("a")
        await desk.end(a)
        assert await desk.store.record(a.token, [step()]) == "stale"
        assert list(await desk.store.read_steps(run, "a", -1)) == []

    async def test_repeating_a_record_is_safe(self, desk: Desk) -> None:
        """The same records by the same token are written once, also when the attempt was superseded meanwhile."""
        run, (a,) = await desk.start("a")
        batch = [step(), effect("begun")]
        assert await desk.store.record(a.token, batch) == "accepted"
        events = await desk.events()
        assert await desk.store.record(a.token, batch) == "repeated"
        await desk.store.expire([WORKER])
        (b,) = await desk.claim("a_agent", worker=OTHER)
        assert await desk.store.record(a.token, batch) == "repeated"
        assert await desk.store.record(a.token, [step(body=b'"other"')]) == "stale"
        assert await desk.store.record(b.token, [step(epoch=2)]) == "stale"
        assert len(await desk.store.read_steps(run, "a", -1)) == 2
        assert [event.name for event in await desk.events()][: len(events)] == [
            event.name for event in events
        ]

    async def test_a_step_is_never_changed(self, desk: Desk) -> None:
        """What a task remembers stays as it was first written, whoever writes again."""
        run, _, second = await self._lost(desk, step())
        assert await desk.store.record(second.token, [step(body=b'"other"', epoch=2)]) == "stale"
        assert await desk.store.record(second.token, [effect("begun", "ask", epoch=2)]) == "stale"
        assert list(await desk.store.read_steps(run, "a", -1)) == [step()]

    async def test_an_outcome_needs_its_intent(self, desk: Desk) -> None:
        """An effect that nobody has begun can neither have happened nor be taken back; and it ends once."""
        run, (a,) = await desk.start("a")
        assert await desk.store.record(a.token, [effect("done")]) == "stale"
        assert await desk.store.record(a.token, [effect("withdrawn")]) == "stale"
        assert list(await desk.store.read_steps(run, "a", -1)) == []
        await desk.store.record(a.token, [effect("begun")])
        assert await desk.store.record(a.token, [effect("done")]) == "accepted"
        for record in (effect("done", body=b'"other"'), effect("withdrawn"), effect("begun")):
            assert await desk.store.record(a.token, [record]) == "stale"
        assert list(await desk.store.read_steps(run, "a", -1)) == [effect("done")]

    async def test_a_doubt_is_not_cleared_by_a_later_intent(self, desk: Desk) -> None:
        """An intent without its outcome is not begun again over its head: first it is withdrawn, or ended."""
        run, _, second = await self._lost(desk, effect("begun"))
        assert await desk.store.record(second.token, [effect("begun", epoch=2)]) == "stale"
        assert list(await desk.store.read_steps(run, "a", -1)) == [effect("begun")]
        again = [effect("withdrawn", epoch=2), effect("begun", epoch=2)]
        assert await desk.store.record(second.token, again) == "accepted"
        assert await desk.store.record(second.token, again) == "repeated"
        assert list(await desk.store.read_steps(run, "a", -1)) == [effect("begun", epoch=2)]

    async def test_a_later_attempt_can_say_what_came_of_an_effect(self, desk: Desk) -> None:
        """An attempt that found out records the outcome of what an earlier one began."""
        run, _, second = await self._lost(desk, effect("begun"))
        assert await desk.store.record(second.token, [effect("done", epoch=2)]) == "accepted"
        assert list(await desk.store.read_steps(run, "a", -1)) == [effect("done", epoch=2)]

    async def test_records_are_written_together_or_not_at_all(self, desk: Desk) -> None:
        """If one record of a call is refused, none of them is written and nothing is told."""
        run, (a,) = await desk.start("a")
        before = await desk.events()
        assert await desk.store.record(a.token, [step(), effect("begun"), effect("done", "other")]) == "stale"
        assert list(await desk.store.read_steps(run, "a", -1)) == []
        assert await desk.events() == before

    async def test_nobody_works_on_a_task_in_doubt(self, desk: Desk) -> None:
        """It is claimed by nobody, however late it gets, and its run needs a review."""
        run, second = await self._in_doubt(desk, "charge")
        task = await desk.task(run, "a")
        assert (task.state, task.error) == ("in_doubt", '{"kind":"EffectInDoubt"}')
        assert (await desk.run(run)).state == "needs_review"
        assert (await desk.names(run))[-2:] == ["task.a_agent.in_doubt", "run.needs_review"]
        desk.clock.advance(10_000)
        assert list(await desk.store.expire([WORKER, OTHER])) == []
        assert list(await desk.claim("a_agent")) == []
        assert await desk.store.record(second.token, [step("late", epoch=2)]) == "stale"

    async def test_a_persons_word_lets_the_task_go_on(self, desk: Desk) -> None:
        """What a person knows is recorded as the outcome, and the task is ready for its next attempt."""
        for said in (effect("done"), effect("withdrawn")):
            run, _ = await self._in_doubt(desk, "charge")
            assert await self._resolve(desk, run, said, '{"by":"Ana"}') == "accepted"
            (kept,) = await desk.store.read_steps(run, "a", -1)
            assert (kept.state, kept.body, kept.key, kept.epoch) == (said.state, said.body, "order 7", 1)
            task = await desk.task(run, "a")
            assert (task.state, task.claim, task.error, task.settled_at) == ("ready", None, None, None)
            assert (await desk.run(run)).state == "running"
            events = await desk.events(run)
            assert [event.name for event in events[-2:]] == ["task.a_agent.resolved", "run.resumed"]
            assert events[-2].data == '{"by":"Ana"}'
            (third,) = await desk.claim("a_agent", worker=OTHER)
            assert (third.token.epoch, third.losses) == (3, 1)

    async def test_every_doubt_of_a_task_is_resolved_before_it_goes_on(self, desk: Desk) -> None:
        """A task with two effects in doubt waits until somebody knows of both."""
        run, _ = await self._in_doubt(desk, "charge", "mail")
        assert await self._resolve(desk, run, effect("done")) == "accepted"
        assert (await desk.task(run, "a")).state == "in_doubt"
        assert (await desk.run(run)).state == "needs_review"
        assert await self._resolve(desk, run, effect("withdrawn", "mail")) == "accepted"
        assert (await desk.task(run, "a")).state == "ready"
        assert (await desk.names(run)).count("run.resumed") == 1

    async def test_of_two_words_one_counts(self, desk: Desk) -> None:
        """The second person is told that somebody decided before, and changes nothing; a repetition is recognised."""
        run, _ = await self._in_doubt(desk, "charge", "mail")
        yes, no = effect("done"), effect("withdrawn")
        verdicts = await asyncio.gather(self._resolve(desk, run, yes), self._resolve(desk, run, no))
        assert sorted(verdicts) == ["accepted", "stale"]
        winner = yes if verdicts[0] == "accepted" else no
        assert (await desk.store.read_steps(run, "a", -1))[0].state == winner.state
        assert await self._resolve(desk, run, winner) == "repeated"
        assert (await desk.names(run)).count("task.a_agent.resolved") == 1

    async def test_only_what_is_in_doubt_can_be_resolved(self, desk: Desk) -> None:
        """Not a step, not an effect with an outcome or that nobody knows, and not while an attempt may be at it."""
        run, (a,) = await desk.start("a")
        await desk.store.record(
            a.token, [step(), effect("begun"), effect("begun", "mail"), effect("done", "mail")]
        )
        assert await self._resolve(desk, run, effect("done")) == "stale"
        await desk.store.expire([WORKER])
        assert await self._resolve(desk, run, effect("done")) == "stale"
        (b,) = await desk.claim("a_agent")
        await desk.settle(settlement(b, None, ending="in_doubt"))
        for wrong in (effect("withdrawn", "mail"), effect("done", "no"), step(body=b'"other"')):
            assert await self._resolve(desk, run, wrong) == "stale"
        assert await desk.store.resolve(run, "z", -1, effect("done"), None) == "stale"
        assert await desk.store.resolve("no", "a", -1, effect("done"), None) == "stale"
        assert (await desk.names(run)).count("task.a_agent.resolved") == 0

    async def test_a_doubt_of_a_failed_task_can_be_resolved_too(self, desk: Desk) -> None:
        """The outcome is recorded for whoever tries the task again; its state and that of the run stay."""
        run, (a,) = await desk.start("a")
        await desk.store.record(a.token, [effect("begun")])
        await desk.settle(settlement(a, handoff(status="failed"), ending="failed", run_resolved=1))
        assert await self._resolve(desk, run, effect("done")) == "accepted"
        assert (await desk.store.read_steps(run, "a", -1))[0].state == "done"
        assert ((await desk.task(run, "a")).state, (await desk.run(run)).state) == ("failed", "failed")

    async def test_cancelling_ends_what_is_in_doubt(self, desk: Desk) -> None:
        """A run that is cancelled does not wait for anybody's word any more."""
        run, _ = await self._in_doubt(desk, "charge")
        assert await desk.cancel(run) == "accepted"
        assert (await desk.task(run, "a")).state == "cancelled"

    async def test_artifacts_of_steps_are_kept_until_their_run_is_pruned(self, desk: Desk) -> None:
        """What a step's result points to is listed among the references; it goes with the run, like the steps."""
        run, (a,) = await desk.start("a")
        digest = digest_of(b"large")
        await desk.store.record(a.token, [step(artifacts=(digest,)), effect("begun")])
        assert list(await desk.store.artifact_references()) == [digest]
        await desk.end(a, run_resolved=1)
        desk.clock.advance(1)
        assert await desk.store.prune(desk.clock.wall()) == 1
        assert list(await desk.store.read_steps(run, "a", -1)) == []
        assert list(await desk.store.artifact_references()) == []
