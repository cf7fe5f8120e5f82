"""How a worker handles events: in order, at least once, never past what it has not handled, and cheaply."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from random import Random  # noqa: TID251 - chance that a test has chosen
from typing import Any

import pytest

from segue import Event, RetryLater, Segue, agent, workflow
from segue.domain.settings.retrying import Retry
from segue.engine.consuming import NET_SECONDS, Consumer, Duty
from segue.stores.memory import MemoryStore
from segue.testing import ManualClock
from segue.testing.conformance.desk import Desk
from tests.engine.turning import turning

GUARD = "monitor:guard"


@agent
async def twice(number: int) -> int:
    return 2 * number


@workflow
def double(number: int) -> int:
    return twice(number)


class Counting:
    """A store that counts what it is asked."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.asked: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        if name != "notifier":
            self.asked[name] += 1
        return getattr(self._store, name)


class Watch:
    """One worker that handles events, and what came of it."""

    def __init__(self, desk: Desk, clock: ManualClock) -> None:
        self.desk, self.clock = desk, clock
        self.store = Counting(desk.store)  # type: ignore[arg-type]
        self.handled: list[tuple[str, int]] = []
        self.failures: list[BaseException] = []
        self.consumers: list[Consumer] = []

    def begin(
        self,
        handle: Callable[[Event], Awaitable[None]] | None = None,
        *,
        patterns: tuple[str, ...] = ("task.complete",),
        worker: str = "w1",
        retry: Retry = Retry(3, backoff="10s", jitter=0.0),  # noqa: B008 - it cannot be changed
    ) -> Consumer:
        """Let a worker begin that notes what it is given, and does with it what it is told."""

        async def note(event: Event) -> None:
            self.handled.append((worker, event.sequence))
            if handle is not None:
                await handle(event)

        consumer = Consumer(
            Duty(GUARD, patterns, "start", retry.policy(), note),
            self.store,  # type: ignore[arg-type]
            self.clock,
            Random(worker),
            worker,
            30.0,
            self.failures.append,
        )
        self.consumers.append(consumer)
        consumer.start()
        return consumer

    async def until(self, holds: Callable[[], bool]) -> None:
        """Let time jump until something holds."""

        async def wait() -> None:
            while not holds():
                await self.clock.sleep(0.5)

        await turning(self.clock, wait())

    async def names(self) -> list[str]:
        """What is told of the consumer."""
        return [event.name for event in await self.desk.events() if event.name.startswith("consumer.")]


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    """A store, and workers that end with the test."""
    clock = ManualClock()
    watching = Watch(Desk(MemoryStore(clock), clock), clock)
    yield watching
    for consumer in watching.consumers:
        await consumer.stop()
    assert watching.failures == []


async def completions(desk: Desk, count: int) -> list[int]:
    """Runs of one task that are complete; the sequence of each completion."""
    for _ in range(count):
        _, (claim,) = await desk.start("a")
        await desk.end(claim, run_resolved=1)
    return [event.sequence for event in await desk.events() if event.name.endswith("a_agent.complete")]


async def test_each_event_in_order(watch: Watch) -> None:
    """What fits is handled one after the other, over several pages, and nothing is left afterwards."""
    wanted = await completions(watch.desk, 80)
    watch.begin()
    await watch.until(lambda: len(watch.handled) == 80)
    assert [sequence for _, sequence in watch.handled] == wanted
    await watch.until(lambda: watch.store.asked["tail"] > 12)
    (record,) = await watch.desk.store.read_consumers()
    assert (record.lag, record.worker) == (0, None)


async def test_an_idle_worker_neither_writes_nor_polls(watch: Watch) -> None:
    """An hour in which nothing happens costs a look every five seconds, and no write but the last position once."""
    await completions(watch.desk, 1)
    watch.begin(patterns=("task.b_agent.complete",))
    await watch.until(lambda: watch.store.asked["advance"] == 1)
    before, began = Counter(watch.store.asked), watch.clock.boot()
    await watch.until(lambda: watch.clock.boot() - began >= 3600.0)
    asked = watch.store.asked - before
    assert set(asked) == {"tail"}
    assert asked["tail"] <= 3600.0 / NET_SECONDS + 2


