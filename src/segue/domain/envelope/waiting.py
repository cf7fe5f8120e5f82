"""Waiting in both worlds: an `async def` agent awaits; a `def` agent, in its thread, waits."""

from __future__ import annotations

import warnings
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")
U = TypeVar("U")


class Block(Protocol):
    """Runs an awaitable where awaitables run and blocks the calling thread until it is done."""

    def __call__(self, start: Callable[[], Awaitable[U]], /) -> U: ...


class Waitable(Generic[T]):
    """
    Something to wait for: `await it` in an `async def` agent, `it.wait()` in a `def` agent.

    Nothing happens before that; each wait starts anew.
    """

    __slots__ = ("_block", "_start")

    def __init__(self, start: Callable[[], Awaitable[T]], block: Block) -> None:
        self._start = start
        self._block = block

    def __await__(self) -> Generator[Any, Any, T]:
        return self._start().__await__()

    def wait(self) -> T:
        """Block this thread until the value is there. Not for `async def` agents: all would wait."""
        return self._block(self._start)

    def then(self, change: Callable[[T], U]) -> Waitable[U]:
        """The same wait with its value changed."""

        async def start() -> U:
            return change(await self)

        return Waitable(start, self._block)


class Action(Waitable[T]):
    """A wait that does something. One that is dropped before anybody waited has done nothing, and warns."""

    __slots__ = ("_begun", "_what")

    def __init__(self, what: str, start: Callable[[], Awaitable[T]], block: Block) -> None:
        super().__init__(start, block)
        self._what = what
        self._begun = False

    def __await__(self) -> Generator[Any, Any, T]:
        self._begun = True
        return super().__await__()

    def wait(self) -> T:
        """Block this thread until it is done. Not for `async def` agents: all would wait."""
        self._begun = True
        return super().wait()

    def __del__(self) -> None:
        if not self._begun:
            warnings.warn(
                f"{self._what} was never awaited, so nothing was done: write `await` before it, or .wait() after it",
                RuntimeWarning,
                stacklevel=2,
                source=self,
            )
