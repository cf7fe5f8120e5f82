"""What people decide about a whole run: that it is cancelled."""

from __future__ import annotations

from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import BY_ME, LEASE_SECONDS, Desk, handoff, join, release, settlement


class DecisionConformance(Suite):
    """Cancelling."""

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
