"""When a worker asks for tasks, and when it takes the dependents that it releases by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from segue import Segue, agent, ctx, workflow
from segue.domain.records import ClaimRequest, Settlement
from segue.stores.urls import open_store
from tests.engine.deadlines import soon


def watch(segue: Any, asked: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    """Note of each commit of settlements whether it asks for claims."""
    store = segue.host.store
    settle = store.settle

    async def noted(
        settlements: Sequence[Settlement],
        worker: str,
        lease_seconds: float,
        claim: ClaimRequest | None = None,
    ) -> Any:
        asked.append(claim is not None)
        return await settle(settlements, worker, lease_seconds, claim)

    monkeypatch.setattr(store, "settle", noted)


async def test_a_full_worker_stops_asking(open_segue: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a commit has claimed all that was ready, the next ones take their dependents without asking for more."""
    segue, asked = await open_segue(concurrency=1), []

    @agent
    async def first(number: int) -> int:
        segue.host.engine.look_again()  # there may be something older
        return number

    @agent
    async def step(number: int) -> int:
        return number + 1

    @workflow
    def chain(number: int) -> int:
        return step(step(step(step(first(number)))))

    await segue.run(chain, 1)
    watch(segue, asked, monkeypatch)
    assert await soon(segue.run(chain, 1)) == 5
    assert asked[0]
    assert not any(asked[1:])


async def test_what_was_not_to_be_had_is_asked_for_again(
    open_segue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker with one place that releases two tasks gets one of them, and goes on asking until it has both."""
    segue, asked = await open_segue(concurrency=1), []
    ran: list[int] = []

    @agent
    async def first(number: int) -> int:
        segue.host.engine.look_again()
        return number

    @agent
    async def leaf(number: int, place: int) -> int:
        ran.append(place)
        return number + place

    @agent
    async def add(numbers: list[int]) -> int:
        return sum(numbers)

    @workflow
    def fan(number: int) -> int:
        begun = first(number)
        return add([leaf(begun, place) for place in range(3)])

    watch(segue, asked, monkeypatch)
    assert await soon(segue.run(fan, 1)) == 6
    assert sorted(ran) == [0, 1, 2]
    assert sum(asked) > 1


@pytest.mark.parametrize("stubborn", [False, True])
async def test_suspects_run_one_after_another(stubborn: bool) -> None:
    """Of tasks that were lost twice a worker runs one at a time, and begins the next as soon as that one has ended."""
    parts, running, most = open_store("memory:"), 0, 0

    @agent(retries=1, backoff=None)
    async def each(text: str) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)  # noqa: TID251 - gives others their turn, waits for nothing
        running -= 1
        if stubborn and ctx.attempt == 3:
            raise ValueError("once more")
        return text

    @workflow
    def eight(texts: list[str]) -> list[str]:
        return each.map(texts)

    async with Segue(parts, worker=False) as submitter:
        async with Segue(parts):
            handle = await submitter.submit(eight, list("abcdefgh"))
            await anext(submitter.events(handle.run, names="task.expanded"))
        for number in range(2):
            await parts.store.claim(ClaimRequest(f"worker{number}", f"claim{number}", 9, ("each",), (), 60.0))
            assert len(await parts.store.expire([f"worker{number}"])) == 8
        async with Segue(parts, agents=[eight]) as worker:
            assert await soon(worker.handle(handle.run).result()) == list("abcdefgh")
    assert most == 1
