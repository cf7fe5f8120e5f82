"""Pools: who is given places, who gives them back, and what does not fit at all."""

from __future__ import annotations

import pytest

from segue.domain.decisions import Redrive, Reset
from segue.domain.records import SUSPECT_LOSSES, Claim, Limits, Need, NodeNeed, Pools, Release
from segue.domain.rows import PoolRecord
from segue.errors import PoolTooSmall
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import (
    LEASE_SECONDS,
    WORKER,
    Desk,
    handoff,
    release,
    request,
    settlement,
)
from segue.testing.conformance.growing import append

GPU: Pools = (Need("gpu", 1),)


def pooled(node: str, pools: Pools = GPU, agent: str = "pooled_agent") -> Release:
    """A task that waits for nothing but places."""
    return release(node, agent=agent, need=0, resolved=0, pools=pools)


async def submit(desk: Desk, *roots: Release) -> str:
    """A run of these tasks."""
    new = desk.new_run(*roots, waits_for=len(roots))
    await desk.store.submit([new], WORKER, LEASE_SECONDS)
    return new.run


async def claim(desk: Desk, limit: int = 10) -> list[Claim]:
    """What a worker is given."""
    return list(await desk.claim("pooled_agent", "b_agent", limit=limit))


def nodes(claims: list[Claim]) -> list[str]:
    """Which tasks were claimed."""
    return [each.token.node for each in claims]


