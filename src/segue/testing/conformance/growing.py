"""Runs that grow: tasks that a running attempt appends."""

from __future__ import annotations

import pytest

from segue.domain.decisions import Append, Redrive, Reset, Target
from segue.domain.records import HANDED_ON, SINGLE, Limits, NodeNeed, Pin
from segue.errors import PoolTooSmall
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import LEASE_SECONDS, Desk, handoff, release, settlement


def append(node: str, key: str = "key", text: str = '{"x":1}', limits: Limits | None = None) -> Append:
    """A task that is delegated."""
    record = handoff(text, 1, HANDED_ON, ("sha256:" + "a" * 64,))
    return Append(node, "child_agent", key, f'{{"name":"{node}"}}', record, limits)


class GrowingConformance(Suite):
    """What appending does, whole or not at all."""

    async def test_an_appended_task_is_ready_and_the_run_waits_for_it(self, desk: Desk) -> None:
        """Node, task, first hand-off and its pin are there together, and the run ends with the last of both tasks."""
        run, (a,) = await desk.start("a")
        child = append("a/child.1", limits=Limits(total_seconds=60.0))
        assert await desk.store.append(a.token, child) == "accepted"
        assert (await desk.run(run)).grown == 1
        (grown,) = await desk.store.read_growth(run)
        assert grown == (run, 1, "a/child.1", "a", SINGLE, "key", child.document)
        task = await desk.task(run, "a/child.1")
        assert (task.state, task.agent, task.version, task.epoch) == ("ready", "child_agent", 1, 0)
        assert task.deadline == desk.clock.wall() + 60.0
        (claim,) = await desk.claim("child_agent")
        assert claim.pins == (Pin("a/child.1", SINGLE, 1, child.handoff.digest, HANDED_ON),)
        assert (claim.version, claim.attempt) == (2, 1)
        assert (await desk.end(a, run_resolved=1)).run_state is None
        assert (await desk.end(claim, run_resolved=1)).run_state == "complete"
        told = [(event.name, event.task, event.epoch, event.data) for event in await desk.events(run)]
        data = '{"task":"a/child.1","agent":"child_agent","by":"a"}'
        assert told[2:4] == [
            ("run.grew", None, None, data),
            ("task.child_agent.delegated", "a/child.1", 0, data),
        ]
        stored = await desk.store.read_handoffs(run, [("a/child.1", SINGLE, 1), ("a/child.1", SINGLE, 2)])
        assert [each.record.status for each in stored] == [HANDED_ON, "complete"]

    async def test_appending_is_fenced(self, desk: Desk) -> None:
        """An attempt that was superseded, has ended, or whose run was cancelled appends nothing."""
        run, (a,) = await desk.start("a")
        desk.clock.advance(LEASE_SECONDS)
        await desk.store.expire()
        assert await desk.store.append(a.token, append("a/child.1")) == "accepted"
        (again,) = await desk.claim("a_agent")
        assert await desk.store.append(a.token, append("a/child.2")) == "stale"
        await desk.settle(settlement(again, None, ending="retry"))
        assert await desk.store.append(again.token, append("a/child.2")) == "stale"
        other, (b,) = await desk.start("b")
        await desk.cancel(other)
        assert await desk.store.append(b.token, append("b/child.1")) == "stale"
        assert await desk.store.append(b.token._replace(node="c"), append("c/child.1")) == "stale"
        assert len(await desk.store.read_growth(run)) == 1
        assert not await desk.store.read_growth(other)

    async def test_what_a_paused_run_grows_is_paused(self, desk: Desk) -> None:
        """A task that is appended to a paused run is born paused, and ready when the run goes on."""
        run, (a,) = await desk.start("a")
        assert await desk.control(run, "pause") == "accepted"
        assert await desk.store.append(a.token, append("a/child.1")) == "accepted"
        assert (await desk.task(run, "a/child.1")).state == "paused"
        assert not await desk.claim("child_agent")
        assert await desk.control(run, "resume") == "accepted"
        (child,) = await desk.claim("child_agent")
        assert child.version == 2

    async def test_what_a_pause_lasts_for_may_delegate(self, desk: Desk) -> None:
        """What it has delegated, and delegates then, goes on with it, also for an item; others stand still."""
        run, (a, b, m) = await desk.start("a", "b", "m", waits_for=3)
        items = [release("m", item=item, need=0, resolved=0, claim=f"item{item}") for item in range(2)]
        (zero, _) = (await desk.settle(settlement(m, None, *items, ending="expanded")))[0].claims
        for claim, child in ((a, "a/child.1"), (zero, "m[0]/child.1"), (b, "b/child.1")):
            assert await desk.store.append(claim.token, append(child)) == "accepted"
        assert await desk.control(run, "pause", until=Target("m", SINGLE)) == "accepted"
        for claim, child in ((a, "a/child.2"), (zero, "m[0]/child.2"), (b, "b/child.2")):
            assert await desk.store.append(claim.token, append(child)) == "accepted"
        claims = await desk.claim("child_agent")
        assert sorted(claim.token.node for claim in claims) == ["m[0]/child.1", "m[0]/child.2"]
        await desk.control(run, "resume")
        assert len(await desk.claim("child_agent")) == 4

    async def test_what_was_appended_needs_its_pools(self, desk: Desk) -> None:
        """Or a fallback of it does: no pool shrinks below that, and it is not tried again with one that has."""
        await desk.store.set_pool("gpu", 2)
        run, (a,) = await desk.start("a")
        child = append("a/child.1")._replace(needs=(NodeNeed("a/child.1", "gpu", 2),))
        assert await desk.store.append(a.token, child) == "accepted"
        with pytest.raises(PoolTooSmall, match=r"a/child\.1 of run .* needs 2"):
            await desk.store.set_pool("gpu", 1)
        (claim,) = await desk.claim("child_agent")
        failed = handoff(version=2, status="failed")
        await desk.settle(settlement(claim, failed, ending="failed", run_resolved=1))
        await desk.end(a, run_resolved=1)
        await desk.store.set_pool("gpu", 1)
        tasks = await desk.store.read_tasks(run)
        again = Redrive(
            (Reset("a/child.1", SINGLE, 1, "child_agent", 0),),
            1,
            sum(task.epoch + task.version for task in tasks),
        )
        with pytest.raises(PoolTooSmall, match=r"a/child\.1 needs 2"):
            await desk.control(run, "retry", redrive=again)
        await desk.store.set_pool("gpu", 2)
        assert await desk.control(run, "retry", redrive=again) == "accepted"

    async def test_appending_may_be_repeated(self, desk: Desk) -> None:
        """The same again, by whichever attempt, is `repeated` and counts nothing; another under its name is `stale`."""
        run, (a,) = await desk.start("a")
        child = append("a/child.1")
        verdicts = [
            await desk.store.append(a.token, child),
            await desk.store.append(a.token, child),
            await desk.store.append(a.token, append("a/child.1", key="other")),
            await desk.store.append(a.token, append("a/child.2")),
        ]
        assert verdicts == ["accepted", "repeated", "stale", "accepted"]
        record = await desk.run(run)
        assert record.grown == 2
        assert [each.number for each in await desk.store.read_growth(run)] == [1, 2]
        names = await desk.names(run)
        assert names.count("run.grew") == 2

    async def test_what_was_appended_belongs_to_its_run(self, desk: Desk) -> None:
        """Its artifacts are kept while the run is, and pruning takes everything."""
        run, (a,) = await desk.start("a")
        await desk.store.append(a.token, append("a/child.1"))
        (child,) = await desk.claim("child_agent")
        assert await desk.store.artifact_references() == ["sha256:" + "a" * 64]
        await desk.end(child, run_resolved=1)
        await desk.end(a, run_resolved=1)
        desk.clock.advance(10)
        assert await desk.store.prune(desk.clock.wall()) == 1
        assert not await desk.store.read_growth(run)
        assert not await desk.store.artifact_references()
