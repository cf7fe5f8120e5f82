"""
Hands runs to the store, those that are submitted in one turn of the loop in one transaction.

A commit costs the same for one run as for fifty, so a program that starts many at once should not pay it for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from segue.domain.records import NewRun, Submitted
from segue.errors import KeyConflict, PoolTooSmall, SchemaDrift
from segue.ports.clock import Clock
from segue.ports.store import Store


class _Waiting(NamedTuple):
    new: NewRun
    answer: asyncio.Future[Submitted]


class Submitter:
    """
    Submits in batches. `on_submitted` hears of every run that was, also if who submitted it does not wait any more,
    with the time from which the leases of its claims count; `on_refused` of every one that was not.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        worker: str,
        lease_seconds: float,
        on_submitted: Callable[[NewRun, Submitted, float], None],
        on_refused: Callable[[NewRun], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._worker = worker
        self._lease_seconds = lease_seconds
        self._on_submitted = on_submitted
        self._on_refused = on_refused
        self._waiting: list[_Waiting] = []
        self._batches: set[asyncio.Task[None]] = set()

    async def submit(self, new: NewRun) -> Submitted:
        """Submit a run with whatever else is submitted in this turn. Raises what the store raises about this run."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Submitted] = loop.create_future()
        self._waiting.append(_Waiting(new, answer))
        if len(self._waiting) == 1:
            loop.call_soon(self._flush)
        return await answer

    async def drain(self) -> None:
        """Wait until everything that was submitted is stored or refused."""
        while self._waiting or self._batches:
            await asyncio.gather(*self._batches, return_exceptions=True)
            await asyncio.sleep(0)  # noqa: TID251 - gives a flush its turn, waits for nothing

    def _flush(self) -> None:
        batch, self._waiting = self._waiting, []
        task = asyncio.get_running_loop().create_task(self._store_batch(batch))
        self._batches.add(task)
        task.add_done_callback(self._batches.discard)

    async def _store_batch(self, batch: list[_Waiting]) -> None:
        asked_at = self._clock.boot()
        try:
            answers = await self._store.submit(
                [each.new for each in batch], self._worker, self._lease_seconds
            )
        except (KeyConflict, PoolTooSmall, SchemaDrift) as error:
            if len(batch) == 1:
                self._refuse(batch, error)
                return
            # One of them is refused: each by itself, so that it takes no other with it.
            for each in batch:
                await self._store_batch([each])
            return
        except Exception as error:  # noqa: BLE001 - whoever submitted gets it
            self._refuse(batch, error)
            return
        for each, submitted in zip(batch, answers, strict=True):
            self._on_submitted(each.new, submitted, asked_at)
            if not each.answer.done():
                each.answer.set_result(submitted)

    def _refuse(self, batch: list[_Waiting], error: Exception) -> None:
        for each in batch:
            self._on_refused(each.new)
            if not each.answer.done():
                each.answer.set_exception(error)
