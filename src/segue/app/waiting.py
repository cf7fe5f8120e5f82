"""Who waits for the end of which run in this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from segue.domain.records import RunRecord, RunState
from segue.errors import SegueError
from segue.ports.store import Store

NET_SECONDS = 5.0
"""How often a waited-for run is read although nothing was announced."""

SETTLED_STATES = frozenset({"needs_review", "complete", "failed", "cancelled"})


class Waiters:
    """Futures of runs. The engine tells of runs that end here; one watcher reads the store for the others."""

    def __init__(self) -> None:
        self._futures: dict[str, asyncio.Future[RunState]] = {}
        self._awaited: set[str] = set()
        self._store: Store | None = None
        self._watcher: asyncio.Task[None] | None = None
        self.failure: SegueError | None = None

    def start(self, store: Store) -> None:
        """Watch a store."""
        self._store = store
        self._watcher = asyncio.get_running_loop().create_task(self._watch(store), name="segue-run-watcher")

    async def stop(self) -> None:
        """Stop watching."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher
        for future in self._futures.values():
            future.cancel()
        self._futures.clear()

    def expect(self, run: str) -> None:
        """A run that is about to be submitted here: nothing that happens to it will be missed."""
        self._futures[run] = asyncio.get_running_loop().create_future()

    def unexpect(self, run: str) -> None:
        """The run was not created after all."""
        self._futures.pop(run, None)

    forget = unexpect

    async def wait(self, run: str, read: Callable[[], Awaitable[RunRecord]]) -> RunState:
        """The state of a run as soon as it ended or needs a review. Raises the engine's failure, should it fail."""
        if self.failure is not None:
            raise self.failure
        future = self._futures.get(run)
        if future is None:
            self.expect(run)
            future = self._futures[run]
            state = (await read()).state
            if state in SETTLED_STATES and not future.done():
                future.set_result(state)
        self._awaited.add(run)
        state = await asyncio.shield(future)
        self._awaited.discard(run)
        self._futures.pop(run, None)
        return state

    def tell(self, run: str, state: RunState) -> bool:
        """A run has changed; whether anybody here waits for it. Who asks later reads the store."""
        future = self._futures.get(run)
        if future is None:
            return False
        if run not in self._awaited:
            del self._futures[run]
            return False
        if not future.done():
            future.set_result(state)
        return True

    def fail(self, error: SegueError) -> None:
        """The engine cannot go on."""
        self.failure = error
        for future in self._futures.values():
            if not future.done():
                future.set_exception(error)
                future.exception()

    async def _watch(self, store: Store) -> None:
        seen = store.notifier.foreign
        while True:
            seen = await store.notifier.wait_foreign(seen, NET_SECONDS)
            for run in [run for run, future in self._futures.items() if not future.done()]:
                try:
                    record = await store.read_run(run)
                except SegueError:
                    break
                if record is not None and record.state in SETTLED_STATES:
                    self.tell(run, record.state)
