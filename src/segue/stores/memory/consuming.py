"""Consumers of the log, in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from segue.domain.consumers import (
    Consumed,
    ConsumeRequest,
    ConsumerRecord,
    ConsumerToken,
    Since,
    Trouble,
    consumer_event,
)
from segue.domain.records import Verdict
from segue.stores.memory.state import State
from segue.stores.waking import LocalNotifier


@dataclass(slots=True)
class Consumer:
    """How far a consumer has got. `trouble` is the position of the event that it came to grief on."""

    name: str
    position: int
    epoch: int = 0
    claim: str | None = None
    worker: str | None = None
    lease: float = 0.0
    due: float = 0.0
    failures: int = 0
    parked: bool = False
    trouble: int | None = None
    error: str | None = None

    def let_go(self) -> None:
        """Nobody handles events for it any more."""
        self.claim = self.worker = None

    def forgive(self) -> None:
        """What it came to grief on is behind it."""
        self.failures, self.due, self.parked = 0, 0.0, False
        self.trouble = self.error = None

    def answers(self, token: ConsumerToken) -> bool:
        """Whether a worker with this token may write."""
        return (self.epoch, self.claim) == (token.epoch, token.claim)


class Consuming:
    """The verbs of the contract for consumers."""

    _state: State
    _consumers: dict[str, Consumer]
    notifier: LocalNotifier

    async def register_consumer(self, name: str, since: Since) -> str:
        """Make a consumer known."""
        if name not in self._consumers:
            self._consumers[name] = Consumer(name, 0 if since == "start" else self._state.log.position)
            self.notifier.notify()
        return self._state.log.cursor(self._consumers[name].position)

    async def consume(self, request: ConsumeRequest) -> Consumed:
        """Take a consumer that nobody holds."""
        wanted = self._state.log.position_of(request.wanted)
        consumer, boot = self._consumers.get(request.consumer), self._state.clock.boot()
        if consumer is None:
            return Consumed(None, self._state.log.cursor(0), None)
        cursor = self._state.log.cursor(consumer.position)
        if consumer.claim != request.claim:
            if consumer.position >= wanted:
                return Consumed(None, cursor)
            if consumer.parked:
                return Consumed(None, cursor, None)
            free_at = max(consumer.due, consumer.lease if consumer.claim is not None else 0.0)
            if free_at > boot:
                return Consumed(None, cursor, free_at - boot)
            consumer.epoch += 1
            consumer.claim, consumer.worker = request.claim, request.worker
            consumer.lease = boot + request.lease_seconds
            self.notifier.notify()
        token = ConsumerToken(consumer.name, consumer.epoch, request.claim)
        return Consumed(token, cursor, failures=consumer.failures)

    async def advance(self, token: ConsumerToken, cursor: str, lease_seconds: float) -> Verdict:
        """Note how far a consumer has got."""
        position = self._state.log.position_of(cursor)
        consumer = self._consumers.get(token.consumer)
        if consumer is None:
            return "stale"
        if not consumer.answers(token):
            left = consumer.epoch == token.epoch and consumer.claim is None
            return "repeated" if left and consumer.position >= position else "stale"
        if position > consumer.position:
            consumer.position = position
            consumer.forgive()
        consumer.lease = self._state.clock.boot() + lease_seconds
        if lease_seconds == 0:
            consumer.let_go()
        self.notifier.notify()
        return "accepted"

    async def stumble(self, trouble: Trouble) -> Verdict:
        """Note that an event could not be handled."""
        position = self._state.log.position_of(trouble.cursor)
        consumer = self._consumers.get(trouble.token.consumer)
        if consumer is None:
            return "stale"
        if not consumer.answers(trouble.token):
            left = consumer.epoch == trouble.token.epoch and consumer.claim is None
            return "repeated" if left and consumer.trouble == position else "stale"
        consumer.let_go()
        consumer.failures += 1
        consumer.trouble, consumer.error = position, trouble.data
        consumer.parked = trouble.delay_seconds is None
        consumer.due = self._state.clock.boot() + (trouble.delay_seconds or 0.0)
        self._state.tell(self._state.runs[trouble.run], trouble.name, trouble.data)
        self.notifier.notify()
        return "accepted"

    async def unpark(self, name: str, *, past: bool, data: str | None) -> bool:
        """Let a parked consumer go on."""
        consumer = self._consumers.get(name)
        if consumer is None or not consumer.parked or consumer.trouble is None:
            return False
        run = self._state.runs[self._state.log.run_at(consumer.trouble)]
        if past:
            consumer.position = consumer.trouble
        consumer.forgive()
        self._state.tell(run, consumer_event(name, "skipped" if past else "resumed"), data)
        self.notifier.notify()
        return True

    async def forget_consumer(self, name: str) -> bool:
        """Forget a consumer that nobody holds."""
        consumer = self._consumers.get(name)
        if consumer is None or (consumer.claim is not None and consumer.lease > self._state.clock.boot()):
            return False
        del self._consumers[name]
        self.notifier.notify()
        return True

    async def read_consumers(self) -> Sequence[ConsumerRecord]:
        """All consumers, by name."""
        log = self._state.log
        return [
            ConsumerRecord(
                name=name,
                cursor=log.cursor(each.position),
                position=each.position,
                lag=log.count_after(each.position),
                worker=each.worker,
                failures=each.failures,
                parked=each.parked,
                error=each.error,
            )
            for name, each in sorted(self._consumers.items())
        ]

    def _let_go_of_dead(self, workers: Collection[str]) -> bool:
        """Let the consumers go that dead workers hold; whether there were any."""
        held = [each for each in self._consumers.values() if each.worker in workers]
        for consumer in held:
            consumer.let_go()
        return bool(held)

    def _passed_by_all(self) -> int | float:
        """Up to where all consumers are done."""
        return min((each.position for each in self._consumers.values()), default=float("inf"))
