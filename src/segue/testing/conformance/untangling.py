"""Deadlocks: who waits is seen at once, and of several who want to break one, one does."""

from __future__ import annotations

from segue.domain.decisions import Control, Target, Untangling
from segue.domain.records import Claim, Limits, Need, Settlement
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import LEASE_SECONDS, WORKER, Desk, handoff, settlement
from segue.testing.conformance.pools import claim, pooled, submit

KEPT = (Need("gpu", 1, True),)


async def stuck(desk: Desk) -> tuple[str, Claim]:
    """A run in which a task keeps the only place and waits for another one that needs it."""
    await desk.store.set_pool("gpu", 1)
    run = await submit(desk, pooled("a", KEPT), pooled("b"))
    (a,) = await claim(desk)
    await desk.store.park(a.token, ["b"])
    return run, a


def untangling(
    claim: Claim, settlement: Settlement | None, *others: str, data: str = '{"words":"a circle"}'
) -> Untangling:
    """What is done about a deadlock whose victim is a claim."""
    token = claim.token
    return Untangling(token.run, token.claim, (token.run, *others), data, token, settlement)


def revoked(claim: Claim, not_before: float = 0.0) -> Settlement:
    """The end of a victim's attempt."""
    return settlement(claim, None, ending="deadlocked", not_before=not_before, data='{"message":"a circle"}')


