"""
A process that works for a store until it is told to stop: the life of `segue worker`.

Told once, it claims nothing more and lets what runs end; what has not ended within the grace is handed back, and is
claimed by others at once. Told twice, it hands everything back at once.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from segue.app.host import Host
from segue.domain.records import Claim, task_name

_AT_REST = frozenset({"complete", "failed", "dead", "needs_review", "in_doubt", "skipped", "expanded"})


class Told:
    """How often this process was told to stop."""

    def __init__(self) -> None:
        self._times = 0
        self._heard = asyncio.Event()

    def stop(self) -> None:
        """Tell it, once more."""
        self._times += 1
        self._heard.set()

    async def times(self, count: int) -> None:
        """Wait until it was told so often."""
        while self._times < count:
            self._heard.clear()
            await self._heard.wait()


class Happening(NamedTuple):
    """
    Something that a worker did with a task: `claimed` it, or how that ended (`lost`: others have the task now).

    `seconds` is how long it had it; `message` says why it failed.
    """

    what: str
    run: str
    task: str
    agent: str
    epoch: int
    attempt: int
    at: float
    seconds: float | None
    message: str | None


class Tally:
    """What a worker has done so far: what runs now, and how often tasks came to rest, were tried again or went back."""

    def __init__(self) -> None:
        self.running = 0
        self.settled = 0
        self.failed = 0
        self.again = 0
        self.handed_back = 0
        self.lost = 0

    def count(self, what: str) -> None:
        """One more."""
        self.running += 1 if what == "claimed" else -1
        self.settled += what in _AT_REST
        self.failed += what in ("failed", "dead")
        self.again += what in ("retry", "reassigned", "handed_on", "deadlocked")
        self.handed_back += what in ("handed_back", "unreadable")
        self.lost += what == "lost"


class Serving:
    """Watches what a worker does, and brings it to its end. `on_happening` hears of each task."""

    def __init__(self, host: Host, on_happening: Callable[[Happening], None]) -> None:
        self.tally = Tally()
        self._host = host
        self._on_happening = on_happening
        # Before the host is open: what it finds then is claimed at once.
        host.observer = self._happened

    async def until_told(self, told: Told, grace_seconds: float, on_drain: Callable[[], None]) -> None:
        """
        Work until told to stop, then let what runs end, for so long or until told again. What is left then is handed
        back by closing the host. Raises what stopped the engine, should it fail.
        """
        failure = asyncio.ensure_future(self._host.until_failure())
        waits: list[asyncio.Future[Any]] = [failure]
        try:
            waits.append(asyncio.ensure_future(told.times(1)))
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if not failure.done():
                on_drain()
                waits[1] = asyncio.ensure_future(told.times(2))
                waits.append(asyncio.ensure_future(self._host.drain(grace_seconds)))
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if failure.done():
                raise failure.result()
        finally:
            for each in waits:
                each.cancel()

    def _happened(self, claim: Claim, what: str, data: str | None) -> None:
        self.tally.count(what)
        now = self._host.clock.wall()
        node, item = claim.token.node, claim.token.item
        self._on_happening(
            Happening(
                what,
                claim.token.run,
                task_name(node, item),
                claim.agent,
                claim.token.epoch,
                claim.attempt,
                now,
                None if what == "claimed" else max(now - claim.claimed_at, 0.0),
                _message(data),
            )
        )


def _message(data: str | None) -> str | None:
    """What the store keeps about a failure, in one line of text."""
    if data is None:
        return None
    told = json.loads(data)
    message = told.get("message") if isinstance(told, dict) else None
    return message if isinstance(message, str) else None
