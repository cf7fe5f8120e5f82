"""Runs: submitted once, found by id and key, ended by their last task."""

from __future__ import annotations

import pytest

from segue.errors import KeyConflict
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import LEASE_SECONDS, WORKER, Desk, handoff, root, settlement


class RunConformance(Suite):
    """Submitting, reading and ending runs."""

    async def test_a_submitted_run_reads_back_as_it_was(self, desk: Desk) -> None:
        """A run is found by its id with its workflow, graph, input, options and the store's time."""
        new = desk.new_run(root("a"), key="k", text='{"goal":"x"}')
        (submitted,) = await desk.store.submit([new], WORKER, LEASE_SECONDS)
        record = await desk.run(new.run)
        assert (submitted.run, submitted.created) == (new.run, True)
        assert record[:7] == (new.run, "k", "review", "running", new.graph_digest, new.input, new.options)
        assert (record.submitted_at, record.ended_at) == (desk.clock.wall(), None)
        assert await desk.store.read_graph(new.graph_digest) == new.graph
        assert await desk.store.read_schema(new.schemas[0][0]) == new.schemas[0][1]

    async def test_what_is_not_there_reads_as_none(self, desk: Desk) -> None:
        """An unknown run, key, graph or schema is None, and has no tasks, hand-offs or events."""
        store = desk.store
        assert await store.read_run("no") is None
        assert await store.find_run("no") is None
        assert await store.read_graph("no") is None
        assert await store.read_schema("no") is None
        assert list(await store.read_tasks("no")) == []
        assert list(await store.read_handoffs("no", [("a", -1, 1)])) == []
        assert list(await store.latest_handoffs("no")) == []
        assert await desk.events("no") == []

    async def test_roots_are_ready_or_claimed(self, desk: Desk) -> None:
        """A root with a claim id is claimed in the same transaction, one without is left ready for anybody."""
        new = desk.new_run(root("a", "claim-a"), root("b"))
        (submitted,) = await desk.store.submit([new], WORKER, LEASE_SECONDS)
        (claim,) = submitted.claims
        assert claim.token == (new.run, "a", -1, 1, "claim-a")
        assert (claim.agent, claim.attempt, claim.version, claim.pins) == ("a_agent", 1, 1, ())
        a, b = await desk.store.read_tasks(new.run)
        assert (a.state, a.epoch, a.attempt, a.claim, a.worker) == ("claimed", 1, 1, "claim-a", WORKER)
        assert (b.state, b.epoch, b.attempt, b.claim, b.worker) == ("ready", 0, 0, None, None)
        assert a.ready_at == b.ready_at == a.claimed_at == desk.clock.wall()

    async def test_a_key_names_one_run(self, desk: Desk) -> None:
        """A second run under a key is not created; the answer names the one that stands, and gives no claims."""
        first, second = desk.new_run(root("a"), key="k"), desk.new_run(root("a", "c"), key="k")
        await desk.store.submit([first], WORKER, LEASE_SECONDS)
        (again,) = await desk.store.submit([second], WORKER, LEASE_SECONDS)
        assert again == (first.run, False, ())
        assert await desk.store.read_run(second.run) is None
        found = await desk.store.find_run("k")
        assert found is not None
        assert found.run == first.run

    async def test_a_key_with_another_input_is_a_conflict(self, desk: Desk) -> None:
        """The same key with another input raises KeyConflict, and nothing of that call is created."""
        await desk.store.submit([desk.new_run(root("a"), key="k")], WORKER, LEASE_SECONDS)
        innocent, guilty = desk.new_run(root("a")), desk.new_run(root("a"), key="k", text='{"other":1}')
        with pytest.raises(KeyConflict, match="k"):
            await desk.store.submit([innocent, guilty], WORKER, LEASE_SECONDS)
        assert await desk.store.read_run(innocent.run) is None
        assert await desk.store.read_run(guilty.run) is None

    async def test_a_key_holds_within_one_batch(self, desk: Desk) -> None:
        """Two runs of one call under one key become one run; with different inputs the call is a conflict."""
        twins = [desk.new_run(root("a"), key="k"), desk.new_run(root("a"), key="k")]
        first, second = await desk.store.submit(twins, WORKER, LEASE_SECONDS)
        assert (first.created, second.created, second.run) == (True, False, twins[0].run)
        strangers = [desk.new_run(key="q"), desk.new_run(key="q", text='{"other":1}')]
        with pytest.raises(KeyConflict):
            await desk.store.submit(strangers, WORKER, LEASE_SECONDS)
        assert await desk.store.find_run("q") is None

    async def test_submitting_again_gives_the_same_claims(self, desk: Desk) -> None:
        """A call that is repeated, as after a broken connection, finds its run and claims and writes nothing."""
        new = desk.new_run(root("a", "claim-a"), root("b"))
        first = await desk.store.submit([new], WORKER, LEASE_SECONDS)
        before = await desk.events()
        assert await desk.store.submit([new], WORKER, LEASE_SECONDS) == first
        assert await desk.events() == before

    async def test_runs_are_listed_newest_first(self, desk: Desk) -> None:
        """Listing goes from new to old, page by page, and can be limited to some states."""
        started = [await desk.start("a") for _ in range(5)]
        names = [each.run for each in reversed(started)]
        await desk.end(started[1].claims[0], run_resolved=1)
        await desk.cancel(started[3].run)
        first = [run.run for run in await desk.store.list_runs(2)]
        rest = [run.run for run in await desk.store.list_runs(10, before=first[-1])]
        assert first + rest == names
        done = await desk.store.list_runs(10, states=["complete", "cancelled"])
        assert [run.run for run in done] == [started[3].run, started[1].run]
        assert [run.run for run in await desk.store.list_runs(1, states=["running"])] == [names[0]]

    async def test_the_last_task_ends_the_run(self, desk: Desk) -> None:
        """A run ends in the transaction that settles the last task it waits for, and the answer says so."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        assert (await desk.end(a, run_resolved=1)).run_state is None
        assert (await desk.run(run)).state == "running"
        desk.clock.advance(5)
        assert (await desk.end(b, run_resolved=1)).run_state == "complete"
        record = await desk.run(run)
        assert (record.state, record.ended_at) == ("complete", desk.clock.wall())
        assert (await desk.names(run))[-1] == "run.complete"

    async def test_a_failed_task_makes_a_failed_run(self, desk: Desk) -> None:
        """A run that ends with a failed task, whichever, has failed."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        failed = settlement(a, None, ending="failed", run_resolved=1, data='{"kind":"ValueError"}')
        await desk.settle(failed)
        answer = await desk.end(b, run_resolved=1)
        assert answer.run_state == (await desk.run(run)).state == "failed"
        assert (await desk.names(run))[-1] == "run.failed"

    async def test_a_batch_can_end_many_runs(self, desk: Desk) -> None:
        """Settlements of several runs in one batch end each run by itself."""
        started = [await desk.start("a") for _ in range(4)]
        answers = await desk.settle(
            *(
                settlement(claim, handoff(), run_resolved=index % 2)
                for index, (_, (claim,)) in enumerate(started)
            )
        )
        assert [answer.run_state for answer in answers] == [None, "complete", None, "complete"]
        states = [(await desk.run(each.run)).state for each in started]
        assert states == ["running", "complete", "running", "complete"]

    async def test_a_repeated_last_settlement_says_that_the_run_ended(self, desk: Desk) -> None:
        """Whoever lost the answer that ended a run learns it by asking again."""
        _, (a,) = await desk.start("a")
        await desk.end(a, run_resolved=1)
        again = await desk.end(a, run_resolved=1)
        assert (again.verdict, again.run_state) == ("repeated", "complete")
