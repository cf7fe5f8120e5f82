"""The one lifecycle of everything that runs in the background."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from segue.errors import SegueError


class Service:
    """
    A named background loop. Subclasses write `run`; it ends when its task is cancelled.

    Stopping before starting, or twice, is harmless. An error that ends the loop is not swallowed: `on_failure` gets it.
    """

    def __init__(self, name: str, on_failure: Callable[[BaseException], None]) -> None:
        self._name = name
        self._on_failure = on_failure
        self._task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """The loop itself."""
        raise SegueError(f"the service {self._name!r} has nothing to run")

    def start(self) -> None:
        """Start the loop in a task of its own."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._guarded(), name=f"segue-{self._name}")

    async def stop(self) -> None:
        """Cancel the loop and wait until it is gone."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _guarded(self) -> None:
        try:
            await self.run()
        except Exception as error:  # noqa: BLE001 - a background loop must never die silently
            self._on_failure(error)
