"""Consumers: one worker at a time, at least once, and never past what nobody has handled."""

from __future__ import annotations

import asyncio

import pytest

from segue.domain.consumers import Consumed, ConsumeRequest, ConsumerRecord, ConsumerToken, Trouble
from segue.errors import CursorExpired
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import LEASE_SECONDS, OTHER, WORKER, Desk

GUARD = "monitor:guard"


class ConsumerConformance(Suite):
    """Events that are handled durably."""

    async def test_a_consumer_begins_where_it_says(self, desk: Desk) -> None:
        """One begins with what was there before it, another with what comes; told again, each stays where it is."""
        await desk.start("a")
        cursors = set()
        for _ in range(2):
            await desk.store.register_consumer("all", "start")
            cursors.add(await desk.store.register_consumer("new", "now"))
            await desk.start("b")
        everything, (old, new) = await desk.events(), await desk.store.read_consumers()
        assert (old.name, old.position, old.lag) == ("all", 0, len(everything))
        assert (new.name, new.lag) == ("new", len(everything) - 2)
        events, _ = await desk.store.tail(new.cursor, 100)
        assert list(events) == everything[2:]
        assert cursors == {new.cursor}

    async def test_one_worker_at_a_time(self, desk: Desk) -> None:
        """While one holds a consumer nobody else is granted it, and hears how long to wait."""
        mine = await _taken(desk)
        other = await _consume(desk, worker=OTHER)
        assert other.token is None
        assert other.wait_seconds == pytest.approx(LEASE_SECONDS)
        assert other.cursor == mine.cursor

    async def test_what_was_passed_is_not_granted(self, desk: Desk) -> None:
        """Whoever wants to handle what another has handled is told how far the consumer is, and takes nothing."""
        await desk.start("a")
        held = await _taken(desk)
        first, second = await desk.events()
        await _advance(desk, held, first.cursor, 0)
        passed = await desk.store.consume(ConsumeRequest(GUARD, OTHER, "late", LEASE_SECONDS, first.cursor))
        assert (passed.token, passed.wait_seconds) == (None, 0.0)
        assert list((await desk.store.tail(passed.cursor, 10))[0]) == [second]
        assert (await _record(desk)).worker is None

    async def test_a_repeated_request_finds_its_own(self, desk: Desk) -> None:
        """The same request again is granted the same, under the same epoch."""
        await desk.store.register_consumer(GUARD, "start")
        first = await _consume(desk, claim="c1")
        assert await _consume(desk, claim="c1") == first
        assert first.token == ConsumerToken(GUARD, 1, "c1")

    async def test_many_ask_at_once_and_one_is_granted(self, desk: Desk) -> None:
        """Of twenty workers that ask in one moment exactly one holds the consumer."""
        await desk.store.register_consumer(GUARD, "start")
        answers = await asyncio.gather(
            *(_consume(desk, worker=f"w{number}", claim=f"c{number}") for number in range(20))
        )
        assert sum(each.token is not None for each in answers) == 1

    async def test_who_holds_it_moves_it_on(self, desk: Desk) -> None:
        """A position that was noted is there for whoever comes next; it never goes back."""
        await desk.start("a", "b")
        held = await _taken(desk)
        events = await desk.events()
        assert await _advance(desk, held, events[1].cursor) == "accepted"
        assert await _advance(desk, held, events[0].cursor) == "accepted"
        assert (await _record(desk)).lag == 1
        assert await _advance(desk, held, events[0].cursor, 0) == "accepted"
        again = await _consume(desk, worker=OTHER)
        assert again.token is not None
        assert again.token.epoch == 2
        assert list((await desk.store.tail(again.cursor, 10))[0]) == events[2:]

    async def test_letting_go_can_be_repeated(self, desk: Desk) -> None:
        """Whoever did not hear the answer asks again, and is told so."""
        await desk.start("a")
        held = await _taken(desk)
        (first, *_) = await desk.events()
        assert await _advance(desk, held, first.cursor, 0) == "accepted"
        assert await _advance(desk, held, first.cursor, 0) == "repeated"
        await _consume(desk, worker=OTHER)
        assert await _advance(desk, held, first.cursor, 0) == "stale"

    async def test_after_its_lease_another_takes_over(self, desk: Desk) -> None:
        """A worker that is not heard of loses the consumer, and nothing that it says afterwards counts."""
        await desk.start("a")
        held = await _taken(desk)
        desk.clock.advance(LEASE_SECONDS)
        other = await _consume(desk, worker=OTHER)
        assert other.token is not None
        assert other.token.epoch == 2
        (first, *_) = await desk.events()
        assert await _advance(desk, held, first.cursor) == "stale"
        assert await desk.store.stumble(_trouble(held, first.cursor, first.run)) == "stale"
        (record,) = await desk.store.read_consumers()
        assert (record.position, record.worker, record.failures) == (0, OTHER, 0)

    async def test_noting_keeps_the_lease(self, desk: Desk) -> None:
        """Whoever says how far he is, or the same again, keeps the consumer from then on."""
        held = await _taken(desk)
        for _ in range(3):
            desk.clock.advance(LEASE_SECONDS / 2)
            assert await _advance(desk, held, held.cursor) == "accepted"
        assert (await _consume(desk, worker=OTHER)).token is None

    async def test_a_dead_worker_lets_go(self, desk: Desk) -> None:
        """What a dead worker held can be taken at once; what another holds is left alone."""
        await _taken(desk)
        await desk.store.register_consumer("second", "start")
        await desk.store.consume(ConsumeRequest("second", OTHER, "c2", LEASE_SECONDS, await _wanted(desk)))
        await desk.store.expire([WORKER])
        guard, second = await desk.store.read_consumers()
        assert (guard.worker, second.worker) == (None, OTHER)
        assert (await _consume(desk, worker=OTHER)).token is not None

    async def test_trouble_waits_for_its_time(self, desk: Desk) -> None:
        """An event that could not be handled is in the log, and due again after its delay; a step ahead forgives."""
        run, _ = await desk.start("a")
        held = await _taken(desk)
        first, second = await desk.events()
        trouble = _trouble(held, first.cursor, run, delay_seconds=5.0)
        assert await desk.store.stumble(trouble) == "accepted"
        assert await desk.store.stumble(trouble) == "repeated"
        assert (await desk.names(run))[2:] == ["consumer.monitor:guard.failed"]
        waiting = await _consume(desk)
        assert (waiting.token, waiting.cursor) == (None, held.cursor)
        assert waiting.wait_seconds == pytest.approx(5.0)
        assert (await _record(desk))[5:] == (1, False, '{"message":"no"}')
        desk.clock.advance(5.0)
        again = await _consume(desk)
        assert again.failures == 1
        assert await _advance(desk, again, second.cursor) == "accepted"
        assert (await _record(desk))[5:] == (0, False, None)

    async def test_a_parked_consumer_waits_for_a_person(self, desk: Desk) -> None:
        """It is granted to nobody, whatever time passes, until somebody lets it go on, with the event or past it."""
        run, _ = await desk.start("a")
        held = await _taken(desk)
        first, _ = await desk.events()
        await desk.store.stumble(_trouble(held, first.cursor, run, delay_seconds=None))
        desk.clock.advance(1e6)
        waiting = await _consume(desk)
        assert (waiting.token, waiting.wait_seconds) == (None, None)
        assert await desk.store.unpark(GUARD, past=False, data='{"by":"alice"}')
        assert not await desk.store.unpark(GUARD, past=False, data=None)
        again = await _consume(desk)
        assert again.cursor == held.cursor
        await desk.store.stumble(_trouble(again, first.cursor, run, delay_seconds=None))
        assert await desk.store.unpark(GUARD, past=True, data='{"by":"alice"}')
        past = await _consume(desk)
        assert past.token is not None
        assert (await desk.store.tail(past.cursor, 1))[0][0].sequence == 2
        assert [name.rpartition(".")[2] for name in (await desk.names(run))[2:]] == [
            "failed",
            "resumed",
            "failed",
            "skipped",
        ]

    async def test_a_foreign_cursor_is_refused(self, desk: Desk) -> None:
        """A consumer is not moved by a cursor that this store did not give out."""
        held = await _taken(desk)
        for bad in ("", "no cursor", ("0" if held.cursor[0] != "0" else "1") + held.cursor[1:]):
            with pytest.raises(CursorExpired):
                await _advance(desk, held, bad)

    async def test_nothing_is_pruned_before_its_consumers(self, desk: Desk) -> None:
        """A run stays until every consumer has passed its events, and cursors of consumers never expire."""
        _, (a,) = await desk.start("a")
        await desk.end(a, run_resolved=1)
        held = await _taken(desk)
        await desk.store.register_consumer("new", "now")
        desk.clock.advance(60.0)
        assert await desk.store.prune(desk.clock.wall()) == 0
        events = await desk.events()
        assert await _advance(desk, held, events[-1].cursor, 0) == "accepted"
        assert await desk.store.prune(desk.clock.wall()) == 1
        run, _ = await desk.start("b")
        after = await _consume(desk)
        assert [event.run for event in (await desk.store.tail(after.cursor, 10))[0]] == [run, run]

    async def test_only_what_nobody_holds_is_forgotten(self, desk: Desk) -> None:
        """A consumer that is held stays; one that was forgotten is granted to nobody."""
        held = await _taken(desk)
        assert not await desk.store.forget_consumer(GUARD)
        await _advance(desk, held, held.cursor, 0)
        assert await desk.store.forget_consumer(GUARD)
        assert not await desk.store.forget_consumer(GUARD)
        assert list(await desk.store.read_consumers()) == []
        unknown = await _consume(desk)
        assert (unknown.token, unknown.wait_seconds) == (None, None)


async def _consume(desk: Desk, *, worker: str = WORKER, claim: str | None = None) -> Consumed:
    request = ConsumeRequest(GUARD, worker, claim or desk.id("claim"), LEASE_SECONDS, await _wanted(desk))
    return await desk.store.consume(request)


async def _wanted(desk: Desk) -> str:
    """The cursor of the newest event; there is one."""
    if not await desk.events():
        await desk.start("a")
    return (await desk.events())[-1].cursor


async def _taken(desk: Desk) -> Consumed:
    """A consumer from the beginning of the log that this worker holds."""
    await desk.store.register_consumer(GUARD, "start")
    return await _consume(desk)


async def _advance(desk: Desk, held: Consumed, cursor: str, lease_seconds: float = LEASE_SECONDS) -> str:
    assert held.token is not None
    return await desk.store.advance(held.token, cursor, lease_seconds)


async def _record(desk: Desk) -> ConsumerRecord:
    (record,) = await desk.store.read_consumers()
    return record


def _trouble(held: Consumed, cursor: str, run: str, delay_seconds: float | None = 0.0) -> Trouble:
    assert held.token is not None
    name = "consumer.monitor:guard.failed"
    return Trouble(held.token, cursor, run, name, '{"message":"no"}', delay_seconds)
