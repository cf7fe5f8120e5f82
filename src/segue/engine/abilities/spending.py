"""
`ctx.spend`: what a model call may take is reserved before it is made, and settled after.

The store holds the budgets, so they hold for all tasks of a run on all machines. Where there is none, nothing is
written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from segue.domain.envelope.waiting import Block
from segue.domain.records import Amounts, is_grown
from segue.domain.running.spending import Charged, exceeded
from segue.domain.settings.spending import amounts_of
from segue.errors import StoreError, UsageError
from segue.ports.store import Store

if TYPE_CHECKING:
    from segue.engine.attempts.attempt import Attempt, Running


class Purse(Protocol):
    """What an agent's spending needs of its attempt, in the worker or relayed to it."""

    async def reserve(self, asked: Amounts) -> str | None:
        """Set amounts aside; the name of the reservation, None where nothing limits them. Raises SpendingExceeded."""
        ...

    async def settle_spent(self, name: str, spent: Amounts) -> None:
        """Say what was spent in the place of a reservation. Raises SpendingExceeded if it was more than there is."""
        ...


class Means(NamedTuple):
    """What all purses of a worker share."""

    store: Store
    on_failure: Callable[[BaseException], None]


class TaskPurse:
    """The purse of an attempt in its own worker."""

    def __init__(self, attempt: Attempt, means: Means) -> None:
        self._attempt = attempt
        self._means = means
        self._numbers = count(1)
        self.used = False
        """Whether the agent has reserved something itself."""

    @property
    def is_limited(self) -> bool:
        """Whether there may be a budget: of the run, or of a delegation that the task is in."""
        attempt = self._attempt
        return bool(attempt.live.options.caps) or is_grown(attempt.node)

    async def reserve(self, asked: Amounts) -> str | None:
        """Set amounts aside."""
        self.used = True
        if not self.is_limited:
            return None
        name = f"{self._attempt.token.epoch}.{next(self._numbers)}"
        await self.reserve_as(name, asked)
        return name

    async def reserve_as(self, name: str, asked: Amounts, child: str | None = None) -> None:
        """Set amounts aside under a name, which a later attempt may find again; for a delegation, its share."""
        token = self._attempt.token
        await self._ask(lambda: self._means.store.reserve(token, name, asked, child))

    async def settle_spent(self, name: str, spent: Amounts) -> None:
        """Say what was spent, in the place of what was reserved under a name, or charge it."""
        token = self._attempt.token
        await self._ask(lambda: self._means.store.spend(token, name, spent))

    async def charge(self, what: str, spent: Amounts) -> None:
        """Charge what was not reserved. Raises SpendingExceeded."""
        if spent and self.is_limited:
            await self.settle_spent(f"{self._attempt.token.epoch}.{what}", spent)

    async def _ask(self, ask: Callable[[], Any]) -> None:
        if self._attempt.confirmed is not None:
            await asyncio.shield(self._attempt.confirmed)
        try:
            charged: Charged = await ask()
        except StoreError as error:
            self._means.on_failure(error)
            raise
        attempt = self._attempt
        if charged.overspent is not None:
            raise exceeded(charged.overspent, attempt.name)
        if charged.verdict == "stale":
            raise attempt.stale()


class Spent:
    """What was spent, to be filled in: `tokens`, `cost`, `calls`. What stays None was spent as it was reserved."""

    def __init__(self) -> None:
        self.tokens: int | None = None
        self.cost: float | None = None
        self.calls: int | None = None


class Spend:
    """
    `async with ctx.spend(tokens=2000) as spent:` in an `async def` agent, `with ctx.spend(...)` in a `def` agent.

    What is asked for is set aside before the block begins, and what was spent takes its place when it is left, also by
    an error.
    """

    def __init__(self, running: Running, tokens: int | None, cost: float | None, calls: int) -> None:
        self._where = f"ctx.spend of {running.facts.task}"
        self._asked = amounts_of(self._where, tokens=tokens, cost=cost, calls=calls)
        self._purse: Purse = running.purse
        self._block: Block = running.notebook.block
        self._spent: Spent | None = None
        self._name: str | None = None

    async def __aenter__(self) -> Spent:
        if self._spent is not None:
            raise UsageError(
                f"{self._where} is entered twice", remedy="Call ctx.spend(...) once for each block."
            )
        self._spent = Spent()
        self._name = await self._purse.reserve(self._asked)
        return self._spent

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._spent is not None
        spent = amounts_of(
            self._where, tokens=self._spent.tokens, cost=self._spent.cost, calls=self._spent.calls
        )
        if self._name is not None:
            await self._purse.settle_spent(self._name, spent)

    def __enter__(self) -> Spent:
        return self._block(self.__aenter__)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._block(lambda: self.__aexit__(kind, error, traceback))
