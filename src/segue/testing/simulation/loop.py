"""The event loop of one simulated process: it never waits, its time and its turns are given to it."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from asyncio import events
from collections.abc import Callable, Coroutine
from contextvars import Context
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segue.ports.chance import Chance

RESOLUTION_SECONDS = 1e-6
"""What falls due within this time falls due together: clocks that run fast or slow are only so exact."""


class SimulatedLoop(asyncio.AbstractEventLoop):
    """
    One turn runs what was ready when it began, like a turn of asyncio's own loop, and takes no time.

    Callbacks and timers keep the order that asyncio promises. What asyncio promises nothing about is the order in which
    *different* tasks became ready: given a `shuffle`, steps of tasks that are ready in one turn change places with each
    other (a task has at most one there), and nothing else does. Everything between processes is for the world to order.
    """

    def __init__(self, now: Callable[[], float], shuffle: Chance | None) -> None:
        self._now = now
        self._shuffle = shuffle
        self._ready: list[asyncio.Handle] = []
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._order = count()
        self.dead = False
        self.mishap: BaseException | None = None
        """What a callback raised: nobody else would hear of it."""

    # --- what the world does with it -----------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether something is ready to run."""
        return bool(self._ready)

    @property
    def due_at(self) -> float | None:
        """When something is to run, by the loop's own time; None if nothing ever will by itself."""
        if self._ready:
            return self._now()
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def turn(self) -> None:
        """Run what is ready now."""
        now = self._now() + RESOLUTION_SECONDS
        while self._timers and self._timers[0][0] <= now:
            self._ready.append(heapq.heappop(self._timers)[2])
        batch, self._ready = self._ready, []
        if self._shuffle is not None and len(batch) > 1:
            _permute_steps(batch, self._shuffle)
        events._set_running_loop(self)
        try:
            for handle in batch:
                if self.dead:
                    break
                if not handle.cancelled():
                    handle._run()
        finally:
            events._set_running_loop(None)

    def abandon(self) -> None:
        """
        The process is gone: no callback runs any more. Its coroutines are closed here, so that nothing is left to the
        garbage collector's time; they are cut off from the world by then.
        """
        self.dead = True
        tasks = asyncio.all_tasks(self)
        self._ready.clear()
        self._timers.clear()
        events._set_running_loop(self)
        for task in tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            with contextlib.suppress(BaseException):
                task.get_coro().close()
        events._set_running_loop(None)

    # --- what asyncio asks of a loop -----------------------------------------------------------------

    def time(self) -> float:
        """The process's own time."""
        return self._now()

    def call_soon(  # type: ignore[override] # plainer than what it stands for
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        if not self.dead:
            self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        if not self.dead:
            heapq.heappush(self._timers, (when, next(self._order), handle))
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now() + delay, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name, context=context)
        if self.dead:  # whoever clears up in a process that is gone
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            coro.close()
        return task

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """A call in a thread, which has ended one turn later: there are no threads here."""

        async def call() -> Any:
            return func(*args)

        return self.create_task(call())

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if "handle" in context:  # and not a word about tasks that were thrown away with their process
            self.mishap = self.mishap or context.get("exception")

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self.dead

    def is_closed(self) -> bool:
        return self.dead

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are passed over when their time comes."""


def _permute_steps(batch: list[asyncio.Handle], chance: Chance) -> None:
    """Let the steps of tasks in a batch change places; all other callbacks stay where they are."""
    places = [place for place, handle in enumerate(batch) if isinstance(_owner(handle), asyncio.Task)]
    for last in range(len(places) - 1, 0, -1):
        here, there = places[last], places[int(chance.random() * (last + 1))]
        batch[here], batch[there] = batch[there], batch[here]


def _owner(handle: asyncio.Handle) -> object:
    return getattr(handle._callback, "__self__", None)  # type: ignore[attr-defined]


def at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise AssertionError("the store in memory answers at once")
