"""What a worker does about events: a consumer for each monitor and each subscription that it was given."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from secrets import SystemRandom
from typing import TYPE_CHECKING

from segue.app.monitoring import Calling
from segue.app.offering import Offer
from segue.app.subscribing import Starter
from segue.engine.consuming import Consumer, Duty
from segue.engine.patience import PATIENCE_SECONDS, patient

if TYPE_CHECKING:
    from collections.abc import Callable

    from segue.app.host import Host

_SYSTEM = SystemRandom()


class Watching:
    """The consumers of a worker; none if it was given nothing to do about events."""

    def __init__(
        self, host: Host, offer: Offer, lease_seconds: float, on_failure: Callable[[BaseException], None]
    ) -> None:
        """Raises DefinitionError and GraphError for what could not be started."""
        duties = tuple(_duties_of(host, offer))
        store = patient(host.store, host.clock, _SYSTEM, PATIENCE_SECONDS)
        worker = host.engine.worker
        self._consumers = [
            Consumer(duty, store, host.clock, _SYSTEM, worker, lease_seconds, on_failure) for duty in duties
        ]

    def start(self) -> None:
        """Handle events from now on."""
        for consumer in self._consumers:
            consumer.start()

    async def leave(self, seconds: float) -> None:
        """Begin nothing more. What is being handled may come to its end, for so long."""
        await asyncio.gather(*(consumer.leave(seconds) for consumer in self._consumers))

    async def stop(self) -> None:
        """End at once: what is being handled will be handled again, by somebody."""
        await asyncio.gather(*(consumer.stop() for consumer in self._consumers))


def _duties_of(host: Host, offer: Offer) -> Iterator[Duty]:
    for monitor in offer.monitors:
        calling = Calling(host, monitor)
        yield Duty(monitor.consumer, monitor.patterns, monitor.since, monitor.policy, calling.handle)
    for each in offer.subscriptions:
        each.build()  # what is wrong with it is said before anything is handled
        yield Duty(each.consumer, each.patterns, each.since, each.policy, Starter(host, each).handle)
