"""Hand-offs: written once, read back exactly."""

from __future__ import annotations

from segue.domain.records import Pin
from segue.ports.store import Note
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import Desk, digest_of, handoff, pin_of, release, settlement


class HandoffConformance(Suite):
    """Reading hand-offs, and remarks about running attempts."""

    async def test_a_handoff_reads_back_byte_for_byte(self, desk: Desk) -> None:
        """Body, digest, schema, times, size of the output and artifacts come back as they were given."""
        run, (a,) = await desk.start("a")
        text = '"é \\u0000 \U0001f40d ' + "x" * 20_000 + '"'
        artifacts = (digest_of(b"two"), digest_of(b"one"))
        record = handoff(text, artifacts=artifacts)
        await desk.settle(settlement(a, record))
        (stored,) = await desk.store.read_handoffs(run, [("a", -1, 1)])
        assert stored.record == record
        assert digest_of(stored.record.body) == stored.record.digest

    async def test_handoffs_come_in_the_order_asked_for(self, desk: Desk) -> None:
        """Exactly the versions named are read, in that order; one that is not there is left out, never replaced."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        await desk.end(a)
        await desk.end(b)
        wanted = [("b", -1, 1), ("a", -1, 2), ("nobody", -1, 1), ("a", -1, 1), ("a", 0, 1)]
        found = await desk.store.read_handoffs(run, wanted)
        assert [(stored.node, stored.record.version) for stored in found] == [("b", 1), ("a", 1)]

    async def test_a_version_must_be_the_next(self, desk: Desk) -> None:
        """A hand-off that would leave out a version, or take the place of one, is refused."""
        run, (a,) = await desk.start("a")
        for version in (0, 2, 5):
            (answer,) = await desk.settle(settlement(a, handoff(version=version)))
            assert answer.verdict == "stale"
        assert list(await desk.store.latest_handoffs(run)) == []
        assert (await desk.end(a)).verdict == "accepted"

    async def test_failed_and_reviewed_attempts_may_leave_a_handoff(self, desk: Desk) -> None:
        """What a failed attempt, or one that needs review, hands over is kept with its status."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        await desk.settle(
            settlement(a, handoff(status="failed"), ending="failed"),
            settlement(b, handoff(status="needs_review"), ending="needs_review"),
        )
        stored = await desk.store.latest_handoffs(run)
        assert [(each.node, each.record.status) for each in stored] == [
            ("a", "failed"),
            ("b", "needs_review"),
        ]

    async def test_latest_handoffs_of_some_nodes(self, desk: Desk) -> None:
        """The latest hand-offs come by node and item, of the whole run or of the nodes that are named."""
        run, claims = await desk.start("a", "b", "c", waits_for=3)
        for claim in reversed(claims):
            await desk.end(claim)
        assert [each.node for each in await desk.store.latest_handoffs(run)] == ["a", "b", "c"]
        assert [each.node for each in await desk.store.latest_handoffs(run, ["c", "a"])] == ["a", "c"]
        assert list(await desk.store.latest_handoffs(run, ["z"])) == []

    async def test_artifacts_are_registered_with_their_handoff(self, desk: Desk) -> None:
        """Every digest that an accepted hand-off points to is known once; those of refused ones are not."""
        _, (a, b) = await desk.start("a", "b", waits_for=2)
        one, two, three = (digest_of(each) for each in (b"1", b"2", b"3"))
        stale = b._replace(token=b.token._replace(claim="another"))
        await desk.settle(
            settlement(a, handoff(artifacts=(one, two, one))),
            settlement(b, handoff(artifacts=(two,))),
            settlement(stale, handoff(artifacts=(three,))),
        )
        assert sorted(await desk.store.artifact_references()) == sorted([one, two])

    async def test_a_note_is_fenced_and_in_the_log(self, desk: Desk) -> None:
        """Remarks of a running attempt are events of it; those of a lost attempt are refused."""
        run, (a,) = await desk.start("a")
        stale = a.token._replace(claim="another")
        verdicts = await desk.store.note(
            [
                Note(a.token, a.agent, "progress", None, '{"for":"b"}'),
                Note(stale, a.agent, "progress", None, None),
                Note(a.token, a.agent, "progress", None, '{"done":3}'),
            ]
        )
        assert list(verdicts) == ["accepted", "stale", "accepted"]
        told = [(event.name, event.epoch, event.data) for event in await desk.events(run)][2:]
        assert told == [
            ("task.a_agent.progress", 1, '{"for":"b"}'),
            ("task.a_agent.progress", 1, '{"done":3}'),
        ]
        await desk.end(a)
        assert list(await desk.store.note([Note(a.token, a.agent, "progress", None, None)])) == ["stale"]

    async def test_a_later_input_is_pinned_when_it_is_taken(self, desk: Desk) -> None:
        """A hand-off that an attempt took while it ran is among its inputs, once, and the next attempt has it too."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        record = handoff()
        (c,) = (await desk.end(a, release("c", pins=(pin_of(a, record),), claim="claim-c"))).claims
        later = Pin("b", -1, 1, digest_of(b"later"), "complete")
        note = Note(c.token, c.agent, "awaited", later, None)
        assert list(await desk.store.note([note])) == ["accepted"]
        assert list(await desk.store.note([note])) == ["repeated"]
        assert (await desk.task(run, "c")).pins == (pin_of(a, record), later)
        await desk.settle(settlement(c, None, ending="retry"))
        (again,) = await desk.claim("c_agent")
        assert again.pins == (pin_of(a, record), later)
        assert (await desk.task(run, "b")).claim == b.token.claim
