"""Runs and tasks that stand still, and go on again."""

from __future__ import annotations

import pytest

from segue.domain.decisions import Target
from segue.domain.records import PAUSED_ITSELF, SETTLED, SINGLE, Limits
from segue.testing.conformance.base import Suite
from segue.testing.conformance.controls import states, unborn
from segue.testing.conformance.desk import (
    BY_ME,
    LEASE_SECONDS,
    WORKER,
    Desk,
    handoff,
    join,
    quorum,
    release,
    request,
    root,
    settlement,
)
from segue.testing.conformance.reviews import decision


class PauseConformance(Suite):
    """Pausing and resuming."""

    async def test_a_paused_run_gives_nothing_out(self, desk: Desk) -> None:
        """What is ready is paused and told of; what is claimed may end, and what it releases is paused, not claimed."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        await desk.settle(settlement(b, None, ending="retry"))
        assert await desk.control(run, "pause") == "accepted"
        assert await states(desk, run) == {"a": "claimed", "b": "paused"}
        assert (await desk.run(run)).paused
        claimed = release("c", claim="at once")
        answer = await desk.end(a, claimed, join("d", 1, parents=("a",), claim="too"), run_resolved=1)
        assert (answer.verdict, answer.claims) == ("accepted", ())
        assert await states(desk, run) == {"a": "complete", "b": "paused", "c": "paused", "d": "paused"}
        assert list(await desk.claim("b_agent", "c_agent", "d_agent")) == []
        assert await desk.control(run, "resume") == "accepted"
        assert not (await desk.run(run)).paused
        claims = await desk.claim("b_agent", "c_agent", "d_agent")
        assert sorted(claim.token.node for claim in claims) == ["b", "c", "d"]

    async def test_a_run_that_is_paused_tells_of_each_task_that_stands_still(self, desk: Desk) -> None:
        """Its own event says who wanted it; those of its tasks have no data, and come with their states."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        await desk.settle(settlement(b, None, ending="retry"))
        await desk.control(run, "pause")
        await desk.end(a, release("c"), run_resolved=1)
        await desk.control(run, "resume")
        told = [(event.name, event.data) for event in await desk.events(run)][-7:]
        assert told == [
            ("run.paused", BY_ME),
            ("task.b_agent.paused", None),
            ("task.a_agent.complete", None),
            ("task.c_agent.paused", None),
            ("run.unpaused", BY_ME),
            ("task.b_agent.unpaused", None),
            ("task.c_agent.unpaused", None),
        ]

    async def test_every_way_back_to_ready_respects_a_pause(self, desk: Desk) -> None:
        """Tried again, handed back, reassigned by its worker, lost with it: paused, and ready at once on resume."""
        run, claims = await desk.start("a", "b", "c", "d", waits_for=4)
        await desk.control(run, "pause")
        a, b, c, _ = claims
        await desk.settle(settlement(a, None, ending="retry", not_before=60.0))
        await desk.settle(settlement(b, None, ending="handed_back"))
        await desk.settle(settlement(c, None, ending="reassigned")._replace(successor="b_agent"))
        await desk.store.expire([WORKER])
        assert await states(desk, run) == dict.fromkeys("abcd", "paused")
        await desk.control(run, "resume")
        assert len(await desk.claim("a_agent", "b_agent", "d_agent")) == 4

    async def test_a_late_result_is_accepted_while_its_task_is_paused(self, desk: Desk) -> None:
        """A pause supersedes nobody: what was lost with its lease may still be written, once."""
        run, (a,) = await desk.start("a")
        await desk.control(run, "pause")
        desk.clock.advance(LEASE_SECONDS + 1)
        assert len(await desk.store.expire()) == 1
        assert (await desk.task(run, "a")).state == "paused"
        answer = await desk.end(a, run_resolved=1)
        assert (answer.verdict, answer.run_state) == ("accepted", "complete")

    async def test_an_interrupt_revokes_what_runs(self, desk: Desk) -> None:
        """The attempt can write nothing more; the task counts neither a failure nor a loss, and begins anew."""
        run, (a,) = await desk.start("a")
        await desk.control(run, "pause")
        assert await desk.control(run, "pause") == "stale"
        assert await desk.control(run, "pause", interrupt=True) == "accepted"
        assert (await desk.task(run, "a")).state == "paused"
        assert list(await desk.store.renew([a.token], LEASE_SECONDS)) == [False]
        assert (await desk.end(a, run_resolved=1)).verdict == "stale"
        await desk.control(run, "resume")
        (again,) = await desk.claim("a_agent")
        assert (again.token.epoch, again.failures, again.losses, again.version) == (2, 0, 0, 1)

    async def test_a_task_is_paused_apart_from_its_run(self, desk: Desk) -> None:
        """It stands still until both pauses have ended, in whatever order; others of the run are not touched."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        await desk.settle(settlement(a, None, ending="retry"), settlement(b, None, ending="retry"))
        assert await desk.control(run, "pause", "a") == "accepted"
        assert await states(desk, run) == {"a": "paused", "b": "ready"}
        await desk.control(run, "pause")
        assert [pause.node for pause in await desk.store.read_pauses(run)] == ["", "a"]
        assert await desk.control(run, "resume", "b") == "stale"
        await desk.control(run, "resume")
        assert await states(desk, run) == {"a": "paused", "b": "ready"}
        await desk.control(run, "resume", "a")
        assert await states(desk, run) == {"a": "ready", "b": "ready"}
        assert list(await desk.store.read_pauses()) == []
        assert await desk.control(run, "resume", "a") == "stale"

    async def test_a_task_is_paused_before_it_is_there(self, desk: Desk) -> None:
        """What waits for others, or has not been released at all, is paused when it would be ready."""
        run, (a, b) = await desk.start("a", "b")
        assert await desk.control(run, "pause", unborn("c")) == "accepted"
        assert await states(desk, run) == {"a": "claimed", "b": "claimed", "c": "waiting"}
        both = join("c", 2, parents=("a", "b"), claim="at once")
        await desk.end(a, both)
        (answer,) = await desk.settle(settlement(b, handoff(), both))
        assert answer.claims == ()
        assert (await desk.task(run, "c")).state == "paused"
        await desk.control(run, "resume", "c")
        (c,) = await desk.claim("c_agent")
        assert [pin.node for pin in c.pins] == ["a", "b"]

    async def test_a_quorum_is_paused_when_it_would_start(self, desk: Desk) -> None:
        """With the last hand-off that it needs it is paused, and a straggler changes nothing."""
        run, (a, b, c) = await desk.start("a", "b", "c")
        first = quorum("d", 1, 2, parents=("a", "b", "c"), claim="at once")
        paused = Target("d", SINGLE, first._replace(resolved=0, claim=None))
        await desk.control(run, "pause", paused)
        for claim in (a, b):
            await desk.end(claim, first)
        assert (await desk.task(run, "d")).state == "paused"
        await desk.control(run, "resume", "d")
        assert (await desk.task(run, "d")).state == "ready"
        await desk.end(c, first)
        assert len(await desk.claim("d_agent")) == 1

    async def test_a_pause_of_a_mapped_task_holds_its_items(self, desk: Desk) -> None:
        """Those that come into being later too; it ends for all of them, but for one that is paused by itself."""
        run, (m,) = await desk.start("m")
        await desk.control(run, "pause", "m")
        items = [release("m", item=item, need=0, resolved=0, claim=f"item{item}") for item in range(3)]
        (answer,) = await desk.settle(settlement(m, None, *items, ending="expanded", run_resolved=-2))
        assert answer.claims == ()
        assert await states(desk, run) == {"m": "expanded"} | dict.fromkeys(("m0", "m1", "m2"), "paused")
        assert await desk.control(run, "pause", Target("m", 1)) == "stale"
        await desk.control(run, "resume", "m")
        assert [claim.token.item for claim in await desk.claim("m_agent", limit=2)] == [0, 1]
        await desk.control(run, "pause", Target("m", 2))
        await desk.control(run, "pause", "m")
        await desk.control(run, "resume", "m")
        assert (await desk.task(run, "m", 2)).state == "paused"
        assert (await desk.task(run, "m", 1)).hold == 0

    async def test_a_pause_ends_with_the_task_that_it_lasts_for(self, desk: Desk) -> None:
        """In the transaction that settles it, however it ends; a retry does not end it."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        await desk.control(run, "pause", unborn("c"), until=Target("b", SINGLE))
        (pause,) = await desk.store.read_pauses(run)
        assert (pause.node, pause.until, pause.data) == ("c", ("b", SINGLE), BY_ME)
        await desk.end(a, release("c", claim=None), run_resolved=1)
        assert (await desk.task(run, "c")).state == "waiting"
        await desk.settle(settlement(b, None, release("c"), ending="retry"))
        assert (await desk.task(run, "c")).state == "paused"
        (b,) = await desk.claim("b_agent")
        (answer,) = await desk.settle(settlement(b, None, ending="skipped", run_resolved=1))
        assert (answer.verdict, answer.ended_pause) == ("accepted", True)
        assert (await desk.task(run, "c")).state == "ready"
        (last,) = [event for event in await desk.events(run) if event.name == "task.c_agent.unpaused"]
        assert last.data == '{"by":"me","until":"b"}'
        assert list(await desk.store.read_pauses(run)) == []

    async def test_a_later_pause_lets_go_on_what_it_lasts_for(self, desk: Desk) -> None:
        """Where it takes the place of an earlier one, which had stopped that task: it would last for ever."""
        new = desk.new_run(root("a", desk.id("claim")), root("b"), root("c"), waits_for=3)
        await desk.store.submit([new], WORKER, LEASE_SECONDS)
        run = new.run
        await desk.control(run, "pause")
        assert (await desk.task(run, "b")).state == "paused"
        assert await desk.control(run, "pause", until=Target("b", SINGLE), interrupt=True) == "accepted"
        states = {node: (await desk.task(run, node)).state for node in "abc"}
        assert states == {"a": "paused", "b": "ready", "c": "paused"}
        (b,) = await desk.claim("b_agent")
        await desk.end(b, run_resolved=1)
        assert {(await desk.task(run, node)).state for node in "ac"} == {"ready"}

    async def test_an_interrupt_spares_what_the_pause_lasts_for(self, desk: Desk) -> None:
        """What runs of that goes on to its end, also if it is paused by itself and would not begin again."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        await desk.control(run, "pause", "b")
        assert await desk.control(run, "pause", until=Target("b", SINGLE), interrupt=True) == "accepted"
        assert await states(desk, run) == {"a": "paused", "b": "claimed"}
        assert (await desk.end(b, run_resolved=1)).ended_pause
        assert await states(desk, run) == {"a": "ready", "b": "complete"}
        assert (await desk.end(a, run_resolved=1)).verdict == "stale"

    async def test_a_run_is_paused_until_a_task_has_settled(self, desk: Desk) -> None:
        """That task is spared, a mapped one with its items, and its next try too; all others stand still."""
        run, (b, m) = await desk.start("b", "m", waits_for=2)
        await desk.settle(settlement(b, None, ending="retry"))
        assert await desk.control(run, "pause", until=Target("m", SINGLE)) == "accepted"
        items = [release("m", item=item, need=0, resolved=0, claim=f"item{item}") for item in range(2)]
        (answer,) = await desk.settle(settlement(m, None, *items, ending="expanded", run_resolved=-1))
        first, second = answer.claims
        await desk.settle(settlement(first, None, ending="retry"))
        await desk.end(second, run_resolved=1)
        assert await states(desk, run) == {"b": "paused", "m": "expanded", "m0": "ready", "m1": "complete"}
        (first,) = await desk.claim("m_agent", "b_agent")
        await desk.end(first, run_resolved=1)
        assert ((await desk.run(run)).paused, (await desk.task(run, "b")).state) == (False, "ready")

    async def test_a_pause_cannot_last_for_what_has_settled(self, desk: Desk) -> None:
        """It would never end: it is refused, and leaves nothing behind."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        await desk.end(b, run_resolved=1)
        before = await desk.events(run), await desk.store.read_tasks(run)
        for pause in ((), ("a",), (unborn("c"),)):
            assert await desk.control(run, "pause", *pause, until=Target("b", SINGLE)) == "stale"
            assert await desk.control(run, "pause", *pause, until=Target("nobody", SINGLE)) == "stale"
        assert before == (await desk.events(run), await desk.store.read_tasks(run))
        assert (await desk.end(a, run_resolved=1)).run_state == "complete"

    @pytest.mark.parametrize(
        "how", ["ends", "is cancelled", "is needless", "is decided on", "is past its time"]
    )
    async def test_a_pause_goes_with_its_task(self, desk: Desk, how: str) -> None:
        """In the transaction that settles it, and is not there any more when the task is tried again."""
        limits = Limits(total_seconds=5.0) if how == "is past its time" else None
        new = desk.new_run(root("a", desk.id("claim"), limits), root("b"), waits_for=2)
        (submitted,) = await desk.store.submit([new], WORKER, LEASE_SECONDS)
        run, (a,) = new.run, submitted.claims
        failed = settlement(a, handoff(status="failed"), ending="failed", run_resolved=1)
        if how == "is decided on":
            await desk.settle(settlement(a, handoff(status="needs_review"), ending="needs_review"))
        await desk.control(run, "pause", "a", interrupt=how == "is past its time")
        assert [pause.node for pause in await desk.store.read_pauses()] == ["a"]
        match how:
            case "ends":
                await desk.settle(failed)
            case "is cancelled":
                await desk.control(run, "cancel", "a")
            case "is needless":
                await desk.control(run, "cancel", "b", needless=(Target("a", SINGLE),))
            case "is decided on":
                await desk.store.review(
                    decision(run, "a", handoff(version=2, status="failed"), run_resolved=1)
                )
            case "is past its time":
                desk.clock.advance(6.0)
                await desk.store.expire()
                (late,) = await desk.claim("nobody")
                assert [pause.node for pause in await desk.store.read_pauses()] == ["a"]
                await desk.settle(settlement(late, handoff(status="failed"), ending="failed", run_resolved=1))
        assert await desk.store.read_pauses() == []
        task = await desk.task(run, "a")
        assert (task.state in SETTLED, task.hold) == (True, 0)

    async def test_the_pause_of_a_list_goes_with_its_last_item(self, desk: Desk) -> None:
        """Until then it holds those that are tried again; one of an item goes with that item."""
        run, (m,) = await desk.start("m")
        await desk.control(run, "pause", "m")
        items = [release("m", item=item, need=0, resolved=0) for item in range(2)]
        await desk.settle(settlement(m, None, *items, ending="expanded"))
        await desk.control(run, "resume", "m")
        zero, one = await desk.claim("m_agent")
        await desk.control(run, "pause", Target("m", 0))
        await desk.control(run, "pause", "m")
        assert [pause.item for pause in await desk.store.read_pauses()] == [SINGLE, 0]
        await desk.end(zero)
        assert [pause.item for pause in await desk.store.read_pauses()] == [SINGLE]
        assert (await desk.task(run, "m", 0)).hold == PAUSED_ITSELF
        await desk.end(one)
        assert await desk.store.read_pauses() == []
        assert [task.hold for task in await desk.store.read_tasks(run)] == [0, 0, 0]

    async def test_the_pauses_of_a_run_go_with_its_end(self, desk: Desk) -> None:
        """However it ends: what has ended is not paused, and what is tried again is not either."""
        for how in ("fails", "is cut short", "is cancelled"):
            run, (a, b, _) = await desk.start("a", "b", "c", waits_for=2)
            await desk.control(run, "pause", "b")
            await desk.control(run, "pause")
            failed = settlement(a, handoff(status="failed"), ending="failed", run_resolved=1)
            match how:
                case "fails":
                    await desk.settle(failed)
                    await desk.end(b, run_resolved=1)
                case "is cut short":
                    await desk.control(run, "cancel", "c")
                    await desk.settle(failed._replace(run_resolved=2))
                case "is cancelled":
                    await desk.cancel(run)
            assert await desk.store.read_pauses() == []
            record = await desk.run(run)
            assert (record.paused, record.ended_at) == (False, desk.clock.wall())
            if how != "is cancelled":
                assert await desk.retry(run, "a") == "accepted"
                assert (await desk.task(run, "a")).state == "ready"

    async def test_the_deadline_of_a_paused_task_stands(self, desk: Desk) -> None:
        """Past it any worker may claim the task, to settle it; the queue budget counts anew after the pause."""
        new = desk.new_run(root("a", limits=Limits(queue_seconds=5.0, total_seconds=60.0)))
        await desk.store.submit([new], WORKER, LEASE_SECONDS)
        await desk.control(new.run, "pause")
        desk.clock.advance(20.0)
        assert list(await desk.store.expire()) == []
        await desk.control(new.run, "resume")
        assert list(await desk.claim("other")) == []
        await desk.control(new.run, "pause")
        assert await desk.store.next_due([]) == 40.0
        desk.clock.advance(50.0)
        assert await desk.store.next_due([]) == 0.0
        assert (list(await desk.store.expire()), (await desk.task(new.run, "a")).state) == ([], "paused")
        (claim,) = await desk.claim("other")
        assert (claim.overrun, claim.token.epoch) == ("deadline", 1)
        assert list(await desk.store.claim(request("other", claim=claim.token.claim[:-2]))) == [claim]

    async def test_a_paused_task_is_settled_only_while_it_is_too_late(self, desk: Desk) -> None:
        """Where the clock was wrong and is set back it stands still as before: nobody is given it to run it."""
        late = Limits(total_seconds=20.0)
        new = desk.new_run(root("a", limits=late), root("b", desk.id("claim"), late), waits_for=2)
        await desk.store.submit([new], WORKER, LEASE_SECONDS)
        await desk.control(new.run, "pause")
        desk.clock.jump(30.0)
        assert [taken.node for taken in await desk.store.expire()] == ["b"]
        assert await states(desk, new.run) == {"a": "paused", "b": "paused"}
        desk.clock.jump(-30.0)
        named = tuple((new.run, node, SINGLE) for node in "ab")
        assert list(await desk.claim("a_agent", "b_agent")) == []
        assert list(await desk.store.claim(request(claim="named")._replace(tasks=named))) == []
        assert await desk.store.next_due(["a_agent", "b_agent"]) == 20.0
        await desk.control(new.run, "resume")
        assert [claim.overrun for claim in await desk.claim("a_agent", "b_agent")] == [None, None]

    async def test_a_pause_needs_no_review(self, desk: Desk) -> None:
        """While something of a run is paused, it is not said that only a review can move it."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        await desk.settle(settlement(b, None, ending="retry"))
        await desk.control(run, "pause", "b")
        (answer,) = await desk.settle(settlement(a, handoff(status="needs_review"), ending="needs_review"))
        assert (answer.run_state, (await desk.run(run)).state) == (None, "running")
        await desk.control(run, "resume", "b")
        (b,) = await desk.claim("b_agent")
        assert (await desk.end(b, run_resolved=1)).run_state == "needs_review"
