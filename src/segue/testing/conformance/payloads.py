"""Versions of payloads: what each stands for, for ever, and tasks that only some workers can read."""

from __future__ import annotations

import json

import pytest

from segue.domain.envelope.forms import PayloadForm
from segue.domain.records import Claim, PayloadRecord, Release, Settlement
from segue.errors import SchemaDrift
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import WORKER, Desk, release, request, root, settlement

LEASE_SECONDS = 30.0


def fields(version: str, *names: str) -> PayloadForm:
    """A version of a payload that has these fields."""
    return PayloadForm("Found", version, {"type": "object", "properties": {name: {} for name in names}})


def record_of(form: PayloadForm) -> PayloadRecord:
    """What a store keeps of it."""
    return PayloadRecord(form.name, form.version, form.fingerprint)


def unreadable(claim: Claim, requires: str, *releases: Release) -> Settlement:
    """A worker could not read an input."""
    data = json.dumps({"requires": requires})
    return settlement(claim, None, *releases, ending="unreadable", data=data)._replace(requires=requires)


class PayloadConformance(Suite):
    """Registering payloads, and leaving tasks to those that can read them."""

    async def _submit(self, desk: Desk, *forms: PayloadForm) -> str:
        schemas = tuple((form.fingerprint, form.text) for form in forms)
        new = desk.new_run(root("a"))._replace(schemas=schemas, payloads=tuple(map(record_of, forms)))
        await desk.store.submit([new], WORKER, LEASE_SECONDS)
        return new.run

    async def test_a_submission_registers_its_payloads(self, desk: Desk) -> None:
        """A version is kept with its fields, first come, and the same again is nothing new."""
        first, second = fields("1", "a"), fields("2", "a", "b")
        await self._submit(desk, first)
        await self._submit(desk, first)
        await self._submit(desk, second)
        assert list(await desk.store.read_payloads()) == [record_of(first), record_of(second)]
        assert await desk.store.read_schema(second.fingerprint) == second.text

    async def test_a_submission_that_drifts_writes_nothing(self, desk: Desk) -> None:
        """A version that stands for other fields, or is new and below the latest, is refused with all of its batch."""
        await self._submit(desk, fields("2", "a"))
        before = await desk.events()
        good = desk.new_run(root("a"))
        for form, told in ((fields("2", "a", "b"), "b was added"), (fields("1", "a"), "goes backwards")):
            schemas = ((form.fingerprint, form.text),)
            bad = desk.new_run(root("a"))._replace(schemas=schemas, payloads=(record_of(form),))
            with pytest.raises(SchemaDrift, match=told):
                await desk.store.submit([good, bad], WORKER, LEASE_SECONDS)
        assert await desk.events() == before
        assert await desk.store.read_run(good.run) is None
        assert list(await desk.store.read_payloads()) == [record_of(fields("2", "a"))]

    async def test_two_runs_of_a_batch_that_contradict_each_other(self, desk: Desk) -> None:
        """What the first brings is known when the second is looked at; neither is created."""
        runs = [
            desk.new_run(root("a"))._replace(
                schemas=((form.fingerprint, form.text),), payloads=(record_of(form),)
            )
            for form in (fields("1", "a"), fields("1", "b"))
        ]
        with pytest.raises(SchemaDrift, match="a was removed; b was added"):
            await desk.store.submit(runs, WORKER, LEASE_SECONDS)
        assert list(await desk.store.list_runs(9)) == []
        assert list(await desk.store.read_payloads()) == []

    async def test_what_is_sent_is_registered_before(self, desk: Desk) -> None:
        """A later version is taken, an older one too, the same again is harmless, and other fields are refused."""
        forms = [fields("2", "a"), fields("3", "b"), fields("1", "c"), fields("2", "a")]
        for form in forms:
            await desk.store.register([record_of(form)], [(form.fingerprint, form.text)], "find")
        drifted = fields("3", "b", "c")
        with pytest.raises(
            SchemaDrift, match=r"find: Found@3 is not what was registered.*c was added"
        ) as caught:
            await desk.store.register([record_of(drifted)], [(drifted.fingerprint, drifted.text)], "find")
        assert caught.value.fields == ("c",)
        found = {each.version: each.fingerprint for each in await desk.store.read_payloads()}
        assert found == {form.version: form.fingerprint for form in forms}
        assert await desk.store.read_schema(fields("3", "b", "c").fingerprint) is None

    async def test_pruning_takes_no_version_away(self, desk: Desk) -> None:
        """What a version stands for outlives the runs that used it."""
        await self._submit(desk, fields("1", "a"))
        (claim,) = await desk.claim("a_agent")
        await desk.end(claim, run_resolved=1)
        assert await desk.store.prune(desk.clock.wall() + 1.0) == 1
        with pytest.raises(SchemaDrift):
            await self._submit(desk, fields("1", "b"))

    async def test_a_task_that_cannot_be_read_is_for_others(self, desk: Desk) -> None:
        """It is ready at once, counts as no attempt and no failure, and goes to a worker that reads that or later."""
        run, (a,) = await desk.start("a")
        (answer,) = await desk.settle(unreadable(a, "Found@2"))
        assert answer.verdict == "accepted"
        task = await desk.task(run, "a")
        assert (task.state, task.requires, task.attempt, task.failures, task.losses, task.error) == (
            "ready",
            "Found@2",
            0,
            0,
            0,
            None,
        )
        assert (await desk.names(run))[-1] == "task.a_agent.unreadable"
        for reads in ((), ("Found@1",), ("Other@9",)):
            assert not await desk.store.claim(request("a_agent", claim=desk.id("q"))._replace(reads=reads))
        wide = request("a_agent", claim=desk.id("q"))._replace(reads=("Found@10", "Other@2"))
        (claim,) = await desk.store.claim(wide)
        assert (claim.token.epoch, claim.attempt) == (2, 1)
        (repeated,) = await desk.settle(unreadable(a, "Found@2"))
        assert repeated.verdict == "repeated"
        assert (await desk.end(claim, run_resolved=1)).run_state == "complete"

    async def test_all_that_is_required_must_be_read(self, desk: Desk) -> None:
        """Several payloads are required together, and what a later worker cannot read takes the place of that."""
        _, (a,) = await desk.start("a")
        await desk.settle(unreadable(a, "Found@2 Other@3"))
        some = request("a_agent", claim=desk.id("q"))._replace(reads=("Found@2",))
        both = request("a_agent", claim=desk.id("q"))._replace(reads=("Found@2", "Other@3"))
        assert not await desk.store.claim(some)
        assert len(await desk.store.claim(both)) == 1

    async def test_a_retry_still_requires_it_and_another_agent_does_not(self, desk: Desk) -> None:
        """The inputs stay what they are for the same agent; a fallback may take them in another form."""
        run, (a,) = await desk.start("a")
        await desk.settle(unreadable(a, "Found@2"))
        able = request("a_agent", "b_agent", claim=desk.id("q"))._replace(reads=("Found@2",))
        (claim,) = await desk.store.claim(able)
        await desk.settle(settlement(claim, None, ending="retry", data="{}"))
        assert (await desk.task(run, "a")).requires == "Found@2"
        (claim,) = await desk.store.claim(able._replace(claim=desk.id("q")))
        await desk.settle(
            settlement(claim, None, ending="reassigned", data="{}")._replace(successor="b_agent")
        )
        assert (await desk.task(run, "a")).requires is None
        assert len(await desk.claim("b_agent")) == 1

    async def test_limits_hold_for_what_is_required(self, desk: Desk) -> None:
        """Oldest first among all that a worker can run, and no more than it has room for."""
        _, claims = await desk.start("a", "b", "c", waits_for=3)
        for claim in claims:
            await desk.settle(unreadable(claim, "Found@2")._replace(agent=claim.agent))
            desk.clock.advance(1.0)
        asked = request("a_agent", "b_agent", "c_agent", claim=desk.id("q"), limit=2)._replace(
            reads=("Found@2",), per_agent=(("a_agent", 0),)
        )
        granted = await desk.store.claim(asked)
        assert [claim.token.node for claim in granted] == ["b", "c"]

    async def test_anybody_may_settle_what_cannot_be_read(self, desk: Desk) -> None:
        """A task that is only to be settled is for any worker, whatever it requires of one that would run it."""
        run, (a, b) = await desk.start("a", "b", waits_for=2)
        await desk.end(a, release("c", need=2, parents=("a", "b"), pins=None))
        await desk.settle(
            settlement(
                b, None, release("c", need=2, parents=("a", "b"), pins=None, broken=True), ending="skipped"
            )
        )
        (broken,) = await desk.claim("nobody")
        assert broken.broken
        await desk.settle(unreadable(broken, "Found@2"))
        assert (await desk.task(run, "c")).requires == "Found@2"
        (again,) = await desk.claim("nobody")
        assert again.broken
