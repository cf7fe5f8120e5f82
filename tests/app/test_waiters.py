"""What waiting for many runs costs the event loop."""

from __future__ import annotations

import asyncio

from segue.app.waiting import Waiters
from segue.domain.rows import RunRecord
from segue.stores.memory import MemoryStore
from segue.testing import ManualClock


class SlowReads(MemoryStore):
    """Reading a run takes a millisecond of the clock."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.clock = clock
        self.reads = 0

    async def read_run(self, run: str) -> RunRecord | None:
        self.reads += 1
        self.clock.advance(0.001)
        return await super().read_run(run)


async def test_looking_for_many_runs_leaves_time_for_others() -> None:
    """With a hundred runs to look for and another process that commits all the time, a fifth of the time is spent."""
    clock = ManualClock()
    store = SlowReads(clock)
    waiters = Waiters()
    waiters.start(store, clock)
    for number in range(100):
        waiters.expect(str(number))
    began = clock.boot()
    while clock.boot() < began + 5.0:
        store.notifier.notify_foreign()
        await asyncio.sleep(0)  # noqa: TID251 - gives the watcher its turn
        clock.advance(0.001)
    await waiters.stop()
    assert 500 <= store.reads <= 1500
