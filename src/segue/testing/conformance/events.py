"""The log: what happened, in order, with nothing missing."""

from __future__ import annotations

import asyncio

import pytest

from segue.domain.rows import Event
from segue.errors import CursorExpired
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import LEASE_SECONDS, WORKER, Desk, handoff, release, root, settlement


class EventConformance(Suite):
    """Events and cursors."""

    async def test_a_run_tells_its_story_in_order(self, desk: Desk) -> None:
        """Every state has its event, in the order in which things happened."""
        run, (a,) = await desk.start("a")
        (b,) = (await desk.end(a, release("b", claim="claim-b"), release("c"))).claims
        await desk.settle(settlement(b, None, ending="retry"))
        (c,) = await desk.claim("c_agent")
        await desk.end(c, run_resolved=1)
        assert await desk.names(run) == [
            "run.started",
            "task.a_agent.claimed",
            "task.a_agent.complete",
            "task.b_agent.claimed",
            "task.c_agent.ready",
            "task.b_agent.retry",
            "task.c_agent.claimed",
            "task.c_agent.complete",
            "run.complete",
        ]

    async def test_sequences_have_no_gap(self, desk: Desk) -> None:
        """The events of each run count 1, 2, 3 ..., also when several runs go on at once and calls are refused."""
        started = [await desk.start("a") for _ in range(5)]

        async def chain(number: int) -> None:
            run, (claim,) = started[number]
            stale = claim._replace(token=claim.token._replace(claim="another"))
            for step in range(8):
                await desk.end(stale)
                answer = await desk.end(claim, release(f"s{step}", claim=f"{run}-{step}"))
                (claim,) = answer.claims

        await asyncio.gather(*(chain(number) for number in range(5)))
        for run, _ in started:
            sequences = [event.sequence for event in await desk.events(run)]
            assert sequences == list(range(1, 19))

    async def test_a_refused_write_leaves_no_event(self, desk: Desk) -> None:
        """What is refused or repeated is not in the log."""
        _, (a,) = await desk.start("a")
        stale = a._replace(token=a.token._replace(claim="another"))
        await desk.end(a)
        before = await desk.events()
        await desk.end(a)
        await desk.end(stale)
        await desk.store.renew([a.token], LEASE_SECONDS)
        await desk.store.expire(["nobody"])
        await desk.claim("a_agent")
        assert await desk.events() == before

    async def test_an_event_commits_with_its_state(self, desk: Desk) -> None:
        """Whoever sees a state finds its event, and whoever reads an event finds its state."""
        run, (claim,) = await desk.start("a")
        done = asyncio.Event()

        async def work() -> None:
            current = claim
            try:
                for step in range(20):
                    (current,) = (await desk.end(current, release(f"s{step}", claim=f"c{step}"))).claims
            finally:
                done.set()

        async def watch() -> None:
            while not done.is_set():
                events = [event for event in await desk.events(run) if event.name.endswith(".complete")]
                states = [task.state for task in await desk.store.read_tasks(run)]
                later = [event for event in await desk.events(run) if event.name.endswith(".complete")]
                assert len(events) <= states.count("complete") <= len(later)

        await asyncio.gather(work(), watch())

    async def test_a_cursor_goes_on_where_it_was(self, desk: Desk) -> None:
        """Reading page by page gives every event once, in order, with a place for each."""
        for _ in range(5):
            await desk.start("a")
        everything = await desk.events()
        pages: list[Event] = []
        cursor = None
        while page := (await desk.store.tail(cursor, 3))[0]:
            pages += page
            cursor = page[-1].cursor
        assert pages == everything
        assert len({event.cursor for event in everything}) == len(everything)

    async def test_the_cursor_of_now_sees_only_what_comes(self, desk: Desk) -> None:
        """An observer that starts now is not told the past, and misses nothing after."""
        await desk.start("a")
        now = await desk.store.cursor()
        events, unmoved = await desk.store.tail(now, 10)
        assert list(events) == []
        run, _ = await desk.start("b")
        events, _ = await desk.store.tail(unmoved, 10)
        assert [(event.run, event.name) for event in events] == [
            (run, "run.started"),
            (run, "task.b_agent.claimed"),
        ]

    async def test_a_run_is_followed_alone(self, desk: Desk) -> None:
        """The events of one run come without those of others, and its cursors serve for the whole store too."""
        first, (a,) = await desk.start("a")
        second, _ = await desk.start("b")
        events, cursor = await desk.store.tail(None, 10, first)
        assert [event.run for event in events] == [first, first]
        await desk.end(a)
        mine, _ = await desk.store.tail(cursor, 10, first)
        assert [event.name for event in mine] == ["task.a_agent.complete"]
        rest, _ = await desk.store.tail(events[-1].cursor, 10)
        assert [event.run for event in rest] == [second, second, first]

    async def test_following_a_run_page_by_page(self, desk: Desk) -> None:
        """A small limit splits a run's events and loses none of them, whatever other runs do in between."""
        run, (claim,) = await desk.start("a")
        for step in range(6):
            await desk.start("noise")
            (claim,) = (await desk.end(claim, release(f"s{step}", claim=f"c{step}"))).claims
        found: list[Event] = []
        cursor = None
        while True:
            page, cursor = await desk.store.tail(cursor, 2, run)
            if not page:
                break
            found += page
        assert found == await desk.events(run)
        assert [event.sequence for event in found] == list(range(1, 15))

    async def test_a_foreign_cursor_is_refused(self, desk: Desk) -> None:
        """A cursor that this store did not give out is an error that names the remedy, never a silent restart."""
        cursor = await desk.store.cursor()
        other = ("0" if cursor[0] != "0" else "1") + cursor[1:]
        for bad in (other, "", "no cursor", cursor + "x", f" {cursor}"):
            with pytest.raises(CursorExpired, match="cursor"):
                await desk.store.tail(bad, 10)

    async def test_commits_are_counted(self, desk: Desk) -> None:
        """A commit moves the notifier's count before the call returns, so that nobody waits for what has happened."""
        notifier = desk.store.notifier
        seen = notifier.count
        run, (a,) = await desk.start("a")
        after_submit = notifier.count
        await desk.end(a)
        assert seen < after_submit < notifier.count
        assert await notifier.wait(after_submit, 3600.0) == notifier.count
        assert (await desk.task(run, "a")).state == "complete"

    async def test_a_commit_wakes_who_waits(self, desk: Desk) -> None:
        """An observer that waits is woken by the next commit, long before its time is over."""
        notifier = desk.store.notifier
        waiter = asyncio.ensure_future(notifier.wait(notifier.count, 3600.0))
        await asyncio.wait({waiter}, timeout=0)
        assert not waiter.done()
        await desk.store.submit([desk.new_run(root("a"))], WORKER, LEASE_SECONDS)
        assert await asyncio.wait_for(waiter, 10.0) == notifier.count

    async def test_waiting_ends_with_its_time(self, desk: Desk) -> None:
        """Without a commit the wait is over after its time, by the store's clock, with the count unchanged."""
        notifier = desk.store.notifier
        seen, foreign = notifier.count, notifier.foreign
        waiters = [
            asyncio.ensure_future(notifier.wait(seen, 60.0)),
            asyncio.ensure_future(notifier.wait_foreign(foreign, 60.0)),
        ]
        await asyncio.wait(waiters, timeout=0)
        desk.clock.advance(60.0)
        assert await asyncio.wait_for(asyncio.gather(*waiters), 10.0) == [seen, foreign]

    async def test_ones_own_commits_are_not_foreign(self, desk: Desk) -> None:
        """What this store commits itself does not count as a commit of another."""
        foreign = desk.store.notifier.foreign
        _, (a,) = await desk.start("a")
        await desk.settle(settlement(a, handoff()))
        assert desk.store.notifier.foreign == foreign
