"""
The monitors of a world: every process has the same one, and a judge sees that no event is passed unhandled.

What a monitor does about an event is a control with a name made of it. So it may be done by several processes, each of
which believes that the event is its own, and must be there once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from segue.domain.consumers import Consumed, ConsumeRequest, ConsumerToken, Trouble
from segue.domain.decisions import Control
from segue.domain.event_names import matches_any
from segue.domain.rows import Event
from segue.domain.settings.retrying import Retry
from segue.engine.consuming import Consumer, Duty
from segue.engine.patience import patient

if TYPE_CHECKING:
    from segue.ports.store import Store
    from segue.testing.simulation.process import Process
    from segue.testing.simulation.world import World

NAME = "monitor:everywhere"
PATTERNS = ("task.complete", "run.started", "run.complete", "run.failed")
TRIES = Retry(1_000, backoff="50ms", maximum="200ms")
PATIENCE_SECONDS = 10.0


class Watching:
    """Makes the monitors, and judges them. Nobody watches in most worlds."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.is_on = world.weather.season == "watched"
        self._handled: set[tuple[str, int]] = set()
        self._position = 0
        self._token: ConsumerToken | None = None
        self._worker = ""
        self._held_until = 0.0
        self._epoch = 0

    def consumer_for(self, process: Process) -> Consumer:
        """The monitor of a process, which is not begun yet."""
        world = self._world

        async def handle(event: Event) -> None:
            await self._handle(process, event)

        store = patient(cast("Store", process.store), process.clock, world.chance, PATIENCE_SECONDS)
        duty = Duty(NAME, PATTERNS, "start", TRIES.policy(), handle)
        return Consumer(
            duty, store, process.clock, world.chance, process.name, world.lease_seconds, process._failed
        )

    async def _handle(self, process: Process, event: Event) -> None:
        """Note in the run that its event was seen; now and then it takes long, or fails before or after."""
        chance = self._world.chance
        fate = chance.random()
        if fate < 0.05:
            await process.clock.sleep(1.5 * self._world.lease_seconds)
        if fate > 0.95:
            raise ValueError("not now")
        command = f"{NAME}:{event.run}:{event.sequence}"
        note = Control(event.run, "annotate", command, "annotate", f'"{command}"')
        await process.store.control(note)
        if fate > 0.9:
            self._world.saw("monitor failed after it had done it")
            raise ValueError("not any more")
        self._world.saw("event handled again" if self._key(event) in self._handled else "event handled")
        self._handled.add(self._key(event))

    # --- the judge -------------------------------------------------------------------------------------

    def look(self, verb: str, args: Sequence[Any], result: Any) -> None:
        """Look at the answer of a verb."""
        match verb:
            case "consume":
                self._granted(args[0], result)
            case "advance" if result == "accepted":
                self._advanced(args[0], args[2])
            case "stumble" if result == "accepted":
                self._stumbled(args[0])
            case "expire" if args and self._worker in args[0]:
                self._token = None

    def _granted(self, request: ConsumeRequest, consumed: Consumed) -> None:
        token, world = consumed.token, self._world
        if token is None or token == self._token:
            return
        if self._token is not None and world.now < self._held_until:
            world.violated("I15", f"{token} was granted while {self._token} was held")
        if token.epoch != self._epoch + 1:
            world.violated("I15", f"{token} follows epoch {self._epoch}")
        world.saw("consumer granted" if self._token is None else "consumer taken over")
        self._worker, self._token, self._epoch = request.worker, token, token.epoch
        self._held_until = world.now + request.lease_seconds

    def _advanced(self, token: ConsumerToken, lease_seconds: float) -> None:
        world = self._world
        if token != self._token:
            world.violated("I15", f"{token} has moved the consumer on, and {self._token} holds it")
        position = world.truth._consumers[NAME].position
        if position < self._position:
            world.violated("I15", f"the consumer went back from {self._position} to {position}")
        for place, event in world.truth._state.log._events:
            is_passed = self._position < place <= position and self._concerns(event)
            if is_passed and self._key(event) not in self._handled:
                world.violated("I15", f"{event.name} of {event.run} was passed, and nobody had handled it")
        self._position = position
        self._held_until = world.now + lease_seconds
        if lease_seconds == 0.0:
            self._token = None

    def _stumbled(self, trouble: Trouble) -> None:
        if trouble.token != self._token:
            self._world.violated("I15", f"{trouble.token} was let go, and {self._token} holds the consumer")
        self._world.saw("monitor failed")
        self._token = None

    @property
    def content(self) -> bool:
        """Whether everything was handled that is to be."""
        return not self.is_on or all(self._key(event) in self._handled for event in self._wanted())

    def last_look(self) -> None:
        """Every event was noted in its run, and once."""
        if not self.is_on:
            return
        notes = Counter(
            event.data for event in self._world.truth.events_from(0) if event.name == "run.annotated"
        )
        for event in self._wanted():
            times = notes[f'"{NAME}:{event.run}:{event.sequence}"']
            if times != 1:
                self._world.violated("I15", f"{event.name} of {event.run} was noted {times} times")

    def _wanted(self) -> list[Event]:
        return [event for event in self._world.truth.events_from(0) if self._concerns(event)]

    def _concerns(self, event: Event) -> bool:
        return matches_any(event.name, PATTERNS)

    def _key(self, event: Event) -> tuple[str, int]:
        return event.run, event.sequence
