"""A call with something before and after it that happens in the loop, for coroutines and for threads."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

from segue.domain.envelope.waiting import Action, Block

T = TypeVar("T")


class Answer(NamedTuple):
    """What is known already, so that there is no need to call."""

    value: Any


class Calling(Action[T]):
    """
    `before`, then `call`, then `after` with what came of it; if `before` has an `Answer`, that and nothing else.

    `call` runs where the agent runs: in the loop for an `async def`, in its own thread for a `def`. What it returns is
    awaited if it can be; in the loop, where such things run. `failed` hears of a call that raised.
    """

    __slots__ = ("_after", "_before", "_call", "_failed")

    def __init__(
        self,
        what: str,
        before: Callable[[], Awaitable[Answer | None]],
        call: Callable[[], Any],
        after: Callable[[Any], Awaitable[T]],
        failed: Callable[[], None],
        block: Block,
    ) -> None:
        super().__init__(what, self._run, block)
        self._before = before
        self._call = call
        self._after = after
        self._failed = failed

    async def _run(self) -> T:
        known = await self._before()
        if known is not None:
            answer: T = known.value
            return answer
        try:
            value = self._call()
            if inspect.isawaitable(value):
                value = await value
        except BaseException:
            self._failed()
            raise
        return await self._after(value)

    def wait(self) -> T:
        """Block this thread until the value is there. Not for `async def` agents: all would wait."""
        self._begun = True
        known = self._block(self._before)
        if known is not None:
            answer: T = known.value
            return answer
        try:
            value = self._call()
            if inspect.isawaitable(value):
                value = self._block(_itself(value))
        except BaseException:
            self._failed()
            raise
        return self._block(lambda: self._after(value))


def _itself(value: Awaitable[Any]) -> Callable[[], Awaitable[Any]]:
    return lambda: value
