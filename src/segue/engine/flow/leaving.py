"""How a worker leaves: what runs may end, for a while; the rest is cancelled and handed back, for others to claim."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from segue.domain.records import Claim
from segue.domain.running.outcome import handed_back
from segue.engine.attempts.attempt import Attempt
from segue.engine.flow.claimer import Claimer
from segue.engine.flow.committer import Committer
from segue.engine.flow.submitter import Submitter
from segue.errors import SegueError
from segue.ports.clock import Clock
from segue.ports.store import Store


class Leaving:
    """Brings what runs to an end. The engine claims and starts nothing more once it has begun."""

    def __init__(
        self,
        live: Mapping[str, Attempt],
        clock: Clock,
        store: Store,
        worker: str,
        claimer: Claimer,
        submitter: Submitter,
        committer: Committer,
    ) -> None:
        self._live = live
        self._clock = clock
        self._store = store
        self._worker = worker
        self._claimer = claimer
        self._submitter = submitter
        self._committer = committer
        self._given_up: list[Claim] = []

    def give_up(self) -> None:
        """The worker has failed: what it holds now is to be handed back when it ends, if the store takes that."""
        self._given_up += [each.claim for each in self._live.values() if each.confirmed is None]

    async def finish(self, seconds: float) -> bool:
        """Let what runs end and commit it; whether all of it did within so many seconds."""
        loop = asyncio.get_running_loop()
        ending = loop.create_task(self._all_ended(), name="segue-leaving")
        time = loop.create_task(self._clock.sleep(seconds), name="segue-grace")
        try:
            await asyncio.wait((ending, time), return_when=asyncio.FIRST_COMPLETED)
            return ending.done()
        finally:
            ending.cancel()
            time.cancel()

    async def hand_back(self) -> None:
        """
        Cancel what runs and commit how it ended. What was on its way may bring more to hand back; it is waited for
        afterwards, because an answer may take as long as there is time.
        """
        self._claimer.paused = True
        await self._cancel_running()
        await self._take_nothing()
        await self._cancel_running()
        if self._given_up:
            # A worker that fails and comes back, on a disk without room for one, must not use up the losses of a task.
            with contextlib.suppress(SegueError):
                settlements = [handed_back(claim) for claim in self._given_up]
                await self._store.settle(settlements, self._worker, lease_seconds=0.0)

    async def _cancel_running(self) -> None:
        while running := self._running():
            for attempt in running:
                attempt.cancel()
            await _ended(running)
            await self._committer.drain()

    async def _all_ended(self) -> None:
        await self._take_nothing()
        while running := self._running():
            await _ended(running)
            await self._committer.drain()

    async def _take_nothing(self) -> None:
        await self._claimer.pause()
        await self._submitter.drain()
        await self._committer.drain()

    def _running(self) -> list[Attempt]:
        # One whose task is over and still stands here was ended by what ends the process: nothing more comes of it.
        return [
            attempt for attempt in self._live.values() if attempt.task is not None and not attempt.task.done()
        ]


async def _ended(running: list[Attempt]) -> None:
    await asyncio.wait([attempt.task for attempt in running if attempt.task is not None])
