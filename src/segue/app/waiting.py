"""Who waits for the end of which run in this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from segue.domain.records import RunState
from segue.domain.rows import RunRecord
from segue.errors import SegueError, UsageError
from segue.ports.clock import Clock
from segue.ports.notifier import Notifier
from segue.ports.store import Store

NET_SECONDS = 5.0
"""How often a waited-for run is read although nothing was announced."""

REST_PER_LOOK = 4.0
"""How much longer than a look the watcher rests after it: thousands that wait must not keep the loop busy."""

_AT_REST = frozenset({"needs_review", "complete", "failed", "cancelled"})
"""States of a run in which its agents are done: those who wait for it are told."""


class Expectation:
    """What is to be heard of one run, and how many wait for it."""

    __slots__ = ("state", "waiters")

    def __init__(self) -> None:
        self.state: asyncio.Future[RunState] = asyncio.get_running_loop().create_future()
        self.waiters = 0

    def fail(self, error: SegueError) -> None:
        """Nothing will be heard any more."""
        if not self.state.done():
            self.state.set_exception(error)
            self.state.exception()  # maybe nobody waits


class Waiters:
    """Expectations of runs. The engine tells of runs that end here; one watcher reads the store for the others."""

    def __init__(self) -> None:
        self._expected: dict[str, Expectation] = {}
        self._expecting = asyncio.Event()
        self._notifier: Notifier | None = None
        self._seen = 0
        """What other processes had committed when the watcher looked last, or when there was nothing to look for."""
        self._watcher: asyncio.Task[None] | None = None
        self.failure: SegueError | None = None
        self._failed = asyncio.Event()

    def start(self, store: Store, clock: Clock) -> None:
        """Watch a store."""
        self.failure = None
        self._failed.clear()
        self._notifier = store.notifier
        watch = self._watch(store, clock)
        self._watcher = asyncio.get_running_loop().create_task(watch, name="segue-run-watcher")

    async def stop(self) -> None:
        """Stop watching, and tell everybody who still waits."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher
        for run, expectation in self._expected.items():
            expectation.fail(
                UsageError(
                    f"this Segue was closed while run {run} was waited for",
                    remedy="The run is not lost: it goes on where its agents are. Wait before `async with` ends.",
                )
            )
        self._expected.clear()
        self._expecting.clear()

    def expect(self, run: str) -> None:
        """A run that is about to be submitted here: nothing that happens to it will be missed."""
        self._expect(run)

    def unexpect(self, run: str) -> None:
        """The run was not created after all."""
        self._expected.pop(run, None)

    def resume(self, run: str) -> None:
        """The run goes on after a review: what was heard of it before is over."""
        expectation = self._expected.get(run)
        if expectation is not None and expectation.state.done():
            del self._expected[run]

    async def wait(self, run: str, read: Callable[[], Awaitable[RunRecord]]) -> RunState:
        """The state of a run as soon as it ended or needs a review. Raises the engine's failure, should it fail."""
        if self.failure is not None:
            raise self.failure
        expectation = self._expected.get(run)
        is_new = expectation is None
        if expectation is None:
            expectation = self._expect(run)
        expectation.waiters += 1
        try:
            if is_new:
                await self._read(expectation, read)
            return await asyncio.shield(expectation.state)
        finally:
            expectation.waiters -= 1
            if not expectation.waiters and self._expected.get(run) is expectation:
                del self._expected[run]

    def _expect(self, run: str) -> Expectation:
        if not self._expecting.is_set():
            self._expecting.set()
            self._seen = self._notifier.foreign if self._notifier is not None else 0
        expectation = self._expected[run] = Expectation()
        return expectation

    async def _read(self, expectation: Expectation, read: Callable[[], Awaitable[RunRecord]]) -> None:
        """Hear of what happened before anybody waited."""
        try:
            state = (await read()).state
        except SegueError as error:
            expectation.fail(error)
        else:
            if state in _AT_REST and not expectation.state.done():
                expectation.state.set_result(state)

    async def until_failure(self) -> SegueError:
        """Why the engine cannot go on, as soon as it cannot."""
        await self._failed.wait()
        assert self.failure is not None
        return self.failure

    def tell(self, run: str, state: RunState) -> bool:
        """A run has changed; whether anybody here waits for it. Who asks later reads the store."""
        expectation = self._expected.get(run)
        if expectation is None:
            return False
        if not expectation.waiters:
            del self._expected[run]
            return False
        if not expectation.state.done():
            expectation.state.set_result(state)
        return True

    def fail(self, error: SegueError) -> None:
        """The engine cannot go on."""
        self.failure = error
        self._failed.set()
        for expectation in self._expected.values():
            expectation.fail(error)

    async def _watch(self, store: Store, clock: Clock) -> None:
        while True:
            if not self._expected:
                # A worker for whom nobody waits is not to be woken by each commit of another one.
                self._expecting.clear()
                await self._expecting.wait()
            self._seen = await store.notifier.wait_foreign(self._seen, NET_SECONDS)
            began = clock.boot()
            for run in [run for run, each in self._expected.items() if not each.state.done()]:
                try:
                    record = await store.read_run(run)
                except SegueError:
                    break
                if record is not None and record.state in _AT_REST:
                    self.tell(run, record.state)
            await clock.sleep((clock.boot() - began) * REST_PER_LOOK)
