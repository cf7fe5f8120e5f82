"""What somebody wants with a run or its tasks: to be cancelled, or given to others, and all of it once."""

from __future__ import annotations

import asyncio

from segue.domain.decisions import Target
from segue.domain.records import SINGLE, Pin
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import (
    BY_ME,
    LEASE_SECONDS,
    Desk,
    handoff,
    join,
    release,
    settlement,
)


def unborn(node: str) -> Target:
    """A task that nothing has released yet; it waits for two."""
    return Target(node, SINGLE, join(node, 2, parents=("a", "b"), resolved=0))


async def states(desk: Desk, run: str) -> dict[str, str]:
    """The states of all tasks, by node, or node and item."""
    tasks = await desk.store.read_tasks(run)
    return {task.node if task.item == SINGLE else f"{task.node}{task.item}": task.state for task in tasks}


class ControlConformance(Suite):
    """Cancelling, reassigning, annotating, and commands."""

    async def test_a_cancelled_task_tells_those_who_need_it(self, desk: Desk) -> None:
        """It leaves a hand-off that failed, its claim is revoked, its dependents are released, and the run fails."""
        run, (a,) = await desk.start("a")
        left = handoff("null", 1, "failed")
        pin = Pin("a", SINGLE, 1, left.digest, "failed")
        target = Target("a", SINGLE, None, left, (release("b", pins=(pin,), broken=True),))
        assert await desk.control(run, "cancel", target, error='{"kind":"cancelled"}') == "accepted"
        assert (await desk.end(a, run_resolved=1)).verdict == "stale"
        task = await desk.task(run, "a")
        assert (task.state, task.claim, task.error, task.version) == (
            "cancelled",
            None,
            '{"kind":"cancelled"}',
            1,
        )
        assert [each.record for each in await desk.store.latest_handoffs(run)] == [left]
        (b,) = await desk.claim("anybody")
        assert (b.broken, b.pins) == (True, (pin,))
        (answer,) = await desk.settle(settlement(b, None, ending="skipped", run_resolved=1))
        assert answer.run_state == "failed"

    async def test_a_run_can_bear_a_cancelled_task(self, desk: Desk) -> None:
        """Where nobody needs it the run is complete, and it is the cancelling that ends it."""
        run, (a,) = await desk.start("a")
        await desk.control(run, "cancel", Target("a", SINGLE, run_resolved=1, tolerated=True))
        assert ((await desk.run(run)).state, (await desk.names(run))[-1]) == ("complete", "run.complete")
        assert (await desk.end(a, run_resolved=1)).verdict == "stale"

    async def test_a_task_is_cancelled_before_it_is_there(self, desk: Desk) -> None:
        """It stays cancelled when those it waited for hand over."""
        run, (a, b) = await desk.start("a", "b")
        await desk.control(run, "cancel", unborn("c"))
        both = join("c", 2, parents=("a", "b"), claim="at once")
        for claim in (a, b):
            assert (await desk.end(claim, both)).claims == ()
        assert (await desk.task(run, "c")).state == "cancelled"

    async def test_what_nobody_needs_is_cancelled_with_it(self, desk: Desk) -> None:
        """With all its items, also where it is not there yet; it tells nobody and fails nothing."""
        run, (a, m) = await desk.start("a", "m", waits_for=1)
        items = [release("m", item=item, need=0, resolved=0, claim=f"item{item}") for item in range(2)]
        await desk.settle(settlement(m, None, *items, ending="expanded"))
        target = Target(
            "d", SINGLE, join("d", 3, parents=("a", "c", "m"), resolved=0), run_resolved=1, tolerated=True
        )
        others = (Target("a", SINGLE), Target("m", SINGLE), unborn("c"))
        assert await desk.control(run, "cancel", target, needless=others) == "accepted"
        assert await states(desk, run) == {"m": "expanded"} | dict.fromkeys(
            ("a", "c", "d", "m0", "m1"), "cancelled"
        )
        assert (await desk.run(run)).state == "complete"
        assert (await desk.end(a)).verdict == "stale"

    async def test_what_is_open_when_its_run_ends_is_cancelled_too(self, desk: Desk) -> None:
        """Where tasks were cancelled by themselves, others may be left when the last one settles that is waited for."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        await desk.control(run, "cancel", Target("a", SINGLE, run_resolved=1, tolerated=True))
        assert (await desk.end(b, release("c"), run_resolved=1)).run_state == "complete"
        assert await states(desk, run) == {"a": "cancelled", "b": "complete", "c": "cancelled"}
        assert (await desk.task(run, "c")).tolerated
        assert (await desk.names(run))[-2:] == ["task.c_agent.cancelled", "run.complete"]
        assert (await desk.end(a)).verdict == "stale"

    async def test_a_hand_off_that_is_not_the_next_cancels_nothing(self, desk: Desk) -> None:
        """Somebody decided on what is no longer so, and hears of it."""
        run, _ = await desk.start("a")
        wrong = Target("a", SINGLE, None, handoff("null", 2, "failed"))
        assert await desk.control(run, "cancel", wrong) == "stale"
        assert await states(desk, run) == {"a": "claimed"}

    async def test_what_was_cancelled_can_be_tried_again(self, desk: Desk) -> None:
        """By somebody who names it, with its epochs and versions going on."""
        run, (a,) = await desk.start("a")
        await desk.control(
            run, "cancel", Target("a", SINGLE, None, handoff("null", 1, "failed"), run_resolved=1)
        )
        assert (await desk.run(run)).state == "failed"
        assert await desk.retry(run, "a") == "accepted"
        (again,) = await desk.claim("a_agent")
        assert (again.token.epoch, again.version) == (a.token.epoch + 1, 2)

    async def test_a_task_is_given_to_others(self, desk: Desk) -> None:
        """Whoever has it loses it for good; it begins without failures and losses, maybe with another agent."""
        run, (a,) = await desk.start("a")
        await desk.settle(settlement(a, None, ending="retry"))
        (a,) = await desk.claim("a_agent")
        assert await desk.control(run, "reassign", "a") == "accepted"
        assert (await desk.end(a)).verdict == "stale"
        (again,) = await desk.claim("a_agent")
        assert (again.agent, again.failures, again.token.epoch) == ("a_agent", 0, 3)
        assert await desk.control(run, "reassign", "a", successor="b_agent") == "accepted"
        assert list(await desk.claim("a_agent")) == []
        (other,) = await desk.claim("b_agent")
        assert (other.agent, other.losses) == ("b_agent", 0)
        assert (await desk.names(run))[-3:] == [
            "task.a_agent.claimed",
            "task.a_agent.reassigned",
            "task.b_agent.claimed",
        ]

    async def test_what_nobody_can_have_is_not_reassigned(self, desk: Desk) -> None:
        """A task that waits, has settled or is not there; one that is paused stays so for its next agent."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        await desk.end(b, join("c", 2, parents=("a", "b")), run_resolved=1)
        for node in ("b", "c", "nobody"):
            assert await desk.control(run, "reassign", node, successor="z_agent") == "stale"
        await desk.settle(settlement(a, None, ending="retry"))
        await desk.control(run, "pause", "a")
        assert await desk.control(run, "reassign", "a", successor="z_agent") == "accepted"
        task = await desk.task(run, "a")
        assert (task.state, task.agent) == ("paused", "z_agent")

    async def test_a_note_changes_nothing(self, desk: Desk) -> None:
        """It is an event of the run or of a task, that may not be there yet, and of a run that has ended too."""
        run, (a,) = await desk.start("a")
        await desk.end(a, run_resolved=1)
        before = await desk.run(run), await desk.store.read_tasks(run)
        for target in ((), ("a",), (unborn("c"),)):
            assert await desk.control(run, "annotate", *target) == "accepted"
        assert before == (await desk.run(run), await desk.store.read_tasks(run))
        told = [(event.name, event.task, event.epoch, event.data) for event in await desk.events(run)][-3:]
        assert told == [
            ("run.annotated", None, None, BY_ME),
            ("task.a_agent.annotated", "a", 1, BY_ME),
            ("task.c_agent.annotated", "c", 0, BY_ME),
        ]

    async def test_a_command_is_obeyed_once(self, desk: Desk) -> None:
        """At once, or when its effect is long gone; the same name for something else is refused."""
        run, _ = await desk.start("a")
        verdicts = await asyncio.gather(*(desk.control(run, "pause", command="once") for _ in range(4)))
        assert sorted(verdicts) == ["accepted", *["repeated"] * 3]
        await desk.control(run, "resume")
        before = await desk.events(run), await desk.store.read_tasks(run)
        assert await desk.control(run, "pause", command="once") == "repeated"
        assert await desk.control(run, "cancel", command="once") == "stale"
        assert before == (await desk.events(run), await desk.store.read_tasks(run))
        assert await desk.store.read_command(run, "once") == "pause []"
        assert await desk.store.read_command(run, "never") is None
        other, _ = await desk.start("a")
        assert await desk.control(other, "pause", command="once") == "accepted"

    async def test_what_was_refused_may_be_asked_again(self, desk: Desk) -> None:
        """A command that could not be obeyed is not remembered."""
        run, _ = await desk.start("a")
        assert await desk.control(run, "resume", command="go on") == "stale"
        await desk.control(run, "pause")
        assert await desk.control(run, "resume", command="go on") == "accepted"

    async def test_what_has_ended_obeys_nobody(self, desk: Desk) -> None:
        """A run that has ended, or is not there, cannot be paused, resumed, cancelled or reassigned."""
        run, (a,) = await desk.start("a")
        await desk.control(run, "pause")
        await desk.end(a, run_resolved=1)
        before = await desk.events()
        for kind in ("pause", "resume", "cancel", "reassign"):
            for name in (run, "no"):
                assert await desk.control(name, kind) == "stale"
                assert await desk.control(name, kind, "a") == "stale"
        assert await desk.control("no", "annotate") == "stale"
        assert await desk.events() == before

    async def test_pauses_and_commands_go_with_their_run(self, desk: Desk) -> None:
        """Pruned with it, a command is unknown again."""
        run, _ = await desk.start("a")
        await desk.control(run, "pause", "a", command="once")
        await desk.cancel(run)
        desk.clock.advance(10.0)
        assert await desk.store.prune(desk.clock.wall()) == 1
        assert list(await desk.store.read_pauses()) == []
        assert await desk.store.read_command(run, "once") is None

    async def test_cancelling_ends_a_run_with_its_open_tasks(self, desk: Desk) -> None:
        """Waiting, ready, claimed and reviewed tasks are cancelled; what is settled stays."""
        run, (a, b, c, _) = await desk.start("a", "b", "c", "d", waits_for=4)
        await desk.end(a, release("e"), join("f", 2, parents=("a", "b")))
        await desk.settle(settlement(b, handoff(status="needs_review"), ending="needs_review"))
        await desk.settle(settlement(c, None, ending="retry", not_before=60.0))
        assert await desk.cancel(run) == "accepted"
        states = {task.node: task.state for task in await desk.store.read_tasks(run)}
        assert states == {"a": "complete"} | dict.fromkeys("bcdef", "cancelled")
        record = await desk.run(run)
        assert (record.state, record.ended_at) == ("cancelled", desk.clock.wall())
        names = await desk.names(run)
        assert (names[-1], sum(name.endswith("_agent.cancelled") for name in names)) == ("run.cancelled", 5)
        assert (await desk.events(run))[-1].data == BY_ME

    async def test_a_cancelled_attempt_can_write_nothing(self, desk: Desk) -> None:
        """Cancelling revokes every claim, and nothing of the run is ever claimed again."""
        run, (a,) = await desk.start("a")
        await desk.cancel(run)
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
        assert await desk.cancel(run) == "stale"
        assert (await desk.run(run)).state == "complete"
        other, _ = await desk.start("a")
        assert [await desk.cancel(other), await desk.cancel(other)] == ["accepted", "stale"]
        assert (await desk.names(other)).count("run.cancelled") == 1
        assert await desk.cancel("no") == "stale"
