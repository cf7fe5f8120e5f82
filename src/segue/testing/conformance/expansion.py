"""Mapped nodes: tasks that come into being when a list is known."""

from __future__ import annotations

from segue.domain.records import Claim, Release
from segue.testing.conformance.base import Suite
from segue.testing.conformance.desk import Desk, handoff, join, release, settlement


def items(count: int, *, claim: bool = False) -> tuple[Release, ...]:
    """The tasks of a mapped node, one for each element of its list."""
    return tuple(
        release("m", item=number, need=0, resolved=0, claim=f"claim-{number}" if claim else None)
        for number in range(count)
    )


def gather(resolved: int, *, claim: str | None = None) -> Release:
    """What that means for the task that waits for all of them."""
    return join("g", 1, parents=("m",), resolved=resolved, claim=claim)


class ExpansionConformance(Suite):
    """Lists that are known only at run time."""

    async def _expanded(self, desk: Desk, count: int) -> tuple[str, tuple[Claim, ...]]:
        run, (m,) = await desk.start("m")
        releases = (*items(count, claim=True), gather(1 - count))
        (answer,) = await desk.settle(
            settlement(m, None, *releases, ending="expanded", data=f'{{"count":{count}}}')
        )
        return run, answer.claims

    async def test_an_expansion_brings_its_items_into_being(self, desk: Desk) -> None:
        """The transaction that settles the list appends a task for each element, named by its position."""
        run, claims = await self._expanded(desk, 3)
        assert [claim.token.item for claim in claims] == [0, 1, 2]
        tasks = [(task.node, task.item, task.state) for task in await desk.store.read_tasks(run)]
        assert tasks == [
            ("g", -1, "waiting"),
            ("m", -1, "expanded"),
            ("m", 0, "claimed"),
            ("m", 1, "claimed"),
            ("m", 2, "claimed"),
        ]
        assert [event.task for event in await desk.events(run)][-3:] == ["m[0]", "m[1]", "m[2]"]

    async def test_what_waits_for_a_mapped_node_waits_for_every_item(self, desk: Desk) -> None:
        """The task behind a mapped node is ready with the last item, its inputs in the order of the list."""
        run, claims = await self._expanded(desk, 3)
        for claim in (claims[2], claims[0]):
            await desk.end(claim, gather(1))
            assert (await desk.task(run, "g")).state == "waiting"
        (last,) = (await desk.end(claims[1], gather(1, claim="claim-g"))).claims
        assert [(pin.node, pin.item, pin.version) for pin in last.pins] == [
            ("m", 0, 1),
            ("m", 1, 1),
            ("m", 2, 1),
        ]

    async def test_an_empty_list_releases_at_once(self, desk: Desk) -> None:
        """With nothing to wait for, the task behind a mapped node starts with the expansion."""
        run, (m,) = await desk.start("m")
        (answer,) = await desk.settle(settlement(m, None, gather(1, claim="claim-g"), ending="expanded"))
        (claim,) = answer.claims
        assert (claim.token.node, claim.pins) == ("g", ())
        assert (await desk.task(run, "g")).state == "claimed"

    async def test_a_run_waits_for_the_items_of_its_last_node(self, desk: Desk) -> None:
        """An expansion of a node that ends the run makes the run wait for each item."""
        run, (m,) = await desk.start("m")
        (answer,) = await desk.settle(
            settlement(m, None, *items(3, claim=True), ending="expanded", run_resolved=1 - 3)
        )
        for claim in answer.claims[:2]:
            assert (await desk.end(claim, run_resolved=1)).run_state is None
        assert (await desk.end(answer.claims[2], run_resolved=1)).run_state == "complete"
        assert (await desk.run(run)).state == "complete"

    async def test_an_expansion_happens_once(self, desk: Desk) -> None:
        """A repeated expansion appends nothing and gives back the claims that still stand."""
        run, (m,) = await desk.start("m")
        expansion = settlement(
            m, None, *items(2, claim=True), gather(-1), ending="expanded", data='{"count":2}'
        )
        (first,) = await desk.settle(expansion)
        await desk.end(first.claims[0], gather(1))
        (again,) = await desk.settle(expansion)
        assert (again.verdict, again.claims) == ("repeated", first.claims[1:])
        assert len(await desk.store.read_tasks(run)) == 4
        assert (await desk.task(run, "g")).state == "waiting"

    async def test_items_settle_in_one_batch(self, desk: Desk) -> None:
        """All items of a large list in one batch release the task behind them once, with every pin."""
        run, claims = await self._expanded(desk, 50)
        answers = await desk.settle(
            *(
                settlement(claim, handoff(f"{claim.token.item}"), gather(1, claim="claim-g"))
                for claim in claims
            )
        )
        assert [len(answer.claims) for answer in answers] == [0] * 49 + [1]
        assert [pin.item for pin in answers[-1].claims[0].pins] == list(range(50))
        assert (await desk.names(run)).count("task.g_agent.claimed") == 1

    async def test_items_are_named_by_node_and_item(self, desk: Desk) -> None:
        """Single items can be read, and items of a list come in the order of their numbers."""
        run, _ = await self._expanded(desk, 12)
        some = await desk.store.read_tasks(run, [("m", 10), ("m", 9), ("m", 77)])
        assert [task.item for task in some] == [9, 10]
        every = [task.item for task in await desk.store.read_tasks(run) if task.node == "m"]
        assert every == list(range(-1, 12))
