"""
Handles events for a consumer of the log: for a monitor, or a subscription.

A worker reads the log on its own, from where it knows the consumer to be, and asks for the consumer only when it has
seen an event that is meant for it. While nothing of interest happens nobody holds anything and nothing is written, but
for the position that is noted now and then. Whoever is granted the consumer handles what there is, one event after the
other, notes each when it is done, and lets go. If it dies in between, the next one handles that event again: what it
does must be the same when it is done twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from segue.domain.consumers import Consumed, ConsumeRequest, ConsumerToken, Since, consumer_event
from segue.domain.envelope.redaction import secrets_of
from segue.domain.event_names import matches_any
from segue.domain.rows import Event
from segue.domain.running.faults import fault_of
from segue.domain.running.trouble import trouble_of
from segue.domain.settings.retrying import RetryPolicy
from segue.engine.patience import Pauses
from segue.engine.service import Service
from segue.errors import CursorExpired, SegueError, StoreUnavailable, UsageError
from segue.ports.chance import Chance
from segue.ports.clock import Clock
from segue.ports.store import Store

EVENTS_PER_READ = 100

NET_SECONDS = 5.0
"""How often the log is read although nothing was announced, and how often a position is noted that nothing hangs on."""

REST_PER_LOOK = 4.0
"""How much longer than a look a consumer rests after it: events that are not for it must cost next to nothing."""

LETTING_GO_SECONDS = 1.0
"""How long a worker that ends may take to let a consumer go; after that its lease has to run out."""


class Duty(NamedTuple):
    """What a consumer is there for: `handle` gets every event that fits `patterns`, at least once and in order."""

    name: str
    patterns: tuple[str, ...]
    since: Since
    policy: RetryPolicy
    handle: Callable[[Event], Awaitable[None]]


class _Lost(Exception):
    """Somebody else has been granted the consumer."""


class Consumer(Service):
    """Handles the events of one duty, in turn with the other workers that have it."""

    def __init__(
        self,
        duty: Duty,
        store: Store,
        clock: Clock,
        chance: Chance,
        worker: str,
        lease_seconds: float,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        super().__init__(f"consumer-{duty.name}", on_failure)
        self._duty = duty
        self._store = store
        self._clock = clock
        self._chance = chance
        self._worker = worker
        self._lease_seconds = lease_seconds
        self._cursor = ""
        """Up to here nothing is left to do, as far as this worker knows; the store may know less or more."""
        self._unsaved_since: float | None = None
        """From when on the store was not told how far this worker has read."""
        self._handling = False
        self._leaving = False
        self._secrets = secrets_of(os.environ)

    async def leave(self, seconds: float) -> None:
        """Begin nothing more. What is being handled may come to its end, for so long."""
        self._leaving = True
        if self._handling and self._task is not None:
            rest = asyncio.ensure_future(self._clock.sleep(seconds))
            try:
                await asyncio.wait((self._task, rest), return_when=asyncio.FIRST_COMPLETED)
            finally:
                rest.cancel()

    async def run(self) -> None:
        self._cursor = await self._store.register_consumer(self._duty.name, self._duty.since)
        while not self._leaving:
            seen, began = self._store.notifier.count, self._clock.boot()
            try:
                wait_seconds = await self._look()
            except CursorExpired:  # others have passed what was pruned since
                self._cursor = await self._store.register_consumer(self._duty.name, self._duty.since)
                continue
            if self._leaving:
                return
            await self._clock.sleep((self._clock.boot() - began) * REST_PER_LOOK)
            await self._store.notifier.wait(seen, wait_seconds)

    async def _look(self) -> float:
        """Read on, and handle what there is to handle; for how long there is nothing more to do."""
        while True:
            events, after = await self._store.tail(self._cursor, EVENTS_PER_READ)
            number = next((place for place, event in enumerate(events) if self._concerns(event)), None)
            if number is None:
                self._skip(after)
                if len(events) < EVENTS_PER_READ:
                    return await self._save()
            else:
                if number > 0:
                    self._skip(events[number - 1].cursor)
                wait_seconds = await self._take(events[number].cursor)
                if wait_seconds > 0.0 or self._leaving:
                    return wait_seconds
            await self._clock.sleep(0)  # reading holds up the loop

    def _concerns(self, event: Event) -> bool:
        """Whether an event is meant for this consumer. What is told of itself never is."""
        own = consumer_event(self._duty.name, "")
        return matches_any(event.name, self._duty.patterns) and not event.name.startswith(own)

    def _skip(self, cursor: str) -> None:
        if cursor != self._cursor:
            self._cursor = cursor
            self._unsaved_since = self._unsaved_since or self._clock.boot()

    async def _save(self) -> float:
        """Tell the store now and then that events were of no interest; for how long there is nothing to do."""
        if self._unsaved_since is None:
            return NET_SECONDS
        left_seconds = self._unsaved_since + NET_SECONDS - self._clock.boot()
        if left_seconds > 0.0:
            return left_seconds
        await self._take(self._cursor)
        return NET_SECONDS

    async def _take(self, wanted: str) -> float:
        """Ask for the consumer and handle events; after how long it is worth while to ask again."""
        claim = f"{self._chance.getrandbits(96):024x}"
        request = ConsumeRequest(self._duty.name, self._worker, claim, self._lease_seconds, wanted)
        consumed = await self._store.consume(request)
        if consumed.token is None:
            if consumed.wait_seconds == 0.0:  # others were quicker
                self._cursor, self._unsaved_since = consumed.cursor, None
                return 0.0
            return min(consumed.wait_seconds or NET_SECONDS, NET_SECONDS)
        # The consumer has not got to what is wanted, and what lies between was read here: none of it is for it.
        before, self._handling = self._cursor, True
        try:
            await self._handle_page(consumed.token, consumed)
        except _Lost:
            self._cursor = before
        except asyncio.CancelledError:
            await self._let_go(consumed.token)
            raise
        finally:
            self._handling, self._unsaved_since = False, None
        return 0.0

    async def _handle_page(self, token: ConsumerToken, consumed: Consumed) -> None:
        """Handle the events that come next, one after the other, and let go with the last. Raises `_Lost`."""
        failures = consumed.failures
        try:
            events, after = await self._store.tail(self._cursor, EVENTS_PER_READ)
        except CursorExpired:  # others have passed what was pruned since
            self._cursor = consumed.cursor
            events, after = await self._store.tail(self._cursor, EVENTS_PER_READ)
        wanted = [event for event in events if self._concerns(event)]
        for event in wanted:
            error = await self._error_of(token, event)
            if error is not None:
                await self._stumble(token, event, error, failures)
                return
            failures, self._cursor = 0, event.cursor
            if self._leaving:
                await self._let_go(token)
                return
            if event is not wanted[-1]:
                await self._note(token, event.cursor, self._lease_seconds)
        await self._note(token, after, 0.0)
        self._cursor = after

    async def _error_of(self, token: ConsumerToken, event: Event) -> BaseException | None:
        """Handle an event, keeping the consumer meanwhile; what it raised. Raises `_Lost`."""
        pauses = Pauses(self._chance)
        while True:
            try:
                await self._kept(token, self._duty.handle(event))
            except _Lost:
                raise
            except StoreUnavailable:  # no fault of what handles it
                await self._clock.sleep(pauses.next_seconds())
                await self._note(token, self._cursor, self._lease_seconds)
                continue
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                return UsageError("it has cancelled itself", remedy="Let no CancelledError out.")
            except Exception as error:  # noqa: BLE001 - whatever it is, it is theirs, and is written down
                return error
            return None

    async def _kept(self, token: ConsumerToken, handling: Awaitable[None]) -> None:
        """Wait for what handles an event, and renew the lease meanwhile."""
        handler = asyncio.ensure_future(handling)
        try:
            while True:
                rest = asyncio.ensure_future(self._clock.sleep(self._lease_seconds / 3))
                try:
                    await asyncio.wait((handler, rest), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    rest.cancel()
                if handler.done():
                    return handler.result()
                await self._note(token, self._cursor, self._lease_seconds)
        finally:
            if not handler.done():
                handler.cancel()
                await asyncio.wait([handler])

    async def _stumble(self, token: ConsumerToken, event: Event, error: BaseException, failures: int) -> None:
        """Write down that an event could not be handled; the consumer is let go, and is due again later."""
        fault = fault_of(error, self._secrets, "reassign", self._clock.wall(), called=True)
        trouble = trouble_of(token, event, fault, failures, self._duty.policy, self._chance.random())
        if await self._store.stumble(trouble) == "stale":
            raise _Lost

    async def _note(self, token: ConsumerToken, cursor: str, lease_seconds: float) -> None:
        if await self._store.advance(token, cursor, lease_seconds) == "stale":
            raise _Lost

    async def _let_go(self, token: ConsumerToken) -> None:
        """Let others have the consumer at once, if that can be done quickly."""
        with contextlib.suppress(SegueError, asyncio.TimeoutError):
            await asyncio.wait_for(self._store.advance(token, self._cursor, 0.0), LETTING_GO_SECONDS)
