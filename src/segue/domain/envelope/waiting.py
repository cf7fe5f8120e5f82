"""Waiting in both worlds: an `async def` agent awaits; a `def` agent, in its thread, waits."""

from __future__ import annotations

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
            return change(await self._start())

        return Waitable(start, self._block)