async def test_what_raises_is_tried_again_and_then_parked(watch: Watch) -> None:
    """Each failure is told of with its reason, and waits longer; after the last the consumer waits for a person."""
    (first, second) = await completions(watch.desk, 2)
    times: list[float] = []

    async def fail(event: Event) -> None:
        times.append(watch.clock.boot())
        raise ValueError("not today")

    consumer = watch.begin(fail)
    await watch.until(lambda: len(times) == 4)
    await watch.until(lambda: watch.clock.boot() - times[-1] > 600.0)
    assert [round(later - earlier) for earlier, later in pairwise(times)] == [10, 20, 40]
    assert await watch.names() == [f"consumer.{GUARD}.failed"] * 3 + [f"consumer.{GUARD}.parked"]
    (record,) = await watch.desk.store.read_consumers()
    told = json.loads(record.error or "")
    assert (record.parked, told["kind"], told["message"], told["failures"]) == (
        True,
        "ValueError",
        "not today",
        4,
    )
    assert {sequence for _, sequence in watch.handled} == {first}
    await consumer.stop()
    await watch.desk.store.unpark(GUARD, past=True, data=None)
    watch.begin(worker="w2")
    await watch.until(lambda: watch.handled[-1] == ("w2", second))
    assert len(watch.handled) == 5


async def test_who_asks_for_time_gets_it(watch: Watch) -> None:
    """`RetryLater` says when the event is to be tried again."""
    await completions(watch.desk, 1)
    times: list[float] = []

    async def later(event: Event) -> None:
        times.append(watch.clock.boot())
        if len(times) == 1:
            raise RetryLater("5m")

    watch.begin(later)
    await watch.until(lambda: len(times) == 2)
    assert times[1] - times[0] == pytest.approx(300.0, abs=NET_SECONDS)


async def test_a_long_handling_keeps_the_consumer(watch: Watch) -> None:
    """Who takes ten leases over one event is not superseded, and another worker does not handle it too."""
    await completions(watch.desk, 1)

    async def take_long(event: Event) -> None:
        await watch.clock.sleep(300.0)

    watch.begin(take_long)
    await watch.until(lambda: bool(watch.handled))
    watch.begin(worker="w2")
    began = watch.clock.boot()
    await watch.until(lambda: watch.clock.boot() - began > 400.0)
    assert [worker for worker, _ in watch.handled] == ["w1"]


async def test_a_worker_that_died_is_taken_over(watch: Watch) -> None:
    """Another handles its event at once, and should it live after all it stops when it hears that it has lost it."""
    (only,) = await completions(watch.desk, 1)
    watch.begin(lambda event: watch.clock.sleep(1e9))
    await watch.until(lambda: bool(watch.handled))
    await watch.desk.store.expire(
        ["w1"]
    )  # as the sweep of another does when the machine says that it is dead
    watch.begin(worker="w2")
    await watch.until(lambda: len(watch.handled) == 2)
    assert watch.handled == [("w1", only), ("w2", only)]
    began = watch.clock.boot()
    await watch.until(lambda: watch.clock.boot() - began > 60.0)
    (record,) = await watch.desk.store.read_consumers()
    assert (record.worker, record.lag) == (None, 0)


async def test_who_leaves_ends_what_it_handles(watch: Watch) -> None:
    """Told to leave, a worker brings its event to the end and lets go, and leaves the rest to others."""
    first, second = await completions(watch.desk, 2)
    ended: list[int] = []

    async def take_long(event: Event) -> None:
        await watch.clock.sleep(20.0)
        ended.append(event.sequence)

    consumer = watch.begin(take_long)
    await watch.until(lambda: bool(watch.handled))
    await turning(watch.clock, consumer.leave(60.0))
    assert ended == [first]
    (record,) = await watch.desk.store.read_consumers()
    assert (record.worker, record.lag > 0) == (None, True)
    watch.begin(worker="w2")
    await watch.until(lambda: len(watch.handled) == 2)
    assert watch.handled[-1] == ("w2", second)


async def test_its_own_troubles_are_not_told_to_it(watch: Watch) -> None:
    """A monitor of everything is not told of its own failures, else each would bring about the next."""
    await watch.desk.start("a")

    async def fail_once(event: Event) -> None:
        if len(watch.handled) == 1:
            raise ValueError("once")

    watch.begin(fail_once, patterns=("*",))
    await watch.until(lambda: len(watch.handled) == 3)
    began = watch.clock.boot()
    await watch.until(lambda: watch.clock.boot() - began > 60.0)
    assert [sequence for _, sequence in watch.handled] == [1, 1, 2]


async def test_a_worker_without_any_pays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was given nothing to do about events has no task for them, and asks the store nothing."""
    asked: list[str] = []
    for verb in ("tail", "cursor", "register_consumer", "consume", "advance"):
        monkeypatch.setattr(MemoryStore, verb, lambda *_, verb=verb: asked.append(verb))
    async with Segue("memory:", agents=[double]) as segue:
        assert await segue.run(double, 2) == 4
        names = {task.get_name() for task in asyncio.all_tasks()}
    assert [name for name in names if "consumer" in name] == []
    assert asked == []