class PoolConformance(Suite):
    """Places in pools."""

    async def test_no_more_is_given_out_than_there_is(self, desk: Desk) -> None:
        """Of three tasks that need a place two get one, and the third follows when a place is free."""
        await desk.store.set_pool("gpu", 2)
        await submit(desk, pooled("a"), pooled("b"), pooled("c"))
        first = await claim(desk)
        assert len(first) == 2
        assert await claim(desk) == []
        assert list(await desk.store.read_pools()) == [PoolRecord("gpu", 2, 2, 1)]
        await desk.end(first[0])
        assert len(await claim(desk)) == 1

    async def test_the_commit_that_frees_a_place_gives_it_out(self, desk: Desk) -> None:
        """A claim that goes with a settlement finds the place that this has freed."""
        await desk.store.set_pool("gpu", 1)
        await submit(desk, pooled("a"), pooled("b"))
        (a,) = await claim(desk)
        record = handoff()
        _, claims = await desk.store.settle(
            [settlement(a, record)], WORKER, LEASE_SECONDS, request("pooled_agent", claim=desk.id("request"))
        )
        assert nodes(list(claims)) == ["b"]

    async def test_a_task_takes_all_that_it_needs_or_nothing(self, desk: Desk) -> None:
        """Where one of two pools is used up nothing is taken of the other, and others may have it."""
        await desk.store.set_pool("gpu", 1)
        await desk.store.set_pool("licence", 1)
        both: Pools = (Need("gpu", 1), Need("licence", 1))
        await submit(desk, pooled("a", (Need("licence", 1),)))
        (a,) = await claim(desk)
        await submit(desk, pooled("b", both, "b_agent"))
        assert await claim(desk) == []
        assert [(pool.name, pool.held) for pool in await desk.store.read_pools()] == [
            ("gpu", 0),
            ("licence", 1),
        ]
        await desk.end(a)
        assert nodes(await claim(desk)) == ["b"]

    async def test_the_run_that_holds_least_comes_first(self, desk: Desk) -> None:
        """A run with many old tasks does not keep a later one from getting its share."""
        await desk.store.set_pool("gpu", 4)
        await submit(desk, *(pooled(f"a{number}") for number in range(6)))
        (first, second) = await claim(desk, limit=2)
        desk.clock.advance(1)
        await submit(desk, pooled("b0"), pooled("b1"))
        assert sorted(nodes(await claim(desk))) == ["b0", "b1"]
        assert (first.token.run, nodes([first, second])) == (second.token.run, ["a0", "a1"])

    async def test_a_large_task_is_not_starved(self, desk: Desk) -> None:
        """What it waits for is kept for it, so that smaller and later ones do not pass it for ever."""
        await desk.store.set_pool("gpu", 2)
        await submit(desk, pooled("a"))
        (a,) = await claim(desk)
        desk.clock.advance(1)
        await submit(desk, pooled("large", (Need("gpu", 2),)))
        desk.clock.advance(1)
        await submit(desk, pooled("small"))
        assert await claim(desk) == []
        await desk.end(a)
        assert nodes(await claim(desk)) == ["large"]

    async def test_a_suspect_needs_its_places_too(self, desk: Desk) -> None:
        """What was lost again and again waits for places, also beside a task of its agent that needs none."""
        await desk.store.set_pool("gpu", 1)
        await submit(desk, pooled("suspect"))
        for _ in range(SUSPECT_LOSSES):
            await desk.claim("pooled_agent", worker="victim")
            await desk.store.expire(["victim"])
        await submit(desk, pooled("other", agent="b_agent"))
        (other,) = await desk.claim("b_agent")
        await submit(desk, pooled("free", ()))
        assert nodes(await claim(desk)) == ["free"]
        await desk.end(other)
        assert nodes(await claim(desk)) == ["suspect"]

    async def test_a_retry_that_needs_places_is_looked_for_when_it_is_due(self, desk: Desk) -> None:
        """As one that needs none."""
        await desk.store.set_pool("gpu", 1)
        await submit(desk, pooled("a"))
        (a,) = await claim(desk)
        await desk.settle(settlement(a, None, ending="retry", not_before=7.0))
        assert await desk.store.next_due(["pooled_agent"]) == 7.0

    async def test_nothing_is_kept_for_whom_it_would_not_help(self, desk: Desk) -> None:
        """While somebody keeps places and waits, a task that needs those too keeps no others from what is free."""
        await desk.store.set_pool("gpu", 2)
        await submit(desk, pooled("keeper", (Need("gpu", 1, True),)))
        (keeper,) = await claim(desk)
        desk.clock.advance(1)
        await submit(desk, pooled("large", (Need("gpu", 2),)))
        desk.clock.advance(1)
        await submit(desk, pooled("small"))
        assert await desk.store.park(keeper.token, ["small"]) == "accepted"
        assert nodes(await claim(desk)) == ["small"]

    async def test_who_waits_gives_his_places_back(self, desk: Desk) -> None:
        """A parked task holds nothing; it goes on when it can have all its places again."""
        await desk.store.set_pool("gpu", 1)
        run = await submit(desk, pooled("a"), pooled("b"))
        (a,) = await claim(desk)
        assert await desk.store.park(a.token, ["b"]) == "accepted"
        assert await desk.store.park(a.token, ["b"]) == "repeated"
        task = await desk.task(run, "a")
        assert (task.state, task.parked, task.awaits) == ("claimed", True, ("b",))
        (b,) = await claim(desk)
        assert await desk.store.go_on(a.token) == "wait"
        assert (await desk.task(run, "a")).wants
        await desk.end(b)
        assert await desk.store.go_on(a.token) == "accepted"
        assert await desk.store.go_on(a.token) == "repeated"
        task = await desk.task(run, "a")
        assert (task.state, task.parked, task.awaits, task.wants) == ("claimed", False, (), False)
        told = [name for name in await desk.names(run) if name.endswith(("parked", "resumed"))]
        assert told == ["task.pooled_agent.parked", "task.pooled_agent.resumed"]

    async def test_who_wants_his_places_back_comes_before_anything_new(self, desk: Desk) -> None:
        """A place that becomes free is his, whoever else asks first."""
        await desk.store.set_pool("gpu", 1)
        await submit(desk, pooled("a"), pooled("b"), pooled("c"))
        (a,) = await claim(desk)
        await desk.store.park(a.token, ["b"])
        (b,) = await claim(desk)
        assert await desk.store.go_on(a.token) == "wait"
        await desk.end(b)
        assert await claim(desk) == []
        assert await desk.store.go_on(a.token) == "accepted"
        await desk.end(a)
        assert nodes(await claim(desk)) == ["c"]

    async def test_what_is_kept_stays_held(self, desk: Desk) -> None:
        """A place with `keep` is not given out while its task waits; one without is."""
        await desk.store.set_pool("gpu", 1)
        await desk.store.set_pool("licence", 1)
        await submit(desk, pooled("a", (Need("gpu", 1, True), Need("licence", 1))))
        (a,) = await claim(desk)
        await submit(desk, pooled("b"), pooled("c", (Need("licence", 1),)))
        await desk.store.park(a.token, ["x"])
        assert nodes(await claim(desk)) == ["c"]
        assert [(pool.name, pool.held) for pool in await desk.store.read_pools()] == [
            ("gpu", 1),
            ("licence", 1),
        ]

    async def test_parking_is_fenced(self, desk: Desk) -> None:
        """Who is superseded, revoked or settled can neither park nor go on."""
        await desk.store.set_pool("gpu", 1)
        await submit(desk, pooled("a"))
        (a,) = await claim(desk)
        forged = a.token._replace(claim="another")
        assert await desk.store.park(forged, ["b"]) == "stale"
        await desk.store.park(a.token, ["b"])
        assert await desk.store.go_on(forged) == "stale"
        await desk.end(a)
        assert await desk.store.go_on(a.token) == "stale"
        assert await desk.store.park(a.token, ["b"]) == "stale"

    async def test_a_task_without_pools_parks_and_goes_on_at_once(self, desk: Desk) -> None:
        """There is nothing to wait for; the log has both."""
        run, (a,) = await desk.start("a")
        assert await desk.store.park(a.token, ["b", "c"]) == "accepted"
        assert (await desk.task(run, "a")).awaits == ("b", "c")
        assert await desk.store.go_on(a.token) == "accepted"
        assert (await desk.names(run))[2:] == ["task.a_agent.parked", "task.a_agent.resumed"]

    async def test_a_claim_that_is_lost_holds_nothing(self, desk: Desk) -> None:
        """Places follow from claims: with the lease they are free, and the next attempt is parked no more."""
        await desk.store.set_pool("gpu", 1)
        run = await submit(desk, pooled("a", (Need("gpu", 1, True),)))
        (a,) = await claim(desk)
        await desk.store.park(a.token, ["b"])
        desk.clock.advance(LEASE_SECONDS)
        await desk.store.expire()
        assert list(await desk.store.read_pools()) == [PoolRecord("gpu", 1, 0, 1)]
        assert not (await desk.task(run, "a")).parked
        assert nodes(await claim(desk)) == ["a"]
        assert not (await desk.task(run, "a")).parked

    async def test_who_is_only_to_be_settled_needs_no_places(self, desk: Desk) -> None:
        """A task that nobody will run is given out although its pool is used up, and takes nothing."""
        await desk.store.set_pool("gpu", 1)
        await submit(desk, pooled("a"))
        await claim(desk)
        late = pooled("late")._replace(limits=Limits(queue_seconds=5.0))
        await submit(desk, pooled("broken")._replace(broken=True), late)
        desk.clock.advance(6)
        assert sorted(nodes(await claim(desk))) == ["broken", "late"]
        assert list(await desk.store.read_pools()) == [PoolRecord("gpu", 1, 1, 0)]

    async def test_a_join_that_starts_needs_its_places(self, desk: Desk) -> None:
        """What waits for hand-offs first waits for its places afterwards."""
        await desk.store.set_pool("gpu", 1)
        run, (a, b) = await desk.start("a", "b", waits_for=3)
        joined = release("c", agent="pooled_agent", need=2, parents=("a", "b"), pins=None, pools=GPU)
        await desk.end(a, joined)
        await desk.end(b, joined)
        assert (await desk.task(run, "c")).pools == GPU
        await submit(desk, pooled("d"))
        assert nodes(await claim(desk)) == ["c"]

    async def test_a_successor_has_its_own_needs(self, desk: Desk) -> None:
        """A task that goes to another agent needs what that one needs."""
        await desk.store.set_pool("gpu", 1)
        run = await submit(desk, pooled("a"))
        (a,) = await claim(desk)
        given = settlement(a, None, ending="reassigned")._replace(successor="b_agent", pools=())
        await desk.settle(given)
        await submit(desk, pooled("x"))
        assert sorted(nodes(await claim(desk))) == ["a", "x"]
        assert (await desk.task(run, "a")).pools == ()

    async def test_limits_of_an_agent_hold_for_pooled_tasks(self, desk: Desk) -> None:
        """Free places do not widen what a worker asked for."""
        await desk.store.set_pool("gpu", 5)
        await submit(desk, *(pooled(f"a{number}") for number in range(4)))
        asked = request("pooled_agent", claim="limited", per_agent=(("pooled_agent", 2),))
        assert len(await desk.store.claim(asked)) == 2
        assert len(await claim(desk, limit=1)) == 1

    async def test_a_repeated_claim_finds_its_places_and_takes_no_more(self, desk: Desk) -> None:
        """A request that is asked again after a broken connection has what it was given."""
        await desk.store.set_pool("gpu", 2)
        await submit(desk, *(pooled(f"a{number}") for number in range(4)))
        asked = request("pooled_agent", claim="again", limit=1)
        assert list(await desk.store.claim(asked)) == list(await desk.store.claim(asked))

    async def test_a_run_that_could_wait_for_ever_is_refused(self, desk: Desk) -> None:
        """A pool that is not there or too small is named with task, need and capacity, and nothing is written."""
        with pytest.raises(PoolTooSmall, match="a needs 1 of the pool 'gpu', which is not there"):
            await submit(desk, pooled("a"))
        await desk.store.set_pool("gpu", 1)
        new = desk.new_run(pooled("a"))._replace(needs=(NodeNeed("later", "gpu", 2),))
        with pytest.raises(PoolTooSmall, match="later needs 2 of the pool 'gpu', which has 1"):
            await desk.store.submit([desk.new_run(), new], WORKER, LEASE_SECONDS)
        assert list(await desk.store.list_runs(10)) == []
        assert await desk.events() == []

    async def test_a_run_under_its_key_stands_whatever_became_of_the_pool(self, desk: Desk) -> None:
        """Submitting again finds the run; it is not refused for a pool that has gone since it ended."""
        await desk.store.set_pool("gpu", 1)
        new = desk.new_run(pooled("a"), key="k")
        await desk.store.submit([new], WORKER, LEASE_SECONDS)
        (a,) = await claim(desk)
        await desk.end(a, run_resolved=1)
        await desk.store.set_pool("gpu", 0)
        assert list(await desk.store.read_pools()) == []
        again = new._replace(run=desk.id("run"))
        (answer,) = await desk.store.submit([again], WORKER, LEASE_SECONDS)
        assert (answer.run, answer.created) == (new.run, False)

    async def test_a_pool_does_not_shrink_below_what_a_task_needs(self, desk: Desk) -> None:
        """It names the task that has not settled; with the task settled it may. Nothing is taken from who holds."""
        await desk.store.set_pool("gpu", 4)
        run = await submit(desk, pooled("large", (Need("gpu", 3),)), pooled("small"))
        with pytest.raises(PoolTooSmall, match=f"large of run {run} needs 3 of the pool 'gpu', which has 2"):
            await desk.store.set_pool("gpu", 2)
        large, small = sorted(await claim(desk), key=lambda each: each.token.node)
        await desk.store.set_pool("gpu", 3)
        assert list(await desk.store.read_pools()) == [PoolRecord("gpu", 3, 4, 0)]
        await desk.end(large)
        await desk.store.set_pool("gpu", 1)
        with pytest.raises(PoolTooSmall, match="small"):
            await desk.store.set_pool("gpu", 0)
        await desk.end(small, run_resolved=2)
        await desk.store.set_pool("gpu", 0)

    async def test_a_pool_does_not_shrink_below_what_a_task_may_come_to_need(self, desk: Desk) -> None:
        """What was noted for the agent that is to go on, or for a fallback of it, stands until the task has settled."""
        await desk.store.set_pool("gpu", 3)
        run, (a,) = await desk.start("a")
        with pytest.raises(PoolTooSmall, match="a needs 4 of the pool 'gpu', which has 3"):
            await desk.store.note_needs(a.token, [NodeNeed("a", "gpu", 4)])
        await desk.store.set_pool("gpu", 2)
        for places in (1, 2, 1):
            assert await desk.store.note_needs(a.token, [NodeNeed("a", "gpu", places)]) == "accepted"
        for state in ("claimed", "ready", "in doubt"):
            with pytest.raises(PoolTooSmall, match=f"a of run {run} needs 2 of the pool 'gpu', which has 1"):
                await desk.store.set_pool("gpu", 1)
            if state == "claimed":
                await desk.settle(settlement(a, None, ending="handed_back"))
            elif state == "ready":
                (again,) = await desk.claim("a_agent")
                await desk.settle(settlement(again, None, ending="in_doubt"))
        assert await desk.store.note_needs(a.token, [NodeNeed("a", "gpu", 1)]) == "stale"
        await desk.control(run, "cancel", "a")
        await desk.store.set_pool("gpu", 1)

    async def test_an_open_task_needs_its_places_again(self, desk: Desk) -> None:
        """Also if no graph says so, and whatever it waits for: a pool does not shrink below what it may yet take."""
        await desk.store.set_pool("gpu", 1)
        new = desk.new_run(pooled("a"))._replace(needs=())
        await desk.store.submit([new], WORKER, LEASE_SECONDS)
        for state in ("ready", "paused", "claimed", "in_doubt"):
            if state == "paused":
                await desk.control(new.run, "pause")
            elif state == "claimed":
                await desk.control(new.run, "resume")
                (a,) = await claim(desk)
            elif state == "in_doubt":
                await desk.settle(settlement(a, None, ending="in_doubt"))
            assert (await desk.task(new.run, "a")).state == state
            with pytest.raises(PoolTooSmall, match="a of run"):
                await desk.store.set_pool("gpu", 0)

    async def test_nothing_is_given_to_whom_a_pool_is_too_small(self, desk: Desk) -> None:
        """Neither a task that is delegated nor one that is taken from its agent: it would wait for ever."""
        await desk.store.set_pool("gpu", 1)
        run, (a,) = await desk.start("a")
        before = await desk.events(run)
        child = append("a/child.1")._replace(needs=(NodeNeed("a/child.1", "gpu", 2),))
        with pytest.raises(PoolTooSmall, match=r"a/child\.1 needs 2 of the pool 'gpu', which has 1"):
            await desk.store.append(a.token, child)
        with pytest.raises(PoolTooSmall, match="a needs 2 of the pool 'gpu', which has 1"):
            await desk.control(run, "reassign", "a", successor="b_agent", pools=(Need("gpu", 2),))
        assert await desk.events(run) == before
        assert not await desk.store.read_growth(run)
        assert (await desk.store.renew([a.token], LEASE_SECONDS)) == [True]

    async def test_what_is_tried_again_needs_its_pools_again(self, desk: Desk) -> None:
        """A run that ended is not tried again with a pool that has become too small for it."""
        await desk.store.set_pool("gpu", 2)
        run = await submit(desk, pooled("a", (Need("gpu", 2),)))
        (a,) = await claim(desk)
        failed = handoff(status="failed")
        await desk.settle(settlement(a, failed, ending="failed", run_resolved=1))
        await desk.store.set_pool("gpu", 1)
        again = Redrive((Reset("a", -1, 1, "pooled_agent", 0, pools=(Need("gpu", 2),)),), 1, 2)
        with pytest.raises(PoolTooSmall, match="a needs 2"):
            await desk.control(run, "retry", redrive=again)
        assert (await desk.run(run)).state == "failed"
        await desk.store.set_pool("gpu", 2)
        assert await desk.control(run, "retry", redrive=again) == "accepted"
        assert nodes(await claim(desk)) == ["a"]

    async def test_a_task_that_is_claimed_by_name_needs_its_places_too(self, desk: Desk) -> None:
        """Whoever names the tasks that he wants gets those that fit, and no others."""
        await desk.store.set_pool("gpu", 1)
        run = await submit(desk, pooled("a"), pooled("b"))
        named = ((run, "b", -1), (run, "a", -1))
        first = await desk.store.claim(request(claim=desk.id("request"))._replace(tasks=named))
        again = await desk.store.claim(request(claim=desk.id("request"))._replace(tasks=named))
        assert (nodes(list(first)), list(again)) == (["a"], [])
