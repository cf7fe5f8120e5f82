"""Leases: how a claim is kept, and how it is lost."""

from __future__ import annotations

from segue.domain.rows import Expired
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import (
    LEASE_SECONDS,
    OTHER,
    WORKER,
    Desk,
    release,
    request,
    root,
    settlement,
)


class LeaseConformance(Suite):
    """Renewing and expiring claims."""

    async def test_a_claim_is_kept_until_its_lease_is_over(self, desk: Desk) -> None:
        """Nothing is taken from a worker within its lease, and everything after it."""
        run, (a,) = await desk.start("a")
        desk.clock.advance(LEASE_SECONDS - 0.5)
        assert list(await desk.store.expire()) == []
        desk.clock.advance(0.5)
        assert list(await desk.store.expire()) == [Expired(run, "a", -1, 1, WORKER)]
        task = await desk.task(run, "a")
        assert (task.state, task.epoch, task.attempt, task.claim) == ("ready", 1, 1, a.token.claim)
        assert task.ready_at == desk.clock.wall()

    async def test_an_expired_claim_is_taken_once(self, desk: Desk) -> None:
        """A second sweep finds nothing, and the log has one event that names the worker."""
        run, _ = await desk.start("a")
        desk.clock.advance(LEASE_SECONDS)
        await desk.store.expire()
        assert list(await desk.store.expire()) == []
        (event,) = [event for event in await desk.events(run) if event.name == "task.a_agent.expired"]
        assert (event.task, event.epoch) == ("a", 1)
        assert event.data is not None
        assert WORKER in event.data

    async def test_renewing_lengthens_a_lease_from_now(self, desk: Desk) -> None:
        """A renewed claim has its whole lease before it again."""
        run, (a,) = await desk.start("a")
        desk.clock.advance(LEASE_SECONDS - 1)
        assert list(await desk.store.renew([a.token], LEASE_SECONDS)) == [True]
        desk.clock.advance(LEASE_SECONDS - 1)
        assert list(await desk.store.expire()) == []
        assert (await desk.task(run, "a")).state == "claimed"
        desk.clock.advance(1)
        assert len(await desk.store.expire()) == 1

    async def test_renewing_a_lost_claim_is_refused(self, desk: Desk) -> None:
        """Whoever has expired, is settled, superseded, revoked or unknown is told to stop."""
        _, (settled, revoked) = await desk.start("a", "b", waits_for=2)
        await desk.end(settled)
        await desk.settle(settlement(revoked, None, ending="retry"))
        unknown = settled.token._replace(run="no")
        forged = settled.token._replace(claim="another")
        tokens = [settled.token, revoked.token, unknown, forged]
        assert list(await desk.store.renew(tokens, LEASE_SECONDS)) == [False] * 4

    async def test_renewing_does_not_revive(self, desk: Desk) -> None:
        """A claim that was taken back stays ready for others, however late its worker asks to keep it."""
        run, (a,) = await desk.start("a")
        desk.clock.advance(LEASE_SECONDS)
        await desk.store.expire()
        assert list(await desk.store.renew([a.token], LEASE_SECONDS)) == [False]
        assert (await desk.task(run, "a")).state == "ready"
        (claim,) = await desk.claim("a_agent", worker=OTHER)
        assert list(await desk.store.renew([a.token, claim.token], LEASE_SECONDS)) == [False, True]

    async def test_a_dead_worker_loses_its_claims_at_once(self, desk: Desk) -> None:
        """What a worker held that is known to be dead is ready again before its lease is over; others keep theirs."""
        await desk.store.submit([desk.new_run(root("a"), root("b"))], WORKER, LEASE_SECONDS)
        (a,) = await desk.store.claim(request("a_agent", worker=WORKER, claim="one"))
        (b,) = await desk.store.claim(request("b_agent", worker=OTHER, claim="two"))
        expired = await desk.store.expire([OTHER, "nobody"])
        assert [(each.node, each.worker) for each in expired] == [("b", OTHER)]
        assert list(await desk.store.renew([a.token, b.token], LEASE_SECONDS)) == [True, False]

    async def test_a_claim_taken_since_is_not_expired(self, desk: Desk) -> None:
        """A sweep looks at the claim that stands now, not at one that it may have seen before."""
        run, _ = await desk.start("a")
        desk.clock.advance(LEASE_SECONDS)
        await desk.store.expire()
        (again,) = await desk.claim("a_agent", worker=OTHER)
        assert list(await desk.store.expire([WORKER])) == []
        assert (await desk.task(run, "a")).claim == again.token.claim

    async def test_settled_tasks_have_no_lease(self, desk: Desk) -> None:
        """A sweep never touches what has ended, whoever did it and however long ago."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        await desk.end(a, release("c"))
        await desk.settle(settlement(b, None, ending="retry", not_before=3600.0))
        desk.clock.advance(LEASE_SECONDS * 10)
        assert list(await desk.store.expire([WORKER])) == []
        states = [task.state for task in await desk.store.read_tasks(run)]
        assert states == ["complete", "ready", "ready"]

    async def test_setting_the_wall_clock_ends_no_lease(self, desk: Desk) -> None:
        """Leases and delays run by a clock that nobody can set."""
        _, (a, b) = await desk.start("a", "b", waits_for=2)
        await desk.settle(settlement(b, None, ending="retry", not_before=10.0))
        desk.clock.jump(86_400.0)
        assert list(await desk.store.expire()) == []
        assert list(await desk.claim("b_agent")) == []
        desk.clock.jump(-2 * 86_400.0)
        desk.clock.advance(10.0)
        assert [claim.token.node for claim in await desk.claim("b_agent")] == ["b"]
        assert list(await desk.store.renew([a.token], LEASE_SECONDS)) == [True]

    async def test_epochs_never_go_back(self, desk: Desk) -> None:
        """However often a task is expired, retried and handed back, each claim has a higher epoch than all before."""
        _, (claim,) = await desk.start("a")
        epochs = [claim.token.epoch]
        for number in range(6):
            if number % 3 == 0:
                desk.clock.advance(LEASE_SECONDS)
                await desk.store.expire()
            else:
                await desk.settle(settlement(claim, None, ending=("retry", "handed_back")[number % 3 - 1]))
            (claim,) = await desk.claim("a_agent")
            epochs.append(claim.token.epoch)
        assert epochs == [1, 2, 3, 4, 5, 6, 7]