class UntanglingConformance(Suite):
    """Seeing and breaking deadlocks."""

    async def test_nobody_who_waits_keeps_anything(self, desk: Desk) -> None:
        """There is nothing to see then: not while tasks wait for places, and not while somebody is parked."""
        await desk.store.set_pool("gpu", 1)
        await submit(desk, pooled("a", KEPT), pooled("b"))
        (a,) = await claim(desk)
        _, (c,) = await desk.start("c")
        await desk.store.park(c.token, ["x"])
        assert await desk.store.read_waits() is None
        await desk.store.park(a.token, ["b"])
        assert await desk.store.read_waits() is not None
        await desk.store.go_on(a.token)
        assert await desk.store.read_waits() is None

    async def test_all_who_may_wait_for_one_another_are_seen_at_once(self, desk: Desk) -> None:
        """The pools, and every task of the runs that need some; of other runs nothing."""
        run, _ = await stuck(desk)
        other = await submit(desk, pooled("c"))
        await desk.start("d")
        waits = await desk.store.read_waits()
        assert waits is not None
        assert [tuple(pool) for pool in waits.pools] == [("gpu", 1, 1, 2)]
        assert [record.run for record in waits.runs] == [run, other]
        seen = [(task.node, task.state, task.parked, task.awaits, task.pools) for task in waits.tasks]
        assert seen == [
            ("a", "claimed", True, ("b",), KEPT),
            ("b", "ready", False, (), (Need("gpu", 1),)),
            ("c", "ready", False, (), (Need("gpu", 1),)),
        ]

    async def test_what_is_only_to_be_settled_is_seen_without_pools(self, desk: Desk) -> None:
        """A task that nobody will run waits for no places, whatever its agent needs."""
        await stuck(desk)
        late = pooled("late")._replace(limits=Limits(queue_seconds=5.0))
        held = pooled("held")._replace(limits=Limits(total_seconds=5.0))
        run = await submit(desk, pooled("broken")._replace(broken=True), late, held)
        await desk.control(run, "pause", "held")
        desk.clock.advance(6)
        for _ in range(2):
            waits = await desk.store.read_waits()
            assert waits is not None
            assert {task.node for task in waits.tasks if not task.pools} == {"broken", "late", "held"}
            await claim(desk)

    async def test_one_breaks_a_deadlock(self, desk: Desk) -> None:
        """The claim is revoked for good, each run is told once, and who comes second is told so."""
        run, a = await stuck(desk)
        other = await submit(desk, pooled("c"))
        found = untangling(a, revoked(a, 5.0), other)
        assert (await desk.store.untangle(found)).verdict == "accepted"
        assert (await desk.store.untangle(found)).verdict == "stale"
        task = await desk.task(run, "a")
        assert (task.state, task.claim, task.deadlocks, task.failures) == ("ready", None, 1, 0)
        assert task.error == '{"message":"a circle"}'
        for told in (run, other):
            (event,) = [each for each in await desk.events(told) if each.name == "run.deadlock"]
            assert event.data == '{"words":"a circle"}'
        assert (await desk.names(run))[-2:] == ["run.deadlock", "task.pooled_agent.deadlocked"]
        (answer,) = await desk.settle(settlement(a, handoff()))
        assert answer.verdict == "stale"
        assert await desk.store.go_on(a.token) == "stale"
        assert [each.token.node for each in await claim(desk)] == ["b"]

    async def test_a_victim_that_goes_on_is_none(self, desk: Desk) -> None:
        """Who got what he waited for meanwhile keeps his claim, and nothing is told."""
        run, a = await stuck(desk)
        await desk.store.go_on(a.token)
        answer = await desk.store.untangle(untangling(a, revoked(a)))
        assert answer.verdict == "stale"
        assert "run.deadlock" not in await desk.names(run)
        assert (await desk.task(run, "a")).state == "claimed"

    async def test_the_victim_waits_for_its_next_try(self, desk: Desk) -> None:
        """Its places are free at once, and it wants them again after the delay only."""
        _, a = await stuck(desk)
        await desk.store.untangle(untangling(a, revoked(a, 5.0)))
        (b,) = await claim(desk)
        await desk.end(b)
        assert await claim(desk) == []
        desk.clock.advance(5)
        (again,) = await claim(desk)
        assert (again.token.node, again.attempt, again.failures) == ("a", 2, 0)

    async def test_a_victim_may_be_failed(self, desk: Desk) -> None:
        """Then its hand-off says why, and the run ends as with any other failure."""
        run, a = await stuck(desk)
        failed = settlement(a, handoff("null", status="failed"), ending="failed", run_resolved=2, data="{}")
        answer = await desk.store.untangle(untangling(a, failed))
        assert (answer.verdict, answer.run_state) == ("accepted", "failed")
        assert (await desk.task(run, "a")).state == "failed"
        assert (await desk.run(run)).state == "failed"

    async def test_a_deadlock_that_is_only_told_is_told_once(self, desk: Desk) -> None:
        """However many find it, and however often; the claim stands."""
        run, a = await stuck(desk)
        found = untangling(a, None)
        assert (await desk.store.untangle(found)).verdict == "accepted"
        assert (await desk.store.untangle(found)).verdict == "repeated"
        assert (await desk.names(run)).count("run.deadlock") == 1
        assert (await desk.store.renew([a.token], LEASE_SECONDS)) == [True]
        assert (await desk.task(run, "a")).worker == WORKER

    async def test_a_pause_that_is_to_end_with_a_task_is_seen(self, desk: Desk) -> None:
        """With the tasks of its run; a pause without an end is none that anybody could wait for in vain."""
        run, _ = await desk.start("a", "b", waits_for=2)
        data = '{"by":"alice"}'
        forever = Control(run, "pause", "p1", "", data, (Target("a", -1),))
        assert await desk.store.control(forever) == "accepted"
        assert await desk.store.read_waits() is None
        until = Control(run, "pause", "p2", "", data, (Target("b", -1),), until=Target("a", -1))
        assert await desk.store.control(until) == "accepted"
        waits = await desk.store.read_waits()
        assert waits is not None
        assert [record.run for record in waits.runs] == [run]
        assert [task.node for task in waits.tasks] == ["a", "b"]
        assert [(pause.run, pause.node, pause.until) for pause in waits.pauses] == [(run, "b", ("a", -1))]

    async def test_a_pause_that_is_the_victim_ends(self, desk: Desk) -> None:
        """Once; the log has both, and who comes second is told so."""
        run, _ = await desk.start("a", "b", waits_for=2)
        data = '{"by":"alice"}'
        pause = Control(run, "pause", "p1", "", data, (Target("b", -1),), until=Target("a", -1))
        assert await desk.store.control(pause) == "accepted"
        ended = Control(run, "resume", "d1", "", '{"by":"segue"}', (Target("b", -1),))
        found = Untangling(run, "d1", (run,), "{}", control=ended)
        assert (await desk.store.untangle(found)).verdict == "accepted"
        assert (await desk.store.untangle(found)).verdict == "repeated"
        assert await desk.store.read_pauses() == []
        assert (await desk.names(run)).count("run.deadlock") == 1
        gone = found._replace(id="d2", control=ended._replace(command="d2"))
        assert (await desk.store.untangle(gone)).verdict == "stale"
