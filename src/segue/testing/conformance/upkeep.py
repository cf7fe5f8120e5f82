"""Upkeep: workers, pruning, and what a store says of itself."""

from __future__ import annotations

import pytest

from segue.domain.rows import Event
from segue.errors import CursorExpired
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import (
    LEASE_SECONDS,
    WORKER,
    Desk,
    digest_of,
    handoff,
    release,
    settlement,
)


class UpkeepConformance(Suite):
    """Workers, pruning and facts."""

    async def test_workers_are_known_until_forgotten(self, desk: Desk) -> None:
        """A worker that registered is listed with what it said last, until it is forgotten."""
        store = desk.store
        await store.register_worker("w1", '{"host":"a"}')
        await store.register_worker("w2", '{"host":"b"}')
        await store.register_worker("w1", '{"host":"c"}')
        assert sorted(await store.list_workers()) == [("w1", '{"host":"c"}'), ("w2", '{"host":"b"}')]
        await store.forget_workers(["w1", "nobody"])
        assert list(await store.list_workers()) == [("w2", '{"host":"b"}')]

    async def test_a_worker_that_holds_claims_is_not_forgotten(self, desk: Desk) -> None:
        """As long as it holds a claim a worker stays known, so that its death can be noticed."""
        await desk.store.register_worker(WORKER, "{}")
        _, (a,) = await desk.start("a")
        await desk.store.forget_workers([WORKER])
        assert [worker for worker, _ in await desk.store.list_workers()] == [WORKER]
        await desk.end(a)
        await desk.store.forget_workers([WORKER])
        assert list(await desk.store.list_workers()) == []

    async def test_pruning_takes_old_runs_with_all_they_have(self, desk: Desk) -> None:
        """Runs that ended before a time go with tasks, hand-offs, events and key; later and open ones stay whole."""
        old = desk.new_run(key="old")
        old = old._replace(roots=(release("a", need=0, resolved=0, claim="claim-a"),))
        (submitted,) = await desk.store.submit([old], WORKER, LEASE_SECONDS)
        await desk.settle(
            settlement(submitted.claims[0], handoff(artifacts=(digest_of(b"x"),)), run_resolved=1)
        )
        still_open, _ = await desk.start("a")
        desk.clock.advance(100)
        recent, (b,) = await desk.start("b")
        await desk.end(b, run_resolved=1)
        story = await desk.events(recent)
        assert await desk.store.prune(desk.clock.wall() - 50) == 1
        assert await desk.store.read_run(old.run) is None
        assert await desk.store.find_run("old") is None
        assert list(await desk.store.read_tasks(old.run)) == []
        assert list(await desk.store.latest_handoffs(old.run)) == []
        assert await desk.events(old.run) == []
        assert list(await desk.store.artifact_references()) == []
        assert [event[1:] for event in await desk.events(recent)] == [event[1:] for event in story]
        assert {event.run for event in await desk.events()} == {still_open, recent}
        assert await desk.store.prune(desk.clock.wall() - 50) == 0

    async def test_a_key_can_be_used_again_after_pruning(self, desk: Desk) -> None:
        """The key of a pruned run is free."""
        first, second = desk.new_run(key="k"), desk.new_run(key="k", text='{"other":1}')
        await desk.store.submit([first], WORKER, LEASE_SECONDS)
        await desk.cancel(first.run)
        desk.clock.advance(1)
        assert await desk.store.prune(desk.clock.wall()) == 1
        (submitted,) = await desk.store.submit([second], WORKER, LEASE_SECONDS)
        assert (submitted.run, submitted.created) == (second.run, True)

    async def test_a_shared_graph_outlives_one_run(self, desk: Desk) -> None:
        """A graph goes with the last run that needs it."""
        first, (a,) = await desk.start("a")
        digest = (await desk.run(first)).graph_digest
        await desk.end(a, run_resolved=1)
        desk.clock.advance(1)
        second, (b,) = await desk.start("a")
        await desk.store.prune(desk.clock.wall())
        assert await desk.store.read_graph(digest) is not None
        await desk.end(b, run_resolved=1)
        desk.clock.advance(1)
        await desk.store.prune(desk.clock.wall())
        assert await desk.store.read_graph(digest) is None
        assert await desk.store.read_run(second) is None

    async def test_a_cursor_behind_pruned_events_expires(self, desk: Desk) -> None:
        """A reader that would miss pruned events is told so; one that has read past them goes on."""
        before = await desk.store.cursor()
        _, (a,) = await desk.start("a")
        await desk.end(a, run_resolved=1)
        middle = (await desk.events())[1].cursor
        after = await desk.store.cursor()
        desk.clock.advance(1)
        await desk.store.prune(desk.clock.wall())
        for gone in (before, middle):
            with pytest.raises(CursorExpired, match="pruned"):
                await desk.store.tail(gone, 10)
        run, _ = await desk.start("b")
        events, _ = await desk.store.tail(after, 10)
        assert [(event.run, event.sequence) for event in events] == [(run, 1), (run, 2)]

    async def test_reading_from_the_start_after_pruning(self, desk: Desk) -> None:
        """Who starts at the beginning after a pruning reads all that is left, page by page."""
        kept, (k,) = await desk.start("k")
        for _ in range(3):
            _, (a,) = await desk.start("a")
            await desk.end(a, run_resolved=1)
        await desk.end(k)
        desk.clock.advance(1)
        assert await desk.store.prune(desk.clock.wall()) == 3
        found: list[Event] = []
        cursor = None
        while True:
            page, cursor = await desk.store.tail(cursor, 1)
            if not page:
                break
            found += page
        assert [(event.run, event.sequence) for event in found] == [(kept, 1), (kept, 2), (kept, 3)]

    async def test_facts_count_what_is_there(self, desk: Desk) -> None:
        """A store says how many runs, tasks, hand-offs and events it holds, and who it is."""
        _, (a,) = await desk.start("a")
        await desk.end(a, release("b"), run_resolved=1)
        facts = await desk.store.facts()
        assert (facts.runs, facts.tasks, facts.handoffs, facts.events) == (1, 2, 1, 5)
        assert (await desk.store.cursor()).startswith(facts.incarnation)
        assert all((facts.kind, facts.version, facts.durability, facts.location))
        desk.clock.advance(1)
        await desk.store.prune(desk.clock.wall())
        facts = await desk.store.facts()
        assert (facts.runs, facts.tasks, facts.handoffs, facts.events) == (0, 0, 0, 0)

    async def test_closing_twice_is_harmless(self, desk: Desk) -> None:
        """A store can be closed more than once."""
        await desk.store.close()
        await desk.store.close()
