"""
Where `def` agents run, and how they wait for what is asynchronous.

A thread gets a copy of the attempt's context, so `ctx` and everything else in context variables is there. A thread
cannot be killed: past its time it is left to end by itself, and whatever it returns is refused by the store.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, TypeVar

from segue.errors import UsageError

T = TypeVar("T")

PARKED_MAXIMUM = 1_000
"""Threads of one worker that may wait for a `Later` at once: each is one that nobody else can use meanwhile."""

LEFT_BEHIND_MAXIMUM = 500
"""Threads of one worker that may run on past their time before they are missing elsewhere."""


class Call:
    """One call in a thread, and what it waits for in the loop."""

    def __init__(self) -> None:
        self._waits: set[Future[Any]] = set()
        self._left = False

    def wait_for(self, waiting: Future[T]) -> T:
        """Wait in the thread, at most until the call is left."""
        self._waits.add(waiting)
        if self._left:
            waiting.cancel()
        try:
            return waiting.result()
        finally:
            self._waits.discard(waiting)

    def leave(self) -> None:
        """Nobody wants the result any more: what the thread waits for is given up, and so is whatever it will."""
        self._left = True
        for waiting in tuple(self._waits):
            waiting.cancel()


_current_call: ContextVar[Call] = ContextVar("segue_call")


class Threads:
    """A pool that grows with what runs: up to `concurrency` calls, those that are parked, those left behind."""

    def __init__(self, concurrency: int) -> None:
        most = concurrency + PARKED_MAXIMUM + LEFT_BEHIND_MAXIMUM
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="segue-agent")
        self._loop: asyncio.AbstractEventLoop | None = None

    async def call(self, fn: Callable[..., T], arguments: dict[str, Any]) -> T:
        """Call `fn` in a thread."""
        loop = self._loop = asyncio.get_running_loop()
        call = Call()
        context = contextvars.copy_context()
        context.run(_current_call.set, call)
        try:
            return await loop.run_in_executor(self._pool, lambda: context.run(_called, fn, arguments))
        finally:
            call.leave()

    def block(self, start: Callable[[], Awaitable[T]]) -> T:
        """Wait, in an agent's thread, for something that runs in the loop: the one helper behind every `.wait()`."""
        loop = self._loop
        try:
            inside = asyncio.get_running_loop()
        except RuntimeError:
            inside = None
        if inside is not None or loop is None:
            raise UsageError("`.wait()` would block the event loop", remedy="Use `await` in an `async def`.")
        waiting = asyncio.run_coroutine_threadsafe(_as_coroutine(start), loop)
        return _current_call.get(Call()).wait_for(waiting)

    def close(self) -> None:
        """Take nothing more; threads that were left behind end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _called(fn: Callable[..., T], arguments: dict[str, Any]) -> T:
    try:
        return fn(**arguments)
    except (StopIteration, GeneratorExit, KeyboardInterrupt) as error:
        # No future can carry the first two: whoever waits would wait for ever, or end without a word. The third would
        # end the worker as a Ctrl-C does, and then the next one; but no signal reaches this thread.
        raise RuntimeError(f"the agent raised {type(error).__name__}") from error


async def _as_coroutine(start: Callable[[], Awaitable[T]]) -> T:
    return await start()
