"""
Where `def` agents run, and how they wait for what is asynchronous.

A thread gets a copy of the attempt's context, so `ctx` and everything else in context variables is there. A thread
cannot be killed: past its time it is left to end by itself, and whatever it returns is refused by the store.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from segue.errors import UsageError

T = TypeVar("T")

THREADS_MAXIMUM = 512
"""Threads of one worker, those that were left behind included."""


class Threads:
    """A pool that grows with what runs."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS_MAXIMUM, thread_name_prefix="segue-agent")
        self._loop: asyncio.AbstractEventLoop | None = None

    async def call(self, fn: Callable[..., T], arguments: dict[str, Any]) -> T:
        """Call `fn` in a thread."""
        loop = self._loop = asyncio.get_running_loop()
        context = contextvars.copy_context()
        return await loop.run_in_executor(self._pool, lambda: context.run(fn, **arguments))

    def block(self, start: Callable[[], Awaitable[T]]) -> T:
        """Wait, in an agent's thread, for something that runs in the loop: the one helper behind every `.wait()`."""
        loop = self._loop
        try:
            inside = asyncio.get_running_loop()
        except RuntimeError:
            inside = None
        if inside is not None or loop is None:
            raise UsageError("`.wait()` would block the event loop", remedy="Use `await` in an `async def`.")
        return asyncio.run_coroutine_threadsafe(_as_coroutine(start), loop).result()

    def close(self) -> None:
        """Take nothing more; threads that were left behind end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)


async def _as_coroutine(start: Callable[[], Awaitable[T]]) -> T:
    return await start()
