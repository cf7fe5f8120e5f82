"""`Later`: a task starts without an input, waits for it without a slot, and goes on where it was."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from segue import Later, Quorum, RunFailed, Segue, agent, workflow
from segue.engine.abilities.later import LaterDesk
from segue.testing import ManualClock
from tests.engine.turning import turning


async def test_one_slot_is_enough(open_segue: Any) -> None:
    """With one slot D starts before C ends, C runs in the slot that D gave up, and D's first half runs once."""
    segue = await open_segue(concurrency=1)
    seen: list[str] = []

    @agent
    async def b(text: str) -> str:
        return text

    @agent
    async def c(text: str) -> str:
        seen.append("c starts")
        return "from c"

    @agent
    async def d(text: str, later: Later[str]) -> str:
        seen.append("d starts")
        value = await later
        seen.append("d goes on")
        return f"{text} {value}"

    @workflow
    def waits(text: str) -> str:
        # C waits for B, so that D has the only slot first.
        return d(text, c(b(text)))

    assert await segue.run(waits, "d got") == "d got from c"
    assert seen == ["d starts", "c starts", "d goes on"]


async def test_the_wait_is_on_the_record(segue: Segue) -> None:
    """The store says that the task parked, which version it then took as an input, and that it went on."""
    started = asyncio.Event()

    @agent
    async def slow(text: str) -> str:
        await started.wait()
        return text

    @agent
    async def eager(later: Later[str]) -> str:
        started.set()
        return await later

    @workflow
    def waits(text: str) -> str:
        return eager(slow(text))

    handle = await segue.submit(waits, "x")
    assert await handle.result() == "x"
    names = [event.name async for event in segue.events(handle.run, names="task.eager.*")]
    kinds = [name.rpartition(".")[2] for name in names]
    assert [kind for kind in kinds if kind != "ready"] == [
        "claimed",
        "parked",
        "resumed",
        "awaited",
        "complete",
    ]
    (task,) = await segue.host.store.read_tasks(handle.run, [("eager", -1)])
    assert [(pin.node, pin.version) for pin in task.pins] == [("slow", 1)]


async def test_threads_wait_too(segue: Segue) -> None:
    """A `def` agent waits with `.wait()`."""

    @agent
    def slow(text: str) -> str:
        return text

    @agent
    def eager(later: Later[str]) -> str:
        return later.wait() + "!"

    @workflow
    def waits(text: str) -> str:
        return eager(slow(text))

    assert await segue.run(waits, "x") == "x!"


async def test_a_source_that_failed_raises_at_the_await(segue: Segue) -> None:
    """`UpstreamFailed` names the source; a task that accepts None there gets None instead."""

    @agent
    async def broken(text: str) -> str:
        raise ValueError("no")

    @agent
    async def strict(later: Later[str]) -> str:
        return await later

    @agent
    async def tolerant(later: Later[str | None]) -> str:
        return await later or "nothing"

    @workflow
    def waits(text: str) -> Any:
        source = broken(text)
        return [strict(source), tolerant(source)]

    handle = await segue.submit(waits, "x")
    with pytest.raises(RunFailed, match="strict: UpstreamFailed: strict awaits broken, which failed"):
        await handle.result()
    assert (await handle.handoff("tolerant")).output == "nothing"


@pytest.mark.parametrize(
    ("kind", "policy", "awaited"),
    [
        (list[int | None], "skip", "[1, None, 3]"),
        (list[int] | None, "skip", "None"),
        (list[int | None] | None, "skip", "[1, None, 3]"),
        (list[int], "proceed", "[1, 3]"),
        (list[int] | None, "proceed", "[1, 3]"),
        (list[int | None], Quorum(1), "[1, None, 3]"),
    ],
)
async def test_an_element_of_an_awaited_list_that_failed(
    segue: Segue, kind: Any, policy: Any, awaited: str
) -> None:
    """None stands in its place if that is accepted; who proceeds goes without it; else the whole list is None."""

    @agent
    async def odd(number: int) -> int:
        if number % 2 == 0:
            raise ValueError("even")
        return number

    async def tell(numbers: Any, first: int | None) -> str:
        return str(await numbers)

    tell.__annotations__["numbers"] = Later[kind]
    teller = agent(on_failure=policy)(tell)

    @workflow
    def waits(numbers: list[int]) -> str:
        return teller(odd.map(numbers), odd(1))

    assert await segue.run(waits, [1, 2, 3]) == awaited


async def test_a_mapped_source_is_awaited_whole(open_segue: Any) -> None:
    """A `Later` of a mapped node is the list of all its results."""
    segue = await open_segue(concurrency=2)

    @agent
    async def square(number: int) -> int:
        return number * number

    @agent
    async def total(squares: Later[list[int]]) -> int:
        return sum(await squares)

    @workflow
    def waits(numbers: list[int]) -> int:
        return total(square.map(numbers))

    assert await segue.run(waits, [1, 2, 3]) == 14


class CountingClock(ManualClock):
    """Each look at it takes a thousandth of a second; those who sleep are woken by a test."""

    def boot(self) -> float:
        """Seconds since an imagined start of the machine."""
        self._boot += 0.001
        return self._boot

    def advance(self, seconds: float) -> None:
        """Move on; somebody may be overdue already, by the looks of the others."""
        super().advance(max(0.0, seconds))


async def test_those_who_wait_leave_time_for_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """What others commit wakes all that wait, and each rests after a look: a crowd must not be in the way."""
    looks, gate = 0, asyncio.Event()
    settled = LaterDesk._settled

    async def counted(desk: LaterDesk, run: str, nodes: tuple[str, ...]) -> Any:
        nonlocal looks
        looks += 1
        return await settled(desk, run, nodes)

    @agent
    async def slow(text: str) -> str:
        await gate.wait()
        return text

    @agent
    async def eager(later: Later[str]) -> str:
        return await later

    @agent
    async def quick(text: str) -> str:
        return text

    @workflow
    def waits(text: str) -> str:
        return eager(slow(text))

    @workflow
    def goes_on(text: str) -> str:
        return quick(text)

    monkeypatch.setattr(LaterDesk, "_settled", counted)
    clock = CountingClock()
    async with Segue("memory:", clock=clock, concurrency=50) as segue:
        waiting = [await segue.submit(waits, str(number)) for number in range(10)]
        for _ in range(50):
            await segue.run(goes_on, "x")
        assert looks <= 2 * len(waiting)
        gate.set()
        done = await turning(clock, asyncio.gather(*(handle.result() for handle in waiting)))
        assert done == [str(number) for number in range(10)]
